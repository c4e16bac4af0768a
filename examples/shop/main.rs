//! A small web shop on the cashier, with its records in an SQLite file and Stripe simulated.
//!
//!     cargo run --example shop --features sqlite [-- --port 8080 --database shop.sqlite]
//!
//! Buy something, pay on the simulated page, and see the order turn paid by itself. `/staff` has the
//! orders, refunds, what needs a person, and health. The simulated account begins anew with each
//! start, and so does the file, which must not be there yet if you name one.

mod pages;

use std::error::Error;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use counterfoil::cashier::{Cashier, OrderRecord, SqliteStore};
use counterfoil::clock::{Clock, SystemClock};
use counterfoil::http::TokioTimer;
use counterfoil::id::{CommandId, Namespace, OrderId};
use counterfoil::money::{Money, PositiveMoney};
use counterfoil::payment::NextAction;
use counterfoil::providers::stripe::{Stripe, StripeConfig};
use counterfoil::request::{Checkout, CreateRequest, RefundRequest};
use counterfoil::simulator::stripe::StripeSimulator;
use counterfoil::simulator::{SimulatedProvider, SimulatorServer};
use counterfoil::webhook::WebhookRequest;
use counterfoil::{ErrorKind, Test};
use futures_util::StreamExt;
use serde::Deserialize;

const USAGE: &str = "usage: shop [--port 8080] [--database shop.sqlite]";
const WEBHOOK_SECRET: &str = "whsec_of_the_shop";

/// What is for sale: a name and a price.
const GOODS: &[(&str, &str)] = &[
    ("A pot of honey", "8.50 EUR"),
    ("A woollen blanket", "64.00 EUR"),
    ("A rocking chair", "249.90 EUR"),
];

