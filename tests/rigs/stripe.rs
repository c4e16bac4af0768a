//! The Stripe provider over Stripe's simulator, as the suites of the library drive it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // a rig is a test

#[path = "shared.rs"]
#[allow(clippy::duplicate_mod)] // a suite over several providers has several rigs
mod shared;

use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use counterfoil::clock::{Clock, Timestamp};
use counterfoil::conformance::{
    Booked, Fault, Happening, Rig, Shopper, SignedWith, Strikes, Unable, UnusualNotice,
};
use counterfoil::error::{DeclineReason, InputField};
use counterfoil::http::ManualTimer;
use counterfoil::id::{Namespace, Reference};
use counterfoil::payment::Payment;
use counterfoil::providers::stripe::{Stripe, StripeConfig};
use counterfoil::request::Checkout;
use counterfoil::simulator::SimulatedProvider;
use counterfoil::simulator::stripe::StripeSimulator;
use counterfoil::webhook::WebhookRequest;
use counterfoil::{Live, Provider, Test};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, Request};
use serde_json::{Value, json};
use sha2::Sha256;

use shared::Wire;

const KEY: &str = "sk_test_key_of_the_shop";
const UNKNOWN_KEY: &str = "rk_test_key_that_opens_nothing";
const ENDPOINT_SECRET: &str = "whsec_secret_of_the_endpoint";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Those that a preflight asks for, and no others: they must tell all that there is to tell.
fn types_of_webhooks() -> Vec<Box<str>> {
    let config = StripeConfig::<Test>::new("sk_test_of_nobody", ENDPOINT_SECRET).unwrap();
    let namespace = Namespace::new("nobody").unwrap();
    let provider = Stripe::new(config).unwrap().into_provider(namespace);
    provider.setup().webhook_types
}

/// One account at the simulator.
#[derive(Debug)]
pub(crate) struct StripeRig {
    prefers_tokens: bool,
    endpoint_secret: String,
    wire: Arc<Wire<StripeSimulator>>,
}

impl StripeRig {
    /// With `prefers_tokens`, payments begin by token and not on a page.
    pub(crate) fn new(prefers_tokens: bool) -> Self {
        Self::with_secret(prefers_tokens, ENDPOINT_SECRET)
    }

    /// With the secret of a webhook endpoint that already exists.
    pub(crate) fn with_secret(prefers_tokens: bool, endpoint_secret: &str) -> Self {
        let start = Timestamp::from_unix(1_795_000_000);
        let mut simulator = StripeSimulator::new(7, start);
        let types = types_of_webhooks();
        let types: Vec<&str> = types.iter().map(AsRef::as_ref).collect();
        simulator.add_webhook_endpoint("https://shop.example/hook", endpoint_secret, &types);
        simulator.restrict_key(UNKNOWN_KEY, &[]);
        Self {
            prefers_tokens,
            endpoint_secret: endpoint_secret.to_owned(),
            wire: Wire::to(simulator),
        }
    }

    fn simulator(&self) -> MutexGuard<'_, StripeSimulator> {
        self.wire.simulator()
    }

    fn with_key(&self, key: &str, installation: &Namespace) -> Provider<Test> {
        let config = StripeConfig::new(key, &*self.endpoint_secret).unwrap();
        self.wired(config, installation)
    }

    fn wired(&self, config: StripeConfig<Test>, installation: &Namespace) -> Provider<Test> {
        let config = config
            .with_transport(self.wire.clone())
            .with_timer(Arc::new(ManualTimer::new()))
            .with_clock(self.wire.clone())
            .with_seed(7);
        let stripe = Stripe::new(config).unwrap();
        Provider::new(stripe, installation.clone()).with_clock(self.wire.clone())
    }

    fn secret_of(&self, signed: SignedWith) -> Option<&str> {
        match signed {
            SignedWith::TheEndpointsSecret => Some(&self.endpoint_secret),
            SignedWith::AnotherSecret => Some("whsec_secret_of_a_forger"),
            SignedWith::Nothing => None,
        }
    }

    /// The first dispute of a payment.
    fn dispute_of(&self, payment: &Payment<Test>) -> String {
        let rows = self.rows("/v1/disputes");
        let is_its = |row: &&Value| {
            let intent = row["payment_intent"].as_str();
            payment.ids().any(|id| Some(id.raw()) == intent)
        };
        text(rows.iter().find(is_its).unwrap(), "id")
    }

    /// Asks the simulator past the provider.
    fn read(&self, path: &str) -> Value {
        let request = Request::get(path)
            .header("authorization", format!("Bearer {KEY}"))
            .body(Bytes::new())
            .unwrap();
        self.wire.read(&request)
    }

    fn rows(&self, path: &str) -> Vec<Value> {
        self.read(&format!("{path}?limit=100"))["data"]
            .as_array()
            .unwrap()
            .clone()
    }
}

