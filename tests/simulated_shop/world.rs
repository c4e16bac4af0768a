//! A whole shop in one thread: shoppers, staff, a provider, one node or several, and a seed that
//! decides what goes wrong. The same seed gives the same trace.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::hash::{DefaultHasher, Hash};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use counterfoil::cashier::{Cashier, OrderRecord, Route, Routes, Store};
use counterfoil::clock::{Clock, Timestamp};
use counterfoil::id::{Namespace, OrderId, PaymentId, ProviderName};
use counterfoil::money::{Currency, Money};
use counterfoil::simulator::WebhookFault;
use counterfoil::{Provider, Test};

use super::crowd::Deed;
use super::defect::Defect;
use super::dice::Dice;
use super::job::{Acted, Job, Outcome, id, perform};
use super::layer::Layered;
use super::mutant::{Mutant, Repetitions};
use super::plan::Plan;
use super::psps::{Connection, Psp, new_paypal, new_stripe};
use super::script::{SWEEPS, Script, Trouble};
use super::store::{Calls, ShakyStore};
use super::time::{START, Time};
use super::wire::{Line, Wire};

pub const SECOND: u64 = 1000;
pub const MINUTE: u64 = 60 * SECOND;
pub const HOUR: u64 = 60 * MINUTE;
pub const DAY: u64 = 24 * HOUR;
/// Until then things go wrong.
const STORM: u64 = 3 * DAY;
/// Until then everything must have come to its end.
const END: u64 = 14 * DAY;
/// PayPal holds an amount for 29 days.
const END_WITH_PAYPAL: u64 = 35 * DAY;

/// What to run.
#[derive(Debug, Clone)]
pub struct Shop {
    pub seed: u64,
    pub orders: usize,
    pub nodes: usize,
    pub defect: Option<Defect>,
    /// The providers, in the order in which they are tried.
    pub psps: &'static [OpenPsp],
    /// Whether payments can be looked for by their reference.
    pub searches: bool,
    /// What happens and goes wrong, and nothing else, instead of what chance brings.
    pub script: Option<Script>,
}

impl Shop {
    pub const fn new(seed: u64, orders: usize, nodes: usize) -> Self {
        Self {
            seed,
            orders,
            nodes,
            defect: None,
            psps: &[new_stripe],
            searches: true,
            script: None,
        }
    }

    /// PayPal takes small orders, and those that Stripe has not begun.
    #[must_use]
    pub const fn with_paypal(mut self) -> Self {
        self.psps = &[new_stripe, new_paypal];
        self
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
        if self.psps.len() > 1 {
            write!(f, " --paypal yes")?;
        }
        match &self.script {
            Some(script) => write!(f, "\nwith {script:?}"),
            None => Ok(()),
        }
    }
}

/// Opens an account at a simulated provider, from a seed.
pub type OpenPsp = fn(u64, Timestamp) -> Box<dyn Psp>;

/// Opens the one store of a shop anew, as a process does when it starts.
pub type OpenStore = dyn Fn() -> Arc<dyn Store>;

