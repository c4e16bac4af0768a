//! Reads the body of a new order, with the checks that PayPal makes.

use std::collections::HashSet;

use serde_json::Value;

use super::amounts::{Amount, Api};
use super::errors::ApiError;
use super::fields::Fields;
use super::orders::{Intent, PageSettings};

const UNITS_MAX: usize = 10;

/// A new order.
#[derive(Debug)]
pub(super) struct OrderRequest {
    pub(super) intent: Intent,
    pub(super) units: Vec<Unit>,
    pub(super) has_source: bool,
    pub(super) page: PageSettings,
}

/// One purchase unit, paid by one capture.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    pub(super) reference_id: String,
    pub(super) amount: Amount,
    pub(super) breakdown: Option<Value>,
    pub(super) custom_id: Option<String>,
    pub(super) invoice_id: Option<String>,
    pub(super) description: Option<String>,
    pub(super) soft_descriptor: Option<String>,
    pub(super) items: Option<Value>,
    pub(super) shipping: Option<Value>,
}

pub(super) fn read(body: &Value) -> Result<OrderRequest, ApiError> {
    let fields = Fields::of_body(body, Api::Orders)?;
    let intent = match fields.one_of("intent", &["CAPTURE", "AUTHORIZE"])? {
        None => return Err(fields.missing("intent")),
        Some("AUTHORIZE") => Intent::Authorize,
        Some(_) => Intent::Capture,
    };
    if fields.text("processing_instruction", 1..=36)?.as_deref()
        == Some("ORDER_COMPLETE_ON_PAYMENT_APPROVAL")
    {
        return Err(ApiError::refused("UNSUPPORTED_PROCESSING_INSTRUCTION"));
    }
    let rows = fields.rows("purchase_units")?;
    let rows = rows.ok_or_else(|| fields.missing("purchase_units"))?;
    let array_size = |issue| Err(ApiError::invalid(issue, "/purchase_units"));
    if rows.is_empty() {
        return array_size("INVALID_ARRAY_MIN_ITEMS");
    }
    if rows.len() > UNITS_MAX {
        return array_size("INVALID_ARRAY_MAX_ITEMS");
    }
    let several = rows.len() > 1;
    let units = rows.iter().map(|row| unit(row, several));
    let units = units.collect::<Result<Vec<_>, _>>()?;
    let references: HashSet<_> = units.iter().map(|unit| &unit.reference_id).collect();
    if references.len() < units.len() {
        return Err(ApiError::refused("DUPLICATE_REFERENCE_ID"));
    }
    let currencies: HashSet<_> = units.iter().map(|unit| unit.amount.currency).collect();
    if currencies.len() > 1 {
        return Err(ApiError::refused("MULTI_CURRENCY_ORDER"));
    }
    if several && intent == Intent::Authorize {
        return Err(ApiError::refused("UNSUPPORTED_INTENT"));
    }
    let (has_source, page) = source(&fields)?;
    Ok(OrderRequest {
        intent,
        units,
        has_source,
        page,
    })
}

/// The `payment_source`, if any, and the settings of the page, which stand there or in the older
/// `application_context`.
fn source(fields: &Fields<'_>) -> Result<(bool, PageSettings), ApiError> {
    let context = match fields.object("payment_source")? {
        None => {
            let context = fields.object("application_context")?;
            return Ok((false, page_settings(context)?));
        }
        Some(source) if source.has("card") => {
            return Err(ApiError::refused("NOT_ENABLED_FOR_CARD_PROCESSING"));
        }
        Some(source) => match source.object("paypal")? {
            Some(paypal) if paypal.has("vault_id") || paypal.has("billing_agreement_id") => {
                return Err(ApiError::refused("PAYMENT_SOURCE_CANNOT_BE_USED"));
            }
            Some(paypal) => paypal.object("experience_context")?,
            None => return Err(ApiError::refused("PAYMENT_SOURCE_CANNOT_BE_USED")),
        },
    };
    Ok((true, page_settings(context)?))
}

fn page_settings(context: Option<Fields<'_>>) -> Result<PageSettings, ApiError> {
    let Some(context) = context else {
        return Ok(PageSettings::default());
    };
    let action = context.one_of("user_action", &["CONTINUE", "PAY_NOW"])?;
    Ok(PageSettings {
        return_url: url(&context, "return_url")?,
        cancel_url: url(&context, "cancel_url")?,
        brand_name: context.text("brand_name", 1..=127)?,
        pays_now: action == Some("PAY_NOW"),
    })
}

