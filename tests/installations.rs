//! Two installations on one account: the same order number, and notices that name no installation.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "rigs/adyen.rs"]
mod adyen;
#[path = "rigs/paypal.rs"]
#[allow(dead_code)]
mod paypal;
#[path = "rigs/stripe.rs"]
#[allow(dead_code)]
mod stripe;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use counterfoil::Test;
use counterfoil::cashier::{Cashier, MemoryStore, OrderRecord, Standing};
use counterfoil::clock::{Clock, Timestamp};
use counterfoil::conformance::{Happening, Rig, Shopper};
use counterfoil::id::{CommandId, Namespace, OrderId};
use counterfoil::money::{Currency, Money, PositiveMoney};
use counterfoil::payment::Payment;
use counterfoil::request::{Checkout, CreateRequest, RefundRequest};
use counterfoil::webhook::WebhookRequest;

const DAY: u64 = 86_400;

struct Account<R>(Arc<R>);

impl<R> fmt::Debug for Account<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an account at a simulator")
    }
}

impl<R: Rig + Send + Sync + 'static> Clock for Account<R> {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

fn eur(minor: i64) -> PositiveMoney {
    PositiveMoney::new(Money::new(minor, Currency::EUR)).unwrap()
}

fn order() -> OrderId {
    OrderId::new("A").unwrap()
}

/// Opens an installation and checks its order `A` out.
async fn begin<R>(rig: &Arc<R>, namespace: &str) -> (Cashier<Test>, Payment<Test>)
where
    R: Rig + Send + Sync + 'static,
{
    let provider = rig.provider(&Namespace::new(namespace).unwrap());
    let cashier = Cashier::open(provider, Arc::new(MemoryStore::new())).await;
    let clock = Arc::new(Account(Arc::clone(rig)));
    let cashier = cashier.unwrap().with_clock(clock);
    cashier.place(&order(), eur(1000)).await.unwrap();
    let page = Checkout::hosted("https://shop.example/done", "https://shop.example/cart");
    let request = CreateRequest::new(order(), eur(1000), page);
    let payment = cashier.check_out(&request).await.unwrap();
    (cashier, payment)
}

/// Both installations get all that the account sends, as their endpoints are on one account.
async fn deliver(webhooks: &[WebhookRequest], to: [&Cashier<Test>; 2]) {
    for webhook in webhooks {
        for cashier in to {
            let received = cashier.receive(webhook).await;
            assert_eq!(received.answer, 200);
            assert!(received.error.is_none(), "{received:?}");
        }
    }
}

async fn record(cashier: &Cashier<Test>) -> OrderRecord<Test> {
    cashier.order(&order()).await.unwrap()
}

/// What happens to the payment of the other installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Disputed,
    Refunded,
}

async fn an_installation_takes_nothing_of_another<R>(rig: R, then: Then)
where
    R: Rig + Send + Sync + 'static,
{
    let rig = Arc::new(rig);
    let (shop, own) = begin(&rig, "shop").await;
    let (staging, other) = begin(&rig, "staging").await;
    assert_ne!(own.id, other.id, "one order number, two payments");
    let both = [&shop, &staging];
    let pass = |time| rig.happen(Happening::TimePasses(time)).unwrap();
    let payer = match then {
        Then::Disputed => Shopper::PaysAndDisputes,
        Then::Refunded => Shopper::Pays,
    };
    rig.shopper(&other, payer).unwrap();
    deliver(&rig.webhooks(), both).await;
    staging.resume(&order()).await.unwrap();
    let paid = record(&staging).await;
    let paid = paid.payments.first().unwrap().ledger.payment().unwrap();
    assert_eq!(paid.captured, eur(1000).money());
    if then == Then::Refunded {
        let wish = RefundRequest::new(paid.id.clone(), eur(400), CommandId::new("one").unwrap());
        staging.refund(&wish).await.unwrap();
        // The dashboard names no installation at all.
        let by_hand = Happening::DashboardRefund(paid, eur(100));
        rig.happen(by_hand).unwrap();
    }
    pass(Duration::from_secs(DAY));
    let of_the_change = rig.webhooks();
    deliver(&of_the_change, both).await;
    let known = record(&staging).await;
    let ledger = &known.payments.first().unwrap().ledger;
    let refunded = ledger.refunded().unwrap().minor();
    let expected = match then {
        Then::Disputed => (1, 0),
        Then::Refunded => (0, 500),
    };
    assert_eq!((ledger.disputes().count(), refunded), expected);

    // All that lists and waits can bring is brought.
    for _ in 0..40 {
        pass(Duration::from_secs(DAY));
        shop.sweep().await.unwrap();
    }
    let untouched = record(&shop).await;
    assert_eq!(untouched.standing(), Standing::Unpaid);
    for entry in &untouched.payments {
        assert!(entry.ledger.refunds().next().is_none());
        assert!(entry.ledger.disputes().next().is_none());
        assert!(entry.ledger.captures().next().is_none());
    }
    let health = shop.health().await.unwrap();
    assert_eq!(health.backlog.event_since, None, "nothing waits for ever");
    let webhooks = &health.providers.first().unwrap().webhooks;
    let told = webhooks.set_aside.values().sum::<u64>() + webhooks.unmatched;
    assert!(told >= of_the_change.len() as u64, "{webhooks:?}");
}

const BOTH: [Then; 2] = [Then::Disputed, Then::Refunded];

#[tokio::test]
async fn at_stripe_an_installation_takes_nothing_of_another() {
    for then in BOTH {
        an_installation_takes_nothing_of_another(stripe::StripeRig::new(false), then).await;
    }
}

#[tokio::test]
async fn at_paypal_an_installation_takes_nothing_of_another() {
    for then in BOTH {
        an_installation_takes_nothing_of_another(paypal::PayPalRig::new(), then).await;
    }
}

#[tokio::test]
async fn at_adyen_an_installation_takes_nothing_of_another() {
    for then in BOTH {
        for tells_captures in [false, true] {
            let rig = adyen::AdyenRig::new(false, tells_captures);
            an_installation_takes_nothing_of_another(rig, then).await;
        }
    }
}
