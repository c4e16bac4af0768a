//! A webhook's body, whose signature stands within. An even first byte leaves that to the fuzzer; an
//! odd one signs each notice, so that what is behind the signature is reached too.

#![no_main]

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use counterfoil::id::Namespace;
use counterfoil::providers::adyen::{Adyen, AdyenConfig};
use counterfoil::webhook::WebhookRequest;
use counterfoil::{Provider, Test};
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use sha2::Sha256;

const HMAC_KEY: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";

static PROVIDER: LazyLock<Provider<Test>> = LazyLock::new(|| {
    let config = AdyenConfig::<Test>::new("AQEtest", "ShopECOM", HMAC_KEY).unwrap();
    let shop = Namespace::new("shop").unwrap();
    Adyen::new(config).unwrap().into_provider(shop)
});

fuzz_target!(|data: &[u8]| {
    let Some((first, body)) = data.split_first() else {
        return;
    };
    let is_signed = first % 2 == 1;
    let body = if is_signed {
        signed(body)
    } else {
        body.to_vec()
    };
    let request = WebhookRequest::new(HeaderMap::new(), body);
    let delivery = pollster::block_on(PROVIDER.webhook(&request));
    let is_believed = delivery.is_ok_and(|delivery| !delivery.events.is_empty());
    assert!(is_signed || !is_believed, "a forged webhook was believed");
});

fn signed(body: &[u8]) -> Vec<u8> {
    let Ok(mut value) = serde_json::from_slice::<Value>(body) else {
        return body.to_vec();
    };
    let items = value
        .get_mut("notificationItems")
        .and_then(Value::as_array_mut);
    for item in items.into_iter().flatten() {
        if let Some(item) = item.get_mut("NotificationRequestItem") {
            sign(item);
        }
    }
    value.to_string().into_bytes()
}

fn sign(item: &mut Value) {
    let text = |pointer: &str| match item.pointer(pointer) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
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
    let signed = fields.map(text).join(":");
    let mac = Hmac::<Sha256>::new_from_slice(&hex::decode(HMAC_KEY).unwrap()).unwrap();
    let tag = mac.chain_update(signed).finalize().into_bytes();
    if let Some(fields) = item.as_object_mut() {
        let data = serde_json::json!({"hmacSignature": STANDARD.encode(tag)});
        fields.insert("additionalData".into(), data);
    }
}
