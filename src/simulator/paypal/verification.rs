//! `verify-webhook-signature`: PayPal's own word on a delivery.

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::errors::ApiError;
use super::events;
use super::router::{Call, Reply};
use super::state::World;

/// The request; the event's text is kept as it came, since the checksum is over it.
#[derive(Deserialize)]
struct Request<'body> {
    auth_algo: String,
    cert_url: String,
    transmission_id: String,
    transmission_sig: String,
    transmission_time: String,
    webhook_id: String,
    #[serde(borrow)]
    webhook_event: &'body RawValue,
}

pub(super) fn verify(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let request: Request<'_> = serde_json::from_slice(&call.bytes)
        .map_err(|_| ApiError::invalid("MISSING_REQUIRED_PARAMETER", ""))?;
    let text = events::signed_text(
        &request.transmission_id,
        &request.transmission_time,
        &request.webhook_id,
        request.webhook_event.get().as_bytes(),
    );
    let certificate = world.api_url(&world.notary.certificate_path());
    // The scheme gives one text one signature.
    let genuine = request.auth_algo == "SHA256withRSA"
        && request.cert_url == certificate
        && world.webhooks.get(&request.webhook_id).is_some()
        && request.transmission_sig == world.notary.sign(&text);
    let status = if genuine { "SUCCESS" } else { "FAILURE" };
    Ok(Reply::ok(json!({ "verification_status": status })))
}
