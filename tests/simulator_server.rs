//! The simulator behind real sockets.

#![allow(clippy::unwrap_used)] // what fails in a test ends it

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use counterfoil::clock::Timestamp;
use counterfoil::simulator::stripe::StripeSimulator;
use counterfoil::simulator::{Fault, FaultRule, ServerError, SimulatedProvider, SimulatorServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
const PAY: &str = "amount=2000&currency=eur&confirm=true&payment_method=pm_card_visa\
                   &return_url=https://shop.example/";

async fn start() -> SimulatorServer<StripeSimulator> {
    let stripe = StripeSimulator::new(3, Timestamp::from_unix(1_795_000_000));
    SimulatorServer::start(Arc::new(Mutex::new(stripe)), LOOPBACK)
        .await
        .unwrap()
}

/// All bytes that come back for `request`, until the connection ends.
async fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A connection that is dropped gives an error or nothing, by the moment it happens.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

fn post(form: &str) -> String {
    format!(
        "POST /v1/payment_intents HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         authorization: Bearer sk_test_1\r\ncontent-length: {}\r\n\r\n{form}",
        form.len()
    )
}

#[tokio::test]
async fn requests_are_answered_whole_or_chunked() {
    let server = start().await;
    let answer = exchange(server.address(), &post(PAY)).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("\"status\": \"succeeded\""));
    let chunked = format!(
        "POST /v1/payment_intents HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         authorization: Bearer sk_test_1\r\ntransfer-encoding: chunked\r\n\r\n\
         {:x}\r\n{PAY}\r\n0\r\n\r\n",
        PAY.len()
    );
    let answer = exchange(server.address(), &chunked).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert_eq!(server.simulator().lock().unwrap().ledger().len(), 2);
    server.stop().await;
}

#[tokio::test]
async fn faults_are_felt_on_the_wire() {
    let server = start().await;
    for (fault, begins, charges) in [
        (Fault::DropBefore, "", 0),
        (Fault::DropAfter, "", 1),
        (Fault::Slow(Duration::ZERO), "HTTP/1.1 200 OK", 2),
        (Fault::Truncated, "HTTP/1.1 200 OK", 3),
        (Fault::Unavailable, "HTTP/1.1 503", 3),
    ] {
        let simulator = server.simulator();
        simulator
            .lock()
            .unwrap()
            .faults()
            .script(FaultRule::next(fault));
        let answer = exchange(server.address(), &post(PAY)).await;
        assert_eq!(answer.is_empty(), begins.is_empty(), "{fault:?}: {answer}");
        assert!(answer.starts_with(begins), "{fault:?}: {answer}");
        assert_eq!(
            simulator.lock().unwrap().ledger().len(),
            charges,
            "{fault:?}"
        );
        if fault == Fault::Truncated {
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            let length = head.split("content-length: ").nth(1).unwrap();
            let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
            assert!(
                !body.is_empty() && body.len() < length,
                "{} of {length}",
                body.len()
            );
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn webhooks_are_delivered_and_tried_again() {
    let receiver = TcpListener::bind(LOOPBACK).await.unwrap();
    let server = start().await;
    let url = format!("http://{}/hook?a=1", receiver.local_addr().unwrap());
    let simulator = server.simulator();
    let kinds = ["payment_intent.succeeded"];
    let _ = simulator
        .lock()
        .unwrap()
        .add_webhook_endpoint(&url, "whsec_x", &kinds);
    let _ = exchange(server.address(), &post(PAY)).await;
    let first = receive(&receiver, "HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n").await;
    assert!(first.starts_with("POST /hook?a=1 HTTP/1.1"), "{first}");
    assert!(first.contains("stripe-signature: t=1795000000,v1="));
    // The failure is noted after the answer; the clock moves until the next try is due.
    let again = async { receive(&receiver, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await };
    let clock = async {
        loop {
            simulator.lock().unwrap().advance(Duration::from_secs(60));
            tokio::task::yield_now().await;
        }
    };
    let again = tokio::select! { again = again => again, () = clock => unreachable!() };
    assert_eq!(body(&again), body(&first), "the same event");
    server.stop().await;
}

fn body(request: &str) -> &str {
    request.split_once("\r\n\r\n").unwrap().1
}

async fn receive(receiver: &TcpListener, answer: &str) -> String {
    let (mut stream, _) = receiver.accept().await.unwrap();
    let mut request = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&request);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.split("content-length: ").nth(1).unwrap();
            let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
            if body.len() >= length {
                break;
            }
        }
        assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
    }
    stream.write_all(answer.as_bytes()).await.unwrap();
    String::from_utf8(request).unwrap()
}

#[tokio::test]
async fn it_listens_on_loopback_only_and_stops() {
    let stripe = StripeSimulator::new(3, Timestamp::from_unix(0));
    let open = SocketAddr::from(([0, 0, 0, 0], 0));
    let refused = SimulatorServer::start(Arc::new(Mutex::new(stripe)), open).await;
    assert!(matches!(refused, Err(ServerError::NotLoopback(_))));
    let server = start().await;
    let address = server.address();
    assert_eq!(server.base_url(), format!("http://{address}"));
    server.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
}
