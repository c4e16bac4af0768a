//! Webhooks: PayPal signs the id and time of a delivery, the webhook's id and a checksum of the
//! body.
//!
//! The checksum is a CRC-32, for which another body is easily found: whoever has one genuine
//! delivery can write a body of their own that passes. The signature therefore proves the headers
//! only ([`Authenticity::HeaderOnly`]), and what an event says has to be
//! [proven](crate::Provider::prove) by asking. Its time is signed and not judged: PayPal sends the
//! same delivery again for three days.
//!
//! Sources: <https://developer.paypal.com/api/rest/webhooks/rest/>, and for the types
//! <https://developer.paypal.com/api/rest/webhooks/event-names/>.

use std::marker::PhantomData;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::certificate::Certificates;
use super::client::Client;
use super::config::{PayPalConfig, WebhookCheck};
use super::convert::{Reader, capture_of, mode_of_links, money, time};
use super::wire::{self, VerificationAnswer};
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{EventId, PaymentId, ProviderName, Reference};
use crate::mode::{Mode, ModeKind};
use crate::payment::{Payment, PaymentStatus};
use crate::webhook::{
    Authenticity, EventDraft, EventKind, Notice, SetAside, SetAsideReason, UnreadableEvent,
    WebhookRefusal, WebhookRefusalKind, WebhookRequest, plain_type,
};

const TRANSMISSION_ID: HeaderName = HeaderName::from_static("paypal-transmission-id");
const TRANSMISSION_TIME: HeaderName = HeaderName::from_static("paypal-transmission-time");
const TRANSMISSION_SIG: HeaderName = HeaderName::from_static("paypal-transmission-sig");
const CERT_URL: HeaderName = HeaderName::from_static("paypal-cert-url");
const AUTH_ALGO: HeaderName = HeaderName::from_static("paypal-auth-algo");

/// The one way of signing that is believed.
const SHA256_WITH_RSA: &str = "SHA256withRSA";

/// Verifies webhooks for one app in mode `M`.
#[derive(Debug)]
pub(super) struct Verifier<M: Mode> {
    name: ProviderName,
    pub(super) webhook_ids: Vec<Box<str>>,
    check: WebhookCheck,
    certificates: Certificates,
    mode: PhantomData<M>,
}

impl<M: Mode> Verifier<M> {
    pub(super) fn new(config: &PayPalConfig<M>, name: &ProviderName) -> Result<Self> {
        Ok(Self {
            name: name.clone(),
            webhook_ids: config.credentials.webhook_ids.clone(),
            check: config.webhook_check,
            certificates: Certificates::new(config)?,
            mode: PhantomData,
        })
    }

    pub(super) async fn verify(
        &self,
        request: &WebhookRequest,
        now: Timestamp,
        client: &Client<M>,
    ) -> Result<Notice<M>, WebhookRefusal> {
        let transmission = Transmission::of(request.headers())?;
        self.certificates.check_url(transmission.certificate_url)?;
        let secret_index = match self.check {
            WebhookCheck::Offline => self.check_here(&transmission, request.body(), now).await?,
            WebhookCheck::ByPayPal => {
                self.check_there(&transmission, request.body(), client)
                    .await?
            }
        };
        Ok(self.notice(request.body(), secret_index, now))
    }

    /// Which of the webhooks it was signed for.
    async fn check_here(
        &self,
        transmission: &Transmission<'_>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<usize, WebhookRefusal> {
        let url = transmission.certificate_url;
        let chain = self.certificates.at(url, now).await?;
        let mut refusal = None;
        for (index, webhook_id) in self.webhook_ids.iter().enumerate() {
            let message = transmission.signed_text(webhook_id, body);
            let signature = &transmission.signature;
            match Certificates::verify(&chain, message.as_bytes(), signature) {
                Ok(()) => return Ok(index),
                Err(refused) => refusal = refusal.or(Some(refused)),
            }
        }
        Err(refusal.unwrap_or_else(not_signed))
    }

