//! What a host sets: the app's credentials and its webhook.

use std::fmt;
use std::io::Read;
use std::marker::PhantomData;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::error::{Error, ErrorKind, Result};
use crate::http::{BaseUrl, TransportOptions};
use crate::id::{Namespace, ProviderName};
use crate::mode::{Live, Mode, ModeKind, Test};
use crate::providers::wiring::{Wiring, base_url, impl_wiring};
use crate::registry::{ProviderKind, Setting, Settings};
use crate::secret::Secret;

/// A list of a hundred things can be long: 8 MiB.
const LARGEST_ANSWER: usize = 8 << 20;

/// PayPal, as settings name it.
pub const KIND: ProviderKind = ProviderKind::new("paypal", SETTINGS, super::PayPal::configure);

const SETTINGS: &[Setting] = &[
    Setting::required(
        "namespace",
        "a name for this installation that no other on the account has",
    ),
    Setting::required(
        "client_id",
        "the client id of the REST app: Developer Dashboard, Apps & Credentials",
    )
    .credential(),
    Setting::required(
        "client_secret",
        "the secret of the same app, beside its client id",
    )
    .credential(),
    Setting::required(
        "webhook_id",
        "the id of the app's webhook, shown beside its address",
    )
    .credential(),
    Setting::optional(
        "webhook_id_previous",
        "the id of the webhook before, while one is replaced by another",
    )
    .credential(),
    Setting::optional(
        "base_url",
        "where a simulator on this machine stands in for the provider, such as \
         `http://127.0.0.1:12111`; in test mode only",
    ),
    Setting::optional(
        "webhook_root_file",
        "a file with the root certificate, in PEM, that a simulator's webhooks are signed under; in \
         test mode only",
    ),
];

/// The most bytes of a file of root certificates.
const LARGEST_ROOT_FILE: u64 = 64 << 10;

/// What opens one PayPal app in mode `M`: its client id and secret, and the id of its webhook.
///
/// PayPal's credentials look alike in both modes, so the name of the constructor says which they
/// are, and from there on the type does: sandbox credentials do not fit into a live provider.
///
/// ```
/// use counterfoil::Test;
/// use counterfoil::providers::paypal::PayPalCredentials;
///
/// let credentials: PayPalCredentials<Test> =
///     PayPalCredentials::sandbox("client-id", "client-secret", "1JE4291016473214C")?;
/// # Ok::<(), counterfoil::Error>(())
/// ```
///
/// ```compile_fail
/// use counterfoil::Live;
/// use counterfoil::providers::paypal::{PayPalConfig, PayPalCredentials};
///
/// let sandbox = PayPalCredentials::sandbox("client-id", "client-secret", "1JE4291016473214C");
/// let config = PayPalConfig::<Live>::new(sandbox.unwrap());
/// ```
#[derive(Clone)]
pub struct PayPalCredentials<M: Mode> {
    pub(super) client_id: Secret,
    pub(super) client_secret: Secret,
    pub(super) webhook_ids: Vec<Box<str>>,
    mode: PhantomData<M>,
}

impl PayPalCredentials<Test> {
    /// Takes the credentials of an app in PayPal's sandbox, and the id of its webhook.
    ///
    /// # Errors
    /// [`ErrorKind::Credentials`] for what is none of these.
    pub fn sandbox(
        client_id: impl Into<Secret>,
        client_secret: impl Into<Secret>,
        webhook_id: &str,
    ) -> Result<Self> {
        Self::new(client_id.into(), client_secret.into(), webhook_id)
    }
}

impl PayPalCredentials<Live> {
    /// Takes the credentials of a live app, and the id of its webhook.
    ///
    /// # Errors
    /// [`ErrorKind::Credentials`] for what is none of these.
    pub fn live(
        client_id: impl Into<Secret>,
        client_secret: impl Into<Secret>,
        webhook_id: &str,
    ) -> Result<Self> {
        Self::new(client_id.into(), client_secret.into(), webhook_id)
    }
}

