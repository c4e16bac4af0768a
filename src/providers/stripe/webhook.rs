//! Webhooks: Stripe signs the time and the body with the endpoint's secret.
//!
//! Source: <https://docs.stripe.com/webhooks/signature>.

use std::marker::PhantomData;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName};
use serde::de::IgnoredAny;
use serde_json::Value;
use sha2::Sha256;

use super::config::StripeConfig;
use super::convert::{Reader, unexpected};
use super::unreadable::Signed;
use super::wire::{self, EventData, Object};
use crate::clock::Timestamp;
use crate::error::{Decline, DeclineReason, ErrorKind, Result};
use crate::id::{EventId, ProviderName};
use crate::mode::{Mode, ModeKind};
use crate::payment::PaymentStatus;
use crate::secret::Secret;
use crate::webhook::{
    EventDraft, EventKind, Notice, SetAside, SetAsideReason, WebhookRefusal, WebhookRefusalKind,
    WebhookRequest,
};

/// The header that holds the signature.
pub const SIGNATURE_HEADER: HeaderName = HeaderName::from_static("stripe-signature");

/// How far the signed time may be from now, on either side.
pub(super) const TOLERANCE: Duration = Duration::from_secs(300);

/// Signs a webhook's body as Stripe does, for tests: the value of the `Stripe-Signature` header.
///
/// ```
/// use counterfoil::Secret;
/// use counterfoil::clock::Timestamp;
/// use counterfoil::providers::stripe;
///
/// let header = stripe::sign(&Secret::new("whsec_1"), Timestamp::from_unix(1_700_000_000), b"{}");
/// assert!(header.starts_with("t=1700000000,v1="));
/// ```
#[must_use]
pub fn sign(secret: &Secret, signed_at: Timestamp, body: &[u8]) -> String {
    let time = signed_at.unix().to_string();
    let tag = keyed(secret).map(|key| tag_of(&key, &time, body).finalize().into_bytes());
    format!("t={time},v1={}", hex::encode(tag.unwrap_or_default()))
}

/// Verifies webhooks for one account in mode `M`.
#[derive(Clone)]
pub(super) struct Verifier<M: Mode> {
    pub(super) name: ProviderName,
    pub(super) keys: Vec<Hmac<Sha256>>,
    pub(super) account: Option<Box<str>>,
    mode: PhantomData<M>,
}

impl<M: Mode> Verifier<M> {
    pub(super) fn new(config: &StripeConfig<M>) -> Self {
        Self {
            name: config.name.clone(),
            keys: config.webhook_secrets.iter().filter_map(keyed).collect(),
            account: config.account.clone(),
            mode: PhantomData,
        }
    }

    pub(super) fn verify(
        &self,
        request: &WebhookRequest,
        now: Timestamp,
    ) -> Result<Notice<M>, WebhookRefusal> {
        let signature = Signature::of(request.headers())?;
        let secret_index = self.matching_secret(&signature, request.body())?;
        signature.check_age(now)?;
        Ok(self.notice(request.body(), secret_index, now))
    }

    /// Which secret made one of the signatures.
    fn matching_secret(
        &self,
        signature: &Signature<'_>,
        body: &[u8],
    ) -> Result<usize, WebhookRefusal> {
        for (index, key) in self.keys.iter().enumerate() {
            let expected = tag_of(key, signature.time_text, body);
            let mut tags = signature.tags();
            if tags.any(|tag| expected.clone().verify_slice(&tag).is_ok()) {
                return Ok(index);
            }
        }
        Err(refusal(WebhookRefusalKind::WrongSignature, hint_at(body)))
    }

