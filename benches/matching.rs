//! Matching by reference against bare hash joins of the same rows, the order book event by event,
//! and the search on the real task. Prints tables; `benches/README.md` says how to read them.
//!
//! `cargo bench -p counterfoil-benches --bench matching -- [join|threads|book|task2] [SIZES]`
//!
//! `... -- profile SIZE` runs nothing but the batch, for a profiler.
//!
//! `... -- export SIZE` writes the shop as CSV to `target/shop`, for `benches/in_duckdb.py`.

use std::collections::HashMap;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::hint::black_box;
use std::time::Instant;

use counterfoil::Test;
use counterfoil::clock::Timestamp;
use counterfoil::matching::{Batch, EntryRow, OrderBook, OrderRow, Policy};
use counterfoil::money::{Currency, Money};
use cpu_time::ThreadTime;

/// Each figure is the best of this many rounds, which take turns.
const ROUNDS: usize = 5;

fn main() {
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    let what = args.first().map_or("all", String::as_str);
    let sizes: Vec<usize> = args.iter().skip(1).filter_map(|a| a.parse().ok()).collect();
    let or = |default: &[usize]| {
        if sizes.is_empty() {
            default.to_vec()
        } else {
            sizes.clone()
        }
    };
    if ["all", "join"].contains(&what) {
        joins(&or(&[10_000, 100_000, 1_000_000]));
    }
    if what == "profile" {
        or(&[1_000_000]).into_iter().for_each(profile);
    }
    if ["all", "threads"].contains(&what) {
        with_threads(&or(&[1_000_000]));
    }
    if ["all", "book"].contains(&what) {
        or(&[1_000_000]).into_iter().for_each(book);
    }
    if what == "export" {
        or(&[1_000_000]).into_iter().for_each(export);
    }
    if ["all", "task2"].contains(&what) {
        task_2();
    }
}

/// A shop made from a seed, fitted to what real ones look like: 97 % of orders have one payment,
/// 2.4 % two, the rest up to nine; 1 % are not paid; 1 % of payments name an order of somebody
/// else; references are 28 bytes; totals have a median of 105.00 and a long tail; payments come in
/// an order of their own.
struct Shop {
    orders: Vec<(String, i64, i64)>,
    payments: Vec<(String, String, i64, i64)>,
}

fn shop(orders: usize, seed: u64) -> Shop {
    let mut rng = fastrand::Rng::with_seed(seed);
    let reference =
        |rng: &mut fastrand::Rng| format!("{:016x}{:012x}", rng.u64(..), rng.u64(..) >> 16);
    let mut shop = Shop {
        orders: Vec::with_capacity(orders),
        payments: Vec::with_capacity(orders * 11 / 10),
    };
    for n in 0..orders {
        let id = reference(&mut rng);
        let tail = 1 << rng.u64(..).leading_zeros().min(6);
        let total = rng.i64(2_000..19_000) * tail / 2;
        let at = n as i64 * 60;
        let parts = match rng.u16(0..1_000) {
            0..970 => 1,
            970..994 => 2,
            _ => rng.i64(3..10),
        };
        let parts = if rng.u8(0..100) == 0 { 0 } else { parts };
        for part in 0..parts {
            let named = if rng.u8(0..100) == 0 {
                reference(&mut rng)
            } else {
                id.clone()
            };
            let share = total / parts + if part == 0 { total % parts } else { 0 };
            let pay = format!("pi_{:016x}", rng.u64(..));
            shop.payments
                .push((pay, named, share, at + rng.i64(0..90_000)));
        }
        shop.orders.push((id, total, at));
    }
    rng.shuffle(&mut shop.payments);
    shop
}

fn batch(shop: &Shop, threads: usize) -> Batch<Test> {
    let mut policy = Policy::default();
    policy.threads = threads;
    let mut batch = Batch::new(policy);
    for (id, total, at) in &shop.orders {
        let total = Money::new(*total, Currency::BRL);
        let row = OrderRow::new(id, total, Timestamp::from_unix(*at));
        batch.order(&row).expect("room");
    }
    for (id, reference, amount, at) in &shop.payments {
        let amount = Money::new(*amount, Currency::BRL);
        let row = EntryRow::payment(id, amount, Timestamp::from_unix(*at));
        batch.entry(&row.with_reference(reference)).expect("room");
    }
    batch
}

