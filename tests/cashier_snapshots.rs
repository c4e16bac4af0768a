//! What several reports of one payment come to at the cashier, in every order of arrival: releases
//! that Stripe lists as refunds, amounts that a report does not have, vouchers that are out.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod flow;

use counterfoil::Secret;
use counterfoil::cashier::{OrderRecord, Standing};
use counterfoil::clock::{Clock, Timestamp};
use counterfoil::payment::PaymentStatus;
use counterfoil::providers::stripe::{SIGNATURE_HEADER, sign};
use counterfoil::webhook::WebhookRequest;
use counterfoil::{ErrorKind, Test};
use http::HeaderMap;
use serde_json::{Value, json};

use flow::{START, Shop, capture, eur, kind_of, order, page};

/// An event of Stripe's, `seconds` after the start.
fn event(seconds: i64, kind: &str, object: &Value) -> Value {
    json!({
        "id": format!("evt_{seconds}_{}", kind.replace('.', "_")), "object": "event",
        "api_version": "2026-08-26.dahlia", "created": START + seconds, "livemode": false,
        "type": kind, "data": {"object": object},
    })
}

fn intent(status: &str, more: &Value) -> Value {
    let mut intent = json!({
        "id": "pi_T", "object": "payment_intent", "livemode": false, "created": START,
        "status": status, "amount": 3000, "currency": "eur", "latest_charge": "ch_T",
        "metadata": {"counterfoil_reference": "shop:T:1"},
    });
    merge(&mut intent, more);
    intent
}

fn charge(more: &Value) -> Value {
    let mut charge = json!({
        "id": "ch_T", "object": "charge", "livemode": false, "created": START,
        "status": "succeeded", "amount": 3000, "currency": "eur", "captured": true,
        "payment_intent": "pi_T", "metadata": {"counterfoil_reference": "shop:T:1"},
        "balance_transaction": null,
    });
    merge(&mut charge, more);
    charge
}

fn refund_of(amount: i64, seconds: i64) -> Value {
    json!({
        "id": format!("re_{amount}"), "object": "refund", "created": START + seconds,
        "amount": amount, "currency": "eur", "status": "succeeded", "charge": "ch_T",
        "payment_intent": "pi_T", "reason": null, "metadata": {}, "balance_transaction": null,
    })
}

fn merge(object: &mut Value, more: &Value) {
    for (name, value) in more.as_object().unwrap() {
        object[name] = value.clone();
    }
}

async fn receive(shop: &Shop, event: &Value) {
    let body = event.to_string();
    let now = shop.account.line.now();
    let header = sign(&Secret::new("whsec_flow"), now, body.as_bytes());
    let mut headers = HeaderMap::new();
    headers.insert(SIGNATURE_HEADER, header.parse().unwrap());
    let received = shop
        .cashier
        .receive(&WebhookRequest::new(headers, body))
        .await;
    assert_eq!(received.answer, 200, "{received:?}");
}

/// The order after the events have come in each possible order, which must make no difference. A
/// refund is not the first of them: the cashier would fetch its payment, which only events have here.
async fn in_every_order(total: i64, events: &[Value]) -> OrderRecord<Test> {
    let mut first: Option<OrderRecord<Test>> = None;
    for arrangement in arrangements(events.len()) {
        if events[arrangement[0]]["type"] == "refund.created" {
            continue;
        }
        let shop = Shop::open().await;
        shop.cashier.place(&order("T"), eur(total)).await.unwrap();
        for place in &arrangement {
            receive(&shop, &events[*place]).await;
        }
        let record = shop.record("T").await;
        let ledger =
            |record: &OrderRecord<Test>| serde_json::to_value(&record.payments[0].ledger).unwrap();
        match &first {
            None => first = Some(record),
            Some(first) => assert_eq!(ledger(&record), ledger(first), "{arrangement:?}"),
        }
    }
    first.unwrap()
}

