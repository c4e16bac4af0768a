//! Which amounts make up a sum, and whether they are the only ones that do.

/// What the search for a sum found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sum {
    /// No set of the amounts makes the sum.
    None,
    /// One set makes it, and no other: the places of its amounts, in order.
    Unique(Vec<usize>),
    /// At least two sets make it.
    Several,
    /// One set makes it, but among so many sets chance alone would have made it.
    Chance,
    /// The search was given up after as many steps as it may take.
    Budget,
}

/// Amounts beyond this many are too many: their sets hit any sum.
const AMOUNTS_MAX: usize = 24;
/// A sum is believed if fewer than this many in a thousand would come about by chance.
const CHANCE_MAX_PER_MILLE: u128 = 5;

/// Finds the set of `amounts`, all above zero, that makes `target`. Stops at the second one.
pub(super) fn find(amounts: &[i64], target: i64, steps_max: u32) -> Sum {
    let mut sorted: Vec<(i64, usize)> = amounts
        .iter()
        .copied()
        .zip(0..)
        .filter(|(amount, _)| (1..=target).contains(amount))
        .collect();
    if sorted.len() > AMOUNTS_MAX {
        return Sum::Budget;
    }
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    let mut left: Vec<i128> = Vec::with_capacity(sorted.len() + 1);
    let mut total = 0;
    left.push(0);
    for (amount, _) in sorted.iter().rev() {
        total += i128::from(*amount);
        left.push(total);
    }
    left.reverse();
    let mut search = Search {
        sorted: &sorted,
        left: &left,
        steps: steps_max,
        chosen: Vec::new(),
        found: None,
        several: false,
    };
    search.step(0, i128::from(target));
    match search {
        Search { several: true, .. } => Sum::Several,
        Search { steps: 0, .. } => Sum::Budget,
        Search {
            found: Some(mut set),
            ..
        } => {
            if by_chance(&sorted, set.len()) {
                return Sum::Chance;
            }
            set.sort_unstable();
            Sum::Unique(set)
        }
        _ => Sum::None,
    }
}

/// Whether so many sets exist that one of them would hit a sum by chance: the number of sets of
/// this size against the spread of their sums.
fn by_chance(sorted: &[(i64, usize)], size: usize) -> bool {
    let mut sets: u128 = 1;
    for (chosen, of) in (0..size).zip((0..=sorted.len()).rev()) {
        sets = sets * of as u128 / (chosen as u128 + 1);
    }
    // The one set that made the sum is no rival of itself.
    let rivals = sets - 1;
    let sum = |amounts: &mut dyn Iterator<Item = &(i64, usize)>| {
        amounts
            .take(size)
            .map(|(amount, _)| i128::from(*amount))
            .sum::<i128>()
    };
    let largest = sum(&mut sorted.iter());
    let smallest = sum(&mut sorted.iter().rev());
    let spread = (largest - smallest).unsigned_abs().max(1);
    rivals * 1_000 > spread * CHANCE_MAX_PER_MILLE
}

struct Search<'a> {
    /// Largest first.
    sorted: &'a [(i64, usize)],
    /// What the amounts from each place on come to.
    left: &'a [i128],
    steps: u32,
    chosen: Vec<usize>,
    found: Option<Vec<usize>>,
    several: bool,
}

impl Search<'_> {
    fn step(&mut self, from: usize, target: i128) {
        if target == 0 {
            self.several = self.found.is_some();
            if !self.several {
                self.found = Some(self.chosen.clone());
            }
            return;
        }
        let mut place = from;
        while let Some(&(amount, at)) = self.sorted.get(place) {
            if self.several || self.steps == 0 {
                return;
            }
            self.steps -= 1;
            if self.left.get(place).is_none_or(|left| *left < target) {
                return;
            }
            if i128::from(amount) <= target {
                self.chosen.push(at);
                self.step(place + 1, target - i128::from(amount));
                self.chosen.pop();
            }
            place += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_set_is_found_and_a_second_refuses_it() {
        let amounts = [70_000, 2_310, 911_117, 45_003];
        assert_eq!(find(&amounts, 47_313, 1_000), Sum::Unique(vec![1, 3]));
        assert_eq!(find(&amounts, 47_314, 1_000), Sum::None);
        assert_eq!(find(&[600, 400, 500, 500], 1_000, 1_000), Sum::Several);
        // Equal amounts are different payments, so that one of three is not one set.
        assert_eq!(find(&[500, 500, 500], 1_000, 1_000), Sum::Several);
        assert_eq!(find(&[500, 500], 1_000, 1_000), Sum::Unique(vec![0, 1]));
    }

    #[test]
    fn a_sum_is_chance_if_its_rivals_are_more_than_five_in_a_thousand_of_the_spread() {
        // Of two amounts, one makes the sum and one is its rival: one in 200 is five in a thousand.
        assert_eq!(find(&[300, 100], 300, 1_000), Sum::Unique(vec![0]));
        assert_eq!(find(&[299, 100], 299, 1_000), Sum::Chance);
    }

    #[test]
    fn sums_that_chance_explains_and_searches_without_end_are_refused() {
        let many: Vec<i64> = (0..24).map(|n| 1_000 + n * n * 7).collect();
        let sum = many[3] + many[9] + many[17];
        assert!(matches!(
            find(&many, sum, 1_000_000),
            Sum::Several | Sum::Chance
        ));
        let even: Vec<i64> = (0..24).map(|n| 100_000 + 2 * n).collect();
        assert_eq!(find(&even, 1_200_001, 1_000), Sum::Budget);
        assert_eq!(find(&[2; 25], 3, 1_000), Sum::Budget);
    }
}
