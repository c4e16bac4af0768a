//! Every answer of the Stripe simulator, and every webhook, by Stripe's own specification.

use std::time::Duration;

use bytes::Bytes;
use counterfoil::clock::Timestamp;
use counterfoil::simulator::stripe::StripeSimulator;
use counterfoil::simulator::{Answer, SimulatedProvider};
use counterfoil_contract::Contract;
use http::Request;
use serde_json::Value;

const SPEC: &str = "stripe/stripe-2026-08-26.dahlia.official.json";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What a path answers, though the trimmed specification leaves the path out.
const OUTSIDE: &[(&str, &str)] = &[
    ("/v1/customers", "customer"),
    ("/v1/payment_methods", "payment_method"),
    ("/close", "dispute"),
];

struct Checked {
    contract: Contract,
    stripe: StripeSimulator,
    problems: Vec<String>,
    checks: u32,
}

impl Checked {
    fn new() -> Option<Self> {
        let mut stripe = StripeSimulator::new(11, Timestamp::from_unix(1_795_000_000));
        let _ = stripe.add_webhook_endpoint("http://127.0.0.1:9/", "whsec_x", &["*"]);
        Some(Self {
            contract: Contract::load(SPEC)?,
            stripe,
            problems: Vec::new(),
            checks: 0,
        })
    }

    fn call(&mut self, method: &str, target: &str, form: &str) -> Value {
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header("authorization", "Bearer sk_test_contract")
            .body(Bytes::copy_from_slice(form.as_bytes()))
            .unwrap();
        let Answer::Response(response) = self.stripe.handle(&request) else {
            panic!("no fault was planned");
        };
        let (status, body) = (response.status().as_u16(), response.body());
        let value: Value = serde_json::from_slice(body).unwrap();
        let outside = OUTSIDE.iter().find(|(part, _)| target.contains(part));
        let problems = match outside {
            Some((_, schema)) if status == 200 => self.contract.check_schema(schema, &value),
            Some(_) => self.contract.check_schema("error", &value),
            None => self.contract.check_answer(method, target, status, body),
        };
        let of = |problem| format!("{method} {target} {form}: {problem}");
        self.problems.extend(problems.into_iter().map(of));
        self.checks += 1;
        self.webhooks();
        value
    }

    fn post(&mut self, target: &str, form: &str) -> Value {
        self.call("POST", target, form)
    }

    fn get(&mut self, target: &str) -> Value {
        self.call("GET", target, "")
    }

    fn advance(&mut self, by: Duration) {
        self.stripe.advance(by);
        self.webhooks();
    }

    fn webhooks(&mut self) {
        for delivery in self.stripe.due_webhooks() {
            let event: Value = serde_json::from_slice(delivery.request.body()).unwrap();
            let object = &event["data"]["object"];
            let schema = object["object"].as_str().unwrap();
            let mut problems = self.contract.check_schema("event", &event);
            problems.extend(self.contract.check_schema(schema, object));
            let of = |problem| format!("webhook {}: {problem}", delivery.kind);
            self.problems.extend(problems.into_iter().map(of));
            self.checks += 1;
            self.stripe.report_webhook(delivery.id, Some(200));
        }
    }

    fn pay(&mut self, method: &str, extra: &str) -> String {
        let form = format!(
            "amount=2000&currency=eur&confirm=true&payment_method={method}\
             &return_url=https://shop.example/back&metadata[order]=A1{extra}"
        );
        let answer = self.post("/v1/payment_intents", &form);
        let intent = match answer.get("error") {
            Some(error) => &error["payment_intent"],
            None => &answer,
        };
        let id = intent["id"]
            .as_str()
            .unwrap_or_else(|| panic!("{answer:#}"))
            .to_owned();
        let _ = self.get(&format!("/v1/payment_intents/{id}?expand[]=latest_charge.balance_transaction&expand[]=payment_method"));
        id
    }

    fn finish(self, at_least: u32) {
        assert!(self.problems.is_empty(), "{:#?}", self.problems);
        assert!(self.checks >= at_least, "only {} checks", self.checks);
        println!("{} answers and webhooks checked", self.checks);
    }
}

fn id(value: &Value) -> String {
    value["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{value:#}"))
        .to_owned()
}

