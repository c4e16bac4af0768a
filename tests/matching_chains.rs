//! What one rule takes can leave another pair the only one: the rules go on until none of them finds
//! anything, the surest first.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic where it fails"
)]

use counterfoil::Test;
use counterfoil::clock::Timestamp;
use counterfoil::matching::{Batch, EntryRow, OrderRow, Policy};
use counterfoil::money::{Currency, Money};

const MINUTE_S: i64 = 60;
const DAY_S: i64 = 86_400;

fn order(id: &str, minor: i64, at: i64) -> OrderRow<'_> {
    let total = Money::new(minor, Currency::EUR);
    OrderRow::new(id, total, Timestamp::from_unix(at))
}

fn paid(id: &str, minor: i64, at: i64) -> EntryRow<'_, Test> {
    let amount = Money::new(minor, Currency::EUR);
    EntryRow::payment(id, amount, Timestamp::from_unix(at))
}

/// The order that each payment was given and the rule, with the payment's id.
fn led(orders: &[OrderRow<'_>], payments: &[EntryRow<'_, Test>]) -> Vec<String> {
    let mut batch = Batch::<Test>::new(Policy::default());
    orders.iter().for_each(|row| batch.order(row).unwrap());
    payments.iter().for_each(|row| batch.entry(row).unwrap());
    let report = batch.run();
    let entries = report.entries().map(|entry| {
        let order = entry.order.unwrap_or("nothing");
        format!("{}: {order} by {:?}", entry.id, entry.rule)
    });
    entries.collect()
}

/// An order of the customer, and its payment ten days later. Whoever the customer is, the pair has
/// to be the only one in 200 days, since ten days are too many for amount and time alone.
fn slow_pair(minor: i64, at: i64) -> (OrderRow<'static>, EntryRow<'static, Test>) {
    let order = order("A", minor, at).with_customer("c");
    (order, paid("p", minor, at + 10 * DAY_S).with_customer("c"))
}

#[test]
fn what_amount_and_time_take_is_no_rival_of_a_customers_order() {
    let (a, p) = slow_pair(10_000, 95 * DAY_S);
    let earlier = order("B", 10_000, 0).with_customer("c");
    let n = paid("n", 10_000, DAY_S);
    assert_eq!(
        led(&[a, earlier], &[p, n]),
        ["p: A by CustomerAmount", "n: B by AmountWindow"]
    );
    assert_eq!(led(&[a, earlier], &[p]), ["p: nothing by None"]);
}

#[test]
fn what_is_a_part_of_one_order_is_no_rival_for_another() {
    let (a, p) = slow_pair(10_000, 0);
    let later = order("B", 15_000, 20 * DAY_S).with_customer("c");
    let [r, s] = [("r", 10_000), ("s", 5_000)]
        .map(|(id, minor)| paid(id, minor, 20 * DAY_S + MINUTE_S).with_customer("c"));
    assert_eq!(
        led(&[a, later], &[p, r, s]),
        ["p: A by CustomerAmount", "r: B by Split", "s: B by Split"]
    );
    assert_eq!(led(&[a, later], &[p, r])[0], "p: nothing by None");
}

#[test]
fn an_order_that_two_parts_of_nobody_pay_is_no_rival_of_another() {
    let (a, p) = slow_pair(15_000, 95 * DAY_S);
    let earlier = order("B", 15_000, 0).with_customer("c");
    let [r, s] = [("r", 10_000), ("s", 5_000)].map(|(id, minor)| paid(id, minor, DAY_S));
    assert_eq!(
        led(&[a, earlier], &[p, r, s]),
        ["p: A by CustomerAmount", "r: B by Split", "s: B by Split"]
    );
}

