//! Nothing that a provider or the cashier tells in spans, events, errors or `Debug` holds a secret,
//! in any encoding; and what they tell is what `counterfoil::telemetry` documents.
//!
//! The whole rehearsal is played over each simulator, with its shoppers, faults and forgers.

#![allow(clippy::unwrap_used)]

#[path = "rigs/adyen.rs"]
mod adyen;
#[path = "rigs/paypal.rs"]
#[allow(dead_code)]
mod paypal;
#[path = "rigs/stripe.rs"]
#[allow(dead_code)]
mod stripe;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use counterfoil::cashier::{Cashier, MemoryStore};
use counterfoil::clock::ManualClock;
use counterfoil::conformance::{Fault, Rig, SignedWith, Strikes};
use counterfoil::id::{Namespace, OrderId, PaymentId};
use counterfoil::money::{Currency, Money, PositiveMoney};
use counterfoil::providers::adyen::{Adyen, AdyenConfig};
use counterfoil::providers::paypal::{PayPal, PayPalConfig, PayPalCredentials};
use counterfoil::providers::stripe::{Stripe, StripeConfig};
use counterfoil::rehearsal::rehearse;
use counterfoil::request::{Checkout, CreateRequest};
use counterfoil::webhook::WebhookRequest;
use counterfoil::{Error, Provider, Test, telemetry};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

#[test]
fn a_provider_shows_no_secret_in_debug() {
    let hmac_key = "0a1b".repeat(16);
    let stripe = StripeConfig::<Test>::new("sk_test_hidden", "whsec_hidden").unwrap();
    let paypal = PayPalCredentials::sandbox("client", "hidden", "1JE4291016473214C");
    let adyen = AdyenConfig::<Test>::new("AQE_hidden", "ShopECOM", hmac_key.as_str());
    let shown = [
        format!("{:?}", Stripe::new(stripe).unwrap()),
        format!(
            "{:?}",
            PayPal::new(PayPalConfig::new(paypal.unwrap())).unwrap()
        ),
        format!("{:?}", Adyen::new(adyen.unwrap()).unwrap()),
    ];
    for shown in shown {
        assert!(shown.contains("Verifier"), "{shown}");
        let leaks = shown.contains("hidden") || shown.contains(&hmac_key);
        assert!(!leaks, "{shown}");
    }
}

/// Every span, record and event, at every level and from every crate.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Log>>);

#[derive(Default)]
struct Log {
    text: String,
    /// What came under the library's target.
    told: Told,
}

/// The names of spans and events, with the fields of each.
type Told = BTreeMap<&'static str, BTreeSet<&'static str>>;

impl Log {
    fn note(&mut self, metadata: &'static Metadata<'static>) {
        self.text.push_str(metadata.name());
        if metadata.target() == telemetry::TARGET {
            let fields = metadata.fields().iter().map(|field| field.name());
            let told = self.told.entry(metadata.name()).or_default();
            told.extend(fields.filter(|name| *name != "message"));
        }
    }
}

