//! Sends requests to one provider: authenticated, retried as far as it is safe, and traced.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use tracing::Instrument;
use tracing::field::Empty;

use super::authorization::{Authorization, Kind};
use super::base_url::BaseUrl;
use super::request::{ApiRequest, Safety};
use super::response::{ApiResponse, retry_after};
use super::retry::{Decision, Outcome, RetryAdviser, RetryHint, RetryPolicy, decide};
use super::retry_budget::RetryBudget;
use super::timer::Timer;
use super::transport::{Delivered, Transport, TransportError};
use crate::capability::Operation;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::id::ProviderName;
use crate::mode::Mode;
use crate::telemetry::{HTTP_ATTEMPT, HTTP_NO_ANSWER, TARGET};

/// Sends requests to one provider: authenticated, retried as far as it is safe, and traced.
///
/// Clones share the connections, the token and the retry budget. Retries cost at most a tenth of
/// the requests, beyond 50 that are saved up.
#[derive(Clone)]
pub struct ApiClient {
    provider: ProviderName,
    base: Arc<str>,
    authorization: Authorization,
    transport: Arc<dyn Transport>,
    timer: Arc<dyn Timer>,
    headers: HeaderMap,
    request_id_header: Option<HeaderName>,
    policy: RetryPolicy,
    adviser: RetryAdviser,
    budget: Arc<RetryBudget>,
    jitter: Arc<Mutex<fastrand::Rng>>,
}

impl ApiClient {
    /// A client for the provider at `base`.
    #[must_use]
    pub fn new<M: Mode>(
        provider: ProviderName,
        base: &BaseUrl<M>,
        authorization: Authorization,
        transport: Arc<dyn Transport>,
        timer: Arc<dyn Timer>,
    ) -> Self {
        let agent = HeaderValue::from_static(concat!("counterfoil/", env!("CARGO_PKG_VERSION")));
        let json = HeaderValue::from_static("application/json");
        Self {
            provider,
            base: base.as_str().into(),
            authorization,
            transport,
            timer,
            headers: HeaderMap::from_iter([(USER_AGENT, agent), (ACCEPT, json)]),
            request_id_header: None,
            policy: RetryPolicy::default(),
            adviser: |_| RetryHint::None,
            budget: Arc::new(RetryBudget::full()),
            jitter: Arc::new(Mutex::new(fastrand::Rng::new())),
        }
    }

