//! Bank statements in MT940 and interim reports in MT942 (SWIFT, text): field 61 is an entry, field
//! 86 its text.
//!
//! Entries are named by what they say, and the balances of every statement are compared with its
//! entries: see [`Reading::statements`].

mod entry;
mod fields;
mod text;

use std::io::BufRead;

use self::entry::{Mark, Written};
pub(super) use self::fields::is_tagged;
use self::fields::{Field, fields};
use self::text::details;
use super::balance::{BalanceProblem, StatementRecord, tell_gaps};
use super::identity::{Named, Unnamed, is_reference};
use super::input::{ReadError, ReadOptions, Reading, excerpt, not_plain_text, whole_text};
use super::line::StatementLine;
use super::record::{EntryRecord, PayoutRecord};
use super::value::cut;
use crate::matching::payout::Day;
use crate::money::{Currency, Money};

const WHAT: &str = "an MT940 statement";

/// Reads what came in as payments, reversed credits as reversals, and reversed debits as refunds
/// that came back. Other money that went out is left out: see [`lines`].
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

/// A line while its statement is read.
struct Raw {
    line: StatementLine,
    valued: Day,
    mark: Mark,
    /// All that is written, as it comes.
    all: Vec<String>,
    /// What of it is text.
    texts: Vec<String>,
    /// The type, such as `NTRF`.
    kind: String,
    code: Option<u16>,
}

/// A statement while it is read.
struct Open {
    record: StatementRecord,
    currency: Result<Currency, String>,
    /// Whether it is an interim report, which has no balances.
    is_interim: bool,
    /// What the bank counts: how many, and their sum; of credits, and of debits.
    counted: [Option<(u64, Money)>; 2],
    lines: Vec<Raw>,
    /// Whether field 86 may follow, which is the text of the last line.
    takes_text: bool,
}

impl Open {
    const fn new(line: u64, currency: Result<Currency, String>) -> Self {
        Self {
            record: StatementRecord::new(line, String::new(), String::new()),
            currency,
            is_interim: false,
            counted: [None, None],
            lines: Vec::new(),
            takes_text: false,
        }
    }
}

fn read<T>(
    input: impl BufRead,
    options: &ReadOptions,
    mut make: impl FnMut(&StatementLine) -> Option<T>,
) -> Result<Reading<T>, ReadError> {
    let text = whole_text(input, options)?;
    let fields = fields(&text);
    if let Some(found) = what_it_lacks(&text, &fields) {
        return Err(ReadError::NotThat {
            expected: WHAT,
            found,
        });
    }
    let sign = decimal_sign(&fields);
    let mut reading = Reading::new();
    let mut account = String::new();
    let mut named = Named::default();
    for group in statements(&fields) {
        let mut open = collect(group, &mut account, sign, &mut reading, options)?;
        open.check();
        let lines = open.lines.into_iter().map(Raw::finished).collect();
        named.finish(&open.record, lines, |line| {
            if let Some(row) = make(line) {
                reading.rows.push(row);
            }
        });
        reading.statements.push(open.record);
    }
    tell_gaps(&mut reading.statements);
    reading.refuse_broken_statements(options)?;
    Ok(reading)
}

/// What is missing for an MT940 statement, said in one sentence.
fn what_it_lacks(text: &str, fields: &[Field]) -> Option<String> {
    let has = |tags: &[&str]| {
        fields
            .iter()
            .any(|field| tags.contains(&field.tag.as_str()))
    };
    if let Some(what) = not_plain_text(text.as_bytes()) {
        return Some(what.to_owned());
    }
    if fields.is_empty() {
        return Some(excerpt(text));
    }
    let missing = if !has(&["25", "25P"]) {
        "it names no account (field 25)"
    } else if !has(&["60F", "60M", "62F", "62M", "34F"]) {
        "it has no balance (field 60F), so that its currency is not known"
    } else {
        return None;
    };
    Some(format!(
        "{}, and {missing}; get the whole file",
        excerpt(text)
    ))
}

/// The fields of each statement. One begins with field 20, and where banks leave that out with the
/// next account, number or opening balance.
fn statements(fields: &[Field]) -> Vec<&[Field]> {
    let mut starts = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for (at, field) in fields.iter().enumerate() {
        let tag = match field.tag.as_str() {
            "25P" => "25",
            "28C" => "28",
            "60F" | "60M" => "60",
            tag => tag,
        };
        let begins = match tag {
            "20" => true,
            "25" | "28" | "60" => seen.contains(&tag),
            _ => false,
        };
        if begins || at == 0 {
            starts.push(at);
            seen.clear();
        }
        seen.push(tag);
    }
    let ends = starts.iter().skip(1).copied().chain([fields.len()]);
    let ranges = starts.iter().zip(ends);
    ranges
        .filter_map(|(start, end)| fields.get(*start..end))
        .collect()
}

