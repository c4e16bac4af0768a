//! Bank statements in MT940 (SWIFT, text): field 61 is an entry, field 86 its text.

use std::io::BufRead;

use super::input::{ReadError, ReadOptions, Reading, excerpt, whole_text};
use super::record::{EntryRecord, PayoutRecord};
use super::value::{Amounts, cut};
use crate::matching::EntryKind;
use crate::matching::payout::Day;
use crate::money::{Currency, Money};

const WHAT: &str = "an MT940 statement";

/// Reads what came in as payments, and reversed credits as reversals. Other money that went out is
/// left out.
///
/// # Errors
/// A [`ReadError`] for another file, and under `strict` for the first bad entry.
pub fn entries(
    input: impl BufRead,
    options: &ReadOptions,
) -> Result<Reading<EntryRecord>, ReadError> {
    read(input, options, |entry| {
        let kind = match entry.mark {
            Mark::Credit => EntryKind::Payment,
            Mark::ReversedCredit => EntryKind::Reversal,
            Mark::Debit | Mark::ReversedDebit => return None,
        };
        Some(EntryRecord {
            source: "bank".to_owned(),
            account: entry.account.clone(),
            day_only: true,
            text: entry.text(),
            ..EntryRecord::new(entry.id(), kind, entry.amount, entry.day.start_utc())
        })
    })
}

/// Reads what came in as payouts of a provider.
///
/// # Errors
/// As [`entries`].
pub fn payouts(
    input: impl BufRead,
    options: &ReadOptions,
) -> Result<Reading<PayoutRecord>, ReadError> {
    read(input, options, |entry| {
        (entry.mark == Mark::Credit).then(|| PayoutRecord {
            id: entry.id(),
            rail: None,
            value_date: entry.day,
            net: entry.amount,
            text: entry.text(),
        })
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Credit,
    Debit,
    ReversedCredit,
    ReversedDebit,
}

#[derive(Debug, Clone)]
struct Entry {
    line: u64,
    statement: String,
    number: u64,
    account: String,
    day: Day,
    mark: Mark,
    amount: Money,
    bank_reference: Option<String>,
    texts: Vec<String>,
}

impl Entry {
    /// The bank's reference where it gives one; it may repeat in one statement, the place does not.
    /// Statements are counted anew each year, so that the day belongs to the place.
    fn id(&self) -> String {
        let place = format!("{}/{}/{}", self.day, self.statement, self.number);
        match &self.bank_reference {
            Some(reference) => format!("{reference}/{place}"),
            None => place,
        }
    }

    fn text(&self) -> Option<String> {
        (!self.texts.is_empty()).then(|| self.texts.join(" "))
    }
}

/// A field of the statement: its tag, its text over one line or more, and where it begins.
struct Field {
    line: u64,
    tag: String,
    value: String,
}

fn read<T>(
    input: impl BufRead,
    options: &ReadOptions,
    mut make: impl FnMut(&Entry) -> Option<T>,
) -> Result<Reading<T>, ReadError> {
    let text = whole_text(input, options)?;
    let fields = fields(&text);
    let has = |tag: &str| fields.iter().any(|field| field.tag.starts_with(tag));
    if !has("25") || !has("60") {
        let found = excerpt(&text);
        return Err(ReadError::NotThat {
            expected: WHAT,
            found,
        });
    }
    let mut reading = Reading::new();
    let mut account = String::new();
    let mut statement = String::new();
    let mut number = 0;
    let mut currency: Option<Currency> = None;
    let mut open: Option<Entry> = None;
    for field in fields {
        if field.tag == "86" {
            if let Some(entry) = &mut open {
                entry.texts.push(free_text(&field.value));
            }
            continue;
        }
        if let Some(entry) = open.take()
            && let Some(row) = make(&entry)
        {
            reading.take(entry.line, Ok(row), options)?;
        }
        match field.tag.as_str() {
            "25" => account = field.value.trim().to_owned(),
            "28C" | "28" => {
                statement = field.value.trim().to_owned();
                number = 0;
            }
            "60F" | "60M" => {
                let code = field.value.get(7..10).unwrap_or_default();
                currency = super::value::currency(code).ok();
                if currency.is_none() {
                    let reason =
                        format!("opening balance “{}” names no currency", cut(&field.value));
                    reading.take(field.line, Err(reason), options)?;
                }
            }
            "61" => {
                number += 1;
                match parse_entry(&field, currency) {
                    Ok(mut entry) => {
                        entry.account.clone_from(&account);
                        entry.statement.clone_from(&statement);
                        entry.number = number;
                        open = Some(entry);
                    }
                    Err(reason) => reading.take(field.line, Err(reason), options)?,
                }
            }
            _ => {}
        }
    }
    if let Some(entry) = open
        && let Some(row) = make(&entry)
    {
        reading.take(entry.line, Ok(row), options)?;
    }
    Ok(reading)
}

/// Splits the text at the lines that begin with a tag, such as `:61:`.
fn fields(text: &str) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        // The envelope of SWIFT may precede the first field on its line.
        let line = line.split_once("{4:").map_or(line, |(_, rest)| rest);
        let tagged = line.strip_prefix(':').and_then(|rest| rest.split_once(':'));
        let is_tag = |tag: &str| {
            (2..=3).contains(&tag.len()) && tag.starts_with(|c: char| c.is_ascii_digit())
        };
        match (tagged, fields.last_mut()) {
            (Some((tag, value)), _) if is_tag(tag) => fields.push(Field {
                line: number,
                tag: tag.to_owned(),
                value: value.to_owned(),
            }),
            (_, Some(field)) if !line.starts_with("-") => {
                field.value.push('\n');
                field.value.push_str(line);
            }
            _ => {}
        }
    }
    fields
}

