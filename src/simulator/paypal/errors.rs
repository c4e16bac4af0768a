//! Errors in PayPal's shape.
//!
//! Source: the error schemas of the official OpenAPI specifications. `details[].description` is
//! left out: programs branch on `issue`, and the words are PayPal's own.

use serde_json::{Map, Value, json};

/// An error answer.
#[derive(Debug, Clone)]
pub(super) struct ApiError(Box<Detail>);

#[derive(Debug, Clone)]
struct Detail {
    kind: Kind,
    issue: Option<String>,
    field: Option<String>,
    value: Option<String>,
    links: Vec<Value>,
}

/// The names of PayPal's errors, each with its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    InvalidRequest,
    AuthenticationFailure,
    NotAuthorized,
    ResourceNotFound,
    ResourceConflict,
    TooLarge,
    UnsupportedMediaType,
    UnprocessableEntity,
    RateLimitReached,
    InternalServerError,
    ServiceUnavailable,
}

impl Kind {
    /// Status, name and message, as the specification has them.
    fn wire(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::InvalidRequest => (
                400,
                "INVALID_REQUEST",
                "Request is not well-formed, syntactically incorrect, or violates schema.",
            ),
            Self::AuthenticationFailure => (
                401,
                "AUTHENTICATION_FAILURE",
                "Authentication failed due to missing authorization header, or invalid \
                 authentication credentials.",
            ),
            Self::NotAuthorized => (
                403,
                "NOT_AUTHORIZED",
                "Authorization failed due to insufficient permissions.",
            ),
            Self::ResourceNotFound => (
                404,
                "RESOURCE_NOT_FOUND",
                "The specified resource does not exist.",
            ),
            Self::ResourceConflict => (
                409,
                "RESOURCE_CONFLICT",
                "The server has detected a conflict while processing this request.",
            ),
            Self::TooLarge => (413, "INVALID_REQUEST", "The request is too large."),
            Self::UnsupportedMediaType => (
                415,
                "UNSUPPORTED_MEDIA_TYPE",
                "The server does not support the request payload's media type.",
            ),
            Self::UnprocessableEntity => (
                422,
                "UNPROCESSABLE_ENTITY",
                "The requested action could not be performed, semantically incorrect, or failed \
                 business validation.",
            ),
            Self::RateLimitReached => (429, "RATE_LIMIT_REACHED", "Too many requests."),
            Self::InternalServerError => (
                500,
                "INTERNAL_SERVER_ERROR",
                "An internal server error occurred.",
            ),
            Self::ServiceUnavailable => (503, "SERVICE_UNAVAILABLE", "Service Unavailable."),
        }
    }
}

impl ApiError {
    fn new(kind: Kind, issue: Option<&str>) -> Self {
        Self(Box::new(Detail {
            kind,
            issue: issue.map(str::to_owned),
            field: None,
            value: None,
            links: Vec::new(),
        }))
    }

    /// 400: the request breaks the schema at `field`, a JSON pointer.
    pub(super) fn invalid(issue: &str, field: &str) -> Self {
        let mut error = Self::new(Kind::InvalidRequest, Some(issue));
        error.0.field = Some(field.to_owned());
        error
    }

    pub(super) fn malformed_json() -> Self {
        Self::new(Kind::InvalidRequest, Some("MALFORMED_REQUEST_JSON"))
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(Kind::AuthenticationFailure, None)
    }

    pub(super) fn forbidden() -> Self {
        Self::new(Kind::NotAuthorized, Some("PERMISSION_DENIED"))
    }

    pub(super) fn not_found() -> Self {
        Self::new(Kind::ResourceNotFound, Some("INVALID_RESOURCE_ID"))
    }

    /// 404 for a path that nothing answers.
    pub(super) fn unknown_url() -> Self {
        Self::new(Kind::ResourceNotFound, None)
    }

