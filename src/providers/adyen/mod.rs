//! Adyen: Pay by Link, Sessions and Payments, over Checkout v72 and Management v3.
//!
//! | operation | how |
//! |---|---|
//! | create hosted | a payment link; Adyen takes no address for turning back |
//! | create embedded | a session, for Drop-in on the host's page |
//! | create direct | `/payments`, with what Drop-in or Components have encrypted, or a saved method |
//! | capture | received only; in part, and in several parts where the account may |
//! | void | of a hold: received only; of a payment link: at once |
//! | refund | received only; in part, repeatedly |
//! | account | whose API key it is, and the merchant account |
//! | verify webhook | standard webhooks, and those with a signature in the header |
//!
//! **Nothing can be fetched.** Adyen has no call that shows a payment, a refund or a dispute, nor
//! lists of them, so that those operations are refused before anything is sent. What a host knows
//! of a payment are its notices, and later the settlement report:
//!
//! - Store every event before you answer, and fold it into a [`Ledger`](crate::ledger::Ledger), as
//!   the cashier does. Adyen sends an unanswered notice again for up to 30 days.
//! - A capture, void or refund answers only that it was received: with [`Change::Received`], or a
//!   refund that is pending. Its own id and that of its payment are both kept, and the notice of
//!   its end names both.
//! - After [`Effect::Unknown`](crate::Effect::Unknown) send the same request again: the key is
//!   remembered for 7 days at least, and answered with what came of it the first time. Adyen does
//!   not compare the requests under one key; the handle and the cashier do.
//! - What was missed for longer than that is in the settlement report, by payment:
//!   `Adyen::settlements` reads it into payouts and their lines (feature `readers`).
//!
//! **Captured or held.** A payment that Adyen captures by itself has no notice of its capture: the
//! authorisation is the last word, unless `CAPTURE_FAILED` follows. A payment of
//! [`CaptureMode::Automatic`](crate::request::CaptureMode::Automatic) is asked to be captured at
//! once, whatever the account is set to, and counts as captured with its authorisation. One that is
//! only held carries `:held` at the end of its reference at Adyen, since the reference is what is
//! signed in the notice. An authorisation without a reference of ours counts as held.
//!
//! **What is signed.** Of a standard notice, the ids, the account, the reference, the amount, the
//! kind and the outcome ([`Authenticity::Facts`]). The mode is not: it is that of the key that
//! verified the notice, so give each mode a key of its own. Times, reasons and the rest may have
//! been changed by whoever could write to the connection; protect the endpoint by TLS and Basic
//! authentication too. Several notices in one body are believed all or none: one bad notice refuses
//! the body, Adyen sends all of it again, and what was good is known by its id.
//!
//! That a failed capture was made good later stands in a reason alone, so that such a notice comes
//! as [`EventKind::Unclear`](crate::webhook::EventKind::Unclear): look at the payment in the
//! Customer Area, or wait for the settlement report. Whether `CANCEL_OR_REFUND` canceled or
//! refunded is not signed either, but for what was to be captured by itself it is money given back
//! both ways.
//!
//! A refusal may name its link or session, which is not signed: it moves no money. That each refusal
//! names it is not verified, and no [setting of a webhook] adds the name, so that a preflight has
//! nothing to look for. The cashier takes a refusal that names none for one on the page of its
//! attempt; a [`Ledger`](crate::ledger::Ledger) alone takes it for the payment, and the host must
//! know the link by itself to end it.
//!
//! [setting of a webhook]: https://docs.adyen.com/development-resources/webhooks/additional-settings
//!
//! `EXPIRE` says that what was not captured has lapsed, and nothing of what was. A payment that
//! counts as captured therefore stays so; since it may never have been captured then, the cashier
//! puts the contradiction before a person.
//!
//! Not verified: that `CAPTURE_FAILED`, `REFUND_FAILED` and `REFUNDED_REVERSED` name the capture or
//! refund by its own id; that all notices of one dispute share an id. A capture's failure counts
//! whatever it is called. Some notices of a dispute do not name its payment in Adyen's examples:
//! such a one comes as [`EventKind::Unclear`](crate::webhook::EventKind::Unclear) with the reference
//! of the order, for a person to look at. After a request for information, what is said of it under
//! the same id takes no money until a notice says that it was deducted; under another id it does.
//!
//! Sources: <https://docs.adyen.com/api-explorer/Checkout/72/overview>,
//! <https://docs.adyen.com/development-resources/api-idempotency>,
//! <https://docs.adyen.com/development-resources/webhooks>, and those that each part names.

