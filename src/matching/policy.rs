//! What the host tolerates and how far the search may go. Every default is the strict one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::reference::ReferenceRules;
use crate::money::Currency;

/// What the host tolerates, and how far the search may go.
///
/// The default tolerates no difference of amount. Its windows suit cards and bank slips; a rail
/// that is slower needs a [`RailWindow`] of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Policy {
    /// How references are normalised before they are compared.
    pub references: ReferenceRules,
    /// The largest difference, in minor units, that is rounding and leaves an order paid. 0 unless
    /// set.
    pub rounding_minor: i64,
    /// Fees that a rail keeps back, so that less arrives than was paid.
    pub fees: Vec<FeeRule>,
    /// Interest for paying in instalments, so that more arrives than was owed.
    pub interest: Vec<InterestRule>,
    /// Exchange rates, each for its days. Without one, another currency is refused.
    pub rates: Vec<Rate>,
    /// How long after the order a payment without a reference may come, by rail. Unless set, the
    /// rails on which a payer is given a slip or a number and pays it later are slow: `boleto`,
    /// `bank_transfer`, `konbini`, `multibanco`, `oxxo` and `sepa_debit`; of these
    /// `bank_transfer` is accepted for 45 days, since an invoice gives 14 or 30.
    pub windows: Vec<RailWindow>,
    /// The window of a rail that has none of its own.
    pub default_window: Window,
    /// The window where both sides name the same customer.
    pub customer_window: Window,
    /// How far apart the parts of one order may be, in seconds. 35 minutes unless set.
    pub split_apart_s: u32,
    /// The most steps that the search for one sum may take. 20,000 unless set.
    pub sum_steps_max: u32,
    /// The most memory, in bytes, that a batch may take above its input; `None` unless set.
    pub memory_max: Option<usize>,
    /// How many threads a batch may use; 0, the default, is one for each core.
    pub threads: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            references: ReferenceRules::default(),
            rounding_minor: 0,
            fees: Vec::new(),
            interest: Vec::new(),
            rates: Vec::new(),
            windows: slow_rails(),
            default_window: Window::days(7, 30),
            customer_window: Window::days(14, 200),
            split_apart_s: 35 * 60,
            sum_steps_max: 20_000,
            memory_max: None,
            threads: 0,
        }
    }
}

/// Rails on which a payer is given a slip or a number and pays it later.
fn slow_rails() -> Vec<RailWindow> {
    [
        "boleto",
        "bank_transfer",
        "konbini",
        "multibanco",
        "oxxo",
        "sepa_debit",
    ]
    .map(|rail| RailWindow {
        rail: rail.to_owned(),
        window: match rail {
            // An invoice is paid by transfer within 14 or 30 days, and not always in time.
            "bank_transfer" => Window::days(45, 120).slow(),
            _ => Window::days(7, 30).slow(),
        },
    })
    .to_vec()
}

impl Policy {
    /// The window of `rail`.
    #[must_use]
    pub fn window(&self, rail: &str) -> Window {
        let own = self.windows.iter().find(|w| w.rail == rail);
        own.map_or(self.default_window, |w| w.window)
    }

    /// How much earlier than its order a payment may seem on any rail, in seconds.
    pub(crate) fn longest_before_s(&self) -> i64 {
        let own = self.windows.iter().map(|w| w.window.before_s);
        let longest = own.chain([self.default_window.before_s, self.customer_window.before_s]);
        // A payment whose day only is known may seem a day early.
        longest.max().unwrap_or(0).saturating_add(86_400)
    }

    /// The longest time over which rows may still change each other, in seconds.
    #[must_use]
    pub fn longest_guard_s(&self) -> i64 {
        let own = self.windows.iter().map(|w| w.window.guard_s);
        let longest = own.chain([self.default_window.guard_s, self.customer_window.guard_s]);
        longest.max().unwrap_or(0)
    }
}

/// When a payment may come, in seconds after its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// How much earlier than the order it may seem, because clocks differ. 10 minutes by default.
    pub before_s: i64,
    /// Up to here a payment is accepted.
    pub accept_s: i64,
    /// Up to here another order or payment still counts as a rival. A rival that is not seen
    /// makes a false match look unique, so this is much wider than what is accepted.
    pub guard_s: i64,
    /// Up to here a payment is prompt, which makes its order likelier than one further away. 0 for
    /// a rail on which nobody pays at once, such as a bank slip.
    pub prompt_s: i64,
}

impl Window {
    /// A window of whole days: accepted within `accept`, judged unique within `guard`.
    #[must_use]
    pub const fn days(accept: u32, guard: u32) -> Self {
        const DAY_S: i64 = 86_400;
        Self {
            before_s: 600,
            accept_s: accept as i64 * DAY_S,
            guard_s: guard as i64 * DAY_S,
            prompt_s: 3 * 3_600,
        }
    }

