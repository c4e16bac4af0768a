//! The rehearsal over the Adyen provider and Adyen's simulator, scenario by scenario.

#![allow(clippy::unwrap_used)] // helpers of tests

#[path = "rigs/adyen.rs"]
mod rig;

use std::sync::Arc;
use std::time::Duration;

use counterfoil::ErrorKind;
use counterfoil::cashier::{Cashier, MemoryStore};
use counterfoil::clock::ManualClock;
use counterfoil::conformance::Rig;
use counterfoil::id::{Namespace, OrderId};
use counterfoil::money::{Currency, Money, PositiveMoney};
use counterfoil::request::{Checkout, CreateRequest};
use rig::AdyenRig;

counterfoil::rehearsal!(hosted, AdyenRig::new(false, false));
counterfoil::rehearsal!(direct, AdyenRig::new(true, true));

/// A shopper may pay in a link's last moment, and the notice of it takes a while.
#[tokio::test]
async fn a_link_that_has_just_ended_is_waited_for_before_another_is_given() {
    let rig = AdyenRig::new(false, false);
    let provider = rig.provider(&Namespace::new("shop").unwrap());
    let clock = Arc::new(ManualClock::new(rig.now()));
    let cashier = Cashier::open(provider, Arc::new(MemoryStore::new()));
    let cashier = cashier.await.unwrap().with_clock(clock.clone());
    let order = OrderId::new("A-1").unwrap();
    let total = PositiveMoney::new(Money::new(2000, Currency::EUR)).unwrap();
    let page = Checkout::hosted("https://shop.example/done", "https://shop.example/cart");
    let wish = CreateRequest::new(order.clone(), total, page);
    cashier.place(&order, total).await.unwrap();
    let link = cashier.check_out(&wish).await.unwrap();

    let left = link.expires_at.unwrap().abs_diff(rig.now());
    clock.advance(left + Duration::from_secs(60));
    let early = cashier.check_out(&wish).await;
    assert!(
        early.as_ref().map_or_else(
            |error| *error.kind() == ErrorKind::Conflict,
            |same| same.id == link.id
        ),
        "{early:?}"
    );
    clock.advance(Duration::from_secs(15 * 60));
    let next = cashier.check_out(&wish).await.unwrap();
    assert_ne!(next.id, link.id);
}
