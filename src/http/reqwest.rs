//! The network, by reqwest and rustls.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use reqwest::{ClientBuilder, Proxy, redirect, retry};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};
use rustls_platform_verifier::Verifier;

use super::base_url::is_loopback;
use super::transport::{Delivered, Transport, TransportError};
use crate::error::{Error, ErrorKind, Result};

/// Sends requests over TLS 1.2 or 1.3, and keeps connections open for the next.
///
/// It follows no redirect, sends nothing twice, takes no proxy from the environment, and reads no
/// more of an answer than its limit.
#[derive(Clone)]
pub struct ReqwestTransport {
    client: reqwest::Client,
    body_bytes_max: usize,
    reach: Reach,
}

/// What a transport may speak to: one or the other, so that none can be talked into plain HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Https,
    PlainLoopback,
}

impl ReqwestTransport {
    /// A transport that speaks `https` and nothing else.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] if the options or this machine's trust roots cannot be used.
    pub fn new(options: &TransportOptions) -> Result<Self> {
        let mut builder = options.builder(options.tls()?).https_only(true);
        if let Some(url) = &options.proxy {
            builder = builder.proxy(Proxy::all(url.expose()).map_err(unusable)?);
        }
        Self::build(builder, options, Reach::Https)
    }

    /// A transport that speaks plain `http` to this machine and nothing else, without a proxy: for
    /// simulators.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] if the options cannot be used.
    pub fn loopback(options: &TransportOptions) -> Result<Self> {
        // It never speaks TLS: trusting nobody is enough, and spares reading the trust roots.
        let trusts_nobody = tls_builder()?
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        Self::build(
            options.builder(trusts_nobody),
            options,
            Reach::PlainLoopback,
        )
    }

    fn build(builder: ClientBuilder, options: &TransportOptions, reach: Reach) -> Result<Self> {
        Ok(Self {
            client: builder.build().map_err(unusable)?,
            body_bytes_max: options.body_bytes_max,
            reach,
        })
    }

    /// Refuses what this transport must not speak to, before anything is sent.
    fn check(&self, uri: &http::Uri) -> std::result::Result<(), TransportError> {
        let host = uri.host().unwrap_or_default();
        let is_allowed = match self.reach {
            Reach::Https => uri.scheme_str() == Some("https"),
            Reach::PlainLoopback => uri.scheme_str() == Some("http") && is_loopback(host),
        };
        if is_allowed {
            return Ok(());
        }
        Err(TransportError {
            delivered: Delivered::No,
            cause: "this transport must not speak to that address".into(),
        })
    }

    /// Reads the body piece by piece, so that an endless one costs no more than the limit.
    async fn read(
        &self,
        mut response: reqwest::Response,
    ) -> std::result::Result<Bytes, TransportError> {
        let announced = response.content_length().unwrap_or(0);
        if announced > self.body_bytes_max as u64 {
            return Err(too_large());
        }
        // Most answers come in one piece, which is not copied.
        let mut whole = Bytes::new();
        let mut joined = BytesMut::new();
        while let Some(piece) = response.chunk().await.map_err(perhaps_processed)? {
            if whole.len().max(joined.len()) + piece.len() > self.body_bytes_max {
                return Err(too_large());
            }
            if whole.is_empty() && joined.is_empty() {
                whole = piece;
            } else {
                joined.extend_from_slice(&std::mem::take(&mut whole));
                joined.extend_from_slice(&piece);
            }
        }
        Ok(if joined.is_empty() {
            whole
        } else {
            joined.freeze()
        })
    }
}

#[async_trait]
impl Transport for ReqwestTransport {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> std::result::Result<http::Response<Bytes>, TransportError> {
        self.check(request.uri())?;
        let request = reqwest::Request::try_from(request).map_err(not_sent)?;
        let mut response = self.client.execute(request).await.map_err(|error| {
            // A connection that failed carried no request yet.
            if error.is_connect() || error.is_builder() {
                not_sent(error)
            } else {
                perhaps_processed(error)
            }
        })?;
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let mut answer = http::Response::new(self.read(response).await?);
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        Ok(answer)
    }
}

