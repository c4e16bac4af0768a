//! Method and path to the endpoint that answers.

use http::Method;
use serde_json::Value;

use super::errors::ApiError;
use super::form::Params;
use super::state::World;
use super::{account, charges, customers, disputes, events, intents, payouts, refunds, search};
use super::{endpoints, sessions};

/// A request to one endpoint.
#[derive(Debug)]
pub(super) struct Call {
    /// The id in the path; empty where the path has none.
    pub(super) id: String,
    pub(super) params: Params,
    /// The `Stripe-Version` that the caller asked for, or the account's.
    pub(super) version: String,
}

pub(super) type Endpoint = fn(&mut World, Call) -> Result<Value, ApiError>;

/// An endpoint, and what a restricted key must be allowed to call it.
#[derive(Debug)]
pub(super) struct Route<'path> {
    pub(super) endpoint: Endpoint,
    /// The resource as permissions name it: `payment_intents`.
    pub(super) resource: &'static str,
    pub(super) id: &'path str,
}

/// Finds the endpoint for `path`, which starts behind `/v1/`.
pub(super) fn route<'path>(method: &Method, path: &'path str) -> Option<Route<'path>> {
    let segments: Vec<&str> = path.split('/').collect();
    let to = |resource, id, endpoint| {
        Some(Route {
            endpoint,
            resource,
            id,
        })
    };
    match (method.as_str(), segments.as_slice()) {
        ("POST", ["payment_intents"]) => to("payment_intents", "", intents::create),
        ("GET", ["payment_intents"]) => to("payment_intents", "", intents::list),
        ("GET", ["payment_intents", "search"]) => to("payment_intents", "", search::search),
        ("GET", ["payment_intents", id]) => to("payment_intents", id, intents::retrieve),
        ("POST", ["payment_intents", id]) => to("payment_intents", id, intents::update),
        ("POST", ["payment_intents", id, "confirm"]) => to("payment_intents", id, intents::confirm),
        ("POST", ["payment_intents", id, "capture"]) => to("payment_intents", id, intents::capture),
        ("POST", ["payment_intents", id, "cancel"]) => to("payment_intents", id, intents::cancel),

        ("POST", ["checkout", "sessions"]) => to("checkout_sessions", "", sessions::create),
        ("GET", ["checkout", "sessions"]) => to("checkout_sessions", "", sessions::list),
        ("GET", ["checkout", "sessions", id]) => to("checkout_sessions", id, sessions::retrieve),
        ("POST", ["checkout", "sessions", id]) => to("checkout_sessions", id, sessions::update),
        ("GET", ["checkout", "sessions", id, "line_items"]) => {
            to("checkout_sessions", id, sessions::list_line_items)
        }
        ("POST", ["checkout", "sessions", id, "expire"]) => {
            to("checkout_sessions", id, sessions::expire)
        }

        ("GET", ["charges"]) => to("charges", "", charges::list),
        ("GET", ["charges", id]) => to("charges", id, charges::retrieve),

        ("POST", ["refunds"]) => to("refunds", "", refunds::create),
        ("GET", ["refunds"]) => to("refunds", "", refunds::list),
        ("GET", ["refunds", id]) => to("refunds", id, refunds::retrieve),
        ("POST", ["refunds", id]) => to("refunds", id, refunds::update),
        ("POST", ["refunds", id, "cancel"]) => to("refunds", id, refunds::cancel),

        ("GET", ["disputes"]) => to("disputes", "", disputes::list),
        ("GET", ["disputes", id]) => to("disputes", id, disputes::retrieve),
        ("POST", ["disputes", id]) => to("disputes", id, disputes::update),
        ("POST", ["disputes", id, "close"]) => to("disputes", id, disputes::close),

        ("GET", ["balance"]) => to("balance", "", payouts::balance),
        ("GET", ["balance_transactions"]) => to("balance", "", payouts::list_transactions),
        ("GET", ["balance_transactions", id]) => to("balance", id, payouts::transaction),
        ("GET", ["payouts"]) => to("payouts", "", payouts::list),
        ("GET", ["payouts", id]) => to("payouts", id, payouts::retrieve),

        ("GET", ["account"]) => to("account", "", account::retrieve),
        ("GET", ["events"]) => to("events", "", events::list),
        ("GET", ["events", id]) => to("events", id, events::retrieve),

        ("POST", ["webhook_endpoints"]) => to("webhook_endpoints", "", endpoints::create),
        ("GET", ["webhook_endpoints"]) => to("webhook_endpoints", "", endpoints::list),
        ("GET", ["webhook_endpoints", id]) => to("webhook_endpoints", id, endpoints::retrieve),
        ("POST", ["webhook_endpoints", id]) => to("webhook_endpoints", id, endpoints::update),
        ("DELETE", ["webhook_endpoints", id]) => to("webhook_endpoints", id, endpoints::delete),

        ("POST", ["customers"]) => to("customers", "", customers::create),
        ("GET", ["customers"]) => to("customers", "", customers::list),
        ("GET", ["customers", id]) => to("customers", id, customers::retrieve),
        ("POST", ["payment_methods"]) => to("payment_methods", "", customers::create_method),
        ("GET", ["payment_methods", id]) => to("payment_methods", id, customers::retrieve_method),
        ("POST", ["payment_methods", id, "attach"]) => {
            to("payment_methods", id, customers::attach_method)
        }
        _ => None,
    }
}
