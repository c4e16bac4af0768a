//! The search for the orders of payments that name none.
//!
//! Nothing is accepted because it is likely. A rule accepts a pair if it is the only one on both
//! sides, judged on a guard window that is much wider than the window in which it accepts. Each
//! rule runs until it finds nothing more, since every pair that leaves can make another unique.
//! What is left is refused, with a suggestion where one assignment is clearly the best.

mod assign;
mod blocks;
mod delay;
mod likely;
mod refuse;
mod sums;
mod tiers;

use std::collections::HashMap;

use self::blocks::Blocks;
use super::decide::Finding;
use super::evidence::Rule;
use super::input::EntryKind;
use super::order_entries::{OrderEntries, lines_into};
use super::policy::{Policy, Window};
use super::resolve::Resolution;
use super::standing::{by_content, fold};
use super::table::{NONE, Table};
use super::verdict::Reason;
use crate::money::Currency;

/// Finds orders for the entries of which nothing is known yet.
pub(crate) fn search(table: &Table, policy: &Policy, found: &mut Resolution) {
    let (entries, empty) = open_entries(table, found);
    if entries.is_empty() && empty.is_empty() {
        return;
    }
    let mut scene = Scene::new(table, policy, found, &entries, &empty);
    tiers::run(&mut scene);
    scene.publish(found);
}

/// The entries that are payments and have no order yet, and apart from them those of zero, which
/// are refused here.
fn open_entries(table: &Table, found: &mut Resolution) -> (Vec<u32>, Vec<u32>) {
    let (mut open, mut empty) = (Vec::new(), Vec::new());
    for (row, entry) in (0_u32..).zip(&table.entries) {
        if !found.is_open(row) || entry.parent().is_some() {
            continue;
        }
        match entry.kind {
            EntryKind::Payment | EntryKind::PendingPayment if entry.amount > 0 => open.push(row),
            EntryKind::Payment | EntryKind::PendingPayment if entry.amount == 0 => {
                found
                    .refused
                    .insert(row, Finding::Nothing(Reason::ZeroAmount));
                empty.push(row);
            }
            _ => {}
        }
    }
    (open, empty)
}

/// An order as the search sees it.
#[derive(Debug, Clone, Copy)]
struct Owed {
    row: u32,
    placed_at: i64,
    closed_at: i64,
    customer: Option<u32>,
    currency: Currency,
    /// What it still misses; `None` if its total is unknown.
    open: Option<i64>,
}

impl Owed {
    /// Whether it was not closed yet when the payment was made.
    const fn is_open_at(&self, payment: &Paid) -> bool {
        payment.at <= self.closed_at
    }
}

/// A payment as the search sees it.
#[derive(Debug, Clone, Copy)]
struct Paid {
    row: u32,
    at: i64,
    /// The end of the day where only the day is known, else `at`.
    until: i64,
    customer: Option<u32>,
    currency: Currency,
    amount: i64,
    rail: u16,
    window: Window,
}

/// The amount of money that a block shares.
type Sum = (Currency, i64);

/// All that the search looks at: orders and payments, each numbered by time.
struct Scene<'a> {
    policy: &'a Policy,
    orders: Vec<Owed>,
    payments: Vec<Paid>,
    /// Payments of zero, which no rule looks at.
    empty: Vec<Paid>,
    /// Orders by amount, and among them those of a customer and those of none.
    by_amount: Blocks<Sum>,
    by_customer_amount: Blocks<(u32, Sum)>,
    by_amount_no_customer: Blocks<Sum>,
    /// All open orders of a customer, and among them those of unknown total.
    by_customer: Blocks<u32>,
    unknown_by_customer: Blocks<u32>,
    /// Payments by amount, likewise.
    paid_by_amount: Blocks<Sum>,
    paid_by_customer_amount: Blocks<(u32, Sum)>,
    paid_by_amount_no_customer: Blocks<Sum>,
    paid_by_customer: Blocks<u32>,
    /// All payments of no customer, by time.
    paid_no_customer: Blocks<()>,
    /// What was found: the order of each payment, and the rule.
    matched: Vec<Option<(u32, Rule)>>,
    order_taken: Vec<bool>,
    /// Whether anything was taken since the ways over it were shortened.
    is_long: bool,
    /// One payment for several orders.
    shares: Vec<(u32, u32)>,
    refused: Vec<Option<Refusal>>,
    /// Payments that may be a part of one order or the whole of another.
    torn: std::collections::HashSet<u32>,
}

/// Why a payment was left, with the orders that it may belong to, best first.
#[derive(Debug, Clone)]
struct Refusal {
    finding: Finding,
    candidates: Vec<u32>,
    considered: u32,
    rule: Rule,
}

