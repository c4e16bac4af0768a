//! Whatever an API answers to whatever was asked. A write that succeeds must be about what was
//! asked for.

#![no_main]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use counterfoil::Test;
use counterfoil::http::{ManualTimer, Transport, TransportError};
use counterfoil::id::{CommandId, Namespace, OrderId, PaymentId, ProviderName, RefundId};
use counterfoil::money::{Currency, Money, PositiveMoney};
use counterfoil::providers::stripe::{Stripe, StripeConfig};
use counterfoil::request::{CaptureRequest, Checkout, CreateRequest, RefundRequest};
use libfuzzer_sys::fuzz_target;

/// Answers everything with the same bytes.
#[derive(Debug)]
struct Parrot(Mutex<(u16, Bytes)>);

#[async_trait]
impl Transport for Parrot {
    async fn send(
        &self,
        _: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let (status, body) = self.0.lock().unwrap().clone();
        Ok(http::Response::builder().status(status).body(body).unwrap())
    }
}

fuzz_target!(|data: &[u8]| {
    let [what, status, body @ ..] = data else {
        return;
    };
    let status = [200, 400, 402, 404, 500][usize::from(*status) % 5];
    let parrot = Parrot(Mutex::new((status, Bytes::copy_from_slice(body))));
    let config = StripeConfig::<Test>::new("sk_test_1", "whsec_1")
        .unwrap()
        .with_transport(Arc::new(parrot))
        .with_timer(Arc::new(ManualTimer::new()))
        .with_seed(1);
    let shop = Namespace::new("shop").unwrap();
    let provider = Stripe::new(config).unwrap().into_provider(shop);
    let name = ProviderName::new("stripe").unwrap();
    let amount = PositiveMoney::new(Money::new(2000, Currency::EUR)).unwrap();
    let intent = || PaymentId::new(name.clone(), "pi_1").unwrap();
    let command = || CommandId::new("c").unwrap();
    pollster::block_on(async {
        match what % 7 {
            0 => {
                let page = Checkout::hosted("https://shop.example/a", "https://shop.example/b");
                let order = OrderId::new("A-1").unwrap();
                let request = CreateRequest::new(order, amount, page);
                if let Ok(payment) = provider.create(&request).await {
                    assert_eq!(payment.amount, amount.money());
                }
            }
            1 => {
                if let Ok(payment) = provider.fetch_payment(&intent()).await {
                    assert!(payment.ids().any(|id| *id == intent()));
                }
            }
            2 => {
                let request = RefundRequest::new(intent(), amount, command());
                if let Ok(refund) = provider.refund(&request).await {
                    assert_eq!(refund.amount, amount.money());
                }
            }
            3 => drop(provider.capture(&CaptureRequest::new(intent(), amount, command())).await),
            4 => drop(provider.void(&intent()).await),
            5 => drop(provider.fetch_refund(&RefundId::new(name.clone(), "re_1").unwrap()).await),
            _ => drop(provider.account().await),
        }
    });
});
