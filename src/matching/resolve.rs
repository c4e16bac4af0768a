//! What is certain without any search: redeliveries, references, registered ids, parents.

use std::collections::HashMap;
use std::hash::BuildHasher;

use super::decide::Finding;
use super::evidence::Rule;
use super::input::EntryKind;
use super::join::{Joined, Side, hashes, join, join_by_hash};
use super::remittance;
use super::standing::by_content;
use super::table::{NONE, Span, Table};
use super::verdict::Reason;

/// When the references are compared with the keys of the orders that their hashes led them to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Compare {
    /// At once.
    #[default]
    Now,
    /// When the orders are folded, which reads their entries anyway.
    Later,
}

/// Where the entries belong, as far as it is known.
#[derive(Debug, Default)]
pub(crate) struct Resolution {
    /// When references are compared.
    pub(crate) compare: Compare,
    /// The order of each entry, or [`NONE`].
    pub(crate) order: Vec<u32>,
    /// The rule that led there.
    pub(crate) rule: Vec<Rule>,
    /// Why an entry has no order. What has none here either is left to the search.
    pub(crate) refused: HashMap<u32, Finding>,
    /// The orders that a refused entry may belong to, best first, and how many were looked at.
    pub(crate) candidates: HashMap<u32, Vec<u32>>,
    /// How many orders the search looked at for an entry that no rule could place at first.
    pub(crate) considered: HashMap<u32, u32>,
    /// Redeliveries, with the entry that counts.
    pub(crate) absorbed: HashMap<u32, u32>,
    /// Rows of an order that is stated better by another row.
    pub(crate) superseded: HashMap<u32, u32>,
    /// Entries that pay several orders: the entry, the order, the amount. Sorted.
    pub(crate) shares: Vec<(u32, u32, i64)>,
}

impl Resolution {
    pub(crate) fn set(&mut self, entry: u32, order: u32, rule: Rule) {
        if let Some(slot) = self.order.get_mut(entry as usize) {
            *slot = order;
        }
        if let Some(slot) = self.rule.get_mut(entry as usize) {
            *slot = rule;
        }
    }

    pub(crate) fn order_of(&self, entry: u32) -> u32 {
        self.order.get(entry as usize).copied().unwrap_or(NONE)
    }

    pub(crate) fn rule_of(&self, entry: u32) -> Rule {
        self.rule.get(entry as usize).copied().unwrap_or_default()
    }

    fn refuse(&mut self, entry: u32, finding: Finding, candidates: Vec<u32>) {
        self.refused.insert(entry, finding);
        if !candidates.is_empty() {
            self.candidates.insert(entry, candidates);
        }
    }

    /// Whether nothing is known about the entry yet.
    #[inline]
    pub(crate) fn is_open(&self, entry: u32) -> bool {
        self.order_of(entry) == NONE
            && !self.refused.contains_key(&entry)
            && !self.absorbed.contains_key(&entry)
    }
}

/// Finds what ids and references prove.
pub(crate) fn resolve<S: BuildHasher + Sync>(
    table: &Table,
    seed: &S,
    compare: Compare,
    threads: usize,
) -> Resolution {
    let keys = Side {
        rows: table.orders.len(),
        text: table.arena(),
        key: |row: usize| table.orders.get(row).map(super::table::Order::key),
    };
    let references = Side {
        rows: table.entries.len(),
        text: table.arena(),
        key: |row: usize| table.entries.get(row).and_then(super::table::Entry::key),
    };
    let bytes = |span: Option<Span>| span.map(|span| table.bytes(span));
    let [of_orders] = hashes(seed, keys.rows, threads, |row| [bytes((keys.key)(row))]);
    // References and ids stand side by side, so that reading them together is half the work.
    let [of_references, of_ids] = hashes(seed, references.rows, threads, |row| {
        let named = bytes((references.key)(row));
        [named, bytes(id_of(table, row))]
    });
    let Joined { first, repeated } = match compare {
        Compare::Now => join(&keys, &references, seed, threads),
        Compare::Later => join_by_hash(&keys, &of_orders, &of_references, threads),
    };
    let mut found = Resolution {
        compare,
        order: first,
        rule: vec![Rule::None; table.entries.len()],
        ..Resolution::default()
    };
    let same_key = Groups::of(&repeated);
    supersede(table, &same_key, &mut found);
    let same_id = same_ids(table, &of_ids, threads);
    absorb(table, &same_id, &mut found);
    by_reference(table, &same_key, &mut found);
    by_registered_id(table, &keys, &same_key, seed, threads, &mut found);
    by_text(table, &keys, &same_key, seed, threads, &mut found);
    by_same_id(table, &same_id, &mut found);
    found
}