impl<'a> Scene<'a> {
    fn new(
        table: &'a Table,
        policy: &'a Policy,
        found: &Resolution,
        entries: &[u32],
        empty: &[u32],
    ) -> Self {
        let mut customers = Customers::default();
        let orders = owed(table, policy, found, &mut customers);
        let payments = paid(table, policy, entries, &mut customers);
        let empty = paid(table, policy, empty, &mut customers);
        let order = |n: u32| orders.get(n as usize);
        let payment = |n: u32| payments.get(n as usize);
        let sum = |o: &Owed| o.open.map(|open| (o.currency, open));
        let paid_sum = |p: &Paid| (p.currency, p.amount);
        let (owing, paying) = (orders.len(), payments.len());
        Self {
            by_amount: Blocks::new(owing, |n| order(n).and_then(sum)),
            by_customer_amount: Blocks::new(owing, |n| order(n)?.customer.zip(sum(order(n)?))),
            by_amount_no_customer: Blocks::new(owing, |n| {
                order(n).filter(|o| o.customer.is_none()).and_then(sum)
            }),
            by_customer: Blocks::new(owing, |n| order(n)?.customer),
            unknown_by_customer: Blocks::new(owing, |n| {
                order(n).filter(|o| o.open.is_none())?.customer
            }),
            paid_by_amount: Blocks::new(paying, |n| payment(n).map(paid_sum)),
            paid_by_customer_amount: Blocks::new(paying, |n| {
                Some((payment(n)?.customer?, paid_sum(payment(n)?)))
            }),
            paid_by_amount_no_customer: Blocks::new(paying, |n| {
                payment(n).filter(|p| p.customer.is_none()).map(paid_sum)
            }),
            paid_by_customer: Blocks::new(paying, |n| payment(n)?.customer),
            paid_no_customer: Blocks::new(paying, |n| {
                payment(n).filter(|p| p.customer.is_none()).map(|_| ())
            }),
            matched: vec![None; paying],
            order_taken: vec![false; owing],
            is_long: false,
            shares: Vec::new(),
            refused: vec![None; paying],
            torn: std::collections::HashSet::new(),
            policy,
            orders,
            payments,
            empty,
        }
    }

    fn order(&self, n: u32) -> Option<&Owed> {
        self.orders.get(n as usize)
    }

    fn payment(&self, n: u32) -> Option<&Paid> {
        self.payments.get(n as usize)
    }

    fn is_left(&self, payment: u32) -> bool {
        let matched = self.matched.get(payment as usize);
        matched.is_some_and(Option::is_none)
    }

    fn is_open(&self, order: u32) -> bool {
        self.order_taken.get(order as usize) == Some(&false)
    }

    /// The first order placed at or after `instant`.
    fn first_order(&self, instant: i64) -> u32 {
        self.orders.partition_point(|o| o.placed_at < instant) as u32
    }

    /// The first payment made at or after `instant`.
    fn first_payment(&self, instant: i64) -> u32 {
        self.payments.partition_point(|p| p.at < instant) as u32
    }

    /// Gives a payment to an order. The order is closed unless its total is unknown.
    fn accept(&mut self, payment: u32, order: u32, rule: Rule) {
        if let Some(slot) = self.matched.get_mut(payment as usize) {
            *slot = Some((order, rule));
        }
        self.is_long = true;
        self.paid_by_amount.take(payment);
        self.paid_by_customer_amount.take(payment);
        self.paid_by_amount_no_customer.take(payment);
        self.paid_by_customer.take(payment);
        self.paid_no_customer.take(payment);
        if self.order(order).is_some_and(|o| o.open.is_some()) {
            self.close(order);
        }
    }

    fn close(&mut self, order: u32) {
        if let Some(taken) = self.order_taken.get_mut(order as usize) {
            *taken = true;
        }
        self.is_long = true;
        self.by_amount.take(order);
        self.by_customer_amount.take(order);
        self.by_amount_no_customer.take(order);
        self.by_customer.take(order);
        self.unknown_by_customer.take(order);
    }

    /// Shortens the ways over what was taken.
    fn compress(&mut self) {
        if !std::mem::take(&mut self.is_long) {
            return;
        }
        self.by_amount.compress();
        self.by_customer_amount.compress();
        self.by_amount_no_customer.compress();
        self.by_customer.compress();
        self.unknown_by_customer.compress();
        self.paid_by_amount.compress();
        self.paid_by_customer_amount.compress();
        self.paid_by_amount_no_customer.compress();
        self.paid_by_customer.compress();
        self.paid_no_customer.compress();
    }

