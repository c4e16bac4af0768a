//! Webhooks altered and forged by the thousand, from a seed: none may be believed, and no genuine
//! one refused.
//!
//! `COUNTERFOIL_FORGERIES` says how many are tried with each provider, `COUNTERFOIL_SEED` from which
//! seed. What a signature leaves out may change without a refusal:
//!
//! - Stripe's and PayPal's cover every byte of the body. Of Stripe's header, the case of the digits
//!   and what is not a time or a `v1` may change.
//! - Adyen's covers eight facts of each notice. Its layout, `live`, the date, the reason, the way to
//!   pay and all of `additionalData` may change. They can keep a notice out, and name the checkout of
//!   a refusal; of `CANCEL_OR_REFUND` for a hold they say which of the two it was. No other sum, id,
//!   state or reference is read from them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[allow(dead_code, reason = "the tests of PayPal share it")]
#[path = "paypal/notary.rs"]
mod notary;
#[allow(dead_code, reason = "the tests of PayPal share it")]
#[path = "paypal/script.rs"]
mod script;
#[allow(dead_code, reason = "the tests of Adyen share it")]
#[path = "adyen/shop.rs"]
mod shop;

use std::sync::Arc;

use counterfoil::clock::{ManualClock, Timestamp};
use counterfoil::id::Namespace;
use counterfoil::payment::PaymentStatus;
use counterfoil::providers::adyen;
use counterfoil::providers::stripe::{self, Stripe, StripeConfig};
use counterfoil::webhook::{Event, EventKind, WebhookRequest};
use counterfoil::{Provider, Secret, Test};
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use shop::{change, envelope, notice};

#[tokio::test]
async fn no_forged_webhook_of_stripes_is_believed() {
    const SECRET: &str = "whsec_of_the_endpoint";
    const NOW: Timestamp = Timestamp::from_unix(1_795_000_000);
    let signed = |secret: &str, at: Timestamp, body: &[u8]| {
        let header = stripe::sign(&Secret::new(secret), at, body);
        let mut headers = HeaderMap::new();
        headers.insert("stripe-signature", header.parse().unwrap());
        WebhookRequest::new(headers, body.to_vec())
    };
    let bodies = ["evt_1", "evt_2"].map(|id| stripe_event(id).into_bytes());
    let genuine = bodies.iter().map(|body| signed(SECRET, NOW, body));
    let provider = Stripe::new(StripeConfig::new("sk_test_1", SECRET).unwrap()).unwrap();
    let provider = provider.into_provider(Namespace::new("shop").unwrap());
    let forgeries = Forgeries {
        provider: provider.with_clock(Arc::new(ManualClock::new(NOW))),
        genuine: genuine.collect(),
        forge: Box::new(move |chance| {
            let body = stripe_event(&format!("evt_{}", chance.next())).into_bytes();
            match chance.below(3) {
                0 => signed("whsec_of_another", NOW, &body),
                1 => signed("", NOW, &body),
                // It is genuine, and too old or too new.
                _ => {
                    let away = i64::try_from(301 + chance.below(1 << 40)).unwrap();
                    let at = [NOW.unix() - away, NOW.unix() + away][chance.below(2)];
                    signed(SECRET, Timestamp::from_unix(at), &body)
                }
            }
        }),
    };
    forgeries
        .try_all(|altered, event, _| altered.is_body || event.is_none())
        .await;
}

#[tokio::test]
async fn no_forged_webhook_of_paypals_is_believed() {
    let notary = notary::Notary::new();
    let (_, provider) = notary::shop(&notary, &notary.certificate(notary::NAME, (2020, 2040)));
    let genuine = ["WH-1", "WH-2"].map(|id| notary::sign(paypal_event(id).as_bytes()));
    let (signer, stranger) = (notary::signer(), notary::stranger());
    let forgeries = Forgeries {
        provider,
        genuine: genuine.into(),
        forge: Box::new(move |chance| {
            let body = paypal_event(&format!("WH-{}", chance.next()));
            let mut headers = notary::Headers::default();
            let key = match chance.below(4) {
                0 => &stranger,
                1 => {
                    headers.webhook_id = "0AB4291016473214C";
                    &signer
                }
                2 => {
                    headers.algorithm = ["SHA1withRSA", "none", "SHA512withRSA"][chance.below(3)];
                    &signer
                }
                _ => {
                    headers.certificate_url = format!(
                        "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-{}",
                        chance.next()
                    );
                    &signer
                }
            };
            headers.sign(key, body.as_bytes())
        }),
    };
    forgeries.try_all(|_, _, _| true).await;
}

