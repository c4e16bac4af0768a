//! Bank statements in camt.053 (ISO 20022, XML), of any version.
//!
//! An entry whose details list several transactions gives one row for each of them, and one row
//! for the whole if the details do not add up to it. What counts is the amount that was booked, not
//! what the payer sent before charges or in another currency; what is only announced (`PDNG`,
//! `INFO`, `FUTR`) is left out. Entries are named by what they say, and the balances of every
//! statement that states them are compared with its entries: see [`Reading::statements`].

use std::io::BufRead;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::balance::{StatementRecord, tell_gaps};
use super::identity::{Named, Unnamed, is_reference};
use super::input::{ReadError, ReadOptions, Reading, excerpt, whole_text};
use super::line::StatementLine;
use super::record::{EntryRecord, PayoutRecord};
use super::value::{Times, When, currency, cut, padded_decimal};
use crate::matching::payout::Day;
use crate::money::Money;

const WHAT: &str = "a camt.053 statement";
/// How deep elements may nest; the standard stays below 20.
const DEPTH_MAX: usize = 64;

/// Reads what came in as payments, what went out as reversals of the incoming ones where the bank
/// marks it so, and what came in by such a mark as refunds that came back. Other money that went
/// out is left out: see [`lines`].
///
/// # Errors
/// A [`ReadError`] for another file, and under `strict` for the first bad entry and for a statement
/// whose balances do not hold.
pub fn entries(
    input: impl BufRead,
    options: &ReadOptions,
) -> Result<Reading<EntryRecord>, ReadError> {
    read(input, options, |line| line.entry())
}

/// Reads what came in as payouts of a provider.
///
/// # Errors
/// As [`entries`].
pub fn payouts(
    input: impl BufRead,
    options: &ReadOptions,
) -> Result<Reading<PayoutRecord>, ReadError> {
    read(input, options, |line| line.payout())
}

/// Reads every line of the statements, debits too.
///
/// # Errors
/// As [`entries`].
pub fn lines(
    input: impl BufRead,
    options: &ReadOptions,
) -> Result<Reading<StatementLine>, ReadError> {
    read(input, options, |line| Some(line.clone()))
}

/// One entry, or one transaction of an entry.
#[derive(Debug, Clone, Default)]
struct Item {
    line: u64,
    bank_reference: Option<String>,
    amount: Option<(String, String)>,
    is_debit: Option<bool>,
    is_reversal: bool,
    status: Option<String>,
    booked: Option<String>,
    valued: Option<String>,
    structured: Option<String>,
    party: Option<String>,
    party_account: Option<String>,
    /// What is looked through for references.
    texts: Vec<String>,
    /// What names it beside that.
    more: Vec<String>,
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

    /// The line of the statement that it is; its name waits for the end of the statement.
    fn line(self) -> Result<Unnamed, String> {
        let (amount, when) = (self.money()?, self.when()?);
        let mut line = StatementLine::new(self.line, String::new(), amount, when.at);
        line.day_only = when.day_only;
        line.is_debit = self.is_debit == Some(true);
        line.is_reversal = self.is_reversal;
        line.booked = day_of(self.booked.as_deref());
        line.set_text(&self.texts);
        let mut texts = self.texts;
        texts.extend(self.more);
        texts.extend(self.structured.clone());
        texts.extend(self.party.clone());
        texts.extend(self.party_account.clone());
        line.reference = self.structured;
        line.payer = self.party;
        line.payer_account = self.party_account;
        line.method = Some("bank_transfer".to_owned());
        line.bank_reference = self.bank_reference.filter(|text| is_reference(text));
        Ok(Unnamed {
            mark: match (line.is_debit, line.is_reversal) {
                (false, false) => "C",
                (true, false) => "D",
                (true, true) => "RC",
                (false, true) => "RD",
            },
            valued: day_of(self.valued.as_deref()),
            line,
            texts,
        })
    }
}

/// The day of a date or a time.
fn day_of(text: Option<&str>) -> Option<Day> {
    Day::of(Times::Iso.read(text?).ok()?.at, 0)
}

fn read<T>(
    input: impl BufRead,
    options: &ReadOptions,
    mut make: impl FnMut(&StatementLine) -> Option<T>,
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
    let mut named = Named::default();
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
                    let line = item.line;
                    match item
                        .is_booked()
                        .and_then(|is| is.then(|| item.line()).transpose())
                    {
                        Ok(unnamed) => statement.lines.extend(unnamed),
                        Err(reason) => reading.reject(line, reason, options)?,
                    }
                }
                if statement.has_ended {
                    finish(&mut statement, &mut named, &mut reading, &mut make);
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
        reading.reject(lines.at(text.len() as u64), rest, options)?;
        finish(&mut statement, &mut named, &mut reading, &mut make);
    }
    tell_gaps(&mut reading.statements);
    reading.refuse_broken_statements(options)?;
    Ok(reading)
}

