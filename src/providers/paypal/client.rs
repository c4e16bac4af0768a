//! One function per endpoint: what goes over the wire, and whether it came back well.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::config::PayPalConfig;
use super::convert::Reader;
use super::error::error_of;
use super::token::ClientCredentials;
use crate::capability::Operation;
use crate::clock::{Clock, Timestamp};
use crate::error::{Error, Result};
use crate::http::{ApiClient, ApiRequest, ApiResponse, Authorization, TokenCache};
use crate::id::{IdempotencyKey, ProviderName};
use crate::mode::Mode;

const DEBUG_ID: HeaderName = HeaderName::from_static("paypal-debug-id");
const PREFER: HeaderName = HeaderName::from_static("prefer");
const REQUEST_ID: HeaderName = HeaderName::from_static("paypal-request-id");

/// The most rows of a page, of the transaction search and of disputes.
const TRANSACTIONS_PAGE: &str = "100";
const DISPUTES_PAGE: &str = "50";

/// PayPal's endpoints, for one account in mode `M`. Clones share the token and the connections.
#[derive(Debug, Clone)]
pub(super) struct Client<M: Mode> {
    api: ApiClient,
    name: ProviderName,
    clock: Arc<dyn Clock>,
    mode: std::marker::PhantomData<M>,
}

