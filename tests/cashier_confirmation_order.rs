//! Which confirmations come of money that is not exactly the total, and of tries that were declined,
//! whatever the order in which they are received.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod flow;

use counterfoil::Test;
use counterfoil::capability::Operation;
use counterfoil::cashier::Standing;
use counterfoil::error::{Decline, DeclineReason};
use counterfoil::id::{Attempt, PaymentId, ProviderName};
use counterfoil::money::{Currency, Money};
use counterfoil::payment::{Payment, PaymentStatus};

use flow::quiet::{About, Shop};
use flow::{DAY, page};

fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

fn declined() -> PaymentStatus {
    PaymentStatus::Failed(Decline::new(DeclineReason::InsufficientFunds))
}

/// What the provider reports of the page of the first attempt, this many seconds later.
fn later(page: &Payment<Test>, seconds: i64, status: PaymentStatus) -> Payment<Test> {
    let mut payment = page.clone();
    payment.status = status;
    payment.as_of = counterfoil::clock::Timestamp::from_unix(page.as_of.unix() + seconds);
    payment
}

/// The page, paid with this much.
fn paid(page: &Payment<Test>, seconds: i64, captured: Money) -> Payment<Test> {
    let mut payment = later(page, seconds, PaymentStatus::Captured);
    payment.captured = captured;
    payment
}

/// Another payment of the first attempt.
fn second(page: &Payment<Test>, captured: Money) -> Payment<Test> {
    let id = PaymentId::new(ProviderName::new("quiet").unwrap(), "second").unwrap();
    let mut payment = Payment::new(id, PaymentStatus::Captured, captured, page.as_of);
    payment.captured = captured;
    payment.reference = page.reference.clone();
    payment
}

impl Shop {
    async fn with_page(&self) -> Payment<Test> {
        let id = self.checked_out(1000).await;
        self.hands.set(id.raw(), PaymentStatus::Created)
    }

    async fn hear_payment(&self, payment: &Payment<Test>) {
        self.hear(About::Payment(Box::new(payment.clone()))).await;
    }
}

fn orders_of<T: Clone>(all: &[T]) -> Vec<Vec<T>> {
    if all.len() < 2 {
        return vec![all.to_vec()];
    }
    let mut orders = Vec::new();
    for place in 0..all.len() {
        let mut rest = all.to_vec();
        let first = rest.remove(place);
        for mut order in orders_of(&rest) {
            order.insert(0, first.clone());
            orders.push(order);
        }
    }
    orders
}

fn without_reviews(kinds: Vec<String>) -> Vec<String> {
    let mut kinds = kinds;
    kinds.retain(|kind| !kind.starts_with("needs_a_person"));
    kinds
}

#[tokio::test]
async fn each_amount_by_one_payment_is_confirmed_as_what_it_is() {
    for (captured, expected) in [
        (1, vec!["partly_paid"]),
        (999, vec!["partly_paid"]),
        (1000, vec!["paid"]),
        (1001, vec!["overpaid", "paid"]),
        (2500, vec!["overpaid", "paid"]),
    ] {
        let shop = Shop::open().await;
        let page = shop.with_page().await;
        let payment = paid(&page, 1, eur(captured));
        for _ in 0..2 {
            shop.hear_payment(&payment).await;
        }
        let confirmed = without_reviews(shop.confirmed().await);
        assert_eq!(confirmed, expected, "{captured}");
        assert_eq!(shop.record().await.paid_at.is_some(), captured >= 1000);
    }
}

#[tokio::test]
async fn payments_that_exceed_the_total_together_are_confirmed_as_paid_once_and_as_overpaid() {
    for (first, other) in [(700, 400), (1000, 1000), (600, 2000), (1, 1000)] {
        for is_reversed in [false, true] {
            let shop = Shop::open().await;
            let page = shop.with_page().await;
            let mut all = [paid(&page, 1, eur(first)), second(&page, eur(other))];
            if is_reversed {
                all.reverse();
            }
            for payment in all.iter().chain(&all) {
                shop.hear_payment(payment).await;
            }
            let mut confirmed = without_reviews(shop.confirmed().await);
            confirmed.retain(|kind| kind != "partly_paid");
            assert_eq!(confirmed, ["overpaid", "paid"], "{first} {other}");
            let excess = eur(first + other - 1000);
            assert_eq!(
                shop.record().await.standing(),
                Standing::Overpaid { excess }
            );
        }
    }
}

#[tokio::test]
async fn an_excess_that_was_refunded_leaves_the_order_paid_and_confirmed_once() {
    let shop = Shop::open().await;
    let page = shop.with_page().await;
    let mut payment = paid(&page, 1, eur(1300));
    payment.refunded = eur(300);
    shop.hear_payment(&payment).await;
    payment.refunded = eur(0);
    shop.hear_payment(&payment).await;
    assert_eq!(without_reviews(shop.confirmed().await), ["paid"]);
    assert_eq!(shop.record().await.standing(), Standing::Paid);
}

