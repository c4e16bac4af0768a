//! Adyen's provider wired to Adyen's simulator, for the suites that need a rig.

#![allow(dead_code)] // each suite uses a part of it
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // a rig is a test

#[path = "shared.rs"]
#[allow(clippy::duplicate_mod)] // a suite over several providers has several rigs
mod shared;

use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use counterfoil::clock::{Clock, Timestamp};
use counterfoil::conformance::{
    Booked, Fault, Happening, Rig, Shopper, SignedWith, Strikes, Unable, UnusualNotice,
};
use counterfoil::error::{DeclineReason, InputField};
use counterfoil::http::ManualTimer;
use counterfoil::id::{Namespace, Reference};
use counterfoil::payment::Payment;
use counterfoil::providers::adyen::{Adyen, AdyenConfig, LivePrefix};
use counterfoil::request::Checkout;
use counterfoil::simulator::SimulatedProvider;
use counterfoil::simulator::adyen::{AdyenSimulator, MERCHANT_ACCOUNT, ShopperOutcome};
use counterfoil::webhook::WebhookRequest;
use counterfoil::{Live, Provider, Test};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, Request};
use serde_json::{Value, json};
use sha2::Sha256;

use shared::{Wire, booked};

const KEY: &str = "AQEyhmfxKI7MYhBEw0m-key-of-the-shop";
const UNKNOWN_KEY: &str = "AQEyhmfxKI7MYhBEw0m-key-that-opens-nothing";
const HMAC_KEY: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";
const FORGERS_KEY: &str = "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) struct AdyenRig {
    prefers_tokens: bool,
    wire: Arc<Wire<AdyenSimulator>>,
}

impl AdyenRig {
    /// Whether most payments are by token, and whether Adyen tells of captures that it makes by
    /// itself.
    pub(crate) fn new(prefers_tokens: bool, tells_automatic_captures: bool) -> Self {
        let mut simulator = AdyenSimulator::new(7, Timestamp::from_unix(1_795_000_000));
        simulator.add_webhook(MERCHANT_ACCOUNT, "https://shop.example/hook", HMAC_KEY);
        simulator.tell_automatic_captures(MERCHANT_ACCOUNT, tells_automatic_captures);
        simulator.refuse_key(UNKNOWN_KEY);
        Self {
            prefers_tokens,
            wire: Wire::to(simulator),
        }
    }

    fn simulator(&self) -> MutexGuard<'_, AdyenSimulator> {
        self.wire.simulator()
    }

    fn with_key(&self, key: &str, installation: &Namespace) -> Provider<Test> {
        let config = AdyenConfig::<Test>::new(key, MERCHANT_ACCOUNT, HMAC_KEY);
        self.wired(config.unwrap(), installation)
    }

    fn wired(&self, config: AdyenConfig<Test>, installation: &Namespace) -> Provider<Test> {
        let config = config
            .with_transport(self.wire.clone())
            .with_timer(Arc::new(ManualTimer::new()))
            .with_clock(self.wire.clone())
            .with_seed(7);
        let adyen = Adyen::new(config).unwrap();
        adyen.into_provider(installation.clone())
    }

    /// Hands the shop's page what the bank's page brought back, past the provider.
    fn submit(&self, result: &str) {
        let body = json!({"details": {"redirectResult": result}}).to_string();
        let request = Request::post("https://checkout-test.adyen.com/v72/payments/details")
            .header("x-api-key", KEY)
            .header("content-type", "application/json")
            .body(Bytes::from(body))
            .unwrap();
        let result = self.wire.read(&request);
        assert!(result["resultCode"].is_string(), "{result}");
    }
}

impl Rig for AdyenRig {
    fn provider(&self, installation: &Namespace) -> Provider<Test> {
        self.with_key(KEY, installation)
    }

