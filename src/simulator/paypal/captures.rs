//! Captures: money that was taken, at once, later or in vain.

use std::time::Duration;

use serde_json::{Value, json};

use super::amounts::{Amount, Api};
use super::authorizations;
use super::disputes;
use super::errors::ApiError;
use super::events::{self, Resource};
use super::fields::Fields;
use super::funding::{CardDecline, Charge, Funding};
use super::journal::{Entry, EntryStatus};
use super::orders;
use super::refunds;
use super::router::{Call, Made, Reply};
use super::state::{MERCHANT_EMAIL, MERCHANT_ID, Task, World, find, put_some, row};
use crate::clock::Timestamp;

const ECHECK_TAKES: Duration = Duration::from_secs(3 * 24 * 60 * 60);
const REVIEW_TAKES: Duration = Duration::from_secs(24 * 60 * 60);
/// The fee: 3.49 % and a fixed part, 49 of the smallest unit.
const FEE_PER_TEN_THOUSAND: i64 = 349;
const FEE_FIXED: i64 = 49;

/// Money that was taken, or was to be.
#[derive(Debug, Clone)]
pub(super) struct Capture {
    pub(super) id: String,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) order: String,
    pub(super) unit: usize,
    pub(super) authorization: Option<String>,
    pub(super) amount: Amount,
    pub(super) custom_id: Option<String>,
    pub(super) invoice_id: Option<String>,
    pub(super) state: State,
    pub(super) funding: Funding,
    final_capture: bool,
    decline: Option<CardDecline>,
}

/// The states of a capture; what was refunded is told by its refunds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Completed,
    Pending(&'static str),
    Declined,
}

/// How much of a capture is told, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Minimal,
    Whole,
    /// As a part of its order, where the order is not named again.
    InOrder,
}

/// What is to be captured.
#[derive(Debug)]
pub(super) struct NewCapture<'a> {
    pub(super) order: &'a str,
    pub(super) unit: usize,
    pub(super) authorization: Option<String>,
    pub(super) amount: Amount,
    pub(super) custom_id: Option<String>,
    pub(super) invoice_id: Option<String>,
    pub(super) final_capture: bool,
    pub(super) funding: Funding,
}

row!(Capture);

impl Capture {
    pub(super) fn is_declined(&self) -> bool {
        self.state == State::Declined
    }

    pub(super) fn fee(&self) -> i64 {
        let share = self.amount.units.saturating_mul(FEE_PER_TEN_THOUSAND);
        let fee = share.saturating_add(5000) / 10_000 + FEE_FIXED;
        fee.min(self.amount.units)
    }

    fn status(&self, world: &World) -> &'static str {
        match self.state {
            State::Pending(_) => "PENDING",
            State::Declined => "DECLINED",
            State::Completed => match refunds::completed(world, &self.id) {
                0 => "COMPLETED",
                back if back < self.amount.units => "PARTIALLY_REFUNDED",
                _ => "REFUNDED",
            },
        }
    }

    pub(super) fn render(&self, world: &World, view: View) -> Value {
        let path = format!("/v2/payments/captures/{}", self.id);
        let parent = match &self.authorization {
            Some(held) => format!("/v2/payments/authorizations/{held}"),
            None => format!("/v2/checkout/orders/{}", self.order),
        };
        let mut links = vec![world.link("self", "GET", &path)];
        if self.state == State::Completed {
            links.push(world.link("refund", "POST", &format!("{path}/refund")));
        }
        links.push(world.link("up", "GET", &parent));
        let status = self.status(world);
        let mut object = json!({ "id": self.id, "status": status, "links": links });
        if view == View::Minimal {
            return object;
        }
        let reason = match self.state {
            State::Pending(reason) => Some(json!({ "reason": reason })),
            _ => None,
        };
        let in_order = view == View::InOrder;
        let mut related = json!({ "order_id": self.order });
        let held = self.authorization.as_ref().map(|held| json!(held));
        put_some(&mut related, [("authorization_id", held)]);
        put_some(
            &mut object,
            [
                ("status_details", reason),
                ("amount", Some(self.amount.render())),
                ("custom_id", self.custom_id.as_ref().map(|id| json!(id))),
                ("invoice_id", self.invoice_id.as_ref().map(|id| json!(id))),
                ("final_capture", Some(json!(self.final_capture))),
                ("seller_protection", Some(seller_protection())),
                ("seller_receivable_breakdown", self.breakdown()),
                ("processor_response", self.decline.map(processor_response)),
                ("create_time", Some(json!(self.created.to_string()))),
                ("update_time", Some(json!(self.updated.to_string()))),
                (
                    "supplementary_data",
                    (!in_order).then(|| json!({ "related_ids": related })),
                ),
                (
                    "payee",
                    (!in_order).then(
                        || json!({ "email_address": MERCHANT_EMAIL, "merchant_id": MERCHANT_ID }),
                    ),
                ),
            ],
        );
        object
    }

    /// Gross, fee and net, once the money is there.
    fn breakdown(&self) -> Option<Value> {
        let fee = self.fee();
        (self.state == State::Completed).then(|| {
            json!({
                "gross_amount": self.amount.render(),
                "paypal_fee": self.amount.of(fee).render(),
                "net_amount": self.amount.of(self.amount.units - fee).render(),
            })
        })
    }
}