    /// Reads a body that is signed. What cannot be read is kept, whatever it is: sent again, it
    /// would be the same, and Stripe disables an endpoint that goes on refusing.
    fn notice(&self, body: &[u8], secret_index: usize, now: Timestamp) -> Notice<M> {
        let text = std::str::from_utf8(body).unwrap_or_default();
        let signed = Signed {
            body,
            secret_index,
            now,
        };
        if let Ok(event) = serde_json::from_str::<wire::Event<'_, EventData<'_>>>(text) {
            return self.judge(&event, &signed, |reader| {
                kind_of_event(reader, &event.kind, &event.data.object)
            });
        }
        // Its object is none that is known here.
        if let Ok(event) = serde_json::from_str::<wire::Event<'_, IgnoredAny>>(text) {
            return self.judge(&event, &signed, |_| match is_about_payments(&event.kind) {
                true => Err(unexpected("its object is not as the API describes it")),
                false => Ok(kind_of_unread(&event.kind)),
            });
        }
        let whole = serde_json::from_str(text).unwrap_or(Value::Null);
        self.notice_of_no_event(&whole, &signed)
    }

    /// Sets aside what is not of this mode and account, and reads the rest.
    fn judge<D>(
        &self,
        event: &wire::Event<'_, D>,
        signed: &Signed<'_>,
        read: impl FnOnce(Reader<'_, M>) -> Result<EventKind<M>>,
    ) -> Notice<M> {
        if &*event.object != "event" {
            let whole = serde_json::from_slice(signed.body).unwrap_or(Value::Null);
            return self.notice_of_no_event(&whole, signed);
        }
        let found = ModeKind::from_livemode(event.livemode);
        let account = event.account.as_deref();
        if let Some(aside) = self.set_aside(&event.id, &event.kind, Some(found), account) {
            return Notice::SetAside(aside);
        }
        let Ok(id) = EventId::new(self.name.clone(), &event.id) else {
            return self.unreadable(signed, None, "its id is none");
        };
        let occurred_at = Timestamp::from_unix(event.created);
        match read(Reader::new(&self.name, occurred_at)) {
            Ok(kind) => {
                let draft = EventDraft::new(id, &event.kind, occurred_at, kind);
                Notice::Event(draft.with_secret_index(signed.secret_index))
            }
            // Of which mode it is, it says in two ways: what it names is of neither.
            Err(error) if *error.kind() == ErrorKind::WrongMode => {
                self.unreadable(signed, None, &error.to_string())
            }
            Err(error) => {
                let whole = serde_json::from_slice(signed.body).unwrap_or(Value::Null);
                let object = whole.pointer("/data/object");
                self.unreadable(signed, object, &error.to_string())
            }
        }
    }

    pub(super) fn set_aside(
        &self,
        id: &str,
        kind: &str,
        found: Option<ModeKind>,
        account: Option<&str>,
    ) -> Option<SetAside> {
        let reason = match found {
            Some(found) if found != M::KIND => SetAsideReason::WrongMode { found },
            _ if account != self.account.as_deref() => SetAsideReason::OtherAccount,
            _ => return None,
        };
        Some(SetAside::new(id, kind, reason).with_account(account))
    }
}

impl<M: Mode> std::fmt::Debug for Verifier<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier")
            .field("secrets", &self.keys.len())
            .finish_non_exhaustive()
    }
}

/// The parts of a `Stripe-Signature` header: `t=…,v1=…[,v1=…][,other=…]`.
struct Signature<'h> {
    header: &'h str,
    time_text: &'h str,
    time: Timestamp,
}

impl<'h> Signature<'h> {
    fn of(headers: &'h HeaderMap) -> Result<Self, WebhookRefusal> {
        let malformed = |hint: &'static str| refusal(WebhookRefusalKind::MalformedSignature, hint);
        let mut values = headers.get_all(SIGNATURE_HEADER).iter();
        let Some(value) = values.next() else {
            let hint = "there is no Stripe-Signature header: is it dropped on the way here?";
            return Err(refusal(WebhookRefusalKind::MissingSignature, hint));
        };
        if values.next().is_some() {
            return Err(malformed("there is more than one Stripe-Signature header"));
        }
        let header = value
            .to_str()
            .map_err(|_| malformed("the header is not ASCII"))?;
        let mut times = header.split(',').filter_map(|part| part.strip_prefix("t="));
        let time_text = times
            .next()
            .ok_or_else(|| malformed("the header has no t=…"))?;
        if times.next().is_some() {
            return Err(malformed("the header has more than one t=…"));
        }
        let all_digits = time_text.bytes().all(|b| b.is_ascii_digit());
        let time = match time_text.parse() {
            Ok(time) if all_digits => Timestamp::from_unix(time),
            _ => return Err(malformed("the header's t=… is no time in seconds")),
        };
        let signature = Self {
            header,
            time_text,
            time,
        };
        if signature.tags().next().is_none() {
            return Err(malformed("the header has no v1=… of 64 hexadecimal digits"));
        }
        Ok(signature)
    }

