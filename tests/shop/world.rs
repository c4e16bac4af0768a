//! A whole shop in one thread: shoppers, staff, a provider, one node or several, and a seed that
//! decides what goes wrong. The same seed gives the same trace.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use counterfoil::cashier::{Cashier, MemoryStore, OrderRecord};
use counterfoil::clock::{Clock, ManualClock, Timestamp};
use counterfoil::id::{CommandId, Namespace, OrderId};
use counterfoil::money::{Currency, Money, PositiveMoney};
use counterfoil::payment::PaymentStatus;
use counterfoil::refund::RefundStatus;
use counterfoil::request::{CaptureRequest, Checkout, CreateRequest, RefundRequest};
use counterfoil::webhook::WebhookRequest;
use counterfoil::{Error, ErrorKind, Provider, Test};

use super::bank::{News, Write};
use super::faults::{Defect, Dice, ShakyStore};
use super::psp::{Line, Psp, webhook};

const START: i64 = 1_767_225_600;
const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
const DAY: i64 = 86_400;
/// Until then things go wrong.
const STORM: i64 = START + 3 * DAY;
/// Until then everything must have come to its end.
const END: i64 = START + 14 * DAY;

/// One order and what will happen to it.
#[derive(Debug, Clone)]
pub struct Plan {
    pub total: i64,
    pub is_direct: bool,
    pub is_manual: bool,
    pub refunds: Vec<i64>,
}

#[derive(Debug, Clone)]
enum Job {
    Place(usize),
    CheckOut(usize),
    Resume(usize),
    Amend(usize),
    Close(usize),
    Capture(usize),
    Refund(usize, usize),
    Receive(String, Box<WebhookRequest>),
    Sweep,
    Outbox,
}

#[derive(Debug, Clone)]
enum Deed {
    Run(Job, u32),
    Pay(usize, String),
    Decline(usize, String),
    EndRefund(String, usize, RefundStatus),
    Dashboard(usize),
}

#[derive(Debug)]
enum Outcome {
    Done,
    Shown(String),
    Again,
}

struct Task {
    node: usize,
    job: Job,
    tries: u32,
    work: Pin<Box<dyn Future<Output = Outcome>>>,
}

/// What the host has done with its cues. It acts, and then acknowledges.
#[derive(Debug, Default)]
pub struct Acted {
    /// The ids on which it acted, by order and kind: a host acts once per id.
    pub ids: BTreeMap<(String, String), BTreeSet<String>>,
    acknowledged: BTreeSet<String>,
    /// Cues that came again after they had been acknowledged.
    pub again: BTreeSet<String>,
}

pub struct World {
    pub plans: Vec<Plan>,
    pub psp: Arc<Psp>,
    pub acted: Arc<Mutex<Acted>>,
    pub trace: DefaultHasher,
    pub crashes: u32,
    dice: Arc<Dice>,
    clock: Arc<ManualClock>,
    store: Arc<MemoryStore>,
    nodes: Vec<Cashier<Test>>,
    defect: Option<Defect>,
    agenda: BTreeMap<(i64, u64), Deed>,
    number: u64,
    tasks: Vec<Task>,
    shown: BTreeSet<String>,
}

impl World {
    pub fn new(seed: u64, orders: usize, nodes: usize, defect: Option<Defect>) -> Self {
        let dice = Dice::new(seed, 25);
        let clock = Arc::new(ManualClock::new(Timestamp::from_unix(START)));
        let psp = Psp::new(Arc::clone(&clock), Arc::clone(&dice));
        let mut world = Self {
            plans: Vec::new(),
            psp,
            acted: Arc::default(),
            trace: DefaultHasher::new(),
            crashes: 0,
            dice,
            clock,
            store: Arc::new(MemoryStore::new()),
            nodes: Vec::new(),
            defect,
            agenda: BTreeMap::new(),
            number: 0,
            tasks: Vec::new(),
            shown: BTreeSet::new(),
        };
        for _ in 0..nodes {
            let node = world.boot();
            world.nodes.push(node);
        }
        for order in 0..orders {
            world.plan(order);
        }
        let mut at = START;
        while at < END {
            if defect != Some(Defect::NoSweep) {
                world.schedule(at, Deed::Run(Job::Sweep, 0));
            }
            world.schedule(at, Deed::Run(Job::Outbox, 0));
            at += if at < STORM { 10 * MINUTE } else { 2 * HOUR };
        }
        world
    }

