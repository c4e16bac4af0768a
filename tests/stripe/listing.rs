//! Lists, disputes, payouts and the account.

use std::time::Duration;

use counterfoil::dispute::DisputeStatus;
use counterfoil::id::PayoutId;
use counterfoil::money::{Currency, Money};
use counterfoil::payout::{PayoutLineKind, PayoutLineSource};
use counterfoil::request::Period;
use counterfoil::{ErrorKind, ModeKind};
use futures_util::TryStreamExt;

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
