//! What every store must hold to, as a suite that a third party runs on its own.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A suite fails by panicking.
mod at_once;
mod forgetting;

use super::store::{Backlog, Batch, Commit, ConfirmationRow, EventRow, NoteRow, OrderRow, Store};
use crate::clock::Timestamp;
use crate::error::ErrorKind;
use crate::id::OrderId;
use crate::mode::ModeKind;

/// Checks that a [`Store`] keeps its promises. `make` gives a new, empty store each time.
///
/// ```
/// # async fn run() {
/// use counterfoil::cashier::{MemoryStore, check_store};
///
/// check_store(async || MemoryStore::new()).await;
/// # }
/// ```
///
/// # Panics
/// If the store breaks a promise; the message names it.
pub async fn check_store<S: Store>(make: impl AsyncFn() -> S) {
    keeps_one_mode(&make().await).await;
    writes_an_order_once_per_version(&make().await).await;
    applies_a_batch_whole_or_not_at_all(&make().await).await;
    adds_an_event_once(&make().await).await;
    finishes_an_event_that_it_adds(&make().await).await;
    applies_what_follows_from_an_event_once(&make().await).await;
    finds_events_that_wait_for_an_order(&make().await).await;
    gives_a_due_order_to_one_claimant(&make().await).await;
    gives_a_due_event_to_one_claimant(&make().await).await;
    links_a_payment_to_one_order(&make().await).await;
    confirms_once_per_order_and_kind(&make().await).await;
    refuses_a_confirmation_with_the_id_of_another(&make().await).await;
    redelivers_until_the_lease_holder_acknowledges(&make().await).await;
    leases_what_has_been_free_longest_first(&make().await).await;
    lists_what_needs_a_person_oldest_first(&make().await).await;
    writes_a_note_once_per_version(&make().await).await;
    lists_notes_by_the_bytes_of_their_names(&make().await).await;
    keeps_confirmations_that_are_about_no_order(&make().await).await;
    says_since_when_the_oldest_things_wait(&make().await).await;
    forgetting::erases_an_order_whole(&make().await).await;
    forgetting::purges_only_what_is_old_and_quiet(&make().await).await;
    at_once::lets_one_of_many_insert(&make().await).await;
    at_once::loses_no_change_of_many(&make().await).await;
    at_once::adds_one_event_of_many(&make().await).await;
    at_once::applies_what_follows_from_an_event_only_with_it(&make().await).await;
    at_once::links_a_payment_to_one_of_many(&make().await).await;
    at_once::gives_each_due_thing_to_one_of_many(&make().await).await;
    at_once::is_whole_after_a_commit_that_was_dropped(&make().await).await;
}

async fn keeps_one_mode(store: &impl Store) {
    store.open(ModeKind::Test).await.unwrap();
    store.open(ModeKind::Test).await.unwrap();
    let opened = store.open(ModeKind::Live).await.unwrap_err();
    assert_eq!(opened.kind(), &ErrorKind::WrongMode);
    let batch = Batch {
        order: Some(order("A", 1)),
        ..Batch::new(ModeKind::Live)
    };
    let written = store.commit(batch).await.unwrap_err();
    assert_eq!(written.kind(), &ErrorKind::WrongMode);
    assert_eq!(store.order(&id("A")).await.unwrap(), None);
}

async fn writes_an_order_once_per_version(store: &impl Store) {
    store.open(ModeKind::Test).await.unwrap();
    for (version, applied) in [(2, false), (1, true), (1, false), (2, true), (4, false)] {
        let commit = store.commit(with_order(version)).await.unwrap();
        assert_eq!(commit != Commit::Stale, applied, "version {version}");
    }
    let stored = store.order(&id("A")).await.unwrap().unwrap();
    assert_eq!(stored, order("A", 2));
}

