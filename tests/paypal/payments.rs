//! Orders begun and read, holds captured and let go.

use std::sync::Arc;

use counterfoil::error::DeclineReason;
use counterfoil::id::{CommandId, Namespace, OrderId};
use counterfoil::payment::{NextAction, Payment, PaymentStatus};
use counterfoil::providers::paypal::PayPal;
use counterfoil::request::{CaptureRequest, Checkout, CreateRequest};
use counterfoil::{Effect, ErrorKind, Test};
use http::Method;
use serde_json::{Value, json};

use crate::answers::{
    self, CAPTURE, HOLD, ORDER, ORDER_PATH, REFUND, capture, hold, order, refund,
};
use crate::script::{self, Reply, Script, body, header, id, money};

fn request(amount: &str) -> CreateRequest {
    let page = Checkout::hosted("https://shop.example/done", "https://shop.example/cart");
    CreateRequest::new(OrderId::new("A-1").unwrap(), money(amount), page)
}

fn capture_request(amount: &str, command: &str) -> CaptureRequest<Test> {
    CaptureRequest::new(id(ORDER), money(amount), CommandId::new(command).unwrap())
}

/// How an order reads.
async fn read(answer: Value) -> counterfoil::Result<Payment<Test>> {
    let script = Arc::new(Script::default());
    script.json(&format!("GET {ORDER_PATH}"), 200, answer);
    script::provider(&script).fetch_payment(&id(ORDER)).await
}

#[tokio::test]
async fn an_order_is_begun_with_reference_key_and_page() {
    let script = Arc::new(Script::default());
    let created = order("AUTHORIZE", "PAYER_ACTION_REQUIRED", json!({}));
    script.json("POST /v2/checkout/orders", 201, created);
    let provider = script::provider(&script);
    let request = request("20.00 EUR")
        .with_manual_capture()
        .with_description("Two chairs")
        .with_email("a@shop.example");
    let payment = provider.create(&request).await.unwrap();
    assert_eq!(payment.status, PaymentStatus::ActionRequired);
    assert!(payment.is_checkout);
    let Some(NextAction::Redirect { url }) = &payment.next_action else {
        panic!("{payment:?}")
    };
    assert!(url.contains("checkoutnow"));

    let sent = script.take().remove(0);
    let expected = json!({
        "intent": "AUTHORIZE",
        "purchase_units": [{
            "amount": {"currency_code": "EUR", "value": "20.00"},
            "custom_id": "shop:A-1:1", "invoice_id": "shop:A-1:1", "description": "Two chairs",
        }],
        "payment_source": {"paypal": {
            "email_address": "a@shop.example",
            "experience_context": {
                "user_action": "PAY_NOW", "return_url": "https://shop.example/done",
                "cancel_url": "https://shop.example/cart",
            },
        }},
    });
    assert_eq!(body(&sent), expected);
    assert_eq!(header(&sent, "prefer"), "return=representation");
    assert_eq!(header(&sent, "paypal-request-id").len(), 43);
    assert_eq!(header(&sent, "authorization"), "Bearer token-1");
    assert_eq!(sent.uri().host(), Some("api-m.sandbox.paypal.com"));
}

#[tokio::test]
async fn what_paypal_lacks_is_refused_before_anything_is_sent() {
    let script = Arc::new(Script::default());
    let provider = script::provider(&script);
    let long = "x".repeat(128);
    for (request, kind) in [
        (
            request("20.00 EUR").with_metadata("a", "b"),
            ErrorKind::Unsupported,
        ),
        (
            request("20.00 EUR").with_expiry(script::NOW),
            ErrorKind::Unsupported,
        ),
        (request("18.600 KWD"), ErrorKind::Unsupported),
        (request("20.50 HUF"), ErrorKind::InvalidRequest),
        (
            request("20.00 EUR").with_description(long),
            ErrorKind::InvalidRequest,
        ),
    ] {
        let error = provider.create(&request).await.unwrap_err();
        assert_eq!(error.kind(), &kind, "{error}");
    }
    assert_eq!((script.lines().len(), script.tokens()), (0, 0));
}

#[tokio::test]
async fn a_token_is_fetched_once_and_again_when_it_is_refused() {
    let script = Arc::new(Script::default());
    let get = format!("GET {ORDER_PATH}");
    script.json(&get, 200, answers::paid());
    script.json(&get, 401, json!({"name": "AUTHENTICATION_FAILURE"}));
    script.json(&get, 200, answers::paid());
    let provider = script::provider(&script);
    for _ in 0..3 {
        provider.clone().fetch_payment(&id(ORDER)).await.unwrap();
    }
    assert_eq!(script.tokens(), 2);
    let bearers: Vec<_> = script
        .take()
        .iter()
        .map(|r| header(r, "authorization").to_owned())
        .collect();
    assert_eq!(
        bearers,
        [
            "Bearer token-1",
            "Bearer token-1",
            "Bearer token-2",
            "Bearer token-2"
        ]
    );
}

