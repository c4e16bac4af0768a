//! One rail, day by day: what was due, what was paid, and what follows from the odds.

use std::collections::BTreeMap;

use super::carry::{Batch, BatchOdds, Carry, weigh};
use super::evidence::{
    Alternative, LineKind, LineMatch, LineReason, LineVerdict, PayoutMatch, PayoutReason,
    PayoutRule, PayoutVerdict, Residual, ResidualLabel,
};
use super::subset::{ONE, one_in};
use super::{Day, LineRow, PayoutRow, PayoutTerms};
use crate::matching::RULES_VERSION;
use crate::money::{Currency, Money};

/// How many other explanations of a payout are kept.
const ALTERNATIVES_MAX: usize = 3;
/// How many payouts before and after one are looked at to see whether the terms hold.
const NEIGHBOURS: usize = 20;

/// What is due and what was paid, by rail and currency and then by day.
#[derive(Debug, Default)]
pub(super) struct Rails(BTreeMap<(String, &'static str), BTreeMap<Day, Slot>>);

/// One rail on one day.
#[derive(Debug, Default)]
pub(super) struct Slot {
    /// The payouts that came.
    pub(super) payouts: Vec<usize>,
    /// The lines due, each with its net amount.
    pub(super) lines: Vec<(usize, i64)>,
}

impl Rails {
    /// The slot of `rail` and `currency` on `day`.
    pub(super) fn slot(&mut self, rail: &str, currency: Currency, day: Day) -> &mut Slot {
        let days = self.0.entry((rail.to_owned(), currency.code()));
        days.or_default().entry(day).or_default()
    }

    /// The days of each rail.
    pub(super) fn into_slots(self) -> impl Iterator<Item = BTreeMap<Day, Slot>> {
        self.0.into_values()
    }
}

/// The days of one rail, in order.
pub(super) struct Timeline<'a> {
    days: Vec<(Day, Slot)>,
    payouts: &'a [PayoutRow<'a>],
    lines: &'a [LineRow<'a>],
    terms: &'a PayoutTerms,
}

