//! What is kept with a verdict, so that it can be explained a year later.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic where it fails"
)]

use counterfoil::Test;
use counterfoil::clock::Timestamp;
use counterfoil::matching::{
    Batch, Decision, EntryKind, EntryRow, Field, OrderRow, Policy, ReferenceRules, ResidualKind,
    Rule, Verdict, VerdictKind,
};
use counterfoil::money::{Currency, Money};

type Row<'a> = EntryRow<'a, Test>;

const DAY_S: i64 = 86_400;
const PLACED: &str = "2026-01-01T00:00:00Z";
const A_DAY_LATER: &str = "2026-01-02T00:00:00Z";

/// So many seconds after the orders are placed.
fn after(seconds: i64) -> Timestamp {
    Timestamp::from_unix(1_767_225_600 + seconds)
}

fn euros(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

/// An order A of 100.00 by customer c.
fn order() -> OrderRow<'static> {
    OrderRow::new("A", euros(10_000), after(0)).with_customer("c")
}

fn paid(id: &str, minor: i64) -> Row<'_> {
    EntryRow::payment(id, euros(minor), after(DAY_S)).with_reference("a")
}

fn refund(minor: i64) -> Row<'static> {
    EntryRow::new("r", EntryKind::Refund, euros(minor), after(2 * DAY_S))
}

fn batch(orders: &[OrderRow<'_>], entries: &[Row<'_>]) -> Batch<Test> {
    let mut policy = Policy::default();
    policy.references = ReferenceRules::default().with_pattern("INV-####");
    let mut batch = Batch::new(policy);
    orders.iter().for_each(|order| batch.order(order).unwrap());
    entries.iter().for_each(|entry| batch.entry(entry).unwrap());
    batch
}

/// The decision on the last of the entries.
fn decided(orders: &[OrderRow<'_>], entries: &[Row<'_>]) -> Decision {
    let batch = batch(orders, entries);
    batch.run().entry_decision(entries.len() - 1).unwrap()
}

/// Each field with what the entry and the order have, and whether they agree.
fn compared(decision: &Decision) -> Vec<(Field, &str, &str, bool)> {
    let each = decision.evidence.compared.iter();
    each.map(|c| (c.field, &*c.entry, &*c.order, c.agrees))
        .collect()
}

fn residual(decision: &Decision) -> (ResidualKind, i64) {
    let residual = decision.evidence.residual;
    (residual.kind, residual.minor)
}

#[test]
fn a_payment_is_compared_field_by_field_with_what_its_order_still_missed() {
    let same = decided(&[order()], &[paid("p", 10_000).with_customer("c")]);
    assert_eq!(
        compared(&same),
        [
            (Field::Reference, "a", "A", true),
            (Field::Amount, "100.00 EUR", "100.00 EUR", true),
            (Field::Customer, "c", "c", true),
            (Field::Time, A_DAY_LATER, PLACED, true),
        ]
    );
    assert_eq!(residual(&same), (ResidualKind::Exact, 0));
    assert_eq!(
        same.to_string(),
        "p for order A: paid, found by its reference."
    );

    let early = EntryRow::payment("q", euros(4_500), after(-601)).with_reference("A");
    let other = decided(&[order()], &[paid("p", 6_000), early.with_customer("d")]);
    assert_eq!(
        compared(&other),
        [
            (Field::Reference, "A", "A", true),
            (Field::Amount, "45.00 EUR", "40.00 EUR", false),
            (Field::Customer, "d", "c", false),
            (Field::Time, "2025-12-31T23:49:59Z", PLACED, false),
        ]
    );
    assert_eq!(residual(&other), (ResidualKind::Over, 500));
    let in_time = EntryRow::payment("p", euros(1), after(-600)).with_reference("A");
    assert!(compared(&decided(&[order()], &[in_time]))[2].3);

    let unknown = OrderRow::of_unknown_total("A", Currency::EUR, after(0));
    let found = decided(&[unknown], &[paid("p", 6_000)]);
    assert_eq!(
        compared(&found)[1],
        (Field::Amount, "60.00 EUR", "unknown", false)
    );
}

#[test]
fn the_text_that_named_an_order_is_kept_and_the_reference_that_named_none() {
    let invoice = OrderRow::new("INV-1001", euros(10_000), after(0));
    let text = "thanks for inv-1001!";
    let by_text = EntryRow::payment("p", euros(10_000), after(DAY_S)).with_text(text);
    let found = decided(&[invoice], &[by_text]);
    assert_eq!(
        (found.evidence.rule, compared(&found)[0]),
        (Rule::Remittance, (Field::Reference, text, "INV-1001", true))
    );
    let lost = decided(&[order()], &[paid("p", 1).with_reference("Z")]);
    assert_eq!(compared(&lost), [(Field::Reference, "Z", "", false)]);
    assert_eq!((lost.evidence.considered, &*lost.allocations), (0, &[][..]));
    assert_eq!(
        lost.to_string(),
        "p: the reference names no order that is known."
    );
}

