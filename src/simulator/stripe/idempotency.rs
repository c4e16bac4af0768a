//! Idempotency keys by Stripe's rules.
//!
//! Source: docs.stripe.com/api/idempotent_requests. Status and body are kept once execution has
//! begun, a 500 included; what fails validation or meets a request that is still running is not.
//! Keys are forgotten after 24 hours.

use std::time::Duration;

use bytes::Bytes;

use super::errors::ApiError;
use crate::clock::Timestamp;
use crate::simulator::keys::{Done, Keys};

const KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);
const KEY_LENGTH_MAX: usize = 255;

/// The answers that are kept, by key.
#[derive(Debug, Default)]
pub(super) struct KeyStore(Keys<String, Entry>);

#[derive(Debug)]
struct Entry {
    fingerprint: String,
    answer: KeptAnswer,
}

/// An answer as it was given the first time.
#[derive(Debug, Clone)]
pub(super) struct KeptAnswer {
    pub(super) status: u16,
    pub(super) body: Bytes,
    pub(super) request_id: String,
}

impl KeyStore {
    /// The answer to replay for `key`, if there is one.
    pub(super) fn replay(
        &mut self,
        key: &str,
        fingerprint: &str,
        now: Timestamp,
    ) -> Result<Option<KeptAnswer>, ApiError> {
        if key.is_empty() || key.chars().count() > KEY_LENGTH_MAX {
            let message = "Idempotency keys must be between 1 and 255 characters long.";
            return Err(ApiError::key_reused(message));
        }
        let Some(done) = self.0.find(key, now) else {
            return Ok(None);
        };
        if done.what.fingerprint != fingerprint {
            let message = format!(
                "Keys for idempotent requests can only be used with the same parameters they were \
                 first used with. Try using a key other than '{key}' if you meant to execute a \
                 different request."
            );
            return Err(ApiError::key_reused(&message));
        }
        if now < done.busy_until {
            return Err(ApiError::key_in_use(key));
        }
        Ok(Some(done.what.answer.clone()))
    }

    /// Keeps an answer, which counts as given at `busy_until`.
    pub(super) fn keep(
        &mut self,
        key: &str,
        fingerprint: String,
        answer: KeptAnswer,
        now: Timestamp,
        busy_until: Timestamp,
    ) {
        let what = Entry {
            fingerprint,
            answer,
        };
        let done = Done { what, busy_until };
        let forgotten = now.saturating_add(KEPT_FOR);
        self.0.keep(key.to_owned(), done, forgotten);
    }
}
