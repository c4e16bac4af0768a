//! Orders: what a shopper is asked to approve, and what it became.
//!
//! Source: `checkout_orders_v2` of the official specifications. How long an order lives is not in
//! them: PayPal's pages give three hours, before and after the approval, and reports of merchants
//! say that an order which was not paid answers 404 later on; 72 hours here (unverified).

use std::time::Duration;

use serde_json::{Value, json};

use super::errors::ApiError;
use super::events::{self, Resource};
use super::funding::Funding;
use super::order_request::{self, Unit};
use super::router::{Call, Made, Reply};
use super::state::{
    MERCHANT_EMAIL, MERCHANT_ID, PAYER_EMAIL, PAYER_ID, Task, World, find, put_some, row,
};
use super::{authorizations, captures};
use crate::clock::Timestamp;

const LIVES: Duration = Duration::from_secs(3 * 60 * 60);
const FORGOTTEN_AFTER: Duration = Duration::from_secs(72 * 60 * 60);

/// What the merchant asks for.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) id: String,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) intent: Intent,
    pub(super) units: Vec<Unit>,
    pub(super) state: State,
    pub(super) funding: Option<Funding>,
    /// Whether the order came with a `payment_source`, so that its page is `payer-action`.
    pub(super) has_source: bool,
    pub(super) page: PageSettings,
    /// Its time is over: it can be neither approved nor paid.
    pub(super) lapsed: bool,
    /// The API no longer knows it.
    forgotten: bool,
}

/// What happens after the approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    Capture,
    Authorize,
}

/// The states that are simulated; `SAVED` is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Waits for the shopper: `CREATED`, or `PAYER_ACTION_REQUIRED` with a `payment_source`.
    Open,
    /// The bank asks the shopper whether it is them.
    Challenged,
    Approved,
    Completed,
    Voided,
}

/// Where the approval page leads.
#[derive(Debug, Clone, Default)]
pub(super) struct PageSettings {
    pub(super) return_url: Option<String>,
    pub(super) cancel_url: Option<String>,
    pub(super) brand_name: Option<String>,
    pub(super) pays_now: bool,
}

row!(Order);

impl Order {
    pub(super) fn total(&self) -> i64 {
        self.units.iter().map(|unit| unit.amount.units).sum()
    }

    /// The sum of all units, for people.
    pub(super) fn display_total(&self) -> String {
        let first = self.units.first();
        first.map_or_else(String::new, |unit| unit.amount.of(self.total()).display())
    }

