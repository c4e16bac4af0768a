//! Mistakes that are put right, and writes that meet what an earlier one left behind.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use counterfoil::http::{Transport, TransportError};
use counterfoil::id::{Namespace, Reference};
use counterfoil::payment::PaymentStatus;
use counterfoil::providers::stripe::{Stripe, StripeConfig};
use counterfoil::request::Period;
use counterfoil::simulator::stripe::StripeSimulator;
use counterfoil::simulator::{Fault, FaultRule, SimulatorTransport};
use counterfoil::{Effect, ErrorKind, Provider, Test};
use futures_util::StreamExt;
use http::Method;

use crate::shop::{Shop, capture, direct, hosted};

#[tokio::test]
async fn an_amount_that_was_refused_can_be_put_right() {
    let shop = Shop::open(61);
    let too_small = shop.charge("A-1", "0.30 EUR", "pm_card_visa").await;
    assert_eq!(too_small.unwrap_err().kind(), &ErrorKind::InvalidRequest);
    let paid = shop.charge("A-1", "10.00 EUR", "pm_card_visa").await;
    let paid = paid.unwrap();

    let refunded = shop.refund(&paid, "10.01 EUR", "r-1").await;
    assert_eq!(refunded.unwrap_err().kind(), &ErrorKind::InvalidRequest);
    let refunded = shop.refund(&paid, "10.00 EUR", "r-1").await;
    assert_eq!(refunded.unwrap().amount.minor(), 1000);

    let held = shop.hold("A-2", "20.00 EUR").await;
    let request = capture(&held, "20.01 EUR", "c-1");
    let captured = shop.stripe.capture(&request).await;
    assert_eq!(captured.unwrap_err().kind(), &ErrorKind::InvalidRequest);
    let request = capture(&held, "20.00 EUR", "c-1");
    let captured = shop.stripe.capture(&request).await;
    assert_eq!(captured.unwrap().payment().unwrap().captured.minor(), 2000);
}

#[tokio::test]
async fn a_key_whose_first_answer_was_lost_is_not_free_for_the_next_attempt() {
    let shop = Shop::open(62);
    shop.plan(
        FaultRule::next(Fault::DropAfter)
            .with_method(Method::POST)
            .with_times(100),
    );
    let request = direct("A-1", "10.00 EUR", "pm_card_visa");
    let lost = shop.stripe.create(&request).await.unwrap_err();
    assert_eq!(lost.effect(), Effect::Unknown);
    shop.simulator().faults().clear();

    let described = request.clone().with_description("the same order");
    let error = shop.stripe.create(&described).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.effect()),
        (&ErrorKind::Conflict, Effect::Unknown),
        "the first request under the key took the money"
    );
    let dearer = direct("A-1", "11.00 EUR", "pm_card_visa");
    let error = shop.stripe.create(&dearer).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.effect()),
        (&ErrorKind::Conflict, Effect::Unknown)
    );
}

#[tokio::test]
async fn a_void_that_failed_while_the_checkout_was_open_can_be_repeated_when_it_is_paid() {
    let shop = Shop::open(63);
    let request = hosted("A-1", "20.00 EUR").with_manual_capture();
    let checkout = shop.stripe.create(&request).await.unwrap();
    shop.plan(FaultRule::next(Fault::ErrorStored).with_method(Method::POST));
    let failed = shop.stripe.void(&checkout.id).await.unwrap_err();
    assert_eq!(failed.effect(), Effect::Unknown);
    shop.simulator()
        .shopper()
        .pay(checkout.id.raw(), "pm_card_visa")
        .unwrap();
    let held = shop.stripe.fetch_payment(&checkout.id).await.unwrap();
    assert_eq!(held.status, PaymentStatus::Authorized);
    let voided = shop.void(&checkout.id).await.unwrap();
    assert_eq!(voided.status, PaymentStatus::Canceled);
}

#[tokio::test]
async fn a_capture_repeated_under_another_name_of_the_payment_is_made_once() {
    let shop = Shop::open(7);
    let hold = hosted("A-1", "10.00 EUR").with_manual_capture();
    let checkout = shop.stripe.create(&hold).await.unwrap();
    let card = "pm_card_visa";
    shop.simulator()
        .shopper()
        .pay(checkout.id.raw(), card)
        .unwrap();
    let held = shop.stripe.fetch_payment(&checkout.id).await.unwrap();
    assert_ne!(held.id, checkout.id);
    for payment in [&checkout, &held] {
        let part = capture(payment, "3.00 EUR", "first part").keeping_the_rest();
        let taken = shop
            .stripe
            .capture(&part)
            .await
            .unwrap()
            .into_payment()
            .unwrap();
        assert_eq!(taken.captured.minor(), 300);
    }
}

