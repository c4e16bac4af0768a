//! Payouts explained by what the cashier knows, over Stripe's simulator.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod flow;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use counterfoil::cashier::{Cashier, LineFinding, ReconciledLine, ReconciledPayout};
use counterfoil::http::{Transport, TransportError};
use counterfoil::id::Namespace;
use counterfoil::payout::{Payout, PayoutLineKind, PayoutLineSource, PayoutStatus};
use counterfoil::providers::stripe::{Stripe, StripeConfig};
use counterfoil::request::Period;
use counterfoil::simulator::stripe::StripeSimulator;
use counterfoil::simulator::{Answer, SimulatedProvider, SimulatorTransport};
use counterfoil::{ErrorKind, Test};
use futures_util::TryStreamExt;
use http::StatusCode;
use serde_json::Value;

use flow::{DAY, Shop, capture, eur, kind_of, order, page, refund};

async fn paid(shop: &Shop, name: &str, minor: i64) -> counterfoil::id::PaymentId<Test> {
    let id = shop.checked_out(name, minor).await;
    let paid = shop.account.lock().shopper().pay(id.raw(), "pm_card_visa");
    paid.unwrap();
    shop.deliver().await;
    shop.payment_of(name).await
}

/// Explains every payout of the next ten days.
async fn paid_out(shop: &Shop) -> Vec<ReconciledPayout<Test>> {
    shop.account.wait(10 * DAY);
    explained(shop).await
}

async fn explained(shop: &Shop) -> Vec<ReconciledPayout<Test>> {
    let mut all = Vec::new();
    for payout in payouts(shop).await {
        all.push(shop.cashier.reconcile_payout(&payout).await.unwrap());
    }
    assert!(!all.is_empty());
    all
}

async fn payouts(shop: &Shop) -> Vec<Payout<Test>> {
    let provider = shop.account.provider("stripe");
    let listed = provider.list_payouts(Period::default()).try_collect();
    listed.await.unwrap()
}

fn lines(payouts: &[ReconciledPayout<Test>]) -> Vec<&ReconciledLine<Test>> {
    payouts.iter().flat_map(|payout| &payout.lines).collect()
}

#[tokio::test]
async fn every_line_leads_to_its_order() {
    let shop = Shop::open().await;
    let first = paid(&shop, "A", 10_000).await;
    paid(&shop, "B", 5_000).await;
    shop.cashier
        .refund(&refund(&first, 4_000, "r"))
        .await
        .unwrap();
    let by_hand = shop
        .account
        .lock()
        .dashboard()
        .refund(first.raw(), Some(1_000));
    let by_hand = by_hand.unwrap();
    let first_look = paid_out(&shop).await;
    // The refund that was made by hand was not heard of yet.
    assert!(!first_look.iter().all(ReconciledPayout::is_explained));
    let is_by_hand = |line: &&&ReconciledLine<Test>| matches!(&line.line.source, PayoutLineSource::Refund(id, _) if id.raw() == by_hand);
    let seen = lines(&first_look);
    let unheard = seen.iter().find(is_by_hand).unwrap();
    assert_eq!(unheard.finding, LineFinding::Unheard);
    assert_eq!(unheard.order, Some(order("A")));
    assert!(
        first_look
            .iter()
            .all(|payout| payout.sums.residuals.is_empty())
    );
    assert_eq!(seen.len(), 4);

    shop.deliver().await;
    let again = explained(&shop).await;
    assert!(
        again.iter().all(ReconciledPayout::is_explained),
        "{again:?}"
    );
    for payout in &again {
        let net: i64 = payout.lines.iter().map(|line| line.line.net.minor()).sum();
        assert_eq!(net, payout.sums.net.minor());
    }
    let all = lines(&again);
    let of_first = all.iter().filter(|line| line.order == Some(order("A")));
    assert_eq!((of_first.count(), all.len()), (3, 4));

    let mut open = payouts(&shop).await.remove(0);
    open.lines_complete = false;
    let early = shop.cashier.reconcile_payout(&open).await;
    assert_eq!(kind_of(early.unwrap_err()), ErrorKind::Conflict);
}

