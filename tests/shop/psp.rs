//! The way to the provider: a connection that loses requests and answers.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use counterfoil::capability::{Capabilities, Operation};
use counterfoil::capture::Change;
use counterfoil::clock::{Clock, ManualClock, Timestamp};
use counterfoil::id::{EventId, IdempotencyKey, PaymentId, ProviderName, Reference, RefundId};
use counterfoil::payment::Payment;
use counterfoil::refund::Refund;
use counterfoil::request::{
    CaptureMode, CaptureRequest, Checkout, CreateRequest, Cursor, Page, RefundRequest,
};
use counterfoil::webhook::{
    EventDraft, EventKind, Notice, WebhookRefusal, WebhookRefusalKind, WebhookRequest,
};
use counterfoil::{Effect, Error, ErrorKind, PaymentProvider, Result, Test};

use super::bank::{self, Answer, Bank, KEY_RETENTION_SECONDS, News, Write};
use super::faults::{Dice, pause};

/// How long after a lost connection a request can still arrive, in seconds.
const LATE_SECONDS: u32 = 600;

/// The provider and the line to it.
#[derive(Debug)]
pub struct Psp {
    bank: Mutex<Bank>,
    late: Mutex<Vec<(i64, Write, Option<String>)>>,
    clock: Arc<ManualClock>,
    dice: Arc<Dice>,
}

impl Psp {
    pub fn new(clock: Arc<ManualClock>, dice: Arc<Dice>) -> Arc<Self> {
        Arc::new(Self {
            bank: Mutex::default(),
            late: Mutex::default(),
            clock,
            dice,
        })
    }

    pub fn bank(&self) -> MutexGuard<'_, Bank> {
        self.bank.lock().unwrap()
    }

    pub fn now(&self) -> i64 {
        self.clock.now().unix()
    }

    /// Lets requests arrive whose senders have given up.
    pub fn deliver_late(&self) {
        let now = self.now();
        let (due, later) = {
            let mut late = self.late.lock().unwrap();
            late.drain(..).partition(|(at, ..)| *at <= now)
        };
        *self.late.lock().unwrap() = later;
        let due: Vec<(i64, Write, Option<String>)> = due;
        for (_, write, key) in due {
            // Nobody hears whether it was refused.
            let _ = self.bank().write(write, key.as_deref(), now);
        }
    }

    pub fn has_late(&self) -> bool {
        !self.late.lock().unwrap().is_empty()
    }
}

/// The adapter that a cashier holds.
#[derive(Debug)]
pub struct Line {
    psp: Arc<Psp>,
    name: ProviderName,
    capabilities: Capabilities,
}

impl Line {
    pub fn new(psp: Arc<Psp>) -> Self {
        let retention = Duration::from_secs(KEY_RETENTION_SECONDS.unsigned_abs());
        Self {
            psp,
            name: bank::name(),
            capabilities: Capabilities::new(&Operation::ALL)
                .without(Operation::Complete)
                .with_partial_capture()
                .with_voidable_checkouts()
                .with_partial_refunds()
                .with_idempotent_writes(retention),
        }
    }

    async fn write(&self, write: Write, key: &IdempotencyKey) -> Result<Answer> {
        let key = Some(key.as_str().to_owned());
        pause().await;
        let dice = &self.psp.dice;
        let now = self.psp.now();
        if dice.fault() {
            match dice.below(4) {
                0 => {
                    let slow = Error::new(ErrorKind::RateLimited { after: None }, "slow down");
                    return Err(slow);
                }
                1 => {
                    let at = now + i64::from(dice.below(LATE_SECONDS));
                    self.psp.late.lock().unwrap().push((at, write, key));
                }
                _ => {}
            }
            return Err(no_answer());
        }
        let answer = self.psp.bank().write(write, key.as_deref(), now);
        pause().await;
        if dice.fault() {
            return Err(no_answer());
        }
        answer
    }

    async fn read<T>(&self, read: impl FnOnce(&mut Bank) -> Result<T> + Send) -> Result<T> {
        pause().await;
        if self.psp.dice.fault() {
            return Err(Error::new(ErrorKind::Unavailable, "no answer"));
        }
        let mut bank = self.psp.bank();
        bank.expire(self.psp.now());
        read(&mut bank)
    }
}

fn no_answer() -> Error {
    Error::new(ErrorKind::Unavailable, "no answer").with_effect(Effect::Unknown)
}

