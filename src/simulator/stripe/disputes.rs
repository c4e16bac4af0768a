//! Disputes: a shopper's bank takes the money back until it has decided.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::charges::{self, Charge, ChargeState};
use super::errors::ApiError;
use super::listing::Page;
use super::payouts;
use super::router::Call;
use super::state::{Metadata, Record, Task, World, record_table};
use super::warnings;
use crate::clock::Timestamp;

/// How long a merchant has to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How long a simulated bank thinks over the evidence.
const DECIDED_AFTER: Duration = Duration::from_secs(60);
/// Evidence in these words decides a test dispute. Source: docs.stripe.com/testing#disputes.
const WINNING: &str = "winning_evidence";

/// The names of evidence that Stripe takes.
const EVIDENCE: &[&str] = &[
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
];

/// A quarrel about a charge.
#[derive(Debug, Clone)]
pub(super) struct Dispute {
    pub(super) id: String,
    pub(super) created: Timestamp,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) charge: String,
    pub(super) state: DisputeState,
    intent: String,
    reason: &'static str,
    inquiry: bool,
    due_by: Timestamp,
    evidence: Metadata,
    submissions: u32,
    metadata: Metadata,
    balance_transactions: Vec<String>,
    reinstated: i64,
}

/// The states of a dispute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DisputeState {
    NeedsResponse,
    UnderReview,
    Won,
    Lost,
    /// The payer has the money back, and there is nothing to decide.
    Prevented,
}

impl Record for Dispute {
    const OBJECT: &'static str = "dispute";
    const PARAM: &'static str = "dispute";
    record_table!(disputes);

    fn render(&self, world: &World) -> Value {
        let transactions: Vec<Value> = self
            .balance_transactions
            .iter()
            .filter_map(|id| world.balance_transactions.get(id))
            .map(|transaction| transaction.render(world))
            .collect();
        let mut evidence: Map<String, Value> = EVIDENCE
            .iter()
            .map(|name| ((*name).to_owned(), json!(self.evidence.get(*name))))
            .collect();
        let _ = evidence.insert("enhanced_evidence".to_owned(), json!({}));
        let method = charges::method_of(world, &self.charge);
        let brand = method.map_or("visa", |method| method.method.brand);
        json!({
            "id": self.id,
            "object": "dispute",
            "amount": self.amount,
            "balance_transactions": transactions,
            "charge": self.charge,
            "created": self.created.unix(),
            "currency": self.currency,
            "enhanced_eligibility_types": [],
            "evidence": evidence,
            "evidence_details": {
                "due_by": self.due_by.unix(),
                "enhanced_eligibility": {},
                "has_evidence": !self.evidence.is_empty(),
                "past_due": world.now > self.due_by,
                "submission_count": self.submissions,
            },
            "is_charge_refundable": self.inquiry,
            "livemode": false,
            "metadata": self.metadata,
            "payment_intent": self.intent,
            "payment_method_details": {
                "type": "card",
                "card": {
                    "brand": brand,
                    "case_type": if self.inquiry { "inquiry" } else { "chargeback" },
                    "network": brand,
                    "network_reason_code": "10.4",
                },
            },
            "reason": self.reason,
            "status": self.status(),
        })
    }
}

impl Dispute {
    fn status(&self) -> &'static str {
        match (self.state, self.inquiry) {
            (DisputeState::NeedsResponse, false) => "needs_response",
            (DisputeState::UnderReview, false) => "under_review",
            (DisputeState::Won, false) => "won",
            (DisputeState::Lost, false) => "lost",
            (DisputeState::Prevented, _) => "prevented",
            (DisputeState::NeedsResponse, true) => "warning_needs_response",
            (DisputeState::UnderReview, true) => "warning_under_review",
            (DisputeState::Won | DisputeState::Lost, true) => "warning_closed",
        }
    }

    fn is_open(&self) -> bool {
        matches!(
            self.state,
            DisputeState::NeedsResponse | DisputeState::UnderReview
        )
    }

    /// What the shopper's bank holds or has taken for good.
    pub(super) fn amount_held(&self) -> i64 {
        if self.inquiry || self.state == DisputeState::Won {
            0
        } else {
            self.amount - self.reinstated
        }
    }
}

/// The shopper disputes a charge; the id of the dispute is answered.
pub(super) fn open(
    world: &mut World,
    charge: &str,
    reason: &'static str,
    inquiry: bool,
) -> Result<String, ApiError> {
    let mut charge: Charge = world.find(charge)?;
    let amount = charge.amount_captured - (charge.amount_refunded - charge.amount_released);
    if charge.state != ChargeState::Succeeded || charge.disputed || amount <= 0 {
        let message = format!("Charge {} cannot be disputed.", charge.id);
        return Err(ApiError::invalid_request(&message));
    }
    let due_by = world.now.saturating_add(ANSWER_WITHIN);
    let mut dispute = Dispute {
        id: world.ids.next("dp"),
        created: world.now,
        amount,
        currency: charge.currency.clone(),
        charge: charge.id.clone(),
        state: DisputeState::NeedsResponse,
        intent: charge.intent.clone(),
        reason,
        inquiry,
        due_by,
        evidence: Metadata::new(),
        submissions: 0,
        metadata: Metadata::new(),
        balance_transactions: Vec::new(),
        reinstated: 0,
    };
    let id = dispute.id.clone();
    world.plan_at(due_by, Task::DisputeDeadline(id.clone()));
    if inquiry {
        world.put_and_emit(dispute, "charge.dispute.created");
        return Ok(id);
    }
    charge.disputed = true;
    world.put(charge);
    let transaction = payouts::book_dispute(world, &dispute);
    dispute.balance_transactions.push(transaction);
    world.put_and_emit(dispute.clone(), "charge.dispute.created");
    let charge = dispute.charge.clone();
    world.put_and_emit(dispute, "charge.dispute.funds_withdrawn");
    warnings::after_change(world, &charge);
    Ok(id)
}

