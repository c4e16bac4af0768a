//! Forgetting: what is old, and what somebody asks to be erased.

use std::time::Duration;

use super::store::Purged;
use super::{Cashier, Stored};
use crate::error::{Error, ErrorKind, Result};
use crate::id::OrderId;
use crate::mode::Mode;

impl<M: Mode> Cashier<M> {
    /// Erases an order: its record, the names of its payments, its confirmations, and what its
    /// events say. Of the events only the ids stay, so that one that is delivered again changes
    /// nothing.
    ///
    /// Records here hold no name, address or card of a shopper, but the ids of an order and its
    /// payments lead to one at the host and at the provider. A copy in a backup or in pages that the
    /// database has not reused yet is the operator's to overwrite. Do not place an order under the
    /// id again: the provider may still know its payments.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such order; [`ErrorKind::Conflict`] while something
    /// about it is open, needs a person, or is not acknowledged.
    pub async fn erase(&self, order: &OrderId) -> Result<()> {
        let Stored { record, version } = self.require(order).await?;
        let is_open = record.open_since().is_some();
        let is_erased = !is_open
            && record.attention_since.is_none()
            && self.store.erase_order(order, version).await?;
        if is_erased {
            return Ok(());
        }
        let message = "something about the order is still open: sweep, resolve and acknowledge";
        Err(Error::new(ErrorKind::Conflict, message))
    }

    /// Erases orders that were last changed more than `age` ago and about which nothing is open,
    /// needs a person or waits, and finished events that came before; at most `most` of each. Call
    /// it until it gives 0.
    ///
    /// Keep orders for as long as refunds and disputes can come, which is more than a year with
    /// some cards: news about a payment whose order is gone waits in the inbox for an order that
    /// does not come.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn purge(&self, age: Duration, most: usize) -> Result<Purged> {
        let before = self.now().saturating_sub(age);
        self.store.purge(before, most).await
    }
}
