//! Everything that can go wrong, from one seed.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use async_trait::async_trait;
use counterfoil::cashier::{
    Backlog, Batch, Commit, EventRow, LeasedConfirmation, MemoryStore, NoteRow, OrderRow, Purged,
    Store,
};
use counterfoil::clock::Timestamp;
use counterfoil::id::OrderId;
use counterfoil::mode::ModeKind;
use counterfoil::{Error, ErrorKind, Result};

/// A planted defect, to prove that the simulation sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// Writes go out without a key.
    NoKey,
    /// Refunds go out without a key.
    RefundWithoutKey,
    /// What got no answer is said to have failed.
    GivingUpMeansFailed,
    /// Nobody sweeps.
    NoSweep,
    /// The store writes whatever version it is given.
    NoVersionCheck,
    /// Confirmations are written after the order, not with it.
    ConfirmationsApart,
}

/// Dice that are shared by everything in one run.
#[derive(Debug)]
pub struct Dice {
    rng: Mutex<fastrand::Rng>,
    /// How many of a thousand calls go wrong.
    per_mille: Mutex<u32>,
}

impl Dice {
    pub fn new(seed: u64, per_mille: u32) -> Arc<Self> {
        Arc::new(Self {
            rng: Mutex::new(fastrand::Rng::with_seed(seed)),
            per_mille: Mutex::new(per_mille),
        })
    }

    pub fn below(&self, end: u32) -> u32 {
        self.rng.lock().unwrap().u32(0..end)
    }

    pub fn chance(&self, per_mille: u32) -> bool {
        self.below(1000) < per_mille
    }

    pub fn fault(&self) -> bool {
        let per_mille = *self.per_mille.lock().unwrap();
        per_mille > 0 && self.chance(per_mille)
    }

    pub fn calm_down(&self) {
        *self.per_mille.lock().unwrap() = 0;
    }
}

/// Gives every other task a turn, and a crash a place to strike.
pub async fn pause() {
    let mut paused = false;
    poll_fn(|context| {
        if std::mem::replace(&mut paused, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A memory store behind a connection that breaks, before or after the work is done.
#[derive(Debug)]
pub struct ShakyStore {
    pub inner: Arc<MemoryStore>,
    pub dice: Arc<Dice>,
    pub defect: Option<Defect>,
}

impl ShakyStore {
    async fn shaken<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        pause().await;
        if self.dice.fault() {
            return Err(broken());
        }
        let done = work.await;
        pause().await;
        if self.dice.fault() {
            return Err(broken());
        }
        done
    }

    async fn commit_apart(&self, mut batch: Batch) -> Result<Commit> {
        let confirmations = std::mem::take(&mut batch.confirmations);
        let commit = self.inner.commit(batch.clone()).await?;
        if commit != Commit::Stale {
            pause().await;
            let late = Batch {
                confirmations,
                ..Batch::new(batch.mode)
            };
            self.inner.commit(late).await?;
        }
        Ok(commit)
    }

    async fn commit_over(&self, mut batch: Batch) -> Result<Commit> {
        if let Some(order) = &mut batch.order {
            let stored = self.inner.order(&order.id).await?;
            order.version = stored.map_or(0, |row| row.version) + 1;
        }
        self.inner.commit(batch).await
    }
}

fn broken() -> Error {
    Error::new(ErrorKind::Unavailable, "the store's connection broke")
}

#[async_trait]
impl Store for ShakyStore {
    async fn open(&self, mode: ModeKind) -> Result<()> {
        self.inner.open(mode).await
    }

    async fn order(&self, id: &OrderId) -> Result<Option<OrderRow>> {
        self.shaken(self.inner.order(id)).await
    }

    async fn order_of_payment(&self, payment: &str) -> Result<Option<OrderId>> {
        self.shaken(self.inner.order_of_payment(payment)).await
    }

    async fn commit(&self, batch: Batch) -> Result<Commit> {
        match self.defect {
            Some(Defect::ConfirmationsApart) => self.shaken(self.commit_apart(batch)).await,
            Some(Defect::NoVersionCheck) => self.shaken(self.commit_over(batch)).await,
            _ => self.shaken(self.inner.commit(batch)).await,
        }
    }

    async fn claim_orders(
        &self,
        now: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<OrderId>> {
        self.shaken(self.inner.claim_orders(now, until, most)).await
    }

    async fn claim_events(
        &self,
        now: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<EventRow>> {
        self.shaken(self.inner.claim_events(now, until, most)).await
    }

    async fn events_waiting_for(&self, order: &OrderId) -> Result<Vec<EventRow>> {
        self.shaken(self.inner.events_waiting_for(order)).await
    }

    async fn lease_confirmations(
        &self,
        now: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<LeasedConfirmation>> {
        let leased = self.inner.lease_confirmations(now, until, most);
        self.shaken(leased).await
    }

    async fn acknowledge(&self, id: &str, lease: u64) -> Result<()> {
        self.shaken(self.inner.acknowledge(id, lease)).await
    }

    async fn orders_needing_attention(&self, most: usize) -> Result<Vec<OrderRow>> {
        self.shaken(self.inner.orders_needing_attention(most)).await
    }

    async fn note(&self, name: &str) -> Result<Option<NoteRow>> {
        self.shaken(self.inner.note(name)).await
    }

    async fn backlog(&self) -> Result<Backlog> {
        self.shaken(self.inner.backlog()).await
    }

    async fn erase_order(&self, id: &OrderId, version: u64) -> Result<bool> {
        self.shaken(self.inner.erase_order(id, version)).await
    }

    async fn purge(&self, before: Timestamp, most: usize) -> Result<Purged> {
        self.shaken(self.inner.purge(before, most)).await
    }
}
