//! Suggestions: the best assignment of what no rule could prove, with what it would cost to be
//! wrong.

use super::super::decide::Finding;
use super::super::evidence::Rule;
use super::{Paid, Refusal, Scene};

/// Components with more payments or orders than this are not assigned.
const COMPONENT_MAX: usize = 32;
/// One factor of two in likelihood.
pub(super) const BIT: i64 = 64;
/// What leaving a payment without an order costs, and what no pair may cost more than.
const ALONE: i64 = 20 * BIT;
/// A pair is accepted if every assignment without it is a million times less likely: in effect, if
/// it would leave a payment or an order with nothing.
const PROVEN_MIN: i64 = 20 * BIT;
/// A pair is suggested if every assignment without it is 128 times less likely.
const SUGGESTED_MIN: i64 = 7 * BIT;
const NEVER: i64 = i64::MAX / 4;
const DAY_S: i64 = 86_400;
/// So much later or sooner than whole days is of whole days too.
const LATER_S: i64 = 3_600;
const SOONER_S: i64 = 900;

/// Accepts or suggests pairs of the payments and orders that are left, where one assignment is
/// clearly the best. Says whether it accepted any.
pub(super) fn assign(scene: &mut Scene<'_>) -> bool {
    let mut proven = Vec::new();
    let mut seen = vec![false; scene.payments.len()];
    for start in 0..scene.payments.len() as u32 {
        if !scene.is_left(start) || seen.get(start as usize) == Some(&true) {
            continue;
        }
        let Some((payments, orders)) = component(scene, start) else {
            continue;
        };
        for n in &payments {
            if let Some(seen) = seen.get_mut(*n as usize) {
                *seen = true;
            }
        }
        let costs = Costs::of(scene, &payments, &orders);
        let best = costs.solve(None);
        for (row, n) in payments.iter().enumerate() {
            let pair = best.column_of(row);
            let pair = pair.and_then(|column| Some((column, orders.get(column)?)));
            let Some((column, order)) = pair.filter(|_| !scene.torn.contains(n)) else {
                continue;
            };
            let regret = costs.regret(&best, row, column);
            let Some(payment) = scene.payment(*n).filter(|_| regret >= SUGGESTED_MIN) else {
                continue;
            };
            // Costs are of open orders: one that was closed may explain the payment as well.
            let is_closed = |o: u32| scene.order(o).is_some_and(|o| !o.is_open_at(payment));
            let may_be_late = scene.of_amount(payment).any(is_closed);
            if regret >= PROVEN_MIN && !may_be_late {
                proven.push((*n, *order));
                continue;
            }
            let (mut candidates, _) = scene.ranked(payment);
            candidates.retain(|candidate| candidate != order);
            candidates.insert(0, *order);
            let refusal = Refusal {
                finding: Finding::Suggested,
                considered: candidates.len() as u32,
                candidates,
                rule: Rule::Assignment,
            };
            if let Some(slot) = scene.refused.get_mut(*n as usize) {
                *slot = Some(refusal);
            }
        }
    }
    for (payment, order) in &proven {
        scene.accept(*payment, *order, Rule::Assignment);
    }
    scene.compress();
    !proven.is_empty()
}

/// The payments and orders that compete with each other, directly or through others; nothing if
/// they are too many.
fn component(scene: &Scene<'_>, start: u32) -> Option<(Vec<u32>, Vec<u32>)> {
    let mut payments = vec![start];
    let mut orders: Vec<u32> = Vec::new();
    let mut next = 0;
    while let Some(payment) = payments.get(next).and_then(|n| scene.payment(*n)) {
        next += 1;
        for order in scene.candidates(payment) {
            if orders.contains(&order) {
                continue;
            }
            orders.push(order);
            let rivals = scene.order(order).into_iter().flat_map(|o| scene.rivals(o));
            for rival in rivals {
                if !payments.contains(&rival) {
                    payments.push(rival);
                }
                if payments.len() > COMPONENT_MAX {
                    return None;
                }
            }
            if orders.len() > COMPONENT_MAX {
                return None;
            }
        }
    }
    payments.sort_unstable();
    orders.sort_unstable();
    (!orders.is_empty()).then_some((payments, orders))
}

/// How unlikely it is, in parts of a bit, that a payment comes so long after its order.
pub(super) fn cost(payment: &Paid, apart_s: i64) -> i64 {
    let window = payment.window;
    let distance = apart_s.saturating_abs();
    // A prompt rail thins out from its first hour on; a slow one only after some days.
    if window.prompt_s == 0 {
        return 4 * doublings(distance, window.accept_s / 4);
    }
    let thinned = 2 * doublings(distance, window.prompt_s / 3);
    // What was held for review, or tried again, often comes whole days after its order.
    let of_day = distance.rem_euclid(DAY_S);
    let whole_days = (DAY_S - SOONER_S..=window.accept_s / 2).contains(&distance)
        && (of_day <= LATER_S || of_day >= DAY_S - SOONER_S);
    thinned - if whole_days { 3 * BIT } else { 0 }
}

