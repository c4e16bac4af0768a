//! A provider of your own, in one file: `cargo run --example custom_provider`.
//!
//! Tallypay is made up. It hosts a checkout page and sends signed webhooks; refunds are made by
//! hand in its dashboard. Four parts, top down: the provider, a fake of the service, the rig that
//! ties both to the conformance suite, and `main`, which plays every case.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use counterfoil::capability::{Capabilities, Operation};
use counterfoil::clock::{Clock, ManualClock, Timestamp};
use counterfoil::conformance::*;
use counterfoil::error::{Decline, DeclineReason, InputField};
use counterfoil::http::{Delivered, Transport, TransportError};
use counterfoil::id::{EventId, IdempotencyKey, Namespace, PaymentId, ProviderName, Reference};
use counterfoil::money::{Currency, Money};
use counterfoil::payment::{NextAction, Payment, PaymentStatus};
use counterfoil::request::{Checkout, CreateRequest};
use counterfoil::webhook::*;
use counterfoil::{Effect, Error, ErrorKind, PaymentProvider, Provider, Result, Secret};
use counterfoil::{Live, Mode, ModeKind, Test};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;

// 1. The provider: what you would write for a real service.

/// Tallypay in mode `M`.
#[derive(Debug)]
struct Tallypay<M: Mode> {
    name: ProviderName,
    capabilities: Capabilities,
    api_key: Secret,
    webhook_secret: Secret,
    transport: Arc<dyn Transport>,
    mode: PhantomData<M>,
}

/// A payment as Tallypay writes it: amounts are decimals, times are seconds, statuses are words.
#[derive(Deserialize)]
struct WirePayment {
    id: String,
    mode: ModeKind,
    status: String,
    amount: String,
    currency: String,
    reference: String,
    page: String,
    changed: i64,
}

/// A notice as Tallypay writes it.
#[derive(Deserialize)]
struct WireNotice {
    id: String,
    mode: ModeKind,
    topic: String,
    at: i64,
    data: Value,
}

impl<M: Mode> Tallypay<M> {
    const TOLERANCE: Duration = Duration::from_secs(300);

    fn new(api_key: Secret, webhook_secret: Secret, transport: Arc<dyn Transport>) -> Result<Self> {
        // The key shows its mode, so one of the other mode is refused here.
        if !api_key.expose().starts_with(&format!("tally_{}_", M::KIND)) {
            return Err(Error::new(
                ErrorKind::WrongMode,
                "the key is of the other mode",
            ));
        }
        let operations = [
            Operation::CreateHosted,
            Operation::FetchPayment,
            Operation::FindPayments,
            Operation::VerifyWebhook,
        ];
        let a_day = Duration::from_secs(24 * 60 * 60);
        Ok(Self {
            name: ProviderName::new("tallypay")?,
            capabilities: Capabilities::new(&operations).with_idempotent_writes(a_day),
            api_key,
            webhook_secret,
            transport,
            mode: PhantomData,
        })
    }

    /// Sends one request; one with a key writes, and its outcome is unknown until it is answered.
    async fn call<T: for<'de> Deserialize<'de>>(
        &self,
        path: &str,
        write: Option<(&IdempotencyKey, Value)>,
    ) -> Result<T> {
        let request = http::Request::builder()
            .uri(format!("https://api.tallypay.example/{path}"))
            .header("authorization", format!("Bearer {}", self.api_key.expose()));
        let (request, unanswered) = match write {
            None => (request.body(Bytes::new()), Effect::NotApplied),
            Some((key, body)) => {
                let request = request
                    .method("POST")
                    .header("idempotency-key", key.as_str());
                (request.body(Bytes::from(body.to_string())), Effect::Unknown)
            }
        };
        let request = request.map_err(unexpected)?;
        let answer = self.transport.send(request).await.map_err(|lost| {
            let effect = match lost.delivered {
                Delivered::No => Effect::NotApplied,
                Delivered::Perhaps => unanswered,
            };
            let error = Error::new(ErrorKind::Unavailable, "no answer came");
            error.with_effect(effect).with_source(lost)
        })?;
        let (kind, effect) = match answer.status().as_u16() {
            200 => return serde_json::from_slice(answer.body()).map_err(unexpected),
            401 => (ErrorKind::Credentials, Effect::NotApplied),
            404 => (ErrorKind::NotFound, Effect::NotApplied),
            409 => (ErrorKind::Conflict, Effect::NotApplied),
            429 => (ErrorKind::RateLimited { after: None }, Effect::NotApplied),
            400..500 => (ErrorKind::InvalidRequest, Effect::NotApplied),
            _ => (ErrorKind::Unavailable, unanswered),
        };
        Err(Error::new(kind, "Tallypay refused it").with_effect(effect))
    }

