//! Many orders on the memory store. `src/main.rs` runs as many as one likes.

use counterfoil_simulation::{Findings, Shop, Tally, assert_sound, run_in_memory};

#[test]
fn the_books_of_10000_orders_are_sound_on_one_node() {
    assert_sound(1001..1101, |seed| Shop::new(seed, 100, 1));
}

#[test]
fn the_books_of_10000_orders_are_sound_on_three_nodes() {
    assert_sound(2001..2101, |seed| Shop::new(seed, 100, 3));
}

/// Then only the age of a key says whether a creation may be sent again.
#[test]
fn the_books_are_sound_where_payments_cannot_be_looked_for() {
    assert_sound(3001..3021, |seed| Shop {
        searches: false,
        ..Shop::new(seed, 100, 3)
    });
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let trace = |seed| {
        let (mut findings, mut tally) = (Findings::default(), Tally::default());
        run_in_memory(&Shop::new(seed, 4, 3), &mut findings, &mut tally)
    };
    for seed in 0..1000 {
        assert_eq!(trace(seed), trace(seed), "seed {seed}");
    }
    assert_ne!(trace(1), trace(2));
}
