//! A shop on the cashier over Adyen's simulator, paid by card: what is refused can be tried again.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod flow;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use counterfoil::Test;
use counterfoil::cashier::{Cashier, MemoryStore, Standing};
use counterfoil::clock::{Clock, Timestamp};
use counterfoil::http::ManualTimer;
use counterfoil::id::Namespace;
use counterfoil::providers::adyen::{Adyen, AdyenConfig};
use counterfoil::request::{Checkout, CreateRequest};
use counterfoil::simulator::adyen::{AdyenSimulator, MERCHANT_ACCOUNT};
use counterfoil::simulator::{SimulatedProvider, SimulatorTransport};
use serde_json::json;

use flow::{DAY, START, eur, order};

const HMAC_KEY: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";

fn card(holder: &str) -> CreateRequest {
    let token = json!({"paymentMethod": {
        "type": "scheme", "encryptedCardNumber": "test_4111111111111111",
        "encryptedExpiryMonth": "test_03", "encryptedExpiryYear": "test_2030",
        "encryptedSecurityCode": "test_737", "holderName": holder,
    }});
    let direct = Checkout::token(token.to_string(), "https://shop.example/done");
    CreateRequest::new(order("A"), eur(1000), direct)
}

#[tokio::test]
async fn a_shopper_whose_cards_are_refused_can_pay_by_the_next_one() {
    let mut simulator = AdyenSimulator::new(7, Timestamp::from_unix(START));
    simulator.add_webhook(MERCHANT_ACCOUNT, "https://shop.example/hook", HMAC_KEY);
    let simulator = Arc::new(Mutex::new(simulator));
    let line = Arc::new(SimulatorTransport::new(Arc::clone(&simulator)));
    let config = AdyenConfig::<Test>::new("AQE-key", MERCHANT_ACCOUNT, HMAC_KEY).unwrap();
    let config = config
        .with_transport(Arc::clone(&line) as _)
        .with_timer(Arc::new(ManualTimer::new()))
        .with_clock(Arc::clone(&line) as _)
        .with_seed(7);
    let provider = Adyen::new(config)
        .unwrap()
        .into_provider(Namespace::new("shop").unwrap());
    let cashier = Cashier::open(provider, Arc::new(MemoryStore::new())).await;
    let cashier = cashier
        .unwrap()
        .with_clock(Arc::clone(&line) as Arc<dyn Clock>);
    let wait = |seconds| {
        simulator
            .lock()
            .unwrap()
            .advance(Duration::from_secs(seconds))
    };
    let hear = async || {
        for webhook in line.webhooks() {
            assert!(cashier.receive(&webhook).await.error.is_none());
        }
    };
    cashier.place(&order("A"), eur(1000)).await.unwrap();
    // Adyen's answer is final: the next card waits for no webhook.
    for holder in ["DECLINED", "CVC_DECLINED", "CARD_EXPIRED"] {
        let refused = cashier.check_out(&card(holder)).await.unwrap_err();
        assert!(refused.decline().is_some(), "{refused:?}");
    }
    let record = cashier.order(&order("A")).await.unwrap();
    assert_eq!(record.attempts.len(), 3);
    cashier.check_out(&card("Ann")).await.unwrap();
    for _ in 0..5 {
        wait(DAY);
        hear().await;
        cashier.sweep().await.unwrap();
    }
    let record = cashier.order(&order("A")).await.unwrap();
    assert_eq!(record.standing(), Standing::Paid);
    assert_eq!(cashier.concerns(&record), []);
}
