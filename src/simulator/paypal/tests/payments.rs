//! Money that is held, taken, and given back.

use super::*;

#[test]
fn a_hold_is_captured_in_parts_up_to_its_limit() {
    let mut shop = Merchant::new();
    let held = shop.held();
    let capture = format!("{held}/capture");
    let first = shop.made(&capture, &amount("12.00"));
    assert_eq!(first["status"], "COMPLETED");
    assert_eq!(first["final_capture"], false);
    assert!(link(&first, "up").unwrap().ends_with(&held));
    assert_eq!(shop.read(&held)["status"], "PARTIALLY_CAPTURED");
    // 115 % of 20.00 are 23.00.
    let refused = (422, "MAX_CAPTURE_AMOUNT_EXCEEDED".to_owned());
    assert_eq!(shop.fails(&capture, &amount("11.01")), refused);
    let other = json!({ "amount": { "currency_code": "USD", "value": "1.00" } });
    let refused = (422, "AUTH_CAPTURE_CURRENCY_MISMATCH".to_owned());
    assert_eq!(shop.fails(&capture, &other), refused);
    let rest = shop.made(&capture, &json!({ "final_capture": true }));
    assert_eq!(rest["amount"]["value"], "8.00");
    assert_eq!(shop.read(&held)["status"], "CAPTURED");
    let refused = (422, "AUTHORIZATION_ALREADY_CAPTURED".to_owned());
    assert_eq!(shop.fails(&capture, &amount("0.01")), refused);
    let refused = (422, "PREVIOUSLY_CAPTURED".to_owned());
    assert_eq!(shop.fails(&format!("{held}/void"), &json!({})), refused);
    assert_eq!(shop.paypal.ledger()[0].captured.minor(), 2000);
}

#[test]
fn a_final_part_releases_the_rest() {
    let mut shop = Merchant::new();
    let held = shop.held();
    let mut body = amount("15.00");
    body["final_capture"] = json!(true);
    let _ = shop.made(&format!("{held}/capture"), &body);
    assert_eq!(shop.read(&held)["status"], "PARTIALLY_CAPTURED");
    let refused = (422, "AUTHORIZATION_ALREADY_CAPTURED".to_owned());
    assert_eq!(shop.fails(&format!("{held}/capture"), &json!({})), refused);
}

#[test]
fn a_void_lets_go_and_answers_nothing_unless_asked() {
    let mut shop = Merchant::new();
    let held = shop.held();
    let mut request = shop.request("POST", &format!("{held}/void"), &json!({}));
    let _ = request.headers_mut().remove("prefer");
    assert_eq!(shop.send(&request), (204, Value::Null));
    assert_eq!(shop.read(&held)["status"], "VOIDED");
    let refused = (422, "AUTHORIZATION_VOIDED".to_owned());
    assert_eq!(shop.fails(&format!("{held}/capture"), &json!({})), refused);
    let refused = (422, "PREVIOUSLY_VOIDED".to_owned());
    assert_eq!(shop.fails(&format!("{held}/void"), &json!({})), refused);
}

#[test]
fn a_hold_lapses_after_29_days() {
    let mut shop = Merchant::new();
    let held = shop.held();
    shop.paypal
        .add_webhook("https://shop.example/hook", "HOOK1", &["*"]);
    shop.paypal.advance(29 * DAY - Duration::from_secs(1));
    assert_eq!(shop.read(&held)["status"], "CREATED");
    shop.paypal.advance(Duration::from_secs(1));
    assert_eq!(shop.read(&held)["status"], "VOIDED");
    assert_eq!(shop.told(), ["PAYMENT.AUTHORIZATION.VOIDED"]);
    let refused = (422, "AUTHORIZATION_EXPIRED".to_owned());
    assert_eq!(shop.fails(&format!("{held}/capture"), &json!({})), refused);
}

