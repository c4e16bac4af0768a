//! The odds of carries, over batches whose late lines are known.

use super::*;

fn batch(residual: i64, nets: &[i64]) -> Batch {
    Batch {
        residual,
        nets: nets.to_vec(),
        has_next: true,
    }
}

fn certain(odds: u64) -> bool {
    odds > ONE - ONE / 10_000
}

#[test]
fn a_line_that_is_missing_here_and_found_there_was_late() {
    let batches = [
        batch(0, &[500, 700]),
        batch(-1234, &[900, 1234, 5000]),
        batch(1234, &[100, 200]),
    ];
    let odds = weigh(&batches, &PayoutTerms::default());
    assert_eq!(odds[1].carries[0].amount, 1234);
    assert!(certain(odds[1].carries[0].odds));
    assert!(certain(odds[1].late[1].0));
    assert!(odds[1].late[0].1 < ONE / 10_000);
    assert!(odds[0].late[0].1 < ONE / 10_000);
}

#[test]
fn equal_lines_cannot_be_told_apart() {
    let batches = [batch(-1234, &[1234, 1234, 5000]), batch(1234, &[100])];
    let odds = weigh(&batches, &PayoutTerms::default());
    assert!(certain(odds[0].carries[0].odds));
    for line in 0..2 {
        assert!(odds[0].late[line].0.abs_diff(ONE / 2) < ONE / 1000);
    }
    assert!(odds[0].late[2].1 < ONE / 10_000);
}

#[test]
fn what_never_comes_back_was_an_adjustment() {
    let batches = [
        batch(0, &[10]),
        batch(-1500, &[900, 1234, 5000]),
        batch(0, &[70, 900]),
        batch(0, &[70, 901]),
    ];
    let odds = weigh(&batches, &PayoutTerms::default());
    assert_eq!(odds[1].carries[0].amount, 0);
    assert!(certain(odds[1].carries[0].odds));
}

#[test]
fn a_late_line_is_found_in_a_payout_that_was_adjusted_too() {
    let batches = [
        batch(0, &[10]),
        batch(-1500 - 1234, &[900, 1234, 5000]),
        batch(1234, &[70, 901]),
        batch(0, &[80, 902]),
    ];
    let terms = PayoutTerms::default();
    let odds = weigh(&batches, &terms);
    assert_eq!(odds[1].carries[0].amount, 1234);
    let doubt = ONE - odds[1].carries[0].odds;
    assert!(doubt < one_in(terms.payout_risk_one_in));
    assert!(odds[1].late[1].0 > ONE - one_in(terms.payout_risk_one_in));
}

#[test]
fn a_carry_follows_from_the_one_before_unless_something_was_adjusted() {
    let lines = [batch(2, &[10, -20]), batch(0, &[60])];
    let passes = Passes::of(&lines, &PayoutTerms::default());
    assert_eq!(
        (passes.by_chance, passes.adjusted),
        (ONE / 30, ONE / 1_000_000)
    );
    assert_eq!((mean(&[]), mean(&[batch(0, &[0, 0])])), (1, 1));
    let step = Step {
        examined: BTreeSet::from([0, 7]),
        possible: 0..=100,
        ..Step::start()
    };
    let (adjusted, chance) = (passes.adjusted, passes.by_chance);
    // Two more were paid than expected, so that a carry is two less than the one before.
    for (from, to, odds) in [
        (Some(7), Some(5), ONE),
        (Some(7), Some(7), adjusted),
        (Some(7), None, adjusted),
        // What was not weighed on its own may be any possible amount that was not examined.
        (None, Some(5), adjusted),
        (None, Some(6), adjusted + chance),
        (None, Some(98), adjusted + chance),
        (None, Some(99), adjusted),
        (None, None, adjusted + chance),
    ] {
        let pass = |may_be| passes.odds((from, &step), to, &lines[0], may_be);
        assert_eq!(pass(true), odds, "{from:?} to {to:?}");
        assert_eq!(pass(false), odds - if odds == ONE { 0 } else { adjusted });
    }
}

#[test]
fn what_the_next_residuals_use_up_is_weighed_only_where_something_is_open() {
    let ahead = [batch(30, &[]), batch(0, &[]), batch(5, &[])];
    let set = |residual, before: &[(Option<i64>, u64)]| -> Vec<i64> {
        let all = candidates(&batch(residual, &[]), &ahead, before);
        all.into_iter().collect()
    };
    assert_eq!(set(0, &[(Some(0), ONE)]), [0]);
    assert_eq!(set(-7, &[(Some(0), ONE)]), [0, 7, 30, 35]);
    assert_eq!(set(0, &[(Some(7), ONE)]), [0, 7, 30, 35]);
    assert_eq!(set(0, &[(None, ONE)]), [0]);
}

