//! Every step of a flow with everything that can go wrong there, one pair after the other. A dry run
//! counts the steps: turns of tasks, calls of the store, requests to the provider.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fmt, iter, thread};

use counterfoil::simulator::Fault;

use super::audit::{Findings, Tally};
use super::crowd::Deed;
use super::job::Job;
use super::plan::{Hold, Plan};
use super::psps::{new_paypal, new_stripe};
use super::run_and_count;
use super::script::{End, Script, Steps, Trouble};
use super::store::Broken;
use super::wire::Fate;
use super::world::{DAY, HOUR, MINUTE, OpenPsp, SECOND, Shop};

const TOTAL: i64 = 9000;
/// What a provider's bad ten minutes can look like.
const OUTAGES: [Fate; 6] = [
    Fate::Unreachable,
    Fate::RequestLost,
    Fate::AnswerLost,
    Fate::At(Fault::ErrorBefore),
    Fate::At(Fault::ErrorStored),
    Fate::At(Fault::ErrorAfter),
];

/// What happens to one order.
#[derive(Debug, Clone)]
pub struct Flow {
    pub name: &'static str,
    psps: &'static [OpenPsp],
    script: Script,
    /// What somebody else does at some moment.
    meanwhile: Vec<Deed>,
}

/// Which of all pairs are run: each one whose number, counted over the flow, is a multiple. Take a
/// number that shares no factor with how many troubles there are at a step, so that all are met.
#[derive(Debug, Clone, Copy)]
pub struct Share {
    pub every: usize,
}

/// Runs flows with each trouble at each step, with webhooks and without, with people who ask again
/// and who do not, and fails if any books are wrong. Gives how many pairs were run.
pub fn prove(flows: &[Flow], share: Share) -> usize {
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    let next = AtomicUsize::new(0);
    let proofs = thread::scope(|scope| {
        let work = || {
            let next_flow = || flows.get(next.fetch_add(1, Ordering::Relaxed));
            let mine = iter::from_fn(next_flow).map(|flow| Proof::of(flow, share));
            mine.collect::<Vec<_>>()
        };
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let done = workers.into_iter().map(|worker| worker.join().unwrap());
        done.flatten().collect::<Vec<_>>()
    });
    let (mut findings, mut pairs) = (Findings::default(), 0);
    for proof in proofs {
        println!("{proof}");
        pairs += proof.pairs;
        findings.add(proof.findings);
    }
    println!(
        "{pairs} pairs of a step and a trouble in {} flows",
        flows.len()
    );
    let cases = findings.cases.join("\n");
    assert_eq!(findings.count(), 0, "{findings}\n{cases}");
    pairs
}

/// What came of one flow.
struct Proof {
    name: &'static str,
    /// How many pairs were run, of how many.
    pairs: usize,
    all: usize,
    findings: Findings,
}

impl Proof {
    fn of(flow: &Flow, share: Share) -> Self {
        let mut proof = Self {
            name: flow.name,
            pairs: 0,
            all: 0,
            findings: Findings::default(),
        };
        for has_webhooks in [true, false] {
            for is_stubborn in [true, false] {
                let script = Script {
                    has_webhooks,
                    is_stubborn,
                    ..flow.script.clone()
                };
                let steps = proof.run(flow, &script, Trouble::None);
                for trouble in flow.troubles(steps) {
                    if proof.all.is_multiple_of(share.every) {
                        proof.run(flow, &script, trouble);
                        proof.pairs += 1;
                    }
                    proof.all += 1;
                }
            }
        }
        proof
    }

    fn run(&mut self, flow: &Flow, script: &Script, trouble: Trouble) -> Steps {
        let script = Script {
            trouble,
            ..script.clone()
        };
        let shop = Shop {
            psps: flow.psps,
            script: Some(script),
            ..Shop::new(1, 1, 1)
        };
        run_and_count(&shop, &mut self.findings, &mut Tally::default())
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name, pairs, all, ..
        } = self;
        write!(f, "{name}: {pairs} of {all} pairs; {}", self.findings)
    }
}

