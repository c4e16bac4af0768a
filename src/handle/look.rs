//! How the provider is set up, here and at its own end. Nothing is written.

use crate::capability::Operation;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::handle::Provider;
use crate::mode::Mode;
use crate::setup::{Setup, WebhookEndpoint};
use crate::webhook::WebhookRequest;

impl<M: Mode> Provider<M> {
    /// How it is set up, without its secrets.
    #[must_use]
    pub fn setup(&self) -> Setup {
        self.inner.setup()
    }

    /// Lists where the provider posts webhooks for these credentials.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if it cannot tell.
    pub async fn webhook_endpoints(&self) -> Result<Vec<WebhookEndpoint>> {
        self.run(Operation::Account, self.inner.webhook_endpoints())
            .await
    }

    /// Webhooks about nothing, signed by each of the configured secrets in turn, to try an endpoint
    /// of your own with. None if the provider signs with a key of its own.
    #[must_use]
    pub fn sample_webhooks(&self, now: Timestamp) -> Vec<WebhookRequest> {
        self.inner.sample_webhooks(now)
    }
}
