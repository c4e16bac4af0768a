//! What is said of the payments that no rule could place.

use super::super::decide::Finding;
use super::super::evidence::Rule;
use super::super::verdict::Reason;
use super::likely::{CANDIDATES_MAX, LIKELY_MAX, Likely};
use super::{Owed, Paid, Refusal, Scene};

/// Gives every payment that is left its reason and its candidates.
pub(super) fn refuse_rest(scene: &mut Scene<'_>) {
    let likely = Likely::new(scene);
    let mut refused = Vec::new();
    for (n, orders) in likely.orders() {
        let judged = scene.refused.get(n as usize).is_some_and(Option::is_some);
        if let Some(payment) = scene.payment(n).filter(|_| !judged) {
            refused.push((n, refuse(scene, payment, likely.open(), orders)));
        }
    }
    for (n, refusal) in refused {
        if let Some(slot) = scene.refused.get_mut(n as usize) {
            *slot = Some(refusal);
        }
    }
}

fn refuse(scene: &Scene<'_>, payment: &Paid, open: &[u32], likely: Vec<u32>) -> Refusal {
    let (candidates, exact) = scene.ranked(payment);
    let considered = candidates.len() as u32;
    let suggested = |order, rule| Refusal {
        finding: Finding::Suggested,
        candidates: vec![order],
        considered,
        rule,
    };
    let in_time = |order: &u32| {
        let placed = scene.order(*order).map_or(i64::MIN, |o| o.placed_at);
        payment.at.saturating_sub(placed) <= payment.window.accept_s
    };
    let finding = if candidates.iter().take(exact).any(in_time) {
        Finding::Ambiguous
    } else if exact > 0 {
        Finding::Nothing(Reason::OutsideWindow)
    } else if let Some(order) = only_of_customer(scene, payment, &candidates) {
        return suggested(order, Rule::CustomerOnly);
    } else if let Some(order) = near_miss(scene, payment, open) {
        return suggested(order, Rule::NearMiss);
    } else if !candidates.is_empty() {
        Finding::Nothing(Reason::SplitIncomplete)
    } else {
        Finding::Nothing(reason_for_none(scene, payment))
    };
    Refusal {
        finding,
        candidates: likely,
        considered,
        rule: Rule::None,
    }
}

/// The orders of the payment's customer within the guard window, paid or not, the nearest in time
/// first: all that a payment of zero can be for.
pub(super) fn orders_of_customer(scene: &Scene<'_>, payment: &Paid) -> Vec<u32> {
    let guard = scene.policy.customer_window.guard_s;
    let first = scene.first_order(payment.at.saturating_sub(guard));
    let orders = payment
        .customer
        .into_iter()
        .flat_map(|customer| scene.by_customer.all_from(&customer, first));
    let mut orders: Vec<u32> = orders
        .take_while(|n| !scene.is_after(*n, payment))
        .take(CANDIDATES_MAX)
        .collect();
    orders.sort_by_key(|n| {
        let placed = scene.order(*n).map_or(i64::MIN, |o| o.placed_at);
        payment.at.saturating_sub(placed).saturating_abs()
    });
    orders.truncate(LIKELY_MAX);
    orders
}

/// The only open order of the payment's customer, if the payment may be for it or for a part.
fn only_of_customer(scene: &Scene<'_>, payment: &Paid, candidates: &[u32]) -> Option<u32> {
    let [order] = candidates else { return None };
    let owed = scene.order(*order).filter(|_| payment.customer.is_some())?;
    let apart = payment.at.saturating_sub(owed.placed_at);
    let too_large = owed
        .open
        .is_some_and(|open| (i128::from(payment.amount) - i128::from(open)) * 5 > i128::from(open));
    let fits = apart <= scene.policy.customer_window.accept_s
        && owed.currency == payment.currency
        && !too_large
        && !is_repeated(scene, payment);
    fits.then_some(*order)
}

