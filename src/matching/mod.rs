//! Which payment pays which order: orders and account entries in, verdicts with evidence out.
//!
//! The module is pure. It does no I/O, reads no clock and starts no runtime, and it can be used
//! alone: a host with its own tables and no provider of ours feeds it an [`OrderRow`] for each
//! order and an [`EntryRow`] for each payment, refund or dispute. Rows are borrowed for the length
//! of one call. A host that uses the providers here has a [`Ledger`](crate::ledger::Ledger) of each
//! payment: [`entries_of`] makes the rows of it for a batch, and [`OrderBook::ledger`] takes it as
//! often as it changes.
//!
//! # How often it is right
//!
//! On real orders and payments of a Brazilian marketplace (Olist, 2016 and 2017, 44,556 orders and
//! 46,871 payments) from which the references were taken away, 44,659 payments are matched and right
//! (recall 0.9716) and one is wrong, of which the order is not in the feed; of 408 suggestions 404 are
//! right; of the refused ones whose order is in the feed, 872 of 898 name it among the first three.
//! With references, every order has its class and difference. `tests/matching_quality.rs` holds these
//! figures on a copy of the data.

mod batch;
mod book;
mod decide;
mod evidence;
mod explain;
mod feed;
mod input;
mod join;
mod order_entries;
pub mod payout;
mod policy;
#[cfg(feature = "readers")]
pub mod readers;
mod reference;
mod remittance;
mod report;
mod resolve;
mod search;
mod standing;
mod table;
mod verdict;

pub use batch::Batch;
pub use book::{Change, OrderBook, Subject};
pub use decide::{Balance, Facts, Finding, decide};
pub use evidence::{
    Allocation, Compared, Decision, Evidence, Field, RULES_VERSION, Residual, ResidualKind, Rule,
    Twin,
};
pub use feed::entries_of;
pub use input::{EntryKind, EntryRow, OrderRow, ProviderLink};
pub use policy::{FeeRule, InterestRule, Policy, RailWindow, Rate, Window};
pub use reference::ReferenceRules;
pub use report::{EntryOutcome, OrderOutcome, Report};
pub use table::RowError;
pub use verdict::{Candidate, Reason, Verdict, VerdictKind};
