//! Every request that the Adyen provider sends, by Adyen's own specifications; and every example of
//! an answer or a notice in them, read by the provider.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use counterfoil::clock::{ManualClock, Timestamp};
use counterfoil::http::{ManualTimer, Transport, TransportError};
use counterfoil::id::{CommandId, IdempotencyKey, Namespace, OrderId, PaymentId};
use counterfoil::money::{Money, PositiveMoney};
use counterfoil::providers::adyen::{Adyen, AdyenConfig, SIGNATURE_HEADER, sign, sign_header};
use counterfoil::request::{
    CaptureRequest, Checkout, CreateRequest, DirectMethod, Presence, RefundRequest,
};
use counterfoil::webhook::{EventKind, WebhookRequest};
use counterfoil::{Provider, Secret, Test};
use counterfoil_contract::Contract;
use http::{HeaderMap, Request, Response};
use serde_json::{Value, json};

const ACCOUNT: &str = "YOUR_MERCHANT_ACCOUNT";
const HMAC_KEY: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";
const START: Timestamp = Timestamp::from_unix(1_795_000_000);

/// What the specification says wrongly: a part of the problem, and why it is none.
const FAULTS: &[(&str, &str)] = &[
    (
        "metadata.note",
        "the description of `metadata` has each pair under a name of its own, the schema does not",
    ),
    (
        "additionalData/manualCapture",
        "the schema of `additionalData` is a choice of many, and the checker looks into each",
    ),
];

/// What the provider must have sent for the check to be worth something.
const ENDPOINTS: &[&str] = &[
    "GET /me",
    "GET /merchants/{merchantId}",
    "GET /merchants/{merchantId}/webhooks",
    "GET /paymentLinks/{linkId}",
    "GET /sessions/{sessionId}",
    "PATCH /paymentLinks/{linkId}",
    "POST /merchants/{merchantId}/webhooks/{webhookId}/test",
    "POST /paymentLinks",
    "POST /payments",
    "POST /payments/details",
    "POST /payments/{paymentPspReference}/amountUpdates",
    "POST /payments/{paymentPspReference}/cancels",
    "POST /payments/{paymentPspReference}/captures",
    "POST /payments/{paymentPspReference}/refunds",
    "POST /payments/{paymentPspReference}/reversals",
    "POST /sessions",
];

/// Gives every request the same answer, and keeps it.
#[derive(Debug, Default)]
struct Wire {
    requests: Mutex<Vec<Request<Bytes>>>,
    answer: Mutex<(u16, Value)>,
}

impl Wire {
    fn answer(&self, status: u16, body: Value) {
        *self.answer.lock().unwrap() = (status, body);
    }
}

#[async_trait]
impl Transport for Wire {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        self.requests.lock().unwrap().push(request);
        let (status, body) = self.answer.lock().unwrap().clone();
        let response = Response::builder().status(status);
        Ok(response.body(body.to_string().into()).unwrap())
    }
}

struct Shop {
    adyen: Adyen<Test>,
    provider: Provider<Test>,
    wire: Arc<Wire>,
}

impl Shop {
    fn open() -> Self {
        let wire = Arc::new(Wire::default());
        let config = AdyenConfig::<Test>::new("AQEcontract", ACCOUNT, HMAC_KEY)
            .unwrap()
            .with_transport(wire.clone())
            .with_timer(Arc::new(ManualTimer::new()))
            .with_clock(Arc::new(ManualClock::new(START)));
        let adyen = Adyen::new(config).unwrap();
        let provider = adyen.clone().into_provider(Namespace::new("shop").unwrap());
        Self {
            adyen,
            provider,
            wire,
        }
    }

    fn id(&self, raw: &str) -> PaymentId<Test> {
        PaymentId::new(self.provider.name().clone(), raw).unwrap()
    }

    async fn send_everything(&self) {
        self.begin().await;
        self.change().await;
        self.manage().await;
    }