async fn applies_a_batch_whole_or_not_at_all(store: &impl Store) {
    store.open(ModeKind::Test).await.unwrap();
    let everything = || Batch {
        links: vec!["p:test:1".into()],
        new_events: vec![event("e1", None)],
        confirmations: vec![confirmation("c1", "paid")],
        ..with_order(2)
    };
    assert_eq!(store.commit(everything()).await.unwrap(), Commit::Stale);
    assert_eq!(store.order_of_payment("p:test:1").await.unwrap(), None);
    assert!(claim_events(store, 9).await.is_empty());
    assert!(lease(store, 9, 10).await.is_empty());

    let first = Batch {
        order: Some(order("A", 1)),
        ..everything()
    };
    assert_ne!(store.commit(first).await.unwrap(), Commit::Stale);
    let owner = store.order_of_payment("p:test:1").await.unwrap();
    assert_eq!(owner, Some(id("A")));
    assert_eq!(claim_events(store, 9).await, ["e1"]);
    assert_eq!(lease(store, 9, 10).await.len(), 1);

    let foreign = Batch {
        order: Some(order("B", 1)),
        new_events: vec![event("e2", None)],
        confirmations: vec![],
        ..everything()
    };
    let refused = store.commit(foreign).await.unwrap_err();
    assert_eq!(refused.kind(), &ErrorKind::Conflict);
    assert_eq!(store.order(&id("B")).await.unwrap(), None);
    let waiting = store.claim_events(at(50), at(60), 9).await.unwrap();
    assert!(waiting.iter().all(|event| event.id != "e2"));
}

async fn adds_an_event_once(store: &impl Store) {
    store.open(ModeKind::Test).await.unwrap();
    let adding = |ids: &[&str]| Batch {
        new_events: ids.iter().map(|id| event(id, None)).collect(),
        ..Batch::new(ModeKind::Test)
    };
    assert_eq!(added(store.commit(adding(&["e1"])).await), ["e1"]);
    assert_eq!(added(store.commit(adding(&["e1", "e2"])).await), ["e2"]);
    let finishing = Batch {
        finished_events: vec![("e1".into(), "applied".into())],
        ..Batch::new(ModeKind::Test)
    };
    assert!(added(store.commit(finishing).await).is_empty());
    assert!(added(store.commit(adding(&["e1"])).await).is_empty());
    assert_eq!(claim_events(store, 9).await, ["e2"]);
}

async fn finishes_an_event_that_it_adds(store: &impl Store) {
    store.open(ModeKind::Test).await.unwrap();
    let batch = Batch {
        new_events: vec![event("e1", None), event("e1", None), event("e2", None)],
        finished_events: vec![("e1".into(), "applied".into())],
        ..Batch::new(ModeKind::Test)
    };
    assert_eq!(added(store.commit(batch).await), ["e1", "e2"]);
    assert_eq!(claim_events(store, 9).await, ["e2"]);
}

async fn applies_what_follows_from_an_event_once(store: &impl Store) {
    store.open(ModeKind::Test).await.unwrap();
    let follows = |version: u64, events: &[&str]| Batch {
        new_events: events.iter().map(|id| event(id, Some("A"))).collect(),
        follows_from_events: true,
        confirmations: vec![confirmation(&format!("c{version}"), &version.to_string())],
        ..with_order(version)
    };
    assert_eq!(added(store.commit(follows(1, &["e1"])).await), ["e1"]);
    for known in [&["e1"][..], &["e2", "e1"]] {
        let again = store.commit(follows(2, known)).await.unwrap();
        assert_eq!(
            again,
            Commit::Stale,
            "an event that is known must change nothing"
        );
    }
    let stored = store.order(&id("A")).await.unwrap().unwrap();
    assert_eq!(stored, order("A", 1));
    assert_eq!(claim_events(store, 9).await, ["e1"]);
    assert_eq!(lease(store, 9, 10).await.len(), 1);
    assert_eq!(added(store.commit(follows(2, &["e2"])).await), ["e2"]);
}