#[test]
fn what_is_taken_back_is_compared_with_its_payment() {
    let p = paid("p", 10_000);
    let found = decided(&[order()], &[p, refund(-6_000).with_parent("p")]);
    assert_eq!(
        compared(&found),
        [
            (Field::Parent, "p", "p", true),
            (Field::Amount, "-60.00 EUR", "100.00 EUR", false),
            (Field::Reference, "", "A", false),
        ]
    );
    assert_eq!(residual(&found), (ResidualKind::PartialRefund, 4_000));
    // One that names its order and not its payment.
    let found = decided(&[order()], &[p, refund(10_000).with_reference("a")]);
    assert_eq!(
        compared(&found),
        [
            (Field::Parent, "", "p", false),
            (Field::Amount, "100.00 EUR", "100.00 EUR", true),
            (Field::Reference, "a", "A", true),
        ]
    );
    assert_eq!(residual(&found), (ResidualKind::FullRefund, 0));
}

#[test]
fn a_twin_is_named_and_whether_the_order_is_exact_without_it() {
    let larger = OrderRow::new("A", euros(15_000), after(0));
    for (order, exact_without) in [(order(), true), (larger, false)] {
        let batch = batch(&[order], &[paid("p", 10_000), paid("q", 10_000)]);
        let report = batch.run();
        let twins = [0, 1].map(|row| report.entry_decision(row).unwrap().evidence.twin);
        let [None, Some(twin)] = twins else {
            panic!("only the second has one: {twins:?}")
        };
        assert_eq!((&*twin.entry, twin.exact_without), ("p", exact_without));
        assert_eq!(report.order_decision(0).unwrap().evidence.twin, Some(twin));
    }
    // Of three, each of the later two is one too many, although the order is not exact without it.
    let batch = batch(&[order()], &["p", "q", "r"].map(|id| paid(id, 10_000)));
    let report = batch.run();
    for row in [1, 2] {
        let twin = report.entry_decision(row).unwrap().evidence.twin.unwrap();
        assert!(twin.exact_without, "{twin:?}");
    }
}

#[test]
fn a_suggestion_names_the_next_best_order_and_how_much_further_it_is() {
    let at = |id, seconds| OrderRow::new(id, euros(10_000), after(seconds));
    let p = EntryRow::payment("p", euros(10_000), after(600));
    let found = decided(&[at("B", 600 - 72_000), at("A", 0)], &[p]);
    let Verdict::Suggested { candidates } = &found.verdict else {
        panic!("{found}")
    };
    let named: Vec<_> = candidates
        .iter()
        .map(|c| (&*c.order, c.open_minor, c.same_customer, c.seconds_after))
        .collect();
    let next = ("B", Some(10_000), None, 72_000);
    assert_eq!(named, [("A", Some(10_000), None, 600), next]);
    assert_eq!(found.evidence.considered, 2);
    assert_eq!(found.evidence.runner_up.as_ref(), candidates.get(1));
    assert_eq!(found.evidence.margin_seconds, Some(71_400));
    assert_eq!(
        found.to_string(),
        "p: probably for order A, to be confirmed; next best was order B, 71400 s further away."
    );
}

#[test]
fn candidates_say_whether_they_are_of_the_same_customer_and_what_they_miss() {
    let of = |id, customer| OrderRow::new(id, euros(10_000), after(0)).with_customer(customer);
    let part = paid("q", 6_000).with_reference("A-11");
    let p = paid("p", 10_000).with_reference("a11").with_customer("c");
    let found = decided(&[of("A-11", "c"), of("A-1-1", "d")], &[part, p]);
    assert_eq!(found.verdict.kind(), VerdictKind::Ambiguous);
    let candidates = found.verdict.candidates().iter();
    let named: Vec<_> = candidates
        .map(|c| (&*c.order, c.open_minor, c.same_customer))
        .collect();
    assert_eq!(
        named,
        [
            ("A-1-1", Some(10_000), Some(false)),
            ("A-11", Some(4_000), Some(true))
        ]
    );
}

#[test]
fn an_order_is_compared_with_all_that_came_for_it() {
    let batch = batch(&[order()], &[paid("p", 6_000), paid("q", 3_000)]);
    let report = batch.run();
    let found = report.order_decision(0).unwrap();
    assert_eq!(
        compared(&found),
        [(Field::Amount, "90.00 EUR", "100.00 EUR", false)]
    );
    let allocated: Vec<_> = found
        .allocations
        .iter()
        .map(|a| (&*a.order, a.amount))
        .collect();
    assert_eq!(allocated, [("A", euros(9_000))]);
    assert_eq!(residual(&found), (ResidualKind::Under, -1_000));
    assert_eq!(
        (found.evidence.rule, found.evidence.considered),
        (Rule::Reference, 2)
    );
    assert_eq!(found.to_string(), "order A: underpaid, 10.00 EUR short.");
    assert!(report.order_decision(1).is_none() && report.entry_decision(2).is_none());
}
