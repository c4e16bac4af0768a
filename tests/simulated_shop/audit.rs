//! After a run the shop's books are compared with the provider's.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use counterfoil::Test;
use counterfoil::cashier::{AttemptPhase, CommandOperation, CommandState, OrderRecord, Patience};
use counterfoil::payment::{Payment, PaymentStatus};
use counterfoil::simulator::stripe::LedgerEntry;
use counterfoil::simulator::{Answer, SimulatedProvider};
use serde_json::Value;

use super::crowd::order_of;
use super::job::id;
use super::world::World;

/// How many cases are told in full.
const CASES: usize = 5;

/// What must not happen, with how often it did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    pub double_charges: u64,
    pub lost_payments: u64,
    pub over_refunds: u64,
    pub doubled_refunds: u64,
    pub wrong_refunds: u64,
    pub wrong_mode_effects: u64,
    pub lost_confirmations: u64,
    pub doubled_confirmations: u64,
    /// Orders of which something that was known was lost again.
    pub went_back: u64,
    pub no_correct_end: u64,
    /// The first few cases, with how to run them again.
    pub cases: Vec<String>,
}

impl Findings {
    pub fn count(&self) -> u64 {
        self.double_charges
            + self.lost_payments
            + self.over_refunds
            + self.doubled_refunds
            + self.wrong_refunds
            + self.wrong_mode_effects
            + self.lost_confirmations
            + self.doubled_confirmations
            + self.went_back
            + self.no_correct_end
    }
}

impl Findings {
    /// Fails if anything was found, or if too little happened to find anything.
    pub fn assert_none(&self, tally: &Tally) {
        println!("{tally}\n{self}");
        assert_eq!(self.count(), 0, "{self}\n{}", self.cases.join("\n"));
        let is_much = tally.paid * 2 > tally.orders && tally.closed > 0;
        let is_rough = tally.crashes > 0 && tally.refunds > 0;
        assert!(is_much && is_rough, "too little happened: {tally}");
    }

    /// Adds what another run has found.
    pub fn add(&mut self, other: Self) {
        self.double_charges += other.double_charges;
        self.lost_payments += other.lost_payments;
        self.over_refunds += other.over_refunds;
        self.doubled_refunds += other.doubled_refunds;
        self.wrong_refunds += other.wrong_refunds;
        self.wrong_mode_effects += other.wrong_mode_effects;
        self.lost_confirmations += other.lost_confirmations;
        self.doubled_confirmations += other.doubled_confirmations;
        self.went_back += other.went_back;
        self.no_correct_end += other.no_correct_end;
        self.cases.extend(other.cases);
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "double charges {}, lost payments {}, over-refunds {}, doubled refunds {}, wrong \
             refunds {}, wrong-mode effects {}, lost confirmations {}, doubled confirmations {}, \
             orders that went back {}, orders without a correct end {}",
            self.double_charges,
            self.lost_payments,
            self.over_refunds,
            self.doubled_refunds,
            self.wrong_refunds,
            self.wrong_mode_effects,
            self.lost_confirmations,
            self.doubled_confirmations,
            self.went_back,
            self.no_correct_end,
        )
    }
}

/// What happened in all, so that a run in which nothing happens is seen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    pub orders: u64,
    pub paid: u64,
    pub closed: u64,
    pub refunds: u64,
    pub disputed: u64,
    pub crashes: u64,
    pub requests: u64,
    pub webhooks: u64,
    pub turns: u64,
}

impl Tally {
    pub fn add(&mut self, other: &Self) {
        self.orders += other.orders;
        self.paid += other.paid;
        self.closed += other.closed;
        self.refunds += other.refunds;
        self.disputed += other.disputed;
        self.crashes += other.crashes;
        self.requests += other.requests;
        self.webhooks += other.webhooks;
        self.turns += other.turns;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} orders: {} paid, {} closed unpaid, {} refunds, {} with disputes lost; {} requests, \
             {} webhooks, {} crashes in {} turns",
            self.orders,
            self.paid,
            self.closed,
            self.refunds,
            self.disputed,
            self.requests,
            self.webhooks,
            self.crashes,
            self.turns,
        )
    }
}

/// A refund in the provider's books.
struct Refunded {
    command: Option<String>,
    amount: i64,
    is_with_payer: bool,
}