/// The network gives a part of what it withdrew back, whatever the decision was.
pub(super) fn reinstate(world: &mut World, id: &str, amount: i64) {
    let Ok(mut dispute) = world.find::<Dispute>(id) else {
        return;
    };
    let amount = amount.clamp(0, dispute.amount_held());
    let transaction = payouts::book_reinstatement(world, &dispute, amount);
    dispute.balance_transactions.push(transaction);
    dispute.reinstated += amount;
    world.put_and_emit(dispute, "charge.dispute.funds_reinstated");
}

/// The network gives the money back before it becomes a dispute, and withdraws it from the merchant.
pub(super) fn prevent(world: &mut World, charge: &str) -> Result<String, ApiError> {
    let id = open(world, charge, "fraudulent", false)?;
    if let Ok(mut dispute) = world.find::<Dispute>(&id) {
        dispute.state = DisputeState::Prevented;
        world.update_and_emit(dispute, "charge.dispute.closed");
    }
    Ok(id)
}

/// The bank decides.
pub(super) fn decide(world: &mut World, id: &str, won: bool) {
    let Ok(mut dispute) = world.find::<Dispute>(id) else {
        return;
    };
    if !dispute.is_open() {
        return;
    }
    dispute.state = if won {
        DisputeState::Won
    } else {
        DisputeState::Lost
    };
    if won && !dispute.inquiry {
        let transaction = payouts::book_won_dispute(world, &dispute);
        dispute.balance_transactions.push(transaction);
        world.update_and_emit(dispute.clone(), "charge.dispute.closed");
        world.put_and_emit(dispute, "charge.dispute.funds_reinstated");
        return;
    }
    world.update_and_emit(dispute, "charge.dispute.closed");
}

/// A dispute that no one answered in time is lost.
pub(super) fn deadline(world: &mut World, id: &str) {
    let unanswered = |dispute: &Dispute| dispute.state == DisputeState::NeedsResponse;
    if world.disputes.get(id).is_some_and(unanswered) {
        decide(world, id, false);
    }
}

pub(super) fn update(world: &mut World, mut call: Call) -> Result<Value, ApiError> {
    let mut given = Metadata::new();
    if let Some(mut evidence) = call.params.parts("evidence")? {
        for name in EVIDENCE {
            if let Some(text) = evidence.text(name)? {
                let _ = given.insert((*name).to_owned(), text);
            }
        }
        evidence.accept(&["enhanced_evidence"]);
        evidence.finish()?;
    }
    let submit = call.params.boolean("submit")?.unwrap_or(true);
    let metadata = call.params.metadata()?;
    call.params.finish()?;

    let mut dispute: Dispute = world.find(&call.id)?;
    metadata.apply(&mut dispute.metadata);
    if given.is_empty() {
        world.update_and_emit(dispute.clone(), "charge.dispute.updated");
        return Ok(dispute.render(world));
    }
    if dispute.state != DisputeState::NeedsResponse {
        let message = "This dispute is no longer waiting for evidence.";
        return Err(ApiError::invalid_request(message));
    }
    dispute.evidence.append(&mut given);
    if submit {
        dispute.submissions += 1;
        dispute.state = DisputeState::UnderReview;
        let said = dispute.evidence.get("uncategorized_text");
        let decision = Task::DecideDispute {
            dispute: dispute.id.clone(),
            won: said.is_some_and(|text| text == WINNING),
        };
        world.plan(DECIDED_AFTER, decision);
    }
    world.update_and_emit(dispute.clone(), "charge.dispute.updated");
    Ok(dispute.render(world))
}

/// The merchant gives in.
pub(super) fn close(world: &mut World, call: Call) -> Result<Value, ApiError> {
    call.params.finish()?;
    let dispute: Dispute = world.find(&call.id)?;
    if !dispute.is_open() {
        return Err(ApiError::invalid_request("This dispute is already closed."));
    }
    decide(world, &call.id, false);
    Ok(world.find::<Dispute>(&call.id)?.render(world))
}

pub(super) fn retrieve(world: &mut World, call: Call) -> Result<Value, ApiError> {
    call.params.finish()?;
    Ok(world.find::<Dispute>(&call.id)?.render(world))
}

pub(super) fn list(world: &mut World, mut call: Call) -> Result<Value, ApiError> {
    let page = Page::take(&mut call.params)?;
    let charge = call.params.filled("charge")?;
    let intent = call.params.filled("payment_intent")?;
    call.params.finish()?;
    page.of::<Dispute>(world, "/v1/disputes", |dispute| {
        charge.as_ref().is_none_or(|id| *id == dispute.charge)
            && intent.as_ref().is_none_or(|id| *id == dispute.intent)
    })
}
