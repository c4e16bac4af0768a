//! Whether webhooks arrive, what is refused or set aside, and how old the oldest open things are.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::store::{Backlog, Commit, Store};
use super::{Cashier, MOST_RETRIES};
use crate::clock::Timestamp;
use crate::error::{ErrorKind, Result};
use crate::id::ProviderName;
use crate::mode::{Mode, ModeKind};
use crate::webhook::{Event, EventKind, SetAside, WebhookRefusal};

impl<M: Mode> Cashier<M> {
    /// How the cashier fares. It costs a few indexed reads.
    ///
    /// Counts are kept in the store, and brought there by each [`sweep`](Self::sweep): a process
    /// that dies takes those since its last sweep with it, and after a broken connection some may
    /// count twice. They are for watching, not for the books.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn health(&self) -> Result<Health> {
        or_newer(self.keep_counts().await)?;
        let at = self.now();
        let mut providers = Vec::with_capacity(self.providers.len());
        for provider in self.providers.iter() {
            let name = provider.name();
            let webhooks = or_newer(self.read_note(&note_of(name)).await)?;
            let has_newer_counts = webhooks.is_none();
            providers.push(ProviderHealth {
                provider: name.clone(),
                mode: M::KIND,
                webhooks: webhooks.map(|(counts, _)| counts).unwrap_or_default(),
                has_newer_counts,
                unreadable_disputes: or_newer(self.unreadable_disputes(name).await)?
                    .unwrap_or_default(),
                last_swept_at: last_sweep(&*self.store, name).await?,
                tried_last_until: self.wellness.rests_until(name, at),
            });
        }
        Ok(Health {
            at,
            providers,
            backlog: self.store.backlog().await?,
            unreadable: self.unreadable.list(),
        })
    }

    /// Notes that a sweep has come to its end, at most every half minute.
    pub(super) async fn note_sweep(&self, provider: &ProviderName) -> Result<()> {
        let name = sweep_note_of(provider);
        let now = self.now();
        let (kept, version) = self.read_note::<SweepNote>(&name).await?;
        let is_fresh = kept
            .last_at
            .is_some_and(|at| at.saturating_add(SWEEP_NOTED_EVERY) > now);
        if !is_fresh {
            let swept = SweepNote { last_at: Some(now) };
            // If it is stale, another node has just swept.
            self.write_note(&name, version + 1, &swept).await?;
        }
        Ok(())
    }

    /// Brings what was counted since the last time into the store.
    /// What cannot be brought there stays here until the next time.
    pub(super) async fn keep_counts(&self) -> Result<()> {
        let mut kept = Ok(());
        for (name, counted) in self.counts.take() {
            if let Err(error) = self.keep(&name, &counted).await {
                self.counts.add(&name, |since| since.add(&counted));
                kept = kept.and(Err(error));
            }
        }
        kept
    }

    async fn keep(&self, provider: &ProviderName, counted: &WebhookHealth) -> Result<()> {
        let name = note_of(provider);
        for _ in 0..MOST_RETRIES {
            let (mut kept, version) = self.read_note::<WebhookHealth>(&name).await?;
            kept.add(counted);
            if self.write_note(&name, version + 1, &kept).await? != Commit::Stale {
                return Ok(());
            }
        }
        Ok(())
    }
}

fn note_of(provider: &ProviderName) -> String {
    format!("webhooks:{provider}")
}

fn sweep_note_of(provider: &ProviderName) -> String {
    format!("sweep:{provider}")
}

/// How often it is written down that the cashier sweeps.
const SWEEP_NOTED_EVERY: Duration = Duration::from_secs(30);

/// When the orders of a provider were last swept, on whatever node.
#[derive(Debug, Default, Serialize, Deserialize)]
struct SweepNote {
    last_at: Option<Timestamp>,
}

