//! What targets share: an API that answers everything with the same bytes, and all that a provider
//! can be asked.

use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use counterfoil::clock::Timestamp;
use counterfoil::http::{Delivered, Transport, TransportError};
use counterfoil::id::{CommandId, OrderId, PaymentId, PayoutId, Reference, RefundId};
use counterfoil::money::{Currency, Money, PositiveMoney};
use counterfoil::request::{
    CaptureRequest, Checkout, CompleteRequest, CreateRequest, Period, RefundRequest,
};
use counterfoil::{Provider, Test};
use futures_util::{Stream, StreamExt};
use http::{HeaderMap, HeaderName, HeaderValue};

const TOKEN: &[u8] = br#"{"access_token":"A21","token_type":"Bearer","expires_in":32400}"#;

/// Answers every request, other than for an access token, with what it was last taught: so often
/// that a list of a few pages ends before, and then no more, since it could have pages without end.
#[derive(Debug, Default)]
pub struct Parrot(Mutex<(http::Response<Bytes>, u32)>);

const PATIENCE: u32 = 50;

impl Parrot {
    /// Learns the answer from the fuzzer: the second byte picks the status, and the rest is the body.
    /// Gives the first byte, which picks what to ask; nothing, if there are not two.
    pub fn learn(&self, data: &[u8]) -> Option<u8> {
        let [what, status, body @ ..] = data else {
            return None;
        };
        let status = [200, 201, 204, 400, 401, 402, 404, 409, 422, 500][usize::from(*status) % 10];
        let mut answer = http::Response::new(Bytes::copy_from_slice(body));
        *answer.status_mut() = http::StatusCode::from_u16(status).unwrap();
        self.teach(answer);
        Some(*what)
    }

    /// Sets the answer.
    pub fn teach(&self, answer: http::Response<Bytes>) {
        *self.0.lock().unwrap() = (answer, 0);
    }
}

#[async_trait]
impl Transport for Parrot {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        if request.uri().path() == "/v1/oauth2/token" {
            return Ok(http::Response::new(Bytes::from_static(TOKEN)));
        }
        let mut taught = self.0.lock().unwrap();
        taught.1 += 1;
        if taught.1 > PATIENCE {
            return Err(TransportError {
                delivered: Delivered::No,
                cause: "the parrot is tired".into(),
            });
        }
        Ok(taught.0.clone())
    }
}

/// Headers, a line each.
pub fn headers(lines: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n').take(16) {
        let mut halves = line.splitn(2, |byte| *byte == b':');
        let name = HeaderName::from_bytes(halves.next().unwrap_or_default());
        let value = HeaderValue::from_bytes(halves.next().unwrap_or_default());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    headers
}

/// Asks for one of all the things that a provider can be asked. A write that succeeds must be about
/// what was asked for.
pub fn ask(provider: &Provider<Test>, what: u8, payment: &str, refund: &str) {
    let name = || provider.name().clone();
    let payment = || PaymentId::new(name(), payment).unwrap();
    let refund = || RefundId::new(name(), refund).unwrap();
    let payout = || PayoutId::new(name(), "po_1").unwrap();
    let amount = PositiveMoney::new(Money::new(2000, Currency::EUR)).unwrap();
    let command = || CommandId::new("c").unwrap();
    let period = Period::since(Timestamp::from_unix(1_794_000_000));
    pollster::block_on(async {
        match what % 14 {
            0 => create(provider, amount, hosted()).await,
            1 => {
                let checkout = Checkout::embedded("https://shop.example/c");
                create(provider, amount, checkout).await;
            }
            2 => {
                let checkout = Checkout::token("pm_card_visa", "https://shop.example/c");
                create(provider, amount, checkout).await;
            }
            3 => {
                if let Ok(fetched) = provider.fetch_payment(&payment()).await {
                    assert!(fetched.ids().any(|id| *id == payment()));
                }
            }
            4 => {
                let request = RefundRequest::new(payment(), amount, command());
                if let Ok(refund) = provider.refund(&request).await {
                    assert_eq!(refund.amount, amount.money());
                }
            }
            5 => {
                if let Ok(fetched) = provider.fetch_refund(&refund()).await {
                    assert_eq!(fetched.id, refund());
                }
            }
            6 => {
                let request = CaptureRequest::new(payment(), amount, command());
                let _ = provider.capture(&request).await;
            }
            7 => {
                let request = CompleteRequest::new(payment(), amount);
                let _ = (
                    provider.complete(&request).await,
                    provider.void(&payment()).await,
                );
            }
            8 => drop(provider.account().await),
            9 => {
                let reference = "shop:A-1:1".parse::<Reference>().unwrap();
                drop(provider.find_payments(&reference).await);
            }
            10 => end(provider.list_payments(period)).await,
            11 => end(provider.list_disputes(period)).await,
            12 => end(provider.list_payouts(period)).await,
            _ => {
                end(provider.list_payout_lines(payout())).await;
                end(provider.list_refunds(payment())).await;
            }
        }
    });
}

fn hosted() -> Checkout {
    Checkout::hosted("https://shop.example/a", "https://shop.example/b")
}

async fn create(provider: &Provider<Test>, amount: PositiveMoney, checkout: Checkout) {
    let order = OrderId::new("A-1").unwrap();
    let request = CreateRequest::new(order, amount, checkout);
    if let Ok(payment) = provider.create(&request).await {
        assert_eq!(payment.amount, amount.money());
    }
}

/// Reads a list to its end, which must come: pages that repeat themselves end it.
async fn end<T>(list: impl Stream<Item = counterfoil::Result<T>>) {
    let mut list = std::pin::pin!(list);
    while let Some(Ok(_)) = list.next().await {}
}
