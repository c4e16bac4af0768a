//! Request ids, faults, and requests that are not what they should be.

use super::*;
use crate::simulator::FaultRule;

#[test]
fn a_request_id_gives_the_same_result_as_it_now_is() {
    let mut shop = Merchant::new();
    let (status, first) = shop.keyed("/v2/checkout/orders", &order("CAPTURE"), "order-1");
    assert_eq!(status, 201);
    let id = text(&first, "id");
    shop.approve(&id, Funding::Balance);
    // The body of a repetition is not looked at.
    let (status, again) = shop.keyed("/v2/checkout/orders", &order("AUTHORIZE"), "order-1");
    assert_eq!((status, text(&again, "id")), (200, id.clone()));
    assert_eq!(again["status"], "APPROVED");

    let capture = format!("/v2/checkout/orders/{id}/capture");
    // The same id for another kind of call is another id.
    assert_eq!(shop.keyed(&capture, &json!({}), "order-1").0, 201);
    let (status, again) = shop.keyed(&capture, &json!({}), "order-1");
    assert_eq!(
        (status, text(&again, "status")),
        (200, "COMPLETED".to_owned())
    );
    let captures = &again["purchase_units"][0]["payments"]["captures"];
    let refund = format!("/v2/payments/captures/{}/refund", text(&captures[0], "id"));
    for _ in 0..3 {
        let _ = shop.keyed(&refund, &amount("5.00"), "refund-1");
    }
    assert_eq!(shop.paypal.ledger()[0].refunded.minor(), 500);
}

#[test]
fn request_ids_of_orders_are_kept_six_hours_and_of_payments_45_days() {
    let mut shop = Merchant::new();
    let (_, first) = shop.keyed("/v2/checkout/orders", &order("CAPTURE"), "k");
    shop.paypal.advance(6 * HOUR - Duration::from_secs(1));
    let (_, again) = shop.keyed("/v2/checkout/orders", &order("CAPTURE"), "k");
    assert_eq!(again["id"], first["id"]);
    shop.paypal.advance(Duration::from_secs(1));
    let (status, other) = shop.keyed("/v2/checkout/orders", &order("CAPTURE"), "k");
    assert_eq!(status, 201);
    assert_ne!(other["id"], first["id"]);

    let capture = text(&shop.captured(Funding::Balance), "id");
    let refund = format!("/v2/payments/captures/{capture}/refund");
    let (_, first) = shop.keyed(&refund, &amount("5.00"), "k");
    shop.paypal.advance(45 * DAY - Duration::from_secs(1));
    assert_eq!(
        shop.keyed(&refund, &amount("5.00"), "k").1["id"],
        first["id"]
    );
    shop.paypal.advance(Duration::from_secs(1));
    assert_ne!(
        shop.keyed(&refund, &amount("5.00"), "k").1["id"],
        first["id"]
    );
}

#[test]
fn a_request_that_still_runs_is_a_conflict() {
    let mut shop = Merchant::new();
    let capture = text(&shop.captured(Funding::Balance), "id");
    let refund = format!("/v2/payments/captures/{capture}/refund");
    shop.paypal
        .faults()
        .script(FaultRule::next(Fault::Slow(HOUR)));
    let mut request = shop.request("POST", &refund, &json!({}));
    let _ = request
        .headers_mut()
        .insert("paypal-request-id", "k".parse().unwrap());
    assert!(matches!(shop.paypal.handle(&request), Answer::Late(..)));
    let (status, answer) = shop.send(&request);
    assert_eq!(
        (status, issue(&answer)),
        (409, "PREVIOUS_REQUEST_IN_PROGRESS".to_owned())
    );
    shop.paypal.advance(HOUR);
    assert_eq!(shop.send(&request).0, 200);
}

