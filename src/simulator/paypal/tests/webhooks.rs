//! Events on their way to the merchant: told, signed, tried again.

use super::*;
use crate::simulator::WebhookFault;

const HOOK: &str = "https://shop.example/hook";

fn listening() -> Merchant {
    let mut shop = Merchant::new();
    shop.paypal.add_webhook(HOOK, "0EH40505U7160970P", &["*"]);
    shop
}

fn header_of(request: &Request<Bytes>, name: &str) -> String {
    request.headers()[name].to_str().unwrap().to_owned()
}

#[test]
fn every_step_of_a_payment_is_told() {
    let mut shop = listening();
    let capture = text(&shop.captured(Funding::Balance), "id");
    let told = [
        "CHECKOUT.ORDER.APPROVED",
        "PAYMENT.CAPTURE.COMPLETED",
        "CHECKOUT.ORDER.COMPLETED",
    ];
    assert_eq!(shop.told(), told);
    let _ = shop.made(
        &format!("/v2/payments/captures/{capture}/refund"),
        &json!({}),
    );
    assert_eq!(shop.told(), ["PAYMENT.CAPTURE.REFUNDED"]);
    let held = shop.held();
    assert!(
        shop.told()
            .contains(&"PAYMENT.AUTHORIZATION.CREATED".to_owned())
    );
    let _ = shop.made(&format!("{held}/void"), &json!({}));
    assert_eq!(shop.told(), ["PAYMENT.AUTHORIZATION.VOIDED"]);
    let _ = shop.captured(Funding::EcheckBounces);
    assert!(shop.told().contains(&"PAYMENT.CAPTURE.PENDING".to_owned()));
    shop.paypal.advance(3 * DAY);
    assert_eq!(shop.told(), ["PAYMENT.CAPTURE.DENIED"]);
    let _ = shop.captured(Funding::CardDeclined(CardDecline::Fraud));
    assert!(shop.told().contains(&"PAYMENT.CAPTURE.DECLINED".to_owned()));
    let _ = shop.captured(Funding::Disputes);
    assert!(shop.told().contains(&"CUSTOMER.DISPUTE.CREATED".to_owned()));
}

#[test]
fn a_delivery_is_signed_over_the_checksum_of_its_body() {
    let mut shop = listening();
    let _ = shop.approved("CAPTURE", Funding::Balance);
    let delivery = shop.paypal.due_webhooks().remove(0);
    let request = &delivery.request;
    assert_eq!(header_of(request, "paypal-auth-algo"), "SHA256withRSA");
    let url = header_of(request, "paypal-cert-url");
    let base = "https://api.sandbox.paypal.com/v1/notifications/certs/";
    assert!(url.starts_with(base), "{url}");
    let mut verify = json!({
        "auth_algo": header_of(request, "paypal-auth-algo"),
        "cert_url": url,
        "transmission_id": header_of(request, "paypal-transmission-id"),
        "transmission_sig": header_of(request, "paypal-transmission-sig"),
        "transmission_time": header_of(request, "paypal-transmission-time"),
        "webhook_id": "0EH40505U7160970P",
    });
    let path = "/v1/notifications/verify-webhook-signature";
    let asks = |shop: &mut Merchant, verify: &Value, body: &[u8]| {
        let fields = verify.to_string();
        let body = std::str::from_utf8(body).unwrap();
        let text = format!(
            "{},\"webhook_event\":{body}}}",
            fields.trim_end_matches('}')
        );
        let request = shop
            .request("POST", path, &json!({}))
            .map(|_| Bytes::from(text));
        let (status, answer) = shop.send(&request);
        assert_eq!(status, 200, "{answer:#}");
        text_of(&answer)
    };
    assert_eq!(asks(&mut shop, &verify, request.body()), "SUCCESS");
    let reserialised = String::from_utf8(request.body().to_vec()).unwrap() + " ";
    let reserialised = reserialised.replacen(':', ": ", 1);
    assert_eq!(
        asks(&mut shop, &verify, reserialised.trim().as_bytes()),
        "FAILURE"
    );
    verify["webhook_id"] = json!("ANOTHERWEBHOOK");
    assert_eq!(asks(&mut shop, &verify, request.body()), "FAILURE");
}

fn text_of(answer: &Value) -> String {
    text(answer, "verification_status")
}

#[test]
fn what_is_not_received_is_tried_25_times_in_three_days() {
    let mut shop = listening();
    let _ = shop.approved("CAPTURE", Funding::Balance);
    let mut attempts = Vec::new();
    for _ in 0..100 {
        for delivery in shop.paypal.due_webhooks() {
            if delivery.kind == "CHECKOUT.ORDER.APPROVED" {
                attempts.push(delivery.attempt);
            }
            shop.paypal.report_webhook(delivery.id, Some(500));
        }
        shop.paypal.advance(HOUR);
    }
    assert_eq!(attempts, (1..=25).collect::<Vec<_>>());
}

