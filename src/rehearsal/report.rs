//! What a rehearsal has shown, for people and for machines.

use std::fmt;

use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::run::Scenario;
use crate::conformance::Outcome;

/// What came of every scenario. Its text is a table; as JSON it is a list of rulings.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
#[non_exhaustive]
pub struct Rehearsal {
    /// The scenarios in their order, with what came of each.
    pub rulings: Vec<Ruling>,
}

impl Rehearsal {
    /// Whether nothing failed and nothing that applies was left out, known gaps excepted.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.rulings.iter().all(|ruling| ruling.outcome.is_good())
    }

    /// The numbers of the scenarios that passed.
    pub fn passed(&self) -> impl Iterator<Item = String> {
        let passed = self.rulings.iter();
        let passed = passed.filter(|ruling| ruling.outcome == Outcome::Proven);
        passed.map(|ruling| ruling.scenario.id())
    }

    fn count(&self, word: &str) -> usize {
        let all = self.rulings.iter();
        all.filter(|ruling| ruling.word() == word).count()
    }
}

impl fmt::Display for Rehearsal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ruling in &self.rulings {
            let Scenario { name, expected, .. } = ruling.scenario;
            let id = ruling.scenario.id();
            write!(f, "{id:<4} {:<15} {name:<42} ", ruling.word())?;
            match ruling.why() {
                None => writeln!(f, "{expected}")?,
                Some(why) => writeln!(f, "{why}")?,
            }
        }
        write!(
            f,
            "{} scenarios: {} passed, {} not applicable, {} failed",
            self.rulings.len(),
            self.count(PASSED),
            self.count(NOT_APPLICABLE),
            self.count(FAILED),
        )?;
        match self.count(OUT_OF_REACH) {
            0 => Ok(()),
            out_of_reach => write!(f, ", {out_of_reach} out of reach"),
        }
    }
}

/// What came of one scenario.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Ruling {
    /// The scenario.
    pub scenario: Scenario,
    /// What came of it.
    pub outcome: Outcome,
}

const PASSED: &str = "passed";
const NOT_APPLICABLE: &str = "not applicable";
const OUT_OF_REACH: &str = "out of reach";
const FAILED: &str = "FAILED";

impl Ruling {
    /// `passed`, `not applicable`, `out of reach` or `FAILED`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self.outcome {
            Outcome::Proven => PASSED,
            Outcome::Refused(_) | Outcome::Moot(_) | Outcome::KnownGap(_) => NOT_APPLICABLE,
            Outcome::OutOfReach(_) => OUT_OF_REACH,
            Outcome::NotProven(_) | Outcome::Failed(_) => FAILED,
        }
    }

    /// Why it is not applicable or out of reach, or what was different.
    #[must_use]
    pub fn why(&self) -> Option<String> {
        match &self.outcome {
            Outcome::Proven => None,
            Outcome::Refused(what) => Some(format!("refused before anything is sent: {what}")),
            Outcome::OutOfReach(why) => {
                Some(format!("cannot be reached in test mode, because {why}"))
            }
            Outcome::Moot(why) | Outcome::KnownGap(why) | Outcome::Failed(why) => Some(why.clone()),
            Outcome::NotProven(why) => Some(format!("could not be played: {why}")),
        }
    }
}

impl Serialize for Ruling {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_struct("Ruling", 5)?;
        row.serialize_field("id", &self.scenario.id())?;
        row.serialize_field("name", self.scenario.name)?;
        row.serialize_field("expected", self.scenario.expected)?;
        row.serialize_field("outcome", &self.word().to_lowercase())?;
        row.serialize_field("why", &self.why())?;
        row.end()
    }
}
