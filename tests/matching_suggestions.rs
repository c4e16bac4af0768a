//! What is said of a payment that no rule gave an order: which one a person is asked to confirm, or
//! why there is none.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic where it fails"
)]

use counterfoil::Test;
use counterfoil::clock::Timestamp;
use counterfoil::matching::{Batch, EntryRow, OrderRow, Policy, Reason, Rule, VerdictKind};
use counterfoil::money::{Currency, Money};

type Row<'a> = EntryRow<'a, Test>;

const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 86_400;

fn at(unix: i64) -> Timestamp {
    Timestamp::from_unix(unix)
}

fn euros(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

/// An order of 100.00.
fn order(id: &str, unix: i64) -> OrderRow<'_> {
    OrderRow::new(id, euros(10_000), at(unix))
}

fn paid(id: &str, minor: i64, unix: i64) -> Row<'_> {
    EntryRow::payment(id, euros(minor), at(unix))
}

/// What is said of the first payment, by which rule, and the orders that it names.
fn said(orders: &[OrderRow<'_>], payments: &[Row<'_>]) -> (VerdictKind, Rule, Vec<String>) {
    let mut batch = Batch::<Test>::new(Policy::default());
    orders.iter().for_each(|row| batch.order(row).unwrap());
    payments.iter().for_each(|row| batch.entry(row).unwrap());
    let report = batch.run();
    let first = report.entries().next().unwrap();
    assert_eq!(first.order, None, "{payments:?}");
    let named = first.verdict.candidates().iter().map(|c| c.order.clone());
    (first.verdict.kind(), first.rule, named.collect())
}

/// A suggestion of order A by `rule`.
fn suggested(rule: Rule) -> (VerdictKind, Rule, Vec<String>) {
    (VerdictKind::Suggested, rule, vec!["A".to_owned()])
}

fn unmatched(reason: Reason) -> VerdictKind {
    VerdictKind::Unmatched(reason)
}

#[test]
fn the_only_order_of_a_customer_is_suggested_for_a_part_of_it() {
    let a = order("A", 0).with_customer("c");
    let p = |minor, unix| paid("p", minor, unix).with_customer("c");
    // Another payment of the customer, so that nothing is accepted.
    let q = |minor, unix| paid("q", minor, unix).with_customer("c");
    let dollars = EntryRow::payment("p", Money::new(5_000, Currency::USD), at(DAY_S));
    let only = Rule::CustomerOnly;
    for (story, payments, rule) in [
        ("a part", vec![p(5_000, DAY_S)], Some(only)),
        ("of fourteen days", vec![p(5_000, 14 * DAY_S)], Some(only)),
        ("and no more", vec![p(5_000, 14 * DAY_S + 1)], None),
        (
            "a fifth too much",
            vec![p(12_000, DAY_S), q(777, 3 * DAY_S)],
            Some(only),
        ),
        (
            "and no more",
            vec![p(12_001, DAY_S), q(777, 3 * DAY_S)],
            None,
        ),
        (
            "in another currency",
            vec![dollars.with_customer("c")],
            None,
        ),
        (
            "paid again within 200 days",
            vec![p(5_000, DAY_S), q(5_000, 201 * DAY_S)],
            None,
        ),
        (
            "or before",
            vec![p(5_000, DAY_S), q(5_000, -199 * DAY_S)],
            None,
        ),
        (
            "and not later",
            vec![p(5_000, DAY_S), q(5_000, 201 * DAY_S + 1)],
            Some(only),
        ),
    ] {
        let found = said(&[a], &payments);
        match rule {
            Some(rule) => assert_eq!(found, suggested(rule), "{story}"),
            None => assert_eq!(found.0, unmatched(Reason::SplitIncomplete), "{story}"),
        }
    }
    let two = said(&[a, order("B", 0).with_customer("c")], &[p(5_000, DAY_S)]);
    assert_eq!(two.0, unmatched(Reason::SplitIncomplete));
    assert_eq!(two.2, ["A", "B"]);
}

