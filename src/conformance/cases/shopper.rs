//! What the shopper does, and how the payment then stands.

use crate::capability::Operation;
use crate::conformance::rig::{Happening, Shopper};
use crate::conformance::stage::{Proof, Stage, Stop, ensure};
use crate::error::{DeclineReason, Effect, InputField};
use crate::id::Attempt;
use crate::mode::Test;
use crate::payment::{NextAction, Payment, PaymentStatus};
use crate::request::{Checkout, CreateRequest};

pub(crate) async fn a_new_payment_is_not_paid(stage: &Stage<'_>) -> Proof {
    stage.needs(Operation::CreateHosted).await?;
    stage.can_look().await?;
    let request = hosted(stage)?;
    let created = stage.provider.create(&request).await?;
    let leads_to = match &created.next_action {
        Some(NextAction::Redirect { url } | NextAction::ShowInstructions { url }) => Some(url),
        _ => None,
    };
    ensure!(
        leads_to.is_some_and(|url| url.starts_with("http")),
        "a hosted payment says neither where to send the shopper nor how to pay"
    );
    let fetched = stage.look(&created).await?;
    for payment in [created, fetched] {
        ensure!(
            matches!(
                payment.status,
                PaymentStatus::Created | PaymentStatus::ActionRequired
            ),
            "nobody has paid, and the payment is {:?}",
            payment.status
        );
        no_money(&payment)?;
    }
    ensure!(
        stage.booked(&request)?.captured.is_zero(),
        "the service took money"
    );
    Ok(())
}

pub(crate) async fn a_paid_payment_is_captured_once(stage: &Stage<'_>) -> Proof {
    let (request, payment) = stage.paid(2000).await?;
    ensure!(
        payment.captured == stage.money(2000) && payment.capturable.is_zero(),
        "20.00 was paid, and {} is captured",
        payment.captured
    );
    ensure!(
        stage.booked(&request)?.captured == payment.captured,
        "the service's books say otherwise"
    );
    Ok(())
}

pub(crate) async fn a_payment_by_token_is_captured_at_once(stage: &Stage<'_>) -> Proof {
    stage.needs(Operation::CreateDirect).await?;
    let mut request = stage.request("A-1", 2000)?;
    request.checkout = stage.token(Shopper::Pays)?;
    let payment = stage.provider.create(&request).await?;
    ensure!(
        payment.status == PaymentStatus::Captured && payment.captured == stage.money(2000),
        "the token pays, and the payment is {:?}",
        payment.status
    );
    stage.booked(&request)?;
    Ok(())
}

pub(crate) async fn insufficient_funds_can_be_tried_with_another_method(
    stage: &Stage<'_>,
) -> Proof {
    is_declined(stage, DeclineReason::InsufficientFunds).await
}

pub(crate) async fn a_processor_failure_can_be_tried_later(stage: &Stage<'_>) -> Proof {
    is_declined(stage, DeclineReason::TryLater).await
}

pub(crate) async fn a_wrong_security_code_can_be_corrected(stage: &Stage<'_>) -> Proof {
    is_declined(stage, DeclineReason::WrongInput(InputField::SecurityCode)).await
}

pub(crate) async fn an_expired_card_can_be_corrected(stage: &Stage<'_>) -> Proof {
    is_declined(stage, DeclineReason::WrongInput(InputField::Expiry)).await
}

pub(crate) async fn a_fraud_refusal_is_hidden_from_the_shopper(stage: &Stage<'_>) -> Proof {
    is_declined(stage, DeclineReason::Fraud).await
}

pub(crate) async fn an_unexplained_decline_is_generic(stage: &Stage<'_>) -> Proof {
    is_declined(stage, DeclineReason::Generic).await
}

pub(crate) async fn a_declined_token_names_its_payment(stage: &Stage<'_>) -> Proof {
    stage.needs(Operation::CreateDirect).await?;
    stage.can_look().await?;
    let mut request = stage.request("A-1", 2000)?;
    request.checkout = stage.token(Shopper::IsDeclined(DeclineReason::InsufficientFunds))?;
    let Err(error) = stage.provider.create(&request).await else {
        return Err(Stop::Failed("the token is declined, and it paid".into()));
    };
    let reason = error.decline().map(|decline| decline.reason);
    ensure!(
        reason == Some(DeclineReason::InsufficientFunds) && error.effect() == Effect::NotApplied,
        "the token is declined for insufficient funds, and the error is: {error}"
    );
    let Some(id) = error.payment::<Test>() else {
        return Err(Stop::Failed("the declined payment's id is lost".into()));
    };
    let payment = stage.look_for(&id).await?;
    ensure!(
        payment.reference == Some(stage.provider.reference(&request)),
        "the declined payment has another reference"
    );
    no_money(&payment)
}

pub(crate) async fn a_passed_challenge_is_captured(stage: &Stage<'_>) -> Proof {
    let request = stage.request("A-1", 2000)?;
    let payment = stage.shop(&request, Shopper::PassesChallenge).await?;
    ensure!(
        payment.status == PaymentStatus::Captured && payment.captured == stage.money(2000),
        "the bank has confirmed, and the payment is {:?}",
        payment.status
    );
    Ok(())
}

