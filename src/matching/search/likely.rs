//! Which orders a refused payment may be for, the likeliest first.
//!
//! Each order is given what speaks against it, in parts of a bit: the delay, what the difference
//! of the amounts would have to mean, and that another payment fits the order better.

use std::collections::HashMap;

use super::assign::BIT;
use super::delay::Delays;
use super::{Owed, Paid, Scene};

/// More candidates than this are not told apart.
pub(super) const CANDIDATES_MAX: usize = 64;
/// How many orders a payment is given.
pub(super) const LIKELY_MAX: usize = 8;
/// Of the payments at one instant, so many are tried as parts of one order.
const PARTS_TRIED_MAX: usize = 16;
/// So many others may make up an order together with a payment.
const OTHER_PARTS_MAX: usize = 3;
/// What the parts of one order may be off by, in minor units: each may be rounded.
const ROUNDING_MAX: i64 = 1;
/// That another payment fits the order better speaks at most so much against it.
const WANTED_MAX: i64 = 3 * BIT;

/// The payments and orders that are left, with what of them is needed for every payment.
pub(super) struct Likely<'s, 'a> {
    scene: &'s Scene<'a>,
    delays: Delays,
    /// Orders that may still take money, by time.
    open: Vec<u32>,
    /// Payments that are left, by time.
    left: Vec<u32>,
    /// When orders of unknown total were paid.
    paid_at: HashMap<u32, Vec<i64>>,
    /// Orders whose exact amount some payment left has.
    has_rival: Vec<bool>,
}

impl<'s, 'a> Likely<'s, 'a> {
    pub(super) fn new(scene: &'s Scene<'a>) -> Self {
        // Nobody knows when an order of unknown total is paid in full, so that it stays open.
        let unknown = |n: u32| scene.order(n).is_some_and(|o| o.open.is_none());
        let open: Vec<u32> = (0..scene.orders.len() as u32)
            .filter(|n| scene.is_open(*n) || unknown(*n))
            .collect();
        let mut paid_at: HashMap<u32, Vec<i64>> = HashMap::new();
        for (payment, matched) in scene.payments.iter().zip(&scene.matched) {
            if let Some((order, _)) = matched.filter(|(order, _)| unknown(*order)) {
                paid_at.entry(order).or_default().push(payment.at);
            }
        }
        let mut has_rival = vec![false; scene.orders.len()];
        for n in &open {
            let rival = scene.order(*n).and_then(|o| scene.rivals(o).next());
            if let Some(slot) = has_rival.get_mut(*n as usize) {
                *slot = rival.is_some();
            }
        }
        Self {
            scene,
            delays: Delays::learn(scene),
            open,
            left: (0..scene.payments.len() as u32)
                .filter(|n| scene.is_left(*n))
                .collect(),
            paid_at,
            has_rival,
        }
    }

    /// Orders that may still take money, by time.
    pub(super) fn open(&self) -> &[u32] {
        &self.open
    }

    /// The likeliest orders of every payment that is left.
    pub(super) fn orders(&self) -> HashMap<u32, Vec<u32>> {
        let weighed: Vec<(u32, Vec<Weighed>)> = self
            .left
            .iter()
            .filter_map(|n| Some((*n, self.weigh(*n, self.scene.payment(*n)?))))
            .collect();
        let mut wanted: HashMap<u32, Wanted> = HashMap::new();
        for (n, orders) in &weighed {
            for weighed in orders {
                wanted
                    .entry(weighed.order)
                    .or_default()
                    .add(*n, weighed.against);
            }
        }
        let mut orders = HashMap::new();
        for (n, mut of_payment) in weighed {
            for weighed in &mut of_payment {
                let other = wanted.get(&weighed.order).and_then(|w| w.by_another(n));
                let better = other.map_or(0, |other| weighed.against - other);
                weighed.against += better.clamp(0, WANTED_MAX);
            }
            of_payment.sort_unstable();
            of_payment.truncate(LIKELY_MAX);
            orders.insert(n, of_payment.iter().map(|w| w.order).collect());
        }
        orders
    }

    /// The orders that a payment may be for, with what speaks against each.
    fn weigh(&self, n: u32, payment: &Paid) -> Vec<Weighed> {
        let parts = self.parts(n, payment);
        let mut orders = self.around(payment);
        for part in &parts {
            let amount = payment.amount.saturating_add(part.amount);
            let together = Paid { amount, ..*payment };
            orders.extend(self.scene.candidates(&together).take(LIKELY_MAX));
        }
        orders.sort_unstable();
        orders.dedup();
        let weighed = orders.into_iter().filter_map(|order| {
            let owed = self.scene.order(order)?;
            let apart = payment.at.saturating_sub(owed.placed_at);
            let misfit = self.misfit(order, owed, payment, &parts)?;
            Some(Weighed {
                against: self.delays.cost(payment, apart) + misfit,
                apart: apart.saturating_abs(),
                order,
            })
        });
        weighed.collect()
    }

