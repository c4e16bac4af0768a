//! Events, and their way to the webhooks.
//!
//! Source: `notifications_webhooks_v1` of the official specifications, and
//! developer.paypal.com/api/rest/webhooks: a delivery that fails is tried 25 times in three days.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use super::errors::ApiError;
use super::reports::instant;
use super::router::{Call, Reply};
use super::state::{World, find, row};
use super::webhooks;
use crate::clock::Timestamp;
use crate::simulator::mailroom::Parcel;
use crate::simulator::{DeliveryId, WebhookDelivery};

const RETRY_AFTER: [Duration; 24] = [Duration::from_secs(3 * 60 * 60); 24];
const PAGE_SIZE: usize = 10;

/// Something that happened, with the object as it was then.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) created: Timestamp,
    pub(super) kind: String,
    pub(super) summary: String,
    pub(super) resource: Resource,
}

/// What an event is about.
#[derive(Debug, Clone)]
pub(super) enum Resource {
    Order(Value),
    Authorization(Value),
    Capture(Value),
    Refund(Value),
    Dispute(Value),
}

impl Resource {
    /// The object, the name of its type and its version.
    fn parts(&self) -> (&Value, &'static str, Option<&'static str>) {
        match self {
            Self::Order(order) => (order, "checkout-order", Some("2.0")),
            Self::Authorization(held) => (held, "authorization", Some("2.0")),
            Self::Capture(capture) => (capture, "capture", Some("2.0")),
            Self::Refund(refund) => (refund, "refund", Some("2.0")),
            Self::Dispute(dispute) => (dispute, "dispute", None),
        }
    }
}

row!(Event);

impl Event {
    pub(super) fn render(&self, world: &World) -> Value {
        let (resource, kind, version) = self.resource.parts();
        let path = format!("/v1/notifications/webhooks-events/{}", self.id);
        let mut object = json!({
            "id": self.id,
            "event_version": "1.0",
            "create_time": self.created.to_string().replace('Z', ".000Z"),
            "resource_type": kind,
            "event_type": self.kind,
            "summary": self.summary,
            "resource": resource,
            "links": [
                world.link("self", "GET", &path),
                world.link("resend", "POST", &format!("{path}/resend")),
            ],
        });
        let version = version.map(|version| json!(version));
        super::state::put_some(&mut object, [("resource_version", version)]);
        object
    }
}

/// What is on its way: an event, to a webhook or to an address.
#[derive(Debug, Clone)]
pub(super) struct Errand {
    pub(super) to: Receiver,
    pub(super) event: String,
    /// The id that all tries of it have in common.
    pub(super) transmission: String,
}

#[derive(Debug, Clone)]
pub(super) enum Receiver {
    /// The webhook with this id.
    Webhook(String),
    /// An address that asked for a mock event.
    Address(String),
}

/// Records an event and posts it to every webhook that subscribes to it.
pub(super) fn emit(world: &mut World, kind: &str, summary: &str, resource: Resource) {
    let event = Event {
        id: world.ids.event(),
        created: world.now,
        kind: kind.to_owned(),
        summary: summary.to_owned(),
        resource,
    };
    let receivers: Vec<String> = world
        .webhooks
        .oldest_first()
        .filter(|webhook| webhook.wants(kind))
        .map(|webhook| webhook.id.clone())
        .collect();
    let id = event.id.clone();
    world.events.put(event);
    for webhook in receivers {
        post(world, Receiver::Webhook(webhook), &id);
    }
}

pub(super) fn post(world: &mut World, to: Receiver, event: &str) {
    let errand = Errand {
        to,
        event: event.to_owned(),
        transmission: world.ids.uuid(),
    };
    world.mail.post(world.now, errand);
}

/// Takes what is due, signed as of now.
pub(super) fn due(world: &mut World) -> Vec<WebhookDelivery> {
    let mut deliveries = Vec::new();
    while let Some((id, parcel)) = world.mail.hand_out(world.now) {
        deliveries.extend(pack(world, id, &parcel));
    }
    deliveries
}

