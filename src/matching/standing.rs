//! The state of one order: a fold over its entries that does not depend on how they arrived.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::decide::{Balance, Facts, decide};
use super::evidence::ResidualKind;
use super::input::EntryKind;
use super::policy::Policy;
use super::table::{Entry, Order, Table};
use super::verdict::{Reason, VerdictKind};

/// What has become of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Payments that arrived and count.
    pub(crate) payments: u32,
    /// What arrived, in minor units of the order's currency.
    pub(crate) paid: i64,
    /// What was taken back of it.
    pub(crate) taken_back: i64,
    pub(crate) kind: VerdictKind,
    pub(crate) residual: ResidualKind,
}

/// An order of which nothing has been told.
impl Default for Standing {
    fn default() -> Self {
        Self {
            payments: 0,
            paid: 0,
            taken_back: 0,
            kind: VerdictKind::UnknownOrder,
            residual: ResidualKind::Unpaid,
        }
    }
}

impl Standing {
    pub(crate) fn net(&self) -> i64 {
        self.paid.saturating_sub(self.taken_back)
    }
}

/// An entry of an order, as the fold sees and marks it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    pub(crate) entry: u32,
    /// The part of the entry that is for this order, where it pays several.
    pub(crate) share: Option<i64>,
    /// Whether it is a redelivery of another entry.
    pub(crate) absorbed: bool,
    /// The verdict on the entry.
    pub(crate) kind: VerdictKind,
    /// The line, if any, that has the same content under another id.
    pub(crate) twin: Option<u32>,
    /// The line of the payment that this one takes back or restores.
    pub(crate) parent: Option<u32>,
}

impl Line {
    pub(crate) fn new(entry: u32, absorbed: bool) -> Self {
        Self {
            entry,
            share: None,
            absorbed,
            kind: VerdictKind::Paid,
            twin: None,
            parent: None,
        }
    }
}

/// Sums of one order, wide enough that no number of entries overflows them.
#[derive(Default)]
struct Sums {
    payments: u32,
    paid: i128,
    announced: i128,
    refunded: i128,
    refunds_failed: i128,
    opened: i128,
    won: i128,
    lost: i128,
    reversed: i128,
    after_close: i128,
}

impl Sums {
    /// What is away now. A dispute that is lost was opened before, whether that was told or not.
    fn taken_back(&self) -> i128 {
        let disputed = (self.opened - self.won).max(self.lost).max(0);
        let refunded = (self.refunded - self.refunds_failed).max(0);
        disputed + refunded + self.reversed
    }

    fn net(&self) -> i128 {
        self.paid - self.taken_back()
    }
}

/// Folds the lines of an order, sorts them by time and marks each with its verdict.
pub(crate) fn fold(table: &Table, policy: &Policy, order: &Order, lines: &mut [Line]) -> Standing {
    sort(table, lines);
    find_twins(table, lines);
    if put_extra_last(table, order, lines) {
        find_twins(table, lines);
    }
    find_parents(table, lines);
    judge_repeated(table, lines);
    let settled = Settled::of(table, lines);
    let mut sums = Sums::default();
    let mut converted = false;
    for line in lines.iter_mut().filter(|line| !line.absorbed) {
        line.kind = VerdictKind::Paid;
        let Some(entry) = table.entry(line.entry) else {
            continue;
        };
        let amount = line.share.unwrap_or(entry.amount);
        let Some(amount) = in_currency(policy, entry, order, amount) else {
            line.kind = VerdictKind::WrongCurrency;
            continue;
        };
        converted |= entry.currency != order.currency;
        let amount = i128::from(amount);
        let size = amount.abs();
        match entry.kind {
            EntryKind::Payment => {
                let paid_before = is_paid(policy, order, &sums, size);
                if entry.at > order.closed_at && !paid_before {
                    line.kind = VerdictKind::PaidAfterClose;
                    sums.after_close += amount;
                    continue;
                }
                if paid_before && amount > 0 {
                    line.kind = VerdictKind::DuplicatePayment;
                }
                sums.payments += 1;
                sums.paid += amount;
            }
            EntryKind::PendingPayment if !settled.has(table, entry) => sums.announced += amount,
            EntryKind::PendingPayment | EntryKind::FailedPayment => {}
            EntryKind::Refund => sums.refunded += size,
            EntryKind::FailedRefund => sums.refunds_failed += size,
            EntryKind::DisputeOpened => sums.opened += size,
            EntryKind::DisputeWon => sums.won += size,
            EntryKind::DisputeLost => sums.lost += size,
            EntryKind::Reversal => sums.reversed += size,
        }
    }
    let standing = stand(table, policy, order, lines, &sums, converted);
    for line in lines
        .iter_mut()
        .filter(|line| line.kind == VerdictKind::Paid && !line.absorbed)
    {
        line.kind = standing.kind;
    }
    standing
}

