//! Checkouts that shall not be paid any more: ended by the provider, or by time.

use super::Cashier;
use super::commands::Wish;
use super::due::LAST_NEWS;
use super::fold::Fact;
use super::records::{AttemptPhase, CommandOperation, CommandState, OrderRecord};
use crate::capability::Operation;
use crate::clock::Timestamp;
use crate::error::{ErrorKind, Result};
use crate::id::{OrderId, PaymentId};
use crate::mode::Mode;
use crate::payment::{Payment, PaymentStatus};

impl<M: Mode> Cashier<M> {
    /// Ends every checkout that is unpaid and can be ended.
    pub(super) async fn end_checkouts(&self, id: &OrderId) -> Result<()> {
        let record = self.order(id).await?;
        for known in record.payments.iter().filter_map(|p| p.ledger.payment()) {
            if is_unpaid(&known.status) && self.can_void(&record, &known.id) {
                match self.void_of(id, &known.id).await {
                    // It ends by time, and is open until then.
                    Err(error) if *error.kind() == ErrorKind::Unsupported => {}
                    ended => drop(ended?),
                }
            }
        }
        Ok(())
    }

    /// Whether an unpaid checkout is past its end at a provider that can neither be asked nor tells
    /// of it.
    pub(super) fn has_ended_unheard(&self, payment: &Payment<M>, now: Timestamp) -> bool {
        let ended = |end: Timestamp| end.saturating_add(LAST_NEWS) < now;
        let has_ended = payment.expires_at.is_some_and(ended);
        has_ended && !self.supports(&payment.id, Operation::FetchPayment)
    }

    /// Whether the shopper may try again on a page where a payment was refused, at a provider that
    /// cannot be asked whether that page has ended.
    pub(super) fn takes_another_try(&self, payment: &Payment<M>, now: Timestamp) -> bool {
        payment.is_checkout
            && matches!(payment.status, PaymentStatus::Failed(_))
            && payment.expires_at.is_some()
            && !self.supports(&payment.id, Operation::FetchPayment)
            && !self.has_ended_unheard(payment, now)
    }

    /// Whether such a page of an attempt that was not released is there.
    pub(super) fn has_page_for_another_try(&self, record: &OrderRecord<M>, now: Timestamp) -> bool {
        let attempts = record.attempts.iter();
        let begun = attempts.filter(|a| a.phase == AttemptPhase::Begun && !a.is_completed_here);
        let payments = begun.flat_map(|attempt| record.payments_of(attempt.attempt));
        let mut known = payments.filter_map(|payment| payment.ledger.payment());
        known.any(|payment| self.takes_another_try(payment, now))
    }

    /// Unpaid checkouts of which nobody will tell that they have ended.
    pub(super) fn ended_unheard(&self, record: &OrderRecord<M>) -> Vec<Payment<M>> {
        let now = self.now();
        let known = record.payments.iter().filter_map(|p| p.ledger.payment());
        let ended = known.filter(|payment| {
            payment.is_checkout
                && is_unpaid(&payment.status)
                && self.has_ended_unheard(payment, now)
        });
        ended.cloned().collect()
    }

    /// Ends such a checkout: at the provider, which says so if it was paid, and where that cannot
    /// be, by time. A payment that is heard of later counts all the same.
    pub(super) async fn end_unheard(
        &self,
        record: OrderRecord<M>,
        checkout: Payment<M>,
    ) -> Result<OrderRecord<M>> {
        let order = record.order.id.clone();
        if self.can_void(&record, &checkout.id) {
            let ended = self.command_once(&order, &Wish::void(&checkout.id)).await;
            match ended {
                Err(error) if *error.kind() == ErrorKind::Unsupported => {}
                ended => return Ok(ended?.record),
            }
        }
        let ended = Payment {
            status: PaymentStatus::Expired,
            as_of: checkout
                .as_of
                .max(checkout.expires_at.unwrap_or(checkout.as_of)),
            ..checkout
        };
        let fact = Fact::Payment(Box::new(ended));
        self.take_in(&order, fact, "its time is over").await
    }

    pub(super) fn can_void(&self, record: &OrderRecord<M>, id: &PaymentId<M>) -> bool {
        let of = record.payment(id);
        let was_tried = record.commands.iter().any(|command| {
            // A provider that only receives the request has been told, and says later.
            let was_told = command.state.is_settled() || command.state == CommandState::Pending;
            command.operation == CommandOperation::Void
                && was_told
                && of.is_some_and(|payment| payment.is_called(&command.payment))
        });
        let known = of.and_then(|of| of.ledger.payment());
        let is_held = known.is_some_and(Payment::is_held);
        // What was refused and is no page has ended, where it cannot be asked about.
        let is_over = known.is_some_and(|payment| {
            matches!(payment.status, PaymentStatus::Failed(_)) && !payment.is_checkout
        }) && !self.supports(id, Operation::FetchPayment);
        let provider = self.provider_of(id);
        let can = provider.is_ok_and(|provider| {
            let capabilities = provider.capabilities();
            let is_voidable = is_held || capabilities.voidable_checkouts;
            capabilities.supports(Operation::Void) && is_voidable
        });
        can && !was_tried && !is_over
    }
}

impl<M: Mode> OrderRecord<M> {
    /// Checkouts that the shopper could still pay and that ask for something else than is left.
    pub(super) fn stale_checkouts(&self) -> Vec<PaymentId<M>> {
        let is_open = self.order.closed_at.is_none() && self.paid_at.is_none();
        let left = self.left_to_pay().ok().filter(|_| is_open);
        let known = self.payments.iter().filter_map(|p| p.ledger.payment());
        let stale = known.filter(|payment| {
            is_unpaid(&payment.status)
                && payment.reference.is_some()
                && Some(payment.amount) != left
        });
        stale.map(|payment| payment.id.clone()).collect()
    }
}

/// Whether the shopper has not paid and still can.
pub(super) const fn is_open(status: &PaymentStatus) -> bool {
    matches!(
        status,
        PaymentStatus::Created | PaymentStatus::ActionRequired
    )
}

/// Whether the shopper has not paid and may still: after a refusal, by another try on the same page.
const fn is_unpaid(status: &PaymentStatus) -> bool {
    is_open(status) || matches!(status, PaymentStatus::Failed(_))
}
