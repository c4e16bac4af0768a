//! Stripe, simulated: version `2026-08-26.dahlia` of its API, from its published specification.
//!
//! What is simulated: PaymentIntents, Checkout Sessions in `payment` mode with their hosted page,
//! charges, refunds, disputes, the balance with its transactions, automatic daily payouts, events,
//! webhook endpoints, and of customers and payment methods what paying needs. Errors, idempotency,
//! paging, `expand` and search follow Stripe's rules.
//!
//! # Test payment methods
//!
//! Each works as `pm_card_…`, and as a token `tok_…` inside `payment_method_data[card][token]`.
//! Card numbers are refused.
//!
//! | Name | What happens |
//! |---|---|
//! | `pm_card_visa`, `_mastercard`, `_amex`, `_discover` | it pays |
//! | `pm_card_visa_chargeDeclined` and `…InsufficientFunds`, `…LostCard`, `…StolenCard`, `…VelocityLimitExceeded` | it is declined, with that reason |
//! | `pm_card_chargeDeclinedExpiredCard`, `…IncorrectCvc`, `…ProcessingError` | it is declined, with that code |
//! | `pm_card_authenticationRequired`, `pm_card_threeDSecure2Required` | 3D Secure is asked for |
//! | `pm_card_radarBlock` | it is blocked as risky |
//! | `pm_card_createDispute`, `…ProductNotReceived`, `…Inquiry` | it pays and is disputed at once |
//! | `pm_card_createIssuerFraudRecord` | it pays, and its issuer reports it as fraud at once |
//! | `pm_card_pendingRefund` | its refunds stay pending for an hour |
//! | `pm_card_refundFail` | its refunds succeed, and fail after an hour |
//! | `pm_card_bypassPending` | the funds are available as soon as the charge is on the balance |
//! | `pm_usBankAccount_success`, `pm_sepaDebit_success` | it is processing for three days, then paid |
//! | `pm_usBankAccount_insufficientFunds`, `pm_sepaDebit_failed` | it is processing for three days, then fails |
//!
//! # Limits
//!
//! Where it is simpler than Stripe: each currency is settled by itself, nothing is converted; fees
//! are 2.9 % and 30 minor units; a refund is never held back for lack of funds; the part of an
//! authorization that is not captured shows in the charge's `amount_refunded`, as at Stripe, but
//! has no refund object of its own. Parameters that change nothing here are accepted where Stripe
//! knows them and refused where it does not.

mod access;
mod account;
mod amounts;
mod charges;
mod customers;
mod dashboard;
mod disputes;
mod endpoints;
mod errors;
mod events;
mod expand;
mod form;
mod idempotency;
mod intents;
mod ledger;
mod listing;
mod page;
mod payments;
mod payouts;
mod refunds;
mod router;
mod search;
mod sessions;
mod shopper;
mod state;
mod tokens;
mod warnings;

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::Value;

pub use access::Permission;
pub use dashboard::{Dashboard, DashboardError};
pub use ledger::LedgerEntry;
pub use shopper::{Shopper, ShopperError, ShopperOutcome};

use access::KeyRing;
use errors::ApiError;
use form::Params;
use idempotency::{KeptAnswer, KeyStore};
use router::{Call, Route, route};
use state::{API_VERSION, Caller, World};

use super::answering::{dated, header, put_header, respond, spoil};
use super::{
    Answer, DeliveryId, Fault, FaultPlan, SimulatedProvider, WebhookDelivery, WebhookOdds,
};
use crate::clock::Timestamp;

/// The longest body that is read, in bytes.
const BODY_MAX: usize = 1024 * 1024;

/// A Stripe account in test mode.
///
/// The same seed, start and requests give the same bytes, ids and webhooks included.
#[derive(Debug)]
pub struct StripeSimulator {
    world: World,
    keys: KeyRing,
    key_store: KeyStore,
    faults: FaultPlan,
}

impl StripeSimulator {
    /// An empty account whose clock stands at `start`. All that is random comes from `seed`.
    #[must_use]
    pub fn new(seed: u64, start: Timestamp) -> Self {
        Self {
            world: World::new(seed, start),
            keys: KeyRing::default(),
            key_store: KeyStore::default(),
            // Draws of its own, so that faults do not change the ids.
            faults: FaultPlan::new(seed ^ 0x66_61_75_6c_74_73),
        }
    }

    /// The faults that are to come.
    pub fn faults(&mut self) -> &mut FaultPlan {
        &mut self.faults
    }

    /// What is to go wrong with webhooks.
    pub fn webhook_odds(&mut self) -> &mut WebhookOdds {
        &mut self.world.mail.odds
    }

    /// Registers a webhook endpoint whose secret is known already, and answers its id.
    ///
    /// `events` are names such as `payment_intent.succeeded`, or `*` for all.
    pub fn add_webhook_endpoint(&mut self, url: &str, secret: &str, events: &[&str]) -> String {
        endpoints::register(&mut self.world, url, secret, events)
    }

