//! Warnings about a payment before money is asked back, payouts, and whatever else the application
//! gets to see.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod flow;

use std::time::Duration;

use counterfoil::Test;
use counterfoil::cashier::Standing;
use counterfoil::clock::Timestamp;
use counterfoil::id::PayoutId;
use counterfoil::payout::PayoutStatus;
use counterfoil::request::Period;
use counterfoil::webhook::{EventKind, SetAsideReason};
use futures_util::TryStreamExt;
use serde_json::{Value, json};

use flow::said::{concerns_of, intent, signed};
use flow::{START, Shop, eur, refund};

#[tokio::test]
async fn an_early_fraud_warning_is_reviewed_until_the_payment_is_refunded() {
    let shop = Shop::open().await;
    let paid = shop.paid("A", 1000).await;
    let warning = shop.account.lock().dashboard().report_fraud(paid.raw());
    let warning = warning.unwrap();
    shop.deliver().await;
    let raised = concerns_of(&shop.cashier, "A").await;
    assert_eq!(raised.len(), 1, "{raised:?}");
    assert_eq!(raised[0].0, format!("fraud_warning:{warning}"));
    assert!(
        raised[0].1.contains("before it becomes a dispute"),
        "{raised:?}"
    );
    let expected = format!("needs_a_person:fraud_warning:{warning}");
    assert!(shop.confirmed().await.contains(&expected));
    assert_eq!(shop.standing("A").await, Standing::Paid);
    assert_eq!(shop.record("A").await.warnings().count(), 1);

    let back = shop.cashier.refund(&refund(&paid, 1000, "r1")).await;
    back.unwrap();
    assert!(concerns_of(&shop.cashier, "A").await.is_empty());
    shop.deliver().await;
    assert!(concerns_of(&shop.cashier, "A").await.is_empty());
    assert!(!shop.record("A").await.warnings().next().unwrap().is_open);
}

#[tokio::test]
async fn a_warning_comes_before_its_payment_and_its_end_before_its_beginning() {
    let shop = Shop::open().await;
    let page = shop.checked_out("A", 1000).await;
    let paid = shop
        .account
        .lock()
        .shopper()
        .pay(page.raw(), "pm_card_createIssuerFraudRecord");
    paid.unwrap();
    let mut webhooks = shop.account.webhooks();
    webhooks.reverse();
    for webhook in &webhooks {
        let received = shop.cashier.receive(webhook).await;
        assert!(received.error.is_none(), "{received:?}");
    }
    let raised = concerns_of(&shop.cashier, "A").await;
    assert_eq!(raised.len(), 1, "{raised:?}");
    assert!(
        raised[0].0.starts_with("fraud_warning:issfr_"),
        "{raised:?}"
    );

    let payment = shop.payment_of("A").await;
    let review = shop
        .account
        .lock()
        .dashboard()
        .open_review(payment.raw())
        .unwrap();
    let opened = shop.account.webhooks();
    shop.account.wait(5);
    shop.account
        .lock()
        .dashboard()
        .approve_review(&review)
        .unwrap();
    let closed = shop.account.webhooks();
    for webhook in closed.iter().chain(&opened) {
        assert!(shop.cashier.receive(webhook).await.error.is_none());
    }
    let names: Vec<_> = concerns_of(&shop.cashier, "A")
        .await
        .into_iter()
        .map(|of| of.0)
        .collect();
    assert!(
        !names.contains(&format!("payment_review:{review}")),
        "{names:?}"
    );
}

#[tokio::test]
async fn a_review_is_raised_until_it_is_closed() {
    let shop = Shop::open().await;
    let paid = shop.paid("A", 1000).await;
    let review = shop
        .account
        .lock()
        .dashboard()
        .open_review(paid.raw())
        .unwrap();
    shop.deliver().await;
    let raised = concerns_of(&shop.cashier, "A").await;
    assert_eq!(raised[0].0, format!("payment_review:{review}"));
    shop.account.wait(5);
    shop.account
        .lock()
        .dashboard()
        .approve_review(&review)
        .unwrap();
    shop.deliver().await;
    assert!(concerns_of(&shop.cashier, "A").await.is_empty());
}

fn payout(status: &str, failure: Option<&str>) -> Value {
    json!({
        "id": "po_1", "object": "payout", "livemode": false, "created": START, "amount": 900,
        "currency": "eur", "status": status, "failure_code": failure,
    })
}

