//! Adyen, simulated: Checkout v72, Management v3 and the standard webhooks, from their published
//! specifications.
//!
//! What is simulated: sessions, Pay by Link with its page, payments with their details, every
//! modification, standard webhooks with their signatures and tries, disputes, daily settlement with
//! its report, and of the Management API who a credential is, its merchant accounts and their
//! webhooks. Nothing can be fetched that Adyen does not let one fetch.
//!
//! # Credentials and accounts
//!
//! Any API key is taken, and any user with a password, until [`refuse_key`] or another limit says
//! otherwise. The merchant account is [`MERCHANT_ACCOUNT`]; more are added by [`add_merchant`].
//!
//! # Test payment methods
//!
//! | In a request | On a page, and by [`Shopper::pay`] | What happens |
//! |---|---|---|
//! | `encryptedCardNumber` = `test_4111111111111111` | `visa` | it pays |
//! | `test_5555444433331111` | `mc` | it pays |
//! | `test_4917610000000000` | `visa_3ds` | 3D Secure is asked for |
//! | type `ideal` | `ideal` | the shopper pays at the bank |
//! | type `sepadirectdebit` | `sepadirectdebit` | `Received`, then authorised after three days |
//!
//! Other card numbers are refused. The holder name (of a debit, the owner's) can be a trigger; on a
//! page it follows a colon, as in `visa:DECLINED`.
//!
//! | Holder name | What happens |
//! |---|---|
//! | `DECLINED`, `NOT_ENOUGH_BALANCE`, `CARD_EXPIRED`, `CVC_DECLINED`, `FRAUD` … | it is refused, with that reason |
//! | `SIM_ERROR` | the result is `Error` |
//! | `SIM_PARTLY_AUTHORISED` | half is authorised |
//! | `SIM_PENDING`, `SIM_PENDING_REFUSED` | it is pending for a day (a debit: three), then authorised or refused |
//! | `SIM_CAPTURE_REFUSED`, `SIM_CAPTURE_FAILED` | captures are refused; or succeed, and fail after an hour |
//! | `SIM_CANCEL_REFUSED` | cancellations are refused |
//! | `SIM_REFUND_REFUSED`, `SIM_REFUND_FAILED`, `SIM_REFUND_REVERSED` | refunds are refused; or succeed, and fail or come back after an hour |
//! | `SIM_REFUND_SLOW` | refunds take an hour |
//! | `SIM_CHARGEBACK` | it is charged back an hour after the capture |
//! | `SIM_FRICTIONLESS` | the bank that 3D Secure asks is content without asking the shopper |
//!
//! The names that begin with `SIM_` are this simulator's own. As at Adyen,
//! `additionalData.RequestedTestAcquirerResponseCode` asks for a refusal by its code.
//!
//! # Limits
//!
//! Where it is simpler than Adyen: nothing is converted; fees are fixed, see the report; a webhook
//! with event codes to include receives those alone, one without any receives all; the test call of
//! a webhook answers before the notice is sent, and so always with success; notices that are not
//! received wait each by itself and do not hold up later ones. Numbers of errors that the
//! specification's examples do not show are unverified.
//!
//! [`refuse_key`]: AdyenSimulator::refuse_key
//! [`add_merchant`]: AdyenSimulator::add_merchant

mod access;
mod amounts;
mod body;
mod checkout;
mod dashboard;
mod disputes;
mod errors;
mod idempotency;
mod ledger;
mod links;
mod management;
mod methods;
mod modifications;
mod notices;
mod page;
mod payments;
mod reports;
mod router;
mod sessions;
mod shopper;
mod state;
mod stored;
mod webhooks;

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::Value;

pub use dashboard::{Dashboard, DashboardError};
pub use ledger::{LedgerEntry, OpenPage};
pub use shopper::{Shopper, ShopperError, ShopperOutcome};
pub use state::CaptureTiming;

use access::KeyRing;
use errors::ApiError;
use idempotency::{KeptAnswer, KeyStore};
use router::{Call, Route};
use state::World;

use super::answering::{dated, header, put_header, respond, spoil};
use super::{
    Answer, DeliveryId, Fault, FaultPlan, SimulatedProvider, WebhookDelivery, WebhookOdds,
};
use crate::clock::Timestamp;

