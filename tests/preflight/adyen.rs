//! The preflight over Adyen's provider and simulator.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use counterfoil::Test;
use counterfoil::cashier::MemoryStore;
use counterfoil::clock::{Clock, ManualClock, Timestamp};
use counterfoil::http::ManualTimer;
use counterfoil::id::Namespace;
use counterfoil::money::Currency;
use counterfoil::preflight::{CheckKind, Preflight, Report, Verdict};
use counterfoil::providers::adyen::{Adyen, AdyenConfig};
use counterfoil::simulator::adyen::{AdyenSimulator, MERCHANT_ACCOUNT};
use counterfoil::simulator::{Answer, SimulatedProvider, SimulatorTransport};
use serde_json::json;

use super::shop::NOW;

const KEY: &str = "AQEyhmfxKI7MYhBEw0m-hidden";
const HMAC_KEY: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";
const KEY_BEFORE: &str = "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF";
const URL: &str = "https://shop.example/webhooks/adyen";

/// A shop that is right in test mode, until something is planted.
struct Shop {
    simulator: AdyenSimulator,
    merchant_account: &'static str,
    registered: Registered,
    now: Timestamp,
}

/// The standard webhook, as somebody has made it in the Customer Area.
#[derive(Clone, Copy)]
struct Registered {
    url: &'static str,
    is_active: bool,
    has_key: bool,
    encryption: &'static str,
}

impl Shop {
    fn new() -> Self {
        Self {
            simulator: AdyenSimulator::new(7, NOW),
            merchant_account: MERCHANT_ACCOUNT,
            registered: Registered {
                url: URL,
                is_active: true,
                has_key: true,
                encryption: "TLSv1.3",
            },
            now: NOW,
        }
    }

    /// Makes the webhook as an administrator does, past the provider.
    fn register(&mut self) {
        let Registered {
            url,
            is_active,
            has_key,
            encryption,
        } = self.registered;
        let body = json!({
            "type": "standard", "url": url, "active": is_active,
            "communicationFormat": "json", "encryptionProtocol": encryption,
        });
        let path = format!("/v3/merchants/{MERCHANT_ACCOUNT}/webhooks");
        let request = http::Request::post(path)
            .header("x-api-key", "AQE-of-the-administrator")
            .header("content-type", "application/json")
            .body(Bytes::from(body.to_string()));
        let Answer::Response(made) = self.simulator.handle(&request.unwrap()) else {
            panic!("no answer");
        };
        let made: serde_json::Value = serde_json::from_slice(made.body()).unwrap();
        let id = made["id"].as_str().unwrap_or_else(|| panic!("{made:#}"));
        if has_key {
            let key = HMAC_KEY;
            assert!(self.simulator.change_hmac_key(id, key, Duration::ZERO));
        }
    }

    async fn look(mut self) -> Report {
        self.register();
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(self.now));
        let transport = Arc::new(SimulatorTransport::new(Arc::new(Mutex::new(
            self.simulator,
        ))));
        let config = AdyenConfig::<Test>::new(KEY, self.merchant_account, HMAC_KEY)
            .unwrap()
            .with_hmac_key(KEY_BEFORE)
            .unwrap()
            .with_transport(transport)
            .with_timer(Arc::new(ManualTimer::new()))
            .with_clock(Arc::clone(&clock));
        let adyen = Adyen::new(config).unwrap();
        let currencies = ["EUR", "ISK", "IDR"].map(|code| Currency::from_code(code).unwrap());
        Preflight::new()
            .with_clock(clock)
            .with_endpoint(URL)
            .with_currencies(&currencies)
            .with_other_namespaces(&[])
            .with_store(Arc::new(MemoryStore::new()))
            .with_last_sweep(NOW)
            .check(&adyen.into_provider(Namespace::new("shop-de").unwrap()))
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
    for kind in [CheckKind::Mode, CheckKind::Currencies, CheckKind::Clock] {
        let verdict = report.check(kind).unwrap().verdict();
        assert_eq!(verdict, Verdict::Pass, "{kind:?}: {report}");
    }
    let text = report.to_string();
    for seen in [
        "what secret 1 signs is accepted",
        "what secret 2 signs is accepted",
        "a forged webhook is refused: wrong signature",
        "is registered and enabled",
        "what it sends is signed",
        "it sends json",
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

type Plant = fn(&mut Shop);

/// What is wrong, which check must see it, and in what words.
const MISTAKES: &[(&str, Plant, CheckKind, &str)] = &[
    (
        "a key of the live Customer Area",
        |s| s.simulator.refuse_key(KEY),
        CheckKind::Account,
        "the account: ",
    ),
    (
        "a credential without the Checkout role",
        |s| {
            let roles = [
                "Management API - Accounts read",
                "Management API - Webhooks read",
            ];
            s.simulator.limit_roles(KEY, &roles);
        },
        CheckKind::Account,
        "it cannot take payments yet",
    ),
    (
        "another merchant account",
        |s| s.merchant_account = "SomeoneElseECOM",
        CheckKind::WebhookEndpoint,
        "the list of webhook endpoints",
    ),
    (
        "the webhook goes elsewhere",
        |s| s.registered.url = "https://other.example/webhooks",
        CheckKind::WebhookEndpoint,
        "has this address",
    ),
    (
        "the webhook is not active",
        |s| s.registered.is_active = false,
        CheckKind::WebhookEndpoint,
        "is disabled",
    ),
    (
        "no HMAC key was made for the webhook",
        |s| s.registered.has_key = false,
        CheckKind::WebhookEndpoint,
        "what it sends is not signed",
    ),
    (
        "the webhook is sent without TLS",
        |s| s.registered.encryption = "HTTP",
        CheckKind::WebhookEndpoint,
        "it is set to send without TLS",
    ),
    (
        "a clock that is three minutes ahead",
        |s| s.now = NOW.saturating_add(Duration::from_secs(180)),
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
    println!("{} mistakes with Adyen found", MISTAKES.len());
}
