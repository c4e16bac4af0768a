//! A small provider whose abilities a test chooses: one that cannot be asked, one whose payments
//! must be completed, one whose signatures leave the body out.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use counterfoil::capability::{Capabilities, Operation};
use counterfoil::capture::{Capture, Change};
use counterfoil::cashier::{Cashier, MemoryStore, OrderRecord};
use counterfoil::clock::{Clock, ManualClock, Timestamp};
use counterfoil::dispute::Dispute;
use counterfoil::error::{Decline, DeclineReason};
use counterfoil::id::{DisputeId, EventId, IdempotencyKey, Namespace, PaymentId, ProviderName};
use counterfoil::id::{Reference, RefundId};
use counterfoil::payment::{Payment, PaymentStatus};
use counterfoil::refund::{Refund, RefundStatus};
use counterfoil::request::{
    CaptureRequest, CompleteRequest, CreateRequest, Cursor, Page, Period, RefundRequest,
};
use counterfoil::warning::Warning;
use counterfoil::webhook::{
    Authenticity, EventDraft, EventKind, Notice, SetAside, SetAsideReason, UnreadableEvent,
    WebhookRefusal, WebhookRefusalKind, WebhookRequest,
};
use counterfoil::{Effect, Error, ErrorKind, ModeKind, PaymentProvider, Provider, Result, Test};

/// What has happened at the provider, and what it was asked.
#[derive(Debug, Default)]
pub struct Books {
    pub payments: BTreeMap<String, Payment<Test>>,
    pub refunds: Vec<Refund<Test>>,
    pub disputes: Vec<Dispute<Test>>,
    /// Disputes that it lists and that nobody can read.
    pub unreadable: Vec<&'static str>,
    pub keys: Vec<String>,
    pub completions: u32,
    pub fetches: u32,
    /// How many of the next writes get no answer, after they are done or instead.
    pub unanswered: u32,
    pub unheard: u32,
    /// How many of the next questions about a payment get no answer.
    pub unasked: u32,
    /// How many of the next writes are refused for now, with nothing done.
    pub limited: u32,
    /// Whether completions are declined; whether every write is refused as invalid.
    pub declines: bool,
    pub refuses: bool,
    /// Whether a search finds what was not searched for, too.
    pub finds_all: bool,
    /// Whether a list goes round in a circle of two pages; how many pages were read of it.
    pub circles: bool,
    pub pages: u32,
    /// From when on the list was asked for the last time.
    pub listed_from: Option<Timestamp>,
    /// What an answer to a write says otherwise than it is.
    pub lie: Option<fn(&mut Payment<Test>)>,
}

impl Books {
    /// Notes the key of a write that may not arrive.
    fn arrive(&mut self, key: &IdempotencyKey) -> Result<()> {
        self.keys.push(key.as_str().to_owned());
        if self.refuses {
            return Err(Error::new(ErrorKind::InvalidRequest, "refused"));
        }
        if self.limited > 0 {
            self.limited -= 1;
            return Err(Error::new(
                ErrorKind::RateLimited { after: None },
                "slow down",
            ));
        }
        lose(&mut self.unheard)
    }
}

fn lose(left: &mut u32) -> Result<()> {
    if *left == 0 {
        return Ok(());
    }
    *left -= 1;
    Err(Error::new(ErrorKind::Unavailable, "no answer").with_effect(Effect::Unknown))
}

#[derive(Debug)]
pub struct Quiet {
    name: ProviderName,
    capabilities: Capabilities,
    books: Arc<Mutex<Books>>,
    clock: Arc<ManualClock>,
}

/// The test's hands on it.
#[derive(Clone)]
pub struct Hands {
    books: Arc<Mutex<Books>>,
    pub clock: Arc<ManualClock>,
}

