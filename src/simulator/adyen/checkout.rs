//! `/payments`, `/payments/details` and `/paymentMethods`.

use serde_json::{Map, Value, json};

use super::body::Body;
use super::errors::ApiError;
use super::methods::{self, Chosen};
use super::payments::{self, Payment, PaymentState, Source, Step};
use super::router::Call;
use super::sessions::{Order, capture_delay, manual_capture};
use super::state::World;

/// Fields that change nothing here.
const ACCEPTED: &[&str] = &[
    "accountInfo",
    "additionalAmount",
    "applicationInfo",
    "bankAccount",
    "billingAddress",
    "browserInfo",
    "channel",
    "checkoutAttemptId",
    "company",
    "countryCode",
    "dateOfBirth",
    "dccQuote",
    "deliverAt",
    "deliveryAddress",
    "deliveryDate",
    "deviceFingerprint",
    "enableOneClick",
    "enablePayOut",
    "enableRecurring",
    "enhancedSchemeData",
    "entityType",
    "fraudOffset",
    "fundOrigin",
    "fundRecipient",
    "industryUsage",
    "installments",
    "lineItems",
    "localizedShopperStatement",
    "mandate",
    "mcc",
    "merchantRiskIndicator",
    "mpiData",
    "order",
    "orderReference",
    "origin",
    "paymentValidations",
    "platformChargebackLogic",
    "recurringExpiry",
    "recurringFrequency",
    "recurringProcessingModel",
    "redirectFromIssuerMethod",
    "redirectToIssuerMethod",
    "riskData",
    "sessionValidity",
    "shopperConversionId",
    "shopperEmail",
    "shopperIP",
    "shopperInteraction",
    "shopperLocale",
    "shopperName",
    "shopperStatement",
    "shopperTaxInfo",
    "socialSecurityNumber",
    "splits",
    "store",
    "subMerchants",
    "surcharge",
    "telephoneNumber",
    "threeDS2RequestData",
    "threeDSAuthenticationOnly",
    "trustedShopper",
];

pub(super) fn pay(world: &mut World, call: Call) -> Result<(u16, Value), ApiError> {
    let mut body = Body::parse("PaymentRequest", &call.body)?;
    body.accept(ACCEPTED);
    let merchant = call.merchant(world, &mut body)?;
    let amount = body.amount()?;
    let method = body.object("paymentMethod")?;
    let additional = body.pairs("additionalData")?;
    let authentication = body.object("authenticationData")?.unwrap_or_default();
    let store_card = body.boolean("storePaymentMethod")?.unwrap_or_default();
    let delay = capture_delay(world, &merchant, body.integer("captureDelayHours")?)?;
    let capture = manual_capture(&additional, delay);
    let order = Order::read(&mut body, merchant, amount, capture)?;
    body.finish()?;
    let method = method.ok_or_else(|| {
        ApiError::validation("14_002", "Required object 'paymentMethod' is not provided.")
    })?;
    if order.return_url.is_none() {
        return Err(ApiError::validation("14_030", "Return URL is missing."));
    }
    let (method, trigger) = match methods::choose(&method)? {
        Chosen::Method(method, trigger) => {
            let code = additional
                .iter()
                .find(|(key, _)| key == "RequestedTestAcquirerResponseCode");
            let code = code.and_then(|(_, code)| methods::by_response_code(code));
            (method, code.or(trigger))
        }
        Chosen::Stored(id) => (stored_method(world, &order, &id)?, None),
    };
    let mut payment = order.payment(world, Source::Api, method, trigger);
    payment.store_card = store_card && method.kind == "scheme";
    let psp = payments::begin(world, payment, wants_native(&authentication));
    Ok((200, answer(world, &psp)))
}

/// A stored card is charged for its own shopper only.
fn stored_method(world: &World, order: &Order, id: &str) -> Result<methods::Method, ApiError> {
    let found = world.stored.get(id);
    let fitting = found.filter(|card| {
        card.merchant == order.merchant && Some(&card.shopper) == order.shopper.as_ref()
    });
    fitting.map(|card| card.method).ok_or_else(|| {
        let message = "PaymentDetail not found";
        ApiError::validation("800", message)
    })
}

/// Whether the 3D Secure challenge is to be shown in the shop's own page.
fn wants_native(authentication: &Map<String, Value>) -> bool {
    let request = authentication.get("threeDSRequestData");
    request.and_then(|data| data.get("nativeThreeDS")?.as_str()) == Some("preferred")
}

