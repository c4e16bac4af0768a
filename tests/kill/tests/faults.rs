//! What else befalls a host: a full disk, a database that others hold, a server that is stopped at
//! once, and a machine that freezes for longer than a lease.

use std::fs;
use std::time::Duration;

use sqlx::{Connection, Executor, PgConnection, SqliteConnection};

use crate::database::{Database, block_on};
use crate::processes::Process;
use crate::run::Run;

/// How often each of them befalls the host.
const TIMES: usize = 4;
/// Longer than any lease: that of an order is five minutes.
const PAST_LEASES: u64 = 400;

#[test]
fn a_full_disk_loses_nothing() {
    let mut run = Run::start("stripe", Database::Sqlite);
    for _ in 0..TIMES {
        run.kill_once();
        run.host.kill();
        // A little more can be written, and then no more.
        let files = ["shop.db", "shop.db-wal"].map(|name| run.folder.join(name));
        let sizes = files.map(|file| fs::metadata(file).map_or(0, |file| file.len()));
        let largest = sizes.into_iter().max().unwrap_or(0);
        let room = run.dice.u64(4..40);
        let kilobytes = u32::try_from(largest / 1024 + room).unwrap().max(64);
        run.host = Process::start_limited("host", &run.text(), &run.log(), kilobytes);
        run.let_live(Duration::from_millis(500));
        if !run.host.has_ended() && run.dice.bool() {
            // The same process goes on, and dies only then.
            run.host.lift_limit();
            run.let_live(Duration::from_millis(200));
        }
        run.restart();
    }
    let log = fs::read_to_string(run.log()).unwrap();
    let is_full = |line: &&str| line.contains("the database cannot do it now");
    let failed = log.lines().filter(is_full).count();
    assert!(failed > 0, "the disk was never full: {log}");
    // What was answered as stored is there, also in the process that went on.
    assert!(!log.contains("there is no such order"), "{log}");
    run.finish().assert_none();
}

/// Holds back whoever writes, while the host lives and is killed.
fn a_busy_database_loses_nothing(database: Database, lock: &str) {
    let mut run = Run::start("stripe", database);
    let url = run.config.database.clone();
    // By hand for so long that the host gives up waiting.
    let held_for = match Run::is_by_hand() {
        true => Duration::from_secs(12),
        false => Duration::from_millis(300),
    };
    run.wait_for_ready();
    for _ in 0..TIMES {
        run.kill_once();
        run.wait_for_ready();
        run.let_live(Duration::from_millis(60));
        let dies = run.dice.bool();
        let hold = async |run: &mut Run| {
            run.let_live(held_for);
            if dies {
                run.restart();
                run.let_live(held_for / 4);
            }
        };
        block_on(async {
            if run.database.is_sqlite() {
                let mut other = SqliteConnection::connect(&url).await.unwrap();
                // Others write too, so that it may take a while to get its turn.
                other.execute("PRAGMA busy_timeout = 60000").await.unwrap();
                other.execute(lock).await.unwrap();
                hold(&mut run).await;
                other.execute("ROLLBACK").await.unwrap();
            } else {
                let mut other = PgConnection::connect(&url).await.unwrap();
                other.execute(lock).await.unwrap();
                hold(&mut run).await;
                other.execute("ROLLBACK").await.unwrap();
            }
        });
    }
    run.finish().assert_none();
}

#[test]
fn a_busy_sqlite_loses_nothing() {
    a_busy_database_loses_nothing(Database::Sqlite, "BEGIN IMMEDIATE");
}

#[test]
fn a_busy_postgresql_loses_nothing() {
    if let Some(database) = Database::postgres("a busy PostgreSQL") {
        let lock = "BEGIN; LOCK TABLE counterfoil_orders IN ACCESS EXCLUSIVE MODE";
        a_busy_database_loses_nothing(database, lock);
    }
}

#[test]
fn a_postgresql_that_is_stopped_at_once_loses_nothing() {
    let Some(database) = Database::own("a PostgreSQL that is stopped at once") else {
        return;
    };
    let mut run = Run::start("stripe", database);
    for _ in 0..TIMES {
        run.kill_once();
        run.wait_for_ready();
        let moment = run.dice.u64(20..200);
        run.let_live(Duration::from_millis(moment));
        run.database.cluster().stop_at_once();
        run.let_live(Duration::from_millis(80));
        if run.dice.bool() {
            run.restart();
        }
        run.database.cluster().start_again();
    }
    run.finish().assert_none();
}

/// One of two hosts stands still in whatever it was doing, and goes on when its leases have run out
/// and the other has taken its work.
fn a_frozen_host_doubles_nothing(database: Database) {
    let mut run = Run::start("stripe", database);
    run.wait_for_ready();
    let mut config = run.config.clone();
    // Webhooks arrive at one of them.
    config.port = None;
    let config = serde_json::to_string(&config).unwrap();
    let mut other = Process::start("host", &config, &run.log());
    for _ in 0..TIMES {
        let moment = run.dice.u64(20..200);
        run.let_live(Duration::from_millis(moment));
        // The one at which webhooks arrive, or the one that only sweeps.
        let hears = run.dice.bool();
        let frozen = if hears { &run.host } else { &other };
        frozen.signal("STOP");
        let since = run.pass(0);
        while run.pass(0).abs_diff(since) < PAST_LEASES {
            run.let_live(Duration::from_millis(20));
        }
        let frozen = if hears { &run.host } else { &other };
        frozen.signal("CONT");
        run.let_live(Duration::from_millis(50));
        if run.dice.bool() {
            other.kill();
            other = Process::start("host", &config, &run.log());
        }
    }
    run.let_live(Duration::from_millis(200));
    other.kill();
    run.finish().assert_none();
}

#[test]
fn a_host_that_is_frozen_past_its_lease_doubles_nothing_on_sqlite() {
    a_frozen_host_doubles_nothing(Database::Sqlite);
}

#[test]
fn a_host_that_is_frozen_past_its_lease_doubles_nothing_on_postgresql() {
    if let Some(database) = Database::postgres("a frozen host") {
        a_frozen_host_doubles_nothing(database);
    }
}
