//! The suite must see what is wrong with a store: each of these breaks one promise.

use std::panic::AssertUnwindSafe;
use std::sync::Mutex;

use async_trait::async_trait;
use counterfoil::cashier::{
    Backlog, Batch, Commit, EventRow, LeasedConfirmation, MemoryStore, NoteRow, OrderRow, Purged,
    Store, check_store,
};
use counterfoil::clock::Timestamp;
use counterfoil::id::OrderId;
use counterfoil::{ModeKind, Result};
use futures_util::FutureExt;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defect {
    None,
    /// It takes rows of the other mode.
    AnyMode,
    /// It writes whatever version it is given.
    AnyVersion,
    /// It compares the version, and writes after a pause.
    ComparesTooEarly,
    /// What belongs to an order is written after it.
    InTwoSteps,
    /// A payment's link goes over to the last order.
    LinksOver,
    /// An event that is there is called new.
    AllEventsAreNew,
    /// What follows from an event that is there is applied again.
    FollowsFromKnownEvents,
    /// What is due is given to all who ask.
    ClaimsNothing,
    /// A claim is for good.
    ClaimsForever,
    /// A claimed event no longer waits for its order.
    ForgetsClaimedEvents,
    /// A confirmation is given to all who ask.
    LeasesNothing,
    /// Any lease may acknowledge.
    AnyLease,
    /// The latest comes first.
    LatestFirst,
    /// The confirmation that came last is given first.
    LeasesLatestFirst,
    /// It says that an order is erased.
    ErasesNothing,
    /// Everything old is purged, whether it is open or not.
    PurgesOpenOrders,
}

const DEFECTS: [Defect; 16] = [
    Defect::AnyMode,
    Defect::AnyVersion,
    Defect::ComparesTooEarly,
    Defect::InTwoSteps,
    Defect::LinksOver,
    Defect::AllEventsAreNew,
    Defect::FollowsFromKnownEvents,
    Defect::ClaimsNothing,
    Defect::ClaimsForever,
    Defect::ForgetsClaimedEvents,
    Defect::LeasesNothing,
    Defect::AnyLease,
    Defect::LatestFirst,
    Defect::LeasesLatestFirst,
    Defect::ErasesNothing,
    Defect::PurgesOpenOrders,
];

#[tokio::test]
async fn a_wrapper_that_breaks_nothing_passes() {
    check_store(async || Broken::new(Defect::None)).await;
}

#[tokio::test]
async fn every_defect_is_seen() {
    for defect in DEFECTS {
        let check = check_store(async || Broken::new(defect));
        let seen = AssertUnwindSafe(check).catch_unwind().await.is_err();
        assert!(seen, "{defect:?} was not seen");
    }
}

/// A sound store behind a layer with one defect.
#[derive(Debug)]
struct Broken {
    sound: MemoryStore,
    defect: Defect,
    claimed: Mutex<Vec<String>>,
    leases: Mutex<Vec<(String, u64)>>,
}

impl Broken {
    fn new(defect: Defect) -> Self {
        Self {
            sound: MemoryStore::new(),
            defect,
            claimed: Mutex::default(),
            leases: Mutex::default(),
        }
    }

    fn is(&self, defect: Defect) -> bool {
        self.defect == defect
    }

    async fn stored_version(&self, batch: &Batch) -> Result<u64> {
        let Some(row) = &batch.order else {
            return Ok(0);
        };
        let stored = self.sound.order(&row.id).await?;
        Ok(stored.map_or(0, |row| row.version))
    }
}

#[async_trait]
impl Store for Broken {
    async fn open(&self, mode: ModeKind) -> Result<()> {
        if self.is(Defect::AnyMode) {
            return self.sound.open(ModeKind::Test).await;
        }
        self.sound.open(mode).await
    }

    async fn order(&self, id: &OrderId) -> Result<Option<OrderRow>> {
        self.sound.order(id).await
    }

    async fn order_of_payment(&self, payment: &str) -> Result<Option<OrderId>> {
        self.sound.order_of_payment(payment).await
    }

