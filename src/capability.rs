//! What a provider can do, as data: the rest is refused before any I/O.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::money::{Currency, PositiveMoney};
use crate::webhook::Authenticity;

/// One thing that can be asked of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Operation {
    /// Begin a payment on a page of the provider's.
    CreateHosted,
    /// Begin a payment with a token or a saved method.
    CreateDirect,
    /// Fetch a payment by its id.
    FetchPayment,
    /// Find the payments of an order and attempt.
    FindPayments,
    /// List payments.
    ListPayments,
    /// Take a held amount.
    Capture,
    /// Let a held amount go, or end an unpaid checkout.
    Void,
    /// Give money back.
    Refund,
    /// Fetch a refund by its id.
    FetchRefund,
    /// List the refunds of a payment.
    ListRefunds,
    /// List disputes.
    ListDisputes,
    /// List payouts.
    ListPayouts,
    /// List the lines of a payout.
    ListPayoutLines,
    /// Say whose account it is and whether it can charge.
    Account,
    /// Verify a webhook.
    VerifyWebhook,
}

impl Operation {
    /// Every operation, in the order of a payment's life.
    pub const ALL: [Self; 15] = [
        Self::CreateHosted,
        Self::CreateDirect,
        Self::FetchPayment,
        Self::FindPayments,
        Self::ListPayments,
        Self::Capture,
        Self::Void,
        Self::Refund,
        Self::FetchRefund,
        Self::ListRefunds,
        Self::ListDisputes,
        Self::ListPayouts,
        Self::ListPayoutLines,
        Self::Account,
        Self::VerifyWebhook,
    ];

    /// A fixed name, for spans, logs and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CreateHosted => "create hosted",
            Self::CreateDirect => "create direct",
            Self::FetchPayment => "fetch payment",
            Self::FindPayments => "find payments",
            Self::ListPayments => "list payments",
            Self::Capture => "capture",
            Self::Void => "void",
            Self::Refund => "refund",
            Self::FetchRefund => "fetch refund",
            Self::ListRefunds => "list refunds",
            Self::ListDisputes => "list disputes",
            Self::ListPayouts => "list payouts",
            Self::ListPayoutLines => "list payout lines",
            Self::Account => "account",
            Self::VerifyWebhook => "verify webhook",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

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
}

impl Capabilities {
    /// A provider that can do `operations`, and of the rest nothing: writes are not idempotent,
    /// keys are forgotten at once, captures and refunds are whole.
    #[must_use]
    pub fn new(operations: &[Operation]) -> Self {
        Self {
            operations: operations.to_vec(),
            partial_capture: false,
            multiple_captures: false,
            partial_refunds: false,
            idempotent_writes: false,
            key_retention: Duration::ZERO,
            currencies: None,
            webhook_authenticity: Authenticity::Body,
        }
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
