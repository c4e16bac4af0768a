//! Cards that shoppers have stored.

use super::methods::Method;
use super::state::World;
use crate::simulator::table::Row;

/// A card that can be charged again for its shopper.
#[derive(Debug, Clone)]
pub(super) struct StoredCard {
    id: String,
    pub(super) merchant: String,
    pub(super) shopper: String,
    pub(super) method: Method,
}

impl Row for StoredCard {
    fn id(&self) -> &str {
        &self.id
    }
}

/// Stores a card; its id is answered. What triggered something once triggers nothing later.
pub(super) fn store(world: &mut World, merchant: &str, shopper: &str, method: Method) -> String {
    let id = world.ids.psp();
    world.stored.put(StoredCard {
        id: id.clone(),
        merchant: merchant.to_owned(),
        shopper: shopper.to_owned(),
        method,
    });
    id
}
