//! Charges: one try to take money each, and what became of it.

use serde_json::{Value, json};

use super::customers::{PaymentMethod, billing_details};
use super::disputes;
use super::errors::ApiError;
use super::events;
use super::intents::Intent;
use super::listing::Page;
use super::payments::AUTHORIZED_FOR;
use super::payouts;
use super::refunds;
use super::router::Call;
use super::state::{Metadata, Record, World, record_table};
use super::tokens::{Behaviour, Decline, MethodKind};
use super::warnings;
use crate::clock::Timestamp;

/// One try to take money.
#[derive(Debug, Clone)]
pub(super) struct Charge {
    pub(super) id: String,
    pub(super) created: Timestamp,
    pub(super) amount: i64,
    pub(super) amount_captured: i64,
    /// What went back, and what was authorized but let go.
    pub(super) amount_refunded: i64,
    /// The part of `amount_refunded` that was let go without ever being captured.
    pub(super) amount_released: i64,
    pub(super) currency: String,
    pub(super) state: ChargeState,
    pub(super) captured: bool,
    pub(super) disputed: bool,
    pub(super) authenticated: bool,
    pub(super) intent: String,
    pub(super) payment_method: String,
    pub(super) balance_transaction: Option<String>,
    customer: Option<String>,
    description: Option<String>,
    receipt_email: Option<String>,
    statement_descriptor: Option<String>,
    statement_descriptor_suffix: Option<String>,
    transfer_group: Option<String>,
    metadata: Metadata,
    failure: Option<Decline>,
    blocked: bool,
    multicapture: bool,
}

/// Whether the try succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChargeState {
    Pending,
    Succeeded,
    Failed,
}

impl Record for Charge {
    const OBJECT: &'static str = "charge";
    const PARAM: &'static str = "charge";
    record_table!(charges);

    fn render(&self, world: &World) -> Value {
        let status = match self.state {
            ChargeState::Pending => "pending",
            ChargeState::Succeeded => "succeeded",
            ChargeState::Failed => "failed",
        };
        json!({
            "id": self.id,
            "object": "charge",
            "amount": self.amount,
            "amount_captured": self.amount_captured,
            "amount_refunded": self.amount_refunded,
            "application": null,
            "application_fee": null,
            "application_fee_amount": null,
            "balance_transaction": self.balance_transaction,
            "billing_details": billing_details(),
            "calculated_statement_descriptor": "COUNTERFOIL SIM",
            "captured": self.captured,
            "created": self.created.unix(),
            "currency": self.currency,
            "customer": self.customer,
            "description": self.description,
            "disputed": self.disputed,
            "failure_balance_transaction": null,
            "failure_code": self.failure.map(|said| said.code),
            "failure_message": self.failure.map(|said| said.message),
            "fraud_details": {},
            "livemode": false,
            "metadata": self.metadata,
            "on_behalf_of": null,
            "outcome": self.outcome(),
            "paid": self.state == ChargeState::Succeeded,
            "payment_intent": self.intent,
            "payment_method": self.payment_method,
            "payment_method_details": self.method_details(world),
            "receipt_email": self.receipt_email,
            "receipt_number": null,
            "receipt_url": null,
            "refunded": self.amount_refunded >= self.amount,
            "review": null,
            "shipping": null,
            "source_transfer": null,
            "statement_descriptor": self.statement_descriptor,
            "statement_descriptor_suffix": self.statement_descriptor_suffix,
            "status": status,
            "transfer_data": null,
            "transfer_group": self.transfer_group,
        })
    }
}

impl Charge {
    fn new(world: &mut World, intent: &Intent, method: &PaymentMethod, state: ChargeState) -> Self {
        let prefix = match method.method.kind {
            MethodKind::Card => "ch",
            MethodKind::SepaDebit | MethodKind::UsBankAccount => "py",
        };
        Self {
            id: world.ids.next(prefix),
            created: world.now,
            amount: intent.amount,
            amount_captured: 0,
            amount_refunded: 0,
            amount_released: 0,
            currency: intent.currency.clone(),
            state,
            captured: false,
            disputed: false,
            authenticated: false,
            intent: intent.id.clone(),
            payment_method: method.id.clone(),
            balance_transaction: None,
            customer: intent.customer.clone(),
            description: intent.description.clone(),
            receipt_email: intent.receipt_email.clone(),
            statement_descriptor: intent.statement_descriptor.clone(),
            statement_descriptor_suffix: intent.statement_descriptor_suffix.clone(),
            transfer_group: intent.transfer_group.clone(),
            metadata: intent.metadata.clone(),
            failure: None,
            blocked: false,
            multicapture: intent.multicapture,
        }
    }

