//! Errors in Adyen's two shapes: one of the Checkout API, one of the Management API.

use serde_json::{Value, json};

/// An error answer.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    status: u16,
    code: &'static str,
    kind: &'static str,
    message: String,
    /// Whether trying again with the same key can help: the header `transient-error`.
    transient: bool,
    /// Whether the request was looked at, so that the answer is kept under its key.
    executed: bool,
    /// The field that was wrong, and what it said.
    field: Option<(String, String)>,
}

impl ApiError {
    fn new(status: u16, code: &'static str, kind: &'static str, message: &str) -> Self {
        Self {
            status,
            code,
            kind,
            message: message.to_owned(),
            transient: false,
            executed: false,
            field: None,
        }
    }

    /// 400: the body is not what it should be.
    pub(super) fn malformed(message: &str) -> Self {
        Self::new(400, "702", "validation", message)
    }

    /// 422: what it says cannot be done.
    pub(super) fn validation(code: &'static str, message: &str) -> Self {
        let mut error = Self::new(422, code, "validation", message);
        error.executed = true;
        error
    }

    /// 422 for a field that Adyen does not know.
    pub(super) fn unknown_fields(structure: &str, fields: &[String]) -> Self {
        let message =
            format!("Structure of {structure} contains the following unknown fields: {fields:?}");
        Self::validation("702", &message)
    }

    /// 401: no credentials, or those of the other environment.
    pub(super) fn unauthorized() -> Self {
        let message = "HTTP Status Response - Unauthorized";
        Self::new(401, "000", "security", message)
    }

    /// 403: the merchant account is not one of the credential's.
    pub(super) fn wrong_merchant() -> Self {
        Self::new(403, "901", "security", "Invalid Merchant Account")
    }

    /// 403: the credential lacks the role.
    pub(super) fn not_allowed() -> Self {
        Self::new(403, "010", "security", "Not allowed")
    }

    pub(super) fn not_found(message: &str) -> Self {
        Self::new(404, "000", "validation", message)
    }

    pub(super) fn too_large() -> Self {
        Self::new(413, "702", "validation", "The request is too large")
    }

    /// 422: the first request with this key is still running.
    pub(super) fn in_progress() -> Self {
        let message = "request already processed or in progress";
        Self::new(422, "704", "validation", message).transient()
    }

    pub(super) fn rate_limited() -> Self {
        Self::new(429, "000", "internal", "Too many requests").transient()
    }

    pub(super) fn internal(status: u16) -> Self {
        let message = "Internal error (simulated fault)";
        Self::new(status, "000", "internal", message)
    }

    pub(super) fn transient(mut self) -> Self {
        self.transient = true;
        self
    }

    pub(super) fn with_field(mut self, name: &str, value: &str) -> Self {
        self.field = Some((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn status(&self) -> u16 {
        self.status
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    pub(super) fn is_transient(&self) -> bool {
        self.transient
    }

    pub(super) fn executed(&self) -> bool {
        self.executed
    }

    /// The body of the Checkout API. What failed before it had a reference has none.
    pub(super) fn checkout(&self, psp_reference: &str) -> Value {
        let mut body = json!({
            "status": self.status,
            "errorCode": self.code,
            "message": self.message,
            "errorType": self.kind,
        });
        let named = matches!(self.status, 403 | 422 | 500);
        if let (true, Some(fields)) = (named, body.as_object_mut()) {
            let _ = fields.insert("pspReference".to_owned(), json!(psp_reference));
        }
        body
    }

    /// The body of the Management API, by RFC 7807.
    pub(super) fn management(&self, request_id: &str) -> Value {
        let (title, code) = match self.status {
            401 => ("Unauthorized", "00_401"),
            403 => ("Forbidden", "00_403"),
            404 => ("Entity not found", "00_404"),
            422 => ("Unprocessable entity", "30_422"),
            429 => ("Too many requests", "00_429"),
            500.. => ("Internal error", "00_500"),
            _ => ("Invalid request", "00_400"),
        };
        let mut body = json!({
            "type": format!("https://docs.adyen.com/errors/{}", title.to_lowercase().replace(' ', "-")),
            "title": title,
            "status": self.status,
            "detail": self.message,
            "requestId": request_id,
            "errorCode": code,
        });
        if let (Some((name, value)), Some(fields)) = (&self.field, body.as_object_mut()) {
            let invalid = json!([{ "name": name, "value": value, "message": self.message }]);
            let _ = fields.insert("invalidFields".to_owned(), invalid);
        }
        body
    }
}
