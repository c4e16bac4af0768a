//! The provider's record of moving money.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::{Decline, Error, ErrorKind, Result};
use crate::id::{PaymentId, Reference};
use crate::mode::Mode;
use crate::money::Money;
use crate::secret::Secret;

/// A payment as its provider saw it at one moment.
///
/// Two such snapshots of one payment are joined by [`Payment::join`], whichever came first; the
/// [`Ledger`](crate::ledger::Ledger) does so for a stream of events.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound = "", deny_unknown_fields)]
#[non_exhaustive]
pub struct Payment<M: Mode> {
    /// The provider's name for it.
    pub id: PaymentId<M>,
    /// Other names of the provider's that lead to the same payment, such as its checkout, its
    /// charge or its capture.
    pub aliases: Vec<PaymentId<M>>,
    /// Whether this is only the checkout: the shopper has not begun to pay, and the provider has
    /// made no payment yet.
    pub is_checkout: bool,
    /// Whether the provider has said that nobody can try again to pay by it, as when a debit failed
    /// after its checkout was completed. The statuses that are final say so themselves.
    #[serde(default, skip_serializing_if = "is_unset")]
    pub is_over: bool,
    /// The order and attempt given at creation. A payment made elsewhere has none.
    pub reference: Option<Reference>,
    /// How far it has come.
    pub status: PaymentStatus,
    /// What was asked for.
    pub amount: Money,
    /// What is held and can still be captured.
    pub capturable: Money,
    /// What was taken from the payer, refunds not deducted.
    pub captured: Money,
    /// What the provider says has been refunded or is on its way back, in all.
    pub refunded: Money,
    /// What was captured and went back without a refund or dispute, such as a bounced debit.
    pub returned: Money,
    /// The provider's fee, once it says.
    pub fee: Option<Money>,
    /// What the shopper must do next.
    #[serde(skip)]
    pub next_action: Option<NextAction>,
    /// When an unpaid checkout ends.
    pub expires_at: Option<Timestamp>,
    /// When a held amount is lapsed unless captured.
    pub capture_before: Option<Timestamp>,
    /// When the provider made it.
    pub created_at: Timestamp,
    /// When money was first taken, as early as is known; later snapshots do not move it.
    #[serde(default)]
    pub captured_at: Option<Timestamp>,
    /// When the provider was in this state, by the provider's clock.
    pub as_of: Timestamp,
    /// Which report each amount comes from that not every report has.
    #[serde(default, skip_serializing_if = "Reports::are_own")]
    pub(crate) reports: Reports,
}

impl<M: Mode> Payment<M> {
    /// A payment of `amount` in `status`, with nothing captured yet. An amount that this report does
    /// not have must be marked as [`unreported`](Self::unreported): zero says that there is none.
    #[must_use]
    pub fn new(id: PaymentId<M>, status: PaymentStatus, amount: Money, as_of: Timestamp) -> Self {
        let zero = Money::zero(amount.currency());
        let captured_at = (status == PaymentStatus::Captured).then_some(as_of);
        Self {
            id,
            aliases: Vec::new(),
            is_checkout: false,
            is_over: false,
            reference: None,
            status,
            amount,
            capturable: zero,
            captured: zero,
            refunded: zero,
            returned: zero,
            fee: None,
            next_action: None,
            expires_at: None,
            capture_before: None,
            created_at: as_of,
            captured_at,
            as_of,
            reports: Reports::default(),
        }
    }

    /// Says that this report of the provider does not have an amount, so that
    /// [`join`](Self::join) keeps what another report has.
    #[must_use]
    pub fn unreported(mut self, amount: ReportedAmount) -> Self {
        *self.reports.of_mut(amount) = Report::Missing;
        self
    }

    /// When the provider was in the state that an amount comes from; `None` if no report has had
    /// the amount.
    #[must_use]
    pub fn reported_at(&self, amount: ReportedAmount) -> Option<Timestamp> {
        self.rank_of(amount).map(|rank| rank.as_of)
    }

    /// Every name of the provider's that leads to this payment.
    pub fn ids(&self) -> impl Iterator<Item = &PaymentId<M>> {
        std::iter::once(&self.id).chain(&self.aliases)
    }

    /// Whether an amount is held and can still be captured, all of it or the rest.
    #[must_use]
    pub fn is_held(&self) -> bool {
        let is_rest = self.status == PaymentStatus::Captured && self.capturable.is_positive();
        self.status == PaymentStatus::Authorized || is_rest
    }

