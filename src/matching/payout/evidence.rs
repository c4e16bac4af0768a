//! What is said about a payout and about each line, so that it can be stored and explained later.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Day;
use crate::money::Money;

/// What was found for all payouts and lines, in the order in which they were given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PayoutMatches {
    /// One for each payout.
    pub payouts: Vec<PayoutMatch>,
    /// One for each line.
    pub lines: Vec<LineMatch>,
}

/// What was found about one payout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PayoutMatch {
    /// The payout.
    pub payout: String,
    /// The day it was paid.
    pub value_date: Day,
    /// How it was compared.
    pub rule: PayoutRule,
    /// The [`RULES_VERSION`](crate::matching::RULES_VERSION) of that time.
    pub rules_version: u32,
    /// What was paid.
    pub net: Money,
    /// What its lines add up to.
    pub expected: Money,
    /// How many lines that are.
    pub lines: usize,
    /// How many of them are open: it is not certain that they are in this payout.
    pub lines_open: usize,
    /// What lies between `expected` and `net`, each part by name. The parts add up exactly.
    pub residuals: Vec<Residual>,
    /// Whether it is explained.
    #[serde(flatten)]
    pub verdict: PayoutVerdict,
    /// Other explanations that were weighed, the most probable first.
    pub alternatives: Vec<Alternative>,
}

impl PayoutMatch {
    /// What was paid less what its lines add up to, in minor units.
    #[must_use]
    pub fn difference_minor(&self) -> i64 {
        self.net.minor().saturating_sub(self.expected.minor())
    }
}

/// How a payout was compared with its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PayoutRule {
    /// With the lines of the provider's report.
    Report,
    /// With the lines due by the declared fees and calendar.
    Terms,
}

/// Whether a payout is explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict", content = "reason")]
#[non_exhaustive]
pub enum PayoutVerdict {
    /// To the minor unit, by lines.
    Closed,
    /// Except for a residual that is named and that no line explains.
    ClosedWithResidual,
    /// It is not explained.
    Open(PayoutReason),
}

/// Why a payout is not explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PayoutReason {
    /// No line of the report names it.
    NotInReport,
    /// No payment is due in it.
    NoLines,
    /// More than one explanation is probable.
    SeveralExplanations,
    /// Another payout of the same rail came on the same day.
    SeveralPayouts,
    /// A payout before it has the same id, and with it the lines.
    Repeated,
    /// The bank returned it: no money came, and its lines are paid out again with a later payout.
    Returned,
    /// An amount does not fit 64 bits.
    TooLarge,
    /// The search would have taken more steps than the host allows.
    BudgetExceeded,
}

/// A part of what lies between the lines and the payout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Residual {
    /// What it is.
    pub label: ResidualLabel,
    /// How much, with the sign that it has in the payout.
    pub amount: Money,
}

/// What a residual is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ResidualLabel {
    /// Lines that were due the business day before, and were paid late.
    SlippedIn,
    /// Lines that were due in this payout, and were paid a business day late.
    SlippedOut,
    /// A fee that the lines do not show: the report's net differs from gross less fee.
    Fee,
    /// Lines in another currency than the payout's.
    Fx,
    /// Money that the provider holds back or releases.
    Reserve,
    /// Money that went back to buyers.
    Refund,
    /// Nothing that is known explains it.
    Unexplained,
}

/// Another explanation of a payout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Alternative {
    /// What would have been paid late out of it.
    pub slipped_out: Money,
    /// The odds of it: one in so many.
    pub one_in: u64,
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LineKind {
    /// A payment, or the reversal of one.
    Payment,
    /// A refund, or a refund that came back.
    Refund,
    /// A dispute, or one that was won.
    Dispute,
    /// A fee on its own.
    Fee,
    /// Money held back or released.
    Reserve,
    /// Currency conversion.
    Conversion,
    /// An earlier payout that the bank returned: its money is paid out again.
    ReturnedPayout,
    /// Any other correction.
    Adjustment,
}

impl LineKind {
    /// Whether such a line comes from a payment, refund or dispute that the host can know.
    #[must_use]
    pub const fn has_source(self) -> bool {
        matches!(self, Self::Payment | Self::Refund | Self::Dispute)
    }

    /// The kind as one word, such as `payment`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::Refund => "refund",
            Self::Dispute => "dispute",
            Self::Fee => "fee",
            Self::Reserve => "reserve",
            Self::Conversion => "conversion",
            Self::ReturnedPayout => "returned_payout",
            Self::Adjustment => "adjustment",
        }
    }
}

