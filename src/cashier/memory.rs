//! A store that forgets everything with the process, for tests and trials.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::store::{
    Backlog, Batch, Commit, ConfirmationRow, EventRow, LeasedConfirmation, NoteRow, OrderRow,
    Purged, Store,
};
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::id::OrderId;
use crate::mode::ModeKind;

/// A store in memory. It is gone with the process: do not take real money on it.
#[derive(Default)]
pub struct MemoryStore(Mutex<Tables>);

#[derive(Default)]
struct Tables {
    mode: Option<ModeKind>,
    orders: BTreeMap<OrderId, OrderRow>,
    due_orders: BTreeSet<(Timestamp, OrderId)>,
    attention: BTreeSet<(Timestamp, OrderId)>,
    open: BTreeSet<(Timestamp, OrderId)>,
    links: BTreeMap<String, OrderId>,
    events: BTreeMap<String, EventRow>,
    due_events: BTreeSet<(Timestamp, String)>,
    waiting: BTreeSet<(OrderId, String)>,
    confirmations: BTreeMap<(Option<OrderId>, String), Delivery>,
    kinds: BTreeMap<String, (Option<OrderId>, String)>,
    undelivered: BTreeSet<(Timestamp, String)>,
    free: BTreeSet<(Timestamp, String)>,
    notes: BTreeMap<String, NoteRow>,
}

struct Delivery {
    row: ConfirmationRow,
    lease: u64,
    /// When it can be leased again; `None` once it is acknowledged.
    free_at: Option<Timestamp>,
}

impl MemoryStore {
    /// An empty store, stamped by the first who opens it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tables = self.tables();
        f.debug_struct("MemoryStore")
            .field("mode", &tables.mode)
            .field("orders", &tables.orders.len())
            .field("events", &tables.events.len())
            .field("confirmations", &tables.confirmations.len())
            .finish()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn open(&self, mode: ModeKind) -> Result<()> {
        let mut tables = self.tables();
        let stamped = *tables.mode.get_or_insert(mode);
        check_mode(stamped, mode)
    }

    async fn is_durable(&self) -> Result<Option<bool>> {
        Ok(Some(false))
    }

    async fn order(&self, id: &OrderId) -> Result<Option<OrderRow>> {
        Ok(self.tables().orders.get(id).cloned())
    }

    async fn order_of_payment(&self, payment: &str) -> Result<Option<OrderId>> {
        Ok(self.tables().links.get(payment).cloned())
    }

    async fn commit(&self, batch: Batch) -> Result<Commit> {
        self.tables().commit(batch)
    }

