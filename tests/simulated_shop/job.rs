//! What a node is asked to do: each job is a few calls of the cashier, as a host makes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use counterfoil::cashier::{Cashier, CommandRecord, CommandState, OrderRecord};
use counterfoil::id::{CommandId, OrderId, PaymentId, ProviderName};
use counterfoil::money::{Currency, Money, PositiveMoney};
use counterfoil::payment::{NextAction, Payment, PaymentStatus};
use counterfoil::request::{CaptureRequest, Checkout, CreateRequest, RefundRequest};
use counterfoil::simulator::DeliveryId;
use counterfoil::webhook::WebhookRequest;
use counterfoil::{Effect, Error, ErrorKind, Test};

use super::plan::{Hold, Plan};

#[derive(Debug, Clone)]
pub enum Job {
    Place(usize),
    /// With the shopper's card of this number.
    CheckOut(usize, usize),
    Resume(usize),
    Amend(usize),
    Close(usize),
    /// Captures this part of what is held.
    Capture(usize, usize),
    Void(usize),
    Refund(usize, usize),
    /// From the provider of this name.
    Receive(&'static str, DeliveryId, WebhookRequest),
    /// A webhook that is not the provider's, or not of this mode.
    ReceiveForged(WebhookRequest),
    Sweep,
    DeliverConfirmations,
}

impl Job {
    /// The order that it is about, if it is about a certain one.
    pub const fn order(&self) -> Option<usize> {
        match self {
            Self::Place(order)
            | Self::CheckOut(order, _)
            | Self::Resume(order)
            | Self::Amend(order)
            | Self::Close(order)
            | Self::Capture(order, _)
            | Self::Void(order)
            | Self::Refund(order, _) => Some(*order),
            Self::Receive(..)
            | Self::ReceiveForged(_)
            | Self::Sweep
            | Self::DeliverConfirmations => None,
        }
    }

    pub const fn name(&self) -> &'static str {
        match self {
            Self::Place(_) => "place",
            Self::CheckOut(..) => "check out",
            Self::Resume(_) => "resume",
            Self::Amend(_) => "amend",
            Self::Close(_) => "close",
            Self::Capture(..) => "capture",
            Self::Void(_) => "void",
            Self::Refund(..) => "refund",
            Self::Receive(..) => "receive",
            Self::ReceiveForged(_) => "receive a forgery",
            Self::Sweep => "sweep",
            Self::DeliverConfirmations => "deliver confirmations",
        }
    }
}

/// What came of a job.
#[derive(Debug)]
pub enum Outcome {
    Done,
    /// Nobody knows, or it may help to try again.
    Again,
    /// The shopper is shown a payment.
    Shown(Page),
    /// The card was refused.
    Declined,
    /// A webhook was answered.
    Answered {
        status: u16,
        /// What its orders had received by then.
        seen: Vec<(OrderId, i64)>,
    },
}

/// What the shopper has before them.
#[derive(Debug, Clone)]
pub struct Page {
    pub payment: PaymentId<Test>,
    /// Whether the shopper can still pay.
    pub is_open: bool,
    /// Whether the bank asks the shopper to confirm.
    pub is_challenge: bool,
}

/// What the host has done with its cues. It acts, and then acknowledges.
#[derive(Debug, Default)]
pub struct Acted {
    /// The ids on which it acted, by order and kind: a host acts once per id.
    pub ids: BTreeMap<(OrderId, String), BTreeSet<String>>,
    acknowledged: BTreeSet<String>,
    /// The commands of which staff were told at once that they were not done.
    pub failures: BTreeSet<(OrderId, CommandId)>,
    /// Orders of which a cue came again after it had been acknowledged.
    pub again: BTreeSet<OrderId>,
}

pub fn id(order: usize) -> OrderId {
    OrderId::new(&format!("order-{order}")).unwrap()
}

pub fn eur(minor: i64) -> PositiveMoney {
    PositiveMoney::new(Money::new(minor, Currency::EUR)).unwrap()
}

/// What was taken for an order, whatever went back.
pub fn captured(record: &OrderRecord<Test>) -> i64 {
    let payments = record.payments.iter().filter_map(|p| p.ledger.payment());
    payments.map(|payment| payment.captured.minor()).sum()
}

