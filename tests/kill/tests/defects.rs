//! The suite can fail: hosts that were spoiled on purpose are caught.

use counterfoil_kill::Defect;

use crate::database::Database;
use crate::run::{Run, Shape};

#[test]
fn a_host_that_derives_new_keys_in_each_process_is_caught() {
    let shape = Shape {
        defect: Some(Defect::FreshKeys),
        // Commands are long under way when a host dies, and the next one asks and sends again
        // before they arrive.
        longest_delay: 2400,
        delays_only_writes: true,
        longest_life: 400,
        is_up_at_once: true,
        kills: 200,
        ..Shape::default()
    };
    let mut run = Run::start_as("stripe", Database::Sqlite, shape);
    let is_caught = run.kill_until(|findings| {
        !findings.double_refunds.is_empty() || !findings.double_charges.is_empty()
    });
    assert!(is_caught, "it passes: {}", run.again());
}

#[test]
fn a_host_that_acknowledges_before_it_acts_is_caught() {
    for seed in 0..8 {
        let shape = Shape {
            seed,
            defect: Some(Defect::AcknowledgesFirst),
            // What is lost is waited for in vain.
            end_within: 3600,
            ..Shape::default()
        };
        let mut run = Run::start_as("stripe", Database::Sqlite, shape);
        run.kill_at_random();
        let findings = run.finish();
        let is_lost = |found: &String| found.contains("confirmed were");
        if findings.lost.iter().any(is_lost) {
            return;
        }
    }
    panic!("it passes");
}
