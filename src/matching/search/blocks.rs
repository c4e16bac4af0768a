//! Blocks: rows of equal key, in order of time, from which rows are taken as they are matched.

use std::collections::HashMap;
use std::hash::Hash;

/// Rows grouped by key. Rows are numbered by time, so that a block is in order of time too.
#[derive(Debug)]
pub(super) struct Blocks<K> {
    block_of: HashMap<K, (u32, u32), foldhash::fast::RandomState>,
    rows: Vec<u32>,
    /// For each place the first place at or behind it that was not taken, as far as it is known.
    next: Vec<u32>,
    place_of: Vec<u32>,
}

const NOWHERE: u32 = u32::MAX;

impl<K: Hash + Eq + Ord + Copy> Blocks<K> {
    /// Groups the rows `0..count` that have a key.
    pub(super) fn new(count: usize, key: impl Fn(u32) -> Option<K>) -> Self {
        let mut keyed: Vec<(K, u32)> = (0..count as u32)
            .filter_map(|row| key(row).map(|key| (key, row)))
            .collect();
        keyed.sort_unstable();
        let blocks = keyed.chunk_by(|a, b| a.0 == b.0).count();
        let mut block_of = HashMap::with_capacity_and_hasher(blocks, Default::default());
        let mut place_of = vec![NOWHERE; count];
        let mut start = 0;
        for block in keyed.chunk_by(|a, b| a.0 == b.0) {
            let end = start + block.len() as u32;
            if let Some((key, _)) = block.first() {
                block_of.insert(*key, (start, end));
            }
            for ((_, row), place) in block.iter().zip(start..) {
                if let Some(slot) = place_of.get_mut(*row as usize) {
                    *slot = place;
                }
            }
            start = end;
        }
        Self {
            block_of,
            rows: keyed.iter().map(|(_, row)| *row).collect(),
            next: (0..=start).collect(),
            place_of,
        }
    }

    /// Takes a row out of its block.
    pub(super) fn take(&mut self, row: u32) {
        let place = self.place_of.get(row as usize).copied().unwrap_or(NOWHERE);
        if let Some(next) = self.next.get_mut(place as usize)
            && *next == place
        {
            *next = place + 1;
        }
    }

    /// The rows left in the block of `key` from `first` on, which is a row number.
    pub(super) fn from<'b>(
        &'b self,
        key: &K,
        first: u32,
    ) -> impl Iterator<Item = u32> + use<'b, K> {
        let (start, end) = self.block_of.get(key).copied().unwrap_or_default();
        let block = self
            .rows
            .get(start as usize..end as usize)
            .unwrap_or_default();
        let mut place = start + block.partition_point(|row| *row < first) as u32;
        std::iter::from_fn(move || {
            place = self.left_from(place);
            let row = *self.rows.get(place as usize).filter(|_| place < end)?;
            place += 1;
            Some(row)
        })
    }

    fn left_from(&self, mut place: u32) -> u32 {
        while let Some(&next) = self.next.get(place as usize).filter(|next| **next != place) {
            place = next;
        }
        place
    }

    /// All rows of the block of `key` from `first` on, those too that were taken.
    pub(super) fn all_from(&self, key: &K, first: u32) -> impl Iterator<Item = u32> + use<'_, K> {
        let (start, end) = self.block_of.get(key).copied().unwrap_or_default();
        let block = self
            .rows
            .get(start as usize..end as usize)
            .unwrap_or_default();
        let place = block.partition_point(|row| *row < first);
        block.get(place..).unwrap_or_default().iter().copied()
    }

    /// Shortens the way over rows that were taken.
    pub(super) fn compress(&mut self) {
        let mut left = self.next.len() as u32;
        for (place, next) in self.next.iter_mut().enumerate().rev() {
            if *next == place as u32 {
                left = place as u32;
            } else {
                *next = left;
            }
        }
    }
}
