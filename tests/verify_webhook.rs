//! `examples/verify_webhook.rs` on webhooks that the simulator signed, not this crate's verifier.

#[allow(dead_code, reason = "it is a program of its own")]
#[path = "../examples/verify_webhook.rs"]
mod verify_webhook;

use std::error::Error;
use std::path::PathBuf;

use bytes::Bytes;
use counterfoil::clock::Timestamp;
use counterfoil::simulator::SimulatedProvider;
use counterfoil::simulator::stripe::StripeSimulator;
use verify_webhook::{Arguments, Verdict, judge};

const NOW: i64 = 1_795_000_000;
const SECRET: &str = "whsec_of_the_endpoint";

#[tokio::test]
async fn a_genuine_webhook_is_accepted_and_its_mode_is_told() -> Result<(), Box<dyn Error>> {
    let captured = Captured::new("genuine")?;
    let verdict = captured.judge(&["--secret", SECRET]).await?;
    assert!(verdict.is_accepted, "{}", verdict.text);
    assert!(
        verdict.text.contains("payment_intent.created"),
        "{}",
        verdict.text
    );
    assert!(verdict.text.contains("test mode"), "{}", verdict.text);
    let rotated = captured
        .judge(&["--secret", "whsec_new", "--secret", SECRET])
        .await?;
    assert!(rotated.text.contains("secret number 2"), "{}", rotated.text);
    Ok(())
}

#[tokio::test]
async fn the_other_mode_and_an_old_time_are_not_accepted() -> Result<(), Box<dyn Error>> {
    let captured = Captured::new("wrong")?;
    let live = captured
        .judge(&["--secret", SECRET, "--mode", "live"])
        .await?;
    assert!(
        !live.is_accepted && live.text.contains("it is of test mode"),
        "{}",
        live.text
    );
    let late = (NOW + 301).to_string();
    let stale = captured
        .judge(&["--secret", SECRET, "--now", &late])
        .await?;
    assert!(
        !stale.is_accepted && stale.text.contains("stale"),
        "{}",
        stale.text
    );
    let forged = captured.judge(&["--secret", "whsec_of_another"]).await?;
    assert!(
        !forged.is_accepted && forged.text.contains("answer 400"),
        "{}",
        forged.text
    );
    Ok(())
}

#[test]
fn wrong_usage_says_what_is_missing() {
    let parse = |words: &[&str]| Arguments::parse(words.iter().map(|word| (*word).to_owned()));
    for (words, expected) in [
        (&["--secret", "whsec_1"][..], "--provider is missing"),
        (&["--provider", "stripe"], "--secret is missing"),
        (&["--provider", "acme"], "acme is not a provider"),
        (&["--provider"], "--provider needs a value"),
        (&["--body", "/nowhere/at/all"], "/nowhere/at/all"),
        (&["--now", "soon"], "--now takes Unix seconds"),
    ] {
        let problem = parse(words).err().unwrap_or_default();
        assert!(problem.contains(expected), "{words:?}: {problem}");
    }
}

/// A webhook in two files, as a developer would keep it.
struct Captured {
    headers: PathBuf,
    body: PathBuf,
}

impl Captured {
    fn new(name: &str) -> Result<Self, Box<dyn Error>> {
        let mut stripe = StripeSimulator::new(7, Timestamp::from_unix(NOW));
        stripe.add_webhook_endpoint("https://shop.example/hook", SECRET, &["*"]);
        let request = http::Request::post("/v1/payment_intents")
            .header("authorization", "Bearer sk_test_1")
            .body(Bytes::from_static(b"amount=1999&currency=eur"))?;
        stripe.handle(&request);
        let webhook = stripe
            .due_webhooks()
            .into_iter()
            .next()
            .ok_or("no webhook was sent")?;
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let captured = Self {
            headers: folder.join(format!("{name}.headers")),
            body: folder.join(format!("{name}.body")),
        };
        let mut lines = String::new();
        for (header, value) in webhook.request.headers() {
            lines += &format!("{header}: {}\n", value.to_str()?);
        }
        std::fs::write(&captured.headers, lines)?;
        std::fs::write(&captured.body, webhook.request.body())?;
        Ok(captured)
    }

    async fn judge(&self, more: &[&str]) -> Result<Verdict, Box<dyn Error>> {
        let (headers, body) = (self.headers.display(), self.body.display());
        let mut words = vec!["--provider".to_owned(), "stripe".to_owned()];
        words.extend(["--headers".to_owned(), headers.to_string()]);
        words.extend(["--body".to_owned(), body.to_string()]);
        words.extend(["--now".to_owned(), NOW.to_string()]);
        words.extend(more.iter().map(|word| (*word).to_owned()));
        Ok(judge(&Arguments::parse(words.into_iter())?).await?)
    }
}
