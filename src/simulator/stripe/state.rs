//! What the simulated account holds: tables of records, the agenda of things to come, the clock.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::charges::Charge;
use super::customers::{Customer, PaymentMethod};
use super::disputes::Dispute;
use super::errors::ApiError;
use super::events::{Errand, Event, WebhookEndpoint};
use super::intents::Intent;
use super::payouts::{BalanceTransaction, Payout};
use super::refunds::Refund;
use super::search::SearchIndex;
use super::sessions::Session;
use super::warnings::{FraudWarning, Review};
use crate::clock::Timestamp;
use crate::simulator::agenda::Agenda;
use crate::simulator::mailroom::Mailroom;
use crate::simulator::table::{Row, Table};

/// The version whose shapes are answered: the newest whose official specification is published.
pub(super) const API_VERSION: &str = "2026-08-26.dahlia";
/// The one account.
pub(super) const ACCOUNT_ID: &str = "acct_1CounterfoilSim01";

pub(super) type Metadata = BTreeMap<String, String>;

/// The whole state of the simulated account.
#[derive(Debug)]
pub(super) struct World {
    pub(super) now: Timestamp,
    pub(super) started: Timestamp,
    /// Where the hosted pages are, without a slash at the end.
    pub(super) base_url: String,
    pub(super) ids: Ids,
    pub(super) caller: Caller,
    agenda: Agenda<Task>,
    payouts_planned: BTreeSet<Timestamp>,
    pub(super) intents: Table<Intent>,
    pub(super) sessions: Table<Session>,
    pub(super) charges: Table<Charge>,
    pub(super) refunds: Table<Refund>,
    pub(super) disputes: Table<Dispute>,
    pub(super) fraud_warnings: Table<FraudWarning>,
    pub(super) reviews: Table<Review>,
    pub(super) payouts: Table<Payout>,
    pub(super) balance_transactions: Table<BalanceTransaction>,
    pub(super) customers: Table<Customer>,
    pub(super) payment_methods: Table<PaymentMethod>,
    pub(super) events: Table<Event>,
    pub(super) endpoints: Table<WebhookEndpoint>,
    pub(super) mail: Mailroom<Errand>,
    pub(super) search: SearchIndex,
    /// Whether the release of what was not captured is a `refund.created` event.
    pub(super) release_events: bool,
}

/// Who causes what happens now; events name it. Nobody does when time or a shopper does.
#[derive(Debug, Clone, Default)]
pub(super) struct Caller {
    pub(super) request_id: Option<String>,
    pub(super) idempotency_key: Option<String>,
}

/// Something that the clock will bring.
#[derive(Debug, Clone)]
pub(super) enum Task {
    ExpireSession(String),
    ExpireAuthorization(String),
    IndexIntent(String),
    SettleCharge(String),
    FinishDebit(String),
    SettleRefund(String),
    FailRefund(String),
    DisputeDeadline(String),
    DecideDispute { dispute: String, won: bool },
    DailyPayout,
    PayoutArrives(String),
}

impl World {
    pub(super) fn new(seed: u64, start: Timestamp) -> Self {
        Self {
            now: start,
            started: start,
            base_url: "http://127.0.0.1:12111".to_owned(),
            ids: Ids::new(seed),
            caller: Caller::default(),
            agenda: Agenda::default(),
            payouts_planned: BTreeSet::new(),
            intents: Table::default(),
            sessions: Table::default(),
            charges: Table::default(),
            refunds: Table::default(),
            disputes: Table::default(),
            fraud_warnings: Table::default(),
            reviews: Table::default(),
            payouts: Table::default(),
            balance_transactions: Table::default(),
            customers: Table::default(),
            payment_methods: Table::default(),
            events: Table::default(),
            endpoints: Table::default(),
            mail: Mailroom::new(seed),
            search: SearchIndex::default(),
            release_events: true,
        }
    }

    /// Puts a task on the agenda.
    pub(super) fn plan(&mut self, after: Duration, task: Task) {
        self.plan_at(self.now.saturating_add(after), task);
    }

    pub(super) fn plan_at(&mut self, at: Timestamp, task: Task) {
        self.agenda.plan(at, task);
    }

    /// Plans the payout of a day on which something becomes available, once.
    pub(super) fn plan_payout(&mut self, midnight: Timestamp) {
        if self.payouts_planned.insert(midnight) {
            self.plan_at(midnight, Task::DailyPayout);
        }
    }

    /// Moves the clock, doing on the way what falls due, each thing at its own time.
    pub(super) fn advance(&mut self, by: Duration) {
        let until = self.now.saturating_add(by);
        while let Some((at, task)) = self.agenda.take_due(until) {
            self.now = self.now.max(at);
            self.perform(task);
        }
        self.now = until;
    }