impl Flow {
    /// Everything that can go wrong at any of these steps.
    fn troubles(&self, steps: Steps) -> impl Iterator<Item = Trouble> {
        let deaths = (0..steps.turns).map(|turn| Trouble::Death { turn });
        let calls = (0..steps.calls).flat_map(|call| {
            let ways = [Broken::Before, Broken::After];
            ways.map(|how| Trouble::Store { call, how })
        });
        let requests = (0..steps.requests).flat_map(|number| {
            let fates = Fate::FAULTS.into_iter().map(|(fate, _)| fate);
            let once = fates.map(move |fate| Trouble::Request { number, fate });
            let from = number;
            let long = OUTAGES.into_iter();
            once.chain(long.map(move |fate| Trouble::Outage { from, fate }))
        });
        let meanwhile = self.meanwhile.iter().flat_map(move |deed| {
            let deed = deed.clone();
            (0..steps.lively_turns).map(move |turn| Trouble::Meanwhile {
                turn,
                deed: deed.clone(),
            })
        });
        deaths.chain(calls).chain(requests).chain(meanwhile)
    }

    /// A shopper who orders and pays on the provider's page a minute later.
    fn new(name: &'static str) -> Self {
        let script = Script {
            plan: Plan::plain(TOTAL),
            deeds: Vec::new(),
            pays_after: Some(MINUTE),
            wins_disputes: false,
            end: End {
                taken: TOTAL,
                refunded: 0,
                is_paid: true,
            },
            trouble: Trouble::None,
            has_webhooks: true,
            is_stubborn: true,
        };
        let flow = Self {
            name,
            psps: &[new_stripe],
            script,
            meanwhile: Vec::new(),
        };
        flow.at(0, Job::Place(0))
            .at(10 * SECOND, Job::CheckOut(0, 0))
            // What is not paid by then is given up.
            .at(4 * DAY, Job::Close(0))
            .at(5 * DAY, Job::Close(0))
    }

    /// Somebody asks for this at this time.
    fn at(self, at: u64, job: Job) -> Self {
        self.when(at, Deed::Run(job, 0))
    }

    /// This happens at this time.
    fn when(mut self, at: u64, deed: Deed) -> Self {
        self.script.deeds.push((at, deed));
        self
    }

    fn at_paypal(mut self) -> Self {
        self.psps = &[new_paypal];
        self
    }

    fn at_stripe_or_paypal(mut self) -> Self {
        self.psps = &[new_stripe, new_paypal];
        self
    }

    fn directly_with(mut self, card: &'static str) -> Self {
        self.script.plan.is_direct = true;
        self.script.plan.cards = vec![card];
        self
    }

    fn held(mut self, hold: Hold) -> Self {
        self.script.plan.is_manual = true;
        self.script.plan.hold = hold;
        self
    }

    /// Asks for these refunds, the first after three hours and each next one `apart` later.
    fn refunded(mut self, amounts: &[i64], apart: u64) -> Self {
        for number in 0..amounts.len() {
            let at = 3 * HOUR + apart * number as u64;
            self = self.at(at, Job::Refund(0, number));
        }
        self.script.plan.refunds = amounts.to_vec();
        self
    }

    fn unpaid(mut self) -> Self {
        self.script.pays_after = None;
        self
    }

    fn winning_disputes(mut self) -> Self {
        self.script.wins_disputes = true;
        self
    }

    fn ends(mut self, taken: i64, refunded: i64, is_paid: bool) -> Self {
        self.script.end = End {
            taken,
            refunded,
            is_paid,
        };
        self
    }

    /// Somebody does this at each moment in turn.
    fn meanwhile(mut self, deed: Deed) -> Self {
        self.meanwhile.push(deed);
        self
    }
}

