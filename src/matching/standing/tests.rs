//! Rules of the fold, each by the smallest order that shows it.

use super::*;
use crate::clock::Timestamp;
use crate::matching::input::{EntryRow, OrderRow};
use crate::matching::policy::Rate;
use crate::matching::reference::ReferenceRules;
use crate::mode::Test;
use crate::money::{Currency, Money};

type Row<'a> = EntryRow<'a, Test>;

fn at(unix: i64) -> Timestamp {
    Timestamp::from_unix(unix)
}

fn euros(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

fn dollars(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

/// An order of 100.00.
fn order() -> OrderRow<'static> {
    OrderRow::new("A", euros(10_000), at(0))
}

fn paid(id: &str, minor: i64, unix: i64) -> Row<'_> {
    EntryRow::payment(id, euros(minor), at(unix))
}

fn entry(kind: EntryKind, id: &str, minor: i64, unix: i64) -> Row<'_> {
    EntryRow::new(id, kind, euros(minor), at(unix))
}

/// An order with its lines, as the fold leaves them.
struct Folded {
    table: Table,
    standing: Standing,
    lines: Vec<Line>,
}

impl Folded {
    fn new(policy: &Policy, order: OrderRow<'_>, entries: &[Row<'_>]) -> Self {
        Self::with_redeliveries(policy, order, entries, 0)
    }

    /// Of `entries`, the last `redelivered` repeat others.
    fn with_redeliveries(
        policy: &Policy,
        order: OrderRow<'_>,
        entries: &[Row<'_>],
        redelivered: usize,
    ) -> Self {
        let mut table = Table::new(ReferenceRules::default());
        table.push_order(&order).unwrap();
        let counting = entries.len() - redelivered;
        let line = |(at, row): (usize, &Row<'_>)| {
            Line::new(table.push_entry(row).unwrap(), at >= counting)
        };
        let mut lines: Vec<Line> = entries.iter().enumerate().map(line).collect();
        let order = *table.order(0).unwrap();
        let standing = fold(&table, policy, &order, &mut lines);
        Self {
            table,
            standing,
            lines,
        }
    }

    fn verdicts(&self) -> (VerdictKind, ResidualKind) {
        (self.standing.kind, self.standing.residual)
    }

    /// The verdict on each entry, by id.
    fn kinds(&self) -> Vec<(&str, VerdictKind)> {
        let kind = |line: &Line| (self.table.entry_id(line.entry), line.kind);
        self.lines.iter().map(kind).collect()
    }

    /// Which line each line names, by id.
    fn named(&self, by: impl Fn(&Line) -> Option<u32>) -> Vec<(&str, &str)> {
        let id = |line: &Line| self.table.entry_id(line.entry);
        let pair = |line| Some((id(line), id(&self.lines[by(line)? as usize])));
        self.lines.iter().filter_map(pair).collect()
    }
}