impl Rig for StripeRig {
    fn provider(&self, installation: &Namespace) -> Provider<Test> {
        self.with_key(KEY, installation)
    }

    fn live_provider(&self, installation: &Namespace) -> Provider<Live> {
        let config =
            StripeConfig::<Live>::new("sk_live_key_of_the_shop", &*self.endpoint_secret).unwrap();
        let stripe = Stripe::new(config).unwrap();
        Provider::new(stripe, installation.clone()).with_clock(self.wire.clone())
    }

    fn provider_with_wrong_key(&self, installation: &Namespace) -> Provider<Test> {
        self.with_key(UNKNOWN_KEY, installation)
    }

    fn provider_trusting(
        &self,
        installation: &Namespace,
        secrets: &[SignedWith],
    ) -> Result<Provider<Test>, Unable> {
        let mut texts = secrets
            .iter()
            .map(|secret| self.secret_of(*secret).ok_or(Unable));
        let mut config = StripeConfig::new(KEY, texts.next().ok_or(Unable)??).unwrap();
        for text in texts {
            config = config.with_webhook_secret(text?).unwrap();
        }
        Ok(self.wired(config, installation))
    }

    fn provider_without_secret(
        &self,
        installation: &Namespace,
    ) -> Result<counterfoil::Result<Provider<Test>>, Unable> {
        let config = StripeConfig::new(KEY, "");
        Ok(config.map(|config| self.wired(config, installation)))
    }

    fn secrets(&self) -> Vec<String> {
        [KEY, UNKNOWN_KEY, &self.endpoint_secret]
            .map(String::from)
            .into()
    }

    fn now(&self) -> Timestamp {
        self.wire.now()
    }

    fn requests(&self) -> usize {
        self.wire.requests()
    }

    /// Sessions without an intent and intents, told by the simulator's own API.
    fn books(&self, reference: &Reference) -> Vec<Booked> {
        let reference = reference.to_string();
        let names_it = |row: &Value| {
            let metadata = row["metadata"].as_object().unwrap();
            row["client_reference_id"] == *reference
                || metadata.values().any(|value| *value == *reference)
        };
        let ledger = self.simulator().ledger();
        let sessions = self.rows("/v1/checkout/sessions");
        let unbegun = sessions
            .iter()
            .filter(|row| names_it(row) && row["payment_intent"].is_null());
        let unbegun = unbegun.map(|row| Booked {
            currency: text(row, "currency"),
            amount: decimal(row, "amount_total"),
            captured: decimal(&json!({"currency": row["currency"], "none": 0}), "none"),
            refunded: decimal(&json!({"currency": row["currency"], "none": 0}), "none"),
        });
        let begun = sessions.iter().filter(|row| names_it(row));
        let begun: Vec<_> = begun.map(|row| row["payment_intent"].clone()).collect();
        let intents = self.rows("/v1/payment_intents");
        let intents = intents
            .iter()
            .filter(|row| names_it(row) || begun.contains(&row["id"]));
        let intents = intents.map(|row| {
            let entry = ledger
                .iter()
                .find(|entry| row["id"] == *entry.payment_intent);
            let entry = entry.unwrap();
            assert!(entry.charges <= 1, "charged {} times", entry.charges);
            Booked {
                currency: text(row, "currency"),
                amount: decimal(row, "amount"),
                captured: entry.captured.to_decimal(),
                refunded: entry.refunded.to_decimal(),
            }
        });
        unbegun.chain(intents).collect()
    }

