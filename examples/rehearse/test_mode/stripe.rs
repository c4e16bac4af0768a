//! Stripe's test mode: payments by its test payment methods.
//!
//! Sources: <https://docs.stripe.com/testing>, <https://docs.stripe.com/testing#disputes>.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use counterfoil::clock::Timestamp;
use counterfoil::conformance::{Happening, Shopper, SignedWith, Unable, UnusualNotice};
use counterfoil::error::{DeclineReason, InputField};
use counterfoil::id::Namespace;
use counterfoil::payment::Payment;
use counterfoil::providers::stripe::{Stripe, StripeConfig};
use counterfoil::registry::Settings;
use counterfoil::request::Checkout;
use counterfoil::webhook::WebhookRequest;
use counterfoil::{Live, Provider, Result, Secret, Test};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, Request};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Credentials, Played, TestMode, Wait, Wired, line, reason};

/// A well-formed key that opens no account.
const WRONG_KEY: &str = "sk_test_counterfoilRehearsalUnknown";

/// How long the provider may take for what it does in its own time: two minutes in all.
const POLLS: [u64; 12] = [0, 1, 2, 3, 5, 5, 10, 10, 15, 20, 20, 29];

const OUT_OF_REACH: &[(&[u32], &str)] = &[
    (
        &[10, 11],
        "the bank's question is answered on a page, in a browser",
    ),
    (&[33], "Stripe sends one event at a time"),
    (
        &[37],
        "a hold lapses after days, and nothing makes it lapse sooner",
    ),
    (
        &[47, 48],
        "no documented test payment method of a slow kind needs neither a page nor an account number",
    ),
    (
        &[57],
        "a payout is made in days, and nothing makes it sooner",
    ),
    (
        &[58],
        "a process that dies at each of its steps would send thousands of requests",
    ),
];

/// What only webhooks tell.
const BY_WEBHOOK: &[(&[u32], &str)] = &[
    (
        &[19, 20, 21, 22, 24, 25, 26, 27, 29, 30, 31, 32],
        "no webhook of Stripe's reaches this machine: see --listen",
    ),
    (
        &[50, 51, 52, 55],
        "a payment made elsewhere is heard of by webhook, and none reaches this machine: see --listen",
    ),
];

/// One account in test mode.
#[derive(Debug, Clone)]
pub(crate) struct StripeTestMode {
    config: StripeConfig<Test>,
    api_url: String,
    secret_key: Secret,
    webhook_secret: Secret,
    /// The newest dispute before one that is on its way.
    dispute_before: Arc<Mutex<Option<String>>>,
}

impl StripeTestMode {
    pub(crate) fn new(settings: Settings) -> Result<Self> {
        let mut secrets = settings.clone();
        let secret_key = secrets.take("secret_key");
        let webhook_secret = secrets.take("webhook_secret");
        let (config, namespace) = StripeConfig::<Test>::from_settings(settings)?;
        let provider = Stripe::new(config.clone())?.into_provider(namespace);
        Ok(Self {
            config,
            api_url: provider.setup().api_url.into(),
            secret_key,
            webhook_secret,
            dispute_before: Arc::default(),
        })
    }

