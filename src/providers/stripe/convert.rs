//! From what Stripe sends to values of a mode.

use std::marker::PhantomData;

use super::amount::from_units;
use super::wire::{BalanceTransaction, Link, Object};
use crate::clock::Timestamp;
use crate::dispute::{Dispute, DisputeStatus};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{
    CommandId, DisputeId, IdError, PaymentId, PayoutId, ProviderName, Reference, RefundId,
};
use crate::mode::{Mode, ModeKind};
use crate::money::{Currency, Money};
use crate::payout::{Payout, PayoutLine, PayoutLineKind, PayoutLineSource, PayoutStatus};
use crate::refund::{Refund, RefundStatus};
use crate::warning::{Warning, WarningKind};

/// Reads what Stripe sent as values of mode `M`, as things stood at `as_of`.
///
/// Payments are read in [`payment`](super::payment). Its errors say what is wrong with the answer;
/// whether the request took effect is for the caller to add.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'p, M: Mode> {
    provider: &'p ProviderName,
    as_of: Timestamp,
    mode: PhantomData<M>,
}

impl<'p, M: Mode> Reader<'p, M> {
    pub(super) fn new(provider: &'p ProviderName, as_of: Timestamp) -> Self {
        Self {
            provider,
            as_of,
            mode: PhantomData,
        }
    }

    pub(super) fn as_of(&self) -> Timestamp {
        self.as_of
    }

    /// Refuses what is not of mode `M`, or does not say.
    pub(super) fn check_mode(&self, livemode: Option<bool>) -> Result<()> {
        let found = ModeKind::from_livemode(livemode.ok_or_else(|| missing("livemode"))?);
        if found == M::KIND {
            return Ok(());
        }
        let expected = M::KIND;
        let message = format!("Stripe answered in {found} mode to credentials of {expected} mode");
        Err(Error::new(ErrorKind::WrongMode, message))
    }

    /// A refund carries no mode of its own; its charge does, where it was expanded.
    pub(super) fn refund(&self, refund: &Object<'_>) -> Result<Refund<M>> {
        let charge = refund.charge.as_ref();
        if let Some(charge) = charge.and_then(Link::object) {
            self.check_mode(charge.livemode)?;
        }
        let id =
            RefundId::new(self.provider.clone(), required(&refund.id, "id")?).map_err(bad_id)?;
        let payment = self.payment_of(refund)?;
        let status = refund_status(refund.status.as_deref().unwrap_or_default());
        let mut read = Refund::new(id, payment, status, money_of(refund)?, self.as_of);
        let command = refund
            .metadata
            .as_ref()
            .and_then(|metadata| metadata.command.as_deref());
        read.command = command.and_then(|command| CommandId::new(command).ok());
        read.created_at = time(refund.created, "created")?;
        read.may_be_release = read.command.is_none() && may_be_release(refund);
        Ok(read)
    }

    pub(super) fn dispute(&self, dispute: &Object<'_>) -> Result<Dispute<M>> {
        self.check_mode(dispute.livemode)?;
        let id =
            DisputeId::new(self.provider.clone(), required(&dispute.id, "id")?).map_err(bad_id)?;
        let payment = self.payment_of(dispute)?;
        let status = dispute_status(required(&dispute.status, "status")?);
        let mut read = Dispute::new(id, payment, status, money_of(dispute)?, self.as_of);
        read.reason = dispute.reason.as_deref().map(Into::into);
        let due_by = dispute
            .evidence_details
            .as_ref()
            .and_then(|details| details.due_by);
        read.respond_by = due_by.map(Timestamp::from_unix);
        read.is_refundable = dispute.is_charge_refundable;
        if let Some(bookings) = &dispute.balance_transactions {
            let amounts = bookings.iter().map(|booking| {
                let currency = currency(&booking.currency)?;
                from_units(booking.amount, currency)
            });
            read = read.with_bookings(&amounts.collect::<Result<Vec<_>>>()?);
        }
        read.created_at = time(dispute.created, "created")?;
        Ok(read)
    }

