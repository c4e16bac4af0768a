//! Amounts that are exact, amounts that differ, and payments that name no order.

use std::collections::HashSet;
use std::time::Duration;

use crate::capability::Operation;
use crate::cashier::Standing;
use crate::conformance::rig::{Happening, Shopper};
use crate::conformance::stage::{Proof, Stop, all_of, ensure, refusal};
use crate::error::{Effect, ErrorKind};
use crate::id::Attempt;
use crate::ledger::Ledger;
use crate::matching::payout::{PayoutRow, PayoutVerdict, ReportRow, match_by_report};
use crate::matching::{Batch, OrderRow, Policy, Verdict, entries_of};
use crate::mode::Test;
use crate::money::{Currency, Money, PositiveMoney};
use crate::payment::{Payment, PaymentStatus};
use crate::rehearsal::shop::Shop;
use crate::request::{CreateRequest, Period};

pub(crate) async fn s49(shop: &Shop<'_>) -> Proof {
    let amounts = [
        ("A-1", Money::new(1234, Currency::JPY), "1234"),
        ("A-2", Money::new(12_340, Currency::KWD), "12.340"),
        ("A-3", Money::new(820, Currency::EUR), "8.20"),
    ];
    let mut tried = 0;
    for (order, money, text) in amounts {
        let taken = shop.stage.provider.capabilities().currencies.as_deref();
        if taken.is_some_and(|taken| !taken.contains(&money.currency())) {
            continue;
        }
        tried += 1;
        let request = shop.stage.request_money(order, money)?;
        shop.sell_request(&request, Shopper::Pays).await?;
        shop.hear().await?;
        shop.stands(order, Standing::Paid).await?;
        let reference = shop.stage.provider.reference(&request);
        let booked = shop.stage.rig.books(&reference);
        let there = booked.first().map(|booked| booked.captured.as_str());
        ensure!(
            !shop.stage.rig.keeps_books() || there == Some(text),
            "{money} arrived as {there:?}"
        );
    }
    ensure!(tried > 0, "it takes none of the currencies that were tried");
    // What is below the provider's least amount never leaves this process.
    let before = shop.stage.rig.requests();
    if let Err(error) = shop
        .stage
        .provider
        .create(&shop.stage.request("A-4", 1)?)
        .await
    {
        ensure!(
            shop.stage.rig.requests() == before && error.effect() == Effect::NotApplied,
            "0.01 was refused by the provider, and not here: {error}"
        );
    }
    Ok(())
}

pub(crate) async fn s50(shop: &Shop<'_>) -> Proof {
    for (order, paid, standing) in [
        (
            "A-1",
            1999,
            Standing::PartlyPaid {
                short: shop.money(1),
            },
        ),
        (
            "A-2",
            2001,
            Standing::Overpaid {
                excess: shop.money(1),
            },
        ),
    ] {
        let request = shop.stage.request(order, 2000)?;
        shop.place(&request).await?;
        paid_elsewhere(shop, order, shop.money(paid), Attempt::FIRST).await?;
        shop.hear().await?;
        shop.stands(order, standing).await?;
    }
    // What is short is not fulfilled; what is too much is, and somebody must look at the excess.
    shop.confirms("A-1 paid", 0).await?;
    shop.confirms("A-1 partly_paid", 1).await?;
    shop.confirms("A-2 paid", 1).await?;
    shop.confirms("A-2 overpaid", 1).await?;
    shop.confirms("A-2 needs_a_person:overpaid", 1).await
}

pub(crate) async fn s51(shop: &Shop<'_>) -> Proof {
    let request = shop.stage.request("A-1", 2000)?;
    let other = [Currency::USD, Currency::GBP, Currency::EUR];
    let taken = shop.stage.provider.capabilities().currencies.as_deref();
    let other = other.into_iter().find(|other| {
        *other != request.amount.currency() && taken.is_none_or(|taken| taken.contains(other))
    });
    let Some(other) = other else {
        return Err(Stop::Moot("it takes one currency".into()));
    };
    shop.place(&request).await?;
    paid_elsewhere(shop, "A-1", Money::new(2000, other), Attempt::FIRST).await?;
    shop.hear().await?;
    shop.stands("A-1", Standing::WrongCurrency).await?;
    shop.confirms("A-1 paid", 0).await?;
    shop.confirms("A-1 needs_a_person:wrong_currency", 1)
        .await?;
    if shop.stage.supports(Operation::Refund) {
        let amount = PositiveMoney::new(shop.money(2000))?;
        let error = super::refunds::in_another_currency(shop, amount).await?;
        ensure!(
            error.effect() == Effect::NotApplied,
            "nothing was converted, and the refund says: {error}"
        );
    }
    Ok(())
}

