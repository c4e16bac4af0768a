//! Whether another attempt begins, when what became of the last is unknown, refused, or cannot be
//! ended; and who is asked for it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod flow;

use std::sync::Arc;

use counterfoil::capability::Operation;
use counterfoil::cashier::{AttemptPhase, Cashier, MemoryStore};
use counterfoil::clock::Clock;
use counterfoil::error::{Decline, DeclineReason};
use counterfoil::payment::{Payment, PaymentStatus};
use counterfoil::request::CreateRequest;
use counterfoil::simulator::{Fault, FaultRule};
use counterfoil::{Effect, Error, ErrorKind, Test};

use flow::quiet::{About, Hands, Quiet, Shop, all_but};
use flow::{Account, DAY, eur, kind_of, order, page};

/// Another wish than `page`: it is not taken for a second click.
fn to_be_held() -> CreateRequest {
    page("A", 1000).with_manual_capture()
}

fn failed() -> PaymentStatus {
    PaymentStatus::Failed(Decline::new(DeclineReason::InsufficientFunds))
}

impl Shop {
    async fn asked(&self, request: &CreateRequest) -> Result<Payment<Test>, Error> {
        self.cashier.check_out(request).await
    }

    /// How many payments there are, and how many writes the provider was sent.
    fn made(&self) -> (usize, usize) {
        let books = self.hands.books();
        (books.payments.len(), books.keys.len())
    }
}

/// The first request has made a payment. That the second was put off says nothing of it.
#[tokio::test]
async fn an_attempt_stays_unknown_when_only_its_second_sending_is_put_off() {
    for has_earlier in [false, true] {
        let shop = Shop::open().await;
        if has_earlier {
            let earlier = shop.checked_out(1000).await;
            shop.hear_of(&earlier, failed()).await;
        }
        let (payments, _) = shop.made();
        shop.hands.books().unanswered = 1;
        let lost = shop.asked(&page("A", 1000)).await.unwrap_err();
        assert_eq!(lost.effect(), Effect::Unknown);
        shop.hands.books().limited = 1;
        let put_off = shop.asked(&page("A", 1000)).await.unwrap_err();
        assert!(matches!(kind_of(put_off), ErrorKind::RateLimited { .. }));
        let record = shop.record().await;
        assert_eq!(record.last_attempt().unwrap().phase, AttemptPhase::Stored);
        shop.asked(&page("A", 1000)).await.unwrap();
        assert_eq!(shop.made().0, payments + 1);
    }
}

#[tokio::test]
async fn an_unknown_attempt_is_not_sent_again_for_another_wish_or_under_a_forgotten_key() {
    let shop = Shop::open().await;
    shop.hands.books().unanswered = 1;
    shop.asked(&page("A", 1000)).await.unwrap_err();
    let other = shop.asked(&to_be_held()).await.unwrap_err();
    assert_eq!(kind_of(other), ErrorKind::Unavailable);
    shop.wait(DAY);
    let late = shop.asked(&page("A", 1000)).await.unwrap_err();
    assert_eq!(kind_of(late), ErrorKind::Unavailable);
    assert_eq!(shop.made(), (1, 1));
}

#[tokio::test]
async fn nothing_begins_beside_a_page_that_cannot_be_ended() {
    let shop = Shop::open().await;
    shop.checked_out(1000).await;
    let other = shop.asked(&to_be_held()).await.unwrap_err();
    assert_eq!(kind_of(other), ErrorKind::Conflict);
    assert_eq!(shop.made().0, 1);
}

/// Its provider cannot be asked. For fifteen minutes the news that it was paid may be under way.
#[tokio::test]
async fn another_page_is_given_once_the_last_has_surely_ended() {
    let shop = Shop::open().await;
    let first = shop.checked_out(1000).await;
    let mut page_of = shop.hands.set(first.raw(), PaymentStatus::Created);
    let end = shop.hands.clock.now();
    page_of.expires_at = Some(end);
    shop.hear(About::Payment(Box::new(page_of))).await;
    shop.wait(899);
    assert_eq!(shop.checked_out(1000).await, first);
    shop.wait(1);
    assert_ne!(shop.checked_out(1000).await, first);
}

