//! The sweep: what no webhook, redirect or answer has ended is asked about.

use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use tracing::field::Empty;

use super::Cashier;
use crate::error::Result;
use crate::mode::Mode;
use crate::telemetry::{CASHIER_SWEEP, TARGET, unfinished, within};

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
    /// Disputes from the providers' lists that were news.
    pub disputes: usize,
    /// How many of those orders have something open at a provider that cannot be asked, so that
    /// only its webhooks tell. A person is told after [`Patience::silence`](super::Patience).
    pub silent: usize,
    /// How many events, orders, lists, disputes in them and notes could not be finished. They come
    /// again.
    pub failures: usize,
    /// Whether more is due now: sweep again.
    pub has_more: bool,
}

/// How much one sweep takes on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    most: usize,
    at_a_time: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            most: 100,
            at_a_time: 8,
        }
    }
}

impl<M: Mode> Cashier<M> {
    /// Sets how many orders and how many events one sweep takes on, 100 unless set, and how many of
    /// them are asked about at a time, 8 unless set; at least 1 each.
    #[must_use]
    pub fn with_sweep_limits(mut self, most: usize, at_a_time: usize) -> Self {
        self.limits = Limits {
            most: most.max(1),
            at_a_time: at_a_time.max(1),
        };
        self
    }

    /// Goes on with what is due: events that were stored and not taken in, and orders whose
    /// attempts, captures or refunds are open or unknown; and lists disputes once an hour. Call it
    /// every minute, on one node or on several at once. How much it takes on is set by
    /// [`with_sweep_limits`](Self::with_sweep_limits).
    ///
    /// # Errors
    /// Those of the store. What the provider could not answer is counted in [`Swept::failures`].
    pub async fn sweep(&self) -> Result<Swept> {
        let span = tracing::info_span!(
            target: TARGET,
            CASHIER_SWEEP,
            mode = M::KIND.as_str(),
            outcome = Empty,
            effect = Empty,
            events = Empty,
            orders = Empty,
            disputes = Empty,
            silent = Empty,
            failures = Empty,
        );
        let swept = within(span.clone(), self.sweep_once()).await?;
        span.record("events", swept.events);
        span.record("orders", swept.orders);
        span.record("disputes", swept.disputes);
        span.record("silent", swept.silent);
        span.record("failures", swept.failures);
        Ok(swept)
    }

    async fn sweep_once(&self) -> Result<Swept> {
        // What is only for watching stops no sweep.
        let kept = self.keep_counts().await;
        let kept = kept.inspect_err(|error| unfinished("counts", &"webhooks", error));
        let Limits { most, at_a_time } = self.limits;
        let now = self.now();
        let until = now.saturating_add(EVENT_CLAIM);
        let events = self.store.claim_events(now, until, most).await?;
        let until = now.saturating_add(ORDER_CLAIM);
        let orders = self.store.claim_orders(now, until, most).await?;
        let mut swept = Swept {
            events: events.len(),
            orders: orders.len(),
            disputes: 0,
            silent: 0,
            failures: usize::from(kept.is_err()),
            has_more: events.len() == most || orders.len() == most,
        };
        let processed = stream::iter(events).map(|event| async move {
            let finished = self.process_stored(&event).await;
            finished.inspect_err(|error| unfinished("event", &event.id, error))
        });
        let processed = processed.buffer_unordered(at_a_time);
        let (_, failures) = count(processed, |_| false).await;
        swept.failures += failures;
        let asked = stream::iter(orders).map(|order| async move {
            let answered = self.ask(&order).await;
            answered.inspect_err(|error| unfinished("order", &order, error))
        });
        let asked = asked.buffer_unordered(at_a_time);
        let (silent, failures) = count(asked, |record| self.is_silent(record)).await;
        swept.silent = silent;
        swept.failures += failures;
        for provider in self.providers.iter() {
            match self.list_disputes_of(provider).await {
                Ok(read) => {
                    swept.disputes += read.taken;
                    swept.failures += read.unreadable;
                }
                Err(error) => {
                    unfinished("disputes", provider.name(), &error);
                    swept.failures += 1;
                }
            }
        }
        for provider in self.providers.iter() {
            if let Err(error) = self.note_sweep(provider.name()).await {
                unfinished("note of the sweep", provider.name(), &error);
                swept.failures += 1;
            }
        }
        Ok(swept)
    }
}

/// How many results are good and as asked for, and how many are failures.
async fn count<T>(
    results: impl Stream<Item = Result<T>>,
    is_counted: impl Fn(&T) -> bool,
) -> (usize, usize) {
    let add = |(counted, failures), result: Result<T>| {
        std::future::ready(match result {
            Ok(value) => (counted + usize::from(is_counted(&value)), failures),
            Err(_) => (counted, failures + 1),
        })
    };
    results.fold((0, 0), add).await
}
