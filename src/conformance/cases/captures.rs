//! Held amounts: captured within their bound, or let go.

use crate::capability::Operation;
use crate::conformance::rig::{Fault, Happening};
use crate::conformance::stage::{Proof, Stage, Stop, ensure, is_in_doubt, refusal};
use crate::error::{Effect, ErrorKind};
use crate::payment::PaymentStatus;
use crate::request::Checkout;

pub(crate) async fn a_held_amount_is_not_counted_as_money(stage: &Stage<'_>) -> Proof {
    let (request, payment) = stage.held(2000).await?;
    ensure!(
        payment.status == PaymentStatus::Authorized && payment.captured.is_zero(),
        "the amount is only held, and the payment is {:?}",
        payment.status
    );
    ensure!(
        payment.capturable == stage.money(2000),
        "20.00 is held, and {} can be captured",
        payment.capturable
    );
    ensure!(
        stage.booked(&request)?.captured.is_zero(),
        "the service took money"
    );
    let whole = stage.capture_request(&payment, 2000, "ship")?;
    let captured = stage.capture(&whole).await??;
    ensure!(
        captured.status == PaymentStatus::Captured && captured.captured == stage.money(2000),
        "the whole was captured, and the payment is {:?}",
        captured.status
    );
    Ok(())
}

pub(crate) async fn a_partial_capture_releases_the_rest(stage: &Stage<'_>) -> Proof {
    let (request, payment) = stage.held(2000).await?;
    let part = stage.capture_request(&payment, 1500, "ship")?;
    if !stage.provider.capabilities().partial_capture {
        let error = refusal("a partial capture", stage.capture(&part).await?)?;
        ensure!(
            *error.kind() == ErrorKind::Unsupported && stage.booked(&request)?.captured.is_zero(),
            "a partial capture is not in the capabilities, and it ended in: {error}"
        );
        return Err(Stop::Refused("partial capture".into()));
    }
    let captured = stage.capture(&part).await??;
    ensure!(
        captured.captured == stage.money(1500) && captured.capturable.is_zero(),
        "15.00 was captured for good, and {} is captured, {} still held",
        captured.captured,
        captured.capturable
    );
    ensure!(
        stage.booked(&request)?.captured == stage.money(1500),
        "the service took another amount"
    );
    Ok(())
}

pub(crate) async fn several_captures_stay_within_what_is_held(stage: &Stage<'_>) -> Proof {
    let (request, payment) = stage.held(2000).await?;
    let part = |minor, command| {
        let request = stage.capture_request(&payment, minor, command);
        request.map(|request| request.keeping_the_rest())
    };
    let before = stage.rig.requests();
    let first = stage.capture(&part(1200, "first")?).await?;
    if !stage.provider.capabilities().multiple_captures {
        let error = refusal("a capture that keeps the rest", first)?;
        ensure!(
            *error.kind() == ErrorKind::Unsupported && stage.rig.requests() == before,
            "several captures are not in the capabilities, and it ended in: {error}"
        );
        return Err(Stop::Refused("several captures".into()));
    }
    ensure!(
        first?.capturable == stage.money(800),
        "after 12.00 of 20.00, 8.00 must still be held"
    );
    refusal("a capture of 8.01", {
        stage.capture(&part(801, "too much")?).await?
    })?;
    let rest = stage.capture(&part(800, "second")?).await??;
    ensure!(
        rest.captured == stage.money(2000) && rest.capturable.is_zero(),
        "12.00 and 8.00 were captured, and that is {}",
        rest.captured
    );
    ensure!(
        stage.booked(&request)?.captured == stage.money(2000),
        "the service took another amount"
    );
    Ok(())
}

pub(crate) async fn more_than_is_held_is_refused(stage: &Stage<'_>) -> Proof {
    let (request, payment) = stage.held(2000).await?;
    let more = stage.capture_request(&payment, 2001, "ship")?;
    let error = refusal("more than is held", stage.capture(&more).await?)?;
    ensure!(
        error.effect() == Effect::NotApplied && error.decline().is_none(),
        "a capture of too much ended in: {error}"
    );
    ensure!(
        stage.booked(&request)?.captured.is_zero(),
        "the service took money"
    );
    Ok(())
}

