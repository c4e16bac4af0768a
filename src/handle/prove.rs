//! Events whose signature leaves the body out, made sure of.

use futures_util::{Stream, StreamExt, pin_mut};

use super::Provider;
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::mode::Mode;
use crate::request::Period;
use crate::webhook::{Authenticity, Event, EventKind};

/// How much earlier than an event says a thing may have been made, for clocks that differ: a day.
const EARLIER: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

impl<M: Mode> Provider<M> {
    /// Makes sure of an event. Where its signature leaves the body out
    /// ([`Authenticity::HeaderOnly`]), what it is about is fetched, and the event then says how
    /// that stands now; one whose signature covers its facts comes back as it is.
    ///
    /// [`Ledger::apply`](crate::ledger::Ledger::apply) takes only events that were made sure of.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the provider knows of no such thing: the event was forged. And
    /// those of fetching: keep the event, and try again.
    pub async fn prove(&self, event: Event<M>) -> Result<Event<M>> {
        // What names no payment nobody can be asked about.
        let is_nameless =
            matches!(event.kind(), EventKind::Unreadable(of) if of.payments.is_empty());
        if event.authenticity() != Authenticity::HeaderOnly || is_nameless {
            return Ok(event);
        }
        let kind = self.look_up(event.kind()).await?;
        Ok(event.proven(kind))
    }

    /// How the thing that a notice is about stands by the provider's own answer.
    pub(crate) async fn look_up(&self, claimed: &EventKind<M>) -> Result<EventKind<M>> {
        Ok(match claimed {
            EventKind::Payment(payment) => {
                EventKind::Payment(Box::new(self.fetch_payment(&payment.id).await?))
            }
            EventKind::Capture(capture) => {
                EventKind::Payment(Box::new(self.fetch_payment(&capture.payment).await?))
            }
            EventKind::Refund(refund) => {
                EventKind::Refund(Box::new(self.fetch_refund(&refund.id).await?))
            }
            EventKind::Dispute(dispute) => {
                let listed = self.list_disputes(around(dispute.created_at));
                let found =
                    find(listed, dispute.id.raw(), |listed| listed.id == dispute.id).await?;
                EventKind::Dispute(Box::new(found))
            }
            EventKind::Payout(payout) => {
                let listed = self.list_payouts(around(payout.created_at));
                let found = find(listed, payout.id.raw(), |listed| listed.id == payout.id).await?;
                EventKind::Payout(Box::new(found))
            }
            // No provider here lists its warnings: how the payment stands is what can be asked.
            EventKind::Warning(warning) => {
                EventKind::Payment(Box::new(self.fetch_payment(&warning.payment).await?))
            }
            EventKind::Unclear(unclear) => EventKind::Unclear(unclear.clone()),
            // What the payment came to, the provider says; what the event meant, nobody.
            EventKind::Unreadable(unreadable) => match unreadable.payments.first() {
                Some(id) => EventKind::Payment(Box::new(self.fetch_payment(id).await?)),
                None => EventKind::Unreadable(unreadable.clone()),
            },
            EventKind::NotAboutPayments => EventKind::NotAboutPayments,
            EventKind::Unrecognized => EventKind::Unrecognized,
        })
    }
}

fn around(created_at: Timestamp) -> Period {
    Period::since(created_at.saturating_sub(EARLIER))
}

/// What else in the list cannot be read is passed over.
async fn find<T>(
    list: impl Stream<Item = Result<T>>,
    name: &str,
    is_it: impl Fn(&T) -> bool,
) -> Result<T> {
    pin_mut!(list);
    while let Some(listed) = list.next().await {
        match listed {
            Ok(listed) if is_it(&listed) => return Ok(listed),
            Ok(_) => {}
            Err(error) if error.is_of_another_item(name) => {}
            Err(error) => return Err(error),
        }
    }
    let message = "the provider lists no such thing as the notice is about";
    Err(Error::new(ErrorKind::NotFound, message))
}
