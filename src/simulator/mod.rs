//! Payment service providers, simulated from the other side of their wire. Test mode only.
//!
//! A simulator is first a plain function from request to answer, [`SimulatedProvider::handle`],
//! with a seed and a clock of its own: the same seed and the same requests give the same bytes, so
//! a whole shop runs in one thread and can be replayed. [`SimulatorTransport`] lets a provider of
//! this crate call that function in-process; [`SimulatorServer`] puts it on a loopback port, where
//! the payment provider's official SDKs can drive it too.
//!
//! ```
//! use bytes::Bytes;
//! use counterfoil::clock::Timestamp;
//! use counterfoil::simulator::{Answer, SimulatedProvider, stripe::StripeSimulator};
//!
//! let mut stripe = StripeSimulator::new(7, Timestamp::from_unix(1_795_000_000));
//! let request = http::Request::post("/v1/payment_intents")
//!     .header("authorization", "Bearer sk_test_anything")
//!     .body(Bytes::from_static(b"amount=1999&currency=eur"))?;
//! let Answer::Response(response) = stripe.handle(&request) else {
//!     unreachable!("no fault was planned");
//! };
//! assert_eq!(response.status(), 200);
//! # Ok::<(), http::Error>(())
//! ```

pub mod adyen;
mod agenda;
mod answering;
mod fault;
mod keys;
mod mailroom;
mod page;
pub mod paypal;
mod server;
pub mod stripe;
mod table;
mod transport;

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};

pub use fault::{Fault, FaultPlan, FaultRule, WebhookFault, WebhookOdds};
pub use server::{ServerError, SimulatorServer};
pub use transport::SimulatorTransport;

use crate::clock::Timestamp;

/// A payment service provider, simulated: what the server and the in-process transport need of it.
pub trait SimulatedProvider: fmt::Debug + Send + 'static {
    /// The provider's name in small letters, such as `stripe`.
    fn name(&self) -> &'static str;

    /// Answers one request. Any bytes are answered; none makes it panic.
    fn handle(&mut self, request: &Request<Bytes>) -> Answer;

    /// The time on the simulator's own clock.
    fn now(&self) -> Timestamp;

    /// Moves that clock, and does on the way what falls due: expiries, settlements, payouts.
    fn advance(&mut self, by: Duration);

    /// Where hosted pages are said to be, such as `http://127.0.0.1:12111`.
    fn set_base_url(&mut self, base_url: &str);

    /// Posts all webhooks to `url` from now on, signed with `secret`: what the provider's receivers
    /// are configured with.
    fn subscribe(&mut self, url: &str, secret: &str);

    /// How to point SDKs here by hand: lines for a person, one way each.
    fn connection_help(&self, base_url: &str) -> String;

    /// The settings that lead this crate's provider here from another process, by their names; the
    /// namespace is the application's to choose. What signs webhooks is `webhook_secret`, as it was
    /// given to [`subscribe`](Self::subscribe), if there is any.
    fn settings(
        &self,
        base_url: &str,
        webhook_secret: Option<&str>,
    ) -> Vec<(&'static str, String)> {
        let _ = webhook_secret;
        vec![("base_url", base_url.to_owned())]
    }

    /// The root of the certificates that webhooks are signed under, in PEM, if they are: what a
    /// receiver must trust. Another process needs it in a file.
    fn trust_root(&self) -> Option<String> {
        None
    }

    /// Takes the webhooks that are due now, in the order in which they are to be sent.
    fn due_webhooks(&mut self) -> Vec<WebhookDelivery>;

    /// Says how the receiver answered: the status, or `None` if there was no answer. Anything but
    /// a 2xx is tried again later on the simulator's clock.
    fn report_webhook(&mut self, delivery: DeliveryId, status: Option<u16>);
}

/// So that a server can serve a provider that is chosen by its name.
impl<P: SimulatedProvider + ?Sized> SimulatedProvider for Box<P> {
    fn name(&self) -> &'static str {
        (**self).name()
    }
    fn handle(&mut self, request: &Request<Bytes>) -> Answer {
        (**self).handle(request)
    }
    fn now(&self) -> Timestamp {
        (**self).now()
    }
    fn advance(&mut self, by: Duration) {
        (**self).advance(by);
    }
    fn set_base_url(&mut self, base_url: &str) {
        (**self).set_base_url(base_url);
    }
    fn subscribe(&mut self, url: &str, secret: &str) {
        (**self).subscribe(url, secret);
    }
    fn connection_help(&self, base_url: &str) -> String {
        (**self).connection_help(base_url)
    }
    fn settings(
        &self,
        base_url: &str,
        webhook_secret: Option<&str>,
    ) -> Vec<(&'static str, String)> {
        (**self).settings(base_url, webhook_secret)
    }
    fn trust_root(&self) -> Option<String> {
        (**self).trust_root()
    }
    fn due_webhooks(&mut self) -> Vec<WebhookDelivery> {
        (**self).due_webhooks()
    }
    fn report_webhook(&mut self, delivery: DeliveryId, status: Option<u16>) {
        (**self).report_webhook(delivery, status);
    }
}

/// The names of the providers that are simulated.
pub fn names() -> impl Iterator<Item = &'static str> {
    PROVIDERS.iter().map(|(name, _)| *name)
}

/// The simulated provider of this name, with an empty account: see its own constructor.
#[must_use]
pub fn by_name(name: &str, seed: u64, start: Timestamp) -> Option<Box<dyn SimulatedProvider>> {
    let (_, build) = PROVIDERS.iter().find(|(known, _)| *known == name)?;
    Some(build(seed, start))
}

type Build = fn(u64, Timestamp) -> Box<dyn SimulatedProvider>;

const PROVIDERS: &[(&str, Build)] = &[
    ("adyen", |seed, start| {
        Box::new(adyen::AdyenSimulator::new(seed, start))
    }),
    ("paypal", |seed, start| {
        Box::new(paypal::PaypalSimulator::new(seed, start))
    }),
    ("stripe", |seed, start| {
        Box::new(stripe::StripeSimulator::new(seed, start))
    }),
];

/// What comes back for a request.
#[derive(Debug)]
#[non_exhaustive]
pub enum Answer {
    /// A whole answer.
    Response(Response<Bytes>),
    /// A whole answer that takes this long to come.
    Late(Response<Bytes>, Duration),
    /// The answer announces its whole length, but only this many bytes of the body arrive.
    CutShort(Response<Bytes>, usize),
    /// The connection is dropped without an answer.
    Dropped {
        /// Whether the request took effect all the same.
        processed: bool,
    },
}

/// One webhook on its way to one receiver.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WebhookDelivery {
    /// Names this delivery in [`SimulatedProvider::report_webhook`].
    pub id: DeliveryId,
    /// The id of the event inside.
    pub event: String,
    /// The kind of the event, such as `payment_intent.succeeded`.
    pub kind: String,
    /// 1 for the first try.
    pub attempt: u32,
    /// The request as it goes out: method, full URL, headers with the signature, body.
    pub request: Request<Bytes>,
}

/// Names one delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub(crate) u64);
