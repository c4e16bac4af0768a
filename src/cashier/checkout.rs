//! Checking out: an attempt is stored before the provider is asked, and the same wish again gets
//! the same attempt.

use sha2::{Digest, Sha256};
use tracing::field::Empty;

use super::Cashier;
use super::ending::is_open;
use super::fold::Fact;
use super::orders::conflict;
use super::records::{AttemptPhase, AttemptRecord, OrderRecord, PaymentRecord};
use super::routes::allows_another;
use crate::capability::Operation;
use crate::clock::Timestamp;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::handle::Provider;
use crate::id::{Attempt, IdempotencyKey, OrderId, PaymentId, ProviderName};
use crate::mode::Mode;
use crate::payment::{Payment, PaymentStatus};
use crate::request::{CaptureMode, Checkout, CreateRequest, DirectMethod, Presence};
use crate::telemetry::{CASHIER_CHECK_OUT, TARGET, unfinished, within};

/// How many steps one call takes to bring earlier attempts to an end before it gives up.
const MOST_STEPS: usize = 6;
const CANNOT_BE_ENDED: &str = "another checkout is open and cannot be ended: let the shopper finish \
                               it, wait until it ends, or release the attempt";

impl<M: Mode> Cashier<M> {
    /// Begins to pay an order, and says what the shopper must do next in [`Payment::next_action`].
    ///
    /// `request.amount` must be what is left to pay, so that a page that shows an old amount begins
    /// nothing; `request.attempt` is not looked at, since the attempt is chosen here. The same wish
    /// again, as by a double click, gives the same payment. A new attempt begins once the last has
    /// ended; an open checkout for another wish is ended first.
    ///
    /// With several providers, [`Routes`](super::Routes) choose among them. The next one is tried
    /// only if the first has said that it began nothing; while nobody knows, the attempt stays
    /// where it is.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if the order is paid or closed, costs something else, or is being
    /// paid; [`ErrorKind::NotFound`] if it was not placed; [`ErrorKind::Unavailable`] while nobody
    /// knows what became of the last attempt; [`ErrorKind::Unsupported`] if no route fits; and the
    /// provider's. After [`Effect::Unknown`] call it again: the provider is asked before anything
    /// is sent.
    pub async fn check_out(&self, request: &CreateRequest) -> Result<Payment<M>> {
        self.check_out_by(None, request).await
    }

    /// As [`check_out`](Self::check_out), by the provider of this name and no other: a token
    /// belongs to the provider whose script made it.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] if no provider is called that, and those of
    /// [`check_out`](Self::check_out).
    pub async fn check_out_with(
        &self,
        provider: &ProviderName,
        request: &CreateRequest,
    ) -> Result<Payment<M>> {
        self.check_out_by(Some(provider), request).await
    }

    async fn check_out_by(
        &self,
        wanted: Option<&ProviderName>,
        request: &CreateRequest,
    ) -> Result<Payment<M>> {
        let span = tracing::info_span!(
            target: TARGET,
            CASHIER_CHECK_OUT,
            mode = M::KIND.as_str(),
            outcome = Empty,
            effect = Empty,
            order = %request.order,
        );
        within(span, self.check_out_in_turn(wanted, request)).await
    }

    async fn check_out_in_turn(
        &self,
        wanted: Option<&ProviderName>,
        request: &CreateRequest,
    ) -> Result<Payment<M>> {
        let order = &request.order;
        let _turn = self.turns.take(order).await;
        let fingerprint = fingerprint(request, wanted);
        let mut candidates = self.candidates(request, wanted).map(Vec::into_iter);
        let mut next = candidates.as_mut().ok().and_then(Iterator::next);
        let mut failure = None;
        for _ in 0..MOST_STEPS + self.providers.len() {
            let plan = |record: &mut OrderRecord<M>, now| {
                self.plan(record, request, &fingerprint, next, now)
            };
            let (plan, _) = self.change(order, plan).await?;
            match plan {
                Plan::Send(attempt, provider) => {
                    let error = match self.begin(request, attempt, &provider).await {
                        Ok(payment) => return Ok(payment),
                        Err(error) => error,
                    };
                    let record = self.order(order).await.map_err(Error::into_unknown)?;
                    let is_over = record.is_refused(attempt);
                    if !is_over || !allows_another(&error) {
                        return Err(error);
                    }
                    next = candidates.as_mut().ok().and_then(Iterator::next);
                    failure = Some(error);
                }
                Plan::NoProvider => {
                    let message = "no provider can take this checkout";
                    let none = || Error::new(ErrorKind::Unsupported, message);
                    return Err(failure.or(candidates.err()).unwrap_or_else(none));
                }
                Plan::Look(attempt) => {
                    self.ask(order).await?;
                    if let Some(provider) = self.mark_resent(order, attempt, &fingerprint).await? {
                        return self.begin(request, attempt, &provider).await;
                    }
                }
                Plan::GiveBack(id) => {
                    let payment = self.provider_of(&id)?.fetch_payment(&id).await?;
                    self.take_in(order, Fact::Payment(Box::new(payment.clone())), "asked")
                        .await?;
                    if is_open(&payment.status) {
                        return Ok(payment);
                    }
                }
                Plan::SendAgain(attempt) => {
                    if let Some(provider) = self.mark_resent(order, attempt, &fingerprint).await? {
                        return self.begin(request, attempt, &provider).await;
                    }
                }
                Plan::End(id) => match self.void_of(order, &id).await {
                    // It ends by time: whether another may begin before is planned anew.
                    Err(error) if *error.kind() == ErrorKind::Unsupported => {}
                    ended => drop(ended?),
                },
            }
        }
        Err(conflict(
            "the last checkout has not ended: wait for it, or release the attempt",
        ))
    }