/// Compares every order, and hashes what is known of it into the trace.
pub fn audit(world: &mut World<'_>, findings: &mut Findings, tally: &mut Tally) {
    let mut books: BTreeMap<usize, Vec<LedgerEntry>> = BTreeMap::new();
    let ledger = world.wire.simulator().ledger();
    for entry in ledger {
        let order = order_of(&entry).expect("every payment names its order");
        books.entry(order).or_default().push(entry);
    }
    tally.orders += world.plans.len() as u64;
    tally.crashes += world.crashes;
    tally.turns += world.turns;
    tally.webhooks += world.webhooks;
    tally.requests += world.wire.sent();
    for order in 0..world.plans.len() {
        let record = world.record(order);
        let entries = books.remove(&order).unwrap_or_default();
        let found = Case::new(world, &record, entries).found(findings, tally);
        if !found.is_empty() && findings.cases.len() < CASES {
            let history: Vec<_> = record
                .history
                .iter()
                .map(|entry| format!("{} {} [{:?}]", entry.at, entry.what, entry.evidence))
                .collect();
            let order = id(order);
            let shop = &world.shop;
            findings
                .cases
                .push(format!("{order}: {found:?}\n{history:#?}\n{shop}"));
        }
        world.note(&record);
    }
}

/// One order, as the shop and as the provider knows it.
struct Case<'w> {
    world: &'w World<'w>,
    record: &'w OrderRecord<Test>,
    entries: Vec<LedgerEntry>,
    refunds: Vec<Refunded>,
    found: Vec<String>,
}

impl<'w> Case<'w> {
    fn new(world: &'w World<'w>, record: &'w OrderRecord<Test>, entries: Vec<LedgerEntry>) -> Self {
        let taken = entries.iter().filter(|entry| entry.captured.is_positive());
        let refunds = taken.flat_map(|entry| refunds_of(world, &entry.payment_intent));
        Self {
            refunds: refunds.collect(),
            world,
            record,
            entries,
            found: Vec::new(),
        }
    }

    fn found(mut self, findings: &mut Findings, tally: &mut Tally) -> Vec<String> {
        self.compare_money(findings, tally);
        self.compare_refunds(findings, tally);
        self.compare_confirmations(findings);
        self.check_end(findings);
        tally.paid += u64::from(self.record.paid_at.is_some());
        tally.closed += u64::from(self.record.order.closed_at.is_some());
        self.found
    }

    /// Where nothing can be looked for, an attempt whose answer and webhooks were all lost is known
    /// to nobody, and cannot be sent again once its order costs something else. A person is told.
    fn is_left_to_a_person(&self) -> bool {
        let is_unknown = self.record.payments.is_empty()
            && self
                .record
                .last_attempt()
                .is_some_and(|last| last.phase == AttemptPhase::Stored);
        let now = self.world.wire.simulator().now();
        let told = self.record.concerns(now, &Patience::default());
        let mut told = told.iter().map(|concern| concern.name.as_str());
        !self.world.shop.searches
            && is_unknown
            && told.any(|name| name.starts_with("attempt_unknown"))
    }

    fn compare_money(&mut self, findings: &mut Findings, tally: &mut Tally) {
        let sum = |amount: fn(&LedgerEntry) -> i64| self.entries.iter().map(amount).sum::<i64>();
        let taken = sum(|entry| entry.captured.minor());
        let refunded = sum(|entry| entry.refunded.minor());
        let disputed = sum(|entry| entry.disputed.minor());
        let charges: u32 = self.entries.iter().map(|entry| entry.charges).sum();
        let total = self.record.order.total.minor();
        let net = taken - refunded - disputed;
        tally.disputed += u64::from(disputed > 0);
        let charged = self
            .entries
            .iter()
            .filter(|entry| entry.captured.is_positive());
        // The metadata hold the reference: which attempt of which order it is.
        let mut attempts: Vec<_> = charged.map(|entry| &entry.metadata).collect();
        attempts.sort();
        let has_twins = attempts.windows(2).any(|pair| pair[0] == pair[1]);
        let is_too_much = taken - refunded > total;
        if charges > 1 && (has_twins || is_too_much) {
            findings.double_charges += 1;
            self.found.push(format!("charged {charges} times"));
        }
        let received = self.record.received().map(|received| received.minor());
        if received.as_ref().ok() != Some(&net) && !self.is_left_to_a_person() {
            findings.lost_payments += 1;
            self.found
                .push(format!("the provider holds {net}, the record {received:?}"));
        }
        if refunded > taken {
            findings.over_refunds += 1;
            self.found.push("more refunded than captured".to_owned());
        }
        let mut evidence = self.record.history.iter().map(|entry| &entry.evidence);
        if evidence.any(|evidence| evidence.as_ref().is_some_and(|e| e.contains("Forged"))) {
            findings.wrong_mode_effects += 1;
            self.found.push("a forgery was believed".to_owned());
        }
        let is_open = self.record.order.closed_at.is_none();
        if is_open && refunded + disputed == 0 && taken == total && self.record.paid_at.is_none() {
            findings.no_correct_end += 1;
            self.found
                .push("paid at the provider and not here".to_owned());
        }
    }

