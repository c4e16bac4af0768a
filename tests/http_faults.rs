//! The reqwest transport over real sockets on this machine: each way in which a network fails must
//! give the right class of error and the right effect.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::io::{ErrorKind as IoErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use counterfoil::capability::Operation;
use counterfoil::http::{
    ApiClient, ApiRequest, ApiResponse, Authorization, BaseUrl, Delivered, ManualTimer,
    ReqwestTransport, RetryPolicy, Transport, TransportOptions,
};
use counterfoil::id::{IdempotencyKey, Namespace, PaymentId, ProviderName};
use counterfoil::{Effect, Error, ErrorKind, Secret, Test};
use http::HeaderName;

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\nRequest-Id: req_1\r\n\r\n{\"id\":\"pi_1\"}";
const BODY: &[u8] = b"{\"id\":\"pi_1\"}";

/// A server that treats its connections by script: connection `n`, from 0, is given to
/// `script(n, stream)`, and then closed.
struct FaultServer {
    address: String,
    connections: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

impl FaultServer {
    fn start(connections: usize, script: impl Fn(usize, &mut TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let served = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&served);
        let thread = std::thread::spawn(move || {
            for number in 0..connections {
                let (mut stream, _) = listener.accept().unwrap();
                counter.fetch_add(1, Ordering::SeqCst);
                script(number, &mut stream);
            }
        });
        Self {
            address,
            connections: served,
            thread,
        }
    }

    /// Every connection reads the whole request, writes this and closes.
    fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::start(1, move |_, stream| {
            read_request(stream);
            stream.write_all(&answer).unwrap();
        })
    }

    fn client(&self, policy: RetryPolicy) -> ApiClient {
        client(&self.address, policy)
    }

    /// Fails the test if a script failed.
    fn join(self) -> usize {
        self.thread.join().unwrap();
        self.connections.load(Ordering::SeqCst)
    }
}

fn client(address: &str, policy: RetryPolicy) -> ApiClient {
    let options = TransportOptions::default().with_body_limit(1 << 16);
    client_with(&options, address, policy)
}

fn client_with(options: &TransportOptions, address: &str, policy: RetryPolicy) -> ApiClient {
    let transport = ReqwestTransport::loopback(options).unwrap();
    let name = ProviderName::new("example").unwrap();
    let base = BaseUrl::<Test>::loopback(address).unwrap();
    let key = Authorization::bearer(&Secret::new("sk_test_canary")).unwrap();
    let timer = Arc::new(ManualTimer::new());
    ApiClient::new(name, &base, key, Arc::new(transport), timer)
        .with_request_id_header(HeaderName::from_static("request-id"))
        .with_retry_policy(policy)
}

fn read_request(stream: &mut TcpStream) -> Vec<u8> {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return request;
            }
        }
        let count = stream.read(&mut piece).unwrap();
        assert_ne!(count, 0, "the client hung up in the middle of its request");
        request.extend_from_slice(&piece[..count]);
    }
}

/// Waits until the whole request is there, and reads none of it.
fn await_request(stream: &TcpStream) {
    let mut request = [0; 4096];
    loop {
        let count = stream.peek(&mut request).unwrap();
        let text = String::from_utf8_lossy(&request[..count]);
        if text.ends_with("payment=pi_1") {
            return;
        }
        assert_ne!(count, 0, "the client hung up in the middle of its request");
    }
}

fn read() -> ApiRequest {
    ApiRequest::get(Operation::FetchPayment, &["v1", "payments", "pi_1"])
}

fn unkeyed_write() -> ApiRequest {
    ApiRequest::post(Operation::Refund, &["v1", "refunds"]).form([("payment", "pi_1")])
}

fn keyed_write() -> ApiRequest {
    let payment = PaymentId::<Test>::new(ProviderName::new("example").unwrap(), "pi_1").unwrap();
    let namespace = Namespace::new("shop").unwrap();
    let key = IdempotencyKey::for_command("refund", &namespace, &payment, "1");
    unkeyed_write().keyed(HeaderName::from_static("idempotency-key"), &key)
}

async fn write_once(server: &FaultServer) -> Result<ApiResponse, Error> {
    server
        .client(RetryPolicy::never())
        .send(unkeyed_write())
        .await
}

