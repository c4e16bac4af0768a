//! How payments begin: what is sent, and what the answers of Adyen's specification come to.

use counterfoil::error::{DeclineReason, Effect, ErrorKind};
use counterfoil::id::OrderId;
use counterfoil::payment::{NextAction, PaymentStatus};
use counterfoil::request::{Checkout, CreateRequest, DirectMethod, Presence};
use counterfoil::{Secret, Test};
use serde_json::{Value, json};

use crate::shop::{ACCOUNT, NOW, Shop, creation_key, hosted, money, reference};

const TEST: &str = "https://checkout-test.adyen.com/v72";

/// What Adyen's form makes of a test card.
fn encrypted() -> Value {
    json!({
        "paymentMethod": {
            "type": "scheme",
            "encryptedCardNumber": "test_4111111111111111",
            "encryptedExpiryMonth": "test_03",
            "encryptedExpiryYear": "test_2030",
            "encryptedSecurityCode": "test_737",
        },
        "browserInfo": {"userAgent": "Mozilla/5.0"},
        "clientStateDataIndicator": true,
    })
}

fn direct(order: &str, amount: &str, token: &Value) -> CreateRequest {
    let checkout = Checkout::token(token.to_string(), "https://shop.example/done");
    CreateRequest::new(OrderId::new(order).unwrap(), money(amount), checkout)
}

fn link(status: &str) -> Value {
    json!({
        "id": "PL61C53A8B97E6915A",
        "amount": {"currency": "EUR", "value": 1999},
        "expiresAt": "2026-11-17T12:00:00Z",
        "merchantAccount": ACCOUNT,
        "reference": "shop:A-1:1",
        "status": status,
        "url": "https://test.adyen.link/PL61C53A8B97E6915A",
        "a_field_of_tomorrow": {"x": [1]},
    })
}

#[tokio::test]
async fn a_hosted_payment_is_a_payment_link() {
    let shop = Shop::open();
    shop.wire.answer(201, &link("active"));
    let request = hosted("A-1", "19.99 EUR").with_description("Two tickets");
    let payment = shop.provider.create(&request).await.unwrap();
    let (line, key, body) = shop.wire.only_request();
    assert_eq!(line, format!("POST {TEST}/paymentLinks"));
    assert_eq!(key.as_deref(), Some(creation_key("A-1").as_str()));
    let expected = json!({
        "merchantAccount": ACCOUNT,
        "amount": {"value": 1999, "currency": "EUR"},
        "reference": "shop:A-1:1",
        "returnUrl": "https://shop.example/done",
        "captureDelayHours": 0,
        "description": "Two tickets",
    });
    assert_eq!(body, expected);
    assert_eq!(
        (payment.id.raw(), payment.is_checkout),
        ("PL61C53A8B97E6915A", true)
    );
    assert_eq!(
        (&payment.status, payment.captured.minor()),
        (&PaymentStatus::Created, 0)
    );
    let expires_at = payment.expires_at.unwrap().to_string();
    assert_eq!(expires_at, "2026-11-17T12:00:00Z");
    let url = "https://test.adyen.link/PL61C53A8B97E6915A";
    assert!(matches!(payment.next_action, Some(NextAction::Redirect { url: to }) if to == url));
}

#[tokio::test]
async fn a_payment_that_is_held_says_so_in_what_is_signed() {
    let shop = Shop::open();
    let mut held = link("active");
    held["reference"] = "shop:A-1:1:held".into();
    shop.wire.answer(201, &held);
    let request = hosted("A-1", "19.99 EUR").with_manual_capture();
    let payment = shop.provider.create(&request).await.unwrap();
    assert_eq!(payment.reference, Some(reference("A-1")));
    let (_, _, body) = shop.wire.only_request();
    assert_eq!(body["reference"], "shop:A-1:1:held");
    assert_eq!(
        (&body["manualCapture"], &body["captureDelayHours"]),
        (&json!(true), &Value::Null)
    );

    let authorised = json!({"pspReference": "993617895204576J", "resultCode": "Authorised"});
    shop.wire.answer(200, &authorised);
    let request = direct("A-2", "19.99 EUR", &encrypted()).with_manual_capture();
    let payment = shop.provider.create(&request).await.unwrap();
    assert_eq!(payment.status, PaymentStatus::Authorized);
    assert_eq!(
        (payment.capturable.minor(), payment.captured.minor()),
        (1999, 0)
    );
    let (_, _, body) = shop.wire.only_request();
    assert_eq!(body["additionalData"]["manualCapture"], "true");
}

