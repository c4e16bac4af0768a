//! The API client over a scripted transport: what is sent, how often, and what is told of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use counterfoil::capability::Operation;
use counterfoil::http::{
    ApiClient, ApiRequest, Authorization, BaseUrl, Delivered, FreshToken, ManualTimer, RetryHint,
    RetryPolicy, TokenCache, TokenSource, Transport, TransportError,
};
use counterfoil::id::{IdempotencyKey, Namespace, OrderId, PaymentId, ProviderName};
use counterfoil::{Effect, ErrorKind, Live, Secret};
use http::{HeaderName, HeaderValue};

#[derive(Debug)]
struct Scripted {
    answers: Mutex<VecDeque<Result<http::Response<Bytes>, Delivered>>>,
    seen: Mutex<Vec<http::Request<Bytes>>>,
}

#[async_trait]
impl Transport for Scripted {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        self.seen.lock().unwrap().push(request);
        let answer = self.answers.lock().unwrap().pop_front();
        answer
            .expect("one more request than was scripted")
            .map_err(|delivered| TransportError {
                delivered,
                cause: "scripted".into(),
            })
    }
}

struct Rig {
    client: ApiClient,
    transport: Arc<Scripted>,
    timer: Arc<ManualTimer>,
}

impl Rig {
    fn new(answers: impl IntoIterator<Item = Result<http::Response<Bytes>, Delivered>>) -> Self {
        let key = Secret::new("sk_live_canary");
        Self::authorized(Authorization::bearer(&key).unwrap(), answers)
    }

    fn authorized(
        authorization: Authorization,
        answers: impl IntoIterator<Item = Result<http::Response<Bytes>, Delivered>>,
    ) -> Self {
        let transport = Arc::new(Scripted {
            answers: Mutex::new(answers.into_iter().collect()),
            seen: Mutex::default(),
        });
        let timer = Arc::new(ManualTimer::new());
        let base = BaseUrl::<Live>::https("https://api.example.com/base").unwrap();
        let name = ProviderName::new("example").unwrap();
        let client = ApiClient::new(name, &base, authorization, transport.clone(), timer.clone())
            .with_header(
                HeaderName::from_static("version"),
                HeaderValue::from_static("2026-11-22"),
            )
            .with_request_id_header(HeaderName::from_static("request-id"))
            .with_seed(7);
        Self {
            client,
            transport,
            timer,
        }
    }

    fn sent(&self) -> usize {
        self.transport.seen.lock().unwrap().len()
    }

    fn sent_headers(&self, name: &str) -> Vec<String> {
        let seen = self.transport.seen.lock().unwrap();
        let values = seen
            .iter()
            .map(|request| request.headers()[name].to_str().unwrap());
        values.map(str::to_owned).collect()
    }
}

fn answer(status: u16) -> Result<http::Response<Bytes>, Delivered> {
    let response = http::Response::builder().status(status);
    Ok(response
        .header("request-id", "req_1")
        .body(Bytes::from("{}"))
        .unwrap())
}

fn read() -> ApiRequest {
    ApiRequest::get(Operation::FetchPayment, &["v1", "payments", "pi/1"]).query("expand", "charge")
}

fn unkeyed_write() -> ApiRequest {
    ApiRequest::post(Operation::Refund, &["v1", "refunds"]).form([("payment", "pi_1")])
}

fn keyed_write() -> ApiRequest {
    unkeyed_write().keyed(HeaderName::from_static("idempotency-key"), &key())
}

fn key() -> IdempotencyKey {
    let payment = PaymentId::<Live>::new(ProviderName::new("example").unwrap(), "pi_1").unwrap();
    let namespace = Namespace::new("shop").unwrap();
    IdempotencyKey::for_command(
        "refund",
        &namespace,
        &payment,
        OrderId::new("1").unwrap().as_str(),
    )
}

#[tokio::test]
async fn a_request_is_sent_as_it_was_built() {
    let rig = Rig::new([answer(200), answer(200)]);
    let response = rig.client.send(read()).await.unwrap();
    assert_eq!((response.status().as_u16(), response.attempts()), (200, 1));
    assert_eq!(response.request_id(), Some("req_1"));
    rig.client.send(keyed_write()).await.unwrap();

    let seen = rig.transport.seen.lock().unwrap();
    let url = "https://api.example.com/base/v1/payments/pi%2F1?expand=charge";
    assert_eq!(
        (seen[0].method().as_str(), seen[0].uri().to_string()),
        ("GET", url.into())
    );
    assert_eq!(seen[0].headers()["authorization"], "Bearer sk_live_canary");
    assert!(seen[0].headers()["authorization"].is_sensitive());
    assert_eq!(seen[0].headers()["version"], "2026-11-22");
    assert!(
        seen[0].headers()["user-agent"]
            .to_str()
            .unwrap()
            .starts_with("counterfoil/")
    );
    assert_eq!(seen[1].headers()["idempotency-key"], key().as_str());
    assert_eq!(
        (seen[1].method().as_str(), &seen[1].body()[..]),
        ("POST", &b"payment=pi_1"[..])
    );
}

