//! Bank statements in camt.053 (ISO 20022, XML), of any version.
//!
//! An entry whose details list several transactions gives one row for each of them, and one row
//! for the whole if the details do not add up to it. What counts is the amount that was booked, not
//! what the payer sent before charges or in another currency; what is only announced (`PDNG`,
//! `INFO`, `FUTR`) is left out. An entry is named by the bank's reference, or else by its statement
//! and its place there.

use std::collections::HashSet;
use std::io::BufRead;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::input::{ReadError, ReadOptions, Reading, excerpt, whole_text};
use super::record::{EntryRecord, PayoutRecord};
use super::value::{Times, When, currency, cut, padded_decimal};
use crate::matching::EntryKind;
use crate::matching::payout::Day;
use crate::money::Money;

const WHAT: &str = "a camt.053 statement";
/// How deep elements may nest; the standard stays below 20.
const DEPTH_MAX: usize = 64;

/// Reads what came in as payments, and what went out as reversals of the incoming ones where the
/// bank marks it so. Other money that went out is left out.
///
/// # Errors
/// A [`ReadError`] for another file, and under `strict` for the first bad entry.
pub fn entries(
    input: impl BufRead,
    options: &ReadOptions,
) -> Result<Reading<EntryRecord>, ReadError> {
    read(input, options, |item, account| {
        let money = item.money()?;
        let kind = match (money.minor() >= 0, item.is_reversal) {
            (true, false) => EntryKind::Payment,
            (false, true) => EntryKind::Reversal,
            _ => return Ok(None),
        };
        let when = item.when()?;
        Ok(Some(EntryRecord {
            source: "bank".to_owned(),
            account: account.to_owned(),
            day_only: when.day_only,
            reference: item.structured.clone(),
            customer: item.party.clone(),
            text: item.text(),
            ..EntryRecord::new(item.id.clone(), kind, money, when.at)
        }))
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
    read(input, options, |item, _account| {
        let net = item.money()?;
        if net.minor() < 0 {
            return Ok(None);
        }
        let value_date = Day::of(item.when()?.at, 0).ok_or("the value date is out of range")?;
        Ok(Some(PayoutRecord {
            id: item.id.clone(),
            rail: None,
            value_date,
            net,
            text: item.text(),
        }))
    })
}

/// One entry, or one transaction of an entry.
#[derive(Debug, Clone, Default)]
struct Item {
    line: u64,
    id: String,
    amount: Option<(String, String)>,
    is_debit: Option<bool>,
    is_reversal: bool,
    status: Option<String>,
    booked: Option<String>,
    valued: Option<String>,
    structured: Option<String>,
    party: Option<String>,
    texts: Vec<String>,
}

impl Item {
    /// Whether the money has moved. Old versions do not always say it of what was booked.
    fn is_booked(&self) -> Result<bool, String> {
        match self.status.as_deref() {
            None | Some("BOOK") => Ok(true),
            Some("PDNG" | "INFO" | "FUTR") => Ok(false),
            Some(other) => Err(format!("Sts “{}” is not known", cut(other))),
        }
    }

    fn money(&self) -> Result<Money, String> {
        let (code, text) = self.amount.as_ref().ok_or("the amount is missing")?;
        let currency = currency(code)?;
        let minor = padded_decimal(text, currency)?;
        let is_debit = self.is_debit.ok_or("CdtDbtInd is missing")?;
        let signed = if is_debit {
            minor.checked_neg()
        } else {
            Some(minor)
        };
        let signed = signed.ok_or("the amount is out of range")?;
        Ok(Money::new(signed, currency))
    }

    fn when(&self) -> Result<When, String> {
        let text = self.valued.as_ref().or(self.booked.as_ref());
        Times::Iso.read(text.ok_or("the value date is missing")?)
    }

    fn text(&self) -> Option<String> {
        (!self.texts.is_empty()).then(|| self.texts.join(" "))
    }
}

fn read<T>(
    input: impl BufRead,
    options: &ReadOptions,
    mut make: impl FnMut(&Item, &str) -> Result<Option<T>, String>,
) -> Result<Reading<T>, ReadError> {
    let text = whole_text(input, options)?;
    let not_that = |found: String| ReadError::NotThat {
        expected: WHAT,
        found,
    };
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut lines = Lines {
        text: &text,
        at: 0,
        line: 1,
    };
    let mut statement = Statement::default();
    let mut reading = Reading::new();
    loop {
        let line = lines.at(reader.buffer_position());
        let event = reader.read_event();
        let event = event.map_err(|error| not_that(format!("line {line}: {error}")))?;
        match event {
            Event::Start(start) => {
                statement.open(&start, line);
                if statement.path.len() > DEPTH_MAX {
                    return Err(not_that(format!("line {line}: elements nest too deep")));
                }
            }
            Event::Text(value) => statement.value.push_str(&value),
            Event::GeneralRef(entity) => statement.value.push_str(&resolved(&entity)),
            Event::CData(value) => statement.value.push_str(&value),
            Event::End(_) => {
                for item in statement.close() {
                    let row = match item.is_booked() {
                        Ok(true) => make(&item, &statement.account),
                        Ok(false) => Ok(None),
                        Err(unknown) => Err(unknown),
                    };
                    if let Some(row) = row.transpose() {
                        reading.take(item.line, row, options)?;
                    }
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    if !statement.is_one {
        return Err(not_that(excerpt(&text)));
    }
    if !statement.path.is_empty() {
        let rest = "the file ends in the middle of a statement".to_owned();
        reading.take(lines.at(text.len() as u64), Err(rest), options)?;
    }
    Ok(reading)
}

/// Only the entities that XML itself has: a statement declares none.
fn resolved(name: &str) -> String {
    match name {
        "amp" => "&".to_owned(),
        "lt" => "<".to_owned(),
        "gt" => ">".to_owned(),
        "quot" => "\"".to_owned(),
        "apos" => "'".to_owned(),
        _ => {
            let code = name
                .strip_prefix('#')
                .and_then(|number| match number.strip_prefix('x') {
                    Some(hex) => u32::from_str_radix(hex, 16).ok(),
                    None => number.parse().ok(),
                });
            code.and_then(char::from_u32)
                .map_or_else(String::new, String::from)
        }
    }
}

/// Where the parser is in the statement.
#[derive(Default)]
struct Statement {
    is_one: bool,
    path: Vec<String>,
    value: String,
    currency: String,
    account: String,
    id: String,
    number: u64,
    /// The bank's references in this statement: one may name several entries.
    references: HashSet<String>,
    entry: Item,
    details: Vec<Item>,
}

impl Statement {
    fn open(&mut self, start: &BytesStart<'_>, line: u64) {
        let name = start.local_name().as_ref().to_owned();
        self.value.clear();
        match name.as_str() {
            "BkToCstmrStmt" => self.is_one = true,
            "Stmt" => {
                self.id.clear();
                self.number = 0;
                self.references.clear();
            }
            "Ntry" => {
                self.number += 1;
                self.details.clear();
                self.entry = Item {
                    line,
                    ..Item::default()
                };
            }
            "TxDtls" => self.details.push(Item {
                line,
                ..Item::default()
            }),
            "Amt" => {
                let code = start
                    .attributes()
                    .flatten()
                    .find(|a| a.key.as_ref() == "Ccy");
                self.currency = code.map_or_else(String::new, |code| code.value.into_owned());
            }
            _ => {}
        }
        self.path.push(name);
    }

    /// Ends an element, and gives the items of an entry that ends with it.
    fn close(&mut self) -> Vec<Item> {
        let value = std::mem::take(&mut self.value).trim().to_owned();
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let inside = |names: &[&str]| path.ends_with(names);
        if inside(&["Stmt", "Acct", "Id", "IBAN"]) || inside(&["Stmt", "Acct", "Id", "Othr", "Id"])
        {
            self.account.clone_from(&value);
        }
        if inside(&["Stmt", "Id"]) {
            self.id.clone_from(&value);
        }
        let is_entry_end = inside(&["Ntry"]);
        if path.contains(&"Ntry") && !value.is_empty() {
            let item = match self.details.last_mut() {
                Some(detail) if path.contains(&"TxDtls") => detail,
                _ => &mut self.entry,
            };
            item.set(&path, value, &self.currency);
        }
        let _closed = self.path.pop();
        if is_entry_end {
            self.items()
        } else {
            Vec::new()
        }
    }

    fn items(&mut self) -> Vec<Item> {
        let mut entry = std::mem::take(&mut self.entry);
        let place = format!("{}/{}", self.id, self.number);
        if entry.id.is_empty() {
            entry.id = place;
        } else if !self.references.insert(entry.id.clone()) {
            entry.id = format!("{}/{place}", entry.id);
        }
        let mut details = std::mem::take(&mut self.details);
        for (place, detail) in details.iter_mut().enumerate() {
            detail.is_debit = detail.is_debit.or(entry.is_debit);
            detail.is_reversal |= entry.is_reversal;
            detail.status.clone_from(&entry.status);
            detail.booked.clone_from(&entry.booked);
            detail.valued.clone_from(&entry.valued);
            detail.id = format!("{}/{}", entry.id, place + 1);
        }
        let whole = entry.money().ok();
        let sum = whole.and_then(|whole| {
            let amounts: Result<Vec<_>, _> = details.iter().map(Item::money).collect();
            Money::sum(whole.currency(), amounts.ok()?).ok()
        });
        match details.as_mut_slice() {
            [] => vec![entry],
            [only] => {
                entry.structured = only.structured.take();
                entry.party = only.party.take();
                entry.texts.append(&mut only.texts);
                vec![entry]
            }
            _ if sum.is_some() && sum == whole => details,
            _ => vec![entry],
        }
    }
}

impl Item {
    fn set(&mut self, path: &[&str], value: String, currency: &str) {
        let inside = |names: &[&str]| path.ends_with(names);
        let is_own_amount = inside(&["Ntry", "Amt"]) || inside(&["TxDtls", "Amt"]);
        // Older versions tell a transaction's amount nowhere else.
        let is_only_amount =
            inside(&["TxDtls", "AmtDtls", "TxAmt", "Amt"]) && self.amount.is_none();
        if is_own_amount || is_only_amount {
            self.amount = Some((currency.to_owned(), value));
        } else if inside(&["Ntry", "CdtDbtInd"]) || inside(&["TxDtls", "CdtDbtInd"]) {
            self.is_debit = match value.as_str() {
                "DBIT" => Some(true),
                "CRDT" => Some(false),
                _ => None,
            };
        } else if inside(&["Ntry", "RvslInd"]) {
            self.is_reversal = matches!(value.as_str(), "true" | "1");
        } else if inside(&["Ntry", "Sts"])
            || inside(&["Ntry", "Sts", "Cd"])
            || inside(&["Ntry", "Sts", "Prtry"])
        {
            self.status = Some(value);
        } else if inside(&["BookgDt", "Dt"]) || inside(&["BookgDt", "DtTm"]) {
            self.booked = Some(value);
        } else if inside(&["ValDt", "Dt"]) || inside(&["ValDt", "DtTm"]) {
            self.valued = Some(value);
        } else if inside(&["Ntry", "AcctSvcrRef"]) {
            self.id = value;
        } else if inside(&["CdtrRefInf", "Ref"]) {
            self.structured = Some(value);
        } else if inside(&["Dbtr", "Nm"]) || inside(&["Dbtr", "Pty", "Nm"]) {
            self.party = Some(value);
        } else if inside(&["RmtInf", "Ustrd"])
            || inside(&["Ntry", "AddtlNtryInf"])
            || (inside(&["Refs", "EndToEndId"]) && value != "NOTPROVIDED")
        {
            self.texts.push(value);
        }
    }
}

/// Counts lines as the parser moves on.
struct Lines<'t> {
    text: &'t str,
    at: usize,
    line: u64,
}

impl Lines<'_> {
    fn at(&mut self, position: u64) -> u64 {
        let position = usize::try_from(position)
            .unwrap_or(usize::MAX)
            .min(self.text.len());
        let passed = self
            .text
            .as_bytes()
            .get(self.at..position)
            .unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.at = self.at.max(position);
        self.line
    }
}
