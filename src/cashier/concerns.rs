//! What a person must look at, computed from the facts about an order.

use std::time::Duration;

use crate::capture::CaptureStatus;
use crate::clock::Timestamp;
use crate::dispute::{Dispute, DisputeStatus};
use crate::mode::Mode;
use crate::payment::Payment;
use crate::refund::{Refund, RefundStatus};

use super::due::{is_on_its_way, silent_since};
use super::patience::Patience;
use super::records::{CommandRecord, CommandState, OrderRecord, PaymentRecord};
use super::standing::Standing;

/// Something that a person must look at.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Concern {
    /// A stable name, to resolve it by.
    pub name: String,
    /// What is wrong and what can be done.
    pub text: String,
}

impl<M: Mode> OrderRecord<M> {
    /// What a person must look at now, without what was resolved. The cashier's own
    /// [`Patience`] is in [`Cashier::concerns`](super::Cashier::concerns).
    #[must_use]
    pub fn concerns(&self, now: Timestamp, patience: &Patience) -> Vec<Concern> {
        let mut watch = Watch {
            now,
            patience,
            concerns: Vec::new(),
        };
        self.watch_contradictions(&mut watch);
        self.watch_what_is_not_owed(&mut watch);
        self.watch_attempts(&mut watch);
        self.watch_commands(&mut watch);
        self.watch_warnings(&mut watch);
        for (about, text) in &self.unclear {
            watch.add(format!("unclear:{about}"), text.clone());
        }
        for entry in &self.payments {
            watch.failed_captures(entry);
            if let Some(payment) = entry.ledger.payment() {
                watch.contradiction(entry, payment);
                watch.returned_money(payment);
                watch.hold(payment, self.is_closed_unpaid());
                watch.silence(entry, payment);
            }
            entry.ledger.refunds().for_each(|r| watch.refund(r));
            entry.ledger.disputes().for_each(|d| watch.dispute(d));
        }
        let mut all = watch.concerns;
        all.retain(|concern| !self.resolved.contains(&concern.name));
        all
    }

    /// The payments that have brought what the order does not ask for. Each is a concern of its
    /// own, so that the next one is told of after a person has dealt with the first.
    fn watch_what_is_not_owed(&self, watch: &mut Watch<'_>) {
        let known = self.payments.iter().filter_map(|entry| {
            let payment = entry.ledger.payment()?;
            Some((&payment.id, entry.ledger.net()))
        });
        match self.standing() {
            Standing::WrongCurrency => {
                for (id, net) in known {
                    let ours = self.order.total.currency();
                    if !net.is_ok_and(|net| net.is_zero() || net.currency() == ours) {
                        let text = format!(
                            "money has come by {id} in another currency: refund it or settle it \
                             by hand"
                        );
                        watch.add(format!("wrong_currency:{id}"), text);
                    }
                }
            }
            Standing::PaidAfterClose { .. } => {
                for (id, net) in known {
                    if let Ok(net) = net
                        && net.is_positive()
                    {
                        let text = format!(
                            "{net} has come by {id} after the order was closed: refund it or \
                             deliver"
                        );
                        watch.add(format!("paid_after_close:{id}"), text);
                    }
                }
            }
            Standing::Overpaid { .. } => {
                for allocation in self.allocations().unwrap_or_default() {
                    let (id, excess) = (allocation.payment, allocation.excess);
                    if excess.is_positive() {
                        let text = format!("{excess} of {id} is more than the total: refund it");
                        watch.add(format!("overpaid:{id}"), text);
                    }
                }
            }
            _ => {}
        }
    }

    fn watch_attempts(&self, watch: &mut Watch<'_>) {
        for attempt in self.unknown_attempts() {
            if watch.has_waited(attempt.begun_at, watch.patience.unknown) {
                let number = attempt.attempt;
                let text =
                    format!("nobody knows whether attempt {number} was paid: see the dashboard");
                watch.add(format!("attempt_unknown:{number}"), text);
            }
        }
    }

    fn watch_commands(&self, watch: &mut Watch<'_>) {
        for command in &self.commands {
            let (name, of, key) = (command.operation.name(), &command.payment, &command.key);
            let since = command.requested_at;
            match command.state {
                CommandState::Unknown | CommandState::Requested
                    if watch.has_waited(since, watch.patience.unknown) =>
                {
                    let text = format!("nobody knows whether the {name} of {of} was done");
                    watch.add(format!("{name}_unknown:{key}"), text);
                }
                // Of a refund that has an id its ledger tells.
                CommandState::Pending
                    if command.refund.is_none()
                        && watch.has_waited(since, watch.patience.silence) =>
                {
                    let text = format!("the {name} of {of} has been pending since {since}");
                    watch.add(format!("{name}_pending:{key}"), text);
                }
                _ if command.has_failed_since() && !self.was_reversed(command) => {
                    let amount = command.amount.map(|amount| format!(" {amount}"));
                    let amount = amount.unwrap_or_default();
                    let text =
                        format!("the {name} of{amount} by {of} was not done after all: ask anew");
                    watch.add(format!("{name}_failed:{key}"), text);
                }
                _ => {}
            }
        }
    }