    /// As [`check_here`](Self::check_here), by asking PayPal. The body goes along byte for byte.
    async fn check_there(
        &self,
        transmission: &Transmission<'_>,
        body: &[u8],
        client: &Client<M>,
    ) -> Result<usize, WebhookRefusal> {
        let event: &RawValue = serde_json::from_slice(body)
            .map_err(|_| refusal(WebhookRefusalKind::Unreadable, "the body is not JSON"))?;
        for (index, webhook_id) in self.webhook_ids.iter().enumerate() {
            let asked = transmission.verification_request(webhook_id, event);
            let answer = client.verify_signature(asked).await.map_err(|error| {
                let hint = format!("PayPal could not be asked: {error}");
                WebhookRefusal::new(WebhookRefusalKind::Unverifiable, hint)
            })?;
            let answer: VerificationAnswer = answer.json().map_err(|_| {
                let hint = "PayPal's word on the signature cannot be read";
                refusal(WebhookRefusalKind::Unverifiable, hint)
            })?;
            if answer.verification_status == "SUCCESS" {
                return Ok(index);
            }
        }
        Err(not_signed())
    }

    /// Reads a body whose checksum is signed. What cannot be read is kept, since PayPal would send
    /// the same again for three days.
    fn notice(&self, body: &[u8], secret_index: usize, now: Timestamp) -> Notice<M> {
        let text = std::str::from_utf8(body).unwrap_or_default();
        let Ok(event) = serde_json::from_str::<wire::Event<'_>>(text) else {
            let reason = "it is not as the API describes an event";
            return self.unreadable(body, secret_index, now, reason);
        };
        let set_aside = |found: ModeKind| {
            let reason = SetAsideReason::WrongMode { found };
            Notice::SetAside(SetAside::new(&event.id, &event.event_type, reason))
        };
        match mode_of_links(&event.links) {
            Some(found) if found != M::KIND => return set_aside(found),
            _ => {}
        }
        let named = EventId::new(self.name.clone(), &event.id);
        let (Ok(id), Ok(occurred_at)) = (named, time(&event.create_time)) else {
            return self.unreadable(body, secret_index, now, "its id or its time is none");
        };
        let kind = match kind_of_event(Reader::new(&self.name, occurred_at), &event) {
            Ok(kind) => kind,
            Err(error) if *error.kind() == ErrorKind::WrongMode => {
                return set_aside(other_mode(M::KIND));
            }
            Err(error) => return self.unreadable(body, secret_index, now, &error.to_string()),
        };
        let draft = EventDraft::new(id, &event.event_type, occurred_at, kind)
            .with_authenticity(Authenticity::HeaderOnly)
            .with_secret_index(secret_index);
        Notice::Event(draft)
    }

    /// Keeps what cannot be read, under the payments that its resource names. The checksum does not
    /// prove them either.
    fn unreadable(
        &self,
        body: &[u8],
        secret_index: usize,
        now: Timestamp,
        reason: &str,
    ) -> Notice<M> {
        let whole: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let text = |name: &str| whole.get(name).and_then(Value::as_str);
        let links = whole.get("links").cloned().unwrap_or_default();
        let links: Vec<wire::Link> = serde_json::from_value(links).unwrap_or_default();
        let (id, kind) = (text("id"), plain_type(text("event_type")));
        if let Some(found) = mode_of_links(&links).filter(|found| *found != M::KIND) {
            let reason = SetAsideReason::WrongMode { found };
            return Notice::SetAside(SetAside::new(id.unwrap_or_default(), kind, reason));
        }
        let id = id.and_then(|id| EventId::new(self.name.clone(), id).ok());
        let id = id.map_or_else(|| EventId::of_body(self.name.clone(), body), Ok);
        let Ok(id) = id else {
            return Notice::Rejected(refusal(
                WebhookRefusalKind::Unreadable,
                "the event cannot be named",
            ));
        };
        let resource = whole.get("resource");
        let event = UnreadableEvent::new(reason, body);
        let event = event.with_payments(resource.map_or_else(Vec::new, |of| self.payments_in(of)));
        let at = text("create_time").and_then(|at| time(at).ok());
        let kind_of = EventKind::Unreadable(Box::new(event));
        let draft = EventDraft::new(id, kind, at.unwrap_or(now), kind_of)
            .with_authenticity(Authenticity::HeaderOnly)
            .with_reference(reference_in(resource))
            .with_secret_index(secret_index);
        Notice::Event(draft)
    }

    /// The payments that a resource names which could not be read: an order, before its parts.
    fn payments_in(&self, resource: &Value) -> Vec<PaymentId<M>> {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let related = resource.pointer("/supplementary_data/related_ids");
        let parts = ["order_id", "capture_id", "authorization_id"];
        let mut all: Vec<String> = parts
            .iter()
            .filter_map(|part| text(related.and_then(|related| related.get(*part))))
            .collect();
        let links = resource.get("links").cloned().unwrap_or_default();
        let links: Vec<wire::Link> = serde_json::from_value(links).unwrap_or_default();
        all.extend(capture_of(&links).map(str::to_owned));
        if let Some(disputed) = resource
            .get("disputed_transactions")
            .and_then(Value::as_array)
        {
            all.extend(
                disputed
                    .iter()
                    .filter_map(|of| text(of.get("seller_transaction_id"))),
            );
        } else if capture_of(&links).is_none() {
            // A refund is called by its own id, and links to its capture.
            all.extend(text(resource.get("id")));
        }
        let ids = all.iter().map(|id| PaymentId::new(self.name.clone(), id));
        ids.filter_map(std::result::Result::ok).collect()
    }
}

