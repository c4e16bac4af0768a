//! PayPal: Orders v2 and Payments v2.
//!
//! | operation | how |
//! |---|---|
//! | create hosted | an order, to be approved on PayPal's page |
//! | create direct | – |
//! | fetch payment | by the id of an order, an authorization or a capture |
//! | find payments | – PayPal finds no order by its reference |
//! | list payments | the transaction search, each payment fetched; an order that nobody paid is not among them |
//! | complete | captures or authorizes the order that the shopper has approved |
//! | capture | in part, and in several parts |
//! | void | lets a hold go; an order that nobody has paid lapses by itself |
//! | refund | in part, repeatedly, of one capture at a time |
//! | fetch and list refunds, list disputes | as PayPal has them |
//! | list payouts | withdrawals in the transaction search |
//! | list payout lines | – PayPal settles to its own balance, and a withdrawal has no lines |
//! | account | the balances |
//! | verify webhook | with PayPal's certificate; the signature covers a checksum of the body only |
//!
//! An approval moves no money: the payment is then
//! [`Approved`](crate::payment::PaymentStatus::Approved), and
//! [`complete`](crate::Provider::complete) takes or holds the amount. An order, its authorization
//! and its captures are one [`Payment`], called by the order's id; the others stand among its
//! aliases. The reference is the order's `custom_id`, which every capture repeats, and its
//! `invoice_id`, by which PayPal refuses to take the same attempt twice, as long as the account's
//! settings block repeated invoice ids.
//!
//! Keys are remembered for six hours for orders and 45 days for what is done with them. An order
//! whose creation got no answer holds no money and cannot be approved by anybody: create it again.
//! A capture or refund whose answer was lost is looked for before it is asked for again, by the
//! mark that it carries, so repeating it stays safe for ever.
//!
//! PayPal tells the mode nowhere but in the hosts of its links: they are checked, and credentials
//! of the other mode are refused by the host that they are sent to.
//!
//! A dispute that was lost counts what was taken from the seller to settle it, or what the payer was
//! given, where PayPal says it, and else all that was disputed: that it always says so is not
//! verified. A part that went back of a capture is told by its order alone; without that the payment
//! stands as [`Unrecognized`](crate::payment::PaymentStatus::Unrecognized).
//!
//! Not checked again for this version: how long an order can be approved (three hours, or 72 where
//! the shopper has agreed before), and what the codes of banks mean.
//!
//! Sources: PayPal's OpenAPI descriptions, <https://developer.paypal.com/docs/api/orders/v2/>,
//! <https://developer.paypal.com/docs/api/payments/v2/>, and those that each part names.

#![cfg(feature = "paypal")]

mod amount;
mod approval;
mod certificate;
mod client;
mod config;
mod convert;
mod create;
mod decline;
mod dispute;
mod error;
mod find;
mod hold;
mod payment;
mod refunds;
mod report;
mod setup;
mod token;
mod webhook;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use config::{KIND, PayPalConfig, PayPalCredentials, WebhookCheck};

use self::client::Client;
use self::convert::unexpected;
use self::webhook::Verifier;
use crate::capability::{Capabilities, Operation, unsupported};
use crate::capture::Change;
use crate::clock::{Clock, Timestamp};
use crate::dispute::Dispute;
use crate::error::Result;
use crate::handle::Provider;
use crate::id::{IdempotencyKey, Namespace, PaymentId, ProviderName, Reference, RefundId};
use crate::mode::{Mode, ModeKind, Test};
use crate::money::Currency;
use crate::payment::Payment;
use crate::payout::Payout;
use crate::provider::PaymentProvider;
use crate::refund::Refund;
use crate::registry::{Configured, Settings};
use crate::request::{
    Account, CaptureRequest, Checkout, CompleteRequest, CreateRequest, Cursor, Page, Period,
    RefundRequest,
};
use crate::setup::{Setup, WebhookEndpoint};
use crate::webhook::{Authenticity, Notice, WebhookRefusal, WebhookRequest};

