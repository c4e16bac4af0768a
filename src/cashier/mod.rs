//! The durable flow from order to confirmation and refund, over one [`Provider`] or several and a
//! [`Store`].
//!
//! [`Cashier`] stores every wish before the provider is asked, under a key that stays the same, and
//! takes in what the provider says from webhooks, redirects and sweeps alike. What the host must
//! know comes out of an outbox, once per order and kind. A process may die between any two steps:
//! the next [`sweep`](Cashier::sweep) goes on where it stopped.
//!
//! ```
//! # async fn run(
//! #     provider: counterfoil::Provider<counterfoil::Test>,
//! #     webhook: counterfoil::webhook::WebhookRequest,
//! # ) -> counterfoil::Result<()> {
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use counterfoil::cashier::{Cashier, ConfirmationKind, MemoryStore};
//! use counterfoil::id::OrderId;
//! use counterfoil::money::{Currency, Money, PositiveMoney};
//! use counterfoil::request::{Checkout, CreateRequest};
//!
//! let cashier = Cashier::open(provider, Arc::new(MemoryStore::new())).await?;
//!
//! // The shopper goes to pay.
//! let order = OrderId::new("A-1001")?;
//! let total = PositiveMoney::new(Money::new(1999, Currency::EUR))?;
//! cashier.place(&order, total).await?;
//! let page = Checkout::hosted("https://shop.example/done", "https://shop.example/cart");
//! let payment = cashier.check_out(&CreateRequest::new(order, total, page)).await?;
//! println!("send the browser to {:?}", payment.next_action);
//!
//! // The provider calls, and from time to time it is asked.
//! let answer = cashier.receive(&webhook).await.answer;
//! cashier.sweep().await?;
//!
//! // What is paid is fulfilled once.
//! for confirmation in cashier.confirmations(Duration::from_secs(60), 100).await? {
//!     match (&confirmation.kind, &confirmation.order) {
//!         (ConfirmationKind::Paid, Some(order)) => println!("deliver {order}"),
//!         (ConfirmationKind::PayoutFailed(payout), _) => println!("see why {payout} came back"),
//!         _ => {}
//!     }
//!     cashier.acknowledge(&confirmation).await?;
//! }
//! # Ok(()) }
//! ```

mod ask;
mod checkout;
mod commands;
mod concerns;
mod contradictions;
mod disputes;
mod due;
mod ending;
mod fold;
mod health;
mod memory;
mod offer;
mod orders;
mod outbox;
mod patience;
mod payout_records;
mod payouts;
mod providers;
mod receive;
mod records;
mod retention;
mod routes;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "sqlite", feature = "postgres"))))]
pub mod sql;
mod standing;
mod store;
mod store_suite;
mod stream;
mod sweep;
mod turns;
mod unreadable;
mod warnings;

use std::sync::Arc;

pub use concerns::Concern;
pub use health::{Health, ProviderHealth, Unreadable, WebhookHealth};
#[cfg(feature = "preflight")]
pub(crate) use health::{last_news_of_money, last_sweep};
pub use memory::MemoryStore;
pub use outbox::{Confirmation, ConfirmationKind};
pub use patience::Patience;
pub use payout_records::PayoutRecord;
pub use payouts::{LineFinding, ReconciledLine, ReconciledPayout};
pub use receive::Received;
pub use records::{
    AttemptPhase, AttemptRecord, CommandOperation, CommandRecord, CommandState, HistoryEntry,
    OrderRecord, PaymentRecord,
};
pub use routes::{Route, Routes};
#[cfg(feature = "postgres")]
#[cfg_attr(docsrs, doc(cfg(feature = "postgres")))]
pub use sql::postgres::PostgresStore;
#[cfg(feature = "sqlite")]
#[cfg_attr(docsrs, doc(cfg(feature = "sqlite")))]
pub use sql::sqlite::SqliteStore;
pub use standing::{Allocation, Standing};
pub use store::{
    Backlog, Batch, Commit, ConfirmationRow, EventRow, LeasedConfirmation, NoteRow, OrderRow,
    Purged, Store,
};
pub use store_suite::check_store;
pub use sweep::Swept;

