//! What a host sets: keys, and where the account is.

use std::fmt;
use std::marker::PhantomData;

use crate::error::{Error, ErrorKind, Result};
use crate::http::{BaseUrl, TransportOptions};
use crate::id::{Namespace, ProviderName};
use crate::mode::{Mode, ModeKind, Test};
use crate::providers::wiring::{Wiring, base_url, impl_wiring};
use crate::registry::{ProviderKind, Setting, Settings};
use crate::secret::Secret;

/// A list of a hundred things can be long: 8 MiB.
const LARGEST_ANSWER: usize = 8 << 20;

/// Stripe, as settings name it.
pub const KIND: ProviderKind = ProviderKind::new("stripe", SETTINGS, super::Stripe::configure);

const SETTINGS: &[Setting] = &[
    Setting::required(
        "namespace",
        "a name for this installation that no other on the account has",
    ),
    Setting::required(
        "secret_key",
        "a restricted key (`rk_…`) or the secret key: Dashboard, Developers, API keys",
    )
    .credential(),
    Setting::required(
        "webhook_secret",
        "the endpoint's signing secret (`whsec_…`): Dashboard, Developers, Webhooks",
    )
    .credential(),
    Setting::optional(
        "webhook_secret_previous",
        "the signing secret before, while one is replaced by another",
    )
    .credential(),
    Setting::optional(
        "account",
        "the connected account (`acct_…`) that is acted for",
    ),
    Setting::optional(
        "base_url",
        "where a simulator on this machine stands in for the provider, such as \
         `http://127.0.0.1:12111`; in test mode only",
    ),
];

/// How to reach one Stripe account in mode `M`.
///
/// The mode of the keys is checked when they are given: a live key in a test configuration is an
/// error, and a base URL of one's own exists for test mode only.
///
/// ```
/// use counterfoil::{Live, Test};
/// use counterfoil::providers::stripe::StripeConfig;
///
/// let config = StripeConfig::<Test>::new("sk_test_1", "whsec_1")?;
/// assert!(StripeConfig::<Live>::new("sk_test_1", "whsec_1").is_err());
/// # Ok::<(), counterfoil::Error>(())
/// ```
///
/// ```compile_fail
/// use counterfoil::Live;
/// use counterfoil::providers::stripe::StripeConfig;
///
/// let config = StripeConfig::<Live>::new("sk_live_1", "whsec_1").unwrap();
/// config.with_base_url("http://127.0.0.1:12111");
/// ```
#[derive(Clone)]
pub struct StripeConfig<M: Mode> {
    pub(super) name: ProviderName,
    pub(super) secret_key: Secret,
    pub(super) webhook_secrets: Vec<Secret>,
    pub(super) account: Option<Box<str>>,
    pub(super) wiring: Wiring,
    pub(super) base_url: Option<BaseUrl<Test>>,
    mode: PhantomData<M>,
}

impl<M: Mode> StripeConfig<M> {
    /// Takes a secret or, better, a restricted key (`sk_…`, `rk_…`) and the secret of the webhook
    /// endpoint (`whsec_…`), both of mode `M`.
    ///
    /// # Errors
    /// [`ErrorKind::WrongMode`] for a key of the other mode; [`ErrorKind::Credentials`] for what is
    /// no key of this kind, such as a publishable key.
    pub fn new(secret_key: impl Into<Secret>, webhook_secret: impl Into<Secret>) -> Result<Self> {
        let (secret_key, webhook_secret) = (secret_key.into(), webhook_secret.into());
        check_key(secret_key.expose(), M::KIND)?;
        check_webhook_secret(webhook_secret.expose())?;
        Ok(Self {
            name: ProviderName::new("stripe")?,
            secret_key,
            webhook_secrets: vec![webhook_secret],
            account: None,
            wiring: Wiring::new(TransportOptions::default().with_body_limit(LARGEST_ANSWER)),
            base_url: None,
            mode: PhantomData,
        })
    }

    /// Also accepts webhooks that are signed with this secret, as while one is replaced by another.
    ///
    /// # Errors
    /// [`ErrorKind::Credentials`] if it is no webhook secret.
    pub fn with_webhook_secret(mut self, secret: impl Into<Secret>) -> Result<Self> {
        let secret = secret.into();
        check_webhook_secret(secret.expose())?;
        self.webhook_secrets.push(secret);
        Ok(self)
    }

    /// Names the provider otherwise than `stripe`, for a second account.
    #[must_use]
    pub fn with_name(mut self, name: ProviderName) -> Self {
        self.name = name;
        self
    }

    /// Acts for a connected account, `acct_…`, with the keys of the platform. Webhooks of other
    /// accounts are set aside.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] if it is no account id.
    pub fn with_account(mut self, account: &str) -> Result<Self> {
        check_account(account)?;
        self.account = Some(account.into());
        Ok(self)
    }

