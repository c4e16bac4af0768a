//! Money that goes back: once for a command, and never more than one capture has.

use std::sync::Arc;

use counterfoil::id::CommandId;
use counterfoil::refund::RefundStatus;
use counterfoil::request::RefundRequest;
use counterfoil::{Effect, ErrorKind, Test};
use futures_util::TryStreamExt;
use http::Method;
use serde_json::{Value, json};

use crate::answers::{self, CAPTURE, ORDER, ORDER_PATH, REFUND, capture, hold, order, refund};
use crate::script::{self, Reply, Script, body, header, id, money};

const OTHER: &str = "7TK53561YB803214S";

fn request(amount: &str, command: &str) -> RefundRequest<Test> {
    RefundRequest::new(id(ORDER), money(amount), CommandId::new(command).unwrap())
}

fn shop(answer: Value) -> Arc<Script> {
    let script = Arc::new(Script::default());
    script.json(&format!("GET {ORDER_PATH}"), 200, answer);
    script
}

/// Two captures, of 12.00 and of 8.00, of which so much went back.
fn in_two(refunds: Value) -> Value {
    let payments = json!({
        "authorizations": [hold("CAPTURED", "20.00")],
        "captures": [capture(CAPTURE, "COMPLETED", "12.00"), capture(OTHER, "COMPLETED", "8.00")],
        "refunds": refunds,
    });
    order("AUTHORIZE", "COMPLETED", payments)
}

#[tokio::test]
async fn a_refund_carries_its_command() {
    let script = shop(answers::paid());
    let made = refund(REFUND, CAPTURE, "PENDING", "5.00", "cf.good_20will");
    script.json(
        &format!("POST /v2/payments/captures/{CAPTURE}/refund"),
        201,
        made,
    );
    let provider = script::provider(&script);
    let refund = provider
        .refund(&request("5.00 EUR", "good will"))
        .await
        .unwrap();
    assert_eq!(refund.status, RefundStatus::Pending);
    assert_eq!(refund.command.unwrap().as_str(), "good will");
    let sent = script.take();
    let expected = json!({"amount": answers::amount("5.00"), "custom_id": "cf.good_20will"});
    assert_eq!(body(&sent[1]), expected);
    assert_eq!(header(&sent[1], "prefer"), "return=representation");
}

#[tokio::test]
async fn a_command_that_was_carried_out_sends_nothing() {
    let made = json!([refund(REFUND, CAPTURE, "COMPLETED", "5.00", "cf.goodwill")]);
    let script = shop(in_two(made));
    let provider = script::provider(&script);
    let refund = provider
        .refund(&request("5.00 EUR", "goodwill"))
        .await
        .unwrap();
    assert_eq!(refund.id.raw(), REFUND);
    let restarted = script::provider(&script);
    let other = restarted
        .refund(&request("6.00 EUR", "goodwill"))
        .await
        .unwrap_err();
    assert_eq!(other.kind(), &ErrorKind::Conflict);
    assert!(
        script
            .take()
            .iter()
            .all(|request| request.method() == Method::GET)
    );
}

#[tokio::test]
async fn one_capture_must_have_so_much_left() {
    let made = || {
        json!([
            refund("1AA", CAPTURE, "COMPLETED", "5.00", ""),
            refund("1BB", OTHER, "FAILED", "8.00", ""),
        ])
    };
    for (amount, from) in [
        ("7.00 EUR", Some(CAPTURE)),
        ("8.00 EUR", Some(OTHER)),
        ("8.01 EUR", None),
        ("15.01 EUR", None),
    ] {
        let script = shop(in_two(made()));
        for capture in [CAPTURE, OTHER] {
            let value = amount.trim_end_matches(" EUR");
            let done = refund(REFUND, capture, "COMPLETED", value, "cf.more");
            script.json(
                &format!("POST /v2/payments/captures/{capture}/refund"),
                201,
                done,
            );
        }
        let outcome = script::provider(&script)
            .refund(&request(amount, "more"))
            .await;
        match from {
            Some(capture) => assert_eq!(outcome.unwrap().payment.raw(), capture, "{amount}"),
            None => assert_eq!(
                outcome.unwrap_err().kind(),
                &ErrorKind::InvalidRequest,
                "{amount}"
            ),
        }
    }
}

