//! The seam between this library and the network.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

/// Sends one request and waits for the whole answer. It never sends anything twice.
///
/// Every status is an answer; an error means that none came, or none that may be read.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// Sends `request`, whose URI is absolute.
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError>;
}

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
#[error("no answer came, and the request was {delivered}")]
pub struct TransportError {
    /// Whether the provider may have got the request.
    pub delivered: Delivered,
    /// The cause, without URL, headers or body.
    #[source]
    pub cause: Box<dyn std::error::Error + Send + Sync>,
}

/// Whether a request without an answer may have been processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delivered {
    /// It was not sent: there was no connection.
    No,
    /// It may have been.
    Perhaps,
    /// It was answered, with more than may be read.
    Answered,
}

impl fmt::Display for Delivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::No => "not sent",
            Self::Perhaps => "perhaps processed",
            Self::Answered => "answered with too much",
        })
    }
}