#[tokio::test]
async fn a_strangers_payment_and_a_dispute_are_named() {
    let shop = Shop::open().await;
    let first = paid(&shop, "A", 10_000).await;
    paid(&shop, "B", 20_000).await;
    shop.account
        .lock()
        .dashboard()
        .open_dispute(first.raw())
        .unwrap();
    shop.deliver().await;
    // Somebody else charges on the same account.
    let body = "amount=3000&currency=eur&payment_method=pm_card_visa&confirm=true\
                &payment_method_types[]=card";
    let request = http::Request::post("/v1/payment_intents")
        .header("authorization", "Bearer sk_test_flow")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(bytes::Bytes::from_static(body.as_bytes()))
        .unwrap();
    let answer = shop.account.lock().handle(&request);
    assert!(matches!(answer, Answer::Response(made) if made.status() == 200));
    let explained = paid_out(&shop).await;
    let with = |finding| {
        let mut its = lines(&explained);
        its.retain(|line| line.finding == finding);
        its
    };
    let strangers = with(LineFinding::Stranger);
    assert_eq!(
        (strangers.len(), strangers[0].line.gross.minor()),
        (1, 3000)
    );
    assert_eq!(strangers[0].order, None);
    let kinds = with(LineFinding::Explained);
    let disputed = kinds
        .iter()
        .find(|line| line.line.kind == PayoutLineKind::Dispute);
    assert_eq!(disputed.unwrap().order, Some(order("A")));
    assert_eq!(kinds.len(), 3);
    // The sums agree all the same: the money moved.
    assert!(
        explained
            .iter()
            .all(|payout| payout.sums.residuals.is_empty())
    );
    assert!(!explained.iter().all(ReconciledPayout::is_explained));
}

/// The lines of a payout that failed add up to it as before, and nothing has come.
#[tokio::test]
async fn a_payout_that_was_sent_back_is_not_explained() {
    let shop = Shop::open().await;
    paid(&shop, "A", 10_000).await;
    assert!(
        paid_out(&shop)
            .await
            .iter()
            .all(ReconciledPayout::is_explained)
    );
    let made = payouts(&shop).await.remove(0);
    shop.account
        .lock()
        .dashboard()
        .fail_payout(made.id.raw())
        .unwrap();
    let failed = payouts(&shop).await;
    let failed = failed.iter().find(|payout| payout.id == made.id).unwrap();
    assert_eq!(failed.status, PayoutStatus::Failed);
    let error = shop.cashier.reconcile_payout(failed).await.unwrap_err();
    assert_eq!(kind_of(error), ErrorKind::Conflict);
}

/// A provider whose lists of lines, and answers about one refund, are altered on their way.
struct Altered {
    line: Arc<SimulatorTransport<StripeSimulator>>,
    lines: fn(&mut Vec<Value>),
    status_of_refund: Option<StatusCode>,
}

impl std::fmt::Debug for Altered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Altered")
    }
}

#[async_trait]
impl Transport for Altered {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let path = request.uri().path().to_owned();
        let mut answer = self.line.send(request).await?;
        if let Some(status) = self.status_of_refund
            && path.starts_with("/v1/refunds/")
        {
            *answer.status_mut() = status;
        }
        if path != "/v1/balance_transactions" {
            return Ok(answer);
        }
        let mut list: Value = serde_json::from_slice(answer.body()).unwrap();
        (self.lines)(list["data"].as_array_mut().unwrap());
        Ok(answer.map(|_| list.to_string().into()))
    }
}

