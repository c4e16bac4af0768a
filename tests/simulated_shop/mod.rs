//! Deterministic simulation of whole shops: the real cashier, Stripe provider, HTTP layer and
//! stores, against the simulated Stripe, while everything that can fail does.
//!
//! A seed decides who orders and pays what, which requests and webhooks are lost, late or doubled,
//! when the store breaks and when processes die. In the end the shop's books are compared with the
//! provider's.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    dead_code,
    unused_imports,
    reason = "a test fails by panicking, and each uses a part of it"
)]

mod audit;
mod crowd;
mod defect;
mod dice;
mod job;
#[path = "../rigs/layer.rs"]
mod layer;
mod mail;
mod mutant;
mod news;
mod payouts;
mod plan;
mod psps;
mod replay;
mod script;
mod steps;
mod store;
mod time;
mod wire;
mod world;

use std::hash::Hasher;
use std::sync::Arc;

use counterfoil::cashier::{MemoryStore, Store};

pub use audit::{Findings, Tally};
pub use crowd::Deed;
pub use defect::Defect;
pub use job::Job;
pub use news::{Story, converge, stories};
pub use plan::{Hold, Plan};
pub use psps::{Psp, new_adyen, new_paypal, new_stripe};
pub use replay::{replay, replay_in_memory};
pub use script::{End, Script, Steps, Trouble};
pub use steps::{Flow, Share, flows, prove};
pub use wire::Fate;
pub use world::{HOUR, MINUTE, OpenStore, SECOND, Shop};

use world::World;

/// Runs one shop to its end, and compares the books. Gives the hash of all that happened.
pub fn run(shop: &Shop, open: &OpenStore, findings: &mut Findings, tally: &mut Tally) -> u64 {
    let mut world = World::new(shop.clone(), open);
    world.run();
    audit::audit(&mut world, findings, tally);
    world.trace.finish()
}

/// As [`run`], on a memory store.
pub fn run_in_memory(shop: &Shop, findings: &mut Findings, tally: &mut Tally) -> u64 {
    run(shop, &in_memory(), findings, tally)
}

/// As [`run_in_memory`], and gives how many steps it took.
pub fn run_and_count(shop: &Shop, findings: &mut Findings, tally: &mut Tally) -> Steps {
    let open = in_memory();
    let mut world = World::new(shop.clone(), &open);
    world.run();
    let steps = world.steps();
    audit::audit(&mut world, findings, tally);
    steps
}

fn in_memory() -> impl Fn() -> Arc<dyn Store> {
    let store = Arc::new(MemoryStore::new());
    move || Arc::clone(&store) as Arc<dyn Store>
}

/// Runs shops of a hundred orders with consecutive seeds, and fails if any books are wrong.
pub fn assert_sound(seeds: std::ops::Range<u64>, shop: impl Fn(u64) -> Shop) {
    let (mut findings, mut tally) = (Findings::default(), Tally::default());
    for seed in seeds {
        run_in_memory(&shop(seed), &mut findings, &mut tally);
    }
    findings.assert_none(&tally);
}
