//! Events that are signed and cannot be read: kept under what they name.

use serde_json::Value;

use super::webhook::Verifier;
use super::wire::REFERENCE_KEY;
use crate::clock::Timestamp;
use crate::id::{EventId, PaymentId, Reference};
use crate::mode::{Mode, ModeKind};
use crate::webhook::{
    EventDraft, EventKind, Notice, UnreadableEvent, WebhookRefusal, WebhookRefusalKind, plain_type,
};

impl<M: Mode> Verifier<M> {
    /// A body that is signed and no event as the API describes it.
    pub(super) fn notice_of_no_event(&self, whole: &Value, signed: &Signed<'_>) -> Notice<M> {
        let text = |name: &str| whole.get(name).and_then(Value::as_str);
        let found = whole.get("livemode").and_then(Value::as_bool);
        let found = found.map(ModeKind::from_livemode);
        // A thin event names the account as its context.
        let account = text("account").or_else(|| text("context"));
        let named = account.filter(|account| account.starts_with("acct_"));
        let (id, kind) = (text("id").unwrap_or_default(), plain_type(text("type")));
        if (found.is_some() || named.is_some())
            && let Some(aside) = self.set_aside(id, kind, found, named)
        {
            return Notice::SetAside(aside);
        }
        let is_thin = text("object").is_some_and(|object| object.starts_with("v2.core.event"));
        let reason = match (is_thin, found.is_some()) {
            (true, _) => {
                "this is a thin event (v2.core.event), which does not say what happened: let the \
                 endpoint send snapshot events"
            }
            (false, true) => "it is not as the API describes an event",
            (false, false) => "it is no event of Stripe's",
        };
        let object = match is_thin {
            true => whole.get("related_object"),
            false => whole.pointer("/data/object"),
        };
        let object = object.filter(|_| found.is_some());
        self.unreadable(signed, object, reason)
    }

    /// Keeps what is signed and cannot be read, under the payments and the order that its object
    /// names.
    pub(super) fn unreadable(
        &self,
        signed: &Signed<'_>,
        object: Option<&Value>,
        reason: &str,
    ) -> Notice<M> {
        let whole = serde_json::from_slice(signed.body).unwrap_or(Value::Null);
        let text = |name: &str| whole.get(name).and_then(Value::as_str);
        let id = text("id").and_then(|id| EventId::new(self.name.clone(), id).ok());
        let id = id.map_or_else(|| EventId::of_body(self.name.clone(), signed.body), Ok);
        let Ok(id) = id else {
            let hint = "the event cannot be named";
            return Notice::Rejected(WebhookRefusal::new(WebhookRefusalKind::Unreadable, hint));
        };
        let created = whole.get("created").and_then(Value::as_i64);
        let event = UnreadableEvent::new(reason, signed.body);
        let event = event.with_payments(object.map_or_else(Vec::new, |o| self.payments_in(o)));
        let kind = EventKind::Unreadable(Box::new(event));
        let at = created.map_or(signed.now, Timestamp::from_unix);
        let draft = EventDraft::new(id, plain_type(text("type")), at, kind);
        let draft = draft.with_reference(object.and_then(reference_in));
        Notice::Event(draft.with_secret_index(signed.secret_index))
    }

    /// The payments that an object names which could not be read.
    fn payments_in(&self, object: &Value) -> Vec<PaymentId<M>> {
        let id_of = |value: &Value| match value {
            Value::String(id) => Some(id.clone()),
            value => value.get("id").and_then(Value::as_str).map(str::to_owned),
        };
        let names = ["payment_intent", "charge", "latest_charge"];
        let named = names.iter().filter_map(|name| object.get(*name));
        let all = named.chain([object]).filter_map(id_of);
        let of_payments = all.filter(|id| {
            let prefixes = ["pi_", "ch_", "py_", "cs_"];
            prefixes.iter().any(|prefix| id.starts_with(prefix))
        });
        let ids = of_payments.map(|id| PaymentId::new(self.name.clone(), &id));
        ids.filter_map(Result::ok).collect()
    }
}

/// A body whose signature holds.
pub(super) struct Signed<'b> {
    pub(super) body: &'b [u8],
    pub(super) secret_index: usize,
    pub(super) now: Timestamp,
}

/// The reference in an object that could not be read.
fn reference_in(object: &Value) -> Option<Reference> {
    let of_metadata = object.get("metadata").and_then(|of| of.get(REFERENCE_KEY));
    let given = of_metadata.or_else(|| object.get("client_reference_id"));
    given.and_then(Value::as_str)?.parse().ok()
}
