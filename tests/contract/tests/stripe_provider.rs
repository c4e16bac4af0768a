//! Every request that the Stripe provider sends, by Stripe's own specification.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use counterfoil::capability::Operation;
use counterfoil::clock::{Clock, Timestamp};
use counterfoil::http::{ManualTimer, Transport, TransportError};
use counterfoil::id::{Attempt, CommandId, Namespace, OrderId, PaymentId, Reference, RefundId};
use counterfoil::money::{Money, PositiveMoney};
use counterfoil::payment::Payment;
use counterfoil::payout::Payout;
use counterfoil::providers::stripe::{Stripe, StripeConfig};
use counterfoil::request::{
    CaptureRequest, Checkout, CreateRequest, Period, Presence, RefundReason, RefundRequest,
};
use counterfoil::simulator::stripe::StripeSimulator;
use counterfoil::simulator::{Answer, SimulatedProvider, SimulatorTransport};
use counterfoil::{Provider, Test};
use counterfoil_contract::Contract;
use futures_util::TryStreamExt;
use http::Request;
use serde_json::Value;

const SPEC: &str = "stripe/stripe-2026-08-26.dahlia.official.json";
const START: Timestamp = Timestamp::from_unix(1_795_000_000);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What the specification says wrongly: a part of the problem, and why it is none.
const FAULTS: &[(&str, &str)] = &[
    (
        "/payment_method_data/card is not declared",
        "the guide to tokens sends payment_method_data[card][token], which the file leaves out",
    ),
    (
        "/payment_method_data/type: \"card\" is not one of",
        "the file's list of types has no card, the type most used",
    ),
];

/// What the provider must have sent for the check to be worth something.
const ENDPOINTS: &[&str] = &[
    "GET /v1/account",
    "GET /v1/balance",
    "GET /v1/balance_transactions",
    "GET /v1/charges/{charge}",
    "GET /v1/checkout/sessions",
    "GET /v1/checkout/sessions/{session}",
    "GET /v1/disputes",
    "GET /v1/payment_intents",
    "GET /v1/payment_intents/search",
    "GET /v1/payment_intents/{intent}",
    "GET /v1/payouts",
    "GET /v1/payouts/{payout}",
    "GET /v1/refunds",
    "GET /v1/refunds/{refund}",
    "POST /v1/checkout/sessions",
    "POST /v1/checkout/sessions/{session}/expire",
    "POST /v1/payment_intents",
    "POST /v1/payment_intents/{intent}/cancel",
    "POST /v1/payment_intents/{intent}/capture",
    "POST /v1/refunds",
];

#[tokio::test]
async fn every_request_is_what_the_specification_says() {
    let Some(contract) = Contract::load(SPEC) else {
        return;
    };
    let mut shop = Shop::open();
    shop.begin_payments().await;
    shop.end_payments().await;
    shop.give_back().await;
    shop.read_pages_and_payouts().await;

    let can = shop.stripe.capabilities();
    let every = Operation::ALL.into_iter().filter(|o| can.supports(*o));
    let unsent: Vec<_> = every.filter(|o| !shop.driven.contains(o)).collect();
    assert_eq!(unsent, [Operation::VerifyWebhook], "operations not driven");

    let (mut problems, mut faults_met) = (BTreeSet::new(), BTreeSet::new());
    let mut samples = BTreeMap::new();
    let requests = shop.wire.take();
    for request in &requests {
        let sent = Sent::of(request);
        for problem in sent.problems(&contract) {
            match FAULTS.iter().find(|(fault, _)| problem.contains(fault)) {
                Some((fault, _)) => drop(faults_met.insert(*fault)),
                None => drop(problems.insert(format!("{problem} in {sent:?}"))),
            }
        }
        samples.entry(sent.endpoint(&contract)).or_insert(sent);
    }
    assert!(problems.is_empty(), "{problems:#?}");
    let seen: Vec<_> = samples.keys().map(String::as_str).collect();
    assert_eq!(seen, ENDPOINTS);
    let known: BTreeSet<_> = FAULTS.iter().map(|(fault, _)| *fault).collect();
    assert_eq!(faults_met, known, "faults that are no longer there");

    for (endpoint, sent) in samples {
        let problems = sent.with_unknown_parameter().problems(&contract);
        let is_caught = problems
            .iter()
            .any(|p| p.contains("/colour is not declared"));
        assert!(is_caught, "{endpoint}: {problems:?}");
    }
    println!("{} requests checked", requests.len());
}

