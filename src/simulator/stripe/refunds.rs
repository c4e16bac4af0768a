//! Refunds: money back to the shopper, at once, later, or not at all.

use std::time::Duration;

use serde_json::{Value, json};

use super::amounts;
use super::charges::{self, Charge, ChargeState};
use super::errors::ApiError;
use super::intents::Intent;
use super::listing::Page;
use super::payouts;
use super::router::Call;
use super::state::{Metadata, Record, Task, World, list_object, record_table};
use super::tokens::Behaviour;
use super::warnings;
use crate::clock::Timestamp;

/// How long a pending test refund takes to succeed, and a failing one to fail.
const TAKES: Duration = Duration::from_secs(60 * 60);

/// Money on its way back.
#[derive(Debug, Clone)]
pub(super) struct Refund {
    pub(super) id: String,
    pub(super) created: Timestamp,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) charge: String,
    pub(super) state: RefundState,
    intent: String,
    reason: Option<&'static str>,
    metadata: Metadata,
    balance_transaction: Option<String>,
    failure_balance_transaction: Option<String>,
    /// Whether it gives nothing back, and only releases what was not captured.
    pub(super) is_release: bool,
}

/// The states of a refund that are simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RefundState {
    Pending,
    Succeeded,
    Failed,
}

impl Record for Refund {
    const OBJECT: &'static str = "refund";
    const PARAM: &'static str = "refund";
    record_table!(refunds);

    fn render(&self, _: &World) -> Value {
        let status = match self.state {
            RefundState::Pending => "pending",
            RefundState::Succeeded => "succeeded",
            RefundState::Failed => "failed",
        };
        let mut object = json!({
            "id": self.id,
            "object": "refund",
            "amount": self.amount,
            "balance_transaction": self.balance_transaction,
            "charge": self.charge,
            "created": self.created.unix(),
            "currency": self.currency,
            "destination_details": {
                "type": "card",
                "card": {
                    "reference_status": "pending",
                    "reference_type": "acquirer_reference_number",
                    "type": "refund",
                },
            },
            "metadata": self.metadata,
            "payment_intent": self.intent,
            "reason": self.reason,
            "receipt_number": null,
            "source_transfer_reversal": null,
            "status": status,
            "transfer_reversal": null,
        });
        if let Some(fields) = object.as_object_mut() {
            if self.state == RefundState::Pending {
                let _ = fields.insert("pending_reason".to_owned(), json!("processing"));
            }
            if self.state == RefundState::Failed {
                let _ = fields.insert(
                    "failure_reason".to_owned(),
                    json!("expired_or_canceled_card"),
                );
                let back = json!(self.failure_balance_transaction);
                let _ = fields.insert("failure_balance_transaction".to_owned(), back);
            }
        }
        object
    }
}

pub(super) fn create(world: &mut World, mut call: Call) -> Result<Value, ApiError> {
    let params = &mut call.params;
    let charge = params.filled("charge")?;
    let intent = params.filled("payment_intent")?;
    let amount = params.integer("amount")?;
    let reason = params.one_of(
        "reason",
        &["duplicate", "fraudulent", "requested_by_customer"],
    )?;
    let metadata = params.metadata()?.initial();
    params.accept(&[
        "instructions_email",
        "refund_application_fee",
        "reverse_transfer",
    ]);
    call.params.finish()?;
    if let Some(amount) = amount
        && amount < 1
    {
        let code = Some("parameter_invalid_integer");
        let message = "This value must be greater than or equal to 1.";
        return Err(ApiError::invalid_param("amount", code, message));
    }
    let charge = match (charge, intent) {
        (None, None) => {
            let message = "One of the following params should be provided for this request: \
                           payment_intent or charge.";
            return Err(ApiError::invalid_param(
                "payment_intent",
                Some("parameter_missing"),
                message,
            ));
        }
        (Some(charge), intent) => {
            let charge: Charge = world.find(&charge)?;
            if intent.is_some_and(|intent| intent != charge.intent) {
                let message = "The charge does not belong to the payment_intent.";
                return Err(ApiError::refused("charge_invalid_parameter", message));
            }
            charge
        }
        (None, Some(intent)) => charge_of_intent(world, &intent)?,
    };
    let refund = make(world, &charge, amount, reason, metadata)?;
    Ok(world.find::<Refund>(&refund)?.render(world))
}

