//! Why a payment was refused.
//!
//! Answers give a number, webhooks only its text. Source:
//! <https://docs.adyen.com/development-resources/refusal-reasons>; the classes are ours.

use crate::error::{Decline, DeclineReason, InputField};

/// The decline that an answer's `refusalReasonCode` amounts to, or else its `refusalReason`.
pub(super) fn decline(code: Option<&str>, text: Option<&str>) -> Decline {
    let by_code = code.and_then(|code| REASONS.iter().find(|(known, _, _)| *known == code));
    let by_text = || {
        let text = text?;
        REASONS.iter().find(|(_, known, _)| is_same(known, text))
    };
    match by_code.or_else(by_text) {
        Some((code, _, reason)) => Decline::new(*reason).with_code(code),
        None => match code.or(text) {
            Some(unknown) => Decline::new(DeclineReason::Generic).with_code(unknown),
            None => Decline::new(DeclineReason::Generic),
        },
    }
}

/// The texts are written in several ways: `FRAUD-CANCELLED`, `Expired Card`, `CVC_DECLINED`.
fn is_same(known: &str, text: &str) -> bool {
    let letters = |text: &str| -> Vec<u8> {
        let letters = text.bytes().filter(u8::is_ascii_alphanumeric);
        letters.map(|byte| byte.to_ascii_lowercase()).collect()
    };
    letters(known) == letters(text)
}

/// The number, its text and what it means.
const REASONS: &[(&str, &str, DeclineReason)] = &[
    ("2", "Refused", DeclineReason::Generic),
    ("3", "Referral", DeclineReason::Generic),
    ("4", "Acquirer Error", DeclineReason::TryLater),
    ("5", "Blocked Card", DeclineReason::DoNotRetry),
    (
        "6",
        "Expired Card",
        DeclineReason::WrongInput(InputField::Expiry),
    ),
    ("7", "Invalid Amount", DeclineReason::Generic),
    (
        "8",
        "Invalid Card Number",
        DeclineReason::WrongInput(InputField::CardNumber),
    ),
    ("9", "Issuer Unavailable", DeclineReason::TryLater),
    ("10", "Not supported", DeclineReason::NotSupported),
    (
        "11",
        "3D Not Authenticated",
        DeclineReason::AuthenticationFailed,
    ),
    ("12", "Not enough balance", DeclineReason::InsufficientFunds),
    ("14", "Acquirer Fraud", DeclineReason::Fraud),
    ("15", "Cancelled", DeclineReason::Generic),
    ("16", "Shopper Cancelled", DeclineReason::Generic),
    ("17", "Invalid Pin", DeclineReason::Generic),
    ("18", "Pin tries exceeded", DeclineReason::Generic),
    ("20", "FRAUD", DeclineReason::Fraud),
    ("21", "Not Submitted", DeclineReason::TryLater),
    ("22", "FRAUD-CANCELLED", DeclineReason::Fraud),
    ("23", "Transaction Not Permitted", DeclineReason::Generic),
    (
        "24",
        "CVC Declined",
        DeclineReason::WrongInput(InputField::SecurityCode),
    ),
    ("25", "Restricted Card", DeclineReason::NotSupported),
    ("26", "Revocation Of Auth", DeclineReason::MandateStopped),
    ("27", "Declined Non Generic", DeclineReason::Generic),
    (
        "28",
        "Withdrawal amount exceeded",
        DeclineReason::InsufficientFunds,
    ),
    (
        "29",
        "Withdrawal count exceeded",
        DeclineReason::InsufficientFunds,
    ),
    ("31", "Issuer Suspected Fraud", DeclineReason::Fraud),
    (
        "32",
        "AVS Declined",
        DeclineReason::WrongInput(InputField::PostalCode),
    ),
    (
        "38",
        "Authentication required",
        DeclineReason::AuthenticationRequired,
    ),
    ("39", "RReq not received from DS", DeclineReason::TryLater),
    ("42", "3DS Authentication Error", DeclineReason::TryLater),
    (
        "46",
        "Blocked by Adyen to prevent excessive retry fees",
        DeclineReason::DoNotRetry,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_texts_give_the_same_reason() {
        for (code, text, reason) in REASONS {
            let by_code = decline(Some(code), None);
            assert_eq!(
                (by_code.reason, by_code.code.as_deref()),
                (*reason, Some(*code))
            );
            assert_eq!(decline(None, Some(text)), by_code);
            let shouted = text.to_uppercase().replace(' ', "_");
            assert_eq!(decline(None, Some(&shouted)), by_code);
        }
    }

    #[test]
    fn what_is_not_known_is_generic_and_kept() {
        let unknown = decline(Some("999"), Some("A reason of tomorrow"));
        assert_eq!(unknown.reason, DeclineReason::Generic);
        assert_eq!(unknown.code.as_deref(), Some("999"));
        assert_eq!(decline(None, None), Decline::new(DeclineReason::Generic));
    }
}