#[tokio::test]
async fn a_list_that_never_moves_on_ends_with_an_error() {
    let wire = Arc::new(Endless::default());
    let config = StripeConfig::<Test>::new("sk_test_shop", "whsec_1").unwrap();
    let stripe: Provider<Test> = Stripe::new(config.with_transport(wire.clone()))
        .unwrap()
        .into_provider(Namespace::new("shop").unwrap());
    let disputes = stripe.list_disputes(Period::default());
    let errors = disputes.filter(|dispute| std::future::ready(dispute.is_err()));
    let first = std::pin::pin!(errors).next().await.unwrap().unwrap_err();
    assert_eq!(first.kind(), &ErrorKind::UnexpectedResponse);

    let reference: Reference = "shop:A-1:1".parse().unwrap();
    let error = stripe.find_payments(&reference).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::UnexpectedResponse);
    assert!(wire.requests.load(Ordering::Relaxed) < 10);
}

/// Always says that there is more, and always gives the same.
#[derive(Default)]
struct Endless {
    requests: AtomicU32,
}

impl fmt::Debug for Endless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Endless")
    }
}

#[async_trait]
impl Transport for Endless {
    async fn send(&self, _: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let sent = self.requests.fetch_add(1, Ordering::Relaxed);
        assert!(sent < 100, "the list is read for ever");
        let page = r#"{"object":"list","has_more":true,"data":[{"id":"dp_1","object":"dispute",
            "livemode":false,"created":1,"amount":1,"currency":"eur","status":"lost",
            "charge":"ch_1","payment_intent":"pi_1"}]}"#;
        Ok(http::Response::new(Bytes::from_static(page.as_bytes())))
    }
}

#[tokio::test]
async fn an_answer_about_another_payment_or_refund_is_not_taken() {
    let shop = Shop::open(67);
    let mut ids = Vec::new();
    for order in ["A-1", "A-2"] {
        let paid = shop.charge(order, "10.00 EUR", "pm_card_visa").await;
        let paid = paid.unwrap();
        let refunded = shop.refund(&paid, "1.00 EUR", "r-1").await;
        ids.push((paid.id, refunded.unwrap().id));
    }
    let [(first, first_refund), (second, second_refund)] = &ids[..] else {
        panic!("two orders were paid");
    };
    let mixed_up = Arc::new(MixedUp {
        inner: SimulatorTransport::new(Arc::clone(&shop.simulator)),
        swapped: [
            (first.raw().to_owned(), second.raw().to_owned()),
            (
                first_refund.raw().to_owned(),
                second_refund.raw().to_owned(),
            ),
        ],
    });
    let config = StripeConfig::<Test>::new("sk_test_shop", "whsec_1").unwrap();
    let stripe = Stripe::new(config.with_transport(mixed_up))
        .unwrap()
        .into_provider(Namespace::new("shop").unwrap());
    let payment = stripe.fetch_payment(first).await.unwrap_err();
    assert_eq!(payment.kind(), &ErrorKind::UnexpectedResponse);
    let refund = stripe.fetch_refund(first_refund).await.unwrap_err();
    assert_eq!(refund.kind(), &ErrorKind::UnexpectedResponse);
    assert_eq!(
        stripe.fetch_refund(second_refund).await.unwrap().id,
        *second_refund
    );
}

/// A cache in between that gives the answers for one object to who asks for another.
#[derive(Debug)]
struct MixedUp {
    inner: SimulatorTransport<StripeSimulator>,
    swapped: [(String, String); 2],
}

#[async_trait]
impl Transport for MixedUp {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let (mut parts, body) = request.into_parts();
        let mut path = parts.uri.to_string();
        for (asked, answered) in &self.swapped {
            path = path.replace(asked, answered);
        }
        parts.uri = path.parse().unwrap();
        self.inner
            .send(http::Request::from_parts(parts, body))
            .await
    }
}
