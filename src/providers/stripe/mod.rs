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
//! is looked for by its command before it is asked for, so repeating a refund stays safe for ever.
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
mod payment;
mod webhook;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use config::StripeConfig;
pub use webhook::{SIGNATURE_HEADER, sign};

use self::client::{Client, Form, page_of, pair};
use self::convert::unexpected;
use self::webhook::Verifier;
use self::wire::{List, Object};
use crate::capability::{Capabilities, Operation};
use crate::clock::{Clock, Timestamp};
use crate::dispute::Dispute;
use crate::error::{Error, ErrorKind, Result};
use crate::handle::Provider;
use crate::id::{
    IdempotencyKey, Namespace, PaymentId, PayoutId, ProviderName, Reference, RefundId,
};
use crate::mode::{Live, Mode, ModeKind, Test};
use crate::money::PositiveMoney;
use crate::payment::{Payment, PaymentStatus};
use crate::payout::{Payout, PayoutLine};
use crate::provider::PaymentProvider;
use crate::refund::Refund;
use crate::registry::{Configured, Settings};
use crate::request::{
    Account, CaptureRequest, Checkout, CreateRequest, Cursor, Page, Period, RefundReason,
    RefundRequest,
};
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
    /// [`ErrorKind::Settings`] if this machine cannot speak TLS.
    pub fn new(config: StripeConfig<M>) -> Result<Self> {
        Ok(Self {
            name: config.name.clone(),
            capabilities: capabilities(),
            client: Client::new(&config)?,
            verifier: Verifier::new(&config),
            clock: config.clock,
        })
    }

    /// The provider that a host holds, for the installation `namespace`.
    #[must_use]
    pub fn into_provider(self, namespace: Namespace) -> Provider<M> {
        let clock = Arc::clone(&self.clock);
        Provider::new(self, namespace).with_clock(clock)
    }

    /// Follows an operation that Stripe refused because of the payment's state: if the payment is
    /// as it should be, it was done before.
    async fn settle(
        &self,
        operation: Operation,
        refused: Error,
        id: &str,
        is_done: impl FnOnce(&Payment<M>) -> bool,
    ) -> Result<Payment<M>> {
        if !error::is_out_of_state(&refused) {
            return Err(refused);
        }
        match self.fetch(operation, id).await {
            Ok(payment) if is_done(&payment) => Ok(payment),
            Ok(_) | Err(_) => Err(refused),
        }
    }

    /// Ends an unpaid checkout. A session refuses that without a code once it is complete.
    async fn expire(&self, session: &str, key: &IdempotencyKey) -> Result<Payment<M>> {
        let refused = match self.client.expire_session(session, key).await {
            Ok(answer) => {
                return self
                    .client
                    .read(&answer, |reader, object| reader.payment(&object));
            }
            Err(refused) if *refused.kind() == ErrorKind::InvalidRequest => refused,
            Err(error) => return Err(error),
        };
        let payment = self.fetch(Operation::Void, session).await?;
        match payment.status {
            PaymentStatus::Canceled | PaymentStatus::Expired => Ok(payment),
            PaymentStatus::Authorized => {
                let id = payment.id.clone();
                self.cancel(id.raw(), key).await
            }
            PaymentStatus::Captured => {
                let message = "the payment was captured: refund it";
                Err(Error::new(ErrorKind::Conflict, message).with_payment(&payment.id))
            }
            _ => Err(refused),
        }
    }

    async fn cancel(&self, intent: &str, key: &IdempotencyKey) -> Result<Payment<M>> {
        let is_gone = |payment: &Payment<M>| {
            matches!(
                payment.status,
                PaymentStatus::Canceled | PaymentStatus::Expired
            )
        };
        match self.client.cancel_intent(intent, key).await {
            Ok(answer) => self
                .client
                .read(&answer, |reader, object| reader.payment(&object)),
            Err(refused) => self.settle(Operation::Void, refused, intent, is_gone).await,
        }
    }

    /// The refund that was made under a command before, if one was. Stripe forgets keys after a
    /// day; a refund keeps its command.
    async fn refund_of_command(
        &self,
        request: &RefundRequest<M>,
        payment: &PaymentId<M>,
    ) -> Result<Option<Refund<M>>> {
        let mut after = None;
        loop {
            let page = self
                .refunds_page(Operation::Refund, payment.raw(), after.as_ref())
                .await?;
            let same = |refund: &Refund<M>| refund.command.as_ref() == Some(&request.command);
            if let Some(refund) = page.items.into_iter().find(same) {
                return Ok(Some(refund));
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(None),
            }
        }
    }

    async fn refunds_page(
        &self,
        operation: Operation,
        payment: &str,
        after: Option<&Cursor>,
    ) -> Result<Page<Refund<M>>> {
        let by = if payment.starts_with("pi_") {
            "payment_intent"
        } else {
            "charge"
        };
        let answer = self.client.refunds(operation, by, payment, after).await?;
        self.client.read(&answer, |reader, list: List<Object<'_>>| {
            let is_last_page = !list.has_more;
            let mut items = Vec::with_capacity(list.data.len());
            for (index, object) in list.data.iter().enumerate() {
                let is_oldest = is_last_page && index + 1 == list.data.len();
                if !payment::is_release(object, is_oldest) {
                    items.push(reader.refund(object)?);
                }
            }
            page_of(items, last_id(&list), list.has_more)
        })
    }
}

