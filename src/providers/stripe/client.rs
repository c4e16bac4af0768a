//! One function per endpoint: what goes over the wire, and whether it came back well.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use serde::Deserialize;

use super::config::StripeConfig;
use super::convert::Reader;
use super::error::error_of;
use crate::capability::Operation;
use crate::clock::{Clock, Timestamp};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{ApiClient, ApiRequest, ApiResponse, Authorization, BaseUrl, RetryHint};
use crate::id::{IdempotencyKey, ProviderName};
use crate::mode::Mode;
use crate::request::{Cursor, Period};

/// The version of the API that requests and answers are written for.
pub(super) const API_VERSION: &str = "2026-08-26.dahlia";

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const SHOULD_RETRY: HeaderName = HeaderName::from_static("stripe-should-retry");
const STRIPE_ACCOUNT: HeaderName = HeaderName::from_static("stripe-account");
const STRIPE_VERSION: HeaderName = HeaderName::from_static("stripe-version");

/// The most objects that Stripe puts on one page.
const PAGE: &str = "100";

/// A form's fields, in the order in which they are sent.
pub(super) type Form = Vec<(String, String)>;

/// Stripe's endpoints, for one account in mode `M`.
#[derive(Debug, Clone)]
pub(super) struct Client<M: Mode> {
    api: ApiClient,
    name: ProviderName,
    clock: Arc<dyn Clock>,
    mode: PhantomData<M>,
}

impl<M: Mode> Client<M> {
    pub(super) fn new(config: &StripeConfig<M>) -> Result<Self> {
        let authorization = Authorization::bearer(&config.secret_key)?;
        let (name, wiring) = (&config.name, &config.wiring);
        let own = config.base_url.as_ref();
        let url = own.map_or("https://api.stripe.com", BaseUrl::as_str);
        let transport = wiring.transport::<M>(url)?;
        let mut api = wiring
            .client::<M>(name, url, authorization, transport)?
            .with_header(STRIPE_VERSION, HeaderValue::from_static(API_VERSION))
            .with_request_id_header(REQUEST_ID)
            .with_retry_adviser(retry_hint);
        if let Some(account) = &config.account {
            let account = HeaderValue::from_str(account).map_err(|_| {
                Error::new(
                    ErrorKind::Settings,
                    "the account id cannot be sent in a header",
                )
            })?;
            api = api.with_header(STRIPE_ACCOUNT, account);
        }
        Ok(Self {
            api,
            name: name.clone(),
            clock: Arc::clone(&config.wiring.clock),
            mode: PhantomData,
        })
    }

    pub(super) fn base_url(&self) -> &str {
        self.api.base_url()
    }

    pub(super) fn retries_end_after(&self) -> Duration {
        self.api.retry_policy().total_max
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) async fn create_session(
        &self,
        form: Form,
        key: &IdempotencyKey,
    ) -> Result<ApiResponse> {
        let path = ["v1", "checkout", "sessions"];
        self.send(post(Operation::CreateHosted, &path, form, key))
            .await
    }

    pub(super) async fn session(&self, operation: Operation, id: &str) -> Result<ApiResponse> {
        let request = ApiRequest::get(operation, &["v1", "checkout", "sessions", id]);
        self.send(request.query(
            "expand[]",
            "payment_intent.latest_charge.balance_transaction",
        ))
        .await
    }

    /// The sessions made since `from`, newest first.
    pub(super) async fn sessions(
        &self,
        operation: Operation,
        from: Timestamp,
        after: Option<&Cursor>,
    ) -> Result<ApiResponse> {
        let request = ApiRequest::get(operation, &["v1", "checkout", "sessions"]);
        self.send(page(within(request, &Period::since(from)), after))
            .await
    }

    /// The session that made an intent, if one did: a list of at most one.
    pub(super) async fn sessions_of_intent(
        &self,
        operation: Operation,
        intent: &str,
    ) -> Result<ApiResponse> {
        let request = ApiRequest::get(operation, &["v1", "checkout", "sessions"]);
        self.send(request.query("payment_intent", intent)).await
    }

    pub(super) async fn expire_session(
        &self,
        id: &str,
        key: &IdempotencyKey,
    ) -> Result<ApiResponse> {
        let path = ["v1", "checkout", "sessions", id, "expire"];
        let form = vec![pair("expand[]", "payment_intent.latest_charge")];
        self.send(post(Operation::Void, &path, form, key)).await
    }

