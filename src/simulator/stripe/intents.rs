//! PaymentIntents: the object and its endpoints. What confirming does is in `payments`.

use serde_json::{Value, json};

use super::amounts;
use super::customers::{self, Customer};
use super::errors::ApiError;
use super::form::Params;
use super::listing::Page;
use super::payments::{self, Confirmation};
use super::router::Call;
use super::state::{Metadata, Record, World, record_table};
use crate::clock::Timestamp;

const CAPTURE_METHODS: &[&str] = &["automatic", "automatic_async", "manual"];
/// What Stripe knows and what changes nothing here.
const ACCEPTED: &[&str] = &[
    "amount_details",
    "hooks",
    "mandate",
    "mandate_data",
    "payment_details",
    "payment_method_configuration",
    "radar_options",
    "shipping",
    "excluded_payment_method_types",
    "allowed_payment_method_types",
    "use_stripe_sdk",
];

/// The life of one payment.
#[derive(Debug, Clone)]
pub(super) struct Intent {
    pub(super) id: String,
    pub(super) created: Timestamp,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) status: Status,
    pub(super) capture_method: &'static str,
    pub(super) amount_received: i64,
    pub(super) amount_capturable: i64,
    pub(super) metadata: Metadata,
    pub(super) description: Option<String>,
    pub(super) customer: Option<String>,
    pub(super) payment_method: Option<String>,
    pub(super) latest_charge: Option<String>,
    pub(super) last_payment_error: Option<Value>,
    pub(super) return_url: Option<String>,
    /// The Checkout Session that owns it.
    pub(super) session: Option<String>,
    pub(super) canceled_at: Option<Timestamp>,
    pub(super) cancellation_reason: Option<&'static str>,
    pub(super) multicapture: bool,
    pub(super) automatic_methods: Option<Redirects>,
    pub(super) setup_future_usage: Option<&'static str>,
    pub(super) receipt_email: Option<String>,
    pub(super) statement_descriptor: Option<String>,
    pub(super) statement_descriptor_suffix: Option<String>,
    pub(super) transfer_group: Option<String>,
    client_secret: String,
    method_types: Vec<String>,
}

/// Whether payment methods that redirect the shopper are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Redirects {
    Always,
    Never,
}

/// The states of an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    RequiresPaymentMethod,
    RequiresConfirmation,
    RequiresAction,
    Processing,
    RequiresCapture,
    Canceled,
    Succeeded,
}

impl Status {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::RequiresPaymentMethod => "requires_payment_method",
            Self::RequiresConfirmation => "requires_confirmation",
            Self::RequiresAction => "requires_action",
            Self::Processing => "processing",
            Self::RequiresCapture => "requires_capture",
            Self::Canceled => "canceled",
            Self::Succeeded => "succeeded",
        }
    }
}

impl Record for Intent {
    const OBJECT: &'static str = "payment_intent";
    const PARAM: &'static str = "intent";
    record_table!(intents);

    fn render(&self, world: &World) -> Value {
        let next_action = (self.status == Status::RequiresAction).then(|| self.next_action(world));
        let automatic = self.automatic_methods.map(|redirects| {
            let allow = match redirects {
                Redirects::Always => "always",
                Redirects::Never => "never",
            };
            json!({ "allow_redirects": allow, "enabled": true })
        });
        let request_multicapture = self.multicapture.then_some("if_available");
        json!({
            "id": self.id,
            "object": "payment_intent",
            "amount": self.amount,
            "amount_capturable": self.amount_capturable,
            "amount_details": { "tip": {} },
            "amount_received": self.amount_received,
            "application": null,
            "application_fee_amount": null,
            "automatic_payment_methods": automatic,
            "canceled_at": self.canceled_at.map(Timestamp::unix),
            "cancellation_reason": self.cancellation_reason,
            "capture_method": self.capture_method,
            "client_secret": self.client_secret,
            "confirmation_method": "automatic",
            "created": self.created.unix(),
            "currency": self.currency,
            "customer": self.customer,
            "description": self.description,
            "last_payment_error": self.last_payment_error,
            "latest_charge": self.latest_charge,
            "livemode": false,
            "metadata": self.metadata,
            "next_action": next_action,
            "on_behalf_of": null,
            "payment_method": self.payment_method,
            "payment_method_configuration_details": null,
            "payment_method_options": {
                "card": {
                    "installments": null,
                    "mandate_options": null,
                    "network": null,
                    "request_three_d_secure": "automatic",
                    "request_multicapture": request_multicapture.unwrap_or("never"),
                }
            },
            "payment_method_types": self.method_types,
            "processing": null,
            "receipt_email": self.receipt_email,
            "review": null,
            "setup_future_usage": self.setup_future_usage,
            "shipping": null,
            "statement_descriptor": self.statement_descriptor,
            "statement_descriptor_suffix": self.statement_descriptor_suffix,
            "status": self.status.as_str(),
            "transfer_data": null,
            "transfer_group": self.transfer_group,
        })
    }
}