    /// Asks Stripe past the library, as staff do in the Dashboard. It blocks until the answer.
    fn ask(&self, method: &str, path: &str, form: &[(&str, &str)]) -> Option<Value> {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.api_url))
            .header(
                "authorization",
                format!("Bearer {}", self.secret_key.expose()),
            )
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Bytes::from(body))
            .unwrap();
        line::ask(&self.api_url, request)
    }

    /// Looks until something is so, as long as that may take.
    fn until(&self, wait: &Wait, mut is_so: impl FnMut() -> Option<bool>) -> Played {
        for seconds in POLLS {
            wait(Duration::from_secs(seconds));
            if is_so() == Some(true) {
                return Ok(());
            }
        }
        Err(Unable)
    }

    fn secret_of(&self, by: SignedWith) -> Option<Secret> {
        match by {
            SignedWith::TheEndpointsSecret => Some(self.webhook_secret.clone()),
            SignedWith::AnotherSecret => Some(Secret::new("whsec_counterfoilOfAForger")),
            SignedWith::Nothing => None,
        }
    }

    fn intent_of(&self, payment: &Payment<Test>) -> Played<Value> {
        let intent = payment.ids().find(|id| id.raw().starts_with("pi_"));
        let path = format!("/v1/payment_intents/{}", intent.ok_or(Unable)?.raw());
        self.ask("GET", &path, &[]).ok_or(Unable)
    }

    fn newest_dispute(&self) -> Option<String> {
        let list = self.ask("GET", "/v1/disputes?limit=1", &[])?;
        let newest = list["data"].as_array()?.first()?;
        Some(newest["id"].as_str()?.to_owned())
    }

    /// The dispute of a payment, once there is one.
    fn dispute_of(&self, payment: &Payment<Test>) -> Option<Value> {
        let intent = payment.ids().find(|id| id.raw().starts_with("pi_"))?;
        let path = format!("/v1/disputes?payment_intent={}", intent.raw());
        let list = self.ask("GET", &path, &[])?;
        list["data"].as_array()?.first().cloned()
    }

    /// Answers a dispute with words that decide it in test mode.
    fn decide(&self, payment: &Payment<Test>, evidence: &str, wait: &Wait) -> Played {
        let dispute = self.dispute_of(payment).ok_or(Unable)?;
        let path = format!("/v1/disputes/{}", dispute["id"].as_str().ok_or(Unable)?);
        let form = [
            ("evidence[uncategorized_text]", evidence),
            ("submit", "true"),
        ];
        self.ask("POST", &path, &form).ok_or(Unable)?;
        self.until(wait, || {
            let now = self.ask("GET", &path, &[])?;
            Some(matches!(now["status"].as_str(), Some("won" | "lost")))
        })
    }
}

impl TestMode for StripeTestMode {
    fn api_url(&self) -> &str {
        &self.api_url
    }

    fn open(&self, with: Credentials, on: Wired, namespace: &Namespace) -> Result<Provider<Test>> {
        let config = match with {
            Credentials::Right => self.config.clone(),
            Credentials::WrongKey => StripeConfig::new(WRONG_KEY, self.webhook_secret.clone())?
                .with_base_url(&self.api_url)?,
            Credentials::NoWebhookSecret => StripeConfig::new(self.secret_key.clone(), "")?,
            Credentials::Trusting(all) => {
                let mut secrets = all.into_iter().filter_map(|by| self.secret_of(by));
                let first = secrets.next().unwrap_or_else(|| Secret::new(""));
                let config = StripeConfig::new(self.secret_key.clone(), first)?;
                let config = config.with_base_url(&self.api_url)?;
                secrets.try_fold(config, StripeConfig::with_webhook_secret)?
            }
        };
        let config = config
            .with_transport(on.line)
            .with_timer(on.timer)
            .with_clock(on.clock);
        Ok(Stripe::new(config)?.into_provider(namespace.clone()))
    }

    fn live(&self, namespace: &Namespace) -> Provider<Live> {
        let config = StripeConfig::<Live>::new("sk_live_made_up", self.webhook_secret.clone());
        let stripe = Stripe::new(config.unwrap()).unwrap();
        stripe.into_provider(namespace.clone())
    }

    fn secrets(&self) -> Vec<String> {
        let all = [&self.secret_key, &self.webhook_secret];
        all.map(|secret| secret.expose().to_owned()).into()
    }

