//! How much each batch handed on to the next one, because some of its lines were late.
//!
//! What a payout has too little, the next one has too much: `carry out = carry in − residual`. A
//! chain of residuals that ends in zero thus fixes every amount in between. An adjustment that
//! nobody announced breaks the chain. Which of the two it was is weighed by the forward–backward
//! algorithm over the batches of a rail: a carry weighs as much as the sets of lines that add up
//! to it ([`SubsetWeights`]), an adjustment as little as the host declares. Carries that the
//! residuals suggest are weighed one by one, and all others together: between two adjustments any
//! amount may have been handed on, and then nothing is known about the lines.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::PayoutTerms;
use super::subset::{ONE, SubsetWeights, lowest, one_in, product};

/// How many batches ahead the end of a chain is looked for after an adjustment.
const CHAIN_MAX: usize = 6;
/// The most carries that are weighed at one batch; the least probable are dropped.
const CARRIES_MAX: usize = 48;

/// What is known of one batch before carries are weighed.
#[derive(Debug)]
pub(super) struct Batch {
    /// What was paid less what was expected.
    pub(super) residual: i64,
    /// The net amounts of the lines that can be late.
    pub(super) nets: Vec<i64>,
    /// Whether late lines have a next batch to go to, or one that is not in the feed yet.
    pub(super) has_next: bool,
}

impl Batch {
    /// The amounts that it can hand on.
    fn possible(&self) -> RangeInclusive<i64> {
        if !self.has_next {
            return 0..=0;
        }
        let positive = self.nets.iter().map(|net| (*net).max(0));
        let highest = positive.fold(0, i64::saturating_add);
        lowest(&self.nets)..=highest
    }
}

/// What was found about one batch.
#[derive(Debug, Default)]
pub(super) struct BatchOdds {
    /// The amounts that it may have handed on, most probable first.
    pub(super) carries: Vec<Carry>,
    /// For each line that can be late, the least and the greatest odds that it is.
    pub(super) late: Vec<(u64, u64)>,
    /// Whether the steps did not suffice to weigh every carry.
    pub(super) over_budget: bool,
}

/// An amount handed on, and the odds of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Carry {
    pub(super) amount: i64,
    pub(super) odds: u64,
}

/// Weighs the carries of consecutive `batches` of one rail.
pub(super) fn weigh(batches: &[Batch], terms: &PayoutTerms) -> Vec<BatchOdds> {
    let passes = Passes::of(batches, terms);
    let mut steps: Vec<Step> = Vec::with_capacity(batches.len());
    for (place, batch) in batches.iter().enumerate() {
        let ahead = batches.get(place + 1..).unwrap_or_default();
        let step = Step::forward(batch, ahead, steps.last(), terms, &passes);
        steps.push(step);
    }
    backward(&mut steps, batches, &passes);
    let odds = steps.iter().zip(batches);
    odds.map(|(step, batch)| step.odds(batch)).collect()
}

/// How probable it is that one carry follows another.
#[derive(Debug)]
struct Passes {
    /// The odds of an adjustment of one given amount.
    adjusted: u64,
    /// The odds that an amount which is not given is one that is.
    by_chance: u64,
}

impl Passes {
    fn of(batches: &[Batch], terms: &PayoutTerms) -> Self {
        Self {
            adjusted: one_in(terms.adjusted_one_in),
            by_chance: ONE / mean(batches),
        }
    }

    /// The odds that `to` follows `from` over `batch`; `None` is any amount that is not weighed on
    /// its own at its step.
    fn odds(
        &self,
        (from, step): (Option<i64>, &Step),
        to: Option<i64>,
        batch: &Batch,
        may_be_adjusted: bool,
    ) -> u64 {
        let adjusted = if may_be_adjusted { self.adjusted } else { 0 };
        match (from, to) {
            (Some(from), Some(to)) if from.checked_sub(batch.residual) == Some(to) => ONE,
            (Some(_), _) => adjusted,
            (None, Some(to)) => match to.checked_add(batch.residual) {
                Some(from) if step.may_be_other(from) => adjusted + self.by_chance,
                _ => adjusted,
            },
            (None, None) => adjusted + self.by_chance,
        }
    }
}

/// The mean size of all lines, at least one minor unit: sets of lines are spread over amounts at
/// least as widely.
fn mean(batches: &[Batch]) -> u64 {
    let sizes = batches.iter().flat_map(|batch| &batch.nets);
    let (sum, count) = sizes.fold((0_u128, 0_u128), |(sum, count), net| {
        (sum + u128::from(net.unsigned_abs()), count + 1)
    });
    let mean = sum.checked_div(count).unwrap_or(1);
    u64::try_from(mean).unwrap_or(u64::MAX).max(1)
}