fn folded(entries: &[Row<'_>]) -> Folded {
    Folded::new(&Policy::default(), order(), entries)
}

#[test]
fn an_order_takes_payments_up_to_the_second_in_which_it_closes() {
    use VerdictKind::{DuplicatePayment, Overpaid, Paid, PaidAfterClose, Underpaid};
    let closes = order().with_closed_at(at(50));
    for (entries, kind, of_last) in [
        (vec![paid("p", 10_000, 50)], Paid, Paid),
        (vec![paid("p", 10_000, 51)], PaidAfterClose, PaidAfterClose),
        (
            vec![paid("p", 6_000, 50), paid("q", 4_000, 51)],
            PaidAfterClose,
            PaidAfterClose,
        ),
        // What was paid in time stays paid, and what came then was too much, not too late.
        (
            vec![paid("p", 10_000, 50), paid("q", 10_000, 51)],
            Overpaid,
            DuplicatePayment,
        ),
        (
            vec![paid("p", 4_000, 50), paid("q", 0, 51)],
            Underpaid,
            PaidAfterClose,
        ),
    ] {
        let found = Folded::new(&Policy::default(), closes, &entries);
        let last = found.kinds().pop().unwrap().1;
        assert_eq!((found.standing.kind, last), (kind, of_last), "{entries:?}");
    }
}

#[test]
fn only_money_beyond_a_paid_order_is_a_duplicate() {
    use VerdictKind::{DuplicatePayment, Overpaid, Paid};
    let rounds = Policy {
        rounding_minor: 5,
        ..Policy::default()
    };
    let strict = Policy::default();
    let free = OrderRow::new("A", euros(0), at(0));
    for (policy, order, amounts, kinds) in [
        (&strict, order(), [6_000, 4_000], [Paid; 2]),
        (&strict, order(), [10_000, 0], [Paid; 2]),
        (&strict, order(), [10_000, 1], [Overpaid, DuplicatePayment]),
        // An order over nothing is paid by nobody until a payment comes.
        (&strict, free, [500, 500], [Overpaid, DuplicatePayment]),
        // What rounding would let pass may still be completed, by no more than the rounding.
        (&rounds, order(), [9_996, 4], [Paid; 2]),
        (&rounds, order(), [9_996, 5], [Paid; 2]),
        (&rounds, order(), [9_995, 6], [Paid, DuplicatePayment]),
        (&rounds, order(), [9_994, 6], [Paid; 2]),
    ] {
        let entries = [paid("p", amounts[0], 1), paid("q", amounts[1], 2)];
        let found = Folded::new(policy, order, &entries);
        assert_eq!(
            found.kinds(),
            [("p", kinds[0]), ("q", kinds[1])],
            "{amounts:?}"
        );
    }
}

#[test]
fn a_conversion_may_lose_half_a_unit_for_each_payment_and_no_more() {
    let policy = Policy {
        rates: vec![Rate {
            from: Currency::USD,
            to: Currency::EUR,
            numerator: 1,
            denominator: 1,
            from_unix: 0,
            until_unix: 100,
        }],
        ..Policy::default()
    };
    let paid = |id, minor| Row::payment(id, dollars(minor), at(1));
    for (entries, expected) in [
        (
            vec![paid("p", 10_000)],
            (VerdictKind::Paid, ResidualKind::Exact),
        ),
        (
            vec![paid("p", 9_999)],
            (VerdictKind::Paid, ResidualKind::Fx),
        ),
        (
            vec![paid("p", 9_998)],
            (VerdictKind::Underpaid, ResidualKind::Under),
        ),
        (
            vec![paid("p", 10_002)],
            (VerdictKind::Overpaid, ResidualKind::Over),
        ),
        (
            vec![paid("p", 5_000), paid("q", 5_002)],
            (VerdictKind::Paid, ResidualKind::Fx),
        ),
    ] {
        let found = Folded::new(&policy, order(), &entries);
        assert_eq!(found.verdicts(), expected, "{entries:?}");
    }
}

#[test]
fn a_lost_dispute_takes_back_what_was_disputed_once() {
    use EntryKind::{DisputeLost, DisputeOpened, DisputeWon};
    let whole = paid("p", 10_000, 1);
    for (disputes, taken_back) in [
        (vec![(DisputeOpened, 10_000)], 10_000),
        (vec![(DisputeLost, 10_000)], 10_000),
        (vec![(DisputeOpened, 10_000), (DisputeLost, 10_000)], 10_000),
        (vec![(DisputeOpened, 4_000), (DisputeWon, 4_000)], 0),
        (vec![(DisputeWon, 4_000)], 0),
    ] {
        let told = disputes
            .iter()
            .map(|(kind, minor)| entry(*kind, "d", *minor, 2));
        let entries: Vec<_> = [whole].into_iter().chain(told).collect();
        assert_eq!(
            folded(&entries).standing.taken_back,
            taken_back,
            "{disputes:?}"
        );
    }
}

#[test]
fn a_payment_names_its_twin_which_is_the_same_money_under_another_id() {
    let twins = |entries: &[Row<'_>]| {
        let found = folded(entries);
        let named = found.named(|line| line.twin);
        let owned = |(a, b): (&str, &str)| format!("{a} {b}");
        named.into_iter().map(owned).collect::<Vec<_>>()
    };
    let first = paid("p", 6_000, 1);
    assert_eq!(twins(&[first, paid("q", 6_000, 2)]), ["q p"]);
    assert_eq!(twins(&[paid("q", 6_000, 2), first]), ["q p"]);
    for other in [
        paid("q", 6_001, 2),
        paid("q", 6_000, 2).with_rail("card"),
        Row::payment("q", dollars(6_000), at(2)),
        entry(EntryKind::Refund, "q", 6_000, 2),
        entry(EntryKind::PendingPayment, "q", 6_000, 2),
    ] {
        assert!(twins(&[first, other]).is_empty(), "{other:?}");
    }
    let again = Folded::with_redeliveries(&Policy::default(), order(), &[first, first], 1);
    assert!(again.named(|line| line.twin).is_empty(), "a redelivery");
}

#[test]
fn of_two_twins_the_extra_one_is_the_duplicate_whatever_came_last() {
    use VerdictKind::{DuplicatePayment, Overpaid};
    // 60.00, the same again, and then the 40.00 that complete the order.
    let entries = [
        paid("p", 6_000, 1),
        paid("q", 6_000, 2),
        paid("r", 4_000, 3),
    ];
    let kinds = [("p", Overpaid), ("r", Overpaid), ("q", DuplicatePayment)];
    assert_eq!(folded(&entries).kinds(), kinds);
    assert_eq!(folded(&entries).named(|line| line.twin), [("q", "p")]);

    // What does not count towards the order does not hide which of them is extra.
    let mut more = entries.to_vec();
    more.push(Row::payment("x", dollars(77), at(0)));
    more.push(entry(EntryKind::FailedPayment, "x", 77, 0));
    more.push(entries[0]);
    let found = Folded::with_redeliveries(&Policy::default(), order(), &more, 1);
    assert_eq!(found.kinds().pop(), Some(("q", DuplicatePayment)));

    // Where none of them is extra, all stay in order of time.
    let in_time = |order: OrderRow<'_>, entries: &[Row<'_>]| {
        let found = Folded::new(&Policy::default(), order, entries);
        let ids = found.kinds().into_iter().map(|(id, _)| id.to_owned());
        ids.collect::<Vec<_>>()
    };
    let short = [entries[0], entries[1], paid("r", 3_000, 3)];
    assert_eq!(in_time(order(), &short), ["p", "q", "r"]);
    let unknown = OrderRow::of_unknown_total("A", Currency::EUR, at(0));
    let foreign = ["p", "q"].map(|id| Row::payment(id, dollars(6_000), at(1)));
    let entries = [foreign[0], foreign[1], paid("r", 4_000, 3)];
    assert_eq!(in_time(unknown, &entries), ["p", "q", "r"]);
}

