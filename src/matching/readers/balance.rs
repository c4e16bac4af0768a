//! Whether the statements of an account are whole: what was there, what came and went, and what
//! is there now.

use std::collections::{HashMap, HashSet};
use std::fmt;

use crate::matching::payout::Day;
use crate::money::Money;

/// A statement of an account, with its balances and with what is wrong with them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StatementRecord {
    /// The line of the file on which it begins.
    pub line: u64,
    /// The account.
    pub account: String,
    /// How the bank numbers it; empty if it does not.
    pub number: String,
    /// What was there before its first entry.
    pub opening: Option<StatementBalance>,
    /// What is there after its last entry.
    pub closing: Option<StatementBalance>,
    /// How many entries move its balance, debits too.
    pub entries: u64,
    /// What they come to; `None` if they have more than one currency or are too large.
    pub net: Option<Money>,
    /// Why its balances do not hold; empty if they do.
    pub problems: Vec<BalanceProblem>,
    /// The balance before each entry and after the last, in minor units.
    points: Vec<i64>,
}

/// A balance and its day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StatementBalance {
    /// The day, if the bank names it.
    pub day: Option<Day>,
    /// What is there; below zero if the account is overdrawn.
    pub amount: Money,
}

/// Why the balances of a statement do not hold: entries are missing, or were not read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BalanceProblem {
    /// The statement does not begin with a balance.
    NoOpening,
    /// The statement does not end with a balance, as in a file that is cut off.
    NoClosing,
    /// The opening balance and the entries do not come to the closing balance.
    DoesNotClose {
        /// What they come to; `None` if that cannot be said.
        computed: Option<Money>,
        /// What the bank states.
        stated: Money,
    },
    /// The statement does not begin where the one before it ended: one is missing between them.
    Gap {
        /// Where the one before it ended.
        before: Money,
        /// Where this one begins.
        opening: Money,
    },
    /// The bank counts other entries than those that were read.
    OtherEntries {
        /// What the bank counts.
        stated: String,
        /// What was read.
        read: String,
    },
}

impl fmt::Display for BalanceProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoOpening => f.write_str(
                "it has no opening balance: nothing proves that its entries are complete; ask the \
                 bank for the whole statement",
            ),
            Self::NoClosing => f.write_str(
                "it has no closing balance, as if the file were cut off: get the file again",
            ),
            Self::DoesNotClose { computed, stated } => {
                f.write_str("opening balance and entries come to ")?;
                match computed {
                    Some(computed) => write!(f, "{computed}")?,
                    None => f.write_str("no sum")?,
                }
                write!(
                    f,
                    ", and its closing balance is {stated}: entries are missing or were left out"
                )
            }
            Self::Gap { before, opening } => write!(
                f,
                "it begins with {opening}, and the one before it ends with {before}: get the \
                 statement between them"
            ),
            Self::OtherEntries { stated, read } => write!(
                f,
                "the bank counts {stated}, and {read} were read: entries are missing or were left \
                 out"
            ),
        }
    }
}

impl StatementRecord {
    /// A statement of which nothing was read yet.
    pub(super) const fn new(line: u64, account: String, number: String) -> Self {
        Self {
            line,
            account,
            number,
            opening: None,
            closing: None,
            entries: 0,
            net: None,
            problems: Vec::new(),
            points: Vec::new(),
        }
    }

    /// Sets what was there before the first entry.
    pub(super) const fn open(&mut self, day: Option<Day>, amount: Money) {
        self.opening = Some(StatementBalance { day, amount });
    }

    /// Sets what is there after the last entry.
    pub(super) const fn close(&mut self, day: Option<Day>, amount: Money) {
        self.closing = Some(StatementBalance { day, amount });
    }

