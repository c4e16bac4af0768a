//! Which payment pays which order: orders and account entries in, verdicts with evidence out.
//!
//! The module is pure. It does no I/O, reads no clock and starts no runtime, and it can be used
//! alone: a host with its own tables and no provider of ours feeds it an [`OrderRow`] for each
//! order and an [`EntryRow`] for each payment, refund or dispute. Rows are borrowed for the length
//! of one call.

mod input;
pub mod payout;

pub use input::{EntryKind, EntryRow, OrderRow, ProviderLink};
