//! Webhooks: signatures, retries, and what goes wrong with them.

use super::*;
use crate::simulator::WebhookFault;

#[test]
fn webhooks_are_signed_with_every_secret_and_tried_again() {
    use hmac::{Hmac, KeyInit, Mac};
    let mut shop = Merchant::new();
    let url = "http://127.0.0.1:9/hook";
    let endpoint =
        shop.stripe
            .add_webhook_endpoint(url, "whsec_old", &["payment_intent.succeeded"]);
    assert!(
        shop.stripe
            .roll_webhook_secret(&endpoint, "whsec_new", HOUR)
    );
    let _ = shop.paid(1000, "pm_card_visa", "");
    let due = shop.stripe.due_webhooks();
    assert_eq!(due.len(), 1);
    assert_eq!(
        (due[0].kind.as_str(), due[0].attempt),
        ("payment_intent.succeeded", 1)
    );
    let signature = due[0].request.headers()["stripe-signature"]
        .to_str()
        .unwrap();
    let mut expected = format!("t={}", START.unix());
    for secret in ["whsec_new", "whsec_old"] {
        let mut mac = <Hmac<sha2::Sha256> as KeyInit>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{}.", START.unix()).as_bytes());
        mac.update(due[0].request.body());
        expected += &format!(",v1={}", hex::encode(mac.finalize().into_bytes()));
    }
    assert_eq!(signature, expected);

    shop.stripe.report_webhook(due[0].id, Some(500));
    assert!(shop.stripe.due_webhooks().is_empty());
    shop.stripe.advance(HOUR);
    let again = shop.stripe.due_webhooks();
    assert_eq!(
        (again[0].attempt, again[0].event.clone()),
        (2, due[0].event.clone())
    );
    let signature = again[0].request.headers()["stripe-signature"]
        .to_str()
        .unwrap();
    assert_eq!(
        signature.matches("v1=").count(),
        1,
        "the old secret has run out"
    );
    shop.stripe.report_webhook(again[0].id, Some(200));
    shop.stripe.advance(DAY);
    assert!(shop.stripe.due_webhooks().is_empty());
    let event = shop.read(&format!("/v1/events/{}", due[0].event));
    assert_eq!(event["pending_webhooks"], 0);
}

#[test]
fn webhooks_are_lost_doubled_late_and_out_of_order_on_demand() {
    let mut shop = Merchant::new();
    let kinds = [
        "payment_intent.created",
        "payment_intent.succeeded",
        "charge.succeeded",
    ];
    let _ = shop
        .stripe
        .add_webhook_endpoint("http://127.0.0.1:9/", "whsec_x", &kinds);
    for (faults, expected) in [
        (vec![], "created charge succeeded"),
        (vec![WebhookFault::Drop], "charge succeeded"),
        (
            vec![WebhookFault::Duplicate],
            "created created charge succeeded",
        ),
        (vec![WebhookFault::Reorder], "charge created succeeded"),
        (
            vec![WebhookFault::None, WebhookFault::Delay(HOUR)],
            "created succeeded charge",
        ),
    ] {
        for fault in faults {
            shop.stripe.webhook_odds().script(fault);
        }
        let _ = shop.paid(1000, "pm_card_visa", "");
        let mut due = shop.stripe.due_webhooks();
        shop.stripe.advance(HOUR);
        due.extend(shop.stripe.due_webhooks());
        let seen: Vec<&str> = due
            .iter()
            .map(|delivery| match delivery.kind.as_str() {
                "payment_intent.created" => "created",
                "payment_intent.succeeded" => "succeeded",
                _ => "charge",
            })
            .collect();
        assert_eq!(seen.join(" "), expected);
        for delivery in due {
            shop.stripe.report_webhook(delivery.id, Some(200));
        }
    }
}
