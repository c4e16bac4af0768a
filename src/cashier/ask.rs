//! Asking the provider about everything of one order that is still open.

use std::time::Duration;

use futures_util::TryStreamExt;

use super::Cashier;
use super::commands::{SEND_LEASE, Wish};
use super::fold::Fact;
use super::records::{
    AttemptPhase, AttemptRecord, CommandOperation, CommandRecord, CommandState, OrderRecord,
    PaymentRecord,
};
use crate::capability::Operation;
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::handle::Provider;
use crate::id::{Attempt, IdempotencyKey, OrderId, ProviderName, Reference};
use crate::mode::Mode;
use crate::payment::{Payment, PaymentStatus};
use crate::telemetry::unfinished;

/// A request that was not found at the provider this long after it was stored will not arrive any
/// more: one hour, many times a request's own time limit.
const NEVER_ARRIVES_AFTER: Duration = Duration::from_secs(3600);

impl<M: Mode> Cashier<M> {
    /// Asks the provider how the order's payments stand, as when a browser comes back from the
    /// provider's page. The result is the same whether a webhook came before, comes later or never
    /// comes.
    ///
    /// # Errors
    /// The provider's, if it could not be asked about everything; what it answered is taken in.
    pub async fn resume(&self, id: &OrderId) -> Result<OrderRecord<M>> {
        self.ask(id).await
    }

