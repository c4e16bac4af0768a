//! A store with one thing wrong with it.

use std::time::Duration;

use async_trait::async_trait;
use counterfoil::cashier::{
    Backlog, Batch, Commit, EventRow, LeasedConfirmation, MemoryStore, NoteRow, OrderRow, Purged,
    Store,
};
use counterfoil::clock::Timestamp;
use counterfoil::id::OrderId;
use counterfoil::{ModeKind, Result};

use super::shop::NOW;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    OtherMode,
    WritesParts,
    ForgetsVersions,
    MixesModes,
    OldEvent,
}

/// A store with one thing wrong with it.
#[derive(Debug)]
pub(crate) struct Faulty {
    inner: MemoryStore,
    defect: Defect,
}

impl Faulty {
    pub(crate) fn new(defect: Defect) -> Self {
        Self {
            inner: MemoryStore::new(),
            defect,
        }
    }
}

#[async_trait]
impl Store for Faulty {
    async fn open(&self, mode: ModeKind) -> Result<()> {
        if self.defect == Defect::OtherMode {
            self.inner.open(ModeKind::Test).await?;
        }
        self.inner.open(mode).await
    }

    async fn commit(&self, mut batch: Batch) -> Result<Commit> {
        match self.defect {
            Defect::WritesParts => {
                let events = Batch {
                    new_events: batch.new_events.clone(),
                    ..Batch::new(batch.mode)
                };
                self.inner.commit(events).await?;
            }
            Defect::ForgetsVersions => {
                if let Some(order) = &mut batch.order {
                    order.version = 1;
                }
            }
            Defect::MixesModes => batch.mode = ModeKind::Live,
            Defect::OtherMode | Defect::OldEvent => {}
        }
        self.inner.commit(batch).await
    }

    async fn backlog(&self) -> Result<Backlog> {
        let mut backlog = self.inner.backlog().await?;
        if self.defect == Defect::OldEvent {
            backlog.event_since = Some(NOW.saturating_sub(Duration::from_secs(2 * 60 * 60)));
        }
        Ok(backlog)
    }

    async fn order(&self, id: &OrderId) -> Result<Option<OrderRow>> {
        self.inner.order(id).await
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
    async fn erase_order(&self, id: &OrderId, version: u64) -> Result<bool> {
        self.inner.erase_order(id, version).await
    }
    async fn purge(&self, before: Timestamp, most: usize) -> Result<Purged> {
        self.inner.purge(before, most).await
    }
    async fn note(&self, name: &str) -> Result<Option<NoteRow>> {
        self.inner.note(name).await
    }
}
