//! Webhooks that nobody may believe.

use std::time::Duration;

use crate::capability::Operation;
use crate::cashier::Standing;
use crate::conformance::rig::{Shopper, SignedWith, Unable};
use crate::conformance::stage::{Proof, Stop, ensure};
use crate::rehearsal::shop::Shop;
use crate::webhook::{WebhookRefusalKind, WebhookRequest};

pub(crate) async fn s24(shop: &Shop<'_>) -> Proof {
    let genuine = paid_but_unheard(shop).await?;
    for by in [SignedWith::AnotherSecret, SignedWith::Nothing] {
        let forged = sign(shop, &genuine, 0, by)?;
        is_refused(shop, &forged).await?;
    }
    takes(shop, &genuine).await
}

pub(crate) async fn s25(shop: &Shop<'_>) -> Proof {
    let genuine = paid_but_unheard(shop).await?;
    let body = genuine.body();
    for at in [
        0,
        body.len() / 3,
        body.len() / 2,
        body.len().saturating_sub(2),
    ] {
        let mut altered = body.to_vec();
        if let Some(byte) = altered.get_mut(at) {
            *byte ^= 1;
        }
        let altered = WebhookRequest::new(genuine.headers().clone(), altered);
        is_refused(shop, &altered).await?;
    }
    takes(shop, &genuine).await
}

pub(crate) async fn s26(shop: &Shop<'_>) -> Proof {
    let genuine = paid_but_unheard(shop).await?;
    for (late_by, expected) in [
        (-3600, WebhookRefusalKind::Stale),
        (3600, WebhookRefusalKind::Future),
    ] {
        let signed = sign(shop, &genuine, late_by, SignedWith::TheEndpointsSecret)?;
        is_refused(shop, &signed).await?;
        let refusal = shop.stage.provider.webhook(&signed).await;
        let kind = refusal.map(drop).map_err(|refusal| refusal.kind());
        ensure!(
            kind == Err(expected),
            "it was signed {late_by} s from now, and the refusal is {kind:?}"
        );
    }
    takes(shop, &genuine).await
}

pub(crate) async fn s27(shop: &Shop<'_>) -> Proof {
    let genuine = paid_but_unheard(shop).await?;
    let (old, new) = (SignedWith::TheEndpointsSecret, SignedWith::AnotherSecret);
    let by_new = sign(shop, &genuine, 0, new)?;
    let namespace = shop.stage.provider.namespace();
    let trusting = |secrets: &[SignedWith]| {
        let provider = shop.stage.rig.provider_trusting(namespace, secrets);
        provider.map_err(|Unable| Stop::NotProven("the rig cannot rotate a secret".into()))
    };
    let during = trusting(&[new, old])?;
    for webhook in [&genuine, &by_new] {
        let delivery = during.webhook(webhook).await?;
        ensure!(
            !delivery.events.is_empty(),
            "a webhook was lost in the rotation"
        );
    }
    let after = trusting(&[new])?;
    ensure!(
        after.webhook(&by_new).await.is_ok(),
        "the new secret is not trusted after the rotation"
    );
    ensure!(
        after.webhook(&genuine).await.is_err(),
        "the old secret is still trusted after the rotation"
    );
    Ok(())
}

pub(crate) async fn s28(shop: &Shop<'_>) -> Proof {
    let started = shop
        .stage
        .rig
        .provider_without_secret(shop.stage.provider.namespace());
    let started =
        started.map_err(|Unable| Stop::NotProven("the rig cannot leave the secret out".into()))?;
    if let Ok(provider) = started {
        let genuine = paid_but_unheard(shop).await?;
        let unsigned = sign(shop, &genuine, 0, SignedWith::Nothing)?;
        for webhook in [genuine, unsigned] {
            ensure!(
                provider.webhook(&webhook).await.is_err(),
                "without a secret every webhook is believed"
            );
        }
    }
    Ok(())
}

/// A webhook that says that the order `A-1` is paid, which the shop has not received yet.
pub(super) async fn paid_but_unheard(shop: &Shop<'_>) -> Proof<WebhookRequest> {
    shop.needs_webhooks().await?;
    let (request, payment) = shop.sell(2000, Shopper::Pays).await?;
    if shop.stage.supports(Operation::Complete) {
        shop.stage.go_on(&request, &payment).await?;
    }
    for times in 0.. {
        for webhook in shop.stage.webhooks() {
            let delivery = shop.stage.provider.webhook(&webhook).await?;
            let says_paid = delivery.events.iter().any(|event| {
                let payment = event.payment();
                payment.is_some_and(|payment| payment.captured == shop.money(2000))
            });
            if says_paid {
                return Ok(webhook);
            }
        }
        if !shop.stage.rig.waits(times) {
            break;
        }
    }
    Err(Stop::NotProven("no webhook says that it is paid".into()))
}

fn sign(
    shop: &Shop<'_>,
    webhook: &WebhookRequest,
    seconds: i64,
    by: SignedWith,
) -> Proof<WebhookRequest> {
    let apart = Duration::from_secs(seconds.unsigned_abs());
    let now = shop.stage.rig.now();
    let at = if seconds < 0 {
        now.saturating_sub(apart)
    } else {
        now.saturating_add(apart)
    };
    let signed = shop.stage.rig.sign(webhook.body(), at, by);
    signed.map_err(|Unable| {
        Stop::NotProven(format!(
            "the rig cannot sign a webhook {seconds} s from now"
        ))
    })
}

/// The webhook is not acknowledged, and changes nothing.
async fn is_refused(shop: &Shop<'_>, webhook: &WebhookRequest) -> Proof {
    let received = shop.cashier.receive(webhook).await;
    ensure!(
        (400..600).contains(&received.answer) && received.orders.is_empty(),
        "a webhook that is not genuine was answered {}",
        received.answer
    );
    if shop.stage.hosts() {
        shop.stands("A-1", Standing::Unpaid).await?;
        shop.confirms("A-1 paid", 0).await?;
    }
    Ok(())
}

/// The genuine one is still taken.
async fn takes(shop: &Shop<'_>, genuine: &WebhookRequest) -> Proof {
    shop.receive(genuine).await?;
    shop.is_paid().await
}
