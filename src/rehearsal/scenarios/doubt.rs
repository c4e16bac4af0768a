//! Nobody knows what became of a request, or the process dies in the middle of it.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join;

use crate::capability::Operation;
use crate::cashier::{MemoryStore, Standing, Store};
use crate::conformance::rig::{Fault, Happening, Shopper, Strikes};
use crate::conformance::stage::{Proof, Stop, ensure, is_in_doubt};
use crate::error::{Effect, ErrorKind};
use crate::id::OrderId;
use crate::rehearsal::shop::Shop;
use crate::rehearsal::store::{Breaks, BrittleStore};
use crate::request::CreateRequest;

pub(crate) async fn s14(shop: &Shop<'_>) -> Proof {
    comes_out_of_doubt(shop, Fault::LostBefore).await
}

pub(crate) async fn s15(shop: &Shop<'_>) -> Proof {
    comes_out_of_doubt(shop, Fault::LostAfter).await
}

pub(crate) async fn s16(shop: &Shop<'_>) -> Proof {
    let request = shop.stage.request("A-1", 2000)?;
    shop.place(&request).await?;
    shop.stage.fault_every_write(Fault::LostAfter)?;
    is_in_doubt(shop.cashier.check_out(&request).await)?;
    shop.stage.mend(Fault::LostAfter)?;
    // Now the provider cannot be asked either.
    shop.stage
        .fault(Fault::LostBefore, Strikes::Reads, usize::MAX)?;
    let again = shop.cashier.check_out(&request).await;
    shop.stage.fault(Fault::LostBefore, Strikes::Reads, 0)?;
    if again.is_err() {
        let attempts = shop.record("A-1").await?.attempts.len();
        ensure!(
            attempts == 1,
            "nobody knows what became of the first attempt, and {attempts} were begun"
        );
    }
    if shop.stage.rig.keeps_books() || shop.stage.supports(Operation::FindPayments) {
        let there = there(shop, &request).await?;
        ensure!(
            there <= 1,
            "the service has {there} payments of one attempt"
        );
    }
    Ok(())
}

pub(crate) async fn s17(shop: &Shop<'_>) -> Proof {
    shop.stage.needs_idempotent_writes()?;
    let request = shop.stage.request("A-1", 2000)?;
    shop.place(&request).await?;
    let clicks = join(
        shop.cashier.check_out(&request),
        shop.cashier.check_out(&request),
    );
    let (one, other) = clicks.await;
    if let (Ok(one), Ok(other)) = (&one, &other) {
        ensure!(
            one.is_same_as(other),
            "two clicks gave {} and {}",
            one.id,
            other.id
        );
    }
    ensure!(
        one.is_ok() || other.is_ok(),
        "both clicks were refused: {one:?}"
    );
    one_payment(shop, &request).await
}

pub(crate) async fn s18(shop: &Shop<'_>) -> Proof {
    shop.stage.needs_idempotent_writes()?;
    let request = shop.stage.request("A-1", 2000)?;
    shop.place(&request).await?;
    shop.stage.fault(Fault::RateLimited, Strikes::Writes, 1)?;
    shop.check_out(&request, Shopper::Pays).await?;
    shop.hear().await?;
    shop.is_paid().await?;
    one_payment(shop, &request).await
}

pub(crate) async fn s58(shop: &Shop<'_>) -> Proof {
    let mut died = 0;
    for breaks in [Breaks::Before, Breaks::After] {
        for at in 1..=MOST_STEPS {
            let order = format!("A-{breaks:?}-{at}");
            if !survives(shop, &order, breaks, at).await? {
                break;
            }
            died += 1;
        }
    }
    ensure!(
        (MOST_STEPS / 8..2 * MOST_STEPS).contains(&died),
        "the process died {died} times: that is not once per step"
    );
    Ok(())
}

/// More commits than one order takes.
const MOST_STEPS: usize = 60;

