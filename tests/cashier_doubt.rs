//! While an outcome is in doubt: nothing begins beside it, what cannot be asked about is sent again
//! under its key, and an error says whether the wish is stored.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod flow;

use std::sync::Arc;
use std::time::Duration;

use counterfoil::capability::Operation;
use counterfoil::cashier::{AttemptPhase, Cashier, CommandState, MemoryStore, Standing, Store};
use counterfoil::clock::{Clock, ManualClock, Timestamp};
use counterfoil::dispute::{Dispute, DisputeStatus};
use counterfoil::id::{PaymentId, ProviderName};
use counterfoil::payment::PaymentStatus;
use counterfoil::simulator::{Fault, FaultRule};
use counterfoil::{Effect, ErrorKind, Test};

use flow::breaking::BreakingStore;
use flow::quiet::{About, Hands, Quiet, all_but, dispute_id, notice};
use flow::{Account, DAY, eur, kind_of, order, page, refund};

async fn opened(without: &[Operation], store: Arc<dyn Store>) -> (Cashier<Test>, Hands) {
    let (provider, hands) = Quiet::open(all_but(without));
    let cashier = Cashier::open(provider, store).await.unwrap();
    let clock = Arc::clone(&hands.clock) as Arc<dyn Clock>;
    let cashier = cashier.with_clock(clock);
    cashier.place(&order("A"), eur(1000)).await.unwrap();
    (cashier, hands)
}

/// Order A is paid at a provider that cannot be asked about anything.
async fn paid_unasked(store: Arc<dyn Store>) -> (Cashier<Test>, Hands, PaymentId<Test>) {
    let silent = [
        Operation::FetchPayment,
        Operation::FindPayments,
        Operation::ListRefunds,
        Operation::ListDisputes,
        Operation::Complete,
    ];
    let (cashier, hands) = opened(&silent, store).await;
    let id = cashier.check_out(&page("A", 1000)).await.unwrap().id;
    let paid = hands.set(id.raw(), PaymentStatus::Captured);
    let paid = notice("e1", "body", &About::Payment(Box::new(paid)));
    assert_eq!(cashier.receive(&paid).await.orders.len(), 1);
    (cashier, hands, id)
}

#[tokio::test]
async fn no_other_provider_is_tried_while_a_completion_is_in_doubt() {
    let account = Account::new();
    let (cashier, hands) = opened(&[], Arc::new(MemoryStore::new())).await;
    let cashier = cashier.with_provider(account.provider("stripe")).unwrap();
    let quiet = ProviderName::new("quiet").unwrap();
    let stripe = ProviderName::new("stripe").unwrap();
    let first = cashier.check_out_with(&quiet, &page("A", 1000)).await;
    let approved = hands.set(first.unwrap().id.raw(), PaymentStatus::Approved);
    hands.books().unheard = 1;
    let news = notice("e1", "body", &About::Payment(Box::new(approved)));
    let received = cashier.receive_from("quiet", &news).await;
    assert_eq!(kind_of(received.error.unwrap()), ErrorKind::Unavailable);
    let other = cashier.check_out_with(&stripe, &page("A", 1000)).await;
    assert_eq!(kind_of(other.unwrap_err()), ErrorKind::Conflict);
    let record = cashier.order(&order("A")).await.unwrap();
    assert_eq!(record.attempts.len(), 1);
    hands.clock.advance(Duration::from_secs(61));
    cashier.sweep().await.unwrap();
    let record = cashier.order(&order("A")).await.unwrap();
    assert!(record.paid_at.is_some());
    assert_eq!(hands.books().completions, 1);
}

#[tokio::test]
async fn a_completion_that_is_declined_when_sent_again_is_told_of_and_paid_anew() {
    let (cashier, hands) = opened(&[], Arc::new(MemoryStore::new())).await;
    let first = cashier.check_out(&page("A", 1000)).await.unwrap();
    let approved = hands.set(first.id.raw(), PaymentStatus::Approved);
    hands.books().unheard = 1;
    let news = notice("e1", "body", &About::Payment(Box::new(approved)));
    assert!(cashier.receive(&news).await.error.is_some());
    hands.books().declines = true;
    hands.clock.advance(Duration::from_secs(61));
    assert_eq!(cashier.sweep().await.unwrap().failures, 0);
    let told = cashier
        .confirmations(Duration::from_secs(9), 9)
        .await
        .unwrap();
    let kinds: Vec<_> = told.iter().map(|told| told.kind.to_string()).collect();
    assert_eq!(kinds, ["attempt_declined:1", "payment_failed:1"]);
    let second = cashier.check_out(&page("A", 1000)).await.unwrap();
    assert_ne!(first.id, second.id);
}

