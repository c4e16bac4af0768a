//! Matches the payments of a shop with its orders, and its payouts with their lines.
//!
//! ```text
//! cargo run --release --example reconcile -- --orders orders.csv.gz --payments payments.csv.gz
//! ```
//!
//! Files are CSV, plain or gzipped, with columns found by the names in their header, or reports of
//! Stripe, Adyen and PayPal, or bank statements in camt.053 and MT940; which, is told from their
//! content. `--help` lists what can be written out.
//!
//! The exit code is 0 when all was matched and written, 1 for input that cannot be read, and 2 for
//! wrong usage.

mod app;
mod args;
mod chart;
mod input;
mod output;
mod page;
mod policy;
mod summary;

use std::process::ExitCode;

use args::Command;

fn main() -> ExitCode {
    let args = match args::parse(std::env::args_os().skip(1)) {
        Ok(Command::Run(args)) => args,
        Ok(Command::Help) => {
            println!("{}", args::HELP);
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            eprintln!("reconcile: {message}\n\n{}", args::HELP);
            return ExitCode::from(2);
        }
    };
    match app::run(&args, &mut std::io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("reconcile: {message}");
            ExitCode::from(1)
        }
    }
}
