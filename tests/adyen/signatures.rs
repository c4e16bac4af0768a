//! Which webhooks are believed, and of which mode they are.

use counterfoil::id::Namespace;
use counterfoil::providers::adyen::{
    Adyen, AdyenConfig, LivePrefix, SIGNATURE_HEADER, sign, sign_header,
};
use counterfoil::webhook::{
    Authenticity, EventKind, SetAsideReason, WebhookRefusalKind as Kind, WebhookRequest,
};
use counterfoil::{Live, ModeKind, Secret};
use http::HeaderMap;
use serde_json::{Value, json};

use crate::shop::{
    ACCOUNT, API_KEY, HMAC_KEY, NOW, PAYMENT, Shop, change, envelope, notice, reference,
};

const OTHER_KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// The notice that Adyen's own libraries are tested with, with the signature that they expect.
fn vector() -> Value {
    json!({
        "pspReference": "7914073381342284",
        "originalReference": "",
        "merchantAccountCode": "TestMerchant",
        "merchantReference": "TestPayment-1407325143704",
        "amount": {"value": 1130, "currency": "EUR"},
        "eventCode": "AUTHORISATION",
        "eventDate": "2014-08-06T17:15:34.121+02:00",
        "success": "true",
        "additionalData": {"hmacSignature": "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="},
    })
}

#[tokio::test]
async fn the_vector_of_adyens_libraries_is_believed() {
    let shop = Shop::open();
    let body = envelope([vector()]).to_string().into_bytes();
    let delivery = shop.receive_bytes(body.clone()).await.unwrap();
    // It is genuine, and of another account.
    assert_eq!(delivery.set_aside[0].reason, SetAsideReason::OtherAccount);
    assert_eq!(delivery.answer(), 200);
    assert_eq!(sign(&Secret::new(HMAC_KEY), &body), body);
}

#[tokio::test]
async fn each_signed_field_is_covered_and_no_other() {
    let shop = Shop::open();
    let signed = sign(
        &Secret::new(HMAC_KEY),
        envelope([notice("CAPTURE", true, 2000)])
            .to_string()
            .as_bytes(),
    );
    let genuine: Value = serde_json::from_slice(&signed).unwrap();
    for (pointer, value) in [
        ("pspReference", json!("9913140798220029")),
        ("originalReference", json!("9913140798220028")),
        ("merchantAccountCode", json!("OtherECOM")),
        ("merchantReference", json!("shop:A-2:1")),
        ("amount/value", json!(2001)),
        ("amount/currency", json!("USD")),
        ("eventCode", json!("REFUND")),
        ("success", json!("false")),
    ] {
        let mut altered = genuine.clone();
        let item = &mut altered["notificationItems"][0]["NotificationRequestItem"];
        match pointer.split_once('/') {
            Some((outer, inner)) => item[outer][inner] = value,
            None => item[pointer] = value,
        }
        let refusal = shop
            .receive_bytes(altered.to_string().into())
            .await
            .unwrap_err();
        assert_eq!(refusal.kind(), Kind::WrongSignature, "{pointer}");
        assert_eq!(refusal.answer(), 400);
    }
    for field in ["reason", "eventDate", "paymentMethod"] {
        let mut altered = genuine.clone();
        altered["notificationItems"][0]["NotificationRequestItem"][field] = "altered".into();
        let delivery = shop
            .receive_bytes(altered.to_string().into())
            .await
            .unwrap();
        assert_eq!(
            delivery.events[0].authenticity(),
            Authenticity::Facts,
            "{field}"
        );
    }
}

#[tokio::test]
async fn a_colon_moved_from_one_field_to_another_is_refused() {
    // Adyen escapes nothing, so that two notices can have one signature. Where an installation is
    // called as its account is, one of them would read as another.
    let shop = Shop::open();
    let mut item = notice("AUTHORISATION", true, 2000);
    item["merchantReference"] = format!("{ACCOUNT}:A-1:1").into();
    let signed = sign(
        &Secret::new(HMAC_KEY),
        envelope([item]).to_string().as_bytes(),
    );
    let mut altered: Value = serde_json::from_slice(&signed).unwrap();
    let item = &mut altered["notificationItems"][0]["NotificationRequestItem"];
    item["pspReference"] = "9913140798220028:".into();
    item["originalReference"] = ACCOUNT.into();
    item["merchantReference"] = "A-1:1".into();
    let refusal = shop
        .receive_bytes(altered.to_string().into())
        .await
        .unwrap_err();
    assert_eq!(refusal.kind(), Kind::Unreadable);
}

