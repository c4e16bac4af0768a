//! Records in the order in which they were made.

use std::collections::HashMap;

/// A record that has an id.
pub(super) trait Row {
    fn id(&self) -> &str;
}

#[derive(Debug)]
pub(super) struct Table<T> {
    rows: Vec<T>,
    index: HashMap<String, usize>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            index: HashMap::new(),
        }
    }
}

impl<T: Row> Table<T> {
    pub(super) fn get(&self, id: &str) -> Option<&T> {
        self.index.get(id).and_then(|at| self.rows.get(*at))
    }

    /// Stores a record, new or changed.
    pub(super) fn put(&mut self, record: T) {
        match self.index.get(record.id()).copied() {
            Some(at) => {
                if let Some(row) = self.rows.get_mut(at) {
                    *row = record;
                }
            }
            None => {
                let _ = self.index.insert(record.id().to_owned(), self.rows.len());
                self.rows.push(record);
            }
        }
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<T> {
        let at = self.index.remove(id)?;
        let removed = self.rows.remove(at);
        for place in self.index.values_mut() {
            if *place > at {
                *place -= 1;
            }
        }
        Some(removed)
    }

    pub(super) fn oldest_first(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.rows.iter()
    }

    pub(super) fn newest_first(&self) -> impl Iterator<Item = &T> {
        self.rows.iter().rev()
    }
}
