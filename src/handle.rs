//! What a host holds: a provider with every check applied once.

mod look;
mod pages;
mod prove;
mod sent;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures_util::Stream;
use tracing::Instrument;
use tracing::field::Empty;

use self::sent::SentKeys;
use crate::capability::{Capabilities, Operation, unsupported};
use crate::capture::Change;
use crate::clock::{Clock, SystemClock};
use crate::dispute::Dispute;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::id::{
    IdempotencyKey, Namespace, PaymentId, PayoutId, ProviderName, Reference, RefundId,
};
use crate::mode::Mode;
use crate::money::{Money, PositiveMoney};
use crate::payment::{Payment, PaymentStatus};
use crate::payout::{Payout, PayoutLine};
use crate::provider::PaymentProvider;
use crate::refund::Refund;
use crate::request::{
    Account, CaptureMode, CaptureRequest, Checkout, CompleteRequest, CreateRequest, Period,
    RefundRequest,
};
use crate::telemetry::{
    PAYMENT_PROVIDER, TARGET, WEBHOOK_RECEIVED, WEBHOOK_REFUSED, WEBHOOK_SET_ASIDE, within,
};
use crate::webhook::{
    Delivery, Event, MAX_BODY_BYTES, Notice, WebhookRefusal, WebhookRefusalKind, WebhookRequest,
};

/// A payment service provider in mode `M`, as a host uses it.
///
/// Every write gets its idempotency key here, computed from what it is for; what the provider
/// cannot do is refused before anything is sent; and an answer is compared with what was asked: the
/// amount and currency of a write, the reference of a creation, the id of what is fetched. Clones
/// share everything.
///
/// A thing in a list that cannot be read comes as an error that names it ([`Error::item`]), behind
/// what else is on its page, and the list goes on behind it. Any other error ends a list.
#[derive(Clone)]
pub struct Provider<M: Mode> {
    inner: Arc<dyn PaymentProvider<Mode = M>>,
    namespace: Namespace,
    clock: Arc<dyn Clock>,
    sent: Arc<SentKeys>,
}

impl<M: Mode> Provider<M> {
    /// Wraps a provider for the installation `namespace`.
    ///
    /// Two installations on one account, such as staging and production or two shops, must have
    /// two namespaces.
    pub fn new(provider: impl PaymentProvider<Mode = M>, namespace: Namespace) -> Self {
        Self {
            inner: Arc::new(provider),
            namespace,
            clock: Arc::new(SystemClock),
            sent: Arc::default(),
        }
    }

    /// Uses another clock than the machine's to judge the age of webhooks.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    #[cfg(feature = "rehearsal")]
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// The name under which ids of this provider are stored.
    #[must_use]
    pub fn name(&self) -> &ProviderName {
        self.inner.name()
    }

    /// What it can do.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    /// The installation that its references name.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The reference that a creation request will be known by.
    #[must_use]
    pub fn reference(&self, request: &CreateRequest) -> Reference {
        Reference {
            namespace: self.namespace.clone(),
            order: request.order.clone(),
            attempt: request.attempt,
        }
    }

    /// Begins a payment. What the shopper must do next stands in [`Payment::next_action`].
    ///
    /// Asking again for the same order, attempt and amount gives the same payment, while the
    /// provider remembers the key ([`Capabilities::key_retention`]). After an error with
    /// [`Effect::Unknown`], look with [`find_payments`](Self::find_payments) before anything else.
    ///
    /// # Errors
    /// [`ErrorKind::Declined`] with the payment in [`Error::payment`] if it was refused at once;
    /// [`ErrorKind::Conflict`] if this attempt was begun with another amount.
    pub async fn create(&self, request: &CreateRequest) -> Result<Payment<M>> {
        let operation = match request.checkout {
            Checkout::Hosted { .. } => Operation::CreateHosted,
            Checkout::Embedded { .. } => Operation::CreateEmbedded,
            Checkout::Direct { .. } => Operation::CreateDirect,
        };
        let reference = self.reference(request);
        let key = IdempotencyKey::for_creation(&reference);
        self.run(operation, async {
            if request.capture == CaptureMode::Manual {
                self.capabilities().require(Operation::Capture)?;
            }
            self.capabilities().require_currency(request.amount)?;
            request.check(M::KIND)?;
            let created = self.inner.create(request, &reference, &key);
            let payment = self.sent.guard(&key, request.amount, created).await?;
            // The money may be taken: the host must learn by which payment.
            check_amount(request.amount, payment.amount)
                .and_then(|()| check_reference(&reference, payment.reference.as_ref()))
                .map_err(|wrong| wrong.with_payment(&payment.id))?;
            Ok(payment)
        })
        .await
    }