impl<M: Mode> Client<M> {
    pub(super) fn new(config: &PayPalConfig<M>, name: &ProviderName) -> Result<Self> {
        let credentials = &config.credentials;
        let basic = Authorization::basic(&credentials.client_id, &credentials.client_secret)?;
        let wiring = &config.wiring;
        let url = config.url();
        let transport = wiring.transport::<M>(&url)?;
        let connect = |authorization| {
            let transport = Arc::clone(&transport);
            let api = wiring.client::<M>(name, &url, authorization, transport)?;
            Ok::<_, Error>(api.with_request_id_header(DEBUG_ID))
        };
        let source = ClientCredentials {
            api: connect(basic)?,
            mode: M::KIND,
        };
        let tokens = TokenCache::new(source, Arc::clone(&wiring.timer));
        Ok(Self {
            api: connect(Authorization::token(tokens))?,
            name: name.clone(),
            clock: Arc::clone(&config.wiring.clock),
            mode: std::marker::PhantomData,
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

    pub(super) async fn create_order(
        &self,
        body: &Value,
        key: &IdempotencyKey,
    ) -> Result<ApiResponse> {
        let path = ["v2", "checkout", "orders"];
        self.send(write(Operation::CreateHosted, &path, body, key))
            .await
    }

    pub(super) async fn order(&self, operation: Operation, id: &str) -> Result<ApiResponse> {
        let path = ["v2", "checkout", "orders", id];
        self.send(ApiRequest::get(operation, &path)).await
    }

    /// `step` is `capture` or `authorize`, as the order's intent is.
    pub(super) async fn complete_order(
        &self,
        id: &str,
        step: &str,
        key: &IdempotencyKey,
    ) -> Result<ApiResponse> {
        let path = ["v2", "checkout", "orders", id, step];
        self.send(write(Operation::Complete, &path, &json!({}), key))
            .await
    }

    pub(super) async fn authorization(
        &self,
        operation: Operation,
        id: &str,
    ) -> Result<ApiResponse> {
        let path = ["v2", "payments", "authorizations", id];
        self.send(ApiRequest::get(operation, &path)).await
    }

    pub(super) async fn capture_authorization(
        &self,
        id: &str,
        body: &Value,
        key: &IdempotencyKey,
    ) -> Result<ApiResponse> {
        let path = ["v2", "payments", "authorizations", id, "capture"];
        self.send(write(Operation::Capture, &path, body, key)).await
    }

    pub(super) async fn reauthorize(
        &self,
        id: &str,
        body: &Value,
        key: &IdempotencyKey,
    ) -> Result<ApiResponse> {
        let path = ["v2", "payments", "authorizations", id, "reauthorize"];
        self.send(write(Operation::Capture, &path, body, key)).await
    }

    /// PayPal's description gives this one no body.
    pub(super) async fn void_authorization(
        &self,
        id: &str,
        key: &IdempotencyKey,
    ) -> Result<ApiResponse> {
        let path = ["v2", "payments", "authorizations", id, "void"];
        let request = ApiRequest::post(Operation::Void, &path)
            .json("")
            .header(PREFER, "return=representation")
            .keyed(REQUEST_ID, key);
        self.send(request).await
    }

    pub(super) async fn capture(&self, operation: Operation, id: &str) -> Result<ApiResponse> {
        let path = ["v2", "payments", "captures", id];
        self.send(ApiRequest::get(operation, &path)).await
    }

    pub(super) async fn refund_capture(
        &self,
        id: &str,
        body: &Value,
        key: &IdempotencyKey,
    ) -> Result<ApiResponse> {
        let path = ["v2", "payments", "captures", id, "refund"];
        self.send(write(Operation::Refund, &path, body, key)).await
    }

    pub(super) async fn refund(&self, id: &str) -> Result<ApiResponse> {
        let path = ["v2", "payments", "refunds", id];
        self.send(ApiRequest::get(Operation::FetchRefund, &path))
            .await
    }

    /// Disputes that changed since `from`; `token` is where the list goes on.
    pub(super) async fn disputes(
        &self,
        from: Option<Timestamp>,
        token: Option<&str>,
    ) -> Result<ApiResponse> {
        let mut request = ApiRequest::get(Operation::ListDisputes, &["v1", "customer", "disputes"])
            .query("page_size", DISPUTES_PAGE);
        if let Some(from) = from {
            request = request.query("update_time_after", &from.to_string());
        }
        if let Some(token) = token {
            request = request.query("next_page_token", token);
        }
        self.send(request).await
    }

    pub(super) async fn dispute(&self, id: &str) -> Result<ApiResponse> {
        let path = ["v1", "customer", "disputes", id];
        self.send(ApiRequest::get(Operation::ListDisputes, &path))
            .await
    }

    /// The transactions of at most 31 days that moved the balance; pages are counted from 1.
    pub(super) async fn transactions(
        &self,
        operation: Operation,
        (from, to): (Timestamp, Timestamp),
        page: u32,
    ) -> Result<ApiResponse> {
        let request = ApiRequest::get(operation, &["v1", "reporting", "transactions"])
            .query("start_date", &from.to_string())
            .query("end_date", &to.to_string())
            .query("fields", "transaction_info")
            .query("page_size", TRANSACTIONS_PAGE)
            .query("page", &page.to_string());
        self.send(request).await
    }

    pub(super) async fn balances(&self) -> Result<ApiResponse> {
        let path = ["v1", "reporting", "balances"];
        self.send(ApiRequest::get(Operation::Account, &path)).await
    }

    /// The webhooks of the app.
    pub(super) async fn webhooks(&self) -> Result<ApiResponse> {
        let path = ["v1", "notifications", "webhooks"];
        self.send(ApiRequest::get(Operation::VerifyWebhook, &path))
            .await
    }

    /// Lets PayPal check a signature: it changes nothing.
    pub(super) async fn verify_signature(&self, body: String) -> Result<ApiResponse> {
        let path = ["v1", "notifications", "verify-webhook-signature"];
        let request = ApiRequest::post(Operation::VerifyWebhook, &path).json(body);
        self.send(request.read_only()).await
    }

    /// Reads an answer and turns it into a value. What is wrong with it is told with its request id
    /// and with whether the request took effect.
    pub(super) fn read<T: DeserializeOwned, V>(
        &self,
        response: &ApiResponse,
        convert: impl FnOnce(Reader<'_, M>, T) -> Result<V>,
    ) -> Result<V> {
        let body = response.json()?;
        let as_of = response.date().unwrap_or_else(|| self.now());
        convert(self.reader(as_of), body).map_err(|error| {
            let error = error.with_effect(response.effect());
            match response.request_id() {
                Some(request_id) => error.with_request_id(request_id),
                None => error,
            }
        })
    }

    pub(super) fn reader(&self, as_of: Timestamp) -> Reader<'_, M> {
        Reader::new(&self.name, as_of)
    }

    async fn send(&self, request: ApiRequest) -> Result<ApiResponse> {
        let response = self.api.send(request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(error_of(&response))
    }
}

/// A write under its key, answered with the whole thing and not only with its id.
fn write(operation: Operation, path: &[&str], body: &Value, key: &IdempotencyKey) -> ApiRequest {
    ApiRequest::post(operation, path)
        .json(body.to_string())
        .header(PREFER, "return=representation")
        .keyed(REQUEST_ID, key)
}
