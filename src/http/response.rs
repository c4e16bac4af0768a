//! A provider's answer.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, StatusCode};
use serde::Deserialize;

use super::request::Safety;
use crate::clock::Timestamp;
use crate::error::{Effect, Error, ErrorKind, Result};

/// A provider's answer, whatever its status.
#[derive(Clone)]
pub struct ApiResponse {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) safety: Safety,
    pub(super) attempts: u32,
    pub(super) in_doubt: bool,
    pub(super) request_id_header: Option<HeaderName>,
}

impl ApiResponse {
    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The body, byte for byte.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// A header's first value, if it is visible ASCII.
    #[must_use]
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The provider's id of the request, from the header that the client was told of.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.header(self.request_id_header.as_ref()?)
    }

    /// When the provider answered, by its own clock.
    #[must_use]
    pub fn date(&self) -> Option<Timestamp> {
        http_date(self.header(&DATE)?)
    }

    /// How long the provider asks to wait: `Retry-After` in seconds, or as a date counted from the
    /// answer's own.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after(&self.headers)
    }

    /// How often the request was sent until this answer came.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// What the status says about whether the request has taken effect. The provider's code may
    /// say more.
    ///
    /// A refusal that is not about the write itself (as 429 is not) leaves it unknown when an
    /// earlier attempt may have been processed.
    #[must_use]
    pub fn effect(&self) -> Effect {
        if self.safety == Safety::Read {
            return Effect::NotApplied;
        }
        match self.status.as_u16() {
            200..=299 => Effect::Applied,
            401 | 403 | 407 | 408 | 409 | 425 | 429 if self.in_doubt => Effect::Unknown,
            400..=499 => Effect::NotApplied,
            _ => Effect::Unknown,
        }
    }

    /// Reads the body as JSON.
    ///
    /// # Errors
    /// [`ErrorKind::UnexpectedResponse`], with [`Effect::Unknown`] for a write.
    pub fn json<'b, T: Deserialize<'b>>(&'b self) -> Result<T> {
        // One check of the whole text is faster than one of each string.
        let text =
            std::str::from_utf8(&self.body).map_err(|_| self.unreadable("it is not text"))?;
        serde_json::from_str(text).map_err(|error| {
            // The error's own text can quote the body.
            let (line, column) = (error.line(), error.column());
            self.unreadable(format!("JSON, line {line}, column {column}"))
        })
    }

    /// An error of this kind about this answer, with its effect and request id.
    pub fn error(&self, kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Error {
        let error = Error::new(kind, message).with_effect(self.effect());
        match self.request_id() {
            Some(request_id) => error.with_request_id(request_id),
            None => error,
        }
    }

    /// The error that the status alone makes, where the provider's code says nothing better.
    #[must_use]
    pub fn refusal(&self) -> Error {
        let (kind, message) = match self.status.as_u16() {
            401 => (
                ErrorKind::Credentials,
                "the provider does not accept the key",
            ),
            403 => (ErrorKind::Credentials, "the key is not allowed to do this"),
            404 => (ErrorKind::NotFound, "the provider knows no such thing"),
            409 => (
                ErrorKind::Conflict,
                "it contradicts what the provider has, or is under way",
            ),
            429 => {
                let after = self.retry_after();
                (ErrorKind::RateLimited { after }, "too many requests: wait")
            }
            400..=499 => (
                ErrorKind::InvalidRequest,
                "the provider refused the request",
            ),
            500..=599 => (ErrorKind::Unavailable, "the provider failed to answer"),
            _ => (
                ErrorKind::UnexpectedResponse,
                "the status is not one that the provider's contract has",
            ),
        };
        self.error(kind, message)
    }

    fn unreadable(&self, what: impl fmt::Display) -> Error {
        let message = format!("the body is not what the provider's contract says: {what}");
        let effect = match self.safety {
            Safety::Read => Effect::NotApplied,
            Safety::KeyedWrite | Safety::UnkeyedWrite => Effect::Unknown,
        };
        self.error(ErrorKind::UnexpectedResponse, message)
            .with_effect(effect)
    }
}

/// Shows sizes only: bodies hold people's data.
impl fmt::Debug for ApiResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiResponse")
            .field("status", &self.status)
            .field("request_id", &self.request_id())
            .field("body_bytes", &self.body.len())
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

/// `Retry-After` (RFC 9110, 10.2.3): seconds, or a date, counted from the answer's own date so
/// that this machine's clock does not matter.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = http_date(text)?;
    let now = http_date(headers.get(DATE)?.to_str().ok()?)?;
    if until <= now {
        return Some(Duration::ZERO);
    }
    Some(until.abs_diff(now))
}

