//! The order book is told of payments by their ledgers, piece by piece and in any order, and ends in
//! what a batch of the last truth says.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic where it fails"
)]

use std::collections::BTreeMap;

use counterfoil::Test;
use counterfoil::capture::{Capture, CaptureStatus};
use counterfoil::clock::Timestamp;
use counterfoil::dispute::{Dispute, DisputeStatus};
use counterfoil::id::{CaptureId, DisputeId, Namespace, PaymentId, ProviderName, RefundId};
use counterfoil::ledger::Ledger;
use counterfoil::matching::{
    Batch, Change, EntryRow, OrderBook, OrderRow, Policy, Reason, Report, Subject, VerdictKind,
    entries_of,
};
use counterfoil::money::{Currency, Money};
use counterfoil::payment::{Payment, PaymentStatus};
use counterfoil::refund::{Refund, RefundStatus};
use fastrand::Rng;

const SHOPS: u64 = 300;

/// One thing that a provider says of a payment at one time.
#[derive(Debug, Clone)]
enum Fact {
    Payment(Box<Payment<Test>>),
    Capture(Capture<Test>),
    Refund(Refund<Test>),
    Dispute(Dispute<Test>),
}

fn add(ledger: &mut Ledger<Test>, fact: &Fact) {
    match fact.clone() {
        Fact::Payment(payment) => ledger.add_payment(*payment).unwrap(),
        Fact::Capture(capture) => ledger.add_capture(capture),
        Fact::Refund(refund) => ledger.add_refund(refund),
        Fact::Dispute(dispute) => ledger.add_dispute(dispute),
    }
}

fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

fn at(unix: i64) -> Timestamp {
    Timestamp::from_unix(unix)
}

fn psp() -> ProviderName {
    ProviderName::new("psp").unwrap()
}

fn payment_id(raw: &str) -> PaymentId<Test> {
    PaymentId::new(psp(), raw).unwrap()
}

fn shop_name() -> Namespace {
    Namespace::new("shop").unwrap()
}

/// Says of a payment in one state: `captured` and `refunded` as its provider sums them up.
fn payment(
    id: &str,
    attempt: &str,
    status: PaymentStatus,
    sums: [i64; 2],
    as_of: i64,
) -> Payment<Test> {
    let mut payment = Payment::new(payment_id(id), status, eur(1000), at(as_of));
    payment.captured = eur(sums[0]);
    payment.refunded = eur(sums[1]);
    payment.reference = Some(format!("shop:{attempt}").parse().unwrap());
    payment
}

fn refund(id: &str, of: &str, status: RefundStatus, minor: i64, as_of: i64) -> Refund<Test> {
    let id = RefundId::new(psp(), id).unwrap();
    let mut refund = Refund::new(id, payment_id(of), status, eur(minor), at(as_of));
    refund.created_at = at(as_of.min(400));
    refund
}

fn dispute(id: &str, of: &str, status: DisputeStatus, as_of: i64) -> Dispute<Test> {
    let id = DisputeId::new(psp(), id).unwrap();
    Dispute::new(id, payment_id(of), status, eur(300), at(as_of))
}

/// All that is ever said of one payment, made from the seed of `rng`.
fn facts_of(n: usize, attempt: &str, rng: &mut Rng) -> Vec<Fact> {
    let id = format!("pi_{n}");
    let checkout = format!("cs_{n}");
    let mut facts = Vec::new();
    let mut say = |mut payment: Payment<Test>, rng: &mut Rng| {
        // A checkout and its payment are known to be one by either name, or by the attempt only.
        if !payment.is_checkout && rng.bool() {
            payment.aliases = vec![payment_id(&checkout)];
        }
        facts.push(Fact::Payment(Box::new(payment)));
    };
    if rng.bool() {
        let mut begun = payment(&checkout, attempt, PaymentStatus::Pending, [0, 0], 100);
        begun.is_checkout = true;
        say(begun, rng);
    }
    if rng.u8(0..4) == 0 {
        say(
            payment(&id, attempt, PaymentStatus::Pending, [0, 0], 150),
            rng,
        );
    }
    let by_captures = rng.u8(0..4) == 0;
    let (mut captured, mut refunded) = (0, 0);
    if by_captures {
        say(
            payment(&id, attempt, PaymentStatus::Authorized, [0, 0], 200),
            rng,
        );
    } else {
        for step in 0..rng.i64(1..4) {
            captured = (captured + rng.i64(1..4) * 250).min(1000);
            let sums = [captured, refunded];
            say(
                payment(&id, attempt, PaymentStatus::Captured, sums, 300 + step),
                rng,
            );
        }
    }
    let parts = if by_captures { rng.usize(1..4) } else { 0 };
    for part in 0..parts {
        let name = CaptureId::new(psp(), &format!("cap_{n}_{part}")).unwrap();
        let of = payment_id(&id);
        let mut capture = Capture::new(name, of, CaptureStatus::Succeeded, eur(250), at(300));
        capture.is_final = part + 1 == parts;
        facts.push(Fact::Capture(capture.clone()));
        if rng.u8(0..4) == 0 {
            capture.status = CaptureStatus::Reversed;
            capture.as_of = at(500);
            facts.push(Fact::Capture(capture));
        }
    }
    for part in 0..rng.usize(0..3) {
        let name = format!("re_{n}_{part}");
        refunded += 100;
        facts.push(Fact::Refund(refund(
            &name,
            &id,
            RefundStatus::Pending,
            100,
            400,
        )));
        if rng.u8(0..3) == 0 {
            facts.push(Fact::Refund(refund(
                &name,
                &id,
                RefundStatus::Failed,
                100,
                600,
            )));
        }
    }
    if !by_captures && refunded > 0 {
        let extra = rng.i64(0..2) * 50;
        let sums = [captured, refunded + extra];
        let payment = payment(&id, attempt, PaymentStatus::Captured, sums, 450);
        facts.push(Fact::Payment(Box::new(payment)));
    }
    let turns = [
        DisputeStatus::Inquiry,
        DisputeStatus::NeedsResponse,
        DisputeStatus::Won,
        DisputeStatus::Lost,
    ];
    let turned = if rng.u8(0..3) == 0 {
        rng.usize(1..5)
    } else {
        0
    };
    for (step, status) in turns.into_iter().take(turned).enumerate() {
        let told = dispute(&format!("dp_{n}"), &id, status, 700 + step as i64);
        facts.push(Fact::Dispute(told));
    }
    facts
}

