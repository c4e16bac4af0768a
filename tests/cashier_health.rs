//! The stream of confirmations, and how the cashier fares.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod flow;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use counterfoil::cashier::{
    Batch, Cashier, ConfirmationKind, ConfirmationRow, MemoryStore, NoteRow, Store,
};
use counterfoil::clock::{Clock, Timestamp};
use counterfoil::http::Timer;
use counterfoil::payment::PaymentStatus;
use counterfoil::{ErrorKind, ModeKind};
use futures_util::{FutureExt, StreamExt, pin_mut};
use serde_json::Value;

use flow::quiet::{About, Quiet, all_but, notice};
use flow::{Shop, eur, kind_of, order, page, refund};

/// A timer that waits until the test lets it go on.
#[derive(Debug, Default)]
struct Held(tokio::sync::Notify);

#[async_trait]
impl Timer for Held {
    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    async fn sleep(&self, _: Duration) {
        self.0.notified().await;
    }
}

#[tokio::test]
async fn the_stream_wakes_with_the_webhook_and_polls_for_other_nodes() {
    let shop = Shop::open().await;
    let timer = Arc::new(Held::default());
    let (lease, poll) = (Duration::from_secs(60), Duration::from_secs(2));
    let stream = shop
        .cashier
        .confirmation_stream(lease, poll, Arc::clone(&timer) as _);
    pin_mut!(stream);
    assert!(stream.next().now_or_never().is_none());
    // The clock stands and the timer is held: only the webhook can wake it.
    shop.paid("A", 1000).await;
    let Some(Some(Ok(news))) = stream.next().now_or_never() else {
        unreachable!("the confirmation is there");
    };
    assert_eq!(
        (news.order.clone(), news.kind.clone()),
        (Some(order("A")), ConfirmationKind::Paid)
    );
    assert!(stream.next().now_or_never().is_none());
    shop.cashier.acknowledge(&news).await.unwrap();

    // Another node on the same store: its bell is not heard here.
    let clock = Arc::clone(&shop.account.line) as Arc<dyn Clock>;
    let provider = shop.account.provider("stripe");
    let other = Cashier::open(provider, Arc::clone(&shop.store) as _).await;
    let other = other.unwrap().with_clock(clock);
    other.place(&order("B"), eur(500)).await.unwrap();
    let id = other.check_out(&page("B", 500)).await.unwrap().id;
    let paid = shop.account.lock().shopper().pay(id.raw(), "pm_card_visa");
    paid.unwrap();
    other.resume(&order("B")).await.unwrap();
    assert!(stream.next().now_or_never().is_none());
    timer.0.notify_one();
    let news = stream.next().await.unwrap().unwrap();
    assert_eq!(news.order, Some(order("B")));

    // Not acknowledged, it comes again when its lease has run out.
    shop.account.wait(60);
    timer.0.notify_one();
    let again = stream.next().await.unwrap().unwrap();
    assert_eq!(again.id, news.id);
}

#[tokio::test]
async fn many_confirmations_come_one_by_one_and_none_is_lost() {
    let shop = Shop::open().await;
    for number in 0..20 {
        shop.paid(&format!("N{number}"), 500).await;
    }
    let (lease, poll) = (Duration::from_secs(60), Duration::from_secs(2));
    let stream = shop
        .cashier
        .confirmation_stream(lease, poll, Arc::new(Held::default()));
    pin_mut!(stream);
    let mut seen = BTreeMap::new();
    while let Some(Some(news)) = stream.next().now_or_never() {
        let news = news.unwrap();
        shop.cashier.acknowledge(&news).await.unwrap();
        *seen.entry(news.id).or_insert(0) += 1;
    }
    assert_eq!(seen.len(), 20);
    assert!(seen.values().all(|times| *times == 1));
}

