//! What only a file can do to a store: outlive the process that was killed while it wrote.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use counterfoil::cashier::{Commit, SqliteStore, Store};
use counterfoil::id::OrderId;
use counterfoil::{ModeKind, Result};
use counterfoil_stores::{Folder, paid_batch};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Executor, query_as};

/// The file that the killed process writes to.
const FILE: &str = "COUNTERFOIL_WRITES_TO";

/// Not a test of its own: the process that is killed. It says each version that is committed.
#[tokio::test]
async fn writes_until_it_is_killed() {
    let Ok(file) = std::env::var(FILE) else {
        return;
    };
    let store = SqliteStore::connect(file).await.unwrap();
    store.open(ModeKind::Test).await.unwrap();
    let stored = store.order(&OrderId::new("A").unwrap()).await.unwrap();
    for version in stored.map_or(0, |row| row.version) + 1.. {
        let commit = store.commit(paid_batch("A", version)).await.unwrap();
        assert_ne!(commit, Commit::Stale);
        let _ = writeln!(std::io::stderr(), "committed {version}");
    }
}

/// Also where the file is named as SQLite names a database in memory.
#[tokio::test]
async fn a_file_is_durable_and_memory_is_not() -> Result<()> {
    let folder = Folder::new();
    for (store, is_durable) in [
        (SqliteStore::connect(folder.file()).await?, true),
        (SqliteStore::connect(":memory:").await?, false),
        (SqliteStore::in_memory().await?, false),
    ] {
        assert_eq!(store.is_durable().await?, Some(is_durable));
    }
    Ok(())
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_kill_and_nothing_is_torn() -> Result<()> {
    let folder = Folder::new();
    for kill_after in [1, 2, 3, 5, 8, 40] {
        let mut writer = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "writes_until_it_is_killed", "--nocapture"])
            .env(FILE, folder.file())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut answered = 0;
        let lines = BufReader::new(writer.stderr.take().unwrap()).lines();
        let committed = lines.map_while(|line| line.ok()).filter_map(|line| {
            let version = line.strip_prefix("committed ")?;
            version.parse::<u64>().ok()
        });
        for version in committed.take(kill_after) {
            answered = version;
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        assert!(answered > 0, "the writer has written nothing");

        let store = SqliteStore::connect(folder.file()).await?;
        store.open(ModeKind::Test).await?;
        let id = OrderId::new("A").unwrap();
        let version = store.order(&id).await?.map_or(0, |row| row.version);
        assert!(version >= answered, "{answered} was forgotten");
        let waiting = store.events_waiting_for(&id).await?.len();
        assert_eq!(u64::try_from(waiting).unwrap(), version, "a batch is torn");
        let options = SqliteConnectOptions::new().filename(folder.file());
        let mut connection = options.connect().await.unwrap();
        let check: (String,) = query_as("PRAGMA integrity_check")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(check.0, "ok");
    }
    Ok(())
}

#[tokio::test]
async fn an_erased_order_leaves_bare_event_ids() {
    let folder = Folder::new();
    let store = SqliteStore::connect(folder.file()).await.unwrap();
    store.open(ModeKind::Test).await.unwrap();
    let mut batch = paid_batch("A", 1);
    // A refund's event names no order: it belongs to the order that it is taken into.
    for event in &mut batch.new_events {
        event.order = None;
        event.body = r#"{"payment":"p:test:A"}"#.into();
    }
    batch.confirmations.clear();
    batch.finished_events = vec![("e:A:1".into(), "applied".into())];
    store.commit(batch).await.unwrap();
    let id = OrderId::new("A").unwrap();
    assert!(store.erase_order(&id, 1).await.unwrap());
    let options = SqliteConnectOptions::new().filename(folder.file());
    let mut connection = options.connect().await.unwrap();
    let rows: Vec<(String, Option<String>, String)> =
        query_as("SELECT id, order_id, body FROM counterfoil_events")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    assert_eq!(rows, [("e:A:1".to_owned(), None, "{}".to_owned())]);
}

/// Others may write to the file at the same time, such as a backup or the host's own tables.
#[tokio::test]
async fn it_waits_for_another_writer() {
    let folder = Folder::new();
    let store = SqliteStore::connect(folder.file()).await.unwrap();
    store.open(ModeKind::Test).await.unwrap();
    let options = SqliteConnectOptions::new().filename(folder.file());
    let mut other = options.connect().await.unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let committing = tokio::spawn(async move { store.commit(paid_batch("A", 1)).await });
    tokio::task::yield_now().await;
    assert!(!committing.is_finished());
    other.execute("COMMIT").await.unwrap();
    assert_ne!(committing.await.unwrap().unwrap(), Commit::Stale);
}