#[tokio::test]
async fn several_keys_are_tried_and_the_one_that_fits_is_told() {
    let shop = Shop::open_as(|config| config.with_hmac_key(OTHER_KEY).unwrap());
    let body = envelope([notice("CAPTURE", true, 2000)]).to_string();
    for (key, index) in [(HMAC_KEY, 0), (OTHER_KEY, 1)] {
        let signed = sign(&Secret::new(key), body.as_bytes());
        let delivery = shop.receive_bytes(signed).await.unwrap();
        assert_eq!(delivery.events[0].secret_index(), index);
    }
    let strange = sign(&Secret::new("ff".repeat(32)), body.as_bytes());
    let refusal = shop.receive_bytes(strange).await.unwrap_err();
    assert_eq!(refusal.kind(), Kind::WrongSignature);
}

#[tokio::test]
async fn each_key_signs_a_sample_that_is_believed_and_says_nothing() {
    let shop = Shop::open_as(|config| config.with_hmac_key(OTHER_KEY).unwrap());
    let samples = shop.provider.sample_webhooks(NOW);
    assert_eq!(samples.len(), 2);
    for (index, sample) in samples.iter().enumerate() {
        let delivery = shop.provider.webhook(sample).await.unwrap();
        let event = &delivery.events[0];
        assert_eq!(event.secret_index(), index);
        assert!(matches!(event.kind(), EventKind::NotAboutPayments));
    }
}

#[tokio::test]
async fn each_of_several_notices_stands_for_itself() {
    let shop = Shop::open();
    let good = notice("AUTHORISATION", true, 2000);
    let both = envelope([good.clone(), notice("CAPTURE", true, 2000)]);
    assert_eq!(shop.receive(&both).await.unwrap().events.len(), 2);

    let signed = sign(&Secret::new(HMAC_KEY), both.to_string().as_bytes());
    let mut altered: Value = serde_json::from_slice(&signed).unwrap();
    altered["notificationItems"][1]["NotificationRequestItem"]["amount"]["value"] = 1.into();
    // The good one is an event, and the answer makes Adyen send both again.
    let delivery = shop
        .receive_bytes(altered.to_string().into())
        .await
        .unwrap();
    assert_eq!((delivery.answer(), delivery.events.len()), (400, 1));
    assert_eq!(delivery.events[0].type_text(), "AUTHORISATION");
    assert_eq!(delivery.rejected[0].kind(), Kind::WrongSignature);

    // Signed, and still no notice: it is kept beside the good one.
    let mut without_amount = change("REFUND", true, 2000);
    without_amount["amount"] = Value::Null;
    let delivery = shop.receive(&envelope([without_amount, good])).await;
    let delivery = delivery.unwrap();
    assert_eq!((delivery.answer(), delivery.events.len()), (200, 2));
    let EventKind::Unreadable(unreadable) = delivery.events[0].kind() else {
        panic!("{delivery:?}");
    };
    assert_eq!(unreadable.payments[0].raw(), PAYMENT);
    assert_eq!(delivery.events[0].reference(), Some(&reference("A-1")));

    let refusal = shop.receive(&envelope([])).await.unwrap_err();
    assert_eq!(refusal.kind(), Kind::Unreadable);
    assert!(refusal.hint().contains("no notices"));
}

#[tokio::test]
async fn the_mode_is_that_of_the_key_and_the_flag_can_only_keep_a_notice_out() {
    let prefix = LivePrefix::new("1797a841fbb37ca7-Shop").unwrap();
    let config = AdyenConfig::<Live>::new(API_KEY, ACCOUNT, OTHER_KEY, prefix).unwrap();
    let live = Adyen::new(config).unwrap();
    let live = live.into_provider(Namespace::new("shop").unwrap());
    let receive = async |key: &str, flag: Value| {
        let mut body = envelope([notice("AUTHORISATION", true, 2000)]);
        body["live"] = flag;
        let signed = sign(&Secret::new(key), body.to_string().as_bytes());
        live.webhook(&WebhookRequest::new(HeaderMap::new(), signed))
            .await
    };
    // A test notice does not become a live one by its flag.
    let refusal = receive(HMAC_KEY, "true".into()).await.unwrap_err();
    assert_eq!(refusal.kind(), Kind::WrongSignature);
    let delivery = receive(OTHER_KEY, "true".into()).await.unwrap();
    assert_eq!(delivery.events.len(), 1);
    assert_eq!(
        receive(OTHER_KEY, Value::Null).await.unwrap().events.len(),
        1
    );
    let delivery = receive(OTHER_KEY, "false".into()).await.unwrap();
    let found = ModeKind::Test;
    assert_eq!(
        delivery.set_aside[0].reason,
        SetAsideReason::WrongMode { found }
    );
    assert!(delivery.events.is_empty());
    let refusal = receive(OTHER_KEY, "maybe".into()).await.unwrap_err();
    assert_eq!(refusal.kind(), Kind::Unreadable);
}

