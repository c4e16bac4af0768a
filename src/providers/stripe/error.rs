//! From Stripe's errors to ours: who must act, and whether money could have moved.
//!
//! Sources: <https://docs.stripe.com/error-codes>, <https://docs.stripe.com/api/errors>,
//! <https://docs.stripe.com/api/idempotent_requests>.

use std::fmt::Write;

use super::convert::Reader;
use super::decline::Refusal;
use super::wire::{ApiError, ErrorBody, Link};
use crate::error::{Effect, Error, ErrorKind};
use crate::http::ApiResponse;
use crate::mode::Mode;

/// Codes by which Stripe says that the payment is no longer in the state that the request needs.
/// What was asked for may have been done before: only a look at the payment tells.
const OUT_OF_STATE: [&str; 5] = [
    "charge_already_captured",
    "charge_already_refunded",
    "charge_expired_for_capture",
    "capture_charge_authorization_expired",
    "payment_intent_unexpected_state",
];

/// Whether to look at the payment before the error is believed.
pub(super) fn is_out_of_state(error: &Error) -> bool {
    error
        .code()
        .is_some_and(|code| OUT_OF_STATE.contains(&code))
}

/// The error that an answer other than a success makes. Stripe's message stays behind: it is free
/// text and may quote what was sent.
pub(super) fn error_of<M: Mode>(response: &ApiResponse, reader: Reader<'_, M>) -> Error {
    let Ok(body) = response.json::<ErrorBody<'_>>() else {
        return response.refusal();
    };
    let stripe = &body.error;
    let intent = stripe.payment_intent.as_deref();
    let mut error = match kind_of(response, stripe) {
        Some((kind, message)) => response.error(kind, with_parameter(message, stripe)),
        None => response.refusal(),
    };
    // Of the request that the key was first sent with, this one tells nothing.
    if stripe.kind.as_deref() == Some("idempotency_error")
        || stripe.code.as_deref() == Some("idempotency_key_in_use")
    {
        error = error.with_effect(Effect::Unknown);
    }
    if let Some(code) = stripe.decline_code.as_deref().or(stripe.code.as_deref()) {
        error = error.with_code(code);
    }
    let Some(intent) = intent else { return error };
    if let Err(wrong_mode) = reader.check_mode(intent.livemode) {
        return wrong_mode.with_effect(response.effect());
    }
    match intent.id.as_deref().map(|id| reader.payment_id(id)) {
        Some(Ok(id)) => error.with_payment(&id),
        _ => error,
    }
}

/// What the code says, or `None` where the status says as much.
fn kind_of(response: &ApiResponse, error: &ApiError<'_>) -> Option<(ErrorKind, &'static str)> {
    let code = error.code.as_deref().unwrap_or_default();
    let status = response.status().as_u16();
    Some(match code {
        "livemode_mismatch" | "testmode_charges_only" => (
            ErrorKind::WrongMode,
            "the key and what it was used for are of two modes",
        ),
        "secret_key_required" | "api_key_expired" | "platform_api_key_expired" => (
            ErrorKind::Credentials,
            "the key does not serve for this: make a new one",
        ),
        "resource_missing" => (
            ErrorKind::NotFound,
            "Stripe knows no such thing in this account",
        ),
        "idempotency_key_in_use" => (
            ErrorKind::Unavailable,
            "the same request is under way: wait, and send it again as it is",
        ),
        "lock_timeout" => {
            let after = response.retry_after();
            (
                ErrorKind::RateLimited { after },
                "Stripe is busy with the same payment: wait",
            )
        }
        "charge_expired_for_capture" | "capture_charge_authorization_expired" => (
            ErrorKind::Conflict,
            "the hold has lapsed: the shopper must pay anew",
        ),
        "charge_already_captured"
        | "charge_already_refunded"
        | "payment_intent_unexpected_state" => (
            ErrorKind::Conflict,
            "the payment is in another state: fetch it and decide anew",
        ),
        "charge_disputed" | "refund_disputed_payment" => (
            ErrorKind::Conflict,
            "the payment is in dispute, and the dispute decides over it",
        ),
        "balance_insufficient" => (
            ErrorKind::Conflict,
            "the account's balance does not cover the refund: add funds",
        ),
        "amount_too_small" | "amount_too_large" => (
            ErrorKind::InvalidRequest,
            "Stripe does not take this amount",
        ),
        _ if error.kind.as_deref() == Some("idempotency_error") => (
            ErrorKind::Conflict,
            "the same key was sent with another request: look what became of that one first",
        ),
        _ if is_decline(status, error) => {
            let intent = error.payment_intent.as_deref();
            let charge = intent.and_then(|intent| intent.latest_charge.as_ref());
            let refusal = Refusal::of_error(error).with_charge(charge.and_then(Link::object));
            (
                ErrorKind::Declined(refusal.decline()),
                "the payment was refused",
            )
        }
        _ if status == 400 => (ErrorKind::InvalidRequest, "Stripe refused the request"),
        _ => return None,
    })
}

fn is_decline(status: u16, error: &ApiError<'_>) -> bool {
    status == 402
        || error.kind.as_deref() == Some("card_error")
        || error.code.as_deref() == Some("payment_intent_authentication_failure")
}

/// Names the parameter that Stripe complains about, if it reads like one.
fn with_parameter(message: &'static str, error: &ApiError<'_>) -> String {
    let mut text = message.to_owned();
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_[]".contains(c);
    if let Some(name) = error.param.as_deref().filter(|name| name.len() <= 64)
        && name.chars().all(is_name)
    {
        // Writing to a string does not fail.
        let _ = write!(text, " (parameter {name})");
    }
    text
}
