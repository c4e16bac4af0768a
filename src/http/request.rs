//! A request to a provider, before it is authenticated.

use std::fmt;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::capability::Operation;
use crate::error::{Error, ErrorKind, Result};
use crate::id::IdempotencyKey;

/// A request to a provider, before it is authenticated.
///
/// Path segments and queries are percent-encoded here, so that an id from outside never leaves its
/// place. What cannot be sent as it is, such as a segment `..` or a header with a line break, is
/// kept as a refusal that [`ApiClient::send`](super::ApiClient::send) gives before any I/O.
#[derive(Clone)]
pub struct ApiRequest {
    pub(super) operation: Operation,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) safety: Safety,
    refused: Option<&'static str>,
}

/// Whether a request may be sent again when it is not known what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Safety {
    /// It changes nothing: it may.
    Read,
    /// The provider knows it again by its key, or doing it twice is doing it once: it may, as it is.
    KeyedWrite,
    /// It may not.
    UnkeyedWrite,
}

impl ApiRequest {
    /// Reads what is at `segments` below the base URL.
    #[must_use]
    pub fn get(operation: Operation, segments: &[&str]) -> Self {
        Self::new(operation, Method::GET, Safety::Read, segments)
    }

    /// Writes to `segments` below the base URL; without [`keyed`](Self::keyed) it is sent once.
    #[must_use]
    pub fn post(operation: Operation, segments: &[&str]) -> Self {
        Self::new(operation, Method::POST, Safety::UnkeyedWrite, segments)
    }

    /// Changes what is at `segments`. Doing so twice must be doing it once: it may be sent again.
    #[must_use]
    pub fn patch(operation: Operation, segments: &[&str]) -> Self {
        Self::new(operation, Method::PATCH, Safety::KeyedWrite, segments)
    }

    /// Deletes what is at `segments`; without [`keyed`](Self::keyed) it is sent once.
    #[must_use]
    pub fn delete(operation: Operation, segments: &[&str]) -> Self {
        Self::new(operation, Method::DELETE, Safety::UnkeyedWrite, segments)
    }

    fn new(operation: Operation, method: Method, safety: Safety, segments: &[&str]) -> Self {
        let mut request = Self {
            operation,
            method,
            path: String::new(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            safety,
            refused: None,
        };
        for segment in segments {
            // Encoding does not help here: URL parsers read `%2e%2e` as `..` too.
            if matches!(*segment, "" | "." | "..") {
                request.refused = Some("an id is empty or made of dots: it would leave its path");
            }
            request.path.push('/');
            request
                .path
                .extend(utf8_percent_encode(segment, NOT_IN_A_SEGMENT));
        }
        request
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.path
            .push(if self.path.contains('?') { '&' } else { '?' });
        let start = self.path.len();
        let mut pair = form_urlencoded::Serializer::for_suffix(self.path, start);
        self.path = pair.append_pair(name, value).finish();
        self
    }

    /// Adds a header, in place of one of that name. Its value never shows in a log.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        match HeaderValue::from_str(value) {
            Ok(mut value) => {
                value.set_sensitive(true);
                self.headers.insert(name, value);
            }
            Err(_) => {
                self.refused = Some("a header's value has a character that none may have");
            }
        }
        self
    }

    /// Sends the write under `key`, in the header that the provider reads it from. It may then be
    /// sent again under the same key.
    #[must_use]
    pub fn keyed(self, name: HeaderName, key: &IdempotencyKey) -> Self {
        let mut keyed = self.header(name, key.as_str());
        keyed.safety = Safety::KeyedWrite;
        keyed
    }

    /// Says that this `POST` changes nothing, as a search or a token request does.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.safety = Safety::Read;
        self
    }

    /// Sets the body: these pairs, form-encoded.
    #[must_use]
    pub fn form<K: AsRef<str>, V: AsRef<str>>(
        self,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let mut form = form_urlencoded::Serializer::new(String::new());
        for (name, value) in pairs {
            form.append_pair(name.as_ref(), value.as_ref());
        }
        self.body_of("application/x-www-form-urlencoded", form.finish().into())
    }

    /// Sets the body: this JSON text.
    #[must_use]
    pub fn json(self, text: impl Into<Bytes>) -> Self {
        self.body_of("application/json", text.into())
    }

    fn body_of(mut self, content_type: &'static str, body: Bytes) -> Self {
        self.headers
            .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        self.body = body;
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        self.refused.map_or(Ok(()), |reason| {
            Err(Error::new(ErrorKind::InvalidRequest, reason))
        })
    }
}

/// Shows neither path nor body: both can hold people's data.
impl fmt::Debug for ApiRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiRequest")
            .field("operation", &self.operation)
            .field("method", &self.method)
            .field("safety", &self.safety)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Everything but RFC 3986's unreserved characters.
const NOT_IN_A_SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

#[cfg(test)]
mod tests {
    use super::*;

    fn path(segments: &[&str]) -> String {
        let request = ApiRequest::get(Operation::FetchPayment, segments);
        request.check().unwrap();
        request.path
    }

    #[test]
    fn a_crafted_id_stays_in_its_segment() {
        for (id, encoded) in [
            ("pi_1-A.b~c", "pi_1-A.b~c"),
            ("../refunds", "..%2Frefunds"),
            ("a/b", "a%2Fb"),
            ("a?expand=all", "a%3Fexpand%3Dall"),
            ("a#b", "a%23b"),
            ("a\r\nHost: evil", "a%0D%0AHost%3A%20evil"),
            ("a\0", "a%00"),
            ("%2e%2e", "%252e%252e"),
            ("a\\b;c", "a%5Cb%3Bc"),
            ("ü", "%C3%BC"),
        ] {
            assert_eq!(
                path(&["v1", "payments", id]),
                format!("/v1/payments/{encoded}")
            );
        }
    }

    #[test]
    fn a_segment_that_is_no_name_is_refused() {
        for id in ["", ".", ".."] {
            let request = ApiRequest::get(Operation::FetchPayment, &["v1", id, "x"]);
            let error = request.check().unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::InvalidRequest);
        }
    }

    #[test]
    fn queries_and_forms_are_encoded() {
        let request = ApiRequest::get(Operation::FindPayments, &["v1", "search"])
            .query("query", "a&b=c d")
            .query("limit", "100");
        assert_eq!(request.path, "/v1/search?query=a%26b%3Dc+d&limit=100");

        let form = ApiRequest::post(Operation::CreateDirect, &["v1", "payments"])
            .form([("amount", "1999"), ("metadata[note]", "50 % & more")]);
        let expected = "amount=1999&metadata%5Bnote%5D=50+%25+%26+more";
        assert_eq!(form.body, expected);
        assert_eq!(
            form.headers[CONTENT_TYPE],
            "application/x-www-form-urlencoded"
        );
    }

    #[test]
    fn a_header_with_a_line_break_is_refused() {
        let request = ApiRequest::get(Operation::Account, &["v1", "account"])
            .header(HeaderName::from_static("stripe-account"), "acct_1\r\nx: y");
        assert!(request.check().is_err());
    }

    #[test]
    fn debug_shows_neither_path_nor_header_nor_body() {
        let request = ApiRequest::post(Operation::Refund, &["v1", "canary"])
            .query("q", "canary")
            .header(HeaderName::from_static("x-key"), "canary")
            .form([("email", "canary")]);
        assert!(!format!("{request:?}").contains("canary"));
    }
}
