//! What became of each payout: a record of its own, beside every order, and a confirmation when it
//! has arrived, was called off or came back.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::fold::Fact;
use super::outbox::ConfirmationKind;
use super::receive::PROVEN_WITHIN;
use super::records::HistoryEntry;
use super::store::{Batch, EventRow, NoteRow};
use super::{APPLIED, Cashier, MOST_RETRIES};
use crate::clock::Timestamp;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::id::{OrderId, PayoutId};
use crate::mode::Mode;
use crate::payout::{Payout, PayoutStatus};
use crate::webhook::EventKind;

/// A payout as the cashier knows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound = "", deny_unknown_fields)]
#[non_exhaustive]
pub struct PayoutRecord<M: Mode> {
    /// The payout as it stands, with the provider's reason if it failed.
    pub payout: Payout<M>,
    /// What has happened, the first thing first, each with its evidence.
    pub history: Vec<HistoryEntry>,
    /// The kinds of confirmation that are in the outbox.
    confirmed: BTreeSet<String>,
}

impl<M: Mode> PayoutRecord<M> {
    fn new(payout: Payout<M>) -> Self {
        Self {
            payout,
            history: Vec::new(),
            confirmed: BTreeSet::new(),
        }
    }

    /// Takes in a snapshot, and gives the confirmations that are new; `None` if nothing is.
    fn fold(
        known: Option<Self>,
        payout: &Payout<M>,
        evidence: &str,
        now: Timestamp,
    ) -> Option<(Self, Vec<ConfirmationKind>)> {
        let is_new = known.is_none();
        let mut record = known.unwrap_or_else(|| Self::new(payout.clone()));
        let joined = record.payout.clone().join(payout.clone());
        if joined == record.payout && !is_new {
            return None;
        }
        if joined.status != record.payout.status || is_new {
            let reason = joined.failure_reason.as_deref();
            let reason = reason.map(|reason| format!(" ({reason})"));
            let reason = reason.unwrap_or_default();
            let status = &joined.status;
            record.history.push(HistoryEntry {
                at: now,
                what: format!(
                    "payout {} of {}: {status:?}{reason}",
                    joined.id, joined.amount
                ),
                evidence: Some(evidence.to_owned()),
            });
        }
        record.payout = joined;
        let id = record.payout.id.to_string();
        let kind = match record.payout.status {
            PayoutStatus::Paid => Some(ConfirmationKind::PayoutPaid(id)),
            PayoutStatus::Failed => Some(ConfirmationKind::PayoutFailed(id)),
            PayoutStatus::Canceled => Some(ConfirmationKind::PayoutCanceled(id)),
            PayoutStatus::Pending | PayoutStatus::InTransit | PayoutStatus::Unrecognized(_) => None,
        };
        let mut kinds: Vec<_> = kind.into_iter().collect();
        kinds.retain(|kind| record.confirmed.insert(kind.to_string()));
        Some((record, kinds))
    }
}