use crate::clock::{Clock, SystemClock, Timestamp};
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::handle::Provider;
use crate::id::{OrderId, PaymentId, ProviderName};
use crate::mode::Mode;
use crate::telemetry::{CASHIER_CONFIRMATION, TARGET};
use health::{Counts, Unread};
use routes::Wellness;
use serde::Serialize;
use serde::de::DeserializeOwned;
use stream::Bell;
use sweep::Limits;
use turns::Turns;

/// How often an order is read again because another writer was faster, before giving up.
const MOST_RETRIES: u32 = 64;

/// The outcome of an event that an order has taken in.
const APPLIED: &str = "applied";

/// The durable flow of one shop over its providers and a store. Clones share them.
///
/// Several processes may hold a cashier on one store at a time.
#[derive(Debug, Clone)]
pub struct Cashier<M: Mode> {
    providers: Arc<Vec<Provider<M>>>,
    names: Arc<Vec<ProviderName>>,
    routes: Arc<Routes>,
    wellness: Arc<Wellness>,
    turns: Arc<Turns>,
    bell: Arc<Bell>,
    counts: Arc<Counts>,
    unreadable: Arc<Unread>,
    patience: Patience,
    limits: Limits,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

impl<M: Mode> Cashier<M> {
    /// Opens the flow on a store, which is stamped with the mode `M`.
    ///
    /// # Errors
    /// [`ErrorKind::WrongMode`] if the store holds records of the other mode.
    pub async fn open(provider: Provider<M>, store: Arc<dyn Store>) -> Result<Self> {
        store.open(M::KIND).await?;
        Ok(Self {
            names: Arc::new(vec![provider.name().clone()]),
            providers: Arc::new(vec![provider]),
            routes: Arc::default(),
            wellness: Arc::default(),
            turns: Arc::default(),
            bell: Arc::default(),
            counts: Arc::default(),
            unreadable: Arc::default(),
            patience: Patience::default(),
            limits: Limits::default(),
            store,
            clock: Arc::new(SystemClock),
        })
    }

    /// Uses another clock than the machine's.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets how long things may take before a person is told.
    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn read(&self, id: &OrderId) -> Result<Option<Stored<M>>> {
        self.store.order(id).await?.map(Stored::read).transpose()
    }

    async fn require(&self, id: &OrderId) -> Result<Stored<M>> {
        self.read(id).await?.ok_or_else(no_such_order)
    }

    /// A note and its version; of one that is not there yet, the default and 0.
    async fn read_note<T: DeserializeOwned + Default>(&self, name: &str) -> Result<(T, u64)> {
        let Some(row) = self.store.note(name).await? else {
            return Ok((T::default(), 0));
        };
        let note = serde_json::from_str(&row.body).map_err(|error| {
            let message = "a note in the store is of a newer version";
            Error::new(ErrorKind::UnexpectedResponse, message).with_source(error)
        })?;
        Ok((note, row.version))
    }

    async fn write_note<T: Serialize>(&self, name: &str, version: u64, note: &T) -> Result<Commit> {
        let body = serde_json::to_string(note).map_err(|error| {
            let message = "a note cannot be written as JSON";
            Error::new(ErrorKind::UnexpectedResponse, message).with_source(error)
        })?;
        let row = NoteRow {
            name: name.to_owned(),
            version,
            body,
        };
        let batch = Batch {
            note: Some(row),
            ..Batch::new(M::KIND)
        };
        self.store.commit(batch).await
    }

    /// The order of a payment that was begun or heard of here.
    async fn order_of(&self, payment: &PaymentId<M>) -> Result<OrderId> {
        let order = self.store.order_of_payment(&payment.to_string()).await?;
        let message = "the payment belongs to no order here";
        order.ok_or_else(|| Error::new(ErrorKind::NotFound, message))
    }

    /// Changes an order by `edit`, which is run again on the new state if another writer was
    /// faster. Everything that follows from the change is committed with it.
    async fn change<T>(
        &self,
        id: &OrderId,
        edit: impl Fn(&mut OrderRecord<M>, Timestamp) -> Result<T> + Send,
    ) -> Result<(T, OrderRecord<M>)>
    where
        T: Send,
    {
        let changed = self.change_and_finish(id, None, edit).await?;
        changed.ok_or_else(no_such_order)
    }

