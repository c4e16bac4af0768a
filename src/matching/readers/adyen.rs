//! Adyen's settlement details report (CSV), by the names in its header.
//!
//! One file is one payout batch or several. Each row's net is its credit less its debit; the fee
//! is what lies between gross and net in the columns for commission, markup, scheme fees and
//! interchange. The row `MerchantPayout` is the payout itself.

use std::io::BufRead;

use super::input::{ReadError, ReadOptions, Reading};
use super::record::{EntryRecord, PayoutRecord, ReportRecord};
use super::table::{Row, Table};
use super::value::{currency, padded_decimal};
use super::zone::{self, Local};
use crate::clock::Timestamp;
use crate::matching::EntryKind;
use crate::matching::payout::{Day, LineKind};
use crate::money::{Currency, Money};

const WHAT: &str = "an Adyen settlement details report";

/// What a row of a settlement details report does, by its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JournalType {
    /// A payment came, from Adyen or from the acquirer itself.
    Settled,
    /// The bank took back a payment that had come.
    SettledReversed,
    /// A refund went out.
    Refunded,
    /// A refund failed: its money is back.
    RefundedReversed,
    /// A dispute took money, the first or the second time.
    Chargeback,
    /// A dispute gave money back.
    ChargebackReversed,
    /// A fee on its own.
    Fee,
    /// Money held back, released or carried to another batch.
    Reserve,
    /// The payout itself.
    Payout,
    /// A payout that the bank returned.
    PayoutReturned,
    /// Any other correction.
    Adjustment,
}

impl JournalType {
    /// The type by Adyen's name for it, such as `SettledReversed`.
    #[must_use]
    pub fn of(name: &str) -> Self {
        match name {
            "MerchantPayout" => return Self::Payout,
            "MerchantPayoutReversed" | "MerchantPayoutReturned" | "MerchantPayoutFailed" => {
                return Self::PayoutReturned;
            }
            "Fee" | "MiscCosts" | "PaymentCost" | "InvoiceDeduction" | "AdvancementCommission" => {
                return Self::Fee;
            }
            "DepositCorrection" | "Balancetransfer" | "BalanceTransfer" | "ReserveAdjustment"
            | "MerchantPayin" => return Self::Reserve,
            _ => {}
        }
        let (stem, is_reversed) = match name.split_once("Reversed") {
            Some((stem, rest)) if is_way(rest) => (stem, true),
            _ => (name, false),
        };
        let is = |word: &str| stem.strip_prefix(word).is_some_and(is_way);
        let is_chargeback = is("Chargeback") || is("SecondChargeback");
        match is_reversed {
            false if is("Settled") => Self::Settled,
            true if is("Settled") => Self::SettledReversed,
            false if is("Refunded") => Self::Refunded,
            true if is("Refunded") => Self::RefundedReversed,
            false if is_chargeback => Self::Chargeback,
            true if is_chargeback => Self::ChargebackReversed,
            _ => Self::Adjustment,
        }
    }

    const fn entry_kind(self) -> Option<EntryKind> {
        Some(match self {
            Self::Settled => EntryKind::Payment,
            Self::SettledReversed => EntryKind::Reversal,
            Self::Refunded => EntryKind::Refund,
            Self::RefundedReversed => EntryKind::FailedRefund,
            Self::Chargeback => EntryKind::DisputeOpened,
            Self::ChargebackReversed => EntryKind::DisputeWon,
            _ => return None,
        })
    }

    /// `None` for the payout, which is the sum and not a part of it.
    const fn line_kind(self) -> Option<LineKind> {
        Some(match self {
            Self::Settled | Self::SettledReversed => LineKind::Payment,
            Self::Refunded | Self::RefundedReversed => LineKind::Refund,
            Self::Chargeback | Self::ChargebackReversed => LineKind::Dispute,
            Self::Fee => LineKind::Fee,
            Self::Reserve => LineKind::Reserve,
            Self::PayoutReturned => LineKind::ReturnedPayout,
            Self::Adjustment => LineKind::Adjustment,
            Self::Payout => return None,
        })
    }
}

/// Whether the end of a type's name says only by which way or in which parts the money goes.
fn is_way(rest: &str) -> bool {
    matches!(
        rest,
        "" | "Bulk"
            | "Externally"
            | "ExternallyWithInfo"
            | "Installment"
            | "Installments"
            | "InInstallments"
    )
}

