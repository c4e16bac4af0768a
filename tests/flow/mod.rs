//! A shop on the cashier over Stripe's simulator, in one process: the real provider, the real wire,
//! a clock that stands until it is moved.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "each test file uses its part, and a test fails by panicking"
)]

pub mod breaking;
#[path = "../rigs/layer.rs"]
pub mod layer;
pub mod quiet;
pub mod said;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use counterfoil::cashier::{Cashier, MemoryStore, OrderRecord, Standing};
use counterfoil::clock::{Clock, Timestamp};
use counterfoil::http::{ManualTimer, RetryPolicy, Transport, TransportError};
use counterfoil::id::{CommandId, Namespace, OrderId, PaymentId, ProviderName};
use counterfoil::money::{Currency, Money, PositiveMoney};
use counterfoil::providers::stripe::{Stripe, StripeConfig};
use counterfoil::request::{CaptureRequest, Checkout, CreateRequest, RefundRequest};
use counterfoil::simulator::stripe::StripeSimulator;
use counterfoil::simulator::{SimulatedProvider, SimulatorTransport};
use counterfoil::webhook::WebhookRequest;
use counterfoil::{Error, ErrorKind, Provider, Test};

pub const START: i64 = 1_795_000_000;
pub const DAY: u64 = 86_400;
pub const SECRET: &str = "whsec_flow";

/// The way to Stripe: it lets others go on while a request is under way, and counts the writes.
#[derive(Debug)]
struct Wire {
    inner: Arc<SimulatorTransport<StripeSimulator>>,
    writes: Arc<AtomicU32>,
}

#[async_trait]
impl Transport for Wire {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        if request.method() == http::Method::POST {
            self.writes.fetch_add(1, Ordering::SeqCst);
            // A write takes longer than the questions that others ask meanwhile.
            for _ in 0..32 {
                tokio::task::yield_now().await;
            }
        }
        tokio::task::yield_now().await;
        let answer = self.inner.send(request).await;
        tokio::task::yield_now().await;
        answer
    }
}

/// An account at Stripe and the way to it.
pub struct Account {
    pub stripe: Arc<Mutex<StripeSimulator>>,
    pub line: Arc<SimulatorTransport<StripeSimulator>>,
    pub writes: Arc<AtomicU32>,
}

impl Account {
    pub fn new() -> Self {
        let mut stripe = StripeSimulator::new(7, Timestamp::from_unix(START));
        stripe.subscribe("https://shop.example/webhooks", SECRET);
        let stripe = Arc::new(Mutex::new(stripe));
        let line = Arc::new(SimulatorTransport::new(Arc::clone(&stripe)));
        Self {
            stripe,
            line,
            writes: Arc::default(),
        }
    }

    /// The provider for this account, registered as `name`. It sends nothing twice by itself.
    pub fn provider(&self, name: &str) -> Provider<Test> {
        let config = StripeConfig::<Test>::new("sk_test_flow", SECRET)
            .unwrap()
            .with_name(ProviderName::new(name).unwrap())
            .with_transport(Arc::new(Wire {
                inner: Arc::clone(&self.line),
                writes: Arc::clone(&self.writes),
            }))
            .with_timer(Arc::new(ManualTimer::new()))
            .with_clock(Arc::clone(&self.line) as Arc<dyn Clock>)
            .with_retry_policy(RetryPolicy::never());
        let namespace = Namespace::new("shop").unwrap();
        Stripe::new(config).unwrap().into_provider(namespace)
    }

    pub fn lock(&self) -> MutexGuard<'_, StripeSimulator> {
        self.stripe.lock().unwrap()
    }

    pub fn wait(&self, seconds: u64) {
        self.lock().advance(Duration::from_secs(seconds));
    }

    pub fn webhooks(&self) -> Vec<WebhookRequest> {
        self.line.webhooks()
    }
}

/// A shop with one account.
pub struct Shop {
    pub account: Account,
    pub cashier: Cashier<Test>,
    pub store: Arc<MemoryStore>,
}

impl Shop {
    pub async fn open() -> Self {
        let account = Account::new();
        let store = Arc::new(MemoryStore::new());
        let provider = account.provider("stripe");
        let clock = Arc::clone(&account.line) as Arc<dyn Clock>;
        let cashier = Cashier::open(provider, Arc::clone(&store) as _)
            .await
            .unwrap()
            .with_clock(clock);
        Self {
            account,
            cashier,
            store,
        }
    }

    pub async fn checked_out(&self, name: &str, minor: i64) -> PaymentId<Test> {
        self.cashier.place(&order(name), eur(minor)).await.unwrap();
        self.cashier.check_out(&page(name, minor)).await.unwrap().id
    }

    pub async fn held(&self, name: &str, minor: i64) -> PaymentId<Test> {
        self.cashier.place(&order(name), eur(minor)).await.unwrap();
        let request = page(name, minor).with_manual_capture();
        let id = self.cashier.check_out(&request).await.unwrap().id;
        self.pay(&id).await;
        self.payment_of(name).await
    }

    pub async fn paid(&self, name: &str, minor: i64) -> PaymentId<Test> {
        let id = self.checked_out(name, minor).await;
        self.pay(&id).await;
        self.payment_of(name).await
    }

    pub async fn pay(&self, id: &PaymentId<Test>) {
        let paid = self.account.lock().shopper().pay(id.raw(), "pm_card_visa");
        paid.unwrap();
        self.deliver().await;
    }

    pub async fn deliver(&self) {
        for webhook in self.account.webhooks() {
            let received = self.cashier.receive(&webhook).await;
            assert!(received.error.is_none(), "{received:?}");
            assert_eq!(received.answer, 200);
        }
    }

    pub async fn record(&self, name: &str) -> OrderRecord<Test> {
        self.cashier.order(&order(name)).await.unwrap()
    }

    pub async fn standing(&self, name: &str) -> Standing {
        self.record(name).await.standing()
    }

    /// The payment of an order, by its own name.
    pub async fn payment_of(&self, name: &str) -> PaymentId<Test> {
        let record = self.record(name).await;
        record.payments[0].ledger.payment().unwrap().id.clone()
    }

    /// The kinds of the confirmations that are new, each acknowledged.
    pub async fn confirmed(&self) -> Vec<String> {
        let lease = Duration::from_secs(60);
        let mut kinds = Vec::new();
        for confirmation in self.cashier.confirmations(lease, 100).await.unwrap() {
            self.cashier.acknowledge(&confirmation).await.unwrap();
            kinds.push(confirmation.kind.to_string());
        }
        kinds.sort();
        kinds
    }
}

pub fn order(name: &str) -> OrderId {
    OrderId::new(name).unwrap()
}

pub fn eur(minor: i64) -> PositiveMoney {
    PositiveMoney::new(Money::new(minor, Currency::EUR)).unwrap()
}

pub fn page(name: &str, minor: i64) -> CreateRequest {
    let page = Checkout::hosted("https://shop.example/done", "https://shop.example/cart");
    CreateRequest::new(order(name), eur(minor), page)
}

pub fn capture(id: &PaymentId<Test>, minor: i64, command: &str) -> CaptureRequest<Test> {
    CaptureRequest::new(id.clone(), eur(minor), CommandId::new(command).unwrap())
}

pub fn refund(id: &PaymentId<Test>, minor: i64, command: &str) -> RefundRequest<Test> {
    RefundRequest::new(id.clone(), eur(minor), CommandId::new(command).unwrap())
}

pub fn kind_of(error: Error) -> ErrorKind {
    error.kind().clone()
}
