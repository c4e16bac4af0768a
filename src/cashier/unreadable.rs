//! Verified events that could not be interpreted: raised for review on the order that they name, and
//! kept apart otherwise.

use super::Cashier;
use super::fold::Fact;
use super::receive::{UNREADABLE, WAITS_FOR_ORDER};
use super::records::OrderRecord;
use super::store::EventRow;
use crate::capability::Operation;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{OrderId, PaymentId};
use crate::mode::Mode;
use crate::payment::Payment;
use crate::webhook::UnreadableEvent;

impl<M: Mode> Cashier<M> {
    /// Takes an event that could not be read into the order that it is about, as something to
    /// review. What the provider says of its payment, when it is asked, is taken in as well.
    ///
    /// An event that does not prove what it names raises nothing by itself: the provider is asked,
    /// and only if its own answer cannot be read either is the order reviewed.
    pub(super) async fn process_unreadable(
        &self,
        event: &EventRow,
        unreadable: &UnreadableEvent<M>,
        is_proven: bool,
    ) -> Result<Option<OrderId>> {
        let known = match (&event.order, is_proven) {
            (Some(order), true) => Some(order.clone()),
            _ => self.order_of_any(unreadable).await?,
        };
        let asked = match known.is_none() || !is_proven {
            true => self.ask_for(unreadable).await?,
            false => Asked::Unneeded,
        };
        let (order, payment) = match asked {
            Asked::Found(payment) => (self.owner_of(&payment).await?, Some(payment)),
            Asked::Unreadable(id) => (self.store.order_of_payment(&id.to_string()).await?, None),
            Asked::Unneeded => (known, None),
            Asked::Nothing => (known.filter(|_| is_proven), None),
        };
        let Some(order) = order else {
            return self.finish_unreadable(event).await;
        };
        let is_raised = is_proven || payment.is_none();
        let fold = |record: &mut OrderRecord<M>, now| {
            if let Some(payment) = payment.clone() {
                record.fold(Fact::Payment(payment), &event.id, now)?;
            }
            if is_raised {
                let fact = Fact::Unreadable(Box::new(unreadable.clone()));
                record.fold(fact, &event.id, now)?;
            }
            Ok(())
        };
        match self.change_and_finish(&order, Some(&event.id), fold).await {
            Ok(Some(_)) => Ok(Some(order)),
            Ok(None) if self.now().abs_diff(event.received_at) > WAITS_FOR_ORDER => {
                self.finish_unreadable(event).await
            }
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn finish_unreadable(&self, event: &EventRow) -> Result<Option<OrderId>> {
        self.finish(&event.id, UNREADABLE).await?;
        Ok(None)
    }

    async fn order_of_any(&self, unreadable: &UnreadableEvent<M>) -> Result<Option<OrderId>> {
        for id in &unreadable.payments {
            if let Some(order) = self.store.order_of_payment(&id.to_string()).await? {
                return Ok(Some(order));
            }
        }
        Ok(None)
    }

    /// Asks for the payments that it names until one is found. An error is one that another try may
    /// not meet.
    async fn ask_for(&self, unreadable: &UnreadableEvent<M>) -> Result<Asked<M>> {
        let mut asked = Asked::Nothing;
        for id in &unreadable.payments {
            if !self.supports(id, Operation::FetchPayment) {
                continue;
            }
            match self.provider_of(id)?.fetch_payment(id).await {
                Ok(payment) => return Ok(Asked::Found(Box::new(payment))),
                Err(error) if *error.kind() == ErrorKind::UnexpectedResponse => {
                    asked = Asked::Unreadable(id.clone());
                }
                Err(error) if is_final(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(asked)
    }
}

/// What the provider has answered about the payments of an event.
enum Asked<M: Mode> {
    Unneeded,
    /// It has none of them, or cannot be asked.
    Nothing,
    /// It has one, and what it says of that cannot be read either.
    Unreadable(PaymentId<M>),
    Found(Box<Payment<M>>),
}

/// Whether the answer will be the same the next time.
fn is_final(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound
            | ErrorKind::Conflict
            | ErrorKind::InvalidRequest
            | ErrorKind::Unsupported
            | ErrorKind::WrongMode
    )
}
