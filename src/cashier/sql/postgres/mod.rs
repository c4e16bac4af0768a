//! The cashier's store in a PostgreSQL database.

mod batch;
mod connect;
mod error;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPool, PgRow};
use sqlx::query::QueryAs;
use sqlx::{FromRow, Postgres, query_as};

use self::batch::BatchColumns;
use self::error::Failed;
use super::rows::{self, limit, signed};
use super::{
    OpenedMode, confirmation_of_another_order, no_such_confirmation, not_the_lease_holder,
    payment_of_another_order, queries, stamp_has_changed,
};
use crate::cashier::store::{
    Backlog, Batch, Commit, EventRow, LeasedConfirmation, NoteRow, OrderRow, Purged, Store,
};
use crate::clock::Timestamp;
use crate::error::{Effect, Result};
use crate::id::OrderId;
use crate::mode::ModeKind;
use crate::secret::Secret;

/// How often a statement is run again that the database broke off in favour of another.
const MOST_TRIES: u32 = 20;

/// The cashier's records in a PostgreSQL database, version 12 or later, which several nodes may
/// share.
///
/// Its tables are named `counterfoil_…` and lie in the first schema of the connection's search
/// path, beside the host's own if it likes; [`sql`](crate::cashier::sql) describes them. Each batch
/// is one statement and so one transaction, which is right under every isolation level and behind
/// a pooler that gives out a connection per transaction.
///
/// What is committed is as durable as the database makes it: leave `fsync` and
/// `synchronous_commit` on.
///
/// ```no_run
/// # async fn run(
/// #     provider: counterfoil::Provider<counterfoil::Test>,
/// # ) -> counterfoil::Result<()> {
/// use std::sync::Arc;
///
/// use counterfoil::cashier::{Cashier, PostgresStore};
///
/// let store = PostgresStore::connect("postgres://shop:password@db.example/shop").await?;
/// let cashier = Cashier::open(provider, Arc::new(store)).await?;
/// # Ok(()) }
/// ```
pub struct PostgresStore {
    pool: PgPool,
    opened: OpenedMode,
}

type Query<'q, T> = QueryAs<'q, Postgres, T, PgArguments>;

impl PostgresStore {
    /// Connects to the database of a URL, `postgres://user:password@host:port/database`, and
    /// creates or updates the tables. It keeps up to ten connections.
    ///
    /// A connection to another machine is encrypted and the server's certificate checked, unless
    /// the URL says otherwise by [`sslmode`]; `sslrootcert` names a file of certificates to trust.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] if the URL cannot be read, if a newer release has written the
    /// tables, or if the user may not create them; [`ErrorKind::Credentials`] if it is not let in;
    /// [`ErrorKind::Unavailable`] if the database cannot be reached.
    ///
    /// [`sslmode`]: https://www.postgresql.org/docs/current/libpq-ssl.html
    /// [`ErrorKind::Settings`]: crate::ErrorKind::Settings
    /// [`ErrorKind::Credentials`]: crate::ErrorKind::Credentials
    /// [`ErrorKind::Unavailable`]: crate::ErrorKind::Unavailable
    pub async fn connect(url: impl Into<Secret>) -> Result<Self> {
        let options = connect::options(&url.into())?;
        Self::with_options(options).await
    }

    /// Connects as `options` say, TLS included, and otherwise as [`connect`](Self::connect) does.
    ///
    /// # Errors
    /// As for [`connect`](Self::connect).
    pub async fn with_options(options: PgConnectOptions) -> Result<Self> {
        connect::update_schema_with(&options).await?;
        Ok(Self {
            pool: connect::pool(options),
            opened: OpenedMode::default(),
        })
    }

    /// Uses a pool of the host's, and creates or updates the tables.
    ///
    /// # Errors
    /// As for [`connect`](Self::connect).
    pub async fn with_pool(pool: PgPool) -> Result<Self> {
        let connection = pool.acquire().await;
        let mut connection = connection.map_err(|error| Failed::unsent(error).report())?;
        connect::update_schema(&mut connection).await?;
        drop(connection);
        Ok(Self {
            pool,
            opened: OpenedMode::default(),
        })
    }

