//! Questions and wishes that got no answer, or a no: what is asked again, what is sent again, what
//! is given up, and what waits.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod flow;

use counterfoil::capability::{Capabilities, Operation};
use counterfoil::capture::{Capture, CaptureStatus};
use counterfoil::cashier::{AttemptPhase, CommandState};
use counterfoil::clock::Clock;
use counterfoil::id::{CaptureId, CommandId, PaymentId, ProviderName, RefundId};
use counterfoil::money::{Currency, Money};
use counterfoil::payment::{Payment, PaymentStatus};
use counterfoil::refund::{Refund, RefundStatus};
use counterfoil::simulator::{Fault, FaultRule};
use counterfoil::{Effect, ErrorKind, Test};

use flow::quiet::{About, Shop, notice};
use flow::{DAY, capture, eur, kind_of, order, page, refund};

fn lost(fault: Fault) -> FaultRule {
    FaultRule::next(fault).with_method(http::Method::POST)
}

fn unread(path: &str) -> FaultRule {
    let unread = FaultRule::next(Fault::Unavailable).with_method(http::Method::GET);
    unread.with_path(path)
}

fn quiet() -> ProviderName {
    ProviderName::new("quiet").unwrap()
}

/// A refund of order A's payment that was made elsewhere.
fn made_elsewhere(shop: &Shop, of: &PaymentId<Test>, minor: i64) -> Refund<Test> {
    let id = RefundId::new(quiet(), "elsewhere").unwrap();
    let (amount, now) = (eur(minor).money(), shop.hands.clock.now());
    Refund::new(id, of.clone(), RefundStatus::Succeeded, amount, now)
}

impl Shop {
    async fn paid(&self) -> PaymentId<Test> {
        let id = self.checked_out(1000).await;
        self.hear_of(&id, PaymentStatus::Captured).await;
        id
    }

    async fn resumed(&self) -> bool {
        self.cashier.resume(&order("A")).await.is_ok()
    }
}

/// Only the provider's own answer, an hour after, makes an attempt one that never arrived.
#[tokio::test]
async fn an_attempt_is_given_up_when_the_provider_knows_nothing_of_it_for_an_hour() {
    let shop = flow::Shop::open().await;
    shop.cashier.place(&order("A"), eur(1000)).await.unwrap();
    shop.account.lock().faults().script(lost(Fault::DropBefore));
    shop.cashier.check_out(&page("A", 1000)).await.unwrap_err();
    let phase = async || shop.record("A").await.attempts[0].phase;
    shop.account.wait(3600);
    shop.cashier.resume(&order("A")).await.unwrap();
    assert_eq!(phase().await, AttemptPhase::Stored);
    shop.account.wait(1);
    shop.account.lock().faults().script(unread("/v1"));
    shop.cashier.resume(&order("A")).await.unwrap_err();
    assert_eq!(phase().await, AttemptPhase::Stored);
    shop.cashier.resume(&order("A")).await.unwrap();
    assert_eq!(phase().await, AttemptPhase::NeverArrived);
}

#[tokio::test]
async fn an_attempt_whose_answer_was_lost_is_found_by_the_sweep() {
    let shop = flow::Shop::open().await;
    shop.cashier.place(&order("A"), eur(1000)).await.unwrap();
    shop.account.lock().faults().script(lost(Fault::DropAfter));
    shop.cashier.check_out(&page("A", 1000)).await.unwrap_err();
    shop.account.wait(3601);
    assert_eq!(shop.cashier.sweep().await.unwrap().failures, 0);
    let record = shop.record("A").await;
    assert_eq!(record.attempts[0].phase, AttemptPhase::Begun);
    assert_eq!(record.payments.len(), 1);
}

/// Silent is what is open at a provider that cannot be asked about it, and nothing else.
#[tokio::test]
async fn a_sweep_counts_what_is_open_and_cannot_be_asked_about() {
    let counted = async |shop: &Shop| {
        shop.wait(2 * DAY);
        let swept = shop.cashier.sweep().await.unwrap();
        (swept.orders, swept.silent, swept.failures)
    };
    let shop = Shop::without(&[]).await;
    shop.checked_out(1000).await;
    assert_eq!(counted(&shop).await, (1, 0, 0));

    let shop = Shop::open().await;
    let id = shop.checked_out(1000).await;
    assert_eq!(counted(&shop).await, (1, 1, 0));
    shop.hear_of(&id, PaymentStatus::Captured).await;
    assert_eq!(counted(&shop).await, (1, 0, 0));

    // Nobody knows whether it was begun.
    for (without, silent) in [(Operation::FindPayments, 1), (Operation::FetchPayment, 0)] {
        let shop = Shop::without(&[without]).await;
        shop.hands.books().unheard = 1;
        let begun = shop.cashier.check_out(&page("A", 1000)).await;
        assert_eq!(begun.unwrap_err().effect(), Effect::Unknown);
        assert_eq!(counted(&shop).await, (1, silent, 0));
    }
}

