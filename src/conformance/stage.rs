//! What the cases are told with: one provider, its rig, and the usual steps.

use std::cell::RefCell;
use std::fmt;
use std::pin::pin;

use futures_util::{Stream, TryStreamExt};
use http::HeaderMap;

use super::rig::{Booked, Fault, Happening, Rig, Shopper, Strikes, Unable};
use crate::capability::Operation;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::handle::Provider;
use crate::id::{CommandId, IdError, Namespace, OrderId, PaymentId, PayoutId, ProviderName};
use crate::id::{Reference, RefundId};
use crate::mode::Test;
use crate::money::{Currency, Money, MoneyError, PositiveMoney};
use crate::payment::{Payment, PaymentStatus};
use crate::refund::Refund;
use crate::request::{
    CaptureRequest, Checkout, CompleteRequest, CreateRequest, Period, RefundRequest,
};
use crate::webhook::{Event, WebhookRefusal, WebhookRefusalKind, WebhookRequest};

/// Whether a case was proven, and why not.
pub(crate) type Proof<T = ()> = Result<T, Stop>;

/// Why a case ended before its end.
pub(crate) enum Stop {
    /// The provider cannot do this, and that was seen to be refused.
    Refused(String),
    /// The provider promises nothing of the kind.
    Moot(String),
    /// It cannot be brought about where it is played.
    OutOfReach(String),
    /// The rig could not play its part.
    NotProven(String),
    /// The provider did not do what the case asks.
    Failed(String),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Refused(why)
        | Self::Moot(why)
        | Self::OutOfReach(why)
        | Self::NotProven(why)
        | Self::Failed(why)) = self;
        f.write_str(why)
    }
}

/// Ends a case as failed unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::conformance::stage::Stop::Failed(format!($($message)+)));
        }
    };
}
pub(crate) use ensure;

/// One provider and its rig, with nothing done yet.
pub(crate) struct Stage<'r> {
    pub(crate) rig: &'r dyn Rig,
    pub(crate) provider: Provider<Test>,
    pub(crate) inbox: Inbox,
}

/// The webhooks that have come, and what they said.
#[derive(Default)]
pub(crate) struct Inbox {
    pub(super) events: RefCell<Vec<Event<Test>>>,
    /// Those that no case has asked for yet.
    pub(super) unread: RefCell<Vec<WebhookRequest>>,
}

impl<'r> Stage<'r> {
    pub(crate) fn new(rig: &'r dyn Rig) -> Proof<Self> {
        let provider = rig.provider(&Namespace::new("shop")?);
        let inbox = Inbox::default();
        Ok(Self {
            rig,
            provider,
            inbox,
        })
    }

    pub(crate) fn supports(&self, operation: Operation) -> bool {
        self.provider.capabilities().supports(operation)
    }

    /// An amount of so many minor units, in euros or else the first currency that is taken.
    pub(crate) fn money(&self, minor: i64) -> Money {
        let taken = self.provider.capabilities().currencies.as_deref();
        let currency = match taken {
            Some([first, ..]) if !taken.is_some_and(|all| all.contains(&Currency::EUR)) => *first,
            _ => Currency::EUR,
        };
        Money::new(minor, currency)
    }

    /// Asks for so many minor units for an order, on a page or with a token of a shopper who pays.
    pub(crate) fn request(&self, order: &str, minor: i64) -> Proof<CreateRequest> {
        self.request_money(order, self.money(minor))
    }

    pub(crate) fn request_money(&self, order: &str, money: Money) -> Proof<CreateRequest> {
        let checkout = if self.hosts() {
            Checkout::hosted("https://shop.example/done", "https://shop.example/cart")
        } else {
            self.token(Shopper::Pays)?
        };
        Ok(CreateRequest::new(
            OrderId::new(order)?,
            PositiveMoney::new(money)?,
            checkout,
        ))
    }

    /// Whether payments begin on a page of the provider's, and not with a token.
    pub(crate) fn hosts(&self) -> bool {
        let by_token = self.supports(Operation::CreateDirect) && self.rig.prefers_tokens();
        self.supports(Operation::CreateHosted) && !by_token
    }

    /// Creates the payment of a request, and lets the shopper do the rest. Gives it as it then
    /// stands.
    pub(crate) async fn shop(
        &self,
        request: &CreateRequest,
        shopper: Shopper,
    ) -> Proof<Payment<Test>> {
        self.can_look().await?;
        let created = if self.hosts() {
            let created = self.provider.create(request).await?;
            self.act(&created, shopper)?;
            created
        } else {
            self.needs(Operation::CreateDirect).await?;
            let mut request = request.clone();
            request.checkout = self.token(shopper)?;
            let created = match self.provider.create(&request).await {
                Err(error) => match error.payment() {
                    Some(id) => self.look_for(&id).await?,
                    None => return Err(error.into()),
                },
                Ok(created) => created,
            };
            if created.status == PaymentStatus::ActionRequired {
                self.act(&created, shopper)?;
            }
            created
        };
        self.go_on(request, &created).await
    }

