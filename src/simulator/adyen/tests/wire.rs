//! Keys, errors, idempotency and faults.

use super::*;
use crate::simulator::FaultRule;

#[test]
fn wrong_credentials_and_accounts_have_their_own_errors() {
    let mut shop = Shop::new();
    shop.adyen.refuse_key("live key");
    for key in ["live key", "test_CLIENTKEY", ""] {
        let request = Request::post("/v72/payments").header("x-api-key", key);
        let request = request
            .body(Bytes::from(payment(1, "").to_string()))
            .unwrap();
        let response = shop.whole(&request);
        assert_eq!(response.status(), 401, "{key}");
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(body["errorCode"], "000");
    }
    let live = Request::get("https://management-live.adyen.com/v3/me");
    assert_eq!(
        shop.whole(&authorized(live).body(Bytes::new()).unwrap())
            .status(),
        401
    );

    let basic = Request::get("/v3/me").header("authorization", "Basic d3NAQ29tcGFueS5YOnB3");
    assert_eq!(shop.whole(&basic.body(Bytes::new()).unwrap()).status(), 200);

    let mut body = payment(2000, "");
    body["merchantAccount"] = json!("SomeoneElse");
    let (status, error) = shop.post("/v72/payments", &body);
    assert_eq!((status, &error["errorCode"]), (403, &json!("901")));
    assert_eq!(error["errorType"], "security");
    assert_eq!(text(&error, "pspReference").len(), 16);

    shop.adyen.limit_merchants("key of the shop", &[]);
    assert_eq!(shop.post("/v72/payments", &payment(2000, "")).0, 403);
    shop.adyen
        .limit_roles("key of the shop", &["Management API - Webhooks read"]);
    let (status, error) = shop.post("/v72/payments", &payment(2000, ""));
    assert_eq!((status, &error["errorCode"]), (403, &json!("010")));
    assert!(shop.adyen.ledger().is_empty());
}

#[test]
fn requests_that_say_nonsense_are_refused() {
    let mut shop = Shop::new();
    let wrong = |change: &dyn Fn(&mut Value)| {
        let mut body = payment(2000, "");
        change(&mut body);
        body
    };
    for (body, status, code) in [
        (wrong(&|body| body["amount"] = json!(null)), 422, "100"),
        (
            wrong(&|body| body["amount"]["value"] = json!(-1)),
            422,
            "137",
        ),
        (
            wrong(&|body| body["amount"]["value"] = json!(1.5)),
            400,
            "702",
        ),
        (
            wrong(&|body| body["amount"]["value"] = json!("1")),
            400,
            "702",
        ),
        (
            wrong(&|body| body["amount"]["currency"] = json!("XXQ")),
            422,
            "138",
        ),
        (wrong(&|body| body["reference"] = json!("")), 422, "130"),
        (
            wrong(&|body| body["reference"] = json!("x".repeat(81))),
            422,
            "702",
        ),
        (
            wrong(&|body| body["returnUrl"] = json!(null)),
            422,
            "14_030",
        ),
        (wrong(&|body| body["surprise"] = json!(1)), 422, "702"),
        (
            wrong(&|body| body["paymentMethod"] = json!(null)),
            422,
            "14_002",
        ),
        (
            wrong(&|body| body["paymentMethod"] = json!({ "type": "cash" })),
            422,
            "905",
        ),
        (
            wrong(&|body| body["paymentMethod"] = json!({ "number": "4111111111111111" })),
            403,
            "010",
        ),
        (json!([]), 400, "702"),
    ] {
        let (answered, error) = shop.post("/v72/payments", &body);
        assert_eq!(
            (answered, &error["errorCode"]),
            (status, &json!(code)),
            "{body}"
        );
    }
    for (path, body, status) in [
        ("/v72/payments/NONE/captures", link(), 422),
        ("/v71/payments", link(), 404),
        ("/v72/nothing", link(), 404),
        (
            "/v72/payments/details",
            json!({ "details": { "redirectResult": "x" } }),
            422,
        ),
    ] {
        assert_eq!(shop.post(path, &body).0, status, "{path}");
    }
    let (_, error) = shop.post(
        "/v72/payments/NONE/cancels",
        &json!({ "merchantAccount": MERCHANT_ACCOUNT }),
    );
    assert_eq!(error["errorCode"], "167");
    let garbage = authorized(Request::post("/v72/payments"));
    let garbage = garbage.body(Bytes::from_static(b"\xff{")).unwrap();
    assert_eq!(shop.whole(&garbage).status(), 400);
    let huge = authorized(Request::post("/v72/payments"));
    let huge = huge.body(Bytes::from(vec![b' '; 1024 * 1024 + 1])).unwrap();
    assert_eq!(shop.whole(&huge).status(), 413);
    assert!(shop.adyen.ledger().is_empty());
}

