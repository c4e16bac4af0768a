//! Captures, voids and refunds: stored before they are sent, reserved while they are open, and
//! released if they fail.

use std::time::Duration;

use tracing::field::Empty;

use super::Cashier;
use super::fold::Fact;
use super::orders::conflict;
use super::records::{CommandOperation, CommandRecord, CommandState, OrderRecord, PaymentRecord};
use crate::capability::Capabilities;
use crate::capture::Change;
use crate::clock::Timestamp;
use crate::dispute::Dispute;
use crate::error::{Decline, Effect, Error, ErrorKind, Result};
use crate::id::{IdempotencyKey, OrderId, PaymentId};
use crate::mode::Mode;
use crate::money::{Money, PositiveMoney};
use crate::payment::{Payment, PaymentStatus};
use crate::request::{CaptureRequest, CompleteRequest, RefundRequest};
use crate::telemetry::{CASHIER_COMMAND, TARGET, within};

/// How long who has just sent a command is left alone with it: one minute, longer than a request
/// may take.
pub(super) const SEND_LEASE: Duration = Duration::from_secs(60);

impl<M: Mode> Cashier<M> {
    /// Takes a held amount, or a part of it. The same command again is the same wish. Where the
    /// provider captures several times, a capture that keeps the rest can be followed by others,
    /// one after the other, until all that was held is taken.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] for more than is held, [`ErrorKind::Conflict`] if nothing is
    /// held, another capture is open or the command was given otherwise before,
    /// [`ErrorKind::Unsupported`] for a part or a capture that keeps the rest where the provider
    /// cannot do that, and the provider's. With [`Effect::Unknown`] it stays stored, and the sweep
    /// finds out.
    pub async fn capture(&self, request: &CaptureRequest<M>) -> Result<CommandRecord<M>> {
        let order = self.order_of(&request.payment).await?;
        let wish = Wish {
            operation: CommandOperation::Capture {
                is_final: request.is_final,
            },
            payment: &request.payment,
            amount: Some(request.amount.money()),
            command: Some(&request.command),
            after_dispute: false,
        };
        let record = self.order(&order).await?;
        let known = record.payment(&request.payment);
        let known = known.and_then(|known| known.ledger.payment());
        // A notice may have told of a charge and not of what is still held.
        if known.is_some_and(|known| known.capturable.minor() < request.amount.minor()) {
            self.ask(&order).await?;
        }
        self.command(&order, &wish).await
    }

    /// Lets a held amount go, or ends an unpaid checkout.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if it was captured: refund it. And the provider's, as for
    /// [`capture`](Self::capture).
    pub async fn void(&self, payment: &PaymentId<M>) -> Result<CommandRecord<M>> {
        let order = self.order_of(payment).await?;
        self.void_of(&order, payment).await
    }

    /// Gives money back. The amount is set aside before the provider is asked, and released if it
    /// refuses. The same command again is the same refund.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] for more than is left or another currency,
    /// [`ErrorKind::Conflict`] while the payment is disputed, after a dispute unless the request
    /// [allows it](RefundRequest::with_rest_after_dispute), or if the command was given with
    /// another amount or for another payment of the order, and the provider's, as for
    /// [`capture`](Self::capture).
    pub async fn refund(&self, request: &RefundRequest<M>) -> Result<CommandRecord<M>> {
        let order = self.order_of(&request.payment).await?;
        let wish = Wish {
            operation: CommandOperation::Refund {
                reason: request.reason,
            },
            payment: &request.payment,
            amount: Some(request.amount.money()),
            command: Some(&request.command),
            after_dispute: request.after_dispute,
        };
        self.command(&order, &wish).await
    }

    pub(super) async fn void_of(
        &self,
        order: &OrderId,
        payment: &PaymentId<M>,
    ) -> Result<CommandRecord<M>> {
        self.command(order, &Wish::void(payment)).await
    }

    async fn command(&self, order: &OrderId, wish: &Wish<'_, M>) -> Result<CommandRecord<M>> {
        let given = self.command_once(order, wish).await?;
        if given.is_new || given.command.state.is_settled() {
            return Ok(given.command);
        }
        // The command stays stored, whatever keeps the provider from being asked.
        let asked = self.ask(order).await.map_err(Error::into_unknown);
        let (key, record) = (given.command.key, asked?);
        let mut commands = record.commands.into_iter();
        let asked = commands.find(|command| command.key == key);
        asked.ok_or_else(|| conflict("the command is no longer stored"))
    }

