//! After a run every payout that lists its lines must be explained, line by line, by what the shop
//! knows.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use counterfoil::capability::Operation;
use counterfoil::cashier::{Cashier, ReconciledPayout};
use counterfoil::clock::Clock;
use counterfoil::http::{Transport, TransportError};
use counterfoil::id::Namespace;
use counterfoil::request::Period;
use counterfoil::simulator::Answer;
use counterfoil::{Provider, Test};
use futures_util::TryStreamExt;
use http::{Request, Response};

use super::mutant::Mutant;
use super::psps::Connection;
use super::wire::Wire;
use super::world::{World, wait_for};

/// The payouts that are not explained, each in words.
pub fn unexplained(world: &World<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for name in world.names.iter().copied() {
        let aside = Arc::new(Aside {
            wire: Arc::clone(&world.wire),
            psp: name,
        });
        let clock = Arc::clone(&world.time) as Arc<dyn Clock>;
        let connected = world.wire.psp(name).connect(Connection {
            transport: aside,
            timer: Arc::clone(&world.time) as _,
            clock: Arc::clone(&clock),
            seed: 0,
        });
        let provider = Mutant::new(connected, None, true, Arc::default());
        let provider = Provider::new(provider, Namespace::new("shop").unwrap());
        let provider = provider.with_clock(Arc::clone(&clock));
        if !provider.capabilities().supports(Operation::ListPayoutLines) {
            continue;
        }
        let listed = provider.list_payouts(Period::default()).try_collect();
        let payouts: Vec<_> = wait_for(listed).unwrap();
        let cashier = wait_for(Cashier::open(provider, (world.open)())).unwrap();
        let cashier = cashier.with_clock(clock);
        for payout in payouts.iter().filter(|payout| payout.lines_complete) {
            let reconciled = wait_for(cashier.reconcile_payout(payout)).unwrap();
            if !is_sound(&reconciled) {
                found.push(format!("payout {}: {reconciled:?}", payout.id));
            }
        }
    }
    found
}

/// Whether each line is explained, and all lines add up to what was paid out.
fn is_sound(payout: &ReconciledPayout<Test>) -> bool {
    let lines = payout.lines.iter().map(|line| line.line.net.minor());
    payout.is_explained() && lines.sum::<i64>() == payout.sums.net.minor()
}

/// A line to a provider on which nothing takes time or goes wrong.
#[derive(Debug)]
struct Aside {
    wire: Arc<Wire>,
    psp: &'static str,
}

#[async_trait]
impl Transport for Aside {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        match self.wire.psp(self.psp).handle(&request) {
            Answer::Response(response) => Ok(response),
            other => panic!("the storm is over, and {request:?} was answered {other:?}"),
        }
    }
}
