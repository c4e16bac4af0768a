//! Adyen's test platform: payments by its test cards and refusal triggers.
//!
//! Adyen cannot be asked how a payment stands: webhooks tell it. Without any, what an answer itself
//! decides can be judged and nothing else.
//!
//! Refusals are asked for by `additionalData.RequestedTestAcquirerResponseCode`, which is documented
//! for every refusal reason; the holder names that do the same are for some.
//!
//! Sources: <https://docs.adyen.com/development-resources/testing/result-codes>,
//! <https://docs.adyen.com/development-resources/test-cards-and-credentials/test-card-numbers>.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use counterfoil::clock::Timestamp;
use counterfoil::conformance::{Happening, Shopper, SignedWith, Unable, UnusualNotice};
use counterfoil::error::{DeclineReason, InputField};
use counterfoil::http::{Transport, TransportError};
use counterfoil::id::Namespace;
use counterfoil::money::PositiveMoney;
use counterfoil::payment::Payment;
use counterfoil::providers::adyen::{Adyen, AdyenConfig, LivePrefix};
use counterfoil::registry::Settings;
use counterfoil::request::Checkout;
use counterfoil::webhook::WebhookRequest;
use counterfoil::{Live, Provider, Result, Secret, Test};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, Request, Response};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Credentials, Played, TestMode, Wait, Wired, line, reason};

/// A well-formed key that signs for nobody.
const FORGERS_KEY: &str = "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF";

const OUT_OF_REACH: &[(&[u32], &str)] = &[
    (
        &[9],
        "no documented test card is checked in silence and without a browser",
    ),
    (
        &[10, 11],
        "the bank's question is answered on a page, in a browser",
    ),
    (
        &[12, 56],
        "what ends a payment that was left at the bank's page is not documented",
    ),
    (&[26], "Adyen signs no time"),
    (
        &[37],
        "a hold lapses after weeks, and nothing makes it lapse sooner",
    ),
    (
        &[41, 42],
        "no documented trigger makes a refund slow or fail",
    ),
    (
        &[45, 46],
        "no documented trigger of the API opens a dispute",
    ),
    (
        &[47, 48],
        "no documented trigger of the API makes a payment slow",
    ),
    (
        &[57],
        "a payout is told of by its report, which is made in days",
    ),
    (
        &[23, 58],
        "Adyen cannot be asked: what no webhook tells, nobody tells",
    ),
];

/// What only webhooks tell: all but what an answer itself decides.
const BY_ANSWERS: [u32; 3] = [8, 16, 28];
const BY_WEBHOOK: &str = "Adyen tells how a payment ended by webhook alone, and none reaches this \
                          machine: see --listen";

/// One merchant account of the test platform.
#[derive(Debug, Clone)]
pub(crate) struct AdyenTestMode {
    config: AdyenConfig<Test>,
    api_url: String,
    checkout_url: String,
    api_key: Secret,
    merchant_account: Secret,
    hmac_key: Secret,
}

impl AdyenTestMode {
    pub(crate) fn new(settings: Settings) -> Result<Self> {
        let mut secrets = settings.clone();
        let base_url = secrets.take_base_url();
        let (config, namespace) = AdyenConfig::<Test>::from_settings(settings)?;
        let provider = Adyen::new(config.clone())?.into_provider(namespace);
        let checkout_url = provider.setup().api_url.into();
        let api_url = match base_url {
            Some(base_url) => base_url.as_str().to_owned(),
            None => provider.setup().api_url.into(),
        };
        Ok(Self {
            config,
            api_url,
            checkout_url,
            api_key: secrets.take("api_key"),
            merchant_account: secrets.take("merchant_account"),
            hmac_key: secrets.take("hmac_key"),
        })
    }

    fn key_of(&self, by: SignedWith) -> Option<Secret> {
        match by {
            SignedWith::TheEndpointsSecret => Some(self.hmac_key.clone()),
            SignedWith::AnotherSecret => Some(Secret::new(FORGERS_KEY)),
            SignedWith::Nothing => None,
        }
    }

