//! Webhooks as the simulator sends them.

use counterfoil::clock::Timestamp;
use counterfoil::dispute::DisputeStatus;
use counterfoil::id::Namespace;
use counterfoil::ledger::Ledger;
use counterfoil::payment::PaymentStatus;
use counterfoil::providers::stripe::{SIGNATURE_HEADER, Stripe, StripeConfig, sign};
use counterfoil::refund::RefundStatus;
use counterfoil::webhook::{
    Authenticity, Event, EventKind, SetAsideReason, WebhookRefusalKind, WebhookRequest,
};
use counterfoil::{Live, ModeKind, Secret, Test};
use http::{HeaderMap, HeaderValue};

use crate::shop::{START, Shop, WEBHOOK_SECRET, money};

#[tokio::test]
async fn the_reference_comes_back_on_every_event_of_a_payment() {
    let shop = Shop::open(40);
    let created = shop.checkout("A-1", "19.99 EUR").await;
    shop.simulator()
        .shopper()
        .pay(created.id.raw(), "pm_card_visa")
        .unwrap();
    let mut completed = None;
    let mut payments = 0;
    for webhook in shop.webhooks() {
        let delivery = shop.stripe.webhook(&webhook).await.unwrap();
        assert_eq!((delivery.answer(), delivery.set_aside.len()), (200, 0));
        for event in delivery.events {
            assert_eq!(event.authenticity(), Authenticity::Body);
            let Some(payment) = event.payment() else {
                continue;
            };
            payments += 1;
            assert_eq!(
                payment.reference,
                created.reference,
                "{}",
                event.type_text()
            );
            assert!(payment.is_same_as(&created), "{}", event.type_text());
            if event.type_text() == "checkout.session.completed" {
                completed = Some(payment.clone());
            }
        }
    }
    assert!(payments >= 4, "{payments}");
    let completed = completed.unwrap();
    assert_eq!(completed.status, PaymentStatus::Captured);
    assert!(completed.aliases.contains(&created.id) && completed.id.raw().starts_with("pi_"));
}

#[tokio::test]
async fn a_completed_checkout_of_a_slow_method_is_pending_until_the_money_comes() {
    for (method, end) in [
        ("pm_usBankAccount_success", true),
        ("pm_usBankAccount_insufficientFunds", false),
    ] {
        let shop = Shop::open(41);
        let created = shop.checkout("A-1", "20.00 USD").await;
        shop.simulator()
            .shopper()
            .pay(created.id.raw(), method)
            .unwrap();
        let mut ledger = Ledger::new();
        for event in events(&shop).await {
            if event.type_text() == "checkout.session.completed" {
                assert_eq!(event.payment().unwrap().status, PaymentStatus::Pending);
            }
            ledger.apply(&event).unwrap();
        }
        assert_eq!(ledger.payment().unwrap().status, PaymentStatus::Pending);
        let fetched = shop.stripe.fetch_payment(&created.id).await.unwrap();
        assert_eq!(fetched.status, PaymentStatus::Pending);

        shop.advance(std::time::Duration::from_secs(7 * 24 * 60 * 60));
        for event in events(&shop).await {
            ledger.apply(&event).unwrap();
        }
        let status = &ledger.payment().unwrap().status;
        if end {
            assert_eq!(status, &PaymentStatus::Captured);
        } else {
            assert!(matches!(status, PaymentStatus::Failed(_)), "{status:?}");
        }
    }
}

