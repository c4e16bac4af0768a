//! Webhooks: Adyen signs what moves money in each notice, or a whole body in a header.
//!
//! Source: <https://docs.adyen.com/development-resources/webhooks/verify-hmac-signatures>. The
//! signed texts are joined as they are: neither Adyen nor its libraries escape `:` or `\`, though
//! older pages said so.

use std::marker::PhantomData;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName};
use serde::Deserialize;
use serde_json::Value;
use sha2::Sha256;

use super::config::AdyenConfig;
use super::convert::{reference_of, time_of};
use super::notice::{Reader, unreadable};
use super::wire::{Envelope, Item, ManagementNotice};
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{EventId, PaymentId, ProviderName};
use crate::mode::{Mode, ModeKind};
use crate::secret::Secret;
use crate::webhook::{
    Authenticity, EventDraft, EventKind, Notice, SetAside, SetAsideReason, UnreadableEvent,
    WebhookRefusal, WebhookRefusalKind, WebhookRequest, plain_type,
};

/// The header that holds the signature of a webhook of the Management API.
pub const SIGNATURE_HEADER: HeaderName = HeaderName::from_static("hmacsignature");

/// Says how that signature is made.
const PROTOCOL_HEADER: HeaderName = HeaderName::from_static("protocol");

/// Signs every notice in a standard webhook's body as Adyen does, for tests. A body that is none is
/// given back as it is.
///
/// ```
/// use counterfoil::Secret;
/// use counterfoil::providers::adyen;
///
/// let key = Secret::new("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
/// let body = br#"{"live":"false","notificationItems":[{"NotificationRequestItem":{}}]}"#;
/// let signed = adyen::sign(&key, body);
/// assert!(String::from_utf8_lossy(&signed).contains("hmacSignature"));
/// ```
#[must_use]
pub fn sign(key: &Secret, body: &[u8]) -> Vec<u8> {
    let signed = || {
        let key = keyed(key)?;
        let mut body: Value = serde_json::from_slice(body).ok()?;
        for wrapper in body.get_mut("notificationItems")?.as_array_mut()? {
            let item = wrapper.get_mut("NotificationRequestItem")?;
            let tag = tag_of(&key, signed_text(item).as_bytes());
            let signature = STANDARD.encode(tag.finalize().into_bytes());
            let item = item.as_object_mut()?;
            let data = item
                .entry("additionalData")
                .or_insert_with(|| Value::Object(Default::default()));
            data.as_object_mut()?
                .insert("hmacSignature".to_owned(), signature.into());
        }
        Some(body.to_string().into_bytes())
    };
    signed().unwrap_or_else(|| body.to_vec())
}

/// Signs the body of a webhook of the Management API as Adyen does, for tests: the value of the
/// `HmacSignature` header.
#[must_use]
pub fn sign_header(key: &Secret, body: &[u8]) -> String {
    let tag = keyed(key).map(|key| tag_of(&key, body).finalize().into_bytes());
    STANDARD.encode(tag.unwrap_or_default())
}

/// Verifies webhooks for one merchant account in mode `M`.
#[derive(Clone)]
pub(super) struct Verifier<M: Mode> {
    name: ProviderName,
    pub(super) keys: Vec<Hmac<Sha256>>,
    pub(super) merchant_account: Box<str>,
    multiple_captures: bool,
    mode: PhantomData<M>,
}

impl<M: Mode> Verifier<M> {
    pub(super) fn new(config: &AdyenConfig<M>) -> Result<Self> {
        let keys = config.hmac_keys.iter().map(keyed).collect::<Option<_>>();
        Ok(Self {
            name: config.name.clone(),
            keys: keys
                .ok_or_else(|| Error::new(ErrorKind::Credentials, "hmac_key is not hexadecimal"))?,
            merchant_account: config.merchant_account.clone(),
            multiple_captures: config.multiple_captures,
            mode: PhantomData,
        })
    }

