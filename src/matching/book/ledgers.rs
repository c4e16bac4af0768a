//! Payments that are told of by their ledgers, and again whenever more is known of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Change, OrderBook, Placed, Subject};
use crate::id::{Namespace, PaymentId, Reference};
use crate::ledger::Ledger;
use crate::matching::feed::entries_of;
use crate::matching::table::{Entry, NONE, RowError, Span, Table};
use crate::matching::verdict::{Reason, VerdictKind};
use crate::mode::Mode;
use crate::payment::Payment;

/// What has become of an entry that its payment's ledger states no more.
const WITHDRAWN: VerdictKind = VerdictKind::Unmatched(Reason::Withdrawn);

impl<M: Mode> OrderBook<M> {
    /// Takes what is known of a payment, its refunds and its disputes: all of it, or no more than
    /// one event says.
    ///
    /// Hand a ledger over whenever something was added to it. The book joins it to what it was
    /// told of the payment before, so that ledgers may come late, twice and in any order. What the
    /// payment's entries said before is taken back: a capture that has grown counts once, and a
    /// refund that was known only by the provider's sum gives way to its own entry. The changes
    /// are those of the whole step, and nothing between is told.
    ///
    /// The book keeps a copy of the ledger, which is about a kilobyte.
    ///
    /// ```
    /// use counterfoil::Test;
    /// use counterfoil::clock::Timestamp;
    /// use counterfoil::id::{Namespace, PaymentId, ProviderName};
    /// use counterfoil::ledger::Ledger;
    /// use counterfoil::matching::{OrderBook, OrderRow, Policy, VerdictKind};
    /// use counterfoil::money::{Currency, Money};
    /// use counterfoil::payment::{Payment, PaymentStatus};
    ///
    /// let (shop, total) = (Namespace::new("shop")?, Money::new(1000, Currency::EUR));
    /// let mut book = OrderBook::<Test>::new(Policy::default());
    /// book.order(&OrderRow::new("A-1001", total, Timestamp::from_unix(1)))?;
    /// let mut payment = Payment::new(
    ///     PaymentId::new(ProviderName::new("psp")?, "pi_1")?,
    ///     PaymentStatus::Captured,
    ///     total,
    ///     Timestamp::from_unix(2),
    /// );
    /// payment.reference = Some("shop:A-1001:1".parse()?);
    /// for (captured, verdict) in [(400, VerdictKind::Underpaid), (1000, VerdictKind::Paid)] {
    ///     payment.captured = Money::new(captured, Currency::EUR);
    ///     let mut ledger = Ledger::new();
    ///     ledger.add_payment(payment.clone())?;
    ///     let changes = book.ledger(&ledger, &shop)?;
    ///     assert!(changes.iter().all(|change| change.is == verdict));
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`OrderBook::entry`]; nothing is changed then.
    pub fn ledger(
        &mut self,
        ledger: &Ledger<M>,
        namespace: &Namespace,
    ) -> Result<Vec<Change>, RowError> {
        let mut all = ledger.clone();
        let (mut rows, mut joined) = (Vec::new(), Vec::new());
        for known in self.ledgers.like(ledger) {
            // Two payments of one checkout stay two.
            if let Some(told) = self.ledgers.told.get(&known)
                && all.add_all(&told.ledger).is_ok()
            {
                rows.extend(&told.rows);
                joined.push(known);
            }
        }
        let mut stated = Table::new(self.policy.references.clone());
        entries_of(&all, namespace, |row| stated.push_entry(row).map(drop))?;
        let (rows, changes) = self.restate(rows, &stated)?;
        self.ledgers.put(Told { ledger: all, rows }, &joined);
        Ok(changes)
    }

    /// Makes `old`, which are all rows of one payment, say what `stated` says. Returns the rows that
    /// do, and what changed.
    fn restate(
        &mut self,
        mut old: Vec<u32>,
        stated: &Table,
    ) -> Result<(Vec<u32>, Vec<Change>), RowError> {
        let mut slots = Vec::with_capacity(stated.entries.len());
        let mut is_news = false;
        for entry in &stated.entries {
            let slot = self.slot_for(entry, stated, &old);
            let slot = slot.map(|place| old.swap_remove(place));
            is_news |= slot.is_none_or(|row| !self.says(row, stated, entry));
            slots.push(slot);
        }
        if !is_news && old.is_empty() {
            return Ok((slots.into_iter().flatten().collect(), Vec::new()));
        }
        // All text is taken in before anything changes, so that an error changes nothing.
        let entries = self.table.copies_of(stated)?;
        let mut changes = Vec::new();
        let mut orders = self.lift(slots.iter().flatten().chain(&old));
        for row in old {
            changes.extend(self.withdraw(row));
        }
        let mut rows = Vec::with_capacity(entries.len());
        for (slot, entry) in slots.into_iter().zip(entries) {
            rows.push(match slot {
                Some(row) => self.table.set_entry(row, entry),
                None => {
                    self.placed.push(Placed::NOWHERE);
                    self.table.add_entry(entry)
                }
            });
        }
        for row in &rows {
            orders.extend(self.lead(*row, &mut changes));
        }
        for order in orders {
            self.judge(order, &mut changes);
            self.adopt_orphans(order, &mut changes);
        }
        Ok((rows, changes))
    }

    /// The place among `rows` of the one that says nearest to what `entry` says: the same, or the
    /// same kind of entry with the same id, or at least one with the same id.
    fn slot_for(&self, entry: &Entry, stated: &Table, rows: &[u32]) -> Option<usize> {
        let id = stated.bytes(entry.id());
        let of_same_id = rows.iter().enumerate().filter_map(|(place, row)| {
            let old = self.table.entry(*row)?;
            let rank = (!self.says(*row, stated, entry), old.kind != entry.kind);
            (self.table.bytes(old.id()) == id).then_some((rank, place))
        });
        of_same_id.min().map(|(_, place)| place)
    }

    fn says(&self, row: u32, stated: &Table, entry: &Entry) -> bool {
        let old = self.table.entry(row);
        old.is_some_and(|old| self.table.says_the_same(old, stated, entry))
    }

    /// Takes entries out of wherever they stand, and returns the orders that they were in.
    fn lift<'r>(&mut self, rows: impl Iterator<Item = &'r u32>) -> BTreeSet<u32> {
        let (mut orders, mut names) = (BTreeSet::new(), Vec::new());
        for row in rows {
            let Some(entry) = self.table.entry(*row).copied() else {
                continue;
            };
            for id in self.table.other_ids(&entry).chain([entry.id()]) {
                self.ids.remove(&self.table, id, *row);
                names.push(id);
            }
            if let Some(key) = entry.key() {
                self.waiting.remove(&self.table, key, *row);
            }
            if let Some(parent) = entry.parent() {
                self.orphans.remove(&self.table, parent, *row);
            }
            orders.extend(self.unplace(*row));
        }
        // Another delivery of them, or what they are the payment of, may lead elsewhere from now on.
        let others = |name: &Span| !self.ids.find(&self.table, *name).is_empty();
        let children = orders.iter().flat_map(|order| self.entries_of(*order));
        let mut parents = children.filter_map(|row| self.table.entry(row)?.parent());
        let is_name = |parent: Span| {
            let parent = self.table.bytes(parent);
            names.iter().any(|name| self.table.bytes(*name) == parent)
        };
        self.unsettled |= names.iter().any(others) || parents.any(is_name);
        orders
    }

    /// Takes an entry out of the chain of its order.
    fn unplace(&mut self, row: u32) -> Option<u32> {
        let placed = *self.placed.get(row as usize)?;
        self.mark(row, |now| {
            let kind = now.kind;
            *now = Placed {
                kind,
                ..Placed::NOWHERE
            };
        });
        let order = Some(placed.order).filter(|order| *order != NONE)?;
        if let Some(last) = self.last_of.get_mut(order as usize)
            && *last == row
        {
            *last = placed.before;
        }
        for other in self.entries_of(order) {
            self.mark(other, |other| {
                if other.before == row {
                    other.before = placed.before;
                }
            });
        }
        Some(order)
    }

    /// Takes back an entry that stands nowhere any more.
    fn withdraw(&mut self, row: u32) -> Option<Change> {
        let was = self.placed.get(row as usize)?.kind;
        let subject = Subject::Entry(self.table.entry_id(row).to_owned());
        self.table.set_entry(row, Entry::WITHDRAWN);
        Some(Change {
            subject,
            was,
            is: WITHDRAWN,
            provisional: self.unsettled,
        })
    }
}

