//! The PayPal provider over PayPal's simulator, as the suites of the library drive it.

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
use counterfoil::providers::paypal::{PayPal, PayPalConfig, PayPalCredentials};
use counterfoil::simulator::SimulatedProvider;
use counterfoil::simulator::paypal::{CardDecline, Funding, PaypalSimulator};
use counterfoil::webhook::WebhookRequest;
use counterfoil::{Live, Provider, Test};
use http::{HeaderMap, Request};
use serde_json::{Value, json};

use shared::{Wire, booked};

const ID: &str = PaypalSimulator::CLIENT_ID;
const SECRET: &str = PaypalSimulator::CLIENT_SECRET;
const UNKNOWN_SECRET: &str = "secret-that-opens-nothing";
const HOOK: &str = "https://shop.example/hook";
const WEBHOOK_ID: &str = "1JE4291016473214C";
const WEBHOOK_OF_ANOTHER: &str = "0AB4291016473214C";
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// One account at the simulator.
#[derive(Debug)]
pub(crate) struct PayPalRig {
    wire: Arc<Wire<PaypalSimulator>>,
    root: String,
}

impl PayPalRig {
    pub(crate) fn new() -> Self {
        let mut simulator = PaypalSimulator::new(7, Timestamp::from_unix(1_795_000_000));
        simulator.add_webhook(HOOK, WEBHOOK_ID, &["*"]);
        simulator.set_reporting_delay(Duration::ZERO);
        let root = simulator.trust_root().unwrap();
        Self {
            wire: Wire::to(simulator),
            root,
        }
    }

