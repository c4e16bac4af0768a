//! What matching promises whatever the input: shops made from a seed, which a failure prints.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic where it fails"
)]

use std::collections::{BTreeMap, HashMap};

use counterfoil::Test;
use counterfoil::clock::Timestamp;
use counterfoil::matching::{
    Batch, Decision, EntryKind, EntryRow, OrderBook, OrderRow, Policy, Report, Rule, Subject,
    Verdict,
};
use counterfoil::money::{Currency, Money};
use fastrand::Rng;

const DAY_S: i64 = 86_400;
const SHOPS: u64 = 60;

#[derive(Debug, Clone)]
struct Order {
    id: String,
    total: Option<i64>,
    currency: Currency,
    at: i64,
    customer: Option<String>,
    closed_at: Option<i64>,
    revision: u32,
}

#[derive(Debug, Clone)]
struct Entry {
    id: String,
    kind: EntryKind,
    amount: i64,
    currency: Currency,
    at: i64,
    reference: Option<String>,
    parent: Option<String>,
    customer: Option<String>,
    rail: &'static str,
}

#[derive(Debug, Clone)]
enum Row {
    Order(Order),
    Entry(Entry),
}

impl Order {
    fn row(&self) -> OrderRow<'_> {
        let at = Timestamp::from_unix(self.at);
        let mut row = match self.total {
            Some(total) => OrderRow::new(&self.id, Money::new(total, self.currency), at),
            None => OrderRow::of_unknown_total(&self.id, self.currency, at),
        };
        row = row.with_revision(self.revision);
        if let Some(customer) = &self.customer {
            row = row.with_customer(customer);
        }
        match self.closed_at {
            Some(closed_at) => row.with_closed_at(Timestamp::from_unix(closed_at)),
            None => row,
        }
    }
}

impl Entry {
    fn row(&self) -> EntryRow<'_, Test> {
        let amount = Money::new(self.amount, self.currency);
        let at = Timestamp::from_unix(self.at);
        let mut row = EntryRow::new(&self.id, self.kind, amount, at).with_rail(self.rail);
        if let Some(reference) = &self.reference {
            row = row.with_reference(reference);
        }
        if let Some(parent) = &self.parent {
            row = row.with_parent(parent);
        }
        match &self.customer {
            Some(customer) => row.with_customer(customer),
            None => row,
        }
    }
}

/// A shop in which amounts, customers and times collide more than anywhere real.
fn shop(seed: u64) -> Vec<Row> {
    let mut rng = Rng::with_seed(seed);
    let mut rows = Vec::new();
    let orders = rng.usize(5..60);
    let days = rng.i64(1..60);
    for n in 0..orders {
        let currency = if rng.u8(0..8) == 0 {
            Currency::USD
        } else {
            Currency::EUR
        };
        let total = rng.i64(1..9) * 500 + rng.i64(0..3);
        let at = rng.i64(0..days * DAY_S);
        let customer = (rng.u8(0..10) > 0).then(|| format!("c{}", rng.usize(0..orders)));
        let order = Order {
            id: format!("A-{n}"),
            total: (rng.u8(0..15) > 0).then_some(total),
            currency,
            at,
            customer: customer.clone(),
            closed_at: (rng.u8(0..12) == 0).then(|| at + rng.i64(0..3 * DAY_S)),
            revision: 0,
        };
        if rng.u8(0..12) == 0 {
            let total = order.total.map(|total| total + 100);
            rows.push(Row::Order(Order {
                total,
                revision: 1,
                ..order.clone()
            }));
        }
        rows.push(Row::Order(order));
        pay(&mut rng, &mut rows, n, total, currency, at, customer);
    }
    rows
}

/// The entries of one order: whole or in parts, with or without reference, and what follows.
fn pay(
    rng: &mut Rng,
    rows: &mut Vec<Row>,
    n: usize,
    total: i64,
    currency: Currency,
    placed_at: i64,
    customer: Option<String>,
) {
    let latest = if rng.bool() { 7_200 } else { 4 * DAY_S };
    let at = placed_at + rng.i64(-300..latest);
    let with_reference = rng.bool();
    let with_customer = rng.u8(0..10) < 7;
    let first = if rng.u8(0..4) == 0 {
        rng.i64(1..total.max(2))
    } else {
        total
    };
    for (part, amount) in [first, total - first].into_iter().enumerate() {
        if amount <= 0 || rng.u8(0..12) == 0 {
            continue;
        }
        let reference = match rng.u8(0..6) {
            0 => format!(" a{n} "),
            _ => format!("A-{n}"),
        };
        let entry = Entry {
            id: format!("p{n}-{part}"),
            kind: EntryKind::Payment,
            amount,
            currency,
            at: at + rng.i64(0..1_800),
            reference: with_reference.then_some(reference),
            parent: None,
            customer: customer.clone().filter(|_| with_customer),
            rail: if rng.bool() { "card" } else { "boleto" },
        };
        follow(rng, rows, &entry);
        rows.push(Row::Entry(entry));
    }
}

