//! Money as PayPal writes it: a decimal text and a currency.
//!
//! Source: <https://developer.paypal.com/docs/api/reference/currency-codes/>.

use super::wire::Amount;
use crate::error::{Error, ErrorKind, Result};
use crate::money::{Currency, Money, PositiveMoney, decimal_from_minor, minor_from_decimal};
use crate::setup::CurrencyRule;

/// The currencies that PayPal takes. BRL, CNY and MYR are for accounts in their own country.
const TAKEN: [&str; 24] = [
    "AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "ILS", "JPY",
    "MXN", "MYR", "NOK", "NZD", "PHP", "PLN", "SEK", "SGD", "THB", "TWD", "USD",
];

/// The most characters that an amount may have.
const LONGEST: usize = 32;

/// The currencies that PayPal takes.
pub(super) fn currencies() -> Vec<Currency> {
    let known = TAKEN.iter().map(|code| Currency::from_code(code));
    known.filter_map(std::result::Result::ok).collect()
}

/// An amount as PayPal takes it, to the last decimal.
///
/// # Errors
/// [`ErrorKind::InvalidRequest`] for decimals that PayPal does not count.
pub(super) fn to_wire(amount: PositiveMoney) -> Result<Amount> {
    let currency = amount.currency();
    let decimals = exponent(currency);
    let units = amount.money().to_units(decimals).map_err(|_| {
        let message = format!("PayPal counts {currency} with {decimals} decimals, so not {amount}");
        Error::new(ErrorKind::InvalidRequest, message)
    })?;
    Ok(Amount {
        currency_code: currency.code().to_owned(),
        value: decimal_from_minor(units, decimals),
    })
}

/// Reads an amount. PayPal may write a currency with zeros that it does not have, as `100.00` yen.
///
/// # Errors
/// [`ErrorKind::UnexpectedResponse`] for what is no plain decimal, and for an amount that the
/// currency cannot express.
pub(super) fn from_wire(amount: &Amount) -> Result<Money> {
    let unexpected = |message: String| Error::new(ErrorKind::UnexpectedResponse, message);
    let currency = Currency::from_code(&amount.currency_code)
        .map_err(|error| unexpected(error.to_string()))?;
    if amount.value.len() > LONGEST {
        return Err(unexpected("an amount has more than 32 characters".into()));
    }
    let exponent = currency.exponent() as usize;
    let value = match amount.value.split_once('.') {
        Some((whole, fraction)) if fraction.len() > exponent && fraction.is_ascii() => {
            let (kept, extra) = fraction.split_at(exponent);
            match extra.bytes().all(|digit| digit == b'0') {
                true if kept.is_empty() => whole.to_owned(),
                true => format!("{whole}.{kept}"),
                false => amount.value.clone(),
            }
        }
        _ => amount.value.clone(),
    };
    let minor = minor_from_decimal(&value, currency.exponent())
        .map_err(|error| unexpected(format!("an amount in {currency} cannot be read: {error}")))?;
    Ok(Money::new(minor, currency))
}

/// The decimals that PayPal counts a currency with. Unlike ISO 4217, it gives HUF and TWD none.
fn exponent(currency: Currency) -> u32 {
    match currency.code() {
        "HUF" | "JPY" | "TWD" => 0,
        _ => 2,
    }
}

/// How PayPal counts a currency, for a preflight.
pub(super) fn rule(currency: Currency) -> Option<CurrencyRule> {
    if !TAKEN.contains(&currency.code()) {
        return None;
    }
    let decimals = exponent(currency);
    let coarser = currency.exponent().checked_sub(decimals)?;
    let step = Money::new(10_i64.checked_pow(coarser)?, currency);
    Some(CurrencyRule::new(decimals, step, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(text: &str) -> PositiveMoney {
        PositiveMoney::new(text.parse().unwrap()).unwrap()
    }

    fn wire(value: &str, code: &str) -> Amount {
        Amount {
            currency_code: code.to_owned(),
            value: value.to_owned(),
        }
    }

    #[test]
    fn amounts_are_written_with_the_decimals_that_paypal_has() {
        for (text, value) in [
            ("8.20 EUR", "8.20"),
            ("0.01 USD", "0.01"),
            ("1999 JPY", "1999"),
            ("1999.00 HUF", "1999"),
            ("800.00 TWD", "800"),
            ("92233720368547758.07 USD", "92233720368547758.07"),
        ] {
            let amount = money(text);
            let written = to_wire(amount).unwrap();
            assert_eq!(written.value, value, "{text}");
            assert_eq!(written.currency_code, amount.currency().code());
            assert_eq!(from_wire(&written).unwrap(), amount.money());
        }
    }

    #[test]
    fn every_cent_up_to_a_hundred_arrives_as_it_is() {
        for minor in 1..=10_000 {
            let amount = PositiveMoney::new(Money::new(minor, Currency::EUR)).unwrap();
            let written = to_wire(amount).unwrap();
            assert_eq!(from_wire(&written).unwrap().minor(), minor);
        }
    }

    #[test]
    fn decimals_that_paypal_does_not_count_are_refused() {
        for text in ["1999.50 HUF", "800.45 TWD", "1.005 KWD"] {
            let error = to_wire(money(text)).unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::InvalidRequest, "{text}");
            assert!(error.to_string().contains("decimals"), "{error}");
        }
    }

    #[test]
    fn zeros_that_the_currency_does_not_have_are_read() {
        for (value, code, minor) in [
            ("100.00", "JPY", 100),
            ("10.990", "USD", 1099),
            ("10", "USD", 1000),
            ("10.9", "USD", 1090),
            ("-10.99", "USD", -1099),
            ("100", "HUF", 10_000),
            ("-0.00", "EUR", 0),
        ] {
            assert_eq!(
                from_wire(&wire(value, code)).unwrap().minor(),
                minor,
                "{value}"
            );
        }
    }

    #[test]
    fn what_is_no_plain_decimal_is_refused() {
        for (value, code) in [
            ("", "USD"),
            (" 1.00", "USD"),
            ("1.00 ", "USD"),
            ("+1.00", "USD"),
            ("1e2", "USD"),
            ("1,00", "USD"),
            (".50", "USD"),
            ("1.", "USD"),
            ("1.005", "USD"),
            ("100.50", "JPY"),
            ("1.0é", "USD"),
            ("--1", "USD"),
            ("0x10", "USD"),
            ("NaN", "USD"),
            ("99999999999999999999.00", "USD"),
            ("1.00", "EURO"),
            ("1.000000000000000000000000000000000", "USD"),
        ] {
            let error = from_wire(&wire(value, code)).unwrap_err();
            assert_eq!(
                error.kind(),
                &ErrorKind::UnexpectedResponse,
                "{value} {code}"
            );
        }
    }

    #[test]
    fn every_currency_that_is_taken_is_known() {
        assert_eq!(currencies().len(), TAKEN.len());
        assert!(!currencies().contains(&Currency::from_code("KWD").unwrap()));
    }
}
