//! Genuine webhooks: doubled, disordered, early, late, lost, and not for this shop.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join;

use super::forgeries::paid_but_unheard;
use crate::capability::Operation;
use crate::cashier::{MemoryStore, Standing, Store};
use crate::conformance::rig::{Happening, Shopper, SignedWith, Unable, UnusualNotice};
use crate::conformance::stage::{Proof, Stop, ensure};
use crate::id::Namespace;
use crate::mode::{ModeKind, Test};
use crate::payment::PaymentStatus;
use crate::rehearsal::shop::{News, Shop};
use crate::rehearsal::store::{Breaks, BrittleStore};
use crate::webhook::{Event, EventKind, SetAsideReason, WebhookRefusalKind, WebhookRequest};

pub(crate) async fn s19(shop: &Shop<'_>) -> Proof {
    let webhook = paid_but_unheard(shop).await?;
    let (one, other) = join(shop.receive(&webhook), shop.receive(&webhook)).await;
    let changed = one?.len() + other?.len();
    ensure!(
        changed == 1,
        "of two at once, {changed} have changed the order"
    );
    shop.receive(&webhook).await?;
    shop.is_paid().await
}

pub(crate) async fn s20(shop: &Shop<'_>) -> Proof {
    shop.needs_webhooks().await?;
    let (request, begun) = shop.sell(2000, Shopper::Pays).await?;
    // Where the shop completes a payment, another node of it has done so.
    let payment = shop.stage.go_on(&request, &begun).await?;
    ensure!(
        payment.status == PaymentStatus::Captured,
        "the shopper paid, and the payment is {:?}",
        payment.status
    );
    if shop.stage.supports(Operation::Refund) {
        shop.stage.refund(&payment, 500, "goodwill").await??;
    }
    let mut webhooks = shop.stage.webhooks();
    webhooks.reverse();
    for webhook in webhooks.iter().chain(&webhooks) {
        shop.receive(webhook).await?;
    }
    if !shop.stage.supports(Operation::FetchPayment) {
        // News of a refund waits until its payment is known, and is taken in by the next sweep.
        shop.happen(Happening::TimePasses(Duration::from_secs(3600)))?;
        shop.cashier.sweep().await?;
    }
    shop.confirms("A-1 paid", 1).await?;
    let left = if shop.stage.supports(Operation::Refund) {
        1500
    } else {
        2000
    };
    shop.books_agree(&request, left).await
}

pub(crate) async fn s21(shop: &Shop<'_>) -> Proof {
    shop.needs_webhooks().await?;
    // Another node has begun it, and the order reaches this store after the webhook.
    let request = shop.stage.request("A-1", 2000)?;
    shop.stage.shop(&request, Shopper::Pays).await?;
    shop.hear().await?;
    shop.confirms("A-1", 0).await?;
    shop.place(&request).await?;
    shop.is_paid().await
}

pub(crate) async fn s22(shop: &Shop<'_>) -> Proof {
    let request = shop.stage.request("A-1", 2000)?;
    shop.place(&request).await?;
    shop.cashier.close(&request.order).await?;
    // A page that was opened before, on another node, is paid after all.
    shop.stage.shop(&request, Shopper::Pays).await?;
    let webhooks = shop.stage.webhooks();
    shop.happen(Happening::TimePasses(Duration::from_secs(3 * 86_400)))?;
    for webhook in &webhooks {
        let signed = shop.stage.rig.sign(
            webhook.body(),
            shop.stage.rig.now(),
            SignedWith::TheEndpointsSecret,
        );
        let signed =
            signed.map_err(|Unable| Stop::NotProven("the rig cannot sign a webhook".into()))?;
        shop.receive(&signed).await?;
    }
    let received = shop.money(2000);
    shop.stands("A-1", Standing::PaidAfterClose { received })
        .await?;
    shop.confirms("A-1 paid_after_close", 1).await?;
    shop.confirms("A-1 needs_a_person:paid_after_close", 1)
        .await?;
    let confirmed = shop.confirmed().await?;
    ensure!(
        !confirmed.contains(&"A-1 paid".to_owned()),
        "a closed order would be delivered: {confirmed:?}"
    );
    Ok(())
}

pub(crate) async fn s23(shop: &Shop<'_>) -> Proof {
    shop.stage.needs(Operation::FetchPayment).await?;
    let (request, _) = shop.sell(2000, Shopper::Pays).await?;
    drop(shop.stage.webhooks());
    shop.happen(Happening::TimePasses(Duration::from_secs(1800)))?;
    while shop.cashier.sweep().await?.has_more {}
    shop.is_paid().await?;
    shop.books_agree(&request, 2000).await
}