    /// The orders of the payment's amount and of its customer, and the last that were placed
    /// before it.
    fn around(&self, payment: &Paid) -> Vec<u32> {
        let (mut orders, _) = self.scene.ranked(payment);
        if orders.is_empty() {
            let sum = (payment.currency, payment.amount);
            let ever = self.scene.by_amount.from(&sum, 0);
            orders.extend(ever.take(CANDIDATES_MAX));
        }
        let place = |order: &u32| !self.scene.is_after(*order, payment);
        let before = self.open.get(..self.open.partition_point(place));
        let last = before.unwrap_or_default().iter().rev();
        orders.extend(last.take(CANDIDATES_MAX));
        orders.retain(|n| {
            let owed = self.scene.order(*n).filter(|_| place(n));
            owed.is_some_and(|o| {
                o.currency == payment.currency && !contradict(o.customer, payment.customer)
            })
        });
        orders
    }

    /// The other payments left that may be parts of the same order.
    fn parts(&self, n: u32, payment: &Paid) -> Vec<&Paid> {
        let apart = i64::from(self.scene.policy.split_apart_s);
        let (from, until) = (
            payment.at.saturating_sub(apart),
            payment.at.saturating_add(apart),
        );
        let at = |n: &u32| self.scene.payment(*n).map_or(i64::MIN, |p| p.at);
        let first = self.left.partition_point(|n| at(n) < from);
        let near = self.left.iter().skip(first).take_while(|n| at(n) <= until);
        near.filter(|other| **other != n)
            .filter_map(|other| self.scene.payment(*other))
            .filter(|p| p.currency == payment.currency && !contradict(p.customer, payment.customer))
            .take(PARTS_TRIED_MAX)
            .collect()
    }

    /// How unlikely it is, in parts of a bit, that the payment is for the order in spite of its
    /// amount; `None` if it cannot be.
    fn misfit(&self, order: u32, owed: &Owed, payment: &Paid, parts: &[&Paid]) -> Option<i64> {
        let Some(open) = owed.open else {
            return Some(self.misfit_of_unknown(order, payment));
        };
        let difference = i128::from(payment.amount) - i128::from(open);
        let means = match difference {
            0 => return Some(0),
            ..0 if completes(owed, open.saturating_sub(payment.amount), parts) => Some(7 * BIT),
            _ => in_spite_of(difference, i128::from(open)),
        };
        let same_customer = owed.customer.is_some() && owed.customer == payment.customer;
        // Even if far too large, it is by the same customer.
        let means = means.or(same_customer.then_some(14 * BIT))?;
        // Another payment of the exact amount is sooner for this order.
        let rival = self.has_rival.get(order as usize) == Some(&true);
        Some(means + if rival { 3 * BIT } else { 0 })
    }

    /// An order of unknown total may be paid by any amount, but its parts are paid at one time.
    fn misfit_of_unknown(&self, order: u32, payment: &Paid) -> i64 {
        let apart = self.scene.policy.split_apart_s;
        match self.paid_at.get(&order) {
            None => 13 * BIT,
            Some(paid)
                if paid
                    .iter()
                    .any(|at| at.abs_diff(payment.at) <= apart.into()) =>
            {
                16 * BIT
            }
            Some(_) => 30 * BIT,
        }
    }
}

/// An order that a payment may be for. The least is the likeliest.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Weighed {
    /// What speaks against it, in parts of a bit.
    against: i64,
    /// Seconds between the two.
    apart: i64,
    order: u32,
}

/// The two payments that an order fits best: what speaks against each, the least first.
#[derive(Default)]
struct Wanted(Vec<(i64, u32)>);

impl Wanted {
    fn add(&mut self, payment: u32, against: i64) {
        self.0.push((against, payment));
        self.0.sort_unstable();
        self.0.truncate(2);
    }

    /// What speaks against the best other payment.
    fn by_another(&self, payment: u32) -> Option<i64> {
        let another = self.0.iter().find(|(_, n)| *n != payment);
        another.map(|(against, _)| *against)
    }
}

/// Whether both are known and differ.
fn contradict(a: Option<u32>, b: Option<u32>) -> bool {
    a.is_some() && b.is_some() && a != b
}

/// Whether a few of `parts` make up what the order misses, but for rounding: alone, or together
/// with all that the order's customer paid at the time.
fn completes(owed: &Owed, missing: i64, parts: &[&Paid]) -> bool {
    let is_own = |p: &&&Paid| owed.customer.is_some() && p.customer == owed.customer;
    let own: i64 = parts.iter().filter(is_own).map(|p| p.amount).sum();
    let of_nobody = parts.iter().filter(|p| p.customer.is_none());
    let of_nobody: Vec<i64> = of_nobody.map(|p| p.amount).collect();
    if own > 0 && is_sum(&of_nobody, missing.saturating_sub(own), OTHER_PARTS_MAX) {
        return true;
    }
    let amounts: Vec<i64> = parts
        .iter()
        .filter(|p| !contradict(p.customer, owed.customer))
        .map(|p| p.amount)
        .collect();
    missing > ROUNDING_MAX && is_sum(&amounts, missing, OTHER_PARTS_MAX)
}

