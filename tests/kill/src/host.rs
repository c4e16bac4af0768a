//! The application as a process: it sells, and may be killed at any moment.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use bytes::Bytes;
use counterfoil::cashier::{
    Cashier, CommandState, Confirmation, ConfirmationKind, PostgresStore, SqliteStore, Store,
};
use counterfoil::clock::Clock;
use counterfoil::http::{
    ManualTimer, ReqwestTransport, Transport, TransportError, TransportOptions,
};
use counterfoil::id::{CommandId, OrderId};
use counterfoil::money::{Currency, Money, PositiveMoney};
use counterfoil::payment::{NextAction, Payment};
use counterfoil::providers::adyen::{Adyen, AdyenConfig};
use counterfoil::providers::paypal::{PayPal, PayPalConfig};
use counterfoil::providers::stripe::{Stripe, StripeConfig};
use counterfoil::registry::Settings;
use counterfoil::request::{Checkout, CreateRequest, RefundRequest};
use counterfoil::webhook::WebhookRequest;
use counterfoil::{Error, ModeKind, Provider, Result, Test};
use http::{HeaderValue, Request, Response};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::Defect;
use crate::clock::FileClock;
use crate::control::{Control, Say};
use crate::plan::{self, Plan};

/// How many orders are worked on at a time.
const WORKERS: usize = 4;
/// How much time passes with each turn of a host that lives, in seconds: some hundred times as fast
/// as the machine's.
const TURN_SECONDS: u64 = 4;
const TURN: Duration = Duration::from_millis(8);
const LEASE: Duration = Duration::from_secs(60);

/// How the host is started.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Config {
    pub provider: String,
    pub settings: Vec<(String, String)>,
    /// The path of a file, or the URL of a PostgreSQL.
    pub database: String,
    pub clock: PathBuf,
    /// The folder of what was acted on.
    pub record: PathBuf,
    pub control: SocketAddr,
    /// Where webhooks arrive, if they do at this host.
    pub port: Option<u16>,
    pub seed: u64,
    pub orders: usize,
    pub defect: Option<Defect>,
}

/// What it says, a line each.
pub const READY: &str = "ready";
pub const FINISHED: &str = "finished";

/// Runs until it is killed.
///
/// # Panics
/// If it cannot be started.
pub fn run(config: &str) {
    let config: Config = serde_json::from_str(config).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        if let Err(error) = sell(config).await {
            // The suite starts it again, as a supervisor does.
            eprintln!("the host ends: {error}");
            std::process::exit(1);
        }
    });
}

#[derive(Clone)]
struct Host {
    cashier: Cashier<Test>,
    config: Arc<Config>,
    customer: Arc<Mutex<Control>>,
    done: Arc<Mutex<BTreeSet<usize>>>,
}

