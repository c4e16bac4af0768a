//! The search.
use super::{policy::Policy, resolve::Resolution, table::Table};
pub(crate) fn search(_t: &Table, _p: &Policy, _f: &mut Resolution) {}