    fn live_provider(&self, installation: &Namespace) -> Provider<Live> {
        let prefix = LivePrefix::new("1797a841fbb37ca7-Shop").unwrap();
        let config = AdyenConfig::<Live>::new(KEY, MERCHANT_ACCOUNT, HMAC_KEY, prefix).unwrap();
        let adyen = Adyen::new(config).unwrap();
        Provider::new(adyen, installation.clone()).with_clock(self.wire.clone())
    }

    fn provider_with_wrong_key(&self, installation: &Namespace) -> Provider<Test> {
        self.with_key(UNKNOWN_KEY, installation)
    }

    fn provider_trusting(
        &self,
        installation: &Namespace,
        secrets: &[SignedWith],
    ) -> Result<Provider<Test>, Unable> {
        let mut keys = secrets.iter().map(|secret| key_of(*secret).ok_or(Unable));
        let first = keys.next().ok_or(Unable)??;
        let mut config = AdyenConfig::<Test>::new(KEY, MERCHANT_ACCOUNT, first).unwrap();
        for key in keys {
            config = config.with_hmac_key(key?).unwrap();
        }
        Ok(self.wired(config, installation))
    }

    fn provider_without_secret(
        &self,
        installation: &Namespace,
    ) -> Result<counterfoil::Result<Provider<Test>>, Unable> {
        let config = AdyenConfig::<Test>::new(KEY, MERCHANT_ACCOUNT, "");
        Ok(config.map(|config| self.wired(config, installation)))
    }

    fn secrets(&self) -> Vec<String> {
        [KEY, UNKNOWN_KEY, HMAC_KEY].map(String::from).into()
    }

    fn now(&self) -> Timestamp {
        self.wire.now()
    }

    fn requests(&self) -> usize {
        self.wire.requests()
    }

    fn books(&self, reference: &Reference) -> Vec<Booked> {
        let reference = reference.to_string();
        let is_its = |text: &str| text.strip_suffix(":held").unwrap_or(text) == reference;
        let simulator = self.simulator();
        let pages = simulator.open_pages().into_iter();
        let pages = pages.filter(|page| is_its(&page.reference)).map(|page| {
            let zero = counterfoil::money::Money::zero(page.amount.currency());
            booked(page.amount, zero, zero)
        });
        let payments = simulator.ledger().into_iter();
        let payments = payments
            .filter(|entry| is_its(&entry.reference))
            .map(|entry| booked(entry.amount, entry.captured, entry.refunded));
        pages.chain(payments).collect()
    }

    fn shopper(&self, payment: &Payment<Test>, shopper: Shopper) -> Result<(), Unable> {
        let id = payment.id.raw();
        // A payment by token is challenged already; on a link's page the method comes first.
        if id.starts_with("PL") && id.len() > 16 {
            let method = method(shopper)?;
            self.simulator().shopper().pay(id, &method).unwrap();
        }
        let answered = match shopper {
            Shopper::PassesChallenge => self.simulator().shopper().approve(id).unwrap(),
            Shopper::FailsChallenge => self.simulator().shopper().fail(id).unwrap(),
            _ => return Ok(()),
        };
        if let ShopperOutcome::Returned { result } = answered {
            self.submit(&result);
        }
        Ok(())
    }

    fn prefers_tokens(&self) -> bool {
        self.prefers_tokens
    }

    fn token(&self, shopper: Shopper) -> Result<Checkout, Unable> {
        let method = method(shopper)?;
        let (name, holder) = method.split_once(':').unwrap_or((&method, "J. Smith"));
        let method = match name {
            "sepadirectdebit" => json!({
                "type": name, "ownerName": holder, "iban": "NL13TEST0123456789",
            }),
            _ => json!({
                "type": "scheme",
                "encryptedCardNumber": match name {
                    "visa_3ds" => "test_4917610000000000",
                    _ => "test_4111111111111111",
                },
                "encryptedExpiryMonth": "test_03",
                "encryptedExpiryYear": "test_2030",
                "encryptedSecurityCode": "test_737",
                "holderName": holder,
            }),
        };
        let state = json!({"paymentMethod": method}).to_string();
        Ok(Checkout::token(state, "https://shop.example/done"))
    }

