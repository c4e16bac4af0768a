//! What must go right and what will go wrong, tried before the first customer does.
//!
//! ```text
//! cargo run --example rehearse -- --provider stripe|paypal|adyen [--by-token] [--json]
//! cargo run --example rehearse -- --provider stripe --test-mode
//! cargo run --example rehearse -- --provider stripe --endpoint http://127.0.0.1:8080/webhooks/stripe \
//!     --secret whsec_...
//! ```
//!
//! The first plays every scenario over the simulated provider. The second plays over the provider's
//! own test mode, with the credentials of the environment, what its test triggers reach without a
//! browser. The third sends webhooks, genuine and forged, to an endpoint that you have built.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use counterfoil::clock::{Clock, SystemClock};
use counterfoil::conformance::Rig;
use counterfoil::http::{ReqwestTransport, Transport, TransportOptions};
use counterfoil::id::Namespace;
use counterfoil::money::Currency;
use counterfoil::preflight::{Evidence, Ground, Preflight};
use counterfoil::registry::{Configuration, Registry};
use counterfoil::rehearsal::{Rehearsal, rehearse, try_endpoint};
use counterfoil::webhook::WebhookRequest;
use listener::Listener;
use test_mode::{
    AdyenTestMode, PayPalTestMode, StripeTestMode, Surroundings, TestMode, TestModeRig,
};

#[path = "../../tests/rigs/adyen.rs"]
mod adyen;
mod listener;
#[allow(dead_code)] // the rigs are shared with tests that use more of them
#[path = "../../tests/rigs/paypal.rs"]
mod paypal;
#[allow(dead_code)]
#[path = "../../tests/rigs/stripe.rs"]
mod stripe;
mod test_mode;

