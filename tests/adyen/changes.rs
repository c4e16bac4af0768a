//! Captures, voids, refunds and other changes: received, and told of later.

use counterfoil::capture::Change;
use counterfoil::error::{Effect, ErrorKind};
use counterfoil::id::IdempotencyKey;
use counterfoil::payment::PaymentStatus;
use counterfoil::refund::RefundStatus;
use serde_json::{Value, json};

use crate::shop::{ACCOUNT, CHANGE, PAYMENT, Shop, command, money};

const TEST: &str = "https://checkout-test.adyen.com/v72";

fn received(amount: Option<i64>) -> Value {
    let mut answer = json!({
        "merchantAccount": ACCOUNT, "paymentPspReference": PAYMENT, "pspReference": CHANGE,
        "reference": "command/ship", "status": "received",
    });
    if let Some(value) = amount {
        answer["amount"] = json!({"value": value, "currency": "EUR"});
    }
    answer
}

#[tokio::test]
async fn a_capture_is_only_received() {
    let shop = Shop::open();
    shop.wire.answer(201, &received(Some(1500)));
    let change = shop
        .provider
        .capture(&shop.capture(PAYMENT, "15.00 EUR"))
        .await
        .unwrap();
    let Change::Received { payment, request } = change else {
        panic!("{change:?}");
    };
    assert_eq!((payment.raw(), &*request), (PAYMENT, CHANGE));
    let (line, key, body) = shop.wire.only_request();
    assert_eq!(line, format!("POST {TEST}/payments/{PAYMENT}/captures"));
    assert_eq!(key.unwrap().len(), 43);
    let expected = json!({
        "merchantAccount": ACCOUNT,
        "amount": {"value": 1500, "currency": "EUR"},
        "reference": "command/ship",
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_capture_that_keeps_the_rest_needs_the_accounts_leave() {
    let shop = Shop::open();
    let request = shop.capture(PAYMENT, "15.00 EUR").keeping_the_rest();
    let refused = shop.provider.capture(&request).await.unwrap_err();
    assert_eq!(refused.kind(), &ErrorKind::Unsupported);
    let shop = Shop::open_as(|config| config.with_multiple_captures());
    shop.wire.answer(201, &received(Some(1500)));
    let change = shop.provider.capture(&request).await.unwrap();
    assert!(change.payment().is_none());
}

#[tokio::test]
async fn a_refund_is_pending_and_has_its_own_id_and_its_payments() {
    let shop = Shop::open();
    shop.wire.answer(201, &received(Some(700)));
    let refund = shop
        .provider
        .refund(&shop.refund(PAYMENT, "7.00 EUR"))
        .await
        .unwrap();
    assert_eq!((refund.id.raw(), refund.payment.raw()), (CHANGE, PAYMENT));
    assert_eq!(refund.status, RefundStatus::Pending);
    assert_eq!(refund.command, Some(command("goodwill")));
    let (line, _, body) = shop.wire.only_request();
    assert_eq!(line, format!("POST {TEST}/payments/{PAYMENT}/refunds"));
    assert_eq!(body["merchantRefundReason"], "CUSTOMER REQUEST");
    assert_eq!(body["reference"], "command/goodwill");
}

#[tokio::test]
async fn a_lost_answer_is_unknown_and_asked_for_again_under_the_same_key() {
    let shop = Shop::open();
    for _ in 0..3 {
        shop.wire.lose();
    }
    let request = shop.refund(PAYMENT, "7.00 EUR");
    let lost = shop.provider.refund(&request).await.unwrap_err();
    assert_eq!(
        (lost.kind(), lost.effect()),
        (&ErrorKind::Unavailable, Effect::Unknown)
    );
    shop.wire.answer(201, &received(Some(700)));
    assert_eq!(
        shop.provider.refund(&request).await.unwrap().id.raw(),
        CHANGE
    );
    let requests = shop.wire.requests();
    let keys: Vec<_> = requests
        .iter()
        .map(|r| &r.headers()["idempotency-key"])
        .collect();
    assert!(keys.len() == 4 && keys.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test]
async fn an_answer_to_another_change_is_told() {
    for (field, value) in [
        ("amount", json!({"value": 800, "currency": "EUR"})),
        ("merchantAccount", json!("OtherECOM")),
        ("paymentPspReference", json!("9913140798220029")),
        ("status", json!("done")),
        ("pspReference", json!("a/b")),
        ("pspReference", Value::Null),
    ] {
        let shop = Shop::open();
        let mut answer = received(Some(700));
        answer[field] = value;
        shop.wire.answer(201, &answer);
        let error = shop
            .provider
            .refund(&shop.refund(PAYMENT, "7.00 EUR"))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::UnexpectedResponse, "{field}");
        assert_ne!(error.effect(), Effect::NotApplied, "{field}");
    }
}

#[tokio::test]
async fn the_name_of_a_checkout_is_not_captured_or_refunded() {
    let shop = Shop::open();
    for raw in ["PL61C53A8B97E6915A", "CS451F2AB1ED897A94"] {
        let captured = shop.provider.capture(&shop.capture(raw, "1.00 EUR")).await;
        assert_eq!(captured.unwrap_err().kind(), &ErrorKind::InvalidRequest);
        let refunded = shop.provider.refund(&shop.refund(raw, "1.00 EUR")).await;
        assert_eq!(refunded.unwrap_err().kind(), &ErrorKind::InvalidRequest);
    }
    let voided = shop.provider.void(&shop.id("CS451F2AB1ED897A94")).await;
    assert_eq!(voided.unwrap_err().kind(), &ErrorKind::Unsupported);
    assert!(shop.wire.requests().is_empty());
}

#[tokio::test]
async fn a_hold_is_let_go_later_and_a_link_at_once() {
    let shop = Shop::open();
    shop.wire.answer(201, &received(None));
    let change = shop.provider.void(&shop.id(PAYMENT)).await.unwrap();
    assert!(matches!(change, Change::Received { request, .. } if &*request == CHANGE));
    let (line, _, body) = shop.wire.only_request();
    assert_eq!(line, format!("POST {TEST}/payments/{PAYMENT}/cancels"));
    assert_eq!(body, json!({"merchantAccount": ACCOUNT}));

    let link = |status: &str| {
        json!({
            "amount": {"currency": "EUR", "value": 8700}, "expiresAt": "2026-11-17T14:06:39Z",
            "merchantAccount": ACCOUNT, "reference": "shop:A-1:1", "status": status,
            "url": "https://test.adyen.link/PL61C53A8B97E6915A", "id": "PL61C53A8B97E6915A",
        })
    };
    let id = shop.id("PL61C53A8B97E6915A");
    shop.wire.answer(200, &link("expired"));
    let ended = shop
        .provider
        .void(&id)
        .await
        .unwrap()
        .into_payment()
        .unwrap();
    assert_eq!(ended.status, PaymentStatus::Expired);
    let (line, key, body) = shop.wire.only_request();
    assert_eq!(
        line,
        format!("PATCH {TEST}/paymentLinks/PL61C53A8B97E6915A")
    );
    assert_eq!((key, body), (None, json!({"status": "expired"})));

    // Ended before, and paid before.
    let refused =
        json!({"status": 422, "errorCode": "29_999", "message": "", "errorType": "validation"});
    for (status, ended) in [("expired", true), ("paid", false), ("completed", false)] {
        shop.wire.answer(422, &refused);
        shop.wire.answer(200, &link(status));
        let again = shop.provider.void(&id).await;
        match again {
            Ok(change) => assert!(ended && change.payment().is_some(), "{status}"),
            Err(error) => {
                assert!(!ended, "{status}: {error}");
                assert_eq!(error.kind(), &ErrorKind::Conflict);
            }
        }
    }
}

#[tokio::test]
async fn a_reversal_and_a_new_amount_are_received() {
    let shop = Shop::open();
    let (payment, wish) = (shop.id(PAYMENT), command("ship"));
    let namespace = shop.provider.namespace();
    let key = IdempotencyKey::for_command("reverse", namespace, &payment, "ship");
    shop.wire.answer(201, &received(None));
    let change = shop.adyen.reverse(&payment, &wish, &key).await.unwrap();
    assert!(change.payment().is_none());
    let (line, sent, _) = shop.wire.only_request();
    assert_eq!(line, format!("POST {TEST}/payments/{PAYMENT}/reversals"));
    assert_eq!(sent.as_deref(), Some(key.as_str()));

    shop.wire.answer(201, &received(Some(3000)));
    let more = money("30.00 EUR").money();
    let change = shop
        .adyen
        .update_amount(&payment, more, &wish, &key)
        .await
        .unwrap();
    assert!(change.payment().is_none());
    let (line, _, body) = shop.wire.only_request();
    assert_eq!(
        line,
        format!("POST {TEST}/payments/{PAYMENT}/amountUpdates")
    );
    assert_eq!(body["amount"]["value"], 3000);
}

#[tokio::test]
async fn what_adyen_cannot_do_is_refused_before_it_is_sent() {
    let shop = Shop::open();
    let fetched = shop.provider.fetch_payment(&shop.id(PAYMENT)).await;
    assert_eq!(fetched.unwrap_err().kind(), &ErrorKind::Unsupported);
    let found = shop
        .provider
        .find_payments(&crate::shop::reference("A-1"))
        .await;
    assert_eq!(found.unwrap_err().kind(), &ErrorKind::Unsupported);
    assert!(shop.wire.requests().is_empty());
}
