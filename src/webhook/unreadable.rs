//! Verified events that cannot be interpreted, and the copy that is kept of them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::card_number::has_card_number;
use crate::id::PaymentId;
use crate::mode::Mode;

/// How many bytes of a body are kept.
const KEPT_MAX: usize = 8 * 1024;
/// How many entries of one list or object, and how many levels, are kept.
const ENTRIES_MAX: usize = 50;
const DEPTH_MAX: usize = 12;
/// How long a kept text may be: as long as an id.
const TEXT_MAX: usize = 255;
const WITHHELD: &str = "(withheld)";

/// A verified event that could not be interpreted: of an unknown currency, without an amount, of
/// another making than the provider's description has it.
///
/// It changes no payment. It is acknowledged, since the provider would send it again and again and
/// at last stop sending at all, and it is kept for review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound = "", deny_unknown_fields)]
#[non_exhaustive]
pub struct UnreadableEvent<M: Mode> {
    /// The payments that it names; none if it names none that could be read.
    pub payments: Vec<PaymentId<M>>,
    /// What could not be read.
    pub reason: Box<str>,
    /// The body as JSON, at most 8 KiB of it: the names of all fields, and of their values only ids,
    /// states, amounts, currencies and times. Every other text and number is withheld, since it may
    /// be a name, an address or part of a card. A body that is no JSON is kept as its size and its
    /// SHA-256.
    pub kept: Box<str>,
}

impl<M: Mode> UnreadableEvent<M> {
    /// An event whose `body` could not be read for this `reason`, which quotes nothing of it.
    #[must_use]
    pub fn new(reason: &str, body: &[u8]) -> Self {
        Self {
            payments: Vec::new(),
            reason: reason.into(),
            kept: kept_copy(body).into(),
        }
    }

    /// Says which payments it names.
    #[must_use]
    pub fn with_payments(mut self, payments: Vec<PaymentId<M>>) -> Self {
        self.payments = payments;
        self
    }
}

#[cfg(any(feature = "adyen", feature = "paypal", feature = "stripe"))]
/// A name for a body that has none of its own: the same body again has the same name.
pub(crate) fn name_of_body(body: &[u8]) -> String {
    format!("unreadable.{}", hex::encode(Sha256::digest(body)))
}

#[cfg(any(feature = "adyen", feature = "paypal", feature = "stripe"))]
/// A provider's type of an event as far as it can be kept: a short plain word, or that it is none.
pub(crate) fn plain_type(text: Option<&str>) -> &str {
    text.filter(|text| text.len() <= 100 && is_plain(text))
        .unwrap_or("unreadable")
}

fn kept_copy(body: &[u8]) -> String {
    let size_only = || {
        let digest = hex::encode(Sha256::digest(body));
        json!({ "bytes": body.len(), "sha256": digest }).to_string()
    };
    let Ok(whole) = serde_json::from_slice::<Value>(body) else {
        return size_only();
    };
    let kept = redacted("", whole, 0).to_string();
    match kept.len() <= KEPT_MAX {
        true => kept,
        false => size_only(),
    }
}

fn redacted(key: &str, value: Value, depth: usize) -> Value {
    match value {
        Value::Null | Value::Bool(_) => value,
        Value::Number(_) if is_kept(key) => value,
        Value::String(text) if is_kept(key) && is_kept_text(key, &text) => Value::String(text),
        Value::Number(_) | Value::String(_) => WITHHELD.into(),
        Value::Array(_) | Value::Object(_) if depth >= DEPTH_MAX => WITHHELD.into(),
        Value::Array(all) => {
            let kept = all.into_iter().take(ENTRIES_MAX);
            kept.map(|entry| redacted(key, entry, depth + 1)).collect()
        }
        Value::Object(all) => {
            let kept = all.into_iter().take(ENTRIES_MAX);
            let kept = kept.filter(|(key, _)| key.len() <= 64 && is_plain(key));
            let kept = kept.map(|(key, value)| {
                let value = redacted(&key, value, depth + 1);
                (key, value)
            });
            Value::Object(kept.collect::<Map<_, _>>())
        }
    }
}

fn is_kept_text(key: &str, text: &str) -> bool {
    // Adyen's reason of an approval has digits of the card and its expiry in it.
    let is_reason = key == "reason" && text.bytes().any(|byte| byte.is_ascii_digit());
    text.len() <= TEXT_MAX && is_plain(text) && !is_reason
}