async fn finds_events_that_wait_for_an_order(store: &impl Store) {
    store.open(ModeKind::Test).await.unwrap();
    let batch = Batch {
        new_events: vec![
            event("e1", Some("A")),
            event("e2", Some("B")),
            event("e3", Some("A")),
        ],
        ..Batch::new(ModeKind::Test)
    };
    store.commit(batch).await.unwrap();
    let finishing = Batch {
        finished_events: vec![("e1".into(), "applied".into())],
        ..Batch::new(ModeKind::Test)
    };
    store.commit(finishing).await.unwrap();
    // A claim is no reason to overlook it: the order has come only now.
    assert_eq!(claim_events(store, 9).await, ["e2", "e3"]);
    let waiting = store.events_waiting_for(&id("A")).await.unwrap();
    let ids: Vec<_> = waiting.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(ids, ["e3"]);
}

async fn gives_a_due_order_to_one_claimant(store: &impl Store) {
    store.open(ModeKind::Test).await.unwrap();
    for (name, due) in [("A", Some(5)), ("B", Some(3)), ("C", None), ("D", Some(9))] {
        let row = OrderRow {
            due_at: due.map(at),
            ..order(name, 1)
        };
        let batch = Batch {
            order: Some(row),
            ..Batch::new(ModeKind::Test)
        };
        store.commit(batch).await.unwrap();
    }
    let claim = async |now: i64, until: i64, most: usize| {
        store.claim_orders(at(now), at(until), most).await.unwrap()
    };
    assert_eq!(claim(2, 20, 9).await, []);
    assert_eq!(claim(5, 20, 1).await, [id("B")]);
    assert_eq!(claim(5, 20, 9).await, [id("A")]);
    assert_eq!(claim(5, 20, 9).await, []);
    // A claimant that died loses its claim; one that is done has written when it is due next.
    assert_eq!(claim(20, 30, 9).await.len(), 3);
    let done = Batch {
        order: Some(OrderRow {
            due_at: None,
            ..order("A", 2)
        }),
        ..Batch::new(ModeKind::Test)
    };
    assert_ne!(store.commit(done).await.unwrap(), Commit::Stale);
    assert_eq!(claim(30, 40, 9).await.len(), 2);
}

async fn gives_a_due_event_to_one_claimant(store: &impl Store) {
    store.open(ModeKind::Test).await.unwrap();
    let batch = Batch {
        new_events: vec![event("e1", None), event("e2", None)],
        ..Batch::new(ModeKind::Test)
    };
    store.commit(batch).await.unwrap();
    assert!(claim_events(store, 0).await.is_empty());
    assert_eq!(claim_events(store, 1).await, ["e1", "e2"]);
    assert!(claim_events(store, 1).await.is_empty());
    assert_eq!(claim_events(store, 11).await, ["e1", "e2"]);
}

async fn links_a_payment_to_one_order(store: &impl Store) {
    store.open(ModeKind::Test).await.unwrap();
    let linking = |name: &str, version| Batch {
        order: Some(order(name, version)),
        links: vec!["p:test:1".into()],
        ..Batch::new(ModeKind::Test)
    };
    store.commit(linking("A", 1)).await.unwrap();
    assert_ne!(store.commit(linking("A", 2)).await.unwrap(), Commit::Stale);
    let other = store.commit(linking("B", 1)).await.unwrap_err();
    assert_eq!(other.kind(), &ErrorKind::Conflict);
    let owner = store.order_of_payment("p:test:1").await.unwrap();
    assert_eq!(owner, Some(id("A")));
}

async fn confirms_once_per_order_and_kind(store: &impl Store) {
    store.open(ModeKind::Test).await.unwrap();
    for version in 1..=3 {
        let batch = Batch {
            confirmations: vec![confirmation("c1", "paid"), confirmation("c2", "refunded")],
            ..with_order(version)
        };
        store.commit(batch).await.unwrap();
    }
    assert_eq!(lease(store, 1, 10).await.len(), 2);
    assert!(lease(store, 1, 10).await.is_empty());
}

