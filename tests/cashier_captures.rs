//! Held amounts that are taken in parts, over Stripe's simulator.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod flow;

use counterfoil::ErrorKind;
use counterfoil::cashier::{CommandState, Standing};
use counterfoil::money::{Currency, Money};
use counterfoil::simulator::{Fault, FaultRule};

use flow::{Shop, capture, eur, kind_of, order, page, refund};

fn captured(shop: &Shop) -> i64 {
    shop.account.lock().ledger()[0].captured.minor()
}

#[tokio::test]
async fn an_amount_is_taken_in_parts_and_never_past_what_is_held() {
    let shop = Shop::open().await;
    let id = shop.held("A", 1000).await;
    assert_eq!(shop.confirmed().await, ["authorized:1"]);
    let first = capture(&id, 300, "first").keeping_the_rest();
    let taken = shop.cashier.capture(&first).await.unwrap();
    assert_eq!(taken.state, CommandState::Succeeded);
    assert_eq!(shop.standing("A").await, Standing::Authorized);
    let again = shop.cashier.capture(&first).await.unwrap();
    assert_eq!((again.key, captured(&shop)), (taken.key, 300));

    let above = shop.cashier.capture(&capture(&id, 701, "above")).await;
    assert_eq!(kind_of(above.unwrap_err()), ErrorKind::InvalidRequest);
    let other = shop.cashier.capture(&capture(&id, 300, "first")).await;
    assert_eq!(kind_of(other.unwrap_err()), ErrorKind::Conflict);
    // The rest is held: nobody is asked to pay it again.
    let asked = shop.cashier.check_out(&page("A", 700)).await;
    assert_eq!(kind_of(asked.unwrap_err()), ErrorKind::Conflict);

    let second = capture(&id, 200, "second").keeping_the_rest();
    shop.cashier.capture(&second).await.unwrap();
    let last = shop
        .cashier
        .capture(&capture(&id, 500, "last"))
        .await
        .unwrap();
    assert_eq!(
        (last.state, captured(&shop)),
        (CommandState::Succeeded, 1000)
    );
    shop.deliver().await;
    assert_eq!(shop.standing("A").await, Standing::Paid);
    assert_eq!(shop.confirmed().await, ["paid"]);
    let empty = shop.cashier.capture(&capture(&id, 1, "empty")).await;
    assert_eq!(kind_of(empty.unwrap_err()), ErrorKind::Conflict);
    let record = shop.record("A").await;
    let none = Some(Money::zero(Currency::EUR));
    assert_eq!(record.external_captures(&id).unwrap(), none);
}

#[tokio::test]
async fn a_lost_answer_to_one_part_is_found_out_and_not_taken_twice() {
    for fault in [Fault::DropBefore, Fault::DropAfter] {
        let shop = Shop::open().await;
        let id = shop.held("A", 1000).await;
        let kept = capture(&id, 300, "first").keeping_the_rest();
        shop.cashier.capture(&kept).await.unwrap();
        let rule = FaultRule::next(fault).with_method(http::Method::POST);
        shop.account.lock().faults().script(rule);
        let part = capture(&id, 300, "second").keeping_the_rest();
        shop.cashier.capture(&part).await.unwrap_err();
        // Until it is found out, its amount is not given to another.
        let meanwhile = shop.cashier.capture(&capture(&id, 700, "third")).await;
        assert_eq!(kind_of(meanwhile.unwrap_err()), ErrorKind::Conflict);
        shop.account.wait(3600);
        shop.cashier.sweep().await.unwrap();
        let record = shop.record("A").await;
        assert_eq!(record.commands[1].state, CommandState::Succeeded);
        assert_eq!(captured(&shop), 600, "{fault:?}");
    }
}

