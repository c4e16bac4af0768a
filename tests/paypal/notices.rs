//! What each type of event says.

use counterfoil::clock::Timestamp;
use counterfoil::dispute::DisputeStatus;
use counterfoil::payment::{Payment, PaymentStatus, ReportedAmount};
use counterfoil::refund::RefundStatus;
use counterfoil::webhook::{Event, EventKind, SetAsideReason};
use counterfoil::{ModeKind, Provider, Test};
use serde_json::{Value, json};

use crate::answers::{self, CAPTURE, HOLD, ORDER, REFUND, capture, hold, refund};
use crate::notary::{NAME, Notary, shop, sign};

struct Endpoint(Provider<Test>);

impl Endpoint {
    fn new() -> Self {
        let notary = Notary::new();
        Self(shop(&notary, &notary.certificate(NAME, (2020, 2040))).1)
    }

    async fn told(&self, event_type: &str, resource_type: &str, resource: Value) -> Event<Test> {
        let event = event(event_type, resource_type, resource);
        let delivery = self.0.webhook(&sign(event.to_string().as_bytes())).await;
        delivery.unwrap().events.remove(0)
    }

    async fn payment(
        &self,
        event_type: &str,
        resource_type: &str,
        resource: Value,
    ) -> PaymentStatus {
        let event = self.told(event_type, resource_type, resource).await;
        let payment = event.payment().expect(event_type);
        assert_eq!(payment.id.raw(), ORDER, "{event_type}");
        let reference = payment.reference.as_ref().map(ToString::to_string);
        assert_eq!(reference.as_deref(), Some("shop:A-1:1"), "{event_type}");
        payment.status.clone()
    }
}

fn event(event_type: &str, resource_type: &str, resource: Value) -> Value {
    json!({
        "id": "WH-1", "create_time": "2026-11-16T11:59:00.123Z", "event_type": event_type,
        "resource_type": resource_type, "resource": resource, "new": [1],
        "links": [{"rel": "self", "method": "GET", "href":
            "https://api.sandbox.paypal.com/v1/notifications/webhooks-events/WH-1"}],
    })
}

#[tokio::test]
async fn every_type_about_a_payment_names_it_by_its_order() {
    let endpoint = Endpoint::new();
    let approved = answers::order("CAPTURE", "APPROVED", json!({}));
    let status = endpoint
        .payment("CHECKOUT.ORDER.APPROVED", "checkout-order", approved)
        .await;
    assert_eq!(status, PaymentStatus::Approved);
    let status = endpoint
        .payment(
            "CHECKOUT.ORDER.COMPLETED",
            "checkout-order",
            answers::paid(),
        )
        .await;
    assert_eq!(status, PaymentStatus::Captured);

    for (event_type, its, expected) in [
        (
            "PAYMENT.AUTHORIZATION.CREATED",
            "CREATED",
            PaymentStatus::Authorized,
        ),
        (
            "PAYMENT.AUTHORIZATION.VOIDED",
            "VOIDED",
            PaymentStatus::Canceled,
        ),
    ] {
        let status = endpoint
            .payment(event_type, "authorization", hold(its, "20.00"))
            .await;
        assert_eq!(status, expected);
    }
    for (event_type, its, expected) in [
        ("PAYMENT.CAPTURE.COMPLETED", "COMPLETED", "Captured"),
        ("PAYMENT.CAPTURE.PENDING", "PENDING", "Pending"),
        ("PAYMENT.CAPTURE.DECLINED", "DECLINED", "Failed"),
        ("PAYMENT.CAPTURE.DENIED", "DECLINED", "Failed"),
        ("PAYMENT.CAPTURE.COMPLETED", "OF_TOMORROW", "Unrecognized"),
        // These come with the refund as a rule, and are read by what they came with.
        ("PAYMENT.CAPTURE.REFUNDED", "REFUNDED", "Captured"),
        ("PAYMENT.CAPTURE.REVERSED", "REFUNDED", "Captured"),
    ] {
        let status = endpoint
            .payment(event_type, "capture", capture(CAPTURE, its, "20.00"))
            .await;
        assert!(
            format!("{status:?}").starts_with(expected),
            "{event_type}: {status:?}"
        );
    }
}