    fn payment(&self, wire: &WirePayment) -> Result<Payment<M>> {
        if wire.mode != M::KIND {
            return Err(Error::new(
                ErrorKind::WrongMode,
                "a payment of the other mode",
            ));
        }
        let id = PaymentId::new(self.name.clone(), &wire.id).map_err(unexpected)?;
        let currency = Currency::from_code(&wire.currency).map_err(unexpected)?;
        let amount = Money::parse_decimal(&wire.amount, currency).map_err(unexpected)?;
        let changed = Timestamp::from_unix(wire.changed);
        let mut payment = Payment::new(id, status(&wire.status), amount, changed);
        payment.reference = wire.reference.parse().ok();
        match payment.status {
            PaymentStatus::Captured => payment.captured = amount,
            PaymentStatus::Created => {
                let url = wire.page.clone();
                payment.next_action = Some(NextAction::Redirect { url });
            }
            _ => {}
        }
        Ok(payment)
    }
}

#[async_trait]
impl<M: Mode> PaymentProvider for Tallypay<M> {
    type Mode = M;

    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn create(
        &self,
        request: &CreateRequest,
        reference: &Reference,
        key: &IdempotencyKey,
    ) -> Result<Payment<M>> {
        let Checkout::Hosted { success_url, .. } = &request.checkout else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "Tallypay hosts its checkout",
            ));
        };
        let body = json!({
            "amount": request.amount.money().to_decimal(),
            "currency": request.amount.currency().code(),
            "reference": reference.to_string(),
            "return_to": success_url,
        });
        self.payment(&self.call("payments", Some((key, body))).await?)
    }

    async fn fetch_payment(&self, id: &PaymentId<M>) -> Result<Payment<M>> {
        // An id is made of letters, digits and `_-.:=+~`: it cannot leave its path.
        let path = format!("payments/{}", id.raw());
        self.payment(&self.call(&path, None).await?)
    }

    async fn find_payments(&self, reference: &Reference) -> Result<Vec<Payment<M>>> {
        let path = form_urlencoded::Serializer::new("payments?".to_owned())
            .append_pair("reference", &reference.to_string())
            .finish();
        let found: Vec<WirePayment> = self.call(&path, None).await?;
        found.iter().map(|wire| self.payment(wire)).collect()
    }

    async fn verify_webhook(
        &self,
        request: &WebhookRequest,
        now: Timestamp,
    ) -> Result<Vec<Notice<M>>, WebhookRefusal> {
        use WebhookRefusalKind as Kind;
        let headers = request.headers().get_all("tallypay-signature");
        let headers: Vec<_> = headers.iter().collect();
        let header = match headers.as_slice() {
            [] => {
                return Err(WebhookRefusal::new(
                    Kind::MissingSignature,
                    "no signature header",
                ));
            }
            [header] => header.to_str().unwrap_or_default(),
            _ => return Err(WebhookRefusal::new(Kind::MalformedSignature, "two of them")),
        };
        let malformed = || WebhookRefusal::new(Kind::MalformedSignature, "it is SECONDS,HEX");
        let (seconds, signature) = header.split_once(',').ok_or_else(malformed)?;
        let signature = hex::decode(signature).map_err(|_| malformed())?;
        let signed_at = Timestamp::from_unix(seconds.parse().map_err(|_| malformed())?);

        // `verify_slice` compares in constant time.
        let expected = mac(self.webhook_secret.expose(), seconds, request.body());
        expected.verify_slice(&signature).map_err(|_| {
            let hint = "this endpoint's secret did not make this signature of these bytes";
            WebhookRefusal::new(Kind::WrongSignature, hint)
        })?;
        if now.abs_diff(signed_at) > Self::TOLERANCE {
            let kind = if signed_at < now {
                Kind::Stale
            } else {
                Kind::Future
            };
            return Err(WebhookRefusal::new(
                kind,
                "signed over five minutes away from now",
            ));
        }

        let unreadable = |_| WebhookRefusal::new(Kind::Unreadable, "not a notice of Tallypay's");
        let notice: WireNotice = serde_json::from_slice(request.body())
            .map_err(unexpected)
            .map_err(unreadable)?;
        if notice.mode != M::KIND {
            let reason = SetAsideReason::WrongMode { found: notice.mode };
            let aside = SetAside::new(&notice.id, &notice.topic, reason);
            return Ok(vec![Notice::SetAside(aside)]);
        }
        let kind = match notice.topic.as_str() {
            "payment" => {
                let wire = WirePayment::deserialize(&notice.data).map_err(unexpected);
                let payment = wire
                    .and_then(|wire| self.payment(&wire))
                    .map_err(unreadable)?;
                EventKind::Payment(Box::new(payment))
            }
            "newsletter" => EventKind::NotAboutPayments,
            _ => EventKind::Unrecognized,
        };
        let id = EventId::new(self.name.clone(), &notice.id).map_err(unexpected);
        let at = Timestamp::from_unix(notice.at);
        let draft = EventDraft::new(id.map_err(unreadable)?, &notice.topic, at, kind);
        Ok(vec![Notice::Event(draft)])
    }
}

