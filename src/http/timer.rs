//! Waiting, injected, so that a whole run can be replayed without waiting.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

/// Measures stretches of time, and waits.
#[async_trait]
pub trait Timer: fmt::Debug + Send + Sync + 'static {
    /// The time since some fixed start. It never goes back.
    fn elapsed(&self) -> Duration;

    /// Comes back after `duration`.
    async fn sleep(&self, duration: Duration);
}

/// Real time, waited for by tokio.
#[cfg(feature = "http-client")]
#[derive(Debug, Clone, Copy)]
pub struct TokioTimer(std::time::Instant);

#[cfg(feature = "http-client")]
impl TokioTimer {
    /// A timer that starts now.
    #[must_use]
    pub fn new() -> Self {
        Self(std::time::Instant::now())
    }
}

#[cfg(feature = "http-client")]
impl Default for TokioTimer {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "http-client")]
#[async_trait]
impl Timer for TokioTimer {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// Time that passes only by being waited for or moved, for tests and simulations.
#[derive(Debug, Default)]
pub struct ManualTimer(Mutex<Manual>);

#[derive(Debug, Default)]
struct Manual {
    elapsed: Duration,
    sleeps: Vec<Duration>,
}

impl ManualTimer {
    /// A timer that stands at zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves the time forward.
    pub fn advance(&self, duration: Duration) {
        let mut manual = self.lock();
        manual.elapsed = manual.elapsed.saturating_add(duration);
    }

    /// Everything that was waited for so far, in order.
    #[must_use]
    pub fn sleeps(&self) -> Vec<Duration> {
        self.lock().sleeps.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Manual> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Timer for ManualTimer {
    fn elapsed(&self) -> Duration {
        self.lock().elapsed
    }

    /// Comes back at once, with the time moved forward.
    async fn sleep(&self, duration: Duration) {
        let mut manual = self.lock();
        manual.elapsed = manual.elapsed.saturating_add(duration);
        manual.sleeps.push(duration);
    }
}
