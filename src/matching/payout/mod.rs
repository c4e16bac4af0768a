//! Which payments, refunds and disputes each payout is made of.
//!
//! With the provider's report, [`match_by_report`] follows it line by line and checks its sums.
//! Without one, [`match_by_terms`] works out from the declared [`PayoutTerms`] what is due in each
//! payout, and compares. Payments that were paid a day late are found by weighing every set of
//! lines that could explain the difference; a line is assigned only if hardly any of that weight
//! speaks against it. The others are left open, and each payout says what it closes with.
//!
//! Everything is computed in integers.

mod calendar;
mod carry;
mod evidence;
mod report;
mod schedule;
mod subset;
mod terms;
mod timeline;

pub use calendar::{Calendar, Day, DayError};
pub use evidence::{
    Alternative, LineKind, LineMatch, LineReason, LineVerdict, PayoutMatch, PayoutMatches,
    PayoutReason, PayoutRule, PayoutVerdict, Residual, ResidualLabel,
};
pub use report::{ReportRow, match_by_report};
pub use schedule::{LineRow, match_by_terms};
pub use terms::{MethodTerm, PayoutTerms, Rounding};

use crate::mode::Mode;
use crate::money::Money;
use crate::payout::{Payout, PayoutStatus};

/// A payout as it came in on the bank account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PayoutRow<'a> {
    /// The id of the payout.
    pub id: &'a str,
    /// The rail that it was made on, as [`MethodTerm::rail`] names it; empty if there is only one.
    pub rail: &'a str,
    /// The day on which the money came.
    pub value_date: Day,
    /// What came.
    pub net: Money,
    /// Whether the bank returned it, so that nothing came.
    pub is_returned: bool,
}

impl<'a> PayoutRow<'a> {
    /// A payout of `net` on `rail`.
    #[must_use]
    pub const fn new(id: &'a str, rail: &'a str, value_date: Day, net: Money) -> Self {
        Self {
            id,
            rail,
            value_date,
            net,
            is_returned: false,
        }
    }

    /// Says that the bank returned it.
    #[must_use]
    pub const fn with_returned(mut self, is_returned: bool) -> Self {
        self.is_returned = is_returned;
        self
    }

    /// A payout as a provider gave it, without a rail, on the day of arrival (or, where that is not
    /// known, of its making) `utc_offset_s` seconds east of UTC. `None` where time ends.
    #[must_use]
    pub fn of<M: Mode>(payout: &'a Payout<M>, utc_offset_s: i32) -> Option<Self> {
        let at = payout.arrives_at.unwrap_or(payout.created_at);
        let value_date = Day::of(at, utc_offset_s)?;
        let is_returned = payout.status == PayoutStatus::Failed;
        let row = Self::new(payout.id.raw(), "", value_date, payout.amount);
        Some(row.with_returned(is_returned))
    }
}
