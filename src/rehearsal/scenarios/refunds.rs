//! Money that goes back: refunds of every end, and disputes.

use std::time::Duration;

use futures_util::future::join;

use crate::capability::Operation;
use crate::cashier::{CommandState, Standing};
use crate::conformance::rig::{Fault, Happening, Shopper};
use crate::conformance::stage::{Proof, Stop, ensure, is_in_doubt, refusal};
use crate::error::{Effect, ErrorKind};
use crate::id::CommandId;
use crate::mode::Test;
use crate::money::PositiveMoney;
use crate::refund::Refund;
use crate::rehearsal::shop::Shop;
use crate::request::{CreateRequest, RefundRequest};

pub(crate) async fn s39(shop: &Shop<'_>) -> Proof {
    shop.stage.needs(Operation::Refund).await?;
    let request = paid(shop, Shopper::Pays).await?;
    if shop.stage.provider.capabilities().partial_refunds {
        shop.refund("A-1", 500, "first").await??;
        shop.refund("A-1", 700, "second").await??;
        shop.hear().await?;
        let left = shop.money(800);
        shop.stands("A-1", Standing::Reversed { left }).await?;
        shop.books_agree(&request, 800).await?;
        shop.refund("A-1", 800, "rest").await??;
    } else {
        shop.refund("A-1", 2000, "all").await??;
    }
    shop.hear().await?;
    let left = shop.money(0);
    shop.stands("A-1", Standing::Reversed { left }).await?;
    shop.books_agree(&request, 0).await
}

pub(crate) async fn s40(shop: &Shop<'_>) -> Proof {
    shop.stage.needs(Operation::Refund).await?;
    let request = paid(shop, Shopper::Pays).await?;
    let before = shop.stage.rig.requests();
    let error = refusal(
        "more than was paid",
        shop.refund("A-1", 2001, "much").await?,
    )?;
    ensure!(
        *error.kind() == ErrorKind::InvalidRequest && error.effect() == Effect::NotApplied,
        "more than was paid: {error}"
    );
    ensure!(
        shop.stage.rig.requests() == before,
        "the provider was asked"
    );
    let (one, other) = join(
        shop.refund("A-1", 1200, "by Ann"),
        shop.refund("A-1", 1200, "by Bob"),
    )
    .await;
    let done = [one?, other?].into_iter().filter(Result::is_ok).count();
    ensure!(
        done == 1,
        "{done} of two refunds of 12.00 out of 20.00 were made"
    );
    shop.hear().await?;
    shop.books_agree(&request, 800).await
}

pub(crate) async fn s41(shop: &Shop<'_>) -> Proof {
    shop.stage.needs(Operation::Refund).await?;
    paid(shop, Shopper::PaysAndRefundsPend).await?;
    let asked = shop.refund("A-1", 500, "goodwill").await??;
    shop.hear().await?;
    shop.confirms("A-1 refunded", 0).await?;
    let refund = refund_of(shop, asked.refund.as_ref()).await?;
    shop.happen(Happening::RefundSettles(&refund))?;
    shop.hear().await?;
    shop.confirms("A-1 refunded", 1).await?;
    shop.has_received("A-1", shop.money(1500)).await
}

pub(crate) async fn s42(shop: &Shop<'_>) -> Proof {
    shop.stage.needs(Operation::Refund).await?;
    let request = paid(shop, Shopper::PaysAndRefundsFail).await?;
    let asked = shop.refund("A-1", 500, "goodwill").await??;
    shop.hear().await?;
    let refund = refund_of(shop, asked.refund.as_ref()).await?;
    shop.happen(Happening::RefundSettles(&refund))?;
    shop.hear().await?;
    shop.confirms("A-1 refund_failed", 1).await?;
    shop.confirms("A-1 needs_a_person:refund_failed", 1).await?;
    shop.books_agree(&request, 2000).await?;
    let record = shop.record("A-1").await?;
    let mut commands = record.commands.iter();
    let its = commands.find(|command| command.command.is_some());
    let state = its.map(|command| command.state);
    ensure!(
        state == Some(CommandState::Failed),
        "the refund has failed, and it is stored as {state:?}"
    );
    let payment = shop.payment_of("A-1").await?;
    let free = record.refundable(&payment.id)?;
    ensure!(
        free == Some(shop.money(2000)),
        "all of it can be refunded again, and the books say {free:?}"
    );
    Ok(())
}

pub(crate) async fn s43(shop: &Shop<'_>) -> Proof {
    let request = paid(shop, Shopper::Pays).await?;
    let payment = shop.payment_of("A-1").await?;
    let part = PositiveMoney::new(shop.money(700))?;
    shop.happen(Happening::DashboardRefund(&payment, part))?;
    shop.hear().await?;
    shop.hear().await?;
    let record = shop.record("A-1").await?;
    let external: Vec<_> = record.external_refunds().map(|r| r.amount).collect();
    ensure!(
        external == [shop.money(700)],
        "one refund of 7.00 was made elsewhere, and the books have {external:?}"
    );
    shop.confirms("A-1 refunded", 1).await?;
    shop.books_agree(&request, 1300).await
}

