//! Facts in, an order's new state and its confirmations out. Pure: whoever brings a fact first, a
//! webhook, a redirect or the sweep, the result is the same.

use serde::{Deserialize, Serialize};

use super::outbox::ConfirmationKind;
use super::patience::Patience;
use super::records::{
    AttemptPhase, CommandOperation, CommandRecord, CommandState, OrderRecord, PaymentRecord,
};
use super::standing::Standing;
use crate::capture::{Capture, CaptureStatus};
use crate::clock::Timestamp;
use crate::dispute::{Dispute, DisputeStatus};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{Attempt, PaymentId};
use crate::ledger::Ledger;
use crate::mode::Mode;
use crate::payment::{Payment, PaymentStatus};
use crate::payout::Payout;
use crate::refund::{Refund, RefundStatus};
use crate::warning::Warning;
use crate::webhook::{EventKind, Unclear, UnreadableEvent};

/// What a provider said about one thing.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound = "", rename_all = "snake_case")]
pub(super) enum Fact<M: Mode> {
    Payment(Box<Payment<M>>),
    Capture(Box<Capture<M>>),
    Refund(Box<Refund<M>>),
    Dispute(Box<Dispute<M>>),
    Warning(Box<Warning<M>>),
    Unclear(Box<Unclear<M>>),
    Unreadable(Box<UnreadableEvent<M>>),
    Payout(Box<Payout<M>>),
}

impl<M: Mode> Fact<M> {
    /// The payment that it is about, if it names one.
    pub(super) fn payment(&self) -> Option<&PaymentId<M>> {
        match self {
            Self::Payment(payment) => Some(&payment.id),
            Self::Capture(capture) => Some(&capture.payment),
            Self::Refund(refund) => Some(&refund.payment),
            Self::Dispute(dispute) => Some(&dispute.payment),
            Self::Warning(warning) => Some(&warning.payment),
            Self::Unclear(unclear) => unclear.payment.as_ref(),
            Self::Unreadable(unreadable) => unreadable.payments.first(),
            Self::Payout(_) => None,
        }
    }

    /// What an event says about an order, if it does.
    pub(super) fn of(kind: &EventKind<M>) -> Option<Self> {
        Some(match kind {
            EventKind::Payment(payment) => Self::Payment(payment.clone()),
            EventKind::Capture(capture) => Self::Capture(capture.clone()),
            EventKind::Refund(refund) => Self::Refund(refund.clone()),
            EventKind::Dispute(dispute) => Self::Dispute(dispute.clone()),
            EventKind::Warning(warning) => Self::Warning(warning.clone()),
            EventKind::Unclear(unclear) => Self::Unclear(unclear.clone()),
            EventKind::Unreadable(unreadable) => Self::Unreadable(unreadable.clone()),
            EventKind::Payout(payout) => Self::Payout(payout.clone()),
            EventKind::NotAboutPayments | EventKind::Unrecognized => return None,
        })
    }
}

impl<M: Mode> From<Fact<M>> for EventKind<M> {
    fn from(fact: Fact<M>) -> Self {
        match fact {
            Fact::Payment(payment) => Self::Payment(payment),
            Fact::Capture(capture) => Self::Capture(capture),
            Fact::Refund(refund) => Self::Refund(refund),
            Fact::Dispute(dispute) => Self::Dispute(dispute),
            Fact::Warning(warning) => Self::Warning(warning),
            Fact::Unclear(unclear) => Self::Unclear(unclear),
            Fact::Unreadable(unreadable) => Self::Unreadable(unreadable),
            Fact::Payout(payout) => Self::Payout(payout),
        }
    }
}

