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
