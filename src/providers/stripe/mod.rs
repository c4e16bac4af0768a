//! Stripe: Checkout Sessions and PaymentIntents, API version `2026-08-26.dahlia`.
//!
//! | operation | how |
//! |---|---|
//! | create hosted | a Checkout Session in payment mode |
//! | create direct | a PaymentIntent, confirmed at once, with a token or a saved method |
//! | fetch payment | by the id of an intent, a session or a charge |
//! | find payments | lists of the last 25 hours, and the search for what is older |
//! | list payments | PaymentIntents; a checkout that nobody began to pay is not among them |
//! | capture | in part; in several parts where the account has multicapture |
//! | void | cancels a hold, or expires the session |
//! | refund | in part, repeatedly |
//! | fetch and list refunds, list disputes, list payouts | as Stripe lists them |
//! | list payout lines | of automatic payouts, once Stripe has reconciled them |
//! | account | `GET /v1/account`, and `GET /v1/balance` for the mode |
//! | verify webhook | snapshot events; the signature covers the body |
//!
//! A Checkout Session and the PaymentIntent that it makes are one [`Payment`]: its id is the
//! session's until there is an intent, and the intent's from then on. The session and the charges
//! stand among the aliases. The reference is kept in the metadata of both.
//!
//! Keys are remembered for at least 24 hours. Within that time an unknown outcome is settled by
//! [`find_payments`](crate::Provider::find_payments) exactly: it reads lists, which show a payment
//! at once. Of older payments it finds the PaymentIntents, by the search, which lags behind by
//! about a minute; a session of which nothing became has expired by then and is not found. A refund
//! is looked for by its command before it is asked for, so repeating a refund stays safe for ever. A
//! capture that keeps the rest leaves no such mark: after 24 hours look at the payment before you
//! repeat it, as the cashier does.
//!
//! Sources: <https://docs.stripe.com/api>, <https://docs.stripe.com/api/idempotent_requests>,
//! <https://docs.stripe.com/search#data-freshness>, and those that each part names.

#![cfg(feature = "stripe")]

mod amount;
mod client;
mod config;
mod convert;
mod create;
mod decline;
mod error;
mod find;
mod hold;
mod payment;
mod refunds;
mod setup;
mod unreadable;
mod webhook;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use config::{KIND, StripeConfig};
pub use webhook::{SIGNATURE_HEADER, sign};

use self::client::{Client, next_of};
use self::webhook::Verifier;
use self::wire::{List, Object};
use crate::capability::{Capabilities, Operation, unsupported};
use crate::capture::Change;
use crate::clock::{Clock, Timestamp};
use crate::dispute::Dispute;
use crate::error::Result;
use crate::handle::Provider;
use crate::http::ApiResponse;
use crate::id::{
    IdempotencyKey, Namespace, PaymentId, PayoutId, ProviderName, Reference, RefundId,
};
use crate::mode::{Mode, ModeKind, Test};
use crate::payment::Payment;
use crate::payout::{Payout, PayoutLine};
use crate::provider::PaymentProvider;
use crate::refund::Refund;
use crate::registry::{Configured, Settings};
use crate::request::{
    Account, CaptureRequest, Checkout, CreateRequest, Cursor, Page, Period, RefundRequest,
};
use crate::setup::{Setup, WebhookEndpoint};
use crate::webhook::{Notice, WebhookRefusal, WebhookRequest};

/// Stripe, for one account in mode `M`.
///
/// ```
/// use counterfoil::id::Namespace;
/// use counterfoil::providers::stripe::{Stripe, StripeConfig};
/// use counterfoil::{Provider, Test};
///
/// let config = StripeConfig::<Test>::new("sk_test_1", "whsec_1")?;
/// let provider: Provider<Test> = Stripe::new(config)?.into_provider(Namespace::new("shop")?);
/// # Ok::<(), counterfoil::Error>(())
/// ```
#[derive(Debug)]
pub struct Stripe<M: Mode> {
    name: ProviderName,
    capabilities: Capabilities,
    client: Client<M>,
    verifier: Verifier<M>,
    clock: Arc<dyn Clock>,
}

