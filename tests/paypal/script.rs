//! A PayPal that answers by a script, and writes down what it was asked.

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use counterfoil::clock::{ManualClock, Timestamp};
use counterfoil::http::{Delivered, ManualTimer, RetryPolicy, Transport, TransportError};
use counterfoil::id::{Namespace, PaymentId};
use counterfoil::money::{Money, PositiveMoney};
use counterfoil::providers::paypal::{PayPal, PayPalConfig, PayPalCredentials};
use counterfoil::{Provider, Test};
use serde_json::{Value, json};

/// Monday, 16 November 2026, noon.
pub(crate) const NOW: Timestamp = Timestamp::from_unix(1_794_830_400);
pub(crate) const WEBHOOK_ID: &str = "1JE4291016473214C";
pub(crate) const CLIENT_ID: &str = "id-of-the-shop";
pub(crate) const CLIENT_SECRET: &str = "secret-of-the-shop";

/// Answers each method and path with what is scripted for it: the last answer over and over, those
/// before it once. What is not scripted is not there.
#[derive(Default)]
pub(crate) struct Script {
    answers: Mutex<Vec<(String, Vec<Reply>)>>,
    requests: Mutex<Vec<http::Request<Bytes>>>,
    tokens: Mutex<usize>,
}

#[derive(Clone)]
pub(crate) enum Reply {
    Json(u16, Value),
    Raw(u16, Bytes),
    Lost,
}

impl Script {
    /// Scripts the next answer to `METHOD /path`, without host and query.
    pub(crate) fn on(&self, request: &str, reply: Reply) {
        let mut answers = self.answers.lock().unwrap();
        match answers.iter_mut().find(|(known, _)| known == request) {
            Some((_, replies)) => replies.push(reply),
            None => answers.push((request.to_owned(), vec![reply])),
        }
    }

    /// Takes back what was scripted for a request.
    #[allow(dead_code, reason = "the contract tests share this file")]
    pub(crate) fn forget(&self, request: &str) {
        let mut answers = self.answers.lock().unwrap();
        answers.retain(|(known, _)| known != request);
    }

    pub(crate) fn json(&self, request: &str, status: u16, body: Value) {
        self.on(request, Reply::Json(status, body));
    }

    /// An error of PayPal's with this issue.
    pub(crate) fn refuse(&self, request: &str, status: u16, issue: &str) {
        let body = json!({
            "name": "UNPROCESSABLE_ENTITY", "message": "not read", "debug_id": "d3bug",
            "details": [{"issue": issue, "description": "not read"}],
        });
        self.json(request, status, body);
    }

    /// What was asked since the last look, tokens left out.
    pub(crate) fn take(&self) -> Vec<http::Request<Bytes>> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.take().iter().map(line).collect()
    }

    pub(crate) fn tokens(&self) -> usize {
        *self.tokens.lock().unwrap()
    }

    fn reply_to(&self, request: &http::Request<Bytes>) -> Reply {
        let line = line(request);
        let mut answers = self.answers.lock().unwrap();
        let found = answers.iter_mut().find(|(known, _)| *known == line);
        match found {
            Some((_, replies)) if replies.len() > 1 => replies.remove(0),
            Some((_, replies)) => replies[0].clone(),
            None if line == "POST /v1/oauth2/token" => {
                let token = format!("token-{}", self.tokens());
                Reply::Json(200, json!({"access_token": token, "expires_in": 32_400}))
            }
            None => Reply::Json(404, json!({"name": "RESOURCE_NOT_FOUND"})),
        }
    }
}

fn line(request: &http::Request<Bytes>) -> String {
    format!("{} {}", request.method(), request.uri().path())
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Script")
    }
}

#[async_trait]
impl Transport for Script {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        if line(&request) == "POST /v1/oauth2/token" {
            *self.tokens.lock().unwrap() += 1;
        } else {
            self.requests.lock().unwrap().push(request.clone());
        }
        let (status, body) = match self.reply_to(&request) {
            Reply::Json(status, body) => (status, body.to_string().into()),
            Reply::Raw(status, body) => (status, body),
            Reply::Lost => {
                return Err(TransportError {
                    delivered: Delivered::Perhaps,
                    cause: "lost".into(),
                });
            }
        };
        let answer = http::Response::builder()
            .status(status)
            .header("paypal-debug-id", "d3bug");
        Ok(answer.body(body).unwrap())
    }
}

pub(crate) fn config(script: &Arc<Script>) -> PayPalConfig<Test> {
    let credentials = PayPalCredentials::sandbox(CLIENT_ID, CLIENT_SECRET, WEBHOOK_ID).unwrap();
    PayPalConfig::new(credentials)
        .with_transport(script.clone())
        .with_timer(Arc::new(ManualTimer::new()))
        .with_clock(Arc::new(ManualClock::new(NOW)))
        .with_retry_policy(RetryPolicy::default().with_attempts(2))
        .with_seed(7)
}

pub(crate) fn provider(script: &Arc<Script>) -> Provider<Test> {
    provider_of(config(script))
}

pub(crate) fn provider_of(config: PayPalConfig<Test>) -> Provider<Test> {
    let shop = Namespace::new("shop").unwrap();
    PayPal::new(config).unwrap().into_provider(shop)
}

pub(crate) fn id(raw: &str) -> PaymentId<Test> {
    format!("paypal:test:{raw}").parse().unwrap()
}

pub(crate) fn money(text: &str) -> PositiveMoney {
    PositiveMoney::new(text.parse::<Money>().unwrap()).unwrap()
}

pub(crate) fn body(request: &http::Request<Bytes>) -> Value {
    serde_json::from_slice(request.body()).unwrap()
}

pub(crate) fn header<'r>(request: &'r http::Request<Bytes>, name: &str) -> &'r str {
    let value = request.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}
