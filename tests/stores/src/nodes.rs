//! Several nodes on one database, behind the face of one store.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use counterfoil::cashier::Store;
use counterfoil::{ModeKind, Result};

use crate::layer::{Layer, Layered};

/// Gives each call to the next of its nodes.
#[derive(Debug)]
pub struct Nodes {
    nodes: Vec<Arc<dyn Store>>,
    calls: AtomicUsize,
}

impl Nodes {
    #[must_use]
    pub fn behind_one_face(nodes: Vec<Arc<dyn Store>>) -> Layered<Self> {
        let calls = AtomicUsize::new(0);
        Layered(Self { nodes, calls })
    }
}

impl Layer for Nodes {
    fn inner(&self) -> &dyn Store {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        &*self.nodes[call % self.nodes.len()]
    }

    async fn open(&self, mode: ModeKind) -> Result<()> {
        for node in &self.nodes {
            node.open(mode).await?;
        }
        Ok(())
    }
}
