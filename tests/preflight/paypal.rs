//! The preflight over PayPal's provider and simulator.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use counterfoil::Test;
use counterfoil::cashier::MemoryStore;
use counterfoil::clock::{Clock, ManualClock, Timestamp};
use counterfoil::http::ManualTimer;
use counterfoil::id::Namespace;
use counterfoil::money::Currency;
use counterfoil::preflight::{CheckKind, Preflight, Report, Verdict};
use counterfoil::providers::paypal::{PayPal, PayPalConfig, PayPalCredentials};
use counterfoil::simulator::SimulatorTransport;
use counterfoil::simulator::paypal::{Feature, PaypalSimulator};

use super::shop::NOW;

const ID: &str = PaypalSimulator::CLIENT_ID;
const SECRET: &str = PaypalSimulator::CLIENT_SECRET;
const URL: &str = "https://shop.example/webhooks/paypal";
const WEBHOOK_ID: &str = "1JE4291016473214C";

/// A shop that is right in test mode, until something is planted.
struct Shop {
    simulator: PaypalSimulator,
    secret: &'static str,
    webhook_id: &'static str,
    registered: (&'static str, &'static [&'static str]),
    currencies: Vec<Currency>,
    now: Timestamp,
}

impl Shop {
    fn new() -> Self {
        Self {
            simulator: PaypalSimulator::new(7, NOW),
            secret: SECRET,
            webhook_id: WEBHOOK_ID,
            registered: (URL, &["*"]),
            currencies: vec![Currency::USD],
            now: NOW,
        }
    }

    async fn look(mut self) -> Report {
        let (url, events) = self.registered;
        self.simulator.add_webhook(url, WEBHOOK_ID, events);
        let simulator = Arc::new(Mutex::new(self.simulator));
        let transport = Arc::new(SimulatorTransport::new(simulator));
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(self.now));
        let credentials = PayPalCredentials::sandbox(ID, self.secret, self.webhook_id);
        let config = PayPalConfig::<Test>::new(credentials.unwrap())
            .with_transport(transport)
            .with_timer(Arc::new(ManualTimer::new()))
            .with_clock(Arc::clone(&clock));
        let paypal = PayPal::new(config).unwrap();
        Preflight::new()
            .with_clock(clock)
            .with_endpoint(URL)
            .with_currencies(&self.currencies)
            .with_other_namespaces(&[])
            .with_store(Arc::new(MemoryStore::new()))
            .with_last_sweep(self.now)
            .check(&paypal.into_provider(Namespace::new("shop-de").unwrap()))
            .await
    }
}

#[tokio::test]
async fn a_right_set_up_passes_but_for_what_only_a_person_can_see() {
    let report = Shop::new().look().await;
    for check in CheckKind::ALL {
        let verdict = report.check(check).unwrap().verdict();
        assert_ne!(verdict, Verdict::Fail, "{check:?}: {report}");
    }
    for kind in [
        CheckKind::Mode,
        CheckKind::WebhookEndpoint,
        CheckKind::Clock,
        CheckKind::Keys,
        CheckKind::Currencies,
        CheckKind::Sweep,
    ] {
        let verdict = report.check(kind).unwrap().verdict();
        assert_eq!(verdict, Verdict::Pass, "{kind:?}: {report}");
    }
    let text = report.to_string();
    for seen in [
        "is registered and enabled",
        "every type that tells of money is sent",
        "1JE4291016473214C is a webhook of this account",
        "a forged webhook is refused: missing signature",
        "keys have 43 of at most 108 characters",
        "the provider does not say whether it can take payments",
    ] {
        assert!(text.contains(seen), "{seen}: {text}");
    }
    let json = serde_json::to_string(&report).unwrap();
    let texts = format!("{text} {report:?} {json} {}", report.html());
    for secret in [ID, SECRET] {
        assert!(!texts.contains(secret), "{texts}");
    }
}

type Plant = fn(&mut Shop);

/// What is wrong, which check must see it, and in what words.
const MISTAKES: &[(&str, Plant, CheckKind, &str)] = &[
    (
        "another app's secret",
        |s| s.secret = "EGnHDxD_qRPdaLdZz8iCr8N7",
        CheckKind::Account,
        "the account: ",
    ),
    (
        "the Transaction Search is not enabled for the app",
        |s| {
            s.simulator.set_feature(Feature::TransactionSearch, false);
        },
        CheckKind::Account,
        "the app may not do this",
    ),
    (
        "disputes are not enabled for the app",
        |s| s.simulator.set_feature(Feature::Disputes, false),
        CheckKind::Account,
        "may not list disputes",
    ),
    (
        "the id of another webhook",
        |s| s.webhook_id = "0AB4291016473214C",
        CheckKind::WebhookEndpoint,
        "the settings name another webhook",
    ),
    (
        "the id of another mode's webhook",
        |s| s.webhook_id = "0AB4291016473214C",
        CheckKind::WebhookSignature,
        "0AB4291016473214C is no webhook of this account",
    ),
    (
        "the webhook goes elsewhere",
        |s| s.registered.0 = "https://other.example/webhooks",
        CheckKind::WebhookEndpoint,
        "has this address",
    ),
    (
        "a slash too many in its address",
        |s| s.registered.0 = "https://shop.example/webhooks/paypal/",
        CheckKind::WebhookEndpoint,
        "make the two the same",
    ),
    (
        "captures alone are told of",
        |s| s.registered.1 = &["PAYMENT.CAPTURE.COMPLETED"],
        CheckKind::WebhookEndpoint,
        "not sent: CHECKOUT.ORDER.APPROVED, CUSTOMER.DISPUTE.CREATED",
    ),
    (
        "a currency that PayPal does not take",
        |s| s.currencies = vec![Currency::KWD],
        CheckKind::Currencies,
        "KWD: the provider does not take it",
    ),
    (
        "a clock that is three minutes behind",
        |s| s.now = NOW.saturating_sub(Duration::from_secs(180)),
        CheckKind::Clock,
        "180 s apart",
    ),
];

#[tokio::test]
async fn every_mistake_is_found_by_the_check_for_it() {
    for (what, plant, kind, words) in MISTAKES {
        let mut shop = Shop::new();
        plant(&mut shop);
        let report = shop.look().await;
        let check = report.check(*kind).unwrap();
        assert_eq!(check.verdict(), Verdict::Fail, "{what}: {report}");
        assert!(report.to_string().contains(words), "{what}: {report}");
    }
    println!("{} mistakes with PayPal found", MISTAKES.len());
}
