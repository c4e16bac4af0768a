//! Events and their way to the webhook endpoints.
//!
//! Source: docs.stripe.com/webhooks and docs.stripe.com/webhooks/signature.

use std::time::Duration;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::Request;
use serde_json::{Value, json};
use sha2::Sha256;

use super::endpoints;
use super::errors::ApiError;
use super::listing::Page;
use super::router::Call;
use super::state::{API_VERSION, Caller, Record, World, record_table};
use crate::clock::Timestamp;
use crate::simulator::mailroom::Parcel;
use crate::simulator::{DeliveryId, WebhookDelivery};

pub(super) use super::endpoints::WebhookEndpoint;

/// In test mode a webhook that fails is tried three more times over a few hours.
const RETRY_AFTER: [Duration; 3] = [
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 60 * 60),
];
/// `GET /v1/events` goes back this far.
const KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Something that happened, with the object as it was then.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) created: Timestamp,
    kind: String,
    object: Value,
    previous: Option<Value>,
    caller: Caller,
    pending_webhooks: u64,
}

impl Record for Event {
    const OBJECT: &'static str = "event";
    record_table!(events);

    fn render(&self, _: &World) -> Value {
        self.to_json(API_VERSION)
    }
}

impl Event {
    fn to_json(&self, api_version: &str) -> Value {
        let mut data = json!({ "object": self.object });
        if let (Some(previous), Some(data)) = (&self.previous, data.as_object_mut()) {
            let _ = data.insert("previous_attributes".to_owned(), previous.clone());
        }
        json!({
            "id": self.id,
            "object": "event",
            "api_version": api_version,
            "created": self.created.unix(),
            "data": data,
            "livemode": false,
            "pending_webhooks": self.pending_webhooks,
            "request": {
                "id": self.caller.request_id,
                "idempotency_key": self.caller.idempotency_key,
            },
            "type": self.kind,
        })
    }
}

/// Records an event and posts it to every endpoint that subscribes to it.
pub(super) fn emit(world: &mut World, kind: &str, object: Value, previous: Option<Value>) {
    let receivers: Vec<String> = world
        .endpoints
        .oldest_first()
        .filter(|endpoint| endpoint.wants(kind))
        .map(|endpoint| endpoint.id.clone())
        .collect();
    let event = Event {
        id: world.ids.next("evt"),
        created: world.now,
        kind: kind.to_owned(),
        object,
        previous,
        caller: world.caller.clone(),
        pending_webhooks: receivers.len() as u64,
    };
    for endpoint in receivers {
        let event = event.id.clone();
        world.mail.post(world.now, Errand { endpoint, event });
    }
    world.put(event);
}

/// What is on its way: an event, to an endpoint.
#[derive(Debug, Clone)]
pub(super) struct Errand {
    endpoint: String,
    event: String,
}

/// Takes what is due, signed as of now.
pub(super) fn due(world: &mut World) -> Vec<WebhookDelivery> {
    let mut deliveries = Vec::new();
    while let Some((id, parcel)) = world.mail.hand_out(world.now) {
        deliveries.extend(pack(world, id, &parcel));
    }
    deliveries
}

/// `None` if the endpoint was deleted meanwhile.
fn pack(world: &World, id: DeliveryId, parcel: &Parcel<Errand>) -> Option<WebhookDelivery> {
    let endpoint = world.endpoints.get(&parcel.content.endpoint)?;
    let event = world.events.get(&parcel.content.event)?;
    let body = serde_json::to_string_pretty(&event.to_json(&endpoint.api_version)).ok()?;
    let signature = signature_header(&endpoint.secrets_at(world.now), world.now, body.as_bytes());
    let request = Request::post(&endpoint.url)
        .header("content-type", "application/json; charset=utf-8")
        .header("accept", "*/*; q=0.5, application/xml")
        .header("cache-control", "no-cache")
        .header(
            "user-agent",
            "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        )
        .header("stripe-signature", signature)
        .body(Bytes::from(body))
        .ok()?;
    Some(WebhookDelivery {
        id,
        event: event.id.clone(),
        kind: event.kind.clone(),
        attempt: parcel.attempt,
        request,
    })
}

/// Notes how the receiver answered; the next try is planned if it must be.
pub(super) fn report(world: &mut World, id: DeliveryId, status: Option<u16>) {
    let received = world.mail.report(world.now, id, status, &RETRY_AFTER);
    let event = received.and_then(|errand| world.events.get(&errand.event).cloned());
    if let Some(event) = event {
        let pending_webhooks = event.pending_webhooks.saturating_sub(1);
        world.put(Event {
            pending_webhooks,
            ..event
        });
    }
}

/// `t=…,v1=…`, with one `v1` for each secret that is valid now.
fn signature_header(secrets: &[&str], now: Timestamp, body: &[u8]) -> String {
    let mut header = format!("t={}", now.unix());
    for secret in secrets {
        // HMAC takes a key of any length.
        if let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes()) {
            mac.update(format!("{}.", now.unix()).as_bytes());
            mac.update(body);
            header.push_str(",v1=");
            header.push_str(&hex::encode(mac.finalize().into_bytes()));
        }
    }
    header
}

pub(super) fn list(world: &mut World, mut call: Call) -> Result<Value, ApiError> {
    let page = Page::take(&mut call.params)?;
    let kind = call.params.filled("type")?;
    let kinds = call.params.texts("types")?;
    let delivered = call.params.boolean("delivery_success")?;
    call.params.finish()?;
    if kind.is_some() && !kinds.is_empty() {
        let message = "You may pass either `type` or `types`, but not both";
        return Err(ApiError::invalid_request(message));
    }
    let oldest = world.now.saturating_sub(KEPT_FOR);
    page.of::<Event>(world, "/v1/events", |event| {
        event.created >= oldest
            && kind
                .as_ref()
                .is_none_or(|kind| endpoints::matches(kind, &event.kind))
            && (kinds.is_empty() || kinds.iter().any(|k| endpoints::matches(k, &event.kind)))
            && delivered.is_none_or(|delivered| delivered == (event.pending_webhooks == 0))
    })
}

pub(super) fn retrieve(world: &mut World, call: Call) -> Result<Value, ApiError> {
    call.params.finish()?;
    Ok(world.find::<Event>(&call.id)?.render(world))
}