#[test]
fn a_key_gives_its_first_answer_again_whatever_is_asked() {
    let mut shop = Shop::new();
    let pay = |value| payment(value, "");
    let first = shop.call("POST", "/v72/payments", &pay(2000), Some("key-1"));
    let again = shop.call("POST", "/v72/payments", &pay(2000), Some("key-1"));
    assert_eq!(first, again);
    let other = shop.call("POST", "/v72/payments", &pay(3000), Some("key-1"));
    assert_eq!(first, other, "Adyen does not promise to compare bodies");
    let elsewhere = shop.call("POST", "/v72/paymentLinks", &link(), Some("key-1"));
    assert_eq!(
        first, elsewhere,
        "a key belongs to the account, not to an endpoint"
    );
    assert_eq!(shop.adyen.ledger().len(), 1);
    let second = shop.call("POST", "/v72/payments", &pay(2000), Some("key-2"));
    assert_ne!(first, second);
    shop.adyen.advance(7 * DAY);
    let forgotten = shop.call("POST", "/v72/payments", &pay(2000), Some("key-1"));
    assert_ne!(first, forgotten, "after seven days it may be forgotten");
    let long = "k".repeat(65);
    assert_eq!(
        shop.call("POST", "/v72/payments", &pay(1), Some(&long)).0,
        400
    );
    let response = shop.whole(&request("POST", "/v72/payments", &pay(1), Some("key-3")));
    assert_eq!(response.headers()["idempotency-key"], "key-3");
}

#[test]
fn a_refused_request_keeps_its_answer_and_a_transient_one_does_not() {
    let mut shop = Shop::new();
    let mut wrong = payment(2000, "");
    wrong["amount"]["value"] = json!(-1);
    let first = shop.call("POST", "/v72/payments", &wrong, Some("key"));
    assert_eq!(first.0, 422);
    assert_eq!(
        shop.call("POST", "/v72/payments", &payment(2000, ""), Some("key")),
        first
    );

    shop.adyen
        .faults()
        .script(FaultRule::next(Fault::Unavailable));
    let pay = request("POST", "/v72/payments", &payment(2000, ""), Some("other"));
    let response = shop.whole(&pay);
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["transient-error"], "true");
    assert_eq!(shop.whole(&pay).status(), 200);
}

#[test]
fn faults_strike_before_or_after_the_payment() {
    for (fault, status, payments) in [
        (Fault::ErrorBefore, Some(500), 0),
        (Fault::RateLimited, Some(429), 0),
        (Fault::ErrorStored, Some(500), 0),
        (Fault::ErrorAfter, Some(500), 1),
        (Fault::DropBefore, None, 0),
        (Fault::DropAfter, None, 1),
    ] {
        let mut shop = Shop::new();
        shop.adyen.faults().script(FaultRule::next(fault));
        let pay = request("POST", "/v72/payments", &payment(2000, ""), Some("key"));
        let answered = match shop.send(&pay) {
            Answer::Response(response) => Some(response.status().as_u16()),
            _ => None,
        };
        assert_eq!(
            (answered, shop.adyen.ledger().len()),
            (status, payments),
            "{fault:?}"
        );
        let again = shop.whole(&pay).status().as_u16();
        let stored = matches!(fault, Fault::ErrorStored | Fault::ErrorAfter);
        assert_eq!(again, if stored { 500 } else { 200 }, "{fault:?}");
        let expected = usize::from(fault != Fault::ErrorStored);
        assert_eq!(shop.adyen.ledger().len(), expected, "{fault:?}");
    }
}

#[test]
fn a_request_that_is_still_running_is_in_progress() {
    let mut shop = Shop::new();
    shop.adyen
        .faults()
        .script(FaultRule::next(Fault::Slow(HOUR)));
    let pay = request("POST", "/v72/payments", &payment(2000, ""), Some("key"));
    assert!(matches!(shop.send(&pay), Answer::Late(..)));
    let meanwhile = shop.whole(&pay);
    assert_eq!(meanwhile.status(), 422);
    assert_eq!(meanwhile.headers()["transient-error"], "true");
    let body: Value = serde_json::from_slice(meanwhile.body()).unwrap();
    assert_eq!(body["errorCode"], "704");
    shop.adyen.advance(HOUR);
    assert_eq!(shop.whole(&pay).status(), 200);
    assert_eq!(shop.adyen.ledger().len(), 1);
}

#[test]
fn the_management_api_tells_who_one_is() {
    let mut shop = Shop::new();
    shop.adyen.add_merchant("Second");
    let (status, me) = shop.get("/v3/me");
    assert_eq!((status, &me["active"]), (200, &json!(true)));
    assert!(text(&me, "clientKey").starts_with("test_"));
    let (_, first) = shop.get("/v3/merchants?pageSize=1");
    assert_eq!(first["itemsTotal"], 2);
    assert_eq!(first["data"][0]["id"], MERCHANT_ACCOUNT);
    let next = text(&first["_links"]["next"], "href");
    let (_, second) = shop.get(
        next.strip_prefix("https://management-test.adyen.com")
            .unwrap(),
    );
    assert_eq!(second["data"][0]["id"], "Second");
    assert!(second["_links"].get("next").is_none());
    assert_eq!(shop.get("/v3/merchants?pageSize=101").0, 422);
    let (status, error) = shop.get("/v3/merchants/None");
    assert_eq!((status, &error["title"]), (403, &json!("Forbidden")));
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let run = |seed| {
        let mut adyen = AdyenSimulator::new(seed, START);
        let _ = adyen.add_webhook(MERCHANT_ACCOUNT, "http://127.0.0.1:9/", HMAC_KEY);
        let mut shop = Shop { adyen };
        let answer = shop.pay("");
        (answer, shop.notices())
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