/// A person has decided not to wait for the first.
#[tokio::test]
async fn an_approval_is_taken_beside_an_attempt_that_was_released() {
    let (cashier, hands) = opened(&[], Arc::new(MemoryStore::new())).await;
    let first = cashier.check_out(&page("A", 1000)).await.unwrap();
    let pending = hands.set(first.id.raw(), PaymentStatus::Pending);
    let news = notice("e1", "body", &About::Payment(Box::new(pending)));
    assert_eq!(cashier.receive(&news).await.answer, 200);
    let released = cashier.release_attempt(&order("A"), "takes weeks").await;
    released.unwrap();
    let second = cashier.check_out(&page("A", 1000)).await.unwrap();
    assert_ne!(first.id, second.id);
    let approved = hands.set(second.id.raw(), PaymentStatus::Approved);
    let news = notice("e2", "body", &About::Payment(Box::new(approved)));
    assert_eq!(cashier.receive(&news).await.answer, 200);
    assert_eq!(hands.books().completions, 1);
    let record = cashier.order(&order("A")).await.unwrap();
    assert_eq!(record.standing(), Standing::Paid);
}

#[tokio::test]
async fn a_completion_in_doubt_is_not_sent_again_once_its_attempt_was_released() {
    let (cashier, hands) = opened(&[], Arc::new(MemoryStore::new())).await;
    let first = cashier.check_out(&page("A", 1000)).await.unwrap();
    let approved = hands.set(first.id.raw(), PaymentStatus::Approved);
    hands.books().unheard = 1;
    let news = notice("e1", "body", &About::Payment(Box::new(approved)));
    assert!(cashier.receive(&news).await.error.is_some());
    let released = cashier.release_attempt(&order("A"), "takes too long").await;
    released.unwrap();
    let second = cashier.check_out(&page("A", 1000)).await.unwrap();
    for is_approved in [false, true] {
        if is_approved {
            let approved = hands.set(second.id.raw(), PaymentStatus::Approved);
            let news = notice("e2", "body", &About::Payment(Box::new(approved)));
            assert!(cashier.receive(&news).await.error.is_none());
        }
        hands.clock.advance(Duration::from_secs(3601));
        cashier.sweep().await.unwrap();
        assert_eq!(hands.books().completions, u32::from(is_approved));
    }
    let record = cashier.order(&order("A")).await.unwrap();
    assert_eq!(record.standing(), Standing::Paid);
}

/// It is neither success nor failure, and it does not go away by being asked about.
#[tokio::test]
async fn a_status_that_is_not_known_here_is_put_before_a_person() {
    let (cashier, hands) = opened(&[], Arc::new(MemoryStore::new())).await;
    let id = cashier.check_out(&page("A", 1000)).await.unwrap().id;
    for _ in 0..4 {
        hands.clock.advance(Duration::from_secs(DAY));
        hands.set(id.raw(), PaymentStatus::Unrecognized("novel".into()));
        cashier.sweep().await.unwrap();
    }
    let waiting = cashier.needs_a_person(9).await.unwrap();
    let concerns = cashier.concerns(&waiting[0]);
    assert_eq!(concerns[0].name, format!("silent:{id}"));
}

#[tokio::test]
async fn a_dispute_whose_status_is_not_known_here_is_put_before_a_person() {
    let (cashier, hands, id) = paid_unasked(Arc::new(MemoryStore::new())).await;
    let status = DisputeStatus::Unrecognized("novel".into());
    let dispute = dispute_id("d1");
    let amount = eur(1000).money();
    let dispute = Dispute::new(dispute, id, status, amount, hands.clock.now());
    let news = notice("e2", "body", &About::Dispute(Box::new(dispute)));
    assert!(cashier.receive(&news).await.error.is_none());
    let waiting = cashier.needs_a_person(9).await.unwrap();
    assert!(matches!(waiting[0].standing(), Standing::Reversed { .. }));
    let concerns = cashier.concerns(&waiting[0]);
    assert_eq!(concerns[0].name, "dispute_unclear:quiet:test:d1");
}

#[tokio::test]
async fn an_earlier_page_that_is_being_paid_keeps_the_later_one_from_being_given() {
    let (cashier, hands) = opened(&[], Arc::new(MemoryStore::new())).await;
    let first = cashier.check_out(&page("A", 1000)).await.unwrap();
    let later = page("A", 1000).with_manual_capture();
    let second = cashier.check_out(&later).await.unwrap();
    assert_ne!(first.id, second.id);
    // The shopper goes back to the first page, and it takes days.
    let pending = hands.set(first.id.raw(), PaymentStatus::Pending);
    let news = notice("e1", "body", &About::Payment(Box::new(pending)));
    assert_eq!(cashier.receive(&news).await.answer, 200);
    for request in [&later, &page("A", 1000)] {
        let asked = cashier.check_out(request).await;
        assert_eq!(kind_of(asked.unwrap_err()), ErrorKind::Conflict);
    }
}