    async fn commit(&self, mut batch: Batch) -> Result<Commit> {
        if self.is(Defect::AnyMode) {
            batch.mode = ModeKind::Test;
        }
        if self.is(Defect::FollowsFromKnownEvents) {
            batch.follows_from_events = false;
        }
        let stored = self.stored_version(&batch).await?;
        if self.is(Defect::ComparesTooEarly) {
            let is_stale = batch
                .order
                .as_ref()
                .is_some_and(|row| row.version != stored + 1);
            if is_stale {
                return Ok(Commit::Stale);
            }
            tokio::task::yield_now().await;
        }
        if self.is(Defect::AnyVersion) || self.is(Defect::ComparesTooEarly) {
            let stored = self.stored_version(&batch).await?;
            if let Some(row) = &mut batch.order {
                row.version = stored + 1;
            }
        }
        if self.is(Defect::LinksOver) {
            let mut links = Vec::new();
            for link in batch.links {
                let owner = self.sound.order_of_payment(&link).await?;
                if owner.is_none() {
                    links.push(link);
                }
            }
            batch.links = links;
        }
        if self.is(Defect::InTwoSteps) {
            let rest = Batch {
                confirmations: std::mem::take(&mut batch.confirmations),
                ..Batch::new(batch.mode)
            };
            let commit = self.sound.commit(batch).await?;
            if commit != Commit::Stale {
                tokio::task::yield_now().await;
                self.sound.commit(rest).await?;
            }
            return Ok(commit);
        }
        let named: Vec<_> = batch.new_events.iter().map(|row| row.id.clone()).collect();
        let commit = self.sound.commit(batch).await?;
        if commit != Commit::Stale && self.is(Defect::AllEventsAreNew) {
            return Ok(Commit::Applied {
                added_events: named,
            });
        }
        Ok(commit)
    }

    async fn claim_orders(
        &self,
        now: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<OrderId>> {
        let until = match self.defect {
            Defect::ClaimsNothing => now,
            Defect::ClaimsForever => Timestamp::from_unix(i64::MAX),
            _ => until,
        };
        self.sound.claim_orders(now, until, most).await
    }

    async fn claim_events(
        &self,
        now: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<EventRow>> {
        let claimed = self.sound.claim_events(now, until, most).await?;
        let ids = claimed.iter().map(|row| row.id.clone());
        self.claimed.lock().unwrap().extend(ids);
        Ok(claimed)
    }

    async fn events_waiting_for(&self, order: &OrderId) -> Result<Vec<EventRow>> {
        let mut waiting = self.sound.events_waiting_for(order).await?;
        if self.is(Defect::ForgetsClaimedEvents) {
            let claimed = self.claimed.lock().unwrap();
            waiting.retain(|row| !claimed.contains(&row.id));
        }
        Ok(waiting)
    }

    async fn lease_confirmations(
        &self,
        now: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<LeasedConfirmation>> {
        let until = if self.is(Defect::LeasesNothing) {
            now
        } else {
            until
        };
        let mut leased = self.sound.lease_confirmations(now, until, most).await?;
        if self.is(Defect::LeasesLatestFirst) {
            leased.reverse();
        }
        let leases = leased.iter().map(|one| (one.row.id.clone(), one.lease));
        self.leases.lock().unwrap().extend(leases);
        Ok(leased)
    }

    async fn acknowledge(&self, id: &str, lease: u64) -> Result<()> {
        let last = {
            let leases = self.leases.lock().unwrap();
            let of_id = leases.iter().filter(|(of, _)| of == id);
            of_id.map(|(_, lease)| *lease).max()
        };
        let lease = match last {
            Some(last) if self.is(Defect::AnyLease) => last,
            _ => lease,
        };
        self.sound.acknowledge(id, lease).await
    }

    async fn orders_needing_attention(&self, most: usize) -> Result<Vec<OrderRow>> {
        let mut rows = self.sound.orders_needing_attention(most).await?;
        if self.is(Defect::LatestFirst) {
            rows.reverse();
        }
        Ok(rows)
    }

    async fn note(&self, name: &str) -> Result<Option<NoteRow>> {
        self.sound.note(name).await
    }

    async fn notes_between(&self, after: &str, before: &str, most: usize) -> Result<Vec<NoteRow>> {
        self.sound.notes_between(after, before, most).await
    }

    async fn backlog(&self) -> Result<Backlog> {
        self.sound.backlog().await
    }

    async fn erase_order(&self, id: &OrderId, version: u64) -> Result<bool> {
        if self.is(Defect::ErasesNothing) {
            let stored = self.sound.order(id).await?;
            return Ok(stored.is_some_and(|row| row.version == version));
        }
        self.sound.erase_order(id, version).await
    }

    async fn purge(&self, before: Timestamp, most: usize) -> Result<Purged> {
        let mut purged = self.sound.purge(before, most).await?;
        if self.is(Defect::PurgesOpenOrders) {
            let open = self.sound.orders_needing_attention(most).await?;
            for row in open.iter().filter(|row| row.changed_at < before) {
                let erased = self.sound.erase_order(&row.id, row.version).await?;
                purged.orders += usize::from(erased);
            }
        }
        Ok(purged)
    }
}
