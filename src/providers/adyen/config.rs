//! What a host sets: keys, the merchant account, and for live mode where it is.

use std::fmt;
use std::marker::PhantomData;

use crate::error::{Error, ErrorKind, Result};
use crate::http::{BaseUrl, TransportOptions};
use crate::id::{Namespace, ProviderName};
use crate::mode::{Live, Mode, ModeKind, Test};
use crate::providers::wiring::{Wiring, base_url, impl_wiring};
use crate::registry::{ProviderKind, Setting, Settings};
use crate::secret::Secret;

/// Adyen, as settings name it.
pub const KIND: ProviderKind = ProviderKind::new("adyen", SETTINGS, super::Adyen::configure);

const SETTINGS: &[Setting] = &[
    Setting::required(
        "namespace",
        "a name for this installation that no other on the account has",
    ),
    Setting::required(
        "api_key",
        "the API key of an API credential: Customer Area, Developers, API credentials",
    )
    .credential(),
    Setting::required(
        "merchant_account",
        "the merchant account, as the Customer Area calls it",
    ),
    Setting::required(
        "hmac_key",
        "the HMAC key of the standard webhook: Customer Area, Developers, Webhooks",
    )
    .credential(),
    Setting::optional(
        "hmac_key_previous",
        "the HMAC key before, while one is replaced by another",
    )
    .credential(),
    Setting::optional(
        "live_prefix",
        "the prefix of the live hosts: Customer Area, Developers, API URLs; needed in live mode, \
         and there is none in test mode",
    ),
    Setting::optional(
        "base_url",
        "where a simulator on this machine stands in for the provider, such as \
         `http://127.0.0.1:12111`; in test mode only",
    ),
];

/// How the names of the hosts end at which Adyen moves real money.
const LIVE_HOSTS: &[&str] = &["adyenpayments.com", "-live.adyen.com"];

/// How to reach one Adyen merchant account in mode `M`.
///
/// An API key does not show its mode: the mode is the host that the key is sent to, and a key of
/// the other mode is refused there. In live mode the host has the company's own prefix, so that a
/// live configuration cannot be made without one.
///
/// ```
/// use counterfoil::providers::adyen::{AdyenConfig, LivePrefix};
/// use counterfoil::{Live, Test};
///
/// let hmac_key = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
/// let test = AdyenConfig::<Test>::new("AQE1", "ShopECOM", hmac_key)?;
/// let prefix = LivePrefix::new("1797a841fbb37ca7-Shop")?;
/// let live = AdyenConfig::<Live>::new("AQE1", "ShopECOM", hmac_key, prefix)?;
/// # Ok::<(), counterfoil::Error>(())
/// ```
///
/// ```compile_fail
/// # let hmac_key = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
/// use counterfoil::Live;
/// use counterfoil::providers::adyen::AdyenConfig;
///
/// let live = AdyenConfig::<Live>::new("AQE1", "ShopECOM", hmac_key);
/// ```
#[derive(Clone)]
pub struct AdyenConfig<M: Mode> {
    pub(super) name: ProviderName,
    pub(super) api_key: Secret,
    pub(super) merchant_account: Box<str>,
    pub(super) hmac_keys: Vec<Secret>,
    pub(super) hosts: Hosts,
    pub(super) multiple_captures: bool,
    pub(super) wiring: Wiring,
    mode: PhantomData<M>,
}

/// Where the two APIs are that are used here.
#[derive(Clone)]
pub(super) struct Hosts {
    pub(super) checkout: String,
    pub(super) management: String,
}

/// The prefix of a company's live hosts, such as `1797a841fbb37ca7-Shop`: in the Customer Area
/// under Developers, API URLs.
///
/// Source: <https://docs.adyen.com/development-resources/live-endpoints>.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivePrefix(Box<str>);

impl LivePrefix {
    /// Takes the prefix alone, without the rest of the host.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] for anything but letters, digits and hyphens between them.
    pub fn new(prefix: &str) -> Result<Self> {
        let is_part =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        // A host's label has at most 63 characters, of which the rest takes 14.
        if prefix.len() <= 49 && prefix.split('-').all(is_part) && !prefix.ends_with("-live") {
            return Ok(Self(prefix.into()));
        }
        Err(settings(
            "live_prefix is no prefix of a live host: take only what stands before \
             -checkout-live.adyenpayments.com under Developers, API URLs",
        ))
    }
}

