//! What every simulated service does with headers and with an answer on its way back.

use bytes::Bytes;
use http::{Request, Response, StatusCode};

use super::{Answer, Fault};
use crate::clock::Timestamp;

/// A header's text, if it is there and readable.
pub(super) fn header<'request>(
    request: &'request Request<Bytes>,
    name: &str,
) -> Option<&'request str> {
    request.headers().get(name)?.to_str().ok()
}

/// Sets a header; a value that no header can carry is left out.
pub(super) fn put_header(response: &mut Response<Bytes>, name: &str, value: &str) {
    let name = http::HeaderName::from_bytes(name.to_ascii_lowercase().as_bytes());
    if let (Ok(name), Ok(value)) = (name, http::HeaderValue::from_str(value)) {
        let _ = response.headers_mut().insert(name, value);
    }
}

/// Dates an answer, as every web server does (RFC 9110, 6.6.1).
pub(super) fn dated(mut response: Response<Bytes>, now: Timestamp) -> Response<Bytes> {
    let date = jiff::Timestamp::from_second(now.unix()).ok();
    let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
    if let Some(date) = date.and_then(|date| printer.timestamp_to_rfc9110_string(&date).ok()) {
        put_header(&mut response, "date", &date);
    }
    response
}

/// An answer of this type with this body.
pub(super) fn respond(status: u16, content_type: &str, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    put_header(&mut response, "content-type", content_type);
    response
}

/// What a fault makes of an answer that was ready.
pub(super) fn spoil(response: Response<Bytes>, fault: Option<Fault>) -> Answer {
    match fault {
        Some(Fault::DropAfter) => Answer::Dropped { processed: true },
        Some(Fault::Truncated) => {
            let half = response.body().len() / 2;
            Answer::CutShort(response, half)
        }
        Some(Fault::Garbage) => Answer::Response(response.map(|_| {
            Bytes::from_static(b"<html><body>502 Bad Gateway (simulated fault)</body></html>")
        })),
        Some(Fault::Slow(by)) => Answer::Late(response, by),
        _ => Answer::Response(response),
    }
}