#[test]
fn a_hold_is_renewed_once_after_three_days() {
    let mut shop = Merchant::new();
    let held = shop.held();
    let renew = format!("{held}/reauthorize");
    let refused = (422, "REAUTHORIZATION_TOO_SOON".to_owned());
    assert_eq!(shop.fails(&renew, &json!({})), refused);
    shop.paypal.advance(3 * DAY);
    let renewed = shop.made(&renew, &amount("22.00"));
    let renewed = format!("/v2/payments/authorizations/{}", text(&renewed, "id"));
    let refused = (422, "REAUTHORIZATION_NOT_SUPPORTED".to_owned());
    assert_eq!(shop.fails(&renew, &json!({})), refused);
    assert_eq!(
        shop.fails(&format!("{renewed}/reauthorize"), &json!({})),
        refused
    );
    let refused = (422, "CANNOT_BE_VOIDED".to_owned());
    assert_eq!(shop.fails(&format!("{renewed}/void"), &json!({})), refused);
    // Both hold the same money.
    let _ = shop.made(&format!("{renewed}/capture"), &json!({}));
    let refused = (422, "AUTHORIZATION_ALREADY_CAPTURED".to_owned());
    assert_eq!(shop.fails(&format!("{held}/capture"), &json!({})), refused);
    assert_eq!(shop.paypal.ledger()[0].captured.minor(), 2200);
}

#[test]
fn refunds_never_exceed_the_capture() {
    let mut shop = Merchant::new();
    let capture = text(&shop.captured(Funding::Balance), "id");
    let path = format!("/v2/payments/captures/{capture}");
    let refund = format!("{path}/refund");
    let first = shop.made(&refund, &amount("7.00"));
    assert_eq!(first["status"], "COMPLETED");
    assert!(link(&first, "up").unwrap().ends_with(&path));
    assert_eq!(shop.read(&path)["status"], "PARTIALLY_REFUNDED");
    let refused = (422, "REFUND_AMOUNT_EXCEEDED".to_owned());
    assert_eq!(shop.fails(&refund, &amount("13.01")), refused);
    let other = json!({ "amount": { "currency_code": "USD", "value": "1.00" } });
    let refused = (422, "REFUND_CAPTURE_CURRENCY_MISMATCH".to_owned());
    assert_eq!(shop.fails(&refund, &other), refused);
    let rest = shop.made(&refund, &json!({}));
    assert_eq!(rest["amount"]["value"], "13.00");
    let total = &rest["seller_payable_breakdown"]["total_refunded_amount"];
    assert_eq!(total["value"], "20.00");
    assert_eq!(shop.read(&path)["status"], "REFUNDED");
    let refused = (422, "CAPTURE_FULLY_REFUNDED".to_owned());
    assert_eq!(shop.fails(&refund, &json!({})), refused);
    assert_eq!(shop.paypal.ledger()[0].refunded.minor(), 2000);
}

#[test]
fn a_refund_can_take_its_time_and_can_fail() {
    for (funding, status, back) in [
        (Funding::RefundsPend, "COMPLETED", 2000),
        (Funding::RefundsFail, "FAILED", 0),
    ] {
        let mut shop = Merchant::new();
        let capture = text(&shop.captured(funding), "id");
        let refund = format!("/v2/payments/captures/{capture}/refund");
        let made = shop.made(&refund, &json!({}));
        assert_eq!(made["status"], "PENDING");
        assert_eq!(made["status_details"]["reason"], "ECHECK");
        let path = format!("/v2/payments/refunds/{}", text(&made, "id"));
        shop.paypal.advance(DAY);
        assert_eq!(shop.read(&path)["status"], status);
        assert_eq!(shop.paypal.ledger()[0].refunded.minor(), back);
    }
}

#[test]
fn what_is_pending_cannot_be_refunded() {
    let mut shop = Merchant::new();
    let capture = text(&shop.captured(Funding::Echeck), "id");
    let refund = format!("/v2/payments/captures/{capture}/refund");
    let refused = (422, "PENDING_CAPTURE".to_owned());
    assert_eq!(shop.fails(&refund, &json!({})), refused);
    shop.paypal.advance(3 * DAY);
    let _ = shop.made(&refund, &json!({}));

    let capture = text(&shop.captured(Funding::EcheckBounces), "id");
    shop.paypal.advance(3 * DAY);
    let path = format!("/v2/payments/captures/{capture}");
    assert_eq!(shop.read(&path)["status"], "DECLINED");
    let refused = (422, "REFUND_NOT_ALLOWED".to_owned());
    assert_eq!(shop.fails(&format!("{path}/refund"), &json!({})), refused);
}