/// PayPal, for one account in mode `M`. Clones share the token and the connections.
///
/// ```
/// use counterfoil::id::Namespace;
/// use counterfoil::providers::paypal::{PayPal, PayPalConfig, PayPalCredentials};
/// use counterfoil::{Provider, Test};
///
/// let sandbox =
///     PayPalCredentials::sandbox("client-id", "client-secret", "1JE4291016473214C")?;
/// let paypal = PayPal::new(PayPalConfig::new(sandbox))?;
/// let provider: Provider<Test> = paypal.into_provider(Namespace::new("shop")?);
/// # Ok::<(), counterfoil::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PayPal<M: Mode> {
    name: ProviderName,
    capabilities: Capabilities,
    client: Client<M>,
    verifier: Arc<Verifier<M>>,
    clock: Arc<dyn Clock>,
}

impl<M: Mode> PayPal<M> {
    /// PayPal as configured. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`](crate::ErrorKind::Settings) if this machine cannot speak TLS.
    pub fn new(config: PayPalConfig<M>) -> Result<Self> {
        let name = match &config.name {
            Some(name) => name.clone(),
            None => ProviderName::new("paypal")?,
        };
        Ok(Self {
            capabilities: capabilities(),
            client: Client::new(&config, &name)?,
            verifier: Arc::new(Verifier::new(&config, &name)?),
            clock: config.wiring.clock,
            name,
        })
    }

    /// The provider that a host holds, for the installation `namespace`.
    #[must_use]
    pub fn into_provider(self, namespace: Namespace) -> Provider<M> {
        let clock = Arc::clone(&self.clock);
        Provider::new(self, namespace).with_clock(clock)
    }
}

impl PayPal<Test> {
    /// Makes the provider that [`Registry`](crate::registry::Registry) settings describe, in the
    /// mode that they are for. [`KIND`] tells which settings there are.
    ///
    /// ```
    /// use counterfoil::ModeKind;
    /// use counterfoil::providers::paypal::PayPal;
    /// use counterfoil::registry::{Registry, Settings};
    ///
    /// let registry = Registry::new().with("paypal", PayPal::configure);
    /// let values = [
    ///     ("namespace", "shop"),
    ///     ("client_id", "client-id"),
    ///     ("client_secret", "client-secret"),
    ///     ("webhook_id", "1JE4291016473214C"),
    /// ];
    /// let configured = registry.configure("paypal", Settings::new(ModeKind::Live, values))?;
    /// assert_eq!(configured.mode(), ModeKind::Live);
    /// # Ok::<(), counterfoil::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Settings`](crate::ErrorKind::Settings), naming every fault at once.
    pub fn configure(settings: Settings) -> Result<Configured> {
        Ok(match settings.mode() {
            ModeKind::Test => Configured::Test(from_settings(settings)?),
            ModeKind::Live => Configured::Live(from_settings(settings)?),
        })
    }
}