    /// Gives an endpoint a new secret. For `overlap` the old one signs too; Stripe allows up to
    /// 24 hours. Answers whether there is such an endpoint.
    pub fn roll_webhook_secret(&mut self, endpoint: &str, secret: &str, overlap: Duration) -> bool {
        endpoints::roll_secret(&mut self.world, endpoint, secret, overlap).is_ok()
    }

    /// Sets whether the release of an amount that was authorized and not captured is sent as
    /// `refund.created`. Stripe lists it as a refund; whether it also sends the event is not
    /// documented, so that both must work. It is sent unless this says otherwise.
    pub fn set_release_events(&mut self, are_sent: bool) {
        self.world.release_events = are_sent;
    }

    /// Sets whether the account has the Search API, which Stripe does not offer in every country.
    /// It has it unless this says otherwise.
    pub fn set_search(&mut self, is_offered: bool) {
        self.world.search.is_offered = is_offered;
    }

    /// Limits a restricted key (`rk_test_…`) to these permissions. A key that was never limited
    /// may do everything.
    pub fn restrict_key(&mut self, key: &str, permissions: &[Permission]) {
        self.keys.restrict(key, permissions);
    }

    /// The person who pays.
    pub fn shopper(&mut self) -> Shopper<'_> {
        Shopper::new(&mut self.world)
    }

    /// What the merchant and the banks do outside the API.
    pub fn dashboard(&mut self) -> Dashboard<'_> {
        Dashboard::new(&mut self.world)
    }

    /// What really happened to the money of each payment, in the order in which they were made.
    #[must_use]
    pub fn ledger(&self) -> Vec<LedgerEntry> {
        ledger::entries(&self.world)
    }

    fn answer_api(&mut self, request: &Request<Bytes>, path: &str, fault: Option<Fault>) -> Answer {
        let request_id = self.world.ids.next("req");
        let key = (request.method() == Method::POST)
            .then(|| header(request, "idempotency-key"))
            .flatten()
            .map(str::to_owned);
        self.world.caller = Caller {
            request_id: Some(request_id.clone()),
            idempotency_key: key.clone(),
        };
        let outcome = self.perform(request, path, key.as_deref(), fault, &request_id);
        self.world.caller = Caller::default();
        let mut response = match outcome {
            Ok(kept) => {
                let replayed = kept.request_id != request_id;
                let mut response = json_response(kept.status, kept.body, &request_id);
                if replayed {
                    put_header(&mut response, "idempotent-replayed", "true");
                    put_header(&mut response, "original-request", &kept.request_id);
                }
                response
            }
            Err(error) => error_response(&error, &request_id),
        };
        let version = header(request, "stripe-version").unwrap_or(API_VERSION);
        put_header(&mut response, "stripe-version", version);
        if let Some(key) = &key {
            put_header(&mut response, "idempotency-key", key);
        }
        spoil(dated(response, self.world.now), fault)
    }

    /// Runs a request, or finds the answer that it had before.
    fn perform(
        &mut self,
        request: &Request<Bytes>,
        path: &str,
        key: Option<&str>,
        fault: Option<Fault>,
        request_id: &str,
    ) -> Result<KeptAnswer, ApiError> {
        let method = request.method();
        let api_key = KeyRing::authenticate(request)?;
        let route = route(method, path)
            .ok_or_else(|| ApiError::unknown_url(method.as_str(), request.uri().path()))?;
        self.keys.permit(&api_key, method, route.resource)?;
        refuse_in_front(fault, key)?;
        let params = read_params(request)?;
        let fingerprint = format!("{method} {path} {}", params.fingerprint());
        let now = self.world.now;
        if let Some(key) = key
            && let Some(kept) = self.key_store.replay(key, &fingerprint, now)?
        {
            return Ok(kept);
        }

        let version = header(request, "stripe-version").unwrap_or(API_VERSION);
        let outcome = match fault {
            Some(Fault::ErrorStored) => Err(ApiError::internal(500)),
            Some(Fault::ErrorAfter) => {
                run(&mut self.world, &route, params, version).and(Err(ApiError::internal(500)))
            }
            _ => run(&mut self.world, &route, params, version),
        };
        let (status, body) = match outcome {
            Ok(body) => (200, body),
            Err(error) if key.is_some() && error.executed() => {
                (error.status(), error.body(request_id))
            }
            Err(error) => return Err(error),
        };
        let answer = KeptAnswer {
            status,
            body: to_bytes(&body),
            request_id: request_id.to_owned(),
        };
        if let Some(key) = key {
            let busy_until = match fault {
                Some(Fault::Slow(by)) => now.saturating_add(by),
                _ => now,
            };
            self.key_store
                .keep(key, fingerprint, answer.clone(), now, busy_until);
        }
        Ok(answer)
    }
}

