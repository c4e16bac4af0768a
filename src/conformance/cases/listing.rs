//! Lists: read to their end, and adding up.

use std::collections::BTreeSet;

use crate::capability::Operation;
use crate::conformance::rig::{Happening, Shopper};
use crate::conformance::stage::{Proof, Stage, Stop, all_of, ensure};
use crate::error::ErrorKind;
use crate::money::Money;
use crate::payout::PayoutLineSource;
use crate::request::Period;

/// More than fits any provider's page.
const MANY: usize = 105;

pub(crate) async fn payments_are_listed_to_the_end(stage: &Stage<'_>) -> Proof {
    stage.needs(Operation::ListPayments).await?;
    let mut expected = BTreeSet::new();
    for number in 0..MANY {
        let request = stage.request(&format!("A-{number}"), 2000)?;
        stage.shop(&request, Shopper::Pays).await?;
        expected.insert(stage.provider.reference(&request));
    }
    let listed = all_of(stage.provider.list_payments(Period::default())).await?;
    let found: BTreeSet<_> = listed
        .iter()
        .filter_map(|payment| payment.reference.clone())
        .collect();
    ensure!(
        listed.len() == MANY && found == expected,
        "{MANY} payments were made, and {} are listed, of {} references",
        listed.len(),
        found.len()
    );
    Ok(())
}

pub(crate) async fn refunds_are_listed_to_the_end(stage: &Stage<'_>) -> Proof {
    stage.needs(Operation::Refund).await?;
    stage.needs(Operation::ListRefunds).await?;
    let (_, payment) = stage.paid(20_000).await?;
    if !stage.provider.capabilities().partial_refunds {
        stage.refund(&payment, 20_000, "whole").await??;
        let listed = all_of(stage.provider.list_refunds(payment.id.clone())).await?;
        ensure!(listed.len() == 1, "1 refund, {} listed", listed.len());
        return Ok(());
    }
    let mut expected = BTreeSet::new();
    for number in 0..MANY {
        let refund = stage.refund(&payment, 100, &format!("r{number}")).await??;
        expected.insert(refund.id);
    }
    let listed = all_of(stage.provider.list_refunds(payment.id.clone())).await?;
    let found: BTreeSet<_> = listed.iter().map(|refund| refund.id.clone()).collect();
    ensure!(
        listed.len() == MANY && found == expected,
        "{MANY} refunds were made, and {} are listed",
        listed.len()
    );
    Ok(())
}

pub(crate) async fn an_order_never_begun_has_no_payments(stage: &Stage<'_>) -> Proof {
    stage.needs(Operation::FindPayments).await?;
    let reference = stage.provider.reference(&stage.request("A-404", 2000)?);
    let found = stage.provider.find_payments(&reference).await?;
    ensure!(
        found.is_empty(),
        "nothing was begun, and {} payments are found",
        found.len()
    );
    Ok(())
}

pub(crate) async fn a_dispute_is_listed_with_its_payment(stage: &Stage<'_>) -> Proof {
    stage.needs(Operation::ListDisputes).await?;
    let request = stage.request("A-1", 2000)?;
    let payment = stage.shop(&request, Shopper::PaysAndDisputes).await?;
    let disputes = all_of(stage.provider.list_disputes(Period::default())).await?;
    let [dispute] = disputes.as_slice() else {
        let message = format!("one dispute was opened, and {} are listed", disputes.len());
        return Err(Stop::Failed(message));
    };
    ensure!(
        payment.ids().any(|id| *id == dispute.payment) && dispute.amount == stage.money(2000),
        "the dispute over {} is listed as {dispute:?}",
        payment.id
    );
    Ok(())
}

pub(crate) async fn the_lines_of_a_payout_sum_to_it(stage: &Stage<'_>) -> Proof {
    stage.needs(Operation::ListPayouts).await?;
    stage.needs(Operation::ListPayoutLines).await?;
    let (_, first) = stage.paid(2000).await?;
    let second = stage
        .shop(&stage.request("A-2", 3000)?, Shopper::Pays)
        .await?;
    if stage.supports(Operation::Refund) {
        stage.refund(&second, 3000, "goodwill").await??;
    }
    stage.happen(Happening::PaysOut)?;
    let payouts = all_of(stage.provider.list_payouts(Period::default())).await?;
    let Some(payout) = payouts.first() else {
        return Err(Stop::Failed("a payout was made, and none is listed".into()));
    };
    let lines = all_of(stage.provider.list_payout_lines(payout.id.clone())).await?;
    let mut sum = Money::zero(payout.amount.currency());
    for line in &lines {
        ensure!(
            line.gross.checked_sub(line.fee)? == line.net,
            "a line of {} less {} is {}",
            line.gross,
            line.fee,
            line.net
        );
        sum = sum.checked_add(line.net)?;
    }
    ensure!(
        sum == payout.amount,
        "the lines sum to {sum}, and the payout is {}",
        payout.amount
    );
    let is_for_first = |source: &PayoutLineSource<_>| matches!(source, PayoutLineSource::Payment(id) if first.ids().any(|known| known == id));
    ensure!(
        lines.iter().any(|line| is_for_first(&line.source)),
        "no line is for {}",
        first.id
    );
    Ok(())
}

/// The kinds of error that say that there is no such thing.
pub(super) const fn says_not_there(kind: &ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::InvalidRequest)
}
