//! Notices and their way to the merchant's webhooks.
//!
//! Source: docs.adyen.com/development-resources/webhooks and the published specification of the
//! webhooks. That the `merchantReference` of a modification's notice is the modification's own, if
//! it has one, and else the payment's, is inferred from the setting that adds the original one to
//! CANCEL_OR_REFUND; it is unverified, so that it can be set otherwise.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::Request;
use serde_json::{Map, Value, json};
use sha2::Sha256;

use super::amounts::Amount;
use super::body::date;
use super::modifications::{Kind, Modification};
use super::payments::{Payment, Source, auth_code};
use super::state::World;
use super::webhooks::Webhook;
use crate::clock::Timestamp;
use crate::simulator::mailroom::Parcel;
use crate::simulator::table::Row;
use crate::simulator::{DeliveryId, WebhookDelivery};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
/// After three quick tries a notice waits in a queue, longer and longer, and then for as long again
/// until 30 days have passed.
const QUICK_AND_QUEUED: [u64; 12] = [
    9,
    18,
    27,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    4 * HOUR,
    8 * HOUR,
];
const EIGHT_HOURLY_FOR: usize = 30 * 3;

/// Deliveries that went out in one body, by the first of them.
pub(super) type Bundles = HashMap<DeliveryId, Vec<DeliveryId>>;

/// Something that happened, as it was told.
#[derive(Debug, Clone)]
pub(super) struct Notice {
    id: String,
    at: Timestamp,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    /// An item of a standard webhook, signed by itself.
    Item(Item),
    /// The whole body of another kind of webhook, signed in a header.
    Whole { kind: String, body: Value },
}

impl Row for Notice {
    fn id(&self) -> &str {
        &self.id
    }
}

/// What a `NotificationRequestItem` says.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) event: &'static str,
    pub(super) success: bool,
    pub(super) psp: String,
    pub(super) original: Option<String>,
    pub(super) merchant: String,
    pub(super) reference: String,
    /// The reference that a modification has of its own.
    pub(super) own_reference: Option<String>,
    pub(super) amount: Amount,
    pub(super) method: Option<&'static str>,
    pub(super) reason: String,
    pub(super) additional: Map<String, Value>,
    pub(super) operations: &'static [&'static str],
}

impl Item {
    /// A notice about a payment itself.
    pub(super) fn of(payment: &Payment, event: &'static str, success: bool) -> Self {
        Self {
            event,
            success,
            psp: payment.psp.clone(),
            original: None,
            merchant: payment.merchant.clone(),
            reference: payment.reference.clone(),
            own_reference: None,
            amount: payment.amount.clone(),
            method: Some(payment.method.variant),
            reason: String::new(),
            additional: Map::new(),
            operations: &[],
        }
    }

    pub(super) fn authorisation(payment: &Payment, success: bool, reason: String) -> Self {
        let mut item = Self {
            reason,
            ..Self::of(payment, "AUTHORISATION", success)
        };
        if success {
            item.operations = &["CANCEL", "CAPTURE", "REFUND"];
            item.amount = payment.amount.with_value(payment.authorised);
            item.add("authCode", &auth_code(&payment.psp));
        }
        if payment.method.kind == "scheme" {
            item.add("cardSummary", payment.method.summary);
            item.add("expiryDate", "03/2030");
        }
        match &payment.source {
            Source::Api => {}
            Source::Link(id) => item.add("paymentLinkId", id),
            Source::Session(id) => item.add("checkoutSessionId", id),
        }
        if let Some(reference) = &payment.merchant_order_reference {
            item.add("merchantOrderReference", reference);
        }
        if let Some(shopper) = &payment.shopper {
            item.add("shopperReference", shopper);
        }
        if let Some(card) = &payment.stored_card {
            item.add("tokenization.storedPaymentMethodId", card);
        }
        for (key, value) in &payment.metadata {
            item.add(&format!("metadata.{key}"), value);
        }
        item
    }

