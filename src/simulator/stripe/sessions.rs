//! Checkout Sessions: a hosted page, and the intent that appears when the shopper begins to pay.

use serde_json::{Value, json};

use super::amounts;
use super::customers::Customer;
use super::errors::ApiError;
use super::form::Params;
use super::intents::{self, Intent, Redirects, Status};
use super::listing::Page;
use super::payments;
use super::router::Call;
use super::state::{Metadata, Record, Task, World, extended, list_object, record_table};
use crate::clock::Timestamp;

const DAY: i64 = 24 * 60 * 60;
const HALF_HOUR: i64 = 30 * 60;
/// What Stripe knows and what changes nothing here.
const ACCEPTED: &[&str] = &[
    "adaptive_pricing",
    "after_expiration",
    "allow_promotion_codes",
    "automatic_tax",
    "billing_address_collection",
    "branding_settings",
    "consent_collection",
    "custom_fields",
    "custom_text",
    "customer_creation",
    "customer_update",
    "excluded_payment_method_types",
    "integration_identifier",
    "invoice_creation",
    "locale",
    "managed_payments",
    "name_collection",
    "origin_context",
    "payment_method_collection",
    "payment_method_configuration",
    "payment_method_data",
    "permissions",
    "phone_number_collection",
    "saved_payment_method_options",
    "shipping_address_collection",
    "submit_type",
    "tax_id_collection",
    "wallet_options",
];

/// A visit to the hosted page.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) created: Timestamp,
    pub(super) state: SessionState,
    pub(super) paid: bool,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) intent: Option<String>,
    pub(super) client_reference_id: Option<String>,
    pub(super) success_url: Option<String>,
    pub(super) cancel_url: Option<String>,
    pub(super) items: Vec<Item>,
    expires_at: i64,
    customer: Option<String>,
    customer_email: Option<String>,
    metadata: Metadata,
    method_types: Vec<String>,
    multicapture: bool,
    intent_data: IntentData,
    ui_mode: &'static str,
    return_url: Option<String>,
}

/// The states of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SessionState {
    Open,
    Complete,
    Expired,
}

/// One line of what is bought.
#[derive(Debug, Clone)]
pub(super) struct Item {
    id: String,
    pub(super) name: String,
    pub(super) quantity: i64,
    unit_amount: i64,
}

impl Item {
    /// The price of the whole line.
    pub(super) fn total(&self) -> i64 {
        // The sum over all lines was checked when the session was made.
        self.unit_amount.saturating_mul(self.quantity)
    }
}

/// What the intent will be given when it appears.
#[derive(Debug, Clone, Default)]
struct IntentData {
    capture_method: Option<&'static str>,
    description: Option<String>,
    metadata: Metadata,
    multicapture: bool,
    receipt_email: Option<String>,
    setup_future_usage: Option<&'static str>,
    statement_descriptor: Option<String>,
    statement_descriptor_suffix: Option<String>,
    transfer_group: Option<String>,
}

impl Record for Session {
    const OBJECT: &'static str = "checkout.session";
    const PARAM: &'static str = "session";
    record_table!(sessions);

    fn render(&self, world: &World) -> Value {
        let (status, open) = match self.state {
            SessionState::Open => ("open", true),
            SessionState::Complete => ("complete", false),
            SessionState::Expired => ("expired", false),
        };
        let hosted = self.ui_mode == "hosted_page";
        let details = (self.state == SessionState::Complete).then(|| {
            json!({
                "address": null,
                "business_name": null,
                "email": self.customer_email,
                "individual_name": null,
                "name": null,
                "phone": null,
                "tax_exempt": "none",
                "tax_ids": [],
            })
        });
        let several_captures = json!({
            "request_multicapture": "if_available",
            "request_three_d_secure": "automatic",
        });
        let method_options = match self.multicapture {
            true => json!({ "card": several_captures }),
            false => json!({}),
        };
        let object = json!({
            "id": self.id,
            "object": "checkout.session",
            "adaptive_pricing": { "enabled": false },
            "after_expiration": null,
            "allow_promotion_codes": null,
            "amount_subtotal": self.amount,
            "amount_total": self.amount,
            "automatic_tax": { "enabled": false, "liability": null, "provider": null, "status": null },
            "billing_address_collection": null,
            "cancel_url": self.cancel_url,
            "client_reference_id": self.client_reference_id,
            "client_secret": null,
            "consent": null,
            "consent_collection": null,
            "created": self.created.unix(),
            "currency": self.currency,
            "currency_conversion": null,
            "custom_fields": [],
            "custom_text": {
                "after_submit": null,
                "shipping_address": null,
                "submit": null,
                "terms_of_service_acceptance": null,
            },
            "customer": self.customer,
            "customer_creation": "if_required",
            "customer_details": details,
            "customer_email": self.customer_email,
            "discounts": [],
            "expires_at": self.expires_at,
        });
        // In two halves, since one would be too long for the macro.
        let mut object = extended(
            object,
            json!({
                "invoice": null,
                "invoice_creation": null,
                "livemode": false,
                "locale": null,
                "metadata": self.metadata,
                "mode": "payment",
                "payment_intent": self.intent,
                "payment_link": null,
                "payment_method_collection": "if_required",
                "payment_method_configuration_details": null,
                "payment_method_options": method_options,
                "payment_method_types": self.method_types,
                "payment_status": if self.paid { "paid" } else { "unpaid" },
                "permissions": null,
                "phone_number_collection": { "enabled": false },
                "recovered_from": null,
                "saved_payment_method_options": null,
                "setup_intent": null,
                "shipping_address_collection": null,
                "shipping_cost": null,
                "shipping_options": [],
                "status": status,
                "submit_type": null,
                "subscription": null,
                "success_url": self.success_url,
                "total_details": { "amount_discount": 0, "amount_shipping": 0, "amount_tax": 0 },
                "ui_mode": self.ui_mode,
                "url": (open && hosted).then(|| self.url(world)),
                "wallet_options": null,
            }),
        );
        if let (Some(return_url), Some(fields)) = (&self.return_url, object.as_object_mut()) {
            let _ = fields.insert("return_url".to_owned(), json!(return_url));
        }
        object
    }
}

