//! Lists, disputes, payouts and the account.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use counterfoil::clock::ManualClock;
use counterfoil::dispute::DisputeStatus;
use counterfoil::http::{Transport, TransportError};
use counterfoil::id::{Namespace, PayoutId};
use counterfoil::money::{Currency, Money};
use counterfoil::payout::{PayoutLineKind, PayoutLineSource};
use counterfoil::providers::stripe::{Stripe, StripeConfig};
use counterfoil::request::Period;
use counterfoil::simulator::SimulatorTransport;
use counterfoil::simulator::stripe::StripeSimulator;
use counterfoil::{ErrorKind, ModeKind, Provider, Test};
use futures_util::{StreamExt, TryStreamExt};

use crate::shop::{START, Shop, money};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test]
async fn payments_are_listed_page_by_page_without_gap_or_repetition() {
    let shop = Shop::open(60);
    let mut made = Vec::new();
    for n in 0..230 {
        made.push(
            shop.charge(&format!("A-{n}"), "10.00 EUR", "pm_card_visa")
                .await
                .unwrap()
                .id,
        );
        shop.advance(Duration::from_secs(1));
    }
    shop.wire.take();
    let listed = shop.stripe.list_payments(Period::default());
    let mut listed: Vec<_> = listed
        .map_ok(|payment| payment.id)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(shop.wire.take().len(), 3);
    listed.reverse();
    assert_eq!(listed, made);

    let period = Period {
        from: Some(START.saturating_add(Duration::from_secs(10))),
        to: Some(START.saturating_add(Duration::from_secs(19))),
    };
    let within: Vec<_> = shop
        .stripe
        .list_payments(period)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(within.len(), 10);
    assert!(within.iter().all(|payment| payment.reference.is_some()));
}

#[tokio::test]
async fn refunds_made_by_hand_are_listed_without_a_command() {
    let shop = Shop::open(61);
    let paid = shop
        .charge("A-1", "100.00 EUR", "pm_card_visa")
        .await
        .unwrap();
    shop.refund(&paid, "10.00 EUR", "r1").await.unwrap();
    shop.simulator()
        .dashboard()
        .refund(paid.id.raw(), Some(500))
        .unwrap();
    for id in paid.ids() {
        let listed: Vec<_> = shop
            .stripe
            .list_refunds(id.clone())
            .try_collect()
            .await
            .unwrap();
        let commands: Vec<_> = listed
            .iter()
            .map(|refund| refund.command.is_some())
            .collect();
        assert_eq!(commands, [false, true]);
        assert_eq!(listed[0].amount, money("5.00 EUR").money());
    }
}

#[tokio::test]
async fn disputes_are_listed_with_their_payment() {
    let shop = Shop::open(62);
    let paid = shop
        .charge("A-1", "100.00 EUR", "pm_card_visa")
        .await
        .unwrap();
    let opened = shop
        .simulator()
        .dashboard()
        .open_dispute(paid.id.raw())
        .unwrap();
    let disputes = || shop.stripe.list_disputes(Period::default());
    let listed: Vec<_> = disputes().try_collect().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (listed[0].id.raw(), &listed[0].payment),
        (opened.as_str(), &paid.id)
    );
    assert_eq!(listed[0].status, DisputeStatus::NeedsResponse);
    assert!(listed[0].respond_by.is_some() && listed[0].reason.is_some());
    shop.simulator().dashboard().lose_dispute(&opened).unwrap();
    let listed: Vec<_> = disputes().try_collect().await.unwrap();
    assert_eq!(listed[0].status, DisputeStatus::Lost);
}