impl SimulatedProvider for StripeSimulator {
    fn name(&self) -> &'static str {
        "stripe"
    }

    fn handle(&mut self, request: &Request<Bytes>) -> Answer {
        if request.body().len() > BODY_MAX {
            let request_id = self.world.ids.next("req");
            return Answer::Response(error_response(&ApiError::too_large(), &request_id));
        }
        let path = request.uri().path();
        if let Some(page) = path.strip_prefix("/c/") {
            return Answer::Response(page::answer(&mut self.world, request, page));
        }
        let fault = self.faults.draw(request);
        if fault == Some(Fault::DropBefore) {
            return Answer::Dropped { processed: false };
        }
        let path = path.strip_prefix("/v1/").unwrap_or(path);
        self.answer_api(request, path, fault)
    }

    fn now(&self) -> Timestamp {
        self.world.now
    }

    fn advance(&mut self, by: Duration) {
        self.world.advance(by);
    }

    fn set_base_url(&mut self, base_url: &str) {
        self.world.base_url = base_url.trim_end_matches('/').to_owned();
    }

    fn subscribe(&mut self, url: &str, secret: &str) {
        let _ = self.add_webhook_endpoint(url, secret, &["*"]);
    }

    fn connection_help(&self, base_url: &str) -> String {
        let (host, port) = base_url
            .strip_prefix("http://")
            .and_then(|authority| authority.rsplit_once(':'))
            .unwrap_or(("127.0.0.1", "80"));
        format!(
            "Any test key will do, such as sk_test_simulator. Pay with pm_card_visa and its like.\n\
             Node    new Stripe('sk_test_simulator', {{host: '{host}', port: {port}, protocol: 'http'}})\n\
             Python  StripeClient('sk_test_simulator', base_addresses={{'api': '{base_url}'}})\n\
             Rust    counterfoil's Stripe test configuration, with the base URL {base_url}\n\
             curl    curl {base_url}/v1/balance -u sk_test_simulator:\n\
             Checkout pages are at the `url` of each session. No card is asked for."
        )
    }

    fn settings(
        &self,
        base_url: &str,
        webhook_secret: Option<&str>,
    ) -> Vec<(&'static str, String)> {
        let mut settings = vec![
            ("base_url", base_url.to_owned()),
            ("secret_key", "sk_test_simulator".to_owned()),
        ];
        settings.extend(webhook_secret.map(|secret| ("webhook_secret", secret.to_owned())));
        settings
    }

    fn due_webhooks(&mut self) -> Vec<WebhookDelivery> {
        events::due(&mut self.world)
    }

    fn report_webhook(&mut self, delivery: DeliveryId, status: Option<u16>) {
        events::report(&mut self.world, delivery, status);
    }
}

/// Calls the endpoint and expands its answer.
fn run(
    world: &mut World,
    route: &Route<'_>,
    mut params: Params,
    version: &str,
) -> Result<Value, ApiError> {
    let expand = params.texts("expand")?;
    expand::check(route, &expand)?;
    let call = Call {
        id: route.id.to_owned(),
        params,
        version: version.to_owned(),
    };
    let mut answer = (route.endpoint)(world, call)?;
    expand::apply(world, &mut answer, &expand)?;
    Ok(answer)
}

/// The faults that strike before the API begins, so that nothing is stored.
fn refuse_in_front(fault: Option<Fault>, key: Option<&str>) -> Result<(), ApiError> {
    let error = match (fault, key) {
        (Some(Fault::ErrorBefore), _) => ApiError::internal(500),
        (Some(Fault::Unavailable), _) => ApiError::internal(503),
        (Some(Fault::RateLimited), _) => ApiError::rate_limited("endpoint-rate"),
        (Some(Fault::Locked), Some(key)) => ApiError::key_in_use(key),
        (Some(Fault::Locked), None) => ApiError::lock_timeout(409),
        _ => return Ok(()),
    };
    Err(error.before_execution())
}

fn read_params(request: &Request<Bytes>) -> Result<Params, ApiError> {
    if request.method() != Method::POST {
        return Params::decode(request.uri().query().unwrap_or_default());
    }
    match std::str::from_utf8(request.body()) {
        Ok(form) => Params::decode(form),
        Err(_) => Err(ApiError::invalid_request("Invalid UTF-8 in the request")),
    }
}

fn error_response(error: &ApiError, request_id: &str) -> Response<Bytes> {
    let body = to_bytes(&error.body(request_id));
    let mut response = json_response(error.status(), body, request_id);
    for (name, value) in error.headers() {
        put_header(&mut response, name, value);
    }
    response
}

fn json_response(status: u16, body: Bytes, request_id: &str) -> Response<Bytes> {
    let mut response = respond(status, "application/json", body);
    put_header(&mut response, "request-id", request_id);
    response
}

/// JSON with the indents that Stripe writes.
fn to_bytes(value: &Value) -> Bytes {
    // A `Value` has only text keys, so that it can always be written.
    Bytes::from(serde_json::to_vec_pretty(value).unwrap_or_default())
}

#[cfg(test)]
mod tests;
