//! Orders, payments, payouts and report lines from CSV, by the names in the header.

use std::collections::BTreeMap;
use std::io::BufRead;

use serde::{Deserialize, Serialize};

use super::input::{ReadError, ReadOptions, Reading};
use super::record::{EntryRecord, OrderRecord, PayoutRecord, ReportRecord};
use super::table::{Row, Table};
use super::value::{Amounts, Times, currency, cut};
use crate::matching::EntryKind;
use crate::matching::payout::{Day, LineKind};
use crate::money::{Currency, Money};

/// What a file does not say about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct CsvMapping {
    /// The character between fields. Told from the header unless set.
    pub delimiter: Option<char>,
    /// How amounts are written, in columns whose name does not end in `_minor`: those are always
    /// whole minor units.
    pub amounts: Amounts,
    /// How times are written.
    pub times: Times,
    /// The currency of files that have no column for it.
    pub currency: Option<Currency>,
    /// The header's name for a field, where it is none of the usual ones.
    pub columns: BTreeMap<Field, String>,
}

/// What a column can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Field {
    /// The id of the row itself.
    Id,
    /// The order's total, the payment's amount, the payout's net, the line's gross.
    Amount,
    /// The currency.
    Currency,
    /// When it happened, or the value date.
    Time,
    /// The customer.
    Customer,
    /// The order reference of a payment.
    Reference,
    /// What an entry or a line is.
    Kind,
    /// The payment that a refund takes back, or that a report's line is for.
    Parent,
    /// How it was paid.
    Method,
    /// In how many instalments.
    Instalments,
    /// Free text.
    Text,
    /// The rail of a payout.
    Rail,
    /// The payout that a report's line is in.
    Payout,
    /// The fee of a report's line.
    Fee,
    /// The net of a report's line.
    Net,
}

/// Reads orders. Usual columns: `order_id`, `total_minor`, `currency`, `purchased_at`, `customer`.
/// An order without a total is one whose total nobody knows.
///
/// # Errors
/// A [`ReadError`] for a file that is not such a table, and under `strict` for the first bad row.
pub fn orders(
    input: impl BufRead,
    mapping: &CsvMapping,
    options: &ReadOptions,
) -> Result<Reading<OrderRecord>, ReadError> {
    const WHAT: &str = "a table of orders";
    let table = open(input, mapping, WHAT, options)?;
    let find = Finder {
        table: &table,
        mapping,
    };
    let id = find.required(Field::Id, &["order_id", "order", "id"], WHAT)?;
    let total = find.required(
        Field::Amount,
        &["total_minor", "amount_minor", "total", "amount"],
        WHAT,
    )?;
    let names = [
        "purchased_at",
        "placed_at",
        "ordered_at",
        "created_at",
        "at",
        "date",
    ];
    let placed_at = find.required(Field::Time, &names, WHAT)?;
    let names = ["customer_unique_id", "customer", "customer_id"];
    let customer = find.optional(Field::Customer, &names);
    let money = find.money(WHAT, total)?;
    table.rows(|row| {
        let id = row.required(id, "the order's id")?;
        let currency = money.currency(row)?;
        let total = row.optional(Some(total))?;
        Ok(Some(OrderRecord {
            id: id.to_owned(),
            total: total
                .map(|text| money.amounts.read(text, currency))
                .transpose()?,
            currency,
            placed_at: mapping.times.read(row.required(placed_at, "the time")?)?.at,
            customer: row.optional(customer)?.map(str::to_owned),
        }))
    })
}

