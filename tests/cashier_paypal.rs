//! A shop on the cashier over PayPal's simulator: an attempt that another order has paid.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod flow;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use counterfoil::cashier::{Cashier, CommandState, MemoryStore, Standing};
use counterfoil::clock::{Clock, Timestamp};
use counterfoil::http::ManualTimer;
use counterfoil::id::Namespace;
use counterfoil::payment::PaymentStatus;
use counterfoil::providers::paypal::{PayPal, PayPalConfig, PayPalCredentials};
use counterfoil::simulator::paypal::{Funding, PaypalSimulator};
use counterfoil::simulator::{Answer, SimulatedProvider, SimulatorTransport};
use counterfoil::{Effect, ErrorKind, Test};
use http::Request;
use serde_json::{Value, json};

use flow::{START, eur, kind_of, order, page};

const ID: &str = PaypalSimulator::CLIENT_ID;
const SECRET: &str = PaypalSimulator::CLIENT_SECRET;

/// Posts past the provider, as another system with the same credentials would.
fn post(simulator: &Mutex<PaypalSimulator>, path: &str, body: &Value) -> Value {
    let mut simulator = simulator.lock().unwrap();
    let mut send = |request: Request<Bytes>| match simulator.handle(&request) {
        Answer::Response(response) => serde_json::from_slice::<Value>(response.body()).unwrap(),
        other => panic!("{other:?}"),
    };
    let pair = STANDARD.encode(format!("{ID}:{SECRET}"));
    let form = Bytes::from_static(b"grant_type=client_credentials");
    let token = Request::post("/v1/oauth2/token")
        .header("authorization", format!("Basic {pair}"))
        .header("content-type", "application/x-www-form-urlencoded");
    let token = send(token.body(form).unwrap());
    let token = token["access_token"].as_str().unwrap();
    let request = Request::post(path)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json");
    send(request.body(body.to_string().into()).unwrap())
}

async fn shop() -> (Cashier<Test>, Arc<Mutex<PaypalSimulator>>) {
    let simulator = PaypalSimulator::new(7, Timestamp::from_unix(START));
    let simulator = Arc::new(Mutex::new(simulator));
    let line = Arc::new(SimulatorTransport::new(Arc::clone(&simulator)));
    let credentials = PayPalCredentials::sandbox(ID, SECRET, "1JE4291016473214C").unwrap();
    let config = PayPalConfig::new(credentials)
        .with_transport(Arc::clone(&line) as _)
        .with_timer(Arc::new(ManualTimer::new()))
        .with_clock(Arc::clone(&line) as _)
        .with_seed(7);
    let provider = PayPal::new(config)
        .unwrap()
        .into_provider(Namespace::new("shop").unwrap());
    let cashier = Cashier::<Test>::open(provider, Arc::new(MemoryStore::new())).await;
    let cashier = cashier.unwrap().with_clock(line as Arc<dyn Clock>);
    (cashier, simulator)
}

#[tokio::test]
async fn a_hold_that_nobody_takes_is_seen_to_lapse() {
    let (cashier, simulator) = shop().await;
    cashier.place(&order("A"), eur(1000)).await.unwrap();
    let wish = page("A", 1000).with_manual_capture();
    let begun = cashier.check_out(&wish).await.unwrap();
    let id = begun.id.raw();
    let approved = simulator
        .lock()
        .unwrap()
        .shopper()
        .approve(id, Funding::Balance);
    approved.unwrap();
    let record = cashier.resume(&order("A")).await.unwrap();
    assert_eq!(record.standing(), Standing::Authorized);
    for _ in 0..32 {
        simulator
            .lock()
            .unwrap()
            .advance(Duration::from_secs(86_400));
        cashier.sweep().await.unwrap();
    }
    let record = cashier.order(&order("A")).await.unwrap();
    assert_eq!(record.standing(), Standing::Unpaid);
    let held = record.payments[0].ledger.payment().unwrap();
    assert_eq!(held.status, PaymentStatus::Expired);
}

#[tokio::test]
async fn an_attempt_that_another_order_has_paid_is_unknown_and_no_other_begins() {
    let (cashier, simulator) = shop().await;
    cashier.place(&order("A"), eur(1000)).await.unwrap();
    let begun = cashier.check_out(&page("A", 1000)).await.unwrap();
    // The same attempt stands on another order as well, and is paid by that one.
    let unit = json!({
        "amount": {"currency_code": "EUR", "value": "10.00"}, "invoice_id": "shop:A:1",
    });
    let body = json!({"intent": "CAPTURE", "purchase_units": [unit]});
    let other = post(&simulator, "/v2/checkout/orders", &body);
    let other = other["id"].as_str().unwrap();
    for id in [other, begun.id.raw()] {
        let mut simulator = simulator.lock().unwrap();
        simulator.shopper().approve(id, Funding::Balance).unwrap();
    }
    let path = format!("/v2/checkout/orders/{other}/capture");
    assert_eq!(post(&simulator, &path, &json!({}))["status"], "COMPLETED");

    let error = cashier.resume(&order("A")).await.unwrap_err();
    assert_eq!(error.code(), Some("DUPLICATE_INVOICE_ID"));
    assert_eq!(error.effect(), Effect::Unknown);
    let record = cashier.order(&order("A")).await.unwrap();
    assert_eq!(record.commands[0].state, CommandState::Unknown);
    // Nobody is asked to pay again, and a person is told.
    let again = cashier.check_out(&page("A", 1000)).await.unwrap_err();
    assert!(again.effect() == Effect::Unknown || kind_of(again) == ErrorKind::Conflict);
    simulator
        .lock()
        .unwrap()
        .advance(Duration::from_secs(2 * 3600));
    let _ = cashier.resume(&order("A")).await;
    let record = cashier.order(&order("A")).await.unwrap();
    let concerns = cashier.concerns(&record);
    assert!(
        concerns[0].name.starts_with("complete_unknown:"),
        "{concerns:?}"
    );
    let captured = simulator.lock().unwrap().ledger();
    let captured = captured.iter().map(|entry| entry.captured.minor());
    assert_eq!(captured.sum::<i64>(), 1000, "taken once");
}
