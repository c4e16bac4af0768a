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
use serde_json::Value;
use sha2::Sha256;

use super::config::AdyenConfig;
use super::notice::{Reader, unreadable};
use super::wire::{Envelope, Flag, Item, ManagementNotice};
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{EventId, ProviderName};
use crate::mode::{Mode, ModeKind};
use crate::secret::Secret;
use crate::webhook::{
    EventDraft, EventKind, Notice, SetAside, SetAsideReason, WebhookRefusal, WebhookRefusalKind,
    WebhookRequest,
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
            let read: Item = serde_json::from_value(item.clone()).ok()?;
            let tag = tag_of(&key, signed_text(&read).as_bytes());
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
        let text =
            std::str::from_utf8(request.body()).map_err(|_| unreadable("the body is not UTF-8"))?;
        let envelope: Envelope = serde_json::from_str(text).map_err(|_| {
            unreadable(
                "the body is no JSON of Adyen's: is the webhook set to JSON, and was the body \
                 handed over as it came?",
            )
        })?;
        match envelope.notification_items {
            Some(wrappers) => {
                let items: Vec<_> = wrappers.into_iter().map(|wrapper| wrapper.item).collect();
                self.verify_items(&items, envelope.live.as_ref(), now)
            }
            None => Ok(vec![self.verify_header(request, text, now)?]),
        }
    }

    /// All notices are verified before the first is read: one bad one refuses the body, and Adyen
    /// sends the whole again.
    fn verify_items(
        &self,
        items: &[Item],
        live: Option<&Flag>,
        now: Timestamp,
    ) -> Result<Vec<Notice<M>>, WebhookRefusal> {
        if items.is_empty() {
            return Err(unreadable("the body has no notices in it"));
        }
        let mut verified = Vec::with_capacity(items.len());
        for item in items {
            verified.push((item, self.matching_key(item)?));
        }
        let found = mode_of(live.map(Flag::as_str), ["true", "false"])?;
        let mut notices = Vec::with_capacity(items.len());
        for (item, key_index) in verified {
            notices.push(self.notice(item, key_index, found, now)?);
        }
        Ok(notices)
    }

    /// Which key signed a notice.
    fn matching_key(&self, item: &Item) -> Result<usize, WebhookRefusal> {
        let Some(signature) = item.additional_data.hmac_signature.as_deref() else {
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
        item: &Item,
        key_index: usize,
        found: Option<ModeKind>,
        now: Timestamp,
    ) -> Result<Notice<M>, WebhookRefusal> {
        let code = item.event_code.as_deref();
        let code = code.ok_or_else(|| unreadable("a notice has no eventCode"))?;
        let psp_reference = item.psp_reference.as_deref();
        let psp_reference =
            psp_reference.ok_or_else(|| unreadable("a notice has no pspReference"))?;
        let set_aside = |reason| Notice::SetAside(SetAside::new(psp_reference, code, reason));
        if let Some(found) = found.filter(|found| *found != M::KIND) {
            return Ok(set_aside(SetAsideReason::WrongMode { found }));
        }
        if item.merchant_account_code.as_deref() != Some(&*self.merchant_account) {
            return Ok(set_aside(SetAsideReason::OtherAccount));
        }
        let reader = Reader {
            provider: &self.name,
            multiple_captures: self.multiple_captures,
            mode: PhantomData,
        };
        let draft = reader.event(item, code, psp_reference, now)?;
        Ok(Notice::Event(draft.with_secret_index(key_index)))
    }

    /// A webhook of the Management API: the signature in the header covers the body.
    fn verify_header(
        &self,
        request: &WebhookRequest,
        text: &str,
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
        let notice: ManagementNotice = serde_json::from_str(text)
            .map_err(|_| unreadable("the body is no notice of the Management API"))?;
        // Such a notice has no id: the signature tells one body from another.
        let raw = format!("management.{}", hex::encode(tag));
        let found = mode_of(notice.environment.as_deref(), ["live", "test"])?;
        if let Some(found) = found.filter(|found| *found != M::KIND) {
            let reason = SetAsideReason::WrongMode { found };
            return Ok(Notice::SetAside(SetAside::new(&raw, &notice.kind, reason)));
        }
        let id = EventId::new(self.name.clone(), &raw)
            .map_err(|_| unreadable("the notice cannot be named"))?;
        let draft = EventDraft::new(id, &notice.kind, now, EventKind::NotAboutPayments);
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
fn signed_text(item: &Item) -> String {
    let text = |field: &'_ Option<String>| field.clone().unwrap_or_default();
    let amount = item.amount.as_ref();
    let value = amount.and_then(|amount| amount.value);
    [
        text(&item.psp_reference),
        text(&item.original_reference),
        text(&item.merchant_account_code),
        text(&item.merchant_reference),
        value.map(|value| value.to_string()).unwrap_or_default(),
        amount
            .map(|amount| text(&amount.currency))
            .unwrap_or_default(),
        text(&item.event_code),
        item.success
            .as_ref()
            .map(Flag::as_str)
            .unwrap_or_default()
            .to_owned(),
    ]
    .join(":")
}

/// The mode that a notice says it is of, if it says one.
fn mode_of(
    text: Option<&str>,
    [live, test]: [&str; 2],
) -> Result<Option<ModeKind>, WebhookRefusal> {
    match text {
        None => Ok(None),
        Some(text) if text == live => Ok(Some(ModeKind::Live)),
        Some(text) if text == test => Ok(Some(ModeKind::Test)),
        Some(_) => Err(unreadable("the notice says neither live nor test")),
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
