//! What really happened to the money, told from the charges, refunds and disputes themselves.

use std::collections::{BTreeMap, HashMap};

use super::amounts;
use super::charges::ChargeState;
use super::refunds::RefundState;
use super::state::World;
use crate::money::{Currency, Money};

/// The books of one payment, to compare a merchant's with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LedgerEntry {
    /// The intent, `pi_…`.
    pub payment_intent: String,
    /// The Checkout Session that it came from, `cs_test_…`.
    pub session: Option<String>,
    /// The session's `client_reference_id`.
    pub client_reference_id: Option<String>,
    /// The intent's metadata, where references are.
    pub metadata: BTreeMap<String, String>,
    /// What banks have granted, whatever became of it.
    pub authorized: Money,
    /// What was taken.
    pub captured: Money,
    /// What went back to the shopper or is on its way; failed refunds not counted.
    pub refunded: Money,
    /// What open and lost disputes hold.
    pub disputed: Money,
    /// How many charges banks have granted: more than one for an intent would be a double charge.
    pub charges: u32,
}

/// Sums in Stripe's minor units.
#[derive(Default)]
struct Sums {
    authorized: i64,
    captured: i64,
    refunded: i64,
    disputed: i64,
    charges: u32,
}

pub(super) fn entries(world: &World) -> Vec<LedgerEntry> {
    let mut sums: HashMap<&str, Sums> = HashMap::new();
    let mut intent_of: HashMap<&str, &str> = HashMap::new();
    for charge in world.charges.oldest_first() {
        let _ = intent_of.insert(&charge.id, &charge.intent);
        if charge.state == ChargeState::Succeeded {
            let sums = sums.entry(&charge.intent).or_default();
            sums.authorized += charge.amount;
            sums.captured += charge.amount_captured;
            sums.charges += 1;
        }
    }
    for refund in world.refunds.oldest_first() {
        if let Some(intent) = intent_of.get(refund.charge.as_str())
            && refund.state != RefundState::Failed
            && !refund.is_release
        {
            sums.entry(intent).or_default().refunded += refund.amount;
        }
    }
    for dispute in world.disputes.oldest_first() {
        if let Some(intent) = intent_of.get(dispute.charge.as_str()) {
            sums.entry(intent).or_default().disputed += dispute.amount_held();
        }
    }
    let intents = world.intents.oldest_first();
    intents
        .filter_map(|intent| {
            let session = intent.session.as_ref();
            let session = session.and_then(|id| world.sessions.get(id));
            let sums = sums.remove(intent.id.as_str()).unwrap_or_default();
            // The currency was checked when the intent was made.
            let currency = Currency::from_code(&intent.currency).ok()?;
            let money = |amount: i64| {
                amounts::to_money(amount, &intent.currency).unwrap_or(Money::new(amount, currency))
            };
            Some(LedgerEntry {
                payment_intent: intent.id.clone(),
                session: session.map(|session| session.id.clone()),
                client_reference_id: session.and_then(|s| s.client_reference_id.clone()),
                metadata: intent.metadata.clone(),
                authorized: money(sums.authorized),
                captured: money(sums.captured),
                refunded: money(sums.refunded),
                disputed: money(sums.disputed),
                charges: sums.charges,
            })
        })
        .collect()
}
