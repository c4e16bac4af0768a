//! A batch as the parameters of `commit.sql`: a list of rows is a list for each column.

use sqlx::query_as;

use super::super::SCHEMA_VERSION;
use super::super::rows::signed;
use super::Query;
use crate::cashier::store::{Batch, OrderRow};
use crate::clock::Timestamp;

/// Whether the database is stamped as expected, whether the versions are current, and the ids of
/// the events that are new.
pub(super) type CommitColumns = (bool, bool, Vec<String>);

pub(super) struct BatchColumns {
    batch: Batch,
    events: EventLists,
    finished: (Vec<String>, Vec<String>),
    confirmations: ConfirmationLists,
}

#[derive(Default)]
struct EventLists {
    id: Vec<String>,
    order_id: Vec<Option<String>>,
    received_at: Vec<i64>,
    due_at: Vec<i64>,
    outcome: Vec<Option<String>>,
    body: Vec<String>,
}

#[derive(Default)]
struct ConfirmationLists {
    id: Vec<String>,
    order_id: Vec<String>,
    kind: Vec<String>,
    created_at: Vec<i64>,
}

impl BatchColumns {
    pub(super) fn of(mut batch: Batch) -> Self {
        let finished: (Vec<_>, Vec<_>) = batch.finished_events.drain(..).unzip();
        let mut events = EventLists::default();
        for event in batch.new_events.drain(..) {
            // The statement cannot finish an event that it has itself added.
            let mut finishes = finished.0.iter().zip(&finished.1);
            let finish = finishes.find(|(id, _)| **id == event.id);
            let outcome = finish.map(|(_, outcome)| outcome.clone());
            let finishing = batch.order.as_ref().filter(|_| outcome.is_some());
            let order = event.order.as_ref().or(finishing.map(|order| &order.id));
            events.order_id.push(order.map(|id| id.as_str().to_owned()));
            events.id.push(event.id);
            events.received_at.push(event.received_at.unix());
            events.due_at.push(event.due_at.unix());
            events.outcome.push(outcome.or(event.outcome));
            events.body.push(event.body);
        }
        let mut confirmations = ConfirmationLists::default();
        for row in batch.confirmations.drain(..) {
            confirmations.id.push(row.id);
            let order = row.order.as_ref().map(|order| order.as_str());
            let order = order.unwrap_or_default().to_owned();
            confirmations.order_id.push(order);
            confirmations.kind.push(row.kind);
            confirmations.created_at.push(row.created_at.unix());
        }
        Self {
            batch,
            events,
            finished,
            confirmations,
        }
    }

    pub(super) fn query(&self) -> Query<'_, CommitColumns> {
        let order = self.batch.order.as_ref();
        let note = self.batch.note.as_ref();
        let at = |instant: fn(&OrderRow) -> Option<Timestamp>| {
            order.and_then(instant).map(Timestamp::unix)
        };
        query_as(include_str!("commit.sql"))
            .bind(self.batch.mode.as_str())
            .bind(i64::from(SCHEMA_VERSION))
            .bind(order.map(|row| row.id.as_str()))
            .bind(order.map(|row| signed(row.version)))
            .bind(at(|row| row.due_at))
            .bind(at(|row| row.attention_since))
            .bind(at(|row| row.open_since))
            .bind(at(|row| Some(row.changed_at)))
            .bind(order.map(|row| row.body.as_str()))
            .bind(note.map(|row| row.name.as_str()))
            .bind(note.map(|row| signed(row.version)))
            .bind(note.map(|row| row.body.as_str()))
            .bind(&self.batch.links)
            .bind(&self.events.id)
            .bind(&self.events.order_id)
            .bind(&self.events.received_at)
            .bind(&self.events.due_at)
            .bind(&self.events.outcome)
            .bind(&self.events.body)
            .bind(&self.finished.0)
            .bind(&self.finished.1)
            .bind(&self.confirmations.id)
            .bind(&self.confirmations.order_id)
            .bind(&self.confirmations.kind)
            .bind(&self.confirmations.created_at)
            .bind(self.batch.follows_from_events)
    }
}
