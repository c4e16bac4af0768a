//! One checkout of an order at a time in this process, so that a double click is one call. Between
//! processes the key makes it one payment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use futures_util::lock::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::id::OrderId;

/// Who is at work on which order.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<OrderId, Weak<AsyncMutex<()>>>>);

impl Turns {
    /// Waits until nobody else in this process is at work on the order. The turn ends when the
    /// guard is dropped.
    pub(super) async fn take(&self, order: &OrderId) -> OwnedMutexGuard<()> {
        self.turn(order).lock_owned().await
    }

    fn turn(&self, order: &OrderId) -> Arc<AsyncMutex<()>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = all.get(order).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::new(AsyncMutex::new(()));
        all.insert(order.clone(), Arc::downgrade(&turn));
        turn
    }
}
