//! The state of one payment as a fold over facts, so that the order of arrival does not matter.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::capture::{Capture, CaptureStatus};
use crate::dispute::Dispute;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{CaptureId, DisputeId, RefundId};
use crate::mode::Mode;
use crate::money::{Currency, Money, MoneyError};
use crate::payment::{Payment, PaymentStatus, ReportedAmount};
use crate::refund::Refund;
use crate::webhook::{Authenticity, Event, EventKind};

/// All that is known of one payment, its captures, its refunds and its disputes.
///
/// The same facts end in the same ledger, in whatever order and however often they come. A capture
/// or refund that is heard of before its payment waits here.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound = "", from = "Facts<M>", into = "Facts<M>")]
pub struct Ledger<M: Mode> {
    facts: Facts<M>,
    /// The payment with its captures taken in.
    payment: Option<Payment<M>>,
}

/// What was said, each thing by its provider's name for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound = "", deny_unknown_fields)]
struct Facts<M: Mode> {
    payment: Option<Payment<M>>,
    captures: BTreeMap<CaptureId<M>, Capture<M>>,
    refunds: BTreeMap<RefundId<M>, Refund<M>>,
    disputes: BTreeMap<DisputeId<M>, Dispute<M>>,
}

impl<M: Mode> Default for Ledger<M> {
    fn default() -> Self {
        Self::from(Facts {
            payment: None,
            captures: BTreeMap::new(),
            refunds: BTreeMap::new(),
            disputes: BTreeMap::new(),
        })
    }
}

impl<M: Mode> From<Facts<M>> for Ledger<M> {
    fn from(facts: Facts<M>) -> Self {
        let payment = facts.payment_now();
        Self { facts, payment }
    }
}

impl<M: Mode> From<Ledger<M>> for Facts<M> {
    fn from(ledger: Ledger<M>) -> Self {
        ledger.facts
    }
}

impl<M: Mode> Ledger<M> {
    /// A ledger that knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in what a verified event says. One that is not about this kind of thing is no news.
    ///
    /// # Errors
    /// [`ErrorKind::NotAuthentic`] if its signature leaves the body
    /// out: [prove](crate::Provider::prove) it first. And as [`Ledger::add_payment`].
    pub fn apply(&mut self, event: &Event<M>) -> Result<()> {
        if event.authenticity() == Authenticity::HeaderOnly {
            let message = "the event's signature leaves its body out: prove it first";
            return Err(Error::new(ErrorKind::NotAuthentic, message));
        }
        match event.kind() {
            EventKind::Payment(payment) => self.add_payment(Payment::clone(payment))?,
            EventKind::Capture(capture) => self.add_capture(Capture::clone(capture)),
            EventKind::Refund(refund) => self.add_refund(Refund::clone(refund)),
            EventKind::Dispute(dispute) => self.add_dispute(Dispute::clone(dispute)),
            EventKind::Payout(_)
            | EventKind::Warning(_)
            | EventKind::Unclear(_)
            | EventKind::Unreadable(_)
            | EventKind::NotAboutPayments
            | EventKind::Unrecognized => {}
        }
        Ok(())
    }

    /// Takes in a snapshot of the payment.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if it is another payment or in another
    /// currency; nothing is changed then.
    pub fn add_payment(&mut self, payment: Payment<M>) -> Result<()> {
        let joined = match self.facts.payment.clone() {
            Some(known) => known.join(payment)?,
            None => payment,
        };
        self.facts.payment = Some(joined);
        self.payment = self.facts.payment_now();
        Ok(())
    }

    /// Takes in all that another ledger of the same payment knows.
    ///
    /// # Errors
    /// As [`Ledger::add_payment`].
    pub fn add_all(&mut self, other: &Self) -> Result<()> {
        if let Some(payment) = &other.facts.payment {
            self.add_payment(payment.clone())?;
        }
        for capture in other.captures() {
            self.add_capture(capture.clone());
        }
        for refund in other.facts.refunds.values() {
            self.add_refund(refund.clone());
        }
        for dispute in other.disputes() {
            self.add_dispute(dispute.clone());
        }
        Ok(())
    }