    pub(super) fn verify(
        &self,
        request: &WebhookRequest,
        now: Timestamp,
    ) -> Result<Vec<Notice<M>>, WebhookRefusal> {
        let not_json = || {
            unreadable(
                "the body is no JSON of Adyen's: is the webhook set to JSON, and was the body \
                 handed over as it came?",
            )
        };
        let envelope = serde_json::from_slice::<Envelope>(request.body());
        match envelope {
            Ok(Envelope {
                notification_items: Some(wrappers),
                live,
            }) => self.verify_items(&wrappers, live.as_ref(), now),
            Err(_) if !request.headers().contains_key(SIGNATURE_HEADER) => Err(not_json()),
            _ => Ok(vec![self.verify_header(request, now)?]),
        }
    }

    /// Each notice stands for itself: one that is not verified is rejected, and Adyen sends the
    /// whole again; one that is verified and cannot be read is kept.
    fn verify_items(
        &self,
        wrappers: &[Value],
        live: Option<&Value>,
        now: Timestamp,
    ) -> Result<Vec<Notice<M>>, WebhookRefusal> {
        if wrappers.is_empty() {
            return Err(unreadable("the body has no notices in it"));
        }
        let live = live.filter(|live| !live.is_null()).map(text_of);
        // It is not signed, so that nothing of it is kept.
        let found = mode_of(live.as_deref(), ["true", "false"]).map_err(unreadable)?;
        let notices = wrappers.iter().map(|wrapper| {
            let notice = self.verify_item(wrapper, found, now);
            notice.unwrap_or_else(Notice::Rejected)
        });
        Ok(notices.collect())
    }

    fn verify_item(
        &self,
        wrapper: &Value,
        found: Option<ModeKind>,
        now: Timestamp,
    ) -> Result<Notice<M>, WebhookRefusal> {
        let item = wrapper.get("NotificationRequestItem");
        let item = item.ok_or_else(|| unreadable("an entry of notificationItems has no notice"))?;
        let key_index = self.matching_key(item)?;
        check_ids(item)?;
        Ok(self.notice(item, key_index, found, now))
    }

    /// Which key signed a notice.
    fn matching_key(&self, item: &Value) -> Result<usize, WebhookRefusal> {
        let signature = item.pointer("/additionalData/hmacSignature");
        let Some(signature) = signature.and_then(Value::as_str) else {
            return Err(refusal(
                WebhookRefusalKind::MissingSignature,
                "a notice has no hmacSignature: make an HMAC key for this webhook in the Customer \
                 Area",
            ));
        };
        let tag = tag_in(signature)?;
        let text = signed_text(item);
        self.key_that_made(&tag, text.as_bytes()).ok_or_else(|| {
            refusal(
                WebhookRefusalKind::WrongSignature,
                "no HMAC key made this signature: is the key that of this webhook and mode, and \
                 are its facts as they came?",
            )
        })
    }

    /// The header that the key of this index would give to a body.
    pub(super) fn signature_of(&self, index: usize, body: &[u8]) -> Option<String> {
        let tag = tag_of(self.keys.get(index)?, body);
        Some(STANDARD.encode(tag.finalize().into_bytes()))
    }

    fn key_that_made(&self, tag: &[u8; 32], text: &[u8]) -> Option<usize> {
        let made = |key: &Hmac<Sha256>| tag_of(key, text).verify_slice(tag).is_ok();
        self.keys.iter().position(made)
    }

