//! A Checkout Session, its PaymentIntent and the intent's charges are one payment.

use super::amount::from_units;
use super::convert::{
    Reader, currency, missing, money_of, reference_of, required, time, unexpected,
};
use super::decline::Refusal;
use super::wire::{Link, Object};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::mode::Mode;
use crate::money::{Currency, Money};
use crate::payment::{NextAction, Payment, PaymentStatus, ReportedAmount};
use crate::secret::Secret;

impl<M: Mode> Reader<'_, M> {
    /// Reads a PaymentIntent, Checkout Session or Charge.
    pub(super) fn payment(&self, object: &Object<'_>) -> Result<Payment<M>> {
        match required(&object.object, "object")? {
            "payment_intent" => self.intent(object),
            "checkout.session" => self.session(object),
            "charge" => self.charge(object),
            _ => Err(unexpected(
                "Stripe answered with another object than a payment",
            )),
        }
    }

    fn intent(&self, intent: &Object<'_>) -> Result<Payment<M>> {
        self.check_mode(intent.livemode)?;
        let amount = money_of(intent)?;
        let currency = amount.currency();
        let charge = intent.latest_charge.as_ref();
        let status = intent_status(intent)?;
        let id = self.payment_id(required(&intent.id, "id")?)?;
        let mut payment = Payment::new(id, status, amount, self.as_of());
        payment.capturable = from_units(intent.amount_capturable.unwrap_or(0), currency)?;
        payment.captured = from_units(intent.amount_received.unwrap_or(0), currency)?;
        payment.reference = reference_of(intent);
        payment.created_at = time(intent.created, "created")?;
        payment.next_action = next_action(intent, &payment.status);
        if let Some(id) = charge.and_then(Link::id) {
            payment.aliases.push(self.payment_id(id)?);
        }
        if let Some(charge) = charge.and_then(Link::object) {
            self.check_mode(charge.livemode)?;
            payment.refunded = refunded(charge, currency)?;
            payment.fee = fee(charge)?;
            payment.captured_at = booked_at(charge).or(payment.captured_at);
            payment.capture_before = capture_before(charge);
        } else {
            payment = payment.unreported(ReportedAmount::Refunded);
        }
        if intent.amount_capturable.is_none() {
            payment = payment.unreported(ReportedAmount::Capturable);
        }
        Ok(payment.unreported(ReportedAmount::Returned))
    }

    /// The session is the payment until there is an intent, and then another name of it.
    fn session(&self, session: &Object<'_>) -> Result<Payment<M>> {
        self.check_mode(session.livemode)?;
        let id = self.payment_id(required(&session.id, "id")?)?;
        let status = session_status(session);
        let intent = session.payment_intent.as_ref();
        let mut payment = match intent {
            Some(Link::Object(intent)) => {
                let mut payment = self.intent(intent)?;
                payment.status = status_of_both(status, payment.status);
                payment.aliases.push(id);
                payment
            }
            _ => {
                let units = session
                    .amount_total
                    .ok_or_else(|| missing("amount_total"))?;
                let currency = currency(required(&session.currency, "currency")?)?;
                let amount = from_units(units, currency)?;
                let mut payment = Payment::new(id, status, amount, self.as_of())
                    .unreported(ReportedAmount::Capturable)
                    .unreported(ReportedAmount::Refunded)
                    .unreported(ReportedAmount::Returned);
                if payment.status == PaymentStatus::Captured {
                    payment.captured = amount;
                }
                match intent.and_then(Link::id) {
                    Some(intent) => {
                        let checkout = std::mem::replace(&mut payment.id, self.payment_id(intent)?);
                        payment.aliases.push(checkout);
                    }
                    None => payment.is_checkout = true,
                }
                payment
            }
        };
        let given = || session.client_reference_id.as_deref()?.parse().ok();
        // A completed page takes no other try.
        payment.is_over = session.status.as_deref() == Some("complete")
            && matches!(payment.status, PaymentStatus::Failed(_));
        let reference = reference_of(session).or_else(given);
        payment.reference = reference.or(payment.reference);
        payment.created_at = time(session.created, "created")?;
        if session.status.as_deref() != Some("complete") {
            payment.expires_at = session.expires_at.map(Timestamp::from_unix);
        }
        if session.status.as_deref() == Some("open") {
            let url = session.url.as_deref();
            payment.next_action = url.map(|url| NextAction::Redirect {
                url: url.to_owned(),
            });
        }
        Ok(payment)
    }

    /// A charge says how its intent stood at one try.
    fn charge(&self, charge: &Object<'_>) -> Result<Payment<M>> {
        self.check_mode(charge.livemode)?;
        let own_id = self.payment_id(required(&charge.id, "id")?)?;
        let amount = money_of(charge)?;
        let currency = amount.currency();
        let status = charge_status(charge)?;
        let mut payment = match charge.payment_intent.as_ref().and_then(Link::id) {
            Some(intent) => {
                let mut payment =
                    Payment::new(self.payment_id(intent)?, status, amount, self.as_of());
                payment.aliases.push(own_id);
                payment
            }
            None => Payment::new(own_id, status, amount, self.as_of()),
        };
        match payment.status {
            PaymentStatus::Captured => {
                let captured = charge
                    .amount_captured
                    .ok_or_else(|| missing("amount_captured"))?;
                payment.captured = from_units(captured, currency)?;
            }
            PaymentStatus::Authorized => payment.capturable = amount,
            _ => {}
        }
        if payment.status != PaymentStatus::Authorized {
            // Whether the rest is still held only its intent says.
            payment = payment.unreported(ReportedAmount::Capturable);
        }
        payment = payment.unreported(ReportedAmount::Returned);
        payment.refunded = refunded(charge, currency)?;
        payment.fee = fee(charge)?;
        payment.captured_at = booked_at(charge).or(payment.captured_at);
        payment.capture_before = capture_before(charge);
        payment.reference = reference_of(charge);
        payment.created_at = time(charge.created, "created")?;
        Ok(payment)
    }
}