    async fn claim_orders(
        &self,
        now: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<OrderId>> {
        let mut tables = self.tables();
        let due = tables.due_orders.iter().take_while(|(at, _)| *at <= now);
        let claimed: Vec<_> = due.take(most).map(|(_, id)| id.clone()).collect();
        for id in &claimed {
            if let Some(row) = tables.orders.get(id).cloned() {
                tables.put_order(OrderRow {
                    due_at: Some(until),
                    ..row
                });
            }
        }
        Ok(claimed)
    }

    async fn claim_events(
        &self,
        now: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<EventRow>> {
        let mut tables = self.tables();
        let due = tables.due_events.iter().take_while(|(at, _)| *at <= now);
        let ids: Vec<_> = due.take(most).map(|(_, id)| id.clone()).collect();
        let mut claimed = Vec::with_capacity(ids.len());
        for id in ids {
            if let Some(row) = tables.events.get(&id).cloned() {
                tables.put_event(EventRow {
                    due_at: until,
                    ..row.clone()
                });
                claimed.push(row);
            }
        }
        Ok(claimed)
    }

    async fn events_waiting_for(&self, order: &OrderId) -> Result<Vec<EventRow>> {
        let tables = self.tables();
        let from = (order.clone(), String::new());
        let named = tables.waiting.range(from..);
        let of_order = named.take_while(|(named, _)| named == order);
        let rows = of_order.filter_map(|(_, id)| tables.events.get(id).cloned());
        Ok(rows.collect())
    }

    async fn lease_confirmations(
        &self,
        now: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<LeasedConfirmation>> {
        let mut tables = self.tables();
        let free = tables.free.iter().take_while(|(at, _)| *at <= now);
        let free: Vec<_> = free.take(most).cloned().collect();
        let mut leased = Vec::with_capacity(free.len());
        for entry in free {
            tables.free.remove(&entry);
            let (_, id) = entry;
            if let Some(delivery) = tables.delivery(&id) {
                delivery.lease += 1;
                delivery.free_at = Some(until);
                leased.push(LeasedConfirmation {
                    row: delivery.row.clone(),
                    lease: delivery.lease,
                });
                tables.free.insert((until, id));
            }
        }
        Ok(leased)
    }

    async fn acknowledge(&self, id: &str, lease: u64) -> Result<()> {
        let mut tables = self.tables();
        let Some(delivery) = tables.delivery(id) else {
            let message = "there is no confirmation of this id";
            return Err(Error::new(ErrorKind::NotFound, message));
        };
        if delivery.free_at.is_none() || delivery.lease != lease {
            let message = "the confirmation was acknowledged before, or leased to another since";
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        let created_at = delivery.row.created_at;
        if let Some(free_at) = delivery.free_at.take() {
            tables.free.remove(&(free_at, id.to_owned()));
        }
        tables.undelivered.remove(&(created_at, id.to_owned()));
        Ok(())
    }

    async fn orders_needing_attention(&self, most: usize) -> Result<Vec<OrderRow>> {
        let tables = self.tables();
        let oldest = tables.attention.iter().take(most);
        let rows = oldest.filter_map(|(_, id)| tables.orders.get(id).cloned());
        Ok(rows.collect())
    }

    async fn note(&self, name: &str) -> Result<Option<NoteRow>> {
        Ok(self.tables().notes.get(name).cloned())
    }

    async fn notes_between(&self, after: &str, before: &str, most: usize) -> Result<Vec<NoteRow>> {
        let tables = self.tables();
        let later = tables.notes.values().filter(|row| *row.name > *after);
        let between = later.take_while(|row| *row.name < *before);
        Ok(between.take(most).cloned().collect())
    }

    async fn backlog(&self) -> Result<Backlog> {
        let tables = self.tables();
        let unfinished = tables.due_events.iter();
        let unfinished = unfinished.filter_map(|(_, id)| tables.events.get(id));
        Ok(Backlog {
            open_since: tables.open.first().map(|(since, _)| *since),
            attention_since: tables.attention.first().map(|(since, _)| *since),
            event_since: unfinished.map(|event| event.received_at).min(),
            confirmation_since: tables.undelivered.first().map(|(since, _)| *since),
        })
    }

    async fn erase_order(&self, id: &OrderId, version: u64) -> Result<bool> {
        let mut tables = self.tables();
        let stored = tables.orders.get(id).map(|row| row.version);
        let erased = stored == Some(version) && !tables.is_awaited(id);
        if erased {
            tables.erase(id);
        }
        Ok(erased)
    }

    async fn purge(&self, before: Timestamp, most: usize) -> Result<Purged> {
        let mut tables = self.tables();
        let quiet = tables.orders.values().filter(|row| {
            let is_open = row.due_at.or(row.attention_since).or(row.open_since);
            row.changed_at < before && is_open.is_none() && !tables.is_awaited(&row.id)
        });
        let orders: Vec<_> = quiet.take(most).map(|row| row.id.clone()).collect();
        for id in &orders {
            tables.erase(id);
        }
        let finished = tables.events.values();
        let finished = finished.filter(|row| row.outcome.is_some() && row.received_at < before);
        let events: Vec<_> = finished.take(most).map(|row| row.id.clone()).collect();
        for id in &events {
            tables.events.remove(id);
        }
        Ok(Purged {
            orders: orders.len(),
            events: events.len(),
        })
    }
}

impl Tables {
    fn commit(&mut self, batch: Batch) -> Result<Commit> {
        let stamped = self.mode.unwrap_or(batch.mode);
        check_mode(stamped, batch.mode)?;
        if let Some(order) = &batch.order {
            let stored = self.orders.get(&order.id).map_or(0, |row| row.version);
            if order.version != stored + 1 {
                return Ok(Commit::Stale);
            }
            let owners = batch.links.iter().filter_map(|link| self.links.get(link));
            if owners.into_iter().any(|owner| *owner != order.id) {
                let message = "a payment of this order belongs to another order already";
                return Err(Error::new(ErrorKind::Conflict, message));
            }
        }
        for row in &batch.confirmations {
            let named = self.kinds.get(&row.id);
            if named.is_some_and(|(order, kind)| *order != row.order || *kind != row.kind) {
                let message = "another confirmation has the id of a new one";
                return Err(Error::new(ErrorKind::Conflict, message));
            }
        }
        if let Some(note) = &batch.note {
            let stored = self.notes.get(&note.name).map_or(0, |row| row.version);
            if note.version != stored + 1 {
                return Ok(Commit::Stale);
            }
        }
        let mut events = batch.new_events.iter();
        if batch.follows_from_events && events.any(|row| self.events.contains_key(&row.id)) {
            return Ok(Commit::Stale);
        }
        // Nothing below can fail, so that the batch is applied whole.
        let of_batch = batch.order.as_ref().map(|order| order.id.clone());
        if let Some(order) = batch.order {
            for link in batch.links {
                self.links.insert(link, order.id.clone());
            }
            self.put_order(order);
        }
        let mut added_events = Vec::new();
        for event in batch.new_events {
            if !self.events.contains_key(&event.id) {
                added_events.push(event.id.clone());
                self.put_event(event);
            }
        }
        for (id, outcome) in batch.finished_events {
            if let Some(row) = self.events.get(&id).cloned() {
                self.put_event(EventRow {
                    outcome: Some(outcome),
                    order: row.order.clone().or(of_batch.clone()),
                    ..row
                });
            }
        }
        for row in batch.confirmations {
            self.add_confirmation(row);
        }
        if let Some(note) = batch.note {
            self.notes.insert(note.name.clone(), note);
        }
        Ok(Commit::Applied { added_events })
    }

    fn put_order(&mut self, row: OrderRow) {
        if let Some(old) = self.orders.get(&row.id) {
            if let Some(at) = old.due_at {
                self.due_orders.remove(&(at, row.id.clone()));
            }
            if let Some(since) = old.attention_since {
                self.attention.remove(&(since, row.id.clone()));
            }
            if let Some(since) = old.open_since {
                self.open.remove(&(since, row.id.clone()));
            }
        }
        if let Some(at) = row.due_at {
            self.due_orders.insert((at, row.id.clone()));
        }
        if let Some(since) = row.attention_since {
            self.attention.insert((since, row.id.clone()));
        }
        if let Some(since) = row.open_since {
            self.open.insert((since, row.id.clone()));
        }
        self.orders.insert(row.id.clone(), row);
    }

    fn put_event(&mut self, row: EventRow) {
        if let Some(old) = self.events.get(&row.id) {
            self.due_events.remove(&(old.due_at, row.id.clone()));
            if let Some(order) = &old.order {
                self.waiting.remove(&(order.clone(), row.id.clone()));
            }
        }
        if row.outcome.is_none() {
            self.due_events.insert((row.due_at, row.id.clone()));
            if let Some(order) = &row.order {
                self.waiting.insert((order.clone(), row.id.clone()));
            }
        }
        self.events.insert(row.id.clone(), row);
    }

    fn add_confirmation(&mut self, row: ConfirmationRow) {
        let key = (row.order.clone(), row.kind.clone());
        if let Entry::Vacant(vacant) = self.confirmations.entry(key.clone()) {
            self.undelivered.insert((row.created_at, row.id.clone()));
            self.free.insert((row.created_at, row.id.clone()));
            self.kinds.insert(row.id.clone(), key);
            vacant.insert(Delivery {
                free_at: Some(row.created_at),
                lease: 0,
                row,
            });
        }
    }

    /// Whether an unfinished event or a confirmation of the order waits.
    fn is_awaited(&self, id: &OrderId) -> bool {
        let mut events = self.waiting.range((id.clone(), String::new())..);
        let from = (Some(id.clone()), String::new());
        let mut confirmations = self.confirmations.range(from..);
        events.next().is_some_and(|(order, _)| order == id)
            || confirmations
                .by_ref()
                .take_while(|((order, _), _)| order.as_ref() == Some(id))
                .any(|(_, delivery)| delivery.free_at.is_some())
    }

    fn erase(&mut self, id: &OrderId) {
        self.links.retain(|_, order| order != id);
        let is_other = |order: &Option<OrderId>| order.as_ref() != Some(id);
        self.confirmations.retain(|(order, _), _| is_other(order));
        self.kinds.retain(|_, (order, _)| is_other(order));
        for event in self.events.values_mut() {
            if event.order.as_ref() == Some(id) {
                event.order = None;
                event.body = "{}".to_owned();
            }
        }
        self.orders.remove(id);
    }

    fn delivery(&mut self, id: &str) -> Option<&mut Delivery> {
        let key = self.kinds.get(id)?;
        self.confirmations.get_mut(key)
    }
}

fn check_mode(stamped: ModeKind, asked: ModeKind) -> Result<()> {
    if stamped == asked {
        return Ok(());
    }
    let message = format!("the store holds {stamped} records, and {asked} mode was asked for");
    Err(Error::new(ErrorKind::WrongMode, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cashier::check_store;

    #[tokio::test]
    async fn it_passes_the_store_suite() {
        check_store(async || MemoryStore::new()).await;
    }
}
