//! Why PayPal or a bank refused a payment.
//!
//! Sources: <https://developer.paypal.com/api/rest/reference/orders/v2/errors/>, and for the codes
//! of banks <https://developer.paypal.com/docs/api/payments/v2/>. What the codes of banks mean was
//! not checked again for this version.

use super::wire::{ProcessorResponse, StatusDetails};
use crate::error::{Decline, DeclineReason, InputField};

/// The decline that an issue in an error amounts to, if it is one.
pub(super) fn of_issue(issue: &str) -> Option<Decline> {
    let reason = match issue {
        "INSTRUMENT_DECLINED"
        | "PAYMENT_SOURCE_DECLINED_BY_PROCESSOR"
        | "REDIRECT_PAYER_FOR_ALTERNATE_FUNDING"
        | "PAYER_CANNOT_PAY"
        | "PAYER_ACCOUNT_RESTRICTED"
        | "PAYER_ACCOUNT_LOCKED_OR_CLOSED" => DeclineReason::Generic,
        "PAYER_ACTION_REQUIRED" => DeclineReason::AuthenticationRequired,
        "CARD_EXPIRED" | "REFERENCED_CARD_EXPIRED" => DeclineReason::WrongInput(InputField::Expiry),
        "TRANSACTION_LIMIT_EXCEEDED" => DeclineReason::InsufficientFunds,
        "CARD_BRAND_NOT_SUPPORTED"
        | "DOMESTIC_TRANSACTION_REQUIRED"
        | "PAYMENT_SOURCE_NOT_SUPPORTED" => DeclineReason::NotSupported,
        "PAYEE_BLOCKED_TRANSACTION" | "TRANSACTION_BLOCKED_BY_PAYEE" => DeclineReason::Fraud,
        "TRANSACTION_REFUSED"
        | "COMPLIANCE_VIOLATION"
        | "DECLINED_DUE_TO_RELATED_TXN"
        | "MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED" => DeclineReason::DoNotRetry,
        _ => return None,
    };
    Some(Decline::new(reason).with_code(issue))
}

/// The decline that an authorization or capture tells of.
pub(super) fn of_payment(
    details: Option<&StatusDetails>,
    bank: Option<&ProcessorResponse>,
) -> Decline {
    let reason = details.and_then(|details| details.reason.as_deref());
    if let Some(code @ "DECLINED_BY_RISK_FRAUD_FILTERS") = reason {
        return Decline::new(DeclineReason::Fraud).with_code(code);
    }
    let code = bank.and_then(|bank| bank.response_code.as_deref());
    let advice = bank.and_then(|bank| bank.payment_advice_code.as_deref());
    let class = match (advice, code.and_then(of_bank)) {
        // The network's advice is about the card, whatever the bank's code is.
        (Some("03" | "21"), None | Some(DeclineReason::Generic)) => DeclineReason::DoNotRetry,
        (Some("02"), None | Some(DeclineReason::Generic)) => DeclineReason::TryLater,
        (_, known) => known.unwrap_or(DeclineReason::Generic),
    };
    match code.or(reason) {
        Some(code) => Decline::new(class).with_code(code),
        None => Decline::new(class),
    }
}

fn of_bank(code: &str) -> Option<DeclineReason> {
    Some(match code {
        "5120" => DeclineReason::InsufficientFunds,
        "5400" => DeclineReason::WrongInput(InputField::Expiry),
        "00N7" => DeclineReason::WrongInput(InputField::SecurityCode),
        "9500" | "9520" => DeclineReason::Fraud,
        "0500" | "5100" => DeclineReason::Generic,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issues_have_their_class_and_others_are_no_decline() {
        for (issue, reason) in [
            ("INSTRUMENT_DECLINED", DeclineReason::Generic),
            (
                "CARD_EXPIRED",
                DeclineReason::WrongInput(InputField::Expiry),
            ),
            ("TRANSACTION_REFUSED", DeclineReason::DoNotRetry),
            ("TRANSACTION_BLOCKED_BY_PAYEE", DeclineReason::Fraud),
            (
                "PAYER_ACTION_REQUIRED",
                DeclineReason::AuthenticationRequired,
            ),
        ] {
            let decline = of_issue(issue).unwrap();
            assert_eq!(decline.reason, reason);
            assert_eq!(decline.code.as_deref(), Some(issue));
        }
        for issue in ["ORDER_NOT_APPROVED", "PERMISSION_DENIED", "", "OF_TOMORROW"] {
            assert_eq!(of_issue(issue), None);
        }
    }

    #[test]
    fn the_code_of_the_bank_says_why_a_card_was_refused() {
        for (code, advice, reason) in [
            (Some("5120"), None, DeclineReason::InsufficientFunds),
            (
                Some("00N7"),
                None,
                DeclineReason::WrongInput(InputField::SecurityCode),
            ),
            (Some("9520"), Some("02"), DeclineReason::Fraud),
            (Some("0500"), Some("03"), DeclineReason::DoNotRetry),
            (Some("OF_TOMORROW"), Some("02"), DeclineReason::TryLater),
            (Some("OF_TOMORROW"), Some("99"), DeclineReason::Generic),
            (None, None, DeclineReason::Generic),
        ] {
            let bank = ProcessorResponse {
                response_code: code.map(str::to_owned),
                payment_advice_code: advice.map(str::to_owned),
            };
            let decline = of_payment(None, Some(&bank));
            assert_eq!((decline.reason, decline.code.as_deref()), (reason, code));
        }
    }
}