/// Rows that share a key: the first of them leads to all.
struct Groups(HashMap<u32, Vec<u32>>);

impl Groups {
    fn of(repeated: &[(u32, u32)]) -> Self {
        let mut groups: HashMap<u32, Vec<u32>> = HashMap::new();
        for &(row, first) in repeated {
            groups.entry(first).or_insert_with(|| vec![first]).push(row);
        }
        Self(groups)
    }

    /// The rows that share the key of `first`, which is one of them.
    fn members(&self, first: u32) -> Vec<u32> {
        self.0.get(&first).cloned().unwrap_or_else(|| vec![first])
    }
}

/// Of the rows that state the same order, the highest revision counts; of equal ones, whichever
/// is larger by content, so that the order of arrival decides nothing.
fn supersede(table: &Table, same_key: &Groups, found: &mut Resolution) {
    for members in same_key.0.values() {
        let mut best: HashMap<&str, u32> = HashMap::new();
        let rank = |row: u32| table.order(row).map(|order| order.rank(table));
        for &row in members {
            let winner = best.entry(table.order_id(row)).or_insert(row);
            if rank(row) > rank(*winner) {
                *winner = row;
            }
        }
        for &row in members {
            if let Some(&winner) = best.get(table.order_id(row)).filter(|&&best| best != row) {
                found.superseded.insert(row, winner);
            }
        }
    }
}

/// Settles the references: the join named the first order of the same key.
fn by_reference(table: &Table, same_key: &Groups, found: &mut Resolution) {
    for (order, rule) in found.order.iter().zip(&mut found.rule) {
        if *order != NONE {
            *rule = Rule::Reference;
        }
    }
    if same_key.0.is_empty() {
        return;
    }
    for entry in 0..table.entries.len() as u32 {
        let first = found.order_of(entry);
        if !same_key.0.contains_key(&first) {
            continue;
        }
        let reference = table.entry(entry).and_then(super::table::Entry::reference);
        let raw = reference.map_or("", |span| table.text(span));
        let orders = orders_named(table, same_key, found, first, raw);
        match orders.as_slice() {
            [order] => found.set(entry, *order, Rule::Reference),
            _ => {
                found.set(entry, NONE, Rule::Reference);
                found.refuse(entry, Finding::Ambiguous, orders);
            }
        }
    }
}

/// Of the orders that share a key, the one whose id is `raw` byte for byte, or else all.
fn orders_named(
    table: &Table,
    same_key: &Groups,
    found: &Resolution,
    first: u32,
    raw: &str,
) -> Vec<u32> {
    let mut standing = same_key.members(first);
    standing.retain(|row| !found.superseded.contains_key(row));
    if let Some(&exact) = standing.iter().find(|&&row| table.order_id(row) == raw) {
        return vec![exact];
    }
    standing.sort_by_key(|&row| table.order_id(row));
    standing
}

/// The id of an entry, unless it is withdrawn.
fn id_of(table: &Table, row: usize) -> Option<Span> {
    let entry = table.entries.get(row).filter(|entry| !entry.is_withdrawn());
    entry.map(super::table::Entry::id)
}

/// The entries that share their id.
fn same_ids(table: &Table, of_ids: &[u64], threads: usize) -> Groups {
    let ids = Side {
        rows: table.entries.len(),
        text: table.arena(),
        key: |row: usize| id_of(table, row),
    };
    Groups::of(&join_by_hash(&ids, of_ids, &[], threads).repeated)
}

/// Absorbs redeliveries: entries with the source, account, id and kind of another.
fn absorb(table: &Table, same_id: &Groups, found: &mut Resolution) {
    for members in same_id.0.values() {
        let mut sorted = members.clone();
        sorted.sort_by(|&a, &b| match (table.entry(a), table.entry(b)) {
            (Some(a), Some(b)) => by_content(table, a, b),
            _ => std::cmp::Ordering::Equal,
        });
        let mut counted: Vec<u32> = Vec::new();
        for row in sorted {
            let Some(entry) = table.entry(row) else {
                continue;
            };
            let same = |&&other: &&u32| {
                let other = table.entry(other);
                other.is_some_and(|other| other.kind == entry.kind && other.same_origin(entry))
            };
            match counted.iter().find(same) {
                Some(&first) => {
                    found.absorbed.insert(row, first);
                }
                None => counted.push(row),
            }
        }
    }
}

