//! Every request of the Stripe provider, by Stripe's own specification.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use counterfoil::clock::Timestamp;
use counterfoil::http::{ManualTimer, Transport, TransportError};
use counterfoil::id::{CommandId, Namespace, OrderId};
use counterfoil::providers::stripe::{Stripe, StripeConfig};
use counterfoil::request::{CaptureRequest, Checkout, CreateRequest, Period, RefundRequest};
use counterfoil::simulator::stripe::StripeSimulator;
use counterfoil::simulator::{SimulatedProvider, SimulatorTransport};
use counterfoil::{Provider, Test};
use counterfoil_contract::Contract;
use futures_util::TryStreamExt;

const SPEC: &str = "stripe/stripe-2026-08-26.dahlia.official.json";

/// Checks what passes through on its way to the simulator.
#[derive(Debug)]
struct Checking {
    contract: Contract,
    inner: Arc<SimulatorTransport<StripeSimulator>>,
    seen: Mutex<Vec<String>>,
    problems: Mutex<Vec<String>>,
}

#[async_trait]
impl Transport for Checking {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let method = request.method().as_str();
        let target = request.uri().path_and_query().unwrap().as_str();
        let found = self.contract.check_request(method, target, request.body());
        let sent = format!("{method} {target} {:?}", request.body());
        let found = found
            .into_iter()
            .map(|problem| format!("{sent}: {problem}"));
        self.problems.lock().unwrap().extend(found);
        self.seen.lock().unwrap().push(sent);
        self.inner.send(request).await
    }
}

#[tokio::test]
async fn requests_are_what_the_specification_says() {
    let Some(contract) = Contract::load(SPEC) else {
        return;
    };
    let start = Timestamp::from_unix(1_795_000_000);
    let simulator = Arc::new(Mutex::new(StripeSimulator::new(5, start)));
    let inner = Arc::new(SimulatorTransport::new(Arc::clone(&simulator)));
    let checking = Arc::new(Checking {
        contract,
        inner: inner.clone(),
        seen: Mutex::default(),
        problems: Mutex::default(),
    });
    let config = StripeConfig::<Test>::new("sk_test_contract", "whsec_contract")
        .unwrap()
        .with_transport(checking.clone())
        .with_timer(Arc::new(ManualTimer::new()))
        .with_clock(inner);
    let provider = Stripe::new(config)
        .unwrap()
        .into_provider(Namespace::new("contract").unwrap());
    use_everything(&provider, &simulator).await;

    let seen = checking.seen.lock().unwrap();
    for path in [
        "POST /v1/checkout/sessions",
        "POST /v1/payment_intents ",
        "/capture",
        "/cancel",
        "/expire",
        "POST /v1/refunds",
        "GET /v1/refunds",
        "GET /v1/disputes",
        "GET /v1/payouts",
        "GET /v1/balance_transactions",
        "GET /v1/account",
        "GET /v1/balance ",
    ] {
        assert!(
            seen.iter().any(|sent| sent.contains(path)),
            "{path}: {seen:#?}"
        );
    }
    let problems = checking.problems.lock().unwrap();
    assert!(problems.is_empty(), "{problems:#?}");
    println!("{} requests checked", seen.len());
}

async fn use_everything(provider: &Provider<Test>, simulator: &Mutex<StripeSimulator>) {
    let advance = |days: u64| {
        let by = Duration::from_secs(days * 24 * 60 * 60);
        simulator.lock().unwrap().advance(by);
    };
    let order = |id: &str, page: Checkout| {
        let total = "19.99 EUR".parse().unwrap();
        let total = counterfoil::money::PositiveMoney::new(total).unwrap();
        CreateRequest::new(OrderId::new(id).unwrap(), total, page)
            .with_description("A chair & more")
            .with_email("a@example.com")
            .with_metadata("colour", "blue")
    };
    let hosted = || Checkout::hosted("https://shop.example/ok", "https://shop.example/no");
    let token = |name: &str| Checkout::token(name, "https://shop.example/back");
    let command = |text: &str| CommandId::new(text).unwrap();

    let request = order("hosted-1", hosted());
    let session = provider.create(&request).await.unwrap();
    let paid = simulator
        .lock()
        .unwrap()
        .shopper()
        .pay(session.id.raw(), "pm_card_visa");
    assert!(paid.is_ok(), "{paid:?}");
    let _ = provider.fetch_payment(&session.id).await.unwrap();
    let found = provider.find_payments(&provider.reference(&request)).await;
    assert_eq!(found.unwrap().len(), 1);
    let left = provider.create(&order("hosted-2", hosted())).await.unwrap();
    let _ = provider.void(&left.id).await.unwrap();

    let paid = provider
        .create(&order("direct-1", token("pm_card_visa")))
        .await
        .unwrap();
    let amount = counterfoil::money::PositiveMoney::new("5.00 EUR".parse().unwrap()).unwrap();
    let refund = RefundRequest::new(paid.id.clone(), amount, command("refund-1"));
    let refund = provider.refund(&refund).await.unwrap();
    let _ = provider.fetch_refund(&refund.id).await.unwrap();
    let refunds: Vec<_> = provider
        .list_refunds(paid.id.clone())
        .try_collect()
        .await
        .unwrap();
    assert_eq!(refunds.len(), 1);

    for (id, captured) in [("held-1", true), ("held-2", false)] {
        let request = order(id, token("pm_card_visa")).with_manual_capture();
        let held = provider.create(&request).await.unwrap();
        if captured {
            let capture = CaptureRequest::new(held.id.clone(), amount, command("capture-1"));
            let _ = provider.capture(&capture).await.unwrap();
        } else {
            let _ = provider.void(&held.id).await.unwrap();
        }
    }
    let _ = provider
        .create(&order("direct-2", token("pm_card_createDispute")))
        .await
        .unwrap();
    advance(5);

    let period = Period::since(Timestamp::from_unix(0));
    let payments: Vec<_> = provider.list_payments(period).try_collect().await.unwrap();
    assert!(payments.len() >= 4, "{}", payments.len());
    let disputes: Vec<_> = provider.list_disputes(period).try_collect().await.unwrap();
    assert_eq!(disputes.len(), 1);
    let payouts: Vec<_> = provider.list_payouts(period).try_collect().await.unwrap();
    assert!(!payouts.is_empty());
    for payout in payouts {
        let lines = provider.list_payout_lines(payout.id.clone());
        let lines: Vec<_> = lines.try_collect().await.unwrap();
        assert!(!lines.is_empty());
    }
    let _ = provider
        .find_payments(&provider.reference(&request))
        .await
        .unwrap();
    let _ = provider.account().await.unwrap();
}