async fn sell(config: Config) -> Result<()> {
    let clock = Arc::new(FileClock(config.clock.clone()));
    let provider = provider(&config, &clock)?;
    let store: Arc<dyn Store> = match config.database.starts_with("postgres:") {
        true => Arc::new(PostgresStore::connect(config.database.as_str()).await?),
        false => Arc::new(SqliteStore::connect(&config.database).await?),
    };
    let cashier = Cashier::open(provider, store).await?.with_clock(clock);
    let host = Host {
        cashier,
        customer: Arc::new(Mutex::new(Control::connect(config.control))),
        config: Arc::new(config),
        done: Arc::default(),
    };
    if let Some(port) = host.config.port {
        let listener = listen(port).await;
        let router = Router::new()
            .route("/webhooks", post(receive))
            .with_state(host.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
    }
    println!("{READY}");
    let control = host.config.control;
    std::thread::spawn(move || pass_time(control));
    for worker in 0..WORKERS {
        tokio::spawn(host.clone().work(worker));
    }
    tokio::spawn(host.clone().sweep());
    host.confirm().await;
    Ok(())
}

/// The host before this one may not have let go of it yet.
async fn listen(port: u16) -> TcpListener {
    loop {
        match TcpListener::bind(("127.0.0.1", port)).await {
            Ok(listener) => return listener,
            Err(_) => sleep(TURN).await,
        }
    }
}

/// While a host lives, time passes; so it never passes faster than the host gets its turns.
fn pass_time(control: SocketAddr) {
    let mut control = Control::connect(control);
    loop {
        let _now: i64 = control.say(&Say::Advance(TURN_SECONDS));
        std::thread::sleep(TURN);
    }
}

async fn receive(State(host): State<Host>, request: WebhookRequest) -> StatusCode {
    let received = host.cashier.receive(&request).await;
    StatusCode::from_u16(received.answer).unwrap()
}

impl Host {
    async fn sweep(self) {
        loop {
            // What fails comes again.
            let _ = self.cashier.sweep().await;
            sleep(TURN * 2).await;
        }
    }

    async fn work(self, worker: usize) {
        let orders = (0..self.config.orders).filter(|order| order % WORKERS == worker);
        let mut left: Vec<usize> = orders.collect();
        while !left.is_empty() {
            // A few at a time, so that none is begun long before it is worked on.
            for number in left.clone().into_iter().take(3) {
                let served = self.serve(number).await.inspect_err(complain);
                if served.unwrap_or(false) {
                    left.retain(|open| *open != number);
                    self.done.lock().unwrap().insert(number);
                } else {
                    left.rotate_left(1);
                }
                sleep(TURN).await;
            }
        }
    }

    /// One try to bring an order to its end. Whether it is there.
    async fn serve(&self, number: usize) -> Result<bool> {
        let plan = Plan::of(self.config.seed, number);
        let id = plan::id(number);
        let mut record = self.cashier.place(&id, eur(plan.total)).await?;
        if record.paid_at.is_none() {
            self.take_payment(&id, &plan).await?;
            record = self.cashier.resume(&id).await?;
        }
        if record.paid_at.is_none() {
            return Ok(false);
        }
        let payments = record.payments.iter().filter_map(|p| p.ledger.payment());
        let paid = payments.filter(|payment| payment.captured.is_positive());
        let Some(paid) = paid.map(|payment| payment.id.clone()).next() else {
            return Ok(false);
        };
        let mut are_done = true;
        for (refund, cents) in plan.refunds.iter().enumerate() {
            let command = CommandId::new(&plan::command(number, refund))?;
            let request = RefundRequest::new(paid.clone(), eur(*cents), command);
            let refunded = self.cashier.refund(&request).await?;
            are_done &= refunded.state == CommandState::Succeeded;
        }
        Ok(are_done)
    }

    async fn take_payment(&self, id: &OrderId, plan: &Plan) -> Result<()> {
        let page = Checkout::hosted("https://shop.example/done", "https://shop.example/cart");
        let request = CreateRequest::new(id.clone(), eur(plan.total), page);
        let payment = match plan.is_doubled {
            true => {
                let (one, other) = tokio::join!(
                    self.cashier.check_out(&request),
                    self.cashier.check_out(&request)
                );
                one.or(other)?
            }
            false => self.cashier.check_out(&request).await?,
        };
        // At PayPal a card is declined only after the page, and each try is an attempt of its own.
        if plan.is_declined_first && self.config.provider != "paypal" {
            self.pay(&payment, "chargeDeclined").await;
        }
        self.pay(&payment, "visa").await;
        Ok(())
    }

    async fn pay(&self, payment: &Payment<Test>, card: &str) {
        if !matches!(payment.next_action, Some(NextAction::Redirect { .. })) {
            return;
        }
        let pay = Say::Pay {
            page: payment.id.raw().to_owned(),
            card: card.to_owned(),
        };
        let customer = Arc::clone(&self.customer);
        let paying = tokio::task::spawn_blocking(move || {
            let _seen: String = customer.lock().unwrap().say(&pay);
        });
        paying.await.unwrap();
    }

    /// Acts on confirmations, and says when there is nothing left to do.
    async fn confirm(self) {
        let mut has_finished = false;
        loop {
            let given = self.cashier.confirmations(LEASE, 20).await;
            for confirmation in given.unwrap_or_default() {
                // Where it fails, it comes again.
                let _ = self.act_on(&confirmation).await;
            }
            if !has_finished && self.has_finished() {
                println!("{FINISHED}");
                has_finished = true;
            }
            sleep(TURN).await;
        }
    }

    async fn act_on(&self, confirmation: &Confirmation) -> Result<()> {
        if self.config.defect == Some(Defect::AcknowledgesFirst) {
            self.cashier.acknowledge(confirmation).await?;
            sleep(TURN * 5).await;
            return act(&self.config.record, confirmation).map_err(not_done);
        }
        act(&self.config.record, confirmation).map_err(not_done)?;
        sleep(Duration::from_millis(fastrand::u64(0..5))).await;
        self.cashier.acknowledge(confirmation).await
    }

    fn has_finished(&self) -> bool {
        let orders = self.config.orders;
        if self.done.lock().unwrap().len() < orders {
            return false;
        }
        let acted = acted(&self.config.record);
        (0..orders).all(|number| {
            let order = plan::id(number);
            let its = acted.iter().filter(|act| act.order == order.as_str());
            let its: Vec<_> = its.collect();
            let refunds = Plan::of(self.config.seed, number).refunds.len();
            its.iter().any(|act| act.kind == "paid")
                && its.iter().filter(|act| act.is_refund()).count() >= refunds
        })
    }
}

/// Something that the host has done for a confirmation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    pub order: String,
    pub kind: String,
    /// The id of the confirmation.
    pub id: String,
}

