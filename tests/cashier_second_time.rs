//! What happens to one order a second time: money that comes again after it went back, a second
//! hold, a second payment too many. What was said of the first must not stand for the second.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod flow;

use counterfoil::cashier::Standing;
use counterfoil::money::{Currency, Money};

use flow::{Shop, capture, eur, order, page, refund};

fn euros(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

/// Money that came for another total and went back does not pay the order when it costs that again.
#[tokio::test]
async fn an_order_is_not_paid_by_what_went_back_before_it_was_amended() {
    let shop = Shop::open().await;
    let old = shop.checked_out("A", 1000).await;
    // The old page is paid in the moment in which the order is amended.
    let paid = shop.account.lock().shopper().pay(old.raw(), "pm_card_visa");
    paid.unwrap();
    shop.cashier.amend(&order("A"), eur(1200)).await.unwrap();
    shop.deliver().await;
    let short = euros(200);
    assert_eq!(shop.standing("A").await, Standing::PartlyPaid { short });
    let first = shop.payment_of("A").await;
    let back = refund(&first, 1000, "all back");
    shop.cashier.refund(&back).await.unwrap();
    shop.deliver().await;
    shop.confirmed().await;
    // The shopper wants the old contents after all.
    shop.account.wait(60);
    let record = shop.cashier.amend(&order("A"), eur(1000)).await.unwrap();
    assert_eq!(record.received().unwrap(), euros(0));
    assert_eq!(record.paid_at, None);
    assert_eq!(shop.confirmed().await, [""; 0]);
    let again = shop.cashier.check_out(&page("A", 1000)).await.unwrap();
    assert_ne!(again.id, first);
    shop.pay(&again.id).await;
    assert_eq!(shop.standing("A").await, Standing::Paid);
    assert_eq!(shop.confirmed().await, ["paid"]);
}

/// Parts add up to the total only if they are there together.
#[tokio::test]
async fn a_part_that_went_back_before_the_next_attempt_is_not_added_to_it() {
    let shop = Shop::open().await;
    let first = shop.held("A", 3000).await;
    let part = capture(&first, 1000, "first part");
    shop.cashier.capture(&part).await.unwrap();
    shop.cashier
        .refund(&refund(&first, 1000, "back"))
        .await
        .unwrap();
    shop.deliver().await;
    let request = page("A", 3000).with_manual_capture();
    let second = shop.cashier.check_out(&request).await.unwrap();
    shop.pay(&second.id).await;
    let part = capture(&second.id, 2000, "second part");
    shop.cashier.capture(&part).await.unwrap();
    shop.deliver().await;
    let record = shop.record("A").await;
    assert_eq!(record.received().unwrap(), euros(2000));
    assert_eq!(record.paid_at, None);
    let short = euros(1000);
    assert_eq!(record.standing(), Standing::PartlyPaid { short });
    let rest = shop.cashier.check_out(&page("A", 1000)).await.unwrap();
    shop.pay(&rest.id).await;
    assert_eq!(shop.standing("A").await, Standing::Paid);
}

#[tokio::test]
async fn each_hold_is_told_of() {
    let shop = Shop::open().await;
    let first = shop.held("A", 1000).await;
    assert_eq!(shop.confirmed().await, ["authorized:1"]);
    shop.cashier.void(&first).await.unwrap();
    shop.deliver().await;
    assert_eq!(shop.standing("A").await, Standing::Unpaid);
    let request = page("A", 1000).with_manual_capture();
    let second = shop.cashier.check_out(&request).await.unwrap();
    shop.pay(&second.id).await;
    assert_eq!(shop.standing("A").await, Standing::Authorized);
    assert_eq!(shop.confirmed().await, ["authorized:2"]);
}

/// A person who has dealt with one payment too many is told of the next one too.
#[tokio::test]
async fn each_payment_too_many_is_put_before_a_person() {
    let shop = Shop::open().await;
    let mut pages = vec![shop.checked_out("A", 1000).await];
    for _ in 0..2 {
        let released = shop.cashier.release_attempt(&order("A"), "insists").await;
        released.unwrap();
        let another = shop.cashier.check_out(&page("A", 1000)).await;
        pages.push(another.unwrap().id);
    }
    shop.pay(&pages[0]).await;
    assert_eq!(shop.confirmed().await, ["paid"]);
    for (number, page) in pages.iter().enumerate().skip(1) {
        shop.account.wait(60);
        shop.pay(page).await;
        let record = shop.record("A").await;
        let payment = record.payments[number].ledger.payment().unwrap();
        let concern = format!("overpaid:{}", payment.id);
        let told = shop.confirmed().await;
        assert!(
            told.contains(&format!("needs_a_person:{concern}")),
            "{told:?}"
        );
        let resolved = shop
            .cashier
            .resolve(&order("A"), &concern, "keeps it")
            .await;
        resolved.unwrap();
    }
    let waiting = shop.cashier.needs_a_person(9).await.unwrap();
    assert!(waiting.is_empty());
}
