//! What only a server can do to a store: end connections, lose answers, be away.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use counterfoil::cashier::{Batch, Commit, PostgresStore, Store};
use counterfoil::clock::Timestamp;
use counterfoil::id::OrderId;
use counterfoil::{Effect, Error, ErrorKind, ModeKind};
use counterfoil_stores::{Server, paid_batch};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};
use sqlx::{Connection, Executor, query_scalar};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};

async fn opened(options: &PgConnectOptions) -> PostgresStore {
    let store = PostgresStore::with_options(options.clone()).await.unwrap();
    store.open(ModeKind::Test).await.unwrap();
    store
}

async fn version_of(store: &PostgresStore, name: &str) -> Option<u64> {
    let order = store.order(&OrderId::new(name).unwrap()).await.unwrap();
    order.map(|row| row.version)
}

/// What is answered before it is on the disk can be forgotten.
#[tokio::test]
async fn a_server_that_answers_before_it_writes_is_not_durable() {
    let Some(server) = Server::find("what PostgreSQL says of its durability") else {
        return;
    };
    let options = server.database().await;
    let hasty = options.clone().options([("synchronous_commit", "off")]);
    for (options, is_durable) in [(options, true), (hasty, false)] {
        let store = opened(&options).await;
        assert_eq!(store.is_durable().await.unwrap(), Some(is_durable));
    }
}

/// The server ends the connection while the commit waits for a lock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_connection_is_ended_is_unknown_and_undone() {
    let Some(server) = Server::find("connections that PostgreSQL ends") else {
        return;
    };
    let options = server.database().await;
    let store = Arc::new(opened(&options).await);
    store.commit(paid_batch("A", 1)).await.unwrap();
    for table in ["orders", "payments", "events", "confirmations", "store"] {
        let mut blocker = PgConnection::connect_with(&options).await.unwrap();
        let lock = format!("BEGIN; LOCK TABLE counterfoil_{table} IN ACCESS EXCLUSIVE MODE");
        blocker.execute(&*lock).await.unwrap();
        let committing = tokio::spawn({
            let store = Arc::clone(&store);
            async move { store.commit(paid_batch("A", 2)).await }
        });
        let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let mut ended = 0;
        while ended == 0_i64 {
            ended = query_scalar(end).fetch_one(&mut blocker).await.unwrap();
            tokio::task::yield_now().await;
        }
        let error = committing.await.unwrap().unwrap_err();
        let expected = (&ErrorKind::Unavailable, Effect::Unknown);
        assert_eq!((error.kind(), error.effect()), expected, "{error:?}");
        blocker.execute("ROLLBACK").await.unwrap();
        assert_eq!(version_of(&store, "A").await, Some(1), "{table}");
        let waiting = store.events_waiting_for(&OrderId::new("A").unwrap()).await;
        assert_eq!(waiting.unwrap().len(), 1, "{table}");
    }
    let commit = store.commit(paid_batch("A", 2)).await.unwrap();
    assert_ne!(commit, Commit::Stale);
}

/// Another node stores the event between the moment that the commit sees and the moment that it
/// writes: what follows from the event is that node's to apply.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_follows_from_an_event_is_undone_if_another_node_stores_it_meanwhile() {
    let Some(server) = Server::find("events that two nodes of PostgreSQL store at once") else {
        return;
    };
    let options = server.database().await;
    let store = Arc::new(opened(&options).await);
    store.commit(paid_batch("A", 1)).await.unwrap();
    let mut other = PgConnection::connect_with(&options).await.unwrap();
    let add = "BEGIN; INSERT INTO counterfoil_events (id, mode, received_at, due_at, body)
               VALUES ('e:A:2', 'test', 1, 1, '{}')";
    other.execute(add).await.unwrap();
    let committing = tokio::spawn({
        let store = Arc::clone(&store);
        let batch = Batch {
            follows_from_events: true,
            ..paid_batch("A", 2)
        };
        async move { store.commit(batch).await }
    });
    wait_for_a_lock(&mut other).await;
    other.execute("COMMIT").await.unwrap();
    assert_eq!(committing.await.unwrap().unwrap(), Commit::Stale);
    assert_eq!(version_of(&store, "A").await, Some(1));
    let (now, until) = (Timestamp::from_unix(1), Timestamp::from_unix(2));
    let cues = store.lease_confirmations(now, until, 9).await.unwrap();
    assert_eq!(cues.len(), 1, "the confirmation of the first batch alone");
    let waiting = store.claim_events(now, until, 9).await.unwrap();
    let waiting: Vec<_> = waiting.iter().map(|event| &*event.id).collect();
    assert_eq!(waiting, ["e:A:1", "e:A:2"], "the other node's to apply");
}

/// Until another connection waits for what this one has locked.
async fn wait_for_a_lock(blocker: &mut PgConnection) {
    let waiting = "SELECT count(*) FROM pg_locks
                   WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))";
    let mut count = 0;
    while count == 0_i64 {
        count = query_scalar(waiting)
            .fetch_one(&mut *blocker)
            .await
            .unwrap();
        tokio::task::yield_now().await;
    }
}