    pub(super) async fn create_intent(
        &self,
        mut form: Form,
        key: &IdempotencyKey,
    ) -> Result<ApiResponse> {
        form.push(pair("expand[]", "latest_charge.balance_transaction"));
        let path = ["v1", "payment_intents"];
        self.send(post(Operation::CreateDirect, &path, form, key))
            .await
    }

    pub(super) async fn intent(&self, operation: Operation, id: &str) -> Result<ApiResponse> {
        let request = ApiRequest::get(operation, &["v1", "payment_intents", id]);
        self.send(request.query("expand[]", "latest_charge.balance_transaction"))
            .await
    }

    /// The intents made in a period, newest first.
    pub(super) async fn intents(
        &self,
        operation: Operation,
        period: &Period,
        after: Option<&Cursor>,
    ) -> Result<ApiResponse> {
        let request = ApiRequest::get(operation, &["v1", "payment_intents"])
            .query("expand[]", "data.latest_charge.balance_transaction");
        self.send(page(within(request, period), after)).await
    }

    /// The intents that a search finds. It lags behind by about a minute.
    pub(super) async fn search_intents(
        &self,
        query: &str,
        next_page: Option<&str>,
    ) -> Result<ApiResponse> {
        let path = ["v1", "payment_intents", "search"];
        let mut request = ApiRequest::get(Operation::FindPayments, &path)
            .query("query", query)
            .query("limit", PAGE)
            .query("expand[]", "data.latest_charge.balance_transaction");
        if let Some(next_page) = next_page {
            request = request.query("page", next_page);
        }
        self.send(request).await
    }

    pub(super) async fn capture_intent(
        &self,
        id: &str,
        mut form: Form,
        key: &IdempotencyKey,
    ) -> Result<ApiResponse> {
        form.push(pair("expand[]", "latest_charge.balance_transaction"));
        let path = ["v1", "payment_intents", id, "capture"];
        self.send(post(Operation::Capture, &path, form, key)).await
    }

    pub(super) async fn cancel_intent(
        &self,
        id: &str,
        key: &IdempotencyKey,
    ) -> Result<ApiResponse> {
        let path = ["v1", "payment_intents", id, "cancel"];
        let form = vec![pair("expand[]", "latest_charge")];
        self.send(post(Operation::Void, &path, form, key)).await
    }

    pub(super) async fn charge(&self, operation: Operation, id: &str) -> Result<ApiResponse> {
        let request = ApiRequest::get(operation, &["v1", "charges", id]);
        self.send(request.query("expand[]", "balance_transaction"))
            .await
    }

    pub(super) async fn create_refund(
        &self,
        mut form: Form,
        key: &IdempotencyKey,
    ) -> Result<ApiResponse> {
        form.push(pair("expand[]", "charge"));
        self.send(post(Operation::Refund, &["v1", "refunds"], form, key))
            .await
    }

    pub(super) async fn refund(&self, id: &str) -> Result<ApiResponse> {
        let request = ApiRequest::get(Operation::FetchRefund, &["v1", "refunds", id]);
        self.send(request.query("expand[]", "charge")).await
    }

    /// The refunds of a payment; `by` is `payment_intent` or `charge`.
    pub(super) async fn refunds(
        &self,
        operation: Operation,
        by: &str,
        id: &str,
        after: Option<&Cursor>,
    ) -> Result<ApiResponse> {
        let request = ApiRequest::get(operation, &["v1", "refunds"])
            .query(by, id)
            .query("expand[]", "data.charge");
        self.send(page(request, after)).await
    }

    pub(super) async fn disputes(
        &self,
        period: &Period,
        after: Option<&Cursor>,
    ) -> Result<ApiResponse> {
        let request = ApiRequest::get(Operation::ListDisputes, &["v1", "disputes"]);
        self.send(page(within(request, period), after)).await
    }

    pub(super) async fn payouts(
        &self,
        period: &Period,
        after: Option<&Cursor>,
    ) -> Result<ApiResponse> {
        let request = ApiRequest::get(Operation::ListPayouts, &["v1", "payouts"]);
        self.send(page(within(request, period), after)).await
    }