#[tokio::test]
async fn a_part_whose_key_is_forgotten_is_looked_for_before_it_is_taken_again() {
    for fault in [Fault::DropBefore, Fault::DropAfter] {
        let shop = Shop::open().await;
        let id = shop.held("A", 1000).await;
        let kept = capture(&id, 300, "first").keeping_the_rest();
        shop.cashier.capture(&kept).await.unwrap();
        let rule = FaultRule::next(fault).with_method(http::Method::POST);
        shop.account.lock().faults().script(rule);
        let part = capture(&id, 300, "second").keeping_the_rest();
        shop.cashier.capture(&part).await.unwrap_err();
        // Nobody has swept, and Stripe knows no key any more.
        shop.account.wait(25 * 3600);
        let again = shop.cashier.capture(&part).await.unwrap();
        assert_eq!(again.state, CommandState::Succeeded, "{fault:?}");
        assert_eq!(captured(&shop), 600, "{fault:?}");
        let again = shop.cashier.capture(&part).await.unwrap();
        assert_eq!(
            (again.state, captured(&shop)),
            (CommandState::Succeeded, 600)
        );
    }
}

#[tokio::test]
async fn a_refund_whose_key_is_forgotten_is_looked_for_and_not_given_again() {
    for (fault, state, given) in [
        (Fault::DropBefore, CommandState::Failed, 0),
        (Fault::DropAfter, CommandState::Succeeded, 300),
    ] {
        let shop = Shop::open().await;
        let id = shop.paid("A", 1000).await;
        let rule = FaultRule::next(fault).with_method(http::Method::POST);
        shop.account.lock().faults().script(rule);
        let wish = refund(&id, 300, "goodwill");
        shop.cashier.refund(&wish).await.unwrap_err();
        shop.account.wait(25 * 3600);
        let again = shop.cashier.refund(&wish).await.unwrap();
        assert_eq!(again.state, state, "{fault:?}");
        let refunded = shop.account.lock().ledger()[0].refunded.minor();
        assert_eq!(refunded, given, "{fault:?}");
    }
}

/// Of two wishes that differ only in their names, one is done and the other was lost.
#[tokio::test]
async fn a_refund_in_doubt_is_not_taken_for_one_that_was_given_before() {
    let shop = Shop::open().await;
    let id = shop.paid("A", 1000).await;
    let first = refund(&id, 300, "first");
    shop.cashier.refund(&first).await.unwrap();
    let rule = FaultRule::next(Fault::DropBefore).with_method(http::Method::POST);
    shop.account.lock().faults().script(rule);
    let second = refund(&id, 300, "second");
    shop.cashier.refund(&second).await.unwrap_err();
    shop.account.wait(61);
    shop.cashier.sweep().await.unwrap();
    assert_eq!(shop.account.lock().ledger()[0].refunded.minor(), 600);
    let record = shop.record("A").await;
    assert_ne!(record.commands[0].refund, record.commands[1].refund);
}

#[tokio::test]
async fn the_rest_is_let_go_after_a_part_was_taken() {
    let shop = Shop::open().await;
    let id = shop.held("A", 1000).await;
    let taken = shop
        .cashier
        .capture(&capture(&id, 400, "only"))
        .await
        .unwrap();
    assert_eq!(taken.state, CommandState::Succeeded);
    shop.deliver().await;
    let short = eur(600).money();
    assert_eq!(shop.standing("A").await, Standing::PartlyPaid { short });
    assert_eq!(shop.confirmed().await, ["authorized:1", "partly_paid"]);
    let more = shop.cashier.capture(&capture(&id, 600, "more")).await;
    assert_eq!(kind_of(more.unwrap_err()), ErrorKind::Conflict);
    // What is missing can be paid by another attempt.
    let rest = shop.cashier.check_out(&page("A", 600)).await.unwrap();
    shop.pay(&rest.id).await;
    assert_eq!(shop.standing("A").await, Standing::Paid);
    assert_eq!(
        shop.cashier
            .order(&order("A"))
            .await
            .unwrap()
            .attempts
            .len(),
        2
    );
}
