//! Webhooks through verify, store, fold, match and outbox, against bare inserts and commits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use counterfoil::Test;
use counterfoil::cashier::{Cashier, Confirmation, ConfirmationKind};
use counterfoil::id::OrderId;
use counterfoil::webhook::WebhookRequest;
use futures_util::{StreamExt, stream};

use crate::database::Database;
use crate::floor::{Floor, Rows};
use crate::shop;

/// How many webhooks are in a round.
const ROUND: usize = 128;
/// How many rounds of each are run, in turn.
const ROUNDS: usize = 9;
const IN_FLIGHT: [usize; 3] = [1, 8, 64];
/// How many single webhooks are followed to their confirmation.
const FOLLOWED: usize = 200;
const LEASE: Duration = Duration::from_secs(60);

/// With each number of stored orders in turn.
pub async fn compare(database: &Database, sizes: &[usize]) {
    let cashier = shop::open(database.store()).await;
    // One order that is done, and one that waits for its webhook: all others are like them.
    shop::place(&cashier, "DONE").await;
    receive(&cashier, &shop::webhook("DONE")).await;
    let paid = take_confirmation(&cashier, "DONE").await;
    acknowledge(&cashier, &paid).await;
    shop::place(&cashier, "OPEN").await;
    let rows = Arc::new(rows_of(database, "DONE").await);
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
        let count = IN_FLIGHT.len() * ROUND * ROUNDS + FOLLOWED;
        let open = format!("N{number}x");
        database.copy_order("OPEN", &open, 0..count).await;
        database.settle().await;
        println!("  {size} orders");
        let mut orders = (0..count).map(|order| format!("{open}{order}"));
        for in_flight in IN_FLIGHT {
            compare_rounds(database, &cashier, &rows, in_flight, &mut orders).await;
        }
        follow(&cashier, orders).await;
    }
}

async fn rows_of(database: &Database, order: &str) -> Rows {
    let of = |table: &str, column: &str| {
        format!("SELECT CAST({column} AS TEXT) FROM counterfoil_{table} WHERE ")
    };
    let event = of("events", "body") + &format!("order_id = '{order}'");
    let payments = of("payments", "COUNT(*)") + &format!("order_id = '{order}'");
    let order = of("orders", "body") + &format!("id = '{order}'");
    Rows {
        event: database.text(&event).await,
        order: database.text(&order).await,
        payments: database.text(&payments).await.parse().expect("a number"),
    }
}

/// The rounds of one contender, in seconds for each webhook.
struct Contender {
    name: &'static str,
    floor: Option<Floor>,
    wall: Vec<f64>,
    cpu: f64,
}

async fn compare_rounds(
    database: &Database,
    cashier: &Cashier<Test>,
    rows: &Arc<Rows>,
    in_flight: usize,
    orders: &mut impl Iterator<Item = String>,
) {
    let contender = |name, floor| Contender {
        name,
        floor,
        wall: Vec::new(),
        cpu: 0.0,
    };
    let floors = database.floors().into_iter();
    let mut contenders: Vec<_> = floors
        .map(|floor| contender(floor.name(), Some(floor)))
        .collect();
    contenders.push(contender("cashier", None));
    for round in 0..ROUNDS {
        let orders: Vec<_> = orders.by_ref().take(ROUND).collect();
        let count = contenders.len();
        for turn in 0..count {
            // Who comes after whom changes.
            let contender = &mut contenders[(turn + round) % count];
            let work = contender.work(cashier, rows, &orders);
            let (cpu, start) = (database.cpu_time().await, Instant::now());
            stream::iter(work)
                .map(|work| async { tokio::spawn(work).await.expect("no panic") })
                .buffer_unordered(in_flight)
                .for_each(|()| async {})
                .await;
            let wall = start.elapsed();
            contender.wall.push(per_webhook(wall));
            contender.cpu += per_webhook(database.cpu_time().await - cpu) / ROUNDS as f64;
        }
    }
    let cashier = contenders.last().expect("the cashier");
    for contender in &contenders {
        let ratios = cashier.wall.iter().zip(&contender.wall);
        let ratios = sorted(ratios.map(|(ours, theirs)| ours / theirs).collect());
        print!(
            "    {in_flight:>2} in flight, {:<13} median {:>6.0} µs, best {:>6.0}, CPU {:>5.0}",
            contender.name,
            median(&contender.wall) * 1e6,
            best(&contender.wall) * 1e6,
            contender.cpu * 1e6,
        );
        if contender.floor.is_some() {
            print!(
                "; cashier to it: median round {:.2} ({:.2} to {:.2}), best {:.2}, CPU {:.2}",
                median(&ratios),
                ratios[1],
                ratios[ROUNDS - 2],
                best(&cashier.wall) / best(&contender.wall),
                cashier.cpu / contender.cpu,
            );
        }
        println!();
    }
}