    fn shopper(&self, payment: &Payment<Test>, shopper: Shopper) -> Result<(), Unable> {
        let id = payment.id.raw();
        let mut simulator = self.simulator();
        // An intent is challenged already; on a session's page the card comes first.
        if id.starts_with("cs_") {
            simulator.shopper().pay(id, card(shopper)?).unwrap();
        }
        match shopper {
            Shopper::PassesChallenge => drop(simulator.shopper().pass_challenge(id).unwrap()),
            Shopper::FailsChallenge => drop(simulator.shopper().fail_challenge(id).unwrap()),
            _ => {}
        }
        Ok(())
    }

    fn known_gaps(&self) -> &'static [(&'static str, &'static str)] {
        &[
            (
                "shopper::an_unexplained_decline_is_generic",
                "each of Stripe's test cards that is declined without a reason carries an advice",
            ),
            ("S33", "Stripe sends one event at a time"),
        ]
    }

    fn prefers_tokens(&self) -> bool {
        self.prefers_tokens
    }

    fn token(&self, shopper: Shopper) -> Result<Checkout, Unable> {
        Ok(Checkout::token(card(shopper)?, "https://shop.example/done"))
    }

    fn happen(&self, happening: Happening<'_>) -> Result<(), Unable> {
        let mut simulator = self.simulator();
        match happening {
            Happening::CheckoutExpires(_) => simulator.advance(2 * DAY),
            Happening::RefundSettles(_) => simulator.advance(10 * DAY),
            Happening::DashboardRefund(payment, amount) => {
                let intent = payment
                    .ids()
                    .find(|id| id.raw().starts_with("pi_"))
                    .unwrap();
                let refunded = simulator
                    .dashboard()
                    .refund(intent.raw(), Some(amount.minor()));
                refunded.unwrap();
            }
            Happening::HoldLapses(_)
            | Happening::SlowPaymentSucceeds(_)
            | Happening::SlowPaymentFails(_) => simulator.advance(10 * DAY),
            Happening::PaysOut => simulator.advance(7 * DAY),
            Happening::TimePasses(time) => simulator.advance(time),
            Happening::DisputeIsWon(payment) => {
                drop(simulator);
                let dispute = self.dispute_of(payment);
                self.simulator().dashboard().win_dispute(&dispute).unwrap();
            }
            Happening::DisputeIsLost(payment) => {
                drop(simulator);
                let dispute = self.dispute_of(payment);
                self.simulator().dashboard().lose_dispute(&dispute).unwrap();
            }
            _ => return Err(Unable),
        }
        Ok(())
    }

    fn fault(&self, fault: Fault, on: Strikes, requests: usize) -> Result<(), Unable> {
        shared::plan(self.simulator().faults(), fault, on, "/", requests)
    }

    fn webhooks(&self) -> Vec<WebhookRequest> {
        self.wire.webhooks()
    }

    fn sign(&self, body: &[u8], at: Timestamp, by: SignedWith) -> Result<WebhookRequest, Unable> {
        let Some(secret) = self.secret_of(by) else {
            return Ok(WebhookRequest::new(HeaderMap::new(), body.to_vec()));
        };
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        let mac = mac
            .chain_update(format!("{}.", at.unix()))
            .chain_update(body);
        let signature = hex::encode(mac.finalize().into_bytes());
        let header = format!("t={},v1={signature}", at.unix());
        let request = Request::builder().header("stripe-signature", header);
        Ok(request.body(body.to_vec()).unwrap().into())
    }

    fn unusual_notice(&self, notice: UnusualNotice<'_>) -> Result<Vec<u8>, Unable> {
        let (kind, object) = match notice {
            UnusualNotice::NotAboutPayments => (
                "customer.created",
                json!({"id": "cus_1", "object": "customer"}),
            ),
            UnusualNotice::UnknownType => {
                ("moon.waxing", json!({"id": "moon_1", "object": "moon"}))
            }
            UnusualNotice::UnknownStatus(payment) => {
                let id = payment.id.raw().to_owned();
                let intent = if id.starts_with("cs_") {
                    self.simulator().shopper().begin(&id).unwrap()
                } else {
                    id
                };
                let mut intent = self.read(&format!("/v1/payment_intents/{intent}"));
                intent["status"] = "resting".into();
                ("payment_intent.processing", intent)
            }
            UnusualNotice::OfLiveMode(payment) => {
                let intent = payment.ids().find(|id| id.raw().starts_with("pi_"));
                let path = format!("/v1/payment_intents/{}", intent.unwrap().raw());
                let mut intent = self.read(&path);
                intent["livemode"] = true.into();
                ("payment_intent.succeeded", intent)
            }
            _ => return Err(Unable),
        };
        let event = json!({
            "id": "evt_unusual", "object": "event", "api_version": "2026-08-26.dahlia",
            "created": self.now().unix(), "pending_webhooks": 1,
            "livemode": matches!(notice, UnusualNotice::OfLiveMode(_)),
            "request": null, "type": kind, "data": {"object": object},
        });
        Ok(event.to_string().into())
    }
}

