//! The cashier's store in an SQLite file.

mod commit;
mod connect;
mod error;
mod statements;

use std::fmt;
use std::path::Path;

use async_trait::async_trait;
use sqlx::sqlite::{Sqlite, SqlitePool};
use sqlx::{Transaction, query, query_as};

use self::error::{uncertain, undone};
use super::rows::{self, limit, signed};
use super::{OpenedMode, no_such_confirmation, not_the_lease_holder, queries, stamp_has_changed};
use crate::cashier::store::{
    Backlog, Batch, Commit, EventRow, LeasedConfirmation, NoteRow, OrderRow, Purged, Store,
};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::id::OrderId;
use crate::mode::ModeKind;

/// The cashier's records in an SQLite file: nothing to install, for one machine.
///
/// A batch is on the disk before it is answered (`synchronous=FULL`, write-ahead log). Several
/// processes of one machine may share the file; it must not lie on a network drive. Its tables are
/// named `counterfoil_…`, and [`sql`](crate::cashier::sql) describes them.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> counterfoil::Result<()> {
/// # let folder = std::env::temp_dir().join(format!("counterfoil-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder).unwrap();
/// # let path = folder.join("shop.db");
/// use counterfoil::ModeKind;
/// use counterfoil::cashier::{SqliteStore, Store};
///
/// let store = SqliteStore::connect(&path).await?;
/// store.open(ModeKind::Test).await?; // `Cashier::open` does so
/// # drop(store);
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok(()) }
/// ```
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
    opened: OpenedMode,
}

impl SqliteStore {
    /// Opens the file, which is created if it is missing, and creates or updates the tables.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`](crate::ErrorKind::Settings) if it cannot be opened, is no database,
    /// or was written by a newer release.
    pub async fn connect(path: impl AsRef<Path>) -> Result<Self> {
        let options = connect::options().filename(path);
        let readers = connect::readers(options.clone());
        let writer = connect::writer(options).await?;
        Self::with_pools(writer, readers).await
    }

    /// A database in memory, which is gone with the process: for tests and trials.
    ///
    /// # Errors
    /// Those of SQLite, such as for lack of memory.
    pub async fn in_memory() -> Result<Self> {
        let writer = connect::writer(connect::options().in_memory(true)).await?;
        let readers = writer.clone();
        Self::with_pools(writer, readers).await
    }

    async fn with_pools(writer: SqlitePool, readers: SqlitePool) -> Result<Self> {
        connect::update_schema(&writer).await?;
        Ok(Self {
            writer,
            readers,
            opened: OpenedMode::default(),
        })
    }

    /// Begins to write, which one connection does at a time: what is read from then on stays true.
    ///
    /// The lock is taken by a statement that writes nothing. `BEGIN IMMEDIATE` would take it too,
    /// but sqlx 0.8 leaves that transaction open for good if its caller is dropped just then.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>> {
        let mut transaction = self.writer.begin().await.map_err(undone)?;
        let lock = query(statements::LOCK);
        lock.execute(&mut *transaction).await.map_err(undone)?;
        Ok(transaction)
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("opened", &self.opened)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn open(&self, mode: ModeKind) -> Result<()> {
        let mut transaction = self.begin().await?;
        let stamped: Option<(String,)> = query_as(statements::STAMP)
            .bind(mode.as_str())
            .fetch_optional(&mut *transaction)
            .await
            .map_err(undone)?;
        transaction.commit().await.map_err(uncertain)?;
        match stamped {
            Some((stamped,)) => self.opened.set(&stamped, mode),
            None => Err(stamp_has_changed()),
        }
    }

    async fn is_durable(&self) -> Result<Option<bool>> {
        // A database in memory has no file. It is asked, since a file can be named `:memory:`.
        let file = "SELECT COALESCE(file, '') FROM pragma_database_list WHERE name = 'main'";
        let found = query_as(file).fetch_one(&self.writer).await;
        let (file,): (String,) = found.map_err(undone)?;
        Ok(Some(!file.is_empty()))
    }

    async fn order(&self, id: &OrderId) -> Result<Option<OrderRow>> {
        let query = query_as(queries::ORDER).bind(id.as_str());
        let found = query.fetch_optional(&self.readers).await.map_err(undone)?;
        found.map(|row| rows::order(row, &self.opened)).transpose()
    }