/// A proxy that can swallow what the server says, to lose the answer of a commit that was done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_is_unknown_and_done() {
    let Some(server) = Server::find("answers of PostgreSQL that are lost") else {
        return;
    };
    let options = server.database().await;
    let Some(folder) = options.get_socket().cloned() else {
        let reason = "NOT RUN: answers of PostgreSQL that are lost: it is not reached by a socket";
        let _ = writeln!(std::io::stderr(), "{reason}");
        return;
    };
    let socket = folder.join(format!(".s.PGSQL.{}", options.get_port()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let swallows = Arc::new(AtomicBool::new(false));
    tokio::spawn({
        let swallows = Arc::clone(&swallows);
        async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&socket).await.unwrap();
                let (mut from_client, mut to_client) = client.into_split();
                let (mut from_server, mut to_server) = server.into_split();
                tokio::spawn(async move {
                    let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
                });
                let swallows = Arc::clone(&swallows);
                tokio::spawn(async move {
                    let mut bytes = [0; 4096];
                    while let Ok(read @ 1..) = from_server.read(&mut bytes).await {
                        // How the server says that a statement with one row is done.
                        let mut said = bytes[..read].windows(9);
                        let is_done = said.any(|tag| tag == b"SELECT 1\0");
                        let is_lost = is_done && swallows.load(Ordering::SeqCst);
                        if is_lost || to_client.write_all(&bytes[..read]).await.is_err() {
                            break;
                        }
                    }
                });
            }
        }
    });
    let database = options.get_database().unwrap();
    let through = PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(port)
        .username(options.get_username())
        .database(database);
    let direct = opened(&options).await;
    let store = opened(&through).await;
    store.commit(paid_batch("A", 1)).await.unwrap();
    swallows.store(true, Ordering::SeqCst);
    let error = store.commit(paid_batch("A", 2)).await.unwrap_err();
    let expected = (&ErrorKind::Unavailable, Effect::Unknown);
    assert_eq!((error.kind(), error.effect()), expected, "{error:?}");
    swallows.store(false, Ordering::SeqCst);
    assert_eq!(version_of(&direct, "A").await, Some(2));
    let again = store.commit(paid_batch("A", 2)).await.unwrap();
    assert_eq!(again, Commit::Stale, "it was done");
}

/// Who must act, and that nothing was done.
fn refusal(error: &Error) -> ErrorKind {
    assert_eq!(error.effect(), Effect::NotApplied, "{error:?}");
    error.kind().clone()
}

#[tokio::test]
async fn what_the_database_refuses_has_no_effect_and_says_who_acts() {
    let Some(server) = Server::find("refusals of PostgreSQL") else {
        return;
    };
    let options = server.database().await;
    let store = opened(&options).await;
    let with = |name, value| options.clone().options([(name, value)]);

    let replica = with("default_transaction_read_only", "on");
    let replica = PostgresStore::with_options(replica).await.unwrap();
    let error = replica.open(ModeKind::Test).await.unwrap_err();
    assert_eq!(refusal(&error), ErrorKind::Unavailable);

    let hasty = opened(&with("lock_timeout", "1")).await;
    let mut admin = PgConnection::connect_with(&options).await.unwrap();
    let lock = "BEGIN; LOCK TABLE counterfoil_orders IN ACCESS EXCLUSIVE MODE";
    admin.execute(lock).await.unwrap();
    let error = hasty.commit(paid_batch("A", 1)).await.unwrap_err();
    assert_eq!(refusal(&error), ErrorKind::Unavailable);
    admin.execute("ROLLBACK").await.unwrap();
    assert_eq!(version_of(&store, "A").await, None);

    let drop = "ALTER TABLE counterfoil_payments RENAME TO elsewhere";
    admin.execute(drop).await.unwrap();
    let error = store.commit(paid_batch("A", 1)).await.unwrap_err();
    assert_eq!(refusal(&error), ErrorKind::Settings);
}

#[tokio::test]
async fn a_database_that_cannot_be_used_is_told_at_once_and_without_its_password() {
    let nobody = "postgres://shop:hunter2@127.0.0.1:1/shop?sslmode=disable";
    let error = PostgresStore::connect(nobody).await.unwrap_err();
    assert_eq!(refusal(&error), ErrorKind::Unavailable);
    assert!(!format!("{error} {error:?}").contains("hunter2"));

    let Some(server) = Server::find("databases and users that are not there") else {
        return;
    };
    let options = server.database().await.password("hunter2");
    let store = opened(&options).await;
    assert!(!format!("{store:?}").contains("hunter2"));
    for (options, kind) in [
        (options.clone().database("elsewhere"), ErrorKind::Settings),
        (options.username("stranger"), ErrorKind::Credentials),
    ] {
        let error = PostgresStore::with_options(options).await.unwrap_err();
        assert_eq!(refusal(&error), kind);
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}

/// A pool of the host's, whose connections may have a search path of their own.
#[tokio::test]
async fn the_tables_lie_where_the_host_wants_them() {
    let Some(server) = Server::find("a schema of the host's on PostgreSQL") else {
        return;
    };
    let options = server.database().await;
    let mut admin = PgConnection::connect_with(&options).await.unwrap();
    admin.execute("CREATE SCHEMA payments").await.unwrap();
    let options = options.options([("search_path", "payments")]);
    let pool = PgPool::connect_lazy_with(options);
    let store = PostgresStore::with_pool(pool).await.unwrap();
    store.open(ModeKind::Test).await.unwrap();
    store.commit(paid_batch("A", 1)).await.unwrap();
    let count = "SELECT count(*) FROM payments.counterfoil_orders";
    let count: i64 = query_scalar(count).fetch_one(&mut admin).await.unwrap();
    assert_eq!(count, 1);
}
