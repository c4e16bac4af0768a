//! When the cashier last swept stands in its store.

use std::sync::Arc;
use std::time::Duration;

use counterfoil::Live;
use counterfoil::cashier::{Cashier, MemoryStore};
use counterfoil::clock::ManualClock;
use counterfoil::preflight::{CheckKind, Preflight, Verdict};

use super::shop::{Acme, NOW};

#[tokio::test]
async fn the_store_tells_when_the_cashier_last_swept() {
    let provider = Acme::<Live>::new().provider();
    let clock = Arc::new(ManualClock::new(NOW));
    let store = Arc::new(MemoryStore::new());
    let preflight = Preflight::new()
        .with_clock(clock.clone())
        .with_store(store.clone());
    let sweep = async || {
        let report = preflight.check(&provider).await;
        report.check(CheckKind::Sweep).unwrap().verdict()
    };
    assert_eq!(sweep().await, Verdict::Unknown);

    let cashier = Cashier::open(provider.clone(), store.clone()).await;
    let cashier = cashier.unwrap().with_clock(clock.clone());
    cashier.sweep().await.unwrap();
    assert_eq!(sweep().await, Verdict::Pass);
    clock.advance(Duration::from_secs(11 * 60));
    assert_eq!(sweep().await, Verdict::Fail);
    cashier.sweep().await.unwrap();
    assert_eq!(sweep().await, Verdict::Pass);
}
