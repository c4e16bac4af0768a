//! The rehearsal over Stripe's test mode, as `--test-mode` plays it, with stripe-world in Stripe's
//! place: a Stripe that others wrote. `tests/contract/stripe_world.sh` starts it; without it nothing
//! is run, and said so.

mod adapted;

#[path = "../../rigs/other_line.rs"]
mod other_line;

#[allow(dead_code, unused_imports)] // the example uses more of it
#[path = "../../../examples/rehearse/test_mode/mod.rs"]
mod test_mode;

use std::io::Write as _;
use std::sync::Arc;

use adapted::Adapted;
use counterfoil::clock::SystemClock;
use counterfoil::http::ManualTimer;
use counterfoil::registry::{Configuration, Registry};
use counterfoil::rehearsal::rehearse;
use other_line::OtherLine;
use test_mode::{StripeTestMode, Surroundings, TestModeRig};

/// What stripe-world has not.
const MISSING: &[(&[u32], &str)] = &[
    (&[6], "stripe-world blocks no card"),
    (&[8], "stripe-world takes every key"),
    (&[9, 12, 56], "stripe-world has no 3-D Secure"),
    (&[35], "stripe-world captures once"),
    (&[41, 42], "stripe-world settles each refund at once"),
    (&[45], "stripe-world decides no dispute"),
];

#[test]
fn what_stripe_world_has_passes() {
    let Some(server) = std::env::var_os("COUNTERFOIL_STRIPE_WORLD") else {
        // Written to the stream itself: the harness hides what a passing test prints.
        let _ = writeln!(
            std::io::stderr(),
            "NOT RUN: COUNTERFOIL_STRIPE_WORLD is not set: use stripe_world.sh"
        );
        return;
    };
    let server = server.into_string().unwrap();
    // A server that outlives this process must not know its keys.
    let world = format!("{server}/worlds/rehearsal-{}", std::process::id());
    let registry = Registry::built_in();
    let variables = [
        ("COUNTERFOIL_STRIPE_TEST_NAMESPACE", "shop"),
        ("COUNTERFOIL_STRIPE_TEST_SECRET_KEY", "sk_test_contract"),
        ("COUNTERFOIL_STRIPE_TEST_WEBHOOK_SECRET", "whsec_contract"),
        ("COUNTERFOIL_STRIPE_TEST_BASE_URL", &world),
    ];
    let configuration = Configuration::from_vars(&registry, variables).unwrap();
    let settings = test_mode::settings(&configuration, &registry, "stripe").unwrap();
    let psp = OtherLine {
        psp: StripeTestMode::new(settings).unwrap(),
        line: |line| Arc::new(Adapted(line)),
        missing: MISSING,
    };
    let surroundings = Surroundings {
        clock: Arc::new(SystemClock),
        timer: || Arc::new(ManualTimer::new()),
        wait: Arc::new(|_| {}),
        letters: None,
        run: "world".to_owned(),
    };
    let rehearsal = rehearse(|| TestModeRig::new(psp.clone(), &surroundings));
    println!("{rehearsal}");
    assert!(rehearsal.is_good(), "{rehearsal}");
    let passed: Vec<_> = rehearsal.passed().collect();
    assert_eq!(
        passed,
        [
            "S1", "S2", "S3", "S4", "S5", "S7", "S13", "S14", "S15", "S16", "S17", "S18", "S23",
            "S28", "S34", "S36", "S38", "S39", "S40", "S43", "S44", "S46", "S49", "S53", "S54",
        ],
        "{rehearsal}"
    );
}
