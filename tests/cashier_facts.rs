//! What a provider says of one order, fact by fact, and what the host then sees of it: the history,
//! the confirmations, what became of a command, whether the order is paid.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod flow;

use std::sync::atomic::Ordering;

use counterfoil::ErrorKind;
use counterfoil::capture::{Capture, CaptureStatus};
use counterfoil::cashier::{CommandState, Standing};
use counterfoil::clock::Clock;
use counterfoil::dispute::{Dispute, DisputeStatus};
use counterfoil::error::{Decline, DeclineReason};
use counterfoil::id::{CaptureId, CommandId, PaymentId, ProviderName, RefundId};
use counterfoil::money::{Currency, Money};
use counterfoil::payment::{Payment, PaymentStatus};
use counterfoil::refund::{Refund, RefundStatus};
use counterfoil::simulator::SimulatedProvider;

use flow::quiet::{About, Shop, dispute_id, notice};
use flow::{capture, eur, kind_of, order, page, refund};

fn euros(minor: i64) -> Money {
    eur(minor).money()
}

fn quiet() -> ProviderName {
    ProviderName::new("quiet").unwrap()
}

fn failed() -> PaymentStatus {
    PaymentStatus::Failed(Decline::new(DeclineReason::InsufficientFunds))
}

#[tokio::test]
async fn what_is_news_is_a_line_of_the_history_and_what_is_known_is_none() {
    let shop = Shop::open().await;
    let id = shop.checked_out(1000).await;
    let now = shop.hands.clock.now();
    let held = shop.hands.set(id.raw(), PaymentStatus::Authorized);
    let of_capture = |raw: &str, status| {
        let name = CaptureId::new(quiet(), raw).unwrap();
        let capture = Capture::new(name, id.clone(), status, euros(100), now);
        About::Capture(Box::new(capture))
    };
    let of_refund = |raw: &str, status| {
        let name = RefundId::new(quiet(), raw).unwrap();
        let refund = Refund::new(name, id.clone(), status, euros(100), now);
        About::Refund(Box::new(refund))
    };
    let of_dispute = |raw: &str, status| {
        let dispute = Dispute::new(dispute_id(raw), id.clone(), status, euros(100), now);
        About::Dispute(Box::new(dispute))
    };
    let mut expected = Vec::new();
    for (is_news, about, line) in [
        (
            true,
            About::Payment(Box::new(held.clone())),
            format!("payment {id}: authorized, 0.00 EUR captured, 0.00 EUR refunded"),
        ),
        (false, About::Payment(Box::new(held)), String::new()),
        (
            true,
            of_capture("a", CaptureStatus::Pending),
            "capture quiet:test:a of 1.00 EUR: Pending".into(),
        ),
        (
            false,
            of_capture("a", CaptureStatus::Pending),
            String::new(),
        ),
        (
            true,
            of_capture("b", CaptureStatus::Pending),
            "capture quiet:test:b of 1.00 EUR: Pending".into(),
        ),
        (
            true,
            of_capture("a", CaptureStatus::Succeeded),
            "capture quiet:test:a of 1.00 EUR: Succeeded".into(),
        ),
        (
            true,
            of_refund("a", RefundStatus::Pending),
            "refund quiet:test:a of 1.00 EUR: Pending".into(),
        ),
        (false, of_refund("a", RefundStatus::Pending), String::new()),
        (
            true,
            of_refund("b", RefundStatus::Pending),
            "refund quiet:test:b of 1.00 EUR: Pending".into(),
        ),
        (
            true,
            of_refund("a", RefundStatus::Succeeded),
            "refund quiet:test:a of 1.00 EUR: Succeeded".into(),
        ),
        (
            true,
            of_dispute("a", DisputeStatus::NeedsResponse),
            "dispute quiet:test:a over 1.00 EUR: NeedsResponse".into(),
        ),
        (
            false,
            of_dispute("a", DisputeStatus::NeedsResponse),
            String::new(),
        ),
        (
            true,
            of_dispute("b", DisputeStatus::NeedsResponse),
            "dispute quiet:test:b over 1.00 EUR: NeedsResponse".into(),
        ),
        (
            true,
            of_dispute("a", DisputeStatus::Lost),
            "dispute quiet:test:a over 1.00 EUR: Lost".into(),
        ),
    ] {
        shop.hear(about).await;
        if is_news {
            let number = shop.notices.load(Ordering::SeqCst);
            expected.push((format!("quiet:test:e{number}"), line));
        }
    }
    let history = shop.record().await.history.into_iter();
    let told = history.filter_map(|line| Some((line.evidence?, line.what)));
    let told: Vec<_> = told.filter(|(by, _)| by.contains(":e")).collect();
    assert_eq!(told, expected);
}

