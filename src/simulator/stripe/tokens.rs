//! Stripe's test payment methods and what each of them does.
//!
//! Source: docs.stripe.com/testing. Card numbers are never accepted: a server that sends them
//! would be in scope of PCI DSS.

use super::errors::ApiError;

/// How a test payment method answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behaviour {
    Succeeds,
    Declines(Decline),
    /// Radar blocks the payment before it reaches the issuer.
    Blocks,
    /// The issuer asks for 3D Secure; once passed, the payment succeeds.
    Challenges,
    /// The shopper disputes the charge at once. An inquiry takes no money yet.
    Disputes {
        reason: &'static str,
        inquiry: bool,
    },
    /// The issuer reports the charge as fraud at once.
    ReportsFraud,
    RefundPends,
    RefundFails,
    /// The funds are available at once instead of after two days.
    SkipsPending,
    /// A bank debit: processing for days, then paid or failed.
    Debits {
        fails: bool,
    },
}

/// What the issuer said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decline {
    pub(super) code: &'static str,
    pub(super) decline_code: &'static str,
    pub(super) message: &'static str,
    pub(super) advice_code: Option<&'static str>,
}

impl Decline {
    const fn card(decline_code: &'static str, message: &'static str) -> Self {
        Self {
            code: "card_declined",
            decline_code,
            message,
            advice_code: None,
        }
    }

    const fn own_code(code: &'static str, message: &'static str) -> Self {
        Self {
            code,
            decline_code: code,
            message,
            advice_code: None,
        }
    }

    const fn advising(mut self, advice_code: &'static str) -> Self {
        self.advice_code = Some(advice_code);
        self
    }

    pub(super) fn error(&self) -> ApiError {
        let error = ApiError::card(self.code, Some(self.decline_code), self.message);
        match self.advice_code {
            Some(advice) => error.with("advice_code", advice.into()),
            None => error,
        }
    }
}

pub(super) const AUTHENTICATION_REQUIRED: Decline = Decline {
    code: "authentication_required",
    decline_code: "authentication_required",
    message: "Your card was declined. This transaction requires authentication.",
    advice_code: None,
};

pub(super) const BLOCKED: Decline = Decline::card("fraudulent", DECLINED);

const DECLINED: &str = "Your card was declined.";
const GENERIC: Decline = Decline::card("generic_decline", DECLINED).advising("try_again_later");
const INSUFFICIENT: Decline =
    Decline::card("insufficient_funds", "Your card has insufficient funds.")
        .advising("try_again_later");
const LOST: Decline = Decline::card("lost_card", DECLINED).advising("do_not_try_again");
const STOLEN: Decline = Decline::card("stolen_card", DECLINED).advising("do_not_try_again");
const VELOCITY: Decline = Decline::card(
    "card_velocity_exceeded",
    "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
);
const EXPIRED: Decline = Decline::own_code("expired_card", "Your card has expired.");
const WRONG_CVC: Decline =
    Decline::own_code("incorrect_cvc", "Your card's security code is incorrect.");
const PROCESSING: Decline = Decline::own_code(
    "processing_error",
    "An error occurred while processing your card. Try again in a little bit.",
);

/// A test payment method: `pm_card_visa` and its token `tok_visa` are one row.
#[derive(Debug, Clone, Copy)]
pub(super) struct TestMethod {
    /// What follows `pm_card_` and `tok_`; for bank debits the whole name.
    name: &'static str,
    pub(super) kind: MethodKind,
    pub(super) brand: &'static str,
    pub(super) last4: &'static str,
    pub(super) behaviour: Behaviour,
}

/// The type of a payment method, as its `type` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MethodKind {
    Card,
    SepaDebit,
    UsBankAccount,
}

impl MethodKind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::SepaDebit => "sepa_debit",
            Self::UsBankAccount => "us_bank_account",
        }
    }

    /// The one currency that the method pays in, if it is bound to one.
    pub(super) fn only_currency(self) -> Option<&'static str> {
        match self {
            Self::Card => None,
            Self::SepaDebit => Some("eur"),
            Self::UsBankAccount => Some("usd"),
        }
    }
}

/// The test method that `name` stands for: `pm_card_visa`, `tok_visa`, `pm_usBankAccount_success`.
pub(super) fn find(name: &str) -> Option<TestMethod> {
    let card = name
        .strip_prefix("pm_card_")
        .or_else(|| name.strip_prefix("tok_"));
    let found = match card {
        Some(card) => CARDS.iter().find(|method| method.name == card),
        None => DEBITS.iter().find(|method| method.name == name),
    };
    found.copied()
}

