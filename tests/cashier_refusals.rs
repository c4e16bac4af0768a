//! What makes no sense is refused with a clear error, and nothing is half done.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod flow;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use counterfoil::cashier::{Cashier, MemoryStore, Standing};
use counterfoil::clock::Clock;
use counterfoil::id::{CommandId, PaymentId};
use counterfoil::money::{Currency, Money, PositiveMoney};
use counterfoil::payment::{Payment, PaymentStatus};
use counterfoil::request::RefundRequest;
use counterfoil::{Error, ErrorKind, Test};

use flow::quiet::{About, Quiet, all_but, notice};
use flow::{Shop, capture, eur, kind_of, order, page, refund};

fn writes(shop: &Shop) -> u32 {
    shop.account.writes.load(Ordering::SeqCst)
}

#[test]
fn an_order_without_an_amount_cannot_be_written_down() {
    for minor in [0, -1] {
        let none = PositiveMoney::new(Money::new(minor, Currency::EUR));
        let error = Error::from(none.unwrap_err());
        assert_eq!(kind_of(error), ErrorKind::InvalidRequest);
    }
}

#[tokio::test]
async fn an_order_placed_twice_with_other_contents_stays_as_it_was() {
    let shop = Shop::open().await;
    shop.cashier.place(&order("A"), eur(1000)).await.unwrap();
    shop.cashier.place(&order("A"), eur(1000)).await.unwrap();
    let before = serde_json::to_string(&shop.record("A").await).unwrap();
    let dollars = PositiveMoney::new(Money::new(1000, Currency::USD)).unwrap();
    for total in [eur(999), dollars] {
        let placed = shop.cashier.place(&order("A"), total).await;
        assert_eq!(kind_of(placed.unwrap_err()), ErrorKind::Conflict);
    }
    let after = serde_json::to_string(&shop.record("A").await).unwrap();
    assert_eq!(before, after);
}

#[tokio::test]
async fn what_was_never_placed_or_begun_is_not_found() {
    let shop = Shop::open().await;
    let asked = shop.cashier.check_out(&page("A", 1000)).await;
    assert_eq!(kind_of(asked.unwrap_err()), ErrorKind::NotFound);
    let strange: PaymentId<Test> = "stripe:test:pi_1".parse().unwrap();
    let taken = shop.cashier.capture(&capture(&strange, 1, "c")).await;
    assert_eq!(kind_of(taken.unwrap_err()), ErrorKind::NotFound);
    let back = shop.cashier.refund(&refund(&strange, 1, "r")).await;
    assert_eq!(kind_of(back.unwrap_err()), ErrorKind::NotFound);
    let voided = shop.cashier.void(&strange).await;
    assert_eq!(kind_of(voided.unwrap_err()), ErrorKind::NotFound);
    assert_eq!(writes(&shop), 0);
}

