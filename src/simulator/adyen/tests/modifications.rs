//! What is done to a payment afterwards: received first, then done or refused, and perhaps undone.

use super::*;

#[test]
fn a_modification_is_received_before_it_is_done() {
    let mut shop = Shop::manual();
    shop.adyen.set_modification_delay(HOUR);
    let payment = shop.paid("");
    assert_eq!(shop.told(), ["AUTHORISATION true"]);
    let capture = shop.modify(&payment, "captures", Some(2000));
    assert!(shop.notices().is_empty());
    assert!(shop.only_entry().captured.is_zero());
    shop.adyen.advance(HOUR);
    let notices = shop.notices();
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0]["pspReference"], *capture);
    assert_eq!(notices[0]["originalReference"], *payment);
    assert_eq!(shop.only_entry().captured.minor(), 2000);
}

#[test]
fn a_partial_capture_lets_the_rest_go_unless_several_are_allowed() {
    for several in [false, true] {
        let mut shop = Shop::manual();
        shop.adyen
            .allow_multiple_captures(MERCHANT_ACCOUNT, several);
        let payment = shop.paid("");
        let _ = shop.modify(&payment, "captures", Some(1500));
        let _ = shop.modify(&payment, "captures", Some(500));
        let _ = shop.modify(&payment, "captures", Some(1));
        let second = if several {
            "CAPTURE true"
        } else {
            "CAPTURE false"
        };
        let expected = [
            "AUTHORISATION true",
            "CAPTURE true",
            second,
            "CAPTURE false",
        ];
        assert_eq!(shop.told(), expected);
        let entry = shop.only_entry();
        assert_eq!(entry.captured.minor(), if several { 2000 } else { 1500 });
        assert!(entry.capturable.is_zero());
    }
}

#[test]
fn an_automatic_capture_is_not_doubled() {
    let mut shop = Shop::new();
    let payment = shop.paid("");
    let _ = shop.modify(&payment, "captures", Some(2000));
    let expected = ["AUTHORISATION true", "CAPTURE true", "CAPTURE false"];
    assert_eq!(shop.told(), expected);
    assert_eq!(shop.only_entry().captured.minor(), 2000);
    shop.adyen.tell_automatic_captures(MERCHANT_ACCOUNT, false);
    let _ = shop.paid("");
    assert_eq!(shop.told(), ["AUTHORISATION true"]);
}

#[test]
fn a_delayed_capture_comes_by_the_clock() {
    let mut shop = Shop::new();
    let mut body = payment(2000, "");
    body["captureDelayHours"] = json!(24);
    let (_, _) = shop.post("/v72/payments", &body);
    shop.adyen.advance(23 * HOUR);
    assert_eq!(shop.told(), ["AUTHORISATION true"]);
    shop.adyen.advance(HOUR);
    assert_eq!(shop.told(), ["CAPTURE true"]);
}

#[test]
fn a_hold_is_cancelled_or_runs_out() {
    let mut shop = Shop::manual();
    let payment = shop.paid("");
    let _ = shop.modify(&payment, "cancels", None);
    let _ = shop.modify(&payment, "captures", Some(2000));
    let expected = ["AUTHORISATION true", "CANCELLATION true", "CAPTURE false"];
    assert_eq!(shop.told(), expected);

    let mut shop = Shop::manual();
    let payment = shop.paid("");
    shop.adyen.advance(28 * DAY);
    assert_eq!(shop.told(), ["AUTHORISATION true", "EXPIRE true"]);
    let _ = shop.modify(&payment, "captures", Some(2000));
    assert_eq!(shop.told(), ["CAPTURE false"]);
    assert!(shop.only_entry().captured.is_zero());
}

#[test]
fn a_payment_is_cancelled_by_its_reference() {
    let mut shop = Shop::manual();
    let payment = shop.paid("");
    let body = json!({
        "merchantAccount": MERCHANT_ACCOUNT, "paymentReference": "order-1", "reference": "stop-1",
    });
    let (status, answer) = shop.post("/v72/cancels", &body);
    assert_eq!((status, &answer["status"]), (201, &json!("received")));
    let notices = shop.notices();
    assert_eq!(notices[1]["eventCode"], "TECHNICAL_CANCEL");
    assert_eq!(notices[1]["originalReference"], *payment);
    assert_eq!(notices[1]["merchantReference"], "stop-1");
    assert!(shop.only_entry().capturable.is_zero());
    let unknown = json!({ "merchantAccount": MERCHANT_ACCOUNT, "paymentReference": "none" });
    assert_eq!(
        shop.post("/v72/cancels", &unknown).0,
        201,
        "it may yet come"
    );
}

#[test]
fn refunds_stay_within_what_was_captured() {
    let mut shop = Shop::new();
    let payment = shop.paid("");
    for (amount, outcome) in [(700, "true"), (700, "true"), (601, "false"), (600, "true")] {
        let _ = shop.notices();
        let refund = shop.modify(&payment, "refunds", Some(amount));
        let notices = shop.notices();
        assert_eq!(notices[0]["success"], outcome, "{amount}");
        assert_eq!(notices[0]["pspReference"], *refund);
    }
    assert_eq!(shop.only_entry().refunded.minor(), 2000);
}