const fn visa(name: &'static str, last4: &'static str, behaviour: Behaviour) -> TestMethod {
    branded(name, "visa", last4, behaviour)
}

const fn declined(name: &'static str, last4: &'static str, decline: Decline) -> TestMethod {
    visa(name, last4, Behaviour::Declines(decline))
}

const fn branded(
    name: &'static str,
    brand: &'static str,
    last4: &'static str,
    behaviour: Behaviour,
) -> TestMethod {
    TestMethod {
        name,
        kind: MethodKind::Card,
        brand,
        last4,
        behaviour,
    }
}

const fn debit(
    name: &'static str,
    kind: MethodKind,
    last4: &'static str,
    fails: bool,
) -> TestMethod {
    TestMethod {
        name,
        kind,
        brand: "bank",
        last4,
        behaviour: Behaviour::Debits { fails },
    }
}

const fn disputes(reason: &'static str, inquiry: bool) -> Behaviour {
    Behaviour::Disputes { reason, inquiry }
}

const CARDS: &[TestMethod] = &[
    visa("visa", "4242", Behaviour::Succeeds),
    visa("visa_debit", "5556", Behaviour::Succeeds),
    branded("mastercard", "mastercard", "4444", Behaviour::Succeeds),
    branded("amex", "amex", "8431", Behaviour::Succeeds),
    branded("discover", "discover", "1117", Behaviour::Succeeds),
    visa("bypassPending", "0077", Behaviour::SkipsPending),
    declined("visa_chargeDeclined", "0002", GENERIC),
    declined("chargeDeclined", "0002", GENERIC),
    declined("visa_chargeDeclinedInsufficientFunds", "9995", INSUFFICIENT),
    declined("chargeDeclinedInsufficientFunds", "9995", INSUFFICIENT),
    declined("visa_chargeDeclinedLostCard", "9987", LOST),
    declined("visa_chargeDeclinedStolenCard", "9979", STOLEN),
    declined("visa_chargeDeclinedVelocityLimitExceeded", "6975", VELOCITY),
    declined("chargeDeclinedExpiredCard", "0069", EXPIRED),
    declined("chargeDeclinedIncorrectCvc", "0127", WRONG_CVC),
    declined("chargeDeclinedProcessingError", "0119", PROCESSING),
    visa("authenticationRequired", "3184", Behaviour::Challenges),
    visa("threeDSecure2Required", "3220", Behaviour::Challenges),
    visa("threeDSecureRequired", "3063", Behaviour::Challenges),
    // The bank may confirm it without asking the shopper, and does.
    visa("threeDSecureOptional", "3055", Behaviour::Succeeds),
    visa("radarBlock", "0019", Behaviour::Blocks),
    visa("createDispute", "0259", disputes("fraudulent", false)),
    visa(
        "createDisputeProductNotReceived",
        "2685",
        disputes("product_not_received", false),
    ),
    visa("createDisputeInquiry", "1976", disputes("fraudulent", true)),
    visa("createIssuerFraudRecord", "5423", Behaviour::ReportsFraud),
    visa("pendingRefund", "7726", Behaviour::RefundPends),
    visa("refundFail", "5126", Behaviour::RefundFails),
];

/// `pm_usBankAccount_*` are Stripe's. Stripe tests SEPA by account number only; since numbers are
/// not accepted here, two names of our own stand for them.
const DEBITS: &[TestMethod] = &[
    debit(
        "pm_usBankAccount_success",
        MethodKind::UsBankAccount,
        "6789",
        false,
    ),
    debit(
        "pm_usBankAccount_insufficientFunds",
        MethodKind::UsBankAccount,
        "2227",
        true,
    ),
    debit("pm_sepaDebit_success", MethodKind::SepaDebit, "3201", false),
    debit("pm_sepaDebit_failed", MethodKind::SepaDebit, "3202", true),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_and_its_payment_method_do_the_same() {
        for method in CARDS {
            let as_method = find(&format!("pm_card_{}", method.name)).unwrap();
            let as_token = find(&format!("tok_{}", method.name)).unwrap();
            assert_eq!(as_method.behaviour, as_token.behaviour);
            assert_eq!(as_method.last4.len(), 4);
        }
        assert!(find("4242424242424242").is_none());
        assert!(find("pm_card_").is_none());
    }
}