    /// Runs to the end.
    pub fn run(&mut self) {
        let mut is_calm = false;
        loop {
            self.tell_news();
            let is_idle = self.tasks.is_empty();
            // Time goes on while work is under way, now and then.
            if !is_idle && !self.dice.chance(20) {
                self.step();
                continue;
            }
            let Some(((at, _), deed)) = self.agenda.pop_first() else {
                if is_idle {
                    return;
                }
                self.step();
                continue;
            };
            if at > self.psp.now() {
                self.clock.set(Timestamp::from_unix(at));
            }
            if at >= STORM && !is_calm {
                is_calm = true;
                self.dice.calm_down();
            }
            self.psp.deliver_late();
            self.act(deed);
        }
    }

    /// Reads an order when all is over.
    pub fn record(&self, order: usize) -> OrderRecord<Test> {
        let id = id(order);
        let mut work = Box::pin(self.nodes[0].order(&id));
        loop {
            let mut context = Context::from_waker(Waker::noop());
            if let Poll::Ready(record) = work.as_mut().poll(&mut context) {
                return record.unwrap();
            }
        }
    }

    fn plan(&mut self, order: usize) {
        let dice = Arc::clone(&self.dice);
        let total = 100 + i64::from(dice.below(10_000));
        let is_manual = dice.chance(150);
        let mut refunds = Vec::new();
        if dice.chance(400) {
            // Of two of more than half at once, at most one can be done.
            let amount = match dice.chance(300) {
                true => total / 2 + 1,
                false => total / 3,
            };
            refunds.push(amount);
            if dice.chance(500) {
                refunds.push(amount);
            }
        }
        let at = START + i64::from(dice.below(2 * 86_400));
        self.schedule(at, Deed::Run(Job::Place(order), 0));
        let click = at + 5 + i64::from(dice.below(60));
        self.schedule(click, Deed::Run(Job::CheckOut(order), 0));
        if dice.chance(250) {
            self.schedule(click, Deed::Run(Job::CheckOut(order), 0));
        }
        let later = |hours: u32| at + i64::from(dice.below(hours * 3600));
        if dice.chance(80) {
            self.schedule(later(1), Deed::Run(Job::Amend(order), 0));
        }
        if dice.chance(100) {
            self.schedule(later(3), Deed::Run(Job::Close(order), 0));
        }
        if is_manual {
            self.schedule(later(6), Deed::Run(Job::Capture(order), 0));
        }
        let asked = later(24);
        for refund in 0..refunds.len() {
            self.schedule(asked, Deed::Run(Job::Refund(order, refund), 0));
        }
        if dice.chance(40) {
            self.schedule(later(30), Deed::Dashboard(order));
        }
        self.plans.push(Plan {
            total,
            is_direct: dice.chance(300),
            is_manual,
            refunds,
        });
    }

    /// Starts a process on the store that is there.
    fn boot(&self) -> Cashier<Test> {
        let line = Line::new(Arc::clone(&self.psp), self.defect);
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let provider = Provider::new(line, Namespace::new("shop").unwrap());
        let provider = provider.with_clock(Arc::clone(&clock));
        let store = ShakyStore {
            inner: Arc::clone(&self.store),
            dice: Arc::clone(&self.dice),
            defect: self.defect,
        };
        let mut opening = Box::pin(Cashier::open(provider, Arc::new(store)));
        let mut context = Context::from_waker(Waker::noop());
        match opening.as_mut().poll(&mut context) {
            Poll::Ready(cashier) => cashier.unwrap().with_clock(clock),
            Poll::Pending => panic!("opening the memory store does not wait"),
        }
    }