#[tokio::test]
async fn a_payment_in_a_currency_that_is_not_known_hides_no_other() {
    let shop = Shop::open(64);
    let mut made = Vec::new();
    for (order, amount) in [
        ("A-1", "10.00 EUR"),
        ("A-2", "20.00 GBP"),
        ("A-3", "30.00 EUR"),
    ] {
        let paid = shop.charge(order, amount, "pm_card_visa").await;
        made.push(paid.unwrap().id);
        shop.advance(Duration::from_secs(1));
    }
    let dispute = shop
        .simulator()
        .dashboard()
        .open_dispute(made[1].raw())
        .unwrap();
    let guilders = Arc::new(Guilders(SimulatorTransport::new(Arc::clone(
        &shop.simulator,
    ))));
    let config = StripeConfig::<Test>::new("sk_test_shop", "whsec_1").unwrap();
    let config = config.with_clock(Arc::new(ManualClock::new(START)));
    let stripe: Provider<Test> = Stripe::new(config.with_transport(guilders))
        .unwrap()
        .into_provider(Namespace::new("shop").unwrap());

    let listed: Vec<_> = stripe.list_payments(Period::default()).collect().await;
    let [newest, oldest, error] = &listed[..] else {
        panic!("{listed:?}");
    };
    assert_eq!(newest.as_ref().unwrap().id, made[2]);
    assert_eq!(oldest.as_ref().unwrap().id, made[0]);
    let error = error.as_ref().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::UnexpectedResponse);
    assert_eq!(error.item(), Some(made[1].raw()));
    let disputes: Vec<_> = stripe.list_disputes(Period::default()).collect().await;
    let unreadable = disputes[0].as_ref().unwrap_err();
    assert_eq!(unreadable.item(), Some(&*dispute));

    // Whether an attempt was charged is told whatever else was.
    let reference = "shop:A-3:1".parse().unwrap();
    assert_eq!(stripe.find_payments(&reference).await.unwrap().len(), 1);
    let account = stripe.account().await.unwrap();
    assert_eq!((account.mode, account.currencies), (ModeKind::Test, vec![]));
}

/// Stripe after a currency was renamed: pounds are guilders, and the account settles in nothing else.
#[derive(Debug)]
struct Guilders(SimulatorTransport<StripeSimulator>);

#[async_trait]
impl Transport for Guilders {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let is_account = matches!(request.uri().path(), "/v1/account" | "/v1/balance");
        let answer = self.0.send(request).await?;
        Ok(answer.map(|body| {
            let mut text = String::from_utf8(body.to_vec()).unwrap();
            let renamed: &[_] = if is_account {
                &["eur", "usd", "gbp"]
            } else {
                &["gbp"]
            };
            for code in renamed {
                text = text.replace(&format!("\"{code}\""), "\"ang\"");
            }
            text.into()
        }))
    }
}

#[tokio::test]
async fn the_lines_of_a_payout_add_up_to_it() {
    let shop = Shop::open(63);
    let first = shop
        .charge("A-1", "100.00 EUR", "pm_card_visa")
        .await
        .unwrap();
    shop.charge("A-2", "50.00 EUR", "pm_card_visa")
        .await
        .unwrap();
    let given_back = shop.refund(&first, "30.00 EUR", "r1").await.unwrap();
    shop.advance(4 * DAY);
    let payouts: Vec<_> = shop
        .stripe
        .list_payouts(Period::default())
        .try_collect()
        .await
        .unwrap();
    let payout = payouts
        .iter()
        .find(|payout| payout.lines_complete)
        .expect("a payout was made");
    let lines = shop.stripe.list_payout_lines(payout.id.clone());
    let lines: Vec<_> = lines.try_collect().await.unwrap();
    let net = Money::sum(Currency::EUR, lines.iter().map(|line| line.net)).unwrap();
    assert_eq!(net, payout.amount);

    let payment = lines
        .iter()
        .find(|line| line.source == PayoutLineSource::Payment(first.id.clone()));
    let payment = payment.expect("the first payment has a line");
    assert_eq!(payment.kind, PayoutLineKind::Payment);
    assert_eq!(payment.reference, first.reference);
    assert!(payment.fee.is_positive());
    let refund = lines
        .iter()
        .find(|line| line.kind == PayoutLineKind::Refund)
        .unwrap();
    assert!(refund.gross.minor() == -3_000, "{}", refund.gross);
    let PayoutLineSource::Refund(id, _) = &refund.source else {
        panic!("{:?}", refund.source)
    };
    assert_eq!(id, &given_back.id);
}

#[tokio::test]
async fn an_unknown_payout_is_not_found() {
    let shop = Shop::open(64);
    let id = PayoutId::new(shop.stripe.name().clone(), "po_none").unwrap();
    let lines: Result<Vec<_>, _> = shop.stripe.list_payout_lines(id).try_collect().await;
    assert_eq!(lines.unwrap_err().kind(), &ErrorKind::NotFound);
}

#[tokio::test]
async fn the_account_tells_its_mode_and_currencies() {
    let shop = Shop::open(65);
    shop.charge("A-1", "100 JPY", "pm_card_visa").await.unwrap();
    let account = shop.stripe.account().await.unwrap();
    assert!(account.id.starts_with("acct_"));
    assert_eq!(
        (account.mode, account.can_charge),
        (ModeKind::Test, Some(true))
    );
    assert!(!account.currencies.is_empty());
}