impl<M: Mode> PayPalCredentials<M> {
    fn new(client_id: Secret, client_secret: Secret, webhook_id: &str) -> Result<Self> {
        check_client_id(client_id.expose())?;
        check_client_secret(client_secret.expose())?;
        check_webhook_id(webhook_id)?;
        if client_id.expose() == client_secret.expose() {
            return Err(refused(
                "client_id and client_secret are the same: copy each from its own field",
            ));
        }
        Ok(Self {
            client_id,
            client_secret,
            webhook_ids: vec![webhook_id.into()],
            mode: PhantomData,
        })
    }

    /// Also accepts notices of this webhook of the app, as while one is replaced by another.
    ///
    /// # Errors
    /// [`ErrorKind::Credentials`] if it is no webhook id.
    pub fn with_webhook_id(mut self, webhook_id: &str) -> Result<Self> {
        check_webhook_id(webhook_id)?;
        self.webhook_ids.push(webhook_id.into());
        Ok(self)
    }
}

impl<M: Mode> fmt::Debug for PayPalCredentials<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PayPalCredentials")
            .field("mode", &M::KIND)
            .field("webhooks", &self.webhook_ids.len())
            .finish_non_exhaustive()
    }
}

/// How a webhook's signature is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum WebhookCheck {
    /// Here, with PayPal's certificate, which is fetched once and kept.
    #[default]
    Offline,
    /// By PayPal: one more request for each notice, and none is verified while PayPal is down.
    ByPayPal,
}

/// How to reach one PayPal account in mode `M`.
///
/// ```
/// use counterfoil::Live;
/// use counterfoil::providers::paypal::{PayPalConfig, PayPalCredentials};
///
/// let live = PayPalCredentials::live("client-id", "client-secret", "1JE4291016473214C")?;
/// let config: PayPalConfig<Live> = PayPalConfig::new(live);
/// # Ok::<(), counterfoil::Error>(())
/// ```
///
/// ```compile_fail
/// use counterfoil::providers::paypal::{PayPalConfig, PayPalCredentials};
///
/// let live = PayPalCredentials::live("client-id", "client-secret", "1JE4291016473214C").unwrap();
/// PayPalConfig::new(live).with_base_url("http://127.0.0.1:12112");
/// ```
///
/// ```compile_fail
/// use counterfoil::providers::paypal::{PayPalConfig, PayPalCredentials};
///
/// let live = PayPalCredentials::live("client-id", "client-secret", "1JE4291016473214C").unwrap();
/// PayPalConfig::new(live).with_webhook_roots("-----BEGIN CERTIFICATE-----");
/// ```
#[derive(Clone)]
pub struct PayPalConfig<M: Mode> {
    pub(super) credentials: PayPalCredentials<M>,
    pub(super) name: Option<ProviderName>,
    pub(super) webhook_check: WebhookCheck,
    pub(super) wiring: Wiring,
    pub(super) base_url: Option<BaseUrl<Test>>,
    pub(super) webhook_roots: Vec<CertificateDer<'static>>,
}

impl<M: Mode> PayPalConfig<M> {
    /// Reaches the account that these credentials open, called `paypal`.
    #[must_use]
    pub fn new(credentials: PayPalCredentials<M>) -> Self {
        Self {
            credentials,
            name: None,
            webhook_check: WebhookCheck::default(),
            wiring: Wiring::new(TransportOptions::default().with_body_limit(LARGEST_ANSWER)),
            base_url: None,
            webhook_roots: Vec::new(),
        }
    }

    /// Names the provider otherwise than `paypal`, for a second account.
    #[must_use]
    pub fn with_name(mut self, name: ProviderName) -> Self {
        self.name = Some(name);
        self
    }

    /// Sets how the signatures of webhooks are checked: offline unless said otherwise.
    #[must_use]
    pub fn with_webhook_check(mut self, check: WebhookCheck) -> Self {
        self.webhook_check = check;
        self
    }