/// What was found about one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LineMatch {
    /// The line: the id of a payment, refund, dispute or adjustment.
    pub line: String,
    /// What it is.
    pub kind: LineKind,
    /// The payout that it is in, if that is certain.
    pub payout: Option<String>,
    /// The gross amount less the fee, in minor units.
    pub net: Option<Money>,
    /// The value date on which it was due, where there is no report.
    pub due: Option<Day>,
    /// How it came there, or why it is open.
    #[serde(flatten)]
    pub verdict: LineVerdict,
    /// The odds that this is wrong: at most one in so many. `None` for what a report says, and
    /// where nothing that was weighed speaks against it.
    pub wrong_one_in: Option<u64>,
}

/// How a line came into its payout, or why it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict", content = "reason")]
#[non_exhaustive]
pub enum LineVerdict {
    /// The report says so, and names a payment, refund or dispute that is known. Fees and
    /// adjustments name none.
    Reported,
    /// The report says so, and names a payment, refund or dispute that is not in the feed.
    ReportedUnknown,
    /// It was due on that day.
    OnTime,
    /// It was due on the business day before.
    Late,
    /// It is in no payout for certain.
    Open(LineReason),
}

/// Why a line is in no payout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LineReason {
    /// Its method is not paid out.
    NotPaidOut,
    /// It may have been on time or late: other lines fit as well.
    SeveralExplanations,
    /// There is no payout on its day.
    NoPayout,
    /// Two payouts of its rail came on its day.
    SeveralPayouts,
    /// Its payout is not explained, nor are those around it: the terms may be wrong.
    PayoutNotExplained,
    /// The report names a payout that is not in the feed.
    UnknownPayout,
    /// The report names its payout in another currency.
    WrongCurrency,
    /// A line with the same id and kind came before it.
    Repeated,
    /// Its day or its amount is out of range.
    OutOfRange,
}

/// One sentence for a person.
impl fmt::Display for PayoutMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            payout,
            value_date,
            net,
            expected,
            lines,
            ..
        } = self;
        write!(f, "payout {payout} of {value_date} over {net} ")?;
        match self.verdict {
            PayoutVerdict::Closed => write!(f, "closes to the minor unit: ")?,
            PayoutVerdict::ClosedWithResidual => write!(f, "closes with a residual: ")?,
            PayoutVerdict::Open(reason) => write!(f, "is open, because {reason}: ")?,
        }
        let plural = if *lines == 1 { "" } else { "s" };
        write!(f, "{lines} line{plural} of {expected}")?;
        for residual in &self.residuals {
            write!(f, ", {} {}", residual.label, residual.amount)?;
        }
        if self.lines_open > 0 {
            write!(f, "; which lines is open for {}", self.lines_open)?;
        }
        Ok(())
    }
}

impl fmt::Display for PayoutReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotInReport => "the report has no line of it",
            Self::NoLines => "no payment is due in it",
            Self::SeveralExplanations => "more than one explanation is probable",
            Self::SeveralPayouts => "another payout of its rail came on the same day",
            Self::Repeated => "a payout before it has the same id",
            Self::Returned => "the bank returned it, so that no money came",
            Self::TooLarge => "an amount does not fit 64 bits",
            Self::BudgetExceeded => "the search would exceed its budget",
        })
    }
}

impl fmt::Display for ResidualLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SlippedIn => "paid late from the day before",
            Self::SlippedOut => "slipped to the next day",
            Self::Fee => "fee not shown in the lines",
            Self::Fx => "in another currency",
            Self::Reserve => "reserve",
            Self::Refund => "refunds",
            Self::Unexplained => "unexplained",
        })
    }
}

/// One sentence for a person.
impl fmt::Display for LineMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.kind.name(), self.line)?;
        let payout = self.payout.as_deref().unwrap_or("no payout");
        match self.verdict {
            LineVerdict::Reported => write!(f, "is in payout {payout}, as reported")?,
            LineVerdict::ReportedUnknown => {
                write!(
                    f,
                    "is in payout {payout}, as reported, but is not in the feed"
                )?;
            }
            LineVerdict::OnTime => write!(f, "is in payout {payout}, on time")?,
            LineVerdict::Late => write!(f, "is in payout {payout}, a business day late")?,
            LineVerdict::Open(reason) => write!(f, "is open: {reason}")?,
        }
        match self.wrong_one_in {
            None => Ok(()),
            Some(one_in) => write!(f, " (wrong once in {one_in})"),
        }
    }
}

