//! Whole shops from a seed, against the simulated Stripe: everything that can fail does, processes
//! die between any two steps, and in the end the books must agree.
//!
//! Here are a few hundred orders; the package `tests/simulation` runs many, on SQL stores too, and
//! plants defects that must be seen.

mod simulated_shop;

use simulated_shop::{Findings, Shop, Tally, assert_sound, run_in_memory};

#[test]
fn the_books_are_sound_on_one_node() {
    assert_sound(1..3, |seed| Shop::new(seed, 100, 1));
}

#[test]
fn the_books_are_sound_on_three_nodes() {
    assert_sound(3..5, |seed| Shop::new(seed, 100, 3));
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let trace = |seed| {
        let (mut findings, mut tally) = (Findings::default(), Tally::default());
        run_in_memory(&Shop::new(seed, 20, 3), &mut findings, &mut tally)
    };
    assert_eq!(trace(1), trace(1));
    assert_ne!(trace(1), trace(2));
}