    fn schedule(&mut self, at: i64, deed: Deed) {
        self.number += 1;
        self.agenda.insert((at, self.number), deed);
    }

    /// Gives one task one turn, or lets a node die between two turns.
    fn step(&mut self) {
        if self.psp.now() < STORM && self.dice.chance(3) {
            let node = self.dice.below(u32::try_from(self.nodes.len()).unwrap()) as usize;
            self.crash(node);
            return;
        }
        if self.tasks.is_empty() {
            return;
        }
        let place = self.dice.below(u32::try_from(self.tasks.len()).unwrap()) as usize;
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(outcome) = self.tasks[place].work.as_mut().poll(&mut context) {
            let task = self.tasks.swap_remove(place);
            self.finish(&task, outcome);
        }
    }

    fn crash(&mut self, node: usize) {
        self.crashes += 1;
        (self.psp.now(), "crash", node).hash(&mut self.trace);
        let tasks = std::mem::take(&mut self.tasks);
        let (dead, alive): (Vec<_>, Vec<_>) = tasks.into_iter().partition(|task| task.node == node);
        self.tasks = alive;
        self.nodes[node] = self.boot();
        for task in dead {
            self.finish(&task, Outcome::Again);
        }
    }

    fn finish(&mut self, task: &Task, outcome: Outcome) {
        let now = self.psp.now();
        (
            now,
            task.node,
            format!("{:?}", task.job),
            format!("{outcome:?}"),
        )
            .hash(&mut self.trace);
        match (outcome, &task.job) {
            (Outcome::Shown(raw), Job::CheckOut(order)) => self.shopper_sees(*order, raw),
            // A browser that stays away, and jobs that come by themselves.
            (Outcome::Again, Job::Resume(_) | Job::Sweep | Job::Outbox) => {}
            (Outcome::Again, job) if task.tries < 12 => {
                let wait = 20 + i64::from(self.dice.below(60)) + (MINUTE << task.tries.min(8));
                self.schedule(now + wait, Deed::Run(job.clone(), task.tries + 1));
            }
            _ => {}
        }
    }

    fn shopper_sees(&mut self, order: usize, raw: String) {
        let now = self.psp.now();
        if !self.shown.insert(raw.clone()) {
            return;
        }
        let at = now + 10 + i64::from(self.dice.below(1200));
        match self.dice.below(10) {
            0 => self.schedule(at, Deed::Run(Job::CheckOut(order), 0)),
            1 => {}
            2 | 3 => {
                self.schedule(at, Deed::Decline(order, raw.clone()));
                if self.dice.chance(300) {
                    self.schedule(at + MINUTE, Deed::Pay(order, raw));
                } else {
                    self.schedule(at + MINUTE, Deed::Run(Job::CheckOut(order), 0));
                }
            }
            _ => self.schedule(at, Deed::Pay(order, raw)),
        }
    }

