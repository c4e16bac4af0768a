//! The Management API: who a credential is, its merchant accounts, and their webhooks.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::amounts::Amount;
use super::body::{Body, date};
use super::errors::ApiError;
use super::notices::{self, Item};
use super::router::Call;
use super::state::{COMPANY, CaptureTiming, Merchant, World};
use super::webhooks::{self, STANDARD, Webhook};
use crate::simulator::table::Row as _;

const HOST: &str = "management-test.adyen.com";
const PAGE_SIZE: usize = 10;
const PAGE_SIZE_MAX: usize = 100;
/// How long a new key takes until it signs.
const KEY_TAKES: Duration = Duration::ZERO;

/// The events that a test call can be asked for.
const TESTABLE: &[&str] = &[
    "AUTHORISATION",
    "CANCELLATION",
    "CANCEL_OR_REFUND",
    "CAPTURE",
    "CAPTURE_FAILED",
    "CHARGEBACK",
    "CHARGEBACK_REVERSED",
    "EXPIRE",
    "NOTIFICATION_OF_CHARGEBACK",
    "NOTIFICATION_OF_FRAUD",
    "OFFER_CLOSED",
    "REFUND",
    "REFUNDED_REVERSED",
    "REFUND_FAILED",
    "REPORT_AVAILABLE",
    "REQUEST_FOR_INFORMATION",
    "SECOND_CHARGEBACK",
    "TECHNICAL_CANCEL",
];

pub(super) fn me(world: &mut World, call: Call) -> Result<(u16, Value), ApiError> {
    Ok((
        200,
        json!({
            "id": "S2-6262224667",
            "username": format!("ws_123456@Company.{COMPANY}"),
            "clientKey": "test_COUNTERFOILSIMULATOR",
            "companyName": COMPANY,
            "description": "The credential of this request",
            "active": true,
            "allowedIpAddresses": [],
            "allowedOrigins": [],
            "roles": call.keys.roles(call.key),
            "_links": { "self": link(world, "/me") },
        }),
    ))
}

pub(super) fn merchants(world: &mut World, call: Call) -> Result<(u16, Value), ApiError> {
    let reached = world.merchants.iter();
    let reached = reached.filter(|merchant| call.keys.reaches(call.key, &merchant.name));
    let rows: Vec<Value> = reached.map(|one| render_merchant(world, one)).collect();
    page(world, &call, "/merchants", rows).map(|page| (200, page))
}

pub(super) fn merchant(world: &mut World, call: Call) -> Result<(u16, Value), ApiError> {
    call.check_merchant(world, &call.id)?;
    let found = world.merchant(&call.id);
    let merchant = found.ok_or_else(|| ApiError::not_found("Merchant account not found"))?;
    Ok((200, render_merchant(world, merchant)))
}

fn render_merchant(world: &World, merchant: &Merchant) -> Value {
    let path = format!("/merchants/{}", merchant.name);
    let delay = match merchant.capture {
        CaptureTiming::Immediate => "immediate".to_owned(),
        CaptureTiming::Manual => "manual".to_owned(),
        CaptureTiming::Hours(hours) => format!("{}", hours.div_ceil(24)),
    };
    json!({
        "id": merchant.name,
        "name": merchant.name,
        "companyId": COMPANY,
        "captureDelay": delay,
        "defaultShopperInteraction": "Ecommerce",
        "status": "Active",
        "merchantCity": "Amsterdam",
        "primarySettlementCurrency": "EUR",
        "_links": {
            "self": link(world, &path),
            "apiCredentials": link(world, &format!("{path}/apiCredentials")),
            "users": link(world, &format!("{path}/users")),
            "webhooks": link(world, &format!("{path}/webhooks")),
        },
    })
}

pub(super) fn webhooks(world: &mut World, call: Call) -> Result<(u16, Value), ApiError> {
    call.check_merchant(world, &call.id)?;
    let own = world.webhooks.oldest_first();
    let own = own.filter(|webhook| webhook.merchant == call.id);
    let rows: Vec<Value> = own.map(|webhook| render(world, webhook)).collect();
    let path = format!("/merchants/{}/webhooks", call.id);
    page(world, &call, &path, rows).map(|page| (200, page))
}

pub(super) fn webhook(world: &mut World, call: Call) -> Result<(u16, Value), ApiError> {
    let webhook = find(world, &call)?;
    Ok((200, render(world, &webhook)))
}

