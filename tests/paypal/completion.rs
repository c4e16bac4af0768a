//! What the shopper has approved: completed once, for the amount that is owed.

use std::sync::Arc;

use counterfoil::error::{DeclineReason, RetryAdvice};
use counterfoil::payment::PaymentStatus;
use counterfoil::request::CompleteRequest;
use counterfoil::{Effect, ErrorKind, Test};
use http::Method;
use serde_json::{Value, json};

use crate::answers::{self, CAPTURE, ORDER, ORDER_PATH, capture, order};
use crate::script::{self, Reply, Script, body, header, id, money};

fn complete(amount: &str) -> CompleteRequest<Test> {
    CompleteRequest::new(id(ORDER), money(amount))
}

fn approved(intent: &str) -> Arc<Script> {
    let script = Arc::new(Script::default());
    let approved = order(intent, "APPROVED", json!({}));
    script.json(&format!("GET {ORDER_PATH}"), 200, approved);
    script
}

#[tokio::test]
async fn an_order_is_captured_or_authorized_as_it_was_meant() {
    for (intent, step, answer, expected) in [
        (
            "CAPTURE",
            "capture",
            answers::paid(),
            PaymentStatus::Captured,
        ),
        (
            "AUTHORIZE",
            "authorize",
            answers::held(),
            PaymentStatus::Authorized,
        ),
    ] {
        let script = approved(intent);
        script.json(&format!("POST {ORDER_PATH}/{step}"), 201, answer);
        let done = script::provider(&script)
            .complete(&complete("20.00 EUR"))
            .await;
        assert_eq!(done.unwrap().status, expected);
        let sent = script.take();
        assert_eq!(body(&sent[1]), json!({}));
        assert_eq!(header(&sent[1], "prefer"), "return=representation");
        assert_eq!(header(&sent[1], "paypal-request-id").len(), 43);
    }
}

#[tokio::test]
async fn another_amount_or_no_approval_sends_nothing() {
    let script = approved("CAPTURE");
    let provider = script::provider(&script);
    for amount in ["19.99 EUR", "20.01 EUR", "20.00 USD"] {
        let error = provider.complete(&complete(amount)).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::InvalidRequest, "{amount}");
    }
    for status in ["CREATED", "PAYER_ACTION_REQUIRED", "VOIDED"] {
        let script = Arc::new(Script::default());
        let order = order("CAPTURE", status, json!({}));
        script.json(&format!("GET {ORDER_PATH}"), 200, order);
        let error = script::provider(&script)
            .complete(&complete("20.00 EUR"))
            .await;
        assert_eq!(error.unwrap_err().kind(), &ErrorKind::Conflict, "{status}");
        assert!(
            script
                .take()
                .iter()
                .all(|request| request.method() == Method::GET)
        );
    }
    assert!(
        script
            .take()
            .iter()
            .all(|request| request.method() == Method::GET)
    );
}

#[tokio::test]
async fn a_pending_capture_is_not_paid_and_a_refused_one_is_a_decline() {
    let with = |status: &str| {
        let captures = json!({"captures": [capture(CAPTURE, status, "20.00")]});
        order("CAPTURE", "COMPLETED", captures)
    };
    let script = approved("CAPTURE");
    script.json(&format!("POST {ORDER_PATH}/capture"), 201, with("PENDING"));
    let pending = script::provider(&script)
        .complete(&complete("20.00 EUR"))
        .await
        .unwrap();
    assert_eq!(pending.status, PaymentStatus::Pending);
    assert!(pending.captured.is_zero());

    let script = approved("CAPTURE");
    script.json(&format!("POST {ORDER_PATH}/capture"), 201, with("DECLINED"));
    let error = script::provider(&script)
        .complete(&complete("20.00 EUR"))
        .await
        .unwrap_err();
    assert!(error.decline().is_some());
    assert_eq!(error.payment::<Test>().unwrap().raw(), ORDER);
}

#[tokio::test]
async fn what_the_shopper_can_mend_is_a_decline() {
    for (issue, reason, retry) in [
        (
            "INSTRUMENT_DECLINED",
            DeclineReason::Generic,
            RetryAdvice::OtherMethod,
        ),
        (
            "PAYER_ACTION_REQUIRED",
            DeclineReason::AuthenticationRequired,
            RetryAdvice::Authenticate,
        ),
        (
            "TRANSACTION_REFUSED",
            DeclineReason::DoNotRetry,
            RetryAdvice::Never,
        ),
    ] {
        let script = approved("CAPTURE");
        script.refuse(&format!("POST {ORDER_PATH}/capture"), 422, issue);
        let error = script::provider(&script)
            .complete(&complete("20.00 EUR"))
            .await
            .unwrap_err();
        let decline = error.decline().expect(issue);
        assert_eq!((decline.reason, decline.retry()), (reason, retry));
        assert_eq!(error.effect(), Effect::NotApplied);
        assert_eq!(error.code(), Some(issue));
        assert_eq!(error.request_id(), Some("d3bug"));
        assert_eq!(error.payment::<Test>().unwrap().raw(), ORDER);
    }
    for (status, issue, kind) in [
        (422, "PAYEE_ACCOUNT_RESTRICTED", ErrorKind::Settings),
        (403, "PERMISSION_DENIED", ErrorKind::Credentials),
        (422, "OF_TOMORROW", ErrorKind::InvalidRequest),
        (404, "INVALID_RESOURCE_ID", ErrorKind::NotFound),
    ] {
        let script = approved("CAPTURE");
        script.refuse(&format!("POST {ORDER_PATH}/capture"), status, issue);
        let error = script::provider(&script)
            .complete(&complete("20.00 EUR"))
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.effect()),
            (&kind, Effect::NotApplied),
            "{issue}"
        );
    }
}