    pub(super) fn payout(&self, payout: &Object<'_>) -> Result<Payout<M>> {
        self.check_mode(payout.livemode)?;
        let id =
            PayoutId::new(self.provider.clone(), required(&payout.id, "id")?).map_err(bad_id)?;
        let status = payout_status(required(&payout.status, "status")?);
        let created_at = time(payout.created, "created")?;
        let mut read = Payout::new(id, status, money_of(payout)?, created_at);
        // Stripe tells which transactions a payout is made of only where it chose them itself.
        read.lines_complete = payout.automatic == Some(true)
            && payout.reconciliation_status.as_deref() == Some("completed");
        read.arrives_at = payout.arrival_date.map(Timestamp::from_unix);
        read.failure_reason = payout.failure_code.as_deref().map(Into::into);
        Ok(read)
    }

    /// An early fraud warning, or a review.
    pub(super) fn warning(&self, object: &Object<'_>) -> Result<Warning<M>> {
        self.check_mode(object.livemode)?;
        let id = required(&object.id, "id")?;
        let payment = self.payment_of(object)?;
        let is_review = object.object.as_deref() == Some("review");
        let (kind, is_open, reason) = match is_review {
            true => (WarningKind::Review, object.open, &object.reason),
            false => (WarningKind::Fraud, object.actionable, &object.fraud_type),
        };
        let mut read = Warning::new(id, payment, kind, self.as_of);
        // What does not say that it is over is open.
        read.is_open = is_open != Some(false);
        read.reason = reason.as_deref().map(Into::into);
        read.created_at = time(object.created, "created")?;
        Ok(read)
    }

    /// A line of `payout`, or `None` for the payout's own row, and for the one that takes it back.
    pub(super) fn payout_line(
        &self,
        payout: &PayoutId<M>,
        row: &BalanceTransaction<'_>,
    ) -> Result<Option<PayoutLine<M>>> {
        let source = row.source.as_ref();
        let category = &*row.reporting_category;
        let is_of_itself = matches!(category, "payout" | "payout_reversal");
        if is_of_itself && source.and_then(Link::id) == Some(payout.raw()) {
            return Ok(None);
        }
        let currency = currency(&row.currency)?;
        let gross = from_units(row.amount, currency)?;
        let fee = from_units(row.fee, currency)?;
        let net = from_units(row.net, currency)?;
        let booked_at = Timestamp::from_unix(row.created);
        let for_what = match source {
            Some(source) => self.line_source(source)?,
            None => PayoutLineSource::None,
        };
        let kind = line_kind(category);
        let mut line = PayoutLine::new(&row.id, kind, gross, fee, for_what, booked_at)
            .map_err(|error| unexpected(error.to_string()))?;
        if line.net != net {
            return Err(unexpected(
                "a balance transaction's net is not its amount less its fee",
            ));
        }
        line.reference = source.and_then(Link::object).and_then(reference_of);
        Ok(Some(line))
    }

    fn line_source(&self, source: &Link<'_, Object<'_>>) -> Result<PayoutLineSource<M>> {
        let Some(id) = source.id() else {
            return Ok(PayoutLineSource::None);
        };
        let provider = || self.provider.clone();
        let object = source.object();
        let payment = || object.map(|object| self.payment_of(object)).transpose();
        let kind = id.split_once('_').map_or("", |(prefix, _)| prefix);
        Ok(match kind {
            "ch" | "py" => PayoutLineSource::Payment(match object {
                Some(charge) if charge.payment_intent.is_some() => self.payment_of(charge)?,
                _ => self.payment_id(id)?,
            }),
            "re" | "pyr" => {
                PayoutLineSource::Refund(RefundId::new(provider(), id).map_err(bad_id)?, payment()?)
            }
            "dp" | "du" => PayoutLineSource::Dispute(
                DisputeId::new(provider(), id).map_err(bad_id)?,
                payment()?,
            ),
            _ => PayoutLineSource::None,
        })
    }

    /// The payment that a charge, refund or dispute belongs to: its PaymentIntent, or its charge
    /// where there is none.
    fn payment_of(&self, object: &Object<'_>) -> Result<PaymentId<M>> {
        let charge = object.charge.as_ref();
        let intent = object.payment_intent.as_ref();
        let of_charge = charge
            .and_then(Link::object)
            .and_then(|charge| charge.payment_intent.as_ref());
        let id = intent.or(of_charge).or(charge).and_then(Link::id);
        self.payment_id(id.ok_or_else(|| missing("payment_intent"))?)
    }

