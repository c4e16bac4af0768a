//! Webhooks in every order, with every choice of those that come twice. All ways to hear of them take
//! some minutes: `cargo run --release -p counterfoil-simulation -- --news 1`. Here is each fifth.

use counterfoil_simulation::{converge, stories};

fn converges(number: usize) {
    let runs = converge(&stories()[number], 5);
    assert!(runs >= (120 << 5) / 5, "only {runs} ways");
}

macro_rules! converge {
    ($($name:ident: $number:literal,)*) => {
        $(#[test]
        fn $name() {
            converges($number);
        })*

        #[test]
        fn each_story_is_told() {
            assert_eq!([$($number),*].len(), stories().len());
        }
    };
}

converge! {
    declined_paid_and_refunded_twice: 0,
    a_refund_that_fails: 1,
    a_dispute_that_is_lost: 2,
    refunded_twice_at_paypal: 3,
    a_dispute_at_paypal_that_is_won: 4,
    what_adyen_tells: 5,
}