#[tokio::test]
async fn a_request_without_what_is_required_is_caught() {
    let Some(contract) = Contract::load(SPEC) else {
        return;
    };
    let mut shop = Shop::open();
    shop.create(direct("A-1", "10.00 EUR", "pm_card_visa"))
        .await;
    let requests = shop.wire.take();
    let mut sent = Sent::of(&requests[0]);
    assert_eq!(sent.problems(&contract), [""; 0]);
    for (right, wrong) in [
        ("currency=eur&", ""),
        ("amount=1000", "amount=10.00"),
        ("confirm=true", "confirm=yes"),
    ] {
        let good = sent.form.clone();
        assert!(good.contains(right), "{good}");
        sent.form = good.replace(right, wrong);
        assert_ne!(sent.problems(&contract), [""; 0], "{}", sent.form);
        sent.form = good;
    }
    sent.headers_at_fault = vec!["of another version".to_owned()];
    assert_eq!(sent.problems(&contract), ["of another version"]);
}

/// One request, as the contract reads it.
#[derive(Debug)]
struct Sent {
    method: String,
    target: String,
    form: String,
    headers_at_fault: Vec<String>,
}

impl Sent {
    fn of(request: &Request<Bytes>) -> Self {
        let header = |name| {
            let value = request.headers().get(name);
            value.map_or("", |value| value.to_str().unwrap())
        };
        let mut wrong = Vec::new();
        // The file is named after the version that it describes.
        let version = header("stripe-version");
        if version.is_empty() || !SPEC.contains(version) {
            wrong.push(format!("the version sent is {version:?}"));
        }
        let is_post = request.method() == http::Method::POST;
        if is_post == header("idempotency-key").is_empty() {
            wrong.push("exactly the writes have an idempotency key".to_owned());
        }
        if is_post && header("content-type") != "application/x-www-form-urlencoded" {
            wrong.push("a write is not sent as a form".to_owned());
        }
        Self {
            method: request.method().to_string(),
            target: request.uri().path_and_query().unwrap().to_string(),
            form: String::from_utf8(request.body().to_vec()).unwrap(),
            headers_at_fault: wrong,
        }
    }

    fn problems(&self, contract: &Contract) -> Vec<String> {
        let form = self.form.as_bytes();
        let mut problems = contract.check_request(&self.method, &self.target, form);
        problems.extend(self.headers_at_fault.iter().cloned());
        problems
    }

    fn endpoint(&self, contract: &Contract) -> String {
        let path = self.target.split('?').next().unwrap();
        let template = contract.template(&self.method, path);
        format!("{} {}", self.method, template.unwrap_or(path))
    }

    fn with_unknown_parameter(mut self) -> Self {
        if self.method == "POST" {
            self.form.push_str("&colour=red");
        } else {
            let mark = if self.target.contains('?') { '&' } else { '?' };
            self.target.push(mark);
            self.target.push_str("colour=red");
        }
        self
    }
}

/// A shop that does everything there is to do at the simulated Stripe.
struct Shop {
    stripe: Provider<Test>,
    wire: Arc<Wire>,
    driven: BTreeSet<Operation>,
}

impl Shop {
    fn open() -> Self {
        let simulator = Arc::new(Mutex::new(StripeSimulator::new(21, START)));
        let wire = Arc::new(Wire {
            inner: SimulatorTransport::new(Arc::clone(&simulator)),
            simulator,
            requests: Mutex::default(),
        });
        let config = StripeConfig::new("sk_test_contract", "whsec_contract").unwrap();
        let config = config
            .with_transport(wire.clone())
            .with_timer(Arc::new(ManualTimer::new()))
            .with_clock(wire.clone())
            .with_seed(21);
        let stripe = Stripe::new(config).unwrap();
        Self {
            stripe: stripe.into_provider(Namespace::new("shop").unwrap()),
            wire,
            driven: BTreeSet::new(),
        }
    }

