//! What the host runs and has tried: the sweep, and the rehearsal.

use std::time::Duration;

use super::{Look, tells};
use crate::cashier::last_sweep;
use crate::clock::Timestamp;
use crate::mode::Mode;
use crate::preflight::evidence::{Evidence, fingerprint};
use crate::preflight::report::{Check, CheckKind};

/// How many scenarios a rehearsal has, S1 to S58.
const SCENARIOS: usize = 58;

/// How long an event or a confirmation may wait to be taken.
const WAIT_MAX: Duration = Duration::from_secs(60 * 60);

const AGAIN: &str = "rehearse again, as things are now";

impl<M: Mode> Look<'_, M> {
    pub(super) async fn sweep(&self) -> Check {
        let mut check = Check::new(CheckKind::Sweep);
        let (now, most) = (self.preflight.clock.now(), self.preflight.sweep_age_max);
        match self.last_sweep().await {
            Some(at) if at > now => check.fail(
                format!("the last sweep is said to be at {at}, which is to come"),
                "compare the clocks of the nodes",
            ),
            Some(at) if at.abs_diff(now) <= most => {
                check.pass(format!("the last sweep was at {at}"))
            }
            Some(at) => check.fail(
                format!(
                    "the last sweep was at {at}, more than {} s ago",
                    most.as_secs()
                ),
                "call `Cashier::sweep` every minute, and watch that it runs",
            ),
            None => check.unknown(
                "no sweep is known of",
                "call `Cashier::sweep` every minute, and give its store or say when it last ran",
            ),
        }
        let Some(store) = &self.preflight.store else {
            return check;
        };
        let backlog = match store.backlog().await {
            Ok(backlog) => backlog,
            Err(error) => {
                tells(&mut check, "the backlog", &error);
                return check;
            }
        };
        let waiting = [
            ("an event", backlog.event_since),
            ("a confirmation", backlog.confirmation_since),
        ];
        for (what, since) in waiting {
            match since {
                Some(since) if since.saturating_add(WAIT_MAX) < now => check.fail(
                    format!("{what} has waited since {since}"),
                    "find out what keeps it, in the log of the sweep",
                ),
                _ => check.pass(format!("{what} waits no longer than an hour")),
            }
        }
        check
    }

    /// When it last swept, by the store that the cashier writes it to, and else by the host. A store
    /// that does not answer is told of beside the backlog.
    async fn last_sweep(&self) -> Option<Timestamp> {
        let noted = match &self.preflight.store {
            Some(store) => last_sweep(store.as_ref(), self.provider.name()).await.ok(),
            None => None,
        };
        noted.flatten().or(self.preflight.last_sweep)
    }

    pub(super) fn rehearsal(&self) -> Check {
        let mut check = Check::new(CheckKind::Rehearsal);
        let all = &self.preflight.evidence;
        if all.is_empty() {
            check.unknown(
                "there is no evidence of a rehearsal",
                "rehearse, and keep what it writes",
            );
            return check;
        }
        for evidence in all {
            self.counts(&mut check, evidence);
        }
        let tried = |number: &usize| {
            let id = format!("S{number}");
            let lists = all.iter().flat_map(|evidence| {
                let Evidence {
                    passed,
                    not_applicable,
                    failed,
                    ..
                } = evidence;
                [passed, not_applicable, failed]
            });
            lists.flatten().any(|known| **known == *id)
        };
        let missing: Vec<_> = (1..=SCENARIOS)
            .filter(|number| !tried(number))
            .map(|number| format!("S{number}"))
            .collect();
        if !missing.is_empty() {
            check.fail(format!("not tried: {}", missing.join(", ")), AGAIN);
        }
        if all.iter().all(|evidence| evidence.passed.is_empty()) {
            check.fail("no scenario has passed", AGAIN);
        }
        if check.findings.is_empty() {
            for evidence in all {
                let mut seen = format!(
                    "over {}, {} scenarios passed on {}",
                    evidence.over,
                    evidence.passed.len(),
                    evidence.at,
                );
                if !evidence.not_applicable.is_empty() {
                    seen += &format!(", not applicable: {}", evidence.not_applicable.join(", "));
                }
                if !evidence.out_of_reach.is_empty() {
                    seen += &format!(", {} cannot be reached", evidence.out_of_reach.len());
                }
                check.pass(seen);
            }
        }
        check
    }

    /// Tells of all for which evidence does not count.
    fn counts(&self, check: &mut Check, evidence: &Evidence) {
        let now = self.preflight.clock.now();
        let (version, at) = (env!("CARGO_PKG_VERSION"), evidence.at);
        if *evidence.provider != *self.provider.name().as_str() {
            let seen = format!(
                "it was with {}, not with {}",
                evidence.provider,
                self.provider.name()
            );
            check.fail(seen, AGAIN);
        }
        if *evidence.library_version != *version {
            let seen = format!(
                "it was with version {} of the library, and this is {version}",
                evidence.library_version
            );
            check.fail(seen, AGAIN);
        }
        if *evidence.fingerprint != *fingerprint(self.provider, &self.preflight.currencies) {
            check.fail(
                "it was with another configuration: the provider's operations, version or types of \
                 webhooks, or the shop's currencies",
                AGAIN,
            );
        }
        if at > now || at.abs_diff(now) > self.preflight.evidence_age_max {
            check.fail(format!("it is dated {at}"), AGAIN);
        }
        if !evidence.failed.is_empty() {
            let seen = format!(
                "failed over {}: {}",
                evidence.over,
                evidence.failed.join(", ")
            );
            check.fail(seen, "mend what failed, and rehearse again");
        }
    }
}
