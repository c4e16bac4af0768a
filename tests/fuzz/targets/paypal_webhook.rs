//! A webhook's headers and body, and the certificate that its address leads to: three parts, each
//! ended by a zero byte. None of it can be genuine.

#![no_main]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use counterfoil::http::{ManualTimer, Transport, TransportError};
use counterfoil::id::Namespace;
use counterfoil::providers::paypal::{PayPal, PayPalConfig, PayPalCredentials};
use counterfoil::webhook::WebhookRequest;
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;

/// Answers everything with the same bytes.
#[derive(Debug)]
struct Parrot(Mutex<Bytes>);

#[async_trait]
impl Transport for Parrot {
    async fn send(
        &self,
        _: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        Ok(http::Response::new(self.0.lock().unwrap().clone()))
    }
}

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(3, |byte| *byte == 0);
    let mut next = || parts.next().unwrap_or_default();
    let (lines, certificate, body) = (next(), next(), next());
    let mut headers = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n').take(16) {
        let mut halves = line.splitn(2, |byte| *byte == b':');
        let name = HeaderName::from_bytes(halves.next().unwrap_or_default());
        let value = HeaderValue::from_bytes(halves.next().unwrap_or_default());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let parrot = Parrot(Mutex::new(Bytes::copy_from_slice(certificate)));
    let credentials = PayPalCredentials::sandbox("client-id", "client-secret", "1JE4291016473214C");
    let config = PayPalConfig::new(credentials.unwrap())
        .with_transport(Arc::new(parrot))
        .with_timer(Arc::new(ManualTimer::new()))
        .with_seed(1);
    let shop = Namespace::new("shop").unwrap();
    let provider = PayPal::new(config).unwrap().into_provider(shop);
    let request = WebhookRequest::new(headers, body.to_vec());
    let delivery = pollster::block_on(provider.webhook(&request));
    assert!(delivery.is_err(), "a forged webhook was believed");
});
