//! The store of the shop, and stores with one thing wrong with them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use counterfoil::cashier::{Backlog, Batch, Commit, MemoryStore, NoteRow, OrderRow, Store};
use counterfoil::id::OrderId;
use counterfoil::{Error, ErrorKind, ModeKind, Result};

use super::layer::{Layer, Layered};
use super::shop::{FIRST, NOW};

/// The store of a shop whose first payment was heard of. As a database does, it answers nothing
/// before it is opened.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    inner: MemoryStore,
    is_open: AtomicBool,
}

impl Kept {
    pub(crate) fn store() -> Layered<Self> {
        Layered(Self::default())
    }
}

impl Layer for Kept {
    fn inner(&self) -> &dyn Store {
        &self.inner
    }

    async fn open(&self, mode: ModeKind) -> Result<()> {
        self.inner.open(mode).await?;
        self.is_open.store(true, Ordering::SeqCst);
        let order = OrderRow {
            id: OrderId::new("A-1")?,
            version: 1,
            due_at: None,
            attention_since: None,
            open_since: None,
            changed_at: NOW,
            body: "{}".to_owned(),
        };
        let note = NoteRow {
            name: "webhooks:acme".to_owned(),
            version: 1,
            body: format!(r#"{{"last_of_money_at": {}}}"#, serde_json::json!(NOW)),
        };
        let first = Batch {
            order: Some(order),
            links: vec![FIRST.to_owned()],
            note: Some(note),
            ..Batch::new(mode)
        };
        self.inner.commit(first).await.map(drop)
    }

    async fn is_durable(&self) -> Result<Option<bool>> {
        Ok(Some(true))
    }

    async fn order(&self, id: &OrderId) -> Result<Option<OrderRow>> {
        if !self.is_open.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Settings, "it was not opened yet"));
        }
        self.inner.order(id).await
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    OtherMode,
    Forgets,
    SaysNotWhetherItForgets,
    WritesParts,
    ForgetsVersions,
    MixesModes,
    OldEvent,
}

/// A store with one thing wrong with it.
#[derive(Debug)]
pub(crate) struct Faulty {
    inner: Layered<Kept>,
    defect: Defect,
}

impl Faulty {
    pub(crate) fn store(defect: Defect) -> impl Store {
        Layered(Self {
            inner: Kept::store(),
            defect,
        })
    }
}

impl Layer for Faulty {
    fn inner(&self) -> &dyn Store {
        &self.inner
    }

    async fn open(&self, mode: ModeKind) -> Result<()> {
        if self.defect == Defect::OtherMode {
            self.inner.open(ModeKind::Test).await?;
        }
        self.inner.open(mode).await
    }

    async fn is_durable(&self) -> Result<Option<bool>> {
        match self.defect {
            Defect::Forgets => MemoryStore::new().is_durable().await,
            Defect::SaysNotWhetherItForgets => Ok(None),
            _ => self.inner.is_durable().await,
        }
    }

    async fn commit(&self, mut batch: Batch) -> Result<Commit> {
        match self.defect {
            Defect::WritesParts => {
                let events = Batch {
                    new_events: batch.new_events.clone(),
                    ..Batch::new(batch.mode)
                };
                self.inner.commit(events).await?;
            }
            Defect::ForgetsVersions => {
                if let Some(order) = &mut batch.order {
                    order.version = 1;
                }
            }
            Defect::MixesModes => batch.mode = ModeKind::Live,
            _ => {}
        }
        self.inner.commit(batch).await
    }

    async fn backlog(&self) -> Result<Backlog> {
        let mut backlog = self.inner.backlog().await?;
        if self.defect == Defect::OldEvent {
            backlog.event_since = Some(NOW.saturating_sub(Duration::from_secs(2 * 60 * 60)));
        }
        Ok(backlog)
    }
}