/// Redeliveries, copies, announcements, refunds and disputes of a payment.
fn follow(rng: &mut Rng, rows: &mut Vec<Row>, entry: &Entry) {
    let child = |kind, prefix: &str, amount| Entry {
        id: format!("{prefix}{}", entry.id),
        kind,
        amount,
        at: entry.at + DAY_S,
        reference: None,
        parent: Some(entry.id.clone()),
        customer: None,
        ..entry.clone()
    };
    match rng.u8(0..20) {
        0 => rows.push(Row::Entry(Entry {
            at: entry.at + rng.i64(0..900),
            ..entry.clone()
        })),
        1 => rows.push(Row::Entry(Entry {
            id: format!("d{}", entry.id),
            ..entry.clone()
        })),
        2 => rows.push(Row::Entry(Entry {
            kind: EntryKind::PendingPayment,
            at: entry.at - 600,
            ..entry.clone()
        })),
        3 => rows.push(Row::Entry(child(EntryKind::Refund, "r", -entry.amount))),
        4 => rows.push(Row::Entry(child(EntryKind::Refund, "r", entry.amount / 2))),
        5 => rows.push(Row::Entry(child(
            EntryKind::DisputeOpened,
            "o",
            entry.amount,
        ))),
        6 => {
            rows.push(Row::Entry(child(
                EntryKind::DisputeOpened,
                "o",
                entry.amount,
            )));
            rows.push(Row::Entry(child(EntryKind::DisputeWon, "w", entry.amount)));
        }
        _ => {}
    }
}

fn batch(rows: &[Row], threads: usize) -> Batch<Test> {
    let mut policy = Policy::default();
    policy.threads = threads;
    let mut batch = Batch::new(policy);
    for row in rows {
        match row {
            Row::Order(order) => batch.order(&order.row()).unwrap(),
            Row::Entry(entry) => batch.entry(&entry.row()).unwrap(),
        }
    }
    batch
}

/// All decisions as texts, sorted: what a report says whatever the order of its rows.
fn said(report: &Report<'_>) -> Vec<String> {
    let orders = report
        .orders()
        .filter_map(|order| report.order_decision(order.row));
    let mut said: Vec<String> = report
        .entry_decisions()
        .chain(orders)
        .map(|decision| {
            let text = serde_json::to_string(&decision).unwrap();
            assert_eq!(serde_json::from_str::<Decision>(&text).unwrap(), decision);
            assert!(decision.to_string().ends_with('.'));
            text
        })
        .collect();
    said.sort();
    said
}

fn differing(a: &[String], b: &[String]) -> String {
    let differs = a.iter().zip(b).find(|(a, b)| a != b);
    differs.map_or_else(String::new, |(a, b)| format!("\n{a}\n{b}"))
}

#[test]
fn shuffled_rows_and_more_threads_change_nothing() {
    for seed in 0..SHOPS {
        let mut rows = shop(seed);
        let expected = said(&batch(&rows, 1).run());
        Rng::with_seed(seed).shuffle(&mut rows);
        for threads in [1, 3] {
            let found = said(&batch(&rows, threads).run());
            assert!(
                found == expected,
                "seed {seed}{}",
                differing(&expected, &found)
            );
        }
    }
}

