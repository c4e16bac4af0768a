//! Whether the time of a refusal tells how much of a forged MAC was right: a MAC whose first byte is
//! wrong against one whose last byte is. Welch's t over interleaved samples, as in "Dude, is my code
//! constant time?" (Reparaz, Balasch, Verbauwhede 2016): past 4.5 either way, it does.
//!
//! `SAMPLES` sets how many are taken of each pair, 1,000,000 unless set. It fails if one of ours is
//! past 4.5, and if a comparison that stops at the first difference is not.

#![allow(clippy::float_arithmetic)] // statistics of measured times, and no money

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use counterfoil::clock::{ManualClock, Timestamp};
use counterfoil::id::Namespace;
use counterfoil::providers::stripe::{self, Stripe, StripeConfig};
use counterfoil::webhook::WebhookRequest;
use counterfoil::{Provider, Secret, Test};
use futures_util::FutureExt;
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use sha2::Sha256;

const LIMIT: f64 = 4.5;
const NOW: Timestamp = Timestamp::from_unix(1_795_000_000);
const BODY: &[u8] = br#"{"id":"evt_1","object":"event","type":"charge.captured"}"#;
const SECRET: &str = "whsec_of_the_endpoint";
/// Samples are taken of so many inputs, so that no place in memory stands for one kind.
const COPIES: usize = 256;

type Tag = [u8; 32];

fn main() -> ExitCode {
    let samples =
        std::env::var("SAMPLES").map_or(1_000_000, |text| text.parse().expect("a number"));
    let key = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any key will do");
    let key = key.chain_update(BODY);
    let right: Tag = key.clone().finalize().into_bytes().into();
    let [first, last] = [0, 31].map(|byte| with_wrong_byte(right, byte));
    let ours = |tag: &Tag| key.clone().verify_slice(tag).is_ok();
    let naive = |tag: &Tag| tag.iter().zip(black_box(&right)).all(|(a, b)| a == b);

    let provider = provider();
    let refused = |request: &WebhookRequest| {
        let outcome = provider.webhook(request).now_or_never();
        outcome.expect("no waiting").is_err()
    };

    let mut is_fine = true;
    let mut judge = |what: &str, t: f64, is_leaky: bool| {
        let verdict = match (t.abs() > LIMIT, is_leaky) {
            (true, true) => "found out, as it must be",
            (false, false) => "no difference",
            _ => "NOT AS IT MUST BE",
        };
        is_fine &= (t.abs() > LIMIT) == is_leaky;
        println!("t = {t:>8.2}  {what}: {verdict}");
    };
    let t = welch(samples, |kind| [first, last][kind], naive);
    judge(
        "a comparison that stops early, first byte and last",
        t,
        true,
    );
    let t = welch(samples, |kind| [right, first][kind], ours);
    judge("the MAC itself, right and first byte wrong", t, false);
    let t = welch(samples, |kind| forged([0, 31][kind]), refused);
    judge("Stripe's webhooks, first byte wrong and last", t, false);
    match is_fine {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn with_wrong_byte(mut tag: Tag, byte: usize) -> Tag {
    tag[byte] ^= 1;
    tag
}

/// A webhook of Stripe's with one byte of its MAC wrong.
fn forged(byte: usize) -> WebhookRequest {
    let header = stripe::sign(&Secret::new(SECRET), NOW, BODY);
    let (front, tag) = header.split_at(header.len() - 64);
    let tag: Tag = hex::decode(tag).expect("hex").try_into().expect("32 bytes");
    let tag = hex::encode(with_wrong_byte(tag, byte));
    let mut headers = HeaderMap::new();
    headers.insert(
        "stripe-signature",
        format!("{front}{tag}").parse().expect("ASCII"),
    );
    WebhookRequest::new(headers, BODY.to_vec())
}

fn provider() -> Provider<Test> {
    let config = StripeConfig::new("sk_test_1", SECRET).expect("a test key");
    let shop = Namespace::new("shop").expect("a namespace");
    let provider = Stripe::new(config).expect("a provider").into_provider(shop);
    provider.with_clock(Arc::new(ManualClock::new(NOW)))
}

/// Times `run` on two kinds of input, in an order drawn by lot, and compares the means. The slowest
/// tenth of all is left out: it was interrupted.
fn welch<T>(samples: usize, make: impl Fn(usize) -> T, run: impl Fn(&T) -> bool) -> f64 {
    let mut lot = fastrand::Rng::with_seed(7);
    let mut kinds: Vec<usize> = (0..COPIES).map(|copy| copy % 2).collect();
    lot.shuffle(&mut kinds);
    // Each is made anew, so that no two share what they point to.
    let inputs: Vec<(usize, T)> = kinds.into_iter().map(|kind| (kind, make(kind))).collect();
    let mut times = Vec::with_capacity(samples);
    for _ in 0..samples {
        let (kind, input) = &inputs[lot.usize(..COPIES)];
        let start = Instant::now();
        black_box(run(black_box(input)));
        let took = u32::try_from(start.elapsed().as_nanos()).unwrap_or(u32::MAX);
        times.push((took, *kind));
    }
    let mut sorted: Vec<u32> = times.iter().map(|(took, _)| *took).collect();
    let (_, longest, _) = sorted.select_nth_unstable(samples * 9 / 10);
    let [a, b] = [0, 1].map(|kind| {
        let kept = times
            .iter()
            .filter(|(took, of)| *of == kind && *took <= *longest);
        Moments::of(kept.map(|(took, _)| f64::from(*took)))
    });
    (a.mean - b.mean) / (a.variance / a.count + b.variance / b.count).sqrt()
}

struct Moments {
    count: f64,
    mean: f64,
    variance: f64,
}

impl Moments {
    /// By Welford's method.
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
        for value in values {
            count += 1.0;
            let step = value - mean;
            mean += step / count;
            squares += step * (value - mean);
        }
        Self {
            count,
            mean,
            variance: squares / (count - 1.0),
        }
    }
}