/// Reads payments, refunds, disputes and other events. Usual columns: `payment_id`, `event_id` or
/// `refund_id`, `order_ref` or `order_id`, `amount_minor`, `currency`, `paid_at`, `type`, `kind`.
/// Without a kind, rows with a `refund_id` are refunds, and the others payments.
///
/// # Errors
/// As [`orders`].
pub fn entries(
    input: impl BufRead,
    mapping: &CsvMapping,
    options: &ReadOptions,
) -> Result<Reading<EntryRecord>, ReadError> {
    const WHAT: &str = "a table of payments";
    let table = open(input, mapping, WHAT, options)?;
    let find = Finder {
        table: &table,
        mapping,
    };
    let id = find.required(
        Field::Id,
        &["refund_id", "event_id", "payment_id", "id"],
        WHAT,
    )?;
    let names = [
        "amount_minor",
        "value_minor",
        "gross_minor",
        "amount",
        "gross",
    ];
    let amount = find.required(Field::Amount, &names, WHAT)?;
    let names = [
        "paid_at",
        "refunded_on",
        "refunded_at",
        "at",
        "created_at",
        "date",
    ];
    let at = find.required(Field::Time, &names, WHAT)?;
    let names = ["order_ref", "order_reference", "reference", "order_id"];
    let reference = find.optional(Field::Reference, &names);
    let names = ["customer", "customer_unique_id", "customer_id"];
    let customer = find.optional(Field::Customer, &names);
    let method = find.optional(Field::Method, &["type", "method", "rail"]);
    let instalments = find.optional(Field::Instalments, &["installments", "instalments"]);
    let kind = find.optional(Field::Kind, &["kind"]);
    let parent = find.optional(Field::Parent, &["parent_id", "payment_id"]);
    let parent = parent.filter(|parent| *parent != id);
    let text = find.optional(Field::Text, &["text", "description", "remittance"]);
    let is_refunds = table.name(id) == "refund_id";
    let money = find.money(WHAT, amount)?;
    table.rows(|row| {
        let id = row.required(id, "the payment's id")?;
        let currency = money.currency(row)?;
        let amount = money
            .amounts
            .read(row.required(amount, "the amount")?, currency)?;
        let when = mapping.times.read(row.required(at, "the time")?)?;
        let kind = match row.optional(kind)? {
            Some(kind) => entry_kind(kind)?,
            None if is_refunds => EntryKind::Refund,
            None => EntryKind::Payment,
        };
        let instalments = match row.optional(instalments)? {
            Some(text) => text
                .parse()
                .map_err(|_| format!("instalments “{}” are not a number", cut(text)))?,
            None => 1,
        };
        let owned = |column| -> Result<Option<String>, String> {
            Ok(row.optional(column)?.map(str::to_owned))
        };
        Ok(Some(EntryRecord {
            day_only: when.day_only,
            parent: owned(parent)?,
            // As delivered: what of it counts is for the declared rules to say.
            reference: row.verbatim(reference)?.map(str::to_owned),
            customer: owned(customer)?,
            method: owned(method)?,
            instalments,
            text: owned(text)?,
            ..EntryRecord::new(id.to_owned(), kind, Money::new(amount, currency), when.at)
        }))
    })
}

/// Reads payouts. Usual columns: `payout_id`, `value_date`, `net_minor`, `currency`, `rail`,
/// `statement_text`.
///
/// # Errors
/// As [`orders`].
pub fn payouts(
    input: impl BufRead,
    mapping: &CsvMapping,
    options: &ReadOptions,
) -> Result<Reading<PayoutRecord>, ReadError> {
    const WHAT: &str = "a table of payouts";
    let table = open(input, mapping, WHAT, options)?;
    let find = Finder {
        table: &table,
        mapping,
    };
    let id = find.required(Field::Id, &["payout_id", "id"], WHAT)?;
    let names = ["net_minor", "amount_minor", "net", "amount"];
    let net = find.required(Field::Amount, &names, WHAT)?;
    let names = ["value_date", "arrival_date", "paid_on", "date"];
    let day = find.required(Field::Time, &names, WHAT)?;
    let rail = find.optional(Field::Rail, &["rail"]);
    let text = find.optional(Field::Text, &["statement_text", "text", "description"]);
    let money = find.money(WHAT, net)?;
    table.rows(|row| {
        let currency = money.currency(row)?;
        let when = mapping.times.read(row.required(day, "the value date")?)?;
        let net = money
            .amounts
            .read(row.required(net, "the net amount")?, currency)?;
        Ok(Some(PayoutRecord {
            id: row.required(id, "the payout's id")?.to_owned(),
            rail: row.optional(rail)?.map(str::to_owned),
            value_date: Day::of(when.at, 0).ok_or("the value date is out of range")?,
            net: Money::new(net, currency),
            text: row.optional(text)?.map(str::to_owned),
            is_returned: false,
        }))
    })
}

