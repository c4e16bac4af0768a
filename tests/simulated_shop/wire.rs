//! The way from a node to the providers: requests travel, arrive late or never, and so do answers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use counterfoil::http::{Delivered, Transport, TransportError};
use counterfoil::simulator::{Answer, Fault, FaultRule};
use http::{HeaderValue, Method, Request, Response};

use super::defect::Defect;
use super::dice::Dice;
use super::psps::Psp;
use super::script::{OUTAGE, Trouble};
use super::time::Time;

/// How long a node waits for an answer, in milliseconds.
const TIMEOUT: u64 = 30_000;
/// How long after it was sent a request can still arrive: ten minutes.
const LATEST: u32 = 600_000;
/// The headers that providers read a key from.
const KEYS: [&str; 2] = ["idempotency-key", "paypal-request-id"];

/// What becomes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is answered.
    Answered,
    /// There is no connection.
    Unreachable,
    /// It never arrives.
    RequestLost,
    /// It arrives after its sender has given up.
    RequestLate,
    /// It is processed, and the answer never arrives.
    AnswerLost,
    /// It arrives, and this happens at the provider.
    At(Fault),
}

impl Fate {
    /// Everything that can go wrong, each with how often it does, in ten thousandths.
    pub const FAULTS: [(Self, u32); 14] = [
        (Self::Unreachable, 50),
        (Self::RequestLost, 60),
        (Self::RequestLate, 40),
        (Self::AnswerLost, 60),
        (Self::At(Fault::DropBefore), 20),
        (Self::At(Fault::DropAfter), 30),
        (Self::At(Fault::ErrorBefore), 50),
        (Self::At(Fault::ErrorStored), 30),
        (Self::At(Fault::ErrorAfter), 50),
        (Self::At(Fault::RateLimited), 50),
        (Self::At(Fault::Locked), 30),
        (Self::At(Fault::Truncated), 30),
        (Self::At(Fault::Slow(Duration::from_secs(10))), 30),
        (Self::At(Fault::Slow(Duration::from_secs(45))), 30),
    ];

    fn draw(dice: &Dice) -> Self {
        if dice.is_calm() {
            return Self::Answered;
        }
        let mut drawn = dice.below(10_000);
        for (fate, odds) in Self::FAULTS {
            if drawn < odds {
                return fate;
            }
            drawn -= odds;
        }
        Self::Answered
    }
}

/// The providers and everything that is on its way there.
#[derive(Debug)]
pub struct Wire {
    psps: BTreeMap<&'static str, Mutex<Box<dyn Psp>>>,
    flights: Mutex<BTreeMap<(u64, u64), Flight>>,
    sent: AtomicU64,
    trouble: Trouble,
    /// Until when a scripted outage lasts, once it has begun.
    outage_until: AtomicU64,
    dice: Arc<Dice>,
    time: Arc<Time>,
    defect: Option<Defect>,
}

#[derive(Debug)]
struct Flight {
    psp: &'static str,
    request: Request<Bytes>,
    fault: Option<Fault>,
    reply: Reply,
}

type Reply = Arc<Mutex<Option<Answer>>>;

impl Wire {
    pub fn new(
        psps: Vec<Box<dyn Psp>>,
        trouble: Trouble,
        dice: Arc<Dice>,
        time: Arc<Time>,
        defect: Option<Defect>,
    ) -> Self {
        Self {
            psps: psps
                .into_iter()
                .map(|psp| (psp.name(), Mutex::new(psp)))
                .collect(),
            flights: Mutex::default(),
            sent: AtomicU64::new(0),
            trouble,
            outage_until: AtomicU64::new(0),
            dice,
            time,
            defect,
        }
    }

