//! Refunds: money back to the shopper, at once, later, or not at all.

use std::time::Duration;

use serde_json::{Value, json};

use super::amounts::{Amount, Api};
use super::captures::{Capture, State};
use super::disputes;
use super::errors::ApiError;
use super::events::{self, Resource};
use super::fields::Fields;
use super::funding::Funding;
use super::journal::{Entry, EntryStatus};
use super::router::{Call, Made, Reply};
use super::state::{Task, World, find, put_some, row};
use crate::clock::Timestamp;

/// How long a pending refund takes to come to its end.
const TAKES: Duration = Duration::from_secs(24 * 60 * 60);
/// How long after the capture a refund is possible (unverified).
const POSSIBLE_FOR: Duration = Duration::from_secs(180 * 24 * 60 * 60);

/// Money on its way back.
#[derive(Debug, Clone)]
pub(super) struct Refund {
    pub(super) id: String,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) capture: String,
    pub(super) amount: Amount,
    pub(super) state: RefundState,
    pub(super) note: RefundNote,
    /// What went back of the capture, this refund included.
    total: i64,
}

/// What the merchant wrote on a refund.
#[derive(Debug, Clone, Default)]
pub(super) struct RefundNote {
    pub(super) custom_id: Option<String>,
    pub(super) invoice_id: Option<String>,
    pub(super) note_to_payer: Option<String>,
}

/// The states of a refund that are simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RefundState {
    Pending,
    Completed,
    Failed,
}

row!(Refund);

impl Refund {
    pub(super) fn render(&self, world: &World, whole: bool) -> Value {
        let status = match self.state {
            RefundState::Pending => "PENDING",
            RefundState::Completed => "COMPLETED",
            RefundState::Failed => "FAILED",
        };
        let own = format!("/v2/payments/refunds/{}", self.id);
        let parent = format!("/v2/payments/captures/{}", self.capture);
        let links = json!([
            world.link("self", "GET", &own),
            world.link("up", "GET", &parent),
        ]);
        let mut object = json!({ "id": self.id, "status": status, "links": links });
        if !whole {
            return object;
        }
        let text = |text: &Option<String>| text.as_ref().map(|text| json!(text));
        let pending = self.state == RefundState::Pending;
        put_some(
            &mut object,
            [
                (
                    "status_details",
                    pending.then(|| json!({ "reason": "ECHECK" })),
                ),
                ("amount", Some(self.amount.render())),
                ("custom_id", text(&self.note.custom_id)),
                ("invoice_id", text(&self.note.invoice_id)),
                ("note_to_payer", text(&self.note.note_to_payer)),
                (
                    "seller_payable_breakdown",
                    Some(json!({
                        "gross_amount": self.amount.render(),
                        "paypal_fee": self.amount.of(0).render(),
                        "net_amount": self.amount.render(),
                        "total_refunded_amount": self.amount.of(self.total).render(),
                    })),
                ),
                ("create_time", Some(json!(self.created.to_string()))),
                ("update_time", Some(json!(self.updated.to_string()))),
            ],
        );
        object
    }
}

/// What has gone back of a capture for good, in its smallest unit.
pub(super) fn completed(world: &World, capture: &str) -> i64 {
    sum(world, capture, |state| state == RefundState::Completed)
}

/// What has gone back of a capture or is on its way.
pub(super) fn given_back(world: &World, capture: &str) -> i64 {
    sum(world, capture, |state| state != RefundState::Failed)
}

fn sum(world: &World, capture: &str, counts: impl Fn(RefundState) -> bool) -> i64 {
    let refunds = world.refunds.oldest_first();
    refunds
        .filter(|refund| refund.capture == capture && counts(refund.state))
        .map(|refund| refund.amount.units)
        .sum()
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let fields = Fields::of_body(&call.body, Api::Payments)?;
    let amount = fields.positive_amount("amount")?;
    let note = RefundNote {
        custom_id: fields.text("custom_id", 1..=127)?,
        invoice_id: fields.text("invoice_id", 1..=127)?,
        note_to_payer: fields.text("note_to_payer", 1..=255)?,
    };
    let capture = find(&world.captures, &call.id)?;
    let id = make(world, &capture, amount, note)?;
    Ok(Reply::made(Made::Refund(id)))
}

