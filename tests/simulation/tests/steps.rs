//! Everything that can go wrong at each step of a flow, one pair after the other: all of them.

use counterfoil_simulation::{Share, flows, prove};

#[test]
fn no_trouble_at_any_step_loses_or_doubles_money() {
    let pairs = prove(&flows(), Share { every: 1 });
    assert!(pairs > 50_000, "only {pairs} pairs");
}
