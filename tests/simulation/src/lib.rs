//! The shops of `tests/simulated_shop`, for many orders in an optimized build and on stores with SQL.

#[path = "../../simulated_shop/mod.rs"]
mod simulated_shop;

pub use simulated_shop::*;
