//! The Stripe provider against the simulator of Stripe, which shares no wire code with it.

mod listing;
mod outcomes;
mod payments;
mod shop;
mod webhooks;
