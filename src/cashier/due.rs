//! When an order is looked at next.

use std::time::Duration;

use super::patience::Patience;
use super::records::{AttemptPhase, AttemptRecord, CommandState, OrderRecord, PaymentRecord};
use crate::clock::Timestamp;
use crate::mode::Mode;
use crate::payment::{Payment, PaymentStatus};
use crate::refund::RefundStatus;

/// Open things are asked about after half their age, within these bounds.
const SOONEST: Duration = Duration::from_secs(60);
const LATEST: Duration = Duration::from_secs(6 * 3600);
const DAY: Duration = Duration::from_secs(86_400);
/// How long the news of a payment in a checkout's last moment may be under way: fifteen minutes.
pub(super) const LAST_NEWS: Duration = Duration::from_secs(900);
const PAST_LAST_NEWS: Duration = Duration::from_secs(901);
/// From this age on a day is soon enough.
const OLD: Duration = Duration::from_secs(7 * 86_400);
/// Ended ones are looked at after a day, then each time their age has doubled, until this age:
/// refunds made elsewhere, and refunds that failed late, are found even if no webhook came.
const WATCHED_FOR: Duration = Duration::from_secs(180 * 86_400);
/// An order of which no payment is known is looked up at this age and each time its age has
/// doubled, until a month has passed. Providers search with less effort for what is a day old.
const LOOKED_UP_AFTER: Duration = Duration::from_secs(26 * 3600);
const LOOKED_UP_FOR: Duration = Duration::from_secs(30 * 86_400);

impl<M: Mode> OrderRecord<M> {
    /// When it should be looked at next: to ask the provider, or to tell a person.
    pub(super) fn due_at(&self, patience: &Patience) -> Option<Timestamp> {
        let attempts = self.unheard_attempts();
        let attempts = attempts.map(|attempt| self.after_half_its_age(attempt.begun_at));
        let commands = self.commands.iter();
        let commands = commands.filter(|command| !command.state.is_settled());
        let commands = commands.map(|command| self.after_half_its_age(command.requested_at));
        let payments = self.payments.iter().filter_map(|p| p.ledger.payment());
        let payments = payments.filter_map(|payment| self.payment_due_at(payment));
        // What the provider reports as a refund may be a release: its own sum decides.
        let entries = self.payments.iter();
        let undecided = entries.filter(|entry| entry.ledger.has_undecided_refund());
        let undecided = undecided.map(|_| self.asked_at.saturating_add(SOONEST));
        let asking = attempts.chain(commands).chain(payments).chain(undecided);
        let asking = asking.min();
        let telling = self.told_at(patience).min();
        let times = [asking, telling, self.looked_up_at()];
        times.into_iter().flatten().min()
    }

    /// Since when something about it is open: an attempt without an answer, a payment under way, a
    /// command that is not done.
    pub(super) fn open_since(&self) -> Option<Timestamp> {
        let attempts = self.unheard_attempts().map(|attempt| attempt.begun_at);
        let commands = self.commands.iter();
        let commands = commands.filter(|command| !command.state.is_settled());
        let commands = commands.map(|command| command.requested_at);
        let payments = self.payments.iter().filter_map(|p| p.ledger.payment());
        let payments = payments.filter(|payment| is_under_way(payment));
        let payments = payments.map(|payment| payment.created_at);
        attempts.chain(commands).chain(payments).min()
    }

    /// The attempts that may have a payment which nobody has told of yet.
    pub(super) fn unheard_attempts(&self) -> impl Iterator<Item = &AttemptRecord<M>> {
        self.attempts.iter().filter(|attempt| {
            let is_known = self.payments_of(attempt.attempt).next().is_some();
            let is_over = matches!(
                attempt.phase,
                AttemptPhase::Refused | AttemptPhase::NeverArrived
            );
            !is_known && !is_over
        })
    }

    /// Those of which a person is told if they stay unheard of.
    pub(super) fn unknown_attempts(&self) -> impl Iterator<Item = &AttemptRecord<M>> {
        let unheard = self.unheard_attempts();
        unheard.filter(|attempt| attempt.phase != AttemptPhase::Released)
    }

    /// Whether it is unpaid and nothing is known that could pay it.
    pub(super) fn is_waiting_for_nothing(&self) -> bool {
        let is_unpaid = self.paid_at.is_none() && self.received().is_ok_and(|r| r.is_zero());
        is_unpaid && self.open_since().is_none()
    }