/// Letters, digits and what ids and times are written with: no blank and no `@`, so neither a
/// sentence nor an address; and no card number.
fn is_plain(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:+/~=".contains(&byte);
    !text.is_empty() && text.bytes().all(is_plain) && !has_card_number(text)
}

/// Fields whose values are ids, states, amounts, currencies and times with every provider.
fn is_kept(key: &str) -> bool {
    const KEPT: [&str; 67] = [
        "account",
        "actionable",
        "amount",
        "amount_captured",
        "amount_capturable",
        "amount_received",
        "amount_refunded",
        "amount_subtotal",
        "amount_total",
        "api_version",
        "arrival_date",
        "authorization_id",
        "balance_transaction",
        "capture_id",
        "charge",
        "client_reference_id",
        "context",
        "counterfoil_command",
        "counterfoil_reference",
        "created",
        "createdAt",
        "create_time",
        "currency",
        "currency_code",
        "custom_id",
        "dispute_id",
        "environment",
        "eventCode",
        "eventDate",
        "event_type",
        "event_version",
        "exponent",
        "failure_code",
        "fraud_type",
        "fx_rate",
        "id",
        "invoice_id",
        "latest_charge",
        "live",
        "merchantAccountCode",
        "merchantReference",
        "mode",
        "object",
        "operations",
        "order_id",
        "originalReference",
        "payment",
        "payment_intent",
        "payment_status",
        "payout_batch_id",
        "payout_item_id",
        "previous_status",
        "pspReference",
        "reason",
        "refund",
        "resource_type",
        "resource_version",
        "review",
        "seller_transaction_id",
        "source_currency",
        "source_type",
        "status",
        "success",
        "transaction_id",
        "type",
        "update_time",
        "value",
    ];
    KEPT.contains(&key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(body: &str) -> Value {
        serde_json::from_str(&kept_copy(body.as_bytes())).unwrap()
    }

    #[test]
    fn ids_amounts_and_states_are_kept_and_what_may_be_personal_is_withheld() {
        let body = r#"{"id":"evt_1","type":"refund.created","livemode":false,"data":{"object":{
            "id":"re_1","amount":500,"currency":"ang","charge":null,"status":"pending",
            "receipt_email":"ann@example.com","description":"Ann Example","phone":4930123456,
            "client_secret":"pi_1_secret_2","metadata":{"note":"x","counterfoil_reference":"shop:A:1"},
            "card":{"last4":"4242","exp_month":12}}},"reason":"034567:4242:12/2029",
            "ann@example.com":"x","invoice_id":"4111111111111111"}"#;
        let kept = kept(body);
        let object = &kept["data"]["object"];
        assert_eq!(kept["id"], "evt_1");
        assert_eq!(kept["livemode"], false);
        assert_eq!(object["amount"], 500);
        assert_eq!(object["currency"], "ang");
        assert_eq!(object["charge"], Value::Null);
        assert_eq!(object["metadata"]["counterfoil_reference"], "shop:A:1");
        for withheld in [
            &object["receipt_email"],
            &object["description"],
            &object["phone"],
            &object["client_secret"],
            &object["metadata"]["note"],
            &object["card"]["last4"],
            &object["card"]["exp_month"],
            &kept["reason"],
            &kept["invoice_id"],
        ] {
            assert_eq!(*withheld, WITHHELD);
        }
        assert_eq!(kept.get("ann@example.com"), None);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let long = format!(r#"{{"id":"{}","status":"open"}}"#, "a".repeat(300));
        assert_eq!(kept(&long)["id"], WITHHELD);
        let many = format!("[{}1]", "1,".repeat(1000));
        assert_eq!(kept(&many).as_array().unwrap().len(), ENTRIES_MAX);
        let deep = format!("{}1{}", r#"{"a":"#.repeat(100), "}".repeat(100));
        assert!(kept_copy(deep.as_bytes()).len() < 200);
        let wide: Vec<_> = (0..50).map(|_| format!("[{}1]", "1,".repeat(49))).collect();
        let wide = format!("[{}]", wide.join(","));
        assert!(kept_copy(wide.as_bytes()).len() <= KEPT_MAX);
        for body in ["", "{", "\u{fffd}"] {
            assert_eq!(kept(body)["bytes"], body.len());
            assert_eq!(kept(body)["sha256"].as_str().unwrap().len(), 64);
        }
    }
}