#[tokio::test]
async fn a_capture_that_tells_its_order_by_a_link_only_is_named_by_it_too() {
    let endpoint = Endpoint::new();
    let mut resource = capture(CAPTURE, "COMPLETED", "20.00");
    resource["supplementary_data"] = Value::Null;
    let event = endpoint
        .told("PAYMENT.CAPTURE.COMPLETED", "capture", resource)
        .await;
    let payment = event.payment().unwrap();
    assert_eq!(payment.id.raw(), ORDER);
    assert_eq!(payment.aliases[0].raw(), CAPTURE);
    assert_eq!(payment.fee.unwrap().to_string(), "0.88 EUR");
}

/// A capture or an authorization alone does not have what its order says of the whole.
#[tokio::test]
async fn part_of_an_order_erases_neither_what_is_held_nor_what_went_back() {
    let endpoint = Endpoint::new();
    let payments = json!({
        "authorizations": [hold("PARTIALLY_CAPTURED", "20.00")],
        "captures": [capture(CAPTURE, "PARTIALLY_REFUNDED", "12.00")],
        "refunds": [refund(REFUND, CAPTURE, "COMPLETED", "5.00", "")],
    });
    let whole = answers::order("AUTHORIZE", "COMPLETED", payments);
    let whole = endpoint
        .told("CHECKOUT.ORDER.COMPLETED", "checkout-order", whole)
        .await;
    let whole = whole.payment().unwrap().clone();
    let deadline = whole.capture_before;
    let sums = |payment: &Payment<Test>| {
        let all = [payment.captured, payment.refunded, payment.capturable];
        all.map(|money| money.minor())
    };
    assert_eq!(sums(&whole), [1200, 500, 800]);
    assert!(deadline.is_some());
    for (event_type, resource_type, part) in [
        (
            "PAYMENT.CAPTURE.COMPLETED",
            "capture",
            capture(CAPTURE, "COMPLETED", "12.00"),
        ),
        (
            "PAYMENT.AUTHORIZATION.CREATED",
            "authorization",
            hold("PARTIALLY_CAPTURED", "20.00"),
        ),
    ] {
        let told = endpoint.told(event_type, resource_type, part).await;
        let mut part = told.payment().unwrap().clone();
        assert_eq!(part.reported_at(ReportedAmount::Refunded), None);
        assert_eq!(part.reported_at(ReportedAmount::Capturable), None);
        for seconds in [-60, 60] {
            part.as_of = Timestamp::from_unix(whole.as_of.unix() + seconds);
            let one = whole.clone().join(part.clone()).unwrap();
            let other = part.clone().join(whole.clone()).unwrap();
            assert_eq!(sums(&one), [1200, 500, 800], "{event_type} {seconds}");
            assert_eq!(sums(&other), [1200, 500, 800], "{event_type} {seconds}");
            assert_eq!(one.capture_before, deadline);
        }
    }
}

#[tokio::test]
async fn a_refund_names_the_capture_that_it_is_taken_from() {
    let endpoint = Endpoint::new();
    for (event_type, its, expected) in [
        (
            "PAYMENT.CAPTURE.REFUNDED",
            "COMPLETED",
            RefundStatus::Succeeded,
        ),
        ("PAYMENT.REFUND.PENDING", "PENDING", RefundStatus::Pending),
        ("PAYMENT.REFUND.FAILED", "FAILED", RefundStatus::Failed),
        (
            "PAYMENT.REFUND.FAILED",
            "OF_TOMORROW",
            RefundStatus::Unrecognized("OF_TOMORROW".into()),
        ),
    ] {
        let resource = refund(REFUND, CAPTURE, its, "5.00", "cf.goodwill");
        let event = endpoint.told(event_type, "refund", resource).await;
        let EventKind::Refund(refund) = event.kind() else {
            panic!("{:?}", event.kind())
        };
        assert_eq!(refund.status, expected);
        assert_eq!(refund.payment.raw(), CAPTURE);
        assert_eq!(refund.command.as_ref().unwrap().as_str(), "goodwill");
    }
    let reversal = refund(REFUND, CAPTURE, "COMPLETED", "20.00", "");
    let event = endpoint
        .told("PAYMENT.CAPTURE.REVERSED", "refund", reversal)
        .await;
    let payment = event.payment().unwrap();
    assert_eq!(payment.id.raw(), CAPTURE);
    assert!(matches!(payment.status, PaymentStatus::Unrecognized(_)));
}

