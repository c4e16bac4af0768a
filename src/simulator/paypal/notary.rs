//! Signs webhooks, with a chain of certificates that is made when the simulator starts.
//!
//! Source of the scheme: developer.paypal.com/api/rest/webhooks/rest. RSA with SHA-256 (PKCS #1
//! v1.5) signs `transmission id|time|webhook id|CRC-32 of the body`.
//!
//! The RSA keys are the same for everyone who has this crate, so that the same seed gives the same
//! bytes. They prove nothing: only tests trust the root that they make.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256, SerialNumber, SigningKey, date_time_ymd,
};

use crate::clock::Timestamp;

const ROOT_KEY: &[u8] = include_bytes!("keys/root.der");
const ISSUER_KEY: &[u8] = include_bytes!("keys/issuer.der");
const WEBHOOK_KEY: &[u8] = include_bytes!("keys/webhooks.der");

/// The name that PayPal's own certificate for the sandbox carries.
const SIGNER_NAME: &str = "messageverificationcerts.sandbox.paypal.com";

/// Which certificate webhooks name from now on: the right one, or one that must be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SigningCertificate {
    /// Issued by the simulator's trust root for PayPal's name.
    Genuine,
    /// Its time was over before the simulator started.
    Expired,
    /// Its time begins twenty years after the simulator started.
    NotYetValid,
    /// Issued by itself.
    SelfSigned,
    /// Issued by the trust root, but for a name that is not PayPal's.
    OtherName,
}

impl SigningCertificate {
    const ALL: [Self; 5] = [
        Self::Genuine,
        Self::Expired,
        Self::NotYetValid,
        Self::SelfSigned,
        Self::OtherName,
    ];

    /// The last part of the certificate's address.
    fn file_name(self) -> &'static str {
        match self {
            Self::Genuine => "CERT-360caa42-fca2a594-genuine",
            Self::Expired => "CERT-360caa42-fca2a594-expired",
            Self::NotYetValid => "CERT-360caa42-fca2a594-notyetvalid",
            Self::SelfSigned => "CERT-360caa42-fca2a594-selfsigned",
            Self::OtherName => "CERT-360caa42-fca2a594-othername",
        }
    }
}

/// The certificates and the key that signs.
#[derive(Debug)]
pub(super) struct Notary {
    pub(super) certificate: SigningCertificate,
    started: Timestamp,
}

impl Notary {
    pub(super) fn new(started: Timestamp) -> Self {
        Self {
            certificate: SigningCertificate::Genuine,
            started,
        }
    }

    /// The path of the certificate that signs now.
    pub(super) fn certificate_path(&self) -> String {
        format!("/v1/notifications/certs/{}", self.certificate.file_name())
    }

    /// The file at a path behind `/v1/notifications/certs/`: the certificate and its issuer, in PEM.
    pub(super) fn certificate_file(&self, name: &str) -> Option<String> {
        let kind = SigningCertificate::ALL
            .into_iter()
            .find(|kind| kind.file_name() == name)?;
        self.chain(kind).ok()
    }

    /// The root that issued the certificates, in PEM.
    pub(super) fn trust_root(&self) -> Option<String> {
        Some(self.root().ok()?.0.pem())
    }

    /// The signature in base64, as the header carries it.
    pub(super) fn sign(&self, signed_text: &str) -> String {
        let signature = key(WEBHOOK_KEY).and_then(|key| key.sign(signed_text.as_bytes()));
        // The key is part of the crate; a test signs with it.
        STANDARD.encode(signature.unwrap_or_default())
    }

    fn root(&self) -> Result<(Certificate, CertificateParams), rcgen::Error> {
        let params = self.authority("Simulated trust root", 1)?;
        Ok((params.self_signed(&key(ROOT_KEY)?)?, params))
    }

    fn chain(&self, kind: SigningCertificate) -> Result<String, rcgen::Error> {
        let (_, root) = self.root()?;
        let root = Issuer::new(root, key(ROOT_KEY)?);
        let issuer_params = self.authority("Simulated issuer", 2)?;
        let issuer_key = key(ISSUER_KEY)?;
        let issuer_certificate = issuer_params.signed_by(&issuer_key, &root)?;
        let issuer = Issuer::new(issuer_params, issuer_key);

        let name = match kind {
            SigningCertificate::OtherName => "messageverificationcerts.paypal.com.example",
            _ => SIGNER_NAME,
        };
        let mut leaf = self.params(name, 3)?;
        leaf.subject_alt_names = CertificateParams::new([name.to_owned()])?.subject_alt_names;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let year = self.year();
        match kind {
            SigningCertificate::Expired => {
                leaf.not_before = date_time_ymd(year - 3, 1, 1);
                leaf.not_after = date_time_ymd(year - 1, 1, 1);
            }
            SigningCertificate::NotYetValid => leaf.not_before = date_time_ymd(year + 20, 1, 1),
            _ => {}
        }
        let leaf_key = key(WEBHOOK_KEY)?;
        if kind == SigningCertificate::SelfSigned {
            return Ok(leaf.self_signed(&leaf_key)?.pem());
        }
        let leaf = leaf.signed_by(&leaf_key, &issuer)?;
        Ok(format!("{}{}", leaf.pem(), issuer_certificate.pem()))
    }

    fn authority(&self, name: &str, serial: u64) -> Result<CertificateParams, rcgen::Error> {
        let mut params = self.params(name, serial)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ok(params)
    }

    /// Valid from the year before the simulator started, for a generation.
    fn params(&self, name: &str, serial: u64) -> Result<CertificateParams, rcgen::Error> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.serial_number = Some(SerialNumber::from(serial));
        params.not_before = date_time_ymd(self.year() - 1, 1, 1);
        params.not_after = date_time_ymd(self.year() + 25, 1, 1);
        Ok(params)
    }

    /// The year in which the simulator started, within what a certificate can say.
    fn year(&self) -> i32 {
        let started = jiff::Timestamp::from_second(self.started.unix()).unwrap_or_default();
        let year = started.to_zoned(jiff::tz::TimeZone::UTC).year();
        i32::from(year).clamp(1960, 9000)
    }
}

fn key(pkcs8: &[u8]) -> Result<KeyPair, rcgen::Error> {
    KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8.into(), &PKCS_RSA_SHA256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_start_gives_the_same_chains_and_signatures() {
        let start = Timestamp::from_unix(1_795_000_000);
        let (one, other) = (Notary::new(start), Notary::new(start));
        for kind in SigningCertificate::ALL {
            let file = one.certificate_file(kind.file_name()).unwrap();
            let certificates = file.matches("BEGIN CERTIFICATE").count();
            let expected = if kind == SigningCertificate::SelfSigned {
                1
            } else {
                2
            };
            assert_eq!(certificates, expected, "{kind:?}");
            assert_eq!(other.certificate_file(kind.file_name()), Some(file));
        }
        assert_eq!(one.certificate_file("../keys/root.der"), None);
        assert_eq!(one.trust_root(), other.trust_root());
        assert!(one.trust_root().is_some());
        assert_eq!(one.sign("a|b|c|1").len(), 344);
        assert_ne!(one.sign("a|b|c|1"), one.sign("a|b|c|2"));
    }
}