/// Sells an order in a process that dies at its commit number `at`, and again in one that starts on
/// what is left. Whether the first process died.
async fn survives(shop: &Shop<'_>, order: &str, breaks: Breaks, at: usize) -> Proof<bool> {
    let kept: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let store = Arc::new(BrittleStore::new(Arc::clone(&kept), breaks, at));
    let has_acted = Cell::new(false);
    let first = Shop::open_on(shop.stage.rig, shop.news, Arc::clone(&store) as _).await?;
    let ended = trade(&first, order, &has_acted).await;
    let has_died = store.is_broken();
    if let (Err(stop), false) = (ended, has_died) {
        return Err(stop);
    }
    let second = Shop::open_on(shop.stage.rig, shop.news, kept).await?;
    // What was not acknowledged comes again, and so may what was.
    for letter in first.letters() {
        second.receive(&letter).await?;
    }
    trade(&second, order, &has_acted).await?;
    come_to_rest(&second, order).await?;
    let request = second.stage.request(order, 2000)?;
    let left = if second.stage.supports(Operation::Refund) {
        1500
    } else {
        2000
    };
    second.books_agree(&request, left).await?;
    one_payment(&second, &request).await?;
    let confirmed = second.confirmed().await?;
    let paid = format!("{order} paid");
    let times = confirmed.iter().filter(|text| **text == paid).count();
    ensure!(times == 1, "after step {at} it was confirmed {times} times");
    second.close_the_day().await?;
    Ok(has_died)
}

/// What a host does for one order. Done again from the start, it goes on where it stopped.
async fn trade(shop: &Shop<'_>, order: &str, has_acted: &Cell<bool>) -> Proof {
    let request = shop.stage.request(order, 2000)?;
    shop.place(&request).await?;
    shop.hear().await?;
    let is_paid = shop.record(order).await?.paid_at.is_some();
    if !is_paid {
        match shop.cashier.check_out(&request).await {
            Ok(payment) if shop.stage.hosts() && !has_acted.replace(true) => {
                shop.stage.act(&payment, Shopper::Pays)?;
            }
            Ok(_) => {}
            // The process that was completing what the shopper has approved may still do it.
            Err(error) if has_acted.get() && *error.kind() == ErrorKind::Conflict => {
                shop.happen(Happening::TimePasses(Duration::from_secs(3600)))?;
            }
            Err(error) => return Err(error.into()),
        }
        shop.hear().await?;
        if shop.record(order).await?.paid_at.is_none() {
            come_to_rest(shop, order).await?;
        }
    }
    if shop.stage.supports(Operation::Refund) {
        shop.refund(order, 500, "goodwill").await??;
        shop.hear().await?;
    }
    Ok(())
}

/// What a process that died had begun to send is left alone until it must have arrived; then the
/// sweep, which every host runs, comes back to it.
async fn come_to_rest(shop: &Shop<'_>, order: &str) -> Proof {
    shop.happen(Happening::TimePasses(Duration::from_secs(3600)))?;
    shop.cashier.sweep().await?;
    shop.cashier.resume(&OrderId::new(order)?).await?;
    shop.hear().await
}

/// The answer to the first request is lost. The order must end with one payment all the same.
async fn comes_out_of_doubt(shop: &Shop<'_>, fault: Fault) -> Proof {
    shop.stage.needs_idempotent_writes()?;
    let request = shop.stage.request("A-1", 2000)?;
    shop.place(&request).await?;
    shop.stage.fault_every_write(fault)?;
    let first = shop.cashier.check_out(&request).await;
    shop.stage.mend(fault)?;
    if let Err(error) = first {
        ensure!(
            error.effect() == Effect::Unknown && error.decline().is_none(),
            "no answer came, and the error says: {error}"
        );
        shop.stands("A-1", Standing::Unpaid).await?;
    }
    let is_paid = {
        shop.hear().await?;
        shop.record("A-1").await?.paid_at.is_some()
    };
    if !is_paid {
        shop.check_out(&request, Shopper::Pays).await?;
        shop.hear().await?;
    }
    shop.is_paid().await?;
    shop.books_agree(&request, 2000).await?;
    one_payment(shop, &request).await
}

/// The provider has one payment for the first attempt, and no more.
async fn one_payment(shop: &Shop<'_>, request: &CreateRequest) -> Proof {
    let there = there(shop, request).await?;
    ensure!(
        there == 1,
        "the service has {there} payments of one attempt"
    );
    Ok(())
}

/// How many payments the service has for the first attempt of a request, by its own books or else
/// as it tells who asks.
async fn there(shop: &Shop<'_>, request: &CreateRequest) -> Proof<usize> {
    let reference = shop.stage.provider.reference(request);
    if shop.stage.rig.keeps_books() {
        return Ok(shop.stage.rig.books(&reference).len());
    }
    if !shop.stage.supports(Operation::FindPayments) {
        if shop.hears_webhooks() {
            // Each payment is told of with its reference, and a second one would be in the record.
            let record = shop.record(request.order.as_str()).await?;
            return Ok(record.payments.len());
        }
        let why = "nobody there tells how many payments carry a reference";
        return Err(Stop::OutOfReach(why.into()));
    }
    Ok(shop.stage.provider.find_payments(&reference).await?.len())
}
