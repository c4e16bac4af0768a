//! The simulator as a transport: a provider calls it without a socket.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::{Answer, SimulatedProvider};
use crate::clock::{Clock, Timestamp};
use crate::http::{Delivered, Transport, TransportError};
use crate::webhook::WebhookRequest;

/// Hands each request to a simulator in the same process.
///
/// A connection that drops and an answer that is cut short become the error that a network gives:
/// whether the request was processed cannot be told from it. An answer that comes late moves the
/// simulator's clock; if it would come after the timeout, the error comes instead.
///
/// It is also the simulator's [`Clock`], and it hands out the webhooks that are due.
pub struct SimulatorTransport<P> {
    simulator: Arc<Mutex<P>>,
    timeout: Duration,
}

impl<P: SimulatedProvider> SimulatorTransport<P> {
    /// A transport to `simulator`, with a timeout of 30 seconds on the simulator's clock.
    #[must_use]
    pub fn new(simulator: Arc<Mutex<P>>) -> Self {
        Self {
            simulator,
            timeout: Duration::from_secs(30),
        }
    }

    /// Sets how long to wait for an answer, on the simulator's clock, in whole seconds.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Takes the webhooks that are due now and reports them as received.
    #[must_use]
    pub fn webhooks(&self) -> Vec<WebhookRequest> {
        let mut simulator = self.lock();
        let due = simulator.due_webhooks();
        due.into_iter()
            .map(|delivery| {
                simulator.report_webhook(delivery.id, Some(200));
                WebhookRequest::from(delivery.request)
            })
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, P> {
        // A panic elsewhere while the simulator was held says nothing about its state.
        self.simulator
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leaves the simulator out: it knows the secrets that it signs with.
impl<P> fmt::Debug for SimulatorTransport<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatorTransport")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl<P: SimulatedProvider> Clock for SimulatorTransport<P> {
    fn now(&self) -> Timestamp {
        self.lock().now()
    }
}

#[async_trait]
impl<P: SimulatedProvider> Transport for SimulatorTransport<P> {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let mut simulator = self.lock();
        match simulator.handle(&request) {
            Answer::Response(response) => Ok(response),
            Answer::Late(response, by) if by <= self.timeout => {
                simulator.advance(by);
                Ok(response)
            }
            Answer::Late(..) => {
                simulator.advance(self.timeout);
                Err(lost("the answer did not come in time"))
            }
            Answer::CutShort(..) => Err(lost("the answer broke off")),
            Answer::Dropped { .. } => Err(lost("the connection was dropped")),
        }
    }
}

fn lost(cause: &'static str) -> TransportError {
    TransportError {
        delivered: Delivered::Perhaps,
        cause: cause.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::simulator::stripe::StripeSimulator;
    use crate::simulator::{Fault, FaultRule};

    const START: Timestamp = Timestamp::from_unix(1_795_000_000);

    /// One request under one fault: the status or the lack of one, and the seconds it took.
    async fn ask(fault: Option<Fault>) -> (Result<u16, Delivered>, u64) {
        let mut stripe = StripeSimulator::new(1, START);
        if let Some(fault) = fault {
            stripe.faults().script(FaultRule::next(fault));
        }
        let stripe = Arc::new(Mutex::new(stripe));
        let transport = SimulatorTransport::new(Arc::clone(&stripe));
        let request = http::Request::get("https://api.stripe.com/v1/balance")
            .header("authorization", "Bearer sk_test_1")
            .body(Bytes::new())
            .unwrap();
        let answer = transport.send(request).await;
        let status = answer.map(|response| response.status().as_u16());
        let took = stripe.lock().unwrap().now().abs_diff(START).as_secs();
        (status.map_err(|error| error.delivered), took)
    }

    #[tokio::test]
    async fn faults_become_what_a_network_shows() {
        let lost = Err(Delivered::Perhaps);
        let seconds = Duration::from_secs;
        for (fault, status, took) in [
            (None, Ok(200), 0),
            (Some(Fault::Unavailable), Ok(503), 0),
            (Some(Fault::DropBefore), lost, 0),
            (Some(Fault::DropAfter), lost, 0),
            (Some(Fault::Truncated), lost, 0),
            (Some(Fault::Slow(seconds(30))), Ok(200), 30),
            (Some(Fault::Slow(seconds(31))), lost, 30),
        ] {
            assert_eq!(ask(fault).await, (status, took), "{fault:?}");
        }
    }
}
