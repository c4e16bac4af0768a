//! What a provider pays to the host's bank, and what each line of it is for.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{DisputeId, PaymentId, PayoutId, Reference, RefundId};
use crate::mode::Mode;
use crate::money::Money;

/// A transfer from the provider to the host's bank, or to another that the host pays out to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound = "")]
#[non_exhaustive]
pub struct Payout<M: Mode> {
    /// The provider's name for it.
    pub id: PayoutId<M>,
    /// What arrives at the bank. Negative if the provider takes money from it.
    pub amount: Money,
    /// How far it has come.
    pub status: PayoutStatus,
    /// Whether the provider can list its lines, all of them.
    pub lines_complete: bool,
    /// When it should be at the bank.
    pub arrives_at: Option<Timestamp>,
    /// When the provider made it.
    pub created_at: Timestamp,
    /// Why it failed, as the provider's code says, such as `account_closed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<Box<str>>,
}

impl<M: Mode> Payout<M> {
    /// A payout of `amount`, its lines not complete yet.
    #[must_use]
    pub fn new(
        id: PayoutId<M>,
        status: PayoutStatus,
        amount: Money,
        created_at: Timestamp,
    ) -> Self {
        Self {
            id,
            amount,
            status,
            lines_complete: false,
            arrives_at: None,
            created_at,
            failure_reason: None,
        }
    }

    /// Joins two snapshots of one payout, whichever came first. A payout goes one way: it is sent,
    /// arrives, and may come back after that, so that the farther one is the later.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        // A status that is not known says less than any that is.
        let key = |of: &Self| {
            let is_known = !matches!(of.status, PayoutStatus::Unrecognized(_));
            (
                is_known,
                of.status.clone(),
                of.arrives_at,
                of.amount.minor(),
            )
        };
        let (later, earlier) = if key(&self) >= key(&other) {
            (self, other)
        } else {
            (other, self)
        };
        Self {
            lines_complete: later.lines_complete || earlier.lines_complete,
            arrives_at: later.arrives_at.or(earlier.arrives_at),
            created_at: later.created_at.min(earlier.created_at),
            failure_reason: later.failure_reason.max(earlier.failure_reason),
            ..later
        }
    }
}

/// How far a payout has come.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PayoutStatus {
    /// Not sent yet.
    Pending,
    /// Sent to the bank.
    InTransit,
    /// With the bank, as far as the provider knows. It can still fail.
    Paid,
    /// Called off.
    Canceled,
    /// The bank sent it back.
    Failed,
    /// A status that this library does not know, as the provider wrote it.
    Unrecognized(Box<str>),
}

/// One line of a payout: `net = gross − fee`, to the minor unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound = "")]
#[non_exhaustive]
pub struct PayoutLine<M: Mode> {
    /// The provider's name for the line.
    pub id: Box<str>,
    /// What the line is.
    pub kind: PayoutLineKind,
    /// Before fees, from the host's side: a refund is negative.
    pub gross: Money,
    /// What the provider keeps. Negative if it gives a fee back.
    pub fee: Money,
    /// What the line adds to the payout.
    pub net: Money,
    /// What the line is for.
    pub source: PayoutLineSource<M>,
    /// The order and attempt, where the provider hands them on.
    pub reference: Option<Reference>,
    /// When the line was booked.
    pub booked_at: Timestamp,
}

impl<M: Mode> PayoutLine<M> {
    /// A line of `gross` less `fee`.
    ///
    /// # Errors
    /// [`MoneyError`](crate::money::MoneyError) if they differ in currency or overflow.
    pub fn new(
        id: &str,
        kind: PayoutLineKind,
        gross: Money,
        fee: Money,
        source: PayoutLineSource<M>,
        booked_at: Timestamp,
    ) -> Result<Self, crate::money::MoneyError> {
        let net = gross.checked_sub(fee)?;
        Ok(Self {
            id: id.into(),
            kind,
            gross,
            fee,
            net,
            source,
            reference: None,
            booked_at,
        })
    }
}

/// What a line of a payout is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PayoutLineKind {
    /// A captured payment.
    Payment,
    /// A payment that its bank took back after it was booked, such as a returned debit.
    PaymentReversal,
    /// A refund.
    Refund,
    /// A refund that failed: its money is back.
    RefundFailure,
    /// Money taken for a dispute.
    Dispute,
    /// Money given back after a dispute.
    DisputeReversal,
    /// A fee on its own.
    Fee,
    /// Money held back or released by the provider.
    Reserve,
    /// An earlier payout that the bank returned: its money is paid out again.
    ReturnedPayout,
    /// A correction by the provider.
    Adjustment,
    /// A kind that this library does not know, as the provider wrote it.
    Other(Box<str>),
}

/// What a line of a payout is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound = "", rename_all = "snake_case")]
#[non_exhaustive]
pub enum PayoutLineSource<M: Mode> {
    /// A payment.
    Payment(PaymentId<M>),
    /// A refund, and its payment if the provider says.
    Refund(RefundId<M>, Option<PaymentId<M>>),
    /// A dispute, and its payment if the provider says.
    Dispute(DisputeId<M>, Option<PaymentId<M>>),
    /// Nothing that has an id here: a fee, a reserve, a correction.
    None,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ProviderName;
    use crate::mode::Test;
    use crate::money::Currency;

    #[test]
    fn two_snapshots_join_alike_in_either_order_and_the_farther_one_counts() {
        let payout = |status: PayoutStatus| {
            let id = PayoutId::<Test>::new(ProviderName::new("psp").unwrap(), "po_1").unwrap();
            let amount = Money::new(900, Currency::EUR);
            Payout::new(id, status, amount, Timestamp::from_unix(5))
        };
        let new = || PayoutStatus::Unrecognized("of tomorrow".into());
        let all = [
            new(),
            PayoutStatus::Pending,
            PayoutStatus::InTransit,
            PayoutStatus::Paid,
            PayoutStatus::Failed,
        ];
        for (place, earlier) in all.iter().enumerate() {
            for later in &all[place..] {
                let (mut a, mut b) = (payout(earlier.clone()), payout(later.clone()));
                a.lines_complete = true;
                b.failure_reason = Some("account_closed".into());
                a.created_at = Timestamp::from_unix(4);
                let joined = a.clone().join(b.clone());
                assert_eq!(joined, b.join(a));
                assert_eq!(joined.status, *later);
                assert!(joined.lines_complete && joined.failure_reason.is_some());
                assert_eq!(joined.created_at, Timestamp::from_unix(4));
            }
        }
    }
}
