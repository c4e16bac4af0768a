//! Disputes that no webhook has told of: the provider's list is read from where it was left.

use std::time::Duration;

use futures_util::{TryStreamExt, pin_mut};
use serde::{Deserialize, Serialize};

use super::Cashier;
use super::fold::Fact;
use super::receive::Owner;
use super::store::Commit;
use crate::capability::Operation;
use crate::clock::Timestamp;
use crate::dispute::{Dispute, DisputeStatus};
use crate::error::Result;
use crate::handle::Provider;
use crate::mode::Mode;
use crate::request::Period;

/// How often a provider's disputes are listed: once an hour. Answers are due within days.
const EVERY: Duration = Duration::from_secs(3600);
/// How long the list is left to the node that took it: ten minutes.
const CLAIM: Duration = Duration::from_secs(600);
/// How far the list is read again, for clocks that differ and entries that come late: a day.
const OVERLAP: Duration = Duration::from_secs(86_400);
/// How far back the first reading goes: half a year. Card networks let a payer dispute for 120 days
/// in most cases (<https://docs.stripe.com/disputes/how-disputes-work>).
const FIRST: Duration = Duration::from_secs(180 * 86_400);

/// How far the list of one provider was read.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
struct Bookmark {
    /// Up to when it was read to its end.
    read_to: Option<Timestamp>,
    /// Until when another node is at it.
    claimed_until: Option<Timestamp>,
    /// When the oldest dispute was opened whose end is not known: the list is read from there.
    open_from: Option<Timestamp>,
}

impl<M: Mode> Cashier<M> {
    /// Reads the list of one provider if that is due, and says how many disputes it has taken in.
    /// What breaks off is read again from where the last whole reading began.
    pub(super) async fn list_disputes_of(&self, provider: &Provider<M>) -> Result<usize> {
        if !provider.capabilities().supports(Operation::ListDisputes) {
            return Ok(0);
        }
        let now = self.now();
        let name = format!("disputes:{}", provider.name());
        let (bookmark, version) = self.read_note::<Bookmark>(&name).await?;
        let is_fresh = bookmark
            .read_to
            .is_some_and(|at| at.saturating_add(EVERY) > now);
        if is_fresh || bookmark.claimed_until.is_some_and(|until| until > now) {
            return Ok(0);
        }
        let claimed = Bookmark {
            claimed_until: Some(now.saturating_add(CLAIM)),
            ..bookmark.clone()
        };
        if self.write_note(&name, version + 1, &claimed).await? == Commit::Stale {
            return Ok(0);
        }
        let earliest = now.saturating_sub(FIRST);
        let read_to = bookmark.read_to.map(|at| at.saturating_sub(OVERLAP));
        let open_from = bookmark.open_from.map(|at| at.saturating_sub(OVERLAP));
        let from = read_to.map_or(earliest, |at| open_from.unwrap_or(at).min(at));
        let listed = provider.list_disputes(Period::since(from));
        pin_mut!(listed);
        let (mut taken, mut oldest) = (0, None::<Timestamp>);
        while let Some(dispute) = listed.try_next().await? {
            let created_at = dispute.created_at;
            let is_open = is_open(&dispute.status);
            let became = self.take_in_dispute(dispute).await?;
            taken += usize::from(became == Became::News);
            let is_young = created_at > earliest;
            if is_open || (became == Became::NotYetOurs && is_young) {
                oldest = Some(oldest.map_or(created_at, |oldest| oldest.min(created_at)));
            }
        }
        let read = Bookmark {
            read_to: Some(now),
            claimed_until: None,
            open_from: oldest,
        };
        // Whoever took over after the claim had run out has read the same list.
        self.write_note(&name, version + 2, &read).await?;
        Ok(taken)
    }

    async fn take_in_dispute(&self, dispute: Dispute<M>) -> Result<Became> {
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