#[tokio::test]
async fn every_order_of_arrival_ends_in_the_same_ledger() {
    let shop = Shop::open(42);
    let held = shop.hold("A-1", "100.00 EUR").await;
    shop.advance(std::time::Duration::from_secs(60));
    let captured = shop.capture(&held, "60.00 EUR", "c1").await.unwrap();
    shop.advance(std::time::Duration::from_secs(60));
    shop.refund(&captured, "10.00 EUR", "r1").await.unwrap();
    shop.advance(std::time::Duration::from_secs(60));
    let failing = shop.refund(&captured, "20.00 EUR", "r2").await.unwrap();
    shop.advance(std::time::Duration::from_secs(60));
    shop.simulator()
        .dashboard()
        .fail_refund(failing.id.raw())
        .unwrap();
    shop.advance(std::time::Duration::from_secs(60));
    let dispute = shop
        .simulator()
        .dashboard()
        .open_dispute(held.id.raw())
        .unwrap();
    shop.advance(std::time::Duration::from_secs(60));
    shop.simulator().dashboard().win_dispute(&dispute).unwrap();

    let events = events(&shop).await;
    let about: Vec<_> = events.iter().filter(|event| !is_payout(event)).collect();
    assert!(about.len() >= 10, "{}", about.len());
    for seed in 0..500 {
        let mut order: Vec<usize> = (0..about.len()).chain(0..about.len()).collect();
        fastrand::Rng::with_seed(seed).shuffle(&mut order);
        let mut ledger = Ledger::new();
        for index in order {
            ledger.apply(about[index]).unwrap();
        }
        let payment = ledger.payment().unwrap();
        assert_eq!(payment.status, PaymentStatus::Captured, "seed {seed}");
        assert_eq!(payment.captured, money("60.00 EUR").money(), "seed {seed}");
        assert_eq!(
            ledger.refunded().unwrap(),
            money("10.00 EUR").money(),
            "seed {seed}"
        );
        assert_eq!(
            ledger.net().unwrap(),
            money("50.00 EUR").money(),
            "seed {seed}"
        );
        let refunds: Vec<_> = ledger
            .refunds()
            .map(|refund| refund.status.clone())
            .collect();
        assert_eq!(
            refunds
                .iter()
                .filter(|s| **s == RefundStatus::Failed)
                .count(),
            1
        );
        let disputes: Vec<_> = ledger
            .disputes()
            .map(|dispute| dispute.status.clone())
            .collect();
        assert_eq!(disputes, [DisputeStatus::Won], "seed {seed}");
    }
}

#[tokio::test]
async fn a_forged_or_changed_body_is_refused() {
    let shop = Shop::open(43);
    shop.charge("A-1", "10.00 EUR", "pm_card_visa")
        .await
        .unwrap();
    let webhook = shop.webhooks().remove(0);
    assert!(shop.stripe.webhook(&webhook).await.is_ok());

    for at in [0, webhook.body().len() / 2, webhook.body().len() - 1] {
        let mut body = webhook.body().to_vec();
        body[at] ^= 1;
        let changed = WebhookRequest::new(webhook.headers().clone(), body);
        let refusal = shop.stripe.webhook(&changed).await.unwrap_err();
        assert_eq!(
            (refusal.kind(), refusal.answer()),
            (WebhookRefusalKind::WrongSignature, 400)
        );
    }
    let value: serde_json::Value = serde_json::from_slice(webhook.body()).unwrap();
    let compact = WebhookRequest::new(webhook.headers().clone(), value.to_string());
    let refusal = shop.stripe.webhook(&compact).await.unwrap_err();
    assert!(refusal.hint().contains("re-serialised"), "{refusal}");

    let forged = signed("whsec_of_a_forger", START, webhook.body());
    let refusal = shop.stripe.webhook(&forged).await.unwrap_err();
    assert_eq!(refusal.kind(), WebhookRefusalKind::WrongSignature);
    assert!(refusal.hint().contains("secret"), "{refusal}");
}

#[tokio::test]
async fn a_wrong_signature_is_explained_by_how_the_body_looks() {
    let shop = Shop::open(48);
    let (as_stripe_writes, reordered) = ("not another's such as the Stripe CLI's", "The order of");
    for (body, hint) in [
        ("{\n  \"id\": \"evt_1\"\n}", as_stripe_writes),
        ("{\n  \"created\": 1\n}", reordered),
        ("id=evt_1", reordered),
        ("", reordered),
        ("{\"id\":\"evt_1\"}", "re-serialised"),
        ("{\n    \"id\": \"evt_1\"\n}", "re-serialised"),
    ] {
        let forged = signed("whsec_of_a_forger", START, body.as_bytes());
        let refusal = shop.stripe.webhook(&forged).await.unwrap_err();
        assert_eq!(refusal.kind(), WebhookRefusalKind::WrongSignature);
        assert!(refusal.hint().contains(hint), "{body:?}: {refusal}");
    }
}

#[tokio::test]
async fn what_is_signed_and_new_is_not_guessed_at() {
    let shop = Shop::open(49);
    let told = async |object: &str, of: &str| {
        let body = serde_json::json!({
            "id": "evt_1", "object": object, "created": 1_700_000_000, "livemode": false,
            "type": "charge.succeeded", "data": {"object": {"object": of}},
        });
        let webhook = signed(WEBHOOK_SECRET, START, body.to_string().as_bytes());
        shop.stripe.webhook(&webhook).await
    };
    // Stripe would send it again for three days, and then no more: it is kept.
    for (object, reason) in [
        ("v2.core.event", "thin event"),
        ("charge", "not as the API"),
    ] {
        let delivery = told(object, "charge").await.unwrap();
        assert_eq!(delivery.answer(), 200);
        let EventKind::Unreadable(unreadable) = delivery.events[0].kind() else {
            panic!("{:?}", delivery.events);
        };
        assert!(unreadable.reason.contains(reason), "{unreadable:?}");
        assert!(unreadable.payments.is_empty());
    }
    let delivery = told("event", "charge_of_tomorrow").await.unwrap();
    let kind = delivery.events[0].kind();
    assert!(matches!(kind, EventKind::Unrecognized), "{kind:?}");
}

