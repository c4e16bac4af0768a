//! Customers and payment methods, as little of them as paying needs.

use serde_json::{Value, json};

use super::errors::ApiError;
use super::form::Params;
use super::listing::Page;
use super::router::Call;
use super::state::{Metadata, Record, World, record_table};
use super::tokens::{self, MethodKind, TestMethod};
use crate::clock::Timestamp;

/// Someone who pays more than once.
#[derive(Debug, Clone)]
pub(super) struct Customer {
    pub(super) id: String,
    pub(super) created: Timestamp,
    email: Option<String>,
    name: Option<String>,
    description: Option<String>,
    phone: Option<String>,
    metadata: Metadata,
}

impl Record for Customer {
    const OBJECT: &'static str = "customer";
    record_table!(customers);

    fn render(&self, _: &World) -> Value {
        json!({
            "id": self.id,
            "object": "customer",
            "address": null,
            "balance": 0,
            "created": self.created.unix(),
            "currency": null,
            "default_source": null,
            "delinquent": false,
            "description": self.description,
            "discount": null,
            "email": self.email,
            "livemode": false,
            "metadata": self.metadata,
            "name": self.name,
            "phone": self.phone,
            "preferred_locales": [],
            "shipping": null,
            "tax_exempt": "none",
            "test_clock": null,
        })
    }
}

/// A card or bank account, known by its test name only.
#[derive(Debug, Clone)]
pub(super) struct PaymentMethod {
    pub(super) id: String,
    pub(super) created: Timestamp,
    pub(super) method: TestMethod,
    pub(super) customer: Option<String>,
    /// One that belongs to no customer pays once.
    pub(super) used: bool,
    metadata: Metadata,
}

impl Record for PaymentMethod {
    const OBJECT: &'static str = "payment_method";
    const PARAM: &'static str = "payment_method";
    record_table!(payment_methods);

    fn render(&self, _: &World) -> Value {
        let TestMethod {
            kind, brand, last4, ..
        } = self.method;
        let details = match kind {
            MethodKind::Card => json!({
                "brand": brand,
                "checks": {
                    "address_line1_check": null,
                    "address_postal_code_check": null,
                    "cvc_check": null,
                },
                "country": "US",
                "display_brand": brand,
                "exp_month": 12,
                "exp_year": 2034,
                "fingerprint": format!("sim{last4}"),
                "funding": "credit",
                "generated_from": null,
                "last4": last4,
                "networks": { "available": [brand], "preferred": null },
                "regulated_status": "unregulated",
                "three_d_secure_usage": { "supported": true },
                "wallet": null,
            }),
            MethodKind::SepaDebit => json!({
                "bank_code": "19043",
                "branch_code": "",
                "country": "AT",
                "fingerprint": format!("sim{last4}"),
                "generated_from": null,
                "last4": last4,
            }),
            MethodKind::UsBankAccount => json!({
                "account_holder_type": "individual",
                "account_type": "checking",
                "bank_name": "STRIPE TEST BANK",
                "financial_connections_account": null,
                "fingerprint": format!("sim{last4}"),
                "last4": last4,
                "networks": null,
                "routing_number": "110000000",
                "status_details": null,
            }),
        };
        let mut object = json!({
            "id": self.id,
            "object": "payment_method",
            "allow_redisplay": "unspecified",
            "billing_details": billing_details(),
            "created": self.created.unix(),
            "customer": self.customer,
            "livemode": false,
            "metadata": self.metadata,
            "type": kind.as_str(),
        });
        if let Some(fields) = object.as_object_mut() {
            let _ = fields.insert(kind.as_str().to_owned(), details);
        }
        object
    }
}

/// Billing details of someone who told nothing.
pub(super) fn billing_details() -> Value {
    json!({
        "address": {
            "city": null,
            "country": null,
            "line1": null,
            "line2": null,
            "postal_code": null,
            "state": null,
        },
        "email": null,
        "name": null,
        "phone": null,
        "tax_id": null,
    })
}

/// Takes the payment method that a request names, by `payment_method` or by a token inside
/// `payment_method_data`. A test name becomes a payment method of its own, as at Stripe.
pub(super) fn take_method(
    world: &mut World,
    params: &mut Params,
) -> Result<Option<PaymentMethod>, ApiError> {
    let named = params.filled("payment_method")?;
    let data = params.parts("payment_method_data")?;
    match (named, data) {
        (None, None) => Ok(None),
        (Some(name), _) => Ok(Some(method_named(world, &name)?)),
        (None, Some(data)) => {
            let method = method_from_data(data)?;
            Ok(Some(new_method(world, method)))
        }
    }
}