impl<'a> Timeline<'a> {
    pub(super) fn new(
        mut slots: BTreeMap<Day, Slot>,
        payouts: &'a [PayoutRow<'a>],
        lines: &'a [LineRow<'a>],
        terms: &'a PayoutTerms,
    ) -> Self {
        // Before the first payout and after the last one nothing can be said.
        let mut paid = slots.iter().filter(|(_, slot)| !slot.payouts.is_empty());
        let first = paid.next().map(|(day, _)| *day);
        let last = paid.next_back().map_or(first, |(day, _)| Some(*day));
        slots.retain(|day, _| Some(*day) >= first && Some(*day) <= last);
        // A day on which nothing was due may still receive what slipped.
        let days: Vec<Day> = slots.keys().copied().collect();
        for day in days {
            if let Some(next) = terms.calendar.business_days_after(day, 1)
                && Some(next) <= last
            {
                let _slot = slots.entry(next).or_default();
            }
        }
        Self {
            days: slots.into_iter().collect(),
            payouts,
            lines,
            terms,
        }
    }

    /// Closes the payouts and places the lines.
    pub(super) fn close(&self, closed: &mut [Option<PayoutMatch>], found: &mut [LineMatch]) {
        let odds = weigh(&self.batches(), self.terms);
        let mut came_in = Some(0);
        let mut closes = Vec::with_capacity(self.days.len());
        for ((day, slot), odds) in self.days.iter().zip(&odds) {
            let goes_out = certain(&odds.carries, one_in(self.terms.payout_risk_one_in));
            let mut day_closes = None;
            for at in &slot.payouts {
                let Some(payout) = self.payouts.get(*at) else {
                    continue;
                };
                let close = self.close_payout(payout, *day, slot, [came_in, goes_out], odds);
                day_closes = Some(close.verdict == PayoutVerdict::Closed);
                if let Some(closed) = closed.get_mut(*at) {
                    *closed = Some(close);
                }
            }
            closes.push(day_closes);
            came_in = goes_out;
        }
        let sound = sound(&closes);
        for (place, odds) in odds.iter().enumerate() {
            let target = |place: usize| Target {
                slot: self.days.get(place).map(|(_, slot)| slot),
                sound: sound.get(place).copied().unwrap_or(false),
            };
            self.place_lines([target(place), target(place + 1)], odds, closed, found);
        }
    }

    fn batches(&self) -> Vec<Batch> {
        let following = self.days.iter().skip(1).map(|(day, _)| Some(*day));
        let following = following.chain([None]);
        let batch = |((day, slot), next): (&(Day, Slot), Option<Day>)| {
            let after = self.terms.calendar.business_days_after(*day, 1);
            Batch {
                // What does not fit is told where the payout is closed.
                residual: self.residual(slot).unwrap_or(0),
                nets: self.can_be_late(slot).map(|(_, net)| net).collect(),
                has_next: next.is_none() || next == after,
            }
        };
        self.days.iter().zip(following).map(batch).collect()
    }

    /// What was paid on a day less what its lines add up to; `None` past 64 bits.
    fn residual(&self, slot: &Slot) -> Option<i64> {
        let payouts = slot.payouts.iter().filter_map(|at| self.payouts.get(*at));
        let paid = sum(payouts.map(|payout| payout.net.minor()))?;
        paid.checked_sub(expected(slot)?)
    }

    /// Only payments slip: what goes back is taken on the day it is booked.
    fn can_be_late<'s>(&'s self, slot: &'s Slot) -> impl Iterator<Item = (usize, i64)> + 's {
        let is_payment = |line: &usize| {
            self.lines
                .get(*line)
                .is_some_and(|line| line.kind == LineKind::Payment)
        };
        let lines = slot.lines.iter().copied();
        lines.filter(move |(line, _)| is_payment(line))
    }

    fn line_risk(&self) -> u64 {
        one_in(self.terms.line_risk_one_in)
    }

    /// Places the lines of a day that are certain and counts the others.
    fn place_lines(
        &self,
        [today, next]: [Target<'_>; 2],
        odds: &BatchOdds,
        closed: &mut [Option<PayoutMatch>],
        found: &mut [LineMatch],
    ) {
        let Some(slot) = today.slot else { return };
        let late: BTreeMap<usize, (u64, u64)> = self
            .can_be_late(slot)
            .map(|(line, _)| line)
            .zip(odds.late.iter().copied())
            .collect();
        let mut open = 0;
        for (line, _) in &slot.lines {
            let Some(found) = found.get_mut(*line) else {
                continue;
            };
            let (least, most) = late.get(line).copied().unwrap_or((0, 0));
            let on_time = ONE.saturating_sub(least);
            let placed = if most <= self.line_risk() {
                self.payout_of(today)
                    .map(|id| (id, LineVerdict::OnTime, most))
            } else if on_time <= self.line_risk() {
                self.payout_of(next)
                    .map(|id| (id, LineVerdict::Late, on_time))
            } else {
                Err(LineReason::SeveralExplanations)
            };
            match placed {
                Ok((payout, verdict, wrong)) => {
                    found.payout = Some(payout.to_owned());
                    found.verdict = verdict;
                    found.wrong_one_in = ONE.checked_div(wrong);
                }
                Err(reason) => {
                    open += 1;
                    found.verdict = LineVerdict::Open(reason);
                }
            }
        }
        for at in &slot.payouts {
            if let Some(Some(payout)) = closed.get_mut(*at) {
                payout.lines_open = open;
            }
        }
    }

    fn payout_of(&self, target: Target<'_>) -> Result<&'a str, LineReason> {
        let payouts = target.slot.map_or(&[][..], |slot| slot.payouts.as_slice());
        match payouts {
            [] => Err(LineReason::NoPayout),
            [_] if !target.sound => Err(LineReason::PayoutNotExplained),
            [at] => {
                let payout = self.payouts.get(*at);
                payout.map(|payout| payout.id).ok_or(LineReason::NoPayout)
            }
            _ => Err(LineReason::SeveralPayouts),
        }
    }

    fn close_payout(
        &self,
        payout: &PayoutRow<'_>,
        day: Day,
        slot: &Slot,
        [came_in, goes_out]: [Option<i64>; 2],
        odds: &BatchOdds,
    ) -> PayoutMatch {
        let currency = payout.net.currency();
        let expected = expected(slot).unwrap_or(0);
        let residual = self.residual(slot);
        let mut residuals = Vec::new();
        let mut name = |label, minor| {
            if minor != 0 {
                let amount = Money::new(minor, currency);
                residuals.push(Residual { label, amount });
            }
        };
        let verdict = match (came_in, goes_out) {
            _ if residual.is_none() => PayoutVerdict::Open(PayoutReason::TooLarge),
            _ if payout.is_returned => PayoutVerdict::Open(PayoutReason::Returned),
            _ if slot.payouts.len() > 1 => PayoutVerdict::Open(PayoutReason::SeveralPayouts),
            (Some(came_in), Some(goes_out)) => {
                let slipped = came_in.saturating_sub(goes_out);
                let unexplained = residual.unwrap_or(0).saturating_sub(slipped);
                name(ResidualLabel::SlippedIn, came_in);
                name(ResidualLabel::SlippedOut, goes_out.saturating_neg());
                name(ResidualLabel::Unexplained, unexplained);
                if slot.lines.is_empty() && came_in == 0 {
                    PayoutVerdict::Open(PayoutReason::NoLines)
                } else if unexplained == 0 {
                    PayoutVerdict::Closed
                } else {
                    PayoutVerdict::ClosedWithResidual
                }
            }
            _ => {
                name(ResidualLabel::Unexplained, residual.unwrap_or(0));
                PayoutVerdict::Open(if odds.over_budget {
                    PayoutReason::BudgetExceeded
                } else {
                    PayoutReason::SeveralExplanations
                })
            }
        };
        let best = usize::from(goes_out.is_some());
        let others = odds.carries.iter().skip(best).take(ALTERNATIVES_MAX);
        let alternatives = others.filter_map(|carry| {
            Some(Alternative {
                slipped_out: Money::new(carry.amount, currency),
                one_in: ONE.checked_div(carry.odds)?,
            })
        });
        PayoutMatch {
            payout: payout.id.to_owned(),
            value_date: day,
            rule: PayoutRule::Terms,
            rules_version: RULES_VERSION,
            net: payout.net,
            expected: Money::new(expected, currency),
            lines: slot.lines.len(),
            lines_open: 0,
            residuals,
            verdict,
            alternatives: alternatives.collect(),
        }
    }
}

/// Where a line could go.
#[derive(Debug, Clone, Copy)]
struct Target<'s> {
    slot: Option<&'s Slot>,
    /// Whether its payout is explained well enough to say anything about its lines.
    sound: bool,
}

