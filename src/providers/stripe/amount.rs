//! Money as Stripe counts it.
//!
//! Source: <https://docs.stripe.com/currencies> (zero-decimal currencies, special cases, minimum
//! and maximum charge amounts).

use crate::error::{Error, ErrorKind, Result};
use crate::money::{Currency, Money, PositiveMoney};
use crate::setup::CurrencyRule;

/// The most digits that Stripe takes: 12 for cards, fewer for other methods.
const LARGEST: i64 = 999_999_999_999;

/// The amount to charge, in Stripe's units.
///
/// # Errors
/// [`ErrorKind::InvalidRequest`] for an amount that Stripe cannot count exactly, does not charge,
/// or finds too small or too large.
pub(super) fn to_charge(amount: PositiveMoney) -> Result<i64> {
    let units = to_part(amount)?;
    match smallest(amount.currency()) {
        Some(smallest) if units < smallest => {
            let least = from_units(smallest, amount.currency())?;
            Err(invalid(format!(
                "Stripe charges no less than {least}, and {amount} was asked for"
            )))
        }
        _ if units > LARGEST => Err(invalid(format!(
            "Stripe charges at most 12 digits, and {amount} was asked for"
        ))),
        _ => Ok(units),
    }
}

/// A part of a charge, to be captured or refunded, in Stripe's units.
///
/// # Errors
/// [`ErrorKind::InvalidRequest`] for an amount that Stripe cannot count exactly.
pub(super) fn to_part(amount: PositiveMoney) -> Result<i64> {
    let currency = amount.currency();
    let theirs = exponent(currency);
    let inexact = |_| {
        invalid(format!(
            "Stripe counts {currency} with {theirs} decimals, so not {amount}"
        ))
    };
    let units = amount.money().to_units(theirs).map_err(inexact)?;
    if theirs == 3 && units % 10 != 0 {
        return Err(invalid(format!(
            "Stripe takes {currency} in steps of 0.010, so not {amount}"
        )));
    }
    Ok(units)
}

/// Reads an amount in Stripe's units.
///
/// # Errors
/// [`ErrorKind::UnexpectedResponse`] for an amount that the currency cannot express.
pub(super) fn from_units(units: i64, currency: Currency) -> Result<Money> {
    Money::from_units(units, exponent(currency), currency).map_err(|_| {
        let message = format!("an amount in {currency} is not a whole number of its minor units");
        Error::new(ErrorKind::UnexpectedResponse, message)
    })
}

/// The decimals that Stripe counts a currency with. Unlike ISO 4217, it gives ISK and UGX two,
/// which must be zeros, and MGA none. HUF and TWD have two, though they are paid out in whole units.
fn exponent(currency: Currency) -> u32 {
    match currency.code() {
        "BIF" | "CLP" | "DJF" | "GNF" | "JPY" | "KMF" | "KRW" | "MGA" | "PYG" | "RWF" | "VND"
        | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "JOD" | "KWD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}

/// The least that Stripe charges, in its units. It is set for settlement currencies only; in the
/// others it is what the settlement currency's comes to, which only Stripe can tell.
fn smallest(currency: Currency) -> Option<i64> {
    Some(match currency.code() {
        "USD" | "AUD" | "BRL" | "CAD" | "CHF" | "EUR" | "INR" | "JPY" | "NZD" | "SGD" => 50,
        "GBP" => 30,
        "BGN" => 100,
        "AED" | "MYR" | "PLN" | "RON" => 200,
        "DKK" => 250,
        "NOK" | "SEK" => 300,
        "HKD" => 400,
        "MXN" | "THB" => 1_000,
        "CZK" => 1_500,
        "HUF" => 17_500,
        _ => return None,
    })
}

/// How Stripe counts a currency, for a preflight.
pub(super) fn rule(currency: Currency) -> Option<CurrencyRule> {
    let theirs = exponent(currency);
    let coarse = match currency.code() {
        "ISK" | "UGX" => 100,
        _ if theirs == 3 => 10,
        _ => 1,
    };
    let step = from_units(coarse, currency).ok()?;
    let least = smallest(currency).and_then(|least| from_units(least, currency).ok());
    Some(CurrencyRule::new(theirs, step, least))
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(text: &str) -> PositiveMoney {
        PositiveMoney::new(text.parse().unwrap()).unwrap()
    }

    #[test]
    fn amounts_survive_the_round_trip_where_stripe_departs_from_iso() {
        for (text, units) in [
            ("8.20 EUR", 820),
            ("100 JPY", 100),
            ("18.600 KWD", 18_600),
            ("500 ISK", 50_000),
            ("5000 UGX", 500_000),
            ("25.00 MGA", 25),
            ("175.00 HUF", 17_500),
            ("800.45 TWD", 80_045),
            ("100 CLP", 100),
            ("9999999999.99 USD", LARGEST),
        ] {
            assert_eq!(to_charge(money(text)).unwrap(), units, "{text}");
            let back = from_units(units, money(text).currency()).unwrap();
            assert_eq!(back.to_string(), text);
        }
    }

    #[test]
    fn every_cent_up_to_a_hundred_arrives_as_it_is() {
        for minor in 1..=10_000 {
            let amount = PositiveMoney::new(Money::new(minor, Currency::EUR)).unwrap();
            assert_eq!(to_part(amount).unwrap(), minor);
        }
    }

    #[test]
    fn what_stripe_cannot_charge_is_refused_before_it_is_sent() {
        for (text, reason) in [
            ("18.605 KWD", "steps of 0.010"),
            ("25.50 MGA", "0 decimals"),
            ("1.2345 CLF", "2 decimals"),
            ("0.49 USD", "no less than 0.50 USD"),
            ("49 JPY", "no less than 50 JPY"),
            ("174.99 HUF", "no less than 175.00 HUF"),
            ("10000000000.00 USD", "12 digits"),
        ] {
            let error = to_charge(money(text)).unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::InvalidRequest);
            assert!(error.to_string().contains(reason), "{error}");
        }
        let overflow = PositiveMoney::new(Money::new(i64::MAX, Currency::ISK)).unwrap();
        assert!(to_charge(overflow).is_err());
    }

    #[test]
    fn a_part_may_be_smaller_than_the_least_charge() {
        assert_eq!(to_part(money("0.01 USD")).unwrap(), 1);
    }

    #[test]
    fn an_answer_that_the_currency_cannot_express_is_refused() {
        for (units, currency) in [(50_050, Currency::ISK), (1, Currency::UGX)] {
            assert!(from_units(units, currency).is_err());
        }
        let mga = Currency::from_code("mga").unwrap();
        assert!(from_units(i64::MAX, mga).is_err());
    }
}
