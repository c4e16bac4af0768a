//! Stripe's itemized balance and payout reconciliation reports (CSV).
//!
//! Columns by the report types `balance_change_from_activity.itemized` and
//! `payout_reconciliation.itemized` in Stripe's documentation: amounts are decimal major units,
//! rows are grouped by `reporting_category`, and `automatic_payout_id` names the payout.

use std::collections::HashSet;
use std::io::BufRead;

use super::input::{ReadError, ReadOptions, Reading};
use super::record::{EntryRecord, PayoutRecord, ReportRecord};
use super::table::Table;
use super::value::{Times, currency, padded_decimal};
use crate::matching::EntryKind;
use crate::matching::payout::{Day, LineKind};
use crate::money::Money;

const WHAT: &str = "a Stripe balance or payout reconciliation report";
const ID: [&str; 1] = ["balance_transaction_id"];
const CREATED: [&str; 2] = ["created_utc", "created"];

/// Reads the lines of each payout. Payouts themselves are no lines, and are left out. A payout that
/// the bank returned is a line of the payout that pays its money out again, and of none before.
///
/// # Errors
/// A [`ReadError`] for another file, and under `strict` for the first bad row.
pub fn report(
    input: impl BufRead,
    options: &ReadOptions,
) -> Result<Reading<ReportRecord>, ReadError> {
    let table = Table::open(input, None, WHAT, options)?;
    let id = table.required(&ID, WHAT)?;
    let category = table.required(&["reporting_category"], WHAT)?;
    let code = table.required(&["currency"], WHAT)?;
    let [gross, fee, net] = [
        table.required(&["gross"], WHAT)?,
        table.required(&["fee"], WHAT)?,
        table.required(&["net"], WHAT)?,
    ];
    let payout = table.column(&["automatic_payout_id"]);
    let charge = table.column(&["charge_id"]);
    let source = table.column(&["source_id"]);
    table.rows(|row| {
        let Some(kind) = line_kind(row.required(category, "the reporting category")?) else {
            return Ok(None);
        };
        let currency = currency(row.required(code, "the currency")?)?;
        let amount = |column, name| padded_decimal(row.required(column, name)?, currency);
        let id = row.required(id, "the balance transaction")?;
        let source = match kind {
            LineKind::Payment => row.optional(charge)?.or(row.optional(source)?),
            _ => row.optional(source)?,
        };
        Ok(Some(ReportRecord {
            id: id.to_owned(),
            payout: payout_of(kind, row.optional(payout)?, source).to_owned(),
            kind,
            source: source.unwrap_or(id).to_owned(),
            gross: amount(gross, "the gross amount")?,
            fee: amount(fee, "the fee")?,
            net: amount(net, "the net amount")?,
            currency,
        }))
    })
}

/// Reads the payouts themselves, also those that the bank returned, and says which these are.
///
/// # Errors
/// As [`report`].
pub fn payouts(
    input: impl BufRead,
    options: &ReadOptions,
) -> Result<Reading<PayoutRecord>, ReadError> {
    let table = Table::open(input, None, WHAT, options)?;
    let id = table.required(&ID, WHAT)?;
    let category = table.required(&["reporting_category"], WHAT)?;
    let code = table.required(&["currency"], WHAT)?;
    let net = table.required(&["net"], WHAT)?;
    let created = table.required(&CREATED, WHAT)?;
    let names = [
        "automatic_payout_effective_at_utc",
        "automatic_payout_effective_at",
    ];
    let arrives = table.column(&names);
    let payout = table.column(&["automatic_payout_id"]);
    let source = table.column(&["source_id"]);
    let text = table.column(&["description"]);
    let mut returned = HashSet::new();
    let mut reading = table.rows(|row| {
        match row.required(category, "the reporting category")? {
            "payout" => {}
            "payout_reversal" => {
                returned.extend(row.optional(source)?.map(str::to_owned));
                return Ok(None);
            }
            _ => return Ok(None),
        }
        let currency = currency(row.required(code, "the currency")?)?;
        let net = padded_decimal(row.required(net, "the net amount")?, currency)?;
        let net = net.checked_neg().ok_or("the net is out of range")?;
        let when = match row.optional(arrives)? {
            Some(text) => text,
            None => row.required(created, "the time")?,
        };
        let when = Times::Iso.read(when)?;
        let own = row.optional(payout)?.or(row.optional(source)?);
        let own = match own {
            Some(own) => own,
            None => row.required(id, "the balance transaction")?,
        };
        Ok(Some(PayoutRecord {
            id: own.to_owned(),
            rail: None,
            value_date: Day::of(when.at, 0).ok_or("the date is out of range")?,
            net: Money::new(net, currency),
            text: row.optional(text)?.map(str::to_owned),
            is_returned: false,
        }))
    })?;
    for payout in &mut reading.rows {
        payout.is_returned = returned.contains(&payout.id);
    }
    Ok(reading)
}

