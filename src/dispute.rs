//! A payer's bank that asks for the money back. It stands beside the payment, never in its status.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{DisputeId, PaymentId};
use crate::mode::Mode;
use crate::money::Money;

/// A dispute as its provider saw it at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound = "", deny_unknown_fields)]
#[non_exhaustive]
pub struct Dispute<M: Mode> {
    /// The provider's name for it.
    pub id: DisputeId<M>,
    /// The payment in dispute.
    pub payment: PaymentId<M>,
    /// How much is in dispute.
    pub amount: Money,
    /// How it stands.
    pub status: DisputeStatus,
    /// The provider's or the network's reason code, as it came.
    pub reason: Option<Box<str>>,
    /// Until when the host can answer.
    pub respond_by: Option<Timestamp>,
    /// When the provider made it.
    pub created_at: Timestamp,
    /// When the provider was in this state, by the provider's clock.
    pub as_of: Timestamp,
    /// What the provider has booked as withdrawn for it, less what it has booked as reinstated, fees
    /// left out; `None` where it reports no bookings. See [`withdrawn`](Self::withdrawn).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    booked: Option<Booked>,
    /// Whether the provider still refunds the rest of the payment, where it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_refundable: Option<bool>,
    /// What was said, at any time, of whether the money was taken.
    #[serde(default, skip_serializing_if = "MoneyWord::is_none")]
    taken: MoneyWord,
    /// What the latest word was, where `status` says less because no money was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    said: Option<DisputeStatus>,
    /// When those reports were that have what not every report has.
    #[serde(default, skip_serializing_if = "SaidAt::is_own")]
    said_at: SaidAt,
}

impl<M: Mode> Dispute<M> {
    /// A dispute over `amount` of `payment`.
    #[must_use]
    pub fn new(
        id: DisputeId<M>,
        payment: PaymentId<M>,
        status: DisputeStatus,
        amount: Money,
        as_of: Timestamp,
    ) -> Self {
        Self {
            id,
            payment,
            amount,
            taken: MoneyWord::of(&status),
            status,
            booked: None,
            is_refundable: None,
            said: None,
            said_at: SaidAt::default(),
            reason: None,
            respond_by: None,
            created_at: as_of,
            as_of,
        }
    }

    /// Says that this word of the provider's leaves open whether the money was taken, as that
    /// evidence was handed in does: after an inquiry, of which no more was heard, it was not.
    #[must_use]
    pub fn without_word_of_money(mut self) -> Self {
        self.taken = MoneyWord::None;
        self
    }

    /// Takes in the provider's own bookings for it, all of them so far: negative what was withdrawn,
    /// positive what was reinstated, fees left out. They decide, whatever the status is.
    ///
    /// Bookings in the currency of a settlement are counted as the part of the disputed amount that
    /// they are of what was withdrawn.
    #[must_use]
    pub fn with_bookings(mut self, bookings: &[Money]) -> Self {
        let sum = |is_of: fn(i64) -> bool| {
            let of = bookings.iter().map(|money| money.minor());
            of.filter(|minor| is_of(*minor))
                .map(i128::from)
                .sum::<i128>()
        };
        let (away, back) = (-sum(|minor| minor < 0), sum(|minor| minor > 0));
        let left = (away - back).max(0);
        let is_same = |money: &Money| money.currency() == self.amount.currency();
        let minor = match bookings.iter().all(is_same) {
            true => left,
            // Rounded to the nearest minor unit; all of it and none of it are exact.
            false if away > 0 => (i128::from(self.amount.minor()) * left + away / 2) / away,
            false => 0,
        };
        self.booked = Some(Booked {
            count: bookings.len(),
            as_of: self.as_of,
            minor: i64::try_from(minor).unwrap_or(i64::MAX),
        });
        self
    }

    /// What is away from the merchant because of it: what the provider has booked, or, where it
    /// reports no bookings, the disputed amount while the status says so.
    #[must_use]
    pub fn withdrawn(&self) -> Money {
        let by_status = if self.status.holds_money() {
            self.amount.minor()
        } else {
            0
        };
        let minor = self.booked.map_or(by_status, |booked| booked.minor);
        Money::new(minor, self.amount.currency())
    }

