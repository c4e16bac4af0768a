//! Verified events that cannot be read, and such as contradict what is known: none is lost, none is
//! refused, and what is about an order of here is raised for review.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod flow;

use std::time::Duration;

use counterfoil::capability::Operation;
use counterfoil::cashier::{OrderRecord, Received, Standing};
use counterfoil::clock::Timestamp;
use counterfoil::id::PaymentId;
use counterfoil::money::{Currency, Money};
use counterfoil::payment::PaymentStatus;
use counterfoil::webhook::{Authenticity, EventKind, UnreadableEvent};
use counterfoil::{ErrorKind, Test};
use serde_json::json;

use flow::quiet::{self, About, notice};
use flow::said::{concerns_of, intent, signed, signed_text};
use flow::{START, Shop, eur, kind_of, order, page};

fn unreadable(received: &Received<Test>) -> &UnreadableEvent<Test> {
    match received.events[0].kind() {
        EventKind::Unreadable(event) => event,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn verified_events_that_cannot_be_read_are_acknowledged_kept_and_counted() {
    let shop = Shop::open().await;
    let session = json!({
        "id": "cs_test_else", "object": "checkout.session", "livemode": false, "created": START,
        "status": "expired", "payment_status": "unpaid", "mode": "payment", "amount_total": null,
        "currency": null, "payment_intent": null, "metadata": {},
    });
    let cash_refund = json!({
        "id": "re_cash", "object": "refund", "created": START, "amount": 700, "currency": "eur",
        "status": "pending", "charge": null, "payment_intent": null, "metadata": {},
    });
    let mut all = vec![
        signed("evt_1", "refund.created", cash_refund, None),
        signed("evt_2", "checkout.session.expired", session, None),
    ];
    for (index, currency) in ["ang", "mro", "std", "usdc"].iter().enumerate() {
        let object = intent("pi_else", currency, 700, None);
        let id = format!("evt_c{index}");
        all.push(signed(&id, "payment_intent.succeeded", object, None));
    }
    let isk = intent("pi_else", "isk", 70_050, None);
    all.push(signed("evt_isk", "payment_intent.succeeded", isk, None));
    let strange = json!({ "object": "payment_intent", "id": 7, "amount": "much" });
    all.push(signed("evt_odd", "payment_intent.succeeded", strange, None));
    all.push(signed_text("no JSON at all", START));
    let thin = json!({ "id": "evt_thin", "object": "v2.core.event", "type": "v1.x", "created": "2026",
        "livemode": false });
    all.push(signed_text(&thin.to_string(), START));

    for webhook in &all {
        let received = shop.cashier.receive(webhook).await;
        assert_eq!(received.answer, 200, "{received:?}");
        assert!(received.error.is_none() && received.orders.is_empty());
        assert!(!unreadable(&received).reason.is_empty());
    }
    let health = shop.cashier.health().await.unwrap();
    assert_eq!(health.providers[0].webhooks.unreadable, all.len() as u64);
    assert!(health.providers[0].webhooks.last_unreadable_at.is_some());
    assert_eq!(health.backlog.event_since, None);
    assert!(shop.cashier.needs_a_person(9).await.unwrap().is_empty());
    assert_eq!(shop.confirmed().await, [""; 0]);
}

#[tokio::test]
async fn an_unreadable_event_of_an_order_of_here_is_raised_for_review_on_it() {
    let shop = Shop::open().await;
    let paid = shop.paid("A", 1000).await;
    let by_link = intent(paid.raw(), "ang", 1000, None);
    let event = signed("evt_l", "payment_intent.succeeded", by_link, None);
    for _ in 0..2 {
        assert_eq!(shop.cashier.receive(&event).await.answer, 200);
    }
    let raised = concerns_of(&shop.cashier, "A").await;
    assert_eq!(raised.len(), 1);
    assert_eq!(raised[0].0, "unclear:stripe:test:evt_l:unreadable");
    assert!(raised[0].1.contains("cannot be read"), "{raised:?}");
    assert_eq!(shop.standing("A").await, Standing::Paid);
    let confirmed = shop.confirmed().await;
    assert!(confirmed.contains(&"needs_a_person:unclear:stripe:test:evt_l:unreadable".to_owned()));

    // By its reference, and before the order was placed.
    let named = intent("pi_named", "std", 500, Some("shop:B:1"));
    let named = signed("evt_r", "payment_intent.succeeded", named, None);
    let received = shop.cashier.receive(&named).await;
    assert_eq!((received.answer, received.orders.len()), (200, 0));
    shop.cashier.place(&order("B"), eur(500)).await.unwrap();
    shop.account.wait(601);
    shop.cashier.sweep().await.unwrap();
    let raised = concerns_of(&shop.cashier, "B").await;
    assert_eq!(raised[0].0, "unclear:stripe:test:evt_r:unreadable");
}

/// An attacker cannot keep a genuine event out by one that reads as none, and a later version that
/// can read it takes it in.
#[tokio::test]
async fn an_event_that_is_readable_when_it_comes_again_is_taken_in() {
    let shop = Shop::open().await;
    let page = shop.checked_out("A", 1000).await;
    let unread = intent("pi_A", "std", 1000, Some("shop:A:1"));
    let unread = signed("evt_1", "payment_intent.succeeded", unread, None);
    assert_eq!(shop.cashier.receive(&unread).await.answer, 200);
    assert_eq!(shop.standing("A").await, Standing::Unpaid);
    let read = intent("pi_A", "eur", 1000, Some("shop:A:1"));
    let read = signed("evt_1", "payment_intent.succeeded", read, None);
    let received = shop.cashier.receive(&read).await;
    assert_eq!((received.answer, received.orders.len()), (200, 1), "{page}");
    assert_eq!(shop.standing("A").await, Standing::Paid);
}

#[tokio::test]
async fn a_next_action_with_null_siblings_is_read() {
    let shop = Shop::open().await;
    shop.checked_out("A", 1000).await;
    let mut object = intent("pi_A", "eur", 1000, Some("shop:A:1"));
    object["status"] = "requires_action".into();
    object["amount_received"] = 0.into();
    object["next_action"] = json!({
        "type": "oxxo_display_details",
        "alipay_handle_redirect": null,
        "boleto_display_details": null,
        "konbini_display_details": null,
        "oxxo_display_details": { "hosted_voucher_url": "https://pay.example/v", "url": null },
        "redirect_to_url": null,
        "verify_with_microdeposits": null,
    });
    let event = signed("evt_1", "payment_intent.requires_action", object, None);
    let received = shop.cashier.receive(&event).await;
    let payment = received.events[0].payment().unwrap();
    let action = format!("{:?}", payment.next_action);
    assert!(action.contains("https://pay.example/v"), "{action}");
}

/// Law 5: the checksum does not prove the body, so that it raises nothing by itself.
#[tokio::test]
async fn an_unreadable_event_that_proves_nothing_makes_the_provider_be_asked() {
    let event = |id: &PaymentId<Test>, name: &str| {
        let event = UnreadableEvent::new("its currency is unknown", b"{}");
        let event = event.with_payments(vec![id.clone()]);
        notice(name, "header", &About::Unreadable(Box::new(event)))
    };
    let shop = quiet::Shop::without(&[]).await;
    let id = shop.checked_out(1000).await;
    shop.hands.set(id.raw(), PaymentStatus::Captured);
    let received = shop.cashier.receive(&event(&id, "e1")).await;
    assert_eq!((received.answer, received.orders.len()), (200, 1));
    assert_eq!(received.events[0].authenticity(), Authenticity::HeaderOnly);
    assert_eq!(shop.record().await.standing(), Standing::Paid);
    assert!(concerns_of(&shop.cashier, "A").await.is_empty());

    // Nobody can be asked: nothing is raised.
    let shop = quiet::Shop::open().await;
    let id = shop.checked_out(1000).await;
    let received = shop.cashier.receive(&event(&id, "e1")).await;
    assert_eq!((received.answer, received.orders.len()), (200, 0));
    assert!(concerns_of(&shop.cashier, "A").await.is_empty());
    assert_eq!(shop.cashier.sweep().await.unwrap().events, 0);
}

#[tokio::test]
async fn a_payment_in_two_currencies_is_raised_with_both_statements_by_webhook_and_sweep_alike() {
    for by_webhook in [true, false] {
        let shop = quiet::Shop::without(&[]).await;
        let id = shop.checked_out(1000).await;
        let mut yen = shop.hands.set(id.raw(), PaymentStatus::Captured);
        yen.amount = Money::new(1634, Currency::JPY);
        yen.captured = yen.amount;
        yen.capturable = Money::zero(Currency::JPY);
        yen.refunded = Money::zero(Currency::JPY);
        yen.returned = Money::zero(Currency::JPY);
        shop.hands
            .books()
            .payments
            .insert(id.raw().into(), yen.clone());
        for _ in 0..2 {
            if by_webhook {
                let said = notice("e1", "body", &About::Payment(Box::new(yen.clone())));
                let received = shop.cashier.receive(&said).await;
                assert_eq!(received.answer, 200);
                assert!(received.error.is_none());
            } else {
                shop.cashier.resume(&order("A")).await.unwrap();
            }
        }
        let raised = concerns_of(&shop.cashier, "A").await;
        assert_eq!(raised.len(), 1, "{raised:?}");
        assert_eq!(raised[0].0, format!("wrong_currency:{id}"));
        for statement in ["10.00 EUR", "1634 JPY"] {
            assert!(raised[0].1.contains(statement), "{raised:?}");
        }
        let record = shop.record().await;
        assert_eq!(record.standing(), Standing::WrongCurrency);
        assert_eq!(record.paid_at, None);
        assert!(
            shop.cashier
                .health()
                .await
                .unwrap()
                .backlog
                .attention_since
                .is_some()
        );
        // Money was taken: no second checkout asks for it again.
        let again = shop.cashier.check_out(&page("A", 1000)).await;
        assert_eq!(kind_of(again.unwrap_err()), ErrorKind::Conflict);
        let kinds = shop
            .cashier
            .confirmations(Duration::from_secs(60), 9)
            .await
            .unwrap();
        let kinds: Vec<_> = kinds.iter().map(|of| of.kind.to_string()).collect();
        assert_eq!(kinds, [format!("needs_a_person:wrong_currency:{id}")]);

        // Once it went back, the order can be paid.
        yen.refunded = yen.captured;
        yen.as_of = Timestamp::from_unix(START + 60);
        let said = notice("e2", "body", &About::Payment(Box::new(yen)));
        assert!(shop.cashier.receive(&said).await.error.is_none());
        assert_eq!(
            shop.record().await.left_to_pay().unwrap(),
            eur(1000).money()
        );
    }
}

/// What only a signed part says, and nobody can be asked about.
#[tokio::test]
async fn contradictions_survive_a_store_and_name_their_payment_for_later_events() {
    let shop = quiet::Shop::without(&[Operation::FetchPayment]).await;
    let id = shop.checked_out(1000).await;
    let mut dollars = shop.hands.set(id.raw(), PaymentStatus::Captured);
    let own = PaymentId::new(id.provider().clone(), "own").unwrap();
    dollars.aliases = vec![id.clone()];
    dollars.id = own.clone();
    dollars.amount = Money::new(1200, Currency::USD);
    dollars.captured = dollars.amount;
    let said = notice("e1", "body", &About::Payment(Box::new(dollars)));
    assert!(shop.cashier.receive(&said).await.error.is_none());
    let raised = concerns_of(&shop.cashier, "A").await;
    assert_eq!(raised[0].0, format!("wrong_currency:{own}"));
    let record = shop.record().await;
    let text = serde_json::to_string(&record).unwrap();
    let read: OrderRecord<Test> = serde_json::from_str(&text).unwrap();
    assert_eq!(read.standing(), Standing::WrongCurrency);
}

#[tokio::test]
async fn a_payment_that_two_orders_have_is_raised_by_webhook_and_sweep_alike() {
    for by_webhook in [true, false] {
        let shop = quiet::Shop::without(&[]).await;
        let first = shop.checked_out(1000).await;
        shop.cashier.place(&order("B"), eur(500)).await.unwrap();
        let second = shop.cashier.check_out(&page("B", 500)).await.unwrap().id;
        let mut both = shop.hands.set(second.raw(), PaymentStatus::Captured);
        both.aliases = vec![first.clone()];
        shop.hands
            .books()
            .payments
            .insert(second.raw().into(), both.clone());
        for name in ["e1", "e1", "e2"] {
            if by_webhook {
                let said = notice(name, "body", &About::Payment(Box::new(both.clone())));
                assert_eq!(shop.cashier.receive(&said).await.answer, 200);
            } else {
                let asked = shop.cashier.resume(&order("B")).await;
                assert_eq!(kind_of(asked.unwrap_err()), ErrorKind::Conflict);
            }
        }
        let raised = concerns_of(&shop.cashier, "B").await;
        assert_eq!(raised.len(), 1, "{raised:?}");
        assert_eq!(raised[0].0, format!("unclear:contradicts:{second}"));
        assert!(raised[0].1.contains("captured"), "{raised:?}");
        assert!(concerns_of(&shop.cashier, "A").await.is_empty());
        let swept = shop.cashier.sweep().await.unwrap();
        assert_eq!(swept.events, 0);
    }
}

#[tokio::test]
async fn a_refund_of_no_payment_is_kept_and_moves_nothing() {
    let shop = Shop::open().await;
    shop.paid("A", 1000).await;
    shop.account
        .lock()
        .dashboard()
        .refund_cash_balance(700, "eur");
    shop.deliver().await;
    assert_eq!(shop.standing("A").await, Standing::Paid);
    assert!(concerns_of(&shop.cashier, "A").await.is_empty());
    let health = shop.cashier.health().await.unwrap();
    assert_eq!(health.providers[0].webhooks.unreadable, 1);
}
