//! Confirmations: the host's cues, kept until they are acknowledged.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::store::{ConfirmationRow, LeasedConfirmation};
use super::{Cashier, MOST_RETRIES};
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{Attempt, OrderId};
use crate::mode::Mode;
use crate::telemetry::unfinished;

impl<M: Mode> Cashier<M> {
    /// Leases up to `most` confirmations for `lease`, those that have waited longest first. What is
    /// not acknowledged within that time is given again, perhaps to another node, and waits behind
    /// those that came meanwhile.
    ///
    /// A confirmation of a kind that a newer version has written is not given: its lease runs out
    /// here, so that a newer node takes it, and until then it stands in
    /// [`Health::unreadable`](super::Health::unreadable). The others go out.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn confirmations(&self, lease: Duration, most: usize) -> Result<Vec<Confirmation>> {
        let now = self.now();
        let until = now.saturating_add(lease);
        let mut given = Vec::new();
        // A batch that holds what cannot be read is filled up, so that nothing waits behind it.
        for _ in 0..MOST_RETRIES {
            let wanted = most.saturating_sub(given.len());
            let rows = self.store.lease_confirmations(now, until, wanted).await?;
            let leased = rows.len();
            let before = given.len();
            given.extend(rows.into_iter().filter_map(|row| self.read_leased(row)));
            if leased < wanted || given.len() == before + leased {
                break;
            }
        }
        Ok(given)
    }

    fn read_leased(&self, leased: LeasedConfirmation) -> Option<Confirmation> {
        let ConfirmationRow {
            id,
            order,
            kind,
            created_at,
        } = leased.row;
        let kind = match kind.parse() {
            Ok(kind) => kind,
            Err(error) => {
                unfinished("confirmation", &id, &error);
                self.unreadable
                    .add(&format!("confirmation {id}"), self.now());
                return None;
            }
        };
        Some(Confirmation {
            id,
            order,
            kind,
            at: created_at,
            lease: leased.lease,
        })
    }

    /// Says that a confirmation was acted on, so that it does not come again.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if it was acknowledged before, or leased anew since.
    pub async fn acknowledge(&self, confirmation: &Confirmation) -> Result<()> {
        let Confirmation { id, lease, .. } = confirmation;
        self.store.acknowledge(id, *lease).await
    }
}

/// The host's cue that something has happened to an order. It comes once per order and kind, and
/// again only if it was not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Confirmation {
    /// A stable id to deduplicate on.
    pub id: String,
    /// The order; `None` where it is about a payout, whose id the kind has.
    pub order: Option<OrderId>,
    /// What has happened.
    pub kind: ConfirmationKind,
    /// When it was written down.
    pub at: Timestamp,
    lease: u64,
}

