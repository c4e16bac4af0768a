//! The rehearsal over the PayPal provider and PayPal's simulator, scenario by scenario.

#[path = "rigs/paypal.rs"]
mod rig;

use rig::PayPalRig;

counterfoil::rehearsal!(hosted, PayPalRig::new());