/// Explains a paid order and its refund of 4,000 from lines that are altered.
async fn explained_as_altered(
    lines: fn(&mut Vec<Value>),
    status_of_refund: Option<StatusCode>,
) -> counterfoil::Result<Vec<ReconciledLine<Test>>> {
    let shop = Shop::open().await;
    let first = paid(&shop, "A", 10_000).await;
    let given_back = shop.cashier.refund(&refund(&first, 4_000, "r")).await;
    given_back.unwrap();
    shop.account.wait(10 * DAY);
    let config = StripeConfig::<Test>::new("sk_test_flow", "whsec_flow").unwrap();
    let altered = Altered {
        line: Arc::clone(&shop.account.line),
        lines,
        status_of_refund,
    };
    let provider = Stripe::new(config.with_transport(Arc::new(altered))).unwrap();
    let provider = provider.into_provider(Namespace::new("shop").unwrap());
    let cashier = Cashier::open(provider, Arc::clone(&shop.store) as _).await;
    let cashier = cashier.unwrap();
    let mut all = Vec::new();
    for payout in payouts(&shop).await {
        all.extend(cashier.reconcile_payout(&payout).await?.lines);
    }
    Ok(all)
}

#[tokio::test]
async fn a_payment_or_refund_that_is_listed_twice_is_explained_once() {
    let each_again_by_another_id = |lines: &mut Vec<Value>| {
        for mut line in lines.clone() {
            line["id"] = format!("{}x", line["id"].as_str().unwrap()).into();
            lines.push(line);
        }
    };
    let lines = explained_as_altered(each_again_by_another_id, None).await;
    let findings: Vec<_> = lines.unwrap().into_iter().map(|l| l.finding).collect();
    let explained = |finding: &&LineFinding| **finding == LineFinding::Explained;
    assert_eq!(findings.iter().filter(explained).count(), 2, "{findings:?}");
    for known in [10_000, 4_000] {
        let other = LineFinding::OtherAmount {
            known: eur(known).money(),
        };
        assert!(findings.contains(&other), "{findings:?}");
    }
}

#[tokio::test]
async fn a_refund_whose_line_names_no_payment_is_asked_about() {
    let names_alone = |lines: &mut Vec<Value>| {
        for line in lines {
            if line["source"]["object"] == "refund" {
                line["source"] = line["source"]["id"].take();
            }
        }
    };
    let of_refund = |lines: Vec<ReconciledLine<Test>>| {
        let mut lines = lines.into_iter();
        let is_refund = |line: &ReconciledLine<Test>| line.line.kind == PayoutLineKind::Refund;
        lines.find(is_refund).unwrap()
    };
    let asked = of_refund(explained_as_altered(names_alone, None).await.unwrap());
    assert_eq!(asked.finding, LineFinding::Explained);
    assert_eq!(asked.order, Some(order("A")));
    assert!(asked.payment.is_some());

    let not_found = explained_as_altered(names_alone, Some(StatusCode::NOT_FOUND)).await;
    let unknown = of_refund(not_found.unwrap());
    assert_eq!(unknown.finding, LineFinding::Stranger);
    assert_eq!((unknown.order, unknown.payment), (None, None));

    // What could not be asked is not a stranger's.
    let refused = explained_as_altered(names_alone, Some(StatusCode::UNAUTHORIZED)).await;
    let error = refused.unwrap_err();
    assert_eq!(kind_of(error), ErrorKind::Credentials);
}

