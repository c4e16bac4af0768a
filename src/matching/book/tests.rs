//! What the book tells as rows come, row by row.

use super::*;
use crate::id::{Namespace, PaymentId, ProviderName};
use crate::ledger::Ledger;
use crate::mode::Test;
use crate::money::{Currency, Money};
use crate::payment::{Payment, PaymentStatus};

type Row<'a> = EntryRow<'a, Test>;

fn at(unix: i64) -> Timestamp {
    Timestamp::from_unix(unix)
}

fn euros(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

fn book() -> OrderBook<Test> {
    OrderBook::new(Policy::default())
}

fn order(id: &str) -> OrderRow<'_> {
    OrderRow::new(id, euros(1_000), at(0))
}

fn paid(id: &str, unix: i64) -> Row<'_> {
    EntryRow::payment(id, euros(1_000), at(unix))
}

fn refund(id: &str) -> Row<'_> {
    EntryRow::new(id, EntryKind::Refund, euros(1_000), at(60))
}

/// Each change as its subject, the verdict before and now, and whether it is provisional.
fn told(changes: Vec<Change>) -> Vec<(String, Option<VerdictKind>, VerdictKind, bool)> {
    let one = |change: Change| {
        let (Subject::Order(id) | Subject::Entry(id)) = change.subject;
        (id, change.was, change.is, change.provisional)
    };
    changes.into_iter().map(one).collect()
}

fn one(
    id: &str,
    was: Option<VerdictKind>,
    is: VerdictKind,
    provisional: bool,
) -> (String, Option<VerdictKind>, VerdictKind, bool) {
    (id.to_owned(), was, is, provisional)
}

#[test]
fn a_change_says_what_was_told_before_and_what_may_still_change() {
    use VerdictKind::{Paid, Reversed, Underpaid, UnknownOrder};
    let mut book = book();
    assert_eq!(
        told(book.entry(&paid("p", 1).with_reference("A")).unwrap()),
        [one("p", None, UnknownOrder, true)]
    );
    assert_eq!(
        told(book.order(&order("A")).unwrap()),
        [
            one("p", Some(UnknownOrder), Paid, false),
            one("A", None, Paid, false)
        ]
    );
    // What only waits has no verdict that could be taken back.
    let orphan = refund("r").with_parent("p2");
    assert_eq!(
        told(book.entry(&orphan).unwrap()),
        [one("r", None, WAITS, true)]
    );
    assert_eq!(
        told(book.order(&order("B")).unwrap()),
        [one("B", None, Underpaid, false)]
    );
    assert_eq!(
        told(book.entry(&paid("p2", 2).with_reference("B")).unwrap()),
        [
            one("p2", None, Paid, false),
            one("B", Some(Underpaid), Paid, false),
            one("p2", Some(Paid), Reversed, false),
            one("r", None, Reversed, false),
            one("B", Some(Paid), Reversed, false),
        ]
    );
    assert!(!book.is_unsettled());
}

#[test]
fn a_verdict_is_provisional_until_two_guard_windows_have_passed() {
    let wait = 2 * Policy::default().longest_guard_s();
    for (watermark, provisional) in [(wait + 49, true), (wait + 50, false)] {
        let mut book = book();
        book.order(&OrderRow::new("A", euros(1_000), at(50)))
            .unwrap();
        book.entry(&paid("p", 50)).unwrap();
        let changes = book.advance(at(watermark));
        let told: Vec<_> = changes.iter().map(|change| change.provisional).collect();
        assert_eq!(told, [provisional; 2], "the payment and its order");
    }
}

#[test]
fn a_registered_id_counts_from_the_next_advance_on() {
    let mut book = book();
    book.order(&order("A")).unwrap();
    let link = ProviderLink {
        provider_id: "p",
        order: "A",
    };
    book.link(link).unwrap();
    assert!(book.is_unsettled());
    let part = EntryRow::payment("p", euros(400), at(1));
    assert_eq!(
        told(book.entry(&part).unwrap()),
        [one("p", None, WAITS, true)]
    );
    let changes = book.advance(at(i64::MAX));
    let underpaid = VerdictKind::Underpaid;
    assert_eq!(
        told(changes),
        [
            one("p", Some(WAITS), underpaid, false),
            one("A", Some(underpaid), underpaid, false),
        ],
        "the order is as underpaid as before, by another amount"
    );
}

