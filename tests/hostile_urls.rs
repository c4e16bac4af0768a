//! Addresses that a forger would have us call, or that two parsers read in two ways: those of
//! `fixtures/urls`. What is accepted leads where it seems to by the parser that connects, too.

#![allow(clippy::unwrap_used)] // helpers beside the tests fail them

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use counterfoil::http::{BaseUrl, ManualTimer, RetryPolicy, Transport, TransportError};
use counterfoil::id::Namespace;
use counterfoil::providers::adyen::{Adyen, AdyenConfig};
use counterfoil::providers::paypal::{PayPal, PayPalConfig, PayPalCredentials};
use counterfoil::webhook::WebhookRequest;
use counterfoil::{ErrorKind, Live, Provider, Test};
use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

const CERTIFICATE: &str = "/v1/notifications/certs/CERT-1";

/// The corpus, around the one host and path that are allowed.
fn corpus(host: &str, path: &str) -> Vec<String> {
    let text = include_str!("fixtures/urls/elsewhere.json");
    let groups: BTreeMap<String, Vec<String>> = serde_json::from_str(text).unwrap();
    let urls = groups.into_values().flatten().map(|url| {
        url.replace("{host}", host)
            .replace("{HOST}", &host.to_uppercase())
            .replace("{path}", path)
    });
    let urls: Vec<_> = urls.collect();
    assert!(urls.len() >= 200, "{}", urls.len());
    urls
}

/// A network that writes down where it was sent, and leads nowhere.
#[derive(Debug, Default)]
struct Ears(Mutex<Vec<String>>);

#[async_trait]
impl Transport for Ears {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        self.0.lock().unwrap().push(request.uri().to_string());
        let mut nothing = http::Response::new(Bytes::new());
        *nothing.status_mut() = http::StatusCode::NOT_FOUND;
        Ok(nothing)
    }
}

fn paypal(base: Option<&str>) -> (Arc<Ears>, Provider<Test>) {
    let ears = Arc::new(Ears::default());
    let credentials = PayPalCredentials::sandbox("client-id", "client-secret", "1JE4291016473214C");
    let mut config = PayPalConfig::new(credentials.unwrap())
        .with_transport(Arc::clone(&ears) as _)
        .with_timer(Arc::new(ManualTimer::new()))
        .with_retry_policy(RetryPolicy::never())
        .with_seed(1);
    if let Some(base) = base {
        config = config.with_base_url(base).unwrap();
    }
    let shop = Namespace::new("shop").unwrap();
    (ears, PayPal::new(config).unwrap().into_provider(shop))
}

/// A delivery whose certificate is said to be at `url`; `None` if no header can hold it.
fn delivery(url: &str) -> Option<WebhookRequest> {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("paypal-transmission-id", "1"),
        ("paypal-transmission-time", "2026-11-18T12:00:00Z"),
        ("paypal-transmission-sig", "AAAA"),
        ("paypal-cert-url", url),
        ("paypal-auth-algo", "SHA256withRSA"),
    ] {
        let value = HeaderValue::from_bytes(value.as_bytes()).ok()?;
        headers.insert(HeaderName::from_static(name), value);
    }
    Some(WebhookRequest::new(headers, b"{}".to_vec()))
}

#[tokio::test]
async fn no_certificate_of_paypals_is_fetched_from_elsewhere() {
    for (base, host, scheme) in [
        (None, "api.sandbox.paypal.com", "https"),
        (Some("http://127.0.0.1:12112"), "127.0.0.1:12112", "http"),
    ] {
        let (ears, provider) = paypal(base);
        for url in corpus(host, CERTIFICATE) {
            let url = url.replace("https", scheme);
            let Some(delivery) = delivery(&url) else {
                continue;
            };
            // Plain `http` to the simulator is the one address that is allowed there.
            if url == format!("http://{host}{CERTIFICATE}") && base.is_some() {
                continue;
            }
            assert!(provider.webhook(&delivery).await.is_err());
            assert_eq!(*ears.0.lock().unwrap(), [""; 0], "{url:?}");
        }
        // Without this the refusals above would prove nothing.
        let good = format!("{scheme}://{host}{CERTIFICATE}");
        let _ = provider.webhook(&delivery(&good).unwrap()).await;
        assert_eq!(*ears.0.lock().unwrap(), [good]);
    }
}

