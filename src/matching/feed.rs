//! From the domain's records to rows: what a host that uses the providers here feeds in.

use super::input::{EntryKind, EntryRow, OrderRow};
use crate::clock::Timestamp;
use crate::dispute::{Dispute, DisputeStatus};
use crate::id::Namespace;
use crate::ledger::Ledger;
use crate::mode::Mode;
use crate::money::Money;
use crate::order::Order;
use crate::payment::{Payment, PaymentStatus};
use crate::refund::{Refund, RefundStatus};

impl<'a> From<&'a Order> for OrderRow<'a> {
    fn from(order: &'a Order) -> Self {
        let row = Self::new(order.id.as_str(), order.total, order.placed_at);
        match order.closed_at {
            Some(closed_at) => row.with_closed_at(closed_at),
            None => row,
        }
    }
}

/// Hands the rows of one payment to `take`: the payment, its refunds and its disputes.
///
/// A reference of another installation than `namespace` is no reference here. Nothing is handed
/// over for a checkout that nobody has begun to pay.
///
/// ```
/// use counterfoil::Test;
/// use counterfoil::id::Namespace;
/// use counterfoil::ledger::Ledger;
/// use counterfoil::matching::{Batch, Policy, entries_of};
///
/// let (ledger, shop) = (Ledger::<Test>::new(), Namespace::new("shop")?);
/// let mut batch = Batch::<Test>::new(Policy::default());
/// entries_of(&ledger, &shop, |entry| batch.entry(entry))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The first that `take` gives.
pub fn entries_of<M: Mode, E>(
    ledger: &Ledger<M>,
    namespace: &Namespace,
    mut take: impl FnMut(&EntryRow<'_, M>) -> Result<(), E>,
) -> Result<(), E> {
    if let Some(payment) = ledger.payment() {
        payment_entries(payment, namespace, &mut take)?;
        let unlisted = unlisted_refunds(payment, ledger);
        if unlisted.is_positive() {
            let id = format!("{}:other-refunds", payment.id.raw());
            let row = EntryRow::new(&id, EntryKind::Refund, unlisted, payment.as_of)
                .with_parent(payment.id.raw());
            take(&row.with_source(payment.id.provider().as_str(), ""))?;
        }
    }
    // A refund may know its payment by one of the other ids.
    let parent = ledger.payment().map(|payment| payment.id.raw());
    for refund in ledger.refunds() {
        refund_entries(refund, parent.unwrap_or(refund.payment.raw()), &mut take)?;
    }
    for dispute in ledger.disputes() {
        dispute_entries(dispute, parent.unwrap_or(dispute.payment.raw()), &mut take)?;
    }
    Ok(())
}

fn payment_entries<M: Mode, E>(
    payment: &Payment<M>,
    namespace: &Namespace,
    take: &mut impl FnMut(&EntryRow<'_, M>) -> Result<(), E>,
) -> Result<(), E> {
    let (kind, amount) = match payment.status {
        PaymentStatus::Created | PaymentStatus::ActionRequired => return Ok(()),
        PaymentStatus::Captured => (EntryKind::Payment, payment.captured),
        PaymentStatus::Failed(_) | PaymentStatus::Canceled | PaymentStatus::Expired => {
            (EntryKind::FailedPayment, payment.amount)
        }
        // Held, under way, or in a state that nobody here knows: not there, and not to be asked
        // for again.
        PaymentStatus::Authorized | PaymentStatus::Pending | PaymentStatus::Unrecognized(_) => {
            (EntryKind::PendingPayment, payment.amount)
        }
    };
    let aliases: Vec<&str> = payment
        .aliases
        .iter()
        .map(crate::id::PaymentId::raw)
        .collect();
    let source = payment.id.provider().as_str();
    let mut row = EntryRow::new(payment.id.raw(), kind, amount, payment.as_of)
        .with_source(source, "")
        .with_other_ids(&aliases);
    if let Some(reference) = &payment.reference
        && reference.namespace == *namespace
    {
        row = row.with_reference(reference.order.as_str());
    }
    take(&row)?;
    if payment.returned.is_positive() {
        let id = format!("{}:returned", payment.id.raw());
        let row = EntryRow::new(&id, EntryKind::Reversal, payment.returned, payment.as_of)
            .with_parent(payment.id.raw());
        take(&row.with_source(source, ""))?;
    }
    Ok(())
}

fn refund_entries<M: Mode, E>(
    refund: &Refund<M>,
    parent: &str,
    take: &mut impl FnMut(&EntryRow<'_, M>) -> Result<(), E>,
) -> Result<(), E> {
    let mut give = |kind, at: Timestamp| {
        let row = EntryRow::new(refund.id.raw(), kind, refund.amount, at).with_parent(parent);
        take(&row.with_source(refund.id.provider().as_str(), ""))
    };
    give(EntryKind::Refund, refund.created_at)?;
    match refund.status {
        RefundStatus::Failed | RefundStatus::Canceled => {
            give(EntryKind::FailedRefund, refund.as_of)
        }
        _ => Ok(()),
    }
}

fn dispute_entries<M: Mode, E>(
    dispute: &Dispute<M>,
    parent: &str,
    take: &mut impl FnMut(&EntryRow<'_, M>) -> Result<(), E>,
) -> Result<(), E> {
    let mut give = |kind, at: Timestamp| {
        let row = EntryRow::new(dispute.id.raw(), kind, dispute.amount, at).with_parent(parent);
        take(&row.with_source(dispute.id.provider().as_str(), ""))
    };
    match dispute.status {
        // No money has moved.
        DisputeStatus::Inquiry | DisputeStatus::Closed | DisputeStatus::Unrecognized(_) => Ok(()),
        DisputeStatus::NeedsResponse | DisputeStatus::UnderReview => {
            give(EntryKind::DisputeOpened, dispute.created_at)
        }
        DisputeStatus::Won => {
            give(EntryKind::DisputeOpened, dispute.created_at)?;
            give(EntryKind::DisputeWon, dispute.as_of)
        }
        DisputeStatus::Lost => {
            give(EntryKind::DisputeOpened, dispute.created_at)?;
            give(EntryKind::DisputeLost, dispute.as_of)
        }
    }
}

/// What the provider says was refunded beyond the refunds that are known one by one.
fn unlisted_refunds<M: Mode>(payment: &Payment<M>, ledger: &Ledger<M>) -> Money {
    let zero = Money::zero(payment.amount.currency());
    let held = ledger
        .refunds()
        .filter(|refund| refund.status.holds_money());
    let listed = Money::sum(zero.currency(), held.map(|refund| refund.amount));
    match (ledger.refunded(), listed) {
        (Ok(refunded), Ok(listed)) => refunded.checked_sub(listed).unwrap_or(zero),
        // Refunds in another currency are told by matching, which compares currencies itself.
        _ => zero,
    }
}
