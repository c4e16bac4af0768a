//! One small story for each verdict, residual and way to an order.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic where it fails"
)]

use counterfoil::Test;
use counterfoil::clock::Timestamp;
use counterfoil::matching::{
    Batch, EntryKind, EntryRow, FeeRule, InterestRule, OrderRow, Policy, ProviderLink, Rate,
    Reason, ReferenceRules, ResidualKind, Rule, VerdictKind,
};
use counterfoil::money::{Currency, Money};

const DAY_S: i64 = 86_400;

fn euros(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

fn day(number: i64) -> Timestamp {
    Timestamp::from_unix(number * DAY_S)
}

/// An order A of 100.00, placed on day 0 by customer c.
fn order_a() -> OrderRow<'static> {
    OrderRow::new("A", euros(10_000), day(0)).with_customer("c")
}

fn paid(id: &'static str, minor: i64, on: i64) -> EntryRow<'static, Test> {
    EntryRow::payment(id, euros(minor), day(on))
        .with_reference("A")
        .with_rail("card")
}

fn of(kind: EntryKind, id: &'static str, minor: i64, on: i64) -> EntryRow<'static, Test> {
    EntryRow::new(id, kind, euros(minor), day(on)).with_parent("p")
}

fn batch(policy: Policy, orders: &[OrderRow<'_>], entries: &[EntryRow<'_, Test>]) -> Batch<Test> {
    let mut batch = Batch::new(policy);
    orders.iter().for_each(|order| batch.order(order).unwrap());
    entries.iter().for_each(|entry| batch.entry(entry).unwrap());
    batch
}

/// The verdict on order A, its residual, and the verdicts on the entries.
fn judged(
    policy: Policy,
    order: OrderRow<'_>,
    entries: &[EntryRow<'_, Test>],
) -> (VerdictKind, ResidualKind, Vec<VerdictKind>) {
    let batch = batch(policy, &[order], entries);
    let report = batch.run();
    let order = report.orders().next().unwrap();
    let kinds = report.entries().map(|entry| entry.verdict.kind()).collect();
    (order.verdict.kind(), order.residual, kinds)
}

#[test]
fn what_becomes_of_an_order() {
    use EntryKind::{
        DisputeLost, DisputeOpened, DisputeWon, FailedPayment, FailedRefund, PendingPayment,
        Refund, Reversal,
    };
    use VerdictKind::{Overpaid, Paid, Pending, Reversed, Underpaid};
    let whole = paid("p", 10_000, 1);
    let announced = EntryRow::new("p", PendingPayment, euros(10_000), day(1)).with_reference("A");
    let failed = EntryRow::new("p", FailedPayment, euros(10_000), day(2)).with_reference("A");
    let cases: Vec<(&str, Vec<EntryRow<'_, Test>>, VerdictKind, ResidualKind)> = vec![
        ("nothing came", vec![], Underpaid, ResidualKind::Unpaid),
        ("paid", vec![whole], Paid, ResidualKind::Exact),
        (
            "two parts",
            vec![paid("p", 6_000, 1), paid("q", 4_000, 1)],
            Paid,
            ResidualKind::Split,
        ),
        (
            "equal parts",
            vec![paid("p", 5_000, 1), paid("q", 5_000, 1)],
            Paid,
            ResidualKind::Split,
        ),
        (
            "a cent short",
            vec![paid("p", 9_999, 1)],
            Underpaid,
            ResidualKind::Under,
        ),
        (
            "a cent over",
            vec![paid("p", 10_001, 1)],
            Overpaid,
            ResidualKind::Over,
        ),
        ("announced", vec![announced], Pending, ResidualKind::Unpaid),
        (
            "announced, arrived",
            vec![announced, whole],
            Paid,
            ResidualKind::Exact,
        ),
        (
            "announced, failed",
            vec![announced, failed],
            Underpaid,
            ResidualKind::Unpaid,
        ),
        (
            "refunded",
            vec![whole, of(Refund, "r", -10_000, 2)],
            Reversed,
            ResidualKind::FullRefund,
        ),
        (
            "in part",
            vec![whole, of(Refund, "r", 1, 2)],
            Reversed,
            ResidualKind::PartialRefund,
        ),
        (
            "the refund came back",
            vec![
                whole,
                of(Refund, "r", 500, 2),
                of(FailedRefund, "f", 500, 3),
            ],
            Paid,
            ResidualKind::Exact,
        ),
        (
            "disputed",
            vec![whole, of(DisputeOpened, "d", 10_000, 2)],
            Reversed,
            ResidualKind::FullRefund,
        ),
        (
            "dispute won",
            vec![
                whole,
                of(DisputeOpened, "d", 10_000, 2),
                of(DisputeWon, "w", 10_000, 3),
            ],
            Paid,
            ResidualKind::Exact,
        ),
        (
            "dispute lost, told once or twice",
            vec![
                whole,
                of(DisputeOpened, "d", 10_000, 2),
                of(DisputeLost, "l", 10_000, 3),
            ],
            Reversed,
            ResidualKind::FullRefund,
        ),
        (
            "returned by the bank",
            vec![whole, of(Reversal, "b", -10_000, 2)],
            Reversed,
            ResidualKind::FullRefund,
        ),
        (
            "the duplicate was refunded",
            vec![
                whole,
                paid("q", 10_000, 2),
                of(Refund, "r", 10_000, 3).with_parent("q"),
            ],
            Paid,
            ResidualKind::PartialRefund,
        ),
    ];
    for (story, entries, verdict, residual) in cases {
        let found = judged(Policy::default(), order_a(), &entries);
        assert_eq!((found.0, found.1), (verdict, residual), "{story}");
    }
}

#[test]
fn what_becomes_of_a_payment() {
    use VerdictKind::{AlreadyApplied, DuplicatePayment, Paid, PaidAfterClose, UnknownOrder};
    let kinds = |order, entries: &[_]| judged(Policy::default(), order, entries).2;
    let whole = paid("p", 10_000, 1);
    let again = [whole, whole, paid("q", 10_000, 2)];
    let expected = [AlreadyApplied, DuplicatePayment];
    let found = kinds(order_a(), &again);
    assert!(
        expected.iter().all(|kind| found.contains(kind)),
        "{found:?}"
    );
    assert_eq!(
        kinds(order_a().with_closed_at(day(0)), &[whole]),
        [PaidAfterClose]
    );
    assert_eq!(kinds(order_a().with_closed_at(day(2)), &[whole]), [Paid]);
    assert_eq!(
        kinds(order_a(), &[whole.with_reference("B")]),
        [UnknownOrder]
    );
    let dollars = Money::new(10_000, Currency::USD);
    let foreign = EntryRow::payment("p", dollars, day(1)).with_reference("A");
    assert_eq!(kinds(order_a(), &[foreign]), [VerdictKind::WrongCurrency]);
}

#[test]
fn what_the_host_tolerates_is_labelled() {
    let mut policy = Policy::default();
    policy.rounding_minor = 5;
    policy.fees = vec![FeeRule {
        rail: "card".to_owned(),
        basis_points: 299,
        fixed_minor: 39,
    }];
    policy.interest = vec![InterestRule {
        rail: "card".to_owned(),
        basis_points_max: 1_500,
    }];
    policy.rates = vec![Rate {
        from: Currency::USD,
        to: Currency::EUR,
        numerator: 9,
        denominator: 10,
        from_unix: 0,
        until_unix: 10 * DAY_S,
    }];
    for (minor, verdict, residual) in [
        (9_995, VerdictKind::Paid, ResidualKind::Rounding),
        (9_994, VerdictKind::Underpaid, ResidualKind::Under),
        (9_662, VerdictKind::Paid, ResidualKind::Fee),
        (11_500, VerdictKind::Paid, ResidualKind::Interest),
        (11_501, VerdictKind::Overpaid, ResidualKind::Over),
    ] {
        let found = judged(policy.clone(), order_a(), &[paid("p", minor, 1)]);
        assert_eq!((found.0, found.1), (verdict, residual), "{minor}");
    }
    let dollars = Money::new(11_111, Currency::USD);
    for (on, verdict) in [(1, VerdictKind::Paid), (11, VerdictKind::Underpaid)] {
        let foreign = EntryRow::payment("p", dollars, day(on)).with_reference("A");
        assert_eq!(judged(policy.clone(), order_a(), &[foreign]).0, verdict);
    }
}

#[test]
fn ways_to_an_order() {
    let mut policy = Policy::default();
    policy.references = ReferenceRules::default().with_pattern("INV-####");
    let b = OrderRow::new("INV-1001", euros(2_500), day(0)).with_customer("d");
    let e = OrderRow::new("RF18539007547034", euros(4_200), day(0));
    let entries = [
        EntryRow::payment("p1", euros(10_000), day(1)).with_text("no idea"),
        EntryRow::payment("p2", euros(2_500), day(1)).with_text("thanks for inv-1001!"),
        EntryRow::payment("p3", euros(4_200), day(1)).with_text("RF18 5390 0754 7034"),
    ];
    let mut batch = batch(policy, &[order_a(), b, e], &entries);
    let link = ProviderLink {
        provider_id: "p1",
        order: "A",
    };
    batch.link(link).unwrap();
    let report = batch.run();
    let found: Vec<_> = report
        .entries()
        .map(|entry| (entry.order, entry.rule))
        .collect();
    let expected = [
        (Some("A"), Rule::RegisteredId),
        (Some("INV-1001"), Rule::Remittance),
        (Some("RF18539007547034"), Rule::Remittance),
    ];
    assert_eq!(found, expected);
}

#[test]
fn one_payment_for_several_orders_is_shared_out_exactly() {
    let order = |id, minor| OrderRow::new(id, euros(minor), day(0)).with_customer("c");
    let orders = [order("A", 10_000), order("B", 2_531), order("C", 777_007)];
    let payment = EntryRow::payment("p", euros(12_531), day(1)).with_customer("c");
    let batch = batch(Policy::default(), &orders, &[payment]);
    let report = batch.run();
    let shares: Vec<_> = report
        .allocations(0)
        .into_iter()
        .map(|share| (share.order, share.amount.minor()))
        .collect();
    assert_eq!(shares, [("A".to_owned(), 10_000), ("B".to_owned(), 2_531)]);
    let kinds: Vec<_> = report.orders().map(|order| order.verdict.kind()).collect();
    assert_eq!(
        kinds,
        [VerdictKind::Paid, VerdictKind::Paid, VerdictKind::Underpaid]
    );
}

#[test]
fn references_that_normalise_alike_are_ambiguous_unless_one_is_named_exactly() {
    let orders = ["A-11", "A-1-1"].map(|id| OrderRow::new(id, euros(100), day(0)));
    let entry =
        |id, reference| EntryRow::<Test>::payment(id, euros(100), day(1)).with_reference(reference);
    let batch = batch(
        Policy::default(),
        &orders,
        &[entry("p", "a11"), entry("q", "A-11")],
    );
    let report = batch.run();
    let [p, q] = [0, 1].map(|at| report.entries().nth(at).unwrap());
    assert_eq!((p.order, p.verdict.kind()), (None, VerdictKind::Ambiguous));
    assert_eq!(p.verdict.candidates().len(), 2);
    assert_eq!(
        (q.order, q.verdict.kind()),
        (Some("A-11"), VerdictKind::Paid)
    );
}

/// Where the entries went, by which rule, and the verdict on each.
fn led(
    orders: &[OrderRow<'_>],
    links: &[ProviderLink<'_>],
    entries: &[EntryRow<'_, Test>],
) -> Vec<(Option<String>, Rule, VerdictKind)> {
    let mut batch = batch(Policy::default(), orders, entries);
    links.iter().for_each(|link| batch.link(*link).unwrap());
    let report = batch.run();
    let entries = report.entries().map(|entry| {
        let order = entry.order.map(str::to_owned);
        (order, entry.rule, entry.verdict.kind())
    });
    entries.collect()
}

fn order_b() -> OrderRow<'static> {
    OrderRow::new("B", euros(2_531), day(0)).with_customer("d")
}

/// A payment that fits no order by its amount.
fn unnamed(id: &'static str) -> EntryRow<'static, Test> {
    EntryRow::payment(id, euros(777), day(2))
}

#[test]
fn an_announcement_and_its_arrival_are_of_one_order() {
    use EntryKind::{PendingPayment, Refund};
    let to_a = |rule| (Some("A".to_owned()), rule, VerdictKind::Underpaid);
    let announced = EntryRow::new("p", PendingPayment, euros(777), day(1)).with_source("psp", "");
    let arrived = unnamed("p").with_source("psp", "");
    for entries in [
        [announced.with_reference("A"), arrived],
        [arrived.with_reference("A"), announced],
    ] {
        let found = led(&[order_a()], &[], &entries);
        assert_eq!(found, [to_a(Rule::Reference), to_a(Rule::Parent)]);
    }
    let alone = |entries: &[EntryRow<'_, Test>]| led(&[order_a()], &[], entries)[1].0.is_none();
    let named = announced.with_reference("A");
    assert!(alone(&[named, unnamed("p").with_source("bank", "")]));
    assert!(alone(&[named, unnamed("q").with_source("psp", "")]));
    let refund = EntryRow::new("p", Refund, euros(777), day(3)).with_source("psp", "");
    assert!(alone(&[refund.with_reference("A"), arrived]));
    assert!(alone(&[named, refund]));
}

#[test]
fn what_is_taken_back_follows_its_payment_however_that_was_found() {
    let orphan = VerdictKind::Unmatched(Reason::OrphanRefund);
    let found = |entries: &[EntryRow<'_, Test>]| led(&[order_a(), order_b()], &[], entries);
    let refund = of(EntryKind::Refund, "r", -10_000, 2);
    // By amount and time only, and by reference.
    let searched = EntryRow::payment("p", euros(10_000), day(1));
    for (payment, rule) in [
        (searched, Rule::AmountWindow),
        (searched.with_reference("A"), Rule::Reference),
    ] {
        let to_a = |rule| (Some("A".to_owned()), rule, VerdictKind::Reversed);
        assert_eq!(found(&[payment, refund]), [to_a(rule), to_a(Rule::Parent)]);
        let bank = refund.with_source("bank", "");
        assert_eq!(
            found(&[payment, bank])[1],
            to_a(Rule::Parent),
            "no other payment can be meant"
        );
    }
    assert_eq!(found(&[refund]), [(None, Rule::None, orphan)]);
    let failed = EntryRow::new("p", EntryKind::FailedPayment, euros(5), day(1));
    let nothing = VerdictKind::Unmatched(Reason::NoCandidate);
    assert_eq!(found(&[failed]), [(None, Rule::None, nothing)]);
    // Of two payments with one id, it is that of the refund's own account.
    let [first, second] = [("first", "A"), ("second", "B")].map(|(account, order)| {
        let payment = EntryRow::payment("p", euros(500), day(1)).with_source("psp", account);
        payment.with_reference(order)
    });
    for (account, order) in [("first", Some("A")), ("second", Some("B")), ("third", None)] {
        let refund = of(EntryKind::Refund, "r", 500, 2).with_source("psp", account);
        let entries = found(&[first, second, refund]);
        assert_eq!(entries[2].0.as_deref(), order, "{account}");
    }
}

#[test]
fn a_redelivery_has_the_order_of_what_it_repeats() {
    let first = paid("p", 10_000, 1);
    let again = EntryRow::payment("p", euros(10_000), day(2));
    for again in [first, again, again.with_reference("no such order")] {
        let found = led(&[order_a()], &[], &[first, again]);
        let to_a = |kind| (Some("A".to_owned()), Rule::Reference, kind);
        assert!(found.contains(&to_a(VerdictKind::Paid)), "{found:?}");
        assert!(
            found.contains(&to_a(VerdictKind::AlreadyApplied)),
            "{found:?}"
        );
    }
    // And none where that has none.
    let found = led(&[order_a()], &[], &[unnamed("p"), unnamed("p")]);
    assert!(found.contains(&(None, Rule::None, VerdictKind::AlreadyApplied)));
}

#[test]
fn entry_of_the_same_name_with_another_amount_is_shown_as_a_conflict() {
    let conflict = VerdictKind::Unmatched(Reason::ContradictsCounted);
    let first = paid("p", 10_000, 1);
    let dollars = Money::new(10_000, Currency::USD);
    let in_dollars = EntryRow::payment("p", dollars, day(2)).with_reference("A");
    for (other, order) in [
        (paid("p", 7_500, 1), order_a()),
        (paid("p", 7_500, 2), order_a()),
        (in_dollars, order_a()),
    ] {
        for entries in [[first, other], [other, first]] {
            let found = led(&[order], &[], &entries);
            let kinds: Vec<_> = found.iter().map(|(_, _, kind)| *kind).collect();
            assert_eq!(
                kinds.iter().filter(|kind| **kind == conflict).count(),
                1,
                "{kinds:?}"
            );
            assert!(kinds.contains(&VerdictKind::Paid), "{kinds:?}");
        }
    }
    // Of entries that no order is known of too, and what takes back is the same with either sign.
    let unknown = |minor| EntryRow::payment("q", euros(minor), day(1)).with_reference("none");
    let found = led(&[order_a()], &[], &[unknown(100), unknown(200)]);
    assert!(
        found.iter().any(|(_, _, kind)| *kind == conflict),
        "{found:?}"
    );
    let refund = |minor| {
        let row = EntryRow::new("r", EntryKind::Refund, euros(minor), day(3));
        row.with_reference("A")
    };
    let found = led(&[order_a()], &[], &[first, refund(500), refund(-500)]);
    let again = |(_, _, kind): &&(_, _, VerdictKind)| *kind == VerdictKind::AlreadyApplied;
    assert_eq!(found.iter().filter(again).count(), 1, "{found:?}");
}

#[test]
fn an_order_that_is_stated_again_is_one_order() {
    let first = OrderRow::new("A-1", euros(10_000), day(0));
    let amended = OrderRow::new("A-1", euros(12_000), day(0)).with_revision(1);
    let payment = paid("p", 12_000, 1).with_reference("a1");
    for orders in [[first, amended], [amended, first]] {
        let found = led(&orders, &[], &[payment]);
        let expected = (Some("A-1".to_owned()), Rule::Reference, VerdictKind::Paid);
        assert_eq!(found, [expected]);
    }
}

#[test]
fn a_registered_id_leads_the_payment() {
    let link = |provider_id, order| ProviderLink { provider_id, order };
    let links = [link("cs_1", "A"), link("p", "B"), link("x", "no order")];
    let orders = [order_a(), order_b()];
    for (entry, order) in [
        (unnamed("p"), Some("B")),
        (unnamed("q").with_other_ids(&["cs_1"]), Some("A")),
        (unnamed("p").with_other_ids(&["cs_2"]), Some("B")),
        (unnamed("p").with_other_ids(&["x"]), Some("B")),
        (of(EntryKind::Refund, "r", 777, 2), Some("B")),
        (unnamed("q"), None),
    ] {
        let found = led(&orders, &links, &[entry]);
        assert_eq!(found[0].0.as_deref(), order, "{entry:?}");
    }
}

#[test]
fn ids_that_were_registered_for_several_orders_are_ambiguous_between_them() {
    let link = |provider_id, order| ProviderLink { provider_id, order };
    let named = |orders: &[OrderRow<'_>], links: &[ProviderLink<'_>], entry| -> Vec<String> {
        let mut batch = batch(Policy::default(), orders, &[entry]);
        links.iter().for_each(|link| batch.link(*link).unwrap());
        let report = batch.run();
        let entry = report.entries().next().unwrap();
        if let Some(order) = entry.order {
            return vec![order.to_owned()];
        }
        assert_eq!(entry.verdict.kind(), VerdictKind::Ambiguous);
        let candidates = entry.verdict.candidates().iter();
        candidates.map(|other| other.order.clone()).collect()
    };
    let orders = [order_b(), order_a()];
    let two_ids = unnamed("p").with_other_ids(&["cs_1"]);
    for links in [
        [link("cs_1", "A"), link("p", "B")],
        [link("p", "B"), link("cs_1", "A")],
        [link("p", "A"), link("p", "B")],
        [link("cs_1", "B"), link("cs_1", "A")],
    ] {
        assert_eq!(named(&orders, &links, two_ids), ["A", "B"], "{links:?}");
    }
    let twice = [link("cs_1", "A"), link("p", "A")];
    assert_eq!(named(&orders, &twice, two_ids), ["A"]);
    // Orders whose ids are read alike: the one that is named exactly, or else none.
    let alike = ["A-11", "A-1-1"].map(|id| OrderRow::new(id, euros(2_531), day(0)));
    for (order, expected) in [
        ("A-1-1", vec!["A-1-1"]),
        ("A-11", vec!["A-11"]),
        ("a11", vec!["A-1-1", "A-11"]),
    ] {
        assert_eq!(named(&alike, &[link("p", order)], unnamed("p")), expected);
    }
}