#[test]
fn between_two_adjustments_any_amount_may_have_been_handed_on() {
    let batches = [
        batch(0, &[10]),
        batch(-1500, &[900, 1234, 5000]),
        batch(700, &[70, 901]),
        batch(0, &[80, 902]),
    ];
    let terms = PayoutTerms::default();
    let odds = weigh(&batches, &terms);
    let certain = ONE - one_in(terms.payout_risk_one_in);
    let nothing = odds[1].carries[0];
    assert!(nothing.amount == 0 && nothing.odds < certain);
    // Each line may be late, and none of them is known to be.
    for (least, most) in &odds[1].late {
        assert!(*least < ONE / 2 && *most > one_in(terms.line_risk_one_in));
    }
    assert!(odds[0].late[0].1 < one_in(terms.line_risk_one_in));
}

#[test]
fn what_was_not_examined_is_not_certain() {
    let terms = PayoutTerms {
        steps_max: 10,
        ..PayoutTerms::default()
    };
    let batches = [batch(-1234, &[900, 1234, 5000]), batch(1234, &[100])];
    let odds = weigh(&batches, &terms);
    assert!(odds[0].over_budget);
    assert_eq!(odds[0].late[1].0, 0);
    assert!(odds[0].late[0].1 > ONE / 2);
}

#[test]
fn where_all_came_that_was_due_no_other_explanation_is_weighed() {
    let batches = [batch(0, &[500, 700]), batch(0, &[900])];
    for odds in weigh(&batches, &PayoutTerms::default()) {
        assert_eq!(odds.carries.len(), 1);
        assert_eq!((odds.carries[0].amount, odds.carries[0].odds), (0, ONE));
        assert!(odds.late.iter().all(|late| *late == (0, 0)));
        assert!(!odds.over_budget);
    }
    // Lines that cancel each other out, and lines of nothing, may be late unseen.
    let odds = weigh(&[batch(0, &[500, -500, 0, 700])], &PayoutTerms::default());
    let [one, other, nothing, alone] = odds[0].late[..] else {
        unreachable!("there are four lines")
    };
    assert!(one == other && one.0 > 0 && one.1 < ONE / 10_000);
    assert_eq!((nothing, alone), ((0, ONE), (0, 0)));
}

#[test]
fn without_steps_to_weigh_any_set_only_the_empty_one_is_known() {
    let terms = PayoutTerms {
        steps_max: 10,
        ..PayoutTerms::default()
    };
    let odds = weigh(&[batch(0, &[-5000, 0, 700])], &terms);
    assert_eq!(
        (odds[0].carries[0].amount, odds[0].carries[0].odds),
        (0, ONE)
    );
    assert!(!odds[0].over_budget);
    assert_eq!(odds[0].late, [(0, 0), (0, ONE), (0, 0)]);
}

#[test]
fn the_odds_of_a_carry_are_those_of_all_chains_through_it() {
    let terms = PayoutTerms {
        late_one_in: 3,
        adjusted_one_in: 4,
        ..PayoutTerms::default()
    };
    let batches = [
        batch(-30, &[30, 50]),
        batch(10, &[20, 20, 40]),
        batch(20, &[60]),
    ];
    let passes = Passes::of(&batches, &terms);
    let mut steps: Vec<Step> = Vec::new();
    let mut chains = vec![(Vec::new(), ONE)];
    for (place, batch) in batches.iter().enumerate() {
        let ahead = &batches[place + 1..];
        let step = Step::forward(batch, ahead, steps.last(), &terms, &passes);
        let start = Step::start();
        let before = steps.last().unwrap_or(&start);
        let mut longer = Vec::new();
        for (chain, odds) in chains {
            let last: usize = chain.last().copied().unwrap_or(0);
            let from = (before.carries[last].amount, before);
            for (at, to) in step.carries.iter().enumerate() {
                let pass = passes.odds(from, to.amount, batch, step.may_be_adjusted);
                let chain = [chain.as_slice(), &[at]].concat();
                longer.push((chain, product(product(odds, pass), to.weight())));
            }
        }
        chains = longer;
        steps.push(step);
    }
    backward(&mut steps, &batches, &passes);
    let all: u128 = chains.iter().map(|(_, odds)| u128::from(*odds)).sum();
    for (place, step) in steps.iter().enumerate() {
        let raw = step.carries.iter();
        let raw = raw.map(|carry| u128::from(carry.forward) * u128::from(carry.backward));
        let found = normalised(&raw.collect::<Vec<_>>());
        for (at, found) in found.iter().enumerate() {
            let through = chains.iter().filter(|(chain, _)| chain[place] == at);
            let through: u128 = through.map(|(_, odds)| u128::from(*odds)).sum();
            let expected = (through << 56) / all;
            let apart = u128::from(*found).abs_diff(expected);
            assert!(
                apart < u128::from(ONE) / 1_000_000,
                "{place}, {at}: {apart}"
            );
        }
    }
}
