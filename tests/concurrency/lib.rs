//! The retry budget and the token cache, word for word, over locks whose order shuttle chooses.

/// The locks of `std::sync` as shuttle makes them.
pub mod sync {
    pub use shuttle::sync::{Mutex, MutexGuard};
    pub use std::sync::{Arc, PoisonError};
}

// What the two files find around them in the library.
mod error {
    pub use counterfoil::{Error, ErrorKind, Result};
}
mod secret {
    pub use counterfoil::Secret;
}

/// The two files with what they stand on, and a door to what they hold for their neighbours only.
pub mod http {
    #[allow(clippy::all)]
    mod sensitive {
        include!(concat!(env!("OUT_DIR"), "/sensitive.rs"));
    }
    mod timer {
        pub use counterfoil::http::Timer;
    }
    #[allow(clippy::all)]
    mod retry_budget {
        include!(concat!(env!("OUT_DIR"), "/retry_budget.rs"));
    }
    #[allow(clippy::all)]
    mod token {
        include!(concat!(env!("OUT_DIR"), "/token.rs"));
    }
    /// The token cache, but that a caller does not look again once it is its turn to fetch.
    #[allow(clippy::all, unused)]
    pub mod careless {
        const NOTHING_MEANWHILE: Option<Result<HeaderValue>> = None;
        include!(concat!(env!("OUT_DIR"), "/careless_token.rs"));

        /// The header with a token that is good now.
        pub async fn header(cache: &TokenCache) -> Result<HeaderValue> {
            cache.header().await
        }
    }
    pub use token::{FreshToken, TokenCache, TokenSource};

    /// A retry budget.
    pub struct Budget(retry_budget::RetryBudget);

    impl Budget {
        pub fn full() -> Self {
            Self(retry_budget::RetryBudget::full())
        }

        pub fn earn(&self) {
            self.0.earn();
        }

        pub fn spend(&self) -> bool {
            self.0.spend()
        }
    }

    /// The header with a token that is good now.
    pub async fn header(cache: &TokenCache) -> counterfoil::Result<http::HeaderValue> {
        cache.header().await
    }

    /// Drops a token that the provider refused.
    pub fn invalidate(cache: &TokenCache, refused: &http::HeaderValue) {
        cache.invalidate(refused);
    }
}
