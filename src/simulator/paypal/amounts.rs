//! PayPal's own table of currencies, and amounts as decimal text.
//!
//! Source: developer.paypal.com/api/rest/reference/currency-codes. It departs from ISO 4217 for HUF
//! and TWD, which have no decimals here.

use serde_json::{Value, json};

use super::errors::ApiError;
use crate::money::{self, Currency, Money, MoneyError};

/// The most that PayPal takes: 999,999,999,999,999.99 in units of the second decimal.
const VALUE_MAX: i64 = 99_999_999_999_999_999;
const VALUE_LENGTH_MAX: usize = 32;

const WITHOUT_DECIMALS: &[&str] = &["HUF", "JPY", "TWD"];
const WITH_DECIMALS: &[&str] = &[
    "AUD", "CAD", "CHF", "CZK", "DKK", "EUR", "GBP", "HKD", "ILS", "MXN", "NOK", "NZD", "PHP",
    "PLN", "SEK", "SGD", "THB", "USD",
];

/// An amount in the currency's smallest unit at PayPal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) units: i64,
    pub(super) currency: Currency,
}

/// Which specification words the errors: Payments tells decimals that a currency does not have
/// from too many, Orders does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    Orders,
    Payments,
}

impl Amount {
    pub(super) fn of(self, units: i64) -> Self {
        Self { units, ..self }
    }

    /// The amount as PayPal writes it, with its currency.
    pub(super) fn render(self) -> Value {
        json!({ "currency_code": self.currency.code(), "value": self.decimal() })
    }

    pub(super) fn decimal(self) -> String {
        money::decimal_from_minor(self.units, exponent(self.currency))
    }

    /// For people: `19.99 EUR`.
    pub(super) fn display(self) -> String {
        format!("{} {}", self.decimal(), self.currency.code())
    }

    /// The amount by ISO 4217, as the rest of the crate counts it.
    pub(super) fn to_money(self) -> Money {
        let more = self
            .currency
            .exponent()
            .saturating_sub(exponent(self.currency));
        let units = self.units.saturating_mul(10_i64.saturating_pow(more));
        Money::new(units, self.currency)
    }

    /// The amount in PayPal's units, if it has no finer part.
    pub(super) fn from_money(amount: Money) -> Option<Self> {
        let currency = amount.currency();
        let more = currency.exponent().checked_sub(exponent(currency))?;
        let scale = 10_i64.checked_pow(more)?;
        let units = (amount.minor() % scale == 0).then(|| amount.minor() / scale)?;
        Some(Self { units, currency })
    }
}

/// Reads `currency_code` and `value`; `field` is the pointer to `value`.
pub(super) fn read(code: &str, value: &str, api: Api, field: &str) -> Result<Amount, ApiError> {
    if value.len() > VALUE_LENGTH_MAX {
        return Err(ApiError::invalid("INVALID_STRING_LENGTH", field));
    }
    if !is_decimal(value) {
        return Err(ApiError::invalid("INVALID_PARAMETER_SYNTAX", field).with_value(value));
    }
    let refused = |issue| Err(ApiError::refused(issue).at(field).with_value(value));
    let Some(currency) = currency(code) else {
        return Err(ApiError::refused("INVALID_CURRENCY_CODE").with_value(code));
    };
    let exponent = exponent(currency);
    // `.5` is a number to PayPal.
    let padded = match value.strip_prefix('.') {
        Some(fraction) => format!("0.{fraction}"),
        None => value.replacen("-.", "-0.", 1),
    };
    if exponent == 0 && padded.contains('.') {
        return refused(match api {
            Api::Orders => "DECIMAL_PRECISION",
            Api::Payments => "DECIMALS_NOT_SUPPORTED",
        });
    }
    match money::minor_from_decimal(&padded, exponent) {
        Ok(units) if units.unsigned_abs() > VALUE_MAX.unsigned_abs() => {
            refused("MAX_VALUE_EXCEEDED")
        }
        Ok(units) => Ok(Amount { units, currency }),
        Err(MoneyError::TooPrecise { .. }) => refused("DECIMAL_PRECISION"),
        Err(_) => refused("MAX_VALUE_EXCEEDED"),
    }
}

/// The pattern of the specification: digits, with a sign or a point before them or not.
fn is_decimal(value: &str) -> bool {
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let magnitude = value.strip_prefix('-').unwrap_or(value);
    match magnitude.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction) && !fraction.is_empty(),
        None => digits(magnitude) && !magnitude.is_empty(),
    }
}

/// A currency that the account takes, in capital letters as PayPal wants them.
fn currency(code: &str) -> Option<Currency> {
    let known = WITHOUT_DECIMALS.contains(&code) || WITH_DECIMALS.contains(&code);
    known.then(|| Currency::from_code(code).ok()).flatten()
}

fn exponent(currency: Currency) -> u32 {
    if WITHOUT_DECIMALS.contains(&currency.code()) {
        0
    } else {
        2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_follow_paypals_own_table() {
        for (code, value, expected) in [
            ("EUR", "10.99", Ok(1099)),
            ("EUR", "10.9", Ok(1090)),
            ("EUR", ".5", Ok(50)),
            ("EUR", "-.5", Ok(-50)),
            ("EUR", "10", Ok(1000)),
            ("EUR", "10.999", Err("DECIMAL_PRECISION")),
            ("EUR", "10.", Err("INVALID_PARAMETER_SYNTAX")),
            ("EUR", "1e3", Err("INVALID_PARAMETER_SYNTAX")),
            ("EUR", "+1", Err("INVALID_PARAMETER_SYNTAX")),
            ("EUR", " 1", Err("INVALID_PARAMETER_SYNTAX")),
            ("EUR", "", Err("INVALID_PARAMETER_SYNTAX")),
            ("EUR", "999999999999999.99", Ok(VALUE_MAX)),
            ("EUR", "1000000000000000.00", Err("MAX_VALUE_EXCEEDED")),
            ("JPY", "500", Ok(500)),
            ("JPY", "500.00", Err("DECIMALS_NOT_SUPPORTED")),
            ("HUF", "500.5", Err("DECIMALS_NOT_SUPPORTED")),
            ("TWD", "500", Ok(500)),
            ("TND", "5.000", Err("INVALID_CURRENCY_CODE")),
            ("KWD", "5", Err("INVALID_CURRENCY_CODE")),
            ("eur", "5", Err("INVALID_CURRENCY_CODE")),
        ] {
            let read = read(code, value, Api::Payments, "/amount/value");
            let read = read.map(|amount| amount.units);
            let read = read.as_ref().map_err(ApiError::issue);
            assert_eq!(
                read,
                expected.as_ref().map_err(|issue| *issue),
                "{value} {code}"
            );
        }
    }

    #[test]
    fn amounts_become_iso_money_exactly() {
        for (code, value, text) in [
            ("EUR", "19.99", "19.99 EUR"),
            ("JPY", "100", "100 JPY"),
            ("HUF", "100", "100.00 HUF"),
        ] {
            let amount = read(code, value, Api::Orders, "").unwrap();
            assert_eq!(amount.to_money().to_string(), text);
            assert_eq!(Amount::from_money(amount.to_money()), Some(amount));
        }
        let half = Money::new(50, Currency::from_code("HUF").unwrap());
        assert_eq!(Amount::from_money(half), None);
    }
}
