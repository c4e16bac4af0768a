//! Everything that can go wrong at each step of a flow, one pair after the other. All pairs take some
//! minutes: `cargo run --release -p counterfoil-simulation -- --steps 1`. Here is each third.

use counterfoil_simulation::{Share, flows, prove};

#[test]
fn no_trouble_at_any_step_loses_or_doubles_money() {
    let pairs = prove(&flows(), Share { every: 3 });
    assert!(pairs > 30_000, "only {pairs} pairs");
}
