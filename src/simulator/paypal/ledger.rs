//! What really happened to the money, told from the records themselves.

use super::authorizations;
use super::captures::State;
use super::disputes;
use super::refunds;
use super::state::World;
use crate::money::Money;

/// The books of one purchase unit, to compare a merchant's with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LedgerEntry {
    /// The order.
    pub order: String,
    /// The unit's `custom_id`.
    pub custom_id: Option<String>,
    /// The unit's `invoice_id`.
    pub invoice_id: Option<String>,
    /// What was asked for.
    pub amount: Money,
    /// What was held for the merchant, whatever became of it; nothing for `intent=CAPTURE`.
    pub authorized: Money,
    /// What may be captured of it at most, with the overage that PayPal allows.
    pub capturable_in_all: Money,
    /// What was taken for good.
    pub captured: Money,
    /// What went back to the shopper or is on its way; failed refunds not counted.
    pub refunded: Money,
    /// What open and lost disputes hold.
    pub disputed: Money,
    /// How many captures were completed or are pending.
    pub captures: u32,
}

pub(super) fn entries(world: &World) -> Vec<LedgerEntry> {
    let orders = world.orders.oldest_first();
    orders
        .flat_map(|order| {
            order
                .units
                .iter()
                .enumerate()
                .map(move |(at, unit)| (order, at, unit))
        })
        .map(|(order, at, unit)| {
            let holds = world.authorizations.oldest_first();
            let holds = holds.filter(|held| held.order == order.id && held.unit == at);
            let (mut authorized, mut limit) = (0, 0);
            for held in holds.filter(|held| held.state != authorizations::State::Denied) {
                // One that renews another holds the same money.
                authorized = authorized.max(held.amount.units);
                limit = limit.max(authorizations::limit(held));
            }
            let (mut captured, mut refunded, mut disputed, mut captures) = (0, 0, 0, 0);
            let made = world.captures.oldest_first();
            for capture in made.filter(|made| made.order == order.id && made.unit == at) {
                if capture.state == State::Completed {
                    captured += capture.amount.units;
                }
                if !capture.is_declined() {
                    captures += 1;
                }
                refunded += refunds::given_back(world, &capture.id);
                disputed += disputes::held_of(world, &capture.id);
            }
            let money = |units| unit.amount.of(units).to_money();
            LedgerEntry {
                order: order.id.clone(),
                custom_id: unit.custom_id.clone(),
                invoice_id: unit.invoice_id.clone(),
                amount: unit.amount.to_money(),
                authorized: money(authorized),
                capturable_in_all: money(limit),
                captured: money(captured),
                refunded: money(refunded),
                disputed: money(disputed),
                captures,
            }
        })
        .collect()
}
