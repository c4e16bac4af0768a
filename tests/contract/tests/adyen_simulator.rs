//! Every answer of the Adyen simulator, and every notice, by Adyen's own specifications.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use counterfoil::clock::Timestamp;
use counterfoil::simulator::adyen::{AdyenSimulator, CaptureTiming, MERCHANT_ACCOUNT};
use counterfoil::simulator::{Answer, SimulatedProvider};
use counterfoil_contract::Contract;
use http::Request;
use serde_json::{Value, json};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What the specification says wrongly: a part of the problem, and why it is none.
const FAULTS: &[(&str, &str)] = &[
    (
        "metadata.order",
        "the description of `metadata` has each pair under a name of its own, the schema does not",
    ),
    (
        "hmacSignature",
        "the schema of OFFER_CLOSED leaves it out, and every item of a webhook with a key has one",
    ),
    (
        "answer GET /paymentLinks/{linkId} 404",
        "the file lists no answer for a link that is not there",
    ),
];

struct Checked {
    checkout: Contract,
    management: Contract,
    notices: Contract,
    adyen: AdyenSimulator,
    problems: Vec<String>,
    told: BTreeSet<String>,
    checks: u32,
}

impl Checked {
    fn new() -> Option<Self> {
        let mut adyen = AdyenSimulator::new(11, Timestamp::from_unix(1_795_000_000));
        let key = "ab".repeat(32);
        let _ = adyen.add_webhook(MERCHANT_ACCOUNT, "http://127.0.0.1:9/", &key);
        Some(Self {
            checkout: Contract::load("adyen/checkout_v72.json")?,
            management: Contract::load("adyen/management_v3.json")?,
            notices: Contract::load("adyen/webhooks_v1.json")?,
            adyen,
            problems: Vec::new(),
            told: BTreeSet::new(),
            checks: 0,
        })
    }

    fn call(&mut self, method: &str, target: &str, body: &Value) -> Value {
        let sent = if method == "GET" {
            String::new()
        } else {
            body.to_string()
        };
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header("x-api-key", "contract")
            .body(Bytes::from(sent))
            .unwrap();
        let Answer::Response(response) = self.adyen.handle(&request) else {
            panic!("no fault was planned");
        };
        let (status, answer) = (response.status().as_u16(), response.body());
        let value: Value = serde_json::from_slice(answer).unwrap();
        let problems = match target.strip_prefix("/v72") {
            // Of sessions the file lists no error at all.
            Some(path) if path.starts_with("/sessions") && status > 299 => {
                self.checkout.check_schema("ServiceError", &value)
            }
            Some(path) => self.checkout.check_answer(method, path, status, answer),
            None => {
                let path = target.strip_prefix("/v3").unwrap();
                self.management.check_answer(method, path, status, answer)
            }
        };
        self.note(&format!("{method} {target} {body}"), problems);
        self.webhooks();
        value
    }

    fn post(&mut self, target: &str, body: &Value) -> Value {
        self.call("POST", target, body)
    }

    fn get(&mut self, target: &str) -> Value {
        self.call("GET", target, &Value::Null)
    }

    fn advance(&mut self, by: Duration) {
        self.adyen.advance(by);
        self.webhooks();
    }

    fn webhooks(&mut self) {
        for delivery in self.adyen.due_webhooks() {
            let body: Value = serde_json::from_slice(delivery.request.body()).unwrap();
            let problems = self.notices.check_webhook(&delivery.kind, &body);
            self.note(&format!("notice {} {body}", delivery.kind), problems);
            let _ = self.told.insert(delivery.kind);
            self.adyen.report_webhook(delivery.id, Some(200));
        }
    }

    fn note(&mut self, what: &str, problems: Vec<String>) {
        let is_real = |problem: &String| !FAULTS.iter().any(|(fault, _)| problem.contains(fault));
        let real = problems.into_iter().filter(is_real);
        self.problems
            .extend(real.map(|problem| format!("{what}: {problem}")));
        self.checks += 1;
    }

    fn pay(&mut self, holder: &str) -> String {
        let answer = self.post("/v72/payments", &payment(holder));
        text(&answer, "pspReference")
    }

    fn modify(&mut self, payment: &str, what: &str, amount: Option<i64>) {
        let mut body = json!({ "merchantAccount": MERCHANT_ACCOUNT, "reference": "mod-1" });
        if let Some(value) = amount {
            body["amount"] = json!({ "currency": "EUR", "value": value });
        }
        let _ = self.post(&format!("/v72/payments/{payment}/{what}"), &body);
    }

    fn finish(self, at_least: u32) {
        assert!(self.problems.is_empty(), "{:#?}", self.problems);
        assert!(self.checks >= at_least, "only {} checks", self.checks);
        println!("{} answers and notices checked", self.checks);
    }
}

