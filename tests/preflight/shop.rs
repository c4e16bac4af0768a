//! A shop that is fit to go live, with a provider of our own, so that anything can be set wrong.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use counterfoil::capability::{Capabilities, Operation};
use counterfoil::clock::{ManualClock, Timestamp};
use counterfoil::id::{Attempt, EventId, Namespace, OrderId, PaymentId, ProviderName, Reference};
use counterfoil::mode::Mode;
use counterfoil::money::{Currency, Money};
use counterfoil::payment::{Payment, PaymentStatus};
use counterfoil::preflight::{Evidence, Ground, Preflight};
use counterfoil::request::{Account, Cursor, Page, Period};
use counterfoil::setup::{CurrencyRule, Setup, WebhookEndpoint};
use counterfoil::webhook::{
    EventDraft, EventKind, Notice, WebhookRefusal, WebhookRefusalKind, WebhookRequest,
};
use counterfoil::{Error, ErrorKind, Live, PaymentProvider, Provider, Result};
use http::HeaderMap;

use super::store::Kept;

pub(crate) const NOW: Timestamp = Timestamp::from_unix(1_795_000_000);
pub(crate) const URL: &str = "https://shop.example/webhooks";
pub(crate) const FIRST: &str = "acme:live:pay_1";

/// A provider that answers as it is told to.
#[derive(Debug, Clone)]
pub(crate) struct Acme<M: Mode> {
    pub(crate) name: ProviderName,
    pub(crate) capabilities: Capabilities,
    pub(crate) setup: Setup,
    pub(crate) account: std::result::Result<Account, ErrorKind>,
    pub(crate) endpoints: std::result::Result<Vec<WebhookEndpoint>, ErrorKind>,
    pub(crate) payments: std::result::Result<Vec<Payment<M>>, ErrorKind>,
    /// What it signs with, and what it verifies with.
    pub(crate) signs_with: Vec<&'static str>,
    pub(crate) verifies_with: Vec<&'static str>,
    pub(crate) checks_age: bool,
    pub(crate) checks_signature: bool,
}

impl<M: Mode> Acme<M> {
    pub(crate) fn new() -> Self {
        let name = ProviderName::new("acme").unwrap();
        let mut account = Account::new("acct_1", M::KIND);
        account.can_charge = Some(true);
        account.currencies = vec![Currency::EUR];
        account.answered_at = Some(NOW);
        let mut setup = Setup::new("https://api.acme.example");
        setup.credentials_mode = Some(M::KIND);
        setup.url_mode = Some(M::KIND);
        setup.api_version = Some("2026-11".into());
        setup.account = Some("acct_1".into());
        setup.webhook_tolerance = Some(Duration::from_secs(300));
        setup.webhook_types = ["paid", "refunded", "disputed"].map(Into::into).to_vec();
        setup.key_length_max = Some(64);
        setup.retries_end_after = Some(Duration::from_secs(60));
        setup.currency_rule = Some(|currency| match currency.code() {
            "EUR" => Some(CurrencyRule::new(2, Money::new(1, currency), None)),
            _ => None,
        });
        let mut endpoint = WebhookEndpoint::new("we_1", URL, ["paid", "refunded", "disputed"]);
        endpoint.api_version = Some("2026-11".into());
        let operations = [
            Operation::FetchPayment,
            Operation::ListPayments,
            Operation::Account,
            Operation::VerifyWebhook,
        ];
        Self {
            capabilities: Capabilities::new(&operations)
                .with_idempotent_writes(Duration::from_secs(24 * 60 * 60)),
            name,
            setup,
            account: Ok(account),
            endpoints: Ok(vec![endpoint]),
            payments: Ok(vec![first_payment()]),
            signs_with: vec!["secret"],
            verifies_with: vec!["secret"],
            checks_age: true,
            checks_signature: true,
        }
    }

    pub(crate) fn provider(self) -> Provider<M> {
        Provider::new(self, namespace()).with_clock(Arc::new(ManualClock::new(NOW)))
    }

    pub(crate) fn account(&mut self) -> &mut Account {
        self.account.as_mut().unwrap()
    }

    pub(crate) fn endpoint(&mut self) -> &mut WebhookEndpoint {
        &mut self.endpoints.as_mut().unwrap()[0]
    }
}

/// A payment of one euro that was taken and given back.
pub(crate) fn first_payment<M: Mode>() -> Payment<M> {
    let name = ProviderName::new("acme").unwrap();
    let id = PaymentId::new(name, "pay_1").unwrap();
    let euro = Money::new(100, Currency::EUR);
    let mut payment = Payment::new(id, PaymentStatus::Captured, euro, NOW);
    payment.captured = euro;
    payment.refunded = euro;
    payment.reference = Some(Reference {
        namespace: namespace(),
        order: OrderId::new("A-1").unwrap(),
        attempt: Attempt::FIRST,
    });
    payment
}

pub(crate) fn namespace() -> Namespace {
    Namespace::new("shop-de").unwrap()
}