    /// As [`change`](Self::change), and marks an event as applied in the same commit. Gives `None`
    /// if there is no such order.
    async fn change_and_finish<T>(
        &self,
        id: &OrderId,
        event: Option<&str>,
        edit: impl Fn(&mut OrderRecord<M>, Timestamp) -> Result<T> + Send,
    ) -> Result<Option<(T, OrderRecord<M>)>>
    where
        T: Send,
    {
        for _ in 0..MOST_RETRIES {
            let Some(stored) = self.read(id).await? else {
                return Ok(None);
            };
            let (value, record, mut batch) = self.edited(stored, &edit)?;
            let finished = event.map(|event| (event.to_owned(), APPLIED.to_owned()));
            batch.finished_events.extend(finished);
            if self.commit_change(batch).await? {
                return Ok(Some((value, record)));
            }
        }
        let message = "too many writers change this order at once: try again";
        Err(Error::new(ErrorKind::Unavailable, message).with_effect(Effect::NotApplied))
    }

    /// An order that was read, as `edit` changes it, with the batch that commits the change.
    fn edited<T>(
        &self,
        stored: Stored<M>,
        edit: impl FnOnce(&mut OrderRecord<M>, Timestamp) -> Result<T>,
    ) -> Result<(T, OrderRecord<M>, Batch)> {
        let now = self.now();
        let mut record = stored.record;
        let value = edit(&mut record, now)?;
        let batch = self.batch_of(&mut record, stored.version + 1, now)?;
        Ok((value, record, batch))
    }

    /// Commits a change of an order, and gives whether it was not stale.
    async fn commit_change(&self, batch: Batch) -> Result<bool> {
        let news = batch.confirmations.clone();
        if self.store.commit(batch).await? == Commit::Stale {
            return Ok(false);
        }
        if !news.is_empty() {
            Self::tell_of(&news);
            self.bell.ring();
        }
        Ok(true)
    }

    fn tell_of(confirmations: &[ConfirmationRow]) {
        for row in confirmations {
            let kind = row
                .kind
                .split_once(':')
                .map_or(&*row.kind, |(kind, _)| kind);
            tracing::info!(
                name: CASHIER_CONFIRMATION,
                target: TARGET,
                mode = M::KIND.as_str(),
                kind,
                order = row.order.as_ref().map(tracing::field::display),
                "confirmation"
            );
        }
    }

    /// The record as it shall be stored, with the confirmations that follow from it.
    fn batch_of(&self, record: &mut OrderRecord<M>, version: u64, now: Timestamp) -> Result<Batch> {
        let id = record.order.id.clone();
        let kinds = record.settle(now, &self.patience);
        let body = serde_json::to_string(record).map_err(|error| {
            let message = "the order's record cannot be written as JSON";
            Error::new(ErrorKind::UnexpectedResponse, message).with_source(error)
        })?;
        let known = record.payments.iter().filter_map(|p| p.ledger.payment());
        let ids = known.flat_map(|payment| payment.ids());
        let begun = record.attempts.iter().filter_map(|a| a.payment.as_ref());
        let ids = ids.chain(begun).chain(record.contradicting_ids());
        let mut links: Vec<_> = ids.map(ToString::to_string).collect();
        links.sort();
        links.dedup();
        Ok(Batch {
            links,
            confirmations: kinds.iter().map(|kind| kind.row(&id, now)).collect(),
            order: Some(OrderRow {
                id,
                version,
                due_at: record.due_at(&self.patience),
                attention_since: record.attention_since,
                open_since: record.open_since(),
                changed_at: now,
                body,
            }),
            ..Batch::new(M::KIND)
        })
    }
}

fn no_such_order() -> Error {
    Error::new(ErrorKind::NotFound, "there is no such order: place it")
}

/// A record as it was read, with the version that a change of it must name.
struct Stored<M: Mode> {
    record: OrderRecord<M>,
    version: u64,
}

impl<M: Mode> Stored<M> {
    fn read(row: OrderRow) -> Result<Self> {
        let record = serde_json::from_str(&row.body).map_err(|error| {
            let message = "the stored order is of another mode or of a newer version";
            Error::new(ErrorKind::UnexpectedResponse, message).with_source(error)
        })?;
        Ok(Self {
            record,
            version: row.version,
        })
    }
}