impl<M: Mode> OrderRecord<M> {
    /// Takes in a fact. The payment of a refund or dispute must be known before it.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if it does not fit what is known; nothing is changed then. A payment
    /// that is reported in another currency than before is kept beside it, for review.
    pub(super) fn fold(&mut self, fact: Fact<M>, evidence: &str, now: Timestamp) -> Result<()> {
        match fact {
            Fact::Payment(payment) => self.fold_payment(*payment, evidence, now),
            Fact::Capture(capture) => {
                let (id, amount) = (capture.id.clone(), capture.amount);
                let status = capture.status.clone();
                let ledger = self.ledger_of(&capture.payment)?;
                let before = ledger.captures().find(|known| known.id == id).cloned();
                ledger.add_capture(*capture);
                let after = ledger.captures().find(|joined| joined.id == id).cloned();
                if before != after {
                    let what = format!("capture {id} of {amount}: {status:?}");
                    self.note(now, what, Some(evidence));
                }
                Ok(())
            }
            Fact::Refund(refund) => {
                let ledger = self.ledger_of(&refund.payment)?;
                let known = ledger.refunds().find(|known| known.id == refund.id);
                let before = known.map(|known| known.status.clone());
                let (id, amount) = (refund.id.clone(), refund.amount);
                ledger.add_refund(*refund);
                let joined = ledger.refunds().find(|joined| joined.id == id);
                let after = joined.map(|joined| joined.status.clone());
                if let Some(status) = after.filter(|after| before.as_ref() != Some(after)) {
                    let what = format!("refund {id} of {amount}: {status:?}");
                    self.note(now, what, Some(evidence));
                }
                Ok(())
            }
            Fact::Dispute(dispute) => {
                let ledger = self.ledger_of(&dispute.payment)?;
                let known = ledger.disputes().find(|known| known.id == dispute.id);
                let before = known.map(|known| known.status.clone());
                let (id, amount) = (dispute.id.clone(), dispute.amount);
                ledger.add_dispute(*dispute);
                let joined = ledger.disputes().find(|joined| joined.id == id);
                let after = joined.map(|joined| joined.status.clone());
                if let Some(status) = after.filter(|after| before.as_ref() != Some(after)) {
                    let what = format!("dispute {id} over {amount}: {status:?}");
                    self.note(now, what, Some(evidence));
                }
                Ok(())
            }
            Fact::Warning(warning) => {
                self.fold_warning(*warning, evidence, now);
                Ok(())
            }
            Fact::Unclear(unclear) => {
                self.raise_unclear(evidence, String::from(unclear.text), evidence, now);
                Ok(())
            }
            // It is about no order.
            Fact::Payout(_) => Ok(()),
            Fact::Unreadable(unreadable) => {
                let text = format!(
                    "an event about this order cannot be read ({}): see the payment in the \
                     provider's dashboard",
                    unreadable.reason
                );
                self.raise_unclear(evidence, text, evidence, now);
                Ok(())
            }
        }
    }

    /// Raises something for review once, however often it is said.
    pub(super) fn raise_unclear(
        &mut self,
        about: &str,
        text: String,
        evidence: &str,
        now: Timestamp,
    ) {
        let said_before = self.unclear.insert(about.to_owned(), text.clone());
        if said_before.is_none() {
            self.note(now, text, Some(evidence));
        }
    }

    /// Brings commands, the paid mark, concerns and confirmations up to the facts. Gives the
    /// confirmations that are new.
    pub(super) fn settle(&mut self, now: Timestamp, patience: &Patience) -> Vec<ConfirmationKind> {
        self.settle_commands(now);
        if self.paid_at.is_none() && self.was_paid() {
            self.paid_at = Some(now);
            self.note(now, format!("paid: {}", self.order.total), None);
        }
        let mut kinds = self.kinds();
        let concerns = self.concerns(now, patience);
        self.attention_since = match (concerns.is_empty(), self.attention_since) {
            (true, _) => None,
            (false, since) => Some(since.unwrap_or(now)),
        };
        let names = concerns.into_iter().map(|concern| concern.name);
        kinds.extend(names.map(ConfirmationKind::NeedsAPerson));
        kinds.retain(|kind| self.confirmed.insert(kind.to_string()));
        kinds
    }

