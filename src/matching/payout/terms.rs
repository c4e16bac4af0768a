//! What a provider keeps of a payment, and how long it takes to pay out, as declared by the host.

use serde::{Deserialize, Serialize};

use super::Calendar;

/// What the host knows of its provider, for payouts that come without a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct PayoutTerms {
    /// When books close and payouts are made.
    pub calendar: Calendar,
    /// The methods that are paid out. The first that fits a payment counts; a payment that none
    /// fits is never paid out.
    pub methods: Vec<MethodTerm>,
    /// One in how many payments is paid out a business day late. 200 unless set.
    pub late_one_in: u32,
    /// The odds against an adjustment of one given amount on one payout. One in a million unless
    /// set.
    pub adjusted_one_in: u32,
    /// A line is placed only if at most one such line in so many would be wrong. 20,000 unless
    /// set.
    pub line_risk_one_in: u32,
    /// A payout closes only if at most one such explanation in so many would be wrong. 1,000 unless
    /// set.
    pub payout_risk_one_in: u32,
    /// The steps that the search in one payout may take, one for each line and minor unit. 2²⁸
    /// unless set.
    pub steps_max: u64,
}

impl Default for PayoutTerms {
    fn default() -> Self {
        Self {
            calendar: Calendar::default(),
            methods: Vec::new(),
            late_one_in: 200,
            adjusted_one_in: 1_000_000,
            line_risk_one_in: 20_000,
            payout_risk_one_in: 1_000,
            steps_max: 1 << 28,
        }
    }
}

impl PayoutTerms {
    /// The term of `method` paid in `instalments`, if it is paid out.
    #[must_use]
    pub fn method(&self, method: &str, instalments: u32) -> Option<&MethodTerm> {
        self.methods.iter().find(|term| {
            term.method == method
                && (term.instalments_min..=term.instalments_max).contains(&instalments)
        })
    }
}

/// How payments of one method are paid out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct MethodTerm {
    /// The method, as the payments name it.
    pub method: String,
    /// The rail that it is paid out on, as the payouts name it.
    pub rail: String,
    /// The fewest instalments that the term is for. 0 unless set.
    #[serde(default)]
    pub instalments_min: u32,
    /// The most instalments that the term is for. Without bound unless set.
    #[serde(default = "any_number")]
    pub instalments_max: u32,
    /// The part of the gross amount that is kept, in hundredths of a percent: 299 is 2.99 %.
    #[serde(default)]
    pub basis_points: u32,
    /// What is kept of each payment besides, in minor units.
    #[serde(default)]
    pub fixed_minor: i64,
    /// How the part is rounded to a minor unit.
    #[serde(default)]
    pub rounding: Rounding,
    /// The business days from the day of the payment to the payout.
    pub lag_business_days: u8,
}

const fn any_number() -> u32 {
    u32::MAX
}

impl MethodTerm {
    /// A method without fees, paid out on `rail` after `lag_business_days`.
    #[must_use]
    pub fn new(method: &str, rail: &str, lag_business_days: u8) -> Self {
        Self {
            method: method.to_owned(),
            rail: rail.to_owned(),
            instalments_min: 0,
            instalments_max: u32::MAX,
            basis_points: 0,
            fixed_minor: 0,
            rounding: Rounding::default(),
            lag_business_days,
        }
    }

    /// Says what is kept: a part in hundredths of a percent, and a fixed amount in minor units.
    #[must_use]
    pub const fn with_fee(mut self, basis_points: u32, fixed_minor: i64) -> Self {
        self.basis_points = basis_points;
        self.fixed_minor = fixed_minor;
        self
    }

    /// Limits the term to payments of `min` to `max` instalments.
    #[must_use]
    pub const fn with_instalments(mut self, min: u32, max: u32) -> Self {
        self.instalments_min = min;
        self.instalments_max = max;
        self
    }

    /// Says how the part is rounded.
    #[must_use]
    pub const fn with_rounding(mut self, rounding: Rounding) -> Self {
        self.rounding = rounding;
        self
    }

    /// The fee on `gross_minor`, in minor units; `None` past 64 bits.
    #[must_use]
    pub fn fee(&self, gross_minor: i64) -> Option<i64> {
        let scaled = i128::from(gross_minor) * i128::from(self.basis_points);
        let part = i64::try_from(self.rounding.divide(scaled, 10_000)).ok()?;
        part.checked_add(self.fixed_minor)
    }
}

/// How a part of a minor unit is rounded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rounding {
    /// To the nearest, and a half away from zero.
    #[default]
    HalfUp,
    /// To the nearest, and a half to the even one.
    HalfEven,
    /// Towards zero.
    Down,
    /// Away from zero.
    Up,
}

impl Rounding {
    fn divide(self, value: i128, by: i128) -> i128 {
        let (whole, rest) = (value / by, value % by);
        let doubled = 2 * rest.abs();
        let away = match self {
            Self::HalfUp => doubled >= by,
            Self::HalfEven => doubled > by || (doubled == by && whole % 2 != 0),
            Self::Down => false,
            Self::Up => rest != 0,
        };
        whole + if away { value.signum() } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fee_is_rounded_as_stated() {
        let fee = |rounding, gross| {
            let term = MethodTerm::new("card", "CARD", 2)
                .with_fee(100, 39)
                .with_rounding(rounding);
            term.fee(gross).unwrap() - 39
        };
        // 1 % of 150 is 1.5, of 250 it is 2.5, of 149 it is 1.49.
        for (rounding, expected) in [
            (Rounding::HalfUp, [2, 3, 1, -2]),
            (Rounding::HalfEven, [2, 2, 1, -2]),
            (Rounding::Down, [1, 2, 1, -1]),
            (Rounding::Up, [2, 3, 2, -2]),
        ] {
            assert_eq!(
                [150, 250, 149, -150].map(|gross| fee(rounding, gross)),
                expected
            );
        }
    }

    #[test]
    fn a_fee_that_does_not_fit_is_none() {
        let term = MethodTerm::new("card", "CARD", 2).with_fee(u32::MAX, 0);
        assert_eq!(term.fee(i64::MAX), None);
    }

    #[test]
    fn the_first_term_that_fits_counts() {
        let terms = PayoutTerms {
            methods: vec![
                MethodTerm::new("card", "CARD", 2)
                    .with_instalments(0, 1)
                    .with_fee(299, 39),
                MethodTerm::new("card", "CARD", 2).with_fee(349, 39),
            ],
            ..PayoutTerms::default()
        };
        assert_eq!(terms.method("card", 1).unwrap().basis_points, 299);
        assert_eq!(terms.method("card", 12).unwrap().basis_points, 349);
        assert!(terms.method("voucher", 1).is_none());
    }

    #[test]
    fn a_term_that_is_declared_without_bounds_is_for_any_number_of_instalments() {
        let declared =
            serde_json::json!({"method": "card", "rail": "CARD", "lag_business_days": 2});
        let term: MethodTerm = serde_json::from_value(declared).unwrap();
        assert_eq!(term, MethodTerm::new("card", "CARD", 2));
    }
}
