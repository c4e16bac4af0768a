//! A webhook's header and body. An even first byte leaves the signature to the fuzzer; an odd one
//! signs the body, so that what is behind the signature is reached too.

#![no_main]

use std::sync::LazyLock;

use counterfoil::clock::{ManualClock, Timestamp};
use counterfoil::id::Namespace;
use counterfoil::providers::stripe::{Stripe, StripeConfig};
use counterfoil::webhook::WebhookRequest;
use counterfoil::{Provider, Test};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use sha2::Sha256;

const NOW: i64 = 1_795_000_000;
const SECRET: &str = "whsec_of_the_endpoint";

static PROVIDER: LazyLock<Provider<Test>> = LazyLock::new(|| {
    let config = StripeConfig::new("sk_test_1", SECRET).unwrap();
    let clock = ManualClock::new(Timestamp::from_unix(NOW));
    Stripe::new(config)
        .unwrap()
        .into_provider(Namespace::new("shop").unwrap())
        .with_clock(std::sync::Arc::new(clock))
});

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let is_signed = first % 2 == 1;
    let (header, body) = if is_signed {
        (signature(rest), rest)
    } else {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let (header, body) = rest.split_at(end.unwrap_or(rest.len()));
        (header.to_vec(), body)
    };
    let Ok(header) = HeaderValue::from_bytes(&header) else {
        return;
    };
    let mut headers = HeaderMap::new();
    headers.insert("stripe-signature", header);
    let request = WebhookRequest::new(headers, body.to_vec());
    let delivery = pollster::block_on(PROVIDER.webhook(&request));
    assert!(
        is_signed || delivery.is_err(),
        "a forged webhook was believed"
    );
});

fn signature(body: &[u8]) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    let mac = mac.chain_update(format!("{NOW}.")).chain_update(body);
    format!("t={NOW},v1={}", hex::encode(mac.finalize().into_bytes())).into_bytes()
}
