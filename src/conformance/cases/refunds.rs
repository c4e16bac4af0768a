//! Money that goes back: never more than came, and never twice for one command.

use futures_util::future::join;

use crate::capability::Operation;
use crate::conformance::rig::{Fault, Happening, Shopper};
use crate::conformance::stage::{Proof, Stage, Stop, all_of, ensure, is_in_doubt, refusal};
use crate::error::{Effect, ErrorKind};
use crate::id::CommandId;
use crate::ledger::Ledger;
use crate::mode::Test;
use crate::money::{Currency, Money, PositiveMoney};
use crate::payment::Payment;
use crate::refund::{Refund, RefundStatus};
use crate::request::{CreateRequest, RefundRequest};

pub(crate) async fn partial_refunds_never_exceed_the_payment(stage: &Stage<'_>) -> Proof {
    let (request, payment) = refundable_in_parts(stage).await?;
    for (minor, command) in [(700, "one"), (700, "two"), (600, "three")] {
        let refund = stage.refund(&payment, minor, command).await??;
        ensure!(
            refund.amount == stage.money(minor),
            "{minor} were refunded as {}",
            refund.amount
        );
    }
    let error = refusal("one cent more", stage.refund(&payment, 1, "four").await?)?;
    ensure!(
        error.effect() == Effect::NotApplied,
        "a refund of what is not there ended in: {error}"
    );
    let fetched = stage.look(&payment).await?;
    ensure!(
        fetched.refunded == stage.money(2000),
        "all of it was refunded, and the payment says {}",
        fetched.refunded
    );
    has_refunded(stage, &request, 2000)
}

pub(crate) async fn refunds_at_once_never_exceed_the_payment(stage: &Stage<'_>) -> Proof {
    let (request, payment) = refundable_in_parts(stage).await?;
    let (one, other) = join(
        stage.refund(&payment, 1200, "one"),
        stage.refund(&payment, 1200, "two"),
    )
    .await;
    let (one, other) = (one?, other?);
    ensure!(
        one.is_ok() != other.is_ok(),
        "12.00 twice of 20.00 ended in {one:?} and {other:?}"
    );
    has_refunded(stage, &request, 1200)
}

pub(crate) async fn more_than_was_captured_is_refused(stage: &Stage<'_>) -> Proof {
    let (request, payment) = refundable(stage).await?;
    let error = refusal("too much", stage.refund(&payment, 2001, "one").await?)?;
    ensure!(
        error.effect() == Effect::NotApplied && error.decline().is_none(),
        "a refund of too much ended in: {error}"
    );
    has_refunded(stage, &request, 0)
}

pub(crate) async fn another_currency_is_refused(stage: &Stage<'_>) -> Proof {
    let (request, payment) = refundable(stage).await?;
    let other = if payment.amount.currency() == Currency::USD {
        Currency::EUR
    } else {
        Currency::USD
    };
    let amount = PositiveMoney::new(Money::new(1000, other))?;
    let command = CommandId::new("one")?;
    let in_other = RefundRequest::new(payment.id.clone(), amount, command);
    let error = refusal("another currency", stage.try_refund(&in_other).await?)?;
    ensure!(
        error.effect() == Effect::NotApplied,
        "a refund in another currency ended in: {error}"
    );
    has_refunded(stage, &request, 0)
}

pub(crate) async fn one_command_refunds_once(stage: &Stage<'_>) -> Proof {
    stage.needs_idempotent_writes()?;
    let (request, payment) = refundable_in_parts(stage).await?;
    let first = stage.refund(&payment, 700, "goodwill").await??;
    let again = stage.refund(&payment, 700, "goodwill").await??;
    ensure!(
        first.id == again.id,
        "one command became {} and {}",
        first.id,
        again.id
    );
    has_refunded(stage, &request, 700)
}

pub(crate) async fn another_command_is_another_refund(stage: &Stage<'_>) -> Proof {
    let (request, payment) = refundable_in_parts(stage).await?;
    let first = stage.refund(&payment, 700, "one").await??;
    let second = stage.refund(&payment, 700, "two").await??;
    ensure!(
        first.id != second.id,
        "two commands became one refund, {}",
        first.id
    );
    has_refunded(stage, &request, 1400)
}

pub(crate) async fn one_command_with_another_amount_is_refused_before_io(
    stage: &Stage<'_>,
) -> Proof {
    let (request, payment) = refundable_in_parts(stage).await?;
    stage.refund(&payment, 700, "goodwill").await??;
    let before = stage.rig.requests();
    let changed = stage.refund(&payment, 800, "goodwill").await?;
    let error = refusal("another amount", changed)?;
    ensure!(
        *error.kind() == ErrorKind::Conflict && stage.rig.requests() == before,
        "another amount under one command ended in: {error}"
    );
    has_refunded(stage, &request, 700)
}