/// Writes a shop where `in_duckdb.py` reads it.
fn export(orders: usize) {
    let shop = shop(orders, 7);
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/shop");
    fs::create_dir_all(&folder).expect("a folder");
    let write = |name: &str, header: &str, rows: String| {
        fs::write(folder.join(name), format!("{header}\n{rows}")).expect("room");
    };
    let orders = shop
        .orders
        .iter()
        .map(|(id, total, _)| format!("{id},{total}\n"));
    write("orders.csv", "order_id,total_minor", orders.collect());
    let payments = shop.payments.iter();
    let payments = payments.map(|(id, named, amount, _)| format!("{id},{named},{amount}\n"));
    write(
        "payments.csv",
        "payment_id,order_ref,amount_minor",
        payments.collect(),
    );
}

/// What `work` takes in CPU time of this thread, in nanoseconds: the machine may be busy with
/// others.
fn cpu<T>(work: impl FnOnce() -> T) -> (u64, T) {
    let start = ThreadTime::now();
    let value = work();
    let ns = u64::try_from(start.elapsed().as_nanos()).expect("less than centuries");
    (ns, value)
}

/// Memory of the process in bytes: now, and at most since the last call of [`reset_peak`].
fn memory(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status
        .lines()
        .find(|line| line.starts_with(field))
        .expect("a line");
    let kilobytes = line
        .split_whitespace()
        .nth(1)
        .and_then(|kb| kb.parse::<u64>().ok());
    kilobytes.expect("a number") * 1024
}

fn reset_peak() {
    fs::write("/proc/self/clear_refs", "5").expect("Linux");
}

fn joins(sizes: &[usize]) {
    println!(
        "\nMatch and compare by reference, one thread, ns of CPU a row (rows = orders + payments)"
    );
    println!(
        "{:>10} {:>10} {:>9} {:>9} {:>9} {:>9} {:>8} {:>8} {:>11} {:>11}",
        "orders",
        "payments",
        "run",
        "take in",
        "radix",
        "HashMap",
        "/radix",
        "/HashMap",
        "M rows/CPU-s",
        "bytes/row"
    );
    for &orders in sizes {
        let shop = shop(orders, 7);
        let rows = (shop.orders.len() + shop.payments.len()) as u64;
        let spans = Arena::of(&shop);
        let (take_in, batch) = cpu(|| batch(&shop, 1));
        let mut best = [u64::MAX; 3];
        let mut peak = 0;
        for _ in 0..ROUNDS {
            reset_peak();
            let before = memory("VmRSS");
            let (run, report) = cpu(|| batch.run());
            peak = memory("VmHWM").saturating_sub(before).max(peak);
            black_box(&report);
            drop(report);
            let (radix, pairs) = cpu(|| radix_join(&spans));
            let (map, other) = cpu(|| map_join(&shop));
            assert_eq!(pairs, other, "both joins find the same pairs");
            for (best, new) in best.iter_mut().zip([run, radix, map]) {
                *best = new.min(*best);
            }
        }
        let [run, radix, map] = best.map(|ns| ns as f64 / rows as f64);
        println!(
            "{:>10} {:>10} {:>9.1} {:>9.1} {:>9.1} {:>9.1} {:>8.2} {:>8.2} {:>11.2} {:>11.1}",
            orders,
            shop.payments.len(),
            run,
            take_in as f64 / rows as f64,
            radix,
            map,
            run / radix,
            run / map,
            1_000.0 / run,
            peak as f64 / rows as f64,
        );
    }
}

/// Twenty runs of a batch.
fn profile(orders: usize) {
    let batch = batch(&shop(orders, 7), 1);
    let runs = (0..20).map(|_| cpu(|| drop(black_box(batch.run()))).0);
    println!(
        "{orders} orders: {:.1} ms",
        runs.min().map_or(0.0, |ns| ns as f64 / 1e6)
    );
}

/// The keys of a shop in one arena, as the radix join wants them.
struct Arena {
    text: Vec<u8>,
    orders: Vec<(u32, u16)>,
    payments: Vec<(u32, u16)>,
}

