//! A store behind a connection that breaks, before or after the work is done.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use counterfoil::cashier::{Batch, Commit, EventRow, OrderRow, Store};
use counterfoil::id::OrderId;
use counterfoil::{Effect, Error, ErrorKind, Result};
use serde_json::Value;

use super::defect::Defect;
use super::dice::Dice;
use super::layer::Layer;
use super::script::Trouble;
use super::time::{Time, pause};

/// How many of ten thousand calls break before, and how many after the work is done.
const BREAKS: u32 = 100;
/// How many of a thousand calls find the whole process standing still for a while.
const STALLS: u32 = 2;
/// For how long at most, in milliseconds: twenty minutes, longer than any lease.
const LONGEST_STALL: u32 = 1_200_000;

/// How a call of the store breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    Before,
    After,
}

/// The calls of all processes to the store, counted, and the one that a script breaks.
#[derive(Debug)]
pub struct Calls {
    made: AtomicU64,
    breaks: Option<(u64, Broken)>,
}

impl Calls {
    pub fn new(trouble: &Trouble) -> Self {
        Self {
            made: AtomicU64::new(0),
            breaks: match trouble {
                Trouble::Store { call, how } => Some((*call, *how)),
                _ => None,
            },
        }
    }

    pub fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    fn next(&self) -> Option<Broken> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let (breaks, how) = self.breaks?;
        (breaks == number).then_some(how)
    }
}

/// One process's connection to the store.
#[derive(Debug)]
pub struct ShakyStore {
    inner: Arc<dyn Store>,
    dice: Arc<Dice>,
    time: Arc<Time>,
    calls: Arc<Calls>,
    defect: Option<Defect>,
    /// Attempts that this process has not stored yet, by [`Defect::KeyNotStoredFirst`].
    held_back: Mutex<BTreeMap<OrderId, Batch>>,
    /// Events that were seen, by [`Defect::NoOrderGuard`].
    seen: Mutex<BTreeMap<String, EventRow>>,
}

impl ShakyStore {
    pub fn new(
        inner: Arc<dyn Store>,
        dice: Arc<Dice>,
        time: Arc<Time>,
        calls: Arc<Calls>,
        defect: Option<Defect>,
    ) -> Self {
        Self {
            inner,
            dice,
            time,
            calls,
            defect,
            held_back: Mutex::default(),
            seen: Mutex::default(),
        }
    }

    fn breaks(&self) -> bool {
        !self.dice.is_calm() && self.dice.below(10_000) < BREAKS
    }

    async fn commit_apart(&self, mut batch: Batch) -> Result<Commit> {
        let confirmations = std::mem::take(&mut batch.confirmations);
        let commit = self.inner.commit(batch.clone()).await?;
        if commit != Commit::Stale {
            pause().await;
            let late = Batch {
                confirmations,
                ..Batch::new(batch.mode)
            };
            self.inner.commit(late).await?;
        }
        Ok(commit)
    }

    async fn commit_over(&self, mut batch: Batch) -> Result<Commit> {
        if let Some(order) = &mut batch.order {
            let stored = self.inner.order(&order.id).await?;
            order.version = stored.map_or(0, |row| row.version) + 1;
        }
        self.inner.commit(batch).await
    }

    /// Keeps a new attempt to itself until the next change of the order.
    async fn commit_later(&self, mut batch: Batch) -> Result<Commit> {
        let Some(order) = &mut batch.order else {
            return self.inner.commit(batch).await;
        };
        let id = order.id.clone();
        let held = lock(&self.held_back).remove(&id);
        if let Some(held) = held {
            order.version -= 1;
            batch.links.extend(held.links);
            batch.confirmations.extend(held.confirmations);
        } else if order.body.contains(r#""phase":"stored""#) {
            let stored = self.inner.order(&id).await?;
            if stored.map(|row| row.version + 1) != Some(order.version) {
                return Ok(Commit::Stale);
            }
            lock(&self.held_back).insert(id, batch);
            let added_events = Vec::new();
            return Ok(Commit::Applied { added_events });
        }
        self.inner.commit(batch).await
    }

    /// Puts what an event says about a payment in place of what is known of it.
    async fn commit_last_word(&self, mut batch: Batch) -> Result<Commit> {
        for event in &batch.new_events {
            lock(&self.seen).insert(event.id.clone(), event.clone());
        }
        let finished = batch.finished_events.first().map(|(id, _)| id);
        let event = finished.or(batch.new_events.first().map(|event| &event.id));
        let event = event.and_then(|id| lock(&self.seen).get(id).cloned());
        if let (Some(event), Some(order)) = (event, &mut batch.order) {
            let event: Value = serde_json::from_str(&event.body).unwrap();
            let mut record: Value = serde_json::from_str(&order.body).unwrap();
            let said = &event["fact"]["payment"];
            for known in record["payments"].as_array_mut().unwrap() {
                let known = &mut known["ledger"]["payment"];
                if known["id"] == said["id"] {
                    *known = said.clone();
                }
            }
            order.body = record.to_string();
        }
        self.inner.commit(batch).await
    }
}

impl Layer for ShakyStore {
    fn inner(&self) -> &dyn Store {
        &*self.inner
    }

    async fn run<T: Send>(&self, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
        pause().await;
        if self.dice.fault(STALLS) {
            let stall = self.dice.below(LONGEST_STALL);
            self.time.pass(u64::from(stall)).await;
        }
        let scripted = self.calls.next();
        if scripted == Some(Broken::Before) || self.breaks() {
            return Err(broken(Effect::NotApplied));
        }
        let done = call.await;
        pause().await;
        if scripted == Some(Broken::After) || self.breaks() {
            return Err(broken(Effect::Unknown));
        }
        done
    }

    async fn order(&self, id: &OrderId) -> Result<Option<OrderRow>> {
        let held = lock(&self.held_back).get(id).cloned();
        match held {
            Some(held) => Ok(held.order),
            None => self.inner.order(id).await,
        }
    }

    async fn commit(&self, batch: Batch) -> Result<Commit> {
        match self.defect {
            Some(Defect::ConfirmationsApart) => self.commit_apart(batch).await,
            Some(Defect::NoVersionCheck) => self.commit_over(batch).await,
            Some(Defect::KeyNotStoredFirst) => self.commit_later(batch).await,
            Some(Defect::NoOrderGuard) => self.commit_last_word(batch).await,
            _ => self.inner.commit(batch).await,
        }
    }
}

fn broken(effect: Effect) -> Error {
    Error::new(ErrorKind::Unavailable, "the store's connection broke").with_effect(effect)
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
