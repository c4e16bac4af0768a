//! Requests to the simulated account: each line is one, a method, a path and a form body. Whatever
//! comes, it answers, and its ledger never gives back more than it took.

#![no_main]

use bytes::Bytes;
use counterfoil::clock::Timestamp;
use counterfoil::simulator::SimulatedProvider;
use counterfoil::simulator::stripe::StripeSimulator;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut stripe = StripeSimulator::new(1, Timestamp::from_unix(1_795_000_000));
    for line in data.split(|byte| *byte == b'\n').take(16) {
        let mut parts = line.splitn(3, |byte| *byte == b' ');
        let method = parts.next().unwrap_or_default();
        let path = String::from_utf8_lossy(parts.next().unwrap_or_default());
        let body = Bytes::copy_from_slice(parts.next().unwrap_or_default());
        let request = http::Request::builder()
            .method(method)
            .uri(&*path)
            .header("authorization", "Bearer sk_test_1")
            .body(body);
        if let Ok(request) = request {
            let _ = stripe.handle(&request);
        }
    }
    for entry in stripe.ledger() {
        assert!(entry.refunded.minor() <= entry.captured.minor(), "{entry:?}");
    }
});