/// Field 61: value date, entry date, mark, funds code, amount, type, reference, bank's reference.
fn parse_entry(field: &Field, statement: Option<Currency>) -> Result<Entry, String> {
    let text = field.value.lines().next().unwrap_or_default();
    let bad = |what: &str| format!("field 61 “{}”: {what}", cut(text));
    let date = text.get(..6).ok_or_else(|| bad("no value date"))?;
    let day = day(date).ok_or_else(|| bad("the value date is not YYMMDD"))?;
    let rest = text.get(6..).unwrap_or_default();
    let entry_date = rest
        .get(..4)
        .filter(|date| date.bytes().all(|b| b.is_ascii_digit()));
    let rest = entry_date.map_or(rest, |_| rest.get(4..).unwrap_or_default());
    let marks = [
        ("RC", Mark::ReversedCredit),
        ("RD", Mark::ReversedDebit),
        ("C", Mark::Credit),
        ("D", Mark::Debit),
    ];
    let mark = marks.into_iter().find_map(|(letters, mark)| {
        let rest = rest.strip_prefix(letters)?;
        Some((mark, rest))
    });
    let (mark, rest) = mark.ok_or_else(|| bad("neither credit nor debit"))?;
    // The third letter of the currency may stand before the amount.
    let rest = rest
        .strip_prefix(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(rest);
    let end = rest
        .find(|c: char| !c.is_ascii_digit() && c != ',')
        .unwrap_or(rest.len());
    let (amount, rest) = rest.split_at_checked(end).ok_or_else(|| bad("no amount"))?;
    let currency = statement.ok_or_else(|| bad("the statement names no currency"))?;
    let minor = Amounts::DecimalComma.read(amount, currency)?;
    // Four characters of type, then the references.
    let references = rest.get(4..).unwrap_or_default();
    let (own, bank) = match references.split_once("//") {
        Some((own, bank)) => (own, Some(bank.trim())),
        None => (references, None),
    };
    let own = own.trim();
    let own = (!own.is_empty() && own != "NONREF").then(|| own.to_owned());
    Ok(Entry {
        line: field.line,
        statement: String::new(),
        number: 0,
        account: String::new(),
        day,
        mark,
        amount: Money::new(minor, currency),
        bank_reference: bank.filter(|bank| !bank.is_empty()).map(str::to_owned),
        texts: own.into_iter().collect(),
    })
}

/// Two digits of year: MT940 has no century, and no statement is older than 1980.
fn day(text: &str) -> Option<Day> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<i8>().ok();
    let (year, month, day) = (part(0..2)?, part(2..4)?, part(4..6)?);
    let century = if year < 80 { 2000 } else { 1900 };
    Day::new(century + i16::from(year), month, day)
}

/// The text of field 86: lines are joined; German banks mark subfields with `?20` to `?29`, whose
/// marks are dropped.
fn free_text(value: &str) -> String {
    let joined = value.replace(['\n', '\r'], "");
    let mut parts = joined.split('?');
    let first = parts.next().unwrap_or_default();
    let is_structured = joined.contains("?20");
    if !is_structured {
        return joined;
    }
    let _code = first;
    let subfields = parts.filter_map(|part| {
        let mark = part.get(..2)?;
        let is_text = matches!(mark.parse::<u8>(), Ok(20..=29 | 32 | 33 | 60..=63));
        is_text.then(|| part.get(2..)).flatten()
    });
    subfields.collect::<Vec<_>>().join(" ")
}