    /// Reads a notice that is signed, or sets it aside. The flag `live` is not signed: it can keep
    /// a notice out, and never lets one in.
    fn notice(
        &self,
        item: &Value,
        key_index: usize,
        found: Option<ModeKind>,
        now: Timestamp,
    ) -> Notice<M> {
        let text = |name: &str| item.get(name).and_then(Value::as_str);
        let account = text("merchantAccountCode");
        let set_aside = |reason| {
            let id = text("pspReference").unwrap_or_default();
            let kind = plain_type(text("eventCode"));
            Notice::SetAside(SetAside::new(id, kind, reason).with_account(account))
        };
        if let Some(found) = found.filter(|found| *found != M::KIND) {
            return set_aside(SetAsideReason::WrongMode { found });
        }
        if account.is_some_and(|account| *account != *self.merchant_account) {
            return set_aside(SetAsideReason::OtherAccount);
        }
        let unreadable =
            |reason: &str| self.unreadable(item, key_index, now, reason, account.is_some());
        let Ok(read) = Item::deserialize(item) else {
            return unreadable("it is not as the specification describes a notice");
        };
        let (Some(code), Some(psp_reference), Some(_)) =
            (&read.event_code, &read.psp_reference, account)
        else {
            return unreadable("it has no eventCode, no pspReference or no merchantAccountCode");
        };
        let reader = Reader {
            provider: &self.name,
            multiple_captures: self.multiple_captures,
            mode: PhantomData,
        };
        match reader.event(&read, code, psp_reference, now) {
            Ok(draft) => Notice::Event(draft.with_secret_index(key_index)),
            Err(error) => unreadable(&error.to_string()),
        }
    }

    /// Keeps a notice that is signed and cannot be read, under the payment and the order that it
    /// names, if it is of this account and mode.
    fn unreadable(
        &self,
        item: &Value,
        key_index: usize,
        now: Timestamp,
        reason: &str,
        is_ours: bool,
    ) -> Notice<M> {
        let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default();
        let (code, psp_reference) = (text("eventCode"), text("pspReference"));
        let outcome = item.get("success").map(text_of).unwrap_or_default();
        let body = item.to_string();
        let raw = format!("{code}.{psp_reference}.{outcome}");
        let is_named = !code.is_empty() && !psp_reference.is_empty();
        let named = EventId::new(self.name.clone(), &raw).ok();
        let id = named.filter(|_| is_named);
        let id = id.map_or_else(|| EventId::of_body(self.name.clone(), body.as_bytes()), Ok);
        let Ok(id) = id else {
            return Notice::Rejected(unreadable("a notice cannot be named"));
        };
        let mut event = UnreadableEvent::new(reason, body.as_bytes());
        let mut reference = None;
        if is_ours {
            let original = text("originalReference");
            let payment = if original.is_empty() {
                psp_reference
            } else {
                original
            };
            let payment = PaymentId::new(self.name.clone(), payment);
            event = event.with_payments(payment.into_iter().collect());
            reference = reference_of(text("merchantReference")).map(|(reference, _)| reference);
        }
        let at = time_of(text("eventDate")).unwrap_or(now);
        let kind = EventKind::Unreadable(Box::new(event));
        let draft = EventDraft::new(id, plain_type(Some(code)), at, kind)
            .with_authenticity(Authenticity::Facts)
            .with_reference(reference)
            .with_secret_index(key_index);
        Notice::Event(draft)
    }

    /// A webhook of the Management API: the signature in the header covers the body.
    fn verify_header(
        &self,
        request: &WebhookRequest,
        now: Timestamp,
    ) -> Result<Notice<M>, WebhookRefusal> {
        let signature = header_signature(request.headers())?;
        let tag = tag_in(signature)?;
        let Some(key_index) = self.key_that_made(&tag, request.body()) else {
            return Err(refusal(
                WebhookRefusalKind::WrongSignature,
                "no HMAC key made this signature: is the key that of this webhook and mode, and \
                 was the body handed over as it came?",
            ));
        };
        // Such a notice has no id: the signature tells one body from another.
        let raw = format!("management.{}", hex::encode(tag));
        let id = EventId::new(self.name.clone(), &raw)
            .map_err(|_| unreadable("the notice cannot be named"))?;
        let notice = serde_json::from_slice::<ManagementNotice>(request.body());
        let environment = notice
            .as_ref()
            .ok()
            .and_then(|of| of.environment.as_deref());
        let found = mode_of(environment, ["live", "test"]);
        let (kind_text, kind) = match (&notice, found) {
            (Ok(notice), Ok(Some(found))) if found != M::KIND => {
                let reason = SetAsideReason::WrongMode { found };
                return Ok(Notice::SetAside(SetAside::new(&raw, &notice.kind, reason)));
            }
            (Ok(notice), Ok(_)) => (&*notice.kind, EventKind::NotAboutPayments),
            (of, found) => {
                let not_described = "it is no notice of the Management API";
                let reason = found.err().unwrap_or(not_described);
                let event = UnreadableEvent::new(reason, request.body());
                let kind = plain_type(of.as_ref().ok().map(|of| &*of.kind));
                (kind, EventKind::Unreadable(Box::new(event)))
            }
        };
        let draft = EventDraft::new(id, kind_text, now, kind);
        Ok(Notice::Event(draft.with_secret_index(key_index)))
    }
}