impl Stripe<Test> {
    /// Makes the provider that [`Registry`](crate::registry::Registry) settings describe, in either
    /// mode. The settings are `namespace`, `secret_key`, `webhook_secret`, and, if wanted,
    /// `webhook_secret_previous` and `account`.
    ///
    /// ```
    /// use counterfoil::providers::stripe::Stripe;
    /// use counterfoil::registry::{Registry, Settings};
    /// use counterfoil::ModeKind;
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
    /// [`ErrorKind::Settings`], naming every fault at once.
    pub fn configure(settings: Settings) -> Result<Configured> {
        match settings.mode() {
            ModeKind::Test => Ok(Configured::Test(provider::<Test>(settings)?)),
            ModeKind::Live => Ok(Configured::Live(provider::<Live>(settings)?)),
        }
    }
}

fn provider<M: Mode>(mut settings: Settings) -> Result<Provider<M>> {
    let namespace = settings.take("namespace");
    let config = StripeConfig::<M>::from_settings(&mut settings);
    let namespace = Namespace::new(namespace.expose());
    let mut faults: Vec<String> = Vec::new();
    if let Err(fault) = settings.finish() {
        faults.push(fault.to_string());
    }
    match (config, namespace) {
        (Ok(config), Ok(namespace)) if faults.is_empty() => {
            return Ok(Stripe::new(config)?.into_provider(namespace));
        }
        (config, namespace) => {
            faults.extend(
                config
                    .err()
                    .into_iter()
                    .flatten()
                    .map(|fault| fault.to_string()),
            );
            faults.extend(namespace.err().map(|fault| fault.to_string()));
        }
    }
    Err(Error::new(ErrorKind::Settings, faults.join("; ")))
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
        let answer = match &request.checkout {
            Checkout::Hosted {
                success_url,
                cancel_url,
            } => {
                let urls = (success_url.as_str(), cancel_url.as_str());
                let form = create::session_form(request, reference, urls, self.client.now())?;
                self.client.create_session(form, key).await?
            }
            Checkout::Direct {
                method,
                presence,
                return_url,
            } => {
                let with = (method, *presence);
                let form = create::intent_form(request, reference, with, return_url.as_deref())?;
                self.client.create_intent(form, key).await?
            }
        };
        self.client
            .read(&answer, |reader, object| reader.payment(&object))
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
            let items: Result<Vec<_>> = list.data.iter().map(|o| reader.payment(o)).collect();
            page_of(items?, last_id(&list), list.has_more)
        })
    }

    async fn capture(
        &self,
        request: &CaptureRequest<M>,
        key: &IdempotencyKey,
    ) -> Result<Payment<M>> {
        // Stripe takes no currency here, so the payment's own has to be looked at first.
        let held = self
            .fetch(Operation::Capture, request.payment.raw())
            .await?;
        check_currency(request.amount, &held)?;
        let is_held = held.status == PaymentStatus::Authorized;
        if is_held && request.amount.minor() > held.capturable.minor() {
            let message = format!(
                "{} is held, and {} was to be captured",
                held.capturable, request.amount
            );
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        let units = amount::to_part(request.amount)?;
        let mut form: Form = vec![pair("amount_to_capture", units.to_string())];
        if !request.is_final {
            form.push(pair("final_capture", "false"));
        }
        let id = held.id.raw();
        match self.client.capture_intent(id, form, key).await {
            Ok(answer) => self
                .client
                .read(&answer, |reader, object| reader.payment(&object)),
            Err(refused) => {
                let is_done = |now: &Payment<M>| now.captured == request.amount.money();
                self.settle(Operation::Capture, refused, id, is_done).await
            }
        }
    }

    async fn void(&self, id: &PaymentId<M>, key: &IdempotencyKey) -> Result<Payment<M>> {
        let payment = self.fetch(Operation::Void, id.raw()).await?;
        if payment.is_checkout {
            return self.expire(payment.id.raw(), key).await;
        }
        let intent = payment.id.raw();
        if payment.status != PaymentStatus::Authorized
            && let Some(session) = self.open_session_of(intent).await?
        {
            // An intent that a session owns ends with its session.
            return self.expire(session.raw(), key).await;
        }
        self.cancel(intent, key).await
    }

    async fn refund(&self, request: &RefundRequest<M>, key: &IdempotencyKey) -> Result<Refund<M>> {
        // Stripe takes no currency here either: it would be the payment's.
        let payment = self.fetch(Operation::Refund, request.payment.raw()).await?;
        check_currency(request.amount, &payment)?;
        if let Some(made) = self.refund_of_command(request, &payment.id).await? {
            return same_refund(made, request);
        }
        let units = amount::to_part(request.amount)?;
        let id = payment.id.raw();
        let by = if id.starts_with("pi_") {
            "payment_intent"
        } else {
            "charge"
        };
        let form = vec![
            pair(by, id),
            pair("amount", units.to_string()),
            pair("reason", refund_reason(request.reason)),
            pair(
                format!("metadata[{}]", wire::COMMAND_KEY),
                request.command.as_str(),
            ),
        ];
        let refused = match self.client.create_refund(form, key).await {
            Ok(answer) => {
                return self
                    .client
                    .read(&answer, |reader, object| reader.refund(&object));
            }
            Err(refused) if error::is_out_of_state(&refused) => refused,
            Err(error) => return Err(error),
        };
        match self.refund_of_command(request, &payment.id).await {
            Ok(Some(made)) => same_refund(made, request),
            Ok(None) | Err(_) => Err(refused),
        }
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
        let raw = payment.raw();
        if raw.starts_with("cs_") {
            // Refunds are listed by intent; a session without one has none.
            let payment = self.fetch(Operation::ListRefunds, raw).await?;
            if payment.is_checkout {
                return Ok(Page {
                    items: Vec::new(),
                    next: None,
                });
            }
            return self
                .refunds_page(Operation::ListRefunds, payment.id.raw(), after)
                .await;
        }
        self.refunds_page(Operation::ListRefunds, raw, after).await
    }

    async fn list_disputes(
        &self,
        period: &Period,
        after: Option<&Cursor>,
    ) -> Result<Page<Dispute<M>>> {
        let answer = self.client.disputes(period, after).await?;
        self.client.read(&answer, |reader, list: List<Object<'_>>| {
            let items: Result<Vec<_>> = list.data.iter().map(|o| reader.dispute(o)).collect();
            page_of(items?, last_id(&list), list.has_more)
        })
    }

    async fn list_payouts(
        &self,
        period: &Period,
        after: Option<&Cursor>,
    ) -> Result<Page<Payout<M>>> {
        let answer = self.client.payouts(period, after).await?;
        self.client.read(&answer, |reader, list: List<Object<'_>>| {
            let items: Result<Vec<_>> = list.data.iter().map(|o| reader.payout(o)).collect();
            page_of(items?, last_id(&list), list.has_more)
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
                let rows = list.data.iter().map(|row| reader.payout_line(payout, row));
                let items: Result<Vec<_>> = rows.filter_map(Result::transpose).collect();
                page_of(items?, list.data.last().map(|row| &*row.id), list.has_more)
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
                    let currencies: Result<Vec<_>> = codes
                        .map(|amount| convert::currency(&amount.currency))
                        .collect();
                    Ok((ModeKind::from_livemode(balance.livemode), currencies?))
                })?;
        let answer = self.client.account().await?;
        self.client.read(&answer, |_, account: wire::Account<'_>| {
            let mut read = Account::new(&account.id, mode);
            read.can_charge = account.charges_enabled;
            if let Some(code) = account.default_currency.as_deref() {
                currencies.push(convert::currency(code)?);
            }
            currencies.sort_unstable();
            currencies.dedup();
            read.currencies = currencies;
            Ok(read)
        })
    }

    async fn verify_webhook(
        &self,
        request: &WebhookRequest,
        now: Timestamp,
    ) -> Result<Vec<Notice<M>>, WebhookRefusal> {
        Ok(vec![self.verifier.verify(request, now)?])
    }
}

