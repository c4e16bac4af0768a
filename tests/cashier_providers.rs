//! Several providers: routes, failover, and webhooks that find their way.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod flow;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use counterfoil::cashier::{AttemptPhase, Cashier, MemoryStore, Route, Routes, Standing};
use counterfoil::clock::Clock;
use counterfoil::country::Country;
use counterfoil::id::ProviderName;
use counterfoil::money::{Currency, Money};
use counterfoil::request::{Checkout, CreateRequest};
use counterfoil::simulator::{Fault, FaultRule};
use counterfoil::{Effect, ErrorKind, Test};

use flow::{Account, eur, kind_of, order, page};

struct Shop {
    first: Account,
    second: Account,
    cashier: Cashier<Test>,
}

impl Shop {
    async fn open(routes: Routes) -> Self {
        let (first, second) = (Account::new(), Account::new());
        let cashier = Cashier::open(first.provider("first"), Arc::new(MemoryStore::new()));
        let cashier = cashier.await.unwrap();
        let cashier = cashier
            .with_clock(Arc::clone(&first.line) as Arc<dyn Clock>)
            .with_provider(second.provider("second"))
            .unwrap()
            .with_routes(routes)
            .unwrap();
        cashier.place(&order("A"), eur(1000)).await.unwrap();
        Self {
            first,
            second,
            cashier,
        }
    }

    /// Checks out and gives the provider that took it.
    async fn takes(&self, request: &CreateRequest) -> String {
        let payment = self.cashier.check_out(request).await.unwrap();
        payment.id.provider().to_string()
    }
}

fn name(text: &str) -> ProviderName {
    ProviderName::new(text).unwrap()
}

fn fail(account: &Account, fault: Fault, times: u32) {
    let rule = FaultRule::next(fault).with_times(times);
    account.lock().faults().script(rule);
}

#[tokio::test]
async fn routes_choose_by_country_amount_and_currency() {
    let germany = Country::new("DE").unwrap();
    let small = Money::new(500, Currency::EUR);
    let routes = || {
        Routes::new(vec![
            Route::to(vec![name("second")]).with_countries(&[germany]),
            Route::to(vec![name("second")]).with_max(small),
            Route::to(vec![name("first")]).with_currencies(&[Currency::EUR]),
        ])
    };
    let shop = Shop::open(routes()).await;
    assert_eq!(shop.takes(&page("A", 1000)).await, "first");
    let shop = Shop::open(routes()).await;
    let request = page("A", 1000).with_country(germany);
    assert_eq!(shop.takes(&request).await, "second");
    shop.cashier.place(&order("B"), eur(500)).await.unwrap();
    assert_eq!(shop.takes(&page("B", 500)).await, "second");

    let none = Shop::open(Routes::new(vec![
        Route::to(vec![name("first")]).with_currencies(&[Currency::USD]),
    ]));
    let none = none.await;
    let refused = none.cashier.check_out(&page("A", 1000)).await;
    assert_eq!(kind_of(refused.unwrap_err()), ErrorKind::Unsupported);
    let record = none.cashier.order(&order("A")).await.unwrap();
    assert!(record.attempts.is_empty());
}

#[tokio::test]
async fn routes_and_names_are_checked_when_they_are_set() {
    let account = Account::new();
    let open = || Cashier::open(account.provider("first"), Arc::new(MemoryStore::new()));
    let twice = open()
        .await
        .unwrap()
        .with_provider(account.provider("first"));
    assert_eq!(kind_of(twice.unwrap_err()), ErrorKind::Settings);
    for providers in [vec![name("third")], vec![]] {
        let routes = Routes::new(vec![Route::to(providers)]);
        let set = open().await.unwrap().with_routes(routes);
        assert_eq!(kind_of(set.unwrap_err()), ErrorKind::Settings);
    }
}

