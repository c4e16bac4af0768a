//! Events and their way to the webhook endpoints.
//!
//! Source: docs.stripe.com/webhooks and docs.stripe.com/webhooks/signature.

use std::collections::{BTreeMap, HashMap};
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
use crate::simulator::{DeliveryId, WebhookDelivery, WebhookFault, WebhookOdds};

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
        world.mail.post(world.now, endpoint, event.id.clone());
    }
    world.put(event);
}

/// Webhooks on their way.
#[derive(Debug)]
pub(super) struct Mailroom {
    pub(super) odds: WebhookOdds,
    waiting: BTreeMap<(Timestamp, u64), Parcel>,
    handed_out: HashMap<DeliveryId, Parcel>,
    order_next: u64,
    delivery_next: u64,
}

#[derive(Debug, Clone)]
struct Parcel {
    endpoint: String,
    event: String,
    attempt: u32,
}

impl Mailroom {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            // Its own draws, so that what happens to webhooks does not change the ids.
            odds: WebhookOdds::new(seed ^ 0x77_65_62_68_6f_6f_6b_73),
            waiting: BTreeMap::new(),
            handed_out: HashMap::new(),
            order_next: 0,
            delivery_next: 1,
        }
    }

    fn post(&mut self, now: Timestamp, endpoint: String, event: String) {
        let parcel = Parcel {
            endpoint,
            event,
            attempt: 1,
        };
        match self.odds.draw() {
            WebhookFault::None => self.queue(now, 0, parcel),
            WebhookFault::Drop => {}
            WebhookFault::Duplicate => {
                self.queue(now, 0, parcel.clone());
                self.queue(now, 0, parcel);
            }
            WebhookFault::Delay(by) => self.queue(now.saturating_add(by), 0, parcel),
            WebhookFault::Reorder => self.queue(now, 3, parcel),
        }
    }

    /// Orders are even, so that `behind` = 3 puts a parcel just after the one that follows.
    fn queue(&mut self, at: Timestamp, behind: u64, parcel: Parcel) {
        let _ = self.waiting.insert((at, self.order_next + behind), parcel);
        self.order_next += 2;
    }
}

/// Takes what is due, signed as of now.
pub(super) fn due(world: &mut World) -> Vec<WebhookDelivery> {
    let mut deliveries = Vec::new();
    while let Some(entry) = world.mail.waiting.first_entry() {
        let (at, _) = *entry.key();
        if at > world.now {
            break;
        }
        let parcel = entry.remove();
        let id = DeliveryId(world.mail.delivery_next);
        if let Some(delivery) = pack(world, id, &parcel) {
            world.mail.delivery_next += 1;
            let _ = world.mail.handed_out.insert(id, parcel);
            deliveries.push(delivery);
        }
    }
    deliveries
}

/// `None` if the endpoint was deleted meanwhile.
fn pack(world: &World, id: DeliveryId, parcel: &Parcel) -> Option<WebhookDelivery> {
    let endpoint = world.endpoints.get(&parcel.endpoint)?;
    let event = world.events.get(&parcel.event)?;
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

/// Notes how the receiver answered and plans the next try if it must.
pub(super) fn report(world: &mut World, id: DeliveryId, status: Option<u16>) {
    let Some(parcel) = world.mail.handed_out.remove(&id) else {
        return;
    };
    if status.is_some_and(|status| (200..300).contains(&status)) {
        if let Some(event) = world.events.get(&parcel.event).cloned() {
            let pending_webhooks = event.pending_webhooks.saturating_sub(1);
            world.put(Event {
                pending_webhooks,
                ..event
            });
        }
        return;
    }
    let tried = usize::try_from(parcel.attempt).unwrap_or(usize::MAX) - 1;
    if let Some(wait) = RETRY_AFTER.get(tried) {
        let at = world.now.saturating_add(*wait);
        let attempt = parcel.attempt + 1;
        world.mail.queue(at, 0, Parcel { attempt, ..parcel });
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
