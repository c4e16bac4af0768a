//! Modifications: captures, cancellations, refunds, reversals and changes of the amount.
//!
//! Each is answered `received` with a reference of its own, whatever it asks for. What came of it
//! is told by notice, and may be a refusal; captures and refunds may also fail afterwards.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::amounts::Amount;
use super::body::Body;
use super::errors::ApiError;
use super::methods::Trigger;
use super::notices::{self, Item};
use super::payments::{self, Payment, PaymentState};
use super::reports::{self, RowKind};
use super::router::Call;
use super::state::{Task, World};
use crate::simulator::table::Row;

/// When what succeeded fails, if its trigger says so; and how long a slow refund takes.
const LATER: Duration = Duration::from_secs(60 * 60);
/// How long a payment can be cancelled by the merchant's reference.
const CANCELLABLE_FOR: Duration = Duration::from_secs(24 * 60 * 60);
const TOO_MUCH: &str = "Insufficient balance on payment";

/// One modification that was received.
#[derive(Debug, Clone)]
pub(super) struct Modification {
    pub(super) psp: String,
    pub(super) payment: String,
    pub(super) reference: Option<String>,
    pub(super) kind: Kind,
    /// Whether no one asked for it: an automatic capture.
    pub(super) automatic: bool,
    pub(super) state: ModificationState,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Capture(i64),
    Cancel,
    /// A cancellation by the merchant's reference.
    TechnicalCancel,
    Refund(i64),
    Reversal,
    AmountUpdate(i64),
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ModificationState {
    Received,
    Done,
    Refused,
    /// It failed after it was done.
    Undone,
}

impl Row for Modification {
    fn id(&self) -> &str {
        &self.psp
    }
}

pub(super) fn capture(world: &mut World, call: Call) -> Result<(u16, Value), ApiError> {
    let mut body = Body::parse("PaymentCaptureRequest", &call.body)?;
    body.accept(&[
        "platformChargebackLogic",
        "enhancedSchemeData",
        "subMerchants",
    ]);
    let amount = body.amount()?;
    request(
        world,
        call,
        body,
        Some(&amount),
        Kind::Capture(amount.value),
    )
}

pub(super) fn refund(world: &mut World, call: Call) -> Result<(u16, Value), ApiError> {
    let mut body = Body::parse("PaymentRefundRequest", &call.body)?;
    body.accept(&["capturePspReference", "enhancedSchemeData", "store"]);
    if let Some(reason) = body.text("merchantRefundReason")? {
        let known = ["FRAUD", "CUSTOMER REQUEST", "RETURN", "DUPLICATE", "OTHER"];
        if !known.contains(&reason.as_str()) {
            let message = "Field 'merchantRefundReason' is not valid.";
            return Err(ApiError::validation("702", message));
        }
    }
    let amount = body.amount()?;
    request(world, call, body, Some(&amount), Kind::Refund(amount.value))
}

pub(super) fn cancel(world: &mut World, call: Call) -> Result<(u16, Value), ApiError> {
    let body = Body::parse("PaymentCancelRequest", &call.body)?;
    request(world, call, body, None, Kind::Cancel)
}

pub(super) fn reverse(world: &mut World, call: Call) -> Result<(u16, Value), ApiError> {
    let body = Body::parse("PaymentReversalRequest", &call.body)?;
    request(world, call, body, None, Kind::Reversal)
}

pub(super) fn update_amount(world: &mut World, call: Call) -> Result<(u16, Value), ApiError> {
    let mut body = Body::parse("PaymentAmountUpdateRequest", &call.body)?;
    body.accept(&[
        "adjustAuthType",
        "adjustAuthorisationData",
        "industryUsage",
        "mpiData",
    ]);
    let amount = body.amount()?;
    let kind = Kind::AmountUpdate(amount.value);
    let (status, mut answer) = request(world, call, body, Some(&amount), kind)?;
    if let Some(fields) = answer.as_object_mut() {
        // The specification requires a reference in this answer alone.
        let _ = fields.entry("reference").or_insert_with(|| json!(""));
    }
    Ok((status, answer))
}

/// Receives what is asked about a payment, whether or not it can be done.
fn request(
    world: &mut World,
    call: Call,
    mut body: Body,
    amount: Option<&Amount>,
    kind: Kind,
) -> Result<(u16, Value), ApiError> {
    body.accept(&["applicationInfo", "lineItems", "splits"]);
    let merchant = call.merchant(world, &mut body)?;
    let reference = body.optional_reference()?;
    body.finish()?;
    let found = world.payments.get(&call.id);
    let Some(payment) = found.filter(|payment| payment.merchant == merchant) else {
        let message = "Original pspReference required for this operation";
        return Err(ApiError::validation("167", message));
    };
    if amount.is_some_and(|amount| amount.currency != payment.amount.currency || amount.value == 0)
    {
        return Err(ApiError::validation("137", "Invalid amount specified"));
    }
    let slow = matches!(kind, Kind::Refund(_)) && payment.trigger == Some(Trigger::SlowRefund);
    let delay = if slow {
        LATER
    } else {
        world.modification_delay
    };
    let psp = receive(world, &call.id, reference.clone(), kind, delay);
    let mut answer = Map::new();
    let _ = answer.insert("merchantAccount".to_owned(), json!(merchant));
    let _ = answer.insert("paymentPspReference".to_owned(), json!(call.id));
    Ok((201, received(answer, &psp, reference, amount)))
}

/// Receives a cancellation by the merchant's reference. Whether there is such a payment is found
/// out later.
pub(super) fn cancel_by_reference(world: &mut World, call: Call) -> Result<(u16, Value), ApiError> {
    let mut body = Body::parse("StandalonePaymentCancelRequest", &call.body)?;
    body.accept(&["applicationInfo"]);
    let merchant = call.merchant(world, &mut body)?;
    let own = body.optional_reference()?;
    let wanted = body.text("paymentReference")?;
    body.finish()?;
    let wanted = wanted.ok_or_else(|| ApiError::validation("130", "Reference Missing"))?;
    let oldest = world.now.saturating_sub(CANCELLABLE_FOR);
    let fits = |payment: &&Payment| {
        payment.merchant == merchant && payment.reference == wanted && payment.created > oldest
    };
    let found = world.payments.newest_first().find(fits);
    let payment = found.map(|payment| payment.psp.clone()).unwrap_or_default();
    let delay = world.modification_delay;
    let psp = receive(world, &payment, own.clone(), Kind::TechnicalCancel, delay);
    let mut answer = Map::new();
    let _ = answer.insert("merchantAccount".to_owned(), json!(merchant));
    let _ = answer.insert("paymentReference".to_owned(), json!(wanted));
    Ok((201, received(answer, &psp, own, None)))
}

fn received(
    mut answer: Map<String, Value>,
    psp: &str,
    reference: Option<String>,
    amount: Option<&Amount>,
) -> Value {
    let _ = answer.insert("pspReference".to_owned(), json!(psp));
    let _ = answer.insert("status".to_owned(), json!("received"));
    if let Some(reference) = reference {
        let _ = answer.insert("reference".to_owned(), json!(reference));
    }
    if let Some(amount) = amount {
        let _ = answer.insert("amount".to_owned(), amount.to_json());
    }
    Value::Object(answer)
}

/// Notes a modification and plans its end; its reference is answered.
pub(super) fn receive(
    world: &mut World,
    payment: &str,
    reference: Option<String>,
    kind: Kind,
    delay: Duration,
) -> String {
    note(world, payment, reference, kind, false, delay)
}

fn note(
    world: &mut World,
    payment: &str,
    reference: Option<String>,
    kind: Kind,
    automatic: bool,
    delay: Duration,
) -> String {
    let psp = world.ids.psp();
    world.modifications.put(Modification {
        psp: psp.clone(),
        payment: payment.to_owned(),
        reference,
        kind,
        automatic,
        state: ModificationState::Received,
    });
    world.plan(delay, Task::SettleModification(psp.clone()));
    psp
}

/// Captures what is left of a payment that is captured automatically.
pub(super) fn capture_all(world: &mut World, payment: &str) {
    let Some(payment) = world.payments.get(payment) else {
        return;
    };
    let (psp, rest) = (payment.psp.clone(), payment.capturable());
    if rest > 0 {
        let _ = note(world, &psp, None, Kind::Capture(rest), true, Duration::ZERO);
    }
}

/// Does what was asked for, or refuses it, and tells.
pub(super) fn settle(world: &mut World, psp: &str) {
    let Some(mut modification) = world.modifications.get(psp).cloned() else {
        return;
    };
    let Some(payment) = world.payments.get(&modification.payment).cloned() else {
        // A cancellation of a payment that is not there has no one to be told about.
        modification.state = ModificationState::Refused;
        return world.modifications.put(modification);
    };
    if modification.state != ModificationState::Received {
        return;
    }
    let (mut payment, before) = (payment.clone(), payment);
    let outcome = apply(world, &mut payment, &modification);
    modification.state = match outcome {
        Ok(_) => ModificationState::Done,
        Err(_) => ModificationState::Refused,
    };
    world.modifications.put(modification.clone());
    let mut item = Item::modification(&before, &modification, outcome.is_ok());
    match outcome {
        Ok(amount) => item.amount = before.amount.with_value(amount),
        Err(reason) => item.reason = reason.to_owned(),
    }
    let captured = payment.captured > before.captured;
    if modification.kind == Kind::Reversal {
        let action = if before.captured > 0 {
            "refund"
        } else {
            "cancel"
        };
        item.add("modification.action", action);
        item.add("originalMerchantReference", &before.reference);
    }
    world.put(payment);
    // A merchant is told of its automatic captures if its account is set up so.
    let merchant = world.merchant(&before.merchant);
    if !modification.automatic || merchant.is_none_or(|merchant| merchant.tells_automatic_captures)
    {
        notices::emit(world, item);
    }
    if captured {
        payments::after_capture(world, &before.psp);
    }
    let fails = matches!(
        (&modification.kind, before.trigger),
        (Kind::Capture(_), Some(Trigger::FailCapture))
            | (
                Kind::Refund(_),
                Some(Trigger::FailRefund | Trigger::ReverseRefund)
            )
    );
    if fails && modification.state == ModificationState::Done {
        world.plan(LATER, Task::UndoModification(psp.to_owned()));
    }
}

/// Moves the money; answers how much, or why not.
fn apply(
    world: &mut World,
    payment: &mut Payment,
    modification: &Modification,
) -> Result<i64, &'static str> {
    match modification.kind {
        Kind::Capture(amount) => {
            if payment.trigger == Some(Trigger::RefuseCapture) {
                return Err("Capture refused by the acquirer (simulated)");
            }
            if amount > payment.capturable() {
                return Err(TOO_MUCH);
            }
            payment.captured += amount;
            payment.captures += 1;
            let merchant = world.merchant(&payment.merchant);
            if !merchant.is_some_and(|merchant| merchant.multiple_captures) {
                payment.authorised = payment.captured;
            }
            reports::book(world, RowKind::Settled, payment, modification, amount);
            Ok(amount)
        }
        Kind::Cancel | Kind::TechnicalCancel => release(payment),
        Kind::Refund(amount) => give_back(world, payment, modification, amount),
        Kind::Reversal if payment.captures > 1 => Err("Reversal is not allowed"),
        Kind::Reversal if payment.captured > 0 => {
            let left = payment.refundable();
            give_back(world, payment, modification, left).map(|_| payment.amount.value)
        }
        Kind::Reversal => release(payment).map(|_| payment.amount.value),
        Kind::AmountUpdate(amount) => {
            if payment.capturable() <= 0 || payment.captured > 0 {
                return Err("The authorisation cannot be adjusted any more");
            }
            payment.authorised = amount;
            payment.granted = payment.granted.max(amount);
            Ok(amount)
        }
    }
}

