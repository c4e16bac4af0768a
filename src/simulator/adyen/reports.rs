//! The settlement details report: one file for each batch that is paid out.
//!
//! Each merchant account and currency is settled by itself, so that nothing is converted. What was
//! captured, refunded or charged back goes into the batch that closes at the midnight after the
//! next; a batch that would not be positive waits. Fees are a part of each capture: 0.6 % markup,
//! 0.1 % scheme fees, 0.3 % interchange, rounded down; and a fixed fee for each, in a row of its
//! own. Neither is given back with a refund.

use super::amounts::Amount;
use super::errors::ApiError;
use super::modifications::Modification;
use super::notices::{self, Item};
use super::payments::Payment;
use super::router::Call;
use super::state::{COMPANY, World};
use crate::clock::Timestamp;

const DAY: i64 = 24 * 60 * 60;
const MARKUP_PERMILLE: i64 = 6;
const SCHEME_PERMILLE: i64 = 1;
const INTERCHANGE_PERMILLE: i64 = 3;
/// For each capture, in minor units.
const FIXED_FEE: i64 = 10;

const HEADER: &str = "Company Account,Merchant Account,Psp Reference,Merchant Reference,\
Payment Method,Creation Date,TimeZone,Type,Modification Reference,Gross Currency,\
Gross Debit (GC),Gross Credit (GC),Exchange Rate,Net Currency,Net Debit (NC),Net Credit (NC),\
Commission (NC),Markup (NC),Scheme Fees (NC),Interchange (NC),Payment Method Variant,\
Modification Merchant Reference,Batch Number,Reserved4,Reserved5,Reserved6,Reserved7,Reserved8,\
Reserved9,Reserved10";

/// All that was booked, and the batches that were closed.
#[derive(Debug, Default)]
pub(super) struct Books {
    rows: Vec<ReportRow>,
    batches: u32,
}

/// What a row is for, by Adyen's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowKind {
    Settled,
    Refunded,
    RefundedReversed,
    Chargeback,
    ChargebackReversed,
    SecondChargeback,
    /// A capture that failed after it had been settled.
    ManualCorrected,
    Fee,
    MerchantPayout,
}

impl RowKind {
    fn name(self) -> &'static str {
        match self {
            Self::Settled => "Settled",
            Self::Refunded => "Refunded",
            Self::RefundedReversed => "RefundedReversed",
            Self::Chargeback => "Chargeback",
            Self::ChargebackReversed => "ChargebackReversed",
            Self::SecondChargeback => "SecondChargeback",
            Self::ManualCorrected => "ManualCorrected",
            Self::Fee => "Fee",
            Self::MerchantPayout => "MerchantPayout",
        }
    }

    /// Whether it adds to what the merchant is owed.
    fn is_credit(self) -> bool {
        matches!(
            self,
            Self::Settled | Self::RefundedReversed | Self::ChargebackReversed
        )
    }
}

#[derive(Debug, Clone)]
struct ReportRow {
    kind: RowKind,
    at: Timestamp,
    merchant: String,
    payment: String,
    merchant_reference: String,
    method: &'static str,
    modification: String,
    modification_reference: String,
    /// Never negative: the kind tells debit from credit.
    gross: Amount,
    fees: [i64; 3],
    /// The batch that it is in; 0 while it waits.
    batch: u32,
}

impl ReportRow {
    fn net(&self) -> i64 {
        let signed = if self.kind.is_credit() {
            self.gross.value
        } else {
            -self.gross.value
        };
        signed - self.fees.iter().sum::<i64>()
    }
}

/// Books what a modification moved.
pub(super) fn book(
    world: &mut World,
    kind: RowKind,
    payment: &Payment,
    modification: &Modification,
    amount: i64,
) {
    let reference = modification.reference.clone().unwrap_or_default();
    add(world, kind, payment, &modification.psp, reference, amount);
}

/// Books what a dispute moved.
pub(super) fn book_dispute(
    world: &mut World,
    kind: RowKind,
    payment: &Payment,
    dispute: &str,
    amount: i64,
) {
    add(world, kind, payment, dispute, String::new(), amount);
}

