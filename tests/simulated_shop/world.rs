//! A whole shop in one thread: shoppers, staff, a provider, one node or several, and a seed that
//! decides what goes wrong. The same seed gives the same trace.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::hash::{DefaultHasher, Hash};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use counterfoil::cashier::{Cashier, OrderRecord, Store};
use counterfoil::clock::Clock;
use counterfoil::id::{Namespace, OrderId};
use counterfoil::providers::stripe::{SIGNATURE_HEADER, Stripe, StripeConfig, sign};
use counterfoil::simulator::stripe::StripeSimulator;
use counterfoil::simulator::{SimulatedProvider, WebhookDelivery, WebhookFault};
use counterfoil::webhook::WebhookRequest;
use counterfoil::{Provider, Secret, Test};
use serde_json::{Value, json};

use super::crowd::Deed;
use super::defect::Defect;
use super::dice::Dice;
use super::job::{Acted, Job, Outcome, id, perform};
use super::mutant::{Mutant, Repetitions};
use super::plan::Plan;
use super::store::ShakyStore;
use super::time::{START, Time};
use super::wire::{Fate, Line, Wire};

pub const SECOND: u64 = 1000;
pub const MINUTE: u64 = 60 * SECOND;
pub const HOUR: u64 = 60 * MINUTE;
pub const DAY: u64 = 24 * HOUR;
/// Until then things go wrong.
const STORM: u64 = 3 * DAY;
/// Until then everything must have come to its end.
const END: u64 = 14 * DAY;

const WEBHOOK_SECRET: &str = "whsec_simulation";

/// What to run.
#[derive(Debug, Clone)]
pub struct Shop {
    pub seed: u64,
    pub orders: usize,
    pub nodes: usize,
    pub defect: Option<Defect>,
    /// Whether payments can be looked for by their reference.
    pub searches: bool,
    /// What goes wrong, and nothing else, instead of what chance brings.
    pub script: Option<Script>,
}

impl Shop {
    pub const fn new(seed: u64, orders: usize, nodes: usize) -> Self {
        Self {
            seed,
            orders,
            nodes,
            defect: None,
            searches: true,
            script: None,
        }
    }

    #[must_use]
    pub const fn with_defect(mut self, defect: Defect) -> Self {
        self.defect = Some(defect);
        self
    }
}

impl fmt::Display for Shop {
    /// How to run it again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seed,
            orders,
            nodes,
            ..
        } = self;
        write!(
            f,
            "run it again: cargo run --release -p counterfoil-simulation -- --seed {seed} \
             --shops 1 --orders {orders} --nodes {nodes}"
        )?;
        if let Some(defect) = self.defect {
            write!(f, " --defect {defect:?}")?;
        }
        if !self.searches {
            write!(f, " --search no")?;
        }
        match &self.script {
            Some(script) => write!(f, "\nwith {:?} and {:?}", script.crash_after, script.fates),
            None => Ok(()),
        }
    }
}

/// What goes wrong, step by step.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// What happens to the only order.
    pub deeds: Vec<(u64, Deed)>,
    pub plan: Option<Plan>,
    /// After how many turns of its tasks the first node dies.
    pub crash_after: Option<u64>,
    /// What becomes of certain requests, counted from 0.
    pub fates: BTreeMap<u64, Fate>,
}

/// Opens the one store of a shop anew, as a process does when it starts.
pub type OpenStore = dyn Fn() -> Arc<dyn Store>;

pub struct World<'s> {
    pub plans: Vec<Plan>,
    pub wire: Arc<Wire>,
    pub acted: Arc<Mutex<Acted>>,
    pub trace: DefaultHasher,
    pub crashes: u64,
    pub turns: u64,
    pub webhooks: u64,
    /// Orders of which something that was known was lost again.
    pub went_back: BTreeSet<OrderId>,
    pub(super) dice: Arc<Dice>,
    pub(super) time: Arc<Time>,
    pub(super) shown: BTreeSet<String>,
    pub(super) first_page: HashMap<usize, String>,
    pub(super) shop: Shop,
    open: &'s OpenStore,
    nodes: Vec<Cashier<Test>>,
    processes: u64,
    repetitions: Arc<Repetitions>,
    agenda: BTreeMap<(u64, u64), Deed>,
    number: u64,
    tasks: HashMap<u64, Task>,
    ready: Arc<Mutex<Vec<u64>>>,
    captured: HashMap<OrderId, i64>,
}

