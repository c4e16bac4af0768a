//! The certificates that PayPal signs webhooks with: where they may be, whose they must be.
//!
//! The address comes in the notice itself, so anybody can write it: it must be at PayPal's own
//! host of this mode, and what is fetched there must be signed by a public authority for a name of
//! PayPal's. Source: <https://developer.paypal.com/api/rest/webhooks/rest/>.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rustls::SignatureScheme;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::config::PayPalConfig;
use super::convert::mode_of_host;
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Transport, crypto};
use crate::mode::{Mode, ModeKind};
use crate::webhook::{WebhookRefusal, WebhookRefusalKind};

/// Where all certificates are.
const PATH: &str = "/v1/notifications/certs/";
/// The most bytes of a file of certificates, and how long fetching it may take.
const LARGEST: usize = 64 << 10;
const TIMEOUT: Duration = Duration::from_secs(5);
/// How many files are kept. PayPal uses one at a time, and another after it.
const KEPT: usize = 16;
/// The most certificates of one file.
const LONGEST_CHAIN: usize = 8;

/// Fetches certificates and keeps them.
pub(super) struct Certificates {
    mode: ModeKind,
    /// Where a simulator has its certificates.
    base: Option<Box<str>>,
    roots: Vec<TrustAnchor<'static>>,
    transport: Arc<dyn Transport>,
    kept: Mutex<VecDeque<(Box<str>, Arc<Chain>)>>,
    fetching: futures_util::lock::Mutex<()>,
}

impl Certificates {
    pub(super) fn new<M: Mode>(config: &PayPalConfig<M>) -> Result<Self> {
        let options = config.wiring.transport_options.clone();
        let options = options.with_body_limit(LARGEST).with_total_timeout(TIMEOUT);
        let own = config.webhook_roots.iter().map(|root| {
            let anchor = anchor_from_trusted_cert(root).map_err(|_| {
                let message = "a webhook root is no certificate of an authority";
                Error::new(ErrorKind::Settings, message)
            })?;
            Ok(anchor.to_owned())
        });
        let mut roots: Vec<_> = own.collect::<Result<_>>()?;
        if roots.is_empty() {
            roots = webpki_roots::TLS_SERVER_ROOTS.to_vec();
        }
        Ok(Self {
            mode: M::KIND,
            base: config.base_url.as_ref().map(|base| base.as_str().into()),
            roots,
            transport: config.wiring.transport_with::<M>(&config.url(), &options)?,
            kept: Mutex::default(),
            fetching: futures_util::lock::Mutex::new(()),
        })
    }

    /// Refuses an address where PayPal's certificates of this mode are not.
    pub(super) fn check_url(&self, url: &str) -> Result<(), WebhookRefusal> {
        let name = match &self.base {
            Some(base) => url
                .strip_prefix(&**base)
                .and_then(|rest| rest.strip_prefix(PATH)),
            None => None,
        };
        let name = match name {
            Some(name) => name,
            None => self.name_at_paypal(url)?,
        };
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if (1..=128).contains(&name.len()) && name.bytes().all(allowed) {
            return Ok(());
        }
        Err(elsewhere())
    }

