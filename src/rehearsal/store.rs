//! A store that fails when the rehearsal wants it to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;

use crate::cashier::{
    Backlog, Batch, Commit, EventRow, LeasedConfirmation, NoteRow, OrderRow, Purged, Store,
};
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::id::OrderId;
use crate::mode::ModeKind;

/// When a store breaks off, at the commit that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Breaks {
    /// Nothing of it is written.
    Before,
    /// It is written, and nobody hears of it.
    After,
}

/// Keeps everything in another store. It can break: from then on it answers nothing, as for a
/// process that has died.
#[derive(Debug)]
pub(super) struct BrittleStore {
    kept: Arc<dyn Store>,
    breaks: Breaks,
    /// Commits until it breaks; 0 once it is broken.
    left: AtomicUsize,
}

impl BrittleStore {
    /// Breaks at commit number `at`, counted from 1; 0 is broken already.
    pub(super) fn new(kept: Arc<dyn Store>, breaks: Breaks, at: usize) -> Self {
        Self {
            kept,
            breaks,
            left: AtomicUsize::new(at),
        }
    }

    pub(super) fn is_broken(&self) -> bool {
        self.left.load(Ordering::SeqCst) == 0
    }

    fn answers(&self) -> Result<&dyn Store> {
        if self.is_broken() {
            return Err(Error::new(ErrorKind::Unavailable, "the store is gone"));
        }
        Ok(&*self.kept)
    }
}

#[async_trait]
impl Store for BrittleStore {
    async fn open(&self, mode: ModeKind) -> Result<()> {
        self.kept.open(mode).await
    }

    async fn is_durable(&self) -> Result<Option<bool>> {
        self.answers()?.is_durable().await
    }

    async fn order(&self, id: &OrderId) -> Result<Option<OrderRow>> {
        self.answers()?.order(id).await
    }

    async fn order_of_payment(&self, payment: &str) -> Result<Option<OrderId>> {
        self.answers()?.order_of_payment(payment).await
    }

    async fn commit(&self, batch: Batch) -> Result<Commit> {
        let kept = self.answers()?;
        let is_last = self.left.fetch_sub(1, Ordering::SeqCst) == 1;
        if is_last && self.breaks == Breaks::Before {
            return self.answers().map(|_| Commit::Stale);
        }
        let committed = kept.commit(batch).await;
        self.answers()?;
        committed
    }

    async fn claim_orders(
        &self,
        now: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<OrderId>> {
        self.answers()?.claim_orders(now, until, most).await
    }

    async fn claim_events(
        &self,
        now: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<EventRow>> {
        self.answers()?.claim_events(now, until, most).await
    }

    async fn events_waiting_for(&self, order: &OrderId) -> Result<Vec<EventRow>> {
        self.answers()?.events_waiting_for(order).await
    }

    async fn lease_confirmations(
        &self,
        now: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<LeasedConfirmation>> {
        self.answers()?.lease_confirmations(now, until, most).await
    }

    async fn acknowledge(&self, id: &str, lease: u64) -> Result<()> {
        self.answers()?.acknowledge(id, lease).await
    }

    async fn orders_needing_attention(&self, most: usize) -> Result<Vec<OrderRow>> {
        self.answers()?.orders_needing_attention(most).await
    }

    async fn note(&self, name: &str) -> Result<Option<NoteRow>> {
        self.answers()?.note(name).await
    }

    async fn notes_between(&self, after: &str, before: &str, most: usize) -> Result<Vec<NoteRow>> {
        self.answers()?.notes_between(after, before, most).await
    }

    async fn backlog(&self) -> Result<Backlog> {
        self.answers()?.backlog().await
    }

    async fn erase_order(&self, id: &OrderId, version: u64) -> Result<bool> {
        self.answers()?.erase_order(id, version).await
    }

    async fn purge(&self, before: Timestamp, most: usize) -> Result<Purged> {
        self.answers()?.purge(before, most).await
    }
}
