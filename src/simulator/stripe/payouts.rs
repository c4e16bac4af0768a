//! The balance: every movement with its fee, and the daily payout to the bank.
//!
//! Each currency is settled by itself, so that nothing is converted.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::charges::Charge;
use super::disputes::Dispute;
use super::errors::ApiError;
use super::listing::{Page, Span};
use super::refunds::Refund;
use super::router::Call;
use super::state::{Metadata, Record, Task, World, record_table};
use crate::clock::Timestamp;

const DAY: i64 = 24 * 60 * 60;
/// Funds become available two days after the charge.
const AVAILABLE_AFTER_DAYS: i64 = 2;
/// 2.9 % and 30 minor units for each charge.
const FEE_PERMILLE: i64 = 29;
const FEE_FIXED: i64 = 30;
/// For each dispute, won or lost.
const DISPUTE_FEE: i64 = 1500;

/// The next midnight, UTC.
pub(super) fn next_midnight(now: Timestamp) -> Timestamp {
    let day = now.unix().div_euclid(DAY);
    Timestamp::from_unix(day.saturating_add(1).saturating_mul(DAY))
}

/// One movement on the balance. `net` is `amount` less `fee`.
#[derive(Debug, Clone)]
pub(super) struct BalanceTransaction {
    pub(super) id: String,
    pub(super) created: Timestamp,
    amount: i64,
    fee: i64,
    currency: String,
    kind: &'static str,
    reporting_category: &'static str,
    source: String,
    description: Option<&'static str>,
    available_on: Timestamp,
    /// The payout that carries it to the bank.
    payout: Option<String>,
}

impl BalanceTransaction {
    fn net(&self) -> i64 {
        self.amount - self.fee
    }
}

impl Record for BalanceTransaction {
    const OBJECT: &'static str = "balance transaction";
    record_table!(balance_transactions);

    fn render(&self, world: &World) -> Value {
        let fee_details = if self.fee == 0 {
            json!([])
        } else {
            json!([{
                "amount": self.fee,
                "application": null,
                "currency": self.currency,
                "description": if self.kind == "adjustment" { "Dispute fee" } else { "Stripe processing fees" },
                "type": "stripe_fee",
            }])
        };
        json!({
            "id": self.id,
            "object": "balance_transaction",
            "amount": self.amount,
            "available_on": self.available_on.unix(),
            "balance_type": "payments",
            "created": self.created.unix(),
            "currency": self.currency,
            "description": self.description,
            "exchange_rate": null,
            "fee": self.fee,
            "fee_details": fee_details,
            "net": self.net(),
            "reporting_category": self.reporting_category,
            "source": self.source,
            "status": if self.available_on <= world.now { "available" } else { "pending" },
            "type": self.kind,
        })
    }
}

struct Booking<'a> {
    kind: &'static str,
    reporting_category: &'static str,
    amount: i64,
    fee: i64,
    currency: &'a str,
    source: &'a str,
    description: Option<&'static str>,
}

fn book(world: &mut World, booking: &Booking<'_>, available_on: Timestamp) -> String {
    let transaction = BalanceTransaction {
        id: world.ids.next("txn"),
        created: world.now,
        amount: booking.amount,
        fee: booking.fee,
        currency: booking.currency.to_owned(),
        kind: booking.kind,
        reporting_category: booking.reporting_category,
        source: booking.source.to_owned(),
        description: booking.description,
        available_on,
        payout: None,
    };
    let id = transaction.id.clone();
    world.put(transaction);
    if booking.kind != "payout" {
        world.plan_payout(available_on.max(next_midnight(world.now)));
    }
    id
}

pub(super) fn book_charge(
    world: &mut World,
    charge: &Charge,
    amount: i64,
    at_once: bool,
) -> String {
    let available_on = if at_once {
        world.now
    } else {
        let wait = (AVAILABLE_AFTER_DAYS - 1) * DAY;
        Timestamp::from_unix(next_midnight(world.now).unix().saturating_add(wait))
    };
    // Bank debits are of type `payment`, which is why reports group by category.
    let kind = if charge.id.starts_with("py") {
        "payment"
    } else {
        "charge"
    };
    let booking = Booking {
        kind,
        reporting_category: "charge",
        amount,
        fee: (amount * FEE_PERMILLE + 500) / 1000 + FEE_FIXED,
        currency: &charge.currency,
        source: &charge.id,
        description: None,
    };
    book(world, &booking, available_on)
}

pub(super) fn book_refund(world: &mut World, refund: &Refund) -> String {
    let kind = if refund.id.starts_with("pyr") {
        "payment_refund"
    } else {
        "refund"
    };
    let booking = Booking {
        kind,
        reporting_category: "refund",
        amount: -refund.amount,
        fee: 0,
        currency: &refund.currency,
        source: &refund.id,
        description: Some("REFUND FOR CHARGE"),
    };
    book(world, &booking, world.now)
}

