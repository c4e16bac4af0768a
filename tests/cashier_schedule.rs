//! When an order is looked at, and from when on a list of disputes is read.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod flow;

use std::time::Duration;

use counterfoil::capability::Operation;
use counterfoil::cashier::Patience;
use counterfoil::clock::{Clock, Timestamp};
use counterfoil::dispute::{Dispute, DisputeStatus};
use counterfoil::error::{Decline, DeclineReason};
use counterfoil::id::PaymentId;
use counterfoil::payment::{Payment, PaymentStatus};

use flow::quiet::{Shop, dispute_id};
use flow::{DAY, capture, eur, order, page, refund};

const HOUR: u64 = 3600;

/// Sweeps after each step and gives the steps at which the order was looked at.
async fn looks(shop: &Shop, step_s: u64, steps: u64) -> Vec<u64> {
    let mut looked = Vec::new();
    for step in 1..=steps {
        shop.wait(step_s);
        if shop.cashier.sweep().await.unwrap().orders > 0 {
            looked.push(step);
        }
    }
    looked
}

#[tokio::test]
async fn an_open_payment_is_asked_about_after_half_its_age() {
    let shop = Shop::without(&[Operation::ListDisputes]).await;
    shop.checked_out(1000).await;
    let minutes = [
        1, 2, 3, 5, 8, 12, 18, 27, 41, 62, 93, 140, 210, 315, 473, 710,
    ];
    assert_eq!(looks(&shop, 60, 720).await, minutes);
    // At most every six hours, and from a week on every day.
    shop.wait(30 * DAY);
    shop.cashier.sweep().await.unwrap();
    assert_eq!(looks(&shop, HOUR, 72).await, [24, 48, 72]);
    // What may still bring money is never left alone.
    shop.wait(200 * DAY);
    shop.cashier.sweep().await.unwrap();
    assert_eq!(looks(&shop, HOUR, 72).await, [24, 48, 72]);
}

#[tokio::test]
async fn a_page_is_asked_about_when_it_ends_and_when_its_last_news_must_be_here() {
    let shop = Shop::without(&[Operation::ListDisputes]).await;
    let id = shop.checked_out(1000).await;
    let end = shop
        .hands
        .clock
        .now()
        .saturating_add(Duration::from_secs(100 * 60));
    let mut page = shop.hands.set(id.raw(), PaymentStatus::Created);
    page.expires_at = Some(end);
    shop.hands.books().payments.insert(id.raw().into(), page);
    let minutes = [1, 2, 3, 5, 8, 12, 18, 27, 41, 62, 93, 101, 116, 174];
    assert_eq!(looks(&shop, 60, 180).await, minutes);
}

/// A refund made elsewhere is found although no webhook came.
#[tokio::test]
async fn what_has_ended_is_looked_at_each_time_its_age_has_doubled_for_half_a_year() {
    for refunded in [0, 1000] {
        let shop = Shop::without(&[Operation::ListDisputes]).await;
        let id = shop.checked_out(1000).await;
        let mut paid = shop.hands.set(id.raw(), PaymentStatus::Captured);
        paid.refunded = counterfoil::money::Money::new(refunded, paid.amount.currency());
        shop.hands.books().payments.insert(id.raw().into(), paid);
        shop.cashier.resume(&order("A")).await.unwrap();
        let hours = [24, 48, 96, 192, 384, 768, 1536, 3072, 6144];
        assert_eq!(looks(&shop, HOUR, 9000).await, hours);
    }
}

#[tokio::test]
async fn a_refused_payment_is_watched_for_half_a_year() {
    let shop = Shop::without(&[Operation::ListDisputes]).await;
    let id = shop.checked_out(1000).await;
    let refused = PaymentStatus::Failed(Decline::new(DeclineReason::InsufficientFunds));
    shop.hear_of(&id, refused).await;
    shop.wait(100 * DAY);
    shop.cashier.sweep().await.unwrap();
    assert_eq!(looks(&shop, HOUR, 48).await, [24, 48]);
    shop.wait(80 * DAY);
    shop.cashier.sweep().await.unwrap();
    assert_eq!(looks(&shop, HOUR, 100).await, [0; 0]);
}

#[tokio::test]
async fn an_order_of_which_no_payment_is_known_is_looked_up_for_a_month() {
    let shop = Shop::without(&[Operation::ListDisputes]).await;
    assert_eq!(looks(&shop, HOUR, 1000).await, [26, 52, 104, 208, 416, 832]);
}

/// A minute after the hour, and not when the provider is asked the next time.
#[tokio::test]
async fn a_person_is_told_as_soon_as_patience_ends() {
    for is_heard in [false, true] {
        let shop = Shop::open().await;
        let hour = Duration::from_secs(HOUR);
        let patience = Patience::default().with_unknown(hour).with_silence(hour);
        let cashier = shop.cashier.clone().with_patience(patience);
        let shop = Shop { cashier, ..shop };
        let request = page("A", 1000).with_manual_capture();
        let id = shop.cashier.check_out(&request).await.unwrap().id;
        shop.hear_of(&id, PaymentStatus::Authorized).await;
        shop.hands.books().unheard = u32::from(!is_heard) * 100;
        let asked = shop.cashier.capture(&capture(&id, 1000, "c")).await;
        assert_eq!(asked.is_ok(), is_heard);
        shop.confirmed().await;
        let mut told = None;
        for minute in 1..=100 {
            shop.wait(60);
            let is_early = minute <= 60;
            let concerns = shop.cashier.concerns(&shop.record().await);
            assert_eq!(concerns.is_empty(), is_early, "{minute}");
            shop.cashier.sweep().await.unwrap();
            let kinds = shop.confirmed().await;
            if let Some(kind) = kinds.first() {
                told = Some((minute, kind.clone()));
                break;
            }
        }
        let key = &shop.record().await.commands[0].key;
        let what = if is_heard { "pending" } else { "unknown" };
        let name = format!("needs_a_person:capture_{what}:{key}");
        assert_eq!(told, Some((61, name)));
    }
}

