//! The rehearsal over the Stripe provider and Stripe's simulator, scenario by scenario.

#[path = "rigs/stripe.rs"]
mod rig;

use rig::StripeRig;

counterfoil::rehearsal!(hosted, StripeRig::new(false));
counterfoil::rehearsal!(direct, StripeRig::new(true));