pub struct World<'s> {
    pub plans: Vec<Plan>,
    pub wire: Arc<Wire>,
    pub acted: Arc<Mutex<Acted>>,
    pub trace: DefaultHasher,
    pub crashes: u64,
    pub turns: u64,
    pub(super) lively_turns: u64,
    pub webhooks: u64,
    /// Orders of which something that was known was lost again.
    pub went_back: BTreeSet<OrderId>,
    pub(super) dice: Arc<Dice>,
    pub(super) time: Arc<Time>,
    pub(super) shown: BTreeSet<PaymentId<Test>>,
    pub(super) first_page: HashMap<usize, PaymentId<Test>>,
    pub(super) shop: Shop,
    /// The providers, in the order in which they are tried.
    pub(super) names: Vec<&'static str>,
    pub(super) calls: Arc<Calls>,
    pub(super) open: &'s OpenStore,
    nodes: Vec<Cashier<Test>>,
    processes: u64,
    repetitions: Arc<Repetitions>,
    pub(super) forgeries: u64,
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
        let opened = shop.psps.iter().map(|open| open(shop.seed, START));
        let mut psps: Vec<_> = opened.collect();
        if let Some(script) = &shop.script {
            dice.calm_down();
            let listeners = psps.iter_mut().filter(|_| script.has_webhooks);
            listeners.for_each(|psp| psp.post_webhooks());
        } else {
            for psp in &mut psps {
                psp.post_webhooks();
                let odds = psp.webhook_odds();
                odds.set_odds(WebhookFault::Duplicate, 150);
                odds.set_odds(WebhookFault::Delay(Duration::from_secs(20 * 3600)), 100);
                odds.set_odds(WebhookFault::Reorder, 100);
            }
        }
        let names = psps.iter().map(|psp| psp.name()).collect();
        let script = shop.script.as_ref();
        let trouble = script.map_or(Trouble::None, |script| script.trouble.clone());
        let calls = Arc::new(Calls::new(&trouble));
        let wire = Wire::new(
            psps,
            trouble,
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
            lively_turns: 0,
            webhooks: 0,
            went_back: BTreeSet::new(),
            dice,
            time,
            shown: BTreeSet::new(),
            first_page: HashMap::new(),
            shop,
            names,
            calls,
            open,
            nodes: Vec::new(),
            processes: 0,
            repetitions: Arc::default(),
            forgeries: 0,
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
        if let Some(script) = self.shop.script.clone() {
            self.plans.push(script.plan);
            for (at, deed) in script.deeds {
                self.schedule(at, deed);
            }
            for at in SWEEPS {
                self.schedule_job(at, Job::Sweep);
                self.schedule_job(at + MINUTE, Job::DeliverConfirmations);
            }
            return;
        }
        (0..self.shop.orders).for_each(|order| self.plan(order));
        let end = match self.names.len() {
            1 => END,
            _ => END_WITH_PAYPAL,
        };
        let mut at = 0;
        while at < end {
            if self.has_sweep() {
                self.schedule_job(at, Job::Sweep);
            }
            self.schedule_job(at, Job::DeliverConfirmations);
            at += match () {
                () if at < STORM => 10 * MINUTE,
                () if at < END => 2 * HOUR,
                () => DAY,
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

    pub fn can_search(&self, psp: &str) -> bool {
        let can = self.shop.searches && self.wire.psp(psp).can_search();
        can && self.shop.defect != Some(Defect::KeyReusedAfterADay)
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
            for mut psp in self.wire.psps() {
                psp.advance(Duration::from_secs(seconds));
            }
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
        let providers = self.names.clone().into_iter().map(|name| {
            let line = Line {
                wire: Arc::clone(&self.wire),
                psp: name,
                process: self.processes,
            };
            let connected = self.wire.psp(name).connect(Connection {
                transport: Arc::new(line),
                timer: Arc::clone(&self.time) as _,
                clock: Arc::clone(&clock),
                seed: self.shop.seed + self.processes,
            });
            let provider = Mutant::new(
                connected,
                self.shop.defect,
                self.shop.searches,
                Arc::clone(&self.repetitions),
            );
            let provider = Provider::new(provider, Namespace::new("shop").unwrap());
            provider.with_clock(Arc::clone(&clock))
        });
        let store = Arc::new(Layered(ShakyStore::new(
            (self.open)(),
            Arc::clone(&self.dice),
            Arc::clone(&self.time),
            Arc::clone(&self.calls),
            self.shop.defect,
        )));
        let mut providers = providers.collect::<Vec<_>>().into_iter();
        let first = providers.next().unwrap();
        let mut cashier = wait_for(Cashier::open(first, store)).unwrap();
        for next in providers {
            cashier = cashier.with_provider(next).unwrap();
        }
        if let ([first, second], None) = (&*self.names, &self.shop.script) {
            cashier = cashier.with_routes(routes(first, second)).unwrap();
        }
        cashier.with_clock(clock)
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
        self.trouble_after_turn();
        if self.dice.fault(3) {
            let nodes = u32::try_from(self.nodes.len()).unwrap();
            let node = self.dice.below(nodes);
            self.crash(node as usize);
        }
        true
    }

    pub(super) fn crash(&mut self, node: usize) {
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
        let script = self.shop.script.as_ref();
        // Where everything is written down, people outlast the day for which keys are kept.
        let most_tries = if script.is_some() { 16 } else { 12 };
        let what = format!("{:?}", outcome);
        (now, task.node, task.job.name(), task.job.order(), what).hash(&mut self.trace);
        match (outcome, &task.job) {
            (Outcome::Answered { status, seen }, Job::Receive(psp, delivery, _)) => {
                self.wire.psp(psp).report_webhook(*delivery, Some(status));
                for (order, captured) in seen {
                    let before = self.captured.insert(order.clone(), captured);
                    if before.is_some_and(|before| before > captured) {
                        self.went_back.insert(order);
                    }
                }
            }
            (_, Job::Receive(psp, delivery, _)) => {
                self.wire.psp(psp).report_webhook(*delivery, None);
            }
            (Outcome::Shown(page), Job::CheckOut(order, card)) => {
                self.shopper_sees(*order, *card, page);
            }
            (Outcome::Declined, Job::CheckOut(order, card)) => {
                self.shopper_is_refused(*order, *card);
            }
            // A browser that stays away, and jobs that come by themselves.
            (Outcome::Again, Job::Resume(_) | Job::Sweep | Job::DeliverConfirmations) => {}
            (Outcome::Again, job) if script.is_some_and(|script| script.gives_up(job)) => {}
            (Outcome::Again, Job::CheckOut(order, card))
                if script.is_none() && self.dice.chance(400) =>
            {
                // The shopper has had enough for today.
                let tomorrow = self.later(now + 24 * HOUR, 20 * HOUR);
                self.schedule_job(tomorrow, Job::CheckOut(*order, *card));
            }
            (Outcome::Again, job) if task.tries < most_tries => {
                let minutes = 1 << task.tries.min(8);
                let wait = (20 + u64::from(self.dice.below(60))) * SECOND + minutes * MINUTE;
                self.schedule(now + wait, Deed::Run(job.clone(), task.tries + 1));
            }
            _ => {}
        }
    }
}

/// Small orders are paid at the second provider, if it is well.
fn routes(first: &str, second: &str) -> Routes {
    let [first, second] = [first, second].map(|name| ProviderName::new(name).unwrap());
    let small = Route::to(vec![second.clone(), first.clone()]);
    let small = small.with_max(Money::new(4000, Currency::EUR));
    Routes::new(vec![small, Route::to(vec![first, second])])
}

/// Waits for what needs no time.
pub(super) fn wait_for<T>(work: impl Future<Output = T>) -> T {
    let mut work = Box::pin(work);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(done) = work.as_mut().poll(&mut context) {
            return done;
        }
    }
}