/// Source: <https://docs.stripe.com/payments/paymentintents/lifecycle>.
fn intent_status(intent: &Object<'_>) -> Result<PaymentStatus> {
    let charge = intent.latest_charge.as_ref().and_then(Link::object);
    let taken = intent.amount_received.unwrap_or(0) > 0;
    Ok(match required(&intent.status, "status")? {
        "requires_payment_method" => match &intent.last_payment_error {
            Some(error) => {
                PaymentStatus::Failed(Refusal::of_error(error).with_charge(charge).decline())
            }
            None => PaymentStatus::Created,
        },
        "requires_confirmation" => PaymentStatus::Created,
        // The customer has a voucher or the details of a transfer: the money may be on its way.
        "requires_action" if is_payable_later(intent) => PaymentStatus::Pending,
        "requires_action" => PaymentStatus::ActionRequired,
        "processing" => PaymentStatus::Pending,
        "succeeded" if intent.amount_received.is_none() => return Err(missing("amount_received")),
        "succeeded" => PaymentStatus::Captured,
        // Taken in part, and the rest is still held or was let go.
        "requires_capture" | "canceled" if taken => PaymentStatus::Captured,
        "requires_capture" => PaymentStatus::Authorized,
        "canceled" => match intent.cancellation_reason.as_deref() {
            Some("automatic" | "expired") => PaymentStatus::Expired,
            _ => PaymentStatus::Canceled,
        },
        other => PaymentStatus::Unrecognized(other.into()),
    })
}

/// What a session alone tells. A completed one may still wait for the money.
fn session_status(session: &Object<'_>) -> PaymentStatus {
    let paid = session.payment_status.as_deref().unwrap_or_default();
    match session.status.as_deref().unwrap_or_default() {
        "open" => PaymentStatus::Created,
        "expired" => PaymentStatus::Expired,
        "complete" => match paid {
            "paid" => PaymentStatus::Captured,
            "unpaid" => PaymentStatus::Pending,
            // Such as `no_payment_required`: complete, and no money was asked for.
            other => PaymentStatus::Unrecognized(other.into()),
        },
        other => PaymentStatus::Unrecognized(other.into()),
    }
}