#[tokio::test]
async fn an_approval_after_a_refusal_has_a_key_of_its_own() {
    let script = approved("CAPTURE");
    let mut again = order("CAPTURE", "APPROVED", json!({}));
    again["update_time"] = "2026-11-16T11:45:00Z".into();
    script.json(&format!("GET {ORDER_PATH}"), 200, again);
    script.refuse(
        &format!("POST {ORDER_PATH}/capture"),
        422,
        "INSTRUMENT_DECLINED",
    );
    script.json(&format!("POST {ORDER_PATH}/capture"), 201, answers::paid());
    let provider = script::provider(&script);
    assert!(provider.complete(&complete("20.00 EUR")).await.is_err());
    assert!(provider.complete(&complete("20.00 EUR")).await.is_ok());
    let sent = script.take();
    let keys: Vec<_> = sent
        .iter()
        .map(|r| header(r, "paypal-request-id"))
        .filter(|k| !k.is_empty())
        .collect();
    assert_eq!(keys.len(), 2);
    assert_ne!(keys[0], keys[1]);
}

#[tokio::test]
async fn a_lost_answer_is_unknown_and_the_order_tells_what_became_of_it() {
    let script = approved("CAPTURE");
    script.on(&format!("POST {ORDER_PATH}/capture"), Reply::Lost);
    let provider = script::provider(&script);
    let error = provider.complete(&complete("20.00 EUR")).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.effect()),
        (&ErrorKind::Unavailable, Effect::Unknown)
    );
    assert!(error.decline().is_none());
    let keys: Vec<_> = script
        .take()
        .iter()
        .map(|r| header(r, "paypal-request-id").to_owned())
        .collect();
    assert_eq!(keys[1], keys[2], "sent again under the same key");

    // It was captured before, and PayPal has forgotten the key.
    let script = approved("CAPTURE");
    script.json(&format!("GET {ORDER_PATH}"), 200, answers::paid());
    script.refuse(
        &format!("POST {ORDER_PATH}/capture"),
        422,
        "ORDER_ALREADY_CAPTURED",
    );
    let paid = script::provider(&script)
        .complete(&complete("20.00 EUR"))
        .await
        .unwrap();
    assert_eq!(paid.captured.minor(), 2000);

    // Completed before: nothing is sent.
    let script = Arc::new(Script::default());
    script.json(&format!("GET {ORDER_PATH}"), 200, answers::paid());
    script::provider(&script)
        .complete(&complete("20.00 EUR"))
        .await
        .unwrap();
    assert!(
        script
            .take()
            .iter()
            .all(|request| request.method() == Method::GET)
    );
}

#[tokio::test]
async fn the_same_request_under_way_is_unknown_and_sent_again() {
    let script = approved("CAPTURE");
    let body: Value = json!({
        "name": "RESOURCE_CONFLICT", "debug_id": "d3bug",
        "details": [{"issue": "PREVIOUS_REQUEST_IN_PROGRESS"}],
    });
    script.json(&format!("POST {ORDER_PATH}/capture"), 409, body);
    let error = script::provider(&script)
        .complete(&complete("20.00 EUR"))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.effect()),
        (&ErrorKind::Unavailable, Effect::Unknown)
    );
    assert_eq!(script.lines().len(), 3);
}

#[tokio::test]
async fn an_order_that_was_taken_and_does_not_show_it_yet_is_unknown() {
    for (code, effect) in [
        ("ORDER_ALREADY_CAPTURED", Effect::Unknown),
        ("ORDER_ALREADY_AUTHORIZED", Effect::Unknown),
        ("ORDER_COMPLETED_OR_VOIDED", Effect::Unknown),
        ("ORDER_EXPIRED", Effect::NotApplied),
    ] {
        let script = approved("CAPTURE");
        script.refuse(&format!("POST {ORDER_PATH}/capture"), 422, code);
        let provider = script::provider(&script);
        let refused = provider.complete(&complete("20.00 EUR")).await.unwrap_err();
        assert_eq!(refused.effect(), effect, "{code}");
        assert_eq!(refused.payment::<Test>().unwrap().raw(), ORDER);
    }
}
