//! Webhooks: who is told what.

use serde_json::{Value, json};

use super::amounts::{Amount, Api};
use super::errors::ApiError;
use super::events::{self, Event, Receiver, Resource};
use super::fields::Fields;
use super::router::{Call, Reply};
use super::state::{World, find, row};
use crate::money::Currency;
use crate::simulator::page::is_web;

/// What mock events are signed with; they cannot be verified by the API.
pub(super) const MOCK_WEBHOOK_ID: &str = "WEBHOOK_ID";
const WEBHOOKS_MAX: usize = 10;

/// The events that are simulated; `*` stands for all.
const EVENT_TYPES: &[&str] = &[
    "CHECKOUT.ORDER.APPROVED",
    "CHECKOUT.ORDER.COMPLETED",
    "CHECKOUT.PAYMENT-APPROVAL.REVERSED",
    "PAYMENT.AUTHORIZATION.CREATED",
    "PAYMENT.AUTHORIZATION.VOIDED",
    "PAYMENT.CAPTURE.COMPLETED",
    "PAYMENT.CAPTURE.PENDING",
    "PAYMENT.CAPTURE.DECLINED",
    "PAYMENT.CAPTURE.DENIED",
    "PAYMENT.CAPTURE.REFUNDED",
    "PAYMENT.CAPTURE.REVERSED",
    "PAYMENT.REFUND.PENDING",
    "PAYMENT.REFUND.FAILED",
    "CUSTOMER.DISPUTE.CREATED",
    "CUSTOMER.DISPUTE.UPDATED",
    "CUSTOMER.DISPUTE.RESOLVED",
];

/// A receiver of events. Its id takes part in every signature.
#[derive(Debug, Clone)]
pub(super) struct Webhook {
    pub(super) id: String,
    pub(super) url: String,
    pub(super) event_types: Vec<String>,
}

row!(Webhook);

impl Webhook {
    pub(super) fn wants(&self, kind: &str) -> bool {
        let mut wanted = self.event_types.iter();
        wanted.any(|name| name == "*" || name == kind)
    }

    fn render(&self, world: &World) -> Value {
        let types: Vec<Value> = self
            .event_types
            .iter()
            .map(|name| event_type(name))
            .collect();
        let path = format!("/v1/notifications/webhooks/{}", self.id);
        json!({
            "id": self.id,
            "url": self.url,
            "event_types": types,
            "links": [
                world.link("self", "GET", &path),
                world.link("update", "PATCH", &path),
                world.link("delete", "DELETE", &path),
            ],
        })
    }
}

fn event_type(name: &str) -> Value {
    let description = match name {
        "*" => "All events",
        name => name,
    };
    json!({ "name": name, "description": description, "status": "ENABLED" })
}

pub(super) fn event_types(_: &mut World, _: &Call) -> Result<Reply, ApiError> {
    let types: Vec<Value> = EVENT_TYPES.iter().map(|name| event_type(name)).collect();
    Ok(Reply::ok(json!({ "event_types": types })))
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let fields = Fields::of_body(&call.body, Api::Payments)?;
    let url = fields.needed_text("url", 1..=2048)?;
    let event_types = read_types(&fields.raw("event_types"))?;
    check_url(world, &url, None)?;
    if world.webhooks.oldest_first().count() >= WEBHOOKS_MAX {
        return Err(ApiError::invalid("WEBHOOK_NUMBER_LIMIT_EXCEEDED", "/url"));
    }
    let webhook = Webhook {
        id: world.ids.next(),
        url,
        event_types,
    };
    let answer = webhook.render(world);
    world.webhooks.put(webhook);
    Ok(Reply::with_status(201, answer))
}

fn check_url(world: &World, url: &str, own: Option<&str>) -> Result<(), ApiError> {
    if !is_web(url) || url.parse::<http::Uri>().is_err() {
        return Err(ApiError::invalid("INVALID_PARAMETER_SYNTAX", "/url").with_value(url));
    }
    let mut others = world.webhooks.oldest_first();
    if others.any(|other| other.url == url && own != Some(&other.id)) {
        return Err(ApiError::invalid("WEBHOOK_URL_ALREADY_EXISTS", "/url").with_value(url));
    }
    Ok(())
}

