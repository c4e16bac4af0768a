//! The PayPal provider passes the conformance suite over PayPal's simulator, case by case.

#[path = "rigs/paypal.rs"]
mod rig;

use rig::PayPalRig;

counterfoil::conformance!(hosted, PayPalRig::new());
