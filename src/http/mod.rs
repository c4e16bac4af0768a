//! HTTP as money needs it: sent once unless it may be sent again, and never in the clear.

mod transport;

pub use transport::{Delivered, Transport, TransportError};
