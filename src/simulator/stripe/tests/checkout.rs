//! Checkout Sessions and their page.

use serde_json::json;

use super::*;

#[test]
fn a_session_is_one_payment_with_its_intent() {
    let mut shop = Merchant::new();
    let session = shop.session("");
    let id = text(&session, "id");
    assert!(id.starts_with("cs_test_"));
    assert!(session["payment_intent"].is_null());
    assert_eq!(session["amount_total"], 2000);
    let declined = shop
        .stripe
        .shopper()
        .pay(&id, "pm_card_visa_chargeDeclined")
        .unwrap();
    assert!(matches!(declined, ShopperOutcome::Declined { .. }));
    assert_eq!(
        shop.stripe.shopper().pay(&id, "pm_card_visa"),
        Ok(ShopperOutcome::Paid)
    );
    let done = shop.read(&format!(
        "/v1/checkout/sessions/{id}?expand[]=payment_intent.latest_charge&expand[]=line_items"
    ));
    assert_eq!(
        (done["status"].clone(), done["payment_status"].clone()),
        (json!("complete"), json!("paid"))
    );
    assert_eq!(done["payment_intent"]["metadata"]["order"], "order-1");
    assert_eq!(done["payment_intent"]["latest_charge"]["paid"], true);
    assert_eq!(done["line_items"]["data"][0]["quantity"], 2);
    let intent = text(&done["payment_intent"], "id");
    let found = shop.read(&format!("/v1/checkout/sessions?payment_intent={intent}"));
    assert_eq!(found["data"][0]["id"], id);
    assert_eq!(
        shop.stripe.ledger()[0].client_reference_id.as_deref(),
        Some("order-1")
    );
    assert!(
        shop.stripe.shopper().pay(&id, "pm_card_visa").is_err(),
        "paid already"
    );
}

#[test]
fn a_session_hands_on_that_several_captures_are_wanted() {
    let mut shop = Merchant::new();
    let manual = "&payment_intent_data[capture_method]=manual";
    let several = "&payment_method_options[card][request_multicapture]=if_available";
    for (extra, allowed) in [("", false), (several, true)] {
        let id = text(&shop.session(&format!("{manual}{extra}")), "id");
        shop.stripe.shopper().pay(&id, "pm_card_visa").unwrap();
        let session = shop.read(&format!("/v1/checkout/sessions/{id}"));
        let capture = format!(
            "/v1/payment_intents/{}/capture",
            text(&session, "payment_intent")
        );
        let (status, _) = shop.post(&capture, "amount_to_capture=500&final_capture=false");
        assert_eq!(status == 200, allowed, "{extra}");
    }
}

#[test]
fn a_session_expires_after_a_day_or_when_told() {
    let mut shop = Merchant::new();
    let left = text(&shop.session(""), "id");
    let begun = text(&shop.session(""), "id");
    let intent = shop.stripe.shopper().begin(&begun).unwrap();
    shop.stripe.advance(DAY);
    for id in [&left, &begun] {
        assert_eq!(
            shop.read(&format!("/v1/checkout/sessions/{id}"))["status"],
            "expired"
        );
    }
    assert_eq!(
        shop.read(&format!("/v1/payment_intents/{intent}"))["status"],
        "canceled"
    );
    let told = text(&shop.session(""), "id");
    let expired = shop.ok(&format!("/v1/checkout/sessions/{told}/expire"), "");
    assert_eq!(expired["status"], "expired");
    assert!(shop.stripe.shopper().pay(&told, "pm_card_visa").is_err());
}

#[test]
fn a_debit_in_a_session_completes_it_unpaid() {
    let mut shop = Merchant::new();
    let id = text(&shop.session(""), "id");
    let outcome = shop.stripe.shopper().pay(&id, "pm_sepaDebit_success");
    assert_eq!(outcome, Ok(ShopperOutcome::Processing));
    let path = format!("/v1/checkout/sessions/{id}");
    let complete = shop.read(&path);
    assert_eq!(
        (
            complete["status"].clone(),
            complete["payment_status"].clone()
        ),
        (json!("complete"), json!("unpaid"))
    );
    shop.stripe.advance(3 * DAY);
    assert_eq!(shop.read(&path)["payment_status"], "paid");
    assert!(
        shop.events()
            .contains(&"checkout.session.async_payment_succeeded".to_owned())
    );
}

/// The page at `path`: its status, its `location` and its text.
fn visit(shop: &mut Merchant, method: &str, path: &str, form: &str) -> (u16, String, String) {
    let body = Bytes::copy_from_slice(form.as_bytes());
    let request = Request::builder().method(method).uri(path);
    let Answer::Response(page) = shop.send(&request.body(body).unwrap()) else {
        panic!("pages have no faults");
    };
    let location = page.headers().get("location");
    let location = location.map_or("", |url| url.to_str().unwrap()).to_owned();
    let text = String::from_utf8(page.body().to_vec()).unwrap();
    (page.status().as_u16(), location, text)
}

fn path_of(url: &str) -> String {
    url.parse::<http::Uri>().unwrap().path().to_owned()
}