    /// What to do, decided and stored in one commit.
    fn plan(
        &self,
        record: &mut OrderRecord<M>,
        request: &CreateRequest,
        fingerprint: &str,
        next: Option<&Provider<M>>,
        now: Timestamp,
    ) -> Result<Plan<M>> {
        if record.order.closed_at.is_some() {
            return Err(conflict("the order is closed"));
        }
        if record.paid_at.is_some() {
            return Err(conflict("the order is paid"));
        }
        let left = record.left_to_pay()?;
        if request.amount.money() != left {
            let message = format!(
                "{left} is left to pay, and {} was asked for",
                request.amount
            );
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        if let Some(attempt) = record.being_paid()? {
            return Ok(Plan::Look(attempt));
        }
        if let Some(last) = record.attempts.last()
            && let Some(plan) = self.plan_for(record, last, fingerprint, now)?
        {
            return Ok(plan);
        }
        let Some(provider) = next else {
            return Ok(Plan::NoProvider);
        };
        Ok(store_attempt(record, provider, request, fingerprint, now))
    }

    /// What the last attempt still needs before another can begin.
    fn plan_for(
        &self,
        record: &OrderRecord<M>,
        last: &AttemptRecord<M>,
        fingerprint: &str,
        now: Timestamp,
    ) -> Result<Option<Plan<M>>> {
        let number = last.attempt;
        match last.phase {
            AttemptPhase::Stored => return Ok(Some(Plan::Look(number))),
            AttemptPhase::Refused | AttemptPhase::NeverArrived | AttemptPhase::Released => {
                return Ok(None);
            }
            AttemptPhase::Begun => {}
        }
        if record.payments_of(number).next().is_none() {
            return Ok(Some(Plan::Look(number)));
        }
        for payment in record.payments_of(number) {
            let Some(known) = payment.ledger.payment() else {
                continue;
            };
            let id = known.id.clone();
            let is_same = *last.fingerprint == *fingerprint;
            match &known.status {
                PaymentStatus::Captured | PaymentStatus::Canceled | PaymentStatus::Expired => {}
                PaymentStatus::Approved if is_same && !record.was_refused(&id) => {
                    // Looking at it completes it.
                    return Ok(Some(Plan::Look(number)));
                }
                status if is_open(status) && self.has_ended_unheard(known, now) => {}
                status if is_open(status) && is_same => {
                    let can_fetch = self.supports(&id, Operation::FetchPayment);
                    return Ok(Some(match can_fetch {
                        true => Plan::GiveBack(id),
                        false => Plan::SendAgain(number),
                    }));
                }
                status if is_open(status) && self.can_void(record, &id) => {
                    return Ok(Some(Plan::End(id)));
                }
                // Nothing moves unless it is completed from here.
                status if is_open(status) && last.is_completed_here => {}
                PaymentStatus::Approved if last.is_completed_here => {}
                status if is_open(status) => {
                    return Err(conflict(CANNOT_BE_ENDED));
                }
                // The provider may take another try on the same page: that ends first.
                PaymentStatus::Failed(_) if self.can_void(record, &id) => {
                    return Ok(Some(Plan::End(id)));
                }
                PaymentStatus::Failed(_)
                    if last.is_completed_here || !self.takes_another_try(known, now) => {}
                PaymentStatus::Failed(_) if is_same => return Ok(Some(Plan::SendAgain(number))),
                PaymentStatus::Failed(_) => return Err(conflict(CANNOT_BE_ENDED)),
                _ => return Err(conflict("a payment is under way: wait for its end")),
            }
        }
        Ok(None)
    }

    /// Asks the provider for an attempt that is stored.
    async fn begin(
        &self,
        request: &CreateRequest,
        attempt: Attempt,
        provider: &ProviderName,
    ) -> Result<Payment<M>> {
        let order = &request.order;
        let asked = request.clone().with_attempt(attempt);
        let created = self.provider(provider)?.create(&asked).await;
        let outcome = created.as_ref().err();
        self.wellness
            .note(provider, outcome, &self.routes, self.now());
        let error = match created {
            Ok(payment) => {
                let fact = Fact::Payment(Box::new(payment.clone()));
                let taken_in = self.take_in(order, fact, "created").await;
                let record = taken_in.map_err(Error::into_unknown)?;
                if record.stale_checkouts().contains(&payment.id) {
                    if self.can_void(&record, &payment.id) {
                        self.void_of(order, &payment.id).await?;
                    }
                    return Err(conflict("the order was changed meanwhile: check out again"));
                }
                return Ok(payment);
            }
            Err(error) => error,
        };
        let is_refusal = matches!(
            error.kind(),
            ErrorKind::InvalidRequest | ErrorKind::Declined(_)
        );
        let is_not_applied = error.effect() == Effect::NotApplied;
        let made: Option<PaymentId<M>> = error.payment();
        if !is_not_applied && made.is_none() {
            return Err(error);
        }
        let reference = self.provider(provider)?.reference(&asked);
        let changed = self.change(order, |record, now| {
            let mut attempts = record.attempts.iter_mut();
            let stored = attempts
                .find(|stored| stored.attempt == attempt && stored.phase == AttemptPhase::Stored);
            let Some(stored) = stored else {
                return Ok(());
            };
            let mut refused = None;
            match &made {
                Some(id) => {
                    stored.phase = AttemptPhase::Begun;
                    stored.payment = Some(id.clone());
                    // What was sent before and got no answer may have made another payment.
                    if let (ErrorKind::Declined(decline), 1) = (error.kind(), stored.sends)
                        && is_not_applied
                        && !self.supports(id, Operation::FetchPayment)
                    {
                        let status = PaymentStatus::Failed(decline.clone());
                        let mut payment =
                            Payment::new(id.clone(), status, stored.amount.money(), now);
                        payment.reference = Some(reference.clone());
                        refused = Some(Fact::Payment(Box::new(payment)));
                    }
                }
                // That one call did nothing says nothing about an earlier or a parallel one.
                None if !is_refusal && stored.sends != 1 => return Ok(()),
                None => stored.phase = AttemptPhase::Refused,
            }
            let what = format!("attempt {attempt} refused: {}", error.kind().name());
            record.note(now, what, error.code());
            // Its own answer is final where it cannot be asked again.
            refused.map_or(Ok(()), |fact| record.fold(fact, "answered", now))
        });
        changed.await.map_err(Error::into_unknown)?;
        if made.is_some() {
            // The refusal is known; the sweep fetches the payment if this does not.
            if let Err(later) = self.ask(order).await {
                unfinished("refused payment", order, &later);
            }
        }
        Err(error)
    }

    /// Marks the attempt as sent again as it was, and gives its provider, unless its outcome has
    /// become known.
    async fn mark_resent(
        &self,
        order: &OrderId,
        attempt: Attempt,
        fingerprint: &str,
    ) -> Result<Option<ProviderName>> {
        let mark = |record: &mut OrderRecord<M>, now| {
            let mut attempts = record.attempts.iter_mut();
            let stored = attempts.find(|stored| {
                let is_open = matches!(stored.phase, AttemptPhase::Stored | AttemptPhase::Begun);
                stored.attempt == attempt && is_open
            });
            let Some(stored) = stored else {
                return Ok(None);
            };
            let is_unheard = stored.phase == AttemptPhase::Stored;
            let can_fetch =
                |provider: &Provider<M>| provider.capabilities().supports(Operation::FetchPayment);
            if !is_unheard && self.provider(&stored.provider).is_ok_and(can_fetch) {
                return Ok(None);
            }
            let is_remembered = self.remembers(&stored.provider, stored.begun_at, now);
            if *stored.fingerprint != *fingerprint || !is_remembered {
                let message = "nobody knows yet what became of the last attempt: try again later";
                return Err(Error::new(ErrorKind::Unavailable, message));
            }
            stored.sent_at = now;
            stored.sends = stored.sends.saturating_add(1);
            Ok(Some(stored.provider.clone()))
        };
        Ok(self.change(order, mark).await?.0)
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
    /// Ask this provider for this attempt, which has just been stored.
    Send(Attempt, ProviderName),
    /// There is no provider for a new attempt.
    NoProvider,
    /// Find out what became of this attempt.
    Look(Attempt),
    /// Give the open payment of the same wish.
    GiveBack(PaymentId<M>),
    /// Send this attempt again under its key, since the provider gives its open payment in no other
    /// way.
    SendAgain(Attempt),
    /// End this payment, so that a new attempt can begin.
    End(PaymentId<M>),
}

fn store_attempt<M: Mode>(
    record: &mut OrderRecord<M>,
    provider: &Provider<M>,
    request: &CreateRequest,
    fingerprint: &str,
    now: Timestamp,
) -> Plan<M> {
    let attempt = record.next_attempt();
    let asked = request.clone().with_attempt(attempt);
    let reference = provider.reference(&asked);
    record.forgo_what_went_back();
    record.attempts.push(AttemptRecord {
        attempt,
        provider: provider.name().clone(),
        is_completed_here: provider.capabilities().supports(Operation::Complete),
        key: IdempotencyKey::for_creation(&reference),
        fingerprint: fingerprint.into(),
        amount: request.amount,
        capture: request.capture,
        begun_at: now,
        sent_at: now,
        sends: 1,
        phase: AttemptPhase::Stored,
        payment: None,
        is_direct: matches!(request.checkout, Checkout::Direct { .. }),
    });
    let what = format!(
        "attempt {attempt} at {} by {}",
        request.amount,
        provider.name()
    );
    record.note(now, what, None);
    Plan::Send(attempt, provider.name().clone())
}

impl<M: Mode> OrderRecord<M> {
    /// Whether the provider has refused this attempt without making a payment.
    fn is_refused(&self, attempt: Attempt) -> bool {
        let mut attempts = self.attempts.iter();
        attempts.any(|a| a.attempt == attempt && a.phase == AttemptPhase::Refused)
    }

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
                        known.is_some_and(|known| match known.status {
                            PaymentStatus::Failed(_) => true,
                            PaymentStatus::Created
                            | PaymentStatus::ActionRequired
                            | PaymentStatus::Approved => attempt.is_completed_here,
                            _ => known.status.is_final(),
                        })
                    })
            }
        }
    }

    /// The attempt that is being completed, if there is one: nothing begins beside it.
    ///
    /// Every attempt counts and not only the last, since the shopper may have gone back to an
    /// earlier page. One that was released does not.
    pub(super) fn being_paid(&self) -> Result<Option<Attempt>> {
        let mut completing = None;
        for entry in &self.payments {
            let known = entry.ledger.payment();
            let Some(known) = known.filter(|_| !self.is_released(entry)) else {
                continue;
            };
            if known.is_held() {
                return Err(conflict("an amount is held: capture it or void it"));
            }
            if is_coming(&known.status) {
                return Err(conflict("a payment is under way: wait for its end"));
            }
            if self.is_completing(entry) {
                completing = entry.attempt;
            }
        }
        Ok(completing)
    }

    /// Whether a person has decided not to wait for it.
    pub(super) fn is_released(&self, entry: &PaymentRecord<M>) -> bool {
        self.attempts.iter().any(|attempt| {
            Some(attempt.attempt) == entry.attempt && attempt.phase == AttemptPhase::Released
        })
    }

    /// Whether money is held, or on its way.
    pub(super) fn holds_money(&self) -> bool {
        let mut payments = self.payments.iter().filter_map(|p| p.ledger.payment());
        payments.any(|payment| is_coming(&payment.status) || payment.is_held())
    }
}

/// Whether the provider is at work on it.
const fn is_coming(status: &PaymentStatus) -> bool {
    matches!(
        status,
        PaymentStatus::Pending | PaymentStatus::Unrecognized(_)
    )
}

/// A hash of what is wished for. What may differ between two clicks, such as addresses and expiry,
/// is not part of it.
fn fingerprint(request: &CreateRequest, wanted: Option<&ProviderName>) -> String {
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
    let wanted = wanted.map_or("", ProviderName::as_str);
    for part in [amount.as_str(), capture, wanted].into_iter().chain(how) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hex::encode(hash.finalize())
}
