//! The cashier's promises, one by one, against a provider with books of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod shop;

use std::sync::Arc;
use std::time::Duration;

use counterfoil::cashier::{
    AttemptPhase, Cashier, CommandState, ConfirmationKind, MemoryStore, Standing,
};
use counterfoil::clock::{Clock, ManualClock, Timestamp};
use counterfoil::id::{CommandId, Namespace, OrderId, PaymentId};
use counterfoil::money::{Currency, Money, PositiveMoney};
use counterfoil::payment::PaymentStatus;
use counterfoil::refund::RefundStatus;
use counterfoil::request::{CaptureRequest, Checkout, CreateRequest, RefundRequest};
use counterfoil::webhook::WebhookRequest;
use counterfoil::{ErrorKind, Provider, Test};

use shop::bank::Write;
use shop::faults::Dice;
use shop::psp::{Line, Psp, webhook};

struct Shop {
    cashier: Cashier<Test>,
    psp: Arc<Psp>,
    clock: Arc<ManualClock>,
}

impl Shop {
    async fn open() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_unix(1_767_225_600)));
        let psp = Psp::new(Arc::clone(&clock), Dice::new(0, 0));
        let namespace = Namespace::new("shop").unwrap();
        let provider = Provider::new(Line::new(Arc::clone(&psp)), namespace)
            .with_clock(Arc::clone(&clock) as Arc<dyn Clock>);
        let cashier = Cashier::open(provider, Arc::new(MemoryStore::new()))
            .await
            .unwrap()
            .with_clock(Arc::clone(&clock) as Arc<dyn Clock>);
        Self {
            cashier,
            psp,
            clock,
        }
    }

    /// Places order A and sends the shopper to pay; gives the payment.
    async fn checked_out(&self) -> PaymentId<Test> {
        self.cashier.place(&order(), eur(1000)).await.unwrap();
        self.cashier.check_out(&page(1000)).await.unwrap().id
    }

    async fn paid(&self) -> PaymentId<Test> {
        let id = self.checked_out().await;
        assert!(self.psp.bank().shopper_pays(id.raw(), self.psp.now()));
        self.cashier.resume(&order()).await.unwrap();
        id
    }

    /// The webhooks of everything that has happened at the provider since.
    fn webhooks(&self) -> Vec<WebhookRequest> {
        let news = std::mem::take(&mut self.psp.bank().news);
        let numbered = news.iter().enumerate();
        let at = self.psp.now();
        numbered
            .map(|(number, news)| webhook(&format!("evt_{at}_{number}"), news))
            .collect()
    }

    async fn deliver(&self) {
        for webhook in self.webhooks() {
            let received = self.cashier.receive(&webhook).await;
            assert_eq!((received.answer, received.error.is_none()), (200, true));
        }
    }

    async fn standing(&self) -> Standing {
        self.cashier.order(&order()).await.unwrap().standing()
    }

    async fn confirmed(&self) -> Vec<String> {
        let lease = Duration::from_secs(60);
        let confirmations = self.cashier.confirmations(lease, 100).await.unwrap();
        let mut kinds = Vec::new();
        for confirmation in confirmations {
            self.cashier.acknowledge(&confirmation).await.unwrap();
            kinds.push(confirmation.kind.to_string());
        }
        kinds.sort();
        kinds
    }

    fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

fn order() -> OrderId {
    OrderId::new("A").unwrap()
}

fn eur(minor: i64) -> PositiveMoney {
    PositiveMoney::new(Money::new(minor, Currency::EUR)).unwrap()
}

fn page(minor: i64) -> CreateRequest {
    let page = Checkout::hosted("https://shop.example/done", "https://shop.example/cart");
    CreateRequest::new(order(), eur(minor), page)
}

fn refund(id: &PaymentId<Test>, minor: i64, command: &str) -> RefundRequest<Test> {
    RefundRequest::new(id.clone(), eur(minor), CommandId::new(command).unwrap())
}

fn kind_of(error: counterfoil::Error) -> ErrorKind {
    error.kind().clone()
}

#[tokio::test]
async fn a_store_of_one_mode_is_refused_to_the_other() {
    let store = Arc::new(MemoryStore::new());
    counterfoil::cashier::Store::open(&*store, counterfoil::ModeKind::Live)
        .await
        .unwrap();
    let psp = Psp::new(
        Arc::new(ManualClock::new(Timestamp::from_unix(0))),
        Dice::new(0, 0),
    );
    let provider = Provider::new(Line::new(psp), Namespace::new("shop").unwrap());
    let opened = Cashier::open(provider, store).await.map_err(kind_of);
    assert_eq!(opened.unwrap_err(), ErrorKind::WrongMode);
}