/// What every page needs.
#[derive(Clone)]
struct Shop {
    cashier: Cashier<Test>,
    /// The shop's own table of orders: what was bought, the newest last.
    bought: Arc<Mutex<Vec<(OrderId, &'static str)>>>,
    address: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Some((port, database)) = arguments() else {
        eprintln!("{USAGE}");
        std::process::exit(2);
    };
    let database = match database {
        Some(named) if named.exists() => {
            eprintln!("{} is there already: name a new file", named.display());
            std::process::exit(2);
        }
        Some(named) => named,
        None => own_database(),
    };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    let address = format!("http://{}", listener.local_addr()?);

    let mut simulator = StripeSimulator::new(fastrand::u64(..), SystemClock.now());
    simulator.subscribe(&format!("{address}/webhooks/stripe"), WEBHOOK_SECRET);
    let anywhere = ([127, 0, 0, 1], 0).into();
    let simulator = SimulatorServer::start_live(Arc::new(Mutex::new(simulator)), anywhere).await?;

    let config = StripeConfig::<Test>::new("sk_test_of_the_shop", WEBHOOK_SECRET)?
        .with_base_url(&simulator.base_url())?;
    let provider = Stripe::new(config)?.into_provider(Namespace::new("shop")?);
    let store = SqliteStore::connect(&database).await?;
    let shop = Shop {
        cashier: Cashier::open(provider, Arc::new(store)).await?,
        bought: Arc::default(),
        address: address.clone(),
    };
    tokio::spawn(confirm(shop.cashier.clone()));
    tokio::spawn(sweep(shop.cashier.clone()));

    println!("The shop is open at {address}, its staff page at {address}/staff.");
    let router = Router::new()
        .route("/", get(front).post(buy))
        .route("/orders/{id}", get(order).post(pay))
        .route("/staff", get(staff))
        .route("/staff/orders/{id}/refund", post(refund))
        .route("/webhooks/stripe", post(webhook))
        .with_state(shop);
    axum::serve(listener, router).await?;
    Ok(())
}

/// Acts on each confirmation as it comes.
async fn confirm(cashier: Cashier<Test>) {
    let (lease, poll) = (Duration::from_secs(30), Duration::from_secs(2));
    let timer = Arc::new(TokioTimer::new());
    let mut confirmations = pin!(cashier.confirmation_stream(lease, poll, timer));
    while let Some(confirmation) = confirmations.next().await {
        match confirmation {
            Ok(confirmation) => {
                // A real shop would deliver, write to the shopper, or call somebody.
                let order = confirmation.order.as_ref().map(ToString::to_string);
                println!("{}: {}", order.as_deref().unwrap_or("-"), confirmation.kind);
                if let Err(error) = cashier.acknowledge(&confirmation).await {
                    eprintln!("not acknowledged: {error}");
                }
            }
            Err(error) => eprintln!("no confirmations: {error}"),
        }
    }
}

/// Asks the provider about what no webhook has ended.
async fn sweep(cashier: Cashier<Test>) {
    loop {
        if let Err(error) = cashier.sweep().await {
            eprintln!("not swept: {error}");
        }
        tokio::time::sleep(Duration::from_secs(30)).await;
    }
}

async fn front() -> Html<String> {
    Html(pages::front(GOODS))
}

#[derive(Deserialize)]
struct Purchase {
    good: usize,
}

async fn buy(State(shop): State<Shop>, Form(form): Form<Purchase>) -> Answer {
    let (name, price) = GOODS.get(form.good).ok_or(Problem::NotFound)?;
    let id = {
        let mut bought = shop.bought.lock().unwrap_or_else(PoisonError::into_inner);
        let id = OrderId::new(&format!("A-{}", 1001 + bought.len()))?;
        bought.push((id.clone(), *name));
        id
    };
    let price: Money = price.parse()?;
    shop.cashier.place(&id, PositiveMoney::new(price)?).await?;
    to_checkout(&shop, &id).await
}

async fn pay(State(shop): State<Shop>, Path(id): Path<OrderId>) -> Answer {
    to_checkout(&shop, &id).await
}

/// Sends the browser to the provider's page. Clicked twice, it is the same payment.
async fn to_checkout(shop: &Shop, id: &OrderId) -> Answer {
    let record = shop.cashier.order(id).await?;
    let here = format!("{}/orders/{id}", shop.address);
    let wish = CreateRequest::new(
        id.clone(),
        PositiveMoney::new(record.left_to_pay()?)?,
        Checkout::hosted(&here, &here),
    );
    let payment = shop.cashier.check_out(&wish).await?;
    Ok(match payment.next_action {
        Some(NextAction::Redirect { url }) => Redirect::to(&url).into_response(),
        _ => Redirect::to(&format!("/orders/{id}")).into_response(),
    })
}

/// The order as it stands, whoever told of it first. It asks the provider itself while it is not
/// paid, so that a shopper who returns need not wait for the webhook.
async fn order(State(shop): State<Shop>, Path(id): Path<OrderId>) -> Answer {
    let mut record = shop.cashier.order(&id).await?;
    if record.paid_at.is_none()
        && let Ok(asked) = shop.cashier.resume(&id).await
    {
        record = asked;
    }
    Ok(Html(pages::order(&record, shop.name_of(&id))).into_response())
}

async fn webhook(State(shop): State<Shop>, request: WebhookRequest) -> StatusCode {
    let received = shop.cashier.receive(&request).await;
    if let Some(error) = &received.error {
        eprintln!("webhook: {error}");
    }
    StatusCode::from_u16(received.answer).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

async fn staff(State(shop): State<Shop>) -> Answer {
    let bought = {
        let bought = shop.bought.lock().unwrap_or_else(PoisonError::into_inner);
        bought.clone()
    };
    let mut orders: Vec<(OrderRecord<Test>, &str)> = Vec::new();
    for (id, name) in bought.into_iter().rev() {
        orders.push((shop.cashier.order(&id).await?, name));
    }
    let waiting = shop.cashier.needs_a_person(20).await?;
    let waiting: Vec<_> = waiting
        .iter()
        .map(|record| (record, shop.cashier.concerns(record)))
        .collect();
    let health = shop.cashier.health().await?;
    Ok(Html(pages::staff(&orders, &waiting, &health)).into_response())
}

#[derive(Deserialize)]
struct Refund {
    amount: String,
    /// Made with the form: sent twice, it is the same refund.
    command: String,
}

async fn refund(
    State(shop): State<Shop>,
    Path(id): Path<OrderId>,
    Form(form): Form<Refund>,
) -> Answer {
    let record = shop.cashier.order(&id).await?;
    let paid = record.payments.iter().filter_map(|p| p.ledger.payment());
    let payment = paid
        .into_iter()
        .find(|payment| payment.captured.is_positive());
    let payment = payment.ok_or(Problem::NotFound)?;
    let amount = Money::parse_decimal(form.amount.trim(), payment.amount.currency())?;
    let wish = RefundRequest::new(
        payment.id.clone(),
        PositiveMoney::new(amount)?,
        CommandId::new(&form.command)?,
    );
    shop.cashier.refund(&wish).await?;
    Ok(Redirect::to("/staff").into_response())
}

impl Shop {
    fn name_of(&self, id: &OrderId) -> &'static str {
        let bought = self.bought.lock().unwrap_or_else(PoisonError::into_inner);
        let mut names = bought.iter().filter(|(known, _)| known == id);
        names.next().map_or("An order", |(_, name)| *name)
    }
}

type Answer = Result<Response, Problem>;

/// Why a page cannot be shown.
enum Problem {
    NotFound,
    Failed(Box<dyn Error + Send + Sync>),
}

impl<E: Error + Send + Sync + 'static> From<E> for Problem {
    fn from(error: E) -> Self {
        let error: Box<dyn Error + Send + Sync> = Box::new(error);
        match error.downcast_ref::<counterfoil::Error>() {
            Some(known) if *known.kind() == ErrorKind::NotFound => Self::NotFound,
            _ => Self::Failed(error),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match self {
            Self::NotFound => {
                let page = pages::message("There is no such order here.");
                (StatusCode::NOT_FOUND, Html(page)).into_response()
            }
            Self::Failed(error) => {
                eprintln!("{error}");
                let page = pages::message(&format!("That did not work: {error}"));
                (StatusCode::CONFLICT, Html(page)).into_response()
            }
        }
    }
}

/// A file of the shop's own, without what an earlier start has left in it.
fn own_database() -> PathBuf {
    let database = std::env::temp_dir().join("counterfoil-shop.sqlite");
    for ending in ["", "-wal", "-shm"] {
        let mut file = database.clone().into_os_string();
        file.push(ending);
        let _ = std::fs::remove_file(file);
    }
    database
}

fn arguments() -> Option<(u16, Option<PathBuf>)> {
    let (mut port, mut database) = (8080, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next()?;
        match name.as_str() {
            "--port" => port = value.parse().ok()?,
            "--database" => database = Some(value.into()),
            _ => return None,
        }
    }
    Some((port, database))
}
