//! Webhooks: verified, and stored before they are answered. What a webhook says of an order that is
//! known is stored in the commit that changes the order; anything else is stored, and then acted
//! on.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fold::Fact;
use super::offer::{NotTaken, Offered};
use super::records::OrderRecord;
use super::store::{Batch, Commit, EventRow};
use super::{APPLIED, Cashier};
use crate::capability::Operation;
use crate::error::{Error, ErrorKind, Result};
use crate::handle::Provider;
use crate::id::{OrderId, ProviderName};
use crate::mode::Mode;
use crate::payment::Payment;
use crate::webhook::{
    Authenticity, Event, EventKind, SetAside, SetAsideReason, WebhookRefusal, WebhookRequest,
};

/// How long the notice of a capture, refund or dispute waits for that of its payment, where the
/// provider cannot be asked and the notice names no order: 30 days, as long as any provider known
/// here goes on sending (Adyen).
const WAITS_FOR_PAYMENT: Duration = Duration::from_secs(30 * 86_400);

/// How long an event waits for an order that was not placed yet: 30 days as well.
pub(super) const WAITS_FOR_ORDER: Duration = WAITS_FOR_PAYMENT;
/// The outcome of an event that could not be read and is about nothing that is known here.
pub(super) const UNREADABLE: &str = "unreadable";
/// How long the provider may know nothing of what a notice is about, before it is taken for forged:
/// a day.
pub(super) const PROVEN_WITHIN: Duration = Duration::from_secs(86_400);

/// What became of a webhook.
#[derive(Debug)]
#[must_use = "the provider waits for the answer"]
#[non_exhaustive]
pub struct Received<M: Mode> {
    /// The HTTP status to answer: 200 once everything is stored, otherwise one that makes the
    /// provider send again where that can help.
    pub answer: u16,
    /// The orders that it was about and that have taken it in.
    pub orders: Vec<OrderId>,
    /// Every verified event of it, also those about no order: payouts, warnings, types that this
    /// library does not know. They are stored by then, and one that was sent before is among them
    /// again. Behind [`Authenticity::HeaderOnly`], [prove](Provider::prove) an event before you act
    /// on it.
    pub events: Vec<Event<M>>,
    /// Verified notices of another mode, account or installation than any that is here. They are
    /// kept and counted, and change nothing.
    pub ignored: Vec<SetAside>,
    /// Why it was refused, not stored, or not taken in yet. What is stored is taken in by the
    /// sweep.
    pub error: Option<Error>,
}

impl<M: Mode> Cashier<M> {
    /// Takes in a webhook: verifies it, stores its events, and brings the orders up to date.
    ///
    /// With several providers it goes to the one whose secret signed it and whose account it names;
    /// a batch may be for several. An event of an order that was not placed yet waits for it. One
    /// of another mode, account or installation is kept apart and changes nothing. One that is
    /// verified and cannot be read is kept, and raised for review if it names an order or payment
    /// of here.
    pub async fn receive(&self, request: &WebhookRequest) -> Received<M> {
        self.receive_by(None, request).await
    }

    /// As [`receive`](Self::receive), for the endpoint of one provider of several: what it refuses
    /// is refused. What is signed for it and of another account is offered to the others. A name
    /// that is not known is answered with 404.
    pub async fn receive_from(&self, name: &str, request: &WebhookRequest) -> Received<M> {
        let mut all = self.providers.iter();
        match all.find(|provider| provider.name().as_str() == name) {
            Some(provider) => self.receive_by(Some(provider), request).await,
            None => {
                let message = "no provider is called that here: see the address of the endpoint";
                refused(404, Error::new(ErrorKind::NotFound, message))
            }
        }
    }

