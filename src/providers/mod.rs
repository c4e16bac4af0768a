//! The providers, one folder each, each behind a feature of its own.

use crate::registry::ProviderKind;

pub mod adyen;
pub mod paypal;
pub mod stripe;

/// Those whose feature is on, as settings name them.
pub(crate) const KINDS: &[ProviderKind] = &[
    #[cfg(feature = "adyen")]
    adyen::KIND,
    #[cfg(feature = "paypal")]
    paypal::KIND,
    #[cfg(feature = "stripe")]
    stripe::KIND,
];