pub async fn perform(
    cashier: Cashier<Test>,
    job: Job,
    plan: Option<Plan>,
    acted: Arc<Mutex<Acted>>,
) -> Outcome {
    let is_patient = plan.as_ref().is_some_and(|plan| plan.is_patient);
    let plan = || plan.clone().unwrap();
    let is_checkout = matches!(job, Job::CheckOut(..));
    let is_command = matches!(job, Job::Capture(..) | Job::Void(_) | Job::Refund(..));
    let done = match job {
        Job::Place(order) => {
            let placed = cashier.place(&id(order), eur(plan().total)).await;
            placed.map(|_| Outcome::Done)
        }
        Job::CheckOut(order, card) => check_out(&cashier, order, card, &plan()).await,
        Job::Resume(order) => cashier.resume(&id(order)).await.map(|_| Outcome::Done),
        Job::Amend(order) => {
            let amended = cashier.amend(&id(order), eur(plan().amended())).await;
            amended.map(|_| Outcome::Done)
        }
        Job::Close(order) => cashier.close(&id(order)).await.map(|_| Outcome::Done),
        Job::Capture(order, part) => capture(&cashier, order, part, &plan(), &acted).await,
        Job::Void(order) => void(&cashier, order, &plan()).await,
        Job::Refund(order, number) => refund(&cashier, order, number, &plan(), &acted).await,
        Job::Receive(psp, _, request) => return receive(&cashier, psp, &request).await,
        Job::ReceiveForged(request) => {
            let _ = cashier.receive_from("stripe", &request).await;
            Ok(Outcome::Done)
        }
        Job::Sweep => cashier.sweep().await.map(|_| Outcome::Done),
        Job::DeliverConfirmations => deliver(&cashier, &acted).await.map(|()| Outcome::Done),
    };
    match done {
        Ok(outcome) => outcome,
        Err(error) if error.effect() != Effect::NotApplied => Outcome::Again,
        Err(error) => match error.kind() {
            ErrorKind::Declined(_) => Outcome::Declined,
            ErrorKind::InvalidRequest if is_checkout => Outcome::Declined,
            // Such as another capture that is not done yet.
            ErrorKind::Conflict if is_command && is_patient => Outcome::Again,
            // The answer is no, and will be.
            ErrorKind::Conflict | ErrorKind::InvalidRequest => Outcome::Done,
            _ => Outcome::Again,
        },
    }
}

async fn check_out(
    cashier: &Cashier<Test>,
    order: usize,
    card: usize,
    plan: &Plan,
) -> Result<Outcome, Error> {
    let record = cashier.order(&id(order)).await?;
    let left = record.left_to_pay()?;
    let Ok(left) = PositiveMoney::new(left) else {
        return Ok(Outcome::Done);
    };
    let how = match plan.is_direct {
        true => Checkout::token(
            format!("tok_{}", plan.card(card)),
            "https://shop.example/back",
        ),
        false => Checkout::hosted("https://shop.example/done", "https://shop.example/cart"),
    };
    let mut request = CreateRequest::new(id(order), left, how);
    if plan.is_manual {
        request = request.with_manual_capture();
    }
    let payment = match plan.is_direct {
        // A token belongs to the provider that made it.
        true => {
            let stripe = ProviderName::new("stripe").unwrap();
            cashier.check_out_with(&stripe, &request).await?
        }
        false => cashier.check_out(&request).await?,
    };
    Ok(Outcome::Shown(Page {
        payment: payment.id.clone(),
        is_open: matches!(payment.next_action, Some(NextAction::Redirect { .. })),
        is_challenge: plan.is_direct && payment.status == PaymentStatus::ActionRequired,
    }))
}

async fn capture(
    cashier: &Cashier<Test>,
    order: usize,
    part: usize,
    plan: &Plan,
    acted: &Mutex<Acted>,
) -> Result<Outcome, Error> {
    let record = cashier.order(&id(order)).await?;
    // The parts are taken one after the other.
    let is_next = |p: &Payment<Test>| p.is_held() && (part == 0 || p.captured.is_positive());
    let Some(held) = payment_like(&record, is_next) else {
        return Ok(plan.when_missing());
    };
    let whole = held.amount.minor();
    let (amount, is_final) = match (plan.hold, part) {
        (Hold::HalfCaptured, _) => (whole / 2, true),
        (Hold::CapturedInParts, 0) => (whole / 3, false),
        (Hold::CapturedInParts, _) => (whole - whole / 3, true),
        _ => (whole, true),
    };
    let command = next_name(&record, &format!("capture-{part}"));
    let mut request = CaptureRequest::new(held.id.clone(), eur(amount), command);
    if !is_final {
        request = request.keeping_the_rest();
    }
    let captured = cashier.capture(&request).await;
    note_failure(acted, order, &request.command, &captured);
    Ok(plan.when_given(&captured?))
}