struct Task {
    node: usize,
    job: Job,
    tries: u32,
    waker: Waker,
    work: Pin<Box<dyn Future<Output = Outcome>>>,
}

struct Wakeup {
    task: u64,
    ready: Arc<Mutex<Vec<u64>>>,
}

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if !ready.contains(&self.task) {
            ready.push(self.task);
        }
    }
}

impl<'s> World<'s> {
    pub fn new(shop: Shop, open: &'s OpenStore) -> Self {
        let dice = Arc::new(Dice::new(shop.seed));
        let time = Arc::new(Time::default());
        let mut simulator = StripeSimulator::new(shop.seed, START);
        simulator.subscribe("https://shop.example/webhooks", WEBHOOK_SECRET);
        if shop.script.is_none() {
            let odds = simulator.webhook_odds();
            odds.set_odds(WebhookFault::Duplicate, 150);
            odds.set_odds(WebhookFault::Delay(Duration::from_secs(20 * 3600)), 100);
            odds.set_odds(WebhookFault::Reorder, 100);
        } else {
            dice.calm_down();
        }
        let fates = shop.script.as_ref().map(|script| script.fates.clone());
        let wire = Wire::new(
            simulator,
            fates.unwrap_or_default(),
            Arc::clone(&dice),
            Arc::clone(&time),
            shop.defect,
        );
        let mut world = Self {
            plans: Vec::new(),
            wire: Arc::new(wire),
            acted: Arc::default(),
            trace: DefaultHasher::new(),
            crashes: 0,
            turns: 0,
            webhooks: 0,
            went_back: BTreeSet::new(),
            dice,
            time,
            shown: BTreeSet::new(),
            first_page: HashMap::new(),
            shop,
            open,
            nodes: Vec::new(),
            processes: 0,
            repetitions: Arc::default(),
            agenda: BTreeMap::new(),
            number: 0,
            tasks: HashMap::new(),
            ready: Arc::default(),
            captured: HashMap::new(),
        };
        world.prepare();
        world
    }

    fn prepare(&mut self) {
        for _ in 0..self.shop.nodes {
            let node = self.boot();
            self.nodes.push(node);
        }
        match self.shop.script.clone() {
            Some(script) => {
                self.plans.extend(script.plan);
                for (at, deed) in script.deeds {
                    self.schedule(at, deed);
                }
            }
            None => (0..self.shop.orders).for_each(|order| self.plan(order)),
        }
        let mut at = 0;
        while at < END {
            if self.has_sweep() {
                self.schedule_job(at, Job::Sweep);
            }
            self.schedule_job(at, Job::DeliverConfirmations);
            at += match () {
                () if self.shop.script.is_some() && at > 6 * HOUR => 12 * HOUR,
                () if at < STORM => 10 * MINUTE,
                () => 2 * HOUR,
            };
        }
    }

    /// Runs to the end.
    pub fn run(&mut self) {
        loop {
            self.take_webhooks();
            if self.step() {
                continue;
            }
            let moments = [
                self.agenda.keys().next().map(|(at, _)| *at),
                self.time.next_wake(),
                self.wire.next_arrival(),
            ];
            let Some(next) = moments.into_iter().flatten().min() else {
                return;
            };
            self.move_to(next);
        }
    }

    /// How things stand with an order.
    pub fn record(&self, order: usize) -> OrderRecord<Test> {
        let id = id(order);
        wait_for(self.nodes[0].order(&id)).unwrap()
    }

    pub fn can_search(&self) -> bool {
        self.shop.searches && self.shop.defect != Some(Defect::KeyReusedAfterADay)
    }

    pub fn has_sweep(&self) -> bool {
        self.shop.defect != Some(Defect::NoSweep)
    }

    /// Makes a record a part of the trace.
    pub fn note(&mut self, record: &OrderRecord<Test>) {
        serde_json::to_string(record).unwrap().hash(&mut self.trace);
    }

    fn move_to(&mut self, now: u64) {
        let now = now.max(self.time.millis());
        let seconds = now / SECOND - self.time.millis() / SECOND;
        self.time.set(now);
        if seconds > 0 {
            self.wire.simulator().advance(Duration::from_secs(seconds));
        }
        if now > STORM && !self.dice.is_calm() {
            self.dice.calm_down();
        }
        self.wire.arrive();
        self.time.wake();
        while let Some(first) = self.agenda.first_entry() {
            if first.key().0 > now {
                return;
            }
            let deed = first.remove();
            self.act(deed);
        }
    }

