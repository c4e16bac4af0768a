//! The batch: all rows at once.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::decide::Finding;
use super::evidence::Rule;
use super::input::{EntryRow, OrderRow, ProviderLink};
use super::join::in_threads;
use super::order_entries::{OrderEntries, lines_into};
use super::policy::Policy;
use super::report::Report;
use super::resolve::{Compare, Resolution, adopt_all, by_parent, resolve};
use super::search;
use super::standing::{Line, Standing, fold, paid_at_once};
use super::table::{Entry, Order, RowError, Table};
use super::verdict::{Reason, VerdictKind};
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
        let threads = threads(&self.policy, self.table.rows());
        if within_budget(&self.table, &self.policy) {
            match_all(&self.table, &self.policy, threads)
        } else {
            let nothing = over_budget(&self.table);
            settle(&self.table, &self.policy, nothing, threads).0
        }
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
    policy
        .memory_max
        .is_none_or(|most| table.rows().saturating_mul(BYTES_A_ROW) <= most)
}

fn over_budget(table: &Table) -> Resolution {
    let refused = (0..table.entries.len() as u32)
        .map(|row| (row, Finding::Nothing(Reason::BudgetExceeded)))
        .collect();
    Resolution {
        refused,
        ..Resolution::default()
    }
}

/// Matches all rows of a table.
pub(crate) fn match_all<'t>(table: &'t Table, policy: &'t Policy, threads: usize) -> Report<'t> {
    // A seed of its own for each run: nobody can choose keys that collide.
    match_seeded(
        table,
        policy,
        &foldhash::fast::RandomState::default(),
        threads,
    )
}

fn match_seeded<'t, S: BuildHasher + Sync>(
    table: &'t Table,
    policy: &'t Policy,
    seed: &S,
    threads: usize,
) -> Report<'t> {
    let found = resolve_all(table, policy, seed, Compare::Later, threads);
    let (report, all_agree) = settle(table, policy, found, threads);
    if all_agree {
        return report;
    }
    // A reference has the hash of another order. That is less likely than a broken machine, and it
    // may have misled more than the one entry.
    let found = resolve_all(table, policy, seed, Compare::Now, threads);
    settle(table, policy, found, threads).0
}

/// Finds the order of each entry: what is certain first, then by search.
fn resolve_all<S: BuildHasher + Sync>(
    table: &Table,
    policy: &Policy,
    seed: &S,
    compare: Compare,
    threads: usize,
) -> Resolution {
    let mut found = resolve(table, seed, compare, threads);
    // What is taken back changes how much an order still misses, so that it must be known before
    // the search; what the search finds may have children too, which follow after it.
    let has_open = || (0..table.entries.len() as u32).any(|row| found.is_open(row));
    if has_open() {
        adopt_all(table, seed, threads, &mut found);
    }
    search::search(table, policy, &mut found);
    by_parent(table, seed, threads, &mut found);
    found
}

/// Groups the entries by order and folds each group. Says too whether every entry that its
/// reference led to an order has the order's key.
fn settle<'t>(
    table: &'t Table,
    policy: &'t Policy,
    found: Resolution,
    threads: usize,
) -> (Report<'t>, bool) {
    let groups = OrderEntries::of(table, &found);
    let folded = fold_all(table, policy, &found, &groups, threads);
    let report = Report {
        table,
        policy,
        found,
        groups,
        standings: folded.standings,
        special: folded.special,
    };
    (report, folded.all_agree)
}

type Special = HashMap<u32, VerdictKind>;

/// What folding every order gives.
struct Folded {
    standings: Vec<Standing>,
    /// Most entries have the verdict of their order; these do not.
    special: Special,
    /// Whether the references agree with the orders that their hashes led them to.
    all_agree: bool,
}

