//! Which provider a new attempt goes to: rules as data, and who is well just now.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::country::Country;
use crate::error::{Effect, Error, ErrorKind};
use crate::id::ProviderName;
use crate::money::{Currency, Money, PositiveMoney};

/// Rules for the way of a new attempt. The first that fits names the providers to try, best first.
///
/// Without rules every provider is tried in the order in which the cashier was given them.
///
/// ```
/// use counterfoil::cashier::Routes;
///
/// let text = r#"{"rules": [
///     {"providers": ["paypal"], "countries": ["US"], "max": {"minor": 5000, "currency": "USD"}},
///     {"providers": ["stripe", "adyen"], "currencies": ["EUR", "GBP"]},
///     {"providers": ["stripe"]}
/// ]}"#;
/// let routes: Routes = serde_json::from_str(text)?;
/// assert_eq!(routes.rules.len(), 3);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Routes {
    /// The rules, the first one first.
    pub rules: Vec<Route>,
    /// After how many failed checkouts in a row a provider is tried last: 3 unless set.
    pub failures_max: u32,
    /// For how long it is then tried last, in seconds: 60 unless set.
    pub rest_s: u64,
}

impl Default for Routes {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            failures_max: 3,
            rest_s: 60,
        }
    }
}

impl Routes {
    /// Rules with the default patience for failures.
    #[must_use]
    pub fn new(rules: Vec<Route>) -> Self {
        Self {
            rules,
            ..Self::default()
        }
    }

    /// The providers to try for this, best first; `None` if no rule fits.
    pub(super) fn find<'a>(
        &'a self,
        amount: PositiveMoney,
        country: Option<Country>,
        all: &'a [ProviderName],
    ) -> Option<&'a [ProviderName]> {
        if self.rules.is_empty() {
            return Some(all);
        }
        let mut rules = self.rules.iter();
        let fitting = rules.find(|rule| rule.fits(amount.money(), country));
        fitting.map(|rule| rule.providers.as_slice())
    }
}

/// One rule. What it does not name it does not ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Route {
    /// The providers, best first.
    pub providers: Vec<ProviderName>,
    /// Only for these currencies.
    #[serde(default)]
    pub currencies: Vec<Currency>,
    /// Only for shoppers in these countries; one whose country is not known is in none of them.
    #[serde(default)]
    pub countries: Vec<Country>,
    /// Only for this amount and more, in its currency.
    #[serde(default)]
    pub min: Option<Money>,
    /// Only for this amount and less, in its currency.
    #[serde(default)]
    pub max: Option<Money>,
}

impl Route {
    /// A rule that fits everything.
    #[must_use]
    pub fn to(providers: Vec<ProviderName>) -> Self {
        Self {
            providers,
            ..Self::default()
        }
    }

    /// Only for these currencies.
    #[must_use]
    pub fn with_currencies(mut self, currencies: &[Currency]) -> Self {
        self.currencies = currencies.to_vec();
        self
    }

    /// Only for shoppers in these countries.
    #[must_use]
    pub fn with_countries(mut self, countries: &[Country]) -> Self {
        self.countries = countries.to_vec();
        self
    }

    /// Only for this amount and more, in its currency.
    #[must_use]
    pub fn with_min(mut self, min: Money) -> Self {
        self.min = Some(min);
        self
    }

    /// Only for this amount and less, in its currency.
    #[must_use]
    pub fn with_max(mut self, max: Money) -> Self {
        self.max = Some(max);
        self
    }

    fn fits(&self, amount: Money, country: Option<Country>) -> bool {
        let is_here = |country| self.countries.contains(&country);
        (self.currencies.is_empty() || self.currencies.contains(&amount.currency()))
            && (self.countries.is_empty() || country.is_some_and(is_here))
            && self.min.is_none_or(|min| compares(amount, min, i64::ge))
            && self.max.is_none_or(|max| compares(amount, max, i64::le))
    }
}

fn compares(amount: Money, bound: Money, how: fn(&i64, &i64) -> bool) -> bool {
    amount.currency() == bound.currency() && how(&amount.minor(), &bound.minor())
}

