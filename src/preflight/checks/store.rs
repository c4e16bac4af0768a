//! The store, tried with writes that a good one refuses.

use super::{Look, tells};
use crate::cashier::{Batch, Commit, ConfirmationRow, EventRow, OrderRow, Store};
use crate::clock::Timestamp;
use crate::error::{ErrorKind, Result};
use crate::id::OrderId;
use crate::mode::{Mode, ModeKind};
use crate::preflight::report::{Check, CheckKind};

const ORDER: &str = "counterfoil-preflight";
const LINK: &str = "counterfoil:preflight:none";

impl<M: Mode> Look<'_, M> {
    pub(super) async fn store(&self) -> Check {
        let mut check = Check::new(CheckKind::Store);
        let Some(store) = &self.preflight.store else {
            check.unknown(
                "there is no store to try",
                "give the one that the cashier uses",
            );
            return check;
        };
        match store.open(M::KIND).await {
            Ok(()) => check.pass(format!("it holds {} mode", M::KIND)),
            Err(error) if *error.kind() == ErrorKind::WrongMode => {
                check.fail(
                    format!("it holds the other mode than {}", M::KIND),
                    "give each mode a store of its own",
                );
                return check;
            }
            Err(error) => {
                tells(&mut check, "it cannot be opened", &error);
                return check;
            }
        }
        match store.is_durable().await {
            Ok(Some(true)) => check.pass("what it holds stays when the process ends"),
            Ok(Some(false)) if M::KIND == ModeKind::Test => {
                check.pass("what it holds can be lost with the process, for a trial");
            }
            Ok(Some(false)) => check.fail(
                "what it holds can be lost with the process or the machine",
                "use a database that writes to the disk before it answers",
            ),
            Ok(None) => check.unknown(
                "whether what it holds stays when the process ends is not known",
                "look it up, and vouch for it by name",
            ),
            Err(error) => tells(&mut check, "whether what it holds stays", &error),
        }
        if let Err(error) = self.try_store(&mut check, store.as_ref()).await {
            tells(&mut check, "it cannot be tried", &error);
        }
        check
    }

    async fn try_store(&self, check: &mut Check, store: &dyn Store) -> Result<()> {
        let now = self.preflight.clock.now();
        let id = OrderId::new(ORDER)?;
        // Nobody has written version 1, so that version 2 must be refused with all that is with it.
        let committed = store.commit(stale(&id, M::KIND, now)).await;
        match committed {
            Ok(Commit::Stale) => {
                check.pass("a write of a version that it does not have is refused")
            }
            Ok(_) => check.fail(
                "it takes a write of a version that it does not have",
                "two nodes would overwrite each other: use another store",
            ),
            Err(error) => tells(check, "a stale write is not told as stale", &error),
        }
        let left = store.order(&id).await?.is_some()
            || store.order_of_payment(LINK).await?.is_some()
            || !store.events_waiting_for(&id).await?.is_empty();
        if left {
            check.fail(
                "parts of a refused write have stayed",
                format!("use a store that writes all or nothing, and delete {ORDER}"),
            );
        } else {
            check.pass("nothing of a refused write has stayed");
        }
        let other = match M::KIND {
            ModeKind::Test => ModeKind::Live,
            ModeKind::Live => ModeKind::Test,
        };
        match store.commit(stale(&id, other, now)).await {
            Err(error) if *error.kind() == ErrorKind::WrongMode => {
                check.pass(format!("a write of {other} mode is refused"));
            }
            _ => check.fail(
                format!("it takes writes of {other} mode"),
                "use a store that keeps the modes apart",
            ),
        }
        Ok(())
    }
}

/// A write of everything at once, from a version that nobody has written.
fn stale(id: &OrderId, mode: ModeKind, now: Timestamp) -> Batch {
    Batch {
        order: Some(OrderRow {
            id: id.clone(),
            version: 2,
            changed_at: now,
            due_at: None,
            attention_since: None,
            open_since: None,
            body: "{}".to_owned(),
        }),
        links: vec![LINK.to_owned()],
        new_events: vec![EventRow {
            id: "counterfoil:preflight:event".to_owned(),
            order: Some(id.clone()),
            received_at: now,
            due_at: now,
            outcome: None,
            body: "{}".to_owned(),
        }],
        confirmations: vec![ConfirmationRow {
            id: "counterfoil-preflight".to_owned(),
            order: Some(id.clone()),
            kind: "preflight".to_owned(),
            created_at: now,
        }],
        ..Batch::new(mode)
    }
}