/// The shop: a provider and a preflight that knows all that it must.
pub(crate) struct Shop {
    pub(crate) acme: Acme<Live>,
    pub(crate) preflight: Preflight,
    pub(crate) evidence: Evidence,
}

impl Shop {
    /// Everything is right.
    pub(crate) fn new() -> Self {
        let acme = Acme::new();
        let preflight = preflight().with_first_payment(FIRST);
        let fingerprint = preflight.fingerprint(&acme.clone().provider());
        Self {
            evidence: evidence(&fingerprint),
            acme,
            preflight,
        }
    }
}

/// Evidence of a rehearsal yesterday in which every scenario passed or did not apply.
pub(crate) fn evidence(fingerprint: &str) -> Evidence {
    let yesterday = NOW.saturating_sub(Duration::from_secs(24 * 60 * 60));
    let mut evidence = Evidence::new("acme", fingerprint, Ground::Simulator, yesterday);
    evidence.passed = (1..=50).map(|number| format!("S{number}").into()).collect();
    evidence.not_applicable = (51..=58)
        .map(|number| format!("S{number}").into())
        .collect();
    evidence
}

/// A preflight that knows all but the first live payment.
pub(crate) fn preflight() -> Preflight {
    Preflight::new()
        .with_clock(Arc::new(ManualClock::new(NOW)))
        .with_endpoint(URL)
        .with_probe(Arc::new(super::endpoint::Host::new(Acme::<Live>::new())))
        .with_currencies(&[Currency::EUR])
        .with_other_namespaces(&[Namespace::new("shop-fr").unwrap()])
        .with_last_sweep(NOW.saturating_sub(Duration::from_secs(60)))
        .with_store(Arc::new(Kept::store()))
}

fn error(kind: &ErrorKind) -> Error {
    Error::new(kind.clone(), "as it was told to")
}

#[async_trait]
impl<M: Mode> PaymentProvider for Acme<M> {
    type Mode = M;

    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn setup(&self) -> Setup {
        self.setup.clone()
    }

    async fn account(&self) -> Result<Account> {
        self.account.clone().map_err(|kind| error(&kind))
    }

    async fn webhook_endpoints(&self) -> Result<Vec<WebhookEndpoint>> {
        self.endpoints.clone().map_err(|kind| error(&kind))
    }

    async fn fetch_payment(&self, id: &PaymentId<M>) -> Result<Payment<M>> {
        let payments = self.payments.clone().map_err(|kind| error(&kind))?;
        let found = payments.into_iter().find(|payment| payment.id == *id);
        found.ok_or_else(|| error(&ErrorKind::NotFound))
    }

    async fn list_payments(&self, _: &Period, _: Option<&Cursor>) -> Result<Page<Payment<M>>> {
        let mut items = self.payments.clone().map_err(|kind| error(&kind))?;
        // The first payment is of long ago.
        items.retain(|payment| payment.id.raw() != "pay_1");
        Ok(Page::new(items, None))
    }

    fn sample_webhooks(&self, now: Timestamp) -> Vec<WebhookRequest> {
        let samples = self.signs_with.iter().map(|secret| {
            let mut headers = HeaderMap::new();
            let body = "sample";
            let signature = format!("{} {secret} {body}", now.unix());
            headers.insert("signature", hex::encode(signature).parse().unwrap());
            WebhookRequest::new(headers, body)
        });
        samples.collect()
    }

    async fn verify_webhook(
        &self,
        request: &WebhookRequest,
        now: Timestamp,
    ) -> Result<Vec<Notice<M>>, WebhookRefusal> {
        let refusal = |kind| Err(WebhookRefusal::new(kind, "as it was told to"));
        let signature = request.headers().get("signature");
        let text = signature.and_then(|text| String::from_utf8(hex::decode(text).ok()?).ok());
        let Some(text) = text else {
            return match self.checks_signature {
                true => refusal(WebhookRefusalKind::MissingSignature),
                false => Ok(vec![self.notice(0)]),
            };
        };
        let mut parts = text.splitn(3, ' ');
        let time: i64 = parts.next().unwrap().parse().unwrap();
        let (secret, signed) = (parts.next().unwrap(), parts.next().unwrap());
        let index = self.verifies_with.iter().position(|known| *known == secret);
        let body = String::from_utf8_lossy(request.body());
        let index = match index {
            Some(index) if signed == body => index,
            _ if !self.checks_signature => 0,
            _ => return refusal(WebhookRefusalKind::WrongSignature),
        };
        let age = now.unix() - time;
        match age {
            _ if !self.checks_age => {}
            301.. => return refusal(WebhookRefusalKind::Stale),
            ..-300 => return refusal(WebhookRefusalKind::Future),
            _ => {}
        }
        Ok(vec![self.notice(index)])
    }
}

impl<M: Mode> Acme<M> {
    fn notice(&self, index: usize) -> Notice<M> {
        let id = EventId::new(self.name.clone(), "evt_1").unwrap();
        let draft = EventDraft::new(id, "sample", NOW, EventKind::NotAboutPayments);
        Notice::Event(draft.with_secret_index(index))
    }
}