#[test]
fn the_page_says_what_it_is_and_escapes_what_it_shows() {
    let mut shop = Merchant::new();
    let hostile = "&cancel_url=https://shop.example/%22%3E%3Cscript%3E\
                   &line_items[1][price_data][currency]=eur\
                   &line_items[1][price_data][unit_amount]=100\
                   &line_items[1][price_data][product_data][name]=%3Cscript%3Ealert('1')%26";
    let session = shop.session(hostile);
    let (status, _, page) = visit(&mut shop, "GET", &path_of(&text(&session, "url")), "");
    assert_eq!(status, 200);
    assert!(page.contains("This is not Stripe") && page.contains("Pay 21.00 EUR"));
    assert!(page.contains("&lt;script&gt;alert(&#39;1&#39;)&amp;"));
    assert!(!page.contains("<script"), "{page}");
    assert!(page.contains("pm_sepaDebit_success") && !page.contains("pm_usBankAccount"));
    assert!(
        !page.contains("src=") && !page.contains("@import"),
        "it loads nothing"
    );
}

#[test]
fn a_person_pays_is_declined_is_challenged_or_walks_away() {
    let mut shop = Merchant::new();
    let session = shop.session("");
    let (id, page) = (text(&session, "id"), path_of(&text(&session, "url")));
    let landing = format!("https://shop.example/ok?s={id}");

    let (status, _, shown) = visit(
        &mut shop,
        "POST",
        &page,
        "method=pm_card_visa_chargeDeclined",
    );
    assert_eq!(status, 200);
    assert!(shown.contains("role=alert>Your card was declined."));
    for wrong in [
        "",
        "method=",
        "method=pm_none",
        "method[a]=1",
        "%ff",
        "method=4242424242424242",
    ] {
        let (status, _, shown) = visit(&mut shop, "POST", &page, wrong);
        assert_eq!(status, 200, "{wrong}");
        assert!(shown.contains("role=alert"), "{wrong}");
    }

    let asks = "method=pm_card_authenticationRequired";
    let (status, challenge, _) = visit(&mut shop, "POST", &page, asks);
    assert_eq!(status, 303);
    let challenge = path_of(&challenge);
    assert!(
        visit(&mut shop, "GET", &challenge, "")
            .2
            .contains("20.00 EUR")
    );
    let (_, _, shown) = visit(&mut shop, "POST", &challenge, "answer=fail");
    assert!(shown.contains("unable to authenticate"));
    let (_, again, _) = visit(&mut shop, "POST", &page, asks);
    let (status, location, _) = visit(&mut shop, "POST", &path_of(&again), "answer=pass");
    assert_eq!((status, location), (303, landing));
    assert!(
        visit(&mut shop, "GET", &challenge, "")
            .2
            .contains("nothing to confirm")
    );
    assert!(visit(&mut shop, "GET", &page, "").2.contains("done"));
    assert_eq!(shop.stripe.ledger().len(), 1);
    assert_eq!(shop.stripe.ledger()[0].charges, 1);

    let left = shop.session("");
    let page = path_of(&text(&left, "url"));
    shop.stripe.advance(DAY);
    assert_eq!(visit(&mut shop, "GET", &page, "").0, 410);
    assert!(
        visit(&mut shop, "POST", &page, "method=pm_card_visa")
            .2
            .contains("expired")
    );
    assert_eq!(shop.stripe.ledger().len(), 1, "nothing was charged");
}

#[test]
fn a_challenged_intent_comes_back_to_the_shop_with_its_outcome() {
    let mut shop = Merchant::new();
    for (answer, outcome) in [("pass", "succeeded"), ("fail", "failed")] {
        let extra = "&return_url=https://shop.example/back?order=1";
        let intent = shop.paid(2000, "pm_card_authenticationRequired", extra);
        let url = text(&intent["next_action"]["redirect_to_url"], "url");
        let form = format!("answer={answer}");
        let (_, location, _) = visit(&mut shop, "POST", &path_of(&url), &form);
        let id = text(&intent, "id");
        assert!(location.starts_with(&format!(
            "https://shop.example/back?order=1&payment_intent={id}&"
        )));
        assert!(location.ends_with(&format!("redirect_status={outcome}")));
    }
}

#[test]
fn sessions_take_web_addresses_and_a_bounded_time_only() {
    let mut shop = Merchant::new();
    let items = "&line_items[0][price_data][currency]=eur&line_items[0][price_data][unit_amount]=100\
                 &line_items[0][price_data][product_data][name]=x";
    for wrong in [
        "javascript:alert(1)",
        "https://",
        "shop.example",
        "https://a b",
    ] {
        let form = format!("mode=payment&success_url={wrong}{items}");
        assert_eq!(shop.post("/v1/checkout/sessions", &form).0, 400, "{wrong}");
    }
    let now = START.unix();
    for (at, allowed) in [(1799, false), (1800, true), (86_400, true), (86_401, false)] {
        let expires_at = now + at;
        let form =
            format!("mode=payment&success_url=https://a.example&expires_at={expires_at}{items}");
        let (status, _) = shop.post("/v1/checkout/sessions", &form);
        assert_eq!(status == 200, allowed, "{at}");
    }
    for form in [
        "mode=setup",
        "mode=payment&success_url=https://a.example",
        "success_url=https://a.example",
    ] {
        assert_eq!(shop.post("/v1/checkout/sessions", form).0, 400, "{form}");
    }
}
