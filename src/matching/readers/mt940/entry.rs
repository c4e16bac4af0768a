//! Field 61, one entry: dates, mark, amount, type, references, and the amounts of balances.

use super::super::value::cut;
use crate::matching::payout::Day;
use crate::money::{Currency, Money, minor_from_decimal};

/// Credit or debit, and whether it takes back another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Credit,
    Debit,
    ReversedCredit,
    ReversedDebit,
}

impl Mark {
    pub(super) const fn letters(self) -> &'static str {
        match self {
            Self::Credit => "C",
            Self::Debit => "D",
            Self::ReversedCredit => "RC",
            Self::ReversedDebit => "RD",
        }
    }

    pub(super) const fn comes_in(self) -> bool {
        matches!(self, Self::Credit | Self::ReversedDebit)
    }

    pub(super) const fn takes_back(self) -> bool {
        matches!(self, Self::ReversedCredit | Self::ReversedDebit)
    }
}

/// What field 61 says.
#[derive(Debug, Clone)]
pub(super) struct Entry<'t> {
    pub(super) valued: Day,
    pub(super) booked: Option<Day>,
    pub(super) mark: Mark,
    /// Whether it is only expected, as interim reports tell it.
    pub(super) is_expected: bool,
    /// The letters of the currency and the amount as written.
    amount: &'t str,
    /// Four characters, such as `NTRF`.
    pub(super) kind: &'t str,
    /// The reference of the payer, or of the account's holder.
    pub(super) own_reference: &'t str,
    pub(super) bank_reference: Option<&'t str>,
    /// The lines after the first.
    pub(super) supplement: Vec<String>,
}

/// Reads field 61. Where its first line is no whole entry, the bank has wrapped it.
pub(super) fn parse<T>(
    value: &str,
    then: impl Fn(&Entry<'_>) -> Result<T, String>,
) -> Result<T, String> {
    let lines: Vec<&str> = value.split('\n').collect();
    let mut first_error = None;
    let mut head = String::new();
    for (at, line) in lines.iter().enumerate().take(WRAPPED_MAX) {
        head.push_str(line.trim());
        let parsed = parse_line(&head).and_then(|mut entry| {
            let rest = lines.get(at + 1..).unwrap_or_default().iter();
            entry.supplement = rest
                .filter(|line| !line.trim().is_empty())
                .map(|line| line.trim().to_owned())
                .collect();
            then(&entry)
        });
        match parsed {
            Ok(found) => return Ok(found),
            Err(error) => {
                first_error.get_or_insert(error);
            }
        }
    }
    let error = first_error.unwrap_or_default();
    let shown = lines.first().copied().unwrap_or_default();
    Err(format!("field 61 “{}”: {error}", cut(shown)))
}

/// Over so many lines an entry may be wrapped.
const WRAPPED_MAX: usize = 4;

fn parse_line(text: &str) -> Result<Entry<'_>, String> {
    let date = text.get(..6).ok_or("no value date")?;
    let valued = day(date).ok_or("the value date is not YYMMDD")?;
    let rest = text.get(6..).unwrap_or_default();
    let is_date = |date: &&str| date.bytes().all(|b| b.is_ascii_digit());
    let entry_date = rest.get(..4).filter(is_date);
    let rest = entry_date.map_or(rest, |_| rest.get(4..).unwrap_or_default());
    let booked = entry_date.and_then(|date| nearest(date, valued));
    let marks = [
        ("RC", Mark::ReversedCredit, false),
        ("RD", Mark::ReversedDebit, false),
        ("EC", Mark::Credit, true),
        ("ED", Mark::Debit, true),
        ("C", Mark::Credit, false),
        ("D", Mark::Debit, false),
    ];
    let rest = rest.trim_start();
    let mark = marks
        .into_iter()
        .find_map(|(letters, mark, expected)| Some((mark, expected, rest.strip_prefix(letters)?)));
    let (mark, is_expected, rest) = mark.ok_or("neither credit nor debit")?;
    // The third letter of the currency may stand before the amount.
    let rest = rest
        .strip_prefix(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(rest)
        .trim_start();
    let end = amount_end(rest);
    let (amount, rest) = rest.split_at_checked(end).ok_or("no amount")?;
    if !amount.bytes().any(|b| b.is_ascii_digit()) {
        return Err("no amount after its mark".to_owned());
    }
    // Some banks leave the type out.
    let has_type = is_type(rest) && !rest.starts_with("NONREF");
    if !has_type && !rest.starts_with("NONREF") && !rest.starts_with("//") {
        return Err(format!(
            "after the amount “{amount}” stands “{}” and not the type, such as NTRF",
            cut(rest)
        ));
    }
    let (kind, references) = if has_type {
        rest.split_at_checked(4).unwrap_or((rest, ""))
    } else {
        ("", rest)
    };
    let (own, bank) = match references.split_once("//") {
        Some((own, bank)) => (own, Some(bank.trim())),
        None => (references, None),
    };
    Ok(Entry {
        valued,
        booked,
        mark,
        is_expected,
        amount,
        kind: kind.trim_end(),
        own_reference: own.trim(),
        bank_reference: bank.filter(|bank| !bank.is_empty()),
        supplement: Vec::new(),
    })
}

/// Whether a type follows: a letter, mostly N, F or S, and three characters.
fn is_type(text: &str) -> bool {
    let bytes = text.as_bytes();
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b' ';
    bytes.first().is_some_and(u8::is_ascii_uppercase) && bytes.iter().take(4).all(fits)
}

impl Entry<'_> {
    /// What it changes the balance by.
    pub(super) fn amount(&self, currency: Currency, sign: Option<char>) -> Result<Money, String> {
        let minor = minor(self.amount, currency, sign)?;
        let minor = if self.mark.comes_in() { minor } else { -minor };
        Ok(Money::new(minor, currency))
    }
}

