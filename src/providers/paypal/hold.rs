//! Captures and voids of what is held.

use serde_json::json;

use super::PayPal;
use super::amount::to_wire;
use super::convert::money;
use super::error::is_out_of_state;
use super::payment::{active_hold, is_refused, refusal_of, rest_is_gone};
use super::wire::{Authorization, Capture, Order};
use crate::capability::Operation;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::id::{IdempotencyKey, PaymentId};
use crate::mode::Mode;
use crate::money::PositiveMoney;
use crate::payment::{Payment, PaymentStatus};
use crate::providers::asked::{canonical_key, check_currency};
use crate::request::CaptureRequest;

impl<M: Mode> PayPal<M> {
    pub(super) async fn take_held(&self, request: &CaptureRequest<M>) -> Result<Payment<M>> {
        let found = self
            .fetch(Operation::Capture, request.payment.raw())
            .await?;
        let held = found.payment;
        check_currency(request.amount, &held)?;
        let key = canonical_key(Operation::Capture, &held, request.command.as_str());
        let mark = mark_of(&held, &key);
        let Some(order) = found.order else {
            return Err(conflict("the payment has no order at PayPal to capture by"));
        };
        if let Some(taken) = taken_under(&order, &mark) {
            check_same(taken, request.amount)?;
            return Ok(held);
        }
        let hold = active_hold(&order).map(|hold| hold.id.as_str());
        let Some(hold) = hold.filter(|_| held.capturable.is_positive()) else {
            return Err(conflict(nothing_held(&held.status)).with_payment(&held.id));
        };
        if request.amount.minor() > held.capturable.minor() {
            let (held, asked) = (held.capturable, request.amount);
            let message = format!("{held} is held, and {asked} was to be captured");
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        let body = json!({
            "amount": to_wire(request.amount)?,
            "invoice_id": mark,
            "final_capture": request.is_final,
        });
        let (operation, order_id) = (Operation::Capture, held.id.raw());
        let refused = match self.client.capture_authorization(hold, &body, &key).await {
            Ok(answer) => {
                let refused = self.client.read(&answer, |_, capture: Capture| {
                    if is_refused(&capture) {
                        return Ok(Some(capture));
                    }
                    check_same(&capture, request.amount).map(|()| None)
                })?;
                if let Some(refused) = refused {
                    let kind = ErrorKind::Declined(refusal_of(&refused));
                    let declined = Error::new(kind, "the capture was refused");
                    return Err(declined.with_payment(&held.id));
                }
                return match self.fetch_order(operation, order_id).await {
                    Ok(now) => Ok(now.payment),
                    // What was captured stands even if it cannot be looked at now.
                    Err(error) => Err(error.with_effect(Effect::Applied)),
                };
            }
            Err(refused) if is_out_of_state(&refused) => refused,
            Err(refused) => return Err(refused),
        };
        match self.fetch_order(operation, order_id).await {
            Ok(now) => match now.order.as_ref().and_then(|o| taken_under(o, &mark)) {
                Some(taken) => check_same(taken, request.amount).map(|()| now.payment.clone()),
                // What was captured under this mark is not shown yet.
                None if refused.code() == Some("DUPLICATE_INVOICE_ID") => {
                    Err(refused.with_effect(Effect::Unknown))
                }
                None => Err(refused),
            },
            Err(_) => Err(refused.with_effect(Effect::Unknown)),
        }
    }

    pub(super) async fn let_go(&self, id: &PaymentId<M>) -> Result<Payment<M>> {
        let found = self.fetch(Operation::Void, id.raw()).await?;
        let payment = found.payment;
        let key = &canonical_key(Operation::Void, &payment, "");
        if matches!(
            payment.status,
            PaymentStatus::Canceled | PaymentStatus::Expired
        ) {
            return Ok(payment);
        }
        if payment.is_checkout {
            let message = "PayPal cannot end an order that nobody has paid: it lapses, and no \
                           money moves unless it is completed";
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let is_gone = |order: &Order| rest_is_gone(&payment, order);
        if found.order.as_ref().is_some_and(is_gone) {
            return Ok(payment);
        }
        let hold = found.order.as_ref().and_then(first_hold);
        let Some(hold) = hold.filter(|_| is_held(&payment)) else {
            let message = "the payment was captured: refund it";
            return Err(conflict(message).with_payment(&payment.id));
        };
        let refused = match self.client.void_authorization(&hold.id, key).await {
            Ok(_) => None,
            Err(refused) if is_out_of_state(&refused) => Some(refused),
            Err(refused) => return Err(refused),
        };
        match (
            self.fetch_order(Operation::Void, payment.id.raw()).await,
            refused,
        ) {
            (Ok(now), None) => Ok(now.payment),
            (Ok(now), Some(refused)) => {
                let is_canceled = now.payment.status == PaymentStatus::Canceled;
                let is_gone = |order: &Order| rest_is_gone(&now.payment, order);
                match is_canceled || now.order.as_ref().is_some_and(is_gone) {
                    true => Ok(now.payment),
                    false => Err(refused),
                }
            }
            (Err(error), None) => Err(error.with_effect(Effect::Applied)),
            (Err(_), Some(refused)) => Err(refused.with_effect(Effect::Unknown)),
        }
    }
}

/// A hold that was made anew cannot be voided; its parent, which is older, can.
fn first_hold(order: &Order) -> Option<&Authorization> {
    let is_open = |hold: &&Authorization| hold.status != "VOIDED" && hold.status != "DENIED";
    let oldest = |hold: &&Authorization| hold.create_time.clone();
    order.authorizations().filter(is_open).min_by_key(oldest)
}

fn is_held<M: Mode>(payment: &Payment<M>) -> bool {
    let is_pending = payment.status == PaymentStatus::Pending && payment.captured.is_zero();
    payment.capturable.is_positive() || is_pending
}

/// The invoice id of a capture: the reference, and what tells one command from another. By it a
/// capture is found again, and PayPal refuses it a second time even when it has forgotten the key.
fn mark_of<M: Mode>(held: &Payment<M>, key: &IdempotencyKey) -> String {
    let tail: String = key.as_str().chars().rev().take(12).collect();
    match &held.reference {
        Some(reference) => format!("{reference}:{tail}"),
        None => key.as_str().to_owned(),
    }
}

/// What the command of this mark has captured.
fn taken_under<'o>(order: &'o Order, mark: &str) -> Option<&'o Capture> {
    let mut captures = order.captures();
    captures.find(|capture| capture.invoice_id.as_deref() == Some(mark) && !is_refused(capture))
}

/// A command that was carried out before must have asked for the same.
fn check_same(taken: &Capture, asked: PositiveMoney) -> Result<()> {
    let taken = money(&taken.amount)?;
    if taken == asked.money() {
        return Ok(());
    }
    let message = format!(
        "this command captured {taken} before, and {asked} is asked for now: take another command"
    );
    Err(Error::new(ErrorKind::Conflict, message))
}

fn nothing_held(status: &PaymentStatus) -> &'static str {
    match status {
        PaymentStatus::Expired => "the hold has lapsed: the shopper must pay anew",
        PaymentStatus::Canceled => "the hold was let go: the shopper must pay anew",
        PaymentStatus::Captured => "all of it was captured before, by another command",
        _ => "nothing is held by this payment yet",
    }
}

fn conflict(message: &'static str) -> Error {
    Error::new(ErrorKind::Conflict, message)
}
