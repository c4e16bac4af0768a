//! What matching says, about an order or about one entry.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::money::Money;

/// What matching says. Of those that apply, the first in this order is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// The reference names an order that is not in the feed.
    UnknownOrder,
    /// The currency is not the order's, and the host gave no rate between them.
    WrongCurrency,
    /// The same payment again: a redelivery, absorbed.
    AlreadyApplied,
    /// Another payment for an order that was paid already.
    DuplicatePayment,
    /// The payment came after its order had been closed.
    PaidAfterClose,
    /// Money that had come was taken back by a refund, a dispute or a reversal, and what is left
    /// does not pay the order.
    Reversed,
    /// Money that would pay the order is announced and has not arrived.
    Pending,
    /// Less than the total has arrived.
    Underpaid {
        /// What is missing, above zero.
        short: Money,
    },
    /// More than the total has arrived.
    Overpaid {
        /// What is too much, above zero.
        excess: Money,
    },
    /// The order is paid: exactly, or within what the host tolerates.
    Paid,
    /// No reference, and one assignment is better than every other, but not proven. A person
    /// confirms the first candidate.
    Suggested {
        /// The orders it could pay, best first.
        candidates: Vec<Candidate>,
    },
    /// No reference, and two or more orders fit equally well.
    Ambiguous {
        /// The orders it could pay, best first.
        candidates: Vec<Candidate>,
    },
    /// No order can be named.
    Unmatched {
        /// Why.
        reason: Reason,
        /// The orders that come nearest, best first.
        candidates: Vec<Candidate>,
    },
}

/// A [`Verdict`] without its amounts and candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is explained at `Verdict`")]
pub enum VerdictKind {
    UnknownOrder,
    WrongCurrency,
    AlreadyApplied,
    DuplicatePayment,
    PaidAfterClose,
    Reversed,
    Pending,
    Underpaid,
    Overpaid,
    Paid,
    Suggested,
    Ambiguous,
    Unmatched(Reason),
}

impl Verdict {
    /// The verdict without its amounts and candidates.
    #[must_use]
    pub const fn kind(&self) -> VerdictKind {
        match self {
            Self::UnknownOrder => VerdictKind::UnknownOrder,
            Self::WrongCurrency => VerdictKind::WrongCurrency,
            Self::AlreadyApplied => VerdictKind::AlreadyApplied,
            Self::DuplicatePayment => VerdictKind::DuplicatePayment,
            Self::PaidAfterClose => VerdictKind::PaidAfterClose,
            Self::Reversed => VerdictKind::Reversed,
            Self::Pending => VerdictKind::Pending,
            Self::Underpaid { .. } => VerdictKind::Underpaid,
            Self::Overpaid { .. } => VerdictKind::Overpaid,
            Self::Paid => VerdictKind::Paid,
            Self::Suggested { .. } => VerdictKind::Suggested,
            Self::Ambiguous { .. } => VerdictKind::Ambiguous,
            Self::Unmatched { reason, .. } => VerdictKind::Unmatched(*reason),
        }
    }

    /// The orders that the verdict names as possible, best first.
    #[must_use]
    pub fn candidates(&self) -> &[Candidate] {
        match self {
            Self::Suggested { candidates }
            | Self::Ambiguous { candidates }
            | Self::Unmatched { candidates, .. } => candidates,
            _ => &[],
        }
    }
}

/// One sentence for a person.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownOrder => f.write_str("the reference names no order that is known"),
            Self::WrongCurrency => f.write_str("paid in another currency than the order's"),
            Self::AlreadyApplied => f.write_str("the same payment again, already counted"),
            Self::DuplicatePayment => f.write_str("another payment for an order already paid"),
            Self::PaidAfterClose => f.write_str("paid after the order was closed"),
            Self::Reversed => f.write_str("money was taken back and the order is no longer paid"),
            Self::Pending => f.write_str("announced, not arrived"),
            Self::Underpaid { short } => write!(f, "underpaid, {short} short"),
            Self::Overpaid { excess } => write!(f, "overpaid by {excess}"),
            Self::Paid => f.write_str("paid"),
            Self::Suggested { candidates } => match candidates.first() {
                Some(first) => write!(f, "probably for order {}, to be confirmed", first.order),
                None => f.write_str("to be confirmed"),
            },
            Self::Ambiguous { candidates } => {
                write!(f, "{} orders fit equally well: ", candidates.len())?;
                write_orders(f, candidates)
            }
            Self::Unmatched { reason, candidates } => {
                write!(f, "{reason}")?;
                if candidates.is_empty() {
                    return Ok(());
                }
                f.write_str("; nearest: ")?;
                write_orders(f, candidates)
            }
        }
    }
}

fn write_orders(f: &mut fmt::Formatter<'_>, candidates: &[Candidate]) -> fmt::Result {
    for (place, candidate) in candidates.iter().enumerate().take(3) {
        let comma = if place == 0 { "" } else { ", " };
        write!(f, "{comma}{}", candidate.order)?;
    }
    Ok(())
}

