//! Certificates and signatures as PayPal makes them, and as forgers would.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use counterfoil::providers::paypal::PayPalConfig;
use counterfoil::webhook::WebhookRequest;
use counterfoil::{Provider, Test};
use http::{HeaderMap, HeaderName, HeaderValue};
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_RSA_SHA256, SigningKey, date_time_ymd,
};
use rustls::pki_types::PrivatePkcs8KeyDer;

use crate::script::{self, Reply, Script, WEBHOOK_ID};

pub(crate) const CERT_PATH: &str = "/v1/notifications/certs/CERT-360caa42-fca2a594-1d93a270";
pub(crate) const CERT_URL: &str =
    "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-1d93a270";
pub(crate) const NAME: &str = "messageverificationcerts.sandbox.paypal.com";

/// An authority, and a certificate of it.
pub(crate) struct Notary {
    root: Issuer<'static, KeyPair>,
    root_pem: String,
}

impl Notary {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let params = authority();
        let root_pem = params.self_signed(&key).unwrap().pem();
        Self {
            root: Issuer::new(params, key),
            root_pem,
        }
    }

    pub(crate) fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// A certificate for a name, valid from one year to another.
    pub(crate) fn certificate(&self, name: &str, years: (i32, i32)) -> String {
        let params = leaf(name, years);
        params.signed_by(&signer(), &self.root).unwrap().pem()
    }

    /// A certificate by way of another authority in between.
    pub(crate) fn chain(&self) -> String {
        let key = KeyPair::generate().unwrap();
        let params = authority();
        let between = params.signed_by(&key, &self.root).unwrap();
        let issuer = Issuer::new(params, key);
        let leaf = leaf(NAME, (2020, 2040)).signed_by(&signer(), &issuer);
        format!("{}{}", leaf.unwrap().pem(), between.pem())
    }
}

pub(crate) fn self_signed() -> String {
    let params = leaf(NAME, (2020, 2040));
    params.self_signed(&signer()).unwrap().pem()
}

fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn leaf(name: &str, (from, to): (i32, i32)) -> CertificateParams {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(to, 1, 1);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

/// RSA keys that are part of the tests: they prove nothing.
fn key(der: &'static [u8]) -> KeyPair {
    KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(der), &PKCS_RSA_SHA256).unwrap()
}

pub(crate) fn signer() -> KeyPair {
    key(include_bytes!("../fixtures/paypal/signer.der"))
}

pub(crate) fn stranger() -> KeyPair {
    key(include_bytes!("../fixtures/paypal/stranger.der"))
}

/// The headers of a delivery, before they are signed.
pub(crate) struct Headers {
    pub(crate) webhook_id: &'static str,
    pub(crate) certificate_url: String,
    pub(crate) algorithm: &'static str,
    pub(crate) time: &'static str,
}

impl Default for Headers {
    fn default() -> Self {
        Self {
            webhook_id: WEBHOOK_ID,
            certificate_url: CERT_URL.to_owned(),
            algorithm: "SHA256withRSA",
            time: "2026-11-16T12:00:00Z",
        }
    }
}

impl Headers {
    /// Signs a body as PayPal does, or as another does.
    pub(crate) fn sign(&self, key: &KeyPair, body: &[u8]) -> WebhookRequest {
        let id = "69cd13f0-d67a-11e5-baa3-778b53f4ae55";
        let (time, webhook_id) = (self.time, self.webhook_id);
        let text = format!("{id}|{time}|{webhook_id}|{}", crc32fast::hash(body));
        let signature = STANDARD.encode(key.sign(text.as_bytes()).unwrap());
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("paypal-transmission-id", id),
            ("paypal-transmission-time", time),
            ("paypal-transmission-sig", &signature),
            ("paypal-cert-url", &self.certificate_url),
            ("paypal-auth-algo", self.algorithm),
        ] {
            let name = HeaderName::from_static(name);
            headers.insert(name, HeaderValue::from_str(value).unwrap());
        }
        WebhookRequest::new(headers, body.to_vec())
    }
}

pub(crate) fn sign(body: &[u8]) -> WebhookRequest {
    Headers::default().sign(&signer(), body)
}

/// A shop whose PayPal has this certificate, and that trusts this notary.
pub(crate) fn shop(notary: &Notary, certificate: &str) -> (Arc<Script>, Provider<Test>) {
    shop_as(notary, certificate, |config| config)
}

pub(crate) fn shop_as(
    notary: &Notary,
    certificate: &str,
    configure: impl FnOnce(PayPalConfig<Test>) -> PayPalConfig<Test>,
) -> (Arc<Script>, Provider<Test>) {
    let script = Arc::new(Script::default());
    let file = Reply::Raw(200, certificate.to_owned().into());
    script.on(&format!("GET {CERT_PATH}"), file);
    let config = script::config(&script);
    let config = config.with_webhook_roots(notary.root_pem()).unwrap();
    (script.clone(), script::provider_of(configure(config)))
}
