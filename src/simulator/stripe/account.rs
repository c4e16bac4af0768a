//! The one account that the simulator has.

use serde_json::{Value, json};

use super::errors::ApiError;
use super::router::Call;
use super::state::{ACCOUNT_ID, World};

pub(super) fn retrieve(world: &mut World, call: Call) -> Result<Value, ApiError> {
    call.params.finish()?;
    Ok(json!({
        "id": ACCOUNT_ID,
        "object": "account",
        "business_profile": null,
        "business_type": "company",
        "capabilities": { "card_payments": "active", "transfers": "active" },
        "charges_enabled": true,
        "controller": { "type": "account" },
        "country": "US",
        "created": world.started.unix(),
        "default_currency": "usd",
        "details_submitted": true,
        "email": "simulator@example.com",
        "metadata": {},
        "payouts_enabled": true,
        "settings": null,
        "type": "standard",
    }))
}
