//! What a subscriber at the finest level gets to see: enough to follow a request, and no secret.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fmt::{self, Write as _};
use std::io::{Read, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use counterfoil::capability::Operation;
use counterfoil::http::{
    ApiClient, ApiRequest, Authorization, BaseUrl, FreshToken, ManualTimer, ReqwestTransport,
    TokenCache, TokenSource, TransportOptions,
};
use counterfoil::id::ProviderName;
use counterfoil::{Result, Test};
use http::{HeaderName, HeaderValue};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Writes down every span, record and event, from every crate.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<String>>);

struct Line<'r>(&'r mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut text = self.0.lock().unwrap();
        text.push_str(attributes.metadata().name());
        attributes.record(&mut Line(&mut text));
        text.push('\n');
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Line(&mut self.0.lock().unwrap()));
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = self.0.lock().unwrap();
        event.record(&mut Line(&mut text));
        text.push('\n');
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[derive(Debug)]
struct CanaryToken;

#[async_trait]
impl TokenSource for CanaryToken {
    async fn fetch(&self) -> Result<FreshToken> {
        Ok(FreshToken::new("canary-token", Duration::from_secs(3600)))
    }
}

/// Loses the first request, and answers the second, with a secret in every place.
fn serve() -> (BaseUrl<Test>, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let mut request = [0; 4096];
        for answer in [
            "",
            "HTTP/1.1 402 Canary\r\nRequest-Id: req_1\r\nSet-Cookie: canary-cookie\r\n\
             Content-Length: 13\r\n\r\n\"canary-body\"",
        ] {
            let (mut stream, _) = listener.accept().unwrap();
            let length = stream.read(&mut request).unwrap();
            assert!(String::from_utf8_lossy(&request[..length]).contains("canary-token"));
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    (BaseUrl::loopback(&address).unwrap(), thread)
}

#[tokio::test]
async fn a_span_per_attempt_and_no_secret() {
    let recorder = Recorder::default();
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let timer = Arc::new(ManualTimer::new());
    let (base, server) = serve();
    let client = ApiClient::new(
        ProviderName::new("example").unwrap(),
        &base,
        Authorization::token(TokenCache::new(CanaryToken, timer.clone())),
        Arc::new(ReqwestTransport::loopback(&TransportOptions::default()).unwrap()),
        timer,
    )
    .with_header(
        HeaderName::from_static("account"),
        HeaderValue::from_static("canary-account"),
    )
    .with_request_id_header(HeaderName::from_static("request-id"));
    let request = ApiRequest::get(Operation::FetchPayment, &["canary-id"])
        .query("email", "canary@example.com")
        .header(HeaderName::from_static("x-canary"), "canary-header")
        .json(r#"{"name": "canary-name"}"#);
    let response = client.send(request).await.unwrap();
    server.join().unwrap();

    let mut seen = recorder.0.lock().unwrap().clone();
    for attempt in [1, 2] {
        let span = format!(
            "http_attempt provider=\"example\" operation=\"fetch payment\" attempt={attempt}"
        );
        assert!(seen.contains(&span), "{seen}");
    }
    assert!(
        seen.contains("duration_ms=0 message=no answer provider=\"example\" operation=\"fetch payment\" delivered=perhaps processed"),
        "{seen}"
    );
    assert!(
        seen.contains("duration_ms=0 status=402 request_id=\"req_1\""),
        "{seen}"
    );
    write!(seen, "{response:?} {:?} {client:?}", response.refusal()).unwrap();
    let leaked = seen
        .to_lowercase()
        .replace("canary-base", "")
        .contains("canary");
    assert!(!leaked, "{seen}");
}