pub(crate) async fn s29(shop: &Shop<'_>) -> Proof {
    let webhook = paid_but_unheard(shop).await?;
    let live = shop
        .stage
        .rig
        .live_provider(shop.stage.provider.namespace());
    let test_mode = SetAsideReason::WrongMode {
        found: ModeKind::Test,
    };
    let heard = live.webhook(&webhook).await;
    let is_kept_out = match &heard {
        Ok(delivery) => {
            let mut aside = delivery.set_aside.iter();
            delivery.events.is_empty()
                && !delivery.set_aside.is_empty()
                && aside.all(|aside| aside.reason == test_mode)
        }
        // Where the mode stands in what the signature is checked by, nothing else can be checked.
        Err(refusal) => refusal.kind() == WebhookRefusalKind::OtherMode,
    };
    ensure!(
        is_kept_out,
        "the live endpoint has made of a test event: {heard:?}"
    );
    // And the other way round.
    shop.receive(&webhook).await?;
    let payment = shop.payment_of("A-1").await?;
    let (other, _) = shop.sell_as("A-2", 3000, Shopper::LeavesChallenge).await?;
    let body = notice(shop, UnusualNotice::OfLiveMode(&payment))?;
    let received = shop.cashier.receive(&body).await;
    ensure!(
        received.orders.is_empty(),
        "a live event has changed {:?}",
        received.orders
    );
    shop.books_agree(&other, 0).await
}

pub(crate) async fn s30(shop: &Shop<'_>) -> Proof {
    shop.needs_webhooks().await?;
    // A second shop of the same company, on the same account, with an order of the same name.
    let other = shop.stage.rig.provider(&Namespace::new("other-shop")?);
    let request = shop.stage.request("A-1", 2000)?;
    shop.place(&request).await?;
    let theirs = other.create(&request).await?;
    if shop.stage.hosts() {
        shop.stage.act(&theirs, Shopper::Pays)?;
    }
    for webhook in shop.stage.webhooks() {
        let changed = shop.receive(&webhook).await?;
        ensure!(
            changed.is_empty(),
            "another shop's payment was taken into {changed:?}"
        );
    }
    shop.stands("A-1", Standing::Unpaid).await
}

pub(crate) async fn s31(shop: &Shop<'_>) -> Proof {
    shop.needs_webhooks().await?;
    let (_, payment) = shop.sell(2000, Shopper::LeavesChallenge).await?;
    shop.hear().await?;
    let before = shop.record("A-1").await?.standing();
    for odd in [
        UnusualNotice::UnknownType,
        UnusualNotice::NotAboutPayments,
        UnusualNotice::UnknownStatus(&payment),
    ] {
        shop.receive(&notice(shop, odd)?).await?;
    }
    let record = shop.record("A-1").await?;
    ensure!(
        record.paid_at.is_none()
            && !matches!(record.standing(), Standing::Paid | Standing::Authorized),
        "what nobody understands was read as {:?}, after {before:?}",
        record.standing()
    );
    let failed = record.payments.iter().filter_map(|p| p.ledger.payment());
    let failed = failed.filter(|payment| matches!(payment.status, PaymentStatus::Failed(_)));
    ensure!(
        failed.count() == 0,
        "an unknown status was read as a failure"
    );
    shop.confirms("A-1 paid", 0).await
}

pub(crate) async fn s32(shop: &Shop<'_>) -> Proof {
    shop.needs_webhooks().await?;
    let kept: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let open = Shop::open_on(shop.stage.rig, News::Webhooks, Arc::clone(&kept)).await?;
    let webhook = paid_but_unheard(&open).await?;
    let broken = Arc::new(BrittleStore::new(Arc::clone(&kept), Breaks::Before, 0));
    let down = Shop::open_on(shop.stage.rig, News::Webhooks, broken as _).await?;
    let received = down.cashier.receive(&webhook).await;
    ensure!(
        (500..600).contains(&received.answer),
        "the event is not stored, and the provider was answered {}",
        received.answer
    );
    open.receive(&webhook).await?;
    open.is_paid().await
}

pub(crate) async fn s33(shop: &Shop<'_>) -> Proof {
    let genuine = paid_but_unheard(shop).await?;
    let payment = shop.payment_of("A-1").await?;
    let mixed = notice(shop, UnusualNotice::WithABadItem(&payment))?;
    let received = shop.cashier.receive(&mixed).await;
    if (200..300).contains(&received.answer) {
        let is_kept = |event: &Event<Test>| matches!(event.kind(), EventKind::Unreadable(_));
        ensure!(
            received.events.iter().any(is_kept),
            "one item cannot be read and is not kept, and the answer was {}",
            received.answer
        );
        // The good one was taken in beside it, and is so once.
        shop.receive(&mixed).await?;
        return shop.is_paid().await;
    }
    shop.receive(&genuine).await?;
    shop.is_paid().await
}

/// A genuine but unusual webhook.
fn notice(shop: &Shop<'_>, notice: UnusualNotice<'_>) -> Proof<WebhookRequest> {
    let rig = shop.stage.rig;
    let unable = |Unable| {
        let what = format!("{notice:?}");
        let what = what.split('(').next().unwrap_or_default();
        Stop::NotProven(format!("the rig has no notice {what}"))
    };
    let body = rig.unusual_notice(notice).map_err(unable)?;
    let signed = rig.sign(&body, rig.now(), SignedWith::TheEndpointsSecret);
    signed.map_err(unable)
}
