//! Notices: signed, tried again, doubled, reordered and lost.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::*;
use crate::simulator::WebhookFault;

fn hmac(key: &str, text: &[u8]) -> String {
    let key = hex::decode(key).unwrap();
    let mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    STANDARD.encode(mac.chain_update(text).finalize().into_bytes())
}

/// The eight fields, joined by hand.
fn signed_text(item: &Value) -> String {
    let field = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
    format!(
        "{}:{}:{}:{}:{}:{}:{}:{}",
        field("pspReference"),
        field("originalReference"),
        field("merchantAccountCode"),
        field("merchantReference"),
        item["amount"]["value"],
        item["amount"]["currency"].as_str().unwrap(),
        field("eventCode"),
        field("success"),
    )
}

#[test]
fn each_item_is_signed_over_eight_fields_with_nothing_escaped() {
    let mut shop = Shop::new();
    let mut body = payment(2000, "");
    body["reference"] = json!(r"a:b\c");
    let _ = shop.post("/v72/payments", &body);
    let notices = shop.notices();
    assert_eq!(notices.len(), 2);
    for item in &notices {
        assert_eq!(item["merchantReference"], r"a:b\c");
        let signature = &item["additionalData"]["hmacSignature"];
        assert_eq!(
            *signature,
            hmac(HMAC_KEY, signed_text(item).as_bytes()),
            "{item}"
        );
    }
}

/// The example of Adyen's own documentation and libraries.
#[test]
fn the_published_example_has_the_published_signature() {
    let text =
        "7914073381342284::TestMerchant:TestPayment-1407325143704:1130:EUR:AUTHORISATION:true";
    let expected = "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0=";
    assert_eq!(hmac(HMAC_KEY, text.as_bytes()), expected);
}

#[test]
fn what_is_not_received_is_tried_again_for_thirty_days() {
    let mut shop = Shop::manual();
    let _ = shop.paid("");
    let mut tries = 0;
    let end = shop.adyen.now().saturating_add(40 * DAY);
    let mut last = shop.adyen.now();
    while shop.adyen.now() < end {
        for delivery in shop.adyen.due_webhooks() {
            // The notice of the expiry, after 28 days, is another one.
            if delivery.kind == "AUTHORISATION" {
                tries += 1;
                assert_eq!(delivery.attempt, tries);
                last = shop.adyen.now();
            }
            shop.adyen.report_webhook(delivery.id, Some(500));
        }
        shop.adyen.advance(Duration::from_secs(3));
    }
    assert!(tries > 90, "{tries}");
    let days = last.abs_diff(START).as_secs() / DAY.as_secs();
    assert!((29..=31).contains(&days), "{days}");
}

#[test]
fn notices_are_doubled_reordered_delayed_and_lost_on_demand() {
    let mut shop = Shop::new();
    shop.adyen.webhook_odds().script(WebhookFault::Reorder);
    let _ = shop.paid("");
    assert_eq!(shop.told(), ["CAPTURE true", "AUTHORISATION true"]);
    shop.adyen.webhook_odds().script(WebhookFault::Duplicate);
    shop.adyen.webhook_odds().script(WebhookFault::Drop);
    let _ = shop.paid("");
    let notices = shop.notices();
    assert_eq!(notices.len(), 2);
    assert_eq!(notices[0], notices[1]);
    shop.adyen.webhook_odds().script(WebhookFault::Delay(HOUR));
    let _ = shop.paid("");
    assert_eq!(shop.told(), ["CAPTURE true"]);
    shop.adyen.advance(HOUR);
    assert_eq!(shop.told(), ["AUTHORISATION true"]);
}

#[test]
fn one_body_can_carry_several_items() {
    let mut shop = Shop::new();
    shop.adyen.set_items_per_body(3);
    let _ = shop.paid("");
    let _ = shop.paid("");
    let deliveries = shop.adyen.due_webhooks();
    let items = |delivery: &WebhookDelivery| {
        let body: Value = serde_json::from_slice(delivery.request.body()).unwrap();
        body["notificationItems"].as_array().unwrap().len()
    };
    let counts: Vec<usize> = deliveries.iter().map(items).collect();
    assert_eq!(counts, [3, 1]);
    shop.adyen.report_webhook(deliveries[0].id, None);
    shop.adyen.report_webhook(deliveries[1].id, Some(202));
    shop.adyen.advance(Duration::from_secs(9));
    let again = shop.adyen.due_webhooks();
    assert_eq!(
        again.iter().map(items).sum::<usize>(),
        3,
        "all of the lost body"
    );
}

