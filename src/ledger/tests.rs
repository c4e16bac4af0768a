use super::*;
use crate::clock::Timestamp;
use crate::dispute::DisputeStatus;
use crate::error::{Decline, DeclineReason};
use crate::id::{EventId, PaymentId, ProviderName, Reference};
use crate::mode::Test;
use crate::payment::PaymentStatus;
use crate::refund::RefundStatus;
use crate::webhook::EventDraft;

#[derive(Clone)]
enum Fact {
    Payment(Box<Payment<Test>>),
    Refund(Box<Refund<Test>>),
    Dispute(Box<Dispute<Test>>),
}

fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

fn provider() -> ProviderName {
    ProviderName::new("psp").unwrap()
}

fn payment(id: &str, status: PaymentStatus, captured: i64, at: i64) -> Payment<Test> {
    let id = PaymentId::new(provider(), id).unwrap();
    let mut payment = Payment::new(id, status, eur(1000), Timestamp::from_unix(at));
    payment.captured = eur(captured);
    payment.reference = Some("shop:A-1:1".parse::<Reference>().unwrap());
    payment
}

fn checkout(status: PaymentStatus, at: i64) -> Payment<Test> {
    let mut payment = payment("cs_1", status, 0, at);
    payment.is_checkout = true;
    payment
}

fn refunded(mut payment: Payment<Test>, minor: i64) -> Fact {
    payment.refunded = eur(minor);
    Fact::Payment(Box::new(payment))
}

fn refund(id: &str, status: RefundStatus, minor: i64, at: i64) -> Fact {
    let id = RefundId::new(provider(), id).unwrap();
    let of = PaymentId::new(provider(), "pi_1").unwrap();
    Fact::Refund(Box::new(Refund::new(
        id,
        of,
        status,
        eur(minor),
        Timestamp::from_unix(at),
    )))
}

fn dispute(status: DisputeStatus, at: i64) -> Fact {
    let id = DisputeId::new(provider(), "dp_1").unwrap();
    let of = PaymentId::new(provider(), "pi_1").unwrap();
    Fact::Dispute(Box::new(Dispute::new(
        id,
        of,
        status,
        eur(400),
        Timestamp::from_unix(at),
    )))
}

fn plain(payment: Payment<Test>) -> Fact {
    Fact::Payment(Box::new(payment))
}

fn fold(facts: impl IntoIterator<Item = Fact>) -> Ledger<Test> {
    let mut ledger = Ledger::new();
    for fact in facts {
        match fact {
            Fact::Payment(payment) => ledger.add_payment(*payment).unwrap(),
            Fact::Refund(refund) => ledger.add_refund(*refund),
            Fact::Dispute(dispute) => ledger.add_dispute(*dispute),
        }
    }
    ledger
}

fn text(ledger: &Ledger<Test>) -> String {
    let refunds: Vec<_> = ledger.refunds().collect();
    let disputes: Vec<_> = ledger.disputes().collect();
    serde_json::to_string(&(ledger.payment(), refunds, disputes)).unwrap()
}

/// Every order of `facts`, each with every choice of facts that come twice.
fn assert_converges(facts: &[Fact]) -> Ledger<Test> {
    let in_order = fold(facts.to_vec());
    let expected = text(&in_order);
    let mut order: Vec<usize> = (0..facts.len()).collect();
    let mut swaps = vec![0; facts.len()];
    let mut runs = 0;
    let mut check = |order: &[usize]| {
        for twice in 0..1_u32 << facts.len() {
            let again = order.iter().filter(|&&fact| twice & (1 << fact) != 0);
            let ledger = fold(order.iter().chain(again).map(|&fact| facts[fact].clone()));
            assert_eq!(text(&ledger), expected, "order {order:?}, twice {twice:b}");
            runs += 1;
        }
    };
    check(&order);
    let mut place = 0;
    while place < facts.len() {
        if swaps[place] < place {
            let with = if place % 2 == 0 { 0 } else { swaps[place] };
            order.swap(with, place);
            check(&order);
            swaps[place] += 1;
            place = 0;
        } else {
            swaps[place] = 0;
            place += 1;
        }
    }
    let permutations: u32 = (1..=u32::try_from(facts.len()).unwrap()).product();
    assert_eq!(runs, permutations << facts.len());
    in_order
}