/// Says of each redelivery whether it repeats the entry that counts or contradicts it.
fn judge_repeated(table: &Table, lines: &mut [Line]) {
    for at in 0..lines.len() {
        let Some(line) = lines.get(at).filter(|line| line.absorbed) else {
            continue;
        };
        let repeated = table.entry(line.entry).and_then(|entry| {
            let mut counted = lines.iter().filter(|line| !line.absorbed);
            counted.find_map(|line| {
                let same = |other: &&Entry| {
                    other.kind == entry.kind
                        && other.same_origin(entry)
                        && table.bytes(other.id()) == table.bytes(entry.id())
                };
                let other = table.entry(line.entry).filter(same)?;
                Some(repeated(entry, other))
            })
        });
        if let Some(line) = lines.get_mut(at) {
            line.kind = repeated.unwrap_or(VerdictKind::AlreadyApplied);
        }
    }
}

/// The verdict on an entry that has the name of `counted`: the same again, or another amount.
pub(crate) fn repeated(entry: &Entry, counted: &Entry) -> VerdictKind {
    // What takes back is stated with either sign.
    let is_same = match entry.kind.is_payment() {
        true => entry.amount == counted.amount,
        false => entry.amount.unsigned_abs() == counted.amount.unsigned_abs(),
    };
    if is_same && entry.currency == counted.currency {
        VerdictKind::AlreadyApplied
    } else {
        VerdictKind::Unmatched(Reason::ContradictsCounted)
    }
}

/// The standing of an order that one plain payment paid exactly, as most are. [`fold`] gives the
/// same, and takes longer.
#[inline]
pub(crate) fn paid_at_once(table: &Table, order: &Order, line: &Line) -> Option<Standing> {
    let entry = table.entry(line.entry)?;
    let plain = entry.kind == EntryKind::Payment
        && entry.currency == order.currency
        && entry.at <= order.closed_at
        && order.total == Some(entry.amount)
        && line.share.is_none()
        && !line.absorbed;
    plain.then_some(Standing {
        payments: 1,
        paid: entry.amount,
        taken_back: 0,
        kind: VerdictKind::Paid,
        residual: ResidualKind::Exact,
    })
}

/// Whether the order is paid before a payment of `size` is added. A part no larger than the
/// rounding may complete an order that rounding alone would pass.
fn is_paid(policy: &Policy, order: &Order, sums: &Sums, size: i128) -> bool {
    let rounding = i128::from(policy.rounding_minor.max(0));
    let tolerated = if size > rounding { rounding } else { 0 };
    let enough = |total| sums.net() + tolerated >= i128::from(total);
    sums.payments > 0 && order.total.is_some_and(enough)
}

fn stand(
    table: &Table,
    policy: &Policy,
    order: &Order,
    lines: &[Line],
    sums: &Sums,
    converted: bool,
) -> Standing {
    let net = narrow(sums.net());
    let taken_back = sums.taken_back();
    let residual = classify(table, policy, order, lines, sums, converted);
    let balance = match order.total {
        None => Balance::TotalUnknown,
        Some(total) => match (net.cmp(&total), residual) {
            (Ordering::Equal, _) => Balance::Even,
            (
                _,
                ResidualKind::Rounding
                | ResidualKind::Fee
                | ResidualKind::Interest
                | ResidualKind::Fx,
            ) => Balance::Even,
            (Ordering::Less, _) => Balance::Short,
            (Ordering::Greater, _) => Balance::Excess,
        },
    };
    let kind = decide(&Facts {
        // An order that was paid in time stays paid, whatever came late.
        after_close: sums.after_close > 0 && balance == Balance::Short,
        taken_back: taken_back > 0,
        announced: sums.announced > 0,
        ..Facts::plain(balance)
    });
    Standing {
        payments: sums.payments,
        paid: narrow(sums.paid),
        taken_back: narrow(taken_back),
        kind,
        residual,
    }
}

