//! When the cashier last swept stands in its store.

use std::sync::Arc;
use std::time::Duration;

use counterfoil::Live;
use counterfoil::cashier::{Cashier, MemoryStore};
use counterfoil::clock::{Clock, ManualClock};
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
    // What the store says counts, whatever the host says.
    let said = preflight.clone().with_last_sweep(clock.now());
    let report = said.check(&provider).await;
    let said = report.check(CheckKind::Sweep).unwrap();
    assert_eq!(said.verdict(), Verdict::Fail, "{report}");
    cashier.sweep().await.unwrap();
    assert_eq!(sweep().await, Verdict::Pass);
}
