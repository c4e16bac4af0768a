//! Is this set-up fit to go live? Twelve checks, each passed, failed or unknown, with what was seen
//! and what to do.
//!
//! A [`Preflight`] holds what only the host knows: where its webhooks go, in which currencies it
//! sells, where it stores. It looks at a provider with that, by reading alone: it never charges and
//! never writes at the provider. What it cannot see is unknown, and keeps a live shop closed unless
//! the host [vouches](Preflight::vouching) for it by name.
//!
//! ```
//! # async fn run(provider: counterfoil::Provider<counterfoil::Live>) -> counterfoil::Result<()> {
//! use counterfoil::money::Currency;
//! use counterfoil::preflight::{Preflight, Readiness};
//!
//! let preflight = Preflight::new()
//!     .with_endpoint("https://shop.example/webhooks/stripe")
//!     .with_currencies(&[Currency::EUR]);
//! let report = preflight.check(&provider).await;
//! if report.readiness() == Readiness::Blocked {
//!     eprintln!("{report}");
//! }
//! # Ok(()) }
//! ```
//!
//! | check | what is compared |
//! |---|---|
//! | settings | nothing missing, left a placeholder, mistyped, swapped, or of another kind |
//! | mode | what the credentials, the address and the account's answer say |
//! | account | the credentials open the account, it can charge, and its lists may be read |
//! | webhook endpoint | registered there: address, https, enabled, types, version |
//! | webhook signature | a sample is accepted, a forged, an old and a future one are not |
//! | clock | this machine's against the provider's |
//! | keys | the namespace is this installation's alone; keys fit and outlive retries |
//! | currencies | decimals, steps and minima of those that the shop sells in |
//! | store | it keeps versions, batches and modes apart; nothing that is tried stays |
//! | sweep | it has run lately, and nothing waits too long |
//! | rehearsal | every scenario, for this configuration and this version of the library |
//! | first payment | a small live payment was made, found and given back |

mod checks;
mod evidence;
mod html;
mod report;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use evidence::{Evidence, Ground};
pub use report::{Check, CheckKind, Finding, Readiness, Report, Verdict};

use self::checks::Look;
use crate::cashier::Store;
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::error::Result;
use crate::handle::Provider;
use crate::http::Transport;
use crate::id::Namespace;
use crate::mode::{Mode, ModeKind};
use crate::money::Currency;
use crate::registry::Configured;

/// What the host knows and a provider must fit. Each thing that is left out stays unknown.
#[derive(Debug, Clone)]
pub struct Preflight {
    pub(in crate::preflight) clock: Arc<dyn Clock>,
    pub(in crate::preflight) endpoint: Option<Box<str>>,
    pub(in crate::preflight) probe: Option<Arc<dyn Transport>>,
    pub(in crate::preflight) currencies: Vec<Currency>,
    pub(in crate::preflight) other_namespaces: Option<Vec<Namespace>>,
    pub(in crate::preflight) store: Option<Arc<dyn Store>>,
    pub(in crate::preflight) last_sweep: Option<Timestamp>,
    pub(in crate::preflight) sweep_age_max: Duration,
    pub(in crate::preflight) evidence: Vec<Evidence>,
    pub(in crate::preflight) evidence_age_max: Duration,
    pub(in crate::preflight) first_payment: Option<Box<str>>,
    pub(in crate::preflight) vouched: BTreeMap<CheckKind, Box<str>>,
}

impl Default for Preflight {
    fn default() -> Self {
        Self::new()
    }
}

