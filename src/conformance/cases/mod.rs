//! The cases, a file per group. Each reads as the story that it tests.

pub(super) mod amounts;
pub(super) mod approval;
pub(super) mod captures;
pub(super) mod creation;
pub(super) mod faults;
pub(super) mod forgeries;
pub(super) mod limits;
pub(super) mod listing;
pub(super) mod refunds;
pub(super) mod shopper;
pub(super) mod webhooks;