/// Refunds `amount` of a capture, or all that is left of it; the refund's id is answered.
pub(super) fn make(
    world: &mut World,
    capture: &Capture,
    amount: Option<Amount>,
    note: RefundNote,
) -> Result<String, ApiError> {
    let refused = |issue| Err(ApiError::refused(issue));
    match capture.state {
        State::Pending(_) => return refused("PENDING_CAPTURE"),
        State::Declined => return refused("REFUND_NOT_ALLOWED"),
        State::Completed => {}
    }
    let back = given_back(world, &capture.id);
    let left = capture.amount.units - back - disputes::lost_of(world, &capture.id);
    if let Some(amount) = amount
        && amount.currency != capture.amount.currency
    {
        return refused("REFUND_CAPTURE_CURRENCY_MISMATCH");
    }
    if world.now.abs_diff(capture.created) > POSSIBLE_FOR {
        return refused("REFUND_TIME_LIMIT_EXCEEDED");
    }
    if back >= capture.amount.units {
        return refused("CAPTURE_FULLY_REFUNDED");
    }
    if left <= 0 {
        return refused("REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK");
    }
    let amount = amount.unwrap_or(capture.amount.of(left));
    if amount.units > left {
        return refused("REFUND_AMOUNT_EXCEEDED");
    }
    let is_used = world
        .refunds
        .oldest_first()
        .any(|refund| refund.note.invoice_id == note.invoice_id);
    if note.invoice_id.is_some() && is_used && !world.settings.repeated_invoices {
        return refused("DUPLICATE_INVOICE_ID");
    }
    if disputes::is_open(world, &capture.id) {
        if amount.units < left {
            return refused("TRANSACTION_DISPUTED");
        }
        disputes::settle_by_refund(world, &capture.id);
    }
    let pends = matches!(capture.funding, Funding::RefundsPend | Funding::RefundsFail);
    let refund = Refund {
        id: world.ids.next(),
        created: world.now,
        updated: world.now,
        capture: capture.id.clone(),
        amount,
        state: if pends {
            RefundState::Pending
        } else {
            RefundState::Completed
        },
        note,
        total: back + amount.units,
    };
    let id = refund.id.clone();
    world
        .journal
        .write(Entry::refund(&refund, capture, world.now));
    world.refunds.put(refund);
    if pends {
        emit(world, &id, "PAYMENT.REFUND.PENDING", "A refund is pending");
        world.plan(TAKES, Task::SettleRefund(id.clone()));
    } else {
        emit(
            world,
            &id,
            "PAYMENT.CAPTURE.REFUNDED",
            "A capture was refunded",
        );
    }
    Ok(id)
}

/// A pending refund comes to the end that its payment's funding has.
pub(super) fn settle_when_due(world: &mut World, id: &str) {
    let refund = world.refunds.get(id);
    let capture = refund.and_then(|refund| world.captures.get(&refund.capture));
    if let Some(capture) = capture {
        let succeeds = capture.funding != Funding::RefundsFail;
        let _ = settle(world, id, succeeds);
    }
}

/// A pending refund is completed or fails. Answers whether there was one.
pub(super) fn settle(world: &mut World, id: &str, succeeds: bool) -> bool {
    let refund = world.refunds.get(id).cloned();
    let Some(mut refund) = refund.filter(|refund| refund.state == RefundState::Pending) else {
        return false;
    };
    refund.updated = world.now;
    let (kind, summary, status) = if succeeds {
        refund.state = RefundState::Completed;
        (
            "PAYMENT.CAPTURE.REFUNDED",
            "A capture was refunded",
            EntryStatus::Settled,
        )
    } else {
        refund.state = RefundState::Failed;
        (
            "PAYMENT.REFUND.FAILED",
            "A refund failed",
            EntryStatus::Denied,
        )
    };
    world.refunds.put(refund);
    world.journal.set_status(id, status, world.now);
    emit(world, id, kind, summary);
    true
}

fn emit(world: &mut World, id: &str, kind: &str, summary: &str) {
    if let Some(refund) = world.refunds.get(id) {
        let resource = refund.render(world, true);
        events::emit(world, kind, summary, Resource::Refund(resource));
    }
}

pub(super) fn show(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let refund = find(&world.refunds, &call.id)?;
    Ok(Reply::ok(refund.render(world, true)))
}