impl AdyenConfig<Test> {
    /// Takes an API key, the merchant account, and the HMAC key of the webhook, all of the test
    /// Customer Area.
    ///
    /// # Errors
    /// [`ErrorKind::Credentials`] for what is no key of its kind, [`ErrorKind::Settings`] for what
    /// is no account.
    pub fn new(
        api_key: impl Into<Secret>,
        merchant_account: &str,
        hmac_key: impl Into<Secret>,
    ) -> Result<Self> {
        let hosts = Hosts {
            checkout: "https://checkout-test.adyen.com/v72".to_owned(),
            management: "https://management-test.adyen.com/v3".to_owned(),
        };
        Self::of(api_key.into(), merchant_account, hmac_key.into(), hosts)
    }

    /// Speaks to another address, such as a simulator at `http://127.0.0.1:12112`, with the paths
    /// `/v72` and `/v3` below it.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] unless it is `https`, or `http` to this machine, and for a live host.
    pub fn with_base_url(mut self, url: &str) -> Result<Self> {
        let base = base_url(url, LIVE_HOSTS)?;
        self.hosts = Hosts {
            checkout: format!("{}/v72", base.as_str()),
            management: format!("{}/v3", base.as_str()),
        };
        Ok(self)
    }

    /// Reads the settings of [`KIND`], and the namespace that stands beside them.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`], naming every fault at once and no value; [`ErrorKind::WrongMode`]
    /// for settings of the other mode.
    pub fn from_settings(settings: Settings) -> Result<(Self, Namespace)> {
        settings.require_mode(ModeKind::Test)?;
        let read = ReadSettings::of(settings, |_| Ok(()))?;
        let mut config = Self::new(read.api_key, read.merchant_account.expose(), read.hmac_key)?;
        if let Some(base_url) = read.base_url {
            config = config.with_base_url(base_url.as_str())?;
        }
        config.finished(read.name, read.previous, &read.namespace)
    }
}

impl AdyenConfig<Live> {
    /// Takes an API key, the merchant account, the HMAC key of the webhook and the prefix of the
    /// live hosts, all of the live Customer Area.
    ///
    /// # Errors
    /// As in test mode.
    pub fn new(
        api_key: impl Into<Secret>,
        merchant_account: &str,
        hmac_key: impl Into<Secret>,
        prefix: LivePrefix,
    ) -> Result<Self> {
        let LivePrefix(prefix) = prefix;
        let hosts = Hosts {
            checkout: format!("https://{prefix}-checkout-live.adyenpayments.com/checkout/v72"),
            management: "https://management-live.adyen.com/v3".to_owned(),
        };
        Self::of(api_key.into(), merchant_account, hmac_key.into(), hosts)
    }

    /// Reads the settings of [`KIND`], and the namespace that stands beside them.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`], naming every fault at once and no value; [`ErrorKind::WrongMode`]
    /// for settings of the other mode.
    pub fn from_settings(settings: Settings) -> Result<(Self, Namespace)> {
        settings.require_mode(ModeKind::Live)?;
        let mut prefix = Secret::new("");
        let read = ReadSettings::of(settings, |settings| {
            prefix = settings.take_checked("live_prefix", |text| LivePrefix::new(text).map(drop));
            Ok(())
        })?;
        let prefix = LivePrefix::new(prefix.expose())?;
        let account = read.merchant_account.expose();
        let config = Self::new(read.api_key, account, read.hmac_key, prefix)?;
        config.finished(read.name, read.previous, &read.namespace)
    }
}

impl<M: Mode> AdyenConfig<M> {
    fn of(api_key: Secret, merchant_account: &str, hmac_key: Secret, hosts: Hosts) -> Result<Self> {
        check_api_key(api_key.expose())?;
        check_merchant_account(merchant_account)?;
        check_hmac_key(hmac_key.expose())?;
        Ok(Self {
            name: ProviderName::new("adyen")?,
            api_key,
            merchant_account: merchant_account.into(),
            hmac_keys: vec![hmac_key],
            hosts,
            multiple_captures: false,
            wiring: Wiring::new(TransportOptions::default()),
            mode: PhantomData,
        })
    }

