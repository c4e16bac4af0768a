//! `expand[]`: ids replaced by the objects that they name.
//!
//! A path that leads nowhere is refused before anything is executed.

use serde_json::Value;

use super::errors::ApiError;
use super::router::Route;
use super::state::{Record, World};

const DEPTH_MAX: usize = 4;

/// Of each kind of object, the fields that can be expanded and what they lead to. What leads to
/// `""` belongs to parts of Stripe that are not simulated, and is always null.
const FIELDS: &[(&str, &[(&str, &str)])] = &[
    (
        "payment_intent",
        &[
            ("latest_charge", "charge"),
            ("payment_method", "payment_method"),
            ("customer", "customer"),
            ("application", ""),
            ("on_behalf_of", ""),
            ("review", ""),
        ],
    ),
    (
        "checkout.session",
        &[
            ("payment_intent", "payment_intent"),
            ("customer", "customer"),
            ("line_items", ""),
            ("invoice", ""),
            ("payment_link", ""),
            ("setup_intent", ""),
            ("subscription", ""),
        ],
    ),
    (
        "charge",
        &[
            ("balance_transaction", "balance_transaction"),
            ("payment_intent", "payment_intent"),
            ("customer", "customer"),
            ("refunds", "refunds"),
            ("application", ""),
            ("application_fee", ""),
            ("failure_balance_transaction", ""),
            ("on_behalf_of", ""),
            ("review", ""),
            ("source_transfer", ""),
        ],
    ),
    ("refunds", &[("data", "refund")]),
    (
        "refund",
        &[
            ("charge", "charge"),
            ("payment_intent", "payment_intent"),
            ("balance_transaction", "balance_transaction"),
            ("failure_balance_transaction", "balance_transaction"),
            ("source_transfer_reversal", ""),
            ("transfer_reversal", ""),
        ],
    ),
    (
        "dispute",
        &[("charge", "charge"), ("payment_intent", "payment_intent")],
    ),
    (
        "payout",
        &[
            ("balance_transaction", "balance_transaction"),
            ("failure_balance_transaction", "balance_transaction"),
            ("original_payout", ""),
            ("reversed_by", ""),
        ],
    ),
    // A balance transaction's source is of any of these kinds.
    (
        "balance_transaction",
        &[
            ("source", "charge"),
            ("source", "refund"),
            ("source", "dispute"),
            ("source", "payout"),
        ],
    ),
    ("payment_method", &[("customer", "customer")]),
    ("customer", &[("default_source", ""), ("test_clock", "")]),
];

/// Refuses paths that lead nowhere from what `route` answers.
pub(super) fn check(route: &Route<'_>, paths: &[String]) -> Result<(), ApiError> {
    let kind = match route.resource {
        "payment_intents" => "payment_intent",
        "checkout_sessions" => "checkout.session",
        "charges" => "charge",
        "refunds" => "refund",
        "disputes" => "dispute",
        "payouts" => "payout",
        "balance" => "balance_transaction",
        "payment_methods" => "payment_method",
        "customers" => "customer",
        _ => "",
    };
    for path in paths {
        let segments: Vec<&str> = path.split('.').collect();
        if segments.len() > DEPTH_MAX {
            let message = "You cannot expand more than 4 levels of a property";
            return Err(ApiError::invalid_param("expand", None, message));
        }
        let segments = match segments.split_first() {
            Some((&"data", rest)) if !rest.is_empty() => rest,
            _ => &segments,
        };
        if !leads_somewhere(kind, segments) {
            return Err(impossible(path));
        }
    }
    Ok(())
}

fn leads_somewhere(kind: &str, segments: &[&str]) -> bool {
    let Some((first, rest)) = segments.split_first() else {
        return true;
    };
    let fields = FIELDS.iter().filter(|(known, _)| *known == kind);
    let mut targets = fields
        .flat_map(|(_, fields)| fields.iter())
        .filter(|(name, _)| name == first);
    targets.any(|(_, target)| leads_somewhere(target, rest))
}

fn impossible(path: &str) -> ApiError {
    let message = format!("This property cannot be expanded ({path}).");
    ApiError::invalid_param("expand", None, &message)
}

/// Replaces ids by the objects that they name, along each path.
pub(super) fn apply(world: &World, answer: &mut Value, paths: &[String]) -> Result<(), ApiError> {
    for path in paths {
        let segments: Vec<&str> = path.split('.').collect();
        apply_path(world, answer, &segments, path)?;
    }
    Ok(())
}

fn apply_path(
    world: &World,
    value: &mut Value,
    segments: &[&str],
    path: &str,
) -> Result<(), ApiError> {
    let Some((first, rest)) = segments.split_first() else {
        return Ok(());
    };
    let impossible = || impossible(path);
    if let Value::Array(rows) = value {
        for row in rows {
            apply_path(world, row, segments, path)?;
        }
        return Ok(());
    }
    if value.is_null() {
        return Ok(());
    }
    let object = value.as_object_mut().ok_or_else(impossible)?;
    if !object.contains_key(*first) {
        let included = include(world, object, first).ok_or_else(impossible)?;
        let _ = object.insert((*first).to_owned(), included);
    }
    let field = object.get_mut(*first).ok_or_else(impossible)?;
    if let Value::String(id) = field {
        *field = render_by_id(world, id).ok_or_else(impossible)?;
    }
    if !(field.is_object() || field.is_array() || field.is_null()) {
        return Err(impossible());
    }
    apply_path(world, field, rest, path)
}

/// Lists that an object carries only when asked.
fn include(world: &World, object: &serde_json::Map<String, Value>, name: &str) -> Option<Value> {
    let kind = object.get("object")?.as_str()?;
    let id = object.get("id")?.as_str()?;
    match (kind, name) {
        ("charge", "refunds") => Some(super::refunds::of_charge(world, id)),
        ("checkout.session", "line_items") => super::sessions::line_items(world, id),
        _ => None,
    }
}

fn render_by_id(world: &World, id: &str) -> Option<Value> {
    fn rendered<T: Record>(world: &World, id: &str) -> Option<Value> {
        T::table(world).get(id).map(|record| record.render(world))
    }
    match id.split('_').next()? {
        "pi" => rendered::<super::intents::Intent>(world, id),
        "ch" | "py" => rendered::<super::charges::Charge>(world, id),
        "re" | "pyr" => rendered::<super::refunds::Refund>(world, id),
        "dp" => rendered::<super::disputes::Dispute>(world, id),
        "po" => rendered::<super::payouts::Payout>(world, id),
        "txn" => rendered::<super::payouts::BalanceTransaction>(world, id),
        "cus" => rendered::<super::customers::Customer>(world, id),
        "pm" => rendered::<super::customers::PaymentMethod>(world, id),
        _ => None,
    }
}
