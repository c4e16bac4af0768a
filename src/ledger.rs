//! The state of one payment as a fold over facts, so that the order of arrival does not matter.

use std::collections::BTreeMap;

use crate::dispute::Dispute;
use crate::error::Result;
use crate::id::{DisputeId, RefundId};
use crate::mode::Mode;
use crate::money::{Currency, Money, MoneyError};
use crate::payment::Payment;
use crate::refund::Refund;
use crate::webhook::{Event, EventKind};

/// All that is known of one payment, its refunds and its disputes.
///
/// The same facts end in the same ledger, in whatever order and however often they come. A refund
/// that is heard of before its payment waits here.
#[derive(Debug, Clone)]
pub struct Ledger<M: Mode> {
    payment: Option<Payment<M>>,
    refunds: BTreeMap<RefundId<M>, Refund<M>>,
    disputes: BTreeMap<DisputeId<M>, Dispute<M>>,
}

impl<M: Mode> Default for Ledger<M> {
    fn default() -> Self {
        Self {
            payment: None,
            refunds: BTreeMap::new(),
            disputes: BTreeMap::new(),
        }
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
    /// As [`Ledger::add_payment`].
    pub fn apply(&mut self, event: &Event<M>) -> Result<()> {
        match event.kind() {
            EventKind::Payment(payment) => self.add_payment(Payment::clone(payment))?,
            EventKind::Refund(refund) => self.add_refund(Refund::clone(refund)),
            EventKind::Dispute(dispute) => self.add_dispute(Dispute::clone(dispute)),
            EventKind::Payout(_) | EventKind::NotAboutPayments | EventKind::Unrecognized => {}
        }
        Ok(())
    }

    /// Takes in a snapshot of the payment.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if it is another payment or in another
    /// currency; nothing is changed then.
    pub fn add_payment(&mut self, payment: Payment<M>) -> Result<()> {
        let joined = match self.payment.clone() {
            Some(known) => known.join(payment)?,
            None => payment,
        };
        self.payment = Some(joined);
        Ok(())
    }

    /// Takes in a snapshot of a refund of the payment.
    pub fn add_refund(&mut self, refund: Refund<M>) {
        let joined = match self.refunds.remove(&refund.id) {
            Some(known) => known.join(refund),
            None => refund,
        };
        self.refunds.insert(joined.id.clone(), joined);
    }

    /// Takes in a snapshot of a dispute over the payment.
    pub fn add_dispute(&mut self, dispute: Dispute<M>) {
        let joined = match self.disputes.remove(&dispute.id) {
            Some(known) => known.join(dispute),
            None => dispute,
        };
        self.disputes.insert(joined.id.clone(), joined);
    }

    /// The payment, once one was seen.
    #[must_use]
    pub fn payment(&self) -> Option<&Payment<M>> {
        self.payment.as_ref()
    }

    /// The refunds, by id.
    pub fn refunds(&self) -> impl Iterator<Item = &Refund<M>> {
        self.refunds.values()
    }

    /// The disputes, by id.
    pub fn disputes(&self) -> impl Iterator<Item = &Dispute<M>> {
        self.disputes.values()
    }

    /// What went back, or is on its way back, to the payer by refunds.
    ///
    /// The provider's own sum counts too, since it knows of refunds that were not heard of here;
    /// refunds that have failed since it was reported are taken from it.
    ///
    /// # Errors
    /// [`MoneyError`] if a refund is in another currency than the payment.
    pub fn refunded(&self) -> Result<Money, MoneyError> {
        let currency = self.currency();
        let held = self
            .refunds
            .values()
            .filter(|refund| refund.status.holds_money());
        let listed = Money::sum(currency, held.map(|refund| refund.amount))?;
        let Some(payment) = &self.payment else {
            return Ok(listed);
        };
        let failed_since = self
            .refunds
            .values()
            .filter(|refund| !refund.status.holds_money() && refund.as_of > payment.as_of);
        let failed = Money::sum(currency, failed_since.map(|refund| refund.amount))?;
        let reported = payment.refunded.checked_sub(failed)?;
        Ok(if reported.minor() > listed.minor() {
            reported
        } else {
            listed
        })
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
        let away = self
            .disputes
            .values()
            .filter(|dispute| dispute.status.holds_money());
        let disputed = Money::sum(currency, away.map(|dispute| dispute.amount))?;
        captured
            .checked_sub(returned)?
            .checked_sub(self.refunded()?)?
            .checked_sub(disputed)
    }

    /// What can still be refunded: captured, less returned and refunded, never below zero.
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
            .checked_sub(self.refunded()?)?;
        Ok(if left.is_positive() {
            left
        } else {
            Money::zero(currency)
        })
    }

    fn currency(&self) -> Currency {
        let of_payment = self.payment.as_ref().map(|payment| payment.amount);
        let of_refund = || self.refunds.values().next().map(|refund| refund.amount);
        let of_dispute = || self.disputes.values().next().map(|dispute| dispute.amount);
        let any = of_payment.or_else(of_refund).or_else(of_dispute);
        // With nothing known every sum is zero, and its currency says nothing.
        any.map_or(Currency::EUR, Money::currency)
    }
}
