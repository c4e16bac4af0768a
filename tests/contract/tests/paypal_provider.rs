//! Every request that the PayPal provider sends, by PayPal's own specifications; and the answers
//! that its tests are written with.

#[path = "../../paypal/answers.rs"]
mod answers;
#[path = "../../paypal/script.rs"]
#[allow(dead_code, unreachable_pub)]
mod script;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use counterfoil::PaymentProvider as _;
use counterfoil::capability::Operation;
use counterfoil::id::{CommandId, OrderId};
use counterfoil::providers::paypal::{PayPal, WebhookCheck};
use counterfoil::request::{
    CaptureRequest, Checkout, CompleteRequest, CreateRequest, Period, RefundRequest,
};
use counterfoil::webhook::WebhookRequest;
use counterfoil_contract::Contract;
use futures_util::TryStreamExt;
use http::{HeaderMap, HeaderValue, Method, Request};
use serde_json::{Value, json};

use self::answers::{CAPTURE, HOLD, ORDER, ORDER_PATH, REFUND, capture, hold, order, refund};
use self::script::{NOW, Script, header, id, money};

/// What the specifications say wrongly: a part of the problem, and why it is none.
const FAULTS: &[(&str, &str)] = &[];

/// What the provider must have sent for the check to be worth something.
const ENDPOINTS: &[&str] = &[
    "GET /v1/customer/disputes",
    "GET /v1/customer/disputes/{id}",
    "GET /v1/notifications/webhooks",
    "GET /v1/reporting/balances",
    "GET /v1/reporting/transactions",
    "GET /v2/checkout/orders/{id}",
    "GET /v2/payments/authorizations/{authorization_id}",
    "GET /v2/payments/captures/{capture_id}",
    "GET /v2/payments/refunds/{refund_id}",
    "POST /v1/notifications/verify-webhook-signature",
    "POST /v2/checkout/orders",
    "POST /v2/checkout/orders/{id}/authorize",
    "POST /v2/checkout/orders/{id}/capture",
    "POST /v2/payments/authorizations/{authorization_id}/capture",
    "POST /v2/payments/authorizations/{authorization_id}/reauthorize",
    "POST /v2/payments/authorizations/{authorization_id}/void",
    "POST /v2/payments/captures/{capture_id}/refund",
];

