//! What a provider's implementor writes.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::capability::{Capabilities, unsupported};
use crate::capture::Change;
use crate::clock::Timestamp;
use crate::dispute::Dispute;
use crate::error::Result;
use crate::id::{IdempotencyKey, PaymentId, PayoutId, ProviderName, Reference, RefundId};
use crate::mode::Mode;
use crate::payment::Payment;
use crate::payout::{Payout, PayoutLine};
use crate::refund::Refund;
use crate::request::{
    Account, CaptureRequest, CompleteRequest, CreateRequest, Cursor, Page, Period, RefundRequest,
};
use crate::setup::{Setup, WebhookEndpoint};
use crate::webhook::{Notice, WebhookRefusal, WebhookRefusalKind, WebhookRequest};

/// A payment service provider, from the implementor's side.
///
/// Hosts hold a [`Provider`](crate::Provider) instead, which checks capabilities, computes keys
/// and compares each answer with what was asked, once for all providers.
///
/// An implementor says in [`capabilities`](Self::capabilities) what it can do and implements those
/// methods; the handle never calls the others. Every answer must be checked to be of mode
/// [`Self::Mode`] before it becomes a value here, and a failure whose outcome is not known must be
/// an error with [`Effect::Unknown`](crate::Effect::Unknown). One thing in a list that cannot be
/// read must not take the others with it: see [`Page::of_each`].
#[async_trait]
pub trait PaymentProvider: Debug + Send + Sync + 'static {
    /// The mode of its credentials. One type has one mode.
    type Mode: Mode;

    /// The name under which its ids are stored.
    fn name(&self) -> &ProviderName;

    /// What it can do.
    fn capabilities(&self) -> &Capabilities;

    /// Begins a payment. Sent again under the same key, it begins no second one.
    async fn create(
        &self,
        request: &CreateRequest,
        reference: &Reference,
        key: &IdempotencyKey,
    ) -> Result<Payment<Self::Mode>> {
        let _ = (request, reference, key);
        Err(lacks("create"))
    }

    /// Fetches a payment by its id or any of its aliases.
    async fn fetch_payment(&self, id: &PaymentId<Self::Mode>) -> Result<Payment<Self::Mode>> {
        let _ = id;
        Err(lacks("fetch payment"))
    }

    /// Finds every payment that was created under this reference; none is an empty list.
    async fn find_payments(&self, reference: &Reference) -> Result<Vec<Payment<Self::Mode>>> {
        let _ = reference;
        Err(lacks("find payments"))
    }

    /// Lists payments made in a period, newest first.
    async fn list_payments(
        &self,
        period: &Period,
        after: Option<&Cursor>,
    ) -> Result<Page<Payment<Self::Mode>>> {
        let _ = (period, after);
        Err(lacks("list payments"))
    }

    /// Takes what the shopper has approved, or holds it, as was asked at creation. Only for a
    /// provider where an approval moves no money by itself. A payment that was completed before is
    /// given as it is now; one that nobody has approved is a conflict, and so is another amount.
    async fn complete(
        &self,
        request: &CompleteRequest<Self::Mode>,
        key: &IdempotencyKey,
    ) -> Result<Payment<Self::Mode>> {
        let _ = (request, key);
        Err(lacks("complete"))
    }

    /// Takes a held amount, or asks for that.
    async fn capture(
        &self,
        request: &CaptureRequest<Self::Mode>,
        key: &IdempotencyKey,
    ) -> Result<Change<Self::Mode>> {
        let _ = (request, key);
        Err(lacks("capture"))
    }

    /// Lets a held amount go, or ends an unpaid checkout, or asks for that.
    async fn void(
        &self,
        id: &PaymentId<Self::Mode>,
        key: &IdempotencyKey,
    ) -> Result<Change<Self::Mode>> {
        let _ = (id, key);
        Err(lacks("void"))
    }

    /// Gives money back.
    async fn refund(
        &self,
        request: &RefundRequest<Self::Mode>,
        key: &IdempotencyKey,
    ) -> Result<Refund<Self::Mode>> {
        let _ = (request, key);
        Err(lacks("refund"))
    }

    /// Fetches a refund by its id.
    async fn fetch_refund(&self, id: &RefundId<Self::Mode>) -> Result<Refund<Self::Mode>> {
        let _ = id;
        Err(lacks("fetch refund"))
    }

    /// Lists the refunds of a payment.
    async fn list_refunds(
        &self,
        payment: &PaymentId<Self::Mode>,
        after: Option<&Cursor>,
    ) -> Result<Page<Refund<Self::Mode>>> {
        let _ = (payment, after);
        Err(lacks("list refunds"))
    }

    /// Lists disputes opened in a period, newest first.
    async fn list_disputes(
        &self,
        period: &Period,
        after: Option<&Cursor>,
    ) -> Result<Page<Dispute<Self::Mode>>> {
        let _ = (period, after);
        Err(lacks("list disputes"))
    }

    /// Lists payouts made in a period, newest first.
    async fn list_payouts(
        &self,
        period: &Period,
        after: Option<&Cursor>,
    ) -> Result<Page<Payout<Self::Mode>>> {
        let _ = (period, after);
        Err(lacks("list payouts"))
    }

    /// Lists the lines of a payout, the transfer itself left out.
    async fn list_payout_lines(
        &self,
        payout: &PayoutId<Self::Mode>,
        after: Option<&Cursor>,
    ) -> Result<Page<PayoutLine<Self::Mode>>> {
        let _ = (payout, after);
        Err(lacks("list payout lines"))
    }

    /// Says whose account it is and whether it can charge, and proves that it is of this mode.
    async fn account(&self) -> Result<Account> {
        Err(lacks("account"))
    }

    /// How it is set up, without its secrets. What is left out, a preflight cannot vouch for.
    fn setup(&self) -> Setup {
        Setup::new("")
    }

    /// Lists where the provider posts webhooks for these credentials.
    async fn webhook_endpoints(&self) -> Result<Vec<WebhookEndpoint>> {
        Err(lacks("list of webhook endpoints"))
    }

    /// Webhooks about nothing, signed at `now` by each of the configured secrets in turn, as the
    /// provider would sign them. None if it signs with a key of its own.
    fn sample_webhooks(&self, now: Timestamp) -> Vec<WebhookRequest> {
        let _ = now;
        Vec::new()
    }

    /// Verifies a webhook: nothing in it may be believed before its signature holds at `now`.
    async fn verify_webhook(
        &self,
        request: &WebhookRequest,
        now: Timestamp,
    ) -> Result<Vec<Notice<Self::Mode>>, WebhookRefusal> {
        let _ = (request, now);
        let hint = "this provider sends no webhooks that can be verified";
        Err(WebhookRefusal::new(WebhookRefusalKind::Unsupported, hint))
    }
}

fn lacks(what: &'static str) -> crate::error::Error {
    unsupported(format!("this provider has no {what}: see its capabilities"))
}