fn arrangements(of: usize) -> Vec<Vec<usize>> {
    if of == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for shorter in arrangements(of - 1) {
        for place in 0..=shorter.len() {
            let mut longer = shorter.clone();
            longer.insert(place, of - 1);
            all.push(longer);
        }
    }
    all
}

/// Captured, refunded and left to pay, in minor units.
fn sums(record: &OrderRecord<Test>) -> (i64, i64, i64) {
    let ledger = &record.payments[0].ledger;
    (
        ledger.payment().unwrap().captured.minor(),
        ledger.refunded().unwrap().minor(),
        record.left_to_pay().unwrap().minor(),
    )
}

#[tokio::test]
async fn release_after_partial_capture_is_no_refund_in_any_order() {
    let record = in_every_order(
        3000,
        &[
            event(
                60,
                "payment_intent.amount_capturable_updated",
                &intent(
                    "requires_capture",
                    &json!({"amount_received": 0, "amount_capturable": 3000}),
                ),
            ),
            event(
                61,
                "charge.captured",
                &charge(&json!({"amount_captured": 800, "amount_refunded": 2200})),
            ),
            event(
                61,
                "payment_intent.succeeded",
                &intent(
                    "succeeded",
                    &json!({"amount_received": 800, "amount_capturable": 0}),
                ),
            ),
            event(61, "refund.created", &refund_of(2200, 61)),
        ],
    )
    .await;
    assert_eq!(sums(&record), (800, 0, 2200));
    assert_eq!(record.payments[0].ledger.refunds().count(), 0);
    assert!(!record.payments[0].ledger.payment().unwrap().is_held());
}

#[tokio::test]
async fn release_after_void_is_no_refund_in_any_order() {
    let record = in_every_order(
        3000,
        &[
            event(
                60,
                "payment_intent.amount_capturable_updated",
                &intent(
                    "requires_capture",
                    &json!({"amount_received": 0, "amount_capturable": 3000}),
                ),
            ),
            event(
                90,
                "payment_intent.canceled",
                &intent("canceled", &json!({"amount_received": 0, "amount_capturable": 0})),
            ),
            event(
                90,
                "charge.refunded",
                &charge(&json!({"captured": false, "amount_captured": 0, "amount_refunded": 3000, "refunded": true})),
            ),
            event(90, "refund.created", &refund_of(3000, 90)),
        ],
    )
    .await;
    assert_eq!(sums(&record), (0, 0, 3000));
    assert_eq!(record.standing(), Standing::Unpaid);
}

/// A refund of as much as was released can be either. The provider's own sum decides.
#[tokio::test]
async fn refund_equal_to_released_rest_is_decided_by_sum_of_charge() {
    let captured =
        |refunded| charge(&json!({"amount_captured": 1500, "amount_refunded": refunded}));
    let paid = event(
        60,
        "payment_intent.succeeded",
        &intent(
            "succeeded",
            &json!({"amount_received": 1500, "amount_capturable": 0}),
        ),
    );
    let undecided = [
        paid.clone(),
        event(80, "refund.created", &refund_of(1500, 80)),
    ];
    let record = in_every_order(3000, &undecided).await;
    assert_eq!(sums(&record), (1500, 0, 1500));
    assert!(record.payments[0].ledger.has_undecided_refund());

    let released = [
        &undecided[..],
        &[event(80, "charge.captured", &captured(1500))],
    ]
    .concat();
    let record = in_every_order(3000, &released).await;
    assert_eq!(sums(&record), (1500, 0, 1500));
    assert!(!record.payments[0].ledger.has_undecided_refund());

    let refunded = [
        &undecided[..],
        &[event(80, "charge.refunded", &captured(3000))],
    ]
    .concat();
    let record = in_every_order(3000, &refunded).await;
    assert_eq!(sums(&record), (1500, 1500, 3000));
    assert!(!record.payments[0].ledger.has_undecided_refund());
}