    /// Starts a process on the store that is there.
    fn boot(&mut self) -> Cashier<Test> {
        self.processes += 1;
        let clock = Arc::clone(&self.time) as Arc<dyn Clock>;
        let line = Line {
            wire: Arc::clone(&self.wire),
            process: self.processes,
        };
        let config = StripeConfig::<Test>::new("sk_test_simulation", WEBHOOK_SECRET)
            .unwrap()
            .with_transport(Arc::new(line))
            .with_timer(Arc::clone(&self.time) as _)
            .with_clock(Arc::clone(&clock))
            .with_seed(self.shop.seed + self.processes);
        let stripe = Mutant::new(
            Stripe::new(config).unwrap(),
            self.shop.defect,
            self.shop.searches,
            Arc::clone(&self.repetitions),
        );
        let provider = Provider::new(stripe, Namespace::new("shop").unwrap());
        let provider = provider.with_clock(Arc::clone(&clock));
        let store = ShakyStore::new(
            (self.open)(),
            Arc::clone(&self.dice),
            Arc::clone(&self.time),
            self.shop.defect,
        );
        let opened = wait_for(Cashier::open(provider, Arc::new(store)));
        opened.unwrap().with_clock(clock)
    }

    pub(super) fn schedule(&mut self, at: u64, deed: Deed) {
        self.number += 1;
        self.agenda.insert((at, self.number), deed);
    }

    pub(super) fn schedule_job(&mut self, at: u64, job: Job) {
        self.schedule(at, Deed::Run(job, 0));
    }

    pub(super) fn start(&mut self, job: Job, tries: u32) {
        let nodes = u32::try_from(self.nodes.len()).unwrap();
        let node = self.dice.below(nodes) as usize;
        let plan = job.order().and_then(|order| self.plans.get(order));
        let work = perform(
            self.nodes[node].clone(),
            job.clone(),
            plan.cloned(),
            Arc::clone(&self.acted),
        );
        self.number += 1;
        let wakeup = Arc::new(Wakeup {
            task: self.number,
            ready: Arc::clone(&self.ready),
        });
        wakeup.wake_by_ref();
        let task = Task {
            node,
            job,
            tries,
            waker: wakeup.into(),
            work: Box::pin(work),
        };
        self.tasks.insert(self.number, task);
    }

    /// Gives one task that has something to do one turn, or lets a node die after it. Whether there
    /// was any.
    fn step(&mut self) -> bool {
        let next = {
            let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
            let Ok(waiting) = u32::try_from(ready.len()) else {
                return false;
            };
            if waiting == 0 {
                return false;
            }
            let place = self.dice.below(waiting) as usize;
            ready.swap_remove(place)
        };
        // It may have died meanwhile.
        let Some(task) = self.tasks.get_mut(&next) else {
            return true;
        };
        self.turns += 1;
        let waker = task.waker.clone();
        let poll = task.work.as_mut().poll(&mut Context::from_waker(&waker));
        if let Poll::Ready(outcome) = poll
            && let Some(task) = self.tasks.remove(&next)
        {
            self.finish(&task, outcome);
        }
        let scripted = self.shop.script.as_ref().map(|script| script.crash_after);
        match scripted {
            Some(after) if after == Some(self.turns) => self.crash(0),
            None if self.dice.fault(3) => {
                let nodes = u32::try_from(self.nodes.len()).unwrap();
                let node = self.dice.below(nodes);
                self.crash(node as usize);
            }
            _ => {}
        }
        true
    }

    fn crash(&mut self, node: usize) {
        self.crashes += 1;
        (self.time.millis(), "crash", node).hash(&mut self.trace);
        let mut dead: Vec<_> = self.tasks.iter().collect::<Vec<_>>();
        dead.retain(|(_, task)| task.node == node);
        let mut dead: Vec<u64> = dead.into_iter().map(|(number, _)| *number).collect();
        dead.sort_unstable();
        self.nodes[node] = self.boot();
        for number in dead {
            if let Some(task) = self.tasks.remove(&number) {
                self.finish(&task, Outcome::Again);
            }
        }
    }

