//! A provider with a defect planted between it and the cashier.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use counterfoil::capability::{Capabilities, Operation};
use counterfoil::capture::Change;
use counterfoil::clock::Timestamp;
use counterfoil::dispute::Dispute;
use counterfoil::id::RefundId;
use counterfoil::id::{EventId, IdempotencyKey, PaymentId, PayoutId, ProviderName, Reference};
use counterfoil::payment::Payment;
use counterfoil::payout::{Payout, PayoutLine};
use counterfoil::refund::Refund;
use counterfoil::request::{
    CaptureRequest, CompleteRequest, CreateRequest, Cursor, Page, Period, RefundRequest,
};
use counterfoil::webhook::{EventKind, Notice, WebhookRefusal, WebhookRequest};
use counterfoil::{Effect, Error, ErrorKind, PaymentProvider, Result, Test};

use super::defect::Defect;

/// What all processes of a run remember of webhooks, to see which come again.
#[derive(Debug, Default)]
pub struct Repetitions(Mutex<(BTreeSet<String>, u64)>);

/// A provider with a defect, if there is one.
#[derive(Debug)]
pub struct Mutant {
    inner: Arc<dyn PaymentProvider<Mode = Test>>,
    capabilities: Capabilities,
    defect: Option<Defect>,
    repetitions: Arc<Repetitions>,
}

impl Mutant {
    pub fn new(
        inner: Arc<dyn PaymentProvider<Mode = Test>>,
        defect: Option<Defect>,
        searches: bool,
        repetitions: Arc<Repetitions>,
    ) -> Self {
        let mut capabilities = inner.capabilities().clone();
        if !searches || defect == Some(Defect::KeyReusedAfterADay) {
            capabilities = capabilities.without(Operation::FindPayments);
            if defect == Some(Defect::KeyReusedAfterADay) {
                capabilities.key_retention = Duration::from_secs(30 * 86_400);
            }
        }
        Self {
            inner,
            capabilities,
            defect,
            repetitions,
        }
    }

    fn written<T>(&self, outcome: Result<T>) -> Result<T> {
        outcome.map_err(|error| {
            let is_unknown = error.effect() == Effect::Unknown;
            match self.defect {
                Some(Defect::GivingUpMeansFailed) if is_unknown => {
                    Error::new(ErrorKind::InvalidRequest, "no answer, so it has failed")
                        .with_effect(Effect::NotApplied)
                }
                _ => error,
            }
        })
    }

    /// Makes what comes again look like something new.
    fn count_again(&self, mut notice: Notice<Test>) -> Notice<Test> {
        let Notice::Event(event) = &mut notice else {
            return notice;
        };
        let mut seen = self
            .repetitions
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if seen.0.insert(event.id.to_string()) {
            return notice;
        }
        seen.1 += 1;
        let renamed = |raw: &str| format!("{raw}_{}", seen.1);
        event.id = EventId::new(event.id.provider().clone(), &renamed(event.id.raw())).unwrap();
        if let EventKind::Refund(refund) = &mut event.kind {
            let raw = renamed(refund.id.raw());
            refund.id = RefundId::new(refund.id.provider().clone(), &raw).unwrap();
        }
        notice
    }
}

#[async_trait]
impl PaymentProvider for Mutant {
    type Mode = Test;

    fn name(&self) -> &ProviderName {
        self.inner.name()
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn create(
        &self,
        request: &CreateRequest,
        reference: &Reference,
        key: &IdempotencyKey,
    ) -> Result<Payment<Test>> {
        self.written(self.inner.create(request, reference, key).await)
    }

    async fn fetch_payment(&self, id: &PaymentId<Test>) -> Result<Payment<Test>> {
        self.inner.fetch_payment(id).await
    }

    async fn find_payments(&self, reference: &Reference) -> Result<Vec<Payment<Test>>> {
        self.inner.find_payments(reference).await
    }

    async fn list_payments(
        &self,
        period: &Period,
        after: Option<&Cursor>,
    ) -> Result<Page<Payment<Test>>> {
        self.inner.list_payments(period, after).await
    }

    async fn complete(
        &self,
        request: &CompleteRequest<Test>,
        key: &IdempotencyKey,
    ) -> Result<Payment<Test>> {
        self.written(self.inner.complete(request, key).await)
    }

    async fn capture(
        &self,
        request: &CaptureRequest<Test>,
        key: &IdempotencyKey,
    ) -> Result<Change<Test>> {
        self.written(self.inner.capture(request, key).await)
    }

    async fn void(&self, id: &PaymentId<Test>, key: &IdempotencyKey) -> Result<Change<Test>> {
        self.written(self.inner.void(id, key).await)
    }

    async fn refund(
        &self,
        request: &RefundRequest<Test>,
        key: &IdempotencyKey,
    ) -> Result<Refund<Test>> {
        self.written(self.inner.refund(request, key).await)
    }

    async fn fetch_refund(&self, id: &RefundId<Test>) -> Result<Refund<Test>> {
        self.inner.fetch_refund(id).await
    }

    async fn list_refunds(
        &self,
        payment: &PaymentId<Test>,
        after: Option<&Cursor>,
    ) -> Result<Page<Refund<Test>>> {
        self.inner.list_refunds(payment, after).await
    }

    async fn list_disputes(
        &self,
        period: &Period,
        after: Option<&Cursor>,
    ) -> Result<Page<Dispute<Test>>> {
        self.inner.list_disputes(period, after).await
    }

    async fn list_payouts(
        &self,
        period: &Period,
        after: Option<&Cursor>,
    ) -> Result<Page<Payout<Test>>> {
        self.inner.list_payouts(period, after).await
    }

    async fn list_payout_lines(
        &self,
        payout: &PayoutId<Test>,
        after: Option<&Cursor>,
    ) -> Result<Page<PayoutLine<Test>>> {
        self.inner.list_payout_lines(payout, after).await
    }

    async fn verify_webhook(
        &self,
        request: &WebhookRequest,
        now: Timestamp,
    ) -> Result<Vec<Notice<Test>>, WebhookRefusal> {
        let notices = self.inner.verify_webhook(request, now).await?;
        if self.defect != Some(Defect::NoDeduplication) {
            return Ok(notices);
        }
        let counted = notices.into_iter().map(|notice| self.count_again(notice));
        Ok(counted.collect())
    }
}
