//! PayPal, simulated: its sandbox, from the published specifications of its REST API.
//!
//! What is simulated: tokens, Orders v2 for both intents with their approval page, Payments v2
//! (authorizations, captures, refunds), disputes, transaction search and balances, webhooks with
//! their management, signatures and certificates. Errors, decimals per currency, request ids, invoice
//! ids and times follow PayPal's rules, as far as these are known.
//!
//! # How a payment is made to go wrong
//!
//! The shopper's [`Funding`] decides what a capture and its refunds come to. A call with the header
//! `PayPal-Mock-Response: {"mock_application_codes":"INSTRUMENT_DECLINED"}` fails as it says, before
//! anything is done (`MISSING_REQUIRED_PARAMETER`, `PERMISSION_DENIED`, `INTERNAL_SERVER_ERROR` and
//! the issues of a 422). [`PaypalSimulator::faults`] and [`PaypalSimulator::webhook_odds`] spoil what
//! is on its way. [`PaypalSimulator::sign_with`] signs webhooks by a certificate that must be refused.
//!
//! # Limits
//!
//! Where it is simpler than PayPal: each currency has a balance of its own, nothing is converted;
//! fees are 3.49 % and 49 of the smallest unit; a refund is never held back for lack of funds. Cards,
//! vaulted payment sources and the other payment methods are refused. `details[].description` of
//! errors is left out. What no official text says is marked unverified where it is implemented.

mod access;
mod amounts;
mod approval_page;
mod authorizations;
mod captures;
mod checkout;
mod dashboard;
mod disputes;
mod errors;
mod events;
mod fields;
mod funding;
mod idempotency;
mod journal;
mod ledger;
mod notary;
mod order_patch;
mod order_request;
mod orders;
mod refunds;
mod reports;
mod router;
mod shopper;
mod state;
mod verification;
mod webhooks;

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::Value;

pub use access::Feature;
pub use dashboard::{Dashboard, DashboardError};
pub use funding::{CardDecline, Funding};
pub use ledger::LedgerEntry;
pub use notary::SigningCertificate;
pub use shopper::{Shopper, ShopperError, ShopperOutcome};

use access::Access;
use errors::ApiError;
use idempotency::RequestIds;
use router::{Call, Content, Route, route};
use state::World;
use webhooks::Webhook;

use super::answering::{dated, header, put_header, respond, spoil};
use super::{
    Answer, DeliveryId, Fault, FaultPlan, SimulatedProvider, WebhookDelivery, WebhookOdds,
};
use crate::clock::Timestamp;

/// The longest body that is read, in bytes.
const BODY_MAX: usize = 1024 * 1024;
const CERTIFICATES: &str = "/v1/notifications/certs/";

/// A PayPal business account in the sandbox, with one app.
///
/// The same seed, start and requests give the same bytes, ids, signatures and webhooks included.
#[derive(Debug)]
pub struct PaypalSimulator {
    world: World,
    access: Access,
    request_ids: RequestIds,
    faults: FaultPlan,
}

impl PaypalSimulator {
    /// The client id of the app that is always there.
    pub const CLIENT_ID: &'static str = "simulated-client-id";
    /// The secret of that app.
    pub const CLIENT_SECRET: &'static str = "simulated-client-secret";