/// What comes to the book, in the order in which it comes.
enum News {
    Order(String, i64),
    Fact(usize, Box<Fact>),
    /// An entry that has no ledger, such as a transfer to the bank account.
    Entry(String, i64),
}

/// The news of a shop in an order of its own, some of it twice.
fn news(seed: u64) -> Vec<News> {
    let mut rng = Rng::with_seed(seed);
    let mut news = Vec::new();
    let orders = rng.usize(1..6);
    for n in 0..orders {
        let order = format!("A-{n}");
        // Some orders are told of by nobody, and some are paid twice.
        for attempt in 0..rng.usize(1..3) {
            let number = n * 10 + attempt;
            let reference = format!("{order}:{}", attempt + 1);
            for fact in facts_of(number, &reference, &mut rng) {
                for _ in 0..rng.usize(1..3) {
                    news.push(News::Fact(number, Box::new(fact.clone())));
                }
            }
        }
        if rng.u8(0..4) == 0 {
            news.push(News::Entry(order.clone(), rng.i64(1..4) * 250));
        }
        if rng.u8(0..8) > 0 {
            news.push(News::Order(order, 1000));
        }
    }
    rng.shuffle(&mut news);
    news
}

/// What a batch is given: each ledger once, as it stands in the end.
fn batch(news: &[News]) -> Batch<Test> {
    let mut batch = Batch::new(Policy::default());
    let mut ledgers = BTreeMap::new();
    for one in news {
        match one {
            News::Order(id, total) => batch.order(&order_row(id, *total)).unwrap(),
            News::Entry(order, minor) => transfer(order, *minor, |row| batch.entry(row)).unwrap(),
            News::Fact(payment, fact) => add(ledgers.entry(payment).or_default(), fact),
        }
    }
    for ledger in ledgers.values() {
        entries_of(ledger, &shop_name(), |row| batch.entry(row)).unwrap();
    }
    batch
}

fn order_row(id: &str, total: i64) -> OrderRow<'_> {
    OrderRow::new(id, eur(total), at(1))
}