    /// Takes in a snapshot of a capture of the payment.
    pub fn add_capture(&mut self, capture: Capture<M>) {
        let joined = match self.facts.captures.remove(&capture.id) {
            Some(known) => known.join(capture),
            None => capture,
        };
        self.facts.captures.insert(joined.id.clone(), joined);
        self.payment = self.facts.payment_now();
    }

    /// Takes in a snapshot of a refund of the payment.
    pub fn add_refund(&mut self, refund: Refund<M>) {
        let joined = match self.facts.refunds.remove(&refund.id) {
            Some(known) => known.join(refund),
            None => refund,
        };
        self.facts.refunds.insert(joined.id.clone(), joined);
    }

    /// Takes in a snapshot of a dispute over the payment.
    pub fn add_dispute(&mut self, dispute: Dispute<M>) {
        let joined = match self.facts.disputes.remove(&dispute.id) {
            Some(known) => known.join(dispute),
            None => dispute,
        };
        self.facts.disputes.insert(joined.id.clone(), joined);
    }

    /// The payment, once one was seen, with the captures that were heard of taken in.
    #[must_use]
    pub fn payment(&self) -> Option<&Payment<M>> {
        self.payment.as_ref()
    }

    /// The captures that the provider reported one by one, by id.
    pub fn captures(&self) -> impl Iterator<Item = &Capture<M>> {
        self.facts.captures.values()
    }

    /// The refunds, by id. What only released an authorized amount is none of them, although the
    /// provider reports it as a refund.
    pub fn refunds(&self) -> impl Iterator<Item = &Refund<M>> {
        let all = self.facts.refunds.values();
        all.filter(|refund| !self.facts.is_release(refund, self.payment.as_ref()))
    }

    /// Whether a refund could as well be the release of what was not captured, so that the provider
    /// must be asked for the payment.
    #[must_use]
    pub fn has_undecided_refund(&self) -> bool {
        let mut all = self.facts.refunds.values();
        all.any(|refund| {
            let payment = self.payment.as_ref();
            refund.may_be_release
                && refund.status.holds_money()
                && payment.is_some_and(|payment| {
                    self.facts.release_of(refund, payment) == Release::Undecided
                })
        })
    }

    /// The disputes, by id.
    pub fn disputes(&self) -> impl Iterator<Item = &Dispute<M>> {
        self.facts.disputes.values()
    }

    /// What went back, or is on its way back, to the payer by refunds.
    ///
    /// The provider's own sum counts too, since it knows of refunds that were not heard of here.
    /// Refunds made since it was reported are added to it, and those of it that have failed since
    /// are taken from it. One that is dated two seconds after the report or less is taken to be in
    /// it: a provider's clocks differ, and counted twice it would be money that never went back.
    /// It is never more than was captured.
    ///
    /// # Errors
    /// [`MoneyError`] if a refund is in another currency than the payment.
    pub fn refunded(&self) -> Result<Money, MoneyError> {
        let currency = self.currency();
        let listed = self.listed_refunds()?;
        let Some(payment) = &self.payment else {
            return Ok(listed);
        };
        let Some(reported_at) = payment.reported_at(ReportedAmount::Refunded) else {
            return Ok(at_most(listed, payment.captured));
        };
        let (mut made, mut failed) = (Vec::new(), Vec::new());
        for refund in self.refunds() {
            let is_new = refund.created_at > reported_at.saturating_add(CLOCKS_APART);
            match refund.status.holds_money() {
                true if is_new => made.push(refund.amount),
                false if !is_new && refund.as_of > reported_at => failed.push(refund.amount),
                _ => {}
            }
        }
        let reported = payment
            .refunded
            .checked_add(Money::sum(currency, made)?)?
            .checked_sub(Money::sum(currency, failed)?)?;
        let most = Money::new(reported.minor().max(listed.minor()), currency);
        Ok(at_most(most, payment.captured))
    }