    pub(super) fn payment_id(&self, raw: &str) -> Result<PaymentId<M>> {
        PaymentId::new(self.provider.clone(), raw).map_err(bad_id)
    }
}

/// The reference that was given at creation. One of another making is not ours to read.
pub(super) fn reference_of(object: &Object<'_>) -> Option<Reference> {
    let reference = object.metadata.as_ref()?.reference.as_deref()?;
    reference.parse().ok()
}

pub(super) fn money_of(object: &Object<'_>) -> Result<Money> {
    let units = object.amount.ok_or_else(|| missing("amount"))?;
    from_units(units, currency(required(&object.currency, "currency")?)?)
}

pub(super) fn currency(code: &str) -> Result<Currency> {
    Currency::from_code(code).map_err(|error| unexpected(error.to_string()))
}

pub(super) fn required<'t>(
    field: &'t Option<super::wire::Text<'_>>,
    name: &'static str,
) -> Result<&'t str> {
    field.as_deref().ok_or_else(|| missing(name))
}

pub(super) fn time(field: Option<i64>, name: &'static str) -> Result<Timestamp> {
    field.map(Timestamp::from_unix).ok_or_else(|| missing(name))
}

pub(super) fn missing(field: &'static str) -> Error {
    unexpected(format!("Stripe's answer has no {field}"))
}

pub(super) fn unexpected(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::UnexpectedResponse, message)
}

fn bad_id(error: IdError) -> Error {
    unexpected(error.to_string())
}

/// Whether a refund may only release what was authorized and never captured, which Stripe lists as
/// a refund of the charge. Only the charge tells, and a webhook has no more than its id.
fn may_be_release(refund: &Object<'_>) -> bool {
    let Some(charge) = refund.charge.as_ref().and_then(Link::object) else {
        return true;
    };
    let not_captured = charge
        .amount
        .unwrap_or(0)
        .saturating_sub(charge.amount_captured.unwrap_or(0));
    charge.captured != Some(true) || (not_captured > 0 && refund.amount == Some(not_captured))
}

fn refund_status(status: &str) -> RefundStatus {
    match status {
        "pending" => RefundStatus::Pending,
        "requires_action" => RefundStatus::ActionRequired,
        "succeeded" => RefundStatus::Succeeded,
        "failed" => RefundStatus::Failed,
        "canceled" => RefundStatus::Canceled,
        other => RefundStatus::Unrecognized(other.into()),
    }
}

/// An inquiry (`warning_…`) takes no money. An appeal is fought over money that is away.
fn dispute_status(status: &str) -> DisputeStatus {
    match status {
        "warning_needs_response" | "warning_under_review" => DisputeStatus::Inquiry,
        "needs_response" | "appeal_needs_response" => DisputeStatus::NeedsResponse,
        "under_review" | "appeal_under_review" => DisputeStatus::UnderReview,
        "warning_closed" | "prevented" => DisputeStatus::Closed,
        "won" => DisputeStatus::Won,
        "lost" => DisputeStatus::Lost,
        other => DisputeStatus::Unrecognized(other.into()),
    }
}

fn payout_status(status: &str) -> PayoutStatus {
    match status {
        "pending" => PayoutStatus::Pending,
        "in_transit" => PayoutStatus::InTransit,
        "paid" => PayoutStatus::Paid,
        "canceled" => PayoutStatus::Canceled,
        "failed" => PayoutStatus::Failed,
        other => PayoutStatus::Unrecognized(other.into()),
    }
}

/// Source: <https://docs.stripe.com/reports/reporting-categories>.
fn line_kind(category: &str) -> PayoutLineKind {
    match category {
        "charge" => PayoutLineKind::Payment,
        "charge_failure" => PayoutLineKind::PaymentReversal,
        "refund" => PayoutLineKind::Refund,
        "refund_failure" => PayoutLineKind::RefundFailure,
        "dispute" => PayoutLineKind::Dispute,
        "dispute_reversal" => PayoutLineKind::DisputeReversal,
        "fee" | "network_cost" => PayoutLineKind::Fee,
        "risk_reserved_funds" => PayoutLineKind::Reserve,
        "payout_reversal" => PayoutLineKind::ReturnedPayout,
        "other_adjustment" | "partial_capture_reversal" => PayoutLineKind::Adjustment,
        other => PayoutLineKind::Other(other.into()),
    }
}
