//! What is not known is found out, and nothing is done twice.

use std::time::Duration;

use counterfoil::payment::PaymentStatus;
use counterfoil::request::Checkout;
use counterfoil::simulator::stripe::Permission;
use counterfoil::simulator::{Fault, FaultRule};
use counterfoil::{Effect, ErrorKind};
use futures_util::TryStreamExt;
use http::Method;

use crate::shop::{Shop, direct, hosted, money, refund};

/// Every way in which an answer is lost after the request was processed.
const LOST: [Fault; 4] = [
    Fault::DropAfter,
    Fault::ErrorAfter,
    Fault::Truncated,
    Fault::Garbage,
];

#[tokio::test]
async fn a_lost_answer_ends_in_one_payment() {
    for fault in LOST {
        let shop = Shop::open(20);
        shop.plan(FaultRule::next(fault).with_method(Method::POST));
        let request = direct("A-1", "10.00 EUR", "pm_card_visa");
        match shop.stripe.create(&request).await {
            // Sent again under its key, it was answered.
            Ok(payment) => assert_eq!(payment.status, PaymentStatus::Captured, "{fault:?}"),
            Err(error) => assert_eq!(error.effect(), Effect::Unknown, "{fault:?}: {error}"),
        }
        let reference = shop.stripe.reference(&request);
        let found = shop.stripe.find_payments(&reference).await.unwrap();
        assert_eq!(found.len(), 1, "{fault:?}");
        assert_eq!(found[0].status, PaymentStatus::Captured);
        let books = shop.simulator().ledger();
        assert_eq!((books.len(), books[0].charges), (1, 1), "{fault:?}");
    }
}

#[tokio::test]
async fn without_an_answer_the_outcome_is_unknown_until_it_is_looked_up() {
    for (fault, expected) in [(Fault::DropBefore, 0), (Fault::DropAfter, 1)] {
        for hosted_page in [true, false] {
            let shop = Shop::open(21);
            shop.plan(
                FaultRule::next(fault)
                    .with_method(Method::POST)
                    .with_times(100),
            );
            let request = match hosted_page {
                true => hosted("A-1", "10.00 EUR"),
                false => direct("A-1", "10.00 EUR", "pm_card_visa"),
            };
            let error = shop.stripe.create(&request).await.unwrap_err();
            assert_eq!(
                (error.kind(), error.effect()),
                (&ErrorKind::Unavailable, Effect::Unknown)
            );
            shop.simulator().faults().clear();

            let reference = shop.stripe.reference(&request);
            let found = shop.stripe.find_payments(&reference).await.unwrap();
            assert_eq!(found.len(), expected, "{fault:?}");
            shop.stripe.create(&request).await.unwrap();
            let found = shop.stripe.find_payments(&reference).await.unwrap();
            assert_eq!(found.len(), 1, "{fault:?}");
        }
    }
}

#[tokio::test]
async fn the_same_request_again_is_the_same_payment() {
    let shop = Shop::open(22);
    for request in [
        hosted("A-1", "10.00 EUR"),
        direct("A-2", "10.00 EUR", "pm_card_visa"),
    ] {
        let first = shop.stripe.create(&request).await.unwrap();
        let again = shop.stripe.create(&request).await.unwrap();
        assert_eq!(again.id, first.id);
    }
    let sent = shop.wire.take();
    let keys: Vec<_> = sent
        .iter()
        .filter_map(|request| request.headers().get("idempotency-key"))
        .collect();
    assert!(keys[0] == keys[1] && keys[2] == keys[3] && keys[0] != keys[2]);
}

#[tokio::test]
async fn a_creation_asked_for_again_tells_how_the_payment_stands_now() {
    let shop = Shop::open(33);
    let request = hosted("A-1", "20.00 USD");
    let created = shop.stripe.create(&request).await.unwrap();
    shop.simulator()
        .shopper()
        .pay(created.id.raw(), "pm_usBankAccount_success")
        .unwrap();
    let again = shop.stripe.create(&request).await.unwrap();
    assert_eq!(
        again.status,
        PaymentStatus::Pending,
        "not open, as Stripe's kept answer says"
    );
    assert!(again.aliases.contains(&created.id));
}

#[tokio::test]
async fn a_key_that_was_sent_with_another_request_is_a_conflict() {
    let shop = Shop::open(23);
    shop.stripe
        .create(&direct("A-1", "10.00 EUR", "pm_card_visa"))
        .await
        .unwrap();
    let changed = direct("A-1", "10.00 EUR", "pm_card_mastercard");
    let error = shop.stripe.create(&changed).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.effect()),
        (&ErrorKind::Conflict, Effect::Unknown),
        "what the key was sent with before may stand, and here it does"
    );

    shop.wire.take();
    let dearer = direct("A-1", "11.00 EUR", "pm_card_visa");
    assert_eq!(
        shop.stripe.create(&dearer).await.unwrap_err().kind(),
        &ErrorKind::Conflict
    );
    assert!(
        shop.wire.take().is_empty(),
        "another amount is refused before it is sent"
    );
}