async fn refuses_a_confirmation_with_the_id_of_another(store: &impl Store) {
    store.open(ModeKind::Test).await.unwrap();
    let batch = |name: &str, kind: &str| Batch {
        order: Some(order(name, 1)),
        confirmations: vec![confirmation_of(name, "c1", kind)],
        ..Batch::new(ModeKind::Test)
    };
    store.commit(batch("A", "paid")).await.unwrap();
    let refused = store.commit(batch("B", "paid")).await.unwrap_err();
    assert_eq!(refused.kind(), &ErrorKind::Conflict);
    assert_eq!(store.order(&id("B")).await.unwrap(), None);
    assert_eq!(lease(store, 1, 10).await.len(), 1);
}

async fn redelivers_until_the_lease_holder_acknowledges(store: &impl Store) {
    store.open(ModeKind::Test).await.unwrap();
    let batch = Batch {
        confirmations: vec![confirmation("c1", "paid")],
        ..with_order(1)
    };
    store.commit(batch).await.unwrap();
    let first = lease(store, 1, 10).await;
    assert!(lease(store, 9, 20).await.is_empty());
    let second = lease(store, 10, 20).await;
    assert_eq!(first.len() + second.len(), 2);

    let kind_of = |error: crate::Error| error.kind().clone();
    let stranger = store.acknowledge("c9", 1).await.map_err(kind_of);
    assert_eq!(stranger, Err(ErrorKind::NotFound));
    let late = store.acknowledge("c1", first[0]).await.map_err(kind_of);
    assert_eq!(late, Err(ErrorKind::Conflict));
    store.acknowledge("c1", second[0]).await.unwrap();
    let twice = store.acknowledge("c1", second[0]).await.map_err(kind_of);
    assert_eq!(twice, Err(ErrorKind::Conflict));
    assert!(lease(store, 99, 100).await.is_empty());
}

async fn leases_what_has_been_free_longest_first(store: &impl Store) {
    store.open(ModeKind::Test).await.unwrap();
    let created = [("late", 4), ("first", 2), ("second", 3)];
    let confirmations = created.map(|(id, created_at)| ConfirmationRow {
        created_at: at(created_at),
        ..confirmation(id, id)
    });
    let batch = Batch {
        confirmations: confirmations.into(),
        ..with_order(1)
    };
    store.commit(batch).await.unwrap();
    let lease = async |now: i64, until: i64, most: usize| {
        let leased = store.lease_confirmations(at(now), at(until), most).await;
        let ids = leased.unwrap().into_iter().map(|one| one.row.id);
        ids.collect::<Vec<_>>()
    };
    assert!(lease(1, 9, 9).await.is_empty());
    assert_eq!(lease(4, 5, 2).await, ["first", "second"]);
    // Those two came free again after the third one.
    assert_eq!(lease(5, 9, 9).await, ["late", "first", "second"]);
}

async fn lists_what_needs_a_person_oldest_first(store: &impl Store) {
    store.open(ModeKind::Test).await.unwrap();
    for (name, since) in [("A", Some(7)), ("B", None), ("C", Some(2)), ("D", Some(9))] {
        let row = OrderRow {
            attention_since: since.map(at),
            ..order(name, 1)
        };
        let batch = Batch {
            order: Some(row),
            ..Batch::new(ModeKind::Test)
        };
        store.commit(batch).await.unwrap();
    }
    let settled = Batch {
        order: Some(order("D", 2)),
        ..Batch::new(ModeKind::Test)
    };
    store.commit(settled).await.unwrap();
    let rows = store.orders_needing_attention(9).await.unwrap();
    let names: Vec<_> = rows.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(names, ["C", "A"]);
    assert_eq!(store.orders_needing_attention(1).await.unwrap().len(), 1);
}