#[tokio::test]
async fn no_forged_webhook_of_adyens_is_believed() {
    let sign = |key: &str, body: &Value| {
        let signed = adyen::sign(&Secret::new(key), body.to_string().as_bytes());
        WebhookRequest::new(HeaderMap::new(), signed)
    };
    let mut genuine: Vec<_> = adyen_notices()
        .into_iter()
        .map(|notice| sign(shop::HMAC_KEY, &envelope([notice])))
        .collect();
    let body = br#"{"type":"merchant.updated","environment":"test","data":{}}"#;
    let signature = adyen::sign_header(&Secret::new(shop::HMAC_KEY), body);
    let mut headers = HeaderMap::new();
    headers.insert("hmacsignature", signature.parse().unwrap());
    headers.insert("protocol", HeaderValue::from_static("HmacSHA256"));
    genuine.push(WebhookRequest::new(headers, body.to_vec()));
    let forgeries = Forgeries {
        provider: shop::Shop::open().provider,
        genuine,
        forge: Box::new(move |chance| {
            let notices = adyen_notices();
            let body = envelope([notices[chance.below(notices.len())].clone()]);
            match chance.below(3) {
                0 => sign(&"ff".repeat(32), &body),
                1 => sign(&shop::HMAC_KEY.replace('4', "5"), &body),
                _ => WebhookRequest::new(HeaderMap::new(), body.to_string()),
            }
        }),
    };
    forgeries
        .try_all(|_, event, genuine| match event {
            // Set aside, as of the other mode.
            None => false,
            Some(event) if moves_nothing(event) => false,
            Some(event) => genuine.iter().all(|genuine| facts(genuine) != facts(event)),
        })
        .await;
}

/// Every part that is not signed, altered on purpose.
#[tokio::test]
async fn what_adyen_does_not_sign_moves_no_money() {
    let shop = shop::Shop::open();
    for notice in adyen_notices() {
        let body = envelope([notice.clone()]).to_string();
        let signed = adyen::sign(&Secret::new(shop::HMAC_KEY), body.as_bytes());
        let genuine = shop
            .receive_bytes(signed.clone())
            .await
            .unwrap()
            .events
            .remove(0);
        let signed: Value = serde_json::from_slice(&signed).unwrap();
        for (place, value) in [
            ("reason", json!("Transaction Auto-recaptured")),
            ("reason", json!("Refused")),
            ("eventDate", json!("2099-01-01T00:00:00Z")),
            ("eventDate", json!("never")),
            ("paymentMethod", json!("sepadirectdebit")),
            ("operations", json!(["CANCEL", "CAPTURE", "REFUND"])),
            ("additionalData/modification.action", json!("refund")),
            ("additionalData/modification.action", json!("cancel")),
            ("additionalData/paymentLinkId", json!("PL61C53A8B97E69159")),
            (
                "additionalData/checkoutSessionId",
                json!("CS61C53A8B97E69159"),
            ),
            ("additionalData/manualCapture", json!("true")),
            ("additionalData/authorisedAmountValue", json!("1")),
            ("additionalData/disputeStatus", json!("Won")),
            ("additionalData/live", json!("true")),
        ] {
            let mut altered = signed.clone();
            let item = &mut altered["notificationItems"][0]["NotificationRequestItem"];
            match place.split_once('/') {
                Some((outer, inner)) => item[outer][inner] = value.clone(),
                None => item[place] = value.clone(),
            }
            let event = shop.receive_bytes(altered.to_string().into()).await;
            let event = event.unwrap().events.remove(0);
            assert!(
                moves_nothing(&event) || facts(&event) == facts(&genuine),
                "{place} {value}: {event:?} for {genuine:?}"
            );
        }
        // The mode can be altered to keep a notice out.
        let mut altered = signed.clone();
        altered["live"] = "true".into();
        let delivery = shop
            .receive_bytes(altered.to_string().into())
            .await
            .unwrap();
        assert!(delivery.events.is_empty() && delivery.set_aside.len() == 1);
    }
}

