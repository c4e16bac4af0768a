//! What a preflight has seen, for people and for machines.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::mode::ModeKind;

/// Whether a set-up is fit to go live, and why. Its text is for a terminal; `serde` writes it for
/// machines, and [`html`](Self::html) as a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// The name of the provider.
    pub provider: Box<str>,
    /// The mode that was looked at.
    pub mode: ModeKind,
    /// The installation.
    pub namespace: Option<Box<str>>,
    /// The address of the provider's API.
    pub api: Option<Box<str>>,
    /// When it was looked at.
    pub at: Timestamp,
    /// The version of this library.
    pub library_version: Box<str>,
    /// What evidence must be made with to count here.
    pub fingerprint: Option<Box<str>>,
    /// The twelve checks, in their order.
    pub checks: Vec<Check>,
}

impl Report {
    /// What may be done with this set-up.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        let is_first = |check: &&Check| check.kind == CheckKind::FirstPayment;
        let others = self.checks.iter().filter(|check| !is_first(check));
        if others.clone().count() + 1 < CheckKind::ALL.len()
            || others.clone().any(|check| check.verdict() != Verdict::Pass)
        {
            return Readiness::Blocked;
        }
        match self.checks.iter().find(is_first).map(Check::verdict) {
            Some(Verdict::Pass) => Readiness::Ready,
            Some(Verdict::Unknown) => Readiness::Provisional,
            Some(Verdict::Fail) | None => Readiness::Blocked,
        }
    }

    /// The check of this kind.
    #[must_use]
    pub fn check(&self, kind: CheckKind) -> Option<&Check> {
        self.checks.iter().find(|check| check.kind == kind)
    }

    /// The one sentence that matters.
    pub(super) fn headline(&self) -> &'static str {
        match (self.readiness(), self.mode) {
            (Readiness::Ready, ModeKind::Live) => "Ready: all twelve checks passed.",
            (Readiness::Provisional, ModeKind::Live) => {
                "Provisional: make one small live payment, give it back, and name it here."
            }
            (Readiness::Blocked, ModeKind::Live) => {
                "Do not go live: what failed or is unknown comes first."
            }
            (Readiness::Blocked, ModeKind::Test) => {
                "Not right yet: a live set-up like this one would be blocked."
            }
            (_, ModeKind::Test) => "Right for test mode: now look at the live settings.",
        }
    }

    pub(super) fn count(&self, verdict: Verdict) -> usize {
        let checks = self.checks.iter();
        checks.filter(|check| check.verdict() == verdict).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} in {} mode, {}", self.provider, self.mode, self.at)?;
        for check in &self.checks {
            writeln!(f, "\n{:<8}{}", check.verdict().word(), check.kind.title())?;
            for finding in &check.findings {
                let mark = finding.verdict.mark();
                writeln!(f, "      {mark} {}", finding.seen)?;
                if let Some(todo) = &finding.todo {
                    writeln!(f, "        -> {todo}")?;
                }
            }
        }
        write!(
            f,
            "\n{} passed, {} failed, {} unknown\n{}",
            self.count(Verdict::Pass),
            self.count(Verdict::Fail),
            self.count(Verdict::Unknown),
            self.headline()
        )
    }
}

/// What may be done with a set-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Readiness {
    /// Something failed or could not be seen.
    Blocked,
    /// All that can be seen before the first live payment is right.
    Provisional,
    /// All twelve checks passed.
    Ready,
}

/// One of the twelve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Check {
    /// Which one.
    pub kind: CheckKind,
    /// What was seen.
    pub findings: Vec<Finding>,
}

impl Check {
    pub(super) const fn new(kind: CheckKind) -> Self {
        Self {
            kind,
            findings: Vec::new(),
        }
    }

    /// The worst of what was seen; unknown if nothing was.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let verdicts = self.findings.iter().map(|finding| finding.verdict);
        verdicts.max().unwrap_or(Verdict::Unknown)
    }

    pub(super) fn pass(&mut self, seen: impl Into<String>) {
        self.add(Verdict::Pass, seen.into(), None);
    }

    pub(super) fn fail(&mut self, seen: impl Into<String>, todo: impl Into<String>) {
        self.add(Verdict::Fail, seen.into(), Some(todo.into()));
    }

    pub(super) fn unknown(&mut self, seen: impl Into<String>, todo: impl Into<String>) {
        self.add(Verdict::Unknown, seen.into(), Some(todo.into()));
    }

    fn add(&mut self, verdict: Verdict, seen: String, todo: Option<String>) {
        self.findings.push(Finding {
            verdict,
            seen,
            todo,
        });
    }

    /// Takes what is unknown for granted.
    pub(super) fn vouch(&mut self, because: &str) {
        for finding in &mut self.findings {
            if finding.verdict == Verdict::Unknown {
                finding.verdict = Verdict::Pass;
                finding.todo = None;
                finding.seen += &format!(" (vouched for: {because})");
            }
        }
    }
}

/// One thing that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Finding {
    /// Whether it is right.
    pub verdict: Verdict,
    /// What was seen.
    pub seen: String,
    /// What to do about it.
    pub todo: Option<String>,
}

/// Whether something is right, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is right.
    Pass,
    /// It cannot be seen.
    Unknown,
    /// It is wrong.
    Fail,
}

impl Verdict {
    /// `pass`, `unknown` or `FAIL`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Unknown => "unknown",
            Self::Fail => "FAIL",
        }
    }

    const fn mark(self) -> char {
        match self {
            Self::Pass => '+',
            Self::Unknown => '?',
            Self::Fail => 'x',
        }
    }
}

/// The twelve checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CheckKind {
    /// Nothing missing, left a placeholder, mistyped or swapped.
    Settings,
    /// Credentials, address and account are of one mode.
    Mode,
    /// The credentials open the account, and it can charge.
    Account,
    /// Webhooks are registered at the provider as they must be.
    WebhookEndpoint,
    /// Genuine webhooks are accepted, and others are not.
    WebhookSignature,
    /// This machine's clock is right.
    Clock,
    /// References are this installation's alone, and keys outlive retries.
    Keys,
    /// Amounts in the shop's currencies are exact.
    Currencies,
    /// The store keeps its promises.
    Store,
    /// What no webhook has told is asked for.
    Sweep,
    /// Every scenario was tried with this configuration.
    Rehearsal,
    /// One small live payment was made and given back.
    FirstPayment,
}

impl CheckKind {
    /// All of them, in their order.
    pub const ALL: [Self; 12] = [
        Self::Settings,
        Self::Mode,
        Self::Account,
        Self::WebhookEndpoint,
        Self::WebhookSignature,
        Self::Clock,
        Self::Keys,
        Self::Currencies,
        Self::Store,
        Self::Sweep,
        Self::Rehearsal,
        Self::FirstPayment,
    ];

    /// What it asks, for a person.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Settings => "Settings are complete and in their places",
            Self::Mode => "Credentials, address and account are of one mode",
            Self::Account => "The account is open to these credentials",
            Self::WebhookEndpoint => "Webhooks are registered at the provider",
            Self::WebhookSignature => "Genuine webhooks are believed, and no others",
            Self::Clock => "The clock is right",
            Self::Keys => "References are unique, and keys outlive retries",
            Self::Currencies => "Amounts are exact in every currency",
            Self::Store => "The store keeps its promises",
            Self::Sweep => "What no webhook has told is asked for",
            Self::Rehearsal => "Every scenario was rehearsed as things are now",
            Self::FirstPayment => "A first live payment was made and given back",
        }
    }
}