impl<M: Mode> Cashier<M> {
    /// What is known of a payout. Webhooks tell of payouts, and
    /// [`take_in_payout`](Self::take_in_payout) does.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn payout(&self, id: &PayoutId<M>) -> Result<Option<PayoutRecord<M>>> {
        let (record, _) = self
            .read_note::<Option<PayoutRecord<M>>>(&note_of(id))
            .await?;
        Ok(record)
    }

    /// Payouts that are known here, by the text of their ids: those after `after`, at most `most`.
    ///
    /// # Errors
    /// Those of the store, and [`ErrorKind::UnexpectedResponse`] for a record of a newer version.
    pub async fn payouts(
        &self,
        after: Option<&PayoutId<M>>,
        most: usize,
    ) -> Result<Vec<PayoutRecord<M>>> {
        let after = after.map_or_else(|| PREFIX.to_owned(), note_of);
        let rows = self.store.notes_between(&after, PREFIXES_END, most).await?;
        let records = rows.into_iter().map(|row| {
            serde_json::from_str(&row.body).map_err(|error| {
                let message = "a payout in the store is of a newer version";
                Error::new(ErrorKind::UnexpectedResponse, message).with_source(error)
            })
        });
        records.collect()
    }

    /// Takes in a payout as the provider lists it, so that one of which no webhook has told is known
    /// and confirmed like any other. See
    /// [`Provider::list_payouts`](crate::Provider::list_payouts).
    ///
    /// # Errors
    /// Those of the store.
    pub async fn take_in_payout(&self, payout: &Payout<M>) -> Result<PayoutRecord<M>> {
        self.change_payout(payout, None, "listed").await
    }

    /// Takes an event about a payout into its record. One that does not prove what it says is asked
    /// about first.
    pub(super) async fn process_payout(
        &self,
        event: &EventRow,
        claimed: &Payout<M>,
        is_proven: bool,
    ) -> Result<Option<OrderId>> {
        let mut payout = claimed.clone();
        if !is_proven {
            let provider = self.provider(claimed.id.provider())?;
            let claimed = EventKind::Payout(Box::new(claimed.clone()));
            let is_old = self.now().abs_diff(event.received_at) > PROVEN_WITHIN;
            payout = match provider.look_up(&claimed).await {
                Ok(EventKind::Payout(proven)) => *proven,
                Err(error) if *error.kind() == ErrorKind::NotFound && !is_old => {
                    return Err(error);
                }
                Err(error)
                    if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Unsupported) =>
                {
                    return Err(error);
                }
                _ => {
                    self.finish(&event.id, "unproven").await?;
                    return Ok(None);
                }
            };
        }
        self.change_payout(&payout, Some(&event.id), &event.id)
            .await?;
        Ok(None)
    }

    async fn change_payout(
        &self,
        payout: &Payout<M>,
        event: Option<&str>,
        evidence: &str,
    ) -> Result<PayoutRecord<M>> {
        let name = note_of(&payout.id);
        for _ in 0..MOST_RETRIES {
            let now = self.now();
            let (known, version) = self.read_note::<Option<PayoutRecord<M>>>(&name).await?;
            let before = known.clone();
            let folded = PayoutRecord::fold(known, payout, evidence, now);
            let finished = event.map(|event| (event.to_owned(), APPLIED.to_owned()));
            let mut batch = Batch {
                finished_events: finished.into_iter().collect(),
                ..Batch::new(M::KIND)
            };
            let record = match (folded, before) {
                (Some((record, kinds)), _) => {
                    let confirmations = kinds.iter().map(|kind| kind.row_of_none(now));
                    batch.confirmations = confirmations.collect();
                    batch.note = Some(NoteRow {
                        name: name.clone(),
                        version: version + 1,
                        body: serde_json::to_string(&record).map_err(not_json)?,
                    });
                    record
                }
                (None, Some(known)) => {
                    if event.is_none() {
                        return Ok(known);
                    }
                    known
                }
                (None, None) => PayoutRecord::new(payout.clone()),
            };
            if self.commit_change(batch).await? {
                return Ok(record);
            }
        }
        let message = "too many writers change this payout at once: try again";
        Err(Error::new(ErrorKind::Unavailable, message).with_effect(Effect::NotApplied))
    }
}

impl<M: Mode> Fact<M> {
    /// The payout that it is about, if it is about one.
    pub(super) fn payout(&self) -> Option<&Payout<M>> {
        match self {
            Self::Payout(payout) => Some(payout),
            _ => None,
        }
    }
}

/// What the names of the notes about payouts begin with.
const PREFIX: &str = "payout:";
/// What comes after all names that begin so.
const PREFIXES_END: &str = "payout;";

fn note_of<M: Mode>(id: &PayoutId<M>) -> String {
    format!("{PREFIX}{id}")
}

fn not_json(error: serde_json::Error) -> Error {
    let message = "the payout's record cannot be written as JSON";
    Error::new(ErrorKind::UnexpectedResponse, message).with_source(error)
}