pub(crate) async fn s52(shop: &Shop<'_>) -> Proof {
    let request = shop.stage.request("A-1", 2000)?;
    shop.place(&request).await?;
    // A voucher at the counter, and the rest by the shopper.
    paid_elsewhere(shop, "A-1", shop.money(1200), another_attempt()).await?;
    shop.hear().await?;
    let short = shop.money(800);
    shop.stands("A-1", Standing::PartlyPaid { short }).await?;
    shop.confirms("A-1 paid", 0).await?;
    let whole = refusal("the whole amount", shop.cashier.check_out(&request).await)?;
    ensure!(
        *whole.kind() == ErrorKind::Conflict,
        "8.00 is left, and 20.00 was asked for: {whole}"
    );
    let rest = shop.stage.request("A-1", 800)?;
    shop.check_out(&rest, Shopper::Pays).await?;
    shop.hear().await?;
    shop.is_paid().await?;
    shop.has_received("A-1", shop.money(2000)).await
}

pub(crate) async fn s53(shop: &Shop<'_>) -> Proof {
    let payment = without_reference(shop).await?;
    let verdict = matched(shop, &payment, &[("B-1", 2001), ("B-2", 5000)])?;
    ensure!(
        matches!(
            verdict,
            Verdict::Suggested { .. } | Verdict::Unmatched { .. }
        ),
        "a payment that names no order was given to one: {verdict:?}"
    );
    Ok(())
}

pub(crate) async fn s54(shop: &Shop<'_>) -> Proof {
    let payment = without_reference(shop).await?;
    let verdict = matched(shop, &payment, &[("B-1", 2000), ("B-2", 2000)])?;
    let Verdict::Ambiguous { candidates } = &verdict else {
        return Err(Stop::Failed(format!(
            "two orders fit equally well, and the verdict is {verdict:?}"
        )));
    };
    ensure!(
        candidates.len() == 2,
        "not both orders are named: {verdict:?}"
    );
    Ok(())
}

pub(crate) async fn s55(shop: &Shop<'_>) -> Proof {
    let (request, _) = shop.sell(2000, Shopper::Pays).await?;
    shop.hear().await?;
    paid_elsewhere(shop, "A-1", shop.money(2000), another_attempt()).await?;
    shop.hear().await?;
    let excess = shop.money(2000);
    shop.stands("A-1", Standing::Overpaid { excess }).await?;
    shop.confirms("A-1 paid", 1).await?;
    shop.confirms("A-1 needs_a_person:overpaid", 1).await?;
    let error = refusal("a third payment", shop.cashier.check_out(&request).await)?;
    ensure!(
        *error.kind() == ErrorKind::Conflict,
        "the order is paid twice, and a third checkout says: {error}"
    );
    Ok(())
}

pub(crate) async fn s56(shop: &Shop<'_>) -> Proof {
    shop.stage.needs(Operation::Void).await?;
    let (request, begun) = shop.sell(2000, Shopper::LeavesChallenge).await?;
    let more = PositiveMoney::new(shop.money(3000))?;
    shop.cashier.amend(&request.order, more).await?;
    shop.hear().await?;
    if shop.stage.supports(Operation::FetchPayment) {
        let old = shop.stage.provider.fetch_payment(&begun.id).await?;
        // A checkout that cannot be ended takes no money either, unless it is completed.
        let can_end = shop.stage.provider.capabilities().voidable_checkouts;
        ensure!(
            !can_end || matches!(old.status, PaymentStatus::Canceled | PaymentStatus::Expired),
            "the order costs more now, and the old checkout is {:?}",
            old.status
        );
    }
    let stale = refusal("the old amount", shop.cashier.check_out(&request).await)?;
    ensure!(
        *stale.kind() == ErrorKind::Conflict && stale.effect() == Effect::NotApplied,
        "the old amount was asked for: {stale}"
    );
    let request = shop.stage.request("A-1", 3000)?;
    shop.release_if_silent("A-1").await?;
    shop.check_out(&request, Shopper::Pays).await?;
    shop.hear().await?;
    shop.is_paid().await?;
    shop.has_received("A-1", shop.money(3000)).await
}

