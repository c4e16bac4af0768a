//! What a preflight sees of a set-up with Adyen.
//!
//! Sources: <https://docs.adyen.com/development-resources/api-idempotency> and
//! <https://docs.adyen.com/api-explorer/Management/3/overview>.

use http::HeaderMap;
use serde_json::json;

use super::webhook::{SIGNATURE_HEADER, Verifier};
use super::{Adyen, amount};
use crate::error::Result;
use crate::mode::{Mode, ModeKind};
use crate::setup::{Setup, WebhookEndpoint};
use crate::webhook::WebhookRequest;

/// The longest `Idempotency-Key`.
const KEY_LENGTH_MAX: usize = 64;

/// The webhooks that tell of payments.
const STANDARD: &str = "standard";

impl<M: Mode> Adyen<M> {
    /// Which kinds of notice a standard webhook sends without being asked is not verified, so that
    /// a preflight leaves them to a person.
    pub(super) fn set_up_as(&self) -> Setup {
        let mut setup = Setup::new(self.client.base_url());
        // Another address than the mode's own exists in test mode only.
        setup.url_mode = Some(M::KIND);
        setup.account = Some(self.client.merchant_account.clone());
        setup.webhook_format = Some("json".into());
        setup.key_length_max = Some(KEY_LENGTH_MAX);
        setup.retries_end_after = Some(self.client.retries_end_after());
        setup.currency_rule = Some(amount::rule);
        setup
    }

    pub(super) async fn registered_endpoints(&self) -> Result<Vec<WebhookEndpoint>> {
        let webhooks = self.webhooks().await?.into_iter();
        let standard = webhooks.filter(|webhook| webhook.kind == STANDARD);
        let read = standard.map(|webhook| {
            let mut endpoint = WebhookEndpoint::new(&webhook.id, &webhook.url, webhook.more_events);
            endpoint.is_enabled = webhook.is_active;
            endpoint.is_signed = Some(webhook.is_signed);
            endpoint.is_encrypted = Some(webhook.is_encrypted);
            endpoint.is_failing = Some(webhook.has_error);
            endpoint.format = Some(webhook.format.into());
            endpoint
        });
        Ok(read.collect())
    }
}

impl<M: Mode> Verifier<M> {
    /// Notices about nothing, one signed by each key. They are of the kind whose signature covers
    /// the whole body: a standard notice with another byte in it can be genuine all the same.
    pub(super) fn samples(&self) -> Vec<WebhookRequest> {
        let environment = match M::KIND {
            ModeKind::Test => "test",
            ModeKind::Live => "live",
        };
        let body = json!({
            "environment": environment,
            "type": "counterfoil.preflight",
            "data": { "merchantId": self.merchant_account },
        });
        let body = body.to_string();
        let samples = (0..self.keys.len()).filter_map(|index| {
            let signature = self.signature_of(index, body.as_bytes())?.parse().ok()?;
            let headers = HeaderMap::from_iter([(SIGNATURE_HEADER, signature)]);
            Some(WebhookRequest::new(headers, body.clone()))
        });
        samples.collect()
    }
}
