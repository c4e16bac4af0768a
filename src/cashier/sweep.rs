//! The sweep: what no webhook, redirect or answer has ended is asked about.

use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};

use super::Cashier;
use crate::error::Result;
use crate::mode::Mode;

/// How many orders, and how many events, one sweep takes on.
const MOST: usize = 100;
/// How many of them are asked about at a time.
const AT_A_TIME: usize = 8;
/// How long an order is left to the node that took it: five minutes.
const ORDER_CLAIM: Duration = Duration::from_secs(300);
/// How long until an event that could not be finished is looked at again: ten minutes.
const EVENT_CLAIM: Duration = Duration::from_secs(600);

/// What a sweep has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swept {
    /// Events from the inbox that were taken on.
    pub events: usize,
    /// Orders that the provider was asked about.
    pub orders: usize,
    /// How many of both could not be finished. They come again.
    pub failures: usize,
    /// Whether more is due now: sweep again.
    pub has_more: bool,
}

impl<M: Mode> Cashier<M> {
    /// Goes on with what is due: events that were stored and not taken in, and orders whose
    /// attempts, captures or refunds are open or unknown. At most a hundred of each, eight at a
    /// time. Call it every minute, on one node or on several at once.
    ///
    /// # Errors
    /// Those of the store. What the provider could not answer is counted in [`Swept::failures`].
    pub async fn sweep(&self) -> Result<Swept> {
        let now = self.now();
        let until = now.saturating_add(EVENT_CLAIM);
        let events = self.store.claim_events(now, until, MOST).await?;
        let until = now.saturating_add(ORDER_CLAIM);
        let orders = self.store.claim_orders(now, until, MOST).await?;
        let mut swept = Swept {
            events: events.len(),
            orders: orders.len(),
            failures: 0,
            has_more: events.len() == MOST || orders.len() == MOST,
        };
        let processed = stream::iter(events).map(|event| async move {
            let finished = self.process(&event).await;
            finished
                .inspect_err(|error| tracing::warn!(event = event.id, %error, "event not taken in"))
        });
        swept.failures += failures(processed.buffer_unordered(AT_A_TIME)).await;
        let asked = stream::iter(orders).map(|order| async move {
            let answered = self.ask(&order).await;
            answered.inspect_err(|error| tracing::warn!(%order, %error, "order not settled"))
        });
        swept.failures += failures(asked.buffer_unordered(AT_A_TIME)).await;
        Ok(swept)
    }
}

async fn failures<T>(results: impl Stream<Item = Result<T>>) -> usize {
    let count =
        |failures, result: Result<T>| std::future::ready(failures + usize::from(result.is_err()));
    results.fold(0, count).await
}