    /// Fetches a payment by its id or any of its aliases.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none, [`ErrorKind::Conflict`] if it belongs to another
    /// installation.
    pub async fn fetch_payment(&self, id: &PaymentId<M>) -> Result<Payment<M>> {
        self.run(Operation::FetchPayment, async {
            self.check_name(id.provider())?;
            let payment = self.inner.fetch_payment(id).await?;
            if !payment.ids().any(|its| its == id) {
                return Err(another(id));
            }
            self.check_ours(payment)
        })
        .await
    }

    /// Finds every payment that was created under this reference; none is an empty list.
    ///
    /// This is how an unknown outcome is resolved. More than one means that an attempt was charged
    /// twice.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if the provider cannot search,
    /// [`ErrorKind::UnexpectedResponse`] if it gives what was not searched for.
    pub async fn find_payments(&self, reference: &Reference) -> Result<Vec<Payment<M>>> {
        self.run(Operation::FindPayments, async {
            let found = self.inner.find_payments(reference).await?;
            let mut references = found.iter().map(|payment| payment.reference.as_ref());
            if !references.all(|its| its == Some(reference)) {
                return Err(another(reference));
            }
            Ok(found)
        })
        .await
    }

    /// Lists payments made in a period, newest first, page by page as the stream is read. Those of
    /// other installations on the account are among them: see [`Payment::reference`].
    pub fn list_payments(&self, period: Period) -> impl Stream<Item = Result<Payment<M>>> + '_ {
        self.pages(Operation::ListPayments, move |after| async move {
            self.inner.list_payments(&period, after.as_ref()).await
        })
    }

    /// Goes on with a payment that the shopper has approved
    /// ([`PaymentStatus::Approved`]): takes the amount, or holds it, as was asked at creation.
    ///
    /// Nothing has moved until then, so look first whether the order still wants to be paid.
    /// Completing again gives the same payment.
    ///
    /// # Errors
    /// [`ErrorKind::Declined`] with the payment in [`Error::payment`] if it was refused;
    /// [`ErrorKind::Conflict`] if nobody has approved it; [`ErrorKind::InvalidRequest`] for another
    /// amount than it was created with.
    pub async fn complete(&self, request: &CompleteRequest<M>) -> Result<Payment<M>> {
        let key = self.command_key("complete", &request.payment, "");
        self.run(Operation::Complete, async {
            self.check_name(request.payment.provider())?;
            let completed = self.inner.complete(request, &key);
            let payment = self.sent.guard(&key, request.amount, completed).await?;
            check_amount(request.amount, payment.amount)
                .and_then(|()| check_captured(request.amount, &payment))
                .map_err(|wrong| wrong.with_payment(&payment.id))?;
            if let PaymentStatus::Failed(decline) = &payment.status {
                let kind = ErrorKind::Declined(decline.clone());
                let declined = Error::new(kind, "the payment was refused");
                return Err(declined.with_payment(&payment.id));
            }
            Ok(payment)
        })
        .await
    }

    /// Takes a held amount, or a part of it. Some providers only receive the request, and tell by
    /// webhook what came of it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] for more than is held, [`ErrorKind::Conflict`] if this command
    /// was sent with another amount.
    pub async fn capture(&self, request: &CaptureRequest<M>) -> Result<Change<M>> {
        let key = self.command_key("capture", &request.payment, request.command.as_str());
        self.run(Operation::Capture, async {
            self.check_name(request.payment.provider())?;
            if !request.is_final && !self.capabilities().multiple_captures {
                return Err(unsupported(
                    "this provider captures once: make the capture final",
                ));
            }
            let captured = self.inner.capture(request, &key);
            let change = self.sent.guard(&key, request.amount, captured).await?;
            if let Change::Made(payment) = &change {
                check_captured(request.amount, payment)?;
            }
            Ok(change)
        })
        .await
    }

    /// Lets a held amount go, or ends an unpaid checkout. Some providers only receive the request,
    /// and tell by webhook what came of it.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if it was captured: refund it.
    pub async fn void(&self, id: &PaymentId<M>) -> Result<Change<M>> {
        let key = self.command_key("void", id, "");
        self.run(Operation::Void, async {
            self.check_name(id.provider())?;
            self.inner.void(id, &key).await
        })
        .await
    }

    /// Gives money back. The same command again gives the same refund; a second refund of the same
    /// amount needs another command.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] for more than is left, [`ErrorKind::Conflict`] if this command
    /// was sent with another amount. After [`Effect::Unknown`], look with
    /// [`list_refunds`](Self::list_refunds) before anything else.
    pub async fn refund(&self, request: &RefundRequest<M>) -> Result<Refund<M>> {
        let key = self.command_key("refund", &request.payment, request.command.as_str());
        self.run(Operation::Refund, async {
            self.check_name(request.payment.provider())?;
            let refunded = self.inner.refund(request, &key);
            let refund = self.sent.guard(&key, request.amount, refunded).await?;
            check_amount(request.amount, refund.amount)?;
            Ok(refund)
        })
        .await
    }

    /// Fetches a refund by its id.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none.
    pub async fn fetch_refund(&self, id: &RefundId<M>) -> Result<Refund<M>> {
        self.run(Operation::FetchRefund, async {
            self.check_name(id.provider())?;
            let refund = self.inner.fetch_refund(id).await?;
            if refund.id != *id {
                return Err(another(id));
            }
            Ok(refund)
        })
        .await
    }

    /// Lists the refunds of a payment, those made in the provider's dashboard among them.
    pub fn list_refunds(&self, id: PaymentId<M>) -> impl Stream<Item = Result<Refund<M>>> + '_ {
        let id = Arc::new(id);
        self.pages(Operation::ListRefunds, move |after| {
            let id = Arc::clone(&id);
            async move {
                self.check_name(id.provider())?;
                self.inner.list_refunds(&id, after.as_ref()).await
            }
        })
    }

    /// Lists disputes opened in a period, newest first.
    pub fn list_disputes(&self, period: Period) -> impl Stream<Item = Result<Dispute<M>>> + '_ {
        self.pages(Operation::ListDisputes, move |after| async move {
            self.inner.list_disputes(&period, after.as_ref()).await
        })
    }

    /// Lists payouts made in a period, newest first.
    pub fn list_payouts(&self, period: Period) -> impl Stream<Item = Result<Payout<M>>> + '_ {
        self.pages(Operation::ListPayouts, move |after| async move {
            self.inner.list_payouts(&period, after.as_ref()).await
        })
    }

    /// Lists the lines of a payout: gross, fee, net, and what each is for.
    pub fn list_payout_lines(
        &self,
        id: PayoutId<M>,
    ) -> impl Stream<Item = Result<PayoutLine<M>>> + '_ {
        let id = Arc::new(id);
        self.pages(Operation::ListPayoutLines, move |after| {
            let id = Arc::clone(&id);
            async move {
                self.check_name(id.provider())?;
                self.inner.list_payout_lines(&id, after.as_ref()).await
            }
        })
    }

    /// Says whose account it is and whether it can charge.
    ///
    /// # Errors
    /// [`ErrorKind::WrongMode`] if the provider answers in the other mode.
    pub async fn account(&self) -> Result<Account> {
        self.run(Operation::Account, async {
            let account = self.inner.account().await?;
            if account.mode != M::KIND {
                let message = "the credentials open an account of the other mode";
                return Err(Error::new(ErrorKind::WrongMode, message));
            }
            Ok(account)
        })
        .await
    }

    /// Verifies a webhook. Store the events of the [`Delivery`], then give its answer.
    ///
    /// # Errors
    /// A [`WebhookRefusal`]: act on nothing, and give its [`answer`](WebhookRefusal::answer).
    pub async fn webhook(&self, request: &WebhookRequest) -> Result<Delivery<M>, WebhookRefusal> {
        let span = self.span(Operation::VerifyWebhook);
        let verified = self.verified(request).instrument(span.clone()).await;
        let outcome = verified.as_ref().err().map(|refusal| refusal.kind().name());
        span.record("outcome", outcome.unwrap_or("ok"));
        span.in_scope(|| self.tell_of(&verified));
        verified
    }

    async fn verified(&self, request: &WebhookRequest) -> Result<Delivery<M>, WebhookRefusal> {
        if request.body().len() > MAX_BODY_BYTES {
            let hint = "the body is larger than any notice: it was not looked at";
            return Err(WebhookRefusal::new(WebhookRefusalKind::TooLarge, hint));
        }
        let notices = self.inner.verify_webhook(request, self.clock.now()).await?;
        let mut delivery = Delivery {
            events: Vec::with_capacity(notices.len()),
            set_aside: vec![],
            rejected: vec![],
        };
        for notice in notices {
            match notice.within(&self.namespace) {
                Notice::Event(draft) => delivery.events.push(Event::from_verified(draft)),
                Notice::SetAside(set_aside) => delivery.set_aside.push(set_aside),
                Notice::Rejected(refusal) => delivery.rejected.push(refusal),
            }
        }
        if delivery.events.is_empty()
            && delivery.set_aside.is_empty()
            && let Some(refusal) = delivery.rejected.pop()
        {
            return Err(refusal);
        }
        Ok(delivery)
    }

    fn tell_of(&self, verified: &Result<Delivery<M>, WebhookRefusal>) {
        let (provider, mode) = (self.name().as_str(), M::KIND.as_str());
        let delivery = match verified {
            Ok(delivery) => delivery,
            Err(refusal) => {
                let reason = refusal.kind().name();
                tracing::warn!(
                    name: WEBHOOK_REFUSED,
                    target: TARGET,
                    provider,
                    mode,
                    reason,
                    "webhook refused"
                );
                return;
            }
        };
        for refusal in &delivery.rejected {
            let reason = refusal.kind().name();
            tracing::warn!(
                name: WEBHOOK_REFUSED,
                target: TARGET,
                provider,
                mode,
                reason,
                "webhook refused"
            );
        }
        for event in &delivery.events {
            let kind = event.kind().name();
            tracing::info!(
                name: WEBHOOK_RECEIVED,
                target: TARGET,
                provider,
                mode,
                kind,
                "webhook received"
            );
        }
        for notice in &delivery.set_aside {
            let reason = notice.reason.name();
            tracing::warn!(
                name: WEBHOOK_SET_ASIDE,
                target: TARGET,
                provider,
                mode,
                reason,
                "webhook set aside"
            );
        }
    }

    /// Refuses what the provider lacks, then runs it in its span and names it in its error.
    async fn run<T>(
        &self,
        operation: Operation,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let checked = async {
            self.capabilities().require(operation)?;
            work.await
        };
        let outcome = within(self.span(operation), checked).await;
        outcome.map_err(|error| error.in_operation(self.name(), operation))
    }

    fn span(&self, operation: Operation) -> tracing::Span {
        tracing::info_span!(
            target: TARGET,
            PAYMENT_PROVIDER,
            provider = self.name().as_str(),
            mode = M::KIND.as_str(),
            operation = operation.name(),
            outcome = Empty,
            effect = Empty,
        )
    }

    fn command_key(&self, operation: &str, id: &PaymentId<M>, command: &str) -> IdempotencyKey {
        IdempotencyKey::for_command(operation, &self.namespace, id, command)
    }

    fn check_name(&self, name: &ProviderName) -> Result<()> {
        if name == self.name() {
            return Ok(());
        }
        let message = format!("the id belongs to the provider {name}: ask that one");
        Err(Error::new(ErrorKind::InvalidRequest, message))
    }

    fn check_ours(&self, payment: Payment<M>) -> Result<Payment<M>> {
        match &payment.reference {
            Some(reference) if reference.namespace != self.namespace => {
                let message = "the payment belongs to another installation on this account";
                Err(Error::new(ErrorKind::Conflict, message))
            }
            _ => Ok(payment),
        }
    }
}

