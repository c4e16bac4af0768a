//! Which entries each order has.

use std::hint::black_box;
use std::ops::Range;

use super::resolve::Resolution;
use super::standing::Line;
use super::table::{Entry, NONE, Order, Table};

/// The entries of each order, side by side.
#[derive(Debug)]
pub(crate) struct OrderEntries {
    starts: Vec<u32>,
    entries: Vec<u32>,
}

impl OrderEntries {
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

    /// At each 64th order, reads the entries of it and of those up to the next 64th.
    pub(super) fn fetch_from(&self, table: &Table, order: usize) {
        const FETCHED: usize = 64;
        if order.is_multiple_of(FETCHED) {
            self.fetch(table, order..order + FETCHED);
        }
    }

    /// Reads the entries of a range of orders, and both their keys. The reads do not wait for each
    /// other, so that their cache misses overlap; folding the orders finds all in the cache.
    fn fetch(&self, table: &Table, orders: Range<usize>) {
        let last = self.starts.len().saturating_sub(1);
        let bounds = self
            .starts
            .get(orders.start)
            .zip(self.starts.get(orders.end.min(last)));
        let rows = bounds.and_then(|(from, to)| self.entries.get(*from as usize..*to as usize));
        let rows = rows.unwrap_or_default().iter();
        let entries = rows.filter_map(|row| table.entry(*row));
        // An entry may lie on two lines of the cache: its first and its last field are read.
        let records = entries
            .clone()
            .map(|entry| entry.amount ^ entry.kind as i64);
        black_box(records.fold(0, |all, record| all ^ record));
        let named = entries.filter_map(Entry::key);
        let end = orders.end.min(table.orders.len());
        let owned = table.orders.get(orders.start..end).unwrap_or_default();
        let keys = named.chain(owned.iter().map(Order::key));
        let ends = keys.map(|key| {
            let key = table.bytes(key);
            key.first().copied().unwrap_or_default() ^ key.last().copied().unwrap_or_default()
        });
        black_box(ends.fold(0, |all, end| all ^ end));
    }

    pub(crate) fn entries(&self, order: u32) -> &[u32] {
        let at = order as usize;
        let range = self.starts.get(at).zip(self.starts.get(at + 1));
        range
            .and_then(|(start, end)| self.entries.get(*start as usize..*end as usize))
            .unwrap_or_default()
    }
}

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
