//! What an application is told of one order, and how often: paid although too much came, declined
//! and then failed.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod flow;

use counterfoil::cashier::Standing;
use counterfoil::money::{Currency, Money};
use counterfoil::payment::PaymentStatus;
use counterfoil::simulator::SimulatedProvider;

use flow::quiet::{About, Shop as Quiet};
use flow::{DAY, Shop, eur, order, page};

/// One payment of more than the total.
#[tokio::test]
async fn overpaid_order_is_confirmed_as_paid_once_and_its_excess_once() {
    let shop = Quiet::open().await;
    let id = shop.checked_out(1000).await;
    let mut paid = shop.hands.set(id.raw(), PaymentStatus::Captured);
    paid.amount = eur(1501).money();
    paid.captured = eur(1501).money();
    for _ in 0..2 {
        shop.hear(About::Payment(Box::new(paid.clone()))).await;
    }
    let record = shop.record().await;
    assert_eq!(
        record.standing(),
        Standing::Overpaid {
            excess: Money::new(501, Currency::EUR)
        }
    );
    assert!(record.paid_at.is_some());
    let told = shop.confirmed().await;
    let of = |kind: &str| told.iter().filter(|told| *told == kind).count();
    assert_eq!((of("paid"), of("overpaid")), (1, 1), "{told:?}");
    assert_eq!(shop.confirmed().await, [""; 0]);
}

#[tokio::test]
async fn underpaid_order_is_not_confirmed_as_paid() {
    let shop = Quiet::open().await;
    let id = shop.checked_out(1000).await;
    let mut paid = shop.hands.set(id.raw(), PaymentStatus::Captured);
    paid.captured = eur(999).money();
    shop.hear(About::Payment(Box::new(paid))).await;
    assert!(!shop.confirmed().await.contains(&"paid".to_owned()));
}

/// The customer tries another card on the same page.
#[tokio::test]
async fn declined_card_before_a_good_one_is_no_failure() {
    let shop = Shop::open().await;
    let page = shop.checked_out("A", 1000).await;
    let declined = "pm_card_chargeDeclinedInsufficientFunds";
    let _ = shop.account.lock().shopper().pay(page.raw(), declined);
    shop.deliver().await;
    assert_eq!(shop.confirmed().await, ["attempt_declined:1"]);
    let _ = shop.account.lock().shopper().pay(page.raw(), declined);
    shop.deliver().await;
    assert_eq!(shop.confirmed().await, [""; 0]);
    shop.pay(&page).await;
    assert_eq!(shop.confirmed().await, ["paid"]);
}

#[tokio::test]
async fn declined_attempt_fails_when_its_page_has_expired() {
    let shop = Shop::open().await;
    let first = shop.checked_out("A", 1000).await;
    let declined = "pm_card_chargeDeclinedInsufficientFunds";
    let _ = shop.account.lock().shopper().pay(first.raw(), declined);
    shop.deliver().await;
    assert_eq!(shop.confirmed().await, ["attempt_declined:1"]);
    shop.account
        .lock()
        .advance(std::time::Duration::from_secs(2 * DAY));
    shop.cashier.sweep().await.unwrap();
    assert_eq!(shop.confirmed().await, ["payment_failed:1"]);
    shop.deliver().await;
    assert_eq!(shop.confirmed().await, [""; 0]);
}

/// Another attempt in its place: the customer is trying again.
#[tokio::test]
async fn declined_attempt_that_was_replaced_is_no_failure() {
    let shop = Shop::open().await;
    let first = shop.checked_out("A", 1000).await;
    let declined = "pm_card_chargeDeclinedInsufficientFunds";
    let _ = shop.account.lock().shopper().pay(first.raw(), declined);
    shop.deliver().await;
    let second = shop.cashier.check_out(&page("A", 1000)).await.unwrap().id;
    shop.deliver().await;
    shop.pay(&second).await;
    assert_eq!(shop.confirmed().await, ["attempt_declined:1", "paid"]);
    assert_eq!(shop.record("A").await.order.id, order("A"));
}
