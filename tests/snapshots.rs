//! What two snapshots of one thing come to, whichever of them came first.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Debug;

use counterfoil::Test;
use counterfoil::capture::{Capture, CaptureStatus, Change};
use counterfoil::clock::Timestamp;
use counterfoil::dispute::{Dispute, DisputeStatus};
use counterfoil::error::{Decline, DeclineReason};
use counterfoil::id::{CaptureId, CommandId, DisputeId, PaymentId, ProviderName, RefundId};
use counterfoil::money::{Currency, Money};
use counterfoil::payment::{NextAction, Payment, PaymentStatus};
use counterfoil::refund::{Refund, RefundStatus};

fn psp() -> ProviderName {
    ProviderName::new("psp").unwrap()
}

fn id(raw: &str) -> PaymentId<Test> {
    PaymentId::new(psp(), raw).unwrap()
}

fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_unix(second)
}

fn payment(raw: &str, status: PaymentStatus, second: i64) -> Payment<Test> {
    Payment::new(id(raw), status, eur(1000), at(second))
}

fn checkout(raw: &str, status: PaymentStatus, second: i64) -> Payment<Test> {
    let mut checkout = payment(raw, status, second);
    checkout.is_checkout = true;
    checkout
}

fn of_attempt(mut payment: Payment<Test>, reference: &str) -> Payment<Test> {
    payment.reference = Some(reference.parse().unwrap());
    payment
}

/// What `join` makes of both, which must be the same in either order.
fn either_way<T: Clone + Debug>(join: impl Fn(T, T) -> T, one: &T, other: &T) -> T {
    let joined = join(one.clone(), other.clone());
    let turned = join(other.clone(), one.clone());
    assert_eq!(format!("{joined:?}"), format!("{turned:?}"));
    joined
}

fn joined(one: &Payment<Test>, other: &Payment<Test>) -> Payment<Test> {
    either_way(|a, b| a.join(b).unwrap(), one, other)
}

#[test]
fn a_payment_keeps_what_only_one_snapshot_says() {
    let mut first = of_attempt(payment("pi", PaymentStatus::Captured, 5), "shop:A:1");
    first.captured_at = Some(at(7));
    first.fee = Some(eur(30));
    first.expires_at = Some(at(200));
    let mut second = payment("pi", PaymentStatus::Captured, 9);
    second.captured_at = Some(at(9));
    second.expires_at = Some(at(100));
    let both = joined(&first, &second);
    assert_eq!((both.created_at, both.as_of), (at(5), at(9)));
    assert_eq!((both.captured_at, both.fee), (Some(at(7)), Some(eur(30))));
    assert_eq!(both.expires_at, Some(at(200)));
    assert_eq!(both.reference, first.reference);
}

#[test]
fn a_payment_is_named_by_itself_and_not_by_its_checkout() {
    let page = of_attempt(checkout("cs", PaymentStatus::Captured, 9), "shop:A:1");
    let paid = of_attempt(payment("pi", PaymentStatus::Pending, 5), "shop:A:1");
    let both = joined(&page, &paid);
    assert_eq!((&both.id, both.is_checkout), (&id("pi"), false));
    assert_eq!(both.status, PaymentStatus::Captured);
    assert_eq!(both.aliases, [], "which page led to it was not said");
    let mut linked = paid.clone();
    linked.aliases = vec![id("cs")];
    assert_eq!(joined(&page, &linked).aliases, [id("cs")]);
    let mut renamed = payment("py", PaymentStatus::Captured, 9);
    renamed.aliases = vec![id("pi")];
    let both = joined(&payment("pi", PaymentStatus::Captured, 5), &renamed);
    assert_eq!((both.id, both.aliases), (id("py"), vec![id("pi")]));
    let open = of_attempt(checkout("cs", PaymentStatus::Created, 9), "shop:A:1");
    let both = joined(&open, &paid);
    assert_eq!((&both.id, both.is_checkout), (&id("pi"), false));
    assert_eq!(joined(&open, &page).id, id("cs"));
}

#[test]
fn two_snapshots_are_of_one_payment_by_an_id_or_an_attempt() {
    let page = checkout("cs", PaymentStatus::Created, 1);
    let paid = payment("pi", PaymentStatus::Captured, 2);
    let mut linked = paid.clone();
    linked.aliases = vec![id("cs")];
    let mut renamed = payment("py", PaymentStatus::Captured, 3);
    renamed.aliases = vec![id("pi")];
    let of_1 = |payment: &Payment<Test>| of_attempt(payment.clone(), "shop:A:1");
    let of_2 = |payment: &Payment<Test>| of_attempt(payment.clone(), "shop:A:2");
    for (one, other, is_same) in [
        (page.clone(), paid.clone(), false),
        (of_1(&page), of_1(&paid), true),
        (of_1(&page), of_2(&paid), false),
        (of_1(&page), paid.clone(), false),
        (page.clone(), linked, true),
        (paid.clone(), renamed, true),
        // An attempt that was charged twice has two payments.
        (
            of_1(&paid),
            of_1(&payment("px", PaymentStatus::Captured, 2)),
            false,
        ),
    ] {
        assert_eq!(one.is_same_as(&other), is_same, "{one:?} {other:?}");
        assert_eq!(other.is_same_as(&one), is_same, "{other:?} {one:?}");
        assert_eq!(one.join(other).is_ok(), is_same);
    }
}

