//! `examples/simulator.rs` as a program: an application in another process reaches each provider by
//! the settings that it prints, webhooks included.

#![allow(clippy::unwrap_used, clippy::panic)] // what fails in a test ends it

#[allow(dead_code)] // it is a program of its own
#[path = "../examples/simulator.rs"]
mod simulator;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use counterfoil::error::ErrorKind;
use counterfoil::id::OrderId;
use counterfoil::money::{Currency, Money, PositiveMoney};
use counterfoil::payment::NextAction;
use counterfoil::registry::{Configuration, Registry};
use counterfoil::request::{Checkout, CreateRequest};
use counterfoil::webhook::{WebhookRefusalKind, WebhookRequest};
use counterfoil::{ModeKind, Provider, Test};

/// A provider, what signs its webhooks, and what its page is told by a customer who pays.
const PROVIDERS: [(&str, &str, &str); 3] = [
    ("stripe", "whsec_of_two_processes", "method=pm_card_visa"),
    (
        "paypal",
        "7UX83216VG0519439",
        "action=approve&funding=balance",
    ),
    (
        "adyen",
        "0F1E2D3C4B5A69788796A5B4C3D2E1F00F1E2D3C4B5A69788796A5B4C3D2E1F0",
        "method=visa",
    ),
];

/// The tests start this very program again, as the example.
#[test]
fn the_example() {
    let Ok(arguments) = std::env::var("SIMULATOR_ARGUMENTS") else {
        return;
    };
    println!();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let code = runtime.block_on(simulator::run(arguments.lines().map(str::to_owned)));
    println!("ended with {code:?}");
}

/// The example as another process.
struct Simulator {
    process: Child,
    /// The variables that it has printed.
    variables: Vec<(String, String)>,
    root_file: PathBuf,
}

impl Simulator {
    fn start(provider: &str, arguments: &[&str]) -> Self {
        let root_file = format!("simulator-example-{}-{provider}.pem", std::process::id());
        let root_file = std::env::temp_dir().join(root_file);
        let usual = ["--provider", provider, "--port", "0", "--root-file"];
        let root = root_file.to_str().unwrap();
        let all = [&usual[..], &[root], arguments].concat().join("\n");
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_example", "--nocapture", "--quiet"])
            .env("SIMULATOR_ARGUMENTS", all)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut lines = output.lines().map(Result::unwrap);
        let ready = lines
            .by_ref()
            .take_while(|line| !line.starts_with("Webhooks go"));
        let variables = ready.filter_map(|line| {
            let (name, value) = line.split_once('=')?;
            name.starts_with("COUNTERFOIL_")
                .then(|| (name.to_owned(), value.to_owned()))
        });
        let variables = variables.collect();
        Self {
            process,
            variables,
            root_file,
        }
    }

    /// What an application makes of the variables that were printed.
    fn provider(&self, name: &str) -> Provider<Test> {
        let registry = Registry::built_in();
        let variables = self.variables.iter().map(|(name, value)| (name, &**value));
        let configuration = Configuration::from_vars(&registry, variables).unwrap();
        let made = configuration.configure_one(&registry, name, ModeKind::Test);
        made.unwrap().into_test().unwrap()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_file(&self.root_file);
    }
}

/// The next webhook that is posted to `endpoint`; it is answered 200.
fn receive(endpoint: &TcpListener) -> WebhookRequest {
    let (mut stream, _) = endpoint.accept().unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let mut request = http::Request::post(line.split(' ').nth(1).unwrap());
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().unwrap();
        }
        request = request.header(name, value);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    stream.write_all(answer).unwrap();
    request.body(body).unwrap().into()
}

/// A customer who pays on the provider's page.
fn pay(url: &str, form: &str) {
    let uri: http::Uri = url.parse().unwrap();
    let mut stream = TcpStream::connect(uri.authority().unwrap().as_str()).unwrap();
    write!(
        stream,
        "POST {} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
        uri.path_and_query().unwrap(),
        form.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
}

async fn pay_on_the_page(provider: &Provider<Test>, form: &str) {
    let checkout = Checkout::hosted("https://shop.example/done", "https://shop.example/cart");
    let total = PositiveMoney::new(Money::new(4_200, Currency::EUR)).unwrap();
    let request = CreateRequest::new(OrderId::new("T-42").unwrap(), total, checkout);
    let payment = provider.create(&request).await.unwrap();
    let Some(NextAction::Redirect { url }) = &payment.next_action else {
        panic!("no page: {payment:?}");
    };
    pay(url, form);
}

#[tokio::test]
async fn each_simulator_is_reached_and_believed_by_the_settings_that_it_prints() {
    for (name, secret, form) in PROVIDERS {
        let endpoint = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/webhooks", endpoint.local_addr().unwrap());
        let simulator =
            Simulator::start(name, &["--webhook-url", &url, "--webhook-secret", secret]);
        let provider = simulator.provider(name);
        pay_on_the_page(&provider, form).await;
        let webhook = receive(&endpoint);
        let delivery = provider.webhook(&webhook).await;
        let delivery = delivery.unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        assert!(!delivery.events.is_empty(), "{name}: {delivery:?}");
    }
}

#[tokio::test]
async fn without_the_root_of_the_simulator_its_certificate_is_untrusted_and_its_signature_not_wrong()
 {
    let (name, secret, form) = PROVIDERS[1];
    let endpoint = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/webhooks", endpoint.local_addr().unwrap());
    let mut simulator =
        Simulator::start(name, &["--webhook-url", &url, "--webhook-secret", secret]);
    let trusting = simulator.provider(name);
    let root = |(name, _): &(String, String)| name.ends_with("_WEBHOOK_ROOT_FILE");
    assert!(simulator.variables.iter().any(root));
    simulator.variables.retain(|variable| !root(variable));
    let provider = simulator.provider(name);
    pay_on_the_page(&provider, form).await;
    let webhook = receive(&endpoint);
    let refusal = provider.webhook(&webhook).await.unwrap_err();
    assert_eq!(refusal.kind(), WebhookRefusalKind::UntrustedCertificate);
    assert_eq!(refusal.answer(), 400);
    let text = refusal.to_string();
    assert!(text.starts_with("untrusted certificate: "), "{text}");
    assert!(text.contains("webhook_root_file"), "{text}");
    assert_eq!(
        counterfoil::Error::from(refusal).kind(),
        &ErrorKind::NotAuthentic
    );

    // A wrong signature under a certificate that is trusted stays one.
    assert!(trusting.webhook(&webhook).await.is_ok());
    let mut altered = webhook.body().to_vec();
    altered.push(b' ');
    let altered = WebhookRequest::new(webhook.headers().clone(), altered);
    let refusal = trusting.webhook(&altered).await.unwrap_err();
    assert_eq!(refusal.kind(), WebhookRefusalKind::WrongSignature);
}