impl<M: Mode> Stripe<M> {
    /// Stripe as configured. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`](crate::ErrorKind::Settings) if this machine cannot speak TLS.
    pub fn new(config: StripeConfig<M>) -> Result<Self> {
        Ok(Self {
            name: config.name.clone(),
            capabilities: capabilities(),
            client: Client::new(&config)?,
            verifier: Verifier::new(&config),
            clock: config.wiring.clock,
        })
    }

    /// The provider that a host holds, for the installation `namespace`.
    #[must_use]
    pub fn into_provider(self, namespace: Namespace) -> Provider<M> {
        let clock = Arc::clone(&self.clock);
        Provider::new(self, namespace).with_clock(clock)
    }

    /// Reads the payment that a write answered with. An answer that Stripe kept from the first time
    /// tells how things stood then, so the payment is looked at again.
    async fn payment_now(&self, operation: Operation, answer: &ApiResponse) -> Result<Payment<M>> {
        let payment: Payment<M> = self
            .client
            .read(answer, |reader, object| reader.payment(&object))?;
        if !client::is_replayed(answer) {
            return Ok(payment);
        }
        // What was written stands even if it cannot be looked at now.
        let then = Payment {
            as_of: payment.created_at,
            ..payment.clone()
        };
        Ok(self
            .fetch(operation, payment.id.raw())
            .await
            .unwrap_or(then))
    }
}

impl Stripe<Test> {
    /// Makes the provider that [`Registry`](crate::registry::Registry) settings describe, in the
    /// mode that they are for. [`KIND`] tells which settings there are.
    ///
    /// ```
    /// use counterfoil::ModeKind;
    /// use counterfoil::providers::stripe::Stripe;
    /// use counterfoil::registry::{Registry, Settings};
    ///
    /// let registry = Registry::new().with("stripe", Stripe::configure);
    /// let values = [
    ///     ("namespace", "shop"),
    ///     ("secret_key", "sk_test_1"),
    ///     ("webhook_secret", "whsec_1"),
    /// ];
    /// let configured = registry.configure("stripe", Settings::new(ModeKind::Test, values))?;
    /// assert_eq!(configured.mode(), ModeKind::Test);
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
impl<M: Mode> PaymentProvider for Stripe<M> {
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
        let (operation, answer) = match &request.checkout {
            Checkout::Hosted {
                success_url,
                cancel_url,
            } => {
                let urls = (success_url.as_str(), cancel_url.as_str());
                let form = create::session_form(request, reference, urls, self.client.now())?;
                (
                    Operation::CreateHosted,
                    self.client.create_session(form, key).await?,
                )
            }
            Checkout::Embedded { .. } => {
                return Err(unsupported("Stripe's embedded checkout is not made here"));
            }
            Checkout::Direct {
                method,
                presence,
                return_url,
            } => {
                let with = (method, *presence);
                let form = create::intent_form(request, reference, with, return_url.as_deref())?;
                (
                    Operation::CreateDirect,
                    self.client.create_intent(form, key).await?,
                )
            }
        };
        self.payment_now(operation, &answer).await
    }

    async fn fetch_payment(&self, id: &PaymentId<M>) -> Result<Payment<M>> {
        self.fetch(Operation::FetchPayment, id.raw()).await
    }

    async fn find_payments(&self, reference: &Reference) -> Result<Vec<Payment<M>>> {
        self.find(reference).await
    }

