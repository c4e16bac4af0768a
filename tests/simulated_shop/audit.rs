//! After a run the shop's books are compared with the provider's.

use std::collections::BTreeMap;
use std::fmt;

use counterfoil::Test;
use counterfoil::cashier::{
    AttemptPhase, AttemptRecord, CommandOperation, CommandRecord, CommandState, OrderRecord,
    Standing,
};
use counterfoil::payment::{Payment, PaymentStatus};

use super::crowd::order_of;
use super::job::id;
use super::payouts;
use super::psps::{Entry, Refunded};
use super::script::{End, Trouble};
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
    pub unexplained_payouts: u64,
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
            + self.unexplained_payouts
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
        self.unexplained_payouts += other.unexplained_payouts;
        self.cases.extend(other.cases);
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "double charges {}, lost payments {}, over-refunds {}, doubled refunds {}, wrong \
             refunds {}, wrong-mode effects {}, lost confirmations {}, doubled confirmations {}, \
             orders that went back {}, orders without a correct end {}, payouts not explained {}",
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
            self.unexplained_payouts,
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

/// Compares every order, and hashes what is known of it into the trace.
pub fn audit(world: &mut World<'_>, findings: &mut Findings, tally: &mut Tally) {
    let mut books: BTreeMap<usize, Books> = BTreeMap::new();
    for mut psp in world.wire.psps() {
        for entry in psp.books() {
            let order = order_of(&entry).expect("every payment names its order");
            let its = books.entry(order).or_default();
            if entry.captured > 0 {
                its.add_refunds(psp.refunds_of(&entry.payment));
            }
            its.entries.push(entry);
        }
    }
    tally.orders += world.plans.len() as u64;
    tally.crashes += world.crashes;
    tally.turns += world.turns;
    tally.webhooks += world.webhooks;
    tally.requests += world.wire.sent();
    // What the shop has lost a planted defect shows in its orders.
    let unexplained = match world.shop.defect {
        None => payouts::unexplained(world),
        Some(_) => Vec::new(),
    };
    findings.unexplained_payouts += unexplained.len() as u64;
    let told = unexplained.into_iter().take(1);
    findings
        .cases
        .extend(told.map(|case| format!("{case}\n{}", world.shop)));
    for order in 0..world.plans.len() {
        let record = world.record(order);
        let books = books.remove(&order).unwrap_or_default();
        let case = Case {
            world,
            record: &record,
            books,
            found: Vec::new(),
        };
        let found = case.found(findings, tally);
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

/// What the providers know of one order.
#[derive(Default)]
struct Books {
    entries: Vec<Entry>,
    refunds: Vec<Refunded>,
    /// Whether a provider does not tell its refunds one by one.
    is_silent: bool,
}

impl Books {
    fn add_refunds(&mut self, refunds: Option<Vec<Refunded>>) {
        match refunds {
            Some(refunds) => self.refunds.extend(refunds),
            None => self.is_silent = true,
        }
    }
}

/// One order, as the shop and as the providers know it.
struct Case<'w> {
    world: &'w World<'w>,
    record: &'w OrderRecord<Test>,
    books: Books,
    found: Vec<String>,
}

impl Case<'_> {
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
    fn is_left_to_a_person(&self, attempt: &AttemptRecord<Test>) -> bool {
        self.cannot_be_found(attempt) && self.is_told("needs_a_person:attempt_unknown")
    }

    /// Whether only a person can find out what became of it.
    fn cannot_be_found(&self, attempt: &AttemptRecord<Test>) -> bool {
        let is_unknown = attempt.phase == AttemptPhase::Stored;
        is_unknown && !self.world.can_search(attempt.provider.as_str())
    }

    /// Whether who asked for it learned at once what came of it, or was cut off and did not ask
    /// again.
    fn is_told_at_once(&self, command: &CommandRecord<Test>) -> bool {
        let script = self.world.shop.script.as_ref();
        let is_cut_off = script.is_none_or(|script| {
            !script.is_stubborn && matches!(script.trouble, Trouble::Death { .. })
        });
        let name = command.command.clone();
        let acted = self.world.acted.lock().unwrap();
        let is_told = name.is_some_and(|name| {
            let failure = (self.record.order.id.clone(), name);
            acted.failures.contains(&failure)
        });
        is_cut_off || is_told
    }

    /// Whether the host got a cue of this kind, whatever it is about.
    fn is_told(&self, kind: &str) -> bool {
        let acted = self.world.acted.lock().unwrap();
        acted.ids.keys().any(|(order, its)| {
            let rest = its.strip_prefix(kind);
            let is_kind = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'));
            *order == self.record.order.id && is_kind
        })
    }

    fn compare_money(&mut self, findings: &mut Findings, tally: &mut Tally) {
        let entries = &self.books.entries;
        let sum = |amount: fn(&Entry) -> i64| entries.iter().map(amount).sum::<i64>();
        let taken = sum(|entry| entry.captured);
        let refunded = sum(|entry| entry.refunded);
        let disputed = sum(|entry| entry.disputed);
        let charges: u32 = entries.iter().map(|entry| entry.charges).sum();
        let total = self.record.order.total.minor();
        let net = taken - refunded - disputed;
        tally.disputed += u64::from(disputed > 0);
        let charged = entries.iter().filter(|entry| entry.captured > 0);
        let mut attempts: Vec<_> = charged
            .map(|entry| entry.reference.as_ref().map(ToString::to_string))
            .collect();
        attempts.sort();
        let has_twins = attempts.windows(2).any(|pair| pair[0] == pair[1]);
        let is_too_much = taken - refunded > total;
        if charges > 1 && (has_twins || is_too_much) {
            findings.double_charges += 1;
            self.found.push(format!("charged {charges} times"));
        }
        let received = self.record.received().map(|received| received.minor());
        let mut attempts = self.record.attempts.iter();
        let is_unheard = self.record.payments.is_empty()
            && attempts.any(|attempt| self.is_left_to_a_person(attempt));
        if received.as_ref().ok() != Some(&net) && !is_unheard {
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
            let is_refund = matches!(command.operation, CommandOperation::Refund { .. });
            if self.books.is_silent || !is_refund {
                continue;
            }
            let name = command.command.as_ref().map(|command| command.as_str());
            let its: Vec<_> = self
                .books
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
        let is_confirmed = self.is_told("paid");
        if self.record.paid_at.is_some() != is_confirmed {
            findings.lost_confirmations += 1;
            let at = self.record.paid_at;
            self.found
                .push(format!("paid at {at:?}, confirmed: {is_confirmed}"));
        }
        let mut untold = Vec::new();
        let mut expect = |kind: &str, is_due: bool| {
            if is_due && !self.is_told(kind) {
                untold.push(format!("nobody is told of {kind}"));
            }
        };
        let standing = self.record.standing();
        let is_late = matches!(standing, Standing::PaidAfterClose { .. });
        expect("paid_after_close", is_late);
        let is_too_much = matches!(standing, Standing::Overpaid { .. });
        expect("overpaid", is_too_much);
        let mut refunds = self.books.refunds.iter();
        expect("refunded", refunds.any(|refund| refund.is_with_payer));
        let mut entries = self.books.entries.iter();
        expect("dispute_opened", entries.any(|entry| entry.disputed > 0));
        for command in &self.record.commands {
            let told = self.is_told_at_once(command);
            let about = format!("{}_failed:{}", command.operation.name(), command.key);
            let has_failed = command.state == CommandState::Failed && command.refund.is_none();
            let is_awaited = command.command.is_some();
            if has_failed
                && is_awaited
                && !told
                && !self.is_told(&format!("needs_a_person:{about}"))
            {
                untold.push(format!("nobody is told of {about}"));
            }
        }
        if !untold.is_empty() {
            findings.lost_confirmations += 1;
            self.found.extend(untold);
        }
        let order = &self.record.order.id;
        let acted = self.world.acted.lock().unwrap();
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
            let is_unknown = attempt.phase == AttemptPhase::Stored;
            if is_unknown && !self.is_left_to_a_person(attempt) {
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
        if let Some(script) = &self.world.shop.script
            && script.is_stubborn
            && !matches!(script.trouble, Trouble::Meanwhile { .. })
        {
            let end = End {
                taken: self.books.entries.iter().map(|e| e.captured).sum(),
                refunded: self.books.entries.iter().map(|e| e.refunded).sum(),
                is_paid: self.record.paid_at.is_some(),
            };
            if end != script.end {
                open.push(format!("{end:?}, and not {:?}", script.end));
            }
        }
        if !open.is_empty() {
            findings.no_correct_end += 1;
            self.found.extend(open);
        }
    }
}
