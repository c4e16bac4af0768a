//! What no webhook tells: disputes, lost payments, what lapses or ages, providers that are silent.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod flow;

use std::sync::Arc;
use std::time::Duration;

use counterfoil::capability::{Capabilities, Operation};
use counterfoil::cashier::{Cashier, CommandState, MemoryStore, Patience, Standing};
use counterfoil::clock::Clock;
use counterfoil::dispute::{Dispute, DisputeStatus};
use counterfoil::payment::PaymentStatus;
use counterfoil::simulator::{Fault, FaultRule};
use counterfoil::{ErrorKind, Test};

use flow::quiet::{About, Hands, Quiet, all_but, dispute_id, notice};
use flow::{DAY, Shop, eur, kind_of, order, page, refund};

/// A cashier over a provider with these abilities, and order A of 1000 placed.
async fn quiet(capabilities: Capabilities) -> (Cashier<Test>, Hands) {
    let (provider, hands) = Quiet::open(capabilities);
    let cashier = Cashier::open(provider, Arc::new(MemoryStore::new())).await;
    let clock = Arc::clone(&hands.clock) as Arc<dyn Clock>;
    let cashier = cashier.unwrap().with_clock(clock);
    cashier.place(&order("A"), eur(1000)).await.unwrap();
    (cashier, hands)
}

#[tokio::test]
async fn disputes_are_found_without_webhooks_and_told_once() {
    let shop = Shop::open().await;
    let id = shop.paid("A", 1000).await;
    assert_eq!(shop.confirmed().await, ["paid"]);
    let dispute = shop.account.lock().dashboard().open_dispute(id.raw());
    let dispute = dispute.unwrap();
    drop(shop.account.webhooks());

    // The list breaks off at first, and is read again.
    let broken = FaultRule::next(Fault::Unavailable).with_path("/v1/disputes");
    shop.account.lock().faults().script(broken);
    assert_eq!(shop.cashier.sweep().await.unwrap().failures, 1);
    shop.account.wait(601);
    assert_eq!(shop.cashier.sweep().await.unwrap().disputes, 1);
    let kinds = shop.confirmed().await;
    let opened = format!("dispute_opened:stripe:test:{dispute}");
    assert!(kinds.contains(&opened), "{kinds:?}");
    assert!(
        kinds
            .iter()
            .any(|kind| kind.starts_with("needs_a_person:dispute:"))
    );
    assert_eq!(kinds.len(), 2);
    let back = shop.cashier.refund(&refund(&id, 100, "r")).await;
    assert_eq!(kind_of(back.unwrap_err()), ErrorKind::Conflict);

    // Months later it is decided: the list is read from where the open one was made.
    shop.account.wait(60 * DAY);
    let decided = shop.account.lock().dashboard().lose_dispute(&dispute);
    decided.unwrap();
    drop(shop.account.webhooks());
    shop.account.wait(3601);
    let mut news = 0;
    for _ in 0..3 {
        news += shop.cashier.sweep().await.unwrap().disputes;
        shop.account.wait(3601);
    }
    assert_eq!(news, 1);
    let lost = format!("dispute_lost:stripe:test:{dispute}");
    assert_eq!(shop.confirmed().await, [lost]);
    let left = eur(1000).money().checked_sub(eur(1000).money()).unwrap();
    assert_eq!(shop.standing("A").await, Standing::Reversed { left });
}

#[tokio::test]
async fn a_dispute_of_a_strange_payment_concerns_no_order() {
    let (cashier, hands) = quiet(all_but(&[])).await;
    let payment = cashier.check_out(&page("A", 1000)).await.unwrap();
    let paid = hands.set(payment.id.raw(), PaymentStatus::Captured);
    let open = DisputeStatus::NeedsResponse;
    let at = hands.clock.now();
    let ours = Dispute::new(
        dispute_id("d1"),
        paid.id.clone(),
        open.clone(),
        paid.amount,
        at,
    );
    let strange = format!("quiet:test:{}", "else").parse().unwrap();
    let other = Dispute::new(dispute_id("d2"), strange, open, paid.amount, at);
    hands.books().disputes = vec![other, ours];
    assert_eq!(cashier.sweep().await.unwrap().disputes, 1);
    let record = cashier.order(&order("A")).await.unwrap();
    assert_eq!(record.payments[0].ledger.disputes().count(), 1);
}

