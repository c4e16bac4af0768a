//! What a provider can do, as data: the rest is refused before any I/O.

use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::money::{Currency, PositiveMoney};
pub use crate::operation::Operation;
use crate::webhook::Authenticity;

/// What a provider can do.
///
/// ```
/// use counterfoil::capability::{Capabilities, Operation};
///
/// let capabilities = Capabilities::new(&[Operation::CreateHosted, Operation::FetchPayment])
///     .with_partial_refunds();
/// assert!(capabilities.supports(Operation::CreateHosted));
/// assert!(capabilities.require(Operation::Capture).is_err());
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Capabilities {
    operations: Vec<Operation>,
    /// Whether less than what is held can be captured.
    pub partial_capture: bool,
    /// Whether one held amount can be captured in several parts.
    pub multiple_captures: bool,
    /// Whether an unpaid checkout can be voided, and not only what is held.
    pub voidable_checkouts: bool,
    /// Whether less than what was captured can be refunded, more than once.
    pub partial_refunds: bool,
    /// Whether a write under a key that the provider has seen is answered, not done again.
    pub idempotent_writes: bool,
    /// How long the provider remembers a key at least.
    pub key_retention: Duration,
    /// The currencies that it takes, or `None` if that depends on the account.
    pub currencies: Option<Vec<Currency>>,
    /// What its webhook signature proves.
    pub webhook_authenticity: Authenticity,
    /// Whether it works from the application's own records, as one for invoices that are paid by
    /// bank transfer: it has no key and sends no requests.
    pub is_offline: bool,
}

impl Capabilities {
    /// A provider that can do `operations`, and of the rest nothing: writes are not idempotent,
    /// keys are forgotten at once, captures and refunds are whole, and a checkout ends by time.
    #[must_use]
    pub fn new(operations: &[Operation]) -> Self {
        Self {
            operations: operations.to_vec(),
            partial_capture: false,
            multiple_captures: false,
            voidable_checkouts: false,
            partial_refunds: false,
            idempotent_writes: false,
            key_retention: Duration::ZERO,
            currencies: None,
            webhook_authenticity: Authenticity::Body,
            is_offline: false,
        }
    }

    /// It cannot do this one of its operations.
    #[must_use]
    pub fn without(mut self, operation: Operation) -> Self {
        self.operations.retain(|known| *known != operation);
        self
    }

    /// Less than what is held can be captured.
    #[must_use]
    pub fn with_partial_capture(mut self) -> Self {
        self.partial_capture = true;
        self
    }

    /// One held amount can be captured in several parts.
    #[must_use]
    pub fn with_multiple_captures(mut self) -> Self {
        self.partial_capture = true;
        self.multiple_captures = true;
        self
    }

    /// An unpaid checkout can be voided, and not only what is held.
    #[must_use]
    pub fn with_voidable_checkouts(mut self) -> Self {
        self.voidable_checkouts = true;
        self
    }

    /// Less than what was captured can be refunded, more than once.
    #[must_use]
    pub fn with_partial_refunds(mut self) -> Self {
        self.partial_refunds = true;
        self
    }

    /// A write under a key that was seen is answered again, not done again, for `retention` at
    /// least.
    #[must_use]
    pub fn with_idempotent_writes(mut self, retention: Duration) -> Self {
        self.idempotent_writes = true;
        self.key_retention = retention;
        self
    }

    /// It takes these currencies and no others, whatever the account.
    #[must_use]
    pub fn with_currencies(mut self, currencies: &[Currency]) -> Self {
        self.currencies = Some(currencies.to_vec());
        self
    }

    /// Says what the webhook signature proves; otherwise it covers the body.
    #[must_use]
    pub fn with_webhook_authenticity(mut self, authenticity: Authenticity) -> Self {
        self.webhook_authenticity = authenticity;
        self
    }

    /// It works from the application's own records: it has no key and sends no requests. How the
    /// customer pays is shown by [`NextAction::ShowInstructions`](crate::payment::NextAction).
    #[must_use]
    pub const fn offline(mut self) -> Self {
        self.is_offline = true;
        self
    }

    /// Whether the provider can do it.
    #[must_use]
    pub fn supports(&self, operation: Operation) -> bool {
        self.operations.contains(&operation)
    }

    /// Refuses what the provider cannot do.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`].
    pub fn require(&self, operation: Operation) -> Result<()> {
        if self.supports(operation) {
            return Ok(());
        }
        Err(unsupported(format!(
            "this provider has no {operation:?}: see its capabilities"
        )))
    }

    /// Refuses a currency that the provider does not take.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`].
    pub fn require_currency(&self, amount: PositiveMoney) -> Result<()> {
        match &self.currencies {
            Some(taken) if !taken.contains(&amount.currency()) => Err(unsupported(format!(
                "this provider does not take {}",
                amount.currency()
            ))),
            _ => Ok(()),
        }
    }
}

pub(crate) fn unsupported(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Unsupported, message)
}
