//! The rehearsal over a provider's own test mode, with a simulator behind a socket in its place:
//! what is judged is what its API shows.

#![allow(clippy::unwrap_used)] // helpers of tests

#[allow(dead_code)] // the example uses more of it
#[path = "../examples/rehearse/test_mode/mod.rs"]
mod test_mode;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use counterfoil::clock::{Clock, Timestamp};
use counterfoil::conformance::{Happening, Shopper};
use counterfoil::http::{ManualTimer, Transport, TransportError};
use counterfoil::id::Namespace;
use counterfoil::preflight::Ground;
use counterfoil::registry::{Configuration, Registry};
use counterfoil::rehearsal::{Rehearsal, Ruling, Scenario, rehearse};
use counterfoil::request::Checkout;
use counterfoil::simulator::adyen::MERCHANT_ACCOUNT;
use counterfoil::simulator::paypal::PaypalSimulator;
use counterfoil::simulator::{self, SimulatedProvider, SimulatorServer};
use counterfoil::{Live, Provider, Result, Test};
use test_mode::{
    AdyenTestMode, Credentials, PayPalTestMode, Played, StripeTestMode, Surroundings, TestMode,
    TestModeRig, Wait, Wired,
};
use tokio::runtime::Runtime;

const START: Timestamp = Timestamp::from_unix(1_795_000_000);
const HMAC_KEY: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";

#[test]
fn what_stripes_test_payment_methods_reach_passes() {
    let place = Place::of(
        "stripe",
        &[
            ("SECRET_KEY", "sk_test_ofTheShop"),
            ("WEBHOOK_SECRET", "whsec_ofTheEndpoint"),
        ],
    );
    let psp = StripeTestMode::new(place.settings()).unwrap();
    let rehearsal = place.rehearse(psp);
    assert_eq!(
        ids(&rehearsal, "passed"),
        [
            "S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S12", "S13", "S14", "S15",
            "S16", "S17", "S18", "S23", "S28", "S34", "S35", "S36", "S38", "S39", "S40", "S41",
            "S42", "S43", "S44", "S45", "S46", "S49", "S53", "S54", "S56",
        ],
        "{rehearsal}"
    );
    the_rest_says_why(&rehearsal);
}

#[test]
fn what_paypals_sandbox_reaches_without_a_buyer_passes() {
    let place = Place::of(
        "paypal",
        &[
            ("CLIENT_ID", PaypalSimulator::CLIENT_ID),
            ("CLIENT_SECRET", PaypalSimulator::CLIENT_SECRET),
            ("WEBHOOK_ID", "1JE4291016473214C"),
        ],
    );
    let psp = PayPalTestMode::new(place.settings()).unwrap();
    let rehearsal = place.rehearse(psp);
    assert_eq!(
        ids(&rehearsal, "passed"),
        ["S8", "S16", "S28"],
        "{rehearsal}"
    );
    the_rest_says_why(&rehearsal);
}

#[test]
fn what_adyens_answers_alone_decide_passes() {
    let place = Place::of(
        "adyen",
        &[
            ("API_KEY", "AQEofTheShop"),
            ("MERCHANT_ACCOUNT", MERCHANT_ACCOUNT),
            ("HMAC_KEY", HMAC_KEY),
        ],
    );
    let psp = AdyenTestMode::new(place.settings()).unwrap();
    let rehearsal = place.rehearse(psp);
    let passed = ["S8", "S16", "S28"];
    assert_eq!(ids(&rehearsal, "passed"), passed, "{rehearsal}");
    the_rest_says_why(&rehearsal);
}

#[test]
fn live_credentials_and_live_settings_are_refused() {
    let registry = Registry::built_in();
    let right = [
        ("COUNTERFOIL_STRIPE_TEST_NAMESPACE", "shop"),
        ("COUNTERFOIL_STRIPE_TEST_SECRET_KEY", "sk_test_1"),
        ("COUNTERFOIL_STRIPE_TEST_WEBHOOK_SECRET", "whsec_1"),
    ];
    for (name, value, words) in [
        (
            "COUNTERFOIL_STRIPE_TEST_SECRET_KEY",
            "sk_live_1",
            "live mode",
        ),
        (
            "COUNTERFOIL_STRIPE_TEST_SECRET_KEY",
            "rk_live_1",
            "live mode",
        ),
        ("COUNTERFOIL_MODE", "live", "the settings say live mode"),
        (
            "COUNTERFOIL_STRIPE_TEST_BASE_URL",
            "https://api.stripe.com",
            "not on this machine",
        ),
    ] {
        let others = right.iter().copied().filter(|(other, _)| *other != name);
        let variables = others.chain([(name, value)]);
        let configuration = Configuration::from_vars(&registry, variables).unwrap();
        let error = test_mode::settings(&configuration, &registry, "stripe").unwrap_err();
        assert!(error.to_string().contains(words), "{name}={value}: {error}");
    }
    // Live settings alone are none for a rehearsal.
    let live = right.map(|(name, value)| {
        let value = value.replace("sk_test", "sk_live");
        (name.replace("_TEST_", "_LIVE_"), value)
    });
    let configuration = Configuration::from_vars(&registry, live).unwrap();
    let error = test_mode::settings(&configuration, &registry, "stripe").unwrap_err();
    let words = "stripe has no settings for test mode";
    assert!(error.to_string().contains(words), "{error}");
}