    async fn begin(&self) {
        let hour = std::time::Duration::from_secs(60 * 60);
        for (order, checkout) in [("A-1", hosted()), ("A-2", embedded())] {
            let request = order_of(order, checkout)
                .with_email("shopper@example.com")
                .with_metadata("note", "gift")
                .with_expiry(START.saturating_add(hour));
            let held = order_of(&format!("{order}-held"), request.checkout.clone());
            let described = order_of(&format!("{order}-told"), request.checkout.clone());
            for request in [
                request,
                held.with_manual_capture(),
                described.with_description("Two tickets"),
            ] {
                let _ = self.provider.create(&request).await;
            }
        }
        let state = json!({
            "paymentMethod": {"type": "scheme", "encryptedCardNumber": "test_4111111111111111"},
            "browserInfo": {
                "acceptHeader": "*/*", "colorDepth": 24, "language": "en", "javaEnabled": true,
                "screenHeight": 723, "screenWidth": 1536, "timeZoneOffset": 0,
                "userAgent": "Mozilla/5.0",
            },
            "origin": "https://shop.example",
        });
        let token = Checkout::token(state.to_string(), "https://shop.example/done");
        let paid = order_of("A-3", token.clone());
        let _ = self.provider.create(&paid).await;
        let held = order_of("A-4", token).with_manual_capture();
        let _ = self.provider.create(&held).await;
        for (order, presence) in [("A-5", Presence::OnSession), ("A-6", Presence::OffSession)] {
            let saved = Checkout::Direct {
                method: DirectMethod::Saved {
                    customer: "customer-1".into(),
                    method: "M5N7TQ4TG5PFWR50".into(),
                },
                presence,
                return_url: None,
            };
            let _ = self.provider.create(&order_of(order, saved)).await;
        }
        let reference = self.provider.reference(&paid);
        let key = IdempotencyKey::for_creation(&reference).for_step("details");
        for details in [
            r#"{"details":{"redirectResult":"X6XtfGC3!Y"}}"#,
            r#"{"details":{"threeDSResult":"eyJ0"},"paymentData":"Ab02b4c0!BQAB"}"#,
        ] {
            let details = Secret::new(details);
            let _ = self
                .adyen
                .submit_details(&paid, &reference, &details, &key)
                .await;
        }
        let session = self.id("CS451F2AB1ED897A94");
        let _ = self.adyen.session_status(&session, "X3XtfGC9").await;
    }

    async fn change(&self) {
        let payment = self.id("993617894903480A");
        let amount = money("20.00 EUR");
        let command = CommandId::new("ship").unwrap();
        let namespace = self.provider.namespace();
        let key = IdempotencyKey::for_command("reverse", namespace, &payment, "ship");
        let capture = CaptureRequest::new(payment.clone(), amount, command.clone());
        let _ = self.provider.capture(&capture).await;
        let refund = RefundRequest::new(payment.clone(), amount, command.clone());
        let _ = self.provider.refund(&refund).await;
        let _ = self.provider.void(&payment).await;
        let _ = self.adyen.reverse(&payment, &command, &key).await;
        let _ = self
            .adyen
            .update_amount(&payment, amount.money(), &command, &key)
            .await;
        self.wire
            .answer(422, json!({"status": 422, "errorCode": "29_001"}));
        let _ = self.provider.void(&self.id("PL61C53A8B97E6915A")).await;
    }

    async fn manage(&self) {
        let me = json!({"username": "ws_1@Company.Shop", "clientKey": "test_1", "active": true});
        self.wire.answer(200, me);
        let _ = self.provider.account().await;
        self.wire
            .answer(200, json!({"data": [], "itemsTotal": 0, "pagesTotal": 0}));
        let _ = self.adyen.webhooks().await;
        let _ = self.adyen.test_webhook("WH1", &["AUTHORISATION"]).await;
    }
}

