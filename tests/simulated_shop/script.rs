//! One order whose fate is written down, with one trouble at one step, instead of what chance brings.

use super::crowd::Deed;
use super::job::{Job, Page};
use super::plan::Plan;
use super::store::Broken;
use super::wire::Fate;
use super::world::{DAY, HOUR, MINUTE, SECOND, World};

/// What happens to the only order, and what goes wrong.
#[derive(Debug, Clone)]
pub struct Script {
    pub plan: Plan,
    /// What people do, and when.
    pub deeds: Vec<(u64, Deed)>,
    /// How long after the page is shown the shopper pays; `None` for never.
    pub pays_after: Option<u64>,
    pub wins_disputes: bool,
    /// How it must end if nobody gives up.
    pub end: End,
    pub trouble: Trouble,
    /// Whether webhooks come; all are lost otherwise.
    pub has_webhooks: bool,
    /// Whether who got no answer asks again.
    pub is_stubborn: bool,
}

impl Script {
    /// Whether who asked for this leaves it at that. Without an order there is nothing to tell.
    pub fn gives_up(&self, job: &Job) -> bool {
        !self.is_stubborn && !matches!(job, Job::Place(_))
    }
}

/// Where the money is in the end, in cents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    pub taken: i64,
    pub refunded: i64,
    pub is_paid: bool,
}

/// The one thing that goes wrong, at one step. Steps are counted from 0 over a whole run.
#[derive(Debug, Clone)]
pub enum Trouble {
    None,
    /// The process dies after this turn of its tasks and starts again on the same store.
    Death {
        turn: u64,
    },
    /// This call of the store breaks.
    Store {
        call: u64,
        how: Broken,
    },
    /// This request to the provider meets this fate.
    Request {
        number: u64,
        fate: Fate,
    },
    /// This request and all others of the next ten minutes meet this fate.
    Outage {
        from: u64,
        fate: Fate,
    },
    /// Somebody does this after this turn.
    Meanwhile {
        turn: u64,
        deed: Deed,
    },
}

/// How many steps a run had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    pub turns: u64,
    /// The turns while people do things.
    pub lively_turns: u64,
    pub calls: u64,
    pub requests: u64,
}

/// How long an outage lasts: longer than a request is tried again.
pub const OUTAGE: u64 = 10 * MINUTE;

/// When the only node sweeps in a script: often at first, then ever more seldom, as an order is due.
pub const SWEEPS: [u64; 12] = [
    2 * MINUTE,
    15 * MINUTE,
    65 * MINUTE,
    200 * MINUTE,
    7 * HOUR,
    25 * HOUR,
    2 * DAY,
    123 * HOUR,
    9 * DAY,
    13 * DAY,
    20 * DAY,
    40 * DAY,
];

/// Until then people do things to an order: later ones would need later sweeps.
const LAST_DEED: u64 = 6 * DAY;

impl World<'_> {
    /// The shopper of a script pays after a while, whatever page it is.
    pub(super) fn scripted_shopper_sees(&mut self, order: usize, page: &Page, script: &Script) {
        self.first_page
            .entry(order)
            .or_insert_with(|| page.payment.clone());
        let Some(wait) = script.pays_after else {
            return;
        };
        let at = self.time.millis() + wait;
        let (is_challenge, is_open) = (page.is_challenge, page.is_open);
        let page = page.payment.clone();
        if is_challenge {
            let passes = true;
            self.schedule(
                at,
                Deed::Confirm {
                    order,
                    page,
                    passes,
                },
            );
        } else if is_open {
            let card = script.plan.card(0);
            self.schedule(at, Deed::Pay { order, page, card });
        }
    }

    /// What goes wrong after this turn.
    pub(super) fn trouble_after_turn(&mut self) {
        let Some(script) = &self.shop.script else {
            return;
        };
        let last = self.turns - 1;
        if self.time.millis() < LAST_DEED {
            self.lively_turns = self.turns;
        }
        match script.trouble.clone() {
            Trouble::Death { turn } if turn == last => self.crash(0),
            Trouble::Meanwhile { turn, deed } if turn == last => self.act(deed),
            _ => {}
        }
    }

    pub fn steps(&self) -> Steps {
        Steps {
            turns: self.turns,
            lively_turns: self.lively_turns,
            calls: self.calls.made(),
            requests: self.wire.sent(),
        }
    }
}