    /// What of [`refunded`](Self::refunded) is in none of the refunds that were heard of here.
    ///
    /// # Errors
    /// As [`Ledger::refunded`].
    pub fn unlisted_refunds(&self) -> Result<Money, MoneyError> {
        self.refunded()?.checked_sub(self.listed_refunds()?)
    }

    /// What is the host's: captured, less returned, refunded and disputed. Negative if more went
    /// back than came.
    ///
    /// # Errors
    /// [`MoneyError`] if a refund or dispute is in another currency than the payment.
    pub fn net(&self) -> Result<Money, MoneyError> {
        let currency = self.currency();
        let (captured, returned) = match &self.payment {
            Some(payment) => (payment.captured, payment.returned),
            None => (Money::zero(currency), Money::zero(currency)),
        };
        captured
            .checked_sub(returned)?
            .checked_sub(self.refunded()?)?
            .checked_sub(self.disputed()?)
    }

    /// What is away from the merchant by disputes.
    fn disputed(&self) -> Result<Money, MoneyError> {
        Money::sum(self.currency(), self.disputes().map(Dispute::withdrawn))
    }

    /// What can still be refunded: captured, less returned, refunded and what is away by disputes,
    /// never below zero.
    ///
    /// # Errors
    /// [`MoneyError`] if a refund is in another currency than the payment.
    pub fn refundable(&self) -> Result<Money, MoneyError> {
        let currency = self.currency();
        let Some(payment) = &self.payment else {
            return Ok(Money::zero(currency));
        };
        let left = payment
            .captured
            .checked_sub(payment.returned)?
            .checked_sub(self.refunded()?)?
            .checked_sub(self.disputed()?)?;
        Ok(Money::new(left.minor().max(0), currency))
    }

    /// The sum of the refunds that were heard of here and hold money.
    fn listed_refunds(&self) -> Result<Money, MoneyError> {
        let held = self.refunds().filter(|refund| refund.status.holds_money());
        Money::sum(self.currency(), held.map(|refund| refund.amount))
    }

    fn currency(&self) -> Currency {
        let of_payment = self.payment.as_ref().map(|payment| payment.amount);
        let of_refund = || self.refunds().next().map(|refund| refund.amount);
        let of_dispute = || self.disputes().next().map(|dispute| dispute.amount);
        let any = of_payment.or_else(of_refund).or_else(of_dispute);
        // With nothing known every sum is zero, and its currency says nothing.
        any.map_or(Currency::EUR, Money::currency)
    }
}

impl<M: Mode> Facts<M> {
    /// The payment with its captures taken in.
    ///
    /// A provider that reports captures one by one tells of a payment only that it is held, or, if
    /// it captures by itself, that all of it is taken. A capture that failed after it had succeeded
    /// is taken from either, and what was captured anew since then is added.
    fn payment_now(&self) -> Option<Payment<M>> {
        let mut payment = self.payment.clone()?;
        let of_another = |c: &Capture<M>| c.amount.currency() != payment.amount.currency();
        if self.captures.is_empty() || self.captures.values().any(of_another) {
            return Some(payment);
        }
        let captured = self.taken(&payment);
        payment.captured = Money::new(captured, payment.amount.currency());
        let was_captured = payment.status == PaymentStatus::Captured;
        if captured > 0 {
            let is_open = payment.status == PaymentStatus::Authorized
                && !self
                    .captures
                    .values()
                    .any(|c| c.status == CaptureStatus::Succeeded && c.is_final);
            let rest = if is_open {
                payment.amount.minor() - captured
            } else {
                0
            };
            payment.capturable = Money::new(rest.max(0), payment.amount.currency());
            payment.status = PaymentStatus::Captured;
        } else if was_captured {
            payment.status = PaymentStatus::Authorized;
            payment.capturable = payment.amount;
        }
        let succeeded = self
            .captures
            .values()
            .filter(|c| c.status == CaptureStatus::Succeeded);
        let first = succeeded.map(|c| c.as_of).min();
        payment.captured_at = match captured {
            0 => None,
            _ => [payment.captured_at, first].into_iter().flatten().min(),
        };
        Some(payment)
    }