    /// Sends this header with every request, such as the pinned version of the API.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        self.headers.insert(name, value);
        self
    }

    /// Names the header in which the provider gives its id of a request.
    #[must_use]
    pub fn with_request_id_header(mut self, name: HeaderName) -> Self {
        self.request_id_header = Some(name);
        self
    }

    /// Sets how often and how long a request is sent again.
    #[must_use]
    pub fn with_retry_policy(mut self, policy: RetryPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Reads the provider's own hint about sending again from its answers.
    #[must_use]
    pub fn with_retry_adviser(mut self, adviser: RetryAdviser) -> Self {
        self.adviser = adviser;
        self
    }

    /// Draws the jitter of waits from this seed, so that a run can be replayed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.jitter = Arc::new(Mutex::new(fastrand::Rng::with_seed(seed)));
        self
    }

    /// Where requests go.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base
    }

    /// How often and how long a request is sent again.
    #[must_use]
    pub const fn retry_policy(&self) -> &RetryPolicy {
        &self.policy
    }

    /// Sends a request until it is answered or may not be sent again.
    ///
    /// # Errors
    /// Any status is an answer. [`ErrorKind::InvalidRequest`] if the request cannot be sent as it
    /// is; [`ErrorKind::Unavailable`] if no answer came and [`ErrorKind::UnexpectedResponse`] if it
    /// was too large, with [`Effect::Unknown`] for a write that may have been processed; what
    /// fetching a token gave.
    pub async fn send(&self, request: ApiRequest) -> Result<ApiResponse> {
        let operation = request.operation;
        let sent = self.send_until_answered(request).await;
        sent.map_err(|error| error.in_operation(&self.provider, operation))
    }

    async fn send_until_answered(&self, request: ApiRequest) -> Result<ApiResponse> {
        let safety = request.safety;
        let prepared = self.prepare(request)?;
        let started = self.timer.elapsed();
        let mut in_doubt = false;
        let mut attempt = 1;
        self.budget.earn();
        loop {
            let answer = match self.attempt(&prepared, attempt).await {
                Ok(answer) => answer,
                Err(no_token) => return Err(no_token.with_effect(effect_if(in_doubt))),
            };
            let outcome = self.outcome(&answer);
            let leaves_doubt = safety != Safety::Read && outcome.leaves_doubt();
            let elapsed = self.timer.elapsed().saturating_sub(started);
            match decide(&self.policy, attempt, elapsed, safety, outcome, self.draw()) {
                Decision::RetryAfter(wait) if self.budget.spend() => {
                    self.timer.sleep(wait).await;
                    in_doubt |= leaves_doubt;
                    attempt += 1;
                }
                _ => {
                    let response = answer.map_err(|e| unanswered(e, in_doubt || leaves_doubt))?;
                    let (parts, body) = response.into_parts();
                    return Ok(ApiResponse {
                        status: parts.status,
                        headers: parts.headers,
                        body,
                        safety,
                        attempts: attempt,
                        in_doubt,
                        request_id_header: self.request_id_header.clone(),
                    });
                }
            }
        }
    }

    /// What is the same in all attempts.
    fn prepare(&self, request: ApiRequest) -> Result<Prepared> {
        request.check()?;
        let url = format!("{}{}", self.base, request.path);
        let uri = Uri::try_from(url).map_err(|_| {
            let message = "the request's address is too long";
            Error::new(ErrorKind::InvalidRequest, message)
        })?;
        let mut headers = self.headers.clone();
        headers.extend(request.headers);
        let mut prepared = http::Request::new(request.body);
        *prepared.method_mut() = request.method;
        *prepared.uri_mut() = uri;
        *prepared.headers_mut() = headers;
        Ok(Prepared {
            request: prepared,
            operation: request.operation,
            safety: request.safety,
        })
    }

    /// Sends it once; if its token is refused, once more with a new one, since a request that was
    /// not let in was not processed. A write without a key is not sent again even then.
    async fn attempt(&self, prepared: &Prepared, attempt: u32) -> Result<Answer> {
        let cache = match &self.authorization.0 {
            Kind::Fixed(name, value) => {
                return Ok(self.exchange(prepared, name, value, attempt).await);
            }
            Kind::Token(cache) => cache,
        };
        let token = cache.header().await?;
        let answer = self
            .exchange(prepared, &AUTHORIZATION, &token, attempt)
            .await;
        let is_refused = |response: &http::Response<Bytes>| response.status() == 401;
        if !answer.as_ref().is_ok_and(is_refused) {
            return Ok(answer);
        }
        cache.invalidate(&token);
        if prepared.safety == Safety::UnkeyedWrite {
            return Ok(answer);
        }
        let token = cache.header().await?;
        Ok(self
            .exchange(prepared, &AUTHORIZATION, &token, attempt)
            .await)
    }

    /// One request and its answer, in a span that holds nothing of either but status and id.
    async fn exchange(
        &self,
        prepared: &Prepared,
        name: &HeaderName,
        credentials: &HeaderValue,
        attempt: u32,
    ) -> Answer {
        let span = tracing::info_span!(
            target: TARGET,
            HTTP_ATTEMPT,
            provider = self.provider.as_str(),
            operation = prepared.operation.name(),
            attempt,
            status = Empty,
            request_id = Empty,
            duration_ms = Empty,
        );
        let mut request = prepared.request.clone();
        request.headers_mut().insert(name, credentials.clone());
        let started = self.timer.elapsed();
        let answer = self.transport.send(request).instrument(span.clone()).await;
        let duration = self.timer.elapsed().saturating_sub(started);
        span.record(
            "duration_ms",
            u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        );
        let _entered = span.enter();
        match &answer {
            Ok(response) => {
                span.record("status", response.status().as_u16());
                if let Some(id) = self.request_id(response.headers()) {
                    span.record("request_id", id);
                }
            }
            Err(error) => tracing::warn!(
                name: HTTP_NO_ANSWER,
                target: TARGET,
                provider = self.provider.as_str(),
                operation = prepared.operation.name(),
                delivered = %error.delivered,
                "no answer"
            ),
        }
        answer
    }

    fn outcome(&self, answer: &Answer) -> Outcome {
        match answer {
            Ok(response) => Outcome::Answered {
                status: response.status(),
                after: retry_after(response.headers()),
                hint: (self.adviser)(response),
            },
            Err(error) => Outcome::NoAnswer(error.delivered),
        }
    }

    fn request_id<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        let name = self.request_id_header.as_ref()?;
        headers.get(name)?.to_str().ok()
    }

    fn draw(&self) -> u16 {
        let mut jitter = self.jitter.lock().unwrap_or_else(PoisonError::into_inner);
        jitter.u16(..)
    }
}

type Answer = std::result::Result<http::Response<Bytes>, TransportError>;

struct Prepared {
    request: http::Request<Bytes>,
    operation: Operation,
    safety: Safety,
}

impl fmt::Debug for ApiClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiClient")
            .field("provider", &self.provider)
            .field("base", &self.base)
            .field("authorization", &self.authorization)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

fn unanswered(error: TransportError, in_doubt: bool) -> Error {
    let (kind, message) = match error.delivered {
        Delivered::No => (ErrorKind::Unavailable, "the provider could not be reached"),
        Delivered::Perhaps => (ErrorKind::Unavailable, "the provider did not answer"),
        Delivered::Answered => (
            ErrorKind::UnexpectedResponse,
            "the answer is larger than any of the provider's should be",
        ),
    };
    let effect = effect_if(in_doubt);
    Error::new(kind, message)
        .with_effect(effect)
        .with_source(error)
}

fn effect_if(in_doubt: bool) -> Effect {
    if in_doubt {
        Effect::Unknown
    } else {
        Effect::NotApplied
    }
}
