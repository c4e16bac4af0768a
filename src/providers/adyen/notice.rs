//! What a notice says, by its event code and outcome.
//!
//! Sources: <https://docs.adyen.com/development-resources/webhooks/webhook-types>,
//! <https://docs.adyen.com/risk-management/disputes-api/dispute-notifications>.

use std::marker::PhantomData;

use super::amount::from_wire;
use super::convert::{command_of, reference_of, time_of};
use super::refusal::decline;
use super::wire::{Amount, Flag, Item};
use crate::capture::{Capture, CaptureStatus};
use crate::clock::Timestamp;
use crate::dispute::{Dispute, DisputeStatus};
use crate::id::{
    CaptureId, DisputeId, EventId, IdError, PaymentId, PayoutId, ProviderName, RefundId,
};
use crate::mode::Mode;
use crate::money::Money;
use crate::payment::{Payment, PaymentStatus, ReportedAmount};
use crate::payout::{Payout, PayoutStatus};
use crate::refund::{Refund, RefundStatus};
use crate::request::CaptureMode;
use crate::warning::{Warning, WarningKind};
use crate::webhook::{
    Authenticity, EventDraft, EventKind, Unclear, WebhookRefusal, WebhookRefusalKind,
};

const MADE_GOOD: &str = "Adyen says that a capture that had failed was made good, in a part of the \
                         notice that is not signed: see the payment in the Customer Area";
const CANCELED_OR_REFUNDED: &str = "Adyen has canceled or refunded the payment and does not say \
                                    which: see it in the Customer Area";
const DISPUTED: &str = "Adyen tells of a dispute and not of which payment: see the disputes in the \
                        Customer Area";

type Read<T> = Result<T, WebhookRefusal>;

/// Reads notices that are verified as events of mode `M`.
pub(super) struct Reader<'p, M: Mode> {
    pub(super) provider: &'p ProviderName,
    pub(super) multiple_captures: bool,
    pub(super) mode: PhantomData<M>,
}

impl<M: Mode> Reader<'_, M> {
    pub(super) fn event(
        &self,
        item: &Item,
        code: &str,
        psp_reference: &str,
        now: Timestamp,
    ) -> Read<EventDraft<M>> {
        let outcome = item.success.as_ref().map_or("", Flag::as_str);
        // A time that is missing or was changed must not keep the notice out.
        let at = item.event_date.as_deref().and_then(time_of).unwrap_or(now);
        let notice = ItemReader {
            reader: self,
            item,
            psp_reference,
            at,
        };
        // A capture that was made good is told of by the same code and id as before it failed, and
        // only the reason, which is not signed, tells one from the other: whoever has seen the
        // first could write the second. It is kept as an event of its own, and is not money.
        let reason = item.reason.as_deref().unwrap_or_default();
        let is_again = code == "CAPTURE" && reason.to_lowercase().contains("recaptured");
        let (kind, again) = match is_again {
            true => (notice.unclear(MADE_GOOD)?, ".again"),
            false => (notice.kind(code, outcome)?, ""),
        };
        let raw = format!("{code}.{psp_reference}.{outcome}{again}");
        let id = EventId::new(self.provider.clone(), &raw).map_err(bad_id)?;
        let reference = item.merchant_reference.as_deref().and_then(reference_of);
        let draft = EventDraft::new(id, code, at, kind).with_authenticity(Authenticity::Facts);
        Ok(draft.with_reference(reference.map(|(reference, _)| reference)))
    }
}

struct ItemReader<'r, M: Mode> {
    reader: &'r Reader<'r, M>,
    item: &'r Item,
    psp_reference: &'r str,
    at: Timestamp,
}