impl Contender {
    /// The work of a round, one piece for each order. The webhooks are made before.
    fn work(
        &self,
        cashier: &Cashier<Test>,
        rows: &Arc<Rows>,
        orders: &[String],
    ) -> Vec<futures_util::future::BoxFuture<'static, ()>> {
        let mut all: Vec<futures_util::future::BoxFuture<'static, ()>> = Vec::new();
        for order in orders {
            match &self.floor {
                Some(floor) => {
                    let (floor, order) = (floor.clone(), order.clone());
                    let rows = Arc::clone(rows);
                    all.push(Box::pin(async move { floor.insert(&order, &rows).await }));
                }
                None => {
                    let (cashier, webhook) = (cashier.clone(), shop::webhook(order));
                    all.push(Box::pin(async move { receive(&cashier, &webhook).await }));
                }
            }
        }
        all
    }
}

fn per_webhook(round: Duration) -> f64 {
    round.as_secs_f64() / ROUND as f64
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

fn median(values: &[f64]) -> f64 {
    sorted(values.to_vec())[values.len() / 2]
}

fn best(values: &[f64]) -> f64 {
    sorted(values.to_vec())[0]
}

/// From the webhook to its confirmation in the hands of the host.
async fn follow(cashier: &Cashier<Test>, orders: impl Iterator<Item = String>) {
    // What the rounds have left in the outbox is dealt with first.
    loop {
        let left = cashier.confirmations(LEASE, 1000).await.expect("a lease");
        if left.is_empty() {
            break;
        }
        for confirmation in left {
            acknowledge(cashier, &confirmation).await;
        }
    }
    let mut times = Vec::new();
    for order in orders {
        let webhook = shop::webhook(&order);
        let start = Instant::now();
        receive(cashier, &webhook).await;
        let paid = take_confirmation(cashier, &order).await;
        times.push(start.elapsed());
        acknowledge(cashier, &paid).await;
    }
    times.sort();
    let (median, late) = (times[times.len() / 2], times[times.len() * 95 / 100]);
    println!("    webhook to confirmation in hand: median {median:.1?}, 95 % within {late:.1?}");
}

async fn receive(cashier: &Cashier<Test>, webhook: &WebhookRequest) {
    let received = cashier.receive(webhook).await;
    assert!(received.error.is_none(), "{received:?}");
    assert_eq!((received.answer, received.orders.len()), (200, 1));
}

/// Leases the one confirmation that there is.
async fn take_confirmation(cashier: &Cashier<Test>, order: &str) -> Confirmation {
    let mut leased = cashier.confirmations(LEASE, 10).await.expect("a lease");
    assert_eq!(leased.len(), 1, "{leased:?}");
    let paid = leased.remove(0);
    assert_eq!(paid.kind, ConfirmationKind::Paid);
    assert_eq!(paid.order.as_ref().map(OrderId::as_str), Some(order));
    paid
}

async fn acknowledge(cashier: &Cashier<Test>, confirmation: &Confirmation) {
    let done = cashier.acknowledge(confirmation).await;
    done.expect("an acknowledgement");
}
