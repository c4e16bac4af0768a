//! Amounts that are held, taken in parts or whole, and let go.

use crate::capability::Operation;
use crate::cashier::{CommandState, Standing};
use crate::conformance::rig::Happening;
use crate::conformance::stage::{Proof, ensure, refusal};
use crate::error::Effect;
use crate::payment::PaymentStatus;
use crate::rehearsal::shop::Shop;

pub(crate) async fn s34(shop: &Shop<'_>) -> Proof {
    let (request, _) = shop.hold(2000).await?;
    if !shop.stage.provider.capabilities().partial_capture {
        return is_refused(shop, 1200).await;
    }
    let capture = shop
        .capture_request("A-1", 1200, "what is in stock")
        .await?;
    shop.cashier.capture(&capture).await?;
    shop.hear().await?;
    let short = shop.money(800);
    shop.stands("A-1", Standing::PartlyPaid { short }).await?;
    let payment = shop.payment_of("A-1").await?;
    ensure!(
        payment.capturable.is_zero(),
        "the rest was let go, and {} is still held",
        payment.capturable
    );
    shop.confirms("A-1 paid", 0).await?;
    shop.confirms("A-1 partly_paid", 1).await?;
    shop.books_agree(&request, 1200).await
}

pub(crate) async fn s35(shop: &Shop<'_>) -> Proof {
    let (request, _) = shop.hold(2000).await?;
    let first = shop
        .capture_request("A-1", 800, "parcel 1")
        .await?
        .keeping_the_rest();
    if !shop.stage.provider.capabilities().multiple_captures {
        let before = shop.stage.rig.requests();
        refusal(
            "a capture that keeps the rest",
            shop.cashier.capture(&first).await,
        )?;
        ensure!(
            shop.stage.rig.requests() == before,
            "the provider cannot capture in parts, and was asked to"
        );
        return shop.books_agree(&request, 0).await;
    }
    shop.cashier.capture(&first).await?;
    shop.hear().await?;
    shop.books_agree(&request, 800).await?;
    let much = shop.capture_request("A-1", 1201, "too much").await?;
    refusal("more than is left", shop.cashier.capture(&much).await)?;
    let rest = shop.capture_request("A-1", 1200, "parcel 2").await?;
    shop.cashier.capture(&rest).await?;
    shop.hear().await?;
    shop.is_paid().await?;
    shop.books_agree(&request, 2000).await
}

pub(crate) async fn s36(shop: &Shop<'_>) -> Proof {
    shop.hold(2000).await?;
    is_refused(shop, 2001).await
}

pub(crate) async fn s37(shop: &Shop<'_>) -> Proof {
    let (request, _) = shop.hold(2000).await?;
    let held = shop.payment_of("A-1").await?;
    let capture = shop.capture_request("A-1", 2000, "late").await?;
    shop.happen(Happening::HoldLapses(&held))?;
    // A provider that only receives the request refuses it later.
    let outcome = shop.cashier.capture(&capture).await;
    shop.hear().await?;
    if let Ok(command) = outcome {
        let record = shop.record("A-1").await?;
        let now = record.commands.iter().find(|now| now.key == command.key);
        ensure!(
            now.is_some_and(|now| now.state == CommandState::Failed),
            "a capture of what has lapsed is {now:?}"
        );
    }
    if shop.stage.supports(Operation::FetchPayment) {
        let status = shop.payment_of("A-1").await?.status;
        ensure!(
            matches!(status, PaymentStatus::Expired | PaymentStatus::Canceled),
            "the hold has lapsed, and the payment is {status:?}"
        );
        shop.stands("A-1", Standing::Unpaid).await?;
    }
    shop.confirms("A-1 paid", 0).await?;
    shop.books_agree(&request, 0).await
}

pub(crate) async fn s38(shop: &Shop<'_>) -> Proof {
    let (request, held) = shop.hold(2000).await?;
    shop.stage.needs(Operation::Void).await?;
    shop.cashier.void(&held.id).await?;
    shop.hear().await?;
    let status = shop.payment_of("A-1").await?.status;
    ensure!(
        status == PaymentStatus::Canceled,
        "it was voided, and the payment is {status:?}"
    );
    let capture = shop.capture_request("A-1", 2000, "late").await?;
    let error = refusal(
        "a capture of what was voided",
        shop.cashier.capture(&capture).await,
    )?;
    ensure!(
        error.effect() == Effect::NotApplied,
        "nothing can have moved, and the error says: {error}"
    );
    shop.books_agree(&request, 0).await
}

/// Such a capture is refused here: the provider may be asked how it stands, and takes nothing.
async fn is_refused(shop: &Shop<'_>, minor: i64) -> Proof {
    let capture = shop.capture_request("A-1", minor, "odd").await?;
    let error = refusal("the capture", shop.cashier.capture(&capture).await)?;
    ensure!(
        error.effect() == Effect::NotApplied,
        "nothing can have moved, and the error says: {error}"
    );
    let held = shop.payment_of("A-1").await?;
    ensure!(
        held.status == PaymentStatus::Authorized && held.capturable == shop.money(2000),
        "the hold is gone: {:?}, {}",
        held.status,
        held.capturable
    );
    Ok(())
}
