//! The batch: all rows at once.

use std::collections::HashMap;
use std::hint::black_box;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::decide::{Finding, VerdictKind};
use super::input::{EntryRow, OrderRow, ProviderLink};
use super::join::in_threads;
use super::policy::Policy;
use super::report::Report;
use super::resolve::{Resolution, by_parent, resolve};
use super::search;
use super::standing::{Line, Standing, fold};
use super::table::{NONE, RowError, Table};
use super::verdict::Reason;
use crate::mode::Mode;

/// Orders and entries of mode `M`, matched all at once.
///
/// ```
/// use counterfoil::Test;
/// use counterfoil::clock::Timestamp;
/// use counterfoil::matching::{Batch, EntryRow, OrderRow, Policy, Verdict};
/// use counterfoil::money::{Currency, Money};
///
/// let at = Timestamp::from_unix(1_767_225_600);
/// let euros = |minor| Money::new(minor, Currency::EUR);
/// let mut batch = Batch::<Test>::new(Policy::default());
/// batch.order(&OrderRow::new("A-1001", euros(1999), at))?;
/// batch.entry(&EntryRow::payment("pi_1", euros(1500), at).with_reference("a-1001"))?;
///
/// let report = batch.run();
/// let order = report.orders().next().ok_or("one order")?;
/// assert_eq!(order.verdict, Verdict::Underpaid { short: euros(499) });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Batch<M: Mode> {
    pub(crate) table: Table,
    pub(crate) policy: Policy,
    mode: PhantomData<M>,
}

impl<M: Mode> Batch<M> {
    /// An empty batch.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            table: Table::new(policy.references.clone()),
            policy,
            mode: PhantomData,
        }
    }

    /// Takes an order. Of two with the same id, the higher revision counts.
    ///
    /// # Errors
    /// A [`RowError`] for a row without id, with too long a text, or beyond what a batch holds.
    pub fn order(&mut self, row: &OrderRow<'_>) -> Result<(), RowError> {
        self.table.push_order(row).map(|_| ())
    }

    /// Takes an entry.
    ///
    /// # Errors
    /// As [`Batch::order`].
    pub fn entry(&mut self, row: &EntryRow<'_, M>) -> Result<(), RowError> {
        self.table.push_entry(row).map(|_| ())
    }

    /// Takes an id of a provider that the host registered for an order.
    ///
    /// # Errors
    /// As [`Batch::order`].
    pub fn link(&mut self, link: ProviderLink<'_>) -> Result<(), RowError> {
        self.table.push_link(link)
    }

    /// The bytes of memory that the rows take.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.table.memory()
    }

    /// Matches all rows. The report does not depend on the order in which they came, nor on the
    /// number of threads.
    #[must_use]
    pub fn run(&self) -> Report<'_> {
        let threads = threads(
            &self.policy,
            self.table.orders.len() + self.table.entries.len(),
        );
        let found = if within_budget(&self.table, &self.policy) {
            resolve_all(&self.table, &self.policy, threads)
        } else {
            over_budget(&self.table)
        };
        settle(&self.table, &self.policy, found, threads)
    }
}

/// How many threads a batch of so many rows uses.
pub(crate) fn threads(policy: &Policy, rows: usize) -> usize {
    // Below this a thread costs more than it brings.
    const ROWS_WORTH_A_THREAD: usize = 20_000;
    match policy.threads {
        0 => {
            let cores = thread::available_parallelism().map_or(1, usize::from);
            cores.min(rows / ROWS_WORTH_A_THREAD).clamp(1, 64)
        }
        threads => threads.min(64),
    }
}

/// The most that a run takes above its rows: see the figures in `benches/README.md`.
const BYTES_A_ROW: usize = 64;

fn within_budget(table: &Table, policy: &Policy) -> bool {
    let rows = table.orders.len() + table.entries.len();
    policy
        .memory_max
        .is_none_or(|most| rows.saturating_mul(BYTES_A_ROW) <= most)
}

fn over_budget(table: &Table) -> Resolution {
    let refused = (0..table.entries.len() as u32)
        .map(|row| (row, Finding::Nothing(Reason::BudgetExceeded)))
        .collect();
    Resolution {
        order: vec![NONE; table.entries.len()],
        rule: vec![super::evidence::Rule::None; table.entries.len()],
        refused,
        ..Resolution::default()
    }
}

/// Finds the order of each entry: what is certain first, then by search.
pub(crate) fn resolve_all(table: &Table, policy: &Policy, threads: usize) -> Resolution {
    let mut found = resolve(table, threads);
    by_parent_of_known(table, threads, &mut found);
    search::search(table, policy, &mut found);
    by_parent(table, threads, &mut found);
    found
}

/// What is taken back changes how much an order still misses, so that it must be known before the
/// search; what the search finds may have children too, which follow after it.
fn by_parent_of_known(table: &Table, threads: usize, found: &mut Resolution) {
    let has_children = table.entries.iter().any(|entry| entry.parent().is_some());
    let has_open = (0..table.entries.len() as u32).any(|row| found.is_open(row));
    if has_children && has_open {
        super::resolve::adopt_all(table, threads, found);
    }
}