#[test]
fn a_checkout_its_payment_and_a_late_failure_converge_to_paid() {
    let declined = PaymentStatus::Failed(Decline::new(DeclineReason::InsufficientFunds));
    let ledger = assert_converges(&[
        plain(checkout(PaymentStatus::Created, 1)),
        plain(payment("pi_1", declined, 0, 2)),
        plain(payment("pi_1", PaymentStatus::Pending, 0, 3)),
        plain(payment("pi_1", PaymentStatus::Captured, 1000, 3)),
        plain(payment("pi_1", PaymentStatus::Authorized, 0, 9)),
        plain(checkout(PaymentStatus::Pending, 4)),
    ]);
    let payment = ledger.payment().unwrap();
    assert_eq!(payment.status, PaymentStatus::Captured);
    assert_eq!((payment.id.raw(), payment.is_checkout), ("pi_1", false));
    assert_eq!(ledger.net(), Ok(eur(1000)));
}

#[test]
fn refunds_that_fail_after_success_give_the_money_back_in_any_order() {
    let captured = payment("pi_1", PaymentStatus::Captured, 1000, 2);
    let ledger = assert_converges(&[
        refund("re_1", RefundStatus::Pending, 300, 3),
        refund("re_1", RefundStatus::Succeeded, 300, 4),
        refund("re_1", RefundStatus::Failed, 300, 9),
        refund("re_2", RefundStatus::Succeeded, 200, 5),
        refunded(captured.clone(), 0),
        refunded(
            Payment {
                as_of: Timestamp::from_unix(5),
                ..captured
            },
            500,
        ),
    ]);
    assert_eq!(ledger.refunded(), Ok(eur(200)));
    assert_eq!(ledger.refundable(), Ok(eur(800)));
    assert_eq!(ledger.net(), Ok(eur(800)));
}

#[test]
fn a_dispute_stands_beside_the_payment() {
    let paid = plain(payment("pi_1", PaymentStatus::Captured, 1000, 2));
    let open = [paid.clone(), dispute(DisputeStatus::NeedsResponse, 5)];
    assert_eq!(assert_converges(&open).net(), Ok(eur(600)));
    let unknown = DisputeStatus::Unrecognized("appealed_again".into());
    let unknown = [open.to_vec(), vec![dispute(unknown, 9)]].concat();
    assert_eq!(assert_converges(&unknown).net(), Ok(eur(600)));
    let won = [open.to_vec(), vec![dispute(DisputeStatus::Won, 9)]].concat();
    let ledger = assert_converges(&won);
    assert_eq!(ledger.net(), Ok(eur(1000)));
    assert_eq!(ledger.payment().unwrap().status, PaymentStatus::Captured);
}

#[test]
fn a_refund_unknown_here_still_counts_by_the_providers_own_sum() {
    let captured = payment("pi_1", PaymentStatus::Captured, 1000, 2);
    let ledger = fold([
        refunded(captured, 700),
        refund("re_1", RefundStatus::Pending, 300, 1),
    ]);
    assert_eq!(ledger.refundable(), Ok(eur(300)));
}

#[test]
fn two_payments_of_one_attempt_are_not_joined() {
    let mut ledger = fold([plain(payment("pi_1", PaymentStatus::Captured, 1000, 2))]);
    let before = text(&ledger);
    let second = payment("pi_2", PaymentStatus::Captured, 1000, 3);
    assert!(ledger.add_payment(second).is_err());
    assert_eq!(text(&ledger), before);
}

#[test]
fn a_second_charge_of_one_attempt_is_not_lost_behind_the_checkout_of_the_first() {
    let second = payment("pi_2", PaymentStatus::Captured, 1000, 3);
    let mut first = payment("pi_1", PaymentStatus::Captured, 1000, 2);
    first.aliases = checkout(PaymentStatus::Created, 1).ids().cloned().collect();
    // Joined by the reference, since nothing better was known then.
    let mut ledger = fold([plain(checkout(PaymentStatus::Created, 1)), plain(second)]);
    assert!(ledger.add_payment(first).is_err());
}

