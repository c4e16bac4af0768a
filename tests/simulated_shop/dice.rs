//! One source of chance for everything in a run, so that a seed decides all of it.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Dice that are shared by everything in one run.
#[derive(Debug)]
pub struct Dice(Mutex<Shared>);

#[derive(Debug)]
struct Shared {
    rng: fastrand::Rng,
    is_calm: bool,
}

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(Shared {
            rng: fastrand::Rng::with_seed(seed),
            is_calm: false,
        }))
    }

    /// A number from 0 to less than `end`.
    pub fn below(&self, end: u32) -> u32 {
        self.shared().rng.u32(0..end)
    }

    pub fn chance(&self, per_mille: u32) -> bool {
        self.below(1000) < per_mille
    }

    /// Whether something goes wrong; nothing does once it is calm.
    pub fn fault(&self, per_mille: u32) -> bool {
        !self.is_calm() && self.chance(per_mille)
    }

    pub fn is_calm(&self) -> bool {
        self.shared().is_calm
    }

    /// From now on nothing goes wrong.
    pub fn calm_down(&self) {
        self.shared().is_calm = true;
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