/// What a confirmation says. Its text, such as `paid` or `refunded:stripe:test:re_1`, is what is
/// unique for an order.
///
/// | Confirmation | Do |
/// |---|---|
/// | `Paid` | Fulfil the order. |
/// | `Authorized` | Capture when you fulfil, before the authorization lapses. |
/// | `PartlyPaid` | Do not fulfil: ask for the rest, or refund. |
/// | `Overpaid` | Refund the excess. Fulfilment is up to `Paid` alone, which comes as well. |
/// | `PaidAfterClose` | Refund, or fulfil by a new order. |
/// | `AttemptDeclined` | Nothing: the customer may still pay on the same page. Do not write to the customer. |
/// | `PaymentFailed` | Offer another checkout: no other attempt is open. |
/// | `Refunded` | Tell the customer. |
/// | `RefundFailed` | Refund in another way. |
/// | `DisputeOpened` | Answer with evidence at the provider before its deadline. |
/// | `DisputeWon`, `DisputeLost` | Book the result. |
/// | `NeedsAPerson` | Show the review item to a reviewer. |
///
/// How much is enough is decided to the minor unit, without a tolerance, over all payments of the
/// order in its currency: one unit short is `PartlyPaid`, and one more than the total is `Paid` and
/// `Overpaid`. Money in another currency pays nothing, is never converted, and is raised for review.
/// `Paid` comes once, in whichever order the payments are received, and is not withdrawn by a
/// refund.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ConfirmationKind {
    /// At least the total was captured: fulfil the order. It comes once, also where too much was
    /// paid.
    Paid,
    /// The whole amount is authorized, by this attempt: capture it when you fulfil.
    Authorized(Attempt),
    /// Less than the total was captured: ask for the rest, or refund it. There is no tolerance here:
    /// one minor unit short is not paid.
    PartlyPaid,
    /// More than the total was captured: refund the excess. It comes beside [`Paid`](Self::Paid).
    Overpaid,
    /// Money was captured for an order that was closed unpaid: refund it or fulfil the order.
    PaidAfterClose,
    /// A payment of this attempt was declined. The customer may still try again on the same page:
    /// do nothing, or note it. It comes once per attempt, however often a card is declined.
    AttemptDeclined(Attempt),
    /// This attempt was declined and is over, so that no money comes by it, and no other was begun:
    /// its page has ended by itself, or the provider takes no other try. Offer another checkout.
    PaymentFailed(Attempt),
    /// The refund of this id is done: tell the customer.
    Refunded(String),
    /// The refund of this id did not go through, perhaps after it was done: refund in another way.
    RefundFailed(String),
    /// The payer's bank asks for money back, in the dispute of this id.
    DisputeOpened(String),
    /// The dispute of this id was decided for the host.
    DisputeWon(String),
    /// The dispute of this id was decided against the host.
    DisputeLost(String),
    /// The payout of this id has arrived at the bank, as far as the provider knows. It can still
    /// come back.
    PayoutPaid(String),
    /// The payout of this id came back: see [`PayoutRecord`](super::PayoutRecord) for why, and see
    /// to the bank account, since the next one will come back too.
    PayoutFailed(String),
    /// The payout of this id was called off.
    PayoutCanceled(String),
    /// Somebody must look at the order, because of the [`Concern`](super::Concern) of this name.
    NeedsAPerson(String),
}

impl ConfirmationKind {
    pub(super) fn row(&self, order: &OrderId, created_at: Timestamp) -> ConfirmationRow {
        // The kind begins after the first colon, so that no two of an order and a kind share an id.
        let name = order.as_str().replace('%', "%25").replace(':', "%3A");
        ConfirmationRow {
            id: format!("{name}:{self}"),
            order: Some(order.clone()),
            kind: self.to_string(),
            created_at,
        }
    }

    /// As [`row`](Self::row), of what is about no order. The id of an order's begins with its name,
    /// in which no colon is left, and so never with one.
    pub(super) fn row_of_none(&self, created_at: Timestamp) -> ConfirmationRow {
        ConfirmationRow {
            id: format!(":{self}"),
            order: None,
            kind: self.to_string(),
            created_at,
        }
    }
}

impl fmt::Display for ConfirmationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paid => f.write_str("paid"),
            Self::Authorized(attempt) => write!(f, "authorized:{attempt}"),
            Self::PartlyPaid => f.write_str("partly_paid"),
            Self::Overpaid => f.write_str("overpaid"),
            Self::PaidAfterClose => f.write_str("paid_after_close"),
            Self::AttemptDeclined(attempt) => write!(f, "attempt_declined:{attempt}"),
            Self::PaymentFailed(attempt) => write!(f, "payment_failed:{attempt}"),
            Self::Refunded(id) => write!(f, "refunded:{id}"),
            Self::RefundFailed(id) => write!(f, "refund_failed:{id}"),
            Self::DisputeOpened(id) => write!(f, "dispute_opened:{id}"),
            Self::DisputeWon(id) => write!(f, "dispute_won:{id}"),
            Self::DisputeLost(id) => write!(f, "dispute_lost:{id}"),
            Self::PayoutPaid(id) => write!(f, "payout_paid:{id}"),
            Self::PayoutFailed(id) => write!(f, "payout_failed:{id}"),
            Self::PayoutCanceled(id) => write!(f, "payout_canceled:{id}"),
            Self::NeedsAPerson(concern) => write!(f, "needs_a_person:{concern}"),
        }
    }
}