#[test]
fn refunds_made_since_the_providers_sum_count_beside_it() {
    let captured = payment("pi_1", PaymentStatus::Captured, 1000, 5);
    // 500 went back in the provider's dashboard, and 200 more were refunded later.
    let ledger = assert_converges(&[
        refunded(captured.clone(), 500),
        refund("re_1", RefundStatus::Pending, 200, 20),
        refund("re_1", RefundStatus::Succeeded, 200, 21),
    ]);
    assert_eq!(ledger.refundable(), Ok(eur(300)));
    // One that was asked for later and failed was never part of that sum.
    let ledger = assert_converges(&[
        refunded(captured, 500),
        refund("re_1", RefundStatus::Pending, 200, 20),
        refund("re_1", RefundStatus::Failed, 200, 25),
    ]);
    assert_eq!(ledger.refundable(), Ok(eur(500)));
}

#[test]
fn a_second_checkout_of_one_attempt_cannot_hide_a_second_charge() {
    let of_checkout = |id: &str, checkout: &str, at| {
        let mut paid = payment(id, PaymentStatus::Captured, 1000, at);
        paid.aliases = vec![PaymentId::new(provider(), checkout).unwrap()];
        paid
    };
    let mut second_checkout = payment("cs_2", PaymentStatus::Created, 0, 2);
    second_checkout.is_checkout = true;
    let mut ledger = fold([
        plain(of_checkout("pi_1", "cs_1", 3)),
        plain(second_checkout),
    ]);
    assert!(ledger.add_payment(of_checkout("pi_2", "cs_2", 4)).is_err());
}

fn event(kind: EventKind<Test>, authenticity: Authenticity) -> Event<Test> {
    let id = EventId::new(provider(), "evt_1").unwrap();
    let draft = EventDraft::new(id, "type", Timestamp::from_unix(1), kind);
    Event::from_verified(draft.with_authenticity(authenticity))
}

fn capture(id: &str, minor: i64, at: i64) -> Capture<Test> {
    let id = CaptureId::new(provider(), id).unwrap();
    let of = PaymentId::new(provider(), "pi_1").unwrap();
    let status = CaptureStatus::Succeeded;
    Capture::new(id, of, status, eur(minor), Timestamp::from_unix(at))
}

/// How many payments, captures, refunds and disputes a ledger knows.
fn counts(ledger: &Ledger<Test>) -> [usize; 4] {
    [
        usize::from(ledger.payment().is_some()),
        ledger.captures().count(),
        ledger.refunds().count(),
        ledger.disputes().count(),
    ]
}

fn kinds() -> [(EventKind<Test>, [usize; 4]); 6] {
    let paid = payment("pi_1", PaymentStatus::Captured, 1000, 2);
    let Fact::Refund(refund) = refund("re_1", RefundStatus::Pending, 300, 3) else {
        unreachable!();
    };
    let Fact::Dispute(dispute) = dispute(DisputeStatus::NeedsResponse, 5) else {
        unreachable!();
    };
    [
        (EventKind::Payment(Box::new(paid)), [1, 0, 0, 0]),
        (
            EventKind::Capture(Box::new(capture("a", 1, 2))),
            [0, 1, 0, 0],
        ),
        (EventKind::Refund(refund), [0, 0, 1, 0]),
        (EventKind::Dispute(dispute), [0, 0, 0, 1]),
        (EventKind::NotAboutPayments, [0; 4]),
        (EventKind::Unrecognized, [0; 4]),
    ]
}

#[test]
fn an_event_is_taken_in_by_what_it_says_and_only_if_its_body_is_proven() {
    for (kind, expected) in kinds() {
        let mut ledger = Ledger::new();
        let unproven = event(kind.clone(), Authenticity::HeaderOnly);
        let error = ledger.apply(&unproven).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::NotAuthentic);
        assert_eq!(counts(&ledger), [0; 4]);
        ledger.apply(&event(kind, Authenticity::Body)).unwrap();
        assert_eq!(counts(&ledger), expected);
    }
}

