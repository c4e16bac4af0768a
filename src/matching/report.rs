//! What a batch gives: the state of each order and the verdict on each entry.

use super::decide::{Balance, Facts, Finding, decide};
use super::evidence::{Allocation, ResidualKind, Rule};
use super::order_entries::{OrderEntries, lines_into};
use super::policy::Policy;
use super::resolve::Resolution;
use super::standing::{Line, Standing, fold, repeated};
use super::table::{Entry, NONE, Order, Table};
use super::verdict::{Candidate, Reason, Verdict, VerdictKind};
use crate::clock::Timestamp;
use crate::money::Money;

/// The outcome of a batch. Evidence is written out when it is asked for.
#[derive(Debug)]
pub struct Report<'t> {
    pub(crate) table: &'t Table,
    pub(crate) policy: &'t Policy,
    pub(crate) found: Resolution,
    pub(crate) groups: OrderEntries,
    pub(crate) standings: Vec<Standing>,
    pub(crate) special: std::collections::HashMap<u32, VerdictKind>,
}

/// What has become of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrderOutcome<'r> {
    /// The row of the order, counted from 0 as they were given.
    pub row: usize,
    /// The order.
    pub id: &'r str,
    /// How many payments arrived for it.
    pub payments: u32,
    /// What they came to, before anything was taken back.
    pub paid: Money,
    /// What was taken back, by refunds, disputes and reversals.
    pub taken_back: Money,
    /// What is there now less the total, in minor units; `None` if the total is unknown.
    pub difference_minor: Option<i64>,
    /// What that difference is.
    pub residual: ResidualKind,
    /// What matching says.
    pub verdict: Verdict,
}

/// What has become of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntryOutcome<'r> {
    /// The row of the entry, counted from 0 as they were given.
    pub row: usize,
    /// The entry.
    pub id: &'r str,
    /// The order that it belongs to, the first of them if it pays several.
    pub order: Option<&'r str>,
    /// How it came to its order.
    pub rule: Rule,
    /// What matching says.
    pub verdict: Verdict,
}