#[tokio::test]
async fn a_refund_in_doubt_is_sent_again_after_a_minute_while_its_key_is_remembered() {
    // One provider lists refunds, the other is only asked about payments.
    for without in [&[][..], &[Operation::ListRefunds]] {
        let shop = Shop::without(without).await;
        let id = shop.paid().await;
        shop.hands.books().unheard = 1;
        shop.cashier
            .refund(&refund(&id, 400, "r"))
            .await
            .unwrap_err();
        let sent = || shop.hands.books().keys.len();
        shop.wait(59);
        assert!(shop.resumed().await);
        assert_eq!(sent(), 2);
        shop.wait(1);
        assert!(shop.resumed().await);
        assert_eq!(sent(), 3);
        let record = shop.record().await;
        assert_eq!(record.commands[0].state, CommandState::Pending);
        let told = record.history.iter().map(|line| &*line.what);
        let told = told.filter(|what| what.starts_with(&format!("refund of {id}")));
        assert_eq!(
            told.collect::<Vec<_>>(),
            [format!("refund of {id}: Unknown")]
        );
    }
}

#[tokio::test]
async fn a_refund_is_neither_sent_again_nor_given_up_at_the_end_of_what_is_remembered() {
    let shop = Shop::without(&[Operation::ListRefunds]).await;
    let id = shop.paid().await;
    shop.hands.books().unheard = 1;
    shop.cashier
        .refund(&refund(&id, 400, "r"))
        .await
        .unwrap_err();
    // Three quarters of a day.
    shop.wait(64_800);
    assert!(shop.resumed().await);
    assert_eq!(shop.hands.books().keys.len(), 2);
    let record = shop.record().await;
    assert_eq!(record.commands[0].state, CommandState::Unknown);
    assert_eq!(record.refundable(&id).unwrap(), Some(eur(600).money()));
}

/// An hour is not enough to give up what the provider would still do.
#[tokio::test]
async fn a_refund_that_never_arrived_is_sent_again_hours_later() {
    let shop = Shop::without(&[]).await;
    let id = shop.paid().await;
    shop.hands.books().unheard = 1;
    let wish = refund(&id, 400, "r");
    shop.cashier.refund(&wish).await.unwrap_err();
    shop.wait(2 * 3600);
    let given = shop.cashier.refund(&wish).await.unwrap();
    assert_eq!(given.state, CommandState::Pending);
    let history = shop.record().await.history;
    assert!(history.iter().all(|line| !line.what.ends_with("Failed")));
}

#[tokio::test]
async fn a_capture_in_doubt_is_sent_again_although_a_void_was_refused_since() {
    let shop = Shop::without(&[Operation::Complete]).await;
    let request = page("A", 1000).with_manual_capture();
    let id = shop.cashier.check_out(&request).await.unwrap().id;
    shop.hear_of(&id, PaymentStatus::Authorized).await;
    shop.hands.books().unheard = 1;
    let asked = shop.cashier.capture(&capture(&id, 1000, "c")).await;
    assert_eq!(asked.unwrap_err().effect(), Effect::Unknown);
    shop.hands.books().refuses = true;
    let refused = shop.cashier.void(&id).await;
    assert_eq!(kind_of(refused.unwrap_err()), ErrorKind::InvalidRequest);
    shop.hands.books().refuses = false;
    shop.wait(60);
    let before = shop.hands.books().keys.len();
    assert!(shop.resumed().await);
    assert_eq!(shop.hands.books().keys.len(), before + 1);
    let state = shop.record().await.commands[0].state;
    assert_eq!(state, CommandState::Pending);
}