#[tokio::test]
async fn redirect_and_webhook_end_in_one_confirmation() {
    let shop = Shop::open().await;
    shop.paid().await;
    let webhooks = shop.webhooks();
    for webhook in webhooks.iter().chain(webhooks.iter().rev()) {
        assert_eq!(shop.cashier.receive(webhook).await.answer, 200);
    }
    shop.cashier.resume(&order()).await.unwrap();
    assert_eq!(shop.standing().await, Standing::Paid);
    assert_eq!(shop.confirmed().await, ["paid"]);
}

#[tokio::test]
async fn a_webhook_without_a_signature_changes_nothing() {
    let shop = Shop::open().await;
    let id = shop.checked_out().await;
    shop.psp.bank().shopper_pays(id.raw(), shop.psp.now());
    for genuine in shop.webhooks() {
        let forged = WebhookRequest::new(http::HeaderMap::new(), genuine.body().to_vec());
        let received = shop.cashier.receive(&forged).await;
        assert_eq!((received.answer, received.orders.len()), (400, 0));
    }
    assert_eq!(shop.standing().await, Standing::Unpaid);
}

#[tokio::test]
async fn a_double_click_gets_the_same_payment() {
    let shop = Shop::open().await;
    let first = shop.checked_out().await;
    let again = shop.cashier.check_out(&page(1000)).await.unwrap();
    assert_eq!(again.id, first);
    assert!(again.next_action.is_some());
    assert_eq!(shop.psp.bank().payments.len(), 1);
}

#[tokio::test]
async fn a_page_with_an_old_amount_begins_nothing() {
    let shop = Shop::open().await;
    shop.cashier.place(&order(), eur(1000)).await.unwrap();
    let asked = shop.cashier.check_out(&page(900)).await.map_err(kind_of);
    assert_eq!(asked.unwrap_err(), ErrorKind::Conflict);
    assert!(shop.psp.bank().payments.is_empty());
    let placed = shop
        .cashier
        .place(&order(), eur(900))
        .await
        .map_err(kind_of);
    assert_eq!(placed.unwrap_err(), ErrorKind::Conflict);
}

#[tokio::test]
async fn an_amended_order_ends_the_old_checkout() {
    let shop = Shop::open().await;
    let old = shop.checked_out().await;
    shop.cashier.amend(&order(), eur(1200)).await.unwrap();
    assert!(!shop.psp.bank().shopper_pays(old.raw(), shop.psp.now()));
    let new = shop.cashier.check_out(&page(1200)).await.unwrap();
    assert_ne!(new.id, old);
    shop.psp.bank().shopper_pays(new.id.raw(), shop.psp.now());
    shop.deliver().await;
    assert_eq!(shop.standing().await, Standing::Paid);
    let amended = shop.cashier.amend(&order(), eur(1)).await.map_err(kind_of);
    assert_eq!(amended.unwrap_err(), ErrorKind::Conflict);
}

#[tokio::test]
async fn a_declined_attempt_ends_before_the_next_begins() {
    let shop = Shop::open().await;
    let first = shop.checked_out().await;
    shop.psp
        .bank()
        .shopper_is_declined(first.raw(), shop.psp.now());
    shop.deliver().await;
    assert_eq!(shop.confirmed().await, ["attempt_declined:1"]);
    let second = shop.cashier.check_out(&page(1000)).await.unwrap();
    assert_ne!(second.id, first);
    assert!(!shop.psp.bank().shopper_pays(first.raw(), shop.psp.now()));
    shop.psp
        .bank()
        .shopper_pays(second.id.raw(), shop.psp.now());
    shop.deliver().await;
    assert_eq!(shop.standing().await, Standing::Paid);
}

#[tokio::test]
async fn an_event_waits_for_its_order() {
    let shop = Shop::open().await;
    let namespace = Namespace::new("shop").unwrap();
    let reference = format!("{namespace}:A:1").parse().unwrap();
    let write = Write::Create {
        reference,
        amount: eur(1000),
        manual: false,
        direct: true,
    };
    let now = shop.psp.now();
    shop.psp.bank().write(write, None, now).unwrap();
    shop.deliver().await;
    assert!(shop.cashier.order(&order()).await.is_err());
    let placed = shop.cashier.place(&order(), eur(1000)).await.unwrap();
    assert_eq!(placed.standing(), Standing::Paid);
}