/// Labels what remains between the total and what arrived.
fn classify(
    table: &Table,
    policy: &Policy,
    order: &Order,
    lines: &[Line],
    sums: &Sums,
    converted: bool,
) -> ResidualKind {
    let (net, taken_back) = (sums.net(), sums.taken_back());
    if taken_back > 0 {
        return if net <= 0 {
            ResidualKind::FullRefund
        } else {
            ResidualKind::PartialRefund
        };
    }
    let Some(total) = order.total.map(i128::from) else {
        return ResidualKind::UnknownTotal;
    };
    let difference = net - total;
    let rounding = i128::from(policy.rounding_minor.max(0));
    match difference {
        0 if sums.payments > 1 => ResidualKind::Split,
        0 => ResidualKind::Exact,
        _ if sums.payments == 0 => ResidualKind::Unpaid,
        _ if difference.abs() <= rounding => ResidualKind::Rounding,
        // Half a unit for each payment is what a conversion can lose.
        _ if converted && difference.abs() <= i128::from(sums.payments) => ResidualKind::Fx,
        ..0 if is_fee(table, policy, lines, total, -difference) => ResidualKind::Fee,
        1.. if is_interest(table, policy, lines, total, difference) => ResidualKind::Interest,
        ..0 => ResidualKind::Under,
        1.. => ResidualKind::Over,
    }
}

/// Whether a single payment lacks exactly the fee of its rail, rounded half up.
fn is_fee(table: &Table, policy: &Policy, lines: &[Line], total: i128, short: i128) -> bool {
    let Some(rail) = single_rail(table, lines) else {
        return false;
    };
    policy.fees.iter().any(|fee| {
        let share = (total * i128::from(fee.basis_points) + 5_000).div_euclid(10_000);
        fee.rail == rail && share + i128::from(fee.fixed_minor) == short
    })
}

/// Whether the excess is within the interest that the rail of a single payment may add.
fn is_interest(table: &Table, policy: &Policy, lines: &[Line], total: i128, excess: i128) -> bool {
    let Some(rail) = single_rail(table, lines) else {
        return false;
    };
    policy.interest.iter().any(|interest| {
        let most = total * i128::from(interest.basis_points_max);
        interest.rail == rail && excess * 10_000 <= most
    })
}

fn single_rail<'t>(table: &'t Table, lines: &[Line]) -> Option<&'t str> {
    let mut payments = lines
        .iter()
        .filter(|line| !line.absorbed)
        .filter_map(|line| table.entry(line.entry))
        .filter(|entry| entry.kind == EntryKind::Payment);
    let only = payments.next()?;
    payments.next().is_none().then(|| table.rail(only.rail))
}

/// The amount in the currency of the order, at the host's rate of that time if they differ.
pub(crate) fn in_currency(
    policy: &Policy,
    entry: &Entry,
    order: &Order,
    amount: i64,
) -> Option<i64> {
    if entry.currency == order.currency {
        return Some(amount);
    }
    let fits = policy.rates.iter().find(|rate| {
        (rate.from, rate.to) == (entry.currency, order.currency)
            && (rate.from_unix..rate.until_unix).contains(&entry.at)
    });
    fits?.convert(amount)
}

/// Puts lines in an order that depends on their content only.
fn sort(table: &Table, lines: &mut [Line]) {
    lines.sort_by(|a, b| match (table.entry(a.entry), table.entry(b.entry)) {
        (Some(one), Some(two)) => a
            .absorbed
            .cmp(&b.absorbed)
            .then_with(|| by_content(table, one, two))
            .then_with(|| a.share.cmp(&b.share)),
        (one, two) => one.is_some().cmp(&two.is_some()),
    });
}

/// An order of entries by their content: time first, then whatever tells them apart.
pub(crate) fn by_content(table: &Table, a: &Entry, b: &Entry) -> Ordering {
    let text = |span: Option<_>| span.map(|span| table.bytes(span));
    // Of two that differ only in how the reference is written, the clean one is the first.
    (a.at, a.kind, b.amount, a.is_noisy())
        .cmp(&(b.at, b.kind, a.amount, b.is_noisy()))
        .then_with(|| table.bytes(a.id()).cmp(table.bytes(b.id())))
        .then_with(|| table.source(a).cmp(table.source(b)))
        .then_with(|| table.account(a).cmp(table.account(b)))
        .then_with(|| a.currency.cmp(&b.currency))
        .then_with(|| text(a.reference()).cmp(&text(b.reference())))
        .then_with(|| text(a.customer()).cmp(&text(b.customer())))
        .then_with(|| text(a.parent()).cmp(&text(b.parent())))
        .then_with(|| table.rail(a.rail).cmp(table.rail(b.rail)))
}

