//! Webhooks through verify, store, fold, match and outbox, against bare inserts and commits.

use std::time::{Duration, Instant};

use counterfoil::Test;
use counterfoil::cashier::{Cashier, ConfirmationKind};
use futures_util::{StreamExt, stream};

use crate::database::{Database, Rows};
use crate::shop;

/// How many webhooks are in a round.
const ROUND: usize = 200;
/// How many rounds of each are run, in turn.
const ROUNDS: usize = 9;
/// How many single webhooks are followed to their confirmation.
const FOLLOWED: usize = 200;
const LEASE: Duration = Duration::from_secs(60);

/// With each number of stored orders in turn.
pub async fn compare(database: &mut Database, sizes: &[usize]) {
    let cashier = shop::open(database.store()).await;
    // One order that is done, and one that waits for its webhook: all others are like them.
    shop::place(&cashier, "DONE").await;
    receive(&cashier, "DONE").await;
    follow(&cashier, "DONE").await;
    shop::place(&cashier, "OPEN").await;
    let of = |table: &str, column: &str| {
        format!("SELECT CAST({column} AS TEXT) FROM counterfoil_{table} WHERE ")
    };
    let payments = of("payments", "COUNT(*)") + "order_id = 'DONE'";
    let rows = Rows {
        event: database
            .text(&(of("events", "body") + "order_id = 'DONE'"))
            .await,
        order: database.text(&(of("orders", "body") + "id = 'DONE'")).await,
        payments: database.text(&payments).await.parse().expect("a number"),
    };
    println!(
        "{}: an event of {} bytes, an order of {}, {} names of its payment",
        database.name(),
        rows.event.len(),
        rows.order.len(),
        rows.payments
    );
    let mut stored = 0;
    for (number, &size) in sizes.iter().enumerate() {
        database.copy_order("DONE", "D", stored..size).await;
        stored = stored.max(size);
        let name = format!("N{number}x");
        let count = 2 * ROUND * ROUNDS + FOLLOWED;
        database.copy_order("OPEN", &name, 0..count).await;
        database.settle().await;
        let mut next = 0..count;
        for in_flight in [1, 16] {
            run_rounds(
                database,
                &cashier,
                &rows,
                (size, in_flight),
                &name,
                &mut next,
            )
            .await;
        }
        follow_some(database, &cashier, size, &name, next).await;
    }
}

async fn run_rounds(
    database: &Database,
    cashier: &Cashier<Test>,
    rows: &Rows,
    (size, in_flight): (usize, usize),
    name: &str,
    next: &mut std::ops::Range<usize>,
) {
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let orders: Vec<String> = next
            .by_ref()
            .take(ROUND)
            .map(|n| format!("{name}{n}"))
            .collect();
        let start = Instant::now();
        let inserts = orders
            .iter()
            .map(|order| database.bare_webhook(order, rows));
        stream::iter(inserts)
            .buffer_unordered(in_flight)
            .for_each(|()| async {})
            .await;
        bare.push(start.elapsed());
        let start = Instant::now();
        let received = orders.iter().map(|order| receive(cashier, order));
        stream::iter(received)
            .buffer_unordered(in_flight)
            .for_each(|()| async {})
            .await;
        ours.push(start.elapsed());
    }
    let (bare, ours) = (per_webhook(bare), per_webhook(ours));
    println!(
        "  {size:>8} orders, {in_flight:>2} in flight: bare {:>7.1} µs, cashier {:>7.1} µs \
         ({:>5.0} a second), ratio {:.2} (medians of {ROUNDS} rounds)",
        bare * 1e6,
        ours * 1e6,
        1.0 / ours,
        ours / bare,
    );
}

/// The median round, by webhook, in seconds.
fn per_webhook(mut rounds: Vec<Duration>) -> f64 {
    rounds.sort();
    rounds[rounds.len() / 2].as_secs_f64() / f64::from(u32::try_from(ROUND).expect("small"))
}

async fn follow_some(
    database: &Database,
    cashier: &Cashier<Test>,
    size: usize,
    name: &str,
    orders: std::ops::Range<usize>,
) {
    // What the rounds have left in the outbox is fetched first.
    while !cashier
        .confirmations(LEASE, 1000)
        .await
        .expect("a lease")
        .is_empty()
    {}
    let mut times = Vec::new();
    for order in orders {
        let order = format!("{name}{order}");
        let start = Instant::now();
        receive(cashier, &order).await;
        follow(cashier, &order).await;
        times.push(start.elapsed());
    }
    times.sort();
    let (median, late) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!(
        "  {size:>8} orders, {}: webhook to confirmation acknowledged: median {median:.1?}, 99 % \
         within {late:.1?}",
        database.name(),
    );
}

async fn receive(cashier: &Cashier<Test>, order: &str) {
    let received = cashier.receive(&shop::webhook(order)).await;
    assert!(received.error.is_none(), "{received:?}");
    assert_eq!((received.answer, received.orders.len()), (200, 1));
}

/// Leases the one confirmation that there is, and acknowledges it.
async fn follow(cashier: &Cashier<Test>, order: &str) {
    let leased = cashier.confirmations(LEASE, 10).await.expect("a lease");
    let [paid] = leased.as_slice() else {
        panic!("one confirmation, not {leased:?}");
    };
    assert_eq!(paid.kind, ConfirmationKind::Paid);
    assert_eq!(paid.order.as_str(), order);
    cashier.acknowledge(paid).await.expect("an acknowledgement");
}
