//! Money taken from a hold, where the provider reports each taking by itself.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{CaptureId, CommandId, PaymentId};
use crate::mode::Mode;
use crate::money::Money;
use crate::payment::Payment;

/// One capture as its provider saw it at one moment.
///
/// A provider that tells the sum with every payment has none of these: see
/// [`Payment::captured`]. The [`Ledger`](crate::ledger::Ledger) adds them up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound = "", deny_unknown_fields)]
#[non_exhaustive]
pub struct Capture<M: Mode> {
    /// The provider's name for it.
    pub id: CaptureId<M>,
    /// The payment that it is taken from.
    pub payment: PaymentId<M>,
    /// The host's command that asked for it, if the provider says.
    pub command: Option<CommandId>,
    /// How much is taken.
    pub amount: Money,
    /// How far it has come.
    pub status: CaptureStatus,
    /// Whether the rest of what was held is let go.
    pub is_final: bool,
    /// When the provider was in this state, by the provider's clock.
    pub as_of: Timestamp,
}

impl<M: Mode> Capture<M> {
    /// A capture of `amount` of `payment` that lets the rest go.
    #[must_use]
    pub fn new(
        id: CaptureId<M>,
        payment: PaymentId<M>,
        status: CaptureStatus,
        amount: Money,
        as_of: Timestamp,
    ) -> Self {
        Self {
            id,
            payment,
            command: None,
            amount,
            status,
            is_final: true,
            as_of,
        }
    }

    /// Joins two snapshots of one capture, whichever came first. The later word counts, since a
    /// capture that failed may be made good; of two in the same second the failure does.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        let key = |c: &Self| {
            (
                c.status != CaptureStatus::Pending,
                c.as_of,
                c.status.clone(),
                c.amount.minor(),
                c.is_final,
            )
        };
        let (later, earlier) = if key(&self) >= key(&other) {
            (self, other)
        } else {
            (other, self)
        };
        Self {
            command: later.command.clone().max(earlier.command),
            payment: later.payment.clone().max(earlier.payment),
            ..later
        }
    }
}

/// How far a capture has come.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CaptureStatus {
    /// Accepted, not done.
    Pending,
    /// Done, as far as the provider knows. It can still fail later.
    Succeeded,
    /// Refused: nothing was taken.
    Refused,
    /// It failed after it had succeeded: what was taken is not the host's.
    Reversed,
}

/// What came of asking a provider to change a payment: to capture it, or to void it.
#[derive(Debug, Clone)]
#[must_use = "a change that was only received is not made yet"]
pub enum Change<M: Mode> {
    /// It is made, and the payment stands like this.
    Made(Box<Payment<M>>),
    /// The provider has it and will tell by webhook what came of it: until then it is neither made
    /// nor refused.
    Received {
        /// The payment to be changed.
        payment: PaymentId<M>,
        /// The provider's name for the request. The webhook names it.
        request: Box<str>,
    },
}

impl<M: Mode> Change<M> {
    /// The payment as it stands, if the change is made.
    #[must_use]
    pub fn payment(&self) -> Option<&Payment<M>> {
        match self {
            Self::Made(payment) => Some(payment),
            Self::Received { .. } => None,
        }
    }

    /// The payment as it stands, if the change is made.
    #[must_use]
    pub fn into_payment(self) -> Option<Payment<M>> {
        match self {
            Self::Made(payment) => Some(*payment),
            Self::Received { .. } => None,
        }
    }
}