fn transfer<T>(order: &str, minor: i64, take: impl FnOnce(&EntryRow<'_, Test>) -> T) -> T {
    let id = format!("transfer-{order}");
    take(&EntryRow::payment(&id, eur(minor), at(50)).with_reference(order))
}

/// All decisions as texts, sorted.
fn said(report: &Report<'_>) -> Vec<String> {
    let orders = report
        .orders()
        .filter_map(|order| report.order_decision(order.row));
    let all = report.entry_decisions().chain(orders);
    let mut said: Vec<_> = all.map(|d| serde_json::to_string(&d).unwrap()).collect();
    said.sort();
    said
}

#[test]
fn whatever_piece_of_a_ledger_comes_first_the_book_ends_in_what_the_batch_says() {
    let mut told_at_once = 0;
    for seed in 0..SHOPS {
        let news = news(seed);
        let batch = batch(&news);
        let report = batch.run();
        let expected = said(&report);
        // Each fact alone, or all that was known of the payment by then; now and then one that is
        // older than what the book knows.
        for pieces in [true, false] {
            let mut rng = Rng::with_seed(seed);
            let mut book = OrderBook::<Test>::new(Policy::default());
            let mut ledgers: BTreeMap<usize, Vec<Ledger<Test>>> = BTreeMap::new();
            let mut kinds = BTreeMap::new();
            let mut note = |changes: Vec<Change>| {
                for change in changes {
                    let is_order = matches!(change.subject, Subject::Order(_));
                    assert!(is_order || change.was != Some(change.is), "{change:?}");
                    kinds.insert(change.subject, change.is);
                }
            };
            for one in &news {
                note(match one {
                    News::Order(id, total) => book.order(&order_row(id, *total)).unwrap(),
                    News::Entry(order, minor) => {
                        transfer(order, *minor, |row| book.entry(row)).unwrap()
                    }
                    News::Fact(payment, fact) => {
                        let known = ledgers.entry(*payment).or_default();
                        let mut ledger = known.last().cloned().unwrap_or_default();
                        if pieces {
                            ledger = Ledger::new();
                        }
                        add(&mut ledger, fact);
                        known.push(ledger);
                        let told = known[known.len() - 1].clone();
                        let mut changes = book.ledger(&told, &shop_name()).unwrap();
                        if rng.u8(0..4) == 0 {
                            let late = &known[rng.usize(0..known.len())];
                            changes.extend(book.ledger(late, &shop_name()).unwrap());
                        }
                        changes
                    }
                });
                if rng.u8(0..20) == 0 {
                    note(book.advance(at(0)));
                }
            }
            let settled = !book.is_unsettled();
            let found = said(&book.report());
            let differs = expected.iter().zip(&found).find(|(a, b)| a != b);
            assert!(
                found == expected,
                "seed {seed}, pieces {pieces}: {differs:#?}"
            );
            if !settled {
                note(book.advance(at(i64::MAX)));
            }
            for order in report.orders() {
                let told = kinds[&Subject::Order(order.id.to_owned())];
                assert_eq!(told, order.verdict.kind(), "seed {seed}, {}", order.id);
                told_at_once += usize::from(settled);
            }
            let awaited = Some(VerdictKind::Unmatched(Reason::AwaitingWatermark));
            let mut late = book.advance(at(i64::MAX));
            late.retain(|change| change.was != awaited);
            assert!(late.is_empty(), "seed {seed}, settled {settled}: {late:?}");
        }
    }
    assert!(told_at_once > 500, "{told_at_once}");
}

#[test]
fn a_refund_that_was_known_by_its_sum_only_gives_way_to_its_own_entry() {
    let mut book = OrderBook::<Test>::new(Policy::default());
    book.order(&order_row("A-1", 1000)).unwrap();
    let mut ledger = Ledger::new();
    let paid = payment("pi_1", "A-1:1", PaymentStatus::Captured, [1000, 400], 450);
    ledger.add_payment(paid).unwrap();
    book.ledger(&ledger, &shop_name()).unwrap();
    let taken_back = |book: &OrderBook<Test>| {
        let report = book.report();
        let order = report.orders().next().unwrap();
        (order.taken_back, report.entries().count())
    };
    assert_eq!(taken_back(&book), (eur(400), 2));

    ledger.add_refund(refund("re_1", "pi_1", RefundStatus::Succeeded, 400, 400));
    let changes = book.ledger(&ledger, &shop_name()).unwrap();
    assert_eq!(taken_back(&book), (eur(400), 2));
    let told: Vec<_> = changes
        .iter()
        .map(|change| (change.subject.clone(), change.was, change.is))
        .collect();
    let entry = |id: &str| Subject::Entry(id.to_owned());
    let withdrawn = VerdictKind::Unmatched(Reason::Withdrawn);
    let reversed = VerdictKind::Reversed;
    assert_eq!(
        told,
        [
            (entry("pi_1:other-refunds"), Some(reversed), withdrawn),
            (entry("re_1"), None, reversed),
        ],
        "the order is as reversed as before, which is no news"
    );
    let again = book.ledger(&ledger, &shop_name()).unwrap();
    assert_eq!(again, [], "told again, nothing changes");
}

#[test]
fn two_payments_of_one_checkout_stay_two() {
    let paid = |id: &str| {
        let mut paid = payment(id, "A-1:1", PaymentStatus::Captured, [1000, 0], 300);
        paid.aliases = vec![payment_id("cs_1")];
        let mut ledger = Ledger::new();
        ledger.add_payment(paid).unwrap();
        ledger
    };
    for ids in [["pi_1", "pi_2"], ["pi_2", "pi_1"]] {
        let mut book = OrderBook::<Test>::new(Policy::default());
        book.order(&order_row("A-1", 1000)).unwrap();
        for id in ids {
            book.ledger(&paid(id), &shop_name()).unwrap();
        }
        let report = book.report();
        let order = report.orders().next().unwrap();
        assert_eq!((order.payments, order.paid), (2, eur(2000)));
    }
}