/// The amount that a batch handed on, if it is certain.
fn certain(carries: &[Carry], risk: u64) -> Option<i64> {
    let first = carries.first()?;
    (ONE.saturating_sub(first.odds) <= risk).then_some(first.amount)
}

/// Which days can be believed: those that close, and those among whose neighbours most do. Where
/// the terms or the calendar are declared wrong, hardly any day closes, and nothing is said about
/// the lines.
fn sound(closes: &[Option<bool>]) -> Vec<bool> {
    let paid: Vec<bool> = closes.iter().copied().flatten().collect();
    let mut place = 0_usize;
    let is_sound = |closes: &Option<bool>| {
        let Some(closes) = closes else { return false };
        let around = place.saturating_sub(NEIGHBOURS)..(place + NEIGHBOURS + 1).min(paid.len());
        place += 1;
        let around = paid.get(around).unwrap_or_default();
        let closed = around.iter().filter(|closes| **closes).count();
        *closes || 2 * closed > around.len()
    };
    closes.iter().map(is_sound).collect()
}

fn expected(slot: &Slot) -> Option<i64> {
    sum(slot.lines.iter().map(|(_, net)| *net))
}

/// The sum, whatever the order; `None` past 64 bits.
fn sum(amounts: impl Iterator<Item = i64>) -> Option<i64> {
    i64::try_from(amounts.map(i128::from).sum::<i128>()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_believed_if_it_closes_or_most_of_its_neighbours_do() {
        let of = |days: &str| -> Vec<Option<bool>> {
            let day = |c| Some(c == '+').filter(|_| c != ' ');
            days.chars().map(day).collect()
        };
        // `+` closes and `-` does not; on a day that is blank there was no payout.
        for (days, expected) in [
            ("+", "+"),
            ("-", "-"),
            (" ", "-"),
            ("-+", "-+"),
            ("-++", "+++"),
            ("+ -+", "+-++"),
            ("--+++", "+++++"),
            ("---+++", "---+++"),
        ] {
            let believed: Vec<bool> = expected.chars().map(|c| c == '+').collect();
            assert_eq!(sound(&of(days)), believed, "{days}");
        }
        // Neighbours are the twenty payouts before and after, and no others.
        let days = ["-".repeat(10), "+".repeat(11), "-".repeat(30)].concat();
        let found = sound(&of(&days));
        assert_eq!((found.first(), found.last()), (Some(&true), Some(&false)));
    }
}