pub(super) fn details(world: &mut World, call: Call) -> Result<(u16, Value), ApiError> {
    let mut body = Body::parse("PaymentDetailsRequest", &call.body)?;
    let details = body.object("details")?.unwrap_or_default();
    body.accept(&[
        "authenticationData",
        "paymentData",
        "threeDSAuthenticationOnly",
    ]);
    body.finish()?;
    let names = [
        "redirectResult",
        "threeDSResult",
        "threeds2.challengeResult",
        "payload",
    ];
    let mut given = names.iter().filter_map(|name| details.get(*name)?.as_str());
    let invalid = || ApiError::validation("14_006", "The payment details are invalid");
    let token = given.next().ok_or_else(invalid)?;
    let found = world
        .payments
        .newest_first()
        .find(|payment| payment.result_token == token);
    let payment = found.ok_or_else(invalid)?;
    call.check_merchant(world, &payment.merchant)?;
    let psp = payment.psp.clone();
    // The shopper has brought nothing back unless there was something to answer.
    if matches!(payment.state, PaymentState::Action(_, None)) {
        return Err(invalid());
    }
    payments::resume(world, &psp);
    Ok((200, answer(world, &psp)))
}

pub(super) fn methods(world: &mut World, call: Call) -> Result<(u16, Value), ApiError> {
    let mut body = Body::parse("PaymentMethodsRequest", &call.body)?;
    let _ = call.merchant(world, &mut body)?;
    let shopper = body.text("shopperReference")?;
    body.accept(&[
        "additionalData",
        "allowedPaymentMethods",
        "amount",
        "blockedPaymentMethods",
        "browserInfo",
        "channel",
        "countryCode",
        "order",
        "shopperConversionId",
        "shopperEmail",
        "shopperIP",
        "shopperLocale",
        "splitCardFundingSources",
        "store",
        "storeFiltrationMode",
        "telephoneNumber",
    ]);
    body.finish()?;
    let cards = world.stored.oldest_first();
    let own = cards.filter(|card| shopper.as_ref() == Some(&card.shopper));
    let stored: Vec<Value> = own
        .map(|card| {
            json!({
                "brand": card.method.variant,
                "expiryMonth": "03",
                "expiryYear": "2030",
                "id": crate::simulator::table::Row::id(card),
                "lastFour": card.method.summary,
                "name": "Card",
                "supportedShopperInteractions": ["Ecommerce", "ContAuth"],
                "type": card.method.kind,
            })
        })
        .collect();
    let mut answer = json!({
        "paymentMethods": [
            { "type": "scheme", "name": "Cards", "brands": ["visa", "mc"] },
            { "type": "ideal", "name": "iDEAL" },
            { "type": "sepadirectdebit", "name": "SEPA Direct Debit" },
        ],
    });
    if let (false, Some(fields)) = (stored.is_empty(), answer.as_object_mut()) {
        let _ = fields.insert("storedPaymentMethods".to_owned(), json!(stored));
    }
    Ok((200, answer))
}

/// How a payment stands, as `/payments` and `/payments/details` answer it.
fn answer(world: &World, psp: &str) -> Value {
    let Some(payment) = world.payments.get(psp) else {
        return json!({});
    };
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
    put("resultCode", json!(payment.result_code()));
    put("merchantReference", json!(payment.reference));
    put("pspReference", json!(payment.psp));
    match payment.state {
        PaymentState::Action(step, _) => {
            put("action", action(world, payment, step));
        }
        PaymentState::Refused(code) => {
            put("refusalReason", json!(methods::refusal_text(code)));
            put("refusalReasonCode", json!(code.to_string()));
        }
        PaymentState::Error => {
            put("refusalReason", json!(methods::refusal_text(4)));
            put("refusalReasonCode", json!("4"));
        }
        _ => {
            let held = match payment.state {
                PaymentState::Authorised => payment.granted,
                _ => payment.amount.value,
            };
            put("amount", payment.amount.with_value(held).to_json());
            let brand = payment.method.variant;
            put(
                "paymentMethod",
                json!({ "brand": brand, "type": payment.method.kind }),
            );
        }
    }
    let mut additional = Map::new();
    let mut add = |name: &str, value: &str| drop(additional.insert(name.to_owned(), json!(value)));
    if payment.method.kind == "scheme" {
        add("cardSummary", payment.method.summary);
        add("paymentMethod", payment.method.variant);
    }
    if payment.state == PaymentState::Authorised {
        add("authCode", &payments::auth_code(psp));
    }
    if let (Some(card), Some(shopper)) = (&payment.stored_card, &payment.shopper) {
        add("tokenization.storedPaymentMethodId", card);
        add("tokenization.shopperReference", shopper);
    }
    if !additional.is_empty() {
        put("additionalData", Value::Object(additional));
    }
    Value::Object(fields)
}

fn action(world: &World, payment: &Payment, step: Step) -> Value {
    match step {
        Step::Challenged => json!({
            "type": "threeDS2",
            "subtype": "challenge",
            "paymentMethodType": "scheme",
            "token": payment.psp,
            "url": payment.page_url(world),
        }),
        Step::Redirected | Step::AtBank => json!({
            "type": "redirect",
            "method": "GET",
            "paymentMethodType": payment.method.kind,
            "url": payment.page_url(world),
        }),
    }
}
