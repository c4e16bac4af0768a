//! A shop with an account at an Adyen that answers what it is told to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use counterfoil::clock::{ManualClock, Timestamp};
use counterfoil::http::{Delivered, ManualTimer, Transport, TransportError};
use counterfoil::id::{
    Attempt, CommandId, IdempotencyKey, Namespace, OrderId, PaymentId, Reference,
};
use counterfoil::money::{Money, PositiveMoney};
use counterfoil::providers::adyen::{Adyen, AdyenConfig, sign};
use counterfoil::request::{CaptureRequest, Checkout, CreateRequest, RefundRequest};
use counterfoil::webhook::{Delivery, Event, WebhookRefusal, WebhookRequest};
use counterfoil::{Provider, Secret, Test};
use http::{HeaderMap, Request, Response};
use serde_json::{Value, json};

pub(crate) const API_KEY: &str = "AQEyhmfxK4LJbBZEw0m";
pub(crate) const ACCOUNT: &str = "ShopECOM";
/// The key that Adyen's own libraries are tested with.
pub(crate) const HMAC_KEY: &str =
    "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";

/// Monday, 16 November 2026, noon.
pub(crate) const NOW: Timestamp = Timestamp::from_unix(1_794_830_400);

pub(crate) struct Shop {
    pub(crate) adyen: Adyen<Test>,
    pub(crate) provider: Provider<Test>,
    pub(crate) wire: Arc<Wire>,
}

impl Shop {
    pub(crate) fn open() -> Self {
        Self::open_as(|config| config)
    }

    pub(crate) fn open_as(configure: impl FnOnce(AdyenConfig<Test>) -> AdyenConfig<Test>) -> Self {
        let wire = Arc::new(Wire::default());
        let config = AdyenConfig::<Test>::new(API_KEY, ACCOUNT, HMAC_KEY).unwrap();
        let config = configure(config)
            .with_transport(wire.clone())
            .with_timer(Arc::new(ManualTimer::new()))
            .with_clock(Arc::new(ManualClock::new(NOW)))
            .with_seed(7);
        let adyen = Adyen::new(config).unwrap();
        let provider = adyen.clone().into_provider(Namespace::new("shop").unwrap());
        Self {
            adyen,
            provider,
            wire,
        }
    }

    pub(crate) fn id(&self, raw: &str) -> PaymentId<Test> {
        PaymentId::new(self.provider.name().clone(), raw).unwrap()
    }

    pub(crate) fn capture(&self, payment: &str, amount: &str) -> CaptureRequest<Test> {
        CaptureRequest::new(self.id(payment), money(amount), command("ship"))
    }

    pub(crate) fn refund(&self, payment: &str, amount: &str) -> RefundRequest<Test> {
        RefundRequest::new(self.id(payment), money(amount), command("goodwill"))
    }

    /// Receives a body that is signed with the shop's key.
    pub(crate) async fn receive(&self, body: &Value) -> Result<Delivery<Test>, WebhookRefusal> {
        let signed = sign(&Secret::new(HMAC_KEY), body.to_string().as_bytes());
        self.receive_bytes(signed).await
    }

    pub(crate) async fn receive_bytes(
        &self,
        body: Vec<u8>,
    ) -> Result<Delivery<Test>, WebhookRefusal> {
        let request = WebhookRequest::new(HeaderMap::new(), body);
        self.provider.webhook(&request).await
    }

    /// The one event that a notice is.
    pub(crate) async fn event(&self, item: Value) -> Event<Test> {
        let delivery = self.receive(&envelope([item])).await.unwrap();
        assert!(delivery.set_aside.is_empty(), "{:?}", delivery.set_aside);
        let [event] = <[_; 1]>::try_from(delivery.events).unwrap();
        event
    }
}

/// Answers in turn, and keeps what was asked.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    answers: Mutex<VecDeque<Option<Response<Bytes>>>>,
    requests: Mutex<Vec<Request<Bytes>>>,
}

impl Wire {
    pub(crate) fn answer(&self, status: u16, body: &Value) {
        self.answer_with(status, &[], body);
    }

    pub(crate) fn answer_with(&self, status: u16, headers: &[(&str, &str)], body: &Value) {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let response = response.body(body.to_string().into()).unwrap();
        self.answers.lock().unwrap().push_back(Some(response));
    }

    /// The next request gets no answer.
    pub(crate) fn lose(&self) {
        self.answers.lock().unwrap().push_back(None);
    }

    pub(crate) fn requests(&self) -> Vec<Request<Bytes>> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }

    /// The one request that was sent: method and path, key, and body.
    pub(crate) fn only_request(&self) -> (String, Option<String>, Value) {
        let [request] = <[_; 1]>::try_from(self.requests()).unwrap();
        assert_eq!(request.headers()["x-api-key"], API_KEY);
        let line = format!("{} {}", request.method(), request.uri());
        let key = request.headers().get("idempotency-key");
        let key = key.map(|key| key.to_str().unwrap().to_owned());
        let body = serde_json::from_slice(request.body()).unwrap_or_default();
        (line, key, body)
    }
}

#[async_trait]
impl Transport for Wire {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        self.requests.lock().unwrap().push(request);
        let answer = self.answers.lock().unwrap().pop_front();
        answer
            .expect("an answer was planned")
            .ok_or_else(|| TransportError {
                delivered: Delivered::Perhaps,
                cause: "the connection broke".into(),
            })
    }
}

pub(crate) fn money(text: &str) -> PositiveMoney {
    PositiveMoney::new(text.parse::<Money>().unwrap()).unwrap()
}

pub(crate) fn command(name: &str) -> CommandId {
    CommandId::new(name).unwrap()
}

pub(crate) fn hosted(order: &str, amount: &str) -> CreateRequest {
    let page = Checkout::hosted("https://shop.example/done", "https://shop.example/cart");
    CreateRequest::new(OrderId::new(order).unwrap(), money(amount), page)
}

pub(crate) fn reference(order: &str) -> Reference {
    Reference {
        namespace: Namespace::new("shop").unwrap(),
        order: OrderId::new(order).unwrap(),
        attempt: Attempt::FIRST,
    }
}

pub(crate) fn creation_key(order: &str) -> IdempotencyKey {
    IdempotencyKey::for_creation(&reference(order))
}

/// A notice of the payment `PAYMENT` of the order `A-1`, as Adyen's specification writes one.
pub(crate) fn notice(code: &str, is_success: bool, minor: i64) -> Value {
    json!({
        "additionalData": {"paymentMethodVariant": "visa"},
        "amount": {"currency": "EUR", "value": minor},
        "eventCode": code,
        "eventDate": "2026-11-16T13:00:00+01:00",
        "merchantAccountCode": ACCOUNT,
        "merchantReference": "shop:A-1:1",
        "paymentMethod": "visa",
        "pspReference": PAYMENT,
        "reason": "",
        "success": is_success.to_string(),
    })
}

/// A notice of a change of that payment.
pub(crate) fn change(code: &str, is_success: bool, minor: i64) -> Value {
    let mut notice = notice(code, is_success, minor);
    notice["originalReference"] = PAYMENT.into();
    notice["pspReference"] = CHANGE.into();
    notice
}

pub(crate) const PAYMENT: &str = "9913140798220028";
pub(crate) const CHANGE: &str = "QFQTPCQ8HXSKGK82";

pub(crate) fn envelope(items: impl IntoIterator<Item = Value>) -> Value {
    let items = items
        .into_iter()
        .map(|item| json!({"NotificationRequestItem": item}));
    json!({"live": "false", "notificationItems": items.collect::<Vec<_>>()})
}
