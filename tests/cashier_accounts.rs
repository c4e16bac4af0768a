//! One endpoint for several accounts: each event goes to the account that it names.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod flow;

use std::sync::Arc;

use counterfoil::cashier::{Cashier, MemoryStore, Standing};
use counterfoil::clock::{Clock, ManualClock, Timestamp};
use counterfoil::http::ManualTimer;
use counterfoil::id::{Namespace, ProviderName};
use counterfoil::providers::adyen::{self, Adyen, AdyenConfig};
use counterfoil::providers::stripe::{Stripe, StripeConfig};
use counterfoil::webhook::{SetAsideReason, WebhookRequest};
use counterfoil::{Provider, Secret, Test};
use http::HeaderMap;
use serde_json::{Value, json};

use flow::said::{concerns_of, intent, signed};
use flow::{Account, SECRET, START, eur, order};

/// Two connected accounts of one platform, with one endpoint and one secret.
async fn connected() -> Cashier<Test> {
    let clock = Arc::new(ManualClock::new(Timestamp::from_unix(START)));
    let provider = |name: &str, account: &str| {
        let config = StripeConfig::<Test>::new("sk_test_flow", SECRET).unwrap();
        let config = config
            .with_name(ProviderName::new(name).unwrap())
            .with_account(account)
            .unwrap()
            .with_timer(Arc::new(ManualTimer::new()))
            .with_transport(Account::new().line)
            .with_clock(Arc::clone(&clock) as Arc<dyn Clock>);
        let stripe = Stripe::new(config).unwrap();
        stripe.into_provider(Namespace::new("shop").unwrap())
    };
    with_both(
        provider("first", "acct_A"),
        provider("second", "acct_B"),
        clock,
    )
    .await
}

async fn with_both(
    first: Provider<Test>,
    second: Provider<Test>,
    clock: Arc<ManualClock>,
) -> Cashier<Test> {
    let cashier = Cashier::open(first, Arc::new(MemoryStore::new())).await;
    let cashier = cashier.unwrap().with_clock(clock as Arc<dyn Clock>);
    let cashier = cashier.with_provider(second).unwrap();
    for name in ["A", "B"] {
        cashier.place(&order(name), eur(1000)).await.unwrap();
    }
    cashier
}

#[tokio::test]
async fn one_endpoint_of_several_accounts_goes_to_the_one_that_the_event_names() {
    let cashier = connected().await;
    for (name, account, endpoint) in [
        ("A", "acct_A", None),
        ("B", "acct_B", None),
        ("A", "acct_A", Some("second")),
        ("B", "acct_B", Some("first")),
    ] {
        let object = intent(
            &format!("pi_{name}"),
            "eur",
            1000,
            Some(&format!("shop:{name}:1")),
        );
        let id = format!("evt_{name}");
        let event = signed(&id, "payment_intent.succeeded", object, Some(account));
        let received = match endpoint {
            None => cashier.receive(&event).await,
            Some(endpoint) => cashier.receive_from(endpoint, &event).await,
        };
        assert_eq!(received.answer, 200, "{received:?}");
        assert_eq!((received.events.len(), received.ignored.len()), (1, 0));
        let expected = if name == "A" { "first" } else { "second" };
        assert_eq!(received.events[0].id().provider().as_str(), expected);
        let record = cashier.order(&order(name)).await.unwrap();
        assert_eq!(record.standing(), Standing::Paid);
    }
}

#[tokio::test]
async fn an_event_of_an_account_that_is_not_here_is_acknowledged_kept_and_counted() {
    let cashier = connected().await;
    let object = intent("pi_C", "eur", 1000, Some("shop:A:1"));
    let event = signed("evt_C", "payment_intent.succeeded", object, Some("acct_C"));
    for received in [
        cashier.receive(&event).await,
        cashier.receive_from("second", &event).await,
    ] {
        assert_eq!((received.answer, received.events.len()), (200, 0));
        assert_eq!(received.ignored.len(), 1);
        assert_eq!(received.ignored[0].reason, SetAsideReason::OtherAccount);
        assert_eq!(received.ignored[0].account.as_deref(), Some("acct_C"));
    }
    let record = cashier.order(&order("A")).await.unwrap();
    assert_eq!(record.standing(), Standing::Unpaid);
    let health = cashier.health().await.unwrap();
    let counted = health
        .providers
        .iter()
        .map(|of| of.webhooks.set_aside.values().sum::<u64>());
    assert_eq!(counted.sum::<u64>(), 2);
}