#[tokio::test]
async fn a_silent_expiry_and_a_lost_webhook_are_found_by_the_sweep() {
    let shop = Shop::open().await;
    let id = shop.checked_out().await;
    shop.wait(1900);
    shop.cashier.sweep().await.unwrap();
    let record = shop.cashier.order(&order()).await.unwrap();
    let status = |id| {
        record
            .payment(id)
            .unwrap()
            .ledger
            .payment()
            .unwrap()
            .status
            .clone()
    };
    assert_eq!(status(&id), PaymentStatus::Expired);

    let second = shop.cashier.check_out(&page(1000)).await.unwrap();
    shop.psp
        .bank()
        .shopper_pays(second.id.raw(), shop.psp.now());
    shop.wait(61);
    let swept = shop.cashier.sweep().await.unwrap();
    assert_eq!((swept.orders, swept.failures), (1, 0));
    assert_eq!(shop.standing().await, Standing::Paid);
}

#[tokio::test]
async fn a_closed_order_takes_no_checkout_and_one_that_was_paid_does_not_close() {
    let shop = Shop::open().await;
    let id = shop.checked_out().await;
    shop.psp.bank().shopper_pays(id.raw(), shop.psp.now());
    let closed = shop.cashier.close(&order()).await.map_err(kind_of);
    assert_eq!(closed.unwrap_err(), ErrorKind::Conflict);
    assert_eq!(shop.standing().await, Standing::Paid);

    let shop = Shop::open().await;
    let id = shop.checked_out().await;
    shop.cashier.close(&order()).await.unwrap();
    assert!(!shop.psp.bank().shopper_pays(id.raw(), shop.psp.now()));
    let late = shop.cashier.check_out(&page(1000)).await.map_err(kind_of);
    assert_eq!(late.unwrap_err(), ErrorKind::Conflict);
}

