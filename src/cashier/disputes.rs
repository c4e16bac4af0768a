//! Disputes that no webhook has told of: the provider's list is read from where it was left.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::{StreamExt, pin_mut};
use serde::{Deserialize, Serialize};

use super::Cashier;
use super::fold::Fact;
use super::receive::Owner;
use super::store::Commit;
use crate::capability::Operation;
use crate::clock::Timestamp;
use crate::dispute::{Dispute, DisputeStatus};
use crate::error::{ErrorKind, Result};
use crate::handle::Provider;
use crate::id::ProviderName;
use crate::mode::Mode;
use crate::request::Period;
use crate::telemetry::unfinished;

/// How often a provider's disputes are listed: once an hour. Answers are due within days.
const EVERY: Duration = Duration::from_secs(3600);
/// How long the list is left to the node that took it: ten minutes.
const CLAIM: Duration = Duration::from_secs(600);
/// How far the list is read again, for clocks that differ and entries that come late: a day.
const OVERLAP: Duration = Duration::from_secs(86_400);
/// How far back the first reading goes: half a year. Card networks let a payer dispute for 120 days
/// in most cases (<https://docs.stripe.com/disputes/how-disputes-work>).
const FIRST: Duration = Duration::from_secs(180 * 86_400);

/// How many disputes that cannot be read are named.
const UNREADABLE_MAX: usize = 100;

/// How far the list of one provider was read.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
struct Bookmark {
    /// Up to when it was read to its end.
    read_to: Option<Timestamp>,
    /// Until when another node is at it.
    claimed_until: Option<Timestamp>,
    /// When the oldest dispute was opened whose end is not known: the list is read from there.
    open_from: Option<Timestamp>,
    /// The disputes that could not be read the last time, by the provider's names.
    #[serde(default)]
    unreadable: BTreeSet<String>,
}

/// What a reading of the list has come to.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct ListedDisputes {
    /// How many were news.
    pub(super) taken: usize,
    /// How many could not be read.
    pub(super) unreadable: usize,
}

impl<M: Mode> Cashier<M> {
    /// Reads the list of one provider if that is due. What breaks off is read again from where the
    /// last whole reading began; so is one in which a dispute could not be read, for half a year.
    pub(super) async fn list_disputes_of(&self, provider: &Provider<M>) -> Result<ListedDisputes> {
        let mut read = ListedDisputes::default();
        if !provider.capabilities().supports(Operation::ListDisputes) {
            return Ok(read);
        }
        let now = self.now();
        let name = note_of(provider.name());
        let (bookmark, version) = self.read_note::<Bookmark>(&name).await?;
        let is_fresh = bookmark
            .read_to
            .is_some_and(|at| at.saturating_add(EVERY) > now);
        if is_fresh || bookmark.claimed_until.is_some_and(|until| until > now) {
            return Ok(read);
        }
        let claimed = Bookmark {
            claimed_until: Some(now.saturating_add(CLAIM)),
            ..bookmark.clone()
        };
        if self.write_note(&name, version + 1, &claimed).await? == Commit::Stale {
            return Ok(read);
        }
        let earliest = now.saturating_sub(FIRST);
        let read_to = bookmark.read_to.map(|at| at.saturating_sub(OVERLAP));
        let open_from = bookmark.open_from.map(|at| at.saturating_sub(OVERLAP));
        let from = read_to.map_or(earliest, |at| open_from.unwrap_or(at).min(at));
        let listed = provider.list_disputes(Period::since(from));
        pin_mut!(listed);
        let (mut unreadable, mut oldest) = (BTreeSet::new(), None::<Timestamp>);
        let mut wait_from =
            |at: Timestamp| oldest = Some(oldest.map_or(at, |oldest| oldest.min(at)));
        while let Some(listed) = listed.next().await {
            let taken = match listed {
                Ok(dispute) => self.take_in_dispute(dispute).await,
                Err(error) => Err(error),
            };
            match taken {
                Ok(taken) => {
                    read.taken += usize::from(taken.became == Became::News);
                    let is_young = taken.created_at > earliest;
                    if taken.is_open || (taken.became == Became::NotYetOurs && is_young) {
                        wait_from(taken.created_at);
                    }
                }
                Err(error) => {
                    let Some(item) = error.item() else {
                        return Err(error);
                    };
                    unfinished("dispute", &item, &error);
                    read.unreadable += 1;
                    // When it was opened is not known.
                    wait_from(from.max(earliest).saturating_add(OVERLAP));
                    if unreadable.len() < UNREADABLE_MAX {
                        unreadable.insert(item.to_owned());
                    }
                }
            }
        }
        let bookmark = Bookmark {
            read_to: Some(now),
            claimed_until: None,
            open_from: oldest,
            unreadable,
        };
        // Whoever took over after the claim had run out has read the same list.
        self.write_note(&name, version + 2, &bookmark).await?;
        Ok(read)
    }

    /// The disputes that could not be read when the list was last read to its end.
    pub(super) async fn unreadable_disputes(&self, provider: &ProviderName) -> Result<Vec<String>> {
        let (bookmark, _) = self.read_note::<Bookmark>(&note_of(provider)).await?;
        Ok(bookmark.unreadable.into_iter().collect())
    }

    /// An error names the dispute, unless it is the store that cannot go on.
    async fn take_in_dispute(&self, dispute: Dispute<M>) -> Result<Taken> {
        let (created_at, is_open) = (dispute.created_at, is_open(&dispute.status));
        let name = dispute.id.raw().to_owned();
        let became = self.fold_dispute(dispute).await;
        let became = became.map_err(|error| {
            let is_of_store = error.provider().is_none()
                && matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::WrongMode);
            match is_of_store {
                true => error,
                false => error.with_item(&name),
            }
        })?;
        Ok(Taken {
            became,
            created_at,
            is_open,
        })
    }

    async fn fold_dispute(&self, dispute: Dispute<M>) -> Result<Became> {
        let fact = Fact::Dispute(Box::new(dispute.clone()));
        let (order, payment) = match self.owner(&fact, false).await? {
            Owner::Order(order, payment) => (order, payment),
            Owner::Nobody => return Ok(Became::Nothing),
            Owner::NotYet => return Ok(Became::NotYetOurs),
        };
        let Some(stored) = self.read(&order).await? else {
            return Ok(Became::NotYetOurs);
        };
        let ledger = stored.record.payment(&dispute.payment).map(|of| &of.ledger);
        let mut known = ledger.into_iter().flat_map(|ledger| ledger.disputes());
        let is_known = known.any(|known| {
            let is_same = known.id == dispute.id && known.status == dispute.status;
            is_same && known.amount == dispute.amount
        });
        if is_known {
            return Ok(Became::Nothing);
        }
        self.change(&order, |record, now| {
            if let Some(payment) = payment.clone() {
                record.fold(Fact::Payment(payment), "listed", now)?;
            }
            record.fold(fact.clone(), "listed", now)
        })
        .await?;
        Ok(Became::News)
    }
}

fn note_of(provider: &ProviderName) -> String {
    format!("disputes:{provider}")
}

/// A listed dispute that could be read.
struct Taken {
    became: Became,
    created_at: Timestamp,
    is_open: bool,
}

/// What became of a listed dispute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Became {
    /// It was not known, or not like this.
    News,
    /// It was known, or is no order's of this installation.
    Nothing,
    /// Its order or payment is not known here yet.
    NotYetOurs,
}

const fn is_open(status: &DisputeStatus) -> bool {
    !matches!(
        status,
        DisputeStatus::Won | DisputeStatus::Lost | DisputeStatus::Closed
    )
}
