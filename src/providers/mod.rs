//! The providers, one folder each, each behind a feature of its own.

pub mod paypal;
pub mod stripe;