#[tokio::test]
async fn a_crafted_id_is_refused_before_any_io() {
    let rig = Rig::new([]);
    let crafted = ApiRequest::get(Operation::FetchPayment, &["v1", "payments", ".."]);
    let error = rig.client.send(crafted).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::InvalidRequest);
    assert_eq!(error.operation(), Some(Operation::FetchPayment));
    let endless = ApiRequest::get(Operation::FetchPayment, &["x".repeat(1 << 17).as_str()]);
    let error = rig.client.send(endless).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::InvalidRequest);
    assert_eq!(rig.sent(), 0);
}

#[tokio::test]
async fn a_keyed_write_is_sent_again_under_the_same_key() {
    let rig = Rig::new([Err(Delivered::Perhaps), answer(500), answer(200)]);
    let response = rig.client.send(keyed_write()).await.unwrap();
    assert_eq!(
        (response.attempts(), response.effect()),
        (3, Effect::Applied)
    );
    let keys = rig.sent_headers("idempotency-key");
    assert_eq!(keys, vec![key().as_str(); 3]);
    let sleeps = rig.timer.sleeps();
    assert!(sleeps[0] >= Duration::from_millis(250) && sleeps[0] <= Duration::from_millis(500));
    assert!(sleeps[1] >= Duration::from_millis(500) && sleeps[1] <= Duration::from_secs(1));
}

#[tokio::test]
async fn an_unkeyed_write_is_sent_once_unless_it_was_not_sent() {
    for status in [409, 429, 500, 503] {
        let rig = Rig::new([answer(status)]);
        let response = rig.client.send(unkeyed_write()).await.unwrap();
        assert_eq!(response.status().as_u16(), status);
    }
    let rig = Rig::new([Err(Delivered::Perhaps)]);
    let error = rig.client.send(unkeyed_write()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.effect()),
        (&ErrorKind::Unavailable, Effect::Unknown)
    );

    let rig = Rig::new([Err(Delivered::No), answer(200)]);
    rig.client.send(unkeyed_write()).await.unwrap();
    assert_eq!(rig.sent(), 2);
}

#[tokio::test]
async fn no_answer_is_unknown_only_for_a_write_that_may_have_arrived() {
    let never = [Delivered::No; 3].map(Err);
    let lost = [Delivered::Perhaps; 3].map(Err);
    let lost_first = [Delivered::Perhaps, Delivered::No, Delivered::No].map(Err);
    for (request, answers, effect) in [
        (read(), never.clone(), Effect::NotApplied),
        (read(), lost.clone(), Effect::NotApplied),
        (keyed_write(), never, Effect::NotApplied),
        (keyed_write(), lost, Effect::Unknown),
        (keyed_write(), lost_first, Effect::Unknown),
    ] {
        let rig = Rig::new(answers);
        let error = rig.client.send(request).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.effect()),
            (&ErrorKind::Unavailable, effect)
        );
        assert_eq!(error.provider().unwrap().as_str(), "example");
        assert_eq!(rig.sent(), 3);
    }
}

#[tokio::test]
async fn a_refusal_after_a_lost_attempt_leaves_the_effect_unknown() {
    let rig = Rig::new([Err(Delivered::Perhaps), answer(429), answer(429)]);
    let response = rig.client.send(keyed_write()).await.unwrap();
    assert_eq!(response.refusal().effect(), Effect::Unknown);

    let rig = Rig::new([Err(Delivered::Perhaps), answer(402)]);
    let response = rig.client.send(keyed_write()).await.unwrap();
    assert_eq!(response.refusal().effect(), Effect::NotApplied);
}

#[tokio::test]
async fn too_large_an_answer_is_not_asked_for_again() {
    for (request, effect) in [
        (read(), Effect::NotApplied),
        (keyed_write(), Effect::Unknown),
    ] {
        let rig = Rig::new([Err(Delivered::Answered)]);
        let error = rig.client.send(request).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.effect()),
            (&ErrorKind::UnexpectedResponse, effect)
        );
    }
}

#[tokio::test]
async fn the_providers_hint_goes_before_the_status() {
    let adviser = |response: &http::Response<Bytes>| match response.headers().get("should-retry") {
        Some(value) if value == "true" => RetryHint::Retry,
        Some(value) if value == "false" => RetryHint::Stop,
        _ => RetryHint::None,
    };
    let hinted = |status, hint| {
        let response = http::Response::builder()
            .status(status)
            .header("should-retry", hint);
        Ok(response.body(Bytes::new()).unwrap())
    };
    let mut rig = Rig::new([hinted(500, "false")]);
    rig.client = rig.client.with_retry_adviser(adviser);
    rig.client.send(keyed_write()).await.unwrap();
    let mut rig = Rig::new([hinted(400, "true"), answer(200)]);
    rig.client = rig.client.with_retry_adviser(adviser);
    rig.client.send(keyed_write()).await.unwrap();
    let mut rig = Rig::new([hinted(400, "true")]);
    rig.client = rig.client.with_retry_adviser(adviser);
    rig.client.send(unkeyed_write()).await.unwrap();
}

