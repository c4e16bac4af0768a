//! The scenarios as a list, and playing them.

use std::fmt;

use super::scenarios;
use super::shop::{News, Shop};
use crate::conformance::Outcome;
use crate::conformance::rig::Rig;
use crate::conformance::run::{Story, play};
use crate::conformance::stage::Stop;

/// A story with its exact end.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Scenario {
    /// What happens.
    pub name: &'static str,
    /// How it must end.
    pub expected: &'static str,
    id: &'static str,
    story: for<'s> fn(&'s Shop<'s>) -> Story<'s>,
}

macro_rules! list_scenarios {
    (() $($file:ident { $($id:ident $name:literal $expected:literal)* })*) => {
        &[$($(Scenario {
            id: stringify!($id),
            name: $name,
            expected: $expected,
            story: |shop| Box::pin(scenarios::$file::$id(shop)),
        },)*)*]
    };
}

/// Every scenario, in the order of its number.
pub const SCENARIOS: &[Scenario] = crate::rehearsal_scenarios!([list_scenarios]());

impl Scenario {
    /// The scenario of this number, such as `S14`.
    #[must_use]
    pub fn with_id(id: &str) -> Option<Self> {
        let is_it = |scenario: &&Self| scenario.id.eq_ignore_ascii_case(id);
        SCENARIOS.iter().find(is_it).copied()
    }

    /// Its number, such as `S14`. It never changes.
    #[must_use]
    pub fn id(&self) -> String {
        self.id.to_uppercase()
    }

    /// Plays it twice, each time on a rig that `make` makes anew: once with webhooks, once by
    /// asking. Gives the worse outcome of both; where webhooks do not arrive, that by asking. Call
    /// it outside of async code.
    #[must_use]
    pub fn play<R: Rig>(&self, make: impl Fn() -> R) -> Outcome {
        let by_webhooks = self.play_hearing(News::Webhooks, &make);
        if !by_webhooks.is_good() || matches!(by_webhooks, Outcome::KnownGap(_)) {
            return by_webhooks;
        }
        match self.play_hearing(News::Asking, &make) {
            Outcome::Proven if matches!(by_webhooks, Outcome::OutOfReach(_)) => Outcome::Proven,
            Outcome::Proven
            | Outcome::Refused(_)
            | Outcome::Moot(_)
            | Outcome::OutOfReach(_)
            | Outcome::KnownGap(_) => by_webhooks,
            Outcome::NotProven(why) => Outcome::NotProven(format!("by asking: {why}")),
            Outcome::Failed(why) => Outcome::Failed(format!("by asking: {why}")),
        }
    }

    /// Plays it on the rig that `make` makes, in a shop that hears in one way.
    #[must_use]
    pub fn play_hearing<R: Rig>(&self, news: News, make: impl FnOnce() -> R) -> Outcome {
        play(&self.id(), make, |rig| {
            let story = self.story;
            let id = self.id();
            Box::pin(async move {
                if let Some(why) = rig.out_of_reach(&id) {
                    return Err(Stop::OutOfReach(why.into()));
                }
                let shop = Shop::open(rig, news).await?;
                story(&shop).await?;
                shop.close_the_day().await
            })
        })
    }
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.id(), self.name)
    }
}