impl Intent {
    /// A new intent that waits for a payment method.
    pub(super) fn new(world: &mut World, amount: i64, currency: String) -> Self {
        let id = world.ids.next("pi");
        let client_secret = format!("{id}_secret_{}", world.ids.letters(25));
        Self {
            id,
            created: world.now,
            amount,
            currency,
            status: Status::RequiresPaymentMethod,
            capture_method: "automatic_async",
            amount_received: 0,
            amount_capturable: 0,
            metadata: Metadata::new(),
            description: None,
            customer: None,
            payment_method: None,
            latest_charge: None,
            last_payment_error: None,
            return_url: None,
            session: None,
            canceled_at: None,
            cancellation_reason: None,
            multicapture: false,
            automatic_methods: Some(Redirects::Always),
            setup_future_usage: None,
            receipt_email: None,
            statement_descriptor: None,
            statement_descriptor_suffix: None,
            transfer_group: None,
            client_secret,
            method_types: vec!["card".to_owned()],
        }
    }

    /// What a browser proves itself with.
    pub(super) fn client_secret(&self) -> &str {
        &self.client_secret
    }

    /// The page where the shopper answers the 3D Secure challenge.
    pub(super) fn challenge_url(&self, world: &World) -> String {
        format!("{}/c/challenge/{}", world.base_url, self.id)
    }

    fn next_action(&self, world: &World) -> Value {
        let url = self.challenge_url(world);
        match &self.return_url {
            Some(return_url) => json!({
                "type": "redirect_to_url",
                "redirect_to_url": { "return_url": return_url, "url": url },
            }),
            None => json!({
                "type": "use_stripe_sdk",
                "use_stripe_sdk": { "type": "three_d_secure_redirect", "stripe_js": url },
            }),
        }
    }

    /// 400 for what this state does not allow.
    pub(super) fn unexpected_state(&self, world: &World, message: &str) -> ApiError {
        ApiError::refused("payment_intent_unexpected_state", message)
            .with("payment_intent", self.render(world))
    }
}

