//! Notices that must not be read as more than Adyen has signed.

use counterfoil::Test;
use counterfoil::dispute::DisputeStatus;
use counterfoil::ledger::Ledger;
use counterfoil::money::{Currency, Money};
use counterfoil::payment::PaymentStatus;
use counterfoil::webhook::{Event, EventKind};
use serde_json::{Value, json};

use crate::shop::{Shop, change, notice};

fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

async fn fold(shop: &Shop, notices: &[Value]) -> Ledger<Test> {
    let mut ledger = Ledger::new();
    for notice in notices {
        ledger.apply(&shop.event(notice.clone()).await).unwrap();
    }
    ledger
}

fn dispute(event: &Event<Test>) -> DisputeStatus {
    let EventKind::Dispute(dispute) = event.kind() else {
        panic!("{event:?}");
    };
    dispute.status.clone()
}

#[tokio::test]
async fn a_postponed_refund_of_an_unknown_outcome_has_not_failed() {
    let shop = Shop::open();
    for outcome in [json!("perhaps"), json!(""), json!("True"), Value::Null] {
        let mut item = change("POSTPONED_REFUND", true, 500);
        item["success"] = outcome.clone();
        let event = shop.event(item).await;
        assert!(
            matches!(
                event.payment().map(|p| &p.status),
                Some(PaymentStatus::Unrecognized(_))
            ),
            "{outcome}: {event:?}"
        );
    }
}

#[tokio::test]
async fn a_dispute_is_won_or_lost_only_if_adyen_says_so() {
    let shop = Shop::open();
    let disputed = [
        notice("AUTHORISATION", true, 2000),
        change("CHARGEBACK", true, 2000),
    ];
    for code in [
        "CHARGEBACK_REVERSED",
        "PREARBITRATION_WON",
        "SCHEME_ARBITRATION_WON",
        "SECOND_CHARGEBACK",
        "NOTIFICATION_OF_CHARGEBACK",
    ] {
        for outcome in [json!("false"), json!(false), json!("perhaps"), Value::Null] {
            let mut item = change(code, true, 2000);
            item["success"] = outcome.clone();
            item["eventDate"] = "2026-11-20T12:00:00Z".into();
            let status = dispute(&shop.event(item.clone()).await);
            assert!(
                matches!(status, DisputeStatus::Unrecognized(_)),
                "{code} {outcome}: {status:?}"
            );
            let ledger = fold(&shop, &[disputed.to_vec(), vec![item]].concat()).await;
            assert_eq!(ledger.net().unwrap(), eur(0), "{code} {outcome}");
        }
    }
}

#[tokio::test]
async fn a_capture_that_failed_is_not_made_good_by_what_is_not_signed() {
    let shop = Shop::open();
    let mut authorised = notice("AUTHORISATION", true, 2000);
    authorised["merchantReference"] = "shop:A-1:1:held".into();
    let captured = change("CAPTURE", true, 2000);
    let mut failed = change("CAPTURE_FAILED", true, 2000);
    failed["eventDate"] = "2026-11-18T12:00:00Z".into();
    // Whoever has seen the first notice can write this into it: its signature still fits.
    let mut again = captured.clone();
    again["reason"] = "Transaction Auto-recaptured".into();
    again["eventDate"] = "2026-11-20T12:00:00Z".into();

    let event = shop.event(again.clone()).await;
    assert!(matches!(event.kind(), EventKind::Unclear(_)), "{event:?}");
    let first = shop.event(captured.clone()).await;
    assert_ne!(event.id(), first.id(), "it keeps nothing out");
    let ledger = fold(&shop, &[authorised, captured, failed, again]).await;
    assert_eq!(ledger.net().unwrap(), eur(0));
}

#[tokio::test]
async fn what_was_to_be_captured_by_itself_and_was_canceled_is_not_kept_as_money() {
    let shop = Shop::open();
    let authorised = notice("AUTHORISATION", true, 2000);
    for code in ["CANCELLATION", "TECHNICAL_CANCEL"] {
        let canceled = change(code, true, 2000);
        for notices in [
            [authorised.clone(), canceled.clone()],
            [canceled.clone(), authorised.clone()],
        ] {
            let ledger = fold(&shop, &notices).await;
            assert_eq!(ledger.net().unwrap(), eur(0), "{code}");
        }
    }
}