#[tokio::test]
async fn an_embedded_payment_is_a_session() {
    let shop = Shop::open();
    let session = json!({
        "amount": {"currency": "EUR", "value": 1999},
        "expiresAt": "2026-11-16T13:53:18+01:00",
        "id": "CS451F2AB1ED897A94",
        "merchantAccount": ACCOUNT,
        "reference": "shop:A-1:1",
        "returnUrl": "https://shop.example/done",
        "sessionData": "Ab02b4c0!BQABAgBfYI29",
    });
    shop.wire.answer(201, &session);
    let checkout = Checkout::embedded("https://shop.example/done");
    let request = CreateRequest::new(OrderId::new("A-1").unwrap(), money("19.99 EUR"), checkout);
    let payment = shop.provider.create(&request).await.unwrap();
    let (line, _, body) = shop.wire.only_request();
    assert_eq!(line, format!("POST {TEST}/sessions"));
    assert_eq!(
        (&body["channel"], &body["reference"]),
        (&json!("Web"), &json!("shop:A-1:1"))
    );
    assert_eq!(payment.id.raw(), "CS451F2AB1ED897A94");
    let Some(NextAction::UseSdk { client_secret }) = payment.next_action else {
        panic!("the form needs the session's data");
    };
    assert_eq!(client_secret.expose(), "Ab02b4c0!BQABAgBfYI29");

    let result = json!({"id": "CS451F2AB1ED897A94", "status": "completed"});
    shop.wire.answer(200, &result);
    let status = shop
        .adyen
        .session_status(&payment.id, "X3XtfGC9&x=1")
        .await
        .unwrap();
    assert_eq!(status, PaymentStatus::Pending);
    let (line, _, _) = shop.wire.only_request();
    let path = format!("GET {TEST}/sessions/CS451F2AB1ED897A94?sessionResult=X3XtfGC9%26x%3D1");
    assert_eq!(line, path);
}

#[tokio::test]
async fn a_payment_by_token_sends_what_the_form_has_encrypted_and_nothing_plain() {
    let shop = Shop::open();
    let authorised = json!({
        "pspReference": "993617895204576J", "resultCode": "Authorised",
        "amount": {"currency": "EUR", "value": 1999}, "merchantReference": "shop:A-1:1",
    });
    shop.wire.answer(200, &authorised);
    let payment = shop
        .provider
        .create(&direct("A-1", "19.99 EUR", &encrypted()))
        .await
        .unwrap();
    assert_eq!(
        (&payment.status, payment.captured.minor()),
        (&PaymentStatus::Captured, 1999)
    );
    let (line, _, body) = shop.wire.only_request();
    assert_eq!(line, format!("POST {TEST}/payments"));
    assert_eq!(body["paymentMethod"], encrypted()["paymentMethod"]);
    assert_eq!(body["browserInfo"], encrypted()["browserInfo"]);
    assert_eq!(body["clientStateDataIndicator"], Value::Null);
    assert_eq!(body["returnUrl"], "https://shop.example/done");

    for token in [
        json!({"type": "scheme", "number": "4111111111111111", "cvc": "737"}),
        json!({"paymentMethod": {"type": "scheme", "expiryMonth": "03"}}),
        json!({"paymentMethod": "scheme"}),
        json!("tok_visa"),
        json!([]),
    ] {
        let refused = shop
            .provider
            .create(&direct("A-2", "1.00 EUR", &token))
            .await
            .unwrap_err();
        assert_eq!(refused.kind(), &ErrorKind::InvalidRequest, "{token}");
        assert!(!format!("{refused:?}").contains("4111"));
    }
    assert!(shop.wire.requests().is_empty());
}

#[tokio::test]
async fn a_saved_method_is_charged_with_the_shopper_absent() {
    let shop = Shop::open();
    shop.wire.answer(
        200,
        &json!({"pspReference": "993617895204576J", "resultCode": "Authorised"}),
    );
    let checkout = Checkout::Direct {
        method: DirectMethod::Saved {
            customer: "customer-1".into(),
            method: "M5N7TQ4TG5PFWR50".into(),
        },
        presence: Presence::OffSession,
        return_url: None,
    };
    let request = CreateRequest::new(OrderId::new("A-1").unwrap(), money("19.99 EUR"), checkout);
    shop.provider.create(&request).await.unwrap();
    let (_, _, body) = shop.wire.only_request();
    assert_eq!(body["shopperInteraction"], "ContAuth");
    assert_eq!(body["recurringProcessingModel"], "UnscheduledCardOnFile");
    assert_eq!(body["shopperReference"], "customer-1");
    assert_eq!(
        body["paymentMethod"]["storedPaymentMethodId"],
        "M5N7TQ4TG5PFWR50"
    );
}

