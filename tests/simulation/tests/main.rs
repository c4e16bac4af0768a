//! Whole shops from a seed, and everything that can go wrong at each of their steps.

mod defects;
mod shops;
mod sql;
mod steps;
mod webhook_order;
