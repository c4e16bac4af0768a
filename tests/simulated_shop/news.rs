//! The webhooks of a story in every order, with every choice of those that come twice: whatever the
//! order, the shop must know the same in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use counterfoil::cashier::{Batch, Cashier, Commit, MemoryStore, OrderRecord, OrderRow, Store};
use counterfoil::clock::{Clock, Timestamp};
use counterfoil::http::{Delivered, ManualTimer, Transport, TransportError};
use counterfoil::id::{Namespace, PaymentId};
use counterfoil::request::{Checkout, CreateRequest};
use counterfoil::simulator::Answer;
use counterfoil::webhook::WebhookRequest;
use counterfoil::{ModeKind, PaymentProvider, Provider, Test};
use http::{Request, Response};
use serde_json::json;

use super::job::{eur, id};
use super::mutant::Mutant;
use super::psps::{Connection, Psp, new_adyen, new_paypal, new_stripe};
use super::time::START;
use super::world::{OpenPsp, wait_for};

const TOTAL: i64 = 9000;
/// What may differ with the order in which news comes, and with when the provider was asked.
const MAY_DIFFER: [&str; 4] = ["history", "asked_at", "confirmed", "attention_since"];
/// Cues of what was true only for a while: who hears of the end first never sees it.
const PASSING: [&str; 5] = [
    "attempt_declined",
    "payment_failed",
    "authorized",
    "partly_paid",
    "needs_a_person",
];

/// What happened to the payment of one order, and the kinds of its webhooks that are delivered.
pub struct Story {
    pub name: &'static str,
    psp: OpenPsp,
    kinds: &'static [&'static str],
    happens: fn(&Teller),
}

/// The stories whose webhooks are delivered in every order.
pub fn stories() -> Vec<Story> {
    vec![
        Story {
            name: "declined, paid, and refunded twice at Stripe",
            psp: new_stripe,
            kinds: &[
                "payment_intent.",
                "checkout.session.completed",
                "refund.created",
            ],
            happens: |teller| {
                teller.pays("chargeDeclined");
                teller.pays("visa");
                teller.is_refunded(TOTAL / 3);
                teller.is_refunded(TOTAL / 3);
            },
        },
        Story {
            name: "paid, and a refund that fails at Stripe",
            psp: new_stripe,
            kinds: &[
                "payment_intent.",
                "checkout.session.completed",
                "refund.",
                "charge.refund.updated",
            ],
            happens: |teller| {
                teller.pays("refundFail");
                teller.is_refunded(TOTAL / 3);
                teller.wait_for_days(2);
            },
        },
        Story {
            name: "disputed and lost at Stripe",
            psp: new_stripe,
            kinds: &[
                "payment_intent.",
                "checkout.session.completed",
                "charge.dispute.",
            ],
            happens: |teller| {
                teller.pays("visa");
                teller.is_disputed(false);
            },
        },
        Story {
            name: "approved, taken, and refunded twice at PayPal",
            psp: new_paypal,
            kinds: &["CHECKOUT.ORDER.", "PAYMENT.CAPTURE."],
            happens: |teller| {
                teller.pays("visa");
                teller.is_refunded(TOTAL / 3);
                teller.is_refunded(TOTAL / 3);
            },
        },
        Story {
            name: "refunded, disputed and won at PayPal",
            psp: new_paypal,
            kinds: &["CHECKOUT.ORDER.", "PAYMENT.CAPTURE.", "CUSTOMER.DISPUTE."],
            happens: |teller| {
                teller.pays("visa");
                teller.is_refunded(TOTAL / 3);
                teller.is_disputed(true);
            },
        },
        Story {
            name: "declined, paid, refunded and disputed at Adyen, which cannot be asked",
            psp: new_adyen,
            kinds: &[""],
            happens: |teller| {
                teller.pays("chargeDeclined");
                teller.pays("visa");
                teller.is_refunded(TOTAL / 3);
                teller.is_disputed(false);
            },
        },
    ]
}

/// Delivers the webhooks of a story in each order with each choice of repetitions, by turns while
/// the provider can be asked and while it cannot, and fails if any two ends differ. Of all these
/// only each `every`th is run. Gives how many were.
pub fn converge(story: &Story, every: usize) -> usize {
    let mut teller = Teller::new(story.psp);
    let start = teller.begin();
    (story.happens)(&teller);
    let news = teller.news(story.kinds);
    let count = news.len();
    assert!((5..=6).contains(&count), "{}: {count} webhooks", story.name);
    let (mut end, mut number, mut runs) = (None, 0, 0_usize);
    for order in permutations(count) {
        for twice in 0..1_usize << count {
            number += 1;
            if number % every != 1 % every {
                continue;
            }
            let again = order.iter().filter(|&&at| twice & (1 << at) != 0);
            let told: Vec<_> = order.iter().chain(again).map(|&at| &news[at]).collect();
            // By turns that no repetition keeps step with.
            let is_up = runs.count_ones() % 2 == 0;
            let heard = teller.listener(&start).hear(&told, is_up);
            let first = end.get_or_insert_with(|| heard.clone());
            let case = format!("{}: {order:?}, twice {twice:b}, up {is_up}", story.name);
            assert_eq!(heard, *first, "{case}");
            runs += 1;
        }
    }
    println!(
        "{}: {count} webhooks, {runs} ways to hear of them",
        story.name
    );
    runs
}

