//! How a provider here sends its requests, and what a test puts in place of the network, the time
//! and chance.

#![cfg(any(feature = "adyen", feature = "paypal", feature = "stripe"))]

use std::sync::Arc;

use crate::clock::{Clock, SystemClock};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{
    ApiClient, Authorization, BaseUrl, ReqwestTransport, RetryPolicy, Timer, TokioTimer, Transport,
    TransportOptions,
};
use crate::id::ProviderName;
use crate::mode::{Mode, ModeKind, Test};

/// What a configuration says about sending requests.
#[derive(Clone)]
pub(super) struct Wiring {
    pub(super) retry_policy: RetryPolicy,
    pub(super) transport_options: TransportOptions,
    pub(super) transport: Option<Arc<dyn Transport>>,
    pub(super) timer: Arc<dyn Timer>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) seed: Option<u64>,
}

impl Wiring {
    pub(super) fn new(transport_options: TransportOptions) -> Self {
        Self {
            retry_policy: RetryPolicy::default(),
            transport_options,
            transport: None,
            timer: Arc::new(TokioTimer::new()),
            clock: Arc::new(SystemClock),
            seed: None,
        }
    }

    /// The transport that was given, or the network.
    pub(super) fn transport<M: Mode>(&self, url: &str) -> Result<Arc<dyn Transport>> {
        self.transport_with::<M>(url, &self.transport_options)
    }

    /// As [`transport`](Self::transport), with limits of its own.
    pub(super) fn transport_with<M: Mode>(
        &self,
        url: &str,
        options: &TransportOptions,
    ) -> Result<Arc<dyn Transport>> {
        Ok(match &self.transport {
            Some(transport) => Arc::clone(transport),
            None if is_plain::<M>(url) => Arc::new(ReqwestTransport::loopback(options)?),
            None => Arc::new(ReqwestTransport::new(options)?),
        })
    }

    /// A client for the API at `url`.
    pub(super) fn client<M: Mode>(
        &self,
        name: &ProviderName,
        url: &str,
        authorization: Authorization,
        transport: Arc<dyn Transport>,
    ) -> Result<ApiClient> {
        let (name, timer) = (name.clone(), Arc::clone(&self.timer));
        let client = if is_plain::<M>(url) {
            let base = BaseUrl::loopback(url)?;
            ApiClient::new(name, &base, authorization, transport, timer)
        } else {
            let base = BaseUrl::<M>::https(url)?;
            ApiClient::new(name, &base, authorization, transport, timer)
        };
        let client = client.with_retry_policy(self.retry_policy);
        Ok(match self.seed {
            Some(seed) => client.with_seed(seed),
            None => client,
        })
    }
}

/// Only in test mode is anything sent in the clear, and then only to this machine.
fn is_plain<M: Mode>(url: &str) -> bool {
    M::KIND == ModeKind::Test && url.starts_with("http://")
}

/// An address that takes the place of the provider's own in test mode. One at which the provider
/// moves real money, so a host that ends as one of `live_hosts`, never does.
pub(super) fn base_url(url: &str, live_hosts: &[&str]) -> Result<BaseUrl<Test>> {
    let base = match is_plain::<Test>(url) {
        true => BaseUrl::loopback(url)?,
        false => BaseUrl::https(url)?,
    };
    let host = base.host().trim_end_matches('.').to_ascii_lowercase();
    if live_hosts.iter().any(|live| host.ends_with(live)) {
        let message = "the base URL is the provider's live one: make a live configuration for it";
        return Err(Error::new(ErrorKind::Settings, message));
    }
    Ok(base)
}

/// Writes what every configuration lets a host set about its `wiring`.
macro_rules! impl_wiring {
    ($config:ident) => {
        impl<M: Mode> $config<M> {
            /// Sets how often and how long a request is sent again.
            #[must_use]
            pub fn with_retry_policy(mut self, policy: crate::http::RetryPolicy) -> Self {
                self.wiring.retry_policy = policy;
                self
            }

            /// Sets how connections are made, with timeouts and perhaps a proxy, and how long an
            /// answer may be.
            #[must_use]
            pub fn with_transport_options(
                mut self,
                options: crate::http::TransportOptions,
            ) -> Self {
                self.wiring.transport_options = options;
                self
            }
        }

        impl $config<Test> {
            /// Sends requests through `transport`, such as a simulator in this process or a
            /// recorder.
            #[must_use]
            pub fn with_transport(
                mut self,
                transport: std::sync::Arc<dyn crate::http::Transport>,
            ) -> Self {
                self.wiring.transport = Some(transport);
                self
            }

            /// Waits by `timer`.
            #[must_use]
            pub fn with_timer(mut self, timer: std::sync::Arc<dyn crate::http::Timer>) -> Self {
                self.wiring.timer = timer;
                self
            }

            /// Tells the time by `clock`.
            #[must_use]
            pub fn with_clock(mut self, clock: std::sync::Arc<dyn crate::clock::Clock>) -> Self {
                self.wiring.clock = clock;
                self
            }

            /// Draws the jitter of waits from `seed`.
            #[must_use]
            pub fn with_seed(mut self, seed: u64) -> Self {
                self.wiring.seed = Some(seed);
                self
            }
        }
    };
}

pub(super) use impl_wiring;