    pub(super) fn succeeded(
        world: &mut World,
        intent: &Intent,
        method: &PaymentMethod,
        captured: bool,
    ) -> Self {
        let mut charge = Self::new(world, intent, method, ChargeState::Succeeded);
        charge.captured = captured;
        charge.amount_captured = if captured { charge.amount } else { 0 };
        charge
    }

    pub(super) fn declined(
        world: &mut World,
        intent: &Intent,
        method: &PaymentMethod,
        said: Decline,
    ) -> Self {
        let mut charge = Self::new(world, intent, method, ChargeState::Failed);
        charge.failure = Some(said);
        charge.blocked = method.method.behaviour == Behaviour::Blocks;
        charge
    }

    pub(super) fn pending(world: &mut World, intent: &Intent, method: &PaymentMethod) -> Self {
        let mut charge = Self::new(world, intent, method, ChargeState::Pending);
        charge.captured = true;
        charge
    }

    /// What can still be refunded.
    pub(super) fn refundable(&self) -> i64 {
        self.amount - self.amount_refunded
    }

    fn outcome(&self) -> Value {
        let (kind, network, reason, seller) = match (self.state, self.failure) {
            (ChargeState::Failed, _) if self.blocked => (
                "blocked",
                "not_sent_to_network",
                Some("highest_risk_level"),
                "Stripe blocked this payment as too risky.",
            ),
            (ChargeState::Failed, said) => (
                "issuer_declined",
                "declined_by_network",
                said.map(|said| said.decline_code),
                "The bank returned a decline code.",
            ),
            _ => (
                "authorized",
                "approved_by_network",
                None,
                "Payment complete.",
            ),
        };
        json!({
            "advice_code": self.failure.and_then(|said| said.advice_code),
            "network_advice_code": null,
            "network_decline_code": null,
            "network_status": network,
            "reason": reason,
            "risk_level": if self.blocked { "highest" } else { "normal" },
            "risk_score": if self.blocked { 92 } else { 12 },
            "seller_message": seller,
            "type": kind,
        })
    }

    fn method_details(&self, world: &World) -> Value {
        let Some(method) = world.payment_methods.get(&self.payment_method) else {
            return Value::Null;
        };
        let (kind, brand, last4) = (method.method.kind, method.method.brand, method.method.last4);
        let details = match kind {
            MethodKind::Card => {
                let three_d_secure = self.authenticated.then(|| {
                    json!({
                        "authentication_flow": "challenge",
                        "electronic_commerce_indicator": "05",
                        "exemption_indicator": null,
                        "result": "authenticated",
                        "result_reason": null,
                        "transaction_id": null,
                        "version": "2.2.0",
                    })
                });
                let multicapture = if self.multicapture {
                    "available"
                } else {
                    "unavailable"
                };
                let mut card = json!({
                    "amount_authorized": (self.state == ChargeState::Succeeded).then_some(self.amount),
                    "authorization_code": null,
                    "brand": brand,
                    "checks": {
                        "address_line1_check": null,
                        "address_postal_code_check": null,
                        "cvc_check": "pass",
                    },
                    "country": "US",
                    "exp_month": 12,
                    "exp_year": 2034,
                    "extended_authorization": { "status": "disabled" },
                    "fingerprint": format!("sim{last4}"),
                    "funding": "credit",
                    "incremental_authorization": { "status": "unavailable" },
                    "installments": null,
                    "last4": last4,
                    "mandate": null,
                    "multicapture": { "status": multicapture },
                    "network": brand,
                    "network_token": { "used": false },
                    "network_transaction_id": null,
                    "overcapture": { "maximum_amount_capturable": self.amount, "status": "unavailable" },
                    "regulated_status": "unregulated",
                    "three_d_secure": three_d_secure,
                    "wallet": null,
                });
                if self.state == ChargeState::Succeeded
                    && !self.captured
                    && let Some(fields) = card.as_object_mut()
                {
                    let before = self.created.saturating_add(AUTHORIZED_FOR).unix();
                    let _ = fields.insert("capture_before".to_owned(), json!(before));
                }
                card
            }
            MethodKind::SepaDebit => json!({
                "bank_code": "19043",
                "branch_code": "",
                "country": "AT",
                "fingerprint": format!("sim{last4}"),
                "last4": last4,
                "mandate": null,
            }),
            MethodKind::UsBankAccount => json!({
                "account_holder_type": "individual",
                "account_type": "checking",
                "bank_name": "STRIPE TEST BANK",
                "fingerprint": format!("sim{last4}"),
                "last4": last4,
                "payment_reference": null,
                "routing_number": "110000000",
            }),
        };
        let mut object = json!({ "type": kind.as_str() });
        if let Some(fields) = object.as_object_mut() {
            let _ = fields.insert(kind.as_str().to_owned(), details);
        }
        object
    }
}

