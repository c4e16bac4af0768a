//! Fetching a payment by any of its names, and finding it by its reference.

use std::time::Duration;

use super::client::next_of;
use super::convert::{reference_of, unexpected};
use super::wire::{List, Object, REFERENCE_KEY};
use super::{Stripe, last_id};
use crate::capability::Operation;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{PaymentId, PayoutId, Reference};
use crate::mode::{Mode, ModeKind};
use crate::payment::Payment;
use crate::request::{Cursor, Page, Period};

/// How far back lists are read. A session ends 24 hours after its creation at the latest, and a key
/// is remembered for that long; the rest is for clocks that differ.
const RECENT: Duration = Duration::from_secs(25 * 60 * 60);

impl<M: Mode> Stripe<M> {
    /// Fetches a payment by the id of an intent, a session or a charge.
    pub(super) async fn fetch(&self, operation: Operation, id: &str) -> Result<Payment<M>> {
        let answer = match id.split_once('_') {
            Some(("pi", _)) => self.client.intent(operation, id).await?,
            Some(("cs", rest)) => {
                check_session_mode::<M>(rest)?;
                self.client.session(operation, id).await?
            }
            Some(("ch" | "py", _)) => {
                let answer = self.client.charge(operation, id).await?;
                let payment: Payment<M> = self
                    .client
                    .read(&answer, |reader, charge| reader.payment(&charge))?;
                if payment.id.raw() == id {
                    return Ok(payment);
                }
                self.client.intent(operation, payment.id.raw()).await?
            }
            _ => {
                let message = "a payment at Stripe has an id that begins with pi_, cs_ or ch_";
                return Err(Error::new(ErrorKind::InvalidRequest, message));
            }
        };
        self.client
            .read(&answer, |reader, object| reader.payment(&object))
    }

    /// Finds all payments under a reference: those of the last 25 hours by reading lists, which
    /// show a payment at once, and older ones by the search, which does not.
    ///
    /// Not every account has the search, such as those in India. What the lists have shown is then
    /// the answer; if they have shown nothing it is [`ErrorKind::Unsupported`], which says that no
    /// payment of the last 25 hours is there.
    pub(super) async fn find(&self, reference: &Reference) -> Result<Vec<Payment<M>>> {
        let mut found: Vec<Payment<M>> = Vec::new();
        for session in self.recent_sessions(reference).await? {
            found.push(self.fetch(Operation::FindPayments, session.raw()).await?);
        }
        let recent = self.recent_intents(reference).await?;
        let searched = match self.searched_intents(reference).await {
            Err(error) if is_no_search(error.kind()) => {
                if found.is_empty() && recent.is_empty() {
                    let message = "Stripe does not offer this account the search by which older \
                                   payments are found: look them up in the dashboard";
                    return Err(Error::new(ErrorKind::Unsupported, message).with_source(error));
                }
                Vec::new()
            }
            searched => searched?,
        };
        for intent in recent.into_iter().chain(searched) {
            if !found
                .iter()
                .any(|payment| payment.ids().any(|id| *id == intent.id))
            {
                found.push(intent);
            }
        }
        Ok(found)
    }

