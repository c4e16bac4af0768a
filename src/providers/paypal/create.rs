//! The body that begins an order, and what PayPal would refuse in it.
//!
//! Source: PayPal's OpenAPI description of Orders v2, and
//! <https://developer.paypal.com/docs/api/orders/v2/#orders_create>.

use serde_json::{Value, json};

use super::amount::to_wire;
use crate::error::{Error, ErrorKind, Result};
use crate::id::Reference;
use crate::request::{CaptureMode, CreateRequest};

/// The most characters of a description.
const DESCRIPTION_LONGEST: usize = 127;

/// An order of one purchase unit. The reference is its `custom_id`, which comes back everywhere,
/// and its `invoice_id`, by which PayPal refuses a second payment of the same attempt even after
/// it has forgotten the key, unless the account allows that.
pub(super) fn order_body(
    request: &CreateRequest,
    reference: &Reference,
    (success_url, cancel_url): (&str, &str),
) -> Result<Value> {
    check(request)?;
    let mut unit = json!({
        "amount": to_wire(request.amount)?,
        "custom_id": reference,
        "invoice_id": reference,
    });
    let mut paypal = json!({
        "experience_context": {
            "user_action": "PAY_NOW",
            "return_url": success_url,
            "cancel_url": cancel_url,
        },
    });
    if let (Some(description), Some(unit)) = (&request.description, unit.as_object_mut()) {
        unit.insert("description".into(), description.as_str().into());
    }
    if let (Some(email), Some(paypal)) = (&request.email, paypal.as_object_mut()) {
        paypal.insert("email_address".into(), email.as_str().into());
    }
    let intent = match request.capture {
        CaptureMode::Automatic => "CAPTURE",
        CaptureMode::Manual => "AUTHORIZE",
    };
    Ok(json!({
        "intent": intent,
        "purchase_units": [unit],
        "payment_source": { "paypal": paypal },
    }))
}

fn check(request: &CreateRequest) -> Result<()> {
    if !request.metadata.is_empty() {
        return Err(unsupported("PayPal keeps no metadata: leave it out"));
    }
    if request.expires_at.is_some() {
        return Err(unsupported(
            "PayPal lets nobody choose when an order ends: leave the expiry out",
        ));
    }
    let length = request
        .description
        .as_ref()
        .map(|text| text.chars().count());
    if length.is_some_and(|length| !(1..=DESCRIPTION_LONGEST).contains(&length)) {
        let message = "a description has 1 to 127 characters";
        return Err(Error::new(ErrorKind::InvalidRequest, message));
    }
    Ok(())
}

fn unsupported(message: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, message)
}