#[tokio::test]
async fn a_refusal_names_its_reason_and_its_payment() {
    let shop = Shop::open();
    let refused = json!({
        "pspReference": "8836180492420002", "resultCode": "Refused",
        "refusalReason": "Not enough balance", "refusalReasonCode": "12",
    });
    shop.wire.answer(200, &refused);
    let error = shop
        .provider
        .create(&direct("A-1", "19.99 EUR", &encrypted()))
        .await
        .unwrap_err();
    assert_eq!(
        error.decline().unwrap().reason,
        DeclineReason::InsufficientFunds
    );
    assert_eq!(error.effect(), Effect::NotApplied);
    assert_eq!(error.payment::<Test>().unwrap().raw(), "8836180492420002");

    // Of an error nobody knows how it ended.
    shop.wire.answer(
        200,
        &json!({"pspReference": "8836180492420002", "resultCode": "Error"}),
    );
    let error = shop
        .provider
        .create(&direct("A-2", "19.99 EUR", &encrypted()))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.effect()),
        (&ErrorKind::Unavailable, Effect::Unknown)
    );
    assert!(error.decline().is_none() && error.payment::<Test>().is_some());
}

#[tokio::test]
async fn a_challenge_goes_on_with_its_details() {
    let shop = Shop::open();
    let challenge = json!({
        "resultCode": "IdentifyShopper",
        "action": {"type": "threeDS2", "token": "eyJ0aHJl", "subtype": "fingerprint"},
    });
    shop.wire.answer(200, &challenge);
    let request = direct("A-1", "19.99 EUR", &encrypted());
    let payment = shop.provider.create(&request).await.unwrap();
    assert_eq!(payment.status, PaymentStatus::ActionRequired);
    // Adyen has not named it yet.
    assert!(payment.is_checkout);
    assert_eq!(payment.id.raw(), creation_key("A-1").as_str());
    let Some(NextAction::UseSdk { client_secret }) = &payment.next_action else {
        panic!("the form needs the action");
    };
    assert!(client_secret.expose().contains("fingerprint"));
    shop.wire.requests();

    shop.wire.answer(
        200,
        &json!({"pspReference": "V4HZ4RBFJGXXGN82", "resultCode": "Authorised"}),
    );
    let key = creation_key("A-1").for_step("details");
    let of = reference("A-1");
    let details = Secret::new(r#"{"details":{"threeDSResult":"eyJ0"},"more":1}"#);
    let paid = shop.adyen.submit_details(&request, &of, &details, &key);
    let paid = paid.await.unwrap();
    assert_eq!(
        (paid.id.raw(), &paid.status),
        ("V4HZ4RBFJGXXGN82", &PaymentStatus::Captured)
    );
    assert!(paid.is_same_as(&payment));
    let (line, sent, body) = shop.wire.only_request();
    assert_eq!(line, format!("POST {TEST}/payments/details"));
    assert_eq!(sent.as_deref(), Some(key.as_str()));
    assert_eq!(body, json!({"details": {"threeDSResult": "eyJ0"}}));

    let nothing = Secret::new("redirectResult=X6XtfGC3");
    let refused = shop.adyen.submit_details(&request, &of, &nothing, &key);
    assert_eq!(
        refused.await.unwrap_err().kind(),
        &ErrorKind::InvalidRequest
    );
}

#[tokio::test]
async fn a_part_that_was_authorised_is_not_taken_for_the_whole() {
    let shop = Shop::open();
    let part = json!({
        "pspReference": "993617895204576J", "resultCode": "PartiallyAuthorised",
        "amount": {"currency": "EUR", "value": 500},
    });
    shop.wire.answer(200, &part);
    let payment = shop
        .provider
        .create(&direct("A-1", "19.99 EUR", &encrypted()))
        .await
        .unwrap();
    assert_eq!(
        (payment.amount.minor(), payment.captured.minor()),
        (1999, 500)
    );
}

#[tokio::test]
async fn an_answer_that_is_not_about_what_was_asked_is_told() {
    let with = |field: &str, value: Value| {
        let mut link = link("active");
        link[field] = value;
        link
    };
    for (order, answer) in [
        (
            "A-1",
            with("amount", json!({"currency": "EUR", "value": 2000})),
        ),
        (
            "A-1",
            with("amount", json!({"currency": "USD", "value": 1999})),
        ),
        ("A-1", with("merchantAccount", json!("OtherECOM"))),
        ("A-1", with("id", json!("../x"))),
        ("A-2", link("active")),
        ("A-1", json!({})),
        ("A-1", json!(null)),
    ] {
        let shop = Shop::open();
        shop.wire.answer(201, &answer);
        let error = shop
            .provider
            .create(&hosted(order, "19.99 EUR"))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::UnexpectedResponse, "{answer}");
        assert_ne!(error.effect(), Effect::NotApplied, "{answer}");
    }
}

