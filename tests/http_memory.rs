//! What a hostile answer may cost: bodies of ten gigabytes and without end are cut off while they
//! stream, and leave no memory behind. The one test of its process, since it measures that process.

#![allow(clippy::unwrap_used)] // helpers beside the tests fail them

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use counterfoil::capability::Operation;
use counterfoil::http::{
    ApiClient, ApiRequest, Authorization, BaseUrl, ManualTimer, ReqwestTransport, RetryPolicy,
    TransportOptions,
};
use counterfoil::id::ProviderName;
use counterfoil::{ErrorKind, Secret, Test};

const HEADS: [&str; 3] = [
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n",
    "HTTP/1.1 200 OK\r\n\r\n",
];
/// How many answers are seen before the measurement begins, and in all.
const ANSWERS: (usize, usize) = (30, 330);
const GROWTH_MAX_KIB: u64 = 2 << 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn endless_answers_leave_no_memory_behind() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let chunk = [b"4000\r\n".as_slice(), &[b' '; 1 << 14], b"\r\n"].concat();
        for number in 0..ANSWERS.1 {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            stream
                .write_all(HEADS[number % HEADS.len()].as_bytes())
                .unwrap();
            while stream.write_all(&chunk).is_ok() {}
        }
    });
    let options = TransportOptions::default();
    let client = ApiClient::new(
        ProviderName::new("example").unwrap(),
        &BaseUrl::<Test>::loopback(&address).unwrap(),
        Authorization::bearer(&Secret::new("sk_test_1")).unwrap(),
        Arc::new(ReqwestTransport::loopback(&options).unwrap()),
        Arc::new(ManualTimer::new()),
    )
    .with_retry_policy(RetryPolicy::never());
    let mut before = None;
    for number in 0..ANSWERS.1 {
        if number == ANSWERS.0 {
            before = resident_kib();
        }
        let request = ApiRequest::get(Operation::Account, &["account"]);
        let error = client.send(request).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::UnexpectedResponse);
    }
    let after = resident_kib();
    server.join().unwrap();
    let (Some(before), Some(after)) = (before, after) else {
        let skipped = "NOT RUN: this system does not tell how much memory a process has";
        let _ = writeln!(std::io::stderr(), "{skipped}");
        return;
    };
    let growth = after.saturating_sub(before);
    assert!(growth <= GROWTH_MAX_KIB, "{growth} KiB after {before} KiB");
}

/// The memory that this process has now.
fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
