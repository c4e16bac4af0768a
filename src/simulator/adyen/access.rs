//! API credentials: which are known, and what each may do.

use std::collections::{HashMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;

use super::errors::ApiError;
use crate::simulator::answering::header;

/// What a credential may do unless it was limited, by Adyen's names.
const ROLES: &[&str] = &[
    CHECKOUT,
    "Merchant PAL Webservice role",
    "Management API - Accounts read",
    "Management API - Webhooks read",
    "Management API - Webhooks read and write",
    "Merchant Report role",
];
pub(super) const CHECKOUT: &str = "Checkout webservice role";
/// How a key ends that nobody knows; every other opens the company account.
const UNKNOWN: &str = "Unknown";
/// Part of the names of the roles that a call of the Management API needs one of.
pub(super) const WEBHOOKS: &str = "Management API - Webhooks";
pub(super) const ACCOUNTS: &str = "Management API - Accounts";

/// Who may do what. A credential that nothing was said about may do everything.
#[derive(Debug, Default)]
pub(super) struct KeyRing {
    refused: HashSet<String>,
    roles: HashMap<String, Vec<String>>,
    merchants: HashMap<String, Vec<String>>,
}

impl KeyRing {
    pub(super) fn refuse(&mut self, key: &str) {
        let _ = self.refused.insert(key.to_owned());
    }

    pub(super) fn limit_roles(&mut self, key: &str, roles: &[&str]) {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        let _ = self.roles.insert(key.to_owned(), roles);
    }

    pub(super) fn limit_merchants(&mut self, key: &str, merchants: &[&str]) {
        let merchants = merchants.iter().map(|name| (*name).to_owned()).collect();
        let _ = self.merchants.insert(key.to_owned(), merchants);
    }

    /// The credential of a request: `X-API-Key`, or user and password. Keys of the other
    /// environment are as unknown as any; client keys (`test_…`, `live_…`) are for browsers.
    pub(super) fn authenticate(&self, request: &Request<Bytes>) -> Result<String, ApiError> {
        let key = match header(request, "x-api-key") {
            Some(key) => Some(key.to_owned()),
            None => basic(request),
        };
        let key = key.ok_or_else(ApiError::unauthorized)?;
        let public = key.starts_with("test_") || key.starts_with("live_");
        let live_host = request
            .uri()
            .host()
            .is_some_and(|host| host.contains("live"));
        let is_unknown = key.ends_with(UNKNOWN) || self.refused.contains(&key);
        if key.is_empty() || public || live_host || is_unknown {
            return Err(ApiError::unauthorized());
        }
        Ok(key)
    }

    pub(super) fn roles(&self, key: &str) -> Vec<String> {
        match self.roles.get(key) {
            Some(roles) => roles.clone(),
            None => ROLES.iter().map(|role| (*role).to_owned()).collect(),
        }
    }

    /// Refuses unless the credential has a role whose name begins with `role`.
    pub(super) fn permit(&self, key: &str, role: &str) -> Result<(), ApiError> {
        let has_it = self.roles(key).iter().any(|name| name.starts_with(role));
        if has_it {
            Ok(())
        } else {
            Err(ApiError::not_allowed())
        }
    }

    /// Whether the credential reaches a merchant account.
    pub(super) fn reaches(&self, key: &str, merchant: &str) -> bool {
        let reached = self.merchants.get(key);
        reached.is_none_or(|reached| reached.iter().any(|name| name == merchant))
    }
}

fn basic(request: &Request<Bytes>) -> Option<String> {
    let given = header(request, "authorization")?.strip_prefix("Basic ")?;
    let pair = String::from_utf8(STANDARD.decode(given).ok()?).ok()?;
    let (user, password) = pair.split_once(':')?;
    (!password.is_empty()).then(|| user.to_owned())
}
