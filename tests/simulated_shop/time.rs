//! Simulated time: it moves when nobody has anything left to do at the present moment.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use counterfoil::clock::{Clock, Timestamp};
use counterfoil::http::Timer;

/// When every run begins.
pub const START: Timestamp = Timestamp::from_unix(1_767_225_600);

/// The clock and the timer of everybody in a run, in milliseconds since its start.
#[derive(Debug, Default)]
pub struct Time {
    now: AtomicU64,
    sleepers: Mutex<Sleepers>,
}

#[derive(Debug, Default)]
struct Sleepers {
    wakers: BTreeMap<(u64, u64), Waker>,
    next: u64,
}

impl Time {
    pub fn millis(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    pub fn set(&self, millis: u64) {
        self.now.store(millis, Ordering::Relaxed);
    }

    /// When the next sleeper wants to be woken.
    pub fn next_wake(&self) -> Option<u64> {
        let sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        sleepers.wakers.keys().next().map(|(at, _)| *at)
    }

    /// Wakes everybody whose time has come.
    pub fn wake(&self) {
        let mut sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(first) = sleepers.wakers.first_entry() {
            if first.key().0 > self.millis() {
                return;
            }
            first.remove().wake();
        }
    }

    /// Comes back after so many milliseconds.
    pub async fn pass(&self, millis: u64) {
        let until = self.millis() + millis;
        poll_fn(|context| {
            if self.millis() >= until {
                return Poll::Ready(());
            }
            let mut sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
            sleepers.next += 1;
            let key = (until, sleepers.next);
            sleepers.wakers.insert(key, context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl Clock for Time {
    fn now(&self) -> Timestamp {
        START.saturating_add(Duration::from_millis(self.millis()))
    }
}

#[async_trait]
impl Timer for Time {
    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.millis())
    }

    async fn sleep(&self, duration: Duration) {
        self.pass(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
            .await;
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