#[test]
fn a_prompt_payment_of_almost_the_amount_is_suggested() {
    let near = Some(Rule::NearMiss);
    let a = order("A", 0);
    let p = |minor, unix| paid("p", minor, unix);
    let dollars = EntryRow::payment("p", Money::new(10_001, Currency::USD), at(HOUR_S));
    let of_c = a.with_customer("c");
    // A fifth of a percent, within the three hours in which a payment is prompt.
    for (orders, payment, rule) in [
        (vec![a], p(10_020, HOUR_S), near),
        (vec![a], p(10_021, HOUR_S), None),
        (vec![a], p(9_980, HOUR_S), near),
        (vec![a], p(9_979, HOUR_S), None),
        (vec![a], p(9_999, 3 * HOUR_S), near),
        (vec![a], p(9_999, 3 * HOUR_S + 1), None),
        (vec![a], p(9_999, -600), near),
        (vec![a], p(9_999, -601), None),
        (vec![a], p(9_999, 0).with_rail("boleto"), None),
        (vec![a], dollars, None),
        (vec![a, order("B", HOUR_S)], p(9_999, HOUR_S), None),
        (vec![a, order("B", 4 * HOUR_S)], p(9_999, HOUR_S), near),
        (vec![a], p(9_999, HOUR_S).with_customer("d"), near),
        (vec![of_c], p(9_999, HOUR_S), near),
        (vec![of_c], p(9_999, HOUR_S).with_customer("d"), None),
    ] {
        let found = said(&orders, &[payment]);
        match rule {
            Some(rule) => assert_eq!(found, suggested(rule), "{payment:?}"),
            None => assert_eq!(found.1, Rule::None, "{payment:?}"),
        }
    }
}

#[test]
fn of_equal_orders_the_nearest_is_named_first_and_nothing_is_taken() {
    let orders = [order("A", 0), order("B", 2 * DAY_S), order("C", 3 * DAY_S)];
    let (kind, rule, named) = said(&orders, &[paid("p", 10_000, 4 * DAY_S)]);
    assert_eq!((kind, rule), (VerdictKind::Ambiguous, Rule::None));
    assert_eq!(named, ["C", "B", "A"]);
    // In time is who came within seven days; the others only keep it from being taken.
    let late = |days| said(&orders[..2], &[paid("p", 10_000, days * DAY_S)]).0;
    assert_eq!(late(9), VerdictKind::Ambiguous);
    assert_eq!(late(10), unmatched(Reason::OutsideWindow));
}

#[test]
fn on_a_slow_rail_the_only_order_is_suggested_past_its_window() {
    let slip = |unix| paid("p", 10_000, unix).with_rail("boleto");
    let late = slip(7 * DAY_S + 1);
    assert_eq!(said(&[order("A", 0)], &[late]), suggested(Rule::Assignment));
    let card = paid("p", 10_000, 7 * DAY_S + 1);
    assert_eq!(
        said(&[order("A", 0)], &[card]).0,
        unmatched(Reason::OutsideWindow)
    );
}

#[test]
fn why_no_order_comes_near() {
    let a = order("A", 0).with_customer("c");
    let of_c = paid("q", 10_000, HOUR_S).with_customer("c");
    let by_c = paid("p", 777, DAY_S).with_customer("c");
    let days = 201 * DAY_S;
    for (story, orders, payments, reason) in [
        (
            "paid by its customer, whose pair is the only one",
            vec![a],
            vec![paid("p", 10_000, DAY_S), of_c],
            Reason::CandidateTaken,
        ),
        (
            "the only order of the customer is paid",
            vec![a],
            vec![by_c, of_c],
            Reason::CandidateTaken,
        ),
        (
            "paid before it was placed",
            vec![order("A", 2 * DAY_S).with_customer("c")],
            vec![by_c],
            Reason::OutsideWindow,
        ),
        (
            "placed more than 200 days before",
            vec![a],
            vec![paid("p", 777, days).with_customer("c")],
            Reason::OutsideWindow,
        ),
        (
            "of another customer",
            vec![a],
            vec![by_c.with_customer("d")],
            Reason::NoCandidate,
        ),
        (
            "nobody's, of another amount",
            vec![a],
            vec![paid("p", 777, DAY_S)],
            Reason::NoCandidate,
        ),
    ] {
        assert_eq!(said(&orders, &payments).0, unmatched(reason), "{story}");
    }
}

#[test]
fn a_payment_of_zero_names_the_orders_of_its_customer_paid_or_not() {
    let of_c = |id, unix| order(id, unix).with_customer("c");
    let orders = [
        of_c("A", 0),
        of_c("B", 3 * DAY_S),
        of_c("later", 5 * DAY_S),
        of_c("long ago", -197 * DAY_S),
        order("of nobody", DAY_S),
    ];
    let zero = |id| paid(id, 0, 4 * DAY_S);
    let pays_b = paid("q", 10_000, 3 * DAY_S).with_reference("B");
    let (kind, _, named) = said(&orders, &[zero("p").with_customer("c")]);
    assert_eq!(kind, unmatched(Reason::ZeroAmount));
    assert_eq!(named, ["B", "A"]);
    let (_, _, named) = said(&orders, &[zero("p").with_customer("c"), pays_b]);
    assert_eq!(named, ["A"], "what a reference paid is not open");
    assert!(said(&orders, &[zero("p")]).2.is_empty());
}
