//! A provider's answer is compared with what was asked, and a key with what it was sent for.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod flow;

use counterfoil::dispute::{Dispute, DisputeStatus};
use counterfoil::id::{PaymentId, RefundId};
use counterfoil::money::{Currency, Money};
use counterfoil::payment::{Payment, PaymentStatus};
use counterfoil::refund::{Refund, RefundStatus};
use counterfoil::request::CompleteRequest;
use counterfoil::webhook::{EventKind, MAX_BODY_BYTES, WebhookRefusalKind, WebhookRequest};
use counterfoil::{Effect, ErrorKind, Test};

use flow::quiet::{About, Quiet, all_but, dispute_id, notice};
use flow::{DAY, START, eur, kind_of, page};

/// What the provider says of a write otherwise than it is.
type Lie = fn(&mut Payment<Test>);

#[tokio::test]
async fn a_creation_whose_answer_names_another_reference_is_not_believed() {
    let lies: [Lie; 2] = [
        |payment| payment.reference = None,
        |payment| payment.amount = Money::new(999, Currency::EUR),
    ];
    for lie in lies {
        let (provider, hands) = Quiet::open(all_but(&[]));
        hands.books().lie = Some(lie);
        let error = provider.create(&page("A", 1000)).await.unwrap_err();
        assert_eq!(error.effect(), Effect::Applied);
        // The money may be taken: by which payment is known.
        assert!(error.payment::<Test>().is_some());
        assert_eq!(kind_of(error), ErrorKind::UnexpectedResponse);
    }
}

#[tokio::test]
async fn a_completion_that_took_more_or_less_or_another_currency_is_not_believed() {
    let lies: [(bool, Lie); 5] = [
        (true, |_| {}),
        // It may be taken later than it is answered.
        (true, |payment| {
            payment.status = PaymentStatus::Pending;
            payment.captured = Money::zero(Currency::EUR);
        }),
        (false, |payment| {
            payment.captured = Money::new(1001, Currency::EUR)
        }),
        (false, |payment| {
            payment.captured = Money::new(999, Currency::EUR)
        }),
        (false, |payment| {
            payment.captured = Money::new(1000, Currency::USD)
        }),
    ];
    for (is_believed, lie) in lies {
        let (provider, hands) = Quiet::open(all_but(&[]));
        let id = provider.create(&page("A", 1000)).await.unwrap().id;
        hands.books().lie = Some(lie);
        let request = CompleteRequest::new(id, eur(1000));
        let completed = provider.complete(&request).await;
        assert_eq!(completed.is_ok(), is_believed, "{completed:?}");
        if let Err(error) = completed {
            assert_eq!(error.effect(), Effect::Applied);
            assert_eq!(kind_of(error), ErrorKind::UnexpectedResponse);
        }
    }
}

#[tokio::test]
async fn a_refund_is_fetched_by_its_own_id() {
    let (provider, hands) = Quiet::open(all_but(&[]));
    let id = RefundId::<Test>::new(provider.name().clone(), "r1").unwrap();
    let of = PaymentId::new(provider.name().clone(), "p1").unwrap();
    let now = counterfoil::clock::Timestamp::from_unix(START);
    let refund = Refund::new(id.clone(), of, RefundStatus::Pending, eur(1).money(), now);
    hands.books().refunds.push(refund);
    assert_eq!(provider.fetch_refund(&id).await.unwrap().id, id);
}

#[tokio::test]
async fn the_largest_body_is_looked_at_and_a_larger_one_is_not() {
    let (provider, _) = Quiet::open(all_but(&[]));
    for (bytes, kind) in [
        (MAX_BODY_BYTES, WebhookRefusalKind::WrongSignature),
        (MAX_BODY_BYTES + 1, WebhookRefusalKind::TooLarge),
    ] {
        let request = WebhookRequest::new(http::HeaderMap::new(), vec![b' '; bytes]);
        let refusal = provider.webhook(&request).await.unwrap_err();
        assert_eq!(refusal.kind(), kind);
    }
}

/// A notice whose signature leaves the body out is about a dispute, and several are listed.
#[tokio::test]
async fn a_dispute_is_proven_by_the_one_that_is_listed_under_its_name() {
    let (provider, hands) = Quiet::open(all_but(&[]));
    let now = counterfoil::clock::Timestamp::from_unix(START);
    let of = PaymentId::<Test>::new(provider.name().clone(), "p1").unwrap();
    let dispute = |raw: &str, status| {
        Dispute::new(dispute_id(raw), of.clone(), status, eur(100).money(), now)
    };
    hands.books().disputes = vec![
        dispute("d1", DisputeStatus::Won),
        dispute("d2", DisputeStatus::NeedsResponse),
    ];
    let claimed = About::Dispute(Box::new(dispute("d2", DisputeStatus::Lost)));
    let delivery = provider.webhook(&notice("e1", "header", &claimed)).await;
    let event = delivery.unwrap().events.remove(0);
    let proven = provider.prove(event).await.unwrap();
    let EventKind::Dispute(found) = proven.kind() else {
        unreachable!("{proven:?}");
    };
    assert_eq!(found.id, dispute_id("d2"));
    assert_eq!(found.status, DisputeStatus::NeedsResponse);
    let a_day_before = counterfoil::clock::Timestamp::from_unix(START - DAY.cast_signed());
    assert_eq!(hands.books().listed_from, Some(a_day_before));
}