/// The payment method with this id or test name.
pub(super) fn method_named(world: &mut World, name: &str) -> Result<PaymentMethod, ApiError> {
    if name.starts_with("pm_")
        && let Some(method) = tokens::find(name)
    {
        return Ok(new_method(world, method));
    }
    world.find(name)
}

pub(super) fn new_method(world: &mut World, method: TestMethod) -> PaymentMethod {
    let method = PaymentMethod {
        id: world.ids.next("pm"),
        created: world.now,
        method,
        customer: None,
        used: false,
        metadata: Metadata::new(),
    };
    world.put(method.clone());
    method
}

/// `type=card` with `card[token]=tok_visa`.
fn method_from_data(mut data: Params) -> Result<TestMethod, ApiError> {
    let kind = data.one_of("type", &["card"])?;
    if kind.is_none() {
        return Err(ApiError::missing_param(&data.full("type")));
    }
    let mut card = match data.parts("card")? {
        Some(card) => card,
        None => return Err(ApiError::missing_param(&data.full("card"))),
    };
    data.accept(&["billing_details", "allow_redisplay", "metadata"]);
    data.finish()?;
    let number = card.full("number");
    if card.text("number").is_ok_and(|number| number.is_some()) {
        let message = "Sending credit card numbers directly to the Stripe API is generally \
                       unsafe. Use a test payment method such as pm_card_visa or a test token \
                       such as tok_visa.";
        return Err(ApiError::invalid_param(&number, None, message));
    }
    let token = card.required("token")?;
    let param = card.full("token");
    card.finish()?;
    let found = tokens::find(&token).filter(|_| token.starts_with("tok_"));
    found.ok_or_else(|| ApiError::missing("token", &token, &param))
}

pub(super) fn create_method(world: &mut World, mut call: Call) -> Result<Value, ApiError> {
    let metadata = call.params.metadata()?.initial();
    call.params.accept(&["metadata"]);
    let method = method_from_data(call.params)?;
    let mut method = new_method(world, method);
    method.metadata = metadata;
    world.put(method.clone());
    Ok(method.render(world))
}

pub(super) fn retrieve_method(world: &mut World, call: Call) -> Result<Value, ApiError> {
    call.params.finish()?;
    Ok(method_named(world, &call.id)?.render(world))
}

pub(super) fn attach_method(world: &mut World, mut call: Call) -> Result<Value, ApiError> {
    let customer = call.params.required("customer")?;
    call.params.finish()?;
    let mut method = method_named(world, &call.id)?;
    let customer: Customer = world.find(&customer)?;
    if method.used && method.customer.is_none() {
        return Err(used_up());
    }
    method.customer = Some(customer.id);
    world.update_and_emit(method.clone(), "payment_method.attached");
    Ok(method.render(world))
}

/// Why a payment method without a customer cannot pay again.
pub(super) fn used_up() -> ApiError {
    let message = "The provided PaymentMethod was previously used with a PaymentIntent without \
                   Customer attachment, and may not be used again. To use a PaymentMethod \
                   multiple times, you must attach it to a Customer first.";
    ApiError::refused("payment_method_invalid_parameter", message).with_param("payment_method")
}

pub(super) fn create(world: &mut World, mut call: Call) -> Result<Value, ApiError> {
    let params = &mut call.params;
    let email = params.filled("email")?;
    let name = params.filled("name")?;
    let description = params.filled("description")?;
    let phone = params.filled("phone")?;
    let metadata = params.metadata()?.initial();
    params.accept(&["address", "shipping", "preferred_locales", "tax_exempt"]);
    call.params.finish()?;
    let customer = Customer {
        id: world.ids.next("cus"),
        created: world.now,
        email,
        name,
        description,
        phone,
        metadata,
    };
    world.put_and_emit(customer.clone(), "customer.created");
    Ok(customer.render(world))
}

pub(super) fn retrieve(world: &mut World, call: Call) -> Result<Value, ApiError> {
    call.params.finish()?;
    Ok(world.find::<Customer>(&call.id)?.render(world))
}

pub(super) fn list(world: &mut World, mut call: Call) -> Result<Value, ApiError> {
    let page = Page::take(&mut call.params)?;
    let email = call.params.filled("email")?;
    call.params.finish()?;
    page.of::<Customer>(world, "/v1/customers", |customer| {
        email.is_none() || customer.email == email
    })
}