pub(super) fn add_webhook(world: &mut World, call: Call) -> Result<(u16, Value), ApiError> {
    call.check_merchant(world, &call.id)?;
    let mut body = Body::parse("CreateMerchantWebhookRequest", &call.body)?;
    let kind = required(body.text("type")?, "type")?;
    let url = required(body.text("url")?, "url")?;
    let format = required(body.text("communicationFormat")?, "communicationFormat")?;
    let active = body.boolean("active")?;
    let active = active.ok_or_else(|| missing("active"))?;
    let description = body.text("description")?;
    let (username, password) = (body.text("username")?, body.text("password")?);
    let encryption = body.text("encryptionProtocol")?;
    let settings = body.object("additionalSettings")?.unwrap_or_default();
    body.accept(&[
        "acceptsExpiredCertificate",
        "acceptsSelfSignedCertificate",
        "acceptsUntrustedRootCertificate",
        "networkType",
        "populateSoapActionHeader",
    ]);
    body.finish()?;
    if format != "json" {
        let message = "Only the communication format json is simulated";
        return Err(ApiError::validation("702", message).with_field("communicationFormat", &format));
    }
    let is_url = url
        .parse::<http::Uri>()
        .is_ok_and(|uri| uri.host().is_some());
    if !is_url {
        let message = "Invalid URL";
        return Err(ApiError::validation("702", message).with_field("url", &url));
    }
    let events = settings.get("includeEventCodes").and_then(Value::as_array);
    let events = events.into_iter().flatten().filter_map(Value::as_str);
    let events = events.map(str::to_owned).collect();
    let id = webhooks::register(world, &call.id, &kind, &url, None);
    if let Some(webhook) = world.webhooks.get(&id).cloned() {
        world.webhooks.put(Webhook {
            active,
            description,
            username,
            password,
            encryption,
            events,
            ..webhook
        });
    }
    let added = world.webhooks.get(&id);
    Ok((200, added.map_or(Value::Null, |added| render(world, added))))
}

/// Makes a new key, which is told once.
pub(super) fn generate_hmac(world: &mut World, call: Call) -> Result<(u16, Value), ApiError> {
    let webhook = find(world, &call)?;
    let key: String = (0..4).map(|_| world.ids.hex("")).collect();
    let _ = webhooks::change_key(world, webhook.id(), &key, KEY_TAKES);
    Ok((200, json!({ "hmacKey": key })))
}

/// Sends test notices. They go out after this answer, which cannot know what becomes of them.
pub(super) fn test_webhook(world: &mut World, call: Call) -> Result<(u16, Value), ApiError> {
    let webhook = find(world, &call)?;
    let mut body = Body::parse("TestWebhookRequest", &call.body)?;
    let types = body.texts("types")?;
    let custom = body.object("notification")?;
    body.finish()?;
    let types = if types.is_empty() {
        vec!["AUTHORISATION".to_owned()]
    } else {
        types
    };
    let mut outputs = Vec::new();
    for kind in types {
        let sent = if webhook.kind == STANDARD {
            let item = test_item(world, &webhook, &kind, custom.as_ref())?;
            notices::send_item(world, webhook.id(), item)
        } else {
            let body = test_body(world, &webhook);
            notices::send_whole(world, webhook.id(), &webhook.kind, body.clone());
            body
        };
        outputs.push(json!({
            "merchantId": webhook.merchant,
            "output": "[accepted]",
            "requestSent": sent.to_string(),
            "responseCode": "200",
            "responseTime": "1 ms",
            "status": "success",
        }));
    }
    Ok((200, json!({ "data": outputs })))
}

fn test_item(
    world: &mut World,
    webhook: &Webhook,
    kind: &str,
    custom: Option<&Map<String, Value>>,
) -> Result<Item, ApiError> {
    let text = |name: &str| custom.and_then(|custom| custom.get(name)?.as_str());
    let wanted = match kind {
        "CUSTOM" => text("eventCode").unwrap_or("AUTHORISATION"),
        other => other,
    };
    let Some(event) = TESTABLE.iter().find(|known| **known == wanted) else {
        let message = "This event cannot be tested";
        return Err(ApiError::validation("702", message).with_field("types", wanted));
    };
    let psp = world.ids.psp();
    let mut item = Item::about_account(event, &webhook.merchant, &psp);
    item.reference = text("merchantReference")
        .unwrap_or("TestReference")
        .to_owned();
    item.reason = text("reason").unwrap_or_default().to_owned();
    item.method = Some("visa");
    item.amount.value = 21_000;
    if let Some(custom) = custom.filter(|_| kind == "CUSTOM") {
        item.success = custom
            .get("success")
            .and_then(Value::as_bool)
            .unwrap_or(true);
        if let Some(amount) = custom.get("amount") {
            let value = amount
                .get("value")
                .and_then(Value::as_i64)
                .unwrap_or_default();
            let currency = amount.get("currency").and_then(Value::as_str);
            item.amount = Amount::new(value, currency.unwrap_or("EUR"))?;
        }
    }
    if *event != "AUTHORISATION" && *event != "REPORT_AVAILABLE" {
        item.original = Some(world.ids.psp());
    }
    Ok(item)
}

