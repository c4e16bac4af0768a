//! PayPal's transaction search (JSON), as `GET /v1/reporting/transactions` answers it.
//!
//! One page or several pages one after the other. The transaction id alone is not unique: a record
//! that moves the balance and one that does not may share it. Only records that move the balance
//! are read, and where two of them still share an id, the event code is added to the later one.
//! Payments that the account itself has sent, and what came back to it, such as fees, are left out.
//!
//! A payment of status `V` came and went back whole. What went back is told by records of its own;
//! for what none in the same text tells, a reversal is given beside the payment, called by its id
//! and `/V`. Whether each reversed payment has such a record is not verified: read the search from
//! the payment's day to now in one go, so that nothing is taken back twice.

use std::collections::HashSet;
use std::io::BufRead;

use serde::Deserialize;

use super::input::{ReadError, ReadOptions, Reading, excerpt, whole_text};
use super::record::EntryRecord;
use super::value::{Times, currency, padded_decimal};
use crate::matching::EntryKind;
use crate::money::Money;

const WHAT: &str = "a PayPal transaction search";

/// Reads the payments, refunds and disputes. Withdrawals, holds and conversions are left out.
///
/// # Errors
/// A [`ReadError`] for another file, and under `strict` for the first bad record.
pub fn entries(
    input: impl BufRead,
    options: &ReadOptions,
) -> Result<Reading<EntryRecord>, ReadError> {
    let text = whole_text(input, options)?;
    let not_that = |found: String| ReadError::NotThat {
        expected: WHAT,
        found,
    };
    let mut reading = Reading::new();
    let mut seen = HashSet::new();
    let mut reversed = Vec::new();
    let mut number = 0;
    for page in serde_json::Deserializer::from_str(&text).into_iter::<Page>() {
        let page = page.map_err(|error| not_that(format!("{error}; {}", excerpt(&text))))?;
        for detail in page.transaction_details {
            number += 1;
            let found = Detail::deserialize(detail).map_err(|error| error.to_string());
            let found = found.and_then(|detail| entry(detail, page.account_number.as_deref()));
            if let Some(row) = found.transpose() {
                let is_reversed = row.as_ref().is_ok_and(|row| row.is_reversed);
                let row = row.map(|row| unique(row, &mut seen));
                if let (true, Ok(payment)) = (is_reversed, &row) {
                    reversed.push((number, payment.clone()));
                }
                reading.take(number, row, options)?;
            }
        }
    }
    for (number, payment) in reversed {
        if let Some(rest) = untold_reversal(&payment, &reading.rows).transpose() {
            reading.take(number, rest, options)?;
        }
    }
    if number == 0 && !text.contains("transaction_details") {
        return Err(not_that(excerpt(&text)));
    }
    Ok(reading)
}

#[derive(Deserialize)]
struct Page {
    transaction_details: Vec<serde_json::Value>,
    account_number: Option<String>,
}

#[derive(Deserialize)]
struct Detail {
    transaction_info: Info,
    #[serde(default)]
    payer_info: Payer,
}

#[derive(Deserialize)]
struct Info {
    transaction_id: String,
    transaction_event_code: String,
    transaction_status: String,
    transaction_amount: Amount,
    transaction_initiation_date: String,
    /// Of the other side.
    paypal_account_id: Option<String>,
    paypal_reference_id: Option<String>,
    paypal_reference_id_type: Option<String>,
    transaction_subject: Option<String>,
    transaction_note: Option<String>,
    invoice_id: Option<String>,
    custom_field: Option<String>,
    ending_balance: Option<serde_json::Value>,
    available_balance: Option<serde_json::Value>,
}

#[derive(Default, Deserialize)]
struct Payer {
    account_id: Option<String>,
}

#[derive(Deserialize)]
struct Amount {
    currency_code: String,
    value: String,
}

/// An entry and the event code that tells it from another with the same id.
struct Found {
    entry: EntryRecord,
    event_code: String,
    /// Whether it is a payment that has gone back whole.
    is_reversed: bool,
}

