//! Where the rows of a text are.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};

use crate::matching::table::{Span, Table};

/// Rows by text. The hash is seeded, and the bytes decide.
#[derive(Debug, Default)]
pub(super) struct Index {
    rows: HashMap<u64, Vec<(Span, u32)>, foldhash::fast::RandomState>,
    seed: foldhash::fast::RandomState,
}

impl Index {
    fn hash(&self, table: &Table, key: Span) -> u64 {
        let mut hasher = self.seed.build_hasher();
        hasher.write(table.bytes(key));
        hasher.finish()
    }

    pub(super) fn find(&self, table: &Table, key: Span) -> Vec<u32> {
        let rows = self.rows.get(&self.hash(table, key));
        let rows = rows.map(Vec::as_slice).unwrap_or_default();
        let same = rows
            .iter()
            .filter(|(span, _)| table.bytes(*span) == table.bytes(key));
        same.map(|(_, row)| *row).collect()
    }

    pub(super) fn put(&mut self, table: &Table, key: Span, row: u32) {
        let hash = self.hash(table, key);
        self.rows.entry(hash).or_default().push((key, row));
    }

    /// Takes out all rows of a key.
    pub(super) fn take(&mut self, table: &Table, key: Span) -> Vec<u32> {
        let hash = self.hash(table, key);
        let Some(rows) = self.rows.get_mut(&hash) else {
            return Vec::new();
        };
        let mut taken = Vec::new();
        rows.retain(|(span, row)| {
            let same = table.bytes(*span) == table.bytes(key);
            if same {
                taken.push(*row);
            }
            !same
        });
        if rows.is_empty() {
            self.rows.remove(&hash);
        }
        taken
    }

    /// Takes one row of a key out.
    pub(super) fn remove(&mut self, table: &Table, key: Span, row: u32) {
        let hash = self.hash(table, key);
        if let Some(rows) = self.rows.get_mut(&hash) {
            rows.retain(|(_, other)| *other != row);
            if rows.is_empty() {
                self.rows.remove(&hash);
            }
        }
    }

    /// Makes a row the only one of its key.
    pub(super) fn set(&mut self, key: Span, table: &Table, row: u32) {
        self.take(table, key);
        self.put(table, key, row);
    }
}
