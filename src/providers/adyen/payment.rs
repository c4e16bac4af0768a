//! From answers to payments: what a result code says, and what the shopper must do next.
//!
//! Source: <https://docs.adyen.com/online-payments/payment-result-codes>.

use serde_json::Value;

use super::Adyen;
use super::amount::from_wire;
use super::convert::{reference_of, time_of, unexpected, unnamed};
use super::refusal::decline;
use super::wire::{PaymentLink, PaymentResult, Session};
use crate::clock::Timestamp;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::http::is_loopback;
use crate::id::{IdempotencyKey, PaymentId, Reference};
use crate::mode::{Mode, ModeKind};
use crate::money::Money;
use crate::payment::{NextAction, Payment, PaymentStatus, ReportedAmount};
use crate::request::CaptureMode;
use crate::secret::Secret;

impl<M: Mode> Adyen<M> {
    /// A link, which is the checkout of a payment and never the payment.
    pub(super) fn payment_of_link(
        &self,
        link: &PaymentLink,
        as_of: Timestamp,
    ) -> Result<Payment<M>> {
        self.client.check_account(&link.merchant_account)?;
        if M::KIND == ModeKind::Live && link.url.starts_with("https://test.") {
            let message = "Adyen answered with a link of test mode to credentials of live mode";
            return Err(Error::new(ErrorKind::WrongMode, message));
        }
        let status = match link.status.as_str() {
            "active" => PaymentStatus::Created,
            "expired" => PaymentStatus::Expired,
            // The payment itself is told of by its webhook.
            "completed" | "paid" | "paymentPending" => PaymentStatus::Pending,
            other => PaymentStatus::Unrecognized(other.into()),
        };
        let mut payment = self.checkout(&link.id, status, from_wire(&link.amount)?, as_of)?;
        payment.reference = reference_of(&link.reference).map(|(reference, _)| reference);
        payment.expires_at = link.expires_at.as_deref().and_then(time_of);
        if payment.status == PaymentStatus::Created {
            let url = link.url.clone();
            payment.next_action = Some(NextAction::Redirect { url });
        }
        Ok(payment)
    }

    /// A session, which is the checkout of a payment and never the payment.
    pub(super) fn payment_of_session(
        &self,
        session: Session,
        as_of: Timestamp,
    ) -> Result<Payment<M>> {
        self.client.check_account(&session.merchant_account)?;
        let Some(data) = session.session_data else {
            return Err(unexpected("Adyen's session has no data for the form"));
        };
        let amount = from_wire(&session.amount)?;
        let mut payment = self.checkout(&session.id, PaymentStatus::Created, amount, as_of)?;
        payment.reference = reference_of(&session.reference).map(|(reference, _)| reference);
        payment.expires_at = session.expires_at.as_deref().and_then(time_of);
        let client_secret = Secret::new(data);
        payment.next_action = Some(NextAction::UseSdk { client_secret });
        Ok(payment)
    }

    /// What became of a payment that was sent with a token or a saved method, or of its details.
    ///
    /// # Errors
    /// [`ErrorKind::Declined`] if it was refused, and [`ErrorKind::Unavailable`] with
    /// [`Effect::Unknown`] if Adyen cannot say; both with the payment.
    pub(super) fn payment_of_result(
        &self,
        result: &PaymentResult,
        begun: &Begun<'_>,
        as_of: Timestamp,
    ) -> Result<Payment<M>> {
        let (held, status) = begun.outcome(result)?;
        let (raw, is_named) = match &result.psp_reference {
            Some(psp_reference) => (psp_reference.as_str(), true),
            None => (unnamed(begun.key), false),
        };
        let id = self.payment_id(raw)?;
        match result.result_code.as_str() {
            "Refused" => {
                let reason = decline(
                    result.refusal_reason_code.as_deref(),
                    result.refusal_reason.as_deref(),
                );
                let error = Error::new(ErrorKind::Declined(reason), "the payment was refused");
                return Err(error.with_effect(Effect::NotApplied).with_payment(&id));
            }
            "Error" => {
                let message = "Adyen could not end the payment and cannot say how it ended: \
                               its webhook does";
                let error = Error::new(ErrorKind::Unavailable, message);
                return Err(error.with_effect(Effect::Unknown).with_payment(&id));
            }
            _ => {}
        }
        // Refunds and reversals are reported one by one.
        let mut payment = Payment::new(id, status, begun.amount, as_of)
            .unreported(ReportedAmount::Refunded)
            .unreported(ReportedAmount::Returned);
        payment.is_checkout = !is_named;
        match (&payment.status, begun.capture) {
            (PaymentStatus::Captured, _) => payment.captured = held,
            (PaymentStatus::Authorized, _) => payment.capturable = held,
            _ => {}
        }
        payment.reference = match result.merchant_reference.as_deref() {
            Some(text) => reference_of(text).map(|(reference, _)| reference),
            None => Some(begun.reference.clone()),
        };
        payment.next_action = result.action.as_ref().and_then(next_action);
        Ok(payment)
    }

    pub(super) fn payment_id(&self, raw: &str) -> Result<PaymentId<M>> {
        PaymentId::new(self.name.clone(), raw).map_err(|error| unexpected(error.to_string()))
    }

    fn checkout(
        &self,
        id: &str,
        status: PaymentStatus,
        amount: Money,
        as_of: Timestamp,
    ) -> Result<Payment<M>> {
        // A checkout knows nothing of the money of its payment.
        let mut payment = Payment::new(self.payment_id(id)?, status, amount, as_of)
            .unreported(ReportedAmount::Capturable)
            .unreported(ReportedAmount::Refunded)
            .unreported(ReportedAmount::Returned);
        payment.is_checkout = true;
        Ok(payment)
    }
}

