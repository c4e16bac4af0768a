//! The tables: as they are documented, of one mode, and not of a newer release.

use std::collections::BTreeMap;

use counterfoil::cashier::sql::SCHEMA_VERSION;
use counterfoil::cashier::{Commit, PostgresStore, SqliteStore, Store};
use counterfoil::clock::Timestamp;
use counterfoil::id::OrderId;
use counterfoil::{ErrorKind, ModeKind};
use counterfoil_stores::{Folder, Server, paid_batch};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, query_as, raw_sql};

const PAGE: &str = include_str!("../../../src/cashier/sql/schema.md");

/// The columns of each table, with `type` or `type or null`, as they are documented.
fn documented() -> BTreeMap<(String, String), String> {
    let mut columns = BTreeMap::new();
    let mut table = String::new();
    for line in PAGE.lines() {
        if let Some(title) = line.strip_prefix("## `") {
            table = title.trim_end_matches('`').to_owned();
        }
        let Some(row) = line.strip_prefix("| `") else {
            continue;
        };
        let (column, rest) = row.split_once("` | ").unwrap();
        let (kind, _) = rest.split_once(" | ").unwrap();
        columns.insert((table.clone(), column.to_owned()), kind.to_owned());
    }
    assert!(columns.len() > 30, "the page was not understood");
    columns
}

fn kind(database_type: &str, is_required: bool) -> String {
    let name = match database_type {
        "INTEGER" | "bigint" => "integer",
        "TEXT" | "text" => "text",
        "json" => "JSON",
        other => panic!("{other} is not documented"),
    };
    let or_null = if is_required { "" } else { " or null" };
    format!("{name}{or_null}")
}