fn status(word: &str) -> PaymentStatus {
    let declined = |reason| PaymentStatus::Failed(Decline::new(reason).with_code(word));
    match word {
        "open" => PaymentStatus::Created,
        "paid" => PaymentStatus::Captured,
        "expired" => PaymentStatus::Expired,
        "no_funds" => declined(DeclineReason::InsufficientFunds),
        "bank_down" => declined(DeclineReason::TryLater),
        "wrong_cvc" => declined(DeclineReason::WrongInput(InputField::SecurityCode)),
        "card_expired" => declined(DeclineReason::WrongInput(InputField::Expiry)),
        "risk" => declined(DeclineReason::Fraud),
        "not_confirmed" => declined(DeclineReason::AuthenticationFailed),
        "refused" => declined(DeclineReason::Generic),
        // A word of tomorrow is neither success nor failure.
        other => PaymentStatus::Unrecognized(other.into()),
    }
}

/// HMAC-SHA256 over `SECONDS.BODY`; it takes a key of any length.
fn mac(secret: &str, seconds: &str, body: &[u8]) -> Hmac<Sha256> {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes());
    let mac = mac.expect("HMAC takes a key of any length");
    mac.chain_update(seconds)
        .chain_update(".")
        .chain_update(body)
}

/// An answer against the contract: what was asked for may have been done all the same.
fn unexpected(what: impl ToString) -> Error {
    Error::new(ErrorKind::UnexpectedResponse, what.to_string()).with_effect(Effect::Unknown)
}

// 2. The fake service: its own books, kept in its own words.

const API_KEY: &str = "tally_test_key_of_the_shop";
const ENDPOINT_SECRET: &str = "secret_of_the_endpoint";

#[derive(Debug)]
struct Service {
    clock: Arc<ManualClock>,
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    requests: usize,
    fault: Option<(Fault, usize)>,
    payments: Vec<Value>,
    /// What was asked and answered under each idempotency key.
    answers: HashMap<String, (Bytes, (u16, Value))>,
    notices: Vec<Value>,
}

#[async_trait]
impl Transport for Service {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let mut books = self.books();
        books.requests += 1;
        let fault = books.fault.take();
        let left = |(fault, left)| Some((fault, left - 1)).filter(|(_, left)| *left > 0);
        books.fault = fault.and_then(left);
        let fault = fault.map(|(fault, _)| fault);
        let is_ours = request.headers()["authorization"] == format!("Bearer {API_KEY}");
        let (status, body) = match fault {
            Some(Fault::LostBefore | Fault::ServerErrorBefore) => (500, Value::Null),
            Some(Fault::RateLimited) => (429, Value::Null),
            _ if !is_ours => (401, Value::Null),
            _ => books.answer_once(&request, self.clock.now().unix()),
        };
        let status = match fault {
            Some(Fault::LostBefore | Fault::LostAfter) => {
                let (delivered, cause) = (Delivered::Perhaps, "connection reset".into());
                return Err(TransportError { delivered, cause });
            }
            Some(Fault::ServerErrorAfter) => 500,
            _ => status,
        };
        let answer = http::Response::builder().status(status);
        Ok(answer.body(Bytes::from(body.to_string())).unwrap())
    }
}