    fn compare_refunds(&mut self, findings: &mut Findings, tally: &mut Tally) {
        for command in &self.record.commands {
            if !matches!(command.operation, CommandOperation::Refund { .. }) {
                continue;
            }
            let name = command.command.as_ref().map(|command| command.as_str());
            let its: Vec<_> = self
                .refunds
                .iter()
                .filter(|refund| refund.command.as_deref() == name)
                .collect();
            if its.len() > 1 {
                findings.doubled_refunds += 1;
                let times = its.len();
                self.found
                    .push(format!("{name:?} was refunded {times} times"));
            }
            let is_with_payer = its.iter().any(|refund| refund.is_with_payer);
            let is_done = command.state == CommandState::Succeeded;
            let wished = command.amount.map(|amount| amount.minor());
            let is_right = its.iter().all(|refund| Some(refund.amount) == wished);
            tally.refunds += u64::from(is_with_payer);
            if is_with_payer != is_done || !is_right {
                findings.wrong_refunds += 1;
                let state = command.state;
                self.found.push(format!(
                    "{name:?} is {state:?}, with the payer: {is_with_payer}"
                ));
            }
        }
    }

    fn compare_confirmations(&mut self, findings: &mut Findings) {
        let order = &self.record.order.id;
        let acted = self.world.acted.lock().unwrap();
        let paid = (order.clone(), "paid".to_owned());
        let is_confirmed = acted.ids.contains_key(&paid);
        if self.record.paid_at.is_some() != is_confirmed {
            findings.lost_confirmations += 1;
            let at = self.record.paid_at;
            self.found
                .push(format!("paid at {at:?}, confirmed: {is_confirmed}"));
        }
        let mut its_ids = acted.ids.iter().filter(|((of, _), _)| of == order);
        if its_ids.any(|(_, ids)| ids.len() > 1) || acted.again.contains(order) {
            findings.doubled_confirmations += 1;
            self.found.push("confirmed twice".to_owned());
        }
        if self.world.went_back.contains(order) {
            findings.went_back += 1;
            self.found
                .push("what was captured was forgotten".to_owned());
        }
    }

    fn check_end(&mut self, findings: &mut Findings) {
        let mut open = Vec::new();
        for command in &self.record.commands {
            if !command.state.is_settled() {
                let (operation, state) = (command.operation, command.state);
                open.push(format!("{} is {state:?}", operation.name()));
            }
        }
        for attempt in &self.record.attempts {
            // Without a search, only a person can find out.
            if attempt.phase == AttemptPhase::Stored && self.world.can_search() {
                open.push(format!("attempt {} is still unknown", attempt.attempt));
            }
        }
        for payment in &self.record.payments {
            let known = payment.ledger.payment();
            let is_open = |known: &&Payment<Test>| {
                !known.status.is_final() && !matches!(known.status, PaymentStatus::Failed(_))
            };
            if let Some(known) = known.filter(is_open) {
                open.push(format!("{} is {:?}", known.id, known.status));
            }
        }
        if !open.is_empty() {
            findings.no_correct_end += 1;
            self.found.extend(open);
        }
    }
}

/// The refunds of a payment, as the provider tells whoever asks.
fn refunds_of(world: &World<'_>, intent: &str) -> Vec<Refunded> {
    let url = format!("https://api.stripe.com/v1/refunds?payment_intent={intent}&limit=100");
    let request = http::Request::get(url)
        .header("authorization", "Bearer sk_test_simulation")
        .body(Bytes::new())
        .unwrap();
    let answer = world.wire.simulator().handle(&request);
    let Answer::Response(response) = answer else {
        panic!("the storm is over, and the provider answered {answer:?}");
    };
    let list: Value = serde_json::from_slice(response.body()).unwrap();
    let refunds = list["data"].as_array().unwrap().iter();
    refunds
        .map(|refund| Refunded {
            command: refund["metadata"]["counterfoil_command"]
                .as_str()
                .map(str::to_owned),
            amount: refund["amount"].as_i64().unwrap(),
            is_with_payer: refund["status"] != "failed",
        })
        .collect()
}