impl fmt::Display for LineReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotPaidOut => "its method is not paid out",
            Self::SeveralExplanations => "it may have been late, other lines fit as well",
            Self::NoPayout => "no payout came on its day",
            Self::SeveralPayouts => "two payouts of its rail came on its day",
            Self::PayoutNotExplained => "its payout and those around it are not explained",
            Self::UnknownPayout => "the report names a payout that is not in the feed",
            Self::WrongCurrency => "its payout is in another currency",
            Self::Repeated => "a line with the same id came before it",
            Self::OutOfRange => "its day or its amount is out of range",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::money::Currency;

    fn eur(minor: i64) -> Money {
        Money::new(minor, Currency::EUR)
    }

    fn payout(verdict: PayoutVerdict) -> PayoutMatch {
        PayoutMatch {
            payout: "po_1".into(),
            value_date: "2026-11-20".parse().unwrap(),
            rule: PayoutRule::Terms,
            rules_version: 1,
            net: eur(9_700),
            expected: eur(9_700),
            lines: 1,
            lines_open: 0,
            residuals: Vec::new(),
            verdict,
            alternatives: Vec::new(),
        }
    }

    #[test]
    fn a_payout_is_told_in_one_sentence() {
        let closed = payout(PayoutVerdict::Closed);
        let start = "payout po_1 of 2026-11-20 over 97.00 EUR";
        assert_eq!(
            closed.to_string(),
            format!("{start} closes to the minor unit: 1 line of 97.00 EUR")
        );
        let late = PayoutMatch {
            expected: eur(10_000),
            lines: 3,
            lines_open: 2,
            residuals: vec![Residual {
                label: ResidualLabel::Fee,
                amount: eur(-300),
            }],
            ..payout(PayoutVerdict::ClosedWithResidual)
        };
        assert_eq!(late.difference_minor(), -300);
        assert_eq!(
            late.to_string(),
            format!(
                "{start} closes with a residual: 3 lines of 100.00 EUR, fee not shown in the \
                 lines -3.00 EUR; which lines is open for 2"
            )
        );
        let open = payout(PayoutVerdict::Open(PayoutReason::NoLines));
        assert_eq!(
            open.to_string(),
            format!("{start} is open, because no payment is due in it: 1 line of 97.00 EUR")
        );
    }

    #[test]
    fn a_line_is_told_in_one_sentence() {
        let line = |payout: Option<&str>, verdict, wrong_one_in| LineMatch {
            line: "pi_1".into(),
            kind: LineKind::Payment,
            payout: payout.map(Into::into),
            net: Some(eur(100)),
            due: None,
            verdict,
            wrong_one_in,
        };
        let (po, open) = (Some("po_1"), LineVerdict::Open(LineReason::NoPayout));
        for (line, text) in [
            (
                line(po, LineVerdict::Reported, None),
                "payment pi_1 is in payout po_1, as reported",
            ),
            (
                line(po, LineVerdict::ReportedUnknown, None),
                "payment pi_1 is in payout po_1, as reported, but is not in the feed",
            ),
            (
                line(po, LineVerdict::OnTime, Some(90)),
                "payment pi_1 is in payout po_1, on time (wrong once in 90)",
            ),
            (
                line(po, LineVerdict::Late, None),
                "payment pi_1 is in payout po_1, a business day late",
            ),
            (
                line(None, open, None),
                "payment pi_1 is open: no payout came on its day",
            ),
        ] {
            assert_eq!(line.to_string(), text);
        }
    }

    #[test]
    fn no_two_of_a_sort_read_the_same() {
        fn differ<T>(all: &[T], text: impl Fn(&T) -> String) {
            let texts: BTreeSet<_> = all.iter().map(text).collect();
            assert_eq!(texts.len(), all.len(), "{texts:?}");
            assert!(texts.iter().all(|text| !text.is_empty()));
        }
        let reasons = [
            PayoutReason::NotInReport,
            PayoutReason::NoLines,
            PayoutReason::SeveralExplanations,
            PayoutReason::SeveralPayouts,
            PayoutReason::Repeated,
            PayoutReason::Returned,
            PayoutReason::TooLarge,
            PayoutReason::BudgetExceeded,
        ];
        differ(&reasons, ToString::to_string);
        let labels = [
            ResidualLabel::SlippedIn,
            ResidualLabel::SlippedOut,
            ResidualLabel::Fee,
            ResidualLabel::Fx,
            ResidualLabel::Reserve,
            ResidualLabel::Refund,
            ResidualLabel::Unexplained,
        ];
        differ(&labels, ToString::to_string);
        let reasons = [
            LineReason::NotPaidOut,
            LineReason::SeveralExplanations,
            LineReason::NoPayout,
            LineReason::SeveralPayouts,
            LineReason::PayoutNotExplained,
            LineReason::UnknownPayout,
            LineReason::WrongCurrency,
            LineReason::Repeated,
            LineReason::OutOfRange,
        ];
        differ(&reasons, ToString::to_string);
        let kinds = [
            LineKind::Payment,
            LineKind::Refund,
            LineKind::Dispute,
            LineKind::Fee,
            LineKind::Reserve,
            LineKind::Conversion,
            LineKind::ReturnedPayout,
            LineKind::Adjustment,
        ];
        differ(&kinds, |kind| kind.name().to_owned());
    }
}