    /// Compares the balances with all entries of the statement, in the order of the file: above
    /// zero what came in, below zero what went out.
    pub(super) fn check(&mut self, entries: &[Money]) {
        self.entries = entries.len() as u64;
        let currency = self
            .opening
            .or(self.closing)
            .map(|balance| balance.amount.currency())
            .or_else(|| entries.first().map(|entry| entry.currency()));
        self.net = currency.and_then(|c| Money::sum(c, entries.iter().copied()).ok());
        self.points.clear();
        if let Some(opening) = self.opening {
            let mut at = opening.amount.minor();
            self.points.push(at);
            for entry in entries {
                at = at.saturating_add(entry.minor());
                self.points.push(at);
            }
        }
        match (self.opening, self.closing) {
            (Some(opening), Some(closing)) => {
                let net = self.net;
                let computed = net.and_then(|net| opening.amount.checked_add(net).ok());
                if computed != Some(closing.amount) {
                    self.problems.push(BalanceProblem::DoesNotClose {
                        computed,
                        stated: closing.amount,
                    });
                }
            }
            (None, Some(_)) => self.problems.push(BalanceProblem::NoOpening),
            (_, None) => self.problems.push(BalanceProblem::NoClosing),
        }
    }

    /// Whether this one goes on where `before` ended, on the same account.
    pub(super) fn continues(&self, before: &Self) -> bool {
        let (Some(opening), Some(closing)) = (self.opening, before.closing) else {
            return false;
        };
        self.account == before.account && opening.amount == closing.amount
    }
}

impl fmt::Display for StatementRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "statement")?;
        if !self.number.is_empty() {
            write!(f, " {}", self.number)?;
        }
        write!(f, " of account {}, line {}", self.account, self.line)
    }
}