    /// Looks at a payment that the shopper has acted on, and completes it if it is only approved.
    pub(crate) async fn go_on(
        &self,
        request: &CreateRequest,
        created: &Payment<Test>,
    ) -> Proof<Payment<Test>> {
        let fetched = self.look(created).await?;
        if fetched.status != PaymentStatus::Approved {
            return Ok(fetched);
        }
        let complete = CompleteRequest::new(created.id.clone(), request.amount);
        let completed = self.provider.complete(&complete).await;
        let mut now = self.look(created).await?;
        match completed {
            Ok(_) => {}
            // Where the shopper may try again on the same payment, only the error tells.
            Err(error) => match error.decline() {
                Some(decline) => now.status = PaymentStatus::Failed(decline.clone()),
                None => return Err(error.into()),
            },
        }
        Ok(now)
    }

    /// A payment of the order `A-1` that the shopper has paid.
    pub(crate) async fn paid(&self, minor: i64) -> Proof<(CreateRequest, Payment<Test>)> {
        let request = self.request("A-1", minor)?;
        let payment = self.shop(&request, Shopper::Pays).await?;
        ensure!(
            payment.status == PaymentStatus::Captured,
            "the shopper paid, and the payment is {:?}",
            payment.status
        );
        Ok((request, payment))
    }

    /// A payment of the order `A-1` whose amount is held.
    pub(crate) async fn held(&self, minor: i64) -> Proof<(CreateRequest, Payment<Test>)> {
        self.needs(Operation::Capture).await?;
        let request = self.request("A-1", minor)?.with_manual_capture();
        let payment = self.shop(&request, Shopper::Pays).await?;
        Ok((request, payment))
    }

    pub(crate) fn is_offline(&self) -> bool {
        self.provider.capabilities().is_offline
    }

    /// Fails a provider that says that it is offline, and sends requests all the same.
    pub(crate) fn keeps_offline(&self) -> Proof {
        let sent = self.rig.requests();
        ensure!(
            !self.is_offline() || sent == 0,
            "the capabilities say that it is offline, and {sent} requests have reached the service"
        );
        Ok(())
    }

    /// Goes on if requests are sent, so that they can be lost on their way, under a key that can be
    /// wrong.
    pub(crate) fn needs_requests(&self) -> Proof {
        if !self.is_offline() {
            return Ok(());
        }
        Err(Stop::Moot("it is offline and sends no requests".into()))
    }

    pub(crate) fn act(&self, payment: &Payment<Test>, shopper: Shopper) -> Proof {
        match self.rig.shopper(payment, shopper) {
            Ok(()) => Ok(()),
            // What an offline provider can at least be told of is the payment.
            Err(Unable) if self.is_offline() && shopper != Shopper::Pays => Err(Stop::Moot(
                format!("it is offline, and nobody tells it that a shopper {shopper:?}"),
            )),
            Err(Unable) => {
                let message = format!("the rig has no shopper who {shopper:?}");
                Err(Stop::NotProven(message))
            }
        }
    }

    pub(crate) fn token(&self, shopper: Shopper) -> Proof<Checkout> {
        let token = self.rig.token(shopper);
        token.map_err(|Unable| {
            Stop::NotProven(format!("the rig has no token of a shopper who {shopper:?}"))
        })
    }

    /// Lets every write from now on meet a fault.
    pub(crate) fn fault_every_write(&self, fault: Fault) -> Proof {
        self.fault(fault, Strikes::Writes, usize::MAX)
    }

    pub(crate) fn fault(&self, fault: Fault, on: Strikes, requests: usize) -> Proof {
        self.needs_requests()?;
        let set = self.rig.fault(fault, on, requests);
        set.map_err(|Unable| Stop::NotProven(format!("the rig has no fault {fault:?}")))
    }

    /// Ends the faults of writes.
    pub(crate) fn mend(&self, fault: Fault) -> Proof {
        self.fault(fault, Strikes::Writes, 0)
    }

    /// The one payment that the service has for a request.
    pub(crate) fn booked(&self, request: &CreateRequest) -> Proof<Books> {
        let reference = self.provider.reference(request);
        let booked = self.rig.books(&reference);
        let [only] = booked.as_slice() else {
            let message = format!("the service has {} payments of {reference}", booked.len());
            return Err(Stop::Failed(message));
        };
        Books::read(only)
    }

