//! What the provider has told: how a payment stands where it can be fetched, and where it cannot.

use super::stage::{Proof, Stage, Stop};
use crate::capability::Operation;
use crate::capture::{Capture, CaptureStatus, Change};
use crate::error::{Error, ErrorKind, Result};
use crate::id::PaymentId;
use crate::ledger::Ledger;
use crate::mode::Test;
use crate::money::Money;
use crate::payment::{Payment, PaymentStatus};
use crate::refund::{Refund, RefundStatus};
use crate::request::{CaptureRequest, RefundRequest};
use crate::webhook::{Event, EventKind, WebhookRequest};

impl Stage<'_> {
    /// The webhooks sent since this was last asked, in the order of what happened.
    pub(crate) fn webhooks(&self) -> Vec<WebhookRequest> {
        let mut webhooks = self.inbox.unread.take();
        webhooks.extend(self.rig.webhooks());
        webhooks
    }

    /// Goes on if it can be known how a payment stands. If not, sees that fetching is refused, and
    /// ends the case.
    pub(crate) async fn can_look(&self) -> Proof {
        if self.supports(Operation::VerifyWebhook) {
            return Ok(());
        }
        self.needs(Operation::FetchPayment).await
    }

    /// How a payment stands now: fetched, or else added up from the notices of it.
    pub(crate) async fn look(&self, payment: &Payment<Test>) -> Proof<Payment<Test>> {
        if self.supports(Operation::FetchPayment) {
            return Ok(self.provider.fetch_payment(&payment.id).await?);
        }
        let mut known = payment.clone();
        // What was refunded is added up from the notices.
        known.refunded = Money::zero(known.amount.currency());
        self.listen().await?;
        let mut ledger = Ledger::new();
        ledger.add_payment(known)?;
        self.told_of(ledger)
    }

    /// As [`look`](Self::look), of a payment of which only the name is known.
    pub(crate) async fn look_for(&self, id: &PaymentId<Test>) -> Proof<Payment<Test>> {
        if self.supports(Operation::FetchPayment) {
            return Ok(self.provider.fetch_payment(id).await?);
        }
        self.listen().await?;
        let mut ledger = Ledger::new();
        {
            let events = self.inbox.events.borrow();
            let mut payments = events.iter().filter_map(Event::payment);
            match payments.find(|payment| payment.ids().any(|known| known == id)) {
                Some(payment) => ledger.add_payment(payment.clone())?,
                None => return Err(Stop::Failed(format!("no notice tells of {id}"))),
            }
        }
        self.told_of(ledger)
    }

    /// Captures, and waits for the notice where the provider only receives the request.
    pub(crate) async fn capture(
        &self,
        request: &CaptureRequest<Test>,
    ) -> Proof<Result<Payment<Test>>> {
        let name = match self.provider.capture(request).await {
            Err(error) => return Ok(Err(error)),
            Ok(Change::Made(payment)) => return Ok(Ok(*payment)),
            Ok(Change::Received { request, .. }) => request,
        };
        self.listen().await?;
        let told = self.told_captures().into_iter();
        let its = told.filter(|capture| *capture.id.raw() == *name);
        match its.reduce(Capture::join).map(|capture| capture.status) {
            Some(CaptureStatus::Succeeded) => Ok(Ok(self.look_for(&request.payment).await?)),
            Some(CaptureStatus::Refused | CaptureStatus::Reversed) => Ok(Err(refused_later())),
            other => Err(Stop::Failed(format!(
                "a capture was received, and the notices say {other:?}"
            ))),
        }
    }

    /// Voids, and waits for the notice where the provider only receives the request.
    pub(crate) async fn void(&self, payment: &Payment<Test>) -> Proof<Result<Payment<Test>>> {
        match self.provider.void(&payment.id).await {
            Err(error) => return Ok(Err(error)),
            Ok(Change::Made(payment)) => return Ok(Ok(*payment)),
            Ok(Change::Received { .. }) => {}
        }
        let now = self.look(payment).await?;
        let is_over = matches!(now.status, PaymentStatus::Canceled | PaymentStatus::Expired);
        Ok(if is_over {
            Ok(now)
        } else {
            Err(refused_later())
        })
    }

    /// Refunds; a refund that the next notice calls refused is one.
    pub(crate) async fn try_refund(
        &self,
        request: &RefundRequest<Test>,
    ) -> Proof<Result<Refund<Test>>> {
        let refund = match self.provider.refund(request).await {
            Ok(refund) if refund.status == RefundStatus::Pending => refund,
            answered => return Ok(answered),
        };
        if self.supports(Operation::FetchRefund) {
            return Ok(Ok(refund));
        }
        let now = self.look_at_refund(&refund).await?;
        Ok(match now.status {
            RefundStatus::Failed => Err(refused_later()),
            _ => Ok(refund),
        })
    }

    /// How a refund stands now: fetched, or else as the notices say.
    pub(crate) async fn look_at_refund(&self, refund: &Refund<Test>) -> Proof<Refund<Test>> {
        if self.supports(Operation::FetchRefund) {
            return Ok(self.provider.fetch_refund(&refund.id).await?);
        }
        self.listen().await?;
        let events = self.inbox.events.borrow();
        let told = events.iter().filter_map(|event| match event.kind() {
            EventKind::Refund(told) if told.id == refund.id => Some(Refund::clone(told)),
            _ => None,
        });
        Ok(told.fold(refund.clone(), Refund::join))
    }

    /// Hears every webhook that has come since.
    pub(crate) async fn listen(&self) -> Proof {
        let webhooks = self.rig.webhooks();
        let events = self.verify(&webhooks).await?;
        self.inbox.events.borrow_mut().extend(events);
        self.inbox.unread.borrow_mut().extend(webhooks);
        Ok(())
    }

    fn told_captures(&self) -> Vec<Capture<Test>> {
        let events = self.inbox.events.borrow();
        let captures = events.iter().filter_map(|event| match event.kind() {
            EventKind::Capture(capture) => Some(Capture::clone(capture)),
            _ => None,
        });
        captures.collect()
    }

    /// The payment of a ledger with all that was told of it taken in.
    fn told_of(&self, mut ledger: Ledger<Test>) -> Proof<Payment<Test>> {
        let events = self.inbox.events.borrow();
        for told in events.iter().filter_map(Event::payment) {
            if ledger.payment().is_some_and(|known| known.is_same_as(told)) {
                ledger.add_payment(told.clone())?;
            }
        }
        let Some(payment) = ledger.payment().cloned() else {
            return Err(Stop::Failed("nothing was told of the payment".into()));
        };
        let is_its = |id: &PaymentId<Test>| payment.ids().any(|known| known == id);
        for event in events.iter() {
            let of = match event.kind() {
                EventKind::Capture(capture) => &capture.payment,
                EventKind::Refund(refund) => &refund.payment,
                EventKind::Dispute(dispute) => &dispute.payment,
                _ => continue,
            };
            if is_its(of) {
                ledger.apply(event)?;
            }
        }
        let refunded = ledger.refunded()?;
        let now = ledger.payment().cloned().unwrap_or(payment);
        Ok(Payment { refunded, ..now })
    }
}

fn refused_later() -> Error {
    let message = "it was received, and refused by the notice of it";
    Error::new(ErrorKind::Conflict, message)
}