impl Quiet {
    pub fn open(capabilities: Capabilities) -> (Provider<Test>, Hands) {
        let clock = Arc::new(ManualClock::new(Timestamp::from_unix(super::START)));
        let books = Arc::<Mutex<Books>>::default();
        let quiet = Self {
            name: ProviderName::new("quiet").unwrap(),
            capabilities,
            books: Arc::clone(&books),
            clock: Arc::clone(&clock),
        };
        let provider = Provider::new(quiet, Namespace::new("shop").unwrap());
        let provider = provider.with_clock(Arc::clone(&clock) as Arc<dyn Clock>);
        (provider, Hands { books, clock })
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap()
    }
}

impl Hands {
    pub fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap()
    }

    /// Changes the payment, as of now, and gives it.
    pub fn set(&self, raw: &str, status: PaymentStatus) -> Payment<Test> {
        let mut books = self.books();
        let payment = books.payments.get_mut(raw).unwrap();
        if status == PaymentStatus::Captured {
            payment.captured = payment.amount;
        }
        if status == PaymentStatus::Authorized {
            payment.capturable = payment.amount;
        }
        payment.status = status;
        payment.as_of = self.clock.now();
        payment.clone()
    }
}

/// A webhook that says this. `signature` is `body`, `header`, `foreign` or `forged`.
pub fn notice(id: &str, signature: &str, about: &About) -> WebhookRequest {
    let body = serde_json::to_vec(&(id, about)).unwrap();
    let mut headers = http::HeaderMap::new();
    headers.insert("signature", signature.parse().unwrap());
    WebhookRequest::new(headers, body)
}

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub enum About {
    Payment(Box<Payment<Test>>),
    Capture(Box<Capture<Test>>),
    Refund(Box<Refund<Test>>),
    Dispute(Box<Dispute<Test>>),
    Warning(Box<Warning<Test>>),
    Unreadable(Box<UnreadableEvent<Test>>),
    Nothing,
    SomethingNew,
}

pub fn dispute_id(raw: &str) -> DisputeId<Test> {
    DisputeId::new(ProviderName::new("quiet").unwrap(), raw).unwrap()
}

fn unknown() -> Error {
    Error::new(ErrorKind::NotFound, "there is no such thing")
}

