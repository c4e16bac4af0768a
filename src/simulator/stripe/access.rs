//! API keys: which are taken, and what a restricted one may do.
//!
//! Source: docs.stripe.com/keys.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request};

use super::errors::ApiError;
use super::state::ACCOUNT_ID;
use crate::simulator::answering::header;

/// How a test key ends that opens no account; every other opens the one that there is.
const UNKNOWN: &str = "Unknown";

/// What a restricted key may do with one resource, named as in its path: `payment_intents`,
/// `checkout_sessions`, `charges`, `refunds`, `disputes`, `balance` (its transactions too),
/// `payouts`, `account`, `events`, `webhook_endpoints`, `customers`, `payment_methods`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Permission {
    /// Reading the resource.
    Read(&'static str),
    /// Reading and writing the resource.
    Write(&'static str),
}

/// The restricted keys; all other test keys may do everything.
#[derive(Debug, Default)]
pub(super) struct KeyRing {
    restricted: HashMap<String, Vec<Permission>>,
}

impl KeyRing {
    pub(super) fn restrict(&mut self, key: &str, permissions: &[Permission]) {
        let _ = self.restricted.insert(key.to_owned(), permissions.to_vec());
    }

    /// The key of a request, if it is one that a test account takes.
    pub(super) fn authenticate(request: &Request<Bytes>) -> Result<String, ApiError> {
        let key = key_of(request)?;
        check_kind(&key)?;
        match header(request, "stripe-account") {
            Some(account) if account != ACCOUNT_ID => {
                let message = format!(
                    "The provided key does not have access to account '{account}' (or that \
                     account does not exist). Application access may have been revoked."
                );
                Err(ApiError::forbidden(&message).with("code", "account_invalid".into()))
            }
            _ => Ok(key),
        }
    }

    /// Whether `key` may use `resource` with `method`.
    pub(super) fn permit(
        &self,
        key: &str,
        method: &Method,
        resource: &str,
    ) -> Result<(), ApiError> {
        let Some(permissions) = self.restricted.get(key) else {
            return Ok(());
        };
        let writes = method != Method::GET;
        let allowed = permissions.iter().any(|permission| match permission {
            Permission::Read(name) => *name == resource && !writes,
            Permission::Write(name) => *name == resource,
        });
        if allowed {
            return Ok(());
        }
        let verb = if writes { "write" } else { "read" };
        let message = format!(
            "The provided key '{}' does not have the required permissions for this endpoint on \
             account '{ACCOUNT_ID}'. Having the 'rak_{resource}_{verb}' permission would allow \
             this request to continue.",
            redact(key)
        );
        Err(ApiError::forbidden(&message))
    }
}

fn key_of(request: &Request<Bytes>) -> Result<String, ApiError> {
    let missing = || {
        ApiError::unauthorized(
            "You did not provide an API key. You need to provide your API key in the Authorization \
             header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
        )
        .with_header("www-authenticate", "Bearer realm=\"Stripe\"")
    };
    let value = header(request, "authorization").ok_or_else(missing)?;
    let (scheme, rest) = value.split_once(' ').ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(rest.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(missing());
    }
    let decoded = STANDARD.decode(rest.trim()).map_err(|_| missing())?;
    let pair = String::from_utf8(decoded).map_err(|_| missing())?;
    let key = pair.split_once(':').map_or(pair.as_str(), |(key, _)| key);
    Ok(key.to_owned())
}

fn check_kind(key: &str) -> Result<(), ApiError> {
    let test = ["sk_test_", "rk_test_"];
    if test
        .iter()
        .any(|prefix| key.len() > prefix.len() && key.starts_with(prefix))
        && !key.ends_with(UNKNOWN)
    {
        return Ok(());
    }
    if key.starts_with("pk_") {
        let message = "This API call cannot be made with a publishable API key. Please use a \
                       secret API key.";
        let error = ApiError::unauthorized(message);
        return Err(error.with("code", "secret_key_required".into()));
    }
    let redacted = redact(key);
    if key.starts_with("sk_live_") || key.starts_with("rk_live_") {
        let message = format!(
            "Invalid API Key provided: {redacted}. This is a simulation of test mode: it takes no \
             live keys."
        );
        return Err(ApiError::unauthorized(&message));
    }
    Err(ApiError::unauthorized(&format!(
        "Invalid API Key provided: {redacted}"
    )))
}

/// The kind of the key and its last four characters.
fn redact(key: &str) -> String {
    let kind: String = key.chars().take(8).collect();
    let length = key.chars().count();
    if length < 16 {
        return format!("{kind}****");
    }
    let tail: String = key.chars().skip(length - 4).collect();
    format!("{kind}****{tail}")
}
