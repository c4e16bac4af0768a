//! Databases as earlier versions left them: their tables are brought up to date, and each row reads
//! as it did.
//!
//! `tests/fixtures/stored/v1/stripe.{sqlite,postgres}.sql` are dumps of what `stripe.jsonl` beside
//! them lists, written through the stores of that version: `sqlite3 FILE .dump` and
//! `pg_dump --inserts --no-owner`. Of the latter the `\` commands are left out, which only `psql`
//! knows.

use std::fs;
use std::path::PathBuf;

use counterfoil::ModeKind;
use counterfoil::cashier::{PostgresStore, SqliteStore, Store};
use counterfoil::clock::Timestamp;
use counterfoil::id::OrderId;
use counterfoil_stores::{Folder, Server};
use serde_json::Value;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, raw_sql};

fn golden(file: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fixtures/stored/v1");
    fs::read_to_string(folder.join(file)).unwrap()
}

fn golden_rows() -> Vec<Value> {
    let text = golden("stripe.jsonl");
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines
        .filter(|line: &Value| line.get("expected").is_none())
        .collect()
}

/// Compares every row that can be read by the trait.
async fn check(store: &dyn Store) {
    store.open(ModeKind::Test).await.unwrap();
    let (mut orders, mut confirmations, mut notes, mut waiting) = (0, 0, 0, 0);
    for row in golden_rows() {
        if let Some(order) = row.get("order") {
            let id = OrderId::new(order["id"].as_str().unwrap()).unwrap();
            let read = store.order(&id).await.unwrap().unwrap();
            assert_eq!(
                serde_json::from_str::<Value>(&read.body).unwrap(),
                order["body"]
            );
            assert_eq!(
                read.changed_at.unix(),
                order["changed_at"].as_i64().unwrap()
            );
            for link in order["links"].as_array().unwrap() {
                let of = store
                    .order_of_payment(link.as_str().unwrap())
                    .await
                    .unwrap();
                assert_eq!(of, Some(id.clone()));
            }
            orders += 1;
        } else if let Some(note) = row.get("note") {
            let read = store
                .note(note["name"].as_str().unwrap())
                .await
                .unwrap()
                .unwrap();
            assert_eq!(
                serde_json::from_str::<Value>(&read.body).unwrap(),
                note["body"]
            );
            notes += 1;
        } else if let Some(event) = row.get("event") {
            waiting += usize::from(event["outcome"].is_null());
        } else {
            confirmations += 1;
        }
    }
    assert!(orders >= 7 && notes >= 3 && waiting >= 1);
    let late = Timestamp::from_unix(1_900_000_000);
    let until = Timestamp::from_unix(1_900_000_060);
    assert_eq!(
        store.claim_events(late, until, 1000).await.unwrap().len(),
        waiting
    );
    let leased = store.lease_confirmations(late, until, 1000).await.unwrap();
    assert_eq!(leased.len(), confirmations);
}

#[tokio::test]
async fn sqlite_file_of_schema_2_reads_with_every_row() {
    let folder = Folder::new();
    let options = SqliteConnectOptions::new()
        .filename(folder.file())
        .create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    let dump = golden("stripe.sqlite.sql");
    raw_sql(&dump).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    check(&SqliteStore::connect(folder.file()).await.unwrap()).await;
}

#[tokio::test]
async fn postgres_database_of_schema_2_reads_with_every_row() {
    let Some(server) = Server::find("postgres_database_of_schema_2_reads_with_every_row") else {
        return;
    };
    let options = server.database().await;
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    let dump = golden("stripe.postgres.sql");
    raw_sql(&dump).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    check(&PostgresStore::with_options(options).await.unwrap()).await;
}