    fn fold_payment(&mut self, payment: Payment<M>, evidence: &str, now: Timestamp) -> Result<()> {
        let of_order = payment.reference.as_ref().map(|reference| &reference.order);
        if of_order.is_some_and(|order| *order != self.order.id) {
            return Err(conflict("the payment names another order"));
        }
        let payment = self.on_its_page(payment);
        if self.contradicts(&payment, evidence, now)? {
            return Ok(());
        }
        let attempt = payment
            .reference
            .as_ref()
            .map(|reference| reference.attempt);
        let known = self.payment(&payment.id);
        let before = known.and_then(|known| known.ledger.payment()).map(summary);
        let entry = self.join_entries(&payment)?;
        entry.attempt = entry.attempt.or(attempt);
        entry.said_ended |= has_ended(&payment);
        entry.was_declined |= matches!(payment.status, PaymentStatus::Failed(_));
        let (attempt, joined) = (entry.attempt, entry.ledger.payment().cloned());
        let Some(joined) = joined else {
            return Ok(());
        };
        if before.as_ref() != Some(&summary(&joined)) {
            let what = format!("payment {}: {}", joined.id, summary(&joined));
            self.note(now, what, Some(evidence));
        }
        let mut attempts = self.attempts.iter_mut();
        if let Some(record) = attempts.find(|record| Some(record.attempt) == attempt) {
            record.payment.get_or_insert(joined.id);
            if record.phase != AttemptPhase::Released {
                record.phase = AttemptPhase::Begun;
            }
        }
        Ok(())
    }

    /// A refusal that names no page is one on the page of its attempt, which keeps its name: under
    /// that it is ended, so that nobody pays there beside another checkout.
    fn on_its_page(&self, payment: Payment<M>) -> Payment<M> {
        let is_refusal = matches!(payment.status, PaymentStatus::Failed(_)) && !payment.is_checkout;
        let is_known = payment.ids().any(|id| self.payment(id).is_some());
        let of = payment.reference.as_ref().map(|of| of.attempt);
        let mut attempts = self.attempts.iter();
        let attempt = attempts.find(|attempt| Some(attempt.attempt) == of);
        match attempt.and_then(|attempt| attempt.payment.clone()) {
            Some(page) if is_refusal && !is_known && page != payment.id => Payment {
                aliases: payment.ids().cloned().collect(),
                id: page,
                is_checkout: true,
                ..payment
            },
            _ => payment,
        }
    }

    /// The entry of this payment, made if there is none. Where one snapshot names several that
    /// were thought to be different, they become one.
    fn join_entries(&mut self, payment: &Payment<M>) -> Result<&mut PaymentRecord<M>> {
        let mut joined = PaymentRecord {
            attempt: None,
            ledger: Ledger::new(),
            said_ended: false,
            was_declined: false,
            gone_before: 0,
            answered_at: None,
        };
        joined.ledger.add_payment(payment.clone())?;
        let is_checkout_of = |entry: &PaymentRecord<M>| {
            let known = entry.ledger.payment();
            known.is_some_and(|known| known.is_same_as(payment))
        };
        let by_id = |entry: &PaymentRecord<M>| payment.ids().any(|id| entry.is_called(id));
        let named = self.payments.iter().any(by_id);
        let first = self
            .payments
            .iter()
            .position(|entry| by_id(entry) || (!named && is_checkout_of(entry)));
        let mut place = 0..;
        let mut others = Vec::with_capacity(self.payments.len());
        for entry in &self.payments {
            if place.next() != first && !by_id(entry) {
                others.push(entry.clone());
                continue;
            }
            joined.attempt = joined.attempt.or(entry.attempt);
            joined.ledger.add_all(&entry.ledger)?;
            joined.said_ended |= entry.said_ended;
            joined.was_declined |= entry.was_declined;
            joined.answered_at = joined.answered_at.max(entry.answered_at);
            joined.gone_before = joined.gone_before.max(entry.gone_before);
        }
        let place = first.unwrap_or(others.len());
        others.insert(place, joined);
        self.payments = others;
        let kept = self.payments.get_mut(place);
        kept.ok_or_else(|| conflict("the payment was not kept"))
    }

