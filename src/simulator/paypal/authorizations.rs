//! Authorizations: money that is held, and not taken yet.
//!
//! Source: `payments_payment_v2` of the official specifications. An authorization lasts 29 days; for
//! the first three PayPal honours it.

use std::time::Duration;

use serde_json::{Value, json};

use super::amounts::{Amount, Api};
use super::captures;
use super::errors::ApiError;
use super::events::{self, Resource};
use super::fields::Fields;
use super::funding::{CardDecline, Charge, Funding};
use super::order_request::Unit;
use super::orders::Order;
use super::router::{Call, Made, Reply};
use super::state::{MERCHANT_EMAIL, MERCHANT_ID, Task, World, find, put_some, row};
use crate::clock::Timestamp;

const LASTS: Duration = Duration::from_secs(29 * 24 * 60 * 60);
const HONOURED: Duration = Duration::from_secs(3 * 24 * 60 * 60);
const REVIEW_TAKES: Duration = Duration::from_secs(24 * 60 * 60);
/// Of a hundred, what captures may come to: the default of the specification.
const OVERAGE_PERCENT: i64 = 115;

/// Money that is held.
#[derive(Debug, Clone)]
pub(super) struct Authorization {
    pub(super) id: String,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) expires: Timestamp,
    pub(super) order: String,
    pub(super) unit: usize,
    pub(super) amount: Amount,
    pub(super) custom_id: Option<String>,
    pub(super) invoice_id: Option<String>,
    pub(super) state: State,
    pub(super) funding: Funding,
    /// The authorization that this one renews.
    pub(super) parent: Option<String>,
    decline: Option<CardDecline>,
    /// Its time is over, which PayPal shows as `VOIDED`.
    lapsed: bool,
    /// A capture said that it was the last one.
    closed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Held; how much was captured tells `CREATED`, `PARTIALLY_CAPTURED` and `CAPTURED` apart.
    Held,
    Pending,
    Denied,
    Voided,
}

/// How much of an authorization is told, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Minimal,
    Whole,
    /// As a part of its order, where the order is not named again.
    InOrder,
}

row!(Authorization);

impl Authorization {
    pub(super) fn of_unit(
        world: &mut World,
        order: &Order,
        at: usize,
        unit: &Unit,
        funding: Funding,
        charge: Charge,
    ) -> Self {
        let (state, decline) = match charge {
            Charge::Declined(reason) => (State::Denied, Some(reason)),
            Charge::Pending(_) => (State::Pending, None),
            Charge::Pays | Charge::Refused(_) => (State::Held, None),
        };
        Self {
            id: world.ids.next(),
            created: world.now,
            updated: world.now,
            expires: world.now.saturating_add(LASTS),
            order: order.id.clone(),
            unit: at,
            amount: unit.amount,
            custom_id: unit.custom_id.clone(),
            invoice_id: unit.invoice_id.clone(),
            state,
            funding,
            parent: None,
            decline,
            lapsed: false,
            closed: false,
        }
    }

    /// Whether it holds money, or held it until it was taken.
    pub(super) fn is_live(&self) -> bool {
        matches!(self.state, State::Held | State::Pending)
    }

    /// The authorization that was first given; one that renews it counts with it.
    pub(super) fn root(&self) -> &str {
        self.parent.as_deref().unwrap_or(&self.id)
    }

    fn status(&self, world: &World) -> &'static str {
        match self.state {
            State::Pending => "PENDING",
            State::Denied => "DENIED",
            State::Voided => "VOIDED",
            State::Held => match captures::taken_of(world, &self.id) {
                0 => "CREATED",
                taken if taken < self.amount.units => "PARTIALLY_CAPTURED",
                _ => "CAPTURED",
            },
        }
    }

    pub(super) fn render(&self, world: &World, view: View) -> Value {
        let path = format!("/v2/payments/authorizations/{}", self.id);
        let mut links = vec![world.link("self", "GET", &path)];
        if self.state == State::Held && !self.closed {
            for action in ["capture", "void", "reauthorize"] {
                links.push(world.link(action, "POST", &format!("{path}/{action}")));
            }
        }
        let order = format!("/v2/checkout/orders/{}", self.order);
        links.push(world.link("up", "GET", &order));
        let status = self.status(world);
        let mut object = json!({ "id": self.id, "status": status, "links": links });
        if view == View::Minimal {
            return object;
        }
        let reason = (self.state == State::Pending).then(|| json!({ "reason": "PENDING_REVIEW" }));
        let in_order = view == View::InOrder;
        put_some(
            &mut object,
            [
                ("status_details", reason),
                ("amount", Some(self.amount.render())),
                ("custom_id", self.custom_id.as_ref().map(|id| json!(id))),
                ("invoice_id", self.invoice_id.as_ref().map(|id| json!(id))),
                ("seller_protection", Some(captures::seller_protection())),
                ("expiration_time", Some(json!(self.expires.to_string()))),
                ("create_time", Some(json!(self.created.to_string()))),
                ("update_time", Some(json!(self.updated.to_string()))),
                (
                    "processor_response",
                    self.decline
                        .filter(|_| in_order)
                        .map(captures::processor_response),
                ),
                (
                    "supplementary_data",
                    (!in_order).then(|| json!({ "related_ids": { "order_id": self.order } })),
                ),
                (
                    "payee",
                    (!in_order).then(
                        || json!({ "email_address": MERCHANT_EMAIL, "merchant_id": MERCHANT_ID }),
                    ),
                ),
            ],
        );
        object
    }
}

