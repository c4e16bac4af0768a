//! Disputes: a shopper wants money back, and it is held until someone decides.
//!
//! Source: `customer_disputes_v1` of the official specifications.

use std::time::Duration;

use serde_json::{Value, json};

use super::amounts::Amount;
use super::captures;
use super::errors::ApiError;
use super::events::{self, Resource};
use super::journal::Entry;
use super::refunds;
use super::reports::instant;
use super::router::{Call, Reply};
use super::state::{MERCHANT_EMAIL, MERCHANT_ID, World, find, put_some, row};
use crate::clock::Timestamp;

const ANSWER_WITHIN: Duration = Duration::from_secs(10 * 24 * 60 * 60);
const PAGE_SIZE: usize = 10;
const PAGE_SIZE_MAX: usize = 50;

/// A shopper's complaint about a payment.
#[derive(Debug, Clone)]
pub(super) struct Dispute {
    pub(super) id: String,
    pub(super) capture: String,
    pub(super) amount: Amount,
    created: Timestamp,
    updated: Timestamp,
    reason: Reason,
    state: State,
}

/// Why the shopper disputes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    NotReceived,
    Unauthorised,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The merchant is to answer.
    Open,
    Won,
    Lost,
    /// The merchant gave all of it back.
    Refunded,
}

row!(Dispute);

impl Dispute {
    /// What the dispute holds or has taken.
    pub(super) fn amount_held(&self) -> i64 {
        match self.state {
            State::Open | State::Lost => self.amount.units,
            State::Won | State::Refunded => 0,
        }
    }

    /// As the list has it; `whole` adds what only one dispute tells.
    fn render(&self, world: &World, whole: bool) -> Value {
        let reason = match self.reason {
            Reason::NotReceived => "MERCHANDISE_OR_SERVICE_NOT_RECEIVED",
            Reason::Unauthorised => "UNAUTHORISED",
        };
        let (status, state, outcome) = match self.state {
            State::Open => ("WAITING_FOR_SELLER_RESPONSE", "REQUIRED_ACTION", None),
            State::Won => ("RESOLVED", "RESOLVED", Some("RESOLVED_SELLER_FAVOUR")),
            State::Lost => ("RESOLVED", "RESOLVED", Some("RESOLVED_BUYER_FAVOUR")),
            State::Refunded => ("RESOLVED", "RESOLVED", Some("ACCEPTED")),
        };
        let path = format!("/v1/customer/disputes/{}", self.id);
        let mut object = json!({
            "dispute_id": self.id,
            "create_time": self.created.to_string(),
            "update_time": self.updated.to_string(),
            "reason": reason,
            "status": status,
            "dispute_amount": self.amount.render(),
            "dispute_life_cycle_stage": "CHARGEBACK",
            "dispute_channel": "INTERNAL",
            "links": [world.link("self", "GET", &path)],
        });
        let due = self.created.saturating_add(ANSWER_WITHIN).to_string();
        let is_open = self.state == State::Open;
        put_some(
            &mut object,
            [("seller_response_due_date", is_open.then(|| json!(due)))],
        );
        if !whole {
            put_some(&mut object, [("dispute_state", Some(json!(state)))]);
            return object;
        }
        let outcome = outcome.map(|code| {
            let back = if self.state == State::Lost {
                self.amount.units
            } else {
                0
            };
            json!({ "outcome_code": code, "amount_refunded": self.amount.of(back).render() })
        });
        put_some(
            &mut object,
            [
                (
                    "disputed_transactions",
                    Some(json!([self.transaction(world)])),
                ),
                ("dispute_outcome", outcome),
            ],
        );
        object
    }

    fn transaction(&self, world: &World) -> Value {
        let mut object = json!({
            "buyer_transaction_id": self.capture,
            "seller_transaction_id": self.capture,
            "transaction_status": "COMPLETED",
            "buyer": { "name": "Sam Shopper" },
            "seller": { "email": MERCHANT_EMAIL, "merchant_id": MERCHANT_ID, "name": "The shop" },
        });
        if let Some(capture) = world.captures.get(&self.capture) {
            put_some(
                &mut object,
                [
                    ("create_time", Some(json!(capture.created.to_string()))),
                    ("gross_amount", Some(capture.amount.render())),
                    (
                        "invoice_number",
                        capture.invoice_id.as_ref().map(|id| json!(id)),
                    ),
                    ("custom", capture.custom_id.as_ref().map(|id| json!(id))),
                ],
            );
        }
        object
    }
}

/// Opens a dispute about all of a capture that is left; the dispute's id is answered.
pub(super) fn open(world: &mut World, capture: &str, reason: Reason) -> Result<String, ApiError> {
    let capture = find(&world.captures, capture)?;
    let back = refunds::given_back(world, &capture.id);
    let left = capture.amount.units - back - held_of(world, &capture.id);
    if capture.state != captures::State::Completed || left <= 0 {
        return Err(ApiError::refused("TRANSACTION_NOT_DISPUTABLE"));
    }
    let dispute = Dispute {
        id: format!("PP-D-{}", world.ids.digits(6)),
        capture: capture.id.clone(),
        amount: capture.amount.of(left),
        created: world.now,
        updated: world.now,
        reason,
        state: State::Open,
    };
    let id = dispute.id.clone();
    let entry = world.ids.next();
    let entry = Entry::dispute(entry, "T1110", &dispute, &capture, world.now);
    world.journal.write(entry);
    world.disputes.put(dispute);
    emit(
        world,
        &id,
        "CUSTOMER.DISPUTE.CREATED",
        "A new dispute opened",
    );
    Ok(id)
}