/// Stripe's test payment method for a shopper.
fn card(shopper: Shopper) -> Result<&'static str, Unable> {
    use DeclineReason as Reason;
    Ok(match shopper {
        Shopper::Pays => "pm_card_visa",
        Shopper::PassesUnasked => "pm_card_threeDSecureOptional",
        Shopper::HasAStolenCard => "pm_card_visa_chargeDeclinedStolenCard",
        Shopper::IsDeclined(Reason::InsufficientFunds) => {
            "pm_card_visa_chargeDeclinedInsufficientFunds"
        }
        Shopper::IsDeclined(Reason::TryLater) => "pm_card_chargeDeclinedProcessingError",
        Shopper::IsDeclined(Reason::WrongInput(InputField::SecurityCode)) => {
            "pm_card_chargeDeclinedIncorrectCvc"
        }
        Shopper::IsDeclined(Reason::WrongInput(InputField::Expiry)) => {
            "pm_card_chargeDeclinedExpiredCard"
        }
        Shopper::IsDeclined(Reason::Fraud) => "pm_card_radarBlock",
        Shopper::PassesChallenge | Shopper::FailsChallenge | Shopper::LeavesChallenge => {
            "pm_card_authenticationRequired"
        }
        Shopper::PaysAndRefundsPend => "pm_card_pendingRefund",
        Shopper::PaysAndRefundsFail => "pm_card_refundFail",
        Shopper::PaysSlowly => "pm_sepaDebit_success",
        Shopper::PaysSlowlyInVain => "pm_sepaDebit_failed",
        Shopper::PaysAndDisputes => "pm_card_createDispute",
        _ => return Err(Unable),
    })
}

fn text(row: &Value, field: &str) -> String {
    row[field].as_str().unwrap().to_owned()
}

/// An amount in Stripe's minor units as a decimal: yen have none, dinars three.
fn decimal(row: &Value, field: &str) -> String {
    let decimals = match row["currency"].as_str().unwrap() {
        "jpy" => 0,
        "kwd" => 3,
        _ => 2,
    };
    let units = row[field].as_i64().unwrap();
    let mut digits = format!("{units:0width$}", width = decimals + 1);
    if decimals > 0 {
        digits.insert(digits.len() - decimals, '.');
    }
    digits
}