/// A provider that forgets what it was asked would charge twice. The judge must see it by the
/// provider's API alone.
#[test]
fn a_lost_key_is_seen_without_looking_into_the_service() {
    let place = Place::of(
        "stripe",
        &[
            ("SECRET_KEY", "sk_test_ofTheShop"),
            ("WEBHOOK_SECRET", "whsec_ofTheEndpoint"),
        ],
    );
    let psp = Forgetful(StripeTestMode::new(place.settings()).unwrap());
    let surroundings = place.surroundings();
    for id in ["S15", "S44"] {
        let scenario = Scenario::with_id(id).unwrap();
        let outcome = scenario.play(|| TestModeRig::new(psp.clone(), &surroundings));
        assert!(!outcome.is_good(), "{id}: {outcome}");
    }
    let scenario = Scenario::with_id("S1").unwrap();
    let outcome = scenario.play(|| TestModeRig::new(psp.clone(), &surroundings));
    assert!(outcome.is_good(), "S1: {outcome}");
}

fn ids(rehearsal: &Rehearsal, word: &str) -> Vec<String> {
    let all = rehearsal.rulings.iter();
    let those = all.filter(|ruling| ruling.word() == word);
    those.map(|ruling| ruling.scenario.id()).collect()
}

/// Nothing has failed, and each scenario that was not played says why it cannot be.
fn the_rest_says_why(rehearsal: &Rehearsal) {
    println!("{rehearsal}");
    assert!(rehearsal.is_good(), "{rehearsal}");
    let passed = |ruling: &&Ruling| ruling.word() != "passed";
    for ruling in rehearsal.rulings.iter().filter(passed) {
        let why = ruling.why().unwrap();
        assert_eq!(ruling.word(), "out of reach", "{ruling:?}");
        assert!(
            why.starts_with("cannot be reached in test mode, because "),
            "{why}"
        );
    }
}

/// A simulator behind a socket, and what somebody has in the environment to reach it.
struct Place {
    provider: &'static str,
    variables: Vec<(String, String)>,
    simulator: Arc<Mutex<Box<dyn SimulatedProvider>>>,
    _server: SimulatorServer<Box<dyn SimulatedProvider>>,
    _runtime: Runtime,
}

impl Place {
    fn of(provider: &'static str, credentials: &[(&str, &str)]) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let simulator = simulator::by_name(provider, 7, START).unwrap();
        let simulator = Arc::new(Mutex::new(simulator));
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = SimulatorServer::start(Arc::clone(&simulator), address);
        let server = runtime.block_on(server).unwrap();
        let base_url = server.base_url();
        assert_eq!(Ground::at(&base_url), Ground::Simulator);
        let more = [("NAMESPACE", "shop"), ("BASE_URL", &base_url)];
        let variables = credentials.iter().chain(&more).map(|(setting, value)| {
            let provider = provider.to_ascii_uppercase();
            let name = format!("COUNTERFOIL_{provider}_TEST_{setting}");
            (name, (*value).to_owned())
        });
        Self {
            provider,
            variables: variables.collect(),
            simulator,
            _server: server,
            _runtime: runtime,
        }
    }

    fn settings(&self) -> counterfoil::registry::Settings {
        let registry = Registry::built_in();
        let variables = self
            .variables
            .iter()
            .map(|(name, value)| (name, value.as_str()));
        let configuration = Configuration::from_vars(&registry, variables).unwrap();
        test_mode::settings(&configuration, &registry, self.provider).unwrap()
    }

    /// The provider's time is the simulator's, and passes while it is waited for.
    fn surroundings(&self) -> Surroundings {
        let simulator = Arc::clone(&self.simulator);
        Surroundings {
            clock: Arc::new(Simulated(Arc::clone(&self.simulator))),
            timer: || Arc::new(ManualTimer::new()),
            wait: Arc::new(move |time| simulator.lock().unwrap().advance(time * 60 * 60)),
            run: "test".to_owned(),
        }
    }

    fn rehearse<P: TestMode + Clone>(&self, psp: P) -> Rehearsal {
        let surroundings = self.surroundings();
        rehearse(|| TestModeRig::new(psp.clone(), &surroundings))
    }
}

struct Simulated(Arc<Mutex<Box<dyn SimulatedProvider>>>);

impl std::fmt::Debug for Simulated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Simulated")
    }
}

impl Clock for Simulated {
    fn now(&self) -> Timestamp {
        self.0.lock().unwrap().now()
    }
}

/// Stripe, if it took no notice of idempotency keys.
#[derive(Debug, Clone)]
struct Forgetful(StripeTestMode);

#[derive(Debug)]
struct WithoutKeys(Arc<dyn Transport>);

#[async_trait]
impl Transport for WithoutKeys {
    async fn send(
        &self,
        mut request: http::Request<Bytes>,
    ) -> std::result::Result<http::Response<Bytes>, TransportError> {
        request.headers_mut().remove("idempotency-key");
        self.0.send(request).await
    }
}

impl TestMode for Forgetful {
    fn api_url(&self) -> &str {
        self.0.api_url()
    }

    fn open(&self, with: Credentials, on: Wired, namespace: &Namespace) -> Result<Provider<Test>> {
        let line = Arc::new(WithoutKeys(on.line));
        self.0.open(with, Wired { line, ..on }, namespace)
    }

    fn live(&self, namespace: &Namespace) -> Provider<Live> {
        self.0.live(namespace)
    }

    fn secrets(&self) -> Vec<String> {
        self.0.secrets()
    }

    fn out_of_reach(&self, scenario: &str) -> Option<&'static str> {
        self.0.out_of_reach(scenario)
    }

    fn has_tokens(&self) -> bool {
        self.0.has_tokens()
    }

    fn token(&self, shopper: Shopper) -> Played<Checkout> {
        self.0.token(shopper)
    }

    fn happen(&self, happening: Happening<'_>, wait: &Wait) -> Played {
        self.0.happen(happening, wait)
    }
}