/// What of Adyen's is believed though it is not signed.
#[tokio::test]
async fn whether_a_hold_was_canceled_or_refunded_is_not_signed() {
    let shop = shop::Shop::open();
    let mut reversed = change("CANCEL_OR_REFUND", true, 2000);
    reversed["merchantReference"] = "shop:A-1:1:held".into();
    reversed["additionalData"]["modification.action"] = "cancel".into();
    let canceled = shop.event(reversed.clone()).await;
    reversed["additionalData"]["modification.action"] = "refund".into();
    let refunded = shop.event(reversed).await;
    assert_ne!(facts(&canceled), facts(&refunded));
    // It has one id either way, so that whichever came first is the only one.
    assert_eq!(canceled.id(), refunded.id());
}

/// One provider, webhooks that it must believe, and a forger without its secret.
struct Forgeries {
    provider: Provider<Test>,
    genuine: Vec<WebhookRequest>,
    forge: Box<dyn Fn(&mut Chance) -> WebhookRequest>,
}

/// What was tried.
struct Altered {
    webhook: WebhookRequest,
    /// Whether it was made without the secret, or else whether a genuine body was altered.
    is_forged: bool,
    is_body: bool,
}

impl Forgeries {
    /// Tries as many as the environment says, and half as many genuine ones. One that is not
    /// refused is handed to `is_believed`, with the event that came of it, if one did, and the
    /// genuine ones.
    async fn try_all(
        &self,
        is_believed: impl Fn(&Altered, Option<&Event<Test>>, &[Event<Test>]) -> bool,
    ) {
        let (count, seed) = (
            number("COUNTERFOIL_FORGERIES", 20_000),
            number("COUNTERFOIL_SEED", 7),
        );
        let mut chance = Chance(seed);
        let mut events = Vec::new();
        for webhook in &self.genuine {
            events.push(
                self.provider
                    .webhook(webhook)
                    .await
                    .unwrap()
                    .events
                    .remove(0),
            );
        }
        let (mut believed, mut accepted, mut refused) = (0, 0, 0);
        for round in 0..count {
            if round % 2 == 0 {
                let genuine = &self.genuine[chance.below(self.genuine.len())];
                refused += u64::from(self.provider.webhook(genuine).await.is_err());
            }
            let altered = self.altered(&mut chance);
            let Ok(delivery) = self.provider.webhook(&altered.webhook).await else {
                continue;
            };
            if altered.is_forged || is_believed(&altered, delivery.events.first(), &events) {
                believed += 1;
                let body = String::from_utf8_lossy(altered.webhook.body());
                let headers = altered.webhook.headers();
                println!("believed: seed {seed}, round {round}: {headers:?} {body}");
            }
            accepted += 1;
        }
        println!(
            "{}: {count} altered or forged, {believed} believed ({} said the same or were kept out); \
             {refused} of {} genuine refused",
            self.provider.name(),
            accepted - believed,
            count.div_ceil(2)
        );
        assert_eq!((believed, refused), (0, 0), "seed {seed}");
    }

    fn altered(&self, chance: &mut Chance) -> Altered {
        loop {
            let genuine = &self.genuine[chance.below(self.genuine.len())];
            let other = &self.genuine[chance.below(self.genuine.len())];
            let mut headers = genuine.headers().clone();
            let mut body = genuine.body().to_vec();
            let place = chance.below(body.len());
            match chance.below(12) {
                0 => {
                    let webhook = (self.forge)(chance);
                    return Altered {
                        webhook,
                        is_forged: true,
                        is_body: true,
                    };
                }
                1 | 2 => body[place] ^= 1 << chance.below(8),
                3 => body.truncate(place),
                4 => body.extend((0..=chance.below(8)).map(|_| chance.byte())),
                5 => (0..=chance.below(8)).for_each(|_| {
                    let place = chance.below(body.len());
                    body[place] = chance.byte();
                }),
                6 => body = other.body().to_vec(),
                7 => headers = other.headers().clone(),
                _ if alter_header(&mut headers, other.headers(), chance).is_none() => continue,
                _ => {}
            }
            let is_body = body != genuine.body();
            if is_body
                && self
                    .genuine
                    .iter()
                    .any(|g| g.body() == body && *g.headers() == headers)
            {
                continue;
            }
            if is_body || headers != *genuine.headers() {
                return Altered {
                    webhook: WebhookRequest::new(headers, body),
                    is_forged: false,
                    is_body,
                };
            }
        }
    }
}

