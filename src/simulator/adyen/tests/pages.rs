//! The pages, as a browser uses them.

use super::*;

/// What a browser sees: the status, where it is sent, and the page.
fn open(shop: &mut Shop, method: &str, url: &str, form: &str) -> (u16, String, String) {
    let request = Request::builder().method(method).uri(url);
    let response = shop.whole(&request.body(Bytes::from(form.to_owned())).unwrap());
    let location = response.headers().get("location");
    let location = location.map_or("", |url| url.to_str().unwrap()).to_owned();
    let page = String::from_utf8(response.body().to_vec()).unwrap();
    (response.status().as_u16(), location, page)
}

#[test]
fn a_link_is_refused_challenged_and_paid() {
    let mut shop = Shop::new();
    shop.adyen.set_base_url("http://127.0.0.1:4000/");
    let mut body = link();
    body["reference"] = json!("<script>1</script>");
    let (_, made) = shop.post("/v72/paymentLinks", &body);
    let url = text(&made, "url");
    assert_eq!(url, format!("http://127.0.0.1:4000/{}", text(&made, "id")));
    let (status, _, page) = open(&mut shop, "GET", &url, "");
    assert_eq!(status, 200);
    for part in [
        "EUR 20.00",
        "Simulation",
        "width=device-width",
        "&lt;script&gt;1",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("<script"), "nothing runs there");
    let (_, _, page) = open(&mut shop, "POST", &url, "method=visa%3ANOT_ENOUGH_BALANCE");
    assert!(page.contains("Not enough balance (12)"));
    let (status, bank, _) = open(&mut shop, "POST", &url, "method=visa_3ds");
    assert_eq!(status, 303);
    let (_, _, page) = open(&mut shop, "GET", &bank, "");
    assert!(page.contains("Is this you?"));
    let (_, _, page) = open(&mut shop, "POST", &bank, "answer=fail");
    assert!(page.contains("3D Not Authenticated (11)"));
    let (_, bank, _) = open(&mut shop, "POST", &url, "method=visa_3ds");
    let (_, back, _) = open(&mut shop, "POST", &bank, "answer=pass");
    assert_eq!(back, "https://shop.example/back");
    let (_, _, page) = open(&mut shop, "GET", &url, "");
    assert!(page.contains("This payment is done."));
    let captured = shop.adyen.ledger();
    assert_eq!(
        captured
            .iter()
            .map(|entry| entry.captured.minor())
            .sum::<i64>(),
        2000
    );
}

#[test]
fn a_page_takes_one_payment_though_two_were_begun() {
    let mut shop = Shop::new();
    let (_, made) = shop.post("/v72/paymentLinks", &link());
    let url = text(&made, "url");
    let (_, first, _) = open(&mut shop, "POST", &url, "method=visa_3ds");
    let (_, second, _) = open(&mut shop, "POST", &url, "method=ideal");
    let (_, _, _) = open(&mut shop, "POST", &second, "answer=pass");
    let (_, _, _) = open(&mut shop, "POST", &first, "answer=pass");
    let told = shop.told();
    assert_eq!(
        told,
        ["AUTHORISATION true", "CAPTURE true", "AUTHORISATION false"]
    );
    let taken = shop.adyen.ledger();
    let taken = taken.iter().map(|entry| entry.captured.minor());
    assert_eq!(taken.sum::<i64>(), 2000);
}

#[test]
fn the_page_of_a_session_brings_its_result_back() {
    let mut shop = Shop::new();
    let (_, made) = shop.post("/v72/sessions", &link());
    let id = text(&made, "id");
    let url = format!("https://checkoutshopper-test.adyen.com/{id}");
    let (_, back, _) = open(&mut shop, "POST", &url, "method=mc");
    let result = shop.adyen.session_result(&id).unwrap().to_owned();
    let expected = format!("https://shop.example/back?sessionId={id}&sessionResult={result}");
    assert_eq!(back, expected);
    let (_, made) = shop.post("/v72/sessions", &link());
    let id = text(&made, "id");
    let (_, back, _) = open(&mut shop, "POST", &format!("/{id}"), "cancel=yes");
    assert!(back.contains("sessionResult="));
    assert_eq!(open(&mut shop, "GET", "/CS0000000000000000", "").0, 404);
    assert_eq!(open(&mut shop, "PUT", &format!("/{id}"), "").0, 405);
}

#[test]
fn a_payment_of_the_api_comes_back_with_its_result() {
    let mut shop = Shop::new();
    let mut body = payment(2000, "");
    body["returnUrl"] = json!("https://shop.example/back?order=1");
    body["paymentMethod"] = json!({ "type": "ideal" });
    let (_, answer) = shop.post("/v72/payments", &body);
    let bank = text(&answer["action"], "url");
    let (_, back, _) = open(&mut shop, "POST", &bank, "answer=pass");
    let result = back.strip_prefix("https://shop.example/back?order=1&redirectResult=");
    let details = json!({ "details": { "redirectResult": result.unwrap() } });
    let (_, done) = shop.post("/v72/payments/details", &details);
    assert_eq!(done["resultCode"], "Authorised");
}
