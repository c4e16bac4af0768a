//! Confirmations as they come: at once for those of this process, by polling for those of others.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select;
use futures_util::{Stream, stream};
use tokio::sync::watch;

use super::{Cashier, Confirmation};
use crate::error::Result;
use crate::http::Timer;
use crate::mode::Mode;

/// How many confirmations are leased at once: few, so that none of them waits past its lease.
const AT_ONCE: usize = 8;

impl<M: Mode> Cashier<M> {
    /// Confirmations without end, each leased for `lease` as by
    /// [`confirmations`](Self::confirmations). Acknowledge each; what is not comes again.
    ///
    /// What a webhook, a redirect or a sweep of this process has brought is given at once. What
    /// another node has brought, and what was not acknowledged, is found after `poll`, such as two
    /// seconds. Several streams, on one node or on several, share the work.
    ///
    /// An error of the store is given, and after it the stream goes on.
    ///
    /// ```
    /// # #[cfg(feature = "http-client")]
    /// # async fn run(cashier: counterfoil::cashier::Cashier<counterfoil::Live>) {
    /// use std::sync::Arc;
    /// use std::time::Duration;
    ///
    /// use counterfoil::cashier::ConfirmationKind;
    /// use counterfoil::http::TokioTimer;
    /// use futures_util::{StreamExt, pin_mut};
    ///
    /// let (lease, poll) = (Duration::from_secs(60), Duration::from_secs(2));
    /// let news = cashier.confirmation_stream(lease, poll, Arc::new(TokioTimer::new()));
    /// pin_mut!(news);
    /// while let Some(Ok(confirmation)) = news.next().await {
    ///     if let (ConfirmationKind::Paid, Some(order)) = (&confirmation.kind, &confirmation.order) {
    ///         println!("deliver {order}");
    ///     }
    ///     let _ = cashier.acknowledge(&confirmation).await;
    /// }
    /// # }
    /// ```
    pub fn confirmation_stream(
        &self,
        lease: Duration,
        poll: Duration,
        timer: Arc<dyn Timer>,
    ) -> impl Stream<Item = Result<Confirmation>> + Send + use<M> {
        let watcher = Watcher {
            rings: self.bell.0.subscribe(),
            cashier: self.clone(),
            ready: VecDeque::new(),
            is_empty: false,
            lease,
            poll,
            timer,
        };
        stream::unfold(watcher, |mut watcher| async move {
            let next = watcher.next().await;
            Some((next, watcher))
        })
    }
}

/// Rings when this process has put a confirmation into the outbox.
#[derive(Debug)]
pub(super) struct Bell(watch::Sender<u64>);

impl Default for Bell {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Bell {
    pub(super) fn ring(&self) {
        self.0.send_modify(|rings| *rings = rings.wrapping_add(1));
    }
}

struct Watcher<M: Mode> {
    cashier: Cashier<M>,
    rings: watch::Receiver<u64>,
    ready: VecDeque<Confirmation>,
    /// Whether the outbox had nothing more when it was last looked at.
    is_empty: bool,
    lease: Duration,
    poll: Duration,
    timer: Arc<dyn Timer>,
}

impl<M: Mode> Watcher<M> {
    async fn next(&mut self) -> Result<Confirmation> {
        loop {
            if let Some(confirmation) = self.ready.pop_front() {
                return Ok(confirmation);
            }
            if self.is_empty {
                let ring = std::pin::pin!(self.rings.changed());
                select(ring, self.timer.sleep(self.poll)).await;
            }
            // Marked before looking: a ring from now on is not missed.
            self.rings.mark_unchanged();
            self.is_empty = true;
            let found = self.cashier.confirmations(self.lease, AT_ONCE).await?;
            self.is_empty = found.len() < AT_ONCE;
            self.ready.extend(found);
        }
    }
}