#[tokio::test]
async fn a_payment_that_was_not_heard_of_leads_to_its_order_by_our_reference_alone() {
    let of_another_payment = |lines: &mut Vec<Value>| {
        lines.retain(|line| line["source"]["object"] == "charge");
        for line in lines {
            line["source"]["payment_intent"] = "pi_unheard".into();
        }
    };
    let of_another_shop = |lines: &mut Vec<Value>| {
        lines.retain(|line| line["source"]["object"] == "charge");
        for line in lines {
            line["source"]["payment_intent"] = "pi_unheard".into();
            let text = line.to_string().replace("shop:A", "mall:A");
            *line = serde_json::from_str(&text).unwrap();
        }
    };
    let about_nothing = |lines: &mut Vec<Value>| {
        for line in lines {
            line["source"] = Value::Null;
        }
    };
    for (lines, finding, named) in [
        (
            of_another_payment as fn(&mut Vec<Value>),
            LineFinding::Unheard,
            Some(order("A")),
        ),
        (of_another_shop, LineFinding::Stranger, None),
        (about_nothing, LineFinding::NotAboutOrders, None),
    ] {
        let explained = explained_as_altered(lines, None).await.unwrap();
        let first = &explained[0];
        assert_eq!((&first.finding, &first.order), (&finding, &named));
    }
}

#[tokio::test]
async fn several_captures_are_several_lines_of_one_order() {
    let shop = Shop::open().await;
    shop.cashier.place(&order("A"), eur(10_000)).await.unwrap();
    let request = page("A", 10_000).with_manual_capture();
    let id = shop.cashier.check_out(&request).await.unwrap().id;
    let held = shop.account.lock().shopper().pay(id.raw(), "pm_card_visa");
    held.unwrap();
    shop.deliver().await;
    let id = shop.payment_of("A").await;
    let part = capture(&id, 4_000, "c1").keeping_the_rest();
    shop.cashier.capture(&part).await.unwrap();
    shop.cashier
        .capture(&capture(&id, 6_000, "c2"))
        .await
        .unwrap();
    shop.deliver().await;
    let explained = paid_out(&shop).await;
    assert!(
        explained.iter().all(ReconciledPayout::is_explained),
        "{explained:?}"
    );
    let all = lines(&explained);
    assert_eq!(all.len(), 2);
    assert!(all.iter().all(|line| line.order == Some(order("A"))));
}

/// A debit that its bank returned: its payment stands as failed with nothing captured, and its line
/// and the line that takes it back are in one payout, or in two.
#[tokio::test]
async fn a_returned_debit_and_its_reversal_are_explained_together() {
    let reversed = |lines: &mut Vec<Value>| {
        for mut line in lines.clone() {
            if line["reporting_category"] != "charge" {
                continue;
            }
            line["id"] = format!("{}x", line["id"].as_str().unwrap()).into();
            for field in ["amount", "fee", "net"] {
                line[field] = (-line[field].as_i64().unwrap()).into();
            }
            line["reporting_category"] = "charge_failure".into();
            line["type"] = "payment_failure_refund".into();
            lines.push(line);
        }
    };
    let lines = explained_as_altered(reversed, None).await.unwrap();
    let of = |kind: PayoutLineKind| lines.iter().find(|line| line.line.kind == kind).unwrap();
    let booked = of(PayoutLineKind::Payment);
    let taken_back = of(PayoutLineKind::PaymentReversal);
    assert_eq!(taken_back.finding, LineFinding::Explained);
    assert_eq!(taken_back.order, Some(order("A")));
    assert_eq!(*booked.cancels, *std::slice::from_ref(&taken_back.line.id));
    assert_eq!(*taken_back.cancels, *std::slice::from_ref(&booked.line.id));
    assert!(of(PayoutLineKind::Refund).cancels.is_empty());

    // The reversal alone, of a payment that still stands as captured, was not heard of.
    let alone = |lines: &mut Vec<Value>| {
        for line in lines {
            if line["reporting_category"] == "charge" {
                for field in ["amount", "fee", "net"] {
                    line[field] = (-line[field].as_i64().unwrap()).into();
                }
                line["reporting_category"] = "charge_failure".into();
            }
        }
    };
    let lines = explained_as_altered(alone, None).await.unwrap();
    let is_reversal =
        |line: &&ReconciledLine<Test>| line.line.kind == PayoutLineKind::PaymentReversal;
    let reversal = lines.iter().find(is_reversal).unwrap();
    assert_eq!(reversal.finding, LineFinding::Unheard);
}