/// Whether at most `count` of `amounts` add up to `sum`, but for rounding.
fn is_sum(amounts: &[i64], sum: i64, count: usize) -> bool {
    if sum.abs() <= ROUNDING_MAX {
        return true;
    }
    count > 0
        && amounts.iter().enumerate().any(|(at, amount)| {
            let rest = amounts.get(at + 1..).unwrap_or_default();
            let left = sum.saturating_sub(*amount);
            left >= -ROUNDING_MAX && is_sum(rest, left, count - 1)
        })
}

/// How unlikely a difference is, in parts of a bit, by what it would have to mean.
fn in_spite_of(difference: i128, open: i128) -> Option<i64> {
    match difference {
        _ if difference.abs() * 200 <= open => Some(8 * BIT), // rounding
        1.. if difference * 5 <= open => Some(15 * BIT),      // interest
        1.. if difference * 3 <= open => Some(18 * BIT),      // interest of many instalments
        1.. => None,
        _ => Some(20 * BIT), // a part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_parts_make_a_sum() {
        let amounts = [2_000, 650, 2_000, 178];
        assert!(is_sum(&amounts, 650, 1));
        assert!(is_sum(&amounts, 4_650, 3));
        assert!(is_sum(&amounts, 4_651, 3), "each part may be rounded");
        assert!(!is_sum(&amounts, 4_650, 2));
        assert!(!is_sum(&amounts, 6_000, 3), "no amount is used twice");
        assert!(!is_sum(&[], 2, 3));
    }

    #[test]
    fn the_best_other_payment_is_known_of_each() {
        let mut wanted = Wanted::default();
        assert_eq!(wanted.by_another(1), None);
        for (payment, against) in [(1, 30), (2, 10), (3, 20)] {
            wanted.add(payment, against);
        }
        assert_eq!(wanted.by_another(2), Some(20));
        assert_eq!(wanted.by_another(3), Some(10));
    }

    #[test]
    fn a_difference_is_as_unlikely_as_what_it_would_have_to_mean() {
        let rounding = Some(8 * 64);
        let interest = Some(15 * 64);
        let much = Some(18 * 64);
        let part = Some(20 * 64);
        for (difference, meaning) in [
            (50, rounding),
            (51, interest),
            (2_000, interest),
            (2_001, much),
            (3_333, much),
            (3_334, None),
            (-50, rounding),
            (-51, part),
            (-9_999, part),
        ] {
            assert_eq!(in_spite_of(difference, 10_000), meaning, "{difference}");
        }
    }

    fn paid(customer: Option<u32>, amount: i64) -> Paid {
        Paid {
            row: 0,
            at: 0,
            until: 0,
            customer,
            currency: crate::money::Currency::EUR,
            amount,
            rail: 0,
            window: crate::matching::policy::Policy::default().default_window,
        }
    }

    #[test]
    fn parts_complete_an_order_alone_or_with_all_that_its_customer_paid() {
        let completes = |customer: Option<u32>, missing: i64, parts: &[(Option<u32>, i64)]| {
            let owed = Owed {
                row: 0,
                placed_at: 0,
                closed_at: i64::MAX,
                customer,
                currency: crate::money::Currency::EUR,
                open: Some(missing),
            };
            let parts: Vec<Paid> = parts.iter().map(|(c, amount)| paid(*c, *amount)).collect();
            completes(&owed, missing, &parts.iter().collect::<Vec<_>>())
        };
        let (own, other, nobody) = (Some(1), Some(2), None);
        assert!(completes(own, 500, &[(own, 500)]));
        assert!(
            completes(own, 500, &[(own, 300), (nobody, 199)]),
            "but for rounding"
        );
        assert!(!completes(own, 500, &[(own, 300), (nobody, 198)]));
        assert!(!completes(own, 500, &[(other, 500)]));
        assert!(!completes(own, 500, &[(own, 300), (other, 200)]));
        // Of a customer all count, even more than are tried as parts otherwise.
        let many = [
            (own, 100),
            (own, 100),
            (own, 100),
            (own, 100),
            (nobody, 100),
        ];
        assert!(completes(own, 500, &many));
        assert!(!completes(nobody, 500, &many), "five parts are too many");
        assert!(completes(nobody, 300, &many));
        // Nobody's parts are not all of one payer.
        assert!(!completes(nobody, 500, &[(nobody, 100); 5]));
        assert!(!completes(own, 500, &[(nobody, 100); 5]));
        // What lacks no more than rounding is no part of anything.
        assert!(!completes(nobody, 1, &[]));
        assert!(completes(nobody, 2, &[(nobody, 1)]));
        assert!(!completes(own, 500, &[]));
    }
}