#[tokio::test]
async fn a_refund_that_cannot_be_asked_about_is_sent_again_under_its_key() {
    for is_done in [false, true] {
        let (cashier, hands, id) = paid_unasked(Arc::new(MemoryStore::new())).await;
        match is_done {
            true => hands.books().unanswered = 1,
            false => hands.books().unheard = 1,
        }
        let lost = cashier.refund(&refund(&id, 400, "r")).await.unwrap_err();
        assert_eq!(lost.effect(), Effect::Unknown);
        // It may still be under way for a minute.
        assert_eq!(cashier.sweep().await.unwrap().failures, 0);
        assert_eq!(hands.books().keys.len(), 2);
        hands.clock.advance(Duration::from_secs(61));
        cashier.sweep().await.unwrap();
        let record = cashier.order(&order("A")).await.unwrap();
        assert_eq!(record.commands[0].state, CommandState::Pending);
        let books = hands.books();
        assert_eq!((books.refunds.len(), books.keys.len()), (1, 3));
        assert_eq!(books.keys[1], books.keys[2]);
    }
}

#[tokio::test]
async fn a_refund_whose_key_is_forgotten_is_not_sent_again() {
    let (cashier, hands, id) = paid_unasked(Arc::new(MemoryStore::new())).await;
    hands.books().unanswered = 1;
    cashier.refund(&refund(&id, 400, "r")).await.unwrap_err();
    hands.clock.advance(Duration::from_secs(DAY));
    cashier.sweep().await.unwrap();
    assert_eq!(hands.books().keys.len(), 2);
    let waiting = cashier.needs_a_person(9).await.unwrap();
    let concerns = cashier.concerns(&waiting[0]);
    assert!(concerns[0].name.starts_with("refund_unknown"));
}

/// The bank takes the money back: a refund as well would give it twice.
#[tokio::test]
async fn a_refund_in_doubt_is_not_sent_again_while_the_payment_is_disputed() {
    let (cashier, hands, id) = paid_unasked(Arc::new(MemoryStore::new())).await;
    hands.books().unheard = 1;
    cashier.refund(&refund(&id, 400, "r")).await.unwrap_err();
    let mut dispute = Dispute::new(
        dispute_id("d1"),
        id.clone(),
        DisputeStatus::NeedsResponse,
        eur(1000).money(),
        hands.clock.now(),
    );
    let opened = notice("e2", "body", &About::Dispute(Box::new(dispute.clone())));
    assert!(cashier.receive(&opened).await.error.is_none());
    for _ in 0..2 {
        hands.clock.advance(Duration::from_secs(3601));
        cashier.sweep().await.unwrap();
    }
    assert_eq!(hands.books().refunds.len(), 0);
    let record = cashier.order(&order("A")).await.unwrap();
    let concerns = cashier.concerns(&record);
    assert!(
        concerns[0].name.starts_with("refund_unknown"),
        "{concerns:?}"
    );
    // It is won, and the shopper still waits for the refund.
    dispute.status = DisputeStatus::Won;
    dispute.as_of = hands.clock.now();
    let won = notice("e3", "body", &About::Dispute(Box::new(dispute)));
    assert!(cashier.receive(&won).await.error.is_none());
    hands.clock.advance(Duration::from_secs(2 * 3600));
    cashier.sweep().await.unwrap();
    assert_eq!(hands.books().refunds.len(), 1);
}

/// What is being completed may be paid at any moment.
#[tokio::test]
async fn an_order_of_which_a_payment_is_being_completed_is_neither_closed_nor_amended() {
    let (cashier, hands) = opened(&[], Arc::new(MemoryStore::new())).await;
    let first = cashier.check_out(&page("A", 1000)).await.unwrap();
    let approved = hands.set(first.id.raw(), PaymentStatus::Approved);
    hands.books().unheard = 1;
    let news = notice("e1", "body", &About::Payment(Box::new(approved)));
    assert!(cashier.receive(&news).await.error.is_some());
    let closed = cashier.close(&order("A")).await.unwrap_err();
    assert_eq!(kind_of(closed), ErrorKind::Conflict);
    let amended = cashier.amend(&order("A"), eur(1200)).await.unwrap_err();
    assert_eq!(kind_of(amended), ErrorKind::Conflict);
    hands.clock.advance(Duration::from_secs(61));
    cashier.sweep().await.unwrap();
    let record = cashier.order(&order("A")).await.unwrap();
    assert_eq!(record.standing(), Standing::Paid);
}