#[tokio::test]
async fn a_payout_has_a_record_and_is_confirmed_once_in_whatever_order_its_events_come() {
    let paid = || signed("evt_p", "payout.paid", payout("paid", None), None);
    let failed = || {
        let object = payout("failed", Some("account_closed"));
        signed("evt_f", "payout.failed", object, None)
    };
    let id: PayoutId<Test> = "stripe:test:po_1".parse().unwrap();
    let (arrived, came_back) = (
        "payout_paid:stripe:test:po_1",
        "payout_failed:stripe:test:po_1",
    );
    for (events, expected) in [
        (
            vec![paid(), failed(), paid(), failed()],
            vec![came_back, arrived],
        ),
        // It did not stay: nobody is told that it did.
        (vec![failed(), paid(), failed()], vec![came_back]),
    ] {
        let shop = Shop::open().await;
        for event in &events {
            let received = shop.cashier.receive(event).await;
            assert_eq!((received.answer, received.orders.len()), (200, 0));
            assert!(received.error.is_none(), "{received:?}");
        }
        let record = shop.cashier.payout(&id).await.unwrap().unwrap();
        assert_eq!(record.payout.status, PayoutStatus::Failed);
        assert_eq!(
            record.payout.failure_reason.as_deref(),
            Some("account_closed")
        );
        assert_eq!(record.payout.amount, eur(900).money());
        assert_eq!(record.history.len(), expected.len());
        assert!(record.history.iter().all(|of| of.evidence.is_some()));
        let all = shop
            .cashier
            .confirmations(Duration::from_secs(60), 9)
            .await
            .unwrap();
        let mut kinds: Vec<_> = all.iter().map(|of| of.kind.to_string()).collect();
        kinds.sort();
        assert_eq!(kinds, expected);
        for confirmation in &all {
            assert_eq!(confirmation.order, None);
            shop.cashier.acknowledge(confirmation).await.unwrap();
        }
        assert!(shop.confirmed().await.is_empty());
        assert_eq!(shop.cashier.payouts(None, 9).await.unwrap().len(), 1);
        assert!(shop.cashier.payouts(Some(&id), 9).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_payout_that_no_webhook_has_told_of_is_taken_in_as_it_is_listed() {
    let shop = Shop::open().await;
    shop.paid("A", 1000).await;
    shop.account.wait(10 * 86_400);
    let _lost = shop.account.webhooks();
    let provider = shop.account.provider("stripe");
    let listed = async || {
        let since = Period::since(Timestamp::from_unix(START));
        let listed: Vec<_> = provider.list_payouts(since).try_collect().await.unwrap();
        listed.into_iter().next().unwrap()
    };
    let payout = listed().await;
    for _ in 0..2 {
        let record = shop.cashier.take_in_payout(&payout).await.unwrap();
        assert_eq!(record.payout.status, PayoutStatus::Paid);
    }
    let kinds = shop.confirmed().await;
    assert!(
        kinds.contains(&format!("payout_paid:{}", payout.id)),
        "{kinds:?}"
    );
    shop.account
        .lock()
        .dashboard()
        .fail_payout(payout.id.raw())
        .unwrap();
    let record = shop.cashier.take_in_payout(&listed().await).await.unwrap();
    assert_eq!(
        record.payout.failure_reason.as_deref(),
        Some("account_closed")
    );
    assert_eq!(
        shop.confirmed().await,
        [format!("payout_failed:{}", payout.id)]
    );
    // Its webhook comes all the same.
    shop.deliver().await;
    assert!(shop.confirmed().await.is_empty());
}

#[tokio::test]
async fn the_application_gets_every_event_also_those_about_no_order() {
    let shop = Shop::open().await;
    let payout = json!({
        "id": "po_1", "object": "payout", "livemode": false, "created": START, "amount": 900,
        "currency": "eur", "status": "failed", "failure_code": "account_closed",
    });
    let received = shop
        .cashier
        .receive(&signed("evt_1", "payout.failed", payout, None))
        .await;
    assert!(matches!(received.events[0].kind(), EventKind::Payout(_)));
    let other = signed(
        "evt_2",
        "customer.created",
        json!({ "object": "customer" }),
        None,
    );
    let received = shop.cashier.receive(&other).await;
    assert_eq!(received.events[0].type_text(), "customer.created");
    let foreign = intent("pi_x", "eur", 500, Some("staging:A:1"));
    let foreign = signed("evt_3", "payment_intent.succeeded", foreign, None);
    let received = shop.cashier.receive(&foreign).await;
    assert!(received.events.is_empty());
    assert_eq!(
        received.ignored[0].reason,
        SetAsideReason::OtherInstallation
    );
}