#[tokio::test]
async fn a_provider_that_began_nothing_is_followed_by_the_next() {
    let shop = Shop::open(Routes::default()).await;
    fail(&shop.first, Fault::RateLimited, 1);
    assert_eq!(shop.takes(&page("A", 1000)).await, "second");
    let record = shop.cashier.order(&order("A")).await.unwrap();
    let phases: Vec<_> = record.attempts.iter().map(|a| a.phase).collect();
    assert_eq!(phases, [AttemptPhase::Refused, AttemptPhase::Begun]);
    // The second click gets the payment that is open, and begins nothing.
    assert_eq!(shop.takes(&page("A", 1000)).await, "second");
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

#[tokio::test]
async fn nobody_switches_while_the_first_outcome_is_unknown() {
    for fault in [Fault::DropBefore, Fault::DropAfter] {
        let shop = Shop::open(Routes::default()).await;
        // The page is made, or not, and no answer comes; then it cannot be asked.
        fail(&shop.first, fault, 1);
        let lost = shop.cashier.check_out(&page("A", 1000)).await.unwrap_err();
        assert_eq!(lost.effect(), Effect::Unknown);
        fail(&shop.first, Fault::DropBefore, 1);
        shop.cashier.check_out(&page("A", 1000)).await.unwrap_err();
        let record = shop.cashier.order(&order("A")).await.unwrap();
        assert_eq!(record.attempts.len(), 1, "{fault:?}");
        assert_eq!(record.attempts[0].phase, AttemptPhase::Stored);
        assert_eq!(shop.takes(&page("A", 1000)).await, "first");
        assert_eq!(
            shop.cashier
                .order(&order("A"))
                .await
                .unwrap()
                .attempts
                .len(),
            1
        );
    }
}

#[tokio::test]
async fn who_fails_again_and_again_is_tried_last_for_a_while() {
    let shop = Shop::open(Routes::default()).await;
    fail(&shop.first, Fault::RateLimited, 3);
    for number in 0..4 {
        let at = format!("N{number}");
        shop.cashier.place(&order(&at), eur(100)).await.unwrap();
        assert_eq!(shop.takes(&page(&at, 100)).await, "second");
        let record = shop.cashier.order(&order(&at)).await.unwrap();
        // The fourth time the first is not even asked.
        assert_eq!(record.attempts.len(), if number < 3 { 2 } else { 1 });
    }
    shop.first.wait(61);
    assert_eq!(shop.takes(&page("A", 1000)).await, "first");
}

#[tokio::test]
async fn webhooks_are_taken_by_the_name_of_their_provider() {
    let shop = Shop::open(Routes::default()).await;
    let (second, request) = (name("second"), page("A", 1000));
    let asked = shop.cashier.check_out_with(&second, &request).await;
    let payment = asked.unwrap();
    assert_eq!(payment.id.provider().as_str(), "second");
    let paid = shop
        .second
        .lock()
        .shopper()
        .pay(payment.id.raw(), "pm_card_visa");
    paid.unwrap();
    for webhook in shop.second.webhooks() {
        let unnamed = shop.cashier.receive(&webhook).await;
        assert_eq!((unnamed.answer, unnamed.orders.len()), (500, 0));
        let unknown = shop.cashier.receive_from("third", &webhook).await;
        assert_eq!((unknown.answer, unknown.orders.len()), (404, 0));
        let received = shop.cashier.receive_from("second", &webhook).await;
        assert_eq!(received.answer, 200);
    }
    let record = shop.cashier.order(&order("A")).await.unwrap();
    assert_eq!(record.standing(), Standing::Paid);
}

#[tokio::test]
async fn a_token_names_its_provider() {
    let shop = Shop::open(Routes::default()).await;
    let token = Checkout::token("pm_card_visa", "https://shop.example/back");
    let request = CreateRequest::new(order("A"), eur(1000), token);
    let refused = shop.cashier.check_out(&request).await;
    assert_eq!(kind_of(refused.unwrap_err()), ErrorKind::InvalidRequest);
    let stranger = shop.cashier.check_out_with(&name("third"), &request).await;
    assert_eq!(kind_of(stranger.unwrap_err()), ErrorKind::Settings);
    let paid = shop.cashier.check_out_with(&name("second"), &request).await;
    assert_eq!(paid.unwrap().id.provider().as_str(), "second");
}

#[tokio::test]
async fn two_clicks_at_once_are_one_call() {
    let shop = Shop::open(Routes::default()).await;
    let request = page("A", 1000);
    let clicks = [0; 8].map(|_| shop.cashier.check_out(&request));
    let answers = futures_util::future::join_all(clicks).await;
    let first = &answers[0].as_ref().unwrap().id;
    assert!(
        answers
            .iter()
            .all(|answer| answer.as_ref().unwrap().id == *first)
    );
    let record = shop.cashier.order(&order("A")).await.unwrap();
    assert_eq!(record.attempts.len(), 1);
    assert_eq!(shop.first.writes.load(Ordering::SeqCst), 1);
}
