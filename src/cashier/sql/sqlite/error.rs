//! SQLite's result codes, sorted.
//!
//! Source: <https://www.sqlite.org/rescode.html>.

use super::super::error;
use crate::error::{Effect, Error, ErrorKind};

/// Reports what failed before the commit: it is rolled back.
pub(super) fn undone(error: sqlx::Error) -> Error {
    error::report(error, Effect::NotApplied, classify)
}

/// Reports a commit that failed. It may be on the disk all the same.
pub(super) fn uncertain(error: sqlx::Error) -> Error {
    error::report(error, Effect::Unknown, classify)
}

/// Whether a constraint of `table` was broken, which only its message names.
pub(super) fn is_constraint_of(error: &sqlx::Error, table: &str) -> bool {
    let refusal = error.as_database_error();
    refusal.is_some_and(|refusal| {
        let is_constraint = refusal
            .code()
            .is_some_and(|code| primary(&code) == Some(19));
        is_constraint && refusal.message().contains(table)
    })
}

/// Who must act on a result code, and whether it proves that nothing was committed.
fn classify(code: &str) -> (ErrorKind, Effect) {
    match primary(code) {
        // Busy, locked.
        Some(5 | 6) => (ErrorKind::Unavailable, Effect::NotApplied),
        // No permission, out of memory, read only, I/O error, disk full.
        Some(3 | 7 | 8 | 10 | 13) => (ErrorKind::Unavailable, Effect::Unknown),
        // No such table, cannot open, not a database.
        Some(1 | 14 | 26) => (ErrorKind::Settings, Effect::Unknown),
        _ => (ErrorKind::UnexpectedResponse, Effect::Unknown),
    }
}

/// The code without what an extended code adds.
fn primary(code: &str) -> Option<u32> {
    code.parse().ok().map(|code: u32| code & 0xff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_database_has_done_nothing_and_a_broken_disk_perhaps() {
        for (code, kind, effect) in [
            ("5", ErrorKind::Unavailable, Effect::NotApplied),
            ("517", ErrorKind::Unavailable, Effect::NotApplied),
            ("13", ErrorKind::Unavailable, Effect::Unknown),
            ("1034", ErrorKind::Unavailable, Effect::Unknown),
            ("14", ErrorKind::Settings, Effect::Unknown),
            ("26", ErrorKind::Settings, Effect::Unknown),
            ("11", ErrorKind::UnexpectedResponse, Effect::Unknown),
        ] {
            assert_eq!(classify(code), (kind, effect), "{code}");
        }
    }
}