/// The reference in a resource that could not be read.
fn reference_in(resource: Option<&Value>) -> Option<Reference> {
    let resource = resource?;
    let of_unit = resource.pointer("/purchase_units/0/custom_id");
    let given = resource.get("custom_id").or(of_unit)?;
    given.as_str()?.parse().ok()
}

/// What the headers of a delivery say.
struct Transmission<'h> {
    id: &'h str,
    time: &'h str,
    signature_text: &'h str,
    signature: Vec<u8>,
    certificate_url: &'h str,
}

impl<'h> Transmission<'h> {
    fn of(headers: &'h HeaderMap) -> Result<Self, WebhookRefusal> {
        let signature_text = header(headers, &TRANSMISSION_SIG)?;
        if header(headers, &AUTH_ALGO)? != SHA256_WITH_RSA {
            return Err(malformed("it is not signed with SHA256withRSA"));
        }
        let time_text = header(headers, &TRANSMISSION_TIME)?;
        time(time_text).map_err(|_| malformed("the time of the delivery is none"))?;
        Ok(Self {
            id: header(headers, &TRANSMISSION_ID)?,
            time: time_text,
            signature_text,
            signature: STANDARD
                .decode(signature_text)
                .map_err(|_| malformed("the signature is not base64"))?,
            certificate_url: header(headers, &CERT_URL)?,
        })
    }

    /// What is signed: `id|time|webhook id|CRC-32 of the body`.
    fn signed_text(&self, webhook_id: &str, body: &[u8]) -> String {
        let checksum = crc32fast::hash(body);
        format!("{}|{}|{webhook_id}|{checksum}", self.id, self.time)
    }

    fn verification_request(&self, webhook_id: &str, event: &RawValue) -> String {
        #[derive(serde::Serialize)]
        struct Asked<'a> {
            auth_algo: &'a str,
            cert_url: &'a str,
            transmission_id: &'a str,
            transmission_sig: &'a str,
            transmission_time: &'a str,
            webhook_id: &'a str,
            webhook_event: &'a RawValue,
        }
        let asked = Asked {
            auth_algo: SHA256_WITH_RSA,
            cert_url: self.certificate_url,
            transmission_id: self.id,
            transmission_sig: self.signature_text,
            transmission_time: self.time,
            webhook_id,
            webhook_event: event,
        };
        // Texts and JSON that was read cannot fail to be written.
        serde_json::to_string(&asked).unwrap_or_default()
    }
}

/// A header that must be there once.
fn header<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<&'h str, WebhookRefusal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        let hint = format!("there is no {name} header: is it dropped on the way here?");
        return Err(WebhookRefusal::new(
            WebhookRefusalKind::MissingSignature,
            hint,
        ));
    };
    if values.next().is_some() {
        let hint = format!("there is more than one {name} header");
        return Err(WebhookRefusal::new(
            WebhookRefusalKind::MalformedSignature,
            hint,
        ));
    }
    match value.to_str() {
        Ok(text) if (1..=1024).contains(&text.len()) => Ok(text),
        _ => Err(malformed("a header is empty, too long or not ASCII")),
    }
}