    /// A notice about what became of a modification.
    pub(super) fn modification(
        payment: &Payment,
        modification: &Modification,
        success: bool,
    ) -> Self {
        let event = match modification.kind {
            Kind::Capture(_) => "CAPTURE",
            Kind::Cancel => "CANCELLATION",
            Kind::TechnicalCancel => "TECHNICAL_CANCEL",
            Kind::Refund(_) => "REFUND",
            Kind::Reversal => "CANCEL_OR_REFUND",
            Kind::AmountUpdate(_) => "AUTHORISATION_ADJUSTMENT",
        };
        let amount = match modification.kind {
            Kind::Capture(value) | Kind::Refund(value) | Kind::AmountUpdate(value) => value,
            _ => payment.amount.value,
        };
        let mut item = Self {
            psp: modification.psp.clone(),
            original: Some(payment.psp.clone()),
            own_reference: modification.reference.clone(),
            amount: payment.amount.with_value(amount),
            ..Self::of(payment, event, success)
        };
        let names_order = matches!(
            modification.kind,
            Kind::Capture(_) | Kind::Refund(_) | Kind::Cancel | Kind::Reversal
        );
        if let (true, Some(reference)) = (names_order, &payment.merchant_order_reference) {
            item.add("merchantOrderReference", reference);
        }
        item
    }

    /// A notice that is about no payment.
    pub(super) fn about_account(event: &'static str, merchant: &str, psp: &str) -> Self {
        Self {
            event,
            success: true,
            psp: psp.to_owned(),
            original: None,
            merchant: merchant.to_owned(),
            reference: String::new(),
            own_reference: None,
            amount: Amount {
                value: 0,
                currency: "EUR".to_owned(),
            },
            method: None,
            reason: String::new(),
            additional: Map::new(),
            operations: &[],
        }
    }

    /// Adds to the additional data.
    pub(super) fn add(&mut self, name: &str, value: &str) {
        let _ = self.additional.insert(name.to_owned(), json!(value));
    }

    fn to_json(&self, at: Timestamp, hmac_key: Option<&str>) -> Value {
        let mut additional = self.additional.clone();
        if let Some(key) = hmac_key {
            let signature = sign(key, self.signed_text().as_bytes());
            let _ = additional.insert("hmacSignature".to_owned(), json!(signature));
        }
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
        if !additional.is_empty() {
            put("additionalData", Value::Object(additional));
        }
        put("amount", self.amount.to_json());
        put("eventCode", json!(self.event));
        put("eventDate", json!(date(at)));
        put("merchantAccountCode", json!(self.merchant));
        put("merchantReference", json!(self.reference));
        if !self.operations.is_empty() {
            put("operations", json!(self.operations));
        }
        if let Some(original) = &self.original {
            put("originalReference", json!(original));
        }
        if let Some(method) = self.method {
            put("paymentMethod", json!(method));
        }
        put("pspReference", json!(self.psp));
        put("reason", json!(self.reason));
        put(
            "success",
            json!(if self.success { "true" } else { "false" }),
        );
        Value::Object(fields)
    }

    /// The eight fields that are signed, with nothing escaped.
    fn signed_text(&self) -> String {
        [
            self.psp.as_str(),
            self.original.as_deref().unwrap_or_default(),
            self.merchant.as_str(),
            self.reference.as_str(),
            &self.amount.value.to_string(),
            self.amount.currency.as_str(),
            self.event,
            if self.success { "true" } else { "false" },
        ]
        .join(":")
    }
}

/// Base64 of the HMAC-SHA256 with a key in hexadecimal digits; one that is none is used as it is.
fn sign(key: &str, text: &[u8]) -> String {
    let key = hex::decode(key).unwrap_or_else(|_| key.as_bytes().to_vec());
    // HMAC takes a key of any length.
    match <Hmac<Sha256> as KeyInit>::new_from_slice(&key) {
        Ok(mac) => STANDARD.encode(mac.chain_update(text).finalize().into_bytes()),
        Err(_) => String::new(),
    }
}

/// What is on its way: a notice, to a webhook.
#[derive(Debug, Clone)]
pub(super) struct Errand {
    webhook: String,
    notice: String,
}

/// Tells every webhook of the merchant account that wants to know.
pub(super) fn emit(world: &mut World, mut item: Item) {
    if let (false, Some(own)) = (world.tells_payment_reference, &item.own_reference) {
        item.reference.clone_from(own);
    }
    let wanting = world.webhooks.oldest_first();
    let wanting = wanting.filter(|webhook| webhook.wants(&item.merchant, item.event));
    let receivers: Vec<String> = wanting.map(|webhook| webhook.id.clone()).collect();
    let notice = keep(world, Content::Item(item));
    for webhook in receivers {
        let notice = notice.clone();
        world.mail.post(world.now, Errand { webhook, notice });
    }
}

/// Sends an item to one webhook, whatever it wants.
pub(super) fn send_item(world: &mut World, webhook: &str, item: Item) -> Value {
    let shown = item.to_json(world.now, None);
    let notice = keep(world, Content::Item(item));
    let webhook = webhook.to_owned();
    world.mail.post(world.now, Errand { webhook, notice });
    envelope(vec![shown])
}