#[tokio::test]
async fn what_no_provider_can_verify_is_refused_by_the_one_whose_it_reads_as() {
    let cashier = connected().await;
    let object = intent("pi_A", "eur", 1000, Some("shop:A:1"));
    let genuine = signed("evt_A", "payment_intent.succeeded", object, Some("acct_A"));
    let mut body = genuine.body().to_vec();
    body.push(b' ');
    let forged = WebhookRequest::new(genuine.headers().clone(), body);
    let received = cashier.receive(&forged).await;
    assert_eq!((received.answer, received.events.len()), (400, 0));
    let error = received.error.unwrap();
    assert!(error.to_string().contains("wrong signature"), "{error}");
}

const HMAC: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn item(account: &str, name: &str, minor: Value) -> Value {
    json!({ "NotificationRequestItem": {
        "additionalData": {}, "amount": { "currency": "EUR", "value": minor },
        "eventCode": "AUTHORISATION", "eventDate": "2026-11-16T13:00:00+01:00",
        "merchantAccountCode": account, "merchantReference": format!("shop:{name}:1"),
        "pspReference": format!("99131407982200{name}"), "success": "true",
    }})
}

fn batch(items: &[Value]) -> Vec<u8> {
    let body = json!({ "live": "false", "notificationItems": items }).to_string();
    adyen::sign(&Secret::new(HMAC), body.as_bytes())
}

async fn two_merchant_accounts() -> Cashier<Test> {
    let clock = Arc::new(ManualClock::new(Timestamp::from_unix(START)));
    let provider = |name: &str, account: &str| {
        let config = AdyenConfig::<Test>::new("key", account, HMAC).unwrap();
        let config = config
            .with_name(ProviderName::new(name).unwrap())
            .with_timer(Arc::new(ManualTimer::new()))
            .with_transport(Account::new().line)
            .with_clock(Arc::clone(&clock) as Arc<dyn Clock>);
        let adyen = Adyen::new(config).unwrap();
        adyen.into_provider(Namespace::new("shop").unwrap())
    };
    let (first, second) = (provider("first", "ShopDE"), provider("second", "ShopNL"));
    with_both(first, second, clock).await
}

#[tokio::test]
async fn a_batch_for_several_merchant_accounts_reaches_each_of_them() {
    let cashier = two_merchant_accounts().await;
    let body = batch(&[
        item("ShopDE", "A", 1000.into()),
        item("ShopFR", "C", 1000.into()),
        item("ShopNL", "B", 1000.into()),
    ]);
    let received = cashier
        .receive(&WebhookRequest::new(HeaderMap::new(), body))
        .await;
    assert_eq!(received.answer, 200, "{received:?}");
    assert_eq!((received.events.len(), received.ignored.len()), (2, 1));
    assert_eq!(received.ignored[0].account.as_deref(), Some("ShopFR"));
    for name in ["A", "B"] {
        let record = cashier.order(&order(name)).await.unwrap();
        assert_eq!(record.standing(), Standing::Paid, "{name}");
    }
}

#[tokio::test]
async fn one_notice_of_a_batch_that_is_bad_takes_no_other_with_it() {
    let cashier = two_merchant_accounts().await;
    // Signed, and its amount is none: it is kept.
    let body = batch(&[
        item("ShopDE", "A", "ten".into()),
        item("ShopNL", "B", 1000.into()),
    ]);
    let received = cashier
        .receive(&WebhookRequest::new(HeaderMap::new(), body))
        .await;
    assert_eq!(received.answer, 200, "{received:?}");
    let record = cashier.order(&order("B")).await.unwrap();
    assert_eq!(record.standing(), Standing::Paid);
    let raised = concerns_of(&cashier, "A").await;
    assert_eq!(raised.len(), 1, "{raised:?}");
    assert!(raised[0].0.ends_with(":unreadable"), "{raised:?}");

    // Not signed as it stands: the other is stored, and Adyen sends the batch again.
    let cashier = two_merchant_accounts().await;
    let body = batch(&[
        item("ShopDE", "A", 1000.into()),
        item("ShopNL", "B", 1000.into()),
    ]);
    let forged = String::from_utf8(body).unwrap().replacen("1000", "1001", 1);
    let forged = WebhookRequest::new(HeaderMap::new(), forged.into_bytes());
    let received = cashier.receive(&forged).await;
    assert_eq!((received.answer, received.events.len()), (400, 1));
    let record = cashier.order(&order("B")).await.unwrap();
    assert_eq!(record.standing(), Standing::Paid);
    let record = cashier.order(&order("A")).await.unwrap();
    assert_eq!(record.standing(), Standing::Unpaid);
}