#[tokio::test]
async fn health_counts_webhooks_and_outlives_the_process() {
    let (provider, hands) = Quiet::open(all_but(&[]));
    let store = Arc::new(MemoryStore::new());
    let clock = Arc::clone(&hands.clock) as Arc<dyn Clock>;
    let open = async || {
        let opened = Cashier::open(provider.clone(), Arc::clone(&store) as _).await;
        opened.unwrap().with_clock(Arc::clone(&clock))
    };
    let cashier = open().await;
    let health = cashier.health().await.unwrap();
    assert_eq!(
        (health.oldest(), health.providers[0].webhooks.last_at),
        (None, None)
    );

    cashier.place(&order("A"), eur(1000)).await.unwrap();
    let id = cashier.check_out(&page("A", 1000)).await.unwrap().id;
    hands.clock.advance(Duration::from_secs(30));
    let paid = hands.set(id.raw(), PaymentStatus::Captured);
    let about = About::Payment(Box::new(paid));
    let genuine_at = clock.now();
    for (number, signature) in ["body", "forged", "foreign", "forged", "body"]
        .iter()
        .enumerate()
    {
        let _ = cashier
            .receive(&notice(&format!("e{number}"), signature, &about))
            .await;
    }
    cashier.sweep().await.unwrap();
    drop(cashier);

    let cashier = open().await;
    hands.clock.advance(Duration::from_secs(90));
    let _ = cashier.receive(&notice("e9", "forged", &about)).await;
    let health = cashier.health().await.unwrap();
    let provider = &health.providers[0];
    assert_eq!(
        (provider.provider.as_str(), provider.mode),
        ("quiet", ModeKind::Test)
    );
    let webhooks = &provider.webhooks;
    assert_eq!((webhooks.last_at, webhooks.events), (Some(genuine_at), 2));
    assert_eq!(webhooks.last_of_money_at, Some(genuine_at));
    assert_eq!(webhooks.last_refused_at, Some(clock.now()));
    assert_eq!(webhooks.refused["wrong signature"], 3);
    assert_eq!(webhooks.set_aside["wrong mode"], 1);
    // The confirmation waits to be acknowledged; nothing else is open.
    assert_eq!(health.oldest(), Some(Duration::from_secs(90)));
    assert_eq!(health.backlog.open_since, None);
    for confirmation in cashier
        .confirmations(Duration::from_secs(9), 9)
        .await
        .unwrap()
    {
        cashier.acknowledge(&confirmation).await.unwrap();
    }
    assert_eq!(cashier.health().await.unwrap().oldest(), None);
}

#[tokio::test]
async fn a_confirmation_of_a_newer_version_keeps_no_other_back() {
    let shop = Shop::open().await;
    shop.paid("A", 1000).await;
    shop.account.wait(5);
    shop.paid("B", 1000).await;
    // Older than both, from a node of a version that is still to come.
    let thanks = ConfirmationRow {
        id: "A:thanks".to_owned(),
        order: Some(order("A")),
        kind: "thanks".to_owned(),
        created_at: Timestamp::from_unix(flow::START - 1),
    };
    let batch = Batch {
        confirmations: vec![thanks],
        ..Batch::new(ModeKind::Test)
    };
    shop.store.commit(batch).await.unwrap();

    let lease = Duration::from_secs(60);
    // One at a time too: what cannot be read takes nobody's place.
    for (most, expected) in [(1, 1), (10, 1)] {
        let leased = shop.cashier.confirmations(lease, most).await.unwrap();
        assert_eq!(leased.len(), expected, "{leased:?}");
        assert!(leased.iter().all(|one| one.kind == ConfirmationKind::Paid));
        shop.cashier.acknowledge(&leased[0]).await.unwrap();
    }
    let health = shop.cashier.health().await.unwrap();
    let unreadable: Vec<_> = health.unreadable.iter().map(|one| &*one.what).collect();
    assert_eq!(unreadable, ["confirmation A:thanks"]);
    // It waits, for a newer node, and its age alarms.
    assert!(health.backlog.confirmation_since.is_some());
    shop.account.wait(61);
    let row = shop.store.lease_confirmations(
        shop.account.line.now(),
        shop.account.line.now().saturating_add(lease),
        10,
    );
    assert_eq!(row.await.unwrap()[0].row.kind, "thanks");
}

/// The value with a field of a version that is still to come, in each of its objects in turn.
fn of_tomorrow(value: &Value) -> Vec<Value> {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(k, v)| (k.clone(), v)).collect(),
        Value::Array(items) => (0..)
            .zip(items)
            .map(|(n, v): (u32, _)| (n.to_string(), v))
            .collect(),
        _ => return Vec::new(),
    };
    let mut all = Vec::new();
    if value.is_object() {
        let mut newer = value.clone();
        newer["of_tomorrow"] = serde_json::json!({"fact": 1});
        all.push(newer);
    }
    for (at, child) in children {
        for changed in of_tomorrow(child) {
            let mut newer = value.clone();
            *newer
                .pointer_mut(&format!("/{}", at.replace('/', "~1")))
                .unwrap() = changed;
            all.push(newer);
        }
    }
    all
}

