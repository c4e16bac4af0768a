//! The person who pays: what a browser would do on the pages.

use super::links::LinkStatus;
use super::methods;
use super::payments::{self, Payment, PaymentState, ShopperAnswer, Source};
use super::sessions::{self, Order, SessionStatus};
use super::state::World;

/// A shopper's hands, on a link (`PL…`), in a session (`CS…`), or on the page that a payment led to
/// (a `pspReference`).
///
/// Walking away needs no action: nothing is done, and the page expires on its own.
#[derive(Debug)]
pub struct Shopper<'a> {
    world: &'a mut World,
}

/// What the shopper sees.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShopperOutcome {
    /// The payment was authorised.
    Paid,
    /// The bank takes its time; the outcome comes later.
    Pending,
    /// The shopper is to answer on another page: see [`Shopper::approve`] and [`Shopper::fail`].
    SentTo {
        /// The page.
        url: String,
    },
    /// Back at the shop, which is to ask for the details of the payment with this.
    Returned {
        /// What `/payments/details` takes as `redirectResult` or `threeDSResult`.
        result: String,
    },
    /// The payment was refused; another method can be tried.
    Refused {
        /// The refusal reason code.
        code: u8,
    },
    /// The shopper has cancelled.
    Cancelled,
    /// It ended in an error.
    Error,
}

/// Why the shopper could not do it: no such page, or it is closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ShopperError(pub(super) String);

impl<'a> Shopper<'a> {
    pub(super) fn new(world: &'a mut World) -> Self {
        Self { world }
    }

    /// Pays by a link or in a session with a test method such as `visa`, `mc`, `visa_3ds`, `ideal`
    /// or `sepadirectdebit`, and perhaps a trigger: `visa:NOT_ENOUGH_BALANCE`.
    ///
    /// # Errors
    /// There is no such page or method, or the page is closed.
    pub fn pay(&mut self, id: &str, method: &str) -> Result<ShopperOutcome, ShopperError> {
        let found = methods::by_name(method);
        let unknown = || ShopperError(format!("{method} is not a test payment method"));
        let (method, trigger) = found.ok_or_else(unknown)?;
        let (order, source) = self.open_order(id)?;
        let psp = sessions::begin(self.world, &order, source, method, trigger);
        self.outcome(&psp)
    }

    /// Approves the payment on the bank's page, or passes its 3D Secure challenge.
    ///
    /// # Errors
    /// There is nothing to answer.
    pub fn approve(&mut self, id: &str) -> Result<ShopperOutcome, ShopperError> {
        self.answer(id, ShopperAnswer::Passed)
    }

    /// Fails the 3D Secure challenge.
    ///
    /// # Errors
    /// There is nothing to answer.
    pub fn fail(&mut self, id: &str) -> Result<ShopperOutcome, ShopperError> {
        self.answer(id, ShopperAnswer::Failed)
    }

    /// Cancels on the bank's page; or gives up a session that is not paid.
    ///
    /// # Errors
    /// There is nothing to cancel.
    pub fn cancel(&mut self, id: &str) -> Result<ShopperOutcome, ShopperError> {
        if self.world.sessions.get(id).is_some() && self.waiting(id).is_err() {
            sessions::cancel(self.world, id);
            return Ok(ShopperOutcome::Cancelled);
        }
        self.answer(id, ShopperAnswer::Cancelled)
    }

    fn answer(&mut self, id: &str, answer: ShopperAnswer) -> Result<ShopperOutcome, ShopperError> {
        let psp = self.waiting(id)?;
        if !payments::answer(self.world, &psp, answer) {
            return Err(ShopperError("there is nothing to answer".to_owned()));
        }
        self.outcome(&psp)
    }

    /// The payment that waits for its shopper: the one named, or the newest of a page.
    fn waiting(&self, id: &str) -> Result<String, ShopperError> {
        let is_its = |payment: &&Payment| match &payment.source {
            _ if payment.psp == id => true,
            Source::Link(page) | Source::Session(page) => page == id,
            Source::Api => false,
        };
        let mut own = self.world.payments.newest_first().filter(is_its);
        let waits = |payment: &Payment| matches!(payment.state, PaymentState::Action(_, None));
        let newest = own.next().filter(|payment| waits(payment));
        let missing = || ShopperError(format!("no one waits for an answer about {id}"));
        newest
            .map(|payment| payment.psp.clone())
            .ok_or_else(missing)
    }

    fn open_order(&self, id: &str) -> Result<(Order, Source), ShopperError> {
        if let Some(link) = self.world.links.get(id) {
            return match link.status {
                LinkStatus::Active => Ok((link.order.clone(), Source::Link(id.to_owned()))),
                LinkStatus::Expired => Err(ShopperError("this link has expired".to_owned())),
                _ => Err(ShopperError("this link is paid already".to_owned())),
            };
        }
        match self.world.sessions.get(id) {
            Some(session) if session.status == SessionStatus::Active => {
                Ok((session.order.clone(), Source::Session(id.to_owned())))
            }
            Some(_) => Err(ShopperError("this session is closed".to_owned())),
            None => Err(ShopperError(format!("there is no page {id}"))),
        }
    }

    /// How a payment stands for its shopper, once what is due has been done.
    fn outcome(&mut self, psp: &str) -> Result<ShopperOutcome, ShopperError> {
        self.world.advance(std::time::Duration::ZERO);
        let missing = || ShopperError(format!("there is no payment {psp}"));
        let payment = self.world.payments.get(psp).ok_or_else(missing)?;
        Ok(match payment.state {
            PaymentState::Action(_, None) => ShopperOutcome::SentTo {
                url: payment.page_url(self.world),
            },
            PaymentState::Action(_, Some(_)) => ShopperOutcome::Returned {
                result: payment.result_token.clone(),
            },
            PaymentState::Authorised => ShopperOutcome::Paid,
            PaymentState::Pending => ShopperOutcome::Pending,
            PaymentState::Refused(code) => ShopperOutcome::Refused { code },
            PaymentState::Cancelled | PaymentState::Expired => ShopperOutcome::Cancelled,
            PaymentState::Error => ShopperOutcome::Error,
        })
    }
}