    /// Writes what was found back to the rows.
    fn publish(mut self, found: &mut Resolution) {
        for (n, payment) in self.payments.iter().enumerate() {
            let order_row = |n: u32| self.orders.get(n as usize).map_or(NONE, |o| o.row);
            if let Some(Some((order, rule))) = self.matched.get(n) {
                found.set(payment.row, order_row(*order), *rule);
            }
            let Some(refusal) = self.refused.get_mut(n).and_then(Option::take) else {
                continue;
            };
            if self.matched.get(n).is_some_and(Option::is_none) {
                found.refused.insert(payment.row, refusal.finding);
                found.set(payment.row, NONE, refusal.rule);
            }
            found.considered.insert(payment.row, refusal.considered);
            if !refusal.candidates.is_empty() {
                let rows = refusal.candidates.iter().map(|n| order_row(*n)).collect();
                found.candidates.insert(payment.row, rows);
            }
        }
        for payment in &self.empty {
            let orders = refuse::orders_of_customer(&self, payment);
            let rows = orders.iter().filter_map(|n| Some(self.order(*n)?.row));
            let rows: Vec<u32> = rows.collect();
            if !rows.is_empty() {
                found.candidates.insert(payment.row, rows);
            }
        }
        for (payment, order) in self.shares {
            let rows = self
                .payments
                .get(payment as usize)
                .zip(self.orders.get(order as usize));
            if let Some((payment, order)) = rows {
                found
                    .shares
                    .push((payment.row, order.row, order.open.unwrap_or_default()));
            }
        }
        found.shares.sort_unstable();
    }
}

/// Numbers for customers.
#[derive(Default)]
struct Customers<'t>(HashMap<&'t [u8], u32, foldhash::fast::RandomState>);

impl<'t> Customers<'t> {
    fn number(&mut self, name: &'t [u8]) -> u32 {
        let next = self.0.len() as u32;
        *self.0.entry(name).or_insert(next)
    }
}

/// The orders that still miss money, or may, by time.
fn owed<'t>(
    table: &'t Table,
    policy: &Policy,
    found: &Resolution,
    customers: &mut Customers<'t>,
) -> Vec<Owed> {
    let groups = OrderEntries::of(table, found);
    let mut lines = Vec::new();
    let mut orders = Vec::with_capacity(table.orders.len());
    for (row, order) in (0_u32..).zip(&table.orders) {
        if found.superseded.contains_key(&row) {
            continue;
        }
        let entries = groups.entries(row);
        let mut open = order.total;
        if !entries.is_empty() {
            lines_into(found, row, entries, &mut lines);
            let standing = fold(table, policy, order, &mut lines);
            open = order
                .total
                .map(|total| total.saturating_sub(standing.net()));
        }
        // What money has named already, and whose total nobody knows, is not open to others.
        if open.is_some_and(|open| open <= 0) || (open.is_none() && !entries.is_empty()) {
            continue;
        }
        orders.push(Owed {
            row,
            placed_at: order.placed_at,
            closed_at: order.closed_at,
            customer: order.customer().map(|c| customers.number(table.bytes(c))),
            currency: order.currency,
            open,
        });
    }
    orders.sort_unstable_by(|a, b| {
        let id = |o: &Owed| table.order(o.row).map(|order| table.bytes(order.id()));
        a.placed_at
            .cmp(&b.placed_at)
            .then_with(|| id(a).cmp(&id(b)))
    });
    orders
}

/// The payments that are looked for, by time.
fn paid<'t>(
    table: &'t Table,
    policy: &Policy,
    entries: &[u32],
    customers: &mut Customers<'t>,
) -> Vec<Paid> {
    const DAY_S: i64 = 86_400;
    let mut windows: HashMap<u16, Window> = HashMap::new();
    let mut payments = Vec::with_capacity(entries.len());
    for (row, entry) in entries
        .iter()
        .filter_map(|&row| Some((row, table.entry(row)?)))
    {
        let window = windows.entry(entry.rail);
        let window = *window.or_insert_with(|| policy.window(table.rail(entry.rail)));
        payments.push(Paid {
            row,
            at: entry.at,
            until: entry
                .at
                .saturating_add(if entry.day_only() { DAY_S - 1 } else { 0 }),
            customer: entry.customer().map(|c| customers.number(table.bytes(c))),
            currency: entry.currency,
            amount: entry.amount,
            rail: entry.rail,
            window,
        });
    }
    payments.sort_unstable_by(|a, b| match (table.entry(a.row), table.entry(b.row)) {
        (Some(a), Some(b)) => by_content(table, a, b),
        _ => std::cmp::Ordering::Equal,
    });
    payments
}
