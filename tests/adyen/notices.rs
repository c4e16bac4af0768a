//! What each notice says, and what they add up to.

use counterfoil::Test;
use counterfoil::capture::CaptureStatus;
use counterfoil::dispute::DisputeStatus;
use counterfoil::error::DeclineReason;
use counterfoil::ledger::Ledger;
use counterfoil::money::Money;
use counterfoil::payment::PaymentStatus;
use counterfoil::payout::PayoutStatus;
use counterfoil::refund::RefundStatus;
use counterfoil::warning::WarningKind;
use counterfoil::webhook::{Event, EventKind, SetAsideReason};
use serde_json::{Value, json};

use crate::shop::{CHANGE, PAYMENT, Shop, change, command, envelope, notice, reference};

fn held(mut notice: Value) -> Value {
    notice["merchantReference"] = "shop:A-1:1:held".into();
    notice
}

fn eur(minor: i64) -> Money {
    Money::new(minor, counterfoil::money::Currency::EUR)
}

async fn fold(shop: &Shop, notices: &[Value]) -> Ledger<Test> {
    let mut ledger = Ledger::new();
    for notice in notices {
        ledger.apply(&shop.event(notice.clone()).await).unwrap();
    }
    ledger
}

fn status(event: &Event<Test>) -> PaymentStatus {
    event.payment().unwrap().status.clone()
}

#[tokio::test]
async fn an_authorisation_is_money_only_where_adyen_captures_by_itself() {
    let shop = Shop::open();
    let event = shop.event(notice("AUTHORISATION", true, 2000)).await;
    let payment = event.payment().unwrap();
    assert_eq!(payment.id.raw(), PAYMENT);
    assert_eq!(payment.reference, Some(reference("A-1")));
    assert_eq!(
        (&payment.status, payment.captured),
        (&PaymentStatus::Captured, eur(2000))
    );
    assert_eq!(payment.as_of.to_string(), "2026-11-16T12:00:00Z");

    for reference in ["shop:A-1:1:held", "an order made by hand", ""] {
        let mut item = notice("AUTHORISATION", true, 2000);
        item["merchantReference"] = reference.into();
        let event = shop.event(item).await;
        let payment = event.payment().unwrap();
        assert_eq!(payment.status, PaymentStatus::Authorized, "{reference}");
        assert_eq!((payment.captured, payment.capturable), (eur(0), eur(2000)));
    }
    // A card was verified.
    let event = shop.event(notice("AUTHORISATION", true, 0)).await;
    assert!(matches!(event.kind(), EventKind::NotAboutPayments));
}

#[tokio::test]
async fn a_refusal_has_its_reason_and_leaves_a_link_open() {
    let shop = Shop::open();
    for (text, reason) in [
        ("Not enough balance", DeclineReason::InsufficientFunds),
        ("FRAUD", DeclineReason::Fraud),
        ("Acquirer Error", DeclineReason::TryLater),
        ("A reason of tomorrow", DeclineReason::Generic),
    ] {
        let mut item = notice("AUTHORISATION", false, 2000);
        item["reason"] = text.into();
        let event = shop.event(item.clone()).await;
        let payment = event.payment().unwrap();
        assert!(matches!(&payment.status, PaymentStatus::Failed(d) if d.reason == reason));
        assert_eq!((payment.id.raw(), payment.is_checkout), (PAYMENT, false));

        item["additionalData"]["paymentLinkId"] = "PL61C53A8B97E6915A".into();
        let event = shop.event(item).await;
        let payment = event.payment().unwrap();
        assert_eq!(
            (payment.id.raw(), payment.is_checkout),
            ("PL61C53A8B97E6915A", true)
        );
    }
}

#[tokio::test]
async fn every_order_of_arrival_ends_in_the_same_ledger() {
    let shop = Shop::open();
    let mut refund = change("REFUND", true, 500);
    refund["pspReference"] = "REFUND0000000001".into();
    let notices = [
        held(notice("AUTHORISATION", true, 2000)),
        held(change("CAPTURE", true, 1500)),
        refund,
    ];
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let twice = order.iter().chain(&order);
        let notices: Vec<_> = twice.map(|&place| notices[place].clone()).collect();
        let ledger = fold(&shop, &notices).await;
        let payment = ledger.payment().unwrap();
        assert_eq!(payment.status, PaymentStatus::Captured, "{order:?}");
        assert_eq!((payment.captured, payment.capturable), (eur(1500), eur(0)));
        assert_eq!(payment.amount, eur(2000));
        assert_eq!(ledger.net().unwrap(), eur(1000));
    }
}

