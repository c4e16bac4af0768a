//! Method and path to the endpoint that answers.

use std::time::Duration;

use http::Method;
use serde_json::Value;

use super::access::Feature;
use super::errors::ApiError;
use super::state::World;
use super::{authorizations, captures, checkout, disputes, events, order_patch, orders};
use super::{refunds, reports, verification, webhooks};

/// A request to one endpoint.
#[derive(Debug)]
pub(super) struct Call {
    /// The id in the path; empty where the path has none.
    pub(super) id: String,
    pub(super) query: Vec<(String, String)>,
    /// `Null` if there is no body.
    pub(super) body: Value,
    /// The body as it came.
    pub(super) bytes: bytes::Bytes,
    /// The `PayPal-Request-Id`.
    pub(super) request_id: Option<String>,
}

impl Call {
    /// A query parameter; an empty one is as good as none.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(known, _)| known == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }
}

/// What an endpoint answers.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    None,
    Body(Value),
    /// Something was made or changed; it is answered as it then is, and again for the same
    /// `PayPal-Request-Id`.
    Made(Made),
}

/// What a call made or changed.
#[derive(Debug, Clone)]
pub(super) enum Made {
    Order(String),
    Authorization(String),
    /// Answered without a body unless the whole was asked for.
    Voided(String),
    Capture(String),
    Refund(String),
}

impl Reply {
    pub(super) fn ok(body: Value) -> Self {
        Self::with_status(200, body)
    }

    pub(super) fn with_status(status: u16, body: Value) -> Self {
        let content = Content::Body(body);
        Self { status, content }
    }

    pub(super) fn made(made: Made) -> Self {
        let content = Content::Made(made);
        Self {
            status: 201,
            content,
        }
    }

    pub(super) fn no_content() -> Self {
        let content = Content::None;
        Self {
            status: 204,
            content,
        }
    }
}

impl Made {
    /// As it now is; `None` where nothing is to be said.
    pub(super) fn render(&self, world: &World, whole: bool) -> Option<Value> {
        match self {
            Self::Order(id) => Some(world.orders.get(id)?.render(world, whole)),
            Self::Voided(_) if !whole => None,
            Self::Authorization(id) | Self::Voided(id) => {
                let view = if whole {
                    authorizations::View::Whole
                } else {
                    authorizations::View::Minimal
                };
                Some(world.authorizations.get(id)?.render(world, view))
            }
            Self::Capture(id) => {
                let view = if whole {
                    captures::View::Whole
                } else {
                    captures::View::Minimal
                };
                Some(world.captures.get(id)?.render(world, view))
            }
            Self::Refund(id) => Some(world.refunds.get(id)?.render(world, whole)),
        }
    }
}

pub(super) type Endpoint = fn(&mut World, &Call) -> Result<Reply, ApiError>;

/// An endpoint.
#[derive(Debug)]
pub(super) struct Route<'path> {
    pub(super) endpoint: Endpoint,
    /// The kind of call, within which a `PayPal-Request-Id` is known.
    pub(super) kind: &'static str,
    pub(super) id: &'path str,
    /// How long a `PayPal-Request-Id` is kept; `None` where it means nothing.
    pub(super) keeps_ids_for: Option<Duration>,
    /// What the token must be allowed.
    pub(super) feature: Option<Feature>,
}

const ORDERS_KEEP: Duration = Duration::from_secs(6 * 60 * 60);
const PAYMENTS_KEEP: Duration = Duration::from_secs(45 * 24 * 60 * 60);

