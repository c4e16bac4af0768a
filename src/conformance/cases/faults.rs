//! Faults on the way: what is not known is not called a failure, and nothing happens twice.

use crate::capability::Operation;
use crate::conformance::rig::{Fault, Strikes};
use crate::conformance::stage::{Proof, Stage, ensure, is_in_doubt, refusal};
use crate::error::{Effect, ErrorKind};

pub(crate) async fn a_request_lost_before_processing_can_be_sent_again(stage: &Stage<'_>) -> Proof {
    create_through(stage, Fault::LostBefore, 0).await
}

pub(crate) async fn an_answer_lost_after_processing_is_unknown_and_found(
    stage: &Stage<'_>,
) -> Proof {
    create_through(stage, Fault::LostAfter, 1).await
}

pub(crate) async fn a_server_error_before_processing_is_never_a_decline(
    stage: &Stage<'_>,
) -> Proof {
    create_through(stage, Fault::ServerErrorBefore, 0).await
}

pub(crate) async fn a_server_error_after_processing_is_unknown_and_found(
    stage: &Stage<'_>,
) -> Proof {
    create_through(stage, Fault::ServerErrorAfter, 1).await
}

pub(crate) async fn a_rate_limit_is_waited_out_under_the_same_key(stage: &Stage<'_>) -> Proof {
    let request = stage.request("A-1", 2000)?;
    stage.fault(Fault::RateLimited, Strikes::Writes, 1)?;
    // The provider may wait by itself, or tell the host to.
    if let Err(error) = stage.provider.create(&request).await {
        ensure!(
            matches!(error.kind(), ErrorKind::RateLimited { .. })
                && error.effect() == Effect::NotApplied,
            "a rate limit ended in: {error}"
        );
        stage.provider.create(&request).await?;
    }
    stage.booked(&request)?;
    Ok(())
}

pub(crate) async fn a_lost_read_moves_nothing(stage: &Stage<'_>) -> Proof {
    let (_, payment) = stage.paid(2000).await?;
    stage.fault(Fault::LostBefore, Strikes::Reads, usize::MAX)?;
    let read = if stage.supports(Operation::FetchPayment) {
        stage.provider.fetch_payment(&payment.id).await.map(drop)
    } else {
        stage.needs(Operation::Account).await?;
        stage.provider.account().await.map(drop)
    };
    let error = refusal("a lost read", read)?;
    ensure!(
        *error.kind() == ErrorKind::Unavailable && error.effect() == Effect::NotApplied,
        "reading moves no money, and a lost read ended in: {error}"
    );
    Ok(())
}

pub(crate) async fn a_wrong_key_is_the_operators_to_mend(stage: &Stage<'_>) -> Proof {
    stage.needs_requests()?;
    let provider = stage
        .rig
        .provider_with_wrong_key(stage.provider.namespace());
    let created = provider.create(&stage.request("A-1", 2000)?).await;
    let error = refusal("a wrong key", created)?;
    ensure!(
        *error.kind() == ErrorKind::Credentials && error.effect() == Effect::NotApplied,
        "a wrong key ended in: {error}"
    );
    Ok(())
}

/// Creates a payment while every write meets a fault; the service has made `made` payments when it
/// ends. Then the outcome is found out, and one payment stands.
async fn create_through(stage: &Stage<'_>, fault: Fault, made: usize) -> Proof {
    let request = stage.request("A-1", 2000)?;
    stage.fault_every_write(fault)?;
    is_in_doubt(stage.provider.create(&request).await)?;
    stage.mend(fault)?;
    if stage.supports(Operation::FindPayments) {
        let reference = stage.provider.reference(&request);
        let found = stage.provider.find_payments(&reference).await?;
        ensure!(
            found.len() == made,
            "the service has {made} payments of {reference}, and {} are found",
            found.len()
        );
    }
    // A key that the service has acted on is answered, not acted on again; it may answer with the
    // stored error.
    if made == 0 || stage.provider.capabilities().idempotent_writes {
        let again = stage.provider.create(&request).await;
        ensure!(
            made == 1 || again.is_ok(),
            "the way is clear again, and creating ended in: {again:?}"
        );
    }
    stage.booked(&request)?;
    Ok(())
}
