//! What a rehearsal has proven, and for which configuration.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::capability::Operation;
use crate::clock::Timestamp;
use crate::handle::Provider;
use crate::http::is_loopback;
use crate::mode::Mode;
use crate::money::Currency;

/// What a rehearsal has proven, to be kept in a file. It holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Evidence {
    /// The provider that was rehearsed with.
    pub provider: Box<str>,
    /// The [`Preflight::fingerprint`](super::Preflight::fingerprint) of the configuration.
    pub fingerprint: Box<str>,
    /// The version of this library.
    pub library_version: Box<str>,
    /// What was rehearsed over.
    pub over: Ground,
    /// When it was.
    pub at: Timestamp,
    /// The scenarios that ended as they must, such as `S1`.
    pub passed: Vec<Box<str>>,
    /// Those that do not apply to the provider.
    pub not_applicable: Vec<Box<str>>,
    /// Those that cannot be brought about over what was rehearsed over.
    pub out_of_reach: Vec<Box<str>>,
    /// Those that did not end as they must.
    pub failed: Vec<Box<str>>,
}

impl Evidence {
    /// Evidence of a rehearsal with this version of the library.
    #[must_use]
    pub fn new(provider: &str, fingerprint: &str, over: Ground, at: Timestamp) -> Self {
        Self {
            provider: provider.into(),
            fingerprint: fingerprint.into(),
            library_version: env!("CARGO_PKG_VERSION").into(),
            over,
            at,
            passed: Vec::new(),
            not_applicable: Vec::new(),
            out_of_reach: Vec::new(),
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
                "out of reach" => &mut self.out_of_reach,
                _ => &mut self.failed,
            };
            scenarios.push(ruling.scenario.id().into());
        }
        self
    }
}

/// What a rehearsal was played over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ground {
    /// The provider's simulator, which can play every part.
    Simulator,
    /// The provider's own test mode, as far as that can be steered.
    TestMode,
}

impl Ground {
    /// What answers at this address of an API in test mode: on this machine only a simulator can,
    /// whatever it is said to be.
    #[must_use]
    pub fn at(api_url: &str) -> Self {
        let uri = api_url.parse::<http::Uri>().ok();
        let is_here = uri.is_some_and(|uri| uri.host().is_some_and(is_loopback));
        if is_here {
            Self::Simulator
        } else {
            Self::TestMode
        }
    }
}

impl fmt::Display for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Simulator => "the simulator",
            Self::TestMode => "the provider's test mode",
        })
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
