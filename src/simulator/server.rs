//! A simulator behind a real HTTP server on loopback, so that any SDK and any browser can use it.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::{Answer, SimulatedProvider, WebhookDelivery};

/// The longest body that is read, in bytes; the simulator itself may allow less.
const BODY_MAX: usize = 8 * 1024 * 1024;
/// How long a receiver of webhooks has to answer.
const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(10);
/// How often webhooks that fall due are looked for.
const WEBHOOK_POLL: Duration = Duration::from_millis(50);
/// How long requests that are under way may take when the server stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// A running server. It stops when it is dropped, and more gently by [`SimulatorServer::stop`].
#[derive(Debug)]
pub struct SimulatorServer<P> {
    simulator: Arc<Mutex<P>>,
    address: SocketAddr,
    accepting: JoinHandle<()>,
    delivering: JoinHandle<()>,
    stop: Option<oneshot::Sender<()>>,
}

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The address is reachable from other machines.
    #[error("{0} is not a loopback address: a simulator listens on 127.0.0.1 or ::1 only")]
    NotLoopback(SocketAddr),
    /// The address could not be listened on.
    #[error("the address cannot be listened on")]
    Listen(#[source] io::Error),
}

impl<P: SimulatedProvider> SimulatorServer<P> {
    /// Serves `simulator` on `address`, which must be loopback; port 0 takes a free one. Webhooks
    /// that fall due are posted to loopback addresses only.
    ///
    /// The simulator's clock stands until someone moves it, or see [`SimulatorServer::start_live`].
    ///
    /// # Errors
    /// The address is not loopback or cannot be listened on.
    pub async fn start(simulator: Arc<Mutex<P>>, address: SocketAddr) -> Result<Self, ServerError> {
        Self::serve(simulator, address, false).await
    }

    /// As [`SimulatorServer::start`], and lets the simulator's clock run with the machine's, for
    /// use by hand.
    ///
    /// # Errors
    /// As [`SimulatorServer::start`].
    pub async fn start_live(
        simulator: Arc<Mutex<P>>,
        address: SocketAddr,
    ) -> Result<Self, ServerError> {
        Self::serve(simulator, address, true).await
    }

    async fn serve(
        simulator: Arc<Mutex<P>>,
        address: SocketAddr,
        live_clock: bool,
    ) -> Result<Self, ServerError> {
        if !address.ip().is_loopback() {
            return Err(ServerError::NotLoopback(address));
        }
        let listener = TcpListener::bind(address)
            .await
            .map_err(ServerError::Listen)?;
        let address = listener.local_addr().map_err(ServerError::Listen)?;
        lock(&simulator).set_base_url(&format!("http://{address}"));
        let (stop, stopped) = oneshot::channel();
        let handled = Arc::new(Notify::new());
        let accepting = tokio::spawn(accept(
            listener,
            Arc::clone(&simulator),
            Arc::clone(&handled),
            stopped,
        ));
        let delivering = tokio::spawn(deliver_due(Arc::clone(&simulator), handled, live_clock));
        Ok(Self {
            simulator,
            address,
            accepting,
            delivering,
            stop: Some(stop),
        })
    }

    /// Where SDKs and providers are to be pointed: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address that is listened on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The simulator behind the server. Hold the lock briefly: requests wait for it.
    #[must_use]
    pub fn simulator(&self) -> Arc<Mutex<P>> {
        Arc::clone(&self.simulator)
    }

    /// Takes no more connections, lets requests that are under way end, and stops.
    pub async fn stop(mut self) {
        self.delivering.abort();
        if let Some(stop) = self.stop.take() {
            // If no one listens any more, it has stopped already.
            let _ = stop.send(());
        }
        let _ = (&mut self.accepting).await;
    }
}

impl<P> Drop for SimulatorServer<P> {
    fn drop(&mut self) {
        self.accepting.abort();
        self.delivering.abort();
    }
}

/// A panic elsewhere while the simulator was held says nothing about its state.
fn lock<P>(simulator: &Mutex<P>) -> MutexGuard<'_, P> {
    simulator.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept<P: SimulatedProvider>(
    listener: TcpListener,
    simulator: Arc<Mutex<P>>,
    handled: Arc<Notify>,
    mut stopped: oneshot::Receiver<()>,
) {
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stopped => break,
        };
        let Ok((stream, _)) = accepted else {
            // Such as too many open files: other connections may end meanwhile.
            sleep(WEBHOOK_POLL).await;
            continue;
        };
        let (simulator, handled) = (Arc::clone(&simulator), Arc::clone(&handled));
        let service = service_fn(move |request| {
            let (simulator, handled) = (Arc::clone(&simulator), Arc::clone(&handled));
            async move { answer(&simulator, request, &handled).await }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        // A connection that breaks concerns no other.
        drop(tokio::spawn(async move {
            let _ = connection.await;
        }));
    }
    drop(listener);
    // Connections that do not end in time are left to end with their client.
    let _ = timeout(STOP_TIMEOUT, graceful.shutdown()).await;
}

