//! Captures and voids: what becomes of money that is held, and of checkouts that nobody paid.

use super::client::{Form, pair};
use super::{Stripe, amount, error};
use crate::capability::Operation;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::id::{IdempotencyKey, PaymentId};
use crate::mode::Mode;
use crate::money::PositiveMoney;
use crate::payment::{Payment, PaymentStatus};
use crate::providers::asked::{canonical_key, check_currency};
use crate::request::CaptureRequest;

impl<M: Mode> Stripe<M> {
    pub(super) async fn take_held(&self, request: &CaptureRequest<M>) -> Result<Payment<M>> {
        // Stripe takes no currency here, so the payment's own has to be looked at first.
        let held = self
            .fetch(Operation::Capture, request.payment.raw())
            .await?;
        check_currency(request.amount, &held)?;
        let is_held = held.status == PaymentStatus::Authorized;
        if is_held && request.amount.minor() > held.capturable.minor() {
            let (held, asked) = (held.capturable, request.amount);
            let message = format!("{held} is held, and {asked} was to be captured");
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        let units = amount::to_part(request.amount)?;
        let mut form: Form = vec![pair("amount_to_capture", units.to_string())];
        if !request.is_final {
            form.push(pair("final_capture", "false"));
        }
        let id = held.id.raw();
        let key = canonical_key(Operation::Capture, &held, request.command.as_str());
        match self.client.capture_intent(id, form, &key).await {
            Ok(answer) => self.payment_now(Operation::Capture, &answer).await,
            Err(refused) => {
                let is_done = |now: &Payment<M>| is_taken(request.amount, &held, now);
                self.settle(Operation::Capture, refused, id, is_done).await
            }
        }
    }

    pub(super) async fn let_go(&self, id: &PaymentId<M>) -> Result<Payment<M>> {
        let payment = self.fetch(Operation::Void, id.raw()).await?;
        let key = &canonical_key(Operation::Void, &payment, "");
        if payment.is_checkout {
            return self.expire(payment.id.raw(), key).await;
        }
        let intent = payment.id.raw();
        if payment.status != PaymentStatus::Authorized
            && let Some(session) = self.open_session_of(intent).await?
        {
            // An intent that a session owns ends with its session.
            return self.expire(session.raw(), key).await;
        }
        self.cancel(intent, key).await
    }

    /// Expires a session. One that is no longer open refuses that without a code of its own.
    async fn expire(&self, session: &str, key: &IdempotencyKey) -> Result<Payment<M>> {
        let refused = match self.client.expire_session(session, key).await {
            Ok(answer) => return self.payment_now(Operation::Void, &answer).await,
            Err(refused) if *refused.kind() == ErrorKind::InvalidRequest => refused,
            Err(error) => return Err(error),
        };
        let payment = self.fetch(Operation::Void, session).await?;
        match payment.status {
            PaymentStatus::Canceled | PaymentStatus::Expired => Ok(payment),
            PaymentStatus::Authorized => self.cancel(payment.id.raw(), key).await,
            PaymentStatus::Captured => {
                let message = "the payment was captured: refund it";
                Err(Error::new(ErrorKind::Conflict, message).with_payment(&payment.id))
            }
            _ => Err(refused),
        }
    }

    async fn cancel(&self, intent: &str, key: &IdempotencyKey) -> Result<Payment<M>> {
        let is_gone = |now: &Payment<M>| {
            matches!(now.status, PaymentStatus::Canceled | PaymentStatus::Expired)
        };
        // An earlier try may have spent the key on the session.
        let key = key.for_step("cancel");
        match self.client.cancel_intent(intent, &key).await {
            Ok(answer) => self.payment_now(Operation::Void, &answer).await,
            Err(refused) => self.settle(Operation::Void, refused, intent, is_gone).await,
        }
    }

    /// Follows an operation that Stripe refused because of the payment's state: if the payment is
    /// as it should be, the operation was done before.
    async fn settle(
        &self,
        operation: Operation,
        refused: Error,
        id: &str,
        is_done: impl FnOnce(&Payment<M>) -> bool,
    ) -> Result<Payment<M>> {
        if !error::is_out_of_state(&refused) {
            return Err(refused);
        }
        match self.fetch(operation, id).await {
            Ok(payment) if is_done(&payment) => Ok(payment),
            Ok(_) => Err(refused),
            Err(_) => Err(refused.with_effect(Effect::Unknown)),
        }
    }
}

/// Whether a capture was done, now or before: what was taken before by other commands is not it.
fn is_taken<M: Mode>(asked: PositiveMoney, before: &Payment<M>, now: &Payment<M>) -> bool {
    let asked = asked.money();
    let by_this_one = now.captured.minor() - before.captured.minor() == asked.minor();
    let by_an_earlier_one = before.capturable.minor() == 0 && now.captured == asked;
    by_this_one || by_an_earlier_one
}
