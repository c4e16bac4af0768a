//! The rehearsal over the Adyen provider and Adyen's simulator, scenario by scenario.

#[path = "rigs/adyen.rs"]
mod rig;

use rig::AdyenRig;

counterfoil::rehearsal!(hosted, AdyenRig::new(false, false));
counterfoil::rehearsal!(direct, AdyenRig::new(true, true));
