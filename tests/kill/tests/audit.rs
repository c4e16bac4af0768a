//! What the provider's books and the host's record say when all is over.

use std::collections::BTreeMap;

use counterfoil_kill::control::Booked;
use counterfoil_kill::host::Act;
use counterfoil_kill::plan::{self, Plan};

/// What must not happen, case by case.
#[derive(Debug, Default)]
pub struct Findings {
    pub double_charges: Vec<String>,
    pub double_refunds: Vec<String>,
    pub lost: Vec<String>,
    pub double_confirmations: Vec<String>,
    /// How to run it again.
    pub again: String,
    /// Whether the host came to its end.
    pub has_finished: bool,
}

impl Findings {
    pub fn is_none(&self) -> bool {
        let all = [
            &self.double_charges,
            &self.double_refunds,
            &self.lost,
            &self.double_confirmations,
        ];
        self.has_finished && all.into_iter().all(Vec::is_empty)
    }

    pub fn assert_none(&self) {
        assert!(self.is_none(), "{self:#?}");
    }
}

/// Compares every order of a run with its plan.
pub fn audit(seed: u64, orders: usize, books: &[Booked], acts: &[Act]) -> Findings {
    let mut findings = Findings::default();
    for number in 0..orders {
        let id = plan::id(number);
        let plan = Plan::of(seed, number);
        let its = books
            .iter()
            .filter(|b| b.order.as_deref() == Some(id.as_str()));
        let its: Vec<_> = its.collect();
        let sum = |of: fn(&Booked) -> i64| its.iter().map(|booked| of(booked)).sum::<i64>();
        let charges: u32 = its.iter().map(|booked| booked.charges).sum();
        let (captured, refunded) = (sum(|b| b.captured), sum(|b| b.refunded));
        let case = || format!("{id} of {plan:?}: {its:?}");
        if charges > 1 || captured > plan.total {
            findings.double_charges.push(case());
        }
        let planned: i64 = plan.refunds.iter().sum();
        let mut commands = BTreeMap::new();
        let refunds = its.iter().flat_map(|b| b.refunds.iter().flatten());
        for (command, _) in refunds {
            *commands.entry(command.clone()).or_insert(0) += 1;
        }
        if refunded > planned || commands.values().any(|count| *count > 1) {
            findings.double_refunds.push(case());
        }
        if captured < plan.total || refunded < planned {
            findings.lost.push(case());
        }
        confirmations(id.as_str(), &plan, acts, &mut findings);
    }
    let strange = books.iter().filter(|booked| {
        let number = booked.order.as_deref().and_then(plan::number);
        booked.captured > 0 && number.is_none_or(|number| number >= orders)
    });
    let strange = strange.map(|booked| format!("of no order: {booked:?}"));
    findings.double_charges.extend(strange);
    findings
}

/// Each order is paid once and each refund done once, by one id each.
fn confirmations(order: &str, plan: &Plan, acts: &[Act], findings: &mut Findings) {
    let its = acts.iter().filter(|act| act.order == order);
    let mut ids: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for act in its {
        ids.entry(&act.kind).or_default().push(&act.id);
    }
    for (kind, ids) in &ids {
        if ids.len() > 1 {
            let found = format!("{order}: {kind} by {ids:?}");
            findings.double_confirmations.push(found);
        }
    }
    let refunds = ids.keys().filter(|kind| kind.starts_with("refunded:"));
    let refunds = refunds.count();
    if !ids.contains_key("paid") || refunds < plan.refunds.len() {
        let found = format!("{order} of {plan:?}: confirmed were {ids:?}");
        findings.lost.push(found);
    }
    if refunds > plan.refunds.len() {
        let found = format!("{order} of {plan:?}: confirmed were {ids:?}");
        findings.double_confirmations.push(found);
    }
}

#[test]
fn the_audit_finds_each_fault_in_the_books() {
    let seed = 5;
    let number = (0..100).find(|n| Plan::of(seed, *n).refunds.len() == 1);
    let (number, plan) = (number.unwrap(), Plan::of(seed, number.unwrap()));
    let id = plan::id(number);
    let cents = plan.refunds[0];
    let booked = |captured, charges, refunds: &[i64]| Booked {
        payment: "pi_1".into(),
        order: Some(id.as_str().into()),
        captured,
        refunded: refunds.iter().sum(),
        charges,
        refunds: Some(refunds.iter().map(|c| (Some("r".into()), *c)).collect()),
    };
    let act = |kind: &str, id_: &str| Act {
        order: id.as_str().into(),
        kind: kind.into(),
        id: id_.into(),
    };
    let told = || vec![act("paid", "a"), act("refunded:re_1", "b")];
    let look = |books: &[Booked], acts: &[Act]| {
        let mut findings = audit(seed, number + 1, books, acts);
        // Only this order is played.
        findings
            .lost
            .retain(|found| found.starts_with(&format!("{id} ")));
        findings.has_finished = true;
        findings
    };
    look(&[booked(plan.total, 1, &[cents])], &told()).assert_none();
    let twice = [booked(plan.total, 1, &[cents]), booked(plan.total, 1, &[])];
    assert_eq!(look(&twice, &told()).double_charges.len(), 1);
    let twice = [booked(plan.total, 1, &[cents, cents])];
    assert_eq!(look(&twice, &told()).double_refunds.len(), 1);
    assert_eq!(look(&[], &told()).lost.len(), 1);
    assert_eq!(look(&[booked(plan.total, 1, &[])], &told()).lost.len(), 1);
    let right = [booked(plan.total, 1, &[cents])];
    assert_eq!(look(&right, &told()[..1]).lost.len(), 1);
    let doubled = [told(), vec![act("paid", "c")]].concat();
    assert_eq!(look(&right, &doubled).double_confirmations.len(), 1);
    let strange = Booked {
        order: None,
        ..booked(100, 1, &[])
    };
    let strange = [right[0].clone(), strange];
    assert_eq!(look(&strange, &told()).double_charges.len(), 1);
}
