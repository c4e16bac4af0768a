//! The providers, one folder each, each behind a feature of its own.

use crate::registry::{ProviderKind, Registry};

pub mod adyen;
mod asked;
pub mod paypal;
pub mod stripe;
mod wiring;

/// Those whose feature is on, as settings name them.
const KINDS: &[ProviderKind] = &[
    #[cfg(feature = "adyen")]
    adyen::KIND,
    #[cfg(feature = "paypal")]
    paypal::KIND,
    #[cfg(feature = "stripe")]
    stripe::KIND,
];

impl Registry {
    /// A registry that knows every provider of this crate whose feature is on, by its usual name.
    #[must_use]
    pub fn built_in() -> Self {
        let kinds = KINDS.iter();
        kinds.fold(Self::new(), |registry, kind| {
            registry.with_kind(kind.name, kind.clone())
        })
    }
}
