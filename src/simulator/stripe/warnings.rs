//! What is said of a charge before money is asked back: reports of fraud by the card's issuer, and
//! reviews of Radar's.

use serde_json::{Value, json};

use super::charges::{Charge, ChargeState};
use super::errors::ApiError;
use super::state::{Record, World, record_table};
use crate::clock::Timestamp;

/// An early fraud warning.
#[derive(Debug, Clone)]
pub(super) struct FraudWarning {
    id: String,
    created: Timestamp,
    charge: String,
    intent: String,
    actionable: bool,
}

impl Record for FraudWarning {
    const OBJECT: &'static str = "early fraud warning";
    record_table!(fraud_warnings);

    fn render(&self, _: &World) -> Value {
        json!({
            "id": self.id,
            "object": "radar.early_fraud_warning",
            "actionable": self.actionable,
            "charge": self.charge,
            "created": self.created.unix(),
            "fraud_type": "unauthorized_use_of_card",
            "livemode": false,
            "payment_intent": self.intent,
        })
    }
}

/// A charge under review.
#[derive(Debug, Clone)]
pub(super) struct Review {
    id: String,
    created: Timestamp,
    charge: String,
    intent: String,
    closed_reason: Option<&'static str>,
}

impl Record for Review {
    const OBJECT: &'static str = "review";
    record_table!(reviews);

    fn render(&self, _: &World) -> Value {
        json!({
            "id": self.id,
            "object": "review",
            "billing_zip": null,
            "charge": self.charge,
            "closed_reason": self.closed_reason,
            "created": self.created.unix(),
            "ip_address": null,
            "ip_address_location": null,
            "livemode": false,
            "open": self.closed_reason.is_none(),
            "opened_reason": "rule",
            "payment_intent": self.intent,
            "reason": self.closed_reason.unwrap_or("rule"),
            "session": null,
        })
    }
}

/// The issuer reports a charge as fraud; the id of the warning is answered.
pub(super) fn report_fraud(world: &mut World, charge: &str) -> Result<String, ApiError> {
    let charge = succeeded(world, charge)?;
    let warning = FraudWarning {
        id: world.ids.next("issfr"),
        created: world.now,
        actionable: !charge.disputed && charge.refundable() > 0,
        intent: charge.intent,
        charge: charge.id,
    };
    let id = warning.id.clone();
    world.put_and_emit(warning, "radar.early_fraud_warning.created");
    Ok(id)
}

/// A warning can be acted on until the charge is refunded in full, or disputed.
pub(super) fn after_change(world: &mut World, charge: &str) {
    let Ok(charge) = world.find::<Charge>(charge) else {
        return;
    };
    if !charge.disputed && charge.refundable() > 0 {
        return;
    }
    let warnings = world.fraud_warnings.oldest_first();
    let open = warnings.filter(|warning| warning.charge == charge.id && warning.actionable);
    for warning in open.cloned().collect::<Vec<_>>() {
        let over = FraudWarning {
            actionable: false,
            ..warning
        };
        world.update_and_emit(over, "radar.early_fraud_warning.updated");
    }
}

/// Radar holds a charge for review; the id of the review is answered.
pub(super) fn open_review(world: &mut World, charge: &str) -> Result<String, ApiError> {
    let charge = succeeded(world, charge)?;
    let review = Review {
        id: world.ids.next("prv"),
        created: world.now,
        intent: charge.intent,
        charge: charge.id,
        closed_reason: None,
    };
    let id = review.id.clone();
    world.put_and_emit(review, "review.opened");
    Ok(id)
}

/// A review ends with the approval of the charge.
pub(super) fn approve(world: &mut World, review: &str) -> Result<(), ApiError> {
    let review = Review {
        closed_reason: Some("approved"),
        ..world.find(review)?
    };
    world.update_and_emit(review, "review.closed");
    Ok(())
}

fn succeeded(world: &World, charge: &str) -> Result<Charge, ApiError> {
    let charge: Charge = world.find(charge)?;
    match charge.state {
        ChargeState::Succeeded => Ok(charge),
        _ => {
            let message = format!("Charge {} did not succeed.", charge.id);
            Err(ApiError::invalid_request(&message))
        }
    }
}