#[test]
fn later_news_of_a_lower_class_undoes_nothing() {
    let refused = PaymentStatus::Failed(Decline::new(DeclineReason::InsufficientFunds));
    let unknown = PaymentStatus::Unrecognized("on_ice".into());
    for (earlier, later) in [
        (PaymentStatus::Captured, PaymentStatus::Canceled),
        (PaymentStatus::Canceled, PaymentStatus::Pending),
        (PaymentStatus::Expired, PaymentStatus::Authorized),
        (PaymentStatus::Authorized, refused.clone()),
    ] {
        let one = payment("pi", earlier.clone(), 5);
        let status = joined(&one, &payment("pi", later.clone(), 9)).status;
        assert_eq!(status, earlier, "and not {later:?}");
    }
    // A page may have ended while the payment was under way.
    let ended = of_attempt(checkout("cs", PaymentStatus::Expired, 5), "shop:A:1");
    let under_way = of_attempt(payment("pi", PaymentStatus::Pending, 4), "shop:A:1");
    assert_eq!(joined(&ended, &under_way).status, PaymentStatus::Pending);
    let reopened = checkout("cs", PaymentStatus::Created, 9);
    assert_eq!(joined(&ended, &reopened).status, PaymentStatus::Expired);
    // Among equals the later word counts, and within a second the further one that is known.
    let tried = payment("pi", refused.clone(), 5);
    let again = payment("pi", PaymentStatus::Pending, 6);
    assert_eq!(joined(&tried, &again).status, PaymentStatus::Pending);
    let created = payment("pi", PaymentStatus::Created, 5);
    assert_eq!(joined(&tried, &created).status, refused);
    let unknown = payment("pi", unknown, 5);
    assert_eq!(joined(&unknown, &created).status, PaymentStatus::Created);
}

#[test]
fn of_two_pages_of_one_second_the_same_is_kept_in_either_order() {
    let to = |url: &str| {
        let mut payment = payment("pi", PaymentStatus::ActionRequired, 5);
        let url = url.to_owned();
        payment.next_action = Some(NextAction::Redirect { url });
        payment
    };
    let both = joined(&to("https://psp.example/a"), &to("https://psp.example/b"));
    assert!(both.next_action.is_some());
    joined(
        &to("https://psp.example/a"),
        &payment("pi", PaymentStatus::ActionRequired, 5),
    );
}

#[test]
fn an_amount_is_held_until_all_of_it_is_taken_or_let_go() {
    for (status, capturable, is_held) in [
        (PaymentStatus::Authorized, 1000, true),
        (PaymentStatus::Captured, 400, true),
        (PaymentStatus::Captured, 0, false),
        (PaymentStatus::Pending, 1000, false),
        (PaymentStatus::Canceled, 400, false),
    ] {
        let mut payment = payment("pi", status, 5);
        payment.capturable = eur(capturable);
        assert_eq!(payment.is_held(), is_held, "{payment:?}");
    }
}

#[test]
fn a_change_that_was_only_received_shows_no_payment() {
    let made = Change::Made(Box::new(payment("pi", PaymentStatus::Canceled, 5)));
    assert_eq!(made.payment().unwrap().id, id("pi"));
    assert!(made.into_payment().is_some());
    let received = Change::Received {
        payment: id("pi"),
        request: "r".into(),
    };
    assert!(received.payment().is_none());
    assert!(received.into_payment().is_none());
}

#[test]
fn a_capture_keeps_its_command_and_fails_after_it_succeeded() {
    let of = |payment: &str, status, second| {
        let capture = CaptureId::new(psp(), "c").unwrap();
        Capture::<Test>::new(capture, id(payment), status, eur(300), at(second))
    };
    let mut asked = of("pi_2", CaptureStatus::Pending, 9);
    asked.command = Some(CommandId::new("part").unwrap());
    let done = of("pi_1", CaptureStatus::Succeeded, 5);
    let both = either_way(Capture::join, &asked, &done);
    assert_eq!(
        both.status,
        CaptureStatus::Succeeded,
        "pending is no news of its end"
    );
    assert_eq!((both.command, both.payment), (asked.command, id("pi_2")));
    let failed = of("pi_1", CaptureStatus::Reversed, 5);
    let both = either_way(Capture::join, &failed, &done);
    assert_eq!(both.status, CaptureStatus::Reversed);
}

