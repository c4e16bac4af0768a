//! Checking out: an attempt is stored before the provider is asked, and the same wish again gets
//! the same attempt.

use sha2::{Digest, Sha256};

use super::Cashier;
use super::fold::Fact;
use super::orders::conflict;
use super::records::{AttemptPhase, AttemptRecord, CommandOperation, OrderRecord};
use crate::capability::Operation;
use crate::clock::Timestamp;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::id::{Attempt, IdempotencyKey, OrderId, PaymentId};
use crate::mode::Mode;
use crate::payment::{Payment, PaymentStatus};
use crate::request::{CaptureMode, Checkout, CreateRequest, DirectMethod, Presence};

/// How many steps one call takes to bring earlier attempts to an end before it gives up.
const MOST_STEPS: u32 = 6;

impl<M: Mode> Cashier<M> {
    /// Begins to pay an order, and says what the shopper must do next in [`Payment::next_action`].
    ///
    /// `request.amount` must be what is left to pay, so that a page that shows an old amount begins
    /// nothing; `request.attempt` is not looked at, since the attempt is chosen here. The same wish
    /// again, as by a double click, gives the same payment. A new attempt begins once the last has
    /// ended; an open checkout for another wish is ended first.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if the order is paid or closed, costs something else, or is being
    /// paid; [`ErrorKind::NotFound`] if it was not placed; [`ErrorKind::Unavailable`] while nobody
    /// knows what became of the last attempt; and the provider's. After [`Effect::Unknown`] call it
    /// again: the provider is asked before anything is sent.
    pub async fn check_out(&self, request: &CreateRequest) -> Result<Payment<M>> {
        let fingerprint = fingerprint(request);
        let order = &request.order;
        for _ in 0..MOST_STEPS {
            let plan =
                |record: &mut OrderRecord<M>, now| self.plan(record, request, &fingerprint, now);
            let (plan, _) = self.change(order, plan).await?;
            match plan {
                Plan::Send(attempt) => return self.begin(request, attempt).await,
                Plan::Look(attempt) => {
                    self.ask(order).await?;
                    if self.mark_resent(order, attempt, &fingerprint).await? {
                        return self.begin(request, attempt).await;
                    }
                }
                Plan::GiveBack(id) => {
                    let payment = self.provider.fetch_payment(&id).await?;
                    self.take_in(order, Fact::Payment(Box::new(payment.clone())), "asked")
                        .await?;
                    if is_open(&payment.status) {
                        return Ok(payment);
                    }
                }
                Plan::End(id) => {
                    self.void_of(order, &id).await?;
                }
            }
        }
        Err(conflict(
            "the last checkout has not ended: wait for it, or release the attempt",
        ))
    }

    /// Ends every checkout that is unpaid and can be ended.
    pub(super) async fn end_checkouts(&self, id: &OrderId) -> Result<()> {
        let record = self.order(id).await?;
        for known in record.payments.iter().filter_map(|p| p.ledger.payment()) {
            let is_unpaid =
                is_open(&known.status) || matches!(known.status, PaymentStatus::Failed(_));
            if is_unpaid && self.can_void(&record, &known.id) {
                self.void_of(id, &known.id).await?;
            }
        }
        Ok(())
    }