#[tokio::test]
async fn what_adyen_would_refuse_is_refused_before_it_is_sent() {
    let shop = Shop::open();
    let long = "x".repeat(64);
    for request in [
        hosted("A-1", "15000.50 IDR"),
        hosted(&long, "1.00 EUR")
            .with_attempt(counterfoil::id::Attempt::new(
                std::num::NonZeroU32::new(1_000_000_000).unwrap(),
            ))
            .with_manual_capture(),
        hosted("A-1", "1.00 EUR").with_metadata("k", "v".repeat(81)),
        hosted("A-1", "1.00 EUR").with_description("d".repeat(281)),
        hosted("A-1", "1.00 EUR").with_expiry(NOW),
        direct("A-1", "1.00 EUR", &encrypted()).with_expiry(NOW),
    ] {
        let error = shop.provider.create(&request).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::InvalidRequest, "{request:?}");
    }
    assert!(shop.wire.requests().is_empty());
}

#[tokio::test]
async fn errors_say_who_must_act() {
    let error = |status: u16, code: &str| {
        (
            status,
            json!({"status": status, "errorCode": code, "message": "hidden text", "errorType": "x", "pspReference": "881611827877203B"}),
        )
    };
    for ((status, body), kind, effect, text) in [
        (
            error(400, "702"),
            "invalid request",
            Effect::NotApplied,
            "code 702",
        ),
        (
            error(401, "000"),
            "credentials",
            Effect::NotApplied,
            "live mode",
        ),
        (
            error(403, "901"),
            "credentials",
            Effect::NotApplied,
            "merchant account",
        ),
        (error(403, "010"), "credentials", Effect::NotApplied, "role"),
        (
            error(422, "14_030"),
            "invalid request",
            Effect::NotApplied,
            "14_030",
        ),
        (
            error(422, "704"),
            "unavailable",
            Effect::Unknown,
            "under way",
        ),
        (
            error(409, "704"),
            "unavailable",
            Effect::Unknown,
            "under way",
        ),
        (error(500, "905"), "unavailable", Effect::Unknown, "905"),
    ] {
        let shop = Shop::open();
        // Three, since some may be sent again.
        for _ in 0..3 {
            shop.wire.answer(status, &body);
        }
        let error = shop
            .provider
            .create(&hosted("A-1", "1.00 EUR"))
            .await
            .unwrap_err();
        let shown = format!("{error} {error:?}");
        assert_eq!(
            (error.kind().name(), error.effect()),
            (kind, effect),
            "{shown}"
        );
        assert!(shown.contains(text) && !shown.contains("hidden"), "{shown}");
        assert_eq!(error.request_id(), Some("881611827877203B"));
    }
}

#[tokio::test]
async fn only_what_adyen_calls_transient_is_sent_again_and_under_the_same_key() {
    let shop = Shop::open();
    let busy = json!({"status": 422, "errorCode": "704", "message": ""});
    shop.wire
        .answer_with(422, &[("transient-error", "true")], &busy);
    shop.wire.lose();
    shop.wire.answer(201, &link("active"));
    shop.provider
        .create(&hosted("A-1", "19.99 EUR"))
        .await
        .unwrap();
    let keys = shop
        .wire
        .requests()
        .into_iter()
        .map(|r| r.headers()["idempotency-key"].clone());
    let keys: Vec<_> = keys.collect();
    assert_eq!(keys.len(), 3);
    assert!(keys.windows(2).all(|pair| pair[0] == pair[1]));
}