#[async_trait]
impl PaymentProvider for Quiet {
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
        let mut books = self.books();
        books.arrive(key)?;
        let raw = format!("q{}", &key.as_str()[3..12]);
        if let Some(made) = books.payments.get(&raw) {
            return Ok(made.clone());
        }
        let id = PaymentId::new(self.name.clone(), &raw)?;
        let amount = request.amount.money();
        let mut payment = Payment::new(id, PaymentStatus::Created, amount, self.clock.now());
        payment.reference = Some(reference.clone());
        books.payments.insert(raw, payment.clone());
        lose(&mut books.unanswered)?;
        if let Some(lie) = books.lie {
            lie(&mut payment);
        }
        Ok(payment)
    }

    async fn complete(
        &self,
        request: &CompleteRequest<Test>,
        key: &IdempotencyKey,
    ) -> Result<Payment<Test>> {
        let mut books = self.books();
        books.arrive(key)?;
        if books.declines {
            let decline = Decline::new(DeclineReason::InsufficientFunds);
            return Err(Error::new(ErrorKind::Declined(decline), "declined"));
        }
        books.completions += 1;
        let payment = books.payments.get_mut(request.payment.raw());
        let payment = payment.ok_or_else(unknown)?;
        payment.status = PaymentStatus::Captured;
        payment.captured = payment.amount;
        let mut completed = payment.clone();
        lose(&mut books.unanswered)?;
        if let Some(lie) = books.lie {
            lie(&mut completed);
        }
        Ok(completed)
    }

    async fn void(&self, id: &PaymentId<Test>, key: &IdempotencyKey) -> Result<Change<Test>> {
        self.books().arrive(key)?;
        Ok(Change::Received {
            payment: id.clone(),
            request: key.as_str().into(),
        })
    }

    /// It only receives the request, and tells by a notice what came of it.
    async fn capture(
        &self,
        request: &CaptureRequest<Test>,
        key: &IdempotencyKey,
    ) -> Result<Change<Test>> {
        self.books().arrive(key)?;
        Ok(Change::Received {
            payment: request.payment.clone(),
            request: key.as_str().into(),
        })
    }

    async fn refund(
        &self,
        request: &RefundRequest<Test>,
        key: &IdempotencyKey,
    ) -> Result<Refund<Test>> {
        let mut books = self.books();
        books.arrive(key)?;
        let id = RefundId::new(self.name.clone(), &key.as_str()[3..12])?;
        let mut all = books.refunds.iter();
        let made = all.find(|refund| refund.id == id).cloned();
        let made = made.unwrap_or_else(|| {
            let amount = request.amount.money();
            let (payment, at) = (request.payment.clone(), self.clock.now());
            let refund = Refund::new(id, payment, RefundStatus::Pending, amount, at);
            books.refunds.push(refund.clone());
            refund
        });
        lose(&mut books.unanswered)?;
        Ok(made)
    }

    async fn fetch_payment(&self, id: &PaymentId<Test>) -> Result<Payment<Test>> {
        let mut books = self.books();
        books.fetches += 1;
        lose(&mut books.unasked)?;
        let payment = books.payments.get(id.raw()).cloned();
        payment.ok_or_else(unknown)
    }

    async fn find_payments(&self, reference: &Reference) -> Result<Vec<Payment<Test>>> {
        let books = self.books();
        let all = books.payments.values();
        let is_its = |payment: &&Payment<Test>| payment.reference.as_ref() == Some(reference);
        let its = all.filter(|payment| books.finds_all || is_its(payment));
        Ok(its.cloned().collect())
    }

    async fn fetch_refund(&self, id: &RefundId<Test>) -> Result<Refund<Test>> {
        let books = self.books();
        let found = books.refunds.iter().find(|refund| refund.id == *id);
        found.cloned().ok_or_else(unknown)
    }

    async fn list_refunds(
        &self,
        _: &PaymentId<Test>,
        _: Option<&Cursor>,
    ) -> Result<Page<Refund<Test>>> {
        let items = self.books().refunds.clone();
        Ok(Page::new(items, None))
    }

    async fn list_disputes(
        &self,
        period: &Period,
        after: Option<&Cursor>,
    ) -> Result<Page<Dispute<Test>>> {
        let mut books = self.books();
        books.pages += 1;
        books.listed_from = period.from;
        assert!(books.pages < 100, "the same pages are read again and again");
        let all = books.disputes.iter();
        let listed =
            all.filter(|dispute| period.from.is_none_or(|from| dispute.created_at >= from));
        let unreadable = books.unreadable.iter().map(|name| {
            let message = "it does not say of which payment";
            let error = Error::new(ErrorKind::UnexpectedResponse, message);
            (name.to_string(), Err(error))
        });
        // The list does not begin with what can be read.
        let listed = listed.map(|dispute| (dispute.id.to_string(), Ok(dispute.clone())));
        let each: Vec<_> = unreadable.chain(listed).collect();
        let other = match after {
            Some(Cursor(after)) if **after == *"a" => "b",
            _ => "a",
        };
        let next = books.circles.then(|| Cursor(other.into()));
        Page::of_each(each, next)
    }

    async fn verify_webhook(
        &self,
        request: &WebhookRequest,
        _: Timestamp,
    ) -> Result<Vec<Notice<Test>>, WebhookRefusal> {
        let signature = request.headers().get("signature");
        let signature = signature.and_then(|value| value.to_str().ok());
        let authenticity = match signature {
            Some("body" | "foreign") => Authenticity::Body,
            Some("header") => Authenticity::HeaderOnly,
            _ => {
                let kind = WebhookRefusalKind::WrongSignature;
                return Err(WebhookRefusal::new(kind, "forged"));
            }
        };
        let (id, about): (String, About) = serde_json::from_slice(request.body()).unwrap();
        if signature == Some("foreign") {
            let found = ModeKind::Live;
            let reason = SetAsideReason::WrongMode { found };
            return Ok(vec![Notice::SetAside(SetAside::new(&id, "paid", reason))]);
        }
        let kind = match about {
            About::Payment(payment) => EventKind::Payment(payment),
            About::Capture(capture) => EventKind::Capture(capture),
            About::Refund(refund) => EventKind::Refund(refund),
            About::Dispute(dispute) => EventKind::Dispute(dispute),
            About::Warning(warning) => EventKind::Warning(warning),
            About::Unreadable(unreadable) => EventKind::Unreadable(unreadable),
            About::Nothing => EventKind::NotAboutPayments,
            About::SomethingNew => EventKind::Unrecognized,
        };
        let id = EventId::new(self.name.clone(), &id).unwrap();
        let draft = EventDraft::new(id, "news", self.clock.now(), kind);
        Ok(vec![Notice::Event(draft.with_authenticity(authenticity))])
    }
}