    /// What to do, decided and stored in one commit.
    fn plan(
        &self,
        record: &mut OrderRecord<M>,
        request: &CreateRequest,
        fingerprint: &str,
        now: Timestamp,
    ) -> Result<Plan<M>> {
        if record.order.closed_at.is_some() {
            return Err(conflict("the order is closed"));
        }
        if record.paid_at.is_some() {
            return Err(conflict("the order is paid"));
        }
        let left = record.order.total.checked_sub(record.received()?)?;
        if request.amount.money() != left {
            let message = format!(
                "{left} is left to pay, and {} was asked for",
                request.amount
            );
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        let Some(last) = record.attempts.last() else {
            return Ok(self.store_attempt(record, request, fingerprint, Attempt::FIRST, now));
        };
        let (number, next) = (last.attempt, last.attempt.next());
        match last.phase {
            AttemptPhase::Stored => return Ok(Plan::Look(number)),
            AttemptPhase::Refused | AttemptPhase::NeverArrived | AttemptPhase::Released => {
                return Ok(self.store_attempt(record, request, fingerprint, next, now));
            }
            AttemptPhase::Begun => {}
        }
        if record.payments_of(number).next().is_none() {
            return Ok(Plan::Look(number));
        }
        for payment in record.payments_of(number) {
            let Some(known) = payment.ledger.payment() else {
                continue;
            };
            let id = known.id.clone();
            match &known.status {
                _ if known.is_held() => {
                    return Err(conflict("an amount is held: capture it or void it"));
                }
                PaymentStatus::Captured | PaymentStatus::Canceled | PaymentStatus::Expired => {}
                status if is_open(status) && *last.fingerprint == *fingerprint => {
                    return Ok(Plan::GiveBack(id));
                }
                status if is_open(status) => return Ok(Plan::End(id)),
                // The provider may take another try on the same page: that ends first.
                PaymentStatus::Failed(_) if self.can_void(record, &id) => return Ok(Plan::End(id)),
                PaymentStatus::Failed(_) => {}
                _ => return Err(conflict("a payment is under way: wait for its end")),
            }
        }
        Ok(self.store_attempt(record, request, fingerprint, next, now))
    }

    fn store_attempt(
        &self,
        record: &mut OrderRecord<M>,
        request: &CreateRequest,
        fingerprint: &str,
        attempt: Attempt,
        now: Timestamp,
    ) -> Plan<M> {
        let asked = request.clone().with_attempt(attempt);
        let reference = self.provider.reference(&asked);
        record.attempts.push(AttemptRecord {
            attempt,
            key: IdempotencyKey::for_creation(&reference),
            fingerprint: fingerprint.into(),
            amount: request.amount,
            capture: request.capture,
            begun_at: now,
            sent_at: now,
            phase: AttemptPhase::Stored,
            payment: None,
        });
        let what = format!("attempt {attempt} at {}", request.amount);
        record.note(now, what, None);
        Plan::Send(attempt)
    }

    /// Asks the provider for an attempt that is stored.
    async fn begin(&self, request: &CreateRequest, attempt: Attempt) -> Result<Payment<M>> {
        let order = &request.order;
        let asked = request.clone().with_attempt(attempt);
        let error = match self.provider.create(&asked).await {
            Ok(payment) => {
                let fact = Fact::Payment(Box::new(payment.clone()));
                let record = self.take_in(order, fact, "created").await?;
                if record.stale_checkouts().contains(&payment.id) {
                    self.void_of(order, &payment.id).await?;
                    return Err(conflict("the order was changed meanwhile: check out again"));
                }
                return Ok(payment);
            }
            Err(error) => error,
        };
        let refused = error.effect() == Effect::NotApplied
            && matches!(
                error.kind(),
                ErrorKind::InvalidRequest | ErrorKind::Unsupported | ErrorKind::Declined(_)
            );
        let made: Option<PaymentId<M>> = error.payment();
        if !refused && made.is_none() {
            return Err(error);
        }
        self.change(order, |record, now| {
            let mut attempts = record.attempts.iter_mut();
            let stored = attempts
                .find(|stored| stored.attempt == attempt && stored.phase == AttemptPhase::Stored);
            let Some(stored) = stored else {
                return Ok(());
            };
            match &made {
                Some(id) => {
                    stored.phase = AttemptPhase::Begun;
                    stored.payment = Some(id.clone());
                }
                None => stored.phase = AttemptPhase::Refused,
            }
            let what = format!("attempt {attempt} refused: {}", error.kind().name());
            record.note(now, what, error.code());
            Ok(())
        })
        .await?;
        if made.is_some() {
            // The refusal is known; the sweep fetches the payment if this does not.
            if let Err(later) = self.ask(order).await {
                tracing::warn!(order = %order, error = %later, "a refused payment was not fetched");
            }
        }
        Err(error)
    }

    /// Whether the attempt is to be sent again as it was, since the provider knows nothing of it.
    async fn mark_resent(
        &self,
        order: &OrderId,
        attempt: Attempt,
        fingerprint: &str,
    ) -> Result<bool> {
        let mark = |record: &mut OrderRecord<M>, now| {
            let mut attempts = record.attempts.iter_mut();
            let stored = attempts
                .find(|stored| stored.attempt == attempt && stored.phase == AttemptPhase::Stored);
            let Some(stored) = stored else {
                return Ok(false);
            };
            if *stored.fingerprint != *fingerprint || !self.remembers(stored.begun_at, now) {
                let message = "nobody knows yet what became of the last attempt: try again later";
                return Err(Error::new(ErrorKind::Unavailable, message));
            }
            stored.sent_at = now;
            Ok(true)
        };
        Ok(self.change(order, mark).await?.0)
    }

    pub(super) fn can_void(&self, record: &OrderRecord<M>, id: &PaymentId<M>) -> bool {
        let was_tried = record.commands.iter().any(|command| {
            let of = record.payment(id);
            command.operation == CommandOperation::Void
                && command.state.is_settled()
                && of.is_some_and(|payment| payment.is_called(&command.payment))
        });
        self.provider.capabilities().supports(Operation::Void) && !was_tried
    }

    pub(super) async fn take_in(
        &self,
        order: &OrderId,
        fact: Fact<M>,
        evidence: &str,
    ) -> Result<OrderRecord<M>> {
        let fold = |record: &mut OrderRecord<M>, now| record.fold(fact.clone(), evidence, now);
        Ok(self.change(order, fold).await?.1)
    }
}

enum Plan<M: Mode> {
    /// Ask the provider for this attempt, which has just been stored.
    Send(Attempt),
    /// Find out what became of this attempt.
    Look(Attempt),
    /// Give the open payment of the same wish.
    GiveBack(PaymentId<M>),
    /// End this payment, so that a new attempt can begin.
    End(PaymentId<M>),
}

impl<M: Mode> OrderRecord<M> {
    /// Whether no money can come by this attempt any more, as far as the provider has said.
    pub(super) fn is_over(&self, attempt: &AttemptRecord<M>) -> bool {
        match attempt.phase {
            AttemptPhase::Stored => false,
            AttemptPhase::Refused | AttemptPhase::NeverArrived | AttemptPhase::Released => true,
            AttemptPhase::Begun => {
                let mut payments = self.payments_of(attempt.attempt).peekable();
                payments.peek().is_some()
                    && payments.all(|payment| {
                        let known = payment.ledger.payment();
                        known.is_some_and(|known| {
                            known.status.is_final()
                                || matches!(known.status, PaymentStatus::Failed(_))
                        })
                    })
            }
        }
    }

