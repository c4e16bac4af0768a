//! What happens outside the API: by the merchant on PayPal's site, by banks, by PayPal itself.

use super::amounts::Amount;
use super::captures::{self, Capture};
use super::disputes;
use super::errors::ApiError;
use super::journal::Entry;
use super::refunds::{self, RefundNote};
use super::state::World;
use super::{authorizations, orders};
use crate::money::{Currency, Money};

/// The merchant's account on PayPal's site, and the hands of the banks.
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

    /// Refunds a capture or an order by hand: `amount`, or all that is left. The id of the refund
    /// is answered.
    ///
    /// # Errors
    /// There is no such payment, or not so much of it is left.
    pub fn refund(&mut self, id: &str, amount: Option<Money>) -> Result<String, DashboardError> {
        let capture = self.capture_of(id)?;
        let finer = || DashboardError("PayPal has no such fine amounts".to_owned());
        let amount = match amount {
            Some(amount) => Some(Amount::from_money(amount).ok_or_else(finer)?),
            None => None,
        };
        let note = RefundNote::default();
        refunds::make(self.world, &capture, amount, note).map_err(refused)
    }

    /// A pending refund is completed or fails.
    ///
    /// # Errors
    /// There is no such refund, or it is not pending.
    pub fn settle_refund(&mut self, refund: &str, succeeds: bool) -> Result<(), DashboardError> {
        done(refunds::settle(self.world, refund, succeeds), refund)
    }

    /// The merchant accepts a pending capture, or PayPal lets it through.
    ///
    /// # Errors
    /// There is no such capture, or it is not pending.
    pub fn accept_capture(&mut self, capture: &str) -> Result<(), DashboardError> {
        done(captures::settle(self.world, capture, true), capture)
    }

    /// The merchant denies a pending capture, or it comes to nothing.
    ///
    /// # Errors
    /// There is no such capture, or it is not pending.
    pub fn deny_capture(&mut self, capture: &str) -> Result<(), DashboardError> {
        done(captures::settle(self.world, capture, false), capture)
    }

    /// PayPal's review of a pending authorization ends.
    ///
    /// # Errors
    /// There is no such authorization.
    pub fn decide_authorization(&mut self, id: &str, granted: bool) -> Result<(), DashboardError> {
        let known = self.world.authorizations.get(id).is_some();
        authorizations::decide(self.world, id, granted);
        done(known, id)
    }

    /// The shopper says that they have not made a payment. The id of the dispute is answered.
    ///
    /// # Errors
    /// There is no such payment, or nothing of it can be disputed.
    pub fn open_dispute(&mut self, id: &str) -> Result<String, DashboardError> {
        let capture = self.capture_of(id)?;
        let reason = disputes::Reason::Unauthorised;
        disputes::open(self.world, &capture.id, reason).map_err(refused)
    }

    /// PayPal decides for the merchant: the money is free again.
    ///
    /// # Errors
    /// There is no such dispute, or it has ended.
    pub fn win_dispute(&mut self, dispute: &str) -> Result<(), DashboardError> {
        done(disputes::decide(self.world, dispute, true), dispute)
    }

    /// PayPal decides for the shopper: the money is gone.
    ///
    /// # Errors
    /// There is no such dispute, or it has ended.
    pub fn lose_dispute(&mut self, dispute: &str) -> Result<(), DashboardError> {
        done(disputes::decide(self.world, dispute, false), dispute)
    }

    /// The merchant sends all that is there of a currency to the bank. The id of the withdrawal is
    /// answered.
    ///
    /// # Errors
    /// There is nothing of that currency.
    pub fn withdraw(&mut self, currency: Currency) -> Result<String, DashboardError> {
        let mut balances = self.world.journal.balances().into_iter();
        let balance = balances.find(|balance| balance.currency == currency);
        let Some(balance) = balance.filter(|balance| balance.units > 0) else {
            return Err(DashboardError(format!("there is nothing in {currency}")));
        };
        let id = self.world.ids.next();
        let entry = Entry::withdrawal(id.clone(), balance, self.world.now);
        self.world.journal.write(entry);
        Ok(id)
    }

    /// The capture with this id, or the first one of the order with it.
    fn capture_of(&self, id: &str) -> Result<Capture, DashboardError> {
        if let Some(capture) = self.world.captures.get(id) {
            return Ok(capture.clone());
        }
        let order = orders::known(self.world, id).map_err(refused)?;
        let mut captures = self.world.captures.oldest_first();
        let capture = captures.find(|capture| capture.order == order.id && !capture.is_declined());
        let nothing = || DashboardError(format!("{id} is not paid"));
        capture.cloned().ok_or_else(nothing)
    }
}

fn done(done: bool, id: &str) -> Result<(), DashboardError> {
    match done {
        true => Ok(()),
        false => Err(DashboardError(format!(
            "{id} is not pending or does not exist"
        ))),
    }
}

fn refused(error: ApiError) -> DashboardError {
    DashboardError(error.issue().to_owned())
}