#[tokio::test]
async fn a_lost_answer_is_unknown_and_the_refund_is_found_by_its_command() {
    let script = shop(answers::paid());
    let post = format!("POST /v2/payments/captures/{CAPTURE}/refund");
    script.on(&post, Reply::Lost);
    let provider = script::provider(&script);
    let error = provider
        .refund(&request("20.00 EUR", "goodwill"))
        .await
        .unwrap_err();
    assert_eq!(error.effect(), Effect::Unknown);

    // PayPal has forgotten the key and says only that nothing is left: it was this command.
    let script = shop(answers::paid());
    let captures = json!({
        "captures": [capture(CAPTURE, "REFUNDED", "20.00")],
        "refunds": [refund(REFUND, CAPTURE, "COMPLETED", "20.00", "cf.goodwill")],
    });
    script.json(
        &format!("GET {ORDER_PATH}"),
        200,
        order("CAPTURE", "COMPLETED", captures),
    );
    script.refuse(&post, 422, "CAPTURE_FULLY_REFUNDED");
    let made = script::provider(&script)
        .refund(&request("20.00 EUR", "goodwill"))
        .await;
    assert_eq!(made.unwrap().id.raw(), REFUND);
}

#[tokio::test]
async fn a_pending_capture_is_not_refunded() {
    let captures = json!({"captures": [capture(CAPTURE, "PENDING", "20.00")]});
    let script = shop(order("CAPTURE", "COMPLETED", captures));
    let error = script::provider(&script)
        .refund(&request("20.00 EUR", "goodwill"))
        .await;
    assert_eq!(error.unwrap_err().kind(), &ErrorKind::Conflict);
}

#[tokio::test]
async fn refunds_are_listed_and_add_up_without_those_that_failed() {
    let refunds = json!([
        refund("1AA", CAPTURE, "COMPLETED", "5.00", "cf.one"),
        refund("1BB", CAPTURE, "FAILED", "3.00", "cf.two"),
        refund("1CC", OTHER, "PENDING", "2.00", "shop:A-1:1"),
    ]);
    let script = shop(in_two(refunds));
    let provider = script::provider(&script);
    let payment = provider.fetch_payment(&id(ORDER)).await.unwrap();
    assert_eq!(payment.refunded.minor(), 700);
    assert_eq!(payment.fee.unwrap().minor(), 176);
    let listed: Vec<_> = provider
        .list_refunds(id(ORDER))
        .try_collect()
        .await
        .unwrap();
    let commands: Vec<_> = listed
        .iter()
        .map(|r| r.command.as_ref().map(|c| c.as_str()))
        .collect();
    assert_eq!(commands, [Some("one"), Some("two"), None]);
}

#[tokio::test]
async fn a_capture_that_was_refunded_without_a_word_went_back_whole() {
    let captures = json!({"captures": [capture(CAPTURE, "REFUNDED", "20.00")]});
    let script = shop(order("CAPTURE", "COMPLETED", captures));
    let payment = script::provider(&script)
        .fetch_payment(&id(ORDER))
        .await
        .unwrap();
    assert_eq!(payment.refunded.minor(), 2000);
}

#[tokio::test]
async fn a_command_that_another_process_was_first_with_must_have_asked_for_the_same() {
    let script = shop(answers::paid());
    // PayPal answers a key that it knows with what was made under it.
    let made = refund(REFUND, CAPTURE, "COMPLETED", "5.00", "cf.goodwill");
    let post = format!("POST /v2/payments/captures/{CAPTURE}/refund");
    script.json(&post, 200, made);
    let refused = script::provider(&script)
        .refund(&request("6.00 EUR", "goodwill"))
        .await
        .unwrap_err();
    assert_eq!(
        (refused.kind(), refused.effect()),
        (&ErrorKind::Conflict, Effect::Applied)
    );
}
