//! Sessions: payments that a shopper makes in the shop's own page, or on a hosted one.

use std::time::Duration;

use serde_json::{Value, json};

use super::amounts::Amount;
use super::body::{Body, date};
use super::errors::ApiError;
use super::methods::{Method, Trigger};
use super::payments::{self, Payment, PaymentState, Source, SourceOutcome};
use super::router::Call;
use super::state::{CaptureTiming, Task, World};
use crate::simulator::table::Row;

const KEPT_FOR: Duration = Duration::from_secs(60 * 60);
const KEPT_FOR_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// So many refusals end a session. The number is this simulator's.
const REFUSALS_MAX: u32 = 5;
const CAPTURE_DELAY_MAX: i64 = 672;

/// Fields that change nothing here.
const ACCEPTED: &[&str] = &[
    "accountInfo",
    "additionalAmount",
    "allowedPaymentMethods",
    "applicationInfo",
    "authenticationData",
    "billingAddress",
    "blockedPaymentMethods",
    "channel",
    "company",
    "countryCode",
    "dateOfBirth",
    "deliverAt",
    "deliveryAddress",
    "enableOneClick",
    "enablePayOut",
    "enableRecurring",
    "fundOrigin",
    "fundRecipient",
    "installmentOptions",
    "lineItems",
    "mandate",
    "mcc",
    "mpiData",
    "platformChargebackLogic",
    "recurringExpiry",
    "recurringFrequency",
    "recurringProcessingModel",
    "redirectFromIssuerMethod",
    "redirectToIssuerMethod",
    "riskData",
    "shopperEmail",
    "shopperIP",
    "shopperInteraction",
    "shopperLocale",
    "shopperName",
    "shopperStatement",
    "showInstallmentAmount",
    "showRemovePaymentMethodButton",
    "socialSecurityNumber",
    "splitCardFundingSources",
    "splits",
    "store",
    "storeFiltrationMode",
    "storePaymentMethodMode",
    "telephoneNumber",
    "themeId",
    "threeDS2RequestData",
    "threeDSAuthenticationOnly",
    "trustedShopper",
];

/// What is to be paid, wherever the shopper does it.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) merchant: String,
    pub(super) amount: Amount,
    pub(super) reference: String,
    pub(super) return_url: Option<String>,
    pub(super) capture: CaptureTiming,
    merchant_order_reference: Option<String>,
    pub(super) shopper: Option<String>,
    metadata: Vec<(String, String)>,
}

impl Order {
    /// Reads what sessions, links and payments have in common.
    pub(super) fn read(
        body: &mut Body,
        merchant: String,
        amount: Amount,
        capture: CaptureTiming,
    ) -> Result<Self, ApiError> {
        let metadata = body.pairs("metadata")?;
        let fits = |(key, value): &(String, String)| {
            key.chars().count() <= 20 && value.chars().count() <= 80
        };
        if metadata.len() > 20 || !metadata.iter().all(fits) {
            let message = "Metadata has at most 20 pairs, keys of 20 and values of 80 characters";
            return Err(ApiError::validation("177", message));
        }
        Ok(Self {
            merchant,
            amount,
            reference: body.reference()?,
            return_url: body.text("returnUrl")?,
            capture,
            merchant_order_reference: body.text("merchantOrderReference")?,
            shopper: body.text("shopperReference")?,
            metadata,
        })
    }

    /// A payment of this order that no one has begun.
    pub(super) fn payment(
        &self,
        world: &mut World,
        source: Source,
        method: Method,
        trigger: Option<Trigger>,
    ) -> Payment {
        Payment {
            psp: world.ids.psp(),
            created: world.now,
            merchant: self.merchant.clone(),
            reference: self.reference.clone(),
            amount: self.amount.clone(),
            method,
            trigger,
            capture: self.capture,
            source,
            merchant_order_reference: self.merchant_order_reference.clone(),
            shopper: self.shopper.clone(),
            metadata: self.metadata.clone(),
            return_url: self.return_url.clone(),
            store_card: false,
            stored_card: None,
            state: PaymentState::Pending,
            result_token: world.ids.token(),
            authorised: 0,
            granted: 0,
            captured: 0,
            captures: 0,
            refunded: 0,
            disputed: 0,
        }
    }
}

