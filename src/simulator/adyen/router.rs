//! Method and path to the endpoint that answers.

use bytes::Bytes;
use http::Method;
use serde_json::Value;

use super::access::{ACCOUNTS, CHECKOUT, KeyRing, WEBHOOKS};
use super::body::Body;
use super::errors::ApiError;
use super::state::World;
use super::{checkout, links, management, modifications, sessions};

/// One request on its way to its endpoint.
#[derive(Debug)]
pub(super) struct Call<'a> {
    /// The id in the path, or nothing.
    pub(super) id: String,
    /// The second id in the path, or nothing.
    pub(super) child: String,
    pub(super) query: String,
    pub(super) body: Bytes,
    pub(super) key: &'a str,
    pub(super) keys: &'a KeyRing,
}

impl Call<'_> {
    /// The merchant account that the body names, if there is such a one for this credential.
    pub(super) fn merchant(&self, world: &World, body: &mut Body) -> Result<String, ApiError> {
        let named = body.text("merchantAccount")?;
        let named = named.ok_or_else(ApiError::wrong_merchant)?;
        self.check_merchant(world, &named)?;
        Ok(named)
    }

    pub(super) fn check_merchant(&self, world: &World, named: &str) -> Result<(), ApiError> {
        if world.merchant(named).is_some() && self.keys.reaches(self.key, named) {
            Ok(())
        } else {
            Err(ApiError::wrong_merchant())
        }
    }

    /// A parameter of the query; none of Adyen's needs decoding.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let pairs = form_urlencoded::parse(self.query.as_bytes());
        let mut fitting = pairs.filter(|(key, _)| key == name);
        fitting.next().map(|(_, value)| value.into_owned())
    }
}

/// What answers: a status and a body.
pub(super) type Endpoint = fn(&mut World, Call<'_>) -> Result<(u16, Value), ApiError>;

/// Where a request goes.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) endpoint: Endpoint,
    /// The beginning of the role's name that it needs.
    pub(super) role: &'static str,
    pub(super) id: String,
    pub(super) child: String,
}

/// The endpoint of the Checkout API; `path` begins behind the version.
pub(super) fn checkout_route(method: &Method, path: &str) -> Option<Route> {
    let parts: Vec<&str> = path.split('/').collect();
    let (endpoint, id): (Endpoint, &str) = match (method.as_str(), parts.as_slice()) {
        ("POST", ["sessions"]) => (sessions::create, ""),
        ("GET", ["sessions", id]) => (sessions::result, id),
        ("POST", ["paymentLinks"]) => (links::create, ""),
        ("GET", ["paymentLinks", id]) => (links::retrieve, id),
        ("PATCH", ["paymentLinks", id]) => (links::update, id),
        ("POST", ["paymentMethods"]) => (checkout::methods, ""),
        ("POST", ["payments"]) => (checkout::pay, ""),
        ("POST", ["payments", "details"]) => (checkout::details, ""),
        ("POST", ["cancels"]) => (modifications::cancel_by_reference, ""),
        ("POST", ["payments", id, "captures"]) => (modifications::capture, id),
        ("POST", ["payments", id, "cancels"]) => (modifications::cancel, id),
        ("POST", ["payments", id, "refunds"]) => (modifications::refund, id),
        ("POST", ["payments", id, "reversals"]) => (modifications::reverse, id),
        ("POST", ["payments", id, "amountUpdates"]) => (modifications::update_amount, id),
        _ => return None,
    };
    Some(Route {
        endpoint,
        role: CHECKOUT,
        id: id.to_owned(),
        child: String::new(),
    })
}

/// The endpoint of the Management API; `path` begins behind the version.
pub(super) fn management_route(method: &Method, path: &str) -> Option<Route> {
    let parts: Vec<&str> = path.split('/').collect();
    let hooks: &'static str = WEBHOOKS;
    let (endpoint, role, id, child): (Endpoint, &'static str, &str, &str) =
        match (method.as_str(), parts.as_slice()) {
            ("GET", ["me"]) => (management::me, "", "", ""),
            ("GET", ["merchants"]) => (management::merchants, ACCOUNTS, "", ""),
            ("GET", ["merchants", id]) => (management::merchant, ACCOUNTS, id, ""),
            ("GET", ["merchants", id, "webhooks"]) => (management::webhooks, hooks, id, ""),
            ("POST", ["merchants", id, "webhooks"]) => (management::add_webhook, hooks, id, ""),
            ("GET", ["merchants", id, "webhooks", child]) => {
                (management::webhook, hooks, id, child)
            }
            ("POST", ["merchants", id, "webhooks", child, "test"]) => {
                (management::test_webhook, hooks, id, child)
            }
            ("POST", ["merchants", id, "webhooks", child, "generateHmac"]) => {
                (management::generate_hmac, hooks, id, child)
            }
            _ => return None,
        };
    Some(Route {
        endpoint,
        role,
        id: id.to_owned(),
        child: child.to_owned(),
    })
}
