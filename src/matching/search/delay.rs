//! How long payments take to come, learnt from those whose order is certain.

use std::collections::HashMap;

use super::super::evidence::Rule;
use super::assign::{self, BIT, bits_of};
use super::{Paid, Scene};

/// Fewer certain payments on a rail than this teach nothing about it.
const PAIRS_MIN: usize = 1_000;
const STEP_S: i64 = 300;
const HOUR_S: i64 = 3_600;
/// Up to here each hour counts for itself, since what is tried again often comes whole days later.
const HOURS_MAX: i64 = 240;
/// Before the order, twelve steps in the first hour, the hours, then doublings.
const BINS: usize = 1 + 12 + HOURS_MAX as usize - 1 + 16;

/// So many certain payments made at about the same time are looked at, and no further away.
const NEAR_MAX: usize = 24;
const NEAR_S: i64 = 6 * HOUR_S;
/// What is known of the rail as a whole counts as much as so many payments near by.
const WHOLE_WEIGHT: i128 = 8;
/// No delay costs more than this: how rare what was hardly ever seen is, nobody knows.
const COST_MAX: i64 = 20 * BIT;
/// One certain payment, in parts.
const ONE: i128 = 1 << 20;

/// The delays of each rail, as far as enough is known of it.
pub(super) struct Delays(HashMap<u16, Delay>);

impl Delays {
    /// Learns from the payments that customer and amount led to their order, whose delay had no
    /// part in that.
    pub(super) fn learn(scene: &Scene<'_>) -> Self {
        let mut certain: HashMap<u16, Vec<(i64, i64)>> = HashMap::new();
        for (payment, matched) in scene.payments.iter().zip(&scene.matched) {
            let matched = matched.filter(|(_, rule)| *rule == Rule::CustomerAmount);
            if let Some(owed) = matched.and_then(|(order, _)| scene.order(order)) {
                let apart = payment.at.saturating_sub(owed.placed_at);
                certain
                    .entry(payment.rail)
                    .or_default()
                    .push((payment.at, apart));
            }
        }
        certain.retain(|_, pairs| pairs.len() >= PAIRS_MIN);
        let known = certain.into_iter();
        Self(
            known
                .map(|(rail, pairs)| (rail, Delay::of(pairs)))
                .collect(),
        )
    }

    /// How unlikely it is, in parts of a bit, that a payment comes so long after its order.
    pub(super) fn cost(&self, payment: &Paid, apart_s: i64) -> i64 {
        match self.0.get(&payment.rail) {
            Some(delay) => delay.cost(payment.at, apart_s),
            None => assign::cost(payment, apart_s),
        }
    }
}

/// The delays of one rail.
struct Delay {
    /// How many of all payments, in parts of one, fall on a step in each bin.
    density: Vec<i128>,
    most: i64,
    /// When each certain payment was made, and how long after its order; by time.
    certain: Vec<(i64, i64)>,
}

impl Delay {
    fn of(certain: Vec<(i64, i64)>) -> Self {
        let mut counts = vec![0_i128; BINS];
        for (_, apart) in &certain {
            if let Some(count) = counts.get_mut(bin_of(*apart)) {
                *count += 1;
            }
        }
        let at = |bin: usize| counts.get(bin).copied().unwrap_or(0);
        // Neighbours count too, so that a bin that is empty by chance is not impossible.
        let smooth = |bin: usize| match bin {
            0 => 4 * at(0) + 1,
            _ => at(bin - 1).min(at(bin)) + 2 * at(bin) + at(bin + 1) + 1,
        };
        let all = 4 * certain.len().max(1) as i128;
        let steps = |bin: usize| i128::from(width_of(bin) / STEP_S);
        let density: Vec<i128> = (0..BINS)
            .map(|bin| smooth(bin) * ONE * ONE / (all * steps(bin)))
            .collect();
        let most = density.iter().copied().max().map_or(0, bits_of);
        Self {
            density,
            most,
            certain,
        }
    }