/// The merchant account that is there from the start.
pub const MERCHANT_ACCOUNT: &str = "CounterfoilTest";
/// The longest body that is read, in bytes.
const BODY_MAX: usize = 1024 * 1024;

/// A company account in Adyen's test environment.
///
/// The same seed, start and requests give the same bytes, references and webhooks included.
#[derive(Debug)]
pub struct AdyenSimulator {
    world: World,
    keys: KeyRing,
    key_store: KeyStore,
    faults: FaultPlan,
}

impl AdyenSimulator {
    /// An empty account whose clock stands at `start`. All that is random comes from `seed`.
    #[must_use]
    pub fn new(seed: u64, start: Timestamp) -> Self {
        Self {
            world: World::new(seed, start),
            keys: KeyRing::default(),
            key_store: KeyStore::default(),
            // Draws of its own, so that faults do not change the references.
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

    /// Answers a key with 401 from now on, as a key of the live environment.
    pub fn refuse_key(&mut self, key: &str) {
        self.keys.refuse(key);
    }

    /// Limits a key to roles, by Adyen's names such as `Checkout webservice role`.
    pub fn limit_roles(&mut self, key: &str, roles: &[&str]) {
        self.keys.limit_roles(key, roles);
    }

    /// Limits a key to merchant accounts.
    pub fn limit_merchants(&mut self, key: &str, merchants: &[&str]) {
        self.keys.limit_merchants(key, merchants);
    }

    /// Adds a merchant account, which captures at once.
    pub fn add_merchant(&mut self, name: &str) {
        let _ = self.world.merchant_mut(name);
    }

    /// Sets when a merchant account captures, where the request does not say. Default: at once.
    pub fn set_capture_timing(&mut self, merchant: &str, timing: CaptureTiming) {
        if let Some(merchant) = self.world.merchant_mut(merchant) {
            merchant.capture = timing;
        }
    }

    /// Sets whether a partial capture leaves the rest to be captured. Default: it lets it go.
    pub fn allow_multiple_captures(&mut self, merchant: &str, allowed: bool) {
        if let Some(merchant) = self.world.merchant_mut(merchant) {
            merchant.multiple_captures = allowed;
        }
    }

    /// Sets whether automatic captures are told by a CAPTURE notice. Default: they are.
    pub fn tell_automatic_captures(&mut self, merchant: &str, told: bool) {
        if let Some(merchant) = self.world.merchant_mut(merchant) {
            merchant.tells_automatic_captures = told;
        }
    }

    /// Sets how long a modification takes from being received to being done, in whole seconds.
    /// Default: none, so that its notice is due with the answer.
    pub fn set_modification_delay(&mut self, delay: Duration) {
        self.world.modification_delay = delay;
    }

    /// Sets whether the notice of a modification carries the reference of its payment even where it
    /// has one of its own. Default: no. Which of both Adyen does is unverified, so try both.
    pub fn tell_payment_reference(&mut self, told: bool) {
        self.world.tells_payment_reference = told;
    }

    /// Sets how many items the body of a webhook may carry. Default: 1, as Adyen sends them.
    pub fn set_items_per_body(&mut self, items: usize) {
        self.world.items_per_body = items.max(1);
    }

    /// Adds a standard webhook with its HMAC key, in hexadecimal digits; its id is answered.
    pub fn add_webhook(&mut self, merchant: &str, url: &str, hmac_key: &str) -> String {
        let kind = webhooks::STANDARD;
        webhooks::register(&mut self.world, merchant, kind, url, Some(hmac_key))
    }

    /// Gives a webhook a new HMAC key. The old one signs on until `after` has passed: a new key
    /// takes time to reach all of Adyen. Answers whether there is such a webhook.
    pub fn change_hmac_key(&mut self, webhook: &str, hmac_key: &str, after: Duration) -> bool {
        webhooks::change_key(&mut self.world, webhook, hmac_key, after)
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

    /// The links and sessions that no one has begun to pay.
    #[must_use]
    pub fn open_pages(&self) -> Vec<OpenPage> {
        ledger::open_pages(&self.world)
    }

    /// The result that the page of a session was given when it ended, for `GET /sessions/{id}`.
    #[must_use]
    pub fn session_result(&self, session: &str) -> Option<&str> {
        self.world.sessions.get(session)?.result_token()
    }

    fn answer_api(&mut self, request: &Request<Bytes>, api: Api, fault: Option<Fault>) -> Answer {
        let psp = self.world.ids.psp();
        let key = (request.method() == Method::POST && matches!(api, Api::Checkout(_)))
            .then(|| header(request, "idempotency-key"))
            .flatten()
            .map(str::to_owned);
        let outcome = self.perform(request, &api, key.as_deref(), fault, &psp);
        // What was received may be due at once; but the answer is as it was before.
        self.world.advance(Duration::ZERO);
        let mut response = match outcome {
            Ok(kept) => respond(kept.status, "application/json", kept.body),
            Err(error) => error_response(&error, &api, &psp),
        };
        put_header(&mut response, "pspreference", &psp);
        if let Some(key) = &key {
            put_header(&mut response, "idempotency-key", key);
        }
        spoil(dated(response, self.world.now), fault)
    }

    /// Runs a request, or finds the answer that it had before.
    fn perform(
        &mut self,
        request: &Request<Bytes>,
        api: &Api,
        key: Option<&str>,
        fault: Option<Fault>,
        psp: &str,
    ) -> Result<KeptAnswer, ApiError> {
        let credential = self.keys.authenticate(request)?;
        let route = api.route(request.method());
        let route = route.ok_or_else(|| ApiError::not_found("There is no such URL"))?;
        self.keys.permit(&credential, route.role)?;
        refuse_in_front(fault)?;
        let now = self.world.now;
        if let Some(key) = key
            && let Some(kept) = self.key_store.replay(key, now)?
        {
            return Ok(kept);
        }
        let failed = || Err(ApiError::internal(500));
        let outcome = match fault {
            Some(Fault::ErrorStored) => failed(),
            Some(Fault::ErrorAfter) => self.run(request, &credential, route).and(failed()),
            _ => self.run(request, &credential, route),
        };
        let by_fault = matches!(fault, Some(Fault::ErrorStored | Fault::ErrorAfter));
        let (status, body) = match outcome {
            Ok(answer) => answer,
            Err(error) if key.is_some() && (by_fault || error.executed()) => {
                (error.status(), api.error_body(&error, psp))
            }
            Err(error) => return Err(error),
        };
        let answer = KeptAnswer {
            status,
            body: to_bytes(&body),
        };
        if let Some(key) = key {
            let busy_until = match fault {
                Some(Fault::Slow(by)) => now.saturating_add(by),
                _ => now,
            };
            self.key_store.keep(key, answer.clone(), now, busy_until);
        }
        Ok(answer)
    }

    fn run(
        &mut self,
        request: &Request<Bytes>,
        credential: &str,
        route: Route,
    ) -> Result<(u16, Value), ApiError> {
        let call = Call {
            id: route.id,
            child: route.child,
            query: request.uri().query().unwrap_or_default().to_owned(),
            body: request.body().clone(),
            key: credential,
            keys: &self.keys,
        };
        (route.endpoint)(&mut self.world, call)
    }

    fn answer_report(&mut self, request: &Request<Bytes>, path: &str) -> Response<Bytes> {
        let downloaded = self.keys.authenticate(request).and_then(|key| {
            let call = Call {
                id: String::new(),
                child: String::new(),
                query: String::new(),
                body: Bytes::new(),
                key: &key,
                keys: &self.keys,
            };
            reports::download(&self.world, &call, path)
        });
        match downloaded {
            Ok(csv) => respond(200, "text/csv; charset=utf-8", csv),
            Err(error) => respond(error.status(), "text/plain", error.message().to_owned()),
        }
    }
}

impl SimulatedProvider for AdyenSimulator {
    fn name(&self) -> &'static str {
        "adyen"
    }

    fn handle(&mut self, request: &Request<Bytes>) -> Answer {
        let api = Api::of(request.uri().path());
        if request.body().len() > BODY_MAX {
            let psp = self.world.ids.psp();
            return Answer::Response(error_response(&ApiError::too_large(), &api, &psp));
        }
        let path = request.uri().path();
        if let Some(page) = page::answer(&mut self.world, request, path) {
            return Answer::Response(page);
        }
        let fault = self.faults.draw(request);
        if fault == Some(Fault::DropBefore) {
            return Answer::Dropped { processed: false };
        }
        if let Some(file) = path.strip_prefix("/reports/") {
            return match refuse_in_front(fault) {
                Ok(()) => spoil(self.answer_report(request, file), fault),
                Err(error) => Answer::Response(error_response(&error, &api, "")),
            };
        }
        self.answer_api(request, api, fault)
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

    fn subscribe(&mut self, url: &str, secret: &str) {
        let _ = self.add_webhook(MERCHANT_ACCOUNT, url, secret);
    }

    fn connection_help(&self, base_url: &str) -> String {
        format!(
            "Any API key will do, such as simulator. The merchant account is {MERCHANT_ACCOUNT}.\n\
             Node    const api = new CheckoutAPI(new Client({{apiKey: 'simulator', environment: 'TEST'}}));\n\
             \x20       api.PaymentLinksApi.baseUrl = '{base_url}/v72'; and so for each of its APIs\n\
             Python  ady.client._determine_api_url = lambda platform, endpoint:\n\
             \x20       endpoint.replace('https://checkout-test.adyen.com', '{base_url}')\n\
             Rust    counterfoil's Adyen test configuration, with the base URL {base_url}\n\
             curl    curl {base_url}/v3/me -H 'X-API-Key: simulator'\n\
             Pages of links are at their `url`; the drop-in of session CS… is {base_url}/CS….\n\
             A webhook's secret is its HMAC key: 64 hexadecimal digits. No card is asked for."
        )
    }

    fn settings(
        &self,
        base_url: &str,
        webhook_secret: Option<&str>,
    ) -> Vec<(&'static str, String)> {
        let mut settings = vec![
            ("base_url", base_url.to_owned()),
            ("api_key", "simulator".to_owned()),
            ("merchant_account", MERCHANT_ACCOUNT.to_owned()),
        ];
        settings.extend(webhook_secret.map(|secret| ("hmac_key", secret.to_owned())));
        settings
    }

    fn due_webhooks(&mut self) -> Vec<WebhookDelivery> {
        notices::due(&mut self.world)
    }

    fn report_webhook(&mut self, delivery: DeliveryId, status: Option<u16>) {
        notices::report(&mut self.world, delivery, status);
    }
}

/// Which of Adyen's APIs a path belongs to, and the rest of the path.
#[derive(Debug)]
enum Api {
    Checkout(String),
    Management(String),
    Neither,
}

impl Api {
    fn of(path: &str) -> Self {
        match (path.strip_prefix("/v72/"), path.strip_prefix("/v3/")) {
            (Some(rest), _) => Self::Checkout(rest.to_owned()),
            (None, Some(rest)) => Self::Management(rest.to_owned()),
            (None, None) => Self::Neither,
        }
    }

    fn route(&self, method: &Method) -> Option<Route> {
        match self {
            Self::Checkout(path) => router::checkout_route(method, path),
            Self::Management(path) => router::management_route(method, path),
            Self::Neither => None,
        }
    }

    fn error_body(&self, error: &ApiError, psp: &str) -> Value {
        match self {
            Self::Management(_) => error.management(psp),
            _ => error.checkout(psp),
        }
    }
}

/// The faults that strike before the API begins, so that nothing is kept.
fn refuse_in_front(fault: Option<Fault>) -> Result<(), ApiError> {
    Err(match fault {
        Some(Fault::ErrorBefore) => ApiError::internal(500).transient(),
        Some(Fault::Unavailable) => ApiError::internal(503).transient(),
        Some(Fault::RateLimited) => ApiError::rate_limited(),
        Some(Fault::Locked) => ApiError::in_progress(),
        _ => return Ok(()),
    })
}

fn error_response(error: &ApiError, api: &Api, psp: &str) -> Response<Bytes> {
    let body = to_bytes(&api.error_body(error, psp));
    let mut response = respond(error.status(), "application/json", body);
    if error.is_transient() {
        put_header(&mut response, "transient-error", "true");
    }
    response
}

fn to_bytes(value: &Value) -> Bytes {
    Bytes::from(value.to_string())
}

#[cfg(test)]
mod tests;