/// The refund is done and its key forgotten. Until the list says that it is not there, its amount
/// stays set aside.
#[tokio::test]
async fn a_refund_whose_list_cannot_be_read_is_not_given_up() {
    let shop = flow::Shop::open().await;
    let id = shop.paid("A", 1000).await;
    shop.account.lock().faults().script(lost(Fault::DropAfter));
    let wish = refund(&id, 600, "r");
    shop.cashier.refund(&wish).await.unwrap_err();
    shop.account.wait(25 * 3600);
    shop.account.lock().faults().script(unread("/v1/refunds"));
    shop.cashier.resume(&order("A")).await.unwrap_err();
    let record = shop.record("A").await;
    assert_eq!(record.commands[0].state, CommandState::Unknown);
    shop.cashier.resume(&order("A")).await.unwrap();
    let record = shop.record("A").await;
    assert_eq!(record.commands[0].state, CommandState::Succeeded);
    assert_eq!(shop.account.lock().ledger()[0].refunded.minor(), 600);
}

/// A provider whose refunds do not name their commands: one of the same amount may be ours.
#[tokio::test]
async fn a_forgotten_refund_has_failed_unless_one_like_it_is_there() {
    for (minor, state) in [(400, CommandState::Unknown), (300, CommandState::Failed)] {
        let shop = Shop::without(&[]).await;
        let id = shop.paid().await;
        shop.hands.books().unheard = 1;
        shop.cashier
            .refund(&refund(&id, 400, "r"))
            .await
            .unwrap_err();
        let other = made_elsewhere(&shop, &id, minor);
        shop.hands.books().refunds.push(other);
        shop.wait(DAY);
        assert!(shop.resumed().await);
        assert_eq!(shop.record().await.commands[0].state, state);
        assert_eq!(shop.hands.books().keys.len(), 2);
    }
}

#[tokio::test]
async fn neither_a_capture_nor_a_void_is_sent_again_unless_the_hold_was_seen_to_stand() {
    for is_void in [false, true] {
        let shop = flow::Shop::open().await;
        let id = shop.held("A", 1000).await;
        shop.account.lock().faults().script(lost(Fault::DropBefore));
        let lost = match is_void {
            true => shop.cashier.void(&id).await,
            false => shop.cashier.capture(&capture(&id, 1000, "c")).await,
        };
        assert_eq!(lost.unwrap_err().effect(), Effect::Unknown);
        let writes = || {
            shop.account
                .writes
                .load(std::sync::atomic::Ordering::SeqCst)
        };
        let before = writes();
        shop.account.wait(61);
        shop.account.lock().faults().script(unread("/v1"));
        shop.cashier.resume(&order("A")).await.unwrap_err();
        assert_eq!(writes(), before);
        shop.account.wait(61);
        shop.cashier.resume(&order("A")).await.unwrap();
        assert_eq!(writes(), before + 1);
        let record = shop.record("A").await;
        assert_eq!(record.commands[0].state, CommandState::Succeeded);
    }
}

#[tokio::test]
async fn a_completion_in_doubt_is_not_sent_again_while_its_payment_is_under_way() {
    let shop = Shop::without(&[]).await;
    let id = shop.checked_out(1000).await;
    shop.hands.books().unheard = 1;
    shop.hands.set(id.raw(), PaymentStatus::Approved);
    assert!(!shop.resumed().await);
    shop.wait(61);
    shop.hands.set(id.raw(), PaymentStatus::Pending);
    assert!(shop.resumed().await);
    assert_eq!(shop.hands.books().keys.len(), 2);
}

/// Who asked for it could not be told: a person is.
#[tokio::test]
async fn a_capture_in_doubt_that_was_refused_is_put_before_a_person() {
    let shop = Shop::open().await;
    let request = page("A", 1000).with_manual_capture();
    let id = shop.cashier.check_out(&request).await.unwrap().id;
    shop.hear_of(&id, PaymentStatus::Authorized).await;
    shop.hands.books().unheard = 1;
    let asked = shop.cashier.capture(&capture(&id, 300, "c")).await;
    assert_eq!(asked.unwrap_err().effect(), Effect::Unknown);
    let name = CaptureId::new(quiet(), "c1").unwrap();
    let now = shop.hands.clock.now();
    let mut refused = Capture::new(name, id, CaptureStatus::Refused, eur(300).money(), now);
    refused.command = Some(CommandId::new("c").unwrap());
    shop.hear(About::Capture(Box::new(refused))).await;
    let record = shop.record().await;
    let concern = format!("capture_failed:{}", record.commands[0].key);
    assert_eq!(shop.cashier.concerns(&record)[0].name, concern);
}

