//! Who the transport refuses to speak to: the key must not leave before the server is proven.
//!
//! The certificates are those of `tests/fixtures/tls`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;

use counterfoil::capability::Operation;
use counterfoil::http::{
    ApiClient, ApiRequest, ApiResponse, Authorization, BaseUrl, ManualTimer, ReqwestTransport,
    RetryPolicy, TransportOptions,
};
use counterfoil::id::ProviderName;
use counterfoil::{Effect, Error, ErrorKind, Live, Secret};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion, version};

const ROOT: &[u8] = include_bytes!("fixtures/tls/root.pem");
const KEY: &[u8] = include_bytes!("fixtures/tls/server.key.pem");
const GOOD: &[u8] = include_bytes!("fixtures/tls/good.pem");
const EXPIRED: &[u8] = include_bytes!("fixtures/tls/expired.pem");
const WRONG_HOST: &[u8] = include_bytes!("fixtures/tls/wrong_host.pem");
const SELF_SIGNED: &[u8] = include_bytes!("fixtures/tls/self_signed.pem");

/// Accepts one connection and gives back what `serve` says that the client sent.
fn accept(serve: impl FnOnce(TcpStream) -> Vec<u8> + Send + 'static) -> (u16, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || serve(listener.accept().unwrap().0));
    (port, thread)
}

/// Answers one request over TLS, and gives back what it could decrypt.
fn serve_tls(
    certificate: &'static [u8],
    versions: &[&'static SupportedProtocolVersion],
) -> (u16, JoinHandle<Vec<u8>>) {
    let crypto = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(crypto)
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(certificate).unwrap()],
            PrivateKeyDer::from_pem_slice(KEY).unwrap(),
        )
        .unwrap();
    accept(move |stream| {
        let session = ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = StreamOwned::new(session, stream);
        let mut request = vec![0; 4096];
        // A client that refuses the certificate ends this with an error.
        let length = stream.read(&mut request).unwrap_or(0);
        request.truncate(length);
        if length > 0 {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
                .unwrap();
        }
        request
    })
}

async fn ask(port: u16, options: &TransportOptions) -> Result<ApiResponse, Error> {
    let client = ApiClient::new(
        ProviderName::new("example").unwrap(),
        &BaseUrl::<Live>::https(&format!("https://localhost:{port}")).unwrap(),
        Authorization::bearer(&Secret::new("sk_live_canary")).unwrap(),
        Arc::new(ReqwestTransport::new(options).unwrap()),
        Arc::new(ManualTimer::new()),
    );
    let request = ApiRequest::post(Operation::Refund, &["refunds"]).form([("payment", "pi_1")]);
    client
        .with_retry_policy(RetryPolicy::never())
        .send(request)
        .await
}

fn trusting_the_root() -> TransportOptions {
    let root = CertificateDer::from_pem_slice(ROOT).unwrap();
    TransportOptions::default().with_root(root.to_vec())
}

async fn assert_refused(port: u16, options: &TransportOptions, cause: &str) {
    let error = ask(port, options).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.effect()),
        (&ErrorKind::Unavailable, Effect::NotApplied)
    );
    let shown = format!("{error:?}");
    assert!(
        shown.contains(cause) && !shown.contains("canary"),
        "{shown}"
    );
}

/// Without this the refusals below would prove nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_proven_server_is_spoken_to() {
    if cfg!(not(target_os = "linux")) {
        // Written to the stream itself: the harness hides what a passing test prints.
        let _ = writeln!(
            std::io::stderr(),
            "NOT RUN: this system's own rules may refuse the long life of the certificate"
        );
        return;
    }
    for version in [&version::TLS12, &version::TLS13] {
        let (port, server) = serve_tls(GOOD, &[version]);
        let response = ask(port, &trusting_the_root()).await.unwrap();
        assert_eq!(response.body(), b"{}");
        let request = String::from_utf8(server.join().unwrap()).unwrap();
        assert!(request.contains("authorization: Bearer sk_live_canary\r\n"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_server_that_is_not_proven_never_sees_the_key() {
    for (certificate, cause) in [
        (EXPIRED, "Expired"),
        (WRONG_HOST, "NotValidForName"),
        (SELF_SIGNED, "UnknownIssuer"),
    ] {
        for version in [&version::TLS12, &version::TLS13] {
            let (port, server) = serve_tls(certificate, &[version]);
            assert_refused(port, &trusting_the_root(), cause).await;
            assert_eq!(server.join().unwrap(), b"");
        }
    }
    let (port, server) = serve_tls(GOOD, rustls::ALL_VERSIONS);
    assert_refused(port, &TransportOptions::default(), "UnknownIssuer").await;
    assert_eq!(server.join().unwrap(), b"");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn tls_1_1_is_refused() {
    let (port, server) = accept(|mut stream| {
        let mut received = vec![0; 1 << 14];
        let length = stream.read(&mut received).unwrap();
        received.truncate(length);
        stream.write_all(&server_hello_1_1()).unwrap();
        stream.read_to_end(&mut received).unwrap();
        received
    });
    assert_refused(port, &trusting_the_root(), "PeerIncompatible").await;
    let mut rest = server.join().unwrap();
    while !rest.is_empty() {
        const APPLICATION_DATA: u8 = 23;
        assert_ne!(rest[0], APPLICATION_DATA);
        let length = usize::from(u16::from_be_bytes([rest[3], rest[4]]));
        rest.drain(..5 + length);
    }
}

/// A ServerHello (RFC 4346, 7.4.1.3) that chooses version 3.2, which is TLS 1.1.
fn server_hello_1_1() -> Vec<u8> {
    let random = [7; 32];
    let (no_session, cipher, no_compression) = ([0], [0xc0, 0x13], [0]);
    let hello = [&[3, 2], &random[..], &no_session, &cipher, &no_compression].concat();
    let length = u8::try_from(hello.len()).unwrap();
    let handshake = [&[2, 0, 0, length], &hello[..]].concat();
    [&[22, 3, 2, 0, length + 4], &handshake[..]].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_server_without_tls_never_sees_the_key() {
    let (port, server) = accept(|mut stream| {
        let mut received = vec![0; 1 << 14];
        let length = stream.read(&mut received).unwrap();
        received.truncate(length);
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            .unwrap();
        received
    });
    assert_refused(port, &trusting_the_root(), "InvalidMessage").await;
    let received = String::from_utf8_lossy(&server.join().unwrap()).into_owned();
    assert!(!received.contains("canary"));
}
