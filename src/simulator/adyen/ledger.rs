//! What really happened to the money, told from the payments themselves.

use super::amounts::Amount;
use super::payments::{Payment, Source};
use super::state::World;
use crate::money::Money;

/// The books of one payment, to compare a merchant's with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LedgerEntry {
    /// The `pspReference` of the payment.
    pub psp_reference: String,
    /// The merchant account.
    pub merchant_account: String,
    /// The merchant's reference.
    pub reference: String,
    /// The link (`PL…`) or session (`CS…`) that the shopper began at.
    pub begun_at: Option<String>,
    /// What was asked for.
    pub amount: Money,
    /// The most that a bank has granted, whatever became of it.
    pub authorized: Money,
    /// What could still be captured.
    pub capturable: Money,
    /// What was taken, failed captures not counted.
    pub captured: Money,
    /// What went back to the shopper; failed refunds not counted.
    pub refunded: Money,
    /// What chargebacks have taken.
    pub disputed: Money,
}

/// An unpaid page: a link or a session that no one has begun to pay.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenPage {
    /// The link (`PL…`) or session (`CS…`).
    pub id: String,
    /// The merchant's reference.
    pub reference: String,
    /// What is asked for.
    pub amount: Money,
}

pub(super) fn entries(world: &World) -> Vec<LedgerEntry> {
    let payments = world.payments.oldest_first();
    payments.filter_map(entry).collect()
}

/// `None` cannot be: amounts that are no money are refused when a payment is made.
fn entry(payment: &Payment) -> Option<LedgerEntry> {
    let money = |value: i64| payment.amount.with_value(value).money();
    Some(LedgerEntry {
        psp_reference: payment.psp.clone(),
        merchant_account: payment.merchant.clone(),
        reference: payment.reference.clone(),
        begun_at: match &payment.source {
            Source::Api => None,
            Source::Link(id) | Source::Session(id) => Some(id.clone()),
        },
        amount: money(payment.amount.value)?,
        authorized: money(payment.granted)?,
        capturable: money(payment.capturable())?,
        captured: money(payment.captured)?,
        refunded: money(payment.refunded)?,
        disputed: money(payment.disputed)?,
    })
}

pub(super) fn open_pages(world: &World) -> Vec<OpenPage> {
    let links = world.links.oldest_first();
    let links = links.map(|link| {
        let source = Source::Link(crate::simulator::table::Row::id(link).to_owned());
        (source, &link.order)
    });
    let sessions = world.sessions.oldest_first();
    let sessions = sessions.map(|session| {
        let source = Source::Session(crate::simulator::table::Row::id(session).to_owned());
        (source, &session.order)
    });
    let unbegun = links.chain(sessions).filter(|(source, _)| {
        let mut payments = world.payments.oldest_first();
        !payments.any(|payment| payment.source == *source)
    });
    let page = |(source, order): (Source, &super::sessions::Order)| {
        let (Source::Link(id) | Source::Session(id)) = source else {
            return None;
        };
        Some(OpenPage {
            id,
            reference: order.reference.clone(),
            amount: Amount::money(&order.amount)?,
        })
    };
    unbegun.filter_map(page).collect()
}