/// Tells each gap between the statements of an account, also of several files: what was told of
/// gaps before is replaced.
///
/// Statements may come in any order and may overlap.
pub fn tell_gaps(statements: &mut [StatementRecord]) {
    let is_gap = |problem: &BalanceProblem| matches!(problem, BalanceProblem::Gap { .. });
    let mut order: Vec<usize> = (0..statements.len()).collect();
    order.sort_by_key(|at| {
        let opening = statements.get(*at).and_then(|s| s.opening);
        opening.and_then(|opening| opening.day)
    });
    let mut accounts: HashMap<(String, &'static str), Covered> = HashMap::new();
    for at in order {
        let Some(statement) = statements.get_mut(at) else {
            continue;
        };
        statement.problems.retain(|problem| !is_gap(problem));
        let Some(opening) = statement.opening else {
            continue;
        };
        let key = (statement.account.clone(), opening.amount.currency().code());
        let covered = accounts.entry(key).or_default();
        if let Some(before) = covered.closing
            && !covered.reaches(opening)
        {
            statement.problems.push(BalanceProblem::Gap {
                before: before.amount,
                opening: opening.amount,
            });
        }
        covered.points.extend(statement.points.iter().copied());
        let is_last = |closing: &StatementBalance| {
            covered
                .closing
                .is_none_or(|before| closing.day >= before.day)
        };
        if let Some(closing) = statement.closing.filter(is_last) {
            covered.closing = Some(closing);
        }
    }
}

/// What the statements of an account cover up to some day.
#[derive(Default)]
struct Covered {
    closing: Option<StatementBalance>,
    points: HashSet<i64>,
}

impl Covered {
    /// Whether a statement that opens so leaves nothing out: it goes on where the last one ended,
    /// or begins within what was read.
    fn reaches(&self, opening: StatementBalance) -> bool {
        self.closing.is_none_or(|closing| {
            opening.amount == closing.amount
                || (opening.day <= closing.day && self.points.contains(&opening.amount.minor()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Currency;

    fn eur(minor: i64) -> Money {
        Money::new(minor, Currency::EUR)
    }

    fn day(day: i8) -> Day {
        Day::new(2026, 11, day).unwrap()
    }

    fn statement(opening: (i8, i64), closing: (i8, i64), entries: &[i64]) -> StatementRecord {
        let mut statement = StatementRecord::new(1, "DE1".to_owned(), String::new());
        statement.open(Some(day(opening.0)), eur(opening.1));
        statement.close(Some(day(closing.0)), eur(closing.1));
        let entries: Vec<_> = entries.iter().map(|minor| eur(*minor)).collect();
        statement.check(&entries);
        statement
    }

    fn gaps(statements: &[StatementRecord]) -> Vec<bool> {
        let mut statements = statements.to_vec();
        tell_gaps(&mut statements);
        let is_gap = |problem: &BalanceProblem| matches!(problem, BalanceProblem::Gap { .. });
        statements
            .iter()
            .map(|statement| statement.problems.iter().any(is_gap))
            .collect()
    }

    #[test]
    fn check_of_balances_counts_debits_too() {
        assert_eq!(statement((1, 500), (1, 1_200), &[1_000, -300]).problems, []);
        let wrong = statement((1, 500), (1, 1_500), &[1_000, -300]);
        let expected = BalanceProblem::DoesNotClose {
            computed: Some(eur(1_200)),
            stated: eur(1_500),
        };
        assert_eq!(wrong.problems, [expected]);
        let text = wrong.problems[0].to_string();
        assert!(
            text.contains("12.00 EUR") && text.contains("15.00 EUR"),
            "{text}"
        );
    }

    #[test]
    fn check_without_a_balance_says_which_is_missing() {
        let mut cut = StatementRecord::new(1, "DE1".to_owned(), String::new());
        cut.open(Some(day(1)), eur(0));
        cut.check(&[eur(5)]);
        assert_eq!(cut.problems, [BalanceProblem::NoClosing]);
        let mut headless = StatementRecord::new(1, "DE1".to_owned(), String::new());
        headless.close(None, eur(0));
        headless.check(&[]);
        assert_eq!(headless.problems, [BalanceProblem::NoOpening]);
    }

    #[test]
    fn check_of_several_currencies_comes_to_no_sum() {
        let mut mixed = StatementRecord::new(1, "DE1".to_owned(), String::new());
        mixed.open(None, eur(0));
        mixed.close(None, eur(10));
        mixed.check(&[eur(5), Money::new(5, Currency::USD)]);
        let expected = BalanceProblem::DoesNotClose {
            computed: None,
            stated: eur(10),
        };
        assert_eq!(mixed.problems, [expected]);
    }

    #[test]
    fn gap_between_statements_is_told_of_the_later_in_any_order() {
        let first = statement((1, 0), (1, 100), &[100]);
        let second = statement((1, 100), (2, 150), &[50]);
        let third = statement((2, 150), (3, 160), &[10]);
        let all = [first.clone(), second, third.clone()];
        assert_eq!(gaps(&all), [false; 3]);
        assert_eq!(gaps(&[first.clone(), third.clone()]), [false, true]);
        assert_eq!(gaps(&[third.clone(), first.clone()]), [true, false]);
        // Told once more, it is not told twice, and found, it is told no more.
        let mut two = vec![first, third];
        tell_gaps(&mut two);
        tell_gaps(&mut two);
        assert_eq!(two[1].problems.len(), 1);
        two.push(all[1].clone());
        tell_gaps(&mut two);
        assert_eq!(two[1].problems, []);
    }

    #[test]
    fn gap_is_none_where_statements_overlap_or_accounts_differ() {
        let month = statement((1, -500), (4, 3_000), &[500, 1_000, 2_000]);
        let week = statement((3, 0), (4, 3_000), &[1_000, 2_000]);
        assert_eq!(gaps(&[month.clone(), week.clone()]), [false; 2]);
        assert_eq!(gaps(&[week.clone(), month.clone()]), [false; 2]);
        let mut elsewhere = statement((5, 7), (5, 7), &[]);
        elsewhere.account = "DE2".to_owned();
        assert_eq!(gaps(&[month, elsewhere]), [false; 2]);
    }
}