#[test]
fn orders_that_one_payment_makes_up_leave_the_parts_of_another_certain() {
    let of = |id, minor, at| order(id, minor, at).with_customer("c");
    let orders = [of("A", 11_000, 0), of("B", 25_000, 0), of("C", 10_000, 0)];
    // 100.00 is 30 + 40 + 30 or 40 + 60, unless all that the customer paid is for it.
    let parts = [("r", 3_000), ("s", 4_000)]
        .map(|(id, minor)| paid(id, minor, -5 * MINUTE_S).with_customer("c"));
    let others = [("t", 3_000), ("u", 6_000)].map(|(id, minor)| paid(id, minor, -5 * MINUTE_S));
    let many = paid("m", 36_000, 30 * DAY_S - 5 * MINUTE_S + 1).with_customer("c");
    let payments = [&parts[..], &others, &[many]].concat();
    assert_eq!(
        led(&orders, &payments),
        [
            "r: C by Split",
            "s: C by Split",
            "t: C by Split",
            "u: nothing by None",
            "m: A by ManyOrders",
        ]
    );
    assert_eq!(led(&orders, &payments[..4])[0], "r: nothing by None");
}

#[test]
fn two_orders_may_be_made_up_by_one_payment() {
    let of = |id, minor| order(id, minor, 0).with_customer("c");
    let p = paid("p", 12_531, DAY_S).with_customer("c");
    let orders = [of("A", 10_000), of("B", 2_531)];
    assert_eq!(led(&orders, &[p]), ["p: A by ManyOrders"]);
    assert_eq!(led(&orders[..1], &[p]), ["p: nothing by None"]);
}

#[test]
fn of_a_customer_with_too_many_orders_none_is_taken_for_parts() {
    let ids: Vec<String> = (0..64).map(|n| format!("order {n}")).collect();
    let orders = |count: usize| -> Vec<OrderRow<'_>> {
        let ids = ids.iter().take(count).zip(0..);
        ids.map(|(id, n)| order(id, 10_000 + 137 * n, 0).with_customer("c"))
            .collect()
    };
    let parts =
        [("r", 6_000), ("s", 4_000)].map(|(id, minor)| paid(id, minor, DAY_S).with_customer("c"));
    assert_eq!(led(&orders(63), &parts)[0], "r: order 0 by Split");
    assert_eq!(led(&orders(64), &parts)[0], "r: nothing by None");
}

#[test]
fn a_payment_of_which_the_day_is_known_may_come_before_orders_of_that_day() {
    let p = paid("p", 10_000, 0);
    let placed = |at| [order("A", 10_000, at)];
    let end_of_day = DAY_S - 1 + 10 * MINUTE_S;
    let day_only = p.with_day_only();
    assert_eq!(
        led(&placed(end_of_day), &[day_only]),
        ["p: A by AmountWindow"]
    );
    assert_eq!(
        led(&placed(end_of_day + 1), &[day_only]),
        ["p: nothing by None"]
    );
    assert_eq!(led(&placed(end_of_day), &[p]), ["p: nothing by None"]);
}

#[test]
fn a_payment_from_before_an_order_is_no_rival_for_it() {
    let a = order("A", 10_000, 0).with_customer("c");
    let p = paid("p", 10_000, DAY_S).with_customer("c");
    let q = |at| paid("q", 10_000, at).with_customer("c");
    let before = -10 * MINUTE_S;
    assert_eq!(led(&[a], &[p, q(before - 1)])[0], "p: A by CustomerAmount");
    assert_eq!(led(&[a], &[p, q(before)])[0], "p: nothing by None");
}

#[test]
fn a_pair_is_taken_where_any_other_assignment_leaves_a_payment_with_nothing() {
    let hours = |hours: i64| hours * 60 * MINUTE_S;
    let orders = [
        order("A", 10_000, 0),
        order("B", 10_000, hours(20) - MINUTE_S),
    ];
    // The first can only be for A, and is not the only one that can.
    let payments = [paid("p", 10_000, hours(5)), paid("q", 10_000, hours(20))];
    assert_eq!(
        led(&orders, &payments),
        ["p: A by AmountWindow", "q: B by Assignment"]
    );
    // The second may be late for an order that was closed: then both are only suggested.
    let closed_at = Timestamp::from_unix(hours(19));
    let closed = order("C", 10_000, hours(18)).with_closed_at(closed_at);
    assert_eq!(
        led(&[orders[0], orders[1], closed], &payments),
        ["p: nothing by Assignment", "q: nothing by Assignment"]
    );
}
