//! What came out, counted: for the table on the terminal and for the page.

use std::collections::{BTreeMap, HashMap};

use counterfoil::matching::payout::{
    Day, LineReason, LineVerdict, PayoutMatch, PayoutMatches, PayoutVerdict,
};
use counterfoil::matching::{OrderOutcome, Report, ResidualKind, Verdict};
use counterfoil::money::{Currency, Money};

use crate::input::Input;

/// How many of the largest residuals and of the open cases are shown.
const SHOWN_MAX: usize = 15;

/// What has become of an order, as an accountant sorts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    /// Paid by one payment, exactly or within the rounding that the policy allows.
    Matched,
    /// Paid by several payments.
    Split,
    /// Too little came, or nothing.
    Short,
    /// Too much came.
    Over,
    /// Nothing can be said yet: no total, pending, taken back, another currency.
    Open,
}

impl Group {
    pub(crate) const ALL: [Self; 5] = [
        Self::Matched,
        Self::Split,
        Self::Short,
        Self::Over,
        Self::Open,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::Split => "split",
            Self::Short => "short",
            Self::Over => "over",
            Self::Open => "open",
        }
    }
}

/// A count and the money in it, in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) count: u64,
    pub(crate) minor: i128,
    /// What came less what was owed, of orders.
    pub(crate) difference: i128,
}

impl Tally {
    fn add(&mut self, minor: i64) {
        self.count += 1;
        self.minor += i128::from(minor);
    }

    fn add_order(&mut self, paid: i64, difference: i64) {
        self.add(paid);
        self.difference += i128::from(difference);
    }

    pub(crate) fn add_all(&mut self, other: Self) {
        self.count += other.count;
        self.minor += other.minor;
        self.difference += other.difference;
    }
}

/// One day of orders.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct DayTally {
    pub(crate) groups: [u64; 5],
    pub(crate) over_minor: i128,
    pub(crate) short_minor: i128,
}

/// An order whose payments differ from its total.
#[derive(Debug, Clone)]
pub(crate) struct Difference {
    pub(crate) order: String,
    pub(crate) day: Option<Day>,
    pub(crate) total: Money,
    pub(crate) minor: i64,
    pub(crate) class: String,
}

/// A case that a person decides.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) amount: Money,
    pub(crate) sentence: String,
}

/// Everything counted.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    pub(crate) orders: u64,
    /// Those that count: each once, however many files have it.
    pub(crate) payments: u64,
    /// Payments that other files or rows had already.
    pub(crate) again: u64,
    /// The money of the payments, by currency.
    pub(crate) paid: BTreeMap<&'static str, Tally>,
    /// The orders by class, such as `single_exact`.
    pub(crate) classes: BTreeMap<String, Tally>,
    pub(crate) groups: BTreeMap<Group, Tally>,
    pub(crate) days: BTreeMap<Day, DayTally>,
    /// The largest first.
    pub(crate) differences: Vec<Difference>,
    /// The payments without a certain order, by what is said about them.
    pub(crate) open_payments: BTreeMap<String, Tally>,
    pub(crate) cases: Vec<Case>,
    /// Payments of one order alike in method and amount: the groups, and the payments in them.
    pub(crate) identical: (u64, u64),
    /// Those of them without which their order would be paid exactly.
    pub(crate) suspected: Tally,
    pub(crate) payouts: PayoutTally,
}

/// What came out about payouts.
#[derive(Debug, Default)]
pub(crate) struct PayoutTally {
    pub(crate) payouts: u64,
    pub(crate) closed: u64,
    pub(crate) with_residual: u64,
    pub(crate) open: u64,
    pub(crate) lines: u64,
    pub(crate) placed: u64,
    pub(crate) late: u64,
    pub(crate) lines_open: BTreeMap<LineReason, u64>,
    /// The payouts that do not close, the largest difference first.
    pub(crate) unexplained: Vec<PayoutMatch>,
    /// What was paid out, by currency.
    pub(crate) net: BTreeMap<&'static str, Tally>,
}