fn order() -> Value {
    json!({
        "merchantAccount": MERCHANT_ACCOUNT,
        "amount": { "currency": "EUR", "value": 2000 },
        "reference": "order-1",
        "merchantOrderReference": "order-1",
        "returnUrl": "https://shop.example/back",
        "countryCode": "NL",
        "shopperReference": "shopper-1",
        "metadata": { "order": "A-1" },
    })
}

fn payment(holder: &str) -> Value {
    let mut payment = order();
    payment["storePaymentMethod"] = json!(true);
    payment["paymentMethod"] = json!({
        "type": "scheme", "encryptedCardNumber": "test_4111111111111111", "holderName": holder,
    });
    payment
}

fn text(value: &Value, field: &str) -> String {
    let text = value[field].as_str();
    text.unwrap_or_else(|| panic!("{field} in {value:#}"))
        .to_owned()
}

#[test]
fn payments_and_pages_are_what_the_specification_says() {
    let Some(mut adyen) = Checked::new() else {
        return;
    };
    for holder in [
        "A. Shopper",
        "DECLINED",
        "SIM_ERROR",
        "SIM_PARTLY_AUTHORISED",
        "SIM_PENDING",
        "SIM_PENDING_REFUSED",
    ] {
        let _ = adyen.pay(holder);
    }
    for method in [
        json!({ "type": "ideal" }),
        json!({ "type": "sepadirectdebit", "iban": "NL13TEST0123456789", "ownerName": "A" }),
        json!({ "type": "scheme", "encryptedCardNumber": "test_4917610000000000" }),
    ] {
        for native in [false, true] {
            let mut body = payment("");
            body["paymentMethod"] = method.clone();
            if native {
                let preferred = json!({ "nativeThreeDS": "preferred" });
                body["authenticationData"] = json!({ "threeDSRequestData": preferred });
            }
            let answer = adyen.post("/v72/payments", &body);
            let psp = text(&answer, "pspReference");
            if let Ok(outcome) = adyen.adyen.shopper().approve(&psp) {
                let result = match outcome {
                    counterfoil::simulator::adyen::ShopperOutcome::Returned { result } => result,
                    other => panic!("{other:?}"),
                };
                let details = json!({ "details": { "redirectResult": result } });
                let _ = adyen.post("/v72/payments/details", &details);
            }
        }
    }
    let merchant = json!({ "merchantAccount": MERCHANT_ACCOUNT, "shopperReference": "shopper-1" });
    let _ = adyen.post("/v72/paymentMethods", &merchant);

    let link = text(&adyen.post("/v72/paymentLinks", &order()), "id");
    let _ = adyen.adyen.shopper().pay(&link, "visa");
    let _ = adyen.get(&format!("/v72/paymentLinks/{link}"));
    let link = text(&adyen.post("/v72/paymentLinks", &order()), "id");
    let expire = json!({ "status": "expired" });
    let path = format!("/v72/paymentLinks/{link}");
    let _ = adyen.call("PATCH", &path, &expire);
    let _ = adyen.call("PATCH", &path, &expire);
    let _ = adyen.get("/v72/paymentLinks/PL0000000000000000");
    for mode in ["hosted", "embedded"] {
        let mut body = order();
        body["mode"] = json!(mode);
        let session = text(&adyen.post("/v72/sessions", &body), "id");
        let _ = adyen.adyen.shopper().pay(&session, "mc");
        let result = adyen.adyen.session_result(&session).unwrap().to_owned();
        let _ = adyen.get(&format!("/v72/sessions/{session}?sessionResult={result}"));
        let _ = adyen.get(&format!("/v72/sessions/{session}?sessionResult=x"));
    }
    adyen.advance(4 * DAY);

    let _ = adyen.post("/v72/payments", &json!({}));
    let _ = adyen.post("/v72/payments", &json!([]));
    let mut wrong = payment("");
    wrong["amount"]["value"] = json!(-1);
    let _ = adyen.post("/v72/payments", &wrong);
    wrong["merchantAccount"] = json!("SomeoneElse");
    let _ = adyen.post("/v72/payments", &wrong);
    adyen.adyen.refuse_key("contract");
    let _ = adyen.post("/v72/payments", &wrong);
    adyen.finish(60);
}

