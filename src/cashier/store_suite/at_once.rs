//! What must hold when several ask at once, and when one is dropped in the middle.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use futures_util::future::join_all;

use super::super::store::{Batch, Commit, NoteRow, OrderRow, Store};
use super::{added, at, confirmation_of, event, id, order};
use crate::error::ErrorKind;
use crate::mode::ModeKind;

/// How many ask at once.
const WRITERS: u64 = 8;
/// More steps than a commit takes.
const MOST_STEPS: usize = 500;

pub(super) async fn lets_one_of_many_insert(store: &impl Store) {
    store.open(ModeKind::Test).await.unwrap();
    let insert = |_| async {
        let batch = Batch {
            order: Some(order("A", 1)),
            ..Batch::new(ModeKind::Test)
        };
        store.commit(batch).await.unwrap() != Commit::Stale
    };
    let applied = join_all((0..WRITERS).map(insert)).await;
    let winners = applied.iter().filter(|applied| **applied).count();
    assert_eq!(winners, 1, "one insert of several must be applied");
}

pub(super) async fn loses_no_change_of_many(store: &impl Store) {
    store.open(ModeKind::Test).await.unwrap();
    // Each adds one to the order and to a note, and adds an event and a confirmation of its own.
    let write = |writer: u64| async move {
        loop {
            let stored = store.order(&id("A")).await.unwrap();
            let version = stored.map_or(0, |row| row.version) + 1;
            let event = event(&format!("e{writer}"), Some("A"));
            let cue = confirmation_of("A", &format!("c{writer}"), &format!("k{writer}"));
            let note = NoteRow {
                name: "n".into(),
                version,
                body: "{}".into(),
            };
            let batch = Batch {
                order: Some(order("A", version)),
                new_events: vec![event],
                confirmations: vec![cue],
                note: Some(note),
                ..Batch::new(ModeKind::Test)
            };
            match store.commit(batch).await.unwrap() {
                Commit::Applied { added_events } => return added_events.len(),
                Commit::Stale => {}
            }
        }
    };
    let added = join_all((0..WRITERS).map(write)).await;
    assert_eq!(added, vec![1; 8], "each must add its own event");
    let stored = store.order(&id("A")).await.unwrap().unwrap();
    assert_eq!(stored.version, WRITERS, "a change was lost");
    let note = store.note("n").await.unwrap().unwrap();
    assert_eq!(note.version, WRITERS, "a change of the note was lost");
    let waiting = store.events_waiting_for(&id("A")).await.unwrap();
    assert_eq!(waiting.len(), 8);
    let leased = store.lease_confirmations(at(1), at(2), 99).await.unwrap();
    assert_eq!(leased.len(), 8);
}

pub(super) async fn adds_one_event_of_many(store: &impl Store) {
    store.open(ModeKind::Test).await.unwrap();
    let add = |writer: u64| async move {
        let mut events = vec![event("e1", None), event("e2", None)];
        if writer % 2 == 1 {
            events.reverse();
        }
        let batch = Batch {
            new_events: events,
            ..Batch::new(ModeKind::Test)
        };
        added(store.commit(batch).await)
    };
    let mut all = join_all((0..WRITERS).map(add)).await.concat();
    all.sort();
    assert_eq!(all, ["e1", "e2"], "an event is new to one writer only");
}

/// As where one node stores a notice by itself while another takes it into its order.
pub(super) async fn applies_what_follows_from_an_event_only_with_it(store: &impl Store) {
    store.open(ModeKind::Test).await.unwrap();
    for round in 0..WRITERS {
        let name = format!("A{round}");
        let event = event(&format!("e{round}"), None);
        let add = |writer: u64| {
            let order = (writer % 2 == 1).then(|| order(&name, 1));
            let batch = Batch {
                follows_from_events: order.is_some(),
                order,
                new_events: vec![event.clone()],
                ..Batch::new(ModeKind::Test)
            };
            let has_order = batch.order.is_some();
            async move { (has_order, store.commit(batch).await.unwrap()) }
        };
        let all = join_all((0..WRITERS).map(add)).await;
        let is_new = Commit::Applied {
            added_events: vec![event.id.clone()],
        };
        let winners: Vec<_> = all.iter().filter(|(_, commit)| *commit == is_new).collect();
        assert_eq!(winners.len(), 1, "an event is new to one writer only");
        let is_there = store.order(&id(&name)).await.unwrap().is_some();
        assert_eq!(
            is_there, winners[0].0,
            "what follows must come with its event"
        );
    }
}

