//! The provider as a process: a simulator, the network before it, and its people.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use counterfoil::clock::Timestamp;
use counterfoil::simulator::{Fault, SimulatedProvider, SimulatorServer, WebhookFault};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use crate::clock;
use crate::control::{Booked, Say};
use crate::proxy::{self, Held};
use crate::psps::{self, Psp};

/// How the simulator is started.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Config {
    pub provider: String,
    pub seed: u64,
    pub start: i64,
    pub clock: PathBuf,
    pub webhook_url: String,
    pub webhook_secret: String,
    /// The longest that a request is under way, in seconds.
    pub longest_delay: i64,
    /// Whether only requests that change something are delayed.
    pub delays_only_writes: bool,
}

/// What it says once it can be reached.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Started {
    pub control: SocketAddr,
    /// The settings that lead a provider to it.
    pub settings: Vec<(String, String)>,
    pub root: Option<String>,
}

type Simulator = Arc<Mutex<Box<dyn Psp>>>;

/// Runs until its parent is gone.
///
/// # Panics
/// If it cannot be started.
pub fn run(config: &str) {
    let config: Config = serde_json::from_str(config).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(serve(config));
}

async fn serve(config: Config) {
    let start = Timestamp::from_unix(config.start);
    let mut psp = match &*config.provider {
        "stripe" => psps::new_stripe(config.seed, start),
        "paypal" => psps::new_paypal(config.seed, start),
        "adyen" => psps::new_adyen(config.seed, start),
        other => panic!("{other} is not simulated"),
    };
    psp.subscribe(&config.webhook_url, &config.webhook_secret);
    let simulator: Simulator = Arc::new(Mutex::new(psp));
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = SimulatorServer::start(Arc::clone(&simulator), loopback);
    let server = server.await.unwrap();
    let front = TcpListener::bind(loopback).await.unwrap();
    let base_url = format!("http://{}", front.local_addr().unwrap());
    simulator.lock().unwrap().set_base_url(&base_url);
    clock::write(&config.clock, start);
    let (seed, longest) = (config.seed ^ 0xde1a, config.longest_delay);
    let held = Held::new(config.start, seed, longest, config.delays_only_writes);
    let held = Arc::new(held);
    tokio::spawn(proxy::serve(front, server.address(), Arc::clone(&held)));
    let listener = TcpListener::bind(loopback).await.unwrap();
    let started = {
        let simulator = simulator.lock().unwrap();
        let settings = simulator.settings(&base_url, Some(&config.webhook_secret));
        let settings = settings.into_iter();
        Started {
            control: listener.local_addr().unwrap(),
            settings: settings.map(|(name, value)| (name.into(), value)).collect(),
            root: simulator.trust_root(),
        }
    };
    println!("{}", serde_json::to_string(&started).unwrap());
    let turn = Arc::new(tokio::sync::Mutex::new(()));
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let people = People {
            simulator: Arc::clone(&simulator),
            held: Arc::clone(&held),
            clock: config.clock.clone(),
            turn: Arc::clone(&turn),
        };
        tokio::spawn(people.listen(stream));
    }
}

/// Customers, and time itself.
struct People {
    simulator: Simulator,
    held: Arc<Held>,
    clock: PathBuf,
    /// One moves the time at once.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl People {
    async fn listen(self, stream: TcpStream) {
        stream.set_nodelay(true).unwrap();
        let (reads, mut writes) = stream.into_split();
        let mut lines = BufReader::new(reads).lines();
        // Who speaks may be killed between any two bytes.
        while let Ok(Some(line)) = lines.next_line().await {
            let Ok(said) = serde_json::from_str(&line) else {
                return;
            };
            let answer = self.answer(said).await + "\n";
            if writes.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    async fn answer(&self, said: Say) -> String {
        let answer = match said {
            Say::Advance(seconds) => serde_json::to_string(&self.advance(seconds).await),
            Say::Pay { page, card } => {
                let seen = self.simulator.lock().unwrap().pay(&page, &card);
                serde_json::to_string(&format!("{seen:?}"))
            }
            Say::Storm => {
                storm(&mut **self.simulator.lock().unwrap());
                serde_json::to_string(&())
            }
            Say::Calm => {
                calm(&mut **self.simulator.lock().unwrap());
                serde_json::to_string(&())
            }
            Say::Books => serde_json::to_string(&books(&mut **self.simulator.lock().unwrap())),
        };
        answer.unwrap()
    }

    /// Moves the time, but never past what the network has to hand on first: a request is as late
    /// as it was meant to be, and no later, however slow the machine is.
    async fn advance(&self, seconds: u64) -> i64 {
        let _turn = self.turn.lock().await;
        let mut left = seconds;
        loop {
            while self.held.has_overdue() {
                sleep(Duration::from_millis(1)).await;
            }
            let step = left.min(60);
            let now = {
                let mut simulator = self.simulator.lock().unwrap();
                simulator.advance(Duration::from_secs(step));
                simulator.now()
            };
            clock::write(&self.clock, now);
            self.held.set_now(now.unix());
            left -= step;
            if left == 0 {
                return now.unix();
            }
        }
    }
}

/// What befalls requests, by how many of a thousand. A 500 that is kept under its key is left out: it
/// ends only when the provider forgets the key, a day later.
const ODDS: [(Fault, u16); 6] = [
    (Fault::DropBefore, 20),
    (Fault::DropAfter, 30),
    (Fault::ErrorBefore, 20),
    (Fault::Unavailable, 10),
    (Fault::RateLimited, 10),
    (Fault::Truncated, 10),
];

const WEBHOOK_ODDS: [(WebhookFault, u16); 3] = [
    (WebhookFault::Duplicate, 150),
    (WebhookFault::Delay(Duration::from_secs(600)), 100),
    (WebhookFault::Reorder, 100),
];

fn storm(psp: &mut dyn Psp) {
    for (fault, permille) in ODDS {
        psp.faults().set_odds(fault, permille);
    }
    for (fault, permille) in WEBHOOK_ODDS {
        psp.webhook_odds().set_odds(fault, permille);
    }
}

fn calm(psp: &mut dyn Psp) {
    psp.faults().clear();
    for (fault, _) in WEBHOOK_ODDS {
        psp.webhook_odds().set_odds(fault, 0);
    }
}

fn books(psp: &mut dyn Psp) -> Vec<Booked> {
    let entries = psp.books();
    let booked = entries.into_iter().map(|entry| {
        let refunds = match entry.captured > 0 {
            true => psp.refunds_of(&entry.payment),
            false => Some(Vec::new()),
        };
        let refunds = refunds.map(|refunds| {
            let with_payer = refunds.into_iter().filter(|refund| refund.is_with_payer);
            with_payer
                .map(|refund| (refund.command, refund.amount))
                .collect()
        });
        Booked {
            order: entry
                .reference
                .map(|reference| reference.order.as_str().to_owned()),
            payment: entry.payment,
            captured: entry.captured,
            refunded: entry.refunded,
            charges: entry.charges,
            refunds,
        }
    });
    booked.collect()
}
