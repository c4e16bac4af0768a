//! Tokens: who gets one, how long it is good, and what it allows.

use super::*;

#[test]
fn wrong_credentials_are_an_invalid_client() {
    let mut paypal = PaypalSimulator::new(1, START);
    for (id, secret) in [
        (PaypalSimulator::CLIENT_ID, "another"),
        ("client-of-the-live-app", PaypalSimulator::CLIENT_SECRET),
        ("", ""),
    ] {
        let (status, answer) = ask_token(&mut paypal, id, secret);
        assert_eq!(
            (status, text(&answer, "error")),
            (401, "invalid_client".to_owned())
        );
    }
    paypal.add_client("second-app", "its-secret");
    assert_eq!(ask_token(&mut paypal, "second-app", "its-secret").0, 200);
}

#[test]
fn a_token_ends_with_its_time_or_when_it_is_revoked() {
    let mut shop = Merchant::new();
    shop.paypal.set_token_lifetime(9 * HOUR);
    let (id, secret) = (PaypalSimulator::CLIENT_ID, PaypalSimulator::CLIENT_SECRET);
    let (_, answer) = ask_token(&mut shop.paypal, id, secret);
    assert_eq!(answer["expires_in"], 9 * 3600);
    shop.token = text(&answer, "access_token");
    shop.paypal.advance(9 * HOUR - Duration::from_secs(1));
    let _ = shop.order("CAPTURE");
    shop.paypal.advance(Duration::from_secs(1));
    let refused = (401, "AUTHENTICATION_FAILURE".to_owned());
    assert_eq!(
        shop.fails("/v2/checkout/orders", &order("CAPTURE")),
        refused
    );

    let mut shop = Merchant::new();
    shop.paypal.revoke_tokens();
    assert_eq!(
        shop.fails("/v2/checkout/orders", &order("CAPTURE")),
        refused
    );
    shop.token.clear();
    assert_eq!(
        shop.fails("/v2/checkout/orders", &order("CAPTURE")),
        refused
    );
}

#[test]
fn a_feature_is_in_the_tokens_that_come_after_it() {
    let mut paypal = PaypalSimulator::new(1, START);
    paypal.set_feature(Feature::Disputes, false);
    let mut shop = Merchant::on(paypal);
    let list = shop.request("GET", "/v1/customer/disputes", &Value::Null);
    let (status, answer) = shop.send(&list);
    assert_eq!(
        (status, issue(&answer)),
        (403, "PERMISSION_DENIED".to_owned())
    );
    shop.paypal.set_feature(Feature::Disputes, true);
    assert_eq!(shop.send(&list).0, 403);
    let mut shop = Merchant::on(shop.paypal);
    assert!(shop.read("/v1/customer/disputes")["items"].is_array());
}
