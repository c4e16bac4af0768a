//! `examples/preflight.rs` as a program: its settings from the environment and from a file, its
//! exit codes, and the three forms of its report.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

#[allow(dead_code)] // it is a program of its own
#[path = "../examples/preflight.rs"]
mod preflight;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use counterfoil::clock::{Clock, SystemClock};
use counterfoil::money::Currency;
use counterfoil::preflight::{CheckKind, Evidence, Ground, Preflight, Report, Verdict};
use counterfoil::providers::stripe::{Stripe, StripeConfig};
use counterfoil::simulator::adyen::MERCHANT_ACCOUNT;
use counterfoil::simulator::paypal::PaypalSimulator;
use counterfoil::simulator::{self, SimulatedProvider, SimulatorServer};
use counterfoil::webhook::WebhookRequest;
use counterfoil::{Provider, Test};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

const HMAC_KEY: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";
const WEBHOOK_ID: &str = "1JE4291016473214C";
const SECRET: &str = "whsec_hidden1";

/// A provider, its credentials for test mode, and what signs its webhooks.
type Kind = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
);

const PROVIDERS: [Kind; 3] = [
    (
        "stripe",
        &[
            ("SECRET_KEY", "sk_test_hidden1"),
            ("WEBHOOK_SECRET", SECRET),
        ],
        SECRET,
    ),
    (
        "paypal",
        &[
            ("CLIENT_ID", PaypalSimulator::CLIENT_ID),
            ("CLIENT_SECRET", PaypalSimulator::CLIENT_SECRET),
            ("WEBHOOK_ID", WEBHOOK_ID),
        ],
        WEBHOOK_ID,
    ),
    (
        "adyen",
        &[
            ("API_KEY", "AQEhidden"),
            ("MERCHANT_ACCOUNT", MERCHANT_ACCOUNT),
            ("HMAC_KEY", HMAC_KEY),
        ],
        HMAC_KEY,
    ),
];

/// The tests start this very program again, as the example with an environment of its own.
#[test]
fn the_example() {
    let Ok(arguments) = std::env::var("PREFLIGHT_ARGUMENTS") else {
        return;
    };
    println!();
    let code = preflight::run(arguments.lines().map(str::to_owned));
    std::process::exit(i32::from(code));
}

/// What the example ends with and prints.
fn run(arguments: &[&str], variables: &[(String, String)]) -> (i32, String) {
    let ours = |(name, _): &(String, String)| name.starts_with("COUNTERFOIL_");
    let inherited = std::env::vars().filter(ours).map(|(name, _)| name);
    let mut program = Command::new(std::env::current_exe().unwrap());
    for name in inherited {
        program.env_remove(name);
    }
    let output = program
        .args(["--exact", "the_example", "--nocapture", "--quiet"])
        .env("PREFLIGHT_ARGUMENTS", arguments.join("\n"))
        .envs(variables.iter().cloned())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    assert!(!text.contains("hidden"), "a secret is shown: {text}");
    (output.status.code().unwrap(), text)
}

#[test]
fn each_simulated_shop_is_looked_at_in_three_forms() {
    for (provider, ..) in PROVIDERS {
        let (code, text) = run(&["--provider", provider], &[]);
        assert_eq!(code, 1, "an endpoint that was not tried is unknown: {text}");
        assert!(text.contains(&format!("{provider} in test mode")), "{text}");
        assert!(text.contains(", 0 failed, "), "{text}");

        let (code, text) = run(&["--provider", provider, "--json"], &[]);
        let report = report_of(&text);
        assert_eq!((code, &*report.provider), (1, provider));
        assert_eq!(report.checks.len(), CheckKind::ALL.len());

        let (code, page) = run(&["--provider", provider, "--html"], &[]);
        assert_eq!(code, 1);
        assert!(page.contains("<!doctype html>") && page.contains("</html>"));
    }
}