    pub(super) async fn ask(&self, id: &OrderId) -> Result<OrderRecord<M>> {
        let record = self.require(id).await?.record;
        let answers = self.gather(&record).await;
        let changed = self
            .change(id, |record, now| {
                for fact in &answers.facts {
                    if let Err(error) = record.fold(fact.clone(), "asked", now) {
                        unfinished("a fact that does not fit", &record.order.id, &error);
                        record.raise_contradiction(fact, &error, "the provider's answer", now);
                    }
                }
                for attempt in &mut record.attempts {
                    // Its payment may have been heard of while the provider was asked.
                    let is_unheard = attempt.phase == AttemptPhase::Stored
                        && answers.missing.contains(&attempt.attempt);
                    if is_unheard && cannot_arrive(attempt.sent_at, now) {
                        attempt.phase = AttemptPhase::NeverArrived;
                    }
                }
                for entry in &mut record.payments {
                    let known = entry.ledger.payment();
                    if known.is_some_and(|known| self.has_told_all(known, &answers)) {
                        entry.answered_at = Some(now);
                    }
                }
                record.asked_at = now;
                Ok(self.commands_to_resend(record, &answers, now))
            })
            .await;
        let (resend, mut record) = match changed {
            // Another order has a payment of these answers.
            Err(error) if *error.kind() == ErrorKind::Conflict => {
                self.raise_what_is_of_others(id, &answers.facts, &error)
                    .await?;
                return Err(error);
            }
            changed => changed?,
        };
        let mut failure = answers.failure;
        for key in resend {
            match self.send(id, &key, false).await {
                Ok(changed) => record = changed,
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        match self.complete_approved(&record).await {
            Ok(None) => {}
            Ok(Some(completed)) => record = completed,
            Err(error) => failure = failure.or(Some(error)),
        }
        for checkout in self.ended_unheard(&record) {
            match self.end_unheard(record.clone(), checkout).await {
                Ok(changed) => record = changed,
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        for payment in record.stale_checkouts() {
            if self.can_void(&record, &payment) {
                match self.command_once(id, &Wish::void(&payment)).await {
                    Ok(command) => record = command.record,
                    Err(error) => failure = failure.or(Some(error)),
                }
            }
        }
        failure.map_or(Ok(record), Err)
    }

    /// Raises for review what the provider answers about this order and another order has.
    async fn raise_what_is_of_others(
        &self,
        order: &OrderId,
        facts: &[Fact<M>],
        error: &Error,
    ) -> Result<()> {
        let mut of_others = Vec::new();
        for fact in facts {
            let Fact::Payment(payment) = fact else {
                continue;
            };
            for id in payment.ids() {
                let owner = self.store.order_of_payment(&id.to_string()).await?;
                if owner.is_some_and(|owner| owner != *order) {
                    of_others.push(fact);
                    break;
                }
            }
        }
        self.change(order, |record, now| {
            for fact in &of_others {
                record.raise_contradiction(fact, error, "the provider's answer", now);
            }
            Ok(())
        })
        .await?;
        Ok(())
    }

    /// Takes or holds what the shopper has approved, if the order wants it.
    pub(super) async fn complete_approved(
        &self,
        record: &OrderRecord<M>,
    ) -> Result<Option<OrderRecord<M>>> {
        let Some((payment, amount)) = record.approved() else {
            return Ok(None);
        };
        let wish = Wish::complete(&payment, amount);
        let completed = self.command_once(&record.order.id, &wish).await?;
        Ok(Some(completed.record))
    }

    async fn gather(&self, record: &OrderRecord<M>) -> Answers<M> {
        let mut answers = Answers::default();
        for attempt in record.unheard_attempts() {
            self.look_for(record, attempt, &mut answers).await;
        }
        for payment in &record.payments {
            self.ask_about(record, payment, &mut answers).await;
        }
        if record.is_waiting_for_nothing() {
            // It may be paid by an attempt that is not known here, as after a restored backup.
            for provider in self.providers.iter() {
                if provider.capabilities().supports(Operation::FindPayments) {
                    let attempt = record.next_attempt();
                    self.find(provider, record, attempt, None, &mut answers)
                        .await;
                }
            }
        }
        answers
    }

    /// Whether the provider has just said how a payment stands, or can never say anything of it. Then
    /// it is not silent: whether an invoice of an offline provider is paid is for the application to
    /// find out.
    fn has_told_all(&self, payment: &Payment<M>, answers: &Answers<M>) -> bool {
        if payment
            .ids()
            .any(|id| answers.fetched.contains(&id.to_string()))
        {
            return true;
        }
        self.never_tells(payment.id.provider())
    }

    /// Whether the provider can neither be asked about a payment nor sends webhooks of it.
    fn never_tells(&self, provider: &ProviderName) -> bool {
        self.provider(provider).is_ok_and(|provider| {
            let can = |operation| provider.capabilities().supports(operation);
            !can(Operation::FetchPayment) && !can(Operation::VerifyWebhook)
        })
    }

    /// Whether something of it is open at a provider that cannot be asked, and sends webhooks.
    pub(super) fn is_silent(&self, record: &OrderRecord<M>) -> bool {
        let mut attempts = record.unheard_attempts();
        let mut payments = record.payments.iter().filter_map(|p| p.ledger.payment());
        let can = |provider: &ProviderName, operation| {
            let provider = self.provider(provider);
            provider.is_ok_and(|provider| provider.capabilities().supports(operation))
        };
        attempts.any(|attempt| match &attempt.payment {
            Some(id) => !can(id.provider(), Operation::FetchPayment),
            None => !can(&attempt.provider, Operation::FindPayments),
        }) || payments.any(|payment| {
            let is_over = payment.status.is_final() && !payment.is_held();
            let provider = payment.id.provider();
            !is_over && !can(provider, Operation::FetchPayment) && !self.never_tells(provider)
        })
    }

    async fn look_for(
        &self,
        record: &OrderRecord<M>,
        attempt: &AttemptRecord<M>,
        answers: &mut Answers<M>,
    ) {
        let provider = match self.provider(&attempt.provider) {
            Ok(provider) => provider,
            Err(error) => return answers.fail(error),
        };
        let can = |operation| provider.capabilities().supports(operation);
        match &attempt.payment {
            Some(id) if can(Operation::FetchPayment) => {
                match provider.fetch_payment(id).await {
                    Ok(payment) => answers.facts.push(Fact::Payment(Box::new(payment))),
                    Err(error) => answers.fail(error),
                }
                return;
            }
            None if can(Operation::FindPayments) => {}
            // Only its webhooks tell.
            _ => return,
        }
        let since = Some(attempt.begun_at);
        self.find(provider, record, attempt.attempt, since, answers)
            .await;
    }

    async fn find(
        &self,
        provider: &Provider<M>,
        record: &OrderRecord<M>,
        attempt: Attempt,
        since: Option<Timestamp>,
        answers: &mut Answers<M>,
    ) {
        let reference = Reference {
            namespace: provider.namespace().clone(),
            order: record.order.id.clone(),
            attempt,
        };
        match provider.find_payments(&reference).await {
            Ok(found) if found.is_empty() => answers.missing.push(attempt),
            Ok(found) => {
                let payments = found.into_iter().map(Box::new).map(Fact::Payment);
                answers.facts.extend(payments);
            }
            // What is older cannot be looked for there. An attempt that was begun while keys are
            // remembered would have been found.
            Err(error) if *error.kind() == ErrorKind::Unsupported => {
                let now = self.now();
                match since {
                    None => {}
                    Some(since) if self.remembers(provider.name(), since, now) => {
                        answers.missing.push(attempt);
                    }
                    Some(_) => answers.fail(error),
                }
            }
            Err(error) => answers.fail(error),
        }
    }

    async fn ask_about(
        &self,
        record: &OrderRecord<M>,
        payment: &PaymentRecord<M>,
        answers: &mut Answers<M>,
    ) {
        let Some(known) = payment.ledger.payment() else {
            return;
        };
        let provider = match self.provider_of(&known.id) {
            Ok(provider) => provider,
            Err(error) => return answers.fail(error),
        };
        if !provider.capabilities().supports(Operation::FetchPayment) {
            return;
        }
        let fetched = match provider.fetch_payment(&known.id).await {
            Ok(fetched) => fetched,
            Err(error) => return answers.fail(error),
        };
        let refund_expected = payment.ledger.refunds().next().is_some()
            || record.commands.iter().any(|command| {
                matches!(command.operation, CommandOperation::Refund { .. })
                    && payment.is_called(&command.payment)
            });
        let has_refunds = fetched.refunded.is_positive() || refund_expected;
        answers.fetched.push(known.id.to_string());
        answers.facts.push(Fact::Payment(Box::new(fetched)));
        if has_refunds && provider.capabilities().supports(Operation::ListRefunds) {
            let refunds = provider.list_refunds(known.id.clone());
            match refunds.try_collect::<Vec<_>>().await {
                Ok(refunds) => {
                    answers.listed.push(known.id.to_string());
                    let facts = refunds.into_iter().map(Box::new).map(Fact::Refund);
                    answers.facts.extend(facts);
                }
                Err(error) => answers.fail(error),
            }
        }
    }

    /// The keys of commands that did not arrive and may be sent again, each marked as being sent.
    fn commands_to_resend(
        &self,
        record: &mut OrderRecord<M>,
        answers: &Answers<M>,
        now: Timestamp,
    ) -> Vec<String> {
        // Links refunds that were found to their commands first.
        record.settle_commands(now);
        let mut resend = Vec::new();
        let overtaken = record.overtaken_commands();
        let mut commands = std::mem::take(&mut record.commands);
        for command in &mut commands {
            let is_lost = matches!(
                command.state,
                CommandState::Requested | CommandState::Unknown
            );
            if !is_lost || now.abs_diff(command.sent_at) < SEND_LEASE {
                continue;
            }
            command.was_left_open = true;
            let of = record.payment(&command.payment);
            let Some((entry, payment)) = of.and_then(|of| Some((of, of.ledger.payment()?))) else {
                continue;
            };
            let id = payment.id.to_string();
            let is_remembered = self.remembers(payment.id.provider(), command.requested_at, now);
            let asked_by = match command.operation {
                CommandOperation::Refund { .. } => Operation::ListRefunds,
                _ => Operation::FetchPayment,
            };
            let may_resend = match command.operation {
                _ if overtaken.contains(&command.key) => false,
                // Another attempt was made in its place, or may have been.
                CommandOperation::Complete
                    if record.paid_at.is_some() || record.is_released(entry) =>
                {
                    false
                }
                // With the dispute the money would go back twice.
                CommandOperation::Refund { .. } if entry.is_disputed() && is_remembered => false,
                // Nobody can ask whether it was done, and under its key it is done once.
                _ if !self.supports(&payment.id, asked_by) => is_remembered,
                // The provider has just said that it is still held. So the whole was not taken, and
                // a part was not if no more is taken than before; under its key it is taken once.
                CommandOperation::Capture { is_final } => {
                    let is_untaken = payment.captured == command.captured_before;
                    (is_final || is_remembered || is_untaken)
                        && answers.fetched.contains(&id)
                        && payment.is_held()
                }
                CommandOperation::Complete => {
                    answers.fetched.contains(&id) && payment.status == PaymentStatus::Approved
                }
                CommandOperation::Void => {
                    answers.fetched.contains(&id) && !payment.status.is_final()
                }
                CommandOperation::Refund { .. } if !answers.listed.contains(&id) => false,
                CommandOperation::Refund { .. } => {
                    let is_over = !is_remembered && cannot_arrive(command.sent_at, now);
                    if is_over && !record.has_unclaimed_refund(command) {
                        command.state = CommandState::Failed;
                        record.note(now, command.story(), None);
                    }
                    is_remembered
                }
            };
            if may_resend {
                command.sent_at = now;
                resend.push(command.key.to_string());
            }
        }
        record.commands = commands;
        resend
    }

    /// Whether the provider surely still knows a key that it may have got at `since`: three
    /// quarters of what it promises, since clocks and requests are not exact.
    pub(super) fn remembers(
        &self,
        provider: &ProviderName,
        since: Timestamp,
        now: Timestamp,
    ) -> bool {
        let Ok(provider) = self.provider(provider) else {
            return false;
        };
        let capabilities = provider.capabilities();
        capabilities.idempotent_writes && now.abs_diff(since) < capabilities.key_retention / 4 * 3
    }
}

/// Whether a request that was sent then has arrived by now or never will. A clock that has gone back
/// since tells nothing.
fn cannot_arrive(sent_at: Timestamp, now: Timestamp) -> bool {
    now > sent_at.saturating_add(NEVER_ARRIVES_AFTER)
}

/// What the provider said about one order.
struct Answers<M: Mode> {
    facts: Vec<Fact<M>>,
    /// Attempts that the provider knows nothing of.
    missing: Vec<Attempt>,
    /// Payments that were fetched, and those whose refunds were listed to the end.
    fetched: Vec<String>,
    listed: Vec<String>,
    /// The first thing that went wrong.
    failure: Option<Error>,
}

impl<M: Mode> Default for Answers<M> {
    fn default() -> Self {
        Self {
            facts: Vec::new(),
            missing: Vec::new(),
            fetched: Vec::new(),
            listed: Vec::new(),
            failure: None,
        }
    }
}

impl<M: Mode> Answers<M> {
    fn fail(&mut self, error: Error) {
        self.failure.get_or_insert(error);
    }
}

impl<M: Mode> OrderRecord<M> {
    /// The keys of commands after which the opposite was asked for and is not done: to take an
    /// amount, and to let it go. The later wish counts.
    fn overtaken_commands(&self) -> Vec<IdempotencyKey> {
        let lets_go = |command: &CommandRecord<M>| match command.operation {
            CommandOperation::Void => Some(true),
            CommandOperation::Capture { .. } | CommandOperation::Complete => Some(false),
            CommandOperation::Refund { .. } => None,
        };
        let mut overtaken = Vec::new();
        let mut later = self.commands.iter();
        while let Some(command) = later.next() {
            let (Some(is_void), Some(of)) = (lets_go(command), self.payment(&command.payment))
            else {
                continue;
            };
            let is_overtaken = later.clone().any(|later| {
                lets_go(later) == Some(!is_void)
                    && !later.state.is_settled()
                    && of.is_called(&later.payment)
            });
            if is_overtaken {
                overtaken.push(command.key.clone());
            }
        }
        overtaken
    }

    /// Whether there is a refund that no command is known to have asked for and that `command` may
    /// have.
    fn has_unclaimed_refund(&self, command: &CommandRecord<M>) -> bool {
        let of = self.payment(&command.payment);
        let mut unclaimed = self.external_refunds();
        unclaimed.any(|refund| {
            let is_its = of.is_some_and(|payment| payment.is_called(&refund.payment));
            is_its && refund.command.is_none() && Some(refund.amount) == command.amount
        })
    }
}
