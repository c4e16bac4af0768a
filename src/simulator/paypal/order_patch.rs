//! Changes of an order that is not paid yet: what merchants change most.

use serde_json::{Value, json};

use super::amounts::Api;
use super::errors::ApiError;
use super::fields::Fields;
use super::order_request::Unit;
use super::orders::{self, Intent, Order, State};
use super::router::{Call, Reply};
use super::state::World;

/// A JSON patch of the intent, or of a unit's amount, custom id, invoice id or description.
pub(super) fn patch(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let mut order = orders::known(world, &call.id)?;
    if matches!(order.state, State::Completed | State::Voided) {
        return Err(ApiError::refused("ORDER_ALREADY_COMPLETED"));
    }
    let steps = call.body.as_array().ok_or_else(ApiError::malformed_json)?;
    for step in steps {
        let missing = |issue| ApiError::refused(issue);
        let path = step["path"].as_str();
        let path = path.ok_or_else(|| missing("PATCH_PATH_REQUIRED"))?;
        let removes = match step["op"].as_str() {
            Some("replace" | "add") => false,
            Some("remove") => true,
            _ => return Err(ApiError::invalid("INVALID_PARAMETER_VALUE", "/op")),
        };
        let value = step.get("value").filter(|value| !value.is_null());
        if value.is_none() && !removes {
            return Err(missing("PATCH_VALUE_REQUIRED"));
        }
        apply(&mut order, path, value)?;
    }
    order.updated = world.now;
    world.orders.put(order);
    Ok(Reply::no_content())
}

fn apply(order: &mut Order, path: &str, value: Option<&Value>) -> Result<(), ApiError> {
    if path == "/intent" {
        order.intent = match value.and_then(Value::as_str) {
            Some("CAPTURE") => Intent::Capture,
            Some("AUTHORIZE") if order.units.len() == 1 => Intent::Authorize,
            Some("AUTHORIZE") => return Err(ApiError::refused("UNSUPPORTED_INTENT")),
            _ => return Err(ApiError::refused("UNSUPPORTED_PATCH_PARAMETER_VALUE")),
        };
        return Ok(());
    }
    let not_patchable = || ApiError::refused("NOT_PATCHABLE").at(path);
    let rest = path.strip_prefix("/purchase_units/@reference_id=='");
    let (reference, field) = rest
        .and_then(|rest| rest.split_once("'/"))
        .ok_or_else(not_patchable)?;
    let approved = order.state == State::Approved;
    let currency = order.units.first().map(|unit| unit.amount.currency);
    let mut units = order.units.iter_mut();
    let unit = units.find(|unit| unit.reference_id == reference);
    let unit = unit.ok_or_else(|| ApiError::refused("REFERENCE_ID_NOT_FOUND"))?;
    let body = json!({ field: value });
    let fields = Fields::of_body(&body, Api::Orders)?;
    match field {
        "amount" => {
            let amount = fields
                .positive_amount("amount")?
                .ok_or_else(not_patchable)?;
            // What the shopper agreed to stands.
            if approved && amount.units > unit.amount.units {
                return Err(ApiError::refused("AMOUNT_CHANGE_NOT_ALLOWED"));
            }
            if Some(amount.currency) != currency {
                return Err(ApiError::refused("MULTI_CURRENCY_ORDER"));
            }
            let breakdown = fields
                .object("amount")?
                .and_then(|amount| amount.raw("breakdown"));
            *unit = Unit {
                amount,
                breakdown,
                ..unit.clone()
            };
        }
        "custom_id" => unit.custom_id = fields.text("custom_id", 1..=127)?,
        "invoice_id" => unit.invoice_id = fields.text("invoice_id", 1..=127)?,
        "description" => unit.description = fields.text("description", 1..=127)?,
        _ => return Err(not_patchable()),
    }
    Ok(())
}