    /// Runs a query that changes nothing.
    async fn read<'q, T>(&self, query: impl Fn() -> Query<'q, T> + Send + Sync) -> Result<Vec<T>>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let done = self.run(Effect::NotApplied, query).await;
        done.map_err(Failed::report)
    }

    /// Runs a statement that is a transaction of its own.
    async fn write<'q, T>(&self, query: impl Fn() -> Query<'q, T> + Send + Sync) -> Result<Vec<T>>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let done = self.run(Effect::Unknown, query).await;
        done.map_err(Failed::report)
    }

    /// Runs a statement, again if the database breaks it off in favour of another. `effect` is
    /// what is known of it if the connection breaks before it was answered.
    async fn run<'q, T>(
        &self,
        effect: Effect,
        query: impl Fn() -> Query<'q, T> + Send + Sync,
    ) -> Result<Vec<T>, Failed>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let mut tries = 0;
        loop {
            tries += 1;
            let mut connection = self.pool.acquire().await.map_err(Failed::unsent)?;
            // All rows are read to the end of the answer, which comes after the commit.
            let done = query().fetch_all(&mut *connection).await;
            match done.map_err(|error| Failed::sent(error, effect)) {
                Err(failed) if failed.is_broken_off() && tries < MOST_TRIES => {
                    drop(connection);
                    // Those that met each other do not meet again at the same moment.
                    let most_ms = 1 << tries.min(6);
                    let wait = Duration::from_millis(fastrand::u64(..most_ms));
                    tokio::time::sleep(wait).await;
                }
                done => return done,
            }
        }
    }

    /// Removes orders of these versions, unless something about them waits; gives how many.
    async fn erase(&self, ids: &[String], versions: &[i64]) -> Result<usize> {
        let erase = || query_as(include_str!("erase.sql")).bind(ids).bind(versions);
        let erased: Vec<(String,)> = self.write(erase).await?;
        Ok(erased.len())
    }
}

