//! Several nodes on one database, behind the face of one store.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use counterfoil::cashier::{
    Backlog, Batch, Commit, EventRow, LeasedConfirmation, NoteRow, OrderRow, Purged, Store,
};
use counterfoil::clock::Timestamp;
use counterfoil::id::OrderId;
use counterfoil::{ModeKind, Result};

/// Gives each call to the next of its nodes.
#[derive(Debug)]
pub struct Nodes {
    nodes: Vec<Arc<dyn Store>>,
    calls: AtomicUsize,
}

impl Nodes {
    #[must_use]
    pub fn new(nodes: Vec<Arc<dyn Store>>) -> Self {
        let calls = AtomicUsize::new(0);
        Self { nodes, calls }
    }

    fn next(&self) -> &dyn Store {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        &*self.nodes[call % self.nodes.len()]
    }
}

#[async_trait]
impl Store for Nodes {
    async fn open(&self, mode: ModeKind) -> Result<()> {
        for node in &self.nodes {
            node.open(mode).await?;
        }
        Ok(())
    }

    async fn order(&self, id: &OrderId) -> Result<Option<OrderRow>> {
        self.next().order(id).await
    }

    async fn order_of_payment(&self, payment: &str) -> Result<Option<OrderId>> {
        self.next().order_of_payment(payment).await
    }

    async fn commit(&self, batch: Batch) -> Result<Commit> {
        self.next().commit(batch).await
    }

    async fn claim_orders(
        &self,
        now: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<OrderId>> {
        self.next().claim_orders(now, until, most).await
    }

    async fn claim_events(
        &self,
        now: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<EventRow>> {
        self.next().claim_events(now, until, most).await
    }

    async fn events_waiting_for(&self, order: &OrderId) -> Result<Vec<EventRow>> {
        self.next().events_waiting_for(order).await
    }

    async fn lease_confirmations(
        &self,
        now: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<LeasedConfirmation>> {
        self.next().lease_confirmations(now, until, most).await
    }

    async fn acknowledge(&self, id: &str, lease: u64) -> Result<()> {
        self.next().acknowledge(id, lease).await
    }

    async fn orders_needing_attention(&self, most: usize) -> Result<Vec<OrderRow>> {
        self.next().orders_needing_attention(most).await
    }

    async fn note(&self, name: &str) -> Result<Option<NoteRow>> {
        self.next().note(name).await
    }

    async fn backlog(&self) -> Result<Backlog> {
        self.next().backlog().await
    }

    async fn erase_order(&self, id: &OrderId, version: u64) -> Result<bool> {
        self.next().erase_order(id, version).await
    }

    async fn purge(&self, before: Timestamp, most: usize) -> Result<Purged> {
        self.next().purge(before, most).await
    }
}