pub(super) async fn links_a_payment_to_one_of_many(store: &impl Store) {
    store.open(ModeKind::Test).await.unwrap();
    let link = |writer: u64| async move {
        let batch = Batch {
            order: Some(order(&format!("A{writer}"), 1)),
            links: vec!["p:test:2".into(), "p:test:1".into()],
            ..Batch::new(ModeKind::Test)
        };
        match store.commit(batch).await {
            Ok(commit) => assert_ne!(commit, Commit::Stale),
            Err(error) => assert_eq!(error.kind(), &ErrorKind::Conflict),
        }
    };
    join_all((0..WRITERS).map(link)).await;
    let owner = store.order_of_payment("p:test:1").await.unwrap().unwrap();
    for writer in 0..WRITERS {
        let loser = id(&format!("A{writer}"));
        let is_there = store.order(&loser).await.unwrap().is_some();
        assert_eq!(
            is_there,
            loser == owner,
            "a refused batch must leave nothing"
        );
    }
}

pub(super) async fn gives_each_due_thing_to_one_of_many(store: &impl Store) {
    store.open(ModeKind::Test).await.unwrap();
    const THINGS: usize = 40;
    for thing in 0..THINGS {
        let row = OrderRow {
            due_at: Some(at(1)),
            ..order(&format!("A{thing}"), 1)
        };
        let cue = confirmation_of(row.id.as_str(), &format!("c{thing}"), "paid");
        let batch = Batch {
            order: Some(row),
            new_events: vec![event(&format!("e{thing}"), None)],
            confirmations: vec![cue],
            ..Batch::new(ModeKind::Test)
        };
        store.commit(batch).await.unwrap();
    }
    let claim = |_| async {
        let (mut orders, mut events, mut cues) = (Vec::new(), Vec::new(), Vec::new());
        // One that finds nothing may have been passed over what another holds: it asks again.
        for _ in 0..THINGS {
            let rows = store.claim_orders(at(1), at(9), 3).await.unwrap();
            orders.extend(rows);
            let rows = store.claim_events(at(1), at(9), 3).await.unwrap();
            events.extend(rows.into_iter().map(|row| row.id));
            let rows = store.lease_confirmations(at(1), at(9), 3).await.unwrap();
            cues.extend(rows);
        }
        (orders, events, cues)
    };
    let claimed = join_all((0..WRITERS).map(claim)).await;
    let orders: Vec<_> = claimed.iter().flat_map(|(orders, ..)| orders).collect();
    let events: Vec<_> = claimed.iter().flat_map(|(_, events, _)| events).collect();
    let cues: Vec<_> = claimed.iter().flat_map(|(.., cues)| cues).collect();
    let counts = (orders.len(), events.len(), cues.len());
    assert_eq!(counts, (THINGS, THINGS, THINGS), "each must be given once");
    let orders: BTreeSet<_> = orders.into_iter().collect();
    let events: BTreeSet<_> = events.into_iter().collect();
    assert_eq!((orders.len(), events.len()), (THINGS, THINGS));

    let leased = cues[0];
    let acknowledge = |_| store.acknowledge(&leased.row.id, leased.lease);
    let acknowledged = join_all((0..WRITERS).map(acknowledge)).await;
    let successes = acknowledged.iter().filter(|done| done.is_ok()).count();
    assert_eq!(successes, 1, "a confirmation is acknowledged once");
}

/// As when the process dies at that point, but that the database may finish what it was sent.
pub(super) async fn is_whole_after_a_commit_that_was_dropped(store: &impl Store) {
    store.open(ModeKind::Test).await.unwrap();
    for steps in 1..MOST_STEPS {
        let name = format!("A{steps}");
        let batch = Batch {
            order: Some(order(&name, 1)),
            links: vec![format!("p:test:{steps}")],
            new_events: vec![event(&format!("e{steps}"), Some(&name))],
            confirmations: vec![confirmation_of(&name, &format!("c{steps}"), "paid")],
            ..Batch::new(ModeKind::Test)
        };
        let is_done = dropped_after(steps, store.commit(batch.clone())).await;
        // A second try waits for what is left of the first, and says what has become of it.
        match store.commit(batch).await.unwrap() {
            Commit::Applied { added_events } => {
                assert!(!is_done, "a commit that was answered was forgotten");
                assert_eq!(added_events, [format!("e{steps}")], "step {steps}: torn");
            }
            Commit::Stale => {}
        }
        assert!(store.order(&id(&name)).await.unwrap().is_some());
        let owner = store.order_of_payment(&format!("p:test:{steps}")).await;
        assert_eq!(owner.unwrap(), Some(id(&name)), "step {steps}: torn");
        let waiting = store.events_waiting_for(&id(&name)).await.unwrap();
        assert_eq!(waiting.len(), 1, "step {steps}: torn");
        let leased = store.lease_confirmations(at(1), at(99), 9).await.unwrap();
        assert_eq!(leased.len(), 1, "step {steps}: torn");
        if is_done {
            return;
        }
    }
    panic!("a commit took more than {MOST_STEPS} steps");
}

/// Polls `work` that often and drops it; gives whether it was done by then.
async fn dropped_after<T>(steps: usize, work: impl Future<Output = T>) -> bool {
    let mut work = pin!(work);
    let mut taken = 0;
    poll_fn(|context| {
        taken += 1;
        match work.as_mut().poll(context) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending if taken == steps => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
