//! What a shopper has approved: nothing until the host completes it, and then once.

use crate::capability::Operation;
use crate::conformance::rig::{Fault, Shopper};
use crate::conformance::stage::{Proof, Stage, ensure, is_in_doubt, refusal};
use crate::error::{Effect, ErrorKind};
use crate::mode::Test;
use crate::money::{Money, PositiveMoney};
use crate::payment::{Payment, PaymentStatus};
use crate::request::{CompleteRequest, CreateRequest};

pub(crate) async fn an_approval_takes_and_holds_nothing(stage: &Stage<'_>) -> Proof {
    let (request, payment) = approved(stage, false).await?;
    ensure!(
        payment.captured.is_zero() && payment.capturable.is_zero(),
        "it is only approved, and {} is captured, {} held",
        payment.captured,
        payment.capturable
    );
    ensure!(
        stage.booked(&request)?.captured.is_zero(),
        "the service took money"
    );
    Ok(())
}

pub(crate) async fn a_completed_payment_is_taken_once(stage: &Stage<'_>) -> Proof {
    let (request, payment) = approved(stage, false).await?;
    for time in ["first", "second"] {
        let completed = stage.provider.complete(&complete(&payment)?).await?;
        ensure!(
            completed.status == PaymentStatus::Captured && completed.captured == stage.money(2000),
            "completed for the {time} time, it is {:?}",
            completed.status
        );
    }
    ensure!(
        stage.booked(&request)?.captured == stage.money(2000),
        "the service took another amount"
    );
    Ok(())
}

pub(crate) async fn a_completed_hold_is_not_money(stage: &Stage<'_>) -> Proof {
    stage.needs(Operation::Capture).await?;
    let (request, payment) = approved(stage, true).await?;
    for time in ["first", "second"] {
        let held = stage.provider.complete(&complete(&payment)?).await?;
        ensure!(
            held.status == PaymentStatus::Authorized
                && held.captured.is_zero()
                && held.capturable == stage.money(2000),
            "held for the {time} time, it is {:?}, {} held",
            held.status,
            held.capturable
        );
    }
    ensure!(
        stage.booked(&request)?.captured.is_zero(),
        "the service took money"
    );
    Ok(())
}

pub(crate) async fn another_amount_is_not_completed(stage: &Stage<'_>) -> Proof {
    let (request, payment) = approved(stage, false).await?;
    for minor in [1999, 2001] {
        let restarted = stage.rig.provider(stage.provider.namespace());
        let amount = PositiveMoney::new(Money::new(minor, payment.amount.currency()))?;
        let other = CompleteRequest::new(payment.id.clone(), amount);
        let error = refusal("another amount", restarted.complete(&other).await)?;
        ensure!(
            error.effect() == Effect::NotApplied && error.decline().is_none(),
            "completing with {amount} ended in: {error}"
        );
    }
    ensure!(
        stage.booked(&request)?.captured.is_zero(),
        "the service took money"
    );
    Ok(())
}

pub(crate) async fn what_nobody_approved_is_not_completed(stage: &Stage<'_>) -> Proof {
    stage.needs(Operation::Complete).await?;
    let request = stage.request("A-1", 2000)?;
    let payment = stage.provider.create(&request).await?;
    let completed = stage.provider.complete(&complete(&payment)?).await;
    let error = refusal("what nobody approved", completed)?;
    ensure!(
        *error.kind() == ErrorKind::Conflict && error.effect() == Effect::NotApplied,
        "completing what nobody approved ended in: {error}"
    );
    ensure!(
        stage.booked(&request)?.captured.is_zero(),
        "the service took money"
    );
    Ok(())
}

pub(crate) async fn a_lost_completion_is_found_by_fetching(stage: &Stage<'_>) -> Proof {
    let (request, payment) = approved(stage, false).await?;
    stage.fault_every_write(Fault::LostAfter)?;
    is_in_doubt(stage.provider.complete(&complete(&payment)?).await)?;
    stage.mend(Fault::LostAfter)?;
    let fetched = stage.provider.fetch_payment(&payment.id).await?;
    ensure!(
        fetched.status == PaymentStatus::Captured && fetched.captured == stage.money(2000),
        "it was completed, and is {:?}",
        fetched.status
    );
    let again = stage.provider.complete(&complete(&payment)?).await?;
    ensure!(
        again.captured == stage.money(2000)
            && stage.booked(&request)?.captured == stage.money(2000),
        "the service took another amount"
    );
    Ok(())
}

/// A payment of 20.00 that the shopper has approved, to be taken or to be held.
async fn approved(stage: &Stage<'_>, held: bool) -> Proof<(CreateRequest, Payment<Test>)> {
    stage.needs(Operation::Complete).await?;
    stage.needs(Operation::FetchPayment).await?;
    let mut request = stage.request("A-1", 2000)?;
    if held {
        request = request.with_manual_capture();
    }
    let created = stage.provider.create(&request).await?;
    stage.act(&created, Shopper::Pays)?;
    let payment = stage.provider.fetch_payment(&created.id).await?;
    ensure!(
        payment.status == PaymentStatus::Approved,
        "the shopper has approved it, and it is {:?}",
        payment.status
    );
    Ok((request, payment))
}

fn complete(payment: &Payment<Test>) -> Proof<CompleteRequest<Test>> {
    let amount = PositiveMoney::new(payment.amount)?;
    Ok(CompleteRequest::new(payment.id.clone(), amount))
}