/// What an event says, by its type.
fn kind_of_event<M: Mode>(reader: Reader<'_, M>, event: &wire::Event<'_>) -> Result<EventKind<M>> {
    let of_payment = |payment: Payment<M>| EventKind::Payment(Box::new(payment));
    Ok(match subject_of(event) {
        Subject::Order => of_payment(reader.order(&resource(event)?)?),
        Subject::Authorization => of_payment(reader.authorization(&resource(event)?)?),
        Subject::Capture => of_payment(reader.capture(&resource(event)?)?),
        Subject::Reversal => of_payment(reversed(reader, &resource(event)?)?),
        Subject::Refund => EventKind::Refund(Box::new(reader.refund(&resource(event)?)?)),
        Subject::Dispute => EventKind::Dispute(Box::new(reader.dispute(&resource(event)?)?)),
        Subject::NotPayments => EventKind::NotAboutPayments,
        Subject::Unknown => EventKind::Unrecognized,
    })
}

/// What an event is about.
enum Subject {
    Order,
    Authorization,
    Capture,
    Reversal,
    Refund,
    Dispute,
    NotPayments,
    Unknown,
}

fn subject_of(event: &wire::Event<'_>) -> Subject {
    const OTHERS: [&str; 10] = [
        "BILLING.",
        "CATALOG.",
        "CUSTOMER.ACCOUNT",
        "CUSTOMER.MANAGED-ACCOUNT",
        "CUSTOMER.MERCHANT-INTEGRATION",
        "IDENTITY.",
        "MERCHANT.",
        "PAYMENT.PAYOUTS",
        "PAYMENT.REFERENCED-PAYOUT",
        "VAULT.",
    ];
    let kind = event.event_type.as_str();
    let resource_type = event.resource_type.as_deref();
    match kind {
        _ if kind.starts_with("CHECKOUT.ORDER.") => Subject::Order,
        _ if kind.starts_with("PAYMENT.AUTHORIZATION.") => Subject::Authorization,
        "PAYMENT.CAPTURE.REVERSED" if resource_type != Some("capture") => Subject::Reversal,
        // The resource is the refund, and not the capture.
        "PAYMENT.CAPTURE.REFUNDED" if resource_type != Some("capture") => Subject::Refund,
        _ if kind.starts_with("PAYMENT.CAPTURE.") => Subject::Capture,
        _ if kind.starts_with("PAYMENT.REFUND.") => Subject::Refund,
        // The second is how the opening of a dispute was called before.
        _ if kind.starts_with("CUSTOMER.DISPUTE.") || kind.starts_with("RISK.DISPUTE.") => {
            Subject::Dispute
        }
        _ if OTHERS.iter().any(|family| kind.starts_with(family)) => Subject::NotPayments,
        _ => Subject::Unknown,
    }
}

/// A capture that PayPal has taken back: how it stands is for the capture to say.
fn reversed<M: Mode>(reader: Reader<'_, M>, reversal: &wire::Refund) -> Result<Payment<M>> {
    reader.check_mode(&reversal.links)?;
    let capture = capture_of(&reversal.links);
    let capture = capture.ok_or_else(|| super::convert::missing("link to a capture"))?;
    let status = PaymentStatus::Unrecognized("REVERSED".into());
    let amount = money(&reversal.amount)?;
    let id = reader.payment_id(capture)?;
    Ok(Payment::new(id, status, amount, reader.as_of()))
}

fn resource<'e, T: Deserialize<'e>>(event: &wire::Event<'e>) -> Result<T> {
    let unexpected = || {
        let message = "its resource is not as the API describes it";
        Error::new(ErrorKind::UnexpectedResponse, message)
    };
    let resource = event.resource.ok_or_else(unexpected)?;
    serde_json::from_str(resource.get()).map_err(|_| unexpected())
}

const fn other_mode(mode: ModeKind) -> ModeKind {
    match mode {
        ModeKind::Test => ModeKind::Live,
        ModeKind::Live => ModeKind::Test,
    }
}

fn not_signed() -> WebhookRefusal {
    let hint = "PayPal has not signed this for any webhook that is set here";
    refusal(WebhookRefusalKind::WrongSignature, hint)
}

fn malformed(hint: &'static str) -> WebhookRefusal {
    refusal(WebhookRefusalKind::MalformedSignature, hint)
}

fn refusal(kind: WebhookRefusalKind, hint: &'static str) -> WebhookRefusal {
    WebhookRefusal::new(kind, hint)
}