#[tokio::test]
async fn each_turn_of_a_dispute_is_told_of_once() {
    let shop = Shop::open().await;
    let id = shop.checked_out(1000).await;
    shop.hear_of(&id, PaymentStatus::Captured).await;
    assert_eq!(shop.confirmed().await, ["paid"]);
    let novel = DisputeStatus::Unrecognized("novel".into());
    for (raw, status, expected) in [
        ("d1", novel, vec![]),
        (
            "d1",
            DisputeStatus::NeedsResponse,
            vec!["opened:quiet:test:d1"],
        ),
        ("d1", DisputeStatus::UnderReview, vec![]),
        ("d1", DisputeStatus::Won, vec!["won:quiet:test:d1"]),
        (
            "d2",
            DisputeStatus::Lost,
            vec!["lost:quiet:test:d2", "opened:quiet:test:d2"],
        ),
    ] {
        let now = shop.hands.clock.now();
        let dispute = Dispute::new(dispute_id(raw), id.clone(), status, euros(1000), now);
        shop.hear(About::Dispute(Box::new(dispute))).await;
        let told = shop.confirmed().await;
        let told = told.iter().filter_map(|kind| kind.strip_prefix("dispute_"));
        assert_eq!(told.collect::<Vec<_>>(), expected);
    }
}

#[tokio::test]
async fn a_command_that_is_done_is_a_line_of_the_history() {
    let shop = Shop::open().await;
    let id = shop.checked_out(1000).await;
    shop.hear_of(&id, PaymentStatus::Captured).await;
    let given = shop.cashier.refund(&refund(&id, 400, "r")).await.unwrap();
    let now = shop.hands.clock.now();
    for _ in 0..2 {
        let name = given.refund.clone().unwrap();
        let done = Refund::new(name, id.clone(), RefundStatus::Succeeded, euros(400), now);
        shop.hear(About::Refund(Box::new(done))).await;
    }
    let record = shop.record().await;
    assert_eq!(record.external_refunds().count(), 0);
    let history = record.history;
    let of_command = history.iter().map(|line| &*line.what);
    let of_command = of_command.filter(|what| what.starts_with("refund of"));
    let done = format!("refund of {id}: Succeeded");
    assert_eq!(
        of_command.collect::<Vec<_>>(),
        ["refund of 4.00 EUR asked for", &done]
    );
}

/// Of two captures of one amount, the notice of one says nothing of the other, and neither does a
/// refusal of an earlier day.
#[tokio::test]
async fn a_capture_is_settled_by_the_notices_of_its_own() {
    let shop = Shop::open().await;
    let request = page("A", 1000).with_manual_capture();
    let id = shop.cashier.check_out(&request).await.unwrap().id;
    shop.hear_of(&id, PaymentStatus::Authorized).await;
    let started = shop.hands.clock.now();
    let asked = async |command: &str| {
        let request = capture(&id, 300, command).keeping_the_rest();
        shop.cashier.capture(&request).await.unwrap().state
    };
    let told = |raw: &str, status, command: Option<&str>, at| {
        let name = CaptureId::new(quiet(), raw).unwrap();
        let mut capture = Capture::new(name, id.clone(), status, euros(300), at);
        capture.command = command.map(|command| CommandId::new(command).unwrap());
        capture.is_final = false;
        About::Capture(Box::new(capture))
    };
    let state = async |place: usize| shop.record().await.commands[place].state;
    assert_eq!(asked("first").await, CommandState::Pending);
    let now = shop.hands.clock.now();
    let done = told("c1", CaptureStatus::Succeeded, Some("first"), now);
    shop.hear(done.clone()).await;
    assert_eq!(state(0).await, CommandState::Succeeded);

    assert_eq!(asked("second").await, CommandState::Pending);
    shop.hear(done).await;
    assert_eq!(state(1).await, CommandState::Pending);
    shop.hear(told("c2", CaptureStatus::Refused, None, started))
        .await;
    assert_eq!(state(1).await, CommandState::Pending);
    let now = shop.hands.clock.now();
    shop.hear(told("c3", CaptureStatus::Refused, None, now))
        .await;
    assert_eq!(state(1).await, CommandState::Failed);
    assert_eq!(state(0).await, CommandState::Succeeded);
    let record = shop.record().await;
    assert_eq!(record.received().unwrap(), euros(300));
}