/// How often a time doubles from `from` on, in parts of a doubling.
fn doublings(time_s: i64, from_s: i64) -> i64 {
    bits_of(1 + i128::from(time_s) * 16 / i128::from(from_s.max(1))).max(4 * BIT) - 4 * BIT
}

/// The logarithm to the base two, in parts of a bit, straight between the powers.
pub(super) fn bits_of(number: i128) -> i64 {
    let whole = number.max(1).ilog2();
    let power = 1_i128 << whole;
    let part = (number.max(1) - power) * i128::from(BIT) / power;
    i64::from(whole) * BIT + i64::try_from(part).unwrap_or(0)
}

/// The cost of each payment with each order, and at the end with nothing.
struct Costs {
    rows: usize,
    columns: usize,
    costs: Vec<i64>,
}

/// An assignment on its way: the row of each column, and the prices that prove it the cheapest.
struct Assignment {
    row_of: Vec<Option<usize>>,
    row_price: Vec<i64>,
    column_price: Vec<i64>,
}

impl Costs {
    fn of(scene: &Scene<'_>, payments: &[u32], orders: &[u32]) -> Self {
        let (rows, columns) = (payments.len(), orders.len() + payments.len());
        let mut costs = Vec::with_capacity(rows * columns);
        for (row, n) in payments.iter().enumerate() {
            let of_payment = scene.payment(*n);
            let possible: Vec<u32> = of_payment
                .map(|payment| scene.candidates(payment).collect())
                .unwrap_or_default();
            for order in orders {
                let pair = of_payment.zip(scene.order(*order));
                let pair = pair.filter(|_| possible.contains(order));
                costs.push(pair.map_or(NEVER, |(payment, owed)| {
                    cost(payment, payment.at.saturating_sub(owed.placed_at)).min(ALONE)
                }));
            }
            costs.extend((0..rows).map(|at| if at == row { ALONE } else { NEVER }));
        }
        Self {
            rows,
            columns,
            costs,
        }
    }

    fn at(&self, row: usize, column: usize, without: Option<(usize, usize)>) -> i64 {
        if without == Some((row, column)) {
            return NEVER;
        }
        let cost = self.costs.get(row * self.columns + column);
        cost.copied().unwrap_or(NEVER)
    }

    /// The assignment of least cost (Kuhn and Munkres, by shortest augmenting paths), if need be
    /// without one pair.
    fn solve(&self, without: Option<(usize, usize)>) -> Assignment {
        let mut best = Assignment {
            row_of: vec![None; self.columns],
            row_price: vec![0; self.rows],
            column_price: vec![0; self.columns],
        };
        for row in 0..self.rows {
            self.augment(&mut best, row, without);
        }
        best
    }

    /// By how much the cheapest assignment without this pair of `best` is dearer.
    fn regret(&self, best: &Assignment, row: usize, column: usize) -> i64 {
        let without = self.solve(Some((row, column)));
        self.total(&without) - self.total(best)
    }

    fn total(&self, assignment: &Assignment) -> i64 {
        let pairs = assignment.row_of.iter().enumerate();
        let cost = |(column, row): (usize, &Option<usize>)| Some(self.at((*row)?, column, None));
        pairs.filter_map(cost).sum()
    }

    /// Gives `start` a column, moving other rows along the shortest path if need be.
    fn augment(&self, to: &mut Assignment, start: usize, without: Option<(usize, usize)>) {
        let mut slack = vec![NEVER; self.columns];
        let mut from: Vec<Option<usize>> = vec![None; self.columns];
        let mut used = vec![false; self.columns];
        let mut row = start;
        let mut reached: Option<usize> = None;
        let end = loop {
            let mut step = NEVER;
            let mut nearest = None;
            let price = to.row_price.get(row).copied().unwrap_or(0);
            let columns = to
                .column_price
                .iter()
                .zip(&mut slack)
                .zip(&mut from)
                .zip(&used);
            for (column, (((column_price, slack), from), used)) in columns.enumerate() {
                if *used {
                    continue;
                }
                let reduced = self.at(row, column, without) - price - column_price;
                if reduced < *slack {
                    *slack = reduced;
                    *from = reached;
                }
                if *slack < step {
                    step = *slack;
                    nearest = Some(column);
                }
            }
            let Some(column) = nearest else {
                break None;
            };
            to.raise(start, step, &used, &mut slack);
            if let Some(used) = used.get_mut(column) {
                *used = true;
            }
            reached = Some(column);
            match to.row_of.get(column).copied().flatten() {
                Some(taken) => row = taken,
                None => break Some(column),
            }
        };
        // Along the path, each column takes the row of the one before it.
        let mut place = end;
        while let Some(column) = place {
            let before = from.get(column).copied().flatten();
            let row = match before {
                Some(before) => to.row_of.get(before).copied().flatten(),
                None => Some(start),
            };
            if let Some(slot) = to.row_of.get_mut(column) {
                *slot = row;
            }
            place = before;
        }
    }
}

impl Assignment {
    fn column_of(&self, row: usize) -> Option<usize> {
        self.row_of.iter().position(|of| *of == Some(row))
    }