#[tokio::test]
async fn bodies_that_are_no_notices_are_kept_if_signed_and_nothing_panics() {
    let shop = Shop::open();
    let item = |pointer: &str, value: Value| {
        let mut item = notice("AUTHORISATION", true, 2000);
        match pointer.split_once('/') {
            Some((outer, inner)) => item[outer][inner] = value,
            None => item[pointer] = value,
        }
        item
    };
    for bad in [
        item("amount/value", json!(-1)),
        item("amount/value", json!(10.5)),
        item("amount/value", json!("2000")),
        item("amount/value", json!(" 2000")),
        item("amount/currency", json!("XXX")),
        item("amount/currency", Value::Null),
        item("pspReference", json!("../refunds")),
        item("pspReference", Value::Null),
        item("pspReference", json!("")),
        item("eventCode", Value::Null),
        item("eventCode", json!("AUTHORISATION\n")),
    ] {
        let delivery = shop.receive(&envelope([bad.clone()])).await.unwrap();
        assert_eq!(delivery.answer(), 200, "{bad}");
        let kind = delivery.events[0].kind();
        assert!(matches!(kind, EventKind::Unreadable(_)), "{bad}: {kind:?}");
    }
    let exponent = envelope([notice("AUTHORISATION", true, 2000)]).to_string();
    let exponent = exponent.replace("2000", "2e3");
    assert!(shop.receive_bytes(exponent.into_bytes()).await.is_err());
    for body in [
        "",
        "{}",
        "[]",
        "null",
        "[accepted]",
        "live=false&eventCode=AUTHORISATION",
    ] {
        let refusal = shop.receive_bytes(body.into()).await.unwrap_err();
        assert_eq!(refusal.answer(), 400, "{body}");
    }
    for signature in [
        "",
        "coqCmt",
        "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0",
        "ä",
        "AAAA",
    ] {
        let mut item = vector();
        item["additionalData"]["hmacSignature"] = signature.into();
        let body = envelope([item]).to_string().into_bytes();
        let refusal = shop.receive_bytes(body).await.unwrap_err();
        assert_eq!(refusal.kind(), Kind::MalformedSignature, "{signature}");
    }
    let unsigned = envelope([notice("AUTHORISATION", true, 2000)]).to_string();
    let refusal = shop.receive_bytes(unsigned.into_bytes()).await.unwrap_err();
    assert_eq!(refusal.kind(), Kind::MissingSignature);
}

#[tokio::test]
async fn a_management_webhook_is_signed_in_its_header() {
    let shop = Shop::open();
    let body = br#"{"type":"merchant.updated","environment":"test","createdAt":"2026-11-16T12:00:00Z","data":{}}"#;
    let receive = async |header: &[&str], body: &[u8]| {
        let mut headers = HeaderMap::new();
        for value in header {
            headers.append(SIGNATURE_HEADER, value.parse().unwrap());
        }
        headers.insert("protocol", "HmacSHA256".parse().unwrap());
        let request = WebhookRequest::new(headers, body.to_vec());
        shop.provider.webhook(&request).await
    };
    let signature = sign_header(&Secret::new(HMAC_KEY), body);
    let delivery = receive(&[&signature], body).await.unwrap();
    assert!(matches!(
        delivery.events[0].kind(),
        EventKind::NotAboutPayments
    ));
    assert_eq!(delivery.events[0].type_text(), "merchant.updated");

    let mut altered = body.to_vec();
    altered[9] = b'M';
    let kind = async |header: &[&str], body: &[u8]| receive(header, body).await.unwrap_err().kind();
    assert_eq!(kind(&[&signature], &altered).await, Kind::WrongSignature);
    assert_eq!(
        kind(&[&signature, &signature], body).await,
        Kind::MalformedSignature
    );
    assert_eq!(kind(&[], body).await, Kind::MissingSignature);
    assert_eq!(
        kind(&["no signature"], body).await,
        Kind::MalformedSignature
    );

    let live = br#"{"type":"merchant.updated","environment":"live"}"#;
    let signature = sign_header(&Secret::new(HMAC_KEY), live);
    let delivery = receive(&[&signature], live).await.unwrap();
    let found = ModeKind::Live;
    assert_eq!(
        delivery.set_aside[0].reason,
        SetAsideReason::WrongMode { found }
    );
}
