//! One webhook that comes again and again, on many threads and after a restart: it counts once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use counterfoil::ModeKind;
use counterfoil::cashier::{MemoryStore, Store};

use super::job::id;
use super::news::Teller;
use super::psps::new_stripe;
use super::world::wait_for;

const THREADS: usize = 8;
/// How often it comes to each of two processes.
const TIMES: u32 = 500;

/// Delivers one webhook a thousand times on eight threads, the second half after a restart, and
/// fails unless it has counted once.
pub fn replay(open: &dyn Fn() -> Arc<dyn Store>) {
    let mut teller = Teller::new(new_stripe);
    let start = teller.begin();
    teller.pays("visa");
    let news = teller.news(&["payment_intent.succeeded"]);
    let [webhook] = news.as_slice() else {
        panic!("one webhook, and not {news:?}");
    };
    let store = open();
    start.copy_to(&*store);
    let version = || {
        let store = open();
        wait_for(store.open(ModeKind::Test)).unwrap();
        wait_for(store.order(&id(0))).unwrap().unwrap().version
    };
    let before = version();
    drop(store);
    for _ in 0..2 {
        let cashier = teller.open_on(open());
        let times = AtomicU32::new(0);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    while times.fetch_add(1, Ordering::Relaxed) < TIMES {
                        let received = wait_for(cashier.receive_from("stripe", webhook));
                        assert_eq!(received.answer, 200, "{received:?}");
                        assert!(received.error.is_none(), "{received:?}");
                    }
                });
            }
        });
    }
    assert_eq!(
        version(),
        before + 1,
        "the order was written more than once"
    );
    let cashier = teller.open_on(open());
    let record = wait_for(cashier.order(&id(0))).unwrap();
    let history = || record.history.iter();
    let is_news = |evidence: &str| evidence.contains(":evt_");
    let news = history().filter(|entry| entry.evidence.as_deref().is_some_and(is_news));
    let paid = history().filter(|entry| entry.what.starts_with("paid: "));
    assert_eq!((news.count(), paid.count()), (1, 1));
    let lease = Duration::from_secs(60);
    let cues = wait_for(cashier.confirmations(lease, 10)).unwrap();
    let kinds: Vec<_> = cues.iter().map(|cue| cue.kind.to_string()).collect();
    assert_eq!(kinds, ["paid"]);
    wait_for(cashier.acknowledge(&cues[0])).unwrap();
    teller.wait_for_days(1);
    let again = wait_for(cashier.confirmations(lease, 10)).unwrap();
    assert!(again.is_empty(), "{again:?}");
}

/// As [`replay`], on a memory store.
pub fn replay_in_memory() {
    let store = Arc::new(MemoryStore::new());
    replay(&|| Arc::clone(&store) as Arc<dyn Store>);
}
