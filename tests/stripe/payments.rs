//! Payments from their creation to their end.

use std::time::Duration;

use counterfoil::error::{DeclineReason, InputField};
use counterfoil::payment::{NextAction, PaymentStatus};
use counterfoil::refund::RefundStatus;
use counterfoil::request::Checkout;
use counterfoil::{Effect, ErrorKind};

use crate::shop::{Shop, capture, direct, hosted, money, refund};

#[tokio::test]
async fn a_checkout_and_its_intent_are_one_payment() {
    let shop = Shop::open(1);
    let request = hosted("A-1", "19.99 EUR")
        .with_description("Two books")
        .with_email("a@b.example");
    let created = shop.stripe.create(&request).await.unwrap();
    assert!(created.is_checkout && created.id.raw().starts_with("cs_test_"));
    assert_eq!(created.status, PaymentStatus::Created);
    assert_eq!(created.reference, Some(shop.stripe.reference(&request)));
    assert!(matches!(
        created.next_action,
        Some(NextAction::Redirect { .. })
    ));
    assert!(created.expires_at.is_some());

    shop.simulator()
        .shopper()
        .pay(created.id.raw(), "pm_card_visa")
        .unwrap();
    let paid = shop.stripe.fetch_payment(&created.id).await.unwrap();
    assert_eq!(paid.status, PaymentStatus::Captured);
    assert_eq!(paid.captured, money("19.99 EUR").money());
    assert!(!paid.is_checkout && paid.id.raw().starts_with("pi_"));
    assert!(paid.aliases.contains(&created.id) && paid.is_same_as(&created));
    assert!(paid.fee.is_none(), "Stripe books the fee a moment later");
    assert!(paid.next_action.is_none());

    shop.advance(Duration::from_secs(10));
    for alias in paid.ids() {
        let again = shop.stripe.fetch_payment(alias).await.unwrap();
        assert_eq!((&again.id, &again.reference), (&paid.id, &paid.reference));
    }
}

#[tokio::test]
async fn a_checkout_that_nobody_pays_expires() {
    let shop = Shop::open(2);
    let created = shop.checkout("A-1", "19.99 EUR").await;
    shop.advance(Duration::from_secs(25 * 60 * 60));
    let ended = shop.stripe.fetch_payment(&created.id).await.unwrap();
    assert_eq!(ended.status, PaymentStatus::Expired);
    assert!(ended.is_checkout && ended.next_action.is_none());
}

#[tokio::test]
async fn amounts_arrive_as_they_were_asked_for_in_every_kind_of_currency() {
    let shop = Shop::open(3);
    for (order, amount, minor) in [
        ("A-1", "8.20 EUR", 820),
        ("A-2", "100 JPY", 100),
        ("A-3", "18.600 KWD", 18_600),
        ("A-4", "500 ISK", 500),
        ("A-5", "5000 UGX", 5_000),
        ("A-6", "175.00 HUF", 17_500),
    ] {
        let payment = shop.charge(order, amount, "pm_card_visa").await.unwrap();
        assert_eq!(payment.captured.minor(), minor, "{amount}");
        assert_eq!(payment.captured.to_string(), amount);
    }
    let books = shop.simulator().ledger();
    assert_eq!(books[1].captured.to_string(), "100 JPY");
    assert_eq!(books[2].captured.to_string(), "18.600 KWD");
    assert_eq!(books[3].captured.to_string(), "500 ISK");
}

#[tokio::test]
async fn a_decline_names_the_reason_and_the_payment_that_stripe_made() {
    let shop = Shop::open(4);
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
        (
            "A-3",
            "pm_card_chargeDeclinedExpiredCard",
            DeclineReason::WrongInput(InputField::Expiry),
        ),
        (
            "A-4",
            "pm_card_chargeDeclinedIncorrectCvc",
            DeclineReason::WrongInput(InputField::SecurityCode),
        ),
        (
            "A-5",
            "pm_card_chargeDeclinedProcessingError",
            DeclineReason::TryLater,
        ),
        ("A-6", "pm_card_radarBlock", DeclineReason::Fraud),
    ] {
        let error = shop.charge(order, "10.00 EUR", card).await.unwrap_err();
        assert_eq!(
            error.decline().map(|decline| &decline.reason),
            Some(&reason),
            "{card}"
        );
        assert_eq!(error.effect(), Effect::NotApplied);
        assert!(error.request_id().is_some() && error.code().is_some());
        let id = error.payment().expect("the intent is kept");
        let payment = shop.stripe.fetch_payment(&id).await.unwrap();
        let PaymentStatus::Failed(decline) = payment.status else {
            panic!("{:?}", payment.status)
        };
        assert_eq!(decline.reason, reason, "{card}");
        assert!(payment.reference.is_some());
    }
}