    pub(super) fn in_progress() -> Self {
        Self::new(Kind::ResourceConflict, Some("PREVIOUS_REQUEST_IN_PROGRESS"))
    }

    pub(super) fn too_large() -> Self {
        Self::new(Kind::TooLarge, None)
    }

    pub(super) fn media_type() -> Self {
        Self::new(Kind::UnsupportedMediaType, None)
    }

    /// 422: the request was understood, and what it asks cannot be done.
    pub(super) fn refused(issue: &str) -> Self {
        Self::new(Kind::UnprocessableEntity, Some(issue))
    }

    pub(super) fn rate_limited() -> Self {
        Self::new(Kind::RateLimitReached, None)
    }

    pub(super) fn internal() -> Self {
        Self::new(Kind::InternalServerError, None)
    }

    pub(super) fn unavailable() -> Self {
        Self::new(Kind::ServiceUnavailable, None)
    }

    /// What the header `PayPal-Mock-Response` asks for.
    pub(super) fn mocked(code: &str) -> Self {
        match code {
            "INTERNAL_SERVER_ERROR" => Self::internal(),
            "SERVICE_UNAVAILABLE" => Self::unavailable(),
            "RATE_LIMIT_REACHED" => Self::rate_limited(),
            "PERMISSION_DENIED" => Self::forbidden(),
            "RESOURCE_NOT_FOUND" | "INVALID_RESOURCE_ID" => Self::not_found(),
            "MISSING_REQUIRED_PARAMETER" | "INVALID_PARAMETER_VALUE" => {
                Self::new(Kind::InvalidRequest, Some(code))
            }
            _ => Self::refused(code),
        }
    }

    /// Names the field that is at fault, as a JSON pointer.
    pub(super) fn at(mut self, field: &str) -> Self {
        self.0.field = Some(field.to_owned());
        self
    }

    pub(super) fn with_value(mut self, value: &str) -> Self {
        self.0.value = Some(value.to_owned());
        self
    }

    /// Adds a link, such as the page where the payer can choose other funding.
    pub(super) fn with_link(mut self, rel: &str, href: &str) -> Self {
        let link = json!({ "href": href, "rel": rel, "method": "GET" });
        self.0.links.push(link);
        self
    }

    pub(super) fn status(&self) -> u16 {
        self.0.kind.wire().0
    }

    /// The issue, or else the name: what people are told.
    pub(super) fn issue(&self) -> &str {
        let name = self.0.kind.wire().1;
        self.0.issue.as_deref().unwrap_or(name)
    }

    /// The body of the answer.
    pub(super) fn body(&self, debug_id: &str) -> Value {
        let (_, name, message) = self.0.kind.wire();
        let mut body = Map::new();
        let mut put = |name: &str, value: Value| {
            let _ = body.insert(name.to_owned(), value);
        };
        put("name", json!(name));
        put("message", json!(message));
        put("debug_id", json!(debug_id));
        if let Some(issue) = &self.0.issue {
            let mut detail = json!({ "issue": issue });
            if let Some(fields) = detail.as_object_mut() {
                if let Some(field) = &self.0.field {
                    let _ = fields.insert("field".to_owned(), json!(field));
                    // A pointer is into the body; a plain name is that of a parameter.
                    let place = if field.starts_with('/') {
                        "body"
                    } else {
                        "query"
                    };
                    let _ = fields.insert("location".to_owned(), json!(place));
                }
                if let Some(value) = &self.0.value {
                    let _ = fields.insert("value".to_owned(), json!(value));
                }
            }
            put("details", json!([detail]));
        }
        let about = format!(
            "https://developer.paypal.com/api/rest/reference/orders/v2/errors/#{}",
            self.issue()
        );
        let about = json!({ "href": about, "rel": "information_link", "method": "GET" });
        let links: Vec<Value> = std::iter::once(about)
            .chain(self.0.links.iter().cloned())
            .collect();
        put("links", json!(links));
        Value::Object(body)
    }
}
