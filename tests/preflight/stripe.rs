//! The preflight of Stripe over its simulator: what is sent, and what is seen.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use counterfoil::Test;
use counterfoil::cashier::MemoryStore;
use counterfoil::clock::{Clock, ManualClock};
use counterfoil::http::{ManualTimer, Transport, TransportError};
use counterfoil::id::Namespace;
use counterfoil::money::Currency;
use counterfoil::preflight::{CheckKind, Preflight, Report, Verdict};
use counterfoil::providers::stripe::{Stripe, StripeConfig};
use counterfoil::simulator::SimulatorTransport;
use counterfoil::simulator::stripe::{Permission, StripeSimulator};

use super::shop::NOW;

const SECRET: &str = "whsec_hidden_1";
const URL: &str = "https://shop.example/webhooks/stripe";

/// The way to the simulator, with every request written down.
#[derive(Debug)]
struct Wire {
    simulator: Arc<Mutex<StripeSimulator>>,
    inner: SimulatorTransport<StripeSimulator>,
    sent: Mutex<Vec<String>>,
}

#[async_trait]
impl Transport for Wire {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let line = format!("{} {}", request.method(), request.uri().path());
        self.sent.lock().unwrap().push(line);
        self.inner.send(request).await
    }
}

fn wire() -> Arc<Wire> {
    let mut simulator = StripeSimulator::new(7, NOW);
    simulator.add_webhook_endpoint(URL, SECRET, &["*"]);
    let simulator = Arc::new(Mutex::new(simulator));
    Arc::new(Wire {
        inner: SimulatorTransport::new(Arc::clone(&simulator)),
        simulator,
        sent: Mutex::default(),
    })
}

async fn look(wire: &Arc<Wire>, key: &str, clock: Arc<dyn Clock>) -> Report {
    let config = StripeConfig::<Test>::new(key, SECRET)
        .unwrap()
        .with_webhook_secret("whsec_hidden_0")
        .unwrap()
        .with_transport(wire.clone())
        .with_timer(Arc::new(ManualTimer::new()))
        .with_clock(Arc::clone(&clock));
    let provider = Stripe::new(config)
        .unwrap()
        .into_provider(Namespace::new("shop-de").unwrap());
    Preflight::new()
        .with_clock(clock)
        .with_endpoint(URL)
        .with_currencies(&[Currency::USD, Currency::from_code("ISK").unwrap()])
        .with_other_namespaces(&[])
        .with_store(Arc::new(MemoryStore::new()))
        .with_last_sweep(NOW)
        .check(&provider)
        .await
}

#[tokio::test]
async fn only_reads_are_sent_and_no_secret_is_shown() {
    let wire = wire();
    let report = look(&wire, "rk_test_hidden", Arc::new(ManualClock::new(NOW))).await;
    let sent = wire.sent.lock().unwrap().clone();
    assert!(sent.iter().all(|line| line.starts_with("GET ")), "{sent:?}");
    for path in [
        "account",
        "balance",
        "payment_intents",
        "disputes",
        "payouts",
        "webhook_endpoints",
    ] {
        assert!(
            sent.contains(&format!("GET /v1/{path}")),
            "{path}: {sent:?}"
        );
    }
    let json = serde_json::to_string(&report).unwrap();
    let texts = format!("{report} {report:?} {json} {}", report.html());
    assert!(!texts.contains("hidden"), "{texts}");

    let passed = |kind| report.check(kind).unwrap().verdict() == Verdict::Pass;
    for kind in [
        CheckKind::Settings,
        CheckKind::Mode,
        CheckKind::WebhookEndpoint,
        CheckKind::Clock,
        CheckKind::Keys,
        CheckKind::Currencies,
        CheckKind::Store,
        CheckKind::Sweep,
    ] {
        assert!(passed(kind), "{kind:?}: {report}");
    }
    let text = report.to_string();
    assert!(
        text.contains("ISK: 2 decimals (ISO 4217 has 0), in steps of 1 ISK"),
        "{text}"
    );
    assert!(text.contains("what secret 2 signs is accepted"), "{text}");
    assert!(
        text.contains("a forged webhook is refused: wrong signature"),
        "{text}"
    );
    assert!(text.contains("an old webhook is refused: stale"), "{text}");
    assert!(
        text.contains("a future webhook is refused: future"),
        "{text}"
    );
}

#[tokio::test]
async fn what_is_wrong_at_stripe_is_found() {
    let now: Arc<dyn Clock> = Arc::new(ManualClock::new(NOW));
    let wire = wire();
    {
        let mut simulator = wire.simulator.lock().unwrap();
        let reads = [
            "account",
            "balance",
            "payment_intents",
            "payouts",
            "webhook_endpoints",
        ];
        let reads = reads.map(Permission::Read);
        simulator.restrict_key("rk_test_hidden", &reads);
    }
    let report = look(&wire, "rk_test_hidden", Arc::clone(&now)).await;
    let account = report.check(CheckKind::Account).unwrap();
    assert_eq!(account.verdict(), Verdict::Fail, "{report}");
    assert!(
        report.to_string().contains("may not list disputes"),
        "{report}"
    );

    let behind = NOW.saturating_sub(Duration::from_secs(600));
    let late: Arc<dyn Clock> = Arc::new(ManualClock::new(behind));
    let report = look(&wire, "sk_test_hidden", late).await;
    assert_eq!(
        report.check(CheckKind::Clock).unwrap().verdict(),
        Verdict::Fail,
        "{report}"
    );

    let empty = Arc::new(Mutex::new(StripeSimulator::new(7, NOW)));
    let wire = Arc::new(Wire {
        inner: SimulatorTransport::new(Arc::clone(&empty)),
        simulator: empty,
        sent: Mutex::default(),
    });
    let report = look(&wire, "sk_test_hidden", now).await;
    let endpoint = report.check(CheckKind::WebhookEndpoint).unwrap();
    assert_eq!(endpoint.verdict(), Verdict::Fail, "{report}");
}
