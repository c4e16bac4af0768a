//! The rules, from the surest to the least sure, each until it finds nothing more.

use super::super::evidence::Rule;
use super::likely::CANDIDATES_MAX;
use super::sums::{self, Sum};
use super::{Owed, Paid, Scene, assign, refuse};

/// A rule passes over the payments at most this often.
const PASSES_MAX: usize = 64;
/// Of a prompt payment, every rival must be this far, in seconds.
const FAR_FROM_PROMPT_S: i64 = DAY_S;
/// Of a slower one, every rival must be this far and this many times as far.
const FAR_S: i64 = 3 * DAY_S;
const FAR_TIMES: i64 = 6;
/// Beyond this a payment is near to nothing.
const NEAR_S: i64 = DAY_S;
const DAY_S: i64 = 86_400;

/// Runs all rules until none of them finds anything more, then judges what is left.
pub(super) fn run(scene: &mut Scene<'_>) {
    loop {
        let surest = [
            to_fix_point(scene, by_customer_amount),
            split_of_customer(scene),
            to_fix_point(scene, by_amount_window),
            many_orders(scene),
        ];
        if surest.contains(&true) {
            continue;
        }
        let less_sure = [
            split_of_nobody(scene),
            to_fix_point(scene, by_nearness),
            to_fix_point(scene, by_customer_only),
        ];
        if !less_sure.contains(&true) && !assign::assign(scene) {
            break;
        }
    }
    refuse::refuse_rest(scene);
}