    /// Where the API is.
    pub(super) fn url(&self) -> String {
        match &self.base_url {
            Some(base) => base.as_str().to_owned(),
            None => format!("https://{}", api_host(M::KIND)),
        }
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
        let client_id = settings.take_checked("client_id", check_client_id);
        let client_secret = settings.take_checked("client_secret", check_client_secret);
        let webhook_id = settings.take_checked("webhook_id", check_webhook_id);
        let previous = settings.take_optional_checked("webhook_id_previous", check_webhook_id);
        let base_url = settings.take_base_url();
        let mut webhook_roots = Vec::new();
        settings.take_optional_checked("webhook_root_file", |path| {
            webhook_roots = roots_in_file(path, M::KIND)?;
            Ok(())
        });
        settings.finish()?;
        let mut credentials =
            PayPalCredentials::new(client_id, client_secret, webhook_id.expose())?;
        if let Some(previous) = previous {
            credentials = credentials.with_webhook_id(previous.expose())?;
        }
        let mut config = Self::new(credentials);
        config.base_url = base_url;
        config.webhook_roots = webhook_roots;
        if let Some(name) = name {
            config = config.with_name(name);
        }
        Ok((config, Namespace::new(namespace.expose())?))
    }
}

impl PayPalConfig<Test> {
    /// Speaks to another address, such as a simulator at `http://127.0.0.1:12112`. Webhooks may
    /// then name a certificate at that address too.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] unless it is `https`, or `http` to this machine, and for a live host.
    pub fn with_base_url(mut self, url: &str) -> Result<Self> {
        self.base_url = Some(base_url(url, LIVE_HOSTS)?);
        Ok(self)
    }

    /// Believes webhook certificates that this root has signed, and no longer those of public
    /// authorities: for simulators. The text is PEM and may hold several.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] if there is no certificate in it.
    pub fn with_webhook_roots(mut self, pem: &str) -> Result<Self> {
        let roots = roots_in(pem.as_bytes());
        let roots = roots.ok_or_else(|| {
            let message = "the webhook roots are no certificates in PEM";
            Error::new(ErrorKind::Settings, message)
        })?;
        self.webhook_roots.extend(roots);
        Ok(self)
    }
}

impl_wiring!(PayPalConfig);

impl<M: Mode> fmt::Debug for PayPalConfig<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PayPalConfig")
            .field("name", &self.name)
            .field("credentials", &self.credentials)
            .field("webhook_check", &self.webhook_check)
            .finish_non_exhaustive()
    }
}

/// The hosts at which PayPal moves real money, the older one too.
const LIVE_HOSTS: &[&str] = &["api-m.paypal.com", "api.paypal.com"];

/// The host of the API in a mode. Source: <https://developer.paypal.com/api/rest/>.
const fn api_host(mode: ModeKind) -> &'static str {
    match mode {
        ModeKind::Test => "api-m.sandbox.paypal.com",
        ModeKind::Live => "api-m.paypal.com",
    }
}

fn check_client_id(text: &str) -> Result<()> {
    check_form("client_id", text)
}

fn check_client_secret(text: &str) -> Result<()> {
    check_form("client_secret", text)
}

/// The certificates of a text in PEM, if there are any and all can be read.
fn roots_in(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let read: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let roots = read.ok().filter(|roots| !roots.is_empty())?;
    let are_certificates = roots
        .iter()
        .all(|root| webpki::anchor_from_trusted_cert(root).is_ok());
    are_certificates.then_some(roots)
}

