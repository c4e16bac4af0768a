//! The rehearsal: what must go right, and what will go wrong, tried before the first customer does.
//!
//! Each [`Scenario`] is a short story with its exact end: a shopper who is declined, a webhook that
//! comes twice, a refund whose answer is lost. It is played by a [`Cashier`](crate::cashier) over
//! your provider, and a [`Rig`] plays everybody else. The same scenarios run
//! over the simulators here and over a provider's own test mode, as far as that can be steered.
//!
//! ```text
//! cargo run --example rehearse -- --provider stripe
//! ```
//!
//! prints what [`rehearse`] found. A test file plays them one by one:
//!
//! ```text
//! counterfoil::rehearsal!(tallypay, TallypayRig::new());
//! ```
//!
//! With `--test-mode` it plays over the provider's own test mode, with the credentials of the
//! environment: what its test triggers bring about without a browser is played, and each other
//! scenario says why it [cannot be reached](crate::conformance::Rig::out_of_reach). What is judged
//! then is what the provider answers.
//!
//! Every scenario is played twice, on a fresh rig each time: the shop hears of everything by
//! webhooks, and then by asking only ([`News`]). Both must end the same. Each time nothing may be
//! confirmed twice, and no secret may be in the records.
//!
//! Your own webhook endpoint can be tried too, from outside: [`try_endpoint`].
//!
//! The list is not covered by semantic versioning: a new release may add scenarios.

mod endpoint;
mod report;
mod run;
mod scenarios;
mod shop;
mod store;

pub use endpoint::{EndpointRuling, try_endpoint};
pub use report::{Rehearsal, Ruling};
pub use run::{SCENARIOS, Scenario};
pub use shop::News;

use crate::conformance::rig::Rig;

/// Plays every scenario with [`Scenario::play`]. Call it outside of async code.
#[must_use]
pub fn rehearse<R: Rig>(make: impl Fn() -> R) -> Rehearsal {
    let play = |scenario: &Scenario| Ruling {
        scenario: *scenario,
        outcome: scenario.play(&make),
    };
    Rehearsal {
        rulings: SCENARIOS.iter().map(play).collect(),
    }
}