/// Where the amount ends: digits, and between them signs that part thousands or decimals.
fn amount_end(text: &str) -> usize {
    let mut end = 0;
    for (at, c) in text.char_indices() {
        match c {
            '0'..='9' | ',' | '.' => end = at + c.len_utf8(),
            ' ' | '\'' | '’' | '\u{a0}' => {}
            _ => break,
        }
    }
    end
}

/// An amount as a count of minor units. MT940 writes a decimal comma, and banks write what they
/// like: the decimal sign is the last one, if what is left cannot be read in another way. `sign` is
/// the decimal sign that the other amounts of the file prove.
pub(super) fn minor(text: &str, currency: Currency, sign: Option<char>) -> Result<i64, String> {
    let wrong = |what: &str| format!("amount “{}”: {what}", cut(text));
    let (whole, decimals) = match Shape::of(text) {
        Shape::Whole(whole) => (whole, ""),
        Shape::Decimals(whole, decimals) => (whole, decimals),
        Shape::Either(whole, part, written) => {
            let takes_three = currency.exponent() == 3;
            match sign {
                Some(sign) if sign != written => (format!("{whole}{part}"), ""),
                Some(_) => (whole, part),
                None if written == ',' && takes_three => (whole, part),
                None => {
                    return Err(wrong(&format!(
                        "it may be thousands, or three decimals of {currency}: correct it in the \
                         file"
                    )));
                }
            }
        }
        Shape::Nonsense => return Err(wrong("its signs do not part thousands and decimals")),
    };
    // Zeros past what the currency has are padding: all amounts of a file are written alike.
    let exponent = currency.exponent() as usize;
    let padded = decimals.get(exponent..).unwrap_or_default();
    let kept = match padded.bytes().all(|digit| digit == b'0') {
        true => decimals.get(..exponent).unwrap_or(decimals),
        false => decimals,
    };
    let whole = if whole.is_empty() { "0" } else { &whole };
    let plain = if kept.is_empty() {
        whole.to_owned()
    } else {
        format!("{whole}.{kept}")
    };
    minor_from_decimal(&plain, currency.exponent()).map_err(|error| wrong(&error.to_string()))
}

