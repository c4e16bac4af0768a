//! Webhooks that must not be believed, and bodies that must not be a danger.

use std::time::Duration;

use crate::capability::Operation;
use crate::clock::Timestamp;
use crate::conformance::rig::{SignedWith, Unable};
use crate::conformance::stage::{Proof, Stage, Stop, ensure, webhook_refusal};
use crate::mode::Test;
use crate::webhook::{
    Authenticity, Event, EventKind, MAX_BODY_BYTES, WebhookRefusalKind, WebhookRequest,
};

/// Longer than any provider's tolerance.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) async fn an_altered_byte_is_refused(stage: &Stage<'_>) -> Proof {
    let webhook = stage.genuine_webhook().await?;
    let proves = stage.provider.capabilities().webhook_authenticity;
    let genuine = facts(&stage.verify(std::slice::from_ref(&webhook)).await?);
    for place in 0..webhook.body().len() {
        let mut body = webhook.body().to_vec();
        let Some(byte) = body.get_mut(place) else {
            continue;
        };
        *byte ^= 1;
        let altered = WebhookRequest::new(webhook.headers().clone(), body);
        match stage.provider.webhook(&altered).await {
            Ok(delivery) => {
                // A signature that leaves the body out cannot tell; then each event must say so.
                // One that leaves out what moves no money must let nothing else pass.
                let events = &delivery.events;
                let all_say_so = events.iter().all(|event| event.authenticity() == proves);
                let is_harmless = match proves {
                    Authenticity::HeaderOnly => true,
                    Authenticity::Facts => events.is_empty() || facts(events) == genuine,
                    Authenticity::Body => false,
                };
                ensure!(
                    is_harmless && all_say_so,
                    "byte {place} was altered, and the notice was believed"
                );
            }
            refused => drop(webhook_refusal("an altered notice", refused)?),
        }
    }
    Ok(())
}

/// What moves money in these events.
fn facts(events: &[Event<Test>]) -> Vec<String> {
    let facts = events.iter().map(|event| {
        let what = match event.kind() {
            EventKind::Payment(payment) => {
                let status = std::mem::discriminant(&payment.status);
                let money = (payment.amount, payment.captured, payment.capturable);
                format!(
                    "{} {status:?} {money:?} {:?}",
                    payment.id, payment.reference
                )
            }
            EventKind::Capture(c) => {
                format!("{} {} {} {:?}", c.id, c.payment, c.amount, c.status)
            }
            EventKind::Refund(r) => {
                format!("{} {} {} {:?}", r.id, r.payment, r.amount, r.status)
            }
            EventKind::Dispute(d) => format!("{} {} {}", d.id, d.payment, d.amount),
            other => format!("{other:?}"),
        };
        format!("{} {what}", event.id())
    });
    facts.collect()
}

pub(crate) async fn another_secret_is_refused(stage: &Stage<'_>) -> Proof {
    let genuine = stage.genuine_webhook().await?;
    let forged = sign(stage, genuine.body(), now(stage), SignedWith::AnotherSecret)?;
    refused_as(stage, &forged, WebhookRefusalKind::WrongSignature).await
}

pub(crate) async fn a_stale_notice_is_refused(stage: &Stage<'_>) -> Proof {
    let genuine = stage.genuine_webhook().await?;
    let then = now(stage).saturating_sub(A_DAY);
    let stale = sign(stage, genuine.body(), then, SignedWith::TheEndpointsSecret)?;
    refused_as(stage, &stale, WebhookRefusalKind::Stale).await
}

pub(crate) async fn a_notice_from_the_future_is_refused(stage: &Stage<'_>) -> Proof {
    let genuine = stage.genuine_webhook().await?;
    let then = now(stage).saturating_add(A_DAY);
    let early = sign(stage, genuine.body(), then, SignedWith::TheEndpointsSecret)?;
    refused_as(stage, &early, WebhookRefusalKind::Future).await
}

pub(crate) async fn a_missing_signature_is_refused(stage: &Stage<'_>) -> Proof {
    let genuine = stage.genuine_webhook().await?;
    let unsigned = sign(stage, genuine.body(), now(stage), SignedWith::Nothing)?;
    refused_as(stage, &unsigned, WebhookRefusalKind::MissingSignature).await
}

