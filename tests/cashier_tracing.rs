//! What a subscriber is told of webhooks and confirmations, by name: alerts are built on it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod flow;

use std::fmt;
use std::sync::{Arc, Mutex};

use counterfoil::payment::PaymentStatus;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use flow::quiet::{About, Shop, notice};

/// Writes down each event that has a name of its own, with its fields but the message.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() != "message" {
            self.0.push_str(&format!(" {field}={value:?}"));
        }
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "counterfoil"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().name().to_owned());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn each_webhook_and_each_confirmation_is_an_event() {
    let recorder = Recorder::default();
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let shop = Shop::open().await;
    let id = shop.checked_out(1000).await;
    let paid = shop.hands.set(id.raw(), PaymentStatus::Captured);
    let paid = About::Payment(Box::new(paid));
    let told = || std::mem::take(&mut *recorder.0.lock().unwrap());
    told();
    let of_quiet = r#"provider="quiet" mode="test""#;
    for (signature, expected) in [
        (
            "forged",
            vec![format!(
                r#"webhook_refused {of_quiet} reason="wrong signature""#
            )],
        ),
        (
            "foreign",
            vec![format!(
                r#"webhook_set_aside {of_quiet} reason="wrong mode""#
            )],
        ),
        (
            "body",
            vec![
                format!(r#"webhook_received {of_quiet} kind="payment""#),
                r#"cashier_confirmation mode="test" kind="paid" order=A"#.to_owned(),
            ],
        ),
        // It is heard of again, and nothing follows.
        (
            "body",
            vec![format!(r#"webhook_received {of_quiet} kind="payment""#)],
        ),
    ] {
        let request = notice("e1", signature, &paid);
        let _ = shop.cashier.receive(&request).await;
        assert_eq!(told(), expected, "{signature}");
    }
}