    async fn order_of_payment(&self, payment: &str) -> Result<Option<OrderId>> {
        let query = query_as(queries::ORDER_OF_PAYMENT).bind(payment);
        let found = query.fetch_optional(&self.readers).await.map_err(undone)?;
        let order = found.map(|row| rows::order_of(row, &self.opened));
        order.transpose()
    }

    async fn commit(&self, batch: Batch) -> Result<Commit> {
        self.opened.check(batch.mode)?;
        let mut transaction = self.begin().await?;
        // Whatever ends this early rolls back.
        let applied = commit::write(&mut transaction, &batch).await?;
        if applied != Commit::Stale {
            transaction.commit().await.map_err(uncertain)?;
        }
        Ok(applied)
    }

    async fn claim_orders(
        &self,
        now: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<OrderId>> {
        let mut transaction = self.begin().await?;
        let due: Vec<(String, String)> = query_as(statements::DUE_ORDERS)
            .bind(now.unix())
            .bind(limit(most))
            .fetch_all(&mut *transaction)
            .await
            .map_err(undone)?;
        for (id, _) in &due {
            let claim = query(statements::CLAIM_ORDER).bind(until.unix()).bind(id);
            claim.execute(&mut *transaction).await.map_err(undone)?;
        }
        transaction.commit().await.map_err(uncertain)?;
        let claimed = due.into_iter();
        claimed
            .map(|row| rows::order_of(row, &self.opened))
            .collect()
    }

    async fn claim_events(
        &self,
        now: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<EventRow>> {
        let mut transaction = self.begin().await?;
        let due: Vec<rows::EventColumns> = query_as(statements::DUE_EVENTS)
            .bind(now.unix())
            .bind(limit(most))
            .fetch_all(&mut *transaction)
            .await
            .map_err(undone)?;
        for event in &due {
            let claim = query(statements::CLAIM_EVENT);
            let claim = claim.bind(until.unix()).bind(&event.0);
            claim.execute(&mut *transaction).await.map_err(undone)?;
        }
        transaction.commit().await.map_err(uncertain)?;
        let claimed = due.into_iter();
        claimed.map(|row| rows::event(row, &self.opened)).collect()
    }

    async fn events_waiting_for(&self, order: &OrderId) -> Result<Vec<EventRow>> {
        let query = query_as(queries::EVENTS_WAITING).bind(order.as_str());
        let waiting = query.fetch_all(&self.readers).await.map_err(undone)?;
        let waiting = waiting.into_iter();
        waiting.map(|row| rows::event(row, &self.opened)).collect()
    }

    async fn lease_confirmations(
        &self,
        now: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<LeasedConfirmation>> {
        let mut transaction = self.begin().await?;
        let free: Vec<rows::ConfirmationColumns> = query_as(statements::FREE_CONFIRMATIONS)
            .bind(now.unix())
            .bind(limit(most))
            .fetch_all(&mut *transaction)
            .await
            .map_err(undone)?;
        for confirmation in &free {
            let lease = query(statements::LEASE_CONFIRMATION);
            let lease = lease.bind(until.unix()).bind(&confirmation.0);
            lease.execute(&mut *transaction).await.map_err(undone)?;
        }
        transaction.commit().await.map_err(uncertain)?;
        let leased = free.into_iter();
        leased.map(|row| rows::leased(row, &self.opened)).collect()
    }

    async fn acknowledge(&self, id: &str, lease: u64) -> Result<()> {
        let mut transaction = self.begin().await?;
        let held: Option<(bool,)> = query_as(statements::IS_HELD)
            .bind(signed(lease))
            .bind(id)
            .fetch_optional(&mut *transaction)
            .await
            .map_err(undone)?;
        match held {
            Some((true,)) => {}
            Some((false,)) => return Err(not_the_lease_holder()),
            None => return Err(no_such_confirmation()),
        }
        query(statements::ACKNOWLEDGE)
            .bind(id)
            .execute(&mut *transaction)
            .await
            .map_err(undone)?;
        transaction.commit().await.map_err(uncertain)
    }

    async fn orders_needing_attention(&self, most: usize) -> Result<Vec<OrderRow>> {
        let query = query_as(queries::ORDERS_NEEDING_ATTENTION).bind(limit(most));
        let oldest = query.fetch_all(&self.readers).await.map_err(undone)?;
        let oldest = oldest.into_iter();
        oldest.map(|row| rows::order(row, &self.opened)).collect()
    }

    async fn note(&self, name: &str) -> Result<Option<NoteRow>> {
        let query = query_as(queries::NOTE).bind(name);
        let found = query.fetch_optional(&self.readers).await.map_err(undone)?;
        found.map(|row| rows::note(row, &self.opened)).transpose()
    }

    async fn notes_between(&self, after: &str, before: &str, most: usize) -> Result<Vec<NoteRow>> {
        let query = query_as(statements::NOTES_BETWEEN).bind(after).bind(before);
        let found = query.bind(limit(most)).fetch_all(&self.readers).await;
        let found = found.map_err(undone)?.into_iter();
        found.map(|row| rows::note(row, &self.opened)).collect()
    }

    async fn backlog(&self) -> Result<Backlog> {
        let oldest = query_as(queries::BACKLOG).fetch_one(&self.readers).await;
        Ok(rows::backlog(oldest.map_err(undone)?))
    }

    async fn erase_order(&self, id: &OrderId, version: u64) -> Result<bool> {
        self.opened.get()?;
        let mut transaction = self.begin().await?;
        let erased = commit::erase(&mut transaction, id.as_str(), signed(version)).await?;
        transaction.commit().await.map_err(uncertain)?;
        Ok(erased)
    }

    async fn purge(&self, before: Timestamp, most: usize) -> Result<Purged> {
        self.opened.get()?;
        let mut transaction = self.begin().await?;
        let quiet: Vec<(String, i64)> = query_as(queries::QUIET_ORDERS)
            .bind(before.unix())
            .bind(limit(most))
            .fetch_all(&mut *transaction)
            .await
            .map_err(undone)?;
        let mut purged = Purged::default();
        for (id, version) in quiet {
            let erased = commit::erase(&mut transaction, &id, version).await?;
            purged.orders += usize::from(erased);
        }
        let delete = query(statements::PURGE_EVENTS);
        let delete = delete.bind(before.unix()).bind(limit(most));
        let deleted = delete.execute(&mut *transaction).await.map_err(undone)?;
        purged.events = usize::try_from(deleted.rows_affected()).unwrap_or(usize::MAX);
        transaction.commit().await.map_err(uncertain)?;
        Ok(purged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(name: &str) -> Batch {
        let note = NoteRow {
            name: name.into(),
            version: 1,
            body: "{}".into(),
        };
        Batch {
            note: Some(note),
            ..Batch::new(ModeKind::Test)
        }
    }

    /// A transaction that SQLite itself has rolled back, as it does where the disk is full.
    async fn end_one_behind_our_back(store: &SqliteStore) {
        let mut transaction = store.begin().await.unwrap();
        query("ROLLBACK").execute(&mut *transaction).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_committed_after_sqlite_rolled_back_by_itself_is_in_the_file() {
        let folder = std::env::temp_dir().join(format!("counterfoil-mend-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let store = SqliteStore::connect(folder.join("shop.db")).await.unwrap();
        store.open(ModeKind::Test).await.unwrap();
        store.commit(note("before")).await.unwrap();
        for name in ["one", "two"] {
            end_one_behind_our_back(&store).await;
            // One that is stale is rolled back too.
            let stale = store.commit(note("before")).await.unwrap();
            assert_eq!(stale, Commit::Stale);
            store.commit(note(name)).await.unwrap();
            // Other connections read, and see only what is committed.
            assert!(store.note(name).await.unwrap().is_some(), "{name}");
        }
        drop(store);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[tokio::test]
    async fn a_database_in_memory_keeps_what_it_has_after_sqlite_rolled_back_by_itself() {
        let store = SqliteStore::in_memory().await.unwrap();
        store.open(ModeKind::Test).await.unwrap();
        store.commit(note("before")).await.unwrap();
        end_one_behind_our_back(&store).await;
        assert_eq!(store.commit(note("before")).await.unwrap(), Commit::Stale);
        store.commit(note("after")).await.unwrap();
        for name in ["before", "after"] {
            assert!(store.note(name).await.unwrap().is_some(), "{name}");
        }
    }
}