fn read_types(value: &Option<Value>) -> Result<Vec<String>, ApiError> {
    let rows = value.as_ref().and_then(Value::as_array);
    let missing = || ApiError::invalid("MISSING_REQUIRED_PARAMETER", "/event_types");
    let rows = rows.filter(|rows| !rows.is_empty()).ok_or_else(missing)?;
    let name = |row: &Value| match row["name"].as_str() {
        Some(name) if name == "*" || EVENT_TYPES.contains(&name) => Ok(name.to_owned()),
        Some(name) => {
            let error = ApiError::invalid("INVALID_PARAMETER_VALUE", "/event_types");
            Err(error.with_value(name))
        }
        None => Err(missing()),
    };
    rows.iter().map(name).collect()
}

pub(super) fn list(world: &mut World, _: &Call) -> Result<Reply, ApiError> {
    let webhooks = world.webhooks.oldest_first();
    let rows: Vec<Value> = webhooks.map(|webhook| webhook.render(world)).collect();
    Ok(Reply::ok(json!({ "webhooks": rows })))
}

pub(super) fn show(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let webhook = find(&world.webhooks, &call.id)?;
    Ok(Reply::ok(webhook.render(world)))
}

/// A JSON patch that replaces `/url`, `/event_types` or both.
pub(super) fn update(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let mut webhook = find(&world.webhooks, &call.id)?;
    let steps = call.body.as_array().ok_or_else(ApiError::malformed_json)?;
    for step in steps {
        let value = step.get("value").cloned();
        match (step["op"].as_str(), step["path"].as_str()) {
            (Some("replace"), Some("/url")) => {
                let url = value.as_ref().and_then(Value::as_str);
                let url =
                    url.ok_or_else(|| ApiError::invalid("INVALID_PARAMETER_SYNTAX", "/url"))?;
                check_url(world, url, Some(&webhook.id))?;
                url.clone_into(&mut webhook.url);
            }
            (Some("replace"), Some("/event_types")) => webhook.event_types = read_types(&value)?,
            _ => return Err(ApiError::invalid("INVALID_PARAMETER_VALUE", "/path")),
        }
    }
    let answer = webhook.render(world);
    world.webhooks.put(webhook);
    Ok(Reply::ok(answer))
}

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    match world.webhooks.remove(&call.id) {
        Some(_) => Ok(Reply::no_content()),
        None => Err(ApiError::not_found()),
    }
}

/// Sends an event about an object that does not exist, to a webhook or to any address.
pub(super) fn simulate(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let fields = Fields::of_body(&call.body, Api::Payments)?;
    let kind = fields.needed_text("event_type", 1..=50)?;
    if !EVENT_TYPES.contains(&kind.as_str()) {
        let error = ApiError::invalid("INVALID_PARAMETER_VALUE", "/event_type");
        return Err(error.with_value(&kind));
    }
    let url = match (
        fields.text("webhook_id", 1..=50)?,
        fields.text("url", 1..=2048)?,
    ) {
        (Some(id), _) => find(&world.webhooks, &id)?.url,
        (None, Some(url)) if is_web(&url) => url,
        (None, _) => return Err(fields.missing("webhook_id")),
    };
    let event = Event {
        id: world.ids.event(),
        created: world.now,
        summary: "A mock event".to_owned(),
        resource: mock_resource(world, &kind),
        kind,
    };
    let (id, answer) = (event.id.clone(), event.render(world));
    world.events.put(event);
    events::post(world, Receiver::Address(url), &id);
    Ok(Reply::with_status(202, answer))
}

fn mock_resource(world: &mut World, kind: &str) -> Resource {
    let amount = Amount {
        units: 1000,
        currency: Currency::USD,
    };
    let object = json!({
        "id": world.ids.next(),
        "status": "COMPLETED",
        "amount": amount.render(),
        "create_time": world.now.to_string(),
        "update_time": world.now.to_string(),
    });
    match kind.split('.').nth(1) {
        Some("ORDER" | "PAYMENT-APPROVAL") => Resource::Order(json!({
            "id": object.get("id"),
            "status": "APPROVED",
            "create_time": object.get("create_time"),
        })),
        Some("AUTHORIZATION") => Resource::Authorization(object),
        Some("REFUND") => Resource::Refund(object),
        Some("DISPUTE") => Resource::Dispute(json!({
            "dispute_id": format!("PP-D-{}", world.ids.digits(6)),
            "status": "OPEN",
            "dispute_amount": amount.render(),
        })),
        _ if kind == "PAYMENT.CAPTURE.REFUNDED" => Resource::Refund(object),
        _ => Resource::Capture(object),
    }
}
