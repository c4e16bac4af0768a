//! What was done under idempotency keys, for as long as a provider remembers them.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use crate::clock::Timestamp;

/// What was done, by key. What may be asked again under a key is each provider's own rule.
#[derive(Debug)]
pub(super) struct Keys<K, V> {
    done: HashMap<K, Done<V>>,
    ends: BTreeMap<(Timestamp, u64), K>,
    next: u64,
}

/// What was done under one key.
#[derive(Debug)]
pub(super) struct Done<V> {
    pub(super) what: V,
    /// Until when the first request is still running.
    pub(super) busy_until: Timestamp,
}

impl<K, V> Default for Keys<K, V> {
    fn default() -> Self {
        Self {
            done: HashMap::new(),
            ends: BTreeMap::new(),
            next: 0,
        }
    }
}

impl<K: Clone + Eq + Hash, V> Keys<K, V> {
    /// What was done under this key, if it is remembered.
    pub(super) fn find<Q>(&mut self, key: &Q, now: Timestamp) -> Option<&Done<V>>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        while let Some(first) = self.ends.first_entry()
            && first.key().0 <= now
        {
            let _ = self.done.remove(first.remove().borrow());
        }
        self.done.get(key)
    }

    /// Remembers what was done under a key until `forgotten`.
    pub(super) fn keep(&mut self, key: K, done: Done<V>, forgotten: Timestamp) {
        let _ = self.ends.insert((forgotten, self.next), key.clone());
        self.next += 1;
        let _ = self.done.insert(key, done);
    }
}