#[tokio::test]
async fn a_refund_above_what_is_left_or_in_another_currency_is_never_sent() {
    let shop = Shop::open().await;
    let id = shop.paid("A", 1000).await;
    shop.cashier
        .refund(&refund(&id, 700, "first"))
        .await
        .unwrap();
    let sent = writes(&shop);
    let above = shop.cashier.refund(&refund(&id, 301, "above")).await;
    assert_eq!(kind_of(above.unwrap_err()), ErrorKind::InvalidRequest);
    let dollars = PositiveMoney::new(Money::new(100, Currency::USD)).unwrap();
    let other = RefundRequest::new(id.clone(), dollars, CommandId::new("usd").unwrap());
    let other = shop.cashier.refund(&other).await;
    assert_eq!(kind_of(other.unwrap_err()), ErrorKind::InvalidRequest);
    assert_eq!(writes(&shop), sent);
    let record = shop.record("A").await;
    assert_eq!(record.commands.len(), 1);
    assert_eq!(record.refundable(&id).unwrap(), Some(eur(300).money()));
    shop.cashier
        .refund(&refund(&id, 300, "rest"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_confirmation_is_acknowledged_once_and_by_who_holds_it() {
    let shop = Shop::open().await;
    shop.paid("A", 1000).await;
    let lease = Duration::from_secs(60);
    let held = shop
        .cashier
        .confirmations(lease, 9)
        .await
        .unwrap()
        .remove(0);
    let stranger = Shop::open().await;
    let strange = stranger.cashier.acknowledge(&held).await;
    assert_eq!(kind_of(strange.unwrap_err()), ErrorKind::NotFound);
    shop.account.wait(60);
    let anew = shop
        .cashier
        .confirmations(lease, 9)
        .await
        .unwrap()
        .remove(0);
    let late = shop.cashier.acknowledge(&held).await;
    assert_eq!(kind_of(late.unwrap_err()), ErrorKind::Conflict);
    shop.cashier.acknowledge(&anew).await.unwrap();
    let twice = shop.cashier.acknowledge(&anew).await;
    assert_eq!(kind_of(twice.unwrap_err()), ErrorKind::Conflict);
}

#[tokio::test]
async fn money_in_another_currency_pays_nothing_and_needs_a_person() {
    let (provider, hands) = Quiet::open(all_but(&[]));
    let cashier = Cashier::open(provider, Arc::new(MemoryStore::new())).await;
    let clock = Arc::clone(&hands.clock) as Arc<dyn Clock>;
    let cashier = cashier.unwrap().with_clock(clock);
    cashier.place(&order("A"), eur(1000)).await.unwrap();
    let payment = cashier.check_out(&page("A", 1000)).await.unwrap();

    // The same payment in two currencies contradicts itself: what is known stays, and both
    // statements are raised.
    let mut turned = hands.set(payment.id.raw(), PaymentStatus::Captured);
    turned.amount = Money::new(1000, Currency::USD);
    turned.captured = turned.amount;
    let news = notice("e1", "body", &About::Payment(Box::new(turned)));
    let received = cashier.receive(&news).await;
    assert_eq!(received.answer, 200);
    assert!(received.error.is_none());
    let record = cashier.order(&order("A")).await.unwrap();
    assert_eq!(record.standing(), Standing::WrongCurrency);
    let known = &record.payments[0].ledger.payment().unwrap().amount;
    assert_eq!(*known, eur(1000).money());
    let contradiction = format!("wrong_currency:{}", payment.id);
    assert_eq!(cashier.concerns(&record)[0].name, contradiction);

    // Another payment for the order, as by a link made by hand, in dollars.
    let dollars = Money::new(1000, Currency::USD);
    let id = "quiet:test:other".parse().unwrap();
    let mut other = Payment::new(id, PaymentStatus::Captured, dollars, hands.clock.now());
    other.captured = dollars;
    other.reference = Some("shop:A:7".parse().unwrap());
    let news = notice("e2", "body", &About::Payment(Box::new(other)));
    assert!(cashier.receive(&news).await.error.is_none());
    let record = cashier.order(&order("A")).await.unwrap();
    assert_eq!(
        (record.standing(), record.paid_at),
        (Standing::WrongCurrency, None)
    );
    let waiting = cashier.needs_a_person(9).await.unwrap();
    let concern = "wrong_currency:quiet:test:other";
    let names: Vec<_> = cashier
        .concerns(&waiting[0])
        .into_iter()
        .map(|of| of.name)
        .collect();
    assert_eq!(names, [&*contradiction, concern]);
    let allocations = record.allocations().unwrap();
    assert_eq!(allocations[0].excess, dollars);
}

/// A search that finds more than was searched for pays no order with what is another's.
#[tokio::test]
async fn what_a_search_finds_of_others_is_not_taken() {
    for reference in ["other:A:1", "shop:B:1", "shop:A:7"] {
        let (provider, hands) = Quiet::open(all_but(&[]));
        let cashier = Cashier::open(provider, Arc::new(MemoryStore::new())).await;
        let clock = Arc::clone(&hands.clock) as Arc<dyn Clock>;
        let cashier = cashier.unwrap().with_clock(clock);
        cashier.place(&order("A"), eur(1000)).await.unwrap();
        let id: PaymentId<Test> = "quiet:test:others".parse().unwrap();
        let amount = eur(1000).money();
        let mut paid = Payment::new(id, PaymentStatus::Captured, amount, hands.clock.now());
        paid.captured = amount;
        paid.reference = Some(reference.parse().unwrap());
        hands.books().payments.insert("others".into(), paid);
        hands.books().finds_all = true;
        let resumed = cashier.resume(&order("A")).await.unwrap_err();
        assert_eq!(kind_of(resumed), ErrorKind::UnexpectedResponse);
        let record = cashier.order(&order("A")).await.unwrap();
        assert_eq!(record.standing(), Standing::Unpaid, "{reference}");
    }
}

#[tokio::test]
async fn a_list_that_goes_round_in_a_circle_is_not_followed_for_ever() {
    let (provider, hands) = Quiet::open(all_but(&[]));
    let cashier = Cashier::open(provider, Arc::new(MemoryStore::new())).await;
    hands.books().circles = true;
    assert_eq!(cashier.unwrap().sweep().await.unwrap().failures, 1);
    assert_eq!(hands.books().pages, 3);
}

#[tokio::test]
async fn an_order_tells_which_payment_counts_how_much() {
    let shop = Shop::open().await;
    let first = shop.checked_out("A", 1000).await;
    shop.cashier
        .release_attempt(&order("A"), "the shopper insists")
        .await
        .unwrap();
    let second = shop.cashier.check_out(&page("A", 1000)).await.unwrap().id;
    shop.pay(&second).await;
    shop.account.wait(10);
    shop.pay(&first).await;
    let record = shop.record("A").await;
    let euros = |minor| Money::new(minor, Currency::EUR);
    let counted: Vec<_> = record.allocations().unwrap();
    assert_eq!(
        (counted[0].amount, counted[0].excess),
        (euros(1000), euros(0))
    );
    assert_eq!(
        (counted[1].amount, counted[1].excess),
        (euros(0), euros(1000))
    );
    assert!(
        record
            .payment(&second)
            .unwrap()
            .is_called(&counted[0].payment)
    );
    shop.cashier
        .refund(&refund(&counted[1].payment, 1000, "twice"))
        .await
        .unwrap();
    let record = shop.record("A").await;
    assert_eq!(record.allocations().unwrap()[1].excess, euros(0));
    assert_eq!(record.standing(), Standing::Paid);
    // Each line of the history says where it is known from.
    let paid = record
        .history
        .iter()
        .find(|entry| entry.what.contains("captured"));
    assert!(paid.unwrap().evidence.is_some());
}

#[tokio::test]
async fn a_page_whose_card_was_refused_cannot_be_paid_for_an_amount_that_was_amended() {
    let shop = Shop::open().await;
    let old = shop.checked_out("A", 1000).await;
    let pay = |method| shop.account.lock().shopper().pay(old.raw(), method);
    pay("pm_card_visa_chargeDeclinedInsufficientFunds").unwrap();
    shop.deliver().await;
    shop.cashier.amend(&order("A"), eur(1200)).await.unwrap();
    assert!(pay("pm_card_visa").is_err(), "the old page is still open");
    shop.paid("A", 1200).await;
    assert_eq!(shop.standing("A").await, Standing::Paid);
}