impl Act {
    /// Whether a refund was done.
    #[must_use]
    pub fn is_refund(&self) -> bool {
        self.kind.starts_with("refunded:")
    }
}

/// Acts on a confirmation, which for this host is to make a file of its name: it is there or not,
/// and only the first one makes it.
fn act(record: &Path, confirmation: &Confirmation) -> io::Result<()> {
    if matches!(confirmation.kind, ConfirmationKind::NeedsAPerson(_)) {
        return Ok(());
    }
    let Confirmation {
        order, kind, id, ..
    } = confirmation;
    // This host delivers orders, and has nothing to do for a payout.
    let Some(order) = order else {
        return Ok(());
    };
    let name = format!("{order}~{kind}~{id}").replace('/', "%2F");
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(record.join(name));
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        made => drop(made?),
    }
    File::open(record)?.sync_all()
}

/// All that was acted on.
///
/// # Panics
/// If the folder holds anything else.
#[must_use]
pub fn acted(record: &Path) -> Vec<Act> {
    let entries = fs::read_dir(record).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let acts = names.map(|name| {
        let mut parts = name.splitn(3, '~').map(str::to_owned);
        let mut part = || parts.next().unwrap();
        Act {
            order: part(),
            kind: part(),
            id: part(),
        }
    });
    acts.collect()
}

/// What could not be done comes again.
fn complain(error: &Error) {
    eprintln!("unfinished: {error:#}");
}

fn not_done(error: io::Error) -> Error {
    Error::new(counterfoil::ErrorKind::Unavailable, error.to_string())
}

fn eur(minor: i64) -> PositiveMoney {
    PositiveMoney::new(Money::new(minor, Currency::EUR)).unwrap()
}

/// The provider by its settings, as another process has them, on the simulated clock.
fn provider(config: &Config, clock: &Arc<FileClock>) -> Result<Provider<Test>> {
    let settings = Settings::new(ModeKind::Test, config.settings.iter().cloned());
    let time = || Arc::clone(clock) as Arc<dyn Clock>;
    let timer = || Arc::new(ManualTimer::new());
    let spoiled = match config.defect {
        Some(Defect::FreshKeys) => Some(FreshKeys::new()?),
        _ => None,
    };
    macro_rules! build {
        ($provider:ident, $config:ident) => {{
            let (mut config, namespace) = $config::<Test>::from_settings(settings)?;
            config = config.with_clock(time()).with_timer(timer());
            if let Some(spoiled) = spoiled {
                config = config.with_transport(Arc::new(spoiled));
            }
            $provider::new(config)?.into_provider(namespace)
        }};
    }
    let provider = match &*config.provider {
        "stripe" => build!(Stripe, StripeConfig),
        "paypal" => build!(PayPal, PayPalConfig),
        _ => build!(Adyen, AdyenConfig),
    };
    Ok(provider.with_clock(time()))
}

/// A planted defect: each process has idempotency keys of its own.
#[derive(Debug)]
struct FreshKeys {
    inner: ReqwestTransport,
    process: u32,
}

impl FreshKeys {
    fn new() -> Result<Self> {
        Ok(Self {
            inner: ReqwestTransport::loopback(&TransportOptions::default())?,
            process: std::process::id(),
        })
    }
}

#[async_trait]
impl Transport for FreshKeys {
    async fn send(
        &self,
        mut request: Request<Bytes>,
    ) -> std::result::Result<Response<Bytes>, TransportError> {
        for name in ["idempotency-key", "paypal-request-id"] {
            if let Some(key) = request.headers_mut().get_mut(name) {
                let fresh = format!("{}-{}", key.to_str().unwrap_or_default(), self.process);
                *key = HeaderValue::from_str(&fresh).unwrap();
            }
        }
        self.inner.send(request).await
    }
}
