//! What a preflight sees of a set-up with PayPal.
//!
//! Sources: PayPal's OpenAPI description of webhooks (notifications_webhooks 1.11) and
//! <https://developer.paypal.com/api/rest/reference/idempotency/>.

use super::{PayPal, amount, wire};
use crate::error::Result;
use crate::mode::Mode;
use crate::setup::{Setup, WebhookEndpoint};

/// What tells of money: approved, held, paid, failed, given back, taken back.
const NEWS_OF_MONEY: [&str; 10] = [
    "CHECKOUT.ORDER.APPROVED",
    "CUSTOMER.DISPUTE.CREATED",
    "CUSTOMER.DISPUTE.RESOLVED",
    "CUSTOMER.DISPUTE.UPDATED",
    "PAYMENT.AUTHORIZATION.VOIDED",
    "PAYMENT.CAPTURE.COMPLETED",
    "PAYMENT.CAPTURE.DENIED",
    "PAYMENT.CAPTURE.PENDING",
    "PAYMENT.CAPTURE.REFUNDED",
    "PAYMENT.CAPTURE.REVERSED",
];

/// The longest `PayPal-Request-Id`.
const KEY_LENGTH_MAX: usize = 108;

impl<M: Mode> PayPal<M> {
    pub(super) fn set_up_as(&self) -> Setup {
        let mut setup = Setup::new(self.client.base_url());
        // Another address than the mode's own exists in test mode only.
        setup.url_mode = Some(M::KIND);
        setup.webhook_ids = self.verifier.webhook_ids.clone();
        setup.webhook_types = NEWS_OF_MONEY.map(Into::into).to_vec();
        setup.key_length_max = Some(KEY_LENGTH_MAX);
        setup.retries_end_after = Some(self.client.retries_end_after());
        setup.currency_rule = Some(amount::rule);
        setup
    }

    pub(super) async fn registered_endpoints(&self) -> Result<Vec<WebhookEndpoint>> {
        let answer = self.client.webhooks().await?;
        self.client
            .read(&answer, |reader, list: wire::WebhookList| {
                let read = list.webhooks.iter().map(|webhook| {
                    reader.check_mode(&webhook.links)?;
                    let types = webhook.event_types.iter().map(|kind| kind.name.as_str());
                    Ok(WebhookEndpoint::new(&webhook.id, &webhook.url, types))
                });
                read.collect()
            })
    }
}
