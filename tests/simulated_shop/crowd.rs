//! What happens outside the shop's processes: shoppers, staff at the provider's dashboard, banks.

use counterfoil::id::Reference;
use counterfoil::simulator::stripe::{LedgerEntry, ShopperOutcome};

use super::job::{Job, Page, id};
use super::plan::Plan;
use super::world::{DAY, HOUR, MINUTE, SECOND, World};

/// Something that happens at its time.
#[derive(Debug, Clone)]
pub enum Deed {
    /// A job, tried so many times before.
    Run(Job, u32),
    /// The shopper pays on a page, or on the bank's.
    Pay {
        order: usize,
        page: String,
        card: &'static str,
    },
    Confirm {
        order: usize,
        page: String,
        passes: bool,
    },
    /// Staff refund a quarter in the provider's dashboard.
    DashboardRefund(usize),
    Dispute(usize),
    DecideDispute(String, bool),
}

impl World<'_> {
    /// Draws what will happen to an order, and puts it on the agenda.
    pub(super) fn plan(&mut self, order: usize) {
        let plan = Plan::draw(&self.dice);
        let at = u64::from(self.dice.below(2 * 24 * 3600)) * SECOND;
        let click = at + (5 + u64::from(self.dice.below(60))) * SECOND;
        self.schedule_job(at, Job::Place(order));
        self.schedule_job(click, Job::CheckOut(order, 0));
        if self.dice.chance(250) {
            let again = u64::from(self.dice.below(3000));
            self.schedule_job(click + again, Job::CheckOut(order, 0));
        }
        if self.dice.chance(80) {
            let later = self.later(at, HOUR);
            self.schedule_job(later, Job::Amend(order));
        }
        if self.dice.chance(100) {
            let later = self.later(at, 3 * HOUR);
            self.schedule_job(later, Job::Close(order));
        }
        // What is not paid by then is given up.
        let given_up = self.later(at + 4 * DAY, DAY);
        if self.has_sweep() {
            self.schedule_job(given_up, Job::Close(order));
        }
        if self.dice.chance(150) {
            let next_day = self.later(at + 20 * HOUR, 20 * HOUR);
            self.schedule_job(next_day, Job::CheckOut(order, 0));
        }
        if plan.is_manual {
            let later = self.later(at, 6 * HOUR);
            self.schedule_job(later, Job::LookAfterHold(order));
        }
        let asked = self.later(at, 24 * HOUR);
        for refund in 0..plan.refunds.len() {
            self.schedule_job(asked, Job::Refund(order, refund));
        }
        if self.dice.chance(40) {
            let later = self.later(at, 30 * HOUR);
            self.schedule(later, Deed::DashboardRefund(order));
        }
        if self.dice.chance(20) {
            let later = self.later(at, 40 * HOUR);
            self.schedule(later, Deed::Dispute(order));
        }
        self.plans.push(plan);
    }

    /// A shopper sees a page, and pays, waits, clicks about or leaves.
    pub(super) fn shopper_sees(&mut self, order: usize, card: usize, page: Page) {
        let now = self.time.millis();
        if !self.shown.insert(page.payment.clone()) {
            return;
        }
        let pay = |page: &str, card| Deed::Pay {
            order,
            page: page.to_owned(),
            card,
        };
        if page.is_challenge {
            self.bank_asks(order, page.payment);
            return;
        }
        if !page.is_open {
            return;
        }
        let at = now + (10 + u64::from(self.dice.below(1200))) * SECOND;
        let card = self.plans[order].card(card);
        match self.dice.below(20) {
            0 | 1 => self.schedule_job(at, Job::CheckOut(order, 1)),
            2 => {}
            3 | 4 => {
                let late = self.later(at, 30 * HOUR);
                self.schedule(late, pay(&page.payment, card));
            }
            _ => self.schedule(at, pay(&page.payment, card)),
        }
        if self.dice.chance(100) {
            self.schedule(at + 2 * SECOND, pay(&page.payment, "visa"));
        }
        let first = self.first_page.entry(order).or_insert(page.payment.clone());
        if *first != page.payment {
            // An old tab is still open.
            let old = pay(&first.clone(), "visa");
            if self.dice.chance(300) {
                self.schedule(at + MINUTE, old);
            }
        }
    }

    /// After a refusal the shopper tries another card, or leaves.
    pub(super) fn shopper_is_refused(&mut self, order: usize, card: usize) {
        let soon = self.later(self.time.millis(), 10 * MINUTE);
        if self.dice.chance(800) {
            self.schedule_job(soon, Job::CheckOut(order, card + 1));
        }
    }

    fn bank_asks(&mut self, order: usize, page: String) {
        let soon = self.later(self.time.millis(), 5 * MINUTE);
        let passes = match self.dice.below(10) {
            0 => return,
            1 | 2 => false,
            _ => true,
        };
        let confirm = Deed::Confirm {
            order,
            page,
            passes,
        };
        self.schedule(soon, confirm);
    }

    pub(super) fn act(&mut self, deed: Deed) {
        match deed {
            Deed::Run(job, tries) => self.start(job, tries),
            Deed::Pay { order, page, card } => {
                let method = format!("pm_card_{card}");
                let outcome = self.wire.simulator().shopper().pay(&page, &method);
                self.shopper_learns(order, &page, outcome.ok());
            }
            Deed::Confirm {
                order,
                page,
                passes,
            } => {
                let outcome = {
                    let mut simulator = self.wire.simulator();
                    match passes {
                        true => simulator.shopper().pass_challenge(&page),
                        false => simulator.shopper().fail_challenge(&page),
                    }
                };
                self.shopper_learns(order, &page, outcome.ok());
            }
            Deed::DashboardRefund(order) => {
                if let Some(taken) = self.taken(order) {
                    let quarter = taken.captured.minor() / 4;
                    let mut simulator = self.wire.simulator();
                    // All of it may have gone back already.
                    let _ = simulator
                        .dashboard()
                        .refund(&taken.payment_intent, Some(quarter.max(1)));
                }
            }
            Deed::Dispute(order) => {
                if let Some(taken) = self.taken(order) {
                    let opened = self
                        .wire
                        .simulator()
                        .dashboard()
                        .open_dispute(&taken.payment_intent);
                    if let Ok(dispute) = opened {
                        let end = self.later(self.time.millis() + HOUR, 3 * DAY);
                        let won = self.dice.chance(500);
                        self.schedule(end, Deed::DecideDispute(dispute, won));
                    }
                }
            }
            Deed::DecideDispute(dispute, won) => {
                let mut simulator = self.wire.simulator();
                let mut dashboard = simulator.dashboard();
                let decided = match won {
                    true => dashboard.win_dispute(&dispute),
                    false => dashboard.lose_dispute(&dispute),
                };
                decided.unwrap();
            }
        }
    }

    fn shopper_learns(&mut self, order: usize, page: &str, outcome: Option<ShopperOutcome>) {
        let now = self.time.millis();
        match outcome {
            // The page is closed.
            None => {}
            Some(ShopperOutcome::Challenged { .. }) => self.bank_asks(order, page.to_owned()),
            Some(ShopperOutcome::Declined { .. }) => match self.dice.below(3) {
                0 => {}
                1 => self.schedule_job(now + MINUTE, Job::CheckOut(order, 1)),
                _ => {
                    let page = page.to_owned();
                    let card = "visa";
                    self.schedule(now + MINUTE, Deed::Pay { order, page, card });
                }
            },
            Some(_) if self.dice.chance(600) => {
                self.schedule_job(now + 2 * SECOND, Job::Resume(order));
            }
            Some(_) => {}
        }
    }

    /// A payment of the order that was taken.
    fn taken(&self, order: usize) -> Option<LedgerEntry> {
        let ledger = self.wire.simulator().ledger();
        let mut entries = ledger.into_iter();
        entries.find(|entry| order_of(entry) == Some(order) && entry.captured.is_positive())
    }

    /// Some time up to `within` milliseconds after `at`.
    pub(super) fn later(&self, at: u64, within: u64) -> u64 {
        let most = u32::try_from(within).unwrap();
        at + u64::from(self.dice.below(most))
    }
}

/// The order that a payment names.
pub fn order_of(entry: &LedgerEntry) -> Option<usize> {
    let reference: Reference = entry.metadata.get("counterfoil_reference")?.parse().ok()?;
    let number = reference.order.as_str().strip_prefix("order-")?;
    let number = number.parse().ok()?;
    (id(number) == reference.order).then_some(number)
}
