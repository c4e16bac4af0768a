//! What the host is owed for.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::OrderId;
use crate::money::{Money, PositiveMoney};

/// An order of the host's, as far as payments are concerned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Order {
    /// The host's name for it.
    pub id: OrderId,
    /// What must be paid in all.
    pub total: Money,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// Since when no money is expected for it: it was canceled, or it has run out.
    pub closed_at: Option<Timestamp>,
}

impl Order {
    /// An open order.
    #[must_use]
    pub fn new(id: OrderId, total: PositiveMoney, placed_at: Timestamp) -> Self {
        Self {
            id,
            total: total.money(),
            placed_at,
            closed_at: None,
        }
    }

    /// The same order, closed: a payment from then on is [`PaidAfterClose`].
    ///
    /// [`PaidAfterClose`]: crate::matching::Verdict::PaidAfterClose
    #[must_use]
    pub fn with_closed_at(mut self, closed_at: Timestamp) -> Self {
        self.closed_at = Some(closed_at);
        self
    }
}
