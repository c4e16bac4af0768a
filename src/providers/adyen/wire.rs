//! What Adyen sends, as it sends it: few fields, every enum open.
//!
//! Source: the OpenAPI descriptions of Checkout v72, Management v3 and the webhooks v1.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Amount {
    pub(super) value: i64,
    pub(super) currency: String,
}

/// A payment link, made or changed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PaymentLink {
    pub(super) id: String,
    pub(super) amount: Amount,
    pub(super) merchant_account: String,
    pub(super) reference: String,
    pub(super) status: String,
    pub(super) url: String,
    pub(super) expires_at: Option<String>,
}

/// A session for the form on the host's page.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) amount: Amount,
    pub(super) merchant_account: String,
    pub(super) reference: String,
    pub(super) expires_at: Option<String>,
    pub(super) session_data: Option<String>,
}

/// How a session ended, by its result.
#[derive(Debug, Deserialize)]
pub(super) struct SessionResult {
    pub(super) status: Option<String>,
}

/// The answer to a payment, or to its details.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PaymentResult {
    pub(super) psp_reference: Option<String>,
    pub(super) result_code: String,
    pub(super) amount: Option<Amount>,
    pub(super) merchant_reference: Option<String>,
    pub(super) refusal_reason: Option<String>,
    pub(super) refusal_reason_code: Option<String>,
    /// What the shopper must do next, in as many shapes as there are ways to pay.
    pub(super) action: Option<serde_json::Value>,
}

/// The answer to every change of a payment: that it was received.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Modification {
    pub(super) psp_reference: String,
    pub(super) payment_psp_reference: String,
    pub(super) merchant_account: String,
    pub(super) status: String,
    pub(super) amount: Option<Amount>,
}

/// An error of the Checkout API. Its `message` is not read: it is free text and may quote what was
/// sent.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceError {
    pub(super) error_code: Option<String>,
    pub(super) psp_reference: Option<String>,
    /// Of the Management API.
    pub(super) request_id: Option<String>,
}

/// Whose API key it is.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Me {
    pub(super) username: String,
    pub(super) company_name: Option<String>,
    pub(super) client_key: Option<String>,
    pub(super) active: bool,
    #[serde(default)]
    pub(super) roles: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Merchant {
    pub(super) status: Option<String>,
    pub(super) primary_settlement_currency: Option<String>,
}

/// A page of the webhooks of a merchant account.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Webhooks {
    #[serde(default)]
    pub(super) data: Vec<Webhook>,
    pub(super) pages_total: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Webhook {
    pub(super) id: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) url: String,
    pub(super) active: bool,
    pub(super) communication_format: String,
    pub(super) hmac_key_check_value: Option<String>,
    pub(super) encryption_protocol: Option<String>,
    pub(super) has_password: Option<bool>,
    pub(super) has_error: Option<bool>,
    pub(super) additional_settings: Option<WebhookSettings>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WebhookSettings {
    #[serde(default)]
    pub(super) include_event_codes: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WebhookTests {
    #[serde(default)]
    pub(super) data: Vec<WebhookTest>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WebhookTest {
    pub(super) status: String,
    pub(super) response_code: Option<String>,
}

/// A standard webhook: several notices may come in one body.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Envelope {
    pub(super) live: Option<serde_json::Value>,
    /// Each is read by itself, so that one that cannot be read takes no other with it.
    pub(super) notification_items: Option<Vec<serde_json::Value>>,
}

/// One notice.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Item {
    pub(super) psp_reference: Option<String>,
    pub(super) original_reference: Option<String>,
    pub(super) merchant_reference: Option<String>,
    pub(super) amount: Option<NoticeAmount>,
    pub(super) event_code: Option<String>,
    pub(super) success: Option<Flag>,

    // Not signed.
    #[serde(default)]
    pub(super) additional_data: AdditionalData,
    pub(super) event_date: Option<String>,
    pub(super) reason: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct NoticeAmount {
    pub(super) value: Option<i64>,
    pub(super) currency: Option<String>,
}

/// What is not signed, but for the signature itself.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AdditionalData {
    #[serde(rename = "modification.action")]
    pub(super) modification_action: Option<String>,
    pub(super) payment_link_id: Option<String>,
    pub(super) checkout_session_id: Option<String>,
    pub(super) chargeback_reason_code: Option<String>,
    pub(super) nof_reason_code: Option<String>,
    pub(super) rfi_reason_code: Option<String>,
    pub(super) defense_period_ends_at: Option<String>,
}

/// `"true"`, `"false"` or what else there may be, as a text or plainly.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Flag {
    Text(String),
    Plain(bool),
}

impl Flag {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Plain(true) => "true",
            Self::Plain(false) => "false",
        }
    }
}

/// A webhook of the Management API, which has a signature over its body in a header.
#[derive(Debug, Deserialize)]
pub(super) struct ManagementNotice {
    pub(super) environment: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: String,
}