pub(crate) async fn a_doubled_signature_is_refused(stage: &Stage<'_>) -> Proof {
    let genuine = stage.genuine_webhook().await?;
    let forged = sign(stage, genuine.body(), now(stage), SignedWith::AnotherSecret)?;
    let mut headers = genuine.headers().clone();
    for (name, value) in forged.headers() {
        if genuine.headers().get(name) != Some(value) {
            headers.append(name, value.clone());
        }
    }
    if headers.len() == genuine.headers().len() {
        let why = "no header differs between a genuine and a forged notice";
        return Err(Stop::NotProven(why.into()));
    }
    let doubled = WebhookRequest::new(headers, genuine.body().to_vec());
    webhook_refusal(
        "a doubled signature",
        stage.provider.webhook(&doubled).await,
    )?;
    Ok(())
}

pub(crate) async fn an_empty_body_is_refused(stage: &Stage<'_>) -> Proof {
    stage.needs(Operation::VerifyWebhook).await?;
    signed_and_not_read(stage, b"").await
}

pub(crate) async fn an_oversized_body_is_refused(stage: &Stage<'_>) -> Proof {
    stage.needs(Operation::VerifyWebhook).await?;
    let body = vec![b' '; MAX_BODY_BYTES + 1];
    let oversized = sign(stage, &body, now(stage), SignedWith::TheEndpointsSecret)?;
    refused_as(stage, &oversized, WebhookRefusalKind::TooLarge).await
}

pub(crate) async fn a_body_that_is_not_utf8_is_not_read(stage: &Stage<'_>) -> Proof {
    let genuine = stage.genuine_webhook().await?;
    signed_and_not_read(stage, &[b"\xff\xfe", genuine.body()].concat()).await
}

pub(crate) async fn a_truncated_body_is_not_read(stage: &Stage<'_>) -> Proof {
    let genuine = stage.genuine_webhook().await?;
    for kept in [1, genuine.body().len() / 2, genuine.body().len() - 1] {
        let body: Vec<u8> = genuine.body().iter().copied().take(kept).collect();
        signed_and_not_read(stage, &body).await?;
    }
    Ok(())
}

pub(crate) async fn a_deeply_nested_body_is_not_read(stage: &Stage<'_>) -> Proof {
    stage.needs(Operation::VerifyWebhook).await?;
    signed_and_not_read(stage, "[".repeat(100_000).as_bytes()).await?;
    signed_and_not_read(stage, r#"{"data":"#.repeat(100_000).as_bytes()).await
}

/// A body that the provider's own secret has signed, and that is still no notice: it is kept as
/// unreadable, or refused.
async fn signed_and_not_read(stage: &Stage<'_>, body: &[u8]) -> Proof {
    let signed = sign(stage, body, now(stage), SignedWith::TheEndpointsSecret)?;
    let outcome = match stage.provider.webhook(&signed).await {
        Ok(delivery) => {
            let mut events = delivery.events.iter();
            let read = events.find(|event| !matches!(event.kind(), EventKind::Unreadable(_)));
            ensure!(
                read.is_none() && delivery.set_aside.is_empty(),
                "a body that is no notice was read as one"
            );
            return Ok(());
        }
        refused => refused,
    };
    webhook_refusal("an unreadable body", outcome)?;
    Ok(())
}

async fn refused_as(
    stage: &Stage<'_>,
    webhook: &WebhookRequest,
    kind: WebhookRefusalKind,
) -> Proof {
    let refusal = webhook_refusal("it", stage.provider.webhook(webhook).await)?;
    ensure!(
        refusal.kind() == kind,
        "expected a refusal as {}, got: {refusal}",
        kind.name()
    );
    Ok(())
}

fn sign(
    stage: &Stage<'_>,
    body: &[u8],
    at: Timestamp,
    secret: SignedWith,
) -> Proof<WebhookRequest> {
    let signed = stage.rig.sign(body, at, secret);
    signed.map_err(|Unable| Stop::NotProven(format!("the rig cannot sign with {secret:?} at {at}")))
}

fn now(stage: &Stage<'_>) -> Timestamp {
    stage.rig.now()
}