pub(super) fn seller_protection() -> Value {
    json!({
        "status": "ELIGIBLE",
        "dispute_categories": ["ITEM_NOT_RECEIVED", "UNAUTHORIZED_TRANSACTION"],
    })
}

pub(super) fn processor_response(decline: CardDecline) -> Value {
    let (code, advice) = decline.codes();
    let mut response = json!({ "response_code": code });
    put_some(
        &mut response,
        [("payment_advice_code", advice.map(|advice| json!(advice)))],
    );
    response
}

/// What was taken of an authorization or is on its way, in its smallest unit.
pub(super) fn taken_of(world: &World, authorization: &str) -> i64 {
    let Some(held) = world.authorizations.get(authorization) else {
        return 0;
    };
    let of_family = |id: &str| {
        let other = world.authorizations.get(id);
        other.is_some_and(|other| other.root() == held.root())
    };
    let captures = world.captures.oldest_first();
    captures
        .filter(|capture| !capture.is_declined())
        .filter(|capture| capture.authorization.as_deref().is_some_and(of_family))
        .map(|capture| capture.amount.units)
        .sum()
}

/// Makes a capture with its outcome; the id is answered.
pub(super) fn make(world: &mut World, new: NewCapture<'_>, charge: Charge) -> String {
    let (state, decline) = match charge {
        Charge::Declined(reason) => (State::Declined, Some(reason)),
        Charge::Pending(reason) => (State::Pending(reason), None),
        Charge::Pays | Charge::Refused(_) => (State::Completed, None),
    };
    let capture = Capture {
        id: world.ids.next(),
        created: world.now,
        updated: world.now,
        order: new.order.to_owned(),
        unit: new.unit,
        authorization: new.authorization,
        amount: new.amount,
        custom_id: new.custom_id,
        invoice_id: new.invoice_id,
        state,
        funding: new.funding,
        final_capture: new.final_capture,
        decline,
    };
    let id = capture.id.clone();
    let entry = Entry::payment(&capture, world.now);
    world.captures.put(capture);
    world.journal.write(entry);
    match state {
        State::Completed => completed(world, &id),
        State::Pending(reason) => {
            emit(world, &id, "PAYMENT.CAPTURE.PENDING", "Payment pending");
            match reason {
                "ECHECK" => world.plan(ECHECK_TAKES, Task::SettleCapture(id.clone())),
                "PENDING_REVIEW" => world.plan(REVIEW_TAKES, Task::SettleCapture(id.clone())),
                _ => {}
            }
        }
        State::Declined => {
            let kind = "PAYMENT.CAPTURE.DECLINED";
            emit(world, &id, kind, "A payment capture was declined");
        }
    }
    id
}

