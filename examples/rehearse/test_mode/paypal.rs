//! PayPal's sandbox: what can be tried before a buyer approves an order in a browser.
//!
//! Source: <https://developer.paypal.com/tools/sandbox/>.

use counterfoil::conformance::{Happening, Shopper, Unable};
use counterfoil::id::Namespace;
use counterfoil::providers::paypal::{PayPal, PayPalConfig, PayPalCredentials};
use counterfoil::registry::Settings;
use counterfoil::request::Checkout;
use counterfoil::{Live, Provider, Result, Secret, Test};

use super::{Credentials, Played, TestMode, Wait, Wired, reason};

const OUT_OF_REACH: &[(&[u32], &str)] = &[
    (
        &[9, 33],
        "PayPal knows nothing of the kind: it says nothing of checks that pass in silence, and \
         sends one event at a time",
    ),
    (
        &[17],
        "two orders of one reference cannot be counted: PayPal finds none by its reference",
    ),
    (&[26], "PayPal's scheme sets no age limit"),
    (
        &[19, 20, 21, 22, 24, 25, 27, 29, 30, 31, 32],
        "it is about the webhook of a payment, which a buyer must approve in a browser",
    ),
    (
        &[
            1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15, 18, 23, 34, 35, 36, 37, 38, 39, 40, 41,
            42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58,
        ],
        "a buyer of the sandbox must approve the order in a browser",
    ),
];

/// One app in the sandbox.
#[derive(Debug, Clone)]
pub(crate) struct PayPalTestMode {
    config: PayPalConfig<Test>,
    api_url: String,
    client_id: Secret,
    client_secret: Secret,
    webhook_id: Secret,
}

impl PayPalTestMode {
    pub(crate) fn new(settings: Settings) -> Result<Self> {
        let mut secrets = settings.clone();
        let (config, namespace) = PayPalConfig::<Test>::from_settings(settings)?;
        let provider = PayPal::new(config.clone())?.into_provider(namespace);
        Ok(Self {
            config,
            api_url: provider.setup().api_url.into(),
            client_id: secrets.take("client_id"),
            client_secret: secrets.take("client_secret"),
            webhook_id: secrets.take("webhook_id"),
        })
    }

    fn credentials(&self, secret: &str, webhook_id: &str) -> Result<PayPalCredentials<Test>> {
        PayPalCredentials::sandbox(self.client_id.clone(), secret, webhook_id)
    }
}

impl TestMode for PayPalTestMode {
    fn api_url(&self) -> &str {
        &self.api_url
    }

    /// Fetching a token moves no money.
    fn writes(&self) -> &'static str {
        "/v2/"
    }

    fn open(&self, with: Credentials, on: Wired, namespace: &Namespace) -> Result<Provider<Test>> {
        let webhook_id = self.webhook_id.expose();
        let elsewhere = |credentials| PayPalConfig::new(credentials).with_base_url(&self.api_url);
        let config = match with {
            // The library is told that PayPal signs no secret of ours.
            Credentials::Right | Credentials::Trusting(_) => self.config.clone(),
            Credentials::WrongKey => {
                elsewhere(self.credentials("counterfoil-wrong-secret", webhook_id)?)?
            }
            Credentials::NoWebhookSecret => {
                elsewhere(self.credentials(self.client_secret.expose(), "")?)?
            }
        };
        let config = config
            .with_transport(on.line)
            .with_timer(on.timer)
            .with_clock(on.clock);
        Ok(PayPal::new(config)?.into_provider(namespace.clone()))
    }

    fn live(&self, namespace: &Namespace) -> Provider<Live> {
        let made_up =
            PayPalCredentials::live("made-up", "made-up-secret", self.webhook_id.expose());
        let paypal = PayPal::new(PayPalConfig::new(made_up.unwrap())).unwrap();
        paypal.into_provider(namespace.clone())
    }

    fn secrets(&self) -> Vec<String> {
        let all = [&self.client_id, &self.client_secret];
        all.map(|secret| secret.expose().to_owned()).into()
    }

    fn out_of_reach(&self, scenario: &str, _: bool) -> Option<&'static str> {
        reason(OUT_OF_REACH, scenario)
    }

    fn has_tokens(&self) -> bool {
        false
    }

    fn token(&self, _: Shopper) -> Played<Checkout> {
        Err(Unable)
    }

    fn happen(&self, happening: Happening<'_>, _: &Wait) -> Played {
        match happening {
            Happening::TimePasses(_) => Ok(()),
            _ => Err(Unable),
        }
    }
}