/// A date such as `Sun, 22 Nov 2026 22:09:02 GMT` (RFC 9110, 5.6.7).
fn http_date(text: &str) -> Option<Timestamp> {
    let instant = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text);
    Some(Timestamp::from_unix(instant.ok()?.as_second()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, safety: Safety, in_doubt: bool) -> ApiResponse {
        ApiResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            safety,
            attempts: 1,
            in_doubt,
            request_id_header: Some(HeaderName::from_static("request-id")),
        }
    }

    #[test]
    fn the_effect_follows_status_safety_and_doubt() {
        for status in 100..=599 {
            for in_doubt in [false, true] {
                let read = response(status, Safety::Read, in_doubt);
                assert_eq!(read.effect(), Effect::NotApplied, "{status}");
                let says_nothing = [401, 403, 407, 408, 409, 425, 429].contains(&status);
                let expected = match status {
                    200..=299 => Effect::Applied,
                    400..=499 if !(in_doubt && says_nothing) => Effect::NotApplied,
                    _ => Effect::Unknown,
                };
                let write = response(status, Safety::KeyedWrite, in_doubt);
                assert_eq!(write.effect(), expected, "{status} {in_doubt}");
            }
        }
    }

    #[test]
    fn an_unreadable_answer_to_a_write_is_unknown_and_quotes_nothing() {
        let bodies: [&[u8]; 4] = [b"", b"canary", b"{\"id\": \"canary\"}", b"\"canary\xff\""];
        for body in bodies {
            let mut write = response(200, Safety::KeyedWrite, false);
            write.body = Bytes::copy_from_slice(body);
            let error = write.json::<u64>().unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::UnexpectedResponse);
            assert_eq!(error.effect(), Effect::Unknown);
            assert!(!format!("{error} {error:?} {write:?}").contains("canary"));

            let mut read = response(200, Safety::Read, false);
            read.body = write.body;
            assert_eq!(read.json::<u64>().unwrap_err().effect(), Effect::NotApplied);
        }
    }

    #[test]
    fn nested_json_beyond_reason_is_an_error() {
        let mut deep = response(200, Safety::Read, false);
        deep.body = "[".repeat(1 << 20).into();
        assert!(deep.json::<serde_json::Value>().is_err());
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        for (value, date, expected) in [
            ("0", None, Some(0)),
            (" 120 ", None, Some(120)),
            ("-1", None, None),
            ("1.5", None, None),
            ("soon", None, None),
            ("99999999999999999999", None, None),
            ("Sun, 22 Nov 2026 10:00:30 GMT", None, None),
            (
                "Sun, 22 Nov 2026 10:00:30 GMT",
                Some("Sun, 22 Nov 2026 10:00:00 GMT"),
                Some(30),
            ),
            (
                "Sun, 22 Nov 2026 09:00:00 GMT",
                Some("Sun, 22 Nov 2026 10:00:00 GMT"),
                Some(0),
            ),
        ] {
            let mut throttled = response(429, Safety::Read, false);
            throttled
                .headers
                .insert(RETRY_AFTER, value.parse().unwrap());
            if let Some(date) = date {
                throttled.headers.insert(DATE, date.parse().unwrap());
            }
            let expected = expected.map(Duration::from_secs);
            assert_eq!(throttled.retry_after(), expected, "{value} {date:?}");
            let after = expected;
            assert_eq!(
                throttled.refusal().kind(),
                &ErrorKind::RateLimited { after }
            );
        }
    }

    #[test]
    fn the_date_and_the_request_id_are_the_providers() {
        let mut answer = response(200, Safety::Read, false);
        assert_eq!((answer.date(), answer.request_id()), (None, None));
        let date = "Thu, 01 Jan 1970 00:01:00 GMT";
        answer.headers.insert(DATE, date.parse().unwrap());
        answer
            .headers
            .insert("request-id", "req_1".parse().unwrap());
        assert_eq!(answer.date(), Some(Timestamp::from_unix(60)));
        assert_eq!(
            answer.error(ErrorKind::NotFound, "").request_id(),
            Some("req_1")
        );
    }

    #[test]
    fn each_status_says_who_must_act() {
        let kind = |status| {
            response(status, Safety::Read, false)
                .refusal()
                .kind()
                .name()
        };
        for (status, expected) in [
            (302, "unexpected response"),
            (400, "invalid request"),
            (401, "credentials"),
            (403, "credentials"),
            (404, "not found"),
            (409, "conflict"),
            (422, "invalid request"),
            (429, "rate limited"),
            (500, "unavailable"),
            (503, "unavailable"),
        ] {
            assert_eq!(kind(status), expected, "{status}");
        }
    }
}
