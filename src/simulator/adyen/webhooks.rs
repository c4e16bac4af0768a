//! Webhooks of a merchant account: where notices go, which, and the keys that sign them.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::state::World;
use crate::clock::Timestamp;
use crate::simulator::table::Row;

/// The kind of webhook that tells of payments.
pub(super) const STANDARD: &str = "standard";

/// An address that receives notices.
#[derive(Debug, Clone)]
pub(super) struct Webhook {
    pub(super) id: String,
    pub(super) merchant: String,
    pub(super) kind: String,
    pub(super) url: String,
    pub(super) active: bool,
    pub(super) description: Option<String>,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    /// The events that are wanted; all if there are none.
    pub(super) events: Vec<String>,
    /// By which version of TLS notices are sent, or `HTTP` for none.
    pub(super) encryption: Option<String>,
    pub(super) hmac_key: Option<String>,
    /// The key before, which still signs until the instant given.
    pub(super) previous_key: Option<(Option<String>, Timestamp)>,
}

impl Row for Webhook {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Webhook {
    pub(super) fn wants(&self, merchant: &str, event: &str) -> bool {
        self.active
            && self.kind == STANDARD
            && self.merchant == merchant
            && (self.events.is_empty() || self.events.iter().any(|name| name == event))
    }

    /// The key that signs now.
    pub(super) fn hmac_key_at(&self, now: Timestamp) -> Option<&str> {
        match &self.previous_key {
            Some((key, until)) if now < *until => key.as_deref(),
            _ => self.hmac_key.as_deref(),
        }
    }
}

/// Adds a webhook; its id is answered.
pub(super) fn register(
    world: &mut World,
    merchant: &str,
    kind: &str,
    url: &str,
    hmac_key: Option<&str>,
) -> String {
    let id = format!("S2-{}", world.ids.hex(""));
    world.webhooks.put(Webhook {
        id: id.clone(),
        merchant: merchant.to_owned(),
        kind: kind.to_owned(),
        url: url.to_owned(),
        active: true,
        description: None,
        username: None,
        password: None,
        events: Vec::new(),
        encryption: None,
        hmac_key: hmac_key.map(str::to_owned),
        previous_key: None,
    });
    id
}

/// What a key is known by without being shown. How Adyen computes it is not published; this is the
/// beginning of what the key makes of nothing.
pub(super) fn check_value(hmac_key: &str) -> Option<String> {
    let key = hex::decode(hmac_key).ok()?;
    let mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    let tag = mac.finalize().into_bytes();
    Some(hex::encode_upper(tag.get(..3)?))
}

/// Gives a webhook a new key. Until `after` has passed the old one still signs: a new key takes
/// time to reach every machine. Answers whether there is such a webhook.
pub(super) fn change_key(world: &mut World, id: &str, key: &str, after: Duration) -> bool {
    let Some(mut webhook) = world.webhooks.get(id).cloned() else {
        return false;
    };
    let old = webhook.hmac_key.replace(key.to_owned());
    webhook.previous_key = Some((old, world.now.saturating_add(after)));
    world.webhooks.put(webhook);
    true
}
