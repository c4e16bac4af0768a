//! What a test lets Stripe say, signed as Stripe signs it, and what is then to review.

use counterfoil::Secret;
use counterfoil::Test;
use counterfoil::cashier::Cashier;
use counterfoil::clock::Timestamp;
use counterfoil::providers::stripe;
use counterfoil::webhook::WebhookRequest;
use http::HeaderMap;
use serde_json::{Value, json};

use super::{SECRET, START, order};

/// An event as Stripe signs it.
pub fn signed(id: &str, kind: &str, object: Value, account: Option<&str>) -> WebhookRequest {
    let event = json!({
        "id": id, "object": "event", "api_version": "2026-08-26.dahlia", "created": START,
        "livemode": false, "type": kind, "data": { "object": object }, "account": account,
    });
    signed_text(&event.to_string(), START)
}

pub fn signed_text(body: &str, at: i64) -> WebhookRequest {
    let at = Timestamp::from_unix(at);
    let header = stripe::sign(&Secret::new(SECRET), at, body.as_bytes());
    let mut headers = HeaderMap::new();
    headers.insert("stripe-signature", header.parse().unwrap());
    WebhookRequest::new(headers, body.as_bytes().to_vec())
}

pub fn intent(id: &str, currency: &str, amount: i64, reference: Option<&str>) -> Value {
    json!({
        "id": id, "object": "payment_intent", "livemode": false, "created": START,
        "status": "succeeded", "amount": amount, "currency": currency,
        "amount_received": amount, "amount_capturable": 0,
        "metadata": reference.map_or(json!({}), |text| json!({ "counterfoil_reference": text })),
    })
}

pub async fn concerns_of(cashier: &Cashier<Test>, name: &str) -> Vec<(String, String)> {
    let record = cashier.order(&order(name)).await.unwrap();
    let concerns = cashier.concerns(&record).into_iter();
    concerns
        .map(|concern| (concern.name, concern.text))
        .collect()
}