#[tokio::test]
async fn a_dispute_that_cannot_be_read_hides_no_other_and_is_told_until_it_can() {
    let (cashier, hands) = quiet(all_but(&[])).await;
    let payment = cashier.check_out(&page("A", 1000)).await.unwrap();
    let paid = hands.set(payment.id.raw(), PaymentStatus::Captured);
    let opened_at = hands.clock.now();
    let open = |name, at| {
        let status = DisputeStatus::NeedsResponse;
        Dispute::new(dispute_id(name), paid.id.clone(), status, paid.amount, at)
    };
    hands.books().unreadable = vec!["d1"];
    hands.books().disputes = vec![open("d2", opened_at)];
    let told = async |unreadable: &[&str], disputes| {
        let swept = cashier.sweep().await.unwrap();
        assert_eq!(
            (swept.failures, swept.disputes),
            (unreadable.len(), disputes)
        );
        let health = cashier.health().await.unwrap();
        assert_eq!(health.providers[0].unreadable_disputes, unreadable);
        hands.clock.advance(Duration::from_secs(3601));
    };
    told(&["d1"], 1).await;
    told(&["d1"], 0).await;
    // A month later it can be read: the list still goes back to where it was opened.
    hands.books().disputes.remove(0);
    hands.clock.advance(Duration::from_secs(30 * DAY));
    told(&["d1"], 0).await;
    hands.books().unreadable.clear();
    hands.books().disputes = vec![open("d1", opened_at)];
    told(&[], 1).await;
    let record = cashier.order(&order("A")).await.unwrap();
    assert_eq!(record.payments[0].ledger.disputes().count(), 2);
}

#[tokio::test]
async fn a_hold_that_lapses_and_a_refund_that_ages_are_told_ahead_and_once() {
    let shop = Shop::open().await;
    let held = shop.held("H", 1000).await;
    let ends = shop.record("H").await.payments[0]
        .ledger
        .payment()
        .unwrap()
        .capture_before;
    let now = shop.account.line.now();
    let left = ends.unwrap().abs_diff(now).as_secs();
    shop.cashier.place(&order("R"), eur(1000)).await.unwrap();
    let paid = shop.cashier.check_out(&page("R", 1000)).await.unwrap().id;
    let shopper = shop
        .account
        .lock()
        .shopper()
        .pay(paid.raw(), "pm_card_pendingRefund");
    shopper.unwrap();
    shop.deliver().await;
    let paid = shop.payment_of("R").await;
    shop.cashier.refund(&refund(&paid, 400, "r")).await.unwrap();
    shop.confirmed().await;

    let patience = Patience::default().with_lapse(Duration::from_secs(2 * DAY));
    let patience = patience.with_refund(Duration::from_secs(1800));
    let cashier = shop.cashier.clone().with_patience(patience);
    let mut told = Vec::new();
    for _ in 0..left / 1200 {
        shop.account.wait(1200);
        cashier.sweep().await.unwrap();
        for kind in shop.confirmed().await {
            told.push((shop.account.line.now().abs_diff(now).as_secs(), kind));
        }
    }
    let lapsing = format!("needs_a_person:lapsing:{held}");
    let at = |name: &str| {
        let mut found = told.iter().filter(|(_, kind)| kind.starts_with(name));
        let (at, kind) = found.next().unwrap();
        assert!(found.next().is_none(), "{kind} was told twice");
        *at
    };
    // Within one sweep after two days before the end.
    let early = left - 2 * DAY;
    assert!((early..early + 2400).contains(&at(&lapsing)), "{told:?}");
    assert!(
        (1800..4000).contains(&at("needs_a_person:refund_pending")),
        "{told:?}"
    );
    assert!(at("refunded") >= 3600);
}

#[tokio::test]
async fn a_payment_for_an_attempt_that_was_forgotten_is_found() {
    let shop = Shop::open().await;
    let id = shop.checked_out("A", 1000).await;
    let paid = shop.account.lock().shopper().pay(id.raw(), "pm_card_visa");
    paid.unwrap();
    drop(shop.account.webhooks());
    // Another store, restored from before the checkout.
    let clock = Arc::clone(&shop.account.line) as Arc<dyn Clock>;
    let provider = shop.account.provider("stripe");
    let restored = Cashier::open(provider, Arc::new(MemoryStore::new())).await;
    let restored = restored.unwrap().with_clock(clock);
    restored.place(&order("A"), eur(1000)).await.unwrap();
    restored.place(&order("B"), eur(1000)).await.unwrap();
    shop.account.wait(26 * 3600);
    assert_eq!(restored.sweep().await.unwrap().orders, 2);
    let record = restored.order(&order("A")).await.unwrap();
    assert_eq!(record.standing(), Standing::Paid);
    let asked = restored.check_out(&page("A", 1000)).await;
    assert_eq!(kind_of(asked.unwrap_err()), ErrorKind::Conflict);
    // The order that nobody paid is looked up less and less often, and then no more.
    let mut asked = 0;
    for _ in 0..40 {
        shop.account.wait(DAY);
        asked += restored.sweep().await.unwrap().orders;
    }
    let record = restored.order(&order("B")).await.unwrap();
    assert_eq!(record.standing(), Standing::Unpaid);
    assert!(asked < 15, "{asked}");
}

#[tokio::test]
async fn two_nodes_share_the_work_in_bounded_parts() {
    let shop = Shop::open().await;
    for number in 0..10 {
        shop.checked_out(&format!("N{number}"), 500).await;
    }
    shop.account.wait(61);
    let one = shop.cashier.clone().with_sweep_limits(6, 2);
    let other = shop.cashier.clone().with_sweep_limits(6, 2);
    let (one, other) = tokio::join!(one.sweep(), other.sweep());
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!((one.orders, other.orders), (6, 4));
    assert_eq!((one.has_more, other.has_more), (true, false));
    assert_eq!(one.failures + other.failures, 0);
}