    /// Refunds a part of a payment under a command, and gives the refund as it began.
    pub(crate) async fn refund(
        &self,
        payment: &Payment<Test>,
        minor: i64,
        command: &str,
    ) -> Proof<Result<Refund<Test>>> {
        let amount = PositiveMoney::new(Money::new(minor, payment.amount.currency()))?;
        let request = RefundRequest::new(payment.id.clone(), amount, CommandId::new(command)?);
        self.try_refund(&request).await
    }

    pub(crate) fn capture_request(
        &self,
        payment: &Payment<Test>,
        minor: i64,
        command: &str,
    ) -> Proof<CaptureRequest<Test>> {
        let amount = PositiveMoney::new(Money::new(minor, payment.amount.currency()))?;
        let command = CommandId::new(command)?;
        Ok(CaptureRequest::new(payment.id.clone(), amount, command))
    }

    /// Verifies every webhook that waits; each must be for this installation and mode.
    pub(crate) async fn deliver(&self) -> Proof<Vec<Event<Test>>> {
        self.verify(&self.webhooks()).await
    }

    pub(crate) async fn verify(&self, webhooks: &[WebhookRequest]) -> Proof<Vec<Event<Test>>> {
        let mut events = Vec::new();
        for webhook in webhooks {
            let delivery = self.provider.webhook(webhook).await?;
            ensure!(
                delivery.set_aside.is_empty(),
                "a notice of ours was set aside: {:?}",
                delivery.set_aside
            );
            events.extend(delivery.events);
        }
        Ok(events)
    }

    /// The last webhook of a payment that was paid.
    pub(crate) async fn genuine_webhook(&self) -> Proof<WebhookRequest> {
        self.needs(Operation::VerifyWebhook).await?;
        self.paid(2000).await?;
        let last = self.webhooks().pop();
        last.ok_or_else(|| Stop::NotProven("the rig sent no webhook of a paid payment".into()))
    }

    /// Lets something happen at the provider.
    pub(crate) fn happen(&self, happening: Happening<'_>) -> Proof {
        let happened = self.rig.happen(happening);
        happened.map_err(|Unable| {
            let what = format!("{happening:?}");
            let what = what.split('(').next().unwrap_or_default();
            if self.rig.keeps_books() {
                return Stop::NotProven(format!("in the rig it cannot happen that {what}"));
            }
            // A provider's own test mode has its own time, and shows no books.
            Stop::OutOfReach(format!(
                "{what} has not come about in the time that was waited"
            ))
        })
    }

    /// Goes on if a write that is sent again under its key is not done again.
    pub(crate) fn needs_idempotent_writes(&self) -> Proof {
        if self.provider.capabilities().idempotent_writes {
            return Ok(());
        }
        let why = "its writes are not idempotent: a host looks before it asks again";
        Err(Stop::Moot(why.into()))
    }

    /// Goes on if the provider can do it. If not, sees that it is refused, and ends the case.
    pub(crate) async fn needs(&self, operation: Operation) -> Proof {
        if self.supports(operation) {
            return Ok(());
        }
        self.sees_refusal(operation).await?;
        Err(Stop::Refused(operation.name().into()))
    }

    /// Asks for what the provider lacks: it must be refused with no request sent.
    pub(crate) async fn sees_refusal(&self, operation: Operation) -> Proof {
        let before = self.rig.requests();
        let error = match self.try_out(operation).await? {
            Ok(()) => {
                let message = format!("{operation} is not in the capabilities and was done");
                return Err(Stop::Failed(message));
            }
            Err(error) => error,
        };
        ensure!(
            *error.kind() == ErrorKind::Unsupported && error.effect() == Effect::NotApplied,
            "{operation} is not in the capabilities, and it ended in: {error}"
        );
        let sent = self.rig.requests() - before;
        ensure!(sent == 0, "{operation} was refused after {sent} requests");
        Ok(())
    }