    fn simulator(&self) -> MutexGuard<'_, PaypalSimulator> {
        self.wire.simulator()
    }

    fn wired(
        &self,
        credentials: PayPalCredentials<Test>,
        installation: &Namespace,
    ) -> Provider<Test> {
        let config = PayPalConfig::new(credentials)
            .with_webhook_roots(&self.root)
            .unwrap()
            .with_transport(self.wire.clone())
            .with_timer(Arc::new(ManualTimer::new()))
            .with_clock(self.wire.clone())
            .with_seed(7);
        let paypal = PayPal::new(config).unwrap();
        Provider::new(paypal, installation.clone()).with_clock(self.wire.clone())
    }

    /// Asks the simulator past the provider.
    fn read(&self, path: &str) -> Value {
        let form = "grant_type=client_credentials";
        let pair = base64(&format!("{ID}:{SECRET}"));
        let token = Request::post("/v1/oauth2/token")
            .header("authorization", format!("Basic {pair}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Bytes::from_static(form.as_bytes()));
        let token = self.wire.read(&token.unwrap());
        let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
        let request = Request::get(path).header("authorization", bearer);
        self.wire.read(&request.body(Bytes::new()).unwrap())
    }

    fn dispute_of(&self, payment: &Payment<Test>) -> String {
        let list = self.read("/v1/customer/disputes");
        let items = list["items"].as_array().unwrap().iter();
        let ids = items.map(|item| item["dispute_id"].as_str().unwrap().to_owned());
        let is_its = |id: &String| {
            let dispute = self.read(&format!("/v1/customer/disputes/{id}"));
            let capture = &dispute["disputed_transactions"][0]["seller_transaction_id"];
            payment.ids().any(|id| *capture == *id.raw())
        };
        ids.into_iter().find(is_its).unwrap()
    }
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

impl Rig for PayPalRig {
    fn provider(&self, installation: &Namespace) -> Provider<Test> {
        let credentials = PayPalCredentials::sandbox(ID, SECRET, WEBHOOK_ID);
        self.wired(credentials.unwrap(), installation)
    }

    fn live_provider(&self, installation: &Namespace) -> Provider<Live> {
        let credentials = PayPalCredentials::live(ID, SECRET, WEBHOOK_ID).unwrap();
        let paypal = PayPal::new(PayPalConfig::new(credentials)).unwrap();
        Provider::new(paypal, installation.clone()).with_clock(self.wire.clone())
    }

    fn provider_with_wrong_key(&self, installation: &Namespace) -> Provider<Test> {
        let credentials = PayPalCredentials::sandbox(ID, UNKNOWN_SECRET, WEBHOOK_ID);
        self.wired(credentials.unwrap(), installation)
    }

    fn provider_trusting(
        &self,
        installation: &Namespace,
        secrets: &[SignedWith],
    ) -> Result<Provider<Test>, Unable> {
        let mut ids = secrets
            .iter()
            .map(|secret| webhook_id(*secret).ok_or(Unable));
        let first = ids.next().ok_or(Unable)??;
        let mut credentials = PayPalCredentials::sandbox(ID, SECRET, first).unwrap();
        for id in ids {
            credentials = credentials.with_webhook_id(id?).unwrap();
        }
        Ok(self.wired(credentials, installation))
    }

    fn provider_without_secret(
        &self,
        installation: &Namespace,
    ) -> Result<counterfoil::Result<Provider<Test>>, Unable> {
        let credentials = PayPalCredentials::sandbox(ID, SECRET, "");
        Ok(credentials.map(|credentials| self.wired(credentials, installation)))
    }

    fn secrets(&self) -> Vec<String> {
        [ID, SECRET, UNKNOWN_SECRET].map(String::from).into()
    }

    fn now(&self) -> Timestamp {
        self.wire.now()
    }

    fn requests(&self) -> usize {
        self.wire.requests()
    }

    fn books(&self, reference: &Reference) -> Vec<Booked> {
        let reference = reference.to_string();
        let ledger = self.simulator().ledger().into_iter();
        let named = ledger.filter(|entry| entry.custom_id.as_ref() == Some(&reference));
        named
            .map(|entry| booked(entry.amount, entry.captured, entry.refunded))
            .collect()
    }

    fn shopper(&self, payment: &Payment<Test>, shopper: Shopper) -> Result<(), Unable> {
        let (order, funding) = (payment.id.raw(), funding(shopper)?);
        let mut simulator = self.simulator();
        simulator.shopper().approve(order, funding).unwrap();
        if shopper == Shopper::PassesChallenge {
            simulator.shopper().pass_challenge(order).unwrap();
        }
        Ok(())
    }

    fn known_gaps(&self) -> &'static [(&'static str, &'static str)] {
        const NO_AGE: &str = "PayPal's scheme sets no age limit: it sends the same delivery again \
                              for three days";
        const NO_END: &str = "PayPal lets the shopper try again and tells nobody of a challenge \
                              that failed";
        &[
            ("shopper::a_failed_challenge_is_declined", NO_END),
            ("forgeries::a_stale_notice_is_refused", NO_AGE),
            ("forgeries::a_notice_from_the_future_is_refused", NO_AGE),
            ("S11", NO_END),
            ("S26", NO_AGE),
            ("S33", "PayPal sends one event at a time"),
        ]
    }

    fn happen(&self, happening: Happening<'_>) -> Result<(), Unable> {
        let mut simulator = self.simulator();
        match happening {
            Happening::CheckoutExpires(_) => simulator.advance(6 * HOUR),
            Happening::HoldLapses(_) => simulator.advance(30 * DAY),
            Happening::SlowPaymentSucceeds(_) | Happening::SlowPaymentFails(_) => {
                simulator.advance(4 * DAY);
            }
            Happening::RefundSettles(_) => simulator.advance(2 * DAY),
            Happening::DashboardRefund(payment, amount) => {
                let refunded = simulator
                    .dashboard()
                    .refund(payment.id.raw(), Some(amount.money()));
                refunded.unwrap();
            }
            Happening::PaysOut => {
                simulator.advance(DAY);
                let euro = counterfoil::money::Currency::EUR;
                simulator.dashboard().withdraw(euro).unwrap();
            }
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
        // Fetching a token moves no money.
        shared::plan(self.simulator().faults(), fault, on, "/v2/", requests)
    }

    fn webhooks(&self) -> Vec<WebhookRequest> {
        self.wire.webhooks()
    }

    fn sign(&self, body: &[u8], at: Timestamp, by: SignedWith) -> Result<WebhookRequest, Unable> {
        if at.abs_diff(self.now()) >= HOUR {
            return Err(Unable);
        }
        let Some(id) = webhook_id(by) else {
            return Ok(WebhookRequest::new(HeaderMap::new(), body.to_vec()));
        };
        let signed = self.simulator().signed_webhook(HOOK, id, at, body);
        Ok(signed.unwrap().into())
    }

    fn unusual_notice(&self, notice: UnusualNotice<'_>) -> Result<Vec<u8>, Unable> {
        let (event_type, resource_type, resource) = match notice {
            UnusualNotice::NotAboutPayments => {
                ("BILLING.PLAN.CREATED", "plan", json!({"id": "P-1"}))
            }
            UnusualNotice::UnknownType => ("MOON.WAXING", "moon", json!({"id": "M-1"})),
            UnusualNotice::UnknownStatus(payment) => {
                let mut order = self.read(&format!("/v2/checkout/orders/{}", payment.id.raw()));
                order["status"] = "RESTING".into();
                ("CHECKOUT.ORDER.PROCESSED", "checkout-order", order)
            }
            UnusualNotice::OfLiveMode(payment) => {
                let order = self.read(&format!("/v2/checkout/orders/{}", payment.id.raw()));
                let live = order.to_string().replace(".sandbox", "");
                let order = serde_json::from_str(&live).unwrap();
                ("CHECKOUT.ORDER.COMPLETED", "checkout-order", order)
            }
            _ => return Err(Unable),
        };
        let event = json!({
            "id": "WH-UNUSUAL", "event_version": "1.0", "create_time": self.now().to_string(),
            "resource_type": resource_type, "event_type": event_type, "resource": resource,
        });
        Ok(event.to_string().into())
    }
}

/// The webhook that a notice is signed for: PayPal's webhooks have no other secret.
fn webhook_id(signed: SignedWith) -> Option<&'static str> {
    match signed {
        SignedWith::TheEndpointsSecret => Some(WEBHOOK_ID),
        SignedWith::AnotherSecret => Some(WEBHOOK_OF_ANOTHER),
        SignedWith::Nothing => None,
    }
}

/// What a shopper pays with.
fn funding(shopper: Shopper) -> Result<Funding, Unable> {
    use DeclineReason as Reason;
    let declined = Funding::CardDeclined;
    Ok(match shopper {
        Shopper::Pays | Shopper::PassesUnasked => Funding::Balance,
        Shopper::PassesChallenge | Shopper::LeavesChallenge => Funding::Challenge,
        Shopper::IsDeclined(Reason::InsufficientFunds) => declined(CardDecline::InsufficientFunds),
        Shopper::IsDeclined(Reason::TryLater) => declined(CardDecline::TryLater),
        Shopper::IsDeclined(Reason::WrongInput(InputField::SecurityCode)) => {
            declined(CardDecline::WrongSecurityCode)
        }
        Shopper::IsDeclined(Reason::WrongInput(InputField::Expiry)) => {
            declined(CardDecline::Expired)
        }
        Shopper::IsDeclined(Reason::Fraud) | Shopper::HasAStolenCard => {
            declined(CardDecline::Fraud)
        }
        Shopper::IsDeclined(Reason::Generic) => Funding::InstrumentDeclined,
        Shopper::PaysAndRefundsPend => Funding::RefundsPend,
        Shopper::PaysAndRefundsFail => Funding::RefundsFail,
        Shopper::PaysAndDisputes => Funding::Disputes,
        Shopper::PaysSlowly => Funding::Echeck,
        Shopper::PaysSlowlyInVain => Funding::EcheckBounces,
        _ => return Err(Unable),
    })
}
