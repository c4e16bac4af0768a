//! Everything that can go wrong at each step of a flow, one pair after the other. Here is a part of
//! all pairs; the package `tests/simulation` runs many more, and all of them by command.

mod simulated_shop;

use simulated_shop::{Share, flows, prove};

#[test]
fn no_trouble_at_any_step_loses_or_doubles_money() {
    let pairs = prove(&flows(), Share { every: 211 });
    assert!(pairs > 400, "only {pairs} pairs");
}