    fn name_at_paypal<'u>(&self, url: &'u str) -> Result<&'u str, WebhookRefusal> {
        // The text itself is taken apart: nothing else can then be fetched than was looked at.
        let rest = url.strip_prefix("https://").ok_or_else(elsewhere)?;
        let end = rest.find("/").ok_or_else(elsewhere)?;
        let (host, path) = rest.split_at(end);
        let name = path.strip_prefix(PATH).ok_or_else(elsewhere)?;
        match mode_of_host(host) {
            Some(mode) if mode == self.mode && host.starts_with("api") => Ok(name),
            Some(mode) if mode != self.mode => {
                let hint = format!(
                    "it is signed as {mode} notices are, and this endpoint is {}: is the webhook \
                     registered in the app of the other mode?",
                    self.mode
                );
                Err(WebhookRefusal::new(WebhookRefusalKind::OtherMode, hint))
            }
            _ => Err(elsewhere()),
        }
    }

    /// The certificates at an address that was checked, which are PayPal's at `now`: fetched if they
    /// are not kept, or are PayPal's no more. What is not PayPal's is never kept, so that one bad
    /// answer does not refuse every notice after it.
    pub(super) async fn at(&self, url: &str, now: Timestamp) -> Result<Arc<Chain>, WebhookRefusal> {
        if let Some(kept) = self.kept_at(url, now) {
            return Ok(kept);
        }
        let _fetching = self.fetching.lock().await;
        if let Some(kept) = self.kept_at(url, now) {
            return Ok(kept);
        }
        let chain = Arc::new(self.fetch(url).await?);
        self.check_is_paypals(&chain, now)?;
        let mut kept = self.kept();
        kept.retain(|(known, _)| **known != *url);
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back((url.into(), Arc::clone(&chain)));
        Ok(chain)
    }

    async fn fetch(&self, url: &str) -> Result<Chain, WebhookRefusal> {
        let request = http::Request::get(url).body(Bytes::new());
        let request = request.map_err(|_| elsewhere())?;
        let answer = self.transport.send(request).await;
        let answer = answer.map_err(|_| unverifiable("PayPal's certificate was not fetched"))?;
        if answer.status() != 200 {
            return Err(unverifiable(
                "PayPal has no certificate at that address now",
            ));
        }
        if answer.body().len() > LARGEST {
            return Err(unverifiable(
                "PayPal's certificate is larger than any should be",
            ));
        }
        Chain::read(answer.body())
    }

    /// Whether `signature` was made over `message` by the owner of a certificate that
    /// [`at`](Self::at) gave.
    pub(super) fn verify(
        chain: &Chain,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), WebhookRefusal> {
        let leaf = chain.leaf()?;
        let algorithms = crypto().signature_verification_algorithms;
        let mut schemes = algorithms.mapping.iter();
        let sha256 = schemes.find(|(scheme, _)| *scheme == SignatureScheme::RSA_PKCS1_SHA256);
        let mut sha256 = sha256.iter().flat_map(|(_, algorithms)| algorithms.iter());
        if sha256.any(|sha256| leaf.verify_signature(*sha256, message, signature).is_ok()) {
            return Ok(());
        }
        let hint = "PayPal has not signed this: is webhook_id that of this endpoint and mode, and \
                    was the body handed over as it came?";
        Err(wrong(hint))
    }

    /// Refuses a certificate unless an authority vouches for it at `now` and it is in PayPal's name.
    fn check_is_paypals(&self, chain: &Chain, now: Timestamp) -> Result<(), WebhookRefusal> {
        let leaf = chain.leaf()?;
        let seconds = u64::try_from(now.unix()).unwrap_or(0);
        let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let algorithms = crypto().signature_verification_algorithms.all;
        let usage = KeyUsage::server_auth();
        leaf.verify_for_usage(
            algorithms,
            &self.roots,
            &chain.intermediates,
            now,
            usage,
            None,
            None,
        )
        .map_err(|error| match error {
            webpki::Error::CertExpired { .. } | webpki::Error::CertNotValidYet { .. } => untrusted(
                "the certificate is not valid at this time: is this machine's clock right?",
            ),
            _ => untrusted(
                "no authority that is trusted here has signed the certificate: this is a forgery, \
                 or it comes from a simulator whose root certificate is not in webhook_root_file",
            ),
        })?;
        if leaf
            .valid_dns_names()
            .any(|name| name.ends_with(".paypal.com"))
        {
            return Ok(());
        }
        Err(untrusted("the certificate is not in PayPal's name"))
    }

    fn kept_at(&self, url: &str, now: Timestamp) -> Option<Arc<Chain>> {
        let found = {
            let kept = self.kept();
            let found = kept.iter().find(|(known, _)| **known == *url);
            found.map(|(_, chain)| Arc::clone(chain))?
        };
        self.check_is_paypals(&found, now).is_ok().then_some(found)
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<(Box<str>, Arc<Chain>)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates")
            .field("mode", &self.mode)
            .field("roots", &self.roots.len())
            .field("kept", &self.kept().len())
            .finish_non_exhaustive()
    }
}

/// A certificate and those between it and an authority, as they were fetched.
pub(super) struct Chain {
    leaf: CertificateDer<'static>,
    intermediates: Vec<CertificateDer<'static>>,
}

impl Chain {
    fn read(pem: &[u8]) -> Result<Self, WebhookRefusal> {
        let certificates = CertificateDer::pem_slice_iter(pem).take(LONGEST_CHAIN);
        let read: std::result::Result<VecDeque<_>, _> = certificates.collect();
        let mut read = read.map_err(|_| unverifiable("PayPal's certificate cannot be read"))?;
        let leaf = read.pop_front();
        Ok(Self {
            leaf: leaf.ok_or_else(|| unverifiable("there is no certificate at that address"))?,
            intermediates: read.into(),
        })
    }

    fn leaf(&self) -> Result<EndEntityCert<'_>, WebhookRefusal> {
        let leaf = EndEntityCert::try_from(&self.leaf);
        leaf.map_err(|_| untrusted("the certificate at that address cannot be read"))
    }
}

fn elsewhere() -> WebhookRefusal {
    let hint = "PAYPAL-CERT-URL does not lead to PayPal's certificates: this is a forgery, or a \
                proxy has changed the headers";
    WebhookRefusal::new(WebhookRefusalKind::MalformedSignature, hint)
}

fn unverifiable(hint: &'static str) -> WebhookRefusal {
    WebhookRefusal::new(WebhookRefusalKind::Unverifiable, hint)
}

fn untrusted(hint: &'static str) -> WebhookRefusal {
    WebhookRefusal::new(WebhookRefusalKind::UntrustedCertificate, hint)
}

fn wrong(hint: &'static str) -> WebhookRefusal {
    WebhookRefusal::new(WebhookRefusalKind::WrongSignature, hint)
}