pub(crate) async fn one_command_captures_once(stage: &Stage<'_>) -> Proof {
    let (request, payment) = stage.held(2000).await?;
    let whole = stage.capture_request(&payment, 2000, "ship")?;
    stage.capture(&whole).await??;
    // The second answer may be the first one again or a conflict, but never more money.
    if let Err(error) = stage.capture(&whole).await? {
        ensure!(
            *error.kind() == ErrorKind::Conflict,
            "the same capture again ended in: {error}"
        );
    }
    ensure!(
        stage.booked(&request)?.captured == stage.money(2000),
        "one command captured more than once"
    );
    Ok(())
}

pub(crate) async fn a_lost_capture_answer_is_found_by_fetching(stage: &Stage<'_>) -> Proof {
    let (request, payment) = stage.held(2000).await?;
    let whole = stage.capture_request(&payment, 2000, "ship")?;
    stage.fault_every_write(Fault::LostAfter)?;
    is_in_doubt(stage.provider.capture(&whole).await)?;
    stage.mend(Fault::LostAfter)?;
    let fetched = stage.look(&payment).await?;
    ensure!(
        fetched.captured == stage.money(2000) && fetched.status == PaymentStatus::Captured,
        "the capture was done, and {} is captured",
        fetched.captured
    );
    ensure!(
        stage.booked(&request)?.captured == stage.money(2000),
        "the service took another amount"
    );
    Ok(())
}

pub(crate) async fn a_voided_amount_cannot_be_captured(stage: &Stage<'_>) -> Proof {
    stage.needs(Operation::Void).await?;
    let (request, payment) = stage.held(2000).await?;
    let voided = stage.void(&payment).await??;
    ensure!(
        voided.status == PaymentStatus::Canceled && voided.capturable.is_zero(),
        "it was voided, and is {:?}",
        voided.status
    );
    let whole = stage.capture_request(&payment, 2000, "ship")?;
    refusal("a voided amount", stage.capture(&whole).await?)?;
    ensure!(
        stage.booked(&request)?.captured.is_zero(),
        "the service took money"
    );
    Ok(())
}

pub(crate) async fn a_lapsed_hold_cannot_be_captured(stage: &Stage<'_>) -> Proof {
    let (request, payment) = stage.held(2000).await?;
    stage.happen(Happening::HoldLapses(&payment))?;
    let lapsed = stage.look(&payment).await?;
    ensure!(
        matches!(
            lapsed.status,
            PaymentStatus::Expired | PaymentStatus::Canceled
        ) && lapsed.capturable.is_zero(),
        "its time is over, and it is {:?}",
        lapsed.status
    );
    let whole = stage.capture_request(&payment, 2000, "ship")?;
    let error = refusal("a lapsed hold", stage.capture(&whole).await?)?;
    ensure!(
        error.effect() == Effect::NotApplied,
        "capturing a lapsed hold ended in: {error}"
    );
    ensure!(
        stage.booked(&request)?.captured.is_zero(),
        "the service took money"
    );
    Ok(())
}

pub(crate) async fn a_captured_payment_cannot_be_voided(stage: &Stage<'_>) -> Proof {
    stage.needs(Operation::Void).await?;
    let (request, payment) = stage.paid(2000).await?;
    let error = refusal("a captured payment", stage.void(&payment).await?)?;
    ensure!(
        *error.kind() == ErrorKind::Conflict && error.effect() == Effect::NotApplied,
        "voiding a captured payment ended in: {error}"
    );
    ensure!(
        stage.booked(&request)?.captured == stage.money(2000),
        "the service gave money back"
    );
    Ok(())
}

pub(crate) async fn an_unpaid_checkout_can_be_ended(stage: &Stage<'_>) -> Proof {
    stage.needs(Operation::CreateHosted).await?;
    stage.needs(Operation::Void).await?;
    let mut request = stage.request("A-1", 2000)?;
    request.checkout = Checkout::hosted("https://shop.example/done", "https://shop.example/cart");
    let payment = stage.provider.create(&request).await?;
    let voided = stage.void(&payment).await?;
    if !stage.provider.capabilities().voidable_checkouts {
        let error = refusal("voiding a checkout", voided)?;
        ensure!(
            *error.kind() == ErrorKind::Unsupported && error.effect() == Effect::NotApplied,
            "voiding checkouts is not in the capabilities, and it ended in: {error}"
        );
        return Err(Stop::Refused("voiding a checkout".into()));
    }
    let ended = voided?;
    ensure!(
        matches!(
            ended.status,
            PaymentStatus::Canceled | PaymentStatus::Expired
        ),
        "the checkout was ended, and is {:?}",
        ended.status
    );
    Ok(())
}
