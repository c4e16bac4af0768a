//! The Adyen provider passes the conformance suite over Adyen's simulator, case by case: by links
//! where captures that Adyen makes are not told, and by tokens where they are.

#[path = "rigs/adyen.rs"]
mod rig;

use rig::AdyenRig;

counterfoil::conformance!(hosted, AdyenRig::new(false, false));
counterfoil::conformance!(direct, AdyenRig::new(true, true));
