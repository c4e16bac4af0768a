//! Defects to plant, to prove that the simulation sees them.

use super::audit::Findings;

/// A planted defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// Writes go out without a key.
    NoKey,
    /// Each write goes out under a key of its own, when it is sent again too.
    FreshKeyPerRetry,
    /// An attempt is stored after the provider was asked, not before, and its key is lost with the
    /// process. (A key that is computed from the attempt cannot be lost, so this takes both.)
    KeyNotStoredFirst,
    /// The provider is said to remember keys for a month, and nobody looks for payments before a
    /// creation is sent again.
    KeyReusedAfterADay,
    /// What a webhook says counts again each time it comes.
    NoDeduplication,
    /// What came last counts, however old it is.
    NoOrderGuard,
    /// Nobody sweeps.
    NoSweep,
    /// Refunds go out without a key.
    RefundWithoutKey,
    /// What got no answer is said to have failed.
    GivingUpMeansFailed,
    /// The store writes whatever version it is given.
    NoVersionCheck,
    /// Confirmations are written after the order, not with it.
    ConfirmationsApart,
}

impl Defect {
    pub const ALL: [Self; 11] = [
        Self::NoKey,
        Self::FreshKeyPerRetry,
        Self::KeyNotStoredFirst,
        Self::KeyReusedAfterADay,
        Self::NoDeduplication,
        Self::NoOrderGuard,
        Self::NoSweep,
        Self::RefundWithoutKey,
        Self::GivingUpMeansFailed,
        Self::NoVersionCheck,
        Self::ConfirmationsApart,
    ];

    /// Whether it is seen where it should be.
    pub const fn shows_in(self, findings: &Findings) -> bool {
        let seen = match self {
            Self::NoKey | Self::FreshKeyPerRetry | Self::KeyNotStoredFirst => {
                findings.double_charges
            }
            Self::KeyReusedAfterADay | Self::GivingUpMeansFailed => findings.double_charges,
            Self::NoDeduplication => findings.lost_payments,
            Self::NoOrderGuard => findings.went_back,
            Self::NoSweep => findings.no_correct_end,
            Self::RefundWithoutKey => findings.doubled_refunds,
            Self::NoVersionCheck => findings.lost_payments,
            Self::ConfirmationsApart => findings.lost_confirmations,
        };
        seen > 0
    }
}
