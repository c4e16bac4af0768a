//! The Stripe provider over loopback HTTP against stripe-world, a Stripe that others wrote.
//!
//! `tests/contract/stripe_world.sh` starts it and sets `COUNTERFOIL_STRIPE_WORLD` to its address;
//! without that nothing is run, and said so. stripe-world has no Checkout Sessions, 3-D Secure,
//! account, payouts, confirmation tokens, webhook endpoints and inline card tokens: all these are
//! for the simulator's tests. [`adapted::Adapted`] lists the few requests that are changed on their way.

mod adapted;

use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use counterfoil::clock::{ManualClock, Timestamp};
use counterfoil::error::DeclineReason;
use counterfoil::http::{ReqwestTransport, Transport, TransportOptions};
use counterfoil::id::{CommandId, Namespace, OrderId, PaymentId};
use counterfoil::money::{Money, PositiveMoney};
use counterfoil::payment::{Payment, PaymentStatus};
use counterfoil::providers::stripe::{Stripe, StripeConfig};
use counterfoil::refund::RefundStatus;
use counterfoil::request::{CaptureRequest, Checkout, CreateRequest, Period, RefundRequest};
use counterfoil::webhook::{EventKind, WebhookRefusalKind, WebhookRequest};
use counterfoil::{Effect, ErrorKind, Provider, Test};
use futures_util::TryStreamExt;
use hmac::{Hmac, KeyInit, Mac};
use http::Request;
use serde_json::Value;
use sha2::Sha256;

use adapted::Adapted;

const KEY: &str = "sk_test_contract";
const WEBHOOK_SECRET: &str = "whsec_contract";
/// When the webhooks arrive, by the shop's clock.
const ARRIVAL: Timestamp = Timestamp::from_unix(1_795_000_000);

#[tokio::test]
async fn one_attempt_is_one_payment_under_all_its_names() {
    let Some(shop) = Shop::open("once") else {
        return;
    };
    let request = direct("A-1", "20.00 EUR", "pm_card_visa");
    let paid = shop.stripe.create(&request).await.unwrap();
    assert_eq!(paid.status, PaymentStatus::Captured);
    assert_eq!(paid.captured, request.amount.money());
    assert_eq!(paid.reference, Some(shop.stripe.reference(&request)));
    assert!(paid.fee.is_some_and(|fee| fee.is_positive()));
    assert_eq!(shop.stripe.create(&request).await.unwrap().id, paid.id);

    // Another process of the shop, which remembers nothing, and another amount.
    let other = direct("A-1", "21.00 EUR", "pm_card_visa");
    let error = shop.restarted().stripe.create(&other).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Conflict, "{error}");

    assert_eq!(paid.ids().count(), 2, "the intent and its charge");
    for id in paid.ids() {
        let fetched = shop.stripe.fetch_payment(id).await.unwrap();
        assert_eq!((&fetched.id, &fetched.status), (&paid.id, &paid.status));
    }
    let reference = shop.stripe.reference(&request);
    let found = shop.stripe.find_payments(&reference).await.unwrap();
    assert_eq!(ids(&found), [paid.id.raw()]);

    let second = direct("A-2", "1000 JPY", "pm_card_visa");
    let second = shop.stripe.create(&second).await.unwrap();
    assert_eq!(second.captured.to_string(), "1000 JPY");
    let listed = shop.stripe.list_payments(Period::default());
    let listed: Vec<_> = listed.try_collect().await.unwrap();
    assert_eq!(ids(&listed), [second.id.raw(), paid.id.raw()]);
    let unknown = shop.id("pi_none");
    let error = shop.stripe.fetch_payment(&unknown).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::NotFound);
}

#[tokio::test]
async fn a_decline_names_its_reason_and_its_payment() {
    let Some(shop) = Shop::open("declined") else {
        return;
    };
    for (order, card, reason) in [
        (
            "A-1",
            "pm_card_visa_chargeDeclinedInsufficientFunds",
            DeclineReason::InsufficientFunds,
        ),
        (
            "A-2",
            "pm_card_visa_chargeDeclinedStolenCard",
            DeclineReason::Fraud,
        ),
    ] {
        let request = direct(order, "20.00 EUR", card);
        let error = shop.stripe.create(&request).await.unwrap_err();
        let decline = error.decline().unwrap_or_else(|| panic!("{error}"));
        assert_eq!(decline.reason, reason, "{card}");
        assert_eq!(error.effect(), Effect::NotApplied);
        let kept = error.payment().unwrap();
        let kept = shop.stripe.fetch_payment(&kept).await.unwrap();
        assert!(matches!(kept.status, PaymentStatus::Failed(_)), "{kept:?}");
        assert_eq!(kept.reference, Some(shop.stripe.reference(&request)));
    }
}

