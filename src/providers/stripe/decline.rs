//! Why Stripe or a bank refused a payment.
//!
//! Sources: <https://docs.stripe.com/declines/codes>, <https://docs.stripe.com/error-codes>.

use super::wire;
use crate::error::{Decline, DeclineReason, InputField};

/// What Stripe says about a refusal: the code, the bank's code and the advice, each if it is there.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Refusal<'r> {
    pub(super) code: Option<&'r str>,
    pub(super) decline_code: Option<&'r str>,
    pub(super) advice_code: Option<&'r str>,
    pub(super) is_blocked: bool,
}

impl<'r> Refusal<'r> {
    /// What an error says, be it an answer's or a payment's last one.
    pub(super) fn of_error(error: &'r wire::ApiError<'_>) -> Self {
        Self {
            code: error.code.as_deref(),
            decline_code: error.decline_code.as_deref(),
            advice_code: error.advice_code.as_deref(),
            is_blocked: false,
        }
    }

    /// What a charge that failed says.
    pub(super) fn of_charge(charge: &'r wire::Object<'_>) -> Self {
        let outcome = charge.outcome.as_ref();
        Self {
            code: charge.failure_code.as_deref(),
            decline_code: outcome.and_then(|outcome| outcome.reason.as_deref()),
            advice_code: outcome.and_then(|outcome| outcome.advice_code.as_deref()),
            is_blocked: outcome.is_some_and(wire::Outcome::is_blocked),
        }
    }

    /// The same refusal, which was Radar's if its charge was blocked.
    pub(super) fn with_charge(mut self, charge: Option<&wire::Object<'_>>) -> Self {
        let outcome = charge.and_then(|charge| charge.outcome.as_ref());
        self.is_blocked |= outcome.is_some_and(wire::Outcome::is_blocked);
        self
    }

    /// The decline that it amounts to.
    pub(super) fn decline(self) -> Decline {
        // `card_declined` only says that the bank's code follows.
        let code = self.decline_code.or(self.code);
        let reason = if self.is_blocked {
            DeclineReason::Fraud
        } else {
            // A code that is not known may have a known one beside it.
            let known = [self.decline_code, self.code]
                .into_iter()
                .flatten()
                .find_map(reason_of);
            advised(known.unwrap_or(DeclineReason::Generic), self.advice_code)
        };
        match code {
            Some(code) => Decline::new(reason).with_code(code),
            None => Decline::new(reason),
        }
    }
}

/// The class of a code, or `None` if it says nothing or is not known.
fn reason_of(code: &str) -> Option<DeclineReason> {
    Some(match code {
        "processing_error"
        | "issuer_not_available"
        | "reenter_transaction"
        | "try_again_later"
        | "approve_with_id" => DeclineReason::TryLater,
        "insufficient_funds" | "card_velocity_exceeded" | "withdrawal_count_limit_exceeded" => {
            DeclineReason::InsufficientFunds
        }
        "incorrect_number" | "invalid_number" => DeclineReason::WrongInput(InputField::CardNumber),
        "expired_card" | "invalid_expiry_month" | "invalid_expiry_year" => {
            DeclineReason::WrongInput(InputField::Expiry)
        }
        "incorrect_cvc" | "invalid_cvc" => DeclineReason::WrongInput(InputField::SecurityCode),
        "incorrect_zip" => DeclineReason::WrongInput(InputField::PostalCode),
        "card_not_supported" | "currency_not_supported" => DeclineReason::NotSupported,
        "authentication_required" => DeclineReason::AuthenticationRequired,
        "payment_intent_authentication_failure" => DeclineReason::AuthenticationFailed,
        "generic_decline"
        | "do_not_honor"
        | "transaction_not_allowed"
        | "invalid_account"
        | "call_issuer" => DeclineReason::Generic,
        "fraudulent" | "lost_card" | "stolen_card" | "pickup_card" | "restricted_card"
        | "merchant_blacklist" => DeclineReason::Fraud,
        "revocation_of_authorization"
        | "revocation_of_all_authorizations"
        | "stop_payment_order" => DeclineReason::MandateStopped,
        _ => return None,
    })
}