impl Preflight {
    /// A preflight that knows nothing of the host yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            endpoint: None,
            probe: None,
            currencies: Vec::new(),
            other_namespaces: None,
            store: None,
            last_sweep: None,
            sweep_age_max: Duration::from_secs(10 * 60),
            evidence: Vec::new(),
            evidence_age_max: Duration::from_secs(90 * 24 * 60 * 60),
            first_payment: None,
            vouched: BTreeMap::new(),
        }
    }

    /// Says where the provider shall post its webhooks.
    #[must_use]
    pub fn with_endpoint(mut self, url: &str) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    /// Posts a genuine sample and a forged one to that endpoint, which is the host's own, through
    /// `transport`. The genuine one is about nothing; the host stores it as it stores any other.
    #[must_use]
    pub fn with_probe(mut self, transport: Arc<dyn Transport>) -> Self {
        self.probe = Some(transport);
        self
    }

    /// Says in which currencies the shop sells.
    #[must_use]
    pub fn with_currencies(mut self, currencies: &[Currency]) -> Self {
        self.currencies = currencies.to_vec();
        self
    }

    /// Names the other installations on the account: none, if this one is alone.
    #[must_use]
    pub fn with_other_namespaces(mut self, namespaces: &[Namespace]) -> Self {
        self.other_namespaces = Some(namespaces.to_vec());
        self
    }

    /// Tries the store that the cashier uses, and reads there when it last swept. Nothing that is
    /// tried stays in it.
    #[must_use]
    pub fn with_store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Says when the cashier last swept, where the store that is given here does not: the cashier
    /// notes it there. By default that may be ten minutes ago.
    #[must_use]
    pub fn with_last_sweep(mut self, at: Timestamp) -> Self {
        self.last_sweep = Some(at);
        self
    }

    /// Sets how long ago the last sweep may be.
    #[must_use]
    pub fn with_sweep_age(mut self, age_max: Duration) -> Self {
        self.sweep_age_max = age_max;
        self
    }

    /// Shows what a rehearsal has proven; that over the simulator and that over the provider's test
    /// mode add up. By default it may be 90 days old.
    #[must_use]
    pub fn with_evidence(mut self, evidence: Evidence) -> Self {
        self.evidence.push(evidence);
        self
    }

    /// Sets how old evidence may be.
    #[must_use]
    pub fn with_evidence_age(mut self, age_max: Duration) -> Self {
        self.evidence_age_max = age_max;
        self
    }

    /// Names the first small payment that was made in live mode, by the text of its id
    /// (`stripe:live:pi_…`) and given back.
    #[must_use]
    pub fn with_first_payment(mut self, id: &str) -> Self {
        self.first_payment = Some(id.into());
        self
    }

    /// Takes what this check cannot see for granted, and says why in the report. What it sees to be
    /// wrong stays wrong.
    #[must_use]
    pub fn vouching(mut self, check: CheckKind, because: &str) -> Self {
        self.vouched.insert(check, because.into());
        self
    }

    /// Uses another clock than the machine's.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Runs the twelve checks on a provider.
    pub async fn check<M: Mode>(&self, provider: &Provider<M>) -> Report {
        let checks = Look::new(self, provider).run().await;
        let setup = provider.setup();
        Report {
            provider: provider.name().as_str().into(),
            mode: M::KIND,
            namespace: Some(provider.namespace().as_str().into()),
            api: Some(setup.api_url),
            at: self.clock.now(),
            library_version: env!("CARGO_PKG_VERSION").into(),
            fingerprint: Some(self.fingerprint(provider).into()),
            checks: self.vouch(checks),
        }
    }

    /// Runs them on what settings made for `mode`, or on the settings alone if nothing could be made
    /// of them. What was made for the other mode is wrong, however right it is otherwise.
    pub async fn check_configured(
        &self,
        provider: &str,
        mode: ModeKind,
        configured: &Result<Configured>,
    ) -> Report {
        let mut report = match configured {
            Ok(Configured::Test(provider)) => self.check(provider).await,
            Ok(Configured::Live(provider)) => self.check(provider).await,
            Err(error) => Report {
                provider: provider.into(),
                mode,
                namespace: None,
                api: None,
                at: self.clock.now(),
                library_version: env!("CARGO_PKG_VERSION").into(),
                fingerprint: None,
                checks: checks::without_provider(error),
            },
        };
        if report.mode != mode {
            let seen = format!(
                "the settings: {} mode, and {mode} mode is meant",
                report.mode
            );
            let of_mode = |check: &&mut Check| check.kind == CheckKind::Mode;
            if let Some(check) = report.checks.iter_mut().find(of_mode) {
                check.fail(seen, "load the settings of the mode that is meant");
            }
        }
        report
    }

    /// What a rehearsal must have been made with to count here: the provider's operations, its
    /// version, the types of its webhooks, and the shop's currencies. No secret is in it, and it is
    /// the same in both modes.
    #[must_use]
    pub fn fingerprint<M: Mode>(&self, provider: &Provider<M>) -> String {
        evidence::fingerprint(provider, &self.currencies)
    }

    fn vouch(&self, mut checks: Vec<Check>) -> Vec<Check> {
        for check in &mut checks {
            if let Some(because) = self.vouched.get(&check.kind) {
                check.vouch(because);
            }
        }
        checks
    }
}
