//! The Stripe provider against the simulator of Stripe, which shares no wire code with it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod listing;
mod mistakes;
mod outcomes;
mod payments;
mod shop;
mod webhooks;
