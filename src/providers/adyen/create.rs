//! How a payment begins: by a link to Adyen's page, in Adyen's form on the host's page, or with
//! what that form has encrypted.
//!
//! Sources: <https://docs.adyen.com/unified-commerce/pay-by-link>,
//! <https://docs.adyen.com/online-payments/build-your-integration/sessions-flow>,
//! <https://docs.adyen.com/online-payments/build-your-integration/advanced-flow>,
//! <https://docs.adyen.com/online-payments/capture>.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::amount::to_wire;
use super::convert::reference_text;
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::id::Reference;
use crate::request::{CaptureMode, CreateRequest, DirectMethod, Presence};
use crate::secret::Secret;

/// How long a link and a session may last at most.
const LINK_LASTS: Duration = Duration::from_secs(70 * 24 * 60 * 60);
const SESSION_LASTS: Duration = Duration::from_secs(24 * 60 * 60);

/// Who sends what, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) request: &'a CreateRequest,
    pub(super) reference: &'a Reference,
    pub(super) merchant_account: &'a str,
    pub(super) now: Timestamp,
}

impl Asked<'_> {
    /// A payment link.
    pub(super) fn link(&self, return_url: &str) -> Result<Value> {
        let mut body = self.body(return_url)?;
        if self.request.capture == CaptureMode::Manual {
            body.insert("manualCapture".into(), true.into());
        }
        if let Some(description) = &self.request.description {
            if description.chars().count() > 280 {
                return Err(invalid(
                    "a description of a payment link has 280 characters at most",
                ));
            }
            body.insert("description".into(), description.as_str().into());
        }
        self.push_expiry(&mut body, LINK_LASTS)?;
        Ok(body.into())
    }

    /// A session for the form on the host's page.
    pub(super) fn session(&self, return_url: &str) -> Result<Value> {
        let mut body = self.body(return_url)?;
        body.insert("channel".into(), "Web".into());
        self.push_manual_capture(&mut body);
        self.push_expiry(&mut body, SESSION_LASTS)?;
        Ok(body.into())
    }

    /// A payment with a token or a saved method.
    pub(super) fn payment(
        &self,
        method: &DirectMethod,
        presence: Presence,
        return_url: Option<&str>,
    ) -> Result<Value> {
        if self.request.expires_at.is_some() {
            return Err(invalid(
                "only a page or a form ends by time: leave the expiry out",
            ));
        }
        let mut body = self.body(return_url.unwrap_or(NOBODY_RETURNS))?;
        self.push_manual_capture(&mut body);
        match method {
            DirectMethod::Token(token) => body.extend(encrypted(token)?),
            DirectMethod::Saved { customer, method } => {
                let stored = json!({"type": "scheme", "storedPaymentMethodId": method});
                body.insert("paymentMethod".into(), stored);
                body.insert("shopperReference".into(), customer.as_str().into());
            }
        }
        let (interaction, model) = match presence {
            Presence::OnSession => ("Ecommerce", "CardOnFile"),
            Presence::OffSession => ("ContAuth", "UnscheduledCardOnFile"),
        };
        body.insert("shopperInteraction".into(), interaction.into());
        if matches!(method, DirectMethod::Saved { .. }) {
            body.insert("recurringProcessingModel".into(), model.into());
        }
        Ok(body.into())
    }

    /// What all three have.
    fn body(&self, return_url: &str) -> Result<Map<String, Value>> {
        let request = self.request;
        check_metadata(request)?;
        let amount = to_wire(request.amount.money())?;
        let mut body = Map::new();
        body.insert("merchantAccount".into(), self.merchant_account.into());
        body.insert("amount".into(), json!(amount));
        let reference = reference_text(self.reference, request.capture)?;
        body.insert("reference".into(), reference.into());
        body.insert("returnUrl".into(), return_url.into());
        if let Some(email) = &request.email {
            body.insert("shopperEmail".into(), email.as_str().into());
        }
        if !request.metadata.is_empty() {
            body.insert("metadata".into(), json!(request.metadata));
        }
        if request.capture == CaptureMode::Automatic {
            // At once, whatever delay the account is set to.
            body.insert("captureDelayHours".into(), 0.into());
        }
        Ok(body)
    }

    /// Overrides how the account captures.
    fn push_manual_capture(&self, body: &mut Map<String, Value>) {
        if self.request.capture == CaptureMode::Manual {
            body.insert("additionalData".into(), json!({"manualCapture": "true"}));
        }
    }

    fn push_expiry(&self, body: &mut Map<String, Value>, lasts: Duration) -> Result<()> {
        let Some(expires_at) = self.request.expires_at else {
            return Ok(());
        };
        if expires_at <= self.now || expires_at > self.now.saturating_add(lasts) {
            return Err(invalid(
                "a payment link ends 70 days after it began at the latest, and a session 24 hours",
            ));
        }
        body.insert("expiresAt".into(), expires_at.to_string().into());
        Ok(())
    }
}

/// Where nobody returns to: Adyen demands an address even where the shopper is absent. The domain
/// is reserved (RFC 2606).
const NOBODY_RETURNS: &str = "https://shopper-is-absent.invalid/";

/// What Adyen's form has made: its `state.data`, or the `paymentMethod` of that alone, as JSON. Only
/// what the form encrypts is taken: a card's plain number would put the host under PCI DSS SAQ D.
fn encrypted(token: &Secret) -> Result<Map<String, Value>> {
    const TAKEN: [&str; 7] = [
        "paymentMethod",
        "browserInfo",
        "origin",
        "riskData",
        "billingAddress",
        "deliveryAddress",
        "checkoutAttemptId",
    ];
    const PLAIN: [&str; 4] = ["number", "cvc", "expiryMonth", "expiryYear"];
    let Ok(Value::Object(mut data)) = serde_json::from_str(token.expose()) else {
        return Err(invalid(
            "the token is not what Adyen's form makes: hand over its state.data as JSON",
        ));
    };
    if data.contains_key("type") && !data.contains_key("paymentMethod") {
        data = Map::from_iter([("paymentMethod".to_owned(), Value::Object(data))]);
    }
    let Some(Value::Object(method)) = data.get("paymentMethod") else {
        return Err(invalid(
            "the token has no paymentMethod: hand over state.data as JSON",
        ));
    };
    if PLAIN.iter().any(|field| method.contains_key(*field)) {
        return Err(invalid(
            "the token holds a card's plain data: only what Adyen's form has encrypted is taken",
        ));
    }
    data.retain(|field, _| TAKEN.contains(&field.as_str()));
    Ok(data)
}

/// Adyen's limits: 20 entries, keys of 20 and values of 80 characters.
fn check_metadata(request: &CreateRequest) -> Result<()> {
    let fits = |text: &str, most| (1..=most).contains(&text.chars().count());
    let mut entries = request.metadata.iter();
    if request.metadata.len() <= 20 && entries.all(|(key, value)| fits(key, 20) && fits(value, 80))
    {
        return Ok(());
    }
    Err(invalid(
        "Adyen keeps 20 metadata entries, with keys of 20 and values of 80 characters",
    ))
}

fn invalid(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidRequest, message)
}
