//! What is said of a payment before money is asked back: a report of fraud, or a review.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::PaymentId;
use crate::mode::Mode;

/// A warning about a payment. No money has moved by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound = "", deny_unknown_fields)]
#[non_exhaustive]
pub struct Warning<M: Mode> {
    /// The provider's name for it.
    pub id: Box<str>,
    /// The payment.
    pub payment: PaymentId<M>,
    /// What it is.
    pub kind: WarningKind,
    /// Whether something can still be done about it: a payment that was reported as fraud can be
    /// refunded, a review is not closed.
    pub is_open: bool,
    /// The provider's or the network's code for the reason, as it came.
    pub reason: Option<Box<str>>,
    /// When the provider made it.
    pub created_at: Timestamp,
    /// When the provider was in this state, by the provider's clock.
    pub as_of: Timestamp,
}

/// What a warning is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WarningKind {
    /// The card's issuer reports the payment as fraud, which a dispute often follows (Visa TC40,
    /// Mastercard SAFE). Refunding it in time averts that.
    Fraud,
    /// The provider holds the payment for a review of its risk.
    Review,
}

impl<M: Mode> Warning<M> {
    /// An open warning about `payment`.
    #[must_use]
    pub fn new(id: &str, payment: PaymentId<M>, kind: WarningKind, as_of: Timestamp) -> Self {
        Self {
            id: id.into(),
            payment,
            kind,
            is_open: true,
            reason: None,
            created_at: as_of,
            as_of,
        }
    }

    /// Joins two snapshots of one warning, whichever came first. The later word counts; of two that
    /// are dated alike, that it is over.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        let key = |of: &Self| (of.as_of, !of.is_open, of.reason.clone(), of.payment.clone());
        let (later, earlier) = if key(&self) >= key(&other) {
            (self, other)
        } else {
            (other, self)
        };
        Self {
            created_at: later.created_at.min(earlier.created_at),
            reason: later.reason.or(earlier.reason),
            ..later
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ProviderName;
    use crate::mode::Test;

    #[test]
    fn two_snapshots_join_alike_in_either_order_and_the_later_word_counts() {
        let name = ProviderName::new("psp").unwrap();
        let payment = PaymentId::<Test>::new(name, "pi_1").unwrap();
        let at = Timestamp::from_unix;
        let first = Warning::new("w_1", payment, WarningKind::Fraud, at(5));
        let over = |as_of| Warning {
            is_open: false,
            reason: Some("refunded".into()),
            as_of: at(as_of),
            created_at: at(as_of),
            ..first.clone()
        };
        for (other, is_open) in [(over(6), false), (over(5), false), (over(4), true)] {
            let joined = first.clone().join(other.clone());
            assert_eq!(joined, other.clone().join(first.clone()));
            assert_eq!(joined.is_open, is_open);
            assert_eq!(joined.created_at, first.created_at.min(other.created_at));
            assert_eq!(joined.reason.as_deref(), Some("refunded"));
        }
    }
}