type RulePair = fn(&Scene<'_>, u32, &Paid) -> Option<(u32, Rule)>;

/// Applies a rule to all payments, forwards and backwards in time, until it accepts none. What is
/// accepted takes nothing from the other pairs that the rule accepts, so that the order in which
/// payments are looked at decides nothing; it only makes long chains short. Says whether it accepted
/// any.
fn to_fix_point(scene: &mut Scene<'_>, rule: RulePair) -> bool {
    let mut any = false;
    for pass in 0..PASSES_MAX {
        let mut left: Vec<u32> = (0..scene.payments.len() as u32)
            .filter(|n| scene.is_left(*n))
            .collect();
        if pass % 2 == 1 {
            left.reverse();
        }
        let mut accepted = Vec::new();
        for n in left {
            let found = scene.payment(n).and_then(|payment| rule(scene, n, payment));
            if let Some((order, rule)) = found {
                scene.accept(n, order, rule);
                accepted.push(order);
            }
        }
        // An order of unknown total takes all its parts at one time and nothing after.
        accepted.iter().for_each(|order| scene.close(*order));
        scene.compress();
        if accepted.is_empty() {
            break;
        }
        any = true;
    }
    any
}

/// The same customer and the amount that is open, the only pair within the guard window.
fn by_customer_amount(scene: &Scene<'_>, n: u32, payment: &Paid) -> Option<(u32, Rule)> {
    let customer = payment.customer?;
    let window = scene.policy.customer_window;
    let sum = (payment.currency, payment.amount);
    let first = scene.first_order(payment.at.saturating_sub(window.guard_s));
    let orders = scene.by_customer_amount.from(&(customer, sum), first);
    let order = only(orders.take_while(|o| !scene.is_after(*o, payment)))?;
    let owed = scene.order(order)?;
    let mut unknown = scene.unknown_by_customer.from(&customer, first);
    let unknown = unknown.next().is_some();
    let first = scene.first_payment(owed.placed_at.saturating_sub(payment.window.before_s));
    let until = owed.placed_at.saturating_add(window.guard_s);
    let rivals = scene.paid_by_customer_amount.from(&(customer, sum), first);
    let rival = rivals
        .take_while(|r| scene.payment(*r).is_some_and(|r| r.at <= until))
        .any(|rival| rival != n);
    let in_time = payment.at.saturating_sub(owed.placed_at) <= window.accept_s;
    let accepted = in_time && !unknown && !rival && payment.at <= owed.closed_at;
    accepted.then_some((order, Rule::CustomerAmount))
}

/// The amount within the rail's window, the only pair within its guard window.
fn by_amount_window(scene: &Scene<'_>, n: u32, payment: &Paid) -> Option<(u32, Rule)> {
    let order = only(scene.of_amount(payment)).filter(|_| !scene.torn.contains(&n))?;
    let owed = scene.order(order).filter(|owed| owed.is_open_at(payment))?;
    let in_time = payment.at.saturating_sub(owed.placed_at) <= payment.window.accept_s;
    let accepted = in_time && only(scene.rivals(owed)) == Some(n);
    accepted.then_some((order, Rule::AmountWindow))
}

/// The amount, with one order near in time and every rival far, on both sides.
fn by_nearness(scene: &Scene<'_>, n: u32, payment: &Paid) -> Option<(u32, Rule)> {
    if scene.torn.contains(&n) {
        return None;
    }
    let orders: Vec<u32> = scene.of_amount(payment).take(CANDIDATES_MAX).collect();
    let order = nearest(&orders, payment.window.prompt_s, |o| {
        scene
            .order(o)
            .map(|o| payment.at.saturating_sub(o.placed_at))
    })?;
    let owed = scene.order(order).filter(|owed| owed.is_open_at(payment))?;
    let payments: Vec<u32> = scene.rivals(owed).take(CANDIDATES_MAX).collect();
    let back = nearest(&payments, payment.window.prompt_s, |p| {
        scene
            .payment(p)
            .map(|p| p.at.saturating_sub(owed.placed_at))
    });
    let in_time = payment.at.saturating_sub(owed.placed_at) <= payment.window.accept_s;
    (in_time && back == Some(n)).then_some((order, Rule::NearestInTime))
}

/// The nearest, if every other is far.
fn nearest(all: &[u32], prompt_s: i64, apart: impl Fn(u32) -> Option<i64>) -> Option<u32> {
    if all.len() >= CANDIDATES_MAX {
        return None;
    }
    let distance = |n: u32| apart(n).map_or(0, i64::saturating_abs);
    let near = all.iter().copied().min_by_key(|n| distance(*n))?;
    let far = match distance(near) {
        prompt if prompt < prompt_s => FAR_FROM_PROMPT_S,
        slow if slow <= NEAR_S => slow.saturating_mul(FAR_TIMES).max(FAR_S),
        _ => return None,
    };
    let dominates = all.iter().all(|n| *n == near || distance(*n) >= far);
    dominates.then_some(near)
}

/// The customer's only open order, with a difference that the evidence shows.
fn by_customer_only(scene: &Scene<'_>, _: u32, payment: &Paid) -> Option<(u32, Rule)> {
    let customer = payment.customer?;
    let guard = scene.policy.customer_window.guard_s;
    let first = scene.first_order(payment.at.saturating_sub(guard));
    let orders = scene.by_customer.from(&customer, first);
    let order = only(orders.take_while(|o| !scene.is_after(*o, payment)))?;
    let owed = scene.order(order)?;
    let accept = scene.policy.customer_window.accept_s;
    let in_time = payment.at.saturating_sub(owed.placed_at) <= accept
        && payment.at <= owed.closed_at
        && payment.currency == owed.currency;
    let first = scene.first_payment(owed.placed_at.saturating_sub(payment.window.before_s));
    let until = owed.placed_at.saturating_add(guard);
    let paid = scene.paid_by_customer.from(&customer, first);
    let paid = paid.take_while(|p| scene.payment(*p).is_some_and(|p| p.at <= until));
    let Some(open) = owed.open else {
        // Parts are paid at one time. Another payment later is sooner for another order, and of
        // two that are equal one may be paid twice.
        let apart = i64::from(scene.policy.split_apart_s);
        let near = |p: &Paid| p.at.abs_diff(payment.at) <= apart.unsigned_abs();
        let mut amounts = std::collections::HashSet::new();
        let part = |p: &Paid| amounts.len() < CANDIDATES_MAX && near(p) && amounts.insert(p.amount);
        let parts = paid.filter_map(|p| scene.payment(p)).all(part);
        return (in_time && parts).then_some((order, Rule::CustomerOnly));
    };
    // Two payments of the customer that differ from the order are a puzzle, not a difference.
    let alone = only(paid);
    let exact_elsewhere = scene.rivals(owed).next().is_some();
    // Interest and rounding: a fifth above, a twentieth below.
    let difference = i128::from(payment.amount) - i128::from(open);
    let small = difference * 20 >= -i128::from(open) && difference * 5 <= i128::from(open);
    let accepted = in_time && small && alone.is_some() && !exact_elsewhere;
    accepted.then_some((order, Rule::CustomerOnly))
}

/// The parts of one order, at least one of them by its customer.
fn split_of_customer(scene: &mut Scene<'_>) -> bool {
    let mut solutions = Vec::new();
    for n in (0..scene.payments.len() as u32).filter(|n| scene.is_left(*n)) {
        let Some(payment) = scene.payment(n) else {
            continue;
        };
        let Some(customer) = payment.customer else {
            continue;
        };
        let own = parts_of_customer(scene, customer, payment);
        // The earliest of the parts speaks for all.
        if own.first() != Some(&n) {
            continue;
        }
        let orders = open_orders(scene, customer, payment);
        let mut found = Vec::new();
        let mut sure = true;
        for order in &orders {
            match complete(scene, *order, &own, orders.len() == 1) {
                Sum::None => {}
                Sum::Unique(parts) => {
                    let parts: Vec<u32> = parts.into_iter().map(|part| part as u32).collect();
                    found.push((*order, parts));
                }
                _ => sure = false,
            }
        }
        if sure {
            solutions.extend(found);
        }
    }
    // A part that is the whole amount of some order has two explanations.
    let whole = |scene: &Scene<'_>, n: &u32| {
        let payment = scene.payment(*n).filter(|p| p.customer.is_none());
        payment.is_some_and(|p| scene.candidates(p).next().is_some())
    };
    let torn = solutions.iter().flat_map(|(_, parts)| parts);
    scene.torn = torn.copied().filter(|n| whole(scene, n)).collect();
    accept_splits(scene, solutions, |scene, _, parts| {
        !parts.iter().any(|n| scene.torn.contains(n))
    })
}

