//! What a preflight says of a whole set-up: ready, provisional or blocked.

use std::sync::Arc;

use counterfoil::capability::Operation;
use counterfoil::clock::ManualClock;
use counterfoil::preflight::{CheckKind, Preflight, Readiness, Verdict};

use super::mistakes::{fly, fly_with, set, signed_elsewhere};
use super::shop::{NOW, Shop};

#[tokio::test]
async fn a_right_set_up_is_ready() {
    let report = fly(Shop::new()).await;
    assert_eq!(report.readiness(), Readiness::Ready, "{report}");
    assert!(
        report
            .checks
            .iter()
            .all(|check| check.verdict() == Verdict::Pass)
    );
}

#[tokio::test]
async fn without_a_first_payment_it_is_provisional_and_without_the_rest_it_is_blocked() {
    let mut shop = Shop::new();
    let blind = Preflight::new().with_clock(Arc::new(ManualClock::new(NOW)));
    shop.preflight = blind.with_evidence(shop.evidence.clone());
    let report = fly_with(&shop).await;
    assert_eq!(report.readiness(), Readiness::Blocked);
    for kind in [
        CheckKind::WebhookEndpoint,
        CheckKind::Store,
        CheckKind::Sweep,
        CheckKind::Keys,
    ] {
        assert_eq!(
            report.check(kind).unwrap().verdict(),
            Verdict::Unknown,
            "{report}"
        );
    }

    let mut shop = Shop::new();
    shop.preflight = super::shop::preflight();
    let report = fly(shop).await;
    assert_eq!(report.readiness(), Readiness::Provisional, "{report}");
}

#[tokio::test]
async fn what_is_vouched_for_passes_unless_it_is_seen_to_be_wrong() {
    let mut shop = Shop::new();
    shop.acme.account().can_charge = None;
    set(&mut shop, |p| {
        p.vouching(CheckKind::Account, "activated on 1 November, says Ana")
    });
    let report = fly(shop).await;
    assert_eq!(report.readiness(), Readiness::Ready, "{report}");
    assert!(
        report
            .to_string()
            .contains("vouched for: activated on 1 November")
    );

    let mut shop = Shop::new();
    shop.acme.account().can_charge = Some(false);
    set(&mut shop, |p| p.vouching(CheckKind::Account, "never mind"));
    assert_eq!(fly(shop).await.readiness(), Readiness::Blocked);
}

#[tokio::test]
async fn a_provider_that_alone_can_sign_is_known_by_the_id_of_its_webhook() {
    let mut shop = Shop::new();
    signed_elsewhere(&mut shop);
    let report = fly(shop).await;
    assert_eq!(report.readiness(), Readiness::Ready, "{report}");
}

/// What the host has named need not be seen by listing payments too.
#[tokio::test]
async fn named_installations_do_for_a_provider_that_lists_no_payments() {
    let mut shop = Shop::new();
    shop.acme.capabilities = shop.acme.capabilities.without(Operation::ListPayments);
    let report = fly(shop).await;
    assert_eq!(report.readiness(), Readiness::Ready, "{report}");
}