impl fmt::Debug for ReqwestTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestTransport")
            .field("reach", &self.reach)
            .field("body_bytes_max", &self.body_bytes_max)
            .finish_non_exhaustive()
    }
}

/// How a [`ReqwestTransport`] connects.
#[derive(Debug, Clone)]
pub struct TransportOptions {
    connect_timeout: Duration,
    total_timeout: Duration,
    body_bytes_max: usize,
    proxy: Option<crate::Secret>,
    roots: Vec<CertificateDer<'static>>,
}

impl Default for TransportOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            total_timeout: Duration::from_secs(30),
            body_bytes_max: 1 << 20,
            proxy: None,
            roots: Vec::new(),
        }
    }
}

impl TransportOptions {
    /// Sets how long a connection may take to open: 5 s by default.
    #[must_use]
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets how long a request may take until its answer is read: 30 s by default.
    #[must_use]
    pub fn with_total_timeout(mut self, timeout: Duration) -> Self {
        self.total_timeout = timeout;
        self
    }

    /// Sets how many bytes of a body are read at most: 1 MiB by default.
    #[must_use]
    pub fn with_body_limit(mut self, bytes: usize) -> Self {
        self.body_bytes_max = bytes;
        self
    }

    /// Sends everything through this proxy. Those that the environment names are not used.
    #[must_use]
    pub fn with_proxy(mut self, url: impl Into<crate::Secret>) -> Self {
        self.proxy = Some(url.into());
        self
    }

    /// Trusts this root certificate (DER) beside those of the operating system, as for a gateway
    /// of the host's own.
    #[must_use]
    pub fn with_root(mut self, certificate: impl Into<Vec<u8>>) -> Self {
        self.roots.push(CertificateDer::from(certificate.into()));
        self
    }

    fn builder(&self, tls: ClientConfig) -> ClientBuilder {
        reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .connect_timeout(self.connect_timeout)
            .timeout(self.total_timeout)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .no_proxy()
    }

    fn tls(&self) -> Result<ClientConfig> {
        let roots = self.roots.iter().cloned();
        let verifier = Verifier::new_with_extra_roots(roots, Arc::new(crypto()));
        // rustls calls each verifier but its own dangerous; this one is the operating system's.
        let builder = tls_builder()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier.map_err(unusable)?));
        Ok(builder.with_no_client_auth())
    }
}

fn tls_builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>> {
    ClientConfig::builder_with_provider(Arc::new(crypto()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(unusable)
}

/// Passed to rustls by hand: a provider installed for the whole process would be the host's choice.
#[cfg(feature = "aws-lc-rs")]
pub(crate) fn crypto() -> CryptoProvider {
    rustls::crypto::aws_lc_rs::default_provider()
}

#[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
pub(crate) fn crypto() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

#[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
pub(crate) fn crypto() -> CryptoProvider {
    compile_error!("TLS needs cryptography: turn on the feature `ring` or `aws-lc-rs`")
}

fn not_sent(error: reqwest::Error) -> TransportError {
    TransportError {
        delivered: Delivered::No,
        cause: error.without_url().into(),
    }
}

fn perhaps_processed(error: reqwest::Error) -> TransportError {
    TransportError {
        delivered: Delivered::Perhaps,
        cause: error.without_url().into(),
    }
}

fn too_large() -> TransportError {
    TransportError {
        delivered: Delivered::Answered,
        cause: "the body is larger than the limit".into(),
    }
}

/// The cause is left out: it can quote the proxy's address, which can hold a password.
fn unusable(_: impl std::error::Error) -> Error {
    Error::new(
        ErrorKind::Settings,
        "the HTTP client cannot be set up: check the proxy and this machine's trust roots",
    )
}