#[tokio::test]
async fn failures_after_success_take_the_money_back() {
    let shop = Shop::open();
    let authorised = notice("AUTHORISATION", true, 2000);
    let later = |mut notice: Value, at: &str| {
        notice["eventDate"] = at.into();
        notice
    };
    let failed = later(change("CAPTURE_FAILED", true, 2000), "2026-11-18T12:00:00Z");
    let ledger = fold(&shop, &[authorised.clone(), failed.clone()]).await;
    assert_eq!(ledger.payment().unwrap().status, PaymentStatus::Authorized);
    assert_eq!(ledger.net().unwrap(), eur(0));

    for code in ["REFUND_FAILED", "REFUNDED_REVERSED"] {
        let notices = [
            authorised.clone(),
            later(change(code, true, 700), "2026-11-18T12:00:00Z"),
            change("REFUND", true, 700),
        ];
        let ledger = fold(&shop, &notices).await;
        assert_eq!(ledger.refundable().unwrap(), eur(2000), "{code}");
    }
}

#[tokio::test]
async fn what_adyen_refuses_changes_nothing() {
    let shop = Shop::open();
    let authorised = held(notice("AUTHORISATION", true, 2000));
    for code in [
        "CAPTURE",
        "CANCELLATION",
        "TECHNICAL_CANCEL",
        "CANCEL_OR_REFUND",
        "REFUND",
        "AUTHORISATION_ADJUSTMENT",
    ] {
        let refused = held(change(code, false, 500));
        for notices in [
            [authorised.clone(), refused.clone()],
            [refused, authorised.clone()],
        ] {
            let ledger = fold(&shop, &notices).await;
            let payment = ledger.payment().unwrap();
            assert_eq!(payment.status, PaymentStatus::Authorized, "{code}");
            assert_eq!(
                (payment.amount, payment.capturable),
                (eur(2000), eur(2000)),
                "{code}"
            );
            assert_eq!(ledger.refunded().unwrap(), eur(0));
        }
    }
}

#[tokio::test]
async fn holds_end_and_change() {
    let shop = Shop::open();
    let authorised = held(notice("AUTHORISATION", true, 2000));
    let after = async |last: Value| {
        let ledger = fold(&shop, &[authorised.clone(), last]).await;
        let payment = ledger.payment().unwrap();
        (payment.status.clone(), payment.capturable)
    };
    let none = eur(0);
    assert_eq!(
        after(held(change("CANCELLATION", true, 2000))).await,
        (PaymentStatus::Canceled, none)
    );
    assert_eq!(
        after(held(change("TECHNICAL_CANCEL", true, 2000))).await,
        (PaymentStatus::Canceled, none)
    );
    assert_eq!(
        after(held(notice("EXPIRE", true, 2000))).await,
        (PaymentStatus::Expired, none)
    );
    let mut more = held(change("AUTHORISATION_ADJUSTMENT", true, 3000));
    more["eventDate"] = "2026-11-17T12:00:00Z".into();
    assert_eq!(after(more).await, (PaymentStatus::Authorized, eur(3000)));

    let mut reversed = held(change("CANCEL_OR_REFUND", true, 2000));
    assert!(matches!(
        shop.event(reversed.clone()).await.kind(),
        EventKind::Unclear(_)
    ));
    reversed["additionalData"]["modification.action"] = "cancel".into();
    assert_eq!(
        status(&shop.event(reversed.clone()).await),
        PaymentStatus::Canceled
    );
    reversed["additionalData"]["modification.action"] = "refund".into();
    let event = shop.event(reversed).await;
    assert!(matches!(event.kind(), EventKind::Refund(r) if r.status == RefundStatus::Succeeded));
}

#[tokio::test]
async fn a_change_keeps_its_own_id_and_its_payments() {
    let shop = Shop::open();
    let event = shop.event(change("CAPTURE", true, 1500)).await;
    let EventKind::Capture(capture) = event.kind() else {
        panic!("{event:?}");
    };
    assert_eq!((capture.id.raw(), capture.payment.raw()), (CHANGE, PAYMENT));
    assert_eq!(
        (capture.status.clone(), capture.amount),
        (CaptureStatus::Succeeded, eur(1500))
    );
    assert_eq!(event.reference(), Some(&reference("A-1")));

    // It may carry the reference of the change instead.
    let mut refund = change("REFUND", true, 500);
    refund["merchantReference"] = "command/goodwill".into();
    let event = shop.event(refund).await;
    let EventKind::Refund(refund) = event.kind() else {
        panic!("{event:?}");
    };
    assert_eq!(refund.command, Some(command("goodwill")));
    assert_eq!(event.reference(), None);
}

