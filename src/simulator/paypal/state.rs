//! What the simulated account holds: its records, the agenda of things to come, the clock.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::authorizations::{self, Authorization};
use super::captures::{self, Capture};
use super::disputes::Dispute;
use super::errors::ApiError;
use super::events::{Errand, Event};
use super::journal::Journal;
use super::notary::Notary;
use super::orders::{self, Order};
use super::refunds::{self, Refund};
use super::webhooks::Webhook;
use crate::clock::Timestamp;
use crate::simulator::agenda::Agenda;
use crate::simulator::mailroom::Mailroom;
use crate::simulator::table::{Row, Table};

/// The one merchant.
pub(super) const MERCHANT_ID: &str = "C7FS7M2ATEDMX";
pub(super) const MERCHANT_EMAIL: &str = "merchant@business.example.com";
/// The one shopper.
pub(super) const PAYER_ID: &str = "P4YERS7M2ATED";
pub(super) const PAYER_EMAIL: &str = "shopper@personal.example.com";

const API_HOST: &str = "https://api.sandbox.paypal.com";
const WEB_HOST: &str = "https://www.sandbox.paypal.com";

/// The whole state of the simulated account.
#[derive(Debug)]
pub(super) struct World {
    pub(super) now: Timestamp,
    /// Where the simulator is served; without a server, addresses are those of PayPal's sandbox.
    pub(super) base_url: Option<String>,
    pub(super) ids: Ids,
    pub(super) settings: Settings,
    pub(super) orders: Table<Order>,
    pub(super) authorizations: Table<Authorization>,
    pub(super) captures: Table<Capture>,
    pub(super) refunds: Table<Refund>,
    pub(super) disputes: Table<Dispute>,
    pub(super) journal: Journal,
    pub(super) events: Table<Event>,
    pub(super) webhooks: Table<Webhook>,
    pub(super) mail: Mailroom<Errand>,
    pub(super) notary: Notary,
    agenda: Agenda<Task>,
}

/// How the account is set up.
#[derive(Debug)]
pub(super) struct Settings {
    /// Whether one invoice id can be paid twice.
    pub(super) repeated_invoices: bool,
    /// Whether the header `PayPal-Mock-Response` is heeded.
    pub(super) negative_testing: bool,
    /// How long a transaction takes to appear in reports.
    pub(super) reporting_delay: Duration,
}

/// Something that the clock will bring.
#[derive(Debug, Clone)]
pub(super) enum Task {
    LapseOrder(String),
    ForgetOrder(String),
    LapseAuthorization(String),
    DecideAuthorization(String),
    SettleCapture(String),
    SettleRefund(String),
}

impl World {
    pub(super) fn new(seed: u64, start: Timestamp) -> Self {
        Self {
            now: start,
            base_url: None,
            ids: Ids(fastrand::Rng::with_seed(seed)),
            settings: Settings {
                repeated_invoices: false,
                negative_testing: true,
                reporting_delay: Duration::from_secs(3 * 60 * 60),
            },
            orders: Table::default(),
            authorizations: Table::default(),
            captures: Table::default(),
            refunds: Table::default(),
            disputes: Table::default(),
            journal: Journal::default(),
            events: Table::default(),
            webhooks: Table::default(),
            mail: Mailroom::new(seed),
            notary: Notary::new(start),
            agenda: Agenda::default(),
        }
    }

    pub(super) fn plan(&mut self, after: Duration, task: Task) {
        self.agenda.plan(self.now.saturating_add(after), task);
    }

    /// Moves the clock, doing on the way what falls due, each thing at its own time.
    pub(super) fn advance(&mut self, by: Duration) {
        let until = self.now.saturating_add(by);
        while let Some((at, task)) = self.agenda.take_due(until) {
            self.now = self.now.max(at);
            match task {
                Task::LapseOrder(id) => orders::lapse(self, &id),
                Task::ForgetOrder(id) => orders::forget(self, &id),
                Task::LapseAuthorization(id) => authorizations::lapse(self, &id),
                Task::DecideAuthorization(id) => authorizations::decide(self, &id, true),
                Task::SettleCapture(id) => captures::settle_when_due(self, &id),
                Task::SettleRefund(id) => refunds::settle_when_due(self, &id),
            }
        }
        self.now = until;
    }

    /// The address of an API path, such as `/v2/payments/captures/…`.
    pub(super) fn api_url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url.as_deref().unwrap_or(API_HOST))
    }

    /// The address of a page for people.
    pub(super) fn page_url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url.as_deref().unwrap_or(WEB_HOST))
    }

    /// A link of an object to an API path.
    pub(super) fn link(&self, rel: &str, method: &str, path: &str) -> Value {
        json!({ "href": self.api_url(path), "rel": rel, "method": method })
    }
}

/// The record with this id.
pub(super) fn find<T: Row + Clone>(table: &Table<T>, id: &str) -> Result<T, ApiError> {
    table.get(id).cloned().ok_or_else(ApiError::not_found)
}

/// Implements [`Row`] by the field `id`.
macro_rules! row {
    ($record:ty) => {
        impl $crate::simulator::table::Row for $record {
            fn id(&self) -> &str {
                &self.id
            }
        }
    };
}
pub(super) use row;

/// Ids of PayPal's look, drawn from the seed.
pub(super) struct Ids(fastrand::Rng);

impl Ids {
    /// An id of an order or a transaction: 17 digits and capital letters.
    pub(super) fn next(&mut self) -> String {
        const LETTERS: &[u8] = b"0123456789ABCDEFGHJKLMNPRSTUVWXY";
        let first = char::from(self.0.u8(b'1'..=b'9'));
        std::iter::once(first)
            .chain(self.pick(LETTERS, 16))
            .collect()
    }

    pub(super) fn event(&mut self) -> String {
        format!("WH-{}-{}", self.next(), self.next())
    }

    pub(super) fn digits(&mut self, count: usize) -> String {
        self.pick(b"0123456789", count).into_iter().collect()
    }

    pub(super) fn hex(&mut self, count: usize) -> String {
        self.pick(b"0123456789abcdef", count).into_iter().collect()
    }

    pub(super) fn letters(&mut self, count: usize) -> String {
        std::iter::repeat_with(|| self.0.alphanumeric())
            .take(count)
            .collect()
    }

    /// In the form of a UUID.
    pub(super) fn uuid(&mut self) -> String {
        [8, 4, 4, 4, 12].map(|count| self.hex(count)).join("-")
    }

    fn pick(&mut self, letters: &[u8], count: usize) -> Vec<char> {
        std::iter::repeat_with(|| self.0.choice(letters))
            .take(count)
            .flatten()
            .map(|letter| char::from(*letter))
            .collect()
    }
}

impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ids")
    }
}

/// Adds the fields that have a value.
pub(super) fn put_some<const N: usize>(object: &mut Value, fields: [(&str, Option<Value>); N]) {
    if let Some(object) = object.as_object_mut() {
        for (name, value) in fields {
            if let Some(value) = value {
                let _ = object.insert(name.to_owned(), value);
            }
        }
    }
}