    /// Asks for an operation with ids that no service has given.
    async fn try_out(&self, operation: Operation) -> Proof<Result<()>> {
        let provider = &self.provider;
        let name: ProviderName = provider.name().clone();
        let amount = PositiveMoney::new(self.money(100))?;
        let command = CommandId::new("command")?;
        let payment = PaymentId::<Test>::new(name.clone(), "none")?;
        let mut request = CreateRequest::new(
            OrderId::new("A-0")?,
            amount,
            Checkout::hosted("https://shop.example/done", "https://shop.example/cart"),
        );
        let reference: Reference = provider.reference(&request);
        Ok(match operation {
            Operation::CreateHosted => provider.create(&request).await.map(drop),
            Operation::CreateEmbedded => {
                request.checkout = Checkout::embedded("https://shop.example/done");
                provider.create(&request).await.map(drop)
            }
            Operation::CreateDirect => {
                request.checkout = Checkout::token("token", "https://shop.example/done");
                provider.create(&request).await.map(drop)
            }
            Operation::FetchPayment => provider.fetch_payment(&payment).await.map(drop),
            Operation::FindPayments => provider.find_payments(&reference).await.map(drop),
            Operation::ListPayments => none_of(provider.list_payments(Period::default())).await,
            Operation::Complete => {
                let request = CompleteRequest::new(payment, amount);
                provider.complete(&request).await.map(drop)
            }
            Operation::Capture => {
                let request = CaptureRequest::new(payment, amount, command);
                provider.capture(&request).await.map(drop)
            }
            Operation::Void => provider.void(&payment).await.map(drop),
            Operation::Refund => {
                let request = RefundRequest::new(payment, amount, command);
                provider.refund(&request).await.map(drop)
            }
            Operation::FetchRefund => {
                let id = RefundId::new(name, "none")?;
                provider.fetch_refund(&id).await.map(drop)
            }
            Operation::ListRefunds => none_of(provider.list_refunds(payment)).await,
            Operation::ListDisputes => none_of(provider.list_disputes(Period::default())).await,
            Operation::ListPayouts => none_of(provider.list_payouts(Period::default())).await,
            Operation::ListPayoutLines => {
                none_of(provider.list_payout_lines(PayoutId::new(name, "none")?)).await
            }
            Operation::Account => provider.account().await.map(drop),
            Operation::VerifyWebhook => {
                let request = WebhookRequest::new(HeaderMap::new(), "{}");
                let verified = provider.webhook(&request).await;
                verified.map(drop).map_err(Error::from)
            }
        })
    }
}

async fn none_of<T>(stream: impl Stream<Item = Result<T>>) -> Result<()> {
    pin!(stream).try_next().await.map(drop)
}

/// Reads a list to its end.
pub(crate) async fn all_of<T>(stream: impl Stream<Item = Result<T>>) -> Result<Vec<T>> {
    stream.try_collect().await
}

/// What a call was refused with; it must not have succeeded.
pub(crate) fn refusal<T>(what: &str, outcome: Result<T>) -> Proof<Error> {
    match outcome {
        Ok(_) => Err(Stop::Failed(format!("{what} was not refused"))),
        Err(error) => Ok(error),
    }
}

/// What became of a write that got no answer: either the provider found out by itself, or it says
/// that nobody knows.
pub(crate) fn is_in_doubt<T>(outcome: Result<T>) -> Proof {
    if let Err(error) = outcome {
        ensure!(
            error.effect() == Effect::Unknown && error.decline().is_none(),
            "no answer came, so nobody can know the outcome, and the error says: {error}"
        );
    }
    Ok(())
}

/// What a webhook was refused with; its answer must not read as a success.
pub(crate) fn webhook_refusal<T>(
    what: &str,
    outcome: Result<T, WebhookRefusal>,
) -> Proof<WebhookRefusal> {
    let Err(refusal) = outcome else {
        return Err(Stop::Failed(format!("{what} was accepted")));
    };
    ensure!(
        (400..600).contains(&refusal.answer()),
        "{what} was refused with the answer {}",
        refusal.answer()
    );
    ensure!(
        refusal.kind() != WebhookRefusalKind::Unsupported,
        "{what} was refused as unsupported, and the capabilities have webhooks"
    );
    Ok(refusal)
}

/// The service's own books, read as money.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Books {
    pub(crate) amount: Money,
    pub(crate) captured: Money,
    pub(crate) refunded: Money,
}

impl Books {
    pub(crate) fn read(booked: &Booked) -> Proof<Self> {
        let currency = Currency::from_code(&booked.currency)?;
        let read = |decimal: &str| Money::parse_decimal(decimal, currency);
        Ok(Self {
            amount: read(&booked.amount)?,
            captured: read(&booked.captured)?,
            refunded: read(&booked.refunded)?,
        })
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<WebhookRefusal> for Stop {
    fn from(refusal: WebhookRefusal) -> Self {
        Self::Failed(format!("a genuine notice was refused: {refusal}"))
    }
}

impl From<MoneyError> for Stop {
    fn from(error: MoneyError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<IdError> for Stop {
    fn from(error: IdError) -> Self {
        Self::Failed(error.to_string())
    }
}