#[tokio::test]
async fn void_and_partial_capture_at_stripe_send_no_refunded_confirmation() {
    for are_sent in [true, false] {
        let shop = Shop::open().await;
        shop.account.lock().set_release_events(are_sent);
        let id = shop.held("A", 2000).await;
        shop.cashier.capture(&capture(&id, 500, "c")).await.unwrap();
        let voided = shop.held("B", 1000).await;
        shop.cashier.void(&voided).await.unwrap();
        shop.deliver().await;
        for _ in 0..3 {
            let confirmed = shop.confirmed().await;
            let told = |kind: &String| kind.starts_with("refund");
            assert!(!confirmed.iter().any(told), "{confirmed:?}");
            let left = |record: OrderRecord<Test>| record.left_to_pay().unwrap().minor();
            assert_eq!(left(shop.record("A").await), 1500);
            assert_eq!(left(shop.record("B").await), 1000);
            shop.account.wait(flow::DAY);
            shop.cashier.sweep().await.unwrap();
        }
    }
}

#[tokio::test]
async fn report_without_charge_keeps_refunds_and_capture_deadline() {
    let details = json!({"card": {"capture_before": START + 500_000}});
    let held = charge(&json!({
        "captured": false, "amount_captured": 0, "amount_refunded": 0,
        "payment_method_details": details,
    }));
    let partly = json!({"amount_received": 1000, "amount_capturable": 2000});
    let record = in_every_order(
        3000,
        &[
            event(50, "charge.succeeded", &held),
            event(
                60,
                "payment_intent.amount_capturable_updated",
                &intent("requires_capture", &partly),
            ),
            event(
                70,
                "charge.refunded",
                &charge(&json!({"amount_captured": 1000, "amount_refunded": 300})),
            ),
            event(
                80,
                "payment_intent.amount_capturable_updated",
                &intent("requires_capture", &partly),
            ),
        ],
    )
    .await;
    assert_eq!(sums(&record), (1000, 300, 2300));
    let payment = record.payments[0].ledger.payment().unwrap();
    // The charge does not have what is still held: the intent does.
    assert_eq!(payment.capturable.minor(), 2000);
    let deadline = Timestamp::from_unix(START + 500_000);
    assert_eq!(payment.capture_before, Some(deadline));
}

#[tokio::test]
async fn voucher_is_pending_and_neither_closed_nor_paid_twice() {
    for (kind, url) in [
        ("oxxo_display_details", "hosted_voucher_url"),
        ("boleto_display_details", "hosted_voucher_url"),
        ("konbini_display_details", "hosted_voucher_url"),
        ("multibanco_display_details", "hosted_voucher_url"),
        (
            "display_bank_transfer_instructions",
            "hosted_instructions_url",
        ),
        // Small deposits take days, and a voucher may be of a kind of tomorrow.
        ("verify_with_microdeposits", "hosted_verification_url"),
        ("corner_shop_display_details", "hosted_voucher_url"),
    ] {
        let shop = Shop::open().await;
        shop.cashier.place(&order("T"), eur(3000)).await.unwrap();
        let mut action = json!({"type": kind});
        action[kind] = json!({url: "https://payments.stripe.com/voucher"});
        for sibling in [
            "redirect_to_url",
            "alipay_handle_redirect",
            "pix_display_qr_code",
        ] {
            action[sibling] = Value::Null;
        }
        let waiting = intent(
            "requires_action",
            &json!({"amount_received": 0, "latest_charge": null, "next_action": action}),
        );
        receive(
            &shop,
            &event(60, "payment_intent.requires_action", &waiting),
        )
        .await;
        assert_eq!(shop.standing("T").await, Standing::Pending, "{kind}");
        let record = shop.record("T").await;
        let payment = record.payments[0].ledger.payment().unwrap();
        assert_eq!(payment.status, PaymentStatus::Pending);
        let error = shop.cashier.check_out(&page("T", 3000)).await.unwrap_err();
        assert_eq!(kind_of(error), ErrorKind::Conflict, "{kind}");
        shop.cashier.close(&order("T")).await.unwrap_err();
        assert!(shop.record("T").await.order.closed_at.is_none());
    }
}