/// One row of the report, in the currency that is paid out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SettlementRow {
    /// Where it stands in the file, counted from 1.
    pub line: u64,
    /// The number of the payout batch.
    pub batch: String,
    /// What it is, by Adyen's name, such as `Settled` or `MerchantPayout`.
    pub kind: String,
    /// The PSP reference of the payment, if it is about one.
    pub psp_reference: Option<String>,
    /// The PSP reference of the capture, refund or chargeback.
    pub modification: Option<String>,
    /// The merchant's reference of the payment.
    pub reference: Option<String>,
    /// The currency of net and fee.
    pub currency: Currency,
    /// What the row adds to the payout, in minor units: its credit less its debit.
    pub net: i64,
    /// What was kept, in minor units: commission, markup, scheme fees and interchange.
    pub fee: i64,
    /// When it was booked, by the report's time zone.
    pub booked_at: Timestamp,
    /// The day on which it was booked, on the clock of the report's time zone.
    pub booked_on: Day,
}

/// Reads the rows as they are, the payouts among them.
///
/// # Errors
/// A [`ReadError`] for another file, and under `strict` for the first bad row.
pub fn rows(
    input: impl BufRead,
    options: &ReadOptions,
) -> Result<Reading<SettlementRow>, ReadError> {
    read(input, options, |row| Ok(Some(row)))
}

/// Reads the lines of each batch. A batch is named as `batch 7`, by its number.
///
/// # Errors
/// As [`rows`].
pub fn report(
    input: impl BufRead,
    options: &ReadOptions,
) -> Result<Reading<ReportRecord>, ReadError> {
    read(input, options, |row| {
        let Some(kind) = JournalType::of(&row.kind).line_kind() else {
            return Ok(None);
        };
        let gross = row.net.checked_add(row.fee);
        let psp = row.psp_reference.as_deref();
        let own = row.modification.as_deref().or(psp).unwrap_or(&row.kind);
        // Rows such as fees have no reference: only their place tells them apart.
        let id = match psp {
            Some(_) => format!("{own}/{}", row.kind),
            None => format!("batch {}/{}/line {}", row.batch, row.kind, row.line),
        };
        Ok(Some(ReportRecord {
            id,
            payout: format!("batch {}", row.batch),
            kind,
            source: match kind {
                LineKind::Payment => psp.unwrap_or(own).to_owned(),
                _ => own.to_owned(),
            },
            gross: gross.ok_or("the gross is out of range")?,
            fee: row.fee,
            net: row.net,
            currency: row.currency,
        }))
    })
}

/// Reads the payouts themselves.
///
/// # Errors
/// As [`rows`].
pub fn payouts(
    input: impl BufRead,
    options: &ReadOptions,
) -> Result<Reading<PayoutRecord>, ReadError> {
    read(input, options, |row| {
        if JournalType::of(&row.kind) != JournalType::Payout {
            return Ok(None);
        }
        let net = row.net.checked_neg().ok_or("the net is out of range")?;
        Ok(Some(PayoutRecord {
            id: format!("batch {}", row.batch),
            rail: None,
            value_date: row.booked_on,
            net: Money::new(net, row.currency),
            text: None,
            is_returned: false,
        }))
    })
}

/// Reads the payments, refunds and chargebacks as entries, in their own currency. A capture is
/// called by the PSP references of its payment and its own, so that the captures of one payment are
/// told apart in whichever files they stand. A report without the column `Modification Reference`
/// calls them all by their payment: set it to have that column where payments are captured in parts.
///
/// # Errors
/// As [`report`].
pub fn entries(
    input: impl BufRead,
    options: &ReadOptions,
) -> Result<Reading<EntryRecord>, ReadError> {
    let table = Table::open(input, None, WHAT, options)?;
    let columns = Columns::find(&table)?;
    let gross_currency = table.required(&["gross currency"], WHAT)?;
    let debit = table.required(&["gross debit (gc)"], WHAT)?;
    let credit = table.required(&["gross credit (gc)"], WHAT)?;
    let method = table.column(&["payment method"]);
    let reference = table.column(&["merchant reference"]);
    let account = table.column(&["merchant account"]);
    table.rows(|row| {
        let name = columns.kind(row)?;
        let Some(kind) = JournalType::of(name).entry_kind() else {
            return Ok(None);
        };
        let currency = currency(row.required(gross_currency, "the gross currency")?)?;
        let debit = columns.amount(row, Some(debit), currency)?;
        let credit = columns.amount(row, Some(credit), currency)?;
        let amount = credit
            .checked_sub(debit)
            .ok_or("the amount is out of range")?;
        let psp = row.required(columns.psp_reference, "the PSP reference")?;
        let modification = row.optional(columns.modification)?;
        let is_payment = kind == EntryKind::Payment;
        let capture = modification.filter(|own| is_payment && *own != psp);
        let id = match (capture, modification) {
            (Some(capture), _) => format!("{psp}/{capture}"),
            // The second time is called by the same dispute as the first.
            (None, Some(own)) if name.starts_with("Second") => format!("{own}/{name}"),
            (None, Some(own)) if !is_payment => own.to_owned(),
            _ => psp.to_owned(),
        };
        let owned = |column| -> Result<Option<String>, String> {
            Ok(row.optional(column)?.map(str::to_owned))
        };
        Ok(Some(EntryRecord {
            source: "adyen".to_owned(),
            account: owned(account)?.unwrap_or_default(),
            parent: (!is_payment).then(|| psp.to_owned()),
            part_of: capture.map(|_| psp.to_owned()),
            reference: owned(reference)?,
            method: owned(method)?,
            ..EntryRecord::new(
                id,
                kind,
                Money::new(amount, currency),
                columns.when(row)?.at,
            )
        }))
    })
}

