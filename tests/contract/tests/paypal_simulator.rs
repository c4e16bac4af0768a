//! Every answer of the PayPal simulator, and every webhook, by PayPal's own specifications.

use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use counterfoil::clock::Timestamp;
use counterfoil::money::Currency;
use counterfoil::simulator::paypal::{CardDecline, Feature, Funding, PaypalSimulator};
use counterfoil::simulator::{Answer, SimulatedProvider};
use counterfoil_contract::Contract;
use http::Request;
use serde_json::{Value, json};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const WEBHOOK_ID: &str = "0EH40505U7160970P";

/// The specification of a path, by its beginning.
const SPECS: [(&str, &str); 5] = [
    ("/v2/checkout/", "paypal/orders_v2.json"),
    ("/v2/payments/", "paypal/payments_v2.json"),
    ("/v1/customer/", "paypal/disputes_v1.json"),
    ("/v1/reporting/", "paypal/reporting_v1.json"),
    ("/v1/notifications/", "paypal/webhooks_v1.json"),
];

/// The specification and the schema of an event's resource.
const RESOURCES: [(&str, &str, &str); 5] = [
    ("checkout-order", "/v2/checkout/", "order"),
    ("authorization", "/v2/payments/", "authorization-2"),
    ("capture", "/v2/payments/", "capture-2"),
    ("refund", "/v2/payments/", "refund"),
    ("dispute", "/v1/customer/", "dispute"),
];

/// Issues that PayPal's pages tell and this snapshot of the specifications does not name, or not for
/// both intents.
const UNNAMED_ISSUES: [&str; 2] = ["REAUTHORIZATION_TOO_SOON", "ACTION_DOES_NOT_MATCH_INTENT"];

struct Checked {
    contracts: Vec<(&'static str, Contract)>,
    paypal: PaypalSimulator,
    token: String,
    request_ids: u32,
    problems: Vec<String>,
    checks: u32,
}

impl Checked {
    fn new() -> Option<Self> {
        let contracts = SPECS
            .iter()
            .map(|(path, file)| Some((*path, Contract::load(file)?)));
        let contracts = contracts.collect::<Option<Vec<_>>>()?;
        let mut paypal = PaypalSimulator::new(11, Timestamp::from_unix(1_795_000_000));
        paypal.add_webhook("https://shop.example/hook", WEBHOOK_ID, &["*"]);
        paypal.set_token_lifetime(400 * DAY);
        let token = token(&mut paypal);
        Some(Self {
            contracts,
            paypal,
            token,
            request_ids: 0,
            problems: Vec::new(),
            checks: 0,
        })
    }

    fn contract(&self, path: &str) -> &Contract {
        let mut contracts = self.contracts.iter();
        let found = contracts.find(|(start, _)| path.starts_with(start));
        &found
            .unwrap_or_else(|| panic!("no specification for {path}"))
            .1
    }

    fn call(&mut self, method: &str, target: &str, body: &Value) -> (u16, Value) {
        self.request_ids += 1;
        let sent = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .header(
                "prefer",
                if self.request_ids.is_multiple_of(5) {
                    "return=minimal"
                } else {
                    "return=representation"
                },
            )
            .header(
                "paypal-request-id",
                format!("contract-{}", self.request_ids),
            )
            .body(Bytes::from(sent.clone()))
            .unwrap();
        let Answer::Response(response) = self.paypal.handle(&request) else {
            panic!("no fault was planned");
        };
        let (status, bytes) = (response.status().as_u16(), response.into_body());
        let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let issue = value["details"][0]["issue"].as_str();
        if status != 204 && !issue.is_some_and(|issue| UNNAMED_ISSUES.contains(&issue)) {
            let problems = self
                .contract(target)
                .check_answer(method, target, status, &bytes);
            let of = |problem| format!("{method} {target} {sent}: {status} {value}: {problem}");
            self.problems.extend(problems.into_iter().map(of));
            self.checks += 1;
        }
        self.webhooks();
        (status, value)
    }

