//! Every schedule of the retry budget, and many of the token cache: `COUNTERFOIL_SCHEDULES` says how
//! many for each test. What a failure prints replays its schedule.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use counterfoil::http::ManualTimer;
use counterfoil::{Error, ErrorKind, Secret};
use counterfoil_concurrency::http::{
    Budget, FreshToken, TokenCache, TokenSource, careless, header, invalidate,
};
use counterfoil_concurrency::sync::Mutex;
use shuttle::{future, thread};

/// How many schedules are tried of what has too many to try all.
fn schedules() -> usize {
    let tried = std::env::var("COUNTERFOIL_SCHEDULES");
    tried.map_or(5_000, |tried| tried.parse().unwrap())
}

/// Runs `work` in so many threads, and sums what they give.
fn sum(threads: usize, work: impl Fn() -> u32 + Send + Sync + 'static) -> u32 {
    let work = Arc::new(work);
    let threads = (0..threads).map(|_| {
        let work = Arc::clone(&work);
        thread::spawn(move || work())
    });
    let threads: Vec<_> = threads.collect();
    threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .sum()
}

/// A budget with `tenths` of a retry left.
fn budget(tenths: u32) -> Budget {
    let budget = Budget::full();
    while budget.spend() {}
    (0..tenths).for_each(|_| budget.earn());
    budget
}

#[test]
fn a_budget_gives_no_retry_twice_and_loses_none() {
    shuttle::check_dfs(
        || {
            let budget = Arc::new(budget(18));
            let shared = Arc::clone(&budget);
            let spent = sum(2, move || {
                shared.earn();
                u32::from(shared.spend())
            });
            // 18 tenths and two more are two retries, whoever comes first.
            let left = std::iter::repeat_with(|| budget.spend()).take_while(|spent| *spent);
            assert_eq!(spent + u32::try_from(left.count()).unwrap(), 2);
        },
        None,
    );
}

#[test]
fn a_budget_never_saves_more_than_the_most() {
    shuttle::check_dfs(
        || {
            let budget = Arc::new(Budget::full());
            assert!(budget.spend());
            (0..8).for_each(|_| budget.earn());
            let shared = Arc::clone(&budget);
            sum(2, move || {
                (0..2).for_each(|_| shared.earn());
                0
            });
            let left = std::iter::repeat_with(|| budget.spend()).take_while(|spent| *spent);
            assert_eq!(left.count(), 50);
        },
        None,
    );
}

/// Without this the tests above would prove nothing: a budget that looks in one step and takes in
/// another is found out.
#[test]
#[should_panic(expected = "spent twice")]
fn a_budget_that_looks_before_it_takes_is_found_out() {
    shuttle::check_dfs(
        || {
            let tenths = Arc::new(Mutex::new(10));
            let spent = sum(2, move || {
                let is_enough = *tenths.lock().unwrap() >= 10;
                if is_enough {
                    *tenths.lock().unwrap() -= 10;
                }
                u32::from(is_enough)
            });
            assert_eq!(spent, 1, "spent twice");
        },
        None,
    );
}

/// Gives `token-1`, `token-2` …, each good for 1000 s, while others have their turn; the first
/// `failures` fetches fail.
#[derive(Debug)]
struct Source {
    fetches: Arc<AtomicU32>,
    failures: u32,
}

#[async_trait]
impl TokenSource for Source {
    async fn fetch(&self) -> counterfoil::Result<FreshToken> {
        let number = self.fetches.fetch_add(1, Ordering::SeqCst) + 1;
        future::yield_now().await;
        if number <= self.failures {
            return Err(Error::new(ErrorKind::Unavailable, "not now"));
        }
        let token = Secret::new(format!("token-{number}"));
        Ok(FreshToken::new(token, Duration::from_secs(1000)))
    }
}

struct Shared {
    cache: TokenCache,
    fetches: Arc<AtomicU32>,
    timer: Arc<ManualTimer>,
}

impl Shared {
    fn new(failures: u32) -> Self {
        let fetches = Arc::new(AtomicU32::new(0));
        let timer = Arc::new(ManualTimer::new());
        let source = Source {
            fetches: Arc::clone(&fetches),
            failures,
        };
        Self {
            cache: TokenCache::new(source, Arc::clone(&timer) as _),
            fetches,
            timer,
        }
    }

    fn fetches(&self) -> u32 {
        self.fetches.load(Ordering::SeqCst)
    }

