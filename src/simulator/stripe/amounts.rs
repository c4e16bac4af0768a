//! Stripe's own table of currencies: decimals, minimums and the largest amount.
//!
//! Source: docs.stripe.com/currencies. It departs from ISO 4217 for ISK, UGX and MGA.

use crate::money::{Currency, Money};

use super::errors::ApiError;

/// Twelve digits: the most that Stripe takes for a card.
const AMOUNT_MAX: i64 = 999_999_999_999;

const ZERO_DECIMAL: &[&str] = &[
    "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf",
    "xof", "xpf",
];
const THREE_DECIMAL: &[&str] = &["bhd", "jod", "kwd", "omr", "tnd"];
/// Currencies without decimals that Stripe counts in hundredths all the same.
const WHOLE_HUNDREDS: &[&str] = &["isk", "ugx"];

/// The least amount of a charge, in Stripe's minor units.
const MINIMUMS: &[(&str, i64)] = &[
    ("usd", 50),
    ("aed", 200),
    ("aud", 50),
    ("brl", 50),
    ("cad", 50),
    ("chf", 50),
    ("czk", 1500),
    ("dkk", 250),
    ("eur", 50),
    ("gbp", 30),
    ("hkd", 400),
    ("huf", 17_500),
    ("inr", 50),
    ("jpy", 50),
    ("mxn", 1000),
    ("myr", 200),
    ("nok", 300),
    ("nzd", 50),
    ("pln", 200),
    ("ron", 200),
    ("sek", 300),
    ("sgd", 50),
    ("thb", 1000),
];

/// Reads the `currency` of a request: three letters in any case, kept in small ones.
pub(super) fn currency(code: &str, param: &str) -> Result<String, ApiError> {
    match Currency::from_code(code) {
        Ok(known) => Ok(known.code().to_ascii_lowercase()),
        Err(_) => {
            let message = format!("Invalid currency: {}", code.to_ascii_lowercase());
            Err(ApiError::invalid_param(param, None, &message))
        }
    }
}

/// Checks an amount to charge.
pub(super) fn chargeable(amount: i64, currency: &str, param: &str) -> Result<(), ApiError> {
    positive(amount, param)?;
    if amount > AMOUNT_MAX {
        let most = display(AMOUNT_MAX, currency);
        let message = format!("Amount must be no more than {most}");
        return Err(ApiError::refused("amount_too_large", &message).with_param(param));
    }
    granular(amount, currency, param)?;
    let minimum = MINIMUMS.iter().find(|(code, _)| *code == currency);
    match minimum {
        Some((_, least)) if amount < *least => {
            let least = display(*least, currency);
            let message = format!("Amount must be at least {least}");
            Err(ApiError::refused("amount_too_small", &message).with_param(param))
        }
        _ => Ok(()),
    }
}

/// Checks an amount to capture or refund: above zero and of the currency's step.
pub(super) fn movable(amount: i64, currency: &str, param: &str) -> Result<(), ApiError> {
    positive(amount, param)?;
    granular(amount, currency, param)
}

/// The amount with the currency, for messages and pages: `19.99 EUR`.
pub(super) fn display(amount: i64, currency: &str) -> String {
    let decimal = crate::money::decimal_from_minor(amount, exponent(currency));
    format!("{decimal} {}", currency.to_ascii_uppercase())
}

/// The amount by ISO 4217, as the rest of the crate counts it.
pub(super) fn to_money(amount: i64, code: &str) -> Option<Money> {
    let currency = Currency::from_code(code).ok()?;
    let decimal = crate::money::decimal_from_minor(amount, exponent(code));
    match Money::parse_decimal(&decimal, currency) {
        Ok(money) => Some(money),
        // Stripe counts more decimals than ISO; the extra ones are zeros.
        Err(_) => {
            let steps = exponent(code).checked_sub(currency.exponent())?;
            let scale = 10_i64.checked_pow(steps)?;
            (amount % scale == 0).then(|| Money::new(amount / scale, currency))
        }
    }
}

fn positive(amount: i64, param: &str) -> Result<(), ApiError> {
    if amount >= 1 {
        return Ok(());
    }
    let message = "This value must be greater than or equal to 1.";
    Err(ApiError::invalid_param(
        param,
        Some("parameter_invalid_integer"),
        message,
    ))
}

fn granular(amount: i64, currency: &str, param: &str) -> Result<(), ApiError> {
    let step = if THREE_DECIMAL.contains(&currency) {
        10
    } else if WHOLE_HUNDREDS.contains(&currency) {
        100
    } else {
        1
    };
    if amount % step == 0 {
        return Ok(());
    }
    let message = format!(
        "Invalid amount: amounts in {} must be divisible by {step}",
        currency.to_ascii_uppercase()
    );
    Err(ApiError::invalid_param(
        param,
        Some("parameter_invalid_integer"),
        &message,
    ))
}

fn exponent(currency: &str) -> u32 {
    if ZERO_DECIMAL.contains(&currency) {
        0
    } else if THREE_DECIMAL.contains(&currency) {
        3
    } else {
        2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_follow_stripes_own_table() {
        for (amount, currency, allowed) in [
            (49, "usd", false),
            (50, "usd", true),
            (50, "jpy", true),
            (17_499, "huf", false),
            (18_605, "kwd", false),
            (18_600, "kwd", true),
            (150, "isk", false),
            (200, "isk", true),
            (0, "eur", false),
            (-1, "eur", false),
            (AMOUNT_MAX, "eur", true),
            (AMOUNT_MAX + 1, "eur", false),
        ] {
            let checked = chargeable(amount, currency, "amount");
            assert_eq!(checked.is_ok(), allowed, "{amount} {currency}");
        }
    }

    #[test]
    fn amounts_become_iso_money_exactly() {
        for (amount, code, text) in [
            (1999, "eur", "19.99 EUR"),
            (100, "jpy", "100 JPY"),
            (18_600, "kwd", "18.600 KWD"),
            (500, "isk", "5 ISK"),
            (700, "mga", "700.00 MGA"),
        ] {
            assert_eq!(to_money(amount, code).unwrap().to_string(), text);
        }
        assert!(currency("EUR", "currency").is_ok());
        assert!(currency("eu", "currency").is_err());
    }
}