#[test]
fn a_reversal_cancels_or_refunds() {
    for (shop, action) in [(Shop::manual(), "cancel"), (Shop::new(), "refund")] {
        let mut shop = shop;
        let payment = shop.paid("");
        let _ = shop.notices();
        let _ = shop.modify(&payment, "reversals", None);
        let notices = shop.notices();
        assert_eq!(notices[0]["eventCode"], "CANCEL_OR_REFUND");
        assert_eq!(notices[0]["success"], "true");
        assert_eq!(notices[0]["additionalData"]["modification.action"], action);
    }
}

#[test]
fn an_amount_is_changed_before_the_capture() {
    let mut shop = Shop::manual();
    let payment = shop.paid("");
    let _ = shop.modify(&payment, "amountUpdates", Some(2500));
    let _ = shop.modify(&payment, "captures", Some(2500));
    let _ = shop.modify(&payment, "amountUpdates", Some(3000));
    let expected = [
        "AUTHORISATION true",
        "AUTHORISATION_ADJUSTMENT true",
        "CAPTURE true",
        "AUTHORISATION_ADJUSTMENT false",
    ];
    assert_eq!(shop.told(), expected);
    assert_eq!(shop.only_entry().authorized.minor(), 2500);
}

#[test]
fn triggers_refuse_or_undo_modifications() {
    let refused = |holder: &str, what: &str, amount, expected: &str| {
        let mut shop = if what == "refunds" {
            Shop::new()
        } else {
            Shop::manual()
        };
        let payment = shop.paid(holder);
        let _ = shop.notices();
        let _ = shop.modify(&payment, what, amount);
        assert_eq!(shop.told(), [expected], "{holder}");
    };
    refused("SIM_CAPTURE_REFUSED", "captures", Some(1), "CAPTURE false");
    refused("SIM_CANCEL_REFUSED", "cancels", None, "CANCELLATION false");
    refused("SIM_REFUND_REFUSED", "refunds", Some(1), "REFUND false");

    for (holder, event) in [
        ("SIM_REFUND_FAILED", "REFUND_FAILED true"),
        ("SIM_REFUND_REVERSED", "REFUNDED_REVERSED true"),
    ] {
        let mut shop = Shop::new();
        let payment = shop.paid(holder);
        let _ = shop.modify(&payment, "refunds", Some(2000));
        let _ = shop.notices();
        shop.adyen.advance(HOUR);
        assert_eq!(shop.told(), [event]);
        assert!(shop.only_entry().refunded.is_zero());
    }

    let mut shop = Shop::new();
    let _ = shop.paid("SIM_CAPTURE_FAILED");
    let captured = shop.notices();
    shop.adyen.advance(HOUR);
    let failed = shop.notices();
    assert_eq!(failed[0]["eventCode"], "CAPTURE_FAILED");
    assert_eq!(failed[0]["pspReference"], captured[1]["pspReference"]);
    let entry = shop.only_entry();
    assert!(entry.captured.is_zero() && entry.capturable.is_zero());

    let mut shop = Shop::new();
    let payment = shop.paid("SIM_REFUND_SLOW");
    let _ = shop.notices();
    let _ = shop.modify(&payment, "refunds", Some(2000));
    assert!(shop.told().is_empty());
    shop.adyen.advance(HOUR);
    assert_eq!(shop.told(), ["REFUND true"]);
}

#[test]
fn a_chargeback_takes_the_money_and_may_give_it_back() {
    let mut shop = Shop::new();
    let payment = shop.paid("SIM_CHARGEBACK");
    let _ = shop.notices();
    shop.adyen.advance(HOUR);
    let notices = shop.notices();
    assert_eq!(notices[0]["eventCode"], "NOTIFICATION_OF_CHARGEBACK");
    assert_eq!(notices[1]["eventCode"], "CHARGEBACK");
    assert_eq!(notices[1]["originalReference"], *payment);
    assert_eq!(shop.only_entry().disputed.minor(), 2000);
    let _ = shop.modify(&payment, "refunds", Some(1));
    assert_eq!(shop.told(), ["REFUND false"], "the money is away");
    let dispute = text(&notices[1], "pspReference");
    shop.adyen.dashboard().reverse_chargeback(&dispute).unwrap();
    assert!(shop.only_entry().disputed.is_zero());
    shop.adyen.dashboard().charge_back_again(&dispute).unwrap();
    assert!(shop.adyen.dashboard().reverse_chargeback(&dispute).is_err());
    assert_eq!(
        shop.told(),
        ["CHARGEBACK_REVERSED true", "SECOND_CHARGEBACK true"]
    );
    shop.adyen
        .dashboard()
        .request_information(&payment)
        .unwrap();
    shop.adyen.dashboard().report_fraud(&payment).unwrap();
    let warned = ["REQUEST_FOR_INFORMATION true", "NOTIFICATION_OF_FRAUD true"];
    assert_eq!(shop.told(), warned);
}
