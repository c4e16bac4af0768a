//! HTTP as money needs it: sent once unless it may be sent again, and never in the clear.
//!
//! A provider builds an [`ApiRequest`] and gives it to its [`ApiClient`], which authenticates it,
//! sends it over a [`Transport`], waits by a [`Timer`] and sends it again as far as [`decide`]
//! lets it. Every status comes back as an [`ApiResponse`]; an error means that no answer came.

mod authorization;
mod base_url;
mod client;
mod request;
#[cfg(feature = "http-client")]
mod reqwest;
mod response;
mod retry;
mod retry_budget;
mod sensitive;
mod timer;
mod token;
mod transport;

#[cfg(feature = "paypal")]
pub(crate) use self::reqwest::crypto;
#[cfg(feature = "http-client")]
pub use self::reqwest::{ReqwestTransport, TransportOptions};
pub use authorization::Authorization;
pub use base_url::BaseUrl;
pub(crate) use base_url::is_loopback;
pub use client::ApiClient;
pub use request::{ApiRequest, Safety};
pub use response::ApiResponse;
pub use retry::{Decision, Outcome, RetryAdviser, RetryHint, RetryPolicy, decide};
#[cfg(feature = "http-client")]
pub use timer::TokioTimer;
pub use timer::{ManualTimer, Timer};
pub use token::{FreshToken, TokenCache, TokenSource};
pub use transport::{Delivered, Transport, TransportError};
