//! Why a webhook was refused, and what the provider should be told.

use std::borrow::Cow;
use std::fmt;

/// A webhook that must not be acted on.
///
/// Its text helps whoever sets the endpoint up. Do not send it back: a forger would read it too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookRefusal {
    kind: WebhookRefusalKind,
    hint: Cow<'static, str>,
}

/// Why a webhook was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WebhookRefusalKind {
    /// The signature header is missing.
    MissingSignature,
    /// The signature header is not what the provider writes.
    MalformedSignature,
    /// No configured secret makes this signature of these bytes.
    WrongSignature,
    /// It names a certificate that proves nothing here: no trusted authority has signed it, its time
    /// is over, or it is in another name than the provider's.
    UntrustedCertificate,
    /// It was signed too long ago.
    Stale,
    /// It was signed in the future.
    Future,
    /// It is signed as notices of the other mode are: an endpoint of one mode is registered in the
    /// other, or it is a forgery.
    OtherMode,
    /// The body is larger than any notice of the provider's.
    TooLarge,
    /// It is signed, but it is not a notice as the provider's contract has it.
    Unreadable,
    /// It could not be verified now, as when a certificate cannot be fetched.
    Unverifiable,
    /// This provider's webhooks are not supported.
    Unsupported,
}

impl WebhookRefusalKind {
    /// A fixed name, for counters and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MissingSignature => "missing signature",
            Self::MalformedSignature => "malformed signature",
            Self::WrongSignature => "wrong signature",
            Self::UntrustedCertificate => "untrusted certificate",
            Self::Stale => "stale",
            Self::Future => "future",
            Self::OtherMode => "other mode",
            Self::TooLarge => "too large",
            Self::Unreadable => "unreadable",
            Self::Unverifiable => "unverifiable",
            Self::Unsupported => "unsupported",
        }
    }
}

impl WebhookRefusal {
    /// A refusal with a hint for whoever sets the endpoint up.
    pub fn new(kind: WebhookRefusalKind, hint: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            hint: hint.into(),
        }
    }

    /// Why.
    #[must_use]
    pub const fn kind(&self) -> WebhookRefusalKind {
        self.kind
    }

    /// What may be wrong with the set-up.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.hint
    }

    /// The HTTP status to answer: never a success, and one that asks for another delivery only
    /// where another could succeed.
    #[must_use]
    pub const fn answer(&self) -> u16 {
        match self.kind {
            WebhookRefusalKind::TooLarge => 413,
            WebhookRefusalKind::Unverifiable => 503,
            WebhookRefusalKind::Unsupported => 501,
            WebhookRefusalKind::MissingSignature
            | WebhookRefusalKind::MalformedSignature
            | WebhookRefusalKind::WrongSignature
            | WebhookRefusalKind::UntrustedCertificate
            | WebhookRefusalKind::Stale
            | WebhookRefusalKind::Future
            | WebhookRefusalKind::OtherMode
            | WebhookRefusalKind::Unreadable => 400,
        }
    }
}

impl fmt::Display for WebhookRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.hint)
    }
}

impl std::error::Error for WebhookRefusal {}

impl From<WebhookRefusal> for crate::error::Error {
    fn from(refusal: WebhookRefusal) -> Self {
        let kind = match refusal.kind {
            WebhookRefusalKind::Unverifiable => crate::error::ErrorKind::Unavailable,
            WebhookRefusalKind::Unsupported => crate::error::ErrorKind::Unsupported,
            WebhookRefusalKind::Unreadable => crate::error::ErrorKind::UnexpectedResponse,
            _ => crate::error::ErrorKind::NotAuthentic,
        };
        Self::new(kind, refusal.to_string())
    }
}
