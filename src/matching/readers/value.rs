//! Single values as files write them: amounts, times and currencies.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::matching::payout::Day;
use crate::money::{Currency, minor_from_decimal};

/// How a file writes amounts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Amounts {
    /// As whole minor units: `1999`.
    #[default]
    Minor,
    /// With decimals: `19.99`.
    Decimal,
    /// With decimals after a comma: `19,99`.
    DecimalComma,
}

impl Amounts {
    /// Reads `text` as a count of minor units of `currency`.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn read(self, text: &str, currency: Currency) -> Result<i64, String> {
        let text = text.trim();
        let text = text.strip_prefix('+').unwrap_or(text);
        let wrong = |error: &dyn std::fmt::Display| format!("amount “{}”: {error}", cut(text));
        match self {
            Self::Minor => minor_from_decimal(text, 0).map_err(|_| {
                let hint = "write whole minor units, or declare decimal amounts";
                format!("amount “{}” is not a whole number: {hint}", cut(text))
            }),
            Self::Decimal => {
                minor_from_decimal(text, currency.exponent()).map_err(|error| wrong(&error))
            }
            Self::DecimalComma => {
                if text.contains('.') {
                    return Err(wrong(&"a dot where the comma is the decimal sign"));
                }
                let dotted = text.replacen(',', ".", 1);
                // Banks end whole amounts with the comma.
                let dotted = dotted.strip_suffix('.').unwrap_or(&dotted);
                minor_from_decimal(dotted, currency.exponent()).map_err(|error| wrong(&error))
            }
        }
    }
}

/// Reads decimal major units as provider reports write them: padded with zeros alike for all
/// currencies, so that those past what the currency has are dropped.
pub(super) fn padded_decimal(text: &str, currency: Currency) -> Result<i64, String> {
    let short = match text.split_once('.') {
        Some(_) => text.trim_end_matches('0').trim_end_matches('.'),
        None => text,
    };
    Amounts::Decimal.read(short, currency)
}

/// How a file writes times.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Times {
    /// As ISO 8601 does: `2026-11-22`, `2026-11-22 09:30:00`, `2026-11-22T09:30:00Z`. Where no
    /// zone is written, it is read as UTC.
    #[default]
    Iso,
    /// As seconds since 1970.
    Unix,
    /// By a pattern in the letters of `strftime`, such as `%d.%m.%Y %H:%M`.
    Pattern(String),
}

/// A point in time, or only its day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct When {
    pub(super) at: Timestamp,
    pub(super) day_only: bool,
}

impl Times {
    pub(super) fn read(&self, text: &str) -> Result<When, String> {
        let text = text.trim();
        let found = match self {
            Self::Iso => iso(text),
            Self::Unix => text.parse().ok().map(|seconds| When {
                at: Timestamp::from_unix(seconds),
                day_only: false,
            }),
            Self::Pattern(pattern) => by_pattern(pattern, text),
        };
        found.ok_or_else(|| format!("time “{}” is not one", cut(text)))
    }
}

fn iso(text: &str) -> Option<When> {
    if let Ok(day) = text.parse::<Day>() {
        return Some(When {
            at: day.start_utc(),
            day_only: true,
        });
    }
    // A zone, where one is written, follows the hours.
    let has_zone = text
        .get(16..)
        .is_some_and(|rest| rest.contains(['Z', 'z', '+', '-']));
    let at = if has_zone {
        text.parse::<jiff::Timestamp>().ok()?.as_second()
    } else {
        let civil: jiff::civil::DateTime = text.parse().ok()?;
        in_utc(civil)?
    };
    Some(When {
        at: Timestamp::from_unix(at),
        day_only: false,
    })
}

fn by_pattern(pattern: &str, text: &str) -> Option<When> {
    let parsed = jiff::fmt::strtime::parse(pattern, text).ok()?;
    if let Ok(instant) = parsed.to_timestamp() {
        return Some(When {
            at: Timestamp::from_unix(instant.as_second()),
            day_only: false,
        });
    }
    let day_only = parsed.to_time().is_err() || !pattern.contains("%H");
    let civil = parsed
        .to_datetime()
        .or_else(|_| parsed.to_date().map(|day| day.at(0, 0, 0, 0)))
        .ok()?;
    Some(When {
        at: Timestamp::from_unix(in_utc(civil)?),
        day_only,
    })
}