/// The class of an order, such as `single_exact` or `split_over`.
pub(crate) fn class(order: &OrderOutcome<'_>) -> String {
    let parts = if order.payments > 1 {
        "split"
    } else {
        "single"
    };
    let judged_by_amount = matches!(
        order.verdict,
        Verdict::Paid
            | Verdict::Underpaid { .. }
            | Verdict::Overpaid { .. }
            | Verdict::Unmatched { .. }
    );
    let kind = match order.residual {
        ResidualKind::Exact | ResidualKind::Split => "exact",
        ResidualKind::Rounding => "rounding",
        ResidualKind::Over => "over",
        ResidualKind::Under => "under",
        ResidualKind::Fee => "fee",
        ResidualKind::Interest => "interest",
        ResidualKind::Fx => "fx",
        ResidualKind::UnknownTotal => return "no_total".to_owned(),
        ResidualKind::Unpaid if judged_by_amount => return "unpaid".to_owned(),
        ResidualKind::FullRefund => return "full_refund".to_owned(),
        ResidualKind::PartialRefund => return "partial_refund".to_owned(),
        _ => return word(&order.verdict),
    };
    if judged_by_amount {
        format!("{parts}_{kind}")
    } else {
        word(&order.verdict)
    }
}

/// The verdict as one word, as it is stored.
pub(crate) fn word(verdict: &Verdict) -> String {
    let stored = serde_json::to_value(verdict).unwrap_or_default();
    let word = stored.get("verdict").and_then(|word| word.as_str());
    word.unwrap_or("open").to_owned()
}

fn group(class: &str, parts: u32) -> Group {
    let kind = class.rsplit_once('_').map_or(class, |(_, kind)| kind);
    match kind {
        "exact" | "rounding" | "fee" | "interest" | "fx" if parts > 1 => Group::Split,
        "exact" | "rounding" | "fee" | "interest" | "fx" => Group::Matched,
        "over" => Group::Over,
        "under" | "unpaid" => Group::Short,
        _ => Group::Open,
    }
}

impl Summary {
    /// Counts the orders and payments.
    pub(crate) fn of(input: &Input, report: &Report<'_>) -> Self {
        let mut summary = Self::default();
        for order in report.orders() {
            if let Some(record) = input.orders.get(order.row) {
                let day = Day::of(record.placed_at, 0);
                summary.order(&order, day, record.total, record.currency);
            }
        }
        summary.differences.sort_by(|a, b| {
            let size = |difference: &Difference| difference.minor.unsigned_abs();
            size(b).cmp(&size(a)).then_with(|| a.order.cmp(&b.order))
        });
        summary.differences.truncate(SHOWN_MAX);
        summary.entries(input, report);
        summary
    }

    fn order(
        &mut self,
        order: &OrderOutcome<'_>,
        day: Option<Day>,
        total: Option<i64>,
        currency: Currency,
    ) {
        let class = class(order);
        let group = group(&class, order.payments);
        let paid = order.paid.minor();
        self.orders += 1;
        let minor = order.difference_minor.unwrap_or(0);
        let in_group = self.groups.entry(group).or_default();
        in_group.add_order(paid, minor);
        let in_class = self.classes.entry(class.clone()).or_default();
        in_class.add_order(paid, minor);
        if let Some(day) = day {
            let tally = self.days.entry(day).or_default();
            let place = Group::ALL.iter().position(|g| *g == group);
            if let Some(count) = place.and_then(|place| tally.groups.get_mut(place)) {
                *count += 1;
            }
            match group {
                Group::Over => tally.over_minor += i128::from(minor),
                Group::Short => tally.short_minor += i128::from(minor),
                _ => {}
            }
        }
        if minor != 0 && matches!(group, Group::Over | Group::Short) {
            self.differences.push(Difference {
                order: order.id.to_owned(),
                day,
                total: Money::new(total.unwrap_or(0), currency),
                minor,
                class,
            });
        }
    }