    fn after_half_its_age(&self, since: Timestamp) -> Timestamp {
        let asked = self.asked_at.max(since);
        let age = asked.abs_diff(since);
        let wait = match age < OLD {
            true => (age / 2).clamp(SOONEST, LATEST),
            false => DAY,
        };
        asked.saturating_add(wait)
    }

    fn payment_due_at(&self, payment: &Payment<M>) -> Option<Timestamp> {
        let asked = self.asked_at.max(payment.created_at);
        let age = asked.abs_diff(payment.created_at);
        if !payment.status.is_final() || payment.is_held() {
            if age >= WATCHED_FOR && !is_under_way(payment) {
                return None;
            }
            let next = self.after_half_its_age(payment.created_at);
            // An unpaid checkout ends without a word: it is asked about right after, and once more
            // when all news must be here, for a provider that cannot be asked.
            let end = payment.expires_at.into_iter();
            let looks =
                end.flat_map(|end| [SOONEST, PAST_LAST_NEWS].map(|w| end.saturating_add(w)));
            let ended = looks.filter(|at| *at > self.asked_at).min();
            return Some(ended.map_or(next, |end| end.min(next)));
        }
        (age < WATCHED_FOR).then(|| asked.saturating_add(age.max(DAY)))
    }

    /// When a person must be told of something, if that is still to come.
    fn told_at(&self, patience: &Patience) -> impl Iterator<Item = Timestamp> {
        let mut all = Vec::new();
        let second = Duration::from_secs(1);
        let mut add = |since: Timestamp, wait| {
            all.push(since.saturating_add(wait).saturating_add(second));
        };
        for attempt in self.unknown_attempts() {
            add(attempt.begun_at, patience.unknown);
        }
        for command in &self.commands {
            match command.state {
                CommandState::Requested | CommandState::Unknown => {
                    add(command.requested_at, patience.unknown);
                }
                // Of a refund that has an id its ledger tells.
                CommandState::Pending if command.refund.is_none() => {
                    add(command.requested_at, patience.silence);
                }
                _ => {}
            }
        }
        for entry in &self.payments {
            for refund in entry.ledger.refunds().filter(|r| is_on_its_way(&r.status)) {
                add(refund.created_at, patience.refund);
            }
            let Some(payment) = entry.ledger.payment() else {
                continue;
            };
            if payment.is_held()
                && let Some(end) = payment.capture_before
            {
                add(end.saturating_sub(patience.lapse), Duration::ZERO);
            }
            if let Some(since) = silent_since(entry, payment) {
                add(since, patience.silence);
            }
        }
        let asked_at = self.asked_at;
        all.into_iter().filter(move |at| *at > asked_at)
    }

    /// When a payment is looked for that nobody has told of.
    fn looked_up_at(&self) -> Option<Timestamp> {
        let placed = self.order.placed_at;
        let asked = self.asked_at.max(placed);
        let age = asked.abs_diff(placed);
        let is_lost = self.is_waiting_for_nothing() && age < LOOKED_UP_FOR;
        is_lost.then(|| placed.saturating_add((age * 2).max(LOOKED_UP_AFTER)))
    }
}

/// Whether the payment may still bring money, or hold it.
fn is_under_way<M: Mode>(payment: &Payment<M>) -> bool {
    let is_over = payment.status.is_final() && !payment.is_held();
    !is_over && !matches!(payment.status, PaymentStatus::Failed(_))
}

/// Since when nothing is known of it that could be its end, if news of it must come: the provider is
/// at work on it, or waits for a shopper without saying for how long. A status that is not known
/// here is no news, however often the provider repeats it. Of one that it knows, that it still holds
/// is news: when the provider was asked counts, and not only when the payment has last changed.
pub(super) fn silent_since<M: Mode>(
    entry: &PaymentRecord<M>,
    payment: &Payment<M>,
) -> Option<Timestamp> {
    let told_at = entry.answered_at.unwrap_or(payment.as_of);
    let told_at = told_at.max(payment.as_of);
    match payment.status {
        PaymentStatus::Unrecognized(_) => Some(payment.created_at),
        PaymentStatus::Pending => Some(told_at),
        PaymentStatus::Created | PaymentStatus::ActionRequired if payment.expires_at.is_none() => {
            Some(told_at)
        }
        _ => None,
    }
}

/// Whether the money has neither reached the payer nor come back.
pub(super) const fn is_on_its_way(status: &RefundStatus) -> bool {
    matches!(
        status,
        RefundStatus::Pending | RefundStatus::ActionRequired | RefundStatus::Unrecognized(_)
    )
}
