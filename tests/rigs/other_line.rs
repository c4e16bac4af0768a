//! Stripe's test mode over a line that does something else than Stripe's own.

use std::sync::Arc;

use counterfoil::conformance::{Happening, Shopper};
use counterfoil::http::Transport;
use counterfoil::id::Namespace;
use counterfoil::request::Checkout;
use counterfoil::{Live, Provider, Result, Test};

use crate::test_mode::{Credentials, Played, StripeTestMode, TestMode, Wait, Wired, reason};

#[derive(Debug, Clone)]
pub(crate) struct OtherLine {
    pub(crate) psp: StripeTestMode,
    /// The line, over the one to the API.
    pub(crate) line: fn(Arc<dyn Transport>) -> Arc<dyn Transport>,
    /// What cannot be played over it, by the numbers of scenarios.
    pub(crate) missing: &'static [(&'static [u32], &'static str)],
}

impl TestMode for OtherLine {
    fn api_url(&self) -> &str {
        self.psp.api_url()
    }

    fn open(&self, with: Credentials, on: Wired, namespace: &Namespace) -> Result<Provider<Test>> {
        let line = (self.line)(on.line);
        self.psp.open(with, Wired { line, ..on }, namespace)
    }

    fn live(&self, namespace: &Namespace) -> Provider<Live> {
        self.psp.live(namespace)
    }

    fn secrets(&self) -> Vec<String> {
        self.psp.secrets()
    }

    fn out_of_reach(&self, scenario: &str, hears: bool) -> Option<&'static str> {
        let known = self.psp.out_of_reach(scenario, hears);
        known.or_else(|| reason(self.missing, scenario))
    }

    fn has_tokens(&self) -> bool {
        self.psp.has_tokens()
    }

    fn token(&self, shopper: Shopper) -> Played<Checkout> {
        self.psp.token(shopper)
    }

    fn happen(&self, happening: Happening<'_>, wait: &Wait) -> Played {
        self.psp.happen(happening, wait)
    }
}
