//! What a host asks of a payment, judged in the same way at every provider that can show one.

#![cfg(any(feature = "paypal", feature = "stripe"))]

use crate::capability::Operation;
use crate::error::{Error, ErrorKind, Result};
use crate::id::IdempotencyKey;
use crate::mode::Mode;
use crate::money::PositiveMoney;
use crate::payment::Payment;
use crate::refund::Refund;
use crate::request::RefundRequest;

/// Refuses an amount in another currency than the payment's.
pub(super) fn check_currency<M: Mode>(asked: PositiveMoney, payment: &Payment<M>) -> Result<()> {
    let of_payment = payment.amount.currency();
    if asked.currency() == of_payment {
        return Ok(());
    }
    let message = format!("the payment is in {of_payment}, and {asked} was asked for");
    Err(Error::new(ErrorKind::InvalidRequest, message))
}

/// The key of a command on a payment, which is the same whichever of the payment's names it was
/// given by: two requests under two names must not both move money.
pub(super) fn canonical_key<M: Mode>(
    operation: Operation,
    payment: &Payment<M>,
    command: &str,
) -> IdempotencyKey {
    let operation = operation.name();
    match &payment.reference {
        Some(reference) => {
            IdempotencyKey::for_command(operation, &reference.namespace, &payment.id, command)
        }
        None => IdempotencyKey::for_unreferenced(operation, &payment.id, command),
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