/// The intent knows better, but an open intent goes no further once its session has ended.
fn status_of_both(session: PaymentStatus, intent: PaymentStatus) -> PaymentStatus {
    match (&session, &intent) {
        (PaymentStatus::Expired, PaymentStatus::Created | PaymentStatus::ActionRequired)
        | (PaymentStatus::Expired, PaymentStatus::Failed(_))
        | (PaymentStatus::Pending, PaymentStatus::Created) => session,
        _ => intent,
    }
}

fn charge_status(charge: &Object<'_>) -> Result<PaymentStatus> {
    let captured = charge.captured.unwrap_or(false);
    Ok(match required(&charge.status, "status")? {
        "pending" => PaymentStatus::Pending,
        "failed" => PaymentStatus::Failed(Refusal::of_charge(charge).decline()),
        "succeeded" if captured => PaymentStatus::Captured,
        // A hold that is let go shows as a refund of a charge that was never captured.
        "succeeded" if charge.refunded == Some(true) => PaymentStatus::Canceled,
        "succeeded" => PaymentStatus::Authorized,
        other => PaymentStatus::Unrecognized(other.into()),
    })
}

/// What went back of what was taken. Stripe counts the part of a hold that was not captured as
/// refunded too, but none of that had been taken.
fn refunded(charge: &Object<'_>, currency: Currency) -> Result<Money> {
    if charge.captured != Some(true) {
        return Ok(Money::zero(currency));
    }
    let refunded = charge.amount_refunded.unwrap_or(0);
    let asked = charge.amount.unwrap_or(0);
    let let_go = asked.saturating_sub(charge.amount_captured.unwrap_or(asked));
    let of_captured = if refunded >= let_go {
        refunded - let_go
    } else {
        refunded
    };
    from_units(of_captured, currency)
}

/// The fee, in the currency that the charge was settled in.
fn fee(charge: &Object<'_>) -> Result<Option<Money>> {
    let Some(row) = charge.balance_transaction.as_ref().and_then(Link::object) else {
        return Ok(None);
    };
    from_units(row.fee, currency(&row.currency)?).map(Some)
}

/// When the money was taken, where the charge is captured and its booking was expanded.
fn booked_at(charge: &Object<'_>) -> Option<Timestamp> {
    let row = charge.balance_transaction.as_ref().and_then(Link::object)?;
    (charge.captured == Some(true)).then(|| Timestamp::from_unix(row.created))
}

fn capture_before(charge: &Object<'_>) -> Option<Timestamp> {
    if charge.captured == Some(true) {
        return None;
    }
    let card = charge.payment_method_details.as_ref()?.card.as_ref()?;
    card.capture_before.map(Timestamp::from_unix)
}

fn is_payable_later(intent: &Object<'_>) -> bool {
    let action = intent.next_action.as_ref();
    action.is_some_and(|action| action.is_payable_later)
}

