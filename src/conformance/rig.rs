//! What a provider's implementor gives to the suite.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, Timestamp};
use crate::error::DeclineReason;
use crate::handle::Provider;
use crate::id::{Namespace, Reference};
use crate::mode::{Live, Test};
use crate::money::PositiveMoney;
use crate::payment::Payment;
use crate::refund::Refund;
use crate::request::Checkout;
use crate::webhook::WebhookRequest;

/// A provider wired to a fake of its service: a fresh account for each case.
///
/// The fake must answer from its own books and in the provider's wire format, without code shared
/// with the provider; otherwise both can be wrong in the same way and nobody sees it.
///
/// What a rig cannot play it answers with [`Unable`]; the cases that need it are then reported as
/// not proven.
pub trait Rig {
    /// A new handle for an installation on the one account, with nothing remembered, as after a
    /// restart of the host.
    fn provider(&self, installation: &Namespace) -> Provider<Test>;

    /// A handle of the same provider in live mode whose webhook secret is that of the test
    /// endpoint, as when an endpoint is registered in the wrong mode.
    fn live_provider(&self, installation: &Namespace) -> Provider<Live>;

    /// A handle whose key the service does not know. Only an offline provider has none.
    fn provider_with_wrong_key(&self, installation: &Namespace) -> Provider<Test> {
        self.provider(installation)
    }

    /// A handle whose webhook endpoint trusts these secrets, as while one is rotated.
    ///
    /// # Errors
    /// [`Unable`] if the provider's webhooks are not signed with a secret.
    fn provider_trusting(
        &self,
        installation: &Namespace,
        secrets: &[SignedWith],
    ) -> Result<Provider<Test>, Unable> {
        let _ = (installation, secrets);
        Err(Unable)
    }

    /// What comes of starting the provider without a webhook secret: a handle, or an error.
    ///
    /// # Errors
    /// [`Unable`] if it cannot even be written down.
    fn provider_without_secret(
        &self,
        installation: &Namespace,
    ) -> Result<crate::Result<Provider<Test>>, Unable> {
        let _ = installation;
        Err(Unable)
    }

    /// Every secret text that was given to the provider: none may show anywhere. Only an offline
    /// provider has none.
    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }

    /// The time by the clock that the fake and the handles share.
    fn now(&self) -> Timestamp;

    /// How many requests have reached the service: of an offline provider 0, which has none.
    fn requests(&self) -> usize;

    /// Whether [`books`](Self::books) can be read. The service of a real provider shows none.
    fn keeps_books(&self) -> bool {
        true
    }

    /// What the service's books say about a reference.
    fn books(&self, reference: &Reference) -> Vec<Booked>;

    /// The shopper acts on the provider's page, or confirms with the bank.
    ///
    /// # Errors
    /// [`Unable`] if the fake has no such shopper.
    fn shopper(&self, payment: &Payment<Test>, shopper: Shopper) -> Result<(), Unable>;

    /// Whether most cases begin their payments with a token, where the provider can do that as well
    /// as host a page. A provider that can do both passes the suite twice.
    fn prefers_tokens(&self) -> bool {
        false
    }

    /// A token that the provider's script would have made for this shopper. Only for providers
    /// that can create directly.
    ///
    /// # Errors
    /// [`Unable`] if there is no such token.
    fn token(&self, shopper: Shopper) -> Result<Checkout, Unable> {
        let _ = shopper;
        Err(Unable)
    }

    /// Something happens at the provider that the host has not asked for.
    ///
    /// # Errors
    /// [`Unable`] if the fake cannot let it happen.
    fn happen(&self, happening: Happening<'_>) -> Result<(), Unable> {
        let _ = happening;
        Err(Unable)
    }

    /// Lets the next `requests` requests of that kind meet a fault; 0 ends it.
    ///
    /// # Errors
    /// [`Unable`] if the fake has no such fault.
    fn fault(&self, fault: Fault, on: Strikes, requests: usize) -> Result<(), Unable> {
        let _ = (fault, on, requests);
        Err(Unable)
    }

    /// The webhooks sent since this was last asked, in the order of what happened.
    fn webhooks(&self) -> Vec<WebhookRequest> {
        Vec::new()
    }

    /// Signs a body as the provider would, where it stands in the provider's signature scheme.
    ///
    /// # Errors
    /// [`Unable`] if there is no such signature, such as one with a time where the scheme has none.
    fn sign(
        &self,
        body: &[u8],
        at: Timestamp,
        secret: SignedWith,
    ) -> Result<WebhookRequest, Unable> {
        let _ = (body, at, secret);
        Err(Unable)
    }

    /// The body of a genuine but unusual notice.
    ///
    /// # Errors
    /// [`Unable`] if the provider has no such notice.
    fn unusual_notice(&self, notice: UnusualNotice<'_>) -> Result<Vec<u8>, Unable> {
        let _ = notice;
        Err(Unable)
    }

    /// Whether what [`webhooks`](Self::webhooks) gives is all that was sent. Where a provider's own
    /// test mode is played over, none may reach this machine.
    fn delivers_webhooks(&self) -> bool {
        true
    }

    /// Waits a while for what is on its way from the provider, after as many waits as this for the
    /// same thing, and says whether that may have brought it. A fake brings everything at once.
    fn waits(&self, times: u32) -> bool {
        let _ = times;
        false
    }

    /// The clock of the shop, where time passes on its side alone: a provider's own test mode has
    /// its own time.
    fn shop_clock(&self) -> Option<Arc<dyn Clock>> {
        None
    }

    /// Why a scenario of the rehearsal, such as `S37`, cannot be brought about here: a provider's
    /// own test mode can be steered less than a fake. Such a scenario is not played.
    fn out_of_reach(&self, scenario: &str) -> Option<&'static str> {
        let _ = scenario;
        None
    }

    /// The cases that this rig is known not to prove, each with the reason:
    /// `("webhooks::an_unknown_type_is_tolerated", "notices have no type")`.
    fn known_gaps(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }
}

