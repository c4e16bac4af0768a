//! What a preflight sees of a set-up with Stripe.
//!
//! Sources: <https://docs.stripe.com/api/webhook_endpoints>,
//! <https://docs.stripe.com/api/idempotent_requests>.

use std::collections::BTreeSet;

use hmac::Mac;
use http::HeaderMap;

use super::client::API_VERSION;
use super::webhook::{SIGNATURE_HEADER, TOLERANCE, Verifier, tag_of};
use super::wire::{List, RegisteredEndpoint};
use super::{Stripe, amount};
use crate::capability::unsupported;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::mode::{Mode, ModeKind};
use crate::setup::{Setup, WebhookEndpoint};
use crate::webhook::WebhookRequest;

/// What tells of money: held, paid, failed, given back, taken back, paid out.
const NEWS_OF_MONEY: [&str; 21] = [
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.refunded",
    "checkout.session.async_payment_failed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.completed",
    "checkout.session.expired",
    "payment_intent.amount_capturable_updated",
    "payment_intent.canceled",
    "payment_intent.payment_failed",
    "payment_intent.processing",
    "payment_intent.succeeded",
    "payout.canceled",
    "payout.failed",
    "payout.paid",
    "radar.early_fraud_warning.created",
    "refund.created",
    "refund.failed",
    "refund.updated",
    "review.closed",
    "review.opened",
];

/// The longest `Idempotency-Key`.
const KEY_LENGTH_MAX: usize = 255;

impl<M: Mode> Stripe<M> {
    pub(super) fn set_up_as(&self) -> Setup {
        let mut setup = Setup::new(self.client.base_url());
        setup.credentials_mode = Some(M::KIND);
        setup.api_version = Some(API_VERSION.into());
        setup.account = self.verifier.account.clone();
        setup.webhook_tolerance = Some(TOLERANCE);
        setup.webhook_types = NEWS_OF_MONEY.map(Into::into).to_vec();
        setup.key_length_max = Some(KEY_LENGTH_MAX);
        setup.retries_end_after = Some(self.client.retries_end_after());
        setup.currency_rule = Some(amount::rule);
        setup
    }

    pub(super) async fn registered_endpoints(&self) -> Result<Vec<WebhookEndpoint>> {
        if self.verifier.account.is_some() {
            return Err(unsupported(
                "the endpoints of a platform are not listed to its connected accounts",
            ));
        }
        let answer = self.client.webhook_endpoints().await?;
        self.client
            .read(&answer, |reader, list: List<RegisteredEndpoint<'_>>| {
                let read = list.data.iter().map(|registered| {
                    reader.check_mode(Some(registered.livemode))?;
                    let types: BTreeSet<&str> = registered
                        .enabled_events
                        .iter()
                        .map(|name| &**name)
                        .collect();
                    let mut endpoint = WebhookEndpoint::new(&registered.id, &registered.url, types);
                    endpoint.is_enabled = &*registered.status == "enabled";
                    endpoint.api_version = registered.api_version.as_deref().map(Into::into);
                    Ok(endpoint)
                });
                read.collect()
            })
    }
}

impl<M: Mode> Verifier<M> {
    /// Events about nothing, one signed by each secret.
    pub(super) fn samples(&self, now: Timestamp) -> Vec<WebhookRequest> {
        let samples = self.keys.iter().enumerate().map(|(index, key)| {
            let time = now.unix().to_string();
            let body = serde_json::json!({
                "id": format!("evt_counterfoil_preflight_{time}_{index}"),
                "object": "event",
                "account": self.account,
                "api_version": API_VERSION,
                "created": now.unix(),
                "livemode": M::KIND == ModeKind::Live,
                "type": "counterfoil.preflight",
                "data": { "object": { "object": "preflight" } },
            });
            let body = body.to_string();
            let tag = tag_of(key, &time, body.as_bytes()).finalize().into_bytes();
            let signature = format!("t={time},v1={}", hex::encode(tag));
            let mut headers = HeaderMap::new();
            if let Ok(signature) = signature.parse() {
                headers.insert(SIGNATURE_HEADER, signature);
            }
            WebhookRequest::new(headers, body)
        });
        samples.collect()
    }
}