/// Groups the entries by order and folds each group.
pub(crate) fn settle<'t>(
    table: &'t Table,
    policy: &'t Policy,
    found: Resolution,
    threads: usize,
) -> Report<'t> {
    let groups = Groups::of(table, &found);
    let (standings, special) = fold_all(table, policy, &found, &groups, threads);
    Report {
        table,
        policy,
        found,
        groups,
        standings,
        special,
    }
}

/// The entries of each order, side by side.
#[derive(Debug)]
pub(crate) struct Groups {
    starts: Vec<u32>,
    entries: Vec<u32>,
}

impl Groups {
    pub(crate) fn of(table: &Table, found: &Resolution) -> Self {
        let further = || {
            found
                .shares
                .iter()
                .filter(|(e, o, _)| found.order_of(*e) != *o)
        };
        let mut starts = vec![0_u32; table.orders.len() + 2];
        let mut count = |order: u32| {
            if let Some(start) = starts.get_mut(order as usize + 2) {
                *start += 1;
            }
        };
        found
            .order
            .iter()
            .filter(|o| **o != NONE)
            .for_each(|o| count(*o));
        further().for_each(|(_, order, _)| count(*order));
        let mut total = 0;
        for start in &mut starts {
            total += *start;
            *start = total;
        }
        // Filling moves each start to its end, which is the next one's start: hence the extra one.
        let mut entries = vec![0; total as usize];
        let mut put = |order: u32, entry: u32| {
            if let Some(end) = starts.get_mut(order as usize + 1) {
                if let Some(slot) = entries.get_mut(*end as usize) {
                    *slot = entry;
                }
                *end += 1;
            }
        };
        for (entry, order) in (0_u32..).zip(&found.order).filter(|(_, o)| **o != NONE) {
            put(*order, entry);
        }
        further().for_each(|(entry, order, _)| put(*order, *entry));
        Self { starts, entries }
    }

    /// Reads the entries of a range of orders. The reads do not wait for each other, so that their
    /// cache misses overlap; folding the orders afterwards finds them in the cache.
    fn fetch(&self, table: &Table, orders: std::ops::Range<usize>) {
        let last = self.starts.len().saturating_sub(1);
        let bounds = self
            .starts
            .get(orders.start)
            .zip(self.starts.get(orders.end.min(last)));
        let entries = bounds.and_then(|(from, to)| self.entries.get(*from as usize..*to as usize));
        let amounts = entries.unwrap_or_default().iter();
        let amounts = amounts
            .filter_map(|entry| table.entry(*entry))
            .map(|e| e.amount ^ e.at);
        black_box(amounts.fold(0, |all, amount| all ^ amount));
    }

    pub(crate) fn entries(&self, order: u32) -> &[u32] {
        let at = order as usize;
        let range = self.starts.get(at).zip(self.starts.get(at + 1));
        range
            .and_then(|(start, end)| self.entries.get(*start as usize..*end as usize))
            .unwrap_or_default()
    }
}

/// Of so many orders the entries are fetched at a time.
const FETCHED: usize = 256;

/// The lines of an order, ready to be folded.
pub(crate) fn lines_into(found: &Resolution, order: u32, entries: &[u32], lines: &mut Vec<Line>) {
    lines.clear();
    for &entry in entries {
        let absorbed = !found.absorbed.is_empty() && found.absorbed.contains_key(&entry);
        let mut line = Line::new(entry, absorbed);
        if !found.shares.is_empty() {
            let share = found
                .shares
                .binary_search_by_key(&(entry, order), |s| (s.0, s.1));
            line.share = share.ok().and_then(|at| found.shares.get(at)).map(|s| s.2);
        }
        lines.push(line);
    }
}

type Special = HashMap<u32, VerdictKind>;

/// Folds every order. Most entries have the verdict of their order; those that do not are given
/// apart.
fn fold_all(
    table: &Table,
    policy: &Policy,
    found: &Resolution,
    groups: &Groups,
    threads: usize,
) -> (Vec<Standing>, Special) {
    let orders = table.orders.len();
    let stretch = orders.div_ceil(threads).max(1);
    let next = AtomicUsize::new(0);
    let work = || {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let rows = (at * stretch).min(orders)..((at + 1) * stretch).min(orders);
        let mut standings = Vec::with_capacity(rows.len());
        let mut special = Vec::new();
        let mut lines = Vec::new();
        for (row, order) in rows.clone().zip(table.orders.get(rows).unwrap_or_default()) {
            if row % FETCHED == 0 {
                groups.fetch(table, row..row + FETCHED);
            }
            let row = row as u32;
            lines_into(found, row, groups.entries(row), &mut lines);
            let standing = fold(table, policy, order, &mut lines);
            let differ = lines.iter().filter(|line| line.kind != standing.kind);
            special.extend(differ.map(|line| (line.entry, line.kind)));
            standings.push(standing);
        }
        (at, standings, special)
    };
    let mut parts = in_threads(threads, &work);
    parts.sort_by_key(|(at, ..)| *at);
    let mut special = Special::new();
    let mut standings = Vec::with_capacity(if parts.len() > 1 { orders } else { 0 });
    for (at, mut part, differ) in parts {
        special.extend(differ);
        if at == 0 && part.len() == orders {
            standings = part;
        } else {
            standings.append(&mut part);
        }
    }
    (standings, special)
}