#[tokio::test]
async fn a_hold_is_captured_in_part_or_let_go() {
    let Some(shop) = Shop::open("held") else {
        return;
    };
    let hold = |order| direct(order, "20.00 EUR", "pm_card_visa").with_manual_capture();
    let held = shop.stripe.create(&hold("A-1")).await.unwrap();
    assert_eq!(held.status, PaymentStatus::Authorized);
    assert_eq!(held.capturable, money("20.00 EUR").money());
    assert!(held.capture_before.is_some());
    let too_much = capture(&held, "20.01 EUR", "too much");
    let error = shop.stripe.capture(&too_much).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::InvalidRequest);
    for _ in 0..2 {
        let part = capture(&held, "5.00 EUR", "a part");
        let captured = shop
            .stripe
            .capture(&part)
            .await
            .unwrap()
            .into_payment()
            .unwrap();
        assert_eq!(captured.status, PaymentStatus::Captured);
        assert_eq!(captured.captured, money("5.00 EUR").money());
        assert!(captured.refunded.is_zero() && captured.capturable.is_zero());
    }
    let more = capture(&held, "1.00 EUR", "more");
    let error = shop.stripe.capture(&more).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Conflict, "{error}");
    let error = shop.stripe.void(&held.id).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Conflict, "{error}");

    let held = shop.stripe.create(&hold("A-2")).await.unwrap();
    for provider in [&shop.stripe, &shop.restarted().stripe] {
        let voided = provider
            .void(&held.id)
            .await
            .unwrap()
            .into_payment()
            .unwrap();
        assert_eq!(voided.status, PaymentStatus::Canceled);
        assert!(voided.captured.is_zero() && voided.refunded.is_zero());
    }
}

#[tokio::test]
async fn refunds_are_made_once_for_each_command_and_never_exceed_the_payment() {
    let Some(shop) = Shop::open("refunded") else {
        return;
    };
    let request = direct("A-1", "20.00 EUR", "pm_card_visa");
    let paid = shop.stripe.create(&request).await.unwrap();
    let first = refund(&paid, "12.00 EUR", "first");
    let made = shop.stripe.refund(&first).await.unwrap();
    assert_eq!(made.status, RefundStatus::Succeeded);
    assert_eq!(
        (&made.payment, &made.amount),
        (&paid.id, &first.amount.money())
    );
    assert_eq!(shop.stripe.refund(&first).await.unwrap().id, made.id);
    assert_eq!(
        shop.stripe.fetch_refund(&made.id).await.unwrap().id,
        made.id
    );

    let too_much = refund(&paid, "8.01 EUR", "too much");
    let error = shop.stripe.refund(&too_much).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::InvalidRequest, "{error}");
    assert_eq!(error.effect(), Effect::NotApplied);
    let rest = refund(&paid, "8.00 EUR", "the rest");
    let rest = shop.stripe.refund(&rest).await.unwrap();
    let spent = refund(&paid, "0.01 EUR", "spent");
    let error = shop.stripe.refund(&spent).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::InvalidRequest, "{error}");

    for id in paid.ids() {
        let listed = shop.stripe.list_refunds(id.clone());
        let listed: Vec<_> = listed.try_collect().await.unwrap();
        let listed: Vec<_> = listed.iter().map(|refund| refund.id.raw()).collect();
        assert_eq!(listed, [rest.id.raw(), made.id.raw()]);
    }
    let now = shop.stripe.fetch_payment(&paid.id).await.unwrap();
    assert_eq!(now.refunded, paid.captured);
}

#[tokio::test]
async fn a_partly_captured_payment_is_refunded_up_to_what_was_captured() {
    let Some(shop) = Shop::open("part") else {
        return;
    };
    let hold = direct("A-1", "20.00 EUR", "pm_card_visa").with_manual_capture();
    let held = shop.stripe.create(&hold).await.unwrap();
    let part = capture(&held, "5.00 EUR", "a part");
    let _ = shop.stripe.capture(&part).await.unwrap();
    let one = refund(&held, "1.00 EUR", "one");
    shop.stripe.refund(&one).await.unwrap();
    let too_much = refund(&held, "4.01 EUR", "too much");
    let error = shop.stripe.refund(&too_much).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::InvalidRequest, "{error}");
    let listed = shop.stripe.list_refunds(held.id.clone());
    assert_eq!(listed.try_collect::<Vec<_>>().await.unwrap().len(), 1);
    let now = shop.stripe.fetch_payment(&held.id).await.unwrap();
    assert_eq!(now.captured, money("5.00 EUR").money());
    assert_eq!(now.refunded, money("1.00 EUR").money());
}

#[tokio::test]
async fn a_dispute_is_listed_with_its_payment() {
    let Some(shop) = Shop::open("disputed") else {
        return;
    };
    let request = direct("A-1", "20.00 EUR", "pm_card_createDispute");
    let paid = shop.stripe.create(&request).await.unwrap();
    let disputes = shop.stripe.list_disputes(Period::default());
    let disputes: Vec<_> = disputes.try_collect().await.unwrap();
    assert_eq!(disputes.len(), 1);
    assert_eq!(disputes[0].payment, paid.id);
    assert_eq!(disputes[0].amount, paid.amount);
}

