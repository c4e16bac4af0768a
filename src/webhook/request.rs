//! A webhook as it arrived.

use bytes::Bytes;
use http::HeaderMap;

/// The largest body that is looked at: 1 MiB. Notices of the providers here stay far below.
pub const MAX_BODY_BYTES: usize = 1 << 20;

/// A webhook as it arrived: the headers, and the body byte for byte.
#[derive(Clone)]
pub struct WebhookRequest {
    headers: HeaderMap,
    body: Bytes,
}

impl WebhookRequest {
    /// Takes headers and body as they arrived.
    #[must_use]
    pub fn new(headers: HeaderMap, body: impl Into<Bytes>) -> Self {
        Self {
            headers,
            body: body.into(),
        }
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The body, byte for byte.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

impl<B: Into<Bytes>> From<http::Request<B>> for WebhookRequest {
    fn from(request: http::Request<B>) -> Self {
        let (parts, body) = request.into_parts();
        Self::new(parts.headers, body)
    }
}

/// Shows sizes only: headers hold signatures, and bodies hold people's data.
impl std::fmt::Debug for WebhookRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookRequest")
            .field("headers", &self.headers.len())
            .field("body_bytes", &self.body.len())
            .finish()
    }
}