    /// Also accepts webhooks that are signed with this key, as while one is replaced by another.
    ///
    /// # Errors
    /// [`ErrorKind::Credentials`] if it is no HMAC key.
    pub fn with_hmac_key(mut self, key: impl Into<Secret>) -> Result<Self> {
        let key = key.into();
        check_hmac_key(key.expose())?;
        self.hmac_keys.push(key);
        Ok(self)
    }

    /// Names the provider otherwise than `adyen`, for a second account.
    #[must_use]
    pub fn with_name(mut self, name: ProviderName) -> Self {
        self.name = name;
        self
    }

    /// The account may capture one payment in several parts. Adyen has to enable that; without it
    /// a partial capture lets the rest go.
    #[must_use]
    pub fn with_multiple_captures(mut self) -> Self {
        self.multiple_captures = true;
        self
    }

    fn finished(
        mut self,
        name: Option<ProviderName>,
        previous: Option<Secret>,
        namespace: &Secret,
    ) -> Result<(Self, Namespace)> {
        if let Some(name) = name {
            self = self.with_name(name);
        }
        if let Some(previous) = previous {
            self = self.with_hmac_key(previous)?;
        }
        Ok((self, Namespace::new(namespace.expose())?))
    }
}

impl_wiring!(AdyenConfig);

impl<M: Mode> fmt::Debug for AdyenConfig<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdyenConfig")
            .field("name", &self.name)
            .field("mode", &M::KIND)
            .field("merchant_account", &self.merchant_account)
            .field("hmac_keys", &self.hmac_keys.len())
            .finish_non_exhaustive()
    }
}

/// The settings that both modes have.
struct ReadSettings {
    name: Option<ProviderName>,
    namespace: Secret,
    api_key: Secret,
    merchant_account: Secret,
    hmac_key: Secret,
    previous: Option<Secret>,
    base_url: Option<BaseUrl<Test>>,
}

impl ReadSettings {
    fn of(mut settings: Settings, more: impl FnOnce(&mut Settings) -> Result<()>) -> Result<Self> {
        let read = Self {
            name: settings.name().cloned(),
            namespace: settings.take_checked("namespace", |text| {
                Namespace::new(text).map(drop).map_err(Error::from)
            }),
            api_key: settings.take_checked("api_key", check_api_key),
            merchant_account: settings.take_checked("merchant_account", check_merchant_account),
            hmac_key: settings.take_checked("hmac_key", check_hmac_key),
            previous: settings.take_optional_checked("hmac_key_previous", check_hmac_key),
            base_url: settings.take_base_url(),
        };
        more(&mut settings)?;
        settings.finish()?;
        Ok(read)
    }
}

fn check_api_key(key: &str) -> Result<()> {
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(credentials(
            "api_key is empty, or has white space or a character that is not ASCII in it",
        ));
    }
    if key.starts_with("test_") || key.starts_with("live_") {
        return Err(credentials(
            "api_key is a client key (test_…, live_…), which is for browsers only: make an API key",
        ));
    }
    if key.starts_with("ws@") || key.starts_with("ws_") {
        return Err(credentials(
            "api_key is the name of an API credential: take its API key",
        ));
    }
    if is_hmac_key(key) {
        return Err(credentials(
            "api_key reads as an HMAC key: were the two swapped?",
        ));
    }
    Ok(())
}

fn check_merchant_account(account: &str) -> Result<()> {
    let is_account = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if (1..=80).contains(&account.len()) && account.bytes().all(is_account) {
        return Ok(());
    }
    Err(settings(
        "merchant_account is no merchant account: it has letters, digits, - and _",
    ))
}

/// Source: <https://docs.adyen.com/development-resources/webhooks/verify-hmac-signatures>.
fn check_hmac_key(key: &str) -> Result<()> {
    let digits = key.chars().count();
    if !key.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(credentials(
            "hmac_key has characters that are no hexadecimal digits: copy it anew from the webhook",
        ));
    }
    if !digits.is_multiple_of(2) {
        let message = format!("hmac_key has {digits} digits, an odd number: it was cut short");
        return Err(credentials(message));
    }
    if digits != HMAC_KEY_DIGITS {
        let message = format!("hmac_key has {digits} digits, and an HMAC key of Adyen's has 64");
        return Err(credentials(message));
    }
    Ok(())
}

