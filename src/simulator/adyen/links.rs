//! Pay by Link: a page on which a shopper pays, known by its link.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::body::{Body, date};
use super::errors::ApiError;
use super::payments::SourceOutcome;
use super::router::Call;
use super::sessions::{Order, capture_delay};
use super::state::{CaptureTiming, Task, World};
use crate::clock::Timestamp;
use crate::simulator::table::Row;

const HOUR: Duration = Duration::from_secs(60 * 60);
const KEPT_FOR_MAX: Duration = Duration::from_secs(70 * 24 * 60 * 60);

/// Fields that change nothing here.
const ACCEPTED: &[&str] = &[
    "allowedPaymentMethods",
    "applicationInfo",
    "billingAddress",
    "blockedPaymentMethods",
    "countryCode",
    "dateOfBirth",
    "deliverAt",
    "deliveryAddress",
    "description",
    "fundOrigin",
    "fundRecipient",
    "installmentOptions",
    "lineItems",
    "mcc",
    "platformChargebackLogic",
    "recurringProcessingModel",
    "requiredShopperFields",
    "riskData",
    "shopperEmail",
    "shopperLocale",
    "shopperName",
    "shopperStatement",
    "showRemovePaymentMethodButton",
    "socialSecurityNumber",
    "splitCardFundingSources",
    "splits",
    "store",
    "storePaymentMethodMode",
    "telephoneNumber",
    "themeId",
    "threeDS2RequestData",
];

/// A link and its page.
#[derive(Debug, Clone)]
pub(super) struct Link {
    id: String,
    /// The request, which is answered back.
    said: Map<String, Value>,
    pub(super) order: Order,
    pub(super) status: LinkStatus,
    reusable: bool,
    expires: Timestamp,
    updated: Option<Timestamp>,
}

/// The states of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkStatus {
    Active,
    Completed,
    Expired,
    PaymentPending,
}

impl Row for Link {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Link {
    fn render(&self, world: &World) -> Value {
        let status = match self.status {
            LinkStatus::Active => "active",
            LinkStatus::Completed => "completed",
            LinkStatus::Expired => "expired",
            LinkStatus::PaymentPending => "paymentPending",
        };
        let mut fields = self.said.clone();
        let mut put = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
        put("id", json!(self.id));
        put(
            "url",
            json!(world.url("test.adyen.link", &format!("/{}", self.id))),
        );
        put("status", json!(status));
        put("reusable", json!(self.reusable));
        put("expiresAt", json!(date(self.expires)));
        if let Some(at) = self.updated {
            put("updatedAt", json!(date(at)));
        }
        Value::Object(fields)
    }
}

pub(super) fn create(world: &mut World, call: Call) -> Result<(u16, Value), ApiError> {
    let mut body = Body::parse("PaymentLinkRequest", &call.body)?;
    let said = body.echo();
    body.accept(ACCEPTED);
    let merchant = call.merchant(world, &mut body)?;
    let amount = body.amount()?;
    let manual = body.boolean("manualCapture")?.unwrap_or_default();
    let delayed = capture_delay(world, &merchant, body.integer("captureDelayHours")?)?;
    let capture = if manual {
        CaptureTiming::Manual
    } else {
        delayed
    };
    let reusable = body.boolean("reusable")?.unwrap_or_default();
    let expires = body.instant("expiresAt")?;
    let order = Order::read(&mut body, merchant, amount, capture)?;
    body.finish()?;
    let latest = world.now.saturating_add(KEPT_FOR_MAX);
    let expires = expires.unwrap_or_else(|| world.now.saturating_add(24 * HOUR));
    if expires <= world.now || expires > latest {
        let message = "expiresAt must be in the future and at most 70 days away";
        return Err(ApiError::validation("29_001", message));
    }
    let link = Link {
        id: world.ids.hex("PL"),
        said,
        order,
        status: LinkStatus::Active,
        reusable,
        expires,
        updated: None,
    };
    world.plan_at(expires, Task::ExpireLink(link.id.clone()));
    let answer = link.render(world);
    world.links.put(link);
    Ok((201, answer))
}

pub(super) fn retrieve(world: &mut World, call: Call) -> Result<(u16, Value), ApiError> {
    Ok((200, find(world, &call)?.render(world)))
}

/// Closes a link, which is all that can be changed.
pub(super) fn update(world: &mut World, call: Call) -> Result<(u16, Value), ApiError> {
    let mut body = Body::parse("UpdatePaymentLinkRequest", &call.body)?;
    let status = body.text("status")?;
    body.finish()?;
    let mut link = find(world, &call)?;
    if status.as_deref() != Some("expired") {
        let message = "A payment link can only be updated to the status expired";
        return Err(ApiError::validation("29_002", message));
    }
    if link.status != LinkStatus::Active {
        let message = "The payment link is not active any more";
        return Err(ApiError::validation("29_003", message));
    }
    link.status = LinkStatus::Expired;
    link.updated = Some(world.now);
    let answer = link.render(world);
    world.links.put(link);
    Ok((200, answer))
}

/// That an unknown link is a 404 is unverified: the specification lists no such answer.
fn find(world: &World, call: &Call) -> Result<Link, ApiError> {
    let found = world.links.get(&call.id).cloned();
    let link = found.ok_or_else(|| ApiError::not_found("Payment link not found"))?;
    call.check_merchant(world, &link.order.merchant)?;
    Ok(link)
}

pub(super) fn expire_when_due(world: &mut World, id: &str) {
    if let Some(mut link) = world.links.get(id).cloned()
        && link.status == LinkStatus::Active
    {
        link.status = LinkStatus::Expired;
        link.updated = Some(world.now);
        world.links.put(link);
    }
}

/// What became of a try to pay by this link. After a refusal another can follow.
pub(super) fn settle(world: &mut World, id: &str, outcome: SourceOutcome) {
    let Some(mut link) = world.links.get(id).cloned() else {
        return;
    };
    let status = match outcome {
        _ if link.reusable => link.status,
        SourceOutcome::Paid => LinkStatus::Completed,
        SourceOutcome::Pending => LinkStatus::PaymentPending,
        SourceOutcome::Refused if world.now >= link.expires => LinkStatus::Expired,
        SourceOutcome::Refused => LinkStatus::Active,
    };
    if status != link.status && link.status != LinkStatus::Completed {
        link.status = status;
        link.updated = Some(world.now);
        world.links.put(link);
    }
}