/// One batch on the way forward and back.
#[derive(Debug)]
struct Step {
    carries: Vec<WeighedCarry>,
    /// The amounts that were weighed on their own, possible or not.
    examined: BTreeSet<i64>,
    /// The amounts that any lines of the batch can have together.
    possible: RangeInclusive<i64>,
    /// Whether an adjustment of this batch was considered.
    may_be_adjusted: bool,
}

#[derive(Debug)]
struct WeighedCarry {
    /// `None` stands for all amounts that are not weighed on their own.
    amount: Option<i64>,
    /// The weight of the sets that add up to the amount; `None` where it was not examined.
    sets: Option<u64>,
    /// For each line, its share in that weight.
    shares: Vec<Option<u64>>,
    /// The odds by the batches up to this one, and by those after it.
    forward: u64,
    backward: u64,
}

impl WeighedCarry {
    /// What was not examined counts in full, so that it can only make things less certain.
    fn weight(&self) -> u64 {
        self.sets.unwrap_or(ONE)
    }
}

impl Step {
    fn forward(
        batch: &Batch,
        ahead: &[Batch],
        before: Option<&Self>,
        terms: &PayoutTerms,
        passes: &Passes,
    ) -> Self {
        let start = Self::start();
        let before_step = before.unwrap_or(&start);
        let carries = before_step.carries.iter();
        let before: Vec<(Option<i64>, u64)> =
            carries.map(|carry| (carry.amount, carry.forward)).collect();
        let may_be_adjusted =
            batch.residual != 0 || before.iter().any(|(carry, _)| *carry != Some(0));
        let examined = candidates(batch, ahead, &before);
        let possible = batch.possible();
        let mut amounts = examined.clone();
        amounts.retain(|amount| possible.contains(amount));
        let table = table(batch, &amounts, terms);
        let mut carries: Vec<WeighedCarry> = Vec::with_capacity(amounts.len() + 1);
        let others = if batch.has_next {
            any_set(&batch.nets, terms)
        } else {
            0
        };
        let weighed = amounts.into_iter().map(|amount| match &table {
            Some(table) => (Some(amount), table.weight(amount)),
            None => (Some(amount), (amount == 0).then_some(ONE)),
        });
        for (amount, sets) in weighed.chain([(None, Some(others))]) {
            carries.push(WeighedCarry {
                amount,
                sets,
                shares: Vec::new(),
                forward: 0,
                backward: ONE,
            });
        }
        let came = |to: &WeighedCarry| -> u128 {
            let ways = before.iter().map(|(from, odds)| {
                let from = (*from, before_step);
                let pass = passes.odds(from, to.amount, batch, may_be_adjusted);
                u128::from(*odds) * u128::from(pass)
            });
            (ways.sum::<u128>() >> 56) * u128::from(to.weight())
        };
        let raw: Vec<u128> = carries.iter().map(came).collect();
        for (carry, odds) in carries.iter_mut().zip(normalised(&raw)) {
            carry.forward = odds;
        }
        carries.retain(|carry| carry.forward > 0);
        carries.sort_by_key(|carry| (std::cmp::Reverse(carry.forward), carry.amount));
        carries.truncate(CARRIES_MAX);
        for carry in &mut carries {
            let share = |net: &i64| match (&table, carry.amount) {
                (_, None) => None,
                (Some(table), Some(amount)) => table.share(amount, *net),
                (None, Some(amount)) => (amount == 0 && *net != 0).then_some(0),
            };
            carry.shares = batch.nets.iter().map(share).collect();
        }
        Self {
            carries,
            examined,
            possible,
            may_be_adjusted,
        }
    }

    /// Before the first batch nothing is owed.
    fn start() -> Self {
        let nothing = WeighedCarry {
            amount: Some(0),
            sets: Some(ONE),
            shares: Vec::new(),
            forward: ONE,
            backward: ONE,
        };
        Self {
            carries: vec![nothing],
            examined: BTreeSet::from([0]),
            possible: 0..=0,
            may_be_adjusted: false,
        }
    }

    /// Whether `amount` is one of those that are weighed together.
    fn may_be_other(&self, amount: i64) -> bool {
        self.possible.contains(&amount) && !self.examined.contains(&amount)
    }