async fn void(cashier: &Cashier<Test>, order: usize, plan: &Plan) -> Result<Outcome, Error> {
    let record = cashier.order(&id(order)).await?;
    let Some(held) = payment_like(&record, |p| p.is_held()) else {
        return Ok(plan.when_missing());
    };
    cashier.void(&held.id).await.map(|_| Outcome::Done)
}

async fn refund(
    cashier: &Cashier<Test>,
    order: usize,
    number: usize,
    plan: &Plan,
    acted: &Mutex<Acted>,
) -> Result<Outcome, Error> {
    let record = cashier.order(&id(order)).await?;
    let Some(taken) = payment_like(&record, |p| p.captured.is_positive()) else {
        return Ok(plan.when_missing());
    };
    let payment: PaymentId<Test> = taken.id.clone();
    let command = next_name(&record, &format!("refund-{order}-{number}"));
    let request = RefundRequest::new(payment, eur(plan.refunds[number]), command);
    let refunded = cashier.refund(&request).await;
    note_failure(acted, order, &request.command, &refunded);
    Ok(plan.when_given(&refunded?))
}

/// Staff see that a command was not done.
fn note_failure(
    acted: &Mutex<Acted>,
    order: usize,
    command: &CommandId,
    outcome: &Result<CommandRecord<Test>, Error>,
) {
    let has_failed = match outcome {
        Ok(command) => command.state == CommandState::Failed,
        Err(error) => error.effect() == Effect::NotApplied,
    };
    if has_failed {
        let mut acted = acted.lock().unwrap();
        acted.failures.insert((id(order), command.clone()));
    }
}

/// A name for a wish. One that has failed is over, and is asked for anew under the next name.
fn next_name(record: &OrderRecord<Test>, wish: &str) -> CommandId {
    let failed = record.commands.iter().filter(|command| {
        let name = command.command.as_ref().map_or("", |name| name.as_str());
        let is_its = name.rsplit_once('-').is_some_and(|(its, _)| its == wish);
        is_its && command.state == CommandState::Failed
    });
    CommandId::new(&format!("{wish}-{}", failed.count())).unwrap()
}

impl Plan {
    /// What staff do when there is no payment yet to do it with.
    const fn when_missing(&self) -> Outcome {
        match self.is_patient {
            true => Outcome::Again,
            false => Outcome::Done,
        }
    }

    /// What staff do when the command has failed, perhaps since nobody was there to take it.
    fn when_given(&self, command: &CommandRecord<Test>) -> Outcome {
        match command.state {
            CommandState::Failed if self.is_patient => Outcome::Again,
            _ => Outcome::Done,
        }
    }
}

async fn receive(cashier: &Cashier<Test>, psp: &str, request: &WebhookRequest) -> Outcome {
    let received = cashier.receive_from(psp, request).await;
    let mut seen = Vec::new();
    for order in received.orders {
        if let Ok(record) = cashier.order(&order).await {
            seen.push((order, captured(&record)));
        }
    }
    Outcome::Answered {
        status: received.answer,
        seen,
    }
}

/// The host acts on each cue and acknowledges it.
async fn deliver(cashier: &Cashier<Test>, acted: &Mutex<Acted>) -> Result<(), Error> {
    let cues = cashier.confirmations(Duration::from_secs(300), 50).await?;
    {
        let acted = &mut *acted.lock().unwrap();
        let known = cues
            .iter()
            .filter(|cue| acted.acknowledged.contains(&cue.id));
        acted
            .again
            .extend(known.filter_map(|cue| cue.order.clone()));
    }
    for cue in cues {
        {
            let mut acted = acted.lock().unwrap();
            if let Some(order) = cue.order.clone() {
                let key = (order, cue.kind.to_string());
                acted.ids.entry(key).or_default().insert(cue.id.clone());
            }
        }
        match cashier.acknowledge(&cue).await {
            Ok(()) => {}
            // Another node has it meanwhile.
            Err(error) if *error.kind() == ErrorKind::Conflict => continue,
            Err(error) => return Err(error),
        }
        acted.lock().unwrap().acknowledged.insert(cue.id);
    }
    Ok(())
}

fn payment_like(
    record: &OrderRecord<Test>,
    is_like: impl Fn(&Payment<Test>) -> bool,
) -> Option<&Payment<Test>> {
    let mut payments = record.payments.iter().filter_map(|p| p.ledger.payment());
    payments.find(|payment| is_like(payment))
}
