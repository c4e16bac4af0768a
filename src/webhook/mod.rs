//! Webhooks: raw bytes in, verified events out, and the answer that the provider should get.
//!
//! Hand the body over exactly as it arrived. A JSON layer in between changes bytes, and the
//! signature is over bytes.

#[cfg(feature = "axum")]
mod axum;
mod event;
mod refusal;
mod request;
mod unreadable;

pub use event::{
    Authenticity, Event, EventDraft, EventKind, Notice, SetAside, SetAsideReason, Unclear,
};
pub use refusal::{WebhookRefusal, WebhookRefusalKind};
pub use request::{MAX_BODY_BYTES, WebhookRequest};
pub use unreadable::UnreadableEvent;
#[cfg(any(feature = "adyen", feature = "paypal", feature = "stripe"))]
pub(crate) use unreadable::{name_of_body, plain_type};

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
    /// Why notices of a batch could not be verified that came beside others which could. The
    /// others are events all the same, and the answer makes the provider send the batch again.
    pub rejected: Vec<WebhookRefusal>,
}

impl<M: Mode> Delivery<M> {
    /// The HTTP status to answer once the events are stored: 200, or that of the first notice
    /// which was rejected. If storing them fails, answer 500 instead, and the provider will send
    /// them again.
    #[must_use]
    pub fn answer(&self) -> u16 {
        self.rejected.first().map_or(200, WebhookRefusal::answer)
    }
}

#[cfg(test)]
mod tests;