/// The order at the beginning of a story, as it is stored.
pub struct Start {
    row: OrderRow,
    links: Vec<String>,
}

impl Start {
    pub(super) fn copy_to(&self, store: &dyn Store) {
        let batch = Batch {
            order: Some(self.row.clone()),
            links: self.links.clone(),
            ..Batch::new(ModeKind::Test)
        };
        wait_for(store.open(ModeKind::Test)).unwrap();
        let copied = wait_for(store.commit(batch)).unwrap();
        assert!(matches!(copied, Commit::Applied { .. }));
    }
}

/// Plays a story at a provider while all webhooks are kept back.
pub struct Teller {
    name: &'static str,
    line: Arc<Direct>,
    provider: Arc<dyn PaymentProvider<Mode = Test>>,
    /// The shop that begins the payment, and that completes it where it must.
    store: Arc<MemoryStore>,
    cashier: Cashier<Test>,
    page: Option<PaymentId<Test>>,
}

impl Teller {
    pub(super) fn new(open: OpenPsp) -> Self {
        let mut psp = open(1, START);
        psp.post_webhooks();
        let name = psp.name();
        let line = Arc::new(Direct {
            psp: Mutex::new(psp),
            is_up: AtomicBool::new(true),
        });
        let connection = Connection {
            transport: Arc::clone(&line) as _,
            timer: Arc::new(ManualTimer::new()),
            clock: Arc::clone(&line) as _,
            seed: 1,
        };
        let provider = line.psp().connect(connection);
        let store = Arc::new(MemoryStore::new());
        let cashier = cashier(&line, &provider, Arc::clone(&store) as _);
        Self {
            name,
            line,
            provider,
            store,
            cashier,
            page: None,
        }
    }

    /// The order is placed and checked out. Gives it as it is stored then.
    pub(super) fn begin(&mut self) -> Start {
        let order = id(0);
        wait_for(self.cashier.place(&order, eur(TOTAL))).unwrap();
        let page = Checkout::hosted("https://shop.example/done", "https://shop.example/cart");
        let request = CreateRequest::new(order.clone(), eur(TOTAL), page);
        let payment = wait_for(self.cashier.check_out(&request)).unwrap();
        let row = wait_for(self.store.order(&order)).unwrap().unwrap();
        let links = payment.ids().map(ToString::to_string).collect();
        self.page = Some(payment.id);
        let row = OrderRow { version: 1, ..row };
        Start { row, links }
    }

    pub(super) fn pays(&self, card: &str) {
        self.line.psp().pay(self.page.as_ref().unwrap().raw(), card);
        self.wait();
        // Completes what was approved. What cannot be asked about moves by itself.
        wait_for(self.cashier.resume(&id(0))).unwrap();
        self.wait();
    }

    fn is_refunded(&self, cents: i64) {
        let payment = self.taken();
        self.line.psp().refund_by_hand(&payment, cents);
        self.wait();
    }

    fn is_disputed(&self, is_won: bool) {
        let payment = self.taken();
        let dispute = self.line.psp().open_dispute(&payment).unwrap();
        self.wait();
        self.line.psp().decide_dispute(&dispute, is_won);
        self.wait();
    }

    fn taken(&self) -> String {
        let books = self.line.psp().books();
        let mut taken = books.into_iter().filter(|entry| entry.captured > 0);
        taken.next().unwrap().payment
    }

    /// News of different moments can be told apart.
    fn wait(&self) {
        self.line.psp().advance(Duration::from_secs(5));
    }

    pub(super) fn wait_for_days(&self, days: u64) {
        self.line.psp().advance(Duration::from_secs(days * 86_400));
    }

    pub(super) fn news(&self, kinds: &[&str]) -> Vec<WebhookRequest> {
        let due = self.line.psp().due_webhooks().into_iter();
        let kept = due.filter(|delivery| kinds.iter().any(|kind| delivery.kind.starts_with(kind)));
        kept.map(|delivery| delivery.request.into()).collect()
    }

    /// Another shop on a copy of the order as it was stored.
    fn listener(&self, start: &Start) -> Listener<'_> {
        let store = Arc::new(MemoryStore::new());
        start.copy_to(&*store);
        Listener {
            teller: self,
            cashier: self.open_on(store),
        }
    }

    /// A process on this store.
    pub(super) fn open_on(&self, store: Arc<dyn Store>) -> Cashier<Test> {
        cashier(&self.line, &self.provider, store)
    }
}