impl Service {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap()
    }
}

impl Books {
    /// Under a key that it has seen, it answers the same again.
    fn answer_once(&mut self, request: &http::Request<Bytes>, now: i64) -> (u16, Value) {
        let Some(key) = request.headers().get("idempotency-key") else {
            return self.answer(request, now);
        };
        let key = key.to_str().unwrap().to_owned();
        match self.answers.get(&key) {
            Some((asked, answer)) if asked == request.body() => answer.clone(),
            Some(_) => (409, Value::Null),
            None => {
                let answer = self.answer(request, now);
                self.answers
                    .insert(key, (request.body().clone(), answer.clone()));
                answer
            }
        }
    }

    fn answer(&mut self, request: &http::Request<Bytes>, now: i64) -> (u16, Value) {
        let uri = request.uri();
        let path: Vec<&str> = uri.path().split('/').skip(1).collect();
        match (request.method().as_str(), path.as_slice()) {
            ("POST", ["payments"]) => {
                let mut payment: Value = serde_json::from_slice(request.body()).unwrap();
                let id = format!("pay_{}", self.payments.len() + 1);
                payment["page"] = format!("https://pay.tallypay.example/{id}").into();
                payment["id"] = id.into();
                payment["mode"] = "test".into();
                payment["status"] = "open".into();
                payment["changed"] = now.into();
                self.payments.push(payment.clone());
                (200, payment)
            }
            ("GET", ["payments"]) => {
                let query = uri.query().unwrap_or_default().as_bytes();
                let (_, reference) = form_urlencoded::parse(query).next().unwrap();
                (200, self.under(&reference).cloned().collect())
            }
            ("GET", ["payments", id]) => match self.payments.iter().find(|p| p["id"] == *id) {
                Some(payment) => (200, payment.clone()),
                None => (404, Value::Null),
            },
            _ => (404, Value::Null),
        }
    }

    fn under(&self, reference: &str) -> impl Iterator<Item = &Value> {
        self.payments
            .iter()
            .filter(move |p| p["reference"] == reference)
    }
}

// 3. The rig: what the conformance suite asks of the fake.

pub(crate) struct TallypayRig(Arc<Service>);

impl TallypayRig {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_unix(1_800_000_000)));
        let books = Mutex::default();
        Self(Arc::new(Service { clock, books }))
    }

    fn handle<M: Mode>(&self, api_key: &str, installation: &Namespace) -> Provider<M> {
        let provider = Tallypay::new(api_key.into(), ENDPOINT_SECRET.into(), self.0.clone());
        let handle = Provider::new(provider.unwrap(), installation.clone());
        handle.with_clock(self.0.clock.clone())
    }

    /// The payment comes to a status, and a notice of it is sent.
    fn comes_to(&self, payment: &Payment<Test>, status: &str) {
        let now = self.now().unix();
        let mut books = self.0.books();
        let is_it = |p: &&mut Value| p["id"] == payment.id.raw();
        let payment = books.payments.iter_mut().find(is_it).unwrap();
        payment["status"] = status.into();
        payment["changed"] = now.into();
        let notice = notice("payment", payment.clone(), now);
        books.notices.push(notice);
    }
}

fn notice(topic: &str, data: Value, at: i64) -> Value {
    let id = format!("evt_{at}_{topic}");
    json!({"id": id, "mode": "test", "topic": topic, "at": at, "data": data})
}

impl Rig for TallypayRig {
    fn provider(&self, installation: &Namespace) -> Provider<Test> {
        self.handle(API_KEY, installation)
    }

    fn live_provider(&self, installation: &Namespace) -> Provider<Live> {
        self.handle("tally_live_key_of_the_shop", installation)
    }