/// Lets go of what is held.
fn release(payment: &mut Payment) -> Result<i64, &'static str> {
    if payment.trigger == Some(Trigger::RefuseCancel) {
        return Err("Cancel refused by the acquirer (simulated)");
    }
    if payment.capturable() <= 0 {
        return Err("Transaction can not be cancelled");
    }
    payment.authorised = payment.captured;
    if payment.captured == 0 {
        payment.state = PaymentState::Cancelled;
    }
    Ok(payment.amount.value)
}

fn give_back(
    world: &mut World,
    payment: &mut Payment,
    modification: &Modification,
    amount: i64,
) -> Result<i64, &'static str> {
    if payment.trigger == Some(Trigger::RefuseRefund) {
        return Err("Refund refused by the acquirer (simulated)");
    }
    if amount <= 0 || amount > payment.refundable() {
        return Err(TOO_MUCH);
    }
    payment.refunded += amount;
    reports::book(world, RowKind::Refunded, payment, modification, amount);
    Ok(amount)
}

/// A capture or a refund that was done fails after all. Answers whether it could.
pub(super) fn undo(world: &mut World, psp: &str) {
    let Some(mut modification) = world.modifications.get(psp).cloned() else {
        return;
    };
    let Some(mut payment) = world.payments.get(&modification.payment).cloned() else {
        return;
    };
    if modification.state != ModificationState::Done {
        return;
    }
    let (event, amount) = match modification.kind {
        Kind::Capture(amount) if payment.refundable() >= amount => {
            payment.captured -= amount;
            payment.authorised = payment.authorised.min(payment.captured);
            reports::unbook(world, RowKind::Settled, &payment, &modification, amount);
            ("CAPTURE_FAILED", amount)
        }
        Kind::Refund(amount) => {
            payment.refunded -= amount;
            reports::unbook(world, RowKind::Refunded, &payment, &modification, amount);
            match payment.trigger {
                Some(Trigger::ReverseRefund) => ("REFUNDED_REVERSED", amount),
                _ => ("REFUND_FAILED", amount),
            }
        }
        _ => return,
    };
    modification.state = ModificationState::Undone;
    let item = Item {
        event,
        amount: payment.amount.with_value(amount),
        reason: match event {
            "CAPTURE_FAILED" => "Capture Failed".to_owned(),
            "REFUND_FAILED" => "Refund Failed".to_owned(),
            _ => String::new(),
        },
        // Such a notice names no order.
        additional: Map::new(),
        ..Item::modification(&payment, &modification, true)
    };
    world.modifications.put(modification);
    world.put(payment);
    notices::emit(world, item);
}
