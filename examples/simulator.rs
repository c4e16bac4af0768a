//! Serves a simulated payment provider on loopback, to try any SDK, any shop and any browser
//! against it by hand.
//!
//! ```text
//! cargo run --example simulator -- --provider stripe --port 12111 \
//!     [--webhook-url URL --webhook-secret SECRET] [--seed N]
//! ```

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use counterfoil::clock::{Clock, SystemClock};
use counterfoil::simulator::{SimulatorServer, stripe::StripeSimulator};

const USAGE: &str = "\
usage: simulator --provider stripe --port PORT [--webhook-url URL --webhook-secret SECRET] [--seed N]

  --provider NAME          the provider to simulate: stripe
  --port PORT              the port on 127.0.0.1; 0 takes a free one
  --webhook-url URL        where to post webhooks, on loopback
  --webhook-secret SECRET  what signs them, such as whsec_test
  --seed N                 what ids are drawn from (default 1)";

#[tokio::main]
async fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
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
    let mut stripe = StripeSimulator::new(options.seed, SystemClock.now());
    if let Some((url, secret)) = &options.webhook {
        let _ = stripe.add_webhook_endpoint(url, secret, &["*"]);
    }
    let address = SocketAddr::from(([127, 0, 0, 1], options.port));
    let server = SimulatorServer::start_live(Arc::new(Mutex::new(stripe)), address).await?;
    explain(&server.base_url(), server.address().port(), &options);
    tokio::signal::ctrl_c().await?;
    server.stop().await;
    Ok(())
}

fn explain(base_url: &str, port: u16, options: &Options) {
    println!(
        "Stripe, simulated, on {base_url} (seed {}). Stop it with Ctrl-C.",
        options.seed
    );
    println!();
    println!("Any test key will do, such as sk_test_simulator. Point your SDK here:");
    println!();
    println!("  Node    new Stripe('sk_test_simulator',");
    println!("            {{ host: '127.0.0.1', port: {port}, protocol: 'http' }})");
    println!("  Python  StripeClient('sk_test_simulator', base_addresses={{'api': '{base_url}'}})");
    println!("  Rust    counterfoil: the base URL override of the Stripe test configuration");
    println!("  curl    curl {base_url}/v1/balance -u sk_test_simulator:");
    println!();
    match &options.webhook {
        Some((url, _)) => println!("Webhooks go to {url}, signed with the secret given."),
        None => {
            println!("Webhooks: none. Register with POST /v1/webhook_endpoints or --webhook-url.")
        }
    }
    println!("Checkout pages are at the `url` of each session. No card is asked for.");
}

struct Options {
    port: u16,
    seed: u64,
    webhook: Option<(String, String)>,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut provider, mut port, mut seed) = (None, None, 1);
        let (mut url, mut secret) = (None, None);
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or(format!("{name} needs a value"))?;
            let wrong = || format!("{name} cannot be {value}");
            match name.as_str() {
                "--provider" if value == "stripe" => provider = Some(value),
                "--port" => port = Some(value.parse().map_err(|_| wrong())?),
                "--seed" => seed = value.parse().map_err(|_| wrong())?,
                "--webhook-url" if is_loopback(&value) => url = Some(value),
                "--webhook-secret" if !value.is_empty() => secret = Some(value),
                "--provider" | "--webhook-url" | "--webhook-secret" => return Err(wrong()),
                _ => return Err(format!("{name} is not known")),
            }
        }
        if provider.is_none() {
            return Err("--provider is needed".to_owned());
        }
        let webhook = match (url, secret) {
            (Some(url), Some(secret)) => Some((url, secret)),
            (None, None) => None,
            _ => return Err("--webhook-url and --webhook-secret go together".to_owned()),
        };
        Ok(Self {
            port: port.ok_or("--port is needed")?,
            seed,
            webhook,
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