pub(super) fn book_failed_refund(world: &mut World, refund: &Refund) -> String {
    let booking = Booking {
        kind: "refund_failure",
        reporting_category: "refund_failure",
        amount: refund.amount,
        fee: 0,
        currency: &refund.currency,
        source: &refund.id,
        description: Some("REFUND FAILURE"),
    };
    book(world, &booking, world.now)
}

pub(super) fn book_dispute(world: &mut World, dispute: &Dispute) -> String {
    let booking = Booking {
        kind: "adjustment",
        reporting_category: "dispute",
        amount: -dispute.amount,
        fee: DISPUTE_FEE,
        currency: &dispute.currency,
        source: &dispute.id,
        description: Some("Chargeback withdrawal"),
    };
    book(world, &booking, world.now)
}

pub(super) fn book_won_dispute(world: &mut World, dispute: &Dispute) -> String {
    book_reinstatement(world, dispute, dispute.amount)
}

pub(super) fn book_reinstatement(world: &mut World, dispute: &Dispute, amount: i64) -> String {
    let booking = Booking {
        kind: "adjustment",
        reporting_category: "dispute_reversal",
        amount,
        fee: 0,
        currency: &dispute.currency,
        source: &dispute.id,
        description: Some("Chargeback reversal"),
    };
    book(world, &booking, world.now)
}

/// Money on its way to the merchant's bank.
#[derive(Debug, Clone)]
pub(super) struct Payout {
    pub(super) id: String,
    pub(super) created: Timestamp,
    pub(super) state: PayoutState,
    amount: i64,
    currency: String,
    arrival: Timestamp,
    balance_transaction: Option<String>,
    failure_balance_transaction: Option<String>,
    reconciled: bool,
}

/// The states of a payout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PayoutState {
    InTransit,
    Paid,
    Failed,
}

impl Record for Payout {
    const OBJECT: &'static str = "payout";
    const PARAM: &'static str = "payout";
    record_table!(payouts);

    fn render(&self, _: &World) -> Value {
        let status = match self.state {
            PayoutState::InTransit => "in_transit",
            PayoutState::Paid => "paid",
            PayoutState::Failed => "failed",
        };
        let failed = self.state == PayoutState::Failed;
        json!({
            "id": self.id,
            "object": "payout",
            "amount": self.amount,
            "application_fee": null,
            "application_fee_amount": null,
            "arrival_date": self.arrival.unix(),
            "automatic": true,
            "balance_transaction": self.balance_transaction,
            "created": self.created.unix(),
            "currency": self.currency,
            "description": "STRIPE PAYOUT",
            "destination": "ba_1CounterfoilSim01",
            "failure_balance_transaction": self.failure_balance_transaction,
            "failure_code": failed.then_some("account_closed"),
            "failure_message": failed.then_some("The bank account has been closed"),
            "livemode": false,
            "metadata": Metadata::new(),
            "method": "standard",
            "original_payout": null,
            "payout_method": null,
            "reconciliation_status": if self.reconciled { "completed" } else { "in_progress" },
            "reversed_by": null,
            "source_type": "card",
            "statement_descriptor": null,
            "status": status,
            "trace_id": null,
            "type": "bank_account",
        })
    }
}

/// Pays out, for each currency, all that has become available.
pub(super) fn daily(world: &mut World) {
    let mut sums: BTreeMap<String, (i64, Vec<String>)> = BTreeMap::new();
    let now = world.now;
    let unpaid = world.balance_transactions.oldest_first();
    for transaction in unpaid.filter(|t| t.payout.is_none() && t.available_on <= now) {
        let (sum, ids) = sums.entry(transaction.currency.clone()).or_default();
        *sum += transaction.net();
        ids.push(transaction.id.clone());
    }
    for (currency, (sum, ids)) in sums {
        // What is negative waits until later charges cover it.
        if sum > 0 {
            pay_out(world, currency, sum, ids);
        }
    }
}

fn pay_out(world: &mut World, currency: String, amount: i64, transactions: Vec<String>) {
    let mut payout = Payout {
        id: world.ids.next("po"),
        created: world.now,
        state: PayoutState::InTransit,
        amount,
        currency,
        arrival: next_midnight(world.now),
        balance_transaction: None,
        failure_balance_transaction: None,
        reconciled: false,
    };
    for id in transactions {
        assign(world, &id, &payout.id);
    }
    let booking = Booking {
        kind: "payout",
        reporting_category: "payout",
        amount: -amount,
        fee: 0,
        currency: &payout.currency,
        source: &payout.id,
        description: Some("STRIPE PAYOUT"),
    };
    let own = book(world, &booking, world.now);
    assign(world, &own, &payout.id);
    payout.balance_transaction = Some(own);
    let (id, arrival) = (payout.id.clone(), payout.arrival);
    world.put_and_emit(payout.clone(), "payout.created");
    payout.reconciled = true;
    world.update_and_emit(payout, "payout.reconciliation_completed");
    world.plan_at(arrival, Task::PayoutArrives(id));
}