/// How an amount can be read.
enum Shape<'t> {
    Whole(String),
    Decimals(String, &'t str),
    /// One sign with three digits after it: the digits before and after it, and the sign.
    Either(String, &'t str, char),
    Nonsense,
}

impl<'t> Shape<'t> {
    fn of(text: &'t str) -> Self {
        let spaces = [' ', '\'', '’', '\u{a0}'];
        let signs: Vec<(usize, char)> = text
            .char_indices()
            .filter(|(_, c)| matches!(c, ',' | '.'))
            .collect();
        let other = |one: char| if one == ',' { '.' } else { ',' };
        let Some(&(last, sign)) = signs.last() else {
            return grouped(text, &spaces).map_or(Self::Nonsense, Self::Whole);
        };
        let (before, after) = (text.get(..last), text.get(last + 1..));
        let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
        if !after.bytes().all(|b| b.is_ascii_digit()) {
            return Self::Nonsense;
        }
        let of_last = signs.iter().filter(|(_, c)| *c == sign).count();
        let found = if of_last > 1 {
            // The same sign twice can only part thousands.
            return grouped(text, &[sign]).map_or(Self::Nonsense, Self::Whole);
        } else if signs.len() > 1 {
            grouped(before, &[other(sign)])
        } else {
            grouped(before, &spaces)
        };
        let Some(whole) = found else {
            return Self::Nonsense;
        };
        let is_parted = before.len() > whole.len();
        let may_be_thousands = !is_parted
            && after.len() == 3
            && (1..=3).contains(&before.len())
            && !before.starts_with('0');
        if may_be_thousands {
            Self::Either(whole, after, sign)
        } else {
            Self::Decimals(whole, after)
        }
    }
}

/// The digits of whole units: in one piece, or parted in threes by one of `marks`.
fn grouped(text: &str, marks: &[char]) -> Option<String> {
    let mut groups = text.split(|c: char| marks.contains(&c));
    let first = groups.next().unwrap_or_default();
    let mut digits = first.to_owned();
    let mut is_parted = false;
    for group in groups {
        is_parted = true;
        if group.len() != 3 {
            return None;
        }
        digits.push_str(group);
    }
    let fits = !is_parted || (1..=3).contains(&first.len());
    (fits && digits.bytes().all(|b| b.is_ascii_digit())).then_some(digits)
}

/// The decimal sign that amounts prove; `None` if they prove none, or both.
pub(super) fn decimal_sign<'t>(amounts: impl Iterator<Item = &'t str>) -> Option<char> {
    let (mut comma, mut dot) = (false, false);
    for text in amounts {
        let Some(at) = text.rfind([',', '.']) else {
            continue;
        };
        if matches!(Shape::of(text), Shape::Decimals(..)) {
            comma |= text.get(at..).is_some_and(|rest| rest.starts_with(','));
            dot |= text.get(at..).is_some_and(|rest| rest.starts_with('.'));
        }
    }
    match (comma, dot) {
        (true, false) => Some(','),
        (false, true) => Some('.'),
        _ => None,
    }
}

/// The amount of field 61 as written, for [`decimal_sign`].
pub(super) fn written(value: &str) -> Option<&str> {
    parse_line(value.split('\n').next()?)
        .ok()
        .map(|entry| entry.amount)
}

/// A balance: mark, date, currency, amount.
pub(super) struct Written<'t> {
    pub(super) comes_in: bool,
    pub(super) day: Day,
    pub(super) code: &'t str,
    pub(super) amount: &'t str,
}

impl<'t> Written<'t> {
    pub(super) fn of(value: &'t str) -> Option<Self> {
        let value = value.trim();
        let comes_in = match value.get(..1)? {
            "C" => true,
            "D" => false,
            _ => return None,
        };
        Some(Self {
            comes_in,
            day: day(value.get(1..7)?)?,
            code: value.get(7..10)?,
            amount: value.get(10..)?.split('\n').next()?.trim(),
        })
    }

    pub(super) fn money(&self, currency: Currency, sign: Option<char>) -> Result<Money, String> {
        // Some banks write the sign of an overdrawn account and not its mark.
        let (amount, is_negative) = match self.amount.strip_prefix('-') {
            Some(amount) if self.comes_in => (amount, true),
            _ => (self.amount, !self.comes_in),
        };
        let minor = minor(amount, currency, sign)?;
        Ok(Money::new(
            if is_negative { -minor } else { minor },
            currency,
        ))
    }
}

/// Two digits of year: MT940 has no century, and no statement is older than 1980. Banks that count
/// 30 days a month have a 30 February, which is its last day.
pub(super) fn day(text: &str) -> Option<Day> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<i8>().ok();
    let (year, month, day) = (part(0..2)?, part(2..4)?, part(4..6)?);
    let century = if year < 80 { 2000 } else { 1900 };
    in_year(century + i16::from(year), month, day)
}