/// `None` if the webhook was deleted meanwhile.
fn pack(world: &World, id: DeliveryId, parcel: &Parcel<Errand>) -> Option<WebhookDelivery> {
    let errand = &parcel.content;
    let event = world.events.get(&errand.event)?;
    let (url, webhook) = match &errand.to {
        Receiver::Webhook(id) => (world.webhooks.get(id)?.url.as_str(), id.as_str()),
        Receiver::Address(url) => (url.as_str(), webhooks::MOCK_WEBHOOK_ID),
    };
    let body = event.render(world).to_string().into_bytes();
    let request = sign(world, url, webhook, &errand.transmission, world.now, body)?;
    Some(WebhookDelivery {
        id,
        event: event.id.clone(),
        kind: event.kind.clone(),
        attempt: parcel.attempt,
        request,
    })
}

/// The request that carries a body, signed for a webhook.
pub(super) fn sign(
    world: &World,
    url: &str,
    webhook: &str,
    transmission: &str,
    at: Timestamp,
    body: Vec<u8>,
) -> Option<Request<Bytes>> {
    let text = signed_text(transmission, &at.to_string(), webhook, &body);
    let certificate = world.api_url(&world.notary.certificate_path());
    Request::post(url)
        .header("content-type", "application/json")
        .header("user-agent", "PayPal/AUHD-214.0-58143493 (simulated)")
        .header("paypal-transmission-id", transmission)
        .header("paypal-transmission-time", at.to_string())
        .header("paypal-transmission-sig", world.notary.sign(&text))
        .header("paypal-auth-version", "v2")
        .header("paypal-auth-algo", "SHA256withRSA")
        .header("paypal-cert-url", certificate)
        .body(Bytes::from(body))
        .ok()
}

/// What is signed: the checksum stands for the body.
pub(super) fn signed_text(transmission: &str, time: &str, webhook: &str, body: &[u8]) -> String {
    format!("{transmission}|{time}|{webhook}|{}", crc32fast::hash(body))
}

/// Notes how the receiver answered; the next try is planned if it must be.
pub(super) fn report(world: &mut World, id: DeliveryId, status: Option<u16>) {
    let _ = world.mail.report(world.now, id, status, &RETRY_AFTER);
}

pub(super) fn list(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let size = match call.query("page_size") {
        None => PAGE_SIZE,
        Some(text) => text
            .parse()
            .map_err(|_| ApiError::invalid("INVALID_PARAMETER_SYNTAX", "page_size"))?,
    };
    let (start, end) = (instant(call, "start_time")?, instant(call, "end_time")?);
    let kind = call.query("event_type");
    let about = call.query("transaction_id");
    let after = call.query("next_page_token");
    let matching = world.events.newest_first().filter(|event| {
        let (resource, ..) = event.resource.parts();
        start.is_none_or(|start| event.created >= start)
            && end.is_none_or(|end| event.created <= end)
            && kind.is_none_or(|kind| kind == event.kind)
            && about.is_none_or(|id| resource["id"] == id)
    });
    let matching: Vec<&Event> = matching.collect();
    let skip = after.and_then(|id| matching.iter().position(|event| event.id == id));
    let skip = skip.map_or(0, |at| at + 1);
    let page: Vec<&&Event> = matching.iter().skip(skip).take(size).collect();
    let rows: Vec<Value> = page.iter().map(|event| event.render(world)).collect();
    let path = "/v1/notifications/webhooks-events";
    let mut links = vec![world.link("self", "GET", path)];
    if let Some(last) = page.last()
        && skip + page.len() < matching.len()
    {
        let next = format!("{path}?page_size={size}&next_page_token={}", last.id);
        links.push(world.link("next", "GET", &next));
    }
    Ok(Reply::ok(
        json!({ "events": rows, "count": rows.len(), "links": links }),
    ))
}

pub(super) fn show(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let event = find(&world.events, &call.id)?;
    Ok(Reply::ok(event.render(world)))
}

/// Sends an event again, to the webhooks that are named or to all that want it.
pub(super) fn resend(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let event = find(&world.events, &call.id)?;
    let named = call.body.get("webhook_ids").and_then(Value::as_array);
    let receivers: Vec<String> = world
        .webhooks
        .oldest_first()
        .filter(|webhook| match named {
            Some(named) => named.iter().any(|id| *id == *webhook.id),
            None => webhook.wants(&event.kind),
        })
        .map(|webhook| webhook.id.clone())
        .collect();
    for webhook in receivers {
        post(world, Receiver::Webhook(webhook), &event.id);
    }
    Ok(Reply::with_status(202, event.render(world)))
}