    fn simulator(&self) -> MutexGuard<'_, StripeSimulator> {
        self.wire.simulator.lock().unwrap()
    }

    /// Asks the simulator past the provider.
    fn post(&self, path: &str, form: &str) -> String {
        let request = Request::post(path)
            .header("authorization", "Bearer sk_test_contract")
            .body(Bytes::copy_from_slice(form.as_bytes()))
            .unwrap();
        let Answer::Response(response) = self.simulator().handle(&request) else {
            panic!("no fault was planned");
        };
        let answer: Value = serde_json::from_slice(response.body()).unwrap();
        let id = answer["id"].as_str();
        id.unwrap_or_else(|| panic!("{path}: {answer:#}"))
            .to_owned()
    }

    async fn create(&mut self, request: CreateRequest) -> Payment<Test> {
        self.driven.insert(match request.checkout {
            Checkout::Hosted { .. } => Operation::CreateHosted,
            _ => Operation::CreateDirect,
        });
        self.stripe.create(&request).await.unwrap()
    }

    async fn begin_payments(&mut self) {
        self.create(hosted("H-1", "100 JPY")).await;
        let full = |request: CreateRequest| {
            request
                .with_attempt(Attempt::FIRST.next())
                .with_manual_capture()
                .with_description("Two chairs & a table")
                .with_email("a+b@shop.example")
                .with_metadata("colour", "red, or blue?")
        };
        let expiry = START.saturating_add(Duration::from_secs(3600));
        self.create(full(hosted("H-2", "19.99 EUR")).with_expiry(expiry))
            .await;
        self.create(full(direct("D-1", "19.99 EUR", "pm_card_visa")))
            .await;
        self.create(direct("D-2", "18.600 KWD", "tok_visa")).await;
        let mut absent = direct("D-3", "19.99 EUR", "pm_card_visa");
        if let Checkout::Direct { return_url, .. } = &mut absent.checkout {
            *return_url = None;
        }
        self.create(absent).await;

        let customer = self.post("/v1/customers", "email=a@shop.example");
        let method = self.post("/v1/payment_methods", "type=card&card[token]=tok_visa");
        let attach = format!("/v1/payment_methods/{method}/attach");
        self.post(&attach, &format!("customer={customer}"));
        let mut saved = request("D-4", "19.99 EUR", Checkout::saved(customer, method));
        self.create(saved.clone()).await;
        if let Checkout::Direct { presence, .. } = &mut saved.checkout {
            *presence = Presence::OnSession;
        }
        self.create(saved.with_attempt(Attempt::FIRST.next())).await;

        // The simulator makes no confirmation tokens; what is asked for is looked at all the same.
        let confirmation = direct("D-5", "19.99 EUR", "ctoken_1");
        assert!(self.stripe.create(&confirmation).await.is_err());
    }

    async fn end_payments(&mut self) {
        let held = |order| direct(order, "20.00 EUR", "pm_card_visa").with_manual_capture();
        let payment = self.create(held("C-1")).await;
        self.capture(capture(&payment, "20.00 EUR", "all")).await;
        let payment = self
            .create(hosted("C-2", "20.00 EUR").with_manual_capture())
            .await;
        self.pay(&payment);
        self.capture(capture(&payment, "12.00 EUR", "a part").keeping_the_rest())
            .await;
        self.capture(capture(&payment, "8.00 EUR", "the rest"))
            .await;

        let payment = self.create(held("V-1")).await;
        self.void(&payment.id).await;
        let payment = self.create(hosted("V-2", "20.00 EUR")).await;
        self.void(&payment.id).await;
        let payment = self.create(hosted("V-3", "20.00 EUR")).await;
        let intent = self.simulator().shopper().begin(payment.id.raw()).unwrap();
        self.void(&self.id(&intent)).await;
    }

    async fn give_back(&mut self) {
        let payment = self.create(hosted("R-1", "20.00 EUR")).await;
        self.pay(&payment);
        let mut last = None;
        for (reason, command) in [
            (RefundReason::RequestedByShopper, "shopper"),
            (RefundReason::Duplicate, "duplicate"),
            (RefundReason::Fraud, "fraud"),
        ] {
            let command = CommandId::new(command).unwrap();
            let refund = RefundRequest::new(payment.id.clone(), money("1.00 EUR"), command);
            let refund = refund.with_reason(reason);
            last = Some(self.stripe.refund(&refund).await.unwrap().id);
        }
        let last: RefundId<Test> = last.unwrap();
        self.stripe.fetch_refund(&last).await.unwrap();

        let now = self.stripe.fetch_payment(&payment.id).await.unwrap();
        for _ in 0..101 {
            let form = format!("payment_intent={}&amount=1", now.id.raw());
            self.post("/v1/refunds", &form);
        }
        for id in now.ids() {
            self.stripe.fetch_payment(id).await.unwrap();
            let refunds = self.stripe.list_refunds(id.clone());
            let refunds: Vec<_> = refunds.try_collect().await.unwrap();
            assert_eq!(refunds.len(), 104, "{}", id.raw());
        }
        self.driven.extend([
            Operation::Refund,
            Operation::FetchRefund,
            Operation::ListRefunds,
            Operation::FetchPayment,
        ]);
    }

    /// More of everything than is on one page.
    async fn read_pages_and_payouts(&mut self) {
        let reference = Reference {
            namespace: Namespace::new("shop").unwrap(),
            order: OrderId::new("it's many").unwrap(),
            attempt: Attempt::FIRST,
        };
        for _ in 0..101 {
            self.post(
                "/v1/payment_intents",
                &format!(
                    "amount=500&currency=eur&confirm=true&payment_method=pm_card_visa\
                     &automatic_payment_methods[enabled]=true\
                     &automatic_payment_methods[allow_redirects]=never\
                     &metadata[counterfoil_reference]={reference}"
                ),
            );
            self.post(
                "/v1/checkout/sessions",
                "mode=payment&success_url=https://shop.example/ok\
                 &line_items[0][quantity]=1&line_items[0][price_data][currency]=eur\
                 &line_items[0][price_data][unit_amount]=500\
                 &line_items[0][price_data][product_data][name]=Chair",
            );
        }
        self.simulator().advance(Duration::from_secs(120));
        let found = self.stripe.find_payments(&reference).await.unwrap();
        assert_eq!(found.len(), 101);
        let disputed = self
            .create(direct("L-1", "20.00 EUR", "pm_card_visa"))
            .await;
        let opened = self.simulator().dashboard().open_dispute(disputed.id.raw());
        opened.unwrap();
        self.simulator().advance(8 * DAY);

        let period = Period {
            from: Some(START),
            to: Some(self.wire.now()),
        };
        let payments = self.stripe.list_payments(period);
        assert!(payments.try_collect::<Vec<_>>().await.unwrap().len() > 100);
        let disputes = self.stripe.list_disputes(period);
        assert_eq!(disputes.try_collect::<Vec<_>>().await.unwrap().len(), 1);
        let payouts: Vec<Payout<Test>> = self
            .stripe
            .list_payouts(period)
            .try_collect()
            .await
            .unwrap();
        let mut longest = 0;
        for payout in payouts.iter().filter(|payout| payout.lines_complete) {
            let lines = self.stripe.list_payout_lines(payout.id.clone());
            longest = longest.max(lines.try_collect::<Vec<_>>().await.unwrap().len());
        }
        assert!(longest > 100, "the longest payout has {longest} lines");
        self.stripe.account().await.unwrap();
        self.driven.extend([
            Operation::FindPayments,
            Operation::ListPayments,
            Operation::ListDisputes,
            Operation::ListPayouts,
            Operation::ListPayoutLines,
            Operation::Account,
        ]);
    }

    async fn capture(&mut self, request: CaptureRequest<Test>) {
        self.driven.insert(Operation::Capture);
        let _ = self.stripe.capture(&request).await.unwrap();
    }

    async fn void(&mut self, id: &PaymentId<Test>) {
        self.driven.insert(Operation::Void);
        let _ = self.stripe.void(id).await.unwrap();
    }

    fn pay(&self, session: &Payment<Test>) {
        let mut simulator = self.simulator();
        let paid = simulator.shopper().pay(session.id.raw(), "pm_card_visa");
        paid.unwrap();
    }

    fn id(&self, raw: &str) -> PaymentId<Test> {
        PaymentId::new(self.stripe.name().clone(), raw).unwrap()
    }
}