struct Fields<'t>(&'t mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        writeln!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Written {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut log = self.0.lock().unwrap();
        log.note(span.metadata());
        span.record(&mut Fields(&mut log.text));
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Fields(&mut self.0.lock().unwrap().text));
    }
    fn event(&self, event: &Event<'_>) {
        let mut log = self.0.lock().unwrap();
        log.note(event.metadata());
        event.record(&mut Fields(&mut log.text));
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn stripe_shows_no_secret() {
    let told = shows_no_secret(|| stripe::StripeRig::new(false));
    assert_eq!(told, documented(), "the table names what nobody tells");
}

#[test]
fn paypal_shows_no_secret() {
    shows_no_secret(paypal::PayPalRig::new);
}

#[test]
fn adyen_shows_no_secret() {
    shows_no_secret(|| adyen::AdyenRig::new(false, false));
}

fn shows_no_secret<R: Rig>(rig: impl Fn() -> R) -> Told {
    let written = Written::default();
    let mut shown = String::new();
    {
        let _guard = tracing::subscriber::set_default(written.clone());
        let rehearsed = rehearse(&rig);
        assert!(rehearsed.passed().count() > 20, "{rehearsed}");
        write!(shown, "{rehearsed} {rehearsed:?}").unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(show_all(&rig(), &mut shown));
    }
    let log = written.0.lock().unwrap();
    for (name, fields) in &log.told {
        assert_eq!(documented().get(name), Some(fields), "{name}");
    }
    for secret in rig().secrets() {
        for form in forms(secret.as_bytes()) {
            assert!(!shown.contains(&form), "an error or Debug shows {form}");
            assert!(!log.text.contains(&form), "a span or event shows {form}");
        }
    }
    // What PayPal's tokens begin with.
    assert!(!shown.contains("A21AA") && !log.text.contains("A21AA"));
    log.told.clone()
}

/// Collects the errors and `Debug` texts of calls that succeed and that fail.
async fn show_all(rig: &dyn Rig, shown: &mut String) {
    let shop = Namespace::new("shop").unwrap();
    let (right, wrong) = (rig.provider(&shop), rig.provider_with_wrong_key(&shop));
    for provider in [&right, &wrong] {
        show_calls(provider, "plain", shown).await;
    }
    let clock = Arc::new(ManualClock::new(rig.now()));
    let cashier = Cashier::open(right.clone(), Arc::new(MemoryStore::new())).await;
    let cashier = cashier.unwrap().with_clock(clock);
    write!(shown, "{cashier:?}").unwrap();
    for fault in [
        Fault::LostBefore,
        Fault::LostAfter,
        Fault::ServerErrorBefore,
        Fault::ServerErrorAfter,
        Fault::RateLimited,
    ] {
        for on in [Strikes::Reads, Strikes::Writes] {
            // A fault that the simulator lacks leaves the calls plain.
            let is_played = rig.fault(fault, on, 9).is_ok();
            let name = format!("{fault:?}-{on:?}");
            show_calls(&right, &name, shown).await;
            show_shop(&cashier, &format!("shop-{name}"), shown).await;
            if is_played {
                rig.fault(fault, on, 0).unwrap();
            }
        }
    }
    let mut webhooks = rig.webhooks();
    for signed in [
        SignedWith::TheEndpointsSecret,
        SignedWith::AnotherSecret,
        SignedWith::Nothing,
    ] {
        webhooks.extend(rig.sign(b"{}", rig.now(), signed));
    }
    let secrets = rig.secrets().join(" ");
    webhooks.push(WebhookRequest::new(http::HeaderMap::new(), secrets));
    for webhook in webhooks {
        match right.webhook(&webhook).await {
            Ok(delivery) => write!(shown, "{webhook:?} {delivery:?}").unwrap(),
            Err(refusal) => write!(shown, "{webhook:?} {refusal} {refusal:?}").unwrap(),
        }
    }
}

async fn show_calls(provider: &Provider<Test>, order: &str, shown: &mut String) {
    let nobodys = PaymentId::new(provider.name().clone(), "nobodys").unwrap();
    write!(shown, "{provider:?} {provider:#?}").unwrap();
    show(provider.create(&request(order)).await, shown);
    show(provider.fetch_payment(&nobodys).await, shown);
    show(provider.void(&nobodys).await, shown);
    show(provider.account().await, shown);
}

async fn show_shop(cashier: &Cashier<Test>, order: &str, shown: &mut String) {
    let wish = request(order);
    show(cashier.place(&wish.order, wish.amount).await, shown);
    show(cashier.check_out(&wish).await, shown);
    show(cashier.resume(&wish.order).await, shown);
    show(cashier.sweep().await, shown);
}

fn request(order: &str) -> CreateRequest {
    let amount = PositiveMoney::new(Money::new(1999, Currency::EUR)).unwrap();
    let page = Checkout::hosted("https://shop.example/done", "https://shop.example/cart");
    CreateRequest::new(OrderId::new(order).unwrap(), amount, page)
}

fn show<T: fmt::Debug>(outcome: Result<T, Error>, shown: &mut String) {
    write!(shown, "{outcome:?} {outcome:#?}").unwrap();
    let Err(error) = outcome else { return };
    write!(shown, "{error}").unwrap();
    let mut source = error.source();
    while let Some(cause) = source {
        write!(shown, "{cause} {cause:?}").unwrap();
        source = cause.source();
    }
}

/// The names and fields in the table of `counterfoil::telemetry`.
fn documented() -> Told {
    let lines = include_str!("../src/telemetry.rs").lines();
    let rows = lines.filter_map(|line| line.strip_prefix("//! | `"));
    let rows = rows.map(|row| {
        let (name, fields) = row.split_once('`').unwrap();
        (name, fields.split('`').skip(1).step_by(2).collect())
    });
    rows.collect()
}

/// How a secret might be shown, by itself or within something longer.
fn forms(secret: &[u8]) -> Vec<String> {
    let raw = str::from_utf8(secret).unwrap();
    // Its end is enough, so that one that was cut is found as well.
    let tail = &raw[raw.len() - 12..];
    let bytes = format!("{secret:?}");
    let mut forms = vec![
        tail.to_owned(),
        tail.to_lowercase(),
        tail.to_uppercase(),
        hex::encode(tail),
        hex::encode_upper(tail),
        tail.bytes().map(|byte| format!("%{byte:02X}")).collect(),
        form_urlencoded::byte_serialize(tail.as_bytes()).collect(),
        bytes[1..bytes.len() - 1].to_owned(),
    ];
    // Base64 writes three bytes at a time: the text depends on how many stand before.
    for before in 0..3 {
        let mut shifted = vec![0; before];
        shifted.extend(secret);
        shifted.truncate(shifted.len() / 3 * 3);
        let skipped = if before == 0 { 0 } else { 4 };
        for engine in [STANDARD, URL_SAFE] {
            forms.push(engine.encode(&shifted)[skipped..].to_owned());
        }
    }
    forms
}

#[test]
fn a_secret_is_found_in_every_encoding() {
    let secret = "sk_test_canary/Key+0123456789";
    let is_found = |text: &str| forms(secret.as_bytes()).iter().any(|f| text.contains(f));
    assert!(!is_found("sk_test_"));
    for text in [
        format!("key: {secret}."),
        format!("{:?}", secret.as_bytes().to_vec()),
        hex::encode(format!("{secret}:")),
        form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
    ] {
        assert!(is_found(&text), "{text}");
    }
    for before in ["", "u", "us", "user:"] {
        let pair = format!("{before}{secret}:");
        assert!(is_found(&STANDARD.encode(&pair)), "{pair}");
        assert!(is_found(&URL_SAFE.encode(&pair)), "{pair}");
    }
}