#[tokio::test]
async fn money_in_another_currency_pays_nothing_and_does_not_hide_what_was_paid() {
    let usd = Money::new(1000, Currency::USD);
    for is_reversed in [false, true] {
        let shop = Shop::open().await;
        let page = shop.with_page().await;
        shop.hear_payment(&second(&page, usd)).await;
        assert_eq!(without_reviews(shop.confirmed().await), [""; 0]);
        let shop = Shop::open().await;
        let page = shop.with_page().await;
        let mut all = [paid(&page, 1, eur(1200)), second(&page, usd)];
        if is_reversed {
            all.reverse();
        }
        for payment in &all {
            shop.hear_payment(payment).await;
        }
        let mut confirmed = without_reviews(shop.confirmed().await);
        confirmed.retain(|kind| kind != "overpaid");
        assert_eq!(confirmed, ["paid"]);
        assert_eq!(shop.record().await.standing(), Standing::WrongCurrency);
    }
}

#[tokio::test]
async fn a_decline_on_an_open_page_is_no_failure_and_the_next_try_pays() {
    let shop = Shop::open().await;
    let page = shop.with_page().await;
    let tries = [later(&page, 1, declined()), later(&page, 2, declined())];
    for payment in &tries {
        shop.hear_payment(payment).await;
    }
    assert_eq!(shop.confirmed().await, ["attempt_declined:1"]);
    shop.hear_payment(&paid(&page, 3, eur(1000))).await;
    shop.hear_payment(&later(&page, 4, declined())).await;
    assert_eq!(shop.confirmed().await, ["paid"]);
}

#[tokio::test]
async fn declines_and_the_end_of_their_page_are_confirmed_alike_in_each_order() {
    for end in [PaymentStatus::Expired, PaymentStatus::Canceled] {
        let shop = Shop::open().await;
        let page = shop.with_page().await;
        let facts = [
            later(&page, 1, declined()),
            later(&page, 2, declined()),
            later(&page, 3, end),
        ];
        for order in orders_of(&facts) {
            let shop = Shop::open().await;
            shop.with_page().await;
            let mut confirmed = Vec::new();
            for payment in &order {
                shop.hear_payment(payment).await;
                confirmed.extend(shop.confirmed().await);
            }
            assert_eq!(confirmed, ["attempt_declined:1", "payment_failed:1"]);
        }
    }
}

#[tokio::test]
async fn a_page_that_ends_without_a_try_is_no_failure() {
    let shop = Shop::open().await;
    let page = shop.with_page().await;
    shop.hear_payment(&later(&page, 1, PaymentStatus::Expired))
        .await;
    assert_eq!(shop.confirmed().await, [""; 0]);
}

#[tokio::test]
async fn a_debit_that_fails_after_its_page_was_completed_is_a_failure_at_once() {
    let shop = Shop::open().await;
    let page = shop.with_page().await;
    shop.hear_payment(&later(&page, 1, PaymentStatus::Pending))
        .await;
    let mut failed = later(&page, 2, declined());
    failed.is_over = true;
    shop.hear_payment(&failed).await;
    let expected = ["attempt_declined:1", "payment_failed:1"];
    assert_eq!(shop.confirmed().await, expected);
}

/// The provider can neither be asked nor tells of the end.
#[tokio::test]
async fn a_declined_page_whose_end_nobody_tells_of_has_failed_once_its_time_is_over() {
    let without = [
        Operation::FetchPayment,
        Operation::FindPayments,
        Operation::ListRefunds,
        Operation::ListDisputes,
        Operation::Complete,
        Operation::Void,
    ];
    let shop = Shop::without(&without).await;
    shop.hands.books().lie = Some(|page| page.is_checkout = true);
    let mut page = shop.with_page().await;
    page.is_checkout = true;
    page.expires_at = Some(
        page.as_of
            .saturating_add(std::time::Duration::from_secs(3600)),
    );
    shop.hear_payment(&later(&page, 1, declined())).await;
    assert_eq!(shop.confirmed().await, ["attempt_declined:1"]);
    shop.wait(DAY);
    shop.cashier.sweep().await.unwrap();
    assert_eq!(shop.confirmed().await, ["payment_failed:1"]);
}

/// At Stripe's simulator, with its webhooks and without.
#[tokio::test]
async fn a_card_declined_on_stripes_page_has_failed_when_the_page_has_ended() {
    for has_webhooks in [true, false] {
        let shop = flow::Shop::open().await;
        let id = shop.checked_out("A", 1000).await;
        let pay = |method: &str| shop.account.lock().shopper().pay(id.raw(), method);
        pay("pm_card_chargeDeclinedInsufficientFunds").unwrap();
        shop.deliver().await;
        assert_eq!(shop.confirmed().await, ["attempt_declined:1"]);
        shop.account.wait(25 * 3600);
        match has_webhooks {
            true => shop.deliver().await,
            false => drop(shop.cashier.sweep().await.unwrap()),
        }
        assert_eq!(
            shop.confirmed().await,
            ["payment_failed:1"],
            "{has_webhooks}"
        );
        let again = shop.cashier.check_out(&page("A", 1000)).await.unwrap();
        assert_ne!(again.id, id);
        assert_eq!(again.reference.unwrap().attempt, Attempt::FIRST.next());
    }
}