#[test]
fn any_order_of_arrival_ends_in_what_the_batch_says() {
    for seed in 0..SHOPS {
        let mut rows = shop(seed);
        let batch = batch(&rows, 1);
        let report = batch.run();
        let expected = said(&report);
        let mut kinds = BTreeMap::new();
        let mut rng = Rng::with_seed(seed);
        rng.shuffle(&mut rows);
        let mut book = OrderBook::<Test>::new(Policy::default());
        let mut note = |changes: Vec<counterfoil::matching::Change>| {
            for change in changes {
                kinds.insert(change.subject, change.is);
            }
        };
        for row in &rows {
            note(match row {
                Row::Order(order) => book.order(&order.row()).unwrap(),
                Row::Entry(entry) => book.entry(&entry.row()).unwrap(),
            });
            if rng.u8(0..40) == 0 {
                note(book.advance(Timestamp::from_unix(0)));
            }
        }
        note(book.advance(Timestamp::from_unix(i64::MAX)));
        let found = said(&book.report());
        assert!(
            found == expected,
            "seed {seed}{}",
            differing(&expected, &found)
        );
        // What the book told, change by change, adds up to the same.
        for order in report.orders() {
            let told = kinds[&Subject::Order(order.id.to_owned())];
            assert_eq!(
                told,
                order.verdict.kind(),
                "seed {seed}, order {}",
                order.id
            );
        }
        assert!(
            book.advance(Timestamp::from_unix(i64::MAX)).is_empty(),
            "seed {seed}"
        );
    }
}

#[test]
fn what_references_prove_is_told_at_once() {
    let mut compared = 0;
    for seed in 0..SHOPS {
        let mut rows = shop(seed);
        for row in &mut rows {
            if let Row::Entry(entry) = row
                && entry.parent.is_none()
            {
                let number: String = entry
                    .id
                    .chars()
                    .skip_while(|c| !c.is_ascii_digit())
                    .collect();
                let number = number.split('-').next().unwrap_or_default();
                entry.reference = Some(format!("A-{number}"));
            }
        }
        let batch = batch(&rows, 1);
        let report = batch.run();
        let mut book = OrderBook::<Test>::new(Policy::default());
        let mut kinds = BTreeMap::new();
        Rng::with_seed(seed).shuffle(&mut rows);
        for row in &rows {
            let changes = match row {
                Row::Order(order) => book.order(&order.row()).unwrap(),
                Row::Entry(entry) => book.entry(&entry.row()).unwrap(),
            };
            kinds.extend(
                changes
                    .into_iter()
                    .map(|change| (change.subject, change.is)),
            );
        }
        if book.is_unsettled() {
            continue;
        }
        for order in report.orders() {
            let told = kinds[&Subject::Order(order.id.to_owned())];
            assert_eq!(
                told,
                order.verdict.kind(),
                "seed {seed}, order {}",
                order.id
            );
            compared += 1;
        }
    }
    assert!(compared > 1_000, "{compared}");
}

#[test]
fn money_is_neither_made_nor_claimed_twice() {
    for seed in 0..SHOPS {
        let rows = shop(seed);
        let batch = batch(&rows, 1);
        let report = batch.run();
        let mut by_search: HashMap<String, Vec<Rule>> = HashMap::new();
        let entries = rows.iter().filter_map(|row| match row {
            Row::Entry(entry) => Some(entry),
            Row::Order(_) => None,
        });
        for (entry, outcome) in entries.zip(report.entries()) {
            let allocations = report.allocations(outcome.row);
            if let Some(order) = outcome.order {
                let sum: i64 = allocations.iter().map(|a| a.amount.minor()).sum();
                assert_eq!(sum, entry.amount, "seed {seed}, {}", entry.id);
                let searched = outcome.rule >= Rule::CustomerAmount;
                if searched && outcome.verdict != Verdict::AlreadyApplied {
                    by_search
                        .entry(order.to_owned())
                        .or_default()
                        .push(outcome.rule);
                }
            } else {
                assert!(allocations.is_empty());
            }
        }
        for (order, rules) in by_search {
            let parts = rules
                .iter()
                .all(|rule| matches!(rule, Rule::Split | Rule::CustomerOnly));
            assert!(rules.len() == 1 || parts, "seed {seed}, {order}: {rules:?}");
        }
        for order in report.orders() {
            let above = order
                .difference_minor
                .is_some_and(|difference| difference > 0);
            let overpaid = matches!(order.verdict, Verdict::Overpaid { .. });
            assert_eq!(above, overpaid, "seed {seed}, {}", order.id);
        }
    }
}

#[test]
fn a_row_of_another_currency_changes_nothing_elsewhere() {
    for seed in 0..SHOPS {
        let mut rows = shop(seed);
        let before = said(&batch(&rows, 1).run());
        let stranger = Order {
            id: "Z".to_owned(),
            total: Some(500),
            currency: Currency::JPY,
            at: DAY_S,
            customer: Some("nobody".to_owned()),
            closed_at: None,
            revision: 0,
        };
        rows.insert(0, Row::Order(stranger));
        let after = said(&batch(&rows, 1).run());
        let after: Vec<_> = after
            .into_iter()
            .filter(|text| !text.contains("\"Z\""))
            .collect();
        assert!(before == after, "seed {seed}{}", differing(&before, &after));
    }
}