#[tokio::test]
async fn credentials_of_the_other_mode_are_told_as_that() {
    let script = Arc::new(Script::default());
    let refused = json!({"error": "invalid_client", "error_description": "secret-of-the-shop"});
    script.json("POST /v1/oauth2/token", 401, refused);
    let error = script::provider(&script)
        .create(&request("20.00 EUR"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Credentials);
    assert_eq!(error.effect(), Effect::NotApplied);
    let text = format!("{error} {error:?}");
    assert!(
        text.contains("live app") && text.contains("sandbox"),
        "{text}"
    );
    assert!(!text.contains("secret-of-the-shop"), "{text}");
    assert_eq!(script.lines(), [""; 0]);
}

#[tokio::test]
async fn every_state_of_an_order_is_read() {
    let refused = |status: &str| {
        let mut refused = capture(CAPTURE, status, "20.00");
        refused["processor_response"] = json!({"response_code": "5120"});
        json!({"captures": [refused]})
    };
    let captured = |status: &str| json!({"captures": [capture(CAPTURE, status, "20.00")]});
    let held = |status: &str| json!({"authorizations": [hold(status, "20.00")]});
    let mut lapsed = hold("CREATED", "20.00");
    lapsed["expiration_time"] = "2026-11-16T11:59:59Z".into();
    for (status, payments, expected, taken) in [
        ("CREATED", json!({}), "Created", 0),
        ("SAVED", json!({}), "Created", 0),
        ("PAYER_ACTION_REQUIRED", json!({}), "ActionRequired", 0),
        ("APPROVED", json!({}), "Approved", 0),
        ("VOIDED", json!({}), "Canceled", 0),
        ("COMPLETED", json!({}), "Pending", 0),
        ("OF_TOMORROW", json!({}), "Unrecognized", 0),
        ("COMPLETED", captured("COMPLETED"), "Captured", 2000),
        (
            "COMPLETED",
            // How much is left, nobody says.
            captured("PARTIALLY_REFUNDED"),
            "Unrecognized",
            0,
        ),
        ("COMPLETED", captured("REFUNDED"), "Captured", 2000),
        ("COMPLETED", captured("PENDING"), "Pending", 0),
        ("COMPLETED", captured("OF_TOMORROW"), "Unrecognized", 0),
        ("COMPLETED", refused("DECLINED"), "Failed", 0),
        ("COMPLETED", refused("FAILED"), "Failed", 0),
        // The approval was spent, until the shopper approves again.
        ("APPROVED", refused("DECLINED"), "Failed", 0),
        ("COMPLETED", held("CREATED"), "Authorized", 0),
        ("COMPLETED", held("PENDING"), "Pending", 0),
        ("COMPLETED", held("DENIED"), "Failed", 0),
        ("COMPLETED", held("VOIDED"), "Canceled", 0),
        ("COMPLETED", held("OF_TOMORROW"), "Unrecognized", 0),
        (
            "COMPLETED",
            json!({"authorizations": [lapsed]}),
            "Expired",
            0,
        ),
    ] {
        let payment = read(order("CAPTURE", status, payments.clone()))
            .await
            .unwrap();
        let found = format!("{:?}", payment.status);
        assert!(found.starts_with(expected), "{status} {payments}: {found}");
        assert_eq!(payment.captured.minor(), taken, "{status} {payments}");
        assert_eq!(payment.reference.unwrap().to_string(), "shop:A-1:1");
    }
    let mut again = order("CAPTURE", "APPROVED", refused("DECLINED"));
    again["update_time"] = "2026-11-16T11:45:00Z".into();
    assert_eq!(read(again).await.unwrap().status, PaymentStatus::Approved);
    let failed = read(order("CAPTURE", "COMPLETED", refused("DECLINED")))
        .await
        .unwrap();
    let PaymentStatus::Failed(decline) = failed.status else {
        panic!("{failed:?}")
    };
    assert_eq!(decline.reason, DeclineReason::InsufficientFunds);
}

#[tokio::test]
async fn an_answer_that_links_to_the_live_host_is_refused() {
    let live = answers::paid().to_string().replace(".sandbox", "");
    let error = read(serde_json::from_str(&live).unwrap())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::WrongMode);
}