impl<M: Mode> std::fmt::Debug for Verifier<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier")
            .field("keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}

/// What Adyen signs of a notice: eight fields, joined as they are; one that is not there is empty.
fn signed_text(item: &Value) -> String {
    let fields = [
        "/pspReference",
        "/originalReference",
        "/merchantAccountCode",
        "/merchantReference",
        "/amount/value",
        "/amount/currency",
        "/eventCode",
        "/success",
    ];
    let texts = fields.map(|field| item.pointer(field).map(text_of).unwrap_or_default());
    texts.join(":")
}

/// A plain value as Adyen writes it into a text.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
    }
}

/// The signed texts are joined by colons that nobody escapes: an id with a colon in it could have
/// taken it from its neighbour, so that its signature proves nothing.
fn check_ids(item: &Value) -> Result<(), WebhookRefusal> {
    let ids = ["pspReference", "originalReference"].map(|name| item.get(name).map(text_of));
    if ids.into_iter().flatten().any(|id| id.contains(':')) {
        return Err(unreadable("a notice has an id that is none of Adyen's"));
    }
    Ok(())
}

/// The mode that a notice says it is of, if it says one; or why that cannot be told.
type Found = Result<Option<ModeKind>, &'static str>;

fn mode_of(text: Option<&str>, [live, test]: [&str; 2]) -> Found {
    match text {
        None => Ok(None),
        Some(text) if text == live => Ok(Some(ModeKind::Live)),
        Some(text) if text == test => Ok(Some(ModeKind::Test)),
        Some(_) => Err("it says neither live nor test"),
    }
}

fn header_signature(headers: &HeaderMap) -> Result<&str, WebhookRefusal> {
    let malformed = |hint: &'static str| refusal(WebhookRefusalKind::MalformedSignature, hint);
    let mut values = headers.get_all(SIGNATURE_HEADER).iter();
    let Some(value) = values.next() else {
        let hint = "there are neither notificationItems nor an HmacSignature header: is the header \
                    dropped on the way here?";
        return Err(refusal(WebhookRefusalKind::MissingSignature, hint));
    };
    if values.next().is_some() {
        return Err(malformed("there is more than one HmacSignature header"));
    }
    let protocol = headers.get(PROTOCOL_HEADER);
    if protocol.is_some_and(|protocol| !protocol.as_bytes().eq_ignore_ascii_case(b"HmacSHA256")) {
        return Err(malformed(
            "the signature is made in another way than HmacSHA256",
        ));
    }
    value
        .to_str()
        .map_err(|_| malformed("the header is not ASCII"))
}

fn tag_in(signature: &str) -> Result<[u8; 32], WebhookRefusal> {
    let decoded = STANDARD.decode(signature).ok();
    let tag = decoded.and_then(|bytes| bytes.try_into().ok());
    tag.ok_or_else(|| {
        let hint = "the signature is not 32 bytes in Base64";
        refusal(WebhookRefusalKind::MalformedSignature, hint)
    })
}

/// The key is the bytes that its hexadecimal digits stand for.
fn keyed(key: &Secret) -> Option<Hmac<Sha256>> {
    let bytes = hex::decode(key.expose()).ok()?;
    Hmac::new_from_slice(&bytes).ok()
}

fn tag_of(key: &Hmac<Sha256>, text: &[u8]) -> Hmac<Sha256> {
    let mut tag = key.clone();
    tag.update(text);
    tag
}

fn refusal(
    kind: WebhookRefusalKind,
    hint: impl Into<std::borrow::Cow<'static, str>>,
) -> WebhookRefusal {
    WebhookRefusal::new(kind, hint)
}
