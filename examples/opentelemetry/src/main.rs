//! Sends what the library tells to OpenTelemetry: spans as they are, and a counter of every span
//! and event by name and labels. Here both go to the standard output.
//!
//! ```text
//! cargo run -p counterfoil-opentelemetry
//! ```

use std::error::Error;
use std::sync::{Arc, Mutex};

use counterfoil::cashier::{Cashier, MemoryStore};
use counterfoil::clock::{Clock, SystemClock};
use counterfoil::id::{Namespace, OrderId};
use counterfoil::money::{Currency, Money, PositiveMoney};
use counterfoil::providers::stripe::{Stripe, StripeConfig};
use counterfoil::request::{Checkout, CreateRequest};
use counterfoil::simulator::stripe::StripeSimulator;
use counterfoil::simulator::{Fault, FaultRule, SimulatorTransport};
use counterfoil::{Test, telemetry};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, MeterProvider as _};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// The labels in the table of `counterfoil::telemetry`. The other fields have any number of values.
const LABELS: [&str; 11] = [
    "provider",
    "mode",
    "operation",
    "outcome",
    "effect",
    "attempt",
    "status",
    "delivered",
    "kind",
    "reason",
    "step",
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let tracers = SdkTracerProvider::builder()
        .with_simple_exporter(opentelemetry_stdout::SpanExporter::default())
        .build();
    let meters = SdkMeterProvider::builder()
        .with_periodic_exporter(opentelemetry_stdout::MetricExporter::default())
        .build();
    let counter = meters.meter("shop").u64_counter("counterfoil").build();
    let spans = tracing_opentelemetry::layer().with_tracer(tracers.tracer("shop"));
    tracing_subscriber::registry()
        .with(spans)
        .with(Counting(counter))
        .try_init()?;
    sell().await?;
    tracers.shutdown()?;
    meters.shutdown()?;
    Ok(())
}

/// One checkout that Stripe answers at the second try, and a sweep.
async fn sell() -> counterfoil::Result<()> {
    let mut simulator = StripeSimulator::new(1, SystemClock.now());
    simulator
        .faults()
        .script(FaultRule::next(Fault::Unavailable));
    let transport = SimulatorTransport::new(Arc::new(Mutex::new(simulator)));
    let config = StripeConfig::<Test>::new("sk_test_simulator", "whsec_of_the_simulator")?
        .with_transport(Arc::new(transport));
    let provider = Stripe::new(config)?.into_provider(Namespace::new("shop")?);
    let cashier = Cashier::open(provider, Arc::new(MemoryStore::new())).await?;
    let order = OrderId::new("A-1001")?;
    let total = PositiveMoney::new(Money::new(1999, Currency::EUR))?;
    cashier.place(&order, total).await?;
    let page = Checkout::hosted("https://shop.example/done", "https://shop.example/cart");
    cashier
        .check_out(&CreateRequest::new(order, total, page))
        .await?;
    cashier.sweep().await?;
    Ok(())
}

/// Counts every event when it comes, and every span when it ends.
struct Counting(Counter<u64>);

impl Counting {
    fn count(&self, name: &'static str, labels: &Labels) {
        let mut attributes = vec![KeyValue::new("name", name)];
        attributes.extend(labels.0.iter().cloned());
        self.0.add(1, &attributes);
    }
}

#[derive(Default)]
struct Labels(Vec<KeyValue>);

impl Visit for Labels {
    fn record_str(&mut self, field: &Field, value: &str) {
        if LABELS.contains(&field.name()) {
            self.0.push(KeyValue::new(field.name(), value.to_owned()));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Counting {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if span.metadata().target() == telemetry::TARGET {
            let mut labels = Labels::default();
            attributes.record(&mut labels);
            span.extensions_mut().insert(labels);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(labels) = span.extensions_mut().get_mut::<Labels>() {
            values.record(labels);
        }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == telemetry::TARGET {
            let mut labels = Labels::default();
            event.record(&mut labels);
            self.count(event.metadata().name(), &labels);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else {
            return;
        };
        if let Some(labels) = span.extensions().get::<Labels>() {
            self.count(span.metadata().name(), labels);
        }
    }
}
