//! Comparing the cost of pieces of work on a machine that others use too.

use std::time::Duration;

use cpu_time::ThreadTime;

/// Something to be measured, under a name.
pub struct Contender<'c> {
    name: &'static str,
    run: Box<dyn FnMut() + 'c>,
    best: Duration,
}

impl<'c> Contender<'c> {
    /// Measures `run`, which does the work once.
    pub fn new(name: &'static str, run: impl FnMut() + 'c) -> Self {
        Self {
            name,
            run: Box::new(run),
            best: Duration::MAX,
        }
    }
}

/// Runs all contenders in turn, `rounds` times, `repeats` runs each, and prints the best CPU time
/// of this thread for one of the `units` in a run, and its ratio to that of the first, the floor.
///
/// Neighbours on the machine can only make a round slower, so the best of many is the steadiest.
/// The variable `ROUNDS` sets another number of rounds.
pub fn compare(
    title: &str,
    rounds: u32,
    repeats: u32,
    units: u32,
    mut contenders: Vec<Contender<'_>>,
) {
    let rounds = std::env::var("ROUNDS").map_or(rounds, |text| text.parse().expect("a number"));
    for _ in 0..rounds {
        for contender in &mut contenders {
            let start = ThreadTime::now();
            for _ in 0..repeats {
                (contender.run)();
            }
            contender.best = contender.best.min(start.elapsed() / (repeats * units));
        }
    }
    println!("{title} (best of {rounds} rounds of {repeats})");
    let floor = contenders[0].best.as_secs_f64();
    for contender in &contenders {
        let best = contender.best.as_secs_f64();
        println!(
            "  {:<44} {:>9.2} µs  {:.2}",
            contender.name,
            best * 1e6,
            best / floor
        );
    }
}
