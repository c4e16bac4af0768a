//! The databases, with what is measured beside the cashier: bare inserts and commits.

use std::path::PathBuf;
use std::sync::Arc;

use counterfoil::cashier::{PostgresStore, SqliteStore, Store};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection, Executor, query};

/// The tables of a programmer in a hurry, with the keys that they cannot do without.
const BARE_TABLES: &str = "
    CREATE TABLE bare_events (id TEXT PRIMARY KEY, body TEXT NOT NULL);
    CREATE TABLE bare_orders (id TEXT PRIMARY KEY, body TEXT NOT NULL);
    CREATE TABLE bare_payments (id TEXT PRIMARY KEY, order_id TEXT NOT NULL);
    CREATE TABLE bare_outcomes (id TEXT PRIMARY KEY, outcome TEXT NOT NULL);
    CREATE TABLE bare_confirmations (id TEXT PRIMARY KEY, kind TEXT NOT NULL);";

/// What one webhook writes: as many rows and bytes for the bare inserts as for the cashier.
#[derive(Debug)]
pub struct Rows {
    pub event: String,
    pub order: String,
    pub payments: usize,
}

pub enum Database {
    Sqlite {
        folder: PathBuf,
        pool: SqlitePool,
        store: Arc<SqliteStore>,
    },
    Postgres {
        pool: PgPool,
        store: Arc<PostgresStore>,
    },
}

macro_rules! bare_webhook {
    ($name:ident, $pool:ty) => {
        /// Two transactions: the event; then the order, its payments, what became of the event,
        /// and the confirmation.
        async fn $name(pool: &$pool, id: &str, rows: &Rows) -> sqlx::Result<()> {
            let mut transaction = pool.begin().await?;
            query("INSERT INTO bare_events VALUES ($1, $2)")
                .bind(id)
                .bind(&rows.event)
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            let mut transaction = pool.begin().await?;
            query("INSERT INTO bare_orders VALUES ($1, $2)")
                .bind(id)
                .bind(&rows.order)
                .execute(&mut *transaction)
                .await?;
            for payment in 0..rows.payments {
                query("INSERT INTO bare_payments VALUES ($1, $2)")
                    .bind(format!("{payment}:{id}"))
                    .bind(id)
                    .execute(&mut *transaction)
                    .await?;
            }
            query("INSERT INTO bare_outcomes VALUES ($1, 'applied')")
                .bind(id)
                .execute(&mut *transaction)
                .await?;
            query("INSERT INTO bare_confirmations VALUES ($1, 'paid')")
                .bind(id)
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await
        }
    };
}

bare_webhook!(bare_sqlite, SqlitePool);
bare_webhook!(bare_postgres, PgPool);

impl Database {
    /// SQLite in a temporary file, and the PostgreSQL of `COUNTERFOIL_POSTGRES` if there is one.
    pub async fn all() -> Vec<Self> {
        let mut all = vec![Self::sqlite().await];
        match std::env::var("COUNTERFOIL_POSTGRES") {
            Ok(url) => all.push(Self::postgres(&url).await),
            Err(_) => println!("NOT RUN: PostgreSQL, since COUNTERFOIL_POSTGRES names none"),
        }
        all
    }

    async fn sqlite() -> Self {
        let folder = std::env::temp_dir().join(format!("cashier-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join("shop.db");
        let store = SqliteStore::connect(&file).await.expect("a store");
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let pool = SqlitePoolOptions::new().max_connections(1);
        let pool = pool.connect_with(options).await.expect("a connection");
        pool.execute(BARE_TABLES).await.expect("tables");
        Self::Sqlite {
            folder,
            pool,
            store: Arc::new(store),
        }
    }

    async fn postgres(url: &str) -> Self {
        let server: PgConnectOptions = url.parse().expect("a URL");
        let name = format!("cashier_bench_{}", std::process::id());
        let mut admin = sqlx::PgConnection::connect_with(&server)
            .await
            .expect("a server");
        let create = format!("CREATE DATABASE {name}");
        admin.execute(&*create).await.expect("a database");
        let options = server.database(&name);
        let store = PostgresStore::with_options(options.clone())
            .await
            .expect("a store");
        let pool = PgPoolOptions::new().test_before_acquire(false);
        let pool = pool.connect_with(options).await.expect("a connection");
        pool.execute(BARE_TABLES).await.expect("tables");
        Self::Postgres {
            pool,
            store: Arc::new(store),
        }
    }

    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "SQLite",
            Self::Postgres { .. } => "PostgreSQL",
        }
    }

