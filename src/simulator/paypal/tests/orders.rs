//! Orders: what may be asked for, who approves it, and when it is over.

use super::*;

#[test]
fn an_order_is_approved_on_its_page_and_then_captured() {
    let mut shop = Merchant::new();
    let id = shop.order("CAPTURE");
    let path = format!("/v2/checkout/orders/{id}");
    let made = shop.read(&path);
    assert_eq!(made["status"], "CREATED");
    assert_eq!(made["purchase_units"][0]["amount"]["value"], "20.00");
    assert!(
        link(&made, "approve")
            .unwrap()
            .starts_with("https://www.sandbox.paypal.com/")
    );
    let capture = format!("{path}/capture");
    let refused = (422, "ORDER_NOT_APPROVED".to_owned());
    assert_eq!(shop.fails(&capture, &json!({})), refused);

    let outcome = shop
        .paypal
        .shopper()
        .approve(&id, Funding::Balance)
        .unwrap();
    let back = format!("https://shop.example/done?a=1&token={id}&PayerID=P4YERS7M2ATED");
    assert_eq!(
        outcome,
        ShopperOutcome::Approved {
            return_url: Some(back)
        }
    );
    assert_eq!(shop.read(&path)["status"], "APPROVED");
    assert!(shop.paypal.ledger()[0].captured.is_zero());

    let paid = shop.made(&capture, &json!({}));
    assert_eq!(paid["status"], "COMPLETED");
    let capture_made = &paid["purchase_units"][0]["payments"]["captures"][0];
    assert_eq!(capture_made["status"], "COMPLETED");
    assert_eq!(capture_made["custom_id"], "order-1");
    let breakdown = &capture_made["seller_receivable_breakdown"];
    assert_eq!(breakdown["paypal_fee"]["value"], "1.19");
    assert_eq!(breakdown["net_amount"]["value"], "18.81");
    let refused = (422, "ORDER_ALREADY_CAPTURED".to_owned());
    assert_eq!(shop.fails(&capture, &json!({})), refused);
    assert_eq!(shop.paypal.ledger()[0].captured.minor(), 2000);
}

#[test]
fn a_payment_source_asks_for_the_payers_action_and_a_request_id() {
    let mut shop = Merchant::new();
    let mut request = order("CAPTURE");
    request["payment_source"] = json!({ "paypal": { "experience_context": {
        "return_url": "https://shop.example/done", "user_action": "PAY_NOW",
    } } });
    let refused = (400, "PAYPAL_REQUEST_ID_REQUIRED".to_owned());
    assert_eq!(shop.fails("/v2/checkout/orders", &request), refused);
    let (_, made) = shop.keyed("/v2/checkout/orders", &request, "k");
    assert_eq!(made["status"], "PAYER_ACTION_REQUIRED");
    assert!(link(&made, "payer-action").is_some() && link(&made, "approve").is_none());
}

#[test]
fn what_the_shopper_pays_with_decides() {
    let declined = |code: &str| json!({ "response_code": code });
    for (funding, status, issue_or_status, response) in [
        (Funding::Balance, 201, "COMPLETED", None),
        (Funding::Challenge, 201, "COMPLETED", None),
        (
            Funding::InstrumentDeclined,
            422,
            "INSTRUMENT_DECLINED",
            None,
        ),
        (Funding::Refused, 422, "TRANSACTION_REFUSED", None),
        (Funding::CannotPay, 422, "PAYER_CANNOT_PAY", None),
        (Funding::Echeck, 201, "PENDING", None),
        (Funding::Review, 201, "PENDING", None),
        (Funding::AwaitsAcceptance, 201, "PENDING", None),
        (
            Funding::CardDeclined(CardDecline::InsufficientFunds),
            201,
            "DECLINED",
            Some(declined("5120")),
        ),
        (
            Funding::CardDeclined(CardDecline::DoNotHonour),
            201,
            "DECLINED",
            Some(declined("0500")),
        ),
    ] {
        let mut shop = Merchant::new();
        let id = shop.approved("CAPTURE", funding);
        let capture = format!("/v2/checkout/orders/{id}/capture");
        let (found, answer) = shop.post(&capture, &json!({}));
        let made = &answer["purchase_units"][0]["payments"]["captures"][0];
        let said = if found == 422 {
            issue(&answer)
        } else {
            text(made, "status")
        };
        assert_eq!(
            (found, said.as_str()),
            (status, issue_or_status),
            "{funding:?}"
        );
        if let Some(response) = response {
            assert_eq!(made["processor_response"], response, "{funding:?}");
        }
        let taken = if issue_or_status == "COMPLETED" {
            2000
        } else {
            0
        };
        assert_eq!(
            shop.paypal.ledger()[0].captured.minor(),
            taken,
            "{funding:?}"
        );
    }
}