/// An order that an entry could belong to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Candidate {
    /// The order.
    pub order: String,
    /// What it still misses, in minor units of its currency; `None` if its total is unknown.
    pub open_minor: Option<i64>,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// Whether both sides name the same customer; `None` if one of them names none.
    pub same_customer: Option<bool>,
    /// Seconds from the order to the entry, negative if the entry came first.
    pub seconds_after: i64,
}

/// Why an entry has no order, or an order no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum Reason {
    /// No order comes near.
    NoCandidate,
    /// The orders that fit were given to other payments, which fit them better.
    CandidateTaken,
    /// Orders fit, but outside the time that the policy accepts.
    OutsideWindow,
    /// Orders fit by number, in another currency.
    CurrencyMismatch,
    /// The order's total is unknown, so that nothing can be compared with it.
    OrderTotalUnknown,
    /// The payment looks like a part of an order, and the other parts were not found.
    SplitIncomplete,
    /// A sum fits, and chance alone would explain it.
    ChanceSum,
    /// The same content came under another id.
    SuspectedDuplicate,
    /// The amount is zero.
    ZeroAmount,
    /// A refund, dispute or reversal whose payment is not in the feed.
    OrphanRefund,
    /// The search needed more than the budget that the host gave.
    BudgetExceeded,
    /// More may come: the watermark has not passed yet.
    AwaitingWatermark,
    /// It has the name of an entry that counts, and another amount or currency. Only that one
    /// counts; a person finds out which is right.
    ContradictsCounted,
    /// Its source states it no more: what it said is said by other entries of the same payment, or
    /// has turned out not to be so.
    Withdrawn,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCandidate => "no order comes near",
            Self::CandidateTaken => "the orders that fit were paid by others",
            Self::OutsideWindow => "orders fit only outside the accepted time",
            Self::CurrencyMismatch => "orders fit only in another currency",
            Self::OrderTotalUnknown => "the order's total is unknown",
            Self::SplitIncomplete => "perhaps a part of an order whose other parts are missing",
            Self::ChanceSum => "a sum fits, but chance alone would explain it",
            Self::SuspectedDuplicate => "the same content came under another id",
            Self::ZeroAmount => "the amount is zero",
            Self::OrphanRefund => "the payment that it takes back is not in the feed",
            Self::BudgetExceeded => "the search needed more than its budget",
            Self::AwaitingWatermark => "more may still come",
            Self::ContradictsCounted => {
                "an entry of the same name, account and source has another amount: only one of \
                 them counts, compare both with the source"
            }
            Self::Withdrawn => "its source states it no more",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::money::Currency;

    const REASONS: [Reason; 14] = [
        Reason::NoCandidate,
        Reason::CandidateTaken,
        Reason::OutsideWindow,
        Reason::CurrencyMismatch,
        Reason::OrderTotalUnknown,
        Reason::SplitIncomplete,
        Reason::ChanceSum,
        Reason::SuspectedDuplicate,
        Reason::ZeroAmount,
        Reason::OrphanRefund,
        Reason::BudgetExceeded,
        Reason::AwaitingWatermark,
        Reason::ContradictsCounted,
        Reason::Withdrawn,
    ];

    #[test]
    fn no_two_verdicts_read_the_same() {
        let verdicts = [
            Verdict::UnknownOrder,
            Verdict::WrongCurrency,
            Verdict::AlreadyApplied,
            Verdict::DuplicatePayment,
            Verdict::PaidAfterClose,
            Verdict::Reversed,
            Verdict::Pending,
            Verdict::Paid,
        ];
        let reasons = REASONS.iter().map(ToString::to_string);
        let all: BTreeSet<_> = verdicts
            .iter()
            .map(ToString::to_string)
            .chain(reasons)
            .collect();
        assert_eq!(all.len(), verdicts.len() + REASONS.len());
        assert!(all.iter().all(|text| !text.is_empty()));
    }

    #[test]
    fn a_verdict_is_one_sentence_with_its_amount_and_its_orders() {
        let candidates = |ids: &[&str]| -> Vec<Candidate> {
            let candidate = |id: &&str| Candidate {
                order: (*id).to_owned(),
                open_minor: None,
                placed_at: Timestamp::from_unix(0),
                same_customer: None,
                seconds_after: 0,
            };
            ids.iter().map(candidate).collect()
        };
        let unmatched = |reason, ids: &[&str]| Verdict::Unmatched {
            reason,
            candidates: candidates(ids),
        };
        let short = Money::new(499, Currency::EUR);
        for (verdict, sentence) in [
            (Verdict::Paid, "paid"),
            (Verdict::Underpaid { short }, "underpaid, 4.99 EUR short"),
            (Verdict::Overpaid { excess: short }, "overpaid by 4.99 EUR"),
            (
                Verdict::Suggested {
                    candidates: candidates(&["A", "B"]),
                },
                "probably for order A, to be confirmed",
            ),
            (
                Verdict::Ambiguous {
                    candidates: candidates(&["A", "B", "C", "D"]),
                },
                "4 orders fit equally well: A, B, C",
            ),
            (
                unmatched(Reason::ZeroAmount, &["A"]),
                "the amount is zero; nearest: A",
            ),
            (unmatched(Reason::NoCandidate, &[]), "no order comes near"),
        ] {
            assert_eq!(verdict.to_string(), sentence);
        }
    }
}