#[tokio::test]
async fn disputes_go_on_beside_the_payment() {
    use DisputeStatus as Status;
    let shop = Shop::open();
    for (code, expected) in [
        ("REQUEST_FOR_INFORMATION", Status::Inquiry),
        ("NOTIFICATION_OF_CHARGEBACK", Status::NeedsResponse),
        ("CHARGEBACK", Status::NeedsResponse),
        ("INFORMATION_SUPPLIED", Status::UnderReview),
        ("DISPUTE_DEFENSE_PERIOD_ENDED", Status::Lost),
        ("ISSUER_RESPONSE_TIMEFRAME_EXPIRED", Status::Won),
        ("CHARGEBACK_REVERSED", Status::Won),
        ("PREARBITRATION_WON", Status::Won),
        ("SCHEME_ARBITRATION_WON", Status::Won),
        ("SECOND_CHARGEBACK", Status::Lost),
        ("PREARBITRATION_LOST", Status::Lost),
        ("SCHEME_ARBITRATION_LOST", Status::Lost),
    ] {
        let mut item = change(code, true, 2000);
        item["additionalData"]["chargebackReasonCode"] = " 4853".into();
        // It is not signed, so that whoever has seen the notice could write it.
        item["additionalData"]["disputeStatus"] = "Won".into();
        item["additionalData"]["defensePeriodEndsAt"] = "2026-12-16T12:00:00+01:00".into();
        let event = shop.event(item).await;
        let EventKind::Dispute(dispute) = event.kind() else {
            panic!("{code}: {event:?}");
        };
        assert_eq!(
            (&dispute.status, dispute.amount),
            (&expected, eur(2000)),
            "{code}"
        );
        assert_eq!((dispute.id.raw(), dispute.payment.raw()), (CHANGE, PAYMENT));
        assert_eq!(dispute.reason.as_deref(), Some("4853"));
        assert!(dispute.respond_by.is_some());
    }
    // The issuer's report of fraud is no dispute yet.
    let mut item = change("NOTIFICATION_OF_FRAUD", true, 2000);
    item["additionalData"]["nofReasonCode"] = " 6".into();
    let event = shop.event(item).await;
    let EventKind::Warning(warning) = event.kind() else {
        panic!("{event:?}");
    };
    assert_eq!((&*warning.id, warning.payment.raw()), (CHANGE, PAYMENT));
    assert_eq!(warning.kind, WarningKind::Fraud);
    assert_eq!(
        (warning.is_open, warning.reason.as_deref()),
        (true, Some("6"))
    );
    // Without its payment it is kept, and not bent into one.
    let mut item = notice("CHARGEBACK_REVERSED", true, 2000);
    let event = shop.event(item.clone()).await;
    assert!(matches!(event.kind(), EventKind::Unclear(_)));
    item["merchantReference"] = "of nobody".into();
    let event = shop.event(item).await;
    assert!(matches!(event.kind(), EventKind::Unrecognized));

    let lost = [
        notice("AUTHORISATION", true, 2000),
        change("CHARGEBACK", true, 2000),
    ];
    assert_eq!(fold(&shop, &lost).await.net().unwrap(), eur(0));
}

