//! What disputes leave of a payment: the provider's own bookings decide, whatever the status says.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod flow;

use counterfoil::dispute::DisputeStatus;
use counterfoil::{ErrorKind, Test};

use flow::{Shop, kind_of, refund};

/// Net and refundable, in minor units.
async fn left(shop: &Shop) -> (i64, i64) {
    let record = shop.record("A").await;
    let ledger = &record.payments[0].ledger;
    (
        ledger.net().unwrap().minor(),
        ledger.refundable().unwrap().minor(),
    )
}

async fn paid(minor: i64) -> (Shop, counterfoil::id::PaymentId<Test>) {
    let shop = Shop::open().await;
    let id = shop.paid("A", minor).await;
    (shop, id)
}

#[tokio::test]
async fn lost_dispute_with_part_reinstated_takes_only_the_rest() {
    let (shop, id) = paid(3000).await;
    shop.cashier.refund(&refund(&id, 1000, "r")).await.unwrap();
    shop.deliver().await;
    let dispute = shop
        .account
        .lock()
        .dashboard()
        .open_dispute(id.raw())
        .unwrap();
    shop.deliver().await;
    assert_eq!(left(&shop).await, (0, 0));
    shop.account
        .lock()
        .dashboard()
        .lose_dispute(&dispute)
        .unwrap();
    shop.account
        .lock()
        .dashboard()
        .reinstate_dispute(&dispute, 700)
        .unwrap();
    shop.deliver().await;
    assert_eq!(left(&shop).await, (700, 700));
}

#[tokio::test]
async fn lost_dispute_that_was_reinstated_takes_nothing() {
    let (shop, id) = paid(3000).await;
    let dispute = shop
        .account
        .lock()
        .dashboard()
        .open_dispute(id.raw())
        .unwrap();
    shop.account
        .lock()
        .dashboard()
        .lose_dispute(&dispute)
        .unwrap();
    shop.account
        .lock()
        .dashboard()
        .reinstate_dispute(&dispute, 3000)
        .unwrap();
    // The last webhook first.
    let mut webhooks = shop.account.webhooks();
    webhooks.reverse();
    for webhook in webhooks {
        assert_eq!(shop.cashier.receive(&webhook).await.answer, 200);
    }
    assert_eq!(left(&shop).await, (3000, 3000));
    let record = shop.record("A").await;
    let status = record.payments[0]
        .ledger
        .disputes()
        .next()
        .unwrap()
        .status
        .clone();
    assert_eq!(status, DisputeStatus::Lost);
}

/// A refund beside it would give the money twice.
#[tokio::test]
async fn prevented_dispute_leaves_nothing_to_refund() {
    let (shop, id) = paid(3000).await;
    shop.account
        .lock()
        .dashboard()
        .prevent_dispute(id.raw())
        .unwrap();
    shop.deliver().await;
    assert_eq!(left(&shop).await, (0, 0));
    for request in [
        refund(&id, 3000, "r"),
        refund(&id, 3000, "s").with_rest_after_dispute(),
    ] {
        shop.cashier.refund(&request).await.unwrap_err();
    }
    assert_eq!(left(&shop).await, (0, 0));
}

#[tokio::test]
async fn rest_after_lost_dispute_is_refunded_only_by_choice_and_if_provider_allows() {
    let (shop, id) = paid(3000).await;
    let dispute = shop
        .account
        .lock()
        .dashboard()
        .open_dispute(id.raw())
        .unwrap();
    shop.account
        .lock()
        .dashboard()
        .lose_dispute(&dispute)
        .unwrap();
    shop.account
        .lock()
        .dashboard()
        .reinstate_dispute(&dispute, 1000)
        .unwrap();
    shop.deliver().await;
    assert_eq!(left(&shop).await, (1000, 1000));
    let rejected = shop.cashier.refund(&refund(&id, 1000, "r")).await;
    let message = rejected.unwrap_err().to_string();
    assert!(message.contains("with_rest_after_dispute"), "{message}");
    // Stripe says that it refunds no more of a charge that was charged back.
    let chosen = refund(&id, 1000, "s").with_rest_after_dispute();
    let rejected = shop.cashier.refund(&chosen).await.unwrap_err();
    assert!(
        rejected.to_string().contains("refunds no more"),
        "{rejected}"
    );
    assert_eq!(kind_of(rejected), ErrorKind::Conflict);
}
