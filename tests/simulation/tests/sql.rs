//! Shops on SQLite and PostgreSQL. Each process that starts opens the database anew.

use std::future::Future;
use std::sync::Arc;

use counterfoil::Result;
use counterfoil::cashier::{PostgresStore, SqliteStore, Store};
use counterfoil::mode::ModeKind;
use counterfoil_simulation::{Findings, Shop, Tally, replay, run};
use counterfoil_stores::layer::{Layer, Layered};
use counterfoil_stores::{Folder, Server};
use tokio::runtime::Runtime;

/// Runs each call of a store to its end on a runtime of its own, so that the simulation, which has
/// a clock and tasks of its own, sees it as one step.
#[derive(Debug)]
struct InOneStep<S> {
    inner: S,
    runtime: Arc<Runtime>,
}

impl<S: Store> Layer for InOneStep<S> {
    fn inner(&self) -> &dyn Store {
        &self.inner
    }

    async fn open(&self, mode: ModeKind) -> Result<()> {
        self.run(self.inner.open(mode)).await
    }

    async fn run<T: Send>(&self, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
        self.runtime.block_on(call)
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
            Arc::new(Layered(InOneStep {
                inner: connect(),
                runtime: Arc::clone(&runtime),
            })) as Arc<dyn Store>
        };
        run(&Shop::new(seed, 100, 3), &open, &mut findings, &mut tally);
    }
    findings.assert_none(&tally);
}

/// Delivers one webhook a thousand times, to processes that open the database anew.
fn assert_counts_once<S: Store>(runtime: &Arc<Runtime>, connect: impl Fn() -> S) {
    replay(&|| {
        Arc::new(Layered(InOneStep {
            inner: connect(),
            runtime: Arc::clone(runtime),
        })) as Arc<dyn Store>
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
