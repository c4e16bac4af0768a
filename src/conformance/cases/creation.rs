//! One attempt is one payment, known by its reference.

use futures_util::future::join;

use crate::capability::Operation;
use crate::conformance::rig::Shopper;
use crate::conformance::stage::{Proof, Stage, Stop, ensure, refusal};
use crate::error::{Effect, Error, ErrorKind};
use crate::id::Attempt;
use crate::money::{Currency, Money};
use crate::request::CreateRequest;

pub(crate) async fn the_same_attempt_twice_is_one_payment(stage: &Stage<'_>) -> Proof {
    stage.needs_idempotent_writes()?;
    let request = stage.request("A-1", 2000)?;
    let first = stage.provider.create(&request).await?;
    let second = stage.provider.create(&request).await?;
    ensure!(
        first.is_same_as(&second),
        "one attempt became {} and {}",
        first.id,
        second.id
    );
    stage.booked(&request)?;
    Ok(())
}

pub(crate) async fn the_same_attempt_twice_at_once_is_one_payment(stage: &Stage<'_>) -> Proof {
    stage.needs_idempotent_writes()?;
    let request = stage.request("A-1", 2000)?;
    // Two clicks: one may be told to wait, and then asks again.
    let clicks = join(
        stage.provider.create(&request),
        stage.provider.create(&request),
    );
    let (one, other) = clicks.await;
    ensure!(one.is_ok() || other.is_ok(), "both were refused: {one:?}");
    for error in [one, other].into_iter().filter_map(Result::err) {
        ensure!(
            error.decline().is_none(),
            "the shopper is blamed for a second click: {error}"
        );
    }
    stage.booked(&request)?;
    Ok(())
}

pub(crate) async fn the_same_attempt_with_another_amount_is_refused_before_io(
    stage: &Stage<'_>,
) -> Proof {
    let request = stage.request("A-1", 2000)?;
    stage.provider.create(&request).await?;
    let changed = stage.request("A-1", 2100)?;
    let error = error_before_io(stage, &changed).await?;
    // What was sent before may have moved money: the host must look before it tries anew.
    ensure!(
        *error.kind() == ErrorKind::Conflict && error.effect() == Effect::Unknown,
        "another amount for the attempt ended in: {error}"
    );
    ensure!(
        stage.booked(&request)?.amount == stage.money(2000),
        "the payment has another amount than it was created with"
    );
    Ok(())
}

pub(crate) async fn a_restarted_host_cannot_charge_another_amount_for_an_attempt(
    stage: &Stage<'_>,
) -> Proof {
    stage.needs_idempotent_writes()?;
    let request = stage.request("A-1", 2000)?;
    stage.provider.create(&request).await?;
    let restarted = stage.rig.provider(stage.provider.namespace());
    let changed = stage.request("A-1", 2100)?;
    let error = refusal("another amount", restarted.create(&changed).await)?;
    ensure!(
        error.decline().is_none(),
        "the shopper is blamed for it: {error}"
    );
    ensure!(
        stage.booked(&request)?.amount == stage.money(2000),
        "the payment has another amount than it was created with"
    );
    Ok(())
}

pub(crate) async fn the_next_attempt_is_another_payment(stage: &Stage<'_>) -> Proof {
    let first = stage.request("A-1", 2000)?;
    let second = first.clone().with_attempt(Attempt::FIRST.next());
    let one = stage.provider.create(&first).await?;
    let other = stage.provider.create(&second).await?;
    ensure!(
        !one.is_same_as(&other),
        "two attempts became one payment, {}",
        one.id
    );
    stage.booked(&first)?;
    stage.booked(&second)?;
    Ok(())
}

pub(crate) async fn the_reference_comes_back_on_every_fetch(stage: &Stage<'_>) -> Proof {
    stage.can_look().await?;
    // Whatever an order is called, its reference comes back.
    for order in ["A-1", "a:b:c", "7/4 & é?#%"] {
        let request = stage.request(order, 2000)?;
        let reference = stage.provider.reference(&request);
        let created = stage.provider.create(&request).await?;
        let looked_at = stage.look(&created).await?;
        for payment in [created, looked_at] {
            ensure!(
                payment.reference.as_ref() == Some(&reference),
                "{reference} came back as {:?}",
                payment.reference
            );
        }
        if stage.supports(Operation::FindPayments) {
            let found = stage.provider.find_payments(&reference).await?;
            ensure!(
                found.len() == 1,
                "{reference} finds {} payments",
                found.len()
            );
        }
    }
    Ok(())
}

pub(crate) async fn every_alias_leads_to_the_same_payment(stage: &Stage<'_>) -> Proof {
    stage.needs(Operation::FetchPayment).await?;
    let request = stage.request("A-1", 2000)?;
    let before = stage.provider.create(&request).await?;
    let paid = if stage.hosts() {
        stage.act(&before, Shopper::Pays)?;
        stage.go_on(&request, &before).await?
    } else {
        before.clone()
    };
    for id in before.ids().chain(paid.ids()) {
        let fetched = stage.provider.fetch_payment(id).await?;
        ensure!(
            fetched.is_same_as(&paid) && fetched.captured == paid.captured,
            "{id} and {} are one payment and are not seen as one",
            paid.id
        );
    }
    Ok(())
}

pub(crate) async fn a_card_number_in_a_description_is_refused_before_io(
    stage: &Stage<'_>,
) -> Proof {
    let request = stage.request("A-1", 2000)?;
    let request = request.with_description("card 4242 4242 4242 4242");
    refused_before_io(stage, &request, ErrorKind::InvalidRequest).await
}

pub(crate) async fn a_currency_that_is_not_taken_is_refused_before_io(stage: &Stage<'_>) -> Proof {
    let Some(taken) = &stage.provider.capabilities().currencies else {
        let why = "the account decides on currencies, and not the provider";
        return Err(Stop::Moot(why.into()));
    };
    let all = [Currency::EUR, Currency::USD, Currency::ISK, Currency::OMR];
    let Some(other) = all.into_iter().find(|currency| !taken.contains(currency)) else {
        return Err(Stop::Moot("it takes every currency tried".into()));
    };
    let request = stage.request_money("A-1", Money::new(2000, other))?;
    refused_before_io(stage, &request, ErrorKind::Unsupported).await
}

async fn refused_before_io(stage: &Stage<'_>, request: &CreateRequest, kind: ErrorKind) -> Proof {
    let error = error_before_io(stage, request).await?;
    ensure!(
        *error.kind() == kind && error.effect() == Effect::NotApplied,
        "expected {}, got: {error}",
        kind.name()
    );
    Ok(())
}

async fn error_before_io(stage: &Stage<'_>, request: &CreateRequest) -> Proof<Error> {
    let before = stage.rig.requests();
    let error = refusal("the request", stage.provider.create(request).await)?;
    let sent = stage.rig.requests() - before;
    ensure!(sent == 0, "it was refused after {sent} requests");
    Ok(error)
}
