//! Intents, refunds, disputes and payouts.

use serde_json::json;

use super::*;

#[test]
fn a_payment_is_captured_at_once_and_its_fee_follows() {
    let mut shop = Merchant::new();
    let intent = shop.paid(2000, "pm_card_visa", "&metadata[order]=A1");
    assert_eq!(intent["status"], "succeeded");
    assert_eq!(intent["amount_received"], 2000);
    let charge = text(&intent, "latest_charge");
    assert!(shop.read(&format!("/v1/charges/{charge}"))["balance_transaction"].is_null());
    shop.stripe.advance(Duration::from_secs(1));
    let path = format!("/v1/charges/{charge}?expand[]=balance_transaction");
    let charge = shop.read(&path);
    assert_eq!(charge["balance_transaction"]["fee"], 88);
    assert_eq!(charge["balance_transaction"]["net"], 1912);
    let events = [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "charge.updated",
    ];
    assert_eq!(shop.events(), events);
    let books = shop.stripe.ledger();
    assert_eq!(books[0].captured.to_string(), "20.00 EUR");
    assert_eq!(books[0].metadata["order"], "A1");
    assert_eq!(books[0].charges, 1);
}

#[test]
fn every_decline_answers_402_with_its_code_and_the_intent() {
    for (method, code, decline_code) in [
        (
            "pm_card_visa_chargeDeclined",
            "card_declined",
            "generic_decline",
        ),
        (
            "pm_card_visa_chargeDeclinedInsufficientFunds",
            "card_declined",
            "insufficient_funds",
        ),
        (
            "pm_card_visa_chargeDeclinedLostCard",
            "card_declined",
            "lost_card",
        ),
        (
            "pm_card_visa_chargeDeclinedStolenCard",
            "card_declined",
            "stolen_card",
        ),
        (
            "pm_card_chargeDeclinedExpiredCard",
            "expired_card",
            "expired_card",
        ),
        (
            "pm_card_chargeDeclinedIncorrectCvc",
            "incorrect_cvc",
            "incorrect_cvc",
        ),
        (
            "pm_card_chargeDeclinedProcessingError",
            "processing_error",
            "processing_error",
        ),
        ("pm_card_radarBlock", "card_declined", "fraudulent"),
    ] {
        let mut shop = Merchant::new();
        let form = confirmed(2000, method, "");
        let (status, body) = shop.post("/v1/payment_intents", &form);
        let error = &body["error"];
        assert_eq!(status, 402, "{method}");
        assert_eq!(error["type"], "card_error");
        assert_eq!(
            (text(error, "code"), text(error, "decline_code")),
            (code.into(), decline_code.into())
        );
        let intent = &error["payment_intent"];
        assert_eq!(intent["status"], "requires_payment_method");
        assert_eq!(intent["last_payment_error"]["decline_code"], decline_code);
        assert!(text(error, "doc_url").starts_with("https://"));
        assert_eq!(shop.stripe.ledger()[0].charges, 0);

        let retry = format!("/v1/payment_intents/{}/confirm", text(intent, "id"));
        let paid = shop.ok(&retry, "payment_method=pm_card_visa");
        assert_eq!(paid["status"], "succeeded");
        assert_eq!(shop.stripe.ledger()[0].charges, 1);
    }
}

#[test]
fn a_challenge_is_passed_failed_or_refused_off_session() {
    let mut shop = Merchant::new();
    let challenged = confirmed(
        2000,
        "pm_card_authenticationRequired",
        "&return_url=https://a.example/b",
    );
    let intent = shop.ok("/v1/payment_intents", &challenged);
    assert_eq!(intent["status"], "requires_action");
    assert_eq!(intent["next_action"]["type"], "redirect_to_url");
    let id = text(&intent, "id");
    let failed = shop.stripe.shopper().fail_challenge(&id).unwrap();
    assert!(matches!(failed, ShopperOutcome::Declined { .. }));
    assert!(shop.stripe.shopper().fail_challenge(&id).is_err());
    let again = shop
        .stripe
        .shopper()
        .pay(&id, "pm_card_threeDSecure2Required")
        .unwrap();
    assert!(matches!(again, ShopperOutcome::Challenged { .. }));
    assert_eq!(
        shop.stripe.shopper().pass_challenge(&id),
        Ok(ShopperOutcome::Paid)
    );

    let (status, body) = shop.post(
        "/v1/payment_intents",
        &confirmed(2000, "pm_card_authenticationRequired", "&off_session=true"),
    );
    assert_eq!(status, 402);
    assert_eq!(body["error"]["code"], "authentication_required");
}