    /// A call that must succeed. What it made is read again whole.
    fn post(&mut self, target: &str, body: &Value) -> Value {
        let (status, value) = self.call("POST", target, body);
        assert!((200..300).contains(&status), "{target} {body}: {value:#}");
        value
    }

    fn fails(&mut self, target: &str, body: &Value, issue: &str) {
        let (status, value) = self.call("POST", target, body);
        assert!(status >= 400, "{target} {body}: {value:#}");
        assert_eq!(value["details"][0]["issue"], issue, "{value:#}");
    }

    fn get(&mut self, target: &str) -> Value {
        self.call("GET", target, &Value::Null).1
    }

    fn advance(&mut self, by: Duration) {
        self.paypal.advance(by);
        self.webhooks();
    }

    fn webhooks(&mut self) {
        for delivery in self.paypal.due_webhooks() {
            let event: Value = serde_json::from_slice(delivery.request.body()).unwrap();
            let kind = event["resource_type"].as_str().unwrap();
            let mut problems = self
                .contract("/v1/notifications/")
                .check_schema("event", &event);
            // An order that is reversed is told in a shape of its own.
            if delivery.kind != "CHECKOUT.PAYMENT-APPROVAL.REVERSED" {
                let found = RESOURCES.iter().find(|(known, ..)| *known == kind);
                let (_, path, schema) = found.unwrap_or_else(|| panic!("{kind}"));
                problems.extend(self.contract(path).check_schema(schema, &event["resource"]));
            }
            let of = |problem| format!("webhook {}: {problem}", delivery.kind);
            self.problems.extend(problems.into_iter().map(of));
            self.checks += 1;
            self.paypal.report_webhook(delivery.id, Some(200));
        }
    }

    /// A new order that is approved; its path.
    fn approved(&mut self, intent: &str, funding: Funding) -> String {
        let number = self.request_ids;
        let body = json!({
            "intent": intent,
            "purchase_units": [{
                "amount": {
                    "currency_code": "EUR", "value": "20.00",
                    "breakdown": {
                        "item_total": money("18.00"), "shipping": money("2.00"),
                    },
                },
                "items": [{ "name": "Chair", "quantity": "2", "unit_amount": money("9.00") }],
                "custom_id": format!("A-{number}"),
                "invoice_id": format!("INV-{number}"),
                "description": "Two chairs",
                "soft_descriptor": "SHOP",
            }],
            "payment_source": { "paypal": { "experience_context": {
                "return_url": "https://shop.example/done",
                "cancel_url": "https://shop.example/cart",
                "user_action": "PAY_NOW",
            } } },
        });
        let problems = self.contract("/v2/checkout/").check_request(
            "POST",
            "/v2/checkout/orders",
            body.to_string().as_bytes(),
        );
        assert!(problems.is_empty(), "{problems:#?}");
        let id = id(&self.post("/v2/checkout/orders", &body));
        let path = format!("/v2/checkout/orders/{id}");
        let _ = self.get(&path);
        let _ = self.paypal.shopper().approve(&id, funding).unwrap();
        let _ = self.paypal.shopper().pass_challenge(&id);
        self.webhooks();
        let _ = self.get(&path);
        path
    }

    /// What an action on an approved order made of its payment; the payment's path.
    fn paid(&mut self, intent: &str, funding: Funding) -> String {
        let order = self.approved(intent, funding);
        let action = intent.to_lowercase();
        let _ = self.post(&format!("{order}/{action}"), &json!({}));
        let payments = &self.get(&order)["purchase_units"][0]["payments"];
        let kind = if intent == "CAPTURE" {
            "captures"
        } else {
            "authorizations"
        };
        let path = format!("/v2/payments/{kind}/{}", id(&payments[kind][0]));
        let _ = self.get(&path);
        path
    }

