//! Paying: by API, by link and in a session.

use super::*;

#[test]
fn a_card_pays_and_is_captured_at_once() {
    let mut shop = Shop::new();
    let answer = shop.pay("A. Shopper");
    assert_eq!(answer["resultCode"], "Authorised");
    assert_eq!(answer["merchantReference"], "order-1");
    assert_eq!(shop.told(), ["AUTHORISATION true", "CAPTURE true"]);
    let entry = shop.only_entry();
    assert_eq!(entry.captured.to_string(), "20.00 EUR");
    assert_eq!(entry.psp_reference, text(&answer, "pspReference"));
}

#[test]
fn a_refusal_is_an_answer_with_its_reason() {
    for (holder, code, reason) in [
        ("DECLINED", "2", "Refused"),
        ("NOT_ENOUGH_BALANCE", "12", "Not enough balance"),
        ("CARD_EXPIRED", "6", "Expired Card"),
        ("FRAUD", "20", "FRAUD"),
    ] {
        let mut shop = Shop::new();
        let answer = shop.pay(holder);
        assert_eq!(answer["resultCode"], "Refused");
        assert_eq!(answer["refusalReasonCode"], code);
        assert_eq!(answer["refusalReason"], reason);
        let notices = shop.notices();
        assert_eq!(notices.len(), 1);
        assert_eq!(notices[0]["success"], "false");
        assert_eq!(notices[0]["reason"], reason);
        assert!(shop.only_entry().authorized.is_zero());
    }
    let mut shop = Shop::new();
    let mut body = payment(2000, "A. Shopper");
    body["additionalData"] = json!({ "RequestedTestAcquirerResponseCode": "6" });
    let (_, answer) = shop.post("/v72/payments", &body);
    assert_eq!(answer["refusalReasonCode"], "6");
}

#[test]
fn other_results_have_their_codes() {
    let mut shop = Shop::new();
    assert_eq!(shop.pay("SIM_ERROR")["resultCode"], "Error");
    let part = shop.pay("SIM_PARTLY_AUTHORISED");
    assert_eq!(part["resultCode"], "PartiallyAuthorised");
    assert_eq!(part["amount"]["value"], 1000);
    assert_eq!(shop.pay("SIM_PENDING")["resultCode"], "Pending");
    let _ = shop.told();
    shop.adyen.advance(DAY);
    assert_eq!(shop.told(), ["AUTHORISATION true", "CAPTURE true"]);

    let mut body = payment(2000, "");
    body["paymentMethod"] = json!({
        "type": "sepadirectdebit", "iban": "NL13TEST0123456789", "ownerName": "SIM_PENDING_REFUSED",
    });
    let (_, answer) = shop.post("/v72/payments", &body);
    assert_eq!(answer["resultCode"], "Received");
    shop.adyen.advance(2 * DAY);
    let told = shop.told();
    assert!(
        told.iter().all(|told| told.starts_with("REPORT")),
        "{told:?}"
    );
    shop.adyen.advance(DAY);
    assert_eq!(shop.told(), ["AUTHORISATION false"]);
}

#[test]
fn a_challenge_is_settled_by_the_details() {
    for (native, result_code) in [(false, "RedirectShopper"), (true, "ChallengeShopper")] {
        for passes in [true, false] {
            let mut shop = Shop::new();
            let mut body = payment(2000, "");
            body["paymentMethod"] = card("test_4917610000000000", "A. Shopper");
            if native {
                let preferred = json!({ "nativeThreeDS": "preferred" });
                body["authenticationData"] = json!({ "threeDSRequestData": preferred });
            }
            let (_, answer) = shop.post("/v72/payments", &body);
            assert_eq!(answer["resultCode"], result_code);
            let psp = text(&answer, "pspReference");
            let mut shopper = shop.adyen.shopper();
            let outcome = if passes {
                shopper.approve(&psp)
            } else {
                shopper.fail(&psp)
            };
            let Ok(ShopperOutcome::Returned { result }) = outcome else {
                panic!("{outcome:?}");
            };
            assert!(shop.told().is_empty(), "nothing is decided yet");
            let name = if native {
                "threeDSResult"
            } else {
                "redirectResult"
            };
            let details = json!({ "details": { name: result } });
            let (_, done) = shop.post("/v72/payments/details", &details);
            let expected = if passes { "Authorised" } else { "Refused" };
            assert_eq!(done["resultCode"], expected, "{done}");
            let (_, again) = shop.post("/v72/payments/details", &details);
            assert_eq!(again["resultCode"], expected);
            let expected: &[&str] = if passes {
                &["AUTHORISATION true", "CAPTURE true"]
            } else {
                &["AUTHORISATION false"]
            };
            assert_eq!(shop.told(), expected);
        }
    }
}

#[test]
fn a_shopper_who_never_comes_back_from_the_bank_is_told() {
    let mut shop = Shop::new();
    let mut body = payment(2000, "");
    body["paymentMethod"] = json!({ "type": "ideal" });
    let (_, answer) = shop.post("/v72/payments", &body);
    assert_eq!(answer["resultCode"], "RedirectShopper");
    assert_eq!(answer["action"]["type"], "redirect");
    shop.adyen.advance(DAY);
    assert_eq!(shop.told(), ["OFFER_CLOSED true"]);
    let psp = text(&answer, "pspReference");
    assert!(
        shop.adyen.shopper().approve(&psp).is_err(),
        "it is too late"
    );
}