#[tokio::test]
async fn a_stored_failure_that_is_replayed_stays_unknown() {
    let shop = Shop::open(24);
    shop.plan(FaultRule::next(Fault::ErrorStored).with_method(Method::POST));
    let request = direct("A-1", "10.00 EUR", "pm_card_visa");
    for _ in 0..2 {
        let error = shop.stripe.create(&request).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.effect()),
            (&ErrorKind::Unavailable, Effect::Unknown)
        );
    }
    let reference = shop.stripe.reference(&request);
    assert!(
        shop.stripe
            .find_payments(&reference)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn trouble_that_passes_is_waited_for_under_the_same_key() {
    for fault in [
        Fault::ErrorBefore,
        Fault::Unavailable,
        Fault::RateLimited,
        Fault::Locked,
        Fault::DropBefore,
    ] {
        let shop = Shop::open(25);
        shop.plan(FaultRule::next(fault).with_method(Method::POST));
        let payment = shop
            .charge("A-1", "10.00 EUR", "pm_card_visa")
            .await
            .unwrap();
        assert_eq!(payment.status, PaymentStatus::Captured, "{fault:?}");
        let sent = shop.wire.take();
        assert_eq!(sent.len(), 2, "{fault:?}");
        assert_eq!(
            sent[0].headers()["idempotency-key"],
            sent[1].headers()["idempotency-key"]
        );
        assert_eq!(shop.simulator().ledger().len(), 1);
    }
}

#[tokio::test]
async fn a_key_in_use_to_the_end_is_unknown_and_to_be_sent_again() {
    let shop = Shop::open(26);
    shop.plan(
        FaultRule::next(Fault::Locked)
            .with_method(Method::POST)
            .with_times(100),
    );
    let error = shop
        .charge("A-1", "10.00 EUR", "pm_card_visa")
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.effect()),
        (&ErrorKind::Unavailable, Effect::Unknown)
    );
    assert_eq!(error.code(), Some("idempotency_key_in_use"));
}

#[tokio::test]
async fn a_lost_refund_is_found_and_not_made_twice() {
    for fault in LOST {
        let shop = Shop::open(27);
        let paid = shop
            .charge("A-1", "100.00 EUR", "pm_card_visa")
            .await
            .unwrap();
        shop.plan(
            FaultRule::next(fault)
                .with_method(Method::POST)
                .with_times(100),
        );
        let request = refund(&paid, "30.00 EUR", "r1");
        let error = shop.stripe.refund(&request).await.unwrap_err();
        assert_eq!(error.effect(), Effect::Unknown, "{fault:?}");
        shop.simulator().faults().clear();

        let listed: Vec<_> = shop
            .stripe
            .list_refunds(paid.id.clone())
            .try_collect()
            .await
            .unwrap();
        assert_eq!(listed.len(), 1, "{fault:?}");
        assert_eq!(listed[0].command.as_ref(), Some(&request.command));
        assert_eq!(shop.stripe.refund(&request).await.unwrap().id, listed[0].id);
        assert_eq!(
            shop.simulator().ledger()[0].refunded,
            money("30.00 EUR").money()
        );
    }
}

#[tokio::test]
async fn an_old_payment_is_found_by_the_search() {
    let shop = Shop::open(28);
    let checkout = shop.paid_checkout("O'Hara \\ 1", "10.00 EUR").await;
    let reference = checkout.reference.clone().unwrap();
    let found = shop.stripe.find_payments(&reference).await.unwrap();
    assert_eq!(found.len(), 1);
    assert!(
        found[0].aliases.contains(&checkout.id),
        "it is found with its checkout"
    );

    shop.advance(Duration::from_secs(40 * 60 * 60));
    let found = shop.stripe.find_payments(&reference).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].reference.as_ref(), Some(&reference));
    assert_eq!(found[0].status, PaymentStatus::Captured);
}

#[tokio::test]
async fn a_payment_is_found_behind_many_others() {
    let shop = Shop::open(29);
    let first = shop
        .charge("A-0", "10.00 EUR", "pm_card_visa")
        .await
        .unwrap();
    let page = shop
        .stripe
        .create(&hosted("B-0", "10.00 EUR"))
        .await
        .unwrap();
    for n in 1..=105 {
        shop.charge(&format!("A-{n}"), "10.00 EUR", "pm_card_visa")
            .await
            .unwrap();
        shop.stripe
            .create(&hosted(&format!("B-{n}"), "10.00 EUR"))
            .await
            .unwrap();
    }
    for payment in [first, page] {
        let found = shop
            .stripe
            .find_payments(payment.reference.as_ref().unwrap())
            .await
            .unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].id, payment.id);
    }
}

#[tokio::test]
async fn a_key_that_may_not_do_it_is_the_operators_to_mend() {
    let shop = Shop::open(30);
    shop.simulator().restrict_key("sk_test_shop", &[]);
    let error = shop
        .charge("A-1", "10.00 EUR", "pm_card_visa")
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.effect()),
        (&ErrorKind::Credentials, Effect::NotApplied)
    );

    let restricted = Shop::open_as(31, |_| {
        counterfoil::providers::stripe::StripeConfig::new("rk_test_shop", "whsec_1").unwrap()
    });
    restricted
        .simulator()
        .restrict_key("rk_test_shop", &[Permission::Write("payment_intents")]);
    let paid = restricted
        .charge("A-1", "10.00 EUR", "pm_card_visa")
        .await
        .unwrap();
    assert_eq!(paid.status, PaymentStatus::Captured);
}

#[tokio::test]
async fn what_stripe_does_not_know_is_not_found() {
    let shop = Shop::open(32);
    let error = shop
        .stripe
        .fetch_payment(&shop.id("pi_none"))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (&ErrorKind::NotFound, Some("resource_missing"))
    );
    let saved = Checkout::saved("cus_none", "pm_none");
    let mut request = direct("A-1", "10.00 EUR", "pm_card_visa");
    request.checkout = saved;
    let error = shop.stripe.create(&request).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.effect()),
        (&ErrorKind::NotFound, Effect::NotApplied)
    );
}