impl Shop {
    async fn paid(&self) -> PaymentId<counterfoil::Test> {
        let id = self.checked_out(1000).await;
        self.hear_of(&id, PaymentStatus::Captured).await;
        id
    }

    /// Opens a dispute, or changes it.
    fn dispute(&self, raw: &str, of: &PaymentId<counterfoil::Test>, status: DisputeStatus) {
        let now = self.hands.clock.now();
        let amount = eur(100).money();
        let mut dispute = Dispute::new(dispute_id(raw), of.clone(), status, amount, now);
        let mut books = self.hands.books();
        if let Some(known) = books.disputes.iter().find(|known| known.id == dispute.id) {
            dispute.created_at = known.created_at;
        }
        books.disputes.retain(|known| known.id != dispute.id);
        books.disputes.push(dispute);
    }

    /// Sweeps, and gives how many disputes were news and from when on they were listed, if they
    /// were.
    async fn listed(&self) -> Option<(usize, Option<Timestamp>)> {
        let before = self.hands.books().pages;
        let news = self.cashier.sweep().await.unwrap().disputes;
        let books = self.hands.books();
        (books.pages > before).then_some((news, books.listed_from))
    }

    fn days_before(&self, days: u64) -> Option<Timestamp> {
        let now = self.hands.clock.now();
        Some(now.saturating_sub(Duration::from_secs(days * DAY)))
    }
}

#[tokio::test]
async fn disputes_are_listed_once_an_hour_from_the_oldest_that_is_open() {
    let shop = Shop::without(&[Operation::Complete]).await;
    let id = shop.paid().await;
    shop.dispute("d1", &id, DisputeStatus::NeedsResponse);
    shop.dispute("d2", &id, DisputeStatus::Lost);
    assert_eq!(shop.listed().await, Some((2, shop.days_before(180))));
    for wait in [1800, 1799] {
        shop.wait(wait);
        assert_eq!(shop.listed().await, None);
    }
    shop.wait(1);
    let opened = shop
        .days_before(1)
        .map(|at| at.saturating_sub(Duration::from_secs(HOUR)));
    assert_eq!(shop.listed().await, Some((0, opened)));
    shop.wait(10 * DAY);
    shop.dispute("d1", &id, DisputeStatus::Won);
    assert_eq!(shop.listed().await, Some((1, opened)));
    // Nothing is open any more.
    shop.wait(DAY);
    assert_eq!(shop.listed().await, Some((0, shop.days_before(2))));
}

/// Its order may still be placed, as after a restored backup; after half a year nobody waits.
#[tokio::test]
async fn a_dispute_of_an_order_that_is_not_placed_yet_is_read_again_while_it_is_young() {
    let shop = Shop::without(&[Operation::Complete]).await;
    let id = PaymentId::new(dispute_id("d1").provider().clone(), "late").unwrap();
    let (amount, now) = (eur(1000).money(), shop.hands.clock.now());
    let mut late = Payment::new(id.clone(), PaymentStatus::Captured, amount, now);
    late.captured = amount;
    late.reference = Some("shop:Z:1".parse().unwrap());
    shop.hands.books().payments.insert("late".into(), late);
    shop.dispute("d1", &id, DisputeStatus::Lost);
    assert_eq!(shop.listed().await, Some((0, shop.days_before(180))));
    shop.wait(179 * DAY);
    assert_eq!(shop.listed().await, Some((0, shop.days_before(180))));
    shop.wait(2 * DAY);
    // It was read from where it was made, and then let be.
    assert_eq!(shop.listed().await, Some((0, shop.days_before(182))));
    shop.wait(DAY);
    assert_eq!(shop.listed().await, Some((0, shop.days_before(2))));
}

#[tokio::test]
async fn a_dispute_is_news_once_for_each_of_its_turns_and_amounts() {
    let shop = Shop::without(&[Operation::Complete]).await;
    let id = shop.paid().await;
    let listed = async || {
        shop.wait(HOUR);
        shop.listed().await.unwrap().0
    };
    shop.dispute("d1", &id, DisputeStatus::NeedsResponse);
    shop.dispute("d2", &id, DisputeStatus::UnderReview);
    assert_eq!(listed().await, 2);
    assert_eq!(listed().await, 0);
    let now = shop.hands.clock.now();
    for dispute in &mut shop.hands.books().disputes {
        dispute.amount = eur(200).money();
        dispute.as_of = now;
    }
    assert_eq!(listed().await, 2);
    let back = shop.cashier.refund(&refund(&id, 100, "r")).await;
    assert!(back.is_err());
}