/// The only order of almost the amount among those that a prompt payment would be for.
fn near_miss(scene: &Scene<'_>, payment: &Paid, open: &[u32]) -> Option<u32> {
    let from = payment.at.saturating_sub(payment.window.prompt_s);
    let until = payment.until.saturating_add(payment.window.before_s);
    let prompt = open.partition_point(|n| scene.order(*n).is_some_and(|o| o.placed_at < from));
    let fits = |owed: &Owed| {
        let difference = owed
            .open
            .map(|open| i128::from(payment.amount) - i128::from(open));
        // A fifth of a percent: some cents.
        let small = difference
            .zip(owed.open)
            .is_some_and(|(difference, open)| difference.abs() * 500 <= i128::from(open));
        let contradicted = payment.customer.is_some() && owed.customer.is_some();
        small && owed.currency == payment.currency && !contradicted
    };
    let mut near = open.iter().skip(prompt).take(CANDIDATES_MAX);
    let mut near = near
        .by_ref()
        .take_while(|n| scene.order(**n).is_some_and(|o| o.placed_at <= until))
        .filter(|n| scene.order(**n).is_some_and(fits));
    let order = near.next().filter(|_| payment.window.prompt_s > 0)?;
    near.next().is_none().then_some(*order)
}

/// Whether the customer paid this amount at another time too: then one of the two is for
/// something else, or paid twice.
fn is_repeated(scene: &Scene<'_>, payment: &Paid) -> bool {
    let guard = scene.policy.customer_window.guard_s;
    let first = scene.first_payment(payment.at.saturating_sub(guard));
    let last = payment.at.saturating_add(guard);
    let sum = (payment.currency, payment.amount);
    let same = payment.customer.into_iter().flat_map(|customer| {
        scene
            .paid_by_customer_amount
            .all_from(&(customer, sum), first)
    });
    same.filter(|p| scene.payment(*p).is_some_and(|p| p.at <= last))
        .take(2)
        .count()
        > 1
}

/// Why a payment has no candidate of its amount and none of its customer.
fn reason_for_none(scene: &Scene<'_>, payment: &Paid) -> Reason {
    let sum = (payment.currency, payment.amount);
    let first = scene.first_order(payment.at.saturating_sub(payment.window.guard_s));
    let mut taken: Box<dyn Iterator<Item = u32>> = match payment.customer {
        Some(customer) => Box::new(scene.by_customer.all_from(&customer, first)),
        None => Box::new(scene.by_amount.all_from(&sum, first)),
    };
    if taken
        .next()
        .is_some_and(|order| !scene.is_after(order, payment))
    {
        return Reason::CandidateTaken;
    }
    let outside = match payment.customer {
        Some(customer) => scene.by_customer.from(&customer, 0).next().is_some(),
        None => scene.by_amount.from(&sum, 0).next().is_some(),
    };
    if outside {
        Reason::OutsideWindow
    } else {
        Reason::NoCandidate
    }
}

impl Scene<'_> {
    /// The open orders of the payment's amount and of its customer, best first, and how many of
    /// them have the very amount.
    pub(super) fn ranked(&self, payment: &Paid) -> (Vec<u32>, usize) {
        let mut ranked: Vec<u32> = self.candidates(payment).take(CANDIDATES_MAX).collect();
        let apart = |o: &u32| {
            let placed = self.order(*o).map_or(0, |o| o.placed_at);
            payment.at.saturating_sub(placed).saturating_abs()
        };
        ranked.sort_by_key(apart);
        let exact = ranked.len();
        if let Some(customer) = payment.customer {
            let guard = self.policy.customer_window.guard_s;
            let first = self.first_order(payment.at.saturating_sub(guard));
            let orders = self.by_customer.from(&customer, first);
            let mut own: Vec<u32> = orders
                .take_while(|o| !self.is_after(*o, payment))
                .take(CANDIDATES_MAX)
                .filter(|o| !ranked.contains(o))
                .collect();
            own.sort_by_key(apart);
            ranked.extend(own);
        }
        (ranked, exact)
    }
}