    /// Whether both are snapshots of one payment: one has the other's id among its own, or one is
    /// the checkout and the other the payment of one attempt.
    ///
    /// The reference alone does not make two payments one: an attempt that was charged twice by
    /// mistake has two payments under one reference, and that must be seen.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        if self.is_checkout == other.is_checkout {
            // A shared alias is not enough: two payments may have been taken for one checkout.
            return self.ids().any(|id| *id == other.id) || other.ids().any(|id| *id == self.id);
        }
        let one_attempt = self.reference.is_some() && self.reference == other.reference;
        one_attempt || self.shares_id_with(other)
    }

    fn shares_id_with(&self, other: &Self) -> bool {
        self.ids().any(|id| other.ids().any(|its| its == id))
    }

    /// Joins two snapshots of one payment into what is known from both.
    ///
    /// The order does not matter, nor does a repetition: whichever snapshot came first or twice,
    /// the result is the same. A payment that was captured stays captured, one that was held is
    /// not made open again, and between equals the provider's later word counts.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if they are snapshots of two payments or in two currencies.
    pub fn join(self, other: Self) -> Result<Self> {
        if !self.is_same_as(&other) {
            return Err(Error::new(
                ErrorKind::Conflict,
                "these are two payments, not one",
            ));
        }
        if self.amount.currency() != other.amount.currency() {
            let message = "one payment was reported in two currencies: ask the provider's support";
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        let (later, earlier) = match self.precedence(&other) {
            Ordering::Less => (other, self),
            Ordering::Equal | Ordering::Greater => (self, other),
        };
        // The payment's own id is the name for it, once there is one.
        let named_by_earlier = later.is_checkout && !earlier.is_checkout;
        let id = if named_by_earlier {
            earlier.id.clone()
        } else {
            later.id.clone()
        };
        let mut aliases: Vec<_> = if later.shares_id_with(&earlier) {
            later.ids().chain(earlier.ids()).cloned().collect()
        } else {
            // Which checkout led to the payment only the provider can say: another checkout of the
            // same attempt may become a second payment, and must not be taken for the first.
            let payment = if named_by_earlier { &earlier } else { &later };
            payment.ids().cloned().collect()
        };
        aliases.sort();
        aliases.dedup();
        aliases.retain(|alias| *alias != id);
        let mut reports = Reports::default();
        let [capturable, refunded, returned] = ReportedAmount::ALL.map(|amount| {
            let (value, report) = later.reported_by_either(&earlier, amount);
            *reports.of_mut(amount) = report;
            value
        });
        Ok(Self {
            id,
            aliases,
            is_checkout: later.is_checkout && earlier.is_checkout,
            is_over: later.is_over || earlier.is_over,
            reference: later.reference.clone().max(earlier.reference),
            fee: max_money(later.fee, earlier.fee),
            created_at: later.created_at.min(earlier.created_at),
            capturable,
            refunded,
            returned,
            reports,
            // Not every report has these two.
            expires_at: later.expires_at.max(earlier.expires_at),
            capture_before: later.capture_before.max(earlier.capture_before),
            captured_at: [later.captured_at, earlier.captured_at]
                .into_iter()
                .flatten()
                .min(),
            ..later
        })
    }

    /// An amount as the stronger of the reports that have it says, and which report that is.
    fn reported_by_either(&self, earlier: &Self, amount: ReportedAmount) -> (Money, Report) {
        let own = self.rank();
        let said = |p: &Self| (p.rank_of(amount), p.amount_of(amount).minor());
        let (rank, minor) = said(self).max(said(earlier));
        let report = match rank {
            None => Report::Missing,
            Some(rank) if rank == own => Report::Own,
            Some(rank) => Report::Of(rank),
        };
        (Money::new(minor, self.amount.currency()), report)
    }

    fn amount_of(&self, amount: ReportedAmount) -> Money {
        match amount {
            ReportedAmount::Capturable => self.capturable,
            ReportedAmount::Refunded => self.refunded,
            ReportedAmount::Returned => self.returned,
        }
    }

    fn rank_of(&self, amount: ReportedAmount) -> Option<Rank> {
        match self.reports.of(amount) {
            Report::Own => Some(self.rank()),
            Report::Of(rank) => Some(rank),
            Report::Missing => None,
        }
    }

    const fn rank(&self) -> Rank {
        Rank {
            finality: self.finality(),
            as_of: self.as_of,
            progress: self.status.progress(),
        }
    }

    /// A total order of snapshots, so that the greater one is the same whichever came first.
    fn precedence(&self, other: &Self) -> Ordering {
        let key = |p: &Self| {
            (
                p.rank(),
                p.captured.minor(),
                p.refunded.minor(),
                p.returned.minor(),
                p.capturable.minor(),
                p.amount.minor(),
            )
        };
        key(self)
            .cmp(&key(other))
            .then_with(|| self.status.cmp(&other.status))
            .then_with(|| self.id.cmp(&other.id))
            .then_with(|| {
                (self.expires_at, self.capture_before)
                    .cmp(&(other.expires_at, other.capture_before))
            })
            .then_with(|| self.next_url().cmp(&other.next_url()))
    }

    /// What later news of a lower class cannot undo. A payment says more than its checkout, which
    /// may have ended while the payment was under way.
    const fn finality(&self) -> u8 {
        match &self.status {
            PaymentStatus::Captured => 5,
            PaymentStatus::Canceled | PaymentStatus::Expired if !self.is_checkout => 4,
            PaymentStatus::Authorized => 3,
            _ if !self.is_checkout => 2,
            PaymentStatus::Canceled | PaymentStatus::Expired => 1,
            _ => 0,
        }
    }

    fn next_url(&self) -> Option<&str> {
        match &self.next_action {
            Some(NextAction::Redirect { url } | NextAction::ShowInstructions { url }) => Some(url),
            Some(NextAction::UseSdk { .. }) | None => None,
        }
    }
}