/// Reads the fields of one statement. What is not sound is rejected.
fn collect<T>(
    fields: &[Field],
    account: &mut String,
    sign: Option<char>,
    reading: &mut Reading<T>,
    options: &ReadOptions,
) -> Result<Open, ReadError> {
    let line_number = fields.first().map_or(1, |field| field.line);
    let mut open = Open::new(line_number, currency(fields));
    for field in fields {
        let was_text = std::mem::take(&mut open.takes_text);
        let taken = match field.tag.as_str() {
            "86" => {
                open.takes_text = was_text;
                if let Some(last) = open.lines.last_mut().filter(|_| was_text) {
                    last.add(&field.value);
                }
                Ok(())
            }
            "NS" => {
                open.takes_text = was_text;
                Ok(())
            }
            "25" | "25P" => {
                *account = account_of(&field.value);
                Ok(())
            }
            "28" | "28C" => {
                field.value.trim().clone_into(&mut open.record.number);
                Ok(())
            }
            "34F" | "13" | "13D" => {
                open.is_interim = true;
                Ok(())
            }
            "60F" | "60M" => {
                let balance = balance(field, "opening", &open.currency, sign);
                balance.map(|(day, amount)| open.record.open(Some(day), amount))
            }
            "62F" | "62M" => {
                let balance = balance(field, "closing", &open.currency, sign);
                balance.map(|(day, amount)| open.record.close(Some(day), amount))
            }
            "90C" | "90D" => {
                let place = usize::from(field.tag == "90D");
                let currency = open.currency.as_ref().ok();
                let counted = currency.and_then(|c| counted_of(&field.value, *c, sign));
                if let Some(slot) = open.counted.get_mut(place) {
                    *slot = counted;
                }
                Ok(())
            }
            "61" => line(field, &open.currency, sign).map(|line| {
                open.takes_text = line.is_some();
                open.lines.extend(line);
            }),
            _ => Ok(()),
        };
        if let Err(reason) = taken {
            reading.reject(field.line, reason, options)?;
        }
    }
    open.record.account.clone_from(account);
    Ok(open)
}

/// Reads field 61. What is only expected has not moved the balance and is left out.
fn line(
    field: &Field,
    currency: &Result<Currency, String>,
    sign: Option<char>,
) -> Result<Option<Raw>, String> {
    entry::parse(&field.value, |entry| {
        let currency = currency.clone()?;
        let amount = entry.amount(currency, sign)?;
        let at = entry.valued.start_utc();
        let mut line = StatementLine::new(field.line, String::new(), amount, at);
        line.day_only = true;
        line.booked = entry.booked;
        line.is_debit = !entry.mark.comes_in();
        line.is_reversal = entry.mark.takes_back();
        let bank_reference = entry.bank_reference.filter(|text| is_reference(text));
        line.bank_reference = bank_reference.map(str::to_owned);
        let own = Some(entry.own_reference).filter(|text| is_reference(text));
        let mut texts: Vec<String> = own.map(str::to_owned).into_iter().collect();
        texts.extend(entry.supplement.iter().cloned());
        let line = Raw {
            valued: entry.valued,
            line,
            mark: entry.mark,
            all: texts.clone(),
            texts,
            kind: entry.kind.to_owned(),
            code: None,
        };
        Ok((!entry.is_expected).then_some(line))
    })
}

impl Raw {
    /// Takes what a field 86 says; there may be several.
    fn add(&mut self, value: &str) {
        self.all.push(value.to_owned());
        let details = details(value);
        self.code = self.code.or(details.code);
        self.line.payer = self.line.payer.take().or(details.payer);
        let account = self.line.payer_account.take();
        self.line.payer_account = account.or(details.payer_account);
        self.texts.push(details.text);
    }

    /// The line, with what follows from all that was read of it.
    fn finished(mut self) -> Unnamed {
        let (way, code) = (self.kind.get(1..).unwrap_or_default(), self.code);
        // Returned items, and the German codes of returned debits and transfers.
        let is_return = match self.mark {
            Mark::Debit => way == "RTI" || matches!(code, Some(108 | 109)),
            Mark::Credit => way == "RTI" || matches!(code, Some(159 | 181 | 184)),
            Mark::ReversedCredit | Mark::ReversedDebit => false,
        };
        self.line.is_reversal |= is_return;
        let method = match (way, code) {
            ("CHK" | "CHQ", _) => "cheque",
            ("DDT", _) | (_, Some(171 | 174)) => "sepa_debit",
            _ => "bank_transfer",
        };
        self.line.method = Some(method.to_owned());
        self.line.set_text(&self.texts);
        self.all.push(self.kind);
        Unnamed {
            line: self.line,
            valued: Some(self.valued),
            mark: self.mark.letters(),
            texts: self.all,
        }
    }
}