/// Reads the lines of a provider's report. Usual columns: `line_id`, `payout_id`, `kind`,
/// `source_id`, `gross_minor`, `fee_minor`, `net_minor`, `currency`. A kind that is not known is
/// an adjustment.
///
/// # Errors
/// As [`orders`].
pub fn report(
    input: impl BufRead,
    mapping: &CsvMapping,
    options: &ReadOptions,
) -> Result<Reading<ReportRecord>, ReadError> {
    const WHAT: &str = "a table of payout lines";
    let table = open(input, mapping, WHAT, options)?;
    let find = Finder {
        table: &table,
        mapping,
    };
    let id = find.required(Field::Id, &["line_id", "id"], WHAT)?;
    let payout = find.required(Field::Payout, &["payout_id", "payout"], WHAT)?;
    let gross = find.required(Field::Amount, &["gross_minor", "gross", "amount"], WHAT)?;
    let kind = find.optional(Field::Kind, &["kind"]);
    let source = find.optional(Field::Parent, &["source_id", "source"]);
    let fee = find.optional(Field::Fee, &["fee_minor", "fee"]);
    let net = find.optional(Field::Net, &["net_minor", "net"]);
    let money = find.money(WHAT, gross)?;
    table.rows(|row| {
        let id = row.required(id, "the line's id")?;
        let currency = money.currency(row)?;
        let amount = |column| -> Result<Option<i64>, String> {
            let text = row.optional(column)?;
            text.map(|text| money.amounts.read(text, currency))
                .transpose()
        };
        let gross = amount(Some(gross))?.ok_or("the gross amount is missing")?;
        let fee = amount(fee)?.unwrap_or(0);
        let net = match amount(net)? {
            Some(net) => net,
            None => gross.checked_sub(fee).ok_or("the net is out of range")?,
        };
        Ok(Some(ReportRecord {
            id: id.to_owned(),
            payout: row.required(payout, "the payout")?.to_owned(),
            kind: row.optional(kind)?.map_or(LineKind::Payment, line_kind),
            source: row.optional(source)?.unwrap_or(id).to_owned(),
            gross,
            fee,
            net,
            currency,
        }))
    })
}

fn open<R: BufRead>(
    input: R,
    mapping: &CsvMapping,
    what: &'static str,
    options: &ReadOptions,
) -> Result<Table<R>, ReadError> {
    let delimiter = mapping
        .delimiter
        .and_then(|delimiter| u8::try_from(delimiter).ok());
    Table::open(input, delimiter, what, options)
}

/// Finds columns by the declared name, or else by the usual ones.
struct Finder<'a, R> {
    table: &'a Table<R>,
    mapping: &'a CsvMapping,
}

impl<R: BufRead> Finder<'_, R> {
    fn optional(&self, field: Field, usual: &[&str]) -> Option<usize> {
        match self.mapping.columns.get(&field) {
            Some(name) => self.table.column(&[name.trim().to_lowercase().as_str()]),
            None => self.table.column(usual),
        }
    }

    fn required(
        &self,
        field: Field,
        usual: &[&str],
        what: &'static str,
    ) -> Result<usize, ReadError> {
        match self.mapping.columns.get(&field) {
            Some(name) => self
                .table
                .required(&[name.trim().to_lowercase().as_str()], what),
            None => self.table.required(usual, what),
        }
    }

    /// How the amount in `column` is written, and in which currency.
    fn money(&self, what: &'static str, column: usize) -> Result<AmountColumn, ReadError> {
        let amounts = if self.table.name(column).ends_with("_minor") {
            Amounts::Minor
        } else {
            self.mapping.amounts
        };
        let column = self.optional(Field::Currency, &["currency"]);
        if column.is_none() && self.mapping.currency.is_none() {
            return Err(ReadError::NotThat {
                expected: what,
                found: "it has no column currency, and none was declared".to_owned(),
            });
        }
        Ok(AmountColumn {
            amounts,
            column,
            otherwise: self.mapping.currency,
        })
    }
}

struct AmountColumn {
    amounts: Amounts,
    column: Option<usize>,
    otherwise: Option<Currency>,
}

impl AmountColumn {
    fn currency(&self, row: &Row<'_>) -> Result<Currency, String> {
        match row.optional(self.column)? {
            Some(code) => currency(code),
            None => self
                .otherwise
                .ok_or_else(|| "the currency is missing".to_owned()),
        }
    }
}

fn entry_kind(text: &str) -> Result<EntryKind, String> {
    Ok(match text.to_lowercase().as_str() {
        // A redelivery is told from its id: the word adds nothing to it.
        "payment" | "redelivery" | "capture" | "charge" => EntryKind::Payment,
        "pending" | "pending_payment" => EntryKind::PendingPayment,
        "failed" | "failed_payment" => EntryKind::FailedPayment,
        "refund" => EntryKind::Refund,
        "failed_refund" => EntryKind::FailedRefund,
        "dispute" | "dispute_open" | "chargeback" => EntryKind::DisputeOpened,
        "dispute_won" | "dispute_reversal" => EntryKind::DisputeWon,
        "dispute_lost" => EntryKind::DisputeLost,
        "reversal" => EntryKind::Reversal,
        _ => return Err(format!("kind “{}” is not known", cut(text))),
    })
}

fn line_kind(text: &str) -> LineKind {
    match text.to_lowercase().as_str() {
        "payment" | "late" | "charge" | "capture" => LineKind::Payment,
        "refund" => LineKind::Refund,
        "dispute" | "dispute_reversal" | "chargeback" => LineKind::Dispute,
        "fee" => LineKind::Fee,
        "reserve" => LineKind::Reserve,
        "conversion" | "fx" => LineKind::Conversion,
        _ => LineKind::Adjustment,
    }
}
