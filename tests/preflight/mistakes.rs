//! Mistakes, each planted alone into a set-up that is right, and the check that must find it.

use std::sync::Arc;
use std::time::Duration;

use counterfoil::clock::Timestamp;
use counterfoil::id::{Namespace, OrderId};
use counterfoil::money::{Currency, Money};
use counterfoil::preflight::{CheckKind, Evidence, Preflight, Readiness, Report, Verdict};
use counterfoil::setup::WebhookEndpoint;
use counterfoil::{ErrorKind, ModeKind};

use super::endpoint::{Host, Way};
use super::shop::{Acme, NOW, Shop, URL, first_payment};
use super::store::{Defect, Faulty};

type Plant = fn(&mut Shop);

const HOUR: Duration = Duration::from_secs(60 * 60);
const FAIL: Verdict = Verdict::Fail;
const UNKNOWN: Verdict = Verdict::Unknown;

/// What is wrong, how it comes to be, which check must see it, and as what.
const MISTAKES: &[(&str, Plant, CheckKind, Verdict)] = &[
    (
        "the key is revoked",
        |s| s.acme.account = Err(ErrorKind::Credentials),
        CheckKind::Account,
        FAIL,
    ),
    (
        "the provider is down",
        |s| s.acme.account = Err(ErrorKind::Unavailable),
        CheckKind::Account,
        UNKNOWN,
    ),
    (
        "the account answers in test mode",
        |s| s.acme.account().mode = ModeKind::Test,
        CheckKind::Mode,
        FAIL,
    ),
    (
        "a test key in live settings",
        |s| s.acme.setup.credentials_mode = Some(ModeKind::Test),
        CheckKind::Mode,
        FAIL,
    ),
    (
        "the sandbox's address in live settings",
        |s| s.acme.setup.url_mode = Some(ModeKind::Test),
        CheckKind::Mode,
        FAIL,
    ),
    (
        "a live address without https",
        |s| s.acme.setup.api_url = "http://api.acme.example".into(),
        CheckKind::Mode,
        FAIL,
    ),
    (
        "another account's key",
        |s| s.acme.account().id = "acct_2".into(),
        CheckKind::Account,
        FAIL,
    ),
    (
        "an account that is not activated",
        |s| s.acme.account().can_charge = Some(false),
        CheckKind::Account,
        FAIL,
    ),
    (
        "an account of which nobody says whether it is",
        |s| s.acme.account().can_charge = None,
        CheckKind::Account,
        UNKNOWN,
    ),
    (
        "a key that may not list payments",
        |s| s.acme.payments = Err(ErrorKind::Credentials),
        CheckKind::Account,
        FAIL,
    ),
    (
        "a currency that the account lacks",
        |s| s.acme.account().currencies = vec![Currency::USD],
        CheckKind::Account,
        UNKNOWN,
    ),
    (
        "no endpoint in live mode",
        |s| s.acme.endpoints = Ok(vec![]),
        CheckKind::WebhookEndpoint,
        FAIL,
    ),
    (
        "the endpoint of another shop",
        |s| s.acme.endpoint().url = "https://other.example/webhooks".into(),
        CheckKind::WebhookEndpoint,
        FAIL,
    ),
    (
        "a slash too many in its address",
        |s| s.acme.endpoint().url = format!("{URL}/").into(),
        CheckKind::WebhookEndpoint,
        FAIL,
    ),
    (
        "http at the provider, https here",
        |s| s.acme.endpoint().url = "http://shop.example/webhooks".into(),
        CheckKind::WebhookEndpoint,
        FAIL,
    ),
    (
        "the host's address without https",
        |s| set(s, |p| p.with_endpoint("http://shop.example/webhooks")),
        CheckKind::WebhookEndpoint,
        FAIL,
    ),
    (
        "a password in the host's address",
        |s| {
            set(s, |p| {
                p.with_endpoint("https://psp:hidden@shop.example/webhooks")
            })
        },
        CheckKind::WebhookEndpoint,
        FAIL,
    ),
    (
        "this machine as the live address",
        |s| set(s, |p| p.with_endpoint("https://localhost/webhooks")),
        CheckKind::WebhookEndpoint,
        FAIL,
    ),
    (
        "a disabled endpoint",
        |s| s.acme.endpoint().is_enabled = false,
        CheckKind::WebhookEndpoint,
        FAIL,
    ),
    (
        "a type that is not sent",
        |s| s.acme.endpoint().types = vec!["paid".into()],
        CheckKind::WebhookEndpoint,
        FAIL,
    ),
    (
        "an endpoint of an old version",
        |s| s.acme.endpoint().api_version = Some("2019-01".into()),
        CheckKind::WebhookEndpoint,
        FAIL,
    ),
    (
        "an endpoint whose notices are not signed",
        |s| s.acme.endpoint().is_signed = Some(false),
        CheckKind::WebhookEndpoint,
        FAIL,
    ),
    (
        "an endpoint that is sent to without TLS",
        |s| s.acme.endpoint().is_encrypted = Some(false),
        CheckKind::WebhookEndpoint,
        FAIL,
    ),
    (
        "an endpoint that refuses what comes",
        |s| s.acme.endpoint().is_failing = Some(true),
        CheckKind::WebhookEndpoint,
        FAIL,
    ),
    (
        "notices in another format",
        |s| {
            s.acme.setup.webhook_format = Some("json".into());
            s.acme.endpoint().format = Some("soap".into());
        },
        CheckKind::WebhookEndpoint,
        FAIL,
    ),
    (
        "an endpoint without a version",
        |s| s.acme.endpoint().api_version = None,
        CheckKind::WebhookEndpoint,
        UNKNOWN,
    ),
    (
        "the id of another webhook",
        |s| s.acme.setup.webhook_ids = vec!["we_2".into()],
        CheckKind::WebhookEndpoint,
        FAIL,
    ),
    (
        "two endpoints at one address",
        |s| {
            let twin = WebhookEndpoint::new("we_2", URL, ["*"]);
            s.acme.endpoints.as_mut().unwrap().push(twin);
        },
        CheckKind::WebhookEndpoint,
        FAIL,
    ),
    (
        "a key that may not list endpoints",
        |s| s.acme.endpoints = Err(ErrorKind::Credentials),
        CheckKind::WebhookEndpoint,
        FAIL,
    ),
    (
        "another endpoint's secret",
        |s| s.acme.verifies_with = vec!["other"],
        CheckKind::WebhookSignature,
        FAIL,
    ),
    (
        "the old secret is the new one",
        |s| {
            s.acme.signs_with = vec!["secret", "secret"];
            s.acme.verifies_with = vec!["secret", "secret"];
        },
        CheckKind::WebhookSignature,
        FAIL,
    ),
    (
        "the signature is not checked",
        |s| s.acme.checks_signature = false,
        CheckKind::WebhookSignature,
        FAIL,
    ),
    (
        "the age is not checked",
        |s| s.acme.checks_age = false,
        CheckKind::WebhookSignature,
        FAIL,
    ),
    (
        "the application takes any webhook",
        |s| way(s, Way::TakesAll),
        CheckKind::WebhookSignature,
        FAIL,
    ),
    (
        "the endpoint redirects",
        |s| way(s, Way::Redirects),
        CheckKind::WebhookSignature,
        FAIL,
    ),
    (
        "a login in front of the endpoint",
        |s| way(s, Way::BehindALogin),
        CheckKind::WebhookSignature,
        FAIL,
    ),
    (
        "a login in front of the endpoint, and a provider that alone can sign",
        |s| {
            signed_elsewhere(s);
            way(s, Way::BehindALogin);
        },
        CheckKind::WebhookSignature,
        UNKNOWN,
    ),
    (
        "a firewall in front of the endpoint",
        |s| way(s, Way::Closed),
        CheckKind::WebhookSignature,
        FAIL,
    ),
    (
        "a proxy that alters bodies",
        |s| way(s, Way::AltersBodies),
        CheckKind::WebhookSignature,
        FAIL,
    ),
    (
        "a secret of its own in the application",
        |s| {
            let mut other = Acme::new();
            other.verifies_with = vec!["other"];
            set(s, |p| p.with_probe(Arc::new(Host::new(other))));
        },
        CheckKind::WebhookSignature,
        FAIL,
    ),
    (
        "a clock that is 151 s ahead",
        |s| s.acme.account().answered_at = Some(before(Duration::from_secs(151))),
        CheckKind::Clock,
        FAIL,
    ),
    (
        "a clock that is 151 s behind",
        |s| s.acme.account().answered_at = Some(NOW.saturating_add(Duration::from_secs(151))),
        CheckKind::Clock,
        FAIL,
    ),
    (
        "staging and production share a namespace",
        |s| {
            set(s, |p| {
                p.with_other_namespaces(&[Namespace::new("shop-de").unwrap()])
            });
        },
        CheckKind::Keys,
        FAIL,
    ),
    (
        "payments of this name for unknown orders",
        |s| {
            let mut stranger = first_payment();
            stranger.id = "acme:live:pay_2".parse().unwrap();
            stranger.reference.as_mut().unwrap().order = OrderId::new("A-2").unwrap();
            s.acme.payments.as_mut().unwrap().push(stranger);
        },
        CheckKind::Keys,
        FAIL,
    ),
    (
        "keys that are forgotten before retries end",
        |s| s.acme.capabilities.key_retention = Duration::from_secs(30),
        CheckKind::Keys,
        FAIL,
    ),
    (
        "keys that are too long for the provider",
        |s| s.acme.setup.key_length_max = Some(36),
        CheckKind::Keys,
        FAIL,
    ),
    (
        "a currency that the provider cannot count",
        |s| {
            s.acme.account().currencies = vec![];
            currencies(s, &[Currency::EUR, Currency::JPY]);
        },
        CheckKind::Currencies,
        FAIL,
    ),
    (
        "a currency that the provider does not take",
        |s| {
            s.acme.capabilities.currencies = Some(vec![Currency::USD]);
        },
        CheckKind::Currencies,
        FAIL,
    ),
    (
        "no currencies said",
        |s| currencies(s, &[]),
        CheckKind::Currencies,
        UNKNOWN,
    ),
    (
        "a store of the other mode",
        |s| store(s, Defect::OtherMode),
        CheckKind::Store,
        FAIL,
    ),
    (
        "a store that is gone with the process",
        |s| store(s, Defect::Forgets),
        CheckKind::Store,
        FAIL,
    ),
    (
        "a store that does not say whether it forgets",
        |s| store(s, Defect::SaysNotWhetherItForgets),
        CheckKind::Store,
        UNKNOWN,
    ),
    (
        "a store that writes parts of a batch",
        |s| store(s, Defect::WritesParts),
        CheckKind::Store,
        FAIL,
    ),
    (
        "a store that forgets versions",
        |s| store(s, Defect::ForgetsVersions),
        CheckKind::Store,
        FAIL,
    ),
    (
        "a store that mixes the modes",
        |s| store(s, Defect::MixesModes),
        CheckKind::Store,
        FAIL,
    ),
    (
        "a sweep that stands still",
        |s| set(s, |p| p.with_last_sweep(before(HOUR))),
        CheckKind::Sweep,
        FAIL,
    ),
    (
        "an event that nobody takes in",
        |s| store(s, Defect::OldEvent),
        CheckKind::Sweep,
        FAIL,
    ),
    (
        "a scenario that failed",
        |s| s.evidence.failed = vec!["S14".into()],
        CheckKind::Rehearsal,
        FAIL,
    ),
    (
        "a scenario that was not tried",
        |s| drop(s.evidence.passed.pop()),
        CheckKind::Rehearsal,
        FAIL,
    ),
    (
        "a rehearsal in which nothing has passed",
        |s| {
            let passed = std::mem::take(&mut s.evidence.passed);
            s.evidence.not_applicable.extend(passed);
        },
        CheckKind::Rehearsal,
        FAIL,
    ),
    (
        "a rehearsal of another version",
        |s| s.evidence.library_version = "0.0.9".into(),
        CheckKind::Rehearsal,
        FAIL,
    ),
    (
        "a rehearsal with another configuration",
        |s| s.evidence.fingerprint = "00".into(),
        CheckKind::Rehearsal,
        FAIL,
    ),
    (
        "a rehearsal with another provider",
        |s| s.evidence.provider = "emca".into(),
        CheckKind::Rehearsal,
        FAIL,
    ),
    (
        "a rehearsal of last year",
        |s| s.evidence.at = before(HOUR * 24 * 91),
        CheckKind::Rehearsal,
        FAIL,
    ),
    (
        "a first payment of test mode",
        |s| set(s, |p| p.with_first_payment("acme:test:pay_1")),
        CheckKind::FirstPayment,
        FAIL,
    ),
    (
        "a first payment that is not there",
        |s| set(s, |p| p.with_first_payment("acme:live:pay_9")),
        CheckKind::FirstPayment,
        FAIL,
    ),
    (
        "a first payment that was not given back",
        |s| {
            s.acme.payments.as_mut().unwrap()[0].refunded = Money::new(0, Currency::EUR);
        },
        CheckKind::FirstPayment,
        UNKNOWN,
    ),
    (
        "a first payment that the cashier has not taken",
        |s| {
            let mut other = first_payment();
            other.id = "acme:live:pay_3".parse().unwrap();
            s.acme.payments = Ok(vec![other]);
            set(s, |p| p.with_first_payment("acme:live:pay_3"));
        },
        CheckKind::FirstPayment,
        UNKNOWN,
    ),
    (
        // The secret is of its kind, and what it signs is accepted: it is another endpoint's.
        "a secret that no webhook of the provider's is signed with",
        |s| s.acme.payments.as_mut().unwrap()[0].created_at = NOW.saturating_add(HOUR),
        CheckKind::FirstPayment,
        UNKNOWN,
    ),
    (
        "a first payment made in the dashboard",
        |s| {
            s.acme.payments.as_mut().unwrap()[0].reference = None;
        },
        CheckKind::FirstPayment,
        FAIL,
    ),
];

