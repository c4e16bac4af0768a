//! What must hold when an order is erased and when old records are purged.

use super::super::store::{Batch, Commit, OrderRow, Purged, Store};
use super::{added, at, confirmation_of, event, id, order};
use crate::mode::ModeKind;

pub(super) async fn erases_an_order_whole(store: &impl Store) {
    store.open(ModeKind::Test).await.unwrap();
    let batch = Batch {
        links: vec!["p:test:1".into()],
        new_events: vec![event("e1", Some("A")), event("e2", None)],
        confirmations: vec![confirmation_of("A", "c1", "paid")],
        order: Some(order("A", 1)),
        ..Batch::new(ModeKind::Test)
    };
    store.commit(batch.clone()).await.unwrap();
    assert!(!erase(store, 1).await, "an event of it waits");
    let finishing = Batch {
        order: Some(order("A", 2)),
        finished_events: vec![
            ("e1".into(), "applied".into()),
            ("e2".into(), "applied".into()),
        ],
        ..Batch::new(ModeKind::Test)
    };
    store.commit(finishing).await.unwrap();
    assert!(!erase(store, 2).await, "a confirmation of it waits");
    let leased = store.lease_confirmations(at(1), at(2), 9).await.unwrap();
    store.acknowledge("c1", leased[0].lease).await.unwrap();
    assert!(!erase(store, 1).await, "it has another version by now");
    assert!(!store.erase_order(&id("B"), 1).await.unwrap());
    assert!(erase(store, 2).await);

    assert_eq!(store.order(&id("A")).await.unwrap(), None);
    assert_eq!(store.order_of_payment("p:test:1").await.unwrap(), None);
    let gone = store.acknowledge("c1", leased[0].lease).await.unwrap_err();
    assert_eq!(gone.kind(), &crate::ErrorKind::NotFound);
    assert!(!erase(store, 2).await, "it is gone");
    let again = Batch {
        new_events: batch.new_events,
        ..Batch::new(ModeKind::Test)
    };
    let new = added(store.commit(again).await);
    assert!(new.is_empty(), "its events must still be known");
    let stale = Batch {
        order: Some(order("A", 3)),
        ..Batch::new(ModeKind::Test)
    };
    assert_eq!(store.commit(stale).await.unwrap(), Commit::Stale);
}

pub(super) async fn purges_only_what_is_old_and_quiet(store: &impl Store) {
    store.open(ModeKind::Test).await.unwrap();
    let changed_at = |name: &str, seconds| OrderRow {
        changed_at: at(seconds),
        ..order(name, 1)
    };
    let kept = [
        OrderRow {
            due_at: Some(at(1)),
            ..changed_at("due", 1)
        },
        OrderRow {
            attention_since: Some(at(1)),
            ..changed_at("attention", 1)
        },
        OrderRow {
            open_since: Some(at(1)),
            ..changed_at("open", 1)
        },
        changed_at("young", 5),
        changed_at("told", 1),
        changed_at("awaited", 1),
    ];
    let gone = [changed_at("old 1", 1), changed_at("old 2", 4)];
    for row in kept.iter().chain(&gone) {
        let batch = Batch {
            order: Some(row.clone()),
            ..Batch::new(ModeKind::Test)
        };
        store.commit(batch).await.unwrap();
    }
    let received_at = |name: &str, order, seconds| super::EventRow {
        received_at: at(seconds),
        ..event(name, order)
    };
    let batch = Batch {
        new_events: vec![
            received_at("waits", Some("awaited"), 1),
            received_at("old", Some("old 1"), 1),
            received_at("young", None, 5),
        ],
        finished_events: vec![
            ("old".into(), "applied".into()),
            ("young".into(), "applied".into()),
        ],
        confirmations: vec![confirmation_of("told", "c1", "paid")],
        ..Batch::new(ModeKind::Test)
    };
    store.commit(batch).await.unwrap();

    let first = store.purge(at(5), 1).await.unwrap();
    assert_eq!(first, purged(1, 1));
    assert_eq!(store.purge(at(5), 9).await.unwrap(), purged(1, 0));
    assert_eq!(store.purge(at(5), 9).await.unwrap(), purged(0, 0));
    for row in &kept {
        assert!(store.order(&row.id).await.unwrap().is_some(), "{}", row.id);
    }
    for row in &gone {
        assert!(store.order(&row.id).await.unwrap().is_none(), "{}", row.id);
    }
    let waiting = store.events_waiting_for(&id("awaited")).await.unwrap();
    assert_eq!(waiting.len(), 1);
}

async fn erase(store: &impl Store, version: u64) -> bool {
    store.erase_order(&id("A"), version).await.unwrap()
}

fn purged(orders: usize, events: usize) -> Purged {
    Purged { orders, events }
}