/// Ends a statement: compares its balances and names its lines.
fn finish<T>(
    statement: &mut Statement,
    named: &mut Named,
    reading: &mut Reading<T>,
    make: &mut impl FnMut(&StatementLine) -> Option<T>,
) {
    let lines = std::mem::take(&mut statement.lines);
    statement.has_ended = false;
    let account = std::mem::take(&mut statement.account);
    let mut record = StatementRecord::new(statement.line, account, statement.id.clone());
    let opening = statement.balance(&["OPBD", "PRCD"]);
    let closing = statement.balance(&["CLBD"]);
    if let Some((day, amount)) = opening {
        record.open(day, amount);
    }
    if let Some((day, amount)) = closing {
        record.close(day, amount);
    }
    // A statement without any balance is no torn one: XML that is cut off is not well formed.
    if opening.is_some() || closing.is_some() {
        let amounts: Vec<Money> = lines.iter().map(|line| line.line.amount).collect();
        record.check(&amounts);
    }
    named.finish(&record, lines, |line| reading.rows.extend(make(line)));
    reading.statements.push(record);
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
    line: u64,
    balances: Vec<Balance>,
    lines: Vec<Unnamed>,
    has_ended: bool,
    entry: Item,
    details: Vec<Item>,
}

/// A balance as written.
#[derive(Default)]
struct Balance {
    kind: String,
    currency: String,
    amount: String,
    is_debit: bool,
    day: Option<Day>,
}

impl Statement {
    fn open(&mut self, start: &BytesStart<'_>, line: u64) {
        let name = start.local_name().as_ref().to_owned();
        self.value.clear();
        match name.as_str() {
            "BkToCstmrStmt" => self.is_one = true,
            "Stmt" => {
                self.id.clear();
                self.account.clear();
                self.line = line;
                self.balances.clear();
            }
            "Bal" => self.balances.push(Balance::default()),
            "Ntry" => {
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
        if path.contains(&"Bal")
            && let Some(balance) = self.balances.last_mut()
        {
            if inside(&["CdOrPrtry", "Cd"]) || inside(&["CdOrPrtry", "Prtry"]) {
                balance.kind.clone_from(&value);
            } else if inside(&["Bal", "Amt"]) {
                balance.amount.clone_from(&value);
                balance.currency.clone_from(&self.currency);
            } else if inside(&["Bal", "CdtDbtInd"]) {
                balance.is_debit = value == "DBIT";
            } else if inside(&["Bal", "Dt", "Dt"]) || inside(&["Bal", "Dt", "DtTm"]) {
                balance.day = day_of(Some(&value));
            }
        }
        self.has_ended = inside(&["Stmt"]);
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

    /// The first balance of the first of `kinds` that there is.
    fn balance(&self, kinds: &[&str]) -> Option<(Option<Day>, Money)> {
        let of = |kind: &&str| self.balances.iter().find(|balance| balance.kind == *kind);
        let found = kinds.iter().find_map(of)?;
        let currency = currency(&found.currency).ok()?;
        let minor = padded_decimal(&found.amount, currency).ok()?;
        let minor = if found.is_debit {
            minor.checked_neg()?
        } else {
            minor
        };
        Some((found.day, Money::new(minor, currency)))
    }

    fn items(&mut self) -> Vec<Item> {
        let mut entry = std::mem::take(&mut self.entry);
        let mut details = std::mem::take(&mut self.details);
        for detail in &mut details {
            detail.is_debit = detail.is_debit.or(entry.is_debit);
            detail.is_reversal |= entry.is_reversal;
            detail.status.clone_from(&entry.status);
            detail.booked.clone_from(&entry.booked);
            detail.valued.clone_from(&entry.valued);
            let own = detail.bank_reference.take();
            detail.more.extend(own);
            detail.bank_reference.clone_from(&entry.bank_reference);
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
                entry.party_account = only.party_account.take();
                entry.more.append(&mut only.more);
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
        } else if inside(&["Ntry", "AcctSvcrRef"]) || inside(&["Refs", "AcctSvcrRef"]) {
            self.bank_reference = Some(value);
        } else if inside(&["DbtrAcct", "Id", "IBAN"]) || inside(&["DbtrAcct", "Id", "Othr", "Id"]) {
            self.party_account = Some(value);
        } else if inside(&["CdtrRefInf", "Ref"]) {
            self.structured = Some(value);
        } else if inside(&["Dbtr", "Nm"]) || inside(&["Dbtr", "Pty", "Nm"]) {
            self.party = Some(value);
        } else if inside(&["RmtInf", "Ustrd"])
            || inside(&["Ntry", "AddtlNtryInf"])
            || (inside(&["Refs", "EndToEndId"]) && is_reference(&value))
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