impl<M: Mode> ItemReader<'_, M> {
    fn kind(&self, code: &str, outcome: &str) -> Read<EventKind<M>> {
        let is_known = matches!(outcome, "true" | "false");
        if is_about_payments(code) && !is_known {
            let status = PaymentStatus::Unrecognized(format!("{code} {outcome}").into());
            return self.payment(status, self.of_payment());
        }
        let is_success = outcome == "true";
        match (code, is_success) {
            ("AUTHORISATION", true) => self.authorisation(),
            ("AUTHORISATION", false) => self.failure(),
            ("CAPTURE", true) => self.capture(CaptureStatus::Succeeded),
            ("CAPTURE", false) => self.capture(CaptureStatus::Refused),
            ("CAPTURE_FAILED", _) => self.capture(CaptureStatus::Reversed),
            ("CANCELLATION" | "TECHNICAL_CANCEL", true) => self.cancellation(),
            ("CANCEL_OR_REFUND", true) => self.cancel_or_refund(),
            ("EXPIRE" | "OFFER_CLOSED", true) => {
                self.payment(PaymentStatus::Expired, self.of_payment())
            }
            ("REFUND", true) => self.refund(RefundStatus::Succeeded),
            ("POSTPONED_REFUND", true) => self.refund(RefundStatus::Pending),
            ("REFUND" | "POSTPONED_REFUND", false) | ("REFUND_FAILED" | "REFUNDED_REVERSED", _) => {
                self.refund(RefundStatus::Failed)
            }
            ("AUTHORISATION_ADJUSTMENT", true) => {
                self.payment(PaymentStatus::Authorized, self.of_payment())
            }
            // The payment stands as it stood.
            (
                "CANCELLATION"
                | "TECHNICAL_CANCEL"
                | "CANCEL_OR_REFUND"
                | "EXPIRE"
                | "OFFER_CLOSED"
                | "AUTHORISATION_ADJUSTMENT",
                false,
            ) => {
                let status = PaymentStatus::Unrecognized(format!("{code} refused").into());
                let mut payment = self.snapshot(status, self.of_payment())?;
                // Whatever else was said of it, before or after, counts.
                payment.as_of = Timestamp::from_unix(0);
                Ok(EventKind::Payment(Box::new(payment)))
            }
            ("NOTIFICATION_OF_FRAUD", _) => self.warning(),
            ("PAYOUT_THIRDPARTY", true) => self.payout(code, PayoutStatus::Paid),
            ("PAYOUT_THIRDPARTY", false) | ("PAIDOUT_REVERSED", true) => {
                self.payout(code, PayoutStatus::Failed)
            }
            ("PAYOUT_DECLINE" | "PAYOUT_EXPIRE", true) => self.payout(code, PayoutStatus::Canceled),
            _ => match dispute_status(code) {
                Some(status) if is_success || status == DisputeStatus::Inquiry => {
                    self.dispute(code, status)
                }
                // Whose the money is, it does not say.
                Some(_) => {
                    let status = format!("{code} {outcome}");
                    self.dispute(code, DisputeStatus::Unrecognized(status.into()))
                }
                None if is_not_about_payments(code) => Ok(EventKind::NotAboutPayments),
                None => Ok(EventKind::Unrecognized),
            },
        }
    }

    /// Adyen captures by itself what was not asked to be held, and sends no notice of that.
    fn authorisation(&self) -> Read<EventKind<M>> {
        let money = self.money()?;
        if money.is_zero() {
            // A card was verified; nothing is paid.
            return Ok(EventKind::NotAboutPayments);
        }
        let capture = match self.reference() {
            Some((_, capture)) => capture,
            None => CaptureMode::Manual,
        };
        let status = match capture {
            CaptureMode::Automatic => PaymentStatus::Captured,
            CaptureMode::Manual => PaymentStatus::Authorized,
        };
        self.payment(status, self.psp_reference)
    }

    /// One try to pay by a link or in a form may fail and the next one succeed: then it is the
    /// checkout that has failed so far.
    fn failure(&self) -> Read<EventKind<M>> {
        let data = &self.item.additional_data;
        let checkout = data
            .payment_link_id
            .as_ref()
            .or(data.checkout_session_id.as_ref());
        // It is not signed: what is none of Adyen's ids is passed over.
        let is_checkout = |id: &&String| {
            let is_plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric());
            is_plain && id.len() > 16 && (id.starts_with("PL") || id.starts_with("CS"))
        };
        let checkout = checkout.filter(is_checkout);
        let status = PaymentStatus::Failed(decline(None, self.item.reason.as_deref()));
        let id = checkout.map_or(self.psp_reference, String::as_str);
        let mut payment = self.snapshot(status, id)?;
        payment.is_checkout = checkout.is_some();
        Ok(EventKind::Payment(Box::new(payment)))
    }

    fn payment(&self, status: PaymentStatus, id: &str) -> Read<EventKind<M>> {
        Ok(EventKind::Payment(Box::new(self.snapshot(status, id)?)))
    }

    fn snapshot(&self, status: PaymentStatus, id: &str) -> Read<Payment<M>> {
        let id = self.payment_id(id)?;
        let money = self.money()?;
        // Refunds and reversals are reported one by one.
        let mut payment = Payment::new(id, status, money, self.at)
            .unreported(ReportedAmount::Refunded)
            .unreported(ReportedAmount::Returned);
        payment.reference = self.reference().map(|(reference, _)| reference);
        match payment.status {
            PaymentStatus::Captured => payment.captured = money,
            PaymentStatus::Authorized => payment.capturable = money,
            _ => {}
        }
        Ok(payment)
    }

    fn capture(&self, status: CaptureStatus) -> Read<EventKind<M>> {
        let id = CaptureId::new(self.reader.provider.clone(), self.psp_reference);
        let of = self.payment_id(self.of_payment())?;
        let mut capture = Capture::new(id.map_err(bad_id)?, of, status, self.money()?, self.at);
        capture.command = self.command();
        capture.is_final = !self.reader.multiple_captures;
        Ok(EventKind::Capture(Box::new(capture)))
    }

    fn refund(&self, status: RefundStatus) -> Read<EventKind<M>> {
        let id = RefundId::new(self.reader.provider.clone(), self.psp_reference);
        let of = self.payment_id(self.of_payment())?;
        let mut refund = Refund::new(id.map_err(bad_id)?, of, status, self.money()?, self.at);
        refund.command = self.command();
        Ok(EventKind::Refund(Box::new(refund)))
    }

    /// A payment that Adyen captures by itself was told of as money when it was authorised: what
    /// was canceled of it is money given back. A review that ends badly does so.
    fn cancellation(&self) -> Read<EventKind<M>> {
        match self.reference() {
            Some((_, CaptureMode::Automatic)) => self.refund(RefundStatus::Succeeded),
            _ => self.payment(PaymentStatus::Canceled, self.of_payment()),
        }
    }

    /// Which of the two it was is not signed, and matters for what was held only.
    fn cancel_or_refund(&self) -> Read<EventKind<M>> {
        match self.item.additional_data.modification_action.as_deref() {
            Some("cancel") => self.cancellation(),
            Some("refund") => self.refund(RefundStatus::Succeeded),
            _ => self.unclear(CANCELED_OR_REFUNDED),
        }
    }

    /// A payout to a bank that the merchant has named. What comes back names the payout beside itself.
    fn payout(&self, code: &str, status: PayoutStatus) -> Read<EventKind<M>> {
        let id = PayoutId::new(self.reader.provider.clone(), self.of_payment());
        let mut payout = Payout::new(id.map_err(bad_id)?, status, self.money()?, self.at);
        if payout.status != PayoutStatus::Paid {
            payout.failure_reason = Some(code.into());
        }
        Ok(EventKind::Payout(Box::new(payout)))
    }

    /// The issuer reports fraud, and no money has moved.
    fn warning(&self) -> Read<EventKind<M>> {
        let Some(payment) = self.original() else {
            return self.nameless();
        };
        let payment = self.payment_id(payment)?;
        let mut warning = Warning::new(self.psp_reference, payment, WarningKind::Fraud, self.at);
        let data = &self.item.additional_data;
        warning.reason = data
            .nof_reason_code
            .as_deref()
            .map(|code| code.trim().into());
        Ok(EventKind::Warning(Box::new(warning)))
    }

    /// Of which payment it is it does not say.
    fn nameless(&self) -> Read<EventKind<M>> {
        Ok(match self.reference() {
            Some(_) => EventKind::Unclear(Box::new(Unclear::new(None, DISPUTED))),
            None => EventKind::Unrecognized,
        })
    }

    fn dispute(&self, code: &str, status: DisputeStatus) -> Read<EventKind<M>> {
        // Some notices of a dispute do not name its payment.
        let Some(payment) = self.original() else {
            return self.nameless();
        };
        let id = DisputeId::new(self.reader.provider.clone(), self.psp_reference);
        let payment = self.payment_id(payment)?;
        let mut dispute =
            Dispute::new(id.map_err(bad_id)?, payment, status, self.money()?, self.at);
        let is_known = !matches!(dispute.status, DisputeStatus::Unrecognized(_));
        if is_known && leaves_money_open(code) {
            dispute = dispute.without_word_of_money();
        }
        let data = &self.item.additional_data;
        dispute.reason = data
            .chargeback_reason_code
            .as_deref()
            .or(data.rfi_reason_code.as_deref())
            .map(|code| code.trim().into());
        dispute.respond_by = data.defense_period_ends_at.as_deref().and_then(time_of);
        Ok(EventKind::Dispute(Box::new(dispute)))
    }

    fn unclear(&self, text: &str) -> Read<EventKind<M>> {
        let payment = self.payment_id(self.of_payment())?;
        Ok(EventKind::Unclear(Box::new(Unclear::new(
            Some(payment),
            text,
        ))))
    }

    fn money(&self) -> Read<Money> {
        let amount = self.item.amount.as_ref();
        let (Some(value), Some(currency)) = (
            amount.and_then(|amount| amount.value),
            amount.and_then(|amount| amount.currency.clone()),
        ) else {
            return Err(unreadable("a notice about money has no amount"));
        };
        if value < 0 {
            return Err(unreadable("a notice has an amount below zero"));
        }
        from_wire(&Amount { value, currency }).map_err(|error| unreadable(error.to_string()))
    }

    fn payment_id(&self, raw: &str) -> Read<PaymentId<M>> {
        PaymentId::new(self.reader.provider.clone(), raw).map_err(bad_id)
    }

    fn reference(&self) -> Option<(crate::id::Reference, CaptureMode)> {
        reference_of(self.item.merchant_reference.as_deref()?)
    }

    /// A notice of a change gives the payment's reference or, it may be, the change's own.
    fn command(&self) -> Option<crate::id::CommandId> {
        command_of(self.item.merchant_reference.as_deref()?)
    }

    /// The payment: a notice of a change names it beside the change.
    fn of_payment(&self) -> &str {
        self.original().unwrap_or(self.psp_reference)
    }

    fn original(&self) -> Option<&str> {
        let original = self.item.original_reference.as_deref();
        original.filter(|original| !original.is_empty())
    }
}

