//! Nothing that Stripe's provider tells in spans, errors or `Debug` holds a secret, in any encoding.

#![allow(clippy::unwrap_used)]

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use counterfoil::Test;
use counterfoil::clock::{Clock, Timestamp};
use counterfoil::http::ManualTimer;
use counterfoil::id::{Namespace, OrderId};
use counterfoil::money::{Currency, Money, PositiveMoney};
use counterfoil::providers::stripe::{Stripe, StripeConfig};
use counterfoil::request::{Checkout, CreateRequest};
use counterfoil::simulator::stripe::StripeSimulator;
use counterfoil::simulator::{Fault, FaultRule, SimulatorTransport};
use counterfoil::webhook::WebhookRequest;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

const KEY: &str = "sk_test_canaryKey0123456789";
const WEBHOOK_SECRET: &str = "whsec_canarySecret0123456789";

/// Writes every span, record and event down, at every level and from every crate.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<String>>);

struct Fields<'t>(&'t mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Written {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut text = self.0.lock().unwrap();
        text.push_str(span.metadata().name());
        span.record(&mut Fields(&mut text));
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Fields(&mut self.0.lock().unwrap()));
    }
    fn event(&self, event: &Event<'_>) {
        event.record(&mut Fields(&mut self.0.lock().unwrap()));
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn stripe_shows_no_secret_in_success_or_failure() {
    let written = Written::default();
    let _guard = tracing::subscriber::set_default(written.clone());
    let start = Timestamp::from_unix(1_795_000_000);
    let mut simulator = StripeSimulator::new(7, start);
    simulator.add_webhook_endpoint("https://shop.example/hook", WEBHOOK_SECRET, &["*"]);
    let simulator = Arc::new(Mutex::new(simulator));
    let transport = Arc::new(SimulatorTransport::new(Arc::clone(&simulator)));
    let config = StripeConfig::<Test>::new(KEY, WEBHOOK_SECRET)
        .unwrap()
        .with_transport(transport.clone())
        .with_timer(Arc::new(ManualTimer::new()))
        .with_clock(transport.clone() as Arc<dyn Clock>)
        .with_seed(7);
    let mut shown = format!("{config:?}");
    let stripe = Stripe::new(config).unwrap();
    write!(shown, "{stripe:?}").unwrap();
    let provider = stripe.into_provider(Namespace::new("shop").unwrap());

    let faults = [
        None,
        Some(Fault::Unavailable),
        Some(Fault::RateLimited),
        Some(Fault::DropBefore),
        Some(Fault::DropAfter),
        Some(Fault::Garbage),
        Some(Fault::ErrorStored),
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        if let Some(fault) = fault {
            let rule = FaultRule::next(fault);
            simulator.lock().unwrap().faults().script(rule);
        }
        let order = OrderId::new(&format!("A-{number}")).unwrap();
        let amount = PositiveMoney::new(Money::new(1999, Currency::EUR)).unwrap();
        let page = Checkout::hosted("https://shop.example/done", "https://shop.example/cart");
        let request = CreateRequest::new(order, amount, page);
        match provider.create(&request).await {
            Ok(payment) => write!(shown, "{payment:?}").unwrap(),
            Err(error) => write!(shown, "{error} {error:?}").unwrap(),
        }
    }
    write!(shown, "{:?}", provider.account().await).unwrap();
    let samples = provider.sample_webhooks(transport.now());
    for webhook in samples
        .into_iter()
        .chain([WebhookRequest::new(http::HeaderMap::new(), WEBHOOK_SECRET)])
    {
        match provider.webhook(&webhook).await {
            Ok(delivery) => write!(shown, "{webhook:?} {delivery:?}").unwrap(),
            Err(refusal) => write!(shown, "{webhook:?} {refusal} {refusal:?}").unwrap(),
        }
    }
    shown.push_str(&written.0.lock().unwrap());

    assert!(
        shown.contains("http_attempt") && shown.contains("webhook refused"),
        "{shown}"
    );
    for secret in [KEY, WEBHOOK_SECRET] {
        // What stands between the kind and the end, so that a cut secret is found as well.
        let middle = secret.rsplit('_').next().unwrap();
        let forms = [
            middle.to_owned(),
            hex::encode(middle),
            hex::encode_upper(middle),
            STANDARD.encode(secret),
            STANDARD.encode(format!("{secret}:")),
            URL_SAFE_NO_PAD.encode(secret),
            secret.bytes().map(|byte| format!("%{byte:02X}")).collect(),
        ];
        for form in forms {
            assert!(!shown.contains(&form), "{form} is shown: {shown}");
        }
    }
}
