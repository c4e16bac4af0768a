//! Connections, and the tables that must be there before the first of them is used.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{
    ConnectOptions, Connection, Database, Executor, Sqlite, TransactionManager, query,
    query_scalar, raw_sql,
};

use super::super::{SCHEMA_VERSION, missing_scripts};
use super::error::{uncertain, undone};
use crate::error::Result;

/// The scripts that make the schema, the first one first.
const SCRIPTS: [&str; SCHEMA_VERSION as usize] = [
    include_str!("1_tables.sql"),
    include_str!("2_free_confirmations.sql"),
    include_str!("3_notes_by_bytes.sql"),
];

/// How long to wait for another process that writes to the file: ten seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many can read at a time while one writes.
const READERS: u32 = 4;

/// Write-ahead log, and each commit on the disk before it is answered.
pub(super) fn options() -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(PATIENCE)
        .disable_statement_logging()
}

/// The one connection that writes. It stays, since a database in memory goes with it.
pub(super) async fn writer(options: SqliteConnectOptions) -> Result<SqlitePool> {
    let pool = pool().min_connections(1).max_connections(1);
    let pool = pool.before_acquire(|connection, _| mend(connection));
    pool.connect_with(options).await.map_err(undone)
}

/// Ends a transaction that is only thought to be open. Where the disk is full or broken, SQLite rolls
/// back by itself; sqlx 0.8 then fails to roll back, and counts that transaction for good. Those
/// after it would be savepoints inside one that nobody commits: answered, seen by nobody else, and
/// gone with the process. Gives whether the connection can be used.
fn mend(
    connection: &mut SqliteConnection,
) -> Pin<Box<dyn Future<Output = sqlx::Result<bool>> + Send + '_>> {
    Box::pin(async move {
        if !connection.is_in_transaction() {
            return Ok(true);
        }
        // So that there is something to roll back; it fails if there is already.
        let _ = connection.execute("BEGIN").await;
        <Sqlite as Database>::TransactionManager::rollback(connection).await?;
        Ok(!connection.is_in_transaction())
    })
}

pub(super) fn readers(options: SqliteConnectOptions) -> SqlitePool {
    pool().max_connections(READERS).connect_lazy_with(options)
}

/// Creates the tables or brings them up to date, one process at a time.
pub(super) async fn update_schema(writer: &SqlitePool) -> Result<()> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(undone)?;
    let version = schema_version(&mut transaction).await?;
    let scripts = missing_scripts(version, &SCRIPTS)?;
    if scripts.is_empty() {
        return Ok(());
    }
    for script in scripts {
        let run = raw_sql(script).execute(&mut *transaction).await;
        run.map_err(undone)?;
    }
    query("UPDATE counterfoil_store SET schema_version = $1")
        .bind(SCHEMA_VERSION)
        .execute(&mut *transaction)
        .await
        .map_err(undone)?;
    transaction.commit().await.map_err(uncertain)
}

/// 0 if there are no tables yet.
async fn schema_version(connection: &mut SqliteConnection) -> Result<i64> {
    let tables = "SELECT COUNT(*) FROM sqlite_master WHERE name = 'counterfoil_store'";
    let tables: i64 = query_scalar(tables)
        .fetch_one(&mut *connection)
        .await
        .map_err(undone)?;
    if tables == 0 {
        return Ok(0);
    }
    let version = query_scalar("SELECT schema_version FROM counterfoil_store");
    version.fetch_one(connection).await.map_err(undone)
}

fn pool() -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .acquire_timeout(PATIENCE)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}