/// Whose outcome decides about money.
fn is_about_payments(code: &str) -> bool {
    const CODES: [&str; 13] = [
        "AUTHORISATION",
        "AUTHORISATION_ADJUSTMENT",
        "CANCELLATION",
        "CANCEL_OR_REFUND",
        "CAPTURE",
        "CAPTURE_FAILED",
        "EXPIRE",
        "OFFER_CLOSED",
        "POSTPONED_REFUND",
        "REFUND",
        "REFUNDED_REVERSED",
        "REFUND_FAILED",
        "TECHNICAL_CANCEL",
    ];
    CODES.contains(&code)
}

/// A request for information takes no money; a chargeback that was reversed may come a second time,
/// and the later word counts. Only the code is believed: `disputeStatus` beside it is not signed.
///
/// Source: Adyen's description of its webhooks. One that nobody defended, or for which liability was
/// accepted, is lost; one that the issuer let lie, or whose defense it accepted, is won.
fn dispute_status(code: &str) -> Option<DisputeStatus> {
    Some(match code {
        "REQUEST_FOR_INFORMATION" => DisputeStatus::Inquiry,
        "NOTIFICATION_OF_CHARGEBACK" | "CHARGEBACK" => DisputeStatus::NeedsResponse,
        "INFORMATION_SUPPLIED"
        | "ISSUER_COMMENTS"
        | "PREARBITRATION_OPEN"
        | "PREARBITRATION_DECLINED"
        | "SCHEME_ARBITRATION" => DisputeStatus::UnderReview,
        "CHARGEBACK_REVERSED"
        | "ISSUER_RESPONSE_TIMEFRAME_EXPIRED"
        | "PREARBITRATION_WON"
        | "SCHEME_ARBITRATION_WON" => DisputeStatus::Won,
        "DISPUTE_DEFENSE_PERIOD_ENDED"
        | "SECOND_CHARGEBACK"
        | "PREARBITRATION_LOST"
        | "SCHEME_ARBITRATION_LOST" => DisputeStatus::Lost,
        // How these end is not verified: the money may be away.
        "PREARBITRATION_ACCEPTED" | "PREARBITRATION_ISSUER_WITHDRAWN" => {
            DisputeStatus::Unrecognized(code.into())
        }
        _ => return None,
    })
}

