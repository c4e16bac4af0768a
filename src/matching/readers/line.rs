//! A line of a bank statement, credit or debit, and what matching takes of it.

use super::record::{EntryRecord, PayoutRecord};
use crate::clock::Timestamp;
use crate::matching::EntryKind;
use crate::matching::payout::Day;
use crate::money::Money;

/// Longer texts are cut: no bank writes them, and matching takes no longer ones.
const TEXT_MAX: usize = 4_096;

/// A line of a bank statement: money that came in or went out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StatementLine {
    /// Its name: made of what it says, so that every export that has the line names it alike.
    pub id: String,
    /// The line of the file on which it begins.
    pub line: u64,
    /// The account.
    pub account: String,
    /// What it changes the balance by: above zero what came in, below zero what went out.
    pub amount: Money,
    /// Whether it is on the debit side, which an amount of zero does not show.
    pub is_debit: bool,
    /// Whether it takes back an earlier line, or money that had been sent.
    pub is_reversal: bool,
    /// When it bears interest, or else when it was booked.
    pub at: Timestamp,
    /// Whether only the day is known.
    pub day_only: bool,
    /// The day on which it was booked, if the bank says so.
    pub booked: Option<Day>,
    /// The structured reference of the payer.
    pub reference: Option<String>,
    /// The name of the other side.
    pub payer: Option<String>,
    /// The account of the other side, mostly an IBAN.
    pub payer_account: Option<String>,
    /// How it was paid, such as `bank_transfer`.
    pub method: Option<String>,
    /// The bank's own reference, if it gives one.
    pub bank_reference: Option<String>,
    /// All that is written on it. A line break stands where the bank cut the text.
    pub text: Option<String>,
}

impl StatementLine {
    /// A line without anything written on it.
    pub(super) const fn new(line: u64, account: String, amount: Money, at: Timestamp) -> Self {
        Self {
            id: String::new(),
            line,
            account,
            amount,
            is_debit: amount.minor() < 0,
            is_reversal: false,
            at,
            day_only: false,
            booked: None,
            reference: None,
            payer: None,
            payer_account: None,
            method: None,
            bank_reference: None,
            text: None,
        }
    }

    /// Joins what is written on it, with a line break between the pieces.
    pub(super) fn set_text(&mut self, pieces: &[String]) {
        let text = pieces.join("\n");
        let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
        let end = ends.take_while(|end| *end <= TEXT_MAX).last().unwrap_or(0);
        let text = text.get(..end).filter(|text| !text.is_empty());
        self.text = text.map(str::to_owned);
    }

    /// What it is to matching; `None` for money that went out on our own account.
    ///
    /// A debit that takes back is a reversal of a payment, and a credit that takes back is a refund
    /// that came back.
    #[must_use]
    pub const fn kind(&self) -> Option<EntryKind> {
        match (self.is_debit, self.is_reversal) {
            (false, false) => Some(EntryKind::Payment),
            (true, true) => Some(EntryKind::Reversal),
            (false, true) => Some(EntryKind::FailedRefund),
            (true, false) => None,
        }
    }

    /// The payment, reversal or failed refund that it is.
    #[must_use]
    pub fn entry(&self) -> Option<EntryRecord> {
        let entry = EntryRecord::new(self.id.clone(), self.kind()?, self.amount, self.at);
        Some(EntryRecord {
            source: "bank".to_owned(),
            account: self.account.clone(),
            day_only: self.day_only,
            reference: self.reference.clone(),
            payer: self.payer.clone(),
            payer_account: self.payer_account.clone(),
            method: self.method.clone(),
            text: self.text.clone(),
            ..entry
        })
    }

    /// The payout of a provider that it may be.
    #[must_use]
    pub fn payout(&self) -> Option<PayoutRecord> {
        let is_one = !self.is_debit && !self.is_reversal;
        let value_date = Day::of(self.at, 0).filter(|_| is_one)?;
        Some(PayoutRecord {
            id: self.id.clone(),
            rail: None,
            value_date,
            net: self.amount,
            text: self.text.clone(),
            is_returned: false,
        })
    }
}