    /// The signatures of the scheme `v1`; others are weaker or unknown and do not count.
    fn tags(&self) -> impl Iterator<Item = [u8; 32]> + use<'h> {
        let schemes = self.header.split(',');
        schemes.filter_map(|part| lower_hex(part.strip_prefix("v1=")?))
    }

    fn check_age(&self, now: Timestamp) -> Result<(), WebhookRefusal> {
        if now.abs_diff(self.time) <= TOLERANCE {
            return Ok(());
        }
        if self.time < now {
            let hint = "it was signed more than 300 s ago: a replay, or this machine's clock is \
                        ahead";
            return Err(refusal(WebhookRefusalKind::Stale, hint));
        }
        let hint = "it was signed more than 300 s from now: this machine's clock is behind";
        Err(refusal(WebhookRefusalKind::Future, hint))
    }
}

/// What an event says, by the object in it. The type tells where the object alone does not.
fn kind_of_event<M: Mode>(
    reader: Reader<'_, M>,
    event_type: &str,
    object: &Object<'_>,
) -> Result<EventKind<M>> {
    if !is_about_payments(event_type) {
        return Ok(kind_of_unread(event_type));
    }
    match object.object.as_deref().unwrap_or_default() {
        "checkout.session" if object.mode.as_deref() == Some("setup") => {
            Ok(EventKind::NotAboutPayments)
        }
        // A subscription is paid through invoices.
        "checkout.session" if object.mode.as_deref() != Some("payment") => {
            Ok(EventKind::Unrecognized)
        }
        "payment_intent" | "checkout.session" | "charge" => {
            reader.payment(object).map(|mut payment| {
                payment.status = status_by_type(event_type, payment.status);
                payment.is_over |= event_type == "checkout.session.async_payment_failed";
                EventKind::Payment(Box::new(payment))
            })
        }
        // A hold that lapsed is listed as a refund, but no money had been taken.
        "refund" if object.reason.as_deref() == Some("expired_uncaptured_charge") => {
            Ok(EventKind::NotAboutPayments)
        }
        "refund" => reader
            .refund(object)
            .map(|refund| EventKind::Refund(Box::new(refund))),
        "dispute" => reader
            .dispute(object)
            .map(|dispute| EventKind::Dispute(Box::new(dispute))),
        "radar.early_fraud_warning" | "review" => reader
            .warning(object)
            .map(|warning| EventKind::Warning(Box::new(warning))),
        "payout" => reader
            .payout(object)
            .map(|payout| EventKind::Payout(Box::new(payout))),
        _ => Ok(EventKind::Unrecognized),
    }
}

/// An object may not tell why its payment ended; the type of its event does.
fn status_by_type(event_type: &str, status: PaymentStatus) -> PaymentStatus {
    match (event_type, status) {
        ("charge.expired", PaymentStatus::Canceled) => PaymentStatus::Expired,
        ("checkout.session.async_payment_failed", PaymentStatus::Pending) => {
            PaymentStatus::Failed(Decline::new(DeclineReason::Generic))
        }
        (_, status) => status,
    }
}

fn is_about_payments(event_type: &str) -> bool {
    const FAMILIES: [&str; 7] = [
        "payment_intent.",
        "checkout.session.",
        "charge.",
        "refund.",
        "payout.",
        "radar.early_fraud_warning.",
        "review.",
    ];
    FAMILIES.iter().any(|family| event_type.starts_with(family))
}

/// An event that is not read: known not to be about payments, or not known.
fn kind_of_unread<M: Mode>(event_type: &str) -> EventKind<M> {
    const OTHERS: [&str; 33] = [
        "account.",
        "balance.",
        "billing.",
        "billing_portal.",
        "capability.",
        "climate.",
        "counterfoil.",
        "coupon.",
        "credit_note.",
        "customer.",
        "entitlements.",
        "file.",
        "financial_connections.",
        "identity.",
        "issuing_",
        "mandate.",
        "payment_link.",
        "payment_method.",
        "person.",
        "plan.",
        "price.",
        "product.",
        "promotion_code.",
        "quote.",
        "radar.",
        "reporting.",
        "setup_intent.",
        "sigma.",
        "subscription_schedule.",
        "tax.",
        "tax_rate.",
        "terminal.",
        "test_helpers.",
    ];
    if OTHERS.iter().any(|family| event_type.starts_with(family)) {
        EventKind::NotAboutPayments
    } else {
        EventKind::Unrecognized
    }
}

/// The key is the whole text of the secret, `whsec_` included. HMAC takes keys of every length
/// (RFC 2104), so there always is one.
fn keyed(secret: &Secret) -> Option<Hmac<Sha256>> {
    Hmac::new_from_slice(secret.expose().as_bytes()).ok()
}

pub(super) fn tag_of(key: &Hmac<Sha256>, time_text: &str, body: &[u8]) -> Hmac<Sha256> {
    let mut tag = key.clone();
    tag.update(time_text.as_bytes());
    tag.update(b".");
    tag.update(body);
    tag
}

