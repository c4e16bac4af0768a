//! The Stripe provider passes the conformance suite over Stripe's simulator, case by case.

#[path = "rigs/stripe.rs"]
mod rig;

use rig::StripeRig;

counterfoil::conformance!(hosted, StripeRig::new(false));
counterfoil::conformance!(direct, StripeRig::new(true));