async fn lists_notes_by_the_bytes_of_their_names(store: &impl Store) {
    store.open(ModeKind::Test).await.unwrap();
    // Another order than a language's: capitals and punctuation count as bytes.
    for name in ["p:b", "p:", "p:B-1", "p:a", "p;", "p:a:1", "o:a", "p:B_1"] {
        let note = NoteRow {
            name: name.into(),
            version: 1,
            body: "{}".into(),
        };
        let batch = Batch {
            note: Some(note),
            ..Batch::new(ModeKind::Test)
        };
        store.commit(batch).await.unwrap();
    }
    let names = async |after: &str, most: usize| {
        let found = store.notes_between(after, "p;", most).await.unwrap();
        found.into_iter().map(|row| row.name).collect::<Vec<_>>()
    };
    assert_eq!(
        names("p:", 9).await,
        ["p:B-1", "p:B_1", "p:a", "p:a:1", "p:b"]
    );
    assert_eq!(names("p:", 2).await, ["p:B-1", "p:B_1"]);
    assert_eq!(names("p:a", 9).await, ["p:a:1", "p:b"]);
    assert!(names("p:b", 9).await.is_empty());
}

async fn keeps_confirmations_that_are_about_no_order(store: &impl Store) {
    store.open(ModeKind::Test).await.unwrap();
    let of_none = |name: &str, kind: &str| ConfirmationRow {
        order: None,
        ..confirmation(name, kind)
    };
    let batch = |rows: Vec<ConfirmationRow>| Batch {
        confirmations: rows,
        ..Batch::new(ModeKind::Test)
    };
    let rows = vec![of_none("n1", "paid:1"), of_none("n2", "paid:2")];
    store.commit(batch(rows)).await.unwrap();
    // Each kind once.
    let again = batch(vec![of_none("n1", "paid:1")]);
    store.commit(again).await.unwrap();
    // An order that is erased takes none of them along.
    store.commit(with_order(1)).await.unwrap();
    assert!(store.erase_order(&id("A"), 1).await.unwrap());
    let leased = store.lease_confirmations(at(9), at(10), 9).await.unwrap();
    let leased: Vec<_> = leased
        .into_iter()
        .map(|one| (one.row.id, one.row.order))
        .collect();
    assert_eq!(leased, [("n1".to_owned(), None), ("n2".to_owned(), None)]);
    store.acknowledge("n1", 1).await.unwrap();
    store
        .commit(batch(vec![of_none("n1", "paid:1")]))
        .await
        .unwrap();
    let left = store.lease_confirmations(at(99), at(100), 9).await.unwrap();
    assert_eq!(left.len(), 1);
}