impl Arena {
    fn of(shop: &Shop) -> Self {
        let mut text = Vec::new();
        let mut put = |key: &str| {
            let start = text.len() as u32;
            text.extend_from_slice(key.as_bytes());
            (start, key.len() as u16)
        };
        let orders = shop.orders.iter().map(|order| put(&order.0)).collect();
        let payments = shop
            .payments
            .iter()
            .map(|payment| put(&payment.1))
            .collect();
        Self {
            text,
            orders,
            payments,
        }
    }

    fn key(&self, (start, len): (u32, u16)) -> &[u8] {
        &self.text[start as usize..start as usize + len as usize]
    }
}

/// The best bare join known here: radix partitions on a 64-bit hash, open addressing in each, the
/// bytes compared. Nothing but the order of each payment; returns the sum of their numbers.
fn radix_join(arena: &Arena) -> u64 {
    const BITS: u32 = 10;
    let seed = foldhash::fast::FixedState::with_seed(1);
    let scatter = |spans: &[(u32, u16)]| {
        let hash = |span| {
            let mut hasher = seed.build_hasher();
            hasher.write(arena.key(span));
            hasher.finish()
        };
        let hashes: Vec<u64> = spans.iter().map(|span| hash(*span)).collect();
        let mut starts = vec![0_usize; (1 << BITS) + 1];
        hashes
            .iter()
            .for_each(|h| starts[(h >> (64 - BITS)) as usize + 1] += 1);
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut ends = starts.clone();
        let mut rows = vec![(0_u32, 0_u32); spans.len()];
        for (row, hash) in hashes.iter().enumerate() {
            let end = &mut ends[(hash >> (64 - BITS)) as usize];
            rows[*end] = (*hash as u32, row as u32);
            *end += 1;
        }
        (starts, rows)
    };
    let (order_starts, orders) = scatter(&arena.orders);
    let (payment_starts, payments) = scatter(&arena.payments);
    let mut found = vec![u32::MAX; arena.payments.len()];
    let mut slots: Vec<u32> = Vec::new();
    for part in 0..1 << BITS {
        let build = &orders[order_starts[part]..order_starts[part + 1]];
        let mask = (build.len() * 2).next_power_of_two() - 1;
        slots.clear();
        slots.resize(mask + 1, 0);
        for (place, (hash, _)) in build.iter().enumerate() {
            let mut at = *hash as usize & mask;
            while slots[at] != 0 {
                at = (at + 1) & mask;
            }
            slots[at] = place as u32 + 1;
        }
        for (hash, row) in &payments[payment_starts[part]..payment_starts[part + 1]] {
            let key = arena.key(arena.payments[*row as usize]);
            let mut at = *hash as usize & mask;
            while slots[at] != 0 {
                let (other, order) = build[slots[at] as usize - 1];
                if other == *hash && arena.key(arena.orders[order as usize]) == key {
                    found[*row as usize] = order;
                    break;
                }
                at = (at + 1) & mask;
            }
        }
    }
    found
        .iter()
        .filter(|order| **order != u32::MAX)
        .map(|order| u64::from(*order))
        .sum()
}

/// The plain join: the standard library's map of borrowed keys.
fn map_join(shop: &Shop) -> u64 {
    let mut map: HashMap<&str, u32> = HashMap::with_capacity(shop.orders.len());
    for (row, order) in shop.orders.iter().enumerate() {
        map.insert(&order.0, row as u32);
    }
    let found = shop
        .payments
        .iter()
        .filter_map(|payment| map.get(payment.1.as_str()));
    found.map(|order| u64::from(*order)).sum()
}

fn with_threads(sizes: &[usize]) {
    println!("\nThe same with threads, ms of wall time, best of {ROUNDS}");
    for &orders in sizes {
        let shop = shop(orders, 7);
        for threads in [1, 2] {
            let batch = batch(&shop, threads);
            let wall = (0..ROUNDS).map(|_| {
                let start = Instant::now();
                black_box(batch.run());
                start.elapsed().as_micros() as f64 / 1_000.0
            });
            println!(
                "{orders:>10} orders, {threads} threads: {:.1}",
                wall.fold(f64::MAX, f64::min)
            );
        }
    }
}

