//! What the library tells [`tracing`](https://docs.rs/tracing): spans and events under fixed names,
//! all of them with the target [`TARGET`].
//!
//! Labels have few values, so that spans and events can be counted by them. A measure is a number
//! to add up. A detail has any number of values: it belongs into logs and traces, and never into
//! the labels of a metric. None of them holds a secret, a body or an address.
//!
//! | Name | What it is | Labels | Measures | Details |
//! |---|---|---|---|---|
//! | `payment_provider` | span: one thing asked of a provider | `provider` `mode` `operation` `outcome` `effect` | | |
//! | `http_attempt` | span: one request and its answer | `provider` `operation` `attempt` `status` | `duration_ms` | `request_id` |
//! | `http_no_answer` | event: no answer came | `provider` `operation` `delivered` | | |
//! | `webhook_received` | event: a verified notice for this installation | `provider` `mode` `kind` | | |
//! | `webhook_set_aside` | event: a verified notice for another mode, account or installation | `provider` `mode` `reason` | | |
//! | `webhook_refused` | event: a webhook that must not be acted on | `provider` `mode` `reason` | | |
//! | `cashier_check_out` | span: one call to check out | `mode` `outcome` `effect` | | `order` |
//! | `cashier_command` | span: a capture, completion, void or refund that is sent | `mode` `operation` `outcome` `effect` | | `order` |
//! | `cashier_sweep` | span: one sweep | `mode` `outcome` `effect` | `events` `orders` `disputes` `silent` `failures` | |
//! | `cashier_confirmation` | event: a confirmation was put into the outbox | `mode` `kind` | | `order` |
//! | `cashier_unfinished` | event: a step failed that the caller is not told of; the sweep comes back to it | `step` `reason` | | `subject` `error` |
//!
//! `outcome` is `ok` or the name of the [kind of error](crate::ErrorKind::name) or
//! [refusal](crate::webhook::WebhookRefusalKind::name). An error has an `effect` as well:
//! `not applied`, `applied` or `unknown`. Alert on the last where it does not pass, and on
//! `webhook_refused` with the reason `wrong signature` or `untrusted certificate`: a forger, or a
//! wrong secret or root.
//!
//! `examples/opentelemetry` sends the spans to OpenTelemetry, and counts everything by its labels.
//!
//! These are for watching and not for the books: a process may die between a commit and its event.

#[cfg(feature = "cashier")]
use std::fmt::Display;
use std::future::Future;

use tracing::{Instrument, Span};

#[cfg(feature = "cashier")]
use crate::error::Error;
use crate::error::{Effect, Result};

/// The target of every span and event here.
pub const TARGET: &str = "counterfoil";

/// One thing asked of a provider.
pub const PAYMENT_PROVIDER: &str = "payment_provider";
/// One request and its answer.
pub const HTTP_ATTEMPT: &str = "http_attempt";
/// No answer came.
pub const HTTP_NO_ANSWER: &str = "http_no_answer";
/// A verified notice for this installation.
pub const WEBHOOK_RECEIVED: &str = "webhook_received";
/// A verified notice for another mode, account or installation.
pub const WEBHOOK_SET_ASIDE: &str = "webhook_set_aside";
/// A webhook that must not be acted on.
pub const WEBHOOK_REFUSED: &str = "webhook_refused";
/// One call to check out.
pub const CASHIER_CHECK_OUT: &str = "cashier_check_out";
/// A capture, completion, void or refund that is sent.
pub const CASHIER_COMMAND: &str = "cashier_command";
/// One sweep.
pub const CASHIER_SWEEP: &str = "cashier_sweep";
/// A confirmation was put into the outbox.
pub const CASHIER_CONFIRMATION: &str = "cashier_confirmation";
/// A step failed that the caller is not told of.
pub const CASHIER_UNFINISHED: &str = "cashier_unfinished";

/// Works within `span` and records there what came of it.
pub(crate) async fn within<T>(span: Span, work: impl Future<Output = Result<T>>) -> Result<T> {
    let outcome = work.instrument(span.clone()).await;
    match &outcome {
        Ok(_) => {
            span.record("outcome", "ok");
        }
        Err(error) => {
            span.record("outcome", error.kind().name());
            span.record("effect", name_of(error.effect()));
        }
    }
    outcome
}

/// Tells of a failure that is left to the sweep.
#[cfg(feature = "cashier")]
pub(crate) fn unfinished(step: &'static str, subject: &dyn Display, error: &Error) {
    tracing::warn!(
        name: CASHIER_UNFINISHED,
        target: TARGET,
        step,
        reason = error.kind().name(),
        %subject,
        %error,
        "not finished: the sweep comes back to it"
    );
}

const fn name_of(effect: Effect) -> &'static str {
    match effect {
        Effect::NotApplied => "not applied",
        Effect::Applied => "applied",
        Effect::Unknown => "unknown",
    }
}
