//! What a rehearsal has proven, and for which configuration.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::capability::Operation;
use crate::clock::Timestamp;
use crate::handle::Provider;
use crate::mode::Mode;
use crate::money::Currency;

/// What a rehearsal has proven, to be kept in a file. It holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The provider that was rehearsed with.
    pub provider: Box<str>,
    /// The [`Preflight::fingerprint`](super::Preflight::fingerprint) of the configuration.
    pub fingerprint: Box<str>,
    /// The version of this library.
    pub library_version: Box<str>,
    /// When it was.
    pub at: Timestamp,
    /// The scenarios that ended as they must, such as `S1`.
    pub passed: Vec<Box<str>>,
    /// Those that do not apply to the provider.
    pub not_applicable: Vec<Box<str>>,
    /// Those that did not.
    pub failed: Vec<Box<str>>,
}

impl Evidence {
    /// Evidence of a rehearsal with this version of the library.
    #[must_use]
    pub fn new(provider: &str, fingerprint: &str, at: Timestamp) -> Self {
        Self {
            provider: provider.into(),
            fingerprint: fingerprint.into(),
            library_version: env!("CARGO_PKG_VERSION").into(),
            at,
            passed: Vec::new(),
            not_applicable: Vec::new(),
            failed: Vec::new(),
        }
    }

    /// With what came of every scenario.
    #[cfg(feature = "rehearsal")]
    #[must_use]
    pub fn of_rehearsal(mut self, rehearsal: &crate::rehearsal::Rehearsal) -> Self {
        for ruling in &rehearsal.rulings {
            let scenarios = match ruling.word() {
                "passed" => &mut self.passed,
                "not applicable" => &mut self.not_applicable,
                _ => &mut self.failed,
            };
            scenarios.push(ruling.scenario.id().into());
        }
        self
    }
}

/// 32 hexadecimal digits that change when something does that a rehearsal depends on.
pub(super) fn fingerprint<M: Mode>(provider: &Provider<M>, currencies: &[Currency]) -> String {
    let (setup, capabilities) = (provider.setup(), provider.capabilities());
    let mut lines = vec![format!("version {:?}", setup.api_version)];
    let operations = Operation::ALL.into_iter();
    lines.extend(
        operations
            .filter(|operation| capabilities.supports(*operation))
            .map(|operation| format!("operation {operation}")),
    );
    lines.push(format!(
        "limits {} {} {} {} {} {}",
        capabilities.partial_capture,
        capabilities.multiple_captures,
        capabilities.voidable_checkouts,
        capabilities.partial_refunds,
        capabilities.idempotent_writes,
        capabilities.key_retention.as_secs(),
    ));
    lines.extend(
        setup
            .webhook_types
            .iter()
            .map(|kind| format!("webhook {kind}")),
    );
    let mut codes: Vec<_> = currencies.iter().map(|currency| currency.code()).collect();
    codes.sort_unstable();
    codes.dedup();
    lines.extend(codes.iter().map(|code| format!("currency {code}")));
    let digest = Sha256::digest(lines.join("\n"));
    hex::encode(digest.get(..16).unwrap_or_default())
}