/// Pairs payments of the same content under other ids: the later one names the earlier.
fn find_twins(table: &Table, lines: &mut [Line]) {
    let content = |line: &Line| {
        let entry = table.entry(line.entry).filter(|_| !line.absorbed)?;
        let is_payment = entry.kind == EntryKind::Payment;
        is_payment.then_some((entry.amount, entry.currency, entry.rail))
    };
    let mut payments: Vec<_> = lines
        .iter()
        .zip(0_u32..)
        .filter_map(|(line, at)| content(line).map(|content| (content, at)))
        .collect();
    payments.sort_unstable();
    for line in lines.iter_mut() {
        line.twin = None;
    }
    for same in payments.chunk_by(|a, b| a.0 == b.0) {
        let first = same.first().map(|(_, first)| *first);
        for (_, at) in same.iter().skip(1) {
            if let Some(line) = lines.get_mut(*at as usize) {
                line.twin = first;
            }
        }
    }
}

/// Where the order is paid exactly without one of two twins, puts the later of them behind all
/// else, so that it is the one that finds the order paid.
fn put_extra_last(table: &Table, order: &Order, lines: &mut [Line]) -> bool {
    let payment = |line: &Line| {
        let counts = |entry: &&Entry| {
            entry.kind == EntryKind::Payment && entry.currency == order.currency && !line.absorbed
        };
        let entry = table.entry(line.entry).filter(counts)?;
        Some(i128::from(line.share.unwrap_or(entry.amount)))
    };
    let sum: i128 = lines.iter().filter_map(payment).sum();
    let is_extra = |line: &Line| {
        let amount = payment(line).filter(|_| line.twin.is_some());
        amount
            .zip(order.total)
            .is_some_and(|(amount, total)| sum - amount == i128::from(total))
    };
    let Some(at) = lines.iter().position(is_extra) else {
        return false;
    };
    if let Some(tail) = lines.get_mut(at..) {
        tail.rotate_left(1);
    }
    true
}

/// Leads what takes money back to its payment: by the parent's id, or where none is given to the
/// only payment it can be of.
fn find_parents(table: &Table, lines: &mut [Line]) {
    let of_line = |line: &Line| table.entry(line.entry).copied();
    let is_child = |entry: &Entry| !entry.kind.is_payment();
    if !lines
        .iter()
        .filter_map(of_line)
        .any(|entry| is_child(&entry))
    {
        return;
    }
    let mut by_id: HashMap<&[u8], u32> = HashMap::new();
    let mut by_size: HashMap<u64, Vec<u32>> = HashMap::new();
    let mut payments = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(entry) = table.entry(line.entry).filter(|_| !line.absorbed) else {
            continue;
        };
        if entry.kind == EntryKind::Payment {
            for id in table.other_ids(entry).chain([entry.id()]) {
                by_id.entry(table.bytes(id)).or_insert(at as u32);
            }
            by_size
                .entry(entry.amount.unsigned_abs())
                .or_default()
                .push(at as u32);
            payments.push(at as u32);
        }
    }
    for line in lines.iter_mut() {
        let Some(entry) = table.entry(line.entry).filter(|entry| is_child(entry)) else {
            continue;
        };
        let named = entry
            .parent()
            .and_then(|parent| by_id.get(table.bytes(parent)));
        let same_size = by_size.get(&entry.amount.unsigned_abs());
        line.parent = named
            .copied()
            .or_else(|| same_size.and_then(|lines| only(lines)))
            .or_else(|| only(&payments));
    }
}

fn only(lines: &[u32]) -> Option<u32> {
    match lines {
        [line] => Some(*line),
        _ => None,
    }
}

/// The payments of an order that were announced and have since arrived or failed.
struct Settled<'t>(Vec<&'t [u8]>);

impl<'t> Settled<'t> {
    fn of(table: &'t Table, lines: &[Line]) -> Self {
        let settles =
            |entry: &&Entry| matches!(entry.kind, EntryKind::Payment | EntryKind::FailedPayment);
        let entries = lines.iter().filter_map(|line| table.entry(line.entry));
        let ids = entries.filter(settles).map(|entry| table.bytes(entry.id()));
        let mut ids: Vec<_> = ids.collect();
        ids.sort_unstable();
        Self(ids)
    }

    fn has(&self, table: &Table, entry: &Entry) -> bool {
        self.0.binary_search(&table.bytes(entry.id())).is_ok()
    }
}

fn narrow(sum: i128) -> i64 {
    sum.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

#[cfg(test)]
mod tests;