    /// An empty account whose clock stands at `start`. All that is random comes from `seed`, but
    /// for the keys that sign: they are the same for all, and worth nothing.
    #[must_use]
    pub fn new(seed: u64, start: Timestamp) -> Self {
        Self {
            world: World::new(seed, start),
            access: Access::new(Self::CLIENT_ID, Self::CLIENT_SECRET),
            request_ids: RequestIds::default(),
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

    /// Adds an app with these credentials. All others are refused as `invalid_client`, as PayPal
    /// does with those of the other mode.
    pub fn add_client(&mut self, client_id: &str, secret: &str) {
        self.access.add_client(client_id, secret);
    }

    /// Sets how long tokens last that are issued from now on. Default: 31,668 seconds.
    pub fn set_token_lifetime(&mut self, lifetime: Duration) {
        self.access.tokens_last = lifetime;
    }

    /// All tokens end now, as when a secret is changed.
    pub fn revoke_tokens(&mut self) {
        self.access.revoke_tokens();
    }

    /// Gives the app a feature, or takes it away, for tokens that are issued from now on. An app
    /// has all of them at first.
    pub fn set_feature(&mut self, feature: Feature, enabled: bool) {
        self.access.features.retain(|known| *known != feature);
        if enabled {
            self.access.features.push(feature);
        }
    }

    /// Sets whether an invoice id can be paid more than once. Default: it cannot.
    pub fn allow_repeated_invoices(&mut self, allowed: bool) {
        self.world.settings.repeated_invoices = allowed;
    }

    /// Sets whether `PayPal-Mock-Response` is heeded. Default: it is.
    pub fn set_negative_testing(&mut self, enabled: bool) {
        self.world.settings.negative_testing = enabled;
    }

    /// Sets how long after the fact a transaction appears in reports. Default: 3 hours, the most
    /// that PayPal says.
    pub fn set_reporting_delay(&mut self, delay: Duration) {
        self.world.settings.reporting_delay = delay;
    }

    /// Registers a webhook whose id is known already. The id takes part in the signature: a
    /// receiver is configured with it.
    ///
    /// `events` are names such as `PAYMENT.CAPTURE.COMPLETED`, or `*` for all.
    pub fn add_webhook(&mut self, url: &str, id: &str, events: &[&str]) {
        let event_types = events.iter().map(|name| (*name).to_owned()).collect();
        self.world.webhooks.put(Webhook {
            id: id.to_owned(),
            url: url.to_owned(),
            event_types,
        });
    }

    /// Chooses the certificate that signs webhooks from now on. Default: the genuine one.
    pub fn sign_with(&mut self, certificate: SigningCertificate) {
        self.world.notary.certificate = certificate;
    }

    /// The root of the genuine certificate, in PEM: what a receiver must trust in a test instead of
    /// the roots of the operating system. `None` if it could not be made.
    #[must_use]
    pub fn trust_root(&self) -> Option<String> {
        self.world.notary.trust_root()
    }

    /// A webhook with this body, signed at this time for the webhook with this id, as a delivery
    /// would be. `None` if `url` is none.
    #[must_use]
    pub fn signed_webhook(
        &self,
        url: &str,
        webhook_id: &str,
        at: Timestamp,
        body: &[u8],
    ) -> Option<Request<Bytes>> {
        let transmission = "5b8a2f0e-0000-4000-8000-signedbyhand";
        events::sign(
            &self.world,
            url,
            webhook_id,
            transmission,
            at,
            body.to_vec(),
        )
    }

    /// The person who pays.
    pub fn shopper(&mut self) -> Shopper<'_> {
        Shopper::new(&mut self.world)
    }

    /// What the merchant and the banks do outside the API.
    pub fn dashboard(&mut self) -> Dashboard<'_> {
        Dashboard::new(&mut self.world)
    }

    /// What really happened to the money of each purchase unit, in the order in which they were
    /// made.
    #[must_use]
    pub fn ledger(&self) -> Vec<LedgerEntry> {
        ledger::entries(&self.world)
    }

    fn answer_api(&mut self, request: &Request<Bytes>, fault: Option<Fault>) -> Response<Bytes> {
        let debug_id = self.world.ids.hex(13);
        let whole = header(request, "prefer").is_some_and(|prefer| {
            let mut preferences = prefer.split(',').map(str::trim);
            preferences.any(|preference| preference == "return=representation")
        });
        let (status, body) = match self.perform(request, fault, whole) {
            Ok((status, body)) => (status, body),
            Err(error) => (error.status(), Some(error.body(&debug_id))),
        };
        let mut response = match body {
            Some(body) => respond(status, "application/json", body.to_string()),
            None => {
                let mut response = respond(204, "application/json", Bytes::new());
                let _ = response.headers_mut().remove("content-type");
                response
            }
        };
        put_header(&mut response, "paypal-debug-id", &debug_id);
        response
    }

    /// Runs a request, or finds what it made before.
    fn perform(
        &mut self,
        request: &Request<Bytes>,
        fault: Option<Fault>,
        whole: bool,
    ) -> Result<(u16, Option<Value>), ApiError> {
        let path = request.uri().path();
        let route = route(request.method(), path).ok_or_else(ApiError::unknown_url)?;
        self.access.permit(request, route.feature, self.world.now)?;
        refuse_in_front(fault)?;
        let call = read_call(request, &route)?;
        let kept = route.keeps_ids_for.zip(call.request_id.clone());
        if let Some((_, id)) = &kept {
            RequestIds::check(id)?;
            if let Some(made) = self.request_ids.made(route.kind, id, self.world.now)? {
                return Ok((200, made.render(&self.world, whole)));
            }
        }
        if self.world.settings.negative_testing
            && let Some(code) = access::mocked_code(request)
        {
            return Err(ApiError::mocked(&code));
        }
        let reply = (route.endpoint)(&mut self.world, &call)?;
        let body = match reply.content {
            Content::None => None,
            Content::Body(body) => Some(body),
            Content::Made(made) => {
                let body = made.render(&self.world, whole);
                if let Some((keeps_for, id)) = kept {
                    let now = self.world.now;
                    let busy_until = match fault {
                        Some(Fault::Slow(by)) => now.saturating_add(by),
                        _ => now,
                    };
                    let key = (route.kind, id.as_str());
                    self.request_ids.keep(key, made, now, busy_until, keeps_for);
                }
                body
            }
        };
        match fault {
            Some(Fault::ErrorAfter) => Err(ApiError::internal()),
            _ => Ok((reply.status, body)),
        }
    }
}