#[tokio::test]
async fn a_fact_of_a_newer_version_is_never_written_away() {
    let shop = Shop::open().await;
    let id = shop.paid("A", 1000).await;
    shop.cashier.refund(&refund(&id, 100, "r")).await.unwrap();
    shop.account
        .lock()
        .dashboard()
        .open_dispute(id.raw())
        .unwrap();
    shop.deliver().await;
    let mut row = shop.store.order(&order("A")).await.unwrap().unwrap();
    let variants = of_tomorrow(&serde_json::from_str(&row.body).unwrap());
    assert!(variants.len() > 20, "{}", row.body);
    for variant in variants {
        row.version += 1;
        row.body = variant.to_string();
        let batch = Batch {
            order: Some(row.clone()),
            ..Batch::new(ModeKind::Test)
        };
        shop.store.commit(batch).await.unwrap();
        let read = shop.cashier.order(&order("A")).await;
        let kind = read.map(|record| record.order.id).map_err(kind_of);
        assert_eq!(kind, Err(ErrorKind::UnexpectedResponse), "{variant}");
        assert!(shop.cashier.refund(&refund(&id, 100, "s")).await.is_err());
        assert!(shop.cashier.close(&order("A")).await.is_err());
        let kept = shop.store.order(&order("A")).await.unwrap().unwrap();
        assert_eq!(kept, row);
    }
}

#[tokio::test]
async fn counts_of_a_newer_version_stop_no_sweep() {
    let (provider, hands) = Quiet::open(all_but(&[]));
    let store = Arc::new(MemoryStore::new());
    let cashier = Cashier::open(provider, Arc::clone(&store) as _).await;
    let cashier = cashier.unwrap().with_clock(Arc::clone(&hands.clock) as _);
    let note = NoteRow {
        name: "webhooks:quiet".to_owned(),
        version: 1,
        body: r#"{"events":"many"}"#.to_owned(),
    };
    let batch = Batch {
        note: Some(note.clone()),
        ..Batch::new(ModeKind::Test)
    };
    store.commit(batch).await.unwrap();

    cashier.place(&order("A"), eur(1000)).await.unwrap();
    let id = cashier.check_out(&page("A", 1000)).await.unwrap().id;
    let about = About::Payment(Box::new(hands.set(id.raw(), PaymentStatus::Captured)));
    let _ = cashier.receive(&notice("e1", "forged", &about)).await;
    hands.clock.advance(Duration::from_secs(3600));
    let swept = cashier.sweep().await.unwrap();
    assert_eq!((swept.orders, swept.failures), (1, 1));
    assert!(cashier.order(&order("A")).await.unwrap().paid_at.is_some());

    let health = cashier.health().await.unwrap();
    let provider = &health.providers[0];
    assert!(provider.has_newer_counts);
    assert_eq!(provider.webhooks.events, 0);
    assert_eq!(provider.last_swept_at, Some(hands.clock.now()));
    // The newer node's note is as it was.
    assert_eq!(store.note("webhooks:quiet").await.unwrap(), Some(note));
}

#[tokio::test]
async fn the_store_knows_when_any_node_has_swept() {
    let shop = Shop::open().await;
    let swept_at = async || shop.cashier.health().await.unwrap().providers[0].last_swept_at;
    assert_eq!(swept_at().await, None);
    shop.account.wait(60);
    let first = shop.account.line.now();
    shop.cashier.sweep().await.unwrap();
    assert_eq!(swept_at().await, Some(first));
    // Sweeps in quick succession write it once.
    shop.account.wait(10);
    shop.cashier.sweep().await.unwrap();
    assert_eq!(swept_at().await, Some(first));
    let version = shop
        .store
        .note("sweep:stripe")
        .await
        .unwrap()
        .unwrap()
        .version;
    assert_eq!(version, 1);
    shop.account.wait(60);
    shop.cashier.sweep().await.unwrap();
    assert_eq!(swept_at().await, Some(shop.account.line.now()));
}
