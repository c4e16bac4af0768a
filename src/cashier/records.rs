//! What the cashier knows of one order: plain values that a store keeps as JSON.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::capture::CaptureStatus;
use crate::clock::Timestamp;
use crate::id::{Attempt, CommandId, IdempotencyKey, PaymentId, ProviderName, RefundId};
use crate::ledger::Ledger;
use crate::mode::Mode;
use crate::money::{Money, MoneyError, PositiveMoney};
use crate::order::Order;
use crate::refund::{Refund, RefundStatus};
use crate::request::{CaptureMode, RefundReason};
use crate::warning::Warning;

use super::contradictions::Contradiction;

/// An order with its attempts, payments, refunds, disputes, commands and history.
///
/// How it stands is computed from the facts by [`standing`](Self::standing), and is never stored.
///
/// A stored record with a field that this version does not know, anywhere in it, is not read: written
/// back without that field, it would have lost a fact. A newer node goes on with it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound = "", deny_unknown_fields)]
#[non_exhaustive]
pub struct OrderRecord<M: Mode> {
    /// What the host is owed.
    pub order: Order,
    /// When it was first known to be paid. Refunds and disputes do not take this away.
    pub paid_at: Option<Timestamp>,
    /// The tries to pay it, the first one first.
    pub attempts: Vec<AttemptRecord<M>>,
    /// The payments that were made for it, in the order in which they were heard of.
    pub payments: Vec<PaymentRecord<M>>,
    /// The completions, captures, voids and refunds that were asked for here.
    pub commands: Vec<CommandRecord<M>>,
    /// What has happened, the first thing first, each with its evidence.
    pub history: Vec<HistoryEntry>,
    /// When a provider was last asked about everything open.
    pub(super) asked_at: Timestamp,
    /// Since when it needs a person.
    pub(super) attention_since: Option<Timestamp>,
    /// The kinds of confirmation that are in the outbox.
    pub(super) confirmed: BTreeSet<String>,
    /// The concerns that a person has dealt with.
    pub(super) resolved: BTreeSet<String>,
    /// What a provider said and did not prove, by the event or payment that it is about.
    #[serde(default)]
    pub(super) unclear: BTreeMap<String, String>,
    /// What contradicts what is known of a payment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) contradictions: Vec<Contradiction<M>>,
    /// The warnings about payments, by provider and the provider's name for them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) warnings: BTreeMap<String, Warning<M>>,
}

impl<M: Mode> OrderRecord<M> {
    pub(super) fn new(order: Order) -> Self {
        let now = order.placed_at;
        let mut record = Self {
            order,
            paid_at: None,
            attempts: Vec::new(),
            payments: Vec::new(),
            commands: Vec::new(),
            history: Vec::new(),
            asked_at: now,
            attention_since: None,
            confirmed: BTreeSet::new(),
            resolved: BTreeSet::new(),
            unclear: BTreeMap::new(),
            contradictions: Vec::new(),
            warnings: BTreeMap::new(),
        };
        record.note(now, format!("placed for {}", record.order.total), None);
        record
    }

    /// The last try to pay it.
    #[must_use]
    pub fn last_attempt(&self) -> Option<&AttemptRecord<M>> {
        self.attempts.last()
    }

    /// The number of the next try.
    pub(super) fn next_attempt(&self) -> Attempt {
        let begun = self.attempts.iter().map(|attempt| attempt.attempt);
        let heard = self.payments.iter().filter_map(|payment| payment.attempt);
        let last = begun.chain(heard).max();
        last.map_or(Attempt::FIRST, Attempt::next)
    }

    /// The payment that `id`, or an alias of it, names.
    #[must_use]
    pub fn payment(&self, id: &PaymentId<M>) -> Option<&PaymentRecord<M>> {
        self.payments.iter().find(|payment| payment.is_called(id))
    }

    /// The payments that were made for one attempt: more than one is a double charge.
    pub fn payments_of(&self, attempt: Attempt) -> impl Iterator<Item = &PaymentRecord<M>> {
        let of = move |payment: &&PaymentRecord<M>| payment.attempt == Some(attempt);
        self.payments.iter().filter(of)
    }

    /// The refunds that were not asked for here, such as those made in the provider's dashboard.
    pub fn external_refunds(&self) -> impl Iterator<Item = &Refund<M>> {
        let refunds = self.payments.iter().flat_map(|p| p.ledger.refunds());
        refunds.filter(|refund| {
            let ours = |command: &CommandRecord<M>| command.refund.as_ref() == Some(&refund.id);
            !self.commands.iter().any(ours)
        })
    }