#[test]
fn a_refund_keeps_its_command_and_its_failure() {
    let of = |payment: &str, status, second| {
        let refund = RefundId::new(psp(), "r").unwrap();
        Refund::<Test>::new(refund, id(payment), status, eur(300), at(second))
    };
    let mut asked = of("pi_2", RefundStatus::Pending, 3);
    asked.command = Some(CommandId::new("back").unwrap());
    let done = of("pi_1", RefundStatus::Succeeded, 9);
    let both = either_way(Refund::join, &asked, &done);
    assert_eq!(
        (both.status, both.created_at),
        (RefundStatus::Succeeded, at(3))
    );
    assert_eq!((both.command, both.payment), (asked.command, id("pi_2")));
    for (stands, later) in [
        (RefundStatus::Failed, RefundStatus::Succeeded),
        (RefundStatus::Succeeded, RefundStatus::Pending),
        (RefundStatus::Canceled, RefundStatus::ActionRequired),
    ] {
        let both = either_way(
            Refund::join,
            &of("pi_1", stands.clone(), 5),
            &of("pi_1", later, 9),
        );
        assert_eq!(both.status, stands);
    }
}

#[test]
fn a_question_about_a_payment_takes_no_money_until_somebody_says_so() {
    let of = |payment: &str, status, second| {
        let dispute = DisputeId::new(psp(), "d").unwrap();
        Dispute::<Test>::new(dispute, id(payment), status, eur(400), at(second))
    };
    let asked = of("pi_2", DisputeStatus::Inquiry, 5);
    let lapsed = of("pi_1", DisputeStatus::Lost, 9).without_word_of_money();
    let both = either_way(Dispute::join, &asked, &lapsed);
    assert_eq!(both.status, DisputeStatus::Closed);
    assert_eq!((both.created_at, both.payment.clone()), (at(5), id("pi_2")));
    let again = of("pi_1", DisputeStatus::Lost, 11).without_word_of_money();
    let still = either_way(Dispute::join, &both, &again);
    assert_eq!(still.status, DisputeStatus::Closed);
    // It is kept through a store, and an end of which nobody said more is written as one.
    let kept: Dispute<Test> =
        serde_json::from_str(&serde_json::to_string(&asked).unwrap()).unwrap();
    assert_eq!(
        either_way(Dispute::join, &kept, &lapsed).status,
        DisputeStatus::Closed
    );
    let closed = serde_json::to_string(&of("pi_1", DisputeStatus::Closed, 9)).unwrap();
    assert!(!closed.contains("taken"), "{closed}");
    let answered = of("pi_1", DisputeStatus::UnderReview, 9).without_word_of_money();
    let both_open = either_way(Dispute::join, &asked, &answered);
    assert_eq!(both_open.status, DisputeStatus::Inquiry);
    // Once money was taken, the last word on it counts.
    let taken = of("pi_1", DisputeStatus::NeedsResponse, 7);
    assert_eq!(
        either_way(Dispute::join, &both, &taken).status,
        DisputeStatus::Lost
    );
}

/// Each arrangement of what was reported, the last of which may come twice.
fn joined_in_every_order<T: Clone + Debug>(join: impl Fn(T, T) -> T, all: &[T; 3]) -> T {
    let [a, b, c] = all;
    let mut texts = Vec::new();
    let mut last = a.clone();
    for [x, y, z] in [
        [a, b, c],
        [a, c, b],
        [b, a, c],
        [b, c, a],
        [c, a, b],
        [c, b, a],
    ] {
        let left = join(join(x.clone(), y.clone()), z.clone());
        let right = join(x.clone(), join(y.clone(), z.clone()));
        last = join(left.clone(), z.clone());
        texts.extend([left, right, last.clone()].map(|joined| format!("{joined:?}")));
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:#?}");
    last
}

#[test]
fn dispute_keeps_reason_deadline_and_refundability_that_a_later_report_does_not_have() {
    let of = |second| {
        let dispute = DisputeId::new(psp(), "d").unwrap();
        let status = DisputeStatus::NeedsResponse;
        Dispute::<Test>::new(dispute, id("pi"), status, eur(400), at(second))
    };
    let mut first = of(5);
    first.reason = Some("fraudulent".into());
    first.respond_by = Some(at(900));
    first.is_refundable = Some(true);
    let silent = of(9);
    // Reports of one second, of which each has something else.
    let mut beside = of(9);
    beside.reason = Some("duplicate".into());
    let kept = either_way(Dispute::join, &first, &silent);
    assert_eq!(kept.reason.as_deref(), Some("fraudulent"));
    assert_eq!((kept.respond_by, kept.as_of), (Some(at(900)), at(9)));
    assert_eq!(kept.is_refundable, Some(true));
    let all = joined_in_every_order(Dispute::join, &[first.clone(), silent, beside]);
    assert_eq!(all.reason.as_deref(), Some("duplicate"));
    assert_eq!(
        (all.respond_by, all.is_refundable),
        (Some(at(900)), Some(true))
    );
    // What is said anew counts, also if it is less, and after it was stored.
    let mut sooner = of(7);
    sooner.respond_by = Some(at(800));
    sooner.is_refundable = Some(false);
    let stored: Dispute<Test> =
        serde_json::from_str(&serde_json::to_string(&kept).unwrap()).unwrap();
    for kept in [kept, stored] {
        let now = either_way(Dispute::join, &kept, &sooner);
        assert_eq!(now.respond_by, Some(at(800)));
        assert_eq!((now.is_refundable, now.as_of), (Some(false), at(9)));
    }
}
