//! The simulator as its merchant sees it.

mod checkout;
mod invariants;
mod modifications;
mod pages;
mod reports;
mod webhooks;
mod wire;

use serde_json::json;

use super::*;

const START: Timestamp = Timestamp::from_unix(1_795_000_000);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const HMAC_KEY: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";

/// A merchant with one webhook.
struct Shop {
    adyen: AdyenSimulator,
}

/// An item of a notice, as JSON.
type Item = Value;

impl Shop {
    fn new() -> Self {
        let mut adyen = AdyenSimulator::new(5, START);
        let _ = adyen.add_webhook(MERCHANT_ACCOUNT, "http://127.0.0.1:9/hook", HMAC_KEY);
        Self { adyen }
    }

    fn manual() -> Self {
        let mut shop = Self::new();
        shop.adyen
            .set_capture_timing(MERCHANT_ACCOUNT, CaptureTiming::Manual);
        shop
    }

    fn send(&mut self, request: &Request<Bytes>) -> Answer {
        self.adyen.handle(request)
    }

    fn call(&mut self, method: &str, path: &str, body: &Value, key: Option<&str>) -> (u16, Value) {
        let response = self.whole(&request(method, path, body, key));
        let body = serde_json::from_slice(response.body()).unwrap();
        (response.status().as_u16(), body)
    }

    fn whole(&mut self, request: &Request<Bytes>) -> Response<Bytes> {
        match self.send(request) {
            Answer::Response(response) => response,
            other => panic!("{other:?}"),
        }
    }

    fn post(&mut self, path: &str, body: &Value) -> (u16, Value) {
        self.call("POST", path, body, None)
    }

    fn get(&mut self, path: &str) -> (u16, Value) {
        let response = self.whole(&authorized(Request::get(path)).body(Bytes::new()).unwrap());
        let body = serde_json::from_slice(response.body()).unwrap();
        (response.status().as_u16(), body)
    }

    /// Pays 20.00 by API with a holder name, and gives the answer.
    fn pay(&mut self, holder: &str) -> Value {
        let (status, answer) = self.post("/v72/payments", &payment(2000, holder));
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// A payment of 20.00 by its reference.
    fn paid(&mut self, holder: &str) -> String {
        let answer = self.pay(holder);
        text(&answer, "pspReference")
    }

    fn modify(&mut self, payment: &str, what: &str, amount: Option<i64>) -> String {
        let mut body = json!({ "merchantAccount": MERCHANT_ACCOUNT });
        if let Some(value) = amount {
            body["amount"] = json!({ "currency": "EUR", "value": value });
        }
        let (status, answer) = self.post(&format!("/v72/payments/{payment}/{what}"), &body);
        assert_eq!(
            (status, &answer["status"]),
            (201, &json!("received")),
            "{answer}"
        );
        assert_eq!(answer["paymentPspReference"], payment);
        text(&answer, "pspReference")
    }

    /// The items of all notices that are due, which are received.
    fn notices(&mut self) -> Vec<Item> {
        let mut items = Vec::new();
        for delivery in self.adyen.due_webhooks() {
            let body: Value = serde_json::from_slice(delivery.request.body()).unwrap();
            let rows = body["notificationItems"].as_array().unwrap();
            items.extend(
                rows.iter()
                    .map(|row| row["NotificationRequestItem"].clone()),
            );
            self.adyen.report_webhook(delivery.id, Some(200));
        }
        items
    }

    /// As [`notices`](Self::notices), each as `EVENT true`.
    fn told(&mut self) -> Vec<String> {
        let items = self.notices();
        items
            .iter()
            .map(|item| format!("{} {}", text(item, "eventCode"), text(item, "success")))
            .collect()
    }

    fn only_entry(&self) -> LedgerEntry {
        let ledger = self.adyen.ledger();
        assert_eq!(ledger.len(), 1, "{ledger:?}");
        ledger[0].clone()
    }
}

fn authorized(request: http::request::Builder) -> http::request::Builder {
    request.header("x-api-key", "key of the shop")
}

fn request(method: &str, path: &str, body: &Value, key: Option<&str>) -> Request<Bytes> {
    let mut request = authorized(Request::builder().method(method).uri(path));
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    request.body(Bytes::from(body.to_string())).unwrap()
}

fn payment(value: i64, holder: &str) -> Value {
    json!({
        "merchantAccount": MERCHANT_ACCOUNT,
        "amount": { "currency": "EUR", "value": value },
        "reference": "order-1",
        "returnUrl": "https://shop.example/back",
        "paymentMethod": card("test_4111111111111111", holder),
    })
}

fn card(number: &str, holder: &str) -> Value {
    json!({
        "type": "scheme",
        "encryptedCardNumber": number,
        "encryptedExpiryMonth": "test_03",
        "encryptedExpiryYear": "test_2030",
        "encryptedSecurityCode": "test_737",
        "holderName": holder,
    })
}

fn link() -> Value {
    json!({
        "merchantAccount": MERCHANT_ACCOUNT,
        "amount": { "currency": "EUR", "value": 2000 },
        "reference": "order-1",
        "returnUrl": "https://shop.example/back",
    })
}

fn text(object: &Value, field: &str) -> String {
    let text = object[field].as_str();
    text.unwrap_or_else(|| panic!("{field} in {object}"))
        .to_owned()
}