fn read<T>(
    input: impl BufRead,
    options: &ReadOptions,
    take: impl Fn(SettlementRow) -> Result<Option<T>, String>,
) -> Result<Reading<T>, ReadError> {
    let table = Table::open(input, None, WHAT, options)?;
    let columns = Columns::find(&table)?;
    table.rows(|row| take(columns.row(row)?))
}

/// The columns that every use of the report needs. Which others there are is set per account.
struct Columns {
    psp_reference: usize,
    modification: Option<usize>,
    reference: Option<usize>,
    kind: usize,
    created: usize,
    zone: Option<usize>,
    net_currency: usize,
    net_debit: usize,
    net_credit: usize,
    fees: [Option<usize>; 4],
    batch: usize,
}

impl Columns {
    fn find<R: BufRead>(table: &Table<R>) -> Result<Self, ReadError> {
        Ok(Self {
            psp_reference: table.required(&["psp reference"], WHAT)?,
            modification: table.column(&["modification reference"]),
            reference: table.column(&["merchant reference"]),
            kind: table.required(&["type"], WHAT)?,
            created: table.required(&["creation date", "booking date"], WHAT)?,
            zone: table.column(&["timezone", "time zone", "creation date timezone"]),
            net_currency: table.required(&["net currency"], WHAT)?,
            net_debit: table.required(&["net debit (nc)"], WHAT)?,
            net_credit: table.required(&["net credit (nc)"], WHAT)?,
            fees: [
                table.column(&["commission (nc)"]),
                table.column(&["markup (nc)"]),
                table.column(&["scheme fees (nc)"]),
                table.column(&["interchange (nc)"]),
            ],
            batch: table.required(&["batch number"], WHAT)?,
        })
    }

    fn row(&self, row: &Row<'_>) -> Result<SettlementRow, String> {
        let currency = currency(row.required(self.net_currency, "the net currency")?)?;
        let booked = self.when(row)?;
        let mut fee = 0_i64;
        for column in self.fees {
            let part = self.amount(row, column, currency)?;
            fee = fee.checked_add(part).ok_or("the fee is out of range")?;
        }
        let owned = |column| -> Result<Option<String>, String> {
            Ok(row.optional(column)?.map(str::to_owned))
        };
        Ok(SettlementRow {
            line: row.line,
            batch: row.required(self.batch, "the batch number")?.to_owned(),
            kind: self.kind(row)?.to_owned(),
            psp_reference: owned(Some(self.psp_reference))?,
            modification: owned(self.modification)?,
            reference: owned(self.reference)?,
            currency,
            net: self.net(row, currency)?,
            fee,
            booked_at: booked.at,
            booked_on: booked.day,
        })
    }

    fn kind<'r>(&self, row: &Row<'r>) -> Result<&'r str, String> {
        row.required(self.kind, "the type")
    }

    /// The date stands beside the zone that its clock is in.
    fn when(&self, row: &Row<'_>) -> Result<Local, String> {
        let text = row.required(self.created, "the creation date")?;
        zone::local(text, row.optional(self.zone)?)
    }

    fn net(&self, row: &Row<'_>, currency: Currency) -> Result<i64, String> {
        let credit = self.amount(row, Some(self.net_credit), currency)?;
        let debit = self.amount(row, Some(self.net_debit), currency)?;
        let net = credit.checked_sub(debit);
        net.ok_or_else(|| "the net is out of range".to_owned())
    }

    /// An amount in ISO minor units; an empty field is zero.
    fn amount(
        &self,
        row: &Row<'_>,
        column: Option<usize>,
        currency: Currency,
    ) -> Result<i64, String> {
        let Some(text) = row.optional(column)? else {
            return Ok(0);
        };
        padded_decimal(text, currency)
    }
}