#[test]
fn orders_that_are_written_alike_wait_for_a_full_run() {
    use VerdictKind::{Paid, Underpaid};
    let mut book = book();
    book.order(&order("A-11")).unwrap();
    // Until the second order is known, no other can be meant.
    book.entry(&paid("p", 1).with_reference("A-1-1")).unwrap();
    assert!(!book.is_unsettled());
    assert!(book.order(&order("A-1-1")).unwrap().is_empty());
    assert!(book.is_unsettled());
    assert_eq!(
        told(book.advance(at(i64::MAX))),
        [
            one("p", Some(Paid), Paid, false),
            one("A-11", Some(Paid), Underpaid, false),
            one("A-1-1", Some(VerdictKind::UnknownOrder), Paid, false),
        ],
        "the payment has another order now"
    );
    assert!(!book.is_unsettled());
}

#[test]
fn of_a_payment_that_comes_twice_the_earlier_statement_counts_whichever_came_first() {
    use VerdictKind::{AlreadyApplied, Paid, PaidAfterClose};
    let closes = order("A").with_closed_at(at(70));
    let [early, late] = [50, 100].map(|unix| paid("p", unix).with_reference("A"));
    let mut book = book();
    book.order(&closes).unwrap();
    book.entry(&late).unwrap();
    let mut kinds: Vec<_> = book.entry(&early).unwrap();
    kinds.retain(|change| change.was != Some(change.is));
    assert_eq!(
        told(kinds),
        [
            one("p", None, Paid, false),
            one("p", Some(PaidAfterClose), AlreadyApplied, false),
            one("A", Some(PaidAfterClose), Paid, false),
        ]
    );
    let mut book = self::book();
    book.order(&closes).unwrap();
    book.entry(&early).unwrap();
    assert_eq!(
        told(book.entry(&late).unwrap()),
        [one("p", None, AlreadyApplied, false)]
    );
}

#[test]
fn a_refund_whose_reference_and_payment_name_two_orders_waits_for_a_full_run() {
    for (named, unsettled) in [("A", false), ("B", true)] {
        let mut book = book();
        book.order(&order("A")).unwrap();
        book.order(&order("B")).unwrap();
        let refund = refund("r").with_parent("p").with_reference(named);
        book.entry(&refund).unwrap();
        book.entry(&paid("p", 1).with_reference("A")).unwrap();
        assert_eq!(book.is_unsettled(), unsettled, "{named}");
    }
}

/// A payment of which `captured` has been captured.
fn ledger(captured: i64) -> Ledger<Test> {
    let id = PaymentId::new(ProviderName::new("psp").unwrap(), "pi_1").unwrap();
    let mut payment = Payment::new(id, PaymentStatus::Captured, euros(1_000), at(1));
    payment.captured = euros(captured);
    payment.reference = Some("shop:A:1".parse().unwrap());
    let mut ledger = Ledger::new();
    ledger.add_payment(payment).unwrap();
    ledger
}

#[test]
fn a_ledger_that_says_nothing_new_takes_no_memory() {
    let shop = Namespace::new("shop").unwrap();
    let mut book = book();
    book.ledger(&ledger(400), &shop).unwrap();
    let text = book.table.arena().len();
    book.ledger(&ledger(400), &shop).unwrap();
    assert_eq!(book.table.arena().len(), text);
    book.ledger(&ledger(1_000), &shop).unwrap();
    assert!(book.table.arena().len() > text);
}

#[test]
fn a_restated_payment_that_other_rows_build_on_waits_for_a_full_run() {
    let shop = Namespace::new("shop").unwrap();
    let source = |row: Row<'static>| row.with_source("psp", "");
    let others: [(&str, Option<Row<'_>>, bool); 4] = [
        ("none", None, false),
        (
            "a refund of it",
            Some(source(refund("r").with_parent("pi_1"))),
            true,
        ),
        (
            "a refund of another",
            Some(source(refund("r").with_parent("pi_2"))),
            false,
        ),
        ("the same id again", Some(source(paid("pi_1", 2))), true),
    ];
    for (story, other, unsettled) in others {
        let mut book = book();
        book.order(&order("A")).unwrap();
        book.ledger(&ledger(400), &shop).unwrap();
        if let Some(other) = other {
            book.entry(&other).unwrap();
        }
        assert!(!book.is_unsettled(), "{story}");
        book.ledger(&ledger(1_000), &shop).unwrap();
        assert_eq!(book.is_unsettled(), unsettled, "{story}");
    }
}
