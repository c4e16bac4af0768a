//! Disputes: a shopper's bank takes the money back, and sometimes returns it.

use std::time::Duration;

use super::body::date;
use super::notices::{self, Item};
use super::payments::Payment;
use super::reports::{self, RowKind};
use super::state::{Task, World};
use crate::clock::Timestamp;
use crate::simulator::table::Row;

/// How long after the capture a payment is charged back, if its trigger says so.
pub(super) const CHARGED_BACK_AFTER: Duration = Duration::from_secs(60 * 60);
/// How long a merchant has to defend.
const DEFENSIBLE_FOR: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// A quarrel about a payment.
#[derive(Debug, Clone)]
pub(super) struct Dispute {
    psp: String,
    payment: String,
    amount: i64,
    state: DisputeState,
    defensible_until: Timestamp,
}

/// The states of a dispute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DisputeState {
    /// The money was taken, and the merchant may defend.
    Open,
    /// The time to defend is over.
    Undefended,
    /// The money came back.
    Reversed,
    /// The money was taken for good.
    Lost,
}

impl Row for Dispute {
    fn id(&self) -> &str {
        &self.psp
    }
}

/// The shopper's bank charges back all that is left; the reference of the dispute is answered.
pub(super) fn open(world: &mut World, payment: &str) -> Option<String> {
    let mut payment = world.payments.get(payment).cloned()?;
    let amount = payment.refundable();
    if amount <= 0 {
        return None;
    }
    let dispute = Dispute {
        psp: world.ids.psp(),
        payment: payment.psp.clone(),
        amount,
        state: DisputeState::Open,
        defensible_until: world.now.saturating_add(DEFENSIBLE_FOR),
    };
    let psp = dispute.psp.clone();
    world.plan(DEFENSIBLE_FOR, Task::EndDefensePeriod(psp.clone()));
    payment.disputed += amount;
    reports::book_dispute(world, RowKind::Chargeback, &payment, &psp, amount);
    world.put(payment.clone());
    tell(
        world,
        &payment,
        &dispute,
        "NOTIFICATION_OF_CHARGEBACK",
        "Undefended",
    );
    tell(world, &payment, &dispute, "CHARGEBACK", "Undefended");
    world.disputes.put(dispute);
    Some(psp)
}

/// The bank gives the money back. Answers whether there was something to give back.
pub(super) fn last_of(world: &World, payment: &str) -> Option<String> {
    let disputes = world.disputes.oldest_first();
    let last = disputes.rev().find(|dispute| dispute.payment == payment);
    last.map(|dispute| dispute.psp.clone())
}

pub(super) fn reverse(world: &mut World, psp: &str) -> bool {
    let Some((mut payment, mut dispute)) = find(world, psp) else {
        return false;
    };
    if !matches!(dispute.state, DisputeState::Open | DisputeState::Undefended) {
        return false;
    }
    dispute.state = DisputeState::Reversed;
    payment.disputed -= dispute.amount;
    let amount = dispute.amount;
    reports::book_dispute(world, RowKind::ChargebackReversed, &payment, psp, amount);
    world.put(payment.clone());
    tell(world, &payment, &dispute, "CHARGEBACK_REVERSED", "Pending");
    world.disputes.put(dispute);
    true
}

/// The shopper's bank insists, after the money had come back. Answers whether it had, and is there.
pub(super) fn charge_back_again(world: &mut World, psp: &str) -> bool {
    let Some((mut payment, mut dispute)) = find(world, psp) else {
        return false;
    };
    if dispute.state != DisputeState::Reversed || payment.refundable() < dispute.amount {
        return false;
    }
    dispute.state = DisputeState::Lost;
    payment.disputed += dispute.amount;
    let amount = dispute.amount;
    reports::book_dispute(world, RowKind::SecondChargeback, &payment, psp, amount);
    world.put(payment.clone());
    tell(world, &payment, &dispute, "SECOND_CHARGEBACK", "Lost");
    world.disputes.put(dispute);
    true
}

pub(super) fn end_defense_period(world: &mut World, psp: &str) {
    let Some((payment, mut dispute)) = find(world, psp) else {
        return;
    };
    if dispute.state == DisputeState::Open {
        dispute.state = DisputeState::Undefended;
        tell(
            world,
            &payment,
            &dispute,
            "DISPUTE_DEFENSE_PERIOD_ENDED",
            "Expired",
        );
        world.disputes.put(dispute);
    }
}

/// A word of the shopper's bank that moves no money. Answers whether there is such a payment.
pub(super) fn warn(world: &mut World, payment: &str, event: &'static str) -> bool {
    let Some(payment) = world.payments.get(payment).cloned() else {
        return false;
    };
    let mut item = Item {
        psp: world.ids.psp(),
        original: Some(payment.psp.clone()),
        amount: payment.amount.with_value(payment.captured),
        ..Item::of(&payment, event, true)
    };
    match event {
        "REQUEST_FOR_INFORMATION" => item.add("rfiReasonCode", "30"),
        _ => item.add("nofReasonCode", "0"),
    }
    notices::emit(world, item);
    true
}

fn find(world: &World, psp: &str) -> Option<(Payment, Dispute)> {
    let dispute = world.disputes.get(psp)?.clone();
    let payment = world.payments.get(&dispute.payment)?.clone();
    Some((payment, dispute))
}

fn tell(
    world: &mut World,
    payment: &Payment,
    dispute: &Dispute,
    event: &'static str,
    status: &str,
) {
    let mut item = Item {
        psp: dispute.psp.clone(),
        original: Some(payment.psp.clone()),
        amount: payment.amount.with_value(dispute.amount),
        reason: "Other Fraud-Card Absent Environment".to_owned(),
        ..Item::of(payment, event, true)
    };
    item.add("chargebackReasonCode", "10.4");
    item.add("chargebackSchemeCode", payment.method.variant);
    item.add("disputeStatus", status);
    item.add("defensePeriodEndsAt", &date(dispute.defensible_until));
    item.add(
        "defendable",
        if dispute.state == DisputeState::Open {
            "true"
        } else {
            "false"
        },
    );
    notices::emit(world, item);
}