    /// Reads the settings of [`KIND`], and the namespace that stands beside them.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`], naming every fault at once and no value; [`ErrorKind::WrongMode`]
    /// for settings of the other mode.
    pub fn from_settings(mut settings: Settings) -> Result<(Self, Namespace)> {
        settings.require_mode(M::KIND)?;
        let name = settings.name().cloned();
        let namespace = settings.take_checked("namespace", |text| {
            Namespace::new(text).map(drop).map_err(Error::from)
        });
        let secret_key = settings.take_checked("secret_key", |key| check_key(key, M::KIND));
        let webhook_secret = settings.take_checked("webhook_secret", check_webhook_secret);
        let previous =
            settings.take_optional_checked("webhook_secret_previous", check_webhook_secret);
        let account = settings.take_optional_checked("account", check_account);
        let base_url = settings.take_base_url();
        settings.finish()?;
        let mut config = Self::new(secret_key, webhook_secret)?;
        config.base_url = base_url;
        if let Some(name) = name {
            config = config.with_name(name);
        }
        if let Some(previous) = previous {
            config = config.with_webhook_secret(previous)?;
        }
        if let Some(account) = account {
            config = config.with_account(account.expose())?;
        }
        Ok((config, Namespace::new(namespace.expose())?))
    }
}

impl StripeConfig<Test> {
    /// Speaks to another address, such as a simulator at `http://127.0.0.1:12111`.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] unless it is `https`, or `http` to this machine.
    pub fn with_base_url(mut self, url: &str) -> Result<Self> {
        // The key alone tells the mode: the host is one for both.
        self.base_url = Some(base_url(url, &[])?);
        Ok(self)
    }
}

impl_wiring!(StripeConfig);

impl<M: Mode> fmt::Debug for StripeConfig<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StripeConfig")
            .field("name", &self.name)
            .field("mode", &M::KIND)
            .field("account", &self.account)
            .field("webhook_secrets", &self.webhook_secrets.len())
            .finish_non_exhaustive()
    }
}

/// Source: <https://docs.stripe.com/keys>.
fn check_key(key: &str, mode: ModeKind) -> Result<()> {
    check_form("secret_key", key)?;
    let refused = |message: &'static str| Err(Error::new(ErrorKind::Credentials, message));
    let mut parts = key.splitn(3, '_');
    let (kind, found, rest) = (parts.next(), parts.next(), parts.next());
    match kind {
        Some("pk") => {
            return refused(
                "secret_key is a publishable key (pk_…), which is for browsers only: \
                 use a restricted key (rk_…)",
            );
        }
        Some("whsec") => {
            return refused("secret_key is a webhook secret (whsec_…): were the two swapped?");
        }
        Some("sk") if found == Some("org") => {
            return refused(
                "secret_key is an organisation's key (sk_org_…), which does not tell its mode: \
                 use a key of the account",
            );
        }
        Some("sk" | "rk") => {}
        _ => return refused("secret_key is no Stripe key: it begins with sk_… or rk_…"),
    }
    let found: ModeKind = match found.map(str::parse) {
        Some(Ok(found)) if rest.is_some_and(|rest| !rest.is_empty()) => found,
        _ => return refused("secret_key is cut short: copy it anew from the Dashboard"),
    };
    if found == mode {
        return Ok(());
    }
    let message = format!("secret_key is of {found} mode, and {mode} mode was asked for");
    Err(Error::new(ErrorKind::WrongMode, message))
}

fn check_webhook_secret(secret: &str) -> Result<()> {
    check_form("webhook_secret", secret)?;
    if secret
        .strip_prefix("whsec_")
        .is_some_and(|rest| !rest.is_empty())
    {
        return Ok(());
    }
    let is_api_key = ["sk_", "rk_", "pk_"]
        .iter()
        .any(|prefix| secret.starts_with(prefix));
    let message = if is_api_key {
        "webhook_secret is an API key: take the endpoint's signing secret (whsec_…)"
    } else {
        "webhook_secret is no endpoint secret: it begins with whsec_…"
    };
    Err(Error::new(ErrorKind::Credentials, message))
}

fn check_account(account: &str) -> Result<()> {
    let rest = account.strip_prefix("acct_").unwrap_or_default();
    if !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Ok(());
    }
    let message = "account is no account id: it begins with acct_…";
    Err(Error::new(ErrorKind::Settings, message))
}

