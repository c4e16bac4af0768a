//! A webhook of PayPal's. After an even first byte come its headers, the certificate that its address
//! leads to, and its body, each ended by a zero byte: none of it can be genuine. After an odd one
//! comes a body that PayPal, when asked, says it has signed, so that what is behind the signature is
//! reached too.

#![no_main]

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use counterfoil::http::ManualTimer;
use counterfoil::id::Namespace;
use counterfoil::providers::paypal::{PayPal, PayPalConfig, PayPalCredentials, WebhookCheck};
use counterfoil::webhook::WebhookRequest;
use counterfoil::{Provider, Test};
use counterfoil_fuzz::{Parrot, headers};
use libfuzzer_sys::fuzz_target;

type Endpoint = (Arc<Parrot>, Provider<Test>);

static FORGED: LazyLock<Endpoint> = LazyLock::new(|| endpoint(WebhookCheck::Offline));
static SIGNED: LazyLock<Endpoint> = LazyLock::new(|| endpoint(WebhookCheck::ByPayPal));

const GENUINE: &[u8] = b"paypal-transmission-id:1\n\
    paypal-transmission-time:2026-11-18T12:00:00Z\n\
    paypal-transmission-sig:AAAA\n\
    paypal-cert-url:https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1\n\
    paypal-auth-algo:SHA256withRSA";

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    if first % 2 == 1 {
        let (parrot, provider) = &*SIGNED;
        let yes = Bytes::from_static(br#"{"verification_status":"SUCCESS"}"#);
        parrot.teach(http::Response::new(yes));
        let request = WebhookRequest::new(headers(GENUINE), rest.to_vec());
        let _ = pollster::block_on(provider.webhook(&request));
        return;
    }
    let mut parts = rest.splitn(3, |byte| *byte == 0);
    let mut next = || parts.next().unwrap_or_default();
    let (lines, certificate, body) = (next(), next(), next());
    let (parrot, provider) = &*FORGED;
    parrot.teach(http::Response::new(Bytes::copy_from_slice(certificate)));
    let request = WebhookRequest::new(headers(lines), body.to_vec());
    let delivery = pollster::block_on(provider.webhook(&request));
    assert!(delivery.is_err(), "a forged webhook was believed");
});

fn endpoint(check: WebhookCheck) -> Endpoint {
    let parrot = Arc::new(Parrot::default());
    let credentials = PayPalCredentials::sandbox("client-id", "client-secret", "1JE4291016473214C");
    let config = PayPalConfig::new(credentials.unwrap())
        .with_webhook_check(check)
        .with_transport(Arc::clone(&parrot) as _)
        .with_timer(Arc::new(ManualTimer::new()))
        .with_seed(1);
    let shop = Namespace::new("shop").unwrap();
    (parrot, PayPal::new(config).unwrap().into_provider(shop))
}
