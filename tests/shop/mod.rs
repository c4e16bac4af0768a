//! A shop to test the cashier in: a provider with its own books, and a line to it that can fail.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

pub mod bank;
pub mod faults;
pub mod psp;