/// Tells the world about a charge as it stands.
pub(super) fn emit(world: &mut World, id: &str, event: &str) {
    if let Some(object) = world.charges.get(id).map(|charge| charge.render(world)) {
        events::emit(world, event, object, None);
    }
}

/// Puts a captured amount on the balance.
pub(super) fn book(world: &mut World, id: &str, amount: i64) {
    let Ok(mut charge) = world.find::<Charge>(id) else {
        return;
    };
    let at_once = method_of(world, id)
        .is_some_and(|method| method.method.behaviour == Behaviour::SkipsPending);
    charge.balance_transaction = Some(payouts::book_charge(world, &charge, amount, at_once));
    world.put(charge);
}

/// The balance transaction of an asynchronous capture arrives.
pub(super) fn settle(world: &mut World, id: &str) {
    let Ok(before) = world.find::<Charge>(id) else {
        return;
    };
    book(world, id, before.amount_captured);
    if let Ok(after) = world.find::<Charge>(id) {
        world.put(before);
        world.update_and_emit(after, "charge.updated");
    }
}

/// Disputes that a test payment method brings with it.
pub(super) fn after_success(world: &mut World, id: &str) {
    let behaviour = method_of(world, id).map(|method| method.method.behaviour);
    // The charge exists and was just captured, so that nothing is in the way.
    match behaviour {
        Some(Behaviour::Disputes { reason, inquiry }) => {
            let _ = disputes::open(world, id, reason, inquiry);
        }
        Some(Behaviour::ReportsFraud) => {
            let _ = warnings::report_fraud(world, id);
        }
        _ => {}
    }
}

/// Captures an amount of an authorized charge; the last capture lets the rest go.
pub(super) fn capture(world: &mut World, id: &str, amount: i64, done: bool) {
    let Ok(mut charge) = world.find::<Charge>(id) else {
        return;
    };
    charge.amount_captured += amount;
    if done {
        charge.captured = true;
        charge.amount_released = charge.amount - charge.amount_captured;
        charge.amount_refunded = charge.amount_released;
    }
    charge.balance_transaction = Some(payouts::book_charge(world, &charge, amount, false));
    world.update_and_emit(charge.clone(), "charge.captured");
    if done {
        refunds::record_release(world, &charge, false);
    }
}

/// Lets go what is authorized and not captured.
pub(super) fn release(world: &mut World, id: &str, expired: bool) {
    let Ok(mut charge) = world.find::<Charge>(id) else {
        return;
    };
    charge.amount_released = charge.amount - charge.amount_captured;
    charge.amount_refunded = charge.amount_released;
    charge.captured = charge.amount_captured > 0;
    let event = if expired {
        "charge.expired"
    } else {
        "charge.refunded"
    };
    world.update_and_emit(charge.clone(), event);
    refunds::record_release(world, &charge, expired);
}

pub(super) fn fail_pending(world: &mut World, id: &str) {
    if let Ok(mut charge) = world.find::<Charge>(id) {
        charge.state = ChargeState::Failed;
        charge.captured = false;
        charge.failure = Some(Decline {
            code: "insufficient_funds",
            decline_code: "insufficient_funds",
            message: "The customer's account has insufficient funds to cover this payment.",
            advice_code: None,
        });
        world.update_and_emit(charge, "charge.failed");
    }
}

pub(super) fn succeed_pending(world: &mut World, id: &str) {
    if let Ok(mut charge) = world.find::<Charge>(id) {
        charge.state = ChargeState::Succeeded;
        charge.amount_captured = charge.amount;
        world.put(charge);
    }
}

pub(super) fn method_of(world: &World, charge: &str) -> Option<PaymentMethod> {
    let charge = world.charges.get(charge)?;
    world.payment_methods.get(&charge.payment_method).cloned()
}

pub(super) fn retrieve(world: &mut World, call: Call) -> Result<Value, ApiError> {
    call.params.finish()?;
    Ok(world.find::<Charge>(&call.id)?.render(world))
}

pub(super) fn list(world: &mut World, mut call: Call) -> Result<Value, ApiError> {
    let page = Page::take(&mut call.params)?;
    let intent = call.params.filled("payment_intent")?;
    let customer = call.params.filled("customer")?;
    let group = call.params.filled("transfer_group")?;
    call.params.finish()?;
    page.of::<Charge>(world, "/v1/charges", |charge| {
        intent.as_ref().is_none_or(|id| *id == charge.intent)
            && (customer.is_none() || charge.customer == customer)
            && (group.is_none() || charge.transfer_group == group)
    })
}
