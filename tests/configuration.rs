//! Settings from the environment and from files: both modes, all faults at once, no value shown.

#![allow(clippy::unwrap_used)]

use counterfoil::ModeKind;
use counterfoil::registry::{Configuration, Registry};

const GOOD: [(&str, &str); 6] = [
    ("COUNTERFOIL_STRIPE_TEST_NAMESPACE", "shop"),
    ("COUNTERFOIL_STRIPE_TEST_SECRET_KEY", "rk_test_hidden1"),
    ("COUNTERFOIL_STRIPE_TEST_WEBHOOK_SECRET", "whsec_hidden1"),
    ("COUNTERFOIL_STRIPE_LIVE_NAMESPACE", "shop"),
    ("COUNTERFOIL_STRIPE_LIVE_SECRET_KEY", "rk_live_hidden2"),
    ("COUNTERFOIL_STRIPE_LIVE_WEBHOOK_SECRET", "whsec_hidden2"),
];

/// The good variables, with some given anew or, by an empty name of the value, taken away.
fn variables(
    changes: &[(&'static str, Option<&'static str>)],
) -> Vec<(&'static str, &'static str)> {
    let is_changed = |name| changes.iter().any(|(changed, _)| *changed == name);
    let kept = GOOD.into_iter().filter(|(name, _)| !is_changed(*name));
    let added = changes
        .iter()
        .filter_map(|(name, value)| Some((*name, (*value)?)));
    kept.chain(added).collect()
}

fn fault(mode: ModeKind, changes: &[(&'static str, Option<&'static str>)]) -> String {
    let registry = Registry::built_in();
    let read = Configuration::from_vars(&registry, variables(changes));
    let made = read.and_then(|configuration| configuration.configure(&registry, mode));
    let error = made.unwrap_err();
    let texts = format!("{error} {error:?}");
    assert!(!texts.contains("hidden"), "a value is shown: {texts}");
    error.message().to_owned()
}

#[test]
fn both_modes_are_loaded_and_one_is_made() {
    let registry = Registry::built_in();
    let configuration = Configuration::from_vars(&registry, GOOD).unwrap();
    assert_eq!(configuration.mode(), None);
    for mode in [ModeKind::Test, ModeKind::Live] {
        assert_eq!(
            configuration.providers(mode).collect::<Vec<_>>(),
            ["stripe"]
        );
        let made = configuration.configure(&registry, mode).unwrap();
        assert_eq!(made.len(), 1);
        assert_eq!(made.first().unwrap().mode(), mode);
    }
    assert!(!format!("{configuration:?}").contains("hidden"));
}