#![cfg(feature = "adyen")]

mod amount;
mod client;
mod config;
mod convert;
mod create;
mod error;
mod management;
mod modify;
mod notice;
mod payment;
mod refusal;
#[cfg(feature = "readers")]
mod settlement;
mod setup;
mod webhook;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

pub use config::{AdyenConfig, KIND, LivePrefix};
pub use management::{ApiCredential, Webhook, WebhookTest};
#[cfg(feature = "readers")]
pub use settlement::Settlement;
pub use webhook::{SIGNATURE_HEADER, sign, sign_header};

use self::client::Client;
use self::create::Asked;
use self::payment::Begun;
use self::webhook::Verifier;
use self::wire::{PaymentLink, PaymentResult, Session, SessionResult};
use crate::capability::{Capabilities, Operation};
use crate::capture::Change;
use crate::clock::{Clock, Timestamp};
use crate::error::{Error, ErrorKind, Result};
use crate::handle::Provider;
use crate::http::ApiRequest;
use crate::id::{IdempotencyKey, Namespace, PaymentId, ProviderName, Reference};
use crate::mode::{Live, Mode, ModeKind, Test};
use crate::payment::{Payment, PaymentStatus};
use crate::provider::PaymentProvider;
use crate::refund::Refund;
use crate::registry::{Configured, Settings};
use crate::request::{Account, CaptureRequest, Checkout, CreateRequest, RefundRequest};
use crate::setup::{Setup, WebhookEndpoint};
use crate::webhook::{Authenticity, Notice, WebhookRefusal, WebhookRequest};

/// How long Adyen remembers a key at least.
const KEY_RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Adyen, for one merchant account in mode `M`. Clones share the connections.
///
/// ```
/// use counterfoil::id::Namespace;
/// use counterfoil::providers::adyen::{Adyen, AdyenConfig};
/// use counterfoil::{Provider, Test};
///
/// let hmac_key = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
/// let config = AdyenConfig::<Test>::new("AQE1", "ShopECOM", hmac_key)?;
/// let adyen = Adyen::new(config)?;
/// let provider: Provider<Test> = adyen.clone().into_provider(Namespace::new("shop")?);
/// # Ok::<(), counterfoil::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Adyen<M: Mode> {
    name: ProviderName,
    capabilities: Capabilities,
    client: Client<M>,
    verifier: Verifier<M>,
    clock: Arc<dyn Clock>,
}

impl<M: Mode> Adyen<M> {
    /// Adyen as configured. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] if this machine cannot speak TLS.
    pub fn new(config: AdyenConfig<M>) -> Result<Self> {
        Ok(Self {
            name: config.name.clone(),
            capabilities: capabilities(config.multiple_captures),
            client: Client::new(&config)?,
            verifier: Verifier::new(&config)?,
            clock: config.wiring.clock,
        })
    }

    /// The provider that a host holds, for the installation `namespace`.
    #[must_use]
    pub fn into_provider(self, namespace: Namespace) -> Provider<M> {
        let clock = Arc::clone(&self.clock);
        Provider::new(self, namespace).with_clock(clock)
    }