/// Finds the endpoint for a path.
pub(super) fn route<'path>(method: &Method, path: &'path str) -> Option<Route<'path>> {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let to = |kind, id, endpoint| {
        Some(Route {
            endpoint,
            kind,
            id,
            keeps_ids_for: None,
            feature: None,
        })
    };
    let write = |keeps: Duration, kind, id, endpoint| {
        to(kind, id, endpoint).map(|route| Route {
            keeps_ids_for: Some(keeps),
            ..route
        })
    };
    let limited = |feature, kind, id, endpoint| {
        to(kind, id, endpoint).map(|route| Route {
            feature: Some(feature),
            ..route
        })
    };
    match (method.as_str(), segments.as_slice()) {
        ("POST", ["v2", "checkout", "orders"]) => {
            write(ORDERS_KEEP, "orders.create", "", orders::create)
        }
        ("GET", ["v2", "checkout", "orders", id]) => to("orders.get", id, orders::show),
        ("PATCH", ["v2", "checkout", "orders", id]) => to("orders.patch", id, order_patch::patch),
        ("POST", ["v2", "checkout", "orders", id, "capture"]) => {
            write(ORDERS_KEEP, "orders.capture", id, checkout::capture)
        }
        ("POST", ["v2", "checkout", "orders", id, "authorize"]) => {
            write(ORDERS_KEEP, "orders.authorize", id, checkout::authorize)
        }

        ("GET", ["v2", "payments", "authorizations", id]) => {
            to("authorizations.get", id, authorizations::show)
        }
        ("POST", ["v2", "payments", "authorizations", id, "capture"]) => write(
            PAYMENTS_KEEP,
            "authorizations.capture",
            id,
            captures::capture_authorization,
        ),
        ("POST", ["v2", "payments", "authorizations", id, "reauthorize"]) => write(
            PAYMENTS_KEEP,
            "authorizations.reauthorize",
            id,
            authorizations::reauthorize,
        ),
        ("POST", ["v2", "payments", "authorizations", id, "void"]) => write(
            PAYMENTS_KEEP,
            "authorizations.void",
            id,
            authorizations::void,
        ),
        ("GET", ["v2", "payments", "captures", id]) => to("captures.get", id, captures::show),
        ("POST", ["v2", "payments", "captures", id, "refund"]) => {
            write(PAYMENTS_KEEP, "captures.refund", id, refunds::create)
        }
        ("GET", ["v2", "payments", "refunds", id]) => to("refunds.get", id, refunds::show),

        ("GET", ["v1", "customer", "disputes"]) => {
            limited(Feature::Disputes, "disputes.list", "", disputes::list)
        }
        ("GET", ["v1", "customer", "disputes", id]) => {
            limited(Feature::Disputes, "disputes.get", id, disputes::show)
        }
        ("GET", ["v1", "reporting", "transactions"]) => {
            let feature = Feature::TransactionSearch;
            limited(feature, "reports.transactions", "", reports::transactions)
        }
        ("GET", ["v1", "reporting", "balances"]) => limited(
            Feature::TransactionSearch,
            "reports.balances",
            "",
            reports::balances,
        ),

        ("GET", ["v1", "notifications", "webhooks"]) => to("webhooks.list", "", webhooks::list),
        ("POST", ["v1", "notifications", "webhooks"]) => {
            to("webhooks.create", "", webhooks::create)
        }
        ("GET", ["v1", "notifications", "webhooks", id]) => to("webhooks.get", id, webhooks::show),
        ("PATCH", ["v1", "notifications", "webhooks", id]) => {
            to("webhooks.update", id, webhooks::update)
        }
        ("DELETE", ["v1", "notifications", "webhooks", id]) => {
            to("webhooks.delete", id, webhooks::delete)
        }
        ("GET", ["v1", "notifications", "webhooks-event-types"]) => {
            to("webhooks.types", "", webhooks::event_types)
        }
        ("GET", ["v1", "notifications", "webhooks-events"]) => {
            to("webhooks.events", "", events::list)
        }
        ("GET", ["v1", "notifications", "webhooks-events", id]) => {
            to("webhooks.event", id, events::show)
        }
        ("POST", ["v1", "notifications", "webhooks-events", id, "resend"]) => {
            to("webhooks.resend", id, events::resend)
        }
        ("POST", ["v1", "notifications", "simulate-event"]) => {
            to("webhooks.simulate", "", webhooks::simulate)
        }
        ("POST", ["v1", "notifications", "verify-webhook-signature"]) => {
            to("webhooks.verify", "", verification::verify)
        }
        _ => None,
    }
}