#[tokio::test]
async fn a_challenge_is_passed_failed_or_abandoned() {
    let shop = Shop::open(5);
    let challenged =
        |order: &'static str| shop.charge(order, "10.00 EUR", "pm_card_threeDSecure2Required");
    let payment = challenged("A-1").await.unwrap();
    assert_eq!(payment.status, PaymentStatus::ActionRequired);
    assert!(matches!(
        payment.next_action,
        Some(NextAction::Redirect { .. })
    ));
    shop.simulator()
        .shopper()
        .pass_challenge(payment.id.raw())
        .unwrap();
    let passed = shop.stripe.fetch_payment(&payment.id).await.unwrap();
    assert_eq!(passed.status, PaymentStatus::Captured);

    let payment = challenged("A-2").await.unwrap();
    shop.simulator()
        .shopper()
        .fail_challenge(payment.id.raw())
        .unwrap();
    let failed = shop.stripe.fetch_payment(&payment.id).await.unwrap();
    let PaymentStatus::Failed(decline) = failed.status else {
        panic!("{:?}", failed.status)
    };
    assert_eq!(decline.reason, DeclineReason::AuthenticationFailed);

    let payment = challenged("A-3").await.unwrap();
    let voided = shop.void(&payment.id).await.unwrap();
    assert_eq!(voided.status, PaymentStatus::Canceled);
}

#[tokio::test]
async fn a_saved_method_that_needs_the_shopper_says_so() {
    let shop = Shop::open(6);
    let mut request = direct("A-1", "10.00 EUR", "pm_card_authenticationRequired");
    request.checkout = match request.checkout {
        Checkout::Direct { method, .. } => Checkout::Direct {
            method,
            presence: counterfoil::request::Presence::OffSession,
            return_url: None,
        },
        other => other,
    };
    let error = shop.stripe.create(&request).await.unwrap_err();
    let reason = error.decline().map(|decline| decline.reason);
    assert_eq!(reason, Some(DeclineReason::AuthenticationRequired));
}

#[tokio::test]
async fn a_hold_is_captured_in_part_and_the_rest_is_let_go() {
    let shop = Shop::open(7);
    let held = shop.hold("A-1", "100.00 EUR").await;
    assert_eq!(held.status, PaymentStatus::Authorized);
    assert_eq!(held.capturable, money("100.00 EUR").money());
    assert!(held.captured.is_zero() && held.capture_before.is_some());

    let too_much = shop.capture(&held, "100.01 EUR", "c1").await.unwrap_err();
    assert_eq!(too_much.kind(), &ErrorKind::InvalidRequest);
    let other = shop.capture(&held, "60.00 USD", "c2").await.unwrap_err();
    assert_eq!(other.kind(), &ErrorKind::InvalidRequest);
    shop.wire.take();

    let captured = shop.capture(&held, "60.00 EUR", "c3").await.unwrap();
    assert_eq!(captured.status, PaymentStatus::Captured);
    assert_eq!(captured.captured, money("60.00 EUR").money());
    assert!(
        captured.refunded.is_zero(),
        "what was let go was never taken"
    );
    assert_eq!(shop.wire.writes(), 1);

    let again = shop.capture(&held, "60.00 EUR", "c3").await.unwrap();
    assert_eq!(again.captured, captured.captured);
    let another = shop.capture(&held, "30.00 EUR", "c4").await.unwrap_err();
    assert_eq!(another.kind(), &ErrorKind::Conflict);

    shop.refund(&captured, "10.00 EUR", "r1").await.unwrap();
    let now = shop.stripe.fetch_payment(&captured.id).await.unwrap();
    assert_eq!(now.refunded, money("10.00 EUR").money());
}

#[tokio::test]
async fn a_capture_repeated_after_the_key_was_forgotten_is_known_by_its_result() {
    let shop = Shop::open(8);
    let held = shop.hold("A-1", "100.00 EUR").await;
    let request = capture(&held, "60.00 EUR", "c1");
    let _ = shop.stripe.capture(&request).await.unwrap();
    shop.advance(Duration::from_secs(30 * 60 * 60));
    let again = shop
        .stripe
        .capture(&request)
        .await
        .unwrap()
        .into_payment()
        .unwrap();
    assert_eq!(again.captured, money("60.00 EUR").money());
}