const USAGE: &str = "\
usage: rehearse [--provider NAME] [--by-token | --test-mode [--listen PORT]] [--json]
                [--evidence FILE [--currency CODE]...]
       rehearse [--provider stripe] --endpoint URL --secret SECRET

  --provider NAME    the provider to rehearse with: stripe (default), paypal or adyen
  --by-token         begin payments with a token of the provider's script, not on its page
  --test-mode        over the provider's own test mode, with COUNTERFOIL_<NAME>_TEST_... variables
  --listen PORT      take webhooks on 127.0.0.1, where a tunnel such as `stripe listen` brings them;
                     without it the scenarios about webhooks are out of reach
  --json             a list for machines, not a table
  --evidence FILE    keeps what the preflight takes as the proof of this rehearsal, as JSON
  --currency CODE    a currency that the shop sells in, for the evidence; may be repeated
  --endpoint URL     try your own webhook endpoint there, on loopback
  --secret SECRET    what signs the webhooks to it, such as whsec_...";

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if options.test_mode {
        return match over_test_mode(&options) {
            Ok(code) => code,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::from(2)
            }
        };
    }
    match options.provider.as_str() {
        "stripe" => {
            let secret = options.secret.as_deref().unwrap_or("whsec_of_a_rehearsal");
            run(&options, || {
                stripe::StripeRig::with_secret(options.by_token, secret)
            })
        }
        "adyen" if options.endpoint.is_none() => run(&options, || {
            adyen::AdyenRig::new(options.by_token, options.by_token)
        }),
        "paypal" if options.endpoint.is_none() && !options.by_token => {
            run(&options, paypal::PayPalRig::new)
        }
        other => {
            eprintln!("{other} is not rehearsed like that\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// Plays what a provider's own test mode can play, with the credentials of the environment.
fn over_test_mode(options: &Options) -> counterfoil::Result<ExitCode> {
    let registry = Registry::built_in();
    let configuration = Configuration::from_env(&registry)?;
    let settings = test_mode::settings(&configuration, &registry, &options.provider)?;
    Ok(match options.provider.as_str() {
        "stripe" => steer(StripeTestMode::new(settings)?, options),
        "paypal" => steer(PayPalTestMode::new(settings)?, options),
        "adyen" => steer(AdyenTestMode::new(settings)?, options),
        other => {
            eprintln!("{other} has no test mode that can be steered from here");
            ExitCode::from(2)
        }
    })
}

fn steer<P: TestMode + Clone>(psp: P, options: &Options) -> ExitCode {
    let over = Ground::at(psp.api_url());
    eprintln!("over {over}, at {}", psp.api_url());
    let mut surroundings = Surroundings::real();
    let listener = match options.listen.map(Listener::on).transpose() {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("nothing can be listened on there: {error}");
            return ExitCode::from(2);
        }
    };
    if let Some(listener) = &listener {
        eprintln!("webhooks are taken at {}", listener.address());
        surroundings.letters = Some(listener.letters());
    }
    all(options, over, || {
        TestModeRig::new(psp.clone(), &surroundings)
    })
}

fn run<R: Rig>(options: &Options, make: impl Fn() -> R) -> ExitCode {
    match &options.endpoint {
        Some(url) => endpoint(url, make),
        None => all(options, Ground::Simulator, make),
    }
}

fn all<R: Rig>(options: &Options, over: Ground, make: impl Fn() -> R) -> ExitCode {
    let rehearsal = rehearse(&make);
    if let Some(file) = &options.evidence
        && let Err(error) = keep(&rehearsal, over, options, &make(), file)
    {
        eprintln!("{file}: {error}");
        return ExitCode::FAILURE;
    }
    if options.json {
        match serde_json::to_string_pretty(&rehearsal) {
            Ok(json) => println!("{json}"),
            Err(error) => eprintln!("{error}"),
        }
    } else {
        println!("{rehearsal}");
    }
    let has_passed = rehearsal.passed().next().is_some();
    exit_code(rehearsal.is_good() && has_passed)
}

/// Keeps the evidence of a rehearsal for the preflight of the same configuration.
fn keep(
    rehearsal: &Rehearsal,
    over: Ground,
    options: &Options,
    rig: &dyn Rig,
    file: &str,
) -> Result<(), Box<dyn Error>> {
    let provider = rig.provider(&Namespace::new("shop")?);
    let preflight = Preflight::new().with_currencies(&options.currencies);
    let fingerprint = preflight.fingerprint(&provider);
    let name = provider.name().as_str();
    let evidence =
        Evidence::new(name, &fingerprint, over, SystemClock.now()).of_rehearsal(rehearsal);
    std::fs::write(file, serde_json::to_string_pretty(&evidence)?)?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn endpoint<R: Rig>(url: &str, make: impl FnOnce() -> R) -> ExitCode {
    let options = TransportOptions::default().with_total_timeout(Duration::from_secs(10));
    let rig = make();
    let rulings = try_endpoint(&rig, SystemClock.now(), async |webhook| {
        let transport = ReqwestTransport::loopback(&options).ok()?;
        let answer = transport.send(request(url, &webhook)?).await.ok()?;
        Some(answer.status().as_u16())
    });
    match rulings.await {
        Ok(rulings) => {
            for ruling in &rulings {
                println!("{ruling}");
            }
            exit_code(rulings.iter().all(|ruling| ruling.is_good()))
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn request(url: &str, webhook: &WebhookRequest) -> Option<http::Request<Bytes>> {
    let mut request = http::Request::post(url).header("content-type", "application/json");
    for (name, value) in webhook.headers() {
        request = request.header(name, value);
    }
    request.body(Bytes::copy_from_slice(webhook.body())).ok()
}

fn exit_code(is_good: bool) -> ExitCode {
    if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

struct Options {
    provider: String,
    by_token: bool,
    test_mode: bool,
    listen: Option<u16>,
    json: bool,
    evidence: Option<String>,
    currencies: Vec<Currency>,
    endpoint: Option<String>,
    secret: Option<String>,
}

impl Options {
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = arguments;
        let mut options = Self {
            provider: "stripe".into(),
            by_token: false,
            test_mode: false,
            listen: None,
            json: false,
            evidence: None,
            currencies: Vec::new(),
            endpoint: None,
            secret: None,
        };
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{name} needs a value"));
            match name.as_str() {
                "--provider" => options.provider = value()?,
                "--by-token" => options.by_token = true,
                "--test-mode" => options.test_mode = true,
                "--listen" => {
                    let port = value()?.parse();
                    options.listen = Some(port.map_err(|_| "--listen needs a port")?);
                }
                "--json" => options.json = true,
                "--evidence" => options.evidence = Some(value()?),
                "--currency" => {
                    let currency = Currency::from_code(&value()?);
                    options
                        .currencies
                        .push(currency.map_err(|error| error.to_string())?);
                }
                "--endpoint" => options.endpoint = Some(value()?),
                "--secret" => options.secret = Some(value()?),
                other => return Err(format!("{other} is no option")),
            }
        }
        if options.endpoint.is_some() != options.secret.is_some() {
            return Err("--endpoint and --secret go together".into());
        }
        if options.test_mode && (options.by_token || options.endpoint.is_some()) {
            return Err("--test-mode goes with neither --by-token nor --endpoint".into());
        }
        if options.listen.is_some() && !options.test_mode {
            return Err("--listen goes with --test-mode".into());
        }
        Ok(options)
    }
}
