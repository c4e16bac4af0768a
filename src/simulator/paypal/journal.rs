//! Every movement of the merchant's balance, as transaction search reports it.
//!
//! Event codes (unverified): T0006 payment, T1107 refund, T1110 and T1111 hold for a dispute and
//! its end, T1106 payment reversed, T0400 withdrawal to the bank.

use super::amounts::Amount;
use super::captures::{Capture, State};
use super::disputes::Dispute;
use super::refunds::{Refund, RefundState};
use crate::clock::Timestamp;
use crate::money::Currency;

/// All movements, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Journal {
    entries: Vec<Entry>,
}

/// One movement. A payment that is pending or denied moves nothing.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) code: &'static str,
    pub(super) reference: Option<Reference>,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    /// Signed: what leaves the balance is negative.
    pub(super) amount: Amount,
    /// Signed: what PayPal takes is negative.
    pub(super) fee: i64,
    pub(super) status: EntryStatus,
    pub(super) invoice_id: Option<String>,
    pub(super) custom_id: Option<String>,
}

/// What an entry is about.
#[derive(Debug, Clone)]
pub(super) enum Reference {
    Order(String),
    Transaction(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryStatus {
    Settled,
    Pending,
    Denied,
}

impl EntryStatus {
    pub(super) fn letter(self) -> &'static str {
        match self {
            Self::Settled => "S",
            Self::Pending => "P",
            Self::Denied => "D",
        }
    }
}

impl Entry {
    /// What the movement changes in the balance.
    pub(super) fn net(&self) -> i64 {
        match self.status {
            EntryStatus::Settled => self.amount.units + self.fee,
            EntryStatus::Pending | EntryStatus::Denied => 0,
        }
    }

    pub(super) fn payment(capture: &Capture, now: Timestamp) -> Self {
        Self {
            id: capture.id.clone(),
            code: "T0006",
            reference: Some(Reference::Order(capture.order.clone())),
            created: now,
            updated: now,
            amount: capture.amount,
            fee: -capture.fee(),
            status: match capture.state {
                State::Completed => EntryStatus::Settled,
                State::Pending(_) => EntryStatus::Pending,
                State::Declined => EntryStatus::Denied,
            },
            invoice_id: capture.invoice_id.clone(),
            custom_id: capture.custom_id.clone(),
        }
    }

    pub(super) fn refund(refund: &Refund, capture: &Capture, now: Timestamp) -> Self {
        let status = match refund.state {
            RefundState::Completed => EntryStatus::Settled,
            RefundState::Pending => EntryStatus::Pending,
            RefundState::Failed => EntryStatus::Denied,
        };
        let amount = refund.amount.of(-refund.amount.units);
        Self {
            status,
            ..Self::about(capture, refund.id.clone(), "T1107", amount, now)
        }
    }

    /// The dispute's money is held (`T1110`), set free (`T1111`) or gone (`T1106`).
    pub(super) fn dispute(
        id: String,
        code: &'static str,
        dispute: &Dispute,
        capture: &Capture,
        now: Timestamp,
    ) -> Self {
        let sign = if code == "T1111" { 1 } else { -1 };
        let amount = dispute.amount.of(sign * dispute.amount.units);
        Self::about(capture, id, code, amount, now)
    }

    pub(super) fn withdrawal(id: String, amount: Amount, now: Timestamp) -> Self {
        Self {
            id,
            code: "T0400",
            reference: None,
            created: now,
            updated: now,
            amount: amount.of(-amount.units),
            fee: 0,
            status: EntryStatus::Settled,
            invoice_id: None,
            custom_id: None,
        }
    }

    fn about(
        capture: &Capture,
        id: String,
        code: &'static str,
        amount: Amount,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            code,
            reference: Some(Reference::Transaction(capture.id.clone())),
            created: now,
            updated: now,
            amount,
            fee: 0,
            status: EntryStatus::Settled,
            invoice_id: capture.invoice_id.clone(),
            custom_id: capture.custom_id.clone(),
        }
    }
}

impl Journal {
    pub(super) fn write(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// The status of the entry with this id changes, and with it the balance.
    pub(super) fn set_status(&mut self, id: &str, status: EntryStatus, now: Timestamp) {
        for entry in self.entries.iter_mut().filter(|entry| entry.id == id) {
            entry.status = status;
            entry.updated = now;
        }
    }

    /// All entries, each with the balance of its currency after it.
    pub(super) fn with_balances(&self) -> impl Iterator<Item = (&Entry, Amount)> {
        let mut balances: Vec<(Currency, i64)> = Vec::new();
        self.entries.iter().map(move |entry| {
            let currency = entry.amount.currency;
            let at = balances.iter().position(|(known, _)| *known == currency);
            let before = at
                .and_then(|at| balances.get(at))
                .map_or(0, |(_, units)| *units);
            let units = before + entry.net();
            balances.retain(|(known, _)| *known != currency);
            balances.push((currency, units));
            (entry, entry.amount.of(units))
        })
    }

    /// The balance of each currency that was ever used, in the order of first use.
    pub(super) fn balances(&self) -> Vec<Amount> {
        let mut balances: Vec<Amount> = Vec::new();
        for entry in &self.entries {
            let currency = entry.amount.currency;
            match balances.iter_mut().find(|known| known.currency == currency) {
                Some(known) => known.units += entry.net(),
                None => balances.push(entry.amount.of(entry.net())),
            }
        }
        balances
    }
}