fn in_year(year: i16, month: i8, day: i8) -> Option<Day> {
    let days = if month == 2 && (29..=30).contains(&day) {
        28..=29
    } else {
        day..=day
    };
    days.rev().find_map(|day| Day::new(year, month, day))
}

/// The entry date, which has no year: the one nearest to the value date.
fn nearest(date: &str, valued: Day) -> Option<Day> {
    let year: i16 = valued.to_string().get(..4)?.parse().ok()?;
    let month = date.get(..2)?.parse().ok()?;
    let day = date.get(2..4)?.parse().ok()?;
    let apart = |day: &Day| day.start_utc().unix().abs_diff(valued.start_utc().unix());
    (year - 1..=year + 1)
        .filter_map(|year| in_year(year, month, day))
        .min_by_key(apart)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, code: &str, sign: Option<char>) -> Result<i64, String> {
        minor(text, Currency::from_code(code).unwrap(), sign)
    }

    #[test]
    fn amount_with_signs_beyond_doubt_is_read_to_the_minor_unit() {
        for (text, code, expected) in [
            ("1234,56", "EUR", 123_456),
            ("1.234,56", "EUR", 123_456),
            ("1,234.56", "EUR", 123_456),
            ("1.234.567,8", "EUR", 123_456_780),
            ("1.234.567", "EUR", 123_456_700),
            ("1 234 567,80", "EUR", 123_456_780),
            ("1'234.50", "CHF", 123_450),
            ("000000005479.47", "EUR", 547_947),
            ("5479.4", "EUR", 547_940),
            (",50", "EUR", 50),
            ("0,5", "EUR", 50),
            ("5", "EUR", 500),
            ("5,", "EUR", 500),
            ("100,00", "JPY", 100),
            ("100,", "JPY", 100),
            ("100", "JPY", 100),
            ("18,600", "KWD", 18_600),
            ("1,5", "KWD", 1_500),
            ("0,0000", "EUR", 0),
            ("0,500", "EUR", 50),
            ("1234,5600", "EUR", 123_456),
            ("1234,560", "EUR", 123_456),
        ] {
            assert_eq!(read(text, code, None), Ok(expected), "{text} {code}");
        }
    }

    #[test]
    fn amount_in_doubt_or_with_too_many_decimals_is_rejected() {
        for (text, code) in [
            ("1.234", "EUR"),
            ("1,234", "EUR"),
            ("1.234", "KWD"),
            ("1,000", "JPY"),
            ("12.34.56", "EUR"),
            ("1.2345,00", "EUR"),
            ("1,23,456.00", "EUR"),
            ("1,234,56", "EUR"),
            ("100,50", "JPY"),
            ("0,005", "EUR"),
            ("1 23,00", "EUR"),
        ] {
            assert!(read(text, code, None).is_err(), "{text} {code}");
        }
    }

    #[test]
    fn amount_in_doubt_is_read_by_the_sign_that_the_file_proves() {
        assert_eq!(read("1.234", "EUR", Some(',')), Ok(123_400));
        assert_eq!(read("1,234", "EUR", Some('.')), Ok(123_400));
        assert_eq!(read("1.234", "KWD", Some('.')), Ok(1_234));
        assert!(read("1.234", "EUR", Some('.')).is_err());
        let sign = |amounts: &[&str]| decimal_sign(amounts.iter().copied());
        assert_eq!(sign(&["5", "1.234", "0,50"]), Some(','));
        assert_eq!(sign(&["000000005479.47"]), Some('.'));
        assert_eq!(sign(&["1.234", "5"]), None);
        assert_eq!(sign(&["1.50", "1,50"]), None);
    }

    #[test]
    fn dates_without_year_are_the_nearest_and_february_ends() {
        let of = |text: &str| day(text).map(|day| day.to_string());
        assert_eq!(of("160230").as_deref(), Some("2016-02-29"));
        assert_eq!(of("170229").as_deref(), Some("2017-02-28"));
        assert_eq!(of("170231"), None);
        assert_eq!(of("1702é"), None);
        let booked = |date, valued| nearest(date, day(valued).unwrap()).map(|day| day.to_string());
        assert_eq!(booked("1231", "240102").as_deref(), Some("2023-12-31"));
        assert_eq!(booked("0102", "231231").as_deref(), Some("2024-01-02"));
        assert_eq!(booked("0305", "240304").as_deref(), Some("2024-03-05"));
        assert_eq!(booked("1301", "240304"), None);
    }
}
