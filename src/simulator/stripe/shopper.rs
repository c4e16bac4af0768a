//! The person who pays: what a browser would do on the hosted page.

use super::customers;
use super::intents::{Intent, Status};
use super::payments::{self, Confirmation};
use super::sessions;
use super::state::World;
use super::tokens;

/// A shopper's hands, on a Checkout Session or on an intent.
///
/// Walking away needs no action: nothing is done, and the session expires on its own.
#[derive(Debug)]
pub struct Shopper<'a> {
    world: &'a mut World,
}

/// What the shopper sees.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShopperOutcome {
    /// The payment went through.
    Paid,
    /// The amount is held; the merchant captures it later.
    Authorized,
    /// The bank takes its time; the outcome comes later.
    Processing,
    /// The bank wants 3D Secure: the challenge is to be passed or failed.
    Challenged {
        /// The page with the challenge.
        url: String,
    },
    /// The payment was declined; another method can be tried.
    Declined {
        /// What the shopper is told.
        message: String,
    },
}

/// Why the shopper could not do it: no such page, or it is closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ShopperError(pub(super) String);

impl<'a> Shopper<'a> {
    pub(super) fn new(world: &'a mut World) -> Self {
        Self { world }
    }

    /// Opens the page of a session and begins to pay, which makes its intent appear. The intent's
    /// id is answered. Leaving it at that is walking away.
    ///
    /// # Errors
    /// There is no such session, or it is no longer open.
    pub fn begin(&mut self, session: &str) -> Result<String, ShopperError> {
        sessions::begin_payment(self.world, session).map_err(|error| refused(&error))
    }

    /// Pays a session (`cs_test_…`) or an intent (`pi_…`) with a test payment method such as
    /// `pm_card_visa`.
    ///
    /// # Errors
    /// There is no such payment or payment method, or the payment is not open.
    pub fn pay(&mut self, id: &str, method: &str) -> Result<ShopperOutcome, ShopperError> {
        let intent = if id.starts_with("cs_") {
            self.begin(id)?
        } else {
            id.to_owned()
        };
        let Some(test_method) = tokens::find(method) else {
            return Err(ShopperError(format!(
                "{method} is not a test payment method"
            )));
        };
        let method = customers::new_method(self.world, test_method);
        let confirmation = Confirmation::default();
        let confirmed = payments::confirm(self.world, &intent, Some(method), confirmation);
        self.outcome(&intent, confirmed.err())
    }

    /// Passes the 3D Secure challenge of a session or an intent.
    ///
    /// # Errors
    /// There is no challenge to answer.
    pub fn pass_challenge(&mut self, id: &str) -> Result<ShopperOutcome, ShopperError> {
        let intent = self.intent_of(id)?;
        let passed = payments::pass_challenge(self.world, &intent);
        self.outcome(&intent, passed.err())
    }

    /// Fails the 3D Secure challenge of a session or an intent.
    ///
    /// # Errors
    /// There is no challenge to answer.
    pub fn fail_challenge(&mut self, id: &str) -> Result<ShopperOutcome, ShopperError> {
        let intent = self.intent_of(id)?;
        let failed = payments::fail_challenge(self.world, &intent);
        self.outcome(&intent, failed.err())
    }

    fn intent_of(&self, id: &str) -> Result<String, ShopperError> {
        if !id.starts_with("cs_") {
            return Ok(id.to_owned());
        }
        let session = self.world.sessions.get(id);
        let intent = session.and_then(|session| session.intent.clone());
        intent.ok_or_else(|| ShopperError(format!("no one has begun to pay {id}")))
    }

    fn outcome(
        &self,
        intent: &str,
        error: Option<super::errors::ApiError>,
    ) -> Result<ShopperOutcome, ShopperError> {
        let found = self.world.find::<Intent>(intent);
        let intent = found.map_err(|error| refused(&error))?;
        match (error, intent.status) {
            (Some(error), _) if !error.is_decline() => Err(refused(&error)),
            (None, Status::Succeeded) => Ok(ShopperOutcome::Paid),
            (None, Status::RequiresCapture) => Ok(ShopperOutcome::Authorized),
            (None, Status::Processing) => Ok(ShopperOutcome::Processing),
            (None, Status::RequiresAction) => Ok(ShopperOutcome::Challenged {
                url: intent.challenge_url(self.world),
            }),
            (_, Status::RequiresPaymentMethod) if intent.last_payment_error.is_some() => {
                let told = intent.last_payment_error.as_ref();
                let message = told.and_then(|error| error.get("message")?.as_str());
                Ok(ShopperOutcome::Declined {
                    message: message.unwrap_or_default().to_owned(),
                })
            }
            _ => Err(ShopperError("the payment is not open".to_owned())),
        }
    }
}

fn refused(error: &super::errors::ApiError) -> ShopperError {
    ShopperError(error.message().to_owned())
}
