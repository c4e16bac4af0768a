//! Readers for what shops, providers and banks hand out as files.
//!
//! [`csv`] reads orders, payments, payouts and report lines by the names in the header, [`stripe`],
//! [`adyen`] and [`paypal`] the reports of those providers, and [`camt`] and [`mt940`] bank
//! statements. Each gives a [`Reading`]: the rows that are sound, and for every other row where it
//! is and what is wrong with it. [`Format::of`] tells the formats apart by their content.
//!
//! Rows own their text. What is compared borrows from them: see [`OrderRecord::row`] and its like.
//!
//! The crates for camt.053 and MT940 that exist read a whole file or refuse it; here one bad entry
//! must not cost the others, so that both are read by hand, over an XML parser of good standing.

pub mod adyen;
mod balance;
pub mod camt;
pub mod csv;
mod format;
mod identity;
mod input;
mod line;
pub mod mt940;
pub mod paypal;
mod record;
pub mod stripe;
mod table;
mod value;
mod zone;

pub use balance::{BalanceProblem, StatementBalance, StatementRecord, tell_gaps};
pub use format::Format;
pub use input::{ReadError, ReadOptions, Reading, RejectedRow, unpacked};
pub use line::StatementLine;
pub use record::{Customers, EntryRecord, OrderRecord, PayoutRecord, ReportRecord};
pub use value::{Amounts, Times};