#[test]
fn a_declined_instrument_can_be_replaced() {
    let mut shop = Merchant::new();
    let id = shop.approved("CAPTURE", Funding::InstrumentDeclined);
    let capture = format!("/v2/checkout/orders/{id}/capture");
    let (_, answer) = shop.post(&capture, &json!({}));
    assert!(link(&answer, "redirect").unwrap().contains(&id));
    shop.approve(&id, Funding::Balance);
    assert_eq!(shop.made(&capture, &json!({}))["status"], "COMPLETED");
}

#[test]
fn a_failed_challenge_leaves_the_order_open() {
    let mut shop = Merchant::new();
    let id = shop.order("CAPTURE");
    let outcome = shop
        .paypal
        .shopper()
        .approve(&id, Funding::Challenge)
        .unwrap();
    assert!(matches!(outcome, ShopperOutcome::Challenged { .. }));
    let path = format!("/v2/checkout/orders/{id}");
    assert_eq!(shop.read(&path)["status"], "PAYER_ACTION_REQUIRED");
    let outcome = shop.paypal.shopper().fail_challenge(&id).unwrap();
    assert_eq!(outcome, ShopperOutcome::Declined);
    assert_eq!(shop.read(&path)["status"], "CREATED");
    assert!(shop.paypal.shopper().pass_challenge(&id).is_err());
}

#[test]
fn an_order_lapses_after_three_hours() {
    let mut shop = Merchant::new();
    let open = shop.order("CAPTURE");
    let approved = shop.approved("AUTHORIZE", Funding::Balance);
    let paid = text(&shop.captured(Funding::Balance), "id");
    shop.paypal.advance(3 * HOUR - Duration::from_secs(1));
    assert!(shop.paypal.shopper().cancel(&open).is_ok());
    shop.paypal
        .add_webhook("https://shop.example/hook", "HOOK1", &["*"]);
    shop.paypal.advance(Duration::from_secs(1));
    assert!(
        shop.paypal
            .shopper()
            .approve(&open, Funding::Balance)
            .is_err()
    );
    assert_eq!(shop.told(), ["CHECKOUT.PAYMENT-APPROVAL.REVERSED"]);
    let refused = (422, "ORDER_EXPIRED".to_owned());
    let authorize = format!("/v2/checkout/orders/{approved}/authorize");
    assert_eq!(shop.fails(&authorize, &json!({})), refused);
    assert_eq!(
        shop.read(&format!("/v2/checkout/orders/{open}"))["status"],
        "CREATED"
    );
    assert_eq!(
        shop.read(&format!("/v2/checkout/orders/{approved}"))["status"],
        "VOIDED"
    );

    shop.paypal.advance(72 * HOUR);
    let request = shop.request("GET", &format!("/v2/checkout/orders/{open}"), &Value::Null);
    assert_eq!(shop.send(&request).0, 404);
    assert_eq!(
        shop.read(&format!("/v2/payments/captures/{paid}"))["status"],
        "COMPLETED"
    );
}

#[test]
fn an_approval_renews_the_time_to_capture() {
    let mut shop = Merchant::new();
    let id = shop.order("CAPTURE");
    shop.paypal.advance(2 * HOUR);
    shop.approve(&id, Funding::Balance);
    shop.paypal.advance(2 * HOUR);
    let paid = shop.made(&format!("/v2/checkout/orders/{id}/capture"), &json!({}));
    assert_eq!(paid["status"], "COMPLETED");
}

#[test]
fn wrong_orders_are_refused_with_their_issue() {
    let unit = |value: Value| json!({ "intent": "CAPTURE", "purchase_units": [value] });
    let money = |value: &str| json!({ "currency_code": "EUR", "value": value });
    let item = json!({ "name": "Chair", "quantity": "2", "unit_amount": money("10.00") });
    for (body, status, expected) in [
        (json!({}), 400, "MISSING_REQUIRED_PARAMETER"),
        (json!({ "intent": "SALE" }), 400, "INVALID_PARAMETER_VALUE"),
        (
            json!({ "intent": "CAPTURE", "purchase_units": [] }),
            400,
            "INVALID_ARRAY_MIN_ITEMS",
        ),
        (unit(json!({})), 400, "MISSING_REQUIRED_PARAMETER"),
        (
            unit(json!({ "amount": money("0.00") })),
            422,
            "CANNOT_BE_ZERO_OR_NEGATIVE",
        ),
        (
            unit(json!({ "amount": money("-1") })),
            422,
            "CANNOT_BE_ZERO_OR_NEGATIVE",
        ),
        (
            unit(json!({ "amount": money("1.001") })),
            422,
            "DECIMAL_PRECISION",
        ),
        (
            unit(json!({ "amount": money("1,00") })),
            400,
            "INVALID_PARAMETER_SYNTAX",
        ),
        (
            unit(json!({ "amount": { "currency_code": "JPY", "value": "1.00" } })),
            422,
            "DECIMAL_PRECISION",
        ),
        (
            unit(json!({ "amount": { "currency_code": "KWD", "value": "1" } })),
            422,
            "INVALID_CURRENCY_CODE",
        ),
        (
            unit(json!({ "amount": money("1"), "custom_id": "x".repeat(128) })),
            400,
            "INVALID_STRING_LENGTH",
        ),
        (
            unit(json!({ "amount": {
                "currency_code": "EUR", "value": "20.00",
                "breakdown": { "item_total": money("20.00"), "shipping": money("1.00") },
            } })),
            422,
            "AMOUNT_MISMATCH",
        ),
        (
            unit(json!({ "amount": money("20.00"), "items": [item] })),
            422,
            "ITEM_TOTAL_REQUIRED",
        ),
        (
            unit(json!({ "items": [item], "amount": {
                "currency_code": "EUR", "value": "19.00",
                "breakdown": { "item_total": money("19.00") },
            } })),
            422,
            "ITEM_TOTAL_MISMATCH",
        ),
        (
            json!({ "intent": "AUTHORIZE", "purchase_units": [
                { "reference_id": "a", "amount": money("1") },
                { "reference_id": "b", "amount": money("1") },
            ] }),
            422,
            "UNSUPPORTED_INTENT",
        ),
        (
            json!({ "intent": "CAPTURE", "purchase_units": [
                { "reference_id": "a", "amount": money("1") },
                { "reference_id": "b", "amount": { "currency_code": "USD", "value": "1" } },
            ] }),
            422,
            "MULTI_CURRENCY_ORDER",
        ),
    ] {
        let mut shop = Merchant::new();
        let found = shop.fails("/v2/checkout/orders", &body);
        assert_eq!(found, (status, expected.to_owned()), "{body:#}");
        assert!(shop.paypal.ledger().is_empty());
    }
}