/// Both were lost on their way: the later wish counts.
#[tokio::test]
async fn a_capture_in_doubt_is_not_sent_again_once_the_hold_shall_be_let_go() {
    let shop = flow::Shop::open().await;
    let id = shop.held("A", 1000).await;
    let lost = FaultRule::next(Fault::DropBefore).with_method(http::Method::POST);
    shop.account.lock().faults().script(lost.clone());
    let taken = shop.cashier.capture(&flow::capture(&id, 1000, "c")).await;
    assert_eq!(taken.unwrap_err().effect(), Effect::Unknown);
    shop.account.lock().faults().script(lost);
    let let_go = shop.cashier.void(&id).await.unwrap_err();
    assert_eq!(let_go.effect(), Effect::Unknown);
    shop.account.wait(3600);
    shop.cashier.sweep().await.unwrap();
    assert_eq!(shop.account.lock().ledger()[0].captured.minor(), 0);
    let record = shop.record("A").await;
    let states: Vec<_> = record.commands.iter().map(|c| c.state).collect();
    assert_eq!(states, [CommandState::Failed, CommandState::Succeeded]);
}

/// A request is young by every clock but a wrong one.
#[tokio::test]
async fn a_node_whose_clock_is_behind_gives_up_no_attempt_of_another() {
    let shop = flow::Shop::open().await;
    shop.cashier.place(&order("A"), eur(1000)).await.unwrap();
    let lost = FaultRule::next(Fault::DropBefore).with_method(http::Method::POST);
    shop.account.lock().faults().script(lost);
    let begun = shop.cashier.check_out(&page("A", 1000)).await;
    assert_eq!(begun.unwrap_err().effect(), Effect::Unknown);
    let behind = ManualClock::new(Timestamp::from_unix(flow::START - 2 * 3600));
    let behind = shop.cashier.clone().with_clock(Arc::new(behind));
    let record = behind.resume(&order("A")).await.unwrap();
    assert_eq!(record.attempts[0].phase, AttemptPhase::Stored);
}

#[tokio::test]
async fn an_error_says_whether_the_refund_is_stored() {
    let store = Arc::new(BreakingStore::default());
    let (cashier, hands, id) = paid_unasked(Arc::clone(&store) as _).await;
    // What was never stored is never sent.
    store.break_commit(0);
    let wish = refund(&id, 400, "r");
    let lost = cashier.refund(&wish).await.unwrap_err();
    assert_eq!(lost.effect(), Effect::NotApplied);
    assert!(
        cashier
            .order(&order("A"))
            .await
            .unwrap()
            .commands
            .is_empty()
    );
    // It is stored, and cannot be read again to be sent; the sweep sends it.
    store.break_read(1);
    let lost = cashier.refund(&wish).await.unwrap_err();
    assert_eq!(lost.effect(), Effect::Unknown);
    assert_eq!(hands.books().refunds.len(), 0);
    hands.clock.advance(Duration::from_secs(61));
    cashier.sweep().await.unwrap();
    assert_eq!(hands.books().refunds.len(), 1);
    // It is done, and that cannot be stored.
    store.break_commit(1);
    let lost = cashier.refund(&refund(&id, 300, "s")).await.unwrap_err();
    assert_eq!(lost.effect(), Effect::Unknown);
    assert_eq!(hands.books().refunds.len(), 2);
}

#[tokio::test]
async fn an_order_is_placed_though_the_news_that_waited_for_it_cannot_be_taken_in_yet() {
    let (provider, hands) = Quiet::open(all_but(&[]));
    let elsewhere = Cashier::open(provider.clone(), Arc::new(MemoryStore::new())).await;
    let elsewhere = elsewhere.unwrap().with_clock(Arc::clone(&hands.clock) as _);
    elsewhere.place(&order("A"), eur(1000)).await.unwrap();
    let begun = elsewhere.check_out(&page("A", 1000)).await.unwrap();

    let store = Arc::new(BreakingStore::default());
    let cashier = Cashier::open(provider, Arc::clone(&store) as _).await;
    let cashier = cashier.unwrap().with_clock(Arc::clone(&hands.clock) as _);
    let paid = hands.set(begun.id.raw(), PaymentStatus::Captured);
    let paid = notice("e1", "body", &About::Payment(Box::new(paid)));
    assert_eq!(cashier.receive(&paid).await.answer, 200);
    store.break_commit(1);
    let placed = cashier.place(&order("A"), eur(1000)).await.unwrap();
    assert_eq!(placed.standing(), Standing::Unpaid);
    hands.clock.advance(Duration::from_secs(3600));
    assert_eq!(cashier.sweep().await.unwrap().failures, 0);
    let swept = cashier.order(&order("A")).await.unwrap();
    assert_eq!(swept.standing(), Standing::Paid);
}

