//! Settings that no provider can be made of: each fault is told, and nothing else was looked at.

use std::sync::Arc;

use counterfoil::cashier::MemoryStore;
use counterfoil::preflight::{CheckKind, Readiness, Verdict};
use counterfoil::registry::{Configuration, Configured, Registry};
use counterfoil::{ModeKind, Test};

use super::shop::{Acme, preflight};

/// What is right, and what is put in its place with the words that must tell of it. A value of
/// `hidden` must not be told.
struct Provider {
    name: &'static str,
    right: &'static [(&'static str, &'static str)],
    wrong: &'static [(&'static str, &'static str, &'static str)],
}

const HMAC_KEY: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";

const PROVIDERS: [Provider; 3] = [
    Provider {
        name: "stripe",
        right: &[
            ("NAMESPACE", "shop-de"),
            ("SECRET_KEY", "rk_live_1"),
            ("WEBHOOK_SECRET", "whsec_1"),
        ],
        wrong: &[
            ("SECRET_KEY", "", "is empty"),
            ("SECRET_KEY", "sk_live_xxxxxxxxxxxx", "placeholder"),
            ("SECRET_KEY", "${STRIPE_KEY}", "placeholder"),
            ("SECRET_KEY", "sk_live_hidden ", "white space"),
            ("SECRET_KEY", "sk_live_hidden\n", "white space"),
            ("SECRET_KEY", "\u{feff}sk_live_hidden", "invisible"),
            ("SECRET_KEY", "'sk_live_hidden'", "quotes"),
            ("SECRET_KEY", "\u{201c}sk_live_hidden\u{201d}", "quotes"),
            ("SECRET_KEY", "pk_live_hidden", "publishable"),
            ("SECRET_KEY", "whsec_hidden", "swapped"),
            ("SECRET_KEY", "sk_test_hidden", "test mode"),
            ("SECRET_KEY", "sk_live_", "cut short"),
            ("WEBHOOK_SECRET", "sk_live_hidden", "is an API key"),
            ("WEBHOOK_SECRET", "we_hidden", "whsec_"),
            ("NAMESPACE", "the shop", "namespace"),
            ("ACCOUNT", "hidden", "acct_"),
            ("WEBHOOK_SECRETS", "whsec_hidden", "is not a setting"),
            ("BASE_URL", "http://127.0.0.1:12111", "test mode only"),
            ("BASE_URL", "https://hidden.example", "test mode only"),
        ],
    },
    Provider {
        name: "paypal",
        right: &[
            ("NAMESPACE", "shop-de"),
            ("CLIENT_ID", "AeA1QIZXiflr1-hidden"),
            ("CLIENT_SECRET", "EC1-hidden"),
            ("WEBHOOK_ID", "1JE4291016473214C"),
        ],
        wrong: &[
            ("CLIENT_ID", "", "is empty"),
            ("CLIENT_ID", "your_client_id", "placeholder"),
            ("CLIENT_ID", "ws@hidden.example", "other characters"),
            ("CLIENT_SECRET", "EC1-hidden\u{a0}", "white space"),
            ("CLIENT_SECRET", "\"EC1-hidden\"", "quotes"),
            ("CLIENT_SECRET", "AeA1QIZXiflr1-hidden", "are the same"),
            ("WEBHOOK_ID", "https://shop.example/hidden", "is an address"),
            ("WEBHOOK_ID", "WEBHOOK_ID", "simulator"),
            ("SECRET", "EC1-hidden", "is not a setting"),
            ("BASE_URL", "http://127.0.0.1:12112", "test mode only"),
        ],
    },
    Provider {
        name: "adyen",
        right: &[
            ("NAMESPACE", "shop-de"),
            ("API_KEY", "AQEhidden"),
            ("MERCHANT_ACCOUNT", "ShopECOM"),
            ("HMAC_KEY", HMAC_KEY),
            ("LIVE_PREFIX", "1797a841fbb37ca7-Shop"),
        ],
        wrong: &[
            ("API_KEY", "<api key>", "placeholder"),
            ("API_KEY", "AQE\u{200b}hidden", "invisible"),
            ("API_KEY", "AQE\u{0445}hidden", "not ASCII"),
            ("API_KEY", "live_hidden", "client key"),
            ("API_KEY", "ws_hidden", "the name of an API credential"),
            ("API_KEY", HMAC_KEY, "swapped"),
            ("MERCHANT_ACCOUNT", "Shop ECOM", "no merchant account"),
            ("HMAC_KEY", "AQEhidden", "no hexadecimal digits"),
            ("HMAC_KEY", "44782DEF547", "cut short"),
            ("HMAC_KEY", "44782DEF547A", "has 64"),
            (
                "LIVE_PREFIX",
                "1797a841fbb37ca7-Shop-checkout-live.hidden",
                "prefix",
            ),
            ("CLIENT_KEY", "live_hidden", "is not a setting"),
            ("BASE_URL", "http://127.0.0.1:12113", "test mode only"),
        ],
    },
];

#[tokio::test]
async fn settings_that_are_wrong_are_told_one_by_one() {
    let registry = Registry::built_in();
    let mut planted = 0;
    for provider in PROVIDERS {
        let Provider { name, right, wrong } = provider;
        for (setting, value, reason) in wrong {
            let variable =
                |setting: &str| format!("COUNTERFOIL_{}_LIVE_{setting}", name.to_ascii_uppercase());
            let others = right.iter().copied().filter(|(other, _)| other != setting);
            let variables = others.chain([(*setting, *value)]);
            let variables = variables.map(|(setting, value)| (variable(setting), value));
            let configuration = Configuration::from_vars(&registry, variables).unwrap();
            let made = configuration.configure_one(&registry, name, ModeKind::Live);
            let preflight = preflight();
            let report = preflight
                .check_configured(name, ModeKind::Live, &made)
                .await;
            let settings = report.check(CheckKind::Settings).unwrap();
            assert_eq!(settings.verdict(), Verdict::Fail, "{setting}={value:?}");
            let texts = format!("{report} {}", report.html());
            assert!(texts.contains(reason), "{setting}: {reason}: {texts}");
            assert!(
                !texts.contains("hidden") && !texts.contains(HMAC_KEY),
                "{texts}"
            );
            assert_eq!(report.readiness(), Readiness::Blocked);
            planted += 1;
        }
    }
    println!("{planted} settings that are wrong found");
}

/// All twelve checks may be right of it, and no money would be taken.
#[tokio::test]
async fn what_was_made_for_the_other_mode_is_wrong() {
    let made = Ok(Configured::Test(Acme::<Test>::new().provider()));
    let preflight = preflight().with_store(Arc::new(MemoryStore::new()));
    let preflight = preflight.vouching(CheckKind::Mode, "never mind");
    let report = preflight.check_configured("acme", ModeKind::Live, &made);
    let report = report.await;
    assert_eq!(report.readiness(), Readiness::Blocked, "{report}");
    let mode = report.check(CheckKind::Mode).unwrap();
    assert_eq!(mode.verdict(), Verdict::Fail, "{report}");
    let seen = "the settings: test mode, and live mode is meant";
    assert!(report.to_string().contains(seen), "{report}");

    let meant = preflight.check_configured("acme", ModeKind::Test, &made);
    let meant = meant.await;
    assert_eq!(
        meant.check(CheckKind::Mode).unwrap().verdict(),
        Verdict::Pass
    );
}
