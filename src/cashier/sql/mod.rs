//! The schema of the SQL stores.
//!
#![doc = include_str!("schema.md")]

mod error;
#[cfg(feature = "postgres")]
pub(super) mod postgres;
mod queries;
mod rows;
#[cfg(feature = "sqlite")]
pub(super) mod sqlite;

use std::sync::OnceLock;

use crate::error::{Error, ErrorKind, Result};
use crate::mode::ModeKind;

/// The version of the schema that this version of the library reads and writes.
pub const SCHEMA_VERSION: u32 = 3;

/// Which scripts a database of schema `version` still lacks; `all` are numbered from 1.
fn missing_scripts(version: i64, all: &[&'static str]) -> Result<Vec<&'static str>> {
    let known = i64::from(SCHEMA_VERSION);
    if version > known {
        let message = format!(
            "the store has schema version {version} and this program knows {known}: run the newer \
             release of the program that has written it"
        );
        return Err(Error::new(ErrorKind::Settings, message));
    }
    let run = usize::try_from(version).unwrap_or(0);
    Ok(all.iter().skip(run).copied().collect())
}

/// The mode that a store was opened in.
#[derive(Debug, Default)]
struct OpenedMode(OnceLock<ModeKind>);

impl OpenedMode {
    /// Remembers that the database is stamped with `stamped`, where `asked` was asked for.
    fn set(&self, stamped: &str, asked: ModeKind) -> Result<()> {
        if stamped != asked.as_str() {
            let message = format!("the store holds {stamped} records, not {asked} ones");
            return Err(Error::new(ErrorKind::WrongMode, message));
        }
        self.expect(*self.0.get_or_init(|| asked), asked)
    }

    fn get(&self) -> Result<ModeKind> {
        let message = "the store was not opened yet: open it in the mode of its records";
        let opened = self.0.get().copied();
        opened.ok_or_else(|| Error::new(ErrorKind::Settings, message))
    }

    /// Refuses what is not of the mode of the store.
    fn check(&self, mode: ModeKind) -> Result<()> {
        self.expect(self.get()?, mode)
    }

    fn expect(&self, opened: ModeKind, mode: ModeKind) -> Result<()> {
        if opened == mode {
            return Ok(());
        }
        let message = format!("the store holds {opened} records, not {mode} ones");
        Err(Error::new(ErrorKind::WrongMode, message))
    }
}

/// A link that names a payment of another order.
fn payment_of_another_order() -> Error {
    let message = "a payment of this order belongs to another order already";
    Error::new(ErrorKind::Conflict, message)
}

/// A confirmation with the id of another one, of another order or kind.
fn confirmation_of_another_order() -> Error {
    let message = "another confirmation has the id of a new one";
    Error::new(ErrorKind::Conflict, message)
}

fn no_such_confirmation() -> Error {
    let message = "there is no confirmation of this id";
    Error::new(ErrorKind::NotFound, message)
}

fn not_the_lease_holder() -> Error {
    let message = "the confirmation was acknowledged before, or leased to another since";
    Error::new(ErrorKind::Conflict, message)
}

/// A commit that found the database not stamped as it was when it was opened.
fn stamp_has_changed() -> Error {
    let message = "the store's mode or schema was changed since it was opened: start again";
    Error::new(ErrorKind::Settings, message)
}