/// Whether another provider may be tried after this failure: nothing was begun, and it is the
/// provider that cannot, not the payer or the request.
pub(super) fn allows_another(error: &Error) -> bool {
    let is_its_fault = matches!(
        error.kind(),
        ErrorKind::Unavailable
            | ErrorKind::RateLimited { .. }
            | ErrorKind::Credentials
            | ErrorKind::Settings
            | ErrorKind::Unsupported
    );
    is_its_fault && error.effect() == Effect::NotApplied
}

/// How each provider has fared in this process.
#[derive(Debug, Default)]
pub(super) struct Wellness(Mutex<BTreeMap<ProviderName, Fared>>);

#[derive(Debug, Default)]
struct Fared {
    failures: u32,
    rests_until: Option<Timestamp>,
}

impl Wellness {
    /// Notes how a checkout went.
    pub(super) fn note(
        &self,
        name: &ProviderName,
        error: Option<&Error>,
        routes: &Routes,
        now: Timestamp,
    ) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fared = all.entry(name.clone()).or_default();
        let is_unwell = error.is_some_and(|error| {
            matches!(
                error.kind(),
                ErrorKind::Unavailable
                    | ErrorKind::RateLimited { .. }
                    | ErrorKind::Credentials
                    | ErrorKind::UnexpectedResponse
            )
        });
        if !is_unwell {
            *fared = Fared::default();
            return;
        }
        fared.failures = fared.failures.saturating_add(1);
        if fared.failures >= routes.failures_max {
            let rest = Duration::from_secs(routes.rest_s);
            fared.rests_until = Some(now.saturating_add(rest));
        }
    }

    /// Until when a provider is tried last.
    pub(super) fn rests_until(&self, name: &ProviderName, now: Timestamp) -> Option<Timestamp> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until = all.get(name).and_then(|fared| fared.rests_until);
        until.filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ProviderName {
        ProviderName::new(text).unwrap()
    }

    fn amount(minor: i64, currency: Currency) -> PositiveMoney {
        PositiveMoney::new(Money::new(minor, currency)).unwrap()
    }

    #[test]
    fn the_first_rule_that_fits_names_the_providers() {
        let country = |text: &str| Country::new(text).unwrap();
        let small = Money::new(5000, Currency::USD);
        let routes = Routes::new(vec![
            Route::to(vec![name("a")])
                .with_countries(&[country("US")])
                .with_max(small),
            Route::to(vec![name("b")]).with_currencies(&[Currency::EUR]),
            Route::to(vec![name("c")]).with_min(small),
        ]);
        let to = |minor, currency, at: Option<&str>| {
            let found = routes.find(amount(minor, currency), at.map(country), &[]);
            found.map(|found| found[0].as_str())
        };
        assert_eq!(to(5000, Currency::USD, Some("US")), Some("a"));
        assert_eq!(to(5001, Currency::USD, Some("US")), Some("c"));
        assert_eq!(to(4000, Currency::USD, None), None);
        assert_eq!(to(4000, Currency::EUR, Some("US")), Some("b"));
        assert_eq!(to(9000, Currency::GBP, Some("GB")), None);
        let text = serde_json::to_string(&routes).unwrap();
        assert_eq!(serde_json::from_str::<Routes>(&text).unwrap(), routes);
        assert!(serde_json::from_str::<Routes>(r#"{"rule": []}"#).is_err());
    }

    #[test]
    fn who_fails_three_times_in_a_row_rests_for_a_minute() {
        let (wellness, routes) = (Wellness::default(), Routes::default());
        let at = Timestamp::from_unix;
        let down = Error::new(ErrorKind::Unavailable, "down");
        let declined = Error::new(ErrorKind::InvalidRequest, "no");
        for error in [Some(&down), Some(&down), Some(&declined), Some(&down)] {
            wellness.note(&name("a"), error, &routes, at(100));
        }
        wellness.note(&name("a"), Some(&down), &routes, at(100));
        assert_eq!(wellness.rests_until(&name("a"), at(100)), None);
        wellness.note(&name("a"), Some(&down), &routes, at(100));
        assert_eq!(wellness.rests_until(&name("a"), at(159)), Some(at(160)));
        assert_eq!(wellness.rests_until(&name("a"), at(160)), None);
        assert_eq!(wellness.rests_until(&name("b"), at(100)), None);
    }
}
