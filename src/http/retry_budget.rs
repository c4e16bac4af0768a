//! How many retries a client may spend, over all its requests.

use std::sync::{Mutex, PoisonError};

/// Keeps an outage from becoming a storm: each request earns a tenth of a retry, and each retry
/// spends one. Shared by the clones of a client.
#[derive(Debug)]
pub(super) struct RetryBudget {
    tenths: Mutex<u32>,
}

/// What is saved up at the start and at most: 50 retries.
const TENTHS_MAX: u32 = 500;

impl RetryBudget {
    pub(super) fn full() -> Self {
        Self {
            tenths: Mutex::new(TENTHS_MAX),
        }
    }

    /// Counts a request that was not sent before.
    pub(super) fn earn(&self) {
        let mut tenths = self.tenths.lock().unwrap_or_else(PoisonError::into_inner);
        *tenths = TENTHS_MAX.min(*tenths + 1);
    }

    /// Takes one retry, if there is one.
    pub(super) fn spend(&self) -> bool {
        let mut tenths = self.tenths.lock().unwrap_or_else(PoisonError::into_inner);
        match tenths.checked_sub(10) {
            Some(left) => {
                *tenths = left;
                true
            }
            None => false,
        }
    }
}
