//! Shops on SQLite and PostgreSQL. Each process that starts opens the database anew.

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use counterfoil::Result;
use counterfoil::cashier::{
    Backlog, Batch, Commit, EventRow, LeasedConfirmation, NoteRow, OrderRow, PostgresStore, Purged,
    SqliteStore, Store,
};
use counterfoil::clock::Timestamp;
use counterfoil::id::OrderId;
use counterfoil::mode::ModeKind;
use counterfoil_simulation::{Findings, Shop, Tally, replay, run};
use counterfoil_stores::{Folder, Server};
use tokio::runtime::Runtime;

/// Runs each call of a store to its end on a runtime of its own, so that the simulation, which has
/// a clock and tasks of its own, sees it as one step.
#[derive(Debug)]
struct InOneStep<S> {
    inner: S,
    runtime: Arc<Runtime>,
}

impl<S: Store> InOneStep<S> {
    async fn finish<T>(&self, work: impl Future<Output = Result<T>> + Send) -> Result<T> {
        self.runtime.block_on(work)
    }
}

#[async_trait]
impl<S: Store> Store for InOneStep<S> {
    async fn open(&self, mode: ModeKind) -> Result<()> {
        self.finish(self.inner.open(mode)).await
    }

    async fn order(&self, id: &OrderId) -> Result<Option<OrderRow>> {
        self.finish(self.inner.order(id)).await
    }

    async fn order_of_payment(&self, payment: &str) -> Result<Option<OrderId>> {
        self.finish(self.inner.order_of_payment(payment)).await
    }

    async fn commit(&self, batch: Batch) -> Result<Commit> {
        self.finish(self.inner.commit(batch)).await
    }

    async fn claim_orders(
        &self,
        now: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<OrderId>> {
        self.finish(self.inner.claim_orders(now, until, most)).await
    }

    async fn claim_events(
        &self,
        now: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<EventRow>> {
        self.finish(self.inner.claim_events(now, until, most)).await
    }

    async fn events_waiting_for(&self, order: &OrderId) -> Result<Vec<EventRow>> {
        self.finish(self.inner.events_waiting_for(order)).await
    }

    async fn lease_confirmations(
        &self,
        now: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<LeasedConfirmation>> {
        let leased = self.inner.lease_confirmations(now, until, most);
        self.finish(leased).await
    }

    async fn acknowledge(&self, id: &str, lease: u64) -> Result<()> {
        self.finish(self.inner.acknowledge(id, lease)).await
    }

    async fn orders_needing_attention(&self, most: usize) -> Result<Vec<OrderRow>> {
        self.finish(self.inner.orders_needing_attention(most)).await
    }

    async fn note(&self, name: &str) -> Result<Option<NoteRow>> {
        self.finish(self.inner.note(name)).await
    }

    async fn backlog(&self) -> Result<Backlog> {
        self.finish(self.inner.backlog()).await
    }

    async fn erase_order(&self, id: &OrderId, version: u64) -> Result<bool> {
        self.finish(self.inner.erase_order(id, version)).await
    }

    async fn purge(&self, before: Timestamp, most: usize) -> Result<Purged> {
        self.finish(self.inner.purge(before, most)).await
    }
}

/// Sees that each shop has books of its own, and that all of them are sound.
fn assert_sound<S: Store>(
    seeds: std::ops::Range<u64>,
    runtime: &Arc<Runtime>,
    new_database: impl Fn() -> Box<dyn Fn() -> S>,
) {
    let (mut findings, mut tally) = (Findings::default(), Tally::default());
    for seed in seeds {
        let (connect, runtime) = (new_database(), Arc::clone(runtime));
        let open = move || {
            Arc::new(InOneStep {
                inner: connect(),
                runtime: Arc::clone(&runtime),
            }) as Arc<dyn Store>
        };
        run(&Shop::new(seed, 100, 3), &open, &mut findings, &mut tally);
    }
    findings.assert_none(&tally);
}

/// Delivers one webhook a thousand times, to processes that open the database anew.
fn assert_counts_once<S: Store>(runtime: &Arc<Runtime>, connect: impl Fn() -> S) {
    replay(&|| {
        Arc::new(InOneStep {
            inner: connect(),
            runtime: Arc::clone(runtime),
        }) as Arc<dyn Store>
    });
}

#[test]
fn a_webhook_that_comes_a_thousand_times_counts_once_in_sqlite() {
    let runtime = Arc::new(Runtime::new().unwrap());
    let folder = Folder::new();
    assert_counts_once(&runtime, || {
        let opened = SqliteStore::connect(folder.file());
        runtime.block_on(opened).unwrap()
    });
}

#[test]
fn a_webhook_that_comes_a_thousand_times_counts_once_in_postgresql() {
    let Some(server) = Server::find("a webhook that comes a thousand times") else {
        return;
    };
    let runtime = Arc::new(Runtime::new().unwrap());
    let database = runtime.block_on(server.database());
    assert_counts_once(&runtime, || {
        let opened = PostgresStore::with_options(database.clone());
        runtime.block_on(opened).unwrap()
    });
}

#[test]
fn the_books_of_1000_orders_are_sound_in_sqlite() {
    let runtime = Arc::new(Runtime::new().unwrap());
    let connected = Arc::clone(&runtime);
    assert_sound(4001..4011, &runtime, || {
        let (folder, runtime) = (Folder::new(), Arc::clone(&connected));
        Box::new(move || {
            runtime
                .block_on(SqliteStore::connect(folder.file()))
                .unwrap()
        })
    });
}

#[test]
fn the_books_of_500_orders_are_sound_in_postgresql() {
    let Some(server) = Server::find("500 simulated orders in PostgreSQL") else {
        return;
    };
    let runtime = Arc::new(Runtime::new().unwrap());
    let connected = Arc::clone(&runtime);
    assert_sound(5001..5006, &runtime, || {
        let runtime = Arc::clone(&connected);
        let database = runtime.block_on(server.database());
        Box::new(move || {
            let options = database.clone();
            runtime
                .block_on(PostgresStore::with_options(options))
                .unwrap()
        })
    });
}