/// When a payment is captured: what the request says, or else the account.
pub(super) fn capture_delay(
    world: &World,
    merchant: &str,
    hours: Option<i64>,
) -> Result<CaptureTiming, ApiError> {
    match hours {
        None => Ok(world
            .merchant(merchant)
            .map_or(CaptureTiming::Immediate, |merchant| merchant.capture)),
        Some(0) => Ok(CaptureTiming::Immediate),
        Some(hours @ 1..=CAPTURE_DELAY_MAX) => Ok(CaptureTiming::Hours(
            u16::try_from(hours).unwrap_or_default(),
        )),
        Some(_) => {
            let message = "Capture delay is out of range";
            Err(ApiError::validation("702", message))
        }
    }
}

/// The timing that `additionalData` asks for.
pub(super) fn manual_capture(
    additional: &[(String, String)],
    otherwise: CaptureTiming,
) -> CaptureTiming {
    let asked = additional.iter().find(|(key, _)| key == "manualCapture");
    match asked.map(|(_, value)| value.as_str()) {
        Some("true") => CaptureTiming::Manual,
        _ => otherwise,
    }
}

/// A session.
#[derive(Debug, Clone)]
pub(super) struct Session {
    id: String,
    pub(super) order: Order,
    pub(super) status: SessionStatus,
    refusals: u32,
    /// The result that the shop's page was given, with the status as it was then.
    result: Option<(String, SessionStatus)>,
}

/// The states of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SessionStatus {
    Active,
    Completed,
    PaymentPending,
    Refused,
    Canceled,
    Expired,
}

impl Row for Session {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Session {
    /// Where the shopper goes when done: the shop's page, with the result.
    pub(super) fn landing_url(&self) -> Option<String> {
        let url = self.order.return_url.as_ref()?;
        let separator = if url.contains('?') { '&' } else { '?' };
        let result = self.result.as_ref().map(|(result, _)| result.as_str());
        Some(format!(
            "{url}{separator}sessionId={}&sessionResult={}",
            self.id,
            result.unwrap_or_default()
        ))
    }