fn charge_of_intent(world: &World, id: &str) -> Result<Charge, ApiError> {
    let intent: Intent = world
        .intents
        .get(id)
        .cloned()
        .ok_or_else(|| ApiError::missing(Intent::OBJECT, id, "payment_intent"))?;
    let charge = intent
        .latest_charge
        .as_deref()
        .and_then(|id| world.charges.get(id));
    match charge {
        Some(charge) if charge.state == ChargeState::Succeeded => Ok(charge.clone()),
        _ => {
            let message =
                format!("This PaymentIntent ({id}) does not have a successful charge to refund.");
            Err(intent.unexpected_state(world, &message))
        }
    }
}

/// Refunds `amount` of a charge, or all that is left of it; the id of the refund is answered.
pub(super) fn make(
    world: &mut World,
    charge: &Charge,
    amount: Option<i64>,
    reason: Option<&'static str>,
    metadata: Metadata,
) -> Result<String, ApiError> {
    let id = &charge.id;
    let refused = |code, message: String| Err(ApiError::refused(code, &message));
    if charge.state != ChargeState::Succeeded {
        return refused(
            "charge_not_refundable",
            format!("Charge {id} cannot be refunded."),
        );
    }
    if !charge.captured {
        let message = format!("Charge {id} is not captured: cancel its PaymentIntent instead.");
        return refused("charge_not_refundable", message);
    }
    if charge.refundable() == 0 {
        return refused(
            "charge_already_refunded",
            format!("Charge {id} has already been refunded."),
        );
    }
    if charge.disputed {
        let message = format!("Charge {id} has been charged back; cannot issue a refund.");
        return refused("refund_disputed_payment", message);
    }
    let amount = amount.unwrap_or(charge.refundable());
    amounts::movable(amount, &charge.currency, "amount")?;
    if amount > charge.refundable() {
        let message = format!(
            "Refund amount ({}) is greater than unrefunded amount on charge ({})",
            amounts::display(amount, &charge.currency),
            amounts::display(charge.refundable(), &charge.currency)
        );
        return Err(ApiError::refused("amount_too_large", &message).with_param("amount"));
    }

    let behaviour = charges::method_of(world, id).map(|method| method.method.behaviour);
    let pending = behaviour == Some(Behaviour::RefundPends);
    let mut refund = Refund {
        id: world
            .ids
            .next(if id.starts_with("py") { "pyr" } else { "re" }),
        created: world.now,
        amount,
        currency: charge.currency.clone(),
        charge: id.clone(),
        state: if pending {
            RefundState::Pending
        } else {
            RefundState::Succeeded
        },
        intent: charge.intent.clone(),
        reason,
        metadata,
        balance_transaction: None,
        failure_balance_transaction: None,
        is_release: false,
    };
    refund.balance_transaction = Some(payouts::book_refund(world, &refund));
    let refund_id = refund.id.clone();
    world.put_and_emit(refund, "refund.created");
    let mut charge = charge.clone();
    charge.amount_refunded += amount;
    world.update_and_emit(charge, "charge.refunded");
    warnings::after_change(world, id);
    match behaviour {
        Some(Behaviour::RefundPends) => world.plan(TAKES, Task::SettleRefund(refund_id.clone())),
        Some(Behaviour::RefundFails) => world.plan(TAKES, Task::FailRefund(refund_id.clone())),
        _ => {}
    }
    Ok(refund_id)
}

