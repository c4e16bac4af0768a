//! Webhooks on their way: queued, spoiled on demand, handed out and tried again.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::{DeliveryId, WebhookFault, WebhookOdds};
use crate::clock::Timestamp;

/// The webhooks of one simulated account. `P` says what is to be sent and where to.
#[derive(Debug)]
pub(super) struct Mailroom<P> {
    pub(super) odds: WebhookOdds,
    waiting: BTreeMap<(Timestamp, u64), Parcel<P>>,
    handed_out: HashMap<DeliveryId, Parcel<P>>,
    order_next: u64,
    delivery_next: u64,
}

/// One webhook, and which try it is.
#[derive(Debug, Clone)]
pub(super) struct Parcel<P> {
    pub(super) content: P,
    /// 1 for the first try.
    pub(super) attempt: u32,
}

impl<P: Clone> Mailroom<P> {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            // Its own draws, so that what happens to webhooks does not change the ids.
            odds: WebhookOdds::new(seed ^ 0x77_65_62_68_6f_6f_6b_73),
            waiting: BTreeMap::new(),
            handed_out: HashMap::new(),
            order_next: 0,
            delivery_next: 1,
        }
    }

    /// Sends something for the first time, with the fault that is drawn for it.
    pub(super) fn post(&mut self, now: Timestamp, content: P) {
        let parcel = Parcel {
            content,
            attempt: 1,
        };
        match self.odds.draw() {
            WebhookFault::None => self.queue(now, 0, parcel),
            WebhookFault::Drop => {}
            WebhookFault::Duplicate => {
                self.queue(now, 0, parcel.clone());
                self.queue(now, 0, parcel);
            }
            WebhookFault::Delay(by) => self.queue(now.saturating_add(by), 0, parcel),
            WebhookFault::Reorder => self.queue(now, 3, parcel),
        }
    }

    /// Orders are even, so that `behind` = 3 puts a parcel just after the one that follows.
    fn queue(&mut self, at: Timestamp, behind: u64, parcel: Parcel<P>) {
        let _ = self.waiting.insert((at, self.order_next + behind), parcel);
        self.order_next += 2;
    }

    /// Takes the next webhook that is due.
    pub(super) fn hand_out(&mut self, now: Timestamp) -> Option<(DeliveryId, Parcel<P>)> {
        let entry = self.waiting.first_entry()?;
        if entry.key().0 > now {
            return None;
        }
        let parcel = entry.remove();
        let id = DeliveryId(self.delivery_next);
        self.delivery_next += 1;
        let _ = self.handed_out.insert(id, parcel.clone());
        Some((id, parcel))
    }

    /// Notes how the receiver answered. What was received is given back; what was not is tried
    /// again after the waits of `retry_after`, one for each try that failed.
    pub(super) fn report(
        &mut self,
        now: Timestamp,
        id: DeliveryId,
        status: Option<u16>,
        retry_after: &[Duration],
    ) -> Option<P> {
        let parcel = self.handed_out.remove(&id)?;
        if status.is_some_and(|status| (200..300).contains(&status)) {
            return Some(parcel.content);
        }
        let failed = usize::try_from(parcel.attempt).unwrap_or(usize::MAX);
        if let Some(wait) = retry_after.get(failed - 1) {
            let attempt = parcel.attempt + 1;
            self.queue(now.saturating_add(*wait), 0, Parcel { attempt, ..parcel });
        }
        None
    }
}