    fn status(&self) -> &'static str {
        match self.state {
            State::Open if self.has_source => "PAYER_ACTION_REQUIRED",
            State::Open => "CREATED",
            State::Challenged => "PAYER_ACTION_REQUIRED",
            State::Approved => "APPROVED",
            State::Completed => "COMPLETED",
            State::Voided => "VOIDED",
        }
    }

    /// The address of the approval page.
    pub(super) fn page_url(&self, world: &World) -> String {
        world.page_url(&format!("/checkoutnow?token={}", self.id))
    }

    fn links(&self, world: &World) -> Value {
        let path = format!("/v2/checkout/orders/{}", self.id);
        let mut links = vec![world.link("self", "GET", &path)];
        if matches!(self.state, State::Open | State::Challenged) {
            let rel = if self.has_source {
                "payer-action"
            } else {
                "approve"
            };
            links.push(json!({ "href": self.page_url(world), "rel": rel, "method": "GET" }));
        }
        let is_open = !matches!(self.state, State::Completed | State::Voided);
        if is_open && !(self.has_source && self.state == State::Open) {
            let action = match self.intent {
                Intent::Capture => "capture",
                Intent::Authorize => "authorize",
            };
            links.push(world.link("update", "PATCH", &path));
            links.push(world.link(action, "POST", &format!("{path}/{action}")));
        }
        json!(links)
    }

    /// The order as the API answers it.
    pub(super) fn render(&self, world: &World, whole: bool) -> Value {
        let mut object = json!({
            "id": self.id,
            "status": self.status(),
            "links": self.links(world),
        });
        if !whole {
            return object;
        }
        let units: Vec<Value> = (0..)
            .zip(&self.units)
            .map(|(at, unit)| self.render_unit(world, at, unit))
            .collect();
        let intent = match self.intent {
            Intent::Capture => "CAPTURE",
            Intent::Authorize => "AUTHORIZE",
        };
        let paid_by = self.funding.is_some();
        let source = (paid_by || self.has_source).then(|| self.render_source(paid_by));
        let payer = paid_by.then(|| {
            json!({
                "name": { "given_name": "Sam", "surname": "Shopper" },
                "email_address": PAYER_EMAIL,
                "payer_id": PAYER_ID,
                "address": { "country_code": "DE" },
            })
        });
        put_some(
            &mut object,
            [
                ("intent", Some(json!(intent))),
                ("purchase_units", Some(json!(units))),
                ("create_time", Some(json!(self.created.to_string()))),
                (
                    "update_time",
                    (self.updated != self.created).then(|| json!(self.updated.to_string())),
                ),
                ("payment_source", source),
                ("payer", payer),
            ],
        );
        object
    }

    fn render_source(&self, known: bool) -> Value {
        if !known {
            return json!({ "paypal": {} });
        }
        json!({ "paypal": {
            "email_address": PAYER_EMAIL,
            "account_id": PAYER_ID,
            "account_status": "VERIFIED",
            "name": { "given_name": "Sam", "surname": "Shopper" },
            "address": { "country_code": "DE" },
        } })
    }

    fn render_unit(&self, world: &World, at: usize, unit: &Unit) -> Value {
        let mut amount = unit.amount.render();
        put_some(&mut amount, [("breakdown", unit.breakdown.clone())]);
        let mut object = json!({
            "reference_id": unit.reference_id,
            "amount": amount,
            "payee": { "email_address": MERCHANT_EMAIL, "merchant_id": MERCHANT_ID },
        });
        let text = |text: &Option<String>| text.as_ref().map(|text| json!(text));
        put_some(
            &mut object,
            [
                ("custom_id", text(&unit.custom_id)),
                ("invoice_id", text(&unit.invoice_id)),
                ("description", text(&unit.description)),
                ("soft_descriptor", text(&unit.soft_descriptor)),
                ("items", unit.items.clone()),
                ("shipping", unit.shipping.clone()),
                ("payments", self.render_payments(world, at)),
            ],
        );
        object
    }

    /// What was held, taken and given back of a unit; `None` if nothing.
    fn render_payments(&self, world: &World, at: usize) -> Option<Value> {
        let of_unit = |order: &str, unit: usize| order == self.id && unit == at;
        let authorizations = world.authorizations.oldest_first();
        let authorizations: Vec<Value> = authorizations
            .filter(|held| of_unit(&held.order, held.unit))
            .map(|held| held.render(world, authorizations::View::InOrder))
            .collect();
        let captures: Vec<_> = world
            .captures
            .oldest_first()
            .filter(|capture| of_unit(&capture.order, capture.unit))
            .collect();
        let refunds = world.refunds.oldest_first();
        let refunds: Vec<Value> = refunds
            .filter(|refund| captures.iter().any(|capture| capture.id == refund.capture))
            .map(|refund| refund.render(world, true))
            .collect();
        let captures: Vec<Value> = captures
            .iter()
            .map(|capture| capture.render(world, captures::View::InOrder))
            .collect();
        let mut payments = json!({});
        let some = |rows: Vec<Value>| (!rows.is_empty()).then(|| json!(rows));
        put_some(
            &mut payments,
            [
                ("authorizations", some(authorizations)),
                ("captures", some(captures)),
                ("refunds", some(refunds)),
            ],
        );
        payments
            .as_object()
            .is_some_and(|payments| !payments.is_empty())
            .then_some(payments)
    }
}