#[tokio::test]
async fn a_dispute_that_was_lost_in_part_counts_what_was_taken() {
    let endpoint = Endpoint::new();
    let moved = |party: &str, direction: &str, reason: &str, value: &str| {
        json!({"affected_party": party, "type": direction, "reason": reason,
            "amount": answers::amount(value)})
    };
    let settled =
        |direction: &str, value: &str| moved("SELLER", direction, "DISPUTE_SETTLEMENT", value);
    let mut in_dollars = settled("DEBIT", "9.00");
    in_dollars["amount"]["currency_code"] = "USD".into();
    let lost = json!({"outcome_code": "RESOLVED_BUYER_FAVOUR"});
    let mut lost_in_part = lost.clone();
    lost_in_part["amount_refunded"] = answers::amount("7.00");
    let won = json!({"outcome_code": "RESOLVED_SELLER_FAVOUR"});
    for (outcome, movements, counted) in [
        (&lost, json!([]), 2000),
        (&lost_in_part, json!([]), 700),
        (&lost_in_part, json!([settled("DEBIT", "6.00")]), 600),
        (
            &lost,
            json!([
                settled("DEBIT", "20.00"),
                settled("CREDIT", "12.50"),
                moved("SELLER", "DEBIT", "DISPUTE_FEE", "15.00"),
                moved("BUYER", "CREDIT", "DISPUTE_SETTLEMENT", "20.00"),
            ]),
            750,
        ),
        // How much of the disputed euros these are, nobody says.
        (&lost, json!([in_dollars]), 2000),
        (
            &won,
            json!([settled("DEBIT", "20.00"), settled("CREDIT", "20.00")]),
            2000,
        ),
    ] {
        let resource = json!({
            "dispute_id": "PP-D-4012", "status": "RESOLVED", "dispute_outcome": outcome,
            "dispute_amount": answers::amount("20.00"), "money_movements": movements,
            "disputed_transactions": [{"seller_transaction_id": CAPTURE}],
        });
        let told = endpoint.told("CUSTOMER.DISPUTE.RESOLVED", "dispute", resource);
        let event = told.await;
        let EventKind::Dispute(dispute) = event.kind() else {
            panic!("{:?}", event.kind())
        };
        assert_eq!(dispute.amount.minor(), counted, "{outcome} {movements}");
    }
}

