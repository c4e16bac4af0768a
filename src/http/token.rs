//! OAuth tokens: fetched once for all who wait, ahead of their end, and dropped when refused.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use http::HeaderValue;

use super::authorization::bearer_value;
use super::timer::Timer;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;

/// Fetches an access token from a provider.
#[async_trait]
pub trait TokenSource: fmt::Debug + Send + Sync + 'static {
    /// Fetches a token.
    async fn fetch(&self) -> Result<FreshToken>;
}

/// A token as it came.
#[derive(Debug, Clone)]
pub struct FreshToken {
    /// The token.
    pub token: Secret,
    /// How long it is good for.
    pub expires_in: Duration,
}

impl FreshToken {
    /// A token that is good for `expires_in`.
    #[must_use]
    pub fn new(token: impl Into<Secret>, expires_in: Duration) -> Self {
        Self {
            token: token.into(),
            expires_in,
        }
    }
}

/// Keeps an access token while it is good. Clones share it.
///
/// While one caller fetches, all others wait for that one answer, a failure too. In the last tenth
/// of a token's life, and at most its last minute, one caller renews it while the others go on
/// with the old one.
#[derive(Clone)]
pub struct TokenCache(Arc<Shared>);

struct Shared {
    source: Box<dyn TokenSource>,
    timer: Arc<dyn Timer>,
    state: Mutex<State>,
    fetching: futures_util::lock::Mutex<()>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    failures: u64,
    last_failure: Option<ErrorKind>,
}

#[derive(Clone)]
struct Held {
    header: HeaderValue,
    renew_at: Duration,
    ends_at: Duration,
}

impl TokenCache {
    /// A cache that fetches from `source` when it is first asked.
    pub fn new(source: impl TokenSource, timer: Arc<dyn Timer>) -> Self {
        Self(Arc::new(Shared {
            source: Box::new(source),
            timer,
            state: Mutex::default(),
            fetching: futures_util::lock::Mutex::new(()),
        }))
    }

    /// The `Authorization` header with a token that is good now.
    pub(super) async fn header(&self) -> Result<HeaderValue> {
        let now = self.0.timer.elapsed();
        let (held, failures) = {
            let state = self.state();
            (state.held.clone(), state.failures)
        };
        match held {
            Some(held) if now < held.renew_at => Ok(held.header),
            Some(held) if now < held.ends_at => match self.0.fetching.try_lock() {
                Some(_fetching) => Ok(self.fetch().await.unwrap_or(held.header)),
                None => Ok(held.header),
            },
            _ => {
                let _fetching = self.0.fetching.lock().await;
                match self.fetched_meanwhile(failures) {
                    Some(outcome) => outcome,
                    None => self.fetch().await,
                }
            }
        }
    }

    /// Drops the token in `refused`, unless another has taken its place already.
    pub(super) fn invalidate(&self, refused: &HeaderValue) {
        let mut state = self.state();
        if state
            .held
            .as_ref()
            .is_some_and(|held| held.header == refused)
        {
            state.held = None;
        }
    }

    /// What another caller's fetch gave while this one waited.
    fn fetched_meanwhile(&self, failures_before: u64) -> Option<Result<HeaderValue>> {
        let state = self.state();
        if let Some(held) = &state.held
            && self.0.timer.elapsed() < held.ends_at
        {
            return Some(Ok(held.header.clone()));
        }
        if state.failures == failures_before {
            return None;
        }
        let kind = state.last_failure.clone().unwrap_or(ErrorKind::Unavailable);
        Some(Err(Error::new(kind, "no access token could be fetched")))
    }

    async fn fetch(&self) -> Result<HeaderValue> {
        let asked_at = self.0.timer.elapsed();
        let fetched = self.0.source.fetch().await.and_then(|fresh| {
            let early = (fresh.expires_in / 10).min(RENEW_EARLY_MAX);
            let ends_at = asked_at.saturating_add(fresh.expires_in);
            Ok(Held {
                header: bearer_value(&fresh.token)?,
                renew_at: ends_at.saturating_sub(early),
                ends_at,
            })
        });
        let mut state = self.state();
        match fetched {
            Ok(held) => Ok(state.held.insert(held).header.clone()),
            Err(error) => {
                state.failures += 1;
                state.last_failure = Some(error.kind().clone());
                Err(error)
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache")
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

/// How long before its end a token is renewed at most.
const RENEW_EARLY_MAX: Duration = Duration::from_secs(60);