#[tokio::test]
async fn every_request_is_what_the_specifications_say() {
    let Some(checkout) = Contract::load("adyen/checkout_v72.json") else {
        return;
    };
    let management = Contract::load("adyen/management_v3.json").unwrap();
    let shop = Shop::open();
    shop.wire.answer(200, json!({}));
    shop.send_everything().await;
    let requests = std::mem::take(&mut *shop.wire.requests.lock().unwrap());
    let (mut problems, mut seen) = (BTreeSet::new(), BTreeSet::new());
    for request in &requests {
        let method = request.method().as_str();
        let target = request.uri().path_and_query().unwrap().as_str();
        let (contract, target) = match target.strip_prefix("/v72") {
            Some(target) => (&checkout, target),
            None => (&management, target.strip_prefix("/v3").unwrap()),
        };
        let path = target.split('?').next().unwrap();
        let template = contract.template(method, path).unwrap_or(path);
        seen.insert(format!("{method} {template}"));
        let found = contract.check_request(method, target, request.body());
        let is_real = |problem: &String| !FAULTS.iter().any(|(fault, _)| problem.contains(fault));
        problems.extend(found.into_iter().filter(is_real));
        if method == "POST" && !path.ends_with("/test") {
            let key = request.headers()["idempotency-key"].to_str().unwrap();
            assert!((1..=64).contains(&key.len()), "{method} {path}");
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
    assert_eq!(
        seen.iter().map(String::as_str).collect::<Vec<_>>(),
        ENDPOINTS
    );
    println!("{} requests checked", requests.len());
}

#[tokio::test]
async fn every_example_of_an_answer_is_read() {
    let Some(spec) = spec("adyen/checkout_v72.json") else {
        return;
    };
    let mut read = 0;
    for (path, method) in [
        ("/paymentLinks", "post"),
        ("/sessions", "post"),
        ("/payments", "post"),
        ("/payments/details", "post"),
        ("/payments/{paymentPspReference}/captures", "post"),
        ("/payments/{paymentPspReference}/cancels", "post"),
        ("/payments/{paymentPspReference}/refunds", "post"),
        ("/payments/{paymentPspReference}/reversals", "post"),
        ("/payments/{paymentPspReference}/amountUpdates", "post"),
    ] {
        let responses = spec["paths"][path][method]["responses"]
            .as_object()
            .unwrap();
        for (status, response) in responses {
            let response = resolve(&spec, response);
            let examples = &response["content"]["application/json"]["examples"];
            for (name, example) in examples.as_object().into_iter().flatten() {
                let answer = resolve(&spec, example)["value"].clone();
                let shop = Shop::open();
                shop.wire.answer(status.parse().unwrap(), answer);
                for error in shop.ask(path).await {
                    // Amounts and references are the example's, and so not what was asked for.
                    let text = error.to_string();
                    assert!(
                        !text.contains("JSON, line"),
                        "{path} {status} {name}: {text}"
                    );
                }
                read += 1;
            }
        }
    }
    assert!(read >= 50, "only {read} examples");
}

#[tokio::test]
async fn every_example_of_a_notice_is_read() {
    let Some(spec) = spec("adyen/webhooks_v1.json") else {
        return;
    };
    let shop = Shop::open();
    let (mut read, mut unrecognized) = (0, BTreeSet::new());
    for (name, webhook) in spec["webhooks"].as_object().unwrap() {
        let content = &webhook["post"]["requestBody"]["content"]["application/json"];
        for (_, example) in content["examples"].as_object().into_iter().flatten() {
            let body = resolve(&spec, example)["value"].clone();
            let request = signed(body);
            let delivery = shop.provider.webhook(&request).await;
            let delivery = delivery.unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
            for event in delivery.events {
                read += 1;
                if matches!(event.kind(), EventKind::Unrecognized) {
                    unrecognized.insert(event.type_text().to_owned());
                }
            }
        }
    }
    assert_eq!(read, 39, "examples");
    // The disputes among them do not name their payment.
    let expected = [
        "CHARGEBACK_REVERSED",
        "ORDER_CLOSED",
        "PREARBITRATION_WON",
        "REFUND_WITH_DATA",
        "SECOND_CHARGEBACK",
        "VOID_PENDING_REFUND",
    ];
    assert_eq!(
        unrecognized.iter().map(String::as_str).collect::<Vec<_>>(),
        expected
    );
}

/// Signs each notice of the body, or else the whole of it in the header.
fn signed(mut body: Value) -> WebhookRequest {
    let key = Secret::new(HMAC_KEY);
    let mut headers = HeaderMap::new();
    match body["notificationItems"].as_array_mut() {
        Some(wrappers) => {
            for wrapper in wrappers {
                wrapper["NotificationRequestItem"]["merchantAccountCode"] = ACCOUNT.into();
            }
            let signed = sign(&key, body.to_string().as_bytes());
            WebhookRequest::new(headers, signed)
        }
        None => {
            let body = body.to_string();
            let signature = sign_header(&key, body.as_bytes());
            headers.insert(SIGNATURE_HEADER, signature.parse().unwrap());
            WebhookRequest::new(headers, body)
        }
    }
}

impl Shop {
    /// Asks for what the answer at `path` is to, and gives what was wrong with it.
    async fn ask(&self, path: &str) -> Vec<counterfoil::Error> {
        let payment = self.id("993617894903480A");
        let command = CommandId::new("ship").unwrap();
        let amount = money("20.00 EUR");
        let token = r#"{"type":"scheme","encryptedCardNumber":"test_4111111111111111"}"#;
        let token = Checkout::token(token, "https://shop.example/done");
        let paid = order_of("A-1", token);
        let reference = self.provider.reference(&paid);
        let key = IdempotencyKey::for_creation(&reference);
        let asked = match path.rsplit('/').next().unwrap() {
            "paymentLinks" => self
                .provider
                .create(&order_of("A-1", hosted()))
                .await
                .map(drop),
            "sessions" => self
                .provider
                .create(&order_of("A-1", embedded()))
                .await
                .map(drop),
            "payments" => self.provider.create(&paid).await.map(drop),
            "details" => {
                let details = Secret::new(r#"{"details":{"redirectResult":"X"}}"#);
                let details = self.adyen.submit_details(&paid, &reference, &details, &key);
                details.await.map(drop)
            }
            "captures" => {
                let request = CaptureRequest::new(payment, amount, command);
                self.provider.capture(&request).await.map(drop)
            }
            "cancels" => self.provider.void(&payment).await.map(drop),
            "refunds" => {
                let request = RefundRequest::new(payment, amount, command);
                self.provider.refund(&request).await.map(drop)
            }
            "reversals" => self.adyen.reverse(&payment, &command, &key).await.map(drop),
            _ => {
                let amount = amount.money();
                let update = self.adyen.update_amount(&payment, amount, &command, &key);
                update.await.map(drop)
            }
        };
        asked.err().into_iter().collect()
    }
}

fn spec(file: &str) -> Option<Value> {
    Contract::load(file)?;
    let shared = PathBuf::from(std::env::var_os("COUNTERFOIL_SHARED")?);
    let text = std::fs::read(shared.join("specs").join(file)).unwrap();
    Some(serde_json::from_slice(&text).unwrap())
}

fn resolve<'s>(spec: &'s Value, value: &'s Value) -> &'s Value {
    match value["$ref"].as_str() {
        Some(reference) => {
            let pointer = reference.trim_start_matches('#');
            resolve(spec, spec.pointer(pointer).unwrap())
        }
        None => value,
    }
}

fn hosted() -> Checkout {
    Checkout::hosted("https://shop.example/done", "https://shop.example/cart")
}

fn embedded() -> Checkout {
    Checkout::embedded("https://shop.example/done")
}

fn order_of(order: &str, checkout: Checkout) -> CreateRequest {
    CreateRequest::new(OrderId::new(order).unwrap(), money("20.00 EUR"), checkout)
}

fn money(text: &str) -> PositiveMoney {
    PositiveMoney::new(text.parse::<Money>().unwrap()).unwrap()
}