    /// What was captured of a payment otherwise than by a checkout or a capture that was asked for
    /// here, such as by hand in the provider's dashboard.
    ///
    /// # Errors
    /// [`MoneyError`] if a capture is in another currency than the payment.
    pub fn external_captures(&self, id: &PaymentId<M>) -> Result<Option<Money>, MoneyError> {
        let of = self
            .payment(id)
            .and_then(|of| Some((of, of.ledger.payment()?)));
        let Some((entry, payment)) = of else {
            return Ok(None);
        };
        let attempt = self
            .attempts
            .iter()
            .find(|a| Some(a.attempt) == entry.attempt);
        let is_manual = attempt.is_some_and(|attempt| attempt.capture == CaptureMode::Manual);
        let ours = self.commands.iter().filter(|command| {
            matches!(command.operation, CommandOperation::Capture { .. })
                && command.state == CommandState::Succeeded
                && entry.is_called(&command.payment)
        });
        let currency = payment.captured.currency();
        let ours = Money::sum(currency, ours.filter_map(|command| command.amount))?;
        let other = payment.captured.checked_sub(ours)?;
        let is_other = is_manual && other.is_positive();
        Ok(Some(if is_other {
            other
        } else {
            Money::zero(currency)
        }))
    }

    /// What can still be given back of a payment: what is left of it, less what is reserved by
    /// refunds that were asked for and that the provider has not confirmed.
    ///
    /// # Errors
    /// [`MoneyError`] if a refund is in another currency than the payment.
    pub fn refundable(&self, id: &PaymentId<M>) -> Result<Option<Money>, MoneyError> {
        let Some(payment) = self.payment(id) else {
            return Ok(None);
        };
        let left = payment.ledger.refundable()?;
        let reserved = self.commands.iter().filter(|command| {
            matches!(command.operation, CommandOperation::Refund { .. })
                && command.reserves()
                && payment.is_called(&command.payment)
        });
        let reserved = Money::sum(left.currency(), reserved.filter_map(|c| c.amount))?;
        let free = left.checked_sub(reserved)?;
        Ok(Some(if free.is_positive() {
            free
        } else {
            Money::zero(left.currency())
        }))
    }

    pub(super) fn note(&mut self, at: Timestamp, what: String, evidence: Option<&str>) {
        self.history.push(HistoryEntry {
            at,
            what,
            evidence: evidence.map(Into::into),
        });
    }
}

/// One try to pay an order.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound = "", deny_unknown_fields)]
#[non_exhaustive]
pub struct AttemptRecord<M: Mode> {
    /// Its number.
    pub attempt: Attempt,
    /// The provider that is asked for it.
    pub provider: ProviderName,
    /// Whether money moves only once the payment is completed from here, after the shopper has
    /// approved it.
    pub is_completed_here: bool,
    /// The key under which the provider is asked for it.
    pub key: IdempotencyKey,
    /// A hash of what is asked, so that another wish is not taken for the same.
    pub fingerprint: Box<str>,
    /// How much is asked.
    pub amount: PositiveMoney,
    /// Whether the money is taken at once.
    pub capture: CaptureMode,
    /// When it was stored, before the provider was asked.
    pub begun_at: Timestamp,
    /// When it was last sent, or about to be.
    pub sent_at: Timestamp,
    /// How often it was sent, or about to be.
    pub(super) sends: u32,
    /// What became of asking the provider.
    pub phase: AttemptPhase,
    /// The provider's name for its payment, once it is known.
    pub payment: Option<PaymentId<M>>,
    /// Whether it has no page of the provider's, on which the customer could try again after a
    /// decline.
    #[serde(default)]
    pub(super) is_direct: bool,
}

/// What became of asking the provider to begin an attempt. How its payment stands is in the
/// [`PaymentRecord`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AttemptPhase {
    /// Stored, and perhaps sent. Until the provider answers, the outcome is unknown.
    Stored,
    /// The provider has a payment for it.
    Begun,
    /// The provider has refused it without making a payment.
    Refused,
    /// The provider knows of no payment, long after one could still have arrived.
    NeverArrived,
    /// A person has decided that it shall not be waited for.
    Released,
}

/// A payment that was made for an order.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound = "", deny_unknown_fields)]
#[non_exhaustive]
pub struct PaymentRecord<M: Mode> {
    /// The attempt that it was made for. A payment made elsewhere has none.
    pub attempt: Option<Attempt>,
    /// All that is known of it, its refunds and its disputes.
    pub ledger: Ledger<M>,
    /// Whether the provider has said, however early or late, that it ended without money.
    #[serde(default)]
    pub(super) said_ended: bool,
    /// Whether the provider has said, however early or late, that it was declined. The customer may
    /// have paid in another try since.
    #[serde(default)]
    pub(super) was_declined: bool,
    /// What of it had gone back when the order was last amended or begun to be paid anew, in minor
    /// units: from then on it pays nothing.
    #[serde(default)]
    pub(super) gone_before: i64,
    /// When its provider was last asked about it and had said all that it can say by then. `None`
    /// while only its webhooks tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) answered_at: Option<Timestamp>,
}

