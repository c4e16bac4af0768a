//! Databases for tests: each gets one of its own, which goes when the test is done.

#[path = "../../rigs/layer.rs"]
pub mod layer;
pub mod nodes;

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use counterfoil::ModeKind;
use counterfoil::cashier::{Batch, ConfirmationRow, EventRow, OrderRow, PostgresStore};
use counterfoil::clock::Timestamp;
use counterfoil::id::OrderId;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection, Executor};

/// Numbers the databases of this process.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A name that no other test has.
fn unique_name() -> String {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("counterfoil_{}_{number}", std::process::id())
}

/// A folder for an SQLite file, removed with it.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it makes a folder")]
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(unique_name());
        std::fs::create_dir_all(&path).expect("a folder for tests");
        Self(path)
    }

    /// The path of the one file in it.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.0.join("shop.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left lies in the folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The PostgreSQL that tests may use.
#[derive(Debug, Clone)]
pub struct Server(PgConnectOptions);

impl Server {
    /// The one that [`server_url`] gives.
    #[must_use]
    pub fn find(test: &str) -> Option<Self> {
        let url = server_url(test)?;
        Some(Self(url.parse().expect("a PostgreSQL URL")))
    }

    /// Makes an empty database. It goes with the server.
    pub async fn database(&self) -> PgConnectOptions {
        let name = unique_name();
        let mut connection = self.connection().await;
        let create = format!("CREATE DATABASE {name}");
        connection.execute(&*create).await.expect("a new database");
        self.0.clone().database(&name)
    }

    /// Makes an empty database and a store in it.
    pub async fn store(&self) -> PostgresStore {
        let options = self.database().await;
        PostgresStore::with_options(options).await.expect("a store")
    }

    /// A connection that may do everything.
    pub async fn connection(&self) -> PgConnection {
        PgConnection::connect_with(&self.0).await.expect("a server")
    }
}

/// The URL in `COUNTERFOIL_POSTGRES`. `none` leaves PostgreSQL out, and then there is none.
///
/// # Panics
/// If the variable is missing: a test that could not run must not count as passed.
#[must_use]
pub fn server_url(test: &str) -> Option<String> {
    match std::env::var("COUNTERFOIL_POSTGRES").as_deref() {
        Ok("none") => {
            // The harness hides `eprintln!` of a test that passes.
            let _ = writeln!(std::io::stderr(), "NOT RUN: {test}: left out on demand");
            None
        }
        Ok(url) => Some(url.to_owned()),
        Err(_) => panic!(
            "NOT RUN: {test}: COUNTERFOIL_POSTGRES names no server: run it by \
             `tests/stores/postgres.sh cargo test …`, or leave PostgreSQL out by \
             COUNTERFOIL_POSTGRES=none"
        ),
    }
}

/// Something of each kind for one version of an order.
///
/// # Panics
/// If `name` is no order id.
#[must_use]
pub fn paid_batch(name: &str, version: u64) -> Batch {
    let id = OrderId::new(name).expect("an order id");
    let now = Timestamp::from_unix(1);
    Batch {
        links: vec![format!("p:test:{name}")],
        new_events: vec![EventRow {
            id: format!("e:{name}:{version}"),
            order: Some(id.clone()),
            received_at: now,
            due_at: now,
            outcome: None,
            body: "{}".into(),
        }],
        confirmations: vec![ConfirmationRow {
            id: format!("{name}:{version}"),
            order: Some(id.clone()),
            kind: version.to_string(),
            created_at: now,
        }],
        order: Some(OrderRow {
            id,
            version,
            due_at: None,
            attention_since: None,
            open_since: None,
            changed_at: now,
            body: "{}".into(),
        }),
        ..Batch::new(ModeKind::Test)
    }
}