/// Takes back what a modification that failed had moved: before it is settled it vanishes, after
/// that it is corrected.
pub(super) fn unbook(
    world: &mut World,
    kind: RowKind,
    payment: &Payment,
    modification: &Modification,
    amount: i64,
) {
    let waiting = |row: &ReportRow| {
        row.batch == 0 && row.kind == kind && row.modification == modification.psp
    };
    let count = world.books.rows.len();
    world.books.rows.retain(|row| !waiting(row));
    if world.books.rows.len() == count {
        let opposite = match kind {
            RowKind::Refunded => RowKind::RefundedReversed,
            _ => RowKind::ManualCorrected,
        };
        book(world, opposite, payment, modification, amount);
    }
}

fn add(
    world: &mut World,
    kind: RowKind,
    payment: &Payment,
    modification: &str,
    modification_reference: String,
    amount: i64,
) {
    let part = |permille: i64| match kind {
        // The quotient first: an amount may be as large as it likes.
        RowKind::Settled => amount / 1000 * permille + amount % 1000 * permille / 1000,
        _ => 0,
    };
    world.books.rows.push(ReportRow {
        kind,
        at: world.now,
        merchant: payment.merchant.clone(),
        payment: payment.psp.clone(),
        merchant_reference: payment.reference.clone(),
        method: payment.method.variant,
        modification: modification.to_owned(),
        modification_reference,
        gross: payment.amount.with_value(amount),
        fees: [MARKUP_PERMILLE, SCHEME_PERMILLE, INTERCHANGE_PERMILLE].map(part),
        batch: 0,
    });
    world.plan_batches(closing(world.now));
}

/// The midnight at which a movement is settled.
fn closing(at: Timestamp) -> Timestamp {
    Timestamp::from_unix((at.unix().div_euclid(DAY) + 2).saturating_mul(DAY))
}

/// Closes the batches of a day.
pub(super) fn close_batches(world: &mut World) {
    let now = world.now;
    close(world, |row| closing(row.at) <= now);
}

/// Closes batches of all that waits; their numbers are answered.
pub(super) fn close_all(world: &mut World) -> Vec<u32> {
    let before = world.books.batches;
    close(world, |_| true);
    (before + 1..=world.books.batches).collect()
}

fn close(world: &mut World, is_ripe: impl Fn(&ReportRow) -> bool) {
    let mut groups: Vec<(String, String)> = Vec::new();
    for row in world.books.rows.iter().filter(|row| row.batch == 0) {
        let group = (row.merchant.clone(), row.gross.currency.clone());
        if is_ripe(row) && !groups.contains(&group) {
            groups.push(group);
        }
    }
    for (merchant, currency) in groups {
        let ripe = |row: &ReportRow| {
            row.batch == 0
                && row.merchant == merchant
                && row.gross.currency == currency
                && is_ripe(row)
        };
        let rows: Vec<&ReportRow> = world.books.rows.iter().filter(|row| ripe(row)).collect();
        let captures = rows.iter().filter(|row| row.kind == RowKind::Settled);
        let fee = FIXED_FEE * i64::try_from(captures.count()).unwrap_or_default();
        let net = rows.iter().map(|row| row.net()).sum::<i64>() - fee;
        if net <= 0 {
            continue;
        }
        let batch = world.books.batches + 1;
        world.books.batches = batch;
        for row in world.books.rows.iter_mut() {
            if ripe(row) {
                row.batch = batch;
            }
        }
        for (kind, value) in [(RowKind::Fee, fee), (RowKind::MerchantPayout, net)] {
            if value > 0 {
                let gross = Amount {
                    value,
                    currency: currency.clone(),
                };
                world
                    .books
                    .rows
                    .push(of_account(world.now, kind, &merchant, gross, batch));
            }
        }
        let file = format!("settlement_detail_report_batch_{batch}.csv");
        let path = format!("/reports/download/MerchantAccount/{merchant}/{file}");
        let mut item = Item::about_account("REPORT_AVAILABLE", &merchant, &file);
        item.reason = world.url("ca-test.adyen.com", &path);
        notices::emit(world, item);
    }
}

