//! Takes or holds the money of an approved order.

use super::authorizations::{self, Authorization};
use super::captures::{self, NewCapture};
use super::errors::ApiError;
use super::funding::{Charge, Funding};
use super::orders::{self, Intent, Order, State};
use super::router::{Call, Made, Reply};
use super::state::World;

pub(super) fn capture(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let (order, funding) = payable(world, &call.id, Intent::Capture)?;
    let charge = funding.capture(false);
    refuse(world, &order, charge)?;
    for (at, unit) in order.units.iter().enumerate() {
        let new = NewCapture {
            order: &order.id,
            unit: at,
            authorization: None,
            amount: unit.amount,
            custom_id: unit.custom_id.clone(),
            invoice_id: unit.invoice_id.clone(),
            final_capture: true,
            funding,
        };
        let _ = captures::make(world, new, charge);
    }
    orders::complete(world, &order.id);
    Ok(Reply::made(Made::Order(order.id)))
}

pub(super) fn authorize(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let (order, funding) = payable(world, &call.id, Intent::Authorize)?;
    let charge = funding.authorize();
    refuse(world, &order, charge)?;
    for (at, unit) in order.units.iter().enumerate() {
        let held = Authorization::of_unit(world, &order, at, unit, funding, charge);
        authorizations::begin(world, held);
    }
    orders::complete(world, &order.id);
    Ok(Reply::made(Made::Order(order.id)))
}

/// The order, if it is approved and not paid yet.
fn payable(world: &World, id: &str, intent: Intent) -> Result<(Order, Funding), ApiError> {
    let order = orders::known(world, id)?;
    if order.intent != intent {
        return Err(ApiError::refused("ACTION_DOES_NOT_MATCH_INTENT"));
    }
    let done = match intent {
        Intent::Capture => "ORDER_ALREADY_CAPTURED",
        Intent::Authorize => "ORDER_ALREADY_AUTHORIZED",
    };
    match (order.state, order.funding) {
        (State::Completed, _) => Err(ApiError::refused(done)),
        (State::Voided, _) => Err(ApiError::refused("ORDER_EXPIRED")),
        (State::Approved, Some(funding)) => {
            check_invoices(world, &order)?;
            Ok((order, funding))
        }
        _ => {
            let page = order.page_url(world);
            Err(ApiError::refused("ORDER_NOT_APPROVED").with_link("redirect", &page))
        }
    }
}

/// The second guard against paying twice: an invoice id that was paid before.
fn check_invoices(world: &World, order: &Order) -> Result<(), ApiError> {
    if world.settings.repeated_invoices {
        return Ok(());
    }
    let mut invoices = order
        .units
        .iter()
        .filter_map(|unit| unit.invoice_id.as_deref());
    if invoices.any(|invoice| orders::invoice_is_used(world, invoice, &order.id)) {
        return Err(ApiError::refused("DUPLICATE_INVOICE_ID"));
    }
    Ok(())
}

/// Nothing is made, and the shopper may choose other funding on the page.
fn refuse(world: &World, order: &Order, charge: Charge) -> Result<(), ApiError> {
    match charge {
        Charge::Refused(issue) => {
            let page = order.page_url(world);
            Err(ApiError::refused(issue).with_link("redirect", &page))
        }
        _ => Ok(()),
    }
}
