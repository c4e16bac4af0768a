//! The databases, with the tables of a programmer in a hurry beside those of the cashier.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use counterfoil::cashier::{PostgresStore, SqliteStore, Store};
use cpu_time::ProcessTime;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Executor, query_scalar};

use crate::floor::{BARE_TABLES, Floor};

/// How many orders are copied in one transaction.
const CHUNK: usize = 50_000;

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

    /// The bare connection is as durable as the store's.
    async fn sqlite() -> Self {
        let folder = std::env::temp_dir().join(format!("cashier-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join("shop.db");
        let store = SqliteStore::connect(&file).await.expect("a store");
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .disable_statement_logging();
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .test_before_acquire(false);
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
        let options = server.database(&name).disable_statement_logging();
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

    /// What the cashier is compared with.
    pub fn floors(&self) -> Vec<Floor> {
        match self {
            Self::Sqlite { pool, .. } => vec![Floor::Sqlite(pool.clone())],
            Self::Postgres { pool, .. } => {
                vec![Floor::Postgres(pool.clone()), Floor::AtOnce(pool.clone())]
            }
        }
    }

    /// The CPU time of this process and, for PostgreSQL, of the server's.
    pub async fn cpu_time(&self) -> Duration {
        let mut time = ProcessTime::now().as_duration();
        if let Self::Postgres { pool, .. } = self {
            let processes = "SELECT pid FROM pg_stat_activity
                             WHERE datname IS NULL OR datname = current_database()";
            let processes: Vec<i32> = query_scalar(processes)
                .fetch_all(pool)
                .await
                .expect("processes");
            time += processes.into_iter().map(time_of).sum::<Duration>();
        }
        time
    }

    /// One value of one row.
    pub async fn text(&self, sql: &str) -> String {
        let text = match self {
            Self::Sqlite { pool, .. } => query_scalar(sql).fetch_one(pool).await,
            Self::Postgres { pool, .. } => query_scalar(sql).fetch_one(pool).await,
        };
        text.expect("a row")
    }

    async fn run(&self, sql: &str) {
        match self {
            Self::Sqlite { pool, .. } => drop(pool.execute(sql).await.expect(sql)),
            Self::Postgres { pool, .. } => drop(pool.execute(sql).await.expect(sql)),
        }
    }

    /// Copies all rows about the order `like` for orders `prefix` + a number of `numbers`.
    pub async fn copy_order(&self, like: &str, prefix: &str, numbers: std::ops::Range<usize>) {
        for start in numbers.clone().step_by(CHUNK) {
            let end = numbers.end.min(start + CHUNK);
            self.copy_chunk(like, prefix, (start, end - 1)).await;
        }
    }

    async fn copy_chunk(&self, like: &str, prefix: &str, (from, to): (usize, usize)) {
        let (series, json, hurry) = match self {
            Self::Sqlite { .. } => (
                format!(
                    "(WITH RECURSIVE s(n) AS (SELECT {from} UNION ALL SELECT n + 1 FROM s \
                     WHERE n < {to}) SELECT n FROM s) AS s"
                ),
                "",
                "PRAGMA synchronous = OFF",
            ),
            Self::Postgres { .. } => (
                format!("generate_series({from}, {to}) AS s(n)"),
                "::json",
                "SELECT 1",
            ),
        };
        let new = |column: &str| format!("replace({column}, '{like}', '{prefix}' || n)");
        let body = format!("replace(CAST(body AS TEXT), '{like}', '{prefix}' || n){json}");
        let (id, order_id, payment) = (new("id"), new("order_id"), new("payment"));
        self.run(hurry).await;
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
            self.run(&copy).await;
        }
        if matches!(self, Self::Sqlite { .. }) {
            self.run("PRAGMA synchronous = FULL").await;
        }
    }

    /// What a database does by itself after many rows have come.
    pub async fn settle(&self) {
        match self {
            Self::Sqlite { .. } => self.run("PRAGMA wal_checkpoint(TRUNCATE)").await,
            Self::Postgres { .. } => {
                self.run("VACUUM ANALYZE").await;
                self.run("CHECKPOINT").await;
            }
        }
    }
}

/// The CPU time of another process, as Linux tells it in hundredths of a second.
fn time_of(process: i32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name in parentheses may hold spaces; user and system time are the 12th and 13th after.
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let times = after_name.split(' ').skip(11).take(2);
    let ticks: u64 = times.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Self::Sqlite { folder, .. } = self {
            // What is left lies in the folder for temporary files.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}