#[async_trait]
impl<M: Mode> PaymentProvider for PayPal<M> {
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
        let Checkout::Hosted {
            success_url,
            cancel_url,
        } = &request.checkout
        else {
            return Err(unsupported("PayPal begins payments on its own page only"));
        };
        let urls = (success_url.as_str(), cancel_url.as_str());
        let body = create::order_body(request, reference, urls)?;
        let answer = self.client.create_order(&body, key).await?;
        self.client
            .read(&answer, |reader, order: wire::Order| reader.order(&order))
    }

    async fn fetch_payment(&self, id: &PaymentId<M>) -> Result<Payment<M>> {
        let found = self.fetch(Operation::FetchPayment, id.raw()).await?;
        Ok(found.payment)
    }

    async fn list_payments(
        &self,
        period: &Period,
        after: Option<&Cursor>,
    ) -> Result<Page<Payment<M>>> {
        self.payments_page(period, after).await
    }

    async fn complete(
        &self,
        request: &CompleteRequest<M>,
        _key: &IdempotencyKey,
    ) -> Result<Payment<M>> {
        self.complete_approved(request).await
    }

    async fn capture(
        &self,
        request: &CaptureRequest<M>,
        _key: &IdempotencyKey,
    ) -> Result<Change<M>> {
        self.take_held(request).await.map(Change::from)
    }

    async fn void(&self, id: &PaymentId<M>, _key: &IdempotencyKey) -> Result<Change<M>> {
        self.let_go(id).await.map(Change::from)
    }

    async fn refund(&self, request: &RefundRequest<M>, _key: &IdempotencyKey) -> Result<Refund<M>> {
        self.give_back(request).await
    }

    async fn fetch_refund(&self, id: &RefundId<M>) -> Result<Refund<M>> {
        let answer = self.client.refund(id.raw()).await?;
        self.client.read(&answer, |reader, refund: wire::Refund| {
            reader.refund(&refund)
        })
    }

    async fn list_refunds(
        &self,
        payment: &PaymentId<M>,
        _after: Option<&Cursor>,
    ) -> Result<Page<Refund<M>>> {
        self.refunds_of(payment).await
    }

    async fn list_disputes(
        &self,
        period: &Period,
        after: Option<&Cursor>,
    ) -> Result<Page<Dispute<M>>> {
        self.disputes_page(period, after).await
    }

    async fn list_payouts(
        &self,
        period: &Period,
        after: Option<&Cursor>,
    ) -> Result<Page<Payout<M>>> {
        self.payouts_page(period, after).await
    }

    /// The mode is that of the host which took the credentials: the two share none.
    async fn account(&self) -> Result<Account> {
        let answer = self.client.balances().await?;
        let answered_at = answer.date();
        self.client.read(&answer, |_, balances: wire::Balances| {
            let id = balances.account_id.as_deref();
            let id = id.ok_or_else(|| unexpected("PayPal's answer has no account_id"))?;
            let mut account = Account::new(id, M::KIND);
            let codes = balances.balances.iter().map(|balance| &balance.currency);
            let known = codes.filter_map(|code| Currency::from_code(code).ok());
            account.currencies = known.collect();
            account.currencies.sort_unstable();
            account.answered_at = answered_at;
            Ok(account)
        })
    }

    fn setup(&self) -> Setup {
        self.set_up_as()
    }

    async fn webhook_endpoints(&self) -> Result<Vec<WebhookEndpoint>> {
        self.registered_endpoints().await
    }

    async fn verify_webhook(
        &self,
        request: &WebhookRequest,
        now: Timestamp,
    ) -> Result<Vec<Notice<M>>, WebhookRefusal> {
        let notice = self.verifier.verify(request, now, &self.client).await?;
        Ok(vec![notice])
    }
}

fn from_settings<M: Mode>(settings: Settings) -> Result<Provider<M>> {
    let (config, namespace) = PayPalConfig::from_settings(settings)?;
    Ok(PayPal::new(config)?.into_provider(namespace))
}

fn capabilities() -> Capabilities {
    let operations = [
        Operation::CreateHosted,
        Operation::FetchPayment,
        Operation::ListPayments,
        Operation::Complete,
        Operation::Capture,
        Operation::Void,
        Operation::Refund,
        Operation::FetchRefund,
        Operation::ListRefunds,
        Operation::ListDisputes,
        Operation::ListPayouts,
        Operation::Account,
        Operation::VerifyWebhook,
    ];
    Capabilities::new(&operations)
        .with_multiple_captures()
        .with_partial_refunds()
        .with_currencies(&amount::currencies())
        .with_idempotent_writes(Duration::from_secs(6 * 60 * 60))
        .with_webhook_authenticity(Authenticity::HeaderOnly)
}