    fn perform(&mut self, task: Task) {
        match task {
            Task::ExpireSession(id) => super::sessions::expire_when_due(self, &id),
            Task::ExpireAuthorization(id) => super::payments::expire_authorization(self, &id),
            Task::IndexIntent(id) => super::search::index(self, &id),
            Task::SettleCharge(id) => super::charges::settle(self, &id),
            Task::FinishDebit(id) => super::payments::finish_debit(self, &id),
            Task::SettleRefund(id) => super::refunds::settle(self, &id),
            Task::FailRefund(id) => super::refunds::fail(self, &id),
            Task::DisputeDeadline(id) => super::disputes::deadline(self, &id),
            Task::DecideDispute { dispute, won } => super::disputes::decide(self, &dispute, won),
            Task::DailyPayout => {
                let _ = self.payouts_planned.remove(&self.now);
                super::payouts::daily(self);
            }
            Task::PayoutArrives(id) => super::payouts::arrive(self, &id),
        }
    }

    /// The record with this id.
    pub(super) fn find<T: Record>(&self, id: &str) -> Result<T, ApiError> {
        let found = T::table(self).get(id).cloned();
        found.ok_or_else(|| ApiError::missing(T::OBJECT, id, T::PARAM))
    }

    /// Stores a record, new or changed.
    pub(super) fn put<T: Record>(&mut self, record: T) {
        T::table_mut(self).put(record);
    }

    /// Stores a record and tells the world with an event about it.
    pub(super) fn put_and_emit<T: Record>(&mut self, record: T, event: &str) {
        let object = record.render(self);
        self.put(record);
        super::events::emit(self, event, object, None);
    }

    /// Stores a changed record and tells the world with an event that names what changed.
    pub(super) fn update_and_emit<T: Record>(&mut self, record: T, event: &str) {
        let before = T::table(self).get(record.id()).cloned();
        let before = before.map(|before| before.render(self));
        self.put(record.clone());
        let after = record.render(self);
        let previous = before.map(|before| changed_fields(&before, &after));
        super::events::emit(self, event, after, previous);
    }
}

/// The fields of `before` that are other in `after`, as `previous_attributes` gives them.
fn changed_fields(before: &Value, after: &Value) -> Value {
    let mut changed = Map::new();
    let (Some(before), Some(after)) = (before.as_object(), after.as_object()) else {
        return Value::Object(changed);
    };
    for (name, new) in after {
        let old = before.get(name).unwrap_or(&Value::Null);
        if old != new {
            let _ = changed.insert(name.clone(), old.clone());
        }
    }
    Value::Object(changed)
}

/// A kind of object that the API lists, retrieves and expands.
pub(super) trait Record: Clone {
    /// The name that errors use: `payment_intent`.
    const OBJECT: &'static str;
    /// The parameter that errors name when the id is unknown.
    const PARAM: &'static str = "id";
    fn id(&self) -> &str;
    fn created(&self) -> Timestamp;
    /// The object as the API answers it.
    fn render(&self, world: &World) -> Value;
    fn table(world: &World) -> &Table<Self>;
    fn table_mut(world: &mut World) -> &mut Table<Self>;
}

impl<T: Record> Row for T {
    fn id(&self) -> &str {
        Record::id(self)
    }
}

/// Implements the parts of [`Record`] that only name a field.
macro_rules! record_table {
    ($table:ident) => {
        fn id(&self) -> &str {
            &self.id
        }
        fn created(&self) -> $crate::clock::Timestamp {
            self.created
        }
        fn table(world: &World) -> &$crate::simulator::table::Table<Self> {
            &world.$table
        }
        fn table_mut(world: &mut World) -> &mut $crate::simulator::table::Table<Self> {
            &mut world.$table
        }
    };
}
pub(super) use record_table;

/// Ids of Stripe's look, drawn from the seed.
pub(super) struct Ids(fastrand::Rng);

impl Ids {
    fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// An id such as `pi_3Qw…`: the prefix and 24 letters and digits.
    pub(super) fn next(&mut self, prefix: &str) -> String {
        format!("{prefix}_{}", self.letters(24))
    }

    pub(super) fn letters(&mut self, count: usize) -> String {
        std::iter::repeat_with(|| self.0.alphanumeric())
            .take(count)
            .collect()
    }
}

impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ids")
    }
}

/// A list object as the API answers it.
pub(super) fn list_object(url: &str, data: Vec<Value>, has_more: bool) -> Value {
    json!({ "object": "list", "url": url, "data": data, "has_more": has_more })
}

/// An object with more fields.
pub(super) fn extended(mut object: Value, more: Value) -> Value {
    if let (Some(fields), Value::Object(more)) = (object.as_object_mut(), more) {
        fields.extend(more);
    }
    object
}
