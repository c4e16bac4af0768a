//! What can be asked of a provider.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One thing that can be asked of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Operation {
    /// Begin a payment on a page of the provider's.
    CreateHosted,
    /// Begin a payment in a form of the provider's on the host's own page.
    CreateEmbedded,
    /// Begin a payment with a token or a saved method.
    CreateDirect,
    /// Fetch a payment by its id.
    FetchPayment,
    /// Find the payments of an order and attempt.
    FindPayments,
    /// List payments.
    ListPayments,
    /// Take, or hold, what the shopper has approved.
    Complete,
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
    pub const ALL: [Self; 17] = [
        Self::CreateHosted,
        Self::CreateEmbedded,
        Self::CreateDirect,
        Self::FetchPayment,
        Self::FindPayments,
        Self::ListPayments,
        Self::Complete,
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
            Self::CreateEmbedded => "create embedded",
            Self::CreateDirect => "create direct",
            Self::FetchPayment => "fetch payment",
            Self::FindPayments => "find payments",
            Self::ListPayments => "list payments",
            Self::Complete => "complete",
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
