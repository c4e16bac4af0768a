//! Requests to a simulated account: the first byte picks whose, and each line is one request, a
//! method, a path and a body. Whatever comes, it is answered, and no ledger gives back more than it
//! took.

#![no_main]

use bytes::Bytes;
use counterfoil::clock::Timestamp;
use counterfoil::money::Money;
use counterfoil::simulator::adyen::AdyenSimulator;
use counterfoil::simulator::paypal::PaypalSimulator;
use counterfoil::simulator::stripe::StripeSimulator;
use counterfoil::simulator::{Answer, SimulatedProvider};
use libfuzzer_sys::fuzz_target;

const START: Timestamp = Timestamp::from_unix(1_795_000_000);

fuzz_target!(|data: &[u8]| {
    let Some((first, requests)) = data.split_first() else {
        return;
    };
    match first % 3 {
        0 => {
            let mut stripe = StripeSimulator::new(1, START);
            send(&mut stripe, ("authorization", "Bearer sk_test_1"), requests);
            stripe
                .ledger()
                .iter()
                .for_each(|entry| check(entry.captured, entry.refunded));
        }
        1 => {
            let mut paypal = PaypalSimulator::new(1, START);
            let token = token(&mut paypal);
            send(&mut paypal, ("authorization", &token), requests);
            paypal
                .ledger()
                .iter()
                .for_each(|entry| check(entry.captured, entry.refunded));
        }
        _ => {
            let mut adyen = AdyenSimulator::new(1, START);
            send(&mut adyen, ("x-api-key", "AQEtest"), requests);
            adyen
                .ledger()
                .iter()
                .for_each(|entry| check(entry.captured, entry.refunded));
        }
    }
});

fn send(account: &mut impl SimulatedProvider, key: (&str, &str), requests: &[u8]) {
    for line in requests.split(|byte| *byte == b'\n').take(16) {
        let mut parts = line.splitn(3, |byte| *byte == b' ');
        let method = parts.next().unwrap_or_default();
        let path = String::from_utf8_lossy(parts.next().unwrap_or_default());
        let body = Bytes::copy_from_slice(parts.next().unwrap_or_default());
        let request = http::Request::builder()
            .method(method)
            .uri(&*path)
            .header("content-type", "application/json")
            .header(key.0, key.1)
            .body(body);
        if let Ok(request) = request {
            let _ = account.handle(&request);
        }
    }
}

fn token(paypal: &mut PaypalSimulator) -> String {
    let request = http::Request::post("/v1/oauth2/token")
        .header("authorization", "Basic Y2xpZW50LWlkOmNsaWVudC1zZWNyZXQ=")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from_static(b"grant_type=client_credentials"))
        .unwrap();
    paypal.add_client("client-id", "client-secret");
    let Answer::Response(answer) = paypal.handle(&request) else {
        panic!("no fault was planned");
    };
    let answer: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
    format!("Bearer {}", answer["access_token"].as_str().unwrap())
}

fn check(captured: Money, refunded: Money) {
    assert!(
        refunded.minor() <= captured.minor(),
        "{refunded} of {captured}"
    );
}
