//! A webhook endpoint with axum: verify, store, answer.
//!
//!     cargo run --example webhook_server -- --secret whsec_... [--port 8080]
//!
//! Point a simulator at it:
//!
//!     cargo run --example simulator -- --provider stripe --port 12111 \
//!         --webhook-url http://127.0.0.1:8080/webhooks/stripe --webhook-secret whsec_...

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use counterfoil::id::{EventId, Namespace};
use counterfoil::providers::stripe::{Stripe, StripeConfig};
use counterfoil::webhook::{Delivery, WebhookRefusal, WebhookRequest};
use counterfoil::{Provider, Test};

const USAGE: &str = "usage: webhook_server --secret whsec_... [--port 8080]";

#[derive(Clone)]
struct Shop {
    provider: Provider<Test>,
    inbox: Inbox,
}

/// What was received, by the event's id. A shop keeps this in its database.
type Inbox = Arc<Mutex<BTreeMap<EventId<Test>, String>>>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Some((secret, port)) = arguments() else {
        eprintln!("{USAGE}");
        std::process::exit(2);
    };
    // No request is sent from here, so any test key will do.
    let config = StripeConfig::<Test>::new("rk_test_unused", secret)?;
    let provider = Stripe::new(config)?.into_provider(Namespace::new("shop")?);
    let shop = Shop {
        provider,
        inbox: Inbox::default(),
    };
    let router = Router::new()
        .route("/webhooks/stripe", post(receive))
        .with_state(shop);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!(
        "Listening on http://{}/webhooks/stripe",
        listener.local_addr()?
    );
    axum::serve(listener, router).await?;
    Ok(())
}

/// The answer is given last: what was acknowledged is not sent again.
async fn receive(
    State(shop): State<Shop>,
    request: WebhookRequest,
) -> Result<Delivery<Test>, WebhookRefusal> {
    let delivery = shop
        .provider
        .webhook(&request)
        .await
        .inspect_err(|refusal| {
            println!("refused, {refusal}");
        })?;
    store(&shop.inbox, &delivery);
    Ok(delivery)
}

fn store(inbox: &Inbox, delivery: &Delivery<Test>) {
    let mut inbox = inbox.lock().unwrap_or_else(PoisonError::into_inner);
    for event in &delivery.events {
        let standing = event
            .payment()
            .map(|payment| format!("{:?}", payment.status));
        let news = format!("{} {}", event.type_text(), standing.unwrap_or_default());
        match inbox.insert(event.id().clone(), news.clone()) {
            None => println!("stored {}: {news}", event.id()),
            Some(_) => println!("again  {}: {news}", event.id()),
        }
    }
    for set_aside in &delivery.set_aside {
        println!("set aside {}: {:?}", set_aside.type_text, set_aside.reason);
    }
}

fn arguments() -> Option<(String, u16)> {
    let (mut secret, mut port) = (None, 8080);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        match name.as_str() {
            "--secret" => secret = Some(arguments.next()?),
            "--port" => port = arguments.next()?.parse().ok()?,
            _ => return None,
        }
    }
    secret.map(|secret| (secret, port))
}