/// Stripe writes lower-case digits, and its own libraries take no others.
fn lower_hex(text: &str) -> Option<[u8; 32]> {
    let mut tag = [0; 32];
    let is_lower = !text.bytes().any(|b| b.is_ascii_uppercase());
    (is_lower && hex::decode_to_slice(text, &mut tag).is_ok()).then_some(tag)
}

/// What may be wrong when no secret fits. Stripe indents its notices by two spaces and writes the id
/// first; a body that looks otherwise went through a JSON library on its way.
fn hint_at(body: &[u8]) -> &'static str {
    if body.first() == Some(&b'{') && !body.starts_with(b"{\n  \"") {
        return "this body was re-serialised: hand over the bytes as they came, before any JSON is \
                parsed";
    }
    if body.starts_with(b"{\n  \"id\"") {
        return "no secret made this signature: is the secret that of this endpoint and mode, and \
                not another's such as the Stripe CLI's?";
    }
    "no secret made this signature: is the secret that of this endpoint and mode, and was the body \
     handed over as it came? The order of its fields is not Stripe's"
}

fn refusal(
    kind: WebhookRefusalKind,
    hint: impl Into<std::borrow::Cow<'static, str>>,
) -> WebhookRefusal {
    WebhookRefusal::new(kind, hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mode::Test;

    const NOW: Timestamp = Timestamp::from_unix(1_795_000_000);
    const SECRET: &str = "whsec_1";

    fn verify(header: &str, body: &[u8], now: Timestamp) -> Result<Notice<Test>, WebhookRefusal> {
        let mut headers = HeaderMap::new();
        headers.insert(SIGNATURE_HEADER, header.parse().unwrap());
        let config = StripeConfig::new("sk_test_1", SECRET).unwrap();
        Verifier::new(&config).verify(&WebhookRequest::new(headers, body.to_vec()), now)
    }

    fn read(body: &[u8]) -> Result<Notice<Test>, WebhookRefusal> {
        verify(&sign(&Secret::new(SECRET), NOW, body), body, NOW)
    }

    fn event(event_type: &str, object: &str) -> String {
        format!(
            r#"{{"id":"evt_1","object":"event","api_version":"2099-01-01.future","created":1794999999,
            "livemode":false,"type":"{event_type}","data":{{"object":{object}}},"new":[1]}}"#
        )
    }

    fn kind(event_type: &str, object: &str) -> EventKind<Test> {
        match read(event(event_type, object).as_bytes()).unwrap() {
            Notice::Event(draft) => draft.kind,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_signature_is_as_stripes_own_libraries_make_it() {
        // Computed apart, by OpenSSL: HMAC-SHA256 of `1795000000.{}` under the key `whsec_1`.
        let tag = "ec77331ff8a1c8fbe6dce8bfb003f522864bed4c01fc9b4421fb90f52778b863";
        let expected = format!("t=1795000000,v1={tag}");
        assert_eq!(sign(&Secret::new(SECRET), NOW, b"{}"), expected);
    }

    #[test]
    fn the_age_may_be_five_minutes_on_either_side_and_not_a_second_more() {
        let body = event("ping.tomorrow", "{}");
        let header = sign(&Secret::new(SECRET), NOW, body.as_bytes());
        let at = |seconds: i64| {
            let now = Timestamp::from_unix(NOW.unix() + seconds);
            verify(&header, body.as_bytes(), now)
                .err()
                .map(|refusal| refusal.kind())
        };
        assert_eq!((at(300), at(-300)), (None, None));
        assert_eq!(at(301), Some(WebhookRefusalKind::Stale));
        assert_eq!(at(-301), Some(WebhookRefusalKind::Future));
    }

    #[test]
    fn any_v1_counts_and_nothing_else_does() {
        let body = event("ping.tomorrow", "{}");
        let good = sign(&Secret::new(SECRET), NOW, body.as_bytes());
        let (time, tag) = good.split_once(",v1=").unwrap();
        let zeros = "0".repeat(64);
        let accepted = |header: String| verify(&header, body.as_bytes(), NOW);
        assert!(accepted(format!("{time},v1={zeros},v1={tag},v0={zeros},v9=x")).is_ok());
        for (header, kind) in [
            (
                format!("{time},v0={tag}"),
                WebhookRefusalKind::MalformedSignature,
            ),
            (format!("v1={tag}"), WebhookRefusalKind::MalformedSignature),
            (
                format!("{time},{time},v1={tag}"),
                WebhookRefusalKind::MalformedSignature,
            ),
            (
                format!("t=soon,v1={tag}"),
                WebhookRefusalKind::MalformedSignature,
            ),
            (
                format!("t=+{},v1={tag}", NOW.unix()),
                WebhookRefusalKind::MalformedSignature,
            ),
            (
                format!("t=,v1={tag}"),
                WebhookRefusalKind::MalformedSignature,
            ),
            (
                format!("{time},v1={}", tag.to_uppercase()),
                WebhookRefusalKind::MalformedSignature,
            ),
            (String::new(), WebhookRefusalKind::MalformedSignature),
            (
                format!("{time},v1={zeros}"),
                WebhookRefusalKind::WrongSignature,
            ),
        ] {
            assert_eq!(
                accepted(header.clone()).unwrap_err().kind(),
                kind,
                "{header}"
            );
        }
    }

    #[test]
    fn a_header_that_is_missing_or_doubled_is_refused() {
        let config = StripeConfig::<Test>::new("sk_test_1", SECRET).unwrap();
        let verify =
            |headers| Verifier::new(&config).verify(&WebhookRequest::new(headers, "{}"), NOW);
        let mut headers = HeaderMap::new();
        let missing = verify(headers.clone()).unwrap_err();
        assert_eq!(missing.kind(), WebhookRefusalKind::MissingSignature);
        headers.append(SIGNATURE_HEADER, "t=1".parse().unwrap());
        headers.append(SIGNATURE_HEADER, "t=1".parse().unwrap());
        let doubled = verify(headers).unwrap_err();
        assert_eq!(doubled.kind(), WebhookRefusalKind::MalformedSignature);
    }

    #[test]
    fn a_signed_body_that_is_no_event_is_kept_as_unreadable_and_never_a_panic() {
        let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
        let nested = event("payment_intent.succeeded", &deep);
        let whole = event("payment_intent.succeeded", r#"{"object":"payment_intent"}"#);
        let bodies: [&[u8]; 8] = [
            b"",
            b"{",
            br#"{"id":"ch_1","object":"charge"}"#,
            b"\xff\xfe",
            b"null",
            deep.as_bytes(),
            nested.as_bytes(),
            whole.as_bytes(),
        ];
        let truncated = (0..whole.len()).map(|end| &whole.as_bytes()[..end]);
        for body in bodies.into_iter().chain(truncated) {
            let Notice::Event(draft) = read(body).unwrap() else {
                panic!("{body:?}");
            };
            assert!(matches!(draft.kind, EventKind::Unreadable(_)), "{body:?}");
        }
    }

    #[test]
    fn events_that_are_not_about_payments_are_told_as_such() {
        for event_type in [
            "customer.created",
            "product.updated",
            "radar.value_list.created",
        ] {
            assert!(matches!(
                kind(event_type, r#"{"amount":1.5}"#),
                EventKind::NotAboutPayments
            ));
        }
        let session = |mode: &str| {
            let object = format!(r#"{{"object":"checkout.session","mode":"{mode}"}}"#);
            kind("checkout.session.completed", &object)
        };
        assert!(matches!(session("setup"), EventKind::NotAboutPayments));
        assert!(matches!(session("subscription"), EventKind::Unrecognized));
        let lapsed = r#"{"object":"refund","reason":"expired_uncaptured_charge"}"#;
        let lapsed = kind("refund.created", lapsed);
        assert!(matches!(lapsed, EventKind::NotAboutPayments));
        for event_type in ["invoice.paid", "topup.created", "something.new"] {
            assert!(matches!(
                kind(event_type, r#"{"amount":"1"}"#),
                EventKind::Unrecognized
            ));
        }
    }

    #[test]
    fn a_session_that_is_complete_and_unpaid_is_pending_or_failed_by_its_event() {
        let session = r#"{"id":"cs_test_1","object":"checkout.session","mode":"payment","livemode":
            false,"created":1,"status":"complete","payment_status":"unpaid","amount_total":1999,
            "currency":"eur","payment_intent":"pi_1","metadata":{}}"#;
        let status = |event_type| match kind(event_type, session) {
            EventKind::Payment(payment) => payment.status,
            other => panic!("{other:?}"),
        };
        assert_eq!(status("checkout.session.completed"), PaymentStatus::Pending);
        let failed = status("checkout.session.async_payment_failed");
        assert!(matches!(failed, PaymentStatus::Failed(_)));
    }
}