/// The payments of a customer that are left, from `payment` on and no further apart than parts
/// of one order are; none if there is one before.
fn parts_of_customer(scene: &Scene<'_>, customer: u32, payment: &Paid) -> Vec<u32> {
    let apart = i64::from(scene.policy.split_apart_s);
    let first = scene.first_payment(payment.at.saturating_sub(apart));
    let until = payment.at.saturating_add(apart);
    scene
        .paid_by_customer
        .from(&customer, first)
        .take_while(|p| scene.payment(*p).is_some_and(|p| p.at <= until))
        .filter(|p| {
            scene
                .payment(*p)
                .is_some_and(|p| p.currency == payment.currency)
        })
        .take(CANDIDATES_MAX)
        .collect()
}

/// The open orders of a customer that a payment may be a part of. None at all if one of unknown
/// total is among them, since it would take any part.
fn open_orders(scene: &Scene<'_>, customer: u32, payment: &Paid) -> Vec<u32> {
    let first = scene.first_order(payment.at.saturating_sub(payment.window.guard_s));
    let orders: Vec<u32> = scene
        .by_customer
        .from(&customer, first)
        .take_while(|o| !scene.is_after(*o, payment))
        .take(CANDIDATES_MAX)
        .collect();
    let open = |o: &u32| scene.order(*o).and_then(|o| o.open);
    let usable = orders.len() < CANDIDATES_MAX && orders.iter().all(|o| open(o).is_some());
    if usable { orders } else { Vec::new() }
}

/// Looks for the parts that make up an order: the customer's own, and others of no customer. All
/// of the customer's belong to it if it is the `only_order`.
fn complete(scene: &Scene<'_>, order: u32, own: &[u32], only_order: bool) -> Sum {
    let Some((owed, open)) = scene.order(order).and_then(|o| Some((o, o.open?))) else {
        return Sum::None;
    };
    let amount = |n: &u32| scene.payment(*n).map_or(0, |p| p.amount);
    let same = |n: &u32| {
        scene
            .payment(*n)
            .is_some_and(|p| p.currency == owed.currency)
    };
    if !own.iter().all(same) {
        return Sum::None;
    }
    let given: i128 = own.iter().map(|n| i128::from(amount(n))).sum();
    let sure: &[u32] = if only_order && given <= i128::from(open) {
        own
    } else {
        &[]
    };
    let given = if sure.is_empty() { 0 } else { given };
    let missing = i64::try_from(i128::from(open) - given).unwrap_or(0);
    let mut pool: Vec<u32> = if sure.is_empty() {
        own.to_vec()
    } else {
        Vec::new()
    };
    pool.extend(parts_of_nobody(scene, owed, own, missing));
    let amounts: Vec<i64> = pool.iter().map(amount).collect();
    let rest = sums::find(&amounts, missing, scene.policy.sum_steps_max);
    let Sum::Unique(set) = rest else { return rest };
    let chosen = set.iter().filter_map(|at| pool.get(*at));
    let parts: Vec<usize> = sure.iter().chain(chosen).map(|n| *n as usize).collect();
    let of_customer = parts.iter().any(|part| own.contains(&(*part as u32)));
    // One payment of the whole amount is no split, and is judged by its own rule.
    if parts.len() < 2 || !of_customer {
        return Sum::None;
    }
    Sum::Unique(parts)
}