/// What a shop has learned from webhooks in some order.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Heard {
    /// Where the money is.
    money: String,
    /// Everything, once the provider was asked too: it may know more than its webhooks have said,
    /// such as fees, and was asked on the way in some orders and not in others.
    all: String,
    cues: BTreeSet<String>,
}

struct Listener<'t> {
    teller: &'t Teller,
    cashier: Cashier<Test>,
}

impl Listener<'_> {
    /// Takes in webhooks one after the other, and gives what is known and told in the end. What
    /// could not be taken in while the provider was down the sweep takes in.
    fn hear(&self, told: &[&WebhookRequest], is_up: bool) -> Heard {
        let Teller { name, line, .. } = self.teller;
        line.is_up.store(is_up, Ordering::Relaxed);
        for webhook in told {
            let received = wait_for(self.cashier.receive_from(name, webhook));
            assert_eq!(received.answer, 200, "{received:?}");
        }
        line.is_up.store(true, Ordering::Relaxed);
        wait_for(self.cashier.sweep()).unwrap();
        let record = wait_for(self.cashier.order(&id(0))).unwrap();
        let cues = self.cues();
        let asked = wait_for(self.cashier.resume(&id(0))).unwrap();
        Heard {
            money: money(&record),
            all: known(&asked),
            cues,
        }
    }

    /// The cues that stay true, each of which comes once.
    fn cues(&self) -> BTreeSet<String> {
        let lease = Duration::from_secs(60);
        let cues = wait_for(self.cashier.confirmations(lease, 100)).unwrap();
        let mut times: BTreeMap<String, u32> = BTreeMap::new();
        for cue in cues {
            *times.entry(cue.kind.to_string()).or_default() += 1;
        }
        assert!(times.values().all(|times| *times == 1), "{times:?}");
        let is_passing = |kind: &str| {
            // A refund that failed after it had succeeded.
            let undone = kind.strip_prefix("refunded:");
            let undone = undone.map(|refund| format!("refund_failed:{refund}"));
            undone.is_some_and(|undone| times.contains_key(&undone))
                || PASSING.iter().any(|passing| kind.starts_with(passing))
        };
        let lasting = times.keys().filter(|kind| !is_passing(kind));
        lasting.cloned().collect()
    }
}

/// Where the money of an order is, payment by payment.
fn money(record: &OrderRecord<Test>) -> String {
    let payments = record.payments.iter().map(|entry| {
        let payment = entry.ledger.payment().unwrap();
        let refunds: Vec<_> = entry.ledger.refunds().collect();
        let disputes: Vec<_> = entry.ledger.disputes().collect();
        let ledger = json!({
            "status": payment.status, "captured": payment.captured,
            "held": payment.capturable, "net": entry.ledger.net().unwrap(),
            "refundable": entry.ledger.refundable().unwrap(),
            "refunds": refunds, "disputes": disputes,
        });
        ledger.to_string()
    });
    let standing = record.standing();
    format!("{standing:?} {}", payments.collect::<Vec<_>>().join("\n"))
}

/// What is known of an order, but for what may differ.
fn known(record: &OrderRecord<Test>) -> String {
    let mut value = serde_json::to_value(record).unwrap();
    let fields = value.as_object_mut().unwrap();
    fields.retain(|name, _| !MAY_DIFFER.contains(&name.as_str()));
    value.to_string()
}

fn cashier(
    line: &Arc<Direct>,
    provider: &Arc<dyn PaymentProvider<Mode = Test>>,
    store: Arc<dyn Store>,
) -> Cashier<Test> {
    let mutant = Mutant::new(Arc::clone(provider), None, true, Arc::default());
    let provider = Provider::new(mutant, Namespace::new("shop").unwrap());
    let provider = provider.with_clock(Arc::clone(line) as Arc<dyn Clock>);
    let opened = wait_for(Cashier::open(provider, store)).unwrap();
    opened.with_clock(Arc::clone(line) as Arc<dyn Clock>)
}

/// A line to a provider that answers at once, or is down.
#[derive(Debug)]
struct Direct {
    psp: Mutex<Box<dyn Psp>>,
    is_up: AtomicBool,
}

impl Direct {
    fn psp(&self) -> MutexGuard<'_, Box<dyn Psp>> {
        self.psp.lock().unwrap()
    }
}

#[async_trait]
impl Transport for Direct {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        if !self.is_up.load(Ordering::Relaxed) {
            return Err(TransportError {
                delivered: Delivered::No,
                cause: "there is no connection".into(),
            });
        }
        match self.psp().handle(&request) {
            Answer::Response(response) => Ok(response),
            other => panic!("no fault was planned: {other:?}"),
        }
    }
}

impl Clock for Direct {
    fn now(&self) -> Timestamp {
        self.psp().now()
    }
}

/// All orders of so many things.
fn permutations(count: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for _ in 0..count {
        let longer = all.iter().flat_map(|order: &Vec<usize>| {
            let rest = (0..count).filter(|next| !order.contains(next));
            rest.map(|next| [order.as_slice(), &[next]].concat())
        });
        all = longer.collect();
    }
    all
}