#[tokio::test]
async fn a_provider_that_cannot_be_asked_is_waited_for_and_then_told_of() {
    let (cashier, hands) = quiet(all_but(&[
        Operation::FetchPayment,
        Operation::FindPayments,
        Operation::ListDisputes,
        Operation::Complete,
    ]))
    .await;
    let first = cashier.check_out(&page("A", 1000)).await.unwrap();
    // The second click sends the same key again, since there is no other way to get the page.
    let again = cashier.check_out(&page("A", 1000)).await.unwrap();
    assert_eq!(first.id, again.id);
    let keys = hands.books().keys.clone();
    assert_eq!((keys.len(), &keys[0]), (2, &keys[1]));

    let pending = hands.set(first.id.raw(), PaymentStatus::Pending);
    let news = notice("e1", "body", &About::Payment(Box::new(pending)));
    assert_eq!(cashier.receive(&news).await.answer, 200);
    hands.clock.advance(Duration::from_secs(61));
    let swept = cashier.sweep().await.unwrap();
    assert_eq!((swept.orders, swept.silent, swept.failures), (1, 1, 0));
    assert!(cashier.needs_a_person(9).await.unwrap().is_empty());
    for _ in 0..16 {
        hands.clock.advance(Duration::from_secs(6 * 3600));
        cashier.sweep().await.unwrap();
    }
    let waiting = cashier.needs_a_person(9).await.unwrap();
    let concerns = cashier.concerns(&waiting[0]);
    assert_eq!(concerns[0].name, format!("silent:{}", first.id));
    let paid = hands.set(first.id.raw(), PaymentStatus::Captured);
    let news = notice("e2", "body", &About::Payment(Box::new(paid)));
    assert_eq!(cashier.receive(&news).await.answer, 200);
    assert!(cashier.needs_a_person(9).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_was_approved_is_completed_once_and_only_if_it_is_wanted() {
    let (cashier, hands) = quiet(all_but(&[])).await;
    let payment = cashier.check_out(&page("A", 1000)).await.unwrap();
    let approved = hands.set(payment.id.raw(), PaymentStatus::Approved);
    let news = notice("e1", "body", &About::Payment(Box::new(approved)));
    let at = order("A");
    let (webhook, redirect) = tokio::join!(cashier.receive(&news), cashier.resume(&at));
    assert_eq!(webhook.answer, 200);
    redirect.unwrap();
    cashier.sweep().await.unwrap();
    let record = cashier.order(&order("A")).await.unwrap();
    assert_eq!(record.standing(), Standing::Paid);
    assert_eq!(record.commands[0].state, CommandState::Succeeded);
    assert_eq!(hands.books().completions, 1);

    // An order that costs something else since, or was closed, is not completed.
    let (cashier, hands) = quiet(all_but(&[])).await;
    let payment = cashier.check_out(&page("A", 1000)).await.unwrap();
    cashier.amend(&order("A"), eur(1200)).await.unwrap();
    let approved = hands.set(payment.id.raw(), PaymentStatus::Approved);
    let news = notice("e1", "body", &About::Payment(Box::new(approved)));
    assert!(cashier.receive(&news).await.error.is_none());
    cashier.resume(&order("A")).await.unwrap();
    assert_eq!(hands.books().completions, 0);
    let other = cashier.check_out(&page("A", 1200)).await.unwrap();
    assert_ne!(other.id, payment.id);
    cashier.close(&order("A")).await.unwrap();
    assert_eq!(hands.books().completions, 0);
}

#[tokio::test]
async fn a_notice_whose_signature_leaves_the_body_out_moves_nothing_unproven() {
    let (cashier, hands) = quiet(all_but(&[])).await;
    let payment = cashier.check_out(&page("A", 1000)).await.unwrap();
    // The body claims that it is paid; the provider, asked, says that it is not.
    let mut claimed = payment.clone();
    claimed.status = PaymentStatus::Captured;
    claimed.captured = claimed.amount;
    let forged = notice("e1", "header", &About::Payment(Box::new(claimed.clone())));
    assert_eq!(cashier.receive(&forged).await.answer, 200);
    assert_eq!(hands.books().fetches, 1);
    let record = cashier.order(&order("A")).await.unwrap();
    assert_eq!(record.standing(), Standing::Unpaid);
    assert!(
        cashier
            .confirmations(Duration::from_secs(9), 9)
            .await
            .unwrap()
            .is_empty()
    );
    // A payment that the provider does not know is nobody's.
    claimed.id = "quiet:test:never".parse().unwrap();
    let forged = notice("e2", "header", &About::Payment(Box::new(claimed)));
    let received = cashier.receive(&forged).await;
    assert_eq!(kind_of(received.error.unwrap()), ErrorKind::NotFound);
    // The same claim is believed once the provider says it too.
    let paid = hands.set(payment.id.raw(), PaymentStatus::Captured);
    let true_one = notice("e3", "header", &About::Payment(Box::new(paid)));
    assert!(cashier.receive(&true_one).await.error.is_none());
    let record = cashier.order(&order("A")).await.unwrap();
    assert_eq!(record.standing(), Standing::Paid);
}
