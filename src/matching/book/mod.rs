//! The order book: the same matching, event by event.

mod index;
mod ledgers;
#[cfg(test)]
mod tests;

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use self::index::Index;
use self::ledgers::Ledgers;
use crate::clock::Timestamp;
use crate::matching::batch::{match_all, threads};
use crate::matching::input::{EntryKind, EntryRow, OrderRow, ProviderLink};
use crate::matching::policy::Policy;
use crate::matching::report::Report;
use crate::matching::standing::{Line, Standing, by_content, fold, repeated};
use crate::matching::table::{Entry, NONE, RowError, Span, Table};
use crate::matching::verdict::{Reason, VerdictKind};
use crate::mode::Mode;

/// Orders and entries of mode `M`, matched as they come.
///
/// Rows come in any order. What a reference, an id or a parent proves is judged at once. What
/// needs a search waits for [`OrderBook::advance`], since a pair is known to be the only one no
/// sooner than its rivals have had their time to come. In the end the book says what a
/// [`Batch`](super::Batch) of the same rows says, whatever the order of arrival.
///
/// ```
/// use counterfoil::Test;
/// use counterfoil::clock::Timestamp;
/// use counterfoil::matching::{EntryRow, OrderBook, OrderRow, Policy, VerdictKind};
/// use counterfoil::money::{Currency, Money};
///
/// let at = Timestamp::from_unix(1_767_225_600);
/// let total = Money::new(1999, Currency::EUR);
/// let mut book = OrderBook::<Test>::new(Policy::default());
/// // The payment is here before its order.
/// book.entry(&EntryRow::payment("pi_1", total, at).with_reference("A-1001"))?;
/// let changes = book.order(&OrderRow::new("A-1001", total, at))?;
/// assert!(changes.iter().all(|change| change.is == VerdictKind::Paid));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct OrderBook<M: Mode> {
    table: Table,
    policy: Policy,
    orders: Index,
    ids: Index,
    /// Entries by reference, and by parent, that wait for an order or a parent.
    waiting: Index,
    orphans: Index,
    placed: Vec<Placed>,
    /// The entries of each order as a chain: the last one here, the one before with each entry.
    last_of: Vec<u32>,
    standings: Vec<Standing>,
    ledgers: Ledgers<M>,
    /// Whether something came that only a full run can judge.
    unsettled: bool,
    mode: PhantomData<M>,
}

/// Where an entry stands.
#[derive(Debug, Clone, Copy)]
struct Placed {
    order: u32,
    before: u32,
    absorbed: bool,
    /// The verdict that was told last.
    kind: Option<VerdictKind>,
}

impl Placed {
    const NOWHERE: Self = Self {
        order: NONE,
        before: NONE,
        absorbed: false,
        kind: None,
    };
}

/// A verdict that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Change {
    /// What changed.
    pub subject: Subject,
    /// The verdict before; `None` for what is new. Where it named another order or another state,
    /// it is hereby taken back.
    pub was: Option<VerdictKind>,
    /// The verdict now. That of an order may be the one before with other amounts.
    /// [`OrderBook::report`] gives them, and the evidence.
    pub is: VerdictKind,
    /// Whether rows that may still come in time can change it.
    pub provisional: bool,
}

/// An order or an entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Subject {
    Order(String),
    Entry(String),
}

const WAITS: VerdictKind = VerdictKind::Unmatched(Reason::AwaitingWatermark);