/// Looks up the ids that the host registered, for entries that no reference led home. All ids of
/// an entry count alike: where they name several orders, none of them is taken.
fn by_registered_id<K, S>(
    table: &Table,
    keys: &Side<'_, K>,
    same_key: &Groups,
    seed: &S,
    threads: usize,
    found: &mut Resolution,
) where
    K: Fn(usize) -> Option<Span> + Sync,
    S: BuildHasher + Sync,
{
    if table.links.is_empty() {
        return;
    }
    let link_ids = Side {
        rows: table.links.len(),
        text: table.arena(),
        key: |row: usize| table.links.get(row).map(|link| link.provider_id),
    };
    let link_orders = Side {
        rows: table.links.len(),
        text: table.arena(),
        key: |row: usize| table.links.get(row).map(|link| link.order_key),
    };
    let order_of_link = join(keys, &link_orders, seed, threads).first;
    let mut probes: Vec<(u32, Span)> = Vec::new();
    for row in (0..table.entries.len() as u32).filter(|&row| found.is_open(row)) {
        if let Some(entry) = table.entry(row) {
            let ids = table
                .other_ids(entry)
                .chain([entry.id()])
                .chain(entry.parent());
            probes.extend(ids.map(|id| (row, id)));
        }
    }
    let wanted = Side {
        rows: probes.len(),
        text: table.arena(),
        key: |row: usize| probes.get(row).map(|(_, id)| *id),
    };
    let Joined { first, repeated } = join(&link_ids, &wanted, seed, threads);
    let same_id = Groups::of(&repeated);
    let mut named: Vec<(u32, u32)> = Vec::new();
    for ((entry, _), first) in probes.iter().zip(first).filter(|(_, link)| *link != NONE) {
        for link in same_id.members(first) {
            let order = order_of_link.get(link as usize).filter(|o| **o != NONE);
            if let (Some(link), Some(order)) = (table.links.get(link as usize), order) {
                let orders = orders_named(table, same_key, found, *order, table.text(link.order));
                named.extend(orders.into_iter().map(|order| (*entry, order)));
            }
        }
    }
    lead_where_named(table, &named, Rule::RegisteredId, found);
}

/// Leads each entry to the order that it names, given as pairs of both, entry by entry. One that
/// names several is refused.
fn lead_where_named(table: &Table, named: &[(u32, u32)], rule: Rule, found: &mut Resolution) {
    for pairs in named.chunk_by(|a, b| a.0 == b.0) {
        let mut orders: Vec<u32> = pairs.iter().map(|(_, order)| *order).collect();
        orders.sort_by_key(|&order| table.order_id(order));
        orders.dedup();
        let Some((entry, _)) = pairs.first() else {
            continue;
        };
        match orders.as_slice() {
            [order] => found.set(*entry, *order, rule),
            _ => found.refuse(*entry, Finding::Ambiguous, orders),
        }
    }
}

/// Looks up what free text may name; then settles every entry whose reference led nowhere.
fn by_text<K, S>(
    table: &Table,
    keys: &Side<'_, K>,
    same_key: &Groups,
    seed: &S,
    threads: usize,
    found: &mut Resolution,
) where
    K: Fn(usize) -> Option<Span> + Sync,
    S: BuildHasher + Sync,
{
    let mut text = String::new();
    let mut probes: Vec<(u32, Span)> = Vec::new();
    for row in (0..table.entries.len() as u32).filter(|&row| found.is_open(row)) {
        let free = table.entry(row).and_then(super::table::Entry::free_text);
        let Some(free) = free else { continue };
        for reference in remittance::references(table.text(free), table.rules()) {
            let key = table.rules().normalise(&reference);
            let (start, len) = (u32::try_from(text.len()), u16::try_from(key.len()));
            if let (Ok(start), Ok(len)) = (start, len) {
                text.push_str(&key);
                probes.push((row, Span { start, len }));
            }
        }
    }
    if !probes.is_empty() {
        let wanted = Side {
            rows: probes.len(),
            text: text.as_bytes(),
            key: |row: usize| probes.get(row).map(|(_, span)| *span),
        };
        let orders = join(keys, &wanted, seed, threads).first;
        let mut named: Vec<(u32, u32)> = Vec::new();
        for ((entry, _), first) in probes.iter().zip(orders).filter(|(_, o)| *o != NONE) {
            let orders = orders_named(table, same_key, found, first, "");
            named.extend(orders.into_iter().map(|order| (*entry, order)));
        }
        lead_where_named(table, &named, Rule::Remittance, found);
    }
    for row in 0..table.entries.len() as u32 {
        let entry = table.entry(row).filter(|_| found.is_open(row));
        if entry.is_some_and(|e| e.reference().is_some() && e.parent().is_none()) {
            found.refuse(row, Finding::UnknownReference, Vec::new());
        }
    }
}