    /// Checkouts that the shopper could still pay and that ask for something else than is left.
    pub(super) fn stale_checkouts(&self) -> Vec<PaymentId<M>> {
        let left = match self.received() {
            Ok(received) if self.order.closed_at.is_none() && self.paid_at.is_none() => {
                self.order.total.checked_sub(received).ok()
            }
            _ => None,
        };
        let known = self.payments.iter().filter_map(|p| p.ledger.payment());
        let stale = known.filter(|payment| {
            is_open(&payment.status) && payment.reference.is_some() && Some(payment.amount) != left
        });
        stale.map(|payment| payment.id.clone()).collect()
    }

    /// Whether money is held, or on its way.
    pub(super) fn holds_money(&self) -> bool {
        let mut payments = self.payments.iter().filter_map(|p| p.ledger.payment());
        payments.any(|payment| {
            let is_coming = matches!(
                payment.status,
                PaymentStatus::Pending | PaymentStatus::Unrecognized(_)
            );
            is_coming || payment.is_held()
        })
    }
}

/// Whether the shopper has not paid and still can.
const fn is_open(status: &PaymentStatus) -> bool {
    matches!(
        status,
        PaymentStatus::Created | PaymentStatus::ActionRequired
    )
}

/// A hash of what is wished for. What may differ between two clicks, such as addresses and expiry,
/// is not part of it.
fn fingerprint(request: &CreateRequest) -> String {
    let how = match &request.checkout {
        Checkout::Hosted { .. } => vec!["hosted"],
        Checkout::Embedded { .. } => vec!["embedded"],
        Checkout::Direct {
            method, presence, ..
        } => {
            let presence = match presence {
                Presence::OnSession => "on session",
                Presence::OffSession => "off session",
            };
            match method {
                DirectMethod::Token(token) => vec!["token", presence, token.expose()],
                DirectMethod::Saved { customer, method } => {
                    vec!["saved", presence, customer, method]
                }
            }
        }
    };
    let amount = request.amount.to_string();
    let capture = match request.capture {
        CaptureMode::Automatic => "automatic",
        CaptureMode::Manual => "manual",
    };
    let mut hash = Sha256::new();
    for part in [amount.as_str(), capture].into_iter().chain(how) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hex::encode(hash.finalize())
}