#[tokio::test]
async fn a_wish_that_is_refused_at_once_is_told_to_who_asked_and_to_no_one_else() {
    let shop = Shop::without(&[]).await;
    let id = shop.paid().await;
    shop.hands.books().refuses = true;
    let refused = shop.cashier.refund(&refund(&id, 400, "r")).await;
    assert_eq!(kind_of(refused.unwrap_err()), ErrorKind::InvalidRequest);
    let record = shop.record().await;
    assert_eq!(record.commands[0].state, CommandState::Failed);
    assert_eq!(record.refundable(&id).unwrap(), Some(eur(1000).money()));
    assert!(shop.cashier.concerns(&record).is_empty());
    // It was settled: the provider is not asked what became of it.
    let before = shop.hands.books().fetches;
    shop.cashier.refund(&refund(&id, 400, "r")).await.unwrap();
    assert_eq!(shop.hands.books().fetches, before);
}

#[tokio::test]
async fn what_was_taken_is_not_voided_and_the_provider_is_not_asked() {
    let shop = Shop::open().await;
    let id = shop.paid().await;
    let sent = shop.hands.books().keys.len();
    let voided = shop.cashier.void(&id).await.unwrap_err();
    assert_eq!(kind_of(voided), ErrorKind::Conflict);
    assert_eq!(shop.hands.books().keys.len(), sent);
    assert!(shop.record().await.commands.is_empty());
}

#[tokio::test]
async fn a_part_is_refused_before_it_is_sent_where_only_the_whole_can_be_taken() {
    let whole = Capabilities::new(&Operation::ALL).without(Operation::Complete);
    let shop = Shop::able(whole).await;
    let request = page("A", 1000).with_manual_capture();
    let id = shop.cashier.check_out(&request).await.unwrap().id;
    shop.hear_of(&id, PaymentStatus::Authorized).await;
    let part = shop.cashier.capture(&capture(&id, 300, "part")).await;
    assert_eq!(kind_of(part.unwrap_err()), ErrorKind::Unsupported);
    assert!(shop.record().await.commands.is_empty());
    let whole = shop.cashier.capture(&capture(&id, 1000, "whole")).await;
    assert_eq!(whole.unwrap().state, CommandState::Pending);
}

/// A notice has told of a part that was taken, and not of the rest that is held.
#[tokio::test]
async fn the_provider_is_asked_what_is_held_before_a_capture_is_refused() {
    let shop = Shop::without(&[Operation::Complete]).await;
    let id = shop.checked_out(1000).await;
    let mut part = shop.hands.set(id.raw(), PaymentStatus::Captured);
    part.captured = eur(300).money();
    shop.hear(About::Payment(Box::new(part.clone()))).await;
    shop.wait(1);
    part.capturable = eur(700).money();
    part.as_of = shop.hands.clock.now();
    let raw = id.raw().to_owned();
    shop.hands.books().payments.insert(raw, part);
    let rest = shop.cashier.capture(&capture(&id, 700, "rest")).await;
    assert_eq!(rest.unwrap().state, CommandState::Pending);
}

/// The shopper has approved it and no notice has come: whoever asks for a page completes it.
#[tokio::test]
async fn an_approved_payment_is_completed_and_no_other_page_is_given() {
    let shop = Shop::without(&[]).await;
    let first = shop.checked_out(1000).await;
    shop.hands.books().refuses = true;
    shop.hands.set(first.raw(), PaymentStatus::Approved);
    assert!(!shop.resumed().await);
    shop.hands.books().refuses = false;
    // What was refused is not tried again: the shopper gets another page.
    let second = shop.checked_out(1000).await;
    assert_ne!(first, second);
    shop.hands.set(second.raw(), PaymentStatus::Approved);
    let again = shop.cashier.check_out(&page("A", 1000)).await;
    assert_eq!(kind_of(again.unwrap_err()), ErrorKind::Conflict);
    let record = shop.record().await;
    assert_eq!(record.attempts.len(), 2);
    assert!(record.paid_at.is_some());
    assert_eq!(shop.hands.books().completions, 1);
}

#[tokio::test]
async fn what_is_approved_after_the_close_or_beside_another_payment_is_not_completed() {
    let shop = Shop::without(&[]).await;
    let id = shop.checked_out(1000).await;
    shop.cashier.close(&order("A")).await.unwrap();
    shop.hear_of(&id, PaymentStatus::Approved).await;
    assert_eq!(shop.hands.books().completions, 0);

    let shop = Shop::without(&[]).await;
    let first = shop.checked_out(1000).await;
    let request = page("A", 1000).with_manual_capture();
    let second = shop.cashier.check_out(&request).await.unwrap().id;
    assert_ne!(first, second);
    shop.hear_of(&first, PaymentStatus::Pending).await;
    shop.hear_of(&second, PaymentStatus::Approved).await;
    assert_eq!(shop.hands.books().completions, 0);
}

