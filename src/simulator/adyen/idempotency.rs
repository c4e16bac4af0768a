//! Idempotency keys by Adyen's rules.
//!
//! Source: docs.adyen.com/development-resources/api-idempotency. A key belongs to the company
//! account and to no endpoint: what was answered first under it comes back, whatever is asked. It
//! is kept for at least seven days, which is what is kept here. That bodies are not compared is
//! what Adyen does not promise otherwise; so here they are not.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use super::errors::ApiError;
use crate::clock::Timestamp;

const KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const KEY_LENGTH_MAX: usize = 64;

/// The answers that are kept, by key.
#[derive(Debug, Default)]
pub(super) struct KeyStore {
    entries: HashMap<String, Entry>,
    by_age: VecDeque<(Timestamp, String)>,
}

#[derive(Debug, Clone)]
struct Entry {
    answer: KeptAnswer,
    /// Until when the first request is still running.
    busy_until: Timestamp,
}

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
        self.forget_old(now);
        match self.entries.get(key) {
            Some(entry) if now < entry.busy_until => Err(ApiError::in_progress()),
            entry => Ok(entry.map(|entry| entry.answer.clone())),
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
        let entry = Entry { answer, busy_until };
        let _ = self.entries.insert(key.to_owned(), entry);
        self.by_age.push_back((now, key.to_owned()));
    }

    fn forget_old(&mut self, now: Timestamp) {
        let oldest = now.saturating_sub(KEPT_FOR);
        while let Some((at, _)) = self.by_age.front() {
            if *at > oldest {
                break;
            }
            if let Some((_, key)) = self.by_age.pop_front() {
                let _ = self.entries.remove(&key);
            }
        }
    }
}