    fn entries(&mut self, input: &Input, report: &Report<'_>) {
        let mut alike: HashMap<(&str, &str, Money), Vec<usize>> = HashMap::new();
        let mut cases = Vec::new();
        for entry in report.entries() {
            let Some(record) = input.entries.get(entry.row) else {
                continue;
            };
            let is_again = entry.verdict == Verdict::AlreadyApplied;
            if record.kind.is_payment() && is_again {
                self.again += 1;
            }
            if record.kind.is_payment() && !is_again {
                self.payments += 1;
                let code = record.amount.currency().code();
                self.paid
                    .entry(code)
                    .or_default()
                    .add(record.amount.minor());
                if let Some(order) = entry.order {
                    let method = record.method.as_deref().unwrap_or_default();
                    let key = (order, method, record.amount);
                    alike.entry(key).or_default().push(entry.row);
                }
            }
            let needs_a_person = matches!(
                entry.verdict,
                Verdict::UnknownOrder
                    | Verdict::WrongCurrency
                    | Verdict::DuplicatePayment
                    | Verdict::PaidAfterClose
                    | Verdict::Suggested { .. }
                    | Verdict::Ambiguous { .. }
                    | Verdict::Unmatched { .. }
            );
            if needs_a_person {
                let what = match &entry.verdict {
                    Verdict::Unmatched { reason, .. } => reason.to_string(),
                    Verdict::Suggested { .. } => "one order is likely, not certain".to_owned(),
                    Verdict::Ambiguous { .. } => "several orders fit equally well".to_owned(),
                    other => other.to_string(),
                };
                let minor = record.amount.minor();
                self.open_payments.entry(what).or_default().add(minor);
                cases.push((minor.unsigned_abs(), entry.row));
            }
        }
        alike.retain(|_, rows| rows.len() > 1);
        self.identical = (
            alike.len() as u64,
            alike.values().map(|rows| rows.len() as u64).sum(),
        );
        for row in alike.values().flatten() {
            let twin = report.entry_decision(*row).and_then(|d| d.evidence.twin);
            let is_extra = twin.is_some_and(|twin| twin.exact_without);
            if let Some(record) = input.entries.get(*row).filter(|_| is_extra) {
                self.suspected.add(record.amount.minor());
            }
        }
        cases.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        for (_, row) in cases.into_iter().take(SHOWN_MAX) {
            if let (Some(record), Some(decision)) =
                (input.entries.get(row), report.entry_decision(row))
            {
                let order = decision.allocations.first();
                let order = order.map(|known| format!("order {}: ", known.order));
                self.cases.push(Case {
                    id: record.id.clone(),
                    amount: record.amount,
                    sentence: order.unwrap_or_default() + &decision.verdict.to_string(),
                });
            }
        }
    }

    /// Counts the payouts and their lines.
    pub(crate) fn payouts(&mut self, matches: &PayoutMatches) {
        let tally = &mut self.payouts;
        for payout in &matches.payouts {
            tally.payouts += 1;
            match payout.verdict {
                PayoutVerdict::Closed => tally.closed += 1,
                PayoutVerdict::ClosedWithResidual => tally.with_residual += 1,
                _ => tally.open += 1,
            }
            let code = payout.net.currency().code();
            tally.net.entry(code).or_default().add(payout.net.minor());
            if payout.verdict != PayoutVerdict::Closed {
                tally.unexplained.push(payout.clone());
            }
        }
        tally.unexplained.sort_by(|a, b| {
            let size = |payout: &PayoutMatch| payout.difference_minor().unsigned_abs();
            size(b).cmp(&size(a)).then_with(|| a.payout.cmp(&b.payout))
        });
        for line in &matches.lines {
            tally.lines += 1;
            match line.verdict {
                LineVerdict::Open(reason) => *tally.lines_open.entry(reason).or_default() += 1,
                LineVerdict::Late => {
                    tally.late += 1;
                    tally.placed += 1;
                }
                _ => tally.placed += 1,
            }
        }
    }

    /// The orders of all classes that end in `kind`.
    pub(crate) fn of_kind(&self, kind: &str) -> Tally {
        let mut sum = Tally::default();
        for (class, tally) in &self.classes {
            if class == kind || class.rsplit_once('_').is_some_and(|(_, end)| end == kind) {
                sum.add_all(*tally);
            }
        }
        sum
    }

    /// The only currency of the payments. Sums over several would say nothing.
    pub(crate) fn only_currency(&self) -> Option<Currency> {
        self.currency().filter(|_| self.paid.len() == 1)
    }

    /// The currency of most payments, in which sums are shown.
    pub(crate) fn currency(&self) -> Option<Currency> {
        let most = self.paid.iter().max_by_key(|(_, tally)| tally.count)?;
        Currency::from_code(most.0).ok()
    }
}