    fn happen(&self, happening: Happening<'_>) -> Result<(), Unable> {
        let mut simulator = self.simulator();
        match happening {
            Happening::CheckoutExpires(_) => simulator.advance(2 * DAY),
            Happening::HoldLapses(_) => simulator.advance(40 * DAY),
            Happening::SlowPaymentSucceeds(_) | Happening::SlowPaymentFails(_) => {
                simulator.advance(5 * DAY);
            }
            Happening::RefundSettles(_) | Happening::PaysOut => simulator.advance(2 * DAY),
            Happening::DashboardRefund(payment, amount) => {
                let refunded = simulator
                    .dashboard()
                    .refund(payment.id.raw(), amount.minor());
                refunded.unwrap();
            }
            Happening::TimePasses(time) => simulator.advance(time),
            Happening::DisputeIsWon(payment) => {
                let dispute = dispute_of(&mut simulator, payment);
                simulator.dashboard().reverse_chargeback(&dispute).unwrap();
            }
            Happening::DisputeIsLost(payment) => {
                let dispute = dispute_of(&mut simulator, payment);
                simulator.dashboard().reverse_chargeback(&dispute).unwrap();
                simulator.dashboard().charge_back_again(&dispute).unwrap();
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

    /// The scheme has no time in it: only a notice of now can be signed.
    fn sign(&self, body: &[u8], at: Timestamp, by: SignedWith) -> Result<WebhookRequest, Unable> {
        let key = key_of(by);
        if at != self.now() {
            return Err(Unable);
        }
        let mut signed = body.to_vec();
        if let Ok(mut value) = serde_json::from_slice::<Value>(body)
            && let Some(items) = value["notificationItems"].as_array_mut()
        {
            for item in items {
                sign_item(&mut item["NotificationRequestItem"], key);
            }
            signed = value.to_string().into_bytes();
        }
        Ok(WebhookRequest::new(HeaderMap::new(), signed))
    }

    fn unusual_notice(&self, notice: UnusualNotice<'_>) -> Result<Vec<u8>, Unable> {
        let (code, success, reference, amount) = match notice {
            UnusualNotice::NotAboutPayments => ("REPORT_AVAILABLE", "true", String::new(), 0),
            UnusualNotice::UnknownType => ("MOON_WAXING", "true", String::new(), 0),
            UnusualNotice::UnknownStatus(payment) => {
                let reference = payment.reference.as_ref().unwrap().to_string();
                (
                    "AUTHORISATION",
                    "resting",
                    reference,
                    payment.amount.minor(),
                )
            }
            UnusualNotice::OfLiveMode(payment) | UnusualNotice::WithABadItem(payment) => {
                let reference = payment.reference.as_ref().unwrap().to_string();
                ("AUTHORISATION", "true", reference, payment.amount.minor())
            }
            _ => return Err(Unable),
        };
        let live = matches!(notice, UnusualNotice::OfLiveMode(_)).to_string();
        // A good item beside a bad one is about the payment itself, where that has a name yet.
        let psp_reference = match notice {
            UnusualNotice::WithABadItem(payment) if !payment.is_checkout => payment.id.raw(),
            _ => "UNUSUAL000000001",
        };
        let item = json!({
            "additionalData": {}, "amount": {"currency": "EUR", "value": amount},
            "eventCode": code, "eventDate": "2026-11-18T12:00:00+01:00",
            "merchantAccountCode": MERCHANT_ACCOUNT, "merchantReference": reference,
            "pspReference": psp_reference, "reason": "", "success": success,
        });
        let mut items = vec![json!({"NotificationRequestItem": item})];
        if matches!(notice, UnusualNotice::WithABadItem(_)) {
            let nameless = json!({"additionalData": {}, "eventCode": "AUTHORISATION"});
            items.push(json!({"NotificationRequestItem": nameless}));
        }
        let body = json!({"live": live, "notificationItems": items});
        Ok(body.to_string().into())
    }

    fn known_gaps(&self) -> &'static [(&'static str, &'static str)] {
        &[
            (
                "forgeries::a_stale_notice_is_refused",
                "Adyen signs no time, so that a repetition is known by its id alone",
            ),
            (
                "forgeries::a_notice_from_the_future_is_refused",
                "Adyen signs no time",
            ),
            (
                "S26",
                "Adyen signs no time, so that a repetition is known by its id alone",
            ),
            (
                "forgeries::a_doubled_signature_is_refused",
                "the signature stands in the body, and no header is read",
            ),
        ]
    }
}

fn dispute_of(simulator: &mut AdyenSimulator, payment: &Payment<Test>) -> String {
    let dashboard = simulator.dashboard();
    let mut disputes = payment
        .ids()
        .filter_map(|id| dashboard.dispute_of(id.raw()));
    disputes.next().unwrap()
}

/// The simulator's test payment method for a shopper, with its trigger.
fn method(shopper: Shopper) -> Result<String, Unable> {
    use DeclineReason as Reason;
    let trigger = match shopper {
        Shopper::Pays => return Ok("visa".to_owned()),
        Shopper::PassesChallenge | Shopper::FailsChallenge | Shopper::LeavesChallenge => {
            return Ok("visa_3ds".to_owned());
        }
        Shopper::PassesUnasked => return Ok("visa_3ds:SIM_FRICTIONLESS".to_owned()),
        Shopper::PaysSlowly => return Ok("sepadirectdebit".to_owned()),
        Shopper::PaysSlowlyInVain => {
            return Ok("sepadirectdebit:SIM_PENDING_REFUSED".to_owned());
        }
        Shopper::IsDeclined(Reason::InsufficientFunds) => "NOT_ENOUGH_BALANCE",
        Shopper::IsDeclined(Reason::TryLater) => "ISSUER_UNAVAILABLE",
        Shopper::IsDeclined(Reason::WrongInput(InputField::SecurityCode)) => "CVC_DECLINED",
        Shopper::IsDeclined(Reason::WrongInput(InputField::Expiry)) => "CARD_EXPIRED",
        Shopper::IsDeclined(Reason::Fraud) => "FRAUD",
        Shopper::IsDeclined(Reason::Generic) => "DECLINED",
        Shopper::HasAStolenCard => "BLOCK_CARD",
        Shopper::PaysAndRefundsPend => "SIM_REFUND_SLOW",
        Shopper::PaysAndRefundsFail => "SIM_REFUND_FAILED",
        Shopper::PaysAndDisputes => "SIM_CHARGEBACK",
        _ => return Err(Unable),
    };
    Ok(format!("visa:{trigger}"))
}

fn key_of(signed: SignedWith) -> Option<&'static str> {
    match signed {
        SignedWith::TheEndpointsSecret => Some(HMAC_KEY),
        SignedWith::AnotherSecret => Some(FORGERS_KEY),
        SignedWith::Nothing => None,
    }
}

/// Signs a notice, or takes its signature away.
fn sign_item(item: &mut Value, key: Option<&str>) {
    let Some(key) = key else {
        if let Some(data) = item["additionalData"].as_object_mut() {
            data.remove("hmacSignature");
        }
        return;
    };
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let signed = [
        text(&item["pspReference"]),
        text(&item["originalReference"]),
        text(&item["merchantAccountCode"]),
        text(&item["merchantReference"]),
        text(&item["amount"]["value"]),
        text(&item["amount"]["currency"]),
        text(&item["eventCode"]),
        text(&item["success"]),
    ];
    let mac = Hmac::<Sha256>::new_from_slice(&hex::decode(key).unwrap()).unwrap();
    let tag = mac.chain_update(signed.join(":")).finalize().into_bytes();
    item["additionalData"]["hmacSignature"] = STANDARD.encode(tag).into();
}
