//! Is this set-up fit to go live? Twelve checks, by reading alone.
//!
//! ```text
//! cargo run --example preflight                          a shop over the simulator, in test mode
//! cargo run --example preflight -- --env --live          the settings of the environment
//! cargo run --example preflight -- --file shop.toml      those of a file
//! ```

use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use counterfoil::cashier::MemoryStore;
use counterfoil::clock::{Clock, SystemClock};
use counterfoil::id::Namespace;
use counterfoil::money::Currency;
use counterfoil::preflight::{Preflight, Readiness, Report};
use counterfoil::providers::stripe::{Stripe, StripeConfig};
use counterfoil::registry::{Configuration, Registry};
use counterfoil::simulator::SimulatorTransport;
use counterfoil::simulator::stripe::StripeSimulator;
use counterfoil::{Error, ErrorKind, ModeKind, Result, Test};

const USAGE: &str = "\
usage: preflight [--env | --file PATH] [--live] [--provider NAME] [--endpoint URL]
                 [--currency CODE]... [--json | --html]

  --env            read the settings from COUNTERFOIL_... variables
  --file PATH      read them from a TOML file
  --live           look at the live settings, not at those for test
  --provider NAME  the provider to look at: stripe (default)
  --endpoint URL   where its webhooks shall arrive
  --currency CODE  a currency that the shop sells in
  --json, --html   a report for machines, or as a page

Without --env and --file it looks at a shop over a simulator.";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let report = match options.source {
        Source::Simulator => of_simulator(&options).await,
        _ => of_settings(&options).await,
    };
    let report = match report {
        Ok(report) => report,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
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
        Readiness::Blocked => ExitCode::FAILURE,
        Readiness::Provisional | Readiness::Ready => ExitCode::SUCCESS,
    }
}

async fn of_settings(options: &Options) -> Result<Report> {
    let registry = Registry::built_in();
    let configuration = match &options.source {
        Source::File(path) => from_file(path)?,
        _ => Configuration::from_env(&registry)?,
    };
    let (name, mode) = (options.provider.as_str(), options.mode);
    let configured = configuration.configure_one(&registry, name, mode);
    let preflight = options.preflight();
    Ok(preflight.check_configured(name, mode, &configured).await)
}

fn from_file(path: &str) -> Result<Configuration> {
    let refused = |message: String| Error::new(ErrorKind::Settings, message);
    let text = std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
    // The message alone: the rest would quote a line that may hold a secret.
    toml::from_str(&text).map_err(|error| refused(error.message().to_owned()))
}

/// A shop whose provider is simulated here: what a newcomer sees first.
async fn of_simulator(options: &Options) -> Result<Report> {
    const URL: &str = "https://shop.example/webhooks/stripe";
    let mut simulator = StripeSimulator::new(1, SystemClock.now());
    simulator.add_webhook_endpoint(URL, "whsec_of_the_simulator", &["*"]);
    let transport = SimulatorTransport::new(Arc::new(Mutex::new(simulator)));
    let config = StripeConfig::<Test>::new("rk_test_simulator", "whsec_of_the_simulator")?
        .with_transport(Arc::new(transport));
    let provider = Stripe::new(config)?.into_provider(Namespace::new("shop")?);
    let mut preflight = options
        .preflight()
        .with_other_namespaces(&[])
        .with_store(Arc::new(MemoryStore::new()));
    if options.endpoint.is_none() {
        preflight = preflight.with_endpoint(URL);
    }
    if options.currencies.is_empty() {
        preflight = preflight.with_currencies(&[Currency::USD]);
    }
    Ok(preflight.check(&provider).await)
}

struct Options {
    source: Source,
    mode: ModeKind,
    provider: String,
    endpoint: Option<String>,
    currencies: Vec<Currency>,
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
            currencies: Vec::new(),
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
                "--currency" => {
                    let currency = Currency::from_code(&value()?);
                    options
                        .currencies
                        .push(currency.map_err(|e| e.to_string())?);
                }
                "--json" => options.form = Form::Json,
                "--html" => options.form = Form::Html,
                _ => return Err(format!("{argument} is not an option")),
            }
        }
        Ok(options)
    }

    fn preflight(&self) -> Preflight {
        let mut preflight = Preflight::new().with_currencies(&self.currencies);
        if let Some(url) = &self.endpoint {
            preflight = preflight.with_endpoint(url);
        }
        preflight
    }
}
