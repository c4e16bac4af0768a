//! From PayPal's errors to ours: who must act, and whether money could have moved.
//!
//! Sources: <https://developer.paypal.com/api/rest/responses/>,
//! <https://developer.paypal.com/api/rest/reference/orders/v2/errors/>, and the issues that the
//! OpenAPI descriptions name.

use super::decline;
use super::wire::ErrorBody;
use crate::error::{Effect, Error, ErrorKind};
use crate::http::ApiResponse;

/// Issues by which PayPal says that the thing is no longer in the state that the request needs.
/// What was asked for may have been done before: only a look at it tells.
const OUT_OF_STATE: [&str; 12] = [
    "ORDER_ALREADY_CAPTURED",
    "ORDER_ALREADY_AUTHORIZED",
    "ORDER_COMPLETED_OR_VOIDED",
    "ORDER_EXPIRED",
    "AUTHORIZATION_ALREADY_CAPTURED",
    "AUTHORIZATION_VOIDED",
    "AUTHORIZATION_EXPIRED",
    "PREVIOUSLY_CAPTURED",
    "PREVIOUSLY_VOIDED",
    "MAX_CAPTURE_COUNT_EXCEEDED",
    "MAX_CAPTURE_AMOUNT_EXCEEDED",
    "DUPLICATE_INVOICE_ID",
];

/// Issues of a refund that what was given back before explains.
const REFUNDED_BEFORE: [&str; 2] = ["CAPTURE_FULLY_REFUNDED", "REFUND_AMOUNT_EXCEEDED"];

/// Whether to look at the payment before the error is believed.
pub(super) fn is_out_of_state(error: &Error) -> bool {
    let code = error.code();
    code.is_some_and(|code| OUT_OF_STATE.contains(&code) || REFUNDED_BEFORE.contains(&code))
}

/// The error that an answer other than a success makes. PayPal's texts stay behind: they can quote
/// what was sent.
pub(super) fn error_of(response: &ApiResponse) -> Error {
    let body: ErrorBody = response.json().unwrap_or_default();
    let issue = body
        .details
        .iter()
        .find_map(|detail| detail.issue.as_deref());
    let code = issue.or(body.name.as_deref()).or(body.error.as_deref());
    let Some(code) = code else {
        return response.refusal();
    };
    let error = match kind_of(code) {
        Some((kind, message)) => response.error(kind, message),
        None => match response.status().as_u16() {
            422 => response.error(ErrorKind::InvalidRequest, "PayPal refused the request"),
            _ => response.refusal(),
        },
    };
    match code {
        // Of the request that is under way, this one tells nothing.
        "PREVIOUS_REQUEST_IN_PROGRESS" | "ORDER_COMPLETION_IN_PROGRESS" => {
            error.with_effect(Effect::Unknown).with_code(code)
        }
        _ => error.with_code(code),
    }
}

/// What the issue says, or `None` where the status says as much.
fn kind_of(issue: &str) -> Option<(ErrorKind, &'static str)> {
    if let Some(decline) = decline::of_issue(issue) {
        return Some((ErrorKind::Declined(decline), "the payment was refused"));
    }
    Some(match issue {
        "INVALID_RESOURCE_ID" | "RESOURCE_NOT_FOUND" => (
            ErrorKind::NotFound,
            "PayPal knows no such thing in this account",
        ),
        "PREVIOUS_REQUEST_IN_PROGRESS" | "ORDER_COMPLETION_IN_PROGRESS" => (
            ErrorKind::Unavailable,
            "the same request is under way: wait, and send it again as it is",
        ),
        "ORDER_NOT_APPROVED" => (
            ErrorKind::Conflict,
            "the shopper has not approved the payment",
        ),
        "DUPLICATE_INVOICE_ID" => (
            ErrorKind::Conflict,
            "this attempt or command was paid before: look at the payments of the order",
        ),
        "ORDER_EXPIRED" | "AUTHORIZATION_EXPIRED" => (
            ErrorKind::Conflict,
            "its time is over: the shopper must pay anew",
        ),
        "TRANSACTION_DISPUTED" | "REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK" => (
            ErrorKind::Conflict,
            "the payment is in dispute, and the dispute decides over it",
        ),
        "REFUND_FAILED_INSUFFICIENT_FUNDS" => (
            ErrorKind::Conflict,
            "the account's balance does not cover the refund: add funds",
        ),
        "PENDING_CAPTURE" => (
            ErrorKind::Conflict,
            "the money has not come yet: it can be refunded once it has",
        ),
        "REFUND_TIME_LIMIT_EXCEEDED" | "REFUND_NOT_ALLOWED" | "MAX_NUMBER_OF_REFUNDS_EXCEEDED" => (
            ErrorKind::Conflict,
            "PayPal refunds this capture no more: pay it back another way",
        ),
        "CANNOT_BE_VOIDED" => (ErrorKind::Conflict, "PayPal does not void this"),
        code if OUT_OF_STATE.contains(&code) || REFUNDED_BEFORE.contains(&code) => (
            ErrorKind::Conflict,
            "the payment is in another state: fetch it and decide anew",
        ),
        "PAYEE_ACCOUNT_RESTRICTED"
        | "PAYEE_ACCOUNT_LOCKED_OR_CLOSED"
        | "PAYEE_NOT_ENABLED_FOR_CARD_PROCESSING"
        | "NOT_ENABLED_FOR_CARD_PROCESSING"
        | "AUTH_CAPTURE_NOT_ENABLED"
        | "TRANSACTION_RECEIVING_LIMIT_EXCEEDED" => (
            ErrorKind::Settings,
            "the account cannot take this payment: see its settings at PayPal",
        ),
        "PERMISSION_DENIED" | "NOT_AUTHORIZED" | "CONSENT_NEEDED" => (
            ErrorKind::Credentials,
            "the app may not do this: turn the feature on for it, and wait for a new token",
        ),
        _ => return None,
    })
}