    fn ledger_of(&mut self, id: &PaymentId<M>) -> Result<&mut Ledger<M>> {
        let mut payments = self.payments.iter_mut();
        let payment = payments.find(|payment| payment.is_called(id));
        let ledger = payment.map(|payment| &mut payment.ledger);
        ledger.ok_or_else(|| conflict("the payment is not known here: fetch it first"))
    }

    pub(super) fn settle_commands(&mut self, now: Timestamp) {
        let mut changes = Vec::new();
        let mut commands = std::mem::take(&mut self.commands);
        for command in &mut commands {
            let before = command.state;
            match command.operation {
                CommandOperation::Refund { .. } => self.settle_refund(command),
                CommandOperation::Capture { .. } => self.settle_capture(command),
                CommandOperation::Complete => self.settle_completion(command),
                CommandOperation::Void => self.settle_void(command),
            }
            if command.state != before {
                changes.push(command.story());
            }
        }
        self.commands = commands;
        for what in changes {
            self.note(now, what, None);
        }
    }

    fn settle_refund(&self, command: &mut CommandRecord<M>) {
        let Some(payment) = self.payment(&command.payment) else {
            return;
        };
        let mut refunds = payment.ledger.refunds();
        let is_its = |refund: &&Refund<M>| match &command.refund {
            Some(id) => refund.id == *id,
            None => refund.command.is_some() && refund.command == command.command,
        };
        if let Some(refund) = refunds.find(is_its) {
            command.state = CommandState::of_refund(&refund.status);
            command.refund = Some(refund.id.clone());
        }
    }

    fn settle_capture(&self, command: &mut CommandRecord<M>) {
        let known = self.payment(&command.payment);
        let Some((entry, payment)) = known.and_then(|e| Some((e, e.ledger.payment()?))) else {
            return;
        };
        let mut captures = entry.ledger.captures();
        let named = captures.find(|c| c.command.is_some() && c.command == command.command);
        if let Some(named) = named {
            command.state = CommandState::of_capture(&named.status);
            return;
        }
        if command.state.is_settled() {
            return;
        }
        let taken = payment.captured.checked_sub(command.captured_before);
        let is_done = match (taken, command.amount) {
            (Ok(taken), Some(amount)) => taken.minor() >= amount.minor(),
            _ => false,
        };
        let is_refused = entry.ledger.captures().any(|capture| {
            let is_later = capture.as_of >= command.requested_at;
            capture.command.is_none() && capture.status == CaptureStatus::Refused && is_later
        });
        let is_over = payment.status.is_final() && !payment.is_held();
        if is_done {
            command.state = CommandState::Succeeded;
        } else if is_refused || is_over {
            command.state = CommandState::Failed;
        }
    }

    fn settle_completion(&self, command: &mut CommandRecord<M>) {
        let known = self.payment(&command.payment);
        let Some(payment) = known.and_then(|known| known.ledger.payment()) else {
            return;
        };
        if command.state.is_settled() {
            return;
        }
        command.state = match payment.status {
            PaymentStatus::Captured | PaymentStatus::Authorized => CommandState::Succeeded,
            PaymentStatus::Failed(_) | PaymentStatus::Canceled | PaymentStatus::Expired => {
                CommandState::Failed
            }
            _ => command.state,
        };
    }

    fn settle_void(&self, command: &mut CommandRecord<M>) {
        if command.state.is_settled() {
            return;
        }
        let Some(known) = self.payment(&command.payment) else {
            if self.has_become_another(&command.payment) {
                command.state = CommandState::Failed;
            }
            return;
        };
        let Some(payment) = known.ledger.payment() else {
            return;
        };
        if !payment.status.is_final() || payment.is_held() {
            return;
        }
        // What had been captured before stays captured when the rest is let go.
        let is_let_go = payment.captured == command.captured_before;
        command.state = match is_let_go {
            true => CommandState::Succeeded,
            false => CommandState::Failed,
        };
    }