#[tokio::test]
async fn a_notice_of_nothing_here_is_stored_and_done_with() {
    let shop = Shop::without(&[]).await;
    for (id, about) in [("e1", About::Nothing), ("e2", About::SomethingNew)] {
        let received = shop.cashier.receive(&notice(id, "body", &about)).await;
        assert_eq!((received.answer, received.orders.len()), (200, 0));
    }
    shop.wait(3600);
    assert_eq!(shop.cashier.sweep().await.unwrap().events, 0);
}

/// It is asked about for a day, and then it was forged.
#[tokio::test]
async fn a_notice_that_the_provider_knows_nothing_of_is_given_up_after_a_day() {
    let shop = Shop::without(&[]).await;
    let id = PaymentId::new(quiet(), "never").unwrap();
    let now = shop.hands.clock.now();
    let claimed = Payment::new(id, PaymentStatus::Captured, eur(1000).money(), now);
    let claimed = notice("e1", "header", &About::Payment(Box::new(claimed)));
    let received = shop.cashier.receive(&claimed).await;
    assert_eq!(kind_of(received.error.unwrap()), ErrorKind::NotFound);
    for (seconds, expected) in [(DAY, (1, 1)), (601, (1, 0)), (3600, (0, 0))] {
        shop.wait(seconds);
        let swept = shop.cashier.sweep().await.unwrap();
        assert_eq!((swept.events, swept.failures), expected);
    }
}

#[tokio::test]
async fn a_notice_that_contradicts_what_is_known_is_told_of_once() {
    let shop = Shop::without(&[]).await;
    let id = shop.checked_out(1000).await;
    let mut dollars = shop.hands.set(id.raw(), PaymentStatus::Captured);
    dollars.amount = Money::new(1000, Currency::USD);
    dollars.captured = dollars.amount;
    let dollars = notice("e1", "body", &About::Payment(Box::new(dollars)));
    let received = shop.cashier.receive(&dollars).await;
    assert_eq!(received.answer, 200);
    assert!(received.error.is_none());
    shop.wait(3600);
    assert_eq!(shop.cashier.sweep().await.unwrap().events, 0);
    let record = shop.record().await;
    let told = record.history.iter().filter(|of| of.what.contains("USD"));
    assert_eq!(told.count(), 1);
}

/// The payment must be fetched first, and the provider gives no answer.
#[tokio::test]
async fn a_refund_of_a_payment_that_is_not_known_yet_is_not_lost() {
    let shop = Shop::without(&[]).await;
    let id = shop.checked_out(1000).await;
    let mut other = shop.hands.set(id.raw(), PaymentStatus::Captured);
    other.id = PaymentId::new(quiet(), "other").unwrap();
    other.reference = Some("shop:A:7".parse().unwrap());
    let back = made_elsewhere(&shop, &other.id, 400);
    shop.hands.books().payments.insert("other".into(), other);
    shop.hands.books().unasked = 1;
    let told = notice("e1", "body", &About::Refund(Box::new(back)));
    let received = shop.cashier.receive(&told).await;
    assert_eq!(received.answer, 200);
    assert_eq!(kind_of(received.error.unwrap()), ErrorKind::Unavailable);
    shop.wait(601);
    shop.cashier.sweep().await.unwrap();
    let record = shop.record().await;
    assert_eq!(record.external_refunds().count(), 1);
}

/// It waits for the notice of its payment, as long as a provider goes on sending.
#[tokio::test]
async fn a_refund_that_names_a_payment_of_nobody_waits_for_thirty_days() {
    let shop = Shop::open().await;
    let back = made_elsewhere(&shop, &PaymentId::new(quiet(), "nobody").unwrap(), 400);
    let told = notice("e1", "body", &About::Refund(Box::new(back)));
    assert!(shop.cashier.receive(&told).await.error.is_none());
    for (seconds, events) in [(30 * DAY - 601, 1), (601, 1), (3600, 0)] {
        shop.wait(seconds);
        assert_eq!(shop.cashier.sweep().await.unwrap().events, events);
    }
}