impl FromStr for ConfirmationKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let unknown = || {
            let message = "the store holds a confirmation of a kind that this version lacks";
            Error::new(ErrorKind::UnexpectedResponse, message)
        };
        let Some((name, subject)) = text.split_once(':') else {
            return match text {
                "paid" => Ok(Self::Paid),
                "partly_paid" => Ok(Self::PartlyPaid),
                "overpaid" => Ok(Self::Overpaid),
                "paid_after_close" => Ok(Self::PaidAfterClose),
                _ => Err(unknown()),
            };
        };
        let subject = subject.to_owned();
        let attempt = || subject.parse().map(Attempt::new).map_err(|_| unknown());
        Ok(match name {
            "authorized" => Self::Authorized(attempt()?),
            "attempt_declined" => Self::AttemptDeclined(attempt()?),
            "payment_failed" => Self::PaymentFailed(attempt()?),
            "refunded" => Self::Refunded(subject),
            "refund_failed" => Self::RefundFailed(subject),
            "dispute_opened" => Self::DisputeOpened(subject),
            "dispute_won" => Self::DisputeWon(subject),
            "dispute_lost" => Self::DisputeLost(subject),
            "payout_paid" => Self::PayoutPaid(subject),
            "payout_failed" => Self::PayoutFailed(subject),
            "payout_canceled" => Self::PayoutCanceled(subject),
            "needs_a_person" => Self::NeedsAPerson(subject),
            _ => return Err(unknown()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_orders_share_the_id_of_a_confirmation() {
        let id = |order: &str, kind: ConfirmationKind| {
            let order = OrderId::new(order).unwrap();
            kind.row(&order, Timestamp::from_unix(0)).id
        };
        let concern = ConfirmationKind::NeedsAPerson("overpaid".into());
        assert_eq!(id("A-1", concern.clone()), "A-1:needs_a_person:overpaid");
        let of_a = id("A", concern);
        assert_ne!(id("A:needs_a_person", ConfirmationKind::Overpaid), of_a);
        let of_payout = ConfirmationKind::PayoutPaid("stripe:test:po_1".into());
        let of_none = of_payout.row_of_none(Timestamp::from_unix(0)).id;
        assert_ne!(id(":", of_payout.clone()), of_none);
        assert_ne!(id("A", of_payout), of_none);
        let kind = ConfirmationKind::Overpaid;
        assert_ne!(id("A%3A", kind.clone()), id("A:", kind));
    }

    #[test]
    fn every_kind_is_read_back_from_its_text() {
        let id = || "stripe:test:x_1".to_owned();
        for kind in [
            ConfirmationKind::Paid,
            ConfirmationKind::Authorized(Attempt::FIRST),
            ConfirmationKind::PartlyPaid,
            ConfirmationKind::Overpaid,
            ConfirmationKind::PaidAfterClose,
            ConfirmationKind::AttemptDeclined(Attempt::FIRST),
            ConfirmationKind::PaymentFailed(Attempt::FIRST.next()),
            ConfirmationKind::Refunded(id()),
            ConfirmationKind::RefundFailed(id()),
            ConfirmationKind::DisputeOpened(id()),
            ConfirmationKind::DisputeWon(id()),
            ConfirmationKind::DisputeLost(id()),
            ConfirmationKind::PayoutPaid(id()),
            ConfirmationKind::PayoutFailed(id()),
            ConfirmationKind::PayoutCanceled(id()),
            ConfirmationKind::NeedsAPerson("overpaid".into()),
        ] {
            assert_eq!(kind.to_string().parse::<ConfirmationKind>().unwrap(), kind);
        }
        for text in ["", "thanks", "payment_failed:0", "refunds:1"] {
            assert!(text.parse::<ConfirmationKind>().is_err(), "{text}");
        }
    }
}
