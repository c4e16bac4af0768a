//! The mode is chosen once, where settings are read; from there on the types keep it.
//!
//!     cargo run --example choose_mode
//!
//! A host would take the settings from its environment. Here they are written out, so that every
//! way to get them wrong can be seen as well.

use std::process::ExitCode;

use counterfoil::providers::stripe::Stripe;
use counterfoil::registry::{Configured, Registry, Settings};
use counterfoil::{Live, ModeKind, Provider, Result, Test};

type Values = &'static [(&'static str, &'static str)];

fn main() -> ExitCode {
    let registry = Registry::new().with("stripe", Stripe::configure);
    let choices: [(&str, ModeKind, Values); 5] = [
        (
            "test keys for test mode",
            ModeKind::Test,
            &[
                ("namespace", "shop"),
                ("secret_key", "rk_test_1"),
                ("webhook_secret", "whsec_1"),
            ],
        ),
        (
            "live keys for live mode",
            ModeKind::Live,
            &[
                ("namespace", "shop"),
                ("secret_key", "rk_live_1"),
                ("webhook_secret", "whsec_2"),
            ],
        ),
        (
            "a live key for test mode",
            ModeKind::Test,
            &[
                ("namespace", "shop"),
                ("secret_key", "sk_live_1"),
                ("webhook_secret", "whsec_1"),
            ],
        ),
        (
            "two settings swapped",
            ModeKind::Test,
            &[
                ("namespace", "shop"),
                ("secret_key", "whsec_1"),
                ("webhook_secret", "sk_test_1"),
            ],
        ),
        (
            "one missing, one mistyped",
            ModeKind::Live,
            &[
                ("namespace", "shop"),
                ("secret_key", "rk_live_1"),
                ("webhok_secret", "whsec_2"),
            ],
        ),
    ];
    let mut refused = 0;
    for (what, mode, values) in choices {
        let settings = Settings::new(mode, values.iter().copied());
        match registry.configure("stripe", settings).and_then(run_shop) {
            Ok(shop) => println!("{what}: {shop}"),
            Err(error) => {
                refused += 1;
                println!("{what}: refused\n    {error}");
            }
        }
    }
    // Three of the five are mistakes.
    if refused == 3 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// A host decides here, once, what each mode may do.
fn run_shop(configured: Configured) -> Result<String> {
    match configured {
        Configured::Test(provider) => Ok(rehearse(&provider)),
        Configured::Live(provider) => Ok(sell(&provider)),
    }
}

fn rehearse(provider: &Provider<Test>) -> String {
    format!("rehearsing with {provider:?}")
}

/// Takes a live provider only: given a test one, it does not compile.
fn sell(provider: &Provider<Live>) -> String {
    format!("selling with {provider:?}")
}
