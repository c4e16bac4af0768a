//! From Adyen's errors to ours: who must act, and whether money could have moved.
//!
//! Sources: <https://docs.adyen.com/development-resources/error-codes>,
//! <https://docs.adyen.com/development-resources/api-idempotency>.

use super::wire::ServiceError;
use crate::error::{Effect, Error, ErrorKind};
use crate::http::ApiResponse;
use crate::mode::ModeKind;

/// The error that an answer other than a success makes, to credentials of `mode`. Adyen's message
/// stays behind: it is free text and may quote what was sent.
pub(super) fn error_of(response: &ApiResponse, mode: ModeKind) -> Error {
    let body = response.json::<ServiceError>().ok();
    let field = |of: fn(&ServiceError) -> &Option<String>| {
        let field = body.as_ref().map(of);
        field.and_then(Option::as_deref)
    };
    let code = field(|body| &body.error_code);
    let mut error = match (response.status().as_u16(), code) {
        (401, _) => response.error(ErrorKind::Credentials, wrong_key(mode)),
        (403, Some("901")) => response.error(
            ErrorKind::Credentials,
            "the API key does not reach this merchant account, or there is no such account in \
             this mode",
        ),
        (403, _) => response.error(
            ErrorKind::Credentials,
            "the API key lacks the role for this: add it in the Customer Area",
        ),
        // The same key is being worked on: of that request, this answer tells nothing.
        (409 | 422, Some("704")) => {
            let message = "the same request is under way: wait, and send it again as it is";
            let error = response.error(ErrorKind::Unavailable, message);
            error.with_effect(Effect::Unknown)
        }
        (422, Some("167")) => response.error(
            ErrorKind::NotFound,
            "Adyen knows no such payment in this account",
        ),
        (400 | 422, _) => response.error(
            ErrorKind::InvalidRequest,
            "Adyen refused the request: its code says why",
        ),
        _ => response.refusal(),
    };
    if let Some(code) = code {
        error = error.with_code(code);
    }
    let request_id = field(|body| &body.psp_reference).or(field(|body| &body.request_id));
    match request_id {
        Some(id) => error.with_request_id(id),
        None => error,
    }
}

/// A key does not show its mode, and Adyen answers a key of the other mode as it answers any that
/// it does not know.
const fn wrong_key(mode: ModeKind) -> &'static str {
    match mode {
        ModeKind::Test => {
            "Adyen's test hosts do not know the API key: it is one of live mode, or it was revoked"
        }
        ModeKind::Live => {
            "Adyen's live hosts do not know the API key: it is one of test mode, or it was revoked"
        }
    }
}
