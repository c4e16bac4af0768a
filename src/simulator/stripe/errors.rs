//! Errors in Stripe's shape.

use serde_json::{Map, Value, json};

/// An error answer. Source of the shape: Stripe's API reference, "Errors".
#[derive(Debug, Clone)]
pub(super) struct ApiError(Box<Detail>);

#[derive(Debug, Clone, Default)]
struct Detail {
    status: u16,
    kind: &'static str,
    code: Option<&'static str>,
    message: String,
    param: Option<String>,
    extra: Map<String, Value>,
    headers: Vec<(&'static str, String)>,
    executed: bool,
}

impl ApiError {
    fn new(status: u16, kind: &'static str, message: &str) -> Self {
        Self(Box::new(Detail {
            status,
            kind,
            message: message.to_owned(),
            ..Detail::default()
        }))
    }

    /// 400 before anything was executed, and so not stored under an idempotency key.
    pub(super) fn invalid_request(message: &str) -> Self {
        Self::new(400, "invalid_request_error", message)
    }

    pub(super) fn invalid_param(param: &str, code: Option<&'static str>, message: &str) -> Self {
        let mut error = Self::invalid_request(message).with_param(param);
        error.0.code = code;
        error
    }

    pub(super) fn missing_param(param: &str) -> Self {
        let message = format!("Missing required param: {param}.");
        Self::invalid_param(param, Some("parameter_missing"), &message)
    }

    pub(super) fn empty_param(param: &str) -> Self {
        let message = format!(
            "You passed an empty string for '{param}'. We assume empty values are an attempt to \
             unset a parameter; however '{param}' cannot be unset."
        );
        Self::invalid_param(param, Some("parameter_invalid_empty"), &message)
    }

    pub(super) fn unknown_param(param: &str) -> Self {
        let message = format!("Received unknown parameter: {param}");
        Self::invalid_param(param, Some("parameter_unknown"), &message)
    }

    pub(super) fn unauthorized(message: &str) -> Self {
        Self::new(401, "invalid_request_error", message)
    }

    pub(super) fn forbidden(message: &str) -> Self {
        Self::new(403, "invalid_request_error", message)
    }

    pub(super) fn unknown_url(method: &str, path: &str) -> Self {
        let message = format!("Unrecognized request URL ({method}: {path}).");
        Self::new(404, "invalid_request_error", &message)
    }

    pub(super) fn too_large() -> Self {
        Self::new(413, "invalid_request_error", "The request is too large.")
    }

    /// 404 for an object that is not there.
    pub(super) fn missing(object: &str, id: &str, param: &str) -> Self {
        let message = format!("No such {object}: '{id}'");
        let mut error = Self::new(404, "invalid_request_error", &message).with_param(param);
        error.0.code = Some("resource_missing");
        error.0.executed = true;
        error
    }

    /// 400 from the endpoint itself: the request was well-formed, the state did not allow it.
    pub(super) fn refused(code: &'static str, message: &str) -> Self {
        let mut error = Self::invalid_request(message);
        error.0.code = Some(code);
        error.0.executed = true;
        error
    }

    /// 402: the card was declined. `code` is Stripe's error code, `decline_code` the issuer's.
    pub(super) fn card(code: &'static str, decline_code: Option<&str>, message: &str) -> Self {
        let mut error = Self::new(402, "card_error", message);
        error.0.code = Some(code);
        error.0.executed = true;
        if let Some(decline_code) = decline_code {
            error = error.with("decline_code", json!(decline_code));
        }
        error
    }

    pub(super) fn key_in_use(key: &str) -> Self {
        let message = format!(
            "There is currently another in-progress request using this Idempotent Key (that \
             probably means you submitted twice, and the other request is still going through): \
             {key}. Please try again later."
        );
        let mut error = Self::new(409, "idempotency_error", &message);
        error.0.code = Some("idempotency_key_in_use");
        error.with_header("Stripe-Should-Retry", "true")
    }

    pub(super) fn key_reused(message: &str) -> Self {
        Self::new(400, "idempotency_error", message)
    }

    pub(super) fn internal(status: u16) -> Self {
        let message = "An unknown error occurred (simulated fault).";
        let mut error = Self::new(status, "api_error", message);
        error.0.executed = true;
        error
    }

    pub(super) fn lock_timeout(status: u16) -> Self {
        let message = "This object cannot be accessed right now because another API request or \
                       Stripe process is currently accessing it.";
        let mut error = Self::new(status, "invalid_request_error", message);
        error.0.code = Some("lock_timeout");
        error.with_header("Stripe-Should-Retry", "true")
    }

    pub(super) fn rate_limited(reason: &str) -> Self {
        let message = "Request rate limit exceeded. Learn more about rate limits here \
                       https://stripe.com/docs/rate-limits.";
        let mut error = Self::new(429, "invalid_request_error", message);
        error.0.code = Some("rate_limit");
        error.with_header("Stripe-Rate-Limited-Reason", reason)
    }

    pub(super) fn with_param(mut self, param: &str) -> Self {
        self.0.param = Some(param.to_owned());
        self
    }

    /// Adds a field of the `error` object, such as `payment_intent`.
    pub(super) fn with(mut self, name: &str, value: Value) -> Self {
        let _ = self.0.extra.insert(name.to_owned(), value);
        self
    }

    pub(super) fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.0.headers.push((name, value.to_owned()));
        self
    }

    pub(super) fn status(&self) -> u16 {
        self.0.status
    }

    pub(super) fn headers(&self) -> &[(&'static str, String)] {
        &self.0.headers
    }

    /// Whether execution had begun, so that the answer is kept under the idempotency key.
    pub(super) fn executed(&self) -> bool {
        self.0.executed
    }

    /// Makes an error that struck before execution out of one that struck within.
    pub(super) fn before_execution(mut self) -> Self {
        self.0.executed = false;
        self
    }

    #[cfg(test)]
    pub(super) fn param(&self) -> Option<&str> {
        self.0.param.as_deref()
    }

    /// Whether a bank declined, rather than the API refused.
    pub(super) fn is_decline(&self) -> bool {
        self.0.kind == "card_error"
    }

    /// The message meant for people.
    pub(super) fn message(&self) -> &str {
        &self.0.message
    }

    /// The `error` object without what only an answer carries; an intent keeps it as
    /// `last_payment_error`.
    pub(super) fn object(&self) -> Value {
        let mut object = self.0.extra.clone();
        let mut put = |name: &str, value: Value| {
            let _ = object.insert(name.to_owned(), value);
        };
        put("type", json!(self.0.kind));
        put("message", json!(self.0.message));
        if let Some(code) = self.0.code {
            put("code", json!(code));
            let page = code.replace('_', "-");
            put(
                "doc_url",
                json!(format!("https://stripe.com/docs/error-codes/{page}")),
            );
        }
        if let Some(param) = &self.0.param {
            put("param", json!(param));
        }
        Value::Object(object)
    }

    /// The body of the answer.
    pub(super) fn body(&self, request_id: &str) -> Value {
        let mut object = self.object();
        if let Some(fields) = object.as_object_mut() {
            let log = format!("https://dashboard.stripe.com/test/logs/{request_id}");
            let _ = fields.insert("request_log_url".to_owned(), json!(log));
        }
        json!({ "error": object })
    }
}