#[tokio::test]
async fn a_page_is_ended_before_another_begins_and_an_unknown_end_is_no_end() {
    let shop = flow::Shop::open().await;
    let first = shop.checked_out("A", 1000).await;
    let lost = FaultRule::next(Fault::DropBefore).with_method(http::Method::POST);
    shop.account.lock().faults().script(lost.clone());
    let other = shop.cashier.check_out(&to_be_held()).await.unwrap_err();
    assert_eq!(other.effect(), Effect::Unknown);
    assert_eq!(shop.record("A").await.attempts.len(), 1);
    shop.account.wait(61);
    let second = shop.cashier.check_out(&to_be_held()).await.unwrap();
    assert_ne!(second.id, first);
    let paid = shop
        .account
        .lock()
        .shopper()
        .pay(first.raw(), "pm_card_visa");
    assert!(paid.is_err());

    // Neither is an order closed whose page may still be paid.
    let shop = flow::Shop::open().await;
    shop.checked_out("A", 1000).await;
    shop.account.lock().faults().script(lost);
    let closed = shop.cashier.close(&order("A")).await.unwrap_err();
    assert_eq!(closed.effect(), Effect::Unknown);
    shop.account.wait(61);
    shop.cashier.close(&order("A")).await.unwrap();
}

#[tokio::test]
async fn a_page_that_is_heard_of_after_the_close_is_ended() {
    let shop = Shop::able(all_but(&[Operation::Complete]).with_voidable_checkouts()).await;
    shop.cashier.close(&order("A")).await.unwrap();
    let id = "quiet:test:late".parse().unwrap();
    let (amount, now) = (eur(1000).money(), shop.hands.clock.now());
    let mut late = Payment::new(id, PaymentStatus::Created, amount, now);
    late.reference = Some("shop:A:7".parse().unwrap());
    shop.hands
        .books()
        .payments
        .insert("late".into(), late.clone());
    shop.hear(About::Payment(Box::new(late))).await;
    shop.cashier.resume(&order("A")).await.unwrap();
    assert_eq!(shop.hands.books().keys.len(), 1);
}

/// Quiet first, and Stripe after it.
async fn two(without: &[Operation]) -> (Cashier<Test>, Hands, Account) {
    let (provider, hands) = Quiet::open(all_but(without));
    let stripe = Account::new();
    let cashier = Cashier::open(provider, Arc::new(MemoryStore::new())).await;
    let cashier = cashier.unwrap().with_provider(stripe.provider("stripe"));
    let clock = Arc::clone(&hands.clock) as Arc<dyn Clock>;
    let cashier = cashier.unwrap().with_clock(clock);
    cashier.place(&order("A"), eur(1000)).await.unwrap();
    (cashier, hands, stripe)
}

#[tokio::test]
async fn a_request_that_was_refused_is_not_tried_at_the_next_provider() {
    let (cashier, hands, stripe) = two(&[]).await;
    hands.books().refuses = true;
    let refused = cashier.check_out(&page("A", 1000)).await.unwrap_err();
    assert_eq!(kind_of(refused), ErrorKind::InvalidRequest);
    assert!(stripe.lock().ledger().is_empty());
    let record = cashier.order(&order("A")).await.unwrap();
    assert_eq!(record.attempts.len(), 1);
}

#[tokio::test]
async fn who_cannot_take_it_is_passed_over_before_an_attempt_is_stored() {
    for (without, request, taker) in [
        (Operation::CreateHosted, page("A", 1000), "stripe"),
        (Operation::Capture, to_be_held(), "stripe"),
        (Operation::Capture, page("A", 1000), "quiet"),
    ] {
        let (cashier, ..) = two(&[without]).await;
        let begun = cashier.check_out(&request).await.unwrap();
        assert_eq!(begun.id.provider().as_str(), taker);
        let record = cashier.order(&order("A")).await.unwrap();
        assert_eq!(record.attempts.len(), 1);
    }
    let shop = Shop::without(&[Operation::CreateHosted]).await;
    let refused = shop.asked(&page("A", 1000)).await.unwrap_err();
    assert_eq!(kind_of(refused), ErrorKind::Unsupported);
    assert!(shop.record().await.attempts.is_empty());
}
