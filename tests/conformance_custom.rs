//! The provider of `examples/custom_provider.rs` passes the conformance suite, case by case.

#[allow(dead_code, unused_imports)] // its `main` is for the example
#[path = "../examples/custom_provider.rs"]
mod custom_provider;

counterfoil::conformance!(tallypay, custom_provider::TallypayRig::default());
