//! Refunds: one for each command, for ever.

use super::client::{next_of, pair};
use super::wire::{COMMAND_KEY, Link, List, Object};
use super::{Stripe, amount, error, last_id, name_of};
use crate::capability::Operation;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::id::PaymentId;
use crate::mode::Mode;
use crate::money::PositiveMoney;
use crate::payment::Payment;
use crate::providers::asked::{canonical_key, check_currency, same_refund};
use crate::refund::Refund;
use crate::request::{Cursor, Page, RefundReason, RefundRequest};

impl<M: Mode> Stripe<M> {
    pub(super) async fn give_back(&self, request: &RefundRequest<M>) -> Result<Refund<M>> {
        // Stripe takes no currency here: the amount would be read in the payment's.
        let payment = self.fetch(Operation::Refund, request.payment.raw()).await?;
        check_currency(request.amount, &payment)?;
        if let Some(made) = self.refund_of_command(request, &payment.id).await? {
            return same_refund(made, request);
        }
        check_left(request.amount, &payment)?;
        let units = amount::to_part(request.amount)?;
        let id = payment.id.raw();
        let form = vec![
            pair(owner(id), id),
            pair("amount", units.to_string()),
            pair("reason", reason_code(request.reason)),
            pair(format!("metadata[{COMMAND_KEY}]"), request.command.as_str()),
        ];
        let key = canonical_key(Operation::Refund, &payment, request.command.as_str());
        let refused = match self.client.create_refund(form, &key).await {
            Ok(answer) => {
                return self
                    .client
                    .read(&answer, |reader, object| reader.refund(&object));
            }
            Err(refused) if error::is_out_of_state(&refused) => refused,
            Err(error) => return Err(error),
        };
        match self.refund_of_command(request, &payment.id).await {
            Ok(Some(made)) => same_refund(made, request),
            Ok(None) => Err(refused),
            Err(_) => Err(refused.with_effect(Effect::Unknown)),
        }
    }

    pub(super) async fn refunds_of(
        &self,
        payment: &PaymentId<M>,
        after: Option<&Cursor>,
    ) -> Result<Page<Refund<M>>> {
        let raw = payment.raw();
        if !raw.starts_with("cs_") {
            return self.refunds_page(Operation::ListRefunds, raw, after).await;
        }
        // Refunds are listed by intent; a session without one has none.
        let payment = self.fetch(Operation::ListRefunds, raw).await?;
        if payment.is_checkout {
            return Ok(Page::new(Vec::new(), None));
        }
        self.refunds_page(Operation::ListRefunds, payment.id.raw(), after)
            .await
    }

    /// The refund that was made under a command before, if one was. Stripe forgets keys after a
    /// day; a refund keeps its command.
    async fn refund_of_command(
        &self,
        request: &RefundRequest<M>,
        payment: &PaymentId<M>,
    ) -> Result<Option<Refund<M>>> {
        let mut after = None;
        loop {
            let page = self
                .refunds_page(Operation::Refund, payment.raw(), after.as_ref())
                .await?;
            let same = |refund: &Refund<M>| refund.command.as_ref() == Some(&request.command);
            if let Some(refund) = page.items.into_iter().find(same) {
                return Ok(Some(refund));
            }
            // One that cannot be read may be this command's: nothing is given back a second time.
            if let Some(unreadable) = page.unreadable.into_iter().next() {
                return Err(unreadable);
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(None),
            }
        }
    }

    async fn refunds_page(
        &self,
        operation: Operation,
        payment: &str,
        after: Option<&Cursor>,
    ) -> Result<Page<Refund<M>>> {
        let answer = self
            .client
            .refunds(operation, owner(payment), payment, after)
            .await?;
        self.client.read(&answer, |reader, list: List<Object<'_>>| {
            let next = next_of(last_id(&list), list.has_more, after)?;
            let each = list.data.iter().enumerate().filter_map(|(index, object)| {
                let is_oldest = !list.has_more && index + 1 == list.data.len();
                if is_release(object, is_oldest) {
                    return None;
                }
                // Decided here, by its place in the list.
                let refund = reader.refund(object).map(|refund| Refund {
                    may_be_release: false,
                    ..refund
                });
                Some((name_of(object), refund))
            });
            Page::of_each(each, next)
        })
    }
}

/// Whether a refund only lets go what was held and never taken. Stripe lists such a refund when a
/// hold is canceled or lapses, and for the rest of a partial capture, where it is the oldest.
fn is_release(refund: &Object<'_>, is_oldest: bool) -> bool {
    let Some(charge) = refund.charge.as_ref().and_then(Link::object) else {
        return false;
    };
    if charge.captured != Some(true) {
        return true;
    }
    let is_commanded = refund
        .metadata
        .as_ref()
        .is_some_and(|metadata| metadata.command.is_some());
    let let_go = charge
        .amount
        .unwrap_or(0)
        .saturating_sub(charge.amount_captured.unwrap_or(0));
    is_oldest && !is_commanded && let_go > 0 && refund.amount == Some(let_go)
}

/// Refuses more than is left here: Stripe would keep its own refusal under the key, and then take
/// no other amount under this command.
fn check_left<M: Mode>(asked: PositiveMoney, payment: &Payment<M>) -> Result<()> {
    let left = payment.captured.checked_sub(payment.refunded)?;
    if asked.minor() <= left.minor() {
        return Ok(());
    }
    let message = format!("{left} is left to be refunded, and {asked} was asked for");
    Err(Error::new(ErrorKind::InvalidRequest, message))
}

/// The parameter that a payment's own id goes by. Charges older than PaymentIntents have none.
fn owner(payment: &str) -> &'static str {
    if payment.starts_with("pi_") {
        "payment_intent"
    } else {
        "charge"
    }
}

fn reason_code(reason: RefundReason) -> &'static str {
    match reason {
        RefundReason::RequestedByShopper => "requested_by_customer",
        RefundReason::Duplicate => "duplicate",
        RefundReason::Fraud => "fraudulent",
    }
}