/// When the last sweep of a provider's orders came to its end, as the store has it; `None` if that
/// is not noted, or so that only a newer version can read it.
pub(crate) async fn last_sweep(
    store: &dyn Store,
    provider: &ProviderName,
) -> Result<Option<Timestamp>> {
    let row = store.note(&sweep_note_of(provider)).await?;
    let note = row.and_then(|row| serde_json::from_str::<SweepNote>(&row.body).ok());
    Ok(note.and_then(|note| note.last_at))
}

/// When a genuine webhook about money last came, as the store has it; `None` if none is noted.
#[cfg(feature = "preflight")]
pub(crate) async fn last_news_of_money(
    store: &dyn Store,
    provider: &ProviderName,
) -> Result<Option<Timestamp>> {
    let row = store.note(&note_of(provider)).await?;
    let note = row.and_then(|row| serde_json::from_str::<WebhookHealth>(&row.body).ok());
    Ok(note.and_then(|note| note.last_of_money_at))
}

/// `None` for what only a newer version can read; the errors of the store stay errors.
fn or_newer<T>(outcome: Result<T>) -> Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if *error.kind() == ErrorKind::UnexpectedResponse => Ok(None),
        Err(error) => Err(error),
    }
}

/// How the cashier fares.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// When this was so.
    pub at: Timestamp,
    /// Each provider.
    pub providers: Vec<ProviderHealth>,
    /// Since when the oldest unfinished things wait.
    pub backlog: Backlog,
    /// What this process has met in the store and could not read. A node of the version that wrote
    /// it can; if there is none, a person must.
    pub unreadable: Vec<Unreadable>,
}

/// Something in the store that was written by a newer version than this.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unreadable {
    /// What it is, such as `confirmation A-1:thanks`.
    pub what: String,
    /// When it was last met.
    pub at: Timestamp,
}

impl Health {
    /// The age of the oldest thing that is open, needs a person or waits to be taken in or
    /// acknowledged.
    #[must_use]
    pub fn oldest(&self) -> Option<Duration> {
        let Backlog {
            open_since,
            attention_since,
            event_since,
            confirmation_since,
        } = self.backlog;
        let all = [open_since, attention_since, event_since, confirmation_since];
        let oldest = all.into_iter().flatten().min();
        oldest.map(|since| self.at.abs_diff(since))
    }
}

/// How one provider fares.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProviderHealth {
    /// The provider.
    pub provider: ProviderName,
    /// The mode of its credentials here.
    pub mode: ModeKind,
    /// Its webhooks.
    pub webhooks: WebhookHealth,
    /// Whether a newer version keeps those counts, so that this one can neither read nor add to
    /// them.
    pub has_newer_counts: bool,
    /// The disputes that it lists and that could not be read, by its names for them. They are tried
    /// again every hour for half a year; until then see its dashboard.
    pub unreadable_disputes: Vec<String>,
    /// When a sweep last came to its end on any node, give or take half a minute.
    pub last_swept_at: Option<Timestamp>,
    /// Until when new attempts try it last, since checkouts failed in this process.
    pub tried_last_until: Option<Timestamp>,
}

/// The webhooks of one provider, counted since the store was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct WebhookHealth {
    /// When the last genuine one came.
    pub last_at: Option<Timestamp>,
    /// When the last genuine one came that tells of money, which only the provider sends: a sample
    /// that a preflight posts tells of nothing.
    pub last_of_money_at: Option<Timestamp>,
    /// Events of this mode, account and installation, repetitions among them.
    pub events: u64,
    /// How many of those this library does not know.
    pub unrecognized: u64,
    /// How many of those turned out to be about no order here: about a payment that was made
    /// elsewhere, or about a refund or dispute of another installation on the account, which names
    /// no installation by itself.
    pub unmatched: u64,
    /// How many of those could not be read: of an unknown currency, say, or without an amount. Each
    /// is kept; one that names an order or payment of here is raised for review there.
    pub unreadable: u64,
    /// When the last one came that could not be read.
    pub last_unreadable_at: Option<Timestamp>,
    /// Genuine notices that were set aside, by reason: `wrong mode`, `another account`, `another
    /// installation`. Alert on the first.
    pub set_aside: BTreeMap<String, u64>,
    /// When the last one was refused.
    pub last_refused_at: Option<Timestamp>,
    /// Refused ones, by [reason](crate::webhook::WebhookRefusalKind::name). Forgers count here, and
    /// so does a wrong secret.
    pub refused: BTreeMap<String, u64>,
}

