//! What the simulated company account holds, and the things that its clock will bring.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use super::disputes::Dispute;
use super::links::Link;
use super::modifications::Modification;
use super::notices::{Errand, Notice};
use super::payments::Payment;
use super::reports::Books;
use super::sessions::Session;
use super::stored::StoredCard;
use super::webhooks::Webhook;
use crate::clock::Timestamp;
use crate::simulator::agenda::Agenda;
use crate::simulator::mailroom::Mailroom;
use crate::simulator::table::Table;

pub(super) const COMPANY: &str = "CounterfoilSim";

/// The whole state of the simulated account.
#[derive(Debug)]
pub(super) struct World {
    pub(super) now: Timestamp,
    /// Where pages and reports are, without a slash at the end; Adyen's own hosts if it is not set.
    pub(super) base_url: Option<String>,
    pub(super) ids: Ids,
    pub(super) merchants: Vec<Merchant>,
    /// How long a modification takes from being received to being done.
    pub(super) modification_delay: Duration,
    /// Whether notices of modifications carry the payment's reference and never their own.
    pub(super) tells_payment_reference: bool,
    agenda: Agenda<Task>,
    batches_planned: BTreeSet<Timestamp>,
    pub(super) payments: Table<Payment>,
    pub(super) modifications: Table<Modification>,
    pub(super) links: Table<Link>,
    pub(super) sessions: Table<Session>,
    pub(super) stored: Table<StoredCard>,
    pub(super) disputes: Table<Dispute>,
    pub(super) webhooks: Table<Webhook>,
    pub(super) notices: Table<Notice>,
    pub(super) mail: Mailroom<Errand>,
    pub(super) items_per_body: usize,
    pub(super) bundles: super::notices::Bundles,
    pub(super) books: Books,
}

/// A merchant account, and how it is set up.
#[derive(Debug, Clone)]
pub(super) struct Merchant {
    pub(super) name: String,
    pub(super) capture: CaptureTiming,
    pub(super) multiple_captures: bool,
    pub(super) tells_automatic_captures: bool,
}

impl Merchant {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            capture: CaptureTiming::Immediate,
            multiple_captures: false,
            tells_automatic_captures: true,
        }
    }
}

/// When an authorised payment is captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CaptureTiming {
    /// At once.
    Immediate,
    /// After so many hours, 672 at most.
    Hours(u16),
    /// When the merchant asks for it.
    Manual,
}

/// Something that the clock will bring.
#[derive(Debug, Clone)]
pub(super) enum Task {
    ExpireLink(String),
    ExpireSession(String),
    CloseOffer(String),
    FinishPending { payment: String, authorised: bool },
    CaptureAutomatically(String),
    ExpireAuthorisation(String),
    SettleModification(String),
    UndoModification(String),
    DisputePayment(String),
    EndDefensePeriod(String),
    CloseBatches,
}

impl World {
    pub(super) fn new(seed: u64, start: Timestamp) -> Self {
        Self {
            now: start,
            base_url: None,
            ids: Ids(fastrand::Rng::with_seed(seed)),
            merchants: vec![Merchant::new(super::MERCHANT_ACCOUNT)],
            modification_delay: Duration::ZERO,
            tells_payment_reference: false,
            agenda: Agenda::default(),
            batches_planned: BTreeSet::new(),
            payments: Table::default(),
            modifications: Table::default(),
            links: Table::default(),
            sessions: Table::default(),
            stored: Table::default(),
            disputes: Table::default(),
            webhooks: Table::default(),
            notices: Table::default(),
            mail: Mailroom::new(seed),
            items_per_body: 1,
            bundles: super::notices::Bundles::new(),
            books: Books::default(),
        }
    }

    pub(super) fn merchant(&self, name: &str) -> Option<&Merchant> {
        self.merchants.iter().find(|merchant| merchant.name == name)
    }

    /// The set-up of a merchant account, which is added if it is new.
    pub(super) fn merchant_mut(&mut self, name: &str) -> Option<&mut Merchant> {
        if self.merchant(name).is_none() {
            self.merchants.push(Merchant::new(name));
        }
        let mut merchants = self.merchants.iter_mut();
        merchants.find(|merchant| merchant.name == name)
    }

    /// An address of a page or a file that is on `host` at Adyen.
    pub(super) fn url(&self, host: &str, path: &str) -> String {
        match &self.base_url {
            Some(base) => format!("{base}{path}"),
            None => format!("https://{host}{path}"),
        }
    }

    pub(super) fn plan(&mut self, after: Duration, task: Task) {
        self.plan_at(self.now.saturating_add(after), task);
    }

    pub(super) fn plan_at(&mut self, at: Timestamp, task: Task) {
        self.agenda.plan(at, task);
    }

    /// Plans the closing of the batches of a day, once.
    pub(super) fn plan_batches(&mut self, midnight: Timestamp) {
        if self.batches_planned.insert(midnight) {
            self.plan_at(midnight, Task::CloseBatches);
        }
    }

    /// Moves the clock, doing on the way what falls due, each thing at its own time.
    pub(super) fn advance(&mut self, by: Duration) {
        let until = self.now.saturating_add(by);
        while let Some((at, task)) = self.agenda.take_due(until) {
            self.now = self.now.max(at);
            self.perform(task);
        }
        self.now = until;
    }

    fn perform(&mut self, task: Task) {
        match task {
            Task::ExpireLink(id) => super::links::expire_when_due(self, &id),
            Task::ExpireSession(id) => super::sessions::expire_when_due(self, &id),
            Task::CloseOffer(psp) => super::payments::close_offer(self, &psp),
            Task::FinishPending {
                payment,
                authorised,
            } => super::payments::finish_pending(self, &payment, authorised),
            Task::CaptureAutomatically(psp) => super::modifications::capture_all(self, &psp),
            Task::ExpireAuthorisation(psp) => super::payments::expire_authorisation(self, &psp),
            Task::SettleModification(psp) => super::modifications::settle(self, &psp),
            Task::UndoModification(psp) => super::modifications::undo(self, &psp),
            Task::DisputePayment(psp) => drop(super::disputes::open(self, &psp)),
            Task::EndDefensePeriod(psp) => super::disputes::end_defense_period(self, &psp),
            Task::CloseBatches => {
                let _ = self.batches_planned.remove(&self.now);
                super::reports::close_batches(self);
            }
        }
    }
}

/// References of Adyen's look, drawn from the seed.
pub(super) struct Ids(fastrand::Rng);

impl Ids {
    /// A `pspReference`: sixteen digits and capitals.
    pub(super) fn psp(&mut self) -> String {
        self.draw(16, b"0123456789BCDFGHJKLMNPQRSTVWXZ")
    }

    /// A prefix and sixteen hexadecimal digits, such as `PLE83C39B0A0DE0C1E`.
    pub(super) fn hex(&mut self, prefix: &str) -> String {
        format!("{prefix}{}", self.draw(16, b"0123456789ABCDEF"))
    }

    /// Something that no one guesses.
    pub(super) fn token(&mut self) -> String {
        let letters = std::iter::repeat_with(|| self.0.alphanumeric());
        letters.take(40).collect()
    }

    fn draw(&mut self, count: usize, alphabet: &[u8]) -> String {
        let letter = |rng: &mut fastrand::Rng| {
            let letter = alphabet.get(rng.usize(..alphabet.len()));
            letter.map_or('0', |letter| char::from(*letter))
        };
        (0..count).map(|_| letter(&mut self.0)).collect()
    }
}

impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ids")
    }
}