/// What a webhook of the newer kinds is sent: it has the environment, and is signed as a whole.
fn test_body(world: &World, webhook: &Webhook) -> Value {
    json!({
        "createdAt": date(world.now),
        "data": { "merchantId": webhook.merchant, "status": "Active" },
        "environment": "test",
        "type": "merchant.updated",
    })
}

fn render(world: &World, webhook: &Webhook) -> Value {
    let path = format!("/merchants/{}/webhooks/{}", webhook.merchant, webhook.id());
    let mut fields = json!({
        "id": webhook.id(),
        "type": webhook.kind,
        "url": webhook.url,
        "active": webhook.active,
        "communicationFormat": "json",
        "hasPassword": webhook.password.is_some(),
        "hasError": false,
        "acceptsExpiredCertificate": false,
        "acceptsSelfSignedCertificate": false,
        "acceptsUntrustedRootCertificate": false,
        "populateSoapActionHeader": false,
        "additionalSettings": { "includeEventCodes": webhook.events },
        "_links": {
            "self": link(world, &path),
            "generateHmac": link(world, &format!("{path}/generateHmac")),
            "merchant": link(world, &format!("/merchants/{}", webhook.merchant)),
            "testWebhook": link(world, &format!("{path}/test")),
        },
    });
    let check_value = webhook.hmac_key.as_deref().and_then(webhooks::check_value);
    let optional = [
        ("description", &webhook.description),
        ("username", &webhook.username),
        ("encryptionProtocol", &webhook.encryption),
        ("hmacKeyCheckValue", &check_value),
    ];
    for (name, value) in optional {
        if let (Some(value), Some(fields)) = (value, fields.as_object_mut()) {
            let _ = fields.insert(name.to_owned(), json!(value));
        }
    }
    fields
}

fn find(world: &World, call: &Call) -> Result<Webhook, ApiError> {
    call.check_merchant(world, &call.id)?;
    let found = world.webhooks.get(&call.child).cloned();
    let own = found.filter(|webhook| webhook.merchant == call.id);
    own.ok_or_else(|| ApiError::validation("702", "Webhook not found"))
}

fn page(world: &World, call: &Call, path: &str, rows: Vec<Value>) -> Result<Value, ApiError> {
    let number = |name: &str, otherwise: usize| match call.parameter(name) {
        None => Ok(otherwise),
        Some(text) => match text.parse() {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(ApiError::validation("702", "Invalid paging").with_field(name, &text)),
        },
    };
    let size = number("pageSize", PAGE_SIZE)?;
    let current = number("pageNumber", 1)?;
    if size > PAGE_SIZE_MAX {
        let message = "A page has at most 100 rows";
        let size = size.to_string();
        return Err(ApiError::validation("702", message).with_field("pageSize", &size));
    }
    let total = rows.len();
    let pages = total.div_ceil(size).max(1);
    let to = |page: usize| link(world, &format!("{path}?pageNumber={page}&pageSize={size}"));
    let mut links = json!({ "self": to(current), "first": to(1), "last": to(pages) });
    if let Some(links) = links.as_object_mut() {
        if current < pages {
            let _ = links.insert("next".to_owned(), to(current + 1));
        }
        if current > 1 {
            let _ = links.insert("prev".to_owned(), to(current - 1));
        }
    }
    let skipped = (current - 1).saturating_mul(size);
    let data: Vec<Value> = rows.into_iter().skip(skipped).take(size).collect();
    Ok(json!({ "_links": links, "itemsTotal": total, "pagesTotal": pages, "data": data }))
}

fn link(world: &World, path: &str) -> Value {
    json!({ "href": world.url(HOST, &format!("/v3{path}")) })
}

fn required(value: Option<String>, name: &str) -> Result<String, ApiError> {
    value.ok_or_else(|| missing(name))
}

fn missing(name: &str) -> ApiError {
    ApiError::validation("702", &format!("Missing required field: {name}")).with_field(name, "")
}
