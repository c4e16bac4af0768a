//! What a host asks of a payment, judged in the same way at every provider that can show one.

#![cfg(any(feature = "paypal", feature = "stripe"))]

use crate::error::{Error, ErrorKind, Result};
use crate::id::IdempotencyKey;
use crate::mode::Mode;
use crate::money::PositiveMoney;
use crate::payment::Payment;
use crate::refund::Refund;
use crate::request::{CaptureRequest, RefundRequest};

/// Refuses an amount in another currency than the payment's.
pub(super) fn check_currency<M: Mode>(asked: PositiveMoney, payment: &Payment<M>) -> Result<()> {
    let of_payment = payment.amount.currency();
    if asked.currency() == of_payment {
        return Ok(());
    }
    let message = format!("the payment is in {of_payment}, and {asked} was asked for");
    Err(Error::new(ErrorKind::InvalidRequest, message))
}

/// One capture has one key, whichever of the payment's names it was asked for by: one of the
/// checkout that is repeated on the payment must not take the amount again.
pub(super) fn capture_key<M: Mode>(
    request: &CaptureRequest<M>,
    held: &Payment<M>,
    key: &IdempotencyKey,
) -> IdempotencyKey {
    match &held.reference {
        Some(reference) => IdempotencyKey::for_command(
            "capture",
            &reference.namespace,
            &held.id,
            request.command.as_str(),
        ),
        None => key.clone(),
    }
}

/// The refund that a command has made before, if it asked for the same then.
pub(super) fn same_refund<M: Mode>(
    made: Refund<M>,
    request: &RefundRequest<M>,
) -> Result<Refund<M>> {
    if made.amount == request.amount.money() {
        return Ok(made);
    }
    let message = format!(
        "this command refunded {} before, and {} is asked for now: take another command",
        made.amount, request.amount
    );
    Err(Error::new(ErrorKind::Conflict, message))
}