pub(crate) async fn s44(shop: &Shop<'_>) -> Proof {
    shop.stage.needs(Operation::Refund).await?;
    shop.stage.needs_idempotent_writes()?;
    let request = paid(shop, Shopper::Pays).await?;
    for (fault, command) in [(Fault::LostAfter, "first"), (Fault::LostBefore, "second")] {
        shop.stage.fault_every_write(fault)?;
        let outcome = shop.refund("A-1", 500, command).await?;
        shop.stage.mend(fault)?;
        is_in_doubt(outcome)?;
        shop.hear().await?;
        // The same wish again is the same refund.
        shop.refund("A-1", 500, command)
            .await?
            .map(drop)
            .or_else(|error| {
                if error.effect() == Effect::Unknown {
                    Ok(())
                } else {
                    Err(error)
                }
            })?;
        shop.hear().await?;
    }
    let record = shop.record("A-1").await?;
    let states: Vec<_> = record
        .commands
        .iter()
        .map(|command| command.state)
        .collect();
    let open = states.iter().filter(|state| !state.is_settled()).count();
    if open == 0 {
        return shop.books_agree(&request, 1000).await;
    }
    // What never arrived is sent again under its key, at a provider that cannot be asked too.
    let hour = Duration::from_secs(3600);
    for _ in 0..3 {
        shop.happen(Happening::TimePasses(hour))?;
        shop.cashier.sweep().await?;
        shop.cashier.resume(&request.order).await?;
        shop.hear().await?;
    }
    let record = shop.record("A-1").await?;
    let mut commands = record.commands.iter();
    ensure!(
        commands.all(|command| command.state.is_settled()),
        "a refund whose answer was lost is still open"
    );
    shop.books_agree(&request, 1000).await
}

pub(crate) async fn s45(shop: &Shop<'_>) -> Proof {
    hears_of_disputes(shop).await?;
    for (order, is_won) in [("A-1", true), ("A-2", false)] {
        shop.sell_as(order, 2000, Shopper::PaysAndDisputes).await?;
        disputed(shop).await?;
        shop.confirms(&format!("{order} dispute_opened"), 1).await?;
        shop.has_received(order, shop.money(0)).await?;
        let payment = shop.payment_of(order).await?;
        shop.happen(match is_won {
            true => Happening::DisputeIsWon(&payment),
            false => Happening::DisputeIsLost(&payment),
        })?;
        disputed(shop).await?;
        let (kept, kind) = if is_won { (2000, "won") } else { (0, "lost") };
        shop.confirms(&format!("{order} dispute_{kind}"), 1).await?;
        shop.has_received(order, shop.money(kept)).await?;
    }
    Ok(())
}

pub(crate) async fn s46(shop: &Shop<'_>) -> Proof {
    shop.stage.needs(Operation::Refund).await?;
    hears_of_disputes(shop).await?;
    shop.sell(2000, Shopper::PaysAndDisputes).await?;
    disputed(shop).await?;
    shop.confirms("A-1 dispute_opened", 1).await?;
    let before = shop.stage.rig.requests();
    let error = refusal(
        "a refund while disputed",
        shop.refund("A-1", 500, "sorry").await?,
    )?;
    ensure!(
        *error.kind() == ErrorKind::Conflict && shop.stage.rig.requests() == before,
        "the payer would get the money twice, and the refund says: {error}"
    );
    Ok(())
}

/// Goes on if the shop hears of disputes, by webhooks or from the list of them.
async fn hears_of_disputes(shop: &Shop<'_>) -> Proof {
    if shop.stage.supports(Operation::ListDisputes) {
        return Ok(());
    }
    shop.needs_webhooks().await
}

/// Lets news of the dispute come: the list is read once an hour.
async fn disputed(shop: &Shop<'_>) -> Proof {
    shop.happen(Happening::TimePasses(Duration::from_secs(2 * 3600)))?;
    shop.hear().await
}

/// The order `A-1` over 20.00, paid.
async fn paid(shop: &Shop<'_>, shopper: Shopper) -> Proof<CreateRequest> {
    let (request, _) = shop.sell(2000, shopper).await?;
    shop.hear().await?;
    shop.is_paid().await?;
    Ok(request)
}

async fn refund_of(shop: &Shop<'_>, id: Option<&crate::id::RefundId<Test>>) -> Proof<Refund<Test>> {
    let record = shop.record("A-1").await?;
    let mut refunds = record.payments.iter().flat_map(|p| p.ledger.refunds());
    let found = refunds.find(|refund| id.is_none_or(|id| refund.id == *id));
    let unknown = || Stop::Failed("the refund is not in the books".into());
    found.cloned().ok_or_else(unknown)
}

/// A refund of another currency than was paid.
pub(super) async fn in_another_currency(
    shop: &Shop<'_>,
    amount: PositiveMoney,
) -> Proof<crate::error::Error> {
    let payment = shop.payment_of("A-1").await?;
    let request = RefundRequest::new(payment.id, amount, CommandId::new("odd")?);
    refusal(
        "a refund in another currency",
        shop.cashier.refund(&request).await,
    )
}