    /// Whether this was a checkout, and what was paid or is being paid by it has another name.
    fn has_become_another(&self, checkout: &PaymentId<M>) -> bool {
        let mut attempts = self.attempts.iter();
        let began = attempts.find(|attempt| attempt.payment.as_ref() == Some(checkout));
        let mut payments = began.into_iter().flat_map(|a| self.payments_of(a.attempt));
        payments.any(|entry| {
            let status = entry.ledger.payment().map(|payment| &payment.status);
            matches!(
                status,
                Some(PaymentStatus::Captured | PaymentStatus::Authorized | PaymentStatus::Pending)
            )
        })
    }

    /// At least the total was captured while the order was open, by one payment or by several. More
    /// than the total pays it too: the excess is reviewed apart from that. What came in another
    /// currency pays nothing and hides nothing. What went back since the order was last amended or
    /// begun to be paid does not count, since that may be received before the payment itself.
    fn was_paid(&self) -> bool {
        if self.order.closed_at.is_some() {
            return false;
        }
        let total = self.order.total;
        let come = self.payments.iter().filter_map(|entry| {
            let captured = entry.ledger.payment()?.captured;
            let net = entry.ledger.net().map_or(0, |net| net.minor());
            let come = captured.minor().saturating_sub(entry.gone_before).max(net);
            (captured.currency() == total.currency()).then_some(come.max(0))
        });
        come.fold(0_i64, i64::saturating_add) >= total.minor()
    }

    /// Notes what has gone back, so that it is not added to what comes from now on.
    pub(super) fn forgo_what_went_back(&mut self) {
        for entry in &mut self.payments {
            if let (Some(payment), Ok(net)) = (entry.ledger.payment(), entry.ledger.net()) {
                let gone = payment.captured.minor().saturating_sub(net.minor());
                entry.gone_before = gone.max(0);
            }
        }
    }

    /// Which attempts were declined, and which of those are over.
    fn declines(&self, kinds: &mut Vec<ConfirmationKind>) {
        let declined = self.payments.iter().filter(|entry| {
            // A record of an earlier version knows of the last decline only.
            let status = entry.ledger.payment().map(|payment| &payment.status);
            entry.was_declined || matches!(status, Some(PaymentStatus::Failed(_)))
        });
        for attempt in declined.filter_map(|entry| entry.attempt) {
            kinds.push(ConfirmationKind::AttemptDeclined(attempt));
            if self.has_failed(attempt) {
                kinds.push(ConfirmationKind::PaymentFailed(attempt));
            }
        }
    }

    /// Whether no money comes by a declined attempt any more. A page takes another try until it has
    /// ended. Without a page there is none, nor where the application completes the payment, which
    /// it does once. After another attempt was begun the customer is trying again.
    fn has_failed(&self, attempt: Attempt) -> bool {
        if self.attempts.iter().any(|next| next.attempt > attempt) {
            return false;
        }
        let record = self.attempts.iter().find(|known| known.attempt == attempt);
        let takes_no_other_try = record.is_some_and(|known| {
            let is_left = known.phase == AttemptPhase::Released || self.order.closed_at.is_some();
            known.is_direct || known.is_completed_here || is_left
        });
        self.payments_of(attempt).all(|entry| {
            entry
                .ledger
                .payment()
                .is_some_and(|payment| match payment.status {
                    PaymentStatus::Canceled | PaymentStatus::Expired => {
                        !self.was_ended_here(entry, payment)
                    }
                    PaymentStatus::Failed(_) => takes_no_other_try || payment.is_over,
                    _ => false,
                })
        })
    }