#[tokio::test]
async fn a_completion_in_doubt_has_failed_once_its_payment_has_ended() {
    for status in [failed(), PaymentStatus::Canceled, PaymentStatus::Expired] {
        let shop = Shop::without(&[]).await;
        let first = shop.checked_out(1000).await;
        shop.hands.books().unheard = 1;
        let approved = shop.hands.set(first.raw(), PaymentStatus::Approved);
        let approved = notice("approved", "body", &About::Payment(Box::new(approved)));
        assert!(shop.cashier.receive(&approved).await.error.is_some());
        shop.hear_of(&first, status).await;
        let command = &shop.record().await.commands[0];
        assert_eq!(command.state, CommandState::Failed);
        assert_ne!(shop.checked_out(1000).await, first);
    }
}

#[tokio::test]
async fn a_refusal_without_its_page_is_known_by_both_names() {
    let shop = Shop::open().await;
    let begun = shop.cashier.check_out(&page("A", 1000)).await.unwrap();
    let refused = PaymentId::new(quiet(), "refused").unwrap();
    let now = shop.hands.clock.now();
    let mut refusal = Payment::new(refused.clone(), failed(), euros(1000), now);
    refusal.reference = begun.reference;
    shop.hear(About::Payment(Box::new(refusal))).await;
    let record = shop.record().await;
    assert_eq!(record.payments.len(), 1);
    for name in [&begun.id, &refused] {
        assert!(record.payment(name).is_some(), "{name}");
    }
}

#[tokio::test]
async fn a_hold_after_the_close_is_no_cue_to_capture() {
    let shop = Shop::open().await;
    shop.cashier.close(&order("A")).await.unwrap();
    let id = PaymentId::new(quiet(), "late").unwrap();
    let now = shop.hands.clock.now();
    let mut held = Payment::new(id.clone(), PaymentStatus::Authorized, euros(1000), now);
    held.reference = Some("shop:A:7".parse().unwrap());
    held.capturable = euros(1000);
    shop.hear(About::Payment(Box::new(held))).await;
    let concern = format!("needs_a_person:held_after_close:{id}");
    assert_eq!(shop.confirmed().await, [concern]);
}

/// Whichever attempt it is, and whether a part of it was taken and given back.
#[tokio::test]
async fn an_order_for_which_money_is_held_is_not_closed_or_amended() {
    let shop = Shop::open().await;
    let now = shop.hands.clock.now();
    let id = PaymentId::new(quiet(), "elsewhere").unwrap();
    let mut held = Payment::new(id, PaymentStatus::Authorized, euros(1000), now);
    held.reference = Some("shop:A:7".parse().unwrap());
    held.capturable = euros(1000);
    shop.hear(About::Payment(Box::new(held))).await;
    let closed = shop.cashier.close(&order("A")).await;
    assert_eq!(kind_of(closed.unwrap_err()), ErrorKind::Conflict);
    // It is not let go by that.
    assert!(shop.hands.books().keys.is_empty());
    let amended = shop.cashier.amend(&order("A"), eur(900)).await;
    assert_eq!(kind_of(amended.unwrap_err()), ErrorKind::Conflict);

    let shop = Shop::open().await;
    let id = shop.checked_out(1000).await;
    let mut part = shop.hands.set(id.raw(), PaymentStatus::Captured);
    (part.captured, part.capturable) = (euros(300), euros(700));
    part.refunded = euros(300);
    shop.hear(About::Payment(Box::new(part))).await;
    assert_eq!(
        shop.record().await.received().unwrap(),
        Money::zero(Currency::EUR)
    );
    let closed = shop.cashier.close(&order("A")).await;
    assert_eq!(kind_of(closed.unwrap_err()), ErrorKind::Conflict);
}