#[test]
fn an_invoice_is_paid_once() {
    let mut shop = Merchant::new();
    let mut with_invoice = order("CAPTURE");
    with_invoice["purchase_units"][0]["invoice_id"] = json!("INV-1");
    let capture = |shop: &mut Merchant, funding| {
        let id = text(&shop.made("/v2/checkout/orders", &with_invoice), "id");
        shop.approve(&id, funding);
        shop.post(&format!("/v2/checkout/orders/{id}/capture"), &json!({}))
    };
    // What was declined does not count.
    let declined = Funding::CardDeclined(CardDecline::DoNotHonour);
    assert_eq!(capture(&mut shop, declined).0, 201);
    assert_eq!(capture(&mut shop, Funding::Balance).0, 201);
    let (status, answer) = capture(&mut shop, Funding::Balance);
    assert_eq!(
        (status, issue(&answer)),
        (422, "DUPLICATE_INVOICE_ID".to_owned())
    );
    shop.paypal.allow_repeated_invoices(true);
    assert_eq!(capture(&mut shop, Funding::Balance).0, 201);
}

#[test]
fn several_units_are_captured_one_by_one() {
    let mut shop = Merchant::new();
    let unit = |name: &str, value: &str| {
        json!({
            "reference_id": name, "amount": { "currency_code": "EUR", "value": value },
        })
    };
    let units = json!([unit("a", "1.00"), unit("b", "2.00")]);
    let body = json!({ "intent": "CAPTURE", "purchase_units": units });
    let id = text(&shop.made("/v2/checkout/orders", &body), "id");
    shop.approve(&id, Funding::Balance);
    let paid = shop.made(&format!("/v2/checkout/orders/{id}/capture"), &json!({}));
    let amounts = paid["purchase_units"].as_array().unwrap().iter();
    let amounts: Vec<_> = amounts
        .map(|unit| text(&unit["payments"]["captures"][0]["amount"], "value"))
        .collect();
    assert_eq!(amounts, ["1.00", "2.00"]);
}

#[test]
fn an_open_order_can_be_patched() {
    let mut shop = Merchant::new();
    let id = shop.order("CAPTURE");
    let path = format!("/v2/checkout/orders/{id}");
    let unit = "/purchase_units/@reference_id=='default'";
    let steps = json!([
        { "op": "replace", "path": format!("{unit}/amount"),
          "value": { "currency_code": "EUR", "value": "15.00" } },
        { "op": "add", "path": format!("{unit}/invoice_id"), "value": "INV-2" },
        { "op": "remove", "path": format!("{unit}/custom_id") },
    ]);
    let request = shop.request("PATCH", &path, &steps);
    assert_eq!(shop.send(&request).0, 204);
    let patched = &shop.read(&path)["purchase_units"][0];
    assert_eq!(patched["amount"]["value"], "15.00");
    assert_eq!(patched["invoice_id"], "INV-2");
    assert!(patched.get("custom_id").is_none());
    shop.approve(&id, Funding::Balance);
    let more = json!([{ "op": "replace", "path": format!("{unit}/amount"),
                        "value": { "currency_code": "EUR", "value": "15.01" } }]);
    let request = shop.request("PATCH", &path, &more);
    let (status, answer) = shop.send(&request);
    assert_eq!(
        (status, issue(&answer)),
        (422, "AMOUNT_CHANGE_NOT_ALLOWED".to_owned())
    );
}