/// All that a provider can do, but for these.
pub fn all_but(without: &[Operation]) -> Capabilities {
    let all = Operation::ALL.iter().copied();
    let rest: Vec<_> = all
        .filter(|operation| !without.contains(operation))
        .collect();
    Capabilities::new(&rest)
        .with_partial_capture()
        .with_multiple_captures()
        .with_partial_refunds()
        .with_idempotent_writes(Duration::from_secs(super::DAY))
}

/// A shop at such a provider, and its order A of 1000.
pub struct Shop {
    pub cashier: Cashier<Test>,
    pub hands: Hands,
    pub notices: AtomicU32,
}

impl Shop {
    /// One that learns from notices alone.
    pub async fn open() -> Self {
        Self::without(&[
            Operation::FetchPayment,
            Operation::FindPayments,
            Operation::ListRefunds,
            Operation::ListDisputes,
            Operation::Complete,
        ])
        .await
    }

    pub async fn without(operations: &[Operation]) -> Self {
        Self::able(all_but(operations)).await
    }

    pub async fn able(capabilities: Capabilities) -> Self {
        let (provider, hands) = Quiet::open(capabilities);
        let cashier = Cashier::open(provider, Arc::new(MemoryStore::new())).await;
        let clock = Arc::clone(&hands.clock) as Arc<dyn Clock>;
        let cashier = cashier.unwrap().with_clock(clock);
        cashier
            .place(&super::order("A"), super::eur(1000))
            .await
            .unwrap();
        Self {
            cashier,
            hands,
            notices: AtomicU32::new(0),
        }
    }

    pub async fn checked_out(&self, minor: i64) -> PaymentId<Test> {
        let begun = self.cashier.check_out(&super::page("A", minor)).await;
        begun.unwrap().id
    }

    /// Takes in a notice, a second after the last.
    pub async fn hear(&self, about: About) {
        self.hands.clock.advance(Duration::from_secs(1));
        let number = self.notices.fetch_add(1, Ordering::SeqCst) + 1;
        let notice = notice(&format!("e{number}"), "body", &about);
        let received = self.cashier.receive(&notice).await;
        assert!(received.error.is_none(), "{received:?}");
        assert_eq!(received.orders.len(), 1);
    }

    pub fn wait(&self, seconds: u64) {
        self.hands.clock.advance(Duration::from_secs(seconds));
    }

    pub async fn hear_of(&self, id: &PaymentId<Test>, status: PaymentStatus) {
        let payment = self.hands.set(id.raw(), status);
        self.hear(About::Payment(Box::new(payment))).await;
    }

    pub async fn record(&self) -> OrderRecord<Test> {
        self.cashier.order(&super::order("A")).await.unwrap()
    }

    pub async fn confirmed(&self) -> Vec<String> {
        let lease = Duration::from_secs(60);
        let mut kinds = Vec::new();
        for told in self.cashier.confirmations(lease, 100).await.unwrap() {
            self.cashier.acknowledge(&told).await.unwrap();
            kinds.push(told.kind.to_string());
        }
        kinds.sort();
        kinds
    }
}