/// Says nothing of where the database is or who connects to it.
impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("opened", &self.opened)
            .field("connections", &self.pool.size())
            .finish()
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn open(&self, mode: ModeKind) -> Result<()> {
        let stamp = "UPDATE counterfoil_store SET mode = COALESCE(mode, $1) RETURNING mode";
        let stamped: Vec<(String,)> = self.write(|| query_as(stamp).bind(mode.as_str())).await?;
        match stamped.first() {
            Some((stamped,)) => self.opened.set(stamped, mode),
            None => Err(stamp_has_changed()),
        }
    }

    async fn is_durable(&self) -> Result<Option<bool>> {
        let settings = "SELECT current_setting('fsync') <> 'off' \
             AND current_setting('synchronous_commit') <> 'off'";
        let safe: Vec<(bool,)> = self.read(|| query_as(settings)).await?;
        Ok(safe.first().map(|(safe,)| *safe))
    }

    async fn order(&self, id: &OrderId) -> Result<Option<OrderRow>> {
        let found = self.read(|| query_as(queries::ORDER).bind(id.as_str()));
        let found = found.await?.pop();
        found.map(|row| rows::order(row, &self.opened)).transpose()
    }

    async fn order_of_payment(&self, payment: &str) -> Result<Option<OrderId>> {
        let found = self.read(|| query_as(queries::ORDER_OF_PAYMENT).bind(payment));
        let found = found.await?.pop();
        found
            .map(|row| rows::order_of(row, &self.opened))
            .transpose()
    }

    async fn commit(&self, batch: Batch) -> Result<Commit> {
        self.opened.check(batch.mode)?;
        let columns = BatchColumns::of(batch);
        let done = self.run(Effect::Unknown, || columns.query()).await;
        match done {
            Ok(answer) => match answer.into_iter().next() {
                Some((true, true, added_events)) => Ok(Commit::Applied { added_events }),
                Some((true, false, _)) => Ok(Commit::Stale),
                Some((false, _, _)) | None => Err(stamp_has_changed()),
            },
            Err(failed) => match (failed.doubled_in(), failed.null_in()) {
                // Another writer has inserted it at the same time.
                (Some("counterfoil_orders" | "counterfoil_notes"), _)
                | (_, Some("counterfoil_events")) => Ok(Commit::Stale),
                (Some("counterfoil_confirmations"), _) => Err(confirmation_of_another_order()),
                (_, Some("counterfoil_payments")) => Err(payment_of_another_order()),
                _ => Err(failed.report()),
            },
        }
    }

    async fn claim_orders(
        &self,
        now: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<OrderId>> {
        let claim = || claim(include_str!("claim_orders.sql"), now, until, most);
        let claimed = self.write(claim).await?.into_iter();
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
        let claim = || claim(include_str!("claim_events.sql"), now, until, most);
        let claimed = self.write(claim).await?.into_iter();
        claimed.map(|row| rows::event(row, &self.opened)).collect()
    }

    async fn events_waiting_for(&self, order: &OrderId) -> Result<Vec<EventRow>> {
        let waiting = self.read(|| query_as(queries::EVENTS_WAITING).bind(order.as_str()));
        let waiting = waiting.await?.into_iter();
        waiting.map(|row| rows::event(row, &self.opened)).collect()
    }

    async fn lease_confirmations(
        &self,
        now: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<LeasedConfirmation>> {
        let lease = || claim(include_str!("lease_confirmations.sql"), now, until, most);
        let leased = self.write(lease).await?.into_iter();
        leased.map(|row| rows::leased(row, &self.opened)).collect()
    }

    async fn acknowledge(&self, id: &str, lease: u64) -> Result<()> {
        let acknowledge = || {
            let query = query_as(include_str!("acknowledge.sql"));
            query.bind(id).bind(signed(lease))
        };
        match self.write(acknowledge).await?.first() {
            Some((_, true)) => Ok(()),
            Some((true, false)) => Err(not_the_lease_holder()),
            Some((false, false)) | None => Err(no_such_confirmation()),
        }
    }

    async fn orders_needing_attention(&self, most: usize) -> Result<Vec<OrderRow>> {
        let oldest = || query_as(queries::ORDERS_NEEDING_ATTENTION).bind(limit(most));
        let oldest = self.read(oldest).await?.into_iter();
        oldest.map(|row| rows::order(row, &self.opened)).collect()
    }

    async fn note(&self, name: &str) -> Result<Option<NoteRow>> {
        let found = self
            .read(|| query_as(queries::NOTE).bind(name))
            .await?
            .pop();
        found.map(|row| rows::note(row, &self.opened)).transpose()
    }

    async fn notes_between(&self, after: &str, before: &str, most: usize) -> Result<Vec<NoteRow>> {
        let find = || {
            let query = query_as(include_str!("notes_between.sql"));
            query.bind(after).bind(before).bind(limit(most))
        };
        let found = self.read(find).await?.into_iter();
        found.map(|row| rows::note(row, &self.opened)).collect()
    }

    async fn backlog(&self) -> Result<Backlog> {
        let oldest = self.read(|| query_as(queries::BACKLOG)).await?.pop();
        Ok(rows::backlog(oldest.unwrap_or_default()))
    }

    async fn erase_order(&self, id: &OrderId, version: u64) -> Result<bool> {
        let ids = [id.as_str().to_owned()];
        Ok(self.erase(&ids, &[signed(version)]).await? > 0)
    }

    async fn purge(&self, before: Timestamp, most: usize) -> Result<Purged> {
        self.opened.get()?;
        let find = || {
            query_as(queries::QUIET_ORDERS)
                .bind(before.unix())
                .bind(limit(most))
        };
        let quiet: Vec<(String, i64)> = self.read(find).await?;
        let (ids, versions): (Vec<_>, Vec<_>) = quiet.into_iter().unzip();
        let orders = self.erase(&ids, &versions).await?;
        let delete = || {
            query_as(include_str!("purge_events.sql"))
                .bind(before.unix())
                .bind(limit(most))
        };
        let events: Vec<(String,)> = self.write(delete).await?;
        Ok(Purged {
            orders,
            events: events.len(),
        })
    }
}

/// A statement that claims or leases what is due.
fn claim<'q, T>(sql: &'q str, now: Timestamp, until: Timestamp, most: usize) -> Query<'q, T>
where
    T: for<'r> FromRow<'r, PgRow>,
{
    let claim = query_as(sql).bind(now.unix()).bind(until.unix());
    claim.bind(limit(most))
}
