//! The simulated providers of a run, from the side of shoppers, staff and banks.

mod adyen;
mod paypal;
mod stripe;

use std::sync::Arc;

use bytes::Bytes;
use counterfoil::clock::Clock;
use counterfoil::http::{Timer, Transport};
use counterfoil::id::Reference;
use counterfoil::simulator::{Answer, FaultPlan, SimulatedProvider, WebhookOdds};
use counterfoil::{PaymentProvider, Test};
use http::Request;
use serde_json::Value;

pub use adyen::new as new_adyen;
pub use paypal::new as new_paypal;
pub use stripe::{WEBHOOK_SECRET, new as new_stripe};

/// A simulated provider with what people do there.
pub trait Psp: SimulatedProvider {
    /// Posts webhooks to the shop from now on.
    fn post_webhooks(&mut self);

    fn faults(&mut self) -> &mut FaultPlan;

    fn webhook_odds(&mut self) -> &mut WebhookOdds;

    /// The real provider, wired to this simulator, as one process builds it.
    fn connect(&self, connection: Connection) -> Arc<dyn PaymentProvider<Mode = Test>>;

    /// The shopper pays on a page with a card of Stripe's test names. `None` if it is closed.
    fn pay(&mut self, page: &str, card: &str) -> Option<Seen>;

    /// The shopper answers the bank's challenge. `None` if there is none.
    fn confirm(&mut self, page: &str, passes: bool) -> Option<Seen>;

    /// Staff refund this many cents by hand, if so much is left.
    fn refund_by_hand(&mut self, payment: &str, cents: i64);

    /// The dispute that a payer opens, if there is anything to dispute.
    fn open_dispute(&mut self, payment: &str) -> Option<String>;

    fn decide_dispute(&mut self, dispute: &str, is_won: bool);

    /// Whether payments can be looked for by their reference.
    fn can_search(&self) -> bool;

    /// What really happened to the money, payment by payment.
    fn books(&self) -> Vec<Entry>;

    /// The refunds of a payment, as the provider tells whoever asks; `None` if it tells nobody.
    fn refunds_of(&mut self, payment: &str) -> Option<Vec<Refunded>>;
}

/// What one process needs to speak to a provider.
pub struct Connection {
    pub transport: Arc<dyn Transport>,
    pub timer: Arc<dyn Timer>,
    pub clock: Arc<dyn Clock>,
    pub seed: u64,
}

/// What the shopper sees next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Back to the shop.
    Done,
    Challenge,
    Declined,
}

/// One payment in the provider's books, in cents.
#[derive(Debug, Clone)]
pub struct Entry {
    pub payment: String,
    /// Which attempt of which order it says it is for.
    pub reference: Option<Reference>,
    pub captured: i64,
    pub refunded: i64,
    pub disputed: i64,
    /// How often a payer was charged for it.
    pub charges: u32,
}

/// A refund in the provider's books.
#[derive(Debug, Clone)]
pub struct Refunded {
    pub command: Option<String>,
    pub amount: i64,
    pub is_with_payer: bool,
}

/// Asks a simulator past the library. No fault may be planned.
fn read(
    simulator: &mut dyn SimulatedProvider,
    request: http::request::Builder,
    body: &str,
) -> Value {
    let request: Request<Bytes> = request.body(Bytes::from(body.to_owned())).unwrap();
    match simulator.handle(&request) {
        Answer::Response(response) => serde_json::from_slice(response.body()).unwrap(),
        other => panic!("the storm is over, and {request:?} was answered {other:?}"),
    }
}
