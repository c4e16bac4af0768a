//! What the Management API says before a shop goes live.

use counterfoil::ModeKind;
use counterfoil::error::ErrorKind;
use serde_json::{Value, json};

use crate::shop::{ACCOUNT, Shop};

const CHECKOUT: &str = "Checkout webservice role";
const TEST: &str = "https://management-test.adyen.com/v3";

fn me(client_key: &str, roles: &[&str]) -> Value {
    json!({
        "id": "S2-6262224667", "username": "ws_123456@Company.Shop", "clientKey": client_key,
        "companyName": "Shop", "active": true, "allowedIpAddresses": [], "roles": roles,
        "_links": {"self": {"href": "https://management-test.adyen.com/v3/me"}},
    })
}

fn merchant(status: &str) -> Value {
    json!({"id": ACCOUNT, "status": status, "primarySettlementCurrency": "EUR", "captureDelay": "immediate"})
}

#[tokio::test]
async fn the_account_is_the_merchant_account_and_may_charge() {
    for (roles, status, can_charge) in [
        ([CHECKOUT], "Active", Some(true)),
        ([CHECKOUT], "PreActive", Some(false)),
        (["Management API - Account read"], "Active", Some(false)),
    ] {
        let shop = Shop::open();
        shop.wire.answer(200, &me("test_UCXCS7BXZVCU7IHU", &roles));
        let may_pay = roles == [CHECKOUT];
        if may_pay {
            shop.wire.answer(200, &json!({"paymentMethods": []}));
        }
        shop.wire.answer(200, &merchant(status));
        let account = shop.provider.account().await.unwrap();
        assert_eq!((&*account.id, account.mode), (ACCOUNT, ModeKind::Test));
        assert_eq!(
            (account.can_charge, account.currencies.len()),
            (can_charge, 1)
        );
        let lines: Vec<_> = shop
            .wire
            .requests()
            .iter()
            .map(|r| format!("{} {}", r.method(), r.uri()))
            .collect();
        let mut expected = vec![
            format!("GET {TEST}/me"),
            "POST https://checkout-test.adyen.com/v72/paymentMethods".to_owned(),
            format!("GET {TEST}/merchants/{ACCOUNT}"),
        ];
        if !may_pay {
            expected.remove(1);
        }
        assert_eq!(lines, expected);
    }
}

/// The prefix of another company's live hosts shows in no setting, and the Management API has none.
#[tokio::test]
async fn an_account_that_cannot_pay_where_payments_go_is_not_open() {
    let shop = Shop::open();
    shop.wire.answer(200, &me("test_1", &[CHECKOUT]));
    let refused = json!({"status": 403, "errorCode": "901", "message": "Invalid Merchant Account", "errorType": "security"});
    shop.wire.answer(403, &refused);
    let error = shop.provider.account().await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Credentials);
    assert_eq!(shop.wire.requests().len(), 2);
}

#[tokio::test]
async fn a_key_may_pay_without_being_allowed_to_look_at_the_account() {
    let shop = Shop::open();
    shop.wire.answer(200, &me("test_1", &[CHECKOUT]));
    shop.wire.answer(200, &json!({"paymentMethods": []}));
    shop.wire.answer(403, &json!({"type": "x", "title": "Forbidden", "status": 403, "detail": "", "errorCode": "00_403"}));
    let account = shop.provider.account().await.unwrap();
    assert_eq!((account.can_charge, account.currencies.len()), (None, 0));
}

#[tokio::test]
async fn a_key_of_the_other_mode_is_told_as_that() {
    let shop = Shop::open();
    shop.wire.answer(200, &me("live_UCXCS7BXZVCU7IHU", &[]));
    let error = shop.provider.account().await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::WrongMode);
    let refused = json!({"type": "x", "title": "Unauthorized", "status": 401, "detail": "hidden", "errorCode": "00_401", "requestId": "1W1UI15PLVGC9V8O"});
    shop.wire.answer(401, &refused);
    let error = shop.provider.account().await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Credentials);
    assert!(error.to_string().contains("one of live mode"), "{error}");
    assert_eq!(error.request_id(), Some("1W1UI15PLVGC9V8O"));
}

#[tokio::test]
async fn webhooks_are_listed_to_the_end_and_tried_out() {
    let shop = Shop::open();
    let page = |id: &str| {
        json!({
            "itemsTotal": 2, "pagesTotal": 2, "_links": {},
            "data": [{
                "id": id, "type": "standard", "url": "https://shop.example/hook", "active": true,
                "communicationFormat": "json", "hmacKeyCheckValue": "B4E45F", "hasPassword": true,
                "additionalSettings": {"includeEventCodes": ["CAPTURE_FAILED"], "properties": {}},
            }],
        })
    };
    shop.wire.answer(200, &page("WH1"));
    shop.wire.answer(200, &page("WH2"));
    let webhooks = shop.adyen.webhooks().await.unwrap();
    assert_eq!(
        webhooks.iter().map(|w| w.id.as_str()).collect::<Vec<_>>(),
        ["WH1", "WH2"]
    );
    assert!(webhooks[0].is_active && webhooks[0].is_signed && webhooks[0].has_password);
    assert_eq!(webhooks[0].more_events, ["CAPTURE_FAILED"]);
    let path = shop.wire.requests()[1].uri().to_string();
    assert_eq!(
        path,
        format!("{TEST}/merchants/{ACCOUNT}/webhooks?pageNumber=2&pageSize=100")
    );

    shop.wire.answer(
        200,
        &json!({"data": [{"status": "success", "responseCode": "200", "output": "[accepted]"}]}),
    );
    let tests = shop
        .adyen
        .test_webhook("WH1", &["AUTHORISATION"])
        .await
        .unwrap();
    assert_eq!((tests[0].is_success, tests[0].answer), (true, Some(200)));
    let (line, key, body) = shop.wire.only_request();
    assert_eq!(
        line,
        format!("POST {TEST}/merchants/{ACCOUNT}/webhooks/WH1/test")
    );
    assert_eq!((key, body), (None, json!({"types": ["AUTHORISATION"]})));
}