impl Session {
    /// The hosted page.
    pub(super) fn url(&self, world: &World) -> String {
        format!("{}/c/pay/{}", world.base_url, self.id)
    }

    /// Whether the merchant only holds the amount at first.
    pub(super) fn captures_later(&self) -> bool {
        self.intent_data.capture_method == Some("manual")
    }

    /// Where the shopper goes after paying.
    pub(super) fn landing_url(&self) -> Option<String> {
        let url = self.success_url.as_ref()?;
        Some(url.replace("{CHECKOUT_SESSION_ID}", &self.id))
    }
}

pub(super) fn create(world: &mut World, mut call: Call) -> Result<Value, ApiError> {
    let params = &mut call.params;
    match params.one_of("mode", &["payment", "setup", "subscription"])? {
        Some("payment") => {}
        None => return Err(ApiError::missing_param("mode")),
        Some(_) => {
            let message = "This simulation of Checkout does mode=payment only";
            return Err(ApiError::invalid_param("mode", None, message));
        }
    }
    let ui_mode = params.one_of("ui_mode", &["hosted_page", "embedded_page", "elements"])?;
    let ui_mode = ui_mode.unwrap_or("hosted_page");
    let success_url = params.url("success_url")?;
    let cancel_url = params.url("cancel_url")?;
    let return_url = params.url("return_url")?;
    if ui_mode == "hosted_page" && success_url.is_none() {
        return Err(ApiError::missing_param("success_url"));
    }
    let client_reference_id = params.bounded("client_reference_id", 200)?;
    let currency = params.filled("currency")?;
    let rows = params.rows("line_items")?;
    let (items, currency) = take_items(world, rows, currency)?;
    let amount = items
        .iter()
        .try_fold(0_i64, |sum, item| {
            sum.checked_add(item.unit_amount.checked_mul(item.quantity)?)
        })
        .ok_or_else(|| ApiError::refused("amount_too_large", "The total amount is too large"))?;
    let expires_at = params.integer("expires_at")?;
    let customer = params.filled("customer")?;
    let customer_email = params.filled("customer_email")?;
    let metadata = params.metadata()?.initial();
    let mut intent_data = take_intent_data(params)?;
    intent_data.multicapture = intents::take_multicapture(params)?;
    let method_types = intents::take_method_types(params, &call.version)?;
    let multicapture = intents::take_multicapture(params)?;
    params.accept(ACCEPTED);
    if ui_mode != "hosted_page" {
        params.accept(&["redirect_on_completion"]);
    }
    call.params.finish()?;
    let now = world.now.unix();
    let expires_at = match expires_at {
        None => now.saturating_add(DAY),
        Some(at) if (now.saturating_add(HALF_HOUR)..=now.saturating_add(DAY)).contains(&at) => at,
        Some(_) => {
            let message = "The `expires_at` timestamp must be between 30 minutes and 24 hours \
                           from Checkout Session creation.";
            return Err(ApiError::invalid_param("expires_at", None, message));
        }
    };
    amounts::chargeable(amount, &currency, "line_items")?;
    if let Some(customer) = &customer {
        let _: Customer = world.find(customer)?;
    }

    let session = Session {
        id: format!("cs_test_{}", world.ids.letters(58)),
        created: world.now,
        state: SessionState::Open,
        paid: false,
        amount,
        currency,
        intent: None,
        client_reference_id,
        success_url,
        cancel_url,
        items,
        expires_at,
        customer,
        customer_email,
        metadata,
        method_types: method_types.unwrap_or_else(|| vec!["card".to_owned()]),
        multicapture,
        intent_data,
        ui_mode,
        return_url,
    };
    let expiry = Task::ExpireSession(session.id.clone());
    world.plan_at(Timestamp::from_unix(expires_at), expiry);
    world.put(session.clone());
    Ok(session.render(world))
}

