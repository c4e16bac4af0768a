//! Errors of a database, sorted by who must act and by whether something may have been written.

use std::borrow::Cow;

use crate::error::{Effect, Error, ErrorKind};

/// Reports an error of the database. `effect` is what is known of the statement where the error
/// itself does not say.
///
/// The database's own text may hold parts of a row, and is left out: its code says enough.
pub(super) fn report(
    error: sqlx::Error,
    effect: Effect,
    classify: fn(&str) -> (ErrorKind, Effect),
) -> Error {
    match error {
        sqlx::Error::Database(refusal) => {
            let code = refusal.code().unwrap_or(Cow::Borrowed("none"));
            let (kind, its_effect) = classify(&code);
            let message = match kind {
                ErrorKind::Credentials => "the database does not let this user in",
                ErrorKind::Settings => {
                    "the database lacks a table or a right of this user, or cannot be opened"
                }
                ErrorKind::Unavailable => "the database cannot do it now",
                _ => "the database has refused a statement of the cashier's",
            };
            let effect = match (its_effect, effect) {
                (Effect::NotApplied, _) | (_, Effect::NotApplied) => Effect::NotApplied,
                _ => Effect::Unknown,
            };
            Error::new(kind, message)
                .with_code(&code)
                .with_effect(effect)
        }
        sqlx::Error::PoolTimedOut => unavailable(
            "no connection to the database came free in time",
            Effect::NotApplied,
        ),
        sqlx::Error::PoolClosed => unavailable(
            "the connections to the database are closed",
            Effect::NotApplied,
        ),
        sqlx::Error::Configuration(_) => Error::new(
            ErrorKind::Settings,
            "the database's address or an option of it cannot be read",
        ),
        sqlx::Error::Tls(source) => {
            let message = "the connection to the database cannot be encrypted as was asked for";
            unavailable(message, Effect::NotApplied).with_source(source)
        }
        sqlx::Error::Io(source) => {
            let message = "the connection to the database broke or could not be made";
            unavailable(message, effect).with_source(source)
        }
        sqlx::Error::RowNotFound
        | sqlx::Error::Decode(_)
        | sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::TypeNotFound { .. } => {
            let message = "the store's tables are not as the cashier has made them";
            Error::new(ErrorKind::UnexpectedResponse, message).with_effect(effect)
        }
        _ => unavailable("the connection to the database is out of step", effect),
    }
}

fn unavailable(message: &'static str, effect: Effect) -> Error {
    Error::new(ErrorKind::Unavailable, message).with_effect(effect)
}