fn capabilities() -> Capabilities {
    Capabilities::new(&Operation::ALL)
        .with_multiple_captures()
        .with_partial_refunds()
        .with_idempotent_writes(Duration::from_secs(24 * 60 * 60))
}

fn check_currency<M: Mode>(asked: PositiveMoney, payment: &Payment<M>) -> Result<()> {
    let of_payment = payment.amount.currency();
    if asked.currency() == of_payment {
        return Ok(());
    }
    let message = format!("the payment is in {of_payment}, and {asked} was asked for");
    Err(Error::new(ErrorKind::InvalidRequest, message))
}

/// A command that was carried out before must have asked for the same.
fn same_refund<M: Mode>(made: Refund<M>, request: &RefundRequest<M>) -> Result<Refund<M>> {
    if made.amount == request.amount.money() {
        return Ok(made);
    }
    let message = format!(
        "this command refunded {} before, and {} is asked for now: take another command",
        made.amount, request.amount
    );
    Err(Error::new(ErrorKind::Conflict, message))
}

fn refund_reason(reason: RefundReason) -> &'static str {
    match reason {
        RefundReason::RequestedByShopper => "requested_by_customer",
        RefundReason::Duplicate => "duplicate",
        RefundReason::Fraud => "fraudulent",
    }
}

fn last_id<'l>(list: &'l List<Object<'_>>) -> Option<&'l str> {
    list.data.last()?.id.as_deref()
}