pub(super) fn create(world: &mut World, mut call: Call) -> Result<Value, ApiError> {
    let params = &mut call.params;
    let amount = params.integer("amount")?;
    let amount = amount.ok_or_else(|| ApiError::missing_param("amount"))?;
    let currency = amounts::currency(&params.required("currency")?, "currency")?;
    let capture_method = params.one_of("capture_method", CAPTURE_METHODS)?;
    let automatic = take_automatic_methods(params)?;
    let method_types = take_method_types(params, &call.version)?;
    let confirm = params.boolean("confirm")?.unwrap_or(false);
    let confirmation = Confirmation::take(params)?;
    let customer = params.filled("customer")?;
    let description = params.bounded("description", 1000)?;
    let metadata = params.metadata()?.initial();
    let receipt_email = params.filled("receipt_email")?;
    let statement_descriptor = params.bounded("statement_descriptor", 22)?;
    let statement_descriptor_suffix = params.bounded("statement_descriptor_suffix", 22)?;
    let transfer_group = params.filled("transfer_group")?;
    let setup_future_usage = params.one_of("setup_future_usage", &["off_session", "on_session"])?;
    let multicapture = take_multicapture(params)?;
    let _ = params.one_of("confirmation_method", &["automatic", "manual"])?;
    params.accept(ACCEPTED);
    if !confirm && confirmation.return_url.is_some() {
        let message = "return_url may only be given together with confirm=true";
        return Err(ApiError::invalid_param("return_url", None, message));
    }
    amounts::chargeable(amount, &currency, "amount")?;
    let mut left = params.clone();
    left.accept(&["payment_method", "payment_method_data"]);
    left.finish()?;

    if let Some(customer) = &customer {
        let _: Customer = world.find(customer)?;
    }
    let method = customers::take_method(world, params)?;
    let mut intent = Intent::new(world, amount, currency);
    if let Some(method) = &method {
        intent.payment_method = Some(method.id.clone());
        intent.status = Status::RequiresConfirmation;
    }
    intent.capture_method = capture_method.unwrap_or(intent.capture_method);
    if let Some(types) = method_types {
        intent.method_types = types;
        intent.automatic_methods = None;
    }
    intent.automatic_methods = automatic.unwrap_or(intent.automatic_methods);
    intent.customer = customer;
    intent.description = description;
    intent.metadata = metadata;
    intent.receipt_email = receipt_email;
    intent.statement_descriptor = statement_descriptor;
    intent.statement_descriptor_suffix = statement_descriptor_suffix;
    intent.transfer_group = transfer_group;
    intent.setup_future_usage = setup_future_usage;
    intent.multicapture = multicapture;
    if confirm {
        confirmation.check(&intent)?;
    }
    let id = intent.id.clone();
    world.put_and_emit(intent, "payment_intent.created");
    super::search::plan(world, &id);
    if confirm {
        payments::confirm(world, &id, method, confirmation)?;
    }
    Ok(world.find::<Intent>(&id)?.render(world))
}

pub(super) fn confirm(world: &mut World, mut call: Call) -> Result<Value, ApiError> {
    let params = &mut call.params;
    let confirmation = Confirmation::take(params)?;
    let capture_method = params.one_of("capture_method", CAPTURE_METHODS)?;
    let receipt_email = params.text("receipt_email")?;
    let setup_future_usage = params.one_of("setup_future_usage", &["off_session", "on_session"])?;
    let multicapture = take_multicapture(params)?;
    let _ = take_method_types(params, &call.version)?;
    params.accept(ACCEPTED);
    params.accept(&["client_secret"]);
    let mut left = params.clone();
    left.accept(&["payment_method", "payment_method_data"]);
    left.finish()?;

    let mut intent: Intent = world.find(&call.id)?;
    confirmation.check(&intent)?;
    let method = customers::take_method(world, params)?;
    intent.capture_method = capture_method.unwrap_or(intent.capture_method);
    intent.receipt_email = receipt_email.or(intent.receipt_email);
    intent.setup_future_usage = setup_future_usage.or(intent.setup_future_usage);
    intent.multicapture |= multicapture;
    world.put(intent);
    payments::confirm(world, &call.id, method, confirmation)?;
    Ok(world.find::<Intent>(&call.id)?.render(world))
}

pub(super) fn update(world: &mut World, mut call: Call) -> Result<Value, ApiError> {
    let params = &mut call.params;
    let amount = params.integer("amount")?;
    let currency = params.filled("currency")?;
    let currency = currency.map(|code| amounts::currency(&code, "currency"));
    let currency = currency.transpose()?;
    let description = params.bounded("description", 1000)?;
    let metadata = params.metadata()?;
    let receipt_email = params.text("receipt_email")?;
    let transfer_group = params.filled("transfer_group")?;
    let statement_descriptor = params.bounded("statement_descriptor", 22)?;
    let statement_descriptor_suffix = params.bounded("statement_descriptor_suffix", 22)?;
    let customer = params.filled("customer")?;
    params.accept(ACCEPTED);
    let mut left = params.clone();
    left.accept(&["payment_method", "payment_method_data"]);
    left.finish()?;

    let mut intent: Intent = world.find(&call.id)?;
    let method = customers::take_method(world, params)?;
    let settled = !matches!(
        intent.status,
        Status::RequiresPaymentMethod | Status::RequiresConfirmation | Status::RequiresAction
    );
    if settled && (amount.is_some() || currency.is_some() || method.is_some()) {
        let message = format!(
            "This PaymentIntent's amount could not be updated because it has a status of {}.",
            intent.status.as_str()
        );
        return Err(intent.unexpected_state(world, &message));
    }
    intent.currency = currency.unwrap_or(intent.currency);
    if let Some(amount) = amount {
        amounts::chargeable(amount, &intent.currency, "amount")?;
        intent.amount = amount;
    }
    if let Some(method) = method {
        intent.payment_method = Some(method.id);
        intent.status = Status::RequiresConfirmation;
    }
    if let Some(customer) = customer {
        intent.customer = Some(world.find::<Customer>(&customer)?.id);
    }
    metadata.apply(&mut intent.metadata);
    intent.description = description.or(intent.description);
    intent.receipt_email = receipt_email.or(intent.receipt_email);
    intent.transfer_group = transfer_group.or(intent.transfer_group);
    intent.statement_descriptor = statement_descriptor.or(intent.statement_descriptor);
    intent.statement_descriptor_suffix =
        statement_descriptor_suffix.or(intent.statement_descriptor_suffix);
    let answer = intent.render(world);
    world.put(intent);
    super::search::plan(world, &call.id);
    Ok(answer)
}

