//! A shop with an account at the simulated Stripe.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use counterfoil::clock::{ManualClock, Timestamp};
use counterfoil::http::{ManualTimer, Transport, TransportError};
use counterfoil::id::{CommandId, Namespace, OrderId, PaymentId};
use counterfoil::money::{Money, PositiveMoney};
use counterfoil::payment::Payment;
use counterfoil::providers::stripe::{Stripe, StripeConfig};
use counterfoil::refund::Refund;
use counterfoil::request::{CaptureRequest, Checkout, CreateRequest, RefundRequest};
use counterfoil::simulator::stripe::StripeSimulator;
use counterfoil::simulator::{FaultRule, SimulatedProvider, SimulatorTransport};
use counterfoil::webhook::WebhookRequest;
use counterfoil::{Provider, Test};

pub(crate) const WEBHOOK_SECRET: &str = "whsec_of_the_shop";

/// Monday, 16 November 2026, noon.
pub(crate) const START: Timestamp = Timestamp::from_unix(1_794_830_400);

pub(crate) struct Shop {
    pub(crate) stripe: Provider<Test>,
    pub(crate) wire: Arc<Wire>,
    clock: Arc<ManualClock>,
    pub(crate) simulator: Arc<Mutex<StripeSimulator>>,
}

impl Shop {
    pub(crate) fn open(seed: u64) -> Self {
        Self::open_as(seed, |config| config)
    }

    pub(crate) fn open_as(
        seed: u64,
        configure: impl FnOnce(StripeConfig<Test>) -> StripeConfig<Test>,
    ) -> Self {
        let mut simulator = StripeSimulator::new(seed, START);
        simulator.add_webhook_endpoint("https://shop.example/hook", WEBHOOK_SECRET, &["*"]);
        let simulator = Arc::new(Mutex::new(simulator));
        let wire = Arc::new(Wire {
            inner: SimulatorTransport::new(Arc::clone(&simulator)),
            requests: Mutex::default(),
        });
        let clock = Arc::new(ManualClock::new(START));
        let config = StripeConfig::new("sk_test_shop", WEBHOOK_SECRET).unwrap();
        let config = configure(config)
            .with_transport(wire.clone())
            .with_timer(Arc::new(ManualTimer::new()))
            .with_clock(clock.clone())
            .with_seed(seed);
        let stripe = Stripe::new(config)
            .unwrap()
            .into_provider(Namespace::new("shop").unwrap());
        Self {
            stripe,
            wire,
            clock,
            simulator,
        }
    }

    pub(crate) fn simulator(&self) -> MutexGuard<'_, StripeSimulator> {
        self.simulator.lock().unwrap()
    }

    pub(crate) fn plan(&self, fault: FaultRule) {
        self.simulator().faults().script(fault);
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.simulator().advance(by);
        self.clock.advance(by);
    }

    /// A payment with a test card, with the shopper there.
    pub(crate) async fn charge(
        &self,
        order: &str,
        amount: &str,
        card: &str,
    ) -> counterfoil::Result<Payment<Test>> {
        self.stripe.create(&direct(order, amount, card)).await
    }

    /// A payment of which the money is held.
    pub(crate) async fn hold(&self, order: &str, amount: &str) -> Payment<Test> {
        let request = direct(order, amount, "pm_card_visa").with_manual_capture();
        self.stripe.create(&request).await.unwrap()
    }

    /// A checkout page that a shopper has paid on, as it was before.
    pub(crate) async fn paid_checkout(&self, order: &str, amount: &str) -> Payment<Test> {
        let checkout = self.checkout(order, amount).await;
        self.simulator()
            .shopper()
            .pay(checkout.id.raw(), "pm_card_visa")
            .unwrap();
        checkout
    }

    /// A checkout page that nobody has paid on yet.
    pub(crate) async fn checkout(&self, order: &str, amount: &str) -> Payment<Test> {
        self.stripe.create(&hosted(order, amount)).await.unwrap()
    }

    /// Takes a part of what is held, or all of it. Stripe does so at once.
    pub(crate) async fn capture(
        &self,
        held: &Payment<Test>,
        amount: &str,
        command: &str,
    ) -> counterfoil::Result<Payment<Test>> {
        let captured = self.stripe.capture(&capture(held, amount, command)).await?;
        Ok(captured.into_payment().unwrap())
    }

    /// Ends a checkout or lets a hold go. Stripe does so at once.
    pub(crate) async fn void(&self, id: &PaymentId<Test>) -> counterfoil::Result<Payment<Test>> {
        Ok(self.stripe.void(id).await?.into_payment().unwrap())
    }

    /// Gives money back.
    pub(crate) async fn refund(
        &self,
        paid: &Payment<Test>,
        amount: &str,
        command: &str,
    ) -> counterfoil::Result<Refund<Test>> {
        self.stripe.refund(&refund(paid, amount, command)).await
    }

    /// The webhooks that are due, as they arrive at the shop.
    pub(crate) fn webhooks(&self) -> Vec<WebhookRequest> {
        self.wire.inner.webhooks()
    }

    pub(crate) fn id(&self, raw: &str) -> PaymentId<Test> {
        PaymentId::new(self.stripe.name().clone(), raw).unwrap()
    }
}

pub(crate) fn hosted(order: &str, amount: &str) -> CreateRequest {
    let page = Checkout::hosted("https://shop.example/done", "https://shop.example/cart");
    CreateRequest::new(OrderId::new(order).unwrap(), money(amount), page)
}

pub(crate) fn direct(order: &str, amount: &str, card: &str) -> CreateRequest {
    let method = Checkout::token(card, "https://shop.example/back");
    CreateRequest::new(OrderId::new(order).unwrap(), money(amount), method)
}

pub(crate) fn capture(
    payment: &Payment<Test>,
    amount: &str,
    command: &str,
) -> CaptureRequest<Test> {
    CaptureRequest::new(
        payment.id.clone(),
        money(amount),
        CommandId::new(command).unwrap(),
    )
}

pub(crate) fn refund(payment: &Payment<Test>, amount: &str, command: &str) -> RefundRequest<Test> {
    RefundRequest::new(
        payment.id.clone(),
        money(amount),
        CommandId::new(command).unwrap(),
    )
}

pub(crate) fn money(text: &str) -> PositiveMoney {
    PositiveMoney::new(text.parse::<Money>().unwrap()).unwrap()
}

/// The transport, with a list of what went over it.
pub(crate) struct Wire {
    inner: SimulatorTransport<StripeSimulator>,
    requests: Mutex<Vec<http::Request<Bytes>>>,
}

impl Wire {
    /// What was sent since the last look.
    pub(crate) fn take(&self) -> Vec<http::Request<Bytes>> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }

    pub(crate) fn writes(&self) -> usize {
        self.take()
            .iter()
            .filter(|request| request.method() == http::Method::POST)
            .count()
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

#[async_trait]
impl Transport for Wire {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        self.requests.lock().unwrap().push(request.clone());
        self.inner.send(request).await
    }
}