/// Alters one header, or gives `None` if that is no header any more.
fn alter_header(headers: &mut HeaderMap, others: &HeaderMap, chance: &mut Chance) -> Option<()> {
    let names: Vec<_> = headers.keys().cloned().collect();
    let name = names.get(chance.below(names.len().max(1)))?;
    let mut value = headers[name].as_bytes().to_vec();
    let place = chance.below(value.len());
    match chance.below(7) {
        0 => {
            headers.remove(name);
            return Some(());
        }
        1 => {
            headers.append(name, HeaderValue::from_bytes(&value).ok()?);
            return Some(());
        }
        2 => value.truncate(place),
        3 => value.push(chance.byte()),
        4 => value = others.get(name)?.as_bytes().to_vec(),
        _ => value[place] ^= 1 << chance.below(8),
    }
    headers.insert(name, HeaderValue::from_bytes(&value).ok()?);
    Some(())
}

/// Whether an event changes no state: it is not known, or for a person to judge.
fn moves_nothing(event: &Event<Test>) -> bool {
    matches!(
        event.kind(),
        EventKind::Unrecognized | EventKind::Unclear(_)
    )
}

/// What an event says of money, and whose. A refusal is of a payment or of its checkout, which the
/// link in it names, and moves none.
fn facts(event: &Event<Test>) -> String {
    let said = match event.kind() {
        EventKind::Payment(p) if matches!(p.status, PaymentStatus::Failed(_)) => {
            format!("failed {:?} {:?}", p.amount, p.reference)
        }
        EventKind::Payment(p) => format!(
            "payment {} {:?} {:?} {:?} {:?} {:?} {:?}",
            p.id, p.status, p.amount, p.captured, p.capturable, p.refunded, p.reference
        ),
        EventKind::Capture(c) => format!(
            "capture {} {} {:?} {:?} {:?}",
            c.id, c.payment, c.status, c.amount, c.command
        ),
        EventKind::Refund(r) => format!(
            "refund {} {} {:?} {:?} {:?}",
            r.id, r.payment, r.status, r.amount, r.command
        ),
        EventKind::Dispute(d) => {
            format!(
                "dispute {} {} {:?} {:?}",
                d.id, d.payment, d.status, d.amount
            )
        }
        other => format!("{other:?}"),
    };
    format!(
        "{} {} {said} {:?}",
        event.id(),
        event.type_text(),
        event.reference()
    )
}

fn adyen_notices() -> Vec<Value> {
    let mut held = notice("AUTHORISATION", true, 2000);
    held["merchantReference"] = "shop:A-1:1:held".into();
    let mut by_link = notice("AUTHORISATION", false, 2000);
    by_link["additionalData"]["paymentLinkId"] = "PL61C53A8B97E6915A".into();
    let mut reversed = change("CANCEL_OR_REFUND", true, 2000);
    reversed["additionalData"]["modification.action"] = "cancel".into();
    vec![
        notice("AUTHORISATION", true, 2000),
        held,
        by_link,
        reversed,
        change("CAPTURE", true, 2000),
        change("CAPTURE", false, 2000),
        change("CAPTURE_FAILED", true, 2000),
        change("CANCELLATION", true, 2000),
        change("REFUND", true, 500),
        change("REFUND_FAILED", true, 500),
        change("AUTHORISATION_ADJUSTMENT", true, 3000),
        change("CHARGEBACK", true, 2000),
        change("CHARGEBACK_REVERSED", true, 2000),
    ]
}

fn paypal_event(id: &str) -> String {
    let order = json!({"related_ids": {"order_id": "5O190127TN364715T"}});
    let resource = json!({
        "id": "2GG279541U471931P", "status": "COMPLETED", "custom_id": "shop:A-1:1",
        "amount": {"currency_code": "EUR", "value": "20.00"}, "supplementary_data": order,
    });
    let event = json!({
        "id": id, "event_version": "1.0", "create_time": "2026-11-16T11:59:00Z",
        "resource_type": "capture", "event_type": "PAYMENT.CAPTURE.COMPLETED",
        "resource": resource,
    });
    event.to_string()
}

fn stripe_event(id: &str) -> String {
    let event = json!({
        "id": id, "object": "event", "type": "balance.available", "created": 1_794_999_999,
        "livemode": false, "api_version": "2025-01-01", "pending_webhooks": 1,
        "data": {"object": {"object": "balance", "livemode": false}},
    });
    event.to_string()
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

/// SplitMix64: the same seed gives the same forgeries.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}