fn book(orders: usize) {
    let shop = shop(orders + orders / 10, 11);
    let mut book = OrderBook::<Test>::new(Policy::default());
    for (id, total, at) in shop.orders.iter().take(orders) {
        let total = Money::new(*total, Currency::BRL);
        book.order(&OrderRow::new(id, total, Timestamp::from_unix(*at)))
            .expect("room");
    }
    let mut times: Vec<u128> = Vec::new();
    let events = shop
        .payments
        .iter()
        .zip(shop.orders.iter().skip(orders).cycle());
    for ((id, reference, amount, at), order) in events.take(200_000) {
        let amount = Money::new(*amount, Currency::BRL);
        let row = EntryRow::payment(id, amount, Timestamp::from_unix(*at));
        let start = Instant::now();
        black_box(book.entry(&row.with_reference(reference)).expect("room"));
        times.push(start.elapsed().as_nanos());
        let total = Money::new(order.1, Currency::BRL);
        let start = Instant::now();
        let row = OrderRow::new(&order.0, total, Timestamp::from_unix(order.2));
        black_box(book.order(&row).expect("room"));
        times.push(start.elapsed().as_nanos());
    }
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 1_000] as f64 / 1_000.0;
    println!("\nOrder book, {orders} open orders, µs an event (payments and new orders in turn)");
    println!(
        "median {:.2}, p90 {:.2}, p99 {:.2}, p99.9 {:.2}",
        at(500),
        at(900),
        at(990),
        at(999)
    );
}

/// The search: Olist's task 2, from rows in memory to verdicts.
fn task_2() {
    let Some(shared) = std::env::var_os("COUNTERFOIL_SHARED") else {
        eprintln!("NOT RUN: task 2 needs COUNTERFOIL_SHARED");
        return;
    };
    let rows = |name: &str| -> Vec<HashMap<String, String>> {
        let path = std::path::Path::new(&shared)
            .join("data/olist/tasks")
            .join(name);
        let file = flate2::read::GzDecoder::new(fs::File::open(path).expect("a task"));
        let mut reader = csv::Reader::from_reader(file);
        reader
            .deserialize()
            .map(|row| row.expect("a row"))
            .collect()
    };
    let (orders, payments) = (rows("task2_orders.csv.gz"), rows("task2_payments.csv.gz"));
    let mut policy = Policy::default();
    policy.threads = 1;
    let mut batch = Batch::<Test>::new(policy);
    for order in &orders {
        let at = instant(&order["purchased_at"]);
        let row = match order["total_minor"].parse() {
            Ok(total) => OrderRow::new(&order["order_id"], Money::new(total, Currency::BRL), at),
            Err(_) => OrderRow::of_unknown_total(&order["order_id"], Currency::BRL, at),
        };
        batch
            .order(&row.with_customer(&order["customer"]))
            .expect("room");
    }
    for payment in &payments {
        let amount = Money::new(
            payment["amount_minor"].parse().expect("cents"),
            Currency::BRL,
        );
        let row = EntryRow::payment(&payment["payment_id"], amount, instant(&payment["paid_at"]));
        let row = row.with_rail(&payment["type"]);
        let row = match payment["customer"].as_str() {
            "" => row,
            customer => row.with_customer(customer),
        };
        batch.entry(&row).expect("room");
    }
    let runs = (0..ROUNDS).map(|_| {
        let (ns, report) = cpu(|| batch.run());
        (
            ns,
            report
                .entries()
                .filter(|entry| entry.order.is_some())
                .count(),
        )
    });
    let (ns, matched) = runs.min().expect("a round");
    println!(
        "\nTask 2, {} orders and {} payments: {matched} matched in {:.3} CPU s",
        orders.len(),
        payments.len(),
        ns as f64 / 1e9
    );
}

/// Seconds since 1970 of `2016-09-04 21:15:19`.
fn instant(text: &str) -> Timestamp {
    let n: Vec<i64> = text
        .split(['-', ' ', ':'])
        .map(|part| part.parse().expect("digits"))
        .collect();
    let (year, month, day) = (n[0] - i64::from(n[1] <= 2), (n[1] + 9) % 12, n[2] - 1);
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day;
    Timestamp::from_unix((days - 719_468) * 86_400 + n[3] * 3_600 + n[4] * 60 + n[5])
}