/// Sends a body of another kind, signed in a header, to one webhook.
pub(super) fn send_whole(world: &mut World, webhook: &str, kind: &str, body: Value) {
    let kind = kind.to_owned();
    let notice = keep(world, Content::Whole { kind, body });
    let webhook = webhook.to_owned();
    world.mail.post(world.now, Errand { webhook, notice });
}

fn keep(world: &mut World, content: Content) -> String {
    let id = format!("notice-{}", world.notices.oldest_first().count() + 1);
    world.notices.put(Notice {
        id: id.clone(),
        at: world.now,
        content,
    });
    id
}

/// Takes what is due, up to so many items in one body as the account is set up for.
pub(super) fn due(world: &mut World) -> Vec<WebhookDelivery> {
    let mut bundles: Vec<(DeliveryId, Parcel<Errand>, Vec<String>)> = Vec::new();
    while let Some((id, parcel)) = world.mail.hand_out(world.now) {
        let notice = parcel.content.notice.clone();
        let room = world.items_per_body;
        let fits = |bundle: &&mut (DeliveryId, Parcel<Errand>, Vec<String>)| {
            let (_, first, notices) = bundle;
            first.content.webhook == parcel.content.webhook
                && first.attempt == parcel.attempt
                && notices.len() < room
        };
        match bundles.last_mut().filter(fits) {
            Some((first, _, notices)) => {
                notices.push(notice);
                world.bundles.entry(*first).or_default().push(id);
            }
            None => bundles.push((id, parcel, vec![notice])),
        }
    }
    let packed = bundles.into_iter();
    packed
        .filter_map(|(id, parcel, notices)| pack(world, id, &parcel, &notices))
        .collect()
}

fn pack(
    world: &World,
    id: DeliveryId,
    parcel: &Parcel<Errand>,
    notices: &[String],
) -> Option<WebhookDelivery> {
    let webhook = world.webhooks.get(&parcel.content.webhook)?;
    let key = webhook.hmac_key_at(world.now);
    let first = world.notices.get(notices.first()?)?;
    let (kind, body, signature) = match &first.content {
        Content::Whole { kind, body } => {
            let body = body.to_string();
            let signature = key.map(|key| sign(key, body.as_bytes()));
            (kind.clone(), body, signature)
        }
        Content::Item(item) => {
            let told = notices.iter().filter_map(|id| world.notices.get(id));
            let items = told.filter_map(|notice| match &notice.content {
                Content::Item(item) => Some(item.to_json(notice.at, key)),
                Content::Whole { .. } => None,
            });
            (
                item.event.to_owned(),
                envelope(items.collect()).to_string(),
                None,
            )
        }
    };
    let request = request_to(webhook, signature)?
        .body(Bytes::from(body))
        .ok()?;
    Some(WebhookDelivery {
        id,
        event: first.id.clone(),
        kind,
        attempt: parcel.attempt,
        request,
    })
}

fn request_to(webhook: &Webhook, signature: Option<String>) -> Option<http::request::Builder> {
    let mut request = Request::post(&webhook.url)
        .header("content-type", "application/json; charset=utf-8")
        .header("user-agent", "Adyen HttpClient 1.0");
    if let Some(signature) = signature {
        request = request
            .header("hmacsignature", signature)
            .header("protocol", "HmacSHA256");
    }
    if let (Some(user), Some(password)) = (&webhook.username, &webhook.password) {
        let pair = STANDARD.encode(format!("{user}:{password}"));
        request = request.header("authorization", format!("Basic {pair}"));
    }
    Some(request)
}

fn envelope(items: Vec<Value>) -> Value {
    let wrapped = items.into_iter();
    let wrapped = wrapped.map(|item| json!({ "NotificationRequestItem": item }));
    json!({ "live": "false", "notificationItems": wrapped.collect::<Vec<_>>() })
}

/// Notes how the receiver answered; the next try is planned if it must be.
pub(super) fn report(world: &mut World, id: DeliveryId, status: Option<u16>) {
    let queued = QUICK_AND_QUEUED.iter().copied();
    let waits = queued.chain(std::iter::repeat_n(8 * HOUR, EIGHT_HOURLY_FOR));
    let waits: Vec<Duration> = waits.map(Duration::from_secs).collect();
    let others = world.bundles.remove(&id).unwrap_or_default();
    for id in std::iter::once(id).chain(others) {
        let _ = world.mail.report(world.now, id, status, &waits);
    }
}