    pub fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite { store, .. } => Arc::clone(store) as Arc<dyn Store>,
            Self::Postgres { store, .. } => Arc::clone(store) as Arc<dyn Store>,
        }
    }

    pub async fn bare_webhook(&self, id: &str, rows: &Rows) {
        let done = match self {
            Self::Sqlite { pool, .. } => bare_sqlite(pool, id, rows).await,
            Self::Postgres { pool, .. } => bare_postgres(pool, id, rows).await,
        };
        done.expect("inserts");
    }

    /// One value of one row.
    pub async fn text(&self, sql: &str) -> String {
        let text = match self {
            Self::Sqlite { pool, .. } => sqlx::query_scalar(sql).fetch_one(pool).await,
            Self::Postgres { pool, .. } => sqlx::query_scalar(sql).fetch_one(pool).await,
        };
        text.expect("a row")
    }

    /// Copies all rows about the order `like` for orders `prefix` + a number of `numbers`.
    pub async fn copy_order(&self, like: &str, prefix: &str, numbers: std::ops::Range<usize>) {
        let (from, to) = (numbers.start, numbers.end.saturating_sub(1));
        if numbers.is_empty() {
            return;
        }
        let (series, json) = match self {
            Self::Sqlite { .. } => (
                format!(
                    "(WITH RECURSIVE s(n) AS (SELECT {from} UNION ALL SELECT n + 1 FROM s \
                     WHERE n < {to}) SELECT n FROM s) AS s"
                ),
                "",
            ),
            Self::Postgres { .. } => (format!("generate_series({from}, {to}) AS s(n)"), "::json"),
        };
        let new = |column: &str| format!("replace({column}, '{like}', '{prefix}' || n)");
        let body = format!("replace(CAST(body AS TEXT), '{like}', '{prefix}' || n){json}");
        let (id, order_id, payment) = (new("id"), new("order_id"), new("payment"));
        let copies = [
            format!(
                "INSERT INTO counterfoil_orders SELECT {id}, mode, version, due_at, \
                 attention_since, open_since, changed_at, {body} FROM counterfoil_orders, {series} \
                 WHERE id = '{like}'"
            ),
            format!(
                "INSERT INTO counterfoil_payments SELECT {payment}, mode, {order_id} \
                 FROM counterfoil_payments, {series} WHERE order_id = '{like}'"
            ),
            format!(
                "INSERT INTO counterfoil_events SELECT {id}, mode, {order_id}, received_at, due_at, \
                 outcome, {body} FROM counterfoil_events, {series} WHERE order_id = '{like}'"
            ),
            format!(
                "INSERT INTO counterfoil_confirmations SELECT {id}, mode, {order_id}, kind, \
                 created_at, lease, free_at FROM counterfoil_confirmations, {series} \
                 WHERE order_id = '{like}'"
            ),
        ];
        for copy in copies {
            match self {
                Self::Sqlite { pool, .. } => {
                    pool.execute(&*copy).await.expect("copies");
                }
                Self::Postgres { pool, .. } => {
                    pool.execute(&*copy).await.expect("copies");
                }
            }
        }
    }

    /// What a database does by itself after many rows have come.
    pub async fn settle(&self) {
        match self {
            Self::Sqlite { pool, .. } => {
                pool.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                    .await
                    .expect("a checkpoint");
            }
            Self::Postgres { pool, .. } => {
                pool.execute("VACUUM ANALYZE").await.expect("a vacuum");
                pool.execute("CHECKPOINT").await.expect("a checkpoint");
            }
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Self::Sqlite { folder, .. } = self {
            // What is left lies in the folder for temporary files.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}