    /// Lets three callers run `work` at once.
    fn callers<T, F>(&self, work: impl Fn(TokenCache) -> F) -> Vec<T>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let callers = [(); 3].map(|()| future::spawn(work(self.cache.clone())));
        let all = callers.map(|caller| future::block_on(caller).unwrap());
        all.into()
    }
}

fn check(work: impl Fn() + Send + Sync + 'static) {
    shuttle::check_random(work, schedules());
}

#[test]
fn callers_who_come_at_once_make_one_fetch() {
    check(|| {
        let shared = Shared::new(0);
        let got = shared.callers(|cache| async move { header(&cache).await.unwrap() });
        assert!(got.iter().all(|header| header == "Bearer token-1"));
        assert_eq!(shared.fetches(), 1);
    });
}

#[derive(Debug)]
struct CarelessSource(Arc<AtomicU32>);

#[async_trait]
impl careless::TokenSource for CarelessSource {
    async fn fetch(&self) -> counterfoil::Result<careless::FreshToken> {
        self.0.fetch_add(1, Ordering::SeqCst);
        future::yield_now().await;
        let token = Secret::new("token");
        Ok(careless::FreshToken::new(token, Duration::from_secs(1000)))
    }
}

/// As for the budget: a cache whose callers do not look again once it is their turn is found out.
#[test]
#[should_panic(expected = "fetched more than once")]
fn a_cache_that_does_not_look_again_is_found_out() {
    check(|| {
        let fetches = Arc::new(AtomicU32::new(0));
        let source = CarelessSource(Arc::clone(&fetches));
        let cache = careless::TokenCache::new(source, Arc::new(ManualTimer::new()));
        let callers = [(); 2].map(|()| {
            let cache = cache.clone();
            future::spawn(async move { careless::header(&cache).await.unwrap() })
        });
        for caller in callers {
            future::block_on(caller).unwrap();
        }
        let fetches = fetches.load(Ordering::SeqCst);
        assert_eq!(fetches, 1, "fetched more than once");
    });
}

#[test]
fn a_failure_is_told_and_the_next_caller_fetches() {
    check(|| {
        let shared = Shared::new(1);
        let got = shared.callers(|cache| async move { header(&cache).await.is_ok() });
        // Who waited for the fetch that failed is told of it; who came after it fetches.
        assert!(got.contains(&false));
        assert!(shared.fetches() <= 2);
        let after = future::block_on(header(&shared.cache)).unwrap();
        assert_eq!(after, "Bearer token-2");
        assert_eq!(shared.fetches(), 2);
    });
}

#[test]
fn a_refused_token_is_replaced_once_and_never_given_again() {
    check(|| {
        let shared = Shared::new(0);
        let got = shared.callers(|cache| async move {
            let first = header(&cache).await.unwrap();
            invalidate(&cache, &first);
            (first, header(&cache).await.unwrap())
        });
        // A caller who came late got the second token first, and had that refused too.
        for (first, second) in &got {
            assert_ne!(first, second);
        }
        let refused: std::collections::BTreeSet<_> = got
            .iter()
            .map(|(first, _)| first.to_str().unwrap())
            .collect();
        assert_eq!(
            usize::try_from(shared.fetches()).unwrap(),
            refused.len() + 1
        );
    });
}

#[test]
fn near_its_end_a_token_is_renewed_by_one_caller_while_it_serves_the_others() {
    check(|| {
        let shared = Shared::new(0);
        future::block_on(header(&shared.cache)).unwrap();
        shared.timer.advance(Duration::from_secs(950));
        let got = shared.callers(|cache| async move { header(&cache).await.unwrap() });
        assert!(got.iter().any(|header| header == "Bearer token-2"));
        assert_eq!(shared.fetches(), 2);
    });
}

#[test]
fn a_caller_who_gives_up_holds_up_nobody() {
    check(|| {
        let shared = Shared::new(0);
        let gives_up = future::spawn({
            let cache = shared.cache.clone();
            async move { drop(header(&cache).await) }
        });
        let others = [(); 2].map(|()| {
            let cache = shared.cache.clone();
            future::spawn(async move { header(&cache).await.unwrap() })
        });
        gives_up.abort();
        let got = others.map(|other| future::block_on(other).unwrap());
        assert!(got[0] == got[1] && shared.fetches() <= 2);
    });
}