    /// Goes on with a payment by token after the shopper has been elsewhere: hands Adyen what the
    /// browser or Adyen's form brought back, as the JSON of `/payments/details`. It begins no
    /// payment; sent again under the same key, it gives the same answer.
    ///
    /// `request` and `reference` are those that the payment was begun with: see
    /// [`Provider::reference`]. Take a key of its own, such as the creation's
    /// [`for_step("details")`](IdempotencyKey::for_step).
    ///
    /// # Errors
    /// [`ErrorKind::Declined`] with the payment if it was refused, [`ErrorKind::InvalidRequest`] if
    /// `details` is no JSON object with `details` in it.
    pub async fn submit_details(
        &self,
        request: &CreateRequest,
        reference: &Reference,
        details: &crate::Secret,
        key: &IdempotencyKey,
    ) -> Result<Payment<M>> {
        let body: Value = serde_json::from_str(details.expose()).unwrap_or_default();
        let (Some(given), data) = (body.get("details"), body.get("paymentData")) else {
            let message = "the details are not what Adyen's form or the return brought back";
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        };
        let mut sent = serde_json::Map::from_iter([("details".to_owned(), given.clone())]);
        if let Some(data) = data {
            sent.insert("paymentData".to_owned(), data.clone());
        }
        let begun = begun(request, reference, key);
        self.pay(&["payments", "details"], &sent.into(), &begun)
            .await
    }

    /// How a session stood when its form ended, by the `sessionResult` that the form gave. That is
    /// for the page that the shopper sees then: what became of the payment, only its webhook says.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] or [`ErrorKind::InvalidRequest`] for a result of another session.
    pub async fn session_status(
        &self,
        session: &PaymentId<M>,
        session_result: &str,
    ) -> Result<PaymentStatus> {
        let request = ApiRequest::get(Operation::CreateEmbedded, &["sessions", session.raw()]);
        let answer = self
            .client
            .get(request.query("sessionResult", session_result))
            .await?;
        self.client.read(&answer, |result: SessionResult| {
            Ok(match result.status.as_deref().unwrap_or_default() {
                "active" => PaymentStatus::Created,
                // The shopper is done, and the webhook tells what it came to.
                "completed" | "paymentPending" => PaymentStatus::Pending,
                "refused" => PaymentStatus::Failed(refusal::decline(None, None)),
                "canceled" => PaymentStatus::Canceled,
                "expired" => PaymentStatus::Expired,
                other => PaymentStatus::Unrecognized(other.into()),
            })
        })
    }

    /// A payment link as it stands now. That a shopper has paid by it is told by the webhook of the
    /// payment.
    async fn link(&self, id: &PaymentId<M>) -> Result<Payment<M>> {
        let request = ApiRequest::get(Operation::Void, &["paymentLinks", id.raw()]);
        let answer = self.client.get(request).await?;
        let as_of = self.client.time_of(&answer);
        self.client.read(&answer, |link: PaymentLink| {
            self.payment_of_link(&link, as_of)
        })
    }

    async fn pay(&self, path: &[&str], body: &Value, begun: &Begun<'_>) -> Result<Payment<M>> {
        let answer = self
            .client
            .post(Operation::CreateDirect, path, body, begun.key)
            .await?;
        let as_of = self.client.time_of(&answer);
        self.client.read(&answer, |result: PaymentResult| {
            self.payment_of_result(&result, begun, as_of)
        })
    }
}

impl Adyen<Test> {
    /// Makes the provider that [`Registry`](crate::registry::Registry) settings describe, in the
    /// mode that they are for. [`KIND`] tells which settings there are.
    ///
    /// ```
    /// use counterfoil::ModeKind;
    /// use counterfoil::providers::adyen::Adyen;
    /// use counterfoil::registry::{Registry, Settings};
    ///
    /// let registry = Registry::new().with("adyen", Adyen::configure);
    /// let values = [
    ///     ("namespace", "shop"),
    ///     ("api_key", "AQEyhmfxKI7MYhBEw0m-key-of-the-shop"),
    ///     ("merchant_account", "ShopECOM"),
    ///     ("hmac_key", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
    /// ];
    /// let configured = registry.configure("adyen", Settings::new(ModeKind::Test, values))?;
    /// assert_eq!(configured.mode(), ModeKind::Test);
    /// # Ok::<(), counterfoil::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Settings`], naming every fault at once.
    pub fn configure(settings: Settings) -> Result<Configured> {
        match settings.mode() {
            ModeKind::Test => {
                let (config, namespace) = AdyenConfig::<Test>::from_settings(settings)?;
                let adyen = Adyen::new(config)?;
                Ok(Configured::Test(adyen.into_provider(namespace)))
            }
            ModeKind::Live => {
                let (config, namespace) = AdyenConfig::<Live>::from_settings(settings)?;
                let adyen = Adyen::new(config)?;
                Ok(Configured::Live(adyen.into_provider(namespace)))
            }
        }
    }
}