    fn provider_with_wrong_key(&self, installation: &Namespace) -> Provider<Test> {
        self.handle("tally_test_key_of_nobody", installation)
    }

    fn secrets(&self) -> Vec<String> {
        [API_KEY, ENDPOINT_SECRET, "key_of_nobody"]
            .map(String::from)
            .into()
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    fn requests(&self) -> usize {
        self.0.books().requests
    }

    fn books(&self, reference: &Reference) -> Vec<Booked> {
        let books = self.0.books();
        let booked = |payment: &Value| {
            let text = |field: &str| payment[field].as_str().unwrap().to_owned();
            let amount = text("amount");
            let nothing = amount.replace(|c: char| c.is_ascii_digit(), "0");
            let is_paid = payment["status"] == "paid";
            Booked {
                captured: if is_paid {
                    amount.clone()
                } else {
                    nothing.clone()
                },
                currency: text("currency"),
                refunded: nothing,
                amount,
            }
        };
        books.under(&reference.to_string()).map(booked).collect()
    }

    fn shopper(&self, payment: &Payment<Test>, shopper: Shopper) -> Result<(), Unable> {
        let status = match shopper {
            Shopper::Pays | Shopper::PassesChallenge => "paid",
            Shopper::FailsChallenge => "not_confirmed",
            Shopper::LeavesChallenge => "open",
            Shopper::IsDeclined(DeclineReason::InsufficientFunds) => "no_funds",
            Shopper::IsDeclined(DeclineReason::TryLater) => "bank_down",
            Shopper::IsDeclined(DeclineReason::Fraud) => "risk",
            Shopper::IsDeclined(DeclineReason::Generic) => "refused",
            Shopper::IsDeclined(DeclineReason::WrongInput(InputField::Expiry)) => "card_expired",
            Shopper::IsDeclined(DeclineReason::WrongInput(_)) => "wrong_cvc",
            _ => return Err(Unable),
        };
        self.comes_to(payment, status);
        Ok(())
    }

    fn happen(&self, happening: Happening<'_>) -> Result<(), Unable> {
        match happening {
            Happening::CheckoutExpires(payment) => self.comes_to(payment, "expired"),
            _ => return Err(Unable),
        }
        Ok(())
    }

    fn fault(&self, fault: Fault, requests: usize) -> Result<(), Unable> {
        self.0.books().fault = Some((fault, requests)).filter(|_| requests > 0);
        Ok(())
    }

    fn webhooks(&self) -> Vec<WebhookRequest> {
        let notices = std::mem::take(&mut self.0.books().notices);
        let sign = |notice: Value| {
            let body = notice.to_string();
            self.sign(body.as_bytes(), self.now(), SignedWith::TheEndpointsSecret)
        };
        notices.into_iter().flat_map(sign).collect()
    }

    fn sign(&self, body: &[u8], at: Timestamp, by: SignedWith) -> Result<WebhookRequest, Unable> {
        let secret = match by {
            SignedWith::TheEndpointsSecret => ENDPOINT_SECRET,
            SignedWith::AnotherSecret => "secret_of_a_forger",
            SignedWith::Nothing => {
                return Ok(WebhookRequest::new(Default::default(), body.to_vec()));
            }
        };
        let seconds = at.unix().to_string();
        let signature = hex::encode(mac(secret, &seconds, body).finalize().into_bytes());
        let request = http::Request::post("https://shop.example/webhooks")
            .header("tallypay-signature", format!("{seconds},{signature}"))
            .body(body.to_vec());
        Ok(request.unwrap().into())
    }

    fn unusual_notice(&self, unusual: UnusualNotice<'_>) -> Result<Vec<u8>, Unable> {
        let now = self.now().unix();
        let notice = match unusual {
            UnusualNotice::NotAboutPayments => notice("newsletter", Value::Null, now),
            UnusualNotice::UnknownType => notice("moon_phase", Value::Null, now),
            UnusualNotice::UnknownStatus(payment) => {
                self.comes_to(payment, "resting");
                self.0.books().notices.pop().unwrap()
            }
            _ => return Err(Unable),
        };
        Ok(notice.to_string().into())
    }
}

// 4. The proof.

fn main() -> ExitCode {
    let report = run_all(TallypayRig::new);
    println!("{report}");
    if report.is_good() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
