//! Payouts without a report, over shops made from a seed whose truth is known.
#![allow(clippy::indexing_slicing, clippy::unwrap_used)] // helpers beside the tests fail them

use std::collections::HashMap;

use counterfoil::clock::Timestamp;
use counterfoil::matching::payout::{
    Calendar, Day, LineKind, LineRow, LineVerdict, MethodTerm, PayoutMatches, PayoutRow,
    PayoutTerms, PayoutVerdict, match_by_terms,
};
use counterfoil::money::{Currency, Money};

const DAY_S: i64 = 86_400;

/// A shop of one rail: what was sold, what was paid out, and which line was in which payout.
struct Shop {
    lines: Vec<(String, i64, Timestamp)>,
    payouts: Vec<(String, Day, i64)>,
    truth: HashMap<String, String>,
}

fn terms(lag_business_days: u8) -> PayoutTerms {
    let mut terms = PayoutTerms::default();
    terms.calendar = Calendar::default();
    terms.calendar.cut_off_s = 21 * 3600;
    // Enough for these small shops, and soon spent where amounts are extreme.
    terms.steps_max = 1 << 23;
    terms.methods = vec![MethodTerm::new("card", "CARD", lag_business_days).with_fee(299, 39)];
    terms
}

impl Shop {
    /// `days` days of up to `daily` sales, of which one in 200 is paid out a business day late and
    /// one payout in 40 carries a correction that nobody announced.
    fn new(seed: u64, days: i64, daily: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let terms = terms(2);
        let start = Day::new(2026, 1, 5).unwrap().start_utc().unix();
        let mut lines = Vec::new();
        let mut truth = HashMap::new();
        let mut nets: HashMap<Day, i64> = HashMap::new();
        for day in 0..days {
            for sale in 0..random.usize(1..=daily) {
                let at = Timestamp::from_unix(start + day * DAY_S + random.i64(0..DAY_S));
                let gross = random.i64(500..40_000);
                let booked = terms.calendar.book_day(at).unwrap();
                let mut due = terms.calendar.business_days_after(booked, 2).unwrap();
                if random.u32(..200) == 0 {
                    due = terms.calendar.business_days_after(due, 1).unwrap();
                }
                let fee = terms.methods[0].fee(gross).unwrap();
                *nets.entry(due).or_default() += gross - fee;
                let id = format!("p{day}-{sale}");
                truth.insert(id.clone(), format!("po-{due}"));
                lines.push((id, gross, at));
            }
        }
        let mut payouts: Vec<_> = nets
            .into_iter()
            .map(|(day, net)| (format!("po-{day}"), day, net))
            .collect();
        payouts.sort();
        for payout in &mut payouts {
            if random.u32(..40) == 0 {
                payout.2 -= random.i64(100..9_000);
            }
        }
        Self {
            lines,
            payouts,
            truth,
        }
    }

    fn rows(&self) -> (Vec<PayoutRow<'_>>, Vec<LineRow<'_>>) {
        let brl = |minor| Money::new(minor, Currency::BRL);
        let payouts = self.payouts.iter();
        let lines = self.lines.iter();
        (
            payouts
                .map(|(id, day, net)| PayoutRow::new(id, "CARD", *day, brl(*net)))
                .collect(),
            lines
                .map(|(id, gross, at)| {
                    LineRow::new(id, LineKind::Payment, "card", brl(*gross), *at)
                })
                .collect(),
        )
    }

    /// How many lines were placed, and how many of them wrongly.
    fn score(&self, found: &PayoutMatches) -> (usize, usize) {
        let placed = found.lines.iter().filter(|line| line.payout.is_some());
        let wrong = placed
            .clone()
            .filter(|line| line.payout.as_ref() != self.truth.get(&line.line));
        (placed.count(), wrong.count())
    }
}

#[test]
fn most_lines_are_placed_and_none_wrongly() {
    let (mut lines, mut placed, mut late) = (0, 0, 0);
    for seed in 0..6 {
        println!("seed {seed}");
        let shop = Shop::new(seed, 60, 25);
        let (payouts, rows) = shop.rows();
        let found = match_by_terms(&payouts, &rows, &terms(2));
        let (right, wrong) = shop.score(&found);
        assert_eq!(wrong, 0, "seed {seed}");
        lines += rows.len();
        placed += right;
        let is_late = |verdict| verdict == LineVerdict::Late;
        late += found.lines.iter().filter(|l| is_late(l.verdict)).count();
        for payout in &found.payouts {
            if !matches!(payout.verdict, PayoutVerdict::Open(_)) {
                let named: i64 = payout.residuals.iter().map(|r| r.amount.minor()).sum();
                assert_eq!(named, payout.difference_minor(), "seed {seed}: {payout}");
            }
        }
    }
    assert!(placed * 10 >= lines * 8, "{placed} of {lines}");
    assert!(late > 5, "{late} late lines were found");
}

#[test]
fn the_order_of_the_rows_changes_nothing() {
    let seed = 77;
    println!("seed {seed}");
    let shop = Shop::new(seed, 30, 15);
    let (mut payouts, mut rows) = shop.rows();
    let sorted = |mut found: PayoutMatches| {
        found.lines.sort_by(|a, b| a.line.cmp(&b.line));
        found.payouts.sort_by(|a, b| a.payout.cmp(&b.payout));
        found
    };
    let expected = sorted(match_by_terms(&payouts, &rows, &terms(2)));
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..3 {
        random.shuffle(&mut payouts);
        random.shuffle(&mut rows);
        assert_eq!(sorted(match_by_terms(&payouts, &rows, &terms(2))), expected);
    }
}

#[test]
fn where_the_terms_are_declared_wrong_no_line_is_placed() {
    for seed in 0..2 {
        println!("seed {seed}");
        let shop = Shop::new(seed, 30, 20);
        let (payouts, rows) = shop.rows();
        let found = match_by_terms(&payouts, &rows, &terms(3));
        assert_eq!(
            shop.score(&found).0,
            0,
            "seed {seed}: a business day too many"
        );
        let mut dearer = terms(2);
        dearer.methods[0].basis_points += 1;
        let found = match_by_terms(&payouts, &rows, &dearer);
        assert_eq!(shop.score(&found).0, 0, "seed {seed}: a fee too high");
    }
}

#[test]
fn equal_amounts_and_extreme_ones_end_in_time() {
    let brl = |minor| Money::new(minor, Currency::BRL);
    let at = Timestamp::from_unix(Day::new(2026, 1, 5).unwrap().start_utc().unix());
    let day = Day::new(2026, 1, 7).unwrap();
    let ids: Vec<String> = (0..3_000).map(|number| format!("p{number}")).collect();
    let line = |id, gross| LineRow::new(id, LineKind::Payment, "card", brl(gross), at);
    let equal: Vec<_> = ids.iter().map(|id| line(id, 10_000)).collect();
    let short = PayoutRow::new("po", "CARD", day, brl(2_990 * 9_662));
    let found = match_by_terms(&[short], &equal, &terms(2));
    assert!(found.lines.iter().all(|line| line.payout.is_none()));
    let huge: Vec<_> = ids.iter().map(|id| line(id, i64::MAX)).collect();
    let found = match_by_terms(&[short], &huge, &terms(2));
    assert!(found.lines.iter().all(|line| line.payout.is_none()));
    let lowest = PayoutRow::new("po", "CARD", day, brl(i64::MIN));
    let found = match_by_terms(&[lowest], &equal, &terms(2));
    assert!(found.lines.iter().all(|line| line.payout.is_none()));
}