#[tokio::test]
async fn a_test_event_at_a_live_endpoint_is_set_aside() {
    let shop = Shop::open(44);
    shop.charge("A-1", "10.00 EUR", "pm_card_visa")
        .await
        .unwrap();
    let config = StripeConfig::<Live>::new("sk_live_shop", WEBHOOK_SECRET).unwrap();
    let live = Stripe::new(config)
        .unwrap()
        .into_provider(Namespace::new("shop").unwrap());
    let live = live.with_clock(std::sync::Arc::new(counterfoil::clock::ManualClock::new(
        START,
    )));
    for webhook in shop.webhooks() {
        let delivery = live.webhook(&webhook).await.unwrap();
        assert_eq!((delivery.answer(), delivery.events.len()), (200, 0));
        let found = ModeKind::Test;
        assert_eq!(
            delivery.set_aside[0].reason,
            SetAsideReason::WrongMode { found }
        );
    }
}

#[tokio::test]
async fn events_of_another_account_or_installation_are_set_aside() {
    let shop = Shop::open(45);
    shop.charge("A-1", "10.00 EUR", "pm_card_visa")
        .await
        .unwrap();
    let webhooks = shop.webhooks();

    let connected = Shop::open_as(46, |config| config.with_account("acct_2").unwrap());
    let delivery = connected.stripe.webhook(&webhooks[0]).await.unwrap();
    assert_eq!(delivery.set_aside[0].reason, SetAsideReason::OtherAccount);

    let config = StripeConfig::<Test>::new("sk_test_1", WEBHOOK_SECRET).unwrap();
    let clock = std::sync::Arc::new(counterfoil::clock::ManualClock::new(START));
    let staging = Stripe::new(config.with_clock(clock)).unwrap();
    let staging = staging.into_provider(Namespace::new("staging").unwrap());
    let delivery = staging.webhook(&webhooks[0]).await.unwrap();
    assert_eq!(
        delivery.set_aside[0].reason,
        SetAsideReason::OtherInstallation
    );
}

#[tokio::test]
async fn a_secret_that_is_being_replaced_still_counts() {
    let shop = Shop::open_as(47, |config| {
        config.with_webhook_secret("whsec_before").unwrap()
    });
    shop.charge("A-1", "10.00 EUR", "pm_card_visa")
        .await
        .unwrap();
    let webhook = shop.webhooks().remove(0);
    for (secret, index) in [(WEBHOOK_SECRET, 0), ("whsec_before", 1)] {
        let delivery = shop
            .stripe
            .webhook(&signed(secret, START, webhook.body()))
            .await
            .unwrap();
        assert_eq!(delivery.events[0].secret_index(), index);
    }
}

fn signed(secret: &str, at: Timestamp, body: &[u8]) -> WebhookRequest {
    let signature = sign(&Secret::new(secret), at, body);
    let mut headers = HeaderMap::new();
    headers.insert(SIGNATURE_HEADER, HeaderValue::from_str(&signature).unwrap());
    WebhookRequest::new(headers, body.to_vec())
}

#[tokio::test]
async fn a_payout_is_told_of_with_what_it_brings() {
    let shop = Shop::open(47);
    let created = shop.checkout("A-1", "19.99 EUR").await;
    let paid = shop
        .simulator()
        .shopper()
        .pay(created.id.raw(), "pm_card_visa");
    paid.unwrap();
    shop.advance(std::time::Duration::from_secs(7 * 86_400));
    let events = events(&shop).await;
    let payouts = events.iter().filter_map(|event| match event.kind() {
        EventKind::Payout(payout) => Some(payout.amount),
        _ => None,
    });
    // Less Stripe's fee: 2.9 % and 30 cents.
    let expected = money("19.11 EUR").money();
    let amounts: Vec<_> = payouts.collect();
    assert!(
        !amounts.is_empty() && amounts.iter().all(|amount| *amount == expected),
        "{amounts:?}"
    );
}

async fn events(shop: &Shop) -> Vec<Event<Test>> {
    let mut events = Vec::new();
    for webhook in shop.webhooks() {
        events.extend(shop.stripe.webhook(&webhook).await.unwrap().events);
    }
    events
}

fn is_payout(event: &Event<Test>) -> bool {
    matches!(event.kind(), EventKind::Payout(_))
}
