//! Which orders are named for a payment that no rule could place, and in which order. What speaks
//! against an order is weighed in bits: here against that of orders of the very amount, which came
//! longer ago by half a bit less and half a bit more.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic where it fails"
)]

use counterfoil::Test;
use counterfoil::clock::Timestamp;
use counterfoil::matching::{Batch, EntryRow, OrderRow, Policy, Rule, VerdictKind};
use counterfoil::money::{Currency, Money};

type Row<'a> = EntryRow<'a, Test>;

const MINUTE_S: i64 = 60;
const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 86_400;

/// How long ago an order was placed, in seconds, against which so many half bits speak for that.
fn ago(half_bits: i64) -> i64 {
    match half_bits {
        13 => 34_000,
        15 => 48_200,
        17 => 68_300,
        21 => 136_800,
        23 => 193_500,
        25 => 273_900,
        27 => 387_500,
        29 => 547_600,
        31 => 774_700,
        33 => 1_096_000,
        35 => 1_550_000,
        37 => 2_190_000,
        39 => 3_100_000,
        41 => 4_380_000,
        _ => unreachable!("{half_bits} half bits are not in the table"),
    }
}

fn euros(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

/// An order that was placed so many seconds before the payment that is looked at.
fn order(id: &str, minor: i64, ago_s: i64) -> OrderRow<'_> {
    OrderRow::new(id, euros(minor), Timestamp::from_unix(-ago_s))
}

fn paid(id: &str, minor: i64, at: i64) -> Row<'_> {
    EntryRow::payment(id, euros(minor), Timestamp::from_unix(at))
}

/// The payment that is looked at: 100.00 of nobody.
fn payment() -> Row<'static> {
    paid("p", 10_000, 0)
}

/// The orders that are named for the first payment, the likeliest first.
fn named(orders: &[OrderRow<'_>], payments: &[Row<'_>]) -> Vec<String> {
    let mut batch = Batch::<Test>::new(Policy::default());
    orders.iter().for_each(|row| batch.order(row).unwrap());
    payments.iter().for_each(|row| batch.entry(row).unwrap());
    let report = batch.run();
    let first = report.entries().next().unwrap();
    assert_eq!((first.order, first.rule), (None, Rule::None), "{orders:?}");
    let named = first.verdict.candidates().iter();
    named.map(|candidate| candidate.order.clone()).collect()
}

/// Fails unless so many half bits speak against order X, or more than all that can be compared.
fn weighs(half_bits: Option<i64>, x: OrderRow<'_>, payments: &[Row<'_>], story: &str) {
    let (less, more) = half_bits.map_or((39, 41), |bits| (bits - 1, bits + 1));
    let orders = [
        x,
        order("less", 10_000, ago(less)),
        order("more", 10_000, ago(more)),
    ];
    let expected = match half_bits {
        Some(_) => ["less", "X", "more"],
        None => ["less", "more", "X"],
    };
    assert_eq!(named(&orders, payments), expected, "{story}");
}

#[test]
fn an_amount_that_differs_weighs_as_what_it_would_have_to_mean() {
    for (total, half_bits, meaning) in [
        (10_040, 16, "rounding"),
        (9_960, 16, "rounding"),
        (9_000, 30, "interest"),
        (7_700, 36, "interest of many instalments"),
        (20_000, 40, "a part"),
    ] {
        weighs(Some(half_bits), order("X", total, 0), &[payment()], meaning);
    }
    let far_too_small = order("X", 1_000, 0);
    let others = [order("A", 10_000, DAY_S), order("B", 10_000, 2 * DAY_S)];
    let found = named(&[far_too_small, others[0], others[1]], &[payment()]);
    assert_eq!(found, ["A", "B"]);
    // By the same customer it may yet be for that order.
    let by_c = payment().with_customer("c");
    weighs(
        Some(28),
        far_too_small.with_customer("c"),
        &[by_c],
        "of the customer",
    );
    let of_another = far_too_small.with_customer("d");
    assert_eq!(
        named(&[of_another, others[0], others[1]], &[by_c]),
        ["A", "B"]
    );
}

#[test]
fn an_order_that_another_payment_fits_is_less_likely() {
    // Too late to be taken, but its amount is exact.
    let exact = paid("q", 10_040, 8 * DAY_S);
    weighs(
        Some(22),
        order("X", 10_040, 0),
        &[payment(), exact],
        "exact",
    );
    // Ten half bits for the delay, which the other payment does not have.
    let x = order("X", 10_040, 20_140);
    let sooner = paid("q", 10_030, -20_080);
    weighs(Some(26), x, &[payment()], "alone");
    weighs(
        Some(32),
        x,
        &[payment(), sooner],
        "another came sooner, for three bits at most",
    );
}

