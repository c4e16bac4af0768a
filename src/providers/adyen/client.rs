//! One function per kind of request: what goes over the wire, and whether it came back well.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::Value;

use super::config::AdyenConfig;
use super::convert::unexpected;
use super::error::error_of;
use crate::capability::Operation;
use crate::clock::{Clock, Timestamp};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{ApiClient, ApiRequest, ApiResponse, Authorization, RetryHint};
use crate::id::IdempotencyKey;
use crate::mode::Mode;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const PSP_REFERENCE: HeaderName = HeaderName::from_static("pspreference");
const TRANSIENT_ERROR: HeaderName = HeaderName::from_static("transient-error");

/// Adyen's Checkout and Management APIs, for one merchant account in mode `M`.
#[derive(Debug, Clone)]
pub(super) struct Client<M: Mode> {
    checkout: ApiClient,
    management: ApiClient,
    pub(super) merchant_account: Box<str>,
    clock: Arc<dyn Clock>,
    mode: PhantomData<M>,
}

impl<M: Mode> Client<M> {
    pub(super) fn new(config: &AdyenConfig<M>) -> Result<Self> {
        let transport = config.wiring.transport::<M>(&config.hosts.checkout)?;
        let api = |url: &str| -> Result<ApiClient> {
            let authorization = Authorization::header(API_KEY, &config.api_key)?;
            let transport = Arc::clone(&transport);
            let wiring = &config.wiring;
            let api = wiring.client::<M>(&config.name, url, authorization, transport)?;
            Ok(api
                .with_request_id_header(PSP_REFERENCE)
                .with_retry_adviser(retry_hint))
        };
        Ok(Self {
            checkout: api(&config.hosts.checkout)?,
            management: api(&config.hosts.management)?,
            merchant_account: config.merchant_account.clone(),
            clock: Arc::clone(&config.wiring.clock),
            mode: PhantomData,
        })
    }

    /// When Adyen answered, by its own clock.
    pub(super) fn time_of(&self, answer: &ApiResponse) -> Timestamp {
        answer.date().unwrap_or_else(|| self.clock.now())
    }

    pub(super) fn base_url(&self) -> &str {
        self.checkout.base_url()
    }

    pub(super) fn retries_end_after(&self) -> Duration {
        self.checkout.retry_policy().total_max
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Writes to the Checkout API, once for each key.
    pub(super) async fn post(
        &self,
        operation: Operation,
        path: &[&str],
        body: &Value,
        key: &IdempotencyKey,
    ) -> Result<ApiResponse> {
        let request = ApiRequest::post(operation, path)
            .json(body.to_string())
            .keyed(IDEMPOTENCY_KEY, key);
        self.send(&self.checkout, request).await
    }

    /// Changes a thing of the Checkout API to what twice is the same as once.
    pub(super) async fn patch(
        &self,
        operation: Operation,
        path: &[&str],
        body: &Value,
    ) -> Result<ApiResponse> {
        let request = ApiRequest::patch(operation, path).json(body.to_string());
        self.send(&self.checkout, request).await
    }

    pub(super) async fn get(&self, request: ApiRequest) -> Result<ApiResponse> {
        self.send(&self.checkout, request).await
    }

    /// Asks the Management API.
    pub(super) async fn manage(&self, request: ApiRequest) -> Result<ApiResponse> {
        self.send(&self.management, request).await
    }

    /// Reads an answer and turns it into a value. What is wrong with it is told with its request id
    /// and with whether the request took effect.
    pub(super) fn read<'r, T: Deserialize<'r>, V>(
        &self,
        response: &'r ApiResponse,
        convert: impl FnOnce(T) -> Result<V>,
    ) -> Result<V> {
        convert(response.json()?).map_err(|error| told_with(error, response))
    }

    /// Refuses an answer about another merchant account than was asked about.
    pub(super) fn check_account(&self, answered: &str) -> Result<()> {
        if answered == &*self.merchant_account {
            return Ok(());
        }
        Err(unexpected("Adyen answered for another merchant account"))
    }

    async fn send(&self, api: &ApiClient, request: ApiRequest) -> Result<ApiResponse> {
        let response = api.send(request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(error_of(&response, M::KIND))
    }
}

fn told_with(error: Error, response: &ApiResponse) -> Error {
    // A refusal that was read from the answer knows its effect itself.
    let error = match error.kind() {
        ErrorKind::UnexpectedResponse | ErrorKind::WrongMode => {
            error.with_effect(response.effect())
        }
        _ => error,
    };
    match response.request_id() {
        Some(request_id) => error.with_request_id(request_id),
        None => error,
    }
}

/// Adyen marks what may be sent again, under the same key; its other refusals stand.
fn retry_hint(response: &http::Response<bytes::Bytes>) -> RetryHint {
    let header = response.headers().get(TRANSIENT_ERROR);
    match header.map(HeaderValue::as_bytes) {
        Some(b"true") => RetryHint::Retry,
        Some(b"false") => RetryHint::Stop,
        _ => RetryHint::None,
    }
}