#[tokio::test]
async fn its_events_are_read_as_webhooks() {
    let Some(shop) = Shop::open("events") else {
        return;
    };
    let request = direct("A-1", "20.00 EUR", "pm_card_visa");
    let paid = shop.stripe.create(&request).await.unwrap();
    let made = refund(&paid, "12.00 EUR", "first");
    let made = shop.stripe.refund(&made).await.unwrap();

    let events = shop.read("/v1/events?limit=100").await;
    let (mut payments, mut refunds) = (0, 0);
    for event in events["data"].as_array().unwrap() {
        let body = event.to_string();
        let delivery = shop.stripe.webhook(&signed(&body)).await.unwrap();
        for event in &delivery.events {
            match event.kind() {
                EventKind::Payment(payment) => {
                    assert_eq!(payment.id, paid.id);
                    assert_eq!(payment.reference, paid.reference);
                    payments += 1;
                }
                EventKind::Refund(refund) => {
                    assert_eq!((&refund.id, &refund.payment), (&made.id, &paid.id));
                    refunds += 1;
                }
                _ => {}
            }
        }
        let mut forged = signed(&body);
        forged = WebhookRequest::new(forged.headers().clone(), body.replace("evt_", "evt_x"));
        let refusal = shop.stripe.webhook(&forged).await.unwrap_err();
        assert_eq!(refusal.kind(), WebhookRefusalKind::WrongSignature);
    }
    assert!(payments > 0 && refunds > 0, "{payments} and {refunds}");
}

/// A shop with an account of its own at stripe-world.
struct Shop {
    stripe: Provider<Test>,
    address: String,
}

impl Shop {
    fn open(name: &str) -> Option<Self> {
        let Some(server) = std::env::var_os("COUNTERFOIL_STRIPE_WORLD") else {
            // Written to the stream itself: the harness hides what a passing test prints.
            let _ = writeln!(
                std::io::stderr(),
                "NOT RUN: COUNTERFOIL_STRIPE_WORLD is not set: use stripe_world.sh"
            );
            return None;
        };
        let server = server.into_string().unwrap();
        // A server that outlives this process must not know its keys.
        let process = std::process::id();
        Some(Self::at(format!("{server}/worlds/{name}-{process}")))
    }

    fn at(address: String) -> Self {
        let config = StripeConfig::new(KEY, WEBHOOK_SECRET).unwrap();
        let config = config
            .with_base_url(&address)
            .unwrap()
            .with_transport(Arc::new(Adapted(Arc::new(network()))));
        let stripe = Stripe::new(config).unwrap();
        let stripe = stripe
            .into_provider(Namespace::new("shop").unwrap())
            .with_clock(Arc::new(ManualClock::new(ARRIVAL)));
        Self { stripe, address }
    }

    /// The same shop in another process, which remembers nothing.
    fn restarted(&self) -> Self {
        Self::at(self.address.clone())
    }

    /// Asks the server past the provider.
    async fn read(&self, path: &str) -> Value {
        let request = Request::get(format!("{}{path}", self.address))
            .header("authorization", format!("Bearer {KEY}"))
            .body(Bytes::new())
            .unwrap();
        let answer = network().send(request).await.unwrap();
        serde_json::from_slice(answer.body()).unwrap()
    }

    fn id(&self, raw: &str) -> PaymentId<Test> {
        PaymentId::new(self.stripe.name().clone(), raw).unwrap()
    }
}

fn network() -> ReqwestTransport {
    ReqwestTransport::loopback(&TransportOptions::default()).unwrap()
}

/// A webhook as Stripe signs it. stripe-world writes events and does not deliver them.
fn signed(body: &str) -> WebhookRequest {
    let at = ARRIVAL.unix();
    let mac = Hmac::<Sha256>::new_from_slice(WEBHOOK_SECRET.as_bytes()).unwrap();
    let mac = mac.chain_update(format!("{at}.")).chain_update(body);
    let signature = hex::encode(mac.finalize().into_bytes());
    let request = Request::builder().header("stripe-signature", format!("t={at},v1={signature}"));
    request.body(body.to_owned()).unwrap().into()
}

fn direct(order: &str, amount: &str, card: &str) -> CreateRequest {
    let method = Checkout::token(card, "https://shop.example/back");
    CreateRequest::new(OrderId::new(order).unwrap(), money(amount), method)
}

fn capture(payment: &Payment<Test>, amount: &str, command: &str) -> CaptureRequest<Test> {
    let command = CommandId::new(command).unwrap();
    CaptureRequest::new(payment.id.clone(), money(amount), command)
}

fn refund(payment: &Payment<Test>, amount: &str, command: &str) -> RefundRequest<Test> {
    let command = CommandId::new(command).unwrap();
    RefundRequest::new(payment.id.clone(), money(amount), command)
}

fn money(text: &str) -> PositiveMoney {
    PositiveMoney::new(text.parse::<Money>().unwrap()).unwrap()
}

fn ids(payments: &[Payment<Test>]) -> Vec<&str> {
    payments.iter().map(|payment| payment.id.raw()).collect()
}