#[test]
fn payments_are_what_the_specification_says() {
    let Some(mut stripe) = Checked::new() else {
        return;
    };
    for method in [
        "pm_card_visa",
        "pm_card_amex",
        "pm_card_bypassPending",
        "pm_card_visa_chargeDeclined",
        "pm_card_visa_chargeDeclinedInsufficientFunds",
        "pm_card_chargeDeclinedExpiredCard",
        "pm_card_radarBlock",
        "pm_card_createDispute",
        "pm_card_createDisputeInquiry",
        "pm_card_pendingRefund",
        "pm_card_refundFail",
        "pm_sepaDebit_success",
        "pm_sepaDebit_failed",
    ] {
        let intent = stripe.pay(method, "");
        stripe.advance(4 * DAY);
        let refund = stripe.post(
            "/v1/refunds",
            &format!("payment_intent={intent}&amount=500"),
        );
        if refund.get("error").is_none() {
            let refund = id(&refund);
            let _ = stripe.get(&format!(
                "/v1/refunds/{refund}?expand[]=balance_transaction&expand[]=charge"
            ));
            let _ = stripe.post(&format!("/v1/refunds/{refund}"), "metadata[a]=b");
            let _ = stripe.post(&format!("/v1/refunds/{refund}/cancel"), "");
        }
        stripe.advance(DAY);
    }
    for answer in [true, false] {
        let intent = stripe.pay("pm_card_authenticationRequired", "");
        let outcome = if answer {
            stripe.stripe.shopper().pass_challenge(&intent)
        } else {
            stripe.stripe.shopper().fail_challenge(&intent)
        };
        let _ = outcome.unwrap();
        let _ = stripe.get(&format!(
            "/v1/payment_intents/{intent}?expand[]=latest_charge"
        ));
    }
    let manual =
        "&capture_method=manual&payment_method_options[card][request_multicapture]=if_available";
    let held = stripe.pay("pm_card_visa", manual);
    let capture = format!("/v1/payment_intents/{held}/capture");
    let _ = stripe.post(&capture, "amount_to_capture=9999");
    let _ = stripe.post(&capture, "amount_to_capture=500&final_capture=false");
    let _ = stripe.post(&capture, "amount_to_capture=500");
    let _ = stripe.post(&format!("/v1/payment_intents/{held}/cancel"), "");
    let held = stripe.pay("pm_card_visa", "&capture_method=manual");
    let _ = stripe.post(
        &format!("/v1/payment_intents/{held}/cancel"),
        "cancellation_reason=abandoned",
    );
    let _ = stripe.pay("pm_card_visa", "&capture_method=manual");
    stripe.advance(8 * DAY);
    let bare = id(&stripe.post("/v1/payment_intents", "amount=500&currency=jpy"));
    let _ = stripe.post(
        &format!("/v1/payment_intents/{bare}"),
        "amount=600&description=x",
    );
    let _ = stripe.post(
        &format!("/v1/payment_intents/{bare}/confirm"),
        "payment_method=tok_none",
    );
    let _ = stripe.get("/v1/payment_intents?limit=100");
    let _ = stripe.get("/v1/payment_intents/search?query=metadata['order']:'A1'&limit=2");
    for wrong in [
        "amount=1",
        "amount=x&currency=eur",
        "amount=100&currency=eur&x=1",
    ] {
        let _ = stripe.post("/v1/payment_intents", wrong);
    }
    let _ = stripe.get("/v1/payment_intents/pi_none");
    stripe.finish(150);
}

#[test]
fn sessions_are_what_the_specification_says() {
    let Some(mut stripe) = Checked::new() else {
        return;
    };
    let form = "mode=payment&success_url=https://shop.example/ok&customer_email=a@example.com\
                &client_reference_id=order-1&payment_intent_data[metadata][order]=order-1\
                &line_items[0][quantity]=2&line_items[0][price_data][currency]=eur\
                &line_items[0][price_data][unit_amount]=1000\
                &line_items[0][price_data][product_data][name]=Chair";
    for method in [
        "pm_card_visa",
        "pm_card_visa_chargeDeclined",
        "pm_sepaDebit_failed",
        "pm_sepaDebit_success",
    ] {
        let session = id(&stripe.post("/v1/checkout/sessions", form));
        let _ = stripe.stripe.shopper().pay(&session, method).unwrap();
        let path = format!("/v1/checkout/sessions/{session}");
        let _ = stripe.get(&format!(
            "{path}?expand[]=line_items&expand[]=payment_intent"
        ));
        let _ = stripe.post(&path, "metadata[a]=b");
        stripe.advance(4 * DAY);
        let _ = stripe.get(&path);
    }
    let session = id(&stripe.post("/v1/checkout/sessions", form));
    for _ in 0..2 {
        let _ = stripe.post(&format!("/v1/checkout/sessions/{session}/expire"), "");
    }
    let _ = stripe.post("/v1/checkout/sessions", "mode=payment");
    let _ = stripe.get("/v1/checkout/sessions?limit=3");
    stripe.finish(40);
}