    pub(super) fn result_token(&self) -> Option<&str> {
        self.result.as_ref().map(|(result, _)| result.as_str())
    }
}

pub(super) fn create(world: &mut World, call: Call) -> Result<(u16, Value), ApiError> {
    let mut body = Body::parse("CreateCheckoutSessionRequest", &call.body)?;
    let mut said = body.echo();
    body.accept(ACCEPTED);
    let merchant = call.merchant(world, &mut body)?;
    let amount = body.amount()?;
    let delay = capture_delay(world, &merchant, body.integer("captureDelayHours")?)?;
    let capture = manual_capture(&body.pairs("additionalData")?, delay);
    let hosted = match body.text("mode")?.as_deref() {
        Some("hosted") => true,
        None | Some("embedded") => false,
        Some(_) => return Err(ApiError::validation("702", "Field 'mode' is not valid.")),
    };
    body.accept(&["storePaymentMethod"]);
    let expires = body.instant("expiresAt")?;
    let order = Order::read(&mut body, merchant, amount, capture)?;
    body.finish()?;
    if order.return_url.is_none() {
        return Err(ApiError::validation("14_030", "Return URL is missing."));
    }
    let latest = world.now.saturating_add(KEPT_FOR_MAX);
    let expires = expires.unwrap_or_else(|| world.now.saturating_add(KEPT_FOR));
    if expires <= world.now || expires > latest {
        let message = "expiresAt must be in the future and at most 24 hours away";
        return Err(ApiError::validation("29_001", message));
    }
    let session = Session {
        id: world.ids.hex("CS"),
        order,
        status: SessionStatus::Active,
        refusals: 0,
        result: None,
    };
    let mut put = |name: &str, value: Value| drop(said.insert(name.to_owned(), value));
    put("id", json!(session.id));
    put("expiresAt", json!(date(expires)));
    put("mode", json!(if hosted { "hosted" } else { "embedded" }));
    put("sessionData", json!(world.ids.token()));
    if hosted {
        put("url", json!(page_url(world, &session.id)));
    }
    world.plan_at(expires, Task::ExpireSession(session.id.clone()));
    world.sessions.put(session);
    Ok((201, Value::Object(said)))
}

/// The hosted page, which also stands in for the shop's own page with the drop-in.
pub(super) fn page_url(world: &World, id: &str) -> String {
    world.url("checkoutshopper-test.adyen.com", &format!("/{id}"))
}

/// What the result says that the shop's page was given. It never changes afterwards.
pub(super) fn result(world: &mut World, call: Call) -> Result<(u16, Value), ApiError> {
    let found = world.sessions.get(&call.id);
    let session = found.ok_or_else(|| ApiError::validation("29_004", "Session not found"))?;
    call.check_merchant(world, &session.order.merchant)?;
    let given = call.parameter("sessionResult");
    let status = match &session.result {
        Some((result, status)) if given.as_ref() == Some(result) => *status,
        _ => return Err(ApiError::validation("29_005", "Invalid sessionResult")),
    };
    let status = match status {
        SessionStatus::Active => "active",
        SessionStatus::Completed => "completed",
        SessionStatus::PaymentPending => "paymentPending",
        SessionStatus::Refused => "refused",
        SessionStatus::Canceled => "canceled",
        SessionStatus::Expired => "expired",
    };
    let source = Source::Session(call.id.clone());
    let made = world.payments.oldest_first();
    let made = made.filter(|payment| payment.source == source);
    let payments: Vec<Value> = made
        .filter(|payment| matches!(payment.state, PaymentState::Authorised))
        .map(|payment| {
            json!({
                "amount": payment.amount.with_value(payment.granted).to_json(),
                "paymentMethod": { "brand": payment.method.variant, "type": payment.method.kind },
                "pspReference": payment.psp,
                "resultCode": "Authorised",
            })
        })
        .collect();
    let mut answer = json!({
        "id": call.id,
        "reference": session.order.reference,
        "status": status,
    });
    if let (false, Some(fields)) = (payments.is_empty(), answer.as_object_mut()) {
        let _ = fields.insert("payments".to_owned(), json!(payments));
    }
    Ok((200, answer))
}

pub(super) fn expire_when_due(world: &mut World, id: &str) {
    if let Some(session) = world.sessions.get(id).cloned()
        && session.status == SessionStatus::Active
    {
        finish(world, session, SessionStatus::Expired);
    }
}

/// What became of a try to pay in this session.
pub(super) fn settle(world: &mut World, id: &str, outcome: SourceOutcome) {
    let Some(mut session) = world.sessions.get(id).cloned() else {
        return;
    };
    if session.status != SessionStatus::Active {
        return;
    }
    match outcome {
        SourceOutcome::Paid => finish(world, session, SessionStatus::Completed),
        SourceOutcome::Pending => finish(world, session, SessionStatus::PaymentPending),
        SourceOutcome::Refused => {
            session.refusals += 1;
            if session.refusals >= REFUSALS_MAX {
                finish(world, session, SessionStatus::Refused);
            } else {
                world.sessions.put(session);
            }
        }
    }
}

/// The shopper gives up on the page.
pub(super) fn cancel(world: &mut World, id: &str) {
    if let Some(session) = world.sessions.get(id).cloned()
        && session.status == SessionStatus::Active
    {
        finish(world, session, SessionStatus::Canceled);
    }
}

fn finish(world: &mut World, mut session: Session, status: SessionStatus) {
    session.status = status;
    session.result = Some((world.ids.token(), status));
    world.sessions.put(session);
}

/// Begins a payment of a link or a session.
pub(super) fn begin(
    world: &mut World,
    order: &Order,
    source: Source,
    method: Method,
    trigger: Option<Trigger>,
) -> String {
    let payment = order.payment(world, source, method, trigger);
    payments::begin(world, payment, false)
}
