//! Webhook endpoints: where events go, what each wants, and the secrets that sign.

use std::time::Duration;

use serde_json::{Value, json};

use super::errors::ApiError;
use super::listing::Page;
use super::router::Call;
use super::state::{API_VERSION, Metadata, Record, World, record_table};
use crate::clock::Timestamp;

/// An address that receives events.
#[derive(Debug, Clone)]
pub(super) struct WebhookEndpoint {
    pub(super) id: String,
    pub(super) created: Timestamp,
    pub(super) url: String,
    pub(super) api_version: String,
    enabled_events: Vec<String>,
    description: Option<String>,
    metadata: Metadata,
    disabled: bool,
    secret: String,
    /// The secret before, which signs too until the instant given.
    rolled: Option<(String, Timestamp)>,
}

impl Record for WebhookEndpoint {
    const OBJECT: &'static str = "webhook_endpoint";
    record_table!(endpoints);

    /// Without the secret, which is told once, at creation.
    fn render(&self, _: &World) -> Value {
        json!({
            "id": self.id,
            "object": "webhook_endpoint",
            "api_version": self.api_version,
            "application": null,
            "created": self.created.unix(),
            "description": self.description,
            "enabled_events": self.enabled_events,
            "livemode": false,
            "metadata": self.metadata,
            "status": if self.disabled { "disabled" } else { "enabled" },
            "url": self.url,
        })
    }
}

impl WebhookEndpoint {
    pub(super) fn wants(&self, kind: &str) -> bool {
        !self.disabled && self.enabled_events.iter().any(|name| matches(name, kind))
    }

    /// The secrets that sign now, the newest first.
    pub(super) fn secrets_at(&self, now: Timestamp) -> Vec<&str> {
        let mut secrets = vec![self.secret.as_str()];
        if let Some((old, until)) = &self.rolled
            && now < *until
        {
            secrets.push(old);
        }
        secrets
    }
}

/// Whether an event name, `*` or `charge.*` fits an event.
pub(super) fn matches(name: &str, kind: &str) -> bool {
    match name.strip_suffix('*') {
        Some(prefix) => kind.starts_with(prefix),
        None => name == kind,
    }
}

/// Adds an endpoint whose secret is known already; its id is answered.
pub(super) fn register(world: &mut World, url: &str, secret: &str, events: &[&str]) -> String {
    let endpoint = WebhookEndpoint {
        id: world.ids.next("we"),
        created: world.now,
        url: url.to_owned(),
        api_version: API_VERSION.to_owned(),
        enabled_events: events.iter().map(|name| (*name).to_owned()).collect(),
        description: None,
        metadata: Metadata::new(),
        disabled: false,
        secret: secret.to_owned(),
        rolled: None,
    };
    let id = endpoint.id.clone();
    world.put(endpoint);
    id
}

/// Gives an endpoint a new secret; the old one signs too for `overlap`.
pub(super) fn roll_secret(
    world: &mut World,
    id: &str,
    secret: &str,
    overlap: Duration,
) -> Result<(), ApiError> {
    let mut endpoint: WebhookEndpoint = world.find(id)?;
    let old = std::mem::replace(&mut endpoint.secret, secret.to_owned());
    endpoint.rolled = Some((old, world.now.saturating_add(overlap)));
    world.put(endpoint);
    Ok(())
}

pub(super) fn create(world: &mut World, mut call: Call) -> Result<Value, ApiError> {
    let params = &mut call.params;
    let url = params.url("url")?;
    let url = url.ok_or_else(|| ApiError::missing_param("url"))?;
    let enabled_events = params.texts("enabled_events")?;
    if enabled_events.is_empty() {
        return Err(ApiError::missing_param("enabled_events"));
    }
    let api_version = params.filled("api_version")?;
    let description = params.text("description")?;
    let metadata = params.metadata()?.initial();
    params.accept(&["connect"]);
    call.params.finish()?;

    let secret = format!("whsec_{}", world.ids.letters(32));
    let names: Vec<&str> = enabled_events.iter().map(String::as_str).collect();
    let id = register(world, &url, &secret, &names);
    let mut endpoint: WebhookEndpoint = world.find(&id)?;
    endpoint.api_version = api_version.unwrap_or_else(|| API_VERSION.to_owned());
    endpoint.description = description.filter(|text| !text.is_empty());
    endpoint.metadata = metadata;
    let mut answer = endpoint.render(world);
    if let Some(fields) = answer.as_object_mut() {
        let _ = fields.insert("secret".to_owned(), json!(secret));
    }
    world.put(endpoint);
    Ok(answer)
}

pub(super) fn update(world: &mut World, mut call: Call) -> Result<Value, ApiError> {
    let params = &mut call.params;
    let url = params.url("url")?;
    let enabled_events = params.texts("enabled_events")?;
    let disabled = params.boolean("disabled")?;
    let description = params.text("description")?;
    let metadata = params.metadata()?;
    call.params.finish()?;

    let mut endpoint: WebhookEndpoint = world.find(&call.id)?;
    endpoint.url = url.unwrap_or(endpoint.url);
    if !enabled_events.is_empty() {
        endpoint.enabled_events = enabled_events;
    }
    endpoint.disabled = disabled.unwrap_or(endpoint.disabled);
    endpoint.description = description.or(endpoint.description);
    metadata.apply(&mut endpoint.metadata);
    let answer = endpoint.render(world);
    world.put(endpoint);
    Ok(answer)
}

pub(super) fn list(world: &mut World, mut call: Call) -> Result<Value, ApiError> {
    let page = Page::take(&mut call.params)?;
    call.params.finish()?;
    page.of::<WebhookEndpoint>(world, "/v1/webhook_endpoints", |_| true)
}

pub(super) fn retrieve(world: &mut World, call: Call) -> Result<Value, ApiError> {
    call.params.finish()?;
    Ok(world.find::<WebhookEndpoint>(&call.id)?.render(world))
}

pub(super) fn delete(world: &mut World, call: Call) -> Result<Value, ApiError> {
    call.params.finish()?;
    let endpoint: WebhookEndpoint = world.find(&call.id)?;
    let _ = world.endpoints.remove(&endpoint.id);
    Ok(json!({ "id": endpoint.id, "object": "webhook_endpoint", "deleted": true }))
}