/// The payments of no customer that are near all of `own` and no larger than what is missing.
fn parts_of_nobody(scene: &Scene<'_>, owed: &Owed, own: &[u32], missing: i64) -> Vec<u32> {
    let apart = i64::from(scene.policy.split_apart_s);
    let times = || own.iter().filter_map(|n| scene.payment(*n)).map(|p| p.at);
    let (Some(earliest), Some(latest)) = (times().min(), times().max()) else {
        return Vec::new();
    };
    let first = scene.first_payment(latest.saturating_sub(apart));
    let until = earliest.saturating_add(apart);
    let part = |p: &Paid| {
        p.currency == owed.currency
            && p.amount <= missing
            && p.until >= owed.placed_at.saturating_sub(p.window.before_s)
    };
    scene
        .paid_no_customer
        .from(&(), first)
        .take_while(|p| scene.payment(*p).is_some_and(|p| p.at <= until))
        .filter(|p| scene.payment(*p).is_some_and(part))
        .take(CANDIDATES_MAX)
        .collect()
}

/// Accepts the splits whose order and parts no other split claims. Says whether there were any.
fn accept_splits(
    scene: &mut Scene<'_>,
    solutions: Vec<(u32, Vec<u32>)>,
    believed: impl Fn(&Scene<'_>, u32, &[u32]) -> bool,
) -> bool {
    let mut orders = std::collections::HashMap::new();
    let mut parts = std::collections::HashMap::new();
    for (order, of_order) in &solutions {
        *orders.entry(*order).or_insert(0) += 1;
        for part in of_order {
            *parts.entry(*part).or_insert(0) += 1;
        }
    }
    let mut any = false;
    for (order, of_order) in solutions {
        let alone = orders.get(&order) == Some(&1)
            && of_order.iter().all(|part| parts.get(part) == Some(&1));
        if alone && believed(scene, order, &of_order) {
            any = true;
            for part in of_order {
                scene.accept(part, order, Rule::Split);
            }
        }
    }
    scene.compress();
    any
}

/// Two parts of one order, both of no customer.
fn split_of_nobody(scene: &mut Scene<'_>) -> bool {
    let apart = i64::from(scene.policy.split_apart_s);
    let mut solutions = Vec::new();
    let mut pairs_at: Vec<i64> = Vec::new();
    let nobody = scene.paid_no_customer.from(&(), 0);
    let left: Vec<(u32, Paid)> = nobody
        .filter_map(|n| scene.payment(n).map(|p| (n, *p)))
        // A part that is an order's whole amount is sooner that order's.
        .filter(|(_, p)| scene.candidates(p).next().is_none())
        .collect();
    for (at, (n, one)) in left.iter().enumerate() {
        let later = left.iter().skip(at + 1).take(CANDIDATES_MAX);
        let near = later.take_while(|(_, p)| p.at <= one.at.saturating_add(apart));
        for (other, two) in near.filter(|(_, p)| p.currency == one.currency) {
            pairs_at.push(one.at);
            let Some(sum) = one.amount.checked_add(two.amount) else {
                continue;
            };
            let together = Paid {
                amount: sum,
                ..*one
            };
            for order in scene.of_amount(&together).take(2) {
                solutions.push((order, vec![*n, *other]));
            }
        }
    }
    accept_splits(scene, solutions, |scene, order, parts| {
        let part = parts.first().and_then(|n| scene.payment(*n));
        let (Some(owed), Some(part)) = (scene.order(order), part) else {
            return false;
        };
        // Among many pairs some sum hits some order by chance: those count that came no later.
        let from = owed.placed_at.saturating_sub(part.window.before_s);
        let place = |instant: i64| pairs_at.partition_point(|at| *at < instant) as i64;
        let tried = place(part.at.saturating_add(1)) - place(from) - 1;
        let chance = tried.saturating_mul(200) > owed.open.unwrap_or(0);
        let in_time =
            part.at.saturating_sub(owed.placed_at) <= part.window.accept_s && owed.is_open_at(part);
        in_time && !chance && scene.rivals(owed).next().is_none()
    })
}

/// One payment that makes up the totals of several orders of its customer, all of them known.
fn many_orders(scene: &mut Scene<'_>) -> bool {
    let mut any = false;
    for n in 0..scene.payments.len() as u32 {
        let Some(payment) = scene.payment(n).filter(|_| scene.is_left(n)).copied() else {
            continue;
        };
        let Some(customer) = payment.customer else {
            continue;
        };
        let mut orders = open_orders(scene, customer, &payment);
        let same = |o: &Owed| o.currency == payment.currency;
        orders.retain(|o| scene.order(*o).is_some_and(same));
        let open = |o: &u32| scene.order(*o).and_then(|o| o.open).unwrap_or_default();
        // A single order of that amount, even among others or closed, is a rival of every sum.
        if orders.iter().any(|o| open(o) == payment.amount) {
            continue;
        }
        let amounts: Vec<i64> = orders.iter().map(open).collect();
        let found = sums::find(&amounts, payment.amount, scene.policy.sum_steps_max);
        let Sum::Unique(set) = found else { continue };
        let chosen: Vec<u32> = set
            .iter()
            .filter_map(|at| orders.get(*at))
            .copied()
            .collect();
        // Another payment that fits one of them, alone or in another sum, is a rival too.
        let first = scene.first_payment(payment.at.saturating_sub(payment.window.guard_s));
        let alone = only(scene.paid_by_customer.from(&customer, first)) == Some(n);
        let rival = chosen.iter().filter_map(|o| scene.order(*o));
        let rival = rival
            .into_iter()
            .any(|o| !o.is_open_at(&payment) || scene.rivals(o).next().is_some());
        if let Some(&first) = chosen.first().filter(|_| alone && !rival) {
            any = true;
            scene.shares.extend(chosen.iter().map(|order| (n, *order)));
            scene.accept(n, first, Rule::ManyOrders);
            chosen.iter().skip(1).for_each(|order| scene.close(*order));
        }
    }
    scene.compress();
    any
}

impl Scene<'_> {
    /// Whether the order was placed too late to be paid by the payment.
    pub(super) fn is_after(&self, order: u32, payment: &Paid) -> bool {
        let latest = payment.until.saturating_add(payment.window.before_s);
        self.order(order).is_none_or(|o| o.placed_at > latest)
    }

    /// The open orders of a payment's amount within its guard window that nothing contradicts.
    pub(super) fn candidates<'s>(&'s self, payment: &'s Paid) -> impl Iterator<Item = u32> + 's {
        let of_amount = self.of_amount(payment);
        of_amount.filter(|o| self.order(*o).is_some_and(|o| o.is_open_at(payment)))
    }

    /// The same, and those that were closed before the payment: it may come late for one of them,
    /// so that they are rivals of an open one.
    pub(super) fn of_amount<'s>(&'s self, payment: &'s Paid) -> impl Iterator<Item = u32> + 's {
        let sum = (payment.currency, payment.amount);
        let first = self.first_order(payment.at.saturating_sub(payment.window.guard_s));
        let own = payment
            .customer
            .map(|customer| self.by_customer_amount.from(&(customer, sum), first));
        let of_any = if payment.customer.is_some() {
            &self.by_amount_no_customer
        } else {
            &self.by_amount
        };
        let in_window = move |o: &u32| !self.is_after(*o, payment);
        own.into_iter()
            .flatten()
            .take_while(in_window)
            .chain(of_any.from(&sum, first).take_while(in_window))
    }

    /// The payments left that have this order among their candidates.
    pub(super) fn rivals<'s>(&'s self, owed: &'s Owed) -> impl Iterator<Item = u32> + 's {
        let longest = self.policy.longest_guard_s();
        let from = owed
            .placed_at
            .saturating_sub(self.policy.longest_before_s());
        let until = owed.placed_at.saturating_add(longest);
        let first = self.first_payment(from);
        let sum = owed.open.map(|open| (owed.currency, open));
        let own = sum
            .zip(owed.customer)
            .map(|(sum, customer)| self.paid_by_customer_amount.from(&(customer, sum), first));
        let of_any = if owed.customer.is_some() {
            &self.paid_by_amount_no_customer
        } else {
            &self.paid_by_amount
        };
        let others = sum.map(|sum| of_any.from(&sum, first));
        let in_time = move |p: &u32| self.payment(*p).is_some_and(|p| p.at <= until);
        let in_window = |p: &Paid| {
            let (from, until) = (p.window.before_s, p.window.guard_s);
            p.until >= owed.placed_at.saturating_sub(from)
                && p.at <= owed.placed_at.saturating_add(until)
        };
        own.into_iter()
            .flatten()
            .take_while(in_time)
            .chain(others.into_iter().flatten().take_while(in_time))
            .filter(move |p| self.payment(*p).is_some_and(in_window))
    }
}

/// The only one, if there is exactly one.
fn only(mut all: impl Iterator<Item = u32>) -> Option<u32> {
    let first = all.next()?;
    all.next().is_none().then_some(first)
}