/// A pending capture comes to the end that its funding has.
pub(super) fn settle_when_due(world: &mut World, id: &str) {
    if let Some(capture) = world.captures.get(id) {
        let pays = capture.funding != Funding::EcheckBounces;
        settle(world, id, pays);
    }
}

/// A pending capture is completed or denied. Answers whether there was one.
pub(super) fn settle(world: &mut World, id: &str, pays: bool) -> bool {
    let Some(mut capture) = world.captures.get(id).cloned() else {
        return false;
    };
    if !matches!(capture.state, State::Pending(_)) {
        return false;
    }
    capture.state = if pays {
        State::Completed
    } else {
        State::Declined
    };
    capture.updated = world.now;
    world.captures.put(capture);
    let status = if pays {
        EntryStatus::Settled
    } else {
        EntryStatus::Denied
    };
    world.journal.set_status(id, status, world.now);
    if pays {
        completed(world, id);
    } else {
        emit(world, id, "PAYMENT.CAPTURE.DENIED", "Payment denied");
    }
    true
}

fn completed(world: &mut World, id: &str) {
    emit(world, id, "PAYMENT.CAPTURE.COMPLETED", "Payment completed");
    let capture = world.captures.get(id);
    if capture.is_some_and(|capture| capture.funding == Funding::Disputes) {
        // What can be disputed was just taken.
        let _ = disputes::open(world, id, disputes::Reason::NotReceived);
    }
}

pub(super) fn emit(world: &mut World, id: &str, kind: &str, summary: &str) {
    if let Some(capture) = world.captures.get(id) {
        let resource = capture.render(world, View::Whole);
        events::emit(world, kind, summary, Resource::Capture(resource));
    }
}

pub(super) fn show(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let capture = find(&world.captures, &call.id)?;
    Ok(Reply::ok(capture.render(world, View::Whole)))
}

/// Takes what is held, or a part of it.
pub(super) fn capture_authorization(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let fields = Fields::of_body(&call.body, Api::Payments)?;
    let amount = fields.positive_amount("amount")?;
    let is_final = fields.boolean("final_capture")?.unwrap_or(false);
    let own_invoice = fields.text("invoice_id", 0..=127)?;
    let _ = fields.text("note_to_payer", 0..=255)?;
    let _ = fields.text("soft_descriptor", 0..=22)?;

    let held = authorizations::capturable(world, &call.id)?;
    let taken = taken_of(world, &held.id);
    if taken >= held.amount.units {
        return Err(ApiError::refused("AUTHORIZATION_ALREADY_CAPTURED"));
    }
    let amount = amount.unwrap_or(held.amount.of(held.amount.units - taken));
    if amount.currency != held.amount.currency {
        return Err(ApiError::refused("AUTH_CAPTURE_CURRENCY_MISMATCH"));
    }
    if taken.saturating_add(amount.units) > authorizations::limit(&held) {
        return Err(ApiError::refused("MAX_CAPTURE_AMOUNT_EXCEEDED"));
    }
    if let Some(invoice) = &own_invoice
        && !world.settings.repeated_invoices
    {
        let mut captures = world.captures.oldest_first();
        let of_this_hold = captures.any(|capture| {
            capture.order == held.order
                && capture.invoice_id.as_ref() == Some(invoice)
                && !capture.is_declined()
        });
        if of_this_hold || orders::invoice_is_used(world, invoice, &held.order) {
            return Err(ApiError::refused("DUPLICATE_INVOICE_ID"));
        }
    }
    let new = NewCapture {
        order: &held.order,
        unit: held.unit,
        authorization: Some(held.id.clone()),
        amount,
        custom_id: held.custom_id.clone(),
        invoice_id: own_invoice.or_else(|| held.invoice_id.clone()),
        final_capture: is_final,
        funding: held.funding,
    };
    let id = make(world, new, held.funding.capture(true));
    if is_final {
        authorizations::close(world, &held.id);
    }
    Ok(Reply::made(Made::Capture(id)))
}
