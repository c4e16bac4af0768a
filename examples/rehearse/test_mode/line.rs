//! The network, with the faults that the rehearsal wants on it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use counterfoil::conformance::{Fault, Strikes};
use counterfoil::http::{Delivered, ReqwestTransport, Transport, TransportError, TransportOptions};
use http::{Method, Request, Response};
use serde_json::Value;

/// The way to a provider's test mode.
#[derive(Debug)]
pub(crate) struct Line {
    network: ReqwestTransport,
    writes: &'static str,
    requests: AtomicUsize,
    waiting: Mutex<Option<Waiting>>,
}

/// A fault, and how many more requests it strikes.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    fault: Fault,
    on: Strikes,
    left: usize,
}

impl Line {
    /// To an address; faults of writes strike those whose path has `writes` in it.
    pub(crate) fn to(api_url: &str, writes: &'static str) -> Self {
        Self {
            network: network(api_url),
            writes,
            requests: AtomicUsize::new(0),
            waiting: Mutex::new(None),
        }
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Lets the next `left` requests of a kind meet a fault; 0 ends it.
    pub(crate) fn fault(&self, fault: Fault, on: Strikes, left: usize) {
        let waiting = (left > 0).then_some(Waiting { fault, on, left });
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = waiting;
    }

    fn fault_of(&self, request: &Request<Bytes>) -> Option<Fault> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let Waiting { fault, on, left } = waiting.as_mut()?;
        let is_struck = match on {
            Strikes::Reads => request.method() == Method::GET,
            Strikes::Writes => {
                request.method() != Method::GET && request.uri().path().contains(self.writes)
            }
        };
        if !is_struck || *left == 0 {
            return None;
        }
        *left -= 1;
        Some(*fault)
    }
}

#[async_trait]
impl Transport for Line {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        match self.fault_of(&request) {
            None => self.network.send(request).await,
            Some(Fault::LostBefore) => Err(lost()),
            Some(Fault::LostAfter) => {
                self.network.send(request).await?;
                Err(lost())
            }
            Some(Fault::ServerErrorAfter) => {
                self.network.send(request).await?;
                Ok(answer(500))
            }
            Some(Fault::RateLimited) => Ok(answer(429)),
            // The service has not been reached by what is left, nor by what is to come.
            Some(_) => Ok(answer(503)),
        }
    }
}

/// To this machine without TLS, and to others with it.
pub(crate) fn network(api_url: &str) -> ReqwestTransport {
    let options = TransportOptions::default();
    let network = if api_url.starts_with("http://") {
        ReqwestTransport::loopback(&options)
    } else {
        ReqwestTransport::new(&options)
    };
    network.unwrap()
}

/// Sends one request past the library and blocks until it is answered with a 2xx.
pub(crate) fn ask(api_url: &str, request: Request<Bytes>) -> Option<Value> {
    let asked = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let sent = async { network(api_url).send(request).await.ok() };
        let answer = runtime.ok()?.block_on(sent)?;
        let is_good = answer.status().is_success();
        is_good.then(|| serde_json::from_slice(answer.body()).ok())?
    };
    // The scenario has a runtime on this thread; this request has one on its own.
    std::thread::scope(|scope| scope.spawn(asked).join().ok()?)
}

fn lost() -> TransportError {
    TransportError {
        delivered: Delivered::Perhaps,
        cause: "the rehearsal has cut the line".into(),
    }
}

fn answer(status: u16) -> Response<Bytes> {
    let answer = Response::builder().status(status);
    answer.body(Bytes::new()).unwrap()
}