pub(super) fn capture(world: &mut World, mut call: Call) -> Result<Value, ApiError> {
    let params = &mut call.params;
    let amount = params.integer("amount_to_capture")?;
    let final_capture = params.boolean("final_capture")?.unwrap_or(true);
    let metadata = params.metadata()?;
    params.accept(ACCEPTED);
    params.accept(&["statement_descriptor", "statement_descriptor_suffix"]);
    call.params.finish()?;
    payments::capture(world, &call.id, amount, final_capture)?;
    let mut intent: Intent = world.find(&call.id)?;
    metadata.apply(&mut intent.metadata);
    let answer = intent.render(world);
    world.put(intent);
    super::search::plan(world, &call.id);
    Ok(answer)
}

pub(super) fn cancel(world: &mut World, mut call: Call) -> Result<Value, ApiError> {
    let reasons = &[
        "abandoned",
        "duplicate",
        "fraudulent",
        "requested_by_customer",
    ];
    let reason = call.params.one_of("cancellation_reason", reasons)?;
    call.params.finish()?;
    payments::cancel(world, &call.id, reason)?;
    Ok(world.find::<Intent>(&call.id)?.render(world))
}

pub(super) fn retrieve(world: &mut World, mut call: Call) -> Result<Value, ApiError> {
    call.params.accept(&["client_secret"]);
    call.params.finish()?;
    Ok(world.find::<Intent>(&call.id)?.render(world))
}

pub(super) fn list(world: &mut World, mut call: Call) -> Result<Value, ApiError> {
    let page = Page::take(&mut call.params)?;
    let customer = call.params.filled("customer")?;
    call.params.finish()?;
    page.of::<Intent>(world, "/v1/payment_intents", |intent| {
        customer.is_none() || intent.customer == customer
    })
}

/// `Some(None)` where automatic payment methods are switched off.
fn take_automatic_methods(params: &mut Params) -> Result<Option<Option<Redirects>>, ApiError> {
    let Some(mut parts) = params.parts("automatic_payment_methods")? else {
        return Ok(None);
    };
    let enabled = parts.boolean("enabled")?;
    let redirects = match parts.one_of("allow_redirects", &["always", "never"])? {
        Some("never") => Redirects::Never,
        _ => Redirects::Always,
    };
    let param = parts.full("enabled");
    parts.finish()?;
    match enabled {
        None => Err(ApiError::missing_param(&param)),
        Some(enabled) => Ok(Some(enabled.then_some(redirects))),
    }
}

/// `payment_method_types` left the API in version 2026-09-30.
pub(super) fn take_method_types(
    params: &mut Params,
    version: &str,
) -> Result<Option<Vec<String>>, ApiError> {
    if version >= "2026-09-30" {
        return Ok(None);
    }
    let types = params.texts("payment_method_types")?;
    Ok((!types.is_empty()).then_some(types))
}

pub(super) fn take_multicapture(params: &mut Params) -> Result<bool, ApiError> {
    let Some(mut options) = params.parts("payment_method_options")? else {
        return Ok(false);
    };
    let Some(mut card) = options.parts("card")? else {
        return Ok(false);
    };
    let asked = card.one_of("request_multicapture", &["if_available", "never"])?;
    Ok(asked == Some("if_available"))
}