    fn kinds(&self) -> Vec<ConfirmationKind> {
        let mut kinds = Vec::new();
        if self.paid_at.is_some() {
            kinds.push(ConfirmationKind::Paid);
        }
        match self.standing() {
            Standing::Authorized if !self.is_closed_unpaid() => {
                let held = self.payments.iter().filter(|entry| {
                    let payment = entry.ledger.payment();
                    payment.is_some_and(Payment::is_held)
                });
                let attempts = held.map(|entry| entry.attempt.unwrap_or(Attempt::FIRST));
                kinds.extend(attempts.map(ConfirmationKind::Authorized));
            }
            Standing::PartlyPaid { .. } => kinds.push(ConfirmationKind::PartlyPaid),
            Standing::Overpaid { .. } => kinds.push(ConfirmationKind::Overpaid),
            Standing::PaidAfterClose { .. } => kinds.push(ConfirmationKind::PaidAfterClose),
            _ => {}
        }
        if self.paid_at.is_none() {
            self.declines(&mut kinds);
        }
        for entry in &self.payments {
            for refund in entry.ledger.refunds() {
                let id = refund.id.to_string();
                match refund.status {
                    RefundStatus::Succeeded => kinds.push(ConfirmationKind::Refunded(id)),
                    RefundStatus::Failed | RefundStatus::Canceled => {
                        kinds.push(ConfirmationKind::RefundFailed(id));
                    }
                    _ => {}
                }
            }
            for dispute in entry.ledger.disputes() {
                let id = dispute.id.to_string();
                match dispute.status {
                    DisputeStatus::Unrecognized(_) => continue,
                    DisputeStatus::Won => kinds.push(ConfirmationKind::DisputeWon(id.clone())),
                    DisputeStatus::Lost => kinds.push(ConfirmationKind::DisputeLost(id.clone())),
                    _ => {}
                }
                kinds.push(ConfirmationKind::DisputeOpened(id));
            }
        }
        kinds
    }
}

impl<M: Mode> OrderRecord<M> {
    /// Whether a page was ended by a command before its time was over, as for another attempt.
    fn was_ended_here(&self, entry: &PaymentRecord<M>, payment: &Payment<M>) -> bool {
        self.commands.iter().any(|command| {
            let is_void = command.operation == CommandOperation::Void;
            let end = payment.expires_at;
            let was_open = end.is_none_or(|end| command.requested_at < end);
            is_void && was_open && entry.is_called(&command.payment)
        })
    }
}

/// What of a payment is worth a line in the history.
pub(super) fn summary<M: Mode>(payment: &Payment<M>) -> String {
    let status = match &payment.status {
        PaymentStatus::Failed(decline) => format!("failed ({:?})", decline.reason),
        status => format!("{status:?}").to_lowercase(),
    };
    format!(
        "{status}, {} captured, {} refunded",
        payment.captured, payment.refunded
    )
}

/// Whether the provider says that nothing was taken. That a checkout has ended says little: it may
/// have been paid at the last moment.
fn has_ended<M: Mode>(payment: &Payment<M>) -> bool {
    let is_over = matches!(
        payment.status,
        PaymentStatus::Canceled | PaymentStatus::Expired
    );
    is_over && !payment.is_checkout
}

fn conflict(message: &'static str) -> Error {
    Error::new(ErrorKind::Conflict, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::OrderId;
    use crate::mode::Test;
    use crate::money::{Currency, Money, PositiveMoney};
    use crate::order::Order;

    #[test]
    fn what_is_unclear_is_noted_once_however_many_nodes_take_it_in() {
        let now = Timestamp::from_unix(1_795_000_000);
        let total = PositiveMoney::new(Money::new(1000, Currency::EUR)).unwrap();
        let order = Order::new(OrderId::new("A-1").unwrap(), total, now);
        let mut record = OrderRecord::<Test>::new(order);
        let fact = || Fact::Unclear(Box::new(Unclear::new(None, "a refund may have failed")));
        for _ in 0..2 {
            record.fold(fact(), "adyen:test:evt_1", now).unwrap();
        }
        assert_eq!(record.concerns(now, &Patience::default()).len(), 1);
        let noted = record.history.iter().filter(|h| h.evidence.is_some());
        assert_eq!(noted.count(), 1, "{:?}", record.history);
    }
}
