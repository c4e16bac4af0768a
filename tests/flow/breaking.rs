//! A store whose connection breaks just where a test says: nothing is done then.

use std::sync::Mutex;

use counterfoil::cashier::{Batch, Commit, MemoryStore, OrderRow, Store};
use counterfoil::id::OrderId;
use counterfoil::{Effect, Error, ErrorKind, Result};

use super::layer::{Layer, Layered};

pub type BreakingStore = Layered<Breaks>;

#[derive(Debug, Default)]
pub struct Breaks {
    inner: MemoryStore,
    /// How many calls still go well before one breaks.
    commits: Mutex<Option<u32>>,
    reads: Mutex<Option<u32>>,
}

impl BreakingStore {
    /// Breaks one commit after `good` ones.
    pub fn break_commit(&self, good: u32) {
        *self.0.commits.lock().unwrap() = Some(good);
    }

    /// Breaks one reading of an order after `good` ones.
    pub fn break_read(&self, good: u32) {
        *self.0.reads.lock().unwrap() = Some(good);
    }
}

fn pass(left: &Mutex<Option<u32>>) -> Result<()> {
    let mut left = left.lock().unwrap();
    match *left {
        Some(0) => {
            *left = None;
            let broken = Error::new(ErrorKind::Unavailable, "the connection broke");
            Err(broken.with_effect(Effect::NotApplied))
        }
        good => {
            *left = good.map(|good| good - 1);
            Ok(())
        }
    }
}

impl Layer for Breaks {
    fn inner(&self) -> &dyn Store {
        &self.inner
    }

    async fn commit(&self, batch: Batch) -> Result<Commit> {
        pass(&self.commits)?;
        self.inner.commit(batch).await
    }

    async fn order(&self, id: &OrderId) -> Result<Option<OrderRow>> {
        pass(&self.reads)?;
        self.inner.order(id).await
    }
}