    async fn receive_by(
        &self,
        first: Option<&Provider<M>>,
        request: &WebhookRequest,
    ) -> Received<M> {
        let offered = match self.offer(first, request).await {
            Ok(offered) => offered,
            Err(NotTaken::Refused(provider, refusal)) => {
                self.counts.refused(&provider, &refusal, self.now());
                return refused(refusal.answer(), refusal.into());
            }
            Err(NotTaken::Ambiguous) => {
                let message = "several providers here would take this webhook, as where one \
                               account has two names: say whose it is with receive_from";
                return refused(500, Error::new(ErrorKind::Settings, message));
            }
        };
        let rejected = offered.count(&self.counts, self.now());
        let mut received = Received {
            answer: rejected.as_ref().map_or(200, WebhookRefusal::answer),
            orders: Vec::new(),
            events: Vec::new(),
            ignored: Vec::new(),
            error: rejected.map(Error::from),
        };
        let notices = match self.notices(&offered) {
            Ok(notices) => notices,
            Err(error) => return refused(500, error),
        };
        received.events = offered.events.into_iter().map(|(_, event)| event).collect();
        received.ignored = offered.ignored.into_iter().map(|(_, one)| one).collect();
        if let [only] = notices.as_slice()
            && let Some(record) = self.store_and_apply(only).await
        {
            let failure = self.complete_approved(&record).await.err();
            received.error = received.error.or(failure);
            received.orders.push(record.order.id);
            return received;
        }
        let new = match self.store_events(notices).await {
            Ok(new) => new,
            Err(error) => return refused(500, error),
        };
        for Notice { row, says } in new {
            match self.process(&row, says).await {
                Ok(order) => received.orders.extend(order),
                Err(error) => received.error = received.error.or(Some(error)),
            }
        }
        received
    }

    /// Stores a notice in the very commit that takes it into its order, and gives the order.
    ///
    /// `None` for whatever stands in the way: the order is not there, another writer is faster, the
    /// provider must be asked, the notice contradicts or is not new, the store breaks. The notice
    /// is then stored by itself, unless it is there by now.
    async fn store_and_apply(&self, notice: &Notice<M>) -> Option<OrderRecord<M>> {
        let Notice { row, says } = notice;
        let fact = says.fact.as_ref().filter(|_| says.is_proven)?;
        let order = match fact {
            Fact::Payment(payment) => self.owner_of(payment).await,
            Fact::Unclear(_) | Fact::Unreadable(_) | Fact::Payout(_) => return None,
            of_payment => {
                let payment = of_payment.payment()?.to_string();
                self.store.order_of_payment(&payment).await
            }
        };
        let order = order.ok()??;
        let stored = self.read(&order).await.ok()??;
        let fold = |record: &mut OrderRecord<M>, now| record.fold(fact.clone(), &row.id, now);
        let ((), record, batch) = self.edited(stored, fold).ok()?;
        let event = EventRow {
            order: Some(order),
            outcome: Some(APPLIED.to_owned()),
            ..row.clone()
        };
        let batch = Batch {
            new_events: vec![event],
            follows_from_events: true,
            ..batch
        };
        let is_applied = self.commit_change(batch).await.ok()?;
        is_applied.then_some(record)
    }

    /// Stores notices and gives those that are new and to be acted on.
    async fn store_events(&self, mut notices: Vec<Notice<M>>) -> Result<Vec<Notice<M>>> {
        if notices.is_empty() {
            return Ok(notices);
        }
        let batch = Batch {
            new_events: notices.iter().map(|notice| notice.row.clone()).collect(),
            ..Batch::new(M::KIND)
        };
        if let Commit::Applied { added_events } = self.store.commit(batch).await? {
            let is_new = |row: &EventRow| added_events.contains(&row.id);
            notices.retain(|Notice { row, .. }| row.outcome.is_none() && is_new(row));
        }
        Ok(notices)
    }

    fn notices(&self, offered: &Offered<M>) -> Result<Vec<Notice<M>>> {
        let events = offered.events.iter().map(|(_, event)| self.notice(event));
        let ignored = offered.ignored.iter();
        let ignored = ignored.map(|(provider, aside)| self.notice_set_aside(provider, aside));
        events.chain(ignored).collect()
    }

    fn notice(&self, event: &Event<M>) -> Result<Notice<M>> {
        let fact = Fact::of(event.kind());
        let is_unreadable = matches!(event.kind(), EventKind::Unreadable(_));
        let outcome = match event.kind() {
            EventKind::Unrecognized => Some("unrecognized".to_owned()),
            EventKind::Unreadable(of) if of.payments.is_empty() && event.reference().is_none() => {
                Some(UNREADABLE.to_owned())
            }
            _ if fact.is_none() => Some("not_about_orders".to_owned()),
            _ => None,
        };
        let reference = event.reference();
        let says = StoredEvent {
            type_text: event.type_text().into(),
            is_proven: event.authenticity() != Authenticity::HeaderOnly,
            fact,
        };
        let body = as_json(&says)?;
        // What is unreadable here another version may read, when it is sent again.
        let id = match is_unreadable {
            true => format!("{}:{UNREADABLE}", event.id()),
            false => event.id().to_string(),
        };
        let row = EventRow {
            id,
            order: reference.map(|reference| reference.order.clone()),
            received_at: self.now(),
            due_at: self.now(),
            outcome,
            body,
        };
        Ok(Notice { row, says })
    }