/// A payment as it was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun<'a> {
    pub(super) reference: &'a Reference,
    pub(super) capture: CaptureMode,
    pub(super) amount: Money,
    pub(super) key: &'a IdempotencyKey,
}

impl Begun<'_> {
    /// How much is held or taken, and how the payment stands.
    fn outcome(&self, result: &PaymentResult) -> Result<(Money, PaymentStatus)> {
        let answered = result.amount.as_ref().map(from_wire).transpose()?;
        let held = match result.result_code.as_str() {
            "PartiallyAuthorised" => answered.ok_or_else(|| {
                unexpected("a part of the amount is authorised, and Adyen does not say how much")
            })?,
            // A key that was sent with another amount is answered with what that came to.
            _ if answered.is_some_and(|answered| answered != self.amount) => {
                return Err(unexpected(
                    "Adyen answered with another amount than was asked for: the attempt was begun \
                     with that one",
                ));
            }
            _ => self.amount,
        };
        Ok((held, status_of(&result.result_code, self.capture)))
    }
}

/// What a result code says of a payment that Adyen captures by itself, or holds.
fn status_of(code: &str, capture: CaptureMode) -> PaymentStatus {
    match (code, capture) {
        ("Authorised" | "PartiallyAuthorised", CaptureMode::Automatic) => PaymentStatus::Captured,
        ("Authorised" | "PartiallyAuthorised", CaptureMode::Manual) => PaymentStatus::Authorized,
        ("RedirectShopper" | "IdentifyShopper" | "ChallengeShopper", _) => {
            PaymentStatus::ActionRequired
        }
        // A voucher is shown, and paid or not in the days after.
        ("PresentToShopper" | "Pending" | "Received", _) => PaymentStatus::Pending,
        ("Cancelled", _) => PaymentStatus::Canceled,
        // Such as an authentication on its own, which is no payment.
        (other, _) => PaymentStatus::Unrecognized(other.into()),
    }
}

/// A page to go to, a voucher to show, or what Adyen's form must be given.
fn next_action(action: &Value) -> Option<NextAction> {
    let text = |field: &str| action.get(field).and_then(Value::as_str);
    let page = |field: &str| text(field).filter(|url| is_page(url)).map(str::to_owned);
    let is_get = text("method").is_none_or(|method| method == "GET");
    let shown = || page("downloadUrl").or_else(|| page("url"));
    match text("type")? {
        "redirect" if is_get => {
            if let Some(url) = page("url") {
                return Some(NextAction::Redirect { url });
            }
        }
        "voucher" | "bankTransfer" | "qrCode" => {
            if let Some(url) = shown() {
                return Some(NextAction::ShowInstructions { url });
            }
        }
        _ => {}
    }
    Some(NextAction::UseSdk {
        client_secret: Secret::new(action.to_string()),
    })
}

/// An address that a browser may be sent to: `https`, or a simulator on this machine.
fn is_page(url: &str) -> bool {
    let Ok(url) = url.parse::<http::Uri>() else {
        return false;
    };
    match (url.scheme_str(), url.host()) {
        (Some("https"), Some(_)) => true,
        (Some("http"), Some(host)) => is_loopback(host),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_result_code_of_the_specification_has_a_status() {
        use PaymentStatus as Status;
        for (code, taken, held) in [
            ("Authorised", Status::Captured, Status::Authorized),
            ("PartiallyAuthorised", Status::Captured, Status::Authorized),
            (
                "RedirectShopper",
                Status::ActionRequired,
                Status::ActionRequired,
            ),
            (
                "IdentifyShopper",
                Status::ActionRequired,
                Status::ActionRequired,
            ),
            (
                "ChallengeShopper",
                Status::ActionRequired,
                Status::ActionRequired,
            ),
            ("PresentToShopper", Status::Pending, Status::Pending),
            ("Pending", Status::Pending, Status::Pending),
            ("Received", Status::Pending, Status::Pending),
            ("Cancelled", Status::Canceled, Status::Canceled),
        ] {
            assert_eq!(status_of(code, CaptureMode::Automatic), taken, "{code}");
            assert_eq!(status_of(code, CaptureMode::Manual), held, "{code}");
        }
        for code in [
            "AuthenticationFinished",
            "AuthenticationNotRequired",
            "Success",
            "a code of tomorrow",
        ] {
            let status = status_of(code, CaptureMode::Automatic);
            assert_eq!(status, Status::Unrecognized(code.into()));
        }
    }

    #[test]
    fn the_next_action_is_a_page_a_voucher_or_for_the_form() {
        let next = |json: &str| next_action(&serde_json::from_str(json).unwrap());
        let page = r#"{"type":"redirect","method":"GET","url":"https://test.adyen.com/x"}"#;
        assert!(matches!(next(page), Some(NextAction::Redirect { .. })));
        let voucher = r#"{"type":"voucher","downloadUrl":"https://test.adyen.com/v"}"#;
        assert!(matches!(
            next(voucher),
            Some(NextAction::ShowInstructions { .. })
        ));
        for json in [
            r#"{"type":"threeDS2","token":"eyJ0"}"#,
            r#"{"type":"redirect","method":"POST","url":"https://test.adyen.com/x"}"#,
            r#"{"type":"redirect","url":"http://evil.example"}"#,
        ] {
            assert!(
                matches!(next(json), Some(NextAction::UseSdk { .. })),
                "{json}"
            );
        }
        assert!(next("{}").is_none());
    }
}
