//! One command on one payment is one write, under whichever of the payment's names it is given, also
//! when two processes give it at once.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod flow;

use counterfoil::Effect;
use counterfoil::id::PaymentId;

use flow::{Account, Shop, capture, refund};

/// A refund by the checkout's id and by the payment's, from two processes at once.
#[tokio::test]
async fn concurrent_refunds_under_two_names_of_a_payment_give_back_once() {
    let shop = Shop::open().await;
    let page = shop.checked_out("A", 2000).await;
    shop.pay(&page).await;
    let payment = shop.payment_of("A").await;
    assert!(page.raw().starts_with("cs_") && payment.raw().starts_with("pi_"));
    let (one, other) = (
        shop.account.provider("stripe"),
        shop.account.provider("stripe"),
    );
    let (by_page, by_payment) = (refund(&page, 700, "r"), refund(&payment, 700, "r"));
    let (first, second) = tokio::join!(one.refund(&by_page), other.refund(&by_payment));
    let ids: Vec<_> = [first, second]
        .into_iter()
        .map(|made| made.unwrap().id)
        .collect();
    assert_eq!(ids.first(), ids.last());
    assert_eq!(refunded(&shop.account, &payment), 700);
}

#[tokio::test]
async fn concurrent_captures_under_two_names_of_a_payment_take_once() {
    let shop = Shop::open().await;
    let request = flow::page("A", 2000).with_manual_capture();
    shop.cashier
        .place(&request.order, request.amount)
        .await
        .unwrap();
    let page = shop.cashier.check_out(&request).await.unwrap().id;
    shop.pay(&page).await;
    let payment = shop.payment_of("A").await;
    let (one, other) = (
        shop.account.provider("stripe"),
        shop.account.provider("stripe"),
    );
    let by_page = capture(&page, 700, "c").keeping_the_rest();
    let by_payment = capture(&payment, 700, "c").keeping_the_rest();
    let taken = tokio::join!(one.capture(&by_page), other.capture(&by_payment));
    for taken in [taken.0, taken.1] {
        // Of two at once Stripe may refuse one while the other is under way.
        assert!(taken.is_ok() || taken.is_err_and(|error| error.effect() != Effect::Applied));
    }
    let books = shop.account.lock().ledger();
    let captured: Vec<_> = books.iter().map(|entry| entry.captured.minor()).collect();
    assert_eq!(captured, [700]);
}

/// The cashier keeps one command, whichever name it was given by, and gives back once.
#[tokio::test]
async fn one_refund_given_to_the_cashier_under_two_names_is_one_command() {
    let shop = Shop::open().await;
    let page = shop.checked_out("A", 2000).await;
    shop.pay(&page).await;
    let payment = shop.payment_of("A").await;
    let (by_page, by_payment) = (refund(&page, 700, "r"), refund(&payment, 700, "r"));
    let (first, second) = tokio::join!(
        shop.cashier.refund(&by_page),
        shop.cashier.refund(&by_payment)
    );
    assert_eq!(first.unwrap().key, second.unwrap().key);
    let again = shop.cashier.refund(&by_page).await.unwrap();
    let record = shop.record("A").await;
    assert_eq!(record.commands.len(), 1, "{:?}", record.commands);
    assert_eq!(again.payment, payment);
    assert_eq!(refunded(&shop.account, &payment), 700);
    // Another amount under the other name is no second wish.
    let other = shop.cashier.refund(&refund(&page, 800, "r")).await;
    assert_eq!(*other.unwrap_err().kind(), counterfoil::ErrorKind::Conflict);
    assert_eq!(refunded(&shop.account, &payment), 700);
}

fn refunded(account: &Account, payment: &PaymentId<counterfoil::Test>) -> i64 {
    let books = account.lock().ledger();
    let its = books
        .iter()
        .filter(|entry| entry.payment_intent == payment.raw());
    its.map(|entry| entry.refunded.minor()).sum()
}