/// An amount that not every report of a payment has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReportedAmount {
    /// [`Payment::capturable`].
    Capturable,
    /// [`Payment::refunded`].
    Refunded,
    /// [`Payment::returned`].
    Returned,
}

impl ReportedAmount {
    const ALL: [Self; 3] = [Self::Capturable, Self::Refunded, Self::Returned];
}

/// Which report each of those amounts comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Reports {
    capturable: Report,
    refunded: Report,
    returned: Report,
}

impl Reports {
    fn are_own(&self) -> bool {
        *self == Self::default()
    }

    const fn of(&self, amount: ReportedAmount) -> Report {
        match amount {
            ReportedAmount::Capturable => self.capturable,
            ReportedAmount::Refunded => self.refunded,
            ReportedAmount::Returned => self.returned,
        }
    }

    const fn of_mut(&mut self, amount: ReportedAmount) -> &mut Report {
        match amount {
            ReportedAmount::Capturable => &mut self.capturable,
            ReportedAmount::Refunded => &mut self.refunded,
            ReportedAmount::Returned => &mut self.returned,
        }
    }
}

/// The report that an amount comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Report {
    /// The one that everything else of the snapshot comes from.
    #[default]
    Own,
    /// An earlier or weaker one.
    Of(Rank),
    /// None: the amount is not known.
    Missing,
}

/// What makes one report of a payment stronger than another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rank {
    finality: u8,
    as_of: Timestamp,
    progress: u8,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_unset(flag: &bool) -> bool {
    !*flag
}

fn max_money(left: Option<Money>, right: Option<Money>) -> Option<Money> {
    [left, right]
        .into_iter()
        .flatten()
        .max_by_key(|money| money.minor())
}

/// How far a payment has come. How much is captured or refunded stands in the amounts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PaymentStatus {
    /// The provider has made it; the shopper has not paid.
    Created,
    /// The shopper must do something: see [`Payment::next_action`].
    ActionRequired,
    /// The shopper has agreed to pay, and no money is taken or held: nothing moves until the host
    /// [completes](crate::Provider::complete) the payment, and it lapses if nobody does.
    Approved,
    /// Under way and neither paid nor failed. Do not fulfil, and do not let the shopper pay again.
    Pending,
    /// Refused. The provider may allow another try on the same payment.
    Failed(Decline),
    /// Held, not taken. It lapses unless captured.
    Authorized,
    /// Ended without money, by the host or the provider.
    Canceled,
    /// Ended without money, by time.
    Expired,
    /// Taken, at least in part: see [`Payment::captured`].
    Captured,
    /// A status that this library does not know, as the provider wrote it: neither success nor
    /// failure. Ask the provider again later.
    Unrecognized(Box<str>),
}

impl PaymentStatus {
    /// Whether the provider will not change it any more but for refunds and disputes.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Canceled | Self::Expired | Self::Captured)
    }

    /// What counts as further between two reports of the same second.
    const fn progress(&self) -> u8 {
        match self {
            Self::Unrecognized(_) => 0,
            Self::Created => 1,
            Self::ActionRequired => 2,
            Self::Approved => 3,
            Self::Pending => 4,
            Self::Failed(_) => 5,
            Self::Authorized => 6,
            Self::Expired => 7,
            Self::Canceled => 8,
            Self::Captured => 9,
        }
    }
}

/// What the shopper must do next. Never stored: fetch the payment to get it again.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum NextAction {
    /// Send the browser there.
    Redirect {
        /// An `https` address of the provider's.
        url: String,
    },
    /// Give this to the provider's own script in the browser.
    UseSdk {
        /// What that script asks for.
        client_secret: Secret,
    },
    /// Show the shopper how to pay: a voucher or a bank transfer.
    ShowInstructions {
        /// An `https` address of the provider's.
        url: String,
    },
}