impl<M: Mode> fmt::Debug for Provider<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider")
            .field("name", self.name())
            .field("mode", &M::KIND)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

fn another(asked: &impl fmt::Display) -> Error {
    let message = format!("{asked} was asked for, and the answer is about another");
    Error::new(ErrorKind::UnexpectedResponse, message)
}

fn check_amount(asked: PositiveMoney, answered: Money) -> Result<()> {
    if asked.money() == answered {
        return Ok(());
    }
    let message = format!("{asked} was asked for and the provider answered {answered}");
    Err(Error::new(ErrorKind::UnexpectedResponse, message).with_effect(Effect::Applied))
}

/// A provider may capture later than it answers, and in parts; it must not take more than the
/// payment is for, nor less than was asked once it says that it has captured.
fn check_captured<M: Mode>(asked: PositiveMoney, payment: &Payment<M>) -> Result<()> {
    let captured = payment.captured;
    let too_much = captured.minor() > payment.amount.minor();
    let too_little = payment.status == PaymentStatus::Captured && captured.minor() < asked.minor();
    if captured.currency() == asked.currency() && !too_much && !too_little {
        return Ok(());
    }
    let message =
        format!("a capture of {asked} was asked for and the provider has captured {captured}");
    Err(Error::new(ErrorKind::UnexpectedResponse, message).with_effect(Effect::Applied))
}

fn check_reference(asked: &Reference, answered: Option<&Reference>) -> Result<()> {
    if answered == Some(asked) {
        return Ok(());
    }
    let message = "the provider's answer does not carry the reference that it was given";
    Err(Error::new(ErrorKind::UnexpectedResponse, message).with_effect(Effect::Applied))
}