#[tokio::test]
async fn retry_after_is_obeyed_or_handed_on() {
    let throttled = |seconds: &str| {
        let response = http::Response::builder()
            .status(429)
            .header("retry-after", seconds);
        Ok(response.body(Bytes::new()).unwrap())
    };
    let rig = Rig::new([throttled("7"), answer(200)]);
    rig.client.send(read()).await.unwrap();
    assert_eq!(rig.timer.sleeps(), [Duration::from_secs(7)]);

    let rig = Rig::new([throttled("3600")]);
    let refusal = rig.client.send(read()).await.unwrap().refusal();
    let after = Some(Duration::from_secs(3600));
    assert_eq!(refusal.kind(), &ErrorKind::RateLimited { after });
    assert!(rig.timer.sleeps().is_empty());
}

#[tokio::test]
async fn the_same_seed_waits_the_same() {
    let lost = [Delivered::Perhaps; 9].map(Err);
    let run = async |seed| {
        let rig = Rig::new(lost.clone());
        let policy = RetryPolicy::default().with_attempts(9);
        let client = rig.client.clone().with_retry_policy(policy).with_seed(seed);
        client.send(read()).await.unwrap_err();
        rig.timer.sleeps()
    };
    assert_eq!(run(1).await, run(1).await);
    assert_ne!(run(1).await, run(2).await);
}

#[tokio::test]
async fn an_outage_costs_few_extra_requests_and_ends_at_once() {
    let workers = 64;
    let rounds = 100;
    let fresh = workers * rounds;
    let outage = std::iter::repeat_with(|| answer(503)).take(2 * fresh);
    let rig = Rig::new(outage);
    for _ in 0..rounds {
        let requests = (0..workers).map(|_| rig.client.send(read()));
        for response in futures_util::future::join_all(requests).await {
            assert_eq!(response.unwrap().status().as_u16(), 503);
        }
    }
    let extra = rig.sent() - fresh;
    assert!(extra * 5 <= fresh, "{extra} extra requests over {fresh}");

    rig.transport.answers.lock().unwrap().clear();
    rig.transport.answers.lock().unwrap().push_back(answer(200));
    let sleeps = rig.timer.sleeps().len();
    assert_eq!(
        rig.client.send(read()).await.unwrap().status().as_u16(),
        200
    );
    assert_eq!(rig.timer.sleeps().len(), sleeps);
}

#[derive(Debug, Default)]
struct Tokens(AtomicU32);

#[async_trait]
impl TokenSource for Tokens {
    async fn fetch(&self) -> counterfoil::Result<FreshToken> {
        let number = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(FreshToken::new(
            format!("token-{number}"),
            Duration::from_secs(3600),
        ))
    }
}

fn with_tokens(answers: impl IntoIterator<Item = u16>) -> Rig {
    let cache = TokenCache::new(Tokens::default(), Arc::new(ManualTimer::new()));
    Rig::authorized(Authorization::token(cache), answers.into_iter().map(answer))
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let rig = with_tokens([200, 401, 200]);
    rig.client.send(keyed_write()).await.unwrap();
    let response = rig.client.send(keyed_write()).await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    let tokens = ["Bearer token-1", "Bearer token-1", "Bearer token-2"];
    assert_eq!(rig.sent_headers("authorization"), tokens);
    assert!(rig.timer.sleeps().is_empty());

    let rig = with_tokens([401, 401]);
    let refusal = rig.client.send(read()).await.unwrap().refusal();
    assert_eq!(refusal.kind(), &ErrorKind::Credentials);
}

#[tokio::test]
async fn an_unkeyed_write_is_not_sent_again_for_a_refused_token() {
    let rig = with_tokens([401, 200]);
    let refused = rig.client.send(unkeyed_write()).await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), refused.effect()),
        (401, Effect::NotApplied)
    );
    rig.client.send(unkeyed_write()).await.unwrap();
    let tokens = ["Bearer token-1", "Bearer token-2"];
    assert_eq!(rig.sent_headers("authorization"), tokens);
}

#[tokio::test]
async fn debug_shows_no_credentials() {
    let rig = Rig::new([]);
    assert!(!format!("{:?}", rig.client).contains("canary"));
    let basic = Authorization::basic(&Secret::new("user"), &Secret::new("canary")).unwrap();
    assert!(!format!("{basic:?}").contains("canary"));
}

#[tokio::test]
async fn credentials_that_no_header_can_hold_are_refused() {
    let broken = Secret::new("sk_live_canary\n");
    for refused in [
        Authorization::bearer(&broken),
        Authorization::header(HeaderName::from_static("x-api-key"), &broken),
        Authorization::basic(&Secret::new("a:b"), &broken),
    ] {
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Credentials);
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
    let basic = Authorization::basic(&Secret::new("Aladdin"), &Secret::new("open sesame")).unwrap();
    let rig = Rig::authorized(basic, [answer(200)]);
    rig.client.send(read()).await.unwrap();
    assert_eq!(
        rig.sent_headers("authorization"),
        ["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="]
    );
}