#[test]
fn modifications_and_every_notice_are_what_the_specification_says() {
    let Some(mut adyen) = Checked::new() else {
        return;
    };
    let _ = adyen.pay("SIM_CAPTURE_FAILED");
    for holder in ["SIM_REFUND_FAILED", "SIM_REFUND_REVERSED"] {
        let payment = adyen.pay(holder);
        adyen.modify(&payment, "refunds", Some(500));
        adyen.advance(HOUR);
    }
    let payment = adyen.pay("");
    adyen.modify(&payment, "refunds", Some(2500));
    adyen.modify(&payment, "reversals", None);
    let disputed = adyen.pay("SIM_CHARGEBACK");
    adyen.advance(HOUR);
    let dispute = adyen.adyen.dashboard().charge_back(&disputed);
    assert!(dispute.is_err(), "it is charged back already");
    let payment = adyen.pay("");
    let dispute = adyen.adyen.dashboard().charge_back(&payment).unwrap();
    adyen
        .adyen
        .dashboard()
        .reverse_chargeback(&dispute)
        .unwrap();
    adyen.adyen.dashboard().charge_back_again(&dispute).unwrap();
    adyen
        .adyen
        .dashboard()
        .request_information(&payment)
        .unwrap();
    adyen.adyen.dashboard().report_fraud(&payment).unwrap();
    adyen
        .adyen
        .set_capture_timing(MERCHANT_ACCOUNT, CaptureTiming::Manual);
    let payment = adyen.pay("");
    adyen.modify(&payment, "amountUpdates", Some(3000));
    adyen.modify(&payment, "captures", Some(2500));
    let payment = adyen.pay("");
    adyen.modify(&payment, "cancels", None);
    adyen.modify(&payment, "reversals", None);
    adyen.modify("NONE", "cancels", None);
    let _ = adyen.pay("");
    let cancel = json!({ "merchantAccount": MERCHANT_ACCOUNT, "paymentReference": "order-1" });
    let _ = adyen.post("/v72/cancels", &cancel);
    let _ = adyen.pay("");
    let mut ideal = order();
    ideal["paymentMethod"] = json!({ "type": "ideal" });
    let _ = adyen.post("/v72/payments", &ideal);
    adyen.advance(30 * DAY);
    let expected = [
        "AUTHORISATION",
        "AUTHORISATION_ADJUSTMENT",
        "CANCELLATION",
        "CANCEL_OR_REFUND",
        "CAPTURE",
        "CAPTURE_FAILED",
        "CHARGEBACK",
        "CHARGEBACK_REVERSED",
        "DISPUTE_DEFENSE_PERIOD_ENDED",
        "EXPIRE",
        "NOTIFICATION_OF_CHARGEBACK",
        "NOTIFICATION_OF_FRAUD",
        "OFFER_CLOSED",
        "REFUND",
        "REFUNDED_REVERSED",
        "REFUND_FAILED",
        "REPORT_AVAILABLE",
        "REQUEST_FOR_INFORMATION",
        "SECOND_CHARGEBACK",
        "TECHNICAL_CANCEL",
    ];
    let told: Vec<&str> = adyen.told.iter().map(String::as_str).collect();
    assert_eq!(told, expected);
    adyen.finish(50);
}

#[test]
fn the_management_api_is_what_the_specification_says() {
    let Some(mut adyen) = Checked::new() else {
        return;
    };
    let _ = adyen.get("/v3/me");
    let _ = adyen.get("/v3/merchants?pageSize=1");
    let _ = adyen.get("/v3/merchants?pageSize=1000");
    let _ = adyen.get(&format!("/v3/merchants/{MERCHANT_ACCOUNT}"));
    let _ = adyen.get("/v3/merchants/None");
    let path = format!("/v3/merchants/{MERCHANT_ACCOUNT}/webhooks");
    let body = json!({
        "type": "standard", "url": "http://127.0.0.1:9/", "active": true, "username": "adyen",
        "password": "secret", "communicationFormat": "json", "description": "of the test",
        "additionalSettings": { "includeEventCodes": ["CAPTURE"] },
    });
    let one = format!("{path}/{}", text(&adyen.post(&path, &body), "id"));
    let _ = adyen.get(&path);
    let _ = adyen.get(&one);
    let _ = adyen.get(&format!("{path}/none"));
    let _ = adyen.post(&format!("{one}/generateHmac"), &json!({}));
    let types = json!({ "types": ["AUTHORISATION", "REPORT_AVAILABLE", "REFUND"] });
    let _ = adyen.post(&format!("{one}/test"), &types);
    let custom = json!({
        "types": ["CUSTOM"],
        "notification": {
            "eventCode": "CAPTURE", "amount": { "currency": "HUF", "value": 1000 }, "success": false,
        },
    });
    let _ = adyen.post(&format!("{one}/test"), &custom);
    let _ = adyen.post(&path, &json!({}));
    let _ = adyen.post(&path, &json!([]));
    adyen.adyen.limit_roles("contract", &[]);
    let _ = adyen.get(&path);
    adyen.adyen.refuse_key("contract");
    let _ = adyen.get("/v3/me");
    adyen.finish(18);
}
