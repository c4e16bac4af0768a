//! Payments: one try of a shopper to pay each, and what became of it.

use std::time::Duration;

use super::amounts::Amount;
use super::links::LinkStatus;
use super::methods::{self, Method, Trigger};
use super::notices::{self, Item};
use super::sessions::SessionStatus;
use super::state::{CaptureTiming, Task, World};
use super::{disputes, links, sessions};
use crate::clock::Timestamp;
use crate::simulator::table::Row;

/// How long an authorisation is kept. Schemes keep it shorter; this is Adyen's own limit.
const AUTHORISED_FOR: Duration = Duration::from_secs(28 * 24 * 60 * 60);
/// How long a shopper may take to come back from another page.
const OFFER_KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);
const PENDING_FOR: Duration = Duration::from_secs(24 * 60 * 60);
const DEBIT_PENDING_FOR: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// One try to pay.
#[derive(Debug, Clone)]
pub(super) struct Payment {
    pub(super) psp: String,
    pub(super) created: Timestamp,
    pub(super) merchant: String,
    pub(super) reference: String,
    pub(super) amount: Amount,
    pub(super) method: Method,
    pub(super) trigger: Option<Trigger>,
    pub(super) capture: CaptureTiming,
    pub(super) source: Source,
    pub(super) merchant_order_reference: Option<String>,
    pub(super) shopper: Option<String>,
    pub(super) metadata: Vec<(String, String)>,
    pub(super) return_url: Option<String>,
    pub(super) store_card: bool,
    pub(super) stored_card: Option<String>,
    pub(super) state: PaymentState,
    /// What the shopper brings back from another page.
    pub(super) result_token: String,
    /// What is held now, in minor units; it sinks when a rest is let go.
    pub(super) authorised: i64,
    /// The most that was ever held.
    pub(super) granted: i64,
    pub(super) captured: i64,
    pub(super) captures: u32,
    pub(super) refunded: i64,
    pub(super) disputed: i64,
}

impl Row for Payment {
    fn id(&self) -> &str {
        &self.psp
    }
}

/// Where the shopper began to pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    Api,
    Link(String),
    Session(String),
}

/// How far a payment has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PaymentState {
    /// The shopper is on another page, or has answered there.
    Action(Step, Option<ShopperAnswer>),
    Pending,
    Authorised,
    Refused(u8),
    Cancelled,
    /// The authorisation ran out, or the shopper never came back.
    Expired,
    Error,
}

/// The page that a shopper was sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The bank asks whether it is the shopper, on a page of its own.
    Redirected,
    /// The same, within the shop's own page.
    Challenged,
    /// The bank's own page where the shopper approves the payment.
    AtBank,
}

/// What a shopper did on such a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ShopperAnswer {
    Passed,
    Failed,
    Cancelled,
}

impl Payment {
    /// What is left to capture.
    pub(super) fn capturable(&self) -> i64 {
        match self.state {
            PaymentState::Authorised => self.authorised - self.captured,
            _ => 0,
        }
    }

    /// What is left to refund or to be charged back.
    pub(super) fn refundable(&self) -> i64 {
        self.captured - self.refunded - self.disputed
    }

    /// The result code, as the API answers it.
    pub(super) fn result_code(&self) -> &'static str {
        match self.state {
            PaymentState::Action(Step::Challenged, _) => "ChallengeShopper",
            PaymentState::Action(..) => "RedirectShopper",
            PaymentState::Pending if self.method.kind == "sepadirectdebit" => "Received",
            PaymentState::Pending => "Pending",
            PaymentState::Authorised if self.trigger == Some(Trigger::AuthorisePart) => {
                "PartiallyAuthorised"
            }
            PaymentState::Authorised => "Authorised",
            PaymentState::Refused(_) => "Refused",
            PaymentState::Cancelled | PaymentState::Expired => "Cancelled",
            PaymentState::Error => "Error",
        }
    }

    fn passes_unasked(&self) -> bool {
        self.trigger == Some(Trigger::PassUnasked)
    }

    /// The page that the shopper is sent to.
    pub(super) fn page_url(&self, world: &World) -> String {
        let path = format!("/checkoutshopper/authenticate/{}", self.psp);
        world.url("checkoutshopper-test.adyen.com", &path)
    }
}

