//! Stored records: what earlier versions wrote is read.
//!
//! Each folder of `tests/fixtures/stored` holds what one version wrote: the rows of a store after a
//! scripted day at each provider, one JSON object a line, and what was then known of each order.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

mod rows;
mod scripts;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use counterfoil::cashier::{Cashier, MemoryStore, Store};
use counterfoil::id::OrderId;
use counterfoil::{ModeKind, Test};
use serde_json::{Value, json};

use rows::restore;
use scripts::NAMES;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/stored")
}

/// What an order comes to, in words that outlive renamed types.
async fn summary(cashier: &Cashier<Test>, order: &OrderId) -> Value {
    let record = cashier.order(order).await.unwrap();
    let payments = record.payments.iter().map(|entry| {
        let payment = entry.ledger.payment().unwrap();
        json!({
            "id": payment.id.to_string(),
            "captured": payment.captured.to_string(),
            "net": entry.ledger.net().unwrap().to_string(),
            "refunds": entry.ledger.refunds().count(),
            "disputes": entry.ledger.disputes().count(),
        })
    });
    json!({
        "order": order.as_str(),
        "total": record.order.total.to_string(),
        "is_paid": record.paid_at.is_some(),
        "is_closed": record.order.closed_at.is_some(),
        "left_to_pay": record.left_to_pay().unwrap().to_string(),
        "attempts": record.attempts.len(),
        "commands": record.commands.len(),
        "history": record.history.len(),
        "payments": payments.collect::<Vec<_>>(),
    })
}

fn read(path: &Path) -> (Vec<Value>, Vec<Value>) {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.partition(|line: &Value| line.get("expected").is_none())
}

fn versions() -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

#[tokio::test]
async fn rows_of_every_version_are_read_with_the_same_result() {
    for version in versions() {
        for name in NAMES {
            let path = version.join(format!("{name}.jsonl"));
            let (rows, expected) = read(&path);
            assert!(expected.len() >= 4, "{}", path.display());
            let store = Arc::new(MemoryStore::new());
            store.open(ModeKind::Test).await.unwrap();
            restore(&*store, &rows).await;
            let cashier = scripts::open(name, store).await;
            for line in expected {
                let known = &line["expected"];
                let order = OrderId::new(known["order"].as_str().unwrap()).unwrap();
                let now = summary(&cashier, &order).await;
                let mut known = known.clone();
                for payment in known["payments"].as_array_mut().unwrap() {
                    // The first format's reader counted disputed money as refundable.
                    let _ = payment.as_object_mut().unwrap().remove("refundable");
                }
                assert_eq!(now, known, "{} of {}", order, path.display());
            }
            let health = cashier.health().await.unwrap();
            assert!(health.unreadable.is_empty(), "{:?}", health.unreadable);
        }
    }
}

#[tokio::test]
async fn rows_of_every_version_take_in_what_waits() {
    for version in versions() {
        let (rows, _) = read(&version.join("stripe.jsonl"));
        let store = Arc::new(MemoryStore::new());
        store.open(ModeKind::Test).await.unwrap();
        restore(&*store, &rows).await;
        let cashier = scripts::open("stripe", store).await;
        // The webhook of this order was stored before the order was placed.
        let order = OrderId::new("early").unwrap();
        let record = cashier.place(&order, scripts::eur(700)).await.unwrap();
        assert!(record.paid_at.is_some(), "{}", version.display());
        // Every confirmation that was not acknowledged can be leased.
        let waiting = rows.iter().filter(|row| row.get("confirmation").is_some());
        let lease = std::time::Duration::from_secs(60);
        let leased = cashier.confirmations(lease, 1000).await.unwrap();
        // The one order that has just been paid adds its own.
        assert_eq!(leased.len(), waiting.count() + 1, "{}", version.display());
    }
}