#[test]
fn after_180_days_nothing_is_refunded() {
    let mut shop = Merchant::new();
    let capture = text(&shop.captured(Funding::Balance), "id");
    let refund = format!("/v2/payments/captures/{capture}/refund");
    shop.paypal.advance(180 * DAY);
    let _ = shop.made(&refund, &amount("1.00"));
    shop.paypal.advance(Duration::from_secs(1));
    let refused = (422, "REFUND_TIME_LIMIT_EXCEEDED".to_owned());
    assert_eq!(shop.fails(&refund, &amount("1.00")), refused);
}

#[test]
fn the_merchant_accepts_or_denies_what_waits_for_it() {
    for (accept, status, taken) in [(true, "COMPLETED", 2000), (false, "DECLINED", 0)] {
        let mut shop = Merchant::new();
        let capture = shop.captured(Funding::AwaitsAcceptance);
        let reason = &capture["status_details"]["reason"];
        assert_eq!(*reason, "RECEIVING_PREFERENCE_MANDATES_MANUAL_ACTION");
        let id = text(&capture, "id");
        shop.paypal.advance(30 * DAY);
        let mut dashboard = shop.paypal.dashboard();
        let decided = match accept {
            true => dashboard.accept_capture(&id),
            false => dashboard.deny_capture(&id),
        };
        decided.unwrap();
        assert!(shop.paypal.dashboard().accept_capture(&id).is_err());
        let path = format!("/v2/payments/captures/{id}");
        assert_eq!(shop.read(&path)["status"], status);
        assert_eq!(shop.paypal.ledger()[0].captured.minor(), taken);
    }
}

#[test]
fn a_dispute_holds_the_money_until_it_is_decided() {
    let mut shop = Merchant::new();
    let capture = text(&shop.captured(Funding::Disputes), "id");
    assert_eq!(shop.paypal.ledger()[0].disputed.minor(), 2000);
    let list = format!("/v1/customer/disputes?disputed_transaction_id={capture}");
    let row = shop.read(&list)["items"][0].clone();
    assert_eq!(row["dispute_state"], "REQUIRED_ACTION");
    let id = text(&row, "dispute_id");
    let refund = format!("/v2/payments/captures/{capture}/refund");
    let refused = (422, "TRANSACTION_DISPUTED".to_owned());
    assert_eq!(shop.fails(&refund, &amount("1.00")), refused);
    shop.paypal.dashboard().lose_dispute(&id).unwrap();
    assert!(shop.paypal.dashboard().win_dispute(&id).is_err());
    let dispute = shop.read(&format!("/v1/customer/disputes/{id}"));
    let outcome = &dispute["dispute_outcome"]["outcome_code"];
    assert_eq!(*outcome, "RESOLVED_BUYER_FAVOUR");
    let refused = (422, "REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK".to_owned());
    assert_eq!(shop.fails(&refund, &json!({})), refused);

    let capture = text(&shop.captured(Funding::Balance), "id");
    let id = shop.paypal.dashboard().open_dispute(&capture).unwrap();
    shop.paypal.dashboard().win_dispute(&id).unwrap();
    let refund = format!("/v2/payments/captures/{capture}/refund");
    assert_eq!(shop.made(&refund, &json!({}))["status"], "COMPLETED");
}

#[test]
fn disputes_are_listed_page_by_page() {
    let mut shop = Merchant::new();
    for _ in 0..7 {
        let _ = shop.captured(Funding::Disputes);
    }
    let mut path = "/v1/customer/disputes?page_size=3".to_owned();
    let mut found = Vec::new();
    loop {
        let page = shop.read(&path);
        let rows = page["items"].as_array().unwrap();
        found.extend(rows.iter().map(|row| text(row, "dispute_id")));
        match link(&page, "next") {
            Some(next) => path = next.replace("https://api.sandbox.paypal.com", ""),
            None => break,
        }
    }
    found.dedup();
    assert_eq!(found.len(), 7);
}

#[test]
fn the_dashboard_refunds_without_a_request() {
    let mut shop = Merchant::new();
    let order = shop.approved("CAPTURE", Funding::Balance);
    let _ = shop.made(&format!("/v2/checkout/orders/{order}/capture"), &json!({}));
    let part = crate::money::Money::new(300, crate::money::Currency::EUR);
    let refund = shop.paypal.dashboard().refund(&order, Some(part)).unwrap();
    let read = shop.read(&format!("/v2/checkout/orders/{order}"));
    let listed = &read["purchase_units"][0]["payments"]["refunds"];
    assert_eq!(text(&listed[0], "id"), refund);
    assert_eq!(listed[0]["amount"]["value"], "3.00");
}
