//! PostgreSQL's SQLSTATEs, sorted.
//!
//! Source: PostgreSQL 15, Appendix A, "PostgreSQL Error Codes".

use super::super::error;
use crate::error::{Effect, Error, ErrorKind};

/// A statement that failed, with what is known of its effect if the error does not say.
pub(super) struct Failed {
    error: sqlx::Error,
    effect: Effect,
}

impl Failed {
    /// It failed before it was sent.
    pub(super) const fn unsent(error: sqlx::Error) -> Self {
        let effect = Effect::NotApplied;
        Self { error, effect }
    }

    /// It was sent; what is not said by the error is `effect`.
    pub(super) const fn sent(error: sqlx::Error, effect: Effect) -> Self {
        Self { error, effect }
    }

    /// Whether the database broke it off in favour of another, and it can be run again:
    /// `serialization_failure` or `deadlock_detected`.
    pub(super) fn is_broken_off(&self) -> bool {
        let code = self.refusal().and_then(|refusal| refusal.code());
        code.is_some_and(|code| code == "40001" || code == "40P01")
    }

    /// The table on which it broke a `NOT NULL`.
    pub(super) fn null_in(&self) -> Option<&str> {
        let refusal = self.refusal()?;
        let is_null = refusal.kind() == sqlx::error::ErrorKind::NotNullViolation;
        refusal.table().filter(|_| is_null)
    }

    /// The table on which it broke a primary key or another unique constraint.
    pub(super) fn doubled_in(&self) -> Option<&str> {
        let refusal = self.refusal()?;
        let is_double = refusal.kind() == sqlx::error::ErrorKind::UniqueViolation;
        refusal.table().filter(|_| is_double)
    }

    pub(super) fn report(self) -> Error {
        error::report(self.error, self.effect, classify)
    }

    fn refusal(&self) -> Option<&dyn sqlx::error::DatabaseError> {
        self.error.as_database_error()
    }
}

/// Who must act on a SQLSTATE, and whether it proves that the statement was undone. A server that
/// ends a connection (class 57P) may do so just after it has committed.
fn classify(code: &str) -> (ErrorKind, Effect) {
    let kind = match code.get(..2) {
        Some("08" | "40" | "53" | "55" | "57" | "58") => ErrorKind::Unavailable,
        // A replica, or a database that was set to be read only.
        Some("25") => ErrorKind::Unavailable,
        Some("28") => ErrorKind::Credentials,
        Some("0A" | "3D" | "3F" | "42") => ErrorKind::Settings,
        _ => ErrorKind::UnexpectedResponse,
    };
    let is_uncertain = matches!(code.get(..2), Some("08" | "58" | "XX"))
        || code.starts_with("57P")
        || code == "40003";
    let effect = match is_uncertain {
        true => Effect::Unknown,
        false => Effect::NotApplied,
    };
    (kind, effect)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sure_rollback_is_called_one() {
        for (code, kind, effect) in [
            ("40001", ErrorKind::Unavailable, Effect::NotApplied),
            ("40003", ErrorKind::Unavailable, Effect::Unknown),
            ("57014", ErrorKind::Unavailable, Effect::NotApplied),
            ("57P01", ErrorKind::Unavailable, Effect::Unknown),
            ("08006", ErrorKind::Unavailable, Effect::Unknown),
            ("53100", ErrorKind::Unavailable, Effect::NotApplied),
            ("25006", ErrorKind::Unavailable, Effect::NotApplied),
            ("28P01", ErrorKind::Credentials, Effect::NotApplied),
            ("42501", ErrorKind::Settings, Effect::NotApplied),
            ("42P01", ErrorKind::Settings, Effect::NotApplied),
            ("23514", ErrorKind::UnexpectedResponse, Effect::NotApplied),
            ("XX000", ErrorKind::UnexpectedResponse, Effect::Unknown),
            ("", ErrorKind::UnexpectedResponse, Effect::NotApplied),
        ] {
            assert_eq!(classify(code), (kind, effect), "{code}");
        }
    }
}
