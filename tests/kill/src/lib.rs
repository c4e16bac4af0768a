//! A host and a simulated provider as two processes, so that the host can really be killed.
//!
//! The host embeds the cashier as an application does: it places orders, checks out, receives
//! webhooks, sweeps, refunds, and acts on confirmations in a durable record of its own. The
//! simulator is what remains: its books say what was really charged and refunded.
//!
//! Time is simulated. The simulator's clock is the only one; a host that lives moves it a little
//! with each turn, and the suite moves it while no host lives. So a slow machine changes nothing.

// A process of a test ends by a panic if the test is wrong.
#![allow(clippy::unwrap_used)]

pub mod clock;
pub mod control;
pub mod host;
pub mod plan;
pub mod proxy;
pub mod simulator;

// The customers and the books of each provider, as the simulation has them.
#[allow(dead_code, unused_imports)]
#[path = "../../simulated_shop/psps/mod.rs"]
pub(crate) mod psps;

use std::io::Read;

use serde::{Deserialize, Serialize};

/// What is wrong with a host that was spoiled on purpose, to see that the suite can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Defect {
    /// Each process derives idempotency keys of its own.
    FreshKeys,
    /// A confirmation is acknowledged before it is acted on.
    AcknowledgesFirst,
}

/// Ends this process when the one that started it is gone, and with it the pipe.
pub fn end_with_parent() {
    std::thread::spawn(|| {
        let mut rest = Vec::new();
        let _ = std::io::stdin().read_to_end(&mut rest);
        std::process::exit(0);
    });
}