/// The rig cannot play this part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unable;

/// A shopper with a test card, as the providers document them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shopper {
    /// Pays.
    Pays,
    /// Tries to pay and is declined for this reason.
    IsDeclined(DeclineReason),
    /// Is declined with a card that was reported stolen.
    HasAStolenCard,
    /// Pays with a card that the bank confirms (3-D Secure) without asking.
    PassesUnasked,
    /// Is asked to confirm with the bank (3-D Secure), and does.
    PassesChallenge,
    /// Is asked to confirm with the bank, and fails.
    FailsChallenge,
    /// Is asked to confirm with the bank, and walks away.
    LeavesChallenge,
    /// Pays with a card whose refunds stay pending until [`Happening::RefundSettles`].
    PaysAndRefundsPend,
    /// Pays with a card whose refunds succeed and fail at [`Happening::RefundSettles`].
    PaysAndRefundsFail,
    /// Pays, and disputes the payment at once.
    PaysAndDisputes,
    /// Pays by a method that takes days and then succeeds, such as a bank debit.
    PaysSlowly,
    /// Pays by a method that takes days and then fails.
    PaysSlowlyInVain,
}

/// Something at the provider that the host has not asked for.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Happening<'a> {
    /// The time of an unpaid checkout runs out.
    CheckoutExpires(&'a Payment<Test>),
    /// The time of a held amount runs out.
    HoldLapses(&'a Payment<Test>),
    /// A payment of [`Shopper::PaysSlowly`] succeeds.
    SlowPaymentSucceeds(&'a Payment<Test>),
    /// A payment of [`Shopper::PaysSlowlyInVain`] fails.
    SlowPaymentFails(&'a Payment<Test>),
    /// A refund comes to the end that its card has.
    RefundSettles(&'a Refund<Test>),
    /// Staff refund a part of a payment in the provider's dashboard.
    DashboardRefund(&'a Payment<Test>, PositiveMoney),
    /// The provider sends what it owes to the host's bank.
    PaysOut,
    /// The bank decides the dispute of a payment of [`Shopper::PaysAndDisputes`] for the host.
    DisputeIsWon(&'a Payment<Test>),
    /// The bank decides the dispute of a payment of [`Shopper::PaysAndDisputes`] for the payer.
    DisputeIsLost(&'a Payment<Test>),
    /// Nothing but time passes.
    TimePasses(Duration),
}

/// What a request meets on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The connection breaks after the request was sent and before the service acts on it.
    LostBefore,
    /// The service acts on it, and the connection breaks before the answer arrives.
    LostAfter,
    /// The service answers 5xx and has done nothing.
    ServerErrorBefore,
    /// The service acts on it and answers 5xx.
    ServerErrorAfter,
    /// The service answers 429 and has done nothing.
    RateLimited,
}

/// Which requests a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strikes {
    /// Those that change nothing.
    Reads,
    /// Those that move money, or begin to.
    Writes,
}

/// With which secret a webhook is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedWith {
    /// The endpoint's own.
    TheEndpointsSecret,
    /// One that the endpoint does not know.
    AnotherSecret,
    /// None: the signature is left out.
    Nothing,
}

/// A genuine notice out of the ordinary.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum UnusualNotice<'a> {
    /// One of a documented type that is not about payments.
    NotAboutPayments,
    /// One of a type that nobody knows yet.
    UnknownType,
    /// One about this payment, in a status that nobody knows yet.
    UnknownStatus(&'a Payment<Test>),
    /// One that says that this payment is captured, in live mode, signed by the test endpoint's
    /// secret all the same.
    OfLiveMode(&'a Payment<Test>),
    /// One that is genuine about this payment, next to one that cannot be believed.
    WithABadItem(&'a Payment<Test>),
}

/// One payment in the service's own books.
///
/// The amounts are decimals in the major unit, such as `8.20`, told by the fake from what it
/// received: so that the provider's encoder is compared with something other than itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booked {
    /// The currency's three letters.
    pub currency: String,
    /// What was asked for.
    pub amount: String,
    /// What was taken from the payer, refunds not deducted.
    pub captured: String,
    /// What went back, or is on its way back.
    pub refunded: String,
}
