//! Money on its way back to the payer.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{CommandId, PaymentId, RefundId};
use crate::mode::Mode;
use crate::money::Money;

/// A refund as its provider saw it at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound = "", deny_unknown_fields)]
#[non_exhaustive]
pub struct Refund<M: Mode> {
    /// The provider's name for it.
    pub id: RefundId<M>,
    /// The payment that it is taken from.
    pub payment: PaymentId<M>,
    /// The host's command that asked for it. One made in the provider's dashboard has none.
    pub command: Option<CommandId>,
    /// How much goes back.
    pub amount: Money,
    /// How far it has come.
    pub status: RefundStatus,
    /// When the provider made it.
    pub created_at: Timestamp,
    /// When the provider was in this state, by the provider's clock.
    pub as_of: Timestamp,
    /// Whether the report leaves open that this only releases what was authorized and never
    /// captured: some providers list that as a refund. The [`Ledger`](crate::ledger::Ledger) decides
    /// by what is known of the payment.
    #[serde(default, skip_serializing_if = "is_false")]
    pub may_be_release: bool,
}

impl<M: Mode> Refund<M> {
    /// A refund of `amount` of `payment`.
    #[must_use]
    pub fn new(
        id: RefundId<M>,
        payment: PaymentId<M>,
        status: RefundStatus,
        amount: Money,
        as_of: Timestamp,
    ) -> Self {
        Self {
            id,
            payment,
            command: None,
            amount,
            status,
            created_at: as_of,
            as_of,
            may_be_release: false,
        }
    }

    /// Joins two snapshots of one refund, whichever came first: a failure after success stands.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        let key = |r: &Self| (r.status.rank(), r.as_of, r.status.clone(), r.amount.minor());
        let (later, earlier) = if key(&self) >= key(&other) {
            (self, other)
        } else {
            (other, self)
        };
        Self {
            command: later.command.clone().max(earlier.command),
            created_at: later.created_at.min(earlier.created_at),
            payment: later.payment.clone().max(earlier.payment),
            // A command of ours, or a report that has the charge, says that it is a refund.
            may_be_release: later.may_be_release && earlier.may_be_release,
            ..later
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// How far a refund has come. Tell the shopper of [`Succeeded`](RefundStatus::Succeeded) only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RefundStatus {
    /// Accepted, not yet with the payer.
    Pending,
    /// The shopper must do something before it can go on, such as giving bank details.
    ActionRequired,
    /// Done, as far as the provider knows. It can still fail later.
    Succeeded,
    /// It did not go through, perhaps after it had succeeded: the money is with the merchant.
    Failed,
    /// Called off before it was done.
    Canceled,
    /// A status that this library does not know, as the provider wrote it.
    Unrecognized(Box<str>),
}

impl RefundStatus {
    /// Whether the money is, or may still be, on its way to the payer, and so not refundable again.
    #[must_use]
    pub const fn holds_money(&self) -> bool {
        !matches!(self, Self::Failed | Self::Canceled)
    }

    const fn rank(&self) -> u8 {
        match self {
            Self::Unrecognized(_) => 0,
            Self::Pending => 1,
            Self::ActionRequired => 2,
            Self::Succeeded => 3,
            Self::Canceled => 4,
            Self::Failed => 5,
        }
    }
}