fn assert_unknown(outcome: Result<ApiResponse, Error>, kind: &ErrorKind) {
    let error = outcome.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (kind, Effect::Unknown));
    assert!(
        !format!("{error} {error:?}").contains("127.0.0.1"),
        "{error:?}"
    );
    assert!(
        !format!("{error} {error:?}").contains("canary"),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_answer_is_read_and_its_connection_kept() {
    let server = FaultServer::start(1, |_, stream| {
        for _ in 0..3 {
            let request = String::from_utf8(read_request(stream)).unwrap();
            assert!(request.contains("authorization: Bearer sk_test_canary\r\n"));
            assert!(!request.contains("referer:") && !request.contains("accept-encoding:"));
            stream.write_all(ANSWER).unwrap();
        }
    });
    let client = server.client(RetryPolicy::never());
    for request in [read(), keyed_write(), unkeyed_write()] {
        let response = client.send(request).await.unwrap();
        assert_eq!(
            (response.body(), response.request_id()),
            (BODY, Some("req_1"))
        );
    }
    assert_eq!(server.join(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn nobody_listening_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = client(&address, RetryPolicy::never())
        .send(unkeyed_write())
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.effect()),
        (&ErrorKind::Unavailable, Effect::NotApplied)
    );
}

/// A connection closed with bytes unread is reset, not ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_reset_at_any_byte_of_the_request_is_unknown() {
    const LAST: usize = 255;
    let server = FaultServer::start(LAST + 1, |number, stream| {
        if number == LAST {
            let length = read_request(stream).len();
            assert!(length <= LAST, "not all {length} bytes were covered");
        } else {
            let _ = stream.read(&mut vec![0; number]).unwrap();
        }
    });
    for _ in 0..=LAST {
        assert_unknown(write_once(&server).await, &ErrorKind::Unavailable);
    }
    assert_eq!(server.join(), LAST + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_end_at_any_byte_of_the_answer_is_unknown() {
    let server = FaultServer::start(ANSWER.len() + 1, |number, stream| {
        read_request(stream);
        stream.write_all(&ANSWER[..number]).unwrap();
    });
    for _ in 0..ANSWER.len() {
        assert_unknown(write_once(&server).await, &ErrorKind::Unavailable);
    }
    assert_eq!(write_once(&server).await.unwrap().body(), BODY);
    server.join();
}

/// A server that dies in the middle of an answer resets the connection, where one that ends closes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_reset_at_any_byte_of_the_answer_is_unknown() {
    let server = FaultServer::start(ANSWER.len(), |number, stream| {
        // What was not read when the connection is closed resets it.
        await_request(stream);
        stream.write_all(&ANSWER[..number]).unwrap();
    });
    for _ in 0..ANSWER.len() {
        assert_unknown(write_once(&server).await, &ErrorKind::Unavailable);
    }
    server.join();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn answers_that_are_not_http_are_unknown() {
    let head = "HTTP/1.1 200 OK\r\n";
    for answer in [
        "SSH-2.0-OpenSSH_9.9\r\n\r\n".to_owned(),
        format!("{head}Content-Length: 99\r\n\r\n{{}}"),
        format!("{head}Content-Length: -1\r\n\r\n{{}}"),
        format!("{head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\nzz\r\n{{}}\r\n0\r\n\r\n"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\n{{}}\r\n0\r\n\r\n"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{{}}"),
        format!("{head}{}\r\n\r\n", "X: y\r\n".repeat(1000)),
        "HTTP/1.1 999999 OK\r\n\r\n".to_owned(),
    ] {
        let server = FaultServer::answering(answer);
        assert_unknown(write_once(&server).await, &ErrorKind::Unavailable);
        server.join();
    }
}

/// What stands after the announced length is another answer's, and is not read as this one's.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_length_too_short_cuts_the_body() {
    let server =
        FaultServer::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}{\"more\":1}");
    assert_eq!(write_once(&server).await.unwrap().body(), b"{}");
    server.join();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn silence_ends_with_the_time_limit() {
    for sent in [0, 10, ANSWER.len() - 1] {
        let server = FaultServer::start(1, move |_, stream| {
            read_request(stream);
            stream.write_all(&ANSWER[..sent]).unwrap();
            // It comes back only when the client has given up.
            let _ = stream.read(&mut [0]);
        });
        let options = TransportOptions::default().with_total_timeout(Duration::from_millis(200));
        let client = client_with(&options, &server.address, RetryPolicy::never());
        assert_unknown(client.send(unkeyed_write()).await, &ErrorKind::Unavailable);
        server.join();
    }
}

/// Each byte comes in time, and the whole never does.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_answer_that_drips_ends_with_the_time_limit() {
    const DRIPS_MAX: usize = 3_000;
    for beginning in [
        "HTTP/1.1 200 OK\r\nX-Drip: ",
        "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n270f\r\n",
    ] {
        let server = FaultServer::start(1, move |_, stream| {
            read_request(stream);
            stream.write_all(beginning.as_bytes()).unwrap();
            // The client says no more, so that each look for its end takes as long as it may.
            let pace = Some(Duration::from_millis(10));
            stream.set_read_timeout(pace).unwrap();
            let drips = (0..DRIPS_MAX).take_while(|_| {
                let has_ended = matches!(stream.read(&mut [0]), Ok(0));
                !has_ended && stream.write_all(b"x").is_ok()
            });
            assert!(drips.count() < DRIPS_MAX, "the time limit was not kept");
        });
        let options = TransportOptions::default().with_total_timeout(Duration::from_millis(200));
        let client = client_with(&options, &server.address, RetryPolicy::never());
        assert_unknown(client.send(unkeyed_write()).await, &ErrorKind::Unavailable);
        drop(client);
        server.join();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let target = elsewhere.local_addr().unwrap();
    for status in [301, 302, 303, 307, 308] {
        let head = format!("HTTP/1.1 {status} Moved\r\nLocation: http://{target}/\r\n");
        let server = FaultServer::answering(format!("{head}Content-Length: 0\r\n\r\n"));
        let response = write_once(&server).await.unwrap();
        assert_eq!(
            (response.status().as_u16(), response.effect()),
            (status, Effect::Unknown)
        );
        server.join();
    }
    assert_eq!(
        elsewhere.accept().unwrap_err().kind(),
        IoErrorKind::WouldBlock
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_body_over_the_limit_is_cut_off_while_it_streams() {
    let server = FaultServer::start(1, |_, stream| {
        read_request(stream);
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            .unwrap();
        let chunk = [b"10000\r\n".as_slice(), &[b' '; 1 << 16], b"\r\n"].concat();
        let written = (0..1_000_000).take_while(|_| stream.write_all(&chunk).is_ok());
        assert!(
            written.count() < 1_000,
            "the endless body was read on and on"
        );
    });
    assert_unknown(write_once(&server).await, &ErrorKind::UnexpectedResponse);
    server.join();

    let server = FaultServer::answering("HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n");
    assert_unknown(write_once(&server).await, &ErrorKind::UnexpectedResponse);
    server.join();

    let body = " ".repeat(1 << 16);
    let server = FaultServer::answering(format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n{body}"
    ));
    assert_eq!(write_once(&server).await.unwrap().body().len(), 1 << 16);
    server.join();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_lost_write_is_sent_again_only_under_a_key() {
    let dropping_the_first = || {
        FaultServer::start(2, |number, stream| {
            let request = String::from_utf8(read_request(stream)).unwrap();
            assert!(request.contains("idempotency-key: cf-"), "{request}");
            if number == 1 {
                stream.write_all(ANSWER).unwrap();
            }
        })
    };
    let server = dropping_the_first();
    let response = server
        .client(RetryPolicy::default())
        .send(keyed_write())
        .await
        .unwrap();
    assert_eq!(response.attempts(), 2);
    assert_eq!(server.join(), 2);

    let server = FaultServer::answering("");
    let outcome = server
        .client(RetryPolicy::default())
        .send(unkeyed_write())
        .await;
    assert_unknown(outcome, &ErrorKind::Unavailable);
    assert_eq!(server.join(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn each_transport_speaks_to_its_own_kind_of_address_only() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let https = ReqwestTransport::new(&TransportOptions::default()).unwrap();
    let loopback = ReqwestTransport::loopback(&TransportOptions::default()).unwrap();
    for (transport, url) in [
        (&https, format!("http://{address}/")),
        (&https, format!("ftp://{address}/")),
        (&loopback, format!("https://{address}/")),
        (&loopback, "http://127.0.0.2/".to_owned()),
        (&loopback, "http://example.com/".to_owned()),
    ] {
        let request = http::Request::get(url).body(Bytes::new()).unwrap();
        let error = transport.send(request).await.unwrap_err();
        assert_eq!(error.delivered, Delivered::No);
    }
    assert_eq!(
        listener.accept().unwrap_err().kind(),
        IoErrorKind::WouldBlock
    );
}