#[test]
fn settings_come_from_the_environment_and_from_a_file() {
    for (provider, credentials, signs_with) in PROVIDERS {
        let url = format!("https://shop.example/webhooks/{provider}");
        let place = Place::of(provider, &url, signs_with);
        let variables = place.variables(credentials);
        let look = [
            "--provider",
            provider,
            "--endpoint",
            &url,
            "--currency",
            "USD",
            "--json",
        ];
        let (code, text) = run(&[&["--env"], &look[..]].concat(), &variables);
        let report = report_of(&text);
        assert_eq!(code, 1, "{text}");
        assert_eq!(report.api.as_deref().map(is_here), Some(true), "{text}");
        for kind in [
            CheckKind::Settings,
            CheckKind::Mode,
            CheckKind::Clock,
            CheckKind::Currencies,
        ] {
            assert_eq!(verdict(&report, kind), Verdict::Pass, "{provider}: {text}");
        }
        assert!(
            report
                .checks
                .iter()
                .all(|check| check.verdict() != Verdict::Fail)
        );

        let file = File::new(provider, &toml_of(provider, &variables));
        let (code, text) = run(&[&["--file", file.path()], &look[..]].concat(), &[]);
        let from_file = report_of(&text);
        assert_eq!((code, &from_file.api), (1, &report.api), "{text}");
        assert_eq!(from_file.fingerprint, report.fingerprint);
    }
}

/// Everything is seen or vouched for, and it ends with 0; then each thing by itself blocks.
#[test]
fn it_ends_with_nought_only_if_nothing_fails_and_nothing_is_unknown() {
    let endpoint = Endpoint::open();
    let (provider, credentials, _) = PROVIDERS[0];
    let place = Place::of(provider, &endpoint.url, SECRET);
    let variables = place.variables(credentials);
    let evidence = File::new("evidence.json", &place.evidence());
    let right = [
        "--env",
        "--endpoint",
        &endpoint.url,
        "--probe",
        "--currency",
        "USD",
        "--alone",
        "--evidence",
        evidence.path(),
        "--vouch",
        "store=tried on 1 March, says Ana",
        "--vouch",
        "sweep=runs every minute, says Ana",
    ];
    let (code, text) = run(&right, &variables);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("12 passed, 0 failed, 0 unknown"), "{text}");
    assert!(
        text.contains("the endpoint refuses a forged webhook: 400"),
        "{text}"
    );

    let without = |option: &str, values: usize| {
        let at = right
            .iter()
            .position(|argument| *argument == option)
            .unwrap();
        let mut rest = right.to_vec();
        rest.drain(at..=at + values);
        rest
    };
    for (option, values) in [
        ("--probe", 0),
        ("--currency", 1),
        ("--alone", 0),
        ("--evidence", 1),
    ] {
        let (code, text) = run(&without(option, values), &variables);
        assert_eq!(code, 1, "without {option}: {text}");
    }
    let mut wrong = variables.clone();
    let key = wrong
        .iter_mut()
        .find(|(name, _)| name.ends_with("SECRET_KEY"));
    key.unwrap().1 = "sk_live_hidden1".to_owned();
    let (code, text) = run(&right, &wrong);
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("COUNTERFOIL_STRIPE_TEST_SECRET_KEY is of live mode"),
        "{text}"
    );

    let (code, text) = run(&["--env", "--live"], &variables);
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("stripe has no settings for live mode"),
        "{text}"
    );
    let (code, text) = run(&["--file", "nowhere.toml"], &[]);
    assert!(code == 1 && text.contains("nowhere.toml: "), "{text}");
    let unquoted = "[providers.stripe.test]\nsecret_key = sk_test_hidden\n";
    let unquoted = File::new("unquoted.toml", unquoted);
    let (code, text) = run(&["--file", unquoted.path()], &[]);
    assert!(
        code == 1 && text.contains("unquoted.toml, line 2: "),
        "{text}"
    );
    for misread in [
        &["--vouch", "store"][..],
        &["--probe"],
        &["--evidence"],
        // Else a simulated shop would be looked at, and found right for test mode.
        &["--live"],
        &["--sparkle"],
    ] {
        let (code, text) = run(misread, &[]);
        assert_eq!(code, 2, "{misread:?}: {text}");
    }
}