#[test]
fn the_credentials_of_a_report_go_to_adyen_alone() {
    const HOST: &str = "ca-test.adyen.com";
    let hmac_key = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";
    let config = AdyenConfig::<Test>::new("AQEtest", "ShopECOM", hmac_key).unwrap();
    let adyen = Adyen::new(config).unwrap();
    let path = "/reports/download/MerchantAccount/ShopECOM/report_7.csv";
    let accepts = |url: &str| adyen.check_report_url(url).is_ok();
    let mut accepted = 0;
    for url in corpus(HOST, path).iter().filter(|url| accepts(url)) {
        let parsed = Url::parse(url).unwrap();
        assert_eq!(
            parsed.origin(),
            Url::parse("https://ca-test.adyen.com").unwrap().origin()
        );
        assert_eq!(
            (parsed.username(), parsed.password()),
            ("", None),
            "{url:?}"
        );
        accepted += 1;
    }
    // Capitals in the scheme, and what stands behind the host.
    assert!(accepted <= 8, "{accepted}");
    assert!(accepts(&format!("https://{HOST}{path}")));
}

#[test]
fn a_base_url_leads_where_it_seems_to() {
    // What the other parser refuses is never connected to.
    let parsed = |base: &str| Url::parse(&format!("{base}/payments")).ok();
    for url in corpus("api.example.com", "/v1") {
        let base = BaseUrl::<Live>::https(&url);
        if let Some(at) = base.ok().and_then(|base| parsed(base.as_str())) {
            assert_eq!(at.scheme(), "https", "{url:?}");
            assert_eq!((at.username(), at.password()), ("", None), "{url:?}");
            assert_eq!((at.query(), at.fragment()), (None, None), "{url:?}");
            assert!(at.path().ends_with("/payments"), "{url:?}");
        }
    }
    let mut accepted = 0;
    for host in ["127.0.0.1:12111", "localhost:12111", "[::1]:12111"] {
        for url in corpus(host, "/v1") {
            let base = BaseUrl::loopback(&url.replace("https", "http"));
            if let Some(at) = base.ok().and_then(|base| parsed(base.as_str())) {
                let host = at.host_str().unwrap();
                assert!(
                    ["127.0.0.1", "localhost", "[::1]"].contains(&host),
                    "{url:?}"
                );
                assert_eq!((at.scheme(), at.username()), ("http", ""), "{url:?}");
                accepted += 1;
            }
        }
    }
    assert!(accepted > 0);
}

/// Neither an Adyen key nor an id of PayPal shows its mode, so that the host alone tells.
#[test]
fn no_address_takes_a_test_configuration_to_real_money() {
    let paypal = || PayPalCredentials::sandbox("client-id", "client-secret", "1JE4291016473214C");
    let adyen = || AdyenConfig::<Test>::new("AQE-key", "ShopECOM", "A".repeat(64)).unwrap();
    for live in [
        "https://api-m.paypal.com",
        "https://API-M.PayPal.com./v1",
        "https://api.paypal.com:443",
    ] {
        let refused = PayPalConfig::new(paypal().unwrap()).with_base_url(live);
        assert_eq!(*refused.unwrap_err().kind(), ErrorKind::Settings, "{live}");
    }
    for live in [
        "https://1797a841fbb37ca7-AdyenDemo-checkout-live.adyenpayments.com/checkout",
        "https://management-live.adyen.com",
    ] {
        let refused = adyen().with_base_url(live);
        assert_eq!(*refused.unwrap_err().kind(), ErrorKind::Settings, "{live}");
    }
    let sandbox = "https://api-m.sandbox.paypal.com";
    let taken = PayPalConfig::new(paypal().unwrap()).with_base_url(sandbox);
    assert!(taken.is_ok());
    assert!(
        adyen()
            .with_base_url("https://checkout-test.adyen.com")
            .is_ok()
    );
}
