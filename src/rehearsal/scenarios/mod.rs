//! The scenarios, a file per subject. Each reads as the story that is rehearsed.

pub(super) mod amounts;
pub(super) mod captures;
pub(super) mod doubt;
pub(super) mod forgeries;
pub(super) mod notices;
pub(super) mod outcomes;
pub(super) mod refunds;
