//! One payment call, begun and answered: `Provider::create` against bare reqwest with pooling,
//! which sends and reads the same bytes. CPU time of the client's thread only.
//!
//! `cargo bench -p counterfoil-benches --bench http`

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use counterfoil::id::{IdempotencyKey, Namespace, OrderId};
use counterfoil::money::{Currency, Money, PositiveMoney};
use counterfoil::providers::stripe::{Stripe, StripeConfig};
use counterfoil::request::{Checkout, CreateRequest};
use counterfoil::{Provider, Test};
use counterfoil_benches::{Contender, compare};
use futures_util::future::join_all;
use serde::Deserialize;
use tokio::runtime::{Builder, Runtime};

const KEY: &str = "sk_test_benchmark";
const VERSION: &str = "2026-08-26.dahlia";
const RETURN_URL: &str = "https://shop.example/done";

fn main() {
    let base = serve();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let calls = Calls::new(&base, &runtime);
    for (in_flight, repeats) in [(1, 500), (64, 10)] {
        let contenders = vec![
            Contender::new("floor: bare reqwest, the same bytes", || {
                runtime.block_on(join_all((0..in_flight).map(|_| calls.same_bytes())));
            }),
            Contender::new("by hand: reqwest, form, typed JSON", || {
                runtime.block_on(join_all((0..in_flight).map(|_| calls.by_hand())));
            }),
            Contender::new("Provider::create", || {
                runtime.block_on(join_all((0..in_flight).map(|_| calls.ours())));
            }),
        ];
        compare(
            &format!("{in_flight} in flight, each"),
            60,
            repeats,
            in_flight,
            contenders,
        );
    }
}

struct Calls {
    provider: Provider<Test>,
    request: CreateRequest,
    client: reqwest::Client,
    url: String,
    key: IdempotencyKey,
    form: Vec<(String, String)>,
    body: String,
}

impl Calls {
    /// Asks once with the provider, and takes the form that it sent for the others.
    fn new(base: &str, runtime: &Runtime) -> Self {
        let config = StripeConfig::<Test>::new(KEY, "whsec_benchmark").unwrap();
        let stripe = Stripe::new(config.with_base_url(base).unwrap()).unwrap();
        let provider = stripe.into_provider(Namespace::new("shop").unwrap());
        let amount = PositiveMoney::new(Money::new(1999, Currency::EUR)).unwrap();
        let checkout = Checkout::token("pm_card_visa", RETURN_URL);
        let request = CreateRequest::new(OrderId::new("A-1001").unwrap(), amount, checkout);
        let key = IdempotencyKey::for_creation(&provider.reference(&request));

        rustls::crypto::ring::default_provider()
            .install_default()
            .unwrap();
        let client = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .timeout(Duration::from_secs(30))
            .no_proxy();
        let payment = runtime.block_on(provider.create(&request)).unwrap();
        assert_eq!(payment.captured.minor(), 1999);
        let body = LAST_BODY.lock().unwrap().clone();
        let pairs = form_urlencoded::parse(body.as_bytes());
        Self {
            provider,
            request,
            client: client.build().unwrap(),
            url: format!("{base}/v1/payment_intents"),
            key,
            form: pairs.into_owned().collect(),
            body,
        }
    }

    async fn ours(&self) {
        let payment = self.provider.create(&self.request).await.unwrap();
        assert_eq!(payment.captured.minor(), 1999);
    }

    async fn same_bytes(&self) {
        assert!(self.send(self.body.clone()).await.len() > 1000);
    }

    async fn by_hand(&self) {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(&self.form);
        let body = self.send(form.finish()).await;
        let intent: Intent<'_> = serde_json::from_slice(&body).unwrap();
        assert_eq!((intent.status, intent.amount_received), ("succeeded", 1999));
    }

    async fn send(&self, body: String) -> bytes::Bytes {
        let request = self
            .client
            .post(&self.url)
            .header("authorization", format!("Bearer {KEY}"))
            .header("accept", "application/json")
            .header("user-agent", "counterfoil/0.1.0")
            .header("stripe-version", VERSION)
            .header("idempotency-key", self.key.as_str())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.bytes().await.unwrap()
    }
}

#[derive(Deserialize)]
#[expect(
    dead_code,
    reason = "they are read, as they must be, but not all are compared"
)]
struct Intent<'i> {
    id: &'i str,
    amount: i64,
    amount_received: i64,
    currency: &'i str,
    status: &'i str,
    livemode: bool,
    created: i64,
}

static LAST_BODY: std::sync::Mutex<String> = std::sync::Mutex::new(String::new());

/// Answers everything with the same PaymentIntent, a thread per connection.
fn serve() -> String {
    let event: serde_json::Value =
        serde_json::from_str(include_str!("fixtures/event_small.json")).unwrap();
    let intent = serde_json::to_string_pretty(&event["data"]["object"]).unwrap();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nRequest-Id: req_1\r\n\
         Content-Length: {}\r\n\r\n{intent}",
        intent.len()
    );
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = answer.clone();
            std::thread::spawn(move || answer_all(stream.unwrap(), answer.as_bytes()));
        }
    });
    base
}

fn answer_all(mut stream: TcpStream, answer: &[u8]) {
    stream.set_nodelay(true).unwrap();
    let mut buffer = [0; 8192];
    let mut request = String::new();
    loop {
        let count = stream.read(&mut buffer).unwrap_or(0);
        if count == 0 {
            return;
        }
        request.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
        let Some((head, body)) = request.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        if body.len() == length.unwrap().parse::<usize>().unwrap() {
            LAST_BODY.lock().unwrap().replace_range(.., body);
            stream.write_all(answer).unwrap();
            request.clear();
        }
    }
}