fn assign(world: &mut World, transaction: &str, payout: &str) {
    if let Ok(mut transaction) = world.find::<BalanceTransaction>(transaction) {
        transaction.payout = Some(payout.to_owned());
        world.put(transaction);
    }
}

/// The money is in the bank.
pub(super) fn arrive(world: &mut World, id: &str) {
    if let Ok(mut payout) = world.find::<Payout>(id)
        && payout.state == PayoutState::InTransit
    {
        payout.state = PayoutState::Paid;
        world.update_and_emit(payout, "payout.paid");
    }
}

/// The bank sends the money back, even after it had arrived.
pub(super) fn fail(world: &mut World, id: &str) -> Result<(), ApiError> {
    let mut payout: Payout = world.find(id)?;
    if payout.state == PayoutState::Failed {
        return Err(ApiError::invalid_request("This payout has failed already."));
    }
    let booking = Booking {
        kind: "payout_failure",
        reporting_category: "payout_reversal",
        amount: payout.amount,
        fee: 0,
        currency: &payout.currency,
        source: &payout.id,
        description: Some("STRIPE PAYOUT FAILURE"),
    };
    let back = book(world, &booking, world.now);
    payout.state = PayoutState::Failed;
    payout.failure_balance_transaction = Some(back);
    world.update_and_emit(payout, "payout.failed");
    Ok(())
}

pub(super) fn balance(world: &mut World, call: Call) -> Result<Value, ApiError> {
    call.params.finish()?;
    let mut sums: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    let _ = sums.insert("usd", (0, 0));
    for transaction in world.balance_transactions.oldest_first() {
        let (available, pending) = sums.entry(&transaction.currency).or_default();
        if transaction.available_on <= world.now {
            *available += transaction.net();
        } else {
            *pending += transaction.net();
        }
    }
    let row = |currency: &str, amount: i64| json!({ "amount": amount, "currency": currency, "source_types": { "card": amount } });
    let available: Vec<Value> = sums
        .iter()
        .map(|(code, (now, _))| row(code, *now))
        .collect();
    let pending: Vec<Value> = sums
        .iter()
        .map(|(code, (_, later))| row(code, *later))
        .collect();
    Ok(json!({
        "object": "balance",
        "available": available,
        "livemode": false,
        "pending": pending,
    }))
}

pub(super) fn list_transactions(world: &mut World, mut call: Call) -> Result<Value, ApiError> {
    let page = Page::take(&mut call.params)?;
    let payout = call.params.filled("payout")?;
    let source = call.params.filled("source")?;
    let kind = call.params.filled("type")?;
    let currency = call.params.filled("currency")?;
    call.params.finish()?;
    if let Some(payout) = &payout {
        let _: Payout = world.find(payout)?;
    }
    page.of::<BalanceTransaction>(world, "/v1/balance_transactions", |transaction| {
        (payout.is_none() || transaction.payout == payout)
            && source
                .as_ref()
                .is_none_or(|source| *source == transaction.source)
            && kind.as_ref().is_none_or(|kind| kind == transaction.kind)
            && currency
                .as_ref()
                .is_none_or(|code| *code == transaction.currency)
    })
}

pub(super) fn transaction(world: &mut World, call: Call) -> Result<Value, ApiError> {
    call.params.finish()?;
    Ok(world.find::<BalanceTransaction>(&call.id)?.render(world))
}

pub(super) fn list(world: &mut World, mut call: Call) -> Result<Value, ApiError> {
    let page = Page::take(&mut call.params)?;
    let arrival = Span::take(&mut call.params, "arrival_date")?;
    let status = call.params.one_of(
        "status",
        &["pending", "in_transit", "paid", "failed", "canceled"],
    )?;
    call.params.accept(&["destination"]);
    call.params.finish()?;
    page.of::<Payout>(world, "/v1/payouts", |payout| {
        let state = match payout.state {
            PayoutState::InTransit => "in_transit",
            PayoutState::Paid => "paid",
            PayoutState::Failed => "failed",
        };
        arrival.holds(payout.arrival) && status.is_none_or(|status| status == state)
    })
}

pub(super) fn retrieve(world: &mut World, call: Call) -> Result<Value, ApiError> {
    call.params.finish()?;
    Ok(world.find::<Payout>(&call.id)?.render(world))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn midnight_is_always_ahead() {
        for (now, next) in [(0, DAY), (1, DAY), (DAY - 1, DAY), (DAY, 2 * DAY), (-1, 0)] {
            let midnight = next_midnight(Timestamp::from_unix(now));
            assert_eq!(midnight.unix(), next);
        }
        let last = next_midnight(Timestamp::from_unix(i64::MAX));
        assert!(last.unix() > 0);
    }
}