    /// Asks Adyen past the library, as staff do in the Customer Area: a refund without a name.
    fn refund(&self, payment: &Payment<Test>, amount: PositiveMoney) -> Played {
        let amount = amount.money();
        let body = json!({
            "merchantAccount": self.merchant_account.expose(),
            "amount": {"value": amount.minor(), "currency": amount.currency().code()},
        });
        let path = format!("payments/{}/refunds", payment.id.raw());
        let request = Request::post(format!("{}/{path}", self.checkout_url))
            .header("x-api-key", self.api_key.expose())
            .header("content-type", "application/json")
            .body(Bytes::from(body.to_string()));
        line::ask(&self.checkout_url, request.unwrap())
            .map(drop)
            .ok_or(Unable)
    }

    /// The same account with other credentials, at the same address.
    fn with(&self, api_key: &str, hmac_key: &str) -> Result<AdyenConfig<Test>> {
        let config = AdyenConfig::<Test>::new(api_key, self.merchant_account.expose(), hmac_key)?;
        if self.api_url.starts_with("http://") {
            return config.with_base_url(&self.api_url);
        }
        Ok(config)
    }
}

impl TestMode for AdyenTestMode {
    fn api_url(&self) -> &str {
        &self.api_url
    }

    fn open(&self, with: Credentials, on: Wired, namespace: &Namespace) -> Result<Provider<Test>> {
        let config = match with {
            Credentials::Right => self.config.clone(),
            Credentials::WrongKey => {
                self.with("AQEcounterfoilRehearsalUnknown", self.hmac_key.expose())?
            }
            Credentials::NoWebhookSecret => self.with(self.api_key.expose(), "")?,
            Credentials::Trusting(all) => {
                let mut keys = all.into_iter().filter_map(|by| self.key_of(by));
                let first = keys.next().unwrap_or_else(|| Secret::new(""));
                let config = self.with(self.api_key.expose(), first.expose())?;
                keys.try_fold(config, AdyenConfig::with_hmac_key)?
            }
        };
        let config = config
            .with_transport(Arc::new(Refusals(on.line)))
            .with_timer(on.timer)
            .with_clock(on.clock);
        Ok(Adyen::new(config)?.into_provider(namespace.clone()))
    }

    fn live(&self, namespace: &Namespace) -> Provider<Live> {
        let prefix = LivePrefix::new("1797a841fbb37ca7-MadeUp").unwrap();
        let account = self.merchant_account.expose();
        let key = self.hmac_key.clone();
        let config = AdyenConfig::<Live>::new("AQEmadeUp", account, key, prefix).unwrap();
        Adyen::new(config).unwrap().into_provider(namespace.clone())
    }

    fn secrets(&self) -> Vec<String> {
        let all = [&self.api_key, &self.hmac_key];
        all.map(|secret| secret.expose().to_owned()).into()
    }