    /// Whether the provider has taken back what this capture took: its ledger tells.
    fn was_reversed(&self, command: &CommandRecord<M>) -> bool {
        let of = self.payment(&command.payment);
        let mut captures = of.into_iter().flat_map(|of| of.ledger.captures());
        captures.any(|capture| {
            let is_its = capture.command.is_some() && capture.command == command.command;
            is_its && capture.status == CaptureStatus::Reversed
        })
    }
}

/// One look at an order: when, how patiently, and what was found so far.
pub(super) struct Watch<'a> {
    now: Timestamp,
    patience: &'a Patience,
    concerns: Vec<Concern>,
}

impl Watch<'_> {
    /// What has a name already keeps its text.
    pub(super) fn add(&mut self, name: String, text: String) {
        if !self.concerns.iter().any(|known| known.name == name) {
            self.concerns.push(Concern { name, text });
        }
    }

    fn has_waited(&self, since: Timestamp, at_most: Duration) -> bool {
        self.now.abs_diff(since) > at_most
    }

    fn failed_captures<M: Mode>(&mut self, entry: &PaymentRecord<M>) {
        let captures = entry.ledger.captures();
        for capture in captures.filter(|c| c.status == CaptureStatus::Reversed) {
            let text = format!(
                "{} of {} was taken and is not yours after all: ask for it anew",
                capture.amount, capture.payment
            );
            self.add(format!("capture_failed:{}", capture.id), text);
        }
    }

    fn contradiction<M: Mode>(&mut self, entry: &PaymentRecord<M>, payment: &Payment<M>) {
        let is_proven = entry.ledger.captures().next().is_some();
        if entry.said_ended && payment.captured == payment.amount && !is_proven {
            let id = &payment.id;
            let text = format!(
                "{id} counts as taken, and its provider says that it ended without money: see \
                 the dashboard"
            );
            self.add(format!("contradicted:{id}"), text);
        }
    }

    fn returned_money<M: Mode>(&mut self, payment: &Payment<M>) {
        let (id, returned) = (&payment.id, payment.returned);
        if returned.is_positive() {
            let text = format!(
                "{returned} of {id} went back to the payer without a refund: ask for it anew"
            );
            self.add(format!("returned:{id}"), text);
        }
    }

    fn hold<M: Mode>(&mut self, payment: &Payment<M>, is_closed_unpaid: bool) {
        if !payment.is_held() {
            return;
        }
        let (id, held) = (&payment.id, payment.capturable);
        if is_closed_unpaid {
            let text = format!(
                "{held} is held by {id} for an order that was closed: void it, or capture it and \
                 deliver"
            );
            self.add(format!("held_after_close:{id}"), text);
        }
        let told_from = |before: Timestamp| before.saturating_sub(self.patience.lapse);
        if payment
            .capture_before
            .is_some_and(|before| self.now >= told_from(before))
        {
            let text = format!("the amount held by {id} lapses: capture or void it");
            self.add(format!("lapsing:{id}"), text);
        }
    }

    fn silence<M: Mode>(&mut self, entry: &PaymentRecord<M>, payment: &Payment<M>) {
        if let Some(since) = silent_since(entry, payment)
            && self.has_waited(since, self.patience.silence)
        {
            let id = &payment.id;
            let text = format!(
                "nothing that is known here was heard of {id} since {since}: see the dashboard"
            );
            self.add(format!("silent:{id}"), text);
        }
    }

    fn refund<M: Mode>(&mut self, refund: &Refund<M>) {
        let (id, amount, since) = (&refund.id, refund.amount, refund.created_at);
        if is_on_its_way(&refund.status) && self.has_waited(since, self.patience.refund) {
            let text = format!("{amount} of {id} has been on its way since {since}");
            self.add(format!("refund_pending:{id}"), text);
        }
        if matches!(refund.status, RefundStatus::Failed | RefundStatus::Canceled) {
            let text = format!("{amount} of {id} did not reach the payer");
            self.add(format!("refund_failed:{id}"), text);
        }
    }

    fn dispute<M: Mode>(&mut self, dispute: &Dispute<M>) {
        let (id, amount) = (&dispute.id, dispute.amount);
        match &dispute.status {
            DisputeStatus::NeedsResponse => {
                let text = format!("{amount} is disputed: answer the bank");
                self.add(format!("dispute:{id}"), text);
            }
            DisputeStatus::Inquiry => {
                let text = format!(
                    "the payer's bank asks about {amount}: answer it, or refund it before it \
                     becomes a dispute"
                );
                self.add(format!("inquiry:{id}"), text);
            }
            DisputeStatus::Unrecognized(status) => {
                let text = format!(
                    "{amount} is disputed, and the dispute stands at {status}, which is not known \
                     here: see the dashboard"
                );
                self.add(format!("dispute_unclear:{id}"), text);
            }
            _ => {}
        }
    }
}