#[test]
fn every_fault_is_told_at_once_by_the_name_of_its_variable() {
    let text = fault(
        ModeKind::Test,
        &[
            ("COUNTERFOIL_STRIPE_TEST_NAMESPACE", None),
            ("COUNTERFOIL_STRIPE_TEST_SECRET_KEY", Some("pk_test_hidden")),
            (
                "COUNTERFOIL_STRIPE_TEST_WEBHOOK_SECRET",
                Some("\"whsec_hidden\""),
            ),
            (
                "COUNTERFOIL_STRIPE_TEST_WEBHOK_SECRET",
                Some("whsec_hidden"),
            ),
        ],
    );
    for part in [
        "COUNTERFOIL_STRIPE_TEST_NAMESPACE is missing: set it to a name for this installation",
        "COUNTERFOIL_STRIPE_TEST_SECRET_KEY is a publishable key",
        "COUNTERFOIL_STRIPE_TEST_WEBHOOK_SECRET has quotes around it",
        "COUNTERFOIL_STRIPE_TEST_WEBHOK_SECRET is not a setting of it; it has namespace",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn the_modes_are_never_mixed() {
    let text = fault(
        ModeKind::Live,
        &[("COUNTERFOIL_STRIPE_LIVE_SECRET_KEY", Some("sk_test_hidden"))],
    );
    assert!(text.contains("LIVE_SECRET_KEY is of test mode"), "{text}");

    // A webhook secret tells no mode; that it stands in both does.
    let text = fault(
        ModeKind::Live,
        &[(
            "COUNTERFOIL_STRIPE_LIVE_WEBHOOK_SECRET",
            Some("whsec_hidden1"),
        )],
    );
    assert!(
        text.contains("COUNTERFOIL_STRIPE_TEST_WEBHOOK_SECRET and COUNTERFOIL_STRIPE_LIVE_WEBHOOK_SECRET are the same"),
        "{text}"
    );

    // Also where it is the one before in one of them: events of the other mode would be believed.
    let text = fault(
        ModeKind::Live,
        &[(
            "COUNTERFOIL_STRIPE_LIVE_WEBHOOK_SECRET_PREVIOUS",
            Some("whsec_hidden1"),
        )],
    );
    assert!(
        text.contains("COUNTERFOIL_STRIPE_TEST_WEBHOOK_SECRET and COUNTERFOIL_STRIPE_LIVE_WEBHOOK_SECRET_PREVIOUS are the same"),
        "{text}"
    );

    let all_live: Vec<_> = GOOD.iter().map(|(name, _)| (*name, None)).collect();
    let text = fault(ModeKind::Live, &all_live);
    assert!(
        text.contains("no provider has settings for live mode"),
        "{text}"
    );
}

/// Another address is for a simulator on this machine, and for test mode.
#[test]
fn a_base_url_is_loopback_and_of_test_mode() {
    let variable = |mode| match mode {
        ModeKind::Test => "COUNTERFOIL_STRIPE_TEST_BASE_URL",
        ModeKind::Live => "COUNTERFOIL_STRIPE_LIVE_BASE_URL",
    };
    let with = |mode, url| fault(mode, &[(variable(mode), Some(url))]);
    for url in ["https://api.example.com", "http://10.0.0.1:1", "127.0.0.1"] {
        let text = with(ModeKind::Test, url);
        assert!(text.contains("is not on this machine"), "{url}: {text}");
    }
    let text = with(ModeKind::Live, "http://127.0.0.1:1");
    assert!(text.contains("is for test mode only"), "{text}");
    let loopback = variables(&[(variable(ModeKind::Test), Some("http://127.0.0.1:1"))]);
    let registry = Registry::built_in();
    let configuration = Configuration::from_vars(&registry, loopback).unwrap();
    let made = configuration.configure_one(&registry, "stripe", ModeKind::Test);
    let url = made.unwrap().into_test().unwrap().setup().api_url;
    assert_eq!(&*url, "http://127.0.0.1:1");
}

/// A root that a simulator's webhooks are signed under is for test mode, and is a certificate.
#[test]
fn a_webhook_root_file_is_of_test_mode_and_holds_a_certificate() {
    let folder = format!("counterfoil-configuration-{}", std::process::id());
    let folder = std::env::temp_dir().join(folder);
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, text: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let pem = include_bytes!("fixtures/tls/root.pem");
    let good = file("good.pem", pem);
    let configure = |mode: ModeKind, path: &str| {
        let part = mode.as_str().to_uppercase();
        let variable = |name: &str| format!("COUNTERFOIL_PAYPAL_{part}_{name}");
        let variables = [
            (variable("NAMESPACE"), "shop"),
            (variable("CLIENT_ID"), "hidden-id"),
            (variable("CLIENT_SECRET"), "hidden-secret"),
            (variable("WEBHOOK_ID"), "1JE4291016473214C"),
            (variable("WEBHOOK_ROOT_FILE"), path),
        ];
        let registry = Registry::built_in();
        let read = Configuration::from_vars(&registry, variables)?;
        read.configure_one(&registry, "paypal", mode)
    };
    assert!(configure(ModeKind::Test, &good).is_ok());
    let long = [&pem[..], &b"\n".repeat(64 << 10)].concat();
    for (mode, path, reason) in [
        (ModeKind::Live, good.clone(), "is for test mode only"),
        (ModeKind::Test, format!("{good}-hidden"), "cannot be read"),
        (
            ModeKind::Test,
            file("empty.pem", b""),
            "no root certificate",
        ),
        (
            ModeKind::Test,
            file("hidden.pem", b"hidden"),
            "no root certificate",
        ),
        (
            ModeKind::Test,
            file("long.pem", &long),
            "no root certificate",
        ),
    ] {
        let error = configure(mode, &path).unwrap_err();
        let texts = format!("{error} {error:?}");
        assert!(texts.contains(reason), "{path}: {texts}");
        assert!(texts.contains("WEBHOOK_ROOT_FILE"), "{texts}");
        assert!(!texts.contains("hidden"), "a value is shown: {texts}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// What is for test mode only, such as a simulator's address, never reaches a live provider by way
/// of settings that were loaded for test mode.
#[test]
fn settings_of_the_other_mode_are_refused_by_each_configuration() {
    use counterfoil::error::ErrorKind;
    use counterfoil::providers::{adyen, paypal, stripe};
    use counterfoil::registry::Settings;
    use counterfoil::{Live, Test};
    let settings = |mode| Settings::new(mode, [("base_url", "http://127.0.0.1:1")]);
    let live = || settings(ModeKind::Live);
    let test = || settings(ModeKind::Test);
    for refused in [
        stripe::StripeConfig::<Live>::from_settings(test()).map(drop),
        stripe::StripeConfig::<Test>::from_settings(live()).map(drop),
        paypal::PayPalConfig::<Live>::from_settings(test()).map(drop),
        paypal::PayPalConfig::<Test>::from_settings(live()).map(drop),
        adyen::AdyenConfig::<Live>::from_settings(test()).map(drop),
        adyen::AdyenConfig::<Test>::from_settings(live()).map(drop),
    ] {
        assert_eq!(refused.unwrap_err().kind(), &ErrorKind::WrongMode);
    }
}

#[test]
fn a_variable_that_is_meant_as_a_setting_must_be_one() {
    for name in [
        "COUNTERFOIL_STRIPE_SECRET_KEY",
        "COUNTERFOIL_STRIPE_TETS_SECRET_KEY",
        "COUNTERFOIL_STRPE_TEST_SECRET_KEY",
        "COUNTERFOIL_STRIPE_TEST_secret_key",
        "COUNTERFOIL_STRIPE_TEST_",
    ] {
        let text = fault(ModeKind::Test, &[(name, Some("sk_test_hidden"))]);
        assert!(text.contains(name), "{name}: {text}");
    }
    let text = fault(ModeKind::Test, &[("COUNTERFOIL_MODE", Some("production"))]);
    assert!(
        text.contains("COUNTERFOIL_MODE must be `test` or `live`"),
        "{text}"
    );

    let text = fault(ModeKind::Test, &[("COUNTERFOIL_Mode", Some("live"))]);
    assert!(text.contains("write COUNTERFOIL_MODE"), "{text}");

    let others = [
        ("COUNTERFOIL_SHARED", "/somewhere"),
        ("PATH", "/bin"),
        ("COUNTERFOIL_MODE", "live"),
    ];
    let read = Configuration::from_vars(&Registry::built_in(), others).unwrap();
    assert_eq!(read.mode(), Some(ModeKind::Live));
}

/// As a file of variables can have them: which of the two is meant is not guessed.
#[test]
fn a_variable_that_is_set_twice_is_a_fault() {
    let key = "COUNTERFOIL_STRIPE_LIVE_SECRET_KEY";
    let again = [
        (key, "sk_live_hidden"),
        ("COUNTERFOIL_MODE", "test"),
        ("COUNTERFOIL_MODE", "live"),
    ];
    let twice = GOOD.into_iter().chain(again);
    let error = Configuration::from_vars(&Registry::built_in(), twice).unwrap_err();
    let text = error.to_string();
    for name in [key, "COUNTERFOIL_MODE"] {
        assert!(text.contains(&format!("{name} is set twice")), "{text}");
    }
    assert!(!text.contains("hidden"), "{text}");
}

#[test]
fn a_provider_without_settings_names_those_that_it_needs() {
    let registry = Registry::built_in();
    let none = Configuration::from_vars(&registry, [("PATH", "/bin")]).unwrap();
    let fault = |provider| {
        let made = none.configure_one(&registry, provider, ModeKind::Live);
        made.unwrap_err().to_string()
    };
    for part in ["NAMESPACE", "CLIENT_ID", "CLIENT_SECRET", "WEBHOOK_ID"] {
        let variable = format!("COUNTERFOIL_PAYPAL_LIVE_{part}");
        assert!(fault("paypal").contains(&variable), "{}", fault("paypal"));
    }
    let text = fault("papyal");
    assert!(text.contains("registered: adyen, paypal, stripe"), "{text}");
}

#[test]
fn two_accounts_of_one_provider_have_names_of_their_own() {
    let stripe = counterfoil::providers::stripe::KIND;
    let registry = Registry::built_in().with_kind("stripe-eu", stripe);
    let eu = [
        ("COUNTERFOIL_STRIPE_EU_TEST_NAMESPACE", "shop-eu"),
        ("COUNTERFOIL_STRIPE_EU_TEST_SECRET_KEY", "rk_test_hidden3"),
        ("COUNTERFOIL_STRIPE_EU_TEST_WEBHOOK_SECRET", "whsec_hidden3"),
    ];
    let variables = GOOD.into_iter().chain(eu);
    let configuration = Configuration::from_vars(&registry, variables).unwrap();
    let made = configuration.configure(&registry, ModeKind::Test).unwrap();
    let names: Vec<_> = made
        .into_iter()
        .map(|made| made.into_test().unwrap().name().to_string())
        .collect();
    assert_eq!(names, ["stripe", "stripe-eu"]);
}

#[test]
fn a_file_tells_every_fault_at_once_and_no_value() {
    let file = r#"{
        "mode": 1,
        "provider": {},
        "providers": {
            "stripe": {
                "test": { "namespace": 12345678, "secret_key": ["hidden"], "a": "1", "a": "2", "b": 5.5511 },
                "sandbox": { "secret_key": "hidden" },
                "live": "hidden"
            }
        }
    }"#;
    let error = Configuration::from_json(file).unwrap_err();
    let text = error.to_string();
    for part in [
        "mode must be",
        "provider is no key",
        "providers.stripe.test.namespace must be text, in quotes",
        "providers.stripe.test.secret_key must be text",
        "providers.stripe.test has a twice",
        "providers.stripe.test.b must be text",
        "providers.stripe.sandbox must be called test or live",
        "providers.stripe.live must be a table",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(
        !text.contains("hidden") && !text.contains("12345678") && !text.contains("5511"),
        "{text}"
    );

    let cut = Configuration::from_json(r#"{"providers": {"stripe": "sk_live_hidden"#).unwrap_err();
    assert!(
        cut.to_string().contains("line 1") && !cut.to_string().contains("hidden"),
        "{cut}"
    );
}

#[test]
fn a_file_names_its_faults_by_their_path() {
    let file = "[providers.stripe.live]\nsecret_key = 'rk_live_hidden'\n";
    let configuration: Configuration = toml::from_str(file).unwrap();
    let error = configuration
        .configure(&Registry::built_in(), ModeKind::Live)
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("providers.stripe.live.namespace is missing"),
        "{text}"
    );
    assert!(
        text.contains("providers.stripe.live.webhook_secret is missing"),
        "{text}"
    );

    for value in [
        "99887766",
        "998877665544332211009988776655443322",
        "99.8877",
    ] {
        let file = format!("[providers.stripe.live]\nsecret_key = {value}\n");
        let bad: Result<Configuration, _> = toml::from_str(&file);
        let message = bad.unwrap_err().message().to_owned();
        assert!(
            message.contains("must be text") && !message.contains("99"),
            "{message}"
        );
    }
}

#[test]
fn the_table_of_variables_is_what_the_providers_read() {
    let documented = include_str!("../src/registry/settings.md");
    let table = documented
        .split("settings -->\n")
        .nth(1)
        .unwrap_or_default();
    let table = table.trim_end_matches("<!-- /").trim();
    let mut expected = "| in the environment | must be there | what |\n|---|---|---|\n".to_owned();
    for (provider, kind) in Registry::built_in().kinds() {
        for setting in kind.settings {
            let (provider, name) = (provider.to_uppercase(), setting.name.to_uppercase());
            let required = if setting.is_required { "yes" } else { "no" };
            expected += &format!(
                "| `COUNTERFOIL_{provider}_{{TEST,LIVE}}_{name}` | {required} | {} |\n",
                setting.what
            );
        }
    }
    assert_eq!(table, expected.trim(), "the table must be:\n\n{expected}");
}
