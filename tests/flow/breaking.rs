//! A store whose connection breaks just where a test says: nothing is done then.

use std::sync::Mutex;

use async_trait::async_trait;
use counterfoil::cashier::{
    Backlog, Batch, Commit, EventRow, LeasedConfirmation, MemoryStore, NoteRow, OrderRow, Purged,
    Store,
};
use counterfoil::clock::Timestamp;
use counterfoil::id::OrderId;
use counterfoil::{Effect, Error, ErrorKind, ModeKind, Result};

#[derive(Debug, Default)]
pub struct BreakingStore {
    inner: MemoryStore,
    /// How many calls still go well before one breaks.
    commits: Mutex<Option<u32>>,
    reads: Mutex<Option<u32>>,
}

impl BreakingStore {
    /// Breaks one commit after `good` ones.
    pub fn break_commit(&self, good: u32) {
        *self.commits.lock().unwrap() = Some(good);
    }

    /// Breaks one reading of an order after `good` ones.
    pub fn break_read(&self, good: u32) {
        *self.reads.lock().unwrap() = Some(good);
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

#[async_trait]
impl Store for BreakingStore {
    async fn commit(&self, batch: Batch) -> Result<Commit> {
        pass(&self.commits)?;
        self.inner.commit(batch).await
    }

    async fn order(&self, id: &OrderId) -> Result<Option<OrderRow>> {
        pass(&self.reads)?;
        self.inner.order(id).await
    }

    async fn open(&self, mode: ModeKind) -> Result<()> {
        self.inner.open(mode).await
    }

    async fn order_of_payment(&self, payment: &str) -> Result<Option<OrderId>> {
        self.inner.order_of_payment(payment).await
    }

    async fn claim_orders(
        &self,
        now: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<OrderId>> {
        self.inner.claim_orders(now, until, most).await
    }

    async fn claim_events(
        &self,
        now: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<EventRow>> {
        self.inner.claim_events(now, until, most).await
    }

    async fn events_waiting_for(&self, order: &OrderId) -> Result<Vec<EventRow>> {
        self.inner.events_waiting_for(order).await
    }

    async fn lease_confirmations(
        &self,
        now: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<LeasedConfirmation>> {
        self.inner.lease_confirmations(now, until, most).await
    }

    async fn acknowledge(&self, id: &str, lease: u64) -> Result<()> {
        self.inner.acknowledge(id, lease).await
    }

    async fn orders_needing_attention(&self, most: usize) -> Result<Vec<OrderRow>> {
        self.inner.orders_needing_attention(most).await
    }

    async fn note(&self, name: &str) -> Result<Option<NoteRow>> {
        self.inner.note(name).await
    }

    async fn backlog(&self) -> Result<Backlog> {
        self.inner.backlog().await
    }

    async fn erase_order(&self, id: &OrderId, version: u64) -> Result<bool> {
        self.inner.erase_order(id, version).await
    }

    async fn purge(&self, before: Timestamp, most: usize) -> Result<Purged> {
        self.inner.purge(before, most).await
    }
}
