//! What a provider pays to the host's bank, and what each line of it is for.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{DisputeId, PaymentId, PayoutId, Reference, RefundId};
use crate::mode::Mode;
use crate::money::Money;

/// A transfer from the provider to the host's bank.
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