    fn out_of_reach(&self, scenario: &str, hears: bool) -> Option<&'static str> {
        let by_webhook = || reason(BY_WEBHOOK, scenario).filter(|_| !hears);
        reason(OUT_OF_REACH, scenario).or_else(by_webhook)
    }

    fn sign(&self, body: &[u8], at: Timestamp, by: SignedWith) -> Played<WebhookRequest> {
        let Some(secret) = self.secret_of(by) else {
            return Ok(WebhookRequest::new(HeaderMap::new(), body.to_vec()));
        };
        let mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).unwrap();
        let mac = mac
            .chain_update(format!("{}.", at.unix()))
            .chain_update(body);
        let signature = hex::encode(mac.finalize().into_bytes());
        let header = format!("t={},v1={signature}", at.unix());
        let request = Request::builder().header("stripe-signature", header);
        Ok(request.body(body.to_vec()).unwrap().into())
    }

    fn unusual_notice(&self, notice: UnusualNotice<'_>, now: Timestamp) -> Played<Vec<u8>> {
        let is_live = matches!(notice, UnusualNotice::OfLiveMode(_));
        let (kind, object) = match notice {
            UnusualNotice::NotAboutPayments => (
                "customer.created",
                json!({"id": "cus_1", "object": "customer"}),
            ),
            UnusualNotice::UnknownType => {
                ("moon.waxing", json!({"id": "moon_1", "object": "moon"}))
            }
            UnusualNotice::UnknownStatus(payment) => {
                let mut intent = self.intent_of(payment)?;
                intent["status"] = "resting".into();
                ("payment_intent.processing", intent)
            }
            UnusualNotice::OfLiveMode(payment) => {
                let mut intent = self.intent_of(payment)?;
                intent["livemode"] = true.into();
                ("payment_intent.succeeded", intent)
            }
            _ => return Err(Unable),
        };
        // An id of its own each time: what is known already is not taken in again.
        let id = format!(
            "evt_rehearsal_{kind}_{}",
            object["id"].as_str().unwrap_or_default()
        );
        let event = json!({
            "id": id, "object": "event", "api_version": null, "created": now.unix(),
            "livemode": is_live, "request": null, "type": kind, "data": {"object": object},
        });
        Ok(event.to_string().into())
    }

    fn has_tokens(&self) -> bool {
        true
    }

    fn token(&self, shopper: Shopper) -> Played<Checkout> {
        if shopper == Shopper::PaysAndDisputes {
            let newest = self.newest_dispute().unwrap_or_default();
            *self.dispute_before.lock().unwrap() = Some(newest);
        }
        Ok(Checkout::token(
            method(shopper)?,
            "https://shop.example/done",
        ))
    }

    fn happen(&self, happening: Happening<'_>, wait: &Wait) -> Played {
        match happening {
            Happening::TimePasses(_) => {
                let before = self.dispute_before.lock().unwrap().take();
                if let Some(before) = before {
                    self.until(wait, || Some(self.newest_dispute()? != before))?;
                }
                Ok(())
            }
            Happening::RefundSettles(refund) => {
                let path = format!("/v1/refunds/{}", refund.id.raw());
                let status = || {
                    self.ask("GET", &path, &[])?["status"]
                        .as_str()
                        .map(str::to_owned)
                };
                let first = status();
                self.until(wait, || Some(status() != first))
            }
            Happening::DashboardRefund(payment, amount) => {
                let mut ids = payment.ids();
                let intent = ids.find(|id| id.raw().starts_with("pi_")).ok_or(Unable)?;
                let amount = amount.minor().to_string();
                let form = [("payment_intent", intent.raw()), ("amount", &amount)];
                self.ask("POST", "/v1/refunds", &form)
                    .map(drop)
                    .ok_or(Unable)
            }
            Happening::DisputeIsWon(payment) => self.decide(payment, "winning_evidence", wait),
            Happening::DisputeIsLost(payment) => self.decide(payment, "losing_evidence", wait),
            _ => Err(Unable),
        }
    }
}

/// Stripe's test payment method for a shopper.
fn method(shopper: Shopper) -> Played<&'static str> {
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
        Shopper::LeavesChallenge => "pm_card_authenticationRequired",
        Shopper::PaysAndRefundsPend => "pm_card_pendingRefund",
        Shopper::PaysAndRefundsFail => "pm_card_refundFail",
        Shopper::PaysAndDisputes => "pm_card_createDispute",
        _ => return Err(Unable),
    })
}