    /// What is taken of the payment after all captures and failures, the earliest first.
    fn taken(&self, payment: &Payment<M>) -> i64 {
        let is_failure = |c: &Capture<M>| c.status == CaptureStatus::Reversed;
        let has_come = |c: &&Capture<M>| c.status == CaptureStatus::Succeeded || is_failure(c);
        let mut captures: Vec<_> = self.captures.values().filter(has_come).collect();
        captures.sort_by_key(|c| (c.as_of, is_failure(c)));
        // What the provider captures by itself it may report one by one too: it is taken once.
        let (mut taken, mut reported) = (payment.captured.minor(), 0_i64);
        let whole = payment.amount.minor().max(taken);
        for capture in captures {
            let amount = capture.amount.minor();
            if !is_failure(capture) {
                reported = reported.saturating_add(amount);
                taken = taken.max(reported);
                continue;
            }
            // Whether a failure names the capture that failed or has a name of its own, no more was
            // taken before than this.
            for sum in [&mut taken, &mut reported] {
                let before = sum.saturating_add(amount).min(whole.max(*sum));
                *sum = before.saturating_sub(amount).max(0);
            }
        }
        taken
    }
}

/// What a refund is that may be a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Release {
    Yes,
    No,
    /// It fits both, and the payment's own sum of refunds is older than it.
    Undecided,
}

impl<M: Mode> Facts<M> {
    /// Whether a refund gives nothing back: it only released what was authorized. What is undecided
    /// counts as a release, so that no customer is asked to pay a second time.
    fn is_release(&self, refund: &Refund<M>, payment: Option<&Payment<M>>) -> bool {
        let judged = payment.map(|payment| self.release_of(refund, payment));
        refund.may_be_release && judged.is_some_and(|release| release != Release::No)
    }

    /// Decides whether a refund that may be a release is one.
    fn release_of(&self, refund: &Refund<M>, payment: &Payment<M>) -> Release {
        let (amount, captured) = (refund.amount.minor(), payment.captured.minor());
        let released = payment.amount.minor() - captured;
        if captured <= 0 || amount > captured {
            return Release::Yes;
        }
        // The rest is released at once and once: of several that fit, the first.
        let fits = |r: &Refund<M>| r.may_be_release && r.amount.minor() == released;
        let is_earlier = |r: &Refund<M>| (r.created_at, &r.id) < (refund.created_at, &refund.id);
        if !fits(refund) || self.refunds.values().any(|r| fits(r) && is_earlier(r)) {
            return Release::No;
        }
        match payment.reported_at(ReportedAmount::Refunded) {
            Some(at) if refund.created_at <= at => {
                let others = self.refunds.values().filter(|r| {
                    let is_in_sum = r.created_at <= at && r.status.holds_money();
                    r.id != refund.id && is_in_sum && r.amount.minor() <= captured
                });
                let others: i64 = others.map(|r| r.amount.minor()).sum();
                match payment.refunded.minor() < others.saturating_add(amount) {
                    true => Release::Yes,
                    false => Release::No,
                }
            }
            _ => Release::Undecided,
        }
    }
}

fn at_most(amount: Money, most: Money) -> Money {
    if amount.currency() == most.currency() && amount.minor() > most.minor().max(0) {
        return Money::new(most.minor().max(0), most.currency());
    }
    amount
}

/// How far apart the clocks of one provider may be: what dates a refund and what dates an answer are
/// different machines, and the date of an answer may be a second old.
const CLOCKS_APART: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