#[async_trait]
impl<M: Mode> PaymentProvider for Adyen<M> {
    type Mode = M;

    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn create(
        &self,
        request: &CreateRequest,
        reference: &Reference,
        key: &IdempotencyKey,
    ) -> Result<Payment<M>> {
        let asked = Asked {
            request,
            reference,
            merchant_account: &self.client.merchant_account,
            now: self.client.now(),
        };
        match &request.checkout {
            Checkout::Hosted { success_url, .. } => {
                let body = asked.link(success_url)?;
                let operation = Operation::CreateHosted;
                let answer = self
                    .client
                    .post(operation, &["paymentLinks"], &body, key)
                    .await?;
                let as_of = self.client.time_of(&answer);
                self.client.read(&answer, |link: PaymentLink| {
                    self.payment_of_link(&link, as_of)
                })
            }
            Checkout::Embedded { return_url } => {
                let body = asked.session(return_url)?;
                let operation = Operation::CreateEmbedded;
                let answer = self
                    .client
                    .post(operation, &["sessions"], &body, key)
                    .await?;
                let as_of = self.client.time_of(&answer);
                self.client.read(&answer, |session: Session| {
                    self.payment_of_session(session, as_of)
                })
            }
            Checkout::Direct {
                method,
                presence,
                return_url,
            } => {
                let body = asked.payment(method, *presence, return_url.as_deref())?;
                let begun = begun(request, reference, key);
                self.pay(&["payments"], &body, &begun).await
            }
        }
    }

    async fn capture(
        &self,
        request: &CaptureRequest<M>,
        key: &IdempotencyKey,
    ) -> Result<Change<M>> {
        self.take_held(request, key).await
    }

    async fn void(&self, id: &PaymentId<M>, key: &IdempotencyKey) -> Result<Change<M>> {
        self.let_go(id, key).await
    }

    async fn refund(&self, request: &RefundRequest<M>, key: &IdempotencyKey) -> Result<Refund<M>> {
        self.give_back(request, key).await
    }

    async fn account(&self) -> Result<Account> {
        self.who_am_i().await
    }

    fn setup(&self) -> Setup {
        self.set_up_as()
    }

    async fn webhook_endpoints(&self) -> Result<Vec<WebhookEndpoint>> {
        self.registered_endpoints().await
    }

    fn sample_webhooks(&self, _: Timestamp) -> Vec<WebhookRequest> {
        self.verifier.samples()
    }

    async fn verify_webhook(
        &self,
        request: &WebhookRequest,
        now: Timestamp,
    ) -> Result<Vec<Notice<M>>, WebhookRefusal> {
        self.verifier.verify(request, now)
    }
}

fn begun<'a>(
    request: &CreateRequest,
    reference: &'a Reference,
    key: &'a IdempotencyKey,
) -> Begun<'a> {
    Begun {
        reference,
        capture: request.capture,
        amount: request.amount.money(),
        key,
    }
}

fn capabilities(multiple_captures: bool) -> Capabilities {
    let capabilities = Capabilities::new(&[
        Operation::CreateHosted,
        Operation::CreateEmbedded,
        Operation::CreateDirect,
        Operation::Capture,
        Operation::Void,
        Operation::Refund,
        Operation::Account,
        Operation::VerifyWebhook,
    ])
    .with_partial_capture()
    .with_voidable_checkouts()
    .with_partial_refunds()
    .with_idempotent_writes(KEY_RETENTION)
    .with_webhook_authenticity(Authenticity::Facts);
    if multiple_captures {
        return capabilities.with_multiple_captures();
    }
    capabilities
}
