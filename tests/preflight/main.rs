//! Preflight: every mistake is found by the check that is for it, and only reads are sent.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod adyen;
mod endpoint;
mod evidence;
#[path = "../rigs/layer.rs"]
mod layer;
mod mistakes;
mod paypal;
mod readiness;
mod report;
mod settings;
mod shop;
mod store;
mod stripe;
mod sweep;
