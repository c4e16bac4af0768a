//! A provider of your own, in one file: `cargo run --example custom_provider`.
//!
//! Tallypay is made up. It hosts a checkout page and sends signed webhooks; refunds are made by
//! hand in its dashboard. Four parts, top down: the provider, a fake of the service, the rig that
//! ties both to the conformance suite, and `main`, which plays every case.

// The fake and its rig are a test: they may panic. The provider above them may not.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::marker::PhantomData;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use ::http::{HeaderName, Method, Request, Response};
use async_trait::async_trait;
use bytes::Bytes;
use counterfoil::capability::{Capabilities, Operation};
use counterfoil::clock::{ManualClock, Timestamp};
use counterfoil::conformance::*;
use counterfoil::error::{Decline, DeclineReason, InputField};
use counterfoil::http::*;
use counterfoil::id::{EventId, IdempotencyKey, Namespace, PaymentId, ProviderName, Reference};
use counterfoil::money::{Currency, Money};
use counterfoil::payment::{NextAction, Payment, PaymentStatus};
use counterfoil::request::{Checkout, CreateRequest};
use counterfoil::webhook::*;
use counterfoil::*;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sha2::Sha256;

// 1. The provider: what you would write for a real service.

const SIGNATURE: &str = "tallypay-signature";
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Tallypay in mode `M`.
#[derive(Debug)]
pub(crate) struct Tallypay<M: Mode> {
    name: ProviderName,
    capabilities: Capabilities,
    client: ApiClient,
    webhook_secret: Secret,
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

    fn new(
        api_key: Secret,
        webhook_secret: Secret,
        transport: Arc<dyn Transport>,
        timer: Arc<dyn Timer>,
    ) -> Result<Self> {
        // The key shows its mode, so one of the other mode is refused here.
        if !api_key.expose().starts_with(&format!("tally_{}_", M::KIND)) {
            return Err(wrong_mode());
        }
        let name = ProviderName::new("tallypay")?;
        let base = BaseUrl::<M>::https("https://api.tallypay.example")?;
        let authorization = Authorization::bearer(&api_key)?;
        let operations = [
            Operation::CreateHosted,
            Operation::FetchPayment,
            Operation::FindPayments,
            Operation::VerifyWebhook,
        ];
        let a_day = Duration::from_secs(24 * 60 * 60);
        Ok(Self {
            client: ApiClient::new(name.clone(), &base, authorization, transport, timer),
            name,
            capabilities: Capabilities::new(&operations).with_idempotent_writes(a_day),
            webhook_secret,
            mode: PhantomData,
        })
    }

    /// Sends a request, again where that is safe, and reads the answer.
    async fn call<T: DeserializeOwned>(&self, request: ApiRequest) -> Result<T> {
        let answer = self.client.send(request).await?;
        if answer.status().is_success() {
            answer.json()
        } else {
            Err(answer.refusal())
        }
    }

    fn payment(&self, wire: &WirePayment) -> Result<Payment<M>> {
        if wire.mode != M::KIND {
            return Err(wrong_mode());
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
            return Err(unexpected(
                "the capabilities say that Tallypay hosts its checkout",
            ));
        };
        let body = json!({
            "amount": request.amount.money().to_decimal(),
            "currency": request.amount.currency().code(),
            "reference": reference.to_string(),
            "return_to": success_url,
        });
        let request = ApiRequest::post(Operation::CreateHosted, &["payments"])
            .keyed(IDEMPOTENCY_KEY, key)
            .json(body.to_string());
        self.payment(&self.call(request).await?)
    }

    async fn fetch_payment(&self, id: &PaymentId<M>) -> Result<Payment<M>> {
        let request = ApiRequest::get(Operation::FetchPayment, &["payments", id.raw()]);
        self.payment(&self.call(request).await?)
    }

