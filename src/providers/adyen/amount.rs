//! Money as Adyen counts it.
//!
//! Source: <https://docs.adyen.com/development-resources/currency-codes>.

use super::convert::unexpected;
use super::wire::Amount;
use crate::error::{Error, ErrorKind, Result};
use crate::money::{Currency, Money};
use crate::setup::CurrencyRule;

/// An amount in Adyen's units.
///
/// # Errors
/// [`ErrorKind::InvalidRequest`] for an amount that Adyen cannot count exactly.
pub(super) fn to_wire(money: Money) -> Result<Amount> {
    let currency = money.currency();
    let theirs = exponent(currency);
    let value = money.to_units(theirs).map_err(|_| {
        let message = format!("Adyen counts {currency} with {theirs} decimals, so not {money}");
        Error::new(ErrorKind::InvalidRequest, message)
    })?;
    Ok(Amount {
        value,
        currency: currency.code().to_owned(),
    })
}

/// Reads an amount in Adyen's units.
///
/// # Errors
/// [`ErrorKind::UnexpectedResponse`] for a currency that ISO 4217 has not, and for an amount that
/// it cannot express.
pub(super) fn from_wire(amount: &Amount) -> Result<Money> {
    let currency =
        Currency::from_code(&amount.currency).map_err(|error| unexpected(error.to_string()))?;
    Money::from_units(amount.value, exponent(currency), currency).map_err(|_| {
        unexpected(format!(
            "an amount in {currency} is not a whole number of its minor units"
        ))
    })
}

/// The decimals that Adyen counts a currency with. Unlike ISO 4217 it gives CLP and ISK two, and
/// CVE and IDR none. Whether it counts IQD with three, as ISO does, is not verified.
fn exponent(currency: Currency) -> u32 {
    match currency.code() {
        "CVE" | "DJF" | "GNF" | "IDR" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "VND"
        | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}

/// How Adyen counts a currency, for a preflight. The least that it charges depends on the method.
pub(super) fn rule(currency: Currency) -> Option<CurrencyRule> {
    let theirs = exponent(currency);
    let coarser = currency.exponent().saturating_sub(theirs);
    let step = Money::new(10_i64.checked_pow(coarser)?, currency);
    Some(CurrencyRule::new(theirs, step, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_survive_the_round_trip_where_adyen_departs_from_iso() {
        for (text, value) in [
            ("8.20 EUR", 820),
            ("100 JPY", 100),
            ("18.605 KWD", 18_605),
            ("500 ISK", 50_000),
            ("1990 CLP", 199_000),
            ("15000.00 IDR", 15_000),
            ("250.00 CVE", 250),
            ("5000 UGX", 5000),
            ("25.50 MGA", 2550),
            ("800.45 TWD", 80_045),
        ] {
            let money: Money = text.parse().unwrap();
            let amount = to_wire(money).unwrap();
            assert_eq!(amount.value, value, "{text}");
            assert_eq!(from_wire(&amount).unwrap(), money);
        }
    }

    #[test]
    fn what_adyen_cannot_count_is_refused_before_it_is_sent() {
        for text in ["15000.50 IDR", "0.01 CVE", "1.2345 CLF"] {
            let error = to_wire(text.parse().unwrap()).unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::InvalidRequest, "{text}");
        }
        assert!(to_wire(Money::new(i64::MAX, Currency::ISK)).is_err());
    }

    #[test]
    fn an_answer_that_the_currency_cannot_express_is_refused() {
        let read = |value, currency: &str| {
            from_wire(&Amount {
                value,
                currency: currency.into(),
            })
        };
        assert!(read(50_050, "ISK").is_err());
        assert!(read(i64::MAX, "IDR").is_err());
        for currency in ["", "eu", "EURO", "XXX", "1"] {
            assert!(read(1, currency).is_err(), "{currency:?}");
        }
    }
}