    /// What is made at one time often comes from orders of one time: a bank books in batches, and
    /// a provider that is slow is slow for all.
    fn cost(&self, at: i64, apart_s: i64) -> i64 {
        let whole = self.density.get(bin_of(apart_s)).copied().unwrap_or(0);
        let tolerance = (apart_s.saturating_abs() / 10).max(2 * STEP_S);
        let (mut alike, mut all) = (0_i128, 0_i128);
        for (_, other) in self.near(at) {
            all += 1;
            alike += i128::from(other.abs_diff(apart_s) <= tolerance.unsigned_abs());
        }
        let near_by = alike * ONE * ONE * i128::from(STEP_S) / i128::from(2 * tolerance);
        let density = (whole * WHOLE_WEIGHT + near_by) / (WHOLE_WEIGHT + all);
        (self.most - bits_of(density)).clamp(0, COST_MAX)
    }

    /// The certain payments made at about that time.
    fn near(&self, at: i64) -> &[(i64, i64)] {
        let place = |instant: i64| self.certain.partition_point(|(made, _)| *made < instant);
        let middle = place(at);
        let from = place(at.saturating_sub(NEAR_S)).max(middle.saturating_sub(NEAR_MAX / 2));
        let until = place(at.saturating_add(NEAR_S)).min(middle + NEAR_MAX / 2);
        self.certain.get(from..until).unwrap_or_default()
    }
}

fn bin_of(apart_s: i64) -> usize {
    let hours = apart_s / HOUR_S;
    let bin = match apart_s {
        ..0 => 0,
        0..HOUR_S => 1 + apart_s / STEP_S,
        _ if hours < HOURS_MAX => 12 + hours,
        _ => 12 + HOURS_MAX + i64::from((hours / HOURS_MAX).ilog2()),
    };
    usize::try_from(bin).unwrap_or(0).min(BINS - 1)
}