async fn writes_a_note_once_per_version(store: &impl Store) {
    store.open(ModeKind::Test).await.unwrap();
    assert_eq!(store.note("n").await.unwrap(), None);
    let note = |version| NoteRow {
        name: "n".into(),
        version,
        body: format!(r#"{{"version":{version}}}"#),
    };
    for (version, applied) in [(2, false), (1, true), (1, false), (2, true), (4, false)] {
        let batch = Batch {
            note: Some(note(version)),
            new_events: vec![event(&format!("e{version}"), None)],
            ..Batch::new(ModeKind::Test)
        };
        let commit = store.commit(batch).await.unwrap();
        assert_eq!(commit != Commit::Stale, applied, "version {version}");
    }
    assert_eq!(store.note("n").await.unwrap(), Some(note(2)));
    assert_eq!(store.note("m").await.unwrap(), None);
    assert_eq!(claim_events(store, 9).await, ["e1", "e2"]);
    // Neither is written if one of the two is stale.
    let apart = Batch {
        order: Some(order("A", 1)),
        note: Some(note(2)),
        ..Batch::new(ModeKind::Test)
    };
    assert_eq!(store.commit(apart).await.unwrap(), Commit::Stale);
    assert_eq!(store.order(&id("A")).await.unwrap(), None);
}

async fn says_since_when_the_oldest_things_wait(store: &impl Store) {
    store.open(ModeKind::Test).await.unwrap();
    assert_eq!(store.backlog().await.unwrap(), Backlog::default());
    for (name, version, open, attention) in [
        ("A", 1, Some(7), Some(8)),
        ("B", 1, Some(3), None),
        ("C", 1, Some(5), Some(6)),
        ("B", 2, None, Some(9)),
    ] {
        let row = OrderRow {
            open_since: open.map(at),
            attention_since: attention.map(at),
            ..order(name, version)
        };
        let batch = Batch {
            order: Some(row),
            ..Batch::new(ModeKind::Test)
        };
        assert_ne!(store.commit(batch).await.unwrap(), Commit::Stale);
    }
    let batch = Batch {
        new_events: vec![event("e1", None)],
        confirmations: vec![confirmation("c1", "paid")],
        ..Batch::new(ModeKind::Test)
    };
    store.commit(batch).await.unwrap();
    // A claim or a lease finishes nothing.
    assert_eq!(claim_events(store, 9).await, ["e1"]);
    let leases = lease(store, 9, 20).await;
    let waiting = Backlog {
        open_since: Some(at(5)),
        attention_since: Some(at(6)),
        event_since: Some(at(1)),
        confirmation_since: Some(at(1)),
    };
    assert_eq!(store.backlog().await.unwrap(), waiting);
    let finishing = Batch {
        finished_events: vec![("e1".into(), "applied".into())],
        ..Batch::new(ModeKind::Test)
    };
    store.commit(finishing).await.unwrap();
    store.acknowledge("c1", leases[0]).await.unwrap();
    let backlog = store.backlog().await.unwrap();
    assert_eq!(
        (backlog.event_since, backlog.confirmation_since),
        (None, None)
    );
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(seconds)
}

fn id(name: &str) -> OrderId {
    OrderId::new(name).unwrap()
}

fn order(name: &str, version: u64) -> OrderRow {
    OrderRow {
        id: id(name),
        version,
        due_at: None,
        attention_since: None,
        open_since: None,
        changed_at: at(1),
        body: format!(r#"{{"version":{version},"text":"Ünïcode ' \" \\"}}"#),
    }
}

fn with_order(version: u64) -> Batch {
    Batch {
        order: Some(order("A", version)),
        ..Batch::new(ModeKind::Test)
    }
}

fn event(event_id: &str, order: Option<&str>) -> EventRow {
    EventRow {
        id: event_id.into(),
        order: order.map(id),
        received_at: at(1),
        due_at: at(1),
        outcome: None,
        body: "{}".into(),
    }
}

fn confirmation(confirmation_id: &str, kind: &str) -> ConfirmationRow {
    confirmation_of("A", confirmation_id, kind)
}

fn confirmation_of(order: &str, confirmation_id: &str, kind: &str) -> ConfirmationRow {
    ConfirmationRow {
        id: confirmation_id.into(),
        order: Some(id(order)),
        kind: kind.into(),
        created_at: at(1),
    }
}

fn added(commit: crate::Result<Commit>) -> Vec<String> {
    match commit.unwrap() {
        Commit::Applied { added_events } => added_events,
        Commit::Stale => panic!("a batch was stale that follows from nothing else"),
    }
}

/// Claims for ten seconds.
async fn claim_events(store: &impl Store, now: i64) -> Vec<String> {
    let rows = store.claim_events(at(now), at(now + 10), 9).await.unwrap();
    rows.into_iter().map(|row| row.id).collect()
}

async fn lease(store: &impl Store, now: i64, until: i64) -> Vec<u64> {
    let leased = store.lease_confirmations(at(now), at(until), 9).await;
    leased.unwrap().iter().map(|one| one.lease).collect()
}