#[async_trait]
impl PaymentProvider for Line {
    type Mode = Test;

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
    ) -> Result<Payment<Test>> {
        let write = Write::Create {
            reference: reference.clone(),
            amount: request.amount,
            manual: request.capture == CaptureMode::Manual,
            direct: matches!(request.checkout, Checkout::Direct { .. }),
        };
        payment(self.write(write, key).await?)
    }

    async fn fetch_payment(&self, id: &PaymentId<Test>) -> Result<Payment<Test>> {
        self.read(|bank| {
            let account = bank.payments.get(id.raw());
            let found = account.map(|account| as_of(self.psp.now(), &account.payment));
            found.ok_or_else(|| Error::new(ErrorKind::NotFound, "no such payment"))
        })
        .await
    }

    async fn find_payments(&self, reference: &Reference) -> Result<Vec<Payment<Test>>> {
        self.read(|bank| {
            let all = bank.payments.values().map(|account| &account.payment);
            let found = all.filter(|payment| payment.reference.as_ref() == Some(reference));
            Ok(found
                .map(|payment| as_of(self.psp.now(), payment))
                .collect())
        })
        .await
    }

    async fn capture(
        &self,
        request: &CaptureRequest<Test>,
        key: &IdempotencyKey,
    ) -> Result<Change<Test>> {
        let write = Write::Capture {
            payment: request.payment.raw().to_owned(),
            amount: request.amount.money(),
        };
        payment(self.write(write, key).await?).map(Change::from)
    }

    async fn void(&self, id: &PaymentId<Test>, key: &IdempotencyKey) -> Result<Change<Test>> {
        let write = Write::Void {
            payment: id.raw().to_owned(),
        };
        payment(self.write(write, key).await?).map(Change::from)
    }

    async fn refund(
        &self,
        request: &RefundRequest<Test>,
        key: &IdempotencyKey,
    ) -> Result<Refund<Test>> {
        let write = Write::Refund {
            payment: request.payment.raw().to_owned(),
            amount: request.amount.money(),
            command: Some(request.command.clone()),
        };
        match self.write(write, key).await? {
            Answer::Refund(refund) => Ok(refund),
            Answer::Payment(_) => Err(Error::new(ErrorKind::UnexpectedResponse, "not a refund")),
        }
    }

    async fn fetch_refund(&self, id: &RefundId<Test>) -> Result<Refund<Test>> {
        self.read(|bank| {
            let all = bank.payments.values().flat_map(|account| &account.refunds);
            let found = all.into_iter().find(|refund| refund.id == *id).cloned();
            found.ok_or_else(|| Error::new(ErrorKind::NotFound, "no such refund"))
        })
        .await
    }

    async fn list_refunds(
        &self,
        payment: &PaymentId<Test>,
        _: Option<&Cursor>,
    ) -> Result<Page<Refund<Test>>> {
        self.read(|bank| {
            let account = bank.payments.get(payment.raw());
            let items = account.map_or_else(Vec::new, |account| account.refunds.clone());
            Ok(Page::new(items, None))
        })
        .await
    }

    async fn verify_webhook(
        &self,
        request: &WebhookRequest,
        _: Timestamp,
    ) -> Result<Vec<Notice<Test>>, WebhookRefusal> {
        if request.headers().get("signature").is_none() {
            let kind = WebhookRefusalKind::MissingSignature;
            return Err(WebhookRefusal::new(kind, "no signature"));
        }
        let malformed = |_| WebhookRefusal::new(WebhookRefusalKind::Unreadable, "not a notice");
        let (id, is_payment, body): (String, bool, String) =
            serde_json::from_slice(request.body()).map_err(malformed)?;
        let kind = if is_payment {
            EventKind::Payment(serde_json::from_str(&body).map_err(malformed)?)
        } else {
            EventKind::Refund(serde_json::from_str(&body).map_err(malformed)?)
        };
        let id = EventId::new(self.name.clone(), &id).unwrap();
        let at = self.psp.clock.now();
        Ok(vec![Notice::Event(EventDraft::new(id, "news", at, kind))])
    }
}

/// A signed webhook with this news.
pub fn webhook(id: &str, news: &News) -> WebhookRequest {
    let body = match news {
        News::Payment(payment) => serde_json::to_string(payment),
        News::Refund(refund) => serde_json::to_string(refund),
    };
    let is_payment = matches!(news, News::Payment(_));
    let body = serde_json::to_vec(&(id, is_payment, body.unwrap())).unwrap();
    let mut headers = http::HeaderMap::new();
    headers.insert("signature", http::HeaderValue::from_static("genuine"));
    WebhookRequest::new(headers, body)
}

/// The payment as it stands at the time of asking.
fn as_of(now: i64, payment: &Payment<Test>) -> Payment<Test> {
    let mut payment = payment.clone();
    payment.as_of = Timestamp::from_unix(now);
    payment
}

fn payment(answer: Answer) -> Result<Payment<Test>> {
    match answer {
        Answer::Payment(payment) => Ok(payment),
        Answer::Refund(_) => Err(Error::new(ErrorKind::UnexpectedResponse, "not a payment")),
    }
}