    async fn list_payments(
        &self,
        period: &Period,
        after: Option<&Cursor>,
    ) -> Result<Page<Payment<M>>> {
        let answer = self
            .client
            .intents(Operation::ListPayments, period, after)
            .await?;
        self.client.read(&answer, |reader, list: List<Object<'_>>| {
            each_of(&list, |object| reader.payment(object), after)
        })
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
        self.client
            .read(&answer, |reader, object| reader.refund(&object))
    }

    async fn list_refunds(
        &self,
        payment: &PaymentId<M>,
        after: Option<&Cursor>,
    ) -> Result<Page<Refund<M>>> {
        self.refunds_of(payment, after).await
    }

    async fn list_disputes(
        &self,
        period: &Period,
        after: Option<&Cursor>,
    ) -> Result<Page<Dispute<M>>> {
        let answer = self.client.disputes(period, after).await?;
        self.client.read(&answer, |reader, list: List<Object<'_>>| {
            each_of(&list, |object| reader.dispute(object), after)
        })
    }

    async fn list_payouts(
        &self,
        period: &Period,
        after: Option<&Cursor>,
    ) -> Result<Page<Payout<M>>> {
        let answer = self.client.payouts(period, after).await?;
        self.client.read(&answer, |reader, list: List<Object<'_>>| {
            each_of(&list, |object| reader.payout(object), after)
        })
    }

    async fn list_payout_lines(
        &self,
        payout: &PayoutId<M>,
        after: Option<&Cursor>,
    ) -> Result<Page<PayoutLine<M>>> {
        if after.is_none() {
            self.check_lines_complete(payout).await?;
        }
        let answer = self.client.payout_transactions(payout.raw(), after).await?;
        self.client.read(
            &answer,
            |reader, list: List<wire::BalanceTransaction<'_>>| {
                let rows = list.data.iter().filter_map(|row| {
                    let read = reader.payout_line(payout, row).transpose()?;
                    Some((&*row.id, read))
                });
                let last = list.data.last().map(|row| &*row.id);
                Page::of_each(rows, next_of(last, list.has_more, after)?)
            },
        )
    }

    async fn account(&self) -> Result<Account> {
        // The account itself does not tell the mode; its balance does.
        let answer = self.client.balance().await?;
        let (mode, mut currencies) =
            self.client
                .read(&answer, |reader, balance: wire::Balance<'_>| {
                    reader.check_mode(Some(balance.livemode))?;
                    let codes = balance.available.iter();
                    let known = codes.filter_map(|amount| convert::currency(&amount.currency).ok());
                    Ok((
                        ModeKind::from_livemode(balance.livemode),
                        known.collect::<Vec<_>>(),
                    ))
                })?;
        let answer = self.client.account().await?;
        let answered_at = answer.date();
        self.client.read(&answer, |_, account: wire::Account<'_>| {
            let mut read = Account::new(&account.id, mode);
            read.can_charge = account.charges_enabled;
            let default = account.default_currency.as_deref();
            currencies.extend(default.and_then(|code| convert::currency(code).ok()));
            currencies.sort_unstable();
            currencies.dedup();
            read.currencies = currencies;
            read.answered_at = answered_at;
            Ok(read)
        })
    }

    fn setup(&self) -> Setup {
        self.set_up_as()
    }

    async fn webhook_endpoints(&self) -> Result<Vec<WebhookEndpoint>> {
        self.registered_endpoints().await
    }

    fn sample_webhooks(&self, now: Timestamp) -> Vec<WebhookRequest> {
        self.verifier.samples(now)
    }

    async fn verify_webhook(
        &self,
        request: &WebhookRequest,
        now: Timestamp,
    ) -> Result<Vec<Notice<M>>, WebhookRefusal> {
        Ok(vec![self.verifier.verify(request, now)?])
    }
}

fn from_settings<M: Mode>(settings: Settings) -> Result<Provider<M>> {
    let (config, namespace) = StripeConfig::from_settings(settings)?;
    Ok(Stripe::new(config)?.into_provider(namespace))
}

fn capabilities() -> Capabilities {
    // What a shopper pays is taken or held at once, with nothing left to complete.
    Capabilities::new(&Operation::ALL)
        .without(Operation::CreateEmbedded)
        .without(Operation::Complete)
        .with_multiple_captures()
        .with_voidable_checkouts()
        .with_partial_refunds()
        .with_idempotent_writes(Duration::from_secs(24 * 60 * 60))
}

/// Each object of a list as `read` reads it.
fn each_of<'a, T>(
    list: &List<Object<'a>>,
    read: impl Fn(&Object<'a>) -> Result<T>,
    after: Option<&Cursor>,
) -> Result<Page<T>> {
    let next = next_of(last_id(list), list.has_more, after)?;
    let each = list.data.iter();
    Page::of_each(each.map(|object| (name_of(object), read(object))), next)
}

fn name_of<'o>(object: &'o Object<'_>) -> &'o str {
    object.id.as_deref().unwrap_or("unnamed")
}

fn last_id<'l>(list: &'l List<Object<'_>>) -> Option<&'l str> {
    list.data.last()?.id.as_deref()
}
