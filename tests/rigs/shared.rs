//! What the rigs share: the wire to a simulator, the faults on it, and how its books are told.

#![allow(dead_code)] // each rig uses a part of it
#![allow(clippy::unwrap_used, clippy::panic)] // a rig is a test

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use counterfoil::clock::{Clock, Timestamp};
use counterfoil::conformance::{Booked, Fault, Strikes, Unable};
use counterfoil::http::{Transport, TransportError};
use counterfoil::money::Money;
use counterfoil::simulator::{
    self, Answer, FaultPlan, FaultRule, SimulatedProvider, SimulatorTransport,
};
use counterfoil::webhook::WebhookRequest;
use http::{Method, Request, Response};
use serde_json::Value;

/// A simulator, its requests counted.
#[derive(Debug)]
pub(crate) struct Wire<P> {
    simulator: Arc<Mutex<P>>,
    transport: SimulatorTransport<P>,
    requests: AtomicUsize,
}

impl<P: SimulatedProvider> Wire<P> {
    pub(crate) fn to(simulator: P) -> Arc<Self> {
        let simulator = Arc::new(Mutex::new(simulator));
        Arc::new(Self {
            transport: SimulatorTransport::new(Arc::clone(&simulator)),
            simulator,
            requests: AtomicUsize::new(0),
        })
    }

    pub(crate) fn simulator(&self) -> MutexGuard<'_, P> {
        self.simulator.lock().unwrap()
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    pub(crate) fn webhooks(&self) -> Vec<WebhookRequest> {
        self.transport.webhooks()
    }

    /// Asks the simulator past the provider.
    pub(crate) fn read(&self, request: &Request<Bytes>) -> Value {
        match self.simulator().handle(request) {
            Answer::Response(response) => serde_json::from_slice(response.body()).unwrap(),
            other => panic!("{request:?}: {other:?}"),
        }
    }
}

#[async_trait]
impl<P: SimulatedProvider> Transport for Wire<P> {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        self.transport.send(request).await
    }
}

impl<P: SimulatedProvider> Clock for Wire<P> {
    fn now(&self) -> Timestamp {
        self.transport.now()
    }
}

/// A payment as the simulator's books have it.
pub(crate) fn booked(amount: Money, captured: Money, refunded: Money) -> Booked {
    Booked {
        currency: amount.currency().code().to_owned(),
        amount: amount.to_decimal(),
        captured: captured.to_decimal(),
        refunded: refunded.to_decimal(),
    }
}

/// Lets the next `requests` requests to `path` or below it meet a fault; 0 ends it.
pub(crate) fn plan(
    plan: &mut FaultPlan,
    fault: Fault,
    on: Strikes,
    path: &str,
    requests: usize,
) -> Result<(), Unable> {
    let fault = match fault {
        Fault::LostBefore => simulator::Fault::DropBefore,
        Fault::LostAfter => simulator::Fault::DropAfter,
        Fault::ServerErrorBefore => simulator::Fault::ErrorBefore,
        Fault::ServerErrorAfter => simulator::Fault::ErrorAfter,
        Fault::RateLimited => simulator::Fault::RateLimited,
        _ => return Err(Unable),
    };
    let times = u32::try_from(requests).unwrap_or(u32::MAX);
    plan.clear();
    if times > 0 {
        let method = match on {
            Strikes::Reads => Method::GET,
            Strikes::Writes => Method::POST,
        };
        let rule = FaultRule::next(fault).with_method(method).with_path(path);
        plan.script(rule.with_times(times));
    }
    Ok(())
}