#[test]
fn a_modification_carries_its_own_reference_and_the_order() {
    let mut shop = Shop::new();
    let mut body = payment(2000, "");
    body["merchantOrderReference"] = json!("basket-7");
    body["metadata"] = json!({ "installation": "shop" });
    let (_, answer) = shop.post("/v72/payments", &body);
    let psp = text(&answer, "pspReference");
    let refund = json!({
        "merchantAccount": MERCHANT_ACCOUNT, "reference": "refund-1",
        "amount": { "currency": "EUR", "value": 100 },
    });
    let _ = shop.post(&format!("/v72/payments/{psp}/refunds"), &refund);
    let notices = shop.notices();
    let references: Vec<String> = notices
        .iter()
        .map(|n| text(n, "merchantReference"))
        .collect();
    assert_eq!(references, ["order-1", "order-1", "refund-1"]);
    for item in &notices {
        assert_eq!(item["additionalData"]["merchantOrderReference"], "basket-7");
    }
    assert_eq!(
        notices[0]["additionalData"]["metadata.installation"],
        "shop"
    );
    shop.adyen.tell_payment_reference(true);
    let _ = shop.post(&format!("/v72/payments/{psp}/refunds"), &refund);
    assert_eq!(shop.notices()[0]["merchantReference"], "order-1");
}

#[test]
fn a_new_key_signs_after_it_has_spread() {
    let mut shop = Shop::manual();
    let (_, hooks) = shop.get(&format!("/v3/merchants/{MERCHANT_ACCOUNT}/webhooks"));
    let id = text(&hooks["data"][0], "id");
    let new_key = "00".repeat(32);
    assert!(shop.adyen.change_hmac_key(&id, &new_key, HOUR));
    for key in [HMAC_KEY, &new_key] {
        let _ = shop.paid("");
        let item = shop.notices().remove(0);
        let signature = &item["additionalData"]["hmacSignature"];
        assert_eq!(*signature, hmac(key, signed_text(&item).as_bytes()));
        shop.adyen.advance(HOUR);
    }
}

#[test]
fn webhooks_are_made_tested_and_given_keys_by_the_api() {
    let mut shop = Shop {
        adyen: AdyenSimulator::new(5, START),
    };
    let path = format!("/v3/merchants/{MERCHANT_ACCOUNT}/webhooks");
    let body = json!({
        "type": "standard", "url": "http://127.0.0.1:9/made", "active": true,
        "communicationFormat": "json", "username": "adyen", "password": "secret",
        "additionalSettings": { "includeEventCodes": ["CAPTURE"] },
    });
    let (status, made) = shop.post(&path, &body);
    assert_eq!(
        (status, &made["hasPassword"]),
        (200, &json!(true)),
        "{made}"
    );
    let one = format!("{path}/{}", text(&made, "id"));
    let (_, key) = shop.post(&format!("{one}/generateHmac"), &json!({}));
    let key = text(&key, "hmacKey");
    assert_eq!(key.len(), 64);
    let (_, output) = shop.post(
        &format!("{one}/test"),
        &json!({ "types": ["REPORT_AVAILABLE"] }),
    );
    assert_eq!(output["data"][0]["status"], "success");
    let delivery = shop.adyen.due_webhooks().remove(0);
    assert_eq!(delivery.kind, "REPORT_AVAILABLE");
    assert_eq!(
        delivery.request.headers()["authorization"],
        "Basic YWR5ZW46c2VjcmV0"
    );
    shop.adyen.report_webhook(delivery.id, Some(200));
    let _ = shop.paid("");
    let notices = shop.notices();
    assert_eq!(notices.len(), 1, "only what it wants");
    let signature = &notices[0]["additionalData"]["hmacSignature"];
    assert_eq!(*signature, hmac(&key, signed_text(&notices[0]).as_bytes()));
    let wrong = json!({ "types": ["EARTHQUAKE"] });
    assert_eq!(shop.post(&format!("{one}/test"), &wrong).0, 422);
}

#[test]
fn other_kinds_of_webhooks_are_signed_as_a_whole() {
    let mut shop = Shop {
        adyen: AdyenSimulator::new(5, START),
    };
    let path = format!("/v3/merchants/{MERCHANT_ACCOUNT}/webhooks");
    let body = json!({
        "type": "merchant-notification", "url": "http://127.0.0.1:9/", "active": true,
        "communicationFormat": "json",
    });
    let (_, made) = shop.post(&path, &body);
    let one = format!("{path}/{}", text(&made, "id"));
    let (_, key) = shop.post(&format!("{one}/generateHmac"), &json!({}));
    let _ = shop.post(&format!("{one}/test"), &json!({}));
    let delivery = shop.adyen.due_webhooks().remove(0);
    let headers = delivery.request.headers();
    assert_eq!(headers["protocol"], "HmacSHA256");
    let expected = hmac(&text(&key, "hmacKey"), delivery.request.body());
    assert_eq!(headers["hmacsignature"], expected);
    let body: Value = serde_json::from_slice(delivery.request.body()).unwrap();
    assert_eq!(body["environment"], "test");
    let _ = shop.paid("");
    assert!(
        shop.adyen.due_webhooks().is_empty(),
        "payments are not its business"
    );
}