#[tokio::test]
async fn a_payment_under_way_is_pending() {
    let shop = Shop::open().await;
    let id = shop.checked_out(1000).await;
    assert_eq!(shop.record().await.standing(), Standing::Unpaid);
    shop.hear_of(&id, PaymentStatus::Pending).await;
    assert_eq!(shop.record().await.standing(), Standing::Pending);
    let again = shop.cashier.check_out(&page("A", 1000)).await;
    assert_eq!(kind_of(again.unwrap_err()), ErrorKind::Conflict);
    let amended = shop.cashier.amend(&order("A"), eur(900)).await;
    assert_eq!(kind_of(amended.unwrap_err()), ErrorKind::Conflict);
}

/// The whole came by one payment, after a part of it had come by another.
#[tokio::test]
async fn an_order_that_is_overpaid_at_once_is_paid_too() {
    let shop = Shop::open().await;
    let first = shop.checked_out(1000).await;
    let released = shop.cashier.release_attempt(&order("A"), "insists").await;
    released.unwrap();
    let second = shop.checked_out(1000).await;
    let mut part = shop.hands.set(second.raw(), PaymentStatus::Captured);
    part.captured = euros(300);
    shop.hear(About::Payment(Box::new(part))).await;
    let short = euros(700);
    assert_eq!(
        shop.record().await.standing(),
        Standing::PartlyPaid { short }
    );
    assert_eq!(shop.confirmed().await, ["partly_paid"]);
    let amended = shop.cashier.amend(&order("A"), eur(300)).await;
    assert_eq!(kind_of(amended.unwrap_err()), ErrorKind::Conflict);
    let closed = shop.cashier.close(&order("A")).await;
    assert_eq!(kind_of(closed.unwrap_err()), ErrorKind::Conflict);
    shop.hear_of(&first, PaymentStatus::Captured).await;
    let excess = euros(300);
    assert_eq!(
        shop.record().await.standing(),
        Standing::Overpaid { excess }
    );
    let told = shop.confirmed().await;
    assert_eq!(told.last().unwrap(), "paid", "{told:?}");
}

/// The first that is heard of the second part is that some of it has gone back already.
#[tokio::test]
async fn an_order_paid_in_parts_is_paid_although_some_has_gone_back_since() {
    let shop = Shop::open().await;
    let first = shop.checked_out(1000).await;
    let mut part = shop.hands.set(first.raw(), PaymentStatus::Captured);
    part.captured = euros(300);
    shop.hear(About::Payment(Box::new(part))).await;
    assert_eq!(shop.confirmed().await, ["partly_paid"]);
    let second = shop.checked_out(700).await;
    let mut rest = shop.hands.set(second.raw(), PaymentStatus::Captured);
    rest.refunded = euros(100);
    shop.hear(About::Payment(Box::new(rest))).await;
    let left = euros(900);
    assert_eq!(shop.record().await.standing(), Standing::Reversed { left });
    assert_eq!(shop.confirmed().await, ["paid"]);
}

#[tokio::test]
async fn money_that_went_back_without_a_refund_is_put_before_a_person() {
    let shop = Shop::open().await;
    let id = shop.checked_out(1000).await;
    let mut bounced = shop.hands.set(id.raw(), PaymentStatus::Captured);
    bounced.returned = euros(1000);
    shop.hear(About::Payment(Box::new(bounced))).await;
    let concerns = shop.cashier.concerns(&shop.record().await);
    assert_eq!(concerns[0].name, format!("returned:{id}"));
    assert_eq!(concerns.len(), 1);
}

