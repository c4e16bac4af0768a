//! Webhooks that must not be believed: certificates, addresses, signatures and checksums.

use std::sync::Arc;
use std::time::Duration;

use counterfoil::clock::ManualClock;
use counterfoil::ledger::Ledger;
use counterfoil::payment::PaymentStatus;
use counterfoil::providers::paypal::{PayPal, PayPalConfig, PayPalCredentials, WebhookCheck};
use counterfoil::webhook::{Authenticity, EventKind, WebhookRefusalKind, WebhookRequest};
use counterfoil::{ErrorKind, Provider, Test};
use futures_util::future::join_all;
use http::HeaderValue;
use serde_json::{Value, json};

use crate::answers::{self, CAPTURE, ORDER_PATH, capture};
use crate::collision::with_checksum;
use crate::notary::{
    CERT_PATH, CERT_URL, Headers, NAME, Notary, self_signed, shop, shop_as, sign, signer, stranger,
};
use crate::script::{
    CLIENT_ID, CLIENT_SECRET, NOW, Reply, Script, WEBHOOK_ID, config, provider_of,
};

const YEARS: (i32, i32) = (2020, 2040);

fn notice() -> String {
    let resource = capture(CAPTURE, "COMPLETED", "20.00");
    let event = json!({
        "id": "WH-1", "event_version": "1.0", "create_time": "2026-11-16T11:59:00Z",
        "resource_type": "capture", "resource_version": "2.0",
        "event_type": "PAYMENT.CAPTURE.COMPLETED", "summary": "@".repeat(40),
        "resource": resource,
    });
    event.to_string()
}

async fn refusal(provider: &Provider<Test>, webhook: &WebhookRequest) -> (WebhookRefusalKind, u16) {
    let refusal = provider.webhook(webhook).await.unwrap_err();
    (refusal.kind(), refusal.answer())
}