/// Plays every scenario, one test each, in a module called `$name`, each on a rig that the
/// expression makes anew.
#[macro_export]
macro_rules! rehearsal {
    ($name:ident, $rig:expr) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            $crate::rehearsal_scenarios!([$crate::rehearsal_test]($rig));
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! rehearsal_test {
    (($rig:expr) $($file:ident { $($id:ident $name:literal $expected:literal)* })*) => {
        $($(
            #[test]
            fn $id() {
                let scenario = $crate::rehearsal::Scenario::with_id(stringify!($id));
                let scenario = scenario.expect("the scenario is in the list");
                let outcome = scenario.play(|| $rig);
                assert!(outcome.is_good(), "{scenario:?}: {outcome}");
                println!("{scenario:?}: {outcome}");
            }
        )*)*
    };
}

/// Every scenario, by file: the one list that the tests and [`SCENARIOS`] are made from.
#[doc(hidden)]
#[macro_export]
macro_rules! rehearsal_scenarios {
    ([$($then:tt)+] $head:tt) => {
        $($then)+! { $head
            outcomes {
                s1 "paid at once" "Captured and matched; the books hold the total; confirmed once."
                s2 "held, then taken" "While it is held no money counts; after the capture it is paid."
                s3 "not enough funds" "Declined; another card may help; the next try pays the order."
                s4 "stolen card" "Declined for good; the shopper reads what any refused shopper reads."
                s5 "wrong security code" "Declined; the field is named; the next try pays the order."
                s6 "refused as fraud" "Declined for good; the reason is kept from the shopper."
                s7 "the bank cannot answer" "Declined for now; no money moved; the next try pays the order."
                s8 "wrong key" "The operator's to mend, and no decline; nothing was sent on."
                s9 "confirmed by the bank unasked" "As if nothing had been checked: paid, confirmed once."
                s10 "bank's question answered" "Waits for the shopper, then paid."
                s11 "bank's question failed" "Declined; nothing is confirmed."
                s12 "bank's question left open" "Waits until its time is over; then the order can be paid anew."
                s13 "browser closed after paying" "Paid all the same, by webhook or by asking."
            }
            doubt {
                s14 "request lost on its way" "Unknown; the provider is asked; sent again under its key; one payment."
                s15 "answer lost on its way" "Unknown; the provider is asked and has it; one payment."
                s16 "nobody can be asked either" "Stays unknown; no second attempt is begun."
                s17 "two clicks at once" "One payment; both clicks get it."
                s18 "too many requests" "Waited out under the same key; one payment."
            }
            notices {
                s19 "webhook twice, at once" "Acknowledged both times; one change; one confirmation."
                s20 "webhooks in reverse, twice" "Ends as it would in order."
                s21 "webhook before the order" "Kept, and taken in when the order is placed."
                s22 "webhook days after closing" "Paid after close: nothing is delivered, a person decides."
                s23 "webhook never" "The sweep finds the payment."
            }
            forgeries {
                s24 "forged signature" "Not acknowledged; nothing changes."
                s25 "one byte changed" "Not acknowledged; nothing changes."
                s26 "too old, or from the future" "Refused, and the refusal says which."
                s27 "secret rotated" "Both are trusted in between; afterwards the old one is not."
                s28 "no secret" "Refuses to start, or believes nothing; never everything."
            }
            notices {
                s29 "test event at the live endpoint" "Acknowledged and set aside, both ways round; nothing changes."
                s30 "event of another shop" "Acknowledged; nothing changes here."
                s31 "unknown type, unknown status" "Acknowledged; read neither as success nor as failure."
                s32 "store down" "Answered 5xx; the next delivery succeeds."
                s33 "one bad item among good" "Kept for review beside the good ones, or not acknowledged; each good item is taken in once."
            }
            captures {
                s34 "part taken, rest let go" "The part counts; nothing is held any more."
                s35 "taken in several parts" "Never more than is held in all; refused here if the provider cannot."
                s36 "more than is held" "Refused here; nothing is taken."
                s37 "taken after the hold lapsed" "Refused; nothing is confirmed."
                s38 "let go" "Voided; a later capture is refused."
            }
            refunds {
                s39 "refunded in parts, then whole" "The books are exact after each."
                s40 "more than is left; two at once" "Refused before anything is sent; of two at once one is made."
                s41 "refund pending, then done" "Confirmed only when done."
                s42 "refund fails after success" "Taken back: the balance is restored and a person is told."
                s43 "refund in the dashboard" "In the books once, as made elsewhere."
                s44 "refund's answer lost" "Unknown; the provider is asked; made once."
                s45 "disputed, won, lost" "The money is away while disputed, back if won, gone if lost."
                s46 "refund while disputed" "Refused: the payer would get the money twice."
            }
            outcomes {
                s47 "slow method pays, or fails, days later" "Pending until then; then paid, or unpaid."
                s48 "pending" "Not delivered, and no second payment is begun."
            }
            amounts {
                s49 "yen, dinars, 8.20 euros, 0.01" "Exact on the wire; too little is refused here."
                s50 "one cent short, one cent over" "Partly paid, and overpaid."
                s51 "another currency" "Wrong currency; nothing is converted; a person decides."
                s52 "paid in two parts" "Partly paid, then paid once the parts sum to the total."
                s53 "payment without a reference" "Given to no order; the nearest are named."
                s54 "two equal orders, no reference" "Ambiguous, with both named."
                s55 "paid twice" "Overpaid, confirmed once; a person decides which is refunded."
                s56 "order changed during checkout" "The old checkout is ended; the new amount is asked for."
                s57 "payout report" "Every line counts, and the payout closes with nothing left over."
            }
            doubt {
                s58 "process dies at every step" "Started again on what is stored, it ends the same."
            }
        }
    };
}