#[test]
fn everything_else_is_what_the_specification_says() {
    let Some(mut stripe) = Checked::new() else {
        return;
    };
    let first = stripe.pay("pm_card_createDispute", "");
    let second = stripe.pay("pm_card_visa", "");
    let lost = stripe.stripe.dashboard().open_dispute(&second).unwrap();
    let disputes = stripe.get("/v1/disputes?limit=5");
    let won = disputes["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|d| d["payment_intent"] == first.as_str());
    let won = id(won.unwrap());
    let evidence = "evidence[uncategorized_text]=winning_evidence&evidence[customer_name]=A";
    let _ = stripe.post(&format!("/v1/disputes/{won}"), evidence);
    let _ = stripe.post(&format!("/v1/disputes/{lost}/close"), "");
    let _ = stripe.pay("pm_card_visa", "");
    stripe.advance(5 * DAY);
    let _ = stripe.get(&format!(
        "/v1/disputes/{won}?expand[]=charge&expand[]=payment_intent"
    ));
    let charges = stripe.get("/v1/charges?limit=10&expand[]=data.refunds");
    let _ = stripe.get(&format!(
        "/v1/charges/{}?expand[]=payment_intent",
        id(&charges["data"][0])
    ));
    let payouts = stripe.get("/v1/payouts?status=paid&limit=100");
    for payout in payouts["data"].as_array().unwrap() {
        let payout = id(payout);
        let _ = stripe.get(&format!(
            "/v1/balance_transactions?payout={payout}&expand[]=data.source"
        ));
        stripe.stripe.dashboard().fail_payout(&payout).unwrap();
        let _ = stripe.get(&format!(
            "/v1/payouts/{payout}?expand[]=balance_transaction"
        ));
    }
    let lines = stripe.get("/v1/balance_transactions?limit=100");
    let _ = stripe.get(&format!(
        "/v1/balance_transactions/{}",
        id(&lines["data"][0])
    ));
    let _ = stripe.get("/v1/balance");
    let _ = stripe.get("/v1/account");
    let events = stripe.get("/v1/events?limit=100");
    let _ = stripe.get(&format!("/v1/events/{}", id(&events["data"][0])));
    let customer = id(&stripe.post("/v1/customers", "email=a@example.com&name=A"));
    let _ = stripe.get(&format!("/v1/customers/{customer}"));
    let method = id(&stripe.post("/v1/payment_methods", "type=card&card[token]=tok_visa"));
    let _ = stripe.post(
        &format!("/v1/payment_methods/{method}/attach"),
        &format!("customer={customer}"),
    );
    for name in ["pm_usBankAccount_success", "pm_sepaDebit_success"] {
        let _ = stripe.get(&format!("/v1/payment_methods/{name}"));
    }
    let hook = "url=https://shop.example/hook&enabled_events[]=*";
    let endpoint = id(&stripe.post("/v1/webhook_endpoints", hook));
    let path = format!("/v1/webhook_endpoints/{endpoint}");
    let _ = stripe.post(&path, "disabled=true&metadata[a]=b");
    let _ = stripe.get(&path);
    let _ = stripe.get("/v1/webhook_endpoints");
    let _ = stripe.call("DELETE", &path, "");
    let _ = stripe.post("/v1/webhook_endpoints", "url=nonsense&enabled_events[]=*");
    stripe.finish(55);
}

#[test]
fn the_checker_finds_what_is_wrong() {
    let Some(contract) = Contract::load(SPEC) else {
        return;
    };
    let good = "amount=100&currency=eur&metadata[a]=b&expand[0]=latest_charge&confirm=true";
    assert_eq!(
        contract.check_request("POST", "/v1/payment_intents", good.as_bytes()),
        [""; 0]
    );
    for bad in [
        "amount=x&currency=eur",
        "currency=eur",
        "amount=1&currency=eur&colour=red",
        "amount=1&currency=eur&capture_method=later",
    ] {
        let problems = contract.check_request("POST", "/v1/payment_intents", bad.as_bytes());
        assert!(!problems.is_empty(), "{bad}");
    }
    assert_eq!(
        contract.check_request("GET", "/v1/refunds?limit=3&created[gte]=5", b""),
        [""; 0]
    );
    assert!(
        !contract
            .check_request("GET", "/v1/refunds?colour=red", b"")
            .is_empty()
    );
    for wrong in [
        r#"{"object":"balance"}"#,
        r#"{"object":"balance","available":[],"pending":[],"livemode":false,"colour":1}"#,
    ] {
        assert!(
            !contract
                .check_answer("GET", "/v1/balance", 200, wrong.as_bytes())
                .is_empty()
        );
    }
}