#[tokio::test]
async fn a_genuine_notice_is_accepted_and_its_certificate_fetched_once() {
    let notary = Notary::new();
    for certificate in [notary.certificate(NAME, YEARS), notary.chain()] {
        let (script, provider) = shop(&notary, &certificate);
        let webhook = sign(notice().as_bytes());
        let deliveries = join_all((0..20).map(|_| provider.webhook(&webhook))).await;
        for delivery in deliveries {
            let event = &delivery.unwrap().events[0];
            assert_eq!(event.authenticity(), Authenticity::HeaderOnly);
            assert_eq!(event.id().raw(), "WH-1");
        }
        assert_eq!(script.lines(), [format!("GET {CERT_PATH}")]);
        assert_eq!(
            script.tokens(),
            0,
            "a certificate is fetched without a token"
        );
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_paypals_now_is_refused() {
    let (notary, other) = (Notary::new(), Notary::new());
    let (untimely, unknown, nameless) = ("clock", "no authority", "not in PayPal's name");
    for (what, certificate, hint) in [
        ("expired", notary.certificate(NAME, (2020, 2026)), untimely),
        (
            "not yet valid",
            notary.certificate(NAME, (2027, 2040)),
            untimely,
        ),
        ("self-signed", self_signed(), unknown),
        (
            "of another authority",
            other.certificate(NAME, YEARS),
            unknown,
        ),
        (
            "of nobody known",
            notary.certificate("paypal.example", YEARS),
            nameless,
        ),
        (
            "a look-alike",
            notary.certificate("www.notpaypal.com", YEARS),
            nameless,
        ),
        (
            "a subdomain elsewhere",
            notary.certificate("www.paypal.com.evil.example", YEARS),
            nameless,
        ),
        (
            "the bare domain's neighbour",
            notary.certificate("paypal.community", YEARS),
            nameless,
        ),
    ] {
        let (_, provider) = shop(&notary, &certificate);
        let webhook = sign(notice().as_bytes());
        let refusal = provider.webhook(&webhook).await.unwrap_err();
        let (kind, answer) = (refusal.kind(), refusal.answer());
        assert_eq!(
            (kind, answer),
            (WebhookRefusalKind::UntrustedCertificate, 400),
            "{what}"
        );
        assert!(refusal.hint().contains(hint), "{what}: {refusal}");
    }
}

#[test]
fn what_is_no_authority_is_not_trusted() {
    let script = Arc::new(Script::default());
    for pem in [
        "no PEM",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let config = config(&script).with_webhook_roots(pem);
        let refused = config.and_then(|config| PayPal::new(config).map(drop));
        assert_eq!(refused.unwrap_err().kind(), &ErrorKind::Settings, "{pem}");
    }
}

#[tokio::test]
async fn a_kept_certificate_is_refused_once_it_has_expired() {
    let notary = Notary::new();
    let (_, provider) = shop(&notary, &notary.certificate(NAME, (2020, 2027)));
    let clock = Arc::new(ManualClock::new(NOW));
    let provider = provider.with_clock(clock.clone());
    let webhook = sign(notice().as_bytes());
    assert!(provider.webhook(&webhook).await.is_ok());
    clock.advance(Duration::from_secs(60 * 24 * 60 * 60));
    let (kind, _) = refusal(&provider, &webhook).await;
    assert_eq!(kind, WebhookRefusalKind::UntrustedCertificate);
}

#[tokio::test]
async fn a_certificate_is_not_fetched_from_elsewhere() {
    let notary = Notary::new();
    let (script, provider) = shop(&notary, &notary.certificate(NAME, YEARS));
    let file = "CERT-360caa42-fca2a594-1d93a270";
    for (url, kind) in [
        (
            "http://api.sandbox.paypal.com/v1/notifications/certs/",
            WebhookRefusalKind::MalformedSignature,
        ),
        (
            "https://evil.example/v1/notifications/certs/",
            WebhookRefusalKind::MalformedSignature,
        ),
        (
            "https://api.sandbox.paypal.com.evil.example/v1/notifications/certs/",
            WebhookRefusalKind::MalformedSignature,
        ),
        (
            "https://api.sandbox.paypal.com:8443/v1/notifications/certs/",
            WebhookRefusalKind::MalformedSignature,
        ),
        (
            "https://api.sandbox.paypal.com:443/v1/notifications/certs/",
            WebhookRefusalKind::MalformedSignature,
        ),
        (
            "https://api.sandbox.paypal.com@evil.example/v1/notifications/certs/",
            WebhookRefusalKind::MalformedSignature,
        ),
        (
            "https://user:pass@api.sandbox.paypal.com/v1/notifications/certs/",
            WebhookRefusalKind::MalformedSignature,
        ),
        (
            "https://www.sandbox.paypal.com/v1/notifications/certs/",
            WebhookRefusalKind::MalformedSignature,
        ),
        (
            "https://api.sandbox.paypal.com/v1/notifications/certs/../../oauth2/",
            WebhookRefusalKind::MalformedSignature,
        ),
        (
            "https://api.sandbox.paypal.com/v1/notifications/certs/?to=",
            WebhookRefusalKind::MalformedSignature,
        ),
        (
            "https://api.sandbox.paypal.com/v1/notifications/certs/#",
            WebhookRefusalKind::MalformedSignature,
        ),
        (
            "https://api.sandbox.paypal.com/redirect?",
            WebhookRefusalKind::MalformedSignature,
        ),
        (
            "https://API.SANDBOX.PAYPAL.COM/v1/notifications/certs/",
            WebhookRefusalKind::MalformedSignature,
        ),
        (
            "//api.sandbox.paypal.com/v1/notifications/certs/",
            WebhookRefusalKind::MalformedSignature,
        ),
        (
            "file:///v1/notifications/certs/",
            WebhookRefusalKind::MalformedSignature,
        ),
        ("", WebhookRefusalKind::MalformedSignature),
        (
            "https://api.paypal.com/v1/notifications/certs/",
            WebhookRefusalKind::OtherMode,
        ),
        (
            "https://api-m.paypal.com/v1/notifications/certs/",
            WebhookRefusalKind::OtherMode,
        ),
    ] {
        let headers = Headers {
            certificate_url: format!("{url}{file}"),
            ..Headers::default()
        };
        let webhook = headers.sign(&signer(), notice().as_bytes());
        assert_eq!(refusal(&provider, &webhook).await.0, kind, "{url}");
    }
    let bare = Headers {
        certificate_url: CERT_URL.replace(file, ""),
        ..Headers::default()
    };
    let webhook = bare.sign(&signer(), notice().as_bytes());
    assert_eq!(
        refusal(&provider, &webhook).await.0,
        WebhookRefusalKind::MalformedSignature
    );
    assert_eq!(script.lines(), [""; 0]);
}

#[tokio::test]
async fn what_is_fetched_is_bounded_and_a_failure_is_not_kept() {
    let notary = Notary::new();
    let certificate = notary.certificate(NAME, YEARS);
    let of_size = |bytes: usize| {
        let padding = "\n".repeat(bytes - certificate.len());
        Reply::Raw(200, format!("{padding}{certificate}").into())
    };
    let get = format!("GET {CERT_PATH}");
    let script = Arc::new(Script::default());
    script.on(&get, Reply::Lost);
    script.on(&get, Reply::Raw(302, certificate.clone().into()));
    script.on(&get, Reply::Raw(500, "".into()));
    script.on(&get, of_size((64 << 10) + 1));
    script.on(&get, Reply::Raw(200, "no certificate".into()));
    script.on(&get, of_size(64 << 10));
    let config = config(&script).with_webhook_roots(notary.root_pem());
    let provider = provider_of(config.unwrap());
    let webhook = sign(notice().as_bytes());
    for _ in 0..5 {
        let refused = refusal(&provider, &webhook).await;
        assert_eq!(refused, (WebhookRefusalKind::Unverifiable, 503));
    }
    assert!(provider.webhook(&webhook).await.is_ok());
}

#[tokio::test]
async fn what_was_not_paypals_is_fetched_anew() {
    let (notary, other) = (Notary::new(), Notary::new());
    let get = format!("GET {CERT_PATH}");
    let script = Arc::new(Script::default());
    for certificate in [
        other.certificate(NAME, YEARS),
        notary.certificate(NAME, (2020, 2027)),
        notary.certificate(NAME, YEARS),
    ] {
        script.on(&get, Reply::Raw(200, certificate.into()));
    }
    let config = config(&script).with_webhook_roots(notary.root_pem());
    let clock = Arc::new(ManualClock::new(NOW));
    let provider = provider_of(config.unwrap()).with_clock(clock.clone());
    let webhook = sign(notice().as_bytes());
    let kind = refusal(&provider, &webhook).await.0;
    assert_eq!(kind, WebhookRefusalKind::UntrustedCertificate);
    assert!(provider.webhook(&webhook).await.is_ok());
    // The certificate was renewed at the same address.
    clock.advance(Duration::from_secs(60 * 24 * 60 * 60));
    assert!(provider.webhook(&webhook).await.is_ok());
    assert_eq!(script.lines().len(), 3);
}

#[tokio::test]
async fn sixteen_certificates_are_kept_and_the_oldest_gives_way() {
    let notary = Notary::new();
    let certificate = notary.certificate(NAME, YEARS);
    let (script, provider) = shop(&notary, &certificate);
    let fetches = async |number: usize| {
        let file = format!("CERT-{number}");
        let path = format!("/v1/notifications/certs/{file}");
        script.on(
            &format!("GET {path}"),
            Reply::Raw(200, certificate.clone().into()),
        );
        let headers = Headers {
            certificate_url: format!("https://api.sandbox.paypal.com{path}"),
            ..Headers::default()
        };
        let webhook = headers.sign(&signer(), notice().as_bytes());
        assert!(provider.webhook(&webhook).await.is_ok());
        script.lines().len()
    };
    for expected in [1, 0] {
        for number in 1..=16 {
            assert_eq!(fetches(number).await, expected, "{number}");
        }
    }
    for (number, expected) in [(17, 1), (2, 0), (1, 1), (17, 0)] {
        assert_eq!(fetches(number).await, expected, "{number}");
    }
}

#[tokio::test]
async fn only_paypals_key_and_this_webhook_count() {
    let notary = Notary::new();
    let (_, provider) = shop(&notary, &notary.certificate(NAME, YEARS));
    let body = notice();
    let forged = Headers::default().sign(&stranger(), body.as_bytes());
    assert_eq!(
        refusal(&provider, &forged).await.0,
        WebhookRefusalKind::WrongSignature
    );
    let of_another = Headers {
        webhook_id: "0AB4291016473214C",
        ..Headers::default()
    };
    let of_another = of_another.sign(&signer(), body.as_bytes());
    assert_eq!(
        refusal(&provider, &of_another).await.0,
        WebhookRefusalKind::WrongSignature
    );

    for algorithm in [
        "SHA1withRSA",
        "MD5withRSA",
        "none",
        "sha256withrsa",
        "SHA512withRSA",
    ] {
        let weak = Headers {
            algorithm,
            ..Headers::default()
        };
        let weak = weak.sign(&signer(), body.as_bytes());
        let kind = refusal(&provider, &weak).await.0;
        assert_eq!(kind, WebhookRefusalKind::MalformedSignature, "{algorithm}");
    }
    let timeless = Headers {
        time: "yesterday",
        ..Headers::default()
    };
    let timeless = timeless.sign(&signer(), body.as_bytes());
    assert_eq!(
        refusal(&provider, &timeless).await.0,
        WebhookRefusalKind::MalformedSignature
    );
}

#[tokio::test]
async fn a_webhook_that_is_being_replaced_still_counts() {
    let notary = Notary::new();
    let (script, _) = shop(&notary, &notary.certificate(NAME, YEARS));
    let both = PayPalCredentials::sandbox(CLIENT_ID, CLIENT_SECRET, "0AB4291016473214C");
    let both = both.unwrap().with_webhook_id(WEBHOOK_ID).unwrap();
    let config = PayPalConfig::new(both)
        .with_transport(script)
        .with_clock(Arc::new(ManualClock::new(NOW)))
        .with_webhook_roots(notary.root_pem())
        .unwrap();
    let provider = provider_of(config);
    let delivery = provider.webhook(&sign(notice().as_bytes())).await.unwrap();
    assert_eq!(delivery.events[0].secret_index(), 1);
}

#[tokio::test]
async fn every_header_must_be_there_once_and_be_neither_empty_nor_endless() {
    let notary = Notary::new();
    let (_, provider) = shop(&notary, &notary.certificate(NAME, YEARS));
    let good = sign(notice().as_bytes());
    let names: Vec<_> = good.headers().keys().cloned().collect();
    assert_eq!(names.len(), 5);
    for name in names {
        let mut without = good.headers().clone();
        without.remove(&name);
        let webhook = WebhookRequest::new(without, good.body().to_vec());
        let kind = refusal(&provider, &webhook).await.0;
        assert_eq!(kind, WebhookRefusalKind::MissingSignature, "{name}");

        let mut twice = good.headers().clone();
        twice.append(&name, good.headers()[&name].clone());
        let mut empty = good.headers().clone();
        empty.insert(&name, HeaderValue::from_static(""));
        let mut endless = good.headers().clone();
        endless.insert(&name, "1".repeat(1025).parse().unwrap());
        for headers in [twice, empty, endless] {
            let webhook = WebhookRequest::new(headers, good.body().to_vec());
            let kind = refusal(&provider, &webhook).await.0;
            assert_eq!(kind, WebhookRefusalKind::MalformedSignature, "{name}");
        }
    }
}

#[tokio::test]
async fn an_altered_byte_is_refused_wherever_it_is() {
    let notary = Notary::new();
    let (_, provider) = shop(&notary, &notary.certificate(NAME, YEARS));
    let good = sign(notice().as_bytes());
    for place in 0..good.body().len() {
        let mut body = good.body().to_vec();
        body[place] ^= 1;
        let webhook = WebhookRequest::new(good.headers().clone(), body);
        let kind = refusal(&provider, &webhook).await.0;
        assert_eq!(kind, WebhookRefusalKind::WrongSignature, "byte {place}");
    }
}

#[tokio::test]
async fn a_body_with_the_same_checksum_passes_and_moves_no_money() {
    let notary = Notary::new();
    let (script, provider) = shop(&notary, &notary.certificate(NAME, YEARS));
    let genuine = sign(notice().as_bytes());
    let wanted = crc32fast::hash(genuine.body());

    // Whoever has one delivery writes another body, for a thousand times the money.
    let dearer = notice().replace("20.00", "20000.00");
    let forged = with_checksum(&dearer, wanted);
    assert_eq!(crc32fast::hash(forged.as_bytes()), wanted);
    let webhook = WebhookRequest::new(genuine.headers().clone(), forged);
    let event = provider.webhook(&webhook).await.unwrap().events.remove(0);
    assert_eq!(event.payment().unwrap().captured.minor(), 2_000_000);
    assert_eq!(event.authenticity(), Authenticity::HeaderOnly);

    // A ledger does not take it, and asking tells the truth.
    let mut ledger = Ledger::new();
    let refused = ledger.apply(&event).unwrap_err();
    assert_eq!(refused.kind(), &ErrorKind::NotAuthentic);
    let never_paid = answers::order("CAPTURE", "CREATED", json!({}));
    script.json(&format!("GET {ORDER_PATH}"), 200, never_paid);
    let proven = provider.prove(event).await.unwrap();
    ledger.apply(&proven).unwrap();
    let payment = ledger.payment().unwrap();
    assert_eq!(payment.status, PaymentStatus::Created);
    assert!(payment.captured.is_zero());
}

#[tokio::test]
async fn a_notice_of_what_does_not_exist_is_not_proven() {
    let notary = Notary::new();
    let (_, provider) = shop(&notary, &notary.certificate(NAME, YEARS));
    let webhook = sign(notice().as_bytes());
    let event = provider.webhook(&webhook).await.unwrap().events.remove(0);
    let error = provider.prove(event).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::NotFound);
}

#[tokio::test]
async fn bodies_that_are_no_events_are_kept_as_unreadable_and_never_a_panic() {
    let notary = Notary::new();
    let (_, provider) = shop(&notary, &notary.certificate(NAME, YEARS));
    let whole = notice();
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    let nested = whole.replace(r#""final_capture":true"#, &format!(r#""x":{deep}"#));
    let twice = whole.replacen(r#""id""#, r#""id":"WH-2","id""#, 1);
    let no_amount = whole.replace(r#""value":"20.00""#, r#""value":"1e3""#);
    let event = |resource: &str| {
        format!(
            r#"{{"id":"WH-1","create_time":"2026-11-16T11:59:00Z",
            "event_type":"PAYMENT.CAPTURE.COMPLETED"{resource}}}"#
        )
    };
    let (without_resource, with_another) = (event(""), event(r#","resource":{"plan":1}"#));
    let bodies: [&[u8]; 11] = [
        without_resource.as_bytes(),
        with_another.as_bytes(),
        b"",
        b"{",
        b"\xff\xfe",
        b"null",
        b"[]",
        deep.as_bytes(),
        twice.as_bytes(),
        no_amount.as_bytes(),
        &whole.as_bytes()[..whole.len() - 1],
    ];
    for body in bodies {
        let delivery = provider.webhook(&sign(body)).await.unwrap();
        assert_eq!((delivery.answer(), delivery.events.len()), (200, 1));
        let event = &delivery.events[0];
        assert!(
            matches!(event.kind(), EventKind::Unreadable(_)),
            "{event:?}"
        );
        assert_eq!(event.authenticity(), Authenticity::HeaderOnly);
    }
    // What is not read may be nested as deeply as it likes.
    let _ = provider.webhook(&sign(nested.as_bytes())).await;
}

#[tokio::test]
async fn paypal_can_be_asked_instead() {
    let notary = Notary::new();
    let by_paypal = |config: PayPalConfig<Test>| config.with_webhook_check(WebhookCheck::ByPayPal);
    let (script, provider) = shop_as(&notary, "", by_paypal);
    let post = "POST /v1/notifications/verify-webhook-signature";
    for status in ["SUCCESS", "FAILURE", "OF_TOMORROW"] {
        script.json(post, 200, json!({"verification_status": status}));
    }
    script.on(post, Reply::Raw(200, "SUCCESS".into()));
    script.json(post, 500, json!({}));
    // White space shows that the body goes along byte for byte.
    let body = notice().replacen(':', " :  ", 1);
    let webhook = sign(body.as_bytes());
    assert!(provider.webhook(&webhook).await.is_ok());
    let asked = script.take();
    assert_eq!(asked.len(), 1);
    let text = std::str::from_utf8(asked[0].body()).unwrap();
    assert!(
        text.contains(&format!(r#""webhook_event":{body}"#)),
        "{text}"
    );
    let read: Value = serde_json::from_str(text).unwrap();
    assert_eq!(read["webhook_id"], WEBHOOK_ID);
    assert_eq!(read["auth_algo"], "SHA256withRSA");
    assert_eq!(read["cert_url"], CERT_URL);

    for _ in 0..2 {
        let kind = refusal(&provider, &webhook).await.0;
        assert_eq!(kind, WebhookRefusalKind::WrongSignature);
    }
    // An answer that cannot be read, and none.
    for _ in 0..2 {
        let refused = refusal(&provider, &webhook).await;
        assert_eq!(refused, (WebhookRefusalKind::Unverifiable, 503));
    }
    let injected = sign(br#"{}, "webhook_id": "other", "x": {}"#);
    assert_eq!(
        refusal(&provider, &injected).await.0,
        WebhookRefusalKind::Unreadable
    );
}
