//! How a shopper pays, and what the payment then does: the simulator's test instruments.

/// What the shopper pays with. Chosen on the approval page or by [`super::Shopper::approve`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Funding {
    /// It pays.
    Balance,
    /// Capture and authorization are refused with `INSTRUMENT_DECLINED`; the shopper can be sent
    /// back to choose another.
    InstrumentDeclined,
    /// They are refused with `TRANSACTION_REFUSED`.
    Refused,
    /// They are refused with `PAYER_CANNOT_PAY`.
    CannotPay,
    /// The capture or authorization is made and declined, with this response of the processor.
    CardDeclined(CardDecline),
    /// PayPal reviews the payment for a day (`PENDING_REVIEW`), then it is through.
    Review,
    /// A bank debit: the capture is `PENDING` (`ECHECK`) for three days, then completed.
    Echeck,
    /// A bank debit that is `PENDING` for three days and then declined.
    EcheckBounces,
    /// The capture is `PENDING` until the merchant accepts or denies it
    /// (`RECEIVING_PREFERENCE_MANDATES_MANUAL_ACTION`).
    AwaitsAcceptance,
    /// It pays; its refunds are `PENDING` (`ECHECK`) for a day and then completed.
    RefundsPend,
    /// It pays; its refunds are `PENDING` for a day and then `FAILED`.
    RefundsFail,
    /// It pays, and the shopper disputes the payment at once.
    Disputes,
    /// The shopper's bank wants to know that it is them, and then it pays.
    Challenge,
}

/// Why a card's bank declined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CardDecline {
    /// Response code 5120.
    InsufficientFunds,
    /// Response code 5400.
    Expired,
    /// Response code 00N7.
    WrongSecurityCode,
    /// Response code 9500.
    Fraud,
    /// Response code 0500.
    DoNotHonour,
    /// Response code 5100, with the advice to try later (02).
    TryLater,
}

/// What a capture or an authorization comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Charge {
    Pays,
    /// The call fails with this issue, and nothing is made.
    Refused(&'static str),
    Declined(CardDecline),
    Pending(&'static str),
}

impl CardDecline {
    /// The processor's response code, and its advice if it has one.
    pub(super) fn codes(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::InsufficientFunds => ("5120", None),
            Self::Expired => ("5400", Some("01")),
            Self::WrongSecurityCode => ("00N7", None),
            Self::Fraud => ("9500", Some("03")),
            Self::DoNotHonour => ("0500", None),
            Self::TryLater => ("5100", Some("02")),
        }
    }
}

impl Funding {
    /// Every way to pay: its name on the page, and what it does.
    pub(super) const CHOICES: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Balance, "balance", "pays"),
        (
            Self::InstrumentDeclined,
            "instrument-declined",
            "is declined when the shop takes the money",
        ),
        (Self::Refused, "refused", "is refused as risky"),
        (Self::CannotPay, "cannot-pay", "cannot pay this shop"),
        (
            Self::CardDeclined(CardDecline::InsufficientFunds),
            "card-insufficient-funds",
            "has too little money",
        ),
        (
            Self::CardDeclined(CardDecline::Expired),
            "card-expired",
            "has expired",
        ),
        (
            Self::CardDeclined(CardDecline::WrongSecurityCode),
            "card-wrong-code",
            "has a wrong security code",
        ),
        (
            Self::CardDeclined(CardDecline::Fraud),
            "card-fraud",
            "is taken for stolen",
        ),
        (
            Self::CardDeclined(CardDecline::DoNotHonour),
            "card-declined",
            "is declined without a reason",
        ),
        (
            Self::CardDeclined(CardDecline::TryLater),
            "card-try-later",
            "is declined for now",
        ),
        (Self::Challenge, "challenge", "asks the bank first"),
        (Self::Review, "review", "pays after a day of review"),
        (Self::Echeck, "echeck", "pays after three days"),
        (
            Self::EcheckBounces,
            "echeck-bounces",
            "fails after three days",
        ),
        (
            Self::AwaitsAcceptance,
            "awaits-acceptance",
            "waits for the merchant to accept it",
        ),
        (
            Self::RefundsPend,
            "refunds-pend",
            "pays; refunds take a day",
        ),
        (Self::RefundsFail, "refunds-fail", "pays; refunds fail"),
        (Self::Disputes, "disputes", "pays, then disputes"),
    ];

    /// The funding of this name, such as `balance`.
    pub(super) fn named(name: &str) -> Option<Self> {
        let found = Self::CHOICES.iter().find(|(_, known, _)| *known == name);
        found.map(|(funding, ..)| *funding)
    }

    /// What taking or holding the money at once comes to.
    fn refusal(self) -> Option<Charge> {
        match self {
            Self::InstrumentDeclined => Some(Charge::Refused("INSTRUMENT_DECLINED")),
            Self::Refused => Some(Charge::Refused("TRANSACTION_REFUSED")),
            Self::CannotPay => Some(Charge::Refused("PAYER_CANNOT_PAY")),
            Self::CardDeclined(reason) => Some(Charge::Declined(reason)),
            _ => None,
        }
    }

    /// What holding the money comes to. What takes days takes them when it is captured.
    pub(super) fn authorize(self) -> Charge {
        match (self.refusal(), self) {
            (Some(refusal), _) => refusal,
            (None, Self::Review) => Charge::Pending("PENDING_REVIEW"),
            (None, _) => Charge::Pays,
        }
    }

    /// What taking the money comes to; `held` says whether it was authorized before.
    pub(super) fn capture(self, held: bool) -> Charge {
        match self {
            Self::Review if !held => Charge::Pending("PENDING_REVIEW"),
            Self::Echeck | Self::EcheckBounces => Charge::Pending("ECHECK"),
            Self::AwaitsAcceptance => {
                Charge::Pending("RECEIVING_PREFERENCE_MANDATES_MANUAL_ACTION")
            }
            _ if held => Charge::Pays,
            _ => self.refusal().unwrap_or(Charge::Pays),
        }
    }
}
