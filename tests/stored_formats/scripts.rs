//! A cashier of each provider over a store that holds golden rows.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use counterfoil::cashier::{Cashier, Store};
use counterfoil::clock::{Clock, Timestamp};
use counterfoil::http::{ManualTimer, RetryPolicy};
use counterfoil::id::Namespace;
use counterfoil::money::{Currency, Money, PositiveMoney};
use counterfoil::providers::adyen::{Adyen, AdyenConfig};
use counterfoil::providers::paypal::{PayPal, PayPalConfig, PayPalCredentials};
use counterfoil::providers::stripe::{Stripe, StripeConfig};
use counterfoil::simulator::adyen::{AdyenSimulator, MERCHANT_ACCOUNT};
use counterfoil::simulator::paypal::PaypalSimulator;
use counterfoil::simulator::stripe::StripeSimulator;
use counterfoil::simulator::{SimulatedProvider, SimulatorTransport};
use counterfoil::{Provider, Test};

const START: Timestamp = Timestamp::from_unix(1_795_000_000);
const HMAC_KEY: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";
const WEBHOOK_ID: &str = "1JE4291016473214C";

pub const NAMES: [&str; 3] = ["stripe", "paypal", "adyen"];

/// One provider's simulator and the way to it.
struct Account<S: SimulatedProvider> {
    line: Arc<SimulatorTransport<S>>,
}

impl<S: SimulatedProvider> Account<S> {
    fn new(simulator: S) -> Self {
        let simulator = Arc::new(Mutex::new(simulator));
        let line = Arc::new(SimulatorTransport::new(simulator));
        Self { line }
    }

    async fn open(&self, provider: Provider<Test>, store: Arc<dyn Store>) -> Cashier<Test> {
        let cashier = Cashier::open(provider, store).await.unwrap();
        cashier.with_clock(Arc::clone(&self.line) as Arc<dyn Clock>)
    }
}

fn shop() -> Namespace {
    Namespace::new("shop").unwrap()
}

fn stripe() -> (Account<StripeSimulator>, Provider<Test>) {
    let mut simulator = StripeSimulator::new(7, START);
    simulator.subscribe("https://shop.example/webhooks", "whsec_golden");
    let account = Account::new(simulator);
    let provider = stripe_provider(&account);
    (account, provider)
}

fn stripe_provider(account: &Account<StripeSimulator>) -> Provider<Test> {
    let config = StripeConfig::<Test>::new("sk_test_golden", "whsec_golden")
        .unwrap()
        .with_transport(Arc::clone(&account.line) as _)
        .with_timer(Arc::new(ManualTimer::new()))
        .with_clock(Arc::clone(&account.line) as _)
        .with_retry_policy(RetryPolicy::never());
    Stripe::new(config).unwrap().into_provider(shop())
}

fn paypal() -> (Account<PaypalSimulator>, Provider<Test>) {
    let mut simulator = PaypalSimulator::new(7, START);
    simulator.add_webhook("https://shop.example/webhooks", WEBHOOK_ID, &["*"]);
    simulator.set_reporting_delay(Duration::ZERO);
    let root = simulator.trust_root().unwrap();
    let account = Account::new(simulator);
    let (id, secret) = (PaypalSimulator::CLIENT_ID, PaypalSimulator::CLIENT_SECRET);
    let credentials = PayPalCredentials::<Test>::sandbox(id, secret, WEBHOOK_ID).unwrap();
    let config = PayPalConfig::new(credentials)
        .with_webhook_roots(&root)
        .unwrap()
        .with_transport(Arc::clone(&account.line) as _)
        .with_timer(Arc::new(ManualTimer::new()))
        .with_clock(Arc::clone(&account.line) as _)
        .with_seed(7);
    let provider = PayPal::new(config).unwrap().into_provider(shop());
    (account, provider)
}

fn adyen() -> (Account<AdyenSimulator>, Provider<Test>) {
    let mut simulator = AdyenSimulator::new(7, START);
    simulator.add_webhook(MERCHANT_ACCOUNT, "https://shop.example/webhooks", HMAC_KEY);
    simulator.allow_multiple_captures(MERCHANT_ACCOUNT, true);
    let account = Account::new(simulator);
    let config = AdyenConfig::<Test>::new("AQE-golden", MERCHANT_ACCOUNT, HMAC_KEY)
        .unwrap()
        .with_multiple_captures()
        .with_transport(Arc::clone(&account.line) as _)
        .with_timer(Arc::new(ManualTimer::new()))
        .with_clock(Arc::clone(&account.line) as _)
        .with_seed(7);
    let provider = Adyen::new(config).unwrap().into_provider(shop());
    (account, provider)
}

/// A cashier of one provider over a store, to read what the store holds.
pub async fn open(name: &str, store: Arc<dyn Store>) -> Cashier<Test> {
    match name {
        "stripe" => {
            let (account, provider) = stripe();
            account.open(provider, store).await
        }
        "paypal" => {
            let (account, provider) = paypal();
            account.open(provider, store).await
        }
        _ => {
            let (account, provider) = adyen();
            account.open(provider, store).await
        }
    }
}

pub fn eur(minor: i64) -> PositiveMoney {
    PositiveMoney::new(Money::new(minor, Currency::EUR)).unwrap()
}