    /// Stores the wish and sends it, unless it was stored before.
    pub(super) async fn command_once(
        &self,
        order: &OrderId,
        wish: &Wish<'_, M>,
    ) -> Result<Given<M>> {
        let (stored, mut record) = self
            .change(order, |record, now| self.store_command(record, wish, now))
            .await?;
        let mut command = stored.command;
        if stored.is_new {
            record = self.send(order, command.key.as_str(), true).await?;
            if let Some(sent) = record.command_mut(command.key.as_str()) {
                command = sent.clone();
            }
        }
        Ok(Given {
            command,
            record,
            is_new: stored.is_new,
        })
    }

    fn store_command(
        &self,
        record: &mut OrderRecord<M>,
        wish: &Wish<'_, M>,
        now: Timestamp,
    ) -> Result<StoredCommand<M>> {
        let known = record.payment(wish.payment);
        let Some(payment) = known.and_then(|known| known.ledger.payment()) else {
            return Err(conflict(
                "the payment is not known here yet: resume the order",
            ));
        };
        let name = wish.operation.name();
        let of_this_name = record.commands.iter().filter(|command| {
            command.operation.name() == name && command.command.as_ref() == wish.command
        });
        let (same, of_others): (Vec<_>, Vec<_>) =
            of_this_name.partition(|command| payment.ids().any(|id| *id == command.payment));
        if wish.command.is_some() && !of_others.is_empty() {
            return Err(conflict(
                "this command was given for another payment of the order: a further wish needs a \
                 name of its own",
            ));
        }
        if let Some(same) = same.first().copied() {
            let is_capture = matches!(wish.operation, CommandOperation::Capture { .. });
            if same.amount != wish.amount || (is_capture && same.operation != wish.operation) {
                return Err(conflict("this command was given with another amount"));
            }
            return Ok(StoredCommand {
                command: same.clone(),
                is_new: false,
            });
        }
        record.check(wish, self.provider_of(wish.payment)?.capabilities())?;
        let (id, captured_before) = (payment.id.clone(), payment.captured);
        let key = IdempotencyKey::for_command(
            name,
            self.provider_of(&id)?.namespace(),
            &id,
            wish.command.map_or("", |command| command.as_str()),
        );
        let command = CommandRecord {
            operation: wish.operation,
            command: wish.command.cloned(),
            payment: id,
            amount: wish.amount,
            captured_before,
            key,
            requested_at: now,
            sent_at: now,
            state: CommandState::Requested,
            refund: None,
            was_left_open: false,
        };
        let amount = wish.amount.map(|amount| format!(" of {amount}"));
        let amount = amount.unwrap_or_default();
        record.note(now, format!("{name}{amount} asked for"), None);
        record.commands.push(command.clone());
        Ok(StoredCommand {
            command,
            is_new: true,
        })
    }

    /// Sends a stored command and stores what became of it. That a completion was declined is no
    /// error, since the record tells.
    pub(super) async fn send(
        &self,
        order: &OrderId,
        key: &str,
        is_first: bool,
    ) -> Result<OrderRecord<M>> {
        let record = self.order(order).await.map_err(Error::into_unknown)?;
        let mut commands = record.commands.into_iter();
        let Some(command) = commands.find(|command| command.key.as_str() == key) else {
            return Err(conflict("the command is no longer stored"));
        };
        let span = tracing::info_span!(
            target: TARGET,
            CASHIER_COMMAND,
            mode = M::KIND.as_str(),
            operation = command.operation.name(),
            outcome = Empty,
            effect = Empty,
            order = %order,
        );
        match within(span, self.call(&command)).await {
            Ok(fact) => {
                let take_in = |record: &mut OrderRecord<M>, now: Timestamp| {
                    if let Some(fact) = fact.clone() {
                        record.fold(fact, "answered", now)?;
                    }
                    if let Some(stored) = record.command_mut(key) {
                        if let Some(Fact::Refund(refund)) = &fact {
                            stored.refund = Some(refund.id.clone());
                        }
                        stored.state = CommandState::Pending;
                        stored.was_left_open = true;
                    }
                    Ok(())
                };
                let changed = self.change(order, take_in).await;
                Ok(changed.map_err(Error::into_unknown)?.1)
            }
            Err(error) => {
                // The host may give a capture or refund up, and is told that it was not done. A
                // void or a completion is wanted until it is done.
                let is_given_up = is_first
                    && !matches!(
                        command.operation,
                        CommandOperation::Void | CommandOperation::Complete
                    );
                let is_refused = error.effect() == Effect::NotApplied
                    && (is_given_up || is_definite_refusal(error.kind()));
                // A refused completion is news of the payment, which this one answer may tell.
                let decline = error.decline();
                let decline = decline.filter(|_| command.operation == CommandOperation::Complete);
                let take_in = |record: &mut OrderRecord<M>, now: Timestamp| {
                    let Some(stored) = record.command_mut(key) else {
                        return Ok(());
                    };
                    let before = stored.state;
                    stored.was_left_open |= !(is_first && is_refused);
                    if matches!(before, CommandState::Requested | CommandState::Unknown) {
                        stored.state = match is_refused {
                            true => CommandState::Failed,
                            false => CommandState::Unknown,
                        };
                    }
                    if stored.state != before {
                        let story = stored.story();
                        record.note(now, story, None);
                    }
                    match decline {
                        Some(decline) => record.take_in_decline(&command.payment, decline, now),
                        None => Ok(()),
                    }
                };
                let changed = self.change(order, take_in).await;
                let record = changed.map_err(Error::into_unknown)?.1;
                if decline.is_some() {
                    return Ok(record);
                }
                // What stays wanted is sent again, and may be done then.
                Err(match is_refused {
                    true => error,
                    false => error.into_unknown(),
                })
            }
        }
    }

