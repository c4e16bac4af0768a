//! What the host is owed for.

use serde::{Deserialize, Serialize};

use crate::id::OrderId;
use crate::money::{Money, PositiveMoney};

/// An order of the host's, as far as payments are concerned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Order {
    /// The host's name for it.
    pub id: OrderId,
    /// What must be paid in all.
    pub total: Money,
    /// Whether money is still expected.
    pub status: OrderStatus,
}

impl Order {
    /// An open order.
    #[must_use]
    pub fn new(id: OrderId, total: PositiveMoney) -> Self {
        Self {
            id,
            total: total.money(),
            status: OrderStatus::Open,
        }
    }

    /// The same order, closed: a payment from now on is [`PaidAfterClose`].
    ///
    /// [`PaidAfterClose`]: crate::matching::Verdict::PaidAfterClose
    #[must_use]
    pub fn closed(mut self) -> Self {
        self.status = OrderStatus::Closed;
        self
    }
}

/// Whether money is still expected for an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// It can be paid.
    Open,
    /// It was canceled or has expired; money that comes all the same needs a decision.
    Closed,
}