/// Adyen tells of a chargeback that the funds were deducted, and of a request for information that
/// nothing was: what is said of both takes no money by itself.
#[tokio::test]
async fn a_question_that_was_answered_or_let_lie_takes_no_money() {
    use DisputeStatus as Status;
    let shop = Shop::open();
    let (asked, debited) = ("REQUEST_FOR_INFORMATION", "CHARGEBACK");
    let opened = "NOTIFICATION_OF_CHARGEBACK";
    let (answered, undefended) = ("INFORMATION_SUPPLIED", "DISPUTE_DEFENSE_PERIOD_ENDED");
    let let_lie = "ISSUER_RESPONSE_TIMEFRAME_EXPIRED";
    for (codes, expected, net) in [
        (vec![asked], Status::Inquiry, 2000),
        (vec![asked, answered], Status::Inquiry, 2000),
        (vec![asked, undefended], Status::Closed, 2000),
        (vec![asked, answered, let_lie], Status::Closed, 2000),
        (vec![asked, answered, debited], Status::NeedsResponse, 0),
        (vec![asked, debited, undefended], Status::Lost, 0),
        (vec![opened, answered], Status::UnderReview, 0),
        (vec![opened, undefended], Status::Lost, 0),
        (vec![debited, answered, let_lie], Status::Won, 2000),
        // Whether anything was taken, nobody has said yet.
        (vec![undefended], Status::Lost, 0),
    ] {
        let mut notices = vec![notice("AUTHORISATION", true, 2000)];
        for (day, code) in codes.iter().enumerate() {
            let mut item = change(code, true, 2000);
            item["eventDate"] = format!("2026-11-{}T12:00:00Z", 17 + day).into();
            notices.push(item);
        }
        for _ in 0..notices.len() {
            notices.rotate_left(1);
            let ledger = fold(&shop, &notices).await;
            let dispute = ledger.disputes().next().unwrap();
            assert_eq!(dispute.status, expected, "{codes:?}");
            assert_eq!(ledger.net().unwrap(), eur(net), "{codes:?}");
            // What is stored in between forgets nothing.
            let stored = serde_json::to_string(&ledger).unwrap();
            let read: Ledger<Test> = serde_json::from_str(&stored).unwrap();
            assert_eq!(read.net().unwrap(), eur(net), "{codes:?}");
        }
    }
}

#[tokio::test]
async fn other_notices_say_that_they_are() {
    let shop = Shop::open();
    for code in [
        "REPORT_AVAILABLE",
        "RECURRING_CONTRACT",
        "MANUAL_REVIEW_ACCEPT",
    ] {
        let event = shop.event(notice(code, true, 0)).await;
        assert!(
            matches!(event.kind(), EventKind::NotAboutPayments),
            "{code}"
        );
    }
    for code in ["ORDER_CLOSED", "VOID_PENDING_REFUND", "MOON_WAXING"] {
        let event = shop.event(notice(code, true, 100)).await;
        assert!(matches!(event.kind(), EventKind::Unrecognized), "{code}");
        assert_eq!(event.type_text(), code);
    }
    let mut item = notice("AUTHORISATION", true, 2000);
    item["success"] = "perhaps".into();
    let unknown = shop.event(item.clone()).await;
    assert!(matches!(status(&unknown), PaymentStatus::Unrecognized(_)));
    item["success"] = json!(true);
    assert_eq!(status(&shop.event(item).await), PaymentStatus::Captured);
}

#[tokio::test]
async fn a_change_of_another_installation_is_set_aside() {
    let shop = Shop::open();
    for mut item in [
        notice("AUTHORISATION", true, 100),
        change("REFUND", true, 100),
    ] {
        item["merchantReference"] = "staging:A-1:1".into();
        let delivery = shop.receive(&envelope([item])).await.unwrap();
        assert!(delivery.events.is_empty());
        assert_eq!(
            delivery.set_aside[0].reason,
            SetAsideReason::OtherInstallation
        );
    }
}

#[tokio::test]
async fn payouts_tell_how_they_ended() {
    let shop = Shop::open();
    let back = change("PAIDOUT_REVERSED", true, 700);
    for (item, expected, raw, reason) in [
        (
            notice("PAYOUT_THIRDPARTY", true, 700),
            PayoutStatus::Paid,
            PAYMENT,
            None,
        ),
        (
            notice("PAYOUT_THIRDPARTY", false, 700),
            PayoutStatus::Failed,
            PAYMENT,
            Some("PAYOUT_THIRDPARTY"),
        ),
        (
            notice("PAYOUT_DECLINE", true, 700),
            PayoutStatus::Canceled,
            PAYMENT,
            Some("PAYOUT_DECLINE"),
        ),
        (
            notice("PAYOUT_EXPIRE", true, 700),
            PayoutStatus::Canceled,
            PAYMENT,
            Some("PAYOUT_EXPIRE"),
        ),
        (
            back,
            PayoutStatus::Failed,
            PAYMENT,
            Some("PAIDOUT_REVERSED"),
        ),
    ] {
        let event = shop.event(item).await;
        let EventKind::Payout(payout) = event.kind() else {
            panic!("{event:?}");
        };
        assert_eq!((&payout.status, payout.id.raw()), (&expected, raw));
        assert_eq!(payout.amount, eur(700));
        assert_eq!(payout.failure_reason.as_deref(), reason);
    }
}
