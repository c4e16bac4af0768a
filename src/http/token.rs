//! OAuth tokens: fetched once for all who wait, ahead of their end, and dropped when refused.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use http::HeaderValue;

use super::sensitive::bearer_value;
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
#[non_exhaustive]
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    use futures_util::FutureExt;

    use super::*;
    use crate::http::ManualTimer;

    /// Gives `token-1`, `token-2` …, each `good_for` so long, after `yields` turns of the others.
    #[derive(Debug, Default)]
    struct Counting {
        fetches: AtomicU32,
        fails: AtomicBool,
        yields: u32,
        good_for: Duration,
    }

    #[async_trait]
    impl TokenSource for Arc<Counting> {
        async fn fetch(&self) -> Result<FreshToken> {
            let number = self.fetches.fetch_add(1, Ordering::SeqCst) + 1;
            for _ in 0..self.yields {
                tokio::task::yield_now().await;
            }
            if self.fails.load(Ordering::SeqCst) {
                return Err(Error::new(ErrorKind::Credentials, "wrong secret"));
            }
            let token = format!("token-{number}");
            Ok(FreshToken::new(token, self.good_for))
        }
    }

    fn cache(yields: u32) -> (TokenCache, Arc<Counting>, Arc<ManualTimer>) {
        cache_for(Duration::from_secs(1000), yields)
    }

    fn cache_for(good_for: Duration, yields: u32) -> (TokenCache, Arc<Counting>, Arc<ManualTimer>) {
        let source = Arc::new(Counting {
            yields,
            good_for,
            ..Counting::default()
        });
        let timer = Arc::new(ManualTimer::new());
        let cache = TokenCache::new(Arc::clone(&source), Arc::clone(&timer) as _);
        (cache, source, timer)
    }

    async fn all_at_once(cache: &TokenCache, callers: usize) -> Vec<Result<HeaderValue>> {
        futures_util::future::join_all((0..callers).map(|_| cache.header())).await
    }

    fn fetches(source: &Counting) -> u32 {
        source.fetches.load(Ordering::SeqCst)
    }

    #[tokio::test]
    async fn many_callers_make_one_fetch() {
        let (cache, source, _) = cache(10);
        for header in all_at_once(&cache, 64).await {
            assert_eq!(header.unwrap(), "Bearer token-1");
        }
        assert_eq!(fetches(&source), 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn many_threads_make_one_fetch() {
        for _ in 0..50 {
            let (cache, source, _) = cache(3);
            let callers = (0..16).map(|_| {
                let cache = cache.clone();
                tokio::spawn(async move { cache.header().await.unwrap() })
            });
            for caller in callers.collect::<Vec<_>>() {
                assert_eq!(caller.await.unwrap(), "Bearer token-1");
            }
            assert_eq!(fetches(&source), 1);
        }
    }

    #[tokio::test]
    async fn those_who_waited_share_the_failure() {
        let (cache, source, _) = cache(10);
        source.fails.store(true, Ordering::SeqCst);
        for header in all_at_once(&cache, 64).await {
            assert_eq!(header.unwrap_err().kind(), &ErrorKind::Credentials);
        }
        assert_eq!(fetches(&source), 1);

        source.fails.store(false, Ordering::SeqCst);
        assert_eq!(cache.header().await.unwrap(), "Bearer token-2");
    }

    #[tokio::test]
    async fn near_its_end_one_renews_while_the_others_go_on() {
        let (cache, source, timer) = cache(10);
        cache.header().await.unwrap();
        timer.advance(Duration::from_secs(939));
        assert_eq!(cache.header().await.unwrap(), "Bearer token-1");
        timer.advance(Duration::from_secs(1));
        let headers = all_at_once(&cache, 8).await;
        let renewed = headers
            .iter()
            .filter(|h| h.as_ref().unwrap() == "Bearer token-2");
        assert_eq!(renewed.count(), 1);
        assert_eq!(fetches(&source), 2);
    }

    #[tokio::test]
    async fn a_short_token_is_renewed_in_its_last_tenth() {
        let (cache, _, timer) = cache_for(Duration::from_secs(100), 0);
        cache.header().await.unwrap();
        timer.advance(Duration::from_secs(89));
        assert_eq!(cache.header().await.unwrap(), "Bearer token-1");
        timer.advance(Duration::from_secs(1));
        assert_eq!(cache.header().await.unwrap(), "Bearer token-2");
    }

    #[tokio::test]
    async fn a_failed_renewal_does_not_cost_a_good_token() {
        let (cache, source, timer) = cache(0);
        cache.header().await.unwrap();
        source.fails.store(true, Ordering::SeqCst);
        timer.advance(Duration::from_secs(999));
        assert_eq!(cache.header().await.unwrap(), "Bearer token-1");
        timer.advance(Duration::from_secs(1));
        assert!(cache.header().await.is_err());
    }

    #[tokio::test]
    async fn only_the_refused_token_is_dropped() {
        let (cache, source, _) = cache(0);
        let first = cache.header().await.unwrap();
        cache.invalidate(&first);
        assert_eq!(cache.header().await.unwrap(), "Bearer token-2");
        cache.invalidate(&first);
        assert_eq!(cache.header().await.unwrap(), "Bearer token-2");
        assert_eq!(fetches(&source), 2);
    }

    #[tokio::test]
    async fn a_caller_who_gives_up_leaves_the_fetch_to_the_next() {
        let (cache, source, _) = cache(10);
        assert!(cache.header().now_or_never().is_none());
        assert_eq!(cache.header().await.unwrap(), "Bearer token-2");
        assert_eq!(fetches(&source), 2);
    }

    #[tokio::test]
    async fn debug_shows_no_token() {
        let (cache, _, _) = cache(0);
        let header = cache.header().await.unwrap();
        assert!(!format!("{cache:?} {header:?}").contains("token-1"));
    }
}