/// Stripe's advice overrides the class of the code, but never makes a reason vaguer than it is nor
/// gives a fraud away.
fn advised(reason: DeclineReason, advice: Option<&str>) -> DeclineReason {
    use DeclineReason as Reason;
    match (advice, reason) {
        (_, Reason::Fraud | Reason::MandateStopped) => reason,
        (Some("do_not_try_again"), _) => Reason::DoNotRetry,
        (
            Some("try_again_later"),
            Reason::Generic | Reason::NotSupported | Reason::WrongInput(_),
        ) => Reason::TryLater,
        (Some("confirm_card_data"), Reason::WrongInput(_)) => reason,
        (Some("confirm_card_data"), _) => Reason::WrongInput(InputField::CardNumber),
        _ => reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::RetryAdvice;

    fn decline(code: &str, decline_code: Option<&str>, advice: Option<&str>) -> Decline {
        Refusal {
            code: Some(code),
            decline_code,
            advice_code: advice,
            is_blocked: false,
        }
        .decline()
    }

    #[test]
    fn every_documented_code_has_its_class() {
        use DeclineReason::{
            AuthenticationFailed, AuthenticationRequired, Fraud, Generic, InsufficientFunds,
            MandateStopped, NotSupported, TryLater, WrongInput,
        };
        let classes: [(DeclineReason, &[&str]); 12] = [
            (
                TryLater,
                &[
                    "processing_error",
                    "issuer_not_available",
                    "reenter_transaction",
                    "try_again_later",
                    "approve_with_id",
                ],
            ),
            (
                InsufficientFunds,
                &[
                    "insufficient_funds",
                    "card_velocity_exceeded",
                    "withdrawal_count_limit_exceeded",
                ],
            ),
            (WrongInput(InputField::CardNumber), &["incorrect_number"]),
            (
                WrongInput(InputField::Expiry),
                &[
                    "expired_card",
                    "invalid_expiry_month",
                    "invalid_expiry_year",
                ],
            ),
            (
                WrongInput(InputField::SecurityCode),
                &["incorrect_cvc", "invalid_cvc"],
            ),
            (WrongInput(InputField::PostalCode), &["incorrect_zip"]),
            (
                NotSupported,
                &["card_not_supported", "currency_not_supported"],
            ),
            (AuthenticationRequired, &["authentication_required"]),
            (
                AuthenticationFailed,
                &["payment_intent_authentication_failure"],
            ),
            (
                Generic,
                &[
                    "generic_decline",
                    "do_not_honor",
                    "transaction_not_allowed",
                    "invalid_account",
                    "call_issuer",
                    "a_code_of_tomorrow",
                ],
            ),
            (
                Fraud,
                &[
                    "fraudulent",
                    "lost_card",
                    "stolen_card",
                    "pickup_card",
                    "restricted_card",
                    "merchant_blacklist",
                ],
            ),
            (
                MandateStopped,
                &[
                    "revocation_of_authorization",
                    "revocation_of_all_authorizations",
                    "stop_payment_order",
                ],
            ),
        ];
        for (reason, codes) in classes {
            for code in codes {
                let found = decline("card_declined", Some(code), None);
                assert_eq!((found.reason, found.code.as_deref()), (reason, Some(*code)));
            }
        }
    }

    #[test]
    fn advice_overrides_the_class_but_not_fraud() {
        let advised = |code, advice| decline("card_declined", Some(code), Some(advice)).reason;
        assert_eq!(
            advised("generic_decline", "do_not_try_again"),
            DeclineReason::DoNotRetry
        );
        assert_eq!(
            advised("expired_card", "do_not_try_again"),
            DeclineReason::DoNotRetry
        );
        assert_eq!(
            advised("do_not_honor", "try_again_later"),
            DeclineReason::TryLater
        );
        assert_eq!(
            advised("generic_decline", "confirm_card_data"),
            DeclineReason::WrongInput(InputField::CardNumber)
        );
        assert_eq!(
            advised("incorrect_cvc", "confirm_card_data"),
            DeclineReason::WrongInput(InputField::SecurityCode)
        );
        assert_eq!(
            advised("insufficient_funds", "try_again_later"),
            DeclineReason::InsufficientFunds
        );
        assert_eq!(
            advised("stolen_card", "try_again_later"),
            DeclineReason::Fraud
        );
        assert_eq!(
            advised("generic_decline", "advice_of_tomorrow"),
            DeclineReason::Generic
        );
    }

    #[test]
    fn a_block_by_radar_is_fraud_and_reads_like_any_refusal() {
        let blocked = Refusal {
            code: Some("card_declined"),
            is_blocked: true,
            ..Refusal::default()
        };
        let blocked = blocked.decline();
        assert_eq!(
            (&blocked.reason, blocked.retry()),
            (&DeclineReason::Fraud, RetryAdvice::Never)
        );
        assert_eq!(
            blocked.shopper_text(),
            decline("card_declined", Some("generic_decline"), None).shopper_text()
        );
    }
}