#[tokio::test]
async fn sqlite_has_the_documented_tables() {
    let folder = Folder::new();
    SqliteStore::connect(folder.file()).await.unwrap();
    let options = SqliteConnectOptions::new().filename(folder.file());
    let mut connection = options.connect().await.unwrap();
    let columns: Vec<(String, String, String, bool)> = query_as(
        "SELECT tables.name, columns.name, columns.type, columns.\"notnull\" OR columns.pk > 0
         FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns
         WHERE tables.type = 'table'",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let real = columns
        .into_iter()
        .map(|(table, column, kind_of, required)| {
            // JSON is text to SQLite.
            let is_body = column == "body" && kind_of == "TEXT";
            let kind_of = if is_body { "json" } else { &kind_of };
            ((table, column), kind(kind_of, required))
        });
    assert_eq!(real.collect::<BTreeMap<_, _>>(), documented());
}

#[tokio::test]
async fn postgres_has_the_documented_tables() {
    let Some(server) = Server::find("the schema on PostgreSQL") else {
        return;
    };
    let options = server.database().await;
    PostgresStore::with_options(options.clone()).await.unwrap();
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    let columns: Vec<(String, String, String, bool)> = query_as(
        "SELECT table_name::text, column_name::text, data_type::text, is_nullable = 'NO'
         FROM information_schema.columns WHERE table_schema = current_schema()",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let real = columns
        .into_iter()
        .map(|(table, column, kind_of, required)| ((table, column), kind(&kind_of, required)));
    assert_eq!(real.collect::<BTreeMap<_, _>>(), documented());
}

/// Runs a script past the store.
async fn in_sqlite(folder: &Folder, script: &str) {
    let options = SqliteConnectOptions::new().filename(folder.file());
    let mut connection = options.create_if_missing(true).connect().await.unwrap();
    raw_sql(script).execute(&mut connection).await.unwrap();
}

async fn in_postgres(options: &PgConnectOptions, script: &str) {
    let mut connection = PgConnection::connect_with(options).await.unwrap();
    raw_sql(script).execute(&mut connection).await.unwrap();
}

/// What the first release may have left.
const OF_VERSION_1: &str = "
    UPDATE counterfoil_store SET schema_version = 1, mode = 'test';
    INSERT INTO counterfoil_confirmations VALUES ('A:paid', 'test', 'A', 'paid', 1, 0, 1)";

async fn check_is_kept(store: &impl Store) {
    store.open(ModeKind::Test).await.unwrap();
    let (now, until) = (Timestamp::from_unix(9), Timestamp::from_unix(10));
    let leased = store.lease_confirmations(now, until, 9).await.unwrap();
    assert_eq!(leased[0].row.id, "A:paid");
    // A commit compares the version of the schema.
    let commit = store.commit(paid_batch("B", 1)).await.unwrap();
    assert_ne!(commit, Commit::Stale);
}

#[tokio::test]
async fn tables_of_version_1_are_brought_up_to_date_with_what_they_hold() {
    let folder = Folder::new();
    let tables = include_str!("../../../src/cashier/sql/sqlite/1_tables.sql");
    in_sqlite(&folder, &format!("{tables}{OF_VERSION_1}")).await;
    check_is_kept(&SqliteStore::connect(folder.file()).await.unwrap()).await;
    let Some(server) = Server::find("tables of version 1 on PostgreSQL") else {
        return;
    };
    let options = server.database().await;
    let tables = include_str!("../../../src/cashier/sql/postgres/1_tables.sql");
    in_postgres(&options, &format!("{tables}{OF_VERSION_1}")).await;
    check_is_kept(&PostgresStore::with_options(options).await.unwrap()).await;
}

/// What an old release must not touch, and a copied row of the other mode.
async fn check_refusals(
    connect: impl AsyncFn() -> counterfoil::Result<Box<dyn Store>>,
    execute: impl AsyncFn(String),
) {
    let store = connect().await.unwrap();
    let order = OrderId::new("A").unwrap();
    store.open(ModeKind::Test).await.unwrap();
    store.commit(paid_batch("A", 1)).await.unwrap();
    let live = connect().await.unwrap();
    let unopened = live.order(&order).await.unwrap_err();
    assert_eq!(unopened.kind(), &ErrorKind::Settings);
    let unopened = live.commit(paid_batch("B", 1)).await.unwrap_err();
    assert_eq!(unopened.kind(), &ErrorKind::Settings);
    let refused = live.open(ModeKind::Live).await.unwrap_err();
    assert_eq!(refused.kind(), &ErrorKind::WrongMode);

    execute("UPDATE counterfoil_orders SET mode = 'live'".into()).await;
    let foreign = store.order(&order).await.unwrap_err();
    assert_eq!(foreign.kind(), &ErrorKind::WrongMode);
    execute("UPDATE counterfoil_payments SET mode = 'live'".into()).await;
    let foreign = store.order_of_payment("p:test:A").await.unwrap_err();
    assert_eq!(foreign.kind(), &ErrorKind::WrongMode);
    execute("UPDATE counterfoil_events SET mode = 'live'".into()).await;
    let (now, until) = (Timestamp::from_unix(9), Timestamp::from_unix(10));
    let foreign = store.claim_events(now, until, 9).await.unwrap_err();
    assert_eq!(foreign.kind(), &ErrorKind::WrongMode);
    execute("UPDATE counterfoil_confirmations SET mode = 'live'".into()).await;
    let foreign = store.lease_confirmations(now, until, 9).await.unwrap_err();
    assert_eq!(foreign.kind(), &ErrorKind::WrongMode);

    // A node that is already running writes nothing either once the tables are of a newer release.
    let newer = SCHEMA_VERSION + 1;
    execute(format!(
        "UPDATE counterfoil_store SET schema_version = {newer}"
    ))
    .await;
    let running = store.commit(paid_batch("B", 1)).await.unwrap_err();
    assert_eq!(running.kind(), &ErrorKind::Settings);
    let error = connect().await.map(drop).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Settings);
    let text = error.to_string();
    assert!(text.contains(&format!("schema version {newer}")) && text.contains("newer release"));
}

#[tokio::test]
async fn sqlite_refuses_the_other_mode_and_a_newer_schema() {
    let folder = Folder::new();
    let connect = async || {
        let store = SqliteStore::connect(folder.file()).await?;
        Ok(Box::new(store) as Box<dyn Store>)
    };
    let execute = async |sql: String| in_sqlite(&folder, &sql).await;
    check_refusals(connect, execute).await;
}

#[tokio::test]
async fn postgres_refuses_the_other_mode_and_a_newer_schema() {
    let Some(server) = Server::find("modes and schema versions on PostgreSQL") else {
        return;
    };
    let options = server.database().await;
    let connect = async || {
        let store = PostgresStore::with_options(options.clone()).await?;
        Ok(Box::new(store) as Box<dyn Store>)
    };
    let execute = async |sql: String| in_postgres(&options, &sql).await;
    check_refusals(connect, execute).await;
}

#[tokio::test]
async fn many_nodes_that_start_at_once_make_one_schema() {
    let folder = Folder::new();
    let files = (0..8).map(|_| SqliteStore::connect(folder.file()));
    for started in futures_util::future::join_all(files).await {
        started.unwrap().open(ModeKind::Test).await.unwrap();
    }
    let Some(server) = Server::find("nodes that start at once on PostgreSQL") else {
        return;
    };
    let isolation = [("default_transaction_isolation", "serializable")];
    let options = server.database().await.options(isolation);
    let nodes = (0..8).map(|_| PostgresStore::with_options(options.clone()));
    for started in futures_util::future::join_all(nodes).await {
        started.unwrap().open(ModeKind::Test).await.unwrap();
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = Folder::new();
    let text = "these are the books of 1998, and not a database at all\n".repeat(100);
    std::fs::write(folder.file(), &text).unwrap();
    let error = SqliteStore::connect(folder.file()).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Settings);
    assert_eq!(std::fs::read_to_string(folder.file()).unwrap(), text);
    let missing = folder.file().join("no such folder/shop.db");
    let error = SqliteStore::connect(missing).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Settings);
}

#[tokio::test]
async fn address_of_another_database_is_refused_by_its_scheme() {
    let address = "mysql://user:hidden-password@host/shop";
    let error = PostgresStore::connect(address).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Settings);
    let text = format!("{error:#}");
    assert!(
        text.contains("mysql://") && text.contains("postgres://"),
        "{text}"
    );
    assert!(!text.contains("hidden-password"), "{text}");
}