/// The transport, with a list of what went over it.
#[derive(Debug)]
struct Wire {
    simulator: Arc<Mutex<StripeSimulator>>,
    inner: SimulatorTransport<StripeSimulator>,
    requests: Mutex<Vec<Request<Bytes>>>,
}

impl Wire {
    fn take(&self) -> Vec<Request<Bytes>> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }
}

#[async_trait]
impl Transport for Wire {
    async fn send(&self, request: Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        self.requests.lock().unwrap().push(request.clone());
        self.inner.send(request).await
    }
}

impl Clock for Wire {
    fn now(&self) -> Timestamp {
        self.inner.now()
    }
}

fn hosted(order: &str, amount: &str) -> CreateRequest {
    let page = Checkout::hosted(
        "https://shop.example/done?id={CHECKOUT_SESSION_ID}",
        "https://shop.example/cart",
    );
    request(order, amount, page)
}

fn direct(order: &str, amount: &str, token: &str) -> CreateRequest {
    let method = Checkout::token(token, "https://shop.example/back");
    request(order, amount, method)
}

fn request(order: &str, amount: &str, checkout: Checkout) -> CreateRequest {
    CreateRequest::new(OrderId::new(order).unwrap(), money(amount), checkout)
}

fn capture(payment: &Payment<Test>, amount: &str, command: &str) -> CaptureRequest<Test> {
    let command = CommandId::new(command).unwrap();
    CaptureRequest::new(payment.id.clone(), money(amount), command)
}

fn money(text: &str) -> PositiveMoney {
    PositiveMoney::new(text.parse::<Money>().unwrap()).unwrap()
}