    /// What the provider answered; nothing, if it has only received the command.
    async fn call(&self, command: &CommandRecord<M>) -> Result<Option<Fact<M>>> {
        let payment = command.payment.clone();
        let provider = self.provider_of(&payment)?;
        let wished = command.amount.map(PositiveMoney::new).transpose()?;
        let (amount, id) = match (command.operation, wished, command.command.clone()) {
            (CommandOperation::Void, _, _) => {
                let voided = provider.void(&payment).await?;
                return Ok(fact_of(voided));
            }
            (CommandOperation::Complete, Some(amount), _) => {
                let request = CompleteRequest::new(payment, amount);
                let completed = provider.complete(&request).await?;
                return Ok(Some(Fact::Payment(Box::new(completed))));
            }
            (_, Some(amount), Some(id)) => (amount, id),
            _ => return Err(conflict("the stored command has no amount or name")),
        };
        if let CommandOperation::Refund { reason } = command.operation {
            let request = RefundRequest::new(payment, amount, id).with_reason(reason);
            let refund = provider.refund(&request).await?;
            return Ok(Some(Fact::Refund(Box::new(refund))));
        }
        let mut request = CaptureRequest::new(payment, amount, id);
        if command.operation == (CommandOperation::Capture { is_final: false }) {
            request = request.keeping_the_rest();
        }
        let captured = provider.capture(&request).await?;
        Ok(fact_of(captured))
    }
}

fn fact_of<M: Mode>(change: Change<M>) -> Option<Fact<M>> {
    let payment = change.into_payment()?;
    Some(Fact::Payment(Box::new(payment)))
}

/// A command as it is stored, in its order.
pub(super) struct Given<M: Mode> {
    pub(super) command: CommandRecord<M>,
    pub(super) record: OrderRecord<M>,
    is_new: bool,
}

/// What the host wants done with a payment.
pub(super) struct Wish<'a, M: Mode> {
    operation: CommandOperation,
    payment: &'a PaymentId<M>,
    amount: Option<Money>,
    command: Option<&'a crate::id::CommandId>,
    after_dispute: bool,
}

impl<'a, M: Mode> Wish<'a, M> {
    pub(super) const fn void(payment: &'a PaymentId<M>) -> Self {
        Self {
            operation: CommandOperation::Void,
            payment,
            amount: None,
            command: None,
            after_dispute: false,
        }
    }
}

impl<'a, M: Mode> Wish<'a, M> {
    pub(super) const fn complete(payment: &'a PaymentId<M>, amount: Money) -> Self {
        Self {
            operation: CommandOperation::Complete,
            payment,
            amount: Some(amount),
            command: None,
            after_dispute: false,
        }
    }
}

struct StoredCommand<M: Mode> {
    command: CommandRecord<M>,
    is_new: bool,
}

impl<M: Mode> OrderRecord<M> {
    /// Refuses a wish that the payment cannot fulfil now.
    fn check(&self, wish: &Wish<'_, M>, capabilities: &Capabilities) -> Result<()> {
        let known = self.payment(wish.payment);
        let Some((entry, payment)) = known.and_then(|e| Some((e, e.ledger.payment()?))) else {
            return Err(conflict("the payment is not known here"));
        };
        match wish.operation {
            CommandOperation::Void if payment.status == PaymentStatus::Captured => {
                match payment.is_held() {
                    true => Ok(()),
                    false => Err(conflict("it was captured: refund it")),
                }
            }
            CommandOperation::Void => Ok(()),
            CommandOperation::Complete => {
                if self.approved() == Some((payment.id.clone(), payment.amount)) {
                    return Ok(());
                }
                Err(conflict("the order does not want this payment now"))
            }
            CommandOperation::Capture { .. } if !payment.is_held() => {
                Err(conflict("nothing is held by this payment"))
            }
            CommandOperation::Capture { is_final } => {
                let is_part = wish
                    .amount
                    .is_some_and(|wished| wished != payment.capturable);
                if !is_final && !capabilities.multiple_captures {
                    let message = "this provider captures once: make the capture final";
                    return Err(Error::new(ErrorKind::Unsupported, message));
                }
                if is_part && !capabilities.partial_capture {
                    let message = "this provider captures all that is held, or nothing";
                    return Err(Error::new(ErrorKind::Unsupported, message));
                }
                let is_pending = self.commands.iter().any(|command| {
                    matches!(command.operation, CommandOperation::Capture { .. })
                        && !command.state.is_settled()
                        && entry.is_called(&command.payment)
                });
                if is_pending {
                    return Err(conflict("another capture of this payment is open"));
                }
                check_bound(wish.amount, Some(payment.capturable), "is held")
            }
            CommandOperation::Refund { .. } => {
                if let Some(why_not) = refund_beside_disputes(entry, wish.after_dispute) {
                    return Err(conflict(why_not));
                }
                check_bound(wish.amount, self.refundable(wish.payment)?, "is left")
            }
        }
    }