#[test]
fn the_mock_header_fails_a_call_before_anything_is_done() {
    let mut shop = Merchant::new();
    let id = shop.approved("CAPTURE", Funding::Balance);
    let path = format!("/v2/checkout/orders/{id}/capture");
    let mock = |shop: &Merchant, code: &str| {
        let mut request = shop.request("POST", &path, &json!({}));
        let value = json!({ "mock_application_codes": code }).to_string();
        let _ = request
            .headers_mut()
            .insert("paypal-mock-response", value.parse().unwrap());
        request
    };
    for (code, status) in [
        ("INSTRUMENT_DECLINED", 422),
        ("TRANSACTION_REFUSED", 422),
        ("DUPLICATE_INVOICE_ID", 422),
        ("PERMISSION_DENIED", 403),
        ("MISSING_REQUIRED_PARAMETER", 400),
        ("INTERNAL_SERVER_ERROR", 500),
    ] {
        let request = mock(&shop, code);
        let (found, answer) = shop.send(&request);
        assert_eq!((found, issue(&answer)), (status, code.to_owned()));
    }
    assert!(shop.paypal.ledger()[0].captured.is_zero());
    shop.paypal.set_negative_testing(false);
    let request = mock(&shop, "INSTRUMENT_DECLINED");
    assert_eq!(shop.send(&request).0, 201);
}

#[test]
fn a_minimal_answer_has_id_status_and_links() {
    let mut shop = Merchant::new();
    let mut request = shop.request("POST", "/v2/checkout/orders", &order("CAPTURE"));
    let _ = request.headers_mut().remove("prefer");
    let (_, answer) = shop.send(&request);
    let names: Vec<_> = answer
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(names, ["id", "links", "status"]);
}

#[test]
fn what_is_not_json_or_not_there_is_refused() {
    let mut shop = Merchant::new();
    let mut form = shop.request("POST", "/v2/checkout/orders", &json!({}));
    let _ = form
        .headers_mut()
        .insert("content-type", "text/plain".parse().unwrap());
    assert_eq!(shop.send(&form).0, 415);
    let broken = shop.request("POST", "/v2/checkout/orders", &json!({}));
    let broken = broken.map(|_| Bytes::from_static(b"{\"intent\":"));
    let (status, answer) = shop.send(&broken);
    assert_eq!(
        (status, issue(&answer)),
        (400, "MALFORMED_REQUEST_JSON".to_owned())
    );
    for path in [
        "/v2/checkout/orders/NONE",
        "/v2/payments/captures/NONE",
        "/v9/none",
    ] {
        let request = shop.request("GET", path, &Value::Null);
        let (status, answer) = shop.send(&request);
        assert_eq!(
            (status, text(&answer, "name")),
            (404, "RESOURCE_NOT_FOUND".to_owned())
        );
    }
}

#[test]
fn the_page_takes_a_shopper_to_the_shop_and_shows_nothing_of_theirs_as_html() {
    let mut shop = Merchant::new();
    let mut request = order("CAPTURE");
    request["purchase_units"][0]["description"] = json!("<b>Chair</b>");
    let made = shop.made("/v2/checkout/orders", &request);
    let path = format!("/checkoutnow?token={}", text(&made, "id"));
    let page = |shop: &mut Merchant, method: &str, form: &'static str| {
        let request = Request::builder().method(method).uri(&path);
        let request = request.body(Bytes::from_static(form.as_bytes())).unwrap();
        match shop.paypal.handle(&request) {
            Answer::Response(response) => {
                let location = response.headers().get("location");
                let location = location.map(|to| to.to_str().unwrap().to_owned());
                (
                    String::from_utf8(response.body().to_vec()).unwrap(),
                    location,
                )
            }
            other => panic!("{other:?}"),
        }
    };
    let (html, _) = page(&mut shop, "GET", "");
    assert!(
        html.contains("&lt;b&gt;Chair") && html.contains("20.00 EUR"),
        "{html}"
    );
    let (_, to) = page(&mut shop, "POST", "action=cancel");
    let token = text(&made, "id");
    assert_eq!(to, Some(format!("https://shop.example/cart?token={token}")));
    let (html, _) = page(&mut shop, "POST", "action=approve&funding=nothing");
    assert!(html.contains("Choose how to pay"));
    let _ = page(&mut shop, "POST", "action=approve&funding=challenge");
    assert!(page(&mut shop, "GET", "").0.contains("Is this you?"));
    assert!(
        page(&mut shop, "POST", "action=fail")
            .0
            .contains("Your bank declined")
    );
    let (_, to) = page(&mut shop, "POST", "action=approve&funding=balance");
    assert!(
        to.unwrap()
            .starts_with("https://shop.example/done?a=1&token=")
    );
    let _ = shop.made(&format!("/v2/checkout/orders/{token}/capture"), &json!({}));
    assert!(page(&mut shop, "GET", "").0.contains("This order is paid."));
}
