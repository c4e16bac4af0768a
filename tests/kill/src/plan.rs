//! What each order shall come to, so that the host that acts and the suite that audits agree.

use counterfoil::id::OrderId;

/// One order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What it costs, in cents.
    pub total: i64,
    /// What is refunded of it, one command each, in cents; less than the total in all.
    pub refunds: Vec<i64>,
    /// Whether the customer's first card is declined.
    pub is_declined_first: bool,
    /// Whether the customer clicks twice.
    pub is_doubled: bool,
}

impl Plan {
    /// The plan of order `number` in the run of this seed.
    #[must_use]
    pub fn of(seed: u64, number: usize) -> Self {
        let mut dice = fastrand::Rng::with_seed(seed.rotate_left(20) ^ number as u64);
        let total = dice.i64(500..20_000);
        let refunds = dice.usize(0..4).saturating_sub(1);
        Self {
            total,
            // No two parts make the whole: one that goes back twice is not stopped by its charge.
            refunds: (0..refunds).map(|_| dice.i64(50..total / 5)).collect(),
            is_declined_first: dice.u8(0..5) == 0,
            is_doubled: dice.u8(0..4) == 0,
        }
    }
}

/// The id of order `number`.
#[must_use]
pub fn id(number: usize) -> OrderId {
    OrderId::new(&format!("K-{number}")).unwrap()
}

/// The number of an order.
#[must_use]
pub fn number(order: &str) -> Option<usize> {
    order.strip_prefix("K-")?.parse().ok()
}

/// The name of the command for a refund.
#[must_use]
pub fn command(number: usize, refund: usize) -> String {
    format!("K-{number}-refund-{refund}")
}