fn entry(detail: Detail, account: Option<&str>) -> Result<Option<Found>, String> {
    let info = detail.transaction_info;
    let is_settled = info.transaction_status == "S";
    if is_settled && info.ending_balance.is_none() && info.available_balance.is_none() {
        return Ok(None);
    }
    let kind = match (
        info.transaction_event_code.get(..3),
        info.transaction_status.as_str(),
    ) {
        (Some("T00"), "S") => EntryKind::Payment,
        (Some("T00"), "P") => EntryKind::PendingPayment,
        (Some("T00"), "D") => EntryKind::FailedPayment,
        // It came, before it went back.
        (Some("T00"), "V") => EntryKind::Payment,
        (Some("T11" | "T12"), "S") => match taken_back(&info.transaction_event_code) {
            Some(kind) => kind,
            None => return Ok(None),
        },
        (Some("T11" | "T12"), "P" | "D" | "V") => return Ok(None),
        (Some("T00" | "T11" | "T12"), status) => {
            return Err(format!("transaction_status “{status}” is not known"));
        }
        _ => return Ok(None),
    };
    if info.transaction_id.is_empty() {
        return Err("transaction_id is missing".to_owned());
    }
    let currency = currency(&info.transaction_amount.currency_code)?;
    let minor = padded_decimal(&info.transaction_amount.value, currency)?;
    // What was given back of a dispute can be taken again, under the same code.
    let kind = match kind {
        EntryKind::DisputeWon if minor < 0 => EntryKind::DisputeOpened,
        other => other,
    };
    let is_of_shopper = match info.transaction_event_code.get(..3) {
        Some("T00") => minor >= 0,
        Some("T11") => minor <= 0,
        _ => true,
    };
    if !is_of_shopper {
        return Ok(None);
    }
    let at = time(&info.transaction_initiation_date)?;
    let is_transaction = info.paypal_reference_id_type.as_deref() == Some("TXN");
    let parent = info
        .paypal_reference_id
        .filter(|_| is_transaction && !kind.is_payment());
    let entry = EntryRecord {
        source: "paypal".to_owned(),
        account: account.unwrap_or_default().to_owned(),
        parent,
        reference: info.custom_field.or(info.invoice_id),
        customer: detail.payer_info.account_id.or(info.paypal_account_id),
        method: Some("paypal".to_owned()),
        text: info.transaction_subject.or(info.transaction_note),
        ..EntryRecord::new(info.transaction_id, kind, Money::new(minor, currency), at)
    };
    Ok(Some(Found {
        entry,
        event_code: info.transaction_event_code,
        is_reversed: info.transaction_status == "V",
    }))
}

/// What a reversal or an adjustment takes from a payment or gives back to it. `None` for what is
/// about no payment of a customer: fees, holds, withdrawals and deposits that came back, payments
/// that the account itself had sent.
///
/// Source: <https://developer.paypal.com/docs/transaction-search/transaction-event-codes/>.
fn taken_back(event_code: &str) -> Option<EntryKind> {
    Some(match event_code {
        // Reversed by PayPal, after a review, or by another wallet.
        "T1106" | "T1116" | "T1118" => EntryKind::Reversal,
        // Of a withdrawal, a debit card, points, a deposit, a hold; fees; holds for a dispute; mass
        // payments sent; cash back; what was bought.
        "T1101" | "T1102" | "T1103" | "T1104" | "T1105" | "T1108" | "T1109" | "T1110" | "T1111"
        | "T1114" | "T1115" | "T1117" | "T1119" => return None,
        code if code.starts_with("T11") => EntryKind::Refund,
        // A chargeback, and one that was fought for in vain.
        "T1201" | "T1207" => EntryKind::DisputeOpened,
        // A chargeback reversed, reimbursed, canceled.
        "T1202" | "T1205" | "T1208" => EntryKind::DisputeWon,
        _ => return None,
    })
}

/// What went back of a reversed payment and stands in no record of its own among `rows`.
fn untold_reversal(
    payment: &EntryRecord,
    rows: &[EntryRecord],
) -> Result<Option<EntryRecord>, String> {
    let told = rows.iter().filter(|row| {
        let is_back = matches!(row.kind, EntryKind::Refund | EntryKind::Reversal);
        is_back && row.parent.as_ref() == Some(&payment.id)
    });
    let mut rest = payment.amount;
    for row in told {
        let left = rest.checked_add(row.amount);
        rest = left.map_err(|error| error.to_string())?;
    }
    if !rest.is_positive() {
        return Ok(None);
    }
    Ok(Some(EntryRecord {
        id: format!("{}/V", payment.id),
        kind: EntryKind::Reversal,
        amount: rest,
        parent: Some(payment.id.clone()),
        ..payment.clone()
    }))
}

/// Times such as `2026-11-22T09:30:00+0000`: the zone has no colon.
fn time(text: &str) -> Result<crate::clock::Timestamp, String> {
    let pattern = Times::Pattern("%Y-%m-%dT%H:%M:%S%z".to_owned());
    let read = pattern.read(text).or_else(|_| Times::Iso.read(text))?;
    Ok(read.at)
}

fn unique(found: Found, seen: &mut HashSet<(String, EntryKind)>) -> EntryRecord {
    let mut entry = found.entry;
    if !seen.insert((entry.id.clone(), entry.kind)) {
        entry.id = format!("{}/{}", entry.id, found.event_code);
    }
    entry
}