#[tokio::test]
async fn a_dispute_is_told_with_its_payment() {
    let endpoint = Endpoint::new();
    for (status, stage, outcome, expected) in [
        ("OPEN", "INQUIRY", None, DisputeStatus::Inquiry),
        (
            "WAITING_FOR_SELLER_RESPONSE",
            "CHARGEBACK",
            None,
            DisputeStatus::NeedsResponse,
        ),
        (
            "UNDER_REVIEW",
            "CHARGEBACK",
            None,
            DisputeStatus::UnderReview,
        ),
        (
            "RESOLVED",
            "CHARGEBACK",
            Some("RESOLVED_SELLER_FAVOUR"),
            DisputeStatus::Won,
        ),
        (
            "RESOLVED",
            "CHARGEBACK",
            Some("RESOLVED_BUYER_FAVOUR"),
            DisputeStatus::Lost,
        ),
        (
            "RESOLVED",
            "INQUIRY",
            Some("CANCELED_BY_BUYER"),
            DisputeStatus::Closed,
        ),
        (
            "RESOLVED",
            "INQUIRY",
            Some("NEW"),
            DisputeStatus::Unrecognized("RESOLVED NEW".into()),
        ),
        (
            "NEW",
            "INQUIRY",
            None,
            DisputeStatus::Unrecognized("NEW".into()),
        ),
    ] {
        let resource = json!({
            "dispute_id": "PP-D-4012", "status": status, "dispute_life_cycle_stage": stage,
            "reason": "MERCHANDISE_OR_SERVICE_NOT_RECEIVED",
            "dispute_amount": answers::amount("20.00"),
            "dispute_outcome": outcome.map(|code| json!({"outcome_code": code})),
            "disputed_transactions": [{"seller_transaction_id": CAPTURE}],
            "seller_response_due_date": "2026-11-26T00:00:00.000Z",
            "create_time": "2026-11-16T11:55:00.000Z",
        });
        let event = endpoint
            .told("CUSTOMER.DISPUTE.UPDATED", "dispute", resource)
            .await;
        let EventKind::Dispute(dispute) = event.kind() else {
            panic!("{:?}", event.kind())
        };
        assert_eq!(
            (&dispute.status, dispute.payment.raw()),
            (&expected, CAPTURE)
        );
        assert!(dispute.respond_by.is_some());
    }
}

#[tokio::test]
async fn what_is_not_about_payments_says_so_and_what_is_new_is_kept() {
    let endpoint = Endpoint::new();
    for event_type in [
        "BILLING.PLAN.CREATED",
        "VAULT.PAYMENT-TOKEN.CREATED",
        "PAYMENT.PAYOUTSBATCH.SUCCESS",
    ] {
        let event = endpoint.told(event_type, "plan", json!({"id": 1})).await;
        assert!(
            matches!(event.kind(), EventKind::NotAboutPayments),
            "{event_type}"
        );
    }
    for event_type in [
        "PAYMENT.SALE.COMPLETED",
        "CHECKOUT.PAYMENT-APPROVAL.REVERSED",
        "MOON.WAXING",
    ] {
        let event = endpoint
            .told(event_type, "sale", json!({"amount": 1}))
            .await;
        assert!(
            matches!(event.kind(), EventKind::Unrecognized),
            "{event_type}"
        );
        assert_eq!(event.type_text(), event_type);
    }
}

#[tokio::test]
async fn a_notice_that_links_to_the_live_host_is_set_aside() {
    let endpoint = Endpoint::new();
    let resource = capture(CAPTURE, "COMPLETED", "20.00").to_string();
    let live: Value = serde_json::from_str(&resource.replace(".sandbox", "")).unwrap();
    let outer = event("PAYMENT.CAPTURE.COMPLETED", "capture", json!({}));
    let outer = outer.to_string().replace(".sandbox", "");
    let inner = event("PAYMENT.CAPTURE.COMPLETED", "capture", live).to_string();
    for body in [outer, inner] {
        let delivery = endpoint.0.webhook(&sign(body.as_bytes())).await.unwrap();
        assert!(delivery.events.is_empty());
        let reason = SetAsideReason::WrongMode {
            found: ModeKind::Live,
        };
        assert_eq!(delivery.set_aside[0].reason, reason);
    }
}

#[tokio::test]
async fn a_hold_is_known_by_its_own_name_too() {
    let endpoint = Endpoint::new();
    let event = endpoint
        .told(
            "PAYMENT.AUTHORIZATION.CREATED",
            "authorization",
            hold("CREATED", "20.00"),
        )
        .await;
    let payment = event.payment().unwrap();
    assert!(payment.ids().any(|id| id.raw() == HOLD));
    assert_eq!(payment.capturable.minor(), 2000);
    assert!(payment.capture_before.is_some());
}
