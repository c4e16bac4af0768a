//! A Stripe event, verified and read: `Provider::webhook` against the least that must be done.
//!
//! `cargo bench -p counterfoil-benches --bench webhook`

use std::borrow::Cow;
use std::sync::Arc;

use counterfoil::clock::{ManualClock, Timestamp};
use counterfoil::id::Namespace;
use counterfoil::providers::stripe::{SIGNATURE_HEADER, Stripe, StripeConfig, sign};
use counterfoil::webhook::WebhookRequest;
use counterfoil::{Provider, Secret, Test};
use counterfoil_benches::{Contender, compare};
use futures_util::FutureExt;
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use serde::Deserialize;
use sha2::Sha256;

const SECRET: &str = "whsec_Y291bnRlcmZvaWwtYmVuY2htYXJr";
const SIGNED_AT: Timestamp = Timestamp::from_unix(1_795_000_000);

fn main() {
    for (title, body) in [
        (
            "2.6 KB event",
            include_bytes!("fixtures/event_small.json").as_slice(),
        ),
        (
            "31 KB event",
            include_bytes!("fixtures/event_large.json").as_slice(),
        ),
    ] {
        let signature = sign(&Secret::new(SECRET), SIGNED_AT, body);
        let mut headers = HeaderMap::new();
        headers.insert(SIGNATURE_HEADER, signature.parse().unwrap());
        let request = WebhookRequest::new(headers, body);
        let provider = provider();
        let contenders = vec![
            Contender::new("floor: HMAC-SHA256, serde_json borrowed", || {
                floor(&signature, body)
            }),
            Contender::new("Provider::webhook", || {
                let delivery = provider.webhook(&request).now_or_never().unwrap().unwrap();
                assert_eq!(delivery.events[0].payment().unwrap().amount.minor(), 1999);
            }),
        ];
        compare(
            &format!("{title}, {} bytes", body.len()),
            60,
            500,
            1,
            contenders,
        );
    }
}

fn provider() -> Provider<Test> {
    let clock = Arc::new(ManualClock::new(SIGNED_AT));
    let config = StripeConfig::<Test>::new("sk_test_benchmark", SECRET).unwrap();
    let stripe = Stripe::new(config.with_clock(clock.clone())).unwrap();
    stripe
        .into_provider(Namespace::new("shop").unwrap())
        .with_clock(clock)
}

/// The key is set up per event, and the facts are those that matching a payment needs.
fn floor(signature: &str, body: &[u8]) {
    let (time, tag) = signature.split_once(",v1=").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(time.trim_start_matches("t=").as_bytes());
    mac.update(b".");
    mac.update(body);
    let mut expected = [0; 32];
    hex::decode_to_slice(tag, &mut expected).unwrap();
    mac.verify_slice(&expected).unwrap();
    let event: Event<'_> = serde_json::from_str(std::str::from_utf8(body).unwrap()).unwrap();
    let intent = &event.data.object;
    assert_eq!(
        (event.kind, intent.amount_received),
        ("payment_intent.succeeded", 1999)
    );
    assert!(intent.metadata.reference.starts_with("shop:") && !event.livemode);
}

#[derive(Deserialize)]
#[expect(
    dead_code,
    reason = "they are read, as they must be, but not all are compared"
)]
struct Event<'e> {
    id: &'e str,
    #[serde(rename = "type")]
    kind: &'e str,
    created: i64,
    livemode: bool,
    #[serde(borrow)]
    data: Data<'e>,
}

#[derive(Deserialize)]
struct Data<'e> {
    #[serde(borrow)]
    object: Intent<'e>,
}

#[derive(Deserialize)]
#[expect(
    dead_code,
    reason = "they are read, as they must be, but not all are compared"
)]
struct Intent<'e> {
    id: &'e str,
    amount: i64,
    amount_received: i64,
    currency: &'e str,
    status: &'e str,
    created: i64,
    #[serde(borrow)]
    metadata: Metadata<'e>,
}

#[derive(Deserialize)]
struct Metadata<'e> {
    #[serde(rename = "counterfoil_reference", borrow)]
    reference: Cow<'e, str>,
}
