//! The twelve checks.

mod account;
mod host;
mod money;
mod store;
mod webhooks;

use super::Preflight;
use super::report::{Check, CheckKind};
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::handle::Provider;
use crate::mode::Mode;
use crate::request::Account;
use crate::setup::Setup;

/// One provider, looked at by one preflight.
pub(super) struct Look<'p, M: Mode> {
    preflight: &'p Preflight,
    provider: &'p Provider<M>,
    setup: Setup,
}

/// What the provider said about the account, and when that came.
struct Answered {
    account: Result<Account>,
    at: Timestamp,
}

impl<'p, M: Mode> Look<'p, M> {
    pub(super) fn new(preflight: &'p Preflight, provider: &'p Provider<M>) -> Self {
        Self {
            preflight,
            provider,
            setup: provider.setup(),
        }
    }

    pub(super) async fn run(&self) -> Vec<Check> {
        let account = self.provider.account().await;
        let at = self.preflight.clock.now();
        let answered = Answered { account, at };
        // It opens the store, which other checks then read.
        let store = self.store().await;
        vec![
            self.settings(),
            self.mode(&answered),
            self.account(&answered).await,
            self.webhook_endpoint().await,
            self.webhook_signature().await,
            self.clock(&answered),
            self.keys().await,
            self.currencies(),
            store,
            self.sweep().await,
            self.rehearsal(),
            self.first_payment().await,
        ]
    }

    fn settings(&self) -> Check {
        let mut check = Check::new(CheckKind::Settings);
        check.pass("every setting is there, well formed, and of its kind");
        check
    }
}

/// All that can be said if nothing could be made of the settings.
pub(super) fn without_provider(error: &Error) -> Vec<Check> {
    let checks = CheckKind::ALL.into_iter().map(|kind| {
        let mut check = Check::new(kind);
        if kind == CheckKind::Settings {
            for fault in error.message().split("; ") {
                check.fail(fault, "set it right, then look again");
            }
        } else {
            check.unknown("not looked at", "set the settings right first");
        }
        check
    });
    checks.collect()
}

/// Whether an error says that something is wrong, or that it could not be seen.
fn tells(check: &mut Check, what: &str, error: &Error) {
    let seen = format!("{what}: {error}");
    match error.kind() {
        ErrorKind::Credentials => check.fail(
            seen,
            "give the key the permission to do this, or take the key that has it",
        ),
        ErrorKind::WrongMode => check.fail(seen, "take the credentials of the mode that is meant"),
        ErrorKind::Unavailable | ErrorKind::RateLimited { .. } => {
            check.unknown(seen, "look again when the provider answers");
        }
        ErrorKind::Unsupported => {
            check.unknown(seen, "look there yourself, and vouch for it by name");
        }
        _ => check.fail(seen, "find out why before going live"),
    }
}
