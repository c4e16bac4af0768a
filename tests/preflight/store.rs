//! A store with one thing wrong with it.

use std::time::Duration;

use counterfoil::cashier::{Backlog, Batch, Commit, MemoryStore, Store};
use counterfoil::{ModeKind, Result};

use super::layer::{Layer, Layered};
use super::shop::NOW;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    OtherMode,
    WritesParts,
    ForgetsVersions,
    MixesModes,
    OldEvent,
}

/// A store with one thing wrong with it.
#[derive(Debug)]
pub(crate) struct Faulty {
    inner: MemoryStore,
    defect: Defect,
}

impl Faulty {
    pub(crate) fn store(defect: Defect) -> impl Store {
        Layered(Self {
            inner: MemoryStore::new(),
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
            Defect::OtherMode | Defect::OldEvent => {}
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