    fn act(&mut self, deed: Deed) {
        let now = self.psp.now();
        match deed {
            Deed::Run(job, tries) => {
                let node = self.dice.below(u32::try_from(self.nodes.len()).unwrap()) as usize;
                let work = Box::pin(perform(
                    self.nodes[node].clone(),
                    job.clone(),
                    self.plans.get(job.order()).cloned(),
                    Arc::clone(&self.acted),
                ));
                self.tasks.push(Task {
                    node,
                    job,
                    tries,
                    work,
                });
            }
            Deed::Pay(order, raw) => {
                self.psp.bank().shopper_pays(&raw, now);
                if self.dice.chance(600) {
                    self.schedule(now + 2, Deed::Run(Job::Resume(order), 0));
                }
            }
            Deed::Decline(order, raw) => {
                self.psp.bank().shopper_is_declined(&raw, now);
                if self.dice.chance(500) {
                    self.schedule(now + 2, Deed::Run(Job::Resume(order), 0));
                }
            }
            Deed::EndRefund(raw, place, status) => {
                self.psp.bank().end_refund(&raw, place, status, now);
            }
            Deed::Dashboard(order) => {
                let order = id(order);
                let mut bank = self.psp.bank();
                let captured = bank
                    .of_order(&order)
                    .find(|a| a.payment.captured.minor() > 3);
                if let Some(account) = captured {
                    let write = Write::Refund {
                        payment: account.payment.id.raw().to_owned(),
                        amount: Money::new(account.payment.captured.minor() / 4, Currency::EUR),
                        command: None,
                    };
                    // All of it may have gone back already.
                    let _ = bank.write(write, None, now);
                }
            }
        }
    }

    /// Sends webhooks about what has changed at the provider: once, twice, late or never.
    fn tell_news(&mut self) {
        let news = std::mem::take(&mut self.psp.bank().news);
        let now = self.psp.now();
        for news in news {
            self.number += 1;
            let event = format!("evt_{}", self.number);
            if let News::Refund(refund) = &news {
                self.plan_refund(refund.payment.raw(), refund.id.raw(), &refund.status);
            }
            let request = Box::new(webhook(&event, &news));
            let copies = match self.dice.below(100) {
                0..5 => 0,
                5..20 => 2,
                _ => 1,
            };
            for _ in 0..copies {
                let delay = match self.dice.below(10) {
                    0 => self.dice.below(20 * 3600),
                    _ => self.dice.below(30),
                };
                let job = Job::Receive(event.clone(), request.clone());
                self.schedule(now + i64::from(delay), Deed::Run(job, 0));
            }
        }
    }

    fn plan_refund(&mut self, payment: &str, refund: &str, status: &RefundStatus) {
        let now = self.psp.now();
        let place = {
            let bank = self.psp.bank();
            let mut refunds = bank.payments[payment].refunds.iter();
            refunds.position(|known| known.id.raw() == refund).unwrap()
        };
        let (wait, end) = match (status, self.dice.below(20)) {
            (RefundStatus::Pending, 0) => (HOUR, RefundStatus::Canceled),
            (RefundStatus::Pending, _) => (2 * HOUR, RefundStatus::Succeeded),
            (RefundStatus::Succeeded, 0) => (DAY, RefundStatus::Failed),
            _ => return,
        };
        self.schedule(now + wait, Deed::EndRefund(payment.to_owned(), place, end));
    }
}

impl Job {
    const fn order(&self) -> usize {
        match self {
            Self::Place(order)
            | Self::CheckOut(order)
            | Self::Resume(order)
            | Self::Amend(order)
            | Self::Close(order)
            | Self::Capture(order)
            | Self::Refund(order, _) => *order,
            Self::Receive(..) | Self::Sweep | Self::Outbox => usize::MAX,
        }
    }
}

pub fn id(order: usize) -> OrderId {
    OrderId::new(&format!("order-{order}")).unwrap()
}

/// What an amended order costs.
pub fn amended(total: i64) -> i64 {
    total + 50
}

fn eur(minor: i64) -> PositiveMoney {
    PositiveMoney::new(Money::new(minor, Currency::EUR)).unwrap()
}

