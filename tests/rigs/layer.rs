//! A store that does something around the calls of another.
#![allow(unreachable_pub, reason = "it is a part of tests and of crates")]

use std::fmt::Debug;
use std::future::Future;

use async_trait::async_trait;
use counterfoil::Result;
use counterfoil::cashier::{
    Backlog, Batch, Commit, EventRow, LeasedConfirmation, NoteRow, OrderRow, Purged, Store,
};
use counterfoil::clock::Timestamp;
use counterfoil::id::OrderId;
use counterfoil::mode::ModeKind;

/// What is done around the calls of the store inside: nothing, but for what a layer writes itself.
pub trait Layer: Debug + Send + Sync + 'static {
    /// The store that the next call goes to.
    fn inner(&self) -> &dyn Store;

    /// Runs a call of any kind but the opening.
    fn run<T: Send>(
        &self,
        call: impl Future<Output = Result<T>> + Send,
    ) -> impl Future<Output = Result<T>> + Send {
        call
    }

    fn open(&self, mode: ModeKind) -> impl Future<Output = Result<()>> + Send {
        self.inner().open(mode)
    }

    fn is_durable(&self) -> impl Future<Output = Result<Option<bool>>> + Send {
        self.inner().is_durable()
    }

    fn order(&self, id: &OrderId) -> impl Future<Output = Result<Option<OrderRow>>> + Send {
        async move { self.inner().order(id).await }
    }

    fn commit(&self, batch: Batch) -> impl Future<Output = Result<Commit>> + Send {
        self.inner().commit(batch)
    }

    fn backlog(&self) -> impl Future<Output = Result<Backlog>> + Send {
        self.inner().backlog()
    }
}

/// The store with its layer.
#[derive(Debug, Default)]
pub struct Layered<L>(pub L);

#[async_trait]
impl<L: Layer> Store for Layered<L> {
    async fn open(&self, mode: ModeKind) -> Result<()> {
        self.0.open(mode).await
    }

    async fn is_durable(&self) -> Result<Option<bool>> {
        self.0.run(self.0.is_durable()).await
    }

    async fn order(&self, id: &OrderId) -> Result<Option<OrderRow>> {
        self.0.run(self.0.order(id)).await
    }

    async fn order_of_payment(&self, payment: &str) -> Result<Option<OrderId>> {
        self.0.run(self.0.inner().order_of_payment(payment)).await
    }

    async fn commit(&self, batch: Batch) -> Result<Commit> {
        self.0.run(self.0.commit(batch)).await
    }

    async fn claim_orders(
        &self,
        now: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<OrderId>> {
        let claimed = self.0.inner().claim_orders(now, until, most);
        self.0.run(claimed).await
    }

    async fn claim_events(
        &self,
        now: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<EventRow>> {
        let claimed = self.0.inner().claim_events(now, until, most);
        self.0.run(claimed).await
    }

    async fn events_waiting_for(&self, order: &OrderId) -> Result<Vec<EventRow>> {
        self.0.run(self.0.inner().events_waiting_for(order)).await
    }

    async fn lease_confirmations(
        &self,
        now: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<LeasedConfirmation>> {
        let leased = self.0.inner().lease_confirmations(now, until, most);
        self.0.run(leased).await
    }

    async fn acknowledge(&self, id: &str, lease: u64) -> Result<()> {
        self.0.run(self.0.inner().acknowledge(id, lease)).await
    }

    async fn orders_needing_attention(&self, most: usize) -> Result<Vec<OrderRow>> {
        let oldest = self.0.inner().orders_needing_attention(most);
        self.0.run(oldest).await
    }

    async fn note(&self, name: &str) -> Result<Option<NoteRow>> {
        self.0.run(self.0.inner().note(name)).await
    }

    async fn notes_between(&self, after: &str, before: &str, most: usize) -> Result<Vec<NoteRow>> {
        let inner = self.0.inner();
        self.0.run(inner.notes_between(after, before, most)).await
    }

    async fn backlog(&self) -> Result<Backlog> {
        self.0.run(self.0.backlog()).await
    }

    async fn erase_order(&self, id: &OrderId, version: u64) -> Result<bool> {
        self.0.run(self.0.inner().erase_order(id, version)).await
    }

    async fn purge(&self, before: Timestamp, most: usize) -> Result<Purged> {
        self.0.run(self.0.inner().purge(before, most)).await
    }
}
