//! The forms that begin a payment, and what Stripe would refuse in them.
//!
//! Sources: <https://docs.stripe.com/api/checkout/sessions/create>,
//! <https://docs.stripe.com/api/payment_intents/create>, <https://docs.stripe.com/api/metadata>,
//! <https://docs.stripe.com/payments/multicapture>.
//! Ways to pay are left to the account's settings (`automatic_payment_methods`), which the pinned
//! version and those after it take; `payment_method_types` was removed in 2026-09-30.endive.

use std::time::Duration;

use super::amount::to_charge;
use super::client::{Form, pair};
use super::wire::REFERENCE_KEY;
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::id::Reference;
use crate::request::{CaptureMode, CreateRequest, DirectMethod, Presence};

/// How soon and how late after its creation a session may end.
const EXPIRY: (Duration, Duration) = (
    Duration::from_secs(30 * 60),
    Duration::from_secs(24 * 60 * 60),
);

/// A Checkout Session. The reference goes to the session and to the intent that it will make, since
/// Stripe does not hand a session's metadata on.
pub(super) fn session_form(
    request: &CreateRequest,
    reference: &Reference,
    (success_url, cancel_url): (&str, &str),
    now: Timestamp,
) -> Result<Form> {
    check_texts(request)?;
    let amount = to_charge(request.amount)?;
    let product = match &request.description {
        Some(description) => description.clone(),
        None => format!("Order {}", request.order),
    };
    let item = |name: &str| format!("line_items[0]{name}");
    let mut form = vec![
        pair("mode", "payment"),
        pair("success_url", success_url),
        pair("cancel_url", cancel_url),
        pair("client_reference_id", reference.to_string()),
        pair(item("[quantity]"), "1"),
        pair(item("[price_data][currency]"), currency_code(request)),
        pair(item("[price_data][unit_amount]"), amount.to_string()),
        pair(item("[price_data][product_data][name]"), product),
    ];
    push_metadata(&mut form, "metadata", request, reference);
    push_metadata(
        &mut form,
        "payment_intent_data[metadata]",
        request,
        reference,
    );
    if request.capture == CaptureMode::Manual {
        form.push(pair("payment_intent_data[capture_method]", "manual"));
        form.push(several_captures());
    }
    if let Some(description) = &request.description {
        form.push(pair("payment_intent_data[description]", description));
    }
    if let Some(email) = &request.email {
        form.push(pair("customer_email", email));
        form.push(pair("payment_intent_data[receipt_email]", email));
    }
    if let Some(expires_at) = request.expires_at {
        let (soonest, latest) = EXPIRY;
        if expires_at < now.saturating_add(soonest) || expires_at > now.saturating_add(latest) {
            return Err(invalid(
                "a Stripe checkout ends 30 minutes to 24 hours after it began",
            ));
        }
        form.push(pair("expires_at", expires_at.unix().to_string()));
    }
    Ok(form)
}

/// A PaymentIntent that is confirmed at once.
pub(super) fn intent_form(
    request: &CreateRequest,
    reference: &Reference,
    (method, presence): (&DirectMethod, Presence),
    return_url: Option<&str>,
) -> Result<Form> {
    check_texts(request)?;
    if request.expires_at.is_some() {
        return Err(invalid(
            "only a hosted checkout ends by time: leave the expiry out",
        ));
    }
    let amount = to_charge(request.amount)?;
    let mut form = vec![
        pair("amount", amount.to_string()),
        pair("currency", currency_code(request)),
        pair("confirm", "true"),
        pair("automatic_payment_methods[enabled]", "true"),
    ];
    match return_url {
        Some(return_url) => form.push(pair("return_url", return_url)),
        // Without a place to come back to, a method that leads the browser away cannot be used.
        None => form.push(pair("automatic_payment_methods[allow_redirects]", "never")),
    }
    push_method(&mut form, method)?;
    if presence == Presence::OffSession {
        form.push(pair("off_session", "true"));
    }
    push_metadata(&mut form, "metadata", request, reference);
    if request.capture == CaptureMode::Manual {
        form.push(pair("capture_method", "manual"));
        form.push(several_captures());
    }
    if let Some(description) = &request.description {
        form.push(pair("description", description));
    }
    if let Some(email) = &request.email {
        form.push(pair("receipt_email", email));
    }
    Ok(form)
}

fn push_method(form: &mut Form, method: &DirectMethod) -> Result<()> {
    match method {
        DirectMethod::Saved { customer, method } => {
            form.push(pair("customer", customer));
            form.push(pair("payment_method", method));
        }
        DirectMethod::Token(token) => match token.expose().split_once('_') {
            Some(("pm", _)) => form.push(pair("payment_method", token.expose())),
            Some(("ctoken", _)) => form.push(pair("confirmation_token", token.expose())),
            Some(("tok", _)) => {
                form.push(pair("payment_method_data[type]", "card"));
                form.push(pair("payment_method_data[card][token]", token.expose()));
            }
            _ => {
                return Err(invalid(
                    "the token is none of Stripe's: it begins with pm_, ctoken_ or tok_",
                ));
            }
        },
    }
    Ok(())
}

fn push_metadata(form: &mut Form, field: &str, request: &CreateRequest, reference: &Reference) {
    form.push(pair(
        format!("{field}[{REFERENCE_KEY}]"),
        reference.to_string(),
    ));
    for (key, value) in &request.metadata {
        form.push(pair(format!("{field}[{key}]"), value));
    }
}

/// Stripe's limits: 50 metadata entries, keys of 40 and values of 500 characters, a description of
/// 1000 and an e-mail address of 512.
fn check_texts(request: &CreateRequest) -> Result<()> {
    if request.metadata.len() > 49 {
        return Err(invalid(
            "Stripe keeps 50 metadata entries, one of which is the reference",
        ));
    }
    for (key, value) in &request.metadata {
        if !(1..=40).contains(&key.chars().count()) || key.contains(['[', ']']) {
            return Err(invalid(
                "a metadata key has 1 to 40 characters and no brackets",
            ));
        }
        if key.starts_with("counterfoil_") {
            return Err(invalid(
                "metadata keys that begin with counterfoil_ are taken",
            ));
        }
        // An empty value would delete the entry.
        if !(1..=500).contains(&value.chars().count()) {
            return Err(invalid("a metadata value has 1 to 500 characters"));
        }
    }
    let fits = |text: &Option<String>, most: usize| {
        text.as_ref()
            .is_none_or(|text| (1..=most).contains(&text.chars().count()))
    };
    if !fits(&request.description, 1_000) {
        return Err(invalid("a description has 1 to 1000 characters"));
    }
    if !fits(&request.email, 512) {
        return Err(invalid("an e-mail address has 1 to 512 characters"));
    }
    Ok(())
}

/// Stripe lets a hold be captured in parts only where that was asked for at creation, and the
/// account may. Source: <https://docs.stripe.com/payments/multicapture>.
fn several_captures() -> (String, String) {
    let field = "payment_method_options[card][request_multicapture]";
    pair(field, "if_available")
}

fn currency_code(request: &CreateRequest) -> String {
    request.amount.currency().code().to_ascii_lowercase()
}

fn invalid(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidRequest, message)
}