#[test]
fn captures_are_partial_several_and_never_too_much() {
    let mut shop = Merchant::new();
    let held = shop.paid(1000, "pm_card_visa", "&capture_method=manual");
    assert_eq!(held["status"], "requires_capture");
    let capture = format!("/v1/payment_intents/{}/capture", text(&held, "id"));
    let (status, body) = shop.post(&capture, "amount_to_capture=1001");
    assert_eq!(
        (status, text(&body["error"], "code")),
        (400, "amount_too_large".into())
    );
    let (status, _) = shop.post(&capture, "amount_to_capture=1&final_capture=false");
    assert_eq!(status, 400, "multicapture was not asked for");
    let captured = shop.ok(&capture, "amount_to_capture=600");
    assert_eq!(
        (
            captured["amount_received"].clone(),
            captured["status"].clone()
        ),
        (json!(600), json!("succeeded"))
    );
    let charge = shop.read(&format!("/v1/charges/{}", text(&held, "latest_charge")));
    assert_eq!(
        (
            charge["amount_captured"].clone(),
            charge["amount_refunded"].clone()
        ),
        (json!(600), json!(400))
    );
    let (status, body) = shop.post(&capture, "");
    assert_eq!(
        (status, text(&body["error"], "code")),
        (400, "payment_intent_unexpected_state".into())
    );

    let multi =
        "&capture_method=manual&payment_method_options[card][request_multicapture]=if_available";
    let held = shop.paid(1000, "pm_card_visa", multi);
    let capture = format!("/v1/payment_intents/{}/capture", text(&held, "id"));
    let first = shop.ok(&capture, "amount_to_capture=300&final_capture=false");
    assert_eq!(
        (first["status"].clone(), first["amount_capturable"].clone()),
        (json!("requires_capture"), json!(700))
    );
    let second = shop.ok(&capture, "amount_to_capture=200");
    assert_eq!(
        (second["status"].clone(), second["amount_received"].clone()),
        (json!("succeeded"), json!(500))
    );
    assert_eq!(shop.stripe.ledger()[1].captured.to_string(), "5.00 EUR");
}

#[test]
fn an_authorization_is_cancelled_or_expires_after_seven_days() {
    let mut shop = Merchant::new();
    let held = shop.paid(1000, "pm_card_visa", "&capture_method=manual");
    let canceled = shop.ok(
        &format!("/v1/payment_intents/{}/cancel", text(&held, "id")),
        "cancellation_reason=requested_by_customer",
    );
    assert_eq!(canceled["status"], "canceled");
    let held = shop.paid(1000, "pm_card_visa", "&capture_method=manual");
    shop.stripe.advance(7 * DAY);
    let expired = shop.read(&format!("/v1/payment_intents/{}", text(&held, "id")));
    assert_eq!(
        (
            expired["status"].clone(),
            expired["cancellation_reason"].clone()
        ),
        (json!("canceled"), json!("automatic"))
    );
    let books = shop.stripe.ledger();
    assert!(books.iter().all(|entry| entry.captured.is_zero()));
    let (status, _) = shop.post(
        &format!("/v1/payment_intents/{}/cancel", text(&held, "id")),
        "",
    );
    assert_eq!(status, 400);
}

#[test]
fn refunds_are_partial_bounded_pending_and_failing() {
    let mut shop = Merchant::new();
    let intent = text(&shop.paid(1000, "pm_card_visa", ""), "id");
    let form = |amount: i64| format!("payment_intent={intent}&amount={amount}");
    assert_eq!(shop.ok("/v1/refunds", &form(400))["status"], "succeeded");
    assert_eq!(shop.post("/v1/refunds", &form(601)).0, 400);
    assert_eq!(shop.post("/v1/refunds", &form(0)).0, 400);
    assert_eq!(shop.ok("/v1/refunds", &form(600))["amount"], 600);
    let (_, body) = shop.post("/v1/refunds", &form(1));
    assert_eq!(body["error"]["code"], "charge_already_refunded");
    let listed = shop.read(&format!("/v1/refunds?payment_intent={intent}"));
    assert_eq!(listed["data"].as_array().unwrap().len(), 2);

    let intent = text(&shop.paid(1000, "pm_card_pendingRefund", ""), "id");
    let refund = shop.ok("/v1/refunds", &format!("payment_intent={intent}"));
    assert_eq!(
        (refund["status"].clone(), refund["pending_reason"].clone()),
        (json!("pending"), json!("processing"))
    );
    shop.stripe.advance(HOUR);
    let path = format!("/v1/refunds/{}", text(&refund, "id"));
    assert_eq!(shop.read(&path)["status"], "succeeded");
    assert_eq!(shop.post(&format!("{path}/cancel"), "").0, 400);

    let intent = text(&shop.paid(1000, "pm_card_refundFail", ""), "id");
    let refund = shop.ok("/v1/refunds", &format!("payment_intent={intent}"));
    assert_eq!(refund["status"], "succeeded");
    shop.stripe.advance(HOUR);
    let failed = shop.read(&format!("/v1/refunds/{}", text(&refund, "id")));
    assert_eq!(failed["status"], "failed");
    assert!(shop.events().contains(&"refund.failed".to_owned()));
    let again = shop.ok(
        "/v1/refunds",
        &format!("payment_intent={intent}&amount=900"),
    );
    assert_eq!(
        again["status"], "succeeded",
        "what came back can be refunded again"
    );
    let refunded: Vec<String> = shop
        .stripe
        .ledger()
        .iter()
        .map(|e| e.refunded.to_string())
        .collect();
    assert_eq!(refunded, ["10.00 EUR", "10.00 EUR", "9.00 EUR"]);
}