    async fn find_payments(&self, reference: &Reference) -> Result<Vec<Payment<M>>> {
        let request = ApiRequest::get(Operation::FindPayments, &["payments"])
            .query("reference", &reference.to_string());
        let found: Vec<WirePayment> = self.call(request).await?;
        found.iter().map(|wire| self.payment(wire)).collect()
    }

    async fn verify_webhook(
        &self,
        request: &WebhookRequest,
        now: Timestamp,
    ) -> Result<Vec<Notice<M>>, WebhookRefusal> {
        use WebhookRefusalKind as Kind;
        let refused = |kind| WebhookRefusal::new(kind, "see Tallypay's guide to its webhooks");
        let headers: Vec<_> = request.headers().get_all(SIGNATURE).iter().collect();
        let header = match headers.as_slice() {
            [] => return Err(refused(Kind::MissingSignature)),
            [header] => header.to_str().unwrap_or_default(),
            _ => return Err(refused(Kind::MalformedSignature)),
        };
        let malformed = || refused(Kind::MalformedSignature);
        let (seconds, signature) = header.split_once(',').ok_or_else(malformed)?;
        let signature = hex::decode(signature).map_err(|_| malformed())?;
        let signed_at = Timestamp::from_unix(seconds.parse().map_err(|_| malformed())?);

        // HMAC-SHA256 over `SECONDS.BODY`, compared in constant time.
        let secret = self.webhook_secret.expose().as_bytes();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).map_err(|_| malformed())?;
        mac.update(seconds.as_bytes());
        mac.update(b".");
        mac.update(request.body());
        let verified = mac.verify_slice(&signature);
        verified.map_err(|_| refused(Kind::WrongSignature))?;
        if now.abs_diff(signed_at) > Self::TOLERANCE {
            let is_old = signed_at < now;
            return Err(refused(if is_old { Kind::Stale } else { Kind::Future }));
        }

        let read = || -> Result<Notice<M>> {
            let notice: WireNotice = serde_json::from_slice(request.body()).map_err(unexpected)?;
            if notice.mode != M::KIND {
                let reason = SetAsideReason::WrongMode { found: notice.mode };
                let aside = SetAside::new(&notice.id, &notice.topic, reason);
                return Ok(Notice::SetAside(aside));
            }
            let kind = match notice.topic.as_str() {
                "payment" => {
                    let wire = WirePayment::deserialize(notice.data).map_err(unexpected)?;
                    EventKind::Payment(Box::new(self.payment(&wire)?))
                }
                "newsletter" => EventKind::NotAboutPayments,
                _ => EventKind::Unrecognized,
            };
            let id = EventId::new(self.name.clone(), &notice.id)?;
            let at = Timestamp::from_unix(notice.at);
            Ok(Notice::Event(EventDraft::new(id, &notice.topic, at, kind)))
        };
        let notice = read().map_err(|_| refused(Kind::Unreadable))?;
        Ok(vec![notice])
    }
}