/// An error here drops the connection without an answer.
async fn answer<P: SimulatedProvider>(
    simulator: &Mutex<P>,
    request: Request<Incoming>,
    handled: &Notify,
) -> Result<Response<MaybeCut>, Dropped> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_MAX).collect().await else {
        let mut response = Response::new(MaybeCut::whole(Bytes::new()));
        *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        return Ok(response);
    };
    let request = Request::from_parts(head, body.to_bytes());
    let answer = lock(simulator).handle(&request);
    handled.notify_one();
    match answer {
        Answer::Response(response) => Ok(response.map(MaybeCut::whole)),
        Answer::Late(response, by) => {
            sleep(by).await;
            Ok(response.map(MaybeCut::whole))
        }
        Answer::CutShort(response, kept) => Ok(response.map(|body| MaybeCut::cut(&body, kept))),
        Answer::Dropped { .. } => Err(Dropped),
    }
}

/// Why a connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("dropped on demand")]
struct Dropped;

/// A body that may break off before the length that it announced.
#[derive(Debug)]
struct MaybeCut {
    announced: u64,
    data: Option<Bytes>,
    breaks_off: bool,
    /// Whether what was given has had its chance to be sent.
    paused: bool,
}

impl MaybeCut {
    fn whole(body: Bytes) -> Self {
        Self {
            announced: body.len() as u64,
            data: Some(body).filter(|body| !body.is_empty()),
            breaks_off: false,
            paused: false,
        }
    }

    fn cut(body: &Bytes, kept: usize) -> Self {
        Self {
            announced: body.len() as u64,
            data: Some(body.slice(..kept.min(body.len()))),
            breaks_off: true,
            paused: false,
        }
    }
}

impl Body for MaybeCut {
    type Data = Bytes;
    type Error = Dropped;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Dropped>>> {
        match self.data.take() {
            Some(data) => Poll::Ready(Some(Ok(Frame::data(data)))),
            None if self.breaks_off && !self.paused => {
                // An error at once would throw away what hyper still holds back.
                self.paused = true;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            None if self.breaks_off => Poll::Ready(Some(Err(Dropped))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && !self.breaks_off
    }

    fn size_hint(&self) -> SizeHint {
        match &self.data {
            Some(_) => SizeHint::with_exact(self.announced),
            None => SizeHint::with_exact(0),
        }
    }
}

/// Posts webhooks as they fall due, one after the other, in their order.
async fn deliver_due<P: SimulatedProvider>(
    simulator: Arc<Mutex<P>>,
    handled: Arc<Notify>,
    live_clock: bool,
) {
    let started = Instant::now();
    let mut elapsed = 0;
    loop {
        let _ = timeout(WEBHOOK_POLL, handled.notified()).await;
        let due = {
            let mut simulator = lock(&simulator);
            let seconds = started.elapsed().as_secs();
            if live_clock && seconds > elapsed {
                simulator.advance(Duration::from_secs(seconds - elapsed));
                elapsed = seconds;
            }
            simulator.due_webhooks()
        };
        for delivery in due {
            let id = delivery.id;
            let status = timeout(WEBHOOK_TIMEOUT, post(delivery)).await;
            lock(&simulator).report_webhook(id, status.ok().flatten());
        }
    }
}

/// Posts one webhook and tells the status of the answer, if one came.
async fn post(delivery: WebhookDelivery) -> Option<u16> {
    let (mut head, body) = delivery.request.into_parts();
    let authority = head.uri.authority()?.clone();
    let port = authority.port_u16().unwrap_or(80);
    if head.uri.scheme_str() != Some("http") {
        return None;
    }
    let host = authority.host();
    let address = match host {
        "localhost" => SocketAddr::from(([127, 0, 0, 1], port)),
        ip => SocketAddr::new(ip.trim_matches(['[', ']']).parse().ok()?, port),
    };
    if !address.ip().is_loopback() {
        return None;
    }
    let stream = TcpStream::connect(address).await.ok()?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .ok()?;
    let connection = tokio::spawn(connection);
    let host = http::HeaderValue::from_str(authority.as_str()).ok()?;
    let _ = head.headers.insert(http::header::HOST, host);
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    head.uri = path.parse().ok()?;
    let response = sender
        .send_request(Request::from_parts(head, Full::<Bytes>::new(body)))
        .await;
    let status = response.ok()?.status().as_u16();
    connection.abort();
    Some(status)
}