/// The dispute ends for the merchant or for the shopper. Answers whether it was open.
pub(super) fn decide(world: &mut World, id: &str, won: bool) -> bool {
    let ended = end(world, id, if won { State::Won } else { State::Lost });
    if let Some(dispute) = ended.as_ref().filter(|_| !won) {
        let (kind, summary) = ("PAYMENT.CAPTURE.REVERSED", "A capture was reversed");
        captures::emit(world, &dispute.capture, kind, summary);
    }
    ended.is_some()
}

/// The merchant refunds the whole, which ends the disputes of a capture.
pub(super) fn settle_by_refund(world: &mut World, capture: &str) {
    let open = of_capture(world, capture).filter(|dispute| dispute.state == State::Open);
    let open: Vec<String> = open.map(|dispute| dispute.id.clone()).collect();
    for id in open {
        let _ = end(world, &id, State::Refunded);
    }
}

fn end(world: &mut World, id: &str, state: State) -> Option<Dispute> {
    let mut dispute = world.disputes.get(id).cloned()?;
    let capture = world.captures.get(&dispute.capture).cloned()?;
    if dispute.state != State::Open {
        return None;
    }
    dispute.state = state;
    dispute.updated = world.now;
    // The hold ends in any case; what is lost then leaves for good.
    let codes: &[&'static str] = match state {
        State::Lost => &["T1111", "T1106"],
        _ => &["T1111"],
    };
    for code in codes {
        let entry = world.ids.next();
        let entry = Entry::dispute(entry, code, &dispute, &capture, world.now);
        world.journal.write(entry);
    }
    world.disputes.put(dispute.clone());
    emit(
        world,
        id,
        "CUSTOMER.DISPUTE.RESOLVED",
        "A dispute was resolved",
    );
    Some(dispute)
}

fn emit(world: &mut World, id: &str, kind: &str, summary: &str) {
    if let Some(dispute) = world.disputes.get(id) {
        let resource = dispute.render(world, true);
        events::emit(world, kind, summary, Resource::Dispute(resource));
    }
}

fn of_capture<'world>(
    world: &'world World,
    capture: &str,
) -> impl Iterator<Item = &'world Dispute> {
    let disputes = world.disputes.oldest_first();
    disputes.filter(move |dispute| dispute.capture == capture)
}

pub(super) fn is_open(world: &World, capture: &str) -> bool {
    of_capture(world, capture).any(|dispute| dispute.state == State::Open)
}

/// What disputes have taken of a capture for good.
pub(super) fn lost_of(world: &World, capture: &str) -> i64 {
    of_capture(world, capture)
        .filter(|dispute| dispute.state == State::Lost)
        .map(|dispute| dispute.amount.units)
        .sum()
}

/// What disputes hold or have taken of a capture.
pub(super) fn held_of(world: &World, capture: &str) -> i64 {
    of_capture(world, capture).map(Dispute::amount_held).sum()
}

pub(super) fn show(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let dispute = find(&world.disputes, &call.id)?;
    Ok(Reply::ok(dispute.render(world, true)))
}

pub(super) fn list(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let size = match call.query("page_size") {
        None => PAGE_SIZE,
        Some(text) => text
            .parse()
            .ok()
            .filter(|size| (1..=PAGE_SIZE_MAX).contains(size))
            .ok_or_else(|| ApiError::invalid("INVALID_PARAMETER_VALUE", "page_size"))?,
    };
    let skip: usize = match call.query("next_page_token") {
        None => 0,
        Some(token) => token
            .parse()
            .map_err(|_| ApiError::invalid("INVALID_PARAMETER_VALUE", "next_page_token"))?,
    };
    let start = instant(call, "start_time")?;
    let (before, after) = (
        instant(call, "update_time_before")?,
        instant(call, "update_time_after")?,
    );
    let of = call.query("disputed_transaction_id");
    let states: Option<Vec<&str>> = call.query("dispute_state").map(|s| s.split(',').collect());
    let rows = world.disputes.newest_first();
    let rows: Vec<Value> = rows
        .filter(|dispute| of.is_none_or(|id| id == dispute.capture))
        .filter(|dispute| start.is_none_or(|start| dispute.created >= start))
        .filter(|dispute| before.is_none_or(|before| dispute.updated <= before))
        .filter(|dispute| after.is_none_or(|after| dispute.updated >= after))
        .map(|dispute| dispute.render(world, false))
        .filter(|row| {
            let state = row["dispute_state"].as_str().unwrap_or_default();
            states.as_ref().is_none_or(|states| states.contains(&state))
        })
        .collect();
    let page: Vec<&Value> = rows.iter().skip(skip).take(size).collect();
    let query = |token: usize| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let kept = call
            .query
            .iter()
            .filter(|(name, _)| name != "next_page_token");
        for (name, value) in kept {
            query.append_pair(name, value);
        }
        query.append_pair("next_page_token", &token.to_string());
        format!("/v1/customer/disputes?{}", query.finish())
    };
    let mut links = vec![world.link("self", "GET", "/v1/customer/disputes")];
    let seen = skip.saturating_add(page.len());
    if seen < rows.len() {
        links.push(world.link("next", "GET", &query(seen)));
    }
    Ok(Reply::ok(json!({ "items": page, "links": links })))
}