impl WebhookHealth {
    fn add(&mut self, more: &Self) {
        self.last_at = self.last_at.max(more.last_at);
        self.last_of_money_at = self.last_of_money_at.max(more.last_of_money_at);
        self.last_refused_at = self.last_refused_at.max(more.last_refused_at);
        self.events = self.events.saturating_add(more.events);
        self.unrecognized = self.unrecognized.saturating_add(more.unrecognized);
        self.unmatched = self.unmatched.saturating_add(more.unmatched);
        self.unreadable = self.unreadable.saturating_add(more.unreadable);
        self.last_unreadable_at = self.last_unreadable_at.max(more.last_unreadable_at);
        for (sums, more) in [
            (&mut self.set_aside, &more.set_aside),
            (&mut self.refused, &more.refused),
        ] {
            for (reason, count) in more {
                let sum = sums.entry(reason.clone()).or_default();
                *sum = sum.saturating_add(*count);
            }
        }
    }
}

/// What was counted in this process and is not in the store yet.
#[derive(Debug, Default)]
pub(super) struct Counts(Mutex<BTreeMap<ProviderName, WebhookHealth>>);

impl Counts {
    pub(super) fn received<M: Mode>(
        &self,
        provider: &ProviderName,
        event: &Event<M>,
        now: Timestamp,
    ) {
        self.add(provider, |counts| {
            counts.last_at = Some(now);
            counts.events += 1;
            match event.kind() {
                EventKind::Unrecognized => counts.unrecognized += 1,
                EventKind::Unreadable(_) => {
                    counts.unreadable += 1;
                    counts.last_unreadable_at = Some(now);
                }
                EventKind::NotAboutPayments => {}
                _ => counts.last_of_money_at = Some(now),
            }
        });
    }

    pub(super) fn ignored(&self, provider: &ProviderName, aside: &SetAside, now: Timestamp) {
        self.add(provider, |counts| {
            counts.last_at = Some(now);
            let reason = aside.reason.name().to_owned();
            *counts.set_aside.entry(reason).or_default() += 1;
        });
    }

    pub(super) fn unmatched(&self, provider: &ProviderName) {
        self.add(provider, |counts| counts.unmatched += 1);
    }

    pub(super) fn refused(&self, provider: &ProviderName, why: &WebhookRefusal, now: Timestamp) {
        self.add(provider, |counts| {
            counts.last_refused_at = Some(now);
            let reason = why.kind().name().to_owned();
            *counts.refused.entry(reason).or_default() += 1;
        });
    }

    fn add(&self, provider: &ProviderName, count: impl FnOnce(&mut WebhookHealth)) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        count(all.entry(provider.clone()).or_default());
    }

    fn take(&self) -> BTreeMap<ProviderName, WebhookHealth> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *all)
    }
}

/// How many things that cannot be read are remembered.
const UNREADABLE_MAX: usize = 100;

/// What this process could not read.
#[derive(Debug, Default)]
pub(super) struct Unread(Mutex<BTreeMap<String, Timestamp>>);

impl Unread {
    pub(super) fn add(&self, what: &str, at: Timestamp) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < UNREADABLE_MAX || all.contains_key(what) {
            all.insert(what.to_owned(), at);
        }
    }

    fn list(&self) -> Vec<Unreadable> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let list = all.iter().map(|(what, at)| Unreadable {
            what: what.clone(),
            at: *at,
        });
        list.collect()
    }
}