#[tokio::test]
async fn order_authorization_and_capture_lead_to_one_payment() {
    let script = Arc::new(Script::default());
    let payments = json!({
        "authorizations": [hold("PARTIALLY_CAPTURED", "20.00")],
        "captures": [capture(CAPTURE, "COMPLETED", "12.00")],
    });
    script.json(
        &format!("GET {ORDER_PATH}"),
        200,
        order("AUTHORIZE", "COMPLETED", payments),
    );
    let of_capture = capture(CAPTURE, "COMPLETED", "12.00");
    script.json(
        &format!("GET /v2/payments/captures/{CAPTURE}"),
        200,
        of_capture,
    );
    let of_hold = hold("PARTIALLY_CAPTURED", "20.00");
    script.json(
        &format!("GET /v2/payments/authorizations/{HOLD}"),
        200,
        of_hold,
    );
    let provider = script::provider(&script);
    for name in [ORDER, HOLD, CAPTURE] {
        let payment = provider.fetch_payment(&id(name)).await.unwrap();
        assert_eq!(payment.id.raw(), ORDER);
        assert!(payment.ids().any(|id| id.raw() == name));
        let sums = (payment.captured.minor(), payment.capturable.minor());
        assert_eq!(
            (sums, payment.status),
            ((1200, 800), PaymentStatus::Captured),
            "{name}"
        );
    }
    let nobodys = provider.fetch_payment(&id("NOBODYS")).await.unwrap_err();
    assert_eq!(nobodys.kind(), &ErrorKind::NotFound);
    script.take();
    let impossible = provider.fetch_payment(&id("lower-case")).await.unwrap_err();
    assert_eq!(impossible.kind(), &ErrorKind::NotFound);
    assert_eq!(script.lines(), [""; 0]);
}

#[tokio::test]
async fn a_capture_carries_a_mark_and_is_found_by_it() {
    let script = Arc::new(Script::default());
    let get = format!("GET {ORDER_PATH}");
    let post = format!("POST /v2/payments/authorizations/{HOLD}/capture");
    script.json(&get, 200, answers::held());
    script.on(&post, Reply::Lost);
    let provider = script::provider(&script);
    let request = capture_request("12.00 EUR", "ship").keeping_the_rest();
    let lost = provider.capture(&request).await.unwrap_err();
    assert_eq!(lost.effect(), Effect::Unknown);
    let sent = script.take();
    let sent: Vec<_> = sent.iter().filter(|r| r.method() == Method::POST).collect();
    let [first, again] = sent.as_slice() else {
        panic!("{} times", sent.len())
    };
    assert_eq!(
        header(first, "paypal-request-id"),
        header(again, "paypal-request-id")
    );
    let mark = body(first)["invoice_id"].clone();
    assert!(mark.as_str().unwrap().starts_with("shop:A-1:1:"), "{mark}");
    assert_eq!(body(first)["final_capture"], false);

    // It had been done: the capture with that mark is there, and nothing is sent again.
    let mut done = capture(CAPTURE, "COMPLETED", "12.00");
    done["invoice_id"] = mark;
    let payments = json!({
        "authorizations": [hold("PARTIALLY_CAPTURED", "20.00")], "captures": [done],
    });
    let script = Arc::new(Script::default());
    script.json(&get, 200, order("AUTHORIZE", "COMPLETED", payments));
    let change = script::provider(&script).capture(&request).await.unwrap();
    assert_eq!(change.payment().unwrap().captured.minor(), 1200);
    assert!(
        script
            .take()
            .iter()
            .all(|request| request.method() == Method::GET)
    );
}

#[tokio::test]
async fn a_capture_beyond_the_hold_or_in_another_currency_is_not_sent() {
    let script = Arc::new(Script::default());
    script.json(&format!("GET {ORDER_PATH}"), 200, answers::held());
    let provider = script::provider(&script);
    for amount in ["20.01 EUR", "20.00 USD"] {
        let error = provider
            .capture(&capture_request(amount, amount))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::InvalidRequest);
    }
    assert!(
        script
            .take()
            .iter()
            .all(|request| request.method() == Method::GET)
    );
}

