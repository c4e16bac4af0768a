//! The verdict table: one pure function from facts to a verdict.

use super::verdict::{Reason, VerdictKind};

/// What is known of an entry and its order, or of an order alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Whether an order was found, and how surely.
    pub finding: Finding,
    /// Whether the entry is in the order's currency, or a rate leads there.
    pub currency_fits: bool,
    /// Whether the same entry was counted already.
    pub applied_before: bool,
    /// Whether the order was paid in full before this payment came.
    pub paid_before: bool,
    /// Whether the payment came after the order had been closed.
    pub after_close: bool,
    /// Whether money that had come was taken back.
    pub taken_back: bool,
    /// Whether money is announced that has not arrived.
    pub announced: bool,
    /// What has arrived against the total, after what the host tolerates.
    pub balance: Balance,
}

impl Facts {
    /// An order that is known and about which nothing is special.
    #[must_use]
    pub const fn plain(balance: Balance) -> Self {
        Self {
            finding: Finding::Order,
            currency_fits: true,
            applied_before: false,
            paid_before: false,
            after_close: false,
            taken_back: false,
            announced: false,
            balance,
        }
    }
}

/// Whether an order was found, and how surely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// The order is certain.
    Order,
    /// A reference was given and no order answers to it.
    UnknownReference,
    /// One order is better than every other, and not proven.
    Suggested,
    /// Several orders fit equally well.
    Ambiguous,
    /// No order fits, for this reason.
    Nothing(Reason),
}

/// What has arrived against the total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balance {
    /// The total is not known.
    TotalUnknown,
    /// Less than the total.
    Short,
    /// The total, or as near to it as the host tolerates.
    Even,
    /// More than the total.
    Excess,
}

/// Gives the first verdict that applies.
#[must_use]
pub fn decide(facts: &Facts) -> VerdictKind {
    use Balance::{Even, Excess, Short, TotalUnknown};
    if facts.finding == Finding::UnknownReference {
        return VerdictKind::UnknownOrder;
    }
    if facts.finding == Finding::Order && !facts.currency_fits {
        return VerdictKind::WrongCurrency;
    }
    if facts.applied_before {
        return VerdictKind::AlreadyApplied;
    }
    match facts.finding {
        Finding::Suggested => return VerdictKind::Suggested,
        Finding::Ambiguous => return VerdictKind::Ambiguous,
        Finding::Nothing(reason) => return VerdictKind::Unmatched(reason),
        Finding::Order | Finding::UnknownReference => {}
    }
    if facts.paid_before {
        return VerdictKind::DuplicatePayment;
    }
    if facts.after_close {
        return VerdictKind::PaidAfterClose;
    }
    match facts.balance {
        Short | TotalUnknown if facts.taken_back => VerdictKind::Reversed,
        Short | TotalUnknown if facts.announced => VerdictKind::Pending,
        Short => VerdictKind::Underpaid,
        Excess => VerdictKind::Overpaid,
        Even => VerdictKind::Paid,
        TotalUnknown => VerdictKind::Unmatched(Reason::OrderTotalUnknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINDINGS: [Finding; 5] = [
        Finding::Order,
        Finding::UnknownReference,
        Finding::Suggested,
        Finding::Ambiguous,
        Finding::Nothing(Reason::NoCandidate),
    ];
    const BALANCES: [Balance; 4] = [
        Balance::TotalUnknown,
        Balance::Short,
        Balance::Even,
        Balance::Excess,
    ];

    /// The design's list, each verdict with its own condition, in order of precedence.
    fn rows(f: &Facts) -> Vec<(bool, VerdictKind)> {
        let order = f.finding == Finding::Order;
        let not_paid = matches!(f.balance, Balance::Short | Balance::TotalUnknown);
        let is = |balance| order && f.balance == balance;
        vec![
            (
                f.finding == Finding::UnknownReference,
                VerdictKind::UnknownOrder,
            ),
            (order && !f.currency_fits, VerdictKind::WrongCurrency),
            (f.applied_before, VerdictKind::AlreadyApplied),
            (order && f.paid_before, VerdictKind::DuplicatePayment),
            (order && f.after_close, VerdictKind::PaidAfterClose),
            (order && f.taken_back && not_paid, VerdictKind::Reversed),
            (order && f.announced && not_paid, VerdictKind::Pending),
            (is(Balance::Short), VerdictKind::Underpaid),
            (is(Balance::Excess), VerdictKind::Overpaid),
            (is(Balance::Even), VerdictKind::Paid),
            (f.finding == Finding::Suggested, VerdictKind::Suggested),
            (f.finding == Finding::Ambiguous, VerdictKind::Ambiguous),
            (
                is(Balance::TotalUnknown),
                VerdictKind::Unmatched(Reason::OrderTotalUnknown),
            ),
            (true, VerdictKind::Unmatched(Reason::NoCandidate)),
        ]
    }

    #[test]
    fn every_combination_of_facts_gives_the_first_verdict_that_applies() {
        let mut seen = std::collections::BTreeSet::new();
        for finding in FINDINGS {
            for balance in BALANCES {
                for bits in 0_u8..64 {
                    let bit = |at: u8| bits >> at & 1 == 1;
                    let facts = Facts {
                        finding,
                        currency_fits: bit(0),
                        applied_before: bit(1),
                        paid_before: bit(2),
                        after_close: bit(3),
                        taken_back: bit(4),
                        announced: bit(5),
                        balance,
                    };
                    let expected = rows(&facts).into_iter().find(|(applies, _)| *applies);
                    let (_, expected) = expected.unwrap();
                    assert_eq!(decide(&facts), expected, "{facts:?}");
                    seen.insert(expected);
                }
            }
        }
        assert_eq!(
            seen.len(),
            14,
            "each verdict is reached, and both reasons here"
        );
    }
}