const HMAC_KEY_DIGITS: usize = 64;

fn is_hmac_key(text: &str) -> bool {
    text.len() == HMAC_KEY_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn credentials(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Credentials, message)
}

fn settings(message: &'static str) -> Error {
    Error::new(ErrorKind::Settings, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::adyen::Adyen;

    const HMAC_KEY: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";

    fn fault(api_key: &str, account: &str, hmac_key: &str) -> String {
        let error = AdyenConfig::<Test>::new(api_key, account, hmac_key).unwrap_err();
        let texts = format!("{error} {error:?}");
        assert!(!texts.contains("hidden"), "{texts}");
        texts
    }

    #[test]
    fn what_is_no_key_is_refused_with_the_reason_and_without_the_key() {
        for (key, reason) in [
            ("", "empty"),
            ("AQEhidden ", "white space"),
            ("test_hidden", "client key"),
            ("live_hidden", "client key"),
            ("ws@Company.hidden", "name of an API credential"),
            (HMAC_KEY, "swapped"),
        ] {
            assert!(fault(key, "Shop", HMAC_KEY).contains(reason), "{key}");
        }
        for (key, reason) in [
            (HMAC_KEY.get(1..).unwrap(), "odd number"),
            (HMAC_KEY.get(2..).unwrap(), "62 digits"),
            ("", "0 digits"),
            ("hidden", "no hexadecimal"),
            (" 44", "no hexadecimal"),
        ] {
            assert!(fault("AQE1", "Shop", key).contains(reason), "{key:?}");
        }
        for account in ["", "a b", "../x", "Shop\r\n"] {
            assert!(fault("AQE1", account, HMAC_KEY).contains("merchant_account"));
        }
        let config = AdyenConfig::<Test>::new("AQE1", "Shop", HMAC_KEY).unwrap();
        assert!(config.with_hmac_key("abc").is_err());
    }

    #[test]
    fn a_live_prefix_is_the_prefix_alone() {
        assert!(LivePrefix::new("1797a841fbb37ca7-AdyenDemo").is_ok());
        for prefix in [
            "",
            "-",
            "https://1797a841fbb37ca7-AdyenDemo",
            "1797a841fbb37ca7-AdyenDemo-checkout-live.adyenpayments.com",
            "1797a841fbb37ca7-AdyenDemo-checkout-live",
            "evil.example/x",
            "a@b",
        ] {
            assert!(LivePrefix::new(prefix).is_err(), "{prefix:?}");
        }
        let prefix = LivePrefix::new("1797a841fbb37ca7-AdyenDemo").unwrap();
        let live = AdyenConfig::<Live>::new("AQE1", "Shop", HMAC_KEY, prefix).unwrap();
        assert_eq!(
            live.hosts.checkout,
            "https://1797a841fbb37ca7-AdyenDemo-checkout-live.adyenpayments.com/checkout/v72"
        );
    }

    #[test]
    fn settings_tell_every_fault_at_once_and_no_value() {
        let values = [
            ("namespace", "a shop"),
            ("api_key", "live_hidden"),
            ("merchant_account", "a hidden"),
            ("hmac_key", "hidden"),
        ];
        let error = Adyen::configure(Settings::new(ModeKind::Live, values)).unwrap_err();
        let text = error.to_string();
        for part in [
            "namespace",
            "client key",
            "merchant_account",
            "hexadecimal",
            "live_prefix is missing",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("hidden"), "{text}");
        // In test mode there is no such prefix.
        let values = [("live_prefix", "1797a841fbb37ca7-AdyenDemo")];
        let error = Adyen::configure(Settings::new(ModeKind::Test, values)).unwrap_err();
        assert!(error.to_string().contains("live_prefix is not a setting"));
    }

    #[test]
    fn a_configuration_shows_no_secret() {
        let config = AdyenConfig::<Test>::new("AQEhidden", "Shop", HMAC_KEY).unwrap();
        let shown = format!("{config:?}");
        assert!(!shown.contains("hidden") && !shown.contains(HMAC_KEY));
    }
}
