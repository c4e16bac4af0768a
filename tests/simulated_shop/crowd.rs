//! What happens outside the shop's processes: shoppers, staff at the provider's dashboard, banks.

use std::sync::MutexGuard;

use counterfoil::Test;
use counterfoil::id::PaymentId;

use super::job::{Job, Page, id};
use super::plan::{Hold, Plan};
use super::psps::{Entry, Psp, Seen};
use super::world::{DAY, HOUR, MINUTE, SECOND, World};

/// Something that happens at its time.
#[derive(Debug, Clone)]
pub enum Deed {
    /// A job, tried so many times before.
    Run(Job, u32),
    /// The shopper pays on a page, or on the bank's.
    Pay {
        order: usize,
        page: PaymentId<Test>,
        card: &'static str,
    },
    Confirm {
        order: usize,
        page: PaymentId<Test>,
        passes: bool,
    },
    /// The shopper pays on the first page that was shown.
    PayFirst(usize),
    /// Staff refund a quarter in the provider's dashboard.
    DashboardRefund(usize),
    Dispute(usize),
    /// A provider, one of its disputes, and whether the shop wins.
    DecideDispute(String, String, bool),
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
            match plan.hold {
                Hold::Voided => self.schedule_job(later, Job::Void(order)),
                Hold::Forgotten => {}
                _ => self.schedule_job(later, Job::Capture(order, 0)),
            }
            if plan.hold == Hold::CapturedInParts {
                let last = self.later(later, 6 * HOUR);
                self.schedule_job(last, Job::Capture(order, 1));
            }
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
        if let Some(script) = self.shop.script.clone() {
            self.scripted_shopper_sees(order, &page, &script);
            return;
        }
        let pay = |page: &PaymentId<Test>, card| Deed::Pay {
            order,
            page: page.clone(),
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

    fn bank_asks(&mut self, order: usize, page: PaymentId<Test>) {
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
                let seen = self.psp_of(&page).pay(page.raw(), card);
                self.shopper_learns(order, &page, seen);
            }
            Deed::PayFirst(order) => {
                if let Some(page) = self.first_page.get(&order).cloned() {
                    let card = "visa";
                    self.act(Deed::Pay { order, page, card });
                }
            }
            Deed::Confirm {
                order,
                page,
                passes,
            } => {
                let seen = self.psp_of(&page).confirm(page.raw(), passes);
                self.shopper_learns(order, &page, seen);
            }
            Deed::DashboardRefund(order) => {
                if let Some((psp, taken)) = self.taken(order) {
                    let quarter = (taken.captured / 4).max(1);
                    let mut psp = self.wire.psp(&psp);
                    psp.refund_by_hand(&taken.payment, quarter);
                }
            }
            Deed::Dispute(order) => {
                if let Some((psp, taken)) = self.taken(order) {
                    let opened = self.wire.psp(&psp).open_dispute(&taken.payment);
                    if let Some(dispute) = opened {
                        let end = self.later(self.time.millis() + HOUR, 3 * DAY);
                        let scripted = self.shop.script.as_ref().map(|s| s.wins_disputes);
                        let won = scripted.unwrap_or_else(|| self.dice.chance(500));
                        self.schedule(end, Deed::DecideDispute(psp, dispute, won));
                    }
                }
            }
            Deed::DecideDispute(psp, dispute, won) => {
                self.wire.psp(&psp).decide_dispute(&dispute, won);
            }
        }
    }

    fn shopper_learns(&mut self, order: usize, page: &PaymentId<Test>, seen: Option<Seen>) {
        let now = self.time.millis();
        let page = page.clone();
        if self.shop.script.is_some() {
            if seen == Some(Seen::Challenge) {
                let passes = true;
                self.schedule(
                    now + MINUTE,
                    Deed::Confirm {
                        order,
                        page,
                        passes,
                    },
                );
            } else {
                self.schedule_job(now + 2 * SECOND, Job::Resume(order));
            }
            return;
        }
        match seen {
            // The page is closed.
            None => {}
            Some(Seen::Challenge) => self.bank_asks(order, page),
            Some(Seen::Declined) => match self.dice.below(3) {
                0 => {}
                1 => self.schedule_job(now + MINUTE, Job::CheckOut(order, 1)),
                _ => {
                    let card = "visa";
                    self.schedule(now + MINUTE, Deed::Pay { order, page, card });
                }
            },
            Some(Seen::Done) if self.dice.chance(600) => {
                self.schedule_job(now + 2 * SECOND, Job::Resume(order));
            }
            Some(Seen::Done) => {}
        }
    }

    fn psp_of(&self, payment: &PaymentId<Test>) -> MutexGuard<'_, Box<dyn Psp>> {
        self.wire.psp(payment.provider().as_str())
    }

    /// A payment of the order that was taken, and who took it.
    fn taken(&self, order: usize) -> Option<(String, Entry)> {
        let is_taken = |entry: &Entry| order_of(entry) == Some(order) && entry.captured > 0;
        self.wire.psps().find_map(|psp| {
            let taken = psp.books().into_iter().find(is_taken)?;
            Some((psp.name().to_owned(), taken))
        })
    }

    /// Some time up to `within` milliseconds after `at`.
    pub(super) fn later(&self, at: u64, within: u64) -> u64 {
        let most = u32::try_from(within).unwrap();
        at + u64::from(self.dice.below(most))
    }
}

/// The order that a payment names.
pub fn order_of(entry: &Entry) -> Option<usize> {
    let order = &entry.reference.as_ref()?.order;
    let number = order.as_str().strip_prefix("order-")?;
    let number = number.parse().ok()?;
    (id(number) == *order).then_some(number)
}