fn url(context: &Fields<'_>, name: &str) -> Result<Option<String>, ApiError> {
    match context.text(name, 1..=4000)? {
        Some(url) if !crate::simulator::page::is_web(&url) => {
            let pointer = context.pointer_to(name);
            Err(ApiError::invalid("INVALID_PARAMETER_SYNTAX", &pointer).with_value(&url))
        }
        url => Ok(url),
    }
}

fn unit(row: &Fields<'_>, several: bool) -> Result<Unit, ApiError> {
    let reference_id = match row.text("reference_id", 1..=256)? {
        Some(reference) => reference,
        None if several => {
            let pointer = row.pointer_to("reference_id");
            return Err(ApiError::refused("REFERENCE_ID_REQUIRED").at(&pointer));
        }
        None => "default".to_owned(),
    };
    let amount = row.positive_amount("amount")?;
    let amount = amount.ok_or_else(|| row.missing("amount"))?;
    let breakdown = match row.object("amount")? {
        Some(fields) => fields.object("breakdown")?,
        None => None,
    };
    check_items(row, breakdown.as_ref())?;
    if let Some(breakdown) = &breakdown {
        check_breakdown(breakdown, amount)?;
    }
    Ok(Unit {
        reference_id,
        amount,
        breakdown: breakdown.and_then(|_| row.object("amount").ok()??.raw("breakdown")),
        custom_id: row.text("custom_id", 1..=127)?,
        invoice_id: row.text("invoice_id", 1..=127)?,
        description: row.text("description", 1..=127)?,
        soft_descriptor: row.text("soft_descriptor", 1..=22)?,
        items: row.raw("items"),
        shipping: row.raw("shipping"),
    })
}

/// The parts add up to the amount.
fn check_breakdown(breakdown: &Fields<'_>, amount: Amount) -> Result<(), ApiError> {
    let mut sum: i64 = 0;
    for (name, sign) in [
        ("item_total", 1),
        ("tax_total", 1),
        ("shipping", 1),
        ("handling", 1),
        ("insurance", 1),
        ("shipping_discount", -1),
        ("discount", -1),
    ] {
        let Some(part) = breakdown.amount(name)? else {
            continue;
        };
        let pointer = breakdown.pointer_to(name);
        if part.currency != amount.currency {
            return Err(ApiError::refused("MULTI_CURRENCY_ORDER").at(&pointer));
        }
        if part.units < 0 {
            return Err(ApiError::refused("CANNOT_BE_NEGATIVE").at(&pointer));
        }
        sum = sum.saturating_add(sign * part.units);
    }
    if sum != amount.units {
        return Err(ApiError::refused("AMOUNT_MISMATCH").with_value(&amount.decimal()));
    }
    Ok(())
}

/// The items add up to the item total and the tax total.
fn check_items(row: &Fields<'_>, breakdown: Option<&Fields<'_>>) -> Result<(), ApiError> {
    let Some(items) = row.rows("items")? else {
        return Ok(());
    };
    let (mut total, mut tax, mut is_taxed) = (0_i64, 0_i64, false);
    for item in &items {
        let _ = item.needed_text("name", 1..=127)?;
        let price = item.amount("unit_amount")?;
        let price = price.ok_or_else(|| item.missing("unit_amount"))?;
        let quantity = item.needed_text("quantity", 1..=10)?;
        let count: Option<i64> = quantity.parse().ok();
        let plain = quantity.bytes().all(|byte| byte.is_ascii_digit());
        let Some(count) = count.filter(|_| plain && !quantity.starts_with('0')) else {
            let pointer = item.pointer_to("quantity");
            return Err(ApiError::invalid("INVALID_PARAMETER_SYNTAX", &pointer));
        };
        total = total.saturating_add(price.units.saturating_mul(count));
        if let Some(per_piece) = item.amount("tax")? {
            is_taxed = true;
            tax = tax.saturating_add(per_piece.units.saturating_mul(count));
        }
    }
    let part = |name| match breakdown {
        Some(breakdown) => breakdown.amount(name),
        None => Ok(None),
    };
    match part("item_total")? {
        None => return Err(ApiError::refused("ITEM_TOTAL_REQUIRED")),
        Some(given) if given.units != total => {
            return Err(ApiError::refused("ITEM_TOTAL_MISMATCH").with_value(&given.decimal()));
        }
        Some(_) => {}
    }
    match part("tax_total")? {
        None if is_taxed => Err(ApiError::refused("TAX_TOTAL_REQUIRED")),
        Some(given) if is_taxed && given.units != tax => {
            Err(ApiError::refused("TAX_TOTAL_MISMATCH").with_value(&given.decimal()))
        }
        _ => Ok(()),
    }
}