/// The root certificates of a file. In live mode only public authorities are trusted.
fn roots_in_file(path: &str, mode: ModeKind) -> Result<Vec<CertificateDer<'static>>> {
    let fault = |message: String| Error::new(ErrorKind::Settings, message);
    if mode == ModeKind::Live {
        let message = "webhook_root_file is for test mode only: take it away";
        return Err(fault(message.into()));
    }
    let read = || -> std::io::Result<Vec<u8>> {
        let mut read = Vec::new();
        let file = std::fs::File::open(path)?;
        file.take(LARGEST_ROOT_FILE + 1).read_to_end(&mut read)?;
        Ok(read)
    };
    let pem = read().map_err(|error| {
        let reason = error.kind();
        fault(format!(
            "webhook_root_file cannot be read ({reason}): give the path of the file that the \
             simulator has written"
        ))
    })?;
    let roots = match pem.len() as u64 {
        0..=LARGEST_ROOT_FILE => roots_in(&pem),
        _ => None,
    };
    roots.ok_or_else(|| {
        fault(
            "webhook_root_file holds no root certificate in PEM: give the file that the simulator \
             has written"
                .into(),
        )
    })
}

/// Both are letters, digits, `-` and `_`: anything else was not copied or filled in right.
fn check_form(name: &str, text: &str) -> Result<()> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if !text.is_empty() && text.bytes().all(allowed) {
        return Ok(());
    }
    let message = format!(
        "{name} is empty, a placeholder, or has quotes, white space or other characters around it"
    );
    Err(Error::new(ErrorKind::Credentials, message))
}

/// Source: PayPal's OpenAPI description of webhooks: letters and digits, at most 50.
fn check_webhook_id(text: &str) -> Result<()> {
    if text == "WEBHOOK_ID" {
        return Err(refused(
            "webhook_id is the one of PayPal's event simulator, whose notices prove nothing: take \
             that of your own webhook",
        ));
    }
    if text.starts_with("https:") || text.starts_with("http:") {
        return Err(refused(
            "webhook_id is an address: take the id that PayPal shows beside it",
        ));
    }
    if (1..=50).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Ok(());
    }
    Err(refused(
        "webhook_id is no webhook's id: it has 1 to 50 letters and digits",
    ))
}

fn refused(message: &'static str) -> Error {
    Error::new(ErrorKind::Credentials, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEBHOOK: &str = "1JE4291016473214C";

    #[test]
    fn what_is_no_credential_is_refused_with_the_reason_and_without_the_text() {
        for (id, secret, webhook, reason) in [
            ("", "secret", WEBHOOK, "client_id is empty"),
            ("<hidden>", "secret", WEBHOOK, "placeholder"),
            ("id", "hidden\n", WEBHOOK, "white space"),
            ("id", "\"hidden\"", WEBHOOK, "quotes"),
            ("id:hidden", "secret", WEBHOOK, "client_id"),
            ("hidden", "hidden", WEBHOOK, "the same"),
            ("id", "secret", "WEBHOOK_ID", "simulator"),
            ("id", "secret", "https://shop.example/hidden", "an address"),
            ("id", "secret", "hidden id", "no webhook's id"),
            ("id", "secret", "", "no webhook's id"),
        ] {
            let error = PayPalCredentials::sandbox(id, secret, webhook).unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::Credentials, "{reason}");
            let texts = format!("{error} {error:?}");
            assert!(
                texts.contains(reason) && !texts.contains("hidden"),
                "{texts}"
            );
        }
    }

    #[test]
    fn debug_shows_no_credential() {
        let live = PayPalCredentials::live("hidden-id", "hidden-secret", WEBHOOK).unwrap();
        let shown = format!("{live:?} {:?}", PayPalConfig::new(live.clone()));
        assert!(
            !shown.contains("hidden") && shown.contains("Live"),
            "{shown}"
        );
    }

    #[test]
    fn roots_must_be_certificates() {
        for pem in ["", "hidden", "-----BEGIN CERTIFICATE-----\nhidden"] {
            let config =
                PayPalConfig::new(PayPalCredentials::sandbox("id", "secret", WEBHOOK).unwrap());
            assert!(config.with_webhook_roots(pem).is_err(), "{pem:?}");
        }
    }
}
