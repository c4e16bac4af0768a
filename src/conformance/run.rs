//! Running cases, and what comes of them.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::process::ExitCode;

use super::cases;
use super::rig::Rig;
use super::stage::{Proof, Stage, Stop};

/// One thing that every provider must do.
#[derive(Clone, Copy)]
pub struct Case {
    /// What it is about.
    pub group: &'static str,
    /// What it proves, as a sentence with underscores.
    pub name: &'static str,
    play: Play,
}

type Play = for<'s> fn(&'s Stage<'s>) -> Pin<Box<dyn Future<Output = Proof> + 's>>;

macro_rules! list_cases {
    (() $($group:ident { $($case:ident)* })*) => {
        &[$($(Case {
            group: stringify!($group),
            name: stringify!($case),
            play: |stage| Box::pin(cases::$group::$case(stage)),
        },)*)*]
    };
}

/// Every case of the suite.
pub const CASES: &[Case] = crate::conformance_cases!([list_cases]());

impl Case {
    /// The case of this name.
    #[must_use]
    pub fn named(group: &str, name: &str) -> Option<Self> {
        let is_it = |case: &&Self| case.group == group && case.name == name;
        CASES.iter().find(is_it).copied()
    }

    /// Plays the case on the rig that `make` makes, on a runtime of its own: call it outside of
    /// async code.
    #[must_use]
    pub fn run<R: Rig>(&self, make: impl FnOnce() -> R) -> Outcome {
        play(&self.to_string(), make, |rig| {
            let case = *self;
            Box::pin(async move {
                let stage = Stage::new(rig)?;
                let proof = (case.play)(&stage).await;
                stage.keeps_offline()?;
                proof
            })
        })
    }
}

/// What is played on a rig.
pub(crate) type Story<'r> = Pin<Box<dyn Future<Output = Proof> + 'r>>;

/// Plays a story of this name on the rig that `make` makes, on a runtime of its own.
pub(crate) fn play<R: Rig>(
    name: &str,
    make: impl FnOnce() -> R,
    story: impl for<'r> FnOnce(&'r dyn Rig) -> Story<'r>,
) -> Outcome {
    let played = catch_unwind(AssertUnwindSafe(|| on_a_runtime(name, make, story)));
    let (proof, gap) = played.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        let message = format!("it panicked: {}", text.unwrap_or("without a text"));
        (Err(Stop::Failed(message)), None)
    });
    match (proof, gap) {
        (Ok(()) | Err(Stop::Refused(_)), Some(_)) => Outcome::Failed(
            "it is listed as a known gap and can be proven: take it off the list".into(),
        ),
        (Ok(()), None) => Outcome::Proven,
        (Err(Stop::Refused(what)), None) => Outcome::Refused(what),
        (Err(Stop::Moot(why)), _) => Outcome::Moot(why),
        (Err(Stop::OutOfReach(why)), _) => Outcome::OutOfReach(why),
        (Err(Stop::NotProven(_)), Some(reason)) => Outcome::KnownGap(reason.into()),
        (Err(Stop::NotProven(why)), None) => Outcome::NotProven(why),
        (Err(Stop::Failed(why)), _) => Outcome::Failed(why),
    }
}

fn on_a_runtime<R: Rig>(
    name: &str,
    make: impl FnOnce() -> R,
    story: impl for<'r> FnOnce(&'r dyn Rig) -> Story<'r>,
) -> (Proof, Option<&'static str>) {
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return (Err(Stop::Failed(format!("no runtime: {error}"))), None),
    };
    // The rig is made inside, so that it may start a server on the runtime.
    runtime.block_on(async {
        let rig = make();
        let gap = rig.known_gaps().iter().find(|(known, _)| *known == name);
        let reason = gap.map(|(_, reason)| *reason);
        (story(&rig).await, reason)
    })
}

/// `group::name`.
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.group, self.name)
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The provider did what the case asks.
    Proven,
    /// The provider says that it cannot do this, and the handle refused it before anything was
    /// sent.
    Refused(String),
    /// There is nothing to prove: the provider promises nothing of the kind.
    Moot(String),
    /// It cannot be brought about where it is played, as [`Rig::out_of_reach`] says.
    OutOfReach(String),
    /// The rig could not play its part, and says so in [`Rig::known_gaps`], for this reason.
    KnownGap(String),
    /// The rig could not play its part.
    NotProven(String),
    /// The provider did something else.
    Failed(String),
}

impl Outcome {
    /// Whether a release may go out with it.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        !matches!(self, Self::NotProven(_) | Self::Failed(_))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proven => f.write_str("proven"),
            Self::Refused(what) => write!(f, "refused before anything was sent: {what}"),
            Self::Moot(why) => write!(f, "does not apply: {why}"),
            Self::OutOfReach(why) => write!(f, "cannot be reached: {why}"),
            Self::KnownGap(why) => write!(f, "KNOWN GAP, not proven: {why}"),
            Self::NotProven(why) => write!(f, "NOT PROVEN: {why}"),
            Self::Failed(why) => write!(f, "FAILED: {why}"),
        }
    }
}

/// Plays every case, each on a rig of its own. Call it outside of async code.
#[must_use]
pub fn run_all<R: Rig>(make: impl Fn() -> R) -> Report {
    let run = |case: &Case| (*case, case.run(&make));
    Report {
        outcomes: CASES.iter().map(run).collect(),
    }
}

/// What came of every case. Its text is a line per case and a last line that counts them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// The cases in the order of the suite, with what came of each.
    pub outcomes: Vec<(Case, Outcome)>,
}

impl Report {
    /// Whether a release may go out: nothing failed, and nothing is unproven but the known gaps.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.outcomes.iter().all(|(_, outcome)| outcome.is_good())
    }

    /// What a program that plays the suite ends with: a failure unless [`is_good`](Self::is_good).
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        if self.is_good() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (case, outcome) in &self.outcomes {
            writeln!(f, "{case}: {outcome}")?;
        }
        let count = |is: fn(&Outcome) -> bool| {
            let all = self.outcomes.iter();
            all.filter(|(_, outcome)| is(outcome)).count()
        };
        write!(
            f,
            "{} cases: {} proven, {} refused as unsupported, {} do not apply, {} known gaps, {} not proven, {} failed",
            self.outcomes.len(),
            count(|outcome| matches!(outcome, Outcome::Proven)),
            count(|outcome| matches!(outcome, Outcome::Refused(_))),
            count(|outcome| matches!(outcome, Outcome::Moot(_))),
            count(|outcome| matches!(outcome, Outcome::KnownGap(_))),
            count(|outcome| matches!(outcome, Outcome::NotProven(_))),
            count(|outcome| matches!(outcome, Outcome::Failed(_))),
        )
    }
}
