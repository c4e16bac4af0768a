//! The preflight over Adyen's provider and simulator.

use std::sync::{Arc, Mutex};

use counterfoil::Test;
use counterfoil::cashier::MemoryStore;
use counterfoil::clock::Clock;
use counterfoil::http::ManualTimer;
use counterfoil::id::Namespace;
use counterfoil::money::Currency;
use counterfoil::preflight::{CheckKind, Preflight, Report, Verdict};
use counterfoil::providers::adyen::{Adyen, AdyenConfig};
use counterfoil::simulator::SimulatorTransport;
use counterfoil::simulator::adyen::{AdyenSimulator, MERCHANT_ACCOUNT};

use super::shop::NOW;

const KEY: &str = "AQEyhmfxKI7MYhBEw0m-hidden";
const HMAC_KEY: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";
const KEY_BEFORE: &str = "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF";
const URL: &str = "https://shop.example/webhooks/adyen";

/// Looks at a shop whose webhook goes to `registered`.
async fn look(registered: &str) -> Report {
    let mut simulator = AdyenSimulator::new(7, NOW);
    simulator.add_webhook(MERCHANT_ACCOUNT, registered, HMAC_KEY);
    let transport = Arc::new(SimulatorTransport::new(Arc::new(Mutex::new(simulator))));
    let config = AdyenConfig::<Test>::new(KEY, MERCHANT_ACCOUNT, HMAC_KEY)
        .unwrap()
        .with_hmac_key(KEY_BEFORE)
        .unwrap()
        .with_transport(transport.clone())
        .with_timer(Arc::new(ManualTimer::new()))
        .with_clock(transport.clone() as Arc<dyn Clock>);
    let adyen = Adyen::new(config).unwrap();
    let currencies = ["EUR", "ISK", "IDR"].map(|code| Currency::from_code(code).unwrap());
    Preflight::new()
        .with_clock(transport)
        .with_endpoint(URL)
        .with_currencies(&currencies)
        .with_other_namespaces(&[])
        .with_store(Arc::new(MemoryStore::new()))
        .with_last_sweep(NOW)
        .check(&adyen.into_provider(Namespace::new("shop-de").unwrap()))
        .await
}

#[tokio::test]
async fn a_right_set_up_passes_but_for_what_only_a_person_can_see() {
    let report = look(URL).await;
    for check in CheckKind::ALL {
        let verdict = report.check(check).unwrap().verdict();
        assert_ne!(verdict, Verdict::Fail, "{check:?}: {report}");
    }
    for kind in [CheckKind::Mode, CheckKind::Currencies] {
        let verdict = report.check(kind).unwrap().verdict();
        assert_eq!(verdict, Verdict::Pass, "{kind:?}: {report}");
    }
    let text = report.to_string();
    for seen in [
        "what secret 1 signs is accepted",
        "what secret 2 signs is accepted",
        "a forged webhook is refused: wrong signature",
        "is registered and enabled",
        "which types must be sent is not known",
        "keys have 43 of at most 64 characters",
        "ISK: 2 decimals (ISO 4217 has 0), in steps of 1 ISK",
        "IDR: 0 decimals (ISO 4217 has 2), in steps of 1.00 IDR",
    ] {
        assert!(text.contains(seen), "{seen}: {text}");
    }
    let json = serde_json::to_string(&report).unwrap();
    let texts = format!("{text} {report:?} {json} {}", report.html());
    for secret in ["hidden", HMAC_KEY, KEY_BEFORE] {
        assert!(!texts.contains(secret), "{texts}");
    }
}

#[tokio::test]
async fn a_webhook_that_goes_elsewhere_is_found() {
    let report = look("https://other.example/webhooks").await;
    let endpoint = report.check(CheckKind::WebhookEndpoint).unwrap();
    assert_eq!(endpoint.verdict(), Verdict::Fail, "{report}");
}
