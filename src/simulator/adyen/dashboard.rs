//! What happens outside the API: by the merchant in the Customer Area, and by shoppers' banks.

use std::time::Duration;

use serde_json::Value;

use super::modifications::{self, Kind, ModificationState};
use super::state::World;
use super::{disputes, methods, notices, reports, stored};

/// The merchant's Customer Area, and the hands of the banks.
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

    /// Refunds a payment by hand: `amount` in Adyen's minor units. The reference of the refund is
    /// answered.
    ///
    /// # Errors
    /// There is no such payment, or not so much of it is left.
    pub fn refund(&mut self, payment: &str, amount: i64) -> Result<String, DashboardError> {
        self.modify(payment, Kind::Refund(amount))
    }

    /// Captures an authorised payment by hand. The reference of the capture is answered.
    ///
    /// # Errors
    /// There is no such payment, or not so much of it is held.
    pub fn capture(&mut self, payment: &str, amount: i64) -> Result<String, DashboardError> {
        self.modify(payment, Kind::Capture(amount))
    }

    /// Lets a capture or a refund fail after it was done. Of a refund the money comes back; of a
    /// capture it is gone.
    ///
    /// # Errors
    /// It was not done, or what was captured has gone back already.
    pub fn fail_modification(&mut self, modification: &str) -> Result<(), DashboardError> {
        modifications::undo(self.world, modification);
        let found = self.world.modifications.get(modification);
        let undone = found.is_some_and(|found| found.state == ModificationState::Undone);
        done(undone, "it cannot fail any more")
    }

    /// The shopper's bank charges back all that is left of a payment. The reference of the dispute
    /// is answered.
    ///
    /// # Errors
    /// There is no such payment, or nothing of it is left.
    pub fn charge_back(&mut self, payment: &str) -> Result<String, DashboardError> {
        let opened = disputes::open(self.world, payment);
        opened.ok_or_else(|| DashboardError(format!("nothing of {payment} can be charged back")))
    }

    /// The reference of the last dispute of a payment.
    #[must_use]
    pub fn dispute_of(&self, payment: &str) -> Option<String> {
        disputes::last_of(self.world, payment)
    }

    /// The bank gives the money of a chargeback back.
    ///
    /// # Errors
    /// There is no such chargeback, or its money is not away.
    pub fn reverse_chargeback(&mut self, dispute: &str) -> Result<(), DashboardError> {
        let reversed = disputes::reverse(self.world, dispute);
        done(reversed, "there is nothing to give back")
    }

    /// The shopper's bank takes money again that had come back.
    ///
    /// # Errors
    /// There is no such chargeback, or its money has not come back.
    pub fn charge_back_again(&mut self, dispute: &str) -> Result<(), DashboardError> {
        let taken = disputes::charge_back_again(self.world, dispute);
        done(taken, "there is nothing to take again")
    }

    /// The shopper's bank asks for information. No money moves.
    ///
    /// # Errors
    /// There is no such payment.
    pub fn request_information(&mut self, payment: &str) -> Result<(), DashboardError> {
        let warned = disputes::warn(self.world, payment, "REQUEST_FOR_INFORMATION");
        done(warned, "there is no such payment")
    }

    /// The shopper's bank reports fraud. No money moves.
    ///
    /// # Errors
    /// There is no such payment.
    pub fn report_fraud(&mut self, payment: &str) -> Result<(), DashboardError> {
        let warned = disputes::warn(self.world, payment, "NOTIFICATION_OF_FRAUD");
        done(warned, "there is no such payment")
    }

    /// Closes the batches of all that waits, without waiting for midnight. Their numbers are
    /// answered.
    pub fn close_batches(&mut self) -> Vec<u32> {
        reports::close_all(self.world)
    }

    /// Stores a test card such as `visa` for a shopper, as if it had paid before. Its
    /// `storedPaymentMethodId` is answered.
    ///
    /// # Errors
    /// There is no such test card.
    pub fn store_card(
        &mut self,
        merchant: &str,
        shopper: &str,
        card: &str,
    ) -> Result<String, DashboardError> {
        let (method, _) = methods::by_name(card)
            .filter(|(method, _)| method.kind == "scheme")
            .ok_or_else(|| DashboardError(format!("{card} is not a test card")))?;
        Ok(stored::store(self.world, merchant, shopper, method))
    }

    /// Sends a webhook a body of a kind that is not about payments, such as
    /// `merchant.updated`, signed in the header `HmacSignature`.
    ///
    /// # Errors
    /// There is no such webhook.
    pub fn send_signed_body(
        &mut self,
        webhook: &str,
        kind: &str,
        body: Value,
    ) -> Result<(), DashboardError> {
        let known = self.world.webhooks.get(webhook).is_some();
        if known {
            notices::send_whole(self.world, webhook, kind, body);
        }
        done(known, "there is no such webhook")
    }

    fn modify(&mut self, payment: &str, kind: Kind) -> Result<String, DashboardError> {
        let psp = modifications::receive(self.world, payment, None, kind, Duration::ZERO);
        self.world.advance(Duration::ZERO);
        let found = self.world.modifications.get(&psp);
        let made = found.is_some_and(|found| found.state == ModificationState::Done);
        done(made, "there is not so much left").map(|()| psp)
    }
}

fn done(done: bool, otherwise: &str) -> Result<(), DashboardError> {
    if done {
        Ok(())
    } else {
        Err(DashboardError(otherwise.to_owned()))
    }
}
