//! Completing what the shopper has approved: the money is taken, or held.

use serde_json::json;

use super::PayPal;
use super::amount::to_wire;
use super::error::is_out_of_state;
use super::find::Found;
use super::payment::active_hold;
use super::wire::Order;
use crate::capability::Operation;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::id::{CommandId, IdempotencyKey, PaymentId};
use crate::mode::Mode;
use crate::money::PositiveMoney;
use crate::payment::{Payment, PaymentStatus};
use crate::providers::asked::{canonical_key, check_currency};
use crate::request::CompleteRequest;

impl<M: Mode> PayPal<M> {
    pub(super) async fn complete_approved(
        &self,
        request: &CompleteRequest<M>,
    ) -> Result<Payment<M>> {
        let found = self
            .fetch(Operation::Complete, request.payment.raw())
            .await?;
        let payment = found.payment;
        if payment.amount != request.amount.money() {
            let (of_payment, asked) = (payment.amount, request.amount);
            let message = format!("the payment is of {of_payment}, and {asked} is owed");
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        let order = match (found.order, &payment.status) {
            (Some(order), PaymentStatus::Approved) => order,
            (_, PaymentStatus::Created | PaymentStatus::ActionRequired) => {
                return Err(conflict("the shopper has not approved the payment"));
            }
            (_, PaymentStatus::Canceled | PaymentStatus::Expired) => {
                return Err(conflict("the payment has ended: the shopper must pay anew"));
            }
            // It was completed before.
            _ => return Ok(payment),
        };
        let step = match order.intent.as_deref() {
            Some("AUTHORIZE") => "authorize",
            _ => "capture",
        };
        let key = key_of(&order, &canonical_key(Operation::Complete, &payment, ""));
        match self.client.complete_order(&order.id, step, &key).await {
            Ok(answer) => self
                .client
                .read(&answer, |reader, order: Order| reader.order(&order)),
            Err(refused) if is_out_of_state(&refused) => {
                self.completed_before(&order.id, refused).await
            }
            Err(refused) => Err(refused.with_payment(&payment.id)),
        }
    }

    /// Holds an amount anew whose honour period of three days is over, so that it can still be
    /// captured: once, from the fourth day to the twenty-ninth, for what was held before or less.
    /// The same command again is the same wish.
    ///
    /// Sources: PayPal's OpenAPI description of Payments v2; that an authorization made so cannot
    /// be held anew once more was not checked again for this version.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if nothing is held, [`ErrorKind::InvalidRequest`] for more than is
    /// held, [`ErrorKind::Declined`] if the payer cannot pay any more.
    pub async fn reauthorize(
        &self,
        payment: &PaymentId<M>,
        amount: PositiveMoney,
        command: &CommandId,
    ) -> Result<Payment<M>> {
        let found = self.fetch(Operation::Capture, payment.raw()).await?;
        let held = &found.payment;
        check_currency(amount, held)?;
        let hold = found.order.as_ref().and_then(active_hold);
        let (Some(hold), PaymentStatus::Authorized) = (hold, &held.status) else {
            return Err(conflict("nothing is held by this payment"));
        };
        if amount.minor() > held.capturable.minor() {
            let message = format!("{} is held, and {amount} was asked for", held.capturable);
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        let body = json!({ "amount": to_wire(amount)? });
        let Some(reference) = &held.reference else {
            return Err(conflict(
                "the payment was made elsewhere: hold it anew there",
            ));
        };
        let (operation, of) = ("reauthorize", &reference.namespace);
        let key = IdempotencyKey::for_command(operation, of, &held.id, command.as_str());
        self.client.reauthorize(&hold.id, &body, &key).await?;
        let now = self.fetch_order(Operation::Capture, held.id.raw()).await;
        now.map(|now| now.payment)
            .map_err(|error| error.with_effect(Effect::Applied))
    }

    /// Follows a completion that PayPal refused because the order is done: then this is how.
    async fn completed_before(&self, order: &str, refused: Error) -> Result<Payment<M>> {
        match self.fetch_order(Operation::Complete, order).await {
            Ok(Found { payment, .. }) => match payment.status {
                PaymentStatus::Captured | PaymentStatus::Authorized | PaymentStatus::Pending => {
                    Ok(payment)
                }
                // PayPal says that it is done, and does not show it here: not yet, or it was done
                // by another order of the same attempt.
                PaymentStatus::Approved if says_completed(&refused) => {
                    let refused = refused.with_effect(Effect::Unknown);
                    Err(refused.with_payment(&payment.id))
                }
                PaymentStatus::Failed(_) => Ok(payment),
                _ => Err(refused.with_payment(&payment.id)),
            },
            Err(_) => Err(refused.with_effect(Effect::Unknown)),
        }
    }
}

/// An approval has a key of its own: after a refusal the shopper may approve the same order again
/// with another way to pay, and the answer to the first try must not come back. Two completions of
/// one order cannot both take money, whatever their keys.
fn key_of(order: &Order, key: &IdempotencyKey) -> IdempotencyKey {
    match &order.update_time {
        Some(approved_at) => key.for_step(approved_at),
        None => key.clone(),
    }
}

/// Whether PayPal says that money was taken or held for this attempt. A repeated invoice id says
/// so too, since an attempt's reference is its invoice id.
fn says_completed(refused: &Error) -> bool {
    const CODES: [&str; 4] = [
        "DUPLICATE_INVOICE_ID",
        "ORDER_ALREADY_AUTHORIZED",
        "ORDER_ALREADY_CAPTURED",
        "ORDER_COMPLETED_OR_VOIDED",
    ];
    refused.code().is_some_and(|code| CODES.contains(&code))
}

fn conflict(message: &'static str) -> Error {
    Error::new(ErrorKind::Conflict, message)
}