#[test]
fn a_ledger_takes_in_another_and_comes_back_from_a_store() {
    let mut other = Ledger::new();
    for (kind, _) in kinds() {
        other.apply(&event(kind, Authenticity::Body)).unwrap();
    }
    let mut ledger = Ledger::new();
    ledger.add_all(&other).unwrap();
    assert_eq!(counts(&ledger), [1; 4]);
    let stored = serde_json::to_string(&ledger).unwrap();
    let back: Ledger<Test> = serde_json::from_str(&stored).unwrap();
    assert_eq!(text(&back), text(&ledger));
    assert_eq!(serde_json::to_string(&back).unwrap(), stored);
}

#[test]
fn without_its_payment_a_ledger_knows_what_went_back() {
    let ledger = fold([
        refund("re_1", RefundStatus::Pending, 300, 3),
        refund("re_2", RefundStatus::Failed, 500, 3),
        dispute(DisputeStatus::NeedsResponse, 5),
    ]);
    assert_eq!(ledger.refunded(), Ok(eur(300)));
    assert_eq!(ledger.unlisted_refunds(), Ok(eur(0)));
    assert_eq!(ledger.refundable(), Ok(eur(0)));
    assert_eq!(ledger.net(), Ok(eur(-700)));
    let yen = Money::new(400, Currency::JPY);
    let Fact::Dispute(mut disputed) = dispute(DisputeStatus::NeedsResponse, 5) else {
        unreachable!();
    };
    disputed.amount = yen;
    let ledger = fold([Fact::Dispute(disputed)]);
    assert_eq!(ledger.net(), Ok(Money::new(-400, Currency::JPY)));
}

#[test]
fn what_was_returned_can_neither_be_kept_nor_refunded() {
    let mut paid = payment("pi_1", PaymentStatus::Captured, 1000, 2);
    paid.returned = eur(600);
    let ledger = fold([plain(paid), refund("re_1", RefundStatus::Succeeded, 700, 3)]);
    assert_eq!(ledger.net(), Ok(eur(-300)));
    assert_eq!(ledger.refundable(), Ok(eur(0)));
}

/// The provider's sum is of one instant, and says all that was so then.
#[test]
fn what_happened_by_the_time_of_the_providers_sum_is_in_it() {
    let at_five = || refunded(payment("pi_1", PaymentStatus::Captured, 1000, 5), 500);
    let made_then = fold([at_five(), refund("re_1", RefundStatus::Pending, 200, 5)]);
    assert_eq!(made_then.refunded(), Ok(eur(500)));
    assert_eq!(made_then.unlisted_refunds(), Ok(eur(300)));
    let failed_then = fold([at_five(), refund("re_1", RefundStatus::Failed, 200, 5)]);
    assert_eq!(failed_then.refunded(), Ok(eur(500)));
    let made_before = refund("re_1", RefundStatus::Pending, 200, 4);
    let failed_since = refund("re_1", RefundStatus::Failed, 200, 6);
    let failed_since = fold([at_five(), made_before, failed_since]);
    assert_eq!(failed_since.refunded(), Ok(eur(300)));
}

#[test]
fn a_payment_was_captured_when_its_first_capture_was() {
    let mut ledger = fold([plain(payment("pi_1", PaymentStatus::Authorized, 0, 2))]);
    ledger.add_capture(capture("b", 100, 9));
    ledger.add_capture(capture("a", 100, 7));
    let captured_at = ledger.payment().unwrap().captured_at;
    assert_eq!(captured_at, Some(Timestamp::from_unix(7)));
    for id in ["a", "b"] {
        let mut reversed = capture(id, 100, 20);
        reversed.status = CaptureStatus::Reversed;
        ledger.add_capture(reversed);
    }
    let held_again = ledger.payment().unwrap();
    assert_eq!(held_again.captured_at, None);
    assert_eq!(held_again.captured, eur(0));
}

#[test]
fn captures_in_another_currency_change_nothing() {
    let mut ledger = fold([plain(payment("pi_1", PaymentStatus::Authorized, 0, 2))]);
    let mut yen = capture("a", 100, 7);
    yen.amount = Money::new(100, Currency::JPY);
    ledger.add_capture(yen);
    let payment = ledger.payment().unwrap();
    assert_eq!(
        (payment.captured, payment.status.clone()),
        (eur(0), PaymentStatus::Authorized)
    );
}