#[test]
fn what_is_taken_back_is_led_to_its_payment() {
    let parents = |entries: &[Row<'_>]| {
        let found = folded(entries);
        let named = found.named(|line| line.parent);
        let owned = |(a, b): (&str, &str)| format!("{a} {b}");
        named.into_iter().map(owned).collect::<Vec<_>>()
    };
    let [p, q] = [paid("p", 6_000, 1), paid("q", 4_000, 2)];
    let refund = |minor| entry(EntryKind::Refund, "r", minor, 3);
    // By the parent's id, or another id of it; else by the amount; else if there is one only.
    assert_eq!(
        parents(&[p, q, refund(-6_000).with_parent("q")]),
        ["r q"],
        "the id comes first"
    );
    let known_twice = q.with_other_ids(&["ch_q"]);
    assert_eq!(
        parents(&[p, known_twice, refund(-1).with_parent("ch_q")]),
        ["r q"]
    );
    assert_eq!(parents(&[p, q, refund(-4_000)]), ["r q"]);
    assert_eq!(parents(&[p, refund(-1)]), ["r p"]);
    assert!(parents(&[p, q, refund(-1)]).is_empty());
    assert!(
        parents(&[p, paid("q", 6_000, 2), refund(-6_000)]).is_empty(),
        "two of the amount"
    );
    // What has only been announced, or comes again, has nothing that could be taken back.
    let announced = entry(EntryKind::PendingPayment, "p", 6_000, 0);
    assert_eq!(parents(&[announced, p, refund(-6_000)]), ["r p"]);
    let entries = [p, refund(-6_000), p];
    let again = Folded::with_redeliveries(&Policy::default(), order(), &entries, 1);
    assert_eq!(again.named(|line| line.parent), [("r", "p")]);
}

#[test]
fn what_one_payment_settles_at_once_the_fold_settles_alike() {
    let rows = [
        paid("p", 10_000, 1),
        paid("p", 9_999, 1),
        paid("p", 10_000, 51),
        entry(EntryKind::PendingPayment, "p", 10_000, 1),
        Row::payment("p", dollars(10_000), at(1)),
    ];
    let closes = order().with_closed_at(at(50));
    let unknown = OrderRow::of_unknown_total("A", Currency::EUR, at(0));
    let mut at_once = 0;
    for (order, row) in [closes, unknown]
        .iter()
        .flat_map(|order| rows.iter().map(move |row| (order, row)))
    {
        for (absorbed, share) in [(false, None), (true, None), (false, Some(10_000))] {
            let mut table = Table::new(ReferenceRules::default());
            table.push_order(order).unwrap();
            let mut line = Line::new(table.push_entry(row).unwrap(), absorbed);
            line.share = share;
            let order = *table.order(0).unwrap();
            let standing = paid_at_once(&table, &order, &line);
            let folded = fold(&table, &Policy::default(), &order, &mut [line]);
            assert!(
                standing.is_none_or(|standing| standing == folded),
                "{row:?}"
            );
            at_once += usize::from(standing.is_some());
        }
    }
    assert_eq!(at_once, 1, "the one plain payment of the whole");
}

#[test]
fn sums_past_64_bits_end_at_the_nearest_that_fits() {
    let most = [paid("p", i64::MAX, 1), paid("q", i64::MAX, 2)];
    assert_eq!(folded(&most).standing.paid, i64::MAX);
    let least = [paid("p", i64::MIN, 1), paid("q", i64::MIN, 2)];
    assert_eq!(folded(&least).standing.paid, i64::MIN);
}