    /// A window of `accept` and `guard`, in whole seconds.
    #[must_use]
    pub fn new(accept: Duration, guard: Duration) -> Self {
        let seconds = |d: Duration| i64::try_from(d.as_secs()).unwrap_or(i64::MAX / 4);
        Self {
            before_s: 600,
            accept_s: seconds(accept),
            guard_s: seconds(guard),
            prompt_s: 3 * 3_600,
        }
    }

    /// The window of a rail on which nobody pays at once, such as a bank slip.
    #[must_use]
    pub const fn slow(mut self) -> Self {
        self.prompt_s = 0;
        self
    }
}

/// The window of one rail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RailWindow {
    /// The rail, as the entries name it.
    pub rail: String,
    /// Its window.
    pub window: Window,
}

/// A fee that a rail keeps back: a share of the total, rounded half up, and a fixed part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeeRule {
    /// The rail, as the entries name it.
    pub rail: String,
    /// The share, in hundredths of a percent: 299 is 2.99 %.
    pub basis_points: u32,
    /// The fixed part, in minor units.
    pub fixed_minor: i64,
}

/// Interest that a rail adds, as a share of the total.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterestRule {
    /// The rail, as the entries name it.
    pub rail: String,
    /// The largest share that is interest, in hundredths of a percent: 1500 is 15 %.
    pub basis_points_max: u32,
}

/// An exchange rate: `numerator` minor units of `to` for `denominator` minor units of `from`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// The currency of the payment.
    pub from: Currency,
    /// The currency of the order.
    pub to: Currency,
    /// Minor units of `to`.
    pub numerator: u32,
    /// Minor units of `from`, above zero.
    pub denominator: u32,
    /// From when the rate holds, in seconds since 1970.
    pub from_unix: i64,
    /// Until when it holds, in seconds since 1970, not included.
    pub until_unix: i64,
}

impl Rate {
    /// What `minor` units of `from` are worth in `to`, rounded half away from zero.
    #[must_use]
    pub fn convert(&self, minor: i64) -> Option<i64> {
        if self.denominator == 0 {
            return None;
        }
        let denominator = i128::from(self.denominator);
        let scaled = i128::from(minor) * i128::from(self.numerator);
        let half = denominator * scaled.signum();
        i64::try_from((2 * scaled + half) / (2 * denominator)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_of_days_is_one_of_as_many_seconds() {
        let days = |days: u64| Duration::from_secs(days * 86_400);
        assert_eq!(Window::new(days(3), days(14)), Window::days(3, 14));
    }

    #[test]
    fn a_rate_rounds_half_away_from_zero_and_divides_by_none() {
        let rate = |numerator, denominator| Rate {
            from: Currency::USD,
            to: Currency::EUR,
            numerator,
            denominator,
            from_unix: 0,
            until_unix: 1,
        };
        for (minor, worth) in [(3, 2), (1, 1), (-3, -2), (-1, -1), (0, 0)] {
            assert_eq!(rate(1, 2).convert(minor), Some(worth), "{minor}");
        }
        assert_eq!(rate(1, 3).convert(-1), Some(0));
        assert_eq!(rate(1, 0).convert(1), None);
        assert_eq!(rate(2, 1).convert(i64::MAX), None);
    }

    #[test]
    fn a_rail_has_its_own_window_and_others_the_default_one() {
        let policy = Policy::default();
        let day = 86_400;
        let window = policy.window("card");
        assert_eq!((window.accept_s, window.guard_s), (7 * day, 30 * day));
        assert_eq!((window.before_s, window.prompt_s), (600, 10_800));
        assert_eq!(policy.window("boleto"), window.slow());
        let transfer = policy.window("bank_transfer");
        assert!(transfer.accept_s >= 35 * day && transfer.guard_s >= 2 * transfer.accept_s);
        assert_eq!(transfer.prompt_s, 0);
        assert_eq!(window.slow().prompt_s, 0);
    }

    #[test]
    fn the_longest_windows_are_those_of_any_rail() {
        let longest = |policy: &Policy| (policy.longest_before_s(), policy.longest_guard_s());
        let (day, mut policy) = (86_400, Policy::default());
        assert_eq!(longest(&policy), (600 + day, 200 * day));
        let mut window = Window::days(7, 300);
        window.before_s = 7_000;
        let rail = "cheque".to_owned();
        policy.windows.push(RailWindow { rail, window });
        assert_eq!(longest(&policy), (7_000 + day, 300 * day));
    }
}