pub(crate) async fn a_refund_lost_before_processing_can_be_sent_again(stage: &Stage<'_>) -> Proof {
    let (request, payment) = refundable(stage).await?;
    stage.fault_every_write(Fault::LostBefore)?;
    is_in_doubt(stage.refund(&payment, 2000, "goodwill").await?)?;
    stage.mend(Fault::LostBefore)?;
    stage.refund(&payment, 2000, "goodwill").await??;
    has_refunded(stage, &request, 2000)
}

pub(crate) async fn a_lost_refund_answer_is_found_by_its_command(stage: &Stage<'_>) -> Proof {
    stage.needs(Operation::ListRefunds).await?;
    let (request, payment) = refundable(stage).await?;
    stage.fault_every_write(Fault::LostAfter)?;
    is_in_doubt(stage.refund(&payment, 2000, "goodwill").await?)?;
    stage.mend(Fault::LostAfter)?;
    let refunds = all_of(stage.provider.list_refunds(payment.id.clone())).await?;
    let command = CommandId::new("goodwill")?;
    let found = refunds
        .iter()
        .filter(|refund| refund.command.as_ref() == Some(&command))
        .count();
    ensure!(
        found == 1,
        "the refund was made once, and its command finds {found}"
    );
    has_refunded(stage, &request, 2000)
}

pub(crate) async fn a_pending_refund_succeeds_later(stage: &Stage<'_>) -> Proof {
    let (first, settled, _) = settled_refund(stage, Shopper::PaysAndRefundsPend).await?;
    ensure!(
        first.status == RefundStatus::Pending,
        "the refund is under way, and is {:?}",
        first.status
    );
    ensure!(
        settled.status == RefundStatus::Succeeded,
        "the refund is with the payer, and is {:?}",
        settled.status
    );
    Ok(())
}

pub(crate) async fn a_refund_that_fails_after_success_gives_the_money_back(
    stage: &Stage<'_>,
) -> Proof {
    let (first, settled, payment) = settled_refund(stage, Shopper::PaysAndRefundsFail).await?;
    ensure!(
        settled.status == RefundStatus::Failed,
        "the refund has failed, and is {:?}",
        settled.status
    );
    let captured = payment.captured;
    let mut ledger = Ledger::new();
    ledger.add_payment(payment)?;
    ledger.add_refund(settled);
    ledger.add_refund(first);
    ensure!(
        ledger.refundable()? == captured,
        "the money is back, and {} can be refunded",
        ledger.refundable()?
    );
    Ok(())
}

pub(crate) async fn a_refund_made_in_the_dashboard_is_listed_without_a_command(
    stage: &Stage<'_>,
) -> Proof {
    stage.needs(Operation::ListRefunds).await?;
    let (_, payment) = stage.paid(2000).await?;
    let amount = PositiveMoney::new(stage.money(300))?;
    stage.happen(Happening::DashboardRefund(&payment, amount))?;
    let refunds = all_of(stage.provider.list_refunds(payment.id.clone())).await?;
    ensure!(
        matches!(refunds.as_slice(), [only] if only.command.is_none() && only.amount == amount.money()),
        "one refund was made in the dashboard, and listed are {refunds:?}"
    );
    Ok(())
}

/// A paid payment of 20.00, if the provider can refund it.
async fn refundable(stage: &Stage<'_>) -> Proof<(CreateRequest, Payment<Test>)> {
    stage.needs(Operation::Refund).await?;
    stage.paid(2000).await
}

/// A paid payment of 20.00, if the provider can refund a part of it.
async fn refundable_in_parts(stage: &Stage<'_>) -> Proof<(CreateRequest, Payment<Test>)> {
    let (request, payment) = refundable(stage).await?;
    if stage.provider.capabilities().partial_refunds {
        return Ok((request, payment));
    }
    let error = refusal(
        "a partial refund",
        stage.refund(&payment, 700, "one").await?,
    )?;
    ensure!(
        *error.kind() == ErrorKind::Unsupported,
        "partial refunds are not in the capabilities, and one ended in: {error}"
    );
    has_refunded(stage, &request, 0)?;
    Err(Stop::Refused("partial refunds".into()))
}

/// A whole refund as it began and as it ended, and the payment as it then stands.
async fn settled_refund(
    stage: &Stage<'_>,
    shopper: Shopper,
) -> Proof<(Refund<Test>, Refund<Test>, Payment<Test>)> {
    stage.needs(Operation::Refund).await?;
    let request = stage.request("A-1", 2000)?;
    let payment = stage.shop(&request, shopper).await?;
    let first = stage.refund(&payment, 2000, "goodwill").await??;
    stage.happen(Happening::RefundSettles(&first))?;
    let settled = stage.look_at_refund(&first).await?;
    let payment = stage.look(&payment).await?;
    Ok((first, settled, payment))
}

fn has_refunded(stage: &Stage<'_>, request: &CreateRequest, minor: i64) -> Proof {
    let refunded = stage.booked(request)?.refunded;
    ensure!(
        refunded == stage.money(minor),
        "{} must have gone back, and the service gave back {refunded}",
        stage.money(minor)
    );
    Ok(())
}