/// An announced payment and its arrival have one id, and often one of them lacks the reference.
fn by_same_id(table: &Table, same_id: &Groups, found: &mut Resolution) {
    for members in same_id.0.values() {
        for &row in members {
            let Some(entry) = table.entry(row).filter(|_| found.is_open(row)).copied() else {
                continue;
            };
            let twin = members.iter().find(|&&other| {
                let fits = |other: &super::table::Entry| {
                    other.same_origin(&entry) && other.kind.is_payment() && entry.kind.is_payment()
                };
                found.order_of(other) != NONE && table.entry(other).is_some_and(fits)
            });
            if let Some(order) = twin.map(|&other| found.order_of(other)) {
                found.set(row, order, Rule::Parent);
            }
        }
    }
}

/// Leads what takes money back to the order of its payment, where that has one.
pub(crate) fn adopt_all<S: BuildHasher + Sync>(
    table: &Table,
    seed: &S,
    threads: usize,
    found: &mut Resolution,
) {
    if !table.has_parents() {
        return;
    }
    let children: Vec<(u32, Span)> = (0..table.entries.len() as u32)
        .filter(|row| !found.absorbed.contains_key(row))
        .filter_map(|row| Some((row, table.entry(row)?.parent()?)))
        .collect();
    if children.is_empty() {
        return;
    }
    let mut owners: Vec<(u32, Span)> = Vec::new();
    for (row, entry) in (0_u32..).zip(&table.entries) {
        if entry.kind == EntryKind::Payment && !found.absorbed.contains_key(&row) {
            let ids = table.other_ids(entry).chain([entry.id()]);
            owners.extend(ids.map(|id| (row, id)));
        }
    }
    let ids = Side {
        rows: owners.len(),
        text: table.arena(),
        key: |row: usize| owners.get(row).map(|(_, id)| *id),
    };
    let parents = Side {
        rows: children.len(),
        text: table.arena(),
        key: |row: usize| children.get(row).map(|(_, id)| *id),
    };
    let Joined { first, repeated } = join(&ids, &parents, seed, threads);
    let same = Groups::of(&repeated);
    for ((child, _), first) in children.iter().zip(first) {
        adopt(table, &owners, &same, *child, first, found);
    }
}

/// Leads what takes money back to the order of its payment, once payments have theirs; then the
/// redeliveries to the order of what they repeat.
pub(crate) fn by_parent<S: BuildHasher + Sync>(
    table: &Table,
    seed: &S,
    threads: usize,
    found: &mut Resolution,
) {
    adopt_all(table, seed, threads, found);
    for row in 0..table.entries.len() as u32 {
        let open = table.entry(row).filter(|_| found.is_open(row));
        if open.is_some_and(|entry| !entry.kind.is_payment()) {
            found.refuse(row, Finding::Nothing(Reason::OrphanRefund), Vec::new());
        }
    }
    let absorbed: Vec<_> = found
        .absorbed
        .iter()
        .map(|(&row, &first)| (row, first))
        .collect();
    for (row, first) in absorbed {
        found.set(row, found.order_of(first), found.rule_of(first));
    }
}

/// Gives a child the order of its parent; of parents with the same id, the one of its own account.
fn adopt(
    table: &Table,
    owners: &[(u32, Span)],
    same: &Groups,
    child: u32,
    first: u32,
    found: &mut Resolution,
) {
    if first == NONE {
        return;
    }
    let Some(entry) = table.entry(child) else {
        return;
    };
    let mut parents: Vec<u32> = same
        .members(first)
        .into_iter()
        .filter_map(|at| owners.get(at as usize).map(|(row, _)| *row))
        .collect();
    parents.dedup();
    if parents.len() > 1 {
        parents.retain(|&row| table.entry(row).is_some_and(|p| p.same_origin(entry)));
    }
    // Captures of one payment are several parents of one order.
    let mut orders: Vec<u32> = parents.iter().map(|row| found.order_of(*row)).collect();
    orders.dedup();
    if let [order] = orders.as_slice()
        && *order != NONE
    {
        found.refused.remove(&child);
        found.candidates.remove(&child);
        found.set(child, *order, Rule::Parent);
    }
}