fn take_items(
    world: &mut World,
    rows: Vec<Params>,
    currency: Option<String>,
) -> Result<(Vec<Item>, String), ApiError> {
    let mut items = Vec::new();
    let mut currency = currency
        .map(|code| amounts::currency(&code, "currency"))
        .transpose()?;
    if rows.is_empty() {
        return Err(ApiError::missing_param("line_items"));
    }
    for mut row in rows {
        let quantity = row.integer("quantity")?.unwrap_or(1);
        let quantity_param = row.full("quantity");
        let Some(mut price) = row.parts("price_data")? else {
            // Prices are a catalogue of Stripe's that is not simulated.
            return Err(ApiError::missing_param(&row.full("price_data")));
        };
        row.accept(&[
            "adjustable_quantity",
            "metadata",
            "tax_rates",
            "dynamic_tax_rates",
        ]);
        row.finish()?;
        let param = price.full("currency");
        let code = amounts::currency(&price.required("currency")?, &param)?;
        let unit_param = price.full("unit_amount");
        let unit_amount = price.integer("unit_amount")?;
        let unit_amount = unit_amount.ok_or_else(|| ApiError::missing_param(&unit_param))?;
        let product_param = price.full("product_data");
        let mut product = price
            .parts("product_data")?
            .ok_or_else(|| ApiError::missing_param(&product_param))?;
        let name = product.required("name")?;
        product.accept(&[
            "description",
            "images",
            "metadata",
            "tax_code",
            "unit_label",
        ]);
        product.finish()?;
        price.accept(&["tax_behavior"]);
        price.finish()?;
        if quantity < 1 || unit_amount < 0 {
            let param = if quantity < 1 {
                quantity_param
            } else {
                unit_param
            };
            let message = "This value must be greater than or equal to 1.";
            return Err(ApiError::invalid_param(
                &param,
                Some("parameter_invalid_integer"),
                message,
            ));
        }
        if currency.get_or_insert_with(|| code.clone()) != &code {
            let message = "All line items must have the same currency.";
            return Err(ApiError::invalid_param(&param, None, message));
        }
        items.push(Item {
            id: world.ids.next("li"),
            name,
            quantity,
            unit_amount,
        });
    }
    Ok((items, currency.unwrap_or_default()))
}

fn take_intent_data(params: &mut Params) -> Result<IntentData, ApiError> {
    let Some(mut data) = params.parts("payment_intent_data")? else {
        return Ok(IntentData::default());
    };
    let methods = &["automatic", "automatic_async", "manual"];
    let taken = IntentData {
        capture_method: data.one_of("capture_method", methods)?,
        description: data.bounded("description", 1000)?,
        metadata: data.metadata()?.initial(),
        multicapture: false,
        receipt_email: data.filled("receipt_email")?,
        setup_future_usage: data.one_of("setup_future_usage", &["off_session", "on_session"])?,
        statement_descriptor: data.bounded("statement_descriptor", 22)?,
        statement_descriptor_suffix: data.bounded("statement_descriptor_suffix", 22)?,
        transfer_group: data.filled("transfer_group")?,
    };
    data.accept(&["shipping"]);
    data.finish()?;
    Ok(taken)
}

/// The shopper begins to pay: the intent appears, if it has not yet.
pub(super) fn begin_payment(world: &mut World, id: &str) -> Result<String, ApiError> {
    let mut session: Session = world.find(id)?;
    if session.state != SessionState::Open {
        return Err(ApiError::invalid_request(
            "This Checkout Session is no longer open.",
        ));
    }
    if let Some(intent) = session.intent {
        return Ok(intent);
    }
    let mut intent = Intent::new(world, session.amount, session.currency.clone());
    let data = session.intent_data.clone();
    intent.session = Some(session.id.clone());
    intent.customer.clone_from(&session.customer);
    intent.capture_method = data.capture_method.unwrap_or(intent.capture_method);
    intent.multicapture = session.multicapture;
    intent.description = data.description;
    intent.metadata = data.metadata;
    intent.multicapture = data.multicapture;
    intent.receipt_email = data.receipt_email;
    intent.setup_future_usage = data.setup_future_usage;
    intent.statement_descriptor = data.statement_descriptor;
    intent.statement_descriptor_suffix = data.statement_descriptor_suffix;
    intent.transfer_group = data.transfer_group;
    intent.automatic_methods = Some(Redirects::Always);
    // The hosted page itself is where the shopper comes back to.
    intent.return_url = Some(session.url(world));
    let intent_id = intent.id.clone();
    world.put_and_emit(intent, "payment_intent.created");
    super::search::plan(world, &intent_id);
    session.intent = Some(intent_id.clone());
    world.put(session);
    Ok(intent_id)
}