#[test]
fn a_debit_takes_days_and_then_succeeds_or_fails() {
    let mut shop = Merchant::new();
    for (method, end) in [
        ("pm_sepaDebit_success", "succeeded"),
        ("pm_sepaDebit_failed", "requires_payment_method"),
    ] {
        let intent = shop.paid(1000, method, "");
        assert_eq!(intent["status"], "processing");
        shop.stripe.advance(3 * DAY);
        let later = shop.read(&format!("/v1/payment_intents/{}", text(&intent, "id")));
        assert_eq!(later["status"], end);
    }
    let form = confirmed(1000, "pm_usBankAccount_success", "");
    assert_eq!(
        shop.post("/v1/payment_intents", &form).0,
        400,
        "dollars only"
    );
}

#[test]
fn disputes_are_opened_answered_won_and_lost() {
    let mut shop = Merchant::new();
    let intent = text(&shop.paid(1000, "pm_card_createDispute", ""), "id");
    let open = shop.read(&format!("/v1/disputes?payment_intent={intent}"));
    let dispute = &open["data"][0];
    assert_eq!(dispute["status"], "needs_response");
    let (_, body) = shop.post("/v1/refunds", &format!("payment_intent={intent}"));
    assert_eq!(body["error"]["code"], "refund_disputed_payment");
    let path = format!("/v1/disputes/{}", text(dispute, "id"));
    let sent = shop.ok(&path, "evidence[uncategorized_text]=winning_evidence");
    assert_eq!(sent["status"], "under_review");
    shop.stripe.advance(HOUR);
    let won = shop.read(&path);
    assert_eq!(won["status"], "won");
    assert_eq!(won["balance_transactions"].as_array().unwrap().len(), 2);

    let other = text(&shop.paid(1000, "pm_card_visa", ""), "id");
    let lost = shop.stripe.dashboard().open_dispute(&other).unwrap();
    shop.stripe.advance(7 * DAY);
    assert_eq!(shop.read(&format!("/v1/disputes/{lost}"))["status"], "lost");
    let held: Vec<String> = shop
        .stripe
        .ledger()
        .iter()
        .map(|e| e.disputed.to_string())
        .collect();
    assert_eq!(held, ["0.00 EUR", "10.00 EUR"]);
}

#[test]
fn what_is_available_at_once_is_paid_out_once_it_is_on_the_balance() {
    let mut shop = Merchant::new();
    shop.paid(1000, "pm_card_bypassPending", "");
    // A capture that is asynchronous, as it is unless asked otherwise, is not booked yet.
    assert!(shop.stripe.dashboard().pay_out_now().is_empty());
    shop.stripe.advance(Duration::from_secs(1));
    assert_eq!(shop.stripe.dashboard().pay_out_now().len(), 1);
    let at_once = "&capture_method=automatic";
    shop.paid(2000, "pm_card_bypassPending", at_once);
    assert_eq!(shop.stripe.dashboard().pay_out_now().len(), 1);
    shop.paid(3000, "pm_card_visa", at_once);
    assert!(shop.stripe.dashboard().pay_out_now().is_empty());
}

#[test]
fn a_payout_explains_itself_to_the_last_unit() {
    let mut shop = Merchant::new();
    for amount in [1000, 2000, 3333] {
        let intent = shop.paid(amount, "pm_card_visa", "");
        if amount == 2000 {
            let _ = shop.ok(
                "/v1/refunds",
                &format!("payment_intent={}&amount=500", text(&intent, "id")),
            );
        }
    }
    shop.stripe.advance(5 * DAY);
    let payouts = shop.read("/v1/payouts?limit=100");
    let mut total = 0;
    for payout in payouts["data"].as_array().unwrap() {
        let id = text(payout, "id");
        let lines = shop.read(&format!("/v1/balance_transactions?payout={id}&limit=100"));
        let lines = lines["data"].as_array().unwrap();
        let charged = lines
            .iter()
            .filter(|line| line["reporting_category"] != "payout");
        let net: i64 = charged.map(|line| line["net"].as_i64().unwrap()).sum();
        assert_eq!(payout["amount"], net);
        assert_eq!(payout["status"], "paid");
        assert_eq!(payout["reconciliation_status"], "completed");
        total += net;
    }
    // 2.9 % and 0.30 for each of three charges, rounded: 59 + 88 + 127.
    assert_eq!(total, 6333 - 500 - 274);
    let id = text(&payouts["data"][0], "id");
    shop.stripe.dashboard().fail_payout(&id).unwrap();
    assert_eq!(shop.read(&format!("/v1/payouts/{id}"))["status"], "failed");
    let again = shop.stripe.dashboard().pay_out_now();
    assert_eq!(again.len(), 1);
}
