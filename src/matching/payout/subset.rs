//! How probable it is that some lines of a batch add up to an amount: the weight of every subset
//! at once.
//!
//! If each line is late with odds `w`, then a set of `k` late lines weighs `w^k`, and the weight
//! of an amount is the sum over all sets that add up to it. That is the coefficient of `x^amount`
//! in the product of `1 + w·x^net` over the lines, which is built line by line. Nothing is
//! searched and no set is missed, so that sets that fit by chance weigh in as they should.

/// One, in the fixed point of weights: a weight is an integer count of `2^-56`.
pub(super) const ONE: u64 = 1 << 56;

/// A weight of `1 / one_in`.
pub(super) fn one_in(one_in: u32) -> u64 {
    ONE / u64::from(one_in.max(1))
}

/// The product of two weights.
pub(super) fn product(left: u64, right: u64) -> u64 {
    let scaled = (u128::from(left) * u128::from(right)) >> 56;
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

/// Below this a weight has too few bits to be divided between the lines of a large batch.
const COARSE: u64 = 1 << 22;

/// The weight of every amount that a set of late lines can have.
#[derive(Debug)]
pub(super) struct SubsetWeights {
    /// The amount that the first weight is of: the sum of all negative lines.
    lowest: i64,
    weights: Vec<u64>,
    odds: u64,
}

impl SubsetWeights {
    /// Weighs the amounts up to `highest`, or as far as `steps_max` steps go. `None` if not even
    /// the smallest amounts can be weighed.
    pub(super) fn new(nets: &[i64], highest: i64, odds: u64, steps_max: u64) -> Option<Self> {
        let lowest = lowest(nets);
        // Negative lines are told apart by the amounts above, a few times their size.
        let margin = lowest.unsigned_abs().checked_mul(8)?;
        let wanted = u64::try_from(highest.checked_sub(lowest)?).ok()?;
        let wanted = wanted.checked_add(margin)?;
        let width = wanted.min(steps_max / (nets.len() as u64 + 1));
        let useful = |net: i64| net != 0 && net.unsigned_abs() <= width;
        let empty = usize::try_from(lowest.unsigned_abs()).ok()?;
        let mut weights = vec![0_u64; usize::try_from(width).ok()? + 1];
        *weights.get_mut(empty)? = ONE;
        let mut before = Vec::with_capacity(weights.len());
        for &net in nets.iter().filter(|net| useful(**net)) {
            before.clone_from(&weights);
            let shift = usize::try_from(net.unsigned_abs()).ok()?;
            let (to, from) = if net > 0 { (shift, 0) } else { (0, shift) };
            for (weight, without) in weights.iter_mut().skip(to).zip(before.iter().skip(from)) {
                *weight = weight.saturating_add(product(*without, odds));
            }
        }
        Some(Self {
            lowest,
            weights,
            odds,
        })
    }

    /// The weight of all sets that add up to `amount`, or `None` where the steps did not suffice.
    pub(super) fn weight(&self, amount: i64) -> Option<u64> {
        let Ok(place) = usize::try_from(amount.checked_sub(self.lowest)?) else {
            return Some(0);
        };
        self.weights.get(place).copied()
    }

    /// The share of that weight, between 0 and [`ONE`], in sets that contain a line of `net`:
    /// the odds that the line is late if `amount` is. `None` where it cannot be told.
    pub(super) fn share(&self, amount: i64, net: i64) -> Option<u64> {
        let whole = self.weight(amount)?;
        if net == 0 || !(COARSE..u64::MAX).contains(&whole) {
            return None;
        }
        // The sets with the line are those without it, plus the line. Those without it are all
        // less those with it, and so on; each step weighs `odds` less.
        let mut rest = amount.checked_sub(net)?;
        let mut with_line = i128::from(product(self.weight(rest)?, self.odds));
        let mut odds = product(self.odds, self.odds);
        let mut positive = false;
        while odds > 0 && rest >= self.lowest {
            rest = rest.checked_sub(net)?;
            // Past the table the terms are too small to count.
            let Some(weight) = self.weight(rest) else {
                break;
            };
            let term = i128::from(product(weight, odds));
            with_line += if positive { term } else { -term };
            positive = !positive;
            odds = product(odds, self.odds);
        }
        let with_line = u128::try_from(with_line).unwrap_or(0);
        let share = (with_line << 56) / u128::from(whole);
        Some(u64::try_from(share).map_or(ONE, |share| share.min(ONE)))
    }
}

/// The least amount that a set of lines can have: the sum of the negative ones.
pub(super) fn lowest(nets: &[i64]) -> i64 {
    let negative = nets.iter().map(|net| (*net).min(0));
    negative.fold(0, i64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Weighs every subset on its own.
    fn by_hand(nets: &[i64], amount: i64, odds: u64, with: Option<usize>) -> u64 {
        let mut weight = 0;
        for set in 0..1_u32 << nets.len() {
            let chosen = |place: usize| set >> place & 1 == 1;
            let sum: i64 = (0..nets.len())
                .filter(|i| chosen(*i))
                .map(|i| nets[i])
                .sum();
            if sum == amount && with.is_none_or(chosen) {
                weight += (0..set.count_ones()).fold(ONE, |w, _| product(w, odds));
            }
        }
        weight
    }

    #[test]
    fn every_subset_is_weighed() {
        let mut random = fastrand::Rng::with_seed(7);
        for round in 0..200 {
            let nets: Vec<i64> = (0..8).map(|_| random.i64(-3..12)).collect();
            // A power of two keeps the products exact, so that the sums can be compared exactly.
            let odds = ONE >> 5;
            let table = SubsetWeights::new(&nets, 60, odds, u64::MAX).unwrap();
            for amount in -5..30 {
                let nonzero: Vec<i64> = nets.iter().copied().filter(|n| *n != 0).collect();
                let expected = by_hand(&nonzero, amount, odds, None);
                assert_eq!(
                    table.weight(amount),
                    Some(expected),
                    "round {round}, {nets:?}, {amount}"
                );
                for (place, net) in nonzero.iter().enumerate() {
                    let Some(share) = table.share(amount, *net) else {
                        continue;
                    };
                    let with = by_hand(&nonzero, amount, odds, Some(place));
                    let exact = (u128::from(with) << 56) / u128::from(expected);
                    let apart = share.abs_diff(u64::try_from(exact).unwrap());
                    assert!(
                        apart < ONE >> 20,
                        "round {round}, {nets:?}, {amount}, {net}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_budget_is_kept() {
        let table = SubsetWeights::new(&[10; 100], 1_000_000, one_in(200), 1 << 20).unwrap();
        assert!(table.weight(20).unwrap() > 0);
        assert_eq!(table.weight(900_000), None);
        let far = SubsetWeights::new(&[i64::MAX, 1], i64::MAX, one_in(200), 1 << 20).unwrap();
        assert_eq!(far.weight(i64::MAX), None);
        assert!(SubsetWeights::new(&[i64::MIN, -1], 5, one_in(200), 1 << 20).is_none());
    }

    #[test]
    fn many_equal_lines_saturate_and_say_so() {
        let table = SubsetWeights::new(&[1; 5_000], 40, one_in(2), 1 << 28).unwrap();
        assert_eq!(table.weight(20), Some(u64::MAX));
        assert_eq!(table.share(20, 1), None);
    }
}
