//! Where the cashier keeps what it must not forget: a few rows and one atomic commit.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::error::Result;
use crate::id::OrderId;
use crate::mode::ModeKind;

/// A durable store of one mode, such as a database.
///
/// Everything that must change together is one [`Batch`], and [`commit`](Self::commit) applies all
/// of it or nothing. A batch names the version of the order or note that it was made from, so no
/// isolation level is assumed: of two writers that read one version, one is told
/// [`Commit::Stale`].
///
/// The rows hold plain columns to look up by and a JSON text, so that any database can keep them.
/// An implementation passes [`check_store`](super::check_store).
#[async_trait]
pub trait Store: Debug + Send + Sync + 'static {
    /// Opens the store for `mode`. The first opening stamps it.
    ///
    /// # Errors
    /// [`WrongMode`](crate::ErrorKind::WrongMode) if it was stamped with the other mode.
    async fn open(&self, mode: ModeKind) -> Result<()>;

    /// Whether what is committed stays when the process ends and the machine falls; `None` where
    /// that cannot be told, which a preflight takes as unknown.
    async fn is_durable(&self) -> Result<Option<bool>> {
        Ok(None)
    }

    /// Reads an order.
    async fn order(&self, id: &OrderId) -> Result<Option<OrderRow>>;

    /// Reads which order a payment belongs to; `payment` is the text of any id of it.
    async fn order_of_payment(&self, payment: &str) -> Result<Option<OrderId>>;

    /// Applies the whole batch durably, or nothing of it.
    ///
    /// # Errors
    /// [`WrongMode`](crate::ErrorKind::WrongMode) for a batch of the other mode,
    /// [`Conflict`](crate::ErrorKind::Conflict) for a link to a payment that belongs to another
    /// order, or a confirmation with the id of another. It may have been applied if the error's
    /// effect is [`Unknown`](crate::Effect::Unknown): read the order.
    async fn commit(&self, batch: Batch) -> Result<Commit>;

    /// Claims orders that are due, earliest first, by making them due at `until`: another node
    /// does not get them before then.
    async fn claim_orders(
        &self,
        now: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<OrderId>>;

    /// Claims unfinished events that are due, in the same way.
    async fn claim_events(
        &self,
        now: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<EventRow>>;

    /// Reads the unfinished events that name this order, due or not.
    async fn events_waiting_for(&self, order: &OrderId) -> Result<Vec<EventRow>>;

    /// Leases confirmations that are neither acknowledged nor leased, those that have been free
    /// longest first: since they came to be, or since the end of their last lease.
    async fn lease_confirmations(
        &self,
        now: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<LeasedConfirmation>>;

    /// Marks a confirmation as done, for who holds its lease.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is none,
    /// [`Conflict`](crate::ErrorKind::Conflict) if it was acknowledged before or leased anew.
    async fn acknowledge(&self, id: &str, lease: u64) -> Result<()>;

    /// Reads the orders that need a person, those that have waited longest first.
    async fn orders_needing_attention(&self, most: usize) -> Result<Vec<OrderRow>>;

    /// Reads a note of this name.
    async fn note(&self, name: &str) -> Result<Option<NoteRow>>;

    /// Reads the notes whose names lie between these two, neither of them included, in the order of
    /// the bytes of their names.
    async fn notes_between(&self, after: &str, before: &str, most: usize) -> Result<Vec<NoteRow>>;

    /// Reads how old the oldest unfinished things are.
    async fn backlog(&self) -> Result<Backlog>;

    /// Erases an order of this version with its links and confirmations, and what its events say;
    /// of those only the bare ids stay, so that one that is delivered again changes nothing.
    /// Gives whether it was done: not if the order has another version, nor while an unfinished
    /// event or a confirmation of it waits.
    async fn erase_order(&self, id: &OrderId, version: u64) -> Result<bool>;

    /// Erases orders that were last changed before `before` and about which nothing is due, open
    /// or waiting, and finished events that came before it; at most `most` of each.
    async fn purge(&self, before: Timestamp, most: usize) -> Result<Purged>;
}

/// One order and all that is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRow {
    /// The host's name for it.
    pub id: OrderId,
    /// Counted from 1, one more with each change.
    pub version: u64,
    /// When a provider should be asked about it; `None` for never.
    pub due_at: Option<Timestamp>,
    /// Since when it needs a person.
    pub attention_since: Option<Timestamp>,
    /// Since when something about it is open: a payment under way, a refund that is not done.
    pub open_since: Option<Timestamp>,
    /// When it was last changed.
    pub changed_at: Timestamp,
    /// The record as JSON.
    pub body: String,
}

/// A verified webhook event in the inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// The text of the event's id. The same id again is the same event again.
    pub id: String,
    /// The order that it names, if it names one.
    pub order: Option<OrderId>,
    /// When it came.
    pub received_at: Timestamp,
    /// When it should be looked at.
    pub due_at: Timestamp,
    /// What became of it; `None` while it waits.
    pub outcome: Option<String>,
    /// What it says, as JSON.
    pub body: String,
}

