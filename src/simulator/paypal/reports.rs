//! Transaction search and balances.
//!
//! Source: `reporting_transactions_v1` of the official specifications. A transaction appears some
//! hours after it happened; [`super::PaypalSimulator::set_reporting_delay`] says how many.

use std::time::Duration;

use serde_json::{Value, json};

use super::amounts::Amount;
use super::errors::ApiError;
use super::journal::{Entry, EntryStatus, Reference};
use super::router::{Call, Reply};
use super::state::{MERCHANT_ID, PAYER_EMAIL, PAYER_ID, World, put_some};
use crate::clock::Timestamp;

const RANGE_MAX: Duration = Duration::from_secs(31 * 24 * 60 * 60);
const PAGE_SIZE: usize = 100;
const PAGE_SIZE_MAX: usize = 500;

pub(super) fn transactions(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let needed = |name: &str| {
        let instant = instant(call, name)?;
        instant.ok_or_else(|| ApiError::invalid("MISSING_REQUIRED_PARAMETER", name))
    };
    let (start, end) = (needed("start_date")?, needed("end_date")?);
    if end < start || end.abs_diff(start) > RANGE_MAX {
        return Err(ApiError::invalid("INVALID_PARAMETER_VALUE", "end_date"));
    }
    let page = number(call, "page", usize::MAX)?.unwrap_or(1);
    let size = number(call, "page_size", PAGE_SIZE_MAX)?.unwrap_or(PAGE_SIZE);
    let refreshed = world.now.saturating_sub(world.settings.reporting_delay);
    let moves_only = call.query("balance_affecting_records_only") != Some("N");
    let is = |name: &str, found: &str| call.query(name).is_none_or(|wanted| wanted == found);
    let fields = call.query("fields").unwrap_or("transaction_info");
    let with_payer = fields
        .split(',')
        .any(|field| matches!(field, "all" | "payer_info"));
    let found: Vec<Value> = world
        .journal
        .with_balances()
        .filter(|(entry, _)| (start..=end).contains(&entry.created) && entry.created <= refreshed)
        .filter(|(entry, _)| !moves_only || entry.status == EntryStatus::Settled)
        .filter(|(entry, _)| is("transaction_id", &entry.id))
        .filter(|(entry, _)| is("transaction_type", entry.code))
        .filter(|(entry, _)| is("transaction_status", entry.status.letter()))
        .filter(|(entry, _)| is("transaction_currency", entry.amount.currency.code()))
        .map(|(entry, balance)| render(entry, balance, with_payer))
        .collect();
    let pages = found.len().div_ceil(size);
    let rows = found
        .iter()
        .skip((page - 1).saturating_mul(size))
        .take(size);
    let rows: Vec<&Value> = rows.collect();
    let path = |page: usize| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in call.query.iter().filter(|(name, _)| name != "page") {
            query.append_pair(name, value);
        }
        query.append_pair("page", &page.to_string());
        format!("/v1/reporting/transactions?{}", query.finish())
    };
    let mut links = vec![world.link("self", "GET", &path(page))];
    if page < pages {
        links.push(world.link("next", "GET", &path(page + 1)));
        links.push(world.link("last", "GET", &path(pages)));
    }
    Ok(Reply::ok(json!({
        "transaction_details": rows,
        "account_number": MERCHANT_ID,
        "start_date": start.to_string(),
        "end_date": end.to_string(),
        "last_refreshed_datetime": refreshed.to_string(),
        "page": page,
        "total_items": found.len(),
        "total_pages": pages,
        "links": links,
    })))
}

fn render(entry: &Entry, balance: Amount, with_payer: bool) -> Value {
    let mut info = json!({
        "transaction_id": entry.id,
        "transaction_event_code": entry.code,
        "transaction_initiation_date": entry.created.to_string(),
        "transaction_updated_date": entry.updated.to_string(),
        "transaction_amount": entry.amount.render(),
        "transaction_status": entry.status.letter(),
        "ending_balance": balance.render(),
        "available_balance": balance.render(),
        "protection_eligibility": "01",
    });
    let (id, kind) = match &entry.reference {
        Some(Reference::Order(id)) => (Some(id), "ODR"),
        Some(Reference::Transaction(id)) => (Some(id), "TXN"),
        None => (None, ""),
    };
    let fee = (entry.fee != 0).then(|| entry.amount.of(entry.fee).render());
    put_some(
        &mut info,
        [
            ("paypal_reference_id", id.map(|id| json!(id))),
            ("paypal_reference_id_type", id.map(|_| json!(kind))),
            ("paypal_account_id", id.map(|_| json!(PAYER_ID))),
            ("fee_amount", fee),
            ("invoice_id", entry.invoice_id.as_ref().map(|id| json!(id))),
            ("custom_field", entry.custom_id.as_ref().map(|id| json!(id))),
        ],
    );
    let mut row = json!({ "transaction_info": info });
    if with_payer && id.is_some() {
        let payer = json!({
            "account_id": PAYER_ID,
            "email_address": PAYER_EMAIL,
            "address_status": "Y",
            "payer_status": "Y",
            "payer_name": { "given_name": "Sam", "surname": "Shopper" },
            "country_code": "DE",
        });
        put_some(&mut row, [("payer_info", Some(payer))]);
    }
    row
}

pub(super) fn balances(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let as_of = instant(call, "as_of_time")?.unwrap_or(world.now);
    let wanted = call.query("currency_code").filter(|code| *code != "ALL");
    let rows: Vec<Value> = (0..)
        .zip(world.journal.balances())
        .filter(|(_, balance)| wanted.is_none_or(|code| code == balance.currency.code()))
        .map(|(at, balance): (usize, Amount)| {
            json!({
                "currency": balance.currency.code(),
                "primary": at == 0,
                "total_balance": balance.render(),
                "available_balance": balance.render(),
                "withheld_balance": balance.of(0).render(),
            })
        })
        .collect();
    Ok(Reply::ok(json!({
        "balances": rows,
        "account_id": MERCHANT_ID,
        "as_of_time": as_of.to_string(),
        "last_refresh_time": world.now.to_string(),
    })))
}

/// A query parameter that is an instant by RFC 3339, to the second.
pub(super) fn instant(call: &Call, name: &str) -> Result<Option<Timestamp>, ApiError> {
    let Some(text) = call.query(name) else {
        return Ok(None);
    };
    // A plus sign that was not encoded arrives as a space.
    let text = text.replace(' ', "+");
    match text.parse::<jiff::Timestamp>() {
        Ok(instant) => Ok(Some(Timestamp::from_unix(instant.as_second()))),
        Err(_) => Err(ApiError::invalid("INVALID_PARAMETER_SYNTAX", name).with_value(&text)),
    }
}

fn number(call: &Call, name: &str, most: usize) -> Result<Option<usize>, ApiError> {
    let Some(text) = call.query(name) else {
        return Ok(None);
    };
    let number = text
        .parse()
        .ok()
        .filter(|number| (1..=most).contains(number));
    let wrong = || ApiError::invalid("INVALID_PARAMETER_VALUE", name).with_value(text);
    number.map(Some).ok_or_else(wrong)
}