impl Report<'_> {
    /// All orders, as they were given. A row that a higher revision replaces is left out.
    pub fn orders(&self) -> impl Iterator<Item = OrderOutcome<'_>> {
        (0..self.table.orders.len() as u32).filter_map(|row| self.order(row))
    }

    /// All entries, as they were given. One that its payment's ledger states no more is left out.
    pub fn entries(&self) -> impl Iterator<Item = EntryOutcome<'_>> {
        let rows = (0_u32..).zip(&self.table.entries);
        let stated = rows.filter(|(_, entry)| !entry.is_withdrawn());
        stated.map(|(row, _)| self.entry(row))
    }

    /// Where the money of an entry goes. The parts add up to the entry, exactly.
    #[must_use]
    pub fn allocations(&self, entry: usize) -> Vec<Allocation> {
        let Ok(row) = u32::try_from(entry) else {
            return Vec::new();
        };
        let (Some(kept), order) = (self.table.entry(row), self.found.order_of(row)) else {
            return Vec::new();
        };
        let allocation = |order, minor| Allocation {
            order: self.table.order_id(order).to_owned(),
            amount: Money::new(minor, kept.currency),
        };
        let shares = self.found.shares.iter().filter(|share| share.0 == row);
        let several: Vec<_> = shares.map(|s| allocation(s.1, s.2)).collect();
        if several.is_empty() && order != NONE {
            return vec![allocation(order, kept.amount)];
        }
        several
    }

    pub(crate) fn order(&self, row: u32) -> Option<OrderOutcome<'_>> {
        if self.found.superseded.contains_key(&row) {
            return None;
        }
        let order = self.table.order(row)?;
        let standing = self.standings.get(row as usize)?;
        Some(OrderOutcome {
            row: row as usize,
            id: self.table.order_id(row),
            payments: standing.payments,
            paid: Money::new(standing.paid, order.currency),
            taken_back: Money::new(standing.taken_back, order.currency),
            difference_minor: order
                .total
                .map(|total| standing.net().saturating_sub(total)),
            residual: standing.residual,
            verdict: with_amounts(standing.kind, order, standing),
        })
    }

    pub(crate) fn entry(&self, row: u32) -> EntryOutcome<'_> {
        let order = self.found.order_of(row);
        EntryOutcome {
            row: row as usize,
            id: self.table.entry_id(row),
            order: (order != NONE).then(|| self.table.order_id(order)),
            rule: self.found.rule_of(row),
            verdict: self.entry_verdict(row),
        }
    }

    /// The verdict on an entry, without its amounts.
    pub(crate) fn entry_kind(&self, row: u32) -> VerdictKind {
        if let Some(standing) = self.standings.get(self.found.order_of(row) as usize) {
            return self.special.get(&row).copied().unwrap_or(standing.kind);
        }
        if let (Some(entry), Some(counted)) = (self.table.entry(row), self.counted(row))
            && let kind @ VerdictKind::Unmatched(_) = repeated(entry, counted)
        {
            return kind;
        }
        let finding = self.found.refused.get(&row).copied();
        decide(&Facts {
            finding: finding.unwrap_or(Finding::Nothing(Reason::NoCandidate)),
            applied_before: self.found.absorbed.contains_key(&row),
            ..Facts::plain(Balance::Short)
        })
    }

    /// The entry that counts in the place of one that repeats or contradicts it.
    pub(crate) fn counted(&self, row: u32) -> Option<&Entry> {
        let counted = self.found.absorbed.get(&row)?;
        self.table.entry(*counted)
    }

    fn entry_verdict(&self, row: u32) -> Verdict {
        let (kind, order) = (self.entry_kind(row), self.found.order_of(row));
        let standing = self.standings.get(order as usize);
        if let Some((kept, standing)) = self.table.order(order).zip(standing) {
            return with_amounts(kind, kept, standing);
        }
        let candidates = self.candidates(row);
        match kind {
            VerdictKind::UnknownOrder => Verdict::UnknownOrder,
            VerdictKind::AlreadyApplied => Verdict::AlreadyApplied,
            VerdictKind::Suggested => Verdict::Suggested { candidates },
            VerdictKind::Ambiguous => Verdict::Ambiguous { candidates },
            VerdictKind::Unmatched(reason) => Verdict::Unmatched { reason, candidates },
            _ => Verdict::Unmatched {
                reason: Reason::NoCandidate,
                candidates,
            },
        }
    }

    pub(crate) fn candidates(&self, row: u32) -> Vec<Candidate> {
        let orders = self.found.candidates.get(&row);
        let orders = orders.map(Vec::as_slice).unwrap_or_default();
        orders
            .iter()
            .filter_map(|&order| self.candidate(row, order))
            .collect()
    }

    pub(crate) fn candidate(&self, row: u32, order: u32) -> Option<Candidate> {
        let (entry, kept) = (self.table.entry(row)?, self.table.order(order)?);
        let customers = entry.customer().zip(kept.customer());
        // What the order misses without this entry's own money.
        let standing = self.standings.get(order as usize)?;
        let own = if self.found.order_of(row) == order {
            entry.amount
        } else {
            0
        };
        let open = |total: i64| total.saturating_sub(standing.net()).saturating_add(own);
        Some(Candidate {
            order: self.table.order_id(order).to_owned(),
            open_minor: kept.total.map(open),
            placed_at: Timestamp::from_unix(kept.placed_at),
            same_customer: customers.map(|(a, b)| self.table.bytes(a) == self.table.bytes(b)),
            seconds_after: entry.at.saturating_sub(kept.placed_at),
        })
    }

    /// The lines of an order, folded again.
    pub(crate) fn lines(&self, order: u32) -> Vec<Line> {
        let mut lines = Vec::new();
        lines_into(&self.found, order, self.groups.entries(order), &mut lines);
        if let Some(kept) = self.table.order(order) {
            fold(self.table, self.policy, kept, &mut lines);
        }
        lines
    }
}

/// Puts the amounts of an order's standing into its verdict.
pub(crate) fn with_amounts(kind: VerdictKind, order: &Order, standing: &Standing) -> Verdict {
    let difference = order
        .total
        .map_or(0, |total| standing.net().saturating_sub(total));
    let money = |minor| Money::new(minor, order.currency);
    match kind {
        VerdictKind::UnknownOrder => Verdict::UnknownOrder,
        VerdictKind::WrongCurrency => Verdict::WrongCurrency,
        VerdictKind::AlreadyApplied => Verdict::AlreadyApplied,
        VerdictKind::DuplicatePayment => Verdict::DuplicatePayment,
        VerdictKind::PaidAfterClose => Verdict::PaidAfterClose,
        VerdictKind::Reversed => Verdict::Reversed,
        VerdictKind::Pending => Verdict::Pending,
        VerdictKind::Underpaid => Verdict::Underpaid {
            short: money(difference.saturating_neg()),
        },
        VerdictKind::Overpaid => Verdict::Overpaid {
            excess: money(difference),
        },
        VerdictKind::Paid => Verdict::Paid,
        VerdictKind::Unmatched(reason) => Verdict::Unmatched {
            reason,
            candidates: Vec::new(),
        },
        VerdictKind::Suggested | VerdictKind::Ambiguous => Verdict::Unmatched {
            reason: Reason::NoCandidate,
            candidates: Vec::new(),
        },
    }
}
