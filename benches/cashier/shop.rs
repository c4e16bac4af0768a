//! A shop on Stripe, whose webhooks are signed here.

use std::sync::Arc;

use counterfoil::cashier::{Cashier, Store};
use counterfoil::clock::{ManualClock, Timestamp};
use counterfoil::id::{Namespace, OrderId};
use counterfoil::money::{Currency, Money, PositiveMoney};
use counterfoil::providers::stripe::{SIGNATURE_HEADER, Stripe, StripeConfig, sign};
use counterfoil::webhook::WebhookRequest;
use counterfoil::{Secret, Test};
use http::HeaderMap;

const SECRET: &str = "whsec_Y291bnRlcmZvaWwtYmVuY2htYXJr";
pub const NOW: Timestamp = Timestamp::from_unix(1_795_000_000);
const EVENT: &str = include_str!("../fixtures/event_small.json");

pub async fn open(store: Arc<dyn Store>) -> Cashier<Test> {
    let clock = Arc::new(ManualClock::new(NOW));
    let config = StripeConfig::<Test>::new("sk_test_benchmark", SECRET).expect("a key");
    let stripe = Stripe::new(config.with_clock(clock.clone())).expect("a provider");
    let provider = stripe
        .into_provider(Namespace::new("shop").expect("a namespace"))
        .with_clock(clock.clone());
    let cashier = Cashier::open(provider, store).await.expect("a store");
    cashier.with_clock(clock)
}

pub async fn place(cashier: &Cashier<Test>, order: &str) {
    let order = OrderId::new(order).expect("an order id");
    let total = PositiveMoney::new(Money::new(1999, Currency::EUR)).expect("an amount");
    cashier.place(&order, total).await.expect("an order");
}

/// The news that this order is paid, as Stripe sends it: 2.6 KB.
pub fn webhook(order: &str) -> WebhookRequest {
    let body = EVENT
        .replace("evt_3QbenchEvent0001", &format!("evt_{order}"))
        .replace("pi_3QbenchIntent0001", &format!("pi_{order}"))
        .replace("ch_3QbenchCharge9999", &format!("ch_{order}"))
        .replace("shop:A-1001:1", &format!("shop:{order}:1"));
    let signature = sign(&Secret::new(SECRET), NOW, body.as_bytes());
    let mut headers = HeaderMap::new();
    headers.insert(SIGNATURE_HEADER, signature.parse().expect("a header"));
    WebhookRequest::new(headers, body.into_bytes())
}