    fn out_of_reach(&self, scenario: &str, hears: bool) -> Option<&'static str> {
        let is_decided = reason(&[(&BY_ANSWERS, "")], scenario).is_some();
        let by_webhook = (!hears && !is_decided).then_some(BY_WEBHOOK);
        reason(OUT_OF_REACH, scenario).or(by_webhook)
    }

    fn sign(&self, body: &[u8], _: Timestamp, by: SignedWith) -> Played<WebhookRequest> {
        let key = self.key_of(by);
        let mut value: Value = serde_json::from_slice(body).map_err(|_| Unable)?;
        for item in value["notificationItems"].as_array_mut().ok_or(Unable)? {
            sign_item(&mut item["NotificationRequestItem"], key.as_ref());
        }
        let signed = value.to_string().into_bytes();
        Ok(WebhookRequest::new(HeaderMap::new(), signed))
    }

    fn unusual_notice(&self, notice: UnusualNotice<'_>, now: Timestamp) -> Played<Vec<u8>> {
        let is_live = matches!(notice, UnusualNotice::OfLiveMode(_));
        let (code, success, payment) = match notice {
            UnusualNotice::NotAboutPayments => ("REPORT_AVAILABLE", "true", None),
            UnusualNotice::UnknownType => ("MOON_WAXING", "true", None),
            UnusualNotice::UnknownStatus(payment) => ("AUTHORISATION", "resting", Some(payment)),
            UnusualNotice::OfLiveMode(payment) | UnusualNotice::WithABadItem(payment) => {
                ("AUTHORISATION", "true", Some(payment))
            }
            _ => return Err(Unable),
        };
        let reference = payment.and_then(|payment| payment.reference.as_ref());
        // A good item beside a bad one is about the payment itself, where that has a name yet.
        let psp_reference = match notice {
            UnusualNotice::WithABadItem(payment) if !payment.is_checkout => payment.id.raw(),
            _ => "UNUSUAL000000001",
        };
        let item = json!({
            "additionalData": {}, "eventCode": code, "success": success,
            "amount": {"currency": "EUR", "value": payment.map_or(0, |of| of.amount.minor())},
            "eventDate": now.to_string(), "reason": "",
            "merchantAccountCode": self.merchant_account.expose(),
            "merchantReference": reference.map(ToString::to_string).unwrap_or_default(),
            "pspReference": psp_reference,
        });
        let mut items = vec![json!({"NotificationRequestItem": item})];
        if matches!(notice, UnusualNotice::WithABadItem(_)) {
            let nameless = json!({"additionalData": {}, "eventCode": "AUTHORISATION"});
            items.push(json!({"NotificationRequestItem": nameless}));
        }
        let body = json!({"live": is_live.to_string(), "notificationItems": items});
        Ok(body.to_string().into())
    }

    fn can_be_asked(&self) -> bool {
        false
    }

    fn has_tokens(&self) -> bool {
        true
    }

    /// The card's fields as Adyen's test platform takes them without its script.
    fn token(&self, shopper: Shopper) -> Played<Checkout> {
        let card = match shopper {
            Shopper::LeavesChallenge => "test_4917610000000000",
            _ => "test_4111111111111111",
        };
        let holder = match refusal(shopper)? {
            Some(code) => format!("{REFUSED}{code}"),
            None => "J. Smith".to_owned(),
        };
        let state = json!({"paymentMethod": {
            "type": "scheme",
            "encryptedCardNumber": card,
            "encryptedExpiryMonth": "test_03",
            "encryptedExpiryYear": "test_2030",
            "encryptedSecurityCode": "test_737",
            "holderName": holder,
        }});
        Ok(Checkout::token(
            state.to_string(),
            "https://shop.example/done",
        ))
    }

    fn happen(&self, happening: Happening<'_>, _: &Wait) -> Played {
        match happening {
            Happening::TimePasses(_) => Ok(()),
            Happening::DashboardRefund(payment, amount) => self.refund(payment, amount),
            _ => Err(Unable),
        }
    }
}

/// The refusal reason that a shopper is to be refused with.
fn refusal(shopper: Shopper) -> Played<Option<&'static str>> {
    use DeclineReason as Reason;
    Ok(match shopper {
        Shopper::Pays | Shopper::LeavesChallenge => None,
        Shopper::HasAStolenCard => Some("5"),
        Shopper::IsDeclined(Reason::InsufficientFunds) => Some("12"),
        Shopper::IsDeclined(Reason::TryLater) => Some("9"),
        Shopper::IsDeclined(Reason::WrongInput(InputField::SecurityCode)) => Some("24"),
        Shopper::IsDeclined(Reason::Fraud) => Some("20"),
        _ => return Err(Unable),
    })
}

/// What the holder's name begins with, where a refusal is asked for.
const REFUSED: &str = "Refused ";

/// Asks for refusals by their codes. The library sends nothing of the kind, so that they are written
/// into the request on its way.
#[derive(Debug)]
struct Refusals(Arc<dyn Transport>);

#[async_trait]
impl Transport for Refusals {
    async fn send(
        &self,
        mut request: Request<Bytes>,
    ) -> std::result::Result<Response<Bytes>, TransportError> {
        if let Some(body) = with_refusal(request.body()) {
            *request.body_mut() = body;
        }
        self.0.send(request).await
    }
}

fn with_refusal(body: &Bytes) -> Option<Bytes> {
    let mut body: Value = serde_json::from_slice(body).ok()?;
    let holder = body["paymentMethod"]["holderName"].as_str()?;
    let code = holder.strip_prefix(REFUSED)?.to_owned();
    body["additionalData"]["RequestedTestAcquirerResponseCode"] = code.into();
    Some(body.to_string().into())
}

/// Signs a notice, or takes its signature away.
fn sign_item(item: &mut Value, key: Option<&Secret>) {
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
    let key = hex::decode(key.expose()).unwrap();
    let mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    let tag = mac.chain_update(signed.join(":")).finalize().into_bytes();
    item["additionalData"]["hmacSignature"] = STANDARD.encode(tag).into();
}
