//! Real hosts are killed at any moment, on real databases, and the provider's own books say what
//! came of it: nothing charged twice, nothing refunded twice, nothing lost, and one confirmation
//! for each order and kind.
//!
//! A failure prints its seed. `COUNTERFOIL_KILLS=300` kills more often, `COUNTERFOIL_KILL_SEED=7`
//! begins from another seed.

#![allow(clippy::unwrap_used)] // what fails in a test ends it

mod audit;
mod database;
mod defects;
mod faults;
mod processes;
mod run;

use database::Database;
use run::Run;

fn kill(provider: &'static str, database: Database) {
    let mut run = Run::start(provider, database);
    run.kill_at_random();
    run.finish().assert_none();
}

#[test]
fn nothing_is_doubled_or_lost_with_stripe_on_sqlite() {
    kill("stripe", Database::Sqlite);
}

#[test]
fn nothing_is_doubled_or_lost_with_paypal_on_sqlite() {
    kill("paypal", Database::Sqlite);
}

#[test]
fn nothing_is_doubled_or_lost_with_adyen_on_sqlite() {
    kill("adyen", Database::Sqlite);
}

#[test]
fn nothing_is_doubled_or_lost_with_stripe_on_postgresql() {
    let Some(database) = Database::postgres("kills on PostgreSQL") else {
        return;
    };
    kill("stripe", database);
}

#[test]
fn nothing_is_doubled_or_lost_with_paypal_on_postgresql() {
    let Some(database) = Database::postgres("kills on PostgreSQL") else {
        return;
    };
    kill("paypal", database);
}

#[test]
fn nothing_is_doubled_or_lost_with_adyen_on_postgresql() {
    let Some(database) = Database::postgres("kills on PostgreSQL") else {
        return;
    };
    kill("adyen", database);
}