/// Keys are letters, digits and underscores: anything else was not copied or filled in right.
fn check_form(name: &str, text: &str) -> Result<()> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Ok(());
    }
    let message = format!(
        "{name} is empty, a placeholder, or has quotes, white space or other characters around it"
    );
    Err(Error::new(ErrorKind::Credentials, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mode::Live;

    fn fault<M: Mode>(key: &str, secret: &str) -> Error {
        StripeConfig::<M>::new(key, secret).unwrap_err()
    }

    #[test]
    fn a_key_must_be_of_the_mode() {
        for key in ["sk_test_1", "rk_test_1"] {
            assert!(StripeConfig::<Test>::new(key, "whsec_1").is_ok());
            assert_eq!(fault::<Live>(key, "whsec_1").kind(), &ErrorKind::WrongMode);
        }
        for key in ["sk_live_1", "rk_live_1"] {
            assert!(StripeConfig::<Live>::new(key, "whsec_1").is_ok());
            assert_eq!(fault::<Test>(key, "whsec_1").kind(), &ErrorKind::WrongMode);
        }
    }

    #[test]
    fn what_is_no_secret_key_is_refused_with_the_reason_and_without_the_key() {
        for (key, reason) in [
            ("pk_test_hidden", "publishable"),
            ("pk_live_hidden", "publishable"),
            ("sk_org_test_hidden", "organisation"),
            ("whsec_hidden", "swapped"),
            ("hidden", "no Stripe key"),
            ("sk_test_", "cut short"),
            ("sk_hidden", "cut short"),
            ("", "placeholder"),
            ("<hidden>", "placeholder"),
            (" sk_test_hidden", "white space"),
            ("sk_test_hidden\n", "white space"),
            ("\"sk_test_hidden\"", "quotes"),
        ] {
            let error = fault::<Test>(key, "whsec_1");
            assert_eq!(error.kind(), &ErrorKind::Credentials, "{key:?}");
            let texts = format!("{error} {error:?}");
            assert!(
                texts.contains(reason) && !texts.contains("hidden"),
                "{texts}"
            );
        }
    }

    #[test]
    fn what_is_no_webhook_secret_is_refused_with_the_reason() {
        for (secret, reason) in [
            ("sk_test_hidden", "is an API key"),
            ("pk_test_hidden", "is an API key"),
            ("hidden", "begins with whsec_"),
            ("whsec_", "begins with whsec_"),
            ("", "placeholder"),
            ("whsec_hidden ", "white space"),
        ] {
            let error = fault::<Test>("sk_test_1", secret);
            assert!(error.to_string().contains(reason), "{error}");
            assert!(!error.to_string().contains("hidden"), "{error}");
        }
        let config = StripeConfig::<Test>::new("sk_test_1", "whsec_1").unwrap();
        assert!(config.with_webhook_secret("sk_test_1").is_err());
    }

    #[test]
    fn an_account_and_a_base_url_are_checked() {
        let config = || StripeConfig::<Test>::new("sk_test_1", "whsec_1").unwrap();
        assert!(config().with_account("acct_1A").is_ok());
        for account in ["", "acct_", "1A", "acct_1/..", "acct_1\r\n"] {
            assert!(config().with_account(account).is_err(), "{account:?}");
        }
        assert!(config().with_base_url("http://127.0.0.1:12111").is_ok());
        for url in ["http://stripe.example", "ftp://127.0.0.1", ""] {
            assert!(config().with_base_url(url).is_err(), "{url:?}");
        }
    }

    #[test]
    fn settings_tell_every_fault_at_once_and_no_value() {
        let values = [
            ("namespace", "a shop"),
            ("secret_key", "sk_live_hidden"),
            ("webhook_secret", "rk_test_hidden"),
            ("account", "hidden"),
            ("webhok", "hidden"),
        ];
        let settings = Settings::new(ModeKind::Test, values);
        let error = crate::providers::stripe::Stripe::configure(settings).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Settings);
        let text = error.to_string();
        for part in [
            "namespace",
            "of live mode",
            "is an API key",
            "no account id",
            "webhok",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("hidden"), "{text}");
    }

    #[test]
    fn a_configuration_shows_no_secret() {
        let config = StripeConfig::<Test>::new("sk_test_hidden", "whsec_hidden").unwrap();
        assert!(!format!("{config:?}").contains("hidden"));
    }

    #[test]
    fn two_accounts_take_the_names_that_they_are_registered_under() {
        use crate::providers::stripe::Stripe;
        use crate::registry::Registry;

        let registry = Registry::new()
            .with("stripe-eu", Stripe::configure)
            .with("stripe-us", Stripe::configure);
        for name in ["stripe-eu", "stripe-us"] {
            let settings = Settings::new(
                ModeKind::Test,
                [
                    ("namespace", "shop"),
                    ("secret_key", "sk_test_1"),
                    ("webhook_secret", "whsec_1"),
                ],
            );
            let provider = registry.configure(name, settings).unwrap();
            assert_eq!(provider.into_test().unwrap().name().as_str(), name);
        }
    }
}