fn of_account(
    at: Timestamp,
    kind: RowKind,
    merchant: &str,
    gross: Amount,
    batch: u32,
) -> ReportRow {
    ReportRow {
        kind,
        at,
        merchant: merchant.to_owned(),
        payment: String::new(),
        merchant_reference: String::new(),
        method: "",
        modification: String::new(),
        modification_reference: match kind {
            RowKind::MerchantPayout => format!("TX{batch}XT batch {batch}"),
            _ => "Transaction Fees".to_owned(),
        },
        gross,
        fees: [0; 3],
        batch,
    }
}

/// The file that a path such as `reports/download/MerchantAccount/{merchant}/{file}` names.
pub(super) fn download(world: &World, call: &Call<'_>, path: &str) -> Result<String, ApiError> {
    let missing = || ApiError::not_found("Report not found");
    let named = path.strip_prefix("download/MerchantAccount/");
    let (merchant, file) = named
        .and_then(|path| path.split_once('/'))
        .ok_or_else(missing)?;
    call.check_merchant(world, merchant)?;
    let number = file.strip_prefix("settlement_detail_report_batch_");
    let number = number.and_then(|rest| rest.strip_suffix(".csv")?.parse::<u32>().ok());
    let number = number.filter(|number| *number > 0).ok_or_else(missing)?;
    let rows = world.books.rows.iter();
    let rows: Vec<&ReportRow> = rows
        .filter(|row| row.batch == number && row.merchant == merchant)
        .collect();
    if rows.is_empty() {
        return Err(missing());
    }
    let mut csv = format!("{HEADER}\n");
    for row in rows {
        csv += &line(row);
    }
    Ok(csv)
}

fn line(row: &ReportRow) -> String {
    let sum = |value: i64| row.gross.with_value(value).decimal();
    let (mut gross_debit, mut gross_credit) = (String::new(), String::new());
    if row.kind.is_credit() {
        gross_credit = row.gross.decimal();
    } else {
        gross_debit = row.gross.decimal();
    }
    let (mut net_debit, mut net_credit) = (String::new(), String::new());
    if row.net() < 0 {
        net_debit = sum(-row.net());
    } else {
        net_credit = sum(row.net());
    }
    let fee = |value: &i64| {
        if *value == 0 {
            String::new()
        } else {
            sum(*value)
        }
    };
    let [markup, scheme, interchange] = row.fees.each_ref().map(fee);
    let created = row.at.to_string().replace('T', " ").replace('Z', "");
    // What belongs to no payment has no gross amount and no rate.
    let of_payment = !row.payment.is_empty();
    let blank = String::new;
    let (gross_currency, rate) = if of_payment {
        (row.gross.currency.clone(), "1".to_owned())
    } else {
        (blank(), blank())
    };
    if !of_payment {
        (gross_debit, gross_credit) = (blank(), blank());
    }
    let batch = row.batch.to_string();
    let fields = [
        COMPANY,
        &row.merchant,
        &row.payment,
        &row.merchant_reference,
        row.method,
        &created,
        "UTC",
        row.kind.name(),
        &row.modification,
        &gross_currency,
        &gross_debit,
        &gross_credit,
        &rate,
        &row.gross.currency,
        &net_debit,
        &net_credit,
        "",
        &markup,
        &scheme,
        &interchange,
        row.method,
        &row.modification_reference,
        &batch,
    ];
    let fields = fields.map(quoted);
    format!("{}{}\n", fields.join(","), ",".repeat(7))
}

/// A field of a CSV file, quoted if it must be.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

/// For the tests: what has been booked of one kind, over all batches and what waits.
#[cfg(test)]
pub(super) fn booked(world: &World, kind: RowKind, currency: &str) -> i64 {
    let rows = world.books.rows.iter();
    let rows = rows.filter(|row| row.kind == kind && row.gross.currency == currency);
    rows.map(|row| row.gross.value).sum()
}
