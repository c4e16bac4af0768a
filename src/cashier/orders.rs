//! Orders: placed, amended, closed and looked at.

use super::concerns::Concern;
use super::records::{AttemptPhase, OrderRecord};
use super::store::Commit;
use super::{Cashier, Stored};
use crate::error::{Error, ErrorKind, Result};
use crate::id::OrderId;
use crate::mode::Mode;
use crate::money::PositiveMoney;
use crate::order::Order;
use crate::telemetry::unfinished;

impl<M: Mode> Cashier<M> {
    /// Places an order. Placed again with the same total, it is the same order.
    ///
    /// Webhooks that came for it before are taken in at once, or by the sweep if that fails.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if an order of this id was placed with another total.
    pub async fn place(&self, id: &OrderId, total: PositiveMoney) -> Result<OrderRecord<M>> {
        let now = self.now();
        let mut record = OrderRecord::new(Order::new(id.clone(), total, now));
        let batch = self.batch_of(&mut record, 1, now)?;
        let is_new = self.store.commit(batch).await? != Commit::Stale;
        if !is_new {
            let placed = self.require(id).await?.record;
            if placed.order.total != total.money() {
                let message = "an order of this id was placed with another total: amend it";
                return Err(Error::new(ErrorKind::Conflict, message));
            }
        }
        let waiting = self.store.events_waiting_for(id).await?;
        if is_new && waiting.is_empty() {
            return Ok(record);
        }
        for event in waiting {
            if let Err(error) = self.process_stored(&event).await {
                // The order is placed all the same.
                unfinished("event", &event.id, &error);
            }
        }
        self.order(id).await
    }

    /// Changes what an order costs. Checkouts that were begun for the old amount are ended.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if it is closed, or if money has come, is held or is on its way:
    /// refund or void it first, or place another order.
    pub async fn amend(&self, id: &OrderId, total: PositiveMoney) -> Result<OrderRecord<M>> {
        self.change(id, |record, now| {
            if record.order.closed_at.is_some() {
                return Err(conflict("the order is closed: place another"));
            }
            let is_unpaid = record.received().is_ok_and(|received| received.is_zero());
            let may_come = record.holds_money() || record.is_being_completed();
            if !is_unpaid || record.paid_at.is_some() || may_come {
                return Err(conflict("money has come or is held for this order"));
            }
            if record.order.total != total.money() {
                let what = format!("amended from {} to {total}", record.order.total);
                record.note(now, what, None);
                record.order.total = total.money();
                record.forgo_what_went_back();
            }
            Ok(())
        })
        .await?;
        // Asking ends checkouts that ask for another amount. If it fails, the sweep does it.
        if let Err(error) = self.ask(id).await {
            unfinished("checkouts for the old amount", id, &error);
        }
        self.order(id).await
    }

    /// Closes an order that nobody will pay any more. The provider is asked first, so that one
    /// that was paid at the last moment is not closed, and open checkouts are ended.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if it is paid, or a payment is under way or held;
    /// [`ErrorKind::Unavailable`] if the provider could not be asked: nothing is closed then.
    pub async fn close(&self, id: &OrderId) -> Result<OrderRecord<M>> {
        self.ask(id).await?;
        self.end_checkouts(id).await?;
        let (_, record) = self
            .change(id, |record, now| {
                if record.order.closed_at.is_some() {
                    return Ok(());
                }
                record.being_paid()?;
                let is_unpaid = record.received().is_ok_and(|received| received.is_zero());
                let is_open = record
                    .attempts
                    .iter()
                    .any(|attempt| !record.is_over(attempt));
                let is_open = is_open
                    || record.is_being_completed()
                    || self.has_page_for_another_try(record, now);
                if !is_unpaid || record.paid_at.is_some() || is_open {
                    return Err(conflict("it is paid, or a payment of it has not ended"));
                }
                record.order.closed_at = Some(now);
                record.note(now, "closed unpaid".into(), None);
                Ok(())
            })
            .await?;
        Ok(record)
    }

    /// Reads an order with all that is known about it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none.
    pub async fn order(&self, id: &OrderId) -> Result<OrderRecord<M>> {
        Ok(self.require(id).await?.record)
    }

    /// Reads up to `most` orders that need a person, those that have waited longest first. Why
    /// stands in [`concerns`](Self::concerns). One that only a newer version can read is left out,
    /// and stands in [`Health::unreadable`](super::Health::unreadable).
    ///
    /// # Errors
    /// Those of the store.
    pub async fn needs_a_person(&self, most: usize) -> Result<Vec<OrderRecord<M>>> {
        let rows = self.store.orders_needing_attention(most).await?;
        let read = rows.into_iter().filter_map(|row| {
            let id = row.id.clone();
            match Stored::read(row) {
                Ok(stored) => Some(stored.record),
                Err(error) => {
                    unfinished("order", &id, &error);
                    self.unreadable.add(&format!("order {id}"), self.now());
                    None
                }
            }
        });
        Ok(read.collect())
    }

    /// What a person must look at now about an order, without what was resolved.
    #[must_use]
    pub fn concerns(&self, record: &OrderRecord<M>) -> Vec<Concern> {
        record.concerns(self.now(), &self.patience)
    }

    /// Says that a person has dealt with a concern; `note` is kept in the history.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the order has no concern of this name.
    pub async fn resolve(&self, id: &OrderId, concern: &str, note: &str) -> Result<()> {
        self.change(id, |record, now| {
            let concerns = record.concerns(now, &self.patience);
            if !concerns.iter().any(|open| open.name == concern) {
                let message = "the order has no such concern now";
                return Err(Error::new(ErrorKind::NotFound, message));
            }
            record.resolved.insert(concern.to_owned());
            record.note(now, format!("{concern} resolved: {note}"), None);
            Ok(())
        })
        .await?;
        Ok(())
    }

    /// Decides that the last attempt shall not be waited for, so that a new one can begin although
    /// the old one may still be paid. `note` is kept in the history.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no attempt.
    pub async fn release_attempt(&self, id: &OrderId, note: &str) -> Result<()> {
        self.change(id, |record, now| {
            let Some(last) = record.attempts.last_mut() else {
                let message = "the order has no attempt yet";
                return Err(Error::new(ErrorKind::NotFound, message));
            };
            last.phase = AttemptPhase::Released;
            let what = format!("attempt {} released: {note}", last.attempt);
            record.note(now, what, None);
            Ok(())
        })
        .await?;
        Ok(())
    }
}

pub(super) fn conflict(message: &'static str) -> Error {
    Error::new(ErrorKind::Conflict, message)
}