/// The ledger tells of the first that it was taken back; of the second only the command tells.
#[tokio::test]
async fn each_capture_in_doubt_that_came_to_nothing_is_put_before_a_person_once() {
    let shop = Shop::open().await;
    let request = page("A", 1000).with_manual_capture();
    let id = shop.cashier.check_out(&request).await.unwrap().id;
    shop.hear_of(&id, PaymentStatus::Authorized).await;
    for (raw, statuses) in [
        (
            "c1",
            &[CaptureStatus::Succeeded, CaptureStatus::Reversed][..],
        ),
        ("c2", &[CaptureStatus::Refused]),
    ] {
        shop.hands.books().unheard = 1;
        let request = capture(&id, 300, raw).keeping_the_rest();
        shop.cashier.capture(&request).await.unwrap_err();
        for status in statuses {
            let now = shop.hands.clock.now();
            let name = CaptureId::new(quiet(), raw).unwrap();
            let status = status.clone();
            let mut heard = Capture::new(name, id.clone(), status, euros(300), now);
            heard.command = Some(CommandId::new(raw).unwrap());
            heard.is_final = false;
            shop.hear(About::Capture(Box::new(heard))).await;
        }
    }
    let record = shop.record().await;
    let concerns = shop.cashier.concerns(&record);
    let names: Vec<_> = concerns.iter().map(|concern| &*concern.name).collect();
    let second = format!("capture_failed:{}", record.commands[1].key);
    assert_eq!(names, [&*second, "capture_failed:quiet:test:c1"]);
}

#[tokio::test]
async fn of_two_payments_the_one_in_another_currency_is_put_before_a_person() {
    let shop = Shop::open().await;
    let id = shop.checked_out(1000).await;
    let mut part = shop.hands.set(id.raw(), PaymentStatus::Captured);
    part.captured = euros(300);
    shop.hear(About::Payment(Box::new(part))).await;
    let other = PaymentId::new(quiet(), "dollars").unwrap();
    let (dollars, now) = (Money::new(1000, Currency::USD), shop.hands.clock.now());
    let mut other = Payment::new(other, PaymentStatus::Captured, dollars, now);
    other.captured = dollars;
    other.reference = Some("shop:A:7".parse().unwrap());
    shop.hear(About::Payment(Box::new(other))).await;
    let concerns = shop.cashier.concerns(&shop.record().await);
    assert_eq!(concerns[0].name, "wrong_currency:quiet:test:dollars");
    assert_eq!(concerns.len(), 1);
}

/// What was captured in the provider's dashboard is told from what was asked for here.
#[tokio::test]
async fn what_was_captured_elsewhere_is_told_apart() {
    let shop = flow::Shop::open().await;
    let id = shop.held("A", 1000).await;
    let part = capture(&id, 300, "part").keeping_the_rest();
    shop.cashier.capture(&part).await.unwrap();
    let elsewhere = async || {
        let record = shop.record("A").await;
        assert_eq!(record.last_attempt().unwrap().attempt.number(), 1);
        record.external_captures(&id).unwrap().unwrap().minor()
    };
    assert_eq!(elsewhere().await, 0);
    let body = "amount_to_capture=700";
    let request = http::Request::post(format!("/v1/payment_intents/{}/capture", id.raw()))
        .header("authorization", "Bearer sk_test_flow")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(bytes::Bytes::from_static(body.as_bytes()))
        .unwrap();
    shop.account.lock().handle(&request);
    shop.deliver().await;
    assert_eq!(elsewhere().await, 700);
    // What is given back was captured all the same.
    let back = flow::refund(&id, 100, "back");
    shop.cashier.refund(&back).await.unwrap();
    assert_eq!(elsewhere().await, 700);
    // What is taken at once is no capture.
    let other = shop.paid("B", 500).await;
    let record = shop.record("B").await;
    assert_eq!(
        record.external_captures(&other).unwrap(),
        Some(Money::zero(Currency::EUR))
    );
}

#[test]
fn each_standing_is_told_in_a_sentence_with_its_amount() {
    let amount = Money::new(123_456, Currency::EUR);
    let with_amount = [
        Standing::PaidAfterClose { received: amount },
        Standing::Overpaid { excess: amount },
        Standing::Reversed { left: amount },
        Standing::PartlyPaid { short: amount },
    ];
    for standing in with_amount {
        assert!(standing.to_string().contains("1234.56 EUR"), "{standing}");
    }
    let without = [
        Standing::WrongCurrency,
        Standing::Paid,
        Standing::Pending,
        Standing::Authorized,
        Standing::Unpaid,
    ];
    let all = with_amount.iter().chain(&without).map(Standing::to_string);
    let texts: std::collections::BTreeSet<_> = all.collect();
    assert_eq!(texts.len(), 9, "{texts:?}");
}
