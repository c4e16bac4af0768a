//! Refunds: one for each command, for ever.

use serde_json::json;

use super::PayPal;
use super::amount::to_wire;
use super::convert::{capture_of, mark_of, money};
use super::error::is_out_of_state;
use super::payment::holds_money;
use super::wire::{self, Capture, Order};
use crate::capability::Operation;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::id::PaymentId;
use crate::mode::Mode;
use crate::money::Money;
use crate::payment::PaymentStatus;
use crate::providers::asked::{canonical_key, check_currency, same_refund};
use crate::refund::Refund;
use crate::request::{Page, RefundRequest};

impl<M: Mode> PayPal<M> {
    pub(super) async fn give_back(&self, request: &RefundRequest<M>) -> Result<Refund<M>> {
        let mark = mark_of(&request.command)?;
        let found = self.fetch(Operation::Refund, request.payment.raw()).await?;
        let payment = found.payment;
        check_currency(request.amount, &payment)?;
        let Some(order) = found.order else {
            return Err(without_order());
        };
        if let Some(made) = self.refund_of_command(&order, request)? {
            return same_refund(made, request);
        }
        if payment.status == PaymentStatus::Pending {
            let message = "the money has not come yet: it can be refunded once it has";
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        let left = payment.captured.checked_sub(payment.refunded)?;
        if request.amount.minor() > left.minor() {
            let asked = request.amount;
            let message = format!("{left} is left to be refunded, and {asked} was asked for");
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        let capture = refundable_capture(&order, request.amount.money())?;
        let body = json!({ "amount": to_wire(request.amount)?, "custom_id": mark });
        let key = canonical_key(Operation::Refund, &payment, request.command.as_str());
        let refused = match self.client.refund_capture(&capture.id, &body, &key).await {
            Ok(answer) => {
                // Another process may have been first with this command, and with another amount.
                return self.client.read(&answer, |reader, refund: wire::Refund| {
                    same_refund(reader.refund(&refund)?, request)
                });
            }
            Err(refused) if is_out_of_state(&refused) => refused,
            Err(refused) => return Err(refused),
        };
        let now = self
            .fetch_order(Operation::Refund, payment.id.raw())
            .await
            .and_then(|now| match now.order {
                Some(order) => self.refund_of_command(&order, request),
                None => Ok(None),
            });
        match now {
            Ok(Some(made)) => same_refund(made, request),
            Ok(None) => Err(refused),
            Err(_) => Err(refused.with_effect(Effect::Unknown)),
        }
    }

    /// All of them: an order lists its refunds without pages.
    pub(super) async fn refunds_of(&self, payment: &PaymentId<M>) -> Result<Page<Refund<M>>> {
        let found = self.fetch(Operation::ListRefunds, payment.raw()).await?;
        let Some(order) = found.order else {
            return Err(without_order());
        };
        let reader = self.client.reader(found.payment.as_of);
        let refunds = order.refunds();
        let each = refunds.map(|refund| (refund.id.as_str(), reader.refund(refund)));
        Page::of_each(each, None)
    }

    /// The refund that was made under a command before, if one was. PayPal forgets keys after 45
    /// days; a refund keeps its command.
    fn refund_of_command(
        &self,
        order: &Order,
        request: &RefundRequest<M>,
    ) -> Result<Option<Refund<M>>> {
        let reader = self.client.reader(self.client.now());
        for refund in order.refunds() {
            let read = reader.refund(refund)?;
            if read.command.as_ref() == Some(&request.command) {
                return Ok(Some(read));
            }
        }
        Ok(None)
    }
}

/// The first capture of which so much is left: PayPal refunds one capture at a time.
fn refundable_capture(order: &Order, amount: Money) -> Result<&Capture> {
    for capture in order.captures() {
        if !matches!(capture.status.as_str(), "COMPLETED" | "PARTIALLY_REFUNDED") {
            continue;
        }
        let of_it = order.refunds().filter(|refund| {
            capture_of(&refund.links) == Some(capture.id.as_str()) && holds_money(refund)
        });
        let given: Result<Vec<_>> = of_it.map(|refund| money(&refund.amount)).collect();
        let given = Money::sum(amount.currency(), given?)?;
        let left = money(&capture.amount)?.checked_sub(given)?;
        if left.minor() >= amount.minor() {
            return Ok(capture);
        }
    }
    let message = "no single capture of this payment has so much left: refund it in parts, each \
                   under a command of its own";
    Err(Error::new(ErrorKind::InvalidRequest, message))
}

fn without_order() -> Error {
    let message = "the payment was made without an order, and PayPal lists no refunds of it";
    Error::new(ErrorKind::Unsupported, message)
}