#[test]
fn parts_that_complete_an_order_speak_for_it_if_they_came_at_one_time() {
    let x = order("X", 25_000, 0);
    let rest = |at| paid("q", 15_000, at);
    let apart = 35 * MINUTE_S;
    for at in [0, apart, -apart] {
        weighs(Some(14), x, &[payment(), rest(at)], "the rest of it");
    }
    for at in [apart + 1, -apart - 1] {
        weighs(Some(40), x, &[payment(), rest(at)], "at another time");
    }
    let dollars = Money::new(15_000, Currency::USD);
    let dollars = EntryRow::payment("q", dollars, Timestamp::from_unix(0));
    weighs(Some(40), x, &[payment(), dollars], "in another currency");
    let of_c = payment().with_customer("c");
    let [by_c, by_d] = ["c", "d"].map(|customer| rest(0).with_customer(customer));
    weighs(Some(40), x, &[of_c, by_d], "of another customer");
    weighs(Some(14), x, &[of_c, by_c], "of the same customer");
    // It is looked for among all orders, not only among the last.
    let ids: Vec<String> = (0..70).map(|n| format!("later {n}")).collect();
    let dollars = Money::new(1, Currency::USD);
    let mut orders = vec![order("X", 25_000, HOUR_S)];
    orders.extend(
        ids.iter()
            .map(|id| OrderRow::new(id, dollars, Timestamp::from_unix(-MINUTE_S))),
    );
    let two = order("Y", 10_000, HOUR_S);
    let twins = [two, order("Z", 10_000, HOUR_S)];
    orders.extend(twins);
    let found = named(&orders, &[payment(), rest(0)]);
    assert!(found.contains(&"X".to_owned()), "{found:?}");
}

#[test]
fn an_order_of_unknown_total_takes_its_parts_at_one_time() {
    let unknown = OrderRow::of_unknown_total("X", Currency::EUR, Timestamp::from_unix(0));
    weighs(Some(26), unknown, &[payment()], "nothing came for it");
    let x = unknown.with_customer("c");
    let part = |at| paid("q", 777, at).with_customer("c");
    let apart = 35 * MINUTE_S;
    weighs(
        Some(32),
        x,
        &[payment(), part(apart)],
        "a part came at the time",
    );
    weighs(
        None,
        x,
        &[payment(), part(apart + 1)],
        "a part came at another time",
    );
}

#[test]
fn how_long_payments_take_is_learnt_from_a_thousand_certain_ones() {
    let names: Vec<[String; 3]> = (0..1_000)
        .map(|n| ["order", "payment", "customer"].map(|what| format!("{what} {n}")))
        .collect();
    // Until then what came soonest is the likeliest.
    let long = 20 * HOUR_S;
    let after_learning = |certain: usize| -> Vec<String> {
        let mut batch = Batch::<Test>::new(Policy::default());
        for (at, [order_id, id, customer]) in (0..certain as i64).zip(&names) {
            let at = (at - 2_000) * DAY_S;
            let placed = OrderRow::new(order_id, euros(500), Timestamp::from_unix(at));
            batch.order(&placed.with_customer(customer)).unwrap();
            let paid = paid(id, 500, at + long).with_customer(customer);
            batch.entry(&paid).unwrap();
        }
        for row in [
            order("short", 10_000, 5 * HOUR_S),
            order("long", 10_000, long),
        ] {
            batch.order(&row).unwrap();
        }
        batch.entry(&payment()).unwrap();
        let report = batch.run();
        let last = report.entries().last().unwrap();
        assert_eq!(last.verdict.kind(), VerdictKind::Ambiguous);
        let named = last.verdict.candidates().iter();
        named.map(|candidate| candidate.order.clone()).collect()
    };
    assert_eq!(after_learning(999), ["short", "long"]);
    assert_eq!(after_learning(1_000), ["long", "short"]);
}

#[test]
fn of_more_than_can_be_compared_none_is_suggested() {
    let kind = |orders: &[OrderRow<'_>], payments: &[Row<'_>]| {
        let mut batch = Batch::<Test>::new(Policy::default());
        orders.iter().for_each(|row| batch.order(row).unwrap());
        payments.iter().for_each(|row| batch.entry(row).unwrap());
        let report = batch.run();
        let first = report.entries().next().unwrap();
        first.verdict.kind()
    };
    let ids: Vec<String> = (0..32).map(|n| format!("n{n}")).collect();
    // One order is near, and each of the others is some hours further away.
    let far = |n: i64| 20 * HOUR_S + n * MINUTE_S;
    let mut orders = vec![order("A", 10_000, MINUTE_S)];
    orders.extend(ids.iter().zip(0..).map(|(id, n)| order(id, 10_000, far(n))));
    assert_eq!(kind(&orders[..32], &[payment()]), VerdictKind::Suggested);
    assert_eq!(kind(&orders, &[payment()]), VerdictKind::Ambiguous);
    let mut payments = vec![payment()];
    payments.extend(ids.iter().zip(0..).map(|(id, n)| paid(id, 10_000, far(n))));
    assert_eq!(kind(&orders[..1], &payments[..32]), VerdictKind::Suggested);
    assert_eq!(kind(&orders[..1], &payments), VerdictKind::Ambiguous);
}

#[test]
fn an_order_for_which_too_many_payments_compete_is_given_none_of_them() {
    let ids: Vec<String> = (0..60).map(|n| format!("p{n}")).collect();
    let payments: Vec<Row<'_>> = ids
        .iter()
        .zip(0..)
        .map(|(id, second)| paid(id, 10_000, second))
        .collect();
    let mut batch = Batch::<Test>::new(Policy::default());
    batch.order(&order("A", 10_000, 0)).unwrap();
    payments.iter().for_each(|row| batch.entry(row).unwrap());
    for entry in batch.run().entries() {
        assert_eq!(
            (entry.order, entry.verdict.kind()),
            (None, VerdictKind::Ambiguous),
            "{}",
            entry.id
        );
    }
}
