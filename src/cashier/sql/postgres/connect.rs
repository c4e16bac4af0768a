//! Connections, and the tables that must be there before the first of them is used.

use std::net::IpAddr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection, query, query_scalar, raw_sql};

use super::super::{SCHEMA_VERSION, missing_scripts};
use super::error::Failed;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::secret::Secret;

/// The scripts that make the schema, the first one first.
const SCRIPTS: [&str; SCHEMA_VERSION as usize] = [
    include_str!("1_tables.sql"),
    include_str!("2_free_confirmations.sql"),
    include_str!("3_notes_by_bytes.sql"),
];

/// The advisory lock that lets one node at a time create or update the tables: any fixed number.
const SCHEMA_LOCK: i64 = 0x636f_756e_7465_7266;

/// How long to wait for a connection before giving up: ten seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// After how long without use a connection is tried before it is used: one second.
const STALE: Duration = Duration::from_secs(1);

/// Reads a URL. Where it does not speak of TLS, a connection to another machine must have it.
pub(super) fn options(url: &Secret) -> Result<PgConnectOptions> {
    let url = url.expose();
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    if let Some(other) = scheme.filter(|scheme| !matches!(*scheme, "postgres" | "postgresql")) {
        let is_word = other.len() <= 20 && other.bytes().all(|b| b.is_ascii_alphanumeric());
        let other = if is_word { other } else { "another scheme" };
        let message = format!(
            "the address of the database begins with {other}://, which is not PostgreSQL: write \
             postgres://user:password@host/database"
        );
        return Err(Error::new(ErrorKind::Settings, message));
    }
    let options: PgConnectOptions = url.parse().map_err(|_| {
        let message = "the PostgreSQL URL cannot be read: postgres://user:password@host/database";
        Error::new(ErrorKind::Settings, message)
    })?;
    let is_told = url.contains("sslmode=") || url.contains("ssl-mode=");
    if is_told || is_this_machine(&options) {
        return Ok(options);
    }
    Ok(options.ssl_mode(PgSslMode::VerifyFull))
}

/// A pool that looks whether a connection still lives only if it has lain idle, since to ask costs
/// a round trip.
pub(super) fn pool(options: PgConnectOptions) -> PgPool {
    let pool = PgPoolOptions::new()
        .acquire_timeout(PATIENCE)
        .test_before_acquire(false)
        .before_acquire(|connection, metadata| {
            Box::pin(async move {
                if metadata.idle_for > STALE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        });
    pool.connect_lazy_with(options.disable_statement_logging())
}

/// Connects once and brings the tables up to date: an error here says more than a pool's.
pub(super) async fn update_schema_with(options: &PgConnectOptions) -> Result<()> {
    let mut connection = PgConnection::connect_with(options)
        .await
        .map_err(|error| Failed::unsent(error).report())?;
    update_schema(&mut connection).await?;
    // The server ends what is left of the connection if the farewell does not reach it.
    let _ = connection.close().await;
    Ok(())
}

/// Creates the tables or brings them up to date, one node at a time.
pub(super) async fn update_schema(connection: &mut PgConnection) -> Result<()> {
    let version = schema_version(connection).await?;
    if missing_scripts(version, &SCRIPTS)?.is_empty() {
        return Ok(());
    }
    // Not the default isolation, which might show the tables as they were before the lock.
    let begin = "BEGIN ISOLATION LEVEL READ COMMITTED";
    let mut transaction = connection.begin_with(begin).await.map_err(uncertain)?;
    query("SELECT pg_advisory_xact_lock($1)")
        .bind(SCHEMA_LOCK)
        .execute(&mut *transaction)
        .await
        .map_err(uncertain)?;
    let version = schema_version(&mut transaction).await?;
    for script in missing_scripts(version, &SCRIPTS)? {
        let run = raw_sql(script).execute(&mut *transaction).await;
        run.map_err(uncertain)?;
    }
    query("UPDATE counterfoil_store SET schema_version = $1")
        .bind(i64::from(SCHEMA_VERSION))
        .execute(&mut *transaction)
        .await
        .map_err(uncertain)?;
    transaction.commit().await.map_err(uncertain)
}

/// 0 if there are no tables yet. The catalog is read as a table, since `to_regclass` may answer
/// from before the lock.
async fn schema_version(connection: &mut PgConnection) -> Result<i64> {
    let exists: bool = query_scalar(
        "SELECT EXISTS (
             SELECT FROM pg_catalog.pg_class
             WHERE relname = 'counterfoil_store' AND pg_catalog.pg_table_is_visible(oid)
         )",
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(uncertain)?;
    if !exists {
        return Ok(0);
    }
    query_scalar("SELECT schema_version FROM counterfoil_store")
        .fetch_one(connection)
        .await
        .map_err(uncertain)
}

fn uncertain(error: sqlx::Error) -> Error {
    Failed::sent(error, Effect::Unknown).report()
}

fn is_this_machine(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    options.get_socket().is_some()
        || host.starts_with('/')
        || host == "localhost"
        || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_machine_is_spoken_to_over_verified_tls_unless_told_otherwise() {
        for (url, mode) in [
            ("postgres://u:p@db.example/shop", "VerifyFull"),
            ("postgres://u:p@10.0.0.7/shop", "VerifyFull"),
            ("postgres://u:p@db.example/shop?sslmode=require", "Require"),
            ("postgres://u:p@localhost/shop", "Prefer"),
            ("postgres://u:p@127.0.0.1:5433/shop", "Prefer"),
            ("postgres://u:p@[::1]/shop", "Prefer"),
            ("postgres:///shop?host=/run/postgresql", "Prefer"),
        ] {
            let options = options(&Secret::new(url)).unwrap();
            assert_eq!(format!("{:?}", options.get_ssl_mode()), mode, "{url}");
        }
    }

    #[test]
    fn a_url_that_cannot_be_read_is_not_repeated() {
        for url in ["postgres://shop:hunter2@db:port/x", "hunter2"] {
            let error = options(&Secret::new(url)).unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::Settings);
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }
}