impl<M: Mode> From<Payment<M>> for Change<M> {
    fn from(payment: Payment<M>) -> Self {
        Self::Made(Box::new(payment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ProviderName;
    use crate::ledger::Ledger;
    use crate::mode::Test;
    use crate::money::Currency;
    use crate::payment::PaymentStatus;

    fn eur(minor: i64) -> Money {
        Money::new(minor, Currency::EUR)
    }

    fn name() -> ProviderName {
        ProviderName::new("psp").unwrap()
    }

    fn payment(status: PaymentStatus, captured: i64) -> Payment<Test> {
        let id = PaymentId::new(name(), "pay_1").unwrap();
        let mut payment = Payment::new(id, status, eur(2000), Timestamp::from_unix(1));
        payment.captured = eur(captured);
        payment.capturable = eur(2000 - captured);
        payment
    }

    fn capture(id: &str, status: CaptureStatus, minor: i64, at: i64) -> Capture<Test> {
        let id = CaptureId::new(name(), id).unwrap();
        let of = PaymentId::new(name(), "pay_1").unwrap();
        Capture::new(id, of, status, eur(minor), Timestamp::from_unix(at))
    }

    /// Status, captured and capturable, whatever the order in which the captures come.
    fn stands(payment: &Payment<Test>, captures: &[Capture<Test>]) -> (PaymentStatus, i64, i64) {
        let fold = |first: bool, captures: &mut dyn Iterator<Item = &Capture<Test>>| {
            let mut ledger = Ledger::new();
            if first {
                ledger.add_payment(payment.clone()).unwrap();
            }
            captures.for_each(|capture| ledger.add_capture(capture.clone()));
            ledger.add_payment(payment.clone()).unwrap();
            serde_json::to_string(ledger.payment().unwrap()).unwrap()
        };
        let expected = fold(true, &mut captures.iter());
        assert_eq!(fold(false, &mut captures.iter().rev()), expected);
        assert_eq!(
            fold(true, &mut captures.iter().rev().chain(captures)),
            expected
        );
        let stored: Payment<Test> = serde_json::from_str(&expected).unwrap();
        (
            stored.status,
            stored.captured.minor(),
            stored.capturable.minor(),
        )
    }

    #[test]
    fn captures_told_one_by_one_add_up() {
        use CaptureStatus::{Pending, Refused, Succeeded};
        let held = payment(PaymentStatus::Authorized, 0);
        let part = |id, minor, at| Capture {
            is_final: false,
            ..capture(id, Succeeded, minor, at)
        };
        let captured = PaymentStatus::Captured;
        for (captures, expected) in [
            (vec![], (PaymentStatus::Authorized, 0, 2000)),
            (
                vec![capture("a", Pending, 2000, 2)],
                (PaymentStatus::Authorized, 0, 2000),
            ),
            (
                vec![capture("a", Refused, 2000, 2)],
                (PaymentStatus::Authorized, 0, 2000),
            ),
            (
                vec![capture("a", Succeeded, 1500, 2)],
                (captured.clone(), 1500, 0),
            ),
            (
                vec![part("a", 1200, 2), part("b", 300, 3)],
                (captured.clone(), 1500, 500),
            ),
        ] {
            assert_eq!(stands(&held, &captures), expected, "{captures:?}");
        }
        // A provider that captures by itself may report that too: it is taken once.
        let taken = payment(PaymentStatus::Captured, 2000);
        let again = [capture("a", Succeeded, 2000, 2)];
        assert_eq!(stands(&taken, &again), (captured, 2000, 0));
    }

    #[test]
    fn a_capture_that_fails_after_success_is_not_the_hosts_until_it_is_made_good() {
        use CaptureStatus::{Reversed, Succeeded};
        let is_held_again = (PaymentStatus::Authorized, 0, 2000);
        let success = capture("a", Succeeded, 2000, 2);
        let failure = capture("a", Reversed, 2000, 5);
        let held = payment(PaymentStatus::Authorized, 0);
        let taken = payment(PaymentStatus::Captured, 2000);
        let captures = [success.clone(), failure.clone()];
        assert_eq!(stands(&held, &captures), is_held_again);
        assert_eq!(
            stands(&taken, std::slice::from_ref(&failure)),
            is_held_again
        );
        // The failure may have a name of its own.
        let named_otherwise = [success.clone(), capture("f", Reversed, 2000, 5)];
        assert_eq!(stands(&held, &named_otherwise), is_held_again);
        let made_good = [success, failure, capture("a", Succeeded, 2000, 9)];
        let captured = (PaymentStatus::Captured, 2000, 0);
        assert_eq!(stands(&held, &made_good), captured);
    }

    #[test]
    fn what_is_taken_anew_after_a_failure_counts_under_its_new_name() {
        use CaptureStatus::{Reversed, Succeeded};
        let captured = PaymentStatus::Captured;
        let held = payment(PaymentStatus::Authorized, 0);
        let taken = payment(PaymentStatus::Captured, 2000);
        let anew = capture("b", Succeeded, 2000, 9);
        let failed = [capture("a", Reversed, 2000, 5), anew.clone()];
        let named_otherwise = [
            capture("a", Succeeded, 2000, 2),
            capture("f", Reversed, 2000, 5),
        ];
        let named_otherwise = [named_otherwise.as_slice(), std::slice::from_ref(&anew)].concat();
        for captures in [failed.as_slice(), &named_otherwise] {
            for payment in [&held, &taken] {
                let stands = stands(payment, captures);
                assert_eq!(stands, (captured.clone(), 2000, 0), "{captures:?}");
            }
        }
        // The new one may fail as well.
        let again = [failed.as_slice(), &[capture("g", Reversed, 2000, 12)]].concat();
        assert_eq!(stands(&held, &again).1, 0);
        // Of two parts one has failed, and is taken anew.
        let part = |id, status, minor, at| Capture {
            is_final: false,
            ..capture(id, status, minor, at)
        };
        let parts = [
            part("a", Reversed, 1200, 5),
            part("b", Succeeded, 800, 3),
            part("c", Succeeded, 1200, 9),
        ];
        assert_eq!(stands(&held, &parts[..2]), (captured.clone(), 800, 1200));
        assert_eq!(stands(&held, &parts), (captured, 2000, 0));
    }
}