/// The ledgers that a book was told of, found by what they are about.
#[derive(Debug)]
pub(super) struct Ledgers<M: Mode> {
    told: BTreeMap<usize, Told<M>>,
    about: HashMap<About<M>, BTreeSet<usize>>,
    next: usize,
}

/// A ledger, and the rows that state it.
#[derive(Debug)]
struct Told<M: Mode> {
    ledger: Ledger<M>,
    rows: Vec<u32>,
}

/// What leads from one ledger of a payment to another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum About<M: Mode> {
    Payment(PaymentId<M>),
    Attempt(Reference),
}

impl<M: Mode> Default for Ledgers<M> {
    fn default() -> Self {
        Self {
            told: BTreeMap::new(),
            about: HashMap::new(),
            next: 0,
        }
    }
}

impl<M: Mode> Ledgers<M> {
    /// The ledgers that may be of the same payment.
    fn like(&self, ledger: &Ledger<M>) -> BTreeSet<usize> {
        let known = about(ledger).filter_map(|about| self.about.get(&about));
        known.flatten().copied().collect()
    }

    /// Keeps a ledger in place of those that were joined to it.
    fn put(&mut self, told: Told<M>, replaced: &[usize]) {
        for old in replaced {
            let Some(old_told) = self.told.remove(old) else {
                continue;
            };
            for about in about(&old_told.ledger) {
                if let Some(known) = self.about.get_mut(&about) {
                    known.remove(old);
                }
            }
        }
        for about in about(&told.ledger) {
            self.about.entry(about).or_default().insert(self.next);
        }
        self.told.insert(self.next, told);
        self.next += 1;
    }
}

/// The names under which a ledger's payment may be known.
fn about<M: Mode>(ledger: &Ledger<M>) -> impl Iterator<Item = About<M>> {
    let payment = ledger.payment();
    let attempt = payment.and_then(|payment| payment.reference.clone());
    let ids = payment.into_iter().flat_map(Payment::ids);
    let ids = ids
        .chain(ledger.captures().map(|capture| &capture.payment))
        .chain(ledger.refunds().map(|refund| &refund.payment))
        .chain(ledger.disputes().map(|dispute| &dispute.payment));
    let ids = ids.cloned().map(About::Payment);
    ids.chain(attempt.map(About::Attempt))
}