#[test]
fn a_link_is_paid_after_a_refusal() {
    let mut shop = Shop::new();
    let (status, made) = shop.post("/v72/paymentLinks", &link());
    assert_eq!((status, &made["status"]), (201, &json!("active")));
    let id = text(&made, "id");
    let url = format!("https://test.adyen.link/{id}");
    assert_eq!(made["url"], url);
    let refused = shop.adyen.shopper().pay(&id, "visa:DECLINED");
    assert_eq!(refused, Ok(ShopperOutcome::Refused { code: 2 }));
    let paid = shop.adyen.shopper().pay(&id, "mc");
    assert_eq!(paid, Ok(ShopperOutcome::Paid));
    let path = format!("/v72/paymentLinks/{id}");
    assert_eq!(shop.get(&path).1["status"], "completed");
    assert!(shop.adyen.shopper().pay(&id, "mc").is_err(), "it is paid");
    let notices = shop.notices();
    assert_eq!(notices[0]["additionalData"]["paymentLinkId"], *id);
    assert_eq!(notices[1]["paymentMethod"], "mc");
    assert_ne!(notices[0]["pspReference"], notices[1]["pspReference"]);
    assert_eq!(shop.adyen.ledger().len(), 2);
}

#[test]
fn a_link_expires_by_the_clock_or_by_hand() {
    let mut shop = Shop::new();
    let (_, made) = shop.post("/v72/paymentLinks", &link());
    let path = format!("/v72/paymentLinks/{}", text(&made, "id"));
    shop.adyen.advance(DAY - Duration::from_secs(1));
    assert_eq!(shop.get(&path).1["status"], "active");
    shop.adyen.advance(Duration::from_secs(1));
    assert_eq!(shop.get(&path).1["status"], "expired");
    assert!(shop.told().is_empty(), "Adyen tells nothing of it");

    let (_, made) = shop.post("/v72/paymentLinks", &link());
    let path = format!("/v72/paymentLinks/{}", text(&made, "id"));
    let expire = json!({ "status": "expired" });
    assert_eq!(
        shop.call("PATCH", &path, &expire, None).1["status"],
        "expired"
    );
    assert_eq!(shop.call("PATCH", &path, &expire, None).0, 422);
    assert!(
        shop.adyen
            .shopper()
            .pay(&text(&made, "id"), "visa")
            .is_err()
    );

    let mut late = link();
    late["expiresAt"] = json!("2027-02-01T00:00:00+01:00");
    assert_eq!(shop.post("/v72/paymentLinks", &late).0, 422);
    late["expiresAt"] = json!("2026-12-01T00:00:00+01:00");
    let (_, made) = shop.post("/v72/paymentLinks", &late);
    assert_eq!(made["expiresAt"], "2026-11-30T23:00:00+00:00");
}

#[test]
fn the_result_of_a_session_never_changes() {
    let mut shop = Shop::new();
    let mut body = link();
    body["mode"] = json!("hosted");
    let (status, made) = shop.post("/v72/sessions", &body);
    assert_eq!(status, 201, "{made}");
    let id = text(&made, "id");
    let pending = shop.adyen.shopper().pay(&id, "sepadirectdebit");
    assert_eq!(pending, Ok(ShopperOutcome::Pending));
    let result = shop.adyen.session_result(&id).unwrap().to_owned();
    let path = format!("/v72/sessions/{id}?sessionResult={result}");
    assert_eq!(shop.get(&path).1["status"], "paymentPending");
    shop.adyen.advance(4 * DAY);
    assert_eq!(shop.told(), ["AUTHORISATION true", "CAPTURE true"]);
    assert_eq!(shop.get(&path).1["status"], "paymentPending");
    assert_eq!(
        shop.get(&format!("/v72/sessions/{id}?sessionResult=x")).0,
        422
    );

    let (_, made) = shop.post("/v72/sessions", &link());
    assert!(made.get("url").is_none(), "the page is the shop's own");
    let id = text(&made, "id");
    shop.adyen.advance(HOUR);
    assert!(shop.adyen.shopper().pay(&id, "visa").is_err());
    let result = shop.adyen.session_result(&id).unwrap().to_owned();
    let path = format!("/v72/sessions/{id}?sessionResult={result}");
    assert_eq!(shop.get(&path).1["status"], "expired");
}

#[test]
fn a_stored_card_is_charged_for_its_shopper_only() {
    let mut shop = Shop::new();
    let mut body = payment(2000, "A. Shopper");
    body["shopperReference"] = json!("shopper-1");
    body["storePaymentMethod"] = json!(true);
    let (_, first) = shop.post("/v72/payments", &body);
    let stored = &first["additionalData"]["tokenization.storedPaymentMethodId"];
    body["paymentMethod"] = json!({ "type": "scheme", "storedPaymentMethodId": stored });
    body["storePaymentMethod"] = json!(false);
    let (_, again) = shop.post("/v72/payments", &body);
    assert_eq!(again["resultCode"], "Authorised");
    body["shopperReference"] = json!("shopper-2");
    assert_eq!(shop.post("/v72/payments", &body).0, 422);
}