pub(crate) async fn a_failed_challenge_is_declined(stage: &Stage<'_>) -> Proof {
    let request = stage.request("A-1", 2000)?;
    let payment = stage.shop(&request, Shopper::FailsChallenge).await?;
    is_failed(&payment, DeclineReason::AuthenticationFailed)
}

pub(crate) async fn an_abandoned_challenge_is_neither_paid_nor_failed(stage: &Stage<'_>) -> Proof {
    let request = stage.request("A-1", 2000)?;
    let payment = stage.shop(&request, Shopper::LeavesChallenge).await?;
    ensure!(
        matches!(
            payment.status,
            PaymentStatus::Created | PaymentStatus::ActionRequired
        ),
        "the shopper has left, and the payment is {:?}",
        payment.status
    );
    no_money(&payment)
}

pub(crate) async fn an_expired_checkout_ends_without_money(stage: &Stage<'_>) -> Proof {
    stage.needs(Operation::CreateHosted).await?;
    stage.can_look().await?;
    let request = hosted(stage)?;
    let payment = stage.provider.create(&request).await?;
    if stage.is_offline() && payment.expires_at.is_none() {
        let why = "it is offline, and what it asks for can be paid without an end";
        return Err(Stop::Moot(why.into()));
    }
    stage.happen(Happening::CheckoutExpires(&payment))?;
    let payment = stage.look(&payment).await?;
    // Where nothing can be fetched, nobody tells of a checkout that was never begun: its time does.
    let is_over = payment.expires_at.is_some_and(|at| at <= stage.rig.now());
    let is_known = is_over && !stage.supports(Operation::FetchPayment);
    ensure!(
        payment.status == PaymentStatus::Expired || is_known,
        "the checkout's time is over, and the payment is {:?}",
        payment.status
    );
    no_money(&payment)
}

pub(crate) async fn a_slow_payment_is_pending_until_it_is_paid(stage: &Stage<'_>) -> Proof {
    let pending = slow(stage, Shopper::PaysSlowly).await?;
    stage.happen(Happening::SlowPaymentSucceeds(&pending))?;
    let paid = stage.look(&pending).await?;
    ensure!(
        paid.status == PaymentStatus::Captured && paid.captured == stage.money(2000),
        "the money has arrived, and the payment is {:?}",
        paid.status
    );
    Ok(())
}

pub(crate) async fn a_slow_payment_that_fails_took_no_money(stage: &Stage<'_>) -> Proof {
    let pending = slow(stage, Shopper::PaysSlowlyInVain).await?;
    stage.happen(Happening::SlowPaymentFails(&pending))?;
    let failed = stage.look(&pending).await?;
    ensure!(
        matches!(failed.status, PaymentStatus::Failed(_)),
        "the money has not arrived, and the payment is {:?}",
        failed.status
    );
    no_money(&failed)
}

async fn slow(stage: &Stage<'_>, shopper: Shopper) -> Proof<Payment<Test>> {
    let payment = stage.shop(&stage.request("A-1", 2000)?, shopper).await?;
    // Where nothing can be fetched, only the end of it may be told.
    let is_unheard = payment.is_checkout && !stage.supports(Operation::FetchPayment);
    ensure!(
        payment.status == PaymentStatus::Pending || is_unheard,
        "the money is under way, and the payment is {:?}",
        payment.status
    );
    no_money(&payment)?;
    Ok(payment)
}

/// Asks for 20.00 on a page of the provider's.
fn hosted(stage: &Stage<'_>) -> Proof<CreateRequest> {
    let checkout = Checkout::hosted("https://shop.example/done", "https://shop.example/cart");
    let mut request = stage.request("A-1", 2000)?;
    request.checkout = checkout;
    Ok(request)
}

/// The first attempt is declined for a reason, and the next one pays the order.
async fn is_declined(stage: &Stage<'_>, reason: DeclineReason) -> Proof {
    let first = stage.request("A-1", 2000)?;
    let declined = stage.shop(&first, Shopper::IsDeclined(reason)).await?;
    is_failed(&declined, reason)?;
    let second = first.clone().with_attempt(Attempt::FIRST.next());
    let paid = stage.shop(&second, Shopper::Pays).await?;
    ensure!(
        paid.status == PaymentStatus::Captured,
        "the next attempt is {:?}",
        paid.status
    );
    ensure!(
        stage.booked(&first)?.captured.is_zero(),
        "the declined attempt took money"
    );
    Ok(())
}

fn is_failed(payment: &Payment<Test>, reason: DeclineReason) -> Proof {
    ensure!(
        matches!(&payment.status, PaymentStatus::Failed(decline) if decline.reason == reason),
        "expected a decline for {reason:?}, and the payment is {:?}",
        payment.status
    );
    no_money(payment)
}

fn no_money(payment: &Payment<Test>) -> Proof {
    ensure!(
        payment.captured.is_zero() && payment.capturable.is_zero(),
        "no money has moved, and {} is captured, {} held",
        payment.captured,
        payment.capturable
    );
    Ok(())
}
