//! Real hosts are killed at any moment, on real databases, and the provider's own books say what
//! came of it: nothing charged twice, nothing refunded twice, nothing lost, and one confirmation
//! for each order and kind.
//!
//! A failure prints its seed. `COUNTERFOIL_KILLS=300` kills more often in further runs, from seeds
//! that follow each other, and `COUNTERFOIL_KILL_SEED=7` says from which.

#![allow(clippy::unwrap_used)] // what fails in a test ends it

mod audit;
mod database;
mod defects;
mod faults;
mod processes;
mod run;

use database::Database;
use run::{Run, Shape, seeds};

/// As many runs as were asked for, each on a database of its own.
fn kill(provider: &'static str, database: impl Fn() -> Option<Database>) {
    for seed in seeds() {
        let Some(database) = database() else {
            return;
        };
        let shape = Shape {
            seed,
            ..Shape::default()
        };
        let mut run = Run::start_as(provider, database, shape);
        run.storm();
        run.kill_at_random();
        run.finish().assert_none();
    }
}

fn sqlite() -> Option<Database> {
    Some(Database::Sqlite)
}

fn postgres() -> Option<Database> {
    Database::postgres("kills on PostgreSQL")
}

#[test]
fn nothing_is_doubled_or_lost_with_stripe_on_sqlite() {
    kill("stripe", sqlite);
}

#[test]
fn nothing_is_doubled_or_lost_with_paypal_on_sqlite() {
    kill("paypal", sqlite);
}

#[test]
fn nothing_is_doubled_or_lost_with_adyen_on_sqlite() {
    kill("adyen", sqlite);
}

#[test]
fn nothing_is_doubled_or_lost_with_stripe_on_postgresql() {
    kill("stripe", postgres);
}

#[test]
fn nothing_is_doubled_or_lost_with_paypal_on_postgresql() {
    kill("paypal", postgres);
}

#[test]
fn nothing_is_doubled_or_lost_with_adyen_on_postgresql() {
    kill("adyen", postgres);
}