    fn finish(&mut self, task: &Task, outcome: Outcome) {
        let now = self.time.millis();
        let what = format!("{:?}", outcome);
        (now, task.node, task.job.name(), task.job.order(), what).hash(&mut self.trace);
        match (outcome, &task.job) {
            (Outcome::Answered { status, seen }, Job::Receive(delivery, _)) => {
                self.wire
                    .simulator()
                    .report_webhook(*delivery, Some(status));
                for (order, captured) in seen {
                    let before = self.captured.insert(order.clone(), captured);
                    if before.is_some_and(|before| before > captured) {
                        self.went_back.insert(order);
                    }
                }
            }
            (_, Job::Receive(delivery, _)) => {
                self.wire.simulator().report_webhook(*delivery, None);
            }
            (Outcome::Shown(page), Job::CheckOut(order, card)) => {
                self.shopper_sees(*order, *card, page);
            }
            (Outcome::Declined, Job::CheckOut(order, card)) => {
                self.shopper_is_refused(*order, *card);
            }
            // A browser that stays away, and jobs that come by themselves.
            (Outcome::Again, Job::Resume(_) | Job::Sweep | Job::DeliverConfirmations) => {}
            (Outcome::Again, Job::CheckOut(order, card)) if self.dice.chance(400) => {
                // The shopper has had enough for today.
                let tomorrow = self.later(now + 24 * HOUR, 20 * HOUR);
                self.schedule_job(tomorrow, Job::CheckOut(*order, *card));
            }
            (Outcome::Again, job) if task.tries < 12 => {
                let minutes = 1 << task.tries.min(8);
                let wait = (20 + u64::from(self.dice.below(60))) * SECOND + minutes * MINUTE;
                self.schedule(now + wait, Deed::Run(job.clone(), task.tries + 1));
            }
            _ => {}
        }
    }

    /// Takes the webhooks that are due, each to arrive a little later.
    fn take_webhooks(&mut self) {
        let due = self.wire.simulator().due_webhooks();
        for delivery in due {
            self.webhooks += 1;
            let at = self.time.millis() + u64::from(self.dice.below(5000));
            if self.dice.fault(15) {
                self.forge(at, &delivery);
            }
            if self.dice.fault(40) || self.is_of_silent_order(&delivery) {
                // It is lost, and the provider believes that it arrived.
                let lost = Some(200);
                self.wire.simulator().report_webhook(delivery.id, lost);
                continue;
            }
            if self.dice.fault(40) {
                // There was no connection: the provider tries again.
                self.wire.simulator().report_webhook(delivery.id, None);
                continue;
            }
            let request = WebhookRequest::from(delivery.request);
            self.schedule_job(at, Job::Receive(delivery.id, request));
        }
    }

    fn is_of_silent_order(&self, delivery: &WebhookDelivery) -> bool {
        let Ok(body) = std::str::from_utf8(delivery.request.body()) else {
            return false;
        };
        let order = body.split_once("\"shop:order-").and_then(|(_, rest)| {
            let (number, _) = rest.split_once(':')?;
            self.plans.get(number.parse::<usize>().ok()?)
        });
        !self.dice.is_calm() && order.is_some_and(|plan| plan.is_silent)
    }

    /// Says of a payment that it was made: by someone who does not know the secret, or about live
    /// mode, as when an endpoint is registered in both.
    fn forge(&mut self, at: u64, delivery: &WebhookDelivery) {
        if !delivery.kind.starts_with("payment_intent.") {
            return;
        }
        self.number += 1;
        let is_live = self.dice.chance(500);
        let mut event: Value = serde_json::from_slice(delivery.request.body()).unwrap();
        event["id"] = json!(format!("evt_Forged{}", self.number));
        event["type"] = json!("payment_intent.succeeded");
        event["livemode"] = json!(is_live);
        let intent = &mut event["data"]["object"];
        intent["livemode"] = json!(is_live);
        intent["status"] = json!("succeeded");
        intent["amount_received"] = intent["amount"].clone();
        let body = event.to_string();
        let secret = match is_live {
            true => WEBHOOK_SECRET,
            false => "whsec_guessed",
        };
        let signature = sign(&Secret::new(secret), self.time.now(), body.as_bytes());
        let mut headers = delivery.request.headers().clone();
        headers.insert(SIGNATURE_HEADER, signature.parse().unwrap());
        let request = WebhookRequest::new(headers, Bytes::from(body));
        self.schedule_job(at, Job::ReceiveForged(request));
    }
}

/// Waits for what needs no time.
fn wait_for<T>(work: impl Future<Output = T>) -> T {
    let mut work = Box::pin(work);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(done) = work.as_mut().poll(&mut context) {
            return done;
        }
    }
}