#[test]
fn webhooks_are_lost_doubled_and_reordered_on_demand() {
    let mut shop = listening();
    for fault in [
        WebhookFault::Drop,
        WebhookFault::Reorder,
        WebhookFault::Duplicate,
    ] {
        shop.paypal.webhook_odds().script(fault);
    }
    let _ = shop.captured(Funding::Balance);
    let told = [
        "CHECKOUT.ORDER.COMPLETED",
        "CHECKOUT.ORDER.COMPLETED",
        "PAYMENT.CAPTURE.COMPLETED",
    ];
    let mut found = shop.told();
    found.sort();
    assert_eq!(found, told);
}

#[test]
fn webhooks_are_managed_over_the_api() {
    let mut shop = Merchant::new();
    let base = "/v1/notifications/webhooks";
    let body = json!({ "url": HOOK, "event_types": [{ "name": "PAYMENT.CAPTURE.COMPLETED" }] });
    let id = text(&shop.made(base, &body), "id");
    let taken = (400, "WEBHOOK_URL_ALREADY_EXISTS".to_owned());
    assert_eq!(shop.fails(base, &body), taken);
    let unknown = json!({ "url": "https://b.example", "event_types": [{ "name": "MOON" }] });
    assert_eq!(shop.fails(base, &unknown).0, 400);
    let _ = shop.captured(Funding::Balance);
    assert_eq!(shop.told(), ["PAYMENT.CAPTURE.COMPLETED"]);

    let path = format!("{base}/{id}");
    let steps = json!([{ "op": "replace", "path": "/event_types", "value": [{ "name": "*" }] }]);
    let request = shop.request("PATCH", &path, &steps);
    assert_eq!(shop.send(&request).0, 200);
    assert_eq!(
        shop.read(base)["webhooks"][0]["event_types"][0]["name"],
        "*"
    );
    let types = shop.read("/v1/notifications/webhooks-event-types");
    assert!(types["event_types"].as_array().unwrap().len() > 10);

    let events = shop.read("/v1/notifications/webhooks-events?page_size=2");
    assert_eq!(events["count"], 2);
    assert!(link(&events, "next").is_some());
    let event = text(&events["events"][0], "id");
    let again = format!("/v1/notifications/webhooks-events/{event}/resend");
    assert_eq!(shop.post(&again, &json!({})).0, 202);
    assert_eq!(shop.told(), ["CHECKOUT.ORDER.COMPLETED"]);

    let mock = json!({ "webhook_id": id, "event_type": "PAYMENT.CAPTURE.REFUNDED" });
    assert_eq!(shop.post("/v1/notifications/simulate-event", &mock).0, 202);
    assert_eq!(shop.told(), ["PAYMENT.CAPTURE.REFUNDED"]);

    let delete = shop.request("DELETE", &path, &Value::Null);
    assert_eq!(shop.send(&delete).0, 204);
    assert_eq!(shop.send(&delete).0, 404);
    let _ = shop.captured(Funding::Balance);
    assert!(shop.told().is_empty());
}

#[test]
fn certificates_are_served_at_the_address_that_deliveries_name() {
    let mut shop = listening();
    shop.paypal.set_base_url("http://127.0.0.1:1234/");
    let get = |shop: &mut Merchant, path: &str| {
        let request = Request::get(path).body(Bytes::new()).unwrap();
        match shop.paypal.handle(&request) {
            Answer::Response(response) => (response.status().as_u16(), response.into_body()),
            other => panic!("{other:?}"),
        }
    };
    let mut seen = Vec::new();
    for certificate in [SigningCertificate::Genuine, SigningCertificate::SelfSigned] {
        shop.paypal.sign_with(certificate);
        let _ = shop.approved("CAPTURE", Funding::Balance);
        let delivery = shop.paypal.due_webhooks().remove(0);
        let url = header_of(&delivery.request, "paypal-cert-url");
        let path = url.strip_prefix("http://127.0.0.1:1234").unwrap();
        let (status, file) = get(&mut shop, path);
        assert_eq!(status, 200);
        assert!(file.starts_with(b"-----BEGIN CERTIFICATE-----"));
        seen.push(file);
    }
    assert_ne!(seen[0], seen[1]);
    assert_eq!(get(&mut shop, "/v1/notifications/certs/CERT-none").0, 404);
}
