//! The PayPal provider against answers written from PayPal's descriptions, and against forged
//! webhooks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod answers;
mod collision;
mod completion;
mod forgeries;
mod lists;
mod notary;
mod notices;
mod payments;
mod refunds;
mod script;