impl<M: Mode> OrderBook<M> {
    /// An empty book.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            table: Table::new(policy.references.clone()),
            policy,
            orders: Index::default(),
            ids: Index::default(),
            waiting: Index::default(),
            orphans: Index::default(),
            placed: Vec::new(),
            last_of: Vec::new(),
            standings: Vec::new(),
            ledgers: Ledgers::default(),
            unsettled: false,
            mode: PhantomData,
        }
    }

    /// Takes an order, or a later statement of one: amended, or closed.
    ///
    /// # Errors
    /// As [`Batch::order`](super::Batch::order).
    pub fn order(&mut self, row: &OrderRow<'_>) -> Result<Vec<Change>, RowError> {
        let at = self.table.push_order(row)?;
        self.last_of.push(NONE);
        self.standings.push(Standing::default());
        let Some(order) = self.table.order(at).copied() else {
            return Ok(Vec::new());
        };
        let known = self.orders.find(&self.table, order.key());
        self.orders.put(&self.table, order.key(), at);
        let mut changes = Vec::new();
        match known.as_slice() {
            [] => {}
            [old] if self.table.order_id(*old) == self.table.order_id(at) => {
                let rank = |row: u32| self.table.order(row).map(|order| order.rank(&self.table));
                if rank(at) <= rank(*old) {
                    self.orders.remove(&self.table, order.key(), at);
                    return Ok(changes);
                }
                self.replace(*old, at);
            }
            _ => {
                self.unsettled = true;
                return Ok(changes);
            }
        }
        for entry in self.waiting.take(&self.table, order.key()) {
            self.place(entry, at);
        }
        self.judge(at, &mut changes);
        self.adopt_orphans(at, &mut changes);
        Ok(changes)
    }

    /// Takes an entry.
    ///
    /// # Errors
    /// As [`Batch::entry`](super::Batch::entry).
    pub fn entry(&mut self, row: &EntryRow<'_, M>) -> Result<Vec<Change>, RowError> {
        let at = self.table.push_entry(row)?;
        self.placed.push(Placed::NOWHERE);
        let mut changes = Vec::new();
        if let Some(order) = self.lead(at, &mut changes) {
            self.judge(order, &mut changes);
            self.adopt_orphans(order, &mut changes);
        }
        Ok(changes)
    }

    /// Takes an id of a provider that the host registered for an order. It counts from the next
    /// [`OrderBook::advance`] on.
    ///
    /// # Errors
    /// As [`Batch::link`](super::Batch::link).
    pub fn link(&mut self, link: ProviderLink<'_>) -> Result<(), RowError> {
        self.unsettled = true;
        self.table.push_link(link)
    }

    /// Says that nothing older than `watermark` will come any more, and searches for what is left.
    ///
    /// A verdict stays provisional until the watermark is two of the policy's longest guard
    /// windows past it. What changes after that, because a row came late nevertheless, is still
    /// told: nothing is taken back in silence.
    pub fn advance(&mut self, watermark: Timestamp) -> Vec<Change> {
        let threads = threads(&self.policy, self.table.rows());
        let report = match_all(&self.table, &self.policy, threads);
        let mut changes = Vec::new();
        let settled = |at: i64| {
            let wait = self.policy.longest_guard_s().saturating_mul(2);
            at.saturating_add(wait) <= watermark.unix()
        };
        let mut placed = Vec::with_capacity(self.placed.len());
        let mut last_of = vec![NONE; self.last_of.len()];
        for (row, old) in (0_u32..).zip(&self.placed) {
            let Some(entry) = self.table.entry(row).filter(|entry| !entry.is_withdrawn()) else {
                placed.push(Placed::NOWHERE);
                continue;
            };
            let order = report.found.order_of(row);
            let kind = report.entry_kind(row);
            if Some(kind) != old.kind || order != old.order {
                let at = entry.at;
                changes.push(Change {
                    subject: Subject::Entry(self.table.entry_id(row).to_owned()),
                    was: old.kind,
                    is: kind,
                    provisional: !settled(at),
                });
            }
            let last = last_of.get_mut(order as usize);
            placed.push(Placed {
                order,
                before: last.map_or(NONE, |last| std::mem::replace(last, row)),
                absorbed: report.found.absorbed.contains_key(&row),
                kind: Some(kind),
            });
        }
        for (row, (old, new)) in (0_u32..).zip(self.standings.iter().zip(&report.standings)) {
            if old != new && !report.found.superseded.contains_key(&row) {
                let at = self
                    .table
                    .order(row)
                    .map_or(i64::MAX, |order| order.placed_at);
                changes.push(Change {
                    subject: Subject::Order(self.table.order_id(row).to_owned()),
                    was: Some(old.kind),
                    is: new.kind,
                    provisional: !settled(at),
                });
            }
        }
        let standings = report.standings;
        self.standings = standings;
        self.placed = placed;
        self.last_of = last_of;
        self.unsettled = false;
        changes
    }

    /// Whether something has come that waits for [`OrderBook::advance`], beside payments without
    /// reference.
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        self.unsettled
    }

    /// All verdicts with their evidence, as a batch of the same rows gives them.
    #[must_use]
    pub fn report(&self) -> Report<'_> {
        let threads = threads(&self.policy, self.table.rows());
        match_all(&self.table, &self.policy, threads)
    }

    /// Leads an entry to its order, or tells that it has none.
    fn lead(&mut self, at: u32, changes: &mut Vec<Change>) -> Option<u32> {
        let entry = self.table.entry(at).copied()?;
        let same_id = self.ids.find(&self.table, entry.id());
        for id in self.table.other_ids(&entry).chain([entry.id()]) {
            self.ids.put(&self.table, id, at);
        }
        let order = match self.locate(at, &entry, &same_id) {
            Located::Order(order) => order,
            Located::Again(order) => {
                self.mark(at, |placed| placed.absorbed = true);
                order
            }
            Located::Nowhere(kind) => {
                self.tell_entry(at, kind, changes);
                return None;
            }
        };
        self.place(at, order);
        Some(order)
    }

    /// Finds the order of an entry by what is proven: a redelivery, a reference, a parent.
    fn locate(&mut self, at: u32, entry: &Entry, same_id: &[u32]) -> Located {
        let repeats = |other: &&u32| {
            let other = self.table.entry(**other);
            other.is_some_and(|o| {
                o.kind == entry.kind
                    && o.same_origin(entry)
                    && self.table.bytes(o.id()) == self.table.bytes(entry.id())
            })
        };
        let counts = |row: &u32| self.placed.get(*row as usize).is_some_and(|p| !p.absorbed);
        let mut same = same_id.iter().filter(repeats).copied();
        if let Some(first) = same.find(counts) {
            let earlier = self.table.entry(first).copied();
            let order = self
                .placed
                .get(first as usize)
                .map_or(NONE, |placed| placed.order);
            let after = earlier.is_some_and(|earlier| {
                by_content(&self.table, &earlier, entry) != std::cmp::Ordering::Greater
            });
            // The new one counts instead, and what it says may lead elsewhere.
            if !after {
                let text = |span: Option<Span>| span.map(|span| self.table.bytes(span));
                let leads_there_too = earlier.is_some_and(|earlier| {
                    (text(earlier.key()), text(earlier.parent()))
                        == (text(entry.key()), text(entry.parent()))
                });
                if order != NONE && leads_there_too {
                    self.mark(first, |placed| placed.absorbed = true);
                    return Located::Order(order);
                }
                self.unsettled = true;
            }
            return match order {
                NONE => Located::Nowhere(earlier.map_or(VerdictKind::AlreadyApplied, |earlier| {
                    repeated(entry, &earlier)
                })),
                order => Located::Again(order),
            };
        }
        if let Some(parent) = entry.parent() {
            let parents = self.ids.find(&self.table, parent);
            let fits = |p: &&u32| {
                let same = |p: &Entry| p.kind == EntryKind::Payment && p.same_origin(entry);
                self.table.entry(**p).is_some_and(same)
            };
            let order = parents.iter().find(fits);
            let order = order
                .and_then(|p| self.placed.get(*p as usize))
                .map(|p| p.order);
            if let Some(order) = order.filter(|order| *order != NONE) {
                return Located::Order(order);
            }
            self.orphans.put(&self.table, parent, at);
        }
        let Some(key) = entry.key() else {
            return Located::Nowhere(WAITS);
        };
        match self.orders.find(&self.table, key).as_slice() {
            [] => {
                self.waiting.put(&self.table, key, at);
                Located::Nowhere(VerdictKind::UnknownOrder)
            }
            [order] => Located::Order(*order),
            _ => {
                self.unsettled = true;
                Located::Nowhere(WAITS)
            }
        }
    }

    /// Places what waited for the payments of an order.
    fn adopt_orphans(&mut self, order: u32, changes: &mut Vec<Change>) {
        let mut adopted = false;
        for entry in self.entries_of(order) {
            // What is only announced has nothing that could be taken back.
            let arrived = |entry: &&Entry| entry.kind == EntryKind::Payment;
            let Some(kept) = self.table.entry(entry).filter(arrived).copied() else {
                continue;
            };
            let ids: Vec<Span> = self.table.other_ids(&kept).chain([kept.id()]).collect();
            for id in ids {
                for orphan in self.orphans.take(&self.table, id) {
                    match self
                        .placed
                        .get(orphan as usize)
                        .map_or(NONE, |placed| placed.order)
                    {
                        NONE => {
                            self.place(orphan, order);
                            adopted = true;
                        }
                        // Its reference and its parent name two orders.
                        other => self.unsettled |= other != order,
                    }
                }
            }
        }
        if adopted {
            self.judge(order, changes);
        }
    }

    fn place(&mut self, entry: u32, order: u32) {
        let last = self.last_of.get_mut(order as usize);
        let before = last.map_or(NONE, |last| std::mem::replace(last, entry));
        self.mark(entry, |placed| {
            (placed.order, placed.before) = (order, before)
        });
    }

    /// Moves the entries of an order to the row that replaces it.
    fn replace(&mut self, old: u32, new: u32) {
        for entry in self.entries_of(old) {
            self.mark(entry, |placed| placed.order = new);
        }
        let last = self.last_of.get_mut(old as usize);
        let last = last.map_or(NONE, |last| std::mem::replace(last, NONE));
        if let Some(slot) = self.last_of.get_mut(new as usize) {
            *slot = last;
        }
        let was = self
            .standings
            .get(old as usize)
            .copied()
            .unwrap_or_default();
        if let Some(standing) = self.standings.get_mut(new as usize) {
            *standing = was;
        }
        let key = self.table.order(new).map(|order| order.key());
        if let Some(key) = key {
            self.orders.set(key, &self.table, new);
        }
    }

    fn entries_of(&self, order: u32) -> Vec<u32> {
        let mut entries = Vec::new();
        let mut next = self.last_of.get(order as usize).copied().unwrap_or(NONE);
        while let Some(placed) = self.placed.get(next as usize) {
            entries.push(next);
            next = placed.before;
        }
        entries
    }

    fn mark(&mut self, entry: u32, change: impl FnOnce(&mut Placed)) {
        if let Some(placed) = self.placed.get_mut(entry as usize) {
            change(placed);
        }
    }

    /// Folds an order anew and tells what changed.
    fn judge(&mut self, order: u32, changes: &mut Vec<Change>) {
        let Some(kept) = self.table.order(order).copied() else {
            return;
        };
        let mut lines: Vec<Line> = self
            .entries_of(order)
            .into_iter()
            .map(|entry| {
                let placed = self.placed.get(entry as usize);
                Line::new(entry, placed.is_some_and(|placed| placed.absorbed))
            })
            .collect();
        let standing = fold(&self.table, &self.policy, &kept, &mut lines);
        for line in &lines {
            self.tell_entry(line.entry, line.kind, changes);
        }
        if let Some(slot) = self.standings.get_mut(order as usize) {
            let was = std::mem::replace(slot, standing);
            if was != standing {
                let known = was != Standing::default();
                changes.push(Change {
                    subject: Subject::Order(self.table.order_id(order).to_owned()),
                    was: known.then_some(was.kind),
                    is: standing.kind,
                    provisional: self.unsettled,
                });
            }
        }
    }

    /// Tells the verdict on an entry, unless it was told before.
    fn tell_entry(&mut self, entry: u32, is: VerdictKind, changes: &mut Vec<Change>) {
        let was = self.placed.get(entry as usize).and_then(|told| told.kind);
        if was == Some(is) {
            return;
        }
        self.mark(entry, |placed| placed.kind = Some(is));
        changes.push(Change {
            subject: Subject::Entry(self.table.entry_id(entry).to_owned()),
            was: was.filter(|was| *was != WAITS),
            is,
            provisional: self.unsettled || is == WAITS || is == VerdictKind::UnknownOrder,
        });
    }
}

/// Where an entry belongs.
enum Located {
    Order(u32),
    /// It repeats an entry of this order.
    Again(u32),
    Nowhere(VerdictKind),
}
