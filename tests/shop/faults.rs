//! Everything that can go wrong, from one seed.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;

/// Dice that are shared by everything in one run.
#[derive(Debug)]
pub struct Dice {
    rng: Mutex<fastrand::Rng>,
    /// How many of a thousand calls go wrong.
    per_mille: Mutex<u32>,
}

impl Dice {
    pub fn new(seed: u64, per_mille: u32) -> Arc<Self> {
        Arc::new(Self {
            rng: Mutex::new(fastrand::Rng::with_seed(seed)),
            per_mille: Mutex::new(per_mille),
        })
    }

    pub fn below(&self, end: u32) -> u32 {
        self.rng.lock().unwrap().u32(0..end)
    }

    pub fn chance(&self, per_mille: u32) -> bool {
        self.below(1000) < per_mille
    }

    pub fn fault(&self) -> bool {
        let per_mille = *self.per_mille.lock().unwrap();
        per_mille > 0 && self.chance(per_mille)
    }

    pub fn calm_down(&self) {
        *self.per_mille.lock().unwrap() = 0;
    }
}

/// Gives every other task a turn, and a crash a place to strike.
pub async fn pause() {
    let mut paused = false;
    poll_fn(|context| {
        if std::mem::replace(&mut paused, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