/// The order that the API still knows.
pub(super) fn known(world: &World, id: &str) -> Result<Order, ApiError> {
    let order = find(&world.orders, id)?;
    if order.forgotten {
        return Err(ApiError::not_found());
    }
    Ok(order)
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let request = order_request::read(&call.body)?;
    if request.has_source && call.request_id.is_none() {
        let field = "/payment_source";
        return Err(ApiError::invalid("PAYPAL_REQUEST_ID_REQUIRED", field));
    }
    let order = Order {
        id: world.ids.next(),
        created: world.now,
        updated: world.now,
        intent: request.intent,
        units: request.units,
        state: State::Open,
        funding: None,
        has_source: request.has_source,
        page: request.page,
        lapsed: false,
        forgotten: false,
    };
    let id = order.id.clone();
    world.orders.put(order);
    world.plan(LIVES, Task::LapseOrder(id.clone()));
    world.plan(FORGOTTEN_AFTER, Task::ForgetOrder(id.clone()));
    Ok(Reply::made(Made::Order(id)))
}

pub(super) fn show(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let order = known(world, &call.id)?;
    Ok(Reply::ok(order.render(world, true)))
}

/// The shopper agrees to pay.
pub(super) fn approve(world: &mut World, mut order: Order, funding: Funding) {
    order.state = State::Approved;
    order.funding = Some(funding);
    order.updated = world.now;
    let id = order.id.clone();
    world.orders.put(order);
    world.plan(LIVES, Task::LapseOrder(id.clone()));
    emit(
        world,
        &id,
        "CHECKOUT.ORDER.APPROVED",
        "An order has been approved by buyer",
    );
}

/// The order is paid, or its payment was tried for good.
pub(super) fn complete(world: &mut World, id: &str) {
    let Some(mut order) = world.orders.get(id).cloned() else {
        return;
    };
    order.state = State::Completed;
    order.updated = world.now;
    world.orders.put(order);
    emit(
        world,
        id,
        "CHECKOUT.ORDER.COMPLETED",
        "Checkout Order Completed",
    );
}

fn emit(world: &mut World, id: &str, kind: &str, summary: &str) {
    if let Some(order) = world.orders.get(id) {
        let resource = order.render(world, true);
        events::emit(world, kind, summary, Resource::Order(resource));
    }
}

/// The time to approve, or to take what was approved, is over.
pub(super) fn lapse(world: &mut World, id: &str) {
    let Some(mut order) = world.orders.get(id).cloned() else {
        return;
    };
    let touched = order.updated.saturating_add(LIVES) > world.now;
    match order.state {
        State::Approved if !touched => {
            order.lapsed = true;
            order.state = State::Voided;
            order.updated = world.now;
            let resource = json!({
                "order_id": order.id,
                "purchase_units": order.render(world, true).get("purchase_units"),
            });
            world.orders.put(order);
            let summary = "A payment has been reversed after approval.";
            let kind = "CHECKOUT.PAYMENT-APPROVAL.REVERSED";
            events::emit(world, kind, summary, Resource::Order(resource));
        }
        State::Open | State::Challenged => {
            order.lapsed = true;
            world.orders.put(order);
        }
        _ => {}
    }
}

/// An order that was not paid is answered with 404 from now on.
pub(super) fn forget(world: &mut World, id: &str) {
    if let Some(mut order) = world.orders.get(id).cloned()
        && order.lapsed
    {
        order.forgotten = true;
        world.orders.put(order);
    }
}

/// The payments that bear this invoice id and keep it from being used again.
pub(super) fn invoice_is_used(world: &World, invoice: &str, but_order: &str) -> bool {
    let captured = world.captures.oldest_first().any(|capture| {
        capture.order != but_order
            && capture.invoice_id.as_deref() == Some(invoice)
            && !capture.is_declined()
    });
    captured
        || world.authorizations.oldest_first().any(|held| {
            held.order != but_order && held.invoice_id.as_deref() == Some(invoice) && held.is_live()
        })
}