/// Lets a session follow what became of its intent.
pub(super) fn follow(world: &mut World, intent: &str) {
    let Ok(intent) = world.find::<Intent>(intent) else {
        return;
    };
    let Some(mut session) = intent
        .session
        .as_ref()
        .and_then(|id| world.sessions.get(id))
        .cloned()
    else {
        return;
    };
    let succeeded = intent.status == Status::Succeeded;
    match (session.state, intent.status) {
        (SessionState::Open, Status::Succeeded | Status::Processing | Status::RequiresCapture) => {
            session.state = SessionState::Complete;
            session.paid = succeeded;
            world.put_and_emit(session, "checkout.session.completed");
        }
        (SessionState::Complete, _) if succeeded && !session.paid => {
            session.paid = true;
            if intent.capture_method == "manual" {
                world.put(session);
            } else {
                world.put_and_emit(session, "checkout.session.async_payment_succeeded");
            }
        }
        (SessionState::Complete, Status::RequiresPaymentMethod) => {
            world.put_and_emit(session, "checkout.session.async_payment_failed");
        }
        _ => {}
    }
}

pub(super) fn expire_when_due(world: &mut World, id: &str) {
    if world
        .sessions
        .get(id)
        .is_some_and(|session| session.state == SessionState::Open)
    {
        close(world, id);
    }
}

fn close(world: &mut World, id: &str) {
    let Ok(mut session) = world.find::<Session>(id) else {
        return;
    };
    session.state = SessionState::Expired;
    let intent = session.intent.clone();
    world.put_and_emit(session, "checkout.session.expired");
    if let Some(intent) = intent
        && let Ok(intent) = world.find::<Intent>(&intent)
        && intent.status != Status::Canceled
    {
        payments::close(world, intent, Some("expired"));
    }
}

pub(super) fn expire(world: &mut World, call: Call) -> Result<Value, ApiError> {
    call.params.finish()?;
    let session: Session = world.find(&call.id)?;
    if session.state != SessionState::Open {
        let message = "Only Checkout Sessions with a status in [\"open\"] can be expired.";
        return Err(ApiError::invalid_request(message));
    }
    close(world, &call.id);
    Ok(world.find::<Session>(&call.id)?.render(world))
}

pub(super) fn update(world: &mut World, mut call: Call) -> Result<Value, ApiError> {
    let metadata = call.params.metadata()?;
    call.params.finish()?;
    let mut session: Session = world.find(&call.id)?;
    metadata.apply(&mut session.metadata);
    let answer = session.render(world);
    world.put(session);
    Ok(answer)
}

pub(super) fn retrieve(world: &mut World, call: Call) -> Result<Value, ApiError> {
    call.params.finish()?;
    Ok(world.find::<Session>(&call.id)?.render(world))
}

pub(super) fn list_line_items(world: &mut World, mut call: Call) -> Result<Value, ApiError> {
    // A session has few lines: they are always one page.
    let _ = Page::take(&mut call.params)?;
    call.params.finish()?;
    let session: Session = world.find(&call.id)?;
    Ok(line_items(world, &session.id).unwrap_or_default())
}

pub(super) fn list(world: &mut World, mut call: Call) -> Result<Value, ApiError> {
    let page = Page::take(&mut call.params)?;
    let intent = call.params.filled("payment_intent")?;
    let customer = call.params.filled("customer")?;
    let status = call
        .params
        .one_of("status", &["open", "complete", "expired"])?;
    call.params.finish()?;
    page.of::<Session>(world, "/v1/checkout/sessions", |session| {
        let state = match session.state {
            SessionState::Open => "open",
            SessionState::Complete => "complete",
            SessionState::Expired => "expired",
        };
        (intent.is_none() || session.intent == intent)
            && (customer.is_none() || session.customer == customer)
            && status.is_none_or(|status| status == state)
    })
}

/// What is bought, as `expand[]=line_items` asks for it.
pub(super) fn line_items(world: &World, id: &str) -> Option<Value> {
    let session = world.sessions.get(id)?;
    let rows = session.items.iter().map(|item| {
        let total = item.total();
        json!({
            "id": item.id,
            "object": "item",
            "adjustable_quantity": null,
            "amount_discount": 0,
            "amount_subtotal": total,
            "amount_tax": 0,
            "amount_total": total,
            "currency": session.currency,
            "description": item.name,
            "metadata": {},
            "price": null,
            "quantity": item.quantity,
        })
    });
    let url = format!("/v1/checkout/sessions/{id}/line_items");
    Some(list_object(&url, rows.collect(), false))
}
