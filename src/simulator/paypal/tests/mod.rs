//! The simulator as a merchant sees it: requests in, answers and webhooks out.

mod access;
mod invariants;
mod orders;
mod payments;
mod reports;
mod webhooks;
mod wire;

use base64::Engine as _;
use serde_json::json;

use super::*;

const START: Timestamp = Timestamp::from_unix(1_795_000_000);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A merchant with a token.
struct Merchant {
    paypal: PaypalSimulator,
    token: String,
}

impl Merchant {
    fn new() -> Self {
        Self::on(PaypalSimulator::new(7, START))
    }

    fn on(mut paypal: PaypalSimulator) -> Self {
        paypal.set_token_lifetime(400 * DAY);
        let (status, answer) = ask_token(
            &mut paypal,
            PaypalSimulator::CLIENT_ID,
            PaypalSimulator::CLIENT_SECRET,
        );
        assert_eq!(status, 200, "{answer:#}");
        Self {
            token: text(&answer, "access_token"),
            paypal,
        }
    }

    fn request(&self, method: &str, path: &str, body: &Value) -> Request<Bytes> {
        let body = match body {
            Value::Null => Bytes::new(),
            body => Bytes::from(body.to_string()),
        };
        Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .header("prefer", "return=representation")
            .body(body)
            .unwrap()
    }

    fn send(&mut self, request: &Request<Bytes>) -> (u16, Value) {
        match self.paypal.handle(request) {
            Answer::Response(response) => {
                let body = serde_json::from_slice(response.body()).unwrap_or_default();
                (response.status().as_u16(), body)
            }
            other => panic!("{other:?}"),
        }
    }

    fn post(&mut self, path: &str, body: &Value) -> (u16, Value) {
        let request = self.request("POST", path, body);
        self.send(&request)
    }

    fn keyed(&mut self, path: &str, body: &Value, id: &str) -> (u16, Value) {
        let mut request = self.request("POST", path, body);
        let id = id.parse().unwrap();
        let _ = request.headers_mut().insert("paypal-request-id", id);
        self.send(&request)
    }

    /// A call that must succeed.
    fn made(&mut self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.post(path, body);
        assert!((200..300).contains(&status), "{path} {body}: {answer:#}");
        answer
    }

    /// A call that must fail: status and issue.
    fn fails(&mut self, path: &str, body: &Value) -> (u16, String) {
        let (status, answer) = self.post(path, body);
        assert!(status >= 400, "{path} {body}: {answer:#}");
        (status, issue(&answer))
    }

    fn read(&mut self, path: &str) -> Value {
        let request = self.request("GET", path, &Value::Null);
        let (status, body) = self.send(&request);
        assert_eq!(status, 200, "{path}: {body:#}");
        body
    }

    /// A new order of 20.00 EUR; its id.
    fn order(&mut self, intent: &str) -> String {
        text(&self.made("/v2/checkout/orders", &order(intent)), "id")
    }

    /// An order that is approved.
    fn approved(&mut self, intent: &str, funding: Funding) -> String {
        let id = self.order(intent);
        self.approve(&id, funding);
        id
    }

    fn approve(&mut self, order: &str, funding: Funding) {
        let outcome = self.paypal.shopper().approve(order, funding).unwrap();
        if matches!(outcome, ShopperOutcome::Challenged { .. }) {
            self.paypal.shopper().pass_challenge(order).unwrap();
        }
    }

    /// An order of 20.00 EUR whose capture was made; the capture.
    fn captured(&mut self, funding: Funding) -> Value {
        let id = self.approved("CAPTURE", funding);
        let order = self.made(&format!("/v2/checkout/orders/{id}/capture"), &json!({}));
        order["purchase_units"][0]["payments"]["captures"][0].clone()
    }

    /// An order of 20.00 EUR that was authorized; the authorization's path.
    fn held(&mut self) -> String {
        let id = self.approved("AUTHORIZE", Funding::Balance);
        let order = self.made(&format!("/v2/checkout/orders/{id}/authorize"), &json!({}));
        let held = &order["purchase_units"][0]["payments"]["authorizations"][0];
        format!("/v2/payments/authorizations/{}", text(held, "id"))
    }

    /// The kinds of all webhooks that are due, in their order.
    fn told(&mut self) -> Vec<String> {
        let due = self.paypal.due_webhooks();
        for delivery in &due {
            self.paypal.report_webhook(delivery.id, Some(200));
        }
        due.into_iter().map(|delivery| delivery.kind).collect()
    }
}

fn ask_token(paypal: &mut PaypalSimulator, id: &str, secret: &str) -> (u16, Value) {
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}"));
    let request = Request::post("/v1/oauth2/token")
        .header("authorization", format!("Basic {pair}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from_static(b"grant_type=client_credentials"))
        .unwrap();
    match paypal.handle(&request) {
        Answer::Response(response) => {
            let body = serde_json::from_slice(response.body()).unwrap();
            (response.status().as_u16(), body)
        }
        other => panic!("{other:?}"),
    }
}

fn order(intent: &str) -> Value {
    json!({
        "intent": intent,
        "purchase_units": [{
            "amount": { "currency_code": "EUR", "value": "20.00" },
            "custom_id": "order-1",
        }],
        "application_context": {
            "return_url": "https://shop.example/done?a=1",
            "cancel_url": "https://shop.example/cart",
        },
    })
}

fn amount(value: &str) -> Value {
    json!({ "amount": { "currency_code": "EUR", "value": value } })
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

/// The issue of an error, or its name.
fn issue(error: &Value) -> String {
    match error["details"][0]["issue"].as_str() {
        Some(issue) => issue.to_owned(),
        None => text(error, "name"),
    }
}

fn link(object: &Value, rel: &str) -> Option<String> {
    let mut links = object["links"].as_array().unwrap().iter();
    links
        .find(|link| link["rel"] == rel)
        .map(|link| text(link, "href"))
}
