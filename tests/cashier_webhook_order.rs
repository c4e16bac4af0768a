//! Webhooks in every order, some of them twice: the shop knows the same in the end. Here is a part
//! of all ways to hear of them; the package `tests/simulation` runs many more, and all of them by
//! command.

mod simulated_shop;

use simulated_shop::{converge, replay_in_memory, stories};

#[test]
fn whatever_the_order_of_webhooks_the_shop_knows_the_same_in_the_end() {
    let stories = stories();
    let runs: usize = stories.iter().map(|story| converge(story, 401)).sum();
    assert!(runs > 200, "only {runs} ways");
}

#[test]
fn a_webhook_that_comes_a_thousand_times_counts_once() {
    replay_in_memory();
}