/// Orders and payments without reference, all alike but for what `vary` says.
fn crowd(count: usize, vary: impl Fn(usize, &mut Order, &mut Entry)) -> Vec<Row> {
    let mut rows = Vec::new();
    for n in 0..count {
        let at = n as i64 * 60;
        let mut order = Order {
            id: format!("A{n}"),
            total: Some(1_000),
            currency: Currency::EUR,
            at,
            customer: None,
            closed_at: None,
            revision: 0,
        };
        let mut entry = Entry {
            id: format!("p{n}"),
            kind: EntryKind::Payment,
            amount: 1_000,
            currency: Currency::EUR,
            at: at + 30,
            reference: None,
            parent: None,
            customer: None,
            rail: "card",
        };
        vary(n, &mut order, &mut entry);
        rows.extend([Row::Order(order), Row::Entry(entry)]);
    }
    rows
}

fn matched(rows: &[Row]) -> usize {
    let batch = batch(rows, 1);
    let report = batch.run();
    report
        .entries()
        .filter(|entry| entry.order.is_some())
        .count()
}

#[test]
fn equal_amounts_without_end_are_refused() {
    assert_eq!(matched(&crowd(4_000, |_, _, _| {})), 0);
}

#[test]
fn one_customer_with_twenty_thousand_orders_finishes() {
    let rows = crowd(20_000, |n, order, entry| {
        order.customer = Some("c".to_owned());
        entry.customer = Some("c".to_owned());
        order.total = Some(1_000 + n as i64);
        entry.amount = 1_000 + n as i64;
    });
    assert_eq!(matched(&rows), 20_000);
}

#[test]
fn sums_that_explode_are_refused() {
    // Every sum of two is some order's total, many times over.
    let rows = crowd(2_000, |n, order, entry| {
        order.total = Some(20_000 + (n % 50) as i64 * 2);
        entry.amount = 10_000 + (n % 50) as i64;
        order.customer = Some(format!("c{}", n % 10));
        entry.customer = (n % 2 == 0).then(|| format!("c{}", n % 10));
    });
    assert_eq!(matched(&rows), 0);
}

#[test]
fn references_that_are_parts_of_each_other_stay_apart() {
    let rows = crowd(3_000, |n, order, entry| {
        order.id = "1".repeat(n % 300 + 1) + &n.to_string();
        entry.reference = Some(order.id.clone());
    });
    let batch = batch(&rows, 1);
    let report = batch.run();
    let orders: Vec<_> = report.orders().map(|order| order.id.to_owned()).collect();
    for (entry, order) in report.entries().zip(orders) {
        assert_eq!(entry.order, Some(order.as_str()));
    }
}

#[test]
fn times_and_amounts_out_of_range_do_no_harm() {
    let ends = [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX];
    for reference in [true, false] {
        let rows = crowd(49, |n, order, entry| {
            order.at = ends[n % 7];
            entry.at = ends[n / 7];
            order.total = Some(ends[n / 7]);
            entry.amount = ends[n % 7];
            entry.reference = reference.then(|| order.id.clone());
        });
        let found = said(&batch(&rows, 1).run());
        assert_eq!(found.len(), 98);
    }
}

#[test]
fn the_same_number_in_two_currencies_is_not_the_same_amount() {
    let rows = crowd(100, |n, order, entry| {
        order.total = Some(1_000 + n as i64);
        entry.amount = 1_000 + n as i64;
        entry.currency = Currency::USD;
    });
    assert_eq!(matched(&rows), 0);
}

#[test]
fn beyond_the_budget_everything_is_refused_and_says_so() {
    let rows = crowd(10, |_, order, entry| {
        entry.reference = Some(order.id.clone())
    });
    let mut policy = Policy::default();
    policy.memory_max = Some(100);
    let mut batch = Batch::<Test>::new(policy);
    for row in &rows {
        match row {
            Row::Order(order) => batch.order(&order.row()).unwrap(),
            Row::Entry(entry) => batch.entry(&entry.row()).unwrap(),
        }
    }
    let report = batch.run();
    for entry in report.entries() {
        let text = serde_json::to_string(&entry.verdict).unwrap();
        assert!(text.contains("BUDGET_EXCEEDED"), "{text}");
    }
}