    fn finish(self, at_least: u32) {
        assert!(self.problems.is_empty(), "{:#?}", self.problems);
        assert!(self.checks >= at_least, "only {} checks", self.checks);
        println!("{} answers and webhooks checked", self.checks);
    }
}

fn token(paypal: &mut PaypalSimulator) -> String {
    let pair = format!(
        "{}:{}",
        PaypalSimulator::CLIENT_ID,
        PaypalSimulator::CLIENT_SECRET
    );
    let pair = base64::engine::general_purpose::STANDARD.encode(pair);
    let request = Request::post("/v1/oauth2/token")
        .header("authorization", format!("Basic {pair}"))
        .body(Bytes::from_static(b"grant_type=client_credentials"))
        .unwrap();
    let Answer::Response(response) = paypal.handle(&request) else {
        panic!("no fault was planned");
    };
    let answer: Value = serde_json::from_slice(response.body()).unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

fn money(value: &str) -> Value {
    json!({ "currency_code": "EUR", "value": value })
}

fn amount(value: &str) -> Value {
    json!({ "amount": money(value) })
}

fn id(value: &Value) -> String {
    let id = value["id"].as_str();
    id.unwrap_or_else(|| panic!("{value:#}")).to_owned()
}

#[test]
fn orders_and_captures_are_what_the_specification_says() {
    let Some(mut paypal) = Checked::new() else {
        return;
    };
    for funding in [
        Funding::Balance,
        Funding::Challenge,
        Funding::Review,
        Funding::Echeck,
        Funding::EcheckBounces,
        Funding::AwaitsAcceptance,
        Funding::RefundsPend,
        Funding::RefundsFail,
        Funding::CardDeclined(CardDecline::InsufficientFunds),
        Funding::CardDeclined(CardDecline::Expired),
        Funding::CardDeclined(CardDecline::WrongSecurityCode),
        Funding::CardDeclined(CardDecline::Fraud),
        Funding::CardDeclined(CardDecline::DoNotHonour),
        Funding::CardDeclined(CardDecline::TryLater),
    ] {
        let capture = paypal.paid("CAPTURE", funding);
        paypal.advance(4 * DAY);
        let (status, refund) = paypal.call("POST", &format!("{capture}/refund"), &amount("5.00"));
        if status == 201 {
            let refund = format!("/v2/payments/refunds/{}", id(&refund));
            let _ = paypal.get(&refund);
            paypal.advance(DAY);
            let _ = paypal.get(&refund);
            let refund = json!({ "custom_id": "R-1", "note_to_payer": "Sorry" });
            let _ = paypal.post(&format!("{capture}/refund"), &refund);
        }
        let _ = paypal.get(&capture);
    }
    for (funding, issue) in [
        (Funding::InstrumentDeclined, "INSTRUMENT_DECLINED"),
        (Funding::Refused, "TRANSACTION_REFUSED"),
        (Funding::CannotPay, "PAYER_CANNOT_PAY"),
    ] {
        let order = paypal.approved("CAPTURE", funding);
        paypal.fails(&format!("{order}/capture"), &json!({}), issue);
    }
    paypal.finish(150);
}

#[test]
fn authorizations_are_what_the_specification_says() {
    let Some(mut paypal) = Checked::new() else {
        return;
    };
    let held = paypal.paid("AUTHORIZE", Funding::Balance);
    let capture = format!("{held}/capture");
    paypal.fails(&capture, &amount("99.00"), "MAX_CAPTURE_AMOUNT_EXCEEDED");
    let part = paypal.post(&capture, &amount("5.00"));
    let _ = paypal.get(&format!("/v2/payments/captures/{}", id(&part)));
    let _ = paypal.get(&held);
    let _ = paypal.post(&capture, &json!({ "final_capture": true }));
    paypal.fails(&capture, &json!({}), "AUTHORIZATION_ALREADY_CAPTURED");
    paypal.fails(&format!("{held}/void"), &Value::Null, "PREVIOUSLY_CAPTURED");

    let held = paypal.paid("AUTHORIZE", Funding::Balance);
    let renew = format!("{held}/reauthorize");
    paypal.fails(&renew, &json!({}), "REAUTHORIZATION_TOO_SOON");
    paypal.advance(4 * DAY);
    let renewed = paypal.post(&renew, &amount("20.00"));
    let renewed = format!("/v2/payments/authorizations/{}", id(&renewed));
    let _ = paypal.get(&renewed);
    paypal.fails(&format!("{renewed}/void"), &Value::Null, "CANNOT_BE_VOIDED");
    paypal.fails(
        &format!("{renewed}/reauthorize"),
        &json!({}),
        "REAUTHORIZATION_NOT_SUPPORTED",
    );
    let _ = paypal.call("POST", &format!("{held}/void"), &Value::Null);
    paypal.fails(
        &format!("{held}/capture"),
        &json!({}),
        "AUTHORIZATION_VOIDED",
    );
    let held = paypal.paid("AUTHORIZE", Funding::Balance);
    paypal.advance(30 * DAY);
    let _ = paypal.get(&held);
    paypal.fails(
        &format!("{held}/capture"),
        &json!({}),
        "AUTHORIZATION_EXPIRED",
    );
    for funding in [
        Funding::Review,
        Funding::CardDeclined(CardDecline::DoNotHonour),
    ] {
        let held = paypal.paid("AUTHORIZE", funding);
        paypal.advance(DAY);
        let _ = paypal.get(&held);
    }
    let lapsed = paypal.approved("AUTHORIZE", Funding::Balance);
    paypal.advance(DAY);
    paypal.fails(&format!("{lapsed}/authorize"), &json!({}), "ORDER_EXPIRED");
    paypal.fails(
        &format!("{lapsed}/capture"),
        &json!({}),
        "ACTION_DOES_NOT_MATCH_INTENT",
    );
    paypal.finish(50);
}

#[test]
fn refusals_are_what_the_specification_says() {
    let Some(mut paypal) = Checked::new() else {
        return;
    };
    let orders = "/v2/checkout/orders";
    let unit = |value: Value| json!({ "intent": "CAPTURE", "purchase_units": [value] });
    for (body, issue) in [
        (json!({}), "MISSING_REQUIRED_PARAMETER"),
        (json!({ "intent": "SALE" }), "INVALID_PARAMETER_VALUE"),
        (
            json!({ "intent": "CAPTURE", "purchase_units": [] }),
            "INVALID_ARRAY_MIN_ITEMS",
        ),
        (unit(amount("0.00")), "CANNOT_BE_ZERO_OR_NEGATIVE"),
        (unit(amount("1.001")), "DECIMAL_PRECISION"),
        (unit(amount("1e3")), "INVALID_PARAMETER_SYNTAX"),
        (
            unit(json!({ "amount": { "currency_code": "JPY", "value": "1.5" } })),
            "DECIMAL_PRECISION",
        ),
        (
            unit(json!({ "amount": { "currency_code": "XXX", "value": "1" } })),
            "INVALID_CURRENCY_CODE",
        ),
        (
            unit(json!({ "amount": money("1"), "custom_id": "" })),
            "INVALID_STRING_LENGTH",
        ),
    ] {
        paypal.fails(orders, &body, issue);
    }
    let order = id(&paypal.post(orders, &unit(amount("1.00"))));
    paypal.fails(
        &format!("{orders}/{order}/capture"),
        &json!({}),
        "ORDER_NOT_APPROVED",
    );
    for path in [orders, "/v2/payments/captures", "/v2/payments/refunds"] {
        let missing = paypal.get(&format!("{path}/NONE"));
        assert_eq!(missing["name"], "RESOURCE_NOT_FOUND");
    }
    let capture = paypal.paid("CAPTURE", Funding::Balance);
    let refund = format!("{capture}/refund");
    let half_yen = json!({ "amount": { "currency_code": "JPY", "value": "0.5" } });
    paypal.fails(&refund, &half_yen, "DECIMALS_NOT_SUPPORTED");
    paypal.fails(&refund, &amount("99.00"), "REFUND_AMOUNT_EXCEEDED");
    let _ = paypal.post(&refund, &json!({}));
    paypal.fails(&refund, &json!({}), "CAPTURE_FULLY_REFUNDED");
    paypal.token.clear();
    for path in ["/v2/checkout/orders/X", "/v2/payments/captures/X"] {
        assert_eq!(paypal.get(path)["name"], "AUTHENTICATION_FAILURE");
    }
    paypal.finish(25);
}

#[test]
fn disputes_reports_and_webhooks_are_what_the_specifications_say() {
    let Some(mut paypal) = Checked::new() else {
        return;
    };
    for _ in 0..3 {
        let _ = paypal.paid("CAPTURE", Funding::Disputes);
    }
    let _ = paypal.paid("CAPTURE", Funding::Balance);
    let list = paypal.get("/v1/customer/disputes?page_size=2");
    let disputes = list["items"].as_array().unwrap().clone();
    for (at, dispute) in disputes.iter().enumerate() {
        let id = dispute["dispute_id"].as_str().unwrap();
        let decided = match at {
            0 => paypal.paypal.dashboard().win_dispute(id),
            _ => paypal.paypal.dashboard().lose_dispute(id),
        };
        decided.unwrap();
        let dispute = paypal.get(&format!("/v1/customer/disputes/{id}"));
        assert_eq!(dispute["status"], "RESOLVED");
    }
    paypal.paypal.dashboard().withdraw(Currency::EUR).unwrap();
    paypal.advance(DAY);
    let period = "start_date=2026-11-01T00:00:00Z&end_date=2026-11-30T00:00:00Z";
    for more in [
        "",
        "&fields=all",
        "&page_size=2&page=2",
        "&balance_affecting_records_only=N",
    ] {
        let found = paypal.get(&format!("/v1/reporting/transactions?{period}{more}"));
        assert!(
            !found["transaction_details"].as_array().unwrap().is_empty(),
            "{found:#}"
        );
    }
    let _ = paypal.get("/v1/reporting/balances?currency_code=ALL");
    let _ = paypal.call(
        "GET",
        "/v1/reporting/transactions?start_date=x",
        &Value::Null,
    );

    let base = "/v1/notifications";
    let _ = paypal.get(&format!("{base}/webhooks-event-types"));
    let new = json!({
        "url": "https://shop.example/second",
        "event_types": [{ "name": "PAYMENT.CAPTURE.COMPLETED" }],
    });
    let second = format!(
        "{base}/webhooks/{}",
        id(&paypal.post(&format!("{base}/webhooks"), &new))
    );
    let _ = paypal.get(&second);
    let _ = paypal.get(&format!("{base}/webhooks"));
    let steps = json!([{ "op": "replace", "path": "/url", "value": "https://shop.example/third" }]);
    let _ = paypal.call("PATCH", &second, &steps);
    paypal.fails(
        &format!("{base}/webhooks"),
        &json!({ "url": "x" }),
        "MISSING_REQUIRED_PARAMETER",
    );
    let events = paypal.get(&format!("{base}/webhooks-events?page_size=50"));
    let event = id(&events["events"][0]);
    let _ = paypal.get(&format!("{base}/webhooks-events/{event}"));
    for kind in ["PAYMENT.CAPTURE.COMPLETED", "PAYMENT.CAPTURE.REFUNDED"] {
        let mock = json!({ "webhook_id": WEBHOOK_ID, "event_type": kind });
        let _ = paypal.post(&format!("{base}/simulate-event"), &mock);
    }
    let verify = json!({
        "auth_algo": "SHA256withRSA", "cert_url": "https://api.sandbox.paypal.com/none",
        "transmission_id": "a-b", "transmission_sig": "c", "transmission_time": "d",
        "webhook_id": WEBHOOK_ID, "webhook_event": {},
    });
    let said = paypal.post(&format!("{base}/verify-webhook-signature"), &verify);
    assert_eq!(said["verification_status"], "FAILURE");
    let _ = paypal.call("DELETE", &second, &Value::Null);

    paypal.paypal.set_feature(Feature::TransactionSearch, false);
    paypal.token = token(&mut paypal.paypal);
    let refused = paypal.get("/v1/reporting/balances");
    assert_eq!(refused["name"], "NOT_AUTHORIZED");
    paypal.finish(50);
}