/// Begins a payment, up to where the shopper or a bank must act. `payment` comes with nothing done.
pub(super) fn begin(world: &mut World, payment: Payment, in_page: bool) -> String {
    let psp = payment.psp.clone();
    let step = match payment.method.kind {
        "ideal" => Some(Step::AtBank),
        "scheme" if !payment.method.challenges || payment.passes_unasked() => None,
        "scheme" if in_page => Some(Step::Challenged),
        "scheme" => Some(Step::Redirected),
        _ => None,
    };
    match step {
        Some(step) => {
            world.put(Payment {
                state: PaymentState::Action(step, None),
                ..payment
            });
            world.plan(OFFER_KEPT_FOR, Task::CloseOffer(psp.clone()));
        }
        None => {
            world.put(payment);
            decide(world, &psp);
        }
    }
    psp
}

/// Notes what the shopper did on another page. A payment of the API goes on when the merchant asks
/// for its details; others go on at once.
pub(super) fn answer(world: &mut World, psp: &str, answer: ShopperAnswer) -> bool {
    let Some(mut payment) = world.payments.get(psp).cloned() else {
        return false;
    };
    let PaymentState::Action(step, None) = payment.state else {
        return false;
    };
    payment.state = PaymentState::Action(step, Some(answer));
    let waits = payment.source == Source::Api;
    world.put(payment);
    if !waits {
        resume(world, psp);
    }
    true
}

/// Goes on after the shopper has answered.
pub(super) fn resume(world: &mut World, psp: &str) {
    let Some(payment) = world.payments.get(psp) else {
        return;
    };
    match payment.state {
        PaymentState::Action(_, Some(ShopperAnswer::Passed)) => decide(world, psp),
        PaymentState::Action(_, Some(ShopperAnswer::Failed)) => refuse(world, psp, 11),
        PaymentState::Action(_, Some(ShopperAnswer::Cancelled)) => cancel_by_shopper(world, psp),
        _ => {}
    }
}

/// The bank decides.
fn decide(world: &mut World, psp: &str) {
    let Some(mut payment) = world.payments.get(psp).cloned() else {
        return;
    };
    let debit = payment.method.kind == "sepadirectdebit";
    match payment.trigger {
        // A page takes one payment, though several may have been begun on it.
        _ if is_taken(world, &payment.source) => refuse(world, psp, 2),
        Some(Trigger::Refuse(code)) => refuse(world, psp, code),
        Some(Trigger::Error) => {
            payment.state = PaymentState::Error;
            let item = Item::authorisation(&payment, false, "Acquirer Error".to_owned());
            world.put(payment);
            notices::emit(world, item);
        }
        Some(Trigger::Pend { authorised }) => pend(world, payment, authorised),
        _ if debit => pend(world, payment, true),
        _ => authorise(world, psp),
    }
}

fn pend(world: &mut World, mut payment: Payment, authorised: bool) {
    payment.state = PaymentState::Pending;
    let finish = Task::FinishPending {
        payment: payment.psp.clone(),
        authorised,
    };
    let by = match payment.method.kind {
        "sepadirectdebit" => DEBIT_PENDING_FOR,
        _ => PENDING_FOR,
    };
    let source = payment.source.clone();
    world.put(payment);
    world.plan(by, finish);
    settle_source(world, &source, SourceOutcome::Pending);
}

pub(super) fn finish_pending(world: &mut World, psp: &str, authorised: bool) {
    let pending = |payment: &Payment| payment.state == PaymentState::Pending;
    match authorised {
        _ if !world.payments.get(psp).is_some_and(pending) => {}
        true => authorise(world, psp),
        false => refuse(world, psp, 2),
    }
}

fn authorise(world: &mut World, psp: &str) {
    let Some(mut payment) = world.payments.get(psp).cloned() else {
        return;
    };
    payment.state = PaymentState::Authorised;
    payment.authorised = match payment.trigger {
        Some(Trigger::AuthorisePart) => payment.amount.value / 2,
        _ => payment.amount.value,
    };
    payment.granted = payment.authorised;
    if let (true, Some(shopper)) = (payment.store_card, payment.shopper.clone()) {
        let merchant = payment.merchant.clone();
        let id = super::stored::store(world, &merchant, &shopper, payment.method);
        payment.stored_card = Some(id);
    }
    let reason = format!("{}:{}:03/2030", auth_code(psp), payment.method.summary);
    let item = Item::authorisation(&payment, true, reason);
    let (source, capture) = (payment.source.clone(), payment.capture);
    world.put(payment);
    notices::emit(world, item);
    settle_source(world, &source, SourceOutcome::Paid);
    let expiry = Task::ExpireAuthorisation(psp.to_owned());
    world.plan(AUTHORISED_FOR, expiry);
    let task = Task::CaptureAutomatically(psp.to_owned());
    match capture {
        CaptureTiming::Immediate => world.plan(world.modification_delay, task),
        CaptureTiming::Hours(hours) => {
            world.plan(Duration::from_secs(u64::from(hours) * 3600), task);
        }
        CaptureTiming::Manual => {}
    }
}

