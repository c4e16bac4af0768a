//! A sweep over attempts that are open, each of which is asked about at the simulator of Stripe.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use counterfoil::Test;
use counterfoil::cashier::{Cashier, MemoryStore, SqliteStore, Store};
use counterfoil::clock::ManualClock;
use counterfoil::id::{Namespace, OrderId};
use counterfoil::money::{Currency, Money, PositiveMoney};
use counterfoil::providers::stripe::{Stripe, StripeConfig};
use counterfoil::request::{Checkout, CreateRequest};
use counterfoil::simulator::SimulatorTransport;
use counterfoil::simulator::stripe::StripeSimulator;

use crate::shop::NOW;

/// With this many open attempts, on each store that needs no server.
pub async fn run(attempts: usize) {
    on("memory", Arc::new(MemoryStore::new()), attempts).await;
    let sqlite = SqliteStore::in_memory().await.expect("a store");
    on("SQLite in memory", Arc::new(sqlite), attempts).await;
}

async fn on(name: &str, store: Arc<dyn Store>, attempts: usize) {
    let clock = Arc::new(ManualClock::new(NOW));
    let cashier = open(store, &clock).await;
    let start = Instant::now();
    for number in 0..attempts {
        check_out(&cashier, number).await;
    }
    let begun = start.elapsed();
    clock.advance(Duration::from_secs(3600));
    let start = Instant::now();
    let (mut asked, mut sweeps) = (0, 0);
    loop {
        let swept = cashier.sweep().await.expect("a sweep");
        assert_eq!(swept.failures, 0);
        asked += swept.orders;
        sweeps += 1;
        if !swept.has_more {
            break;
        }
    }
    let took = start.elapsed();
    assert_eq!(asked, attempts, "each is asked about once");
    println!(
        "{name}: {attempts} attempts begun in {begun:.1?}, asked about in {took:.1?} by {sweeps} \
         sweeps, {:.0} µs each",
        took.as_secs_f64() * 1e6 / f64::from(u32::try_from(attempts).expect("fewer")),
    );
}

async fn open(store: Arc<dyn Store>, clock: &Arc<ManualClock>) -> Cashier<Test> {
    let simulator = StripeSimulator::new(7, NOW);
    let config = StripeConfig::<Test>::new("sk_test_benchmark", "whsec_benchmark").expect("a key");
    let config = config
        .with_clock(Arc::clone(clock) as Arc<dyn counterfoil::clock::Clock>)
        .with_transport(Arc::new(SimulatorTransport::new(Arc::new(Mutex::new(
            simulator,
        )))));
    let provider = Stripe::new(config)
        .expect("a provider")
        .into_provider(Namespace::new("shop").expect("a namespace"));
    let cashier = Cashier::open(provider, store).await.expect("a store");
    cashier.with_clock(Arc::clone(clock) as Arc<dyn counterfoil::clock::Clock>)
}

async fn check_out(cashier: &Cashier<Test>, number: usize) {
    let order = OrderId::new(&format!("A-{number}")).expect("an order id");
    let total = PositiveMoney::new(Money::new(1999, Currency::EUR)).expect("an amount");
    cashier.place(&order, total).await.expect("an order");
    let page = Checkout::hosted("https://shop.example/done", "https://shop.example/cart");
    let request = CreateRequest::new(order, total, page);
    cashier.check_out(&request).await.expect("a checkout");
}