    /// The provider of this name.
    pub fn psp(&self, name: &str) -> MutexGuard<'_, Box<dyn Psp>> {
        lock(&self.psps[name])
    }

    pub fn psps(&self) -> impl Iterator<Item = MutexGuard<'_, Box<dyn Psp>>> {
        self.psps.values().map(lock)
    }

    /// How many requests were sent so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    pub fn next_arrival(&self) -> Option<u64> {
        lock(&self.flights).keys().next().map(|(at, _)| *at)
    }

    /// Lets requests arrive, whether or not their senders still live.
    pub fn arrive(&self) {
        loop {
            let flight = {
                let mut flights = lock(&self.flights);
                let Some(first) = flights.first_entry() else {
                    return;
                };
                if first.key().0 > self.time.millis() {
                    return;
                }
                first.remove()
            };
            let mut psp = self.psp(flight.psp);
            if let Some(fault) = flight.fault {
                psp.faults().script(FaultRule::next(fault));
            }
            *lock(&flight.reply) = Some(psp.handle(&flight.request));
        }
    }

    fn scripted_fate(&self, number: u64) -> Option<Fate> {
        let now = self.time.millis();
        match self.trouble {
            Trouble::Request { number: its, fate } if its == number => Some(fate),
            Trouble::Outage { from, fate } if from <= number => {
                if from == number {
                    self.outage_until.store(now + OUTAGE, Ordering::Relaxed);
                }
                (now < self.outage_until.load(Ordering::Relaxed)).then_some(fate)
            }
            _ => None,
        }
    }

    fn spoil_key(&self, request: &mut Request<Bytes>, number: u64, process: u64) {
        let path = request.uri().path();
        let is_refund = path == "/v1/refunds" || path.ends_with("/refund");
        let mut names = KEYS.into_iter();
        let Some(name) = names.find(|name| request.headers().contains_key(*name)) else {
            return;
        };
        let key = request.headers()[name].clone();
        let with = |suffix: u64| {
            let mut spoiled = key.as_bytes().to_vec();
            spoiled.extend_from_slice(format!("-{suffix}").as_bytes());
            HeaderValue::from_bytes(&spoiled).unwrap()
        };
        let headers = request.headers_mut();
        match self.defect {
            Some(Defect::NoKey) => drop(headers.remove(name)),
            Some(Defect::RefundWithoutKey) if is_refund => drop(headers.remove(name)),
            Some(Defect::FreshKeyPerRetry) => drop(headers.insert(name, with(number))),
            Some(Defect::KeyNotStoredFirst) => drop(headers.insert(name, with(process))),
            _ => {}
        }
    }
}

/// One process's connection to one provider.
#[derive(Debug)]
pub struct Line {
    pub wire: Arc<Wire>,
    pub psp: &'static str,
    /// Which process it is, counted over all nodes and restarts.
    pub process: u64,
}

#[async_trait]
impl Transport for Line {
    async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let Wire { time, dice, .. } = &*self.wire;
        let number = self.wire.sent.fetch_add(1, Ordering::Relaxed);
        let fate = self.wire.scripted_fate(number);
        let fate = fate.unwrap_or_else(|| Fate::draw(dice));
        if request.method() == Method::POST {
            self.wire.spoil_key(&mut request, number, self.process);
        }
        let there = u64::from(20 + dice.below(200));
        let late = u64::from(dice.below(LATEST));
        let reply = Reply::default();
        let travels = match fate {
            Fate::Unreachable | Fate::RequestLost => None,
            Fate::RequestLate => Some(TIMEOUT + late),
            Fate::Answered | Fate::AnswerLost | Fate::At(_) => Some(there),
        };
        if let Some(travels) = travels {
            let flight = Flight {
                psp: self.psp,
                request,
                fault: match fate {
                    Fate::At(fault) => Some(fault),
                    _ => None,
                },
                reply: Arc::clone(&reply),
            };
            let key = (time.millis() + travels, number);
            lock(&self.wire.flights).insert(key, flight);
        }
        time.pass(there).await;
        match fate {
            Fate::Unreachable => return Err(lost(Delivered::No, "there is no connection")),
            Fate::RequestLost | Fate::RequestLate | Fate::AnswerLost => {
                time.pass(TIMEOUT - there).await;
                return Err(lost(Delivered::Perhaps, "no answer came in time"));
            }
            Fate::Answered | Fate::At(_) => {}
        }
        let answer = lock(&reply).take();
        match answer {
            Some(Answer::Response(response)) => {
                time.pass(u64::from(10 + dice.below(200))).await;
                Ok(response)
            }
            Some(Answer::Late(response, by)) => {
                let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
                time.pass(by.min(TIMEOUT)).await;
                match by <= TIMEOUT {
                    true => Ok(response),
                    false => Err(lost(Delivered::Perhaps, "no answer came in time")),
                }
            }
            _ => Err(lost(Delivered::Perhaps, "the connection broke")),
        }
    }
}

fn lost(delivered: Delivered, cause: &'static str) -> TransportError {
    TransportError {
        delivered,
        cause: cause.into(),
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