    /// Whether a refund could give the money twice: the dispute is open, or money is away.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(
            self.status,
            DisputeStatus::NeedsResponse
                | DisputeStatus::UnderReview
                | DisputeStatus::Unrecognized(_)
        )
    }

    /// Joins two snapshots of one dispute, whichever came first. The later word counts, since an
    /// appeal can turn a decision. What the later report does not have is kept from the earlier.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        let key = |d: &Self| (d.as_of, d.said().clone(), d.amount.minor());
        let (later, earlier) = if key(&self) >= key(&other) {
            (self, other)
        } else {
            (other, self)
        };
        let taken = later.taken.max(earlier.taken);
        // Bookings are only added, so that the longer list is the later one.
        let booked = later.booked.max(earlier.booked);
        let of = |d: &Self, at: Option<Timestamp>| at.unwrap_or(d.as_of);
        let (reason, reason_at) = latest(
            (later.reason.clone(), of(&later, later.said_at.reason)),
            (earlier.reason.clone(), of(&earlier, earlier.said_at.reason)),
        );
        let (respond_by, respond_by_at) = latest(
            (later.respond_by, of(&later, later.said_at.respond_by)),
            (earlier.respond_by, of(&earlier, earlier.said_at.respond_by)),
        );
        let (is_refundable, is_refundable_at) = latest(
            (later.is_refundable, of(&later, later.said_at.is_refundable)),
            (
                earlier.is_refundable,
                of(&earlier, earlier.said_at.is_refundable),
            ),
        );
        let unless_own = |at: Option<Timestamp>| at.filter(|at| *at != later.as_of);
        let said_at = SaidAt {
            reason: unless_own(reason_at),
            respond_by: unless_own(respond_by_at),
            is_refundable: unless_own(is_refundable_at),
        };
        let said = later.said().clone();
        let status = match taken {
            MoneyWord::Inquiry => as_inquiry(&said),
            MoneyWord::None | MoneyWord::Taken => said.clone(),
        };
        Self {
            created_at: later.created_at.min(earlier.created_at),
            payment: later.payment.clone().max(earlier.payment),
            said: (status != said).then_some(said),
            taken,
            status,
            booked,
            reason,
            respond_by,
            is_refundable,
            said_at,
            ..later
        }
    }

    fn said(&self) -> &DisputeStatus {
        self.said.as_ref().unwrap_or(&self.status)
    }
}

/// When the reports were that have what not every report has, where that is not the report that
/// everything else comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SaidAt {
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    respond_by: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_refundable: Option<Timestamp>,
}

impl SaidAt {
    fn is_own(&self) -> bool {
        *self == Self::default()
    }
}

/// The value of the later of two reports that have one, and when that report was. Of two in the same
/// second the greater counts, so that their order makes no difference.
fn latest<T: Ord>(
    (one, one_at): (Option<T>, Timestamp),
    (other, other_at): (Option<T>, Timestamp),
) -> (Option<T>, Option<Timestamp>) {
    let one = one.map(|value| (one_at, value));
    match one.max(other.map(|value| (other_at, value))) {
        Some((at, value)) => (Some(value), Some(at)),
        None => (None, None),
    }
}

/// What the bookings of a dispute come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Booked {
    count: usize,
    as_of: Timestamp,
    minor: i64,
}

/// What was said of the money of a dispute. The greater word counts, whichever came first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum MoneyWord {
    #[default]
    None,
    /// There is a question, and no money was taken for it.
    Inquiry,
    /// It was taken, or is about to be.
    Taken,
}

impl MoneyWord {
    const fn of(status: &DisputeStatus) -> Self {
        match status {
            DisputeStatus::Inquiry => Self::Inquiry,
            DisputeStatus::Closed => Self::None,
            DisputeStatus::Unrecognized(_)
            | DisputeStatus::NeedsResponse
            | DisputeStatus::UnderReview
            | DisputeStatus::Won
            | DisputeStatus::Lost => Self::Taken,
        }
    }

    const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }
}

/// How a dispute stands for which no money was taken.
const fn as_inquiry(said: &DisputeStatus) -> DisputeStatus {
    match said {
        DisputeStatus::Closed | DisputeStatus::Won | DisputeStatus::Lost => DisputeStatus::Closed,
        _ => DisputeStatus::Inquiry,
    }
}

/// How a dispute stands, in the order in which it goes on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DisputeStatus {
    /// A status that this library does not know, as the provider wrote it.
    Unrecognized(Box<str>),
    /// A question from the bank; no money has been taken.
    Inquiry,
    /// The money is taken and the host can answer.
    NeedsResponse,
    /// The host has answered; the bank decides.
    UnderReview,
    /// It ended without a decision against the host, and no money is gone.
    Closed,
    /// The host has won; the money comes back.
    Won,
    /// The host has lost; the money is gone.
    Lost,
}

impl DisputeStatus {
    /// Whether the disputed money is, or may be, away from the host now. In a status that is not
    /// known here it may be: that is not read as the host's success.
    #[must_use]
    pub const fn holds_money(&self) -> bool {
        !matches!(self, Self::Inquiry | Self::Closed | Self::Won)
    }
}