fn refuse(world: &mut World, psp: &str, code: u8) {
    let Some(mut payment) = world.payments.get(psp).cloned() else {
        return;
    };
    payment.state = PaymentState::Refused(code);
    let reason = methods::refusal_text(code).to_owned();
    let item = Item::authorisation(&payment, false, reason);
    let source = payment.source.clone();
    world.put(payment);
    notices::emit(world, item);
    settle_source(world, &source, SourceOutcome::Refused);
}

fn cancel_by_shopper(world: &mut World, psp: &str) {
    let Some(mut payment) = world.payments.get(psp).cloned() else {
        return;
    };
    payment.state = PaymentState::Cancelled;
    let item = Item::authorisation(&payment, false, "CANCELLED".to_owned());
    let source = payment.source.clone();
    world.put(payment);
    notices::emit(world, item);
    settle_source(world, &source, SourceOutcome::Refused);
}

/// The shopper never came back from a bank's page. 3D Secure that is walked away from is not told.
pub(super) fn close_offer(world: &mut World, psp: &str) {
    let Some(mut payment) = world.payments.get(psp).cloned() else {
        return;
    };
    let PaymentState::Action(step, None) = payment.state else {
        return;
    };
    payment.state = PaymentState::Expired;
    let item = Item::of(&payment, "OFFER_CLOSED", true);
    world.put(payment);
    if step == Step::AtBank {
        notices::emit(world, item);
    }
}

/// An authorisation runs out.
pub(super) fn expire_authorisation(world: &mut World, psp: &str) {
    let Some(mut payment) = world.payments.get(psp).cloned() else {
        return;
    };
    if payment.capturable() <= 0 {
        return;
    }
    let rest = payment.amount.with_value(payment.capturable());
    payment.authorised = payment.captured;
    if payment.captured == 0 {
        payment.state = PaymentState::Expired;
    }
    let item = Item {
        amount: rest,
        ..Item::of(&payment, "EXPIRE", true)
    };
    world.put(payment);
    notices::emit(world, item);
}

/// What became of a try, for the link or the session that it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SourceOutcome {
    Paid,
    Pending,
    Refused,
}

/// Whether another payment of the same page has succeeded, or may yet.
fn is_taken(world: &World, source: &Source) -> bool {
    match source {
        Source::Api => false,
        Source::Link(id) => world.links.get(id).is_some_and(|link| {
            matches!(
                link.status,
                LinkStatus::Completed | LinkStatus::PaymentPending
            )
        }),
        Source::Session(id) => world.sessions.get(id).is_some_and(|session| {
            matches!(
                session.status,
                SessionStatus::Completed | SessionStatus::PaymentPending
            )
        }),
    }
}

fn settle_source(world: &mut World, source: &Source, outcome: SourceOutcome) {
    match source {
        Source::Api => {}
        Source::Link(id) => links::settle(world, id, outcome),
        Source::Session(id) => sessions::settle(world, id, outcome),
    }
}

/// After something was captured: what its trigger brings.
pub(super) fn after_capture(world: &mut World, psp: &str) {
    let payment = world.payments.get(psp);
    if payment.is_some_and(|payment| payment.trigger == Some(Trigger::ChargeBack)) {
        world.plan(
            disputes::CHARGED_BACK_AFTER,
            Task::DisputePayment(psp.to_owned()),
        );
    }
}

/// Six digits that an issuer would give.
pub(super) fn auth_code(psp: &str) -> String {
    let digits = psp.bytes().map(|byte| char::from(b'0' + byte % 10));
    digits.take(6).collect()
}

impl World {
    /// Stores a payment, new or changed.
    pub(super) fn put(&mut self, payment: Payment) {
        self.payments.put(payment);
    }
}