impl<M: Mode> PaymentRecord<M> {
    /// Whether `id` is one of the provider's names for it.
    #[must_use]
    pub fn is_called(&self, id: &PaymentId<M>) -> bool {
        let payment = self.ledger.payment();
        payment.is_some_and(|payment| payment.ids().any(|its| its == id))
    }

    /// Whether disputed money of it is, or may be, away.
    pub(super) fn is_disputed(&self) -> bool {
        let mut disputes = self.ledger.disputes();
        disputes.any(|dispute| dispute.is_open() || !dispute.withdrawn().is_zero())
    }
}

/// A completion, capture, void or refund that was asked for here.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound = "", deny_unknown_fields)]
#[non_exhaustive]
pub struct CommandRecord<M: Mode> {
    /// What is asked for.
    pub operation: CommandOperation,
    /// The host's name for the wish. A void or a completion has none: there is one per payment.
    pub command: Option<CommandId>,
    /// The payment, by the name under which the provider is asked.
    pub payment: PaymentId<M>,
    /// How much, but for a void.
    pub amount: Option<Money>,
    /// What of the payment was captured before, so that this capture can be told from others.
    pub captured_before: Money,
    /// The key under which the provider is asked.
    pub key: IdempotencyKey,
    /// When it was stored, before the provider was asked.
    pub requested_at: Timestamp,
    /// When it was last sent, or about to be.
    pub sent_at: Timestamp,
    /// How far it has come.
    pub state: CommandState,
    /// The provider's name for the refund, once it is known.
    pub refund: Option<RefundId<M>>,
    /// Whether it stayed open after who asked for it had the answer, or got none.
    #[serde(default)]
    pub(super) was_left_open: bool,
}

impl<M: Mode> CommandRecord<M> {
    /// Whether a capture or refund has come to nothing after its asker had to leave it open. Of a
    /// refund that the provider has begun, its ledger tells.
    pub(super) fn has_failed_since(&self) -> bool {
        let is_awaited = matches!(
            self.operation,
            CommandOperation::Capture { .. } | CommandOperation::Refund { .. }
        );
        let is_ours_to_tell = is_awaited && self.refund.is_none() && self.was_left_open;
        is_ours_to_tell && self.state == CommandState::Failed
    }

    /// A line for the history.
    pub(super) fn story(&self) -> String {
        let Self { payment, state, .. } = self;
        format!("{} of {payment}: {state:?}", self.operation.name())
    }

    /// Whether the amount is set aside for it: it was asked for, and the payment's ledger does not
    /// count it yet.
    pub(super) fn reserves(&self) -> bool {
        self.refund.is_none() && !self.state.is_settled()
    }
}

/// What a command asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum CommandOperation {
    /// Take what is held, or a part of it.
    Capture {
        /// Whether the rest is let go.
        is_final: bool,
    },
    /// Take or hold what the shopper has approved.
    Complete,
    /// Let what is held go, or end an unpaid checkout.
    Void,
    /// Give money back.
    Refund {
        /// Why.
        reason: RefundReason,
    },
}

impl CommandOperation {
    /// A fixed name, for histories and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Capture { .. } => "capture",
            Self::Complete => "complete",
            Self::Void => "void",
            Self::Refund { .. } => "refund",
        }
    }
}

/// How far a command has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CommandState {
    /// Stored, and about to be sent.
    Requested,
    /// Sent, and nobody knows what became of it. The provider is asked before it is sent again.
    Unknown,
    /// The provider has accepted it and is not done.
    Pending,
    /// Done. A refund or capture can still fail later, and then it is [`Failed`](Self::Failed).
    Succeeded,
    /// It did not go through: nothing is reserved for it.
    Failed,
    /// The provider or a person at the provider has called it off.
    Canceled,
}

impl CommandState {
    /// Whether nothing more is expected of it.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Canceled)
    }

    pub(super) const fn of_capture(status: &CaptureStatus) -> Self {
        match status {
            CaptureStatus::Pending => Self::Pending,
            CaptureStatus::Succeeded => Self::Succeeded,
            CaptureStatus::Refused | CaptureStatus::Reversed => Self::Failed,
        }
    }

    pub(super) const fn of_refund(status: &RefundStatus) -> Self {
        match status {
            RefundStatus::Succeeded => Self::Succeeded,
            RefundStatus::Failed => Self::Failed,
            RefundStatus::Canceled => Self::Canceled,
            RefundStatus::Pending
            | RefundStatus::ActionRequired
            | RefundStatus::Unrecognized(_) => Self::Pending,
        }
    }
}

/// One thing that happened to an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct HistoryEntry {
    /// When it was written down.
    pub at: Timestamp,
    /// What, for staff to read.
    pub what: String,
    /// Where it is known from, such as the id of a webhook event.
    pub evidence: Option<String>,
}