    /// The open session that an intent belongs to, if there is one.
    pub(super) async fn open_session_of(&self, intent: &str) -> Result<Option<PaymentId<M>>> {
        let answer = self
            .client
            .sessions_of_intent(Operation::Void, intent)
            .await?;
        self.client.read(&answer, |reader, list: List<Object<'_>>| {
            let is_open = |session: &&Object<'_>| session.status.as_deref() == Some("open");
            let Some(session) = list.data.iter().find(is_open) else {
                return Ok(None);
            };
            reader.check_mode(session.livemode)?;
            reader
                .payment_id(session.id.as_deref().unwrap_or_default())
                .map(Some)
        })
    }

    /// Stripe tells what a payout is made of only if it made it, and only when it is done with that.
    pub(super) async fn check_lines_complete(&self, payout: &PayoutId<M>) -> Result<()> {
        let answer = self
            .client
            .payout(Operation::ListPayoutLines, payout.raw())
            .await?;
        let read = self.client.read(&answer, |reader, object: Object<'_>| {
            let is_automatic = object.automatic == Some(true);
            Ok((reader.payout(&object)?, is_automatic))
        })?;
        match read {
            (payout, _) if payout.lines_complete => Ok(()),
            (_, true) => {
                let message = "Stripe has not reconciled this payout yet: ask again later";
                Err(Error::new(ErrorKind::Unavailable, message))
            }
            (_, false) => {
                let message = "Stripe does not know the lines of a payout that was made by hand";
                Err(Error::new(ErrorKind::Unsupported, message))
            }
        }
    }

    async fn recent_sessions(&self, reference: &Reference) -> Result<Vec<PaymentId<M>>> {
        let from = self.client.now().saturating_sub(RECENT);
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let answer = self
                .client
                .sessions(Operation::FindPayments, from, after.as_ref())
                .await?;
            let page: Page<PaymentId<M>> =
                self.client
                    .read(&answer, |reader, list: List<Object<'_>>| {
                        let mut ids = Vec::new();
                        for session in &list.data {
                            reader.check_mode(session.livemode)?;
                            if reference_of(session).as_ref() == Some(reference) {
                                let id = session.id.as_deref().unwrap_or_default();
                                ids.push(reader.payment_id(id)?);
                            }
                        }
                        let next = next_of(last_id(&list), list.has_more, after.as_ref())?;
                        Ok(Page::new(ids, next))
                    })?;
            found.extend(page.items);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(found),
            }
        }
    }

    async fn recent_intents(&self, reference: &Reference) -> Result<Vec<Payment<M>>> {
        let period = Period::since(self.client.now().saturating_sub(RECENT));
        let (mut found, mut after): (_, Option<Cursor>) = (Vec::new(), None);
        loop {
            let answer = self
                .client
                .intents(Operation::FindPayments, &period, after.as_ref())
                .await?;
            let page = self
                .client
                .read(&answer, |reader, list: List<Object<'_>>| {
                    let items = of_reference(&list, reference).map(|o| reader.payment(o));
                    let items = items.collect::<Result<Vec<_>>>()?;
                    let next = next_of(last_id(&list), list.has_more, after.as_ref())?;
                    Ok(Page::new(items, next))
                })?;
            found.extend(page.items);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(found),
            }
        }
    }

    async fn searched_intents(&self, reference: &Reference) -> Result<Vec<Payment<M>>> {
        let query = search_query(reference);
        let (mut found, mut next_page): (_, Option<String>) = (Vec::new(), None);
        loop {
            let answer = self
                .client
                .search_intents(&query, next_page.as_deref())
                .await?;
            let (items, has_more, next) =
                self.client
                    .read(&answer, |reader, list: List<Object<'_>>| {
                        let items = of_reference(&list, reference).map(|o| reader.payment(o));
                        let items = items.collect::<Result<Vec<_>>>()?;
                        Ok((items, list.has_more, list.next_page))
                    })?;
            found.extend(items);
            match (has_more, next) {
                (false, _) => return Ok(found),
                (true, Some(next)) if next_page.as_ref() != Some(&next) => next_page = Some(next),
                (true, _) => {
                    return Err(unexpected("a search says that it goes on, and not where"));
                }
            }
        }
    }
}

/// Whether Stripe refused the search itself. It gives no code of its own for that.
const fn is_no_search(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::InvalidRequest | ErrorKind::Unsupported | ErrorKind::Credentials
    )
}

/// Those of a list that carry the reference, byte for byte: a search may find more.
fn of_reference<'l, 'a>(
    list: &'l List<Object<'a>>,
    reference: &'l Reference,
) -> impl Iterator<Item = &'l Object<'a>> {
    list.data
        .iter()
        .filter(|object| reference_of(object).as_ref() == Some(reference))
}

/// Source: <https://docs.stripe.com/search#search-query-language>.
fn search_query(reference: &Reference) -> String {
    let escaped = reference
        .to_string()
        .replace('\\', "\\\\")
        .replace('\'', "\\'");
    format!("metadata['{REFERENCE_KEY}']:'{escaped}'")
}

/// A session's id tells its mode, so that one of the other mode is refused before it is sent.
fn check_session_mode<M: Mode>(rest: &str) -> Result<()> {
    let found = match rest.split_once('_') {
        Some(("test", _)) => ModeKind::Test,
        Some(("live", _)) => ModeKind::Live,
        _ => return Ok(()),
    };
    if found == M::KIND {
        return Ok(());
    }
    let message = format!("the checkout is of {found} mode");
    Err(Error::new(ErrorKind::WrongMode, message))
}
