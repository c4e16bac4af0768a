//! The scenario suite: does a provider keep what the handle promises? For the providers here and
//! for yours.
//!
//! Implement [`Rig`] over a fake of your provider's service, then write in a test file
//!
//! ```text
//! counterfoil::conformance!(tallypay, TallypayRig::new());
//! ```
//!
//! and `cargo test` runs one named test per case, each on a fresh rig. [`run_all`] does the same
//! at run time and gives a [`Report`]. `examples/custom_provider.rs` is a whole provider with its
//! rig in one file.
//!
//! A case ends in one of five ways, and none of them hides another ([`Outcome`]):
//!
//! - *proven*: the provider did what the case asks;
//! - *refused*: its capabilities say that it cannot do what the case needs, and the handle was
//!   seen to refuse exactly that with no request sent;
//! - *does not apply*: the provider promises nothing of the kind, as when it leaves the choice of
//!   currencies to the account, or is offline and so has no key that can be wrong and no request
//!   that can be lost. One that says so and sends a request fails;
//! - *failed*;
//! - *not proven*: the rig could not play its part. That fails too, unless [`Rig::known_gaps`]
//!   names the case with a reason; such a gap is printed, and once it can be proven it must go
//!   from the list.
//!
//! The suite is not covered by semantic versioning: a new release may add cases, and so fail a
//! provider that passed before.

mod cases;
mod hearing;
pub(crate) mod rig;
pub(crate) mod run;
mod spans;
pub(crate) mod stage;

pub use rig::{Booked, Fault, Happening, Rig, Shopper, SignedWith, Strikes, Unable, UnusualNotice};
pub use run::{CASES, Case, Outcome, Report, run_all};

/// Proves a provider: one test per case of the suite, in a module called `$name`, each on a rig
/// that the expression makes anew.
///
/// See [`conformance`](mod@crate::conformance) for what a rig is.
#[macro_export]
macro_rules! conformance {
    ($name:ident, $rig:expr) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            $crate::conformance_cases!([$crate::conformance_test]($rig));
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! conformance_test {
    (($rig:expr) $($group:ident { $($case:ident)* })*) => {
        $(mod $group {
            #[allow(unused_imports)]
            use super::*;
            $(
                #[test]
                fn $case() {
                    let case = $crate::conformance::Case::named(stringify!($group), stringify!($case));
                    let outcome = case.expect("the case is in the suite").run(|| $rig);
                    assert!(outcome.is_good(), "{outcome}");
                    println!("{outcome}");
                }
            )*
        })*
    };
}

/// Every case, by group: the one list that the tests and [`CASES`] are made from.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_cases {
    ([$($then:tt)+] $head:tt) => {
        $($then)+! { $head
            creation {
                the_same_attempt_twice_is_one_payment
                the_same_attempt_twice_at_once_is_one_payment
                the_same_attempt_with_another_amount_is_refused_before_io
                a_restarted_host_cannot_charge_another_amount_for_an_attempt
                the_next_attempt_is_another_payment
                the_reference_comes_back_on_every_fetch
                every_alias_leads_to_the_same_payment
                a_card_number_in_a_description_is_refused_before_io
                a_currency_that_is_not_taken_is_refused_before_io
            }
            amounts {
                yen_without_decimals_are_exact
                euros_with_two_decimals_are_exact
                dinars_with_three_decimals_are_exact
            }
            shopper {
                a_new_payment_is_not_paid
                a_paid_payment_is_captured_once
                a_payment_by_token_is_captured_at_once
                insufficient_funds_can_be_tried_with_another_method
                a_processor_failure_can_be_tried_later
                a_wrong_security_code_can_be_corrected
                an_expired_card_can_be_corrected
                a_fraud_refusal_is_hidden_from_the_shopper
                an_unexplained_decline_is_generic
                a_declined_token_names_its_payment
                a_passed_challenge_is_captured
                a_failed_challenge_is_declined
                an_abandoned_challenge_is_neither_paid_nor_failed
                an_expired_checkout_ends_without_money
                a_slow_payment_is_pending_until_it_is_paid
                a_slow_payment_that_fails_took_no_money
            }
            approval {
                an_approval_takes_and_holds_nothing
                a_completed_payment_is_taken_once
                a_completed_hold_is_not_money
                another_amount_is_not_completed
                what_nobody_approved_is_not_completed
                a_lost_completion_is_found_by_fetching
            }
            captures {
                a_held_amount_is_not_counted_as_money
                a_partial_capture_releases_the_rest
                several_captures_stay_within_what_is_held
                more_than_is_held_is_refused
                one_command_captures_once
                a_lost_capture_answer_is_found_by_fetching
                a_voided_amount_cannot_be_captured
                a_lapsed_hold_cannot_be_captured
                a_captured_payment_cannot_be_voided
                an_unpaid_checkout_can_be_ended
            }
            refunds {
                partial_refunds_never_exceed_the_payment
                refunds_at_once_never_exceed_the_payment
                more_than_was_captured_is_refused
                another_currency_is_refused
                one_command_refunds_once
                another_command_is_another_refund
                one_command_with_another_amount_is_refused_before_io
                a_refund_lost_before_processing_can_be_sent_again
                a_lost_refund_answer_is_found_by_its_command
                a_pending_refund_succeeds_later
                a_refund_that_fails_after_success_gives_the_money_back
                a_refund_made_in_the_dashboard_is_listed_without_a_command
            }
            faults {
                a_request_lost_before_processing_can_be_sent_again
                an_answer_lost_after_processing_is_unknown_and_found
                a_server_error_before_processing_is_never_a_decline
                a_server_error_after_processing_is_unknown_and_found
                a_rate_limit_is_waited_out_under_the_same_key
                a_lost_read_moves_nothing
                a_wrong_key_is_the_operators_to_mend
            }
            webhooks {
                a_genuine_notice_is_accepted
                every_notice_carries_the_reference
                redelivered_and_reordered_notices_converge
                a_test_notice_at_the_live_endpoint_is_set_aside
                a_notice_of_another_installation_is_set_aside
                a_notice_not_about_payments_says_so
                an_unknown_type_is_tolerated
                an_unknown_status_is_neither_success_nor_failure
                unknown_fields_are_ignored
            }
            forgeries {
                an_altered_byte_is_refused
                another_secret_is_refused
                a_stale_notice_is_refused
                a_notice_from_the_future_is_refused
                a_missing_signature_is_refused
                a_doubled_signature_is_refused
                an_empty_body_is_refused
                an_oversized_body_is_refused
                a_body_that_is_not_utf8_is_not_read
                a_truncated_body_is_not_read
                a_deeply_nested_body_is_not_read
            }
            listing {
                payments_are_listed_to_the_end
                refunds_are_listed_to_the_end
                an_order_never_begun_has_no_payments
                a_dispute_is_listed_with_its_payment
                the_lines_of_a_payout_sum_to_it
            }
            limits {
                what_is_unsupported_is_refused_before_io
                the_account_says_its_mode
                an_id_of_another_provider_is_refused_before_io
                a_payment_of_another_installation_is_refused
                a_payment_that_does_not_exist_is_not_found
                a_crafted_id_never_leaves_its_path
                no_secret_is_shown
            }
        }
    };
}
