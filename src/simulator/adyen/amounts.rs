//! Adyen's own table of currencies, and amounts counted by it.
//!
//! Source: docs.adyen.com/development-resources/currency-codes. It departs from ISO 4217: pesos of
//! Chile and crowns of Iceland have two decimals, escudos of Cape Verde and rupiah none.

use serde_json::{Value, json};

use super::errors::ApiError;
use crate::money::{Currency, Money, decimal_from_minor};

const WITHOUT_DECIMALS: &[&str] = &[
    "CVE", "DJF", "GNF", "IDR", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF",
    "XOF", "XPF",
];
/// The dinar of Iraq is not in Adyen's table; it is taken with three as its neighbours are.
const THREE_DECIMALS: &[&str] = &["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

/// So many of Adyen's minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) value: i64,
    pub(super) currency: String,
}

impl Amount {
    /// Checks an amount that a request names. `value` may be zero, to verify a card.
    pub(super) fn new(value: i64, currency: &str) -> Result<Self, ApiError> {
        let amount = Self {
            value,
            currency: currency.to_owned(),
        };
        if Currency::from_code(currency).is_err() || currency.chars().any(char::is_lowercase) {
            let message = "Unsupported currency specified";
            return Err(ApiError::validation("138", message));
        }
        // The two decimals that ISO 4217 does not have must be zeros.
        if value < 0 || amount.money().is_none() {
            return Err(ApiError::validation("137", "Invalid amount specified"));
        }
        Ok(amount)
    }

    /// The same currency with another value.
    pub(super) fn with_value(&self, value: i64) -> Self {
        Self {
            value,
            currency: self.currency.clone(),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({ "currency": self.currency, "value": self.value })
    }

    /// In major units, such as `12.30`.
    pub(super) fn decimal(&self) -> String {
        decimal_from_minor(self.value, exponent(&self.currency))
    }

    /// For people: `EUR 12.30`.
    pub(super) fn display(&self) -> String {
        format!("{} {}", self.currency, self.decimal())
    }

    pub(super) fn money(&self) -> Option<Money> {
        let currency = Currency::from_code(&self.currency).ok()?;
        match Money::parse_decimal(&self.decimal(), currency) {
            Ok(money) => Some(money),
            Err(_) => {
                let steps = exponent(&self.currency).checked_sub(currency.exponent())?;
                let scale = 10_i64.checked_pow(steps)?;
                let whole = self.value % scale == 0;
                whole.then(|| Money::new(self.value / scale, currency))
            }
        }
    }
}

fn exponent(currency: &str) -> u32 {
    if WITHOUT_DECIMALS.contains(&currency) {
        0
    } else if THREE_DECIMALS.contains(&currency) {
        3
    } else {
        2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adyen_counts_decimals_its_own_way() {
        for (value, currency, decimal, minor) in [
            (1130, "EUR", "11.30", 1130),
            (1130, "JPY", "1130", 1130),
            (1130, "BHD", "1.130", 1130),
            (1100, "CLP", "11.00", 11),
            (1100, "ISK", "11.00", 11),
            (11, "IDR", "11", 1100),
            (11, "CVE", "11", 1100),
        ] {
            let amount = Amount::new(value, currency).unwrap();
            assert_eq!(amount.decimal(), decimal, "{currency}");
            assert_eq!(amount.money().unwrap().minor(), minor, "{currency}");
        }
        for (value, currency) in [(-1, "EUR"), (1130, "CLP"), (1, "XYZ"), (1, "eur")] {
            assert!(Amount::new(value, currency).is_err(), "{value} {currency}");
        }
    }
}