    pub(super) async fn payout(&self, operation: Operation, id: &str) -> Result<ApiResponse> {
        self.send(ApiRequest::get(operation, &["v1", "payouts", id]))
            .await
    }

    /// The balance transactions that a payout is made of, and its own.
    pub(super) async fn payout_transactions(
        &self,
        payout: &str,
        after: Option<&Cursor>,
    ) -> Result<ApiResponse> {
        let request = ApiRequest::get(Operation::ListPayoutLines, &["v1", "balance_transactions"])
            .query("payout", payout)
            .query("expand[]", "data.source");
        self.send(page(request, after)).await
    }

    pub(super) async fn account(&self) -> Result<ApiResponse> {
        self.send(ApiRequest::get(Operation::Account, &["v1", "account"]))
            .await
    }

    pub(super) async fn webhook_endpoints(&self) -> Result<ApiResponse> {
        let request = ApiRequest::get(Operation::Account, &["v1", "webhook_endpoints"]);
        self.send(page(request, None)).await
    }

    pub(super) async fn balance(&self) -> Result<ApiResponse> {
        self.send(ApiRequest::get(Operation::Account, &["v1", "balance"]))
            .await
    }

    /// Reads an answer and turns it into a value. What is wrong with it is told with its request id
    /// and with whether the request took effect.
    pub(super) fn read<'r, T: Deserialize<'r>, V>(
        &'r self,
        response: &'r ApiResponse,
        convert: impl FnOnce(Reader<'r, M>, T) -> Result<V>,
    ) -> Result<V> {
        let body = response.json()?;
        convert(self.reader(response), body).map_err(|error| {
            let error = error.with_effect(response.effect());
            match response.request_id() {
                Some(request_id) => error.with_request_id(request_id),
                None => error,
            }
        })
    }

    fn reader<'r>(&'r self, response: &ApiResponse) -> Reader<'r, M> {
        Reader::new(&self.name, response.date().unwrap_or_else(|| self.now()))
    }

    async fn send(&self, request: ApiRequest) -> Result<ApiResponse> {
        let response = self.api.send(request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(error_of(&response, self.reader(&response)))
    }
}

/// Whether Stripe kept the answer from the first time that the key was sent.
pub(super) fn is_replayed(response: &ApiResponse) -> bool {
    response.header(&IDEMPOTENT_REPLAYED) == Some("true")
}

/// Where the list that was read behind `after` goes on: behind the last of the objects that Stripe
/// sent.
pub(super) fn next_of(
    last_id: Option<&str>,
    has_more: bool,
    after: Option<&Cursor>,
) -> Result<Option<Cursor>> {
    match last_id {
        _ if !has_more => Ok(None),
        Some(id) if after.is_none_or(|after| *after.0 != *id) => Ok(Some(Cursor(id.into()))),
        _ => {
            let message = "a list says that it goes on, and has nothing new to go on from";
            Err(Error::new(ErrorKind::UnexpectedResponse, message))
        }
    }
}

pub(super) fn pair(name: impl Into<String>, value: impl Into<String>) -> (String, String) {
    (name.into(), value.into())
}

fn post(operation: Operation, path: &[&str], form: Form, key: &IdempotencyKey) -> ApiRequest {
    ApiRequest::post(operation, path)
        .form(form)
        .keyed(IDEMPOTENCY_KEY, key)
}

fn within(mut request: ApiRequest, period: &Period) -> ApiRequest {
    if let Some(from) = period.from {
        request = request.query("created[gte]", &from.unix().to_string());
    }
    if let Some(to) = period.to {
        request = request.query("created[lte]", &to.unix().to_string());
    }
    request
}

fn page(mut request: ApiRequest, after: Option<&Cursor>) -> ApiRequest {
    request = request.query("limit", PAGE);
    if let Some(Cursor(after)) = after {
        request = request.query("starting_after", after);
    }
    request
}

/// Stripe's own word comes first. A stored failure that is replayed will only be replayed again.
fn retry_hint(response: &http::Response<Bytes>) -> RetryHint {
    let header = |name| response.headers().get(name).map(HeaderValue::as_bytes);
    match header(SHOULD_RETRY) {
        Some(b"true") => RetryHint::Retry,
        Some(b"false") => RetryHint::Stop,
        _ if header(IDEMPOTENT_REPLAYED) == Some(b"true") => RetryHint::Stop,
        _ => RetryHint::None,
    }
}