pub(crate) async fn s57(shop: &Shop<'_>) -> Proof {
    shop.stage.needs(Operation::ListPayouts).await?;
    shop.stage.needs(Operation::ListPayoutLines).await?;
    shop.sell(2000, Shopper::Pays).await?;
    shop.sell_as("A-2", 3000, Shopper::Pays).await?;
    shop.hear().await?;
    if shop.stage.supports(Operation::Refund) {
        shop.refund("A-1", 500, "goodwill").await??;
    }
    shop.happen(Happening::PaysOut)?;
    let provider = &shop.stage.provider;
    let payouts = all_of(provider.list_payouts(Period::default())).await?;
    ensure!(!payouts.is_empty(), "a payout was made, and none is listed");
    let mut known = HashSet::new();
    let records = [shop.record("A-1").await?, shop.record("A-2").await?];
    for payment in records.iter().flat_map(|record| &record.payments) {
        let ids = payment.ledger.payment().into_iter().flat_map(Payment::ids);
        known.extend(ids.map(|id| id.raw()));
        known.extend(payment.ledger.refunds().map(|refund| refund.id.raw()));
    }
    for payout in &payouts {
        let lines = all_of(provider.list_payout_lines(payout.id.clone())).await?;
        let report: Vec<_> = lines
            .iter()
            .map(|line| ReportRow::of(payout, line))
            .collect();
        let row = PayoutRow::of(payout, 0);
        let row = row.ok_or_else(|| Stop::Failed("the payout has no day".into()))?;
        let matches = match_by_report(&[row], &report, &known);
        for payout in &matches.payouts {
            ensure!(
                payout.verdict == PayoutVerdict::Closed && payout.residuals.is_empty(),
                "the payout does not close: {payout:?}"
            );
        }
    }
    Ok(())
}

/// An attempt that this shop will not come to.
fn another_attempt() -> Attempt {
    (0..8).fold(Attempt::FIRST, |attempt, _| attempt.next())
}

/// The order is paid past this shop, as by another node or at the counter.
async fn paid_elsewhere(
    shop: &Shop<'_>,
    order: &str,
    amount: Money,
    attempt: Attempt,
) -> Proof<Payment<Test>> {
    shop.needs_webhooks().await?;
    let request: CreateRequest = shop.stage.request_money(order, amount)?;
    shop.stage
        .shop(&request.with_attempt(attempt), Shopper::Pays)
        .await
}

/// A paid payment of the provider's, as if it had come without a reference.
async fn without_reference(shop: &Shop<'_>) -> Proof<Payment<Test>> {
    let (_, mut payment) = shop.stage.paid(2000).await?;
    payment.reference = None;
    Ok(payment)
}

/// What matching says of a payment, with these orders in the feed.
fn matched(shop: &Shop<'_>, payment: &Payment<Test>, orders: &[(&str, i64)]) -> Proof<Verdict> {
    let mut batch = Batch::<Test>::new(Policy::default());
    let placed_at = payment.created_at.saturating_sub(Duration::from_secs(60));
    for (order, minor) in orders {
        let row = OrderRow::new(order, shop.money(*minor), placed_at);
        batch
            .order(&row)
            .map_err(|error| Stop::Failed(error.to_string()))?;
    }
    let mut ledger = Ledger::new();
    ledger.add_payment(payment.clone())?;
    let namespace = shop.stage.provider.namespace();
    let fed = entries_of(&ledger, namespace, |entry| batch.entry(entry));
    fed.map_err(|error| Stop::Failed(error.to_string()))?;
    let report = batch.run();
    let entry = report.entries().next();
    let entry = entry.ok_or_else(|| Stop::Failed("the payment is not in the report".into()))?;
    Ok(entry.verdict)
}