    /// Raises the prices of the rows and columns that the path has reached.
    fn raise(&mut self, start: usize, step: i64, used: &[bool], slack: &mut [i64]) {
        if let Some(price) = self.row_price.get_mut(start) {
            *price += step;
        }
        let columns = self.row_of.iter().zip(&mut self.column_price);
        for (((of, column_price), used), slack) in columns.zip(used).zip(slack) {
            if !*used {
                *slack -= step;
                continue;
            }
            if let Some(price) = of.and_then(|of| self.row_price.get_mut(of)) {
                *price += step;
            }
            *column_price -= step;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cheapest_assignment_is_found() {
        // Each row with its own way out at the end costs 50.
        let costs = |cells: [[i64; 2]; 2]| Costs {
            rows: 2,
            columns: 4,
            costs: vec![
                cells[0][0],
                cells[0][1],
                50,
                NEVER,
                cells[1][0],
                cells[1][1],
                NEVER,
                50,
            ],
        };
        let crossed = costs([[1, 2], [2, 40]]);
        let best = crossed.solve(None);
        assert_eq!((best.column_of(0), best.column_of(1)), (Some(1), Some(0)));
        assert_eq!((crossed.total(&best), crossed.regret(&best, 0, 1)), (4, 37));
        let none = costs([[NEVER, NEVER], [3, 4]]);
        let alone = none.solve(None);
        assert_eq!((none.total(&alone), alone.column_of(0)), (53, Some(2)));
        assert_eq!(none.regret(&alone, 1, 0), 1);
    }

    /// What the cheapest assignment costs, by trying all of them.
    fn least(costs: &Costs, row: usize, taken: &mut Vec<usize>, without: (usize, usize)) -> i64 {
        if row == costs.rows {
            return 0;
        }
        let mut least = NEVER;
        for column in 0..costs.columns {
            let here = costs.at(row, column, Some(without));
            if here < NEVER && !taken.contains(&column) {
                taken.push(column);
                least = least.min(here + self::least(costs, row + 1, taken, without));
                taken.pop();
            }
        }
        least
    }

    #[test]
    fn no_assignment_is_cheaper_and_each_pair_is_worth_its_regret() {
        const NONE: (usize, usize) = (usize::MAX, usize::MAX);
        for seed in 0..2_000 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let (rows, orders) = (rng.usize(1..=4), rng.usize(1..=4));
            let columns = orders + rows;
            let mut cells = Vec::new();
            for row in 0..rows {
                cells.extend((0..orders).map(|_| match rng.u8(0..4) {
                    0 => NEVER,
                    // Below zero, as what comes whole days later may be, and often equal.
                    _ => rng.i64(-3..=20),
                }));
                cells.extend((0..rows).map(|at| if at == row { 20 } else { NEVER }));
            }
            let costs = Costs {
                rows,
                columns,
                costs: cells,
            };
            let best = costs.solve(None);
            let cheapest = least(&costs, 0, &mut Vec::new(), NONE);
            assert_eq!(costs.total(&best), cheapest, "seed {seed}");
            for row in 0..rows {
                let placed = best.row_of.iter().filter(|of| **of == Some(row)).count();
                assert_eq!(placed, 1, "seed {seed}: row {row}");
                let Some(column) = best.column_of(row).filter(|column| *column < orders) else {
                    continue;
                };
                let dearer = least(&costs, 0, &mut Vec::new(), (row, column)) - cheapest;
                assert_eq!(
                    costs.regret(&best, row, column),
                    dearer,
                    "seed {seed}: row {row}"
                );
            }
        }
    }

    #[test]
    fn a_delay_costs_the_more_the_longer_it_is_unless_it_is_of_whole_days() {
        let payment = |days: u32, slow: bool| {
            let window = crate::matching::policy::Window::days(days, 30);
            Paid {
                row: 0,
                at: 0,
                until: 0,
                customer: None,
                currency: crate::money::Currency::EUR,
                amount: 1,
                rail: 0,
                window: if slow { window.slow() } else { window },
            }
        };
        // Two parts of a bit for each doubling beyond an hour.
        for (apart, expected) in [
            (0, 0),
            (600, 0),
            (3_600, 8),
            (-3_600, 8),
            (7_200, 132),
            (72_000, 544),
            (85_499, 574),
            (85_500, 574 - 192),
            (86_400, 576 - 192),
            (90_000, 584 - 192),
            (90_001, 584),
        ] {
            assert_eq!(cost(&payment(7, false), apart), expected, "{apart}");
        }
        // Whole days are looked for in the first half of the window.
        let of_four = payment(4, false);
        assert_eq!(cost(&of_four, 172_801) - cost(&of_four, 172_800), 192);
        // A slow rail thins out from a quarter of its window on, and then twice as fast.
        let slow = payment(8, true);
        for (apart, expected) in [(0, 0), (86_400, 0), (172_800, 16), (345_600, 264)] {
            assert_eq!(cost(&slow, apart), expected, "{apart}");
        }
    }

    #[test]
    fn bits_grow_with_the_power() {
        assert_eq!(bits_of(1), 0);
        assert_eq!(bits_of(8), 3 * BIT);
        assert_eq!(bits_of(12), 3 * BIT + BIT / 2);
    }
}