#[test]
fn what_was_taken_back_is_not_captured_whatever_the_payment_says() {
    let mut paid = payment("pi_1", PaymentStatus::Captured, 1000, 2);
    paid.captured_at = Some(Timestamp::from_unix(2));
    let mut ledger = fold([plain(paid)]);
    let mut reversed = capture("a", 1000, 9);
    reversed.status = CaptureStatus::Reversed;
    ledger.add_capture(reversed);
    let payment = ledger.payment().unwrap();
    assert_eq!((payment.captured, payment.captured_at), (eur(0), None));
}

/// Whatever adds up past what was asked for was told twice.
#[test]
fn no_more_is_captured_than_the_payment_or_the_captures_say() {
    let mut paid = payment("pi_1", PaymentStatus::Captured, 1000, 2);
    paid.capturable = eur(0);
    let mut ledger = fold([plain(paid)]);
    let mut reversed = capture("f", 400, 9);
    reversed.status = CaptureStatus::Reversed;
    ledger.add_capture(capture("a", 1000, 3));
    ledger.add_capture(reversed);
    assert_eq!(ledger.payment().unwrap().captured, eur(600));
}

#[test]
fn a_refund_that_a_report_has_is_not_added_because_the_clocks_differ() {
    let captured = || payment("pi_1", PaymentStatus::Captured, 1000, 20);
    for dated in 18..=22 {
        let ledger = assert_converges(&[
            refunded(captured(), 500),
            refund("re_1", RefundStatus::Succeeded, 300, dated),
            refund("re_2", RefundStatus::Succeeded, 200, dated),
        ]);
        assert_eq!(ledger.refunded(), Ok(eur(500)), "dated {dated}");
    }
    // One that is surely later is in addition.
    let later = assert_converges(&[
        refunded(captured(), 500),
        refund("re_3", RefundStatus::Succeeded, 100, 23),
    ]);
    assert_eq!(later.refunded(), Ok(eur(600)));
}

fn booked(status: DisputeStatus, at: i64, bookings: &[(i64, Currency)]) -> Fact {
    let Fact::Dispute(dispute) = dispute(status, at) else {
        unreachable!("it makes a dispute");
    };
    let amounts: Vec<_> = bookings.iter().map(|(m, c)| Money::new(*m, *c)).collect();
    Fact::Dispute(Box::new(dispute.with_bookings(&amounts)))
}

/// A dispute over 4.00 of 10.00, by what was booked for it.
#[test]
fn bookings_of_a_dispute_decide_in_every_order() {
    let taken = (-400, Currency::EUR);
    let in_dollars = (-441, Currency::USD);
    for (facts, net) in [
        (
            vec![booked(
                DisputeStatus::Lost,
                2,
                &[taken, (150, Currency::EUR)],
            )],
            750,
        ),
        (
            vec![booked(
                DisputeStatus::Lost,
                2,
                &[taken, (400, Currency::EUR)],
            )],
            1000,
        ),
        (vec![booked(DisputeStatus::Closed, 2, &[taken])], 600),
        (vec![booked(DisputeStatus::NeedsResponse, 2, &[])], 1000),
        (vec![booked(DisputeStatus::Lost, 2, &[in_dollars])], 600),
        (
            vec![booked(
                DisputeStatus::Lost,
                2,
                &[in_dollars, (441, Currency::USD)],
            )],
            1000,
        ),
        // A third of it is back: 4.00 less 1.33.
        (
            vec![booked(
                DisputeStatus::Lost,
                2,
                &[in_dollars, (147, Currency::USD)],
            )],
            733,
        ),
        // A report without bookings takes nothing away from one that has them, also if it is later.
        (
            vec![
                booked(DisputeStatus::NeedsResponse, 2, &[taken]),
                booked(DisputeStatus::Lost, 2, &[taken, (400, Currency::EUR)]),
                dispute(DisputeStatus::Lost, 9),
            ],
            1000,
        ),
    ] {
        let paid = plain(payment("pi_1", PaymentStatus::Captured, 1000, 1));
        let all: Vec<_> = [paid].into_iter().chain(facts).collect();
        assert_eq!(assert_converges(&all).net(), Ok(eur(net)));
    }
}