/// What is said of a request for information and of a chargeback alike. That the money was deducted
/// has a notice of its own.
fn leaves_money_open(code: &str) -> bool {
    matches!(
        code,
        "DISPUTE_DEFENSE_PERIOD_ENDED"
            | "INFORMATION_SUPPLIED"
            | "ISSUER_RESPONSE_TIMEFRAME_EXPIRED"
    )
}

/// Reports, stored cards, payouts and reviews. A review that ends badly cancels the payment, and
/// that has a notice of its own.
fn is_not_about_payments(code: &str) -> bool {
    const CODES: [&str; 13] = [
        "ACH_NOTIFICATION_OF_CHANGE",
        "AUTORESCUE",
        "CANCEL_AUTORESCUE",
        "DIRECT_DEBIT_NOTICE_OF_CHANGE_NOTIFICATION",
        "MANUAL_REVIEW_ACCEPT",
        "MANUAL_REVIEW_REJECT",
        "ORDER_OPENED",
        "PAIDOUT_REVERSED",
        "PAYOUT_DECLINE",
        "PAYOUT_EXPIRE",
        "PAYOUT_THIRDPARTY",
        "RECURRING_CONTRACT",
        "REPORT_AVAILABLE",
    ];
    CODES.contains(&code)
}

fn bad_id(error: IdError) -> WebhookRefusal {
    unreadable(error.to_string())
}

pub(super) fn unreadable(hint: impl Into<std::borrow::Cow<'static, str>>) -> WebhookRefusal {
    WebhookRefusal::new(WebhookRefusalKind::Unreadable, hint)
}