/// A confirmation in the outbox. There is one per order and kind, and one per kind of those about no
/// order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmationRow {
    /// A stable id to deduplicate on.
    pub id: String,
    /// The order that it is about; `None` for one about a payout.
    pub order: Option<OrderId>,
    /// The kind, with what it is about where one order can have several, as text.
    pub kind: String,
    /// When it came to be.
    pub created_at: Timestamp,
}

/// A confirmation that is leased to one worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeasedConfirmation {
    /// The confirmation.
    pub row: ConfirmationRow,
    /// Which lease of it this is. An older lease cannot acknowledge it.
    pub lease: u64,
}

/// Something that the cashier remembers apart from any order: each payout, and a few things for each
/// provider, such as how far it has read a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteRow {
    /// Its name.
    pub name: String,
    /// Counted from 1, one more with each change.
    pub version: u64,
    /// The note as JSON.
    pub body: String,
}

/// Since when the oldest unfinished things wait; `None` where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// The earliest [`OrderRow::open_since`].
    pub open_since: Option<Timestamp>,
    /// The earliest [`OrderRow::attention_since`].
    pub attention_since: Option<Timestamp>,
    /// When the oldest unfinished event came.
    pub event_since: Option<Timestamp>,
    /// When the oldest confirmation that is not acknowledged came to be.
    pub confirmation_since: Option<Timestamp>,
}

/// What was too old to be kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Purged {
    /// How many orders were erased.
    pub orders: usize,
    /// How many finished events were erased, those of the orders not counted.
    pub events: usize,
}

/// What is written together.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The mode of everything in it.
    pub mode: ModeKind,
    /// The order as it shall be. Its version is one more than the version that it was made from, 1
    /// for an order that must not be there yet.
    pub order: Option<OrderRow>,
    /// Texts of payment ids that belong to that order.
    pub links: Vec<String>,
    /// Events to add, unless they are there.
    pub new_events: Vec<EventRow>,
    /// Whether the batch says what follows from its new events: if one of them is there already,
    /// the batch is stale.
    pub follows_from_events: bool,
    /// Ids of events that are finished, with what became of them. An event that names no order
    /// belongs to the order of the batch from then on.
    pub finished_events: Vec<(String, String)>,
    /// Confirmations to add, unless the order has one of that kind; of those about no order, unless
    /// there is one of that kind.
    pub confirmations: Vec<ConfirmationRow>,
    /// A note as it shall be, with its version as for the order.
    pub note: Option<NoteRow>,
}

impl Batch {
    /// An empty batch of `mode`.
    #[must_use]
    pub const fn new(mode: ModeKind) -> Self {
        Self {
            mode,
            order: None,
            links: Vec::new(),
            new_events: Vec::new(),
            follows_from_events: false,
            finished_events: Vec::new(),
            confirmations: Vec::new(),
            note: None,
        }
    }
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Commit {
    /// It is applied.
    Applied {
        /// The ids of those events of [`Batch::new_events`] that were not there before.
        added_events: Vec<String>,
    },
    /// The order or the note has another version than the batch was made from, or an event that it
    /// [follows from](Batch::follows_from_events) is there already; nothing is applied. Read again.
    Stale,
}