fn fold_all(
    table: &Table,
    policy: &Policy,
    found: &Resolution,
    groups: &OrderEntries,
    threads: usize,
) -> Folded {
    let orders = table.orders.len();
    let stretch = orders.div_ceil(threads).max(1);
    let next = AtomicUsize::new(0);
    let all_agree = AtomicBool::new(true);
    let work = || {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let rows = (at * stretch).min(orders)..((at + 1) * stretch).min(orders);
        let mut standings = Vec::with_capacity(rows.len());
        let mut special = Vec::new();
        let mut lines = Vec::new();
        for (row, order) in rows.clone().zip(table.orders.get(rows).unwrap_or_default()) {
            groups.fetch_from(table, row);
            let row = row as u32;
            lines_into(found, row, groups.entries(row), &mut lines);
            if found.compare == Compare::Later && !agree(table, found, order, &lines) {
                all_agree.store(false, Ordering::Relaxed);
            }
            if let [line] = lines.as_slice()
                && let Some(standing) = paid_at_once(table, order, line)
            {
                standings.push(standing);
                continue;
            }
            let standing = fold(table, policy, order, &mut lines);
            let differ = lines.iter().filter(|line| line.kind != standing.kind);
            special.extend(differ.map(|line| (line.entry, line.kind)));
            standings.push(standing);
        }
        (at, standings, special)
    };
    let mut parts = in_threads(threads, &work);
    parts.sort_by_key(|(at, ..)| *at);
    let mut parts = parts.into_iter();
    let (_, mut standings, mut special) = parts.next().unwrap_or_default();
    standings.reserve_exact(orders.saturating_sub(standings.len()));
    for (_, mut part, differ) in parts {
        special.extend(differ);
        standings.append(&mut part);
    }
    Folded {
        standings,
        special: special.into_iter().collect(),
        all_agree: all_agree.into_inner(),
    }
}

/// Whether the entries that came by their reference have the key of the order, byte for byte. A
/// redelivery came by what it repeats.
fn agree(table: &Table, found: &Resolution, order: &Order, lines: &[Line]) -> bool {
    let key = table.bytes(order.key());
    lines.iter().all(|line| {
        let named = table.entry(line.entry).and_then(Entry::key);
        named.is_some_and(|named| table.bytes(named) == key)
            || found.rule_of(line.entry) != Rule::Reference
            || line.absorbed
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::matching::Verdict;
    use crate::matching::join::OneHash;
    use crate::mode::Test;
    use crate::money::{Currency, Money};

    #[test]
    fn a_thread_is_used_for_each_20_000_rows_and_64_at_most() {
        let mut policy = Policy::default();
        assert_eq!(
            [0, 19_999, 39_999].map(|rows| threads(&policy, rows)),
            [1; 3]
        );
        let cores = thread::available_parallelism().map_or(1, usize::from);
        assert_eq!(threads(&policy, 1 << 30), cores.min(64));
        for (asked, used) in [(1, 1), (64, 64), (65, 64)] {
            policy.threads = asked;
            assert_eq!(threads(&policy, 0), used);
        }
    }

    #[test]
    fn memory_grows_with_the_rows_and_a_budget_counts_64_bytes_for_each() {
        let (at, total) = (Timestamp::from_unix(0), Money::new(500, Currency::EUR));
        let over = VerdictKind::Unmatched(Reason::BudgetExceeded);
        for (most, expected) in [(128, VerdictKind::Paid), (127, over)] {
            let policy = Policy {
                memory_max: Some(most),
                ..Policy::default()
            };
            let mut batch = Batch::<Test>::new(policy);
            let empty = batch.memory();
            batch.order(&OrderRow::new("A", total, at)).unwrap();
            let payment = EntryRow::payment("p", total, at).with_reference("A");
            batch.entry(&payment).unwrap();
            assert!(batch.memory() >= empty + 3 + size_of::<Order>() + size_of::<Entry>());
            let report = batch.run();
            let found = report.entries().next().unwrap();
            assert_eq!(found.verdict.kind(), expected, "{most}");
        }
    }

    #[test]
    fn a_reference_that_has_the_hash_of_another_order_is_not_misled() {
        let (at, total) = (Timestamp::from_unix(0), Money::new(500, Currency::EUR));
        let mut batch = Batch::<Test>::new(Policy::default());
        for n in 0..50 {
            batch
                .order(&OrderRow::new(&format!("A-{n}"), total, at))
                .unwrap();
            let (id, reference) = (format!("pi_{n}"), format!("A-{}", n + 25));
            let payment = EntryRow::payment(&id, total, at);
            batch.entry(&payment.with_reference(&reference)).unwrap();
        }
        let report = match_seeded(&batch.table, &batch.policy, &OneHash, 1);
        for (n, entry) in report.entries().enumerate() {
            let expected = format!("A-{}", n + 25);
            match entry.order {
                Some(order) => assert_eq!(order, expected),
                None => assert_eq!((n >= 25, entry.verdict), (true, Verdict::UnknownOrder)),
            }
        }
        let paid = report
            .orders()
            .filter(|order| order.verdict == Verdict::Paid);
        assert_eq!(paid.count(), 25);
    }
}