async fn perform(
    cashier: Cashier<Test>,
    job: Job,
    plan: Option<Plan>,
    acted: Arc<Mutex<Acted>>,
) -> Outcome {
    let done = match job {
        Job::Place(order) => {
            let placed = cashier.place(&id(order), eur(plan.unwrap().total)).await;
            placed.map(|_| Outcome::Done)
        }
        Job::CheckOut(order) => check_out(&cashier, order, &plan.unwrap()).await,
        Job::Resume(order) => cashier.resume(&id(order)).await.map(|_| Outcome::Done),
        Job::Amend(order) => {
            let total = eur(amended(plan.unwrap().total));
            cashier
                .amend(&id(order), total)
                .await
                .map(|_| Outcome::Done)
        }
        Job::Close(order) => cashier.close(&id(order)).await.map(|_| Outcome::Done),
        Job::Capture(order) => capture(&cashier, order).await,
        Job::Refund(order, number) => refund(&cashier, order, number, &plan.unwrap()).await,
        Job::Receive(_, request) => match cashier.receive(&request).await.answer {
            200 => Ok(Outcome::Done),
            _ => Ok(Outcome::Again),
        },
        Job::Sweep => cashier.sweep().await.map(|_| Outcome::Done),
        Job::Outbox => deliver(&cashier, &acted).await.map(|()| Outcome::Done),
    };
    match done {
        Ok(outcome) => outcome,
        // The answer is no, and will be.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::Conflict | ErrorKind::InvalidRequest | ErrorKind::Declined(_)
            ) && error.effect() == counterfoil::Effect::NotApplied =>
        {
            Outcome::Done
        }
        Err(_) => Outcome::Again,
    }
}

async fn check_out(cashier: &Cashier<Test>, order: usize, plan: &Plan) -> Result<Outcome, Error> {
    let id = id(order);
    let total = cashier.order(&id).await?.order.total;
    let how = if plan.is_direct {
        Checkout::token("tok_visa", "https://shop.example/back")
    } else {
        Checkout::hosted("https://shop.example/done", "https://shop.example/cart")
    };
    let mut request = CreateRequest::new(id, PositiveMoney::new(total)?, how);
    if plan.is_manual {
        request = request.with_manual_capture();
    }
    let payment = cashier.check_out(&request).await?;
    Ok(Outcome::Shown(payment.id.raw().to_owned()))
}

async fn capture(cashier: &Cashier<Test>, order: usize) -> Result<Outcome, Error> {
    let record = cashier.order(&id(order)).await?;
    let mut payments = record.payments.iter().filter_map(|p| p.ledger.payment());
    let Some(held) = payments.find(|p| p.status == PaymentStatus::Authorized) else {
        return Ok(Outcome::Done);
    };
    let command = CommandId::new("capture").unwrap();
    let request = CaptureRequest::new(
        held.id.clone(),
        PositiveMoney::new(held.capturable)?,
        command,
    );
    cashier.capture(&request).await.map(|_| Outcome::Done)
}

async fn refund(
    cashier: &Cashier<Test>,
    order: usize,
    number: usize,
    plan: &Plan,
) -> Result<Outcome, Error> {
    let record = cashier.order(&id(order)).await?;
    let mut payments = record.payments.iter().filter_map(|p| p.ledger.payment());
    let Some(taken) = payments.find(|p| p.captured.is_positive()) else {
        return Ok(Outcome::Done);
    };
    let command = CommandId::new(&format!("refund-{order}-{number}")).unwrap();
    let request = RefundRequest::new(taken.id.clone(), eur(plan.refunds[number]), command);
    cashier.refund(&request).await.map(|_| Outcome::Done)
}

/// The host acts on each cue and acknowledges it.
async fn deliver(cashier: &Cashier<Test>, acted: &Mutex<Acted>) -> Result<(), Error> {
    for cue in cashier.confirmations(Duration::from_secs(300), 50).await? {
        {
            let mut acted = acted.lock().unwrap();
            let key = (cue.order.to_string(), cue.kind.to_string());
            acted.ids.entry(key).or_default().insert(cue.id.clone());
            if acted.acknowledged.contains(&cue.id) {
                acted.again.insert(cue.order.to_string());
            }
        }
        cashier.acknowledge(&cue).await?;
        acted.lock().unwrap().acknowledged.insert(cue.id);
    }
    Ok(())
}
