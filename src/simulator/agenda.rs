//! What the simulated clock will bring.

use std::collections::BTreeMap;

use crate::clock::Timestamp;

/// Things to come, by their time; what falls on one instant comes in the order of planning.
#[derive(Debug)]
pub(super) struct Agenda<T> {
    tasks: BTreeMap<(Timestamp, u64), T>,
    next: u64,
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Self {
            tasks: BTreeMap::new(),
            next: 0,
        }
    }
}

impl<T> Agenda<T> {
    pub(super) fn plan(&mut self, at: Timestamp, task: T) {
        let _ = self.tasks.insert((at, self.next), task);
        self.next += 1;
    }

    /// Takes the next task that is due by `until`, and the time that it was planned for.
    pub(super) fn take_due(&mut self, until: Timestamp) -> Option<(Timestamp, T)> {
        let entry = self.tasks.first_entry()?;
        let (at, _) = *entry.key();
        (at <= until).then(|| (at, entry.remove()))
    }
}