#[tokio::test]
async fn a_void_ends_what_is_not_paid_and_refuses_what_is() {
    let shop = Shop::open(9);
    let held = shop.hold("A-1", "10.00 EUR").await;
    let voided = shop.void(&held.id).await.unwrap();
    assert_eq!(voided.status, PaymentStatus::Canceled);
    assert!(voided.refunded.is_zero() && voided.captured.is_zero());
    assert_eq!(
        shop.void(&held.id).await.unwrap().status,
        PaymentStatus::Canceled
    );
    let late = shop.capture(&held, "10.00 EUR", "c1").await.unwrap_err();
    assert_eq!(late.kind(), &ErrorKind::Conflict);

    let checkout = shop.checkout("A-2", "10.00 EUR").await;
    assert_eq!(
        shop.void(&checkout.id).await.unwrap().status,
        PaymentStatus::Expired
    );
    assert_eq!(
        shop.void(&checkout.id).await.unwrap().status,
        PaymentStatus::Expired
    );
    assert!(
        shop.simulator()
            .shopper()
            .pay(checkout.id.raw(), "pm_card_visa")
            .is_err()
    );

    let checkout = shop.checkout("A-3", "10.00 EUR").await;
    let intent = shop.simulator().shopper().begin(checkout.id.raw()).unwrap();
    let voided = shop.void(&shop.id(&intent)).await.unwrap();
    assert_eq!(voided.status, PaymentStatus::Expired);

    let checkout = shop.paid_checkout("A-4", "10.00 EUR").await;
    let error = shop.stripe.void(&checkout.id).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Conflict);
}

#[tokio::test]
async fn a_hold_that_lapses_is_expired_and_cannot_be_captured() {
    let shop = Shop::open(10);
    let held = shop.hold("A-1", "10.00 EUR").await;
    shop.advance(Duration::from_secs(8 * 24 * 60 * 60));
    let lapsed = shop.stripe.fetch_payment(&held.id).await.unwrap();
    assert_eq!(lapsed.status, PaymentStatus::Expired);
    assert!(lapsed.refunded.is_zero());
    let error = shop.capture(&held, "10.00 EUR", "c1").await.unwrap_err();
    assert_eq!(
        (error.kind(), error.effect()),
        (&ErrorKind::Conflict, Effect::NotApplied)
    );
}

#[tokio::test]
async fn refunds_are_made_once_for_each_command_even_after_the_key_is_forgotten() {
    let shop = Shop::open(11);
    let paid = shop
        .charge("A-1", "100.00 EUR", "pm_card_visa")
        .await
        .unwrap();
    let request = refund(&paid, "30.00 EUR", "r1");
    let first = shop.stripe.refund(&request).await.unwrap();
    assert_eq!(
        (first.status.clone(), &first.payment),
        (RefundStatus::Succeeded, &paid.id)
    );
    assert_eq!(first.command.as_ref(), Some(&request.command));
    assert_eq!(shop.stripe.refund(&request).await.unwrap().id, first.id);
    shop.advance(Duration::from_secs(48 * 60 * 60));
    assert_eq!(shop.stripe.refund(&request).await.unwrap().id, first.id);

    let second = shop.refund(&paid, "30.00 EUR", "r2").await.unwrap();
    assert_ne!(second.id, first.id);
    let too_much = shop.refund(&paid, "40.01 EUR", "r3").await.unwrap_err();
    assert_eq!(too_much.kind(), &ErrorKind::InvalidRequest);
    let other = shop.refund(&paid, "1.00 USD", "r4").await.unwrap_err();
    assert_eq!(other.kind(), &ErrorKind::InvalidRequest);
    shop.refund(&paid, "40.00 EUR", "r5").await.unwrap();
    let spent = shop.refund(&paid, "0.01 EUR", "r6").await.unwrap_err();
    assert_eq!(spent.kind(), &ErrorKind::InvalidRequest);

    let now = shop.stripe.fetch_payment(&paid.id).await.unwrap();
    assert_eq!(now.refunded, money("100.00 EUR").money());
    assert_eq!(
        shop.simulator().ledger()[0].refunded,
        money("100.00 EUR").money()
    );
    assert_eq!(
        shop.stripe.fetch_refund(&first.id).await.unwrap().id,
        first.id
    );
}

#[tokio::test]
async fn what_stripe_would_not_take_is_refused_before_anything_is_sent() {
    let shop = Shop::open(12);
    let now = crate::shop::START;
    let soon = now.saturating_add(Duration::from_secs(29 * 60));
    for request in [
        hosted("A-1", "0.49 EUR"),
        hosted("A-2", "18.605 KWD"),
        hosted("A-3", "10.00 EUR").with_expiry(soon),
        hosted("A-4", "10.00 EUR").with_metadata("a[b]", "c"),
        hosted("A-5", "10.00 EUR").with_metadata("k", "x".repeat(501)),
        hosted("A-6", "10.00 EUR").with_metadata("counterfoil_reference", "shop:A-7:1"),
        hosted("A-7", "10.00 EUR").with_description("x".repeat(1001)),
        direct("A-8", "10.00 EUR", "card_1"),
        direct("A-9", "10.00 EUR", "pm_card_visa").with_expiry(soon),
    ] {
        let error = shop.stripe.create(&request).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::InvalidRequest, "{error}");
    }
    for raw in ["cs_live_1", "xx_1", "re_1"] {
        assert!(shop.stripe.fetch_payment(&shop.id(raw)).await.is_err());
    }
    assert!(shop.wire.take().is_empty());
}
