//! A sweep over attempts that are open, each of which is asked about at the simulator of Stripe.

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use counterfoil::Test;
use counterfoil::cashier::{Cashier, MemoryStore, SqliteStore, Store};
use counterfoil::clock::ManualClock;
use counterfoil::http::{Transport, TransportError};
use counterfoil::id::{Namespace, OrderId};
use counterfoil::money::{Currency, Money, PositiveMoney};
use counterfoil::providers::stripe::{Stripe, StripeConfig};
use counterfoil::request::{Checkout, CreateRequest};
use counterfoil::simulator::SimulatorTransport;
use counterfoil::simulator::stripe::StripeSimulator;
use cpu_time::ProcessTime;
use http::{Request, Response};

use crate::shop::NOW;

/// Longer than a node may keep an order that it has claimed.
const CLAIM: Duration = Duration::from_secs(301);

/// With this many open attempts, on each store that needs no server.
pub async fn run(attempts: usize) {
    on("memory", Arc::new(MemoryStore::new()), attempts).await;
    let sqlite = SqliteStore::in_memory().await.expect("a store");
    on("SQLite in memory", Arc::new(sqlite), attempts).await;
}

async fn on(name: &str, store: Arc<dyn Store>, attempts: usize) {
    let clock = Arc::new(ManualClock::new(NOW));
    let simulator = Arc::new(Mutex::new(StripeSimulator::new(7, NOW)));
    let line = Arc::new(Line {
        simulator: SimulatorTransport::new(simulator),
        in_flight: AtomicUsize::new(0),
        most: AtomicUsize::new(0),
    });
    let mut cashier = open(&store, &line, &clock).await;
    let (cpu, start) = (ProcessTime::now(), Instant::now());
    for number in 0..attempts {
        check_out(&cashier, number).await;
    }
    println!(
        "{name}: {attempts} attempts begun in {:.1?}, {:.0} µs of CPU each",
        start.elapsed(),
        each(cpu.elapsed(), attempts),
    );
    clock.advance(Duration::from_secs(3600));
    let before = memory("VmRSS").unwrap_or(0);
    // From here on the kernel takes the peak anew.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let (cpu, start) = (ProcessTime::now(), Instant::now());
    let (mut asked, mut sweeps, mut is_cut) = (0, 0, false);
    loop {
        if !is_cut && asked >= attempts / 2 {
            // The process dies in the middle of a sweep, and another one goes on.
            cut_off(&cashier, &line).await;
            is_cut = true;
            cashier = open(&store, &line, &clock).await;
        }
        let swept = cashier.sweep().await.expect("a sweep");
        assert_eq!(swept.failures, 0);
        (asked, sweeps) = (asked + swept.orders, sweeps + 1);
        if !swept.has_more {
            break;
        }
    }
    // What the dead process had claimed comes again.
    clock.advance(CLAIM);
    asked += cashier.sweep().await.expect("a sweep").orders;
    let (took, cpu) = (start.elapsed(), cpu.elapsed());
    assert_eq!(asked, attempts, "each is asked about once to the end");
    println!(
        "  asked about in {took:.1?} by {sweeps} sweeps and one that was cut off, at most {} requests \
         in flight: {:.0} µs and {:.0} µs of CPU each; {} KiB of memory at most above the {before} \
         KiB before",
        line.most.load(Ordering::SeqCst),
        each(took, attempts),
        each(cpu, attempts),
        memory("VmHWM").unwrap_or(0).saturating_sub(before),
    );
}

fn each(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() * 1e6 / count as f64
}

/// A line of what Linux tells of this process, in KiB.
fn memory(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Begins a sweep, and drops it while it waits for the provider.
async fn cut_off(cashier: &Cashier<Test>, line: &Line) {
    let mut sweep = Box::pin(cashier.sweep());
    poll_fn(|context| {
        assert!(sweep.as_mut().poll(context).is_pending(), "it waits");
        match line.in_flight.load(Ordering::SeqCst) {
            0 => Poll::Pending,
            _ => Poll::Ready(()),
        }
    })
    .await;
}

/// The way to the simulator, on which each request takes a moment.
#[derive(Debug)]
struct Line {
    simulator: SimulatorTransport<StripeSimulator>,
    in_flight: AtomicUsize,
    most: AtomicUsize,
}

/// A request under way, until it is answered or dropped.
struct UnderWay<'l>(&'l Line);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Transport for Line {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let others = self.in_flight.fetch_add(1, Ordering::SeqCst);
        let _under_way = UnderWay(self);
        self.most.fetch_max(others + 1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        self.simulator.send(request).await
    }
}

async fn open(store: &Arc<dyn Store>, line: &Arc<Line>, clock: &Arc<ManualClock>) -> Cashier<Test> {
    let config = StripeConfig::<Test>::new("sk_test_benchmark", "whsec_benchmark").expect("a key");
    let clock = Arc::clone(clock) as Arc<dyn counterfoil::clock::Clock>;
    let config = config
        .with_clock(Arc::clone(&clock))
        .with_transport(Arc::clone(line) as Arc<dyn Transport>);
    let provider = Stripe::new(config)
        .expect("a provider")
        .into_provider(Namespace::new("shop").expect("a namespace"));
    let cashier = Cashier::open(provider, Arc::clone(store)).await;
    cashier.expect("a store").with_clock(clock)
}

async fn check_out(cashier: &Cashier<Test>, number: usize) {
    let order = OrderId::new(&format!("A-{number}")).expect("an order id");
    let total = PositiveMoney::new(Money::new(1999, Currency::EUR)).expect("an amount");
    cashier.place(&order, total).await.expect("an order");
    let page = Checkout::hosted("https://shop.example/done", "https://shop.example/cart");
    let request = CreateRequest::new(order, total, page);
    cashier.check_out(&request).await.expect("a checkout");
}
