//! What PayPal sends, as it sends it: few fields, every enum open.
//!
//! Source: PayPal's OpenAPI descriptions (checkout_orders 2.13, payments_payment 2.5, customer
//! disputes 1.10, reporting_transactions 1.9, notifications_webhooks 1.11).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// An amount: a currency and a decimal text, both ways.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Amount {
    pub(super) currency_code: String,
    pub(super) value: String,
}

/// A link to what belongs together, or to what can be done next.
#[derive(Debug, Deserialize)]
pub(super) struct Link {
    pub(super) href: String,
    pub(super) rel: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Order {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) intent: Option<String>,
    #[serde(default)]
    pub(super) purchase_units: Vec<PurchaseUnit>,
    pub(super) create_time: Option<String>,
    pub(super) update_time: Option<String>,
    #[serde(default)]
    pub(super) links: Vec<Link>,
}

impl Order {
    /// What was done with it: orders made here have one purchase unit.
    pub(super) fn payments(&self) -> impl Iterator<Item = &Payments> {
        let units = self.purchase_units.iter();
        units.filter_map(|unit| unit.payments.as_ref())
    }

    pub(super) fn authorizations(&self) -> impl Iterator<Item = &Authorization> {
        self.payments()
            .flat_map(|payments| &payments.authorizations)
    }

    pub(super) fn captures(&self) -> impl Iterator<Item = &Capture> {
        self.payments().flat_map(|payments| &payments.captures)
    }

    pub(super) fn refunds(&self) -> impl Iterator<Item = &Refund> {
        self.payments().flat_map(|payments| &payments.refunds)
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct PurchaseUnit {
    pub(super) amount: Option<Amount>,
    pub(super) custom_id: Option<String>,
    pub(super) payments: Option<Payments>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Payments {
    #[serde(default)]
    pub(super) authorizations: Vec<Authorization>,
    #[serde(default)]
    pub(super) captures: Vec<Capture>,
    #[serde(default)]
    pub(super) refunds: Vec<Refund>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Authorization {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) status_details: Option<StatusDetails>,
    pub(super) amount: Option<Amount>,
    pub(super) custom_id: Option<String>,
    pub(super) expiration_time: Option<String>,
    pub(super) create_time: Option<String>,
    pub(super) supplementary_data: Option<SupplementaryData>,
    pub(super) processor_response: Option<ProcessorResponse>,
    #[serde(default)]
    pub(super) links: Vec<Link>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Capture {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) status_details: Option<StatusDetails>,
    pub(super) amount: Option<Amount>,
    pub(super) custom_id: Option<String>,
    pub(super) invoice_id: Option<String>,
    /// Whether the rest of what was held is let go.
    pub(super) final_capture: Option<bool>,
    pub(super) create_time: Option<String>,
    pub(super) seller_receivable_breakdown: Option<Breakdown>,
    pub(super) supplementary_data: Option<SupplementaryData>,
    pub(super) processor_response: Option<ProcessorResponse>,
    #[serde(default)]
    pub(super) links: Vec<Link>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Refund {
    pub(super) id: String,
    pub(super) status: Option<String>,
    pub(super) amount: Option<Amount>,
    pub(super) custom_id: Option<String>,
    pub(super) create_time: Option<String>,
    #[serde(default)]
    pub(super) links: Vec<Link>,
}

#[derive(Debug, Deserialize)]
pub(super) struct StatusDetails {
    pub(super) reason: Option<String>,
}

/// What the bank of a card said.
#[derive(Debug, Deserialize)]
pub(super) struct ProcessorResponse {
    pub(super) response_code: Option<String>,
    pub(super) payment_advice_code: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Breakdown {
    pub(super) paypal_fee: Option<Amount>,
}

#[derive(Debug, Deserialize)]
pub(super) struct SupplementaryData {
    pub(super) related_ids: Option<RelatedIds>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct RelatedIds {
    pub(super) order_id: Option<String>,
    pub(super) authorization_id: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct DisputeList {
    #[serde(default)]
    pub(super) items: Vec<DisputeItem>,
    #[serde(default)]
    pub(super) links: Vec<Link>,
}

#[derive(Debug, Deserialize)]
pub(super) struct DisputeItem {
    pub(super) dispute_id: String,
    pub(super) create_time: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Dispute {
    pub(super) dispute_id: String,
    pub(super) status: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) dispute_amount: Option<Amount>,
    pub(super) dispute_life_cycle_stage: Option<String>,
    pub(super) dispute_outcome: Option<DisputeOutcome>,
    #[serde(default)]
    pub(super) money_movements: Vec<MoneyMovement>,
    pub(super) seller_response_due_date: Option<String>,
    pub(super) create_time: Option<String>,
    #[serde(default)]
    pub(super) disputed_transactions: Vec<DisputedTransaction>,
    #[serde(default)]
    pub(super) links: Vec<Link>,
}

#[derive(Debug, Deserialize)]
pub(super) struct DisputeOutcome {
    pub(super) outcome_code: Option<String>,
    /// What the payer was given, by whoever gave it.
    pub(super) amount_refunded: Option<Amount>,
}

#[derive(Debug, Deserialize)]
pub(super) struct MoneyMovement {
    pub(super) affected_party: Option<String>,
    pub(super) amount: Option<Amount>,
    #[serde(rename = "type")]
    pub(super) direction: Option<String>,
    pub(super) reason: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct DisputedTransaction {
    pub(super) seller_transaction_id: Option<String>,
}

/// A page of the transaction search.
#[derive(Debug, Deserialize)]
pub(super) struct Transactions {
    #[serde(default)]
    pub(super) transaction_details: Vec<TransactionDetail>,
    #[serde(default)]
    pub(super) total_pages: u32,
}

#[derive(Debug, Deserialize)]
pub(super) struct TransactionDetail {
    pub(super) transaction_info: Transaction,
}

#[derive(Debug, Deserialize)]
pub(super) struct Transaction {
    pub(super) transaction_id: Option<String>,
    pub(super) transaction_event_code: Option<String>,
    pub(super) transaction_initiation_date: Option<String>,
    pub(super) transaction_amount: Option<Amount>,
    pub(super) transaction_status: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Balances {
    pub(super) account_id: Option<String>,
    #[serde(default)]
    pub(super) balances: Vec<Balance>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Balance {
    pub(super) currency: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct WebhookList {
    #[serde(default)]
    pub(super) webhooks: Vec<Webhook>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Webhook {
    pub(super) id: String,
    pub(super) url: String,
    #[serde(default)]
    pub(super) event_types: Vec<EventType>,
    #[serde(default)]
    pub(super) links: Vec<Link>,
}

#[derive(Debug, Deserialize)]
pub(super) struct EventType {
    pub(super) name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Token {
    pub(super) access_token: String,
    pub(super) expires_in: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct VerificationAnswer {
    pub(super) verification_status: String,
}

/// The body of an answer that is not a success. Its texts are not read: they can quote what was
/// sent.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ErrorBody {
    pub(super) name: Option<String>,
    /// Of the token call.
    pub(super) error: Option<String>,
    #[serde(default)]
    pub(super) details: Vec<ErrorDetail>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ErrorDetail {
    pub(super) issue: Option<String>,
}

/// A webhook's body. What it is about is read once the type is known.
#[derive(Debug, Deserialize)]
pub(super) struct Event<'a> {
    pub(super) id: String,
    pub(super) event_type: String,
    pub(super) create_time: String,
    pub(super) resource_type: Option<String>,
    #[serde(borrow)]
    pub(super) resource: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) links: Vec<Link>,
}
