//! The rehearsal over a provider's own test mode, with a simulator behind a socket in its place:
//! what is judged is what its API shows.

#![allow(clippy::unwrap_used)] // helpers of tests

#[allow(dead_code)]
#[path = "../examples/rehearse/listener.rs"]
mod listener;
#[path = "rigs/other_line.rs"]
mod other_line;
#[allow(dead_code)] // the example uses more of it
#[path = "../examples/rehearse/test_mode/mod.rs"]
mod test_mode;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use counterfoil::clock::{Clock, Timestamp};
use counterfoil::http::{ManualTimer, Transport, TransportError};
use counterfoil::preflight::Ground;
use counterfoil::registry::{Configuration, Registry, Settings};
use counterfoil::rehearsal::{Rehearsal, Ruling, Scenario, rehearse};
use counterfoil::simulator::adyen::MERCHANT_ACCOUNT;
use counterfoil::simulator::paypal::PaypalSimulator;
use counterfoil::simulator::{
    self, Answer, DeliveryId, SimulatedProvider, SimulatorServer, WebhookDelivery,
};
use listener::Listener;
use other_line::OtherLine;
use test_mode::{
    AdyenTestMode, Letters, Line, PayPalTestMode, StripeTestMode, Surroundings, TestMode,
    TestModeRig,
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
fn with_webhooks_stripes_scenarios_about_them_pass_too() {
    let place = Place::of(
        "stripe",
        &[
            ("SECRET_KEY", "sk_test_ofTheShop"),
            ("WEBHOOK_SECRET", "whsec_ofTheEndpoint"),
        ],
    )
    .with_webhooks("whsec_ofTheEndpoint");
    let psp = StripeTestMode::new(place.settings()).unwrap();
    let rehearsal = place.rehearse(psp);
    let missing = ["S10", "S11", "S33", "S37", "S47", "S48", "S57", "S58"];
    assert_eq!(ids(&rehearsal, "out of reach"), missing, "{rehearsal}");
    the_rest_says_why(&rehearsal);
}

#[test]
fn with_webhooks_most_of_adyens_scenarios_pass() {
    let place = Place::of(
        "adyen",
        &[
            ("API_KEY", "AQEofTheShop"),
            ("MERCHANT_ACCOUNT", MERCHANT_ACCOUNT),
            ("HMAC_KEY", HMAC_KEY),
        ],
    )
    .with_webhooks(HMAC_KEY);
    let psp = AdyenTestMode::new(place.settings()).unwrap();
    let rehearsal = place.rehearse(psp);
    let missing = [
        "S9", "S10", "S11", "S12", "S23", "S26", "S37", "S41", "S42", "S45", "S46", "S47", "S48",
        "S56", "S57", "S58",
    ];
    assert_eq!(ids(&rehearsal, "out of reach"), missing, "{rehearsal}");
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
    let psp = OtherLine {
        psp: StripeTestMode::new(place.settings()).unwrap(),
        line: |line| Arc::new(WithoutKeys(line)),
        missing: &[],
    };
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
    simulator: Arc<Mutex<Held>>,
    listener: Option<Listener>,
    _server: SimulatorServer<Held>,
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
        let simulator = Arc::new(Mutex::new(Held(simulator)));
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
            listener: None,
            _server: server,
            _runtime: runtime,
        }
    }

    /// Webhooks reach this machine, as by a tunnel.
    fn with_webhooks(mut self, secret: &str) -> Self {
        let listener = Listener::on(0).unwrap();
        let url = format!("{}/webhooks", listener.address());
        self.simulator.lock().unwrap().subscribe(&url, secret);
        self.listener = Some(listener);
        self
    }

    fn settings(&self) -> Settings {
        let registry = Registry::built_in();
        let variables = self.variables.iter();
        let variables = variables.map(|(name, value)| (name, value.as_str()));
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
            letters: self.listener.as_ref().map(|listener| {
                let (simulator, taken) = (Arc::clone(&self.simulator), listener.taken());
                Arc::new(move || {
                    deliver(&simulator);
                    taken.drain()
                }) as Letters
            }),
            run: "test".to_owned(),
        }
    }

    fn rehearse<P: TestMode + Clone>(&self, psp: P) -> Rehearsal {
        let surroundings = self.surroundings();
        rehearse(|| TestModeRig::new(psp.clone(), &surroundings))
    }
}

/// Posts what the provider has to send over the socket, and waits for each answer.
fn deliver(simulator: &Mutex<Held>) {
    let due = simulator.lock().unwrap().0.due_webhooks();
    for delivery in due {
        let url = delivery.request.uri().to_string();
        let line = Line::to(&url, "/");
        let posted = || {
            let runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = { runtime }.enable_all().build().unwrap();
            let answer = runtime.block_on(line.send(delivery.request));
            answer.unwrap().status().as_u16()
        };
        // The scenario has a runtime on this thread.
        let status = std::thread::scope(|scope| scope.spawn(posted).join().unwrap());
        let mut simulator = simulator.lock().unwrap();
        simulator.report_webhook(delivery.id, Some(status));
    }
}

/// A simulator whose server posts no webhooks by itself, so that the test knows when they arrive.
#[derive(Debug)]
struct Held(Box<dyn SimulatedProvider>);

impl SimulatedProvider for Held {
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn handle(&mut self, request: &http::Request<Bytes>) -> Answer {
        self.0.handle(request)
    }
    fn now(&self) -> Timestamp {
        self.0.now()
    }
    fn advance(&mut self, by: Duration) {
        self.0.advance(by);
    }
    fn set_base_url(&mut self, base_url: &str) {
        self.0.set_base_url(base_url);
    }
    fn subscribe(&mut self, url: &str, secret: &str) {
        self.0.subscribe(url, secret);
    }
    fn connection_help(&self, base_url: &str) -> String {
        self.0.connection_help(base_url)
    }
    fn due_webhooks(&mut self) -> Vec<WebhookDelivery> {
        Vec::new()
    }
    fn report_webhook(&mut self, delivery: DeliveryId, status: Option<u16>) {
        self.0.report_webhook(delivery, status);
    }
}

#[derive(Debug)]
struct Simulated(Arc<Mutex<Held>>);

impl Clock for Simulated {
    fn now(&self) -> Timestamp {
        self.0.lock().unwrap().now()
    }
}

/// Takes the keys away, as if Stripe took no notice of them.
#[derive(Debug)]
struct WithoutKeys(Arc<dyn Transport>);

#[async_trait]
impl Transport for WithoutKeys {
    async fn send(
        &self,
        mut request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        request.headers_mut().remove("idempotency-key");
        self.0.send(request).await
    }
}