#[tokio::test]
async fn a_capture_of_another_amount_under_the_same_command_is_refused() {
    let post = format!("POST /v2/payments/authorizations/{HOLD}/capture");
    let script = Arc::new(Script::default());
    script.json(&format!("GET {ORDER_PATH}"), 200, answers::held());
    // PayPal answers a key that it knows with what was made under it.
    script.json(&post, 200, capture(CAPTURE, "COMPLETED", "12.00"));
    let ask = capture_request("15.00 EUR", "ship").keeping_the_rest();
    let refused = script::provider(&script).capture(&ask).await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.effect()),
        (&ErrorKind::Conflict, Effect::Applied)
    );

    // And so after a restart, when the order shows what the command has captured.
    let mut done = capture(CAPTURE, "COMPLETED", "12.00");
    let sent = script.take();
    let sent = sent.iter().find(|request| request.method() == Method::POST);
    done["invoice_id"] = body(sent.unwrap())["invoice_id"].clone();
    let payments = json!({
        "authorizations": [hold("PARTIALLY_CAPTURED", "20.00")], "captures": [done],
    });
    let script = Arc::new(Script::default());
    let taken = order("AUTHORIZE", "COMPLETED", payments);
    script.json(&format!("GET {ORDER_PATH}"), 200, taken);
    let refused = script::provider(&script).capture(&ask).await.unwrap_err();
    assert_eq!(refused.kind(), &ErrorKind::Conflict);
    assert_eq!(script.lines(), [format!("GET {ORDER_PATH}")]);
}

#[tokio::test]
async fn a_capture_that_was_made_and_is_not_shown_yet_is_unknown() {
    let script = Arc::new(Script::default());
    script.json(&format!("GET {ORDER_PATH}"), 200, answers::held());
    let post = format!("POST /v2/payments/authorizations/{HOLD}/capture");
    script.refuse(&post, 422, "DUPLICATE_INVOICE_ID");
    let ask = capture_request("20.00 EUR", "ship");
    let refused = script::provider(&script).capture(&ask).await.unwrap_err();
    assert_eq!(refused.effect(), Effect::Unknown);
}

#[tokio::test]
async fn a_refused_capture_is_a_decline_and_the_hold_stands() {
    let script = Arc::new(Script::default());
    script.json(&format!("GET {ORDER_PATH}"), 200, answers::held());
    let refused = capture(CAPTURE, "DECLINED", "20.00");
    script.json(
        &format!("POST /v2/payments/authorizations/{HOLD}/capture"),
        201,
        refused,
    );
    let error = script::provider(&script)
        .capture(&capture_request("20.00 EUR", "ship"))
        .await
        .unwrap_err();
    assert!(error.decline().is_some(), "{error}");
    assert_eq!(error.payment::<Test>().unwrap().raw(), ORDER);
}

#[tokio::test]
async fn a_hold_is_voided_and_what_was_captured_is_not() {
    let script = Arc::new(Script::default());
    let get = format!("GET {ORDER_PATH}");
    script.json(&get, 200, answers::held());
    let gone = json!({"authorizations": [hold("VOIDED", "20.00")]});
    script.json(&get, 200, order("AUTHORIZE", "COMPLETED", gone));
    let post = format!("POST /v2/payments/authorizations/{HOLD}/void");
    script.json(&post, 200, hold("VOIDED", "20.00"));
    let provider = script::provider(&script);
    let voided = provider.void(&id(ORDER)).await.unwrap();
    assert_eq!(voided.payment().unwrap().status, PaymentStatus::Canceled);
    let sent = script.take();
    assert!(sent[1].body().is_empty());
    // Voided again, it is voided.
    let again = provider.void(&id(ORDER)).await.unwrap();
    assert_eq!(again.payment().unwrap().status, PaymentStatus::Canceled);
    assert!(
        script
            .take()
            .iter()
            .all(|request| request.method() == Method::GET)
    );

    let script = Arc::new(Script::default());
    script.json(&get, 200, answers::paid());
    let error = script::provider(&script)
        .void(&id(ORDER))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Conflict);
    let script = Arc::new(Script::default());
    script.json(&get, 200, order("CAPTURE", "CREATED", json!({})));
    let error = script::provider(&script)
        .void(&id(ORDER))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Unsupported);
    assert_eq!(script.lines(), [get]);
}