/// PayPal's specifications, one for each part of its API.
struct Contracts(Vec<(&'static str, Contract)>);

impl Contracts {
    fn load() -> Option<Self> {
        let parts = [
            ("/v2/checkout/", "paypal/orders_v2.json"),
            ("/v2/payments/", "paypal/payments_v2.json"),
            ("/v1/customer/", "paypal/disputes_v1.json"),
            ("/v1/reporting/", "paypal/reporting_v1.json"),
            ("/v1/notifications/", "paypal/webhooks_v1.json"),
        ];
        let load = |(part, file)| Some((part, Contract::load(file)?));
        parts.into_iter().map(load).collect::<Option<_>>().map(Self)
    }

    fn of(&self, path: &str) -> &Contract {
        let mut parts = self.0.iter();
        let found = parts.find(|(part, _)| path.starts_with(part));
        &found
            .unwrap_or_else(|| panic!("{path} is in no specification"))
            .1
    }
}

#[tokio::test]
async fn every_request_is_what_the_specification_says() {
    let Some(contracts) = Contracts::load() else {
        return;
    };
    let (requests, driven) = drive_everything().await;
    let paypal = PayPal::new(script::config(&Arc::default())).unwrap();
    let provider = paypal.into_provider("shop".parse().unwrap());
    let can = provider.capabilities();
    let every = Operation::ALL.into_iter().filter(|o| can.supports(*o));
    let unsent: Vec<_> = every.filter(|o| !driven.contains(o)).collect();
    assert_eq!(unsent, [], "operations not driven");

    let (mut problems, mut faults_met) = (BTreeSet::new(), BTreeSet::new());
    let mut samples = BTreeMap::new();
    for request in &requests {
        for problem in problems_of(&contracts, request, request.body()) {
            match FAULTS.iter().find(|(fault, _)| problem.contains(fault)) {
                Some((fault, _)) => drop(faults_met.insert(*fault)),
                None => drop(problems.insert(format!("{problem} in {request:?}"))),
            }
        }
        let path = request.uri().path();
        let method = request.method().as_str();
        let template = contracts.of(path).template(method, path);
        let endpoint = format!("{method} {}", template.unwrap_or(path));
        samples.entry(endpoint).or_insert(request.clone());
    }
    assert!(problems.is_empty(), "{problems:#?}");
    let seen: Vec<_> = samples.keys().map(String::as_str).collect();
    assert_eq!(seen, ENDPOINTS);
    let known: BTreeSet<_> = FAULTS.iter().map(|(fault, _)| *fault).collect();
    assert_eq!(faults_met, known, "faults that are no longer there");
    println!("{} requests checked", requests.len());
}

#[tokio::test]
async fn a_request_without_what_is_required_is_caught() {
    let Some(contracts) = Contracts::load() else {
        return;
    };
    let (requests, _) = drive_everything().await;
    let created = requests
        .iter()
        .find(|request| request.uri().path() == "/v2/checkout/orders");
    let created = created.unwrap();
    let good = String::from_utf8(created.body().to_vec()).unwrap();
    for (right, wrong) in [
        (r#""intent""#, r#""intend""#),
        (r#""AUTHORIZE""#, r#""HOLD""#),
        (r#""value":"20.00""#, r#""value":20"#),
        (r#""value":"20.00""#, r#""value":"20,00""#),
        (r#""currency_code":"EUR""#, r#""currency_code":"EURO""#),
    ] {
        assert!(good.contains(right), "{good}");
        let bad = good.replace(right, wrong);
        assert_ne!(
            problems_of(&contracts, created, bad.as_bytes()),
            [""; 0],
            "{bad}"
        );
    }
}

#[test]
fn the_answers_that_tests_are_written_with_are_what_the_specification_says() {
    let Some(contracts) = Contracts::load() else {
        return;
    };
    let payments = json!({
        "authorizations": [hold("PARTIALLY_CAPTURED", "20.00")],
        "captures": [capture(CAPTURE, "COMPLETED", "20.00")],
        "refunds": [refund(REFUND, CAPTURE, "COMPLETED", "5.00", "cf.goodwill")],
    });
    let mut whole = order("AUTHORIZE", "COMPLETED", payments);
    // What is only told of a capture by itself.
    for part in ["authorizations", "captures"] {
        let of_order = &mut whole["purchase_units"][0]["payments"][part][0];
        of_order
            .as_object_mut()
            .unwrap()
            .remove("supplementary_data");
    }
    for (path, answer) in [
        (ORDER_PATH.to_owned(), whole),
        (
            format!("/v2/payments/captures/{CAPTURE}"),
            capture(CAPTURE, "PENDING", "20.00"),
        ),
        (
            format!("/v2/payments/authorizations/{HOLD}"),
            hold("CREATED", "20.00"),
        ),
        (
            format!("/v2/payments/refunds/{REFUND}"),
            refund(REFUND, CAPTURE, "PENDING", "5.00", "cf.good_20will"),
        ),
    ] {
        let body = answer.to_string();
        let problems = contracts
            .of(&path)
            .check_answer("GET", &path, 200, body.as_bytes());
        assert_eq!(problems, [""; 0], "{path}");
    }
}

fn problems_of(contracts: &Contracts, request: &Request<Bytes>, body: &[u8]) -> Vec<String> {
    let target = request.uri().path_and_query().unwrap().as_str();
    let contract = contracts.of(request.uri().path());
    let mut problems = contract.check_request(request.method().as_str(), target, body);
    let is_post = request.method() == Method::POST;
    let moves_money = is_post && target.starts_with("/v2/");
    if moves_money == header(request, "paypal-request-id").is_empty() {
        problems.push("exactly what moves money has a request id".into());
    }
    if moves_money && header(request, "prefer") != "return=representation" {
        problems.push("a write does not ask for the whole answer".into());
    }
    if is_post && header(request, "content-type") != "application/json" {
        problems.push("a write is not sent as JSON".into());
    }
    problems
}

/// Does everything there is to do at PayPal, answered by a script.
async fn drive_everything() -> (Vec<Request<Bytes>>, BTreeSet<Operation>) {
    let script = scripted();
    let paypal = PayPal::new(script::config(&script)).unwrap();
    let provider = paypal.clone().into_provider("shop".parse().unwrap());
    let mut driven = BTreeSet::new();
    let order_path = format!("GET {ORDER_PATH}");

    let page = Checkout::hosted("https://shop.example/done?a=b", "https://shop.example/cart");
    let order_id = OrderId::new("A-1").unwrap();
    let request = CreateRequest::new(order_id, money("20.00 EUR"), page)
        .with_description("Two chairs & a table")
        .with_email("a@shop.example")
        .with_manual_capture();
    provider.create(&request).await.unwrap();
    driven.insert(Operation::CreateHosted);

    let complete = || CompleteRequest::new(id(ORDER), money("20.00 EUR"));
    for (intent, done) in [("CAPTURE", answers::paid()), ("AUTHORIZE", answers::held())] {
        script.forget(&order_path);
        script.json(&order_path, 200, order(intent, "APPROVED", json!({})));
        let step = intent.to_lowercase();
        script.json(&format!("POST {ORDER_PATH}/{step}"), 201, done);
        provider.complete(&complete()).await.unwrap();
    }
    driven.insert(Operation::Complete);

    script.forget(&order_path);
    script.json(&order_path, 200, answers::held());
    let command = |name: &str| CommandId::new(name).unwrap();
    paypal
        .reauthorize(&id(ORDER), money("20.00 EUR"), &command("again"))
        .await
        .unwrap();
    for name in [ORDER, HOLD] {
        provider.fetch_payment(&id(name)).await.unwrap();
    }
    driven.insert(Operation::FetchPayment);
    let _ = provider.void(&id(ORDER)).await.unwrap();
    driven.insert(Operation::Void);
    script.json(&order_path, 200, answers::held());
    let part = CaptureRequest::new(id(ORDER), money("12.00 EUR"), command("ship"));
    let captured = provider.capture(&part.keeping_the_rest()).await;
    assert!(captured.unwrap().payment().is_some());
    driven.insert(Operation::Capture);

    script.forget(&order_path);
    script.json(&order_path, 200, answers::paid());
    let some = RefundRequest::new(id(ORDER), money("5.00 EUR"), command("good will/7"));
    let refund = provider.refund(&some).await.unwrap();
    provider.fetch_refund(&refund.id).await.unwrap();
    let refunds = provider.list_refunds(id(CAPTURE));
    refunds.try_collect::<Vec<_>>().await.unwrap();
    driven.extend([
        Operation::Refund,
        Operation::FetchRefund,
        Operation::ListRefunds,
    ]);

    let since = Period::since(NOW.saturating_sub(std::time::Duration::from_secs(40 * 86_400)));
    provider
        .list_payments(since)
        .try_collect::<Vec<_>>()
        .await
        .unwrap();
    provider
        .list_payouts(since)
        .try_collect::<Vec<_>>()
        .await
        .unwrap();
    provider
        .list_disputes(since)
        .try_collect::<Vec<_>>()
        .await
        .unwrap();
    provider.account().await.unwrap();
    driven.extend([
        Operation::ListPayments,
        Operation::ListPayouts,
        Operation::ListDisputes,
        Operation::Account,
    ]);

    paypal.webhook_endpoints().await.unwrap();
    let by_paypal = script::config(&script).with_webhook_check(WebhookCheck::ByPayPal);
    let delivery = script::provider_of(by_paypal)
        .webhook(&webhook())
        .await
        .unwrap();
    assert_eq!(delivery.events.len(), 1);
    driven.insert(Operation::VerifyWebhook);
    (script.take(), driven)
}

fn scripted() -> Arc<Script> {
    let script = Arc::new(Script::default());
    let post = |path: &str| format!("POST {path}");
    let get = |path: &str| format!("GET {path}");
    let created = order("AUTHORIZE", "PAYER_ACTION_REQUIRED", json!({}));
    script.json(&post("/v2/checkout/orders"), 201, created);
    let holds = format!("/v2/payments/authorizations/{HOLD}");
    script.json(&get(&holds), 200, hold("CREATED", "20.00"));
    script.json(
        &post(&format!("{holds}/reauthorize")),
        201,
        hold("CREATED", "20.00"),
    );
    script.json(
        &post(&format!("{holds}/void")),
        200,
        hold("VOIDED", "20.00"),
    );
    let part = capture(CAPTURE, "COMPLETED", "12.00");
    script.json(&post(&format!("{holds}/capture")), 201, part);
    let captures = format!("/v2/payments/captures/{CAPTURE}");
    script.json(&get(&captures), 200, capture(CAPTURE, "COMPLETED", "20.00"));
    let back = || refund(REFUND, CAPTURE, "COMPLETED", "5.00", "cf.good_20will_2f7");
    script.json(&post(&format!("{captures}/refund")), 201, back());
    script.json(&get(&format!("/v2/payments/refunds/{REFUND}")), 200, back());
    let row = json!({"transaction_info": {
        "transaction_id": CAPTURE, "transaction_event_code": "T0006", "transaction_status": "S",
        "transaction_amount": answers::amount("20.00"),
    }});
    let found = json!({"transaction_details": [row], "total_pages": 1});
    script.json(&get("/v1/reporting/transactions"), 200, found);
    let balances = json!({"account_id": "QNXUX7ZEBLGCE", "balances": [{"currency": "EUR"}]});
    script.json(&get("/v1/reporting/balances"), 200, balances);
    let next = "https://api.sandbox.paypal.com/v1/customer/disputes?next_page_token=AB1";
    let disputes = |links: Value| {
        let opened = json!({"dispute_id": "PP-D-1", "create_time": "2026-11-16T11:00:00Z"});
        json!({"items": [opened], "links": links})
    };
    let goes_on = json!([{"rel": "next", "href": next}]);
    script.json(&get("/v1/customer/disputes"), 200, disputes(goes_on));
    script.json(&get("/v1/customer/disputes"), 200, disputes(json!([])));
    let dispute = json!({
        "dispute_id": "PP-D-1", "status": "OPEN", "dispute_amount": answers::amount("20.00"),
        "disputed_transactions": [{"seller_transaction_id": CAPTURE}],
    });
    script.json(&get("/v1/customer/disputes/PP-D-1"), 200, dispute);
    script.json(
        &get("/v1/notifications/webhooks"),
        200,
        json!({"webhooks": []}),
    );
    let success = json!({"verification_status": "SUCCESS"});
    script.json(
        &post("/v1/notifications/verify-webhook-signature"),
        200,
        success,
    );
    script
}

fn webhook() -> WebhookRequest {
    let event = json!({
        "id": "WH-1", "event_version": "1.0", "create_time": "2026-11-16T11:59:00Z",
        "resource_type": "capture", "resource_version": "2.0",
        "event_type": "PAYMENT.CAPTURE.COMPLETED", "summary": "Payment completed",
        "resource": capture(CAPTURE, "COMPLETED", "20.00"),
    });
    let url = "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-360caa42";
    let mut headers = HeaderMap::new();
    for (name, value) in [
        (
            "paypal-transmission-id",
            "69cd13f0-d67a-11e5-baa3-778b53f4ae55",
        ),
        ("paypal-transmission-time", "2026-11-16T12:00:00Z"),
        ("paypal-transmission-sig", "c2lnbmF0dXJl"),
        ("paypal-cert-url", url),
        ("paypal-auth-algo", "SHA256withRSA"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    WebhookRequest::new(headers, event.to_string())
}
