//! What happens outside the API: by the merchant in the dashboard, by shoppers' banks, by time.

use serde_json::json;

use super::charges::Charge;
use super::disputes;
use super::events;
use super::intents::Intent;
use super::payouts::{self, Payout};
use super::refunds;
use super::state::{Metadata, Record, World};
use super::warnings;

/// The merchant's dashboard, and the hands of the banks.
#[derive(Debug)]
pub struct Dashboard<'a> {
    world: &'a mut World,
}

/// Why it could not be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DashboardError(String);

impl<'a> Dashboard<'a> {
    pub(super) fn new(world: &'a mut World) -> Self {
        Self { world }
    }

    /// Refunds an intent or a charge by hand: `amount` in Stripe's minor units, or all that is
    /// left. The id of the refund is answered.
    ///
    /// # Errors
    /// There is no such payment, or not so much of it is left.
    pub fn refund(&mut self, id: &str, amount: Option<i64>) -> Result<String, DashboardError> {
        let charge = self.charge_of(id)?;
        refunds::make(self.world, &charge, amount, None, Metadata::new()).map_err(refused)
    }

    /// Sends money back to a customer's bank that had come by transfer and paid for nothing: a refund
    /// of no charge, and so of no payment. Its id is answered.
    pub fn refund_cash_balance(&mut self, amount: i64, currency: &str) -> String {
        let id = self.world.ids.next("re");
        let object = json!({
            "id": id,
            "object": "refund",
            "amount": amount,
            "balance_transaction": null,
            "charge": null,
            "created": self.world.now.unix(),
            "currency": currency,
            "metadata": {},
            "payment_intent": null,
            "reason": null,
            "status": "pending",
        });
        events::emit(self.world, "refund.created", object, None);
        id
    }

    /// Lets a refund fail, even one that had succeeded: the money comes back.
    ///
    /// # Errors
    /// There is no such refund.
    pub fn fail_refund(&mut self, refund: &str) -> Result<(), DashboardError> {
        known::<refunds::Refund>(self.world, refund)?;
        refunds::fail(self.world, refund);
        Ok(())
    }

    /// The shopper disputes an intent or a charge as fraudulent. The id of the dispute is answered.
    ///
    /// # Errors
    /// There is no such payment, or nothing of it can be disputed.
    pub fn open_dispute(&mut self, id: &str) -> Result<String, DashboardError> {
        let charge = self.charge_of(id)?;
        disputes::open(self.world, &charge.id, "fraudulent", false).map_err(refused)
    }

    /// The bank decides for the merchant: the money comes back.
    ///
    /// # Errors
    /// There is no such dispute.
    pub fn win_dispute(&mut self, dispute: &str) -> Result<(), DashboardError> {
        self.decide(dispute, true)
    }

    /// The bank decides for the shopper: the money is gone.
    ///
    /// # Errors
    /// There is no such dispute.
    pub fn lose_dispute(&mut self, dispute: &str) -> Result<(), DashboardError> {
        self.decide(dispute, false)
    }

    /// Gives a part of what a dispute withdrew back, as networks do also after a decision.
    ///
    /// # Errors
    /// There is no such dispute.
    pub fn reinstate_dispute(&mut self, dispute: &str, amount: i64) -> Result<(), DashboardError> {
        known::<disputes::Dispute>(self.world, dispute)?;
        disputes::reinstate(self.world, dispute, amount);
        Ok(())
    }

    /// Prevents a dispute: the network gives the money back and withdraws it.
    ///
    /// # Errors
    /// As [`open_dispute`](Self::open_dispute).
    pub fn prevent_dispute(&mut self, id: &str) -> Result<String, DashboardError> {
        let charge = self.charge_of(id)?;
        disputes::prevent(self.world, &charge.id).map_err(refused)
    }

    /// The issuer of the card reports an intent or a charge as fraud. The id of the warning is
    /// answered.
    ///
    /// # Errors
    /// There is no such payment, or it did not succeed.
    pub fn report_fraud(&mut self, id: &str) -> Result<String, DashboardError> {
        let charge = self.charge_of(id)?;
        warnings::report_fraud(self.world, &charge.id).map_err(refused)
    }

    /// Radar holds an intent or a charge for review. The id of the review is answered.
    ///
    /// # Errors
    /// There is no such payment, or it did not succeed.
    pub fn open_review(&mut self, id: &str) -> Result<String, DashboardError> {
        let charge = self.charge_of(id)?;
        warnings::open_review(self.world, &charge.id).map_err(refused)
    }

    /// The merchant approves a payment that is under review.
    ///
    /// # Errors
    /// There is no such review.
    pub fn approve_review(&mut self, review: &str) -> Result<(), DashboardError> {
        warnings::approve(self.world, review).map_err(refused)
    }

    /// Pays out all that is available, without waiting for midnight. The ids of the payouts, one
    /// for each currency, are answered. A charge that is captured asynchronously, as Stripe does
    /// unless asked otherwise, comes onto the balance a moment after it was paid: let time pass
    /// first.
    pub fn pay_out_now(&mut self) -> Vec<String> {
        let before = self.world.payouts.oldest_first().count();
        payouts::daily(self.world);
        let made = self.world.payouts.oldest_first().skip(before);
        made.map(|payout| payout.id.clone()).collect()
    }

    /// The money of a payout arrives at the bank.
    ///
    /// # Errors
    /// There is no such payout.
    pub fn payout_arrives(&mut self, payout: &str) -> Result<(), DashboardError> {
        known::<Payout>(self.world, payout)?;
        payouts::arrive(self.world, payout);
        Ok(())
    }

    /// The bank sends a payout back, even after it had arrived.
    ///
    /// # Errors
    /// There is no such payout, or it has failed already.
    pub fn fail_payout(&mut self, payout: &str) -> Result<(), DashboardError> {
        payouts::fail(self.world, payout).map_err(refused)
    }

    fn decide(&mut self, dispute: &str, won: bool) -> Result<(), DashboardError> {
        known::<disputes::Dispute>(self.world, dispute)?;
        disputes::decide(self.world, dispute, won);
        Ok(())
    }

    fn charge_of(&self, id: &str) -> Result<Charge, DashboardError> {
        if !id.starts_with("pi_") {
            return self.world.find(id).map_err(refused);
        }
        let intent: Intent = self.world.find(id).map_err(refused)?;
        let charge = intent.latest_charge;
        let charge = charge.ok_or_else(|| DashboardError(format!("{id} has no charge")))?;
        self.world.find(&charge).map_err(refused)
    }
}

fn known<T: Record>(world: &World, id: &str) -> Result<(), DashboardError> {
    world.find::<T>(id).map(|_| ()).map_err(refused)
}

fn refused(error: super::errors::ApiError) -> DashboardError {
    DashboardError(error.message().to_owned())
}