/// A webhook's event is stored in the commit that changes its order; if that breaks, by itself.
#[tokio::test]
async fn an_event_is_applied_once_whichever_commit_breaks() {
    // Nothing breaks in the one commit that it takes; that commit breaks.
    for good in [1, 0] {
        let store = Arc::new(BreakingStore::default());
        let (cashier, hands) = opened(&[], Arc::clone(&store) as _).await;
        let id = cashier.check_out(&page("A", 1000)).await.unwrap().id;
        let paid = hands.set(id.raw(), PaymentStatus::Captured);
        let paid = notice("e1", "body", &About::Payment(Box::new(paid)));
        store.break_commit(good);
        let received = cashier.receive(&paid).await;
        assert_eq!((received.answer, received.orders.len()), (200, 1));
        if good == 1 {
            let next = cashier.place(&order("B"), eur(1)).await;
            assert_eq!(kind_of(next.unwrap_err()), ErrorKind::Unavailable);
        }
        let history = cashier.order(&order("A")).await.unwrap().history;
        let again = cashier.receive(&paid).await;
        assert_eq!((again.answer, again.orders.len()), (200, 0));
        assert_eq!(cashier.sweep().await.unwrap().events, 0);
        let told = cashier
            .confirmations(Duration::from_secs(DAY), 9)
            .await
            .unwrap();
        assert_eq!(told.len(), 1, "{told:?}");
        let after = cashier.order(&order("A")).await.unwrap().history;
        assert_eq!(after, history);
    }
}

#[tokio::test]
async fn an_event_of_an_erased_order_says_nothing_of_one_that_is_called_the_same() {
    let (cashier, hands, id) = paid_unasked(Arc::new(MemoryStore::new())).await;
    for told in cashier
        .confirmations(Duration::from_secs(DAY), 9)
        .await
        .unwrap()
    {
        cashier.acknowledge(&told).await.unwrap();
    }
    cashier.erase(&order("A")).await.unwrap();
    cashier.place(&order("A"), eur(1000)).await.unwrap();
    let paid = hands.set(id.raw(), PaymentStatus::Captured);
    let known = notice("e1", "body", &About::Payment(Box::new(paid)));
    let received = cashier.receive(&known).await;
    assert_eq!((received.answer, received.orders.len()), (200, 0));
    let record = cashier.order(&order("A")).await.unwrap();
    assert_eq!(record.standing(), Standing::Unpaid);
}

#[tokio::test]
async fn a_refund_left_open_that_comes_to_nothing_is_told_of() {
    let shop = flow::Shop::open().await;
    let paid = shop.paid("A", 1000).await;
    shop.confirmed().await;
    // Stripe answers 500, and keeps that answer under the key for a day.
    let stored = FaultRule::next(Fault::ErrorStored).with_path("/v1/refunds");
    let stored = stored.with_method(http::Method::POST);
    shop.account.lock().faults().script(stored);
    let refunded = shop.cashier.refund(&refund(&paid, 400, "r")).await;
    assert_eq!(refunded.unwrap_err().effect(), Effect::Unknown);
    let mut told = Vec::new();
    for _ in 0..30 {
        shop.account.wait(3600);
        shop.cashier.sweep().await.unwrap();
        told.extend(shop.confirmed().await);
    }
    let record = shop.record("A").await;
    let command = &record.commands[0];
    assert_eq!(command.state, CommandState::Failed);
    assert_eq!(record.refundable(&paid).unwrap(), Some(eur(1000).money()));
    let last = &record.history.last().unwrap().what;
    assert_eq!(*last, format!("refund of {paid}: Failed"));
    let about = |what: &str| format!("needs_a_person:refund_{what}:{}", command.key);
    assert_eq!(told, [about("unknown"), about("failed")]);
    // What is refused to the face of who asked needs no one else.
    let too_much = shop.cashier.refund(&refund(&paid, 1001, "s")).await;
    assert_eq!(kind_of(too_much.unwrap_err()), ErrorKind::InvalidRequest);
    assert_eq!(shop.cashier.concerns(&shop.record("A").await).len(), 1);
}
