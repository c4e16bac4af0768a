//! An account to which Stripe does not offer its search: what the lists show is exact as long as a
//! key is remembered, and nothing older is guessed.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod flow;

use counterfoil::cashier::{AttemptPhase, Standing};
use counterfoil::simulator::{Fault, FaultRule};

use flow::{Account, DAY, Shop, eur, order, page};

async fn shop_without_search() -> Shop {
    let shop = Shop::open().await;
    shop.account.lock().set_search(false);
    shop.cashier.place(&order("A"), eur(1000)).await.unwrap();
    shop
}

fn next_write(account: &Account, fault: Fault) {
    let rule = FaultRule::next(fault).with_method(http::Method::POST);
    account.lock().faults().script(rule);
}

#[tokio::test]
async fn lost_answer_without_search_finds_the_session_of_the_list() {
    let shop = shop_without_search().await;
    next_write(&shop.account, Fault::DropAfter);
    shop.cashier.check_out(&page("A", 1000)).await.unwrap_err();
    shop.account.wait(120);
    shop.cashier.sweep().await.unwrap();
    let again = shop.cashier.check_out(&page("A", 1000)).await.unwrap();
    shop.pay(&again.id).await;
    assert_eq!(shop.standing("A").await, Standing::Paid);
    // One session, one charge.
    let books = shop.account.lock().ledger();
    let charges: u32 = books.iter().map(|entry| entry.charges).sum();
    assert_eq!(charges, 1);
}

#[tokio::test]
async fn lost_request_without_search_is_settled_by_empty_lists() {
    let shop = shop_without_search().await;
    next_write(&shop.account, Fault::DropBefore);
    shop.cashier.check_out(&page("A", 1000)).await.unwrap_err();
    shop.account.wait(3 * 3600);
    assert_eq!(shop.cashier.sweep().await.unwrap().failures, 0);
    let record = shop.record("A").await;
    let phase = record.last_attempt().unwrap().phase;
    assert_eq!(phase, AttemptPhase::NeverArrived);
    let again = shop.cashier.check_out(&page("A", 1000)).await.unwrap();
    shop.pay(&again.id).await;
    assert_eq!(shop.standing("A").await, Standing::Paid);
}

/// Nobody can tell what became of an attempt that is older than the lists are read.
#[tokio::test]
async fn old_attempt_without_search_stays_unknown() {
    let shop = shop_without_search().await;
    next_write(&shop.account, Fault::DropBefore);
    shop.cashier.check_out(&page("A", 1000)).await.unwrap_err();
    shop.account.wait(3 * DAY);
    assert!(shop.cashier.sweep().await.unwrap().failures > 0);
    let record = shop.record("A").await;
    assert_eq!(record.last_attempt().unwrap().phase, AttemptPhase::Stored);
    let review = shop.cashier.concerns(&record);
    assert!(
        review.iter().any(|item| item.name == "attempt_unknown:1"),
        "{review:?}"
    );
}