fn status(word: &str) -> PaymentStatus {
    let declined = |reason| PaymentStatus::Failed(Decline::new(reason).with_code(word));
    match word {
        "open" => PaymentStatus::Created,
        "pending" => PaymentStatus::Pending,
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

fn wrong_mode() -> Error {
    Error::new(ErrorKind::WrongMode, "it is of the other mode")
}

/// An answer against the contract: what was asked for may have been done all the same.
fn unexpected(what: impl ToString) -> Error {
    Error::new(ErrorKind::UnexpectedResponse, what.to_string()).with_effect(Effect::Unknown)
}

// 2. The fake service: its own books, kept in its own words.

const NOW: i64 = 1_800_000_000;
pub(crate) const API_KEY: &str = "tally_test_key_of_the_shop";
const ENDPOINT_SECRET: &str = "secret_of_the_endpoint";

#[derive(Debug, Default)]
struct Service(Mutex<Books>);

#[derive(Debug, Default)]
struct Books {
    requests: usize,
    fault: Option<(Fault, Strikes, usize)>,
    payments: Vec<Value>,
    notices: Vec<Value>,
}

#[async_trait]
impl Transport for Service {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let mut books = self.0.lock().unwrap();
        books.requests += 1;
        let is_write = request.method() == Method::POST;
        let fault = match &mut books.fault {
            Some((fault, on, left)) if (*on == Strikes::Writes) == is_write && *left > 0 => {
                *left -= 1;
                Some(*fault)
            }
            _ => None,
        };
        let (status, body) = match fault {
            Some(Fault::LostBefore | Fault::ServerErrorBefore) => (500, Value::Null),
            Some(Fault::RateLimited) => (429, Value::Null),
            _ => books.answer(&request),
        };
        let status = match fault {
            Some(Fault::LostBefore | Fault::LostAfter) => {
                let (delivered, cause) = (Delivered::Perhaps, "connection reset".into());
                return Err(TransportError { delivered, cause });
            }
            Some(Fault::ServerErrorAfter) => 500,
            _ => status,
        };
        let answer = Response::builder().status(status);
        Ok(answer.body(body.to_string().into()).unwrap())
    }
}

impl Books {
    fn answer(&mut self, request: &Request<Bytes>) -> (u16, Value) {
        let uri = request.uri();
        let path: Vec<&str> = uri.path().split('/').skip(1).collect();
        match (request.method().as_str(), path.as_slice()) {
            _ if request.headers()["authorization"] != format!("Bearer {API_KEY}") => {
                (401, Value::Null)
            }
            ("POST", ["payments"]) => {
                let asked: Value = serde_json::from_slice(request.body()).unwrap();
                let key = request.headers()[IDEMPOTENCY_KEY].to_str().unwrap();
                // Under a key that it knows it answers the same again, or refuses another wish.
                if let Some(made) = self.payments.iter().find(|made| made["key"] == key) {
                    let is_other = made["asked"] != asked;
                    return (if is_other { 409 } else { 200 }, made.clone());
                }
                let id = format!("pay_{}", self.payments.len() + 1);
                let page = format!("https://pay.tallypay.example/{id}");
                let payment = json!({
                    "id": id, "mode": "test", "status": "open", "changed": NOW, "page": page,
                    "amount": asked["amount"], "currency": asked["currency"],
                    "reference": asked["reference"], "key": key, "asked": asked,
                });
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

    /// The payment comes to a status, and a notice of it is sent.
    fn comes_to(&mut self, id: &str, status: &str) {
        let payment = self.payments.iter_mut().find(|p| p["id"] == id).unwrap();
        payment["status"] = status.into();
        self.notices.push(notice("payment", payment.clone()));
    }
}

fn notice(topic: &str, data: Value) -> Value {
    let id = format!("{topic}-{}-{}", data["id"], data["status"]).replace('"', "");
    json!({"id": id, "mode": "test", "topic": topic, "at": NOW, "data": data})
}

// 3. The rig: what the conformance suite asks of the fake.

#[derive(Default)]
pub(crate) struct TallypayRig(Arc<Service>);

impl TallypayRig {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.0.lock().unwrap()
    }

    pub(crate) fn tallypay<M: Mode>(&self, api_key: &str) -> Tallypay<M> {
        let (service, timer) = (self.0.clone(), Arc::new(ManualTimer::new()));
        Tallypay::new(api_key.into(), ENDPOINT_SECRET.into(), service, timer).unwrap()
    }

    fn handle<M: Mode>(&self, api_key: &str, installation: &Namespace) -> Provider<M> {
        let clock = ManualClock::new(self.now());
        Provider::new(self.tallypay(api_key), installation.clone()).with_clock(Arc::new(clock))
    }
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
        vec![
            API_KEY.into(),
            ENDPOINT_SECRET.into(),
            "key_of_nobody".into(),
        ]
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_unix(NOW)
    }

    fn requests(&self) -> usize {
        self.books().requests
    }

    fn books(&self, reference: &Reference) -> Vec<Booked> {
        let booked = |payment: &Value| {
            let text = |field: &str| payment[field].as_str().unwrap().to_owned();
            let nothing = text("amount").replace(|c: char| c.is_ascii_digit(), "0");
            let (amount, refunded) = (text("amount"), nothing.clone());
            let captured = if payment["status"] == "paid" {
                amount.clone()
            } else {
                nothing
            };
            Booked {
                currency: text("currency"),
                amount,
                captured,
                refunded,
            }
        };
        let books = self.books();
        books.under(&reference.to_string()).map(booked).collect()
    }

    fn shopper(&self, payment: &Payment<Test>, shopper: Shopper) -> Result<(), Unable> {
        use DeclineReason as Reason;
        let status = match shopper {
            Shopper::Pays | Shopper::PassesChallenge => "paid",
            Shopper::FailsChallenge => "not_confirmed",
            Shopper::LeavesChallenge => "open",
            Shopper::PaysSlowly | Shopper::PaysSlowlyInVain => "pending",
            Shopper::IsDeclined(Reason::InsufficientFunds) => "no_funds",
            Shopper::IsDeclined(Reason::TryLater) => "bank_down",
            Shopper::IsDeclined(Reason::Fraud) => "risk",
            Shopper::IsDeclined(Reason::Generic) => "refused",
            Shopper::IsDeclined(Reason::WrongInput(InputField::Expiry)) => "card_expired",
            Shopper::IsDeclined(Reason::WrongInput(InputField::SecurityCode)) => "wrong_cvc",
            _ => return Err(Unable),
        };
        self.books().comes_to(payment.id.raw(), status);
        Ok(())
    }

    fn happen(&self, happening: Happening<'_>) -> Result<(), Unable> {
        let (payment, status) = match happening {
            Happening::CheckoutExpires(payment) => (payment, "expired"),
            Happening::SlowPaymentSucceeds(payment) => (payment, "paid"),
            Happening::SlowPaymentFails(payment) => (payment, "refused"),
            _ => return Err(Unable),
        };
        self.books().comes_to(payment.id.raw(), status);
        Ok(())
    }

    fn fault(&self, fault: Fault, on: Strikes, requests: usize) -> Result<(), Unable> {
        self.books().fault = Some((fault, on, requests));
        Ok(())
    }

    fn webhooks(&self) -> Vec<WebhookRequest> {
        let sent = std::mem::take(&mut self.books().notices);
        let ours = SignedWith::TheEndpointsSecret;
        let signed = |body: Value| self.sign(body.to_string().as_bytes(), self.now(), ours);
        sent.into_iter().flat_map(signed).collect()
    }

    fn sign(&self, body: &[u8], at: Timestamp, by: SignedWith) -> Result<WebhookRequest, Unable> {
        let secret = match by {
            SignedWith::TheEndpointsSecret => ENDPOINT_SECRET,
            SignedWith::AnotherSecret => "secret_of_a_forger",
            SignedWith::Nothing => return Ok(Request::new(body.to_vec()).into()),
        };
        let seconds = at.unix().to_string();
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        let mac = mac.chain_update(format!("{seconds}.")).chain_update(body);
        let signature = hex::encode(mac.finalize().into_bytes());
        let request = Request::builder().header(SIGNATURE, format!("{seconds},{signature}"));
        Ok(request.body(body.to_vec()).unwrap().into())
    }

    fn unusual_notice(&self, unusual: UnusualNotice<'_>) -> Result<Vec<u8>, Unable> {
        let mut books = self.books();
        let notice = match unusual {
            UnusualNotice::NotAboutPayments => notice("newsletter", Value::Null),
            UnusualNotice::UnknownType => notice("moon_phase", Value::Null),
            UnusualNotice::UnknownStatus(payment) => {
                books.comes_to(payment.id.raw(), "resting");
                books.notices.pop().unwrap()
            }
            _ => return Err(Unable),
        };
        Ok(notice.to_string().into())
    }
}

// 4. The proof.

fn main() -> ExitCode {
    let report = run_all(TallypayRig::default);
    println!("{report}");
    report.exit_code()
}
