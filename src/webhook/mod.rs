//! Webhooks: raw bytes in, verified events out, and the answer that the provider should get.
//!
//! Hand the body over exactly as it arrived. A JSON layer in between changes bytes, and the
//! signature is over bytes.

#[cfg(feature = "axum")]
mod axum;
mod event;
mod refusal;
mod request;

pub use event::{
    Authenticity, Event, EventDraft, EventKind, Notice, SetAside, SetAsideReason, Unclear,
};
pub use refusal::{WebhookRefusal, WebhookRefusalKind};
pub use request::{MAX_BODY_BYTES, WebhookRequest};

use crate::mode::Mode;

/// What a genuine webhook delivered.
///
/// Store the events first, then give the [`answer`](Delivery::answer): a provider does not send
/// again what was acknowledged.
#[derive(Debug, Clone)]
#[must_use = "the events must be stored before the provider gets its answer"]
#[non_exhaustive]
pub struct Delivery<M: Mode> {
    /// The events to act on.
    pub events: Vec<Event<M>>,
    /// Genuine notices that are not for this installation and mode. Count them and alert on
    /// [`SetAsideReason::WrongMode`]; change nothing.
    pub set_aside: Vec<SetAside>,
}

impl<M: Mode> Delivery<M> {
    /// The HTTP status to answer once the events are stored: 200. If storing them fails, answer
    /// 500 instead, and the provider will send them again.
    #[must_use]
    pub const fn answer(&self) -> u16 {
        200
    }
}

#[cfg(test)]
mod tests;