/// How long a bin is, in seconds.
fn width_of(bin: usize) -> i64 {
    const FIRST_DOUBLING: usize = 12 + HOURS_MAX as usize;
    match bin {
        1..=12 => STEP_S,
        0 | 13..FIRST_DOUBLING => HOUR_S,
        _ => (HOURS_MAX * HOUR_S) << (bin - FIRST_DOUBLING).min(20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_follow_each_other() {
        let mut last = bin_of(-1);
        assert_eq!(last, 0);
        for apart in (0..400 * HOUR_S).step_by(60) {
            let bin = bin_of(apart);
            assert!(bin == last || bin == last + 1, "{apart}");
            last = bin;
        }
        assert_eq!(bin_of(i64::MAX), BINS - 1);
    }

    #[test]
    fn what_was_seen_often_costs_least() {
        let seen = [(60, 600), (20 * HOUR_S, 5), (24 * HOUR_S, 300), (-60, 3)];
        let certain = seen
            .iter()
            .flat_map(|(apart, count)| vec![(0, *apart); *count]);
        let delay = Delay::of(certain.collect());
        let cost = |apart| delay.cost(100 * HOUR_S, apart);
        assert_eq!(cost(60), 0);
        assert!(cost(24 * HOUR_S) < cost(20 * HOUR_S));
        assert!(cost(20 * HOUR_S) < cost(100 * HOUR_S));
        assert!(cost(-60) > 5 * BIT);
    }

    #[test]
    fn what_comes_at_one_time_is_from_one_time() {
        let mut certain: Vec<(i64, i64)> = (0..2_000).map(|n| (n * HOUR_S, 60)).collect();
        certain.extend((0..10).map(|n| (5_000 * HOUR_S + n, 2 * HOUR_S)));
        let delay = Delay::of(certain);
        let slow = |at: i64| delay.cost(at, 2 * HOUR_S) < delay.cost(at, HOUR_S);
        assert!(slow(5_000 * HOUR_S));
        let elsewhere = delay.cost(3_000 * HOUR_S, 2 * HOUR_S);
        assert!(delay.cost(5_000 * HOUR_S, 2 * HOUR_S) < elsewhere);
    }

    #[test]
    fn each_bin_is_as_wide_as_what_falls_into_it() {
        assert_eq!(width_of(0), 3_600);
        let mut start = 0;
        for bin in 1..BINS - 1 {
            let width = width_of(bin);
            assert_eq!((bin_of(start), bin_of(start + width - 1)), (bin, bin));
            start += width;
        }
        assert_eq!(bin_of(start), BINS - 1);
        assert_eq!(width_of(BINS - 1), (240 * 3_600) << 15);
    }

    #[test]
    fn a_bin_is_as_dense_as_its_payments_and_those_of_its_neighbours() {
        let seen = [(-60, 10), (60, 100), (360, 40), (26 * HOUR_S, 6)];
        let certain = seen
            .iter()
            .flat_map(|(apart, count)| vec![(0, *apart); *count]);
        let delay = Delay::of(certain.collect());
        // 156 payments, each counted four times, by the steps of five minutes in a bin.
        let dense = |count: i128, steps: i128| (count << 40) / (4 * 156 * steps);
        for (bin, count, steps) in [
            (0, 4 * 10 + 1, 12),
            (1, 10 + 2 * 100 + 40 + 1, 1),
            (2, 40 + 2 * 40 + 1, 1),
            (3, 1, 1),
            (37, 6 + 1, 12),
            (38, 2 * 6 + 1, 12),
            (39, 1, 12),
            (251, 1, 12),
            (252, 1, 240 * 12),
            (253, 1, 480 * 12),
        ] {
            assert_eq!(delay.density[bin], dense(count, steps), "{bin}");
        }
        assert_eq!(delay.most, bits_of(dense(251, 1)));
    }

    #[test]
    fn what_was_seen_at_the_time_is_weighed_against_the_whole() {
        let delay = |certain: &[(i64, i64)]| Delay {
            density: vec![1 << 30; BINS],
            most: bits_of(1 << 40),
            certain: certain.to_vec(),
        };
        let cost = |density: i128| bits_of(1 << 40) - bits_of(density);
        let near = delay(&[(0, 660), (0, 660), (0, 661)]);
        // Two of three came within ten minutes of it, which is twice two steps; the whole counts
        // as eight.
        let alike = (2_i128 << 40) / 4;
        let whole = 8_i128 << 30;
        assert_eq!(near.cost(0, 60), cost((whole + alike) / 11));
        // Further away, a tenth of the delay is near enough.
        let near = delay(&[(0, 18_000), (0, 22_000), (0, 22_001), (0, 17_999)]);
        let alike = (2_i128 << 40) * 300 / 4_000;
        assert_eq!(near.cost(0, 20_000), cost((whole + alike) / 12));
        // What was never seen costs no more than twenty bits, and nothing costs less than nothing.
        let never = Delay {
            density: vec![1; BINS],
            ..delay(&[])
        };
        assert_eq!(never.cost(0, 60), 20 * BIT);
        let often = Delay {
            density: vec![1 << 50; BINS],
            ..delay(&[])
        };
        assert_eq!(often.cost(0, 60), 0);
    }

    #[test]
    fn only_a_dozen_payments_on_either_side_are_near_and_no_further_than_six_hours() {
        let delay = |made: Vec<i64>| Delay {
            density: Vec::new(),
            most: 0,
            certain: made.into_iter().map(|made| (made, 60)).collect(),
        };
        let near = |delay: &Delay, at| -> Vec<i64> {
            let near = delay.near(at).iter();
            near.map(|(made, _)| *made).collect()
        };
        let many = delay((0..100).collect());
        assert_eq!(near(&many, 50), (38..62).collect::<Vec<_>>());
        assert_eq!(near(&many, 5), (0..17).collect::<Vec<_>>());
        let hours = 6 * HOUR_S;
        let few = delay(vec![-hours - 1, -hours, hours - 1, hours]);
        assert_eq!(near(&few, 0), [-hours, hours - 1]);
    }
}
