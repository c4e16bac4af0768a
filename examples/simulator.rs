//! Serves a simulated payment provider on loopback, to try any SDK, any shop and any browser
//! against it by hand.
//!
//! ```text
//! cargo run --example simulator -- --provider stripe --port 12111 \
//!     [--webhook-url URL --webhook-secret SECRET] [--root-file PATH] [--seed N]
//! ```
//!
//! It prints the settings with which an application of this crate reaches it from another process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use counterfoil::clock::{Clock, SystemClock};
use counterfoil::simulator::{self, SimulatedProvider, SimulatorServer};

const USAGE: &str = "\
usage: simulator --provider NAME --port PORT [--webhook-url URL --webhook-secret SECRET]
                 [--root-file PATH] [--seed N]

  --provider NAME          the provider to simulate: adyen, paypal or stripe
  --port PORT              the port on 127.0.0.1; 0 takes a free one
  --webhook-url URL        where to post webhooks, on loopback
  --webhook-secret SECRET  what signs them: whsec_test, for Adyen an HMAC key, for PayPal the
                           webhook's id
  --root-file PATH         where the root certificate is written that PayPal's webhooks are signed
                           under (default: a file in the folder for temporary files)
  --seed N                 what ids are drawn from (default 1)";

#[tokio::main]
async fn main() -> ExitCode {
    run(std::env::args().skip(1)).await
}

pub(crate) async fn run(arguments: impl Iterator<Item = String>) -> ExitCode {
    let options = match Options::parse(arguments) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match serve(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the simulator did not start: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let Options { mut provider, .. } = options;
    if let Some((url, secret)) = &options.webhook {
        provider.subscribe(url, secret);
    }
    let name = provider.name();
    let address = SocketAddr::from(([127, 0, 0, 1], options.port));
    let server = SimulatorServer::start_live(Arc::new(Mutex::new(provider)), address).await?;
    let base_url = server.base_url();
    println!("A simulated {name} account on {base_url}. Stop it with Ctrl-C.\n");
    let simulator = server.simulator();
    let help = simulator
        .lock()
        .map(|simulator| simulator.connection_help(&base_url));
    println!("{}\n", help.unwrap_or_default());
    let root = simulator
        .lock()
        .ok()
        .and_then(|simulator| simulator.trust_root());
    if let Some(pem) = &root {
        std::fs::write(&options.root_file, pem)
            .map_err(|error| format!("{}: {error}", options.root_file.display()))?;
    }
    let secret = options.webhook.as_ref().map(|(_, secret)| secret.as_str());
    let settings = simulator
        .lock()
        .map(|simulator| simulator.settings(&base_url, secret));
    println!("Settings of an application of this crate:");
    let settings = settings.unwrap_or_default();
    print_settings(name, &settings, root.as_ref().map(|_| &*options.root_file));
    println!();
    match &options.webhook {
        Some((url, _)) => println!("Webhooks go to {url}, signed with the secret given."),
        None => println!("Webhooks go nowhere: see --webhook-url."),
    }
    tokio::signal::ctrl_c().await?;
    server.stop().await;
    Ok(())
}

/// One variable of the environment a line.
fn print_settings(provider: &str, settings: &[(&str, String)], root_file: Option<&Path>) {
    let print = |name: &str, value: &str| {
        let key = format!("COUNTERFOIL_{provider}_TEST_{name}").to_ascii_uppercase();
        println!("{key}={value}");
    };
    print("namespace", "shop");
    for (name, value) in settings {
        print(name, value);
    }
    if let Some(file) = root_file {
        print("webhook_root_file", &file.display().to_string());
    }
}

struct Options {
    provider: Box<dyn SimulatedProvider>,
    port: u16,
    webhook: Option<(String, String)>,
    root_file: PathBuf,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut provider, mut port, mut seed) = (None, None, 1);
        let (mut url, mut secret) = (None, None);
        let mut root_file = std::env::temp_dir().join("simulated-paypal-root.pem");
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or(format!("{name} needs a value"))?;
            let wrong = || format!("{name} cannot be {value}");
            match name.as_str() {
                "--provider" => provider = Some(value),
                "--port" => port = Some(value.parse().map_err(|_| wrong())?),
                "--seed" => seed = value.parse().map_err(|_| wrong())?,
                "--root-file" => root_file = value.into(),
                "--webhook-url" if is_loopback(&value) => url = Some(value),
                "--webhook-secret" if !value.is_empty() => secret = Some(value),
                "--webhook-url" | "--webhook-secret" => return Err(wrong()),
                _ => return Err(format!("{name} is not known")),
            }
        }
        let name = provider.ok_or("--provider is needed")?;
        let provider = simulator::by_name(&name, seed, SystemClock.now());
        let known: Vec<_> = simulator::names().collect();
        let provider = provider.ok_or(format!("{name} is not simulated; known: {known:?}"))?;
        let webhook = match (url, secret) {
            (Some(url), Some(secret)) => Some((url, secret)),
            (None, None) => None,
            _ => return Err("--webhook-url and --webhook-secret go together".to_owned()),
        };
        Ok(Self {
            provider,
            port: port.ok_or("--port is needed")?,
            webhook,
            root_file,
        })
    }
}

fn is_loopback(url: &str) -> bool {
    let uri: Option<http::Uri> = url.parse().ok();
    uri.is_some_and(|uri| {
        let host = uri.host().unwrap_or_default();
        uri.scheme_str() == Some("http") && matches!(host, "127.0.0.1" | "localhost" | "[::1]")
    })
}