    fn take_in_decline(
        &mut self,
        payment: &PaymentId<M>,
        decline: &Decline,
        now: Timestamp,
    ) -> Result<()> {
        let known = self.payment(payment);
        let Some(known) = known.and_then(|known| known.ledger.payment()) else {
            return Ok(());
        };
        let declined = Payment {
            status: PaymentStatus::Failed(decline.clone()),
            as_of: known.as_of.max(now),
            ..known.clone()
        };
        self.fold(Fact::Payment(Box::new(declined)), "answered", now)
    }

    /// Whether completing this payment was asked for, and nobody knows yet what became of it.
    pub(super) fn is_completing(&self, entry: &PaymentRecord<M>) -> bool {
        self.commands.iter().any(|command| {
            command.operation == CommandOperation::Complete
                && !command.state.is_settled()
                && entry.is_called(&command.payment)
        })
    }

    /// Whether completing any payment was asked for, and nobody knows yet what became of it.
    pub(super) fn is_being_completed(&self) -> bool {
        self.payments.iter().any(|entry| self.is_completing(entry))
    }

    /// Whether completing this payment was refused: another attempt may be made.
    pub(super) fn was_refused(&self, id: &PaymentId<M>) -> bool {
        self.commands.iter().any(|command| {
            command.operation == CommandOperation::Complete
                && command.state == CommandState::Failed
                && self
                    .payment(id)
                    .is_some_and(|of| of.is_called(&command.payment))
        })
    }

    /// The payment that the shopper has approved and that the order wants: it is for what is left
    /// to pay, the order is open, and no other money is under way for it but what nobody waits for.
    pub(super) fn approved(&self) -> Option<(PaymentId<M>, Money)> {
        let left = self.left_to_pay().ok()?;
        let is_wanted = self.order.closed_at.is_none() && self.paid_at.is_none();
        if !is_wanted || !matches!(self.being_paid(), Ok(None)) {
            return None;
        }
        let mut payments = self
            .payments
            .iter()
            .rev()
            .filter_map(|p| p.ledger.payment());
        let approved = payments.find(|payment| {
            payment.status == PaymentStatus::Approved
                && payment.reference.is_some()
                && payment.amount == left
        });
        approved.map(|payment| (payment.id.clone(), payment.amount))
    }

    fn command_mut(&mut self, key: &str) -> Option<&mut CommandRecord<M>> {
        let mut commands = self.commands.iter_mut();
        commands.find(|command| command.key.as_str() == key)
    }
}

fn check_bound(wished: Option<Money>, bound: Option<Money>, what: &str) -> Result<()> {
    let (Some(wished), Some(bound)) = (wished, bound) else {
        return Err(conflict("the amount is missing"));
    };
    if wished.checked_cmp(bound)?.is_le() {
        return Ok(());
    }
    let message = format!("{bound} {what}, and {wished} was asked for");
    Err(Error::new(ErrorKind::InvalidRequest, message))
}

/// Whether the provider says no, and would say so again.
const fn is_definite_refusal(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::InvalidRequest
            | ErrorKind::Unsupported
            | ErrorKind::Declined(_)
            | ErrorKind::NotFound
    )
}

/// Why no refund may go out beside the disputes of a payment, if none may.
fn refund_beside_disputes<M: Mode>(
    entry: &PaymentRecord<M>,
    after_dispute: bool,
) -> Option<&'static str> {
    if entry.ledger.disputes().any(Dispute::is_open) {
        return Some("the payment is disputed: a refund would give the money twice");
    }
    if !entry.is_disputed() {
        return None;
    }
    if !after_dispute {
        return Some(
            "money went back by a dispute: allow a refund of the rest by with_rest_after_dispute",
        );
    }
    let mut disputes = entry.ledger.disputes();
    let is_final = disputes.any(|dispute| dispute.is_refundable == Some(false));
    is_final.then_some("the provider refunds no more of this payment after its dispute")
}
