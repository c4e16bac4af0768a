//! Adyen's test platform: payments by its test cards and refusal triggers.
//!
//! Adyen cannot be asked how a payment stands: webhooks tell it. Without any, what an answer itself
//! decides can be judged and nothing else.
//!
//! Sources: <https://docs.adyen.com/development-resources/testing/result-codes>,
//! <https://docs.adyen.com/development-resources/test-cards-and-credentials/test-card-numbers>.

use counterfoil::conformance::{Happening, Shopper, Unable};
use counterfoil::error::{DeclineReason, InputField};
use counterfoil::id::Namespace;
use counterfoil::providers::adyen::{Adyen, AdyenConfig, LivePrefix};
use counterfoil::registry::Settings;
use counterfoil::request::Checkout;
use counterfoil::{Live, Provider, Result, Secret, Test};
use serde_json::json;

use super::{Credentials, Played, TestMode, Wait, Wired, reason};

const OUT_OF_REACH: &[(&[u32], &str)] = &[
    (&[26], "Adyen signs no time"),
    (
        &[10, 11, 12],
        "the bank's question is answered on a page, in a browser",
    ),
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
        "a slow method is told of by webhook, and none reaches this machine",
    ),
    (
        &[57],
        "a payout is told of by its report, which is made in days",
    ),
    (
        &[58],
        "a process that dies at each of its steps would send thousands of requests",
    ),
    (
        &[
            1, 2, 3, 4, 5, 6, 7, 9, 13, 14, 15, 17, 18, 19, 20, 21, 22, 23, 24, 25, 27, 29, 30, 31,
            32, 33, 34, 35, 36, 38, 39, 40, 43, 44, 49, 50, 51, 52, 53, 54, 55, 56,
        ],
        "Adyen tells how a payment ended by webhook alone, and none reaches this machine",
    ),
];

/// One merchant account of the test platform.
#[derive(Debug, Clone)]
pub(crate) struct AdyenTestMode {
    config: AdyenConfig<Test>,
    api_url: String,
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
        let api_url = match base_url {
            Some(base_url) => base_url.as_str().to_owned(),
            None => provider.setup().api_url.into(),
        };
        Ok(Self {
            config,
            api_url,
            api_key: secrets.take("api_key"),
            merchant_account: secrets.take("merchant_account"),
            hmac_key: secrets.take("hmac_key"),
        })
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
        };
        let config = config
            .with_transport(on.line)
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

    fn out_of_reach(&self, scenario: &str) -> Option<&'static str> {
        reason(OUT_OF_REACH, scenario)
    }

    fn can_be_asked(&self) -> bool {
        false
    }

    fn has_tokens(&self) -> bool {
        true
    }

    /// The card's fields as Adyen's test platform takes them without its script, and a name of the
    /// holder that triggers a refusal.
    fn token(&self, shopper: Shopper) -> Played<Checkout> {
        let state = json!({"paymentMethod": {
            "type": "scheme",
            "encryptedCardNumber": "test_4111111111111111",
            "encryptedExpiryMonth": "test_03",
            "encryptedExpiryYear": "test_2030",
            "encryptedSecurityCode": "test_737",
            "holderName": holder(shopper)?,
        }});
        Ok(Checkout::token(
            state.to_string(),
            "https://shop.example/done",
        ))
    }

    fn happen(&self, happening: Happening<'_>, _: &Wait) -> Played {
        match happening {
            Happening::TimePasses(_) => Ok(()),
            _ => Err(Unable),
        }
    }
}

fn holder(shopper: Shopper) -> Played<&'static str> {
    use DeclineReason as Reason;
    Ok(match shopper {
        Shopper::Pays => "J. Smith",
        Shopper::HasAStolenCard => "BLOCK_CARD",
        Shopper::IsDeclined(Reason::InsufficientFunds) => "NOT_ENOUGH_BALANCE",
        Shopper::IsDeclined(Reason::TryLater) => "ISSUER_UNAVAILABLE",
        Shopper::IsDeclined(Reason::WrongInput(InputField::SecurityCode)) => "CVC_DECLINED",
        Shopper::IsDeclined(Reason::Fraud) => "FRAUD",
        _ => return Err(Unable),
    })
}