impl Open {
    /// Compares what the bank states with what was read.
    fn check(&mut self) {
        let amounts: Vec<Money> = self.lines.iter().map(|line| line.line.amount).collect();
        let has_balance = self.record.opening.is_some() || self.record.closing.is_some();
        if has_balance || !self.is_interim {
            self.record.check(&amounts);
        } else {
            self.record.entries = amounts.len() as u64;
        }
        for (comes_in, counted) in [(true, self.counted[0]), (false, self.counted[1])] {
            let Some((count, sum)) = counted else {
                continue;
            };
            let of_side = amounts
                .iter()
                .filter(|amount| (amount.minor() >= 0) == comes_in);
            let read: Vec<Money> = of_side.copied().collect();
            let total = read.iter().try_fold(0_i64, |sum, amount| {
                sum.checked_add(amount.minor().checked_abs()?)
            });
            if read.len() as u64 != count || total != Some(sum.minor()) {
                let side = if comes_in { "credits" } else { "debits" };
                let total = total.map(|minor| Money::new(minor, sum.currency()).to_string());
                self.record.problems.push(BalanceProblem::OtherEntries {
                    stated: format!("{count} {side} of {sum}"),
                    read: format!("{} of {}", read.len(), total.unwrap_or_default()),
                });
            }
        }
    }
}

/// The currency of a statement: of its balances, or else what stands behind its account.
fn currency(fields: &[Field]) -> Result<Currency, String> {
    let code = |field: &Field| -> Option<String> {
        let value = field.value.trim();
        let code = match field.tag.as_str() {
            "60F" | "60M" | "62F" | "62M" | "64" | "65" => Written::of(value)?.code,
            "34F" => value.get(..3)?,
            "90C" | "90D" => value
                .trim_start_matches(|c: char| c.is_ascii_digit())
                .get(..3)?,
            "25" | "25P" => account_and_currency(value).1?,
            _ => return None,
        };
        let is_code = code.bytes().all(|b| b.is_ascii_alphabetic());
        is_code.then(|| code.to_owned())
    };
    let balances = fields.iter().filter(|field| !field.tag.starts_with("25"));
    let accounts = fields.iter().filter(|field| field.tag.starts_with("25"));
    let found = balances.chain(accounts).find_map(code);
    super::value::currency(&found.ok_or("the statement names no currency")?)
}

/// The first line of field 25, without the currency that some banks write behind the account.
fn account_of(value: &str) -> String {
    account_and_currency(value).0.to_owned()
}

fn account_and_currency(value: &str) -> (&str, Option<&str>) {
    let line = value.trim_start().lines().next().unwrap_or_default().trim();
    let (account, code) = line
        .split_at_checked(line.len().saturating_sub(3))
        .unwrap_or((line, ""));
    let follows_number = account.ends_with(|c: char| c.is_ascii_digit() || c == ' ' || c == '/');
    if follows_number
        && Currency::from_code(code).is_ok()
        && code.bytes().all(|b| b.is_ascii_uppercase())
    {
        (account.trim_end_matches([' ', '/']), Some(code))
    } else {
        (line, None)
    }
}

/// Reads a balance.
fn balance(
    field: &Field,
    which: &str,
    currency: &Result<Currency, String>,
    sign: Option<char>,
) -> Result<(Day, Money), String> {
    // It may be wrapped like any other field.
    let value = field.value.replace('\n', "");
    let wrong = |what: &str| format!("{which} balance “{}” {what}", cut(&value));
    let written = Written::of(&value);
    let written =
        written.ok_or_else(|| wrong("is not one: it has mark, date, currency and amount"))?;
    if !written.code.bytes().all(|b| b.is_ascii_alphabetic()) {
        return Err(wrong("names no currency"));
    }
    let own = super::value::currency(written.code)?;
    let currency = currency.clone()?;
    if own != currency {
        return Err(wrong(&format!("is not in {currency} as the statement is")));
    }
    Ok((written.day, written.money(currency, sign)?))
}

/// How many entries the bank counts on one side, and their sum.
fn counted_of(value: &str, currency: Currency, sign: Option<char>) -> Option<(u64, Money)> {
    let value = value.trim().lines().next()?;
    let end = value.find(|c: char| !c.is_ascii_digit())?;
    let (count, rest) = value.split_at_checked(end)?;
    let minor = entry::minor(rest.get(3..)?, currency, sign).ok()?;
    Some((count.parse().ok()?, Money::new(minor, currency)))
}

/// The decimal sign that the amounts of the file prove.
fn decimal_sign(fields: &[Field]) -> Option<char> {
    entry::decimal_sign(fields.iter().filter_map(|field| match field.tag.as_str() {
        "61" => entry::written(&field.value),
        "60F" | "60M" | "62F" | "62M" | "64" | "65" => {
            Written::of(&field.value).map(|balance| balance.amount)
        }
        _ => None,
    }))
}
