//! The Adyen provider over a scripted wire, with what Adyen's own specification gives as examples.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod changes;
mod creation;
mod doubts;
mod management;
mod notices;
mod settlement;
mod shop;
mod signatures;
