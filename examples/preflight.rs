//! Is this set-up fit to go live? Twelve checks, by reading alone.
//!
//! ```text
//! cargo run --example preflight -- --provider stripe|paypal|adyen   a shop over the simulator
//! cargo run --example preflight -- --env --live                     the settings of the environment
//! cargo run --example preflight -- --file shop.toml                 those of a file
//! ```
//!
//! It ends with 0 if nothing that was looked at failed or is unknown, with 1 if something blocks a
//! live shop, and with 2 if it was not understood.

use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use counterfoil::cashier::MemoryStore;
use counterfoil::clock::{Clock, SystemClock};
use counterfoil::http::{ReqwestTransport, Transport, TransportOptions};
use counterfoil::id::Namespace;
use counterfoil::money::Currency;
use counterfoil::preflight::{CheckKind, Evidence, Preflight, Readiness, Report};
use counterfoil::providers::adyen::{Adyen, AdyenConfig};
use counterfoil::providers::paypal::{PayPal, PayPalConfig, PayPalCredentials};
use counterfoil::providers::stripe::{Stripe, StripeConfig};
use counterfoil::registry::{Configuration, Registry};
use counterfoil::simulator::adyen::{AdyenSimulator, MERCHANT_ACCOUNT};
use counterfoil::simulator::paypal::PaypalSimulator;
use counterfoil::simulator::stripe::StripeSimulator;
use counterfoil::simulator::{SimulatedProvider, SimulatorTransport};
use counterfoil::{Error, ErrorKind, ModeKind, Provider, Result, Test};

const USAGE: &str = "\
usage: preflight [--env | --file PATH] [--live] [--provider NAME] [--endpoint URL [--probe]]
                 [--currency CODE]... [--alone] [--evidence FILE]... [--first-payment ID]
                 [--vouch CHECK=WHY]... [--json | --html]

  --env              read the settings from COUNTERFOIL_... variables
  --file PATH        read them from a TOML file
  --live             look at the live settings, not at those for test
  --provider NAME    the provider to look at: stripe (default), paypal or adyen
  --endpoint URL     where its webhooks shall arrive
  --probe            post a genuine webhook and a forged one there
  --currency CODE    a currency that the shop sells in
  --alone            no other installation uses the account
  --evidence FILE    what `rehearse --evidence FILE` has written
  --first-payment ID the first small live payment, as stripe:live:pi_...
  --vouch CHECK=WHY  take for granted what a check cannot see, such as store=\"tried on 1 March\"
  --json, --html     a report for machines, or as a page

Without --env and --file it looks at a shop over a simulator.";

fn main() -> ExitCode {
    ExitCode::from(run(std::env::args().skip(1)))
}

/// Looks, prints what was seen, and gives the exit code.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn run(arguments: impl Iterator<Item = String>) -> u8 {
    let options = match Options::parse(arguments) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}\n\n{USAGE}");
            return 2;
        }
    };
    let report = match look(&options).await {
        Ok(report) => report,
        Err(error) => {
            eprintln!("{error}");
            return 1;
        }
    };
    match options.form {
        Form::Text => println!("{report}"),
        Form::Html => println!("{}", report.html()),
        Form::Json => match serde_json::to_string_pretty(&report) {
            Ok(json) => println!("{json}"),
            Err(error) => eprintln!("{error}"),
        },
    }
    match report.readiness() {
        Readiness::Blocked => 1,
        Readiness::Provisional | Readiness::Ready => 0,
    }
}

async fn look(options: &Options) -> Result<Report> {
    let registry = Registry::built_in();
    let configuration = match &options.source {
        Source::Simulator => return of_simulator(options).await,
        Source::File(path) => from_file(path)?,
        Source::Environment => Configuration::from_env(&registry)?,
    };
    let (name, mode) = (options.provider.as_str(), options.mode);
    let configured = configuration.configure_one(&registry, name, mode);
    let preflight = options.preflight()?;
    Ok(preflight.check_configured(name, mode, &configured).await)
}

fn from_file(path: &str) -> Result<Configuration> {
    let text = std::fs::read_to_string(path).map_err(|e| refused(format!("{path}: {e}")))?;
    // The message and the line alone: the rest would quote what may hold a secret.
    toml::from_str(&text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = text.get(..start).unwrap_or_default().lines().count();
        let place = match line {
            0 => path.to_owned(),
            line => format!("{path}, line {line}"),
        };
        refused(format!("{place}: {}", error.message()))
    })
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::Settings, message)
}

/// A shop whose provider is simulated here: what a newcomer sees first.
async fn of_simulator(options: &Options) -> Result<Report> {
    let url = format!("https://shop.example/webhooks/{}", options.provider);
    let provider = simulated(&options.provider, &url)?;
    let mut preflight = options
        .preflight()?
        .with_other_namespaces(&[])
        .with_store(Arc::new(MemoryStore::new()));
    if options.endpoint.is_none() {
        preflight = preflight.with_endpoint(&url);
    }
    if options.currencies.is_empty() {
        preflight = preflight.with_currencies(&[Currency::USD]);
    }
    Ok(preflight.check(&provider).await)
}