#[tokio::test]
async fn a_void_of_the_rest_is_done_once_however_often_it_is_asked_for() {
    let get = format!("GET {ORDER_PATH}");
    let post = format!("POST /v2/payments/authorizations/{HOLD}/void");
    let taken_of = |hold: Value| {
        let payments = json!({
            "authorizations": [hold], "captures": [capture(CAPTURE, "COMPLETED", "12.00")],
        });
        order("AUTHORIZE", "COMPLETED", payments)
    };
    let script = Arc::new(Script::default());
    script.json(&get, 200, taken_of(hold("PARTIALLY_CAPTURED", "20.00")));
    script.json(&get, 200, taken_of(hold("VOIDED", "20.00")));
    script.json(&post, 200, hold("VOIDED", "20.00"));
    let provider = script::provider(&script);
    for posts in [1, 0] {
        let voided = provider.void(&id(ORDER)).await.unwrap();
        let payment = voided.payment().unwrap();
        assert_eq!(payment.status, PaymentStatus::Captured);
        assert_eq!(
            (payment.captured.minor(), payment.capturable.minor()),
            (1200, 0)
        );
        let sent = script.take();
        let sent = sent.iter().filter(|r| r.method() == Method::POST);
        assert_eq!(sent.count(), posts);
    }

    // Another was faster, between the look and the void.
    let script = Arc::new(Script::default());
    script.json(&get, 200, taken_of(hold("PARTIALLY_CAPTURED", "20.00")));
    script.json(&get, 200, taken_of(hold("VOIDED", "20.00")));
    script.refuse(&post, 422, "PREVIOUSLY_VOIDED");
    assert!(script::provider(&script).void(&id(ORDER)).await.is_ok());

    // What has lapsed needs no letting go; what was taken whole cannot be.
    let mut lapsed = hold("PARTIALLY_CAPTURED", "20.00");
    lapsed["expiration_time"] = "2026-11-16T11:59:59Z".into();
    let script = Arc::new(Script::default());
    script.json(&get, 200, taken_of(lapsed));
    assert!(script::provider(&script).void(&id(ORDER)).await.is_ok());
    let script = Arc::new(Script::default());
    script.json(&get, 200, taken_of(hold("CAPTURED", "20.00")));
    let error = script::provider(&script).void(&id(ORDER)).await;
    assert_eq!(error.unwrap_err().kind(), &ErrorKind::Conflict);
}

#[tokio::test]
async fn a_capture_alone_never_says_that_nothing_went_back_where_a_part_did() {
    let script = Arc::new(Script::default());
    let path = format!("GET /v2/payments/captures/{CAPTURE}");
    script.json(&path, 200, capture(CAPTURE, "PARTIALLY_REFUNDED", "20.00"));
    let provider = script::provider(&script);
    let alone = provider.fetch_payment(&id(CAPTURE)).await.unwrap();
    let unknown = PaymentStatus::Unrecognized("PARTIALLY_REFUNDED".into());
    assert_eq!((alone.status, alone.captured.minor()), (unknown, 0));
    // Its order tells how much.
    let payments = json!({
        "captures": [capture(CAPTURE, "PARTIALLY_REFUNDED", "20.00")],
        "refunds": [refund(REFUND, CAPTURE, "COMPLETED", "5.00", "")],
    });
    script.json(
        &format!("GET {ORDER_PATH}"),
        200,
        order("CAPTURE", "COMPLETED", payments),
    );
    let whole = provider.fetch_payment(&id(CAPTURE)).await.unwrap();
    assert_eq!(whole.status, PaymentStatus::Captured);
    assert_eq!(
        (whole.captured.minor(), whole.refunded.minor()),
        (2000, 500)
    );
}

#[tokio::test]
async fn an_amount_is_held_anew_once_under_a_command() {
    let script = Arc::new(Script::default());
    script.json(&format!("GET {ORDER_PATH}"), 200, answers::held());
    let post = format!("POST /v2/payments/authorizations/{HOLD}/reauthorize");
    script.json(&post, 201, hold("CREATED", "20.00"));
    let paypal = PayPal::new(script::config(&script)).unwrap();
    let command = CommandId::new("day four").unwrap();
    let mut keys = Vec::new();
    for _ in 0..2 {
        let held = paypal
            .reauthorize(&id(ORDER), money("20.00 EUR"), &command)
            .await;
        assert_eq!(held.unwrap().status, PaymentStatus::Authorized);
        let sent = script.take();
        let post = sent.iter().find(|r| r.method() == Method::POST).unwrap();
        assert_eq!(body(post), json!({"amount": answers::amount("20.00")}));
        keys.push(header(post, "paypal-request-id").to_owned());
    }
    assert_eq!(keys[0], keys[1]);
    let more = paypal
        .reauthorize(&id(ORDER), money("20.01 EUR"), &command)
        .await;
    assert_eq!(more.unwrap_err().kind(), &ErrorKind::InvalidRequest);
    // A clone is the provider that the host holds.
    let provider = paypal.into_provider(Namespace::new("shop").unwrap());
    assert!(provider.fetch_payment(&id(ORDER)).await.is_ok());
    assert_eq!(script.tokens(), 1);
}
