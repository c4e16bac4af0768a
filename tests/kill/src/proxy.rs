//! The network between host and provider: it holds requests back, also those of a host that has
//! died since. A request arrives late, and a host that was started anew looks before it arrives.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// How long the provider has to answer what came from a host that is gone.
const LAST_ANSWER: Duration = Duration::from_millis(300);

/// What is held back, and until when on the simulator's clock.
#[derive(Debug)]
pub struct Held(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    now: i64,
    next: u64,
    due: BTreeMap<u64, i64>,
    dice: fastrand::Rng,
    /// The longest that a request is held back, in seconds.
    longest: i64,
    /// Whether only what changes something is held back.
    only_writes: bool,
}

impl Held {
    #[must_use]
    pub fn new(now: i64, seed: u64, longest: i64, only_writes: bool) -> Self {
        Self(Mutex::new(Inner {
            now,
            next: 0,
            due: BTreeMap::new(),
            dice: fastrand::Rng::with_seed(seed),
            longest,
            only_writes,
        }))
    }

    /// Whether something is due that was not handed on yet.
    #[must_use]
    pub fn has_overdue(&self) -> bool {
        let inner = self.0.lock().unwrap();
        inner.due.values().any(|due| *due <= inner.now)
    }

    pub fn set_now(&self, now: i64) {
        self.0.lock().unwrap().now = now;
    }

    /// Two requests in three go on at once.
    fn hold(&self, request: &[u8]) -> u64 {
        let mut inner = self.0.lock().unwrap();
        let longest = inner.longest;
        let may_wait = !inner.only_writes || request.starts_with(b"POST ");
        let by = match may_wait && inner.dice.u8(0..3) == 0 {
            true => inner.dice.i64(0..longest),
            false => 0,
        };
        inner.next += 1;
        let (id, due) = (inner.next, inner.now + by);
        inner.due.insert(id, due);
        id
    }

    fn is_held(&self, id: u64) -> bool {
        let inner = self.0.lock().unwrap();
        inner.due.get(&id).is_some_and(|due| *due > inner.now)
    }

    fn hand_on(&self, id: u64) {
        self.0.lock().unwrap().due.remove(&id);
    }
}

/// Hands every connection on to `upstream`.
pub async fn serve(listener: TcpListener, upstream: SocketAddr, held: Arc<Held>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let held = Arc::clone(&held);
        tokio::spawn(async move {
            // A connection that breaks concerns no other.
            let _ = hand_on(client, upstream, &held).await;
        });
    }
}

async fn hand_on(client: TcpStream, upstream: SocketAddr, held: &Held) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let server = TcpStream::connect(upstream).await?;
    server.set_nodelay(true)?;
    let (mut asks, mut hears) = client.into_split();
    let (mut answers, mut takes) = server.into_split();
    let back = tokio::spawn(async move { copy(&mut answers, &mut hears).await });
    let mut bytes = vec![0; 64 << 10];
    // What was read is handed on, whatever becomes of who sent it.
    while let Ok(read @ 1..) = asks.read(&mut bytes).await {
        let id = held.hold(&bytes[..read]);
        while held.is_held(id) {
            sleep(Duration::from_millis(1)).await;
        }
        let handed_on = takes.write_all(&bytes[..read]).await;
        held.hand_on(id);
        handed_on?;
    }
    sleep(LAST_ANSWER).await;
    back.abort();
    Ok(())
}