fn in_utc(civil: jiff::civil::DateTime) -> Option<i64> {
    let instant = jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()?;
    Some(instant.as_second())
}

/// Reads a currency code.
pub(super) fn currency(text: &str) -> Result<Currency, String> {
    let code = text.trim();
    Currency::from_code(code).map_err(|error| match successor(code) {
        Some(successor) => format!(
            "currency “{code}” is no longer in use, {successor} took its place: amounts in it are \
             not read; leave them out, or have the file made in {successor}"
        ),
        None => error.to_string(),
    })
}

/// The currency that took the place of one that is no longer in use.
fn successor(code: &str) -> Option<&'static str> {
    let code = code.to_ascii_uppercase();
    let found = match code.as_str() {
        "ATS" | "BEF" | "CYP" | "DEM" | "EEK" | "ESP" | "FIM" | "FRF" | "GRD" | "IEP" | "ITL"
        | "LTL" | "LUF" | "LVL" | "MTL" | "NLG" | "PTE" | "SIT" | "SKK" | "HRK" | "BGN" | "XEU" => {
            "EUR"
        }
        "ANG" => "XCG",
        "AZM" => "AZN",
        "BYR" | "BYB" => "BYN",
        "GHC" => "GHS",
        "MRO" => "MRU",
        "PLZ" => "PLN",
        "ROL" => "RON",
        "RUR" => "RUB",
        "SLL" => "SLE",
        "STD" => "STN",
        "TRL" => "TRY",
        "VEF" | "VEB" => "VES",
        "YUM" | "CSD" => "RSD",
        "ZMK" => "ZMW",
        "ZWL" | "ZWD" => "ZWG",
        _ => return None,
    };
    Some(found)
}

/// A value short enough to be shown in a reason.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_declared() {
        let eur = Currency::EUR;
        assert_eq!(Amounts::Minor.read("1999", eur), Ok(1999));
        assert_eq!(Amounts::Decimal.read("-19.99", eur), Ok(-1999));
        assert_eq!(Amounts::DecimalComma.read("19,9", eur), Ok(1990));
        assert_eq!(Amounts::DecimalComma.read("19,", eur), Ok(1900));
        assert!(Amounts::Minor.read("19.99", eur).is_err());
        assert!(Amounts::DecimalComma.read("1.999,00", eur).is_err());
        assert!(Amounts::Decimal.read("19,99", eur).is_err());
    }

    #[test]
    fn currency_no_longer_in_use_is_named_with_the_one_that_took_its_place() {
        assert_eq!(currency(" eur "), Ok(Currency::EUR));
        let error = currency("DEM").unwrap_err();
        assert!(error.contains("“DEM”") && error.contains("EUR"), "{error}");
        assert!(!currency("XQQ").unwrap_err().contains("took its place"));
    }

    #[test]
    fn padding_is_dropped_and_nothing_else() {
        let read = |text, code| padded_decimal(text, Currency::from_code(code).unwrap());
        assert_eq!(read("100.00", "JPY"), Ok(100));
        assert_eq!(read("100", "JPY"), Ok(100));
        assert_eq!(read("-0.50", "EUR"), Ok(-50));
        assert!(read("0.005", "EUR").is_err());
        assert!(read(".", "EUR").is_err());
    }

    #[test]
    fn times_are_read_as_declared() {
        let noon = Timestamp::from_unix(1_795_348_800);
        for text in [
            "2026-11-22 12:00:00",
            "2026-11-22T12:00:00",
            "2026-11-22T12:00:00Z",
            "2026-11-22T13:00:00+01:00",
            "2026-11-22T12:00",
        ] {
            let read = Times::Iso.read(text).unwrap();
            assert_eq!((read.at, read.day_only), (noon, false), "{text}");
        }
        assert!(Times::Iso.read("2026-11-22").unwrap().day_only);
        assert_eq!(Times::Unix.read("1795348800").unwrap().at, noon);
        let pattern = Times::Pattern("%d.%m.%Y %H:%M".to_owned());
        assert_eq!(pattern.read("22.11.2026 12:00").unwrap().at, noon);
        let day = Times::Pattern("%d/%m/%Y".to_owned());
        assert!(day.read("22/11/2026").unwrap().day_only);
        for text in ["", "soon", "2026-13-01", "2026-11-22 25:00:00", "é"] {
            assert!(Times::Iso.read(text).is_err(), "{text}");
        }
    }
}