/// Lists the part of a hold that was not captured as a refund, as Stripe does. That this is an event
/// too is not documented: see
/// [`set_release_events`](super::StripeSimulator::set_release_events).
pub(super) fn record_release(world: &mut World, charge: &Charge, expired: bool) {
    if charge.amount_released <= 0 {
        return;
    }
    let refund = Refund {
        id: format!("re_release_{}", charge.id),
        created: world.now,
        amount: charge.amount_released,
        currency: charge.currency.clone(),
        charge: charge.id.clone(),
        state: RefundState::Succeeded,
        intent: charge.intent.clone(),
        reason: expired.then_some("expired_uncaptured_charge"),
        metadata: Metadata::new(),
        balance_transaction: None,
        failure_balance_transaction: None,
        is_release: true,
    };
    match world.release_events {
        true => world.put_and_emit(refund, "refund.created"),
        false => world.put(refund),
    }
}

/// A pending refund succeeds.
pub(super) fn settle(world: &mut World, id: &str) {
    if let Ok(mut refund) = world.find::<Refund>(id)
        && refund.state == RefundState::Pending
    {
        refund.state = RefundState::Succeeded;
        tell(world, refund, "refund.updated");
    }
}

/// A refund fails, even one that had succeeded: the money comes back to the merchant.
pub(super) fn fail(world: &mut World, id: &str) {
    let Ok(mut refund) = world.find::<Refund>(id) else {
        return;
    };
    if refund.state == RefundState::Failed {
        return;
    }
    refund.state = RefundState::Failed;
    refund.failure_balance_transaction = Some(payouts::book_failed_refund(world, &refund));
    if let Ok(mut charge) = world.find::<Charge>(&refund.charge) {
        charge.amount_refunded -= refund.amount;
        world.update_and_emit(charge, "charge.updated");
    }
    tell(world, refund, "refund.failed");
}

/// Stripe tells a change of a refund under two names.
fn tell(world: &mut World, refund: Refund, event: &str) {
    let before = world.refunds.get(&refund.id).cloned();
    world.update_and_emit(refund.clone(), event);
    if let Some(before) = before {
        world.put(before);
    }
    world.update_and_emit(refund, "charge.refund.updated");
}

/// The refunds of one charge as a list, the newest first.
pub(super) fn of_charge(world: &World, charge: &str) -> Value {
    let refunds = world.refunds.newest_first();
    let data = refunds
        .filter(|refund| refund.charge == charge)
        .map(|refund| refund.render(world))
        .collect();
    list_object(&format!("/v1/charges/{charge}/refunds"), data, false)
}

pub(super) fn update(world: &mut World, mut call: Call) -> Result<Value, ApiError> {
    let metadata = call.params.metadata()?;
    call.params.finish()?;
    let mut refund: Refund = world.find(&call.id)?;
    metadata.apply(&mut refund.metadata);
    world.update_and_emit(refund.clone(), "refund.updated");
    Ok(refund.render(world))
}

/// Only a refund that waits for the shopper can be cancelled, and none that is simulated does.
pub(super) fn cancel(world: &mut World, call: Call) -> Result<Value, ApiError> {
    call.params.finish()?;
    let refund: Refund = world.find(&call.id)?;
    let message = format!(
        "You can only cancel a refund with a status of requires_action; {} has another.",
        refund.id
    );
    Err(ApiError::invalid_request(&message))
}

pub(super) fn retrieve(world: &mut World, call: Call) -> Result<Value, ApiError> {
    call.params.finish()?;
    Ok(world.find::<Refund>(&call.id)?.render(world))
}

pub(super) fn list(world: &mut World, mut call: Call) -> Result<Value, ApiError> {
    let page = Page::take(&mut call.params)?;
    let charge = call.params.filled("charge")?;
    let intent = call.params.filled("payment_intent")?;
    call.params.finish()?;
    page.of::<Refund>(world, "/v1/refunds", |refund| {
        charge.as_ref().is_none_or(|id| *id == refund.charge)
            && intent.as_ref().is_none_or(|id| *id == refund.intent)
    })
}