/// The flows whose every step is tried.
pub fn flows() -> Vec<Flow> {
    vec![
        Flow::new("paid on the provider's page"),
        Flow::new("paid by token").directly_with("visa"),
        Flow::new("paid by token after a challenge").directly_with("threeDSecure2Required"),
        Flow::new("a double click")
            .directly_with("visa")
            .at(10 * SECOND, Job::CheckOut(0, 0)),
        Flow::new("held and captured whole")
            .held(Hold::Captured)
            .at(HOUR, Job::Capture(0, 0)),
        Flow::new("held and captured in part")
            .held(Hold::HalfCaptured)
            .at(HOUR, Job::Capture(0, 0))
            .ends(TOTAL / 2, 0, false),
        Flow::new("held and captured in parts")
            .held(Hold::CapturedInParts)
            .at(HOUR, Job::Capture(0, 0))
            .at(2 * HOUR, Job::Capture(0, 1)),
        Flow::new("held and voided")
            .held(Hold::Voided)
            .at(HOUR, Job::Void(0))
            .ends(0, 0, false),
        Flow::new("refunded in parts")
            .refunded(&[TOTAL / 3, TOTAL / 3], HOUR)
            .ends(TOTAL, TOTAL / 3 * 2, true),
        Flow::new("refunded twice at once, one too many")
            .refunded(&[TOTAL / 3 * 2, TOTAL / 3 * 2], 0)
            .ends(TOTAL, TOTAL / 3 * 2, true)
            .meanwhile(Deed::DashboardRefund(0)),
        Flow::new("a dispute that is lost").when(5 * HOUR, Deed::Dispute(0)),
        Flow::new("a dispute that is won")
            .when(5 * HOUR, Deed::Dispute(0))
            .winning_disputes(),
        Flow::new("closed while the shopper pays")
            .unpaid()
            .at(HOUR, Job::Close(0))
            .ends(0, 0, false)
            .meanwhile(Deed::PayFirst(0)),
        Flow::new("amended while the shopper pays")
            .unpaid()
            .at(HOUR, Job::Amend(0))
            .ends(0, 0, false)
            .meanwhile(Deed::PayFirst(0)),
        Flow::new("paid at Stripe, or at PayPal if Stripe began nothing").at_stripe_or_paypal(),
        Flow::new("approved at PayPal and taken").at_paypal(),
        Flow::new("held at PayPal and captured in parts")
            .at_paypal()
            .held(Hold::CapturedInParts)
            .at(HOUR, Job::Capture(0, 0))
            .at(2 * HOUR, Job::Capture(0, 1)),
        Flow::new("held at PayPal and voided")
            .at_paypal()
            .held(Hold::Voided)
            .at(HOUR, Job::Void(0))
            .ends(0, 0, false),
        Flow::new("refunded at PayPal in parts")
            .at_paypal()
            .refunded(&[TOTAL / 3, TOTAL / 3], HOUR)
            .ends(TOTAL, TOTAL / 3 * 2, true),
        Flow::new("refunded at PayPal twice at once, one too many")
            .at_paypal()
            .refunded(&[TOTAL / 3 * 2, TOTAL / 3 * 2], 0)
            .ends(TOTAL, TOTAL / 3 * 2, true)
            .meanwhile(Deed::DashboardRefund(0)),
        Flow::new("a dispute at PayPal that is lost")
            .at_paypal()
            .when(5 * HOUR, Deed::Dispute(0)),
        Flow::new("closed while the shopper approves at PayPal")
            .at_paypal()
            .unpaid()
            .at(HOUR, Job::Close(0))
            .ends(0, 0, false)
            .meanwhile(Deed::PayFirst(0)),
        Flow::new("amended while the shopper approves at PayPal")
            .at_paypal()
            .unpaid()
            .at(HOUR, Job::Amend(0))
            .ends(0, 0, false)
            .meanwhile(Deed::PayFirst(0)),
    ]
}
