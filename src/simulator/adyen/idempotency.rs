//! Idempotency keys by Adyen's rules.
//!
//! Source: docs.adyen.com/development-resources/api-idempotency. A key belongs to the company
//! account and to no endpoint: what was answered first under it comes back, whatever is asked. It
//! is kept for at least seven days, which is what is kept here. That bodies are not compared is
//! what Adyen does not promise otherwise; so here they are not.

use std::time::Duration;

use bytes::Bytes;

use super::errors::ApiError;
use crate::clock::Timestamp;
use crate::simulator::keys::{Done, Keys};

const KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const KEY_LENGTH_MAX: usize = 64;

/// The answers that are kept, by key.
#[derive(Debug, Default)]
pub(super) struct KeyStore(Keys<String, KeptAnswer>);

/// An answer as it was given the first time.
#[derive(Debug, Clone)]
pub(super) struct KeptAnswer {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

impl KeyStore {
    /// The answer to give again for `key`, if there is one.
    pub(super) fn replay(
        &mut self,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<KeptAnswer>, ApiError> {
        if key.is_empty() || key.chars().count() > KEY_LENGTH_MAX {
            let message = "The Idempotency-Key must have 1 to 64 characters";
            return Err(ApiError::malformed(message));
        }
        match self.0.find(key, now) {
            Some(done) if now < done.busy_until => Err(ApiError::in_progress()),
            done => Ok(done.map(|done| done.what.clone())),
        }
    }

    /// Keeps an answer, which counts as given at `busy_until`.
    pub(super) fn keep(
        &mut self,
        key: &str,
        answer: KeptAnswer,
        now: Timestamp,
        busy_until: Timestamp,
    ) {
        let what = answer;
        let done = Done { what, busy_until };
        let forgotten = now.saturating_add(KEPT_FOR);
        self.0.keep(key.to_owned(), done, forgotten);
    }
}
