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
/// Hand the rows of a ledger over once, to a batch that is made anew: of what is handed over again
/// under the same id, such as a larger capture, only the first counts. An order book takes the
/// ledger itself, as often as it changes: see [`OrderBook::ledger`](super::OrderBook::ledger).
///
/// A reference of another installation than `namespace` is no reference here. Nothing is handed
/// over for a checkout by which no money has moved yet.
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
        // Refunds in another currency are told by matching, which compares currencies itself.
        let zero = Money::zero(payment.amount.currency());
        let unlisted = ledger.unlisted_refunds().unwrap_or(zero);
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
        PaymentStatus::Created | PaymentStatus::ActionRequired | PaymentStatus::Approved => {
            return Ok(());
        }
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
    // A later look at a payment must not make it a later payment.
    let at = match kind {
        EntryKind::Payment => payment.captured_at.unwrap_or(payment.as_of),
        _ => payment.as_of,
    };
    let mut row = EntryRow::new(payment.id.raw(), kind, amount, at)
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
    // What is away decides; of a dispute that was won, all of it was.
    let away = dispute.withdrawn();
    let amount = match dispute.status {
        DisputeStatus::Won => dispute.amount,
        _ => away,
    };
    let mut give = |kind, at: Timestamp| {
        let row = EntryRow::new(dispute.id.raw(), kind, amount, at).with_parent(parent);
        take(&row.with_source(dispute.id.provider().as_str(), ""))
    };
    match dispute.status {
        // No money has moved, or all of it is back.
        DisputeStatus::Won => {
            give(EntryKind::DisputeOpened, dispute.created_at)?;
            give(EntryKind::DisputeWon, dispute.as_of)
        }
        _ if !away.is_positive() => Ok(()),
        DisputeStatus::NeedsResponse
        | DisputeStatus::UnderReview
        | DisputeStatus::Unrecognized(_) => give(EntryKind::DisputeOpened, dispute.created_at),
        DisputeStatus::Inquiry | DisputeStatus::Closed | DisputeStatus::Lost => {
            give(EntryKind::DisputeOpened, dispute.created_at)?;
            give(EntryKind::DisputeLost, dispute.as_of)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{DisputeId, PaymentId, ProviderName, RefundId};
    use crate::matching::{Batch, Policy, Verdict};
    use crate::mode::Test;
    use crate::money::{Currency, PositiveMoney};

    fn at(unix: i64) -> Timestamp {
        Timestamp::from_unix(unix)
    }

    fn captured(as_of: i64) -> Payment<Test> {
        let id = PaymentId::new(ProviderName::new("psp").unwrap(), "pi_1").unwrap();
        let amount = Money::new(1000, Currency::EUR);
        let mut payment = Payment::new(id, PaymentStatus::Captured, amount, at(as_of));
        payment.captured = amount;
        payment.reference = Some("shop:A-1:1".parse().unwrap());
        payment
    }

    fn verdict(ledger: &Ledger<Test>) -> (Verdict, i64) {
        let mut batch = Batch::<Test>::new(Policy::default());
        let total = Money::new(1000, Currency::EUR);
        let order = OrderRow::new("A-1", total, at(1)).with_closed_at(at(100));
        batch.order(&order).unwrap();
        let shop = Namespace::new("shop").unwrap();
        entries_of(ledger, &shop, |entry| batch.entry(entry)).unwrap();
        let report = batch.run();
        let order = report.orders().next().unwrap();
        (order.verdict, order.taken_back.minor())
    }

    #[test]
    fn a_payment_that_is_looked_at_after_the_order_closed_was_still_made_before() {
        for looks in [[50, 200], [200, 50]] {
            let mut ledger = Ledger::new();
            for as_of in looks {
                ledger.add_payment(captured(as_of)).unwrap();
            }
            assert_eq!(verdict(&ledger), (Verdict::Paid, 0), "{looks:?}");
        }
    }

    #[test]
    fn what_came_back_is_a_reversal_and_what_ended_without_money_has_failed() {
        let rows = |payment: Payment<Test>| {
            let mut ledger = Ledger::new();
            ledger.add_payment(payment).unwrap();
            let (mut rows, shop) = (Vec::new(), Namespace::new("shop").unwrap());
            let taken = entries_of(&ledger, &shop, |row| {
                rows.push((row.kind, row.amount, row.parent.map(str::to_owned)));
                Ok::<_, std::convert::Infallible>(())
            });
            taken.unwrap();
            rows
        };
        let mut returned = captured(50);
        returned.returned = Money::new(300, Currency::EUR);
        let payment = (EntryKind::Payment, 1000, None);
        let reversal = (EntryKind::Reversal, 300, Some("pi_1".to_owned()));
        assert_eq!(rows(returned), [payment, reversal]);

        for (status, expected) in [
            (PaymentStatus::Created, None),
            (PaymentStatus::Expired, Some(EntryKind::FailedPayment)),
            (PaymentStatus::Pending, Some(EntryKind::PendingPayment)),
        ] {
            let mut payment = captured(50);
            payment.captured = Money::zero(Currency::EUR);
            payment.status = status;
            let rows = rows(payment);
            assert_eq!(rows.first().map(|(kind, ..)| *kind), expected);
        }
    }

    #[test]
    fn a_refund_and_a_dispute_are_told_of_with_how_they_ended() {
        let payment = || captured(50).id;
        let kinds = |ledger: &Ledger<Test>| {
            let (mut kinds, shop) = (Vec::new(), Namespace::new("shop").unwrap());
            let taken = entries_of(ledger, &shop, |row| {
                kinds.push(row.kind);
                Ok::<_, std::convert::Infallible>(())
            });
            taken.unwrap();
            kinds
        };
        let amount = Money::new(400, Currency::EUR);
        let refunded = (EntryKind::Refund, EntryKind::FailedRefund);
        for (status, expected) in [
            (RefundStatus::Pending, vec![refunded.0]),
            (RefundStatus::Succeeded, vec![refunded.0]),
            (RefundStatus::Failed, vec![refunded.0, refunded.1]),
            (RefundStatus::Canceled, vec![refunded.0, refunded.1]),
        ] {
            let mut ledger = Ledger::new();
            let id = RefundId::new(payment().provider().clone(), "re_1").unwrap();
            ledger.add_refund(Refund::new(id, payment(), status.clone(), amount, at(60)));
            assert_eq!(kinds(&ledger), expected, "{status:?}");
        }
        let opened = EntryKind::DisputeOpened;
        for (status, expected) in [
            (DisputeStatus::Inquiry, vec![]),
            (DisputeStatus::Closed, vec![]),
            (DisputeStatus::NeedsResponse, vec![opened]),
            (DisputeStatus::UnderReview, vec![opened]),
            (DisputeStatus::Unrecognized("new".into()), vec![opened]),
            (DisputeStatus::Won, vec![opened, EntryKind::DisputeWon]),
            (DisputeStatus::Lost, vec![opened, EntryKind::DisputeLost]),
        ] {
            let mut ledger = Ledger::new();
            let id = DisputeId::new(payment().provider().clone(), "dp_1").unwrap();
            ledger.add_dispute(Dispute::new(id, payment(), status.clone(), amount, at(60)));
            assert_eq!(kinds(&ledger), expected, "{status:?}");
        }
    }

    #[test]
    fn an_order_is_a_row_with_its_times() {
        let total = Money::new(1000, Currency::EUR);
        let mut order = Order::new(
            "A-1".parse().unwrap(),
            PositiveMoney::new(total).unwrap(),
            at(1),
        );
        assert_eq!(OrderRow::from(&order).closed_at, None);
        order.closed_at = Some(at(9));
        let row = OrderRow::from(&order);
        assert_eq!(
            (row.id, row.placed_at, row.closed_at),
            ("A-1", at(1), Some(at(9)))
        );
    }

    #[test]
    fn a_refund_that_is_in_the_providers_sum_too_counts_once() {
        let mut ledger = Ledger::new();
        let mut payment = captured(50);
        payment.refunded = Money::new(400, Currency::EUR);
        let id = RefundId::new(payment.id.provider().clone(), "re_1").unwrap();
        let refund = Refund::new(
            id,
            payment.id.clone(),
            RefundStatus::Succeeded,
            payment.refunded,
            at(40),
        );
        ledger.add_payment(payment).unwrap();
        ledger.add_refund(refund);
        assert_eq!(verdict(&ledger), (Verdict::Reversed, 400));
        assert_eq!(ledger.net(), Ok(Money::new(600, Currency::EUR)));
    }
}