/// Stores a new authorization and tells of it.
pub(super) fn begin(world: &mut World, held: Authorization) {
    let id = held.id.clone();
    if held.state == State::Pending {
        world.plan(REVIEW_TAKES, Task::DecideAuthorization(id.clone()));
    }
    if held.is_live() {
        let remaining = held.expires.abs_diff(world.now);
        world.plan(remaining, Task::LapseAuthorization(id.clone()));
    }
    let is_held = held.state == State::Held;
    world.authorizations.put(held);
    if is_held {
        emit(
            world,
            &id,
            "PAYMENT.AUTHORIZATION.CREATED",
            "A payment was authorized",
        );
    }
}

fn emit(world: &mut World, id: &str, kind: &str, summary: &str) {
    if let Some(held) = world.authorizations.get(id) {
        let resource = held.render(world, View::Whole);
        events::emit(world, kind, summary, Resource::Authorization(resource));
    }
}

fn change(world: &mut World, id: &str, change: impl FnOnce(&mut Authorization)) {
    if let Some(mut held) = world.authorizations.get(id).cloned() {
        change(&mut held);
        held.updated = world.now;
        world.authorizations.put(held);
    }
}

/// The review of a pending authorization ends.
pub(super) fn decide(world: &mut World, id: &str, granted: bool) {
    let pending = world.authorizations.get(id);
    if pending.is_none_or(|held| held.state != State::Pending) {
        return;
    }
    change(world, id, |held| {
        held.state = if granted { State::Held } else { State::Denied };
    });
    if granted {
        emit(
            world,
            id,
            "PAYMENT.AUTHORIZATION.CREATED",
            "A payment was authorized",
        );
    }
}

/// The 29 days are over: what is not captured is let go.
pub(super) fn lapse(world: &mut World, id: &str) {
    let Some(held) = world.authorizations.get(id) else {
        return;
    };
    let taken = captures::taken_of(world, id);
    if !held.is_live() || held.closed || taken >= held.amount.units {
        return;
    }
    change(world, id, |held| {
        held.state = State::Voided;
        held.lapsed = true;
    });
    emit(
        world,
        id,
        "PAYMENT.AUTHORIZATION.VOIDED",
        "A payment authorization was voided",
    );
}

pub(super) fn show(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let held = find(&world.authorizations, &call.id)?;
    Ok(Reply::ok(held.render(world, View::Whole)))
}

/// The authorization, if something of it can be captured still.
pub(super) fn capturable(world: &World, id: &str) -> Result<Authorization, ApiError> {
    let held = find(&world.authorizations, id)?;
    let refused = |issue| Err(ApiError::refused(issue));
    match held.state {
        State::Voided if held.lapsed => refused("AUTHORIZATION_EXPIRED"),
        State::Voided => refused("AUTHORIZATION_VOIDED"),
        State::Denied => refused("AUTHORIZATION_DENIED"),
        State::Pending => refused("TRANSACTION_REFUSED"),
        State::Held if held.closed => refused("AUTHORIZATION_ALREADY_CAPTURED"),
        State::Held => Ok(held),
    }
}

/// What may be captured in all, with the overage that PayPal allows.
pub(super) fn limit(held: &Authorization) -> i64 {
    held.amount.units.saturating_mul(OVERAGE_PERCENT) / 100
}

/// No more is captured of this authorization.
pub(super) fn close(world: &mut World, id: &str) {
    change(world, id, |held| held.closed = true);
}

pub(super) fn void(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let held = find(&world.authorizations, &call.id)?;
    let refused = |issue| Err(ApiError::refused(issue));
    let taken = captures::taken_of(world, &held.id);
    match held.state {
        _ if held.parent.is_some() => return refused("CANNOT_BE_VOIDED"),
        State::Voided | State::Denied => return refused("PREVIOUSLY_VOIDED"),
        _ if held.closed || taken >= held.amount.units => return refused("PREVIOUSLY_CAPTURED"),
        _ => {}
    }
    let renewed = world.authorizations.oldest_first();
    let family: Vec<String> = renewed
        .filter(|other| other.root() == held.id)
        .map(|other| other.id.clone())
        .collect();
    for id in family {
        change(world, &id, |held| held.state = State::Voided);
    }
    emit(
        world,
        &held.id,
        "PAYMENT.AUTHORIZATION.VOIDED",
        "A payment authorization was voided",
    );
    let made = Reply::made(Made::Voided(held.id));
    Ok(Reply {
        status: 200,
        ..made
    })
}

/// Renews the hold once its first three days are over. PayPal's pages and its specification differ
/// on how often; once here.
pub(super) fn reauthorize(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let fields = Fields::of_body(&call.body, Api::Payments)?;
    let held = capturable(world, &call.id)?;
    let amount = fields.positive_amount("amount")?.unwrap_or(held.amount);
    let renewed = world.authorizations.oldest_first();
    let is_renewed = renewed
        .into_iter()
        .any(|other| other.parent.as_deref() == Some(&held.id));
    if held.parent.is_some() || is_renewed {
        return Err(ApiError::refused("REAUTHORIZATION_NOT_SUPPORTED"));
    }
    if captures::taken_of(world, &held.id) > 0 {
        return Err(ApiError::refused("AUTHORIZATION_ALREADY_CAPTURED"));
    }
    if amount.currency != held.amount.currency {
        return Err(ApiError::refused("AUTH_CURRENCY_MISMATCH"));
    }
    if amount.units > limit(&held) {
        return Err(ApiError::refused("TRANSACTION_REFUSED"));
    }
    if world.now.abs_diff(held.created) < HONOURED {
        return Err(ApiError::refused("REAUTHORIZATION_TOO_SOON"));
    }
    let renewal = Authorization {
        id: world.ids.next(),
        created: world.now,
        updated: world.now,
        amount,
        parent: Some(held.id.clone()),
        ..held
    };
    let id = renewal.id.clone();
    begin(world, renewal);
    Ok(Reply::made(Made::Authorization(id)))
}