impl SimulatedProvider for PaypalSimulator {
    fn name(&self) -> &'static str {
        "paypal"
    }

    fn handle(&mut self, request: &Request<Bytes>) -> Answer {
        if request.body().len() > BODY_MAX {
            let error = ApiError::too_large();
            let body = error.body("0000000000000").to_string();
            return Answer::Response(respond(error.status(), "application/json", body));
        }
        let path = request.uri().path();
        if path == "/checkoutnow" {
            return Answer::Response(approval_page::answer(&mut self.world, request));
        }
        let fault = self.faults.draw(request);
        if fault == Some(Fault::DropBefore) {
            return Answer::Dropped { processed: false };
        }
        let response = match (path.strip_prefix(CERTIFICATES), refuse_in_front(fault)) {
            (Some(_), Err(error)) => {
                respond(error.status(), "text/plain", error.issue().to_owned())
            }
            (Some(name), Ok(())) => match self.world.notary.certificate_file(name) {
                Some(file) => respond(200, "application/x-x509-ca-cert", file),
                None => respond(404, "text/plain", "There is no such certificate."),
            },
            (None, Ok(())) if path == "/v1/oauth2/token" => {
                self.access
                    .issue(request, &mut self.world.ids, self.world.now)
            }
            (None, _) => self.answer_api(request, fault),
        };
        spoil(dated(response, self.world.now), fault)
    }

    fn now(&self) -> Timestamp {
        self.world.now
    }

    fn advance(&mut self, by: Duration) {
        self.world.advance(by);
    }

    fn set_base_url(&mut self, base_url: &str) {
        self.world.base_url = Some(base_url.trim_end_matches('/').to_owned());
    }

    /// The `secret` is the id of the webhook: PayPal's webhooks have no other.
    fn subscribe(&mut self, url: &str, secret: &str) {
        self.add_webhook(url, secret, &["*"]);
    }

    fn connection_help(&self, base_url: &str) -> String {
        let (id, secret) = (Self::CLIENT_ID, Self::CLIENT_SECRET);
        format!(
            "Client id      {id}\n\
             Client secret  {secret}\n\
             Node    unstable_httpClientOptions: {{adapter: c => axios.getAdapter('http')({{...c, url: \
             c.url.replace('https://api-m.sandbox.paypal.com', '{base_url}')}})}}\n\
             Python  Configuration.environments[Environment.SANDBOX] = {{Server.DEFAULT: '{base_url}'}}\n\
             Rust    counterfoil's PayPal sandbox configuration, with the base URL {base_url}\n\
             curl    curl {base_url}/v1/oauth2/token -u {id}:{secret} -d grant_type=client_credentials\n\
             A webhook's secret is its id. Approval pages are at the `approve` or `payer-action` link of \
             each order."
        )
    }

    fn settings(
        &self,
        base_url: &str,
        webhook_secret: Option<&str>,
    ) -> Vec<(&'static str, String)> {
        let mut settings = vec![
            ("base_url", base_url.to_owned()),
            ("client_id", Self::CLIENT_ID.to_owned()),
            ("client_secret", Self::CLIENT_SECRET.to_owned()),
        ];
        settings.extend(webhook_secret.map(|secret| ("webhook_id", secret.to_owned())));
        settings
    }

    fn trust_root(&self) -> Option<String> {
        Self::trust_root(self)
    }

    fn due_webhooks(&mut self) -> Vec<WebhookDelivery> {
        events::due(&mut self.world)
    }

    fn report_webhook(&mut self, delivery: DeliveryId, status: Option<u16>) {
        events::report(&mut self.world, delivery, status);
    }
}

/// The faults that strike before the API begins.
fn refuse_in_front(fault: Option<Fault>) -> Result<(), ApiError> {
    match fault {
        // PayPal keeps no failed answer under a request id, so that both are the same here.
        Some(Fault::ErrorBefore | Fault::ErrorStored) => Err(ApiError::internal()),
        Some(Fault::Unavailable) => Err(ApiError::unavailable()),
        Some(Fault::RateLimited) => Err(ApiError::rate_limited()),
        Some(Fault::Locked) => Err(ApiError::in_progress()),
        _ => Ok(()),
    }
}

fn read_call(request: &Request<Bytes>, route: &Route<'_>) -> Result<Call, ApiError> {
    let writes = matches!(*request.method(), Method::POST | Method::PATCH);
    // A void is the one write that the specification gives no body.
    let has_none = route.kind == "authorizations.void" && request.body().is_empty();
    if writes && !has_none {
        let media_type = header(request, "content-type").unwrap_or_default();
        if !media_type
            .to_ascii_lowercase()
            .starts_with("application/json")
        {
            return Err(ApiError::media_type());
        }
    }
    let body = match request.body().as_ref() {
        _ if !writes => Value::Null,
        [] => Value::Null,
        bytes => serde_json::from_slice(bytes).map_err(|_| ApiError::malformed_json())?,
    };
    let query = request.uri().query().unwrap_or_default().as_bytes();
    Ok(Call {
        id: route.id.to_owned(),
        query: form_urlencoded::parse(query).into_owned().collect(),
        body,
        bytes: request.body().clone(),
        request_id: header(request, "paypal-request-id").map(str::to_owned),
    })
}

#[cfg(test)]
mod tests;