    fn odds(&self, batch: &Batch) -> BatchOdds {
        let raw: Vec<u128> = self
            .carries
            .iter()
            .map(|carry| u128::from(carry.forward) * u128::from(carry.backward))
            .collect();
        let odds = normalised(&raw);
        let mut late = vec![(0_u64, 0_u64); batch.nets.len()];
        for (carry, odds) in self.carries.iter().zip(&odds) {
            for ((least, most), share) in late.iter_mut().zip(&carry.shares) {
                let (low, high) = share.map_or((0, ONE), |share| (share, share));
                *least = least.saturating_add(product(*odds, low));
                *most = most.saturating_add(product(*odds, high));
            }
        }
        let mut carries: Vec<Carry> = self
            .carries
            .iter()
            .zip(odds)
            .filter_map(|(carry, odds)| {
                let amount = carry.amount?;
                Some(Carry { amount, odds })
            })
            .collect();
        carries.sort_by_key(|carry| (std::cmp::Reverse(carry.odds), carry.amount));
        BatchOdds {
            carries,
            late,
            over_budget: self.carries.iter().any(|carry| carry.sets.is_none()),
        }
    }
}

/// The amounts that `batch` may have handed on: what follows from the batch before without an
/// adjustment, and after an adjustment nothing, or what the next residuals would use up.
fn candidates(batch: &Batch, ahead: &[Batch], before: &[(Option<i64>, u64)]) -> BTreeSet<i64> {
    let given = || before.iter().filter_map(|(carry, _)| *carry);
    let straight = given().map(|carry| carry.checked_sub(batch.residual));
    let mut amounts: BTreeSet<i64> = straight.flatten().collect();
    amounts.insert(0);
    if batch.residual != 0 || given().any(|carry| carry != 0) {
        let mut used_up = 0_i64;
        for next in ahead.iter().take(CHAIN_MAX) {
            used_up = used_up.saturating_add(next.residual);
            amounts.insert(used_up);
        }
    }
    amounts
}

/// The weight of all sets of lines but the empty one, whatever they add up to.
fn any_set(nets: &[i64], terms: &PayoutTerms) -> u64 {
    let late = one_in(terms.late_one_in);
    let all = nets
        .iter()
        .fold(ONE, |sum, _| sum.saturating_add(product(sum, late)));
    all - ONE
}

/// The weights of all amounts, as far as the steps suffice.
fn table(batch: &Batch, amounts: &BTreeSet<i64>, terms: &PayoutTerms) -> Option<SubsetWeights> {
    let highest = (*amounts.last()?).max(0);
    let late = one_in(terms.late_one_in);
    SubsetWeights::new(&batch.nets, highest, late, terms.steps_max)
}

fn backward(steps: &mut [Step], batches: &[Batch], passes: &Passes) {
    for place in (1..steps.len()).rev() {
        let (before, after) = steps.split_at_mut(place);
        let (Some(step), Some(next), Some(batch)) =
            (before.last_mut(), after.first(), batches.get(place))
        else {
            return;
        };
        let weights: Vec<u128> = next
            .carries
            .iter()
            .map(|carry| u128::from(carry.weight()) * u128::from(carry.backward))
            .collect();
        let onward = normalised(&weights);
        let goes = |from: &WeighedCarry| -> u128 {
            let ways = next.carries.iter().zip(&onward).map(|(to, odds)| {
                let from = (from.amount, &*step);
                let pass = passes.odds(from, to.amount, batch, next.may_be_adjusted);
                u128::from(*odds) * u128::from(pass)
            });
            ways.sum()
        };
        let raw: Vec<u128> = step.carries.iter().map(goes).collect();
        for (carry, odds) in step.carries.iter_mut().zip(normalised(&raw)) {
            carry.backward = odds;
        }
    }
}

/// The values in proportion, so that they add up to at most [`ONE`].
fn normalised(values: &[u128]) -> Vec<u64> {
    // Few enough bits that all of them can be added and still be shifted by 56.
    let highest = values.iter().copied().max().unwrap_or(0);
    let shift = (u128::BITS - highest.leading_zeros()).saturating_sub(60);
    let total: u128 = values.iter().map(|value| value >> shift).sum();
    values
        .iter()
        .map(|value| {
            let share = ((value >> shift) << 56).checked_div(total).unwrap_or(0);
            u64::try_from(share).unwrap_or(ONE)
        })
        .collect()
}

#[cfg(test)]
mod tests;