/// Where there is no page to go to, Stripe's script in the browser knows what to do.
fn next_action(intent: &Object<'_>, status: &PaymentStatus) -> Option<NextAction> {
    let is_open = *status == PaymentStatus::ActionRequired;
    if !is_open && !is_payable_later(intent) {
        return None;
    }
    let action = intent.next_action.as_ref();
    let redirect = action.and_then(|action| action.redirect.as_deref());
    let instructions = action.and_then(|action| action.instructions.as_deref());
    if let Some(url) = redirect {
        return Some(NextAction::Redirect {
            url: url.to_owned(),
        });
    }
    if let Some(url) = instructions {
        return Some(NextAction::ShowInstructions {
            url: url.to_owned(),
        });
    }
    let client_secret = Secret::new(intent.client_secret.as_deref()?);
    Some(NextAction::UseSdk { client_secret })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{DeclineReason, ErrorKind};
    use crate::id::ProviderName;
    use crate::mode::{Live, Test};

    fn read<M: Mode>(json: &str) -> Result<Payment<M>> {
        let provider = ProviderName::new("stripe").unwrap();
        let object: Object<'_> = serde_json::from_str(json).unwrap();
        Reader::new(&provider, Timestamp::from_unix(2)).payment(&object)
    }

    fn intent(status: &str, more: &str) -> Payment<Test> {
        let json = format!(
            r#"{{"id":"pi_1","object":"payment_intent","livemode":false,"created":1,"amount":1000,
            "currency":"eur","status":"{status}"{more}}}"#
        );
        read(&json).unwrap()
    }

    #[test]
    fn every_status_of_an_intent_is_mapped_and_an_unknown_one_is_kept() {
        let received = r#","amount_received":600"#;
        for (status, more, expected) in [
            ("requires_payment_method", "", PaymentStatus::Created),
            ("requires_confirmation", "", PaymentStatus::Created),
            ("requires_action", "", PaymentStatus::ActionRequired),
            ("processing", "", PaymentStatus::Pending),
            ("requires_capture", "", PaymentStatus::Authorized),
            ("requires_capture", received, PaymentStatus::Captured),
            ("succeeded", received, PaymentStatus::Captured),
            ("canceled", "", PaymentStatus::Canceled),
            (
                "canceled",
                r#","cancellation_reason":"automatic""#,
                PaymentStatus::Expired,
            ),
            (
                "canceled",
                r#","cancellation_reason":"expired""#,
                PaymentStatus::Expired,
            ),
            (
                "canceled",
                r#","cancellation_reason":"abandoned""#,
                PaymentStatus::Canceled,
            ),
            (
                "of_tomorrow",
                "",
                PaymentStatus::Unrecognized("of_tomorrow".into()),
            ),
        ] {
            assert_eq!(intent(status, more).status, expected, "{status} {more}");
        }
        let error = r#","last_payment_error":{"code":"incorrect_cvc"}"#;
        let failed = intent("requires_payment_method", error).status;
        assert!(matches!(failed, PaymentStatus::Failed(_)), "{failed:?}");
    }

    #[test]
    fn what_was_let_go_is_not_counted_as_refunded() {
        let charge = |refunded| {
            let more = format!(
                r#","amount_received":600,"latest_charge":{{"id":"ch_1","object":"charge",
                "livemode":false,"amount":1000,"amount_captured":600,"captured":true,
                "amount_refunded":{refunded}}}"#
            );
            intent("succeeded", &more).refunded.minor()
        };
        assert_eq!((charge(400), charge(550)), (0, 150));
    }

    #[test]
    fn an_answer_of_the_other_mode_is_refused() {
        let json = r#"{"id":"pi_1","object":"payment_intent","livemode":false,"created":1,
            "amount":1,"currency":"eur","status":"processing"}"#;
        assert_eq!(
            read::<Live>(json).unwrap_err().kind(),
            &ErrorKind::WrongMode
        );
        let silent = r#"{"id":"pi_1","object":"payment_intent","status":"processing"}"#;
        let kind = read::<Test>(silent).unwrap_err();
        assert_eq!(kind.kind(), &ErrorKind::UnexpectedResponse);
    }

    #[test]
    fn a_charge_that_radar_blocked_failed_as_fraud() {
        let json = r#"{"id":"ch_1","object":"charge","livemode":false,"created":1,"amount":1000,
            "currency":"eur","status":"failed","payment_intent":"pi_1","outcome":{"type":"blocked"}}"#;
        let payment = read::<Test>(json).unwrap();
        assert_eq!(payment.id.raw(), "pi_1");
        let PaymentStatus::Failed(decline) = payment.status else {
            panic!("{payment:?}")
        };
        assert_eq!(decline.reason, DeclineReason::Fraud);
    }
}