    fn notice_set_aside(&self, provider: &ProviderName, aside: &SetAside) -> Result<Notice<M>> {
        let reason = match aside.reason {
            SetAsideReason::WrongMode { found } => format!("set_aside: {found} mode"),
            SetAsideReason::OtherAccount => "set_aside: another account".to_owned(),
            SetAsideReason::OtherInstallation => "set_aside: another installation".to_owned(),
        };
        let row = EventRow {
            id: format!("{provider}:set_aside:{}", aside.id),
            order: None,
            received_at: self.now(),
            due_at: self.now(),
            outcome: Some(reason),
            body: as_json(aside)?,
        };
        let says = StoredEvent {
            type_text: Box::default(),
            is_proven: true,
            fact: None,
        };
        Ok(Notice { row, says })
    }

    /// Takes an event from the inbox into its order, and gives the order unless it still waits.
    pub(super) async fn process_stored(&self, event: &EventRow) -> Result<Option<OrderId>> {
        let says = serde_json::from_str(&event.body).map_err(|error| {
            let message = "the stored event is of another mode or of a newer version";
            Error::new(ErrorKind::UnexpectedResponse, message).with_source(error)
        })?;
        self.process(event, says).await
    }

    async fn process(&self, event: &EventRow, stored: StoredEvent<M>) -> Result<Option<OrderId>> {
        let Some(fact) = stored.fact else {
            return Ok(None);
        };
        if let Some(payout) = fact.payout() {
            return self.process_payout(event, payout, stored.is_proven).await;
        }
        if let Fact::Unreadable(unreadable) = &fact {
            let is_proven = stored.is_proven;
            return self.process_unreadable(event, unreadable, is_proven).await;
        }
        let age = self.now().abs_diff(event.received_at);
        let fact = if stored.is_proven {
            fact
        } else {
            match self.prove(fact).await {
                Err(error) if error.kind() == &ErrorKind::NotFound && age > PROVEN_WITHIN => {
                    self.finish(&event.id, "unproven").await?;
                    return Ok(None);
                }
                proven => proven?,
            }
        };
        let owner = match (&fact, &event.order) {
            (Fact::Unclear(_), Some(order)) => Owner::Order(order.clone(), None),
            _ => self.owner(&fact, self.may_wait(event)).await?,
        };
        let (order, payment) = match owner {
            Owner::Order(order, payment) => (order, payment),
            Owner::Nobody => return self.finish_unmatched(event, &fact).await,
            Owner::NotYet => return Ok(None),
        };
        let fold = |record: &mut OrderRecord<M>, now| {
            if let Some(payment) = payment.clone() {
                record.fold(Fact::Payment(payment), &event.id, now)?;
            }
            record.fold(fact.clone(), &event.id, now)
        };
        match self.change_and_finish(&order, Some(&event.id), fold).await {
            Ok(Some((_, record))) => {
                self.complete_approved(&record).await?;
                Ok(Some(order))
            }
            Ok(None) => {
                if age > WAITS_FOR_ORDER {
                    return self.finish_unmatched(event, &fact).await;
                }
                Ok(None)
            }
            // What does not fit the record will not do so the next time either.
            Err(error) if error.kind() == &ErrorKind::Conflict => {
                let raise = |record: &mut OrderRecord<M>, now| {
                    record.raise_contradiction(&fact, &error, &event.id, now);
                    Ok(())
                };
                self.change_and_finish(&order, Some(&event.id), raise)
                    .await?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    pub(super) async fn finish_unmatched(
        &self,
        event: &EventRow,
        fact: &Fact<M>,
    ) -> Result<Option<OrderId>> {
        self.finish(&event.id, "unmatched").await?;
        if let Some(payment) = fact.payment() {
            self.counts.unmatched(payment.provider());
        }
        Ok(None)
    }

    pub(super) async fn finish(&self, event: &str, outcome: &str) -> Result<()> {
        let batch = Batch {
            finished_events: vec![(event.to_owned(), outcome.to_owned())],
            ..Batch::new(M::KIND)
        };
        self.store.commit(batch).await?;
        Ok(())
    }

    /// Asks the provider for what a notice whose signature does not cover its body is about.
    async fn prove(&self, claimed: Fact<M>) -> Result<Fact<M>> {
        let Some(payment) = claimed.payment() else {
            return Ok(claimed);
        };
        let provider = self.provider_of(payment)?;
        let proven = provider.look_up(&claimed.into()).await?;
        Fact::of(&proven).ok_or_else(|| {
            let message = "the provider answered with another thing than was asked for";
            Error::new(ErrorKind::UnexpectedResponse, message)
        })
    }

    /// The order that a fact belongs to, and the payment if it must be taken in before the fact.
    pub(super) async fn owner(&self, fact: &Fact<M>, may_wait: bool) -> Result<Owner<M>> {
        if let Fact::Payment(payment) = fact {
            let order = self.owner_of(payment).await?;
            return Ok(order.map_or(Owner::Nobody, |order| Owner::Order(order, None)));
        }
        let Some(id) = fact.payment() else {
            return Ok(Owner::Nobody);
        };
        if let Some(order) = self.store.order_of_payment(&id.to_string()).await? {
            let known = self.read(&order).await?;
            if known.is_some_and(|known| known.record.payment(id).is_some()) {
                return Ok(Owner::Order(order, None));
            }
        }
        if !self.supports(id, Operation::FetchPayment) {
            return Ok(match may_wait {
                true => Owner::NotYet,
                false => Owner::Nobody,
            });
        }
        let payment = match self.provider_of(id)?.fetch_payment(id).await {
            Ok(payment) => payment,
            // Not in this account, or of another installation on it.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Conflict) => {
                return Ok(Owner::Nobody);
            }
            Err(error) => return Err(error),
        };
        let order = self.owner_of(&payment).await?;
        let owned = |order| Owner::Order(order, Some(Box::new(payment)));
        Ok(order.map_or(Owner::Nobody, owned))
    }

    /// Whether the notice of the payment itself may still come, if it is one of ours at all.
    fn may_wait(&self, event: &EventRow) -> bool {
        let is_young = self.now().abs_diff(event.received_at) < WAITS_FOR_PAYMENT;
        is_young || event.order.is_some()
    }

    pub(super) async fn owner_of(&self, payment: &Payment<M>) -> Result<Option<OrderId>> {
        let provider = self.provider_of(&payment.id)?;
        match &payment.reference {
            Some(reference) if reference.namespace == *provider.namespace() => {
                return Ok(Some(reference.order.clone()));
            }
            Some(_) => return Ok(None),
            None => {}
        }
        for id in payment.ids() {
            if let Some(order) = self.store.order_of_payment(&id.to_string()).await? {
                return Ok(Some(order));
            }
        }
        Ok(None)
    }
}

fn as_json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| {
        let message = "the event cannot be written as JSON";
        Error::new(ErrorKind::UnexpectedResponse, message).with_source(error)
    })
}

fn refused<M: Mode>(answer: u16, error: Error) -> Received<M> {
    Received {
        answer,
        orders: Vec::new(),
        events: Vec::new(),
        ignored: Vec::new(),
        error: Some(error),
    }
}

/// Whose a fact is.
pub(super) enum Owner<M: Mode> {
    /// This order's, and the payment must be taken in before the fact.
    Order(OrderId, Option<Box<Payment<M>>>),
    /// No order's of this installation.
    Nobody,
    /// Not known before the notice of its payment has come.
    NotYet,
}

/// An event that has just come, as a row of the inbox and as what that says.
struct Notice<M: Mode> {
    row: EventRow,
    says: StoredEvent<M>,
}

/// An event as the inbox keeps it: what it says in this library's terms, without the payload.
#[derive(Serialize, Deserialize)]
#[serde(bound = "", deny_unknown_fields)]
struct StoredEvent<M: Mode> {
    type_text: Box<str>,
    is_proven: bool,
    fact: Option<Fact<M>>,
}