#[tokio::test]
async fn every_mistake_is_found_by_the_check_for_it() {
    for (what, plant, kind, verdict) in MISTAKES {
        let mut shop = Shop::new();
        plant(&mut shop);
        let report = fly(shop).await;
        let check = report.check(*kind).unwrap();
        assert_eq!(check.verdict(), *verdict, "{what}: {report}");
        assert_ne!(report.readiness(), Readiness::Ready, "{what}: {report}");
        assert!(
            !format!("{report:?}").contains("hidden"),
            "{what}: {report}"
        );
        let has_todo = check.findings.iter().all(|finding| {
            finding.verdict == Verdict::Pass
                || finding.todo.as_ref().is_some_and(|todo| !todo.is_empty())
        });
        assert!(has_todo, "{what}: {report}");
    }
    println!("{} planted mistakes found", MISTAKES.len());
}

pub(crate) async fn fly(mut shop: Shop) -> Report {
    shop.preflight = shop.preflight.clone().with_evidence(evidence_of(&shop));
    fly_with(&shop).await
}

pub(crate) async fn fly_with(shop: &Shop) -> Report {
    shop.preflight.check(&shop.acme.clone().provider()).await
}

/// The shop's evidence, made with the configuration as it is unless that was planted otherwise.
fn evidence_of(shop: &Shop) -> Evidence {
    let mut evidence = shop.evidence.clone();
    if *evidence.fingerprint != *"00" {
        let now = shop.preflight.fingerprint(&shop.acme.clone().provider());
        evidence.fingerprint = now.into();
    }
    evidence
}

pub(crate) fn set(shop: &mut Shop, change: impl FnOnce(Preflight) -> Preflight) {
    shop.preflight = change(shop.preflight.clone());
}

fn currencies(shop: &mut Shop, currencies: &[Currency]) {
    set(shop, |p| p.with_currencies(currencies));
}

/// No genuine webhook can be made here.
pub(crate) fn signed_elsewhere(shop: &mut Shop) {
    shop.acme.signs_with = vec![];
    shop.acme.setup.webhook_ids = vec!["we_1".into()];
}

fn way(shop: &mut Shop, way: Way) {
    let host = Host::with_way(Acme::new(), way);
    set(shop, |p| p.with_probe(Arc::new(host)));
}

fn store(shop: &mut Shop, defect: Defect) {
    set(shop, |p| p.with_store(Arc::new(Faulty::store(defect))));
}

fn before(ago: Duration) -> Timestamp {
    NOW.saturating_sub(ago)
}