/// A provider over its simulator, where its webhooks are registered for `url`.
fn simulated(name: &str, url: &str) -> Result<Provider<Test>> {
    const HMAC_KEY: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";
    const WEBHOOK_ID: &str = "1JE4291016473214C";
    let now = SystemClock.now();
    let namespace = Namespace::new("shop")?;
    Ok(match name {
        "stripe" => {
            let mut simulator = StripeSimulator::new(1, now);
            simulator.add_webhook_endpoint(url, "whsec_of_the_simulator", &["*"]);
            let config = StripeConfig::<Test>::new("rk_test_simulator", "whsec_of_the_simulator")?
                .with_transport(wired(simulator));
            Stripe::new(config)?.into_provider(namespace)
        }
        "paypal" => {
            let mut simulator = PaypalSimulator::new(1, now);
            simulator.add_webhook(url, WEBHOOK_ID, &["*"]);
            let (id, secret) = (PaypalSimulator::CLIENT_ID, PaypalSimulator::CLIENT_SECRET);
            let credentials = PayPalCredentials::sandbox(id, secret, WEBHOOK_ID)?;
            let config = PayPalConfig::new(credentials).with_transport(wired(simulator));
            PayPal::new(config)?.into_provider(namespace)
        }
        "adyen" => {
            let mut simulator = AdyenSimulator::new(1, now);
            simulator.add_webhook(MERCHANT_ACCOUNT, url, HMAC_KEY);
            let config = AdyenConfig::<Test>::new("AQEsimulator", MERCHANT_ACCOUNT, HMAC_KEY)?
                .with_transport(wired(simulator));
            Adyen::new(config)?.into_provider(namespace)
        }
        other => return Err(refused(format!("{other} is not simulated"))),
    })
}

fn wired(simulator: impl SimulatedProvider + 'static) -> Arc<dyn Transport> {
    Arc::new(SimulatorTransport::new(Arc::new(Mutex::new(simulator))))
}

struct Options {
    source: Source,
    mode: ModeKind,
    provider: String,
    endpoint: Option<String>,
    probes: bool,
    currencies: Vec<Currency>,
    is_alone: bool,
    evidence: Vec<String>,
    first_payment: Option<String>,
    vouched: Vec<(CheckKind, String)>,
    form: Form,
}

enum Source {
    Simulator,
    Environment,
    File(String),
}

enum Form {
    Text,
    Json,
    Html,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> std::result::Result<Self, String> {
        let mut options = Self {
            source: Source::Simulator,
            mode: ModeKind::Test,
            provider: "stripe".to_owned(),
            endpoint: None,
            probes: false,
            currencies: Vec::new(),
            is_alone: false,
            evidence: Vec::new(),
            first_payment: None,
            vouched: Vec::new(),
            form: Form::Text,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--env" => options.source = Source::Environment,
                "--file" => options.source = Source::File(value()?),
                "--live" => options.mode = ModeKind::Live,
                "--provider" => options.provider = value()?,
                "--endpoint" => options.endpoint = Some(value()?),
                "--probe" => options.probes = true,
                "--currency" => {
                    let currency = Currency::from_code(&value()?);
                    options
                        .currencies
                        .push(currency.map_err(|e| e.to_string())?);
                }
                "--alone" => options.is_alone = true,
                "--evidence" => options.evidence.push(value()?),
                "--first-payment" => options.first_payment = Some(value()?),
                "--vouch" => options.vouched.push(vouched(&value()?)?),
                "--json" => options.form = Form::Json,
                "--html" => options.form = Form::Html,
                _ => return Err(format!("{argument} is not an option")),
            }
        }
        if options.probes && options.endpoint.is_none() {
            return Err("--probe needs --endpoint".to_owned());
        }
        if options.mode == ModeKind::Live && matches!(options.source, Source::Simulator) {
            return Err("--live needs --env or --file: a simulator has no live mode".to_owned());
        }
        Ok(options)
    }

    fn preflight(&self) -> Result<Preflight> {
        let mut preflight = Preflight::new().with_currencies(&self.currencies);
        if let Some(url) = &self.endpoint {
            preflight = preflight.with_endpoint(url);
            if self.probes {
                preflight = preflight.with_probe(way_to(url)?);
            }
        }
        if self.is_alone {
            preflight = preflight.with_other_namespaces(&[]);
        }
        for file in &self.evidence {
            let wrong = |error: String| refused(format!("{file}: {error}"));
            let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
            let evidence: Evidence =
                serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
            preflight = preflight.with_evidence(evidence);
        }
        if let Some(id) = &self.first_payment {
            preflight = preflight.with_first_payment(id);
        }
        for (check, because) in &self.vouched {
            preflight = preflight.vouching(*check, because);
        }
        Ok(preflight)
    }
}

/// The network, to this machine without TLS or to others with it.
fn way_to(url: &str) -> Result<Arc<dyn Transport>> {
    let options = TransportOptions::default();
    Ok(if url.starts_with("http://") {
        Arc::new(ReqwestTransport::loopback(&options)?)
    } else {
        Arc::new(ReqwestTransport::new(&options)?)
    })
}

/// `store=tried on 1 March`, with the name that the check has in the JSON report.
fn vouched(text: &str) -> std::result::Result<(CheckKind, String), String> {
    let (name, because) = text.split_once('=').unwrap_or((text, ""));
    if because.trim().is_empty() {
        return Err(format!("--vouch {text} says no reason: write CHECK=WHY"));
    }
    match serde_json::from_value(name.into()) {
        Ok(check) => Ok((check, because.to_owned())),
        Err(error) => Err(format!("--vouch: {error}")),
    }
}