/// Reads the charges, refunds and disputes as entries, in the currency that the customer was
/// charged in where the report says it, since that is what the order is owed in. The order reference is the metadata
/// `order_id`, if the report was asked to include it, or else `counterfoil_reference`, which
/// payments begun by this library carry: see [`EntryRecord::within`].
///
/// # Errors
/// As [`report`].
pub fn entries(
    input: impl BufRead,
    options: &ReadOptions,
) -> Result<Reading<EntryRecord>, ReadError> {
    let table = Table::open(input, None, WHAT, options)?;
    let id = table.required(&ID, WHAT)?;
    let category = table.required(&["reporting_category"], WHAT)?;
    let code = table.required(&["currency"], WHAT)?;
    let gross = table.required(&["gross"], WHAT)?;
    let created = table.required(&CREATED, WHAT)?;
    let source = table.column(&["source_id"]);
    let charge = table.column(&["charge_id"]);
    let names = [
        "payment_metadata[order_id]",
        "charge_metadata[order_id]",
        "payment_metadata[counterfoil_reference]",
        "charge_metadata[counterfoil_reference]",
    ];
    let reference = table.column(&names);
    let customer = table.column(&["customer_id"]);
    let faced_amount = table.column(&["customer_facing_amount"]);
    let faced_code = table.column(&["customer_facing_currency"]);
    let method = table.column(&["payment_method_type"]);
    let text = table.column(&["description"]);
    table.rows(|row| {
        let kind = match row.required(category, "the reporting category")? {
            "charge" => EntryKind::Payment,
            "charge_failure" => EntryKind::Reversal,
            "refund" | "partial_capture_reversal" => EntryKind::Refund,
            "refund_failure" => EntryKind::FailedRefund,
            "dispute" => EntryKind::DisputeOpened,
            "dispute_reversal" => EntryKind::DisputeWon,
            _ => return Ok(None),
        };
        let settled_in = currency(row.required(code, "the currency")?)?;
        let gross = padded_decimal(row.required(gross, "the gross amount")?, settled_in)?;
        let faced = (row.optional(faced_amount)?, row.optional(faced_code)?);
        let amount = customer_facing(Money::new(gross, settled_in), faced)?;
        let at = Times::Iso.read(row.required(created, "the time")?)?.at;
        let (source, charge) = (row.optional(source)?, row.optional(charge)?);
        let own = if kind == EntryKind::Payment {
            charge.or(source)
        } else {
            source
        };
        let id = match own {
            Some(id) => id,
            None => row.required(id, "the balance transaction")?,
        };
        let owned = |column| -> Result<Option<String>, String> {
            Ok(row.optional(column)?.map(str::to_owned))
        };
        let parent = charge.filter(|_| !kind.is_payment()).map(str::to_owned);
        Ok(Some(EntryRecord {
            source: "stripe".to_owned(),
            parent,
            reference: owned(reference)?,
            customer: owned(customer)?,
            method: owned(method)?,
            text: owned(text)?,
            ..EntryRecord::new(id.to_owned(), kind, amount, at)
        }))
    })
}

/// What the customer saw of `settled`, where that was in another currency. Its sign is that of the
/// money that moved: the report gives what a dispute or refund takes with either sign.
fn customer_facing(settled: Money, faced: (Option<&str>, Option<&str>)) -> Result<Money, String> {
    let (Some(amount), Some(code)) = faced else {
        return Ok(settled);
    };
    let code = currency(code)?;
    if code == settled.currency() {
        return Ok(settled);
    }
    let size = padded_decimal(amount, code)?.checked_abs();
    let size = size.ok_or("the customer-facing amount is out of range")?;
    let signed = if settled.minor() < 0 { -size } else { size };
    Ok(Money::new(signed, code))
}

/// The payout that a line is in. The reversal of a payout may carry the returned payout's own id,
/// which it takes nothing from: that payout was made, and came back whole.
fn payout_of<'r>(kind: LineKind, payout: Option<&'r str>, source: Option<&str>) -> &'r str {
    let is_own = kind == LineKind::ReturnedPayout && payout == source;
    payout.filter(|_| !is_own).unwrap_or_default()
}

/// `None` for payouts, which are the sum and not a part of it.
fn line_kind(category: &str) -> Option<LineKind> {
    Some(match category {
        "charge" | "charge_failure" | "partial_capture_reversal" => LineKind::Payment,
        "refund" | "refund_failure" => LineKind::Refund,
        "dispute" | "dispute_reversal" => LineKind::Dispute,
        "fee" | "network_cost" | "platform_earning" | "platform_earning_refund" | "tax" => {
            LineKind::Fee
        }
        "risk_reserved_funds" | "connect_reserved_funds" => LineKind::Reserve,
        "currency_conversion" => LineKind::Conversion,
        "payout_reversal" => LineKind::ReturnedPayout,
        "payout" => return None,
        _ => LineKind::Adjustment,
    })
}