#[tokio::test]
async fn money_after_the_close_needs_a_person_until_it_is_refunded() {
    let shop = Shop::open().await;
    shop.cashier.place(&order(), eur(1000)).await.unwrap();
    shop.cashier.close(&order()).await.unwrap();
    let write = Write::Create {
        reference: "shop:A:7".parse().unwrap(),
        amount: eur(1000),
        manual: false,
        direct: true,
    };
    let now = shop.psp.now();
    shop.psp.bank().write(write, None, now).unwrap();
    shop.deliver().await;
    let received = eur(1000).money();
    assert_eq!(shop.standing().await, Standing::PaidAfterClose { received });
    let waiting = shop.cashier.needs_a_person(10).await.unwrap();
    let payment = waiting[0].payments[0].ledger.payment().unwrap().id.clone();
    let concern = format!("needs_a_person:paid_after_close:{payment}");
    assert_eq!(shop.confirmed().await, [&*concern, "paid_after_close"]);
    shop.cashier
        .refund(&refund(&payment, 1000, "back"))
        .await
        .unwrap();
    assert!(shop.cashier.needs_a_person(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_refund_is_reserved_bounded_and_given_once() {
    let shop = Shop::open().await;
    let id = shop.paid().await;
    let first = shop.cashier.refund(&refund(&id, 600, "r1")).await.unwrap();
    assert_eq!(first.state, CommandState::Pending);
    let again = shop.cashier.refund(&refund(&id, 600, "r1")).await.unwrap();
    assert_eq!(again.refund, first.refund);
    for (minor, kind) in [
        (401, ErrorKind::InvalidRequest),
        (1000, ErrorKind::InvalidRequest),
    ] {
        let wish = refund(&id, minor, &format!("r-{minor}"));
        let refused = shop.cashier.refund(&wish).await.map_err(kind_of);
        assert_eq!(refused.unwrap_err(), kind);
    }
    let other = shop.cashier.refund(&refund(&id, 500, "r1")).await;
    assert_eq!(kind_of(other.unwrap_err()), ErrorKind::Conflict);
    let dollars = PositiveMoney::new(Money::new(100, Currency::USD)).unwrap();
    let wish = RefundRequest::new(id.clone(), dollars, CommandId::new("usd").unwrap());
    assert!(shop.cashier.refund(&wish).await.is_err());
    assert_eq!(shop.psp.bank().payments[id.raw()].refunded(), 600);
}

#[tokio::test]
async fn a_refund_that_fails_after_success_is_reopened_and_told() {
    let shop = Shop::open().await;
    let id = shop.paid().await;
    shop.cashier.refund(&refund(&id, 1000, "r1")).await.unwrap();
    for (wait, status) in [(10, RefundStatus::Succeeded), (20, RefundStatus::Failed)] {
        shop.wait(wait);
        shop.psp
            .bank()
            .end_refund(id.raw(), 0, status, shop.psp.now());
        shop.deliver().await;
    }
    let record = shop.cashier.order(&order()).await.unwrap();
    assert_eq!(record.commands[0].state, CommandState::Failed);
    assert_eq!(record.refundable(&id).unwrap(), Some(eur(1000).money()));
    let name = format!(
        "refund_failed:{}",
        record.commands[0].refund.clone().unwrap()
    );
    let confirmed = shop.confirmed().await;
    assert_eq!(confirmed.len(), 4, "{confirmed:?}");
    assert!(confirmed.contains(&name));
    assert!(confirmed.contains(&format!("needs_a_person:{name}")));
    shop.cashier
        .resolve(&order(), &name, "paid by transfer")
        .await
        .unwrap();
    assert!(shop.cashier.needs_a_person(10).await.unwrap().is_empty());
    let again = shop.cashier.refund(&refund(&id, 1000, "r2")).await.unwrap();
    assert_eq!(again.state, CommandState::Pending);
}

#[tokio::test]
async fn a_dashboard_refund_is_imported_once_even_without_its_webhook() {
    let shop = Shop::open().await;
    let id = shop.paid().await;
    let write = Write::Refund {
        payment: id.raw().to_owned(),
        amount: eur(400).money(),
        command: None,
    };
    let now = shop.psp.now();
    shop.psp.bank().write(write, None, now).unwrap();
    let news = shop.webhooks();
    shop.wait(2 * 86_400);
    shop.cashier.sweep().await.unwrap();
    for webhook in &news {
        assert_eq!(shop.cashier.receive(webhook).await.answer, 200);
    }
    let record = shop.cashier.order(&order()).await.unwrap();
    assert_eq!(record.external_refunds().count(), 1);
    assert_eq!(record.refundable(&id).unwrap(), Some(eur(600).money()));
}

#[tokio::test]
async fn a_held_amount_is_captured_in_part_or_let_go() {
    let shop = Shop::open().await;
    shop.cashier.place(&order(), eur(1000)).await.unwrap();
    let held = shop
        .cashier
        .check_out(&page(1000).with_manual_capture())
        .await
        .unwrap();
    shop.psp.bank().shopper_pays(held.id.raw(), shop.psp.now());
    shop.deliver().await;
    assert_eq!(shop.standing().await, Standing::Authorized);
    assert_eq!(shop.confirmed().await, ["authorized:1"]);
    let capture = |minor, command| {
        CaptureRequest::new(
            held.id.clone(),
            eur(minor),
            CommandId::new(command).unwrap(),
        )
    };
    let above = shop
        .cashier
        .capture(&capture(1001, "c0"))
        .await
        .map_err(kind_of);
    assert_eq!(above.unwrap_err(), ErrorKind::InvalidRequest);
    let taken = shop.cashier.capture(&capture(1000, "c1")).await.unwrap();
    assert_eq!(taken.state, CommandState::Succeeded);
    assert_eq!(shop.confirmed().await, ["paid"]);
    let voided = shop.cashier.void(&held.id).await.map_err(kind_of);
    assert_eq!(voided.unwrap_err(), ErrorKind::Conflict);
}

#[tokio::test]
async fn a_second_full_payment_is_seen_as_too_much_and_the_order_stays_paid() {
    let shop = Shop::open().await;
    shop.checked_out().await;
    shop.cashier
        .release_attempt(&order(), "the shopper insists")
        .await
        .unwrap();
    shop.cashier.check_out(&page(1000)).await.unwrap();
    let ids: Vec<_> = shop.psp.bank().payments.keys().cloned().collect();
    for raw in &ids {
        shop.psp.bank().shopper_pays(raw, shop.psp.now());
    }
    shop.deliver().await;
    let excess = eur(1000).money();
    assert_eq!(shop.standing().await, Standing::Overpaid { excess });
    let confirmed = shop.confirmed().await;
    let record = shop.cashier.order(&order()).await.unwrap();
    assert_eq!(record.attempts[0].phase, AttemptPhase::Released);
    assert_eq!(
        record.left_to_pay().unwrap(),
        Money::new(-1000, Currency::EUR)
    );
    let id_of = |at: usize| record.payments[at].ledger.payment().unwrap().id.clone();
    let (first, second) = (id_of(0), id_of(1));
    let concern = format!("needs_a_person:overpaid:{second}");
    assert_eq!(confirmed, [&*concern, "overpaid", "paid"]);
    shop.cashier
        .refund(&refund(&second, 1000, "twice"))
        .await
        .unwrap();
    assert_eq!(shop.standing().await, Standing::Paid);
    // The same command, and the other payment: one of them would be given back by mistake.
    let mistaken = shop.cashier.refund(&refund(&first, 1000, "twice")).await;
    assert_eq!(kind_of(mistaken.unwrap_err()), ErrorKind::Conflict);
    assert_eq!(shop.standing().await, Standing::Paid);
}

#[tokio::test]
async fn a_confirmation_comes_again_until_it_is_acknowledged() {
    let shop = Shop::open().await;
    shop.paid().await;
    let lease = Duration::from_secs(60);
    let first = shop.cashier.confirmations(lease, 9).await.unwrap();
    assert_eq!(first[0].kind, ConfirmationKind::Paid);
    assert!(
        shop.cashier
            .confirmations(lease, 9)
            .await
            .unwrap()
            .is_empty()
    );
    shop.wait(60);
    let second = shop.cashier.confirmations(lease, 9).await.unwrap();
    assert_eq!(second[0].id, first[0].id);
    let late = shop.cashier.acknowledge(&first[0]).await.map_err(kind_of);
    assert_eq!(late, Err(ErrorKind::Conflict));
    shop.cashier.acknowledge(&second[0]).await.unwrap();
    shop.wait(60);
    assert!(
        shop.cashier
            .confirmations(lease, 9)
            .await
            .unwrap()
            .is_empty()
    );
}

#[test]
fn its_work_can_be_spawned_on_any_runtime() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    fn all(cashier: &Cashier<Test>, request: &CreateRequest, webhook: &WebhookRequest) {
        drop(is_send(cashier.check_out(request)));
        drop(is_send(cashier.receive(webhook)));
        drop(is_send(cashier.sweep()));
        drop(is_send(cashier.close(&request.order)));
    }
    let _: fn(&Cashier<Test>, &CreateRequest, &WebhookRequest) = all;
}

#[tokio::test]
async fn an_order_is_erased_once_nothing_about_it_waits() {
    let shop = Shop::open().await;
    let id = shop.checked_out().await;
    let erase = async || shop.cashier.erase(&order()).await.map_err(kind_of);
    assert_eq!(erase().await, Err(ErrorKind::Conflict), "it is being paid");
    assert!(shop.psp.bank().shopper_pays(id.raw(), shop.psp.now()));
    let webhooks = shop.webhooks();
    for webhook in &webhooks {
        assert_eq!(shop.cashier.receive(webhook).await.answer, 200);
    }
    assert_eq!(erase().await, Err(ErrorKind::Conflict), "nobody was told");
    assert_eq!(shop.confirmed().await, ["paid"]);
    assert_eq!(erase().await, Ok(()));
    assert_eq!(erase().await, Err(ErrorKind::NotFound));
    for webhook in &webhooks {
        let received = shop.cashier.receive(webhook).await;
        assert_eq!((received.answer, received.orders.len()), (200, 0));
    }
    assert!(shop.confirmed().await.is_empty());
}

#[tokio::test]
async fn old_orders_are_purged_and_young_ones_kept() {
    let shop = Shop::open().await;
    shop.paid().await;
    shop.deliver().await;
    shop.confirmed().await;
    // Its payment is watched for a while.
    shop.wait(366 * 86_400);
    shop.cashier.sweep().await.unwrap();
    let year = Duration::from_secs(365 * 86_400);
    let purged = shop.cashier.purge(year, 100).await.unwrap();
    assert_eq!(purged.orders, 0);
    shop.wait(366 * 86_400);
    let purged = shop.cashier.purge(year, 100).await.unwrap();
    assert_eq!(purged.orders, 1);
    let gone = shop.cashier.order(&order()).await.map_err(kind_of);
    assert_eq!(gone.unwrap_err(), ErrorKind::NotFound);
}
