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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_costs_a_tenth_beyond_what_was_saved() {
        let budget = RetryBudget::full();
        let mut retries = 0;
        for _ in 0..10_000 {
            budget.earn();
            retries += u32::from(budget.spend()) + u32::from(budget.spend());
        }
        // The first request earns nothing: the budget is full.
        assert_eq!(retries, 50 + 999);
    }

    #[test]
    fn no_more_is_saved_than_the_most() {
        let budget = RetryBudget::full();
        for _ in 0..1_000 {
            budget.earn();
        }
        let retries = std::iter::repeat_with(|| budget.spend()).take_while(|&spent| spent);
        assert_eq!(retries.count(), 50);
    }
}
