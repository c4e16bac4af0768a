//! `PayPal-Request-Id`, by PayPal's rules.
//!
//! Source: developer.paypal.com/api/rest/reference/idempotency and the header's description in the
//! specifications: kept 6 hours for orders and 45 days for payments, each kind of call for itself.
//! A repeated id gives the latest state of what the first call made, whatever the body says; a call
//! that failed has made nothing, so that its id can be used again (unverified).

use std::time::Duration;

use super::errors::ApiError;
use super::router::Made;
use crate::clock::Timestamp;
use crate::simulator::keys::{Done, Keys};

const LENGTH_MAX: usize = 108;

/// The ids that were used, by kind of call.
#[derive(Debug, Default)]
pub(super) struct RequestIds(Keys<(&'static str, String), Made>);

impl RequestIds {
    pub(super) fn check(id: &str) -> Result<(), ApiError> {
        if id.is_empty() || id.chars().count() > LENGTH_MAX {
            return Err(ApiError::invalid(
                "INVALID_STRING_LENGTH",
                "PayPal-Request-Id",
            ));
        }
        Ok(())
    }

    /// What a call of this kind made under this id, if it is remembered.
    pub(super) fn made(
        &mut self,
        kind: &'static str,
        id: &str,
        now: Timestamp,
    ) -> Result<Option<Made>, ApiError> {
        match self.0.find(&(kind, id.to_owned()), now) {
            Some(done) if now < done.busy_until => Err(ApiError::in_progress()),
            done => Ok(done.map(|done| done.what.clone())),
        }
    }

    pub(super) fn keep(
        &mut self,
        (kind, id): (&'static str, &str),
        made: Made,
        now: Timestamp,
        busy_until: Timestamp,
        keeps_for: Duration,
    ) {
        let what = made;
        let done = Done { what, busy_until };
        let forgotten = now.saturating_add(keeps_for);
        self.0.keep((kind, id.to_owned()), done, forgotten);
    }
}
