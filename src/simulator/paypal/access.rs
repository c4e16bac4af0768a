//! Apps, their credentials, and the tokens that these are changed for.
//!
//! Source: developer.paypal.com/api/rest/authentication. There is no published specification of the
//! token call; credentials of the other mode are as unknown here as any wrong ones.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::{Value, json};

use super::errors::ApiError;
use super::state::Ids;
use crate::clock::Timestamp;
use crate::simulator::answering::{header, respond};

const APP_ID: &str = "APP-80W284485P519543T";
/// As in PayPal's documented example: a little under nine hours.
const TOKENS_LAST: Duration = Duration::from_secs(31_668);

/// What an app must be given beyond payments and webhooks. A token that was issued before does not
/// have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Feature {
    /// Transactions and balances.
    TransactionSearch,
    /// Disputes.
    Disputes,
}

impl Feature {
    fn scope(self) -> &'static str {
        match self {
            Self::TransactionSearch => "https://uri.paypal.com/services/reporting/search/read",
            Self::Disputes => "https://uri.paypal.com/services/disputes/read-seller",
        }
    }
}

const BASE_SCOPES: &[&str] = &[
    "https://uri.paypal.com/services/applications/webhooks",
    "https://uri.paypal.com/services/payments/payment/authcapture",
    "https://uri.paypal.com/services/payments/realtimepayment",
    "https://uri.paypal.com/services/payments/refund",
    "https://api.paypal.com/v1/payments/.*",
    "openid",
];

/// Who may call, and with what.
#[derive(Debug)]
pub(super) struct Access {
    clients: HashMap<String, String>,
    tokens: HashMap<String, Token>,
    pub(super) features: Vec<Feature>,
    pub(super) tokens_last: Duration,
}

#[derive(Debug)]
struct Token {
    ends: Timestamp,
    features: Vec<Feature>,
}

impl Access {
    pub(super) fn new(client_id: &str, secret: &str) -> Self {
        Self {
            clients: HashMap::from([(client_id.to_owned(), secret.to_owned())]),
            tokens: HashMap::new(),
            features: vec![Feature::TransactionSearch, Feature::Disputes],
            tokens_last: TOKENS_LAST,
        }
    }

    pub(super) fn add_client(&mut self, client_id: &str, secret: &str) {
        let _ = self.clients.insert(client_id.to_owned(), secret.to_owned());
    }

    /// All tokens end now.
    pub(super) fn revoke_tokens(&mut self) {
        self.tokens.clear();
    }

    /// Answers `POST /v1/oauth2/token`.
    pub(super) fn issue(
        &mut self,
        request: &Request<Bytes>,
        ids: &mut Ids,
        now: Timestamp,
    ) -> Response<Bytes> {
        let refused = |status, error, description| {
            let body = json!({ "error": error, "error_description": description });
            respond(status, "application/json", body.to_string())
        };
        if request.method() != Method::POST {
            return refused(405, "method_not_supported", "POST is wanted");
        }
        let known = credentials(request).is_some_and(|(id, secret)| {
            self.clients.get(&id).is_some_and(|known| *known == secret)
        });
        if !known {
            return refused(401, "invalid_client", "Client Authentication failed");
        }
        let form: Vec<_> = form_urlencoded::parse(request.body()).collect();
        let grant = form.iter().find(|(name, _)| name == "grant_type");
        if grant.is_none_or(|(_, grant)| grant != "client_credentials") {
            let description = "The grant type must be client_credentials";
            return refused(400, "unsupported_grant_type", description);
        }
        let token = format!("A21AA{}", ids.letters(80));
        let scopes = BASE_SCOPES.iter().copied();
        let scopes: Vec<_> = scopes
            .chain(self.features.iter().map(|f| f.scope()))
            .collect();
        let body = json!({
            "scope": scopes.join(" "),
            "access_token": token,
            "token_type": "Bearer",
            "app_id": APP_ID,
            "expires_in": self.tokens_last.as_secs(),
            "nonce": format!("{now}{}", ids.letters(43)),
        });
        let issued = Token {
            ends: now.saturating_add(self.tokens_last),
            features: self.features.clone(),
        };
        let _ = self.tokens.insert(token, issued);
        respond(200, "application/json", body.to_string())
    }

    /// Whether the request's token is known, in time, and allows `feature`.
    pub(super) fn permit(
        &self,
        request: &Request<Bytes>,
        feature: Option<Feature>,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        let authorization = header(request, "authorization").unwrap_or_default();
        let (scheme, token) = authorization.split_once(' ').unwrap_or_default();
        let token = match scheme.eq_ignore_ascii_case("bearer") {
            true => self.tokens.get(token.trim()),
            false => None,
        };
        let token = token.filter(|token| now < token.ends);
        let token = token.ok_or_else(ApiError::unauthorized)?;
        match feature {
            Some(feature) if !token.features.contains(&feature) => Err(ApiError::forbidden()),
            _ => Ok(()),
        }
    }
}

/// Client id and secret of a Basic header.
fn credentials(request: &Request<Bytes>) -> Option<(String, String)> {
    let (scheme, rest) = header(request, "authorization")?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(rest.trim()).ok()?;
    let pair = String::from_utf8(decoded).ok()?;
    let (id, secret) = pair.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

/// What a mock answer was asked for: `{"mock_application_codes":"INSTRUMENT_DECLINED"}`.
pub(super) fn mocked_code(request: &Request<Bytes>) -> Option<String> {
    let text = header(request, "paypal-mock-response")?;
    let value: Value = serde_json::from_str(text).ok()?;
    let codes = value.get("mock_application_codes")?;
    let code = codes.as_str().or_else(|| codes.get(0)?.as_str())?;
    (!code.is_empty()).then(|| code.to_owned())
}