fn verdict(report: &Report, kind: CheckKind) -> Verdict {
    report.check(kind).unwrap().verdict()
}

fn report_of(text: &str) -> Report {
    let (from, to) = (text.find('{').unwrap(), text.rfind('}').unwrap());
    serde_json::from_str(&text[from..=to]).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn is_here(api_url: &str) -> bool {
    Ground::at(api_url) == Ground::Simulator
}

/// A simulator behind a socket, whose webhooks are registered for one address.
struct Place {
    provider: &'static str,
    base_url: String,
    _server: SimulatorServer<Box<dyn SimulatedProvider>>,
    _runtime: Runtime,
}

impl Place {
    fn of(provider: &'static str, url: &str, signs_with: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let mut simulator = simulator::by_name(provider, 1, SystemClock.now()).unwrap();
        simulator.subscribe(url, signs_with);
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = SimulatorServer::start_live(Arc::new(Mutex::new(simulator)), address);
        let server = runtime.block_on(server).unwrap();
        Self {
            provider,
            base_url: server.base_url(),
            _server: server,
            _runtime: runtime,
        }
    }

    fn variables(&self, credentials: &[(&str, &str)]) -> Vec<(String, String)> {
        let more = [("NAMESPACE", "shop"), ("BASE_URL", &self.base_url)];
        let named = credentials.iter().chain(&more).map(|(setting, value)| {
            let provider = self.provider.to_ascii_uppercase();
            let name = format!("COUNTERFOIL_{provider}_TEST_{setting}");
            (name, (*value).to_owned())
        });
        named.collect()
    }

    /// What a rehearsal of now would have written, had all of it passed.
    fn evidence(&self) -> String {
        let preflight = Preflight::new().with_currencies(&[Currency::USD]);
        let fingerprint = preflight.fingerprint(&stripe());
        let now = SystemClock.now();
        let mut evidence = Evidence::new("stripe", &fingerprint, Ground::Simulator, now);
        evidence.passed = (1..=58).map(|number| format!("S{number}").into()).collect();
        serde_json::to_string(&evidence).unwrap()
    }
}

fn stripe() -> Provider<Test> {
    let config = StripeConfig::<Test>::new("sk_test_hidden1", SECRET).unwrap();
    let namespace = "shop".parse().unwrap();
    Stripe::new(config).unwrap().into_provider(namespace)
}

/// The shop's own endpoint for webhooks, which verifies.
struct Endpoint {
    url: String,
    _runtime: Runtime,
}

impl Endpoint {
    fn open() -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}/webhooks", listener.local_addr().unwrap());
        let answer = async |State(provider): State<Provider<Test>>, webhook: WebhookRequest| {
            let answer = match provider.webhook(&webhook).await {
                Ok(delivery) => delivery.answer(),
                Err(refusal) => refusal.answer(),
            };
            StatusCode::from_u16(answer).unwrap()
        };
        let shop = Router::new()
            .route("/webhooks", post(answer))
            .with_state(stripe());
        runtime.spawn(async move { axum::serve(listener, shop).await });
        Self {
            url,
            _runtime: runtime,
        }
    }
}

/// A file that is removed when the test ends.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let name = format!("counterfoil-preflight-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _left_behind = std::fs::remove_file(&self.0);
    }
}

/// The same settings as a file has them.
fn toml_of(provider: &str, variables: &[(String, String)]) -> String {
    let prefix = format!("COUNTERFOIL_{}_TEST_", provider.to_ascii_uppercase());
    let lines = variables.iter().map(|(name, value)| {
        let setting = name.strip_prefix(&prefix).unwrap().to_ascii_lowercase();
        format!("{setting} = {value:?}\n")
    });
    format!("[providers.{provider}.test]\n{}", lines.collect::<String>())
}
